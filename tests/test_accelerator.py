"""The call for a machine with an accelerator, rehearsed on a bare one, and what it gives back."""

import importlib.metadata
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from packaging.requirements import Requirement

from cortexrnn.benchmark import report
from cortexrnn.benchmark.measure import Point
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.runs.archive import load_archive, read_runs, write_json, write_runs
from tools.accelerator import (
    bare_machine,
    call,
    comparison,
    equality,
    files,
    parts,
    watch,
)
from tools.accelerator import merge as merging
from tools.accelerator.bare_machine import CARRIED, GIVEN, JUDGING, BareError
from tools.accelerator.call import Budget, Part, Record, run_parts
from tools.accelerator.merge import MergeError, merge
from tools.accelerator.parts import REHEARSAL, Context, TooLittleTime
from tools.project import ROOT

CPU = torch.device("cpu")


# --- a bare machine: what it must have and nothing else, the rest as wheels


def closure(names) -> set[str]:
    """Distributions with all that they require and is installed here."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        wanted = [Requirement(text) for text in required]
        waiting += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def files_of(name: str) -> list[tuple[str, Path]]:
    """Files of a distribution that lie among the modules."""
    distribution = importlib.metadata.distribution(name)
    inside = [file for file in distribution.files or [] if file.parts[0] not in ("..", "bin")]
    return [(file.as_posix(), Path(str(distribution.locate_file(file)))) for file in inside]


@pytest.fixture(scope="module")
def carry(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("carry")
    (folder / "wheels").mkdir()
    for name in (*CARRIED, *JUDGING):
        with zipfile.ZipFile(folder / "wheels" / f"{name}.whl", "w") as wheel:
            for inside, path in files_of(name):
                if path.is_file() and "/tests/" not in inside and not inside.endswith(".pyc"):
                    wheel.write(path, inside)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> dict[str, str]:
    """Environment of a process that finds torch and its like, and no package of ours."""
    modules = tmp_path_factory.mktemp("modules")
    for name in closure(GIVEN):
        for inside, path in files_of(name):
            top, place = Path(inside).parts[0], modules / Path(inside).parts[0]
            if not place.exists():
                place.symlink_to(path.parents[len(Path(inside).parts) - 1] / top)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CORTEXRNN", "PYTHON", "COV"))}
    return kept | {"PYTHONPATH": str(modules), "OMP_NUM_THREADS": "1"}


def on_bare_machine(bare, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-S", "-m", "tools.accelerator", *arguments]
    return subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def rehearsed(bare, carry, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("rehearsal") / "results"
    done = on_bare_machine(
        bare, "--rehearse", "--device", "cpu", "--carry", str(carry), "--out", str(out)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture
def record(rehearsed) -> dict:
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads((rehearsed / "accelerator.json").read_text(), parse_constant=refuse)


def test_everything_is_rehearsed_to_the_last_line(rehearsed, record):
    assert [part["state"] for part in record["parts"].values()] == ["done"] * 7
    assert list(record["parts"]) == [part.name for part in call.all_parts()]
    assert record["failed"] == record["skipped"] == []
    assert sorted(path.name for path in rehearsed.iterdir()) == ["accelerator.json", "runs.tar"]
    assert not record["tf32"] and record["rehearsal"] and record["device"] == "cpu"


def test_a_rehearsal_has_every_result(record):
    results = {name: part["result"] for name, part in record["parts"].items()}
    assert results["equality"]["agrees"]
    rows = pd.DataFrame(results["equality"]["rows"])
    kinds = {"none", "plain", "distance", "direct", "frozen", "emd", "custom", "positive", "mixed"}
    assert set(rows["penalty"]) == kinds and len(rows) == 2 * 2 * len(kinds)
    assert (rows.loc[rows["format"] == "float64", "weights"] < 1e-10).all()
    assert (rows.loc[rows["other"] == "autograd", "weights"] > 0).all()  # two ways, not one
    ran = results["experiment"]
    assert ran["runs"] == 18 and ran["seeds"] == 2
    assert sum(ran["parts"].values()) == pytest.approx(ran["seconds"])
    assert ran["parts"]["training"] > 0 and ran["times_floor"] > 1
    beside = results["comparison"]
    assert beside["runs"] == 18 and beside["outcomes"] == {
        "flipped": 0, "share": 0.0, "by_variant": {},
    }  # fmt: skip
    assert all(row["equal"] == 18 and row["sd"] == 0 for row in beside["differences"])
    launches = {what: one["launches"] for what, one in results["profile"].items()}
    assert 0 < launches["plain"] < launches["direct"] and launches["emd"] > 0
    table = pd.DataFrame(record["measurements"])
    assert set(table.columns) == set(report.COLUMNS)
    assert set(table["kind"]) == {"step", "training"} and set(table["n_neurons"]) == {16, 24}
    assert (table["floor_seconds"] > 0).all()


def test_a_machine_without_wheels_is_told_all_that_it_lacks(bare, tmp_path):
    done = on_bare_machine(bare, "--carry", str(tmp_path / "nothing"), "--out", str(tmp_path / "o"))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--prepare" in done.stderr
    assert all(f"{name} (" in done.stderr for name in ("pooch", "rich", "psutil", "cloudpickle"))
    assert not (tmp_path / "o").exists()


def test_what_is_carried_is_all_that_its_roots_require():
    roots = ("pooch", "rich", "psutil", "cloudpickle", "threadpoolctl")
    assert closure(roots) == set(CARRIED)


def test_missing_modules_are_named_with_the_remedy():
    message = (
        r"lacks no_such_thing .*installed here; wheels are missing of a-thing \(No module named "
        r"'nothing_at_all'\): .*--prepare"
    )
    with pytest.raises(BareError, match=message):
        bare_machine.check(("json", "no_such_thing"), {"a-thing": "nothing_at_all"})
    bare_machine.check(("json",), {"a-thing": "json"})


def test_a_damaged_wheel_is_named(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"PK")
    with pytest.raises(BareError, match=r"a\.whl cannot be unpacked .*carry it again"):
        bare_machine.unpack(tmp_path, tmp_path / "site")


def test_wheels_are_fetched_for_the_python_there_or_refused(monkeypatch, tmp_path):
    asked = []

    def pip(command, **_):
        asked.append(command)
        return types.SimpleNamespace(returncode=int("rich==" in " ".join(command)), stderr="none\n")

    monkeypatch.setattr(bare_machine.subprocess, "run", pip)
    bare_machine.download(["idna"], tmp_path / "wheels", python="3.12")
    (command,) = asked
    assert command[command.index("--python-version") + 1] == "3.12" and "--no-deps" in command
    assert command[-1] == f"idna=={importlib.metadata.version('idna')}"
    with pytest.raises(BareError, match="wheels cannot be fetched: none"):
        bare_machine.download(["rich"], tmp_path / "wheels", python="3.12")


def test_more_than_may_be_carried_is_refused(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(bytes(2**20))
    assert bare_machine.check_size(tmp_path) == 1
    monkeypatch.setattr(bare_machine, "MOST_MIB", 0.5)
    with pytest.raises(BareError, match=r"holds 1 MiB, more than the 0\.5"):
        bare_machine.check_size(tmp_path)


def test_what_is_prepared_is_what_is_loaded(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bare_machine, "download", lambda names, folder, *, python: None)
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "own"))
    carry = tmp_path / "carry"
    assert call.main(["--prepare", "--field", "surrogate_21", "--carry", str(carry)]) == 0
    assert "MiB" in capsys.readouterr().out
    field = call._loader(carry)("surrogate_21")
    assert field.origin == "file" and field.name == "surrogate_21"
    assert len(list((carry / "cache").glob("nulls-21-*"))) == 1
    assert not (tmp_path / "own").exists()


def test_what_is_carried_is_ignored_by_git():
    for name in ("carry/wheels/a.whl", "results/runs.tar"):
        done = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
        if done.returncode == 128:
            pytest.skip("no checkout")
        assert done.returncode == 0, name


# --- planning by the clock


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(tmp_path) -> Context:
    noted: list = []
    made = Context(
        size=REHEARSAL, device=CPU, out=tmp_path / "out", scratch=tmp_path, left=lambda: math.inf,
        note=lambda name, entry: noted.append((name, entry)), rehearsal=True,
    )  # fmt: skip
    made.out.mkdir()
    made.noted = noted
    return made


def part(name, clock, *, takes, needs, fails=None):
    def work(_):
        clock.now += takes
        if fails:
            raise fails
        return {"value": math.nan}

    return Part(name=name, work=work, needs=needs)


def test_what_no_longer_fits_is_left_out_and_what_fails_is_recorded(clock, context, tmp_path):
    record, budget, told = Record(tmp_path / "r.json", {}), Budget(100, clock), []
    parts = [
        part("one", clock, takes=30, needs=10),
        part("two", clock, takes=20, needs=10, fails=RuntimeError("it broke")),
        part("three", clock, takes=1, needs=60),
        part("four", clock, takes=1, needs=50, fails=TooLittleTime("not enough")),
        part("five", clock, takes=1, needs=49),
    ]
    assert not run_parts(parts, context, record, budget, tell=told.append)
    written = json.loads((tmp_path / "r.json").read_text())["parts"]
    states = {name: one["state"] for name, one in written.items()}
    assert states == {"one": "done", "two": "failed", "three": "left out", "four": "left out",
                      "five": "done"}  # fmt: skip
    assert written["one"]["seconds"] == 30 and written["one"]["result"] == {"value": None}
    assert "it broke" in written["two"]["reason"] and "work(context)" in written["two"]["traceback"]
    assert written["three"]["reason"] == "it needs 60 s, 50 s were left"
    assert written["four"]["reason"] == "not enough"
    assert len(told) == 5 and budget.left() == 48


def test_a_part_at_work_is_written_before_it_ends(context, tmp_path):
    record, seen = Record(tmp_path / "r.json", {}), []

    def look(_):
        seen.append(json.loads((tmp_path / "r.json").read_text())["parts"]["look"]["state"])
        return {}

    assert run_parts([Part(name="look", work=look, needs=0)], context, record, Budget(9, Clock()),
                     tell=seen.append)  # fmt: skip
    assert seen[0] == "running"


def test_time_that_is_over_ends_the_call_and_keeps_what_there_is(monkeypatch, context, tmp_path):
    ended = []
    monkeypatch.setattr(call.os, "_exit", ended.append)
    record = Record(tmp_path / "r.json", {})
    record.part("done before", "done")
    record.part("experiment", "running")
    (context.runs / "shards").mkdir(parents=True)
    (context.runs / "shards" / "a.parquet").write_bytes(b"x")
    (context.runs / "shards" / ".b.parquet").write_bytes(b"unfinished")
    call._end(record, context)
    parts = json.loads((tmp_path / "r.json").read_text())["parts"]
    assert ended == [1] and parts["done before"] == {"state": "done"}
    assert parts["experiment"]["state"] == "cut off"
    with tarfile.open(context.out / "runs.tar") as archive:
        assert archive.getnames() == ["shards/a.parquet"]


@pytest.mark.parametrize(
    ("left", "seeds"),
    [(1e6, 20), (20 + 1.33 * 660 + 26, 20), (20 + 1.33 * 660 + 24, 10), (30, None)],
)
def test_as_many_seeds_are_run_as_fit(monkeypatch, context, left, seeds):
    monkeypatch.setattr(parts, "_topology_seconds", lambda _: 0.2)
    context.size, context.rehearsal = parts.Size(), False
    context.left = lambda: left
    context.update_seconds = dict.fromkeys(("plain", "direct", "emd"), 0.8 / 400)  # 1 s a run
    assert parts.expected_seconds(context, 20) == pytest.approx(20 + 1.33 * 660)
    assert parts.chosen_seeds(context, reserve=25) == seeds
    if seeds is None:
        with pytest.raises(TooLittleTime, match="1 seeds need 64 s, 30 s are left"):
            parts.run_experiment(context)


def test_an_experiment_without_a_measured_update_is_not_begun(monkeypatch, context):
    monkeypatch.setattr(parts, "_topology_seconds", lambda _: 0.2)
    context.update_seconds, context.left = {"plain": 0.001}, lambda: 1e9
    assert parts.chosen_seeds(context, reserve=0) is None


def test_a_batch_that_does_not_fit_into_memory_is_halved(monkeypatch, context):
    def measured(_, point):
        return {"seconds": 3.0} if point.members <= 55 else None

    monkeypatch.setattr(parts, "_measured", measured)
    monkeypatch.setattr(parts, "batched_rate", lambda *_, **__: 1e9)
    context.size = replace(REHEARSAL, members=(1, 220))
    parts.updates(context)
    assert context.update_seconds == dict.fromkeys(("plain", "direct", "emd"), 3 / 55)


def test_a_point_that_fails_is_kept_with_its_reason(monkeypatch, context):
    def out_of_memory(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory\nmuch text")

    monkeypatch.setattr(parts.measure, "measure", out_of_memory)
    point = Point(kind="step", what="plain", n_neurons=16)
    assert parts._measured(context, point) is None
    (name, entry), = context.noted  # fmt: skip
    assert name == "failed" and entry["reason"] == "CUDA out of memory"


def test_larger_networks_are_measured_while_time_is_left(monkeypatch, context, clock):
    made = []

    def measured(_, point):
        made.append((point.kind, point.what, point.n_neurons))
        seconds = point.n_neurons / 1000 * (3 if point.what == "direct" else 1)
        clock.now += seconds
        return {"seconds": seconds / (400 if point.kind == "training" else 1)}

    monkeypatch.setattr(parts, "_measured", measured)
    monkeypatch.setattr(parts.time, "perf_counter", clock)
    context.size = replace(REHEARSAL, large=(1000, 2000, 4000))
    context.left = Budget(30, clock).left
    result = parts.large(context)
    # Direct C of 4,000 neurons was expected to take 6 s * 2**2.5 = 34 s; no training fits.
    assert made == [("step", what, n) for n in (1000, 2000) for what in ("plain", "direct")] + [
        ("step", "plain", 4000)
    ]
    assert result == {"measured": 5, "of": 12}
    skipped = [entry for name, entry in context.noted if name == "skipped"]
    assert len(skipped) == 7
    assert skipped[0]["expected_seconds"] == pytest.approx(6 * 2**2.5)
    assert skipped[-1]["expected_seconds"] is None  # its update is not known


def test_a_call_of_no_time_is_refused(capsys):
    assert call.main(["--minutes", "0"]) == 2
    assert "--minutes is 0" in capsys.readouterr().err


# --- parts


@pytest.mark.parametrize("kind", ["plain", "direct", "emd", "custom"])
def test_a_wrong_gradient_is_found(monkeypatch, context, kind):
    right, wrong = equality.plain_value, equality._communicability

    def value(penalty, weights):
        custom = getattr(penalty, "custom", None) is not None
        factor = 1.01 if kind == "plain" or (kind == "custom" and custom) else 1.0
        return factor * right(penalty, weights)

    def transposed(weights, offset):
        is_it = (offset > 0) == (kind == "emd")
        return wrong(weights.mT if kind in ("direct", "emd") and is_it else weights, offset) * (
            1.0 if kind == "direct" or not is_it or kind != "emd" else 1.01
        )

    monkeypatch.setattr(equality, "plain_value", value)
    monkeypatch.setattr(equality, "_communicability", transposed)
    result = equality.equality(context)
    assert not result["agrees"]
    wrong_kinds = {row["penalty"] for row in result["rows"] if not row["within"]}
    assert {kind, "mixed"} <= wrong_kinds
    assert not [r for r in result["rows"] if r["other"] == "processor" and not r["within"]]


def test_what_a_process_does_is_read_off_its_stack():
    here, lib = "/x/cortexrnn/", "/usr/lib/python3.12/"
    for stack, expected in (
        ([f"{here}networks/ensemble.py", f"{here}runs/experiment.py"], "training"),
        (["/x/site-packages/torch/functional.py", f"{here}networks/topology.py"], "topology"),
        ([f"{lib}threading.py", f"{here}runs/experiment.py"], "waiting for the host"),
        ([f"{lib}concurrent/futures/_base.py", f"{here}runs/engine.py"], "waiting for the host"),
        ([f"{here}runs/archive.py"], "writing"),
        ([f"{here}runs/provenance.py"], "other"),
        (["/x/main.py"], "other"),
    ):
        assert watch.stage(stack) == expected
    for module in watch.ROOMS:
        assert (ROOT / "cortexrnn" / f"{module}.py").is_file(), module


def test_calls_that_compute_are_counted_and_views_are_not():
    launches = watch._starts_a_kernel
    assert launches("aten::bmm", True) and not launches("aten::view", True)
    assert launches("cudaLaunchKernel", False) and not launches("aten::bmm", False)


def test_runs_beside_the_archive_are_judged_by_its_rules():
    archive = load_archive()
    runs = archive[(archive["field"] == "6_6_2") & (archive["arm"] == "corr")]
    runs = runs[runs["published"] & (runs["data_seed"] == 0)]
    assert len(runs) == 660
    spoilt = runs.assign(accuracy=runs["accuracy"].where(runs["variant"] != "W*D*C*", 0.0))
    result = comparison.compare(spoilt, archive)
    by_task = runs[runs["variant"] == "W*D*C*"].groupby("task")["accuracy"]
    n_learned = sum(learned(task, accuracy).sum() for task, accuracy in by_task)
    assert result["outcomes"]["flipped"] == n_learned > 0
    assert result["outcomes"]["share"] == n_learned / 660
    assert set(result["outcomes"]["by_variant"]) == {"W*D*C*"}
    assert "W*D*C*" in {row["variant"] for row in result["changed"]}
    assert comparison.compare(runs, archive)["changed"] == []
    metrics = {row["metric"]: row for row in result["differences"]}
    moved = spoilt["accuracy"] - runs["accuracy"]
    assert metrics["accuracy"]["sd"] == pytest.approx(moved.std())
    assert metrics["accuracy"]["mean"] == pytest.approx(moved.mean())
    assert metrics["entropy"]["sd"] == 0
    assert result["verdicts"]["different"] >= 3
    cells = pd.DataFrame(result["cells"])
    assert len(cells) == 165 and set(cells.loc[cells["verdict"] == "different", "variant"]) == {
        "W*D*C*"
    }


def test_numbers_that_are_none_are_no_json():
    value = {"a": [math.nan, np.float32(1.5), (np.int64(3), math.inf)], 1: pd.DataFrame({"b": [1]})}
    assert files.without_nan(value) == {"a": [None, 1.5, [3, None]], "1": [{"b": 1}]}


# --- what comes back


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "cortexrnn" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "cortexrnn/data/bench.json", folder / "cortexrnn/data")
    return folder


@pytest.fixture
def back(rehearsed, tmp_path) -> Path:
    return Path(shutil.copytree(rehearsed, tmp_path / "back"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def altered(folder: Path, **changes) -> Path:
    path = folder / "accelerator.json"
    write_json(json.loads(path.read_text()) | changes, path)
    return folder


def test_what_came_back_is_put_into_a_checkout_once(back, checkout, record):
    before = report.read(checkout / merging.MEASUREMENTS)
    lines = merge(back, checkout, rehearsal=True)
    after = report.read(checkout / merging.MEASUREMENTS)
    assert {name: after[name] for name in before} == before
    (one,) = report.load(checkout / merging.MEASUREMENTS).accelerators
    assert one.machine == record["machine"] and len(one.table) == len(record["measurements"])
    assert one.parts["experiment"]["runs"] == 18 and not one.tf32
    (folder,) = (checkout / merging.RUNS).iterdir()
    assert len(load_archive(folder)) == 18
    assert any(line == "experiment: done" for line in lines)
    written = content(checkout)
    assert any("there already" in line for line in merge(back, checkout, rehearsal=True))
    assert content(checkout) == written


def test_command_merges_and_refuses(back, checkout, capsys):
    arguments = ["--merge", str(back), "--into", str(checkout)]
    assert call.main(arguments) == 2
    assert "of a rehearsal; give --rehearse" in capsys.readouterr().err
    assert call.main([*arguments, "--rehearse"]) == 0
    assert "experiment: done" in capsys.readouterr().out


def rewritten(folder: Path, change) -> Path:
    """Change the packed runs: a function of name and bytes to those that are packed instead."""
    path = folder / "runs.tar"
    with tarfile.open(path) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    with tarfile.open(path, "w") as archive:
        for name, data in (change(name, data) for name, data in members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder


def changed_run(name: str, data: bytes) -> tuple[str, bytes]:
    if not name.endswith(".parquet"):
        return name, data
    frame = read_runs(io.BytesIO(data))
    rows = frame.astype({"diverged_epoch": object}).assign(diverged_epoch=None).to_dict("records")
    rows[3]["entropy"] += 1e-9
    path = Path(os.environ["PYTEST_SCRATCH"]) / "changed.parquet"
    write_runs(rows, path)
    return name, path.read_bytes()


def truncated(folder: Path) -> Path:
    path = folder / "runs.tar"
    path.write_bytes(path.read_bytes()[:2000])
    return folder


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: altered(f, version="0.0.9"), r"version of cortexrnn 0\.0\.9, this checkout"),
        (lambda f: altered(f, numerics=1), "numerics 1, this checkout"),
        (lambda f: altered(f, format=99), "layout 99, this checkout 1"),
        (lambda f: altered(f, rehearsal=False), "no rehearsal's"),
        (lambda f: altered(f, source="0" * 16), "runs have source .* they are of another call"),
        (lambda f: altered(f, measurements=[{"kind": "step"}]), "damaged: 0 parts and 1 meas"),
        (lambda f: altered(f, parts={"a": {"state": "odd"}}), "damaged: 1 parts"),
        (lambda f: (f / "accelerator.json").write_text("{}") and f, "lacks commit, .*damaged"),
        (lambda f: (f / "accelerator.json").write_text("[]") and f, "lacks commit, .*damaged"),
        (lambda f: (f / "accelerator.json").write_text('{"a') and f, "cannot be read"),
        (lambda f: (f / "accelerator.json").unlink() or f, "cannot be read .*--out"),
        (truncated, r"runs\.tar is damaged"),
        (lambda f: (f / "runs.tar").write_bytes(b"x" * 999) and f, r"runs\.tar is damaged"),
        (lambda f: rewritten(f, lambda n, d: (f"../{n}", d)), "no file of runs"),
        (lambda f: rewritten(f, lambda n, d: (n, d[:-9])), "cannot be read|not the file"),
        (lambda f: rewritten(f, changed_run), "SHA-256"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_of_another_version_is_refused(
    back, checkout, damage, message, monkeypatch, tmp_path
):
    monkeypatch.setenv("PYTEST_SCRATCH", str(tmp_path))
    before = content(checkout)
    with pytest.raises(MergeError, match=message):
        merge(damage(back), checkout, rehearsal=True)
    assert content(checkout) == before


def test_runs_that_are_there_with_other_numbers_are_refused(back, checkout, monkeypatch, tmp_path):
    merge(back, checkout, rehearsal=True)
    (parquet,) = (checkout / merging.RUNS).rglob("*.parquet")
    monkeypatch.setenv("PYTEST_SCRATCH", str(tmp_path))
    parquet.write_bytes(changed_run(parquet.name, parquet.read_bytes())[1])
    before = content(checkout)
    with pytest.raises(MergeError, match="with other numbers; move that file away"):
        merge(back, checkout, rehearsal=True)
    assert content(checkout) == before


def test_earlier_measurements_of_a_device_are_replaced_only_when_asked(back, checkout):
    merge(back, checkout, rehearsal=True)
    altered(back, started="2030-01-01T00:00:00+00:00")
    with pytest.raises(MergeError, match="give --replace to put those from 2030"):
        merge(back, checkout, rehearsal=True)
    merge(back, checkout, rehearsal=True, replace=True)
    (one,) = report.read(checkout / merging.MEASUREMENTS)["accelerators"]
    assert one["started"].startswith("2030")
    altered(back, tf32=True)
    merge(back, checkout, rehearsal=True)
    assert len(report.read(checkout / merging.MEASUREMENTS)["accelerators"]) == 2
    assert len(list((checkout / merging.RUNS).iterdir())) == 2


def test_a_folder_that_is_no_checkout_is_refused(back, tmp_path):
    with pytest.raises(MergeError, match=r"there is no .*bench\.json; give a checkout"):
        merge(back, tmp_path / "nowhere", rehearsal=True)


def test_runs_of_a_killed_call_become_a_plan(back, checkout, tmp_path):
    with tarfile.open(back / "runs.tar") as archive:
        archive.extractall(tmp_path / "whole", filter="data")
    (path,) = (tmp_path / "whole").glob("*.parquet")
    frame = read_runs(path).astype({"diverged_epoch": object}).assign(diverged_epoch=None)
    cut = tmp_path / "cut"
    for seed, rows in frame.groupby("seed"):
        if seed == 0:
            for task, part in rows.groupby("task"):
                write_runs(part.to_dict("records"), cut / "shards" / f"{task}.parquet")
    shutil.copy(path.with_suffix(".json"), cut)
    files.pack(cut, back)
    lines = merge(back, checkout, rehearsal=True)
    assert any("not finished: 9 runs are a plan of their own" in line for line in lines)
    (folder,) = (checkout / merging.RUNS).iterdir()
    kept = load_archive(folder).set_index("identity")
    assert len(kept) == 9 and len(list(folder.iterdir())) == 2
    expected = frame.set_index("identity").loc[kept.index]
    np.testing.assert_array_equal(kept["entropy"], expected["entropy"])
    assert set(kept["finished"]) <= set(expected["finished"])


def test_a_comparison_that_was_not_made_there_is_made_here(back, monkeypatch, record):
    monkeypatch.setattr(merging, "load_archive", lambda: "archive")
    monkeypatch.setattr(comparison, "compare", lambda runs, archive: {"a": math.nan})
    real = record | {"rehearsal": False}
    real["parts"]["comparison"] = {"state": "failed"}
    assert merging._compared(real, pd.DataFrame()) == ["runs were compared with the archive here"]
    assert real["parts"]["comparison"] == {"state": "done", "result": {"a": None}}
    assert merging._compared(real, pd.DataFrame()) == []


def test_results_without_runs_are_merged(back, checkout):
    (back / "runs.tar").unlink()
    lines = merge(back, checkout, rehearsal=True)
    assert "no run came back" in lines and "no run is new" in lines
    assert not (checkout / merging.RUNS).exists()
