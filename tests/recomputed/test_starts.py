"""Units of the start, prediction of single runs, and numbers of strong self-connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import dose_response, leaky_units, single_runs, units
from cortexrnn.networks.tasks import TASKS
from tests.recomputed import doses, rows, starts

if TYPE_CHECKING:
    from tests.recomputed.conftest import Differences

THEME = "units, single runs and doses"
SHARES = ["runs", "seeds", "learned", "share", "low", "high"]
SINGLE_PRECISION = 1e-6
"""Trials have single precision in the package."""


@pytest.fixture(scope="module")
def given(archive: pd.DataFrame) -> pd.DataFrame:
    """Runs with the features of their starts, by the evidence."""
    return units.runs_with_features(archive, units.load_units(), fields=rows.FIELDS)


@pytest.fixture(scope="module")
def mine(cells: rows.Cells) -> pd.DataFrame:
    """The same recomputed."""
    measured = starts.features(pd.read_parquet(rows.DATA / "units" / "starts.parquet"))
    return starts.runs_with_features(cells, measured)


def test_levels(differences: Differences) -> None:
    """Accuracy without memory, and the self-connection that is of use."""
    for name, task in TASKS.items():
        level, weight = leaky_units.level_without_memory(task), starts.needed(name)
        differences.numbers("level", rows.GUESS[name], level)
        differences.numbers("needed", weight, leaky_units.needed_self_connection(task))


def test_features(mine: pd.DataFrame, given: pd.DataFrame, differences: Differences) -> None:
    """What every start was like, beside what became of its run."""
    assert len(mine) == len(given)
    own = mine.reindex(given["identity"])
    for name in ("seed", "accuracy", "learned", *units.FEATURES):
        within = SINGLE_PRECISION if name == "separation" else 1e-9
        differences.numbers(name, own[name], given[name], within=within)


def test_learned_by_number(
    mine: pd.DataFrame, given: pd.DataFrame, differences: Differences
) -> None:
    """Shares that learned by number of strong units, and by either account."""
    at_most_four = mine.assign(strong=mine["strong"].clip(upper=4))
    found = starts.shares(at_most_four, ["task", "field", "strong"])
    table = units.learned_by_count(given)
    assert len(found) == len(table)
    own = [found[row.task, row.field, row.strong] for row in table.itertuples()]
    differences.numbers("by number", own, table[SHARES])
    by_account = units.learned_by_account(given)
    for account, can in (("one unit", mine["excited"] > 0), ("two units", mine["opposed"] > 0)):
        table = by_account[by_account["account"] == account]
        found = starts.shares(mine.assign(can=can), ["task", "field", "can"])
        assert len(found) == len(table)
        own = [found[row.task, row.field, row.can_learn] for row in table.itertuples()]
        differences.numbers(account, own, table[SHARES])


def test_traces(differences: Differences) -> None:
    """When units of watched runs fell silent."""
    key = ["field", "task", "seed"]
    table = units.trace_summary(units.load_traces()).set_index(key)
    own = starts.traces(pd.read_parquet(rows.DATA / "units" / "traces.parquet")).set_index(key)
    assert len(own) == len(table)
    for name in table:
        differences.numbers(f"traces, {name}", own.reindex(table.index)[name], table[name])


MODELS = {
    "number of strong units": ["strong"],
    "all of these": [*single_runs.MODELS["all of these"]],
}


def test_out_of_sample(mine: pd.DataFrame, given: pd.DataFrame, differences: Differences) -> None:
    """Areas under the curve on another field and on other seeds."""
    for name, columns in MODELS.items():
        table = single_runs.out_of_sample(given, models={name: columns})
        found = starts.out_of_sample(mine, columns)
        own = [found[row.task, row.field, row.tested_on] for row in table.itertuples()]
        names = ["area", "low", "high"]
        differences.numbers(f"area, {name}", own, table[names], within=SINGLE_PRECISION)


def test_predicted_doses(differences: Differences) -> None:
    """The curve that was predicted, by enumeration."""
    asked = [(t, n, way) for t in rows.TASKS for n in doses.COUNTS for way in doses.WAYS]
    given = [dose_response.predicted_share(t, n, needed=way) for t, n, way in asked]
    differences.numbers("predicted", [doses.predicted(*one) for one in asked], given)


def test_doses(archive: pd.DataFrame, cells: rows.Cells, differences: Differences) -> None:
    """Shares at every dose, tests against both accounts, and their likelihood."""
    given = dose_response.dose_response(archive, fields=rows.FIELDS)
    mine = doses.shares(cells)
    assert len(mine) == len(given)
    if given.empty:
        return
    key = ["start", "count", "task", "field"]
    mine = mine.set_index(key).reindex(pd.MultiIndex.from_frame(given[key])).reset_index()
    for name in given.columns.difference(key):
        differences.numbers(f"doses, {name}", mine[name], given[name])
    outside = dose_response.compare_with_accounts(given)
    weighed = dose_response.compare_accounts(given).set_index("start")
    for way in doses.WAYS:
        table = outside[outside["account"] == way]
        own = doses.outside(mine, way).set_index(key)
        own = own.reindex(pd.MultiIndex.from_frame(table[key]))
        differences.numbers(f"outside, {way}", own[["p", "p_holm"]], table[["p", "p_holm"]])
        for start, row in weighed.iterrows():
            part = mine if start == "both" else mine[mine["start"] == start]
            found = doses.likelihood(part, way)
            theirs = (row[f"lapse of {way}"], row[f"log likelihood of {way}"])
            differences.numbers(f"lapse, {way}", found, theirs, within=1e-4)
    assert np.isfinite(weighed["difference"]).all()
