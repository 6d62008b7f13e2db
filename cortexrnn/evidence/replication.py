"""Published cells beside replicated ones: equivalent, different, or inconclusive.

The rules are written in ``book/rules.md`` and were fixed before the first full run. Their numbers
are constants here and in :mod:`cortexrnn.evidence.equivalence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cortexrnn.evidence.equivalence import (
    FALSE_DISCOVERY_RATE,
    LEAST_RUNS,
    MARGINS,
    PUBLISHED_RUNS,
    VERDICTS,
    tests,
    verdicts,
)
from cortexrnn.evidence.published import ROUNDING, published_cells
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.specification import SIGNS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.labels import as_published, select

__all__ = [
    "clusters_in_words",
    "compare_cells",
    "compare_with_published",
    "draw_variance",
    "error_rates",
    "explained",
    "untestable_by_mean",
    "variances",
    "verdict_counts",
    "verdicts_in_words",
]

CELL = ["arm", "metric", "variant", "task"]
"""Columns that name a cell."""
DRAW_FIELDS = ("5_3_4", "5_6_8")
"""Fields on which the rule estimates what another draw of trials changes."""
LEAST_DRAWS = 3
"""Draws of trials from which on they can explain a cell."""


def explained(table: pd.DataFrame, archive: pd.DataFrame, *, field: str = "6_6_2") -> pd.DataFrame:
    """List the cells that are different, and whether another draw of trials explains them.

    The published simulations of a cell share one draw of trials, which is not ours. If means over
    the draws that were run lie on both sides of the published one, the draw can account for it.
    Only draws with :data:`~cortexrnn.evidence.equivalence.LEAST_RUNS` values count: means of a few
    simulations scatter by themselves.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare_cells`.
    archive : DataFrame
        Runs of the archive.
    field : str
        Field of the table.

    Returns
    -------
    DataFrame
        Some of its rows with ``draws`` (how many were run), ``draw_low`` and ``draw_high`` (least
        and largest mean over the seeds that all draws have) and ``explanation``: ``"draw of
        trials"`` or ``"unexplained"``.
    """
    runs = as_published(archive[archive["field"] == field])
    different = table[table["verdict"] == "different"]
    rows = []
    for cell in different.to_dict("records"):
        same = (
            runs[["arm", "variant", "task"]] == [cell[k] for k in ("arm", "variant", "task")]
        ).all(axis=1)
        values = runs[same].pivot_table(index="seed", columns="data_seed", values=cell["metric"])
        means = values.loc[:, values.count() >= LEAST_RUNS].dropna().mean()
        low, high = means.min(), means.max()
        inside = len(means) >= LEAST_DRAWS and low <= cell["published"] <= high
        explanation = "draw of trials" if inside else "unexplained"
        rows.append(
            {"draws": len(means), "draw_low": low, "draw_high": high, "explanation": explanation}
        )
    return different.reset_index(drop=True).join(
        pd.DataFrame(rows, columns=["draws", "draw_low", "draw_high", "explanation"])
    )


def draw_variance(runs: pd.DataFrame, *, fields: Sequence[str] = DRAW_FIELDS) -> pd.DataFrame:
    """Estimate how much another draw of trials moves the mean of a cell.

    For every field, variant, task and metric, runs of the same seeds on several draws form a
    two-way table; the component of the draws is (mean square of draws less mean square of the
    residual) / seeds. The rule takes the median over fields and variants, at least 0.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive. Only those :func:`~cortexrnn.runs.labels.as_published` count, and
        of them the seeds with a value on every draw, where there are at least two seeds and two
        draws.
    fields : sequence of str
        Fields that count; those of the rule unless others are named.

    Returns
    -------
    DataFrame
        One row per metric of :data:`~cortexrnn.evidence.equivalence.MARGINS` and task, with
        ``variance``, the standard deviation ``sd``, and ``tables``, the number of tables behind it.
    """
    fields = arguments.names("fields", fields)
    rows = []
    chosen = as_published(runs[runs["field"].isin(list(fields))])
    by_cell = chosen.groupby(["field", "arm", "variant", "task"], sort=False)
    for (_, _, _, task), cell in by_cell:
        if cell["data_seed"].nunique() < 2:  # most cells; a table of each takes time
            continue
        for metric in MARGINS:
            table = cell.pivot_table(index="seed", columns="data_seed", values=metric).dropna()
            if min(table.shape) >= 2:
                rows.append((metric, task, _draw_component(table.to_numpy())))
    parts = pd.DataFrame(rows, columns=["metric", "task", "variance"]).astype({"variance": float})
    grouped = parts.groupby(["metric", "task"], sort=False)["variance"]
    result = grouped.median().clip(lower=0.0).reset_index()
    result["sd"] = result["variance"] ** 0.5
    result["tables"] = grouped.size().to_numpy()
    return result


def variances(draws: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Turn estimates into a mapping for :func:`compare_cells`.

    Parameters
    ----------
    draws : DataFrame
        Rows of :func:`draw_variance`; of several for one metric and task the last counts.

    Returns
    -------
    dict of (metric, task) to float
        Zero where there is no estimate, which makes false differences more likely.
    """
    known = dict(zip(zip(draws["metric"], draws["task"], strict=True), draws["variance"],
                     strict=True))  # fmt: skip
    return {(metric, task): known.get((metric, task), 0.0) for metric in MARGINS for task in TASKS}


def compare_with_published(
    archive: pd.DataFrame, *, field: str = "6_6_2", own_draws: bool = False
) -> pd.DataFrame:
    """Compare all recorded cells of the published tables, free and positive, together.

    Parameters
    ----------
    archive : DataFrame
        Runs of the archive.
    field : str
        Field whose runs are compared. The published cells are those of 6_6_2.
    own_draws : bool
        Whether what another draw of trials changes is taken from this field, each sign by itself,
        where it was trained on several draws, instead of from the fields of the rule.

    Returns
    -------
    DataFrame
        See :func:`compare_cells`. False discoveries are controlled over both signs and all metrics,
        so a chapter that shows a part of the rows shows the same verdicts as any other.

    Raises
    ------
    ValueError
        If the field has no runs that can be compared with the paper's.
    """
    draws, tables = draw_variance(archive), []
    for sign in SIGNS:
        runs = select(archive, field=field, sign=sign)
        own = draw_variance(archive[archive["sign"] == sign], fields=[field] if own_draws else [])
        if len(runs):
            tables.append(compare_cells(runs, variance=variances(pd.concat([draws, own]))))
    if not tables:
        raise ValueError(
            f"archive: no runs of field {field!r} with the settings of the paper; give another "
            "field, or train them with `cortexrnn run`"
        )
    table = pd.concat(tables, ignore_index=True)
    return table.assign(verdict=verdicts(table))


def verdicts_in_words(table: pd.DataFrame, *, own_draws: pd.DataFrame | None = None) -> str:
    """Count the verdicts in words.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare_with_published`, with verdicts.
    own_draws : DataFrame, optional
        The same cells, judged with ``own_draws=True``.

    Returns
    -------
    str
        One sentence, or two.
    """
    counts = table["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    testable = len(table) - counts["both diverge"]
    share = counts["different"] / max(testable, 1)
    text = (
        f"Of {testable} compared cells {counts['equivalent']} are equivalent to the published "
        f"ones, {counts['different']} different ({share:.1%}) and {counts['inconclusive']} "
        f"inconclusive; in {counts['both diverge']} more both sides diverge."
    )
    if own_draws is None:
        return text
    counts = own_draws["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return (
        f"{text} With what another draw of trials changes on the field itself, where it is "
        f"known, {counts['equivalent']} would be equivalent, {counts['different']} different and "
        f"{counts['inconclusive']} inconclusive."
    )


def _draw_component(table: NDArray[np.float64]) -> float:
    """Variance of the columns of a two-way table (seeds, draws) beyond its residual."""
    n_seeds, n_draws = table.shape
    columns = table.mean(axis=0)
    residual = table - columns - table.mean(axis=1, keepdims=True) + table.mean()
    between = n_seeds * columns.var(ddof=1)
    within = (residual**2).sum() / ((n_seeds - 1) * (n_draws - 1))
    return float((between - within) / n_seeds)


def compare_cells(runs: pd.DataFrame, *, variance: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Compare every published cell with the runs of the same cell.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field, one draw of trials, protocol ``published``.
    variance : mapping of (metric, task) to float
        Variance of a mean over draws of trials, see :func:`draw_variance`; it enters twice, since
        each side has one draw.

    Returns
    -------
    DataFrame
        The rows of :func:`~cortexrnn.evidence.published.published_cells` of which there are runs,
        with ``runs``, ``diverged``, ``mean``, ``low``, ``high``, ``difference`` (here less
        published), ``error``, ``df`` (after Welch and Satterthwaite), ``p_different``,
        ``p_equivalent`` (NaN where a cell is not compared by its mean) and ``verdict``, see
        :func:`~cortexrnn.evidence.equivalence.verdicts`.

    Raises
    ------
    ValueError
        If the runs are of several fields or draws, or of another protocol.
    """
    for column in ("field", "data_seed", "protocol"):
        present = sorted(set(runs[column]))
        if len(present) != 1 or (column == "protocol" and present != ["published"]):
            raise ValueError(
                f"runs: {column} is {present}; give those of one field, one draw of trials and the "
                "protocol 'published'"
            )
    ours = []
    for (arm, variant, task), cell in runs.groupby(["arm", "variant", "task"], sort=False):
        for metric in MARGINS:
            values = cell[metric].dropna()
            too_few = len(values) < 2
            ours.append(
                {
                    "arm": arm, "metric": metric, "variant": variant, "task": task,
                    "runs": len(cell), "diverged": int(cell["diverged"].sum()),
                    "values": len(values),
                    "mean": values.mean(), "own_error": np.nan if too_few else values.sem(),
                }
            )  # fmt: skip
    table = published_cells().merge(pd.DataFrame(ours), on=CELL, validate="one_to_one")
    half = table["own_error"] * stats.t.ppf(0.975, table["values"] - 1)
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    table["margin"] = table["metric"].map(MARGINS).astype(float)
    table["difference"] = table["mean"] - table["published"]
    draw = [variance[pair] for pair in zip(table["metric"], table["task"], strict=True)]
    tested_all = tests(
        table["difference"],
        own_error=table["own_error"],
        own_runs=table["values"],
        published_error=table["published_error"],
        draw=draw,
        margin=table["margin"],
    )
    table = table.assign(**tested_all)
    tested = ~table["published_diverged"] & (table["values"] >= LEAST_RUNS)
    table.loc[~tested, ["p_different", "p_equivalent"]] = np.nan
    return table.assign(verdict=verdicts(table))


def untestable_by_mean(table: pd.DataFrame) -> pd.DataFrame:
    """Mark cells that could not be shown to be equivalent if their means were equal.

    Means are known so poorly there that a difference of zero would not pass the test of equivalence
    at 5 %, which the adjustment for many cells can only make stricter. This was not part of the
    rules, and changes no verdict.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare_cells`.

    Returns
    -------
    DataFrame of bool
        For every row whether it is ``untestable``, and whether it is so ``by_paper``: by the
        published interval alone, however many runs are added here. Both are False for cells that
        are not compared by their mean.
    """
    compared = table["p_equivalent"].notna()
    both = stats.t.sf(table["margin"] / table["error"], table["df"])
    paper = stats.t.sf(table["margin"] / table["published_error"], PUBLISHED_RUNS - 1)
    return pd.DataFrame(
        {
            "untestable": compared & (both > FALSE_DISCOVERY_RATE),
            "by_paper": compared & (paper > FALSE_DISCOVERY_RATE),
        }
    )


def verdict_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts by metric, and cells that no mean can test.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare_cells`.

    Returns
    -------
    DataFrame
        One row per metric and one for all; a column for every verdict that occurs, ``All``, and
        the columns of :func:`untestable_by_mean` in words.
    """
    counts = pd.crosstab(table["metric"], table["verdict"], margins=True)
    marks = untestable_by_mean(table).groupby(table["metric"]).sum()
    marks.loc["All"] = marks.sum()
    marks.columns = ["untestable by mean", "by the paper's interval"]
    return counts.join(marks).reindex([*dict.fromkeys(table["metric"]), "All"])


TOLERATED = 0.05
"""Share of testable cells that may be different, by the rules."""


def error_rates(
    runs: pd.DataFrame,
    *,
    variance: Mapping[tuple[str, str], float],
    shifts: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 4.0),
    n_runs: int = PUBLISHED_RUNS,
    n_tables: int = 200,
    whole_seeds: bool = True,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Estimate by simulation how often the procedure gives each verdict.

    The recorded runs of every cell serve as its population. For a simulated table, both sides
    draw `n_runs` of them with replacement and a shift of the mean for their draw of trials; ours
    is then moved by a known part of the margin. All cells go through
    :func:`~cortexrnn.evidence.equivalence.verdicts` together.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive; cells with fewer than
        :data:`~cortexrnn.evidence.equivalence.LEAST_RUNS` values are left out.
    variance : mapping of (metric, task) to float
        See :func:`compare_cells`.
    shifts : sequence of float
        True differences, in margins.
    n_runs : int
        Runs of a cell on each side.
    n_tables : int
        Simulated tables for each shift.
    whole_seeds : bool
        Whether runs are drawn as they are made: ours by the seed, with all its cells and metrics;
        those of the paper, which had no seeds, by the run, with all its metrics. Otherwise each
        metric of each cell is drawn by itself.
    rng : numpy.random.Generator
        Source of all draws.

    Returns
    -------
    DataFrame
        One row per shift with the share of cells that are ``equivalent``, ``different`` and
        ``inconclusive``, over all tables; for each verdict the ends of the middle 95 % of single
        tables, such as ``different_low, different_high``; ``too_many``, the share of tables in
        which more than 5 % of cells are different; ``cells`` and ``tables`` say how many.

    Raises
    ------
    ValueError
        If no cell has enough runs.
    """
    shifts = arguments.numbers("shifts", shifts)
    pool = _pool(runs)
    margin = np.array([MARGINS[metric] for *_, metric in pool.columns])
    draw = np.array([variance[metric, task] for _, _, task, metric in pool.columns])
    values, apart = pool.to_numpy(), np.arange(pool.shape[1])
    by_run = pd.factorize(pool.columns.droplevel(-1))[0]
    draws = [np.zeros_like(apart), by_run] if whole_seeds else [apart, apart]

    rows = []
    for shift in shifts:
        shares = np.empty((n_tables, 3))
        for i in range(n_tables):
            (own, own_error, n_own), (theirs, published_error, _) = (
                _side(values, groups, n_runs=n_runs, draw=draw, rng=rng) for groups in draws
            )
            results = tests(
                own + shift * margin - theirs,
                own_error=own_error,
                own_runs=n_own,
                published_error=np.hypot(published_error, ROUNDING),
                draw=draw,
                margin=margin,
            )
            table = pd.DataFrame(results).assign(published_diverged=False, runs=1, diverged=0)
            found = verdicts(table)
            shares[i] = [(found == name).mean() for name in VERDICTS[:3]]
        row: dict[str, float] = {"shift": shift}
        row |= dict(zip(VERDICTS, shares.mean(axis=0), strict=False))
        for name, share in zip(VERDICTS, shares.T, strict=False):
            row[f"{name}_low"], row[f"{name}_high"] = np.quantile(share, [0.025, 0.975])
        row["too_many"] = float((shares[:, VERDICTS.index("different")] > TOLERATED).mean())
        rows.append(row | {"cells": len(apart), "tables": n_tables})
    return pd.DataFrame(rows)


def clusters_in_words(whole: pd.DataFrame, apart: pd.DataFrame, *, shift: float = 2.0) -> str:
    """Say what it changes that whole seeds are drawn.

    Parameters
    ----------
    whole, apart : DataFrame
        Rows of :func:`error_rates` with whole seeds and without, of the same runs; both with the
        shift 0.
    shift : float
        True difference, in margins, at which power is compared.

    Returns
    -------
    str
        Two sentences.

    Raises
    ------
    ValueError
        If either lacks a shift.
    """
    rows = []
    for table in (whole, apart):
        by_shift = table.set_index("shift")
        if missing := sorted({0.0, shift} - set(by_shift.index)):
            raise ValueError(f"rates lack the shift {missing[0]}; simulate it too")
        rows += [by_shift.loc[0.0], by_shift.loc[shift]]
    alarms, power, alarms_apart, power_apart = rows
    widths = [row["different_high"] - row["different_low"] for row in (power, power_apart)]
    return (
        f"If runs were independent, false alarms would be {alarms_apart['different']:.1%} instead "
        f"of {alarms['different']:.1%} and power at a shift of {shift:g} "
        f"{power_apart['different']:.1%} instead of {power['different']:.1%}. Shared seeds move "
        f"many cells of a table together: the middle 95 % of tables then span "
        f"{100 * widths[0]:.1f} percentage points of power instead of {100 * widths[1]:.1f}."
    )


def _pool(runs: pd.DataFrame) -> pd.DataFrame:
    """Values by seed (rows) and by arm, variant, task and metric (columns) with enough of them."""
    parts = {
        cell: one.set_index("seed")[list(MARGINS)]
        for cell, one in runs.groupby(["arm", "variant", "task"], sort=False)
    }
    pool = pd.concat(parts, axis=1) if parts else pd.DataFrame()
    pool = pool.loc[:, pool.count() >= LEAST_RUNS]
    if pool.empty:
        raise ValueError(f"no cell has {LEAST_RUNS} runs with a value; give more seeds")
    return pool


def _side(
    values: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    n_runs: int,
    draw: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Draw one side of a table: means, their errors, and numbers of values.

    Columns of one group get the same rows; what is missing there is missing in the sample.
    """
    chosen = rng.integers(len(values), size=(n_runs, groups.max() + 1))[:, groups]
    sample = values[chosen, np.arange(len(groups))]
    present = ~np.isnan(sample)
    n = present.sum(axis=0)
    mean = np.where(present, sample, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(present, sample - mean, 0.0) ** 2
    error = np.sqrt(squares.sum(axis=0) / np.maximum(n * (n - 1), 1))
    error[n < LEAST_RUNS] = np.nan  # not compared by its mean
    return mean + rng.normal(size=len(groups)) * np.sqrt(draw), error, n
