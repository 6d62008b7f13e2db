"""Figures of the chapter on priors: functional weights, geometry and communicability."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cortexrnn.figures.checks import named_matrices, off_diagonal, square
from cortexrnn.figures.style import WIDTH, palette

__all__ = [
    "communicability_ranks",
    "construction",
    "coordinates",
    "distances_against_soma",
    "relabelling",
    "self_connections",
    "spectrum",
]

BLUE, ORANGE, GREEN, RED = palette[0], palette[1], palette[2], palette[3]


def construction(steps: dict[str, Any]) -> Figure:
    """Matrices on the way to functional weights, side by side.

    Parameters
    ----------
    steps : dict of str to array_like, shape (N, N)
        Title and matrix of every step.

    Returns
    -------
    Figure
        Two columns of heat maps, each with a scale of its own that ends at the 99th percentile
        of what is off the diagonal.

    Raises
    ------
    ValueError
        If there is no step or the matrices differ in size.
    """
    matrices = named_matrices(steps, "steps")
    rows = -(-len(matrices) // 2)
    figure = Figure(figsize=(WIDTH, 2.75 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, (title, matrix) in zip(panels.flat, matrices.items(), strict=False):
        _heat_map(axes, matrix, title)
    for axes in panels.flat[len(matrices) :]:
        axes.set_visible(False)
    figure.supxlabel("postsynaptic neuron", fontsize="medium")
    figure.supylabel("presynaptic neuron", fontsize="medium")
    return figure


def _heat_map(axes: Axes, matrix: NDArray[Any], title: str) -> None:
    """Draw one matrix; its diagonal may lie beyond the colour scale."""
    outside = off_diagonal(matrix, title)
    low, high = np.percentile(outside, [1, 99])
    if low < 0 < high:
        high = max(-low, high)
        low, colours = -high, "RdBu_r"
    else:
        colours = "viridis"
    image = axes.imshow(
        matrix, vmin=low, vmax=max(high, low + 1e-12), cmap=colours, interpolation="none"
    )
    ends = "max" if matrix.max() > high else "neither"
    assert axes.figure is not None
    axes.figure.colorbar(image, ax=axes, extend=ends, shrink=0.8)
    ticks = (0, len(matrix) // 2, len(matrix) - 1)
    axes.set(xticks=ticks, yticks=ticks)
    axes.set_title(title, loc="left", fontsize="medium")


def spectrum(weights: dict[str, Any], *, radius: float) -> Figure:
    """Eigenvalues of weight matrices in the complex plane.

    Parameters
    ----------
    weights : dict of str to array_like, shape (N, N)
        Weights by name.
    radius : float
        Radius of the circle to draw: the spectral radius that functional weights are given.

    Returns
    -------
    Figure
        One panel per matrix.

    Raises
    ------
    ValueError
        If there is no matrix or the radius is not positive.
    """
    if not radius > 0:
        raise ValueError(f"radius is {radius}; give a positive number")
    matrices = named_matrices(weights, "weights")
    columns = min(2, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = Figure(figsize=(WIDTH, 0.4 + 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    angle = np.linspace(0, 2 * np.pi, 400)
    for axes, (name, matrix) in zip(panels.flat, matrices.items(), strict=False):
        values = np.linalg.eigvals(matrix)
        axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=ORANGE, linewidth=1)
        axes.plot(np.cos(angle), np.sin(angle), color="0.7", linewidth=1, linestyle=":")
        axes.plot(values.real, values.imag, "o", color=BLUE, markersize=4, alpha=0.6)
        axes.set(aspect="equal", xlabel="real part")
        axes.set_title(f"{name}: radius {np.abs(values).max():.3f}", loc="left", fontsize="medium")
    for axes in panels[:, 0]:
        axes.set_ylabel("imaginary part")
    return figure


def self_connections(weights: ArrayLike) -> Figure:
    """Self-connections of a weight matrix beside all other weights.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Non-negative weights.

    Returns
    -------
    Figure
        Two histograms over a logarithmic axis, their means marked.

    Raises
    ------
    ValueError
        If the matrix is not square or holds a negative weight.
    """
    matrix = square(weights, "weights")
    if (matrix < 0).any():
        raise ValueError(f"weights reach down to {matrix.min():g}; expected none below 0")
    own, others = np.diag(matrix), off_diagonal(matrix, "weights")
    others, n_zero = others[others > 0], int((others == 0).sum())
    both = np.concatenate([own[own > 0], others])
    bins = np.geomspace(both.min() / 1.1, both.max() * 1.1, 70)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for values, colour, name in ((others, BLUE, "between neurons"), (own, ORANGE, "to itself")):
        label = f"{name} ({len(values):,})"
        axes.hist(values, bins=list(bins), color=colour, alpha=0.85, label=label)
        axes.axvline(values.mean(), color=colour, linestyle="--", linewidth=1.5)
    axes.set(xscale="log", yscale="log", xlabel="weight", ylabel="connections")
    ratio = own.mean() / others.mean()
    zeros = f"; {n_zero} weights of 0 left out" if n_zero else ""
    axes.set_title(f"means (dashed) differ {ratio:.0f}-fold{zeros}", loc="left")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def relabelling(weights: ArrayLike, relabelled: ArrayLike) -> Figure:
    """Draw a weight matrix, the same after relabelling, and the eigenvalues of both.

    Parameters
    ----------
    weights, relabelled : array_like, shape (N, N)
        Before and after.

    Returns
    -------
    Figure
        Two heat maps above the absolute eigenvalues in descending order.

    Raises
    ------
    ValueError
        If the matrices do not fit each other.
    """
    before = square(weights, "weights")
    after = square(relabelled, "relabelled", size=len(before))
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    panels = figure.subplot_mosaic([["before", "after"], ["values"] * 2], height_ratios=(1.5, 1))
    for name, matrix, title in (("before", before, "W*"), ("after", after, "W!")):
        _heat_map(panels[name], matrix, title)
        panels[name].set_xlabel("postsynaptic")
    panels["before"].set_ylabel("presynaptic")
    axes = panels["values"]
    for matrix, colour, style, name in ((before, BLUE, "o", "W*"), (after, ORANGE, "x", "W!")):
        values = np.sort(np.abs(np.linalg.eigvals(matrix)))[::-1]
        axes.plot(np.arange(1, len(values) + 1), values, style, color=colour, label=name, ms=5)
    axes.set(xlabel="rank", ylabel="|eigenvalue|", ylim=(0, None))
    axes.legend()
    return figure


def coordinates(points: dict[str, Any], colour: ArrayLike) -> Figure:
    """Coordinates of the same units in several geometries.

    Parameters
    ----------
    points : dict of str to array_like, shape (N, 3)
        Coordinates by name.
    colour : array_like, shape (N,)
        One number per unit, the same in all panels: follow it to see who went where.

    Returns
    -------
    Figure
        One three-dimensional panel per geometry and one with the distances between units,
        each divided by its mean, in ascending order.

    Raises
    ------
    ValueError
        If coordinates and colours do not fit each other.
    """
    colour = np.asarray(colour, dtype=float)
    figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
    if not 1 <= len(points) <= 3:
        raise ValueError(f"points holds {len(points)} geometries; expected one to three")
    last = figure.add_subplot(2, 2, len(points) + 1)
    for place, (name, values) in enumerate(points.items(), start=1):
        xyz = np.asarray(values, dtype=float)
        if xyz.shape != (len(colour), 3):
            raise ValueError(f"{name} has shape {xyz.shape}; expected ({len(colour)}, 3)")
        axes: Any = figure.add_subplot(2, 2, place, projection="3d")
        axes.scatter(*xyz[:, [0, 2, 1]].T, c=colour, cmap="viridis", s=12, depthshade=False)
        axes.set(xlabel="x", ylabel="z", zlabel="y", title=name)
        axes.tick_params(labelsize=8, pad=-2)
        axes.set_box_aspect(None, zoom=0.86)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.labelpad = -7
            axis.get_major_locator().set_params(nbins=3)
        apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)[np.tril_indices(len(xyz), -1)]
        steps = np.percentile(apart / apart.mean(), np.arange(101))
        last.plot(steps, np.arange(101), color=palette[place - 1], linewidth=1.8, label=name)
    last.set(xlabel="distance / mean distance", ylabel="pairs (%)")
    last.legend(loc="lower right", fontsize="small")
    return figure


def distances_against_soma(soma: ArrayLike, others: dict[str, Any]) -> Figure:
    """Distances in other geometries against those of the somata.

    Parameters
    ----------
    soma : array_like, shape (N, N)
        Distances between the somata.
    others : dict of str to array_like, shape (N, N)
        Distances of the same pairs elsewhere, by name.

    Returns
    -------
    Figure
        One density of pairs per geometry, with the correlation.

    Raises
    ------
    ValueError
        If the matrices do not fit each other.
    """
    matrices = named_matrices(others, "others")
    reference = square(soma, "soma", size=len(next(iter(matrices.values()))))
    lower = np.tril_indices(len(reference), -1)
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
        x, y = reference[lower], matrix[lower]
        axes.hexbin(x, y, gridsize=32, cmap="viridis", mincnt=1, bins="log", linewidths=0.1)
        axes.set(xlabel="distance of somata (scaled)", ylabel=f"distance, {name}")
        axes.set_title(f"r = {np.corrcoef(x, y)[0, 1]:.3f}", loc="left")
    return figure


def communicability_ranks(network: ArrayLike, connectome: ArrayLike, counts: ArrayLike) -> Figure:
    """Communicability of a network and of a connectome, entries in ascending order.

    Parameters
    ----------
    network : array_like, shape (N, N)
        Communicability C of recurrent weights.
    connectome : array_like, shape (N, N)
        Communicability C* of the connectome.
    counts : array_like, shape (N, N)
        Synapse counts of that connectome, row = presynaptic.

    Returns
    -------
    Figure
        Positive entries over a logarithmic axis; those of the connectome split by whether the
        neuron that a path leads to has any synapse of its own.

    Raises
    ------
    ValueError
        If the matrices do not fit each other.
    """
    own = square(network, "network")
    theirs = square(connectome, "connectome", size=len(own))
    silent = square(counts, "counts", size=len(own)).sum(axis=1) == 0
    groups = (
        ("C of the network", off_diagonal(own, "network"), BLUE, "-"),
        ("C*, to neurons with synapses", _off(theirs, ~silent), GREEN, "-"),
        ("C*, to neurons with none", _off(theirs, silent), RED, "--"),
    )
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, values, colour, style in groups:
        positive = np.sort(values[values > 0])
        if len(positive):
            share = np.linspace(0, 100, len(positive))
            keep = np.unique(np.linspace(0, len(positive) - 1, 400).astype(int))
            label = f"{name} ({len(positive):,} of {values.size:,} > 0)"
            mark = "." if len(positive) < 60 else None
            axes.plot(share[keep], positive[keep], style, color=colour, label=label, marker=mark)
    axes.axhline(own.max(), color="0.5", linestyle=":", linewidth=1)
    axes.text(1, own.max() * 1.3, "largest C", color="0.35", fontsize="small")
    axes.set(yscale="log", xlabel="rank among positive entries (%)", ylabel="communicability")
    # Long paths leave entries down to 1e-80, far below what any sum can notice.
    low = max(own[own > 0].min() / 100, axes.get_ylim()[0])
    axes.set_ylim(low, 10 * max(own.max(), theirs.max()))
    figure.legend(loc="outside lower center")
    return figure


def _off(matrix: NDArray[Any], columns: NDArray[np.bool_]) -> NDArray[Any]:
    """Off-diagonal entries of some columns."""
    keep = ~np.eye(len(matrix), dtype=bool) & columns[None, :]
    return np.asarray(matrix[keep])
