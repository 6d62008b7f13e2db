"""Panels side by side with named rows, the frame of many figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from cortexrnn.figures.style import WIDTH

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["points", "row_panels"]


def row_panels(
    table: pd.DataFrame, label: str, *, rows: str, panels: str = "task"
) -> tuple[Figure, dict[str, Axes], list[str]]:
    """One panel for every value of a column, one row for every value of another.

    Parameters
    ----------
    table : DataFrame
        With columns `rows` and `panels`.
    label : str
        What is on the common horizontal axis.
    rows : str
        Whose values are the rows, from top to bottom in the order of the table.
    panels : str
        Whose values are the panels, from left to right in the order of the table.

    Returns
    -------
    figure : Figure
        The figure.
    axes : dict of str to Axes
        Axes by value of `panels`.
    names : list of str
        What stands at 0, 1, ... of the vertical axis.
    """
    titles = list(dict.fromkeys(table[panels]))
    names = list(dict.fromkeys(table[rows]))
    figure = Figure(figsize=(WIDTH, 1.45 + 0.33 * len(names)), layout="constrained")
    all_axes = figure.subplots(1, len(titles), squeeze=False, sharey=True, sharex=True)[0]
    for axes, title in zip(all_axes, titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", color="0.92")
    all_axes[len(titles) // 2].set_xlabel(label)  # a supxlabel would lie under a legend
    return figure, dict(zip(titles, all_axes, strict=True)), names


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
