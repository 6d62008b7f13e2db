"""What a page of the book needs besides figures: glued numbers, folded tables, its banner."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cortexrnn.evidence.intervals import by_numerics
from cortexrnn.fields.inputs import arguments
from cortexrnn.figures.style import shell
from cortexrnn.runs.archive import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cortexrnn.fields.field import Field

__all__ = [
    "Banner",
    "Html",
    "banner",
    "cells_of_runs",
    "download",
    "field_to_show",
    "folded",
    "glue",
    "remark",
    "rows_or",
    "text_table",
]


def glue(name: str, value: object) -> None:
    """Remember a value under a name, so that prose of the book can quote it.

    Parameters
    ----------
    name : str
        Key, quoted in prose as ``{glue:text}`key:.2f``` (the format is optional on the same page).
    value : object
        Number or text.

    Notes
    -----
    Does nothing where there is no book to be made: in Colab and in plain Python.
    """
    if shell() is None:
        return
    try:
        from myst_nb import glue as remember
    except ImportError:
        return
    if isinstance(value, np.generic):  # prints as np.float64(0.5), which no format can read
        value = value.item()
    remember(name, value, display=False)


@dataclass(frozen=True)
class Html:
    """A piece of a page; displays itself in a notebook.

    Attributes
    ----------
    page : str
        HTML.
    text : str
        What is shown where there is no HTML.
    """

    page: str
    text: str

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return self.text


def download(table: pd.DataFrame, name: str) -> Html:
    """Offer a table as a CSV file that travels inside the page.

    Parameters
    ----------
    table : DataFrame
        Written with all digits and without its index.
    name : str
        Name of the file, ``something.csv``.

    Returns
    -------
    Html
        A link that works without a server and without a network.
    """
    content = base64.b64encode(table.to_csv(index=False).encode()).decode()
    size = f"{len(table):,} rows, {len(table.columns)} columns"
    page = (
        f'<a class="download" download="{html.escape(name)}" '
        f'href="data:text/csv;base64,{content}">{html.escape(name)}</a> ({size})'
    )
    return Html(page, f"{name}: {size}")


def folded(table: pd.DataFrame, summary: str) -> Html:
    """Show a long table folded up.

    Parameters
    ----------
    table : DataFrame
        Its index is not shown.
    summary : str
        The line that unfolds it.

    Returns
    -------
    Html
        The table behind its line; only the line where it has no rows.
    """
    if table.empty:
        return remark(summary)
    rows = table.to_html(index=False, border=0, na_rep="", classes="runs")
    line = f"<summary>{html.escape(summary)}</summary>"
    return Html(f'<details class="runs">{line}{rows}</details>', table.to_string(index=False))


def text_table(table: pd.DataFrame) -> Html:
    """Show a table of texts, whole and beginning where their column begins.

    Parameters
    ----------
    table : DataFrame
        Its index is shown too.

    Returns
    -------
    Html
        The table, aligned by the book; elsewhere as any other.
    """
    with pd.option_context("display.max_colwidth", None):
        return Html(table.to_html(border=0, classes="prose"), table.to_string())


def rows_or(table: pd.DataFrame, sentence: str) -> pd.DataFrame | Html:
    """Show a table, or a sentence in the place of one that has no rows.

    Parameters
    ----------
    table : DataFrame
        What there is to show.
    sentence : str
        Says why there is nothing.

    Returns
    -------
    DataFrame or Html
        The table as it was given, or the sentence as a paragraph.
    """
    return table if len(table) else remark(sentence)


def remark(sentence: str) -> Html:
    """Show a sentence where a figure or a table would stand.

    Parameters
    ----------
    sentence : str
        Says why there is nothing to see.

    Returns
    -------
    Html
        A paragraph.
    """
    return Html(f"<p>{html.escape(sentence)}</p>", sentence)


def cells_of_runs(runs: pd.DataFrame, *, values: Sequence[str]) -> Html:
    """List the runs behind every cell, folded up.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    values : sequence of str
        Metrics that are shown beside seed, epoch of divergence, time and identity.

    Returns
    -------
    Html
        For each variant and task a line that unfolds into its runs.
    """
    values = arguments.names("values", values)
    shown = ["seed", *values, "diverged_epoch", "seconds", "numerics", "commit", "identity"]
    parts = []
    for (task, variant), cell in runs.groupby(["task", "variant"], sort=False):
        table = cell.sort_values("seed")[shown].to_html(
            index=False, border=0, float_format="{:.4g}".format, na_rep="", classes="runs"
        )
        name = html.escape(f"{task}, {variant}: {len(cell)} runs")
        parts.append(f'<details class="runs"><summary>{name}</summary>{table}</details>')
    return Html("".join(parts), f"{len(runs)} runs in {len(parts)} cells")


def field_to_show(
    archive: pd.DataFrame,
    field: str,
    *,
    runs_on: Callable[[str], pd.DataFrame],
    what: str,
    default: str = "6_6_2",
    otherwise: str = "No recorded runs of field {field}; these are those of {shown}.",
) -> tuple[str, list[str]]:
    """Find the fields with recorded runs, and the one of them that a chapter shows.

    Parameters
    ----------
    archive : DataFrame
        Runs of the archive.
    field : str
        The field that was asked for.
    runs_on : callable
        Gives the runs that the chapter is about for the name of a field.
    what : str
        Names these runs, for the message.
    default : str
        The field that is shown where the one asked for has no such runs; without runs of its own
        the first one that has.
    otherwise : str
        Is printed then, with ``{field}`` and ``{shown}`` filled in.

    Returns
    -------
    shown : str
        The field to show.
    recorded : list of str
        All fields with such runs, in the order of the archive.

    Raises
    ------
    ArchiveError
        If no field has such runs.
    """
    recorded = [name for name in dict.fromkeys(archive["field"]) if len(runs_on(name))]
    if not recorded:
        raise ArchiveError(
            f"no recorded runs of {what}, on field {field} or any other; give parameters that the "
            "archive has runs of, or train them with `cortexrnn run`"
        )
    if field in recorded:
        return field, recorded
    shown = default if default in recorded else recorded[0]
    print(otherwise.format(field=field, shown=shown))
    return shown, recorded


@dataclass(frozen=True)
class Banner:
    """A sentence that states which data a chapter shows; displays itself in a notebook.

    Attributes
    ----------
    text : str
        The sentence, in Markdown.
    short : str
        The same in a few words, for the line at the head of every page of the book.
    kind : str
        ``"live"`` (computed on this page) or ``"archive"`` (recorded runs).
    """

    text: str
    short: str
    kind: str

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Give the text to the page and the record to the build, which reads the metadata."""
        data = {"text/markdown": self.text, "text/plain": self.text.replace("**", "")}
        return data, {"cortexrnn": {"kind": self.kind, "short": self.short}}


_ORIGINS = {
    "arrays": "arrays given in Python",
    "cache": "the local cache of the public source",
    "cave": "the MICrONS release through CAVE",
    "download": "the pinned public source",
    "mirror": "the local mirror",
    "static": "the public tables of the MICrONS release",
    "package": "files of an installed package",
}


def banner(field: Field | str, *, runs: pd.DataFrame | None = None) -> Banner:
    """State which data a chapter shows; the last line of the cell that loads them.

    Parameters
    ----------
    field : Field or str
        The field that the chapter computes on; or, in a chapter that reads recorded runs, its name.
    runs : pandas.DataFrame, optional
        The recorded runs, one a row (column ``seed`` is counted where present). Where they have a
        column ``field``, its fields are named instead, the given one first.

    Returns
    -------
    Banner
        Shows itself as Markdown: name, number of neurons, real or synthetic, and origin.
    """
    if runs is not None or isinstance(field, str):
        return _archive_banner(field if isinstance(field, str) else field.name, runs)
    size = f"N = {field.n_neurons}"
    if _is_surrogate(field.name):
        what = f"{_display_name(field.name)} (synthetic, {size})"
        text = f"{what}: generated from a seed, shaped like the real fields, measured in no animal"
    else:
        what = f"{_display_name(field.name)} ({size})"
        text = f"{what}, from {_ORIGINS.get(field.origin, field.origin)}"
    return Banner(f"**Data on this page:** {text}.", what, "live")


def _archive_banner(name: str, runs: pd.DataFrame | None) -> Banner:
    """Describe recorded runs on the field called `name`; without `runs`, not how many."""
    names = [name]
    if runs is not None and "field" in runs and not runs.empty:
        names = sorted(set(runs["field"]), key=lambda one: (one != name, one))
    kinds: dict[str, list[str]] = {}
    for one in names:
        kinds.setdefault(_display_name(one).removesuffix(f" {one}"), []).append(one)
    where = " and ".join(
        f"{kind}{'s' if len(ones) > 1 else ''} {', '.join(ones)}" for kind, ones in kinds.items()
    )
    if runs is None:
        what = f"recorded runs on {where}"
    elif runs.empty:
        what = f"no recorded runs on {where} in the archive"
    else:
        what = f"{len(runs):,} recorded {'run' if len(runs) == 1 else 'runs'} on {where}"
    text = what
    if runs is not None and "seed" in runs and not runs.empty:
        seeds = runs["seed"].nunique()
        text += f", {'up to ' if len(names) > 1 else ''}{seeds} {'seed' if seeds == 1 else 'seeds'}"
    if runs is not None and "numerics" in runs and not runs.empty:
        counts = by_numerics(runs)
        text += f"; version{'s' if ':' in counts else ''} of the arithmetic {counts}"
    return Banner(f"**Data on this page:** {text}.", what, "archive")


def _is_surrogate(name: str) -> bool:
    return name == "surrogate" or name.startswith("surrogate_")


def _display_name(name: str) -> str:
    """Name a field the way a reader can tell synthetic from real."""
    if _is_surrogate(name):
        return f"field {name}"
    parts = name.split("_")
    is_published = len(parts) == 3 and all(part.isdigit() for part in parts)
    return f"{'real field' if is_published or name == 'worm' else 'field'} {name}"
