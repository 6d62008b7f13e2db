"""Tests of whether two means are equivalent or different.

The margins are listed in ``book/rules.md`` and were fixed before the first full run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from cortexrnn.evidence.effect_sizes import finite_values
from cortexrnn.fields.inputs import arguments

__all__ = [
    "FALSE_DISCOVERY_RATE",
    "LEAST_RUNS",
    "MARGINS",
    "VERDICTS",
    "across_fields",
    "equivalence",
    "tests",
    "verdicts",
]

MARGINS = {
    "accuracy": 0.05,
    "entropy": 0.6,
    "modularity": 0.04,
    "small_worldness": 0.2,
    "assortativity": 0.08,
}
"""Differences of means that do not matter, each in the unit of its metric.

A tenth of the span of the published means with free weights, to one significant digit."""
FALSE_DISCOVERY_RATE = 0.05
"""Expected share of false ones among the cells called equivalent, and among those called different.
"""
VERDICTS = ("equivalent", "different", "inconclusive", "both diverge")
"""Verdicts on a cell."""
LEAST_RUNS = 10
"""Runs that did not diverge, below which a cell is not compared by its mean."""
PUBLISHED_RUNS = 20
"""Simulations behind a published mean; intervals are from t with one degree of freedom less."""


def tests(
    difference: ArrayLike,
    *,
    own_error: ArrayLike,
    own_runs: ArrayLike,
    published_error: ArrayLike,
    draw: ArrayLike,
    margin: ArrayLike,
) -> dict[str, NDArray[np.float64]]:
    """Test whether two means differ, and whether they differ by less than a margin.

    Parameters
    ----------
    difference : array_like
        Our mean less the published one.
    own_error, published_error : array_like
        Standard errors of the two means.
    own_runs : array_like
        Runs behind our mean.
    draw : array_like
        Variance of a mean over draws of trials; it enters once for each side.
    margin : array_like
        Half-width of the region of equivalence.

    Returns
    -------
    dict of str to ndarray
        ``error`` of the difference, ``df`` after Welch and Satterthwaite, ``p_different`` of the
        two-sided t test, ``p_equivalent``: the larger p of two one-sided tests (Schuirmann 1987).
    """
    d, margin = np.asarray(difference, dtype=float), np.asarray(margin, dtype=float)
    own, theirs = np.asarray(own_error, float) ** 2, np.asarray(published_error, float) ** 2
    error = np.sqrt(own + theirs + 2 * np.asarray(draw, dtype=float))
    df = (own + theirs) ** 2 / (
        own**2 / (np.asarray(own_runs, dtype=float) - 1) + theirs**2 / (PUBLISHED_RUNS - 1)
    )
    one_sided = [stats.t.sf((margin + sign * d) / error, df) for sign in (-1, 1)]
    return {
        "error": error,
        "df": df,
        "p_different": 2 * stats.t.sf(np.abs(d) / error, df),
        "p_equivalent": np.maximum(*one_sided),
    }


def verdicts(table: pd.DataFrame) -> NDArray[np.str_]:
    """Turn tests into verdicts, with false discoveries controlled over all rows together.

    Parameters
    ----------
    table : DataFrame
        With ``p_equivalent``, ``p_different``, ``published_diverged``, ``runs``, ``diverged``.

    Returns
    -------
    ndarray of str
        ``equivalent``: the difference is within the margin, whether or not it is zero;
        ``different``: it is not zero and was not shown to be within the margin, or all
        simulations of one side diverged and not those of the other; ``both diverge``;
        ``inconclusive``: anything else, which does not count as agreement.
    """
    result = np.full(len(table), "inconclusive", dtype=object)
    tested = table["p_equivalent"].notna().to_numpy()
    if tested.any():
        q = {
            name: stats.false_discovery_control(table.loc[tested, f"p_{name}"])
            for name in ("equivalent", "different")
        }
        equivalent = q["equivalent"] <= FALSE_DISCOVERY_RATE
        different = (q["different"] <= FALSE_DISCOVERY_RATE) & ~equivalent
        result[tested] = np.select([equivalent, different], ["equivalent", "different"],
                                   default="inconclusive")  # fmt: skip
    ours_diverged = (table["diverged"] == table["runs"]).to_numpy()
    published_diverged = table["published_diverged"].to_numpy(dtype=bool)
    result[ours_diverged & published_diverged] = "both diverge"
    result[ours_diverged ^ published_diverged] = "different"
    return result.astype(str)


def equivalence(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    by: Sequence[str] = ("variant", "task"),
    metrics: Sequence[str] = tuple(MARGINS),
) -> pd.DataFrame:
    """Test whether matching cells are equivalent within the margins of the rules.

    Both sides were trained on the same draw of trials, which therefore needs no allowance.

    Parameters
    ----------
    first, second : DataFrame
        Runs; cells of both that agree in `by` are compared.
    by : sequence of str
        Columns that name a cell.
    metrics : sequence of str
        Keys of :data:`cortexrnn.evidence.equivalence.MARGINS`.

    Returns
    -------
    DataFrame
        One row per metric and cell: numbers of runs ``n_1, n_2``, of diverged ones, ``mean_1,
        mean_2``, ``difference`` (first less second) with ``low, high`` (95 %, Welch),
        ``p_different`` (Welch), ``p_equivalent`` (two one-sided Welch tests) and ``verdict``,
        see :func:`cortexrnn.evidence.equivalence.verdicts`: false discoveries are controlled over
        all rows together.
    """
    by, metrics = arguments.names("by", by), arguments.names("metrics", metrics)
    rows = []
    others = dict(iter(second.groupby(by, sort=False)))
    for key, one in first.groupby(by, sort=False):
        if key in others:
            cell = dict(zip(by, key, strict=True))
            rows += [cell | _equivalent(one, others[key], metric) for metric in metrics]
    if not rows:
        return pd.DataFrame(columns=[*by, "metric", *_EQUIVALENCE, "verdict"])
    table = pd.DataFrame(rows)
    as_replication = table.rename(columns={"diverged_1": "diverged", "runs_1": "runs"}).assign(
        published_diverged=table["diverged_2"] == table["runs_2"]
    )
    return table.assign(verdict=verdicts(as_replication))


def across_fields(
    runs: pd.DataFrame,
    pairs: Mapping[str, tuple[str, str]],
    *,
    metrics: Sequence[str] = ("accuracy",),
) -> pd.DataFrame:
    """Compare pairs of variants in every field.

    Parameters
    ----------
    runs : DataFrame
        Runs of one arm on any fields.
    pairs : mapping of str to (str, str)
        Name of a comparison to its two variants.
    metrics : sequence of str
        Keys of :data:`cortexrnn.evidence.equivalence.MARGINS`.

    Returns
    -------
    DataFrame
        The columns of :func:`equivalence` by ``contrast, field, task``, and ``n_neurons``; large
        fields first.
    """
    sizes = runs.groupby("field")["n_neurons"].first().sort_values(ascending=False)
    sides = [
        pd.concat([runs[runs["variant"] == pair[k]].assign(contrast=name)
                   for name, pair in pairs.items()])
        for k in (0, 1)
    ]  # fmt: skip
    table = equivalence(*sides, by=["contrast", "field", "task"], metrics=metrics)
    table["n_neurons"] = table["field"].map(sizes).astype(sizes.dtype)
    order = table["contrast"].map(list(pairs).index)
    table = table.assign(order=order, place=table["field"].map(list(sizes.index).index))
    ordered = table.sort_values(["order", "place"], kind="stable", ignore_index=True)
    return ordered.drop(columns=["order", "place"])


_EQUIVALENCE = (
    "n_1", "n_2", "diverged_1", "diverged_2", "runs_1", "runs_2",
    "mean_1", "mean_2", "difference", "low", "high", "p_different", "p_equivalent",
)  # fmt: skip


def _equivalent(one: pd.DataFrame, two: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Compare the means of one metric in two cells."""
    x, y = finite_values(one[metric]), finite_values(two[metric])
    row: dict[str, Any] = {"metric": metric, "n_1": len(x), "n_2": len(y)}
    row |= {"diverged_1": int(one["diverged"].sum()), "diverged_2": int(two["diverged"].sum())}
    row |= {"runs_1": len(one), "runs_2": len(two)}
    row |= {name: v.mean() if len(v) else np.nan for name, v in (("mean_1", x), ("mean_2", y))}
    row["difference"] = row["mean_1"] - row["mean_2"]
    row |= dict.fromkeys(("low", "high", "p_different", "p_equivalent"), np.nan)
    if min(len(x), len(y)) < 2:
        return row
    if np.ptp(x) == np.ptp(y) == 0:  # no scatter: the difference is what it is
        within = abs(row["difference"]) < MARGINS[metric]
        same = row["difference"] == 0
        ends = {"low": row["difference"], "high": row["difference"]}
        return row | ends | {"p_different": float(same), "p_equivalent": float(not within)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells whose runs are nearly alike
        test = stats.ttest_ind(x, y, equal_var=False)
    row["low"], row["high"] = test.confidence_interval(0.95)
    margin = MARGINS[metric]
    row["p_different"] = float(test.pvalue)
    row["p_equivalent"] = float(ttost_ind(x, y, -margin, margin, usevar="unequal")[0])
    return row
