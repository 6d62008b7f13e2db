"""Whether files and rows are what was written: what is found without training."""

import json
import re
import shutil

import pytest

from cortexrnn import load_field
from cortexrnn.networks.specification import Preset
from cortexrnn.runs import archive, consistency, experiment, plans
from cortexrnn.runs.experiment import run_shard


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished plan of two runs."""
    out, field = tmp_path_factory.mktemp("runs"), load_field("surrogate_16")
    size = Preset(n_seeds=1, epochs=2, n_train=128, n_validation=64)
    specs = plans.plan(field, variants=["W*D*C", "W"], tasks="go_nogo", preset=size)
    experiment.run(specs, field, out=out, workers=1, progress=False)
    return out


@pytest.fixture
def copy(folder, tmp_path):
    """One that may be changed."""
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture
def row(folder):
    return archive.load_archive(folder).to_dict("records")[0]


def rewritten(path, **changes):
    """Write a file of runs again with other values in its first row."""
    rows = archive.as_rows(archive.read_runs(path))
    rows[0] |= changes
    archive.write_runs(rows, path)


def test_nothing_is_wrong_with_what_was_written(folder):
    assert consistency.check_files(folder) == ([], [])
    assert consistency.check_rows(archive.load_archive(folder)) == {}


def test_nothing_is_wrong_with_the_shipped_archive():
    # That its rows agree with themselves is seen where all of them are read back.
    assert consistency.check_files(consistency.shipped_archive()) == ([], [])
    assert len(list(consistency.shipped_archive().glob("*.parquet"))) > 100


def test_one_changed_digit_changes_the_hash_of_a_file(copy):
    (path,) = copy.glob("*.parquet")
    entropy = archive.read_runs(path)["entropy"][0]
    rewritten(path, entropy=entropy)
    assert consistency.check_files(copy) == ([], [])  # the same bytes
    rewritten(path, entropy=entropy + 1e-9)
    problems, _ = consistency.check_files(copy)
    assert len(problems) == 1
    assert f"{path.name} is not the file that its plan wrote: its SHA-256 begins" in problems[0]


def test_a_file_that_is_gone_or_holds_other_runs_is_found(copy):
    (path,), (record,) = copy.glob("*.parquet"), copy.glob("*.json")
    content = json.loads(record.read_text())
    content["identities"] = content["identities"][::-1]
    record.write_text(json.dumps(content))
    assert consistency.check_files(copy) == (
        [f"{path.name} does not hold the runs that its plan names"], []
    )  # fmt: skip
    path.unlink()
    assert consistency.check_files(copy) == (
        [f"{path.name} is gone, though its plan was finished"], []
    )  # fmt: skip


def test_a_file_without_a_record_is_named_and_a_run_with_two_values_found(copy):
    (path,) = copy.glob("*.parquet")
    other = copy / "again.parquet"
    shutil.copy(path, other)
    assert consistency.check_files(copy) == ([], ["again.parquet"])
    rewritten(other, modularity=0.5)
    problems, _ = consistency.check_files(copy)
    assert len(problems) == 1
    assert "again.parquet" in problems[0] and "with different numbers" in problems[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed is 1, but 0 in its specification"),
        ({"variant": "WD"}, r"variant is 'WD', but 'W\*D\*C' in its specification"),
        ({"task": "one_choice"}, "task is 'one_choice'"),
        ({"field": 3}, "field of the row is 3"),
        ({"arm": "sttc"}, "arm is 'sttc'"),
        ({"sign": "positive"}, "sign is 'positive'"),
        ({"relation": "sttc"}, "relation of the row is 'sttc'"),
        ({"protocol": "mine"}, "protocol is 'mine', but 'published' in its specification"),
        ({"epochs": 3}, "epochs is 3"),
        ({"identity": "0" * 32}, "identity is '0"),
        ({"specification": "{}"}, "the specification has no batch_size"),
        ({"diverged": True, "diverged_epoch": 1}, "it diverged, but has accuracy, loss"),
        ({"history_accuracy": [0.5]}, "its histories have epochs 1, 2, expected 2"),
    ],
)
def test_a_row_that_contradicts_itself_is_found(row, changes, message):
    assert consistency.check_row(row) == []
    problems = " | ".join(consistency.check_row(row | changes))
    assert re.search(message, problems), problems


@pytest.mark.parametrize(
    "name",
    ["accuracy", "loss", "validation_accuracy", "small_worldness", "clustering", "efficiency"],
)
def test_a_changed_digit_of_most_results_is_found_without_training(row, name):
    assert row[name] > 0
    digit = 1e-5 * max(1, row[name])
    problems = consistency.check_row(row | {name: row[name] + digit})
    assert problems and all(name in one or "small_worldness" in one for one in problems)


def test_a_diverged_run_is_checked_as_one():
    field = load_field("surrogate_16")
    size = Preset(n_seeds=1, epochs=2, n_train=128, n_validation=64)
    (spec,) = plans.plan(
        field, variants="W", tasks="go_nogo", preset=size, learning_rate=1e38, strength=1e30
    )
    (row,) = run_shard([spec], field)
    assert row["diverged"]
    assert consistency.check_row(row) == []
    assert consistency.check_row(row | {"diverged_epoch": 2, "entropy": 1.0})
