"""Runs that were trained again take the place of the recorded ones, which are kept."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from cortexrnn.evidence.reproduction import TRAINING
from cortexrnn.runs.archive import (
    ArchiveError,
    as_rows,
    read_folder,
    read_runs,
    write_json,
    write_runs,
)
from cortexrnn.runs.consistency import check_files, shipped_archive
from cortexrnn.runs.experiment import outcome
from tools import replace_runs

PLAN, SHARES = "6_6_2_corr_df6d95527d3b", "6_6_2_corr_5a024943c104"
"""A plan of the archive, and one with eight of its runs."""
LATER = "2100-01-01T00:00:00+00:00"


def copied(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        for ending in ("json", "parquet"):
            shutil.copy(shipped_archive() / f"{name}.{ending}", folder)
    return folder


def write_plan(folder, rows, name=PLAN):
    """Write rows as the finished plan of that name."""
    path = folder / f"{name}.parquet"
    record = json.loads((shipped_archive() / f"{name}.json").read_text())
    write_runs(rows, path)
    write_json(record | outcome(rows, path), path.with_suffix(".json"))


@pytest.fixture
def archive(tmp_path):
    return copied(tmp_path / "archive", PLAN, SHARES)


@pytest.fixture
def rows(archive):
    """Rows of the plan, trained again with another result."""
    rows = as_rows(read_runs(archive / f"{PLAN}.parquet"))
    return [
        row | {"entropy": row["entropy"] + 0.01, "finished": LATER, "numerics": 99} for row in rows
    ]


@pytest.fixture
def folder(tmp_path, rows):
    (tmp_path / "new").mkdir()
    write_plan(tmp_path / "new", rows)
    return tmp_path / "new"


@pytest.fixture
def again(tmp_path):
    return tmp_path / "again"


@pytest.fixture
def call(archive, folder, again):
    return lambda: replace_runs.replace_runs(folder, archive=archive, again=again)


def contents(*folders: Path):
    return {path: path.read_bytes() for one in folders for path in one.glob("*")}


def test_new_rows_are_in_the_archive_and_old_ones_beside_it(archive, again, rows, call):
    before, shared = (read_runs(archive / f"{name}.parquet") for name in (PLAN, SHARES))
    assert call() == [
        f"again/6_6_2.parquet: {len(rows)} runs added to 0",
        f"{SHARES} replaced",
        f"{PLAN} replaced",
    ]
    assert check_files(archive) == ([], [])
    after = read_runs(archive / f"{PLAN}.parquet")
    assert (after["numerics"] == 99).all()
    assert list(after["identity"]) == list(before["identity"])
    kept = read_runs(again / "6_6_2.parquet")
    assert sorted(kept["identity"]) == sorted(before["identity"])
    kept = kept.set_index("identity").loc[before["identity"]].reset_index()[before.columns]
    pd.testing.assert_frame_equal(kept, before)
    other = read_runs(archive / f"{SHARES}.parquet")
    is_new = other["identity"].isin(after["identity"])
    assert is_new.sum() == 8
    assert (other.loc[is_new, "numerics"] == 99).all()
    assert other[~is_new].equals(shared[~is_new])
    assert list(other["arm"]) == list(shared["arm"])


def test_a_second_call_does_nothing(archive, again, call):
    call()
    before = contents(archive, again)
    assert call() == []
    assert contents(archive, again) == before


def test_other_trainings_that_are_kept_already_stay(archive, again, rows, call):
    earlier = [row | {"finished": "2026-01-01", "numerics": 1} for row in rows[:3]]
    write_runs(earlier, again / "6_6_2.parquet")
    call()
    kept = read_runs(again / "6_6_2.parquet")
    assert len(kept) == len(rows) + 3
    assert not kept.duplicated(TRAINING).any()
    assert kept["finished"].tolist()[:3] == ["2026-01-01"] * 3


@pytest.mark.parametrize("n_done", [0, 1])
@pytest.mark.parametrize("half", [False, True])
def test_an_interrupted_call_is_taken_up(archive, again, rows, call, monkeypatch, n_done, half):
    put, done = replace_runs._Plan.put, []

    def interrupted(plan, into):
        if len(done) == n_done:
            if half:  # killed between a file and its record
                shutil.copy(plan.path, into / f"{plan.record['plan']}.parquet")
            raise KeyboardInterrupt
        done.append(plan)
        return put(plan, into)

    monkeypatch.setattr(replace_runs._Plan, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call()
    monkeypatch.setattr(replace_runs._Plan, "put", put)
    assert len(call()) == 2 - n_done
    assert check_files(archive) == ([], [])
    assert len(read_runs(again / "6_6_2.parquet")) == len(rows)
    assert (read_folder(archive)["numerics"] == 99).sum() == len(rows)


def test_plans_that_are_not_finished_are_left_for_later(archive, again, folder, call):
    (folder / f"{PLAN}.parquet").unlink()
    record = json.loads((folder / f"{PLAN}.json").read_text())
    del record["sha256"]
    write_json(record, folder / f"{PLAN}.json")
    assert call() == []
    assert not again.exists()


def damage(folder):
    path = folder / f"{PLAN}.parquet"
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")


def without_a_record(folder):
    (folder / f"{PLAN}.json").unlink()


def foreign(folder):
    for path in list(folder.glob("*")):
        path.rename(path.with_name(path.name.replace("df6d", "0000")))
    record = next(folder.glob("*.json"))
    write_json(json.loads(record.read_text()) | {"plan": record.stem}, record)


def other_runs(folder):
    rows = as_rows(read_runs(folder / f"{PLAN}.parquet"))[::-1]
    write_plan(folder, rows)
    path = folder / f"{PLAN}.json"
    identities = [row["identity"] for row in rows]
    write_json(json.loads(path.read_text()) | {"identities": identities}, path)


def changed(**values):
    def change(folder):
        rows = as_rows(read_runs(folder / f"{PLAN}.parquet"))
        write_plan(folder, [rows[0] | values, *rows[1:]])

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "is not the file that its plan wrote|cannot be read"),
        (without_a_record, "has no record of a finished plan beside it"),
        (foreign, "is not in the archive, so it replaces nothing; copy its two files"),
        (other_runs, "is not the one of that name in the archive"),
        (changed(seed=77), "is damaged: "),
        (changed(finished="2020-01-01T00:00:00+00:00"), "later than the one to replace it"),
        (changed(numerics=0), "later than the one to replace it"),
        (lambda folder: shutil.rmtree(folder), "there is no folder"),
    ],
)
def test_what_is_damaged_or_foreign_or_older_changes_nothing(
    archive, again, folder, call, spoil, message
):
    spoil(folder)
    before = contents(archive)
    with pytest.raises(ArchiveError, match=message):
        call()
    assert contents(archive) == before
    assert not again.exists()


@pytest.mark.parametrize("name", [PLAN, SHARES])
def test_rows_of_a_file_that_its_plan_did_not_write_are_not_kept(archive, again, call, name):
    path = archive / f"{name}.parquet"
    rows = as_rows(read_runs(path))
    write_runs([rows[0] | {"entropy": 9.0}, *rows[1:]], path)
    with pytest.raises(ArchiveError, match="restore it from the history"):
        call()
    assert not again.exists()


def test_a_training_that_was_replaced_before_does_not_come_back(archive, again, rows, call):
    write_runs(rows[:1], again / "6_6_2.parquet")
    with pytest.raises(ArchiveError, match="again already; give the folder of its latest"):
        call()


def test_a_row_that_is_lost_is_noticed(archive, again, call, monkeypatch):
    monkeypatch.setattr(replace_runs, "_keep", lambda *_: [])
    with pytest.raises(ArchiveError, match="is lost; restore both folders"):
        call()


def test_the_command_says_what_it_did(archive, folder, again, capsys):
    arguments = [str(folder), "--archive", str(archive)]
    assert replace_runs.main(arguments) == 0
    assert "again/6_6_2.parquet: 165 runs added to 0" in capsys.readouterr().out
    assert replace_runs.main(arguments) == 0
    assert capsys.readouterr().out == "nothing to do\n"
    assert replace_runs.main(["nowhere", "--archive", str(archive)]) == 1
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_plans_that_disagree_on_a_run_change_nothing(archive, folder, again, rows, call):
    # Equal numbers, from two trainings; with different ones the folder is refused as it is read.
    fresh = {row["identity"]: row for row in rows}
    shared = as_rows(read_runs(archive / f"{SHARES}.parquet"))
    other = {"finished": "2100-01-02T00:00:00+00:00"}
    write_plan(
        folder, [fresh.get(r["identity"], r | {"numerics": 99}) | other for r in shared], SHARES
    )
    before = contents(archive, again)
    with pytest.raises(ArchiveError, match=r"was trained twice for .* another plan differ in it"):
        call()
    assert contents(archive, again) == before
