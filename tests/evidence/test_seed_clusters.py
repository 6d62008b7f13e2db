"""Runs that share a seed: simultaneous intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.seed_clusters import simultaneous_intervals

SLEEP = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]  # Student 1908
ENDS = ["difference_low", "difference_high"]


def intervals(table, seed=0, **options):
    return simultaneous_intervals(pd.DataFrame(table), rng=np.random.default_rng(seed), **options)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_one_contrast_has_the_ordinary_t_interval(level):
    (row,) = intervals({"a": SLEEP}, level=level).itertuples()
    mean, low, high = t_interval(SLEEP, level=level)
    assert row.difference == pytest.approx(mean)
    assert (row.difference_low, row.difference_high) == pytest.approx((low, high), rel=0.02)
    assert row.p == pytest.approx(stats.ttest_1samp(SLEEP, 0).pvalue, abs=2e-3)
    assert row.seeds == 10


def test_perfectly_correlated_contrasts_have_the_single_interval():
    # Scale, sign and mean of a contrast do not matter.
    table = pd.DataFrame({k: SLEEP for k in range(30)}) * np.resize([3.0, -0.2], 30) + range(30)
    single = intervals({0: table[0]})
    several = intervals(table)
    assert several.loc[0, ENDS].tolist() == pytest.approx(single.loc[0, ENDS].tolist())


@pytest.mark.parametrize("k", [2, 10, 60])
def test_independent_contrasts_approach_sidak(k):
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(40, k)))
    result = intervals(table, n_rotations=20_000)
    half = (result["difference_high"] - result["difference_low"]) / 2 / table.sem()
    single, joint = (stats.t.isf((1 - 0.95 ** (1 / n)) / 2, 39) for n in (1, k))
    assert half.to_numpy() == pytest.approx(joint, rel=0.03)
    assert joint > 1.1 * single


def test_intervals_hold_together_as_often_as_they_say():
    # Twelve contrasts that share most of their scatter: 0.95 together, which takes less than Sidak.
    rng = np.random.default_rng(2)
    held, widths = [], []
    for _ in range(200):
        table = pd.DataFrame(rng.normal(size=(20, 1)) + 0.5 * rng.normal(size=(20, 12)))
        low, high = intervals(table, n_rotations=500, seed=rng)[ENDS].to_numpy().T
        held.append(((low <= 0) & (high >= 0)).all())
        widths.append(np.median((high - low) / 2 / table.sem()))
    assert 0.9 <= np.mean(held) <= 0.99
    single, sidak = (stats.t.isf((1 - 0.95 ** (1 / n)) / 2, 19) for n in (1, 12))
    assert single < np.mean(widths) < 0.95 * sidak


def test_adjusted_p_agrees_with_the_intervals():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(loc=np.linspace(0, 1.5, 15), size=(20, 15)))
    result = intervals(table)
    outside = (result["difference_low"] > 0) | (result["difference_high"] < 0)
    assert outside.any() and not outside.all()
    assert ((result["p"] < 0.05) == outside).all()


@pytest.mark.filterwarnings("error")
def test_seeds_may_be_missing():
    table = pd.DataFrame(np.random.default_rng(4).normal(size=(20, 4)), columns=list("abcd"))
    table.loc[5:, "b"], table["c"], table.loc[1:, "d"] = np.nan, np.nan, np.nan
    result = intervals(table)
    assert result["seeds"].tolist() == [20, 5, 0, 1]
    assert result.loc["a", "difference"] == pytest.approx(table["a"].mean())
    assert result.loc[["c", "d"], ENDS].isna().all(axis=None)
    assert np.isnan(result.loc["c", "difference"])
    # Each has the t distribution of its own number of seeds, at a common level.
    half = (result["difference_high"] - result["difference_low"]) / 2 / table.sem()
    levels = 2 * stats.t.sf(half[["a", "b"]], [19, 4])
    assert levels[0] == pytest.approx(levels[1])
    assert levels[0] == pytest.approx(1 - 0.95**0.5, rel=0.06)
    assert intervals(table[["a"]]).loc["a"].tolist() == pytest.approx(
        intervals(table[["a", "c", "d"]]).loc["a"].tolist()
    )


@pytest.mark.filterwarnings("error")
def test_seeds_that_all_agree_do_not_widen_other_intervals():
    result = intervals({"same": [0.1 + 0.2] * 5 + [0.3] * 5, "a": SLEEP})
    assert result.loc["same", ENDS].tolist() == pytest.approx([0.3, 0.3])
    assert np.isnan(result.loc["same", "p"])
    assert result.loc["a"].tolist() == pytest.approx(intervals({"a": SLEEP}).loc["a"].tolist())
    assert intervals({"same": [0.3] * 5}).loc["same", ENDS].tolist() == pytest.approx([0.3, 0.3])


def test_equal_generators_give_equal_intervals_and_the_table_stays_as_it_is():
    table = pd.DataFrame(np.random.default_rng(5).normal(size=(20, 6)))
    before = table.copy()
    pd.testing.assert_frame_equal(intervals(table), intervals(table))
    pd.testing.assert_frame_equal(table, before)
    assert not intervals(table).equals(intervals(table, seed=1))


def test_names_of_contrasts_may_have_several_levels():
    names = pd.MultiIndex.from_product(
        [["6_6_2", "5_3_4"], ["one_choice"]], names=["field", "task"]
    )
    table = pd.DataFrame(np.random.default_rng(6).normal(size=(9, 2)), columns=names)
    assert intervals(table).index.equals(names)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pd.DataFrame({"a": SLEEP}), {"level": 95}, "level is 95; give a probability"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), {}, "column a occurs twice"),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=[3, 3]), {}, "row 3 occurs twice"),
        (pd.DataFrame({"a": [1.0, np.inf]}), {}, "leave out runs that diverged"),
        (pd.DataFrame({"a": SLEEP}), {"n_rotations": 0}, "n_rotations must be"),
    ],
)
def test_wrong_tables_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        intervals(table, **options)
