"""One panel per task with named rows, the frame of many figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from cortexrnn.figures.style import WIDTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["points", "task_panels"]


def task_panels(
    table: pd.DataFrame, label: str, *, column: str
) -> tuple[Figure, dict[str, Axes], list[str]]:
    """One panel per task side by side, with one row for every value of a column.

    Parameters
    ----------
    table : DataFrame
        With columns ``task`` and `column`.
    label : str
        What is on the common horizontal axis.
    column : str
        Whose values are the rows, from top to bottom in the order of the table.

    Returns
    -------
    figure : Figure
        The figure.
    panels : dict of str to Axes
        Axes by task.
    rows : list of str
        What stands at 0, 1, ... of the vertical axis.
    """
    tasks = list(dict.fromkeys(table["task"]))
    rows = list(dict.fromkeys(table[column]))
    figure = Figure(figsize=(WIDTH, 1.45 + 0.33 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True, sharex=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        axes.set_title(task, loc="left", fontsize="medium")
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", color="0.92")
    panels[len(tasks) // 2].set_xlabel(label)  # a supxlabel would lie under a legend
    return figure, dict(zip(tasks, panels, strict=True)), rows


def points(
    axes: Axes, x: ArrayLike, y: ArrayLike, *, mark: str, face: str, edge: str, size: float
) -> None:
    """Draw marks that may reach over the frame; none where there is no value.

    Parameters
    ----------
    axes : Axes
        Where.
    x, y : array_like, shape (n,)
        Places; n may be 0, for which matplotlib's layout would fail.
    mark, face, edge : str
        Marker, and the colours of its inside and its edge.
    size : float
        Of the marker, in points.
    """
    if np.size(x):
        axes.plot(x, y, mark, ms=size, mfc=face, mec=edge, clip_on=False, zorder=3)
