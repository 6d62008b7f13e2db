"""How verdicts came to be what they are: as first stated, and after each later change."""

from __future__ import annotations

import itertools

import pandas as pd

from cortexrnn.evidence.judgement import verdicts_of_claims
from cortexrnn.evidence.predictions import CLAIMS
from cortexrnn.evidence.votes import LATER_RULES
from cortexrnn.runs.controls import CONDITIONS, FURTHER

__all__ = ["STEPS", "verdict_steps"]

STEPS = {
    "as first stated": "the first 51 predictions, each counted as it was stated",
    "one withdrawn": "without the prediction that took a penalty on self-connections for their "
    "removal",
    **LATER_RULES,
    "further predictions": "with the predictions about further controls",
}
"""What verdicts were reached with, in this order; each step keeps those before it."""
MOVED = "moved by"
"""Column that says which steps changed a verdict."""


def verdict_steps(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Give the verdicts before and after every change, and say which change moved which.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`cortexrnn.evidence.judgement.outcomes`, all of them.

    Returns
    -------
    DataFrame
        One row per claim, one column per step of ``STEPS``, and ``moved by``: the steps at which
        the verdict became another one, ``"nothing"`` where none did.
    """
    is_further = _is_further(outcomes)
    first = outcomes[~is_further]
    rules = list(LATER_RULES)
    reached = {
        "as first stated": (_as_first_stated(first), []),
        "one withdrawn": (first, []),
        **{rule: (first, rules[: place + 1]) for place, rule in enumerate(rules)},
        "further predictions": (outcomes, rules),
    }
    table = pd.DataFrame(
        {
            step: verdicts_of_claims(rows, rules=kept).set_index("claim")["verdict"]
            for step, (rows, kept) in reached.items()
        }
    ).loc[list(CLAIMS)]
    table[MOVED] = [_moved(row) for row in table.to_dict("records")]
    return table


def _is_further(outcomes: pd.DataFrame) -> pd.Series:
    """Mark predictions about controls that were added later."""
    of_further = {name for name, one in CONDITIONS.items() if one.group in FURTHER}
    return outcomes["condition"].isin(of_further) | outcomes["against"].isin(of_further)


def _as_first_stated(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Judge those that were withdrawn too."""
    says = outcomes["judged"].copy()
    for outcome, column in {"confirmed": "if_confirmed", "refuted": "if_refuted"}.items():
        says = says.mask(outcomes["judged"] == outcome, outcomes[column])
    return outcomes.assign(outcome=outcomes["judged"], says=says, said=says)


def _moved(verdicts: dict[str, str]) -> str:
    """Name the steps at which a verdict became another one."""
    steps = list(verdicts)
    changes = [
        f"{step}: {verdicts[before]} → {verdicts[step]}"
        for before, step in itertools.pairwise(steps)
        if verdicts[before] != verdicts[step]
    ]
    return "; ".join(changes) or "nothing"
