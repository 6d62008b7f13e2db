"""Ranking of runs out of sample, against textbook numbers and other libraries."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from cortexrnn.evidence.single_runs import (
    OUT_OF_SAMPLE,
    area_interval,
    area_under_curve,
    areas_as_text,
    fit_logistic,
    out_of_sample,
)

# Ratings of 58 normal and 51 abnormal images, Hanley and McNeil 1982 (Radiology 143, 29), Table I.
NORMAL, ABNORMAL = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]


def rated():
    ratings = np.repeat(np.tile(np.arange(1, 6), 2), [*NORMAL, *ABNORMAL])
    return ratings, np.repeat([False, True], [sum(NORMAL), sum(ABNORMAL)])


def hanley_mcneil(area, m, n):
    """Standard error as they print it."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (m - 1) * (one - area**2) + (n - 1) * (two - area**2)
    return np.sqrt(spread / (m * n))


def test_the_area_is_that_of_the_textbook():
    ratings, abnormal = rated()
    assert area_under_curve(ratings, abnormal) == pytest.approx(0.893, abs=5e-4)
    assert area_under_curve(-ratings, abnormal) == pytest.approx(1 - 0.893, abs=5e-4)


def test_the_area_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 60), rng.random(60) < 0.7
    expected = metrics.roc_auc_score(positive, scores)
    assert area_under_curve(scores, positive) == pytest.approx(expected)


def test_without_one_of_the_kinds_there_is_no_area():
    assert np.isnan(area_under_curve([1, 2], [True, True]))
    assert np.isnan(area_interval(float("nan"), 3, 0)).all()


@pytest.mark.parametrize("area", [0.0, 0.2, 0.5, 0.893, 1.0])
@pytest.mark.parametrize("n", [4, 20])
def test_ends_of_the_interval_are_as_far_as_their_own_error_says(area, n):
    low, high = area_interval(area, n, n)
    assert 0 <= low <= area <= high <= 1
    assert high - low > 0.01
    for end in (low, high):
        if 0 < end < 1:
            expected = norm.ppf(0.975) * hanley_mcneil(end, n, n)
            assert abs(end - area) == pytest.approx(expected, rel=1e-6)


def test_fewer_runs_give_a_wider_interval_even_where_ranking_is_perfect():
    widths = [1 - area_interval(1.0, n, 20)[0] for n in (2, 5, 20)]
    assert widths == sorted(widths, reverse=True)


def test_the_interval_covers():
    rng, truth, hits = np.random.default_rng(0), norm.cdf(1.5 / np.sqrt(2)), 0
    for _ in range(400):
        scores = np.r_[rng.normal(1.5, 1, 14), rng.normal(0, 1, 6)]
        low, high = area_interval(area_under_curve(scores, np.arange(20) < 14), 14, 6)
        hits += low <= truth <= high
    assert 0.92 < hits / 400 < 1


def data(n=200):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 3))
    return x, rng.random(n) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2.0, 0.0])))


def test_without_a_penalty_the_model_is_that_of_statsmodels():
    x, y = data()
    expected = sm.Logit(y.astype(float), sm.add_constant(x)).fit(disp=0).params
    np.testing.assert_allclose(fit_logistic(x, y, ridge=0.0), expected, atol=1e-4)


def test_with_a_penalty_the_model_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = data()
    expected = linear_model.LogisticRegression(C=1 / 3.0, tol=1e-8).fit(x, y)
    found = fit_logistic(x, y, ridge=3.0)
    np.testing.assert_allclose(found[1:], expected.coef_[0], atol=1e-4)
    assert found[0] == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_runs_that_a_feature_parts_completely_have_finite_slopes():
    slope = fit_logistic(np.arange(10.0)[:, None], np.arange(10) > 4)[1]
    assert 0 < slope < 10
    with pytest.raises(ValueError, match="the same for all runs"):
        fit_logistic(np.arange(3.0)[:, None], [True, True, True])


def runs(tells, *, fields=("a", "b", "c"), seeds=20, failing=6):
    """Runs of two conditions a seed; `tells` gives the feature of each by field and outcome."""
    rng, rows = np.random.default_rng(2), []
    for field in fields:
        for seed in range(seeds):
            learned = seed >= failing
            for _ in range(2):
                value = tells(field, learned, rng)
                rows.append({"task": "go_nogo", "field": field, "seed": seed,
                             "learned": learned, "strong": value})  # fmt: skip
    return pd.DataFrame(rows)


def ranked(table):
    found = out_of_sample(table, models={"one": ("strong",)})
    return found.set_index(["field", "tested_on"])


def test_what_tells_runs_apart_is_found_on_another_field_and_on_other_seeds():
    found = ranked(runs(lambda field, learned, rng: 2 * learned + rng.random()))
    assert (found["area"] == 1).all()
    assert (found["low"] > 0.4).all() and (found["low"] < 0.9).all()  # six and fourteen seeds
    row = found.iloc[0]
    assert (row["runs"], row["failures"], row["failing_seeds"]) == (40, 12, 6)


def test_what_holds_on_other_fields_alone_misleads_on_this_one():
    table = runs(lambda field, learned, rng: (1 - 2 * (field == "a")) * learned + rng.random() / 2)
    assert ranked(table)["area"]["a", "another field"] == 0
    assert ranked(table)["area"]["a", "other seeds"] == 1


def test_a_field_without_failures_has_no_area():
    table = runs(lambda field, learned, rng: learned)
    table.loc[table["field"] == "b", "learned"] = True
    found = ranked(table)["area"]
    assert found["b"].isna().all()
    assert found["a"].notna().all()
    assert list(out_of_sample(table.iloc[:0]).columns) == OUT_OF_SAMPLE


def test_what_is_tested_was_not_seen():
    # Were a seed's second run known, its outcome would be: the feature is unique to the seed.
    rng = np.random.default_rng(3)
    names = rng.normal(size=20)
    table = runs(lambda field, learned, rng: 0.0, fields=("a",), failing=10)
    table["strong"] = names[table["seed"]]
    assert ranked(table)["area"]["a", "other seeds"] < 0.8


def test_areas_are_written_beside_each_other():
    table = runs(lambda field, learned, rng: 2 * learned + rng.random())
    table.loc[table["field"] == "b", "learned"] = True
    found = out_of_sample(table, models={"one": ("strong",), "two": ("strong",)})
    text = areas_as_text(found, tested_on="another field")
    assert list(text.columns) == ["failures", "one", "two"]
    assert text.loc[("go_nogo", "a"), "failures"] == "12 of 40 runs, 6 of 20 seeds"
    assert text.loc[("go_nogo", "a"), "one"].startswith("1.00 [0.")
    assert text.loc[("go_nogo", "b"), "one"] == "no failures"
    single = table[table["field"] == "a"]
    found = out_of_sample(single, models={"one": ("strong",)})
    alone = areas_as_text(found, tested_on="another field")
    assert (alone.drop(columns="failures") == "nothing to learn from").all(axis=None)
