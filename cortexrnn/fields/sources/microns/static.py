"""Tables of the release as public files: no token, but only some versions.

Compressed text without a header, beside a small file that names the columns. Synapses come as one
file of all connected pairs of the volume (3 GB at version 1412). It is downloaded once, resumed
where it broke off, and read in chunks; only the pairs between coregistered neurons are kept.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.sources.microns.cave import (
    CELL_TYPES,
    COREGISTRATION,
    PROOFREADING,
    checked_version,
    named_cell_types,
)
from cortexrnn.fields.sources.microns.store import (
    MicronsError,
    NothingThereError,
    Store,
    download,
    steps,
)
from cortexrnn.fields.sources.microns.tables import coregistered, need

__all__ = ["STATIC_VERSION", "Static"]

#: Newest version of which the pairs of connected segments are known to be public.
STATIC_VERSION = 1412

#: Versions that the release's own documentation lists.
STATIC_VERSIONS = (343, 661, 795, 943, 1078, 1181, 1412)

#: Folder of all versions.
BASE_URL = "https://storage.googleapis.com/mat_dbs/public/minnie65_phase3_v1"

PAIRS = "connections_with_nuclei"

#: Rows of the file of pairs that are in memory at a time.
ROWS = 2_000_000


class Static:
    """The route through public files; see `cortexrnn.fields.sources.microns.tables.Source`.

    Parameters
    ----------
    version : int
        Materialization, one of `STATIC_VERSIONS` unless more have become public.
    progress : bool
        Whether to show progress.
    """

    route = "static"

    def __init__(self, *, version: int = STATIC_VERSION, progress: bool = True) -> None:
        self.version = checked_version(version)
        self.progress = progress
        self._store = Store(f"static-{self.version}")

    def coregistration(self, session: int, scan: int, field: int) -> pd.DataFrame:
        """Rows of one imaging field."""
        rows = self._coregistration()
        of_field = (rows["session"] == session) & (rows["scan"] == scan) & (rows["field"] == field)
        return rows[of_field].reset_index(drop=True)

    def cell_types(self, nuclei: NDArray[np.int64]) -> pd.DataFrame:
        """Class and type of each nucleus that was classified."""
        rows = named_cell_types(self._table(CELL_TYPES), CELL_TYPES)
        return rows[rows["nucleus"].isin(nuclei)].reset_index(drop=True)

    def proofreading(self, roots: NDArray[np.int64]) -> pd.DataFrame | None:
        """Rows of these segments, or None where the version has no such file."""
        table = next(name for since, name in PROOFREADING if self.version >= since)
        try:
            raw = self._table(table)
        except NothingThereError:
            return None
        need(raw, ("pt_root_id",), table)
        raw["pt_root_id"] = raw["pt_root_id"].replace("", "0").astype(np.int64)
        if "valid_id" in raw:
            raw["valid_id"] = raw["valid_id"].replace("", "0").astype(np.int64)
        return raw[raw["pt_root_id"].isin(roots)].reset_index(drop=True)

    def pairs(self, roots: NDArray[np.int64]) -> pd.DataFrame:
        """Count synapses between the segments, from the file of all connected pairs."""
        every = self._store.table("pairs_of_coregistered", self._filtered_pairs)
        inside = every["pre"].isin(roots) & every["post"].isin(roots)
        return every[inside & (every["pre"] != every["post"])].reset_index(drop=True)

    def _coregistration(self) -> pd.DataFrame:
        return coregistered(self._table(COREGISTRATION), COREGISTRATION)

    def _filtered_pairs(self) -> pd.DataFrame:
        """Pairs between coregistered segments, selected from those of the whole volume."""
        roots = np.unique(self._coregistration()["root"])
        roots = roots[roots > 0]
        path = self._file(f"{PAIRS}.csv.gz")
        kept = []
        with usable(path):
            names = self._columns_of_pairs(path)
            for chunk in chunks_of(path, names, progress=self.progress):
                ends = chunk[["pre_pt_root_id", "post_pt_root_id"]].to_numpy()
                kept.append(chunk[np.isin(ends, roots).all(axis=1)])
        pairs = pd.concat(kept, ignore_index=True)
        path.unlink()  # nothing else of it is needed later
        renamed = {"pre_pt_root_id": "pre", "post_pt_root_id": "post", "n_syn": "n"}
        return pairs[list(renamed)].rename(columns=renamed)

    def _columns_of_pairs(self, path: Path) -> list[str] | None:
        """Column names of the file of pairs; None where its own first line holds them."""
        with gzip.open(path, "rt") as file:
            first = file.readline()
        return None if "pre_pt_root_id" in first else self._columns(f"{PAIRS}_header.csv")

    def _table(self, table: str) -> pd.DataFrame:
        """One table, every value as text: empty ids must not turn the others into floats."""
        path = self._file(f"{table}_merged.csv.gz")
        columns = self._columns(f"{table}_merged_header.csv")
        with usable(path):
            raw = pd.read_csv(path, names=columns, dtype=str, keep_default_na=False)
        if "pt_root_id" in raw:
            raw["pt_root_id"] = raw["pt_root_id"].replace("", "0")
        return raw

    def _columns(self, name: str) -> list[str]:
        """Column names from a header file, whose rows are name and type."""
        text = self._file(name).read_text()
        names = pd.read_csv(io.StringIO(text), header=None, dtype=str)[0].tolist()
        return [str(column) for column in names]

    def _file(self, name: str) -> Path:
        url = f"{BASE_URL}/v{self.version}/{name}"
        try:
            return download(url, self._store.folder / name, progress=self.progress)
        except NothingThereError as error:
            known = ", ".join(map(str, STATIC_VERSIONS))
            raise NothingThereError(f"{error}. Versions known to be public: {known}") from error


def chunks_of(path: Path, columns: list[str] | None, *, progress: bool) -> Iterator[pd.DataFrame]:
    """Chunks of a compressed table of pairs, ids as int64."""
    wanted = ["pre_pt_root_id", "post_pt_root_id", "n_syn"]
    with pd.read_csv(
        path,
        names=columns,
        header=0 if columns is None else None,
        usecols=wanted,
        dtype=dict.fromkeys(wanted, np.int64),
        chunksize=ROWS,
    ) as reader:
        yield from steps(reader, "Pairs", progress=progress)


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Remove a file that cannot be read from the cache, and say so."""
    try:
        yield
    except MicronsError:
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:
        path.unlink(missing_ok=True)
        raise MicronsError(
            f"{path.name} is damaged or has another layout ({error}); it was removed from the "
            "cache, run this again"
        ) from error
