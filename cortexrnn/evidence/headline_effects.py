"""Headline effects: task by task beside their mean, and on other draws of trials.

A mean over tasks can hide that an effect reverses from task to task; and every run of the paper's
design has the same draw of trials, so that seeds alone do not show what another draw would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cortexrnn.evidence.intervals import with_interval
from cortexrnn.evidence.judgement import DIFFERENCE
from cortexrnn.evidence.seed_clusters import simultaneous_intervals
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.specification import arm
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import CONDITIONS, Control
from cortexrnn.runs.labels import as_published, runs_of

__all__ = [
    "FUNCTION",
    "HEADLINES",
    "as_text",
    "by_draw",
    "by_task",
    "differences_by_seed",
    "differences_on",
    "in_words",
]

Pair = tuple[str, str]

FUNCTION: dict[str, Pair] = {
    "W*, under D*": ("W*D*", "WD*"),
    "W*, under D* and C*": ("W*D*C*", "WD*C*"),
    "W*, under D* and C": ("W*D*C", "WD*C"),
}
"""Gains of W* over an orthogonal start, without direct C and with it."""
HEADLINES: dict[str, Pair] = {
    **FUNCTION,
    "W! for W*": ("W!D*C*", "W*D*C*"),
    "D* for D": ("WD*", "WD"),
    "D* for D, with C": ("WD*C", "WDC"),
    "C, with D*": ("WD*C", "WD*"),
    "C, with D* and W*": ("W*D*C", "W*D*"),
}
"""Effects that claims of the paper are about: two conditions, the first less the second."""
MEAN = "mean"
"""Name of the mean over the tasks of the paper, beside theirs."""
BY_TASK = ["effect", "field", "task", "seeds", *DIFFERENCE]
"""Columns of :func:`by_task`."""
BY_DRAW = ["effect", "field", "task", "draws", "seeds", "lowest", "median", "highest", "positive"]
"""Columns of :func:`by_draw`."""


def differences_by_seed(
    runs: pd.DataFrame,
    pair: Pair,
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
    tasks: Sequence[str] = tuple(TASKS),
) -> pd.DataFrame:
    """Subtract runs of equal field, task and seed.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    pair : tuple of str
        Names of two conditions, the first less the second.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive.
    tasks : sequence of str
        Names of the tasks.

    Returns
    -------
    DataFrame, shape (seeds, fields x (1 + tasks))
        Columns by field and task, and their mean over tasks as ``"mean"``, which a seed has where
        it has every task. Fields without runs of all these tasks of both conditions are left out.
    """
    columns: dict[tuple[str, str], pd.Series] = {}
    for field in fields:
        difference = differences_on(runs, pair, field=field, metric=metric, tasks=tasks)
        if difference.notna().any().all():
            columns[field, MEAN] = difference.mean(axis=1, skipna=False)
            columns |= {(field, task): difference[task] for task in tasks}
    names = pd.MultiIndex.from_tuples(columns, names=["field", "task"])
    return pd.DataFrame(dict(enumerate(columns.values()))).set_axis(names, axis=1)


def differences_on(
    runs: pd.DataFrame,
    pair: Pair,
    *,
    field: str,
    metric: str = "accuracy",
    tasks: Sequence[str] = tuple(TASKS),
) -> pd.DataFrame:
    """Subtract runs of equal task and seed on one field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    pair : tuple of str
        Names of two conditions, the first less the second.
    field : str
        Name of the field.
    metric : str
        Column of the archive.
    tasks : sequence of str
        Names of the tasks.

    Returns
    -------
    DataFrame, shape (seeds, tasks)
        NaN where a run is missing or diverged.
    """
    one, two = (
        runs_of(runs, CONDITIONS[name], field=field)
        .pivot_table(index="seed", columns="task", values=metric)
        .reindex(columns=list(tasks))
        for name in pair
    )
    return one - two


def by_task(
    runs: pd.DataFrame,
    *,
    fields: Sequence[str],
    effects: Mapping[str, Pair] = HEADLINES,
    metric: str = "accuracy",
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Measure effects in every task and in the mean over tasks, with intervals that hold together.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    effects : mapping of str to tuple of str
        Two conditions by the name of the effect.
    metric : str
        Column of the archive.
    rng : numpy.random.Generator
        Source of what the intervals need, see
        :func:`~cortexrnn.evidence.seed_clusters.simultaneous_intervals`.

    Returns
    -------
    DataFrame
        One row per effect, field, and ``mean`` or task: ``effect, field, task, seeds, difference,
        difference_low, difference_high``. All intervals of the table together hold with 95 %:
        runs of one seed share trials and noise on every field. An effect that was not run on a
        field has no row there.
    """
    fields = arguments.names("fields", fields)
    tables = {
        name: differences_by_seed(runs, pair, fields=fields, metric=metric)
        for name, pair in effects.items()
    }
    together = pd.concat(tables, axis=1, names=["effect"])
    if together.empty:
        return pd.DataFrame(columns=BY_TASK)
    return simultaneous_intervals(together, rng=rng).reset_index()[BY_TASK]


def by_draw(
    runs: pd.DataFrame, *, fields: Sequence[str], effects: Mapping[str, Pair] = HEADLINES
) -> pd.DataFrame:
    """Measure effects on every draw of trials.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    effects : mapping of str to tuple of str
        Two conditions by the name of the effect. Only the eleven variants have several draws.

    Returns
    -------
    DataFrame
        One row per effect, field, and ``mean`` or task with at least two draws: ``effect, field,
        task, draws, seeds, lowest, median, highest, positive``. Every draw gives one difference,
        over the seeds that all draws have; ``positive`` counts the draws in which it is.
    """
    fields = arguments.names("fields", fields)
    rows = []
    for name, pair in effects.items():
        one, two = (_on_draws(runs, CONDITIONS[condition], fields) for condition in pair)
        difference = (one - two).dropna(how="all")  # index: field, task, seed; columns: draws
        for field, of_field in difference.groupby(level="field", sort=False):
            whole = of_field.dropna(axis=1, how="all").dropna()
            if whole.shape[1] < 2 or whole.empty:
                continue
            per_task = whole.groupby(level="task").mean().reindex(list(TASKS))
            seeds = int(whole.groupby(level="task").size().min())
            # A field may have several draws of some tasks alone, and then no mean over tasks.
            over_tasks = per_task.mean(skipna=False).to_frame(MEAN).T
            means = pd.concat([over_tasks, per_task]).dropna()
            rows += [
                _of_draws(values) | {"effect": name, "field": field, "task": task, "seeds": seeds}
                for task, values in means.iterrows()
            ]
    return pd.DataFrame(rows, columns=BY_DRAW)


def _on_draws(runs: pd.DataFrame, condition: Control, fields: Sequence[str]) -> pd.DataFrame:
    """Accuracy of a variant by field, task and seed (rows) and draw of trials (columns)."""
    chosen = runs[
        (condition.group == "published")  # of others nothing was drawn anew
        & (runs["variant"] == condition.variant.name)
        & (runs["arm"] == arm(condition.relation, condition.sign))
        & runs["field"].isin(fields)
    ]
    chosen = as_published(chosen).drop_duplicates("identity")
    index = ["field", "task", "seed"]
    return chosen.pivot_table(index=index, columns="data_seed", values="accuracy")


def _of_draws(values: pd.Series) -> dict[str, float]:
    """Summarise the differences of all draws."""
    return {
        "draws": len(values),
        "lowest": values.min(),
        "median": values.median(),
        "highest": values.max(),
        "positive": int((values > 0).sum()),
    }


def as_text(by_task: pd.DataFrame, by_draw: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """Write effects for a page: task by task, their mean, and what other draws of trials gave.

    Parameters
    ----------
    by_task, by_draw : DataFrame
        Rows of :func:`by_task` and :func:`by_draw`.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame
        One row per effect and field; columns: the mean over tasks, every task, and ``draws of
        trials``, which is about the mean over tasks: ``"one"`` where there is no other draw.
    """
    values = by_task[DIFFERENCE].to_numpy(dtype=float)
    named = by_task.assign(text=[with_interval(*row, digits=digits) for row in values])
    table = named.set_index(["effect", "field", "task"])["text"].unstack("task")
    table = table.reindex(index=named.set_index(["effect", "field"]).index.unique())
    titles = {MEAN: "mean over tasks"} | {name: task.title for name, task in TASKS.items()}
    table = table.reindex(columns=list(titles)).rename(columns=titles).rename_axis(columns=None)
    draws = {
        (row["effect"], row["field"]): (
            f"{row['draws']}: {row['lowest']:z.{digits}f} to {row['highest']:z.{digits}f}, "
            f"positive in {row['positive']}"
        )
        for row in by_draw[by_draw["task"] == MEAN].to_dict("records")
    }
    return table.assign(**{"draws of trials": [draws.get(key, "one") for key in table.index]})


def in_words(table: pd.DataFrame, effect: str, field: str, *, digits: int = 2) -> str:
    """Write one effect as a line: every task, then their mean.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`by_task`.
    effect, field : str
        Which.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        Such as ``"+0.34 in One-choice inference, -0.06 in Perceptual decision, ... (mean +0.12)"``;
        ``"not run yet"`` where it was not.
    """
    chosen = table[(table["effect"] == effect) & (table["field"] == field)]
    if chosen.empty:
        return "not run yet"
    value = chosen.set_index("task")["difference"].map(f"{{:+.{digits}f}}".format)
    tasks = ", ".join(f"{value[name]} in {task.title}" for name, task in TASKS.items())
    return f"{tasks} (mean {value[MEAN]})"
