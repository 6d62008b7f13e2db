"""How measures of a run go together: with accuracy, and each with each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.specification import random_stream
from cortexrnn.runs.archive import METRICS
from cortexrnn.runs.trained_weights import COURSE

__all__ = ["metric_dependence", "rank_correlations"]

RESAMPLES = 2000
"""Resamples behind an interval."""


def rank_correlations(runs: pd.DataFrame, *, metrics: Sequence[str] = COURSE) -> pd.DataFrame:
    """Correlate the ranks of accuracy and of topology, over all runs and within variants.

    Variants differ in both, so a correlation over all runs may be absent, or have the other sign,
    within every variant (Simpson's paradox). Within: both are ranked inside each variant, and one
    correlation is taken of all these ranks less their means.

    Parameters
    ----------
    runs : DataFrame
        Runs of one arm of one field; those that diverged are left out.
    metrics : sequence of str
        Columns.

    Returns
    -------
    DataFrame
        One row per task, metric and ``over`` (``all runs``, ``variants``: their means, ``within
        variants``): ``correlation``, ``low`` and ``high`` (95 %, percentiles over resampled
        variants, or for within over runs resampled inside variants), ``runs``, ``variants``. NaN
        where there are fewer than three values, or where one of the two does not vary.
    """
    metrics = arguments.names("metrics", metrics)
    rows = []
    for task, task_runs in runs[~runs["diverged"]].groupby("task", sort=False):
        for metric in metrics:
            pairs = task_runs[["variant", "accuracy", metric]].dropna()
            row = {"task": task, "metric": metric, "runs": len(pairs)}
            row["variants"] = pairs["variant"].nunique()
            cells = [
                cell.to_numpy(float) for _, cell in pairs.groupby("variant")[["accuracy", metric]]
            ]
            rng = random_stream(0, "rank correlations", str(task), metric)
            for over, values in _correlations(cells, rng).items():
                low, high = _interval(values[1:])
                rows.append(
                    row | {"over": over, "correlation": values[0], "low": low, "high": high}
                )
    return pd.DataFrame(rows)


def metric_dependence(
    runs: pd.DataFrame, published: pd.DataFrame, *, metrics: Sequence[str] = METRICS
) -> pd.DataFrame:
    """Correlate the ranks of every two metrics over the runs of one cell, here and in the paper.

    Parameters
    ----------
    runs, published : DataFrame
        Runs of one condition on one task, one a row, with the metrics as columns. Those that
        diverged are left out.
    metrics : sequence of str
        Columns of both.

    Returns
    -------
    DataFrame
        One row per pair of metrics ``first, second``: ``correlation`` and ``published``
        (Spearman), and ``p``, how often runs exchanged at random between the two sides give some
        pair of metrics a difference as large as this one. It is adjusted for all pairs, and exact
        if both sides are draws of one distribution. ``detectable``, the same for all: a difference
        that chance alone exceeds in 5 %; smaller ones cannot be told from none. NaN where a metric
        does not vary; no rows where a side has fewer than three runs.
    """
    metrics = arguments.names("metrics", metrics, least=2)
    sides = [table[metrics].dropna().to_numpy(dtype=float) for table in (runs, published)]
    columns = ["first", "second", "correlation", "published", "p", "detectable"]
    if min(map(len, sides)) < 3:
        return pd.DataFrame(columns=columns)
    n = len(sides[0])
    every = np.concatenate(sides)
    rng = random_stream(0, "metric dependence")
    orders = [np.arange(len(every)), *(rng.permutation(len(every)) for _ in range(RESAMPLES))]
    shuffled = every[np.array(orders)]
    here, there = _matrices(shuffled[:, :n]), _matrices(shuffled[:, n:])
    difference = np.abs(here - there)
    largest = np.nan_to_num(difference[1:]).max(axis=1) + 1e-9  # equal ones differ by rounding
    beyond = (largest[:, None] >= difference[0]).sum(axis=0)
    p = np.where(np.isnan(difference[0]), np.nan, (1 + beyond) / (1 + RESAMPLES))
    pairs = list(itertools.combinations(metrics, 2))
    values = zip(here[0], there[0], p, strict=True)
    detectable = float(np.quantile(largest, 0.95))
    rows = [(*pair, *row, detectable) for pair, row in zip(pairs, values, strict=True)]
    return pd.DataFrame(rows, columns=columns)


def _matrices(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlations of all pairs of columns (resamples, runs, metrics), pair by pair."""
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    products = np.einsum("bni,bnj->bij", ranks, ranks)
    i, j = np.array(list(itertools.combinations(range(values.shape[-1]), 2))).T
    sums = np.stack([products[:, i, j], products[:, i, i], products[:, j, j]], axis=1)
    return _ratio(sums)


def _correlations(
    cells: list[NDArray[np.float64]], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Correlate as observed (first value) and in resamples; cells are (runs, 2)."""
    means = np.array([cell.mean(axis=0) for cell in cells])
    drawn = rng.integers(len(cells), size=(RESAMPLES, len(cells)))
    drawn = np.vstack([np.arange(len(cells)), drawn])
    every = [_spearman(np.concatenate([cells[i] for i in row])[None])[0] for row in drawn]
    sums = np.zeros((RESAMPLES + 1, 3))
    for cell in cells:
        place = rng.integers(len(cell), size=(RESAMPLES, len(cell)))
        sums += _moments(cell[np.vstack([np.arange(len(cell)), place])])
    enough = max(map(len, cells)) >= 3
    return {
        "all runs": np.array(every),
        "variants": _spearman(means[drawn]),
        "within variants": _ratio(sums) if enough else np.full(len(sums), np.nan),
    }


def _moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum products of centred ranks of pairs (resamples, runs, 2): xy, xx, yy."""
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    x, y = ranks[..., 0], ranks[..., 1]
    return np.stack([(x * y).sum(1), (x * x).sum(1), (y * y).sum(1)], axis=1)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation from sums of products; NaN where one of the two does not vary."""
    spread = np.sqrt(sums[:, 1] * sums[:, 2])
    nothing = np.full_like(spread, np.nan)
    ratio: NDArray[np.float64] = np.divide(sums[:, 0], spread, out=nothing, where=spread > 0)
    return ratio


def _spearman(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlation of pairs (resamples, n, 2); NaN for fewer than three."""
    if values.shape[1] < 3:
        return np.full(len(values), np.nan)
    return _ratio(_moments(values))


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Central 95 % of resampled values; NaN where most of them have none."""
    known = values[~np.isnan(values)]
    if len(known) < len(values) / 2:
        return np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
