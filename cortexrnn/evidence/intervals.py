"""Means of cells with their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from cortexrnn.evidence.effect_sizes import finite_values
from cortexrnn.runs.archive import METRICS

__all__ = [
    "bootstrap_interval",
    "by_numerics",
    "cell_means",
    "cells_as_text",
    "share_interval",
    "t_interval",
    "with_interval",
]

CELL = ("field", "arm", "protocol", "variant", "task", "settings", "published")
"""Columns that name a cell: its runs have one specification but for the seed."""
SEED = r'"seed": \d+'
"""Where a specification says the seed."""


def t_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and its interval from the t distribution.

    Parameters
    ----------
    values : array_like, shape (n,)
        Values; NaN is left out.
    level : float
        Coverage.

    Returns
    -------
    mean, low, high : float
        NaN where there is no value; the bounds are NaN for a single one.
    """
    kept = finite_values(values)
    if not len(kept):
        return np.nan, np.nan, np.nan
    mean = float(kept.mean())
    if len(kept) == 1:
        return mean, np.nan, np.nan
    half = float(stats.sem(kept) * stats.t.ppf((1 + level) / 2, len(kept) - 1))
    return mean, mean - half, mean + half


def bootstrap_interval(
    values: ArrayLike, *, level: float = 0.95, n_resamples: int = 5000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean and its interval from the bootstrap (bias-corrected and accelerated).

    Parameters
    ----------
    values : array_like, shape (n,)
        Values; NaN is left out.
    level : float
        Coverage.
    n_resamples : int
        Bootstrap samples.
    seed : int
        Seed of the bootstrap: the same values have the same interval.

    Returns
    -------
    mean, low, high : float
        NaN where there is no value; the bounds are NaN for a single one, and the mean where all
        values are equal. With few values the interval is too short; see :func:`t_interval`.
    """
    kept = finite_values(values)
    if len(kept) < 2:
        return (float(kept[0]) if len(kept) else np.nan), np.nan, np.nan
    mean = float(kept.mean())
    if np.ptp(kept) == 0:
        return mean, mean, mean
    low, high = stats.bootstrap(
        (kept,), np.mean, confidence_level=level, n_resamples=n_resamples, method="BCa",
        random_state=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return mean, float(low), float(high)


def share_interval(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share (Clopper and Pearson 1934, Biometrika 26, 404-413).

    Parameters
    ----------
    count, n : float
        Number of successes and of independent trials, such as seeds. Where trials depend on each
        other, give effective numbers, which need not be whole (Korn and Graubard 1998, Survey
        Methodology 24, 193-201).
    level : float
        Least coverage.

    Returns
    -------
    low, high : float
        Never of zero width: all of 20 can be had with any chance above 0.83.

    Raises
    ------
    ValueError
        If there are no trials, or fewer than successes.
    """
    if not 0 <= count <= n or n <= 0:
        raise ValueError(f"count is {count}, of {n} trials; give a number from 0 to n, n above 0")
    low, high = proportion_confint(count, n, alpha=1 - level, method="beta")
    return float(low), float(high)


def cell_means(runs: pd.DataFrame, *, metric: str = "accuracy") -> pd.DataFrame:
    """Mean and 95 % interval of a metric in every cell of the design.

    Parameters
    ----------
    runs : DataFrame
        Runs as :func:`cortexrnn.runs.archive.load_archive` gives them.
    metric : str
        A column of the archive.

    Returns
    -------
    DataFrame
        One row per field, arm, protocol, variant, task and settings, in the order of the runs,
        with ``metric, runs, diverged, numerics, mean, low, high``. A run that diverged has no
        value and counts in ``diverged`` only; ``numerics`` counts runs by the version of their
        arithmetic, such as ``3: 10, 4: 10``.

    Raises
    ------
    KeyError
        If there is no such metric.
    """
    if metric not in METRICS:
        raise KeyError(f"unknown metric {metric!r}; choose one of {', '.join(METRICS)}")
    rows = []
    # The specification too, since runs put together by hand may differ in what no column says.
    specification = runs["specification"].str.replace(SEED, "", regex=True)
    for (*key, _), cell in runs.groupby([*CELL, specification], sort=False, dropna=False):
        mean, low, high = t_interval(cell[metric])
        counts = {
            "runs": len(cell),
            "diverged": int(cell["diverged"].sum()),
            "numerics": by_numerics(cell),
        }
        rows.append(
            dict(zip(CELL, key, strict=True))
            | {"metric": metric}
            | counts
            | {"mean": mean, "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def by_numerics(runs: pd.DataFrame) -> str:
    """Count runs by the version of their arithmetic.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    str
        Such as ``3: 10, 4: 10``, or only the version where all runs have the same.
    """
    counts = runs["numerics"].value_counts().sort_index()
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(f"{version}: {n}" for version, n in counts.items())


def cells_as_text(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """Write every cell and the published one as text, mean and interval together.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.published.beside_published`.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame
        One row per row of the table, with ``metric, task, variant, runs, here, published``, the
        last two written by :func:`with_interval`.
    """
    names = {"here": ("mean", "low", "high")}
    names["published"] = ("published", "published_low", "published_high")
    texts = table[["metric", "task", "variant", "runs"]].copy()
    for column, (mean, low, high) in names.items():
        values = table[[mean, low, high]].to_numpy(dtype=float)
        texts[column] = [with_interval(*row, digits=digits) for row in values]
    return texts


def with_interval(mean: float, low: float, high: float, *, digits: int = 2) -> str:
    """Write a value with its interval.

    Parameters
    ----------
    mean, low, high : float
        The value and the ends of its interval, NaN where there is none.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        Such as ``"0.92 [0.85, 0.98]"`` with a no-break space between the ends, without brackets
        where there is no interval, empty where there is no value, and zero without a sign.
    """
    if np.isnan(mean):
        return ""
    if np.isnan(low):
        return f"{mean:z.{digits}f}"
    # A no-break space, so that a narrow column does not tear the interval.
    return f"{mean:z.{digits}f} [{low:z.{digits}f},\u00a0{high:z.{digits}f}]"
