"""Intervals and tables of cells."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence.intervals import (
    bootstrap_interval,
    cell_means,
    cells_as_text,
    share_interval,
    t_interval,
    with_interval,
)
from cortexrnn.evidence.published import beside_published, published_table
from cortexrnn.runs.archive import METRICS


def test_interval_of_a_textbook_sample():
    # Student 1908, extra hours of sleep with the second drug.
    sleep = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    mean, low, high = t_interval(sleep)
    expected = stats.ttest_1samp(sleep, 0).confidence_interval(0.95)
    assert mean == pytest.approx(2.33)
    assert (low, high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_what_was_asked_for(level):
    sleep = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    expected = stats.ttest_1samp(sleep, 0).confidence_interval(level)
    assert t_interval(sleep, level=level)[1:] == pytest.approx((expected.low, expected.high))
    expected = stats.bootstrap(
        (sleep,), np.mean, confidence_level=level, n_resamples=200,
        random_state=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    interval = bootstrap_interval(sleep, level=level, n_resamples=200, seed=5)
    assert interval == (np.mean(sleep), expected.low, expected.high)


def test_two_values_have_an_interval():
    assert t_interval([1.0, 3.0])[1:] == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)
    assert np.isfinite(bootstrap_interval([1.0, 3.0])).all()
    assert bootstrap_interval([2.0])[0] == 2.0
    assert np.isnan(bootstrap_interval([2.0])[1:]).all()


@pytest.mark.parametrize("interval", [t_interval, bootstrap_interval])
def test_values_may_be_whole_or_missing_as_none(interval):
    assert interval([1, None, 3, 4]) == interval([1.0, 3.0, 4.0])


@pytest.mark.filterwarnings("error")
def test_interval_leaves_out_what_is_missing():
    assert t_interval([1.0, np.nan, 3.0]) == t_interval([1.0, 3.0])
    assert t_interval([2.0])[0] == 2.0
    assert np.isnan(t_interval([2.0])[1:]).all()
    assert np.isnan(t_interval([np.nan])).all()


def test_a_value_is_written_with_the_interval_it_has():
    assert with_interval(0.917, 0.85, 0.984) == "0.92 [0.85,\u00a00.98]"
    assert with_interval(0.9171, np.nan, np.nan, digits=3) == "0.917"
    assert with_interval(np.nan, np.nan, np.nan) == ""
    assert with_interval(-0.001, -0.004, -0.0) == "0.00 [0.00,\u00a00.00]"


def runs(**columns):
    base = {"field": "6_6_2", "arm": "corr", "protocol": "published", "variant": "WD*"}
    base |= {"task": "one_choice", "diverged": False, "numerics": 4}
    base |= {"settings": "", "published": True, "specification": "{}"} | dict.fromkeys(METRICS, 0.5)
    return pd.DataFrame([base | columns] * 3)


def test_diverged_runs_are_counted_and_have_no_value():
    table = pd.concat([runs(accuracy=0.8), runs(accuracy=np.nan, diverged=True).head(1)])
    (cell,) = cell_means(table).to_dict("records")
    assert (cell["runs"], cell["diverged"], cell["mean"]) == (4, 1, pytest.approx(0.8))


def test_cells_keep_the_order_of_the_runs_and_have_the_interval_of_their_values():
    names = [("go_nogo", "W"), ("one_choice", "WD*"), ("go_nogo", "W*D*C")]
    parts = [
        runs(task=task, variant=variant).assign(entropy=[i, i + 1.0, i + 5.0])
        for i, (task, variant) in enumerate(names)
    ]
    table = cell_means(pd.concat(parts), metric="entropy")
    assert list(zip(table["task"], table["variant"], strict=True)) == names
    for i, row in enumerate(table.to_dict("records")):
        mean, low, high = t_interval([i, i + 1.0, i + 5.0])
        assert row == {
            "field": "6_6_2", "arm": "corr", "protocol": "published",
            "variant": names[i][1], "task": names[i][0], "metric": "entropy",
            "settings": "", "published": True, "runs": 3, "diverged": 0, "numerics": "4",
            "mean": mean, "low": low, "high": high,
        }  # fmt: skip


def test_published_intervals_stand_beside_every_metric_that_is_asked_for():
    table = beside_published(runs(entropy=5.0), metrics=["accuracy", "entropy"])
    paper = published_table().query("arm == 'corr' and variant == 'WD*' and task == 'one_choice'")
    for row, name in zip(table.to_dict("records"), ("accuracy", "entropy"), strict=True):
        theirs = paper[paper["metric"] == name].iloc[0]
        assert row["published"] == theirs["mean"]
        assert (row["published_low"], row["published_high"]) == (
            theirs["ci95_low"],
            theirs["ci95_high"],
        )


def test_cells_stand_beside_the_published_ones():
    (cell,) = beside_published(runs(accuracy=0.8)).to_dict("records")
    assert cell["published"] == 0.787
    assert cell["difference"] == pytest.approx(0.8 - 0.787)
    (missing,) = beside_published(runs(variant="W*D*")).to_dict("records")
    assert np.isnan(missing["published"])


def test_positive_cells_find_the_papers_name_of_their_arm():
    (cell,) = beside_published(runs(arm="corr+sign", variant="W*D*C")).to_dict("records")
    assert cell["published"] == 0.91


@pytest.mark.parametrize(("count", "n"), [(0, 20), (1, 20), (10, 20), (20, 20), (3, 7)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intervals_of_shares_are_exact_and_have_a_width(count, n, level):
    low, high = share_interval(count, n, level=level)
    expected = stats.binomtest(count, n).proportion_ci(level, method="exact")
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert low < high


def test_the_interval_of_a_share_is_that_of_the_textbook():
    # Clopper and Pearson 1934, as Agresti and Coull 1998 quote it: none of n, one-sided tail 0.025.
    assert share_interval(0, 20)[1] == pytest.approx(1 - 0.025 ** (1 / 20))


def test_an_interval_of_effective_numbers_lies_between_its_neighbours():
    ends = [share_interval(n / 2, n) for n in (4, 4.5, 5)]
    assert ends[0][0] < ends[1][0] < ends[2][0]
    low, high = share_interval(3.5, 3.5)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 3.5)), 1.0)


@pytest.mark.parametrize(("count", "n"), [(3, 2), (0, 0), (-1, 5), (np.nan, 5), (1, np.nan)])
def test_impossible_counts_are_refused(count, n):
    with pytest.raises(ValueError, match=r"count is .*; give a number from 0 to n"):
        share_interval(count, n)


def test_an_unknown_metric_is_refused():
    with pytest.raises(KeyError, match="choose one of accuracy"):
        cell_means(runs(), metric="speed")


def test_cells_are_written_with_the_interval_they_have():
    several = pd.concat([runs(accuracy=0.7), runs(accuracy=0.9)])
    one = runs(variant="W*D*").head(1)
    lost = runs(variant="W", accuracy=np.nan, diverged=True)
    texts = cells_as_text(beside_published(pd.concat([several, one, lost])))
    mean, low, high = t_interval(several["accuracy"])
    assert texts["here"].tolist() == [f"{mean:.3f} [{low:.3f},\u00a0{high:.3f}]", "0.500", ""]
    assert texts["published"].iloc[0].startswith("0.787 [")
    assert texts["published"].iloc[1] == ""  # the paper has no such cell
