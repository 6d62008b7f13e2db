"""Controls and predictions: what they compare, and how they are judged."""

import json

import numpy as np
import pandas as pd
import pytest

from cortexrnn import controls
from cortexrnn.archive import load_archive, select
from cortexrnn.controls import CONTROLS, PREDICTIONS, PUBLISHED_VARIANTS, Control, Prediction
from cortexrnn.inference import t_interval
from cortexrnn.models import VARIANTS, initial_weights, penalty
from cortexrnn.protocol import PUBLISHED, Variant
from cortexrnn.sources.surrogate import surrogate_field

HASH = "0" * 64
ARMS = PUBLISHED_VARIANTS | CONTROLS


def runs(control, values, *, field="f", metric="accuracy"):
    """Make runs of a control: values by task and seed."""
    rows = [
        {
            "field": field,
            "task": spec.task,
            "seed": spec.seed,
            metric: values[spec.task][spec.seed],
            "diverged": bool(np.isnan(values[spec.task][spec.seed])),
            "identity": spec.identity,
            "specification": json.dumps(spec.resolved()),
        }
        for spec in control.specs(field=field, field_hash=HASH)
        if spec.task in values and spec.seed < len(values[spec.task])
    ]
    return pd.DataFrame(rows)


def test_no_two_arms_are_the_same_runs():
    owners = {}
    for arm in ARMS.values():
        for spec in arm.specs(field="f", field_hash=HASH):
            assert owners.setdefault(spec.identity, arm.name) == arm.name


@pytest.mark.parametrize("name", list(CONTROLS))
def test_a_control_differs_from_its_reference_in_one_thing(name):
    control = CONTROLS[name]
    switches = set(control.variant.switches)
    if len(switches) > 1:
        switches.discard("scaling")  # which says how the other switch is carried out
    protocol = {k for k, v in vars(control.protocol).items() if v != vars(PUBLISHED)[k]} - {"name"}
    strengths = {k for k, _ in control.settings if "strength" in k}
    if protocol & {"strength_unit", "plain_strength"}:
        strengths = set()  # the number belongs to the unit
    missing_cells = ("W*D*", "W*DC", "W*D*, positive", "W* made of STTC alone")
    if name in missing_cells or control.group in ("harder", "environments"):
        assert len(switches | protocol | strengths) <= 1
    else:
        assert len(switches | protocol | strengths) == 1


@pytest.mark.parametrize("name", list(CONTROLS))
def test_every_control_can_be_started_and_penalised(name):
    field = surrogate_field(24)
    spec = next(CONTROLS[name].specs(field=field.name, field_hash=field.hash_without_events))
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


def test_predictions_are_about_arms_that_exist_and_share_tasks():
    for one in PREDICTIONS:
        tasks = [{name for name, _ in ARMS[arm].tasks} for arm in (one.arm, one.against)]
        assert tasks[0] & tasks[1] >= ({one.task} if one.task else set())
        assert tasks[0] & tasks[1]
        assert one.claim in controls.CLAIMS
        assert one.low < one.high


def test_the_eleven_variants_are_found_under_their_recorded_identity():
    archive = load_archive()
    expected = select(archive, field="5_3_4")
    for name in VARIANTS:
        found = controls.runs_of(archive, PUBLISHED_VARIANTS[name], field="5_3_4")
        own = expected[expected["variant"] == name]
        assert set(found["identity"]) == set(own["identity"])
    assert controls.runs_of(archive, CONTROLS["W*D*"], field="nowhere").empty


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.05, 0.05, "confirmed"),
        (-0.1, 0.1, "confirmed"),
        (-0.3, -0.11, "refuted"),
        (0.11, 0.2, "refuted"),
        (-0.2, 0.0, "open"),
        (-0.2, 0.2, "open"),
        (np.nan, np.nan, "open"),
    ],
)
def test_a_prediction_is_judged_by_where_the_interval_lies(low, high, outcome):
    one = Prediction(claim="function", arm="a", against="b", low=-0.1, high=0.1)
    assert one.judge(low, high) == outcome


def test_differences_are_paired_by_seed_and_averaged_over_tasks():
    one, two = CONTROLS["W*D*"], CONTROLS["W* shuffled"]
    rng = np.random.default_rng(0)
    luck = rng.normal(size=20)  # shared by both arms, and larger than what tells them apart
    a = runs(one, {"one_choice": 5 + luck, "go_nogo": 7 - luck})
    b = runs(two, {"one_choice": luck, "go_nogo": -luck}).sample(frac=1, random_state=0)
    both = controls.paired_differences(a, b)
    np.testing.assert_allclose(both, 6.0)
    np.testing.assert_allclose(controls.paired_differences(a, b, task="go_nogo"), 7.0)


def test_a_seed_with_a_diverged_run_has_no_difference():
    values = np.arange(20.0)
    lost = np.where(values == 3, np.nan, values)
    a = runs(CONTROLS["W*D*"], {"one_choice": lost, "go_nogo": values})
    b = runs(CONTROLS["W* shuffled"], {"one_choice": values, "go_nogo": values})
    assert len(controls.paired_differences(a, b)) == 19
    assert len(controls.paired_differences(a, b, task="go_nogo")) == 20


def test_outcomes_and_tables_come_from_the_runs():
    rng = np.random.default_rng(1)
    noise = {task: 0.02 * rng.normal(size=20) for task in ("one_choice", "perceptual", "go_nogo")}
    whole = runs(CONTROLS["W*D*"], {task: 0.95 + n for task, n in noise.items()})
    without = runs(
        CONTROLS["W* without self-connections"], {task: 0.55 - n for task, n in noise.items()}
    )
    archive = pd.concat([whole, without])
    asked = [one for one in PREDICTIONS if one.metric == "accuracy"]
    table = controls.outcomes(archive, fields=["f", "g"], predictions=asked)
    table = table.set_index(["arm", "field"])
    found = table.loc[("W* without self-connections", "f")]
    assert found["outcome"] == "confirmed"
    assert found["difference"] == pytest.approx(-0.4, abs=0.02)
    assert table.loc[("W* without self-connections", "g"), "outcome"] == "not run"
    assert table.loc[("W* shuffled", "f"), "outcome"] == "not run"
    cells = controls.beside_reference(archive, CONTROLS.values(), fields=["f", "g"])
    assert len(cells) == 6
    cell = cells[cells["control"] == "W* without self-connections"].set_index("task")
    assert set(cell["reference"]) == {"W*D*"}
    assert set(cell["field"]) == {"f"}
    in_task = whole[whole["task"] == "go_nogo"]["accuracy"]
    assert cell.loc["go_nogo", "reference_mean"] == pytest.approx(in_task.mean())
    expected = t_interval(without[without["task"] == "go_nogo"]["accuracy"])
    assert tuple(cell.loc["go_nogo", ["mean", "low", "high"]]) == pytest.approx(expected)
    assert cell.loc["go_nogo", "pairs"] == 20


def test_a_strength_does_not_hide_in_a_name():
    one = CONTROLS["WD* at lambda 0.01"]
    other = Control(name="x", variant=Variant.parse("WD*"), group="strength")
    pairs = zip(
        one.specs(field="f", field_hash=HASH), other.specs(field="f", field_hash=HASH), strict=False
    )
    assert all(a.identity != b.identity for a, b in pairs)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (["confirmed", "confirmed", "open", "not run"], "not supported"),
        (["confirmed", "confirmed", "confirmed", "refuted"], "open"),
        (["confirmed", "open", "open"], "open"),
        (["refuted", "refuted", "open"], "supported"),
        (["refuted", "open"], "open"),
        (["not run"], "open"),
    ],
)
def test_a_claim_is_summed_up_from_its_predictions(found, verdict):
    table = controls.verdicts(pd.DataFrame({"claim": "function", "outcome": found}))
    row = table.set_index("claim").loc["function"]
    assert row["verdict"] == verdict
    assert row["confirmed"] == found.count("confirmed")
    assert list(table["claim"]) == list(controls.CLAIMS)
