"""Headline effects, true coordinates, and the paper's table if the code did what its text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import as_written, headline_effects, true_coordinates
from tests.recomputed import effects, protocols, rows

if TYPE_CHECKING:
    from tests.recomputed.conftest import Differences

THEME = "effects"
ENDS = ["difference_low", "difference_high"]
KEY = ["effect", "field", "task"]


def _together(differences: Differences, what: str, mine: pd.DataFrame, given: pd.DataFrame) -> None:
    """Compare effects whose intervals hold together; both have the same rows."""
    assert set(mine.index) == set(given.index), what
    own = mine.reindex(given.index)
    differences.numbers(f"{what}, seeds", own["seeds"], given["seeds"])
    differences.numbers(what, own["difference"], given["difference"])
    differences.intervals(what, own, given[ENDS])


def test_headline_effects_by_task(
    archive: pd.DataFrame, cells: rows.Cells, differences: Differences
) -> None:
    """Effects by task and field."""
    given = headline_effects.by_task(archive, fields=rows.FIELDS, rng=np.random.default_rng(5))
    mine = effects.by_task(cells, effects.HEADLINES)
    _together(differences, "headlines", mine, given.set_index(KEY))


def test_headline_effects_by_draw(
    archive: pd.DataFrame, stored: pd.DataFrame, differences: Differences
) -> None:
    """Effects on other draws of trials."""
    given = headline_effects.by_draw(archive, fields=rows.FIELDS).set_index(KEY)
    mine = pd.DataFrame(effects.by_draw(stored)).T
    assert set(mine.index) == set(given.index)
    for name in given:
        differences.numbers(f"draws, {name}", mine.reindex(given.index)[name], given[name])


@pytest.mark.parametrize(
    ("mine", "given"),
    [
        (effects.ON_TRUE, true_coordinates.CONTRASTS),
        (effects.BEFORE, true_coordinates.RECORDED_BEFORE),
    ],
)
def test_true_coordinates(
    archive: pd.DataFrame,
    cells: rows.Cells,
    differences: Differences,
    mine: dict[str, effects.Pair],
    given: dict[str, effects.Pair],
) -> None:
    """Contrasts on true coordinates, or why there is none."""
    assert mine == given
    table = true_coordinates.contrasts(
        archive, fields=rows.FIELDS, effects=given, rng=np.random.default_rng(5)
    )
    why = [effects.status(cells, mine[row.effect], row.field) for row in table.itertuples()]
    differences.words("status", why, table["status"])
    recorded = table[table["status"] == "recorded"].set_index(KEY)
    _together(differences, "true coordinates", effects.by_task(cells, mine), recorded)


def test_share_of_scrambled(
    archive: pd.DataFrame, cells: rows.Cells, differences: Differences
) -> None:
    """What true coordinates keep, with Fieller's interval."""
    given = true_coordinates.share_of_scrambled(archive, fields=rows.FIELDS)
    found = effects.shares(cells)
    mine = [found[row.field, row.task] for row in given.itertuples()]
    differences.numbers("share of scrambled", mine, given.iloc[:, 2:])


@pytest.mark.parametrize("metric", ["accuracy", "modularity", "entropy"])
@pytest.mark.parametrize("field", rows.FIELDS)
def test_paper_as_written(
    archive: pd.DataFrame, cells: rows.Cells, differences: Differences, field: str, metric: str
) -> None:
    """Published, recorded and corrected means, and corrected less recorded."""
    given = as_written.beside_published(
        archive, field=field, metric=metric, rng=np.random.default_rng(5)
    )
    found = protocols.means(cells, field, metric)
    for side in ("recorded", "corrected"):
        mine = [found[side, row.variant, row.task] for row in given.itertuples()]
        names = [side, f"{side}_low", f"{side}_high", f"{side}_runs"]
        differences.numbers(f"means, {side}", mine, given[names])
    if field == "6_6_2":
        own = protocols.printed(metric).reindex(pd.MultiIndex.from_frame(given.iloc[:, :2]))
        names = ["published", "published_low", "published_high"]
        differences.numbers("published", own, given[names])
    changed = given[given["difference"].notna()].set_index(["variant", "task"])
    own = protocols.changes(cells, field, metric)
    own = own[own["difference"].notna()].reindex(changed.index)
    assert len(own) == len(changed)
    differences.numbers("corrected less recorded", own["difference"], changed["difference"])
    differences.intervals("corrected less recorded", own, changed[ENDS])


def test_learned_counts(archive: pd.DataFrame, cells: rows.Cells, differences: Differences) -> None:
    """Numbers that learned under either protocol."""
    for field in rows.FIELDS:
        given = as_written.learned_counts(archive, field=field)
        found = protocols.learned_counts(cells, field)
        assert len(found) == len(given)
        mine = [found[row.side, row.variant, row.task] for row in given.itertuples()]
        names = ["learned", "runs", "share_low", "share_high"]
        differences.numbers("learned", mine, given[names])


def test_both_protocols(archive: pd.DataFrame, cells: rows.Cells, differences: Differences) -> None:
    """Headline effects under both protocols, and computations that are the same."""
    given = as_written.effects_on_both_sides(
        archive, fields=rows.FIELDS, rng=np.random.default_rng(5)
    )
    given["effect"] = given["side"] + "|" + given["effect"]
    mine = protocols.effects_on_both_sides(cells)
    _together(differences, "both protocols", mine, given.set_index(KEY))
    same = as_written.differences_from_same(archive, fields=rows.FIELDS)
    own = [
        protocols.equal_computations(cells, row.corrected, row.control, row.field)
        for row in same.itertuples()
    ]
    names = ["runs", "equal", "same_outcome", "largest"]
    differences.numbers("same computations", np.array(own).reshape(-1, 4), same[names])
