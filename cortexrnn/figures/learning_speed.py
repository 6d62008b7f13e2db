"""Figures on speed of learning, generalisation, the sign, and how metrics go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.evidence.graph_nulls import STARTS
from cortexrnn.evidence.learning_speed import KINDS
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.figures.topology import LOOKS
from cortexrnn.networks.variant import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "dependence_matrix",
    "differences_by_field",
    "shares_learned",
    "validation_against_training",
]

MARKS = "os^Dv<>"
"""One mark for each field."""
LINES = ["-", "--", ":", "-.", (0, (1, 3)), (0, (6, 1, 1, 1, 1, 1))]
"""Lines of the variants of one start."""


def differences_by_field(
    table: pd.DataFrame, *, name: str, label: str, limits: tuple[float, float] | None = None
) -> Figure:
    """Paired differences with their intervals, one panel per task, one mark per field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.learning_speed.speed_effects` or another table with
        ``field, task, row``, the column `name` and its ends ``<name>_low, <name>_high``; rows of
        one ``kind``, where there is such a column, stand together.
    name : str
        What is shown.
    label : str
        What is on the axis.
    limits : tuple of float, optional
        Ends of the axis; an interval that reaches the frame goes on beyond it.

    Returns
    -------
    Figure
        Filled: the interval excludes zero; open: it does not, or there is none.

    Raises
    ------
    ValueError
        If there is no row with a value.
    """
    known = table[table[name].notna()]
    if known.empty:
        raise ValueError(f"table: expected rows with {name}, at least one")
    if "kind" in table:
        order = list(KINDS)
        table = table.sort_values("kind", key=lambda kinds: kinds.map(order.index), kind="stable")
    figure, panels, rows = row_panels(table, label, rows="row")
    fields = list(dict.fromkeys(table["field"]))
    shifts = np.linspace(-0.25, 0.25, len(fields)) if len(fields) > 1 else [0.0]
    for task, axes in panels.items():
        axes.axvline(0, color="0.6", lw=1)
        for number, (field, shift) in enumerate(zip(fields, shifts, strict=True)):
            cells = known[(known["task"] == task) & (known["field"] == field)]
            place = cells["row"].map(rows.index).to_numpy(dtype=float) + shift
            low, high = (cells[f"{name}_{end}"].to_numpy() for end in ("low", "high"))
            colour, mark = palette[number], MARKS[number % len(MARKS)]
            axes.hlines(place, low, high, color=colour, lw=1.5)
            sure = (low > 0) | (high < 0)
            for chosen, face in ((sure, colour), (~sure, "white")):
                points(axes, cells[name].to_numpy()[chosen], place[chosen],
                       mark=mark, face=face, edge=colour, size=4)  # fmt: skip
        if limits is not None:
            axes.set_xlim(limits)
        axes.locator_params(axis="x", nbins=4)
    if "kind" in table:
        _separate(panels, table.drop_duplicates("row")["kind"].tolist())
    handles = [
        Line2D([], [], color=palette[number], marker=MARKS[number % len(MARKS)], label=field)
        for number, field in enumerate(fields)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _separate(panels: Mapping[str, Axes], kinds: list[str]) -> None:
    """Draw a line between rows of different kinds."""
    for row in range(1, len(kinds)):
        if kinds[row] != kinds[row - 1]:
            for axes in panels.values():
                axes.axhline(row - 0.5, color="0.5", lw=1)


def shares_learned(table: pd.DataFrame) -> Figure:
    """Share of runs that have learned by each epoch, one panel per task, one step per condition.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.learning_speed.speed_by_condition` for one field and sign.

    Returns
    -------
    Figure
        Kaplan-Meier curves, turned over; colours are starts, lines are penalties.

    Raises
    ------
    ValueError
        If there is no row, or rows are of several fields or signs.
    """
    if table.empty or len(table[["field", "sign"]].drop_duplicates()) != 1:
        raise ValueError("table: expected rows of one field and one sign, at least one")
    tasks = list(dict.fromkeys(table["task"]))
    figure = Figure(figsize=(WIDTH, 4.3), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharex=True, sharey=True)[0]
    looks = _looks(list(dict.fromkeys(table["variant"])))
    for axes, task in zip(panels, tasks, strict=True):
        for variant, (colour, line) in looks.items():
            cell = table[(table["task"] == task) & (table["variant"] == variant)]
            axes.step(cell["epoch"], cell["share"], where="post", color=colour, ls=line, lw=1.8)
        axes.set_title(task, loc="left", fontsize="medium")
        axes.set_ylim(-0.03, 1.03)
        axes.set_xticks([0, 5, 10])
    panels[0].set_ylabel("share of runs that learned")
    panels[len(tasks) // 2].set_xlabel("epochs of training")
    handles = [
        Line2D([], [], color=colour, ls=line, label=name) for name, (colour, line) in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _looks(variants: list[str]) -> dict[str, tuple[str, object]]:
    """Colour by start and line by the place among the variants of that start."""
    looks: dict[str, tuple[str, object]] = {}
    for start, (_, colour) in LOOKS.items():
        names = [name for name in variants if Variant.parse(name).start == start]
        for number, name in enumerate(names):
            looks[name] = (colour, LINES[number % len(LINES)])
    return looks


def validation_against_training(runs: pd.DataFrame) -> Figure:
    """Show validation against training accuracy of every run, one panel per task.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    Figure
        A point per run, in the colour of its start; on the line both are equal.

    Raises
    ------
    ValueError
        If no run has both.
    """
    known = runs.dropna(subset=["accuracy", "validation_accuracy"])
    if known.empty:
        raise ValueError("runs: expected runs with both accuracies, at least one")
    tasks = list(dict.fromkeys(known["task"]))
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False)[0]
    starts = known["variant"].map(lambda name: Variant.parse(name).start)
    for axes, task in zip(panels, tasks, strict=True):
        cells = known[known["task"] == task]
        ends = cells[["accuracy", "validation_accuracy"]]
        low, high = ends.to_numpy().min() - 0.02, ends.to_numpy().max() + 0.02
        axes.plot([low, high], [low, high], color="0.7", lw=1, zorder=0)
        for start, (_, colour) in LOOKS.items():
            chosen = cells[starts[cells.index] == start]
            if len(chosen):
                axes.plot(chosen["accuracy"], chosen["validation_accuracy"], "o", ms=3,
                          color=colour, alpha=0.5, mew=0)  # fmt: skip
        axes.set_title(task, loc="left", fontsize="medium")
        axes.set_aspect("equal")
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.locator_params(nbins=4)
    panels[0].set_ylabel("validation accuracy")
    panels[len(tasks) // 2].set_xlabel("training accuracy, last epoch")
    handles = [
        Line2D([], [], color=colour, marker="o", ls="", label=STARTS[start])
        for start, (_, colour) in LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def dependence_matrix(table: pd.DataFrame) -> Figure:
    """Rank correlations of all metrics, here below the diagonal and published above it.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.rank_correlations.metric_dependence`.

    Returns
    -------
    Figure
        A matrix of coloured cells with their values.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if table.empty:
        raise ValueError("table: expected pairs of metrics, at least one")
    names = list(dict.fromkeys([*table["first"], *table["second"]]))
    values = np.full((len(names), len(names)), np.nan)
    for row in table.itertuples(index=False):
        i, j = names.index(row.first), names.index(row.second)
        values[max(i, j), min(i, j)] = row.correlation
        values[min(i, j), max(i, j)] = row.published
    figure = Figure(figsize=(WIDTH, 5.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    for i, j in np.argwhere(np.isfinite(values)):
        colour = "white" if abs(values[i, j]) > 0.6 else "black"
        axes.text(j, i, f"{values[i, j]:z.1f}", ha="center", va="center", color=colour,
                  fontsize="small")  # fmt: skip
    labels = [name.replace("_", " ").replace("validation", "valid.") for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), labels)
    axes.set_xlabel("above the diagonal: published; below: here")
    return figure
