"""Runs that share a seed: how alike they are, and intervals that take it into account.

Runs of one seed share trials, input noise and initial weights. They are a cluster: what is
independent is the seed, not the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cortexrnn.evidence.leaky_units import learned
from cortexrnn.fields.inputs.arguments import whole_number
from cortexrnn.networks.variant import Variant

__all__ = [
    "correlations_in_words",
    "design_effects",
    "designs_in_words",
    "effective_number",
    "gains_by_seed",
    "outcomes_by_seed",
    "shared_outcomes",
    "simultaneous_intervals",
]

INTERVALS = ["seeds", "difference", "difference_low", "difference_high", "p"]
"""Columns of :func:`simultaneous_intervals`."""
ROUNDING = 1e-12
"""Scatter, as part of the largest value, that is due to rounding."""


def simultaneous_intervals(
    differences: pd.DataFrame,
    *,
    level: float = 0.95,
    n_rotations: int = 20_000,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Intervals of several means that hold together, from seeds that all of them share.

    Each is a t interval over seeds, at the level at which all of them together have the level that
    is asked for: the joint distribution of the largest t is found by random rotations of the rows
    (Langsrud 2005, Statistics and Computing 15, 53-60, doi 10.1007/s11222-005-4789-5). A rotation
    mixes whole seeds, alike in all columns, so that contrasts stay as dependent as they are. Signs
    of whole seeds, flipped at random, are rotations too; to take all of them is exact for normal
    rows, whatever their correlation and however many columns.

    Parameters
    ----------
    differences : DataFrame, shape (seeds, contrasts)
        One row per seed, one column per contrast: differences of two runs of that seed. NaN where
        one of them is missing.
    level : float
        Probability that all intervals hold.
    n_rotations : int
        Random rotations.
    rng : numpy.random.Generator
        Source of the rotations.

    Returns
    -------
    DataFrame
        One row per column, with its name as index: ``seeds`` with a value, ``difference`` (their
        mean), ``difference_low, difference_high`` and ``p`` that the mean is zero, adjusted for all
        contrasts. For one contrast, or for several that are perfectly correlated, they are those of
        the ordinary t test; for independent ones they approach those of Sidak. A contrast of fewer
        than two seeds has no interval. One whose seeds all agree has an interval without width,
        which does not say that other seeds would agree.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1, a seed or a contrast occurs twice, or a value
        is infinite.
    """
    n_rotations = whole_number("n_rotations", n_rotations, least=1)
    values, present = _checked(differences, level)
    n_seeds = present.sum(axis=0)
    means = np.where(present, values, 0.0).sum(axis=0) / np.maximum(n_seeds, 1)
    centred = np.where(present, values - means, 0.0)
    lengths = np.linalg.norm(centred, axis=0)
    largest = np.abs(values).max(axis=0, initial=0.0, where=present)
    scattered = (n_seeds > 1) & (lengths > ROUNDING * largest)

    df, error = np.maximum(n_seeds - 1, 1), np.zeros(len(n_seeds))
    error[scattered] = lengths[scattered] / np.sqrt((df * n_seeds)[scattered])
    directions = centred[:, scattered] / lengths[scattered]
    smallest = _smallest_p(directions, present[:, scattered], n_rotations=n_rotations, rng=rng)
    # Not above the level of a single interval, which random rotations may exceed by a little.
    half = error * stats.t.isf(min(float(np.quantile(smallest, 1 - level)), 1 - level) / 2, df)
    half[n_seeds < 2] = np.nan
    p = np.full(len(n_seeds), np.nan)
    own = 2 * stats.t.sf(np.abs(means[scattered]) / error[scattered], df[scattered])
    joint = (1 + (smallest[:, None] <= own).sum(axis=0)) / (1 + n_rotations)
    p[scattered] = np.maximum(own, joint)
    means = np.where(n_seeds > 0, means, np.nan)
    columns = (n_seeds, means, means - half, means + half, p)
    return pd.DataFrame(dict(zip(INTERVALS, columns, strict=True)), index=differences.columns)


def _checked(
    differences: pd.DataFrame, level: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the values and where there are some; refuse what has no intervals."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a probability between 0 and 1, such as 0.95")
    for what, labels in (("row", differences.index), ("column", differences.columns)):
        if not labels.is_unique:
            repeated = labels[labels.duplicated()][0]
            raise ValueError(
                f"differences: {what} {repeated} occurs twice; give one row per seed and one "
                "column per contrast"
            )
    values = differences.to_numpy(dtype=float)
    if np.isinf(values).any():
        raise ValueError("differences hold infinite values; leave out runs that diverged")
    return values, ~np.isnan(values)


def _smallest_p(
    directions: NDArray[np.float64],
    present: NDArray[np.bool_],
    *,
    n_rotations: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Smallest p of all contrasts in rotated data whose means are zero.

    The rotated mean of a contrast is its length times the cosine of the angle to one random
    direction in the space of seeds, the same for all contrasts. The sum of squares does not change,
    so that t follows from the cosine, whose square has a beta distribution.
    """
    n_seeds, n_contrasts = directions.shape
    if not n_contrasts:
        return np.ones(n_rotations)
    random = rng.normal(size=(n_rotations, n_seeds))
    lengths = np.sqrt(random**2 @ present)
    squares = (random @ directions / lengths) ** 2
    counts = present.sum(axis=0)
    by_count = [  # p depends on the cosine and the number of seeds alone
        stats.beta.sf(squares[:, counts == count].max(axis=1), 0.5, (count - 1) / 2)
        for count in np.unique(counts)
    ]
    return np.asarray(np.min(by_count, axis=0))


def outcomes_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Which runs learned, seed by seed.

    Parameters
    ----------
    runs : DataFrame
        Runs of one field and one draw of trials; seeds that some cell lacks are left out.

    Returns
    -------
    DataFrame, shape (seeds, cells)
        1 or 0 by ``(arm, variant, task)``; a run that diverged has not learned.

    Raises
    ------
    ValueError
        If a seed occurs twice in a cell.
    """
    cells = {
        (arm, variant, task): pd.Series(
            learned(task, cell["accuracy"]).astype(float), index=pd.Index(cell["seed"])
        )
        for (arm, variant, task), cell in runs.groupby(["arm", "variant", "task"], sort=False)
    }
    for name, cell in cells.items():
        if not cell.index.is_unique:
            raise ValueError(
                f"runs: cell {name} has a seed more than once; give those of one field and one "
                "draw of trials"
            )
    return pd.DataFrame(cells).dropna()


def gains_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Gain in accuracy of a functional over an orthogonal start, seed by seed.

    Parameters
    ----------
    runs : DataFrame
        Published variants of one field, arm and draw of trials.

    Returns
    -------
    DataFrame, shape (seeds, tasks)
        Mean over the cells that start from W*, and over those that start from W!, averaged, less
        the mean over those that start orthogonal. NaN where a run of the seed has no value.
    """
    starts = runs["variant"].map(lambda name: Variant.parse(name).start).rename("start")
    cells = runs.groupby(["seed", "task", starts], sort=False)["accuracy"]
    means = cells.agg(lambda values: values.mean(skipna=False)).unstack("start")
    gain = (means["functional"] + means["permuted"]) / 2 - means["orthogonal"]
    return gain.unstack("task")[list(dict.fromkeys(runs["task"]))]


def effective_number(seeds: ArrayLike, *, correlation: float = 1.0) -> float:
    """Count the independent runs that runs of shared seeds are worth.

    Parameters
    ----------
    seeds : array_like, shape (n,)
        Seed of every run.
    correlation : float
        Of two runs of one seed, see :func:`design_effects`. With 1, which supposes the most, runs
        of a seed all say the same.

    Returns
    -------
    float
        n over the design effect 1 + (m - 1) r of Kish (1965), where m is the number of runs of a
        seed, mean over runs: sum n_i^2 / sum n_i. With r = 1 it is the number of seeds where all
        have equally many runs, and less where they do not; zero without runs.

    Raises
    ------
    ValueError
        If the correlation makes the design effect zero or less.
    """
    _, counts = np.unique(np.asarray(seeds), return_counts=True)
    if not len(counts):
        return 0.0
    n_runs = counts.sum()
    effect = 1 + ((counts**2).sum() / n_runs - 1) * correlation
    if effect <= 0:
        raise ValueError(
            f"correlation is {correlation}: runs of a seed cannot differ from one another so much; "
            "give that of design_effects"
        )
    return float(n_runs / effect)


DESIGN = ["field", "task", "start", "cells", "seeds", "share", "correlation", "design_effect"]
"""Columns of :func:`design_effects`."""


def design_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """How much less runs are worth because cells share their seeds.

    The design effect (Kish 1965) is the variance of the share of runs that learned, over all cells,
    by that of as many independent runs. It is 1 + (cells - 1) r with r the correlation within
    seeds: pooled covariance of two cells by pooled variance. With this r, :func:`effective_number`
    counts the independent runs that all of them are worth.

    Parameters
    ----------
    runs : DataFrame
        Published variants on any fields, of one draw of trials.

    Returns
    -------
    DataFrame
        One row per field, task and start: ``cells`` in which some runs learned and others did not,
        ``seeds``, ``share`` of runs that learned in them, ``correlation`` and ``design_effect``.
        With fewer than two such cells there is no correlation, and no row.
    """
    rows = []
    starts = runs["variant"].map(lambda name: Variant.parse(name).start)
    for (field, task, start), group in runs.groupby(["field", "task", starts], sort=False):
        table = _mixed(outcomes_by_seed(group))
        n_cells = table.shape[1]
        if n_cells > 1:
            covariance = np.cov(table, rowvar=False)
            effect = covariance.sum() / np.trace(covariance)
            named = {"field": field, "task": task, "start": start, "cells": n_cells}
            named |= {"seeds": len(table), "share": table.to_numpy().mean()}
            named |= {"correlation": (effect - 1) / (n_cells - 1), "design_effect": effect}
            rows.append(named)
    return pd.DataFrame(rows, columns=DESIGN)


def _mixed(table: pd.DataFrame) -> pd.DataFrame:
    """Cells in which some runs learned and others did not."""
    return table.loc[:, table.nunique() > 1]


SHARED = ("both", "input weights", "recurrent weights")
"""What two runs of a seed can share."""


def shared_outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    """Correlation of outcomes within seeds, by what the runs share at the start.

    Input weights depend on seed and task, W* on the seed, its relabelling on seed, variant and
    task. Cells of one task that start from W* share ``both``, as do those of one variant of W! with
    free and with positive weights. Other cells of a task share ``input weights`` alone, cells of
    two tasks that start from W* their ``recurrent weights`` alone. Cells that start orthogonal are
    left out.

    Parameters
    ----------
    runs : DataFrame
        Published variants on any fields, of one relation and one draw of trials.

    Returns
    -------
    DataFrame
        One row per field and entry of ``SHARED``: ``field, shared, pairs`` of cells, and their
        ``correlation``, covariances by products of standard deviations, each summed over pairs.
    """
    rows = []
    starts = {name: Variant.parse(name).start for name in runs["variant"].unique()}
    for field, group in runs[runs["variant"].map(starts) != "orthogonal"].groupby("field"):
        table = _mixed(outcomes_by_seed(group))
        sums = {name: np.zeros(3) for name in SHARED}
        covariance = table.cov().to_numpy()
        for i, j in itertools.combinations(range(len(covariance)), 2):
            shared = _shared(table.columns[i], table.columns[j], starts)
            if shared:
                scale = np.sqrt(covariance[i, i] * covariance[j, j])
                sums[shared] += (1, covariance[i, j], scale)
        rows += [
            {"field": field, "shared": name, "pairs": int(n), "correlation": both / scale}
            for name, (n, both, scale) in sums.items()
            if n
        ]
    return pd.DataFrame(rows, columns=["field", "shared", "pairs", "correlation"])


def _shared(one: tuple[str, ...], two: tuple[str, ...], starts: Mapping[str, str]) -> str | None:
    """Say what two cells of a seed share at the start."""
    (_, variant, task), (_, other, other_task) = one, two
    functional = starts[variant] == starts[other] == "functional"
    if task != other_task:
        return "recurrent weights" if functional else None
    return "both" if functional or variant == other else "input weights"


def designs_in_words(designs: pd.DataFrame, *, field: str, start: str = "functional") -> str:
    """Count the independent cells that the cells of a start are worth, task by task.

    Parameters
    ----------
    designs : DataFrame
        Rows of :func:`design_effects`.
    field, start : str
        Which of them.

    Returns
    -------
    str
        Such as ``"perceptual, 6 cells count as 1.1 independent ones"``, tasks joined by
        ``"; in "``; ``"not run yet"`` without rows.
    """
    chosen = designs[(designs["field"] == field) & (designs["start"] == start)]
    texts = []
    for row in chosen.to_dict("records"):  # cells of one seed
        n = effective_number([0] * row["cells"], correlation=row["correlation"])
        task = row["task"].replace("_", " ")
        texts.append(f"{task}, {row['cells']} cells count as {n:.1f} independent ones")
    return "; in ".join(texts) or "not run yet"


def correlations_in_words(shared: pd.DataFrame) -> dict[str, str]:
    """Say how far runs of a seed agree, by what they share.

    Parameters
    ----------
    shared : DataFrame
        Rows of :func:`shared_outcomes`.

    Returns
    -------
    dict of str to str
        For each entry of ``SHARED`` the least and largest correlation of any field, such as
        ``"0.75 to 0.90"``, or the one that there is; ``"not run yet"`` where there is none.
    """
    texts = {}
    for name in SHARED:
        values = shared.loc[shared["shared"] == name, "correlation"].to_numpy(dtype=float)
        ends = [f"{end:z.2f}" for end in sorted(values)]
        texts[name] = " to ".join(dict.fromkeys([ends[0], ends[-1]])) if ends else "not run yet"
    return texts
