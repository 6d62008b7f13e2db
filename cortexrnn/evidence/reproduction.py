"""Recorded runs and other trainings of the same runs: how far runs and verdicts can be repeated.

Training amplifies rounding. A run that is trained with other arithmetic, on another library or on
another kind of processor ends elsewhere, as a run of another seed would. Pairs of one identity show
by how much, and whether anything that the book concludes moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cortexrnn.evidence import replication
from cortexrnn.evidence.equivalence import FALSE_DISCOVERY_RATE
from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.archive import METRICS, SCHEMA, read_runs, run_files
from cortexrnn.runs.verification import RELATIVE, TOLERANCES

__all__ = [
    "changed_as_text",
    "changed_in_words",
    "changed_verdicts",
    "differences",
    "distance_to_bound",
    "earliest",
    "in_order",
    "load_again",
    "outcomes",
    "pairs",
    "repeated",
    "replaced",
    "rounding",
    "summary",
]

KEY = ["identity", "relation", "field"]
"""What the trainings of a run have in common, and so everything but what computed them."""
TRAINING = [*KEY, "numerics", "finished"]
"""What identifies one training of a run."""
CELL = ["field", "arm", "condition", "task"]
"""What the runs of a cell have in common."""


def load_again() -> pd.DataFrame:
    """Load the other trainings of recorded runs.

    They are earlier than the recorded ones, which took their place, or later.

    Returns
    -------
    DataFrame
        Rows with the columns of :data:`cortexrnn.runs.archive.SCHEMA`; each has the identity of a
        row of the archive. A run may have several.
    """
    with resources.as_file(resources.files("cortexrnn") / "data" / "again") as folder:
        files = run_files(Path(folder))
        return pd.concat([read_runs(file) for file in files], ignore_index=True)


def repeated(table: pd.DataFrame) -> pd.DataFrame:
    """Choose pairs of the paper's design of which a cell has several, so that its runs scatter.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`.

    Returns
    -------
    DataFrame
        Some of its rows.
    """
    design = table[table["published"]]
    return design[design.duplicated(CELL, keep=False)]


def earliest(again: pd.DataFrame) -> pd.DataFrame:
    """Choose the first training of every run.

    Parameters
    ----------
    again : DataFrame
        Trainings of runs.

    Returns
    -------
    DataFrame
        One row per run, in the order of `again`.
    """
    first = again.sort_values("finished", kind="stable").drop_duplicates(KEY)
    return first.sort_index()


def pairs(archive: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Put recorded runs beside other trainings of the same runs.

    Parameters
    ----------
    archive : DataFrame
        Runs as :func:`cortexrnn.runs.archive.load_archive` gives them.
    again : DataFrame
        Runs with identities of the archive, of which some may be there several times.

    Returns
    -------
    DataFrame
        One row per run of `again`: field, arm, condition, variant, task, seed, whether it is
        ``published``, ``numerics``, ``commit``, ``finished`` and every metric of the recorded run,
        and with the suffix ``_again`` those of the other.

    Raises
    ------
    ValueError
        If a run of `again` is not in the archive, or the same training is given twice.
    """
    shared = ["arm", "condition", "variant", "task", "seed", "published"]
    own = ["numerics", "commit", "finished", "diverged", *METRICS]
    _check(archive, again, once=TRAINING)
    return archive[[*KEY, *shared, *own]].merge(
        again[[*KEY, *own]], on=KEY, suffixes=("", "_again"), validate="one_to_many"
    )


def _check(archive: pd.DataFrame, again: pd.DataFrame, *, once: Sequence[str]) -> None:
    """Refuse runs that are not in the archive, or there more than once."""
    known = pd.MultiIndex.from_frame(archive[KEY])
    asked = pd.MultiIndex.from_frame(again[KEY])
    if missing := [key for key in asked if key not in known]:
        raise ValueError(
            f"{len(missing)} runs are not in the archive, the first is {missing[0][0]}"
        )
    if (twice := again.duplicated(list(once))).any():
        identity = again.loc[twice, "identity"].iloc[0]
        raise ValueError(f"run {identity} was given twice; give one of the two")


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Turn pairs so that the later training is the second one.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`.

    Returns
    -------
    DataFrame
        The same, the two sides exchanged where the recorded run is the later one.
    """
    second = [name for name in table if name.endswith("_again")]
    first = [name.removesuffix("_again") for name in second]
    turned = table["finished_again"] < table["finished"]
    exchanged = table.rename(columns=dict(zip(first + second, second + first, strict=True)))
    return pd.concat([table[~turned], exchanged[turned]])[table.columns].sort_index()


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Differences of every metric, the other training less the recorded one.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`.

    Returns
    -------
    DataFrame
        One row per metric: ``pairs`` in which both have a value, how many are ``equal`` to the last
        bit, ``mean, low, high`` of the difference with a 95 % interval of Student's t, the
        ``median`` and the ``largest`` absolute difference, and the share of pairs ``within`` the
        tolerance of :mod:`cortexrnn.runs.verification`.
    """
    rows = []
    for metric in METRICS:
        difference = (table[f"{metric}_again"] - table[metric]).dropna()
        mean, low, high = t_interval(difference)
        size = difference.abs()
        recorded = table.loc[difference.index, metric].abs()
        unit = recorded.clip(lower=1) if metric in RELATIVE else 1.0
        rows.append(
            {
                "metric": metric,
                "pairs": len(difference),
                "equal": int((difference == 0).sum()),
                "mean": mean,
                "low": low,
                "high": high,
                "median": float(size.median()),
                "largest": float(size.max()) if len(size) else np.nan,
                "within": float((size <= TOLERANCES[metric] * unit).mean()),
            }
        )
    return pd.DataFrame(rows)


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of which one run learned and the other did not.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`, of tasks of the paper.

    Returns
    -------
    DataFrame
        Those rows of which one is above the level that a network without memory reaches and the
        other is not, see :func:`cortexrnn.evidence.leaky_units.learned`, or only one diverged.
    """
    return table[_apart(table)]


def _apart(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether only one run of a pair learned, or only one diverged."""
    apart: NDArray[np.bool_] = (table["diverged"] != table["diverged_again"]).to_numpy(dtype=bool)
    for task in table["task"].unique():
        rows = (table["task"] == task).to_numpy()
        both = [learned(task, table.loc[rows, name]) for name in ("accuracy", "accuracy_again")]
        apart[rows] |= both[0] != both[1]
    return apart


def rounding(table: pd.DataFrame, *, by: Sequence[str] = ("variant",)) -> pd.DataFrame:
    """Compare how much rounding moves a run with how far runs of other seeds are apart.

    Variances are computed within cells (field, arm, condition and task) and averaged over them, so
    that differences between tasks do not count as scatter.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`, one for each run.
    by : sequence of str
        Columns by which rows are grouped, besides the metric.

    Returns
    -------
    DataFrame
        One row per group and metric: number of ``pairs`` in which both runs have a value,
        ``median`` and ``p95`` (the 95th percentile) of the absolute difference, ``rounding_sd``,
        the standard deviation of the difference over the root of two, which is that of a single
        run, ``seed_sd`` over seeds (of both trainings, averaged), ``ratio`` of the two (1: another
        training of a run is as far from it as a run of another seed; at most 1.41), and ``apart``,
        the share of pairs of which one run learned and the other did not.

    Raises
    ------
    ValueError
        If a run is in several pairs.
    """
    by = arguments.names("by", by)
    if table.duplicated(KEY).any():
        raise ValueError("table: a run is in several pairs; choose one of its trainings")
    apart = pd.Series(_apart(table), index=table.index)
    rows = []
    for key, group in table.groupby(by, sort=False):
        shared = dict(zip(by, key, strict=True)) | {"apart": float(apart[group.index].mean())}
        rows += [{"metric": metric} | _scatter(group, metric) | shared for metric in METRICS]
    order = [*by, "metric", "pairs", "median", "p95", "rounding_sd", "seed_sd", "ratio", "apart"]
    result = pd.DataFrame(rows, columns=order)
    place = result["metric"].map(list(METRICS).index)
    return result.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def _scatter(group: pd.DataFrame, metric: str) -> dict[str, float]:
    """Scatter of one metric over trainings and over seeds."""
    known = group[group[metric].notna() & group[f"{metric}_again"].notna()]
    known = known.assign(difference=known[f"{metric}_again"] - known[metric])
    size = known["difference"].abs()
    cells = known.groupby(CELL)
    of_difference = cells["difference"].var().mean()
    of_seeds = cells[[metric, f"{metric}_again"]].var().mean(axis=None)
    return {
        "pairs": len(known),
        "median": float(size.median()),
        "p95": float(size.quantile(0.95)),
        "rounding_sd": float(np.sqrt(of_difference / 2)),
        "seed_sd": float(np.sqrt(of_seeds)),
        "ratio": float(np.sqrt(of_difference / 2 / of_seeds)) if of_seeds else np.nan,
    }


def summary(table: pd.DataFrame, by_variant: pd.DataFrame) -> dict[str, float | str]:
    """Say in a few numbers how far another training of a run lies from it.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`, one for each run.
    by_variant : DataFrame
        Rows of :func:`rounding` for them, by ``variant``.

    Returns
    -------
    dict of str to float or str
        ``n_pairs``; ``ratio_low`` and ``ratio_high``, least and largest over metrics of the median
        ratio of the variants, with their ``metric_low`` and ``metric_high``; ``median`` and ``p95``
        of the absolute difference of accuracies; and ``apart``, the share of pairs of which one run
        learned and the other did not.
    """
    ratios = by_variant.groupby("metric")["ratio"].median()
    size = (table["accuracy_again"] - table["accuracy"]).abs()
    return {
        "n_pairs": len(table),
        "ratio_low": float(ratios.min()),
        "ratio_high": float(ratios.max()),
        "metric_low": str(ratios.idxmin()).replace("_", " "),
        "metric_high": str(ratios.idxmax()).replace("_", " "),
        "median": float(size.median()),
        "p95": float(size.quantile(0.95)),
        "apart": len(outcomes(table)) / len(table),
    }


def replaced(archive: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Put other trainings in the place of the recorded ones.

    Parameters
    ----------
    archive, again : DataFrame
        Runs; those of `again` have identities of the archive, each once.

    Returns
    -------
    DataFrame
        The archive with other values in the rows of `again`.

    Raises
    ------
    ValueError
        If a run of `again` is not in the archive, or is given twice.
    """
    _check(archive, again, once=KEY)
    columns = [name for name in SCHEMA.names if name in again and name not in KEY]
    place = pd.Series(archive.index, index=pd.MultiIndex.from_frame(archive[KEY]))
    rows = place[pd.MultiIndex.from_frame(again[KEY])].to_numpy()
    result = archive.copy()
    for name in columns:
        column = archive[name].astype(object)
        column[rows] = pd.Series(again[name].to_numpy(), index=rows, dtype=object)
        result[name] = column.astype(archive[name].dtype)
    return result


def changed_verdicts(archive: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of the replication that change with other trainings of the same runs.

    Parameters
    ----------
    archive, again : DataFrame
        Runs; those of `again` have identities of the archive, each once.

    Returns
    -------
    DataFrame
        Rows of :func:`cortexrnn.evidence.replication.compare_with_published` whose verdict differs:
        ``arm, metric, variant, task, published, margin``, and ``mean``, ``verdict`` and
        ``to_bound`` (see :func:`distance_to_bound`) of the recorded runs and, with the suffix
        ``_again``, with the others in their place. No row where no verdict depends on rounding.
    """
    keys = [*replication.CELL, "published", "margin"]
    before, after = (
        table.assign(to_bound=distance_to_bound(table))[[*keys, "mean", "verdict", "to_bound"]]
        for table in map(replication.compare_with_published, (archive, replaced(archive, again)))
    )
    both = before.merge(after, on=keys, suffixes=("", "_again"), validate="one_to_one")
    return both[both["verdict"] != both["verdict_again"]].reset_index(drop=True)


def changed_as_text(changed: pd.DataFrame) -> pd.DataFrame:
    """Write verdicts that differ so that both sides of a cell fit beside each other.

    Parameters
    ----------
    changed : DataFrame
        Rows of :func:`changed_verdicts`.

    Returns
    -------
    DataFrame
        ``cell, published, recorded, other``, indexed by metric: of both trainings the mean, the
        verdict, and in brackets how many margins it is from where the verdict changes.
    """
    cells = changed["variant"] + ", " + changed["task"] + ", " + changed["arm"]
    sides = {
        side: [
            f"{mean:.3f} {verdict} ({distance:.2f})"
            for mean, verdict, distance in changed[
                [f"{name}{suffix}" for name in ("mean", "verdict", "to_bound")]
            ].itertuples(index=False)
        ]
        for side, suffix in {"recorded": "", "other": "_again"}.items()
    }
    columns = {"metric": changed["metric"], "cell": cells, "published": changed["published"]}
    return pd.DataFrame(columns | sides).set_index("metric")


def distance_to_bound(table: pd.DataFrame) -> pd.Series:
    """How far means are from where their verdict changes, all other cells being as they are.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.replication.compare_with_published`.

    Returns
    -------
    Series of float
        By how many margins the difference would have to change, by the index of `table`; NaN where
        a cell is not compared by its mean.
    """
    known = table[table["p_equivalent"].notna()]
    size, margin, error = known["difference"].abs(), known["margin"], known["error"]
    level = {name: _critical(known[f"p_{name}"].to_numpy()) for name in ("equivalent", "different")}
    equivalent = margin - error * stats.t.isf(level["equivalent"], known["df"])
    different = error * stats.t.isf(level["different"] / 2, known["df"])
    beyond = size - equivalent.where(equivalent >= 0)  # a bound below zero cannot be reached
    distance = np.select(
        [size <= equivalent, size >= different],
        [equivalent - size, np.fmin(size - different, beyond)],
        default=np.fmin(different - size, beyond),
    )
    return pd.Series(distance / margin, index=known.index).reindex(table.index)


def _critical(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up to which p each test is significant by the method of Benjamini and Hochberg."""
    n = len(p)
    steps = FALSE_DISCOVERY_RATE * np.arange(1, n + 1) / n
    within = np.searchsorted(np.sort(p), steps, side="right")  # how many are up to each step
    others = within - (p[:, None] <= steps)
    reached = others >= np.arange(n)
    last: NDArray[np.float64] = steps[n - 1 - np.argmax(reached[:, ::-1], axis=1)]
    return last


def changed_in_words(changed: pd.DataFrame, *, n_verdicts: int) -> str:
    """Count the verdicts that differ between two trainings of the same runs.

    Parameters
    ----------
    changed : DataFrame
        Rows of :func:`changed_verdicts`.
    n_verdicts : int
        How many there are in all.

    Returns
    -------
    str
        One or two sentences.
    """
    if changed.empty:
        return f"None of {n_verdicts} verdicts changes."
    sides = changed[["verdict", "verdict_again"]]
    is_reversed = sides.isin(["equivalent", "different"]).all(axis=1)
    nearest = changed[["to_bound", "to_bound_again"]].min(axis=1)
    return (
        f"{len(changed)} of {n_verdicts} verdicts change, {int(is_reversed.sum())} of them between "
        "equivalent and different, the others to or from inconclusive. With one of the two "
        f"trainings each of these cells is at most {nearest.max():.2f} margins from a bound."
    )
