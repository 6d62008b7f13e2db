"""A field from your own data: arrays, sparse matrices, CSV files, data frames, graphs, trains.

:func:`field_from_data` does all of it; its readers can be used alone. Sources are of two kinds.
*Labelled* ones (data frames, series, CSV files, graphs, dictionaries, data arrays of xarray,
groups of pynapple) say which neuron they mean, and are put in one order. *Plain* ones (arrays,
sparse matrices, lists) are taken in the order of `ids`. Where some are labelled and others are not,
`ids` has to be passed. Units are converted; a column or attribute that was not used is named in a
:class:`~cortexrnn.fields.errors.FieldWarning`.

Ids are whole numbers. In a CSV file they are read as text and then as integers, never as floats,
so that ids of 18 digits keep them all.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields import relations
from cortexrnn.fields.errors import FieldError, warn
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import alignment, event_trains, physical_units, tables

__all__ = ["field_from_data", "read_connectome", "read_events", "read_positions"]

Ids = NDArray[np.int64]
Trains = list[NDArray[np.float64]]

#: Voxel edges in nm with which positions are in micrometres.
MICROMETRES = (1000.0, 1000.0, 1000.0)

#: Names of the columns of an edge list, in lower case.
PRE = ("pre", "pre_id", "pre_root_id", "pre_pt_root_id", "bodyid_pre")
POST = ("post", "post_id", "post_root_id", "post_pt_root_id", "bodyid_post")
COUNT = (
    "count", "counts", "weight", "n_syn", "n_synapses", "num_synapses", "syn_count",
    "synapse_count", "synapses",
)  # fmt: skip

#: Columns of an edge list that do not say which neuron is presynaptic.
UNCLEAR = ("source", "target", "from", "to")

#: What becomes of neurons without an event.
Silent = Literal["refuse", "drop"]


def field_from_data(
    *,
    name: str,
    connectome: Any,
    positions: Any = None,
    events: Any = None,
    activity: Any = None,
    frame_rate_hz: Any = None,
    ids: Any = None,
    voxel_size: Any = None,
    bin_s: Any = 0.2,
    window_s: Any = 0.1,
    duration_s: Any = None,
    precision: bool = False,
    silent: Silent = "refuse",
    t_start: Any = None,
) -> Field:
    """Make a field from a connectome and activity from anywhere.

    Relations are computed with :mod:`cortexrnn.fields.relations` from the events. Where you have
    relations already, use :meth:`cortexrnn.fields.field.Field.from_arrays`.

    Parameters
    ----------
    name : str
        Any name without a slash.
    connectome
        Synapse counts, row = presynaptic neuron, as :func:`read_connectome` takes them. Synapses
        of a neuron onto itself are left out, with a warning.
    positions : optional
        Soma positions as :func:`read_positions` takes them. May be missing where the connectome is
        a graph whose nodes have an attribute ``position``.
    events : optional
        Event times in seconds as :func:`read_events` takes them. Where the connectome is a graph
        and neither `events` nor `activity` is given, the node attribute ``events`` is used if
        there is one.
    activity : array, shape (N, T), optional
        Instead of events: deconvolved activity, not negative, one row per neuron and one column
        per frame. Its local maxima become the events, as in the published fields. A data frame may
        have ids as its index and times in seconds as its columns; a data array of xarray the same
        as coordinates; series of neo and pynapple bring their own rate.
    frame_rate_hz : float, optional
        Frames of `activity` in a second; needed with it where it does not bring its own.
    ids : array of int, shape (N,), optional
        The neurons and their order. Default: those of the positions if everything is labelled,
        ``0 ... N-1`` if nothing is, or if all labels are these numbers.
    voxel_size : three float, optional
        Edges in nm of the unit in which positions are counted. By default positions are in
        micrometres, and a field of improbable size causes a warning.
    bin_s, window_s, duration_s : float
        Settings of the relations in seconds, see :mod:`cortexrnn.fields.relations`. Trains of neo
        bring their own duration. Like the other times they may carry a unit.
    precision : bool
        Whether to compute the precision, which is slow and needs scikit-learn.
    silent : {"refuse", "drop"}
        What to do with neurons without events, whose relations are undefined.
    t_start : float, optional
        When the recording began on the clock of the events, in seconds; for events that are dates,
        a date. By default 0, or what trains of neo say.

    Returns
    -------
    Field
        With correlation and STTC where there is activity, without any relation where there is
        none. Its origin is ``"arrays"``.

    Raises
    ------
    FieldError
        If anything disagrees or cannot be read; the message names the field or the file, the thing
        and the remedy.

    Warns
    -----
    FieldWarning
        If something may be right but usually is not: columns that were not used, times that can
        hardly be seconds, positions that can hardly be micrometres, two neurons with the same
        events.
    """
    if silent not in get_args(Silent):
        raise FieldError(f"silent is {silent!r}; choose one of {', '.join(get_args(Silent))}")
    if events is not None and activity is not None:
        raise FieldError(f"field {name!r}: pass events or activity, not both")
    if isinstance(connectome, nx.Graph):
        positions, events = _carried(connectome, positions, events, activity is not None)
    if positions is None:
        raise FieldError(f"field {name!r} has no positions; pass positions=, one row per neuron")
    edges = physical_units.voxel_edges(
        MICROMETRES if voxel_size is None else voxel_size, "voxel_size"
    )
    somata = alignment.somata(positions, edges, "positions")
    synapses = _synapses(connectome)
    recorded = None if events is None else event_trains.read(events, "events")
    traces = None if activity is None else _activity(activity, frame_rate_hz)
    sources = [each for each in (somata, synapses, recorded, traces) if each is not None]
    order = _order(somata, synapses, sources, ids, name)
    plain = Field.from_arrays(
        name=name,
        ids=order,
        positions=somata.align(order),
        connectome=synapses.align(order),
        voxel_size=edges,
    )
    unit_known = voxel_size is not None or somata.with_unit
    physical_units.check_extent(
        plain.positions, plain.voxel_size, f"field {name!r}, positions", unit_known=unit_known
    )
    length = physical_units.scalar(duration_s, "duration_s")
    if recorded is not None:
        start = physical_units.scalar(t_start, "t_start")
        event_times = recorded.on_clock(recorded.align(order), start, in_seconds=length is not None)
        length = recorded.duration if length is None else length
    elif traces is not None:
        event_times = _maxima(traces.align(order), traces.rate, len(order))
    else:
        return plain
    plain = _replaced(plain, {"events": event_times})
    return _related(
        _without_silent(plain, silent),
        precision=precision,
        bin_s=physical_units.scalar(bin_s, "bin_s"),
        window_s=physical_units.scalar(window_s, "window_s"),
        duration_s=length,
    )


def _carried(graph: nx.Graph, positions: Any, events: Any, active: bool) -> tuple[Any, Any]:
    """Positions and events that the nodes of a graph carry, where there are no others."""
    wanted = {"position": positions is None, "events": events is None and not active}
    present = {key for _, data in graph.nodes(data=True) for key in data}
    unused = sorted(str(key) for key in present if not wanted.get(key, False))
    if unused:
        warn(f"graph: not used: node attribute {', '.join(unused)}; drop those that are not needed")
    if wanted["position"]:
        positions = _attributes(graph, "position")
    if wanted["events"]:
        events = _attributes(graph, "events")
    return positions, events


def _order(
    somata: alignment.Rows,
    synapses: alignment.Square | alignment.Edges,
    sources: Sequence[alignment.Labelled],
    ids: Any,
    name: str,
) -> Ids:
    """Decide on the neurons and their order, and check the number of unlabelled ones."""
    plain = somata.labels is None and synapses.labels is None
    if ids is None and plain and len(somata) != len(synapses):
        raise _unequal(somata, len(synapses), name)
    order = alignment.order(sources, ids, "")
    if synapses.labels is None and len(synapses) != len(order):
        raise FieldError(
            f"connectome: {len(synapses)} rows for {len(order)} ids; give one for each"
        )
    if somata.labels is None and len(somata) != len(order):
        raise _unequal(somata, len(order), name)
    return order


def _unequal(somata: alignment.Rows, n: int, name: str) -> FieldError:
    return FieldError(
        f"field {name!r}: {len(somata)} positions for {n} neurons of the connectome; "
        "give both the same neurons in the same order, or label both with ids"
    )


def read_connectome(source: Any, *, ids: ArrayLike | None = None) -> tuple[NDArray[Any], Ids]:
    """Read synapse counts in the order of the neurons.

    Parameters
    ----------
    source
        One of: an array of shape (N, N), booleans counting as 0 and 1; a scipy sparse matrix or
        array (repeated entries of the COO format add up); a table (a data frame of pandas or
        polars, an Arrow table, an array with named fields, the path of a CSV file), either a
        square one whose rows and columns carry the ids, or an edge list with columns ``pre``,
        ``post`` and optionally a count; a series with such pairs as its index; a data array of
        xarray; a NetworkX graph (an edge attribute holds the count, by default 1; parallel edges
        add up; an undirected edge counts both ways). The count may be called ``count``,
        ``weight``, ``n_syn``, ``syn_count`` or ``synapses``; other columns are named in a warning,
        or refused where they might be the counts.
    ids : array of int, shape (N,), optional
        The neurons and their order. Every neuron of a labelled source must be among them. Those
        that do not occur in an edge list have no synapse.

    Returns
    -------
    counts : ndarray, shape (N, N)
        Row = presynaptic neuron. What the numbers may be is checked by the field.
    ids : ndarray of int64, shape (N,)
        The order; for a plain source without `ids` it is ``0 ... N-1``.

    Raises
    ------
    FieldError
        If the source cannot be read, repeats a neuron or a counted pair, names a neuron that is
        not among `ids`, or has so many neurons that the matrix would not fit into memory.

    Notes
    -----
    An edge list whose last lines are missing is not recognised as incomplete. Compare the number
    of synapses, ``field.connectome.sum()``, with what you expect.
    """
    synapses = _synapses(source)
    order = alignment.order([synapses], ids, "")
    if synapses.labels is None and len(synapses) != len(order):
        raise FieldError(
            f"connectome: {len(synapses)} rows for {len(order)} ids; give one for each"
        )
    return synapses.align(order), order


def read_positions(
    source: Any, *, ids: ArrayLike | None = None, voxel_size: Any = MICROMETRES
) -> tuple[NDArray[Any], Ids | None]:
    """Read soma positions in the order of the neurons.

    Parameters
    ----------
    source
        An array of shape (N, 3); a table with columns ``id``, ``x``, ``y``, ``z``, or with the ids
        as its index; a data array of xarray; or a dictionary of id and three numbers.
    ids : array of int, shape (N,), optional
        The neurons and their order; a labelled source may hold more of them.
    voxel_size : three float
        Edges in nm of the voxels in which positions with a unit are counted; by default they come
        out in micrometres.

    Returns
    -------
    positions : ndarray, shape (N, 3)
        In the unit of the source, if it does not carry one.
    ids : ndarray of int64, shape (N,), or None
        The order: `ids` if given, else that of a labelled source, None for a plain one.

    Raises
    ------
    FieldError
        If the source cannot be read, lacks a neuron or repeats one.
    """
    somata = alignment.somata(
        source, physical_units.voxel_edges(voxel_size, "voxel_size"), "positions"
    )
    if ids is None:
        return somata.values, somata.labels
    order = alignment.unique(alignment.as_ids(ids, "ids"), "ids")
    return somata.align(order), order


def read_events(source: Any, *, ids: ArrayLike, t_start: Any = None) -> Trains:
    """Read event times in the order of the neurons.

    Parameters
    ----------
    source
        A sequence of N arrays of sorted seconds; a dictionary, series or group of pynapple of id
        and such an array; the units of an NWB file; or a table with columns ``id`` and ``time`` in
        seconds, one row per event in any order. Neurons that do not occur in a labelled source
        have no events. Times with a unit are converted.
    ids : array of int, shape (N,)
        The neurons and their order.
    t_start : float, optional
        When the recording began on the clock of the events, see :func:`field_from_data`.

    Returns
    -------
    list of N ndarrays of float64
        In seconds since the recording began. What they may hold is checked by the field.

    Raises
    ------
    FieldError
        If the source cannot be read, names a neuron that is not among `ids`, has gaps, or starts
        at a time that cannot be the start of a recording.
    """
    order = alignment.unique(alignment.as_ids(ids, "ids"), "ids")
    recorded = event_trains.read(source, "events")
    return recorded.on_clock(recorded.align(order), physical_units.scalar(t_start, "t_start"))


def _related(
    field: Field, *, precision: bool, bin_s: float, window_s: float, duration_s: float | None
) -> Field:
    """Add the relations that follow from the field's own events."""
    assert field.events is not None
    _check_duplicates(field, precision=precision)
    try:
        computed = relations.from_events(
            field.events,
            bin_s=bin_s,
            window_s=window_s,
            duration_s=duration_s,
            with_precision=precision,
        )
    except ValueError as error:
        raise FieldError(f"field {field.name!r}, relations: {error}") from error
    return _replaced(field, computed)


def _replaced(field: Field, changes: Mapping[str, Any]) -> Field:
    """Return a field of the same neurons with other arrays."""
    names = ("name", "ids", "positions", "connectome", "voxel_size", "events")
    same = {key: getattr(field, key) for key in names}
    return Field.from_arrays(**same | dict(changes), t_start=0.0)  # the clock was checked before


def _without_silent(field: Field, silent: Silent) -> Field:
    """Refuse or drop neurons without events."""
    assert field.events is not None
    has_events = np.array([len(train) > 0 for train in field.events])
    if has_events.all():
        return field
    trains = field.events
    silent_ids = field.ids[~has_events]
    if silent == "refuse" or has_events.sum() < 2:
        listed = ", ".join(map(str, silent_ids[:5])) + (", ..." if len(silent_ids) > 5 else "")
        raise FieldError(
            f"field {field.name!r}, events: {len(silent_ids)} of {len(has_events)} neurons have "
            f"none (ids {listed}), so their relations are undefined; leave them out, "
            "or pass silent='drop'"
        )
    keep = np.flatnonzero(has_events)
    changes = {
        "ids": field.ids[keep],
        "positions": field.positions[keep],
        "connectome": field.connectome[np.ix_(keep, keep)],
        "events": [trains[k] for k in keep],
    }
    return _replaced(field, changes)


def _check_duplicates(field: Field, *, precision: bool) -> None:
    """Warn of neurons with the same events; refuse them where the precision is asked for."""
    assert field.events is not None
    first: dict[bytes, int] = {}
    pairs = []
    for i, train in zip(field.ids.tolist(), field.events, strict=True):
        other = first.setdefault(train.tobytes(), i)
        if other != i and train.size > 2:
            pairs.append((other, i))
    if not pairs:
        return
    message = (
        f"field {field.name!r}, events: neurons {pairs[0][0]} and {pairs[0][1]} have the same "
        f"events at the same times ({len(pairs)} such neuron(s) in all)"
    )
    if precision:
        raise FieldError(
            f"{message}, so the covariance cannot be inverted; keep one of each, or leave the "
            "precision out"
        )
    warn(f"{message}; is that one neuron under two ids? Then keep one")


@dataclass(frozen=True)
class _Traces(alignment.Rows):
    """Activity, one row per neuron, with its frame rate in Hz."""

    rate: Any = None


def _activity(source: Any, frame_rate_hz: Any) -> _Traces:
    """Read activity with its labels and its time base."""
    where = "activity"
    given = physical_units.rate(frame_rate_hz, "frame_rate_hz")
    if hasattr(source, "rois") or (hasattr(source, "timestamps") and hasattr(source, "data")):
        raise FieldError(
            f"{where}: a series of an NWB file stores frames as rows; pass series.data[:].T, "
            "frame_rate_hz= and ids= of its regions, once it is deconvolved"
        )
    if tables.is_table(source) and not isinstance(source, pd.DataFrame):
        raise FieldError(
            f"{where}: a table without labels of its rows; pass a pandas.DataFrame whose index "
            "holds the ids, or the bare array"
        )
    values, names, times, own = _timed(source, where)
    try:
        ids = alignment.ids_of(names, where)
    except FieldError as error:
        raise FieldError(
            f"{error} (rows are neurons; is the table turned? Then pass table.T)"
        ) from None
    rate = _agreed(given, _rate(times, where) if own is None else own)
    return _Traces(values, ids, where, numbered=alignment.numbers_itself(names), rate=rate)


def _timed(source: Any, where: str) -> tuple[NDArray[Any], Any, Any, Any]:
    """Values with neurons as rows, labels of neurons, times of frames, rate."""
    if hasattr(source, "sampling_rate"):  # neo: frames are rows
        rate = physical_units.rate(source.sampling_rate, "sampling_rate")
        return np.asarray(source.magnitude).T, None, None, rate
    if hasattr(source, "time_support") and hasattr(source, "columns"):  # pynapple: likewise
        event_trains.one_span(len(source.time_support), where)
        return np.asarray(source.values).T, source.columns, np.asarray(source.t), None
    dims = getattr(source, "dims", ())
    if isinstance(dims, tuple) and len(dims) == 2 and "time" in dims:  # xarray
        source = source.transpose(..., "time")
    values = physical_units.plain(source, where)
    if values.ndim != 2:
        return values, None, None, None
    return values, alignment.axis_labels(source, 0), alignment.axis_labels(source, 1), None


def _rate(times: Any, where: str) -> float | None:
    """Frames in a second by the times of frames, None where these are only numbered."""
    if times is None or alignment.numbers_itself(times) or len(times) < 2:
        return None
    try:
        seconds = physical_units.times(times, f"{where}, times of frames").astype(np.float64)
    except (ValueError, TypeError) as error:
        raise FieldError(
            f"{where}: the columns are no times of frames in seconds: {error}"
        ) from None
    steps = np.diff(seconds)
    step = float(np.median(steps))
    if not step > 0 or np.abs(steps - step).max() > step / 2:
        k = int(np.abs(steps - step).argmax())
        raise FieldError(
            f"{where}: frames are {step:g} s apart, but {steps[k]:g} s at {seconds[k]:g} s; fill "
            "the gap by a rule you can state, or cut the recording there"
        )
    return float((len(seconds) - 1) / (seconds[-1] - seconds[0]))


def _agreed(given: Any, own: float | None) -> Any:
    """Return the rate that was given or that the activity brought, if they are the same."""
    if given is None or own is None:
        return own if given is None else given
    if isinstance(given, int | float | np.number) and abs(given - own) > 0.01 * own:
        raise FieldError(
            f"frame_rate_hz is {given:g}, but the times of the activity give {own:.6g}; "
            "leave frame_rate_hz out or take the times away"
        )
    return given


def _maxima(traces: NDArray[Any], frame_rate_hz: Any, n: int) -> Trains:
    """Events of deconvolved traces, after a check that names what a user gave."""
    if traces.dtype == bool:
        raise FieldError(f"activity: holds bool: {event_trains.RASTER}")
    if traces.dtype.kind not in "iuf" or traces.ndim != 2 or len(traces) != n:
        raise FieldError(
            f"activity: {traces.dtype} of shape {traces.shape}, expected numbers of shape ({n}, T)"
        )
    bad = np.argwhere(~np.isfinite(traces) | (traces < 0))
    if len(bad):
        value = traces[tuple(bad[0])]
        raise FieldError(
            f"activity: {value} at {bad[0].tolist()}; deconvolved activity is finite and not "
            "negative, deconvolve fluorescence first and fill gaps by a rule you can state"
        )
    rate = _positive(frame_rate_hz, "frame_rate_hz", "frames a second, which activity needs")
    if traces.size > n and np.isin(traces, (0, 1)).all():
        warn(
            "activity: holds only 0 and 1. Of a raster local maxima are the first of each run of "
            "ones; if every one is an event, pass events=[numpy.flatnonzero(row) / frame_rate_hz "
            "for row in raster]"
        )
    return list(relations.trace_events(traces, frame_rate_hz=rate))


def _positive(value: Any, name: str, what: str) -> float:
    """Return a positive number, or an error that says what is expected."""
    if isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0:
        return float(value)
    raise FieldError(f"{name} is {value!r}; give a positive number of {what}")


# ---------------------------------------------------------------------------------- connectome


def _synapses(source: Any) -> alignment.Square | alignment.Edges:
    """Read synapse counts of any kind, not yet aligned."""
    where = "connectome"
    if isinstance(source, nx.Graph):
        return _graph_edges(source)
    if isinstance(source, pd.Series):
        source = _pairs(source, where)
    if isinstance(source, str | os.PathLike | pd.DataFrame) or tables.is_table(source):
        return _from_table(source, where)
    if isinstance(source, Mapping) and {"pre", "post"} <= set(source):
        return _from_table(pd.DataFrame(dict(source)), where)
    if scipy.sparse.issparse(source):
        source = _dense(source, where)
    square = alignment.square(source, where)
    shape = square.values.shape
    if len(shape) != 2 or shape[0] != shape[1]:
        raise FieldError(f"{where}: shape {shape}, expected a square (N, N)")
    return square


def _dense(matrix: Any, where: str) -> NDArray[Any]:
    """Make an array of a sparse matrix; repeated entries add up in a type that holds the sum."""
    alignment.room(max(matrix.shape), where)
    kind = matrix.dtype.kind
    if kind in "biu" and matrix.dtype != np.uint64:
        matrix = matrix.astype(np.int64)
    elif kind == "f":
        matrix = matrix.astype(np.float64)
    array: NDArray[Any] = matrix.toarray()
    return array


def _pairs(source: pd.Series, where: str) -> pd.DataFrame:
    """Table from a series whose index holds pairs, as a groupby makes it."""
    if source.index.nlevels != 2 or None in source.index.names:
        raise FieldError(
            f"{where}: a series needs pairs of neurons as its index, with the names pre and post"
        )
    return source.rename("count").reset_index()


def _attributes(graph: nx.Graph, key: str) -> dict[Hashable, Any] | None:
    """Attribute of every node, or None where no node has it."""
    values = {node: data[key] for node, data in graph.nodes(data=True) if key in data}
    if values and len(values) < len(graph):
        node = next(node for node in graph if node not in values)
        raise FieldError(
            f"graph: node {node!r} has no attribute {key!r}, others have it; give it to all "
            f"{len(graph)} nodes"
        )
    return values or None


def _graph_edges(graph: nx.Graph) -> alignment.Edges:
    """Edges of a graph as an edge list, undirected ones both ways."""
    where = "nodes of the graph"
    nodes = alignment.unique(alignment.as_ids(list(graph.nodes), where), where)
    key = _weight(graph)
    edge_rows = [(pre, post, 1 if key is None else data[key]) for pre, post, data in
             graph.edges(data=True)]  # fmt: skip
    edges = pd.DataFrame(edge_rows, columns=["pre", "post", "count"], dtype=object)
    if not graph.is_directed():
        back = edges.rename(columns={"pre": "post", "post": "pre"})
        edges = pd.concat([edges, back[back["pre"] != back["post"]]], ignore_index=True)
    pre, post = (alignment.as_ids(list(edges[side]), where) for side in ("pre", "post"))
    count = tables.numbers(edges["count"], f"graph, edge attribute {key}")
    return alignment.Edges(pre, post, count, nodes, "the graph")


def _weight(graph: nx.Graph) -> Hashable | None:
    """Name of the edge attribute that holds the counts, None where there is none."""
    edges_with: dict[Hashable, int] = {}
    for *_, data in graph.edges(data=True):
        for key in data:
            edges_with[key] = edges_with.get(key, 0) + 1
    named = [key for key in edges_with if str(key).strip().lower() in COUNT]
    others = [key for key in edges_with if key not in named]
    if len(named) > 1:
        raise FieldError(
            f"graph: edge attributes {' and '.join(map(str, named))} may both be the count; keep "
            "one"
        )
    if named and edges_with[named[0]] < graph.number_of_edges():
        raise FieldError(
            f"graph: {edges_with[named[0]]} of {graph.number_of_edges()} edges have the attribute "
            f"{named[0]!r}; give it to all or to none"
        )
    if not named:
        for *_, data in graph.edges(data=True):
            _not_counts(
                [key for key in others if _is_number(data.get(key))], "graph, edge attribute"
            )
    if others:
        warn(
            f"graph: not used: edge attribute {', '.join(map(str, others))}; drop those that are "
            "not needed"
        )
    return named[0] if named else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _not_counts(names: Sequence[Any], where: str) -> None:
    """Refuse numbers beside pairs without a count, which may be the counts."""
    if names:
        raise FieldError(
            f"{where} {names[0]}: is it the number of synapses? Call it count if it is; if it is "
            "not, drop it, and every row is one synapse"
        )


def _from_table(source: Any, where: str) -> alignment.Square | alignment.Edges:
    """Read a table that holds an edge list or a square of counts."""
    if isinstance(source, pd.DataFrame):
        names = {str(name).strip().lower() for name in source.columns}
        if not _is_edge_list(names, source.index.names):
            _clear(names, where)
            return _square_table(source, where)
    table, where = tables.frame(source, where)
    names = {str(name).strip().lower() for name in table.columns}
    if _is_edge_list(names, ()):
        return _edge_list(table, where)
    _clear(names, where)
    return _square_table(table.set_index(table.columns[0]), where)


def _clear(columns: set[str], where: str) -> None:
    """Refuse columns that do not say which neuron is presynaptic."""
    unclear = [name for name in UNCLEAR if name in columns]
    if len(unclear) > 1:
        raise FieldError(
            f"{where}: columns {' and '.join(unclear)} do not say who is presynaptic; rename them "
            "to pre and post"
        )


def _is_edge_list(columns: set[str], index: Sequence[Any]) -> bool:
    """Recognise an edge list by its columns, some of which may be in the index."""
    levels = {str(name).strip().lower() for name in index}
    sides = (set(PRE), set(POST))
    return any(columns & side for side in sides) or all(levels & side for side in sides)


def _edge_list(table: pd.DataFrame, where: str) -> alignment.Edges:
    """Read one row for each pair or synapse."""
    sides = [tables.column(table, names, where) for names in (PRE, POST)]
    if None in sides:
        tables.columns(table, ("pre", "post"), where)
    pre, post = (alignment.as_ids(table[side], f"{where}, column {side}") for side in sides)
    ids = np.unique(np.concatenate([pre, post]))
    key = tables.column(table, COUNT, where)
    is_repeated = pd.DataFrame({"pre": pre, "post": post}).duplicated()
    if key is None:
        count = np.ones(len(table))
        others = tables.besides(table, sides)
        if not is_repeated.any():
            _not_counts(
                [name for name in others if _holds_numbers(table[name])], f"{where}, column"
            )
    else:
        count = tables.numbers(table[key], f"{where}, column {key}")
        _once(pre[is_repeated], post[is_repeated], where)
    tables.unread(table, [*sides, key], where)
    return alignment.Edges(pre, post, count, ids, where)


def _holds_numbers(values: pd.Series) -> bool:
    """Check whether a column holds numbers, also as text."""
    return bool(pd.to_numeric(values, errors="coerce").notna().all())


def _once(pre: Ids, post: Ids, where: str) -> None:
    """Refuse second counts of pairs, since it is not known whether they add up."""
    if not len(pre):
        return
    hint = alignment.rounded(pre) or alignment.rounded(post)
    cure = "; add them up or drop one, or leave out the count if every row is one synapse"
    raise FieldError(f"{where}: the pair {pre[0]}, {post[0]} has two counts{hint or cure}")


def _square_table(frame: pd.DataFrame, where: str) -> alignment.Square:
    """Read a square of counts whose index and columns are labels."""
    if frame.shape[0] != frame.shape[1]:
        shown = ", ".join(map(str, frame.columns[:4]))
        raise FieldError(
            f"{where}: {frame.shape[0]} rows and {frame.shape[1]} columns of counts ({shown}); "
            "expected a square table with ids in the first column and the header, or columns pre, "
            "post, count"
        )
    if frame.columns.has_duplicates:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise FieldError(f"{where}: column {repeated} occurs twice; keep one")
    for labels_of, side in ((frame.index, "rows"), (frame.columns, "header")):
        alignment.ids_of(labels_of, f"{where}, {side}")
    counts = [tables.numbers(frame.iloc[:, k], f"{where}, column {name}") for k, name in
              enumerate(frame.columns)]  # fmt: skip
    table = pd.DataFrame(np.stack(counts, 1), index=frame.index, columns=frame.columns)
    return alignment.square(table, where)
