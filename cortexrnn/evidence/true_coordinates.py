"""Does it matter where each neuron lies? Effects of D* on the true coordinates of the neurons.

Under the ``published`` protocol every unit has coordinates of other neurons, so that no comparison
of published variants is about geometry. On true coordinates D* is compared with a grid of the same
mean distance, with random points that have the same distances, with the same distances in the
wrong places, and W* with W!, whose neurons lie elsewhere than their connections say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from cortexrnn.evidence import headline_effects
from cortexrnn.evidence.headline_effects import MEAN, Pair, differences_by_seed
from cortexrnn.evidence.intervals import with_interval
from cortexrnn.evidence.judgement import DIFFERENCE
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import CONDITIONS

__all__ = [
    "CONTRASTS",
    "RECORDED_BEFORE",
    "contrasts",
    "contrasts_as_text",
    "ratio_of_means",
    "share_of_scrambled",
    "shares_as_text",
    "shares_in_words",
]

OWN = "WD*C on own coordinates"
CONTRASTS: dict[str, Pair] = {
    "true D* for a matched grid": (OWN, "WDC on a grid matched to own coordinates"),
    "true D* for random points": (OWN, "WD*C on random points with own distances"),
    "true D* for shuffled distances": (OWN, "WD*C on shuffled own distances"),
    "W! for W*, on true D*": ("W!D*C, corrected", "W*D*C, corrected"),
}
"""The four contrasts that are about geometry: two conditions, the first less the second."""
RECORDED_BEFORE: dict[str, Pair] = {
    "scrambled D* for D": ("WD*C", "WDC"),
    "true D* for D": (OWN, "WDC"),
    "true D* for a grid matched to scrambled D*": (OWN, "WDC on a matched grid"),
}
"""What earlier runs say of it. The distance D of these is a grid several times larger."""
SHARE = ["field", "task", "seeds", "scrambled", "true", "share", "share_low", "share_high"]
"""Columns of :func:`share_of_scrambled`."""


def contrasts(
    runs: pd.DataFrame,
    *,
    fields: Sequence[str],
    effects: Mapping[str, Pair] = CONTRASTS,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Measure the contrasts in accuracy by field and task, with intervals that hold together.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    effects : mapping of str to tuple of str
        ``CONTRASTS`` or ``RECORDED_BEFORE``.
    rng : numpy.random.Generator
        Source of what the intervals need.

    Returns
    -------
    DataFrame
        One row per contrast, field, and ``mean`` or task: the columns of
        :func:`cortexrnn.evidence.headline_effects.by_task`, and ``status``, ``"recorded"``,
        ``"not run yet"`` or, where the design does not ask for a condition on a field,
        ``"not asked"``.
    """
    fields = arguments.names("fields", fields)
    recorded = headline_effects.by_task(runs, fields=fields, effects=effects, rng=rng)
    every = pd.MultiIndex.from_product(
        [list(effects), fields, [MEAN, *TASKS]], names=["effect", "field", "task"]
    ).to_frame(index=False)
    table = every.merge(recorded, how="left", on=list(every.columns))
    numbers = ["seeds", *DIFFERENCE]  # of an empty table they have no type
    table[numbers] = table[numbers].astype(float)
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    status = [
        "recorded" if seeds else _why_not(effects[effect], field)
        for effect, field, seeds in table[["effect", "field", "seeds"]].values
    ]
    return table.assign(status=status)


def _why_not(pair: Pair, field: str) -> str:
    """Say why there are no runs."""
    asked = all(CONDITIONS[name].is_run_on(field) for name in pair)
    return "not run yet" if asked else "not asked"


def contrasts_as_text(table: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """Write contrasts for a page: one row per contrast and task, one column per field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`contrasts`.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame, shape (contrasts x (1 + tasks), fields)
        Differences with their intervals, or why there is none. Tasks by their titles.
    """
    values = table[DIFFERENCE].to_numpy(dtype=float)
    texts = [with_interval(*row, digits=digits) for row in values]
    titles = {MEAN: "mean over tasks"} | {name: task.title for name, task in TASKS.items()}
    named = table.assign(
        text=[text or status for text, status in zip(texts, table["status"], strict=True)],
        task=table["task"].map(titles),
    ).rename(columns={"effect": "contrast"})
    wide = named.pivot_table("text", ["contrast", "task"], "field", aggfunc="first", sort=False)
    return wide.rename_axis(columns=None)


def share_of_scrambled(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Give what true coordinates keep of the effect that scrambled ones have.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per field, and ``mean`` or task: ``field, task, seeds, scrambled, true, share,
        share_low, share_high``. ``scrambled`` is what `WD*C` gains over `WDC` in accuracy, ``true``
        what `WD*C` on own coordinates does, on the same seeds; their ratio has the 95 % interval
        of :func:`ratio_of_means`.
    """
    fields = arguments.names("fields", fields)
    pairs = (RECORDED_BEFORE["true D* for D"], RECORDED_BEFORE["scrambled D* for D"])
    true, scrambled = (differences_by_seed(runs, pair, fields=fields) for pair in pairs)
    rows = []
    for column in true.columns.intersection(scrambled.columns, sort=False):
        both = pd.concat([true[column], scrambled[column]], axis=1, keys=["true", "all"]).dropna()
        share, low, high = ratio_of_means(both["true"], both["all"])
        means = both.mean()
        rows.append((*column, len(both), means["all"], means["true"], share, low, high))
    return pd.DataFrame(rows, columns=SHARE)


def shares_as_text(shares: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """Write shares for a page: one row per field and task.

    Parameters
    ----------
    shares : DataFrame
        Rows of :func:`share_of_scrambled`.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame
        Indexed by field and task; columns ``scrambled``, ``true`` and ``share`` with its interval,
        or, where it has none, that there is no effect to share.
    """
    written = [
        with_interval(*row, digits=digits) if np.isfinite(row[1]) else "no effect to share"
        for row in shares[["share", "share_low", "share_high"]].to_numpy(dtype=float)
    ]
    titles = {MEAN: "mean over tasks"} | {name: task.title for name, task in TASKS.items()}
    table = shares[["field", "task", "scrambled", "true"]].round(digits)
    table = table.assign(share=written, task=table["task"].map(titles))
    return table.set_index(["field", "task"])


def shares_in_words(shares: pd.DataFrame) -> str:
    """Write the shares of the mean over tasks as one line.

    Parameters
    ----------
    shares : DataFrame
        Rows of :func:`share_of_scrambled`.

    Returns
    -------
    str
        Such as ``"25 % [10, 41] on 6_6_2"``, fields one after another; ``"not run yet"`` without
        any.
    """
    texts = []
    for row in shares[shares["task"] == MEAN].to_dict("records"):
        ends = (100 * row["share_low"], 100 * row["share_high"])
        interval = "" if np.isnan(ends[0]) else f" [{ends[0]:.0f}, {ends[1]:.0f}]"
        texts.append(f"{100 * row['share']:.0f} %{interval} on {row['field']}")
    return "; ".join(texts) or "not run yet"


def ratio_of_means(
    above: ArrayLike, below: ArrayLike, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Ratio of two paired means and its interval, by Fieller's theorem.

    The interval holds every ratio r for which a t test does not tell ``above - r below`` from zero
    (Fieller 1954, Journal of the Royal Statistical Society B 16, 175-185).

    Parameters
    ----------
    above, below : array_like, shape (n,)
        Pairs of values; the ratio is the mean of the first over that of the second.
    level : float
        Coverage.

    Returns
    -------
    ratio, low, high : float
        The bounds are NaN where the second mean cannot be told from zero: then no ratio can be
        excluded. All are NaN with fewer than two pairs.

    Raises
    ------
    ValueError
        If there are not as many values of one as of the other.
    """
    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"values are pairs; got {len(a)} and {len(b)}")
    if len(a) < 2:
        return np.nan, np.nan, np.nan
    (var_a, both), (_, var_b) = np.cov(a, b) / len(a)
    t2 = stats.t.ppf((1 + level) / 2, len(a) - 1) ** 2
    mean_a, mean_b = a.mean(), b.mean()
    square = mean_b**2 - t2 * var_b
    if square <= 0:
        return (mean_a / mean_b if mean_b else np.nan), np.nan, np.nan
    half, rest = mean_a * mean_b - t2 * both, mean_a**2 - t2 * var_a
    root = np.sqrt(max(half**2 - square * rest, 0.0))
    return mean_a / mean_b, (half - root) / square, (half + root) / square
