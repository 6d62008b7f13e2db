"""Consistency: whether files and rows of runs are what was written, checked without training.

Each plan records the SHA-256 of its file. A row can be checked against itself: its columns and
identity follow from its specification, its accuracies are shares of whole trials, its last epoch is
in its history as well, and small-worldness follows from clustering and efficiency.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexrnn.networks import topology
from cortexrnn.networks.specification import RunSpec, UnregisteredError, protocol_name
from cortexrnn.runs.archive import METRICS, plan_records, read_runs, run_files

__all__ = ["check_files", "check_row", "check_rows", "shipped_archive", "wrong_columns"]

RESULTS = (*METRICS, "clustering", "efficiency", "diverged", "diverged_epoch")
"""Columns of results that are one value each."""
KEY = ["identity", "relation", "field"]
COLUMNS = (
    "field", "relation", "sign", "arm", "protocol", "variant", "task", "seed", "data_seed",
    "epochs", "n_train", "n_validation", "identity",
)  # fmt: skip
"""Columns that follow from a specification."""


def shipped_archive() -> Path:
    """Folder of the recorded runs that come with the package.

    Returns
    -------
    Path
        The folder.
    """
    return Path(str(resources.files("cortexrnn"))) / "data" / "archive"


def check_files(folder: str | Path) -> tuple[list[str], list[str]]:
    """Compare the files of a folder with the records of their plans, and with each other.

    Parameters
    ----------
    folder : str or Path
        Folder written by ``cortexrnn run``.

    Returns
    -------
    problems : list of str
        What is wrong, a sentence each.
    unrecorded : list of str
        Names of files without a record of a finished plan, of which nothing says what they were.

    Raises
    ------
    ArchiveError
        If a record or a file cannot be read.
    """
    records = {record["plan"]: record for record in plan_records(Path(folder))}
    finished = {plan: record for plan, record in records.items() if "sha256" in record}
    paths = {path.stem: path for path in run_files(Path(folder))}
    problems = [
        f"{plan}.parquet is gone, though its plan was finished"
        for plan in finished
        if plan not in paths
    ]
    parts = []
    for plan, path in paths.items():
        parts.append(read_runs(path).assign(file=path.name))
        if plan not in finished:
            continue
        digest, noted = hashlib.sha256(path.read_bytes()).hexdigest(), finished[plan]["sha256"]
        if digest != noted:
            problems.append(
                f"{path.name} is not the file that its plan wrote: its SHA-256 begins "
                f"{digest[:12]}, the recorded one {str(noted)[:12]}"
            )
        if list(parts[-1]["identity"]) != finished[plan]["identities"]:
            problems.append(f"{path.name} does not hold the runs that its plan names")
    if parts:
        problems += _conflicting(pd.concat(parts, ignore_index=True))
    return problems, [path.name for plan, path in paths.items() if plan not in finished]


def _conflicting(runs: pd.DataFrame) -> list[str]:
    """Find runs that several files hold with different numbers; plans copy finished runs."""
    several = runs[runs.duplicated(KEY, keep=False)]
    return [
        f"{' and '.join(rows['file'])} hold run {key[0]} with different numbers"
        for key, rows in several.groupby(KEY)
        if any(
            not same(rows[name].iloc[0], value) for name in RESULTS for value in rows[name].iloc[1:]
        )
    ]


def check_rows(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Check that rows agree with their specifications and with themselves.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    dict of str to list of str
        What is wrong, by identity, of rows with faults. A task or penalty of one's own that is not
        registered here is no fault, see :func:`cortexrnn.runs.verification.left_out`.
    """
    faults: dict[str, list[str]] = {}
    for row in runs.to_dict("records"):
        if problems := check_row({str(k): v for k, v in row.items()}):
            faults.setdefault(str(row["identity"]), []).extend(problems)
    return faults


def check_row(row: Mapping[str, Any]) -> list[str]:
    """Check that a row agrees with its specification and with itself.

    Parameters
    ----------
    row : mapping
        A row of the archive.

    Returns
    -------
    list of str
        What is wrong, a sentence each.
    """
    try:
        spec = RunSpec.from_specification(row)
    except UnregisteredError:
        spec = None
    except ValueError as error:
        return [str(error)]
    return ([] if spec is None else wrong_columns(row, spec)) + _contradictions(row)


def wrong_columns(row: Mapping[str, Any], spec: RunSpec) -> list[str]:
    """Find columns that contradict the specification."""
    expected: dict[str, Any] = {name: getattr(spec, name) for name in COLUMNS}
    expected |= {"variant": spec.variant.name, "protocol": protocol_name(spec.protocol)}
    return [
        f"{name} is {row[name]!r}, but {expected[name]!r} in its specification"
        for name in COLUMNS
        if row[name] != expected[name]
    ]


def _contradictions(row: Mapping[str, Any]) -> list[str]:
    """Find numbers of a row that cannot be right together."""
    problems = []
    lengths = {len(row["history_accuracy"]), len(row["history_loss"])}
    expected = int(row["diverged_epoch"]) - 1 if row["diverged"] else row["epochs"]
    if lengths != {expected}:
        shown = ", ".join(map(str, sorted(lengths)))
        problems.append(f"its histories have epochs {shown}, expected {expected}")
    if row["diverged"]:
        measured = [name for name in METRICS if not math.isnan(row[name])]
        if measured:
            problems.append(f"it diverged, but has {', '.join(measured)}")
        return problems
    for name in ("accuracy", "loss"):
        last = float(row[f"history_{name}"][-1]) if len(row[f"history_{name}"]) else math.nan
        if np.float32(row[name]) != np.float32(last):
            problems.append(
                f"{name} is {row[name]!r}, but {last!r} in the last epoch of its history"
            )
    for name, trials in (("accuracy", "n_train"), ("validation_accuracy", "n_validation")):
        correct = row[name] * row[trials]
        if not abs(correct - round(correct)) <= row[trials] * 2.0**-23:
            problems.append(f"{name} is {row[name]!r}, no share of {row[trials]} trials")
    nulls = topology.null_graphs(int(row["n_neurons"]))
    follows = row["clustering"] / nulls.clustering * (row["efficiency"] / nulls.efficiency)
    if not math.isclose(row["small_worldness"], follows, rel_tol=1e-9, abs_tol=1e-12):
        problems.append(
            f"small_worldness is {row['small_worldness']!r}, but {follows!r} follows from "
            "clustering and efficiency"
        )
    return problems


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal or both missing."""
    missing = (bool(pd.isna(one)), bool(pd.isna(other)))
    return all(missing) if any(missing) else bool(one == other)
