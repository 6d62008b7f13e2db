"""Headline effects by task and by draw of trials, and contrasts on true coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from cortexrnn.runs.controls import CONDITIONS

from . import rows, statistics
from .outcomes import Pair, is_planned

MEAN = "mean"
FUNCTION = {
    "W*, under D*": ("W*D*", "WD*"),
    "W*, under D* and C*": ("W*D*C*", "WD*C*"),
    "W*, under D* and C": ("W*D*C", "WD*C"),
}
HEADLINES: dict[str, Pair] = FUNCTION | {
    "W! for W*": ("W!D*C*", "W*D*C*"),
    "D* for D": ("WD*", "WD"),
    "D* for D, with C": ("WD*C", "WDC"),
    "C, with D*": ("WD*C", "WD*"),
    "C, with D* and W*": ("W*D*C", "W*D*"),
}
OWN = "WD*C on own coordinates"
ON_TRUE: dict[str, Pair] = {
    "true D* for a matched grid": (OWN, "WDC on a grid matched to own coordinates"),
    "true D* for random points": (OWN, "WD*C on random points with own distances"),
    "true D* for shuffled distances": (OWN, "WD*C on shuffled own distances"),
    "W! for W*, on true D*": ("W!D*C, corrected", "W*D*C, corrected"),
}
BEFORE: dict[str, Pair] = {
    "scrambled D* for D": ("WD*C", "WDC"),
    "true D* for D": (OWN, "WDC"),
    "true D* for a grid matched to scrambled D*": (OWN, "WDC on a matched grid"),
}


def by_seed(cells: rows.Cells, pair: Pair, field: str) -> pd.DataFrame | None:
    """Differences by seed: tasks and, where a seed has all of them, their mean."""
    sides = [rows.condition(cells, name, field) for name in pair]
    if not all(set(rows.TASKS) <= set(side["task"]) for side in sides):
        return None
    one, two = (rows.by_seed_and_task(side)[list(rows.TASKS)] for side in sides)
    table = (one - two).dropna(how="all")
    return pd.concat([table.mean(axis=1, skipna=False).rename(MEAN), table], axis=1)


def by_task(
    cells: rows.Cells, effects: Mapping[str, Pair], fields: Sequence[str] = rows.FIELDS
) -> pd.DataFrame:
    """Effects by field and task, with intervals of which all hold together."""
    tables = {
        (name, field): table
        for name, pair in effects.items()
        for field in fields
        if (table := by_seed(cells, pair, field)) is not None
    }
    if not tables:
        return pd.DataFrame(columns=statistics.COLUMNS)
    wide = pd.concat(tables, axis=1, names=["effect", "field", "task"])
    return statistics.together(wide)


def by_draw(runs: pd.DataFrame, fields: Sequence[str] = rows.FIELDS) -> dict[tuple[str, ...], dict]:
    """Effects of the paper's variants on every draw of trials, over seeds that all draws have."""
    found: dict[tuple[str, ...], dict] = {}
    every = rows.of_paper(runs, fields, draws=None)
    for name, pair in HEADLINES.items():
        if not set(pair) <= set(rows.PAPER):
            continue
        for field in fields:
            here = every[every["field"] == field]
            one, two = (_wide(here[here["variant"] == variant]) for variant in pair)
            less = (one - two).dropna(how="all").dropna(axis=1, how="all")
            for task in (MEAN, *rows.TASKS):
                summary = _of_draws(_of_task(less, task))
                if summary:
                    found[name, field, task] = summary
    return found


def _wide(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by task and seed (rows) and draw of trials (columns)."""
    known = runs[~runs["diverged"].astype(bool)]
    return known.pivot(index=["task", "seed"], columns="data_seed", values="accuracy")


def _of_task(less: pd.DataFrame, task: str) -> pd.DataFrame:
    """Differences by seed and draw, of one task or of the mean over all three."""
    if task == MEAN:
        whole = less.groupby(level="seed").filter(lambda one: len(one) == len(rows.TASKS))
        return whole.groupby(level="seed").agg(lambda column: column.mean(skipna=False))
    has = task in less.index.get_level_values("task")
    return less.xs(task, level="task") if has else less.iloc[:0]


def _of_draws(table: pd.DataFrame) -> dict[str, float]:
    """Sum up one difference per draw, over seeds that all draws have; empty without two draws."""
    draws = table.dropna(axis=1, how="all")
    common = draws.dropna()
    if draws.shape[1] < 2 or common.empty:
        return {}
    values = common.mean()
    return {
        **{"draws": len(values), "seeds": len(common), "lowest": values.min()},
        **{"median": values.median(), "highest": values.max(), "positive": (values > 0).sum()},
    }


def shares(
    cells: rows.Cells, fields: Sequence[str] = rows.FIELDS
) -> dict[tuple[str, str], tuple[float, ...]]:
    """Share of what scrambled coordinates add that true ones add too, on the same seeds."""
    found = {}
    for field in fields:
        scrambled, true = (
            by_seed(cells, BEFORE[name], field) for name in ("scrambled D* for D", "true D* for D")
        )
        if scrambled is None or true is None:
            continue
        for task in (MEAN, *rows.TASKS):
            both = pd.concat({"x": true[task], "y": scrambled[task]}, axis=1).dropna()
            x, y = both["x"].to_numpy(), both["y"].to_numpy()
            found[field, task] = (
                len(both),
                y.mean(),
                x.mean(),
                x.mean() / y.mean(),
                *fieller(x, y),
            )
    return found


def fieller(above: np.ndarray, below: np.ndarray, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a ratio of paired means: ratios that a t test does not reject, found one by one.

    None where the lower mean cannot be told from zero.
    """
    n = len(above)
    critical = stats.t.isf((1 - level) / 2, n - 1)

    def excess(ratio: float) -> float:
        """How far the t test of above - ratio below is from rejecting, below zero inside."""
        rest = above - ratio * below
        return float(rest.mean() ** 2 * n - critical**2 * rest.var(ddof=1))

    if below.mean() ** 2 * n <= critical**2 * below.var(ddof=1):
        return math.nan, math.nan
    ratio = above.mean() / below.mean()
    ends = []
    for side in (-1, 1):
        far = 1.0
        while excess(ratio + side * far) < 0:
            far *= 2
        near, away = sorted((ratio, ratio + side * far))
        ends.append(optimize.brentq(excess, near, away, xtol=1e-14, rtol=1e-14))
    return float(ends[0]), float(ends[1])


def status(cells: rows.Cells, pair: Pair, field: str) -> str:
    """Whether a contrast is recorded, or why not."""

    if by_seed(cells, pair, field) is not None:
        return "recorded"
    asked = all(is_planned(CONDITIONS[name].name, field) for name in pair)
    return "not run yet" if asked else "not asked"
