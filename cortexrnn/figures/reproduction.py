"""Figures of recorded runs beside other trainings of the same runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.figures.panels import points
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.figures.topology import LOOKS
from cortexrnn.networks.variant import STARTS, VARIANTS

__all__ = ["recorded_and_again", "rounding_and_seeds"]

PANELS = {
    "accuracy": "Accuracy",
    "entropy": "Entropy (bits)",
    "modularity": "Modularity",
    "assortativity": "Assortativity",
}
NAMES = {"small_worldness": "small-worldness"}
"""What a row is called where that is not the name of its metric."""
SPREAD = 0.5
"""Height of a row that its marks are spread over."""


def rounding_and_seeds(table: pd.DataFrame) -> Figure:
    """Show how far another training moves a run, in units of how far another seed does.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.reproduction.rounding` by ``variant``.

    Returns
    -------
    Figure
        One row per metric, one mark per variant as its start, and the median of the variants.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if table.empty:
        raise ValueError("table: expected at least one row")
    metrics = list(dict.fromkeys(table["metric"]))
    figure = Figure(figsize=(WIDTH, 1.5 + 0.32 * len(metrics)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(1, color="0.6", linewidth=1, zorder=0)
    for row, metric in enumerate(metrics):
        own = table[table["metric"] == metric]
        shift = SPREAD * (np.arange(len(own)) / max(len(own) - 1, 1) - 0.5)
        for place, ratio, variant in zip(row + shift, own["ratio"], own["variant"], strict=True):
            mark, colour = LOOKS[VARIANTS[variant].start]
            points(axes, [ratio], [place], mark=mark, face=colour, edge=colour, size=5)
        middle = own["ratio"].median()
        axes.plot([middle, middle], [row - SPREAD * 0.7, row + SPREAD * 0.7], color="0.2", lw=2)
    axes.set_yticks(range(len(metrics)), [NAMES.get(m, m.replace("_", " ")) for m in metrics])
    axes.set_ylim(len(metrics) - 0.1, -0.6)
    axes.text(1.01, len(metrics) - 0.15, "as far as another seed", va="bottom", color="0.35",
              fontsize="small")  # fmt: skip
    axes.set_xlim(0, 1.05 * np.sqrt(2))  # where the two trainings of a run are opposite
    axes.grid(axis="y", color="0.92")
    axes.set_xlabel("SD over trainings of one run / SD over seeds")
    starts = {VARIANTS[variant].start for variant in table["variant"]}
    handles = [
        Line2D([], [], color=colour, marker=mark, ls="", label=f"starts from {STARTS[start]}")
        for start, (mark, colour) in LOOKS.items()
        if start in starts
    ]
    handles.append(Line2D([], [], color="0.2", lw=2, label="median"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1,
                  handletextpad=0.4)  # fmt: skip
    return figure


def recorded_and_again(table: pd.DataFrame) -> Figure:
    """Each recorded run against another training of it, one panel for each of four metrics.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.reproduction.pairs`.

    Returns
    -------
    Figure
        One point for each pair, coloured by field; on the line nothing changed.

    Raises
    ------
    ValueError
        If there are no pairs.
    """
    if table.empty:
        raise ValueError("table: expected at least one pair of runs")
    figure = Figure(figsize=(WIDTH, WIDTH), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for colour, (field, part) in zip(palette, table.groupby("field"), strict=False):
            axes.plot(part[metric], part[f"{metric}_again"], "o", color=colour, alpha=0.7,
                      markersize=5, label=str(field))  # fmt: skip
        values = table[[metric, f"{metric}_again"]].to_numpy()
        ends = [np.nanmin(values), np.nanmax(values)]
        axes.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
        axes.set_title(label, loc="left", fontsize="medium")
    figure.supxlabel("recorded")
    figure.supylabel("trained another time")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    names = [f"field {label}" for label in labels]
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
    return figure
