"""Controls and predictions: what they compare, and how they are judged."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cortexrnn import load_field
from cortexrnn.evidence import (
    control_tables,
    judgement,
    kept_effects,
    leaky_units,
    predictions,
    votes,
)
from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.predictions import PREDICTIONS, Prediction
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.figures import controls as figures
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.penalties import penalty
from cortexrnn.networks.specification import CORRECTED, PUBLISHED
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS, Variant
from cortexrnn.runs import controls
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.controls import CONDITIONS, CONTROLS, Control
from cortexrnn.runs.labels import as_published, labelled, runs_of, select
from cortexrnn.runs.trained_weights import kept_weights
from tests.conditions import UNFINISHED, somewhere
from tools import penalty_gradients, replicate

HASH = "0" * 64


def is_waiting(name, field=None):
    """Whether the runs of a condition are still to come, on a field or on all."""
    group = CONDITIONS[name].group
    fields = UNFINISHED if field is None else [field]
    return all(group in UNFINISHED[one] for one in fields)


def runs(control, values, *, field="f", metric="accuracy"):
    """Make runs of a control: values by task and seed."""
    rows = [
        {
            "field": field,
            "task": spec.task,
            "seed": spec.seed,
            "variant": spec.variant.name,
            "protocol": spec.protocol.name,
            metric: values[spec.task][spec.seed],
            "diverged": bool(np.isnan(values[spec.task][spec.seed])),
            "identity": spec.identity,
            "specification": json.dumps(spec.resolved()),
        }
        for spec in control.specs(field=field, field_hash=HASH)
        if spec.task in values and spec.seed < len(values[spec.task])
    ]
    return labelled(pd.DataFrame(rows))


def test_no_two_conditions_are_the_same_runs():
    owners = {}
    for condition in CONDITIONS.values():
        for spec in condition.specs(field=somewhere(condition), field_hash=HASH):
            assert owners.setdefault(spec.identity, condition.name) == condition.name


def switched(control):
    """Give what is switched about a condition: about its variant, protocol and strength."""
    protocol = {k: v for k, v in vars(control.protocol).items() if v != vars(PUBLISHED)[k]}
    strengths = {k: v for k, v in control.settings if "strength" in k}
    if control.strengths:
        strengths["strength"] = control.strengths
    if {"strength_unit", "plain_strength"} & set(protocol):
        strengths = {}  # the number belongs to the unit
    protocol.pop("name", None)
    return set((control.variant.switches | protocol | strengths).items())


@pytest.mark.parametrize(
    "name", [name for name, one in CONTROLS.items() if one.group != controls.TEXT]
)
def test_a_control_differs_from_its_reference_in_one_thing(name):
    control = CONTROLS[name]
    if control.group in ("start", "positive", "diagonal", "dose"):  # all under the same penalty
        assert control.variant.distance == "soma" and control.variant.communicability is None
    changed = switched(control)
    if control.group in ("diagonal", "true_coordinates"):  # what their reference has as well
        changed -= switched(control.reference)
    changed = {switch for switch, _ in changed}
    if len(changed) > 1:
        changed.discard("scaling")  # which says how the other switch is carried out
    missing_cells = ("W*D*", "W*DC", "W*D*, positive", "W* made of STTC alone")
    if control.group in ("harder", "environments") or name in missing_cells:
        assert len(changed) <= 1
    elif name == "orthogonal, penalised on the diagonal too":
        assert not changed and control.reference.variant.start == "functional"
    elif name == "W* relabelled":
        relabelled = Variant.parse("W!D*")
        assert control.variant == relabelled and control.reference.variant == Variant.parse("W*D*")
    else:
        assert len(changed) == 1


@pytest.mark.parametrize("base", list(VARIANTS))
def test_one_switch_of_the_corrected_protocol_touches_each_variant(base):
    distance = VARIANTS[base].distance
    one = {"soma": "coordinates", "grid": "grid_scale", None: "plain_strength"}[distance]
    alone = replace(PUBLISHED, **{one: getattr(CORRECTED, one)})
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 24, 24)))
    field = surrogate_field(24)
    as_written, switched, published = (
        penalty(base, field, protocol=protocol)(weights)
        for protocol in (CORRECTED, alone, PUBLISHED)
    )
    assert as_written == switched != published
    assert CONTROLS[f"{base}, corrected"].protocol == CORRECTED


@pytest.mark.parametrize("name", list(CONTROLS))
def test_every_control_can_be_started_and_penalised(name):
    field = surrogate_field(24)
    control = CONTROLS[name]
    spec = next(control.specs(field=somewhere(control), field_hash=field.hash_without_events))
    start = initial_weights(spec, field)
    assert start.shape == (24, 24) and np.isfinite(start).all()
    penalty(
        spec.variant,
        field,
        protocol=spec.protocol,
        strength=spec.strength,
        initial_weights=start,
        rng=np.random.default_rng(0),
    )


def test_predictions_are_about_conditions_that_exist_and_share_tasks():
    for one in PREDICTIONS:
        tasks = [
            {name for name, _ in CONDITIONS[condition].tasks}
            for condition in (one.condition, one.against)
        ]
        assert tasks[0] & tasks[1] >= ({one.task} if one.task else set())
        assert tasks[0] & tasks[1]
        assert one.claim in predictions.CLAIMS
        assert one.low < one.high


def test_the_eleven_variants_are_found_under_their_recorded_identity():
    archive = load_archive()
    expected = select(archive, field="5_3_4")
    for name in VARIANTS:
        chosen = runs_of(archive, CONDITIONS[name], field="5_3_4")
        own = expected[expected["variant"] == name]
        assert set(chosen["identity"]) == set(own["identity"])
    assert runs_of(archive, CONTROLS["W*D*"], field="nowhere").empty


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.05, 0.05, "confirmed"),
        (-0.1, 0.1, "confirmed"),
        (-0.3, -0.11, "refuted"),
        (0.11, 0.2, "refuted"),
        (-0.2, 0.0, "open"),
        (-0.2, 0.2, "open"),
        (-0.3, -0.1, "open"),
        (0.1, 0.2, "open"),
        (np.nan, np.nan, "open"),
    ],
)
def test_a_prediction_is_judged_by_where_the_interval_lies(low, high, outcome):
    one = Prediction(claim="function", condition="a", against="b", low=-0.1, high=0.1)
    assert one.judge(low, high) == outcome


@pytest.fixture(scope="module")
def archive():
    return load_archive()


@pytest.mark.parametrize("field", ["5_3_4", "5_6_8", "6_6_2"])
def test_recorded_runs_are_those_of_the_controls_and_of_the_paper(archive, field):
    runs = archive[archive["field"] == field]
    field_hash = json.loads(runs["specification"].iloc[0])["field_hash"]
    designed = {
        condition.name: {
            spec.identity for spec in condition.specs(field=field, field_hash=field_hash)
        }
        for condition in CONDITIONS.values()
        if condition.is_run_on(field)
    }
    recorded, papers = set(runs["identity"]), set(as_published(runs)["identity"])
    lacking = {name for name, own in designed.items() if not own <= recorded}
    assert lacking == {name for name in designed if is_waiting(name, field)}
    assert recorded - set().union(*designed.values()) <= papers


def test_arms_without_a_task_in_common_have_no_difference():
    one = runs(CONTROLS["W*D*"], {"one_choice": np.ones(20)})
    two = runs(CONTROLS["W* shuffled"], {"go_nogo": np.ones(20)})
    assert judgement.paired_differences(one, two).shape == (0,)
    assert judgement.paired_differences(one, one, task="go_nogo").shape == (0,)


def test_differences_are_paired_by_seed_and_averaged_over_tasks():
    one, two = CONTROLS["W*D*"], CONTROLS["W* shuffled"]
    rng = np.random.default_rng(0)
    luck = rng.normal(size=20)  # shared by both conditions, and larger than what tells them apart
    a = runs(one, {"one_choice": 5 + luck, "go_nogo": 7 - luck})
    b = runs(two, {"one_choice": luck, "go_nogo": -luck}).sample(frac=1, random_state=0)
    both = judgement.paired_differences(a, b)
    np.testing.assert_allclose(both, 6.0)
    np.testing.assert_allclose(judgement.paired_differences(a, b, task="go_nogo"), 7.0)


def test_a_seed_with_a_diverged_run_has_no_difference():
    values = np.arange(20.0)
    lost = np.where(values == 3, np.nan, values)
    a = runs(CONTROLS["W*D*"], {"one_choice": lost, "go_nogo": values})
    b = runs(CONTROLS["W* shuffled"], {"one_choice": values, "go_nogo": values})
    assert len(judgement.paired_differences(a, b)) == 19
    assert len(judgement.paired_differences(a, b, task="go_nogo")) == 20


def test_outcomes_and_tables_come_from_the_runs():
    rng = np.random.default_rng(1)
    noise = {task: 0.02 * rng.normal(size=20) for task in ("one_choice", "perceptual", "go_nogo")}
    whole = runs(CONTROLS["W*D*"], {task: 0.95 + n for task, n in noise.items()})
    without = runs(
        CONTROLS["W* without self-connections"], {task: 0.55 - n for task, n in noise.items()}
    )
    archive = pd.concat([whole, without])
    asked = [one for one in PREDICTIONS if one.metric == "accuracy" and not one.known_on]
    table = judgement.outcomes(archive, fields=["f", "g"], predictions=asked)
    table = table.set_index(["condition", "against", "field"]).sort_index()
    row = table.loc[("W* without self-connections", "W*D*", "f")]
    assert (row["outcome"], row["says"], row["zero"]) == ("confirmed", "neither", "below")
    assert row["difference"] == pytest.approx(-0.4, abs=0.02)
    assert table.loc[("W* without self-connections", "W*D*", "g"), "outcome"] == "not run"
    row = table.loc[("W* shuffled", "W*D*", "f")]
    assert tuple(row[["outcome", "says"]]) == ("not run", "not run")
    cells = control_tables.beside_reference(archive, CONTROLS.values(), fields=["f", "g"])
    assert len(cells) == 6
    own = cells[cells["control"] == "W*D*"]  # whose reference has no runs here
    assert (
        (own["pairs"] == 0).all()
        and own["difference"].isna().all()
        and own["reference_mean"].isna().all()
    )
    cell = cells[cells["control"] == "W* without self-connections"].set_index("task")
    assert set(cell["reference"]) == {"W*D*"}
    assert set(cell["field"]) == {"f"}
    in_task = whole[whole["task"] == "go_nogo"]["accuracy"]
    assert cell.loc["go_nogo", "reference_mean"] == pytest.approx(in_task.mean())
    expected = t_interval(without[without["task"] == "go_nogo"]["accuracy"])
    assert tuple(cell.loc["go_nogo", ["mean", "low", "high"]]) == pytest.approx(expected)
    assert cell.loc["go_nogo", "pairs"] == 20
    in_cell = without[without["task"] == "go_nogo"]["accuracy"]
    assert cell.loc["go_nogo", "learned"] == (in_cell > 0.6).sum() < 3
    assert set(own["learned"]) == {20}
    five_seeds = archive[(archive["seed"] < 5) | archive["identity"].isin(whole["identity"])]
    (row,) = control_tables.beside_reference(
        five_seeds[five_seeds["task"] == "go_nogo"],
        [CONTROLS["W* without self-connections"]],
        fields=["f"],
    ).to_dict("records")
    assert row["mean"] - row["reference_mean"] == pytest.approx(row["difference"])


@pytest.mark.parametrize("missing", ["W*D*", "W* without self-connections"])
def test_a_prediction_waits_for_all_tasks_it_is_about(missing):
    conditions = {"W*D*": 0.9, "W* without self-connections": 0.5}
    made = {
        name: runs(CONTROLS[name], dict.fromkeys(TASKS, np.full(20, accuracy)))
        for name, accuracy in conditions.items()
    }
    made[missing] = made[missing][made[missing]["task"] != "perceptual"]
    (mean,) = [
        one for one in PREDICTIONS if (one.condition, one.against) == tuple(conditions)[::-1]
    ]
    asked = [mean, replace(mean, task="go_nogo"), replace(mean, task="perceptual")]
    table = judgement.outcomes(pd.concat(made.values()), fields=["f"], predictions=asked)
    assert list(table["outcome"]) == ["not run", "confirmed", "not run"]


def test_a_prediction_about_one_task_is_judged_by_that_task():
    conditions = {"W*D*": 0.9, "W* without self-connections": 0.5}
    wiggle = np.linspace(-0.01, 0.01, 20)
    equal = dict.fromkeys(TASKS, np.full(20, 0.7))
    made = [
        runs(CONTROLS[name], equal | {"go_nogo": accuracy + sign * wiggle})
        for sign, (name, accuracy) in zip([1, -1], conditions.items(), strict=True)
    ]
    (mean,) = [
        one for one in PREDICTIONS if (one.condition, one.against) == tuple(conditions)[::-1]
    ]
    asked = [mean, replace(mean, task="go_nogo"), replace(mean, task="perceptual")]
    table = judgement.outcomes(pd.concat(made), fields=["f"], predictions=asked)
    assert list(table["difference"]) == pytest.approx([-0.4 / 3, -0.4, 0.0])


@pytest.mark.parametrize("n_neurons", [70, 160])
def test_plans_hold_every_run_of_the_controls_once_and_none_is_too_large(n_neurons, monkeypatch):
    field = surrogate_field(n_neurons)
    monkeypatch.setattr(replicate, "load_field", lambda name: field)
    experiment = replicate.EXPERIMENTS["5_6_8 controls"]
    plans = list(experiment.plans())
    planned = [spec.identity for plan in plans for spec in plan]
    wanted = {
        spec.identity
        for one in CONTROLS.values()
        if one.group in experiment.groups
        for spec in one.specs(field=field.name, field_hash=field.hash_without_events)
    }
    assert len(planned) == len(set(planned))
    assert set(planned) == wanted
    assert max(map(len, plans)) * n_neurons <= replicate.LARGEST


def test_a_strength_does_not_hide_in_a_name():
    one = CONTROLS["WD* at lambda 0.01"]
    other = Control(name="x", variant=Variant.parse("WD*"), group="strength")
    pairs = zip(
        one.specs(field="f", field_hash=HASH), other.specs(field="f", field_hash=HASH), strict=False
    )
    assert all(a.identity != b.identity for a, b in pairs)


AGAINST, FOR, NEITHER = ("against", "for"), ("for", "against"), ("neither", "neither")
NEEDED = ("neither", "for")
"""What confirmed and refuted predictions say."""


def judged(claim, outcomes):
    """Make rows of outcomes from what each prediction would say and what became of it."""
    named = {"claim": claim, "metric": "accuracy", "task": None, "field": "f"}
    columns = [*named, "condition", "against", "if_confirmed", "if_refuted"]
    rows = []
    for number, ((confirmed, refuted), outcome) in enumerate(outcomes):
        says = {"confirmed": confirmed, "refuted": refuted}.get(outcome, outcome)
        row = {"if_confirmed": confirmed, "if_refuted": refuted, "outcome": outcome}
        arms = {"condition": f"a{number}", "against": f"b{number}"}  # no arm is shared
        rows.append(named | arms | row | {"says": says, "said": says})
    return pd.DataFrame(rows, columns=[*columns, "outcome", "says", "said"])


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([(AGAINST, "confirmed")] * 2 + [(AGAINST, "open")], "not supported"),
        ([(AGAINST, "confirmed")] * 3 + [(AGAINST, "not run")], "open"),
        ([(AGAINST, "confirmed")] * 3 + [(NEITHER, "not run")], "not supported"),
        ([(AGAINST, "confirmed")] * 3 + [(AGAINST, "refuted")], "open"),
        ([(AGAINST, "confirmed")] * 3 + [(NEITHER, "refuted")], "not supported"),
        ([(AGAINST, "confirmed"), (AGAINST, "open")], "open"),
        ([(AGAINST, "confirmed")] * 2 + [(NEITHER, "confirmed")] * 9, "not supported"),
        ([(AGAINST, "confirmed"), (AGAINST, "open"), (AGAINST, "open")], "open"),
        ([(NEITHER, "confirmed")] * 5, "not asked"),
        ([], "not asked"),
        ([(AGAINST, "refuted")] * 2 + [(AGAINST, "open")], "supported"),
        ([(AGAINST, "refuted")] * 2 + [(AGAINST, "not run")], "open"),
        ([(FOR, "confirmed")] * 2 + [(AGAINST, "refuted")], "supported"),
        ([(NEEDED, "refuted")] * 2, "supported"),
        ([(AGAINST, "confirmed")] * 2 + [(NEEDED, "open")], "not supported"),
        ([(FOR, "confirmed")] * 2 + [(AGAINST, "confirmed")], "open"),
        ([(FOR, "refuted")] * 2, "not supported"),
        ([(AGAINST, "refuted"), (AGAINST, "open")], "open"),
        ([(AGAINST, "not run")], "open"),
    ],
)
def test_a_claim_is_summed_up_from_what_its_predictions_say(outcomes, verdict):
    table = judgement.verdicts_of_claims(judged("function", outcomes), rules=[])
    assert list(table["claim"]) == list(predictions.CLAIMS)
    row = table.set_index("claim").loc["function"]
    assert row["verdict"] == verdict
    speaking = [one for one in outcomes if one[0] != NEITHER]
    counted = row[["against", "for", "open", "not run"]]
    assert counted.sum() == len(speaking)
    assert row["open"] == sum(outcome == "open" for _, outcome in speaking)


@pytest.mark.parametrize("rest", ["open", "not run", "confirmed"])
def test_one_counterexample_is_enough_against_a_universal_reading(rest):
    outcomes = [(AGAINST, "confirmed"), (FOR, rest), (FOR, "confirmed"), (FOR, "confirmed")]
    assert predictions.CLAIMS["positive"].universal
    all_for = "supported" if rest == "confirmed" else "open"
    for rules, expected in (
        ([], ("not supported", all_for)),
        (votes.LATER_RULES, ("fact against", all_for)),
    ):
        for rows, verdict in zip((outcomes, outcomes[1:]), expected, strict=True):
            table = judgement.verdicts_of_claims(judged("positive", rows), rules=rules)
            assert table.set_index("claim").loc["positive", "verdict"] == verdict


def verdict_of(rows, **rules):
    """Verdict on the claim about function."""
    table = judgement.verdicts_of_claims(rows, **rules)
    return table.set_index("claim").loc["function", "verdict"]


def test_fewer_than_three_predictions_without_a_common_arm_make_a_fact():
    rows = judged("function", [(AGAINST, "confirmed")] * 4)
    assert verdict_of(rows) == "not supported"
    assert verdict_of(rows.head(2)) == "fact against"
    assert verdict_of(judged("function", [(FOR, "confirmed")] * 2)) == "fact for"
    one_reference = rows.assign(against="W*D*")
    assert votes.apart(one_reference) == 1
    assert verdict_of(one_reference) == "fact against"
    assert verdict_of(one_reference, rules=["effects", "pairs once"]) == "not supported"
    chain = rows.assign(condition=["a", "b", "c", "d"], against=["b", "c", "d", "e"])
    assert votes.apart(chain) == 2  # a-b and c-d, or b-c and d-e
    on_two_fields = pd.concat([rows.head(2), rows.head(2).assign(field="g")], ignore_index=True)
    assert votes.apart(on_two_fields) == 2
    assert verdict_of(on_two_fields) == "fact against"


def test_two_conditions_that_are_compared_twice_count_once():
    rows = judged("function", [(AGAINST, "confirmed")] * 3 + [(AGAINST, "open")] * 2)
    assert verdict_of(rows) == "not supported"  # three of five
    twice = pd.concat([rows, rows.iloc[[3]].assign(says="against", said="against")])
    assert verdict_of(twice) == "not supported"
    table = judgement.verdicts_of_claims(twice).set_index("claim").loc["function"]
    assert table[["against", "open"]].tolist() == [3, 2]  # as it was first
    table = judgement.verdicts_of_claims(twice, rules=["effects"]).set_index("claim")
    assert table.loc["function", ["against", "open"]].tolist() == [4, 2]
    other = twice.assign(task=[None] * 5 + ["go_nogo"])
    table = judgement.verdicts_of_claims(other).set_index("claim").loc["function"]
    assert table["against"] == 4


def test_what_cannot_tell_or_was_withdrawn_is_counted_nowhere():
    rows = judged("function", [(AGAINST, "confirmed")] * 3 + [(AGAINST, "refuted")])
    assert verdict_of(rows) == "open"
    for says in ("cannot tell", "withdrawn"):
        changed = rows.assign(says=["against"] * 3 + [says])
        table = judgement.verdicts_of_claims(changed).set_index("claim").loc["function"]
        assert table["verdict"] == "not supported"
        assert table[["against", "for", "open", "not run"]].tolist() == [3, 0, 0, 0]
        assert table["cannot tell"] == (says == "cannot tell")
    floor = rows.assign(says="cannot tell")
    assert verdict_of(floor) == "open"
    assert verdict_of(floor, rules=["pairs once"]) == "open"  # as said: one is for the reading
    with pytest.raises(ValueError, match="effect"):
        votes.votes(rows, rules=["effect"])


@pytest.mark.parametrize(
    ("reference", "says"), [(0.95, "against"), (0.65, "cannot tell"), (0.5, "cannot tell")]
)
def test_same_says_nothing_where_there_is_no_effect_to_keep(reference, says):
    wiggle = np.linspace(-0.03, 0.03, 20)
    level = {"W*D*": reference, "scaled identity": reference, "WD*": 0.55}
    made = [
        runs(CONDITIONS[name], {task: value + sign * wiggle for task in TASKS})
        for sign, (name, value) in zip([1, 1, -1], level.items(), strict=True)
    ]
    asked = [
        one for one in PREDICTIONS if one.condition == "scaled identity" and one.against == "W*D*"
    ]
    named = [replace(one, effect=("W*D*", "WD*"), known_on=()) for one in asked]
    table = judgement.outcomes(pd.concat(made), fields=["f"], predictions=[*asked, *named])
    assert table["outcome"].tolist() == ["confirmed"] * 4
    assert table["says"].tolist() == [says] * 4
    assert table["said"].tolist() == ["against"] * 2 + [says] * 2  # a later rule, or its own
    low = t_interval(reference - 0.55 + 2 * wiggle)[1]
    assert table["effect_low"].tolist() == pytest.approx([low] * 4)
    assert set(table["about"]) == {"W*D* less WD*"}
    waiting = judgement.outcomes(pd.concat(made[:2]), fields=["f"], predictions=[*asked, *named])
    assert waiting["outcome"].tolist() == ["not run"] * 4  # the effect is not known yet


def test_an_effect_that_is_never_run_on_a_field_is_not_awaited():
    names = ("W*D*C on own coordinates", "W*D*C")
    made = [runs(CONDITIONS[name], dict.fromkeys(TASKS, np.full(20, 0.9)), field="6_6_2")
            for name in names]  # fmt: skip
    asked = [one for one in PREDICTIONS if (one.condition, one.against) == names][:1]
    table = judgement.outcomes(pd.concat(made), fields=["6_6_2"], predictions=asked)
    assert not CONDITIONS["W*DC"].is_run_on("6_6_2")
    assert table[["outcome", "says", "said"]].values.tolist() == [
        ["confirmed", "cannot tell", "against"]
    ]


def test_a_network_that_diverged_remembers_nothing():
    wiggle = np.linspace(-0.01, 0.01, 20)
    level = {"W*D*, positive": 0.95, "scaled identity, positive": 0.95, "WD*, positive": np.nan}
    made = [
        runs(CONDITIONS[name], {task: value + wiggle for task in TASKS})
        for name, value in level.items()
    ]
    asked = [one for one in PREDICTIONS if one.condition == "scaled identity, positive"][:1]
    table = judgement.outcomes(pd.concat(made), fields=["f"], predictions=asked)
    assert table["says"].tolist() == ["against"]
    without = np.mean(list(leaky_units.levels_without_memory().values()))
    assert table["effect_low"].item() == pytest.approx(0.95 - without, abs=0.01)


def test_effects_are_those_of_predictions_that_say_something_of_their_reading():
    bearing = {
        (one.condition, one.against, one.metric)
        for one in PREDICTIONS
        if one.effect is None
        and not one.withdrawn
        and (one.if_confirmed, one.if_refuted) != NEITHER
        and one.low in (-0.1, -0.15)
    }
    assert set(kept_effects.EFFECTS) == bearing
    for effect in kept_effects.EFFECTS.values():
        assert set(effect) <= set(CONDITIONS)


def test_findings_are_told_where_both_conditions_have_runs():
    level = {"W*D*C*": 0.9, "WD*C*": 0.5, "W*D*C*, positive": 0.9, "WD*C*, positive": np.nan}
    parts = [
        runs(CONDITIONS[name], dict.fromkeys(TASKS, np.full(20, value)))
        for name, value in level.items()
    ]
    archive = pd.concat(parts).assign(modularity=np.nan)
    table = control_tables.findings(archive, fields=["f", "g"]).set_index(["claim", "field"])
    assert list(table.index) == [("function", "f"), ("positive", "f")]
    assert table["difference"].tolist() == pytest.approx([0.4, -1.0])  # all, or none, diverge
    assert (table["pairs"] == 20).all()


def test_findings_of_the_archive_are_differences_of_published_variants():
    archive = load_archive()
    table = control_tables.findings(archive, fields=["5_3_4", "6_6_2"])
    waiting = {
        key for key, claim in predictions.CLAIMS.items() if any(map(is_waiting, claim.finding))
    }
    assert set(table["claim"]) == set(predictions.CLAIMS) - waiting
    finding = table.set_index(["claim", "field"]).loc[("topology", "6_6_2")]
    mean = select(archive, field="6_6_2").groupby("variant")["modularity"].mean()
    assert finding["difference"] == pytest.approx(mean["WD*C"] - mean["W"])


@pytest.mark.parametrize(("prior", "bases"), control_tables.ADDED.items())
def test_bases_at_matched_gradient_differ_in_the_prior_that_is_named(prior, bases):
    more, less = bases
    added, _, beside = prior.partition(", with ")
    assert more == (f"{less}C" if added == "C" else less.replace("D", "D*"))
    rest = less if added == "C" else less.replace("D", "")
    assert set(re.findall(r"W\*|D\*?|C", rest)) == set(filter(None, beside.split(" and ")))


def test_penalties_at_matched_gradient_have_it():
    table = control_tables.compare_at_matched_gradient(load_archive(), fields=["5_3_4", "5_6_8"])
    assert len(table) == 2 * 2 * len(control_tables.ADDED)
    assert (table["pairs"] == 20).all()
    gradients = control_tables.load_penalty_gradients()
    gradients = gradients.set_index(["field", "condition"])["gradient"]
    for column in ("variant", "against"):
        for field, base, expected in table[["field", column, "gradient"]].values:
            name = controls.AT_GRADIENT[base, expected].name
            assert gradients[field, name] == pytest.approx(expected)


def test_at_matched_gradient_the_condition_without_the_prior_is_subtracted():
    level = {"WD* at gradient 0.17": 0.75, "WD at gradient 0.17": 0.5, "WD* at gradient 0.001": 0.9}
    archive = pd.concat(
        runs(CONDITIONS[name], dict.fromkeys(TASKS, np.full(20, value)))
        for name, value in level.items()
    )
    table = control_tables.compare_at_matched_gradient(archive, fields=["f", "g"])
    (row,) = table[["prior", "field", "gradient", "pairs"]].to_numpy().tolist()
    assert row == ["D* for D", "f", 0.17, 20]
    assert table["difference"].item() == pytest.approx(0.25)


def test_a_comparison_in_words_names_its_fields():
    archive = pd.concat(
        runs(CONDITIONS[name], dict.fromkeys(TASKS, np.full(20, value)), field=field)
        for name, value in {"WD*": 0.75, "WD": 0.5}.items()
        for field in ("f", "h")
    )
    table = control_tables.compare_conditions(archive, "WD*", "WD", fields=["f", "g", "h"])
    line = "f: 0.2500 [0.2500,\u00a00.2500]; h: 0.2500 [0.2500,\u00a00.2500]"
    assert control_tables.differences_in_words(table, digits=4) == line
    assert control_tables.differences_in_words(table.head(0)) == "not run yet"


def test_a_readable_table_has_its_differences_in_one_column():
    table = pd.DataFrame(
        {
            "mean": [0.12345, 0.5],
            "difference": [-0.0004, np.nan],
            "difference_low": [-0.0126, np.nan],
            "difference_high": [0.01, np.nan],
        },
        index=[7, 3],
    )
    shown = control_tables.differences_as_text(table, digits=2)
    assert list(shown["difference"]) == ["0.00 [-0.01,\u00a00.01]", ""]
    assert list(shown["mean"]) == [0.12, 0.5]
    assert list(shown.columns) == ["mean", "difference"]
    assert list(shown.index) == [7, 3]
    assert list(control_tables.differences_as_text(table.head(0)).columns) == ["mean", "difference"]


@pytest.mark.parametrize(
    ("interval", "bounds", "expected"),
    [
        ((-0.07, 0.07), (-0.1, 0.1), ["not supported", "not supported", "open", "not supported"]),
        ((-0.12, 0.12), (-0.1, 0.1), ["open", "open", "open", "not supported"]),
        ((0.12, 0.14), (-0.1, 0.1), ["supported", "supported", "supported", "not supported"]),
        ((-0.14, -0.12), (-1.0, -0.2), ["supported", "supported", "not supported", "supported"]),
        ((-0.9, -0.8), (-1.0, -0.2), ["not supported"] * 4),  # -1 stands for no bound
        ((0.6, 0.9), (-0.1, 1.0), ["not supported"] * 4),  # and so does 1
        ((np.nan, np.nan), (-0.1, 0.1), ["open"] * 4),
    ],
)
def test_verdicts_are_told_under_other_bounds(interval, bounds, expected):
    one = Prediction(
        claim="function", condition="W*D*", against="WD*", low=bounds[0], high=bounds[1]
    )
    outcome = one.judge(*interval)
    row = vars(one) | {
        "difference_low": interval[0],
        "difference_high": interval[1],
        "outcome": outcome,
        "about": "",
        "effect_low": np.nan,
        "field": "f",
    }
    row |= dict.fromkeys(("says", "said"), row_says(outcome))
    table = judgement.sensitivity(pd.DataFrame([row]))
    bounds = ["as judged", "none added", "half as wide", "1.5 times as wide"]
    rules = ["effects of any size", "pairs twice", "fewer than three", "no later rule"]
    assert set(table) == {*bounds, *rules}
    facts = {"not supported": "fact against", "supported": "fact for", "open": "open"}
    assert table.loc["function", bounds].tolist() == [facts[one] for one in expected]
    fact = facts[expected[0]]
    assert table.loc["function", rules].tolist() == [fact, fact, expected[0], expected[0]]
    later = pd.DataFrame([row | {"known_on": ("5_3_4",)}])
    assert judgement.sensitivity(later).loc["function", "none added"] == "not asked"
    waiting = pd.DataFrame([row | dict.fromkeys(("outcome", "says", "said"), "not run")])
    assert set(judgement.sensitivity(waiting).loc["function"]) == {"open"}
    gone = pd.DataFrame([row | dict.fromkeys(("outcome", "says", "said"), "withdrawn")])
    assert set(judgement.sensitivity(gone).loc["function"]) == {"not asked"}
    floor = pd.DataFrame([row | {"about": "a less b", "effect_low": 0.0, "says": "cannot tell"}])
    assert set(judgement.sensitivity(floor).loc["function", bounds]) == {"open"}


def row_says(outcome):
    """What an outcome of a prediction against a reading says."""
    return {"confirmed": "against", "refuted": "for"}.get(outcome, outcome)


def test_predictions_say_what_their_outcome_means():
    says = {"against", "for", "neither"}
    for one in PREDICTIONS:
        assert {one.if_confirmed, one.if_refuted} <= says
        assert one.if_confirmed != one.if_refuted or one.if_confirmed == "neither"
    assert len(set(PREDICTIONS)) == len(PREDICTIONS)


def test_a_later_prediction_is_not_judged_where_its_outcome_was_known():
    later = [one for one in PREDICTIONS if one.known_on]
    assert later and all(one.known_on == ("5_3_4",) for one in later)
    for one in later:
        assert not one.asked_on("5_3_4") and one.asked_on("5_6_8")
    first = [one for one in PREDICTIONS if not one.known_on]
    for one in first:
        strengths = [CONDITIONS[name].strengths for name in (one.condition, one.against)]
        for field in ("5_3_4", "5_6_8"):
            assert one.asked_on(field) == all(field in dict(s) for s in strengths if s)


def test_the_field_of_the_paper_is_asked_only_what_is_run_there():
    asked = [one for one in PREDICTIONS if one.asked_on("6_6_2")]
    assert 0 < len(asked) < len(PREDICTIONS)
    for one in asked:
        for name in (one.condition, one.against):
            assert CONDITIONS[name].group == "published" or CONDITIONS[name].deciding
    assert {one.claim for one in asked} >= {"function", "structure", "geometry", "positive"}


# --- pulls and strengths, and the figures that show them


def test_penalty_gradients_tell_what_a_penalty_does_at_the_start():
    table = control_tables.load_penalty_gradients().set_index(["field", "condition"])
    named = [one.name for one in CONDITIONS.values() if one.group not in ("harder", "environments")]
    recorded = set(table.index.get_level_values("condition"))
    assert recorded == {name for name in named if not name.endswith("positive")}
    for field in ("5_3_4", "5_6_8", "6_6_2"):
        assert table.loc[(field, "W"), "gradient"] == 1.0
        assert table.loc[(field, "W at lambda 0.3"), "gradient"] == pytest.approx(0.3)
        assert table.loc[(field, "WD*C at gradient 0.17"), "gradient"] == pytest.approx(0.17)
        ratio = (
            table.loc[(field, "WD* at lambda 1"), "gradient"]
            / table.loc[(field, "WD*"), "gradient"]
        )
        assert ratio == pytest.approx(1 / 0.3, rel=1e-3)
        assert table.loc[(field, "WD*"), "gradient_self"] == 0
        assert table.loc[(field, "scaled identity"), "largest_self"] == pytest.approx(0.95)
        assert table.loc[(field, "W* without self-connections"), "largest_self"] == 0


def test_recorded_gradients_are_those_of_the_field(mirror):
    field = load_field("5_3_4")
    table = control_tables.load_penalty_gradients().set_index(["field", "condition"])
    for name in ("W*D*C", "WD", "WD* on three clusters", "WD*C at gradient 0.17"):
        gradients = penalty_gradients.penalty_gradient(CONDITIONS[name], field)
        recorded = table.loc[("5_3_4", name)]
        for column, value in gradients.items():
            assert recorded[column] == pytest.approx(value, rel=1e-3)


def some_runs():
    rng = np.random.default_rng(0)
    names = ("W", "WD*", "WD*C", "W*D*", "scaled identity", "WD*C at gradient 0.17")
    names += ("WD* at lambda 0.01", "W at lambda 1", "W at lambda 0.3")
    parts = []
    for k, name in enumerate(names):
        values = {
            task: 0.5 + 0.05 * k + 0.01 * rng.random(20) for task, _ in CONDITIONS[name].tasks
        }
        parts.append(runs(CONDITIONS[name], values, field="5_3_4"))
    return pd.concat(parts)


def test_accuracy_stands_beside_the_gradient_of_its_own_condition():
    archive = some_runs()
    table = control_tables.accuracy_by_gradient(archive, field="5_3_4").set_index(
        ["condition", "task"]
    )
    assert "scaled identity" not in table.index.get_level_values(
        "condition"
    )  # no pull at the start
    row = table.loc[("WD*C at gradient 0.17", "go_nogo")]
    expected = runs_of(archive, CONDITIONS["WD*C at gradient 0.17"], field="5_3_4")
    mean = expected[expected["task"] == "go_nogo"]["accuracy"].mean()
    assert row["mean"] == pytest.approx(mean)
    assert (row["gradient"], row["start"], row["published"]) == (0.17, "orthogonal", False)
    assert table.loc[("W*D*", "go_nogo"), "start"] == "functional"
    assert figures.gradient_and_accuracy(table.reset_index()).axes


def test_accuracy_by_strength_has_the_published_strength_among_the_others():
    table = control_tables.accuracy_by_strength(some_runs(), field="5_3_4")
    strengths = {base: list(part["strength"].unique()) for base, part in table.groupby("variant")}
    assert strengths == {"W": [0.3, 1.0], "WD*": [0.01, 0.3], "WD*C": [0.3]}
    plain = table[(table["variant"] == "W") & (table["strength"] == 0.3)]
    assert plain["mean"].min() > 0.85  # that of W at lambda 0.3, not of W, whose strength is 1
    assert figures.accuracy_along(
        table, "strength", lines="variant", label="strength", published=0.3
    ).axes


def test_further_starts_are_compared_with_functional_weights():
    for one in CONTROLS.values():
        if one.group in ("harder", "environments"):
            if one.start == "W*":
                assert one.reference is None and one.variant.name == "W*D*C"
                continue
            assert one.reference.variant.name == "W*D*C"
            assert (one.reference.tasks, one.reference.settings) == (one.tasks, one.settings)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("W*D*", "W*D*C*"),
        ("W*DC", "W*DC*"),
        ("W*D*, positive", "W*D*C*, positive"),
        ("scaled identity, positive", "W*D*, positive"),
        ("W* made of STTC alone", "W*D*"),
        ("W* made of STTC alone, without self-connections", "W* made of STTC alone"),
        ("orthogonal, long delays", "W*, long delays"),
        ("orthogonal, 640 trials", "W*, 640 trials"),
        ("W* shuffled off the diagonal, all trials", "W*D*C"),
        ("orthogonal, NeuroGym", "W*, NeuroGym"),
        ("WD*C at gradient 0.17", "WD*C"),
    ],
)
def test_a_reference_bears_the_name_of_the_condition_whose_runs_it_takes(name, reference):
    resolved = CONTROLS[name].reference
    assert resolved.name == reference
    both = [
        {spec.identity for spec in one.specs(field="f", field_hash=HASH, seeds=[0])}
        for one in (resolved, CONDITIONS[reference])
    ]
    assert both[0] == both[1]


def test_positive_starts_are_compared_with_one_that_does_not_diverge():
    for name in ("scaled identity", "uniform", "lognormal"):
        reference = CONTROLS[f"{name}, positive"].reference
        assert reference.variant.name == "W*D*"
        assert dict(reference.settings)["sign"] == "positive"


def test_accuracy_by_trials_and_transfer_are_set_against_the_paper_s_own_runs():
    luck = 0.01 * np.random.default_rng(0).normal(size=20)
    with_640_trials, with_all_trials = CONTROLS["W*, 640 trials"], CONDITIONS["W*D*C"]
    after = CONTROLS["W*, One-choice inference after Go/NoGo"]
    parts = [
        runs(with_640_trials, {task: 0.6 + luck for task, _ in with_640_trials.tasks}),
        runs(with_all_trials, {task: 0.8 + luck for task, _ in with_all_trials.tasks}),
        runs(CONTROLS["W* shuffled off the diagonal, all trials"], {"go_nogo": 0.7 + luck}),
        runs(after, {"one_choice": 0.85 + luck[:7]}),
    ]
    archive = pd.concat(parts)
    table = control_tables.accuracy_by_trials(archive, field="f")
    means = table.set_index(["start", "n_train", "task"])["mean"]
    assert len(means) == 7
    assert means["W*", 640, "go_nogo"] == pytest.approx(0.6 + luck.mean())
    assert means["W*", 5120, "go_nogo"] == pytest.approx(0.8 + luck.mean())
    assert means["W* shuffled off the diagonal", 5120, "go_nogo"] == pytest.approx(
        0.7 + luck.mean()
    )
    assert figures.accuracy_along(table, "n_train", lines="start", label="trials").axes
    (gain,) = control_tables.transfer(archive, field="f").to_dict("records")
    assert (gain["start"], gain["first_task"], gain["task"]) == ("W*", "go_nogo", "one_choice")
    assert gain["pairs"] == 7
    assert gain["alone"] == pytest.approx(0.8 + luck[:7].mean())
    bounds = [gain[name] for name in ("difference", "difference_low", "difference_high")]
    np.testing.assert_allclose(bounds, 0.05, atol=1e-12)
    assert control_tables.transfer(archive, field="g").empty


def test_figures_show_every_prediction_and_control_that_was_run():
    archive = some_runs()
    asked = [one for one in PREDICTIONS if one.metric == "accuracy"]
    outcomes = judgement.outcomes(archive, fields=["5_3_4"], predictions=asked)
    assert figures.claims(outcomes).axes[0].get_title(loc="left") == "5_3_4"
    run = outcomes[~outcomes["outcome"].isin(["not run", "withdrawn"])]
    (axes,) = figures.predictions(outcomes).axes
    assert len(axes.get_yticklabels()) == len(run) > 0
    one = [one for one in asked if one.condition == "scaled identity" and one.against == "W*D*"]
    twice = judgement.outcomes(archive, fields=["5_6_8"], predictions=one)
    assert twice["outcome"].tolist() == ["not run"] * 2
    twice = twice.assign(outcome=["open", "confirmed"], difference_low=-0.05, difference_high=0.12)
    (axes,) = figures.predictions(twice.assign(difference=0.05)).axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["scaled identity\nless W*D*", "scaled identity\nless W*D* (or more)"]
    cells = control_tables.beside_reference(archive, CONTROLS.values(), fields=["5_3_4"])
    drawn = figures.beside_reference(cells)
    labels = [label.get_text().replace("\n", " ") for label in drawn.axes[0].get_yticklabels()]
    assert labels == list(dict.fromkeys(cells["control"]))
    turned = figures.beside_reference(cells, rows="task", panels="control")
    assert len(turned.axes) == cells["control"].nunique()
    for draw in (figures.claims, figures.predictions, figures.beside_reference):
        with pytest.raises(ValueError, match="at least one"):
            draw(outcomes.head(0))


def drawn_outcomes():
    """Outcomes of three predictions on one field: one that says something, and two that do not."""
    names = ["scaled identity", "WD on a matched grid", "W* that is penalised on the diagonal too"]
    rows = pd.DataFrame({"condition": names, "against": "W*D*", "claim": "function", "field": "f"})
    rows = rows.assign(task=None, metric="accuracy", low=-0.1, high=0.1)
    rows = rows.assign(difference=0.0, difference_low=-0.05, difference_high=0.05)
    says = ["against", "cannot tell", "withdrawn"]
    return rows.assign(outcome=["confirmed", "confirmed", "withdrawn"], says=says)


def legend_of(figure):
    """What the legend of a figure explains."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_figures_show_what_says_nothing_and_count_it_as_such():
    outcomes = drawn_outcomes()
    shown = figures.predictions(outcomes)
    assert {"cannot tell", "withdrawn"} <= set(legend_of(shown))
    faces = [line.get_markerfacecolor() for line in shown.axes[0].lines if line.get_marker() == "o"]
    assert faces.count("white") == 1
    (axes,) = figures.claims(outcomes).axes
    widths = [bar.get_width() for bar in axes.patches]
    assert sorted(widths) == [0, 0, 0, 0, 1, 1]  # one against, one that cannot tell
    assert "withdrawn" not in legend_of(figures.claims(outcomes))
    plain = figures.predictions(outcomes.head(1))
    assert not {"cannot tell", "withdrawn"} & set(legend_of(plain))
    not_run = outcomes.assign(difference=np.nan)
    with pytest.raises(ValueError, match="at least one"):
        figures.predictions(not_run)


def test_the_figures_of_the_theory():
    drawn = figures.leaky_unit({"start": np.linspace(0.1, 0.9, 24)})
    assert len(drawn.axes[0].lines) == 3
    needed = {task: 0.8 for task in ("one_choice", "perceptual", "go_nogo")}
    table = leaky_units.memory_measures(kept_weights("6_6_2"))
    assert len(figures.two_ways(table, needed=needed).axes) == 3


# --- the largest pull that leaves memory


def by_gradient(*rows):
    return pd.DataFrame(rows, columns=["variant", "task", "gradient", "mean"])


def test_largest_gradient_has_a_column_for_a_task_that_no_base_reached():
    table = by_gradient(
        ("W", "go_nogo", 1.0, 0.9),
        ("W", "go_nogo", 0.01, 1.0),
        ("WD*", "go_nogo", 0.17, 0.9),
        ("WD*", "go_nogo", 0.5, 0.4),
        ("W*D*", "go_nogo", 7.0, 1.0),  # no base of the sweep
        ("W", "one_choice", 1.0, 0.6),
    )
    levels = {"one_choice": 0.8, "go_nogo": 0.75}
    largest = control_tables.largest_gradients(table, levels=levels)
    assert list(largest.columns) == list(levels)
    assert largest["go_nogo"].to_dict() == {"W": 1.0, "WD*": 0.17}
    assert largest["one_choice"].isna().all()
    assert "fewer than two" in control_tables.spread_in_words(largest["one_choice"])
    assert control_tables.spread_in_words(largest["go_nogo"]) == "a factor of about 6"


def test_largest_gradient_of_nothing_has_no_rows():
    for table in (by_gradient(), pd.DataFrame()):
        largest = control_tables.largest_gradients(table, levels={"go_nogo": 0.75})
        assert largest.shape == (0, 1)
        assert "fewer than two" in control_tables.spread_in_words(largest["go_nogo"])


def test_every_field_with_gradients_has_words_for_every_task():
    archive = load_archive()
    levels = {
        name: leaky_units.leaky_accuracy(task, [0.0, 1.0]).mean() for name, task in TASKS.items()
    }
    for field in set(control_tables.load_penalty_gradients()["field"]):
        table = control_tables.accuracy_by_gradient(archive, field=field)
        largest = control_tables.largest_gradients(table, levels=levels)
        assert all(control_tables.spread_in_words(largest[name]) for name in TASKS)
