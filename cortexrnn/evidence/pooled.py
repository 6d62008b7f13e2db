"""The paper's pooled comparisons: relations on one field, and fields with one another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexrnn.evidence.design import levels
from cortexrnn.evidence.effect_sizes import effect_size, finite_values
from cortexrnn.evidence.factor_tests import check_seeds, mann_whitney, rank_test
from cortexrnn.evidence.published import PUBLISHED_FIELDS, published_groups
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.archive import METRICS

__all__ = ["pooled"]


def pooled(runs: pd.DataFrame, *, among: str, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Compare relations within a start, or fields, with the runs of all variants pooled.

    Parameters
    ----------
    runs : DataFrame
        Runs of one protocol, sign and draw of trials; for ``"relations"`` of one field, for
        ``"fields"`` of one relation.
    among : {"relations", "fields"}
        What is compared: correlation and precision within w, w*, w! (for w, whose runs are the
        same ones whatever the relation, there is nothing to compare, and no row); or fields of
        different size.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    DataFrame
        Columns of :func:`~cortexrnn.evidence.published.published_groups` with ``n_1, n_2`` values,
        and ``p_published``, ``delta_published``, ``mean_1_published``, ``mean_2_published`` where
        there is such a published row. ``among`` is ``w*``, ``w!``, or ``neuron`` as published. For
        fields ``field_1`` and ``field_2`` name them.

    Raises
    ------
    ValueError
        If `among` is unknown, or runs are of several fields or relations that are not compared.
    """
    metrics = arguments.names("metrics", metrics)
    fixed = {"relations": "field", "fields": "relation"}
    if among not in fixed:
        raise ValueError(f"unknown among {among!r}; choose one of {', '.join(fixed)}")
    for column in (fixed[among], "sign", "protocol", "data_seed"):
        if runs[column].nunique() > 1:
            values = sorted(set(runs[column]))
            raise ValueError(f"runs: {column} is {values}; give the runs of one of them")
    check_seeds(runs, ["field", "relation", "variant", "task"])
    start = runs["variant"].map(levels()["W"])
    if among == "relations":
        rows = _pooled_relations(runs.assign(among=start), metrics)
    else:
        rows = _pooled_fields(runs.assign(among="neuron"), metrics)
    keys = ["task", "metric", "among", "group_1", "group_2"]
    columns = [*keys, "u", "p", "median_1", "median_2", "mean_1", "mean_2", "delta", "n_1", "n_2"]
    table = pd.DataFrame(rows, columns=[*columns, "field_1", "field_2"])
    theirs = published_groups()[[*keys, "p", "delta", "mean_1", "mean_2"]]
    if among == "fields":  # N tells the field only for the three that the paper compares
        theirs = theirs.assign(
            **{f"field_{k}": theirs[f"group_{k}"].map(PUBLISHED_FIELDS) for k in (1, 2)}
        )
        keys = [*keys, "field_1", "field_2"]
    return table.merge(theirs, how="left", on=keys, suffixes=("", "_published"))


def _pooled_relations(runs: pd.DataFrame, metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Correlation against precision within the starts that depend on them."""
    runs = runs[runs["among"] != "w"]
    for (task, among), group in runs.groupby(["task", "among"], sort=False):
        parts = dict(iter(group.groupby("relation")))
        if {"correlation", "precision"} <= set(parts):
            one, two = _matched(parts["correlation"], parts["precision"])
            for metric in metrics:
                key = {"task": task, "metric": metric, "among": among}
                key |= {"group_1": "correlation", "group_2": "precision"}
                yield key | _pooled(one[metric], two[metric])


def _pooled_fields(runs: pd.DataFrame, metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every field against every smaller one."""
    sizes = runs.groupby("field")["n_neurons"].first().sort_values(ascending=False, kind="stable")
    for task, group in runs.groupby("task", sort=False):
        parts = dict(iter(group.groupby("field")))
        present = [name for name in sizes.index if name in parts]
        for large, small in itertools.combinations(present, 2):
            one, two = _matched(parts[large], parts[small])
            for metric in metrics:
                key = {"task": task, "metric": metric, "among": "neuron"}
                key |= {"group_1": str(sizes[large]), "group_2": str(sizes[small])}
                key |= {"field_1": large, "field_2": small}
                yield key | _pooled(one[metric], two[metric])


def _matched(one: pd.DataFrame, two: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the variants that both have, so that pools differ in nothing else."""
    both = set(one["variant"]) & set(two["variant"])
    return one[one["variant"].isin(both)], two[two["variant"].isin(both)]


def _pooled(first: pd.Series, second: pd.Series) -> dict[str, Any]:
    """Mann-Whitney test, medians, means and Cliff's delta of two pools."""
    x, y = finite_values(first), finite_values(second)
    row: dict[str, Any] = {"n_1": len(x), "n_2": len(y)}
    if not len(x) or not len(y):
        return row
    row["u"], row["p"] = rank_test(mann_whitney, [x, y])
    row |= {"median_1": np.median(x), "median_2": np.median(y)}
    row |= {"mean_1": x.mean(), "mean_2": y.mean()}
    return row | {"delta": effect_size(x, y, n_resamples=0).delta}
