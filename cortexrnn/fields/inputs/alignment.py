"""Read sources with or without labels, and put them in one order of neurons.

Every source is first read as it is, into one of three forms: :class:`Rows` (positions, ids of other
kinds, activity), :class:`Square` (connectome, relations, masks) and :class:`Edges` (pairs with a
count). Each knows the labels that it came with, or that it had none. Then :func:`order` decides
which neurons there are and in which order, and each form is aligned to it.

The rules: labels that are ids are followed. Labels that number the rows, ``0 ... N-1`` in order,
carry no information, and the rows are taken in the order of `ids`, like those of a plain array. All
other labels are refused, and so is a mixture of labelled and plain sources without `ids`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.inputs import physical_units, tables

__all__ = [
    "MOST_PAIRS",
    "Edges",
    "Labelled",
    "Rows",
    "Square",
    "as_ids",
    "known",
    "numbers_itself",
    "order",
    "places",
    "room",
    "rows",
    "somata",
    "square",
    "unique",
]

Ids = NDArray[np.int64]

#: Largest number of pairs for which a matrix is made, 4 GB; the largest published field has 0.4
#: million.
MOST_PAIRS = 500_000_000

#: Largest whole number up to which floats hold every one.
EXACT = 2**53

#: Texts that mean that there is no id.
MISSING = {"", "<na>", "nan", "na", "n/a", "none", "null", "nat"}

#: Names of the axes of a matrix whose columns are the presynaptic neurons.
TURNED = ("post", "pre")


# ------------------------------------------------------------------------------------------- ids


def as_ids(values: Any, where: str) -> Ids:
    """Read ids as integers from integers or digits, never from floats.

    Parameters
    ----------
    values
        Anything that lists whole numbers or their digits.
    where : str
        Their name in messages.

    Returns
    -------
    ndarray of int64, shape (N,)

    Raises
    ------
    FieldError
        If one is missing or no whole number; the message says why it may be so.
    """
    if physical_units.unit_of(values) is not None:
        raise FieldError(
            f"{where}: ids have no unit, these have {physical_units.unit_of(values)!r}"
        )
    if np.ma.isMaskedArray(values):
        raise FieldError(f"{where}: masked values; leave the neurons without an id out")
    if hasattr(values, "dims") and hasattr(values, "values"):  # xarray
        values = values.values
    listed = values.tolist() if hasattr(values, "tolist") else values
    try:
        items = list(listed)
    except TypeError:
        raise FieldError(f"{where}: {values!r:.60} is no list of ids") from None
    numbers = [_as_id(item, row, where) for row, item in enumerate(items)]
    limits = np.iinfo(np.int64)
    for number in numbers:
        if not limits.min <= number <= limits.max:
            raise FieldError(f"{where}: the id {number} does not fit int64; number your neurons")
    return np.array(numbers, dtype=np.int64)


def _as_id(item: Any, row: int, where: str) -> int:
    """Read one id."""
    whole = isinstance(item, int | np.integer) and not isinstance(item, bool | np.bool_)
    text = item.strip() if isinstance(item, str) else ""
    if whole or (text.isascii() and text.removeprefix("-").isdigit()):
        return int(item)
    if text.lower() in MISSING if isinstance(item, str) else bool(pd.isna(item) is True):
        raise FieldError(
            f"{where}: the id {item!r} (row {row}) is no whole number, it is missing; leave the "
            "row out or give the neuron its id"
        )
    raise FieldError(
        f"{where}: the id {item!r:.40} ({type(item).__name__}) is no whole number; {_cure(item)}"
    )


def _cure(item: Any) -> str:
    """Say what to do about something that is no id."""
    if not isinstance(item, str) or _is_number(item):
        return "floats keep 15 digits and ids have 18: read them as int64 or text"
    bare = item.strip().strip("'\"`’‘")
    if bare != item.strip() and bare.removeprefix("-").isdigit():
        return (
            "it has the quotation mark with which spreadsheets mark text; take it away, for "
            'example by table["id"].str.strip("\'")'
        )
    return (
        "number your neurons, networkx.convert_node_labels_to_integers does so for a graph, and "
        "keep the names in a table of your own"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def rounded(ids: Ids) -> str:
    """Return a hint if ids look as if floats or a spreadsheet had rounded them.

    Parameters
    ----------
    ids : ndarray of int64
        The ids.

    Returns
    -------
    str
        End of a message, empty where they do not look so.
    """
    large = ids[np.abs(ids.astype(np.float64)) > EXACT]
    if not large.size:
        return ""
    by_float = all(int(float(number)) == number for number in large.tolist())
    if by_float or (large % 1000 == 0).all():
        return (
            "; these ids look rounded, as floats and spreadsheets do with numbers of more than 15 "
            "digits: read them as int64 or text from where they come from"
        )
    return ""


def unique(ids: Ids, where: str) -> Ids:
    """Refuse an id that occurs twice.

    Parameters
    ----------
    ids : ndarray of int64
        The ids.
    where : str
        Their name in messages.

    Returns
    -------
    ndarray of int64
        The same.

    Raises
    ------
    FieldError
        If one does; the message says if they look rounded.
    """
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        cure = rounded(ids) or "; keep one of each neuron"
        raise FieldError(f"{where}: {values[counts > 1][0]} occurs twice{cure}")
    return ids


def known(ids: Ids, among: Ids, where: str, *, inside: str = "the neurons") -> None:
    """Refuse ids that are not among known ones.

    Parameters
    ----------
    ids, among : ndarray of int64
        Ids to check, and known ids.
    where, inside : str
        Their name in messages.

    Raises
    ------
    FieldError
        If an id is not among them.
    """
    unknown = ids[~np.isin(ids, among)]
    if len(unknown):
        raise FieldError(
            f"{where}: neuron {unknown[0]} is not among {inside} ({len(set(unknown.tolist()))} such"
            f" in all); leave it out or add it{rounded(unknown) or rounded(among)}"
        )


def places(ids: Ids, order: Ids) -> NDArray[np.intp]:
    """Return the position of each id in `order`, which must hold all of them."""
    ranks = np.argsort(order)
    return ranks[np.searchsorted(order, ids, sorter=ranks)]


def room(n: int, where: str) -> None:
    """Refuse a matrix that would not fit into memory, before it is made.

    Parameters
    ----------
    n : int
        Number of neurons.
    where : str
        Name of the source in messages.

    Raises
    ------
    FieldError
        If there were more than :data:`MOST_PAIRS` pairs.
    """
    if n * n > MOST_PAIRS:
        raise FieldError(
            f"{where}: {n:,} neurons make a matrix of {n * n:,} pairs ({8 * n * n / 1e9:,.0f} GB), "
            f"more than the {MOST_PAIRS:,} that are made here; choose neurons and keep only the "
            "synapses between them, in a table by "
            "edges[edges.pre.isin(chosen) & edges.post.isin(chosen)]"
        )


# ---------------------------------------------------------------------------------------- labels


def axis_labels(source: Any, axis: int) -> Any:
    """Return the labels of one axis of an object.

    Parameters
    ----------
    source
        Data frames and series, data arrays of xarray, time series of pynapple; anything else has
        none.
    axis : int
        Which axis.

    Returns
    -------
    sequence or None
        A pandas index that numbers its rows is returned as the ``RangeIndex`` that it is.
    """
    if isinstance(source, pd.DataFrame | pd.Series):
        return source.axes[axis]
    dims: Any = getattr(source, "dims", None)
    indexes: Any = getattr(source, "indexes", None)
    if isinstance(dims, tuple) and hasattr(indexes, "get"):  # xarray
        return indexes.get(dims[axis])
    return None


def ids_of(labels: Any, where: str) -> Ids | None:
    """Return labels as ids, or None where they only number the rows."""
    if labels is None or numbers_itself(labels):
        return None
    if isinstance(labels, pd.MultiIndex):
        raise FieldError(f"{where}: labels of {labels.nlevels} levels; give every row one id")
    return unique(as_ids(labels, where), where)


def numbers_itself(labels: Any) -> bool:
    """Check whether labels are the default ones of a table, 0 ... N-1 in order."""
    return isinstance(labels, pd.RangeIndex) and _counts_up(labels)


def _counts_up(labels: Any) -> bool:
    return np.array_equal(np.asarray(labels), np.arange(len(labels)))


class Labelled(Protocol):
    """A source that was read and not yet aligned."""

    @property
    def where(self) -> str:
        """Its name in messages."""

    @property
    def labels(self) -> Ids | None:
        """Neurons that it names, or None."""

    @property
    def complete(self) -> bool:
        """Whether its labels name all neurons of the field, so that they can define the order."""

    def __len__(self) -> int:
        """Count its neurons."""


@dataclass(frozen=True)
class Rows:
    """One row for each neuron.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        In the order of the source.
    labels : ndarray of int64, shape (N,), or None
        Ids of their neurons; None where the source does not name them.
    where : str
        Name of the source in messages.
    more : bool
        Whether it may hold neurons besides those of the field.
    numbered : bool
        Whether the labels are only the default row numbers 0 ... N-1 of a table.
    with_unit : bool
        Whether the numbers came with a unit and were converted.
    complete : bool
        See :class:`Labelled`.
    """

    values: Any
    labels: Ids | None
    where: str
    more: bool = False
    numbered: bool = False
    with_unit: bool = False
    complete: bool = True

    def __len__(self) -> int:
        return len(self.values) if np.ndim(self.values) else 0

    def align(self, ids: Ids) -> Any:
        """Return the rows in the order of the neurons, shape (N, ...)."""
        refuse_ambiguous_numbers(self.numbered, ids, self.where)
        row_ids = _followed(self.labels, ids, self.where)
        if row_ids is None:
            return self.values
        known(ids, row_ids, "ids", inside=f"the {self.where.rpartition(', ')[2]}")
        if not self.more:
            known(row_ids, ids, self.where)
        return self.values[places(ids, row_ids)]


@dataclass(frozen=True)
class Square:
    """One entry for each pair of neurons.

    Parameters
    ----------
    values : ndarray
        In the order of the source; its shape is checked by the field.
    rows, columns : ndarray of int64 or None
        Ids of the neurons of either side; None where the source does not name them.
    where : str
        Name of the source in messages.
    numbered, complete : bool
        As for :class:`Rows`.
    """

    values: NDArray[Any]
    rows: Ids | None
    columns: Ids | None
    where: str
    numbered: bool = False
    complete: bool = True

    def __len__(self) -> int:
        return len(self.values)

    @property
    def labels(self) -> Ids | None:
        """Neurons of the rows, else of the columns."""
        return self.columns if self.rows is None else self.rows

    def align(self, ids: Ids) -> NDArray[Any]:
        """Return the matrix in the order of the neurons, shape (N, N)."""
        refuse_ambiguous_numbers(self.numbered, ids, self.where)
        sides = [(self.rows, f"{self.where}, rows"), (self.columns, f"{self.where}, header")]
        side_ids = [_followed(labels, ids, where) for labels, where in sides]
        if all(labels is None for labels in side_ids):
            return self.values
        for labels, (_, where) in zip(side_ids, sides, strict=True):
            if labels is None:
                labelled = next(ids_of_side for ids_of_side in side_ids if ids_of_side is not None)
                if np.array_equal(labelled, ids) and len(self.values) == len(ids):
                    return self.values
                raise FieldError(
                    f"{where}: not labelled, but the other side is, in another order than ids; "
                    "label both sides with ids"
                )
            known(ids, labels, self.where, inside=f"its {where.rpartition(', ')[2]}")
            known(labels, ids, where)
        return self.values[np.ix_(*[places(ids, labels) for labels in side_ids])]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Edges:
    """Pairs of neurons with a count.

    Parameters
    ----------
    pre, post : ndarray of int64, shape (M,)
        Presynaptic and postsynaptic neurons.
    count : ndarray of float64, shape (M,)
        Synapses; repeated pairs add up.
    labels : ndarray of int64
        Neurons that occur.
    where : str
        Name of the source in messages.
    """

    pre: Ids
    post: Ids
    count: NDArray[np.float64]
    labels: Ids
    where: str
    complete: bool = True

    def __len__(self) -> int:
        return len(self.labels)

    def align(self, ids: Ids) -> NDArray[np.float64]:
        """Return the counts in the order of the neurons, shape (N, N)."""
        known(self.labels, ids, self.where)
        room(len(ids), self.where)
        if (self.count < 0).any():  # a sum could hide it
            raise FieldError(
                f"{self.where}: a count of {self.count.min():g}; synapse counts are 0 or more"
            )
        counts = np.zeros((len(ids), len(ids)))
        np.add.at(counts, (places(self.pre, ids), places(self.post, ids)), self.count)
        return counts


def _followed(labels: Ids | None, ids: Ids, where: str) -> Ids | None:
    """Return the labels if they are ids, None if they only number the rows, or refuse them."""
    if labels is None or np.isin(ids, labels).all():
        return labels
    if len(labels) == len(ids) and _counts_up(labels):
        return None
    if np.isin(labels, ids).any():
        return labels  # the caller names what is missing
    raise FieldError(
        f"{where}: the labels {_some(labels)} are neither ids ({_some(ids)}) nor 0 ... "
        f"{len(ids) - 1} in order, so no row is among the neurons; label with ids, or pass the "
        f"bare array in the order of ids{rounded(labels) or rounded(ids)}"
    )


def refuse_ambiguous_numbers(numbered: bool, ids: Ids, where: str) -> None:
    """Refuse default row numbers where the ids are the same numbers in another order."""
    if numbered and not _counts_up(ids) and _counts_up(np.sort(ids)):
        raise FieldError(
            f"{where}: rows are numbered 0 ... {len(ids) - 1}, which may be ids or row "
            "numbers; set the index to the ids, or pass the bare array in the order of ids"
        )


def _some(ids: Ids) -> str:
    """First ids, for a message."""
    return ", ".join(map(str, ids[:2].tolist())) + (", ..." if len(ids) > 2 else "")


def rows(source: Any, where: str, *, more: bool = False) -> Rows:
    """Read one row for each neuron.

    Parameters
    ----------
    source
        An array, or something labelled, see `axis_labels`.
    where : str
        Its name in messages.
    more : bool
        Whether it may hold further neurons.

    Returns
    -------
    Rows

    Raises
    ------
    FieldError
        If its labels are not ids or repeat, or it carries a unit or masked values.
    """
    labels = axis_labels(source, 0)
    return Rows(
        physical_units.plain(source, where),
        ids_of(labels, where),
        where,
        more,
        numbers_itself(labels),
    )


def somata(source: Any, edges: Any, where: str) -> Rows:
    """Read positions.

    Parameters
    ----------
    source
        As :func:`cortexrnn.fields.sources.arrays.read_positions` takes them.
    edges : array, shape (3,)
        Edges of a voxel in nm, for positions with a unit.
    where : str
        Its name in messages.

    Returns
    -------
    Rows
        Of three numbers each; a labelled source may hold more neurons than are needed.

    Raises
    ------
    FieldError
        If columns are missing, ids repeat, or the unit is not one of length.
    """
    unit = physical_units.unit_of(source)
    if isinstance(source, Mapping):
        ids, values = as_ids(list(source), where), list(source.values())
        for place in values:
            if np.shape(place) != (3,):
                raise FieldError(f"{where}: {place!r:.60} is not a position; give x, y and z")
        return _placed(values, ids, where, edges, unit)
    if tables.is_table(source) and not _unnamed(source):
        return _of_table(source, where, edges, unit)
    names = axis_labels(source, 0)
    if _is_axes(names) and not _is_axes(axis_labels(source, 1)):
        source = source.T
        names = axis_labels(source, 0)
    column_names: Any = axis_labels(source, 1) if getattr(source, "ndim", 0) == 2 else None
    if _is_axes(column_names):
        axis_order = [
            [str(name).strip().lower() for name in column_names].index(axis) for axis in "xyz"
        ]
        source = source[:, axis_order]
    return _placed(source, ids_of(names, where), where, edges, unit, numbers_itself(names))


def _is_axes(names: Any) -> bool:
    """Check whether labels are x, y and z in some order."""
    return names is not None and sorted(str(name).strip().lower() for name in names) == list("xyz")


def _unnamed(source: Any) -> bool:
    """Check for a data frame whose columns are only numbered."""
    return isinstance(source, pd.DataFrame) and numbers_itself(source.columns)


def _of_table(source: Any, where: str, edges: Any, unit: str | None) -> Rows:
    """Positions from a table with columns x, y, z and the ids as a column or the index."""
    table, where = tables.frame(source, where)
    key = tables.column(table, ("id",), where)
    labelled = isinstance(source, pd.DataFrame) and _index_of(source) is not None
    if key is None and not labelled:
        tables.columns(table, ("id", "x", "y", "z"), where)
    axes = tables.columns(table, ("x", "y", "z"), where)
    if key is not None:
        index: Any = table[key]
        ids: Ids | None = as_ids(index, f"{where}, column {key}")
    else:
        index = _index_of(source)
        ids = ids_of(index, f"{where}, index")
    tables.unread(table, [key, *axes, *_level_names(source)], where)
    values = np.stack([tables.numbers(table[axis], f"{where}, column {axis}") for axis in axes], 1)
    return _placed(values, ids, where, edges, unit, key is None and numbers_itself(index))


def _index_of(frame: pd.DataFrame) -> Any:
    """Index of a data frame, if it is one."""
    return frame.index if frame.index.nlevels == 1 else None


def _level_names(source: Any) -> list[Any]:
    return list(source.index.names) if isinstance(source, pd.DataFrame) else []


def _placed(
    values: Any, ids: Ids | None, where: str, edges: Any, unit: str | None, numbered: bool = False
) -> Rows:
    """Positions in voxels."""
    own_unit = physical_units.unit_within(values, where) if unit is None else unit
    voxels = physical_units.lengths(values, edges, where, unit=own_unit)
    if ids is not None:
        unique(ids, where)
    return Rows(voxels, ids, where, True, numbered, own_unit is not None)


def square(source: Any, where: str) -> Square:
    """Read one entry for each pair of neurons.

    Parameters
    ----------
    source
        An array, or something labelled, see `axis_labels`. Where the axes are named ``post``
        and ``pre`` in this order, it is transposed.
    where : str
        Its name in messages.

    Returns
    -------
    Square

    Raises
    ------
    FieldError
        If it is a graph or a table without labels, or its labels are not ids or repeat.
    """
    if tables.is_table(source) and not isinstance(source, pd.DataFrame | str):
        raise FieldError(
            f"{where}: a table without labels of its rows; pass a pandas.DataFrame whose index and "
            "columns hold the ids, or the bare array in the order of ids"
        )
    if hasattr(source, "nodes") and hasattr(source, "edges"):
        raise FieldError(
            f"{where}: a graph; pass it to cortexrnn.fields.sources.arrays.field_from_data"
        )
    values = physical_units.plain(source, where)
    if values.dtype == object and isinstance(source, pd.DataFrame):
        values = _settled(source, where)
    if values.ndim != 2:
        return Square(values, None, None, where)
    axis_ids = [ids_of(axis_labels(source, axis), f"{where}, {side}")
             for axis, side in enumerate(("rows", "header"))]  # fmt: skip
    if _axis_names(source) == TURNED:
        values, axis_ids = values.T, axis_ids[::-1]
    numbered = any(numbers_itself(axis_labels(source, axis)) for axis in (0, 1))
    return Square(values, axis_ids[0], axis_ids[1], where, numbered)


def _settled(frame: pd.DataFrame, where: str) -> NDArray[Any]:
    """Array of a data frame whose columns have types that numpy does not share."""
    missing = frame.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise FieldError(
            f"{where}: {frame.iloc[row, column]!r} at [{row}, {column}]; fill in the values by a "
            "rule you can state"
        )
    settled = frame.convert_dtypes(convert_string=False)
    kinds = [getattr(dtype, "numpy_dtype", dtype) for dtype in settled.dtypes]
    if not all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in kinds):
        return np.asarray(frame.to_numpy())
    return np.asarray(frame.to_numpy(dtype=np.result_type(*kinds)))


def _axis_names(source: Any) -> tuple[Any, ...]:
    """Names of the axes, as far as there are any."""
    if isinstance(source, pd.DataFrame):
        return source.index.name, source.columns.name
    dims = getattr(source, "dims", None)
    return dims if isinstance(dims, tuple) else ()


# ----------------------------------------------------------------------------------------- order


def order(sources: Sequence[Labelled], ids: Any, where: str) -> Ids:
    """Decide which neurons there are, and in which order.

    Parameters
    ----------
    sources : sequence of Labelled
        Everything that was given; the first decides on the order.
    ids : array of int, optional
        The neurons, where the caller names them.
    where : str
        Name of the field in messages.

    Returns
    -------
    ndarray of int64, shape (N,)
        `ids`; else the labels of the first source, if all have labels; else ``0 ... N-1``, if no
        source has other labels than these.

    Raises
    ------
    FieldError
        If some sources name their neurons and others do not, so that rows have no known neuron.
    """
    if ids is not None:
        return unique(as_ids(ids, f"{where}ids"), f"{where}ids")
    labelled = [source for source in sources if source.labels is not None]
    bare = [source for source in sources if source.labels is None]
    if not bare:
        first = next(source for source in labelled if source.complete)
        assert first.labels is not None
        return first.labels
    numbers = np.arange(len(bare[0]), dtype=np.int64)
    for source in labelled:
        assert source.labels is not None
        named = np.isin(source.labels, numbers).all()
        if not named or (source.complete and len(source.labels) < len(numbers)):
            raise FieldError(
                f"{source.where}: names its neurons ({_some(source.labels)}), and {bare[0].where} "
                f"has {len(numbers)} rows without names; pass ids=, which says whose row is whose"
            )
    return numbers
