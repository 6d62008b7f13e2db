"""The three tasks: every period of a trial, the odds, and what can be answered at best."""

import json
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cortexrnn.networks.tasks import PROBLEMS, TASKS, GoNoGo, OneChoice, Perceptual

N_TRIALS = 20_000
ALL = pytest.mark.parametrize("name", list(TASKS))

# Typed again from the paper's list, so that a slip in the package shows here.
LETTERS = {"l": 0, "u": 1, "r": 2, "d": 3}
PAPER_PROBLEMS = {
    (goal, frozenset(LETTERS[letter] for letter in offer), LETTERS[answer])
    for goal, offer, answer in [
        (1, "ul", "u"), (1, "rd", "r"), (3, "ld", "d"), (2, "rd", "d"),
        (2, "ul", "l"), (0, "ur", "u"), (3, "lr", "r"), (0, "lr", "l"),
    ]
}  # fmt: skip


def draw(name, n_trials=N_TRIALS, seed=0, **changes):
    return TASKS[name].with_settings(**changes).sample(n_trials, rng=np.random.default_rng(seed))


def five_errors(share, n_trials=N_TRIALS):
    """Five standard errors of an observed share."""
    return 5 * np.sqrt(share * (1 - share) / n_trials)


def bayes_accuracy(patterns, targets):
    """Accuracy of the best decoder of discrete patterns, fitted to the very sample."""
    counts = Counter(zip(map(bytes, patterns), targets.tolist(), strict=True))
    best: Counter = Counter()
    for (pattern, _), count in counts.items():
        best[pattern] = max(best[pattern], count)
    return sum(best.values()) / len(targets)


@pytest.mark.parametrize(
    ("name", "n_steps", "n_channels", "n_classes"),
    [("one_choice", 50, 8, 4), ("perceptual", 41, 3, 2), ("go_nogo", 40, 3, 2)],
)
def test_published_sizes(name, n_steps, n_channels, n_classes):
    task = TASKS[name]
    inputs, targets = draw(name, 7)
    assert (task.n_steps, task.n_channels, task.n_classes) == (n_steps, n_channels, n_classes)
    assert inputs.shape == (7, n_steps, n_channels) and inputs.dtype == np.float32
    assert targets.shape == (7,) and targets.dtype == np.int64


def test_order_and_titles():
    assert list(TASKS) == ["one_choice", "perceptual", "go_nogo"]
    assert all(TASKS[name].name == name and TASKS[name].title for name in TASKS)


@ALL
def test_classes_are_balanced(name):
    _, targets = draw(name)
    share = np.bincount(targets, minlength=TASKS[name].n_classes) / N_TRIALS
    expected = 1 / TASKS[name].n_classes
    assert len(share) == TASKS[name].n_classes
    assert np.abs(share - expected).max() < five_errors(expected)


def test_one_choice_periods():
    inputs, targets = draw("one_choice", 500)
    goal, delay, choice = inputs[:, :20], inputs[:, 20:30], inputs[:, 30:]
    assert not delay.any()
    assert (goal == goal[:, :1]).all() and (choice == choice[:, :1]).all()
    assert not goal[:, :, 4:].any() and not choice[:, :, :4].any()
    assert set(np.unique(inputs)) == {0.0, 1.0}
    assert (goal[:, 0].sum(axis=1) == 1).all() and (choice[:, 0].sum(axis=1) == 2).all()
    assert (choice[np.arange(500), 0, 4 + targets] == 1).all()


def test_one_choice_draws_the_eight_problems_equally():
    inputs, targets = draw("one_choice")
    goals = inputs[:, 0, :4].argmax(axis=1)
    offers = [frozenset(np.flatnonzero(row).tolist()) for row in inputs[:, -1, 4:]]
    counts = Counter(zip(goals.tolist(), offers, targets.tolist(), strict=True))
    assert set(counts) == PAPER_PROBLEMS
    assert {(g, frozenset(o), a) for g, o, a in PROBLEMS} == PAPER_PROBLEMS
    share = np.array(list(counts.values())) / N_TRIALS
    assert np.abs(share - 1 / 8).max() < five_errors(1 / 8)


def test_one_choice_needs_memory_above_five_eighths():
    inputs, targets = draw("one_choice")
    memoryless = bayes_accuracy(inputs[:, 30:], targets)
    print(f"memoryless {memoryless:.4f}, expected 0.625 within {five_errors(0.625):.4f}")
    assert abs(memoryless - 0.625) < five_errors(0.625)
    assert bayes_accuracy(inputs[:, :20], targets) == pytest.approx(0.5, abs=five_errors(0.5))
    assert bayes_accuracy(inputs, targets) == 1.0


def test_perceptual_periods():
    inputs, _ = draw("perceptual", 2000)
    assert (inputs[:, :, 0] == 1).all()
    assert not inputs[:, 0, 1:].any() and not inputs[:, 31:, 1:].any()
    assert (inputs[:, 1:31, 1:] != 0).all()


def test_perceptual_signal_without_noise():
    inputs, targets = draw("perceptual", noise_sd=0)
    stimulus = inputs[:, 1:31, 1:]
    assert (stimulus == stimulus[:, :1]).all()
    np.testing.assert_allclose(stimulus.sum(axis=2), 1, atol=1e-6)
    toward = 2 * (stimulus[np.arange(N_TRIALS), 0, targets] - 0.5)
    levels, counts = np.unique(np.round(100 * toward, 3), return_counts=True)
    np.testing.assert_allclose(levels, [0, 6.4, 12.8, 25.6, 51.2], atol=1e-3)
    assert np.abs(counts / N_TRIALS - 0.2).max() < five_errors(0.2)
    # Each coherence comes with either angle as often.
    for level in levels:
        share = targets[np.isclose(100 * toward, level, atol=1e-2)].mean()
        assert abs(share - 0.5) < five_errors(0.5, N_TRIALS // 6)


def test_perceptual_noise_is_white():
    inputs, _ = draw("perceptual", coherences=[0])
    noise = (inputs[:, 1:31, 1:] - 0.5).reshape(N_TRIALS, -1)
    assert abs(noise.mean()) < 5 * 0.1 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(0.1, rel=5 / np.sqrt(2 * noise.size))
    correlation = np.corrcoef(noise, rowvar=False) - np.eye(60)
    assert np.abs(correlation).max() < 6 / np.sqrt(N_TRIALS)


def test_perceptual_trials_are_drawn_in_the_order_that_recorded_runs_had():
    # Angles, then coherences, then the noise of all trials: another order is another data seed.
    inputs, targets = draw("perceptual", 30, seed=6)
    rng = np.random.default_rng(6)
    angles = rng.integers(2, size=30)
    coherences = [(0, 6.4, 12.8, 25.6, 51.2)[k] for k in rng.integers(5, size=30)]
    noise = rng.normal(0, 0.1, size=(30, 30, 2))
    assert targets.tolist() == angles.tolist()
    for trial in range(30):
        sign = 1 if angles[trial] == 0 else -1
        for channel, toward in ((0, sign), (1, -sign)):
            shown = inputs[trial, 1:31, 1 + channel]
            expected = 0.5 + toward * coherences[trial] / 200 + noise[trial, :, channel]
            np.testing.assert_allclose(shown, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["one_choice", "go_nogo"])
def test_targets_are_the_first_draw_of_the_generator(name):
    _, targets = draw(name, 200, seed=6)
    first = np.random.default_rng(6)
    if name == "one_choice":
        expected = [PROBLEMS[k][2] for k in first.integers(8, size=200)]
    else:
        expected = first.integers(2, size=200).tolist()
    assert targets.tolist() == expected


@pytest.mark.parametrize(
    "task",
    [
        OneChoice(goal_steps=1, delay_steps=0, choice_steps=1),
        Perceptual(fixation_steps=0, stimulus_steps=1, delay_steps=0),
        GoNoGo(fixation_steps=0, cue_steps=1, delay_steps=0, decision_steps=0),
    ],
    ids=lambda task: task.name,
)
def test_the_shortest_trials_that_there_are(task):
    inputs, targets = task.sample(1, rng=np.random.default_rng(0))
    assert inputs.shape == (1, task.n_steps, task.n_channels)
    assert targets.shape == (1,)
    for name, least in task.settings.items():
        if name.endswith("_steps"):
            with pytest.raises(ValueError, match=f"{name} is -?\\d, expected .* at least {least}"):
                task.with_settings(**{name: least - 1})


@pytest.mark.parametrize("coherences", [[0], [100], [0, 100.0], (12,), np.array([3.0, 4.0])])
def test_percentages_from_nothing_to_all_are_admitted(coherences):
    task = Perceptual(coherences=coherences, noise_sd=0)
    assert task.coherences == tuple(float(value) for value in coherences)
    assert all(type(value) is float for value in task.coherences)
    assert type(task.noise_sd) is float


@pytest.mark.parametrize("value", [True, "0.1", None, 10**400, -0.001])
def test_what_is_no_number_of_at_least_zero_is_refused(value):
    with pytest.raises(ValueError, match=r"noise_sd is .* expected a finite number of at least 0"):
        Perceptual(noise_sd=value)
    with pytest.raises(ValueError, match="at least 0 and at most 100"):
        Perceptual(coherences=[value])


@pytest.mark.parametrize("value", [np.True_, True, 2.0, "2"])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match="expected an integer of at least 1"):
        TASKS["go_nogo"].sample(value, rng=np.random.default_rng(0))


def test_perceptual_ceiling_of_an_ideal_observer():
    inputs, targets = draw("perceptual")
    evidence = inputs[:, 1:31, 1:].sum(axis=1)
    accuracy = np.mean((evidence[:, 1] > evidence[:, 0]) == targets)
    coherence = np.array([0, 6.4, 12.8, 25.6, 51.2])
    ceiling = norm.cdf(np.sqrt(30) * coherence / 100 / (0.1 * np.sqrt(2))).mean()
    print(f"ideal observer {accuracy:.4f}, expected {ceiling:.4f}")
    assert ceiling == pytest.approx(0.8987, abs=1e-4)
    assert abs(accuracy - ceiling) < five_errors(ceiling)


def test_go_nogo_trials_exactly():
    expected = np.zeros((2, 40, 3), dtype=np.float32)
    expected[:, 0:5, 0] = 1
    expected[0, 5:25, 1] = 1  # NoGo
    expected[1, 5:25, 2] = 1  # Go
    expected[:, 25:35, 0] = 1
    inputs, targets = draw("go_nogo", 200)
    assert np.array_equal(inputs, expected[targets])
    assert set(targets) == {0, 1} and TASKS["go_nogo"].class_names == ("NoGo", "Go")


@ALL
def test_sampling_depends_on_the_generator_alone(name):
    first, again, other = (draw(name, 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    rng = np.random.default_rng(1)
    TASKS[name].sample(50, rng=rng)
    assert not np.array_equal(first[0], TASKS[name].sample(50, rng=rng)[0])


@ALL
def test_settings_are_literals_and_identify_the_task(name):
    task = TASKS[name]
    stored = json.loads(json.dumps(task.settings))
    assert task.with_settings(**stored) == task and task.with_settings() == task
    assert hash(task.with_settings(**stored)) == hash(task)
    task.settings["delay_steps"] = 99
    assert TASKS[name].settings["delay_steps"] == 10
    longer = task.with_settings(delay_steps=np.int64(11))
    assert longer != task and longer.n_steps == task.n_steps + 1
    assert type(longer.settings["delay_steps"]) is int
    assert pickle.loads(pickle.dumps(longer)) == longer


def test_equal_settings_of_two_kinds_are_two_tasks():
    assert len(set(TASKS.values())) == 3


@ALL
@pytest.mark.parametrize("changes", [{"delay": 3}, {"n_steps": 3}, {"name": "x"}])
def test_unknown_settings_are_refused_with_the_choices(name, changes):
    with pytest.raises(ValueError, match=f"{name}.*{next(iter(changes))}.*delay_steps"):
        TASKS[name].with_settings(**changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("one_choice", {"goal_steps": 0}, "goal_steps is 0.*at least 1"),
        ("one_choice", {"delay_steps": -1}, "delay_steps is -1.*at least 0"),
        ("one_choice", {"choice_steps": 2.5}, "choice_steps is 2.5"),
        ("go_nogo", {"cue_steps": True}, "cue_steps is True"),
        ("go_nogo", {"cue_steps": "20"}, "cue_steps is '20'"),
        ("perceptual", {"stimulus_steps": 0}, "stimulus_steps is 0"),
        ("perceptual", {"noise_sd": -0.1}, "noise_sd is -0.1"),
        ("perceptual", {"noise_sd": float("nan")}, "noise_sd is nan"),
        ("perceptual", {"coherences": []}, "coherences is empty"),
        ("perceptual", {"coherences": 12.8}, "coherences is 12.8"),
        ("perceptual", {"coherences": [0, 101]}, "one of coherences is 101.*at most 100"),
        ("perceptual", {"coherences": [None]}, "one of coherences is None"),
    ],
)
def test_bad_values_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        TASKS[name].with_settings(**changes)


@pytest.mark.parametrize("n_trials", [0, -3, 1.5, "8", True])
def test_bad_numbers_of_trials_are_refused(n_trials):
    with pytest.raises(ValueError, match="n_trials is"):
        TASKS["go_nogo"].sample(n_trials, rng=np.random.default_rng(0))


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match="default_rng"):
        TASKS["go_nogo"].sample(3, rng=0)


def test_tasks_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        TASKS["go_nogo"].delay_steps = 3


lengths = st.integers(1, 12)


@settings(max_examples=40, deadline=None)
@given(first=lengths, delay=st.integers(0, 12), last=lengths, seed=st.integers(0, 2**32))
def test_any_lengths(first, delay, last, seed):
    tasks = [
        OneChoice(goal_steps=first, delay_steps=delay, choice_steps=last),
        Perceptual(fixation_steps=first, stimulus_steps=last, delay_steps=delay),
        GoNoGo(fixation_steps=first, cue_steps=last, delay_steps=delay, decision_steps=first),
    ]
    for task in tasks:
        inputs, targets = task.sample(6, rng=np.random.default_rng(seed))
        starts = [start for _, start, _ in task.periods]
        stops = [stop for _, _, stop in task.periods]
        assert starts == [0, *stops[:-1]] and stops[-1] == task.n_steps
        assert task.n_steps == sum(v for k, v in task.settings.items() if k.endswith("_steps"))
        assert inputs.shape == (6, task.n_steps, task.n_channels)
        assert targets.min() >= 0 and targets.max() < task.n_classes
        at = {name: slice(start, stop) for name, start, stop in task.periods}
        if task.name == "one_choice":
            assert not inputs[:, at["delay"]].any() and inputs[:, at["goal"]].sum() == 6 * first
        elif task.name == "perceptual":
            assert (inputs[:, :, 0] == 1).all() and not inputs[:, at["delay"], 1:].any()
        else:
            assert not inputs[:, at["decision"]].any() and inputs[:, :, 1:].sum() == 6 * last
