"""Figures of the chapter on function: events, counts and what two neurons have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.derivation import frames_in_bins
from cortexrnn.figures.checks import correlation, named_matrices, square
from cortexrnn.figures.style import WIDTH, palette

__all__ = [
    "beat",
    "bin_widths",
    "binned_counts",
    "event_raster",
    "frame_grid",
    "relation_against_relation",
    "relation_by_distance",
    "relation_distributions",
    "settings",
    "side_by_side",
]

BLUE, ORANGE, GREEN = palette[0], palette[1], palette[2]

Events = Sequence[NDArray[np.float64]]


def _absent(what: str) -> Figure:
    """Say in the place of a figure that the field does not carry what it would show."""
    figure = Figure(figsize=(WIDTH, 0.9), layout="constrained")
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, f"no {what} to show for this field", ha="center", va="center")
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


def relation_against_relation(
    first: ArrayLike | None, second: ArrayLike | None, *, names: Any
) -> Figure:
    """Two relations of the same pairs of neurons against each other.

    Parameters
    ----------
    first, second : array_like, shape (N, N), or None
        Symmetric relations; pairs with NaN are left out. Where one is missing the figure says so.
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
    if first is None or second is None:
        return _absent(f"{names[0]} and {names[1]}")
    x = _pairs(first, names[0])
    y = _pairs(second, names[1], size=len(np.asarray(first)))
    known = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[known], y[known]
    figure = Figure(figsize=(5.4, 4.4), layout="constrained")
    axes = figure.subplots()
    density = axes.hexbin(x, y, gridsize=45, bins="log", cmap="viridis", mincnt=1, linewidths=0.1)
    figure.colorbar(density, label="pairs of neurons")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_title(f"{len(x):,} pairs, r = {correlation(x, y):.2f}", loc="left")
    return figure


def _pairs(matrix: ArrayLike, name: str, *, size: int | None = None) -> NDArray[Any]:
    """Each pair of a symmetric matrix once, NaN where it was not measured."""
    array = square(matrix, name, size=size, gaps=True)
    return np.asarray(array[np.tril_indices(len(array), -1)])


def relation_distributions(relations: dict[str, Any] | None) -> Figure:
    """Distribution of each relation over pairs of neurons, the diagonal left out.

    Parameters
    ----------
    relations : dict of str to array_like, shape (N, N), or None
        Symmetric relations by name; pairs with NaN are left out. None gives a figure that says
        that there are none.

    Returns
    -------
    Figure
        One panel per relation, pairs on a logarithmic scale, mean and zero marked.

    Raises
    ------
    ValueError
        If the dict is empty or they differ in size.
    """
    if relations is None:
        return _absent("relations")
    matrices = named_matrices(relations, "relations", gaps=True)
    figure = Figure(figsize=(WIDTH, 0.4 + 1.9 * len(matrices)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(matrices), 1))
    for axes, (name, matrix), colour in zip(panels, matrices.items(), palette, strict=False):
        values = _pairs(matrix, name)
        values = values[~np.isnan(values)]
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
    values = values[~np.isnan(values)]
    if not len(values):
        return "not measured"
    return f"{values.mean():.3g}" + ("" if np.allclose(values, values[0]) else " on average")


def relation_by_distance(
    distances: ArrayLike, relations: dict[str, Any] | None, *, bin_um: float = 100.0
) -> Figure:
    """Relations of pairs of neurons against the distance of their somata.

    Parameters
    ----------
    distances : array_like, shape (N, N)
        Distances between somata in micrometres.
    relations : dict of str to array_like, shape (N, N), or None
        Symmetric relations by name; pairs with NaN are left out. None gives a figure that says
        that there are none.
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
    if relations is None:
        return _absent("relations")
    matrices = named_matrices(relations, "relations", gaps=True)
    size = len(next(iter(matrices.values())))
    apart = _pairs(distances, "distances", size=size)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.0 * len(matrices)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(matrices), 1, sharex=True))
    for axes, (name, matrix), colour in zip(panels, matrices.items(), palette, strict=False):
        values = _pairs(matrix, name)
        known = ~np.isnan(values)
        _quartiles(axes, apart[known], values[known], bin_um, colour)
        axes.set(ylabel=name)
        axes.set_title(f"r = {correlation(apart[known], values[known]):.2f}", loc="left")
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
    """Draw time lags between events of different neurons, and event times in each bin.

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
    event_counts, edges = np.histogram(times, np.arange(begin, begin + 40.5 * bin_s, bin_s))
    bottom.stairs(event_counts, edges, fill=True, color=GREEN)
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


def side_by_side(made: dict[str, Any] | None, own: dict[str, Any]) -> Figure:
    """Relations computed from events beside those that the field brought, and their difference.

    Parameters
    ----------
    made : dict of str to array_like, shape (N, N), or None
        Relations by title; None gives a figure that says that there were no events.
    own : dict of str to array_like, shape (N, N)
        The field's own under the same titles, NaN where not measured. Relations that are not on
        both sides are left out; without any the figure says so.

    Returns
    -------
    Figure
        One row per relation: computed, the field's own, absolute difference. The first two share a
        colour scale that leaves the diagonal out; that of the difference is logarithmic.

    Raises
    ------
    ValueError
        If sizes differ.
    """
    if made is None:
        return _absent("event times")
    if not set(made) & set(own):
        return _absent("relations, computed and given,")
    computed = named_matrices({name: made[name] for name in made if name in own}, "made")
    brought = named_matrices({name: own[name] for name in computed}, "own", gaps=True)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.9 * len(computed)), layout="constrained")
    panels = figure.subplots(len(computed), 3, squeeze=False, sharex=True, sharey=True)
    for row, (name, matrix) in zip(panels, computed.items(), strict=True):
        values = _pairs(brought[name], name, size=len(matrix))
        low, high = np.nanpercentile(values, (1, 99))
        for axes, shown in zip(row, (matrix, brought[name]), strict=False):
            image = axes.imshow(shown, vmin=low, vmax=high, cmap="viridis", interpolation="none")
        figure.colorbar(
            image, ax=row[:2], location="bottom", extend="both", label=name, aspect=30, pad=0.02
        )
        _difference(row[2], np.abs(matrix - brought[name]))
    for axes, title in zip(panels[0], ("computed", "the field's", "|difference|"), strict=True):
        axes.set_title(title, loc="left")
    panels[-1, 0].set(xlabel="neuron")
    for axes in panels[:, 0]:
        axes.set(ylabel="neuron")
    return figure


def _difference(axes: Axes, difference: NDArray[Any]) -> None:
    """Draw an absolute difference on a logarithmic scale; what is exactly 0 stays white."""
    high = float(np.nanmax(difference))
    if high == 0:
        axes.imshow(np.full(difference.shape, np.nan))
        middle = (len(difference) - 1) / 2
        axes.text(middle, middle, "equal\neverywhere", ha="center", va="center")
        return
    low = max(difference[difference > 0].min(), 1e-4 * high) / 2
    image = axes.imshow(
        np.ma.masked_equal(difference, 0),
        norm=LogNorm(low, high),
        cmap="Greys",
        interpolation="none",
    )
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, pad=0.02, label=" ")
    bar.ax.xaxis.set_major_locator(LogLocator(numticks=3))
    bar.ax.xaxis.set_minor_locator(NullLocator())


def bin_widths(frame_s: float | None, *, bin_s: float = 0.2, up_to_s: float = 1.0) -> Figure:
    """How many frames bins of one width hold, for every width.

    Parameters
    ----------
    frame_s : float or None
        Length of a frame in seconds; None gives a figure that says that there are no frames.
    bin_s : float
        Width that is marked, in seconds.
    up_to_s : float
        Largest width.

    Returns
    -------
    Figure
        Top: fewest and most frames in a bin. Bottom: standard deviation over bins in units of the
        mean.

    Raises
    ------
    ValueError
        If a length is not positive.
    """
    if frame_s is None:
        return _absent("frames")
    if not (frame_s > 0 and bin_s > 0 and up_to_s > 0):
        raise ValueError(f"lengths are {frame_s}, {bin_s}, {up_to_s}; give positive seconds")
    # Widths halfway between round numbers: at whole multiples of a frame, rounding would decide.
    widths = (np.arange(200) + 0.5) / 200 * up_to_s
    frame_counts = [frames_in_bins(frame_s, width, 2000) for width in widths]
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.step(widths, [h.max() for h in frame_counts], color=ORANGE, where="mid", label="most")
    top.step(widths, [h.min() for h in frame_counts], color=BLUE, where="mid", label="fewest")
    top.set(ylabel="frames in a bin", ylim=(0, None))
    top.legend(loc="upper left")
    bottom.plot(widths, [h.std() / h.mean() for h in frame_counts], color=GREEN)
    bottom.set(xlabel="width of a bin (s)", ylabel="s.d. / mean", ylim=(0, 1.5), xlim=(0, up_to_s))
    for axes in (top, bottom):
        axes.axvline(bin_s, color="black", linestyle="--", linewidth=1)
    return figure


def beat(
    counts: ArrayLike | None, held: ArrayLike | None, pairs: dict[str, ArrayLike] | None
) -> Figure:
    """Show how event counts depend on the number of frames in a bin.

    Parameters
    ----------
    counts : array_like, shape (N, n_bins), or None
        Events of each neuron in each bin; None gives a figure that says that there are none.
    held : array_like, shape (n_bins,)
        Frames in each bin.
    pairs : dict of str to array_like, shape (N, N)
        Correlations with and without the beat, by title.

    Returns
    -------
    Figure
        Left: events of a neuron in bins that hold one, two, ... frames (median over neurons and
        middle half). Right: distribution of both correlations over pairs.

    Raises
    ------
    ValueError
        If lengths differ.
    """
    if counts is None or held is None or pairs is None:
        return _absent("frames")
    matrix, frames = np.asarray(counts, dtype=float), np.asarray(held)
    if matrix.ndim != 2 or frames.shape != matrix.shape[1:]:
        raise ValueError(f"counts have shape {matrix.shape}, expected (N, {len(frames)})")
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    kinds = np.unique(frames)
    levels = np.array([matrix[:, frames == kind].mean(axis=1) for kind in kinds])
    low, middle, high = np.percentile(levels, (25, 50, 75), axis=1)
    left.errorbar(kinds, middle, (middle - low, high - middle), fmt="o", color=BLUE, capsize=4)
    left.set(xlabel="frames in the bin", ylabel="events per neuron", xticks=kinds, ylim=(0, None))
    left.set_xlim(kinds[0] - 0.5, kinds[-1] + 0.5)
    values = {name: _pairs(correlation, name) for name, correlation in pairs.items()}
    both = np.concatenate(list(values.values()))
    low_edge, high_edge = np.percentile(both, (0.5, 99.5)).tolist()
    bins = np.linspace(low_edge, high_edge, 31)
    for (name, shown), colour in zip(values.items(), (ORANGE, BLUE), strict=False):
        label = f"{name}\nmean {shown.mean():.4f}"
        right.hist(shown, bins=bins, histtype="step", color=colour, linewidth=1.8, label=label)
    right.set(xlabel="correlation", ylabel="pairs of neurons")
    right.xaxis.set_major_locator(MaxNLocator(4))
    right.set_ylim(0, 1.45 * right.get_ylim()[1])
    right.legend(loc="upper right", fontsize="small")
    return figure


def settings(table: pd.DataFrame | None) -> Figure:
    """How functional weights change with the width of bins and with the window.

    Parameters
    ----------
    table : DataFrame or None
        As :func:`cortexrnn.networks.sensitivity.sweep` gives it; None gives a figure that says that
        there were no events.

    Returns
    -------
    Figure
        Columns: bins, window. Rows: mean of the relation over pairs; agreement with the published
        setting over pairs; self-connection over mean other connection.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if table is None:
        return _absent("event times")
    missing = {"setting", "seconds", "mean", "relation_r", "weights_r", "self_ratio"} - set(table)
    if missing:
        raise ValueError(
            f"the table lacks {', '.join(sorted(missing))}; give results of sensitivity.sweep"
        )
    figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
    panels = figure.subplots(3, 2, sharex="col", sharey="row")
    for column, (setting, kept, name) in enumerate(
        (("bin", 0.2, "correlation"), ("window", 0.1, "STTC"))
    ):
        rows = table[table["setting"] == setting].sort_values("seconds")
        first, second, third = panels[:, column]
        first.plot(rows["seconds"], rows["mean"], "o-", color=GREEN)
        first.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        second.plot(rows["seconds"], rows["relation_r"], "o-", color=BLUE, label="relation")
        second.plot(rows["seconds"], rows["weights_r"], "s-", color=ORANGE, label="weights W*")
        third.plot(rows["seconds"], rows["self_ratio"], "o-", color=BLUE)
        third.set(xscale="log", yscale="log", xlabel=f"{setting} (s)")
        third.xaxis.set_major_formatter(ScalarFormatter())
        third.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        third.yaxis.set_major_formatter(ScalarFormatter())
        third.yaxis.set_minor_formatter(NullFormatter())
        first.set_title(f"{name}, by {setting}", loc="left")
        for axes in panels[:, column]:
            axes.axvline(kept, color="black", linestyle="--", linewidth=1)
    for axes, label in zip(
        panels[:, 0], ("mean over pairs", "r with published", "self / others"), strict=True
    ):
        axes.set_ylabel(label)
    panels[1, 0].legend(loc="lower right", fontsize="small")
    return figure
