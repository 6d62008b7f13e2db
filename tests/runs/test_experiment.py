"""Plans, shards, resuming, and what is refused."""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

import cortexrnn
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import topology, training
from cortexrnn.networks.specification import Preset, Protocol
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import archive, engine, experiment, lock, plans, provenance
from cortexrnn.runs.archive import ArchiveError, load_archive, read_runs
from cortexrnn.runs.lock import PresenceError

ORIGINAL = experiment.run_shard
TINY = Preset(n_seeds=2, epochs=1, n_train=128, n_validation=64)
# What may differ between two times the same experiment is run.
TIMES = ["seconds", "seconds_topology", "finished", "commit"]


@pytest.fixture(scope="module")
def field():
    return surrogate_field(16)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def make_plan(field, **arguments):
    chosen = {"variants": ("W*D*C", "WD*", "W"), "tasks": ("go_nogo", "one_choice")}
    return plans.plan(field, **({"preset": TINY} | chosen | arguments))


def sorted_rows(runs):
    return runs.drop(columns=TIMES).sort_values("identity", ignore_index=True)


def test_a_plan_is_the_whole_design(field):
    specs = plans.plan(field, preset="quick")
    assert len(specs) == 11 * 3 * 3
    assert len({spec.identity for spec in specs}) == len(specs)
    assert {spec.epochs for spec in specs} == {10}


def test_shards_hold_every_run_once_and_depend_on_the_plan_alone(field):
    specs = make_plan(field)
    cut = plans.shards(specs)
    assert sorted(s.identity for shard in cut for s in shard) == sorted(s.identity for s in specs)
    assert {len(shard) for shard in cut} == {3}
    assert cut == plans.shards(make_plan(field))


def test_an_experiment_writes_every_run(field, tmp_path):
    specs = make_plan(field)
    path = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    runs = read_runs(path)
    assert list(runs["identity"]) == [spec.identity for spec in specs]
    assert runs[["accuracy", "entropy", "small_worldness"]].notna().all(axis=None)
    assert json.loads(runs["specification"][0]) == json.loads(
        json.dumps(specs[0].resolved(), sort_keys=True)
    )
    assert list(runs["history_loss"].str.len()) == [1] * len(runs)
    assert not list((tmp_path / "shards").iterdir())
    (state,) = experiment.status(tmp_path).to_dict("records")
    assert (state["done"], state["runs"], state["state"]) == (12, 12, "finished")


def test_a_finished_plan_run_again_does_nothing(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    path = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    before = path.stat().st_mtime_ns
    monkeypatch.setattr(experiment, "train", lambda *a, **k: pytest.fail("trained again"))
    assert experiment.run(specs, field, out=tmp_path, progress=False) == path
    assert path.stat().st_mtime_ns == before


def test_a_smoke_run_is_never_taken_for_a_longer_one(field, tmp_path):
    experiment.run(make_plan(field), field, out=tmp_path, workers=1, progress=False)
    longer = make_plan(field, preset=Preset(n_seeds=1, epochs=2, n_train=128, n_validation=64))
    runs = read_runs(experiment.run(longer, field, out=tmp_path, workers=1, progress=False))
    assert set(runs["epochs"]) == {2}
    assert not set(runs["identity"]) & {spec.identity for spec in make_plan(field)}


def test_runs_that_do_not_depend_on_the_relation_are_not_repeated(field, tmp_path, monkeypatch):
    experiment.run(make_plan(field), field, out=tmp_path, workers=1, progress=False)
    trained = []
    original = training.train

    def counting(specs, *arguments, **options):
        trained.extend(specs)
        return original(specs, *arguments, **options)

    monkeypatch.setattr(experiment, "train", counting)
    sttc_plan = make_plan(field, relation="sttc")
    runs = read_runs(experiment.run(sttc_plan, field, out=tmp_path, workers=1, progress=False))
    assert {spec.variant.name for spec in trained} == {"W*D*C"}
    assert set(runs["relation"]) == {"sttc"}
    assert len(runs) == 12
    everything = load_archive(tmp_path)
    assert len(everything) == 24
    assert everything["diverged"].dtype == bool


class Stop(Exception):
    """Stands for a kill at a chosen moment."""


def test_an_experiment_stopped_in_the_middle_goes_on_where_it_was(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    whole = read_runs(
        experiment.run(specs, field, out=tmp_path / "whole", workers=1, progress=False)
    )
    original, calls = archive.write_runs, []

    def failing(rows, path):
        calls.append(path)
        if len(calls) == 3:
            raise Stop
        original(rows, path)

    monkeypatch.setattr(experiment, "write_runs", failing)
    with pytest.raises(Stop):
        experiment.run(specs, field, out=tmp_path / "parts", workers=1, progress=False)
    (state,) = experiment.status(tmp_path / "parts").to_dict("records")
    assert (state["done"], state["state"]) == (6, "unfinished")
    first = {path.name for path in calls[:2]}
    path = experiment.run(specs, field, out=tmp_path / "parts", workers=1, progress=False)
    assert not first & {p.name for p in calls[3:]}
    pd.testing.assert_frame_equal(sorted_rows(read_runs(path)), sorted_rows(whole))


def stopped(specs, field, out, monkeypatch, *, at):
    """Run a plan until the write of shard number `at`, and give the runs that were finished."""
    original, calls = archive.write_runs, []

    def failing(rows, path):
        calls.append(path)
        if len(calls) == at:
            raise Stop
        original(rows, path)

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "write_runs", failing)
        with pytest.raises(Stop):
            experiment.run(specs, field, out=out, workers=1, progress=False)
    return {key for path in out.glob("shards/*") for key in read_runs(path)["identity"]}


def test_what_one_plan_finished_no_other_plan_of_the_folder_runs_again(
    field, tmp_path, monkeypatch
):
    specs, part = make_plan(field), make_plan(field, variants=("WD*",))
    done = stopped(specs, field, tmp_path, monkeypatch, at=3)
    assert len(done) == 6
    trained, original = [], training.train

    def counting(some, *arguments, **options):
        trained.extend(spec.identity for spec in some)
        return original(some, *arguments, **options)

    monkeypatch.setattr(experiment, "train", counting)
    for plan in (part, specs):
        path = experiment.run(plan, field, out=tmp_path, workers=1, progress=False)
        assert list(read_runs(path)["identity"]) == [spec.identity for spec in plan]
    assert not set(trained) & done
    assert len(trained) == len(set(trained)) == len(specs) - len(done)
    assert not list(tmp_path.glob("shards/*"))


def test_a_damaged_shard_is_named_by_its_plan_and_passed_over_by_others(
    field, tmp_path, monkeypatch
):
    specs, part = make_plan(field, variants=("W",)), make_plan(field, variants=("WD*",))
    stopped(specs, field, tmp_path, monkeypatch, at=2)
    (shard,) = tmp_path.glob("shards/*")
    shard.write_bytes(shard.read_bytes()[:-50])
    path = experiment.run(part, field, out=tmp_path, workers=1, progress=False)
    assert len(read_runs(path)) == len(part)
    with pytest.raises(ArchiveError, match=shard.name):
        experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert shard.exists()


def test_a_plan_finished_beside_another_takes_no_shard_from_it(field, tmp_path, monkeypatch):
    specs, part = make_plan(field), make_plan(field, variants=("WD*",))
    stopped(part, field, tmp_path, monkeypatch, at=3)
    original, calls = archive.write_runs, []

    def meanwhile(rows, path):
        """Write, and when a shard stands let another process finish a larger plan."""
        original(rows, path)
        calls.append(path)
        if len(calls) == 1:
            experiment.run(specs, field, out=tmp_path, workers=1, progress=False)

    monkeypatch.setattr(experiment, "write_runs", meanwhile)
    path = experiment.run(part, field, out=tmp_path, workers=1, progress=False)
    assert list(read_runs(path)["identity"]) == [spec.identity for spec in part]
    assert set(experiment.status(tmp_path)["state"]) == {"finished"}


# --- many shards at once, as on an accelerator


@pytest.fixture
def wide(monkeypatch):
    """Make every experiment one of a wide engine, on the processor."""
    monkeypatch.setattr(experiment, "choose", lambda **_: engine.Engine("wide", wide=True))


def mixed_plan(field):
    """Runs of two relations, signs, strengths, tasks and three seeds; some diverge."""
    sizes = {"seeds": [0, 1, 2], "variants": ["W*D*C", "WD*"]}
    return [
        *make_plan(field, **sizes),
        *make_plan(field, seeds=[0, 1], variants=["W*D*C"], relation="sttc"),
        *make_plan(field, **sizes, sign="positive"),
        *make_plan(field, seeds=[0, 2], variants=["WD*"], strength=0.0),
        *make_plan(field, seeds=[1], variants=["W", "WD"], learning_rate=1e39),
    ]


def files(written):
    """Give names and rows of shards as they were written."""
    return {path.name: pd.DataFrame(rows).drop(columns=TIMES) for rows, path in written}


@pytest.fixture
def written(monkeypatch):
    """Collect what is written."""
    original, calls = archive.write_runs, []

    def noting(rows, path):
        calls.append((rows, path))
        original(rows, path)

    monkeypatch.setattr(experiment, "write_runs", noting)
    return calls


def test_wide_gives_the_files_and_rows_of_one_shard_after_another(
    field, tmp_path, written, request
):
    specs = mixed_plan(field)
    experiment.run(specs, field, out=tmp_path / "one", workers=1, progress=False)
    one = files(written)
    written.clear()
    request.getfixturevalue("wide")
    path = experiment.run(specs, field, out=tmp_path / "wide", progress=False)
    many = files(written)
    assert many.keys() == one.keys()
    assert len(one) == 6 + 1
    for name, rows in one.items():
        pd.testing.assert_frame_equal(many[name], rows, check_exact=True)
    runs = read_runs(path)
    assert runs["diverged"].sum() == 4
    assert runs["modularity"].isna().sum() >= 4
    assert (runs["seconds"] > runs["seconds_topology"]).all()
    assert (runs["seconds_topology"] > 0).all()


def test_wide_trains_each_task_as_one_ensemble(field, tmp_path, monkeypatch, wide):
    sizes = []

    def counting(specs, *arguments, **options):
        sizes.append(len(specs))
        return training.train(specs, *arguments, **options)

    monkeypatch.setattr(experiment, "train", counting)
    specs = make_plan(field)
    experiment.run(specs, field, out=tmp_path, progress=False)
    assert sizes == [6, 6]


def test_wide_and_stopped_in_the_middle_goes_on_where_it_was(field, tmp_path, monkeypatch, wide):
    specs = mixed_plan(field)
    whole = experiment.run(specs, field, out=tmp_path / "whole", progress=False)
    done = stopped(specs, field, tmp_path / "parts", monkeypatch, at=3)
    trained = []

    def counting(some, *arguments, **options):
        trained.extend(spec.identity for spec in some)
        return training.train(some, *arguments, **options)

    monkeypatch.setattr(experiment, "train", counting)
    path = experiment.run(specs, field, out=tmp_path / "parts", progress=False)
    assert done and not done & set(trained)
    pd.testing.assert_frame_equal(
        read_runs(path).drop(columns=TIMES), read_runs(whole).drop(columns=TIMES), check_exact=True
    )


def test_a_wide_experiment_and_one_shard_by_shard_continue_each_other(
    field, tmp_path, monkeypatch, request
):
    specs = mixed_plan(field)
    whole = experiment.run(specs, field, out=tmp_path / "whole", workers=1, progress=False)
    for out, first_wide in (("a", False), ("b", True)):
        with monkeypatch.context() as patch:
            engines = [engine.Engine("wide", wide=w) for w in (first_wide, not first_wide)]
            patch.setattr(experiment, "choose", lambda engines=engines, **_: engines.pop(0))
            stopped(specs, field, tmp_path / out, patch, at=2)
            path = experiment.run(specs, field, out=tmp_path / out, progress=False)
        pd.testing.assert_frame_equal(sorted_rows(read_runs(path)), sorted_rows(read_runs(whole)))


def test_interrupted_while_it_trains_it_keeps_what_was_trained_before(
    field, tmp_path, monkeypatch, wide
):
    specs = make_plan(field)

    def interrupted(some, *arguments, progress, **options):
        def told(epoch, epochs):
            if some[0].task == "one_choice":
                raise KeyboardInterrupt

        return training.train(some, *arguments, progress=told, **options)

    monkeypatch.setattr(experiment, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(specs, field, out=tmp_path, progress=False)
    (state,) = experiment.status(tmp_path).to_dict("records")
    assert (state["done"], state["state"]) == (6, "unfinished")
    assert not [t for t in threading.enumerate() if t.name.startswith("input noise")]


def test_wide_on_a_device_with_too_little_memory_gives_the_same_rows(
    field, tmp_path, monkeypatch, wide, caplog
):
    specs, sizes = mixed_plan(field), []
    whole = experiment.run(specs, field, out=tmp_path / "whole", progress=False)
    caplog.clear()

    def cramped(some, *arguments, **options):
        sizes.append(len(some))
        results = training.train(some, *arguments, **options)
        if len(some) > 4:  # as in the validation after the last epoch
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return results

    monkeypatch.setattr(experiment, "train", cramped)
    path = experiment.run(specs, field, out=tmp_path / "parts", progress=False)
    pd.testing.assert_frame_equal(
        read_runs(path).drop(columns=TIMES), read_runs(whole).drop(columns=TIMES), check_exact=True
    )
    assert [text for text in caplog.messages if "halved" in text] == [
        "16 runs at once do not fit into memory; they are halved",
        "8 runs at once do not fit into memory; they are halved",
    ]
    assert max(sizes[2:]) == 4


def test_wide_makes_the_nulls_of_topology_beside_the_first_training(
    field, tmp_path, monkeypatch, wide
):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "new"))
    topology._cached_nulls.cache_clear()
    made, original = [], topology._compute_nulls

    def slowly(*arguments):
        made.append(threading.current_thread().name)
        time.sleep(0.2)
        return original(*arguments)

    monkeypatch.setattr(topology, "_compute_nulls", slowly)
    experiment.run(make_plan(field), field, out=tmp_path / "runs", progress=False)
    assert made == ["nulls"]


def test_wide_tells_of_every_epoch(field, tmp_path, monkeypatch, wide):
    told = []
    monkeypatch.setattr(experiment._Bar, "training", lambda _, *where: told.append(where))
    specs = make_plan(field, preset=dataclasses.replace(TINY, epochs=3))
    experiment.run(specs, field, out=tmp_path, progress=False)
    assert told == [(1, 3), (2, 3), (3, 3)] * 2


KILLED = """
import sys
from pathlib import Path
from cortexrnn.runs import archive, experiment
from cortexrnn.fields.sources.surrogate import surrogate_field
from tests.runs.test_experiment import make_plan

field = surrogate_field(16)
original, written = archive.pq.write_table, []

def slow(table, path, **options):
    written.append(path)
    if len(written) == 3:
        Path(path).write_bytes(b"PAR1 half")
        Path(sys.argv[2]).touch()
        import time; time.sleep(60)
    original(table, path, **options)

archive.pq.write_table = slow
experiment.run(make_plan(field), field, out=sys.argv[1], workers=1, progress=False)
"""


def test_killed_in_the_middle_of_a_write_nothing_is_lost_or_half_written(field, tmp_path):
    specs, out, mark = make_plan(field), tmp_path / "killed", tmp_path / "writing"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), str(mark)], cwd=Path(__file__).parents[2]
    )
    try:
        for _ in range(600):
            if mark.exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert mark.exists()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list(out.glob("shards/*.parquet"))) == 2
    whole = experiment.run(specs, field, out=tmp_path / "whole", workers=1, progress=False)
    path = experiment.run(specs, field, out=out, workers=1, progress=False)
    pd.testing.assert_frame_equal(sorted_rows(read_runs(path)), sorted_rows(read_runs(whole)))
    assert not [p.name for p in out.rglob("*.tmp")]


def test_workers_give_what_one_process_gives(field, tmp_path):
    specs = make_plan(field)
    one, two = (
        read_runs(experiment.run(specs, field, out=tmp_path / str(n), workers=n, progress=False))
        for n in (1, 2)
    )
    columns = ["accuracy", "validation_accuracy", "loss", "entropy"]
    assert list(one["identity"]) == list(two["identity"])
    pd.testing.assert_frame_equal(one[columns], two[columns], rtol=1e-4)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("order", "other runs than it was asked for"),
        ("twice", "other runs than it was asked for"),
        ("other", "other runs than it was asked for"),
        ("missing", "a worker returned 2 rows for 3 runs"),
        ("more", "a worker returned 4 rows for 3 runs"),
    ],
)
def test_rows_of_other_runs_than_a_worker_was_asked_for_are_refused(
    field, tmp_path, monkeypatch, what, message
):
    specs, original = make_plan(field, tasks=["go_nogo"], seeds=[0]), experiment.run_shard
    longer = make_plan(field, tasks=["go_nogo"], seeds=[0], epochs=2)

    def careless(shard, field, **where):
        rows = original(longer if what == "other" else shard, field, **where)
        return {
            "order": rows[::-1],
            "missing": rows[:-1],
            "twice": [rows[0], *rows[:-1]],
            "more": [*rows, rows[0]],
            "other": rows,
        }[what]

    monkeypatch.setattr(experiment, "run_shard", careless)
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.rglob("*.parquet"))
    monkeypatch.undo()
    runs = read_runs(experiment.run(specs, field, out=tmp_path, workers=1, progress=False))
    assert list(runs["identity"]) == [spec.identity for spec in specs]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relation": "covariance"}, "unknown relation"),
        ({"sign": "both"}, "unknown sign"),
        ({"preset": "huge"}, "unknown preset 'huge'; choose one of smoke, quick, paper"),
        ({"tasks": ["three_choice"]}, "unknown task 'three_choice'; choose one of one_choice"),
        ({"variants": ["W*D?"]}, "unknown variant"),
        ({"variants": ["W", VARIANTS["W"]]}, "holds W on one_choice with seed 0 more than once"),
        ({"tasks": ["go_nogo", TASKS["go_nogo"]]}, r"holds .* on go_nogo with seed 0 more than"),
        ({"preset": None}, "preset is None; give one of smoke, quick, paper, or a Preset"),
        ({"protocol": "published"}, "protocol is 'published'; give a Protocol"),
        ({"protocol": None}, "protocol is None; give a Protocol"),
        ({"seeds": [2**63]}, "seeds hold 9223372036854775808; give whole numbers of at least 0"),
        ({"seeds": b"12"}, "seeds is b'12'; give whole numbers"),
        ({"data_seed": 2**63}, "data_seed must be less than"),
        ({"strength": "0.3"}, "strength must be a finite number >= 0, not '0.3'"),
        ({"task_settings": None}, "task_settings is None; give names and values"),
    ],
)
def test_plans_refuse(field, arguments, message):
    with pytest.raises(ValueError, match=message):
        plans.plan(field, **arguments)


def test_a_plan_for_what_is_no_field_is_refused():
    with pytest.raises(FieldError, match="field is 'surrogate_16'; give a Field, such as load"):
        plans.plan("surrogate_16")


def test_a_plan_that_holds_a_run_twice_is_not_run(field, tmp_path):
    specs = make_plan(field)
    with pytest.raises(ValueError, match=r"holds W\*D\*C on go_nogo with seed 0 more than once"):
        experiment.run(specs + specs, field, out=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_plan_of_two_relations_holds_each_run_once_for_each(field, tmp_path):
    specs = make_plan(field, variants="W", preset="smoke", tasks="go_nogo")
    specs += make_plan(field, variants="W", preset="smoke", tasks="go_nogo", relation="sttc")
    runs = read_runs(experiment.run(specs, field, out=tmp_path, workers=1, progress=False))
    assert list(runs["relation"]) == ["correlation", "sttc"]
    assert runs["identity"].nunique() == 1


def test_a_name_too_long_for_a_file_is_refused(field, tmp_path):
    long = dataclasses.replace(make_plan(field)[0], field="n" * 300)
    with pytest.raises(ValueError, match=r"name of the field, nnn.*, is too long for the name of"):
        experiment.run([long], field, out=tmp_path, workers=1, progress=False)
    digest = len("_corr_0123456789ab")
    longest = dataclasses.replace(long, field="n" * (plans.LONGEST_NAME - digest))
    path = experiment.run([longest], field, out=tmp_path, workers=1, progress=False)
    assert len(read_runs(path)) == 1


def test_a_plan_for_a_relation_the_field_lacks_is_refused(field):
    bare = Field.from_arrays(
        name="bare",
        positions=field.positions,
        connectome=field.connectome,
        voxel_size=field.voxel_size,
        sttc=field.sttc,
    )
    with pytest.raises(FieldError, match="correlation"):
        plans.plan(bare)
    assert len(plans.plan(bare, variants=["WD*"], preset="smoke")) == 3


def test_a_damaged_file_is_named_and_not_replaced(field, tmp_path):
    specs = make_plan(field)
    path = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match=path.name):
        experiment.run(specs, field, out=tmp_path, progress=False)
    assert path.exists()


def test_folders_that_cannot_be_used_are_refused(field, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(ArchiveError, match="choose a folder you may write"):
        experiment.run(make_plan(field), field, out=in_the_way / "runs", progress=False)
    with pytest.raises(ArchiveError, match="there is no folder"):
        load_archive(tmp_path / "nothing")
    with pytest.raises(ArchiveError, match="no plan in"):
        experiment.status(tmp_path)


def test_rows_with_other_columns_are_refused(tmp_path):
    with pytest.raises(ArchiveError, match="colour"):
        archive.write_runs([dict.fromkeys(archive.SCHEMA.names) | {"colour": 1}], tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch, moment):
    def half(table, path, **options):
        Path(path).write_bytes(b"PAR1 half")
        raise OSError(28, "No space left on device")

    def refuse(self, target):
        raise OSError(28, "No space left on device")

    if moment == "write":
        monkeypatch.setattr(archive.pq, "write_table", half)
    else:
        # The final name may only appear by renaming, which is all or nothing.
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        archive.write_runs([dict.fromkeys(archive.SCHEMA.names)], tmp_path / "runs.parquet")
    assert not list(tmp_path.iterdir())


# --- rows, records and the bar


def test_a_row_says_what_the_run_was_and_what_came_of_it(field):
    spec = make_plan(field, sign="positive", data_seed=3)[-1]
    (result,) = training.train([spec], field, device="cpu", progress=False)
    measured = topology.measure(result.weights["recurrent"])
    row = experiment._row(dataclasses.replace(result, seconds=100.0), measured, 0.25, field)
    assert list(row) == archive.SCHEMA.names
    for name in ("field", "relation", "sign", "arm", "task", "seed", "data_seed", "epochs"):
        assert row[name] == getattr(spec, name)
    assert (row["arm"], row["protocol"], row["variant"]) == ("corr+sign", "published", "W")
    assert (row["n_neurons"], row["n_train"], row["n_validation"]) == (16, 128, 64)
    assert {name: row[name] for name in result.metrics} == result.metrics
    expected = dataclasses.asdict(measured)
    del expected["edges"]
    assert {name: row[name] for name in expected} == expected
    assert (row["diverged"], row["diverged_epoch"]) == (False, None)
    assert row["history_accuracy"] == result.history["accuracy"]
    assert row["history_loss"] == result.history["loss"]
    assert (row["seconds"], row["seconds_topology"]) == (100.25, 0.25)
    assert row["device"].startswith("cpu ")
    for package in ("cortexrnn", "torch", "numpy", "scipy", "networkx"):
        assert f"{package} {importlib.metadata.version(package)}" in row["versions"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(row["finished"])).total_seconds() < 60
    assert hashlib.sha256(row["specification"].encode()).hexdigest()[:32] == row["identity"]
    assert row["identity"] == spec.identity


def test_the_record_of_a_finished_plan_sums_its_rows(field, tmp_path, monkeypatch):
    specs, original = make_plan(field), experiment.run_shard

    def noted(shard, field, **where):
        rows = original(shard, field, **where)
        for i, row in enumerate(rows):
            row |= {"seconds": 36.0, "device": f"cpu {i}", "diverged": i == 0}
            row["finished"] = f"2020-01-0{1 + i}T00:00:00+00:00"
        return rows

    monkeypatch.setattr(experiment, "run_shard", noted)
    path = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    expected = {
        "plan": path.stem,
        "runs": 12,
        "field": ["surrogate_16"],
        "arm": ["corr"],
        "protocol": ["published"],
        "variant": ["W*D*C", "WD*", "W"],
        "task": ["go_nogo", "one_choice"],
        "seeds": 2,
        "epochs": [1],
        "n_train": [128],
        "identities": [spec.identity for spec in specs],
        "finished": "2020-01-03T00:00:00+00:00",
        "diverged": 4,
        "core_hours": 0.12,
        "devices": ["cpu 0", "cpu 1", "cpu 2"],
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert {name: record[name] for name in expected} == expected


def test_the_bar_counts_what_is_done_and_reckons_what_is_left(monkeypatch):
    calls, clock = [], iter([100.0, 110.0, 120.0])

    class Bar:
        console = None

        def __init__(self, *columns, disable, **options):
            calls.append(("shown", not disable))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def add_task(self, _, **options):
            calls.append(("task", options["completed"], options["total"]))

        def update(self, _, **options):
            calls.append(tuple(options.values()))

    monkeypatch.setattr(experiment, "Progress", Bar)
    monkeypatch.setattr(
        experiment.terminal, "say", lambda name, console: calls.append(("name", name))
    )
    monkeypatch.setattr(experiment, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with experiment._bar("plan", 10, 6, show=True) as bar:
        bar.advance(2)
        bar.training(3, 50)
        bar.advance(2)
    assert calls == [
        ("shown", True),
        ("name", "plan"),
        ("task", 4, 10),
        (2, "0.2/s", "0:00:20 left"),
        ("epoch 3 of 50",),
        (2, "0.2/s", "0:00:10 left"),
    ]


def test_a_protocol_that_equals_a_known_one_is_called_by_its_name(field, tmp_path):
    protocol = Protocol(name="mine")
    specs = [dataclasses.replace(spec, protocol=protocol) for spec in make_plan(field)[:2]]
    path = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert set(read_runs(path)["protocol"]) == {"published"}
    other = [
        dataclasses.replace(spec, protocol=dataclasses.replace(protocol, coordinates="soma"))
        for spec in specs
    ]
    path = experiment.run(other, field, out=tmp_path, workers=1, progress=False)
    assert set(read_runs(path)["protocol"]) == {"mine"}


def test_without_progress_nothing_is_printed(field, tmp_path, capsys):
    experiment.run(make_plan(field)[:1], field, out=tmp_path, workers=1, progress=False)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_commit_is_that_of_the_checkout_and_a_plus_marks_changes(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        answer = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *arguments], capture_output=True, check=True
        )
        return answer.stdout.decode().strip()

    package = tmp_path / "package"
    module = package / "room" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1\n")
    (package / "__init__.py").touch()
    monkeypatch.setattr(provenance, "PACKAGE", package)
    commit = provenance.commit.__wrapped__
    assert commit() == ""  # no checkout
    git("init", "-q")
    assert commit() == ""  # installed into a checkout that does not know it
    git("add", "package")
    assert commit() == ""  # no commit yet
    git("commit", "-q", "-m", "one")
    head = git("rev-parse", "HEAD")
    assert commit() == head[:12]
    (tmp_path / "elsewhere").write_text("")
    assert commit() == head[:12]
    module.write_text("a = 2\n")
    assert commit() == head[:12] + "+"
    git("add", "package")
    assert commit() == head[:12] + "+"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""  # no git


# --- the archive that ships

SHIPPED = sorted((provenance.PACKAGE / "data" / "archive").glob("*.parquet"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_runs_are_those_that_their_plan_recorded(path):
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
    assert path.stat().st_size == record["bytes"]
    runs = read_runs(path)
    assert len(runs) == record["runs"]
    assert list(runs["identity"]) == record["identities"]
    assert int(runs["diverged"].sum()) == record["diverged"]
    for specification, identity in zip(runs["specification"], runs["identity"], strict=True):
        sorted_keys = json.dumps(json.loads(specification), sort_keys=True)
        assert hashlib.sha256(sorted_keys.encode()).hexdigest()[:32] == identity


def test_the_shipped_archive_is_small_and_holds_finished_plans_alone():
    files = list(SHIPPED[0].parent.iterdir())
    assert {path.stem for path in files} == {path.stem for path in SHIPPED}
    assert len(files) == 2 * len(SHIPPED)
    n_runs = sum(json.loads(path.read_text())["runs"] for path in files if path.suffix == ".json")
    assert sum(path.stat().st_size for path in files) < 300 * n_runs


def test_a_plan_lists_variants_within_seeds_within_tasks(field):
    specs = make_plan(field)
    order = [(spec.task, spec.seed, spec.variant.name) for spec in specs]
    tasks, variants = ("go_nogo", "one_choice"), ("W*D*C", "WD*", "W")
    assert order == [(t, s, v) for t in tasks for s in (0, 1) for v in variants]
    chosen = make_plan(field, seeds=(7, 3))
    assert list(dict.fromkeys(spec.seed for spec in chosen)) == [7, 3]
    assert plans.plan_name(specs) == plans.plan_name(specs[::-1])


# --- what cannot be run leaves nothing behind


def nothing_but_folders(folder) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task_settings": {"delay_steps": -1}}, "delay_steps is -1"),
        ({"task_settings": {"dealy_steps": 1}}, "has no setting 'dealy_steps'"),
        ({"first_task": "chess"}, "unknown task 'chess'"),
        ({"first_task": "delay_match"}, "'delay_match' is drawn by NeuroGym"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_plan_is_written(
    field, tmp_path, monkeypatch, settings, message
):
    monkeypatch.setitem(sys.modules, "neurogym", None)
    specs = plans.plan(field, variants="W", tasks="one_choice", preset="smoke", **settings)
    with pytest.raises(ValueError, match=message):
        experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert nothing_but_folders(tmp_path)


def test_what_a_field_cannot_give_is_refused_before_a_plan_is_written(field, tmp_path):
    specs = plans.plan(field, variants="W*D*C", tasks="one_choice", preset="smoke")
    with pytest.raises(FieldError, match="was specified for field surrogate_16"):
        experiment.run(specs, surrogate_field(17), out=tmp_path, workers=1, progress=False)
    with pytest.raises(ValueError, match="the plan holds no run"):
        experiment.run([], field, out=tmp_path, workers=1, progress=False)
    assert nothing_but_folders(tmp_path)


def test_a_cluster_that_does_not_answer_leaves_no_plan(field, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CONNECT_S", 0.2)
    specs = plans.plan(field, variants="W", tasks="one_choice", preset="smoke")
    with pytest.raises(ValueError, match="no scheduler answers"):
        experiment.run(specs, field, out=tmp_path, scheduler="tcp://127.0.0.1:9", progress=False)
    assert nothing_but_folders(tmp_path)


@pytest.mark.parametrize("error", [TypeError, KeyError, RuntimeError, ValueError])
@pytest.mark.parametrize("there", [False, True])
def test_an_error_before_the_first_shard_leaves_what_was_there(
    field, tmp_path, monkeypatch, error, there
):
    def failing(shard, field, **options):
        raise error("a task of one's own")

    out = tmp_path / "runs"
    if there:
        out.mkdir()
    monkeypatch.setattr(experiment, "run_shard", failing)
    with pytest.raises(error, match="a task of one's own"):
        experiment.run(make_plan(field), field, out=out, workers=1, progress=False)
    assert out.exists() == there
    assert nothing_but_folders(tmp_path)


def test_an_error_after_a_shard_keeps_the_plan(field, tmp_path, monkeypatch):
    done = []

    def failing(shard, field, **options):
        if done:
            raise TypeError("a task of one's own")
        done.append(shard)
        return ORIGINAL(shard, field, **options)

    monkeypatch.setattr(experiment, "run_shard", failing)
    with pytest.raises(TypeError):
        experiment.run(make_plan(field), field, out=tmp_path, workers=1, progress=False)
    (state,) = experiment.status(tmp_path).to_dict("records")
    assert (state["state"], state["done"]) == ("unfinished", 3)


def test_an_experiment_that_stops_says_how_to_go_on(field, tmp_path, monkeypatch):
    def full(rows, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(experiment, "write_runs", full)
    with pytest.raises(experiment.ExperimentError) as stopped:
        experiment.run(make_plan(field)[:1], field, out=tmp_path, workers=1, progress=False)
    assert str(stopped.value) == (
        "[Errno 28] No space left on device; "
        "finished shards are kept; give the same command again to continue"
    )


def test_a_second_process_takes_no_record_from_the_first(field, tmp_path, monkeypatch):
    # Both found none; the second one begins when the first is at work.
    specs, before = make_plan(field), Path.exists
    name = plans.plan_name(specs)
    with lock.present(tmp_path / f"{name}.running", engine="one process"):
        monkeypatch.setattr(Path, "exists", lambda path: path.suffix != ".json" and before(path))
        with pytest.raises(PresenceError):
            experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
        monkeypatch.undo()
    assert (tmp_path / f"{name}.json").exists()


def test_a_plan_that_was_begun_stays_when_the_cluster_is_gone(field, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CONNECT_S", 0.2)
    specs = plans.plan(field, variants="W", tasks="one_choice", preset="smoke", seeds=[0, 1])
    experiment._store(specs[:1], experiment.run_shard(specs[:1], field), tmp_path)
    with pytest.raises(ValueError, match="no scheduler answers"):
        experiment.run(specs, field, out=tmp_path, scheduler="tcp://127.0.0.1:9", progress=False)
    assert len(list(tmp_path.glob("*.json"))) == 1


# --- what is not ours in a folder of runs, and rows that are not ours


def foreign(folder, kind):
    """Put something that is not ours into a folder."""
    if kind == "folder":
        (folder / "x.parquet").mkdir()
        (folder / "x.json").mkdir()
    elif kind == "hidden":
        (folder / "._surrogate_16_corr_0123456789ab.parquet").write_bytes(b"\0\5\26\7Mac OS X")
        (folder / "._surrogate_16_corr_0123456789ab.json").write_bytes(b"\0\5\26\7\xff")
        (folder / ".DS_Store").write_bytes(b"\0")
        (folder / ".nfs000000000123").write_bytes(b"\0")
        (folder / f".{'0' * 32}-7.tmp").write_bytes(b"PAR1 half")
    elif kind == "saved":  # a user's own selection, with columns that we add or an index
        runs = load_archive().head(3)
        runs.to_parquet(folder / "all.parquet")
        runs[runs["seed"] == 0].drop(columns=["published", "settings"]).to_parquet(
            folder / "some.parquet", index=True
        )
    elif kind == "table":
        pd.DataFrame({"mean": [0.5]}).to_parquet(folder / "summary.parquet")
    elif kind == "bytes":
        (folder / "x.parquet").write_bytes(b"not Parquet")
        (folder / "x.json").write_bytes(b"\xff\xfe not JSON")
    elif kind == "json":
        (folder / "settings.json").write_text('{"preset": "smoke"}')
        (folder / "list.json").write_text("[1, 2]")
        (folder / "null.json").write_text("null")
        (folder / "empty.json").write_text("")
        (folder / "half.json").write_text('{"plan": "x", "ru')
        record = {"plan": "x", "runs": 1, "identities": ["0"]}
        wrong = {"plan": (None, 1), "runs": (None, "1", True), "identities": (None, "0", [[]])}
        for name, values in wrong.items():
            for i, value in enumerate(values):
                (folder / f"{name}{i}.json").write_text(json.dumps(record | {name: value}))
        (folder / "deep.json").write_text("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize("kind", ["folder", "hidden", "saved", "table", "bytes", "json"])
def test_what_is_not_ours_in_a_folder_of_runs_is_passed_over(field, tmp_path, kind):
    specs = make_plan(field)
    (tmp_path / "shards").mkdir()
    foreign(tmp_path, kind)
    foreign(tmp_path / "shards", kind)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    first = experiment.run(specs[:2], field, out=tmp_path, workers=1, progress=False)
    second = experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    table = experiment.status(tmp_path)
    assert sorted(table["plan"]) == sorted([first.stem, second.stem])
    assert set(table["state"]) == {"finished"}
    assert len(load_archive(tmp_path)) == len(specs)
    left = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    ours = [path.with_suffix(end) for path in (first, second) for end in (".json", ".parquet")]
    assert left == sorted(before + ours)
    with pytest.raises(ArchiveError, match="no plan in"):
        for path in ours:
            path.unlink()
        experiment.status(tmp_path)


@pytest.mark.parametrize("end", [".json", ".parquet"])
@pytest.mark.parametrize(
    "content", [b"PAR1 half", b"[]", b"", b'{"plan": null, "runs": 1, "identities": []}']
)
def test_a_damaged_file_of_a_plan_is_still_an_error(field, tmp_path, end, content):
    path = experiment.run(make_plan(field)[:1], field, out=tmp_path, workers=1, progress=False)
    path.with_suffix(end).write_bytes(content)
    with pytest.raises(ArchiveError, match=re.escape(path.with_suffix(end).name)):
        experiment.status(tmp_path)


def test_a_damaged_shard_is_still_an_error(field, tmp_path):
    (tmp_path / "shards").mkdir()
    experiment.run(make_plan(field)[:1], field, out=tmp_path, workers=1, progress=False)
    (tmp_path / "shards" / f"{'0' * 32}.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(ArchiveError, match=r"0000\.parquet cannot be read"):
        experiment.status(tmp_path)


@pytest.mark.parametrize("change", ["other", "older"])
def test_rows_of_another_source_are_refused_and_not_written(field, tmp_path, change, monkeypatch):
    def other(shard, field, **options):
        rows = ORIGINAL(shard, field, **options)
        for row in rows:
            row["source"] = "0123456789abcdef"
            row["versions"] = row["versions"].replace("cortexrnn 0", "cortexrnn 9")
            if change == "older":
                del row["source"]
        return rows

    monkeypatch.setattr(experiment, "run_shard", other)
    source = "unknown" if change == "older" else "0123456789abcdef"
    words = rf"\(cortexrnn 9.*, source {source}\) than this process \(cortexrnn 0.*, source "
    words += f"{provenance.source()}.*install the same source there"
    with pytest.raises(experiment.ExperimentError, match=words):
        experiment.run(make_plan(field), field, out=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.rglob("*.parquet"))


def test_rows_of_other_runs_are_refused_and_not_written(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    monkeypatch.setattr(
        experiment, "run_shard", lambda _, field, **options: ORIGINAL(specs[:3], field, **options)
    )
    with pytest.raises(
        experiment.ExperimentError, match="returned other runs than it was asked for"
    ):
        experiment.run(specs[3:], field, out=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.rglob("*.parquet"))


def test_other_libraries_are_warned_of_once(field, tmp_path, monkeypatch, caplog):
    def other(shard, field, **options):
        rows = ORIGINAL(shard, field, **options)
        return [
            row | {"versions": re.sub("torch [^,]*", "torch 9.9", row["versions"])} for row in rows
        ]

    experiment._compare_libraries.cache_clear()
    monkeypatch.setattr(experiment, "run_shard", other)
    path = experiment.run(make_plan(field), field, out=tmp_path, workers=1, progress=False)
    (said,) = [text for text in caplog.messages if "torch" in text]
    assert said.startswith("a worker has torch 9.9, this process torch ")
    assert set(read_runs(path)["source"]) == {provenance.source()}


def test_the_source_stands_beside_the_commit():
    names = archive.SCHEMA.names
    assert names.index("source") == names.index("commit") + 1


def package(folder, name="package"):
    (folder / name / "inner").mkdir(parents=True)
    (folder / name / "a.py").write_bytes(b"x = 1\ny = 2\n")
    (folder / name / "inner" / "b.py").write_bytes(b"z = 3\n")
    return folder / name


def test_the_digest_of_a_source_changes_with_the_source_alone(tmp_path):
    original, second = package(tmp_path), package(tmp_path, "elsewhere")
    first = provenance.digest(original)
    assert re.fullmatch("[0-9a-f]{16}", first)
    # The place, line endings, what Python and editors leave, and data do not matter.
    (second / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    for left in ["__pycache__/a.cpython-311.pyc", ".ipynb_checkpoints/a.py", ".#a.py", "data.csv"]:
        (second / left).parent.mkdir(exist_ok=True)
        (second / left).write_bytes(b"left")
    (second / "gone.py").symlink_to("nowhere")
    assert provenance.digest(second) == first
    # A line, a name, a place within the package and the border between files do.
    (second / "a.py").write_bytes(b"x = 1\ny = 3\n")
    assert provenance.digest(second) != first
    (second / "a.py").rename(second / "c.py")
    (second / "c.py").write_bytes(b"x = 1\ny = 2\n")
    assert provenance.digest(second) != first
    (second / "c.py").rename(second / "a.py")
    assert provenance.digest(second) == first
    (second / "inner" / "b.py").rename(second / "b.py")
    assert provenance.digest(second) != first
    assert provenance.source() == provenance.digest(Path(cortexrnn.__file__).parent)
