"""How far two samples lie apart: Cliff's delta and A, with intervals."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["EffectSize", "effect_size"]


class EffectSize(NamedTuple):
    """How far one sample lies above another, whatever the scale.

    Attributes
    ----------
    delta, low, high : float
        Cliff's delta, P(first > second) - P(first < second), and its interval.
    a, a_low, a_high : float
        Vargha and Delaney's A, P(first > second) + P(equal) / 2; (delta + 1) / 2.
    """

    delta: float
    low: float
    high: float
    a: float
    a_low: float
    a_high: float


def effect_size(
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> EffectSize:
    """Cliff's delta and Vargha and Delaney's A, both from the Mann-Whitney U.

    Parameters
    ----------
    first, second : array_like, shape (n,) and (m,)
        Samples; NaN is left out.
    level : float
        Coverage of the percentile bootstrap interval.
    n_resamples : int
        Bootstrap samples; 0 makes no interval.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    EffectSize
        NaN where a sample is empty; intervals NaN where one has a single value. Samples that do
        not overlap give an interval of no width: the bootstrap sees only the values there are.
    """
    x, y = finite_values(first), finite_values(second)
    if not len(x) or not len(y):
        return EffectSize(*[np.nan] * 6)

    a = float(stats.mannwhitneyu(x, y, method="asymptotic").statistic) / (len(x) * len(y))
    low = high = np.nan
    if n_resamples and min(len(x), len(y)) > 1:
        low, high = stats.bootstrap(
            (np.arange(len(x)), np.arange(len(y))), _ShareAbove(x, y), confidence_level=level,
            n_resamples=n_resamples, method="percentile", random_state=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip
    return EffectSize(2 * a - 1, 2 * low - 1, 2 * high - 1, a, float(low), float(high))


class _ShareAbove:
    """Vargha and Delaney's A of resampled places in two samples, for many resamples at once.

    Every pair of values is compared once; a resample then counts how often each was drawn. That
    takes less time than a U test for every resample.
    """

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        self.above = (1 + np.sign(x[:, None] - y[None])) / 2

    def __call__(self, i: NDArray[Any], j: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
        n, m = self.above.shape
        counts = _counts(i, n) @ self.above * _counts(j, m)
        return np.asarray(counts.sum(axis) / (n * m))


def _counts(places: NDArray[Any], n: int) -> NDArray[np.float64]:
    """How often each of n places occurs along the last axis."""
    flat = places.reshape(-1, places.shape[-1]).astype(np.int64)
    shifted = flat + n * np.arange(len(flat))[:, None]
    counts = np.bincount(shifted.ravel(), minlength=n * len(flat)).astype(float)
    return counts.reshape(*places.shape[:-1], n)


def finite_values(values: ArrayLike) -> NDArray[np.float64]:
    """Leave out NaN."""
    array = np.asarray(values, dtype=float)
    return np.asarray(array[~np.isnan(array)])
