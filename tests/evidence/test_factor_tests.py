"""Factor tests, effect sizes, the additive model, equivalence and pooled comparisons."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence import effect_sizes, equivalence, factor_tests, linear_model, pooled
from cortexrnn.evidence.design import FACTORS, contexts, levels
from cortexrnn.evidence.intervals import bootstrap_interval, t_interval
from cortexrnn.evidence.published import (
    duplicated_blocks,
    published_effects,
    published_groups,
    published_table,
    same_holm,
)
from cortexrnn.figures import robustness as figures
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import METRICS

TASKS = ("one_choice", "perceptual", "go_nogo")


def make_runs(values=None, *, n_seeds=6, tasks=("one_choice",), rng=None, **columns):
    """Runs of all variants; `values` gives the mean of a variant, noise is added."""
    rng = rng or np.random.default_rng(0)
    rows = []
    for task in tasks:
        for variant in VARIANTS:
            mean = 0.0 if values is None else values.get(variant, 0.0)
            for seed in range(n_seeds):
                row = {"field": "6_6_2", "n_neurons": 312, "relation": "correlation"}
                row |= {"sign": "free", "arm": "corr", "protocol": "published", "data_seed": 0}
                row |= {"variant": variant, "task": task, "seed": seed, "diverged": False}
                rows.append(row | {name: mean + rng.normal() for name in METRICS} | columns)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def published():
    return published_effects()


# --- contexts and the published table


def test_contexts_are_those_of_the_published_table(published):
    design = contexts()
    ours = set(zip(design["factor"], design["context"], strict=True))
    assert ours == set(zip(published["factor"], published["context"], strict=True))
    assert len(ours) == 9


def test_levels_of_a_context_are_the_published_pairs_in_their_order(published):
    design = contexts()
    pairs = published[published["test"] == "mannwhitney"]
    for (factor, context), group in pairs.groupby(["factor", "context"]):
        levels = design[(design["factor"] == factor) & (design["context"] == context)]["level"]
        order = list(levels)
        for one, two in set(zip(group["group_1"], group["group_2"], strict=True)):
            assert order.index(one) < order.index(two)


def test_a_level_of_a_context_is_one_variant():
    design = contexts()
    assert not design.duplicated(["factor", "context", "level"]).any()
    row = design.set_index(["factor", "context", "level"])["variant"]
    assert row["W", "d=d*, c=c*", "w!"] == "W!D*C*"
    assert row["D", "w=w, c=nan", "nan"] == "W"
    assert row["C", "w=w*, d=d*", "c"] == "W*D*C"


def test_absent_level_is_a_word_and_no_missing_value(published):
    pairs = published[published["test"] == "mannwhitney"]
    assert pairs[["group_1", "group_2"]].notna().all(axis=None)
    assert (pairs["group_2"] == "nan").any()


def test_every_published_holm_value_follows_from_the_published_p(published):
    same = same_holm(published)
    assert same.sum() == len(same) == 264


def test_another_pooling_does_not_give_the_published_holm_values(published):
    # That the values agree is no accident of loose rounding: by context they do not.
    pairs = published[published["test"] == "mannwhitney"]
    with factor_tests.cheap_collections():
        by_context = pairs.groupby(["task", "factor", "metric", "context"])["p"].transform(
            lambda p: multipletests(p, method="holm")[1]
        )
    assert (np.abs(by_context / pairs["p_holm"] - 1) > 0.01).sum() > 100


def test_a_holm_value_that_does_not_follow_is_found(published):
    changed = published.copy()
    row = changed.index[changed["test"] == "mannwhitney"][5]
    changed.loc[row, "p_holm"] *= 1.02
    assert same_holm(changed).sum() == 263


def test_published_tests_are_of_twenty_simulations(published):
    # Without ties H of two groups is the square of z, which U gives only with the right n.
    pairs = published[published["test"] == "mannwhitney"].set_index(
        ["task", "metric", "factor", "context"]
    )
    whole = published[published["test"] == "kruskal"].set_index(
        ["task", "metric", "factor", "context"]
    )
    design = contexts().groupby(["factor", "context"]).size()
    checked = 0
    for key, row in pairs.iterrows():
        if design[key[2:]] == 2 and key[1] in ("entropy", "loss", "small_worldness"):
            n = equivalence.PUBLISHED_RUNS
            z = (row["statistic"] - n * n / 2) / np.sqrt(n * n * (2 * n + 1) / 12)
            assert z**2 == pytest.approx(whole.loc[key, "statistic"], abs=2e-3)
            checked += 1
    assert checked > 40


def test_copied_blocks_of_the_published_table_are_found(published):
    blocks = published[published["copied"]].groupby(["task", "metric"]).size()
    assert set(blocks.index) == {("perceptual", m) for m in ("entropy", "loss", "modularity")}


def test_published_sizes_follow_from_u_and_twenty_simulations(published):
    pairs = published["test"] == "mannwhitney"
    np.testing.assert_allclose(published["delta"][pairs], published["statistic"][pairs] / 200 - 1)
    assert published["delta"][pairs].between(-1, 1).all()
    assert published["delta"][~pairs].isna().all()
    # A larger median goes with a U above one half of all pairs of runs, but for near ties.
    clear = pairs & (published["delta"].abs() > 0.5)
    signs = np.sign(published["median_1"] - published["median_2"])[clear]
    assert (signs == np.sign(published["delta"])[clear]).all()


def test_a_block_that_differs_in_one_digit_is_no_copy(published):
    changed = published.drop(columns="copied").copy()
    row = changed.index[(changed["task"] == "perceptual") & (changed["metric"] == "loss")][3]
    changed.loc[row, "median_1"] += 1e-3
    flags = duplicated_blocks(changed)
    assert not flags[(changed["task"] == "perceptual") & (changed["metric"] == "loss")].any()
    assert flags.sum() == 46


# --- effect sizes


def test_effect_size_of_a_published_example():
    # Hogarty and Kromrey 1999, as in R's effsize: delta -0.25.
    treatment = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50]
    control = [10, 20, 30, 40, 40, 50]
    size = effect_sizes.effect_size(treatment, control)
    assert size.delta == pytest.approx(-0.25)
    assert size.a == pytest.approx(0.375)
    assert size.low < size.delta < size.high


values = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=12)


@given(x=values, y=values)
@settings(deadline=None, max_examples=60)
def test_delta_counts_pairs_and_changes_sign_with_the_samples(x, y):
    size = effect_sizes.effect_size(x, y, n_resamples=0)
    back = effect_sizes.effect_size(y, x, n_resamples=0)
    counted = np.mean([np.sign(a - b) for a in x for b in y])
    assert size.delta == pytest.approx(counted)
    assert back.delta == pytest.approx(-size.delta)
    assert size.a == pytest.approx((size.delta + 1) / 2)


@given(x=values, y=values)
@settings(deadline=None, max_examples=30)
def test_effect_size_and_interval_do_not_see_a_monotone_scale(x, y):
    size = effect_sizes.effect_size(x, y, n_resamples=50)
    bent = effect_sizes.effect_size(
        np.exp(np.array(x) / 5), np.exp(np.array(y) / 5), n_resamples=50
    )
    assert bent == pytest.approx(size)


@given(x=values, y=values)
@settings(deadline=None, max_examples=30)
def test_intervals_of_delta_and_a_are_the_same_interval(x, y):
    size = effect_sizes.effect_size(x, y, n_resamples=50)
    assert -1 <= size.low <= size.high <= 1
    assert (size.a_low, size.a_high) == pytest.approx(((size.low + 1) / 2, (size.high + 1) / 2))


def test_bootstrap_of_delta_is_the_one_of_the_u_test():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=9), rng.normal(0.7, size=13)

    def delta(x, y, axis):
        u = stats.mannwhitneyu(x, y, axis=axis, method="asymptotic").statistic
        return 2 * u / (x.shape[axis] * y.shape[axis]) - 1

    expected = stats.bootstrap(
        (x, y), delta, n_resamples=400, method="percentile", random_state=np.random.default_rng(7)
    ).confidence_interval
    size = effect_sizes.effect_size(x, y, n_resamples=400, seed=7)
    assert (size.low, size.high) == pytest.approx((expected.low, expected.high))


def test_interval_of_delta_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    true = 2 * stats.norm.cdf(0.8 / np.sqrt(2)) - 1
    hits = 0
    for seed in range(300):
        x, y = rng.normal(0.8, size=20), rng.normal(size=20)
        size = effect_sizes.effect_size(x, y, n_resamples=300, seed=seed)
        hits += size.low <= true <= size.high
    assert 0.89 < hits / 300 < 0.98


def test_samples_without_overlap_have_an_interval_of_no_width():
    assert effect_sizes.effect_size([3, 4, 5], [0, 1])[:3] == (1, 1, 1)


def test_effect_size_of_too_few_values_is_missing():
    assert np.isnan(effect_sizes.effect_size([], [1.0])).all()
    assert np.isnan(effect_sizes.effect_size([1.0], [0.0, np.nan])[1:3]).all()


def test_bootstrap_interval_is_scipys_and_the_same_again():
    sleep = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    mean, low, high = bootstrap_interval(sleep, seed=4)
    expected = stats.bootstrap(
        (sleep,), np.mean, n_resamples=5000, random_state=np.random.default_rng(4)
    ).confidence_interval
    assert mean == pytest.approx(2.33)
    assert (low, high) == (expected.low, expected.high)
    assert bootstrap_interval(sleep, seed=4) == (mean, low, high)
    assert low > t_interval(sleep)[1]  # few values: shorter than Student's


def test_bootstrap_interval_of_few_or_equal_values():
    assert bootstrap_interval([1.0, np.nan, 1.0]) == (1.0, 1.0, 1.0)
    assert np.isnan(bootstrap_interval([2.0])[1:]).all()
    assert np.isnan(bootstrap_interval([])).all()


# --- the paper's tests


def test_effects_are_the_tests_of_scipy_and_holm_of_statsmodels():
    runs = make_runs({"W*D*C": 2.0, "W!D*C": 2.0})
    table = factor_tests.factor_effects(runs, metrics=["accuracy"], n_resamples=0)
    value = {name: cell["accuracy"].to_numpy() for name, cell in runs.groupby("variant")}
    rows = table.set_index(["factor", "context", "test", "group_1", "group_2"])
    row = rows.loc[("W", "d=d*, c=c", "mannwhitney", "w", "w*")]
    test = stats.mannwhitneyu(value["WD*C"], value["W*D*C"], method="asymptotic")
    assert (row["statistic"], row["p"]) == (test.statistic, test.pvalue)
    medians = (row["median_1"], row["median_2"])
    assert medians == (np.median(value["WD*C"]), np.median(value["W*D*C"]))
    whole = table[(table["context"] == "d=d*, c=c") & (table["test"] == "kruskal")].iloc[0]
    assert whole["p"] == stats.kruskal(value["WD*C"], value["W!D*C"], value["W*D*C"]).pvalue
    pairs = table[(table["factor"] == "C") & table["p"].notna() & (table["test"] != "kruskal")]
    assert pairs["p_holm"].tolist() == pytest.approx(multipletests(pairs["p"], method="holm")[1])


def test_pairs_of_three_levels_wait_for_kruskal_wallis_and_keep_their_size():
    table = factor_tests.factor_effects(make_runs(), metrics=["accuracy"], n_resamples=0)
    whole = table[table["test"] == "kruskal"].set_index("context")["p"]
    pairs = table[table["test"] == "mannwhitney"]
    assert pairs["delta"].notna().all()
    for _, row in pairs.iterrows():
        three = (pairs["context"] == row["context"]).sum() == 3
        waits = three and whole[row["context"]] >= 0.05
        assert np.isnan(row["p"]) == np.isnan(row["p_holm"]) == waits
    assert pairs["p"].isna().any() and pairs["p"].notna().any()


def test_every_published_row_has_a_row_of_ours(published):
    table = factor_tests.factor_effects(make_runs(tasks=TASKS), n_resamples=0)
    merged = published.merge(table, on=factor_tests._TEST_KEYS, indicator=True, how="left")
    assert (merged["_merge"] == "both").all()
    columns = published_table("effects_6_6_2").columns
    assert set(columns) <= set(table.columns)


def test_diverged_runs_are_dropped_and_counted():
    runs = make_runs(n_seeds=5)
    lost = (runs["variant"] == "W*D*C") & (runs["seed"] < 2)
    runs.loc[lost, [*METRICS]] = np.nan
    runs.loc[lost, "diverged"] = True
    table = factor_tests.factor_effects(runs, metrics=["accuracy"], n_resamples=0)
    row = table[(table["group_1"] == "w") & (table["group_2"] == "w*")].iloc[0]
    assert (row["n_1"], row["n_2"], row["n"], row["diverged"]) == (5, 3, 8, 2)
    whole = table[(table["context"] == "w=w*, d=d*") & (table["test"] == "kruskal")].iloc[0]
    assert (whole["n"], whole["diverged"]) == (8, 2)


def test_a_single_seed_gives_sizes_and_no_tests():
    table = factor_tests.factor_effects(make_runs(n_seeds=1), metrics=["accuracy"])
    pairs = table[table["test"] == "mannwhitney"]
    assert table["p"].isna().all()
    assert pairs["delta"].abs().eq(1).all()
    assert pairs["delta_low"].isna().all()


def test_equal_values_are_no_evidence():
    table = factor_tests.factor_effects(
        make_runs(accuracy=1.0), metrics=["accuracy"], n_resamples=0
    )
    assert (table["p"].dropna() == 1).all() and table["p"].notna().any()
    assert (table["delta"].dropna() == 0).all()


def test_a_missing_variant_takes_only_its_contexts_along():
    runs = make_runs()
    runs = runs[runs["variant"] != "WDC"]
    table = factor_tests.factor_effects(runs, metrics=["accuracy"], n_resamples=0)
    assert "w=w, c=c" not in set(table["context"])
    assert "w=w, c=nan" in set(table["context"])


def test_mixed_runs_are_refused():
    runs = make_runs(n_seeds=2)
    with pytest.raises(ValueError, match=r"field is \['5_3_4', '6_6_2'\]"):
        factor_tests.factor_effects(pd.concat([runs, runs.assign(field="5_3_4")]))
    with pytest.raises(ValueError, match="a run occurs twice"):
        factor_tests.factor_effects(pd.concat([runs, runs]))
    with pytest.raises(ValueError, match="unknown metric 'speed'"):
        factor_tests.factor_effects(runs, metrics=["speed"])


# --- agreement


def as_ours(published):
    """The published table as if we had found it."""
    return published.assign(delta_low=published["delta"], delta_high=published["delta"], n=40).drop(
        columns="copied"
    )


def test_a_table_agrees_with_itself(published):
    table = factor_tests.agreement(as_ours(published), published)
    assert table["same_significance"].all()
    assert table["same_direction"].dropna().all()
    assert table["both"].dropna().all()
    counts = factor_tests.agreement_summary(table, by=["test"]).loc["mannwhitney"]
    assert counts["replicated"] == counts["published"] > 0
    assert counts["reversed"] == counts["new"] == 0
    assert counts["pairs"] == 264 - table["copied"].where(table["test"] != "kruskal").sum()


def test_reversed_lost_and_new_effects_are_told_apart(published):
    changed = as_ours(published)
    pairs = changed[(changed["test"] == "mannwhitney") & (changed["task"] == "one_choice")]
    strong = pairs.index[pairs["p_holm"] < 0.01][:2]
    weak = pairs.index[(pairs["p_holm"] > 0.2) & (pairs["delta"] != 0)][0]
    changed.loc[strong[0], "delta"] *= -1
    changed.loc[strong[1], "p_holm"] = 0.5
    changed.loc[weak, "p_holm"] = 1e-4
    table = factor_tests.agreement(changed, published)
    counts = factor_tests.agreement_summary(table, by=["test"]).loc["mannwhitney"]
    assert counts["reversed"] == 1
    assert counts["new"] == 1
    assert counts["published"] - counts["replicated"] == 2
    assert not table.loc[strong[0], "same_direction"] and not table.loc[strong[0], "both"]


def test_a_pair_that_was_not_tested_is_not_significant(published):
    runs = make_runs(tasks=["one_choice"], n_seeds=6)
    ours = factor_tests.factor_effects(runs, n_resamples=0)
    table = factor_tests.agreement(ours, published)
    waiting = (table["test"] == "mannwhitney") & table["p"].isna()
    assert waiting.any()
    assert (table.loc[waiting, "significant"] == False).all()  # noqa: E712 (missing is not False)


def test_too_few_runs_are_no_disagreement(published):
    ours = factor_tests.factor_effects(make_runs(n_seeds=1), n_resamples=0)
    table = factor_tests.agreement(ours, published)
    assert table["significant"].isna().all()
    assert table["same_significance"].isna().all()
    assert factor_tests.agreement_summary(table).empty


# --- the additive model


def additive_means(start=(0, 1, 2), distance=(0, 0.5, -1), communicability=(0, 3, 1)):
    design = levels()
    tables = {
        "W": dict(zip(("w", "w!", "w*"), start, strict=True)),
        "D": dict(zip(("nan", "d", "d*"), distance, strict=True)),
        "C": dict(zip(("nan", "c", "c*"), communicability, strict=True)),
    }
    return sum(design[name].map(table) for name, table in tables.items()).to_dict()


def test_additive_model_finds_the_effects_that_were_put_in():
    runs = make_runs(additive_means(), n_seeds=400)
    tests, effects = linear_model.additive_model(runs)
    estimates = effects.set_index(["factor", "level"])["estimate"]
    expected = {
        ("start", "w!"): 1, ("start", "w*"): 2, ("distance", "d"): 0.5, ("distance", "d*"): -1,
        ("communicability", "c"): 3, ("communicability", "c*"): 1,
    }  # fmt: skip
    assert set(estimates.index) == set(expected)
    for key, value in expected.items():
        assert estimates[key] == pytest.approx(value, abs=0.1)  # two standard errors
    p = tests.set_index("term")["p"]
    assert (p[["start", "distance", "communicability"]] < 1e-6).all()
    assert p["lack of fit"] > 0.01
    assert tests["df"].tolist() == [2, 2, 2, 4]
    assert tests["df_residual"].tolist() == [4400 - 7] * 3 + [4400 - 11]


def test_wald_tests_are_those_of_a_design_written_by_hand():
    runs = make_runs(additive_means(), n_seeds=7)
    tests, _ = linear_model.additive_model(runs)
    design = levels().loc[runs["variant"]]
    columns = [(name, level) for name, levels in (("W", ("w!", "w*")), ("D", ("d", "d*")),
               ("C", ("c", "c*"))) for level in levels]  # fmt: skip
    matrix = np.column_stack(
        [np.ones(len(runs))] + [(design[name] == level).to_numpy(float) for name, level in columns]
    )
    fit = sm.OLS(runs["accuracy"].to_numpy(), matrix).fit(cov_type="HC3", use_t=True)
    expected = fit.wald_test(np.eye(7)[1:3], use_f=True, scalar=True)
    assert tests["f"][0] == pytest.approx(float(expected.statistic))
    assert tests["p"][0] == pytest.approx(float(expected.pvalue))


def test_estimates_and_lack_of_fit_are_those_of_designs_written_by_hand():
    runs = make_runs(additive_means() | {"W*DC*": 0.6}, n_seeds=7)
    tests, effects = linear_model.additive_model(runs)
    design = levels().loc[runs["variant"]]
    columns = [("W", "w!"), ("W", "w*"), ("D", "d"), ("D", "d*"), ("C", "c"), ("C", "c*")]
    matrix = np.column_stack(
        [np.ones(len(runs))] + [(design[name] == level).to_numpy(float) for name, level in columns]
    )
    values = runs["accuracy"].to_numpy()
    fit = sm.OLS(values, matrix).fit(cov_type="HC3", use_t=True)
    assert effects["level"].tolist() == [level for _, level in columns]
    assert effects["factor"].tolist() == [FACTORS[name] for name, _ in columns]
    np.testing.assert_allclose(effects["estimate"], fit.params[1:])
    np.testing.assert_allclose(effects[["low", "high"]], fit.conf_int()[1:])
    # One mean for every cell; contrasts of cells that are zero whatever is added.
    cells = np.column_stack([(runs["variant"] == name).to_numpy(float) for name in VARIANTS])
    of_cells = np.column_stack(
        [np.ones(11)] + [(levels()[name] == level).to_numpy(float) for name, level in columns]
    )
    saturated = sm.OLS(values, cells).fit(cov_type="HC3", use_t=True)
    contrasts = np.linalg.svd(of_cells.T)[2][7:]
    expected = saturated.wald_test(contrasts, use_f=True, scalar=True)
    assert tests["f"][3] == pytest.approx(float(expected.statistic))
    assert tests["p"][3] == pytest.approx(float(expected.pvalue))


def test_models_come_in_the_order_of_the_runs():
    tests, effects = linear_model.additive_models(
        make_runs(tasks=TASKS[::-1]), metrics=["loss", "accuracy"]
    )
    order = [(task, metric) for task in TASKS[::-1] for metric in ("loss", "accuracy")]
    for table, size in ((tests, 4), (effects, 6)):
        named = list(zip(table["task"], table["metric"], strict=True))
        assert named == [key for key in order for _ in range(size)]


def test_lack_of_fit_is_the_classical_one_where_scatter_is_equal():
    # With many runs of equal scatter HC3 and the nested F test of statsmodels come together.
    runs = make_runs(additive_means() | {"W*DC*": 0.6}, n_seeds=300)
    tests, _ = linear_model.additive_model(runs)
    data = linear_model._model_data(runs, "accuracy")
    import statsmodels.formula.api as smf

    small = smf.ols("value ~ C(start) + C(distance) + C(communicability)", data).fit()
    large = smf.ols("value ~ C(variant)", data).fit()
    f, _, degrees = large.compare_f_test(small)
    assert degrees == tests["df"][3] == 4
    assert tests["f"][3] == pytest.approx(f, rel=0.05)


def test_an_interaction_shows_as_lack_of_fit():
    runs = make_runs(additive_means() | {"W*DC*": 8.0}, n_seeds=20)
    tests, _ = linear_model.additive_model(runs)
    assert tests.set_index("term")["p"]["lack of fit"] < 1e-6


def test_additive_model_rarely_finds_what_is_not_there():
    # Unequal scatter, no effects: every test should reject in 5 % of samples.
    rng = np.random.default_rng(11)
    scatter = {name: 0.5 + k % 4 for k, name in enumerate(VARIANTS)}
    rejected = pd.Series(0, index=["start", "distance", "communicability", "lack of fit"])
    n = 200
    runs = make_runs(n_seeds=20)
    for _ in range(n):
        runs["accuracy"] = rng.normal(size=len(runs)) * runs["variant"].map(scatter)
        tests, _ = linear_model.additive_model(runs)
        rejected += (tests.set_index("term")["p"] < 0.05).astype(int)
    low, high = stats.binom.ppf([0.0005, 0.9995], n, 0.05)
    assert rejected.between(low, high).all(), rejected.to_dict()


def test_a_factor_that_cannot_be_estimated_is_refused_by_name():
    runs = make_runs()
    no_grid = runs[~runs["variant"].isin(["WDC", "WD", "W*DC*"])]
    with pytest.raises(
        linear_model.EstimabilityError, match="effect of distance cannot be estimated"
    ):
        linear_model.additive_model(no_grid)
    # In these three cells start and communicability change together.
    tied = runs[runs["variant"].isin(["W*D*C*", "WD*", "WD", "W*DC*"])]
    with pytest.raises(linear_model.EstimabilityError, match="effect of start"):
        linear_model.additive_model(tied)


def test_a_cell_of_one_run_is_refused():
    with pytest.raises(
        linear_model.EstimabilityError, match="fewer than two values in all variants:"
    ):
        linear_model.additive_model(make_runs(accuracy=np.nan))
    with pytest.raises(linear_model.EstimabilityError, match="fewer than two values"):
        linear_model.additive_model(make_runs(n_seeds=1))
    for tasks in (TASKS[:2], TASKS):
        with pytest.raises(ValueError, match="give the runs of one task"):
            linear_model.additive_model(make_runs(tasks=tasks))


def test_a_task_without_a_model_says_why():
    runs = make_runs(tasks=TASKS)
    lost = (runs["task"] == "go_nogo") & (runs["variant"].isin(["WDC", "WD", "W*DC*"]))
    runs.loc[lost, "accuracy"] = np.nan
    tests, effects = linear_model.additive_models(runs, metrics=["accuracy"])
    remarks = tests.groupby("task")["remark"].first()
    assert "distance cannot be estimated" in remarks["go_nogo"]
    assert remarks["one_choice"] == remarks["perceptual"] == ""
    assert set(effects["task"]) == {"one_choice", "perceptual"}


def test_published_anova_has_fewer_ranks_than_columns_and_depends_on_its_coding():
    runs = make_runs(additive_means(), n_seeds=20)
    tables = {}
    for reference in ("w", "w!", "w*"):
        tables[reference], rank, columns = linear_model.rank_anova(runs, reference=reference)
        assert (rank, columns) == (8, 12)
        assert tables[reference].loc["Residual", "df"] == 152  # 8 cells of 20
    f = pd.DataFrame({name: table["F"] for name, table in tables.items()})
    assert f.loc["start", "w"] == pytest.approx(0, abs=1e-9)  # printed as 1e-13 in the paper
    assert (f.max(axis=1) / f.min(axis=1).abs()).loc["distance"] > 1.5
    with pytest.raises(ValueError, match="unknown reference"):
        linear_model.rank_anova(runs, reference="orthogonal")


# --- equivalence and pools


def two_cells(shift, *, n=20, sd=0.02, rng=None):
    rng = rng or np.random.default_rng(1)
    base = make_runs(n_seeds=n)
    base = base[base["variant"] == "W*D*C"].drop(columns="accuracy")
    return tuple(base.assign(accuracy=0.8 + d + rng.normal(0, sd, n)) for d in (0.0, shift))


def test_same_different_and_uncertain_cells():
    def verdict(*arguments, **options):
        table = equivalence.equivalence(*two_cells(*arguments, **options), metrics=["accuracy"])
        return table["verdict"].item()

    assert verdict(0.01) == "equivalent"
    assert verdict(0.2) == "different"
    assert verdict(0.0, sd=0.3) == "inconclusive"


def test_equivalence_is_welch_and_its_two_one_sided_tests():
    one, two = two_cells(0.01)
    row = equivalence.equivalence(one, two, metrics=["accuracy"]).iloc[0]
    x, y = one["accuracy"], two["accuracy"]
    sides = [stats.ttest_ind(x + 0.05, y, equal_var=False, alternative="greater").pvalue,
             stats.ttest_ind(x - 0.05, y, equal_var=False, alternative="less").pvalue]  # fmt: skip
    assert row["p_equivalent"] == pytest.approx(max(sides))
    assert row["p_different"] == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue)
    assert row["low"] < row["difference"] < row["high"]


def test_every_number_of_two_cells():
    one, two = two_cells(0.01)
    one.loc[one.index[:2], "accuracy"] = np.nan
    one.loc[one.index[:2], "diverged"] = True
    (row,) = equivalence.equivalence(one, two, metrics=["accuracy"]).to_dict("records")
    x, y = one["accuracy"].dropna(), two["accuracy"]
    assert (row["variant"], row["task"], row["metric"]) == ("W*D*C", "one_choice", "accuracy")
    assert (row["n_1"], row["n_2"], row["runs_1"], row["runs_2"]) == (18, 20, 20, 20)
    assert (row["diverged_1"], row["diverged_2"]) == (2, 0)
    assert (row["mean_1"], row["mean_2"]) == pytest.approx((x.mean(), y.mean()))
    assert row["difference"] == pytest.approx(x.mean() - y.mean())
    errors = x.var() / 18, y.var() / 20
    df = sum(errors) ** 2 / (errors[0] ** 2 / 17 + errors[1] ** 2 / 19)
    half = stats.t.ppf(0.975, df) * np.sqrt(sum(errors))
    assert row["low"] == pytest.approx(row["difference"] - half)
    assert row["high"] == pytest.approx(row["difference"] + half)


@pytest.mark.parametrize(
    ("difference", "verdict", "p"),
    [(0.0, "equivalent", (1, 0)), (0.04, "equivalent", (0, 0)), (0.06, "different", (0, 1))],
)
def test_cells_without_scatter_differ_by_what_they_differ(difference, verdict, p):
    one, two = two_cells(0.0)
    table = equivalence.equivalence(
        one.assign(accuracy=0.5 + difference), two.assign(accuracy=0.5), metrics=["accuracy"]
    )
    row = table.iloc[0]
    assert row["low"] == row["high"] == row["difference"] == pytest.approx(difference)
    assert (row["p_different"], row["p_equivalent"]) == p
    assert row["verdict"] == verdict


def test_cells_that_all_diverged_on_both_sides_are_told_so():
    one, two = (cell.assign(accuracy=np.nan, diverged=True) for cell in two_cells(0.0))
    row = equivalence.equivalence(one, two, metrics=["accuracy"]).iloc[0]
    assert row["verdict"] == "both diverge"
    assert np.isnan(row[["mean_1", "mean_2", "difference", "low", "high"]].astype(float)).all()


def test_cells_without_scatter_or_without_runs():
    one, two = two_cells(0.0)
    flat = equivalence.equivalence(
        one.assign(accuracy=1.0), two.assign(accuracy=1.0), metrics=["accuracy"]
    )
    assert flat["verdict"].item() == "equivalent"
    apart = equivalence.equivalence(
        one.assign(accuracy=1.0), two.assign(accuracy=0.5), metrics=["accuracy"]
    )
    assert apart["verdict"].item() == "different"
    lost = two.assign(accuracy=np.nan, diverged=True)
    assert equivalence.equivalence(one, lost, metrics=["accuracy"])["verdict"].item() == "different"
    none = equivalence.equivalence(one, two.head(0))
    assert none.empty
    assert list(none.columns) == list(flat.columns)
    single = equivalence.equivalence(one.head(1), two, metrics=["accuracy"])
    assert single["verdict"].item() == "inconclusive"


def test_published_groups_are_the_pools_of_the_published_cells():
    # "sttc" is the arm of correlation, and 312 is field 6_6_2: means of the same cells.
    groups = published_groups()
    cells = published_table()
    cells = cells[(cells["arm"] == "corr") & (cells["metric"] == "accuracy")]
    cells["start"] = cells["variant"].map(levels()["W"])
    pools = groups[groups["metric"] == "accuracy"]
    for task in TASKS:
        task_cells = cells[cells["task"] == task]
        among = pools[pools["task"] == task].drop_duplicates("among").set_index("among")["mean_1"]
        for start in ("w", "w*", "w!"):
            mean = task_cells.loc[task_cells["start"] == start, "mean"].mean()
            assert among[start] == pytest.approx(mean, abs=1.1e-3)
        if "neuron" in among:
            assert among["neuron"] == pytest.approx(task_cells["mean"].mean(), abs=1.1e-3)


def test_pooled_relations_compare_only_what_depends_on_them():
    runs = make_runs(n_seeds=5)
    other = runs.assign(relation="precision", arm="precision", accuracy=runs["accuracy"] + 9)
    table = pooled.pooled(pd.concat([runs, other]), among="relations", metrics=["accuracy"])
    assert sorted(table["among"]) == ["w!", "w*"]
    assert table["delta"].tolist() == [-1, -1]
    assert table["n_1"].tolist() == table["n_2"].tolist() == [15, 10]
    assert table["p_published"].notna().all()
    assert pooled.pooled(runs, among="relations").empty


def test_pooled_fields_compare_the_larger_with_the_smaller_one():
    large = make_runs(n_seeds=3)
    small = make_runs(n_seeds=3, field="5_3_4", n_neurons=70)
    extra = make_runs(n_seeds=2, field="9_9_9", n_neurons=160)
    table = pooled.pooled(
        pd.concat([small, large, extra]), among="fields", metrics=["accuracy"]
    ).set_index(["field_1", "field_2"])
    assert set(table.index) == {("6_6_2", "9_9_9"), ("6_6_2", "5_3_4"), ("9_9_9", "5_3_4")}
    row = table.loc[("6_6_2", "5_3_4")]
    theirs = published_table("groups").query(
        "task == 'one_choice' and metric == 'accuracy' and group_1 == '312' and group_2 == '70'"
    )
    assert row["p_published"] == theirs["p"].item()
    # A field of the same size as a published one is another field.
    assert np.isnan(table.loc[("6_6_2", "9_9_9"), "p_published"])
    test = stats.mannwhitneyu(large["accuracy"], small["accuracy"], method="asymptotic")
    assert (row["u"], row["p"]) == pytest.approx((test.statistic, test.pvalue))


def test_pools_have_medians_means_and_a_size():
    runs = make_runs(n_seeds=4)
    other = runs.assign(relation="precision", arm="precision", accuracy=runs["accuracy"] + 0.3)
    other.loc[other["variant"] == "W*D*C", "accuracy"] = np.nan
    table = pooled.pooled(pd.concat([runs, other]), among="relations", metrics=["accuracy"])
    row = table.set_index("among").loc["w*"]
    start = runs["variant"].map(levels()["W"]) == "w*"
    x, y = runs.loc[start, "accuracy"], other.loc[start, "accuracy"].dropna()
    assert (row["n_1"], row["n_2"]) == (12, 8)
    assert (row["group_1"], row["group_2"]) == ("correlation", "precision")
    assert (row["median_1"], row["median_2"]) == (x.median(), y.median())
    assert (row["mean_1"], row["mean_2"]) == pytest.approx((x.mean(), y.mean()))
    test = stats.mannwhitneyu(x, y, alternative="two-sided", method="asymptotic")
    assert (row["u"], row["p"]) == (test.statistic, test.pvalue)
    assert row["delta"] == pytest.approx(2 * test.statistic / (12 * 8) - 1)


def test_pools_of_different_designs_are_refused():
    runs = make_runs(n_seeds=2)
    with pytest.raises(ValueError, match="field is"):
        pooled.pooled(pd.concat([runs, make_runs(n_seeds=2, field="5_3_4")]), among="relations")
    with pytest.raises(ValueError, match="unknown among 'tasks'"):
        pooled.pooled(runs, among="tasks")


def test_importing_the_package_does_not_wait_for_statsmodels():
    code = "import cortexrnn, sys; sys.exit('statsmodels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fields_are_compared_pair_by_pair_and_the_largest_stands_first():
    large = make_runs({"W*D*C": 0.5}, n_seeds=4)
    small = make_runs(n_seeds=4, field="5_3_4", n_neurons=70)
    table = equivalence.across_fields(
        pd.concat([small, large]), {"W": ("W*D*C", "WD*C"), "D": ("WD*C", "WDC")}
    )
    assert table["contrast"].tolist() == ["W", "W", "D", "D"]
    assert table["field"].tolist() == ["6_6_2", "5_3_4"] * 2
    mean = large.groupby("variant")["accuracy"].mean()
    assert table["difference"][0] == pytest.approx(mean["W*D*C"] - mean["WD*C"])


# --- figures


@pytest.mark.parametrize("n_seeds", [1, 4])
def test_factor_figures_turn_towards_cortex_and_label_their_axes(published, n_seeds):
    runs = make_runs({"W*D*C": 50.0}, n_seeds=n_seeds, tasks=TASKS)
    table = factor_tests.agreement(factor_tests.factor_effects(runs, n_resamples=20), published)
    accuracy = table[table["metric"] == "accuracy"]
    figure = figures.factor_sizes(accuracy)
    figure.canvas.draw()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(names) == 17 and names[1] == "WD*C → W*D*C"
    turned = figures._towards_cortex(accuracy[accuracy["test"] == "mannwhitney"])
    assert (turned.loc[turned["row"] == "WD*C → W*D*C", "shown"] == 1).all()
    assert (turned.loc[turned["row"] == "W*D*C → W*D*C*", "shown"] == -1).all()
    assert figure.axes[1].get_xlabel() == "Cliff's delta"
    figures.size_against_published(table).canvas.draw()
    with pytest.raises(ValueError, match="pairs of one metric"):
        figures.factor_sizes(table)
    with pytest.raises(ValueError, match="published effect"):
        figures.size_against_published(table.head(0))


@pytest.mark.parametrize("n_seeds", [1, 5])
def test_figure_of_differences_shows_every_row_whatever_its_verdict(n_seeds):
    one, two = two_cells(0.2, n=n_seeds)
    table = equivalence.equivalence(one, two, metrics=["accuracy"]).assign(row="with D*C")
    figure = figures.mean_differences(table, margin=0.05, label="difference")
    figure.canvas.draw()
    assert figure.axes[0].get_position().height > 0.2  # the layout did not fail
    with pytest.raises(ValueError, match="rows of one metric"):
        figures.mean_differences(table.head(0), margin=0.05, label="difference")


def test_the_anova_with_interactions_has_data_in_8_of_12_combinations():
    table = levels()
    full = table[(table["D"] != "nan") & (table["C"] != "nan")]
    assert len(full.drop_duplicates()) == len(full) == 8
    assert full.nunique().prod() == 12
    # The additive model: an intercept and the further levels, in eleven cells.
    assert (1 + (table.nunique() - 1).sum(), len(table)) == (7, 11)
