"""Contrasts on true coordinates: which conditions they compare, and what they say."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence import true_coordinates
from cortexrnn.figures import as_written as figures
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import CONDITIONS
from tests.evidence.test_predictions import runs

FIELDS = ["5_3_4", "6_6_2"]


def made(levels, *, field):
    """Runs of some conditions, equal in every task but for noise."""
    rng = np.random.default_rng(0)
    return pd.concat(
        runs(
            CONDITIONS[name],
            {task: level + rng.normal(scale=0.02, size=20) for task in TASKS},
            field=field,
        )
        for name, level in levels.items()
    )


def test_contrasts_are_about_true_coordinates_alone():
    for one, two in true_coordinates.CONTRASTS.values():
        first, second = CONDITIONS[one], CONDITIONS[two]
        assert first.protocol.coordinates == second.protocol.coordinates == "soma"
        assert all(condition.is_run_on("6_6_2") for condition in (first, second))
    grid, random, shuffled, relabelled = (
        CONDITIONS[two] for _, two in true_coordinates.CONTRASTS.values()
    )
    assert grid.protocol.grid_scale == "matched" and grid.variant.name == "WDC"
    assert (random.variant.distance, shuffled.variant.distance) == ("matched", "shuffled")
    assert relabelled.variant.start == CONDITIONS["W*D*C, corrected"].variant.start
    scrambled = CONDITIONS[true_coordinates.RECORDED_BEFORE["scrambled D* for D"][0]]
    assert scrambled.protocol.coordinates == "reshaped"


def test_contrasts_without_runs_say_why():
    archive = made({"WD*C": 0.9, "WDC": 0.6, "WD*C on own coordinates": 0.7}, field="6_6_2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a page shows none
        table = true_coordinates.contrasts(archive, fields=FIELDS, rng=np.random.default_rng(0))
    assert len(table) == 4 * 2 * 4
    assert set(table["status"]) == {"not run yet"}
    before = true_coordinates.contrasts(
        archive,
        fields=FIELDS,
        effects=true_coordinates.RECORDED_BEFORE,
        rng=np.random.default_rng(0),
    )
    status = before.groupby(["effect", "field"], sort=False)["status"].first()
    assert status["true D* for D", "6_6_2"] == "recorded"
    matched = "true D* for a grid matched to scrambled D*"
    assert status[matched, "6_6_2"] == "not asked"
    assert status[matched, "5_3_4"] == "not run yet"
    text = true_coordinates.contrasts_as_text(before)
    assert list(text) == FIELDS
    assert text.loc[("true D* for D", "mean over tasks"), "5_3_4"] == "not run yet"
    assert text.loc[("true D* for D", "Go/NoGo"), "6_6_2"].startswith("0.1")
    assert not text.isna().any(axis=None) and not (text == "").any(axis=None)
    assert figures.effects_by_task(table).axes  # which says where there are no runs
    texts = [one.get_text() for one in figures.effects_by_task(before).axes[0].texts]
    assert texts == [" no runs"] * 3
    with pytest.raises(ValueError, match="at least one"):
        figures.effects_by_task(table.head(0))


def test_contrasts_are_the_first_less_the_second():
    levels = {
        "WD*C on own coordinates": 0.8,
        "WDC on a grid matched to own coordinates": 0.75,
        "WD*C on random points with own distances": 0.8,
        "WD*C on shuffled own distances": 0.9,
        "W!D*C, corrected": 0.7,
        "W*D*C, corrected": 0.95,
    }
    table = true_coordinates.contrasts(
        made(levels, field="5_3_4"), fields=["5_3_4"], rng=np.random.default_rng(0)
    )
    assert set(table["status"]) == {"recorded"} and set(table["seeds"]) == {20}
    means = table[table["task"] == "mean"]["difference"]
    assert means.tolist() == pytest.approx([0.05, 0.0, -0.1, -0.25], abs=0.02)
    assert (table["difference_low"] < table["difference"]).all()
    assert (table["difference"] < table["difference_high"]).all()


def test_the_interval_of_a_ratio_holds_what_a_t_test_does_not_exclude():
    rng = np.random.default_rng(3)
    below = rng.normal(0.4, 0.2, 20)
    above = 0.3 * below + rng.normal(0.02, 0.1, 20)
    ratio, low, high = true_coordinates.ratio_of_means(above, below)
    assert ratio == pytest.approx(above.mean() / below.mean())
    for end in (low, high):
        assert stats.ttest_1samp(above - end * below, 0).pvalue == pytest.approx(0.05)
    assert stats.ttest_1samp(above - ratio * below, 0).pvalue == pytest.approx(1.0)
    assert true_coordinates.ratio_of_means(0.5 * below, below) == pytest.approx((0.5,) * 3)
    _, low_80, high_80 = true_coordinates.ratio_of_means(above, below, level=0.8)
    assert low < low_80 < high_80 < high


def test_a_ratio_to_nothing_has_no_interval():
    rng = np.random.default_rng(4)
    ratio, low, high = true_coordinates.ratio_of_means(rng.normal(size=20), rng.normal(size=20))
    assert np.isfinite(ratio) and np.isnan([low, high]).all()
    assert np.isnan(true_coordinates.ratio_of_means([1.0], [1.0])).all()
    with pytest.raises(ValueError, match="pairs"):
        true_coordinates.ratio_of_means([1.0, 2.0], [1.0])


def test_true_coordinates_keep_a_share_of_the_scrambled_effect():
    archive = made({"WD*C": 0.9, "WDC": 0.5, "WD*C on own coordinates": 0.6}, field="5_3_4")
    table = true_coordinates.share_of_scrambled(archive, fields=FIELDS)
    assert set(table["field"]) == {"5_3_4"}
    assert table["task"].tolist() == ["mean", *TASKS]
    row = table.iloc[0]
    assert (row["scrambled"], row["true"]) == pytest.approx((0.4, 0.1), abs=0.01)
    assert row["share"] == pytest.approx(row["true"] / row["scrambled"])
    assert row["share_low"] < 0.25 < row["share_high"]
    ends = (100 * row["share_low"], 100 * row["share_high"])
    assert true_coordinates.shares_in_words(table) == (
        f"{100 * row['share']:.0f} % [{ends[0]:.0f}, {ends[1]:.0f}] on 5_3_4"
    )
    text = true_coordinates.shares_as_text(table)
    assert list(text) == ["scrambled", "true", "share"] and not text.isna().any(axis=None)
    assert "[" in text.loc[("5_3_4", "mean over tasks"), "share"]
    no_end = table.assign(share=0.3, share_low=np.nan)
    assert set(true_coordinates.shares_as_text(no_end)["share"]) == {"no effect to share"}
    assert true_coordinates.shares_in_words(no_end) == "30 % on 5_3_4"
    assert true_coordinates.shares_in_words(table.head(0)) == "not run yet"
    assert true_coordinates.share_of_scrambled(archive, fields=["6_6_2"]).empty
