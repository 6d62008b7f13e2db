"""Engines: workers that die, memory that is short, schedulers that are not there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from cortexrnn import archive, engine, experiment, presence
from cortexrnn.archive import read_runs
from cortexrnn.engine import EngineError, choose
from cortexrnn.experiment import ExperimentError
from cortexrnn.presence import PresenceError
from cortexrnn.protocol import Preset
from cortexrnn.sources.surrogate import surrogate_field
from tests.test_experiment import make_plan, sorted_rows

LONG = Preset(n_seeds=2, epochs=4, n_train=1280, n_validation=64)


@pytest.fixture(scope="module")
def field():
    return surrogate_field(16)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def names(runs, field):
    """Stand-in for work that tells what it was given."""
    return [{"identity": spec.identity, "together": len(runs)} for spec in runs]


def limited(runs, field):
    """Work for which more than one run do not fit."""
    if len(runs) > 1:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate ...")
    return names(runs, field)


def failing(runs, field):
    raise RuntimeError("something else")


def started(out, *, seconds=60):
    """Wait until a first shard stands in the folder."""
    for _ in range(int(seconds / 0.05)):
        if list(Path(out).glob("shards/*.parquet")):
            return
        time.sleep(0.05)
    pytest.fail("no shard was finished")


def begin(out):
    """Start an experiment of two workers in a process of its own."""
    command = [sys.executable, "-m", "cortexrnn.cli", "run", "--field", "surrogate_16"]
    command += ["--variants", "WD*", "--tasks", "go_nogo", "--preset", "quick", "--seeds", "4"]
    command += ["--workers", "2"]
    return subprocess.Popen(
        [*command, "--out", str(out)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_shard_that_does_not_fit_is_halved_and_comes_back_whole(field):
    specs = make_plan(field)
    cut = experiment.shards(specs)
    results = dict(choose(workers=1).run(cut, field, work=limited))
    assert sorted(results) == list(range(len(cut)))
    for i, rows in results.items():
        assert [row["identity"] for row in rows] == [spec.identity for spec in cut[i]]
        assert {row["together"] for row in rows} == {1}


def test_a_single_run_that_does_not_fit_is_told(field):
    def never(runs, field):
        raise MemoryError

    with pytest.raises(EngineError, match=r"a single run \(W\*D\*C, go_nogo, seed 0\) does not"):
        list(choose(workers=1).run(experiment.shards(make_plan(field)), field, work=never))


def test_other_errors_of_the_work_are_not_taken_for_lack_of_memory(field):
    cut = experiment.shards(make_plan(field))
    with pytest.raises(RuntimeError, match="something else"):
        list(choose(workers=1).run(cut, field, work=failing))


def test_a_cluster_halves_and_returns_what_one_process_does(field):
    cut = experiment.shards(make_plan(field))
    here = dict(choose(workers=1).run(cut, field, work=limited))
    there = dict(choose(workers=2).run(cut, field, work=limited))
    assert here == there


def test_a_scheduler_that_is_there_is_used(field, tmp_path):
    from distributed import LocalCluster

    specs = make_plan(field)
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(processes=True, **options) as cluster:
        path = experiment.run(
            specs,
            field,
            out=tmp_path / "there",
            scheduler=cluster.scheduler_address,
            progress=False,
        )
    here = experiment.run(specs, field, out=tmp_path / "here", workers=1, progress=False)
    columns = ["identity", "accuracy", "validation_accuracy", "diverged"]
    pd.testing.assert_frame_equal(read_runs(path)[columns], read_runs(here)[columns], rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, "no scheduler answers at tcp://127.0.0.1:9"),
        ({"scheduler": "nowhere"}, "no scheduler answers at nowhere"),
        ({"scheduler": "tcp://127.0.0.1:9", "workers": 2}, "has its own workers"),
        ({"slurm": True}, "SLURM needs a number of workers"),
        ({"slurm": True, "workers": 2}, "it is not known what a SLURM job may use"),
    ],
)
def test_clusters_that_cannot_be_used_are_refused(field, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(engine, "CONNECT_S", 1)
    with pytest.raises(ValueError, match=message):
        experiment.run(make_plan(field), field, out=tmp_path, progress=False, **arguments)
    assert not list(tmp_path.rglob("*.running"))


def test_a_full_disk_ends_in_a_clear_line_and_keeps_what_is_finished(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    original, written = archive.pq.write_table, []

    def full(table, path, **options):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        original(table, path, **options)

    monkeypatch.setattr(archive.pq, "write_table", full)
    with pytest.raises(ExperimentError, match=r"No space left on device.*finished shards are kept"):
        experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert len(list(tmp_path.glob("shards/*"))) == 2
    assert len(read_runs(experiment.run(specs, field, out=tmp_path, workers=1, progress=False)))


def test_a_worker_that_is_killed_costs_nothing_but_time(field, tmp_path):
    specs = make_plan(field, preset=LONG)
    whole = experiment.run(specs, field, out=tmp_path / "whole", workers=2, progress=False)
    script = (
        "from tests.test_engine import *\n"
        "if __name__ == '__main__':\n"
        "    f = surrogate_field(16)\n"
        f"    experiment.run(make_plan(f, preset=LONG), f, out={str(tmp_path / 'parts')!r},"
        " workers=2, progress=False)\n"
    )
    path = tmp_path / "run_it.py"
    path.write_text(script)
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, str(path)], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    )
    started(tmp_path / "parts")
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[0].send_signal(signal.SIGKILL)
    assert process.wait(120) == 0
    (parts,) = (tmp_path / "parts").glob("*.parquet")
    pd.testing.assert_frame_equal(sorted_rows(read_runs(parts)), sorted_rows(read_runs(whole)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Rows of the experiment of :func:`begin` when nothing ends it."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert begin(out).wait(120) == 0
    (final,) = out.glob("*.parquet")
    return sorted_rows(read_runs(final))


@pytest.mark.parametrize(
    ("sent", "status", "last"),
    [
        (signal.SIGTERM, 143, "terminated; finished shards are kept"),
        (signal.SIGINT, 1, "interrupted; finished shards are kept"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_signal_ends_all_processes_and_loses_nothing(tmp_path, undisturbed, sent, status, last):
    process = begin(tmp_path)
    started(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert last in said.splitlines()[-1] if last else True
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shards/*.parquet")}
    assert kept
    (state,) = experiment.status(tmp_path).to_dict("records")
    assert state["state"] == "unfinished"
    again = begin(tmp_path)
    _, said = again.communicate(timeout=180)
    assert again.returncode == 0, said
    (final,) = tmp_path.glob("*.parquet")
    pd.testing.assert_frame_equal(sorted_rows(read_runs(final)), undisturbed)


def test_one_process_at_a_time_works_on_a_plan(field, tmp_path):
    specs = make_plan(field)
    name = experiment.plan_name(specs)
    path = tmp_path / f"{name}.running"
    with presence.present(path, engine="test"):
        with pytest.raises(PresenceError, match=f"process {os.getpid()} on"):
            experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
        (state,) = experiment.status(tmp_path).to_dict("records")
        assert state["state"] == "running"
        assert f"process {os.getpid()}" in state["at_work"]
    assert not path.exists()


def test_the_mark_of_a_dead_process_is_taken_over(field, tmp_path):
    specs = make_plan(field)
    path = tmp_path / f"{experiment.plan_name(specs)}.running"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mark = {"host": presence.socket.gethostname(), "pid": dead.pid, "started": "", "engine": ""}
    path.write_text(json.dumps(mark))
    assert presence.at_work(path) is None
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert not path.exists()
    # On another machine only silence tells.
    path.write_text(json.dumps(mark | {"host": "elsewhere"}))
    assert presence.at_work(path) is not None
    long_ago = time.time() - 2 * presence.SILENT_S
    os.utime(path, (long_ago, long_ago))
    assert presence.at_work(path) is None


def where(runs, field):
    """Stand-in for work that tells in which process it was done."""
    return [{"identity": spec.identity, "pid": os.getpid()} for spec in runs]


def test_processes_are_not_started_for_a_single_shard(field):
    (first, *_) = experiment.shards(make_plan(field))
    ((_, rows),) = choose(workers=2).run([first], field, work=where)
    assert {row["pid"] for row in rows} == {os.getpid()}


def test_without_a_number_there_is_a_process_a_core_or_one_beside_an_accelerator():
    cores = len(psutil.Process().cpu_affinity())
    assert choose().name == choose(workers=cores).name
    assert choose(accelerated=True).name == choose(workers=1).name == "one process"


def test_a_process_at_work_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(presence, "BEAT_S", 0.02)
    path = tmp_path / "plan.running"
    with presence.present(path, engine="test"):
        os.utime(path, (0, 0))
        for _ in range(200):
            if path.stat().st_mtime > 0:
                break
            time.sleep(0.02)
        assert path.stat().st_mtime > time.time() - 60
        assert presence.at_work(path) is not None
    assert not path.exists()


def test_status_tells_how_far_how_fast_and_who(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    told, original = [], experiment.write_runs

    def telling(rows, path):
        original(rows, path)
        told.extend(experiment.status(tmp_path).to_dict("records"))

    monkeypatch.setattr(experiment, "write_runs", telling)
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    shards = told[:-1]  # the last is the finished plan
    assert [state["done"] for state in shards] == [3, 6, 9, 12]
    assert {(state["state"], state["runs"]) for state in shards} == {("running", 12)}
    assert all(f"process {os.getpid()} on" in state["at_work"] for state in shards)
    assert all(state["rate"] > 0 for state in shards)
    assert shards[-1]["left"] == "0:00:00"
