"""Recorded runs that were trained again: how far runs and verdicts can be repeated.

Training amplifies rounding. A run that is trained again with other arithmetic, on another library
or on another kind of processor ends elsewhere, as a run of another seed would. Pairs of one
identity show by how much, and whether anything that the book concludes moves.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd

from cortexrnn.evidence import replication
from cortexrnn.evidence.intervals import t_interval
from cortexrnn.runs.archive import METRICS, SCHEMA, read_folder

__all__ = ["changed_verdicts", "differences", "load_again", "outcomes", "pairs", "replaced"]

LEARNED = 0.1
"""Accuracies further apart than this are of runs of which one learned and the other did not."""
KEY = ["identity", "relation", "field"]
"""What the two runs of a pair have in common, and so everything but what computed them."""


def load_again() -> pd.DataFrame:
    """Load the recorded runs that were trained a second time.

    Returns
    -------
    DataFrame
        Rows with the columns of :data:`cortexrnn.runs.archive.SCHEMA`; each has the identity of a
        row of the archive.
    """
    with resources.as_file(resources.files("cortexrnn") / "data" / "again") as folder:
        return read_folder(folder)


def pairs(archive: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Put recorded runs beside the same runs trained again.

    Parameters
    ----------
    archive, again : DataFrame
        Runs; those of `again` have identities of the archive.

    Returns
    -------
    DataFrame
        One row per run of `again`: field, variant, task, seed, ``numerics``, ``commit`` and every
        metric of the recorded run, and with the suffix ``_again`` those of the other.

    Raises
    ------
    ValueError
        If a run of `again` is not in the archive, or is given twice.
    """
    columns = [*KEY, "variant", "task", "seed", "numerics", "commit", "diverged", *METRICS]
    _check(archive, again)
    shared = ["variant", "task", "seed"]
    return archive[columns].merge(
        again[[name for name in columns if name not in shared]],
        on=KEY,
        suffixes=("", "_again"),
        validate="one_to_one",
    )


def _check(archive: pd.DataFrame, again: pd.DataFrame) -> None:
    """Refuse runs that are not in the archive, or given twice."""
    known = pd.MultiIndex.from_frame(archive[KEY])
    asked = pd.MultiIndex.from_frame(again[KEY])
    if missing := [key for key in asked if key not in known]:
        raise ValueError(
            f"{len(missing)} runs are not in the archive, the first is {missing[0][0]}"
        )
    if asked.has_duplicates:
        twice = asked[asked.duplicated()][0][0]
        raise ValueError(f"run {twice} was given twice; give one of the two")


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Differences of every metric, the run trained again less the recorded one.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`.

    Returns
    -------
    DataFrame
        One row per metric: ``pairs`` in which both have a value, how many are ``equal`` to the last
        bit, ``mean, low, high`` of the difference with a 95 % interval of Student's t, the
        ``median`` and the ``largest`` absolute difference.
    """
    rows = []
    for metric in METRICS:
        difference = (table[f"{metric}_again"] - table[metric]).dropna()
        mean, low, high = t_interval(difference)
        size = difference.abs()
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
            }
        )
    return pd.DataFrame(rows)


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of which one run learned and the other did not.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pairs`.

    Returns
    -------
    DataFrame
        Those rows; accuracies are then more than ``LEARNED`` apart, or only one diverged.
    """
    apart = (table["accuracy_again"] - table["accuracy"]).abs() > LEARNED
    return table[apart | (table["diverged"] != table["diverged_again"])]


def replaced(archive: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Put runs that were trained again in the place of the recorded ones.

    Parameters
    ----------
    archive, again : DataFrame
        Runs; those of `again` have identities of the archive.

    Returns
    -------
    DataFrame
        The archive with other values in the rows of `again`.

    Raises
    ------
    ValueError
        If a run of `again` is not in the archive, or is given twice.
    """
    _check(archive, again)
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
    """Verdicts of the replication that change with the runs that were trained again.

    Parameters
    ----------
    archive, again : DataFrame
        Runs; those of `again` have identities of the archive.

    Returns
    -------
    DataFrame
        Rows of :func:`cortexrnn.evidence.replication.compare_with_published` whose verdict differs,
        with ``verdict`` and ``verdict_again``; no row where no verdict depends on rounding.
    """
    keys = ["arm", "metric", "variant", "task"]
    before = replication.compare_with_published(archive)[[*keys, "verdict"]]
    after = replication.compare_with_published(replaced(archive, again))[[*keys, "verdict"]]
    both = before.merge(after, on=keys, suffixes=("", "_again"), validate="one_to_one")
    return both[both["verdict"] != both["verdict_again"]]
