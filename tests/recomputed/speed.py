"""How fast runs learn: time to the first epoch above the level, censored after the last."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from . import rows, statistics

SPECIFIC = ["field", "sign", "variant", "task"]


def priors_of(variant: str) -> tuple[str, str, str]:
    """Start, distance and communicability of a variant of the paper."""
    for start, distance, wiring in (
        (s, d, c)
        for s in rows.START.values()
        for d in rows.DISTANCE.values()
        for c in rows.COMMUNICABILITY.values()
    ):
        if start + distance + wiring == variant:
            return start, distance, wiring
    raise AssertionError(variant)


STEPS = {
    "W* for W": (0, "W*", "W"),
    "W! for W*": (0, "W!", "W*"),
    "D* for D": (1, "D*", "D"),
    "C for none": (2, "C", ""),
    "C* for none": (2, "C*", ""),
}


def pairs() -> list[tuple[str, str, str]]:
    """Variants that differ in one prior, and what that is."""
    found = []
    for kind, (place, has, lacks) in STEPS.items():
        for one in rows.PAPER:
            parts = list(priors_of(one))
            if parts[place] == has:
                parts[place] = lacks
                if "".join(parts) in rows.PAPER:
                    found.append((kind, one, "".join(parts)))
    return found


def times(runs: pd.DataFrame) -> pd.DataFrame:
    """Epoch in which each run learned, or the last one, and whether it did."""
    epochs, events = [], []
    for run in runs.itertuples():
        level = rows.GUESS[run.task] + rows.LEARNED_ABOVE
        above = np.flatnonzero(np.asarray(run.history_accuracy, dtype=float) > level)
        did = len(above) > 0 and not run.diverged
        epochs.append(int(above[0]) + 1 if did else run.epochs)
        events.append(did)
    return runs.assign(epoch=epochs, event=events)


def curves(table: pd.DataFrame) -> dict[tuple, dict[str, np.ndarray | float]]:
    """Kaplan-Meier share that learned by each epoch, its exact interval, and the mean time."""
    found = {}
    for key, runs in table.groupby(SPECIFIC):
        last = int(runs["epochs"].iloc[0])
        survival = SurvfuncRight(runs["epoch"], runs["event"].astype(int))
        at = np.arange(last + 1)
        step = np.searchsorted(survival.surv_times, at, side="right")
        left = np.concatenate([[1.0], survival.surv_prob])[step]
        done = [int((runs["event"] & (runs["epoch"] <= epoch)).sum()) for epoch in at]
        ends = np.array([_exact(count, len(runs)) for count in done])
        found[key] = {
            **{"share": 1 - left, "low": ends[:, 0], "high": ends[:, 1]},
            **{"mean": float(left[:-1].sum()), "runs": len(runs)},
        }
    return found


_exact = functools.lru_cache(statistics.exact_share_by_tails)


def log_rank(one: pd.DataFrame, two: pd.DataFrame) -> tuple[float, float]:
    """Log-rank statistic of two paired samples and its p by exchanging members of pairs.

    Scores of the log-rank test are those of a sample that holds all runs of both.
    """
    time = np.concatenate([one["epoch"], two["epoch"]])
    event = np.concatenate([one["event"], two["event"]]).astype(float)
    hazard = np.zeros(len(time))
    for moment in np.unique(time[event > 0]):
        at_risk = (time >= moment).sum()
        hazard[time >= moment] += event[time == moment].sum() / at_risk
    score = event - hazard
    first, second = score[: len(one)], score[len(one) :]
    return float(first.sum()), statistics.sign_flip_exact(first - second)


def chi_square(one: pd.DataFrame, two: pd.DataFrame) -> float:
    """The usual log-rank test of statsmodels, for its observed less expected events."""
    both = pd.concat([one.assign(group=0), two.assign(group=1)])
    return float(survdiff(both["epoch"], both["event"].astype(int), both["group"])[0])


def compared(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame, pd.DataFrame]]:
    """Runs of each variant and of its counterpart with equal seeds."""
    parts = {key: part.set_index("seed").sort_index() for key, part in table.groupby(SPECIFIC)}
    for (field, sign), _ in table.groupby(["field", "sign"]):
        for kind, one, two in pairs():
            for task in rows.TASKS:
                sides = [parts.get((field, sign, name, task)) for name in (one, two)]
                if sides[0] is None or sides[1] is None:
                    continue
                seeds = sides[0].index.intersection(sides[1].index)
                key = (field, sign, task, kind, one, two)
                yield key, sides[0].loc[seeds], sides[1].loc[seeds]


KEY = ["field", "sign", "task", "kind", "one", "two"]


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Compare every variant with its counterpart: often, early, early where both learned."""
    found = {key: _comparison(one, two) for key, one, two in compared(table)}
    result = pd.DataFrame(found).T.rename_axis(KEY)
    for p in ("p_time", "p_often", "p_lead"):
        for sign in ("free", "positive"):
            mine = result.index.get_level_values("sign") == sign
            result.loc[mine, p] = statistics.holm(result.loc[mine, p].to_numpy(dtype=float))
    return result


def _comparison(one: pd.DataFrame, two: pd.DataFrame) -> dict[str, float]:
    """Count and test one comparison."""
    a, b = one["event"].to_numpy(bool), two["event"].to_numpy(bool)
    earlier = (two["epoch"] - one["epoch"]).to_numpy()
    # An event in the last epoch comes before censoring after it.
    order = np.where(earlier != 0, np.sign(earlier), a.astype(int) - b.astype(int))
    statistic, p_time = log_rank(one, two)
    only = (a & ~b).sum(), (b & ~a).sum()
    lead = earlier[a & b]
    return {
        **{"pairs": len(one), "first_one": (order > 0).sum(), "first_two": (order < 0).sum()},
        **{"events_more": statistic, "p_time": p_time, "gain": gain(one, two).mean()},
        **{"only_one": only[0], "only_two": only[1], "p_often": _mcnemar(*only)},
        **{"both": (a & b).sum(), "lead": lead.mean() if len(lead) else np.nan},
        **{"p_lead": statistics.sign_flip_exact(lead) if len(lead) else np.nan},
    }


def _mcnemar(only_one: int, only_two: int) -> float:
    """McNemar's exact test."""
    n = int(only_one + only_two)
    return float(stats.binomtest(int(only_one), n).pvalue) if n else 1.0


def gain(one: pd.DataFrame, two: pd.DataFrame) -> pd.Series:
    """Epochs that the first saves, each run until it learned or to the end."""
    return two["epoch"] - one["epoch"]


def lead(one: pd.DataFrame, two: pd.DataFrame) -> pd.Series:
    """The same where both learned."""
    return gain(one, two)[one["event"] & two["event"]]


Difference = Callable[[pd.DataFrame, pd.DataFrame], pd.Series]


def intervals(table: pd.DataFrame, difference: Difference) -> pd.DataFrame:
    """Mean differences with intervals that hold together over all comparisons of a sign."""
    tables = []
    for _, of_sign in table.groupby("sign"):
        columns = {key: difference(one, two) for key, one, two in compared(of_sign)}
        columns = {key: column for key, column in columns.items() if column.notna().any()}
        if columns:
            wide = pd.concat(columns, axis=1, names=KEY)
            tables.append(without_equal(statistics.together(wide), wide))
    return pd.concat(tables)


def without_equal(found: pd.DataFrame, wide: pd.DataFrame) -> pd.DataFrame:
    """Give no interval where no two seeds disagree."""
    equal = (wide.max() - wide.min()) == 0
    return found.assign(low=found["low"].mask(equal), high=found["high"].mask(equal))
