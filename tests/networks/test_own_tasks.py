"""Tasks of one's own: in specifications and plans, in other processes, and what is refused."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cortexrnn.cli import app
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import tasks
from cortexrnn.networks.code_digest import DefinitionError
from cortexrnn.networks.neurogym import GYM_TASKS, DelayMatch, GymTask, find_task
from cortexrnn.networks.specification import Preset, RunSpec, task_of
from cortexrnn.networks.tasks import TASKS, OneChoice, Perceptual, Task, register_task
from cortexrnn.networks.training import train
from cortexrnn.runs import experiment, plans
from cortexrnn.runs.archive import load_archive, read_runs
from cortexrnn.runs.labels import as_published, select

ROOT = Path(__file__).parents[2]
TINY = Preset(n_seeds=1, epochs=1, n_train=128, n_validation=64)


@dataclass(frozen=True)
class Recall(Task):
    """Tell which channel was on."""

    name = "recall"
    title = "Recall"
    channel_names = ("a", "b")
    class_names = ("a", "b")

    delay_steps: int = 2

    def __post_init__(self):
        self.check_integers(delay_steps=0)

    @property
    def durations(self):
        return [("cue", 2), ("delay", self.delay_steps)]

    def draw(self, n_trials, rng):
        targets = rng.integers(2, size=n_trials)
        inputs = self.blank(n_trials)
        inputs[:, self.slices()["cue"]] = np.eye(2)[targets, None]
        return inputs, targets


@dataclass(frozen=True)
class OtherRecall(Recall):
    """The same name and settings, and another meaning."""

    def draw(self, n_trials, rng):
        inputs, targets = super().draw(n_trials, rng)
        return inputs, 1 - targets


BASE = RunSpec(field="f", field_hash="0" * 64, variant="W*D*C", task="one_choice", seed=0)


@pytest.fixture(scope="module")
def field():
    return surrogate_field(16)


@pytest.fixture(autouse=True)
def registry(monkeypatch, tmp_path_factory):
    known = {}
    for module in ("tasks", "neurogym", "specification"):
        monkeypatch.setattr(f"cortexrnn.networks.{module}.CUSTOM_TASKS", known)
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_a_specification_takes_an_object_and_keeps_its_definition():
    spec = replace(BASE, task=Recall(delay_steps=5))
    assert (spec.task, spec.custom_tasks) == ("recall", (Recall(delay_steps=5),))
    assert spec.resolved()["custom_tasks"] == {"recall": Recall(delay_steps=5).definition}
    assert task_of(spec) == Recall(delay_steps=5)
    assert "custom_tasks" not in BASE.resolved()


def test_other_settings_and_other_code_are_other_runs():
    specs = [replace(BASE, task=task) for task in (Recall(), Recall(delay_steps=3), OtherRecall())]
    assert [spec.task for spec in specs] == ["recall"] * 3
    assert len({spec.identity for spec in specs} | {BASE.identity}) == 4


def test_settings_of_a_run_and_of_its_task_are_one():
    given = replace(BASE, task=Recall(), task_settings={"delay_steps": 7})
    assert given == replace(BASE, task=Recall(delay_steps=7))
    assert given.identity == replace(BASE, task=Recall(delay_steps=7)).identity
    assert replace(given, task_settings=(("delay_steps", 1),)) == replace(
        BASE, task=Recall(delay_steps=1)
    )
    with pytest.raises(ValueError, match="task 'recall' has no setting 'delay'"):
        replace(BASE, task=Recall(), task_settings={"delay": 7})


def test_a_task_of_the_package_given_as_an_object_is_its_name_and_settings():
    for task in [*TASKS.values(), *GYM_TASKS.values()]:
        assert replace(BASE, task=task) == replace(BASE, task=task.name)
    long = replace(BASE, task=OneChoice(delay_steps=40))
    assert long == replace(BASE, task="one_choice", task_settings={"delay_steps": 40})
    assert long.identity == replace(BASE, task_settings=(("delay_steps", 40),)).identity


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        (Perceptual(noise_sd=1), [{"noise_sd": 1}, {"noise_sd": 1.0}, {"noise_sd": np.int8(1)}]),
        (Perceptual(coherences=[1, 2]), [{"coherences": [1, 2]}, {"coherences": (1.0, 2.0)}]),
        (Perceptual(), [{}, {"noise_sd": 0.1}, {"delay_steps": np.int64(10)}]),
        (OneChoice(delay_steps=40), [{"delay_steps": 40, "goal_steps": 20}]),
        (GYM_TASKS["delay_match"].with_settings(sigma=2), [{"sigma": 2}, {"sigma": 2.0, "dt": 50}]),
    ],
)
def test_a_task_of_the_package_has_one_identity_however_it_is_given(task, settings):
    runs = [replace(BASE, task=task.name, task_settings=one) for one in settings]
    runs += [replace(BASE, task=task), replace(replace(BASE, task=task), seed=0)]
    runs += [replace(BASE, task=type(task)(), task_settings=one) for one in settings]
    assert len(set(runs)) == len({run.identity for run in runs}) == 1
    assert task_of(runs[0]) == task


def test_a_setting_that_only_equals_a_right_one_is_refused():
    with pytest.raises(ValueError, match="noise_sd is True, expected a finite number"):
        replace(BASE, task="perceptual", task_settings={"noise_sd": True})
    with pytest.raises(ValueError, match=r"delay_steps is 40\.0, expected an integer"):
        replace(BASE, task_settings={"delay_steps": 40.0})


class Disguised(Recall):
    name = "go_nogo"
    __module__ = "cortexrnn.mine"


def test_a_class_that_says_it_is_of_the_package_is_still_the_user_s():
    assert not Disguised().is_built_in
    assert all(task.is_built_in for task in [*TASKS.values(), *GYM_TASKS.values()])
    with pytest.raises(DefinitionError, match="Disguised is named 'go_nogo', which is a task of"):
        replace(BASE, task=Disguised())


def test_another_task_takes_the_definition_along():
    spec = replace(BASE, task=Recall(), first_task="go_nogo")
    assert replace(spec, task="perceptual").custom_tasks == ()
    before = replace(BASE, first_task=Recall(delay_steps=5))
    assert before.resolved()["custom_tasks"] == {"recall": Recall(delay_steps=5).definition}
    assert replace(before, task="recall", first_task=None) == replace(
        BASE, task=Recall(delay_steps=5)
    )


def test_a_registered_task_is_found_by_name_wherever_a_task_is_named():
    assert register_task(Recall(delay_steps=4)) == find_task("recall")
    spec = replace(BASE, task="recall")
    assert spec == replace(BASE, task=Recall(delay_steps=4))
    register_task(Recall(delay_steps=6))  # as a cell that is run again does
    assert find_task("recall").delay_steps == 6
    assert task_of(spec).delay_steps == 4  # a specification is what it was
    assert replace(spec, seed=1).custom_tasks == spec.custom_tasks
    with pytest.raises(
        ValueError, match=r"unknown task 'chess'; choose one of one_choice, .*recall"
    ):
        find_task("chess")


class Taken(Recall):
    name = "go_nogo"


class TakenGym(Recall):
    name = "delay_match"


class Untitled(Recall):
    title = ""


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Taken(), "Taken is named 'go_nogo', which is a task of this package"),
        (TakenGym(), "TakenGym is named 'delay_match'"),
        (Untitled(), "Untitled needs a class attribute title"),
        (Recall, "give an instance of a subclass|give the name of a task, or a task"),
        (3, "give an instance of a subclass|give the name of a task, or a task"),
    ],
)
def test_what_is_no_task_of_one_s_own_is_refused(task, message):
    with pytest.raises(DefinitionError, match=message):
        replace(BASE, task=task)
    with pytest.raises(DefinitionError, match=message):
        register_task(task)


def test_names_that_are_reserved_are_those_of_the_package():
    assert tuple(GYM_TASKS) == tasks.RESERVED


def test_two_tasks_of_one_name_in_one_run_are_refused():
    with pytest.raises(DefinitionError, match="task and first_task are both named 'recall'"):
        replace(BASE, task=Recall(), first_task=Recall(delay_steps=9))
    assert replace(BASE, task=Recall(), first_task=Recall()).first_task == "recall"
    with pytest.raises(DefinitionError, match="trained first has its own settings"):
        replace(BASE, first_task=OneChoice(delay_steps=40))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda n, rng: (np.zeros((n, 4, 1)), np.zeros(n, int)), r"shape \(5, 4, 1\), expected"),
        (lambda n, rng: (np.zeros((n, 3, 2)), np.zeros(n, int)), r"of shape \(5, 4, 2\): trials"),
        (lambda n, rng: (np.full((n, 4, 2), np.nan), np.zeros(n, int)), "expected finite numbers"),
        (lambda n, rng: (np.zeros((n, 4, 2)), np.zeros(n)), "type float64, expected whole numbers"),
        (lambda n, rng: (np.zeros((n, 4, 2)), np.zeros((n, 1), int)), r"targets of shape \(5, 1\)"),
        (lambda n, rng: (np.zeros((n, 4, 2)), np.full(n, 2)), "from 2 to 2, expected 0 to 1"),
        (lambda n, rng: (np.zeros((n, 4, 2)), np.full(n, -1)), "from -1 to -1, expected 0 to 1"),
    ],
)
def test_trials_that_do_not_fit_are_refused(draw, message):
    class Wrong(Recall):
        def draw(self, n_trials, rng):
            return draw(n_trials, rng)

    with pytest.raises(ValueError, match=message):
        Wrong().sample(5, rng=np.random.default_rng(0))


def test_trials_have_the_types_of_those_of_the_package():
    class Small(Recall):
        def draw(self, n_trials, rng):
            return [[[0, 1]] * 4] * n_trials, np.ones(n_trials, np.int8)

    inputs, targets = Small().sample(3, rng=np.random.default_rng(0))
    assert (inputs.dtype, targets.dtype) == (np.float32, np.int64)


def test_two_of_one_name_are_trained_apart_and_learned(field):
    sizes = {"epochs": 4, "n_train": 512, "n_validation": 64}
    specs = [
        RunSpec(
            field=field.name, field_hash=field.hash_without_events, variant="W*D*C", seed=0,
            task=task, **sizes,
        )
        for task in (Recall(), OtherRecall(), Recall(delay_steps=6))
    ]  # fmt: skip
    together = train(specs, field, progress=False)
    for spec, result in zip(specs, together, strict=True):
        (alone,) = train([spec], field, progress=False)
        assert result.metrics == alone.metrics
    assert together[0].metrics["validation_accuracy"] > 0.9
    assert together[0].metrics != together[1].metrics
    assert len(plans.shards(specs)) == 3


def test_a_first_task_of_one_s_own_is_learned_before(field):
    spec = RunSpec(
        field=field.name, field_hash=field.hash_without_events, variant="W*D*C", seed=0,
        task="go_nogo", first_task=Recall(), epochs=1, n_train=128, n_validation=64,
    )  # fmt: skip
    after, plain, other = train(
        [spec, replace(spec, first_task=None), replace(spec, first_task=OtherRecall())],
        field, progress=False,
    )  # fmt: skip
    assert len({result.metrics["loss"] for result in (after, plain, other)}) == 3


def test_a_plan_takes_objects_and_registered_names(field, tmp_path):
    register_task(Recall())
    specs = plans.plan(
        field, variants=["W*"], tasks=[OtherRecall(), "recall", "go_nogo"], preset=TINY
    )
    assert [spec.task for spec in specs] == ["recall", "recall", "go_nogo"]
    assert specs[0].identity != specs[1].identity
    runs = read_runs(experiment.run(specs, field, out=tmp_path, workers=1, progress=False))
    assert list(runs["identity"]) == [spec.identity for spec in specs]
    stored = json.loads(runs["specification"][0])["custom_tasks"]
    assert stored == {"recall": OtherRecall().definition}
    assert as_published(runs).empty and select(runs, field=field.name).empty


class OwnMatch(DelayMatch):
    name = "own_match"


def test_a_task_of_neurogym_with_a_name_of_its_own():
    spec = replace(BASE, task=OwnMatch(delay_steps=7, dim_ring=4))
    assert isinstance(task_of(spec), GymTask)  # so that its rows name NeuroGym
    assert task_of(spec).channel_names == DelayMatch(dim_ring=4).channel_names
    assert spec.identity != replace(BASE, task=OwnMatch(delay_steps=7)).identity


# --- in other processes

SCRIPT = """
import sys
from dataclasses import dataclass
from cortexrnn.runs import experiment, plans
from cortexrnn.runs.archive import read_runs
from cortexrnn.networks.variant import control
from cortexrnn.networks.custom_penalty import CustomPenalty, register_penalty
from cortexrnn.networks.specification import Preset
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.tasks import Task, register_task
from beside import cost

FACTOR = 0.5

@dataclass(frozen=True)
class Power(CustomPenalty):
    name = "power"
    power: float = 2.0

    def value(self, weights):
        return FACTOR * cost(weights, self.power).sum((-2, -1))

@dataclass(frozen=True)
class Mine(Task):
    name = "mine"
    title = "Mine"
    channel_names = class_names = ("a", "b")
    steps: int = 3

    @property
    def durations(self):
        return [("cue", self.steps)]

    def draw(self, n_trials, rng):
        targets = rng.integers(2, size=n_trials)
        inputs = self.blank(n_trials)
        inputs[range(n_trials), 0, targets] = 1
        return inputs, targets

def main(out, **where):
    register_task(Mine(4))
    register_penalty(Power(3))
    field = load_field("surrogate_16")
    specs = plans.plan(
        field, variants=[control("W*", penalty="power"), control("W", penalty=Power())],
        tasks=["mine", Mine(5), "go_nogo"], task_settings={},
        preset=Preset(n_seeds=1, epochs=1, n_train=128, n_validation=64),
    )
    path = experiment.run(specs, field, out=out, progress=False, **where)
    assert list(read_runs(path)["identity"]) == [spec.identity for spec in specs]
"""

CALL = """
if __name__ == "__main__":
    main(sys.argv[1], workers=1)
    main(sys.argv[2], workers=2)
    main(sys.argv[3], scheduler=sys.argv[4])
"""

BESIDE = """
def cost(weights, power):
    return weights.abs() ** power
"""


@contextmanager
def foreign_workers(folder, environment):
    """A scheduler whose workers have the package and were started elsewhere."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address]
        worker = subprocess.Popen(
            [*command, "--nthreads", "1", "--no-dashboard"], cwd=folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield cluster.scheduler_address
        finally:
            worker.terminate()
            worker.wait(30)


def whole(folder):
    runs = load_archive(folder).drop(columns=["seconds", "seconds_topology", "finished", "commit"])
    return runs.sort_values("identity", ignore_index=True).astype(str)


@pytest.fixture
def environment(tmp_path):
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return kept | {"PYTHONPATH": str(ROOT), "CORTEXRNN_CACHE": str(tmp_path / "cache")}


def test_what_a_script_defines_runs_the_same_in_any_process(tmp_path, environment):
    script, elsewhere = tmp_path / "script", tmp_path / "elsewhere"
    script.mkdir()
    elsewhere.mkdir()
    (script / "beside.py").write_text(BESIDE)
    (script / "mine.py").write_text(SCRIPT + CALL)
    outs = [str(tmp_path / name) for name in ("one", "two", "cluster")]
    with foreign_workers(elsewhere, environment) as address:
        done = subprocess.run(
            [sys.executable, "mine.py", *outs, address], cwd=script, env=environment,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two, cluster = map(whole, outs)
    assert len(one) == 6
    assert one.equals(two)
    assert one.equals(cluster)
    # Here nobody has the classes: rows can be read, and are nobody else's.
    runs = load_archive(outs[0])
    assert as_published(runs).empty and select(runs, field="surrogate_16").empty
    assert set(runs["variant"]) == {"W* [penalty=power(power=3)]", "W [penalty=power]"}
    penalties = {json.loads(s)["variant"]["penalty"]["code"] for s in runs["specification"]}
    assert len(penalties) == 1
    shown = CliRunner().invoke(app, ["tables", outs[0]])
    assert shown.exit_code == 0, shown.output
    assert "mine" in shown.output


def test_what_a_notebook_defines_runs_in_workers(tmp_path, environment, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    for name in ("PYTHONPATH", "CORTEXRNN_CACHE"):
        monkeypatch.setenv(name, environment[name])
    (tmp_path / "beside.py").write_text(BESIDE)
    call = f"main({str(tmp_path / 'two')!r}, workers=2)\nmain({str(tmp_path / 'one')!r}, workers=1)"
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, (SCRIPT, call))))
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert whole(tmp_path / "one").equals(whole(tmp_path / "two"))
