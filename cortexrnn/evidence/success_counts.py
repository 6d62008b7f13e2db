"""How many runs of a cell learned: here counted, in the paper bounded by its means and intervals.

Runs learn or fail as a whole, so that a mean hides a count. A mean and its t interval give the sum
and the sum of squares of the runs behind them, and with these only some counts are possible.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence.equivalence import PUBLISHED_RUNS
from cortexrnn.evidence.intervals import share_interval
from cortexrnn.evidence.leaky_units import ABOVE, learned, levels_without_memory
from cortexrnn.evidence.published import published_cells
from cortexrnn.evidence.seed_clusters import outcomes_by_seed
from cortexrnn.networks.specification import SIGNS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS, Variant
from cortexrnn.runs.labels import select

__all__ = [
    "accuracy_limits",
    "beside_published_counts",
    "counts_in_words",
    "pooled_as_text",
    "pooled_in_words",
    "pooled_shares",
    "possible_counts",
    "published_counts",
    "recorded_runs",
]

HALF_DIGIT = 0.0005
"""What three printed decimals leave open."""
EXACT = 1e-9
"""Rounding of sums."""


def possible_counts(
    mean: float,
    low: float,
    high: float,
    *,
    threshold: float,
    limits: tuple[float, float],
    n_runs: int = PUBLISHED_RUNS,
) -> list[int]:
    """How many runs can lie above a threshold, by their printed mean and t interval.

    The mean gives the sum of the values, the half-width of the interval their sum of squares, both
    up to rounding. For a count k, values are k between the threshold and the upper limit and the
    rest between the lower limit and the threshold. The sums of squares that such values can have
    at a given sum fill an interval, whose ends are known: the least has equal values on each side
    of the threshold, the largest has at most one value that is at no limit. A count is possible if
    that interval holds what was printed. Nothing is assumed of how values are distributed.

    Parameters
    ----------
    mean, low, high : float
        As printed, with three decimals; no interval (NaN) if all values are equal.
    threshold : float
        Above which a run counts.
    limits : (float, float)
        Between which all values lie.
    n_runs : int
        Number of values.

    Returns
    -------
    list of int
        Counts that are possible; empty if no such values have this mean and interval.

    Raises
    ------
    ValueError
        If the threshold is not between the limits.
    """
    lowest, highest = limits
    if not lowest <= threshold <= highest:
        raise ValueError(f"threshold {threshold} is not between the limits {lowest} and {highest}")
    centres = [mean] if np.isnan(low) else [mean, (low + high) / 2]
    sums = n_runs * (max(centres) - HALF_DIGIT), n_runs * (min(centres) + HALF_DIGIT)
    half = 0.0 if np.isnan(low) else (high - low) / 2
    halves = np.array([max(half - HALF_DIGIT, 0.0), half + HALF_DIGIT * (not np.isnan(low))])
    printed = (halves / stats.t.ppf(0.975, n_runs - 1)) ** 2 * n_runs * (n_runs - 1)
    counts = []
    for k in range(n_runs + 1):
        first = max(sums[0], k * threshold + (n_runs - k) * lowest)
        last = min(sums[1], k * highest + (n_runs - k) * threshold)
        if first > last + EXACT:
            continue
        least = _least_scatter(k, n_runs, first, last, threshold)
        most = _most_scatter(k, n_runs, first, last, (lowest, threshold, highest))
        if least <= printed[1] + EXACT and most >= printed[0] - EXACT:
            counts.append(k)
    return counts


def _least_scatter(k: int, n: int, first: float, last: float, threshold: float) -> float:
    """Least sum of squares about the mean of k values above and n - k below a threshold."""
    total = min(max(n * threshold, first), last)  # the nearest to all values at the threshold
    moved = k if total > n * threshold else n - k
    if not moved:
        return 0.0
    rest = n - moved
    squares = rest * threshold**2 + (total - rest * threshold) ** 2 / moved
    return float(squares - total**2 / n)


def _most_scatter(
    k: int, n: int, first: float, last: float, ends: tuple[float, float, float]
) -> float:
    """Largest sum of squares about the mean: all values at limits, but for one at most."""
    lowest, threshold, highest = ends
    above, below = np.arange(k + 1)[:, None], np.arange(n - k + 1)[None]
    at_top, at_threshold = above, k - above + below
    at_bottom = n - k - below
    sums = at_top * highest + at_threshold * threshold + at_bottom * lowest
    squares = at_top * highest**2 + at_threshold * threshold**2 + at_bottom * lowest**2
    inside = (sums >= first - EXACT) & (sums <= last + EXACT)
    largest = (squares - sums**2 / n).max(initial=-np.inf, where=inside)
    for total in (first, last):
        missing = total - sums
        for free, start, end in (
            (above < k, threshold, highest),
            (below < n - k, lowest, threshold),
        ):
            fits = free & (missing >= -EXACT) & (missing <= end - start + EXACT)
            scatter = squares - start**2 + (start + missing) ** 2 - total**2 / n
            largest = max(largest, scatter.max(initial=-np.inf, where=fits))
    return float(largest)


def recorded_runs(archive: pd.DataFrame, *, field: str = "6_6_2") -> pd.DataFrame:
    """Select the runs that stand beside published cells, of both signs.

    Parameters
    ----------
    archive : DataFrame
        Runs of the archive.
    field : str
        Their field.

    Returns
    -------
    DataFrame
        See :func:`cortexrnn.runs.labels.select`.
    """
    return pd.concat([select(archive, field=field, sign=sign) for sign in SIGNS], ignore_index=True)


def accuracy_limits(runs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Lowest and highest accuracy of any recorded run, by task.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    dict of str to (float, float)
        Between which published runs are taken to lie too.
    """
    accuracy = runs.dropna(subset="accuracy").groupby("task")["accuracy"]
    return {str(task): (float(one.min()), float(one.max())) for task, one in accuracy}


def published_counts(limits: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Bound the number of published runs that learned, in every cell.

    Parameters
    ----------
    limits : mapping of str to (float, float)
        Lowest and highest accuracy of a run, by task, see :func:`accuracy_limits`; tasks that are
        not in it are left out.

    Returns
    -------
    DataFrame
        One row per ``arm, variant, task`` that did not diverge, in the order of the paper, with
        ``fewest`` and ``most`` runs of 20 that can have learned, see :func:`possible_counts`. They
        are NaN where no runs between the limits have the published mean and interval.
    """
    cells = published_cells()
    cells = cells[(cells["metric"] == "accuracy") & ~cells["published_diverged"]]
    cells = cells[cells["task"].isin(list(limits))]
    rows = []
    for cell in cells.to_dict("records"):
        counts = possible_counts(
            *(cell[name] for name in ("published", "published_low", "published_high")),
            threshold=levels_without_memory()[cell["task"]] + ABOVE,
            limits=limits[cell["task"]],
        )
        ends = (min(counts), max(counts)) if counts else (np.nan, np.nan)
        named = {name: cell[name] for name in ("arm", "variant", "task")}
        rows.append(named | dict(zip(("fewest", "most"), ends, strict=True)))
    place = {name: i for i, name in enumerate([*VARIANTS, *TASKS])}
    rows.sort(key=lambda row: (row["arm"], place[row["variant"]], place[row["task"]]))
    return pd.DataFrame(rows, columns=["arm", "variant", "task", "fewest", "most"])


def beside_published_counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Put the number of runs that learned beside the published one, cell by cell.

    Parameters
    ----------
    runs : DataFrame
        Rows of :func:`recorded_runs`.

    Returns
    -------
    DataFrame
        One row per ``arm, variant, task`` of :func:`published_counts` with recorded runs:
        ``runs``, ``learned``, ``share_low, share_high``
        (:func:`~cortexrnn.evidence.intervals.share_interval`),
        ``fewest, most``, ``published_low, published_high`` (from the interval of the fewest to
        that of the most, of 20), ``p_fewest, p_most`` of Fisher's exact test against either, ``p``
        (the largest of all possible counts), and ``p_holm``, adjusted over all rows. Seeds of one
        cell are independent; cells of one seed are not, which Holm's correction allows.
    """
    published = published_counts(accuracy_limits(runs)).dropna()
    rows = []
    by_cell = dict(iter(runs.groupby(["arm", "variant", "task"], sort=False)))
    for cell in published.astype({"fewest": int, "most": int}).to_dict("records"):
        own = by_cell.get((cell["arm"], cell["variant"], cell["task"]))
        if own is not None:
            k, n = int(learned(cell["task"], own["accuracy"]).sum()), len(own)
            low, high = share_interval(k, n)
            paper = [share_interval(cell[end], PUBLISHED_RUNS) for end in ("fewest", "most")]
            ps = [_fisher(k, n, m) for m in range(cell["fewest"], cell["most"] + 1)]
            rows.append(
                cell
                | {"runs": n, "learned": k, "share_low": low, "share_high": high}
                | {"published_low": paper[0][0], "published_high": paper[1][1]}
                | {"p_fewest": ps[0], "p_most": ps[-1], "p": max(ps)}
            )
    table = pd.DataFrame(rows, columns=COUNTS)
    adjusted = multipletests(table["p"], method="holm")[1] if len(table) else []
    return table.assign(p_holm=adjusted)


COUNTS = [
    *("arm", "variant", "task", "runs", "learned", "share_low", "share_high"),
    *("fewest", "most", "published_low", "published_high", "p_fewest", "p_most", "p"),
]
"""Columns of :func:`beside_published_counts`, but for the adjusted p."""


def _fisher(k: int, n: int, published: int) -> float:
    """Compare k of n with a published count by Fisher's exact test, two-sided."""
    counts = [[k, n - k], [published, PUBLISHED_RUNS - published]]
    return float(stats.fisher_exact(counts).pvalue)


POOLED = [
    *("task", "start", "cells", "share", "fewest", "most"),
    *("difference_low", "difference_high", "independent_low", "independent_high"),
]
"""Columns of :func:`pooled_shares`."""


def pooled_shares(counts: pd.DataFrame, runs: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Compare shares of runs that learned, over all cells of a task and a kind of start.

    Here seeds are clusters: the variance of the share is that of the means of seeds over cells.
    The published simulations had no seeds, so that their cells are independent.

    Parameters
    ----------
    counts : DataFrame
        Rows of :func:`beside_published_counts`. A cell counts if some of its runs learned and
        others did not, here or in the paper; the others have no scatter to compare.
    runs : DataFrame
        The runs behind them.
    level : float
        Probability that all intervals hold (Bonferroni over the rows).

    Returns
    -------
    DataFrame
        One row per task and start: ``cells``, ``share`` here, ``fewest, most`` of the published
        share, ``difference_low, difference_high`` of the interval of here less published (Welch),
        from the most to the fewest, and ``independent_low, independent_high``, what it would be
        if all runs were independent.
    """
    mixed = counts[~_all_alike(counts)]
    starts = mixed["variant"].map(lambda name: Variant.parse(name).start)
    groups = list(mixed.groupby(["task", starts], sort=False))
    each = 1 - (1 - level) / max(len(groups), 1)
    rows = []
    for (task, start), cells in groups:
        own = outcomes_by_seed(runs[runs["task"] == task])
        own = own[[(row.arm, row.variant, task) for row in cells.itertuples()]]
        of_seeds = own.mean(axis=1)
        share, n_seeds = float(of_seeds.mean()), len(own)
        single = (own.var(ddof=1) / n_seeds / own.shape[1] ** 2).to_numpy()
        row = {"task": task, "start": start, "cells": len(cells), "share": share}
        for end in ("fewest", "most"):
            row[end] = float(cells[end].mean() / PUBLISHED_RUNS)
        for name, own_parts in (
            ("difference", np.array([of_seeds.var(ddof=1) / n_seeds])),
            ("independent", single),  # one part for each cell, with degrees of freedom of its own
        ):
            ends = [
                _welch(cells[end], share, own_parts, n_seeds, each) for end in ("most", "fewest")
            ]
            row |= {f"{name}_low": ends[0][0], f"{name}_high": ends[1][1]}
        rows.append(row)
    return pd.DataFrame(rows, columns=POOLED)


def _all_alike(counts: pd.DataFrame) -> pd.Series:
    """Whether all runs of a cell learned, or none, here and in the paper."""
    none = (counts["learned"] == 0) & (counts["most"] == 0)
    return none | (counts["learned"] == counts["runs"]) & (counts["fewest"] == PUBLISHED_RUNS)


def _welch(
    published: pd.Series,
    share: float,
    own_parts: NDArray[np.float64],
    n_seeds: int,
    level: float,
) -> tuple[float, float]:
    """Interval of a share here less that of published counts, one for each cell.

    A variance is a sum of independent parts, each with the degrees of freedom of its runs.
    """
    n_cells, p = len(published), published / PUBLISHED_RUNS
    parts = (p * (1 - p) / (PUBLISHED_RUNS - 1) / n_cells**2).to_numpy()
    total = float(own_parts.sum() + parts.sum())
    difference = share - float(p.mean())
    if total == 0:
        return difference, difference
    squares = (own_parts**2).sum() / (n_seeds - 1) + (parts**2).sum() / (PUBLISHED_RUNS - 1)
    half = float(np.sqrt(total) * stats.t.ppf((1 + level) / 2, total**2 / squares))
    return difference - half, difference + half


def counts_in_words(counts: pd.DataFrame) -> str:
    """Say what published means and intervals allow, and how ours compare.

    Parameters
    ----------
    counts : DataFrame
        Rows of :func:`beside_published_counts`.

    Returns
    -------
    str
        Two sentences.
    """
    width = counts["most"] - counts["fewest"] + 1
    share = counts["learned"] / counts["runs"] * PUBLISHED_RUNS
    allowed = ((share >= counts["fewest"]) & (share <= counts["most"])).sum()
    apart = (counts["p_holm"] < SIGNIFICANT).sum()
    fit = {
        "a single number of learned runs": (width == 1).sum(),
        "two": (width == 2).sum(),
        f"up to {width.max()}": (width > 2).sum(),
    }
    ways = ", ".join(f"{what} in {n}" for what, n in fit.items() if n)
    return (
        f"In {len(counts)} published cells, mean and interval fit {ways}. Our own number is one of "
        f"these in {allowed} cells; it differs significantly in {apart or 'none'}."
    )


SIGNIFICANT = 0.05
"""Level of the tests that words speak of."""


def pooled_in_words(pooled: pd.DataFrame) -> str:
    """Count the differences of pooled shares, with and without clusters.

    Parameters
    ----------
    pooled : DataFrame
        Rows of :func:`pooled_shares`.

    Returns
    -------
    str
        One sentence.
    """
    clustered, independent = (
        int(((pooled[f"{name}_low"] > 0) | (pooled[f"{name}_high"] < 0)).sum())
        for name in ("difference", "independent")
    )
    return (
        f"Pooled over the cells of a task and a start, {clustered or 'none'} of {len(pooled)} "
        f"shares {'differ' if clustered > 1 else 'differs'} from the published one where seeds are "
        f"clusters; if all runs were independent, {independent or 'none'} would."
    )


def pooled_as_text(pooled: pd.DataFrame) -> pd.DataFrame:
    """Write pooled shares and their intervals.

    Parameters
    ----------
    pooled : DataFrame
        Rows of :func:`pooled_shares`.

    Returns
    -------
    DataFrame
        ``task, start, cells, here, published, difference, if independent``, all but ``cells`` as
        text; a published share that is not known exactly as a range.
    """
    texts = pooled[["task", "start", "cells"]].copy()
    texts["here"] = [f"{share:.2f}" for share in pooled["share"]]
    ends = zip(*(pooled[end].map("{:.2f}".format) for end in ("fewest", "most")), strict=True)
    texts["published"] = [low if low == high else f"{low} to {high}" for low, high in ends]
    for column, name in (("difference", "difference"), ("if independent", "independent")):
        values = pooled[[f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
        # A no-break space, so that a narrow column does not tear the interval.
        texts[column] = [f"[{low:z.2f},\u00a0{high:z.2f}]" for low, high in values]
    return texts
