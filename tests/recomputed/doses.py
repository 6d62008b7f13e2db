"""Numbers of strong self-connections: the predicted curve by enumeration, and what runs say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from . import rows, statistics

COUNTS = (0, 1, 2, 4, 8)
STARTS = ("W*", "orthogonal")
PAIRS = {"one_choice": ((1, 2), (0, 3)), "perceptual": ((0, 1),), "go_nogo": ((0, 1),)}
"""Cues, counted from zero, that ask for different answers."""
N_CUES = {"one_choice": 4, "perceptual": 2, "go_nogo": 2}


def predicted(task: str, count: int, needed: str) -> float:
    """Share of runs that can learn: input weights positive or negative with equal chance.

    Unit by unit, the chances of every set of cues that have a unit preferring them.
    """
    n = N_CUES[task]
    none = 0.5**n
    chance = {frozenset[int](): 1.0}
    for _ in range(count):
        after: dict[frozenset[int], float] = {}
        for cues, p in chance.items():
            after[cues] = after.get(cues, 0.0) + p * none
            for cue in range(n):
                more = cues | {cue}
                after[more] = after.get(more, 0.0) + p * (1 - none) / n
        chance = after
    if needed == "one unit":
        return sum(p for cues, p in chance.items() if cues)
    return sum(p for cues, p in chance.items() if any(set(q) <= cues for q in PAIRS[task]))


def name(start: str, count: int) -> str:
    """Name of the condition with that many strong self-connections."""
    return f"{start} with {count} strong self-connection{'' if count == 1 else 's'}"


def shares(cells: rows.Cells) -> pd.DataFrame:
    """Runs that learned at every dose, with exact intervals, beside both predictions."""
    found = []
    for start in STARTS:
        for count in COUNTS:
            for field in rows.FIELDS:
                for task, mine in rows.condition(cells, name(start, count), field).groupby("task"):
                    good = int(rows.learned(mine).sum())
                    low, high = statistics.exact_share_by_tails(good, len(mine))
                    found.append(
                        {
                            **{"start": start, "count": count, "task": task, "field": field},
                            **{"runs": len(mine), "learned": good, "share": good / len(mine)},
                            **{"low": low, "high": high},
                            **{way: predicted(str(task), count, way) for way in WAYS},
                        }
                    )
    return pd.DataFrame(found)


WAYS = ("one unit", "two units")


def outside(table: pd.DataFrame, way: str) -> pd.DataFrame:
    """Exact binomial test of every cell against a prediction, with Holm's procedure."""
    p = [
        stats.binomtest(row["learned"], row["runs"], min(row[way], 1.0)).pvalue
        for row in table.to_dict("records")
    ]
    return table.assign(p=p, p_holm=statistics.holm(p))


def likelihood(table: pd.DataFrame, way: str) -> tuple[float, float]:
    """Lapse of an account, by maximum likelihood, and the log likelihood (binomial)."""
    k, n, p = (table[column].to_numpy(float) for column in ("learned", "runs", way))

    def minus(lapse: float) -> float:
        q = p * (1 - lapse) + (1 - p) * lapse
        chances = special.xlogy(k, q) + special.xlogy(n - k, 1 - q)
        return -float((np.log(special.comb(n, k)) + chances).sum())

    grid = np.linspace(0, 0.5, 1001)[1:-1]  # a lapse above one half would turn the account round
    best = grid[np.argmin([minus(lapse) for lapse in grid])]
    found = optimize.minimize_scalar(
        minus, bounds=(best - 6e-4, best + 6e-4), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x), -float(found.fun)
