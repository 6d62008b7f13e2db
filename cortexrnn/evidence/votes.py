"""Which outcomes count in a verdict, and how often.

Three rules were added when the first 51 predictions had been judged. Where the effect in question
is not there, *same* says nothing. Two conditions that are compared twice count once. And a verdict
takes several predictions that share no arm, since predictions with a common arm fail together.
"""

from __future__ import annotations

from collections.abc import Collection

import networkx as nx
import pandas as pd

from cortexrnn.fields.inputs import arguments

__all__ = ["LATER_RULES", "LEAST_APART", "apart", "votes"]

LATER_RULES = {
    "effects": "where the effect that a prediction is about is not surely there, it says nothing",
    "pairs once": "two conditions that are compared twice count once, as they were first",
    "three apart": "a verdict needs three predictions that share no arm; fewer make a fact",
}
"""Rules of verdicts that were added later, by name."""
LEAST_APART = 3
"""How many predictions that share no arm make a verdict."""
CANNOT_TELL = "cannot tell"
"""What an outcome says where the effect in question is not surely there."""
PAIR = ["claim", "field", "condition", "against", "metric", "task"]
"""Columns that name a comparison of two conditions."""


def votes(outcomes: pd.DataFrame, *, rules: Collection[str] = tuple(LATER_RULES)) -> pd.DataFrame:
    """Choose the outcomes that count.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`cortexrnn.evidence.judgement.outcomes`.
    rules : collection of str
        Keys of :data:`LATER_RULES` to follow.

    Returns
    -------
    DataFrame
        The rows of which some outcome bears on the reading of its claim, without those that were
        withdrawn. ``says`` is what it says under these rules.

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    for rule in rules:
        arguments.one_of("rule", rule, LATER_RULES)
    bears = (outcomes[["if_confirmed", "if_refuted"]] != "neither").any(axis=1)
    chosen = outcomes[bears & (outcomes["says"] != "withdrawn")]
    if "effects" not in rules:
        chosen = chosen.assign(says=chosen["said"])
    if "pairs once" in rules:
        chosen = chosen.loc[~chosen[PAIR].duplicated()]
    return chosen


def apart(votes: pd.DataFrame) -> int:
    """Count predictions that share no arm.

    Parameters
    ----------
    votes : DataFrame
        With ``condition`` and ``against``. The same prediction on several fields counts once.

    Returns
    -------
    int
        Size of the largest choice of them in which no condition occurs twice: a maximum matching of
        the graph whose edges are predictions.
    """
    graph = nx.Graph(list(zip(votes["condition"], votes["against"], strict=True)))
    return len(nx.max_weight_matching(graph, maxcardinality=True))
