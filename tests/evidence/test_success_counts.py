"""Success counts of the paper, bounded by its means and intervals, beside recorded ones."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from cortexrnn.evidence import success_counts
from cortexrnn.evidence.intervals import share_interval, t_interval
from cortexrnn.evidence.success_counts import (
    accuracy_limits,
    beside_published_counts,
    counts_in_words,
    pooled_as_text,
    pooled_in_words,
    pooled_shares,
    possible_counts,
    published_counts,
)

LIMITS = {"one_choice": (0.59, 1.0), "perceptual": (0.48, 0.91), "go_nogo": (0.48, 1.0)}


def printed(values):
    """Mean and interval as the paper prints them."""
    mean, low, high = t_interval(values)
    return tuple(np.round([mean, low, high] if np.ptp(values) else [mean, np.nan, np.nan], 3))


def test_go_nogo_of_the_paper_is_eighteen_of_twenty():
    # 0.951 [0.881, 1.022]: two runs at chance.
    assert possible_counts(0.951, 0.881, 1.022, threshold=0.6, limits=(0.48, 1.0)) == [18]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.48, 1.0), min_size=20, max_size=20))
def test_the_count_behind_a_printed_cell_is_always_possible(values):
    counts = possible_counts(*printed(values), threshold=0.6, limits=(0.48, 1.0))
    assert sum(value > 0.6 for value in values) in counts


@pytest.mark.parametrize("failures", [0, 1, 2, 5, 10, 18, 20])
def test_runs_at_two_levels_are_counted(failures):
    counts = possible_counts(
        *printed([0.48] * failures + [1.0] * (20 - failures)), threshold=0.6, limits=(0.48, 1.0)
    )
    assert counts == [20 - failures]


def test_only_counts_that_some_values_have_are_possible():
    # All samples of five values on a grid, against what their printed means and intervals allow.
    # The grid is coarse, so that a count may be possible with values between its points.
    grid, n = np.round(np.linspace(0.5, 1.0, 9), 4), 5
    behind, counts = {}, {}
    for sample in itertools.combinations_with_replacement(grid, n):
        behind.setdefault(printed(sample), set()).add(sum(value > 0.6 for value in sample))
    for cell, seen in behind.items():
        counts[cell] = possible_counts(*cell, threshold=0.6, limits=(0.5, 1.0), n_runs=n)
        assert seen <= set(counts[cell])
    assert np.mean([len(possible) for possible in counts.values()]) < 3  # of six


@pytest.mark.parametrize("failures", [1, 3])
def test_every_possible_count_has_values_behind_it(failures):
    rng = np.random.default_rng(failures)
    learned = rng.uniform(0.8, 1, 20 - failures)
    cell = printed(np.concatenate([rng.uniform(0.48, 0.55, failures), learned]))
    counts = possible_counts(*cell, threshold=0.6, limits=(0.48, 1.0))
    assert 1 < len(counts) < 8
    for k in counts:  # a search may end in a valley
        assert any(mismatch(cell, k, rng) < 1.1 for _ in range(20)), k


def mismatch(cell, k, rng):
    """Search for k values above 0.6 and 20 - k below; how far they print from a cell, in digits."""
    mean, low, high = cell
    bounds = [(0.6, 1.0)] * k + [(0.48, 0.6)] * (20 - k)

    def apart(values):
        half = stats.sem(values) * stats.t.ppf(0.975, 19)
        return np.array([values.mean() - mean, half - (high - low) / 2]) / 0.0005

    start = [rng.choice(ends) + rng.uniform(-1e-3, 1e-3) for ends in bounds]
    found = optimize.minimize(lambda x: (apart(x) ** 2).sum(), start, bounds=bounds)
    return np.abs(apart(found.x)).max()


def test_values_out_of_the_limits_are_impossible():
    assert possible_counts(0.3, 0.29, 0.31, threshold=0.6, limits=(0.48, 1.0)) == []
    assert possible_counts(0.9, 0.4, 1.4, threshold=0.6, limits=(0.48, 1.0)) == []
    with pytest.raises(ValueError, match=r"threshold 0\.4 is not between"):
        possible_counts(0.9, 0.8, 1.0, threshold=0.4, limits=(0.48, 1.0))


def test_published_cells_have_counts_but_where_they_diverged():
    table = published_counts(LIMITS).set_index(["arm", "variant", "task"])
    assert len(table) == 33 + 15
    assert table.notna().all(axis=None)
    assert (table["fewest"] <= table["most"]).all()
    for variant, task, fewest, most in (
        ("W*D*C", "go_nogo", 18, 18), ("WD", "go_nogo", 0, 0), ("W*D*C*", "perceptual", 20, 20)
    ):  # fmt: skip
        assert table.loc["corr", variant, task].tolist() == [fewest, most]
    assert set(published_counts({"go_nogo": (0.48, 1.0)})["task"]) == {"go_nogo"}


def runs(learn, *, variant="W*D*C", task="go_nogo", arm="corr"):
    accuracy = np.where(np.asarray(learn, dtype=bool), 1.0, 0.49)
    return pd.DataFrame(
        {"arm": arm, "variant": variant, "task": task, "seed": range(len(learn)),
         "accuracy": accuracy}
    )  # fmt: skip


def test_limits_are_those_of_runs_that_have_an_accuracy():
    table = pd.concat([runs([1, 0, 0]), runs([1]).assign(task="perceptual", accuracy=np.nan)])
    assert accuracy_limits(table) == {"go_nogo": (0.49, 1.0)}


def test_counts_stand_beside_each_other_with_an_exact_test():
    table = pd.concat([runs([1] * 10 + [0] * 10), runs([0] * 20, variant="WD")])
    result = beside_published_counts(table).set_index("variant")
    cell = result.loc["W*D*C"]
    assert (cell["learned"], cell["runs"], cell["fewest"], cell["most"]) == (10, 20, 18, 18)
    assert (cell["share_low"], cell["share_high"]) == share_interval(10, 20)
    assert (cell["published_low"], cell["published_high"]) == share_interval(18, 20)
    expected = stats.fisher_exact([[10, 10], [18, 2]]).pvalue
    assert cell["p"] == cell["p_fewest"] == cell["p_most"] == pytest.approx(expected)
    assert cell["p_holm"] == pytest.approx(2 * expected)
    assert result.loc["WD", "p_holm"] == 1.0


def test_an_uncertain_count_takes_the_least_evidence(monkeypatch):
    bounds = pd.DataFrame(
        [("corr", "W*D*C", "go_nogo", 8, 14)], columns=["arm", "variant", "task", "fewest", "most"]
    )
    monkeypatch.setattr(success_counts, "published_counts", lambda limits: bounds)
    (cell,) = beside_published_counts(runs([1] * 10 + [0] * 10)).to_dict("records")
    assert cell["p"] == 1.0 and cell["p_most"] < 0.5
    assert cell["published_low"] == share_interval(8, 20)[0]
    assert cell["published_high"] == share_interval(14, 20)[1]


def test_no_runs_give_no_counts():
    assert beside_published_counts(runs([1]).iloc[:0]).empty
    assert pooled_shares(beside_published_counts(runs([1]).iloc[:0]), runs([1])).empty


def test_shares_over_cells_take_seeds_as_clusters():
    learn = np.array([1] * 14 + [0] * 6)
    names = ["W*D*C", "W*D*C*", "W*DC*"]
    alike = pd.concat([runs(learn, variant=name) for name in names])
    (row,) = pooled_shares(beside_published_counts(alike), alike).to_dict("records")
    published = np.array([18, 18, 17]) / 20
    assert row["share"] == 0.7 and row["cells"] == 3
    assert row["fewest"] == row["most"] == pytest.approx(published.mean())
    # Cells that are all alike tell as much as one; those of the paper are independent.
    parts = np.array([0.7 * 0.3 / 19, *(published * (1 - published) / 19 / 9)])
    df = parts.sum() ** 2 / (parts**2 / 19).sum()
    half = stats.t.ppf(0.975, df) * np.sqrt(parts.sum())
    assert row["difference_high"] - row["share"] + row["most"] == pytest.approx(half)
    assert row["difference_low"] - row["share"] + row["most"] == pytest.approx(-half)
    width = row["independent_high"] - row["independent_low"]
    assert 1.4 * width < 2 * half < 3**0.5 * width


def test_intervals_of_several_groups_hold_together():
    both = pd.concat([runs([1] * 14 + [0] * 6), runs([1] * 9 + [0] * 11, variant="W!D*C")])
    counts = beside_published_counts(both)
    together = pooled_shares(counts, both)
    single = [
        pooled_shares(counts[counts["variant"] == name], both, level=0.975).iloc[0]
        for name in ("W*D*C", "W!D*C")
    ]
    assert together["start"].tolist() == ["functional", "permuted"]
    for i, row in enumerate(single):
        assert together.loc[i, "difference_low"] == pytest.approx(row["difference_low"])


def test_cells_whose_runs_are_all_alike_are_left_out():
    table = pd.concat([runs([0] * 20, variant="WD"), runs([1] * 19 + [0])])
    assert pooled_shares(beside_published_counts(table), table)["start"].tolist() == ["functional"]


# --- in words


def test_counts_are_summed_up_in_words():
    one = {"fewest": 18, "most": 18, "learned": 18, "runs": 20, "p_holm": 1.0}
    table = pd.DataFrame(
        [one, one | {"most": 19, "learned": 15}, one | {"fewest": 12, "p_holm": 0.01, "learned": 4}]
    )
    assert counts_in_words(table) == (
        "In 3 published cells, mean and interval fit a single number of learned runs in 1, two in "
        "1, up to 7 in 1. Our own number is one of these in 1 cells; it differs significantly in 1."
    )
    table["p_holm"] = 1.0
    assert counts_in_words(table.head(2)) == (
        "In 2 published cells, mean and interval fit a single number of learned runs in 1, two in "
        "1. Our own number is one of these in 1 cells; it differs significantly in none."
    )


def test_pooled_shares_are_summed_up_in_words():
    row = {"task": "go_nogo", "start": "functional", "cells": 6, "share": 0.767}
    row |= {"fewest": 0.908, "most": 0.95, "difference_low": -0.42, "difference_high": 0.14}
    row |= {"independent_low": -0.28, "independent_high": -0.002}
    assert pooled_in_words(pd.DataFrame([row, row | {"difference_high": -0.1}])) == (
        "Pooled over the cells of a task and a start, 1 of 2 shares differs from the published one "
        "where seeds are clusters; if all runs were independent, 2 would."
    )
    texts = pooled_as_text(pd.DataFrame([row, row | {"most": 0.908}]))
    assert texts["published"].tolist() == ["0.91 to 0.95", "0.91"]
    assert texts["difference"].tolist() == ["[-0.42,\u00a00.14]"] * 2
    assert texts["if independent"].tolist() == ["[-0.28,\u00a00.00]"] * 2
