"""Figures of the chapter on the ablation: every cell beside the published one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["beside_published", "single_runs"]

OFFSET = 0.17
"""Half the vertical distance of the two marks of a cell."""

MARKS = "os"
"""Marks of the recorded and of the published mean."""

LABELS = {"entropy": "entropy (bits)", "small_worldness": "small-worldness"}
"""What an axis is called where that is not the name of its metric."""


def beside_published(table: pd.DataFrame, *, level: dict[str, float] | None = None) -> Figure:
    """Mean and interval of every cell, here and in the paper, one panel per task.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.inference.beside_published` for one metric.
    level : dict of str to float, optional
        For each task a value to mark with a dotted line.

    Returns
    -------
    Figure
        Variants from top to bottom in the order of the table; circles: here, squares: published.

    Raises
    ------
    ValueError
        If the table is empty or mixes metrics.
    """
    if table.empty or table["metric"].nunique() != 1:
        raise ValueError("table: expected rows of one metric, at least one")
    metric = str(table["metric"].iloc[0])
    figure, panels = _panels(table, LABELS.get(metric, metric.replace("_", " ")))
    for task, axes in panels.items():
        mine = table[table["task"] == task]
        place = np.arange(len(mine))
        bounds = ("mean", "low", "high"), ("published", "published_low", "published_high")
        looks = zip(bounds, (-OFFSET, OFFSET), palette, MARKS, strict=False)
        for names, shift, colour, mark in looks:
            mean, low, high = (mine[name].to_numpy() for name in names)
            axes.hlines(place + shift, low, high, color=colour, linewidth=2)
            axes.plot(mean, place + shift, mark, color=colour, markersize=5, clip_on=False)
        for row in np.flatnonzero(mine["diverged"] == mine["runs"]):
            axes.text(0.5, row - OFFSET, "diverged", transform=axes.get_yaxis_transform(),
                      ha="center", va="center", fontsize="x-small", color=palette[0])  # fmt: skip
        if level is not None:
            axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    labels = zip(palette, MARKS, ("here", "published (field 6_6_2)"), strict=False)
    handles = [Line2D([], [], color=c, marker=mark, label=name) for c, mark, name in labels]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def single_runs(runs: pd.DataFrame, *, level: dict[str, float]) -> Figure:
    """Accuracy of every single run, one panel per task.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    level : dict of str to float
        For each task a value to mark with a dotted line.

    Returns
    -------
    Figure
        Points moved a little apart vertically; a run that diverged is a cross at 0.

    Raises
    ------
    ValueError
        If there is no run.
    """
    if runs.empty:
        raise ValueError("runs: expected at least one")
    figure, panels = _panels(runs, "accuracy")
    names = list(dict.fromkeys(runs["variant"]))
    for task, axes in panels.items():
        mine = runs[runs["task"] == task]
        place = (mine["seed"].rank(method="dense") - 0.5) / mine["seed"].nunique() - 0.5
        rows = mine["variant"].map(names.index) + 0.6 * place
        lost = mine["diverged"].to_numpy()
        # An empty line has no place, and the layout would fail for it.
        if not lost.all():
            axes.plot(mine["accuracy"][~lost], rows[~lost], "o", markersize=4, alpha=0.6,
                      color=palette[0], clip_on=False)  # fmt: skip
        if lost.any():
            axes.plot(np.zeros(lost.sum()), rows[lost], "x", color=palette[3], clip_on=False)
        axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    return figure


def _panels(table: pd.DataFrame, label: str) -> tuple[Figure, dict[str, Axes]]:
    """One panel per task side by side, variants as rows, one label below them all."""
    tasks = list(dict.fromkeys(table["task"]))
    names = list(dict.fromkeys(table["variant"]))
    figure = Figure(figsize=(WIDTH, 1.4 + 0.34 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True, sharex=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        axes.set_title(task, loc="left", fontsize="medium")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", color="0.92")
    panels[0].set_ylabel("variant")
    panels[len(tasks) // 2].set_xlabel(label)  # a supxlabel would lie under a legend
    return figure, dict(zip(tasks, panels, strict=True))
