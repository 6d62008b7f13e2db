"""The table of the paper if the code did what its text says.

Under the ``published`` protocol runs repeat the released code, under the ``corrected`` one they
follow the text. Three things differ: each variant is touched by exactly one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cortexrnn.evidence.equivalence import PUBLISHED_RUNS
from cortexrnn.evidence.headline_effects import HEADLINES, MEAN, by_task, differences_on
from cortexrnn.evidence.intervals import share_interval, t_interval, with_interval
from cortexrnn.evidence.judgement import DIFFERENCE
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.evidence.published import published_cells
from cortexrnn.evidence.seed_clusters import simultaneous_intervals
from cortexrnn.evidence.success_counts import accuracy_limits, published_counts, recorded_runs
from cortexrnn.networks.specification import PUBLISHED
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS, Variant
from cortexrnn.runs.controls import AS_WRITTEN, CONDITIONS, CONTROLS, PUBLISHED_VARIANTS, Control
from cortexrnn.runs.labels import runs_of

__all__ = [
    "METRICS",
    "SIDES",
    "beside_published",
    "beside_published_as_text",
    "counts_as_text",
    "differences_from_same",
    "effects_as_text",
    "effects_in_words",
    "effects_on_both_sides",
    "in_words",
    "learned_counts",
    "published_range",
    "same_computations",
    "single_runs",
    "switch_of",
    "switches",
]

METRICS = ("accuracy", "entropy", "modularity", "small_worldness", "assortativity")
"""Columns of the archive that the paper prints."""
SIDES = {
    "recorded": {name: PUBLISHED_VARIANTS[name] for name in VARIANTS},
    "corrected": AS_WRITTEN,
}
"""Conditions by variant, under the protocol of the released code and under that of the text."""
PAPER_FIELD = "6_6_2"
"""The only field whose table the paper prints."""
SWITCHES = {
    "coordinates": (
        "soma position behind D*",
        "each unit gets coordinates of other neurons",
        "each unit has those of its own neuron",
    ),
    "grid_scale": (
        "scale of the grid behind D",
        "integer steps, distances several times larger than those of D*",
        "scaled to the unit cube, as positions are",
    ),
    "plain_strength": (
        "strength of the plain penalty of W",
        "1",
        "that of all other variants",
    ),
}
"""What differs between code and text: in what, what the code does, what the text says."""


def switch_of(variant: Variant) -> str:
    """Name the switch of the protocol that touches a variant.

    Parameters
    ----------
    variant : Variant
        A variant of the paper.

    Returns
    -------
    {"coordinates", "grid_scale", "plain_strength"}
        D* depends on the coordinates, D on the scale of the grid, and a penalty without distances
        on the strength of the plain one.
    """
    by_distance = {"soma": "coordinates", "grid": "grid_scale", None: "plain_strength"}
    return by_distance[variant.distance]


def switches() -> pd.DataFrame:
    """List what differs between code and text, and which variants it touches.

    Returns
    -------
    DataFrame
        One row per switch: ``switch, what, code, text, variants``.
    """
    touched = {name: switch_of(variant) for name, variant in VARIANTS.items()}
    rows = []
    for switch, said in SWITCHES.items():
        names = [name for name, own in touched.items() if own == switch]
        rows.append((switch, *said, ", ".join(names)))
    return pd.DataFrame(rows, columns=["switch", "what", "code", "text", "variants"])


def beside_published(
    runs: pd.DataFrame, *, field: str, metric: str = "accuracy", rng: np.random.Generator
) -> pd.DataFrame:
    """Put the published table, recorded runs of the code and of the text beside one another.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field. The paper prints the table of 6_6_2.
    metric : str
        One of ``METRICS``.
    rng : numpy.random.Generator
        Source of what simultaneous intervals need.

    Returns
    -------
    DataFrame
        One row per variant and task: ``variant, task, switch``; ``published``, ``recorded`` and
        ``corrected`` (means) with their ``_low`` and ``_high`` (95 % t intervals);
        ``recorded_runs`` and ``corrected_runs``; ``difference, difference_low, difference_high``,
        corrected less recorded over the seeds of both, whose intervals hold together for all cells
        of the field. NaN where the paper has no such cell, or runs are missing.

    Raises
    ------
    KeyError
        If the paper does not print the metric.
    """
    if metric not in METRICS:
        raise KeyError(f"unknown metric {metric!r}; choose one of {', '.join(METRICS)}")
    table = pd.MultiIndex.from_product([list(VARIANTS), list(TASKS)], names=["variant", "task"])
    table = table.to_frame(index=False)
    table["switch"] = [switch_of(VARIANTS[name]) for name in table["variant"]]
    for part in (
        _paper(field, metric),
        *(_means(runs, side, field, metric) for side in SIDES),
        _changes(runs, field, metric, rng),
    ):
        table = table.merge(part, how="left", on=["variant", "task"])
    numbers = table.columns[3:]
    table[numbers] = table[numbers].astype(float)  # of empty tables they have no type
    counted = [f"{side}_runs" for side in SIDES]
    table[counted] = table[counted].fillna(0).astype(int)
    return table


def _paper(field: str, metric: str) -> pd.DataFrame:
    """Give published means with their intervals."""
    cells = published_cells()
    cells = cells[(cells["metric"] == metric) & (cells["arm"] == "corr")]
    cells = cells if field == PAPER_FIELD else cells.head(0)
    return cells[["variant", "task", "published", "published_low", "published_high"]]


def _means(runs: pd.DataFrame, side: str, field: str, metric: str) -> pd.DataFrame:
    """Means of recorded runs under one protocol, with their intervals."""
    rows = []
    for variant, condition in SIDES[side].items():
        cells = runs_of(runs, condition, field=field).groupby("task", sort=False)
        rows += [(variant, task, *t_interval(cell[metric]), len(cell)) for task, cell in cells]
    columns = ["variant", "task", side, f"{side}_low", f"{side}_high", f"{side}_runs"]
    return pd.DataFrame(rows, columns=columns)


def _changes(runs: pd.DataFrame, field: str, metric: str, rng: np.random.Generator) -> pd.DataFrame:
    """Corrected less recorded, cell by cell, with simultaneous intervals."""
    columns = {
        variant: differences_on(
            runs, (condition.name, PUBLISHED_VARIANTS[variant].name), field=field, metric=metric
        )
        for variant, condition in AS_WRITTEN.items()
    }
    differences = pd.concat(columns, axis=1, names=["variant", "task"]).dropna(axis=1, how="all")
    intervals = simultaneous_intervals(differences, rng=rng)
    return intervals[DIFFERENCE].reset_index()


def single_runs(runs: pd.DataFrame, *, field: str, metric: str = "accuracy") -> pd.DataFrame:
    """List the runs behind the recorded means.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.
    metric : str
        Column of the archive.

    Returns
    -------
    DataFrame
        One row per run: ``variant, task, side, seed, value``.
    """
    parts = [
        runs_of(runs, condition, field=field)
        .rename(columns={metric: "value"})[["task", "seed", "value"]]
        .assign(variant=variant, side=side)
        for side, conditions in SIDES.items()
        for variant, condition in conditions.items()
    ]
    return pd.concat(parts, ignore_index=True)[["variant", "task", "side", "seed", "value"]]


def learned_counts(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Count the runs that learned under either protocol.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per variant, task and protocol with runs: ``variant, task, side`` (``recorded`` or
        ``corrected``), ``learned, runs, share, share_low, share_high``. The 95 % interval of a
        share is that of Clopper and Pearson. See :func:`cortexrnn.evidence.leaky_units.learned`.
    """
    rows = []
    for side, conditions in SIDES.items():
        for variant, condition in conditions.items():
            for task, cell in runs_of(runs, condition, field=field).groupby("task", sort=False):
                n = int(learned(str(task), cell["accuracy"]).sum())
                share = (n / len(cell), *share_interval(n, len(cell)))
                rows.append((variant, task, side, n, len(cell), *share))
    columns = ["variant", "task", "side", "learned", "runs", "share", "share_low", "share_high"]
    return pd.DataFrame(rows, columns=columns)


def published_range(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Say how many runs of every published cell can have learned.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        Rows of :func:`cortexrnn.evidence.success_counts.published_counts` with free weights; none
        for a field whose table the paper does not print.
    """
    is_printed = field == PAPER_FIELD
    limits = accuracy_limits(recorded_runs(runs, field=field)) if is_printed else {}
    counts = published_counts(limits).dropna()
    return counts[counts["arm"] == "corr"]


def counts_as_text(counts: pd.DataFrame, *, published: pd.DataFrame) -> pd.DataFrame:
    """Write counts for a page: one row per variant, three columns per task.

    Parameters
    ----------
    counts : DataFrame
        Rows of :func:`learned_counts`.
    published : DataFrame
        Rows of :func:`published_range`.

    Returns
    -------
    DataFrame, shape (variants, tasks x 3)
        Such as ``"18"``, with ``"of 10"`` where runs are not 20, or ``"15 to 18"`` where the
        published numbers leave that open; ``"not run yet"`` and ``"not in the paper"`` without. A
        side of which nothing is there has no column.
    """
    number = counts["learned"].astype(str)
    full = counts["runs"] == PUBLISHED_RUNS
    texts = number.where(full, number + " of " + counts["runs"].astype(str))
    ends = published[["fewest", "most"]].astype(int).astype(str).to_numpy()
    paper = published[["variant", "task"]].assign(
        side="published", text=[" to ".join(dict.fromkeys(pair)) for pair in ends]
    )
    keys = ["variant", "task", "side"]
    rows = pd.concat([paper, counts[keys].assign(text=texts)])
    sides = [side for side in ("published", *SIDES) if side in set(rows["side"])]
    columns = pd.MultiIndex.from_product([list(TASKS), sides])
    wide = rows.set_index(keys)["text"].unstack(["task", "side"])
    wide = wide.reindex(index=list(VARIANTS), columns=columns)
    for column in wide:
        missing = "not in the paper" if column[1] == "published" else "not run yet"
        wide[column] = wide[column].fillna(missing)
    titles = {name: task.title for name, task in TASKS.items()}
    return wide.rename(columns=titles, level=0).rename_axis(index="variant")


def beside_published_as_text(table: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """Write the table for a page, mean and interval together.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`beside_published`.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame
        Indexed by task and variant: ``published``, ``recorded``, ``corrected``, ``difference``;
        ``"not in the paper"`` or ``"not run yet"`` where there is none.
    """
    titles = [TASKS[name].title for name in table["task"]]
    shown = pd.DataFrame({"task": titles, "variant": table["variant"]})
    for column in ("published", *SIDES, "difference"):
        values = table[[column, f"{column}_low", f"{column}_high"]].to_numpy(dtype=float)
        missing = "not in the paper" if column == "published" else "not run yet"
        shown[column] = [with_interval(*row, digits=digits) or missing for row in values]
    order = {title: place for place, title in enumerate(dict.fromkeys(titles))}
    shown = shown.sort_values("task", key=lambda column: column.map(order), kind="stable")
    return shown.set_index(["task", "variant"])


def in_words(table: pd.DataFrame, counts: pd.DataFrame) -> str:
    """Say what changes where the code does what the text says.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`beside_published`, accuracy.
    counts : DataFrame
        Rows of :func:`learned_counts`.

    Returns
    -------
    str
        How many cells change, the largest change, and how many runs learn; or that there are no
        such runs yet.
    """
    both = table.dropna(subset=["difference"])
    if both.empty:
        return "No variant was run under the corrected protocol on this field yet."
    up, down = (both["difference_low"] > 0).sum(), (both["difference_high"] < 0).sum()
    largest = both.loc[both["difference"].abs().idxmax()]
    pairs = counts.pivot_table(
        ["learned", "runs"], ["variant", "task"], "side", aggfunc="sum"
    ).dropna()
    totals = pairs.sum().astype(int)
    learned_in = {
        side: f"{totals['learned', side]} of {totals['runs', side]} runs" for side in SIDES
    }
    return (
        f"Of {len(both)} cells (a variant on a task), accuracy is surely higher in {up} and surely "
        f"lower in {down} where the code does what the text says. The largest change is "
        f"{largest['difference']:+.2f}, {largest['variant']} in "
        f"{TASKS[largest['task']].title}. Under the text's protocol {learned_in['corrected']} "
        f"learn, under the code's {learned_in['recorded']}."
    )


def effects_on_both_sides(
    runs: pd.DataFrame, *, fields: Sequence[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Measure the effects that the claims are about under both protocols.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    rng : numpy.random.Generator
        Source of what simultaneous intervals need.

    Returns
    -------
    DataFrame
        Rows of :func:`cortexrnn.evidence.headline_effects.by_task` for every headline effect that
        is one of published variants, with ``side``: ``recorded`` or ``corrected``. All intervals
        hold together.
    """
    effects = {
        (name, side): (conditions[one].name, conditions[two].name)
        for name, (one, two) in HEADLINES.items()
        if {one, two} <= set(VARIANTS)
        for side, conditions in SIDES.items()
    }
    numbered = {f"{place}": pair for place, pair in enumerate(effects.values())}
    table = by_task(runs, fields=fields, effects=numbered, rng=rng)
    names = [list(effects)[int(place)] for place in table["effect"]]
    table["effect"] = [name for name, _ in names]
    return table.assign(side=[side for _, side in names])


def effects_as_text(table: pd.DataFrame, *, task: str = MEAN, digits: int = 2) -> pd.DataFrame:
    """Write the effects under both protocols for a page.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`effects_on_both_sides`.
    task : str
        Name of a task, or ``"mean"`` over tasks.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame
        One row per effect and field; columns ``recorded`` and ``corrected``, ``"not run yet"``
        where there are no runs.
    """
    chosen = table[table["task"] == task]
    values = chosen[DIFFERENCE].to_numpy(dtype=float)
    chosen = chosen.assign(text=[with_interval(*row, digits=digits) for row in values])
    wide = chosen.pivot_table("text", ["effect", "field"], "side", aggfunc="first", sort=False)
    return wide.reindex(columns=list(SIDES)).fillna("not run yet").rename_axis(columns=None)


def effects_in_words(table: pd.DataFrame) -> str:
    """Name the effects that are surely there under one protocol and not under the other.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`effects_on_both_sides`; the means over tasks are taken.

    Returns
    -------
    str
        Each such effect with its intervals, field by field; that there is none, or that the other
        protocol was not run.
    """
    means = table[(table["task"] == MEAN) & table["difference"].notna()]
    sure = (means["difference_low"] > 0) | (means["difference_high"] < 0)
    texts = effects_as_text(means)
    by_side = means.assign(sure=sure).pivot(
        index=["field", "effect"], columns="side", values="sure"
    )
    both = by_side.reindex(columns=list(SIDES)).dropna()
    if both.empty:
        return "No effect was measured under both protocols yet."
    sentences = []
    for field, cells in both.groupby(level="field", sort=False):
        moved = cells.index[cells["recorded"] != cells["corrected"]].get_level_values("effect")
        pairs = [(name, *texts.loc[(name, field)]) for name in texts.index.unique("effect")
                 if name in moved]  # fmt: skip
        told = "; ".join(f"“{name}” is {code} and {text}" for name, code, text in pairs)
        sentences.append(f"On field {field} {told or 'no effect is there under one alone'}.")
    return " ".join(sentences)


def same_computations() -> dict[str, str]:
    """Find controls that are the same computation as a corrected variant.

    Their runs have an identity of their own, since it holds the whole protocol, the switches
    included that do not touch the variant.

    Returns
    -------
    dict of str to str
        Name of the control by name of the corrected variant.
    """
    return {
        corrected.name: control.name
        for corrected in AS_WRITTEN.values()
        for control in CONTROLS.values()
        if control is not corrected and _computes_the_same(control, corrected)
    }


def _computes_the_same(one: Control, two: Control) -> bool:
    """Whether two conditions differ only in switches that do not touch their variant."""
    sides = [(each.variant, each.settings, each.tasks, each.strengths) for each in (one, two)]
    if sides[0] != sides[1]:
        return False
    touching = switch_of(one.variant)
    untouched = {name: getattr(PUBLISHED, name) for name in SWITCHES if name != touching}
    first, second = (replace(each.protocol, name="", **untouched) for each in (one, two))
    return first == second


def differences_from_same(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Check that corrected variants give what the same computation gave before.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per pair of :func:`same_computations` and field where both have runs: ``corrected,
        control, field, runs`` (of equal task and seed), ``equal`` (how many of these agree in every
        digit of accuracy), ``same_outcome`` (how many both learned or both did not) and ``largest``
        (difference in accuracy). Runs are equal to every digit where arithmetic and library were
        the same.
    """
    rows = []
    for name, other in same_computations().items():
        for field in fields:
            both = [
                runs_of(runs, CONDITIONS[one], field=field).set_index(["task", "seed"])["accuracy"]
                for one in (name, other)
            ]
            pairs = pd.concat(both, axis=1, keys=["one", "two"], join="inner").dropna()
            if len(pairs):
                rows.append((name, other, field, *_agreement(pairs)))
    columns = ["corrected", "control", "field", "runs", "equal", "same_outcome", "largest"]
    return pd.DataFrame(rows, columns=columns)


def _agreement(pairs: pd.DataFrame) -> tuple[int, int, int, float]:
    """Compare runs of equal task and seed."""
    tasks = pairs.index.get_level_values("task")
    outcome = [
        learned(str(task), one) == learned(str(task), two)
        for task, one, two in zip(tasks, pairs["one"], pairs["two"], strict=True)
    ]
    apart = (pairs["one"] - pairs["two"]).abs()
    return len(pairs), int((apart == 0).sum()), int(np.sum(outcome)), float(apart.max())
