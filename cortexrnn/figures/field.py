"""Figures of the chapter on fields: where the neurons are and how they are wired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import poisson
from statsmodels.stats.proportion import proportion_confint

from cortexrnn.fields.wiring import connections
from cortexrnn.figures.checks import soma_um, square
from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cortexrnn.fields.field import Field

__all__ = ["adjacency", "connection_by_distance", "degrees", "soma_3d", "soma_views"]

BLUE, ORANGE, GREY = palette[0], palette[1], "0.6"


def soma_3d(field: Field, connectome: ArrayLike) -> go.Figure:
    """Somata and connections in three dimensions, to be turned by the reader.

    Parameters
    ----------
    field : Field
        Gives the positions.
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic, in the order of the positions.

    Returns
    -------
    plotly.graph_objects.Figure
        One point per neuron, coloured by its connections, one line per connection.

    Raises
    ------
    ValueError
        If the connectome does not fit the field.
    """
    import plotly.graph_objects as go  # belongs to the extra "book"

    points = soma_um(field)
    linked = connections(square(connectome, "connectome", size=len(points)))
    partners = linked.sum(axis=0) + linked.sum(axis=1)
    ends = np.argwhere(linked)
    gap = np.full((len(ends), 1, 3), np.nan)
    lines = np.concatenate([points[ends], gap], axis=1).reshape(-1, 3)
    x, y, z = lines.T
    wires = go.Scatter3d(
        x=x, y=y, z=z, mode="lines", line={"color": "#9a9a9a", "width": 2},
        name="connection", hoverinfo="skip",
    )  # fmt: skip
    x, y, z = points.T
    colour = {"color": partners, "colorscale": "Viridis", "size": 3, "showscale": True}
    bar = {"title": {"text": "partners"}, "orientation": "h", "y": 1.0, "thickness": 12}
    somata = go.Scatter3d(
        x=x, y=y, z=z, mode="markers", marker=colour | {"colorbar": bar}, name="soma",
        customdata=np.stack([np.arange(len(points)), partners], axis=1),
        hovertemplate="neuron %{customdata[0]}: %{customdata[1]} partners<extra></extra>",
    )  # fmt: skip
    figure = go.Figure([wires, somata])
    extent = np.ptp(points, axis=0)
    ratio = 1.5 * extent / extent.max()  # the same scale on all axes, and all of it in view
    axes = {"backgroundcolor": "white", "gridcolor": "#dddddd", "zerolinecolor": "#dddddd"}
    depth = {"title": {"text": "depth y (µm)"}, "autorange": "reversed", "dtick": 100}
    figure.update_layout(
        scene={
            "xaxis": axes | {"title": {"text": "x (µm)"}},
            "yaxis": axes | {"title": {"text": "z (µm)"}},
            "zaxis": axes | depth,
            "aspectmode": "manual",
            "aspectratio": dict(zip("xzy", ratio.tolist(), strict=True)),
            "camera": {"eye": {"x": 0.49, "y": -1.82, "z": 1.19}},
        },
        showlegend=False, paper_bgcolor="white",  # the height is left to the page
        margin={"l": 0, "r": 0, "t": 10, "b": 10},
    )  # fmt: skip
    # Plotly hangs the depth axis on its z; y and z of the data change places with it.
    for trace in figure.data:
        trace.y, trace.z = trace.z, trace.y
    return figure


def soma_views(field: Field, connectome: ArrayLike) -> Figure:
    """Somata and connections from the top and from the side, to scale.

    Parameters
    ----------
    field : Field
        Gives the positions.
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic, in the order of the positions.

    Returns
    -------
    Figure
        Two panels with equal scale on both axes.

    Raises
    ------
    ValueError
        If the connectome does not fit the field.
    """
    points = soma_um(field)
    linked = connections(square(connectome, "connectome", size=len(points)))
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    x, y, z = np.ptp(points, axis=0)
    top, side = figure.subplots(2, 1, sharex=True, height_ratios=(max(z, 0.2 * x), max(y, 0.2 * x)))
    for axes, row, label in ((top, 2, "z (µm)"), (side, 1, "depth y (µm)")):
        _somata(axes, points[:, [0, row]], linked)
        axes.set(ylabel=label, aspect="equal", adjustable="datalim")
    side.set(xlabel="x (µm)")
    side.invert_yaxis()
    top.set_title(f"top view, {len(points)} neurons, {linked.sum()} connections", loc="left")
    side.set_title("side view", loc="left")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=1.4)
    return figure


def _somata(axes: Axes, points: NDArray[np.float64], linked: NDArray[np.bool_]) -> None:
    """Draw one projection: lines for connections, filled points for neurons with output."""
    wires = LineCollection(
        list(points[np.argwhere(linked)]), colors=GREY, linewidths=0.5, alpha=0.6
    )
    axes.add_collection(wires)
    sends = linked.any(axis=1)
    x, y = points.T
    axes.scatter(x[sends], y[sends], s=16, color=BLUE, zorder=3, label="has output here")
    axes.scatter(
        x[~sends],
        y[~sends],
        s=16,
        facecolors="white",
        edgecolors=ORANGE,
        zorder=3,
        label="has none",
    )


def adjacency(connectome: ArrayLike, depth: ArrayLike) -> Figure:
    """Matrix of synapse counts with neurons ordered by depth.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic.
    depth : array_like, shape (N,)
        What the neurons are ordered by.

    Returns
    -------
    Figure
        One point per connection; its area grows with the synapses.

    Raises
    ------
    ValueError
        If the two do not fit each other.
    """
    depth = np.asarray(depth, dtype=float)
    if depth.ndim != 1:
        raise ValueError(f"depth has shape {depth.shape}; expected one number per neuron")
    counts = square(connectome, "connectome", size=len(depth))
    order = np.argsort(depth, kind="stable")
    counts = np.where(connections(counts), counts, 0)[np.ix_(order, order)]
    sources, targets = np.nonzero(counts)
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(
        targets, sources, s=9 * counts[sources, targets], color=BLUE, alpha=0.7, linewidths=0
    )
    axes.axline((0, 0), slope=1, color="0.8", linewidth=1, zorder=0)
    limits = (-1, len(depth))
    axes.set(xlim=limits, ylim=limits[::-1], aspect="equal")
    axes.set(xlabel="postsynaptic neuron, by depth", ylabel="presynaptic neuron, by depth")
    axes.set_title(f"{len(sources)} of {len(depth) * (len(depth) - 1):,} possible", loc="left")
    axes.spines[["top", "right"]].set_visible(True)
    return figure


def degrees(connectome: ArrayLike) -> Figure:
    """Numbers of partners per neuron beside what chance would give.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic.

    Returns
    -------
    Figure
        Two panels: partners that a neuron sends to, and hears from.

    Raises
    ------
    ValueError
        If the connectome is not square.
    """
    linked = connections(square(connectome, "connectome"))
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for axes, axis, title in zip(panels, (1, 0), ("sends to", "hears from"), strict=True):
        partners = linked.sum(axis=axis)
        values = np.arange(linked.sum(axis=1).max() + 2)
        counts = np.bincount(partners, minlength=len(values))
        axes.bar(np.arange(len(counts)), counts, color=BLUE, label="this field")
        chance = poisson.pmf(values, partners.mean()) * len(linked)
        shown = chance > 0.3  # fewer than a third of a neuron is off the axis
        axes.plot(values[shown], chance[shown], "o-", color=ORANGE, label="Poisson, same mean")
        axes.set(xlabel="partners", yscale="log", ylim=(0.5, None))
        axes.set_title(title, loc="left")
    panels[0].set_ylabel(f"neurons (of {len(linked)})")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def connection_by_distance(
    distances: ArrayLike, connectomes: dict[str, Any], *, bin_um: float = 100.0
) -> Figure:
    """Draw connection probability against the distance of two somata.

    Parameters
    ----------
    distances : array_like, shape (N, N)
        Distances between somata in micrometres.
    connectomes : dict of str to array_like, shape (N, N)
        Synapse counts by name, one or two.
    bin_um : float
        Width of a distance bin in micrometres.

    Returns
    -------
    Figure
        One line per connectome with 95 % Wilson intervals; bins of fewer than 100 pairs are left
        out.

    Raises
    ------
    ValueError
        If the matrices do not fit each other or the bin is not positive.
    """
    if not bin_um > 0:
        raise ValueError(f"bin_um is {bin_um}; give a positive number of micrometres")
    if not 1 <= len(connectomes) <= 2:
        raise ValueError(f"connectomes holds {len(connectomes)}; expected one or two")
    apart = square(distances, "distances")
    pairs = ~np.eye(len(apart), dtype=bool)
    which = (apart[pairs] // bin_um).astype(int)
    n = np.bincount(which)
    enough = n >= 100
    centre = (np.arange(len(n)) + 0.5) * bin_um
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    styles = [(ORANGE, "s--", -0.06), (BLUE, "o-", 0.06)][-len(connectomes) :]
    for (name, counts), (colour, style, shift) in zip(connectomes.items(), styles, strict=True):
        linked = square(counts, name, size=len(apart))[pairs] > 0
        k = np.bincount(which, weights=linked, minlength=len(n))
        low, high = proportion_confint(k[enough], n[enough], method="wilson")
        share = k[enough] / n[enough]
        error = np.abs(np.stack([share - low, high - share]))
        x = centre[enough] + shift * bin_um
        axes.errorbar(x, 100 * share, 100 * error, fmt=style, color=colour, capsize=2, label=name)
    if not enough.any():
        axes.text(0.5, 0.5, "no bin holds 100 pairs", ha="center", transform=axes.transAxes)
    axes.set(xlabel="distance of the somata (µm)", ylabel="connected pairs (%)")
    axes.set(ylim=(0, None), xlim=(0, None))
    axes.legend()
    return figure
