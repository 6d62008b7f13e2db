"""From the events of a field to its relations and weights, and how settings change them.

The settings are the width of the bins in which events are counted, for correlation and precision,
and the window within which two events coincide, for the spike time tiling coefficient. Events of
two-photon imaging are frames of the microscope; what that does to either is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields import relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field

__all__ = [
    "BOUNDS",
    "FrameGrid",
    "derived",
    "differences",
    "frame_grid",
    "frames_in_bins",
    "recorded",
    "regress_out",
    "signal_correlation",
    "titled",
    "underivable",
]

Floats = NDArray[np.float64]


#: Largest difference to a published relation that counts as a reproduction. That of the precision
#: is relative to its largest entry, since a cross-validated penalty is the end of an iteration.
BOUNDS = {"correlation": 1e-12, "sttc": 1e-9, "precision": 1e-3}


#: Relations that have no direction, and how the book writes them.
TITLES = {"correlation": "correlation", "sttc": "STTC", "precision": "precision"}


#: Times on a finer grid than this, in seconds, are not taken for frames of a microscope.
SHORTEST_FRAME_S = 0.01


def derived(
    field: Field, *, bin_s: float = 0.2, window_s: float = 0.1, precision: bool = True
) -> dict[str, Floats]:
    """Compute the relations of a field from its events.

    Parameters
    ----------
    field : Field
        Field with events.
    bin_s, window_s : float
        Width of the bins of counts, and largest distance of two events that coincide, in seconds.
        The defaults are the published ones.
    precision : bool
        Whether to compute the precision too, which needs scikit-learn and seconds to minutes.

    Returns
    -------
    dict of str to ndarray, shape (N, N)
        ``correlation``, ``sttc`` and, if asked for, ``precision``.

    Raises
    ------
    FieldError
        If the field has no events.
    ImportError
        If the precision is asked for and scikit-learn is missing.
    ValueError
        If a setting is not positive, or a neuron's relation is undefined with it.
    """
    return relations.from_events(
        events_of(field), bin_s=bin_s, window_s=window_s, with_precision=precision
    )


def underivable(field: Field, *, bin_s: float = 0.2, window_s: float = 0.1) -> str:
    """Return the reason why no relations can be computed from the events of a field.

    Parameters
    ----------
    field : Field
        The field.
    bin_s, window_s : float
        As in :func:`derived`.

    Returns
    -------
    str
        The reason, such as that a neuron has no events; empty where they can be computed.
    """
    try:
        derived(field, bin_s=bin_s, window_s=window_s, precision=False)
    except ValueError as error:  # a FieldError is one
        return str(error)
    return ""


def titled(relations: Mapping[str, ArrayLike | None]) -> dict[str, Floats]:
    """Give relations without a direction the names that the book uses.

    Parameters
    ----------
    relations : mapping of str to array, shape (N, N), or None
        By the names of :class:`~cortexrnn.fields.field.Field`.

    Returns
    -------
    dict of str to ndarray, shape (N, N)
        Those that are there, by title: ``correlation``, ``STTC``, ``precision``.
    """
    matrices = {title: relations.get(name) for name, title in TITLES.items()}
    return {title: np.asarray(matrix) for title, matrix in matrices.items() if matrix is not None}


def differences(field: Field, made: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Compare relations computed from events with those that the field carries.

    Parameters
    ----------
    field : Field
        The field.
    made : mapping of str to array, shape (N, N)
        As :func:`derived` gives them; a relation that the field lacks is left out, and so are
        pairs that it did not measure.

    Returns
    -------
    DataFrame
        One row for each relation, indexed by its name. ``difference``: the largest absolute
        difference of two entries; ``largest_entry``: of the field's own; ``relative``: their
        ratio; ``bound`` and ``reproduced``: see :data:`BOUNDS`.

    Raises
    ------
    FieldError
        If the field has none of the relations.
    ValueError
        If a matrix has another shape than the field's own.
    """
    rows = {}
    for name in (key for key in made if key in field.relations):
        own, other = field.relation(name), np.asarray(made[name])
        if other.shape != own.shape:
            raise ValueError(f"{name} has shape {other.shape}; expected {own.shape} as the field's")
        difference, largest = np.nanmax(np.abs(other - own)), np.nanmax(np.abs(own))
        met = difference / (largest if name == "precision" else 1.0) <= BOUNDS[name]
        rows[name] = (difference, largest, difference / largest, BOUNDS[name], bool(met))
    if not rows:
        raise FieldError(f"field {field.name!r} has none of {', '.join(made)} to compare with")
    columns = ["difference", "largest_entry", "relative", "bound", "reproduced"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("relation")


def recorded() -> pd.DataFrame:
    """Read what ``tools/derive.py`` computed for published fields with events.

    Returns
    -------
    DataFrame
        One row for each field and relation: what :func:`differences` gives, the size of the
        recording, digests of the files compared, versions of what computed it.
    """
    with (resources.files("cortexrnn") / "data" / "derivation.csv").open(encoding="utf-8") as file:
        table: pd.DataFrame = pd.read_csv(file)
    return table


@dataclass(frozen=True)
class FrameGrid:
    """The grid of frames on which event times lie.

    Parameters
    ----------
    frame_s : float
        Time from one frame to the next in seconds.
    departure : float
        Largest distance of an event from the nearest frame, in frames.
    """

    frame_s: float
    departure: float

    @property
    def holds(self) -> bool:
        """Whether times lie on frames at all, to a hundredth of a frame."""
        return self.departure < 0.01 and self.frame_s > SHORTEST_FRAME_S


def frame_grid(events: Sequence[ArrayLike]) -> FrameGrid:
    """Find the frames on which event times lie.

    Parameters
    ----------
    events : sequence of N arrays
        Event times of each neuron in seconds.

    Returns
    -------
    FrameGrid
        The smallest step between two times, refined by the latest time. Its ``holds`` says
        whether there is such a grid.

    Raises
    ------
    ValueError
        If there are fewer than two different times.
    """
    times = np.unique(np.concatenate([np.asarray(t, dtype=float) for t in events]).round(6))
    if len(times) < 2:
        raise ValueError(f"{len(times)} different event times make no grid; give two or more")
    frame_s = times[-1] / np.round(times[-1] / np.diff(times).min())
    place = times / frame_s
    return FrameGrid(float(frame_s), float(np.abs(place - np.round(place)).max()))


def frames_in_bins(frame_s: float, bin_s: float, n_bins: int) -> NDArray[np.int64]:
    """Count the frames that fall into each bin, the first frame at time 0.

    Parameters
    ----------
    frame_s, bin_s : float
        Length of a frame and width of a bin in seconds.
    n_bins : int
        Number of bins.

    Returns
    -------
    ndarray of int, shape (n_bins,)
        Frames in each bin. A time on an edge belongs to the bin that begins there, as in
        :func:`cortexrnn.fields.relations.bin_events`.

    Raises
    ------
    ValueError
        If a length is not positive.
    """
    if not (frame_s > 0 and bin_s > 0 and n_bins > 0):
        raise ValueError(
            f"frame_s, bin_s, n_bins are {frame_s}, {bin_s}, {n_bins}; give positive numbers"
        )
    edges = np.arange(n_bins + 1) * bin_s
    frames = np.arange(int(np.ceil(edges[-1] / frame_s)) + 1) * frame_s
    return np.diff(np.searchsorted(frames, edges, side="left"))


def signal_correlation(counts: ArrayLike, signal: ArrayLike) -> Floats:
    """Correlation of every neuron's counts with one signal, such as the frames in each bin.

    Parameters
    ----------
    counts : array, shape (N, n_bins)
        Counts per neuron and bin.
    signal : array, shape (n_bins,)
        The signal.

    Returns
    -------
    ndarray, shape (N,)
        Pearson coefficients. Two neurons that have nothing else in common are correlated by the
        product of theirs. All 0 for a signal that does not vary.

    Raises
    ------
    ValueError
        If the lengths differ, or as in :func:`cortexrnn.fields.relations.correlation`.
    """
    matrix, values = _with_signal(counts, signal)
    if np.ptp(values) == 0:
        return np.zeros(len(matrix))
    return np.asarray(relations.correlation(np.vstack([matrix, values]))[-1, :-1])


def regress_out(counts: ArrayLike, signal: ArrayLike) -> Floats:
    """Take the linear dependence on one signal out of counts.

    Parameters
    ----------
    counts : array, shape (N, n_bins)
        Counts per neuron and bin.
    signal : array, shape (n_bins,)
        The signal.

    Returns
    -------
    ndarray, shape (N, n_bins)
        Residuals of a regression with intercept.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    matrix, values = _with_signal(counts, signal)
    residual: Floats = matrix - matrix.mean(axis=1, keepdims=True)
    if np.ptp(values) == 0:
        return residual
    centred = values - values.mean()
    return np.asarray(residual - np.outer(residual @ centred / (centred @ centred), centred))


def _with_signal(counts: ArrayLike, signal: ArrayLike) -> tuple[Floats, Floats]:
    """Return counts and signal as float arrays of one length."""
    matrix, values = np.asarray(counts, dtype=float), np.asarray(signal, dtype=float)
    if matrix.ndim != 2 or values.shape != matrix.shape[1:]:
        raise ValueError(
            f"counts have shape {matrix.shape} and the signal {values.shape}; expected (N, n_bins) "
            "and (n_bins,)"
        )
    return matrix, values


def events_of(field: Field) -> tuple[Floats, ...]:
    """Events of a field, or an error that says that there are none."""
    if field.events is None:
        raise FieldError(
            f"field {field.name!r} came without event times, from which its relations would be "
            "computed; load it from a place that has its spikes file, or take another field"
        )
    return field.events
