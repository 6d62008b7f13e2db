"""The leaky unit: its formula against trials that it filters."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cortexrnn.evidence.leaky_units import (
    CONTESTED,
    INPUT_NOISE,
    contrast,
    leaky_accuracy,
    learned,
    level_without_memory,
    levels_without_memory,
    memory_measures,
    needed_self_connection,
    self_connections,
    time_constant,
)
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import PROBLEMS, TASKS, Task
from cortexrnn.runs.trained_weights import kept_weights

DECIDING = {"perceptual": (1, 2), "go_nogo": (1, 2)}


def filtered(task, weight, *, n_trials, seed=0):
    """Share of trials that two leaky units answer, the larger last state deciding."""
    rng = np.random.default_rng(seed)
    inputs, targets = task.sample(n_trials, rng=rng)
    inputs = inputs + INPUT_NOISE * rng.normal(size=inputs.shape)
    state = np.zeros((n_trials, task.n_channels))
    for step in range(task.n_steps):
        state = weight * state + inputs[:, step]
    if task.name == "one_choice":
        return _one_choice(state, inputs, targets, weight)
    first, second = DECIDING[task.name]
    return (np.where(state[:, second] > state[:, first], 1, 0) == targets).mean()


def _one_choice(state, inputs, targets, weight):
    """Answer every offer by the remembered goal among those with which it occurs."""
    right = []
    offers = [tuple(np.flatnonzero(row[-5:].mean(0) > 0.5) - 4) for row in inputs]
    for goals, offer, target in zip(state[:, :4], offers, targets, strict=True):
        known = [(g, a) for g, o, a in PROBLEMS if tuple(sorted(o)) == offer]
        right.append(max(known, key=lambda pair: goals[pair[0]])[1] == target)
    return np.mean(right)


@pytest.mark.parametrize("name", list(TASKS))
@pytest.mark.parametrize("weight", [0.5, 0.75, 0.8, 0.85, 0.9, 0.95])
def test_the_formula_is_what_filtering_trials_gives(name, weight):
    n_trials = 4000
    expected = leaky_accuracy(TASKS[name], [weight])[0]
    simulated = filtered(TASKS[name], weight, n_trials=n_trials)
    error = max(np.sqrt(expected * (1 - expected) / n_trials), 1e-3)
    assert abs(simulated - expected) < 4 * error


def test_without_memory_accuracy_is_chance_and_with_it_the_ceiling():
    for name, chance, ceiling in (
        ("one_choice", 0.625, 1.0),
        ("perceptual", 0.5, 0.9),
        ("go_nogo", 0.5, 1.0),
    ):
        low, high = leaky_accuracy(TASKS[name], [0.2, 0.97])
        assert low == pytest.approx(chance, abs=0.01)
        assert high == pytest.approx(ceiling, abs=0.02)


def test_the_levels_without_memory_are_those_of_the_last_input():
    assert levels_without_memory() == {"one_choice": 5 / 8, "perceptual": 1 / 2, "go_nogo": 1 / 2}
    longer = TASKS["go_nogo"].with_settings(delay_steps=40)
    assert level_without_memory(longer) == 1 / 2
    assert learned("one_choice", [0.72, 0.73]).tolist() == [False, True]


def test_the_share_of_contested_problems_is_that_of_the_task():
    offers = [tuple(sorted(offer)) for _, offer, _ in PROBLEMS]
    answers = {offer: {a for (_, _, a), o in zip(PROBLEMS, offers, strict=True) if o == offer}
               for offer in offers}  # fmt: skip
    assert np.mean([len(answers[offer]) > 1 for offer in offers]) == CONTESTED


def test_a_longer_delay_asks_for_a_larger_self_connection():
    task = TASKS["go_nogo"]
    delays = [task.with_settings(delay_steps=steps) for steps in (5, 10, 40)]
    needed = [needed_self_connection(one) for one in delays]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1] < 1
    np.testing.assert_allclose(leaky_accuracy(task, needed[1:2]), 0.75)
    with pytest.raises(ValueError, match="share is 1"):
        needed_self_connection(task, share=1)


def test_whole_numbers_are_weights_like_others():
    # In whole numbers 3^49 would not fit.
    for task in TASKS.values():
        np.testing.assert_array_equal(
            leaky_accuracy(task, [0, 1, 3]), leaky_accuracy(task, [0.0, 1.0, 3.0])
        )


@pytest.mark.parametrize("name", list(TASKS))
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_needed_self_connection_goes_that_share_of_the_way(name, share):
    needed = needed_self_connection(TASKS[name], share=share)
    low, at_needed, high = leaky_accuracy(TASKS[name], [0.0, needed, 1.0])
    assert 0 < needed < 1
    assert (at_needed - low) / (high - low) == pytest.approx(share)


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share is"):
        needed_self_connection(TASKS["go_nogo"], share=share)


def test_evidence_step_by_step():
    signal, noise = contrast(TASKS["one_choice"], input_noise=0.2)
    assert signal.tolist() == [[1.0] * 20 + [0.0] * 30]
    np.testing.assert_allclose(noise, 0.2 * np.sqrt(2))
    signal, noise = contrast(TASKS["go_nogo"])
    assert signal.tolist() == [[0.0] * 5 + [1.0] * 20 + [0.0] * 15]
    np.testing.assert_allclose(noise, 0.05 * np.sqrt(2))
    signal, noise = contrast(TASKS["perceptual"].with_settings(noise_sd=0.3))
    # The two channels differ by twice coherence / 200 in the stimulus, steps 1 to 30.
    shown = np.array([0.0] + [1.0] * 30 + [0.0] * 10)
    np.testing.assert_allclose(signal, np.outer([0, 0.064, 0.128, 0.256, 0.512], shown))
    np.testing.assert_allclose(noise, np.sqrt(2 * (0.05**2 + 0.3**2 * shown)))


def test_accuracy_by_hand():
    # One step of evidence, one of silence: the separation is w s / sqrt((1 + w^2) v).
    task = TASKS["go_nogo"].with_settings(
        fixation_steps=0, cue_steps=1, delay_steps=1, decision_steps=0
    )
    w, noise = 0.6, 0.5
    expected = norm.cdf(w / np.sqrt((1 + w**2) * 2 * noise**2))
    assert leaky_accuracy(task, [w], input_noise=noise)[0] == pytest.approx(expected)
    task = TASKS["one_choice"].with_settings(goal_steps=1, delay_steps=0, choice_steps=1)
    assert leaky_accuracy(task, [w], input_noise=noise)[0] == pytest.approx(
        1 / 4 + 3 / 4 * expected
    )


def test_time_constants():
    constants = time_constant([-0.5, 0.0, np.exp(-1), np.exp(-0.1), 1.0, 1.2])
    np.testing.assert_allclose(constants, [0, 0, 1, 10, np.inf, np.inf])


def test_another_task_is_refused():
    class Other(Task):
        name, title = "other", "Other"
        channel_names, class_names = ("one",), ("yes", "no")
        durations = (("only", 3),)

        def draw(self, n_trials, rng):
            raise NotImplementedError

    with pytest.raises(ValueError, match="'other' is not one of the paper's three"):
        contrast(Other())


def test_memories_are_read_off_the_kept_matrices():
    kept = kept_weights("6_6_2")
    table = memory_measures(kept)
    assert len(table) == len(kept)
    names = ["task", "variant", "start", "accuracy", "largest_self", "radius_others", "solved"]
    assert list(table.columns) == names
    for name in ("task", "variant"):
        assert table[name].tolist() == [getattr(run, name) for run in kept]
    assert table["accuracy"].tolist() == [run.metrics["accuracy"] for run in kept]
    row = table.iloc[0]
    weights = kept[0].matrix.dense()
    assert row["largest_self"] == max(weights[i, i] for i in range(len(weights)))
    np.fill_diagonal(weights, 0)
    assert row["radius_others"] == pytest.approx(abs(np.linalg.eigvals(weights)).max())
    by_variant = table.set_index(["variant", "task"])
    assert by_variant.loc[("W*D*C*", "go_nogo"), "solved"]
    assert not by_variant.loc[("W", "one_choice"), "solved"]
    assert set(table["start"]) == {"orthogonal", "functional", "permuted"}


def test_learned_is_told_by_what_can_be_answered_without_memory():
    assert learned("one_choice", [0.7, 0.726, 1.0, np.nan]).tolist() == [
        False, True, True, False,
    ]  # fmt: skip
    assert learned("go_nogo", 0.61)
    assert not learned("perceptual", 0.59)
    with pytest.raises(ValueError, match="delay_match"):
        learned("delay_match", 0.9)


def test_self_connections_take_the_radius_that_others_leave():
    field = load_field("surrogate")
    starts = pd.concat(
        self_connections(field, relation=relation, seeds=(0, 1))
        for relation in ("correlation", "sttc")
    ).set_index(["relation", "seed"])
    # Nonnegative weights: the radius is at least the largest self-connection (Perron, Frobenius).
    assert (starts["largest_self"] <= 0.95 + 1e-9).all()
    assert (starts["mean_self"] < starts["largest_self"]).all()
    tiled, alone = starts.loc["correlation"], starts.loc["sttc"]
    assert (tiled["largest_self"] > alone["largest_self"]).all()
    assert (tiled["others"] < alone["others"]).all()


def test_self_connections_are_those_of_the_start():
    field = load_field("surrogate")
    spec = RunSpec(
        field=field.name, field_hash=field.hash_without_events, variant="W*D*C",
        task="one_choice", seed=3, relation="sttc",
    )  # fmt: skip
    weights = initial_weights(spec, field)
    (row,) = self_connections(field, relation="sttc", seeds=[3]).to_dict("records")
    assert row["largest_self"] == weights.diagonal().max()
    off_diagonal = weights[~np.eye(len(weights), dtype=bool)]
    assert row["others"] == pytest.approx(off_diagonal.sum() / len(weights))


def test_a_relation_that_the_field_lacks_is_refused():
    with pytest.raises(FieldError, match="response"):
        self_connections(load_field("surrogate"), relation="response")
