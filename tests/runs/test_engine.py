"""Engines: workers that die, memory that is short, schedulers that are not there."""

import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks.specification import Preset
from cortexrnn.runs import archive, engine, experiment, lock, plans, provenance, slurm
from cortexrnn.runs.archive import read_runs
from cortexrnn.runs.engine import EngineError, choose
from cortexrnn.runs.experiment import ExperimentError
from cortexrnn.runs.lock import PresenceError
from tests.runs.test_experiment import make_plan, sorted_rows

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
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_shard_that_does_not_fit_is_halved_and_comes_back_whole(field):
    specs = make_plan(field)
    cut = plans.shards(specs)
    results = dict(choose(workers=1).run(cut, field, work=limited))
    assert sorted(results) == list(range(len(cut)))
    for i, rows in results.items():
        assert [row["identity"] for row in rows] == [spec.identity for spec in cut[i]]
        assert {row["together"] for row in rows} == {1}


def test_a_single_run_that_does_not_fit_is_reported(field):
    def never(runs, field):
        raise MemoryError

    with pytest.raises(EngineError, match=r"a single run \(W\*D\*C, go_nogo, seed 0\) does not"):
        list(choose(workers=1).run(plans.shards(make_plan(field)), field, work=never))


def test_other_errors_of_the_work_are_not_taken_for_lack_of_memory(field):
    cut = plans.shards(make_plan(field))
    with pytest.raises(RuntimeError, match="something else"):
        list(choose(workers=1).run(cut, field, work=failing))


class Memory:
    """Work for which so many runs fit at once; it remembers how many it was given."""

    def __init__(self, room):
        self.room, self.given = room, []

    def __call__(self, runs, field):
        self.given.append(len(runs))
        if len(runs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return names(runs, field)


def wide():
    """Make the engine of an accelerator."""
    return choose(accelerated=True)


def mixed_plan(field):
    """Runs of two relations, signs, learning rates, tasks and three seeds."""
    sizes = {"seeds": [0, 1, 2], "variants": ["W*D*C", "W"]}
    return [
        *make_plan(field, **sizes),
        *make_plan(field, **(sizes | {"variants": ["W*D*C"]}), relation="sttc"),
        *make_plan(field, **sizes, sign="positive"),
        *make_plan(field, **sizes, learning_rate=1e-4),
    ]


def checked(results, cut):
    """Give how many runs were together, where rows are those of their shards."""
    results = list(results)
    assert sorted(i for i, _ in results) == list(range(len(cut)))
    for i, rows in results:
        assert [row["identity"] for row in rows] == [spec.identity for spec in cut[i]]
    return {row["together"] for _, rows in results for row in rows}


def test_a_wide_engine_runs_together_what_can_be_and_gives_it_back_shard_by_shard(field):
    specs = mixed_plan(field)
    cut, work = plans.shards(specs), Memory(room=1000)
    assert [len(shard) for shard in cut] == [7] * 6
    assert checked(wide().run(cut, field, work=work), cut) == {15, 6}
    # In each of two tasks, the runs of one learning rate and those of the other.
    assert work.given == [15, 6, 15, 6]
    assert checked(choose(workers=1).run(cut, field, work=names), cut) == {7}


def test_a_shard_comes_back_as_soon_as_all_its_runs_are_there(field):
    specs = mixed_plan(field)
    cut, order = plans.shards(specs), []

    def noted(runs, field):
        order.append(runs[0].task)
        return names(runs, field)

    for i, _ in wide().run(cut, field, work=noted):
        order.append(i)
    assert order == ["go_nogo", "go_nogo", 0, 1, 2, "one_choice", "one_choice", 3, 4, 5]


def test_a_width_that_did_not_fit_is_not_tried_again(field, caplog):
    cut, work = plans.shards(mixed_plan(field)), Memory(room=4)
    assert checked(wide().run(cut, field, work=work), cut) == {4, 3}
    # 15 and 8 fail; from then on nothing is tried that is wider than the half of 8.
    assert work.given[:2] == [15, 8]
    assert max(work.given[2:]) == 4 and sum(work.given[2:]) == 42
    assert [text.split(" at once")[0] for text in caplog.messages] == ["15 runs", "8 runs"]
    cut, work = plans.shards(mixed_plan(field)), Memory(room=3)
    checked(choose(workers=1).run(cut, field, work=work), cut)
    assert work.given[:2] == [7, 4]
    assert max(work.given[2:]) == 2 and sum(work.given[2:]) == 42


class Later:
    """Rows on the way, which are there when the next piece has been begun."""

    def __init__(self, rows, log):
        self.rows, self.log = rows, log

    def done(self):
        return False

    def result(self):
        self.log.append(f"rows of {len(self.rows)}")
        return self.rows


def test_the_next_piece_is_begun_while_rows_are_on_the_way_but_not_too_many(field):
    cut, log = plans.shards(mixed_plan(field)), []

    def begin(runs, field):
        log.append(f"begin {len(runs)}")
        return Later(names(runs, field), log)

    checked(wide().run(cut, field, work=begin), cut)
    assert log == [
        "begin 15", "begin 6", "rows of 15", "begin 15", "rows of 6", "begin 6", "rows of 15",
        "rows of 6",
    ]  # fmt: skip


def test_rows_that_are_there_are_given_before_the_next_piece_is_begun(field):
    cut, log = plans.shards(make_plan(field)), []

    def begin(runs, field):
        log.append("begin")
        made = Later(names(runs, field), log)
        made.done = lambda: True
        return made

    for i, _ in wide().run(cut, field, work=begin):
        log.append(i)
    assert log == ["begin", "rows of 6", 0, 1, "begin", "rows of 6", 2, 3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("of one's own"), SystemExit])
def test_rows_on_the_way_are_not_lost_with_what_ends_the_next_piece(field, error):
    cut, done = plans.shards(make_plan(field)), []

    def begin(runs, field):
        if runs[0].task != "go_nogo":
            raise error
        return Later(names(runs, field), [])

    with pytest.raises(error if isinstance(error, type) else ValueError):
        for i, _ in wide().run(cut, field, work=begin):
            done.append(i)
    assert done == [0, 1]


def test_what_ended_a_piece_is_told_and_not_what_became_of_rows_on_the_way(field):
    def begin(runs, field):
        if runs[0].task != "go_nogo":
            raise KeyboardInterrupt
        made = Later(names(runs, field), [])
        made.result = lambda: failing(runs, field)
        return made

    with pytest.raises(KeyboardInterrupt):
        list(wide().run(plans.shards(make_plan(field)), field, work=begin))
    with pytest.raises(RuntimeError, match="something else"):
        list(wide().run(plans.shards(make_plan(field, tasks="go_nogo")), field, work=begin))


def test_rows_that_do_not_fit_into_memory_halve_a_piece_too(field):
    cut = plans.shards(make_plan(field))

    def begin(runs, field):
        made = Later(names(runs, field), [])
        if len(runs) > 2:
            made.result = lambda: limited(runs, field)
        return made

    assert checked(wide().run(cut, field, work=begin), cut) == {2, 1}


def test_a_cluster_halves_and_returns_what_one_process_does(field):
    cut = plans.shards(make_plan(field))
    alone = dict(choose(workers=1).run(cut, field, work=limited))
    spread = dict(choose(workers=2).run(cut, field, work=limited))
    assert alone == spread


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
    together = experiment.run(specs, field, out=tmp_path / "here", workers=1, progress=False)
    columns = ["identity", "accuracy", "validation_accuracy", "diverged"]
    pd.testing.assert_frame_equal(read_runs(path)[columns], read_runs(together)[columns], rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, "no scheduler answers at tcp://127.0.0.1:9"),
        ({"scheduler": "nowhere"}, "no scheduler answers at nowhere"),
        ({"scheduler": "tcp://127.0.0.1:9", "workers": 2}, "has its own workers"),
        ({"slurm": True}, "SLURM needs a number of workers"),
        ({"slurm": True, "workers": 0}, "workers is 0; give a whole number of at least 1"),
        ({"workers": 0}, "workers is 0; give a whole number of at least 1"),
        ({"workers": -1}, "workers is -1; give a whole number"),
        ({"workers": 2.5}, "workers is 2.5; give a whole number"),
        ({"workers": True}, "workers is True; give a whole number"),
        ({"workers": "2"}, "workers is '2'; give a whole number"),
    ],
)
def test_clusters_that_cannot_be_used_are_refused(field, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(engine, "CONNECT_S", 1)
    out = tmp_path / "new"
    with pytest.raises(ValueError, match=message):
        experiment.run(make_plan(field), field, out=out, progress=False, **arguments)
    assert not out.exists()


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
        "from tests.runs.test_engine import *\n"
        "if __name__ == '__main__':\n"
        "    f = surrogate_field(16)\n"
        f"    experiment.run(make_plan(f, preset=LONG), f, out={str(tmp_path / 'parts')!r},"
        " workers=2, progress=False)\n"
    )
    path = tmp_path / "run_it.py"
    path.write_text(script)
    root = Path(__file__).parents[2]
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
        (signal.SIGHUP, 129, "terminated; finished shards are kept"),
        (signal.SIGINT, 1, "interrupted; finished shards are kept"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_signal_ends_all_processes_and_loses_nothing(tmp_path, undisturbed, sent, status, last):
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(f"{sent.name} is ignored here, as under nohup, and stays so")
    process = begin(tmp_path)
    started(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, message = process.communicate(timeout=60)
    assert process.returncode == status
    assert last in message.splitlines()[-1] if last else True
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shards/*.parquet")}
    assert written
    (state,) = experiment.status(tmp_path).to_dict("records")
    assert state["state"] == "unfinished"
    again = begin(tmp_path)
    _, message = again.communicate(timeout=180)
    assert again.returncode == 0, message
    (final,) = tmp_path.glob("*.parquet")
    pd.testing.assert_frame_equal(sorted_rows(read_runs(final)), undisturbed)


def test_one_process_at_a_time_works_on_a_plan(field, tmp_path):
    specs = make_plan(field)
    name = plans.plan_name(specs)
    path = tmp_path / f"{name}.running"
    with lock.present(path, engine="test"):
        with pytest.raises(PresenceError, match=f"process {os.getpid()} on"):
            experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
        (state,) = experiment.status(tmp_path).to_dict("records")
        assert state["state"] == "running"
        assert f"process {os.getpid()}" in state["at_work"]
    assert not path.exists()


def test_the_mark_of_a_dead_process_is_taken_over(field, tmp_path):
    specs = make_plan(field)
    path = tmp_path / f"{plans.plan_name(specs)}.running"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mark = {"host": lock.socket.gethostname(), "pid": dead.pid, "started": "", "engine": ""}
    path.write_text(json.dumps(mark))
    assert lock.at_work(path) is None
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    assert not path.exists()
    # On another machine only silence tells.
    path.write_text(json.dumps(mark | {"host": "elsewhere"}))
    assert lock.at_work(path) is not None
    long_ago = time.time() - 2 * lock.SILENT_S
    os.utime(path, (long_ago, long_ago))
    assert lock.at_work(path) is None


def where(runs, field):
    """Stand-in for work that tells in which process it was done."""
    return [{"identity": spec.identity, "pid": os.getpid()} for spec in runs]


def test_processes_are_not_started_for_a_single_shard(field):
    (first, *_) = plans.shards(make_plan(field))
    ((_, rows),) = choose(workers=2).run([first], field, work=where)
    assert {row["pid"] for row in rows} == {os.getpid()}


def test_without_a_number_there_is_a_process_a_core_or_one_beside_an_accelerator():
    cores = len(psutil.Process().cpu_affinity())
    assert choose().name == choose(workers=cores).name
    assert choose(accelerated=True).name == choose(workers=1).name == "one process"
    assert choose(accelerated=True).wide and choose(workers=1, accelerated=True).wide
    assert not any(choose(workers=n, accelerated=n == 2).wide for n in (1, 2))


def test_a_process_at_work_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_S", 0.02)
    path = tmp_path / "plan.running"
    with lock.present(path, engine="test"):
        os.utime(path, (0, 0))
        for _ in range(200):
            if path.stat().st_mtime > 0:
                break
            time.sleep(0.02)
        assert path.stat().st_mtime > time.time() - 60
        assert lock.at_work(path) is not None
    assert not path.exists()


def test_status_tells_how_far_how_fast_and_who(field, tmp_path, monkeypatch):
    specs = make_plan(field)
    states, original = [], archive.write_runs

    def telling(rows, path):
        original(rows, path)
        states.extend(experiment.status(tmp_path).to_dict("records"))

    monkeypatch.setattr(experiment, "write_runs", telling)
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    shards = states[:-1]  # the last is the finished plan
    assert [state["done"] for state in shards] == [3, 6, 9, 12]
    assert {(state["state"], state["runs"]) for state in shards} == {("running", 12)}
    assert all(f"process {os.getpid()} on" in state["at_work"] for state in shards)
    assert all(state["rate"] > 0 for state in shards)
    assert shards[-1]["left"] == "0:00:00"


# --- what a worker is asked before it runs anything


@pytest.fixture
def worker(monkeypatch):
    """Stand in for the worker that opens a parcel."""
    import distributed

    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(address="tcp://far:1"))


def test_a_worker_opens_a_parcel_of_the_same_source(field, worker):
    specs = make_plan(field)[:1]
    parcel, packed = engine._packed((names, specs)), engine._packed(field)
    rows = engine.open_parcel(provenance.described(), parcel, packed)
    assert [row["identity"] for row in rows] == [specs[0].identity]
    # What is sent is the text of this call.
    arguments = {"wanted": provenance.described(), "parcel": parcel, "field": packed}
    assert eval(engine.ENTRY, arguments) == rows


def test_a_worker_with_another_source_runs_nothing(field, worker):
    ran = []
    parcel = engine._packed((ran.append, make_plan(field)))
    source = re.escape(provenance.described())
    with pytest.raises(EngineError, match=rf"tcp://far:1 has {source}, this experiment has other"):
        engine.open_parcel("other", parcel, engine._packed(field))
    assert not ran


def test_what_a_worker_cannot_import_is_named(field, worker):
    class Lost:
        def __reduce__(self):
            return eval, ("__import__('mytasks')",)

    with pytest.raises(EngineError, match=r"tcp://far:1 cannot read .*No module named 'mytasks'"):
        engine.open_parcel(provenance.described(), engine._packed(Lost()), engine._packed(field))


class FakeClient:
    """A Dask cluster of which only the comings and goings matter."""

    status = "closed"

    def __init__(self, *workers):
        self.workers = workers

    def submit(self, *_, **__):
        return None

    def subscribe_topic(self, *_):
        pass

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def run(self, *_, **__):
        return {"tcp://a:1": ModuleNotFoundError("cortexrnn"), "tcp://b:1": engine.ENTRY}


def placed(client, field, patience=float("inf")):
    link = engine.Link(client, lambda: "one to join")
    return engine._Cluster(link, names, field, patience)


def test_when_the_last_worker_leaves_it_is_told_once_and_what_is_waited_for(field, caplog):
    with placed(FakeClient("tcp://a:1", "tcp://b:1"), field) as place:
        for name in ("tcp://a:1", "tcp://b:1"):
            place._alone()
            assert not caplog.messages
            place._hear((0, {"action": "remove-worker", "worker": name, "processing-tasks": {}}))
        place._alone()
        place._alone()
    assert caplog.messages == [
        "no worker is left, 0 pieces of work are not done; waiting for one to join"
    ]


def test_a_cluster_without_workers_says_what_is_waited_for_and_reminds(field, caplog, monkeypatch):
    with placed(FakeClient(), field) as place:
        assert caplog.messages == ["no worker has come yet; waiting for one to join"]
        place._alone()
        assert len(caplog.messages) == 1
        monkeypatch.setattr(engine, "REMIND_S", -1)
        place._alone()
        assert len(caplog.messages) == 2


def test_workers_without_the_package_are_named(field):
    error = ModuleNotFoundError("No module named 'cortexrnn'", name="cortexrnn")
    assert engine._cannot_open(error)
    assert engine._cannot_open(AttributeError("module has no attribute 'open_parcel'"))
    assert not engine._cannot_open(ModuleNotFoundError("neurogym", name="neurogym"))
    with placed(FakeClient("tcp://a:1", "tcp://b:1"), field) as place:
        message = place._strangers(error)
    assert message.startswith("1 of 2 workers cannot run cortexrnn")
    assert "tcp://a:1 (No module named 'cortexrnn'); install it" in message


def test_logs_of_dask_are_quiet_while_an_engine_runs_and_as_before_afterwards():
    import distributed  # noqa: F401

    logger = logging.getLogger("distributed.client")
    logger.setLevel(logging.INFO)
    with engine._quiet():
        assert not logger.isEnabledFor(logging.CRITICAL)
    assert logger.level == logging.INFO


GUARDLESS = """
from cortexrnn.runs import experiment, plans
from cortexrnn.fields.sources.surrogate import surrogate_field

field = surrogate_field(16)
experiment.run(plans.plan(field, preset="smoke"), field, out="runs", workers=2)
"""


def test_a_script_without_a_main_guard_is_told_so_in_one_line(tmp_path):
    (tmp_path / "mine.py").write_text(GUARDLESS)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith(
        "cortexrnn.runs.experiment.ExperimentError: the workers could not be started"
    )
    assert 'below if __name__ == "__main__":' in message
    assert "or give workers=1" in message
    assert done.stderr.count("Traceback") <= 2  # one error and its causes, nothing of workers
    assert not list(tmp_path.rglob("*.parquet"))
    assert not list(tmp_path.rglob("*.running"))


# --- SLURM, of which only the commands are there; tests/cluster has a real one


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Folder on the path for commands of SLURM; gives what writes one."""
    pytest.importorskip("dask_jobqueue")
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    for name in slurm.COMMANDS:
        write(name, "exit 0")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(slurm, "LOOK_S", 0.5)
    monkeypatch.setattr(slurm, "PAUSE_S", 0.1)
    return write


@pytest.fixture
def submit(field, tmp_path):
    """Run a plan through SLURM, and say how it ends."""
    import dask

    def run():
        options = {"jobqueue.slurm.cores": 1, "jobqueue.slurm.memory": "1GB"}
        specs = make_plan(field)
        with dask.config.set(options), pytest.raises(ExperimentError) as caught:
            experiment.run(
                specs, field, out=tmp_path / "runs", slurm=True, workers=2, progress=False
            )
        assert not list(tmp_path.rglob("*.running"))
        return str(caught.value)

    return run


def test_slurm_without_its_commands_is_refused(commands, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="sbatch, squeue, scancel cannot be found; run this on"):
        choose(slurm=True, workers=2)


def test_what_sbatch_refuses_is_told_in_its_words(commands, submit):
    commands("sbatch", "echo 'sbatch: error: invalid partition specified: nosuch' >&2; exit 1")
    assert submit().startswith(
        "sbatch refused the job: invalid partition specified: nosuch; finished shards are kept"
    )


TIMES_OUT = """
echo x >> {count}
for i in $(seq {times}); do  # so many times in all, also where two submit at once
  if (set -C; : > {count}.$i) 2> /dev/null; then
    echo 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1
  fi
done
echo Submitted batch job 7
"""


def test_a_submission_that_times_out_is_tried_again(commands, submit, tmp_path, caplog):
    commands("sbatch", TIMES_OUT.format(count=tmp_path / "count", times=1))
    # Taken at last; but as the queue is empty and no worker came, there is no hope.
    assert submit().startswith("SLURM ended before a worker came: job 7")
    assert "sbatch says: Batch job submission failed: Socket timed out; it is tried again" in (
        caplog.text
    )
    assert len((tmp_path / "count").read_text().split()) == 3


def test_trying_again_has_an_end(commands, submit, tmp_path):
    commands("sbatch", TIMES_OUT.format(count=tmp_path / "count", times=1000))
    assert "sbatch refused the job: Batch job submission failed: Socket timed out" in submit()
    assert len((tmp_path / "count").read_text().split()) <= 2 * slurm.TRIES


def test_jobs_that_end_before_a_worker_comes_are_reported(commands, submit):
    commands("sbatch", "echo Submitted batch job $$")
    assert re.match(
        r"SLURM ended before a worker came: job \d+, \d+; read slurm-\d+.out in the folder where",
        submit(),
    )


def test_slurm_that_does_not_answer_is_not_taken_for_an_empty_queue(commands):
    commands("squeue", "echo '7 PENDING, Resources'")
    assert slurm._queue() == {"7": "PENDING, Resources"}
    commands("squeue", "exit 1")
    assert slurm._queue() is None


def test_ctrl_c_stays_as_it_is_when_dask_jobqueue_is_imported(commands):
    usual = signal.getsignal(signal.SIGINT)
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        del sys.modules[name]
    slurm.cluster_type()
    assert signal.getsignal(signal.SIGINT) is usual
    # Also where somebody imported it before.
    import dask_jobqueue.runner as runner

    importlib.reload(runner)
    assert signal.getsignal(signal.SIGINT) is not usual
    slurm.cluster_type()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_slurm_beside_the_main_thread_is_refused(commands):
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(choose, slurm=True, workers=2)
        with pytest.raises(ValueError, match="from the main thread"):
            future.result()


def test_a_dashboard_takes_any_free_port_unless_one_is_named():
    import dask

    settings = {"jobqueue.slurm.cores": 2, "jobqueue.slurm.memory": "1GB"}
    with dask.config.set(settings):
        assert slurm.settings() == (2, {"dashboard_address": ":0"})
    named = {"jobqueue.slurm.scheduler-options": {"dashboard_address": ":99", "host": "x"}}
    with dask.config.set(settings | named):
        assert slurm.settings() == (2, {"dashboard_address": ":99", "host": "x"})


def test_slurm_without_the_size_of_a_job_is_refused(commands):
    with pytest.raises(ValueError, match="the cores and memory of a SLURM job are not set"):
        choose(slurm=True, workers=2)
