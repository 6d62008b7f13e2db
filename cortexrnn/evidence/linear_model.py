"""One model of the whole design: start, distance and communicability added up."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from scipy import linalg, stats
from statsmodels.regression.linear_model import RegressionResultsWrapper
from statsmodels.stats.anova import anova_lm

from cortexrnn.evidence.design import FACTORS, LEVELS, levels
from cortexrnn.evidence.equivalence import MARGINS
from cortexrnn.evidence.factor_tests import check_design
from cortexrnn.fields.inputs import arguments

__all__ = ["EstimabilityError", "additive_model", "additive_models", "rank_anova"]


class EstimabilityError(ValueError):
    """The runs do not determine the effect of a factor."""


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

    This model keeps all eleven variants, with *none* as a level of its own, and fits no more than
    they determine: seven parameters for the means of eleven cells. Whether the effects do add up is
    tested with the four degrees of freedom that are left. Ordinary least squares with
    heteroscedasticity-consistent covariance (HC3), since cells that succeed or fail as a whole
    scatter very differently; Wald F tests. Where the lack of fit is significant, the effects of a
    factor differ between contexts, and its F tests an average that no variant shows.

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
    check_design(runs, [metric])
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
"""Level of each factor to which the estimates of its other levels are differences."""


def _model_data(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Values with the levels of their factors; runs without a value are left out."""
    # Formulas take the level "nan" for a missing value.
    design = levels().replace("nan", "none").rename(columns=FACTORS)
    data = runs[["variant", metric]].rename(columns={metric: "value"}).dropna()
    return data.join(design, on="variant").reset_index(drop=True)


def _require_estimable(data: pd.DataFrame) -> None:
    """Refuse cells that leave a factor, or the scatter of a cell, undetermined."""
    sizes = data.groupby("variant").size()
    if sizes.empty or (sizes < 2).any():
        lone = ", ".join(sizes.index[sizes < 2]) or "all variants"
        raise EstimabilityError(
            f"fewer than two values in {lone}: the scatter of a cell cannot be estimated; add seeds"
        )
    cells = data.drop_duplicates("variant")
    names = list(FACTORS.values())
    rank = _rank(cells, names)
    for factor, name in FACTORS.items():
        others = [other for other in names if other != name]
        degrees = levels()[factor].nunique() - 1
        own_rank = rank - _rank(cells, others)
        if own_rank < degrees:
            raise EstimabilityError(
                f"the effect of {name} cannot be estimated: its {degrees} contrasts have rank "
                f"{own_rank} in the variants with values ({', '.join(cells['variant'])}); "
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
    metrics = arguments.names("metrics", metrics)
    tests, effects = [], []
    for task, task_runs in runs.groupby("task", sort=False):
        for metric in metrics:
            key = {"task": task, "metric": metric}
            try:
                test, effect = additive_model(task_runs, metric=metric)
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
