"""Figures of the chapter on your own field: what neurons send and receive, and thinned wiring."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from cortexrnn.fields.wiring import connections
from cortexrnn.figures.checks import square
from cortexrnn.figures.style import WIDTH, palette

__all__ = ["out_and_in", "thinned"]

BLUE, ORANGE = palette[0], palette[1]


def out_and_in(connectome: ArrayLike) -> Figure:
    """How many partners neurons send to and receive from.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.

    Returns
    -------
    Figure
        Two histograms, the neurons without any partner in a colour of their own.

    Raises
    ------
    ValueError
        If the matrix is not square and finite.
    """
    linked = connections(square(connectome, "connectome"))
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, partners, verb in zip(
        panels, (linked.sum(axis=1), linked.sum(axis=0)), ("send to", "receive from"), strict=True
    ):
        numbers = np.bincount(partners)
        axes.bar(np.arange(len(numbers)), numbers, width=0.9, color=BLUE)
        axes.bar(0, numbers[0], width=0.9, color=ORANGE)
        axes.text(0.6, numbers[0], f"{numbers[0]} none", va="bottom", color="black")
        axes.set(xlabel=f"partners they {verb}")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panels[0].set(ylabel="neurons")
    panels[0].set_ylim(0, 1.15 * panels[0].get_ylim()[1])
    return figure


def thinned(tables: dict[str, pd.DataFrame]) -> Figure:
    """Show what becomes of connectomes and of C* when outputs of some axons are missing.

    Parameters
    ----------
    tables : dict of str to DataFrame
        What :func:`cortexrnn.networks.sensitivity.simulate_missing_axons` gives, by the name of the
        connectome.

    Returns
    -------
    Figure
        Density relative to that of all axons, share of neurons without outputs, and mean of C*
        (logarithmic); each draw a point and the mean of the draws a line.

    Raises
    ------
    ValueError
        If there is no table or a column is missing.
    """
    columns = ("density", "silent", "mean")
    labels = ("connections left (%)", "no output (%)", "mean of C*")
    for table in tables.values():
        missing = {"share", "mean_senders", *columns} - set(table)
        if missing:
            raise ValueError(
                f"a table lacks {', '.join(sorted(missing))}; give results of "
                "sensitivity.simulate_missing_axons"
            )
    if not tables:
        raise ValueError(
            "tables: expected at least one result of sensitivity.simulate_missing_axons"
        )
    figure = Figure(figsize=(WIDTH, 7.0), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 1.5))
    for (name, table), colour in zip(tables.items(), palette, strict=False):
        scaled = table.assign(silent=100 * table["silent"])
        scaled["density"] *= (
            100 / table.loc[table["share"] == table["share"].min(), "density"].max()
        )
        means = scaled.groupby("share").mean(numeric_only=True)
        for axes, column in zip(panels, columns, strict=True):
            axes.plot(100 * scaled["share"], scaled[column], "o", color=colour, alpha=0.5)
            axes.plot(100 * means.index, means[column], color=colour, label=name)
        label = f"{name}, neurons with output"
        panels[2].plot(100 * means.index, means["mean_senders"], "--", color=colour, label=label)
    for axes, text in zip(panels, labels, strict=True):
        axes.set(ylabel=text)
    panels[0].set_ylim(0, None)
    panels[1].set_ylim(0, 100)
    panels[2].set(yscale="log", xlabel="axons whose outputs were taken away (%)")
    low, high = panels[2].get_ylim()
    panels[2].set_ylim(low, high * (high / low) ** 0.6)
    panels[2].legend(loc="upper left", fontsize="small")
    return figure
