"""What does it cost to keep weights positive? The sign as a factor.

Runs of one seed begin alike with either sign, on the same trials and with the same noise, so that
single variants are compared pair by pair. The authors' notebooks pool the variants of a start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence.design import levels
from cortexrnn.evidence.effect_sizes import effect_size, finite_values
from cortexrnn.evidence.factor_tests import SIGNIFICANT, check_seeds, rank_test
from cortexrnn.evidence.generalisation import largest_sure
from cortexrnn.evidence.learning_speed import intervals_together
from cortexrnn.evidence.published import published_cells
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.archive import METRICS

__all__ = [
    "beside_published",
    "count_by_start",
    "in_numbers",
    "published_sign_differences",
    "sign_by_start",
    "sign_by_variant",
    "sure_in_words",
]

_BY_VARIANT = ["field", "task", "variant", "metric"]


def sign_by_start(runs: pd.DataFrame, *, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Test the sign within each start, with the runs of its variants pooled, as the authors do.

    Parameters
    ----------
    runs : DataFrame
        Runs of both signs, of one field, relation, protocol and draw of trials.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    DataFrame
        One row per task, metric and ``start`` (``w, w!, w*``): ``free, positive``, numbers of
        values; ``diverged``, positive runs without one; ``median_free, median_positive``;
        ``delta``, Cliff's delta, above 0 where positive is higher; ``p`` by Kruskal-Wallis and
        ``p_holm``, adjusted over all rows. NaN where one side has fewer than two values.

    Raises
    ------
    ValueError
        If runs are of several fields, relations, protocols or draws, or a run occurs twice.
    """
    metrics = arguments.names("metrics", metrics)
    for column in ("field", "relation", "protocol", "data_seed"):
        if runs[column].nunique() > 1:
            values = sorted(set(runs[column]))
            raise ValueError(f"runs: {column} is {values}; give the runs of one of them")
    check_seeds(runs, ["sign", "variant", "task"])
    start = runs["variant"].map(levels()["W"])
    rows: list[dict[str, Any]] = []
    for (task, name), group in runs.groupby(["task", start], sort=False):
        parts = {sign: group[group["sign"] == sign] for sign in ("free", "positive")}
        for metric in metrics:
            free, positive = (finite_values(part[metric]) for part in parts.values())
            row = {"task": task, "metric": metric, "start": name, "free": len(free)}
            row |= {"positive": len(positive), "diverged": int(parts["positive"]["diverged"].sum())}
            row["p"] = rank_test(stats.kruskal, [free, positive])[1]
            if len(free) and len(positive):
                row |= {"median_free": np.median(free), "median_positive": np.median(positive)}
                row["delta"] = effect_size(positive, free, n_resamples=0).delta
            rows.append(row)
    columns = ["task", "metric", "start", "free", "positive", "diverged"]
    columns += ["median_free", "median_positive", "delta", "p", "p_holm"]
    table = pd.DataFrame(rows, columns=columns)
    known = table["p"].notna()
    if known.any():
        table.loc[known, "p_holm"] = multipletests(table.loc[known, "p"], method="holm")[1]
    return table


def sign_by_variant(
    runs: pd.DataFrame, *, metrics: Sequence[str] = ("accuracy", "validation_accuracy")
) -> pd.DataFrame:
    """Compare runs with positive weights with those of the same seed with free ones.

    Parameters
    ----------
    runs : DataFrame
        Runs of both signs, of one relation, protocol and draw of trials.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    DataFrame
        One row per field, task, variant and metric: ``pairs`` in which neither diverged;
        ``diverged`` runs with positive weights; ``difference, difference_low, difference_high``,
        positive less free. Intervals hold together over all rows of a metric, with 95 % (largest t
        over seeds); there is none for fewer than two pairs, or where no two seeds disagree.

    Raises
    ------
    ValueError
        If a run occurs twice.
    """
    metrics = arguments.names("metrics", metrics)
    check_seeds(runs, ["field", "sign", "variant", "task"])
    columns = ["difference", "difference_low", "difference_high"]
    rows: list[dict[str, Any]] = []
    values: dict[int, pd.Series] = {}
    for (field, task, variant), cell in runs.groupby(["field", "task", "variant"], sort=False):
        signs = {sign: part.set_index("seed") for sign, part in cell.groupby("sign")}
        if set(signs) != {"free", "positive"}:
            continue
        for metric in metrics:
            difference = (signs["positive"][metric] - signs["free"][metric]).dropna()
            key = dict(zip(_BY_VARIANT, (field, task, variant, metric), strict=True))
            counts = {
                "pairs": len(difference),
                "diverged": int(signs["positive"]["diverged"].sum()),
            }
            if len(difference):
                values[len(rows)] = difference
            rows.append(key | counts)
    table = pd.DataFrame(rows, columns=[*_BY_VARIANT, "pairs", "diverged", *columns])
    for metric, group in table[table["pairs"] > 0].groupby("metric", sort=False):
        found = intervals_together({row: values[row] for row in group.index}, f"sign {metric}")
        table.loc[group.index, columns] = found.to_numpy()
    return table


def published_sign_differences() -> pd.DataFrame:
    """Subtract the paper's Table 2 from its Table 3, and so for the other metrics.

    Returns
    -------
    DataFrame
        One row per task, variant and metric of field 6_6_2: ``published``, the mean with positive
        weights less that with free ones, and ``published_low, published_high``, 95 % by Welch's
        approximation for two times 20 simulations, which share no seed. Cells in which all
        simulations diverged are left out.
    """
    cells = published_cells()
    cells = cells[~cells["published_diverged"]]
    keys = ["task", "variant", "metric"]
    free, positive = (
        cells[cells["arm"] == arm].set_index(keys)[["published", "published_error"]]
        for arm in ("corr", "corr+sign")
    )
    both = free.join(positive, how="inner", lsuffix="_free", rsuffix="_positive")
    first, second = both["published_error_free"] ** 2, both["published_error_positive"] ** 2
    # Welch and Satterthwaite, with 19 degrees of freedom on either side.
    df = 19 * (first + second) ** 2 / (first**2 + second**2)
    half = np.sqrt(first + second) * stats.t.ppf(0.975, df)
    difference = both["published_positive"] - both["published_free"]
    table = pd.DataFrame({"published": difference})
    table["published_low"], table["published_high"] = difference - half, difference + half
    return table.reset_index()


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Put the differences of field 6_6_2 beside those of the paper.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`sign_by_variant`.

    Returns
    -------
    DataFrame
        Its rows of that field that have a published difference, with the columns of
        :func:`published_sign_differences` and ``inside``: whether ours lies in the published
        interval.
    """
    ours = table[(table["field"] == "6_6_2") & table["difference"].notna()]
    both = ours.merge(published_sign_differences(), on=["task", "variant", "metric"])
    return both.assign(
        inside=both["difference"].between(both["published_low"], both["published_high"])
    )


def count_by_start(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise the tests within starts over tasks.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`sign_by_start`.

    Returns
    -------
    DataFrame
        One row per metric and a column per start that has runs of both signs: the mean delta over
        tasks and, in brackets, in how many tasks the adjusted p is below 0.05.
    """
    known = table.dropna(subset=["delta", "p_holm"])
    groups = known.groupby(["metric", "start"], sort=False)
    text = groups.apply(
        lambda group: f"{group['delta'].mean():z.2f} ({(group['p_holm'] < SIGNIFICANT).sum()})",
        include_groups=False,
    )
    return text.unstack("start") if len(known) else pd.DataFrame(columns=["w*", "w!"])


def in_numbers(table: pd.DataFrame, beside: pd.DataFrame) -> dict[str, float]:
    """Count what became of positive runs.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`sign_by_variant`.
    beside : DataFrame
        Rows of :func:`beside_published`.

    Returns
    -------
    dict of str to float
        ``orthogonal``, positive runs that start orthogonal, ``lost``, those that diverged;
        ``others, others_lost``, the same for other starts; ``comparisons``, those of accuracy in
        which no run diverged; ``below, above``, of them, surely; ``largest``, the largest sure
        difference; ``published``, differences beside the paper's, and ``inside``, those within its
        interval.
    """
    accuracy = table[table["metric"] == "accuracy"]
    is_orthogonal = accuracy["variant"].map(levels()["W"]) == "w"
    n_runs = accuracy["pairs"] + accuracy["diverged"]
    whole = accuracy[~is_orthogonal & accuracy["diverged"].eq(0)]
    return {
        "orthogonal": int(n_runs[is_orthogonal].sum()),
        "lost": int(accuracy.loc[is_orthogonal, "diverged"].sum()),
        "others": int(n_runs[~is_orthogonal].sum()),
        "others_lost": int(accuracy.loc[~is_orthogonal, "diverged"].sum()),
        "comparisons": len(whole),
        "below": int((whole["difference_high"] < 0).sum()),
        "above": int((whole["difference_low"] > 0).sum()),
        "largest": largest_sure(whole),
        "published": len(beside),
        "inside": int(beside["inside"].sum()),
    }


def sure_in_words(numbers: dict[str, float]) -> str:
    """Say in how many comparisons positive weights surely change accuracy.

    Parameters
    ----------
    numbers : dict of str to float
        What :func:`in_numbers` gives.

    Returns
    -------
    str
        Part of a sentence, with the largest such change where there is one.
    """
    below, above = numbers["below"], numbers["above"]
    if not below and not above:
        return f"accuracy is surely different in none of {numbers['comparisons']} comparisons"
    return (
        f"accuracy is surely lower in {below} and surely higher in {above} of "
        f"{numbers['comparisons']} comparisons, by {numbers['largest']:.3f} at most"
    )
