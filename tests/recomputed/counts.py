"""Published numbers of successes, from means and intervals, beside those recorded."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from . import rows, statistics

N = 20
SIGNS = {"corr": "free", "corr+sign": "positive"}
STARTS = {"W*": "functional", "W!": "permuted"}


def start_of(variant: str) -> str:
    """Kind of start of a variant."""
    return STARTS.get(variant[:2], "orthogonal")


def limits(runs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Lowest and highest accuracy of any run by task."""
    known = runs[~runs["diverged"].astype(bool)].groupby("task")["accuracy"]
    return {str(task): (float(one.min()), float(one.max())) for task, one in known}


def printed() -> pd.DataFrame:
    """Published accuracies with their intervals; cells that diverged have no topology."""
    table = pd.read_csv(rows.DATA / "published" / "published_6_6_2.csv")
    key = ["arm", "variant", "task"]
    wide = table[table["metric"] == "Accuracy"].set_index(key)
    topology = table[table["metric"] == "Modularity"].set_index(key)["mean"].reindex(wide.index)
    known = wide[topology.notna()].reset_index()
    return known.replace({"arm": {"sign+": "corr+sign"}})


def possible(
    mean: float, low: float, high: float, *, threshold: float, ends: tuple[float, float]
) -> list[int]:
    """Numbers of N values that can lie above a threshold, given a printed mean and t interval.

    For each number the largest and the smallest sum of squares are found by trying where the values
    can lie, and compared with those that round to what was printed.
    """
    t = stats.t.ppf(0.975, N - 1)
    half = 0.0 if math.isnan(low) else (high - low) / 2
    slack = 0.0005
    # Either end of the interval is rounded, so that half its length is known to the same slack.
    squares = [N * (N - 1) * (max(0.0, half + way * slack) / t) ** 2 for way in (-1, 1)]
    return [
        k
        for k in range(N + 1)
        if _overlap(_scatter(k, threshold, ends, (N * (mean - slack), N * (mean + slack))), squares)
    ]


def _overlap(reach: tuple[float, float] | None, wanted: list[float]) -> bool:
    """Whether two intervals meet."""
    return reach is not None and reach[0] <= wanted[1] + 1e-9 and reach[1] >= wanted[0] - 1e-9


def _scatter(
    k: int, threshold: float, ends: tuple[float, float], sums: tuple[float, float]
) -> tuple[float, float] | None:
    """Least and largest sum of squares about the mean of such values, over a range of sums."""
    first, last = ends
    least_sum = k * threshold + (N - k) * first
    most_sum = k * last + (N - k) * threshold
    low, high = max(sums[0], least_sum), min(sums[1], most_sum)
    if low > high + 1e-9:
        return None
    totals = np.linspace(low, max(low, high), 9)
    least = min(_least(total, k, threshold) for total in totals)
    most = max(_most(total, k, threshold, ends) for total in totals)
    return least, most


def _least(total: float, k: int, threshold: float) -> float:
    """All values as equal as they can be: at the mean if it can be, else at the threshold."""
    above = max(threshold, total / N) if k else 0.0
    if k == N:
        above = total / N
    below = (total - k * above) / (N - k) if k < N else 0.0
    if k < N and below > threshold:  # Those below end at the threshold; the rest is above.
        below = threshold
        above = (total - (N - k) * threshold) / k if k else above
    return k * above**2 + (N - k) * below**2 - total**2 / N


def _most(total: float, k: int, threshold: float, ends: tuple[float, float]) -> float:
    """All values at an end of what they may be, but for one: all such arrangements are tried."""
    first, last = ends
    # Of k values above, a lie at the upper end and the others at the threshold; of the rest, b at
    # the threshold and the others at the lower end.
    a, b = np.meshgrid(np.arange(k + 1), np.arange(N - k + 1), indexing="ij")
    at_threshold = k - a + b
    held = a * last + at_threshold * threshold + (N - k - b) * first
    square = a * last**2 + at_threshold * threshold**2 + (N - k - b) * first**2
    rest = total - held
    found = [square[np.abs(rest) < 1e-9]]
    for at, to, can in ((first, threshold, b < N - k), (threshold, last, a < k)):
        fits = can & (rest >= 0) & (rest <= to - at + 1e-12)
        found.append((square - at**2 + (at + rest) ** 2)[fits])
    squares = np.concatenate(found)
    return float(squares.max() - total**2 / N) if len(squares) else -math.inf


def published(ends: dict[str, tuple[float, float]]) -> dict[tuple[str, str, str], list[int]]:
    """Numbers of published runs that can have learned, cell by cell."""
    found = {}
    for cell in printed().to_dict("records"):
        task = cell["task"]
        found[cell["arm"], cell["variant"], task] = possible(
            cell["mean"],
            cell["ci95_low"],
            cell["ci95_high"],
            threshold=rows.GUESS[task] + rows.LEARNED_ABOVE,
            ends=ends[task],
        )
    return found


def beside(runs: pd.DataFrame, bounds: dict[tuple[str, str, str], list[int]]) -> pd.DataFrame:
    """Recorded beside published numbers, with Fisher's test at every possible count, and Holm."""
    found = []
    for (arm, variant, task), counts in bounds.items():
        mine = runs[
            (runs["sign"] == SIGNS[arm]) & (runs["variant"] == variant) & (runs["task"] == task)
        ]
        k, n = int(rows.learned(mine).sum()), len(mine)
        low, high = statistics.exact_share_by_tails(k, n)
        p = [stats.fisher_exact([[k, n - k], [one, N - one]]).pvalue for one in counts]
        found.append(
            {
                **{"arm": arm, "variant": variant, "task": task, "runs": n, "learned": k},
                **{"share_low": low, "share_high": high, "fewest": counts[0], "most": counts[-1]},
                "published_low": statistics.exact_share_by_tails(counts[0], N)[0],
                "published_high": statistics.exact_share_by_tails(counts[-1], N)[1],
                **{"p_fewest": p[0], "p_most": p[-1], "p": max(p)},
            }
        )
    table = pd.DataFrame(found)
    return table.assign(p_holm=statistics.holm(table["p"]))


def pooled(table: pd.DataFrame, runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Shares of runs that learned over the cells of a task and a start, seeds being clusters."""
    alike = (table["learned"].isin([0]) & (table["fewest"] == 0) & (table["most"] == 0)) | (
        (table["learned"] == table["runs"]) & (table["fewest"] == N) & (table["most"] == N)
    )
    mixed = table[~alike].assign(start=[start_of(variant) for variant in table[~alike]["variant"]])
    groups = list(mixed.groupby(["task", "start"]))
    found = [_one_pool(key, cells, runs, 1 - (1 - level) / len(groups)) for key, cells in groups]
    return pd.DataFrame(found)


def _one_pool(
    key: tuple[str, str], cells: pd.DataFrame, runs: pd.DataFrame, level: float
) -> dict[str, object]:
    """Compare the shares of one task and start."""
    columns = {}
    for cell in cells.itertuples():
        mine = runs[
            (runs["sign"] == SIGNS[str(cell.arm)])
            & (runs["variant"] == cell.variant)
            & (runs["task"] == cell.task)
        ]
        columns[cell.arm, cell.variant] = pd.Series(rows.learned(mine), index=mine["seed"])
    outcome = pd.DataFrame(columns).astype(float)
    of_seeds = outcome.mean(axis=1)
    n, n_cells = outcome.shape
    share = float(outcome.to_numpy().mean())
    own = {
        "difference": np.array([of_seeds.var(ddof=1) / n]),
        "independent": (outcome.var(ddof=1) / n / n_cells**2).to_numpy(),
    }
    result: dict[str, object] = {
        **dict(zip(("task", "start"), key, strict=True)),
        **{"cells": len(cells), "share": share},
        **{"fewest": cells["fewest"].mean() / N, "most": cells["most"].mean() / N},
    }
    for name, parts in own.items():
        ends = [_welch(cells[side] / N, share, parts, n, level) for side in ("most", "fewest")]
        result |= {f"{name}_low": ends[0][0], f"{name}_high": ends[1][1]}
    return result


def _welch(
    published: pd.Series, share: float, own: np.ndarray, n: int, level: float
) -> tuple[float, float]:
    """Interval of a share less that of published cells, every part of the variance with its df."""
    p = published.to_numpy()
    theirs = p * (1 - p) / (N - 1) / len(p) ** 2
    total = own.sum() + theirs.sum()
    difference = share - p.mean()
    if total == 0:
        return difference, difference
    df = total**2 / ((own**2).sum() / (n - 1) + (theirs**2).sum() / (N - 1))
    half = stats.t.isf((1 - level) / 2, df) * total**0.5
    return difference - half, difference + half
