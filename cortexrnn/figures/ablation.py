"""Figures of the chapter on the ablation: every cell beside the published one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cortexrnn.figures.panels import row_panels
from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["beside_published", "divergence", "learning_curves", "single_runs"]

OFFSET = 0.17
"""Half the vertical distance of the two marks of a cell."""

CURVE_COLUMNS = 4
"""Panels side by side in :func:`learning_curves`."""

MARKS = "os"
"""Marks of the recorded and of the published mean."""

LABELS = {"entropy": "entropy (bits)", "small_worldness": "small-worldness"}
"""What an axis is called where that is not the name of its metric."""


def beside_published(table: pd.DataFrame, *, level: dict[str, float] | None = None) -> Figure:
    """Mean and interval of every cell, here and in the paper, one panel per task.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.published.beside_published` or, with a verdict for each
        cell, of :func:`cortexrnn.evidence.replication.compare_cells`, for one metric.
    level : dict of str to float, optional
        For each task a value to mark with a dotted line.

    Returns
    -------
    Figure
        Variants from top to bottom in the order of the table; circles: here, squares: published.
        Verdicts: full circle equivalent, empty circle inconclusive, red cross different.

    Raises
    ------
    ValueError
        If the table is empty or mixes metrics.
    """
    if table.empty or table["metric"].nunique() != 1:
        raise ValueError("table: expected rows of one metric, at least one")
    metric = str(table["metric"].iloc[0])
    label = LABELS.get(metric, metric.replace("_", " "))
    figure, panels = _variant_panels(table, label)
    for task, axes in panels.items():
        cells = table[table["task"] == task]
        place = np.arange(len(cells))
        bounds = ("mean", "low", "high"), ("published", "published_low", "published_high")
        looks = zip(bounds, (-OFFSET, OFFSET), palette, MARKS, strict=False)
        for names, shift, colour, mark in looks:
            mean, low, high = (cells[name].to_numpy() for name in names)
            axes.hlines(place + shift, low, high, color=colour, linewidth=2)
            axes.plot(mean, place + shift, mark, color=colour, markersize=5, clip_on=False)
        if "verdict" in cells:
            _mark_verdicts(axes, cells)
        lost = (cells["diverged"] == cells["runs"]).to_numpy()
        sides = [(lost, -OFFSET, palette[0])]
        if "published_diverged" in cells:
            sides.append((cells["published_diverged"].to_numpy(), OFFSET, palette[1]))
        for rows, shift, colour in sides:
            for row in np.flatnonzero(rows):
                axes.text(0.5, row + shift, "diverged", transform=axes.get_yaxis_transform(),
                          ha="center", va="center", fontsize="x-small", color=colour)  # fmt: skip
        if level is not None:
            axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    labels = zip(palette, MARKS, ("here", "published (field 6_6_2)"), strict=False)
    handles = [Line2D([], [], color=c, marker=mark, label=name) for c, mark, name in labels]
    if "verdict" in table:
        handles += _verdict_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _mark_verdicts(axes: Axes, cells: pd.DataFrame) -> None:
    """Empty our mark where a cell is inconclusive, cross it where it is different."""
    place = np.arange(len(cells)) - OFFSET
    mean, verdict = cells["mean"].to_numpy(), cells["verdict"].to_numpy()
    looks: dict[str, dict[str, Any]] = {
        "inconclusive": {"marker": "o", "color": "white", "markersize": 3},
        "different": {"marker": "x", "color": palette[3], "markersize": 9, "markeredgewidth": 2},
    }
    for name, look in looks.items():
        # An empty line has no place, and the layout would fail for it.
        if (chosen := (verdict == name) & np.isfinite(mean)).any():
            axes.plot(mean[chosen], place[chosen], linestyle="", clip_on=False, **look)


def _verdict_handles() -> list[Line2D]:
    """Explain the marks of :func:`_mark_verdicts`."""
    blank: dict[str, Any] = {"color": palette[0], "linestyle": "", "marker": "o", "markersize": 5}
    return [
        Line2D([], [], **blank, label="equivalent"),
        Line2D([], [], **blank | {"markerfacecolor": "white"}, label="inconclusive"),
        Line2D([], [], color=palette[3], linestyle="", marker="x", label="different"),
    ]


def learning_curves(runs: pd.DataFrame) -> Figure:
    """Accuracy of every run in every epoch, one small panel per variant, one colour per task.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    Figure
        Thin lines: runs; a run that diverged ends where it did. Thick lines: medians over the
        runs that did not.

    Raises
    ------
    ValueError
        If there is no run.
    """
    if runs.empty:
        raise ValueError("runs: expected at least one")
    names = list(dict.fromkeys(runs["variant"]))
    tasks = list(dict.fromkeys(runs["task"]))
    n_rows = -(-len(names) // CURVE_COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.45 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, CURVE_COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        axes.set_title(name, loc="left", fontsize="small")
        axes.set_ylim(0, 1.03)
        for task, colour in zip(tasks, palette, strict=False):
            cell = runs[(runs["variant"] == name) & (runs["task"] == task)]
            for history in cell["history_accuracy"]:
                axes.plot(np.arange(1, len(history) + 1), history, color=colour, lw=0.5, alpha=0.4)
            whole = cell.loc[~cell["diverged"], "history_accuracy"]
            if len(whole):
                median = np.median(np.stack(list(whole)), axis=0)
                axes.plot(np.arange(1, len(median) + 1), median, color=colour, linewidth=2)
    for axes in list(grid.flat)[len(names) :]:
        axes.set_axis_off()
    figure.supylabel("accuracy", fontsize="medium")
    grid[-1, 0].set_xlabel("epoch")
    labels = zip(palette, tasks, strict=False)
    handles = [Line2D([], [], color=colour, label=task) for colour, task in labels]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(tasks))
    return figure


def divergence(runs: pd.DataFrame) -> Figure:
    """Epoch in which runs diverged, one panel per task, counted in every variant.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    Figure
        Stacked bars per variant: runs that diverged in each epoch, and those that did not.

    Raises
    ------
    ValueError
        If there is no run.
    """
    if runs.empty:
        raise ValueError("runs: expected at least one")
    figure, panels = _variant_panels(runs, "runs")
    names = list(dict.fromkeys(runs["variant"]))
    epochs = sorted(runs["diverged_epoch"].dropna().unique())
    colours = ["0.85", *sns.color_palette("rocket", max(len(epochs), 1))]
    for task, axes in panels.items():
        task_runs = runs[runs["task"] == task]
        epoch = task_runs["diverged_epoch"].astype(float).fillna(0.0)
        counts = pd.crosstab(task_runs["variant"], epoch).reindex(names, fill_value=0)
        left = np.zeros(len(names))
        for value, colour in zip([0.0, *map(float, epochs)], colours, strict=False):
            width = counts.get(value, pd.Series(0, index=names)).to_numpy()
            axes.barh(range(len(names)), width, left=left, color=colour, height=0.7)
            left = left + width
    labels = ["did not diverge", *(f"in epoch {int(epoch)}" for epoch in epochs)]
    pairs = zip(colours, labels, strict=False)
    handles = [Patch(color=colour, label=label) for colour, label in pairs]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
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
    figure, panels = _variant_panels(runs, "accuracy")
    names = list(dict.fromkeys(runs["variant"]))
    for task, axes in panels.items():
        task_runs = runs[runs["task"] == task]
        place = (task_runs["seed"].rank(method="dense") - 0.5) / task_runs["seed"].nunique() - 0.5
        rows = task_runs["variant"].map(names.index).astype(float) + 0.6 * place
        lost = task_runs["diverged"].to_numpy()
        if not lost.all():  # an empty line, see _mark_verdicts
            axes.plot(task_runs["accuracy"][~lost], rows[~lost], "o", markersize=4, alpha=0.6,
                      color=palette[0], clip_on=False)  # fmt: skip
        if lost.any():
            axes.plot(np.zeros(lost.sum()), rows[lost], "x", color=palette[3], clip_on=False)
        axes.axvline(level.get(task, np.nan), color="0.4", linestyle=":")
    return figure


def _variant_panels(table: pd.DataFrame, label: str) -> tuple[Figure, dict[str, Axes]]:
    """Panels of tasks whose rows are variants."""
    figure, panels, _ = row_panels(table, label, rows="variant")
    next(iter(panels.values())).set_ylabel("variant")
    return figure, panels
