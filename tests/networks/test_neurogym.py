"""Tasks of NeuroGym: what a trial is, where its randomness comes from, what can be answered."""

from __future__ import annotations

import functools
import json
import pickle
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from typer.testing import CliRunner

from cortexrnn.cli import app
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.figures import tasks as figures
from cortexrnn.networks.ensemble import logits
from cortexrnn.networks.neurogym import (
    GYM_TASKS,
    ContextDecision,
    DelayMatch,
    DelayMatchCategory,
    DualDelayMatch,
    TaskError,
    find_task,
)
from cortexrnn.networks.specification import Preset, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import Variant
from cortexrnn.runs import experiment, plans
from cortexrnn.runs.archive import load_archive, read_runs
from cortexrnn.runs.labels import select

N_TRIALS = 4000
TINY = Preset(n_seeds=1, epochs=1, n_train=128, n_validation=64)
REMEDY = r"pip install -e '.\[tasks\]'"
ALL = pytest.mark.parametrize("name", list(GYM_TASKS))

needs_neurogym = pytest.mark.skipif(
    find_spec("neurogym") is None,
    reason="the extra is not installed: pip install -e '.[tasks]'",
)


@pytest.fixture
def without_neurogym(monkeypatch):
    monkeypatch.setitem(sys.modules, "neurogym", None)  # what makes an import fail


@functools.cache
def draw(name, n_trials=N_TRIALS, seed=0, **changes):
    task = GYM_TASKS[name].with_settings(**changes)
    return task.sample(n_trials, rng=np.random.default_rng(seed))


def during(name, period, inputs):
    """Inputs of one period, shape (n_trials, steps, n_channels)."""
    at = {key: slice(start, stop) for key, start, stop in GYM_TASKS[name].periods}
    return inputs[:, at[period]]


def five_errors(share, n_trials=N_TRIALS):
    return 5 * np.sqrt(share * (1 - share) / n_trials)


def bayes_accuracy(patterns, targets):
    """Accuracy of the best decoder of discrete patterns, fitted to the very sample."""
    counts = Counter(zip((row.tobytes() for row in patterns), targets.tolist(), strict=True))
    best: Counter = Counter()
    for (pattern, _), count in counts.items():
        best[pattern] = max(best[pattern], count)
    return sum(best.values()) / len(targets)


# --- without NeuroGym


def test_the_tasks_of_the_paper_remain_three():
    assert list(TASKS) == ["one_choice", "perceptual", "go_nogo"]
    assert not set(TASKS) & set(GYM_TASKS)


@pytest.mark.parametrize(
    ("name", "n_steps", "n_channels", "n_classes"),
    [
        ("context_decision", 34, 7, 2),
        ("delay_match", 47, 3, 2),
        ("delay_match_category", 56, 9, 2),
        ("delay_comparison", 51, 2, 2),
        ("dual_delay_match", 40, 7, 2),
        ("multisensory", 43, 5, 2),
        ("paired_association", 41, 5, 2),
        ("ring_decision", 32, 9, 8),
    ],
)
def test_sizes(name, n_steps, n_channels, n_classes):
    task = GYM_TASKS[name]
    assert (task.n_steps, task.n_channels, task.n_classes) == (n_steps, n_channels, n_classes)
    assert task.name == name and task.title and 30 <= task.n_steps <= 60
    assert len(set(task.channel_names)) == n_channels


def test_all_tasks_are_found_by_one_door():
    assert {name: find_task(name) for name in [*TASKS, *GYM_TASKS]} == TASKS | GYM_TASKS
    with pytest.raises(ValueError, match=r"unknown task 'chess'; choose one of one_choice.*ring"):
        find_task("chess")


@ALL
def test_settings_are_literals_and_identify_the_task(name):
    task = GYM_TASKS[name]
    stored = json.loads(json.dumps(task.settings))
    assert task.with_settings(**stored) == task and hash(task.with_settings(**stored)) == hash(task)
    longer = task.with_settings(fixation_steps=np.int64(20), dt=40)
    assert longer != task and type(longer.settings["fixation_steps"]) is int
    copy = pickle.loads(pickle.dumps(longer))
    assert copy == longer and copy.channel_names == longer.channel_names


def test_rings_name_their_channels_and_classes():
    task = ContextDecision(dim_ring=4)
    assert task.n_channels == 11 and task.class_names == ("0°", "90°", "180°", "270°")
    assert task.channel_names[5:7] == ("modality 2: 0°", "modality 2: 90°")
    assert DelayMatch(dim_ring=4).class_names == ("match", "non-match")
    assert ContextDecision().n_classes == 2


@ALL
def test_unknown_settings_are_refused_with_the_choices(name):
    with pytest.raises(ValueError, match=f"{name}.*'delay_ms'.*fixation_steps"):
        GYM_TASKS[name].with_settings(delay_ms=500)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("delay_match", {"delay_steps": -1}, "delay_match: delay_steps is -1.*at least 0"),
        ("delay_match", {"sample_steps": 0}, "sample_steps is 0.*at least 1"),
        ("delay_match", {"decision_steps": 0}, "decision_steps is 0.*at least 1"),
        ("delay_match", {"dt": 12.5}, "dt is 12.5"),
        ("delay_match", {"sigma": -1}, "sigma is -1"),
        ("delay_match", {"dim_ring": 1}, "dim_ring is 1.*at least 2"),
        ("delay_match_category", {"dim_ring": 2}, "dim_ring is 2.*at least 3"),
        ("ring_decision", {"cohs": []}, "cohs is empty"),
        ("ring_decision", {"cohs": [101]}, "one of cohs is 101"),
    ],
)
def test_bad_values_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        GYM_TASKS[name].with_settings(**changes)


def test_settings_enter_the_identity_of_a_run():
    spec = RunSpec(
        field="mine", field_hash="0", variant=Variant.parse("W"), task="delay_match", seed=0
    )
    longer = replace(spec, task_settings={"delay_steps": 40})
    assert len({spec.identity, longer.identity, replace(spec, task="multisensory").identity}) == 3


def test_nothing_imports_neurogym_before_a_trial_is_drawn():
    modules = "cortexrnn.cli, cortexrnn.networks.neurogym"
    code = f"import sys, {modules}; sys.exit('neurogym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("without_neurogym")
def test_without_neurogym_tasks_can_be_planned_and_drawing_names_the_remedy():
    specs = plans.plan(surrogate_field(16), tasks=["delay_match"], variants=["W"], preset=TINY)
    assert [spec.task for spec in specs] == ["delay_match"]
    with pytest.raises(TaskError, match=f"'delay_match' is drawn by NeuroGym.*{REMEDY}"):
        find_task("delay_match").sample(1, rng=np.random.default_rng(0))
    assert find_task("go_nogo").sample(1, rng=np.random.default_rng(0))


@pytest.mark.usefixtures("without_neurogym")
def test_the_command_line_names_the_remedy_in_one_line(tmp_path):
    command = ["run", "--field", "surrogate_16", "--tasks", "delay_match", "--preset", "smoke"]
    command += ["--variants", "W", "--workers", "1", "--device", "cpu", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "pip install -e '.[tasks]'" in result.output and "Traceback" not in result.output


def test_runs_on_other_tasks_do_not_stand_beside_the_paper():
    runs = load_archive()
    selected = select(runs, field="6_6_2")
    first = selected.head(3)
    texts = first["specification"].str.replace(
        f'"task": "{first["task"].iloc[0]}"', '"task": "delay_match"'
    )
    assert (texts != first["specification"]).all()
    gym_runs = first.assign(task="delay_match", identity=["a", "b", "c"], specification=texts)
    pd.testing.assert_frame_equal(select(pd.concat([runs, gym_runs]), field="6_6_2"), selected)


def test_a_trial_can_be_shown():
    task = GYM_TASKS["context_decision"]
    axes = figures.trial(task, np.zeros((task.n_steps, task.n_channels)), 1).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(task.channel_names)


# --- what a trial is


@needs_neurogym
@ALL
def test_trials_have_the_promised_form(name):
    task = GYM_TASKS[name]
    inputs, targets = draw(name)
    assert inputs.shape == (N_TRIALS, task.n_steps, task.n_channels)
    assert inputs.dtype == np.float32 and np.isfinite(inputs).all()
    assert targets.shape == (N_TRIALS,) and targets.dtype == np.int64


@needs_neurogym
@ALL
def test_classes_are_balanced_and_no_others_occur(name):
    n_classes = GYM_TASKS[name].n_classes
    share = np.bincount(draw(name)[1], minlength=n_classes) / N_TRIALS
    assert len(share) == n_classes
    assert np.abs(share - 1 / n_classes).max() < five_errors(1 / n_classes)


@needs_neurogym
@ALL
def test_channels_and_classes_are_those_of_the_environment(name):
    task = GYM_TASKS[name]
    environment = task._make()
    assert environment.dt == task.dt
    assert environment.observation_space.shape == (task.n_channels,)
    assert environment.observation_space.name["fixation"] == task.channel_names.index("fixation")
    assert environment.action_space.n == task.first_action + task.n_classes
    actions = environment.action_space.name
    if "match" in actions:
        assert actions["match"] == 1 + task.class_names.index("match")
        assert actions["non-match"] == 1 + task.class_names.index("non-match")
    if "go" in actions:
        assert actions["go"] == task.class_names.index("Go")


@needs_neurogym
@pytest.mark.parametrize(
    "name", [n for n, t in GYM_TASKS.items() if "decision_steps" in t.settings]
)
def test_nothing_but_a_context_is_left_when_the_answer_is_due(name):
    last = during(name, "decision", draw(name)[0])
    cues = [i for i, c in enumerate(GYM_TASKS[name].channel_names) if c.startswith("context")]
    assert last.shape[1] == 1 and not np.delete(last, cues, axis=2).any()
    assert not cues or (last[:, :, cues].sum(axis=2) == 1).all()


@needs_neurogym
@pytest.mark.parametrize(
    ("name", "period"),
    [
        ("context_decision", "stimulus"),
        ("delay_match", "sample"),
        ("delay_match_category", "test"),
        ("delay_comparison", "stimulus2"),
        ("dual_delay_match", "sample"),
        ("multisensory", "stimulus"),
        ("ring_decision", "stimulus"),
    ],
)
def test_noise_is_sigma_over_the_root_of_dt(name, period):
    # Each trial varies about its own mean over the period, in which the stimulus stands still.
    values = during(name, period, draw(name)[0])[:, :, 1:2].astype(float)
    variance = values.var(axis=1, ddof=1).mean()
    n = N_TRIALS * (values.shape[1] - 1)
    assert variance * GYM_TASKS[name].dt == pytest.approx(1, rel=5 * np.sqrt(2 / n))


@needs_neurogym
@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(list(GYM_TASKS)),
    values=st.lists(st.integers(0, 8), min_size=8, max_size=8),
    dt=st.integers(1, 200),
)
def test_any_lengths(name, values, dt):
    names = [name for name, _, _ in GYM_TASKS[name].periods]
    steps = {
        f"{period}_steps": value if "fixation" in period or "delay" in period else 1 + value
        for period, value in zip(names, values, strict=False)
    }
    task = GYM_TASKS[name].with_settings(dt=dt, **steps)
    inputs, targets = task.sample(3, rng=np.random.default_rng(0))
    assert inputs.shape == (3, sum(steps.values()), task.n_channels)
    assert targets.min() >= 0 and targets.max() < task.n_classes


# --- where randomness comes from


@needs_neurogym
@ALL
def test_trials_depend_on_the_generator_alone(name):
    task = GYM_TASKS[name]
    generators = [np.random.default_rng(seed) for seed in (1, 1, 2)]
    first, again, other = (task.sample(50, rng=rng) for rng in generators)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert generators[0].bit_generator.state == generators[1].bit_generator.state
    assert not np.array_equal(first[0], task.sample(50, rng=generators[0])[0])


@needs_neurogym
@ALL
def test_global_randomness_is_neither_used_nor_changed(name, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("global randomness")

    for module in (np.random, random):
        for used in ("rand", "randn", "randint", "random", "choice", "uniform", "normal", "seed"):
            if hasattr(module, used):
                monkeypatch.setattr(module, used, refuse)
    before = _global_states()
    GYM_TASKS[name].sample(50, rng=np.random.default_rng(0))
    assert _global_states() == before


def _global_states():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - what tasks must leave alone
    return kind, keys.tolist(), rest, random.getstate(), torch.get_rng_state().tolist()


@needs_neurogym
def test_the_first_import_warns_of_nothing_and_changes_no_global_state(tmp_path):
    code = """
import random, numpy as np
from cortexrnn.networks.neurogym import find_task
states = lambda: (np.random.get_state()[1].tolist(), np.random.get_state()[2], random.getstate())
before = states()
find_task("delay_match").sample(2, rng=np.random.default_rng(0))
assert states() == before
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


@needs_neurogym
def test_every_kind_of_generator_will_do():
    drawn = [
        GYM_TASKS["multisensory"].sample(20, rng=np.random.Generator(kind(0)))[0]
        for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)
    ]
    assert len({inputs.tobytes() for inputs in drawn}) == 4


# --- what can be answered


@needs_neurogym
@pytest.mark.parametrize(
    ("name", "period", "ceiling"),
    [
        ("delay_match", "test", 0.5),
        ("delay_comparison", "stimulus2", 0.7),
        ("dual_delay_match", "test2", 0.5),
        ("paired_association", "stim2", 0.5),
    ],
)
def test_reader_of_the_last_stimulus(name, period, ceiling):
    quiet = {"sigma": 0} if "sigma" in GYM_TASKS[name].settings else {}
    inputs, targets = draw(name, **quiet)
    accuracy = bayes_accuracy(during(name, period, inputs), targets)
    print(f"{name}: {accuracy:.3f} from {period}, expected {ceiling}")
    # The decoder is fitted to the sample, which lifts it a little.
    assert abs(accuracy - ceiling) < 0.01 + five_errors(ceiling)
    assert bayes_accuracy(inputs, targets) == 1.0


def directions(stimulus):
    """Angle of a stimulus seen by a ring, from 0 to 2 pi, shape (n_trials,)."""
    preferred = 2 * np.pi * np.arange(stimulus.shape[-1]) / stimulus.shape[-1]
    x, y = (stimulus.mean(axis=1) @ f(preferred) for f in (np.cos, np.sin))
    return np.arctan2(y, x) % (2 * np.pi)


@needs_neurogym
def test_category_needs_sample_and_test():
    inputs, targets = draw("delay_match_category", sigma=0)
    sample, test = (
        directions(during("delay_match_category", period, inputs)[:, :, 1:])
        for period in ("sample", "test")
    )
    assert np.array_equal((sample < np.pi) != (test < np.pi), targets == 1)
    for part in range(8):
        answers = targets[(test // (np.pi / 4)) == part]
        assert abs(answers.mean() - 0.5) < five_errors(0.5, len(answers))


@needs_neurogym
def test_category_cannot_be_told_from_a_ring_of_two():
    class Mirrored(DelayMatchCategory):
        smallest_ring = 2

    inputs, targets = Mirrored(dim_ring=2, sigma=0).sample(2000, rng=np.random.default_rng(0))
    sample, test = inputs[:, 10, 1], inputs[:, -1, 1]
    low, high = sample < np.median(sample), test < np.median(test)
    for cell in (low & high, low & ~high, ~low & high, ~low & ~high):
        assert abs(targets[cell].mean() - 0.5) < five_errors(0.5, cell.sum())


@needs_neurogym
def test_context_decision_ceilings():
    inputs, targets = draw("context_decision")
    stimulus = during("context_decision", "stimulus", inputs)
    evidence = stimulus[:, :, [1, 3]] - stimulus[:, :, [2, 4]]  # by modality
    context = inputs[:, 0, 5:].argmax(axis=1)
    counts = evidence[np.arange(N_TRIALS), :, context]
    accuracies = {
        "ideal": np.mean((counts.sum(axis=1) < 0) == targets),
        "last step": np.mean((counts[:, -1] < 0) == targets),
        "without context": np.mean((evidence.sum(axis=(1, 2)) < 0) == targets),
    }
    print(accuracies)
    signal = np.array([0.05, 0.15, 0.5]) * np.sqrt(50 / 2)  # over the noise of a step
    expected = {
        "ideal": norm.cdf(np.sqrt(15) * signal).mean(),
        "last step": norm.cdf(signal).mean(),
        "without context": 0.75,
    }
    for key, value in {"ideal": 0.94, "last step": 0.79, "without context": 0.75}.items():
        assert expected[key] == pytest.approx(value, abs=0.005)
        assert abs(accuracies[key] - expected[key]) < 0.005 + five_errors(expected[key])


@needs_neurogym
def test_multisensory_ceilings():
    inputs, targets = draw("multisensory")
    stimulus = during("multisensory", "stimulus", inputs)
    evidence = stimulus[:, :, [1, 3]] - stimulus[:, :, [2, 4]]
    readers = {
        0.91: evidence.sum(axis=(1, 2)),
        0.84: evidence[:, :, 0].sum(axis=1),
        0.70: evidence[:, -1].sum(axis=1),
    }
    for share, reader in readers.items():
        assert abs(np.mean((reader < 0) == targets) - share) < 0.005 + five_errors(share)


@needs_neurogym
def test_ring_decision_ceilings():
    inputs, targets = draw("ring_decision")
    stimulus = during("ring_decision", "stimulus", inputs)[:, :, 1:]
    for share, seen in {0.76: stimulus, 0.48: stimulus[:, -1:]}.items():
        nearest = np.round(directions(seen) / (np.pi / 4)) % 8
        assert abs(np.mean(nearest == targets) - share) < 0.005 + five_errors(share)


@needs_neurogym
@pytest.mark.parametrize(
    ("name", "channels"), [("delay_match", (1, 2, 1, 2)), ("paired_association", (1, 2, 3, 4))]
)
def test_two_units_without_connections_between_them_can_match(name, channels):
    # Either unit adds up one pair of stimuli; whatever else comes silences it.
    first, other_first, second, other_second = channels
    weights = np.full((GYM_TASKS[name].n_channels, 2), 0.0)
    weights[[first, second], 0] = weights[[other_first, other_second], 1] = 1
    weights[[other_first, other_second], 0] = weights[[first, second], 1] = -1
    matches = GYM_TASKS[name].class_names.index("match" if name == "delay_match" else "Go")
    read_out = np.zeros((2, 2))
    read_out[:, matches] = 1
    threshold = np.zeros(2)
    threshold[matches] = -15  # between one stimulus of ten steps and two
    parameters = {
        "input": weights, "recurrent": np.eye(2), "bias": np.zeros(2),
        "output": read_out, "output_bias": threshold,
    }  # fmt: skip
    inputs, targets = draw(name)
    answers = logits(
        {key: torch.from_numpy(value).float()[None] for key, value in parameters.items()},
        torch.from_numpy(inputs).transpose(0, 1),
    )[0].argmax(dim=1)
    assert (answers.numpy() == targets).mean() > 0.99


# --- environments that are not as a task says


@needs_neurogym
@pytest.mark.parametrize(
    ("kind", "environment"),
    [(ContextDecision, "ContextDecisionMaking-v0"), (DelayMatch, "DelayMatchSample-v0")],
)
def test_trials_of_another_length_are_refused(kind, environment):
    class Unset(kind):  # the delay is left to the environment, which the first of the two draws
        renamed = {"delay": "pause"}  # noqa: RUF012

    with pytest.raises(TaskError, match=rf"{environment} drew a trial.*'delay' is.*delay_steps"):
        Unset(delay_steps=19).sample(5, rng=np.random.default_rng(0))


@needs_neurogym
def test_periods_in_another_order_are_refused():
    class Swapped(DelayMatch):
        renamed = {"sample": "test", "test": "sample"}  # noqa: RUF012

    with pytest.raises(TaskError, match=r"'\w+' is at steps \(\d+, \d+\), not \(\d+, \d+\)"):
        Swapped(sample_steps=3).sample(1, rng=np.random.default_rng(0))


@needs_neurogym
def test_channels_that_are_not_named_are_refused():
    class Nameless(DualDelayMatch):
        channel_names = ("fixation",)

    with pytest.raises(TaskError, match=r"DualDelayMatchSample-v0.*shape \(7,\).*1 channels"):
        Nameless().sample(1, rng=np.random.default_rng(0))


@needs_neurogym
def test_answers_that_are_no_class_are_refused():
    class Fixating(DualDelayMatch):
        first_action = 2

    with pytest.raises(TaskError, match=r"has right action 1 in the last step.*actions 2 to 3"):
        Fixating().sample(20, rng=np.random.default_rng(0))


# --- runs


@needs_neurogym
def test_a_run_is_trained_and_names_neurogym(tmp_path):
    field = surrogate_field(16)
    specs = plans.plan(
        field, tasks=["paired_association", "go_nogo"], variants=["W"], preset=TINY,
        task_settings={"decision_steps": 2},
    )  # fmt: skip
    path = experiment.run(specs, field, out=tmp_path, workers=1, device="cpu", progress=False)
    runs = read_runs(path).set_index("task")
    assert np.isfinite(runs["validation_loss"]).all()
    assert "neurogym 2." in runs.loc["paired_association", "versions"]
    assert "neurogym" not in runs.loc["go_nogo", "versions"]
