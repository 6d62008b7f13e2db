"""Published cells beside replicated ones: equivalent, different, or inconclusive.

The rules stand in ``book/rules.md`` and were fixed before the first full run. What is a constant
there is a constant here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cortexrnn.archive import METRICS, published_table

__all__ = [
    "FALSE_DISCOVERY_RATE",
    "LEAST_RUNS",
    "MARGINS",
    "compare",
    "draw_variance",
    "published_cells",
    "two_one_sided",
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

A tenth of the span of the published means of the free arm, to one significant digit."""

FALSE_DISCOVERY_RATE = 0.05
"""Expected share of false ones among the cells called equivalent, and among those called different.
"""

LEAST_RUNS = 10
"""Runs that did not diverge, below which a cell is not compared by its mean."""

PUBLISHED_RUNS = 20
"""Simulations behind a published mean; intervals are from t with one degree of freedom less."""

ROUNDING = 1e-3 / 12**0.5
"""Standard deviation of what three printed decimals leave out."""


def published_cells() -> pd.DataFrame:
    """Read the published cells that are compared.

    Returns
    -------
    DataFrame
        One row per arm, metric, variant and task, with ``published`` (mean), ``published_error``
        (standard error of the mean, rounding included), ``published_low``, ``published_high`` and
        ``published_diverged``: whether all simulations of the cell diverged, which the missing
        topology tells; its accuracy is then the share of one class and nothing else.
    """
    table = published_table().rename(
        columns={"mean": "published", "ci95_low": "published_low", "ci95_high": "published_high"}
    )
    table["arm"] = table["arm"].replace("sign+", "corr+sign")
    table["metric"] = table["metric"].map({theirs: ours for ours, theirs in METRICS.items()})
    half = (table["published_high"] - table["published_low"]) / 2
    error = (half / stats.t.ppf(0.975, PUBLISHED_RUNS - 1)).fillna(0.0)  # no interval: all equal
    table["published_error"] = np.hypot(error, ROUNDING)
    lost = table.groupby(["arm", "variant", "task"])["published"].transform(
        lambda means: means.isna().any()
    )
    return table.assign(published_diverged=lost)


def draw_variance(runs: pd.DataFrame) -> pd.DataFrame:
    """Estimate how much another draw of trials moves the mean of a cell.

    For every field, variant, task and metric, runs of the same seeds on several draws form a
    two-way table; the component of the draws is (mean square of draws less mean square of the
    residual) / seeds. The rule takes the median over fields and variants, at least 0.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive; those of cells with fewer than two draws or two seeds are left out,
        as are tables with a diverged run.

    Returns
    -------
    DataFrame
        One row per metric of :data:`MARGINS` and task, with ``variance``, the standard deviation
        ``sd``, and ``tables``, the number of tables behind it.
    """
    rows = []
    for (_, _, _, task), cell in runs.groupby(["field", "arm", "variant", "task"], sort=False):
        for metric in MARGINS:
            table = cell.pivot_table(index="seed", columns="data_seed", values=metric).dropna()
            if min(table.shape) >= 2:
                rows.append((metric, task, _draw_component(table.to_numpy())))
    parts = pd.DataFrame(rows, columns=["metric", "task", "variance"])
    grouped = parts.groupby(["metric", "task"], sort=False)["variance"]
    result = grouped.median().clip(lower=0.0).reset_index()
    result["sd"] = result["variance"] ** 0.5
    result["tables"] = grouped.size().to_numpy()
    return result


def _draw_component(table: NDArray[np.float64]) -> float:
    """Variance of the columns of a two-way table (seeds, draws) beyond its residual."""
    n_seeds, n_draws = table.shape
    columns = table.mean(axis=0)
    residual = table - columns - table.mean(axis=1, keepdims=True) + table.mean()
    between = n_seeds * columns.var(ddof=1)
    within = (residual**2).sum() / ((n_seeds - 1) * (n_draws - 1))
    return float((between - within) / n_seeds)


def two_one_sided(
    difference: ArrayLike, error: ArrayLike, df: ArrayLike, margin: ArrayLike
) -> NDArray[np.float64]:
    """Test equivalence by two one-sided t tests (Schuirmann 1987).

    Parameters
    ----------
    difference, error, df : array_like
        Estimated difference, its standard error and degrees of freedom.
    margin : array_like
        Half-width of the region of equivalence.

    Returns
    -------
    ndarray
        The larger p of the two tests.
    """
    difference, error = np.asarray(difference, float), np.asarray(error, float)
    margin = np.asarray(margin, float)
    below = stats.t.sf((margin - difference) / error, df)
    above = stats.t.sf((margin + difference) / error, df)
    return np.asarray(np.maximum(below, above))


def compare(runs: pd.DataFrame, *, variance: Mapping[tuple[str, str], float]) -> pd.DataFrame:
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
        The rows of :func:`published_cells` of which there are runs, with ``runs``, ``diverged``,
        ``mean``, ``low``, ``high``, ``difference`` (here less published), ``error``, ``df`` (after
        Welch and Satterthwaite), ``p_different``, ``p_equivalent`` (NaN where a cell is not
        compared by its mean) and ``verdict``, see :func:`verdicts`.

    Raises
    ------
    ValueError
        If the runs are of several fields or draws, or of another protocol.
    """
    for column in ("field", "data_seed", "protocol"):
        found = sorted(set(runs[column]))
        if len(found) != 1 or (column == "protocol" and found != ["published"]):
            raise ValueError(
                f"runs: {column} is {found}; give those of one field, one draw of trials and the "
                "protocol 'published'"
            )
    ours = []
    for (arm, variant, task), cell in runs.groupby(["arm", "variant", "task"], sort=False):
        for metric in MARGINS:
            values = cell[metric].dropna()
            few = len(values) < 2
            ours.append(
                {
                    "arm": arm, "metric": metric, "variant": variant, "task": task,
                    "runs": len(cell), "diverged": int(cell["diverged"].sum()),
                    "values": len(values),
                    "mean": values.mean(), "own_error": np.nan if few else values.sem(),
                }
            )  # fmt: skip
    keys = ["arm", "metric", "variant", "task"]
    table = published_cells().merge(pd.DataFrame(ours), on=keys, validate="one_to_one")
    half = table["own_error"] * stats.t.ppf(0.975, table["values"] - 1)
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    table["margin"] = table["metric"].map(MARGINS)
    table["difference"] = table["mean"] - table["published"]
    draw = np.array([variance[key] for key in zip(table["metric"], table["task"], strict=True)])
    own, theirs = table["own_error"] ** 2, table["published_error"] ** 2
    table["error"] = np.sqrt(own + theirs + 2 * draw)
    table["df"] = (own + theirs) ** 2 / (
        own**2 / (table["values"] - 1) + theirs**2 / (PUBLISHED_RUNS - 1)
    )
    t = table["difference"].abs() / table["error"]
    table["p_different"] = 2 * stats.t.sf(t, table["df"])
    table["p_equivalent"] = two_one_sided(
        table["difference"], table["error"], table["df"], table["margin"]
    )
    tested = ~table["published_diverged"] & (table["values"] >= LEAST_RUNS)
    table.loc[~tested, ["p_different", "p_equivalent"]] = np.nan
    return table.assign(verdict=verdicts(table))


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
        ``inconclusive``: anything else, which is no agreement.
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
    here = (table["diverged"] == table["runs"]).to_numpy()
    there = table["published_diverged"].to_numpy(dtype=bool)
    result[here & there] = "both diverge"
    result[here ^ there] = "different"
    return result.astype(str)
