"""Functional traces of a scan, streamed from its NWB file on DANDI; no token.

A file has about 71 GB, of which one imaging field needs some hundred MB: these are read over the
network (remfile and h5py) and kept in the cache block by block. The files hold the fluorescence;
the release's deconvolved traces are not in them.

*Which trace is whose.* Units are numbered through all imaging fields of a scan, masks anew in each:
``unit_id = mask_id + number of masks in the earlier fields``, both counted from 1. The files do not
say so. The rule is asserted: a unit outside the block of its field is refused.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.errors import warn
from cortexrnn.fields.sources.microns.store import MicronsError, Store, digest, get, steps

__all__ = ["DANDI_VERSION", "Recording", "asset_url", "mask_columns", "recording"]

DANDISET = "000402"

#: Published, hence unchanging version of the dandiset.
DANDI_VERSION = "0.230307.2132"

API = "https://api.dandiarchive.org/api"
SUBJECT = "17797"

#: Values in one block of the cache, 4 bytes each.
BLOCK_VALUES = 6_000_000


@dataclass(frozen=True)
class Recording:
    """Fluorescence of the requested units of one imaging field.

    Parameters
    ----------
    fluorescence : ndarray of float32, shape (N, n_frames)
        Rows in the order of ``unit_ids``.
    unit_ids : ndarray of int64, shape (N,)
        Units.
    frame_rate_hz : float
        Mean rate by the time stamps of the file.
    masks : tuple of int
        Number of masks in each imaging field of the scan, up to this one.
    """

    fluorescence: NDArray[np.float32]
    unit_ids: NDArray[np.int64]
    frame_rate_hz: float
    masks: tuple[int, ...]


def recording(
    session: int,
    scan: int,
    field: int,
    unit_ids: ArrayLike,
    *,
    url: str | None = None,
    progress: bool = True,
) -> Recording:
    """Stream the traces of some units of one imaging field.

    The whole imaging field is read, since a unit alone costs as much, and kept in the cache. Blocks
    that arrived are not requested again.

    Parameters
    ----------
    session, scan, field : int
        Imaging field.
    unit_ids : array of int, shape (N,)
        Units of that field.
    url : str, optional
        The NWB file; by default the scan's asset on DANDI.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Recording

    Raises
    ------
    MicronsError
        If h5py or remfile is missing, the file cannot be reached or has another layout, or a
        unit lies outside the masks of the field.

    Warns
    -----
    FieldWarning
        If the time stamps of the file have gaps.
    """
    units = np.asarray(unit_ids, dtype=np.int64)
    store = kept_in(session, scan, field, url)
    source = _Lazily(lambda: _opened(url or asset_url(session, scan)))
    try:
        description = _about(store, source, field)
        # Descriptions that older versions kept in the cache have no gaps.
        _warn_of_gaps(description.get("gaps", []), field)
        columns = mask_columns(units, description["masks"], field)
        axis, edges = description["axis"], description["edges"]
        parts = []
        blocks = list(itertools.pairwise(edges))
        for start, stop in steps(blocks, "Traces", progress=progress):
            block = store.array(
                f"{'frames' if axis == 0 else 'masks'}_{start:06d}_{stop:06d}",
                lambda start=start, stop=stop: _block(source, field, axis, start, stop),  # type: ignore[misc]
            )
            if axis == 0:
                parts.append(block[:, columns].T)
            else:
                inside = (columns >= start) & (columns < stop)
                parts.append(block[:, columns[inside] - start].T)
    finally:
        source.close()
    if axis == 0:
        traces = np.concatenate(parts, axis=1)
    else:  # blocks of masks: put rows back into the order of the units
        traces = np.empty((len(units), description["n_frames"]), dtype=np.float32)
        traces[np.argsort(np.digitize(columns, edges), kind="stable")] = np.concatenate(parts)
    rate = float(description["frame_rate_hz"])
    return Recording(np.ascontiguousarray(traces), units, rate, tuple(description["masks"]))


def kept_in(session: int, scan: int, field: int, url: str | None) -> Store:
    """Folder of the cache for one imaging field; another file than DANDI's has one of its own."""
    source = f"nwb-{DANDI_VERSION}" if url is None else f"nwb-{digest(url)}"
    return Store(f"{source}/{session}_{scan}_{field}")


def mask_columns(unit_ids: ArrayLike, masks: ArrayLike, field: int) -> NDArray[np.int64]:
    """Columns of the traces of a field that belong to these units.

    Parameters
    ----------
    unit_ids : array of int, shape (N,)
        Units, numbered through the scan from 1.
    masks : array of int
        Number of masks of the fields 1, 2, ... at least up to `field`.
    field : int
        Imaging field, counted from 1.

    Returns
    -------
    ndarray of int64, shape (N,)
        Counted from 0.

    Raises
    ------
    MicronsError
        If a unit lies outside the block of its field.
    """
    units = np.asarray(unit_ids, dtype=np.int64)
    last = np.cumsum(np.asarray(masks, dtype=np.int64))
    before = int(last[field - 1] - np.asarray(masks)[field - 1])
    outside = units[(units <= before) | (units > last[field - 1])]
    if outside.size:
        raise MicronsError(
            f"unit {outside[0]} and {outside.size - 1} more lie outside field {field}, whose masks "
            f"are the units {before + 1} to {last[field - 1]}: the rule from units to masks does "
            "not hold here, so no trace is assigned. Take events from elsewhere "
            "(events=...)"
        )
    return units - before - 1


def asset_url(session: int, scan: int) -> str:
    """Address of a scan's NWB file.

    Raises
    ------
    MicronsError
        If DANDI cannot be reached or lists no such file.
    """
    path = f"sub-{SUBJECT}/sub-{SUBJECT}_ses-{session}-scan-{scan}_behavior+image+ophys.nwb"
    listing = f"{API}/dandisets/{DANDISET}/versions/{DANDI_VERSION}/assets/"
    assets = get(listing, params={"path": path}).json().get("results", [])
    exact = [asset for asset in assets if asset.get("path") == path]
    if not exact:
        raise MicronsError(
            f"dandiset {DANDISET} {DANDI_VERSION} lists no {path}; check session {session} and "
            f"scan {scan}"
        )
    # The download address forwards to a signed one that expires; the bucket behind it is public.
    reply = get(f"{API}/assets/{exact[0]['asset_id']}/download/")
    reply.close()
    return str(reply.url).split("?")[0]


class _Lazily:
    """The remote file, opened when the cache lacks something, and then once."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._file: Any = None

    def __call__(self) -> Any:
        if self._file is None:
            self._file = self._make()
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _opened(url: str) -> Any:
    """Open a remote HDF5 file for reading."""
    try:
        import h5py
        import remfile
    except ImportError as error:
        raise MicronsError(
            "NWB files need h5py and remfile: pip install -e '.[microns]'"
        ) from error
    get(url).close()  # remfile would try for half a minute before it says that there is nothing
    with _streaming(url):
        return h5py.File(remfile.File(url), "r")


@contextmanager
def _streaming(what: str) -> Iterator[None]:
    """Say what to do when streaming fails; remfile raises plain exceptions."""
    try:
        yield
    except MicronsError:
        raise
    except KeyError as error:
        raise MicronsError(
            f"{what} has another layout than the scans of dandiset {DANDISET}: {error}"
        ) from error
    except Exception as error:
        raise MicronsError(
            f"{what} cannot be read ({type(error).__name__}: {error}); run it again, blocks that "
            "arrived stay in the cache"
        ) from error


def _about(store: Store, source: Callable[[], Any], field: int) -> dict[str, Any]:
    """Return what is to be known before traces are read, from the cache or the file."""
    path = store.folder / "about.json"
    try:
        description: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        with _streaming(f"field {field}"):
            description = _described(source(), field)
        store.write(path, lambda file: file.write(json.dumps(description).encode()))
    return description


def _described(file: Any, field: int) -> dict[str, Any]:
    """Masks per field, frames, frame rate and how to cut the traces into blocks."""
    masks = [
        _n_masks(file["processing/ophys/ImageSegmentation"], plane) for plane in range(1, field + 1)
    ]
    series = file[f"processing/ophys/Fluorescence/RoiResponseSeries{field}"]
    n_frames, n_columns = series["data"].shape
    if n_columns != masks[-1]:
        raise MicronsError(
            f"field {field} has {n_columns} traces but {masks[-1]} masks; no trace is assigned"
        )
    stamps = np.asarray(series["timestamps"][:n_frames], dtype=np.float64)
    if not stamps[-1] > stamps[0]:
        raise MicronsError(f"field {field}: time stamps run from {stamps[0]} s to {stamps[-1]} s")
    axis, edges = _blocks(series["data"])
    rate = (n_frames - 1) / (stamps[-1] - stamps[0])
    shape = {"masks": masks, "n_frames": n_frames, "frame_rate_hz": rate}
    return shape | {"axis": axis, "edges": edges, "gaps": _gaps(stamps)}


def _gaps(stamps: NDArray[np.float64]) -> list[list[float]]:
    """Find steps of the clock that frames at a constant rate do not make: when, and how long."""
    steps = np.diff(stamps)
    irregular = np.flatnonzero(np.abs(steps - np.median(steps)) > np.median(steps) / 2)
    return [[float(stamps[k] - stamps[0]), float(steps[k])] for k in irregular[:100]]


def _warn_of_gaps(gaps: list[list[float]], field: int) -> None:
    """Warn of frames whose time does not follow from their number."""
    if gaps:
        when, step = max(gaps, key=lambda gap: gap[1])
        warn(
            f"field {field}: {len(gaps)} step(s) between frames differ from the others, the "
            f"longest is {step:g} s at {when:g} s; events are timed by the number of their frame, "
            "so those after a gap come early"
        )


def _n_masks(segmentation: Any, plane: int) -> int:
    """Count the masks of one imaging field; they must be numbered 1, 2, ... n."""
    ids = np.asarray(segmentation[f"PlaneSegmentation{plane}/id"])
    if not np.array_equal(ids, np.arange(1, len(ids) + 1)):
        raise MicronsError(
            f"masks of field {plane} are not numbered 1 to {len(ids)}: the rule from units to "
            "masks does not hold here, so no trace is assigned. Take events from elsewhere"
        )
    return len(ids)


def _blocks(data: Any) -> tuple[int, list[int]]:
    """Axis and edges of blocks that follow the chunks in which the file stores the traces."""
    n_frames, n_masks = data.shape
    chunk = data.chunks or (1, n_masks)
    axis = 0 if chunk[0] < n_frames else 1
    size, other = (n_frames, n_masks) if axis == 0 else (n_masks, n_frames)
    step = max(1, BLOCK_VALUES // (other * chunk[axis])) * chunk[axis]
    return axis, [*range(0, size, step), size]


def _block(
    source: Callable[[], Any], field: int, axis: int, start: int, stop: int
) -> NDArray[np.float32]:
    """Read one block of traces, shape (frames, masks)."""
    with _streaming(f"field {field}"):
        data = source()[f"processing/ophys/Fluorescence/RoiResponseSeries{field}/data"]
        cut = data[start:stop] if axis == 0 else data[:, start:stop]
    return np.asarray(cut, dtype=np.float32)
