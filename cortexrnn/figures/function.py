"""Figures of the chapter on function: events, counts and what two neurons have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cortexrnn.figures.checks import named_matrices, square
from cortexrnn.figures.style import WIDTH, palette

__all__ = [
    "binned_counts",
    "event_raster",
    "frame_grid",
    "relation_against_relation",
    "relation_by_distance",
    "relation_distributions",
]

BLUE, ORANGE, GREEN = palette[0], palette[1], palette[2]

Events = Sequence[NDArray[np.float64]]


def _absent(what: str) -> Figure:
    """Say in the place of a figure that the field does not carry what it would show."""
    figure = Figure(figsize=(WIDTH, 0.9), layout="constrained")
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, f"no {what} at hand for this field", ha="center", va="center")
    return figure


def _checked(events: Events) -> Events:
    """Refuse what is not one flat array of times per neuron."""
    if len(events) < 2 or any(np.ndim(train) != 1 for train in events):
        raise ValueError("events: expected one flat array of seconds for each of N > 1 neurons")
    return events


def event_raster(events: Events | None, *, seconds: float = 60.0, start_s: float = 0.0) -> Figure:
    """Events of all neurons in one stretch of the recording.

    Parameters
    ----------
    events : sequence of N arrays, or None
        Event times in seconds; None gives a figure that says that there are none.
    seconds, start_s : float
        Length and beginning of the stretch in seconds.

    Returns
    -------
    Figure
        One row per neuron.

    Raises
    ------
    ValueError
        If the events are not one array per neuron or the stretch is empty.
    """
    if events is None:
        return _absent("event times")
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; give a positive length")
    trains = [t[(t >= start_s) & (t < start_s + seconds)] for t in _checked(events)]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.eventplot(trains, colors="black", linewidths=0.7, linelengths=0.8, rasterized=True)
    axes.set(xlabel="time (s)", ylabel="neuron", xlim=(start_s, start_s + seconds))
    axes.set(ylim=(len(trains) - 0.5, -0.5))
    axes.set_title(f"{len(trains)} neurons, {sum(map(len, trains)):,} events", loc="left")
    return figure


def binned_counts(counts: ArrayLike | None, *, bin_s: float, bins: int = 150) -> Figure:
    """Event counts of all neurons in the first bins, and how often each count occurs.

    Parameters
    ----------
    counts : array_like, shape (N, B), or None
        Events of each neuron in each bin; None gives a figure that says that there are none.
    bin_s : float
        Width of a bin in seconds.
    bins : int
        How many bins are drawn.

    Returns
    -------
    Figure
        A heat map and a bar chart over all bins.

    Raises
    ------
    ValueError
        If the counts are no matrix.
    """
    if counts is None:
        return _absent("event counts")
    matrix = np.asarray(counts)
    if matrix.ndim != 2:
        raise ValueError(f"counts have shape {matrix.shape}; expected (neurons, bins)")
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    map_axes, bar_axes = figure.subplots(1, 2, width_ratios=(2.2, 1))
    extent = (0, min(bins, matrix.shape[1]) * bin_s, len(matrix) - 0.5, -0.5)
    map_axes.imshow(
        matrix[:, :bins], aspect="auto", extent=extent, cmap="Greys", interpolation="none"
    )
    map_axes.set(xlabel="time (s)", ylabel="neuron")
    map_axes.set_title(f"{bin_s * 1000:g} ms bins", loc="left")
    values, times = np.unique(matrix, return_counts=True)
    bar_axes.bar(values, 100 * times / matrix.size, color=BLUE)
    bar_axes.set(xlabel="events in a bin", ylabel="bins (%)")
    bar_axes.set_xticks(values[:: 1 + len(values) // 5])
    return figure


def relation_against_relation(first: ArrayLike, second: ArrayLike, *, names: Any) -> Figure:
    """Two relations of the same pairs of neurons against each other.

    Parameters
    ----------
    first, second : array_like, shape (N, N)
        Symmetric relations.
    names : pair of str
        What they are called on the axes.

    Returns
    -------
    Figure
        Density of pairs on a logarithmic scale, with the correlation of the two.

    Raises
    ------
    ValueError
        If the matrices do not fit each other.
    """
    x = _pairs(first, names[0])
    y = _pairs(second, names[1], size=len(np.asarray(first)))
    figure = Figure(figsize=(5.4, 4.4), layout="constrained")
    axes = figure.subplots()
    density = axes.hexbin(x, y, gridsize=45, bins="log", cmap="viridis", mincnt=1, linewidths=0.1)
    figure.colorbar(density, label="pairs of neurons")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_title(f"{len(x):,} pairs, r = {np.corrcoef(x, y)[0, 1]:.2f}", loc="left")
    return figure


def _pairs(matrix: ArrayLike, name: str, *, size: int | None = None) -> NDArray[Any]:
    """Each pair of a symmetric matrix once."""
    array = square(matrix, name, size=size)
    return np.asarray(array[np.tril_indices(len(array), -1)])


def relation_distributions(relations: dict[str, Any]) -> Figure:
    """Distribution of each relation over pairs of neurons, the diagonal left out.

    Parameters
    ----------
    relations : dict of str to array_like, shape (N, N)
        Symmetric relations by name.

    Returns
    -------
    Figure
        One panel per relation, pairs on a logarithmic scale, mean and zero marked.

    Raises
    ------
    ValueError
        If there is none or they differ in size.
    """
    matrices = named_matrices(relations, "relations")
    figure = Figure(figsize=(WIDTH, 0.4 + 1.9 * len(matrices)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(matrices), 1))
    for axes, (name, matrix), colour in zip(panels, matrices.items(), palette, strict=False):
        values = _pairs(matrix, name)
        axes.hist(values, bins=80, color=colour, log=True)
        axes.axvline(0, color="0.5", linewidth=1)
        axes.axvline(values.mean(), color="black", linestyle="--", label="mean")
        axes.set(xlabel=name, ylabel="pairs")
        axes.set_title(f"mean {values.mean():.3g}, diagonal {_diagonal(matrix)}", loc="left")
    panels[0].legend()
    return figure


def _diagonal(matrix: NDArray[Any]) -> str:
    """Diagonal in words: one value, or the mean of several."""
    values = np.diag(matrix)
    return f"{values.mean():.3g}" + ("" if np.allclose(values, values[0]) else " on average")


def relation_by_distance(
    distances: ArrayLike, relations: dict[str, Any], *, bin_um: float = 100.0
) -> Figure:
    """Relations of pairs of neurons against the distance of their somata.

    Parameters
    ----------
    distances : array_like, shape (N, N)
        Distances between somata in micrometres.
    relations : dict of str to array_like, shape (N, N)
        Symmetric relations by name.
    bin_um : float
        Width of a distance bin in micrometres; bins of fewer than 50 pairs are left out.

    Returns
    -------
    Figure
        One panel per relation: median of the pairs and the range of the middle half.

    Raises
    ------
    ValueError
        If the matrices do not fit each other or the bin is not positive.
    """
    if not bin_um > 0:
        raise ValueError(f"bin_um is {bin_um}; give a positive number of micrometres")
    matrices = named_matrices(relations, "relations")
    size = len(next(iter(matrices.values())))
    apart = _pairs(distances, "distances", size=size)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.0 * len(matrices)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(matrices), 1, sharex=True))
    for axes, (name, matrix), colour in zip(panels, matrices.items(), palette, strict=False):
        values = _pairs(matrix, name)
        _quartiles(axes, apart, values, bin_um, colour)
        axes.set(ylabel=name)
        axes.set_title(f"r = {np.corrcoef(apart, values)[0, 1]:.2f}", loc="left")
    panels[-1].set(xlabel="distance of the somata (µm)", xlim=(0, None))
    return figure


def _quartiles(
    axes: Axes, apart: NDArray[Any], values: NDArray[Any], bin_um: float, colour: str
) -> None:
    """Draw median and middle half of `values` in bins of distance."""
    which = (apart // bin_um).astype(int)
    bins = np.flatnonzero(np.bincount(which) >= 50)
    low, middle, high = np.array(
        [np.percentile(values[which == b], (25, 50, 75)) for b in bins]
    ).reshape(-1, 3).T  # fmt: skip
    x = (bins + 0.5) * bin_um
    axes.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, middle, "o-", color=colour)
    axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)


def frame_grid(
    events: Events | None, *, window_s: float = 0.1, bin_s: float = 0.2, neurons: int = 12
) -> Figure:
    """Draw what the windows meet: time lags between events of different neurons.

    Parameters
    ----------
    events : sequence of N arrays, or None
        Event times in seconds; None gives a figure that says that there are none.
    window_s : float
        Two events coincide when they are at most this many seconds apart.
    bin_s : float
        Width of the bins of counts in seconds.
    neurons : int
        The lags are those among this many neurons, evenly picked.

    Returns
    -------
    Figure
        Lags with the coincidence window shaded, and how many possible event times each of the
        first bins holds.

    Raises
    ------
    ValueError
        If the events are not one array per neuron.
    """
    if events is None:
        return _absent("event times")
    trains = _checked(events)
    picked = np.unique(np.linspace(0, len(trains) - 1, neurons).astype(int))
    lags = np.concatenate(
        [_lags(trains[i], trains[j], 0.52) for i in picked for j in picked if i != j]
    )
    times = np.unique(np.concatenate(list(trains)).round(6))
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    top.axvspan(-window_s, window_s, color=ORANGE, alpha=0.3, label="counted as coincident")
    top.hist(lags, bins=np.arange(-0.5025, 0.505, 0.005), color=BLUE)
    top.set(xlabel="lag between events of two neurons (s)", ylabel="event pairs", xlim=(-0.5, 0.5))
    top.set_ylim(0, 1.3 * top.get_ylim()[1])
    top.legend(loc="upper center")
    begin = times[0] // bin_s * bin_s
    held, edges = np.histogram(times, np.arange(begin, begin + 40.5 * bin_s, bin_s))
    bottom.stairs(held, edges, fill=True, color=GREEN)
    bottom.set(
        xlabel="time (s)", ylabel=f"event times\nin {bin_s * 1000:g} ms", xlim=edges[[0, -1]]
    )
    bottom.yaxis.get_major_locator().set_params(integer=True)
    return figure


def _lags(first: NDArray[Any], second: NDArray[Any], within: float) -> NDArray[Any]:
    """Time from each event of one train to all events of the other within some seconds."""
    low = np.searchsorted(second, first - within)
    high = np.searchsorted(second, first + within)
    source = np.repeat(np.arange(len(first)), high - low)
    start = np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low)
    return np.asarray(second[start + np.arange(len(source))] - first[source])
