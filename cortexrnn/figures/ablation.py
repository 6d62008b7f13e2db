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
        Variants from top to bottom in the order of the table.

    Raises
    ------
    ValueError
        If the table is empty or mixes metrics.
    """
    if table.empty or table["metric"].nunique() != 1:
        raise ValueError("table: expected rows of one metric, at least one")
    panels = _panels(table)
    for task, axes in panels.items():
        mine = table[table["task"] == task]
        place = np.arange(len(mine))
        bounds = ("mean", "low", "high"), ("published", "published_low", "published_high")
        for names, shift, colour in zip(bounds, (-OFFSET, OFFSET), palette, strict=False):
            mean, low, high = (mine[name].to_numpy() for name in names)
            axes.hlines(place + shift, low, high, color=colour, linewidth=2)
            axes.plot(mean, place + shift, "o", color=colour, markersize=5, clip_on=False)
        for row in np.flatnonzero(mine["diverged"] == mine["runs"]):
            axes.text(0.5, row - OFFSET, "diverged", transform=axes.get_yaxis_transform(),
                      ha="center", va="center", fontsize="x-small", color=palette[0])  # fmt: skip
        if level is not None:
            axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    figure = next(iter(panels.values())).get_figure()
    assert isinstance(figure, Figure)
    figure.supxlabel(str(table["metric"].iloc[0]).replace("_", " "), fontsize="medium")
    labels = zip(palette, ("here", "published (field 6_6_2)"), strict=False)
    handles = [Line2D([], [], color=c, marker="o", label=name) for c, name in labels]
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
    panels = _panels(runs)
    names = list(dict.fromkeys(runs["variant"]))
    for task, axes in panels.items():
        mine = runs[runs["task"] == task]
        n_seeds = max(mine["seed"].nunique(), 2)
        rows = (
            mine["variant"].map(names.index)
            + 0.5 * (mine["seed"].rank(method="dense") - 1) / (n_seeds - 1)
            - 0.25
        )
        lost = mine["diverged"].to_numpy()
        axes.plot(mine["accuracy"][~lost], rows[~lost], "o", markersize=4, alpha=0.6,
                  color=palette[0], clip_on=False)  # fmt: skip
        axes.plot(np.zeros(lost.sum()), rows[lost], "x", color=palette[3], clip_on=False)
        axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    figure = next(iter(panels.values())).get_figure()
    assert isinstance(figure, Figure)
    figure.supxlabel("accuracy", fontsize="medium")
    return figure


def _panels(table: pd.DataFrame) -> dict[str, Axes]:
    """One panel per task side by side, variants as rows."""
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
    return dict(zip(tasks, panels, strict=True))
