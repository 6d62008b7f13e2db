"""Validation less training accuracy, and what it can show."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn import load_archive
from cortexrnn.evidence import generalisation as general
from cortexrnn.evidence.learning_speed import KINDS


def runs(variants, *, task="perceptual"):
    """Runs by seed, each of training and validation accuracy; None diverged."""
    rows = []
    for variant, pairs in variants.items():
        for seed, pair in enumerate(pairs):
            training, validation = pair or (np.nan, np.nan)
            rows.append(
                {
                    "field": "6_6_2", "sign": "free", "task": task, "variant": variant,
                    "seed": seed, "accuracy": training, "validation_accuracy": validation,
                    "diverged": pair is None,
                    "history_accuracy": [] if pair is None else [training - 0.1, training],
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_two_of_three_tasks_have_no_new_trials():
    trials = general.new_trials()
    assert trials["patterns"].to_dict() == {"one_choice": 8, "perceptual": 7680, "go_nogo": 2}
    assert trials["new"].to_dict() == {"one_choice": 0, "perceptual": 2560, "go_nogo": 0}
    assert set(trials["training"]) == {5120} and set(trials["validation"]) == {2560}


def test_gap_is_validation_less_training():
    table = general.with_gap(runs({"WD": [(0.8, 0.9), (0.5, 0.51), None]}))
    assert table["gap"].tolist()[:2] == pytest.approx([0.1, 0.01])
    assert table["late_gain"].tolist()[:2] == pytest.approx([0.1, 0.1])
    assert table["has_learned"].tolist() == [True, False, False]
    assert np.isnan(table["gap"].iloc[2]) and np.isnan(table["late_gain"].iloc[2])
    row = general.gaps_by_condition(table).iloc[0]
    assert (row["runs"], row["learned"]) == (2, 1)
    assert row["gap"] == pytest.approx(0.055) and row["gap_learned"] == pytest.approx(0.1)


def test_gaps_are_compared_between_runs_of_one_seed():
    first = [(0.8, 0.9 + 0.001 * seed) for seed in range(6)]
    second = [(0.6, 0.65)] * 5 + [None]
    table = general.with_gap(runs({"W*D*C": first, "WD*C": second}))
    row = general.gap_effects(table).iloc[0]
    assert (row["kind"], row["pairs"]) == ("W* for W", 5)
    assert row["difference"] == pytest.approx(0.05 + 0.002)
    assert row["difference_low"] > 0.04
    with pytest.raises(ValueError, match="a run occurs twice"):
        general.gap_effects(pd.concat([table, table]))


def test_only_pairs_of_equal_training_accuracy_are_compared():
    first = [(0.88, 0.90), (0.88, 0.91), (0.88, 0.99)]
    second = [(0.89, 0.89), (0.87, 0.89), (0.50, 0.50)]
    table = general.with_gap(runs({"W*D*C": first, "WD*C": second}))
    row = general.at_equal_accuracy(table).iloc[0]
    assert row["pairs"] == 2
    assert row["difference"] == pytest.approx(0.015)
    assert general.at_equal_accuracy(table, within=0.001).empty


def test_differences_are_counted_by_where_their_interval_lies():
    table = pd.DataFrame(
        {
            "kind": ["W* for W"] * 4,
            "difference": [0.004, -0.5, 0.0, 0.1],
            "difference_low": [0.001, -0.9, np.nan, -0.2],
            "difference_high": [0.008, -0.1, np.nan, 0.4],
        }
    )
    counts = general.count_gaps(table)
    assert list(counts.index) == list(KINDS)
    assert counts.loc["W* for W"].to_dict() == {
        "comparisons": 3, "above": 1, "below": 1, "small": 1
    }  # fmt: skip
    assert general.largest_sure(table) == 0.5
    assert general.largest_sure(table.iloc[2:]) == 0


# --- trained again


def test_parts_add_up_to_the_gap():
    measured = pd.DataFrame(
        {
            "task": ["perceptual", "perceptual", "go_nogo"],
            "running_accuracy": [0.85, 0.5, 1.0],
            "noisy_accuracy": [0.88, 0.49, 1.0],
            "training_accuracy": [0.90, 0.5, 1.0],
            "validation_accuracy": [0.895, 0.48, 1.0],
        }
    )
    table = general.with_parts(measured)
    assert table["has_learned"].tolist() == [True, False, True]
    assert table["gap"].iloc[0] == pytest.approx(0.045)
    assert table["last_epoch"].iloc[0] == pytest.approx(0.03)
    assert table["noise"].iloc[0] == pytest.approx(0.02)
    assert table["trials"].iloc[0] == pytest.approx(-0.005)
    total = table[["last_epoch", "noise", "trials"]].sum(axis=1)
    np.testing.assert_allclose(total, table["gap"])
    text = general.parts_as_text(table)
    assert text["runs"].tolist() == [1, 1, 1]
    assert text.loc[1, "outcome"] == "did not learn"
    assert text.loc[1, "trials"] == "-0.0200 [-0.0200,\u00a0-0.0200]"
    assert text.loc[2, "gap"] == "0.0000 [0.0000,\u00a00.0000]"


def test_differences_are_written_with_their_interval():
    table = pd.DataFrame(
        [("W*D*C", "WD*C", 0.00123, -0.0004, 0.0028)],
        columns=["one", "two", "difference", "difference_low", "difference_high"],
    )
    expected = "0.0012 [-0.0004,\u00a00.0028] (W*D*C less WD*C)"
    assert general.effects_in_words(table) == expected
    assert general.effects_in_words(table.head(0)) == "not run yet"


def test_runs_trained_again_are_those_of_the_archive():
    archive = load_archive().set_index("identity")
    measured = general.load_without_noise()
    assert list(measured.columns) == general.MEASURED
    assert measured["identity"].is_unique
    recorded = archive.loc[measured["identity"]].reset_index()
    assert recorded["published"].all()
    for name in ("field", "task", "variant", "seed"):
        assert (measured[name] == recorded[name]).all()
    for name, column in {
        "validation_accuracy": "validation_accuracy",
        "running_accuracy": "accuracy",
    }.items():
        np.testing.assert_allclose(measured[name], recorded[column], atol=1e-5)
