"""Pooled tests of factors, and how metrics go together, beside what the authors print."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence.design import levels
from cortexrnn.evidence.factor_tests import omnibus
from cortexrnn.evidence.published import published_table
from cortexrnn.evidence.rank_correlations import metric_dependence
from cortexrnn.runs.archive import METRICS


def printed_runs():
    """Give the single runs of the authors' notebook, one a row."""
    table = published_table("runs_6_6_2")
    return table.pivot(index="simulation", columns="metric", values="value")


def test_single_runs_are_those_behind_the_published_mean():
    table = published_table("runs_6_6_2")
    assert set(table["metric"]) == set(METRICS)
    assert len(printed_runs()) == 20
    means = published_table().query("arm == 'corr' and task == 'one_choice' and variant == 'W*D*C'")
    for row in means.itertuples():
        values = printed_runs()[row.metric]
        assert values.mean() == pytest.approx(row.mean, abs=6e-4)
        half = stats.sem(values) * stats.t.ppf(0.975, 19)
        assert row.mean - half == pytest.approx(row.ci95_low, abs=2e-3)


def test_pooled_tests_are_complete_and_agree_with_the_runs_of_the_authors():
    table = published_table("omnibus_6_6_2")
    assert len(table) == 3 * 3 * len(METRICS)
    assert not table.duplicated(["task", "metric", "factor"]).any()
    assert table["p"].between(0, 1).all()


def test_pooled_test_takes_all_runs_of_a_level():
    rng = np.random.default_rng(0)
    rows = [
        {"variant": variant, "seed": seed, "task": "go_nogo", "accuracy": rng.random()}
        for variant in levels().index
        for seed in range(4)
    ]
    runs = pd.DataFrame(rows).assign(field="6_6_2", arm="corr", protocol="published", data_seed=0)
    published = pd.DataFrame(
        {"task": ["go_nogo"] * 2, "metric": ["accuracy"] * 2, "factor": ["W", "D"], "p": [1e-9, 1]}
    )
    table = omnibus(runs, published, metrics=["accuracy"]).set_index("factor")
    start = runs["variant"].map(lambda name: name[:2] if name[1:2] in ("*", "!") else "W")
    groups = [part["accuracy"] for _, part in runs.groupby(start)]
    assert [len(group) for group in groups] == [24, 8, 12]
    expected = stats.kruskal(*groups).pvalue
    assert table.loc["W", "p"] == pytest.approx(expected)
    assert table.loc["W", "same"] == (expected < 0.05)
    assert pd.isna(table.loc["C", "same"]) and table.loc["C", "n"] == 44


def test_correlations_are_those_of_scipy_and_equal_sides_do_not_differ():
    runs = printed_runs()
    table = metric_dependence(runs, runs)
    row = table.set_index(["first", "second"]).loc[("accuracy", "modularity")]
    rho = stats.spearmanr(runs["accuracy"], runs["modularity"]).statistic
    assert row["correlation"] == pytest.approx(rho) == row["published"]
    assert (table["p"] == 1).all() and len(table) == 28


def test_a_dependence_that_is_on_one_side_only_is_found():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(25, 3))
    runs = pd.DataFrame(x, columns=["accuracy", "loss", "entropy"])
    other = runs.sample(frac=1, random_state=0, ignore_index=True)
    other["loss"] = -other["accuracy"] + rng.normal(0, 0.05, 25)
    names = ["accuracy", "loss", "entropy"]
    table = metric_dependence(runs.assign(loss=runs["accuracy"]), other, metrics=names)
    p = table.set_index(["first", "second"])["p"]
    assert p["accuracy", "loss"] < 0.01
    assert p["accuracy", "entropy"] > 0.05
    assert (table["detectable"] > 0.3).all()


def test_without_enough_runs_there_is_nothing_to_compare():
    runs = printed_runs()
    assert metric_dependence(runs.iloc[:2], runs).empty
    still = metric_dependence(runs.assign(accuracy=1.0), runs, metrics=["accuracy", "loss"])
    assert still[["correlation", "p"]].isna().all(axis=None)
