"""Figures of the page on cost: how times grow with neurons, members and processes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexrnn.benchmark import report
from cortexrnn.figures.style import WIDTH, palette

__all__ = ["curves", "members"]


def curves(table: pd.DataFrame, *, kinds: tuple[str, ...]) -> Figure:
    """Time of one call against the number of neurons, one panel for each kind.

    Parameters
    ----------
    table : DataFrame
        Measurements; those of one network on the fewest threads are drawn.
    kinds : tuple of str
        Kinds to draw.

    Returns
    -------
    Figure
        Points are medians with the range of the repetitions, full lines the fitted power laws over
        the sizes that they were fitted to, dotted lines the floors; the legend tells exponents.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    threads = table["threads"].min()
    alone = table[
        (table["members"] == 1) & (table["threads"] == threads) & table["kind"].isin(kinds)
    ]
    if alone.empty:
        raise ValueError(f"table: expected measurements of {', '.join(kinds)}")
    shown = [kind for kind in kinds if kind in set(alone["kind"])]
    figure = Figure(figsize=(WIDTH, 4.2 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    fitted = report.exponents(alone).set_index(["kind", "what"])
    for axes, kind in zip(panels, shown, strict=True):
        measured = alone[alone["kind"] == kind]
        for what, colour in zip(dict.fromkeys(measured["what"]), palette, strict=False):
            curve = measured[measured["what"] == what].sort_values("n_neurons")
            n, seconds = curve["n_neurons"].to_numpy(), curve["seconds"].to_numpy()
            reach = np.stack([seconds - curve["low"], curve["high"] - seconds])
            label = what
            if (kind, what) in fitted.index:
                law = fitted.loc[(kind, what)]
                ends = np.array([law["smallest"], law["largest"]])
                axes.plot(ends, law["factor"] * ends ** law["exponent"], color=colour)
                label = f"{what}, N^{law['exponent']:.1f}"
            axes.errorbar(n, seconds, reach, fmt="o", markersize=5, color=colour, label=label)
            axes.plot(n, curve["floor_seconds"], ":", color=colour)
        axes.set_title(kind, loc="left", fontsize="medium")
        axes.set(xscale="log", yscale="log", ylabel="seconds")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    sizes = sorted(set(alone["n_neurons"]))
    panels[-1].set_xticks(sizes, [str(n) for n in sizes], rotation=45)
    panels[-1].minorticks_off()
    panels[-1].set_xlabel("neurons N")
    return figure


def members(table: pd.DataFrame) -> Figure:
    """Time of an update for each network against the networks trained as one batch.

    Parameters
    ----------
    table : DataFrame
        Measurements.

    Returns
    -------
    Figure
        One line for each number of neurons.

    Raises
    ------
    ValueError
        If no ensemble was measured.
    """
    steps = table[(table["kind"] == "step") & (table["what"] == "plain")]
    steps = steps[steps["threads"] == steps["threads"].min()]
    if steps["members"].nunique() < 2:
        raise ValueError("table: expected updates of ensembles of at least 2 sizes")
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes = figure.subplots()
    for (n, curve), colour in zip(steps.groupby("n_neurons"), palette, strict=False):
        curve = curve.sort_values("members")
        alone = 1000 * curve["seconds"] / curve["members"]
        axes.plot(curve["members"], alone, "o-", color=colour, label=f"N = {n}")
    counts = sorted(set(steps["members"]))
    axes.set(xscale="log", yscale="log", xlabel="networks in the batch M",
             ylabel="ms per network")  # fmt: skip
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
