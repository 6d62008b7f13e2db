"""Published cells beside replicated ones: the rules, carried out."""

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import ttost_ind

from cortexrnn.evidence import equivalence, replication
from cortexrnn.evidence.equivalence import MARGINS
from cortexrnn.evidence.published import published_cells, published_table
from cortexrnn.evidence.replication import compare_cells, draw_variance, error_rates
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.labels import select
from tests.conftest import SPECIFIED

PUBLISHED = published_cells().query("arm == 'corr'")
NO_DRAWS = {(metric, task): 0.0 for metric in MARGINS for task in TASKS}
SIZE = {"epochs": 10, "n_train": 5120, "n_validation": 2560, "protocol": "published"}


def cell(values, *, variant="W*D*C", task="one_choice", metric="accuracy", **columns):
    """Runs of one cell; metrics that are not given lie where the paper has them."""
    same_cell = (PUBLISHED["variant"] == variant) & (PUBLISHED["task"] == task)
    known = PUBLISHED[same_cell].set_index("metric")["published"].to_dict()
    base = {"field": "6_6_2", "arm": "corr", "variant": variant, "task": task, "data_seed": 0}
    base |= {"relation": "correlation", "sign": "free"}
    base |= SIZE | {"diverged": False} | known | columns
    rows = [base | {metric: value, "seed": seed} for seed, value in enumerate(values)]
    for row in rows:
        row["diverged"] = bool(np.isnan(row[metric])) or row["diverged"]
        if row["diverged"]:
            row |= dict.fromkeys(MARGINS, np.nan)
    return pd.DataFrame(rows)


def identified(runs, **settings):
    """Give each run the identity that its columns and `settings` make."""
    names = [*SPECIFIED, *settings]
    specs = [
        RunSpec(field_hash="0" * 64, **{name: row[name] for name in names})
        for row in runs.assign(**settings).to_dict("records")
    ]
    return runs.assign(
        identity=[spec.identity for spec in specs],
        specification=[json.dumps(spec.resolved()) for spec in specs],
    )


def verdict(table, metric="accuracy"):
    (name,) = table.loc[table["metric"] == metric, "verdict"]
    return name


def spread(mean, sd, n=20):
    """Values with exactly this mean and standard deviation."""
    values = np.linspace(-1, 1, n)
    return mean + sd * values / values.std(ddof=1)


# --- the constants are what the rules say they are


def test_margins_are_a_tenth_of_the_published_span_to_one_digit():
    table = published_table()
    free = table[table["arm"] == "corr"].groupby("metric")["mean"]
    tenth = (free.max() - free.min()) / 10
    for metric, margin in MARGINS.items():
        value = tenth[metric]
        digits = -int(np.floor(np.log10(value)))
        assert margin == pytest.approx(round(value, digits))


def test_240_cells_are_testable_and_90_diverged():
    cells = published_cells()
    assert len(cells) == 330
    assert cells["published_diverged"].sum() == 90
    lost = cells[cells["published_diverged"]]
    assert set(lost["arm"]) == {"corr+sign"}
    assert all(VARIANTS[name].start == "orthogonal" for name in lost["variant"])


def test_published_errors_are_those_of_the_intervals():
    cells = published_cells()
    known = cells.dropna(subset=["published_low", "published_high"])
    low = known["published"] - stats.t.ppf(0.975, 19) * known["published_error"]
    assert (low - known["published_low"]).abs().max() < 2e-3
    assert (cells["published_error"] > 0).all()


# --- the tests themselves


@settings(max_examples=60, deadline=None)
@given(
    shift=st.floats(-1, 1),
    sds=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    margin=st.floats(0.01, 1),
)
def test_without_draws_they_are_those_of_scipy_and_statsmodels(shift, sds, margin):
    ours, theirs = spread(shift, sds[0]), spread(0.0, sds[1])
    results = equivalence.tests(
        shift,
        own_error=stats.sem(ours),
        own_runs=20,
        published_error=stats.sem(theirs),
        draw=0.0,
        margin=margin,
    )
    welch = stats.ttest_ind(ours, theirs, equal_var=False)
    p, *_ = ttost_ind(ours, theirs, -margin, margin, usevar="unequal")
    assert results["p_different"] == pytest.approx(welch.pvalue, rel=1e-6, abs=1e-12)
    assert results["p_equivalent"] == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_a_draw_of_trials_on_each_side_widens_the_error():
    arguments = {"own_error": 0.03, "own_runs": 20, "published_error": 0.04, "margin": 0.05}
    results = equivalence.tests(0.1, draw=0.06**2, **arguments)
    assert results["error"] == pytest.approx((0.05**2 + 2 * 0.06**2) ** 0.5)


def test_every_number_of_a_cell_follows_from_its_runs_and_the_published_interval():
    values = np.append(spread(0.8, 0.1, 12), [np.nan, np.nan])
    draw = 0.03**2
    table = compare_cells(cell(values), variance=NO_DRAWS | {("accuracy", "one_choice"): draw})
    (row,) = table[table["metric"] == "accuracy"].to_dict("records")
    assert (row["arm"], row["variant"], row["task"]) == ("corr", "W*D*C", "one_choice")
    assert (row["runs"], row["diverged"], row["values"]) == (14, 2, 12)
    interval = stats.ttest_1samp(values[:12], 0).confidence_interval(0.95)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.8, *interval))
    paper = published_table().query(
        "arm == 'corr' and metric == 'accuracy' and variant == 'W*D*C' and task == 'one_choice'"
    )
    assert row["published"] == paper["mean"].item()
    half = (paper["ci95_high"].item() - paper["ci95_low"].item()) / 2
    theirs = (half / stats.t.ppf(0.975, 19)) ** 2 + 0.001**2 / 12  # printed with three decimals
    ours = 0.1**2 / 12
    assert row["published_error"] ** 2 == pytest.approx(theirs)
    assert row["difference"] == pytest.approx(0.8 - row["published"])
    error = np.sqrt(ours + theirs + 2 * draw)
    df = (ours + theirs) ** 2 / (ours**2 / 11 + theirs**2 / 19)
    t = stats.t(df)
    assert (row["error"], row["df"]) == pytest.approx((error, df))
    assert row["p_different"] == pytest.approx(2 * t.cdf(-abs(row["difference"]) / error))
    outer = (abs(row["difference"]) - 0.05) / error
    assert row["p_equivalent"] == pytest.approx(t.cdf(outer))


@pytest.mark.parametrize(("n_values", "compared"), [(9, False), (10, True)])
def test_ten_values_are_the_least(n_values, compared):
    values = np.append(spread(0.3, 0.01, n_values), [np.nan] * 5)
    table = compare_cells(cell(values), variance=NO_DRAWS)
    row = table[table["metric"] == "accuracy"].iloc[0]
    assert pd.notna(row["p_different"]) == pd.notna(row["p_equivalent"]) == compared


# --- verdicts


def test_a_difference_within_the_margin_is_equivalent_even_if_it_is_sure():
    runs = cell(spread(0.625 + 0.01, 0.002), variant="W")
    table = compare_cells(runs, variance=NO_DRAWS)
    assert verdict(table) == "equivalent"
    assert float(table.loc[table["metric"] == "accuracy", "p_different"].iloc[0]) < 1e-6


def test_a_large_difference_is_different():
    assert verdict(compare_cells(cell(spread(0.5, 0.05)), variance=NO_DRAWS)) == "different"


def test_scattered_runs_are_inconclusive_which_is_no_agreement():
    runs = cell(spread(0.917, 0.2))
    assert verdict(compare_cells(runs, variance=NO_DRAWS)) == "inconclusive"


def test_a_difference_that_another_draw_would_explain_is_not_called_different():
    runs = cell(spread(0.70, 0.002), variant="W")
    assert verdict(compare_cells(runs, variance=NO_DRAWS)) == "different"
    wide = NO_DRAWS | {("accuracy", "one_choice"): 0.05**2}
    assert verdict(compare_cells(runs, variance=wide)) == "inconclusive"


def test_fewer_than_ten_values_are_not_compared():
    values = np.where(np.arange(20) < 11, np.nan, 0.3)
    assert verdict(compare_cells(cell(values), variance=NO_DRAWS)) == "inconclusive"


@pytest.mark.parametrize(
    ("arm", "variant", "value", "expected"),
    [
        ("corr+sign", "WD*", np.nan, "both diverge"),
        ("corr+sign", "WD*", 0.6, "different"),
        ("corr", "WD*", np.nan, "different"),
        ("corr+sign", "W*D*C", np.nan, "different"),
    ],
)
def test_divergence_on_one_side_is_a_difference(arm, variant, value, expected):
    runs = cell(np.full(20, value), variant=variant).assign(arm=arm)
    assert set(compare_cells(runs, variance=NO_DRAWS)["verdict"]) >= {expected}
    assert verdict(compare_cells(runs, variance=NO_DRAWS)) == expected


def test_many_cells_are_adjusted_together():
    n = 40
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"p_different": rng.uniform(size=n), "p_equivalent": np.ones(n)})
    table = table.assign(published_diverged=False, runs=1, diverged=0)
    table.loc[0, "p_different"] = 0.03  # alone it would be different
    assert "different" not in equivalence.verdicts(table)
    assert equivalence.verdicts(table.head(1)).tolist() == ["different"]


@pytest.mark.parametrize("column", ["field", "data_seed", "protocol"])
def test_runs_that_cannot_be_compared_together_are_refused(column):
    runs = cell(spread(0.9, 0.1))
    runs.loc[3, column] = 1 if column == "data_seed" else "other"
    with pytest.raises(ValueError, match=column):
        compare_cells(runs, variance=NO_DRAWS)


# --- the draw of trials


def draws(tau, sd, *, n_draws, n_seeds, seed=0):
    rng = np.random.default_rng(seed)
    moved, own = tau * rng.normal(size=n_draws), 0.2 * rng.normal(size=n_seeds)
    noise = sd * rng.normal(size=(n_seeds, n_draws))
    parts = [
        cell(own + moved[i] + noise[:, i], variant="WD").assign(data_seed=i) for i in range(n_draws)
    ]
    runs = pd.concat(parts, ignore_index=True)
    return identified(runs.assign(field="5_3_4"))


def test_the_component_of_the_draws_is_found_whatever_seeds_add():
    estimates = draw_variance(draws(0.05, 0.01, n_draws=400, n_seeds=3))
    row = estimates.set_index(["metric", "task"]).loc[("accuracy", "one_choice")]
    assert row["sd"] == pytest.approx(0.05, rel=0.1)
    assert row["tables"] == 1


@pytest.mark.parametrize(("n_seeds", "n_draws"), [(2, 2), (3, 4), (5, 2)])
def test_the_component_of_the_draws_is_that_of_an_analysis_of_variance(n_seeds, n_draws):
    table = np.random.default_rng(n_seeds).normal(size=(n_seeds, n_draws)) + 3 * np.arange(n_draws)
    data = pd.DataFrame(
        {
            "value": table.ravel(),
            "seed": np.repeat(np.arange(n_seeds), n_draws),
            "draw": np.tile(np.arange(n_draws), n_seeds),
        }
    )
    squares = anova_lm(smf.ols("value ~ C(seed) + C(draw)", data).fit())
    mean_square = squares["sum_sq"] / squares["df"]
    expected = (mean_square["C(draw)"] - mean_square["Residual"]) / n_seeds
    assert replication._draw_component(table) == pytest.approx(expected)


def test_the_rule_takes_the_median_over_fields_and_variants_of_complete_seeds():
    parts, components = [], []
    for i, (field, variant) in enumerate([("5_3_4", "WD"), ("5_6_8", "WD"), ("5_6_8", "W*D*C")]):
        table = np.random.default_rng(i).normal(size=(4, 3)) + 10.0**i * np.arange(3)
        components.append(replication._draw_component(table[1:]))
        table[0, 1] = np.nan  # a seed that lacks a value on one draw counts on none
        parts += [
            cell(table[:, k], variant=variant).assign(field=field, data_seed=k) for k in range(3)
        ]
    estimates = draw_variance(identified(pd.concat(parts, ignore_index=True)))
    row = estimates.set_index(["metric", "task"]).loc[("accuracy", "one_choice")]
    assert row["variance"] == pytest.approx(sorted(components)[1])
    assert row["sd"] == pytest.approx(row["variance"] ** 0.5)
    assert row["tables"] == 3
    assert list(estimates["metric"].unique()) == list(MARGINS)


def test_without_an_effect_of_draws_nothing_below_zero_is_told():
    estimates = [draw_variance(draws(0.0, 0.05, n_draws=10, n_seeds=2, seed=s)) for s in range(6)]
    variance = pd.concat(estimates).query("metric == 'accuracy'")["variance"]
    assert (variance >= 0).all()
    assert (variance == 0).any()  # half of the estimates would be negative


def test_only_the_fields_of_the_rule_count_unless_others_are_named():
    runs = draws(0.1, 0.01, n_draws=5, n_seeds=2)
    other = identified(runs.assign(field="6_6_2"))
    assert draw_variance(other).empty
    pd.testing.assert_frame_equal(draw_variance(other, fields=["6_6_2"]), draw_variance(runs))


def test_one_draw_or_one_seed_tells_nothing():
    assert draw_variance(draws(0.1, 0.1, n_draws=1, n_seeds=5)).empty
    assert draw_variance(draws(0.1, 0.1, n_draws=5, n_seeds=1)).empty


def test_without_estimates_the_draw_counts_as_nothing_and_is_in_every_pair():
    estimates = draw_variance(draws(0.05, 0.01, n_draws=20, n_seeds=3))
    known = replication.variances(estimates)
    assert set(known) == set(NO_DRAWS)
    assert known["accuracy", "one_choice"] > 0 == known["accuracy", "go_nogo"]
    assert replication.variances(estimates.head(0)) == NO_DRAWS


def test_both_signs_are_judged_together():
    free = cell(spread(0.5, 0.05))
    positive = free.assign(arm="corr+sign", sign="positive")
    other = free.assign(field="5_3_4")
    archive = identified(pd.concat([free, positive, other]))
    table = replication.compare_with_published(archive)
    assert set(table["arm"]) == {"corr", "corr+sign"}
    assert set(table["runs"]) == {20}
    assert table.index.tolist() == list(range(10))


def test_false_discoveries_are_controlled_over_both_signs():
    published = published_cells().query("arm == 'corr+sign' and variant == 'W*D*C'")
    means = published.query("task == 'one_choice'").set_index("metric")["published"].to_dict()
    positive = cell(spread(means.pop("accuracy"), 0.01), arm="corr+sign", sign="positive", **means)
    cells = "variant == 'WD*' and task == 'one_choice' and metric == 'accuracy'"
    published = PUBLISHED.query(cells)
    free = cell(spread(published["published"].item() + 0.14, 0.12), variant="WD*")
    assert verdict(compare_cells(identified(free), variance=NO_DRAWS)) == "different"
    both = replication.compare_with_published(identified(pd.concat([free, positive])))
    assert verdict(both[both["arm"] == "corr"]) == "inconclusive"  # one of ten, not of five


def test_draws_of_the_field_itself_count_in_place_of_those_of_the_rule_where_there_are_any():
    small = draws(0.01, 0.001, n_draws=20, n_seeds=2)
    own = identified(draws(0.1, 0.001, n_draws=20, n_seeds=2, seed=1).assign(field="6_6_2"))
    archive = pd.concat([small, own], ignore_index=True)
    variances = [draw_variance(archive, fields=[name]) for name in ("5_3_4", "6_6_2")]
    rule, strict = (part.set_index("metric")["variance"]["accuracy"] for part in variances)
    by_rule, by_own = (
        replication.compare_with_published(archive, own_draws=chosen).set_index("metric")["error"][
            "accuracy"
        ]
        for chosen in (False, True)
    )
    assert by_own**2 - by_rule**2 == pytest.approx(2 * (strict - rule))
    assert strict > 10 * rule > 0


def test_verdicts_in_words_count_what_the_table_has():
    names = ["equivalent"] * 5 + ["different"] * 2 + ["inconclusive"] + ["both diverge"] * 3
    table = pd.DataFrame({"verdict": names})
    sentence = replication.verdicts_in_words(table)
    assert "Of 8 compared cells 5 are equivalent" in sentence
    assert "2 different (25.0%) and 1 inconclusive; in 3 more both sides diverge." in sentence
    other = replication.verdicts_in_words(table, own_draws=table.assign(verdict="inconclusive"))
    assert other.startswith(sentence)
    assert other.endswith("0 would be equivalent, 0 different and 11 inconclusive.")
    assert "0.0%" in replication.verdicts_in_words(table.head(0))


def test_draws_of_one_sign_tell_nothing_of_the_other():
    own = draws(0.1, 0.001, n_draws=20, n_seeds=2).assign(field="6_6_2")
    free = cell(spread(0.5, 0.05), variant="WD")
    archive = identified(pd.concat([own.assign(arm="corr+sign", sign="positive"), free]))
    errors = [
        replication.compare_with_published(archive, own_draws=chosen)
        .set_index(["arm", "metric"])["error"]
        .xs("accuracy", level="metric")
        for chosen in (False, True)
    ]
    assert errors[1]["corr"] == errors[0]["corr"]
    variance = draw_variance(archive, fields=["6_6_2"]).set_index("metric")["variance"]["accuracy"]
    assert variance > 0
    gained = errors[1]["corr+sign"] ** 2 - errors[0]["corr+sign"] ** 2
    assert gained == pytest.approx(2 * variance)  # the rule's fields have no draws here


def test_an_archive_without_runs_of_the_field_cannot_be_judged():
    archive = identified(cell(spread(0.5, 0.05)))
    with pytest.raises(ValueError, match="no runs of field '5_3_4'"):
        replication.compare_with_published(archive, field="5_3_4")


def test_a_control_does_not_pass_for_the_variant_whose_name_it_bears():
    published, control = cell(spread(0.5, 0.05)), cell(spread(0.9, 0.05))
    archive = pd.concat([identified(published), identified(control, strength=0.01)])
    chosen = select(archive, field="6_6_2")
    np.testing.assert_array_equal(chosen["accuracy"], published["accuracy"])
    other_draw = identified(control.assign(data_seed=1), strength=0.01)
    assert draw_variance(pd.concat([archive, other_draw]), fields=["6_6_2"]).empty


# --- rates of the procedure


def test_rates_of_error_are_what_is_promised():
    populations = [cell(spread(0.9, 0.01), variant=name) for name in VARIANTS]
    rates = error_rates(
        pd.concat(populations),
        variance=NO_DRAWS,
        shifts=(0.0, 1.0, 2.0),
        n_tables=40,
        rng=np.random.default_rng(0),
    ).set_index("shift")
    assert rates.loc[0.0, "different"] <= 0.05
    assert rates.loc[0.0, "equivalent"] > 0.95
    assert rates.loc[1.0, "equivalent"] <= 0.05 + 0.02  # at the margin: half its level of error
    assert rates.loc[2.0, "different"] > 0.95
    assert np.allclose(rates[list(equivalence.VERDICTS[:3])].sum(axis=1), 1)


def test_rates_are_those_of_the_margins_of_the_rules():
    spread_out = 0.7 * MARGINS["accuracy"]  # twenty runs show equivalence, for half of it not
    populations = [cell(spread(0.8, spread_out), variant=name) for name in VARIANTS]
    rates = error_rates(
        pd.concat(populations),
        variance=NO_DRAWS,
        shifts=(0.0,),
        n_tables=40,
        rng=np.random.default_rng(0),
    )
    assert rates["equivalent"].item() > 0.95


@pytest.mark.parametrize("draw_sd", [0.01, 0.025])
def test_rates_of_one_cell_without_scatter_follow_from_its_draws(draw_sd):
    # Runs all alike: the difference of two means is that of their draws, around the shift.
    runs = cell([0.8] * 12)
    runs[[name for name in MARGINS if name != "accuracy"]] = np.nan
    shifts, n_tables = (0.0, 0.5, 1.0, 2.0), 400
    rates = error_rates(
        runs,
        variance=NO_DRAWS | {("accuracy", "one_choice"): draw_sd**2},
        shifts=shifts,
        n_tables=n_tables,
        rng=np.random.default_rng(1),
    )
    assert rates["shift"].tolist() == list(shifts)
    assert set(rates["cells"]) == {1} and set(rates["tables"]) == {n_tables}
    error = np.sqrt(2 * draw_sd**2 + 0.001**2 / 12)
    t = stats.t(19)
    for row in rates.itertuples():
        difference = stats.norm(row.shift * 0.05, np.sqrt(2) * draw_sd)
        room = max(0.05 - t.ppf(0.95) * error, 0.0)
        equivalent = difference.cdf(room) - difference.cdf(-room)
        far = max(t.ppf(0.975) * error, room)
        different = difference.sf(far) + difference.cdf(-far)
        for share, expected in ((row.equivalent, equivalent), (row.different, different)):
            spread_of_share = np.sqrt(expected * (1 - expected) / n_tables)
            assert abs(share - expected) <= 4 * spread_of_share + 1 / n_tables
        assert row.inconclusive == pytest.approx(1 - row.equivalent - row.different)


def test_rates_are_told_from_no_difference_to_four_margins():
    rates = error_rates(
        cell(spread(0.8, 0.1)), variance=NO_DRAWS, n_tables=1, rng=np.random.default_rng(0)
    )
    assert rates["shift"].tolist() == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert set(rates["cells"]) == {5}


def clustered(*, n_cells=11):
    """Cells whose runs fail in the same seeds, in accuracy and in nothing else."""
    values = [0.95] * 14 + [0.5] * 6
    parts = [cell(values, variant=name) for name in list(VARIANTS)[:n_cells]]
    runs = pd.concat(parts, ignore_index=True)
    runs[[name for name in MARGINS if name != "accuracy"]] = np.nan
    return runs


def test_whole_seeds_move_all_their_cells_together():
    # The share of verdicts is the same on average, and scatters more from table to table.
    options = {"variance": NO_DRAWS, "shifts": (4.0,), "n_tables": 100}
    whole, apart = (
        error_rates(clustered(), whole_seeds=way, rng=np.random.default_rng(0), **options).iloc[0]
        for way in (True, False)
    )
    assert whole["different"] == pytest.approx(apart["different"], abs=0.12)
    widths = [row["different_high"] - row["different_low"] for row in (whole, apart)]
    assert widths[0] > 1.2 * widths[1]


def test_metrics_of_a_run_are_drawn_together_on_both_sides():
    # Modularity is accuracy in units of its margin, so that both always get the same verdict.
    runs = cell([0.95] * 14 + [0.5] * 6)
    runs[list(MARGINS)] = np.nan
    values = np.random.default_rng(1).normal(size=20)
    for metric in ("accuracy", "modularity"):
        runs[metric] = MARGINS[metric] * values
    options = {"variance": NO_DRAWS, "shifts": (0.6,), "n_tables": 60}
    whole, apart = (
        error_rates(runs, whole_seeds=way, rng=np.random.default_rng(0), **options).iloc[0]
        for way in (True, False)
    )
    assert 0.1 < whole["different"] < 0.9
    assert whole["too_many"] == pytest.approx(whole["different"])
    assert apart["too_many"] > whole["too_many"]


def test_what_whole_seeds_change_is_said_in_words():
    low = {"shift": 0.0, "different": 0.001, "different_low": 0.0, "different_high": 0.01}
    high = {"shift": 2.0, "different": 0.9, "different_low": 0.85, "different_high": 0.94}
    whole = pd.DataFrame([low, high])
    apart = pd.DataFrame([low, high | {"different": 0.904, "different_low": 0.875}])
    assert replication.clusters_in_words(whole, apart) == (
        "If runs were independent, false alarms would be 0.1% instead of 0.1% and power at a shift "
        "of 2 90.4% instead of 90.0%. Shared seeds move many cells of a table together: the middle "
        "95 % of tables then span 9.0 percentage points of power instead of 6.5."
    )
    with pytest.raises(ValueError, match=r"rates lack the shift 2\.0"):
        replication.clusters_in_words(whole, apart.head(1))


def test_runs_without_a_value_are_drawn_too():
    values = [0.8] * 12 + [np.nan] * 8  # of twenty that are drawn, twelve have a value, or ten
    rates = error_rates(
        cell(values), variance=NO_DRAWS, shifts=(0.0,), n_tables=200, rng=np.random.default_rng(0)
    )
    expected = stats.binom(20, 0.6).sf(equivalence.LEAST_RUNS - 1) ** 2
    assert rates["equivalent"].item() == pytest.approx(expected, abs=0.1)
    assert rates["inconclusive"].item() == pytest.approx(1 - expected, abs=0.1)


# --- cells that cannot be equivalent


def test_cells_are_untestable_where_equal_means_would_not_pass():
    cells = published_cells().query("arm == 'corr' and metric == 'accuracy'")
    runs = pd.concat(
        [
            cell(paper.published + np.tile([-0.2, 0.2], 10) * (paper.variant == "WD"),
                 variant=paper.variant, task=paper.task)
            for paper in cells.itertuples()
        ]
    )  # fmt: skip
    table = compare_cells(runs, variance=NO_DRAWS)
    marks = replication.untestable_by_mean(table)[table["metric"] == "accuracy"]
    table = table[table["metric"] == "accuracy"]
    # Ten intervals of the paper reach further than 0.05 by a one-sided t test.
    half = (table["published_high"] - table["published_low"]) / 2
    assert marks["by_paper"].sum() == 10
    assert half[marks["by_paper"]].min() > half[~marks["by_paper"]].max()
    assert (table.loc[marks["by_paper"], "difference"].abs() < 1e-9).all()
    assert set(table.loc[marks["by_paper"], "verdict"]) == {"inconclusive"}
    # Runs of our own that scatter do the same.
    assert set(table.loc[marks["untestable"] & ~marks["by_paper"], "variant"]) == {"WD"}
    assert marks.loc[marks["by_paper"], "untestable"].all()
    counts = replication.verdict_counts(table)
    assert counts.index.tolist() == ["accuracy", "All"]
    assert (counts["untestable by mean"] == marks["untestable"].sum()).all()
    assert (counts["by the paper's interval"] == 10).all()
    assert (counts["All"] == len(table)).all()
    assert counts.loc["accuracy", "inconclusive"] == (table["verdict"] == "inconclusive").sum()


def test_rates_need_runs():
    with pytest.raises(ValueError, match="10 runs"):
        error_rates(cell([0.5] * 5), variance=NO_DRAWS, rng=np.random.default_rng(0))


# --- explanations


def several_draws(means, *, n_seeds=10):
    """Runs of one cell on several draws of trials."""
    around = 0.01 * np.tile([-1, 1], n_seeds // 2)
    parts = [cell(mean + around).assign(data_seed=i) for i, mean in enumerate(means)]
    return identified(pd.concat(parts, ignore_index=True))


@pytest.mark.parametrize(
    ("means", "explanation"),
    [
        ([0.5], "unexplained"),
        ([0.5, 0.99], "unexplained"),
        ([0.5, 0.7, 0.99], "draw of trials"),
        ([0.5, 0.6, 0.7], "unexplained"),
    ],
)
def test_a_cell_that_is_different_is_explained_by_draws_on_both_sides(means, explanation):
    published = published_cells().query("arm == 'corr' and metric == 'accuracy'")
    table = published[(published["variant"] == "W*D*C") & (published["task"] == "one_choice")]
    assert 0.7 < table["published"].item() < 0.99
    archive = several_draws(means)
    cells = replication.explained(table.assign(verdict="different"), archive)
    assert cells["explanation"].tolist() == [explanation]
    added = ["draws", "draw_low", "draw_high", "explanation"]
    assert list(cells.columns) == [*table.columns, "verdict", *added]
    assert cells["published"].tolist() == table["published"].tolist()
    assert cells["draws"].tolist() == [len(means)]
    np.testing.assert_allclose(cells[["draw_low", "draw_high"]], [[min(means), max(means)]])
    assert replication.explained(table.assign(verdict="equivalent"), archive).empty
    with_eight_seeds = replication.explained(
        table.assign(verdict="different"), several_draws(means, n_seeds=8)
    )
    # Means of a few runs scatter by themselves.
    assert with_eight_seeds["explanation"].tolist() == ["unexplained"]


def test_published_accuracies_of_cells_that_diverged_are_the_share_of_one_class():
    cells = published_cells()
    lost = cells[cells["published_diverged"] & (cells["metric"] == "accuracy")]
    for name, group in lost.groupby("task"):
        assert group["published"].nunique() == 1  # of every variant alike
        share = 1 / TASKS[name].n_classes
        four_errors = 4 * (share * (1 - share) / 2560) ** 0.5
        assert abs(group["published"].iloc[0] - share) < four_errors
