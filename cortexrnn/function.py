"""From events to counts, and from counts and events to functional relations.

A *train* is the sorted event times of one neuron, in seconds from the start of the recording. The
conventions are those that reproduce the published matrices: the recording ends a tenth of a second
after the last event of the field, counts are taken in 200 ms bins, and two events coincide when
they are at most 100 ms apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bin_events", "correlation", "precision", "sttc"]

Floats = NDArray[np.float64]

#: Seconds between the last event of a field and the end of its recording.
TAIL_S = 0.1

#: Most counts (neurons times bins) that are made, 4 GB; the largest published field has 20 million.
MOST_COUNTS = 500_000_000


def bin_events(
    events: Sequence[ArrayLike], *, bin_s: float = 0.2, duration_s: float | None = None
) -> Floats:
    """Count the events of every neuron in consecutive time bins.

    Edges stand at 0, ``bin_s``, 2 ``bin_s``, ... strictly below the end of the recording: what
    follows the last edge is less than a bin and is not counted.

    Parameters
    ----------
    events : sequence of N arrays
        Event times of each neuron in seconds, sorted. A train may be empty, not all of them.
    bin_s : float
        Width of a bin in seconds.
    duration_s : float, optional
        Length of the recording in seconds; by default the last event of the field plus 0.1 s.

    Returns
    -------
    counts : ndarray, shape (N, n_bins), float64
        Whole numbers.

    Raises
    ------
    ValueError
        If a train is unsorted, negative or not finite, if no neuron has an event, if an event
        lies after ``duration_s``, or if the recording is shorter than one bin or has so many bins
        that the times are hardly seconds.
    """
    trains = _checked_trains(events)
    width = _checked_positive(bin_s, "bin_s")
    stop = _recording_end(trains, duration_s)
    if len(trains) * stop / width > MOST_COUNTS:
        raise ValueError(
            f"a recording of {stop:g} s has {stop / width:.3g} bins of {width:g} s for "
            f"{len(trains)} neurons, more than fit in memory; give times in seconds, or wider bins"
        )
    edges = np.arange(0.0, stop, width)
    n_bins = edges.size - 1
    if n_bins < 1:
        raise ValueError(
            f"a recording of {stop:g} s holds no bin of {width:g} s; choose a smaller bin_s"
        )
    counts = np.zeros((len(trains), n_bins))
    for row, train in zip(counts, trains, strict=True):
        inside = train[train <= edges[-1]]
        # An event on the very last edge belongs to the last bin, as in numpy.histogram.
        place = np.minimum(np.searchsorted(edges, inside, side="right") - 1, n_bins - 1)
        row += np.bincount(place, minlength=n_bins)
    return counts


def correlation(counts: ArrayLike) -> Floats:
    """Pearson correlation between the rows of a matrix of counts.

    For whole counts every sum is an exact integer, so the result does not depend on the number
    of threads or on the machine.

    Parameters
    ----------
    counts : array, shape (N, n_bins)
        Counts per neuron and bin, as from `bin_events`.

    Returns
    -------
    correlation : ndarray, shape (N, N), float64
        Symmetric, diagonal 1, entries in [-1, 1].

    Raises
    ------
    ValueError
        If ``counts`` is not a finite matrix of at least two bins, or if a neuron has the same
        count in every bin: its correlation is undefined, and the message names it.
    """
    matrix = _checked_counts(counts)
    constant = np.flatnonzero(np.ptp(matrix, axis=1) == 0)
    if constant.size:
        raise ValueError(
            f"neuron {constant[0]} has the count {matrix[constant[0], 0]:g} in every bin, so its "
            f"correlation is undefined; leave out the {constant.size} such neurons"
        )
    n_bins = matrix.shape[1]
    if not np.array_equal(matrix, np.rint(matrix)):
        matrix = matrix - matrix.mean(axis=1, keepdims=True)
    total = matrix.sum(axis=1)
    # n_bins times the sums of products about the mean: integers, hence exact, for whole counts.
    products = n_bins * (matrix @ matrix.T) - np.outer(total, total)
    variance = products.diagonal()
    result = products / (np.sqrt(variance)[:, None] * np.sqrt(variance)[None, :])
    result = np.clip((result + result.T) / 2, -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def precision(counts: ArrayLike) -> Floats:
    """Inverse covariance of the counts by the graphical lasso with cross-validated penalty.

    scikit-learn's ``GraphicalLassoCV`` with its defaults, on raw, unstandardised counts: what the
    published precision matrices are.

    Parameters
    ----------
    counts : array, shape (N, n_bins)
        Counts per neuron and bin, as from `bin_events`.

    Returns
    -------
    precision : ndarray, shape (N, N), float64
        Symmetric, in units of one over squared counts.

    Raises
    ------
    ImportError
        If scikit-learn is missing; it comes with the extra ``cortexrnn[microns]``.
    ValueError
        As in `correlation`, for a matrix that is not finite or has fewer than two bins.
    """
    matrix = _checked_counts(counts)
    try:
        from sklearn.covariance import GraphicalLassoCV
    except ImportError as error:
        raise ImportError(
            "the precision matrix needs scikit-learn: pip install 'cortexrnn[microns]'"
        ) from error
    estimate = np.asarray(GraphicalLassoCV().fit(matrix.T).precision_, dtype=np.float64)
    return (estimate + estimate.T) / 2


def sttc(
    events: Sequence[ArrayLike], *, window_s: float = 0.1, duration_s: float | None = None
) -> Floats:
    """Spike time tiling coefficient of every pair of neurons.

    With T_A the share of the recording within ``window_s`` of an event of A, and P_A the share of
    A's events within ``window_s`` of an event of B, the coefficient is
    ``((P_A - T_B) / (1 - P_A T_B) + (P_B - T_A) / (1 - P_B T_A)) / 2``; a term with
    ``P T = 1`` is 1 (Cutts and Eglen 2014, doi 10.1523/JNEUROSCI.2767-14.2014).

    Parameters
    ----------
    events : sequence of N arrays
        Event times of each neuron in seconds, sorted, none empty.
    window_s : float
        Two events coincide when they are at most this many seconds apart.
    duration_s : float, optional
        Length of the recording in seconds; by default the last event of the field plus 0.1 s.

    Returns
    -------
    sttc : ndarray, shape (N, N), float64
        Symmetric, diagonal 1, entries in [-1, 1].

    Raises
    ------
    ValueError
        If a train is empty, unsorted, negative or not finite, if an event lies after
        ``duration_s``, or if ``window_s`` is not positive.
    """
    trains = _checked_trains(events)
    window = _checked_positive(window_s, "window_s")
    stop = _recording_end(trains, duration_s)
    for neuron, train in enumerate(trains):
        if not train.size:
            raise ValueError(
                f"neuron {neuron} has no events, so its STTC is undefined; leave it out"
            )
    covered = np.array([_covered_share(train, window, stop) for train in trains])
    sizes = np.array([train.size for train in trains])
    # near[a, b]: share of a's events within the window of an event of b.
    near = _coincidence_counts(trains, window) / sizes[:, None]
    terms = _tiling_terms(near, covered[None, :])
    result = (terms + terms.T) / 2
    np.fill_diagonal(result, 1.0)
    return result


def _coincidence_counts(trains: list[Floats], window: float) -> NDArray[np.int64]:
    """Count the events of each neuron that lie within the window of an event of each other.

    Returns shape (N, N), row = whose events are counted, column = whose events they lie near.
    """
    n = len(trains)
    owner = np.repeat(np.arange(n), [train.size for train in trains])
    pooled = np.concatenate(trains)
    order = np.argsort(pooled, kind="stable")
    pooled, owner = pooled[order], owner[order]
    counts = np.empty((n, n), dtype=np.int64)
    for neuron, train in enumerate(trains):
        start = np.searchsorted(pooled, train - window, side="left")
        end = np.searchsorted(pooled, train + window, side="right")
        # Windows that overlap are cut where the one before ends: nobody is counted twice.
        start[1:] = np.maximum(start[1:], end[:-1])
        lengths = end - start
        offsets = np.repeat(start - np.cumsum(lengths) + lengths, lengths)
        counts[:, neuron] = np.bincount(owner[offsets + np.arange(offsets.size)], minlength=n)
    return counts


def _covered_share(train: Floats, window: float, stop: float) -> float:
    """Share of the recording [0, stop] within the window of an event of one train."""
    start = np.maximum(train - window, 0.0)
    end = np.minimum(train + window, stop)
    start[1:] = np.maximum(start[1:], end[:-1])
    return float((end - start).sum() / stop)


def _tiling_terms(near: Floats, covered: Floats) -> Floats:
    """Compute ``(P - T) / (1 - P T)``, and 1 where ``P T`` is 1; all arguments broadcast."""
    remainder = 1.0 - near * covered
    defined = remainder > 0
    return np.where(defined, (near - covered) / np.where(defined, remainder, 1.0), 1.0)


def _checked_trains(events: Sequence[ArrayLike]) -> list[Floats]:
    """Event trains as float64 arrays, or an error that names the neuron and the fault."""
    trains = [
        _checked_numbers(train, f"events of neuron {neuron}") for neuron, train in enumerate(events)
    ]
    if not trains:
        raise ValueError("events holds no neuron; give one array of event times per neuron")
    for neuron, train in enumerate(trains):
        if train.ndim != 1:
            raise ValueError(
                f"events of neuron {neuron} have shape {train.shape}; give a flat array of seconds"
            )
        bad = np.flatnonzero(~np.isfinite(train))
        if bad.size:
            raise ValueError(
                f"event {bad[0]} of neuron {neuron} is {train[bad[0]]}; times must be finite"
            )
        steps = np.flatnonzero(np.diff(train) < 0)
        if steps.size:
            later, earlier = train[steps[0]], train[steps[0] + 1]
            raise ValueError(
                f"events of neuron {neuron} are not sorted: {earlier:g} s follows {later:g} s; "
                "sort them in time"
            )
        if train.size and train[0] < 0:
            raise ValueError(
                f"neuron {neuron} has an event at {train[0]:g} s; time starts at 0, shift the train"
            )
    return trains


def _checked_numbers(values: ArrayLike, name: str) -> Floats:
    """Real numbers as float64, or an error: text, booleans and masked values are not taken."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} are not an array ({error}); give rows of one length") from error
    if array.size and (array.dtype.kind not in "iuf" or np.ma.isMaskedArray(values)):
        kind = "masked values" if np.ma.isMaskedArray(values) else str(array.dtype)
        raise ValueError(f"{name} hold {kind}; give plain real numbers")
    return array.astype(np.float64)


def _checked_positive(value: float, name: str) -> float:
    """Return the value as a float, or an error if it is not a positive number of seconds."""
    usable = isinstance(value, int | float | np.number) and not isinstance(value, bool | complex)
    if not (usable and np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; give a positive number of seconds")
    return float(value)


def _recording_end(trains: list[Floats], duration_s: float | None) -> float:
    """End of the recording in seconds, given or 0.1 s after the last event."""
    last = max((train[-1] for train in trains if train.size), default=None)
    if duration_s is not None:
        stop = _checked_positive(duration_s, "duration_s")
        if last is not None and last > stop:
            raise ValueError(
                f"an event at {last:g} s lies after the end of the recording, duration_s = "
                f"{stop:g}; give the true duration or cut the trains"
            )
        return stop
    if last is None:
        raise ValueError("no neuron has an event, so the recording has no end; give duration_s")
    return float(last) + TAIL_S


def _checked_counts(counts: ArrayLike) -> Floats:
    """Return counts as a float64 matrix, or an error that says what is wrong with them."""
    matrix = _checked_numbers(counts, "counts")
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise ValueError(
            f"counts have shape {matrix.shape}; give a matrix (neurons, bins) of two bins or more"
        )
    bad = np.argwhere(~np.isfinite(matrix))
    if bad.size:
        neuron, place = bad[0]
        raise ValueError(
            f"the count of neuron {neuron} in bin {place} is {matrix[neuron, place]}; counts must "
            "be finite"
        )
    return matrix
