"""Put what :mod:`tools.accelerator` gave back into a checkout.

Measurements and results go into ``cortexrnn/data/bench.json``, runs into a folder of their own for
every device, ``cortexrnn/data/accelerators/<device>``, since runs of the archive have the same
identities. Nothing is written before everything was checked.
"""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from cortexrnn import __version__
from cortexrnn.benchmark import report
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import NUMERICS
from cortexrnn.runs import consistency, experiment
from cortexrnn.runs.archive import (
    ArchiveError,
    load_archive,
    read_folder,
    read_runs,
    run_files,
    write_json,
)
from tools.accelerator import comparison
from tools.accelerator.call import FORMAT, RECORD, STATES
from tools.accelerator.files import PACKED, without_nan

MEASUREMENTS = Path("cortexrnn", "data", "bench.json")
RUNS = Path("cortexrnn", "data", "accelerators")
KEPT = ("machine", "device", "products", "tf32", "field", "numerics", "source", "commit", "started",
        "measurements", "skipped", "failed")  # fmt: skip
"""What of a record goes into the measurements, besides the results of its parts."""
NAMES = re.compile(r"(shards/)?[\w.+-]+\.(parquet|json)")
"""Files that a folder of runs consists of."""


class MergeError(ValueError):
    """What came back cannot be put into a checkout."""


def merge(folder: Path, into: Path, *, rehearsal: bool = False, replace: bool = False) -> list[str]:
    """Put results into a checkout.

    Parameters
    ----------
    folder : Path
        What the script wrote.
    into : Path
        The checkout.
    rehearsal : bool
        Whether results of a rehearsal are taken; those of nothing else then are.
    replace : bool
        Whether earlier measurements of the same device are replaced.

    Returns
    -------
    list of str
        What was done, a line each.

    Raises
    ------
    MergeError
        If a file is damaged, was made by another version, or is in the checkout with other content.
    """
    record = _record(folder / RECORD)
    _check_versions(record, rehearsal=rehearsal)
    measurements = into / MEASUREMENTS
    if not measurements.is_file():
        raise MergeError(f"there is no {measurements}; give a checkout with --into")
    with tempfile.TemporaryDirectory() as scratch:
        runs_folder = Path(scratch)
        lines = _unpacked(folder / PACKED, runs_folder)
        if run_files(runs_folder):
            runs = _checked_runs(runs_folder, record)
            lines += _compared(record, runs)
        target = into / RUNS / slug(record)
        new = _new_files(runs_folder, target)
        content, line = _with_record(report.read(measurements), record, replace=replace)
        for path in new:
            target.mkdir(parents=True, exist_ok=True)
            temporary = target / f".{path.name}.tmp"
            temporary.write_bytes(path.read_bytes())
            temporary.replace(target / path.name)
        if content is not None:
            write_json(content, measurements)
    runs_line = f"{target}: {len(new)} files" if new else "no run is new"
    return [*lines, line, runs_line, *_told(record)]


def slug(record: dict[str, Any]) -> str:
    """Name the folder of a device.

    Parameters
    ----------
    record : dict
        What the script wrote.

    Returns
    -------
    str
        Letters, digits and dashes.
    """
    name = _device(record) + (" TF32" if record["tf32"] else "")
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _device(record: dict[str, Any]) -> str:
    """Name of the device, as rows have it."""
    machine = record["machine"]
    if record["device"].startswith("cuda"):
        return str(machine["accelerator"])
    return f"{record['device']} {machine['system'].split()[-1]}"


def _record(path: Path) -> dict[str, Any]:
    """Read the record of a call."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MergeError(
            f"{path} cannot be read ({error}); give the folder that the script wrote with --out"
        ) from error
    needed = {"format", "version", "rehearsal", "parts", *KEPT}
    if not isinstance(content, dict) or (lacking := needed - set(content)):
        lacking = needed if not isinstance(content, dict) else lacking
        raise MergeError(f"{path} lacks {', '.join(sorted(lacking))}; it is damaged")
    wrong = [name for name, part in content["parts"].items() if part.get("state") not in STATES]
    columns = [row for row in content["measurements"] if set(row) != set(report.COLUMNS)]
    if wrong or columns:
        raise MergeError(f"{path} is damaged: {len(wrong)} parts and {len(columns)} measurements")
    return content


def _check_versions(record: dict[str, Any], *, rehearsal: bool) -> None:
    """Refuse results of another version, and rehearsals where they are not asked for."""
    for name, theirs, ours in (
        ("layout", record["format"], FORMAT),
        ("version of cortexrnn", record["version"], __version__),
        ("numerics", record["numerics"], NUMERICS),
    ):
        if theirs != ours:
            raise MergeError(
                f"these results have {name} {theirs}, this checkout {ours}; merge them into the "
                "checkout that they were made with"
            )
    if record["rehearsal"] != rehearsal:
        kind = "of a rehearsal" if record["rehearsal"] else "no rehearsal's"
        raise MergeError(f"these results are {kind}; give --rehearse for those of rehearsals only")


def _unpacked(path: Path, folder: Path) -> list[str]:
    """Unpack runs; those of an unfinished plan become a plan of their own."""
    if not path.exists():
        return ["no run came back"]
    try:
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            if strange := [m.name for m in members if not (m.isfile() and NAMES.fullmatch(m.name))]:
                raise MergeError(f"{path} holds {strange[0]!r}, which is no file of runs")
            archive.extractall(folder, members=members, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise MergeError(f"{path} is damaged ({error}); copy it anew") from error
    if run_files(folder) or not (shards := run_files(folder / "shards")):
        return []
    try:
        rows = pd.concat([read_runs(shard) for shard in shards])
    except ArchiveError as error:
        raise MergeError(f"{path}: {error}") from error
    specs = [RunSpec.from_specification(row) for row in rows.to_dict("records")]
    for plan in folder.glob("*.json"):
        plan.unlink()
    field = load_field(specs[0].field)
    experiment.run(specs, field, out=folder, device="cpu", workers=1, progress=False)
    return [f"the experiment was not finished: {len(specs)} runs are a plan of their own"]


def _checked_runs(folder: Path, record: dict[str, Any]) -> pd.DataFrame:
    """Read runs; refuse those that are not what the script wrote, or of another call."""
    try:
        runs = read_folder(folder)
        problems, unrecorded = consistency.check_files(folder)
    except ArchiveError as error:
        raise MergeError(str(error)) from error
    problems += [f"{name} has no record of a plan" for name in unrecorded]
    for identity, faults in consistency.check_rows(runs).items():
        problems += [f"run {identity}: {what}" for what in faults]
    if problems:
        raise MergeError(f"runs are damaged: {problems[0]} ({len(problems)} faults)")
    for column, expected in (
        ("device", _device(record)), ("source", record["source"]), ("numerics", NUMERICS),
    ):  # fmt: skip
        if set(runs[column]) != {expected}:
            found = ", ".join(map(str, sorted(set(runs[column]))))
            raise MergeError(
                f"runs have {column} {found}, but {RECORD} {expected}: they are of another call"
            )
    return runs


def _compared(record: dict[str, Any], runs: pd.DataFrame) -> list[str]:
    """Compare with the archive what the machine could not compare itself."""
    if record["parts"].get("comparison", {}).get("state") == "done" or record["rehearsal"]:
        return []
    try:
        result = comparison.compare(runs, load_archive())
    except ValueError as error:
        return [f"runs cannot be compared with the archive: {error}"]
    record["parts"]["comparison"] = {"state": "done", "result": without_nan(result)}
    return ["runs were compared with the archive here"]


def _new_files(folder: Path, target: Path) -> list[Path]:
    """Files that are not in the target yet; refuse runs that are there with other numbers."""
    files = run_files(folder)
    if not files:
        return []
    runs = pd.concat([read_runs(path) for path in files]).set_index("identity")
    for path in run_files(target) if target.is_dir() else []:
        for row in read_runs(path).to_dict("records"):
            identity = row["identity"]
            if identity in runs.index and any(
                not consistency.same(runs.loc[identity, name], row[name])
                for name in consistency.RESULTS
            ):
                raise MergeError(
                    f"run {identity} is in {path} with other numbers; move that file away to take "
                    "these"
                )
    wanted = [path.with_suffix(suffix) for path in files for suffix in (".parquet", ".json")]
    return [path for path in wanted if not (target / path.name).exists()]


def _with_record(
    content: dict[str, Any], record: dict[str, Any], *, replace: bool
) -> tuple[dict[str, Any] | None, str]:
    """Add a record to the measurements; None where it is there already."""
    entry = {name: record[name] for name in KEPT}
    entry["parts"] = {
        name: part["result"] for name, part in record["parts"].items() if part["state"] == "done"
    }
    others, name = [], _device(record)
    for one in content.get("accelerators", []):
        if (_device(one), one["tf32"]) != (name, record["tf32"]):
            others.append(one)
        elif one["started"] == record["started"]:
            return None, f"{MEASUREMENTS}: {name} is there already"
        elif not replace:
            raise MergeError(
                f"{MEASUREMENTS} has measurements of {name} from {one['started']}; give --replace "
                f"to put those from {record['started']} in their place"
            )
    return content | {"accelerators": [*others, entry]}, f"{MEASUREMENTS}: {name}"


def _told(record: dict[str, Any]) -> list[str]:
    """Say of every part what became of it."""
    return [
        f"{name}: {part['state']}" + (f", {part['reason']}" if "reason" in part else "")
        for name, part in record["parts"].items()
    ]
