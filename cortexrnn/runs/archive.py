"""Runs on disk: the schema of a run, files that are written once, and the shipped archive.

A folder of runs holds, for every plan, ``<plan>.json`` (what was asked for and, at the end, what
came of it), ``<plan>.parquet`` once the plan is finished, and until then ``shards/*.parquet``.
Files appear under their final name only when they are complete. Files of runs are never edited; the
record of a plan is written again, whole, when the plan is finished.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
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

from cortexrnn.networks.specification import PRESETS, PROTOCOLS, PUBLISHED, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS

__all__ = [
    "METRICS",
    "SCHEMA",
    "ArchiveError",
    "as_published",
    "load_archive",
    "plan_records",
    "read_folder",
    "read_runs",
    "run_files",
    "select",
    "settings",
    "write_json",
    "write_runs",
]

METRICS = {
    "accuracy": "Accuracy",
    "loss": "Loss",
    "validation_accuracy": "Validation_Accuracy",
    "validation_loss": "Validation_Loss",
    "entropy": "Entropy",
    "modularity": "Modularity",
    "small_worldness": "SmallWorldness",
    "assortativity": "Assortativity",
}
"""Metrics of a run and their names in the published tables."""
SPECIFIED = (
    "field",
    "variant",
    "task",
    "seed",
    "relation",
    "sign",
    "data_seed",
    "n_train",
    "n_validation",
    "epochs",
)
"""Columns that are part of a specification; ``protocol`` and ``arm`` only name parts of one."""
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
TOLD = ("seed", "field_hash", "relation", "sign", "task", "variant", "protocol")
"""Parts of a specification that columns of their own tell."""
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
        log.warning("%s is passed over, since it has not the name of a plan and %s", path, error)
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


def load_archive(path: str | Path | None = None) -> pd.DataFrame:
    """Load finished runs.

    Parameters
    ----------
    path : str or Path, optional
        A folder written by ``cortexrnn run``; without it the archive that ships with the
        package.

    Returns
    -------
    DataFrame
        One row per run with the columns of :data:`SCHEMA`; a run that stands in several plans
        appears once, and once more for every other relation that it was planned under without
        depending on it. Two columns are added. ``published`` is true for runs of the paper's design
        on whatever field and arm: its eleven variants, three tasks, size, settings and first draw
        of trials under the ``published`` protocol. ``settings`` says what else a run differs in,
        see :func:`settings`; for published runs it is empty, or names the content of a field
        whose name others share.

    Raises
    ------
    ArchiveError
        If there is no such folder, no finished plan in it, or a damaged file.
    """
    if path is None:
        with resources.as_file(resources.files("cortexrnn") / "data" / "archive") as folder:
            return load_archive(folder)
    runs = read_folder(Path(path))
    as_paper = as_published(runs)
    first_draw = as_paper.index[as_paper["data_seed"] == 0]
    return runs.assign(published=runs.index.isin(first_draw), settings=settings(runs))


def as_published(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs that are the paper's but for field, arm, seed and draw of trials.

    Those are runs of the paper's size, of its eleven variants and three tasks, under the
    ``published`` protocol, with every other setting as the paper has it. A run is known by its
    identity, so that a control, which may differ in what no column tells, cannot pass for a
    published variant.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    DataFrame
        Some of its rows.
    """
    paper = PRESETS["paper"]
    wanted = {name: getattr(paper, name) for name in ("epochs", "n_train", "n_validation")}
    wanted |= {"protocol": PUBLISHED.name}
    chosen = runs[(runs[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    chosen = chosen[chosen["variant"].isin(VARIANTS) & chosen["task"].isin(TASKS)]
    expected = [_published_identity(row) for row in chosen.to_dict("records")]
    return chosen[chosen["identity"] == pd.Series(expected, index=chosen.index, dtype=str)]


def _published_identity(row: dict[str, Any]) -> str:
    """Identity that a run would have if its columns told all."""
    spec = RunSpec(
        field_hash=json.loads(row["specification"])["field_hash"],
        protocol=PUBLISHED,
        **{name: row[name] for name in SPECIFIED},
    )
    return spec.identity


def select(
    runs: pd.DataFrame, *, field: str, relation: str = "correlation", sign: str = "free"
) -> pd.DataFrame:
    """Select the runs of one arm of one field that can stand beside the paper.

    Those are runs :func:`as_published`, on the first draw of trials.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field, relation, sign : str
        Field and arm.

    Returns
    -------
    DataFrame
        Possibly without rows, in the order of task, seed and variant of the paper.
    """
    wanted = {"field": field, "relation": relation, "sign": sign, "data_seed": 0}
    chosen = as_published(runs[(runs[list(wanted)] == pd.Series(wanted)).all(axis=1)])
    for column, names in {"task": list(TASKS), "variant": list(VARIANTS)}.items():
        chosen = chosen.assign(**{column: pd.Categorical(chosen[column], names, ordered=True)})
    chosen = chosen.sort_values(["task", "seed", "variant"], ignore_index=True)
    return chosen.astype({"task": str, "variant": str})


def settings(runs: pd.DataFrame) -> pd.Series:
    """Say what runs differ in that no other column of a table of cells tells.

    Runs that agree in field, arm, protocol, variant, task and settings have one specification but
    for the seed: they are draws of one experiment, and only they may be averaged.

    Parameters
    ----------
    runs : DataFrame
        Runs with the columns of :data:`SCHEMA`.

    Returns
    -------
    Series of str
        For example ``"epochs=1, n_train=512"``; empty where everything is as in the paper.
    """
    specifications = [json.loads(text) for text in runs["specification"]]
    contents = [specification["field_hash"] for specification in specifications]
    several = pd.Series(contents).groupby(runs["field"].to_numpy()).transform("nunique") > 1
    texts = [
        _settings(specification, protocol, named=named)
        for specification, protocol, named in zip(
            specifications, runs["protocol"], several, strict=True
        )
    ]
    return pd.Series(texts, index=runs.index, dtype=object)


def _settings(specification: dict[str, Any], protocol: str, *, named: bool) -> str:
    """Name the settings of a specification; the field too where several share its name."""
    usual = _usual(protocol)
    own = {k: v for k, v in specification.items() if k != "protocol"} | specification["protocol"]
    changed = {k: v for k, v in own.items() if k not in TOLD and v != usual.get(k)}
    if penalty := specification["variant"].get("penalty"):
        changed["penalty"] = penalty
    if named:
        changed["field_hash"] = specification["field_hash"]
    return ", ".join(f"{name}={_short(changed[name])}" for name in sorted(changed))


@functools.cache
def _usual(protocol: str) -> dict[str, Any]:
    """Give the paper's settings under a protocol, as a stored specification has them."""
    expected = PROTOCOLS.get(protocol, PUBLISHED)
    plain = RunSpec(field="", field_hash="", variant=VARIANTS["W"], task="", seed=0,
                    protocol=expected)  # fmt: skip
    usual: dict[str, Any] = json.loads(json.dumps(plain.resolved()))
    of_protocol: dict[str, Any] = usual.pop("protocol")
    return usual | of_protocol


def _short(value: Any) -> str:
    """Write a setting; a definition or a hash by its first digits."""
    if isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value):
        return " ".join(f"{name}:{_short(one)}" for name, one in value)
    if isinstance(value, dict):
        value = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    text = str(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


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
