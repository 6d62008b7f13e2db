"""From traces to events, to counts, and from counts and events to functional relations.

A *train* is the sorted event times of one neuron, in seconds from the start of the recording. The
conventions are those that reproduce the published matrices: the recording ends a tenth of a second
after the last event of the field, counts are taken in 200 ms bins, and two events coincide when
they are at most 100 ms apart.

Events come from deconvolved traces: `trace_events` takes their local maxima. Where only the
fluorescence is available, `redeconvolve` deconvolves it once more; the result is never the trace
that the release deconvolved, and carries a name of its own for that reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.inputs.alignment import numbers_itself
from cortexrnn.fields.inputs.event_trains import RASTER, is_raster, read
from cortexrnn.fields.inputs.physical_units import since, unit_of

__all__ = ["bin_events", "correlation", "precision", "redeconvolve", "sttc", "trace_events"]

Floats = NDArray[np.float64]

#: Seconds between the last event of a field and the end of its recording.
TAIL_S = 0.1

#: Largest number of counts (neurons times bins) that are made, 4 GB; the largest published
#: field has 20 million.
MOST_COUNTS = 500_000_000


def from_events(
    events: Sequence[ArrayLike],
    *,
    bin_s: float = 0.2,
    window_s: float = 0.1,
    duration_s: float | None = None,
    with_precision: bool = False,
) -> dict[str, Floats]:
    """Compute the functional relations of a field from its events.

    Parameters
    ----------
    events : sequence of N arrays
        Event times of each neuron in seconds, sorted, none empty.
    bin_s, window_s, duration_s : float
        In seconds, as in `bin_events` and `sttc`.
    with_precision : bool
        Whether to compute the precision too, which needs scikit-learn and seconds to minutes.

    Returns
    -------
    dict of str to ndarray, shape (N, N)
        ``correlation``, ``sttc`` and, if asked for, ``precision``.

    Raises
    ------
    ImportError
        If the precision is asked for and scikit-learn is missing.
    ValueError
        As in `bin_events`, `correlation`, `sttc` and `precision`.
    """
    counts = bin_events(events, bin_s=bin_s, duration_s=duration_s)
    computed = {
        "correlation": correlation(counts),
        "sttc": sttc(events, window_s=window_s, duration_s=duration_s),
    }
    return computed | ({"precision": precision(counts)} if with_precision else {})


def redeconvolve(fluorescence: ArrayLike, *, order: Literal[1, 2] = 2) -> Floats:
    """Deconvolve calcium fluorescence anew, one trace after the other.

    The release deconvolved its traces with CaImAn (``constrained_foopsi`` with an autoregressive
    model of order 2 and a free baseline) and its NWB files hold only the fluorescence. Here OASIS
    does it, with the same order and a free baseline, all other settings as in ``oasis-deconv``. How
    close the two come has not been measured, so say "re-deconvolved" wherever this is used.

    Parameters
    ----------
    fluorescence : array, shape (N, n_frames)
        One row per neuron, in any unit.
    order : {2, 1}
        Order of the autoregressive model of the calcium: 2 has a rise and a decay, 1 only a decay.

    Returns
    -------
    trace : ndarray, shape (N, n_frames), float64
        Activity, 0 or more, in the unit of the fluorescence.

    Raises
    ------
    ImportError
        If ``oasis-deconv`` is missing; it comes with the extra ``cortexrnn[microns]``.
    ValueError
        If the fluorescence is no finite matrix of at least three frames, or a row is constant.
    """
    traces = _checked_traces(fluorescence, "fluorescence")
    if order not in (1, 2):
        raise ValueError(f"order is {order!r}; give 2 (rise and decay) or 1 (decay only)")
    flat = np.flatnonzero(np.ptp(traces, axis=1) == 0)
    if flat.size:
        raise ValueError(
            f"the fluorescence of neuron {flat[0]} is {traces[flat[0], 0]:g} in every frame: "
            f"nothing can be deconvolved; leave out the {flat.size} such neurons"
        )
    try:
        from oasis.functions import deconvolve
    except ImportError as error:
        raise ImportError(
            "deconvolution needs oasis-deconv: pip install -e '.[microns]'; events can also "
            "be taken from a trace that is already deconvolved, with trace_events"
        ) from error
    rise = 0 if order == 1 else None
    activity = [deconvolve(row, tau_r=rise, b_nonneg=False)[1] for row in traces]
    return np.maximum(np.asarray(activity, dtype=np.float64), 0.0)


def trace_events(
    traces: ArrayLike, *, frame_rate_hz: float, threshold: float = 0.0
) -> list[Floats]:
    """Take the local maxima of deconvolved traces as events.

    Frame k is an event if the trace there is above the threshold, larger than one frame before, and
    falls afterwards. A plateau, equal values in a row, counts once, at its first frame, and only if
    the trace falls at its end. The first and the last frame have one neighbour only and are never
    events. Two events of a neuron are therefore at least two frames apart, and frames 1 to
    ``n_frames - 2``, counted from 0, can hold one.

    Parameters
    ----------
    traces : array, shape (N, n_frames)
        Deconvolved activity, one row per neuron; frame k was taken ``k / frame_rate_hz`` seconds
        after the start.
    frame_rate_hz : float
        Frames per second: nominally 6.3009 in sessions 4 to 8 of MICrONS. There is no default,
        since session 9 was imaged at another rate.
    threshold : float
        Maxima up to this value are no events, in the unit of the traces. The default 0 keeps every
        positive maximum.

    Returns
    -------
    events : list of N ndarrays, float64
        Sorted times in seconds; empty for a trace without such a maximum.

    Raises
    ------
    ValueError
        If the traces are no finite matrix of at least three frames, the frame rate is not positive
        or the threshold is negative or not finite.
    """
    matrix = _checked_traces(traces, "traces")
    rate = float(frame_rate_hz)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(
            f"frame_rate_hz is {frame_rate_hz}; give a positive number of frames a second"
        )
    if not (np.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold is {threshold}; give 0 or a positive number")
    return [_maxima(row, threshold) / rate for row in matrix]


def _maxima(trace: Floats, threshold: float) -> NDArray[np.int64]:
    """Frames of the local maxima of one trace, plateaus at their first frame."""
    starts = np.flatnonzero(np.diff(trace, prepend=np.nan) != 0)  # of runs of equal values
    levels = trace[starts]
    inner = levels[1:-1]
    peaks = (inner > levels[:-2]) & (inner > levels[2:]) & (inner > threshold)
    return starts[1:-1][peaks]


def bin_events(
    events: Sequence[ArrayLike], *, bin_s: float = 0.2, duration_s: float | None = None
) -> Floats:
    """Count the events of every neuron in consecutive time bins.

    Edges are at 0, ``bin_s``, 2 ``bin_s``, ... strictly below the end of the recording. What
    follows the last edge is not counted: less than a bin, or one bin where the recording is a
    whole number of bins long.

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
        that the times can hardly be in seconds.
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
    ratio = products / (np.sqrt(variance)[:, None] * np.sqrt(variance)[None, :])
    result: Floats = np.clip((ratio + ratio.T) / 2, -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def precision(
    counts: ArrayLike,
    *,
    alphas: int | Sequence[float] = 4,
    n_refinements: int = 4,
    cv: int = 5,
    tol: float = 1e-4,
    enet_tol: float = 1e-4,
    max_iter: int = 100,
    mode: Literal["cd", "lars"] = "cd",
    assume_centered: bool = False,
    n_jobs: int | None = None,
) -> Floats:
    """Inverse covariance of the counts by the graphical lasso with cross-validated penalty.

    scikit-learn's ``GraphicalLassoCV`` on raw, unstandardised counts. The defaults are those of
    scikit-learn, written out, and give the published precision matrices. Slow: seconds for a
    hundred neurons, minutes for six hundred.

    Parameters
    ----------
    counts : array, shape (N, n_bins)
        Counts per neuron and bin, as from `bin_events`.
    alphas : int or sequence of float
        Number of penalties on the grid, or the penalties themselves.
    n_refinements : int
        How often the grid is refined around its best penalty.
    cv : int
        Number of folds, consecutive in time.
    tol, enet_tol : float
        Tolerances of the dual gap and of the inner elastic net.
    max_iter : int
        Largest number of iterations per fit.
    mode : {"cd", "lars"}
        Coordinate descent, or least angle regression for very sparse graphs.
    assume_centered : bool
        Whether the means of the counts are taken to be 0.
    n_jobs : int, optional
        Processes for the folds. It changes nothing but the time.

    Returns
    -------
    precision : ndarray, shape (N, N), float64
        Symmetric, in units of one over squared counts.

    Raises
    ------
    ImportError
        If scikit-learn is missing; it comes with the extra ``cortexrnn[microns]``.
    ValueError
        As in `correlation`, for a matrix that is not finite or has fewer than two bins, and if two
        neurons have the same counts: their covariance cannot be inverted.
    """
    matrix = _checked_counts(counts)
    _all_different(matrix)
    try:
        from sklearn.covariance import GraphicalLassoCV
    except ImportError as error:
        raise ImportError(
            "the precision matrix needs scikit-learn: pip install -e '.[microns]'"
        ) from error
    lasso = GraphicalLassoCV(
        alphas=alphas,
        n_refinements=n_refinements,
        cv=cv,
        tol=tol,
        enet_tol=enet_tol,
        max_iter=max_iter,
        mode=mode,
        assume_centered=assume_centered,
        n_jobs=n_jobs,
    )
    estimate = np.asarray(lasso.fit(matrix.T).precision_, dtype=np.float64)
    return (estimate + estimate.T) / 2


def _all_different(matrix: Floats) -> None:
    """Refuse two neurons with the same counts, as of a unit that was given twice."""
    first: dict[bytes, int] = {}
    for neuron, row in enumerate(matrix):
        other = first.setdefault(row.tobytes(), neuron)
        if other != neuron:
            raise ValueError(
                f"neurons {other} and {neuron} have the same count in every bin, so the covariance "
                "cannot be inverted; keep one of them"
            )


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
        # Windows that overlap are cut where the one before ends: no event is counted twice.
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
        _checked_numbers(train, f"events of neuron {neuron}")
        for neuron, train in enumerate(_in_seconds(events))
    ]
    if not trains:
        raise ValueError("events holds no neuron; give one array of event times per neuron")
    for neuron, train in enumerate(trains):
        if train.ndim == 1 and is_raster(train) and (np.diff(train) < 0).any():
            raise ValueError(f"events of neuron {neuron} are no times: {RASTER}")
        if train.ndim != 1:
            raise ValueError(
                f"events of neuron {neuron} have shape {train.shape}; give a flat array of "
                "seconds, train.ravel() of a row or column"
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


def _in_seconds(events: Any) -> Any:
    """Trains with units in seconds from the start of the recording; labelled ones are refused."""
    index = getattr(events, "index", None)
    if isinstance(events, Mapping) or (isinstance(index, pd.Index) and not numbers_itself(index)):
        raise ValueError(
            "events name their neurons, and relations come as plain matrices; put them in order "
            "with cortexrnn.fields.sources.arrays.read_events(events, ids=ids)"
        )
    if not any(unit_of(train) or hasattr(train, "time_support") for train in events):
        return events
    trains = read(events, "events")
    return [since(train, trains.start, "events") for train in trains.items]


def _checked_numbers(values: ArrayLike, name: str) -> Floats:
    """Real numbers as float64, or an error: text, booleans and masked values are refused."""
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


def _checked_traces(values: ArrayLike, name: str) -> Floats:
    """Return traces as a float64 matrix, or an error that says what is wrong with them."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 3:
        raise ValueError(
            f"{name} has shape {matrix.shape}; give a matrix (neurons, frames) of three frames or "
            "more"
        )
    bad = np.argwhere(~np.isfinite(matrix))
    if bad.size:
        neuron, frame = bad[0]
        raise ValueError(
            f"{name} of neuron {neuron} is {matrix[neuron, frame]} in frame {frame}; traces must "
            "be finite"
        )
    return matrix
