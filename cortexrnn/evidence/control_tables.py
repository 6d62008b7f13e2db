"""Tables of controls: beside their reference, by strength, by trials, at matched gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from cortexrnn.evidence.intervals import t_interval, with_interval
from cortexrnn.evidence.judgement import DIFFERENCE, paired_differences
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.evidence.predictions import CLAIMS
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.specification import PRESETS, STRENGTH
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.controls import (
    AFTER_ANOTHER,
    AT_GRADIENT,
    AT_STRENGTH,
    CONDITIONS,
    PUBLISHED_VARIANTS,
    STRONG_GRADIENT,
    SWEPT,
    W_AT_LAMBDA,
    WEAK_GRADIENT,
    WITH_ALL_TRIALS,
    WITH_FEW_TRIALS,
    Control,
)
from cortexrnn.runs.labels import runs_of

__all__ = [
    "accuracy_by_gradient",
    "accuracy_by_strength",
    "accuracy_by_trials",
    "beside_reference",
    "compare_at_matched_gradient",
    "compare_conditions",
    "differences_in_words",
    "findings",
    "largest_gradients",
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
        Controls to compare, one after another.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive.

    Returns
    -------
    DataFrame
        One row per control, field and task with runs; columns are ``BESIDE_REFERENCE``. A control
        that is compared with none has no difference. ``learned`` counts runs, on the tasks of the
        paper alone; see :func:`cortexrnn.evidence.leaky_units.learned`.
    """
    fields = arguments.names("fields", fields)
    own_names = ("mean", "low", "high")
    rows = []
    for control in controls:
        for field in fields:
            own, reference = runs_of(runs, control, field=field), control.reference
            other = own.iloc[:0] if reference is None else runs_of(runs, reference, field=field)
            other = other[other["seed"].isin(own["seed"])]  # so that means differ as pairs do
            for task, cell in own.groupby("task", sort=False):
                pairs = paired_differences(own, other, metric=metric, task=str(task))
                rows.append(
                    {
                        "control": control.name,
                        "reference": control.against or "",
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
    """Read the penalty gradient of every condition at the start of training, and its start.

    Returns
    -------
    DataFrame
        ``field, condition, gradient, gradient_self, gradient_others, largest_self``: mean magnitude
        of the gradient of the penalty per weight, over all weights, over self-connections, over the
        rest. A weight that is zero at the start counts as one without a gradient. ``largest_self``
        is the largest self-connection of the start. All are means over three seeds.
    """
    file = resources.files("cortexrnn") / "data" / "penalty_gradients.csv"
    with file.open(encoding="utf-8") as opened:
        table: pd.DataFrame = pd.read_csv(opened)
    return table


def accuracy_by_gradient(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Put the mean accuracy of every condition beside the gradient of its penalty at the start.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per condition and task with runs: ``condition, variant, task, gradient, mean, start,
        published``. ``variant`` names the variant of the paper from which it differs in the
        strength of its penalty at most, if there is one. Conditions without a penalty, and those
        whose weights are mostly zero at the start, cannot be placed on an axis of gradients and are
        left out.
    """
    gradients = load_penalty_gradients()
    gradients = gradients[(gradients["field"] == field) & (gradients["gradient"] > 0)]
    rows = []
    for name, gradient in zip(gradients["condition"], gradients["gradient"], strict=True):
        one = CONDITIONS[name]
        for task, cell in runs_of(runs, one, field=field).groupby("task", sort=False):
            rows.append(
                {
                    "condition": name,
                    "variant": one.variant.base if one.is_scaled_variant else None,
                    "task": task,
                    "gradient": gradient,
                    "mean": cell["accuracy"].mean(),
                    "start": _kind_of_start(one.variant),
                    "published": one.group == "published",
                }
            )
    return pd.DataFrame(rows)


def _kind_of_start(variant: Variant) -> str:
    """Name the kind of a start: made of a functional relation, orthogonal, or neither."""
    if variant.uses_function:
        return "functional"
    return "orthogonal" if variant.start == "orthogonal" else "other"


def largest_gradients(by_gradient: pd.DataFrame, *, levels: Mapping[str, float]) -> pd.DataFrame:
    """Give the largest gradient at the start under which variants of the sweep pass a level.

    Parameters
    ----------
    by_gradient : DataFrame
        Rows of :func:`accuracy_by_gradient`.
    levels : mapping of str to float
        Mean accuracy that has to be exceeded, by task.

    Returns
    -------
    DataFrame, shape (variants, tasks)
        One column per task of `levels`, whether a variant gets above its level or not; one row per
        variant that does so in any task. NaN where it does not.
    """
    rows = by_gradient.reindex(columns=["variant", "task", "gradient", "mean"])
    above = rows["mean"] > rows["task"].map(dict(levels)).astype(float)  # empty: no text
    reached = rows[rows["variant"].isin(SWEPT) & above]
    largest = reached.groupby(["variant", "task"], sort=False)["gradient"].max().unstack("task")
    return largest.reindex(columns=list(levels))


def spread_in_words(gradients: pd.Series) -> str:
    """Say by what factor gradients differ between variants.

    Parameters
    ----------
    gradients : Series
        A column of :func:`largest_gradients`.

    Returns
    -------
    str
        Such as ``"a factor of about 30"``, or that fewer than two variants reach the level.
    """
    known = gradients.dropna()
    if len(known) < 2:
        return "unknown, since fewer than two variants get there"
    return f"a factor of about {known.max() / known.min():.0f}"


def accuracy_by_strength(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the variants of the sweep at every strength that was run.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per variant, strength and task with runs: ``variant, strength, task, runs, mean,
        low, high``, the published strength included.
    """
    as_published = {(base, STRENGTH): PUBLISHED_VARIANTS[base] for base in SWEPT}
    swept = AT_STRENGTH | as_published | {("W", STRENGTH): W_AT_LAMBDA}
    return _accuracy_along(runs, swept, field=field, names=("variant", "strength"))


def accuracy_by_trials(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the starts that were also trained on fewer trials, by their number.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per start, number and task with runs: ``start, n_train, task, runs, mean, low,
        high``, the number of the paper included.
    """
    whole = {(start, PRESETS["paper"].n_train): one for start, one in WITH_ALL_TRIALS.items()}
    return _accuracy_along(runs, WITH_FEW_TRIALS | whole, field=field, names=("start", "n_train"))


def _accuracy_along(
    runs: pd.DataFrame,
    conditions: Mapping[tuple[str, Any], Control],
    *,
    field: str,
    names: tuple[str, str],
) -> pd.DataFrame:
    """Give the accuracy of every condition and task, sorted by the two parts of its key."""
    rows = []
    order = list(dict.fromkeys(first for first, _ in conditions))
    for key in sorted(conditions, key=lambda key: (order.index(key[0]), key[1])):
        cells = runs_of(runs, conditions[key], field=field).groupby("task", sort=False)
        for task, cell in cells:
            bounds = zip(("mean", "low", "high"), t_interval(cell["accuracy"]), strict=True)
            named = dict(zip(names, key, strict=True))
            rows.append({**named, "task": task, "runs": len(cell), **dict(bounds)})
    return pd.DataFrame(rows, columns=[*names, "task", "runs", "mean", "low", "high"])


def transfer(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Compare the accuracy on a task with and without another task learned before.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per start and pair of tasks with runs: ``start, first_task, task, pairs, alone,
        after, difference, difference_low, difference_high``: accuracy after the first task less
        without, paired by seed.
    """
    rows = []
    for (start, before, task), one in AFTER_ANOTHER.items():
        alone = runs_of(runs, WITH_ALL_TRIALS[start], field=field)
        after = runs_of(runs, one, field=field)
        pairs = paired_differences(after, alone, task=task)
        same = alone[(alone["task"] == task) & alone["seed"].isin(after["seed"])]
        if len(pairs):
            rows.append(
                {
                    "start": start,
                    "first_task": before,
                    "task": task,
                    "pairs": len(pairs),
                    "alone": same["accuracy"].mean(),
                    "after": after["accuracy"].mean(),
                    **dict(zip(DIFFERENCE, t_interval(pairs), strict=True)),
                }
            )
    columns = ["start", "first_task", "task", "pairs", "alone", "after", *DIFFERENCE]
    return pd.DataFrame(rows, columns=columns)


COMPARED = ["field", "pairs", *DIFFERENCE]
"""Columns of :func:`compare_conditions`."""


def findings(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Measure the effect that each claim is about, whatever its cause.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per claim and field where both conditions of its finding have runs: ``claim,
        condition, against, metric, field, pairs, difference, difference_low, difference_high``.
    """
    fields = arguments.names("fields", fields)
    rows = []
    for key, claim in CLAIMS.items():
        condition, against = claim.finding
        named = {"claim": key, "condition": condition, "against": against, "metric": claim.metric}
        differences = compare_conditions(
            runs, condition, against, fields=fields, metric=claim.metric
        )
        rows += [named | row for row in differences.to_dict("records")]
    return pd.DataFrame(rows, columns=["claim", "condition", "against", "metric", *COMPARED])


def compare_conditions(
    runs: pd.DataFrame,
    condition: str,
    against: str,
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Subtract one condition from another, field by field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    condition, against : str
        Names of controls or published variants.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive; its mean over the tasks both conditions share is compared.

    Returns
    -------
    DataFrame
        One row per field where both have runs: ``field, pairs, difference, difference_low,
        difference_high``; see :func:`~cortexrnn.evidence.judgement.paired_differences`.

    Raises
    ------
    ValueError
        If there is no such condition.
    """
    fields = arguments.names("fields", fields)
    for name in (condition, against):
        one_of("condition", name, CONDITIONS)
    return _compare(runs, CONDITIONS[condition], CONDITIONS[against], fields, metric)


def _compare(
    runs: pd.DataFrame,
    condition: Control,
    against: Control,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Subtract one condition from another, field by field."""
    rows = []
    for field in fields:
        both = [runs_of(runs, one, field=field) for one in (condition, against)]
        values = paired_differences(*both, metric=metric)
        if len(values):
            rows.append((field, len(values), *t_interval(values)))
    return pd.DataFrame(rows, columns=COMPARED)


ADDED = {
    "D* for D": ("WD*", "WD"),
    "D* for D, with C": ("WD*C", "WDC"),
    "C, with D": ("WDC", "WD"),
    "C, with D*": ("WD*C", "WD*"),
    "C, with D* and W*": ("W*D*C", "W*D*"),
}
"""Variants with and without an addition to the penalty, by that addition."""


def compare_at_matched_gradient(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Compare variants with and without D* or C at equal penalty gradients at the start.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per pair of ``ADDED``, gradient and field where both have runs: ``prior, variant,
        against, gradient, field, pairs, difference, difference_low, difference_high``; differences
        are those of accuracy as in :func:`compare_conditions`.
    """
    fields = arguments.names("fields", fields)
    rows = []
    for prior, (variant, against) in ADDED.items():
        for gradient in (STRONG_GRADIENT, WEAK_GRADIENT):
            one, other = (AT_GRADIENT[base, gradient] for base in (variant, against))
            named = {"prior": prior, "variant": variant, "against": against, "gradient": gradient}
            differences = _compare(runs, one, other, fields)
            rows += [named | row for row in differences.to_dict("records")]
    return pd.DataFrame(rows, columns=["prior", "variant", "against", "gradient", *COMPARED])


def differences_in_words(table: pd.DataFrame, *, digits: int = 2) -> str:
    """Write rows of :func:`compare_conditions` as one line.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare_conditions`.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        Differences and intervals, each after its field; ``"not run yet"`` without rows.
    """
    written = differences_as_text(table, digits=digits)
    texts = written["field"] + ": " + written["difference"]
    return "; ".join(texts) or "not run yet"


def differences_as_text(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
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
