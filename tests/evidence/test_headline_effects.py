"""Headline effects by task, by draw of trials, and the history of verdicts."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import headline_effects, predictions, verdict_history, votes
from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.predictions import PREDICTIONS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import CONDITIONS
from cortexrnn.runs.labels import labelled
from tests.evidence.test_predictions import HASH, runs

PAIR = {"W*, under D* and C": ("W*D*C", "WD*C")}
REVERSED = {"one_choice": 0.34, "perceptual": -0.06, "go_nogo": 0.1}


def reversing(field="f"):
    """Runs of a pair whose difference reverses from task to task."""
    luck = np.random.default_rng(0).normal(scale=0.05, size=20)
    one, two = (CONDITIONS[name] for name in PAIR["W*, under D* and C"])
    noise = np.random.default_rng(1).normal(scale=0.02, size=20)
    high = {task: 0.6 + luck + noise + shift for task, shift in REVERSED.items()}
    return pd.concat(
        [
            runs(one, high, field=field),
            runs(two, {task: 0.6 + luck for task in TASKS}, field=field).sample(
                frac=1, random_state=0
            ),
        ]
    )


def test_effects_stand_task_by_task_beside_their_mean():
    table = headline_effects.by_task(
        reversing(), fields=["f", "g"], effects=PAIR, rng=np.random.default_rng(0)
    )
    assert table["task"].tolist() == ["mean", *TASKS]
    assert set(table["field"]) == {"f"} and set(table["seeds"]) == {20}
    noise = np.random.default_rng(1).normal(scale=0.02, size=20)
    expected = {"mean": np.mean(list(REVERSED.values())), **REVERSED}
    for task, difference, low, high in table.drop(columns=["effect", "field", "seeds"]).values:
        mean, single_low, single_high = t_interval(noise + expected[task])
        assert difference == pytest.approx(mean)
        # All four contrasts are the same noise, so that together they are no wider than one.
        assert (low, high) == pytest.approx((single_low, single_high), abs=1e-3)
    words = headline_effects.in_words(table, *PAIR, "f")
    shift = noise.mean()
    assert words == (
        f"{0.34 + shift:+.2f} in One-choice inference, {-0.06 + shift:+.2f} in Perceptual "
        f"decision, {0.1 + shift:+.2f} in Go/NoGo (mean {expected['mean'] + shift:+.2f})"
    )
    assert headline_effects.in_words(table, *PAIR, "g") == "not run yet"


def test_intervals_of_many_effects_are_wider_than_one():
    rng = np.random.default_rng(2)
    made = [
        runs(CONDITIONS[name], {task: rng.normal(0.7, 0.1, 20) for task in TASKS})
        for name in ("W*D*", "WD*", "W*D*C*", "WD*C*")
    ]
    effects = {
        name: headline_effects.FUNCTION[name] for name in list(headline_effects.FUNCTION)[:2]
    }
    table = headline_effects.by_task(
        pd.concat(made), fields=["f"], effects=effects, rng=np.random.default_rng(0)
    )
    one, two = made[0].set_index(["task", "seed"]), made[1].set_index(["task", "seed"])
    difference = (one["accuracy"] - two["accuracy"])["go_nogo"]
    _, low, high = t_interval(difference)
    row = table[(table["effect"] == "W*, under D*") & (table["task"] == "go_nogo")].iloc[0]
    assert row["difference_low"] < low - 0.005 and row["difference_high"] > high + 0.005


def test_an_effect_without_runs_of_every_task_is_left_out():
    part = reversing()
    part = part[(part["task"] != "go_nogo") | (part["variant"] == "WD*C")]
    table = headline_effects.by_task(part, fields=["f"], effects=PAIR, rng=np.random.default_rng(0))
    assert table.empty and list(table) == headline_effects.BY_TASK


def test_gains_of_function_are_given_with_and_without_c():
    for one, two in headline_effects.FUNCTION.values():
        assert CONDITIONS[one].variant.uses_function and not CONDITIONS[two].variant.uses_function
        assert one.replace("W*", "W") == two
    with_c = [one.endswith("C") for one, _ in headline_effects.FUNCTION.values()]
    assert sorted(with_c) == [False, False, True]
    for pair in headline_effects.HEADLINES.values():
        assert set(pair) <= set(CONDITIONS)


def on_draws(name, shifts, *, field="f"):
    """Runs of a variant on several draws of trials, two seeds each."""
    rows = []
    for draw, shift in enumerate(shifts):
        for spec in CONDITIONS[name].specs(field=field, field_hash=HASH, seeds=[0, 1]):
            drawn = replace(spec, data_seed=draw)
            rows.append(
                {
                    "field": field,
                    "task": spec.task,
                    "seed": spec.seed,
                    "data_seed": draw,
                    "arm": "corr",
                    "variant": spec.variant.name,
                    "protocol": spec.protocol.name,
                    "accuracy": 0.5 + 0.1 * spec.seed + shift + 0.01 * list(TASKS).index(spec.task),
                    "diverged": False,
                    "identity": drawn.identity,
                    "specification": json.dumps(drawn.resolved()),
                }
            )
    return labelled(pd.DataFrame(rows))


def test_every_draw_of_trials_gives_one_difference():
    archive = pd.concat([on_draws("W*D*C", [0.3, -0.1, 0.2]), on_draws("WD*C", [0.0, 0.1, 0.1])])
    table = headline_effects.by_draw(archive, fields=["f", "g"])
    assert set(table["effect"]) == set(PAIR)
    assert table["task"].tolist() == ["mean", *TASKS]
    for row in table.to_dict("records"):
        assert (row["draws"], row["seeds"], row["positive"]) == (3, 2, 2)
        values = [row[name] for name in ("lowest", "median", "highest")]
        assert values == pytest.approx([-0.2, 0.1, 0.3])
    one_draw = archive[archive["data_seed"] == 0]
    assert headline_effects.by_draw(one_draw, fields=["f"]).empty
    some = archive[(archive["data_seed"] == 0) | (archive["task"] != "go_nogo")]
    table = headline_effects.by_draw(some, fields=["f"])
    assert table["task"].tolist() == ["one_choice", "perceptual"], "and no mean over all three"
    assert set(table["draws"]) == {3}
    lost = archive.assign(accuracy=archive["accuracy"].where(archive["seed"] == 0))
    assert set(headline_effects.by_draw(lost, fields=["f"])["seeds"]) == {1}


def test_tasks_and_draws_are_written_side_by_side():
    table = headline_effects.by_task(
        pd.concat([reversing(), reversing("g")]),
        fields=["f", "g"],
        effects=PAIR,
        rng=np.random.default_rng(0),
    )
    archive = pd.concat([on_draws("W*D*C", [0.3, -0.1, 0.2]), on_draws("WD*C", [0.0, 0.1, 0.1])])
    draws = headline_effects.by_draw(archive, fields=["f", "g"])
    text = headline_effects.as_text(table, draws)
    assert list(text) == [
        "mean over tasks",
        *(task.title for task in TASKS.values()),
        "draws of trials",
    ]
    assert text["draws of trials"].tolist() == ["3: -0.20 to 0.30, positive in 2", "one"]
    assert text["One-choice inference"].str.startswith("0.3").all()
    assert text["Perceptual decision"].str.startswith("-0.0").all()
    assert not text.isna().any(axis=None)


def outcome_rows(judged):
    """Rows of outcomes of all predictions, judged alike, as if every effect were there."""
    rows = []
    for one in PREDICTIONS:
        outcome = "withdrawn" if one.withdrawn else judged
        meaning = {"confirmed": one.if_confirmed, "refuted": one.if_refuted}
        says = meaning.get(outcome, outcome)
        rows.append(
            vars(one)
            | {"field": "5_6_8", "judged": judged, "outcome": outcome, "says": says, "said": says}
        )
    return pd.DataFrame(rows)


def test_the_steps_of_a_verdict_are_told_apart():
    table = verdict_history.verdict_steps(outcome_rows("confirmed"))
    assert list(table) == [*verdict_history.STEPS, "moved by"]
    assert list(table.index) == list(predictions.CLAIMS)
    assert table.loc["wiring", "moved by"] == "nothing"
    assert table.loc["memory", "moved by"] == "further predictions: not asked → supported"
    assert table.loc["positive", "as first stated"] == "not supported"
    assert table.loc["positive", "moved by"] == "three apart: not supported → fact against"


def test_a_withdrawn_prediction_counts_in_the_first_step_alone():
    rows = outcome_rows("confirmed")
    is_withdrawn = rows["outcome"] == "withdrawn"
    assert is_withdrawn.sum() == 1
    rows.loc[is_withdrawn, "judged"] = "refuted"  # which is for the reading
    table = verdict_history.verdict_steps(rows).loc["function"]
    assert table["as first stated"] == "open"
    assert table["one withdrawn"] == "not supported"
    assert "one withdrawn: open → not supported" in table["moved by"]


def test_what_cannot_tell_moves_a_verdict_at_its_own_step():
    rows = outcome_rows("confirmed")
    wiring = rows["claim"] == "wiring"
    rows.loc[wiring, "says"] = votes.CANNOT_TELL
    table = verdict_history.verdict_steps(rows).loc["wiring"]
    assert table["moved by"] == "effects: not supported → open"


def test_runs_that_are_awaited_leave_a_verdict_open():
    rows = outcome_rows("confirmed")
    further = verdict_history._is_further(rows)
    assert further.sum() == 21 + len(predictions.NORM_SHARES) * 5  # see the rules
    rows.loc[further, ["judged", "outcome", "says", "said"]] = "not run"
    table = verdict_history.verdict_steps(rows)
    assert set(table.loc[["function", "geometry", "memory"], "further predictions"]) == {"open"}
