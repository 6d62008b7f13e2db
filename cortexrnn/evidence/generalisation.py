"""Do networks with cortical priors generalise better? Validation less training accuracy.

Training accuracy is the running mean over the updates of the last epoch, with noise on the inputs;
validation accuracy is taken afterwards, without noise, on other trials. A network that still
improves, or that noise disturbs, therefore has a validation accuracy above its training accuracy,
whatever it makes of new trials. And two of the three tasks have no new trials: their inputs are a
few patterns, all of which occur in training. Some runs were therefore trained again and evaluated
on their training trials as well, after training, with noise and without.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from cortexrnn.evidence.factor_tests import check_seeds
from cortexrnn.evidence.intervals import t_interval, with_interval
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.evidence.learning_speed import (
    CELL,
    COMPARISON,
    KINDS,
    intervals_together,
    paired_cells,
)
from cortexrnn.networks.specification import PRESETS, random_stream
from cortexrnn.networks.tasks import TASKS

__all__ = [
    "EQUAL",
    "MEASURED",
    "PARTS",
    "at_equal_accuracy",
    "count_gaps",
    "effects_in_words",
    "gap_effects",
    "gaps_by_condition",
    "largest_sure",
    "load_without_noise",
    "new_trials",
    "parts_as_text",
    "with_gap",
    "with_parts",
]

EQUAL = 0.01
"""Training accuracies that differ by no more count as equal."""
MEASURED = [
    *("identity", "field", "task", "variant", "seed", "running_accuracy"),
    *("noisy_accuracy", "training_accuracy", "validation_accuracy"),
    *("noisy_cross_entropy", "training_cross_entropy", "validation_cross_entropy"),
]
"""Columns of :func:`load_without_noise`."""
PARTS = {
    "gap": ("validation_accuracy", "running_accuracy"),
    "last_epoch": ("noisy_accuracy", "running_accuracy"),
    "noise": ("training_accuracy", "noisy_accuracy"),
    "trials": ("validation_accuracy", "training_accuracy"),
}
"""The gap that recorded runs have, and the three parts of which it is the sum: what the last epoch
still changed, what noise takes away, and how validation trials differ from those of training. Each
is the first column less the second."""


def new_trials() -> pd.DataFrame:
    """Count the validation trials of each task whose input does not occur in training.

    Returns
    -------
    DataFrame
        One row per task of the paper (the index): ``training``, ``validation``, numbers of trials;
        ``patterns``, different inputs among all of them, noise on the inputs left aside; ``new``,
        validation trials with an input that is in no training trial.
    """
    size = PRESETS["paper"]
    rows = {}
    for name, task in TASKS.items():
        rng = random_stream(0, "trials", name)
        parts = [task.sample(n, rng=rng)[0] for n in (size.n_train, size.n_validation)]
        training, validation = ([trial.tobytes() for trial in part] for part in parts)
        seen = set(training)
        rows[name] = {
            "training": len(training),
            "validation": len(validation),
            "patterns": len(seen | set(validation)),
            "new": sum(trial not in seen for trial in validation),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def with_gap(runs: pd.DataFrame) -> pd.DataFrame:
    """Add what validation gives above training.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive, on tasks of the paper.

    Returns
    -------
    DataFrame
        The runs with ``gap``, validation less training accuracy; ``late_gain``, training accuracy
        of the last epoch less that of the one before; and ``has_learned``. NaN where a run diverged
        or has a single epoch.
    """
    late = [
        float(history[-1]) - float(history[-2]) if len(history) > 1 else np.nan
        for history in runs["history_accuracy"]
    ]
    known = pd.Series(False, index=runs.index)
    for task, group in runs.groupby("task", sort=False):
        known[group.index] = learned(str(task), group["accuracy"])
    return runs.assign(
        gap=runs["validation_accuracy"] - runs["accuracy"], late_gain=late, has_learned=known
    )


def gaps_by_condition(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean gap of every condition, of all its runs and of those that learned.

    Parameters
    ----------
    runs : DataFrame
        Rows of :func:`with_gap`.

    Returns
    -------
    DataFrame
        One row per field, sign, variant and task with runs that did not diverge: ``runs``; ``gap,
        low, high``, the mean with a 95 % t interval; ``learned`` runs and ``gap_learned``, their
        mean.
    """
    rows: list[dict[str, Any]] = []
    for names, cell in runs[~runs["diverged"]].groupby(CELL, sort=False):
        gap, low, high = t_interval(cell["gap"])
        chosen = cell.loc[cell["has_learned"], "gap"]
        rows.append(
            dict(zip(CELL, names, strict=True))
            | {"runs": len(cell), "gap": gap, "low": low, "high": high}
            | {"learned": len(chosen), "gap_learned": chosen.mean()}
        )
    return pd.DataFrame(
        rows, columns=[*CELL, "runs", "gap", "low", "high", "learned", "gap_learned"]
    )


def gap_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the gap of every variant with that of its counterpart, over runs of equal seed.

    Parameters
    ----------
    runs : DataFrame
        Rows of :func:`with_gap`, of one protocol, relation and draw of trials.

    Returns
    -------
    DataFrame
        One row per field, sign, task and pair of variants: ``kind, one, two``; ``pairs`` in which
        neither diverged; ``difference, difference_low, difference_high``, the gap of `one` less
        that of `two`. Intervals hold together over all rows of a sign, with 95 % (largest t over
        seeds), and are missing where no two seeds disagree.

    Raises
    ------
    ValueError
        If a run occurs twice.
    """
    return _differences(runs, "gap", within=None)


def at_equal_accuracy(runs: pd.DataFrame, *, within: float = EQUAL) -> pd.DataFrame:
    """Compare validation accuracy among pairs whose training accuracy is the same.

    Parameters
    ----------
    runs : DataFrame
        Rows of :func:`with_gap`, of one protocol, relation and draw of trials.
    within : float
        How far training accuracies may differ.

    Returns
    -------
    DataFrame
        As :func:`gap_effects`, for validation accuracy and pairs of equal seed that ended within
        `within` of one another. They are a selection: most have both learned, or neither.

    Raises
    ------
    ValueError
        If a run occurs twice.
    """
    return _differences(runs, "validation_accuracy", within=within)


def _differences(runs: pd.DataFrame, metric: str, *, within: float | None) -> pd.DataFrame:
    """Paired differences of a metric, all of them or those of equal training accuracy."""
    check_seeds(runs, CELL)
    rows: list[dict[str, Any]] = []
    values = {}
    for key, one, two in paired_cells(runs):
        difference = one[metric] - two[metric]
        if within is not None:
            # Rounding must not part what is exactly as far apart as is allowed.
            is_equal = (one["accuracy"] - two["accuracy"]).abs() <= within + 1e-9
            difference = difference.where(is_equal)
        if difference.notna().any():
            values[len(rows)] = difference
            rows.append(key | {"pairs": int(difference.notna().sum())})
    columns = ["difference", "difference_low", "difference_high"]
    table = pd.DataFrame(rows, columns=[*COMPARISON, "pairs", *columns])
    for sign, group in table.groupby("sign", sort=False):
        found = intervals_together({row: values[row] for row in group.index}, f"{metric} {sign}")
        table.loc[group.index, columns] = found.to_numpy()
    return table


def count_gaps(table: pd.DataFrame, *, smallest: float = EQUAL) -> pd.DataFrame:
    """Count the differences that are surely above zero, and those that are surely small.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`gap_effects` or :func:`at_equal_accuracy`.
    smallest : float
        Differences below it do not matter.

    Returns
    -------
    DataFrame
        One row per kind: ``comparisons``, those with an interval; ``above``, ``below``: the
        interval excludes zero; ``small``: it lies within `smallest` of zero.
    """
    known = table["difference_low"].notna()
    flags = pd.DataFrame(
        {
            "comparisons": known,
            "above": known & (table["difference_low"] > 0),
            "below": known & (table["difference_high"] < 0),
            "small": known
            & (table["difference_low"] > -smallest)
            & (table["difference_high"] < smallest),
        }
    )
    counts = flags.groupby(table["kind"], sort=False).sum()
    return counts.reindex(list(KINDS), fill_value=0).astype(int)


def largest_sure(table: pd.DataFrame) -> float:
    """Find the largest difference whose interval excludes zero.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`gap_effects` or :func:`at_equal_accuracy`.

    Returns
    -------
    float
        Its magnitude; 0 where there is none.
    """
    sure = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    return float(table.loc[sure, "difference"].abs().max()) if sure.any() else 0.0


def load_without_noise() -> pd.DataFrame:
    """Read what some runs reach on their training trials after training, with noise and without.

    Returns
    -------
    DataFrame
        One row per run, recorded runs trained again: ``identity, field, task, variant, seed``;
        ``running_accuracy``, the mean over the updates of the last epoch, which is what other
        tables call training accuracy; then after training, with the weights that result,
        ``noisy_accuracy`` (training trials, noise on the inputs), ``training_accuracy`` (training
        trials), ``validation_accuracy``, and the same three as ``_cross_entropy`` (nats, without
        penalty). Made by ``tools/training_without_noise.py``.
    """
    file = resources.files("cortexrnn") / "data" / "training_without_noise.csv"
    with file.open(encoding="utf-8") as opened:
        table: pd.DataFrame = pd.read_csv(opened)
    return table


def with_parts(measured: pd.DataFrame) -> pd.DataFrame:
    """Part the gap of every run into what the last epoch, noise and new trials add.

    Parameters
    ----------
    measured : DataFrame
        Rows of :func:`load_without_noise`.

    Returns
    -------
    DataFrame
        The rows with ``has_learned`` and the columns of :data:`PARTS`.
    """
    known = pd.Series(False, index=measured.index)
    for task, group in measured.groupby("task", sort=False):
        known[group.index] = learned(str(task), group["running_accuracy"])
    parts = {name: measured[one] - measured[two] for name, (one, two) in PARTS.items()}
    return measured.assign(has_learned=known, **parts)


def parts_as_text(parts: pd.DataFrame) -> pd.DataFrame:
    """Write mean parts of the gap for a page.

    Parameters
    ----------
    parts : DataFrame
        Rows of :func:`with_parts`.

    Returns
    -------
    DataFrame
        One row per task, and for runs that learned and those that did not: ``runs``, and the
        columns of :data:`PARTS` with the range over runs in brackets. Four digits.
    """
    rows = []
    outcome = parts["has_learned"].map({True: "learned", False: "did not learn"})
    for (task, ended), cell in parts.groupby(["task", outcome], sort=False):
        row = {"task": TASKS[str(task)].title, "outcome": ended, "runs": len(cell)}
        for name in PARTS:
            ends = f"[{cell[name].min():z.4f},\u00a0{cell[name].max():z.4f}]"
            row[name] = f"{cell[name].mean():z.4f} {ends}"
        rows.append(row)
    return pd.DataFrame(rows, columns=["task", "outcome", "runs", *PARTS])


def effects_in_words(table: pd.DataFrame) -> str:
    """Write differences of a few pairs of variants with their intervals.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`gap_effects` of one task.

    Returns
    -------
    str
        Such as ``"0.0012 [-0.0003, 0.0027] (W*D*C less WD*C)"``, pairs joined by ``"; "``; ``"not
        run yet"`` without rows.
    """
    texts = []
    for row in table.to_dict("records"):
        values = (row["difference"], row["difference_low"], row["difference_high"])
        texts.append(f"{with_interval(*values, digits=4)} ({row['one']} less {row['two']})")
    return "; ".join(texts) or "not run yet"
