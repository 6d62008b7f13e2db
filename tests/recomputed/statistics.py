"""Intervals and tests, from their definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

RESAMPLES = 30000
"""Random rotations behind simultaneous intervals; the level they find has a standard error of a
fortieth of itself."""


COLUMNS = ["seeds", "difference", "low", "high", "level"]
"""Of simultaneous intervals; ``level`` is one less the coverage of each by itself."""


def t_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of what is there, and its interval from the t distribution."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return math.nan, math.nan, math.nan
    if len(known) == 1:
        return float(known[0]), math.nan, math.nan
    half = stats.t.isf((1 - level) / 2, len(known) - 1) * known.std(ddof=1) / len(known) ** 0.5
    return float(known.mean()), float(known.mean() - half), float(known.mean() + half)


def exact_share(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Clopper and Pearson, as quantiles of beta distributions."""
    tail = (1 - level) / 2
    low = 0.0 if count <= 0 else float(stats.beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count >= n else float(stats.beta.isf(tail, count + 1, n - count))
    return low, high


def exact_share_by_tails(count: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The same for whole numbers, found by inverting the two binomial tails."""
    tail = (1 - level) / 2
    low, high = 0.0, 1.0
    if count > 0:
        low = optimize.brentq(lambda p: stats.binom.sf(count - 1, n, p) - tail, 0, 1, xtol=1e-15)
    if count < n:
        high = optimize.brentq(lambda p: stats.binom.cdf(count, n, p) - tail, 0, 1, xtol=1e-15)
    return float(low), float(high)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values by Holm's procedure; those that are missing do not count."""
    given = np.asarray(p, dtype=float)
    adjusted = np.full(len(given), np.nan)
    known = np.isfinite(given)
    if known.any():
        adjusted[known] = multipletests(given[known], method="holm")[1]
    return adjusted


def together(table: pd.DataFrame, *, level: float = 0.95, seed: int = 1) -> pd.DataFrame:
    """Intervals of all column means that hold together, from rows that are independent seeds.

    Rows of the residuals are rotated at random (Langsrud 2005), which keeps whole seeds together.
    The smallest p of all columns has a distribution, and its quantile is the level of each t
    interval.
    """
    values = table.to_numpy(dtype=float)
    n = np.isfinite(values).sum(axis=0)
    intervals = []
    scattered = [k for k in range(values.shape[1]) if n[k] > 1 and np.nanstd(values[:, k]) > 1e-12]
    smallest = _smallest_p(values[:, scattered], np.random.default_rng(seed))
    alpha = np.quantile(smallest, 1 - level) if len(scattered) else 1 - level
    for k in range(values.shape[1]):
        mean, low, high = t_interval(values[:, k], level=1 - alpha)
        if n[k] > 1 and k not in scattered:
            low = high = mean
        intervals.append((n[k], mean, low, high, alpha))
    return pd.DataFrame(intervals, index=table.columns, columns=COLUMNS)


def _smallest_p(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Smallest p of all columns in rotated residuals, for each rotation."""
    n_seeds, n_columns = values.shape
    if not n_columns:
        return np.ones(1)
    there = np.isfinite(values)
    residuals = np.where(there, values - np.nanmean(values, axis=0), 0.0)
    lengths = np.sqrt((residuals**2).sum(axis=0))
    n = there.sum(axis=0)
    # One row of a random rotation, over the seeds that a column has: the mean of the rotated
    # column, times the root of their number, is the product of the two.
    rows = rng.normal(size=(RESAMPLES, n_seeds))
    root_mean = rows @ residuals / np.sqrt(rows**2 @ there)
    t = root_mean / np.sqrt((lengths**2 - root_mean**2) / (n - 1))
    largest = {df: np.abs(t[:, n - 1 == df]).max(axis=1) for df in np.unique(n - 1)}
    return np.min([2 * stats.t.sf(most, df) for df, most in largest.items()], axis=0)


def sign_flip_exact(differences: Sequence[float]) -> float:
    """Share of all choices of signs whose sum is as far from zero; 1 where no pair differs."""
    values = np.asarray(differences, dtype=float)
    values = values[np.isfinite(values) & (values != 0)]
    if len(values) == 0:
        return 1.0
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    seen = abs(values.sum())
    return float(np.mean(np.abs(sums) >= seen - 1e-9 * max(1.0, np.abs(values).sum())))
