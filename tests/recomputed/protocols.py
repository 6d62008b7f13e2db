"""The paper's table beside recorded and corrected runs, and the numbers that learned."""

from __future__ import annotations

import pandas as pd

from . import effects, rows, statistics
from .outcomes import Pair

CORRECTED = "{}, corrected"


def condition_of(variant: str, side: str) -> str:
    """Name the condition of a variant under either protocol."""
    return variant if side == "recorded" else CORRECTED.format(variant)


def means(
    cells: rows.Cells, field: str, metric: str
) -> dict[tuple[str, str, str], tuple[float, float, float, int]]:
    """Mean, 95 % t interval and number of runs, by side, variant and task."""
    found = {}
    for side in ("recorded", "corrected"):
        for variant in rows.PAPER:
            runs = rows.condition(cells, condition_of(variant, side), field)
            for task in rows.TASKS:
                mine = runs[runs["task"] == task]
                known = mine[metric].where(~mine["diverged"].astype(bool)).dropna()
                found[side, variant, task] = (*statistics.t_interval(known), len(mine))
    return found


def changes(cells: rows.Cells, field: str, metric: str) -> pd.DataFrame:
    """Corrected less recorded by variant and task, with intervals that hold together."""
    columns = {}
    for variant in rows.PAPER:
        sides = [
            rows.condition(cells, condition_of(variant, side), field)
            for side in ("recorded", "corrected")
        ]
        recorded, corrected = (rows.by_seed_and_task(side, metric) for side in sides)
        for task in rows.TASKS:
            if task in recorded and task in corrected:
                columns[variant, task] = corrected[task] - recorded[task]
    if not columns:
        return pd.DataFrame(columns=statistics.COLUMNS)
    return statistics.together(pd.concat(columns, axis=1))


def printed(metric: str) -> pd.DataFrame:
    """Read the published table of free weights for a metric, by variant and task."""
    table = pd.read_csv(rows.DATA / "published" / "published_6_6_2.csv")
    names = {"accuracy": "Accuracy", "modularity": "Modularity", "entropy": "Entropy"}
    mine = table[(table["arm"] == "corr") & (table["metric"] == names[metric])]
    return mine.set_index(["variant", "task"])[["mean", "ci95_low", "ci95_high"]]


def learned_counts(
    cells: rows.Cells, field: str
) -> dict[tuple[str, str, str], tuple[int, int, float, float]]:
    """Runs that learned, of how many, with the exact interval of their share."""
    found = {}
    for side in ("recorded", "corrected"):
        for variant in rows.PAPER:
            runs = rows.condition(cells, condition_of(variant, side), field)
            for task, mine in runs.groupby("task"):
                count = int(rows.learned(mine).sum())
                ends = statistics.exact_share_by_tails(count, len(mine))
                found[side, variant, str(task)] = (count, len(mine), *ends)
    return found


def effects_on_both_sides(cells: rows.Cells) -> pd.DataFrame:
    """Headline effects of published variants under both protocols, all intervals together."""
    pairs: dict[str, Pair] = {}
    for name, (one, two) in effects.HEADLINES.items():
        if {one, two} <= set(rows.PAPER):
            for side in ("recorded", "corrected"):
                pairs[f"{side}|{name}"] = condition_of(one, side), condition_of(two, side)
    return effects.by_task(cells, pairs)


def equal_computations(cells: rows.Cells, one: str, two: str, field: str) -> tuple[int, ...]:
    """Compare runs of two conditions of equal task and seed: runs, equal, same outcome, largest."""
    key = ["task", "seed"]
    sides = [
        rows.condition(cells, name, field).set_index(key)[["accuracy", "diverged"]]
        for name in (one, two)
    ]
    both = sides[0].join(sides[1], how="inner", lsuffix="_1", rsuffix="_2").reset_index()
    if both.empty:
        return (0, 0, 0, 0)
    outcome = [
        rows.learned(both.rename(columns={f"diverged_{i}": "diverged"}), f"accuracy_{i}")
        for i in (1, 2)
    ]
    gap = (both["accuracy_1"] - both["accuracy_2"]).abs()
    return len(both), int((gap == 0).sum()), int((outcome[0] == outcome[1]).sum()), gap.max()
