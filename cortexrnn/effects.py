"""What start, distance and communicability do: the paper's factor tests, effect sizes, a model.

The eleven variants cross three factors incompletely: the start W (``w`` orthogonal, ``w*``
functional, ``w!`` permuted), the distance D (``nan`` none, ``d`` grid, ``d*`` positions) and the
communicability C (``nan`` none, ``c`` direct, ``c*`` empirical). A *context* holds two factors
fixed and leaves the third at least two levels; every level of a context is one variant.

All tests are scipy's or statsmodels'. They take the runs of two variants as independent. Runs of
one seed here share the draw of trials, and those with a functional start their weights; where that
makes runs of one seed alike, the tests are cautious.

Functions that read runs want those of :func:`cortexrnn.archive.select`.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats
from statsmodels.regression.linear_model import RegressionResultsWrapper
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind

from cortexrnn import parameters
from cortexrnn.archive import METRICS, published_table
from cortexrnn.models import VARIANTS
from cortexrnn.replication import MARGINS, verdicts

__all__ = [
    "FACTORS",
    "LEVELS",
    "SIGNIFICANT",
    "EffectSize",
    "EstimabilityError",
    "across_fields",
    "additive_model",
    "additive_models",
    "agreement",
    "agreement_summary",
    "contexts",
    "copied",
    "effect_size",
    "equivalence",
    "factor_effects",
    "levels",
    "pooled",
    "published_effects",
    "published_groups",
    "rank_anova",
    "same_holm",
]

FACTORS = {"W": "start", "D": "distance", "C": "communicability"}
"""Factors of the design and the switch of a variant behind each."""

LEVELS: dict[str, dict[str | None, str]] = {
    "W": {"orthogonal": "w", "permuted": "w!", "functional": "w*"},
    "D": {"grid": "d", "soma": "d*", None: "nan"},
    "C": {"direct": "c", "emd": "c*", None: "nan"},
}
"""Levels of every factor under the names of the published tables, in their order."""

SIGNIFICANT = 0.05
"""Level of all tests, as in the paper."""

PUBLISHED_RUNS = 20
"""Simulations behind every variant of the published tests."""

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

_RELATION_OF = {"sttc": "correlation", "precision": "precision"}
"""What the published groups call a relation: ``sttc`` stands for the arm of correlation."""


class EstimabilityError(ValueError):
    """The runs at hand cannot tell what a factor does."""


# --- the design


def levels() -> pd.DataFrame:
    """Levels of the three factors in the eleven variants.

    Returns
    -------
    DataFrame
        One row per variant (the index), columns ``W``, ``D``, ``C``.
    """
    rows = {
        name: {factor: LEVELS[factor][getattr(variant, what)] for factor, what in FACTORS.items()}
        for name, variant in VARIANTS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def contexts() -> pd.DataFrame:
    """Contexts in which a factor has at least two levels, read off the eleven variants.

    Returns
    -------
    DataFrame
        One row per factor, context and level, with the ``variant`` that has it. A context is
        written as in the published tables, such as ``"d=d*, c=c"``; levels are in the order of
        :data:`LEVELS`.
    """
    design = levels()
    rows = []
    for factor in FACTORS:
        others = [name for name in FACTORS if name != factor]
        order = list(LEVELS[factor].values())
        for held, group in design.groupby(others):
            if len(group) < 2:
                continue
            context = ", ".join(f"{o.lower()}={v}" for o, v in zip(others, held, strict=True))
            for variant, level in (
                group[factor].sort_values(key=lambda s: s.map(order.index)).items()
            ):
                rows.append((factor, context, level, variant))
    return pd.DataFrame(rows, columns=["factor", "context", "level", "variant"])


# --- effect sizes


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
    x, y = _kept(first), _kept(second)
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


def _kept(values: ArrayLike) -> NDArray[np.float64]:
    """Values that are there."""
    array = np.asarray(values, dtype=float)
    return np.asarray(array[~np.isnan(array)])


# --- the paper's tests


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
        Of the bootstrap, see :func:`effect_size`.

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
    metrics = parameters.names("metrics", metrics)
    _check(runs, metrics)
    design = contexts()
    rows: list[dict[str, Any]] = []
    for task, mine in runs.groupby("task", sort=False):
        cells = {str(name): cell for name, cell in mine.groupby("variant")}
        for metric in metrics:
            for (factor, context), group in design.groupby(["factor", "context"], sort=False):
                have = group[group["variant"].isin(list(cells))]
                key = {"task": task, "metric": metric, "factor": factor, "context": context}
                named = {
                    level: cells[variant]
                    for level, variant in zip(have["level"], have["variant"], strict=True)
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
    values = {level: _kept(cell[metric]) for level, cell in cells.items()}
    lost = {level: int(cell["diverged"].sum()) for level, cell in cells.items()}
    if len(values) < 2:
        return
    statistic, p = _test(stats.kruskal, list(values.values()))
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
            row["statistic"], row["p"] = _test(_mann_whitney, [x, y])
        yield row


def _test(test: Any, samples: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Statistic and p of a rank test; NaN where a sample has fewer than two values.

    Where all values are one there is nothing to tell apart, and p is 1.
    """
    if min(map(len, samples)) < 2:
        return np.nan, np.nan
    if np.ptp(np.concatenate(samples)) == 0:
        return np.nan, 1.0
    result = test(*samples)
    return float(result.statistic), float(result.pvalue)


def _mann_whitney(x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """Two-sided Mann-Whitney test by its normal approximation, corrected for ties."""
    return stats.mannwhitneyu(x, y, alternative="two-sided", method="asymptotic")


def _with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust the p values of all pairs of one task, factor and metric by Holm's procedure."""
    table = table.assign(p_holm=np.nan)
    pairs = table[(table["test"] == "mannwhitney") & table["p"].notna()]
    with _cheap_collections():
        for _, group in pairs.groupby(["task", "factor", "metric"]):
            table.loc[group.index, "p_holm"] = multipletests(group["p"], method="holm")[1]
    return table


@contextlib.contextmanager
def _cheap_collections() -> Iterator[None]:
    """Keep what there is out of garbage collections; multipletests makes one at every call."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _check(runs: pd.DataFrame, metrics: Sequence[str]) -> None:
    """Refuse runs that are not one design, and metrics that are none."""
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from {', '.join(METRICS)}")
    for column in ("field", "arm", "protocol", "data_seed"):
        found = sorted(set(runs[column]))
        if len(found) > 1:
            raise ValueError(f"runs: {column} is {found}; give the runs of one of them")
    _check_seeds(runs, ["variant", "task"])


def _check_seeds(runs: pd.DataFrame, cell: list[str]) -> None:
    """Refuse a seed that stands twice in a cell: it would count as two runs."""
    twice = runs.duplicated([*cell, "seed"])
    if twice.any():
        first = runs.loc[twice, [*cell, "seed"]].iloc[0].to_dict()
        raise ValueError(f"runs: a run stands twice ({first}); give every seed of a cell once")


# --- the published table and agreement with it


def published_effects() -> pd.DataFrame:
    """Read the published tests of field 6_6_2 (tables S5 to S7).

    Returns
    -------
    DataFrame
        Columns as printed, metrics under this package's names, absent levels as ``"nan"``, and
        ``delta``, Cliff's delta by U and the 20 simulations of each variant; ``copied``, see
        :func:`copied`.
    """
    table = published_table("effects_6_6_2")
    pairs = table["test"] == "mannwhitney"
    # The level "nan" is a word of the table, which a reader of CSV takes for a missing value.
    table.loc[pairs, ["group_1", "group_2"]] = table.loc[pairs, ["group_1", "group_2"]].fillna(
        "nan"
    )
    table["metric"] = table["metric"].map({theirs: ours for ours, theirs in METRICS.items()})
    table["delta"] = (2 * table["statistic"] / PUBLISHED_RUNS**2 - 1).where(pairs)
    table["copied"] = copied(table)
    return table


def copied(table: pd.DataFrame) -> pd.Series:
    """Tell which tests of a task repeat those of an earlier one to the last digit.

    Parameters
    ----------
    table : DataFrame
        Rows of a table of effects.

    Returns
    -------
    Series of bool
        True in each block of task and metric whose numbers all stand under another task too,
        further up; runs of another task cannot give them.
    """
    content = [name for name in table.columns if name not in ("task", "metric")]
    result = pd.Series(False, index=table.index)
    for _, group in table.groupby("metric", sort=False):
        seen: list[pd.DataFrame] = []
        for _, block in group.groupby("task", sort=False):
            values = block[content].reset_index(drop=True)
            if any(values.equals(other) for other in seen):
                result[block.index] = True
            seen.append(values)
    return result


def same_holm(published: pd.DataFrame) -> pd.Series:
    """Tell where the printed Holm value follows from the printed p values.

    Holm's value grows with every p, so the smallest and the largest that the rounding of the
    printed ones allows bound it.

    Parameters
    ----------
    published : DataFrame
        Rows of :func:`published_effects`.

    Returns
    -------
    Series of bool
        One per pair.
    """
    pairs = published[published["test"] == "mannwhitney"]
    result = pd.Series(False, index=pairs.index)
    with _cheap_collections():
        for _, group in pairs.groupby(["task", "factor", "metric"]):
            ends = [np.clip(end, 0, 1) for end in _rounded(group["p"])]
            low, high = (multipletests(end, method="holm")[1] for end in ends)
            lowest, highest = _rounded(group["p_holm"])
            result[group.index] = (low <= highest) & (high >= lowest)
    return result


def _rounded(printed: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest values that print as these, with three significant digits."""
    values = printed.to_numpy(dtype=float)
    half = 0.5 * 10.0 ** (np.floor(np.log10(values)) - 2) * (1 + 1e-9)
    return values - half, values + half


def agreement(effects: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put every test beside the published one.

    Parameters
    ----------
    effects : DataFrame
        Rows of :func:`factor_effects`.
    published : DataFrame
        Rows of :func:`published_effects`.

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
            The same significance and, for a pair that is significant, the same direction: what
            lies on which side of nothing does not matter.
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
    by = parameters.names("by", by)
    pairs = table[(table["test"] == "mannwhitney") & ~table["copied"]]
    pairs = pairs[pairs["significant"].notna()]
    there = pairs["significant_published"].astype(bool)
    here = pairs["significant"].astype(bool)
    direction = pairs["same_direction"]
    flags = pd.DataFrame(
        {
            "pairs": True,
            "directions": direction.notna(),
            "same_direction": direction.fillna(False).astype(bool),
            "same_significance": pairs["same_significance"].astype(bool),
            "published": there,
            "replicated": there & here & direction.fillna(False).astype(bool),
            "reversed": there & here & ~direction.fillna(True).astype(bool),
            "new": here & ~there,
        },
        index=pairs.index,
    )
    return flags.groupby([pairs[name] for name in by], sort=False).sum().astype(int)


# --- one model of the whole design


def additive_model(
    runs: pd.DataFrame, *, metric: str = "accuracy"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit additive main effects of the three factors to the runs of one task, and test the fit.

    The published analysis is a three-way analysis of variance of ranks with interactions and
    type-II sums of squares. Such a model needs all combinations of levels. Here variants without
    a distance or a communicability have a missing level and drop out, which leaves 8 of the 12
    combinations of the rest: some interactions have no data, their constraints are rank
    deficient, and what is printed for them (F of 1e-13, sums of squares below zero) is rounding;
    see :func:`rank_anova`. That is easily overlooked, since nothing fails.

    This model keeps all eleven variants, with *none* as a level of its own, and asks no more than
    they can tell: seven means-model parameters for eleven cells. Whether the effects do add up is
    tested with the four degrees of freedom that are left. Ordinary least squares with
    heteroscedasticity-consistent covariance (HC3), since cells that succeed or fail as a whole
    scatter very differently; Wald F tests. Where the lack of fit is significant, the effects of a
    factor differ between contexts and its F tells of an average that no variant shows.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field, arm and task.
    metric : str
        A column of the archive.

    Returns
    -------
    tests : DataFrame
        Rows ``start, distance, communicability, lack of fit``: ``f, df, df_residual, p``.
    effects : DataFrame
        Estimates against an orthogonal start, no distance, no communicability: ``factor, level,
        estimate, low, high`` (95 %).

    Raises
    ------
    EstimabilityError
        If the cells that have values leave a factor, or the scatter of a cell, undetermined.
    ValueError
        If runs are of several designs or tasks, or the metric is unknown.
    """
    _check(runs, [metric])
    if runs["task"].nunique() > 1:
        raise ValueError(f"runs: tasks are {sorted(set(runs['task']))}; give the runs of one task")
    data = _model_data(runs, metric)
    _require_estimable(data)
    terms = [f"C({name}, Treatment('{_REFERENCE[factor]}'))" for factor, name in FACTORS.items()]
    additive = smf.ols(f"value ~ {' + '.join(terms)}", data).fit(cov_type="HC3", use_t=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cells without scatter; their F is infinite or missing
        wald = additive.wald_test_terms(scalar=True).table
        lack = _lack_of_fit(data, additive)
    rows = [
        (name, float(wald.loc[term, "statistic"]), int(wald.loc[term, "df_constraint"]),
         int(additive.df_resid), float(wald.loc[term, "pvalue"]))
        for name, term in zip(FACTORS.values(), terms, strict=True)
    ]  # fmt: skip
    tests = pd.DataFrame([*rows, lack], columns=["term", "f", "df", "df_residual", "p"])
    return tests, _estimates(additive, terms)


_REFERENCE = {"W": "w", "D": "none", "C": "none"}
"""Level of each factor that the estimates of the others are differences to."""


def _model_data(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Values with the levels of their factors; runs without a value are left out."""
    # Formulas take the level "nan" for a missing value.
    design = levels().replace("nan", "none").rename(columns=FACTORS)
    data = runs[["variant", metric]].rename(columns={metric: "value"}).dropna()
    return data.join(design, on="variant").reset_index(drop=True)


def _require_estimable(data: pd.DataFrame) -> None:
    """Refuse cells from which a factor, or the scatter of a cell, cannot be told."""
    sizes = data.groupby("variant").size()
    if sizes.empty or (sizes < 2).any():
        lone = ", ".join(sizes.index[sizes < 2]) or "all variants"
        raise EstimabilityError(
            f"fewer than two values in {lone}: the scatter of a cell cannot be told; add seeds"
        )
    cells = data.drop_duplicates("variant")
    names = list(FACTORS.values())
    rank = _rank(cells, names)
    for name in names:
        others = [other for other in names if other != name]
        degrees = len(set(levels()[{v: k for k, v in FACTORS.items()}[name]])) - 1
        found = rank - _rank(cells, others)
        if found < degrees:
            raise EstimabilityError(
                f"the effect of {name} cannot be estimated: its {degrees} contrasts have rank "
                f"{found} in the variants with values ({', '.join(cells['variant'])}); "
                "it needs variants that differ in it and not in the others"
            )


def _rank(cells: pd.DataFrame, names: list[str]) -> int:
    """Rank of intercept and levels of the named factors over these cells."""
    coded = pd.get_dummies(cells[names]).to_numpy(dtype=float)
    return int(np.linalg.matrix_rank(np.column_stack([np.ones(len(cells)), coded])))


def _lack_of_fit(
    data: pd.DataFrame, additive: RegressionResultsWrapper
) -> tuple[str, float, int, int, float]:
    """Test the cell means against the additive model, robustly.

    Of the saturated model, whose parameters are the cell means, those contrasts are tested that
    are zero for all additive means: the null space of the additive model's cell design.
    """
    saturated = smf.ols("value ~ C(variant) - 1", data).fit(cov_type="HC3", use_t=True)
    first = data.groupby("variant").head(1).sort_values("variant").index
    contrasts = linalg.null_space(additive.model.exog[first].T).T
    result = saturated.wald_test(contrasts, use_f=True, scalar=True)
    return (
        "lack of fit",
        float(result.statistic),
        len(contrasts),
        int(saturated.df_resid),
        float(result.pvalue),
    )


def _estimates(additive: RegressionResultsWrapper, terms: list[str]) -> pd.DataFrame:
    """Estimates of the levels with their intervals."""
    bounds = additive.conf_int()
    rows = []
    for factor, term in zip(FACTORS, terms, strict=True):
        for level in LEVELS[factor].values():
            name = f"{term}[T.{level}]"
            if name in bounds.index:
                low, high = bounds.loc[name]
                rows.append((FACTORS[factor], level, additive.params[name], low, high))
    return pd.DataFrame(rows, columns=["factor", "level", "estimate", "low", "high"])


def additive_models(
    runs: pd.DataFrame, *, metrics: Sequence[str] = tuple(MARGINS)
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit :func:`additive_model` to every task and metric.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field, arm, protocol and draw of trials.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    tests, effects : DataFrame
        Those of the single models, with ``task``, ``metric`` and, in `tests`, ``remark``: why
        there is no model of this task and metric.
    """
    metrics = parameters.names("metrics", metrics)
    tests, effects = [], []
    for task, mine in runs.groupby("task", sort=False):
        for metric in metrics:
            key = {"task": task, "metric": metric}
            try:
                test, effect = additive_model(mine, metric=metric)
            except EstimabilityError as error:
                tests.append(pd.DataFrame([key | {"remark": str(error)}]))
                continue
            tests.append(test.assign(**key, remark=""))
            effects.append(effect.assign(**key))
    names = ["task", "metric", "term", "f", "df", "df_residual", "p", "remark"]
    columns = ["task", "metric", "factor", "level", "estimate", "low", "high"]
    return _stacked(tests, names), _stacked(effects, columns)


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Tables below one another with these columns, also where there is none."""
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True).reindex(columns=columns)


def rank_anova(
    runs: pd.DataFrame, *, metric: str = "accuracy", reference: str = "w"
) -> tuple[pd.DataFrame, int, int]:
    """Compute the published analysis of variance, to show why it cannot be used here.

    Parameters
    ----------
    runs : DataFrame
        Runs of one task.
    metric : str
        A column of the archive.
    reference : {"w", "w!", "w*"}
        Start that the others are coded against. An analysis that the data determine does not
        depend on it.

    Returns
    -------
    table : DataFrame
        Type-II table of ranks by start, distance, communicability and all their interactions, as
        statsmodels gives it.
    rank, columns : int
        Rank and columns of the design; with fewer ranks than columns its interactions are not
        determined.

    Raises
    ------
    ValueError
        If runs are of several tasks, or the reference is no start.
    """
    if reference not in LEVELS["W"].values():
        known = ", ".join(LEVELS["W"].values())
        raise ValueError(f"unknown reference {reference!r}; choose one of {known}")
    if runs["task"].nunique() > 1:
        raise ValueError(f"runs: tasks are {sorted(set(runs['task']))}; give the runs of one task")
    data = _model_data(runs, metric)
    data = data[(data["distance"] != "none") & (data["communicability"] != "none")]
    data = data.assign(rank=stats.rankdata(data["value"]))
    formula = f"rank ~ C(start, Treatment('{reference}')) * C(distance) * C(communicability)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the deficient rank is what this function shows
        model = smf.ols(formula, data).fit()
        table = anova_lm(model, typ=2)
    design = model.model.exog
    table.index = table.index.str.replace(r"C\((\w+)[^)]*\)+", r"\1", regex=True)
    return table, int(np.linalg.matrix_rank(design)), design.shape[1]


# --- equivalence of two sets of cells


def equivalence(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    by: Sequence[str] = ("variant", "task"),
    metrics: Sequence[str] = tuple(MARGINS),
) -> pd.DataFrame:
    """Ask of matching cells whether they are the same within the margins of the rules.

    Both sides were trained on the same draw of trials, which therefore needs no allowance.

    Parameters
    ----------
    first, second : DataFrame
        Runs; cells of both that agree in `by` are compared.
    by : sequence of str
        Columns that name a cell.
    metrics : sequence of str
        Keys of :data:`cortexrnn.replication.MARGINS`.

    Returns
    -------
    DataFrame
        One row per metric and cell: numbers of runs ``n_1, n_2``, of diverged ones, ``mean_1,
        mean_2``, ``difference`` (first less second) with ``low, high`` (95 %, Welch),
        ``p_different`` (Welch), ``p_equivalent`` (two one-sided Welch tests) and ``verdict``,
        see :func:`cortexrnn.replication.verdicts`: false discoveries are controlled over all
        rows together.
    """
    by, metrics = parameters.names("by", by), parameters.names("metrics", metrics)
    rows = []
    others = dict(iter(second.groupby(by, sort=False)))
    for key, one in first.groupby(by, sort=False):
        if key in others:
            cell = dict(zip(by, key, strict=True))
            rows += [cell | _equivalent(one, others[key], metric) for metric in metrics]
    if not rows:
        return pd.DataFrame(columns=[*by, "metric", *_EQUIVALENCE, "verdict"])
    table = pd.DataFrame(rows)
    told = table.rename(columns={"diverged_1": "diverged", "runs_1": "runs"}).assign(
        published_diverged=table["diverged_2"] == table["runs_2"]
    )
    return table.assign(verdict=verdicts(told))


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
        Keys of :data:`cortexrnn.replication.MARGINS`.

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
    x, y = _kept(one[metric]), _kept(two[metric])
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


# --- pooled comparisons


def published_groups() -> pd.DataFrame:
    """Read the published pooled comparisons of relations and of fields.

    Returns
    -------
    DataFrame
        ``task, metric, among, group_1, group_2, u, p, median_1, median_2, mean_1, mean_2``, metrics
        and relations under this package's names, fields by their number of neurons, and
        ``delta``, Cliff's delta by U and the simulations that were pooled.
    """
    table = published_table("groups").rename(columns={"U": "u"})
    table["metric"] = table["metric"].map({theirs: ours for ours, theirs in METRICS.items()})
    for name in ("group_1", "group_2"):
        table[name] = table[name].replace(_RELATION_OF).astype(str)
    starts = levels()["W"].value_counts() * PUBLISHED_RUNS
    pool = table["among"].map(starts).fillna(len(VARIANTS) * PUBLISHED_RUNS)
    table["delta"] = 2 * table["u"] / pool**2 - 1
    return table


def pooled(
    runs: pd.DataFrame, *, among: str, metrics: Sequence[str] = tuple(METRICS)
) -> pd.DataFrame:
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
        Columns of :func:`published_groups` with ``n_1, n_2`` values, and ``p_published``,
        ``delta_published``, ``mean_1_published``, ``mean_2_published`` where there is such a
        published row. ``among`` is ``w*``, ``w!``, or ``neuron`` as published. For fields
        ``field_1`` and ``field_2`` name them.

    Raises
    ------
    ValueError
        If `among` is unknown, or runs are of several fields or relations that are not compared.
    """
    metrics = parameters.names("metrics", metrics)
    held = {"relations": "field", "fields": "relation"}
    if among not in held:
        raise ValueError(f"unknown among {among!r}; choose one of {', '.join(held)}")
    for column in (held[among], "sign", "protocol", "data_seed"):
        if runs[column].nunique() > 1:
            found = sorted(set(runs[column]))
            raise ValueError(f"runs: {column} is {found}; give the runs of one of them")
    _check_seeds(runs, ["field", "relation", "variant", "task"])
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


PUBLISHED_FIELDS = {"312": "6_6_2", "160": "5_6_8", "70": "5_3_4"}
"""Fields that the published comparison names by their number of neurons."""


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
    x, y = _kept(first), _kept(second)
    row: dict[str, Any] = {"n_1": len(x), "n_2": len(y)}
    if not len(x) or not len(y):
        return row
    row["u"], row["p"] = _test(_mann_whitney, [x, y])
    row |= {"median_1": np.median(x), "median_2": np.median(y)}
    row |= {"mean_1": x.mean(), "mean_2": y.mean()}
    return row | {"delta": effect_size(x, y, n_resamples=0).delta}
