"""How fast runs learn, how they generalise, and what the sign of weights changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import generalisation, learning_speed, sign_constraint
from tests.recomputed import gaps, rows, speed, statistics

if TYPE_CHECKING:
    from tests.recomputed.conftest import Differences

THEME = "speed, generalisation and sign"
COMPARED = ("pairs", "first_one", "first_two", "events_more", "p_time", "gain", "only_one",
            "only_two", "p_often", "both", "lead", "p_lead")  # fmt: skip


@pytest.fixture(scope="module")
def given(archive: pd.DataFrame) -> pd.DataFrame:
    """Runs of both signs as the evidence selects them."""
    return learning_speed.runs_of_fields(archive, fields=rows.FIELDS)


@pytest.fixture(scope="module")
def times(of_both_signs: pd.DataFrame) -> pd.DataFrame:
    """Times until runs learned, recomputed."""
    return speed.times(of_both_signs)


@pytest.fixture(scope="module")
def given_times(given: pd.DataFrame) -> pd.DataFrame:
    """The same by the evidence."""
    return learning_speed.time_until_learned(given)


def test_times(times: pd.DataFrame, given_times: pd.DataFrame, differences: Differences) -> None:
    """Epochs until learned, and curves with their exact intervals."""
    own = times.set_index("identity").reindex(given_times["identity"])
    differences.numbers("epoch", own["epoch"], given_times["epoch"])
    differences.numbers("has learned", own["event"], given_times["has_learned"])
    updates = own["epoch"] * np.ceil(own["n_train"] / 128)
    differences.numbers("updates", updates, given_times["updates"])
    table = learning_speed.speed_by_condition(given_times)
    found = speed.curves(times)
    keys = list(zip(*(table[name] for name in speed.SPECIFIC), strict=True))
    for name in ("share", "low", "high"):
        mine = [found[key][name][epoch] for key, epoch in zip(keys, table["epoch"], strict=True)]
        differences.numbers(f"curve, {name}", mine, table[name])
    mine = [(found[key]["mean"], found[key]["runs"]) for key in keys]
    differences.numbers("mean epochs", mine, table[["mean_epochs", "runs"]])


def test_speed_effects(
    times: pd.DataFrame, given_times: pd.DataFrame, differences: Differences
) -> None:
    """Log-rank statistics and all tests by exchanging members of pairs."""
    table = learning_speed.speed_effects(given_times).set_index(speed.KEY)
    own = speed.effects(times)
    assert set(own.index) == set(table.index)
    own = own.reindex(table.index)
    for name in COMPARED:
        differences.numbers(f"effects, {name}", own[name], table[name])
    for name, difference in (("gain", speed.gain), ("lead", speed.lead)):
        mine = speed.intervals(times, difference)
        for _, rows_of_sign in table.groupby("sign"):
            known = rows_of_sign[rows_of_sign[name].notna()]
            ends = known[[f"{name}_low", f"{name}_high"]]
            differences.intervals(name, mine.reindex(known.index), ends)


def test_log_rank_is_the_usual_one(times: pd.DataFrame) -> None:
    """Events less those expected have the sign that the test of statsmodels gives weight to."""
    checked = 0
    for _, one, two in speed.compared(times[times["field"] == "5_3_4"]):
        if one["event"].any() or two["event"].any():
            statistic = speed.log_rank(one, two)[0]
            assert (abs(statistic) < 1e-9) == (speed.chi_square(one, two) < 1e-9)
            checked += 1
    assert checked > 20


def test_gaps(given: pd.DataFrame, of_both_signs: pd.DataFrame, differences: Differences) -> None:
    """Validation less training accuracy by condition and between variants."""
    table, mine = generalisation.with_gap(given), gaps.gap(of_both_signs)
    own = mine.set_index("identity").reindex(table["identity"])
    differences.numbers("gap", own[["gap", "late_gain"]], table[["gap", "late_gain"]])
    means, found = generalisation.gaps_by_condition(table), gaps.by_condition(mine)
    assert len(found) == len(means)
    names = ["runs", "gap", "low", "high", "learned", "gap_learned"]
    keys = list(zip(*(means[name] for name in speed.SPECIFIC), strict=True))
    differences.numbers("by condition", [found[key] for key in keys], means[names])
    for what, function, difference in (
        ("gap effects", generalisation.gap_effects, gaps.gap_less),
        ("at equal accuracy", generalisation.at_equal_accuracy, gaps.at_equal_accuracy),
    ):
        effects = function(table).set_index(speed.KEY)
        own = speed.intervals(mine, difference)
        assert set(own.index) == set(effects.index)
        for _, part in effects.groupby("sign"):
            aligned = own.reindex(part.index)
            differences.numbers(f"{what}, pairs", aligned["seeds"], part["pairs"])
            differences.numbers(what, aligned["difference"], part["difference"])
            differences.intervals(what, aligned, part[["difference_low", "difference_high"]])


def test_sign_by_start(
    given: pd.DataFrame, of_both_signs: pd.DataFrame, differences: Differences
) -> None:
    """Tests of the sign within starts."""
    names = ["free", "positive", "diverged", "median_free", "median_positive", "delta", "p"]
    for field in rows.FIELDS:
        table = sign_constraint.sign_by_start(given[given["field"] == field])
        runs = of_both_signs[of_both_signs["field"] == field]
        for metric, part in table.groupby("metric"):
            found = gaps.by_start(runs, str(metric))
            mine = pd.DataFrame([found[row.task, row.start] for row in part.itertuples()])
            differences.numbers(f"by start, {metric}", mine.reindex(columns=names), part[names])
        differences.numbers("by start, Holm", statistics.holm(table["p"]), table["p_holm"])


def test_sign_by_variant(
    given: pd.DataFrame, of_both_signs: pd.DataFrame, differences: Differences
) -> None:
    """Positive less free, run by run, and the published differences."""
    table = sign_constraint.sign_by_variant(given)
    for metric, part in table.groupby("metric"):
        part = part.set_index(["field", "task", "variant"])
        own = gaps.by_variant(of_both_signs, str(metric)).reindex(part.index)
        for mine, name in (("seeds", "pairs"), ("diverged", "diverged"), ("difference",) * 2):
            differences.numbers(f"by variant, {name}", own[mine], part[name])
        ends = part[["difference_low", "difference_high"]]
        differences.intervals("by variant", own, ends)
    published = sign_constraint.published_sign_differences()
    for printed, metric in (("Accuracy", "accuracy"), ("Entropy", "entropy")):
        part = published[published["metric"] == metric]
        found = gaps.published_sign(printed)
        assert len(found) == len(part)
        mine = [found[row.task, row.variant] for row in part.itertuples()]
        names = ["published", "published_low", "published_high"]
        differences.numbers("published sign", mine, part[names])
