"""Prediction of single runs: from what is known of a start, whether its run will learn.

A small logistic model is fitted on some runs and tested on others: on another field, or on seeds
that it has not seen. What is asked is whether it ranks runs that learn above runs that do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import mannwhitneyu, norm

from cortexrnn.evidence.intervals import with_interval
from cortexrnn.evidence.seed_clusters import effective_number

__all__ = [
    "MODELS",
    "area_interval",
    "area_under_curve",
    "areas_as_text",
    "fit_logistic",
    "out_of_sample",
]

MODELS: dict[str, tuple[str, ...]] = {
    "number of strong units": ("strong",),
    "number that a cue excites": ("excited",),
    "second largest self-connection": ("second",),
    "separation of uncoupled units": ("separation",),
    "all of these": ("strong", "excited", "second", "separation"),
}
"""What a model knows of a start: columns of
:func:`cortexrnn.evidence.units.start_features`. Separations, which span orders of magnitude, enter
by their square root."""
RIDGE = 1.0
"""Strength of the penalty on slopes of standardised features; without one they would be infinite
where a feature parts the runs completely."""
OUT_OF_SAMPLE = [
    *("task", "field", "model", "tested_on", "runs", "failures", "seeds", "failing_seeds"),
    *("area", "low", "high"),
]
"""Columns of :func:`out_of_sample`."""


def area_under_curve(scores: ArrayLike, positive: ArrayLike) -> float:
    """Area under the receiver operating characteristic.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Higher for what is thought to be positive.
    positive : array_like of bool, shape (n,)
        What is.

    Returns
    -------
    float
        Probability that a positive has the higher score than a negative, ties counted half
        (Mann-Whitney U over the number of pairs); NaN where either is absent.
    """
    values, mask = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if mask.all() or not mask.any():
        return float("nan")
    pairs = mask.sum() * (~mask).sum()
    return float(mannwhitneyu(values[mask], values[~mask]).statistic / pairs)


def area_interval(
    area: float, n_positive: float, n_negative: float, *, level: float = 0.95
) -> tuple[float, float]:
    """Interval of an area under the curve that has a width even where the area is 1.

    Method 5 of Newcombe 2006 (Statistics in Medicine 25, 559-573, doi 10.1002/sim.2324): the area
    itself, not the estimate, stands in the variance of Hanley and McNeil.

    Parameters
    ----------
    area : float
        Of :func:`area_under_curve`.
    n_positive, n_negative : float
        Their numbers; effective ones where runs are not independent, see
        :func:`cortexrnn.evidence.seed_clusters.effective_number`.
    level : float
        Coverage.

    Returns
    -------
    low, high : float
        NaN where the area is.
    """
    if np.isnan(area):
        return float("nan"), float("nan")
    z = norm.ppf((1 + level) / 2)
    mean = (n_positive + n_negative) / 2 - 1

    def half(true: float) -> float:
        spread = 1 + mean * ((1 - true) / (2 - true) + true / (1 + true))
        return float(z * np.sqrt(true * (1 - true) * spread / (n_positive * n_negative)))

    # Ends at 0 and 1 solve the equation by themselves; the other root is the interval's.
    edge = 1e-12
    low = brentq(lambda a: area - a - half(a), 0, min(area, 1 - edge)) if area > edge else 0.0
    high = brentq(lambda a: a - area - half(a), max(area, edge), 1) if area < 1 - edge else 1.0
    return float(low), float(high)


def fit_logistic(
    features: ArrayLike, positive: ArrayLike, *, ridge: float = RIDGE
) -> NDArray[np.float64]:
    """Fit a logistic model with a penalty on its slopes.

    Parameters
    ----------
    features : array_like, shape (n, k)
        Features, standardised if the penalty is to treat them alike.
    positive : array_like of bool, shape (n,)
        What is predicted.
    ridge : float
        Factor of half the sum of squares of the slopes, which is added to the negative log
        likelihood; the intercept is free.

    Returns
    -------
    ndarray, shape (k + 1,)
        Intercept and slopes.

    Raises
    ------
    ValueError
        If all runs are positive or none is, so that the intercept would be infinite.
    """
    x, y = np.asarray(features, dtype=float), np.asarray(positive, dtype=float)
    if y.min() == y.max():
        raise ValueError("positive is the same for all runs; give some of either kind")
    x = np.column_stack([np.ones(len(x)), x])
    weight = np.r_[0.0, np.full(x.shape[1] - 1, ridge)]
    sign = 2 * y - 1

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (x @ coefficients)
        value = np.logaddexp(0, -margin).sum() + weight @ coefficients**2 / 2
        return float(value), weight * coefficients - x.T @ (sign * expit(-margin))

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="BFGS").x)


def out_of_sample(
    table: pd.DataFrame, *, models: Mapping[str, Sequence[str]] = MODELS
) -> pd.DataFrame:
    """Predict runs of every field from other fields, and of every seed from other seeds.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.units.runs_with_features`.
    models : mapping of str to sequence of str
        Columns that each model knows.

    Returns
    -------
    DataFrame
        One row per task, field, model and ``tested_on``: ``another field`` (fitted on all other
        fields together) or ``other seeds`` (fitted on this field, one seed left out at a time, all
        left-out runs together). ``runs, failures, seeds, failing_seeds``; ``area`` under the curve,
        ``low`` and ``high`` (95 %, :func:`area_interval` with the
        :func:`~cortexrnn.evidence.seed_clusters.effective_number` of runs that learned and of those
        that did not, as if runs of a seed were all alike). NaN where a field has no failures, or
        what a model is fitted on has none.
    """
    rows = []
    for task, of_task in table.groupby("task", sort=False):
        for field, own in of_task.groupby("field", sort=False):
            failed = own[~own["learned"]]
            counts = {"runs": len(own), "failures": len(failed), "seeds": own["seed"].nunique()}
            counts["failing_seeds"] = failed["seed"].nunique()
            key = {"task": task, "field": field}
            for model, columns in models.items():
                for tested_on, splits in (
                    ("another field", [(of_task[of_task["field"] != field], own)]),
                    ("other seeds", _by_seed(own)),
                ):
                    area = _tested(splits, columns)
                    row = key | {"model": model, "tested_on": tested_on} | counts
                    rows.append(row | area)
    return pd.DataFrame(rows, columns=OUT_OF_SAMPLE)


def _by_seed(runs: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Leave one seed out after the other."""
    for seed, left_out in runs.groupby("seed"):
        yield runs[runs["seed"] != seed], left_out


def _tested(splits: Any, columns: Sequence[str]) -> dict[str, float]:
    """Fit and test a model on every split, and measure how it ranks all tested runs together."""
    scores, tested = [], []
    for known, left_out in splits:
        if known["learned"].nunique() < 2:
            return dict.fromkeys(("area", "low", "high"), float("nan"))
        x, unseen = (_design(part, columns) for part in (known, left_out))
        centre, scale = x.mean(axis=0), x.std(axis=0)
        scale[scale == 0] = 1.0
        intercept, *slopes = fit_logistic((x - centre) / scale, known["learned"])
        scores.append(intercept + (unseen - centre) / scale @ np.asarray(slopes))
        tested.append(left_out)
    runs = pd.concat(tested)
    area = area_under_curve(np.concatenate(scores), runs["learned"])
    numbers = [
        effective_number(runs.loc[runs["learned"] == kind, "seed"]) for kind in (True, False)
    ]
    low, high = area_interval(area, *numbers)
    return {"area": area, "low": low, "high": high}


def _design(runs: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Features of runs, shape (n, k)."""
    values = runs[list(columns)].astype(float)
    if "separation" in values:
        values["separation"] = np.sqrt(values["separation"])
    return np.asarray(values.to_numpy())


def areas_as_text(table: pd.DataFrame, *, tested_on: str) -> pd.DataFrame:
    """Write the areas of all models beside each other.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`out_of_sample`.
    tested_on : {"another field", "other seeds"}
        Which of them.

    Returns
    -------
    DataFrame
        One row per task and field: ``failures`` (runs, and seeds behind them) and one column per
        model, the area with its interval; a field without failures says so, and so does one whose
        failures no other field, or no other seed, has.
    """
    chosen = table[table["tested_on"] == tested_on]
    absent = np.where(chosen["failures"] == 0, "no failures", "nothing to learn from")
    text = [with_interval(*values) for values in chosen[["area", "low", "high"]].to_numpy()]
    failures = [
        f"{row['failures']} of {row['runs']} runs, {row['failing_seeds']} of {row['seeds']} seeds"
        for row in chosen.to_dict("records")
    ]
    told = chosen.assign(area=np.where(chosen["area"].isna(), absent, text), failures=failures)
    wide = told.pivot_table(
        "area", ["task", "field", "failures"], "model", aggfunc="first", sort=False
    )
    return wide.reset_index("failures")
