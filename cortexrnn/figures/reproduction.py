"""Figure of recorded runs beside the same runs trained again."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexrnn.figures.style import WIDTH, palette

__all__ = ["recorded_and_again"]

PANELS = {
    "accuracy": "Accuracy",
    "entropy": "Entropy (bits)",
    "modularity": "Modularity",
    "assortativity": "Assortativity",
}


def recorded_and_again(table: pd.DataFrame) -> Figure:
    """Each recorded run against the same run trained again, one panel for each of four metrics.

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
    figure.supylabel("trained again")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    names = [f"field {label}" for label in labels]
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
    return figure
