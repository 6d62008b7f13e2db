"""Time until learned: against statsmodels, scipy and closed forms."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from cortexrnn.evidence import learning_speed as speed

LEARNED, NOT = [0.5, 0.8, 0.9], [0.5, 0.5, 0.5]
NEVER = 10


def runs(variants, *, field="6_6_2", sign="free", task="one_choice"):
    """Runs of variants by seed; each is the epoch in which it learned, 0 for never, -1 diverged."""
    rows = []
    for variant, epochs in variants.items():
        for seed, epoch in enumerate(epochs):
            history = [0.6] * NEVER
            if epoch > 0:
                history = [0.6] * (epoch - 1) + [0.9] * (NEVER - epoch + 1)
            rows.append(
                {
                    "field": field, "sign": sign, "task": task, "variant": variant, "seed": seed,
                    "relation": "correlation", "protocol": "published", "data_seed": 0,
                    "epochs": NEVER, "n_train": 5120, "batch_size": 128, "diverged": epoch < 0,
                    "history_accuracy": [] if epoch < 0 else history,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_every_variant_is_paired_with_one_that_lacks_a_prior():
    pairs = speed.variant_pairs()
    assert pairs.groupby("kind", sort=False).size().to_dict() == {
        "W* for W": 2, "W! for W*": 2, "D* for D": 3, "C for none": 2, "C* for none": 1
    }  # fmt: skip
    named = set(pairs[["one", "two"]].itertuples(index=False, name=None))
    assert {("W*D*C", "WD*C"), ("W!D*C", "W*D*C"), ("W*D*C*", "W*DC*"), ("WDC", "WD")} <= named


def test_a_run_has_learned_in_the_first_epoch_above_the_level():
    table = runs({"WD": [1, 3, 0, -1]})
    table.at[1, "history_accuracy"] = [0.6, 0.7, 0.9, 0.6, *[0.6] * 6]
    times = speed.time_until_learned(table)
    assert times["epoch"].tolist() == [1, 3, NEVER, NEVER]
    assert times["updates"].tolist() == [40, 120, 400, 400]
    assert times["has_learned"].tolist() == [True, True, False, False]
    assert times["kept"].tolist() == [True, False, False, False]
    # 0.625 is what a network without memory reaches; 0.7 is not 0.1 above it, but 0.05.
    assert speed.time_until_learned(table, above=0.05)["epoch"].tolist()[1] == 2


def test_a_run_that_passed_the_level_and_diverged_has_not_learned():
    table = runs({"WD": [2]}).assign(diverged=True)
    times = speed.time_until_learned(table)
    assert not times["has_learned"].any() and times["epoch"].tolist() == [NEVER]


def test_runs_of_other_lengths_and_tasks_are_refused():
    table = runs({"WD": [1, 1]})
    with pytest.raises(ValueError, match=r"epochs is \[5, 10\]"):
        speed.time_until_learned(table.assign(epochs=[5, 10]))
    with pytest.raises(ValueError, match="task"):
        speed.time_until_learned(table.assign(task="knitting"))


def test_shares_are_those_of_kaplan_and_meier_and_their_area_the_mean_time():
    epochs = [1, 1, 3, 7, 10, 0, 0, -1]
    table = speed.speed_by_condition(speed.time_until_learned(runs({"WD": epochs})))
    assert table["share"].tolist() == pytest.approx(
        [0, *[2 / 8] * 2, *[3 / 8] * 4, *[4 / 8] * 3, 5 / 8]
    )
    assert table["mean_epochs"].iloc[0] == pytest.approx(np.mean([1, 1, 3, 7, *[10] * 4]))
    assert table["diverged"].iloc[0] == 1
    low, high = stats.binomtest(5, 8).proportion_ci(method="exact")
    assert table[["low", "high"]].iloc[-1].tolist() == pytest.approx([low, high])
    assert table["high"].iloc[0] > 0  # none of eight is not none at all


def test_the_statistic_is_that_of_the_log_rank_test():
    # Freireich 1963, times of remission in weeks (6-MP, placebo), a textbook example: of 30 events
    # 9 were seen with 6-MP and 19.25 expected, chi-square 16.79 (Collett, Kleinbaum and Klein).
    treated = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    seen = [1] * 9 + [0] * 12
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    statistic, p = speed.paired_log_rank((treated, seen), (placebo, [1] * 21))
    assert statistic == pytest.approx(9 - 19.25, abs=0.005)
    assert p < 0.01
    time, event = np.array(treated + placebo), np.array(seen + [1] * 21)
    chi2, _ = survdiff(time, event, np.repeat([0, 1], 21))
    assert chi2 == pytest.approx(16.79, abs=0.01)
    assert np.sign(statistic) == -1


def test_the_p_value_is_that_of_exchanging_the_members_of_every_pair():
    rng = np.random.default_rng(3)
    one, two = rng.integers(1, 11, (2, 7))
    seen = rng.random((2, 7)) < 0.7
    statistic, p = speed.paired_log_rank((one, seen[0]), (two, seen[1]))
    exchanged = []
    for swap in itertools.product([False, True], repeat=7):
        times = np.where(swap, two, one), np.where(swap, one, two)
        events = np.where(swap, seen[1], seen[0]), np.where(swap, seen[0], seen[1])
        exchanged.append(speed.paired_log_rank((times[0], events[0]), (times[1], events[1]))[0])
    assert p == pytest.approx(np.mean(np.abs(exchanged) >= abs(statistic) - 1e-9))


def test_with_one_stratum_per_pair_the_log_rank_test_is_the_sign_test():
    # Why the statistic of the book is exchanged instead: the strata forget by how much.
    one, two = np.array([1, 2, 3, 1, 4]), np.array([9, 8, 1, 7, 4])
    chi2, _ = survdiff(
        np.concatenate([one, two]), np.ones(10, dtype=int), np.repeat([0, 1], 5),
        strata=np.tile(np.arange(5), 2),
    )  # fmt: skip
    assert chi2 == pytest.approx((3 - 1) ** 2 / 4)


def test_flipping_signs_gives_the_p_value_of_scipy():
    values = np.array([3.0, -1.0, 2.0, 2.0, 0.0, np.nan, 5.0, -0.5])
    kept = values[~np.isnan(values)]
    found = stats.permutation_test(
        (kept,), lambda x, axis: x.sum(axis), permutation_type="samples", vectorized=True,
        n_resamples=np.inf,
    )  # fmt: skip
    assert speed.sign_flip_p(values) == pytest.approx(found.pvalue)
    assert speed.sign_flip_p([0.0, 0.0]) == 1
    assert np.isnan(speed.sign_flip_p([np.nan]))
    assert speed.sign_flip_p(np.ones(10)) == 2 / 2**10


def test_flips_that_are_drawn_are_near_those_that_are_counted(monkeypatch):
    values = np.random.default_rng(0).normal(0.4, 1, 12)
    exact = speed.sign_flip_p(values)
    monkeypatch.setattr(speed, "MOST_EXACT", 4)
    assert speed.sign_flip_p(values) == pytest.approx(exact, abs=0.005)


def test_more_often_and_faster_are_told_apart():
    # W*D*C always learns, and where WD*C does too it is two epochs later; it fails in half.
    times = speed.time_until_learned(runs({"W*D*C": [2] * 12, "WD*C": [4] * 6 + [0] * 6}))
    row = speed.speed_effects(times).iloc[0]
    assert (row["only_one"], row["only_two"], row["both"]) == (6, 0, 6)
    assert (row["first_one"], row["first_two"]) == (12, 0)
    assert row["lead"] == 2 and np.isnan(row["lead_low"])  # all six alike: no scatter
    assert row["gain"] == pytest.approx((6 * 2 + 6 * 8) / 12)
    assert row["gain_low"] < row["gain"] < row["gain_high"]
    assert row["p_often"] == pytest.approx(2 / 2**6)
    assert row["p_lead"] == pytest.approx(2 / 2**6)
    assert row["p_time"] == pytest.approx(2 / 2**12)


def test_p_values_are_adjusted_over_all_comparisons_of_a_sign():
    ahead = {"W*D*C": [1] * 8, "WD*C": [5] * 8}
    one = speed.speed_effects(speed.time_until_learned(runs(ahead)))
    tables = [runs(ahead), runs(ahead, field="5_3_4"), runs(ahead, sign="positive")]
    three = speed.speed_effects(speed.time_until_learned(pd.concat(tables, ignore_index=True)))
    assert three["p_time"].tolist() == pytest.approx([2 * one["p_time"].iloc[0]] * 2 + [2 / 2**8])


def test_pairs_are_runs_of_one_seed():
    table = runs({"W*D*C": [1, 2, 3], "WD*C": [4, 5, 6]})
    table = table[~((table["variant"] == "WD*C") & (table["seed"] == 0))]
    shuffled = table.sample(frac=1, random_state=1)
    row = speed.speed_effects(speed.time_until_learned(shuffled)).iloc[0]
    assert (row["pairs"], row["gain"]) == (2, 3)
    with pytest.raises(ValueError, match="a run occurs twice"):
        speed.speed_effects(speed.time_until_learned(pd.concat([table, table])))
    with pytest.raises(ValueError, match="protocol"):
        mixed = table.assign(protocol=["published"] * 4 + ["corrected"])
        speed.speed_effects(speed.time_until_learned(mixed))


def test_outcomes_are_counted_and_written_for_a_reader():
    effects = pd.DataFrame(
        {
            "kind": ["W* for W"] * 3 + ["D* for D"],
            "p_time": [0.01, 0.01, 0.2, np.nan], "events_more": [3, -3, 9, 0],
            "p_often": [0.01, 0.3, 1, 1], "only_one": [9, 0, 0, 0], "only_two": [0, 3, 0, 0],
            "p_lead": [np.nan, 0.04, 0.04, np.nan], "lead": [np.nan, 2, -1, np.nan],
            "both": [0, 9, 9, 0],
        }
    )  # fmt: skip
    counts = speed.count_outcomes(effects)
    assert list(counts.index) == list(speed.KINDS)
    assert counts.loc["W* for W"].tolist() == [3, 1, 1, 1, 0, 2, 1, 1]
    assert counts.loc["C for none"].tolist() == [0] * 8
    words = speed.outcomes_in_words(counts)
    assert words.loc["W* for W"].tolist() == ["3", "1 / 1", "1 / 0", "2", "1 / 1"]


def test_another_level_changes_what_counts_as_learned():
    table = runs({"W*D*C": [1] * 8, "WD*C": [5] * 8})
    counts = speed.by_level(table, above=(0.1, 0.3))  # 0.9 is not 0.3 above 0.625
    function = counts[counts["kind"] == "W* for W"]
    assert function.set_index("above")["earlier"].to_dict() == {0.1: 1, 0.3: 0}


def test_survival_of_the_package_is_used_as_it_is():
    curve = SurvfuncRight(np.array([1, 2, 3]), np.array([1, 0, 1]))
    assert curve.surv_prob.tolist() == pytest.approx([2 / 3, 0])
