"""Validation less training accuracy, and what the sign of weights changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from . import rows, speed, statistics


def gap(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the gap, and what the last epoch gained in training accuracy."""
    lost = runs["diverged"].astype(bool)
    late = [
        np.nan if len(history) < 2 else float(history[-1]) - float(history[-2])
        for history in runs["history_accuracy"]
    ]
    return runs.assign(
        gap=(runs["validation_accuracy"] - runs["accuracy"]).mask(lost),
        late_gain=pd.Series(late, index=runs.index).mask(lost),
    )


def by_condition(runs: pd.DataFrame) -> dict[tuple, tuple]:
    """Runs, mean gap with its t interval, runs that learned and their mean gap."""
    found = {}
    for key, mine in runs[runs["gap"].notna()].groupby(speed.SPECIFIC):
        good = rows.learned(mine)
        of_learned = mine["gap"][good].mean() if good.any() else np.nan
        found[key] = (len(mine), *statistics.t_interval(mine["gap"]), good.sum(), of_learned)
    return found


def gap_less(one: pd.DataFrame, two: pd.DataFrame) -> pd.Series:
    """Difference of gaps."""
    return one["gap"] - two["gap"]


def at_equal_accuracy(one: pd.DataFrame, two: pd.DataFrame) -> pd.Series:
    """Difference of validation accuracy where training accuracy is the same within 0.01."""
    near = (one["accuracy"] - two["accuracy"]).abs() <= 0.01
    return (one["validation_accuracy"] - two["validation_accuracy"])[near]


def by_start(runs: pd.DataFrame, metric: str) -> dict[tuple[str, str], dict[str, float]]:
    """Test the sign within each start, variants pooled: Cliff's delta and Kruskal-Wallis."""
    found = {}
    starts = {"W": "w", "W!": "w!", "W*": "w*"}
    start = runs["variant"].map(lambda variant: starts[speed.priors_of(variant)[0]])
    for (task, kind), mine in runs.groupby(["task", start]):
        values = mine[metric].mask(mine["diverged"].astype(bool))
        free, positive = (values[mine["sign"] == sign].dropna() for sign in ("free", "positive"))
        entry = {"free": len(free), "positive": len(positive)}
        entry["diverged"] = int((mine["diverged"] & (mine["sign"] == "positive")).sum())
        if min(len(free), len(positive)) >= 2:
            higher = np.sign(positive.to_numpy()[:, None] - free.to_numpy()).mean()
            p = 1.0
            if pd.concat([free, positive]).nunique() > 1:
                p = float(stats.kruskal(free, positive).pvalue)
            entry |= {"delta": higher, "p": p}
            entry |= {"median_free": free.median(), "median_positive": positive.median()}
        found[str(task), str(kind)] = entry
    return found


def by_variant(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Positive less free, paired by seed, with intervals that hold together over all rows."""
    columns, lost = {}, {}
    for key, mine in runs.groupby(["field", "task", "variant"]):
        values = mine.assign(value=mine[metric].mask(mine["diverged"].astype(bool)))
        wide = values.pivot(index="seed", columns="sign", values="value")
        columns[key] = wide["positive"] - wide["free"]
        lost[key] = int((mine["diverged"] & (mine["sign"] == "positive")).sum())
    wide = pd.concat(columns, axis=1)
    return speed.without_equal(statistics.together(wide), wide).assign(diverged=pd.Series(lost))


def published_sign(metric: str) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Table 3 less Table 2 with Welch's interval, of cells that did not diverge."""
    table = pd.read_csv(rows.DATA / "published" / "published_6_6_2.csv")
    topology = table[table["metric"] == "Modularity"].set_index(["arm", "variant", "task"])["mean"]
    mine = table[table["metric"] == metric].set_index(["arm", "variant", "task"])
    found = {}
    for variant in rows.PAPER:
        for task in rows.TASKS:
            sides = [mine.loc[(arm, variant, task)] for arm in ("sign+", "corr")]
            known = [topology.get((arm, variant, task)) for arm in ("sign+", "corr")]
            if not pd.isna(known).any():
                found[task, variant] = _welch(*sides)
    return found


def _welch(one: pd.Series, two: pd.Series, n: int = 20) -> tuple[float, float, float]:
    """Difference of two printed means with an interval."""
    t = stats.t.isf(0.025, n - 1)
    halves = np.array([(side["ci95_high"] - side["ci95_low"]) / 2 for side in (one, two)])
    # What is printed is rounded to three decimals, which adds the variance of a uniform error.
    variances = (np.nan_to_num(halves) / t) ** 2 + 0.001**2 / 12
    difference = one["mean"] - two["mean"]
    df = variances.sum() ** 2 / (variances**2 / (n - 1)).sum()
    half = stats.t.isf(0.025, df) * variances.sum() ** 0.5
    return difference, difference - half, difference + half
