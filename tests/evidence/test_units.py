"""Units of starts: their memory against closed forms and the network itself, and what ships."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cortexrnn.evidence import units
from cortexrnn.evidence.intervals import share_interval
from cortexrnn.evidence.leaky_units import learned, needed_self_connection
from cortexrnn.evidence.units import (
    CONDITIONS_OF_STARTS,
    KINDS,
    last_states,
    learned_by_account,
    learned_by_count,
    load_traces,
    load_units,
    memory_trials,
    runs_with_features,
    separations,
    shares_as_text,
    start_features,
    strongest_units,
    trace_summary,
)
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import training
from cortexrnn.networks.ensemble import logits
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.priors import SPECTRAL_RADIUS
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import PROBLEMS, TASKS
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.controls import AT_DOSE, CONDITIONS

N = 70


@pytest.fixture(scope="module")
def archive():
    return load_archive()


@pytest.fixture(scope="module")
def listed():
    return load_units()


@pytest.fixture(scope="module")
def table(archive, listed):
    return runs_with_features(archive, listed, fields=["5_3_4"], conditions=["W*D*", "W!D*C"])


def unit(task, own, *weights, identity="run"):
    """Rows of units, the strongest first, each with its input weights."""
    return pd.DataFrame(
        {"identity": identity, "task": task, "n_neurons": N, "rank": range(1, len(weights) + 1),
         "unit": range(len(weights)), "self_connection": own, "input_weights": list(weights)}
    )  # fmt: skip


def features(task, own, *weights):
    return start_features(unit(task, own, *weights)).loc["run"]


def test_trials_are_those_that_memory_alone_tells_apart():
    inputs, pairs = memory_trials(TASKS["one_choice"])
    assert len(inputs) == len(PROBLEMS)
    shown = inputs[:, :, :4].sum(axis=1).argmax(axis=1)
    assert sorted(map(tuple, np.sort(shown[pairs]).tolist())) == [(0, 3), (1, 2), (1, 2)]
    inputs, pairs = memory_trials(TASKS["go_nogo"])
    assert (len(inputs), len(pairs)) == (2, 1)
    inputs, pairs = memory_trials(TASKS["perceptual"])
    assert (len(inputs), len(pairs)) == (8, 16)  # two angles at four coherences but zero
    larger = inputs[:, 10, 1] > inputs[:, 10, 2]
    assert (larger[pairs[:, 0]] != larger[pairs[:, 1]]).all()


def test_a_single_unit_filters_as_the_closed_form_says():
    w, k, steps = 0.9, 0.2, 30
    state = last_states(np.ones((1, steps, 1)), [[k]], [w])
    assert state[0, 0] == pytest.approx(k * (1 - w**steps) / (1 - w))
    assert last_states(np.ones((1, steps, 1)), [[-k]], [w])[0, 0] == 0
    held = np.r_[np.ones(10), np.zeros(20)][None, :, None]
    expected = k * (1 - w**10) / (1 - w) * w**20
    assert last_states(held, [[k]], [w])[0, 0] == pytest.approx(expected)


def test_states_are_those_of_the_network():
    rng = np.random.default_rng(0)
    inputs, recurrent, bias = rng.random((5, 12, 3)), rng.normal(0, 0.3, (6, 6)), rng.random(6) / 9
    weights = rng.normal(0, 1, (3, 6))
    network = {"input": weights, "recurrent": recurrent, "bias": bias, "output": np.eye(6),
               "output_bias": np.zeros(6)}  # fmt: skip
    tensors = {name: torch.from_numpy(value)[None] for name, value in network.items()}
    expected = logits(tensors, torch.from_numpy(inputs).transpose(0, 1))[0].numpy()
    np.testing.assert_allclose(last_states(inputs, weights, recurrent, bias=bias), expected)
    alone = last_states(inputs, weights, np.diag(recurrent), bias=bias)
    np.testing.assert_allclose(
        alone, last_states(inputs, weights, np.diag(np.diag(recurrent)), bias=bias)
    )


def test_separations_are_differences_within_pairs():
    states = [[0.0, 1.0], [2.0, 1.5], [5.0, 1.0]]
    np.testing.assert_array_equal(separations(states, [[0, 1], [1, 2]]), [[2, 0.5], [3, 0.5]])


def test_the_strongest_units_are_those_of_the_start():
    field = load_field("surrogate")
    spec = RunSpec(field=field.name, field_hash=field.hash_without_events,
                   variant=CONDITIONS["W*D*"].variant, task="one_choice", seed=3)  # fmt: skip
    rows = strongest_units([spec], field)
    weights = initial_weights(spec, field)
    own = np.diag(weights)
    assert rows["self_connection"].tolist() == sorted(own, reverse=True)[: len(rows)]
    assert len(rows) == units.LISTED
    member = training._member(spec, weights, (8, field.n_neurons, 4))
    for row in rows.to_dict("records"):
        assert own[row["unit"]] == row["self_connection"]
        assert row["input_weights"] == member["input"][:, row["unit"]].tolist()
    dose = replace(spec, variant=AT_DOSE["orthogonal", 2].variant)
    assert strongest_units([dose], field)["self_connection"].tolist() == [SPECTRAL_RADIUS] * 2


def test_a_start_whose_relation_is_missing_is_refused():
    field = load_field("surrogate")
    spec = RunSpec(field=field.name, field_hash=field.hash_without_events, relation="response",
                   variant=CONDITIONS["W*D*"].variant, task="one_choice", seed=0)  # fmt: skip
    with pytest.raises(FieldError, match="response"):
        strongest_units([spec], field)


def test_counts_follow_self_connections_and_input_weights():
    needed = needed_self_connection(TASKS["go_nogo"])
    above, below = needed + 0.01, needed - 0.01
    go, nogo, none = [0.1, -0.2, 0.2], [0.1, 0.2, 0.1], [0.1, -0.2, -0.1]
    one = features("go_nogo", [above, below], go, nogo)
    assert (one["strong"], one["excited"], one["opposed"]) == (1, 1, False)
    assert (one["largest"], one["second"]) == (above, below)
    two = features("go_nogo", [above, above], go, nogo)
    assert (two["strong"], two["excited"], two["opposed"]) == (2, 2, True)
    deaf = features("go_nogo", [above, above], none, go)
    assert (deaf["excited"], deaf["opposed"], deaf["strongest_excited"]) == (1, False, False)
    assert features("go_nogo", [above], go)["second"] == 0


def test_opposed_goals_are_those_of_one_pair():
    goal = np.eye(8) * 0.5 - 0.1
    assert not features("one_choice", [0.95, 0.95], *goal[[0, 1]])["opposed"]
    assert features("one_choice", [0.95, 0.95], *goal[[0, 3]])["opposed"]
    assert features("one_choice", [0.95, 0.95], *goal[[2, 1]])["opposed"]


def test_a_unit_that_fixation_inhibits_is_silent():
    heard = features("go_nogo", [0.95], [0.0, -0.2, 0.2])
    wiped = features("go_nogo", [0.95], [-0.2, -0.2, 0.2])
    assert heard["excited"] == wiped["excited"] == 1
    assert not heard["silent"] and wiped["silent"] and wiped["separation"] == 0
    # 20 steps of the cue, then 15 of decay, in units of the largest weight.
    state = 0.2 * (1 - 0.95**20) / 0.05 * 0.95**15
    assert heard["separation"] == pytest.approx(state / np.sqrt(6 / (3 + N)))


def test_every_listed_run_of_the_archive_has_its_units(archive, listed):
    fields = ["5_3_4", "5_6_8", "6_6_2"]
    known = set(listed["identity"])
    for name in CONDITIONS_OF_STARTS:
        runs = archive[(archive["label"] == name) & archive["field"].isin(fields)]
        assert len(runs) == 180
        assert set(runs["identity"]) <= known


def test_starts_of_one_seed_are_shared_as_in_the_archive(archive, listed):
    runs = archive[(archive["field"] == "5_3_4") & (archive["task"] == "go_nogo")]
    runs = runs[runs["seed"] == 4].set_index("label")["identity"]
    by_run = listed.set_index("identity")
    values = ["unit", "self_connection"]
    one, two, relabelled = (by_run.loc[runs[name]] for name in ("W*D*", "W*D*C", "W!D*C"))
    assert one[values].reset_index(drop=True).equals(two[values].reset_index(drop=True))
    assert one["input_weights"].map(list).tolist() == two["input_weights"].map(list).tolist()
    np.testing.assert_array_equal(one["self_connection"], relabelled["self_connection"])
    assert one["unit"].tolist() != relabelled["unit"].tolist()


def test_runs_carry_outcome_and_features(table):
    assert len(table) == 120
    for task, cell in table.groupby("task"):
        assert (cell["learned"] == learned(task, cell["accuracy"])).all()
    assert (table["excited"] <= table["strong"]).all()
    assert {name: table[name].dtype.type for name in ("strong", "silent")} == {
        "strong": np.int64, "silent": np.bool_,
    }  # fmt: skip
    assert set(KINDS) <= set(table.columns)


def test_runs_without_listed_units_are_refused_unless_they_have_none(archive, listed):
    with pytest.raises(ValueError, match=r"units: none of run .* \(W\*D\*\) and 59 others"):
        runs_with_features(archive, listed.iloc[:0], fields=["5_3_4"], conditions=["W*D*"])
    control = AT_DOSE["W*", 0]
    run = archive.iloc[:1].assign(label=control.name, field="5_3_4", seed=0, task="go_nogo")
    found = runs_with_features(run, listed, fields=["5_3_4"], conditions=[control.name])
    assert found[["strong", "separation", "silent"]].iloc[0].tolist() == [0, 0, True]


def outcomes(strong, learned, seed, **columns):
    made = {"task": "go_nogo", "field": "a", "strong": strong, "learned": learned, "seed": seed}
    return pd.DataFrame(made | columns)


def test_seeds_and_not_runs_make_the_interval():
    runs = outcomes([1] * 6, [True, True, True, True, False, False], [0, 0, 1, 1, 2, 2])
    (row,) = learned_by_count(runs).to_dict("records")
    assert (row["runs"], row["seeds"], row["learned"]) == (6, 3, 4)
    assert (row["low"], row["high"]) == pytest.approx(share_interval(2, 3))


def test_four_strong_units_and_more_are_counted_together():
    table = learned_by_count(outcomes([1, 4, 9], [False, True, True], [0, 1, 2]))
    assert table["strong"].tolist() == [1, 4]
    assert table["runs"].tolist() == [1, 2]


def test_accounts_ask_for_one_unit_or_for_two_that_differ():
    runs = outcomes([2, 2, 1], [True, False, True], [0, 1, 2],
                    excited=[2, 1, 0], opposed=[True, False, False])  # fmt: skip
    found = learned_by_account(runs).set_index(["account", "can_learn"])["learned"]
    assert found["one unit"].to_dict() == {True: 1, False: 1}
    assert found["two units"].to_dict() == {True: 1, False: 1}
    sizes = learned_by_account(runs).set_index(["account", "can_learn"])["runs"]
    assert (sizes["one unit", True], sizes["two units", True]) == (2, 1)


def test_traces_begin_with_the_start_and_end_as_the_archive_says(archive, listed):
    traces = load_traces()
    runs = archive.drop_duplicates("identity").set_index("identity")
    starts = listed.set_index("identity")
    for identity, trace in traces.groupby("identity"):
        row = runs.loc[identity]
        assert row["label"] == "W*D*"
        assert (trace["learned"] == learned(row["task"], row["accuracy"])).all()
        first = trace[trace["update"] == 0].head(units.LISTED)
        start = starts.loc[identity]
        assert first["unit"].tolist() == start["unit"].tolist()
        np.testing.assert_array_equal(first["self_connection"], start["self_connection"])
        assert trace["update"].max() == 400
    both = traces.groupby(["field", "task"])["learned"].nunique()
    assert (both == 2).all()


def trace(learned, separations, own):
    """A run with two watched units, of which one is never heard."""
    rows = [
        {"field": "a", "task": "go_nogo", "seed": int(learned), "learned": learned, "rank": rank,
         "update": 5 * look, "self_connection": value - 0.5 * (rank == 2),
         "separation": heard * (rank == 1)}
        for look, (heard, value) in enumerate(zip(separations, own, strict=True))
        for rank in (1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_traces_are_summed_up_by_when_units_fall_silent():
    runs = pd.concat(
        [trace(False, [0.1, 0.04, 0.0], [0.95, 0.94, 0.93]),
         trace(True, [0.0, 0.1, 0.2], [0.95, 1.0, 1.1])]
    )  # fmt: skip
    failed, succeeded = trace_summary(runs).to_dict("records")
    assert (failed["strong"], failed["silent_at_start"], failed["silent_from"]) == (1, False, 5)
    assert (failed["start"], failed["end"]) == (0.95, 0.93)
    assert (succeeded["silent_at_start"], np.isnan(succeeded["silent_from"])) == (True, True)
    assert trace_summary(trace(False, [0, 0], [0.9, 0.9]))["silent_from"].tolist() == [0]


def test_shares_are_written_field_by_field():
    runs = outcomes([1, 2], [True, False], [0, 1])
    text = shares_as_text(learned_by_count(runs))
    assert text.loc[("go_nogo", 1), "a"].startswith("1 of 1, 1 seeds: 1.00 [0.03,")
    both = shares_as_text(learned_by_count(runs.assign(silent=True), by=["silent"]))
    assert both.index.names == ["task", "strong", "silent"]
