"""Put runs that were trained again in the place of the recorded ones, which are kept beside.

Usage: ``python -m tools.replace_runs FOLDER`` takes every finished plan of a folder of runs into
``cortexrnn/data/archive``, under the name that it has there. The rows that it replaces go into
``cortexrnn/data/again``, one file for each field, from where the page on reproducibility reads
them. A plan of the archive that shares runs with a replaced one gets the new rows as well. Plans
that are not finished are passed over; the same command takes them later. Nothing is written before
everything was checked, and an interrupted call is taken up by the same command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cortexrnn.evidence.reproduction import KEY, TRAINING
from cortexrnn.runs.archive import (
    ArchiveError,
    as_rows,
    plan_records,
    read_runs,
    run_files,
    write_json,
    write_runs,
    written_whole,
)
from cortexrnn.runs.consistency import check_files, check_rows, shipped_archive
from cortexrnn.runs.experiment import outcome

NAMES = ("arm", "protocol", "variant")
"""What a row is called in the plan that holds it; no part of an identity."""
OUTCOME = {"finished", "diverged", "core_hours", "devices", "bytes", "sha256"}
"""What a plan notes when it is finished."""

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A plan of the archive as it is to be."""

    record: dict[str, Any]
    path: Path

    def put(self, archive: Path) -> bool:
        """Write what is not there; the record last, so that an interrupted call is taken up."""
        file = _file(archive, self.record["plan"])
        described = file.with_suffix(".json")
        has_file = _digest(file) == _digest(self.path)
        if has_file and json.loads(described.read_text("utf-8")) == self.record:
            return False
        if not has_file:
            with written_whole(file) as temporary:
                shutil.copyfile(self.path, temporary)
        write_json(self.record, described)
        return True


def replace_runs(folder: Path, *, archive: Path, again: Path) -> list[str]:
    """Take finished plans into the archive, and what they replace out of it.

    Parameters
    ----------
    folder : Path
        Folder of runs.
    archive : Path
        Folder of the recorded runs.
    again : Path
        Folder of other trainings of recorded runs.

    Returns
    -------
    list of str
        What was done, a line each; empty if there was nothing to do.

    Raises
    ------
    ArchiveError
        If a file is damaged, or a plan is not one of the archive, or no later training of its runs.
    """
    records = {record["plan"]: record for record in plan_records(archive)}
    known = {path.stem: read_runs(path) for path in run_files(archive)}
    beside = {path.stem: read_runs(path) for path in run_files(again)}
    plans = _finished_plans(folder, records)
    fresh: dict[Key, Row] = {}
    for name in plans:
        for row in as_rows(read_runs(_file(folder, name))):
            if _training(fresh.setdefault(_key(row), row)) != _training(row):
                raise ArchiveError(
                    f"run {row['identity']} was trained twice for {folder}: {name} and another "
                    "plan differ in it; take the plan out whose run is the earlier one"
                )
    stored = {_training(row) for frame in beside.values() for row in as_rows(frame)}
    if twice := [row for row in fresh.values() if _training(row) in stored]:
        raise ArchiveError(
            f"run {twice[0]['identity']} of {folder} is in {again} already; give the folder of its "
            "latest training"
        )
    moved: dict[Key, Row] = {}
    planned = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, frame in known.items():
            rows = as_rows(frame)
            if not any(_key(row) in fresh for row in rows):
                continue
            moved |= _replaced(rows, fresh)
            if name in plans:
                plan = _Plan(record=plans[name], path=_file(folder, name))
            else:
                plan = _rewritten(rows, fresh, records[name], path=_file(Path(scratch), name))
            _check_unspoilt(_file(archive, name), records[name], plan)
            planned.append(plan)
        done = _keep([row for key, row in moved.items() if key not in stored], beside, again)
        done += [f"{plan.record['plan']} replaced" for plan in planned if plan.put(archive)]
    _check_complete(known, beside, fresh, archive=archive, again=again)
    return done


def _finished_plans(folder: Path, records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Read the records of finished plans; refuse what is damaged or foreign to the archive."""
    if not folder.is_dir():
        raise ArchiveError(f"there is no folder {folder}; give one written by cortexrnn run")
    problems, unrecorded = check_files(folder)
    problems += [f"{name} has no record of a finished plan beside it" for name in unrecorded]
    if problems:
        raise ArchiveError(f"{folder}: {problems[0]}; move it away or run the plan again")
    plans = {record["plan"]: record for record in plan_records(folder) if "sha256" in record}
    for name, record in plans.items():
        if name not in records:
            raise ArchiveError(
                f"plan {name} is not in the archive, so it replaces nothing; copy its two files "
                "there instead"
            )
        if _asked(record) != _asked(records[name]):
            raise ArchiveError(
                f"plan {name} is not the one of that name in the archive: their records differ in "
                "what was asked for"
            )
        for identity, faults in check_rows(read_runs(_file(folder, name))).items():
            raise ArchiveError(f"{name}.parquet: run {identity} is damaged: {faults[0]}")
    return plans


def _asked(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a record what a plan notes when it is finished."""
    return {name: value for name, value in record.items() if name not in OUTCOME}


def _replaced(rows: Sequence[Row], fresh: dict[Key, Row]) -> dict[Key, Row]:
    """Rows that others take the place of, by their training; only later ones may."""
    old = {}
    for row in rows:
        new = fresh.get(_key(row), row)
        if _training(new) == _training(row):
            continue
        if new["finished"] <= row["finished"] or new["numerics"] < row["numerics"]:
            raise ArchiveError(
                f"run {row['identity']} was recorded on {row['finished']} by numerics "
                f"{row['numerics']}, later than the one to replace it ({new['finished']}, numerics "
                f"{new['numerics']}); train it anew"
            )
        old[_training(row)] = row
    return old


def _rewritten(
    rows: Sequence[Row], fresh: dict[Key, Row], record: dict[str, Any], *, path: Path
) -> _Plan:
    """Make the files of a plan that shares some of its rows with those that are replaced."""
    later = [fresh.get(_key(row), row) | {name: row[name] for name in NAMES} for row in rows]
    write_runs(later, path)
    return _Plan(record=_asked(record) | outcome(later, path), path=path)


def _check_unspoilt(path: Path, record: dict[str, Any], plan: _Plan) -> None:
    """Refuse to keep rows of a file that is not what its plan wrote, nor what is put there."""
    digest = _digest(path)
    if digest not in (record.get("sha256"), _digest(plan.path)):
        raise ArchiveError(
            f"{path} is not the file that its plan wrote: its SHA-256 begins {digest[:12]}, the "
            f"recorded one {str(record.get('sha256'))[:12]}; restore it from the history"
        )
    if list(read_runs(path)["identity"]) != record["identities"]:
        raise ArchiveError(f"{path} does not hold the runs that its plan names; restore it")


def _keep(added: Sequence[Row], beside: dict[str, pd.DataFrame], again: Path) -> list[str]:
    """Append rows to the files of their fields."""
    done = []
    for field in dict.fromkeys(row["field"] for row in added):
        own = [row for row in added if row["field"] == field]
        earlier = as_rows(beside[field]) if field in beside else []
        write_runs([*earlier, *own], again / f"{field}.parquet")
        done.append(f"{again.name}/{field}.parquet: {len(own)} runs added to {len(earlier)}")
    return done


def _check_complete(
    known: dict[str, pd.DataFrame], beside: dict[str, pd.DataFrame], fresh: dict[Key, Row],
    *, archive: Path, again: Path,
) -> None:  # fmt: skip
    """Make sure that every row of before is in one of the two places, once, and every new one."""
    before = {_training(row) for frame in (*known.values(), *beside.values())
              for row in as_rows(frame)}  # fmt: skip
    shown = {_key(row): row for path in run_files(archive) for row in as_rows(read_runs(path))}
    kept = [_training(row) for path in run_files(again) for row in as_rows(read_runs(path))]
    after = Counter([*map(_training, shown.values()), *kept])
    wrong = [f"run {one[0]} is lost" for one in (before | set(map(_training, fresh.values())))
             - set(after)]  # fmt: skip
    wrong += [f"run {one[0]} is there twice" for one, count in after.items() if count > 1]
    wrong += check_files(archive)[0]
    if wrong:
        raise ArchiveError(f"{archive} is not as it should be: {wrong[0]}; restore both folders")


def _key(row: Row) -> Key:
    return tuple(row[name] for name in KEY)


def _training(row: Row) -> Key:
    return tuple(row[name] for name in TRAINING)


def _file(folder: Path, plan: str) -> Path:
    return folder / f"{plan}.parquet"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace runs and say which.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of runs with finished plans")
    parser.add_argument("--archive", type=Path, default=shipped_archive(), help="recorded runs")
    parser.add_argument("--again", type=Path, help="their other trainings; default: beside them")
    options = parser.parse_args(arguments)
    again = options.again or options.archive.parent / "again"
    try:
        done = replace_runs(options.folder, archive=options.archive, again=again)
    except ArchiveError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(done) or "nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main())
