"""Runs that share a seed: how alike they are, and intervals that hold together."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.seed_clusters import (
    correlations_in_words,
    design_effects,
    designs_in_words,
    effective_number,
    gains_by_seed,
    outcomes_by_seed,
    shared_outcomes,
    simultaneous_intervals,
)

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


# --- how alike runs of a seed are


def cells(**outcomes):
    """Runs of cells, named ``variant`` or ``variant_sign``, whose seeds learned (1) or not (0)."""
    parts = []
    for name, learn in outcomes.items():
        variant, arm, task = NAMES[name]
        accuracy = np.where(np.asarray(learn) == 1, 1.0, 0.5)
        columns = {"field": "f", "arm": arm, "variant": variant, "task": task}
        parts.append(
            pd.DataFrame({"seed": range(len(learn)), "accuracy": accuracy}).assign(**columns)
        )
    return pd.concat(parts, ignore_index=True)


NAMES = {
    "star": ("W*D*C", "corr", "go_nogo"),
    "star_positive": ("W*D*C", "corr+sign", "go_nogo"),
    "star_other": ("W*D*C*", "corr", "go_nogo"),
    "star_perceptual": ("W*D*C", "corr", "perceptual"),
    "relabelled": ("W!D*C", "corr", "go_nogo"),
    "relabelled_positive": ("W!D*C", "corr+sign", "go_nogo"),
    "relabelled_perceptual": ("W!D*C", "corr", "perceptual"),
    "orthogonal": ("WD*C", "corr", "go_nogo"),
}
ONE, TWO = [1, 1, 0, 1, 0, 1, 1, 1], [1, 0, 1, 1, 1, 0, 1, 1]


def test_outcomes_are_listed_by_seed_and_cell():
    table = cells(star=ONE, relabelled=TWO)
    table.loc[0, "accuracy"] = np.nan  # diverged: has not learned
    result = outcomes_by_seed(table[~((table["seed"] == 7) & (table["variant"] == "W!D*C"))])
    assert result["corr", "W*D*C", "go_nogo"].tolist() == [0, *ONE[1:7]]
    assert result["corr", "W!D*C", "go_nogo"].tolist() == TWO[:7]
    with pytest.raises(ValueError, match="has a seed more than once"):
        outcomes_by_seed(pd.concat([table, table]))


def test_cells_that_always_agree_tell_as_much_as_one():
    names = ("star", "star_positive", "star_other")
    (row,) = design_effects(cells(**dict.fromkeys(names, ONE))).to_dict("records")
    assert row["design_effect"] == pytest.approx(3)
    assert row["correlation"] == pytest.approx(1)
    assert (row["cells"], row["seeds"], row["share"]) == (3, 8, 0.75)


def test_the_design_effect_is_the_ratio_of_variances():
    rng = np.random.default_rng(0)
    common = rng.random(400)
    learn = {name: (common + rng.random(400) < 1.2).astype(int) for name in list(NAMES)[:3]}
    runs = cells(**learn)
    (row,) = design_effects(runs).to_dict("records")
    table = outcomes_by_seed(runs)
    independent = table.var(ddof=1).sum() / 3**2
    assert row["design_effect"] == pytest.approx(table.mean(axis=1).var(ddof=1) / independent)
    assert row["correlation"] == pytest.approx(
        table.corr().to_numpy()[np.triu_indices(3, 1)].mean(), abs=0.01
    )
    assert 1.5 < row["design_effect"] < 2.5


def test_independent_cells_have_no_design_effect():
    rng = np.random.default_rng(1)
    learn = {name: (rng.random(2000) < 0.8).astype(int) for name in list(NAMES)[:3]}
    (row,) = design_effects(cells(**learn)).to_dict("records")
    assert row["design_effect"] == pytest.approx(1, abs=0.1)


def test_cells_without_scatter_and_other_starts_are_kept_apart():
    always = [1] * 8
    table = cells(star=ONE, star_other=ONE, star_positive=always, relabelled=TWO, orthogonal=ONE)
    (row,) = design_effects(table).to_dict("records")
    assert (row["start"], row["cells"]) == ("functional", 2)
    assert design_effects(cells(star=always, star_other=always)).empty


def test_correlations_are_listed_by_what_runs_share():
    three = [0, 1, 1, 1, 1, 1, 0, 0]
    table = cells(
        star=ONE, star_positive=ONE, relabelled=TWO, relabelled_positive=TWO, star_perceptual=three,
        relabelled_perceptual=ONE, orthogonal=ONE,
    )  # fmt: skip
    result = shared_outcomes(table).set_index("shared")
    assert set(result["field"]) == {"f"}
    # W* with W*, W! with W! of one variant; W* with W!; W* with W* of the other task.
    assert result["pairs"].to_dict() == {"both": 2, "input weights": 5, "recurrent weights": 2}
    assert result.loc["both", "correlation"] == pytest.approx(1)
    assert result.loc["recurrent weights", "correlation"] == pytest.approx(
        np.corrcoef(ONE, three)[0, 1]
    )


def test_without_two_cells_there_is_no_correlation():
    assert shared_outcomes(cells(star=ONE)).empty
    assert shared_outcomes(cells(orthogonal=ONE)).empty


def test_design_effects_are_said_in_words():
    table = cells(star=ONE, star_positive=ONE, relabelled=TWO, relabelled_positive=TWO)
    expected = "go nogo, 2 cells count as 1.0 independent ones"
    assert designs_in_words(design_effects(table), field="f") == expected
    assert designs_in_words(design_effects(table), field="other") == "not run yet"


def test_runs_of_a_seed_count_once_where_they_say_the_same():
    assert effective_number([0, 1, 2]) == effective_number([0, 0, 1, 1, 2, 2]) == 3
    assert effective_number([0, 0, 0, 1]) == pytest.approx(16 / 10)
    assert effective_number([]) == 0


def test_runs_of_a_seed_count_all_where_they_are_independent():
    assert effective_number([0, 0, 1, 1, 2, 2], correlation=0) == 6
    # Kish 1965, equal clusters of m: n / (1 + (m - 1) r).
    assert effective_number(np.repeat(range(20), 6), correlation=0.4) == pytest.approx(120 / 3)
    with pytest.raises(ValueError, match="correlation is -1"):
        effective_number([0, 0], correlation=-1)


def test_the_two_ways_to_count_seeds_are_one():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(40, 1))
    outcomes = shared + rng.normal(size=(40, 3)) > 0
    cells = ("W*D*", "W*D*C", "W*D*C*")
    table = pd.DataFrame(
        {"field": "f", "arm": "corr", "task": "go_nogo", "variant": variant, "seed": seed,
         "accuracy": 0.9 if outcomes[seed, place] else 0.5}
        for place, variant in enumerate(cells)
        for seed in range(40)
    )  # fmt: skip
    row = design_effects(table).iloc[0]
    independent = effective_number(table["seed"], correlation=row["correlation"])
    assert 1.2 < row["design_effect"] < 3
    assert independent == pytest.approx(len(table) / row["design_effect"])


def test_gains_are_those_of_every_seed():
    table = cells(star=[1, 1], star_other=[1, 0], relabelled=[1, 0], orthogonal=[0, 0])
    gains = gains_by_seed(table)
    # Accuracy is 1 or 0.5; the second seed has 0.75 from W*, 0.5 from W! and 0.5 orthogonal.
    assert gains["go_nogo"].tolist() == [0.5, 0.125]
    table.loc[0, "accuracy"] = np.nan
    assert np.isnan(gains_by_seed(table).loc[0, "go_nogo"])


def test_correlations_are_said_in_words():
    table = pd.DataFrame(
        {"shared": ["both", "both", "input weights"], "correlation": [0.9, 0.75, -0.001]}
    )
    assert correlations_in_words(table) == {
        "both": "0.75 to 0.90", "input weights": "0.00", "recurrent weights": "not run yet"
    }  # fmt: skip
