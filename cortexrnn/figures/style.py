"""One look for every figure, and what a chapter tells about the data it shows.

The first cell of a chapter calls :func:`set_style`. In the book (environment variable
``CORTEXRNN_BOOK=1``, set by the build) interactive figures then share one script of the site and
need no network; anywhere else, Colab included, they use what that place offers.
"""

from __future__ import annotations

import base64
import html
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns

from cortexrnn import parameters
from cortexrnn.inference import by_numerics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortexrnn.field import Field

#: Ten colours that stay apart for colour-blind readers (seaborn's "colorblind"), as hex codes.
palette: tuple[str, ...] = tuple(sns.color_palette("colorblind").as_hex())

#: Width of a figure in inches. At this width the text of a figure that is scaled down to the
#: screen of a phone (about 360 of 460 points) keeps more than nine pixels.
WIDTH = 6.4

_FONT_SIZE = 12.0

_STYLE: dict[str, Any] = {
    "figure.figsize": (WIDTH, 4.0),
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": _FONT_SIZE,
    "axes.titleweight": "bold",
    "axes.labelsize": _FONT_SIZE,
    "font.size": _FONT_SIZE,
    "xtick.labelsize": _FONT_SIZE - 1,
    "ytick.labelsize": _FONT_SIZE - 1,
    "legend.fontsize": _FONT_SIZE - 1,
    "legend.frameon": False,
    "image.cmap": "viridis",
    "svg.hashsalt": "cortexrnn",  # the same figure gives the same file
}

_PLOTLY_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud"],  # nothing leaves the reader's machine
}


def set_style() -> None:
    """Choose theme, colours, sizes and output formats for all figures that follow.

    Inside IPython figures are stored as SVG (for the page) and PNG (for viewers without SVG). With
    ``CORTEXRNN_BOOK`` set, plotly figures are written for the book.
    """
    sns.set_theme(style="white", palette=list(palette), rc=_STYLE)
    if _shell() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", "png")
    if os.environ.get("CORTEXRNN_BOOK"):
        _use_book_renderer()


def _shell() -> Any:
    """Return the running IPython shell, or None in a plain interpreter."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()  # type: ignore[no-untyped-call]


def _use_book_renderer() -> None:
    """Make plotly write figures that load its script from the site itself."""
    try:
        import plotly.io as pio
        from plotly.io.base_renderers import MimetypeRenderer
    except ImportError:  # plotly belongs to the extra "book"
        return

    class BookRenderer(MimetypeRenderer):
        """A plotly figure as a piece of HTML; ``_static/plotly.min.js`` comes with the site."""

        def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
            page = pio.to_html(
                fig_dict,
                full_html=False,
                include_plotlyjs="../_static/plotly.min.js",
                include_mathjax=False,
                validate=False,
                default_width="100%",
                default_height="min(440px, 95vw)",  # on a phone as high as it is wide
                config=_PLOTLY_CONFIG,
            )
            return {"text/html": page}

    pio.renderers["book"] = BookRenderer()
    pio.renderers.default = "book"


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
    if _shell() is None:
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


def prose(table: pd.DataFrame) -> Html:
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
    values = parameters.names("values", values)
    shown = ["seed", *values, "diverged_epoch", "seconds", "numerics", "commit", "identity"]
    parts = []
    for (task, variant), cell in runs.groupby(["task", "variant"], sort=False):
        table = cell.sort_values("seed")[shown].to_html(
            index=False, border=0, float_format="{:.4g}".format, na_rep="", classes="runs"
        )
        name = html.escape(f"{task}, {variant}: {len(cell)} runs")
        parts.append(f'<details class="runs"><summary>{name}</summary>{table}</details>')
    return Html("".join(parts), f"{len(runs)} runs in {len(parts)} cells")


@dataclass(frozen=True)
class Banner:
    """A sentence that tells which data a chapter shows; displays itself in a notebook.

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
    """Tell which data a chapter shows; the last line of the cell that loads them.

    Parameters
    ----------
    field : Field or str
        The field that the chapter computes on; or, in a chapter that reads recorded runs, its name.
    runs : pandas.DataFrame, optional
        The recorded runs, one a row (column ``seed`` is counted where present). Where they have a
        column ``field``, its fields are told instead, the named one first.

    Returns
    -------
    Banner
        Shows itself as Markdown: name, number of neurons, real or synthetic, and origin.
    """
    if runs is not None or isinstance(field, str):
        return _archive_banner(field if isinstance(field, str) else field.name, runs)
    size = f"N = {field.n_neurons}"
    if _is_surrogate(field.name):
        what = f"{_called(field.name)} (synthetic, {size})"
        text = f"{what}: generated from a seed, shaped like the real fields, measured in no animal"
    else:
        what = f"{_called(field.name)} ({size})"
        text = f"{what}, from {_ORIGINS.get(field.origin, field.origin)}"
    return Banner(f"**Data on this page:** {text}.", what, "live")


def _archive_banner(name: str, runs: pd.DataFrame | None) -> Banner:
    """Tell of recorded runs on the field called `name`; `runs` None: their number is not told."""
    names = [name]
    if runs is not None and "field" in runs and not runs.empty:
        names = sorted(set(runs["field"]), key=lambda one: (one != name, one))
    kinds: dict[str, list[str]] = {}
    for one in names:
        kinds.setdefault(_called(one).removesuffix(f" {one}"), []).append(one)
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


def _called(name: str) -> str:
    """Name a field the way a reader can tell synthetic from real."""
    if _is_surrogate(name):
        return f"field {name}"
    parts = name.split("_")
    is_published = len(parts) == 3 and all(part.isdigit() for part in parts)
    return f"{'real field' if is_published or name == 'worm' else 'field'} {name}"
