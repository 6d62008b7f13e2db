"""Read event times: of which neuron, in which unit, on which clock.

Anything that names its neurons (a dictionary, a series, a table, a group of pynapple, the units of
an NWB file) is aligned by the names; a list is taken in the order of `ids`. Times with a unit
become seconds, and a train that knows when its recording began (neo) is counted from there. Whether
plain numbers can be seconds of one recording is checked in :func:`on_clock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.errors import FieldError, warn
from cortexrnn.fields.inputs import alignment, physical_units, tables

__all__ = ["RASTER", "Trains", "is_raster", "on_clock", "one_span", "read", "seconds"]

#: Fewest events by which to judge whether times are seconds of one recording.
ENOUGH = 20

#: Seconds after which no recording begins by its own clock: three years. Unix time is beyond.
CALENDAR_S = 1e8

#: A recording of more seconds than LONG_S, a quarter of a day, in which a neuron hardly ever
#: had two events within CLOSE_S, was counted in another unit: in milliseconds refractory periods
#: are longer than 1, and frames follow each other at 1.
LONG_S = 21_600.0
CLOSE_S = 0.9

#: Names of the column of times, in lower case.
TIME = ("time", "times", "spike_times")

#: Coarsest steps, in seconds, in which times may be stored without a warning.
COARSE_S = 0.01


@dataclass(frozen=True)
class Trains:
    """Events of every neuron, in the order of the source.

    Parameters
    ----------
    items : list of N
        Times as :func:`seconds` gives them.
    labels : ndarray of int64, shape (N,), or None
        Ids of their neurons; None where the source does not name them.
    where : str
        Name of the source in messages.
    start, stop : float or None
        When the recording began and ended, in seconds on the clock of the times, where the source
        says so.
    numbered : bool
        Whether the labels are only the default row numbers of a table.
    with_unit : bool
        Whether the times carried a unit, so that it need not be guessed.
    complete : bool
        See :class:`~cortexrnn.fields.inputs.alignment.Labelled`. False: silent neurons may be
        missing.
    """

    items: list[NDArray[Any]]
    labels: NDArray[np.int64] | None
    where: str
    start: float | None = None
    stop: float | None = None
    numbered: bool = False
    with_unit: bool = False
    complete: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def align(self, ids: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Return the trains in the order of the neurons; one that does not occur has no events."""
        alignment.refuse_ambiguous_numbers(self.numbered, ids, self.where)
        if self.labels is None:
            if len(self.items) != len(ids):
                raise FieldError(
                    f"{self.where}: {len(self.items)} arrays for {len(ids)} neurons; pass one "
                    "for each, empty if silent"
                )
            return self.items
        alignment.known(self.labels, ids, self.where)
        by_id = dict(zip(self.labels.tolist(), self.items, strict=True))
        return [by_id.get(i, np.empty(0)) for i in ids.tolist()]

    def on_clock(
        self, aligned: Sequence[NDArray[Any]], start: Any, *, in_seconds: bool = False
    ) -> list[NDArray[Any]]:
        """Count aligned trains from the start of the recording, see :func:`on_clock`."""
        begin = self.start if start is None else start
        return on_clock(aligned, self.where, start=begin, in_seconds=in_seconds or self.with_unit)

    @property
    def duration(self) -> float | None:
        """Length of the recording in seconds, where the source knows it."""
        if self.stop is None:
            return None
        return float(physical_units.since(np.array([self.stop]), self.start, self.where)[0])


def read(source: Any, where: str) -> Trains:
    """Read event times of any kind.

    Parameters
    ----------
    source
        See the top of the module.
    where : str
        Its name in messages.

    Returns
    -------
    Trains

    Raises
    ------
    FieldError
        If it cannot be read, and for a raster or counts in place of times.
    """
    numbered = False
    if hasattr(source, "to_dataframe") and hasattr(source, "colnames"):
        source = _of_units(source, where)
    if tables.is_table(source):
        return _of_table(source, where)
    if hasattr(source, "groups") and hasattr(source, "obj"):  # a groupby of pandas
        source = {key[0] if isinstance(key, tuple) else key: part for key, part in source}
    if _is_long(source):
        return _of_pairs(source.index, source, where)
    names: Any = None
    if isinstance(source, Mapping):
        names, items = list(source), [source[key] for key in source]
    else:
        names = alignment.axis_labels(source, 0) if getattr(source, "ndim", 0) == 1 else None
        numbered = alignment.numbers_itself(names)
        items = _listed(source, where)
    neuron_names = names if names is not None else _annotated(items)
    ids = None if neuron_names is None else alignment.ids_of(neuron_names, where)
    titles = [f"{where}[{k}]" for k in range(len(items))]
    if ids is not None:
        titles = [f"{where} of neuron {i}" for i in ids.tolist()]
    with_unit = any(physical_units.unit_of(item) is not None for item in items)
    trains = _with_base(Trains([], ids, where, numbered=numbered, with_unit=with_unit), items)
    return replace(trains, items=[seconds(t, w) for t, w in zip(items, titles, strict=True)])


def _listed(source: Any, where: str) -> list[Any]:
    """Return the trains of a sequence."""
    if hasattr(source, "tocoo"):
        raise FieldError(f"{where}: {RASTER}")
    if hasattr(source, "time_support") or not isinstance(source, Iterable):
        lies = ", its .units hold the trains" if hasattr(source, "units") else ""
        raise FieldError(
            f"{where}: one {type(source).__name__}{lies}; pass one array of seconds for each neuron"
        )
    inside: Any = source
    if hasattr(source, "dims") and physical_units.unit_of(source) is None:  # xarray
        inside = inside.values
    try:
        return list(inside)
    except TypeError as error:
        raise FieldError(
            f"{where}: {type(source).__name__} is not a sequence ({error}); pass one array of "
            "seconds for each neuron"
        ) from error


def _annotated(items: Sequence[Any]) -> list[Any] | None:
    """Ids that trains of neo carry as an annotation, if all do."""
    notes = [getattr(item, "annotations", None) for item in items]
    if not items or not all(isinstance(note, Mapping) and "id" in note for note in notes):
        return None
    return [note["id"] for note in notes if note is not None]


def _is_long(source: Any) -> bool:
    """Check for a series with one row for each event and the neuron as its index."""
    return isinstance(source, pd.Series) and source.dtype != object and source.index.nlevels == 1


def _of_pairs(owners: Any, times: pd.Series, where: str) -> Trains:
    """Trains from one row for each event."""
    if alignment.numbers_itself(owners):
        raise FieldError(
            f"{where}: a flat series of {len(times)} numbers does not name their neurons; set its "
            "index to ids, or pass one array for each neuron"
        )
    owner_ids = alignment.as_ids(owners, where)
    event_times = (
        seconds(times, where) if times.dtype.kind in "mMiuf" else tables.numbers(times, where)
    )
    order = np.lexsort((event_times, owner_ids))
    ids, starts = np.unique(owner_ids[order], return_index=True)
    return Trains(np.split(event_times[order], starts[1:]), ids, where)


def _of_table(source: Any, where: str) -> Trains:
    """Trains from a table with columns id and time."""
    table, where = tables.frame(source, where)
    time_column = tables.column(table, TIME, where)
    if time_column is None:
        tables.columns(table, ("id", "time"), where)
    (id_column,) = tables.columns(table, ("id",), where)
    tables.unread(table, (id_column, time_column, "obs_intervals"), where)
    times = table[time_column]
    if table.attrs.get("units"):
        raise FieldError(
            f"{where}: attrs say that the unit is {table.attrs['units']!r}; convert the column "
            f"{time_column} to seconds and delete the note"
        )
    if times.dtype == object and isinstance(times.iloc[0], list | tuple | np.ndarray):
        _observed(table, id_column, where)
        return read(
            pd.Series(times.to_list(), index=pd.Index(table[id_column], dtype=object)), where
        )
    times = times.infer_objects()
    if times.dtype.kind not in "mM":
        times = pd.Series(tables.numbers(times, f"{where}, column {time_column}"))
    owners = alignment.as_ids(table[id_column], f"{where}, column {id_column}")
    return _of_pairs(owners, times, where)


def _of_units(source: Any, where: str) -> pd.DataFrame:
    """Table of the units of an NWB file."""
    table = source.to_dataframe()
    if "spike_times" not in table:
        raise FieldError(f"{where}: the units have no spike_times; there is nothing to read")
    return table.rename_axis("id").reset_index()


def _observed(table: pd.DataFrame, id_column: str, where: str) -> None:
    """Refuse units that an NWB file says were observed with gaps."""
    if "obs_intervals" in table:
        for unit, spans in zip(table[id_column], table["obs_intervals"], strict=True):
            one_span(len(np.atleast_2d(spans)), f"{where} of neuron {unit}")


def one_span(n: int, where: str) -> None:
    """Refuse a recording with gaps: relations would take them for silence.

    Parameters
    ----------
    n : int
        Number of spans of time that were recorded.
    where : str
        Name of the source in messages.

    Raises
    ------
    FieldError
        If there is more than one.
    """
    if n > 1:
        raise FieldError(
            f"{where}: observed in {n} spans of time, and the gaps between them would count as "
            "silence; cut all trains to one span"
        )


def _with_base(trains: Trains, items: Sequence[Any]) -> Trains:
    """Read when the recording began and ended, and that it has no gaps."""
    bases = []
    for item in items:
        support = getattr(item, "time_support", None)
        if support is not None:
            one_span(len(support), trains.where)
        span = [getattr(item, name, None) for name in ("t_start", "t_stop")]
        if span[0] is not None and span[1] is not None:
            bases.append(
                tuple(physical_units.scalar(edge, f"{trains.where}, t_start") for edge in span)
            )
    if not bases:
        return trains
    if len(bases) < len(items) or len(set(bases)) > 1:
        raise FieldError(
            f"{trains.where}: trains were recorded over different times ({_spans(bases)}); cut all "
            "to the same t_start and t_stop"
        )
    return replace(trains, start=float(bases[0][0]), stop=float(bases[0][1]))


def _spans(bases: Sequence[tuple[Any, ...]]) -> str:
    spans = [f"{start:g} to {stop:g} s" for start, stop in dict.fromkeys(bases)]
    return ", ".join(spans[:3]) if len(spans) > 1 else f"{spans[0]}, unknown for others"


# ------------------------------------------------------------------------------------- one train

#: What to say about a raster.
RASTER = (
    "a raster or counts of each bin, not times; pass the seconds of the events, for a raster "
    "[numpy.flatnonzero(row) / frame_rate_hz for row in raster], or deconvolved traces as activity="
)


def seconds(train: Any, where: str) -> NDArray[Any]:
    """Read one train.

    Parameters
    ----------
    train
        Times, see :func:`cortexrnn.fields.inputs.physical_units.times`; of an object with times and
        values (pynapple) the times.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray, shape (n,)
        Seconds on the clock of the source; the field checks their values.

    Raises
    ------
    FieldError
        If it holds anything but times.
    """
    if hasattr(train, "time_support") and hasattr(train, "t"):
        train = train.t
    if isinstance(getattr(train, "index", None), pd.DatetimeIndex | pd.TimedeltaIndex):
        raise FieldError(
            f"{where}: a series whose index is its times; pass the index, series.index, as the "
            "train"
        )
    times = physical_units.times(train, where)
    if times.dtype == bool and times.size:
        raise FieldError(f"{where}: holds bool: {RASTER}")
    if times.size == 0 and times.ndim == 1:
        return np.empty(0)
    if times.dtype.kind not in "iufM":
        raise FieldError(f"{where}: holds {times.dtype}; pass a flat array of seconds")
    if times.ndim == 2 and 1 in times.shape:
        raise FieldError(
            f"{where}: shape {times.shape}, a {'column' if times.shape[1] == 1 else 'row'} of a "
            "matrix; pass a flat array, train.ravel()"
        )
    if times.ndim != 1:
        raise FieldError(f"{where}: shape {times.shape}; pass a flat array of seconds")
    if is_raster(times):
        raise FieldError(f"{where}: repeats the same whole numbers: {RASTER}")
    return times


def is_raster(times: NDArray[Any]) -> bool:
    """Recognise counts of bins among times: whole numbers that repeat, rise and fall.

    Parameters
    ----------
    times : array, shape (n,)
        What was given as the times of a neuron.

    Returns
    -------
    bool
    """
    if times.dtype.kind == "M" or times.size < 3 or not np.isfinite(times).all():
        return False
    if (times != np.rint(times)).any() or (times < 0).any():
        return False
    if np.isin(times, (0, 1)).all():
        return True
    downs = (np.diff(times.astype(np.float64)) < 0).sum()
    return bool(len(np.unique(times)) <= times.size / 2 and downs >= 2 and (times == 0).any())


# ----------------------------------------------------------------------------------------- clock


def on_clock(
    trains: Sequence[NDArray[Any]], where: str, *, start: Any = None, in_seconds: bool = False
) -> list[NDArray[Any]]:
    """Count times from the start of the recording, and check that they can be seconds of one.

    Parameters
    ----------
    trains : sequence of N arrays
        As :func:`seconds` gives them.
    where : str
        Their name in messages.
    start : float, datetime64 or None
        When the recording began, in the clock of the times. None is 0.
    in_seconds : bool
        Whether the times are known to be seconds of one recording, so that no check is needed.

    Returns
    -------
    list of N arrays

    Raises
    ------
    FieldError
        If an event lies before the start, or if no start is given and the first event comes so
        late that the clock can hardly have started with the recording.

    Warns
    -----
    FieldWarning
        If the times can hardly be seconds.
    """
    if start is None or start != 0:
        _fine_enough(trains, where)
    counted = [
        physical_units.since(train, start, where) if train.size else train for train in trains
    ]
    if start is not None and start != 0:  # the field itself refuses events before 0
        _after_start(counted, trains, start, where)
    usable = [train for train in counted if train.size and train.dtype.kind in "iuf"]
    if not usable or not all(np.isfinite(train).all() for train in usable):
        return counted
    if start is None:
        _not_late(usable, where)
    if start is None and not in_seconds:
        _like_seconds(usable, where)
    return counted


def _after_start(
    counted: Sequence[NDArray[Any]], trains: Sequence[NDArray[Any]], start: Any, where: str
) -> None:
    """Refuse events before the given start."""
    for shifted, train in zip(counted, trains, strict=True):
        if shifted.size and np.isfinite(shifted).all() and shifted.min() < 0:
            raise FieldError(
                f"{where}: an event at {train[shifted.argmin()]} lies before the start of the "
                f"recording, t_start = {start}; give the true start or cut the trains"
            )


def _not_late(trains: Sequence[NDArray[Any]], where: str) -> None:
    """Refuse a recording that is silent for longer than it lasts before its first event."""
    first = float(min(train.min() for train in trains))
    last = float(max(train.max() for train in trains))
    n = sum(train.size for train in trains)
    if first >= CALENDAR_S or (n >= ENOUGH and first > last - first):
        kind = ", which looks like Unix time" if first >= CALENDAR_S else ""
        raise FieldError(
            f"{where}: the first event is at {first:g} s, the last at {last:g} s{kind}: "
            f"{first:g} s of silence would make all neurons alike; pass t_start=, the second at "
            "which the recording began (t_start=0 if it did begin at 0)"
        )


def _like_seconds(trains: Sequence[NDArray[Any]], where: str) -> None:
    """Warn of times that can hardly be seconds."""
    n = sum(train.size for train in trains)
    gaps = np.concatenate([np.diff(np.sort(train.astype(np.float64))) for train in trains])
    last = float(max(train.max() for train in trains))
    if n < ENOUGH or not gaps.size:
        return
    close = float(np.quantile(gaps, 0.01))
    whole = n >= 5 * ENOUGH and all((train == np.rint(train)).all() for train in trains)
    if (last > LONG_S and close >= CLOSE_S) or whole:
        sign = (
            "all of them whole numbers" if whole else f"hardly two in a neuron within {close:g} s"
        )
        warn(
            f"{where}: {n} events up to {last:g} s ({last / 3600:.3g} h), {sign}. Are these "
            "milliseconds, samples or frames? Divide them by the number in a second; if they are "
            "seconds, confirm it with t_start=0"
        )


def _fine_enough(trains: Sequence[NDArray[Any]], where: str) -> None:
    """Warn of floats that are too imprecise for the times that they hold."""
    for train in trains:
        if train.size and train.dtype.kind == "f" and train.dtype.itemsize < 8:
            step = float(np.spacing(np.abs(train).max()))
            if step > COARSE_S:
                warn(
                    f"{where}: {train.dtype} keeps times near {float(train.max()):g} s in steps "
                    f"of {step:g} s; pass float64 from the start"
                )
                return
