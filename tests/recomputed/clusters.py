"""How alike runs of one seed are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from . import rows
from .counts import start_of


def outcome_table(runs: pd.DataFrame) -> pd.DataFrame:
    """1 or 0 by seed (rows) and sign, variant and task (columns); seeds that have all of them."""
    columns = ["sign", "variant", "task"]
    return (
        runs.assign(value=rows.learned(runs).astype(float))
        .pivot(index="seed", columns=columns, values="value")
        .dropna()
    )


def is_mixed(table: pd.DataFrame) -> pd.Series:
    """Cells in which some runs learned and others did not."""
    return (table.mean() > 0) & (table.mean() < 1)


def design_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Design effect of the share that learned, by field, task and start.

    Counted twice: from the variance of seed means, and from the covariances of all pairs of cells.
    """
    found = []
    for field, of_field in runs.groupby("field"):
        table = outcome_table(of_field)
        for task, start in itertools.product(rows.TASKS, ("functional", "orthogonal", "permuted")):
            names = [name for name in table if name[2] == task and start_of(name[1]) == start]
            cells = table[names].loc[:, is_mixed(table[names])] if names else table[names]
            if cells.shape[1] >= 2:
                effects = _two_ways(cells.to_numpy())
                key = {"field": field, "task": task, "start": start, "cells": cells.shape[1]}
                found.append(
                    {**key, "seeds": len(cells), "share": cells.to_numpy().mean()} | effects
                )
    return pd.DataFrame(found)


def _two_ways(cells: np.ndarray) -> dict[str, float]:
    """Correlation by pooled covariance, and the ratio of variances that it stands for."""
    m = cells.shape[1]
    covariance = np.cov(cells, rowvar=False)
    between = [covariance[i, j] for i, j in itertools.combinations(range(m), 2)]
    correlation = float(np.mean(between) / np.mean(np.diag(covariance)))
    ratio = cells.mean(axis=1).var(ddof=1) / (np.trace(covariance) / m**2)
    return {"correlation": correlation, "design_effect": float(ratio)}


def shared_outcomes(runs: pd.DataFrame) -> dict[tuple[str, str], tuple[int, float]]:
    """Number of pairs of mixed cells and their correlation, by what their runs share at the start.

    Cells that start orthogonal are left out.
    """
    found = {}
    chosen = runs[runs["variant"].map(start_of) != "orthogonal"]
    for field, of_field in chosen.groupby("field"):
        table = outcome_table(of_field)
        table = table.loc[:, is_mixed(table)]
        covariance = table.cov()
        sums: dict[str, list[float]] = {}
        for kind, one, two in _pairs(table):
            product = (covariance.loc[one, one] * covariance.loc[two, two]) ** 0.5
            entry = sums.setdefault(kind, [0, 0.0, 0.0])
            entry[0] += 1
            entry[1] += covariance.loc[one, two]
            entry[2] += product
        for kind, (count, above, below) in sums.items():
            found[str(field), kind] = int(count), float(above / below)
    return found


Cell = tuple[str, str, str]


def _pairs(table: pd.DataFrame) -> Iterator[tuple[str, Cell, Cell]]:
    """Pairs of cells that share input weights, recurrent ones, or both."""
    for one, two in itertools.combinations(table.columns, 2):
        same_task = one[2] == two[2]
        starts = {start_of(one[1]), start_of(two[1])}
        relabelled = starts == {"permuted"} and one[1] == two[1]
        if same_task and (starts == {"functional"} or relabelled):
            yield "both", one, two
        elif same_task:
            yield "input weights", one, two
        elif starts == {"functional"}:
            yield "recurrent weights", one, two


def gains(runs: pd.DataFrame) -> pd.DataFrame:
    """Gain of functional starts, W* and W! averaged, over orthogonal ones: by seed and task."""
    known = runs.assign(accuracy=runs["accuracy"].where(~runs["diverged"].astype(bool)))
    wide = known.pivot(index=["seed", "task"], columns="variant", values="accuracy")
    mean = {
        start: wide[[name for name in wide if start_of(name) == start]].mean(axis=1, skipna=False)
        for start in ("functional", "permuted", "orthogonal")
    }
    gain = (mean["functional"] + mean["permuted"]) / 2 - mean["orthogonal"]
    return gain.unstack("task")[list(rows.TASKS)]
