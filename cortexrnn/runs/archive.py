"""Runs on disk: the schema of a run, files that are written once, and the shipped archive.

A folder of runs holds, for every plan, ``<plan>.json`` (what was asked for and, at the end, what
came of it), ``<plan>.parquet`` once the plan is finished, and until then ``shards/*.parquet``.
Files appear under their final name only when they are complete. Files of runs are never edited; the
record of a plan is written again, whole, when the plan is finished.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cortexrnn.runs.labels import labelled

__all__ = [
    "METRICS",
    "SCHEMA",
    "ArchiveError",
    "as_rows",
    "load_archive",
    "plan_records",
    "read_folder",
    "read_runs",
    "run_files",
    "write_json",
    "write_runs",
]

METRICS = (
    *("accuracy", "loss", "validation_accuracy", "validation_loss"),
    *("entropy", "modularity", "small_worldness", "assortativity"),
)
"""What is measured of a run: how it learned, and the topology of the trained matrix."""
SCHEMA = pa.schema(
    [
        ("field", pa.string()),
        ("n_neurons", pa.int64()),
        ("relation", pa.string()),
        ("sign", pa.string()),
        ("arm", pa.string()),
        ("protocol", pa.string()),
        ("variant", pa.string()),
        ("task", pa.string()),
        ("seed", pa.int64()),
        ("data_seed", pa.int64()),
        ("epochs", pa.int64()),
        ("n_train", pa.int64()),
        ("n_validation", pa.int64()),
        *[(name, pa.float64()) for name in METRICS],
        ("clustering", pa.float64()),
        ("efficiency", pa.float64()),
        ("diverged", pa.bool_()),
        ("diverged_epoch", pa.int64()),
        ("history_accuracy", pa.list_(pa.float32())),
        ("history_loss", pa.list_(pa.float32())),
        ("seconds", pa.float64()),
        ("seconds_topology", pa.float64()),
        ("device", pa.string()),
        ("versions", pa.string()),
        ("commit", pa.string()),
        ("source", pa.string()),
        ("numerics", pa.int64()),
        ("products", pa.string()),
        ("finished", pa.string()),
        ("specification", pa.string()),
        ("identity", pa.string()),
    ]
)
"""Columns of a file of runs; times in seconds, `finished` in UTC, `specification` as JSON.

`commit` and `source` (see :func:`cortexrnn.runs.provenance.source`) say which code made a run,
`numerics` which version of its arithmetic (:data:`cortexrnn.networks.training.NUMERICS`),
`products` what computed matrix products. Where equal numerics and equal products meet, equal
specifications give equal bits."""
OWN_NAME = re.compile(r"_[0-9a-f]{12}$|^[0-9a-f]{32}$")
"""How the names of a plan and of a shard end, see :func:`~cortexrnn.runs.plans.plan_name`."""

log = logging.getLogger(__name__)


class ArchiveError(ValueError):
    """A file of runs cannot be read or written."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the final name when it was written without error."""
    temporary = path.with_name(f".{path.stem}-{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise ArchiveError(
            f"cannot write into {path.parent} ({error.strerror}); choose a folder you may write"
        ) from error
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_runs(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write runs to a Parquet file, completely or not at all.

    Parameters
    ----------
    rows : sequence of dict
        Runs with the columns of :data:`SCHEMA`.
    path : Path
        The file.

    Raises
    ------
    ArchiveError
        If the folder cannot be written, or a column is missing or unknown.
    """
    for row in rows:
        if wrong := set(row) ^ set(SCHEMA.names):
            raise ArchiveError(f"{path.name}: columns missing or unknown: {sorted(wrong)}")
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    with written_whole(path) as temporary:
        # Some hundred rows are read whole: statistics and dictionaries would only take room.
        pq.write_table(
            table, temporary, compression="zstd", compression_level=19,
            write_statistics=False, use_dictionary=False,
        )  # fmt: skip


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write a JSON file, completely or not at all.

    Parameters
    ----------
    content : dict
        Plain data.
    path : Path
        The file.

    Raises
    ------
    ArchiveError
        If the folder cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def run_files(folder: Path) -> list[Path]:
    """Find files of runs in a folder.

    What is not ours is passed over: hidden files, as macOS and NFS leave them, folders, and files
    without runs. A file of a plan stays one when it is damaged, so that reading it fails.

    Parameters
    ----------
    folder : Path
        Of plans or of shards; may be absent.

    Returns
    -------
    list of Path
        Sorted.
    """
    return [path for path in _visible(folder, "*.parquet") if _is_ours(path)]


def _visible(folder: Path, pattern: str) -> list[Path]:
    """Files that are not hidden."""
    paths = (path for path in folder.glob(pattern) if not path.name.startswith("."))
    return sorted(path for path in paths if path.is_file() or OWN_NAME.search(path.stem))


def _is_ours(path: Path) -> bool:
    """Whether a file is one of runs; that of a plan is, be it damaged or of another version."""
    if OWN_NAME.search(path.stem):
        return True
    try:
        return bool(pq.read_schema(path).names == SCHEMA.names)
    except (pa.ArrowException, OSError) as error:
        log.warning("%s is ignored: it does not have the name of a plan, and %s", path, error)
        return False


def plan_records(folder: Path) -> list[dict[str, Any]]:
    """Read the plans of a folder; what is not ours is passed over.

    Parameters
    ----------
    folder : Path
        Folder of runs.

    Returns
    -------
    list of dict
        What each plan wrote, sorted by the name of the file.

    Raises
    ------
    ArchiveError
        If the file of a plan is damaged.
    """
    records = []
    for path in _visible(folder, "*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            wrong = None if _is_record(content) else "it is not what a plan writes"
        except (OSError, RecursionError, ValueError) as error:
            wrong = str(error)
        if wrong is None:
            records.append(content)
        elif OWN_NAME.search(path.stem):
            raise ArchiveError(
                f"{path} cannot be read ({wrong}); move it away and give the same command again"
            )
    return records


def _is_record(content: Any) -> bool:
    """Whether JSON is what a plan writes."""
    if not isinstance(content, dict):
        return False
    identities = content.get("identities")
    if not isinstance(content.get("plan"), str) or type(content.get("runs")) is not int:
        return False
    return isinstance(identities, list) and all(isinstance(one, str) for one in identities)


def read_runs(path: Path) -> pd.DataFrame:
    """Read one Parquet file of runs.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame
        With the columns of :data:`SCHEMA`.

    Raises
    ------
    ArchiveError
        If the file is damaged or has other columns.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(
            f"{path} cannot be read ({error}); move it away and run the plan again"
        ) from error
    if table.schema.names != SCHEMA.names:
        wrong = sorted(set(table.schema.names) ^ set(SCHEMA.names))
        raise ArchiveError(
            f"{path} has other columns than this version writes: {wrong}; "
            "read it with the version that wrote it"
        )
    frame: pd.DataFrame = table.to_pandas()
    frame["diverged_epoch"] = frame["diverged_epoch"].astype("Int64")
    return frame


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give runs that were read as rows that :func:`write_runs` takes.

    Parameters
    ----------
    frame : DataFrame
        Result of :func:`read_runs`.

    Returns
    -------
    list of dict
        One for each run.
    """
    plain = frame.astype({"diverged_epoch": object})
    plain["diverged_epoch"] = plain["diverged_epoch"].where(frame["diverged_epoch"].notna(), None)
    rows: list[dict[str, Any]] = plain.to_dict("records")
    return rows


def load_archive(path: str | Path | None = None) -> pd.DataFrame:
    """Load finished runs, each labelled with its condition.

    Parameters
    ----------
    path : str or Path, optional
        A folder written by ``cortexrnn run``; without it the archive that ships with the
        package.

    Returns
    -------
    DataFrame
        One row per run with the columns of :data:`SCHEMA` and, read off the specification, those of
        :data:`~cortexrnn.runs.labels.LABELS`. A run that is part of several plans appears once,
        and once more for every other relation that it was planned under without depending on it.

    Raises
    ------
    ArchiveError
        If there is no such folder, no finished plan in it, or a damaged file.

    Examples
    --------
    Published runs of ``WD*``, without those of other strengths, sizes or draws of trials:

    >>> archive = load_archive()
    >>> runs = archive[(archive["label"] == "WD*") & (archive["field"] == "6_6_2")]
    >>> bool(runs["published"].all()), set(runs["sign"])
    (True, {'free'})

    The column ``condition`` has the same name whatever the relation and sign.
    """
    if path is None:
        with resources.as_file(resources.files("cortexrnn") / "data" / "archive") as folder:
            return load_archive(folder)
    return labelled(read_folder(Path(path)))


def read_folder(folder: Path) -> pd.DataFrame:
    """Read all finished plans of a folder.

    Parameters
    ----------
    folder : Path
        Folder written by ``cortexrnn run``.

    Returns
    -------
    DataFrame
        One row per run with the columns of :data:`SCHEMA`.

    Raises
    ------
    ArchiveError
        If there is no such folder, no finished plan in it, or a damaged file.
    """
    if not folder.is_dir():
        raise ArchiveError(f"there is no folder {folder}; give one written by cortexrnn run")
    files = run_files(folder)
    if not files:
        raise ArchiveError(f"no finished plan in {folder}; run or resume one with cortexrnn run")
    frame = pd.concat([read_runs(file) for file in files], ignore_index=True)
    return frame.drop_duplicates(["identity", "relation", "field"], ignore_index=True)
