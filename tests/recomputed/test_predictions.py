"""Outcomes of all predictions and the verdicts on the claims, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from cortexrnn.evidence import judgement, verdict_history
from cortexrnn.evidence.kept_effects import EFFECTS
from cortexrnn.evidence.predictions import CLAIMS, PREDICTIONS
from tests.recomputed import outcomes, rows

if TYPE_CHECKING:
    from tests.recomputed.conftest import Differences

THEME = "predictions"
UNIVERSAL = {name: claim.universal for name, claim in CLAIMS.items()}
EXPECTED = [
    outcomes.Expected(
        **{
            **{name: getattr(one, name) for name in ("claim", "condition", "against", "metric")},
            **{name: getattr(one, name) for name in ("low", "high", "task", "known_on", "effect")},
            **{name: getattr(one, name) for name in ("if_confirmed", "if_refuted")},
            "withdrawn": bool(one.withdrawn),
            "about": one.effect or EFFECTS.get((one.condition, one.against, one.metric)),
        }
    )
    for one in PREDICTIONS
]
"""What was predicted, as plain data."""


@pytest.fixture(scope="module")
def given(archive: pd.DataFrame) -> pd.DataFrame:
    """Outcomes by the evidence."""
    return judgement.outcomes(archive, fields=rows.FIELDS)


@pytest.fixture(scope="module")
def mine(stored: pd.DataFrame) -> pd.DataFrame:
    """Outcomes recomputed."""
    return outcomes.outcomes(stored, EXPECTED)


def test_outcomes(mine: pd.DataFrame, given: pd.DataFrame, differences: Differences) -> None:
    """Differences, intervals and what they mean are the same for every prediction and field."""
    for name in ("pairs", "difference", "effect_low"):
        differences.numbers(name, mine[name], given[name])
    for name in ("low", "high"):
        differences.numbers(name, mine[name], given[f"difference_{name}"])
    for name in ("field", "judged", "outcome", "zero"):
        differences.words(name, mine[name], given[name])
    differences.words("says", outcomes.says(mine, EXPECTED), given["says"])
    own = outcomes.Choices(effects="own")
    differences.words("said", outcomes.says(mine, EXPECTED, own), given["said"])


def test_verdicts(mine: pd.DataFrame, given: pd.DataFrame, differences: Differences) -> None:
    """Counts behind each verdict, and the verdict, are the same."""
    found = outcomes.verdicts(mine, EXPECTED, UNIVERSAL)
    for row in judgement.verdicts_of_claims(given).to_dict("records"):
        own = found[row["claim"]]
        differences.words(row["claim"], own.values(), [row[name] for name in own])


def test_verdicts_at_each_step(
    mine: pd.DataFrame, given: pd.DataFrame, differences: Differences
) -> None:
    """Verdicts after each change and under other choices are the same."""
    for recomputed, table in (
        (outcomes.steps, verdict_history.verdict_steps(given)),
        (outcomes.sensitivity, judgement.sensitivity(given)),
    ):
        for claim, verdicts in recomputed(mine, EXPECTED, UNIVERSAL).items():
            differences.words(claim, verdicts.values(), [table.loc[claim, n] for n in verdicts])
