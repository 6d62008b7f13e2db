"""Numbers of successes here and in the paper, and how alike runs of one seed are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cortexrnn.evidence import learning_speed, seed_clusters, success_counts
from cortexrnn.runs.labels import select
from tests.recomputed import clusters, counts, rows

if TYPE_CHECKING:
    from tests.recomputed.conftest import Differences

THEME = "counts and clusters"
CELL = ["arm", "variant", "task"]


def test_success_counts(
    archive: pd.DataFrame, of_both_signs: pd.DataFrame, differences: Differences
) -> None:
    """Possible published counts, Fisher's tests with Holm, and pooled shares with clusters."""
    chosen = success_counts.recorded_runs(archive)
    mine = of_both_signs[of_both_signs["field"] == "6_6_2"]
    limits, given_limits = counts.limits(mine), success_counts.accuracy_limits(chosen)
    ends = [[both[task] for task in rows.TASKS] for both in (limits, given_limits)]
    differences.numbers("limits", *ends)
    bounds = counts.published(limits)
    given = success_counts.published_counts(given_limits)
    assert len(bounds) == len(given)
    found = [bounds[row.arm, row.variant, row.task] for row in given.itertuples()]
    own = [(possible[0], possible[-1]) for possible in found]
    differences.numbers("possible counts", own, given[["fewest", "most"]])
    beside = counts.beside(mine, bounds)
    table = success_counts.beside_published_counts(chosen)
    aligned = beside.set_index(CELL).reindex(pd.MultiIndex.from_frame(table[CELL]))
    for name in table.columns.difference(CELL):
        differences.numbers(f"beside published, {name}", aligned[name], table[name])
    pooled = success_counts.pooled_shares(table, chosen).set_index(["task", "start"])
    own_pools = counts.pooled(beside, mine).set_index(["task", "start"])
    assert set(own_pools.index) == set(pooled.index)
    for name in pooled:
        differences.numbers(f"pooled, {name}", own_pools.reindex(pooled.index)[name], pooled[name])


def test_clusters(
    archive: pd.DataFrame, of_both_signs: pd.DataFrame, differences: Differences
) -> None:
    """Design effects, correlations within seeds and gains by seed."""
    free = pd.concat([select(archive, field=field) for field in rows.FIELDS])
    key = ["field", "task", "start"]
    given = seed_clusters.design_effects(free).set_index(key)
    own_free = of_both_signs[of_both_signs["sign"] == "free"]
    mine = clusters.design_effects(own_free).set_index(key)
    assert set(mine.index) == set(given.index)
    for name in given:
        differences.numbers(f"design, {name}", mine.reindex(given.index)[name], given[name])
    shared = seed_clusters.shared_outcomes(
        learning_speed.runs_of_fields(archive, fields=rows.FIELDS)
    )
    found = clusters.shared_outcomes(of_both_signs)
    assert len(found) == len(shared)
    own = [found[row.field, row.shared] for row in shared.itertuples()]
    differences.numbers("shared outcomes", own, shared[["pairs", "correlation"]])
    for field, runs in free.groupby("field"):
        gains = clusters.gains(own_free[own_free["field"] == field])
        differences.numbers("gains", gains, seed_clusters.gains_by_seed(runs)[list(rows.TASKS)])
