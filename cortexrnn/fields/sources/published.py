"""The 56 fields of MICrONS minnie65 that the paper's authors published.

Source: github.com/neurovium/CorticalBlueprintRNN at the pinned commit, folder
``Model/DATA/info`` (MIT licence); data of the MICrONS Consortium (2025),
doi 10.1038/s41586-025-08790-w.

Places are tried in this order, and ``Field.origin`` names the one that was used:
an explicit directory (``"directory"``), the mirror named by ``CORTEXRNN_DATA`` (``"mirror"``), the
cache (``"cache"``), the public source (``"download"``). Every file is compared with the digest in
``data/registry.csv`` before it is parsed.

Event files are large and not part of every copy. A directory or a mirror may lack them, the field
then has ``events=None``; a download brings them along unless ``events=False``.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import logging
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import requests
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field

__all__ = [
    "BASE_URL",
    "FIELDS",
    "REGISTRY",
    "FileEntry",
    "SourceError",
    "cache_directory",
    "check_name",
    "fetch",
    "load_published",
    "released_order",
]

#: Where the files lie in public; a registry path is appended.
BASE_URL = (
    "https://raw.githubusercontent.com/neurovium/CorticalBlueprintRNN/8d5e241f/Model/DATA/info/"
)

#: The same folder under the full id of another commit, used when the short id above is not
#: resolved. Digests decide in either case whether a file is the right one.
SECOND_URL = BASE_URL.replace("8d5e241f", "97e2b14f635bba57a4c9923f9ba97a28ec119d81")

#: Edge lengths in nm of the voxels in which the positions are counted.
VOXEL_SIZE = (4.0, 4.0, 40.0)

_DATA = Path(__file__).parents[2] / "data"

#: One row for each field: name, session, scan, imaging field, neurons, grid, edges, synapses.
FIELDS = pd.read_csv(_DATA / "fields.csv")


class SourceError(FieldError):
    """A published field that cannot be loaded, or a file that is not the published one."""


@dataclass(frozen=True)
class FileEntry:
    """What is known of one published file.

    Parameters
    ----------
    path : str
        Relative to the folder that holds all fields.
    sha256, git_blob : str or None
        SHA-256 of the content, or the id git gives it; exactly one is known.
    n_bytes : int or None
        Length, where known.
    """

    path: str
    sha256: str | None
    git_blob: str | None
    n_bytes: int | None

    def verify(self, data: bytes, place: str) -> None:
        """Raise unless `data` is the published file.

        Parameters
        ----------
        data : bytes
            Whole content.
        place : str
            Where it came from, for the message.

        Raises
        ------
        SourceError
            If the digest differs.
        """
        if self.sha256 is not None:
            kind, expected, actual = "SHA-256", self.sha256, hashlib.sha256(data).hexdigest()
        else:
            kind, expected, actual = "git blob id", str(self.git_blob), _git_blob(data)
        if actual != expected:
            length = "" if self.n_bytes is None else f" of {self.n_bytes} bytes"
            raise SourceError(
                f"{place} is not the published file{length}: expected {kind} {expected}, found "
                f"{actual} in {len(data)} bytes; delete it and fetch it again "
                f"(`cortexrnn fetch {self.path.split('/')[0]}`, or from {BASE_URL}{self.path})"
            )


def _read_registry() -> dict[str, FileEntry]:
    table = pd.read_csv(_DATA / "registry.csv", dtype={"bytes": "Int64"})
    entries = {}
    for path, sha256, git_blob, n_bytes in table.itertuples(index=False):
        entries[path] = FileEntry(
            path=path,
            sha256=None if pd.isna(sha256) else sha256,
            git_blob=None if pd.isna(git_blob) else git_blob,
            n_bytes=None if pd.isna(n_bytes) else int(n_bytes),
        )
    return entries


#: Every published file by its path.
REGISTRY = _read_registry()


def cache_directory() -> Path:
    """Folder that keeps downloads: ``CORTEXRNN_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("CORTEXRNN_CACHE") or pooch.os_cache("cortexrnn")).expanduser()


def load_published(
    name: str,
    *,
    directory: str | os.PathLike[str] | None = None,
    events: bool | None = None,
) -> Field:
    """Return one of the 56 published fields.

    Parameters
    ----------
    name : str
        ``session_scan_field``, such as ``"6_6_2"``.
    directory : path, optional
        Folder that holds the field's folder or is it; no other place is tried then.
    events : bool, optional
        False leaves the event times out, True insists on them. By default they are taken where
        the place has them, and a download brings them.

    Returns
    -------
    Field
        Positions in voxels of 4 x 4 x 40 nm, nucleus ids as ``ids``, published grid. The
        connectome is put in the order of the neurons, see :func:`released_order`.

    Raises
    ------
    SourceError
        If there is no such field, no place has it, or a file is not the published one.
    """
    row = _row(name)
    folder, origin = _locate(name, directory=directory, events=events)
    n = int(row["n_neurons"])
    files = _Files(name, folder)
    has_events = events is not False and (folder / f"spikes_{name}.npy").is_file()
    root_ids = files.plain(f"root_ids_{name}.npy")
    # The digests fix this content, so there are no labels to follow and nothing to leave out.
    content: dict[str, Any] = dict(
        name=name,
        ids=files.plain(f"target_ids_{name}.npy"),
        positions=files.rows(f"positions_{name}.npy", n),
        voxel_size=VOXEL_SIZE,
        grid=tuple(int(side) for side in row["grid"].split("x")),
        connectome=_aligned(files.table(f"connectome_{name}.csv", n), root_ids, name),
        correlation=files.relation("corr_matrix.npy", n),
        sttc=files.relation("sttc_matrix.npy", n),
        precision=files.relation("precision_matrix.npy", n),
        events=files.trains(f"spikes_{name}.npy", n) if has_events else None,
        root_ids=root_ids,
        unit_ids=files.plain(f"unit_ids_{name}.npy"),
        origin=origin,
    )
    return Field(**content)


def is_available(name: str) -> bool:
    """Check whether a published field can be read without a network, apart from its events.

    Parameters
    ----------
    name : str
        Any name.

    Returns
    -------
    bool
        Whether mirror or cache hold it; False for a name that is not published.
    """
    entries = _entries(name, events=False)
    named = os.environ.get("CORTEXRNN_DATA")
    folders = [Path(named).expanduser() / name] if named else []
    folders.append(cache_directory() / name)
    return bool(entries) and any(
        all((folder / Path(entry.path).name).is_file() for entry in entries) for folder in folders
    )


def released_order(root_ids: ArrayLike) -> NDArray[np.int64]:
    """Find which neuron each row and column of a released connectome belongs to.

    The released connectomes do not list the neurons as the other files do. Their rows are in
    the order in which CPython reads a ``set`` of the segment ids. In that order connected
    neurons are near neighbours, in all eleven fields looked at; taken as stored, connections
    would ignore distance altogether. The published results do not depend on it, since they use
    the connectome only through sorted values.

    Parameters
    ----------
    root_ids : array_like of int, shape (N,)
        Segment ids in the order of the neurons, all different.

    Returns
    -------
    ndarray of int, shape (N,)
        Row k of the released connectome is neuron ``order[k]``.

    Raises
    ------
    SourceError
        If an id occurs twice, so that the order cannot be recovered.
    """
    ids = np.asarray(root_ids, dtype=np.int64).tolist()
    place = {root_id: neuron for neuron, root_id in enumerate(ids)}
    if len(place) < len(ids):
        raise SourceError("two neurons share a segment id, so the order of the rows is not known")
    return np.array([place[root_id] for root_id in set(ids)], dtype=np.int64)


def _aligned(released: NDArray[Any], root_ids: NDArray[Any], name: str) -> NDArray[Any]:
    """Put rows and columns of a released connectome in the order of the neurons."""
    try:
        order = released_order(root_ids)
    except SourceError as error:
        warnings.warn(f"field {name}: {error}; they stay as released", stacklevel=3)
        return released
    aligned = np.empty_like(released)
    aligned[np.ix_(order, order)] = released
    return aligned


def check_name(name: str) -> None:
    """Refuse a name that no published field has.

    Parameters
    ----------
    name : str
        Field, such as ``"6_6_2"``.

    Raises
    ------
    SourceError
        If there is no such field.
    """
    _row(name)


def fetch(name: str, *, events: bool = True, progress: bool = True) -> Path:
    """Bring every file of a published field into the cache.

    Correct files in the cache are kept, damaged ones are replaced.

    Parameters
    ----------
    name : str
        Field, such as ``"6_6_2"``.
    events : bool
        Whether to fetch the event times as well.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        The field's folder in the cache.

    Raises
    ------
    SourceError
        If there is no such field, or it cannot be fetched or stored.
    """
    _row(name)
    cache = cache_directory()
    todo = [entry for entry in _entries(name, events=events) if not _is_right(cache, entry)]
    source = pooch.create(
        path=cache, base_url=BASE_URL, registry={entry.path: None for entry in todo}
    )
    steps = track(
        todo,
        description=escape(f"Fetching {name}"),
        console=Console(stderr=True),
        disable=not progress,
        transient=True,
    )
    with _quiet_pooch():
        for entry in steps:
            try:
                (cache / entry.path).unlink(missing_ok=True)
                source.fetch(entry.path, downloader=_verifying(entry))
            except OSError as error:
                # Network errors of requests are OSErrors too, but carry no number.
                if error.errno is None:
                    raise SourceError(_nowhere(name, f"{BASE_URL}{entry.path}: {error}")) from error
                raise SourceError(
                    f"field {name!r} cannot be stored in {cache}: {error}; set CORTEXRNN_CACHE to "
                    "a folder that you may write to"
                ) from error
    return cache / name


def _row(name: str) -> pd.Series:
    """Return the row of `name` in FIELDS."""
    rows = FIELDS[FIELDS["field"] == name]
    if len(rows) == 1:
        return rows.iloc[0]
    close = sorted(difflib.get_close_matches(str(name), list(FIELDS["field"]), n=4, cutoff=0.5))
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise SourceError(
        f"no field called {name!r}; {hint}`cortexrnn fields` lists the {len(FIELDS)} published "
        "ones; a saved field is given by its path, a synthetic one as surrogate or surrogate_<N>"
    )


def _entries(name: str, *, events: bool) -> list[FileEntry]:
    """Files of one field, events last."""
    entries = [entry for path, entry in REGISTRY.items() if path.startswith(f"{name}/")]
    spikes = f"{name}/spikes_{name}.npy"
    core = [entry for entry in entries if entry.path != spikes]
    return [*core, REGISTRY[spikes]] if events else core


def _locate(
    name: str, *, directory: str | os.PathLike[str] | None, events: bool | None
) -> tuple[Path, str]:
    """Find the folder of one field, and say what kind of place it is."""
    if directory is not None:
        folder = Path(directory).expanduser()
        return _complete(name, [folder / name, folder], events=events), "directory"
    named = os.environ.get("CORTEXRNN_DATA")
    if named:
        mirror = Path(named).expanduser()
        if not mirror.is_dir():
            raise SourceError(
                f"CORTEXRNN_DATA names {named}, which is no folder; correct it or unset it"
            )
        if (mirror / name).is_dir():
            return _complete(name, [mirror / name], events=events), "mirror"
    cache = cache_directory()
    if all((cache / e.path).is_file() for e in _entries(name, events=events is not False)):
        return cache / name, "cache"
    return fetch(name, events=events is not False, progress=False), "download"


def _complete(name: str, folders: list[Path], *, events: bool | None) -> Path:
    """Return the first folder that holds the field, every file of it present."""
    names = [Path(entry.path).name for entry in _entries(name, events=events is True)]
    for folder in folders:
        missing = [file for file in names if not (folder / file).is_file()]
        if not missing:
            return folder
        if len(missing) < len(names):
            raise SourceError(
                f"field {name!r} in {folder} is incomplete, missing: {', '.join(missing)}; add "
                f"them from {BASE_URL}{name}/, or remove the folder to use another place"
            )
    raise SourceError(_nowhere(name, f"nothing of it in {folders[0].parent}"))


def _nowhere(name: str, reason: str) -> str:
    return (
        f"field {name!r} cannot be loaded ({reason}). Remedies: set CORTEXRNN_DATA to a mirror "
        f"that holds a folder {name}; or give the folder yourself (--directory, directory=...); or "
        f"connect to the network and run `cortexrnn fetch {name}`, which continues where it "
        "stopped. A surrogate is never put in its place"
    )


def _is_right(cache: Path, entry: FileEntry) -> bool:
    path = cache / entry.path
    if not path.is_file():
        return False
    try:
        entry.verify(path.read_bytes(), str(path))
    except SourceError:
        return False
    return True


def _verifying(entry: FileEntry) -> Callable[..., None]:
    """Return a downloader for pooch that also knows git blob ids.

    It runs before pooch moves the temporary file to its final name, so a file that is cut short
    or altered never reaches the cache.
    """
    download = pooch.HTTPDownloader()

    def downloader(url: str, output_file: Any, source: pooch.Pooch) -> None:
        try:
            download(url, output_file, source)
        except requests.HTTPError:
            url = SECOND_URL + entry.path
            download(url, output_file, source)
        entry.verify(Path(output_file).read_bytes(), url)

    return downloader


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from writing a line for each file between the progress bar's own."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _git_blob(data: bytes) -> str:
    """Return the id git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _mirrored(matrix: NDArray[Any]) -> NDArray[Any]:
    """Make a matrix symmetric from its lower triangle.

    STTC is published with nothing above the diagonal; correlation differs from its transpose by
    rounding (1e-17).
    """
    lower = np.tril(matrix)
    return np.asarray(lower + np.tril(matrix, -1).T)


class _Files:
    """Verified content of one field's files; each is read once, and those bytes are parsed."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def read(self, file: str) -> tuple[io.BytesIO, Path]:
        """Return the verified bytes of one file, and where they lie."""
        path = self.folder / file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error}; fetch it again") from error
        REGISTRY[f"{self.name}/{file}"].verify(data, str(path))
        return io.BytesIO(data), path

    def plain(self, file: str) -> NDArray[Any]:
        """Array of plain numbers."""
        stream, path = self.read(file)
        try:
            return np.asarray(npy.read_array(stream, allow_pickle=False))
        except ValueError as error:
            raise SourceError(f"{path} holds no plain array: {error}") from error

    def objects(self, file: str, n: int) -> NDArray[np.object_]:
        """Object array with one array for each of the n neurons."""
        stream, path = self.read(file)
        return _object_array(stream, n=n, place=str(path))

    def rows(self, file: str, n: int) -> NDArray[Any]:
        """Object array of n rows of three numbers, as one array."""
        rows = self.objects(file, n)
        if any(np.shape(row) != (3,) for row in rows):
            raise SourceError(f"{self.folder / file}: not every neuron has three coordinates")
        return np.stack([np.asarray(row) for row in rows])

    def trains(self, file: str, n: int) -> list[NDArray[Any]]:
        """Object array of n flat arrays of numbers, each sorted."""
        trains = [np.asarray(train) for train in self.objects(file, n)]
        if any(train.ndim != 1 or train.dtype.kind not in "iuf" for train in trains):
            raise SourceError(f"{self.folder / file}: not every neuron has a flat array of seconds")
        return [np.sort(train) for train in trains]

    def relation(self, file: str, n: int) -> NDArray[Any]:
        """Matrix that is symmetric, or has nothing above its diagonal."""
        matrix = self.plain(file)
        if matrix.shape != (n, n) or matrix.dtype.kind not in "iuf":
            raise SourceError(
                f"{self.folder / file} holds {matrix.dtype} of shape {matrix.shape}, expected "
                f"numbers of shape ({n}, {n})"
            )
        upper, lower = np.triu(matrix, 1), np.tril(matrix, -1).T
        if upper.any() and not np.allclose(upper, lower, rtol=1e-9, atol=1e-9, equal_nan=True):
            raise SourceError(f"{self.folder / file} is not symmetric")
        return _mirrored(matrix)

    def table(self, file: str, n: int) -> NDArray[Any]:
        """Square table of a CSV file whose first column is an index."""
        stream, path = self.read(file)
        try:
            table: NDArray[Any] = pd.read_csv(stream, index_col=0).to_numpy()
        except ValueError as error:  # pandas' own parser errors are ValueErrors
            raise SourceError(f"{path} holds no table: {error}") from error
        if table.shape != (n, n):
            raise SourceError(f"{path} holds a table of shape {table.shape}, expected ({n}, {n})")
        return table


#: The only globals a published pickle may name, under the module names of numpy 1 and 2.
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    # numpy states both functions itself when it pickles an array and a scalar.
    _ADMITTED[_module, "_reconstruct"] = np.empty(0).__reduce__()[0]
    _ADMITTED[_module, "scalar"] = np.float64(0).__reduce__()[0]


class _NumpyUnpickler(pickle.Unpickler):
    """Unpickler that can build numpy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a global up in the short list instead of importing it."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise SourceError(
                f"its pickle asks for {module}.{name}; only numpy arrays are read from there, "
                "nothing was run"
            ) from None


def _object_array(stream: io.BytesIO, *, n: int, place: str) -> NDArray[np.object_]:
    """Read an ``.npy`` object array without letting its pickle run any code."""
    try:
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version[0] == 1 else npy.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if shape != (n,) or not dtype.hasobject:
            raise SourceError(f"it holds {dtype} of shape {shape}, expected {n} objects")
        array = _NumpyUnpickler(stream).load()
        if not isinstance(array, np.ndarray) or array.shape != (n,) or array.dtype != object:
            raise SourceError(f"its pickle is not an array of {n} objects")
    except SourceError as error:
        raise SourceError(f"{place} refused: {error}") from error
    except Exception as error:  # bytes that are no pickle raise almost anything
        raise SourceError(f"{place} refused: not an object array ({error})") from error
    return array
