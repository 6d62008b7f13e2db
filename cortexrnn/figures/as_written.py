"""Figures of the chapter on the protocol that does what the text of the paper says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.evidence.headline_effects import MEAN
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.networks.tasks import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["effects_by_task", "three_tables"]

SIDES = {
    "published": ("0.45", "D", "published"),
    "recorded": (palette[1], "o", "recorded, as the code does"),
    "corrected": (palette[0], "s", "recorded, as the text says"),
}
"""Colour, marker and name of the three tables."""
OFFSET = 0.25
"""Between marks of one row."""
OF_TASK = {
    MEAN: ("0.15", "D", "mean over tasks"),
    **{
        name: (palette[(0, 1, 2)[k]], "os^"[k], task.title)
        for k, (name, task) in enumerate(TASKS.items())
    },
}
"""Colour, marker and name of tasks and of their mean."""


def three_tables(table: pd.DataFrame, runs: pd.DataFrame, *, label: str = "accuracy") -> Figure:
    """Show published means, recorded ones, and those of the protocol that does what the text says.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.as_written.beside_published`.
    runs : DataFrame
        Rows of :func:`cortexrnn.evidence.as_written.single_runs`.
    label : str
        What is on the axis.

    Returns
    -------
    Figure
        One panel per task, one row per variant, grouped by the switch that touches it. Marks: means
        with 95 % intervals; small dots: runs.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table: expected cells, at least one")
    table = table.sort_values("switch", kind="stable")
    figure, axes_of, names = row_panels(table, label, rows="variant")
    figure.set_size_inches(WIDTH, 1.5 + 0.42 * len(names))
    for task, axes in axes_of.items():
        axes.set_title(TASKS[task].title, loc="left", fontsize="small")
        cells = table[table["task"] == task]
        dots = runs[runs["task"] == task]
        for number, (side, (colour, mark, _)) in enumerate(SIDES.items()):
            shift = OFFSET * (number - 1)
            _dots(axes, dots[dots["side"] == side], names, shift, colour)
            _means(axes, cells, side, names, shift, colour, mark)
        _separate(axes, cells.drop_duplicates("variant")["switch"].tolist())
    handles = [
        Line2D([], [], color=colour, marker=mark, label=name)
        for side, (colour, mark, name) in SIDES.items()
        if table[side].notna().any()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _dots(axes: Axes, runs: pd.DataFrame, names: list[str], shift: float, colour: str) -> None:
    """Draw every run."""
    place = runs["variant"].map(names.index).astype(float) + shift
    axes.plot(runs["value"], place, "o", ms=2.5, color=colour, alpha=0.4, mew=0)


def _means(
    axes: Axes,
    cells: pd.DataFrame,
    side: str,
    names: list[str],
    shift: float,
    colour: str,
    mark: str,
) -> None:
    """Draw means with their intervals; cells without a value are left out."""
    known = cells[cells[side].notna()]
    place = known["variant"].map(names.index).astype(float) + shift
    axes.hlines(place, known[f"{side}_low"], known[f"{side}_high"], color=colour, lw=1.8)
    points(axes, known[side], place, mark=mark, face=colour, edge="white", size=5.5)


def _separate(axes: Axes, groups: list[str]) -> None:
    """Draw a line between rows of different groups."""
    for place, (above, below) in enumerate(itertools.pairwise(groups)):
        if above != below:
            axes.axhline(place + 0.5, color="0.6", lw=0.8, ls=":")


def effects_by_task(table: pd.DataFrame, *, label: str = "difference in accuracy") -> Figure:
    """Effects in every task and in their mean, one panel per field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.headline_effects.by_task` or of
        :func:`cortexrnn.evidence.true_coordinates.contrasts`.
    label : str
        What is on the axis.

    Returns
    -------
    Figure
        One row per effect; marks: tasks, and their mean, with their intervals. A row without runs
        on a field says so.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table: expected effects, at least one")
    figure, axes_of, names = row_panels(table, label, rows="effect", panels="field")
    figure.set_size_inches(WIDTH, 1.5 + 0.62 * len(names))
    for field, axes in axes_of.items():
        axes.axvline(0, color="0.5", lw=1)
        axes.locator_params(axis="x", nbins=3)
        cells = table[(table["field"] == field) & table["difference"].notna()]
        for number, (task, (colour, mark, _)) in enumerate(OF_TASK.items()):
            of_task = cells[cells["task"] == task]
            place = of_task["effect"].map(names.index).astype(float) + 0.19 * (number - 1.5)
            ends = (of_task["difference_low"], of_task["difference_high"])
            axes.hlines(place, *ends, color=colour, lw=1.8)
            points(axes, of_task["difference"], place, mark=mark, face=colour, edge="white", size=6)
        for row, name in enumerate(names):
            if name not in set(cells["effect"]):
                axes.text(0, row, " no runs", va="center", fontsize="x-small", color="0.4")
    handles = [
        Line2D([], [], color=colour, marker=mark, label=name)
        for colour, mark, name in OF_TASK.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
