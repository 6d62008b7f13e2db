"""Figures of the chapter on factors and robustness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.evidence.design import contexts
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["factor_sizes", "mean_differences", "size_against_published"]

OFFSET = 0.17
"""Half the vertical distance of the two marks of a row."""

RICHER = {"w": 0, "w!": 1, "w*": 2, "nan": 0, "d": 1, "d*": 2, "c": 1, "c*": 2}
"""Order of the levels of a factor, from nothing or chance to cortex."""

SIGNS = {True: "✓", False: "✗"}
"""Agreement and disagreement."""


def factor_sizes(table: pd.DataFrame) -> Figure:
    """Cliff's delta of every pair of levels, here and in the paper, one panel per task.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.factor_tests.agreement` for one metric.

    Returns
    -------
    Figure
        To the right: the second variant of a row, which has more of cortex, is higher. Circles:
        here; squares: published; filled: significant. Beside each row whether the two agree.

    Raises
    ------
    ValueError
        If there is no pair, or rows are of several metrics.
    """
    pairs = table[table["test"] == "mannwhitney"]
    if pairs.empty or pairs["metric"].nunique() != 1:
        raise ValueError("table: expected pairs of one metric, at least one")
    pairs = _towards_cortex(pairs)
    figure, panels, rows = row_panels(pairs, "Cliff's delta", rows="row")
    for task, axes in panels.items():
        task_pairs = pairs[pairs["task"] == task]
        place = task_pairs["row"].map(rows.index).to_numpy(dtype=float)
        axes.hlines(
            place - OFFSET,
            task_pairs["shown_low"],
            task_pairs["shown_high"],
            color=palette[0],
            lw=2,
        )
        for column, shift, colour, mark, flag in (
            ("shown", -OFFSET, palette[0], "o", "significant"),
            ("shown_published", OFFSET, palette[1], "s", "significant_published"),
        ):
            filled = task_pairs[flag].fillna(False).to_numpy(dtype=bool)
            known = task_pairs[column].notna().to_numpy()
            for which, face in ((filled & known, colour), (~filled & known, "white")):
                points(axes, task_pairs[column].to_numpy()[which], (place + shift)[which],
                        mark=mark, face=face, edge=colour, size=5)  # fmt: skip
        for row, agree in zip(place, task_pairs["agree"], strict=True):
            if not pd.isna(agree):
                axes.text(1.04, row, SIGNS[bool(agree)], va="center", fontsize="small",
                          transform=axes.get_yaxis_transform(),
                          color=palette[2] if agree else palette[3])  # fmt: skip
        axes.set_xlim(-1.08, 1.08)
        axes.axvline(0, color="0.6", lw=1)
    _separate(panels, pairs.drop_duplicates("row")["factor"].tolist())
    handles = [
        Line2D([], [], color=palette[0], marker="o", label="here"),
        Line2D([], [], color=palette[1], marker="s", ls="", label="published"),
        Line2D([], [], color="0.4", marker="o", ls="", label="p < 0.05"),
        Line2D([], [], color="0.4", marker="o", mfc="white", ls="", label="not"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1)
    return figure


def _towards_cortex(pairs: pd.DataFrame) -> pd.DataFrame:
    """Turn each pair so that a positive delta means: more where there is more of cortex."""
    design = contexts().set_index(["factor", "context", "level"])["variant"]
    richer = pairs["group_2"].map(RICHER).astype(float) > pairs["group_1"].map(RICHER)
    sign = np.where(richer, -1, 1)
    low, high = pairs["delta_low"] * sign, pairs["delta_high"] * sign
    names = []
    for _, row in pairs.iterrows():
        two = sorted((row["group_1"], row["group_2"]), key=RICHER.__getitem__)
        names.append(" → ".join(design[row["factor"], row["context"], level] for level in two))
    return pairs.assign(
        row=names,
        shown=pairs["delta"] * sign,
        shown_low=np.minimum(low, high),
        shown_high=np.maximum(low, high),
        shown_published=pairs["delta_published"] * sign,
    )


def _separate(panels: dict[str, Axes], groups: list[str]) -> None:
    """Draw a line between groups of rows."""
    for row in range(1, len(groups)):
        if groups[row] != groups[row - 1]:
            for axes in panels.values():
                axes.axhline(row - 0.5, color="0.5", lw=1)


def size_against_published(table: pd.DataFrame) -> Figure:
    """Cliff's delta here against the published one, one panel per metric.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.factor_tests.agreement`; pairs without a published value,
        and copied ones, are left out.

    Returns
    -------
    Figure
        A point per pair and task, in the colour of its factor, with the interval of this side.

    Raises
    ------
    ValueError
        If no pair has a value on both sides.
    """
    known = table[table["delta_published"].notna() & table["delta"].notna() & ~table["copied"]]
    if known.empty:
        raise ValueError("table: expected pairs with a published effect, at least one")
    metrics = list(dict.fromkeys(known["metric"]))
    n_rows = -(-len(metrics) // 3)
    figure = Figure(figsize=(WIDTH, 0.9 + 2.1 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, 3, squeeze=False, sharex=True, sharey=True)
    factors = list(dict.fromkeys(known["factor"]))
    for axes, metric in zip(grid.flat, metrics, strict=False):
        axes.plot([-1, 1], [-1, 1], color="0.7", lw=1)
        axes.axhline(0, color="0.9", lw=1, zorder=0)
        axes.axvline(0, color="0.9", lw=1, zorder=0)
        for number, factor in enumerate(factors):
            factor_pairs = known[(known["metric"] == metric) & (known["factor"] == factor)]
            colour = palette[number]
            x = factor_pairs["delta_published"]
            axes.vlines(
                x,
                factor_pairs["delta_low"],
                factor_pairs["delta_high"],
                color=colour,
                lw=1,
                alpha=0.5,
            )
            points(
                axes, x, factor_pairs["delta"], mark="os^"[number], face=colour, edge=colour, size=4
            )
        axes.set_title(metric.replace("_", " "), loc="left", fontsize="medium")
        axes.set_aspect("equal")
    for axes in list(grid.flat)[len(metrics) :]:
        axes.set_axis_off()
    grid[-1][1].set_xlabel("published Cliff's delta")
    grid[0][0].set_ylabel("delta here")
    handles = [
        Line2D([], [], color=palette[k], marker="os^"[k], label=factor)
        for k, factor in enumerate(factors)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def mean_differences(table: pd.DataFrame, *, margin: float, label: str) -> Figure:
    """Differences of two cells with their intervals, one panel per task.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.equivalence.equivalence` for one metric, with a column
        ``row`` that names them and optionally ``group``.
    margin : float
        Differences within it do not matter; shown as a band.
    label : str
        What is on the axis.

    Returns
    -------
    Figure
        Filled: within the margin; open: inconclusive; cross: different. An interval that reaches
        the frame goes on beyond it.

    Raises
    ------
    ValueError
        If there is no row, or rows are of several metrics.
    """
    if table.empty or table["metric"].nunique() != 1:
        raise ValueError("table: expected rows of one metric, at least one")
    looks = {"equivalent": ("o", palette[0]), "inconclusive": ("o", "white"),
             "different": ("X", palette[3])}  # fmt: skip
    figure, panels, rows = row_panels(table, label, rows="row")
    for task, axes in panels.items():
        cells = table[table["task"] == task]
        place = cells["row"].map(rows.index).astype(float)
        axes.axvspan(-margin, margin, color="0.9", zorder=0)
        axes.axvline(0, color="0.6", lw=1)
        axes.hlines(place, cells["low"], cells["high"], color="0.4", lw=2)
        for verdict, (mark, face) in looks.items():
            chosen = cells["verdict"] == verdict
            edge = "0.3" if face == "white" else face
            chosen &= cells["difference"].notna()
            points(axes, cells["difference"][chosen], place[chosen],
                    mark=mark, face=face, edge=edge, size=6)  # fmt: skip
        reach = 1.1 * np.nanmax([2 * margin, *table["difference"].abs()])
        axes.set_xlim(-reach, reach)
        axes.locator_params(axis="x", nbins=3)
        axes.xaxis.set_major_formatter("{x:g}")  # narrow panels have room for few digits
    if "group" in table:
        _separate(panels, table.drop_duplicates("row")["group"].tolist())
    handles = [
        Line2D([], [], marker=mark, mfc=face, mec="0.3" if face == "white" else face, ls="",
               label=verdict)
        for verdict, (mark, face) in looks.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
