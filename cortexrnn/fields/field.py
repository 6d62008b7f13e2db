"""One imaged field of cortex: who the neurons are, where they sit, how they fire, how they connect.

A :class:`Field` is what every later stage starts from. It is checked once, when it is made, and
cannot be changed afterwards, so nothing downstream has to check again whether the arrays agree.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import os
import secrets
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.errors import FieldError, warn
from cortexrnn.fields.inputs import alignment, event_trains, physical_units

__all__ = ["RELATION_NAMES", "Field", "grid_shape"]

#: Name of a functional relation.
Relation = Literal["correlation", "sttc", "precision", "response"]

#: Names of the functional relations a field may carry.
RELATION_NAMES: tuple[Relation, ...] = get_args(Relation)

#: Relations that have a direction; all others are symmetric.
DIRECTED = ("response",)

#: Arrays whose numbers may come as booleans, which count as 0 and 1.
MAY_BE_BOOLEAN = ("connectome", "measured", *RELATION_NAMES)

#: Largest difference between a relation and its transpose, relative to its largest entry or to 1.
SYMMETRY_TOLERANCE = 1e-9

#: Names of arrays in a saved file.
SAVED = (
    "format", "content_hash", "name", "grid", "ids", "positions", "voxel_size", "connectome",
    *RELATION_NAMES, "measured", "root_ids", "unit_ids", "event_times", "event_stops",
)  # fmt: skip

#: Layout version of the files that :meth:`Field.save` writes.
FILE_FORMAT = 2

#: Layouts that :meth:`Field.load` reads; the first knew neither responses nor masks.
READABLE_FORMATS = (1, 2)


def grid_shape(n: int) -> tuple[int, int, int]:
    """Shape of the integer grid that stands in for unmeasured positions.

    Parameters
    ----------
    n : int
        Number of neurons, at least 2.

    Returns
    -------
    tuple of three int
        Sides in descending order. Their product is `n` and their surface the smallest possible.
        A prime `n` has only the box n x 1 x 1; it gets that of the next larger number that has one
        without a side of length one, and uses the first `n` of its points.

    Raises
    ------
    FieldError
        If `n` is not a whole number of at least 2.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
        raise FieldError(f"a grid needs a whole number of at least 2 neurons, got {n!r}")
    n = int(n)
    if all(n % k for k in range(2, int(n**0.5) + 1)):
        boxes: list[tuple[int, int, int]] = []
        while not boxes:
            n += 1
            boxes = [box for box in _boxes(n) if box[2] > 1]
    else:
        boxes = _boxes(n)
    return min(boxes, key=lambda box: (box[0] * box[1] + box[0] * box[2] + box[1] * box[2], box))


def _boxes(n: int) -> list[tuple[int, int, int]]:
    """Every way to write `n` as a product of three factors a >= b >= c."""
    return [
        (n // c // b, b, c)
        for c in range(1, round(n ** (1 / 3)) + 1)
        if n % c == 0
        for b in range(c, int((n // c) ** 0.5) + 1)
        if (n // c) % b == 0
    ]


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Neurons of one field with positions, synapses, functional relations and events.

    Most callers use :meth:`from_arrays`, :meth:`load` or
    :func:`cortexrnn.fields.sources.load_field`. All arrays are copied and cannot be written to.

    Parameters
    ----------
    name : str
        ``session_scan_field`` such as ``"6_6_2"``, or any name without a slash.
    ids : array of int64, shape (N,)
        Nucleus ids, all different.
    positions : array of int64 or float64, shape (N, 3)
        Soma positions x, y, z in voxels.
    voxel_size : array of float64, shape (3,)
        Edge lengths of a voxel in nm.
    grid : tuple of three int
        Shape of the integer grid, with at least N points.
    connectome : array of int64, shape (N, N)
        Synapse counts; the row is the presynaptic neuron.
    correlation, sttc, precision : array of float64, shape (N, N), optional
        Symmetric functional relations, NaN exactly where `measured` is False.
    events : sequence of N arrays of float64, optional
        Sorted event times of each neuron in seconds.
    root_ids, unit_ids : array of int64, shape (N,), optional
        Segment ids of the electron microscopy and unit ids of the functional scan. They may
        repeat, and 0 means that there is none.
    origin : str
        Where the field comes from: ``"surrogate"``, ``"directory"``, ``"mirror"``, ``"cache"``,
        ``"download"``, ``"cave"``, ``"static"``, ``"package"``, ``"file"`` or ``"arrays"``. Not
        part of the content hash.
    response : array of float64, shape (N, N), optional
        Response of one neuron to the stimulation of another: the row is the stimulated neuron, the
        column the one that responds, as in the connectome. Need not be symmetric; its diagonal is
        a neuron's response to its own stimulation.
    measured : array of bool, shape (N, N), optional
        False for pairs that were not measured. Every relation then holds NaN at these pairs and
        nowhere else. A mask that is True everywhere is the same as none. What stands in for the
        missing values is decided by :func:`cortexrnn.networks.priors.impute_unmeasured`, not here.

    Raises
    ------
    FieldError
        If anything disagrees; the message names the field, the array, the value and the remedy.
    """

    name: str
    ids: NDArray[np.int64]
    positions: NDArray[Any]
    voxel_size: NDArray[np.float64]
    grid: tuple[int, int, int]
    connectome: NDArray[np.int64]
    correlation: NDArray[np.float64] | None = None
    sttc: NDArray[np.float64] | None = None
    precision: NDArray[np.float64] | None = None
    events: tuple[NDArray[np.float64], ...] | None = None
    root_ids: NDArray[np.int64] | None = None
    unit_ids: NDArray[np.int64] | None = None
    origin: str = "arrays"
    response: NDArray[np.float64] | None = None
    measured: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check every array and put a read-only copy in its place."""
        check = _Checker(self.name)
        positions = check.positions(self.positions)
        n = len(positions)
        checked: dict[str, Any] = {
            "ids": check.ids("ids", self.ids, n, unique=True),
            "positions": positions,
            "voxel_size": check.voxel_size(self.voxel_size),
            "grid": check.grid(self.grid, n),
            "connectome": check.connectome(self.connectome, n),
            "events": None if self.events is None else check.events(self.events, n),
        }
        measured = None if self.measured is None else check.measured(self.measured, n)
        if measured is not None and not self.relations:
            raise check.error("measured", "there is no relation to which it applies", "pass one")
        for key in RELATION_NAMES:
            value = getattr(self, key)
            checked[key] = None if value is None else check.relation(key, value, n, measured)
        checked["measured"] = None if measured is None or measured.all() else measured
        for name in ("root_ids", "unit_ids"):
            value = getattr(self, name)
            checked[name] = None if value is None else check.ids(name, value, n, unique=False)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_arrays(
        cls,
        *,
        name: str,
        positions: Any,
        connectome: Any,
        voxel_size: Any,
        ids: ArrayLike | None = None,
        grid: Sequence[int] | None = None,
        correlation: Any = None,
        sttc: Any = None,
        precision: Any = None,
        events: Any = None,
        root_ids: Any = None,
        unit_ids: Any = None,
        origin: str = "arrays",
        response: Any = None,
        measured: Any = None,
        t_start: Any = None,
    ) -> Field:
        """Make a field from arrays of your own.

        Labelled inputs (data frames, series, dictionaries, data arrays of xarray) are put into the
        order of `ids` by their labels; plain arrays must be in this order. Units are converted.

        Parameters
        ----------
        name, positions, connectome, voxel_size
            As for the class; these four are always needed. Synapses of a neuron onto itself are
            left out of the connectome, with a warning: see the notes.
        ids : array of int, shape (N,), optional
            Default ``0 ... N-1``, or the labels if everything is labelled. Needed where some
            arrays name their neurons and others do not.
        grid : three int, optional
            Default :func:`grid_shape` of N.
        correlation, sttc, precision, events, root_ids, unit_ids, origin, response, measured
            As for the class. Events are taken as by
            :func:`cortexrnn.fields.sources.arrays.read_events`.
        t_start : float, optional
            When the recording began on the clock of the events, in seconds, or a date
            where events are dates.

        Returns
        -------
        Field

        Raises
        ------
        FieldError
            If anything disagrees, or labels are neither ids nor ``0 ... N-1`` in order.

        Warns
        -----
        FieldWarning
            If something may be right but usually is not, such as times that can hardly be seconds.

        Notes
        -----
        The connectome of a field has no synapses of a neuron onto itself (autapses), wherever it
        comes from: those of the paper have none, and in electron microscopy most are errors of the
        segmentation. Self-connections of a network come from function alone.
        """
        check = _Checker(name)
        where = f"field {name!r}, "
        edges = check.voxel_size(physical_units.voxel_edges(voxel_size, f"{where}voxel_size"))
        somata = alignment.somata(positions, edges, f"{where}positions")
        if somata.labels is None:
            check.positions(somata.values)
        matrices = {"connectome": connectome, "measured": measured, "correlation": correlation}
        matrices |= {"sttc": sttc, "precision": precision, "response": response}
        rows = {"root_ids": root_ids, "unit_ids": unit_ids}
        sources = {"positions": somata} | _read_all(matrices, rows, events, where)
        if ids is not None:
            ids = check.ids("ids", ids, len(somata) if somata.labels is None else -1, unique=True)
        order = alignment.order(list(sources.values()), ids, where)
        arrays = {"events": events} | {key: each.align(order) for key, each in sources.items()}
        if _whole_table(positions):
            arrays["positions"] = arrays["positions"].astype(np.int64)
        if "events" in sources:
            start = physical_units.scalar(t_start, f"{where}t_start")
            arrays["events"] = sources["events"].on_clock(arrays["events"], start)
        sides = grid_shape(check.at_least_two(len(order))) if grid is None else grid
        arrays |= {"name": name, "ids": order, "voxel_size": edges, "grid": sides}
        return cls(**arrays, origin=origin)._without_autapses()

    def _without_autapses(self) -> Field:
        """Return the field without synapses of a neuron onto itself, and warn of their number.

        Returns the same field where there are none.
        """
        own = self.connectome.diagonal()
        if not own.any():
            return self
        warn(
            f"field {self.name!r}, connectome: {own.sum()} synapse(s) of {np.count_nonzero(own)} "
            "neuron(s) onto themselves are left out, as in every field; set the diagonal to 0 "
            "to avoid this warning"
        )
        return dataclasses.replace(self, connectome=self.connectome - np.diag(own))

    @property
    def n_neurons(self) -> int:
        """Number of neurons N."""
        return len(self.ids)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Names of the functional relations that are present."""
        return tuple(key for key in RELATION_NAMES if getattr(self, key) is not None)

    @cached_property
    def hash_without_events(self) -> str:
        """SHA-256 over everything except events and origin.

        A copy of a published field may lack its events file although nothing that a network is
        built from differs. This hash is the same for both, :attr:`content_hash` is not.
        """
        return _digest({key: array for key, array in self._arrays().items() if "event" not in key})

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the whole content, including events but not the origin."""
        return _digest(self._arrays())

    def relation(self, name: Relation) -> NDArray[np.float64]:
        """Return the functional relation called `name`.

        Parameters
        ----------
        name : str
            ``"correlation"``, ``"sttc"``, ``"precision"`` or ``"response"``.

        Returns
        -------
        array of float64, shape (N, N)
            With NaN where `measured` is False.

        Raises
        ------
        FieldError
            If there is no such relation, or this field does not have it.
        """
        if name not in RELATION_NAMES:
            raise FieldError(f"unknown relation {name!r}; choose from {', '.join(RELATION_NAMES)}")
        array: NDArray[np.float64] | None = getattr(self, name)
        if array is None:
            raise FieldError(
                f"field {self.name!r} has no {name}; present: {', '.join(self.relations) or 'none'}"
                f"; choose one of these or pass {name}= to Field.from_arrays"
            )
        return array

    def permuted(self, order: ArrayLike) -> Field:
        """Return the same neurons in another order, in every array.

        Parameters
        ----------
        order : array of int, shape (N,)
            A permutation of ``0 ... N-1``; neuron ``order[i]`` becomes neuron `i`.

        Returns
        -------
        Field
            Same name, grid and origin.

        Raises
        ------
        FieldError
            If `order` is not such a permutation.
        """
        index = np.asarray(order)
        n = self.n_neurons
        if index.dtype.kind not in "iu" or not np.array_equal(np.sort(index, None), np.arange(n)):
            raise FieldError(
                f"field {self.name!r}, permuted: order must hold each of 0 ... {n - 1} once as "
                f"integers, got {index.dtype} of shape {index.shape}; numpy's "
                f"Generator.permutation({n}) makes one"
            )
        moved: dict[str, Any] = {}
        for key in ("ids", "positions", "root_ids", "unit_ids"):
            array = getattr(self, key)
            moved[key] = None if array is None else array[index]
        for key in ("connectome", "measured", *RELATION_NAMES):
            array = getattr(self, key)
            moved[key] = None if array is None else array[np.ix_(index, index)]
        moved["events"] = None if self.events is None else [self.events[i] for i in index]
        return dataclasses.replace(self, **moved)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the field to one ``.npz`` file that holds no pickles.

        The file appears whole or not at all: it is written under a temporary name in the same
        folder and then renamed.

        Parameters
        ----------
        path : path
            Target; ``.npz`` is appended where it is missing. An existing file is replaced.

        Returns
        -------
        Path
            Where the field was written.

        Raises
        ------
        FieldError
            If the folder does not exist or cannot be written to.
        """
        target = Path(path)
        if target.suffix != ".npz":
            target = target.with_name(target.name + ".npz")
        contents: dict[str, Any] = {
            "format": np.array(FILE_FORMAT),
            "content_hash": np.array(self.content_hash),
            **self._arrays(),
        }
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as file:
                np.savez(file, **contents)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise FieldError(
                f"field {self.name!r} cannot be written to {target}: {error.strerror or error}; "
                "choose a folder that exists and that you may write to"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Field:
        """Read a field that :meth:`save` wrote, and verify its content hash.

        Parameters
        ----------
        path : path
            The ``.npz`` file.

        Returns
        -------
        Field
            With origin ``"file"``.

        Raises
        ------
        FieldError
            If the file is missing, damaged, of another kind, or does not match its own hash.
        """
        arrays = _read_npz(Path(path))
        try:
            expected = str(arrays["content_hash"])
            field = cls._from_saved(arrays)
        # What an altered file holds can be of any type and size.
        except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
            raise FieldError(
                f"{path} does not hold a usable field: {error}; save the field again"
            ) from error
        if field.content_hash != expected:
            raise FieldError(
                f"{path} was changed after it was saved: content hash is {field.content_hash}, "
                f"the file says {expected}; save the field again"
            )
        return field

    @classmethod
    def _from_saved(cls, arrays: dict[str, NDArray[Any]]) -> Field:
        """Turn the arrays of a saved file back into a field."""
        unknown = sorted(set(arrays) - set(SAVED))
        if unknown:
            raise FieldError(f"it holds {', '.join(unknown)}, which no field has")
        if int(arrays["format"]) not in READABLE_FORMATS:
            known = " and ".join(map(str, READABLE_FORMATS))
            raise FieldError(f"its format is {arrays['format']}, this package reads {known}")
        content: dict[str, Any] = {
            key: arrays[key] for key in ("ids", "positions", "voxel_size", "connectome")
        }
        optional = (*RELATION_NAMES, "measured", "root_ids", "unit_ids")
        content.update({key: arrays[key] for key in optional if key in arrays})
        if "event_times" in arrays:
            stops = arrays["event_stops"]
            if len(stops) == 0 or stops[-1] != len(arrays["event_times"]):
                raise FieldError("its event times and their stops disagree")
            content["events"] = np.split(arrays["event_times"], stops[:-1])
        grid = tuple(arrays["grid"].tolist())
        return cls(name=str(arrays["name"]), grid=grid, origin="file", **content)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the origin as plain arrays, as it is hashed and saved."""
        arrays: dict[str, NDArray[Any]] = {
            "name": np.array(self.name),
            "grid": np.array(self.grid, np.int64),
        }
        for key in ("ids", "positions", "voxel_size", "connectome", *RELATION_NAMES):
            if getattr(self, key) is not None:
                arrays[key] = getattr(self, key)
        for key in ("measured", "root_ids", "unit_ids"):
            if getattr(self, key) is not None:
                arrays[key] = getattr(self, key)
        if self.events is not None:
            arrays["event_times"] = np.concatenate(self.events)
            arrays["event_stops"] = np.cumsum([len(times) for times in self.events], dtype=np.int64)
        return arrays

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through the constructor: arrays come back read-only also in another process."""
        state = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return _rebuild, (state,)

    def __repr__(self) -> str:
        """Name, size and what is present."""
        events = "with events" if self.events is not None else "no events"
        if self.measured is not None:
            events = f"{self.measured.mean():.0%} of pairs measured, {events}"
        return (
            f"Field({self.name!r}: {self.n_neurons} neurons, {np.count_nonzero(self.connectome)} "
            f"connections, relations {', '.join(self.relations) or 'none'}, {events}, "
            f"origin {self.origin})"
        )


def _read_all(
    matrices: Mapping[str, Any], rows: Mapping[str, Any], events: Any, where: str
) -> dict[str, Any]:
    """Read all arrays that were given besides the positions, with their labels."""
    sources: dict[str, Any] = {}
    for key, value in matrices.items():
        if value is not None:
            sources[key] = alignment.square(value, f"{where}{key}")
    for key, value in rows.items():
        if value is not None:
            sources[key] = alignment.rows(value, f"{where}{key}")
    if isinstance(events, Iterable):  # anything else is refused by the constructor
        sources["events"] = event_trains.read(events, f"{where}events")
    return sources


def _whole_table(positions: Any) -> bool:
    """Check for a data frame with columns of integer types only; its positions stay integers."""
    return isinstance(positions, pd.DataFrame) and all(
        getattr(dtype, "kind", "O") in "iu" for dtype in positions.dtypes
    )


def _rebuild(state: dict[str, Any]) -> Field:
    return Field(**state)


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    """SHA-256 over names, types, shapes and values, the same on every machine."""
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = arrays[key]
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{key} {little.dtype.str} {array.shape}\n".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an npz file, pickles refused."""
    damaged = f"{path} is damaged or not a saved field"
    remedy = "save the field again with Field.save, or delete the file and load it from its source"
    try:
        data = io.BytesIO(path.read_bytes())
    except FileNotFoundError as error:
        raise FieldError(f"there is no file {path}; check the path and the folder") from error
    except OSError as error:
        raise FieldError(f"{path} cannot be read: {error.strerror or error}; {remedy}") from error
    # np.load would read a bare .npy as well; only archives are fields.
    if not zipfile.is_zipfile(data):
        raise FieldError(f"{damaged}: its end is not that of an npz archive; {remedy}")
    try:
        with np.load(data, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except Exception as error:  # a damaged archive raises almost anything
        raise FieldError(f"{damaged}: {error}; {remedy}") from error


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Copy into memory that cannot be made writable again."""
    return np.frombuffer(array.tobytes(), dtype=array.dtype).reshape(array.shape)


class _Checker:
    """Checks of one field's arrays; every message starts with the field and the array."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip() or set(name) & set("/\\\0\n"):
            raise FieldError(f"a field needs a name without slashes, got {name!r}; pass name='...'")
        self.name = name

    def error(self, array: str, problem: str, remedy: str) -> FieldError:
        """Build the error; the caller raises it."""
        return FieldError(f"field {self.name!r}, {array}: {problem}; {remedy}")

    def numbers(
        self, key: str, value: ArrayLike, shape: tuple[int, ...], *, finite: bool = True
    ) -> NDArray[Any]:
        """Check for real, by default finite numbers of the given shape (-1: any length)."""
        want = f"({', '.join('N' if s < 0 else str(s) for s in shape)})"
        array = physical_units.plain(value, f"field {self.name!r}, {key}")
        if array.dtype.kind not in "biuf" or (array.dtype == bool and key not in MAY_BE_BOOLEAN):
            raise self.error(key, f"holds {array.dtype}", f"pass plain numbers of shape {want}")
        wrong = array.ndim != len(shape) or any(
            length != side for length, side in zip(array.shape, shape, strict=True) if side >= 0
        )
        if wrong:
            remedy = "give every array the same neurons in the same order"
            raise self.error(key, f"shape {array.shape}, expected {want}", remedy)
        if finite and not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0]
            remedy = "drop the neurons concerned or fill in the values by a rule you can state"
            if key in RELATION_NAMES:
                remedy += ", or mark with measured= the pairs that were not measured"
            raise self.error(key, f"{array[tuple(where)]} at {where.tolist()}", remedy)
        return array

    def whole(self, key: str, array: NDArray[Any]) -> NDArray[np.int64]:
        """Check for whole numbers that fit into int64."""
        if array.dtype.kind == "f" and (array != np.round(array)).any():
            where = np.argwhere(array != np.round(array))[0]
            problem = f"{array[tuple(where)]} at {where.tolist()} is no whole number"
            raise self.error(key, problem, "pass integers")
        # 2.0 ** 63 is the first float beyond int64, whose own maximum no float can hold.
        largest = 2.0**63 if array.dtype.kind == "f" else np.iinfo(np.int64).max + 1
        if array.size and array.max().item() >= largest:
            raise self.error(key, f"{array.max()} does not fit int64", "pass int64")
        return array.astype(np.int64)

    def positions(self, value: ArrayLike) -> NDArray[Any]:
        """Check soma positions in voxels, at least two neurons."""
        array = self.numbers("positions", value, (-1, 3))
        self.at_least_two(len(array))
        return _frozen(
            array.astype(np.float64) if array.dtype.kind == "f" else self.whole("positions", array)
        )

    def at_least_two(self, n: int) -> int:
        """Check the number of neurons."""
        if n < 2:
            raise self.error("positions", f"{n} neurons", "a field needs at least 2")
        return n

    def ids(self, key: str, value: ArrayLike, n: int, *, unique: bool) -> NDArray[Any]:
        """Check identifiers: integers by type, because floats cannot hold all their digits."""
        array = self.numbers(key, value, (n,))
        if array.dtype.kind not in "iu":
            remedy = "ids have 18 digits and floats keep 15: read them as int64 from the start"
            raise self.error(key, f"holds {array.dtype}", remedy)
        values, counts = np.unique(array, return_counts=True)
        if unique and len(values) < n:
            repeated = values[counts > 1][0]
            raise self.error(key, f"{repeated} occurs twice", "keep one row for each neuron")
        return _frozen(self.whole(key, array))

    def voxel_size(self, value: ArrayLike) -> NDArray[Any]:
        """Check the edge lengths of a voxel in nm."""
        array = self.numbers("voxel_size", value, (3,))
        if (array <= 0).any():
            remedy = "pass three positive lengths in nm, such as (4, 4, 40)"
            raise self.error("voxel_size", f"{array.tolist()}", remedy)
        return _frozen(array.astype(np.float64))

    def grid(self, value: Sequence[int], n: int) -> tuple[int, int, int]:
        """Check for three positive sides whose product holds every neuron."""
        remedy = f"pass three positive integers with a product of at least {n}"
        try:
            sides = tuple(int(side) for side in value)
            right = len(sides) == 3 and min(sides) > 0 and np.array_equal(sides, value)
        except (TypeError, ValueError):
            right = False
        if not right or math.prod(sides) < n:
            raise self.error("grid", f"{value!r} for {n} neurons", remedy)
        return sides[0], sides[1], sides[2]

    def connectome(self, value: ArrayLike, n: int) -> NDArray[Any]:
        """Check directed synapse counts."""
        array = self.numbers("connectome", value, (n, n))
        if (array < 0).any():
            where = np.argwhere(array < 0)[0]
            problem = f"{array[tuple(where)]} at {where.tolist()}"
            raise self.error("connectome", problem, "synapse counts are 0 or more")
        return _frozen(self.whole("connectome", array))

    def measured(self, value: ArrayLike, n: int) -> NDArray[np.bool_]:
        """Check a mask of measured pairs: booleans, because 0 and 1 might be values."""
        array = np.asarray(value)
        if array.dtype != bool:
            raise self.error("measured", f"holds {array.dtype}", "pass booleans, True = measured")
        array = self.numbers("measured", array, (n, n))
        if not (array & ~np.eye(n, dtype=bool)).any():
            remedy = "leave out the relation and the mask"
            raise self.error("measured", "no pair of two neurons was measured", remedy)
        return _frozen(array)

    def relation(
        self, key: str, value: ArrayLike, n: int, measured: NDArray[np.bool_] | None
    ) -> NDArray[Any]:
        """Check a functional relation: NaN only where not measured, symmetric up to rounding."""
        array = self.numbers(key, value, (n, n), finite=measured is None).astype(np.float64)
        if measured is not None:
            self.agree(key, array, measured)
            array[~measured] = np.nan  # one pattern of bits for all, as there are many NaNs
        if key not in DIRECTED:
            self.symmetric(key, array)
        return _frozen(array)

    def agree(self, key: str, array: NDArray[Any], measured: NDArray[np.bool_]) -> None:
        """Check that a relation has numbers where it was measured and NaN elsewhere."""
        for wrong, remedy in (
            (measured & ~np.isfinite(array), "set measured to False there"),
            (~measured & ~np.isnan(array), "put NaN there or set measured to True"),
        ):
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                mask = measured[row, column]
                problem = f"{array[row, column]} at [{row}, {column}], where measured is {mask}"
                raise self.error(key, problem, remedy)

    def symmetric(self, key: str, array: NDArray[np.float64]) -> None:
        """Check that a relation is the same in both directions, and missing in both or none."""
        one_sided = np.isnan(array) & ~np.isnan(array.T)
        if one_sided.any():
            row, column = np.argwhere(one_sided)[0]
            problem = f"not symmetric: [{column}, {row}] is measured, [{row}, {column}] is not"
            remedy = f"{key} has no direction: give both, or pass a directed one as response="
            raise self.error("measured", problem, remedy)
        difference = np.nan_to_num(np.abs(array - array.T))
        if difference.max() > SYMMETRY_TOLERANCE * max(1.0, np.nanmax(np.abs(array))):
            row, column = np.unravel_index(difference.argmax(), difference.shape)
            problem = (
                f"not symmetric: {array[row, column]} at [{row}, {column}] but "
                f"{array[column, row]} at [{column}, {row}]"
            )
            raise self.error(key, problem, "mirror the triangle that holds the measured values")

    def events(self, value: Iterable[ArrayLike], n: int) -> tuple[NDArray[Any], ...]:
        """Check event times: one sorted array of seconds for each neuron."""
        try:
            trains = list(value)
        except TypeError as error:
            raise self.error("events", f"{value!r}", f"pass {n} arrays of seconds") from error
        if len(trains) != n:
            problem = f"{len(trains)} arrays for {n} neurons"
            raise self.error("events", problem, "pass one array for each neuron, empty if silent")
        checked = []
        for i, train in enumerate(trains):
            array = self.numbers(f"events[{i}]", train, (-1,))
            if array.dtype == bool:
                remedy = "a raster is not a train: pass the seconds at which it is True"
                raise self.error(f"events[{i}]", "holds bool", remedy)
            times = array.astype(np.float64)
            if (times < 0).any():
                remedy = "count seconds from the start of the recording"
                raise self.error(f"events[{i}]", f"{times.min()} s is before 0", remedy)
            if (np.diff(times) < 0).any():
                raise self.error(f"events[{i}]", "times are not sorted", "use numpy.sort")
            checked.append(_frozen(times))
        return tuple(checked)
