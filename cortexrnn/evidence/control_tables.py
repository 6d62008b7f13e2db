"""Tables of controls: beside their reference, by strength, by trials, at matched gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np
import pandas as pd

from cortexrnn.evidence.intervals import t_interval, with_interval
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.evidence.predictions import CLAIMS, DIFFERENCE, paired_differences
from cortexrnn.fields.given import parameters
from cortexrnn.networks.specification import PRESETS, STRENGTH
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.controls import (
    CONTROLS,
    FEW_TRIALS,
    MORE_TO_DO,
    PUBLISHED_VARIANTS,
    STRONG_PULL,
    SWEEP,
    SWEPT,
    TRANSFERS,
    WEAK_PULL,
    Control,
    on_further_tasks,
    runs_of,
)

__all__ = [
    "accuracy_by_pull",
    "accuracy_by_strength",
    "accuracy_by_trials",
    "at_like_pull",
    "beside_reference",
    "compare",
    "findings",
    "in_words",
    "largest_pulls",
    "load_penalty_gradients",
    "spread_in_words",
    "transfer",
]

BESIDE_REFERENCE = [
    *("control", "reference", "field", "task", "runs", "diverged", "learned"),
    *("mean", "low", "high"),
    *("reference_mean", "pairs", *DIFFERENCE),
]
"""Columns of :func:`beside_reference`."""


def beside_reference(
    runs: pd.DataFrame,
    controls: Iterable[Control],
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Give the mean of each control and its paired difference to its reference.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    controls : iterable of Control
        Which.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive.

    Returns
    -------
    DataFrame
        One row per control, field and task with runs; columns are ``BESIDE_REFERENCE``. A control
        that is its own reference has no difference. ``learned`` counts runs, on the tasks of the
        paper alone; see :func:`cortexrnn.evidence.leaky_units.learned`.
    """
    fields = parameters.names("fields", fields)
    own_names = ("mean", "low", "high")
    rows = []
    for control in controls:
        for field in fields:
            own = runs_of(runs, control, field=field)
            other = runs_of(runs, control.reference, field=field)
            if control.is_reference:
                other = other.iloc[:0]
            other = other[other["seed"].isin(own["seed"])]  # so that means differ as pairs do
            for task, cell in own.groupby("task", sort=False):
                pairs = paired_differences(own, other, metric=metric, task=str(task))
                rows.append(
                    {
                        "control": control.name,
                        "reference": control.reference.name,
                        "field": field,
                        "task": task,
                        "runs": len(cell),
                        "diverged": int(cell["diverged"].sum()),
                        "learned": (
                            learned(str(task), cell["accuracy"]).sum() if task in TASKS else np.nan
                        ),
                        **dict(zip(own_names, t_interval(cell[metric]), strict=True)),
                        "reference_mean": other.loc[other["task"] == task, metric].mean(),
                        "pairs": len(pairs),
                        **dict(zip(DIFFERENCE, t_interval(pairs), strict=True)),
                    }
                )
    return pd.DataFrame(rows, columns=BESIDE_REFERENCE)


def load_penalty_gradients() -> pd.DataFrame:
    """Read the penalty gradient of every condition at the start of training, and that start.

    Returns
    -------
    DataFrame
        ``field, condition, gradient, gradient_self, gradient_others``: mean magnitude of the
        penalty's gradient per weight, over all weights, over self-connections, over the rest. A
        weight that is zero at the start counts as not held. ``largest_self`` is the largest
        self-connection of the start. All are means over three seeds.
    """
    recorded = resources.files("cortexrnn") / "data" / "penalty_gradients.csv"
    with recorded.open(encoding="utf-8") as file:
        table: pd.DataFrame = pd.read_csv(file)
    return table


def accuracy_by_pull(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Put the mean accuracy of every arm beside the pull of its penalty.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm and task with runs: ``arm, task, pull, mean, start, published``. Arms
        without a penalty, and those whose weights are mostly zero at the start, have no place on
        the axis of pulls and are left out.
    """
    arms = PUBLISHED_VARIANTS | CONTROLS
    gradients = load_penalty_gradients()
    gradients = gradients[(gradients["field"] == field) & (gradients["gradient"] > 0)]
    rows = []
    for name, pull in zip(gradients["condition"], gradients["gradient"], strict=True):
        for task, cell in runs_of(runs, arms[name], field=field).groupby("task", sort=False):
            rows.append(
                {
                    "arm": name,
                    "task": task,
                    "pull": pull,
                    "mean": cell["accuracy"].mean(),
                    "start": _kind_of_start(arms[name].variant),
                    "published": arms[name].group == "published",
                }
            )
    return pd.DataFrame(rows)


def _kind_of_start(variant: Variant) -> str:
    """Tell starts apart by whether anything of a functional relation is in them."""
    if variant.uses_function:
        return "functional"
    return "orthogonal" if variant.start == "orthogonal" else "other"


def largest_pulls(by_pull: pd.DataFrame, *, levels: Mapping[str, float]) -> pd.DataFrame:
    """Give the largest pull under which each base of the sweep is still above a level.

    Parameters
    ----------
    by_pull : DataFrame
        Rows of :func:`accuracy_by_pull`.
    levels : mapping of str to float
        For each task the mean accuracy that has to be exceeded.

    Returns
    -------
    DataFrame, shape (bases, tasks)
        One column per task of `levels`, whether a base gets above its level or not; one row per
        base that does so in any task. NaN where it does not.
    """
    rows = by_pull.reindex(columns=["arm", "task", "pull", "mean"])
    base = rows["arm"].astype(str).str.extract(r"^(\S+)(?: at (?:lambda|pull) .*)?$")[0]
    above = rows["mean"] > rows["task"].map(dict(levels)).astype(float)  # empty: no text
    reached = rows.assign(base=base)[base.isin(SWEPT) & above]
    largest = reached.groupby(["base", "task"], sort=False)["pull"].max().unstack("task")
    return largest.reindex(columns=list(levels))


def spread_in_words(pulls: pd.Series) -> str:
    """Say by what factor pulls differ between bases.

    Parameters
    ----------
    pulls : Series
        A column of :func:`largest_pulls`.

    Returns
    -------
    str
        Such as ``"a factor of about 30"``, or that fewer than two bases reach the level.
    """
    known = pulls.dropna()
    if len(known) < 2:
        return "not to be told, since fewer than two bases get there"
    return f"a factor of about {known.max() / known.min():.0f}"


def accuracy_by_strength(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the bases of the sweep at every strength that was run.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per base, strength and task with runs: ``arm, strength, task, runs, mean, low,
        high``, the published strength included.
    """
    published = PUBLISHED_VARIANTS | {"W": CONTROLS["W at lambda 0.3"]}
    arms: dict[tuple[str, float], Control] = {
        (base, strength): CONTROLS[f"{base} at lambda {strength:g}"]
        for base in SWEPT
        for strength in SWEEP
    } | {(base, STRENGTH): published[base] for base in SWEPT}
    return _accuracy_along(runs, arms, field=field, along="strength")


def accuracy_by_trials(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the arms that meet further tasks by the number of their trials.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm, number and task with runs: ``arm, n_train, task, runs, mean, low, high``,
        the number of the paper included.
    """
    arms: dict[tuple[str, float], Control] = {}
    for name in MORE_TO_DO:
        few = {n_train: CONTROLS[f"{name}, {n_train:,} trials"] for n_train in FEW_TRIALS}
        for n_train, arm in (
            few | {PRESETS["paper"].n_train: on_further_tasks(name, "harder")}
        ).items():
            arms[name, n_train] = arm
    return _accuracy_along(runs, arms, field=field, along="n_train")


def _accuracy_along(
    runs: pd.DataFrame, arms: dict[tuple[str, float], Control], *, field: str, along: str
) -> pd.DataFrame:
    """Give the accuracy of every arm and task, sorted by arm and what is varied along."""
    rows = []
    names = list(dict.fromkeys(name for name, _ in arms))
    for name, value in sorted(arms, key=lambda key: (names.index(key[0]), key[1])):
        cells = runs_of(runs, arms[name, value], field=field).groupby("task", sort=False)
        for task, cell in cells:
            bounds = zip(("mean", "low", "high"), t_interval(cell["accuracy"]), strict=True)
            rows.append(
                {"arm": name, along: value, "task": task, "runs": len(cell), **dict(bounds)}
            )
    return pd.DataFrame(rows, columns=["arm", along, "task", "runs", "mean", "low", "high"])


def transfer(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give what a task learned before adds to the accuracy of another.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm and pair of tasks with runs: ``arm, first_task, task, pairs, alone, after,
        difference, difference_low, difference_high``: accuracy after the first task less without,
        paired by seed.
    """
    rows = []
    for name in MORE_TO_DO:
        alone = runs_of(runs, on_further_tasks(name, "harder"), field=field)
        for before, task in TRANSFERS:
            arm = CONTROLS[f"{name}, {TASKS[task].title} after {TASKS[before].title}"]
            after = runs_of(runs, arm, field=field)
            pairs = paired_differences(after, alone, task=task)
            same = alone[(alone["task"] == task) & alone["seed"].isin(after["seed"])]
            if len(pairs):
                rows.append(
                    {
                        "arm": name,
                        "first_task": before,
                        "task": task,
                        "pairs": len(pairs),
                        "alone": same["accuracy"].mean(),
                        "after": after["accuracy"].mean(),
                        **dict(zip(DIFFERENCE, t_interval(pairs), strict=True)),
                    }
                )
    columns = ["arm", "first_task", "task", "pairs", "alone", "after", *DIFFERENCE]
    return pd.DataFrame(rows, columns=columns)


COMPARED = ["field", "pairs", *DIFFERENCE]
"""Columns of :func:`compare`."""


def findings(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Tell whether what the claims are about is there, whatever carries it.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per claim and field where both arms of its finding have runs: ``claim, arm,
        against, metric, field, pairs, difference, difference_low, difference_high``.
    """
    fields = parameters.names("fields", fields)
    rows = []
    for key, claim in CLAIMS.items():
        arm, against = claim.finding
        named = {"claim": key, "arm": arm, "against": against, "metric": claim.metric}
        found = compare(runs, arm, against, fields=fields, metric=claim.metric)
        rows += [named | row for row in found.to_dict("records")]
    return pd.DataFrame(rows, columns=["claim", "arm", "against", "metric", *COMPARED])


def compare(
    runs: pd.DataFrame,
    arm: str,
    against: str,
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Subtract one arm from another, field by field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    arm, against : str
        Names of controls or published variants.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive; its mean over the tasks both arms share is compared.

    Returns
    -------
    DataFrame
        One row per field where both have runs: ``field, pairs, difference, difference_low,
        difference_high``; see :func:`paired_differences`.
    """
    fields = parameters.names("fields", fields)
    arms = PUBLISHED_VARIANTS | CONTROLS
    rows = []
    for field in fields:
        both = [runs_of(runs, arms[name], field=field) for name in (arm, against)]
        values = paired_differences(*both, metric=metric)
        if len(values):
            rows.append((field, len(values), *t_interval(values)))
    return pd.DataFrame(rows, columns=COMPARED)


LIKE_PULL = {
    "D* for D": ("WD*", "WD"),
    "D* for D, with C": ("WD*C", "WDC"),
    "C, with D": ("WDC", "WD"),
    "C, with D*": ("WD*C", "WD*"),
    "C, with D* and W*": ("W*D*C", "W*D*"),
}
"""By what a penalty gets, the variant that has it and the one that has not."""


def at_like_pull(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Tell what D* and C do where penalties pull alike.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per pair of ``LIKE_PULL``, pull and field where both have runs: ``prior, arm,
        against, pull, field, pairs, difference, difference_low, difference_high``; both arms are
        named by their variant, differences are those of accuracy as in :func:`compare`.
    """
    rows = []
    for prior, (arm, against) in LIKE_PULL.items():
        for pull in (STRONG_PULL, WEAK_PULL):
            named = {"prior": prior, "arm": arm, "against": against, "pull": pull}
            scaled = [f"{base} at pull {pull:g}" for base in (arm, against)]
            found = compare(runs, *scaled, fields=fields)
            rows += [named | row for row in found.to_dict("records")]
    return pd.DataFrame(rows, columns=["prior", "arm", "against", "pull", *COMPARED])


def in_words(table: pd.DataFrame, *, digits: int = 2) -> str:
    """Put rows of :func:`compare` into a line.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare`.
    digits : int
        Of numbers.

    Returns
    -------
    str
        Differences and intervals, each after its field; ``"not run yet"`` without rows.
    """
    found = readable(table, digits=digits)
    texts = found["field"] + ": " + found["difference"]
    return "; ".join(texts) or "not run yet"


def readable(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """Write every difference as a text that holds its interval.

    Parameters
    ----------
    table : DataFrame
        With the columns ``DIFFERENCE``.
    digits : int
        Digits after the point, of other numbers too.

    Returns
    -------
    DataFrame
        The same rows; ``difference`` is written by
        :func:`cortexrnn.evidence.intervals.with_interval` and the two columns of its ends are gone.
    """
    values = table[DIFFERENCE].to_numpy(dtype=float)
    texts = [with_interval(*row, digits=digits) for row in values]
    rounded = table.drop(columns=DIFFERENCE[1:]).round(digits)
    return rounded.assign(difference=pd.Series(texts, index=table.index, dtype=object))
