"""What start, distance and communicability do: the paper's factor tests.

The eleven variants cross three factors incompletely: the start W (``w`` orthogonal, ``w*``
functional, ``w!`` permuted), the distance D (``nan`` none, ``d`` grid, ``d*`` positions) and the
communicability C (``nan`` none, ``c`` direct, ``c*`` empirical). A *context* holds two factors
fixed and leaves the third at least two levels; every level of a context is one variant.

All tests are scipy's or statsmodels'. They take the runs of two variants as independent. Runs of
one seed here share the draw of trials, and those with a functional start their weights; where that
makes runs of one seed alike, the tests are cautious.

Functions that take runs expect those of :func:`cortexrnn.runs.labels.select`.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence.design import contexts, levels
from cortexrnn.evidence.effect_sizes import effect_size, finite_values
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.archive import METRICS

__all__ = ["SIGNIFICANT", "agreement", "agreement_summary", "factor_effects", "omnibus"]

SIGNIFICANT = 0.05
"""Level of all tests, as in the paper."""
_EFFECT_METRICS = (
    "accuracy",
    "loss",
    "entropy",
    "modularity",
    "small_worldness",
    "assortativity",
)
"""Metrics of the published table of effects."""
_TEST_KEYS = ["task", "metric", "factor", "context", "test", "group_1", "group_2"]


def factor_effects(
    runs: pd.DataFrame,
    *,
    metrics: Sequence[str] = _EFFECT_METRICS,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Test every factor in every context, as the paper did, with effect sizes.

    Kruskal-Wallis over the levels of a context; two-sided Mann-Whitney tests of its pairs, in a
    context of three levels only if Kruskal-Wallis gave p < 0.05; Holm's correction over all pairs
    of one task, factor and metric. Pairs that are not tested keep their effect size.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field, arm, protocol and draw of trials.
    metrics : sequence of str
        Columns of the archive.
    n_resamples, seed : int
        Of the bootstrap, see :func:`cortexrnn.evidence.effect_sizes.effect_size`.

    Returns
    -------
    DataFrame
        Columns of the published table (``task, metric, factor, context, test, group_1, group_2,
        statistic, p, p_holm, median_1, median_2``); ``delta, delta_low, delta_high, a, a_low,
        a_high`` (above 0 and above 1/2: group 1 is higher); ``n_1, n_2`` values behind a pair,
        ``n`` and ``diverged``: values, and runs without one because they diverged, of the row.

    Raises
    ------
    ValueError
        If runs are of several designs, a cell holds a seed twice, or a metric is unknown.
    """
    metrics = arguments.names("metrics", metrics)
    check_design(runs, metrics)
    design = contexts()
    rows: list[dict[str, Any]] = []
    for task, task_runs in runs.groupby("task", sort=False):
        cells = {str(name): cell for name, cell in task_runs.groupby("variant")}
        for metric in metrics:
            for (factor, context), group in design.groupby(["factor", "context"], sort=False):
                present = group[group["variant"].isin(list(cells))]
                key = {"task": task, "metric": metric, "factor": factor, "context": context}
                named = {
                    level: cells[variant]
                    for level, variant in zip(present["level"], present["variant"], strict=True)
                }
                for row in _context_rows(named, metric, n_resamples=n_resamples, seed=seed):
                    rows.append(key | row)
    return _with_holm(pd.DataFrame(rows, columns=[*_TEST_KEYS, *_RESULTS]))


_RESULTS = (
    "statistic", "p", "p_holm", "median_1", "median_2",
    "delta", "delta_low", "delta_high", "a", "a_low", "a_high",
    "n_1", "n_2", "n", "diverged",
)  # fmt: skip


def _context_rows(
    cells: dict[str, pd.DataFrame], metric: str, *, n_resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Rows of one context: the test of all levels, then those of the pairs."""
    values = {level: finite_values(cell[metric]) for level, cell in cells.items()}
    lost = {level: int(cell["diverged"].sum()) for level, cell in cells.items()}
    if len(values) < 2:
        return
    statistic, p = rank_test(stats.kruskal, list(values.values()))
    yield {
        "test": "kruskal", "statistic": statistic, "p": p,
        "n": sum(map(len, values.values())), "diverged": sum(lost.values()),
    }  # fmt: skip
    tested = len(values) == 2 or p < SIGNIFICANT
    for one, two in itertools.combinations(values, 2):
        x, y = values[one], values[two]
        row = {
            "test": "mannwhitney", "group_1": one, "group_2": two,
            "median_1": np.median(x) if len(x) else np.nan,
            "median_2": np.median(y) if len(y) else np.nan,
            "n_1": len(x), "n_2": len(y), "n": len(x) + len(y), "diverged": lost[one] + lost[two],
        }  # fmt: skip
        size = effect_size(x, y, n_resamples=n_resamples, seed=seed)
        row |= dict(
            zip(("delta", "delta_low", "delta_high", "a", "a_low", "a_high"), size, strict=True)
        )
        if tested:
            row["statistic"], row["p"] = rank_test(mann_whitney, [x, y])
        yield row


def omnibus(
    runs: pd.DataFrame, published: pd.DataFrame, *, metrics: Sequence[str] = METRICS
) -> pd.DataFrame:
    """Test every factor over all runs, whatever their other two factors, beside the printed test.

    This is the first test of the authors' notebooks, and the only printed one that covers the
    validation metrics. Its pools differ in more than the factor: those with W*, for example, have
    no variant without a distance.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field, arm, protocol and draw of trials.
    published : DataFrame
        Columns ``task, metric, factor, p``, the table ``"omnibus_6_6_2"`` of
        :func:`cortexrnn.evidence.published.published_table`.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    DataFrame
        One row per task, metric and factor: ``n`` values, ``p`` by Kruskal-Wallis,
        ``p_published``, and ``same``: whether both, or neither, are below 0.05. NaN where a level
        has fewer than two values.

    Raises
    ------
    ValueError
        If runs are of several designs, a cell holds a seed twice, or a metric is unknown.
    """
    metrics = arguments.names("metrics", metrics)
    check_design(runs, metrics)
    design = levels()
    rows = []
    for task, task_runs in runs.groupby("task", sort=False):
        for metric in metrics:
            for factor in design:
                level = task_runs["variant"].map(design[factor])
                groups = [finite_values(part) for _, part in task_runs[metric].groupby(level)]
                row = {"task": task, "metric": metric, "factor": factor}
                row |= {"n": sum(map(len, groups)), "p": rank_test(stats.kruskal, groups)[1]}
                rows.append(row)
    table = pd.DataFrame(rows, columns=["task", "metric", "factor", "n", "p"])
    table = table.merge(published, how="left", on=["task", "metric", "factor"],
                        suffixes=("", "_published"), validate="one_to_one")  # fmt: skip
    known = table["p"].notna() & table["p_published"].notna()
    same = (table["p"] < SIGNIFICANT) == (table["p_published"] < SIGNIFICANT)
    return table.assign(same=same.astype("boolean").where(known))


def rank_test(test: Any, samples: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Statistic and p of a rank test; NaN where a sample has fewer than two values.

    Where all values are equal, p is 1.
    """
    if min(map(len, samples)) < 2:
        return np.nan, np.nan
    if np.ptp(np.concatenate(samples)) == 0:
        return np.nan, 1.0
    result = test(*samples)
    return float(result.statistic), float(result.pvalue)


def mann_whitney(x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """Two-sided Mann-Whitney test by its normal approximation, corrected for ties."""
    return stats.mannwhitneyu(x, y, alternative="two-sided", method="asymptotic")


def _with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust the p values of all pairs of one task, factor and metric by Holm's procedure."""
    table = table.assign(p_holm=np.nan)
    pairs = table[(table["test"] == "mannwhitney") & table["p"].notna()]
    with cheap_collections():
        for _, group in pairs.groupby(["task", "factor", "metric"]):
            table.loc[group.index, "p_holm"] = multipletests(group["p"], method="holm")[1]
    return table


@contextlib.contextmanager
def cheap_collections() -> Iterator[None]:
    """Exempt existing objects from garbage collection, which multipletests runs at every call."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def check_design(runs: pd.DataFrame, metrics: Sequence[str]) -> None:
    """Refuse runs of several designs, and unknown metrics."""
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from {', '.join(METRICS)}")
    for column in ("field", "arm", "protocol", "data_seed"):
        values = sorted(set(runs[column]))
        if len(values) > 1:
            raise ValueError(f"runs: {column} is {values}; give the runs of one of them")
    check_seeds(runs, ["variant", "task"])


def check_seeds(runs: pd.DataFrame, cell: list[str]) -> None:
    """Refuse a seed that occurs twice in a cell: it would count as two runs."""
    twice = runs.duplicated([*cell, "seed"])
    if twice.any():
        first = runs.loc[twice, [*cell, "seed"]].iloc[0].to_dict()
        raise ValueError(f"runs: a run occurs twice ({first}); give every seed of a cell once")


def agreement(effects: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put every test beside the published one.

    Parameters
    ----------
    effects : DataFrame
        Rows of :func:`factor_effects`.
    published : DataFrame
        Rows of :func:`cortexrnn.evidence.published.published_effects`.

    Returns
    -------
    DataFrame
        One row per test of either side, in the order of `effects`, with ``p`` and
        ``p_published`` (Holm's for pairs), ``delta``, ``delta_low``, ``delta_high``,
        ``delta_published``, ``n``, ``copied``, and

        ``significant``, ``significant_published``
            p < 0.05; False for a pair that was not tested because its context was not
            significant, missing where there are too few values for a test.
        ``same_significance``, ``same_direction``, ``both``
            Whether the two sides agree; direction only for pairs with a published U, and missing
            where either effect is exactly zero. For a Kruskal-Wallis test, which has no
            direction, ``both`` is its significance.
        ``agree``
            The same significance and, for a pair that is significant, the same direction, which
            does not matter for the others.
    """
    ours = effects[[*_TEST_KEYS, "p", "p_holm", "delta", "delta_low", "delta_high", "n"]]
    theirs = published[[*_TEST_KEYS, "p", "p_holm", "delta", "copied"]]
    table = ours.merge(
        theirs, how="left", on=_TEST_KEYS, suffixes=("", "_published"), validate="one_to_one"
    )
    blocks = published.loc[published["copied"], ["task", "metric"]].drop_duplicates()
    blocks = set(blocks.itertuples(index=False, name=None))
    named = zip(table["task"], table["metric"], strict=True)
    table["copied"] = [pair in blocks for pair in named]
    pairs = table["test"] == "mannwhitney"
    for end in ("", "_published"):
        adjusted = table[f"p_holm{end}"].where(pairs, table[f"p{end}"])
        table[f"p{end}"] = adjusted
        table[f"significant{end}"] = (adjusted < SIGNIFICANT).astype("boolean")
    table.loc[~_testable(effects), "significant"] = pd.NA
    signs = np.sign(table["delta"]), np.sign(table["delta_published"])
    known = pairs & (signs[0].abs() == 1) & (signs[1].abs() == 1)
    table["same_direction"] = (signs[0] == signs[1]).astype("boolean").where(known)
    table["same_significance"] = table["significant"] == table["significant_published"]
    table["both"] = (table["same_significance"] & table["same_direction"]).where(
        pairs, table["same_significance"]
    )
    null = ~table["significant"]
    table["agree"] = table["same_significance"] & (null | table["same_direction"].fillna(~pairs))
    return table.drop(columns=["p_holm", "p_holm_published"])


def _testable(effects: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the context of each row had enough values for its tests."""
    keys = ["task", "metric", "factor", "context"]
    overall = effects[effects["test"] == "kruskal"].set_index(keys)["p"].notna()
    named = pd.MultiIndex.from_frame(effects[keys])
    return np.asarray(overall.reindex(named, fill_value=False).to_numpy(), dtype=bool)


def agreement_summary(
    table: pd.DataFrame, *, by: Sequence[str] = ("factor", "metric")
) -> pd.DataFrame:
    """Count how often pairs agree.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`agreement`; copied ones are left out, being no evidence of their task.
    by : sequence of str
        Columns that make the groups.

    Returns
    -------
    DataFrame
        One row per group: ``pairs`` compared; ``directions`` known on both sides and
        ``same_direction`` among them; ``same_significance``; ``published`` significant there, of
        which ``replicated`` significantly in the same direction, ``reversed`` significantly in
        the other, the rest not significantly; ``new``: significant here only.
    """
    by = arguments.names("by", by)
    pairs = table[(table["test"] == "mannwhitney") & ~table["copied"]]
    pairs = pairs[pairs["significant"].notna()]
    in_paper = pairs["significant_published"].astype(bool)
    in_runs = pairs["significant"].astype(bool)
    direction = pairs["same_direction"]
    flags = pd.DataFrame(
        {
            "pairs": True,
            "directions": direction.notna(),
            "same_direction": direction.fillna(False).astype(bool),
            "same_significance": pairs["same_significance"].astype(bool),
            "published": in_paper,
            "replicated": in_paper & in_runs & direction.fillna(False).astype(bool),
            "reversed": in_paper & in_runs & ~direction.fillna(True).astype(bool),
            "new": in_runs & ~in_paper,
        },
        index=pairs.index,
    )
    return flags.groupby([pairs[name] for name in by], sort=False).sum().astype(int)
