"""The tables of the paper, under this package's names, and recorded runs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence.design import levels
from cortexrnn.evidence.equivalence import PUBLISHED_RUNS
from cortexrnn.evidence.factor_tests import cheap_collections
from cortexrnn.evidence.intervals import cell_means
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import ArchiveError

__all__ = [
    "PUBLISHED_FIELDS",
    "beside_published",
    "duplicated_blocks",
    "published_cells",
    "published_effects",
    "published_groups",
    "published_table",
    "same_holm",
]

ROUNDING = 1e-3 / 12**0.5
"""Standard deviation of what three printed decimals leave out."""
_NAMES = {
    "metric": {
        "Accuracy": "accuracy",
        "Loss": "loss",
        "Validation_Accuracy": "validation_accuracy",
        "Validation_Loss": "validation_loss",
        "Entropy": "entropy",
        "Modularity": "modularity",
        "SmallWorldness": "small_worldness",
        "Assortativity": "assortativity",
    },
    "arm": {"corr": "corr", "sign+": "corr+sign"},
}
"""This package's names, by column and by the word that the authors' notebooks print there."""
_GROUPS = {"sttc": "correlation", "precision": "precision"}
"""Relations of the groups that are compared: there ``sttc`` stands for the arm of correlation."""
PUBLISHED_FIELDS = {"312": "6_6_2", "160": "5_6_8", "70": "5_3_4"}
"""Fields that the published comparison names by their number of neurons."""


def published_cells() -> pd.DataFrame:
    """Read the published cells that are compared.

    Returns
    -------
    DataFrame
        One row per arm, metric, variant and task, with ``published`` (mean), ``published_error``
        (standard error of the mean, rounding included), ``published_low``, ``published_high`` and
        ``published_diverged``: whether all simulations of the cell diverged, recognised by the
        missing topology; its accuracy is then the share of one class and means nothing.
    """
    table = published_table().rename(
        columns={"mean": "published", "ci95_low": "published_low", "ci95_high": "published_high"}
    )
    half = (table["published_high"] - table["published_low"]) / 2
    error = (half / stats.t.ppf(0.975, PUBLISHED_RUNS - 1)).fillna(0.0)  # no interval: all equal
    table["published_error"] = np.hypot(error, ROUNDING)
    lost = table.groupby(["arm", "variant", "task"])["published"].transform(
        lambda means: means.isna().any()
    )
    return table.assign(published_diverged=lost)


def published_effects() -> pd.DataFrame:
    """Read the published tests of field 6_6_2 (tables S5 to S7).

    Returns
    -------
    DataFrame
        Columns as printed, absent levels as ``"nan"``, and
        ``delta``, Cliff's delta by U and the 20 simulations of each variant; ``copied``, see
        :func:`duplicated_blocks`.
    """
    table = published_table("effects_6_6_2")
    pairs = table["test"] == "mannwhitney"
    # The level "nan" is a word of the table, which a reader of CSV takes for a missing value.
    table.loc[pairs, ["group_1", "group_2"]] = table.loc[pairs, ["group_1", "group_2"]].fillna(
        "nan"
    )
    table["delta"] = (2 * table["statistic"] / PUBLISHED_RUNS**2 - 1).where(pairs)
    table["copied"] = duplicated_blocks(table)
    return table


def duplicated_blocks(table: pd.DataFrame) -> pd.Series:
    """Mark the tests of a task that repeat those of an earlier task to the last digit.

    Parameters
    ----------
    table : DataFrame
        Rows of a table of effects.

    Returns
    -------
    Series of bool
        True in each block of task and metric whose numbers are all listed under an earlier task
        too; runs of two tasks cannot agree in every digit.
    """
    content = [name for name in table.columns if name not in ("task", "metric")]
    result = pd.Series(False, index=table.index)
    for _, group in table.groupby("metric", sort=False):
        seen: list[pd.DataFrame] = []
        for _, block in group.groupby("task", sort=False):
            values = block[content].reset_index(drop=True)
            if any(values.equals(other) for other in seen):
                result[block.index] = True
            seen.append(values)
    return result


def same_holm(published: pd.DataFrame) -> pd.Series:
    """Check where the printed Holm value follows from the printed p values.

    Holm's value grows with every p, so the smallest and the largest that the rounding of the
    printed ones allows bound it.

    Parameters
    ----------
    published : DataFrame
        Rows of :func:`published_effects`.

    Returns
    -------
    Series of bool
        One per pair.
    """
    pairs = published[published["test"] == "mannwhitney"]
    result = pd.Series(False, index=pairs.index)
    with cheap_collections():
        for _, group in pairs.groupby(["task", "factor", "metric"]):
            ends = [np.clip(end, 0, 1) for end in _rounded(group["p"])]
            low, high = (multipletests(end, method="holm")[1] for end in ends)
            lowest, highest = _rounded(group["p_holm"])
            result[group.index] = (low <= highest) & (high >= lowest)
    return result


def _rounded(printed: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest values that print as these, with three significant digits."""
    values = printed.to_numpy(dtype=float)
    half = 0.5 * 10.0 ** (np.floor(np.log10(values)) - 2) * (1 + 1e-9)
    return values - half, values + half


def published_groups() -> pd.DataFrame:
    """Read the published pooled comparisons of relations and of fields.

    Returns
    -------
    DataFrame
        ``task, metric, among, group_1, group_2, u, p, median_1, median_2, mean_1, mean_2``, fields
        by their number of neurons (:data:`PUBLISHED_FIELDS`), and ``delta``, Cliff's delta by U
        and the simulations that were pooled.
    """
    table = published_table("groups").rename(columns={"U": "u"})
    starts = levels()["W"].value_counts() * PUBLISHED_RUNS
    pool = table["among"].map(starts).fillna(len(VARIANTS) * PUBLISHED_RUNS)
    table["delta"] = 2 * table["u"] / pool**2 - 1
    return table


def beside_published(runs: pd.DataFrame, *, metrics: Sequence[str] = ("accuracy",)) -> pd.DataFrame:
    """Put every cell beside the published one of field 6_6_2.

    Parameters
    ----------
    runs : DataFrame
        Runs as :func:`cortexrnn.runs.archive.load_archive` gives them.
    metrics : sequence of str
        Columns of the archive.

    Returns
    -------
    DataFrame
        The rows of :func:`~cortexrnn.evidence.intervals.cell_means` for each metric, with
        ``published``, ``published_low``, ``published_high`` and ``difference``, the mean less the
        published mean. They are NaN where the paper has no such cell: only ``published`` runs, of
        its size and settings, have.
    """
    metrics = arguments.names("metrics", metrics)
    cell = ["arm", "metric", "variant", "task"]
    published = published_cells()[[*cell, "published", "published_low", "published_high"]]
    published = published.rename(columns={"published": "paper"}).assign(published=True)
    ours = pd.concat([cell_means(runs, metric=metric) for metric in metrics], ignore_index=True)
    table = ours.merge(published, how="left", on=[*cell, "published"], validate="many_to_one")
    table = table.drop(columns="published").rename(columns={"paper": "published"})
    table["difference"] = table["mean"] - table["published"]
    return table


def published_table(name: str = "published_6_6_2") -> pd.DataFrame:
    """Read a table of the paper's results, as its notebooks printed them.

    Parameters
    ----------
    name : {"published_6_6_2", "effects_6_6_2", "groups", "omnibus_6_6_2", "runs_6_6_2"}
        Means and intervals of field 6_6_2; factor effects; pooled comparisons; Kruskal-Wallis tests
        of each factor over all runs; the 20 single runs of one cell that are printed.

    Returns
    -------
    DataFrame
        The table, with metrics, tasks, arms and compared relations under this package's names.

    Raises
    ------
    ArchiveError
        If there is no such table.
    """
    folder = resources.files("cortexrnn") / "data" / "published"
    known = sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith("csv"))
    if name not in known:
        raise ArchiveError(f"unknown table {name!r}; choose one of {', '.join(known)}")
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        frame: pd.DataFrame = pd.read_csv(file)
    return _translated(frame)


def _translated(table: pd.DataFrame) -> pd.DataFrame:
    """Put this package's names in the place of those of the notebooks.

    Tasks have them in the files already; levels of factors keep those of the tables, see
    :data:`cortexrnn.evidence.design.LEVELS`.
    """
    for column in table.columns.intersection(list(_NAMES)):
        unknown = set(table[column]) - set(_NAMES[column])
        if unknown:
            raise ArchiveError(
                f"published table: unknown {column} {', '.join(map(str, unknown))}; add "
                "it to the names in cortexrnn.evidence.published"
            )
        table[column] = table[column].map(_NAMES[column])
    if "among" in table:
        for column in ("group_1", "group_2"):
            table[column] = table[column].replace(_GROUPS).astype(str)
    return table
