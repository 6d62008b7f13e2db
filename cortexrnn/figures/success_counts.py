"""Figure of success counts: how many runs of a cell learned, here and in the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cortexrnn.evidence.equivalence import PUBLISHED_RUNS
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import palette

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["success_counts"]

OFFSET = 0.17
"""Half the vertical distance of the two marks of a cell."""


def success_counts(table: pd.DataFrame) -> Figure:
    """Share of runs that learned in every cell, here and in the paper, one panel per task.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.success_counts.beside_published_counts`, of one arm.

    Returns
    -------
    Figure
        Variants from top to bottom in the order of the table. Circles: here; thick bars between
        squares: counts that the published mean and interval allow; thin lines: exact 95 %
        intervals, of all allowed counts together for the paper.

    Raises
    ------
    ValueError
        If the table is empty or mixes arms.
    """
    if table.empty or table["arm"].nunique() != 1:
        raise ValueError("table: expected rows of one arm, at least one")
    figure, panels, names = row_panels(
        table, f"runs that learned (of {PUBLISHED_RUNS})", rows="variant"
    )
    next(iter(panels.values())).set_ylabel("variant")
    for task, axes in panels.items():
        cells = table[table["task"] == task]
        place = cells["variant"].map(names.index).to_numpy(dtype=float)
        own, paper = place - OFFSET, place + OFFSET
        ours, theirs = palette[0], palette[1]
        low, high = (PUBLISHED_RUNS * cells[f"share_{end}"].to_numpy() for end in ("low", "high"))
        axes.hlines(own, low, high, color=ours, linewidth=1)
        low, high = (
            PUBLISHED_RUNS * cells[f"published_{end}"].to_numpy() for end in ("low", "high")
        )
        axes.hlines(paper, low, high, color=theirs, linewidth=1)
        axes.hlines(paper, cells["fewest"], cells["most"], color=theirs, linewidth=4)
        share = PUBLISHED_RUNS * (cells["learned"] / cells["runs"]).to_numpy()
        points(axes, share, own, mark="o", face=ours, edge=ours, size=5)
        for end in ("fewest", "most"):
            points(axes, cells[end].to_numpy(), paper, mark="s", face=theirs, edge=theirs, size=4)
        axes.set_xlim(0, PUBLISHED_RUNS)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    looks = zip(palette, "os", ("here", "published (field 6_6_2)"), strict=False)
    handles = [Line2D([], [], color=c, marker=mark, label=name) for c, mark, name in looks]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
