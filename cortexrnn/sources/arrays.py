"""A field out of your own data: arrays, sparse matrices, CSV files, data frames, NetworkX graphs.

:func:`field_from_data` is the door; the readers behind it can be used alone. Sources are of two
kinds. *Labelled* ones (data frames, CSV files, graphs, dictionaries) say which neuron they mean,
and are put in one order. *Plain* ones (arrays, sparse matrices, lists) are taken in the order in
which the neurons stand.

Ids are whole numbers. In a CSV file they are read as text and then as integers, never as floats,
so that ids of 18 digits keep them all.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from cortexrnn import function
from cortexrnn.field import Field, FieldError

__all__ = ["field_from_data", "read_connectome", "read_events", "read_positions"]

Ids = NDArray[np.int64]
Trains = list[NDArray[np.float64]]

#: Voxel edges in nm with which positions are in micrometres.
MICROMETRES = (1000.0, 1000.0, 1000.0)

#: Columns of an edge list; ``count`` may be missing, then every row is one synapse.
EDGE_COLUMNS = ("pre", "post", "count")

SILENT = ("refuse", "drop")


def field_from_data(
    *,
    name: str,
    connectome: Any,
    positions: Any = None,
    events: Any = None,
    activity: ArrayLike | None = None,
    frame_rate_hz: float | None = None,
    ids: ArrayLike | None = None,
    voxel_size: ArrayLike = MICROMETRES,
    bin_s: float = 0.2,
    window_s: float = 0.1,
    duration_s: float | None = None,
    precision: bool = False,
    silent: str = "refuse",
) -> Field:
    """Make a field from a connectome and activity from anywhere.

    Relations are computed with :mod:`cortexrnn.function` from the events. Where you have relations
    already, use :meth:`cortexrnn.field.Field.from_arrays`.

    Parameters
    ----------
    name : str
        Any name without a slash.
    connectome
        Synapse counts, row = presynaptic neuron, as :func:`read_connectome` takes them.
    positions : optional
        Soma positions as :func:`read_positions` takes them. May be missing where the connectome is
        a graph whose nodes have an attribute ``position``.
    events : optional
        Event times in seconds as :func:`read_events` takes them. Where the connectome is a graph
        and neither `events` nor `activity` is given, the node attribute ``events`` is used if
        there is one.
    activity : array, shape (N, T), optional
        Instead of events: deconvolved activity, not negative, one row per neuron and one column
        per frame. Its local maxima become the events, as in the published fields.
    frame_rate_hz : float, optional
        Frames of `activity` in a second; needed with it.
    ids : array of int, shape (N,), optional
        The neurons and their order. Default: those of the positions if these are labelled, else of
        the connectome, else ``0 ... N-1``.
    voxel_size : three float
        Edges in nm of the unit in which positions are counted; by default positions are in
        micrometres.
    bin_s, window_s, duration_s : float
        Settings of the relations in seconds, see :mod:`cortexrnn.function`.
    precision : bool
        Whether to compute the precision, which is slow and needs scikit-learn.
    silent : {"refuse", "drop"}
        What to do with neurons without events, whose relations are undefined.

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
    """
    if silent not in SILENT:
        raise FieldError(f"silent is {silent!r}; choose one of {', '.join(SILENT)}")
    if events is not None and activity is not None:
        raise FieldError(f"field {name!r}: pass events or activity, not both")
    if isinstance(connectome, nx.Graph):
        positions = _attributes(connectome, "position") if positions is None else positions
        if events is None and activity is None:
            events = _attributes(connectome, "events")
    if positions is None:
        raise FieldError(f"field {name!r} has no positions; pass positions=, one row per neuron")
    places, order = read_positions(positions, ids=None if ids is None else _ids(ids, "ids"))
    counts, order = read_connectome(connectome, ids=order)
    if len(places) != len(order):
        raise FieldError(
            f"field {name!r}: {len(places)} positions for {len(order)} neurons of the connectome; "
            "give both the same neurons in the same order, or label both with ids"
        )
    trains = None if events is None else read_events(events, ids=order)
    if activity is not None:
        trains = _maxima(activity, frame_rate_hz, len(order))
    plain = Field.from_arrays(
        name=name,
        ids=order,
        positions=places,
        connectome=counts,
        voxel_size=voxel_size,
        events=trains,
    )
    if plain.events is None:
        return plain
    return _related(
        _audible(plain, silent),
        precision=precision,
        bin_s=bin_s,
        window_s=window_s,
        duration_s=duration_s,
    )


def read_connectome(source: Any, *, ids: ArrayLike | None = None) -> tuple[NDArray[Any], Ids]:
    """Read synapse counts in the order of the neurons.

    Parameters
    ----------
    source
        One of: an array of shape (N, N); a scipy sparse matrix or array (repeated entries of the
        COO format add up); a data frame or the path of a CSV file, either a square table whose
        rows and columns carry the ids, or an edge list with columns ``pre``, ``post`` and
        optionally ``count`` (other columns are left alone); a NetworkX graph (edge attribute
        ``weight``, default 1; parallel edges add up; an undirected edge counts both ways).
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
        If the source cannot be read, repeats a neuron or a counted pair, or names a neuron that is
        not among `ids`.

    Notes
    -----
    Nothing tells that the last lines of an edge list are missing. Compare the number of synapses,
    ``field.connectome.sum()``, with what you expect.
    """
    wanted = None if ids is None else _unique(_ids(ids, "ids"), "ids")
    if isinstance(source, nx.Graph):
        edges = _graph_edges(source)
        nodes = _unique(_ids(list(source.nodes), "nodes of the graph"), "nodes of the graph")
        order = nodes if wanted is None else wanted
        _known(nodes, order, "the graph")
        return _counts(edges, order), order
    if isinstance(source, str | os.PathLike | pd.DataFrame):
        return _from_table(source, wanted)
    if scipy.sparse.issparse(source):
        source = source.toarray()
    matrix = _array(source, "connectome")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise FieldError(f"connectome: shape {matrix.shape}, expected a square (N, N)")
    order = np.arange(len(matrix)) if wanted is None else wanted
    if len(order) != len(matrix):
        raise FieldError(f"connectome: {len(matrix)} rows for {len(order)} ids; give one for each")
    return matrix, order


def read_positions(source: Any, *, ids: ArrayLike | None = None) -> tuple[NDArray[Any], Ids | None]:
    """Read soma positions in the order of the neurons.

    Parameters
    ----------
    source
        An array of shape (N, 3); a data frame or the path of a CSV file with columns ``id``, ``x``,
        ``y``, ``z``; or a dictionary of id and three numbers.
    ids : array of int, shape (N,), optional
        The neurons and their order; a labelled source may hold more of them.

    Returns
    -------
    positions : ndarray, shape (N, 3)
        In the unit of the source.
    ids : ndarray of int64, shape (N,), or None
        The order: `ids` if given, else that of a labelled source, None for a plain one.

    Raises
    ------
    FieldError
        If the source cannot be read, lacks a neuron or repeats one.
    """
    wanted = None if ids is None else _unique(_ids(ids, "ids"), "ids")
    if isinstance(source, Mapping):
        own, rows = _ids(list(source), "positions"), list(source.values())
        for place in rows:
            if np.shape(place) != (3,):
                raise FieldError(f"positions: {place!r:.60} is no position; give x, y and z")
        table = _array(rows, "positions")
    elif isinstance(source, str | os.PathLike | pd.DataFrame):
        frame, where = _frame(source, "positions")
        _columns(frame, ("id", "x", "y", "z"), where)
        own = _ids(frame["id"], f"{where}, column id")
        table = np.stack([_numbers(frame[axis], f"{where}, column {axis}") for axis in "xyz"], 1)
    else:
        return _array(source, "positions"), wanted
    _unique(own, "positions")
    if wanted is None:
        return table, own
    _known(wanted, own, "ids", inside="the positions")
    return table[_places(wanted, own)], wanted


def read_events(source: Any, *, ids: ArrayLike) -> Trains:
    """Read event times in the order of the neurons.

    Parameters
    ----------
    source
        A sequence of N arrays of sorted seconds; a dictionary of id and such an array; or a data
        frame or the path of a CSV file with columns ``id`` and ``time`` in seconds, one row per
        event in any order. Neurons that do not occur in a labelled source have no events.
    ids : array of int, shape (N,)
        The neurons and their order.

    Returns
    -------
    list of N ndarrays of float64
        What they may hold is checked by the field.

    Raises
    ------
    FieldError
        If the source cannot be read or names a neuron that is not among `ids`.
    """
    order = _unique(_ids(ids, "ids"), "ids")
    if isinstance(source, Mapping):
        own = _unique(_ids(list(source), "events"), "events")
        _known(own, order, "events")
        by_id = dict(zip(own.tolist(), source.values(), strict=True))
        return [_train(by_id.get(i, ()), f"events of neuron {i}") for i in order.tolist()]
    if isinstance(source, str | os.PathLike | pd.DataFrame):
        frame, where = _frame(source, "events")
        _columns(frame, ("id", "time"), where)
        own = _ids(frame["id"], f"{where}, column id")
        _known(own, order, where)
        times = _numbers(frame["time"], f"{where}, column time")
        place = _places(own, order)
        return [np.sort(times[place == k]) for k in range(len(order))]
    if not isinstance(source, Iterable):
        raise FieldError(f"events: {source!r:.60} is no sequence; pass one array for each neuron")
    trains = list(source)
    if len(trains) != len(order):
        raise FieldError(
            f"events: {len(trains)} arrays for {len(order)} neurons; pass one for each, empty if "
            "silent"
        )
    return [_train(t, f"events[{k}]") for k, t in enumerate(trains)]


def _related(
    field: Field, *, precision: bool, bin_s: float, window_s: float, duration_s: float | None
) -> Field:
    """Add the relations that follow from the field's own events."""
    assert field.events is not None
    try:
        counts = function.bin_events(field.events, bin_s=bin_s, duration_s=duration_s)
        relations = {
            "correlation": function.correlation(counts),
            "sttc": function.sttc(field.events, window_s=window_s, duration_s=duration_s),
        }
        if precision:
            relations["precision"] = function.precision(counts)
    except ValueError as error:
        raise FieldError(f"field {field.name!r}, relations: {error}") from error
    return _replaced(field, relations)


def _replaced(field: Field, changes: Mapping[str, Any]) -> Field:
    """Return a field of the same neurons with other arrays."""
    kept = ("name", "ids", "positions", "connectome", "voxel_size", "events")
    return Field.from_arrays(**{key: getattr(field, key) for key in kept} | dict(changes))


def _audible(field: Field, silent: str) -> Field:
    """Refuse or drop neurons without events."""
    assert field.events is not None
    heard = np.array([len(train) > 0 for train in field.events])
    if heard.all():
        return field
    trains = field.events
    lost = field.ids[~heard]
    if silent == "refuse" or heard.sum() < 2:
        some = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        raise FieldError(
            f"field {field.name!r}, events: {len(lost)} of {len(heard)} neurons have none (ids "
            f"{some}), so their relations are undefined; leave them out, or pass silent='drop'"
        )
    keep = np.flatnonzero(heard)
    changes = {
        "ids": field.ids[keep],
        "positions": field.positions[keep],
        "connectome": field.connectome[np.ix_(keep, keep)],
        "events": [trains[k] for k in keep],
    }
    return _replaced(field, changes)


def _maxima(activity: ArrayLike, frame_rate_hz: float | None, n: int) -> Trains:
    """Events of deconvolved traces, after a check that names what a user gave."""
    traces = _array(activity, "activity")
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
    return list(function.trace_events(traces, frame_rate_hz=rate))


def _positive(value: Any, name: str, what: str) -> float:
    """Return a positive number, or say that it is none."""
    if isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0:
        return float(value)
    raise FieldError(f"{name} is {value!r}; give a positive number of {what}")


# ---------------------------------------------------------------------------------- graphs


def _attributes(graph: nx.Graph, key: str) -> dict[Hashable, Any] | None:
    """Attribute of every node, or None where no node has it."""
    found = {node: data[key] for node, data in graph.nodes(data=True) if key in data}
    if found and len(found) < len(graph):
        node = next(node for node in graph if node not in found)
        raise FieldError(
            f"graph: node {node!r} has no attribute {key!r}, others have it; give it to all "
            f"{len(graph)} nodes"
        )
    return found or None


def _graph_edges(graph: nx.Graph) -> pd.DataFrame:
    """Edges of a graph as an edge list, undirected ones both ways."""
    edges = pd.DataFrame(
        [(pre, post, weight) for pre, post, weight in graph.edges(data="weight", default=1)],
        columns=list(EDGE_COLUMNS),
        dtype=object,
    )
    if not graph.is_directed():
        back = edges.rename(columns={"pre": "post", "post": "pre"})
        edges = pd.concat([edges, back[back["pre"] != back["post"]]], ignore_index=True)
    for side in ("pre", "post"):
        edges[side] = _ids(list(edges[side]), "nodes of the graph")
    edges["count"] = _numbers(edges["count"], "graph, edge attribute weight")
    return edges


# ---------------------------------------------------------------------------------- tables


def _from_table(source: Any, wanted: Ids | None) -> tuple[NDArray[Any], Ids]:
    """Read a data frame or CSV file that holds an edge list or a square table."""
    frame, where = _frame(source, "connectome")
    if {"pre", "post"} & set(frame.columns):
        _columns(frame, EDGE_COLUMNS[:2], where)
        edges = pd.DataFrame(
            {side: _ids(frame[side], f"{where}, column {side}") for side in EDGE_COLUMNS[:2]}
        )
        edges["count"] = 1.0
        if "count" in frame:
            edges["count"] = _numbers(frame["count"], f"{where}, column count")
            _once(edges, where)
        own = np.unique(edges[["pre", "post"]].to_numpy().ravel())
        order = own if wanted is None else wanted
        _known(own, order, where)
        return _counts(edges, order), order
    if not isinstance(source, pd.DataFrame):
        frame = frame.set_index(frame.columns[0])
    if frame.shape[0] != frame.shape[1]:
        raise FieldError(
            f"{where}: {frame.shape[0]} rows and {frame.shape[1]} columns of counts; expected a "
            f"square table with ids in the first column and the header, or columns "
            f"{', '.join(EDGE_COLUMNS)}"
        )
    rows = _unique(_ids(frame.index, f"{where}, rows"), f"{where}, rows")
    columns = _unique(_ids(frame.columns, f"{where}, header"), f"{where}, header")
    order = rows if wanted is None else wanted
    for own, other, what in ((order, rows, "rows"), (order, columns, "header")):
        _known(own, other, where, inside=f"its {what}")
        _known(other, own, f"{where}, {what}")
    counts = np.stack([_numbers(frame.iloc[:, k], f"{where}, column {c}") for k, c in
                       enumerate(columns)], axis=1)  # fmt: skip
    return counts[np.ix_(_places(order, rows), _places(order, columns))], order


def _frame(source: Any, what: str) -> tuple[pd.DataFrame, str]:
    """Return a data frame, and what it is called in messages; a CSV file is read as text."""
    if isinstance(source, pd.DataFrame):
        frame, where = source, what
    else:
        path, where = Path(source), str(source)
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
        except FileNotFoundError as error:
            raise FieldError(f"there is no file {where} ({what}); check the path") from error
        except (OSError, ValueError) as error:  # pandas' own parser errors are ValueErrors
            raise FieldError(
                f"{where} ({what}) is no CSV file that can be read: {error}; write it again with a "
                "header, commas and UTF-8"
            ) from error
        # pandas makes an index of surplus first columns: lines longer than the header.
        if not isinstance(frame.index, pd.RangeIndex):
            raise FieldError(f"{where} ({what}): lines have more entries than the header")
    if len(frame) == 0 or len(frame.columns) == 0:
        raise FieldError(f"{where}: no rows; give at least one besides the header")
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise FieldError(f"{where}: column {twice} occurs twice; keep one")
    return frame, where


def _columns(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    """Check that columns are there."""
    missing = [name for name in names if name not in frame]
    if missing:
        raise FieldError(
            f"{where}: no column {', '.join(missing)}; there are "
            f"{', '.join(map(str, frame.columns[:8]))}; rename them"
        )


def _once(edges: pd.DataFrame, where: str) -> None:
    """Refuse two counts for one pair: nobody knows whether they add up."""
    twice = edges.duplicated(["pre", "post"])
    if twice.any():
        pre, post = edges.loc[twice, list(EDGE_COLUMNS[:2])].iloc[0]
        raise FieldError(
            f"{where}: the pair {pre}, {post} has two counts; add them up "
            "or drop one, or leave out the column count if every row is one synapse"
        )


def _counts(edges: pd.DataFrame, order: Ids) -> NDArray[np.float64]:
    """Add up an edge list, shape (N, N)."""
    counts = np.zeros((len(order), len(order)))
    places = [_places(edges[side].to_numpy(np.int64), order) for side in EDGE_COLUMNS[:2]]
    values = edges["count"].to_numpy(float)
    if (values < 0).any():  # a sum could hide it
        raise FieldError(f"connectome: a count of {values.min():g}; synapse counts are 0 or more")
    np.add.at(counts, tuple(places), values)
    return counts


# ---------------------------------------------------------------------------------- ids, numbers


def _ids(values: Any, where: str) -> Ids:
    """Read ids as integers from integers or digits, never from floats."""
    listed = values.tolist() if isinstance(values, np.ndarray | pd.Series | pd.Index) else values
    try:
        items = list(listed)
    except TypeError:
        raise FieldError(f"{where}: {values!r:.60} is no list of ids") from None
    found = []
    for item in items:
        whole = isinstance(item, int | np.integer) and not isinstance(item, bool | np.bool_)
        text = item.strip() if isinstance(item, str) else ""
        if whole or (text.isascii() and text.removeprefix("-").isdigit()):
            found.append(int(item))
            continue
        kind = type(item).__name__
        remedy = "floats keep 15 digits and ids have 18: read them as int64 or text"
        if isinstance(item, str) and not _is_number(item):
            remedy = (
                "number your neurons, networkx.convert_node_labels_to_integers does so for a "
                "graph, and keep the names in a table of your own"
            )
        raise FieldError(f"{where}: the id {item!r:.40} ({kind}) is no whole number; {remedy}")
    limits = np.iinfo(np.int64)
    for number in found:
        if not limits.min <= number <= limits.max:
            raise FieldError(f"{where}: the id {number} does not fit int64; number your neurons")
    return np.array(found, dtype=np.int64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unique(ids: Ids, where: str) -> Ids:
    """Refuse an id that occurs twice."""
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        raise FieldError(f"{where}: {values[counts > 1][0]} occurs twice; keep one of each neuron")
    return ids


def _known(ids: Ids, among: Ids, where: str, *, inside: str = "the neurons") -> None:
    """Refuse ids that are not among others."""
    strange = ids[~np.isin(ids, among)]
    if len(strange):
        raise FieldError(
            f"{where}: neuron {strange[0]} is not among {inside} ({len(set(strange.tolist()))} such"
            " in all); leave it out or add it"
        )


def _places(ids: Ids, order: Ids) -> NDArray[np.intp]:
    """Tell where each id stands in the order."""
    ranks = np.argsort(order)
    return ranks[np.searchsorted(order, ids, sorter=ranks)]


def _numbers(values: pd.Series, where: str) -> NDArray[np.float64]:
    """Read a column of finite real numbers; text is converted, everything else is refused."""
    found = np.empty(len(values))
    for row, item in enumerate(values.tolist()):
        usable = isinstance(item, int | float | str | np.number) and not isinstance(item, complex)
        try:
            found[row] = float(item) if usable else np.nan
        except (ValueError, OverflowError):
            found[row] = np.nan
        if not np.isfinite(found[row]):
            raise FieldError(
                f"{where}, row {row}: {item!r:.40} is no finite number; correct it or leave the "
                "row out"
            )
    return found


def _train(times: Any, where: str) -> NDArray[np.float64]:
    """Return one event train as it is, if it is made of real numbers."""
    array = _array(times, where)
    if array.size == 0:
        return np.empty(0)
    if array.dtype.kind not in "iuf":
        raise FieldError(f"{where}: holds {array.dtype}; pass a flat array of seconds")
    return array


def _array(values: Any, where: str) -> NDArray[Any]:
    """Return an array without hidden parts, or say why there is none."""
    if np.ma.isMaskedArray(values):
        raise FieldError(f"{where}: a masked array hides values; fill them by a rule you can state")
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise FieldError(f"{where}: not an array ({error}); give rows of one length") from error
