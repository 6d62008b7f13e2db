"""Runs that share a seed: simultaneous intervals.

Runs of one seed share trials, input noise and initial weights. They are a cluster: what is
independent is the seed, not the run.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cortexrnn.fields.inputs.arguments import whole_number

__all__ = ["simultaneous_intervals"]

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
        If the level is not between 0 and 1, a seed or a contrast occurs twice, or values are
        infinite.
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
                f"differences: {what} {repeated!r} occurs twice; give one row per seed and one "
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
    p = stats.beta.sf(squares, 0.5, (present.sum(axis=0) - 1) / 2)
    return np.asarray(p.min(axis=1))
