"""Do networks with cortical priors learn faster? Epochs until a run has learned, pair by pair.

A run has learned in the first epoch whose training accuracy is above the level of
:func:`cortexrnn.evidence.leaky_units.learned`. The accuracy of an epoch is the running mean over
its updates (40 in the paper), so that time is known to one epoch and no finer. A run that never
passes the level is censored after its last epoch. A run that diverged cannot learn any more: it
counts as one that never did, so that a Kaplan-Meier curve is the share of all runs.

Runs of one seed share trials, input noise and, for one start, the weights it begins with. Every
comparison is therefore one of pairs of equal seed, and intervals over many comparisons take whole
seeds together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from cortexrnn.evidence.design import contexts
from cortexrnn.evidence.factor_tests import SIGNIFICANT, check_seeds
from cortexrnn.evidence.leaky_units import ABOVE, levels_without_memory
from cortexrnn.evidence.seed_clusters import simultaneous_intervals
from cortexrnn.fields.inputs.arguments import names, numbers, one_of
from cortexrnn.networks.specification import SIGNS, random_stream
from cortexrnn.runs.labels import select

__all__ = [
    "KINDS",
    "by_level",
    "count_outcomes",
    "outcomes_in_words",
    "paired_log_rank",
    "runs_of_fields",
    "sign_flip_p",
    "speed_by_condition",
    "speed_effects",
    "time_until_learned",
    "variant_pairs",
]

KINDS = {
    "W* for W": ("W", "w*", "w"),
    "W! for W*": ("W", "w!", "w*"),
    "D* for D": ("D", "d*", "d"),
    "C for none": ("C", "c", "nan"),
    "C* for none": ("C", "c*", "nan"),
}
"""What the paper compares, as factor, level of the first variant and level of its counterpart."""
CELL = ["field", "sign", "variant", "task"]
"""Columns that name a condition on a task."""
COMPARISON = ["field", "sign", "task", "kind", "one", "two"]
"""Columns that name a comparison."""
MOST_EXACT = 30
"""Pairs that differ for which all flips are counted; above it flips are drawn."""
FLIPS = 200_000
"""Flips that are drawn where there are too many to count."""


def variant_pairs() -> pd.DataFrame:
    """Pair every variant of the paper with its counterpart, which lacks one prior.

    Returns
    -------
    DataFrame
        One row per pair: ``kind`` (of :data:`KINDS`), ``one``, ``two``, the variants.
    """
    design = contexts()
    rows = []
    for kind, (factor, level, counterpart) in KINDS.items():
        for _, group in design[design["factor"] == factor].groupby("context", sort=False):
            variants = group.set_index("level")["variant"]
            if {level, counterpart} <= set(variants.index):
                rows.append((kind, variants[level], variants[counterpart]))
    return pd.DataFrame(rows, columns=["kind", "one", "two"])


def runs_of_fields(archive: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Select the runs of both signs that can be compared with the paper, on several fields.

    Parameters
    ----------
    archive : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of fields.

    Returns
    -------
    DataFrame
        Rows of :func:`cortexrnn.runs.labels.select` for correlation, field by field.
    """
    fields = names("fields", fields, least=1)
    return pd.concat(
        [select(archive, field=field, sign=sign) for field in fields for sign in SIGNS],
        ignore_index=True,
    )


def time_until_learned(runs: pd.DataFrame, *, above: float = ABOVE) -> pd.DataFrame:
    """Find the epoch in which each run learned.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive, on tasks of the paper; of equal numbers of epochs.
    above : float
        How far accuracy must exceed that without memory.

    Returns
    -------
    DataFrame
        The runs with ``epoch``, the first one above the level, or the last one where there is none;
        ``updates``, those made until then; ``has_learned``, whether there is such an epoch; and
        ``kept``, whether the last epoch is above the level too. A run that diverged did neither.

    Raises
    ------
    ValueError
        If a task is not one of the paper's, or runs differ in their number of epochs or of updates.
    """
    for column in ("epochs", "n_train", "batch_size"):
        if runs[column].nunique() > 1:
            values = sorted(set(runs[column]))
            raise ValueError(f"runs: {column} is {values}; give runs of one of them")
    levels = levels_without_memory()
    for task in set(runs["task"]):
        one_of("task", task, levels)
    first, kept = [], []
    for task, history in zip(runs["task"], runs["history_accuracy"], strict=True):
        is_above = np.asarray(history, dtype=float) > levels[task] + above
        first.append(int(is_above.argmax()) + 1 if is_above.any() else 0)
        kept.append(bool(is_above[-1:].any()))
    epoch = np.array(first, dtype=int)
    lost = runs["diverged"].to_numpy(dtype=bool)
    has_learned = (epoch > 0) & ~lost
    epoch = np.where(has_learned, epoch, runs["epochs"])
    per_epoch = np.ceil(runs["n_train"] / runs["batch_size"]).astype(int)
    return runs.assign(
        epoch=epoch, updates=epoch * per_epoch, has_learned=has_learned, kept=np.array(kept) & ~lost
    )


def speed_by_condition(times: pd.DataFrame) -> pd.DataFrame:
    """Estimate by Kaplan and Meier how many runs of each condition have learned by each epoch.

    Parameters
    ----------
    times : DataFrame
        Rows of :func:`time_until_learned`.

    Returns
    -------
    DataFrame
        One row per field, sign, variant, task and epoch from 0: ``runs, diverged``; ``share`` that
        has learned, one less the survival function, with the ends ``low, high`` of its 95 %
        interval (Clopper and Pearson, exact since nothing is censored before the last epoch);
        ``mean_epochs``, the restricted mean time until then: the area under the survival function
        over all epochs.

    Raises
    ------
    ValueError
        If a run occurs twice.
    """
    check_seeds(times, CELL)
    rows = []
    for key, cell in times.groupby(CELL, sort=False):
        last = int(cell["epochs"].iloc[0])
        epochs = np.arange(last + 1)
        share = 1 - _survival(cell["epoch"], cell["has_learned"], epochs)
        counts = np.rint(share * len(cell)).astype(int)
        low, high = proportion_confint(counts, len(cell), method="beta")
        table = pd.DataFrame(
            {"epoch": epochs, "share": share, "low": low, "high": high}
            | {"runs": len(cell), "diverged": int(cell["diverged"].sum())}
            | {"mean_epochs": float((1 - share[:-1]).sum())}
        )
        rows.append(table.assign(**dict(zip(CELL, key, strict=True))))
    columns = [*CELL, "runs", "diverged", "mean_epochs", "epoch", "share", "low", "high"]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def _survival(
    epoch: ArrayLike, has_learned: ArrayLike, at: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share that has not learned yet, after each of some epochs."""
    curve = SurvfuncRight(np.asarray(epoch), np.asarray(has_learned, dtype=int))
    steps = np.searchsorted(curve.surv_times, at, side="right")
    return np.concatenate([[1.0], curve.surv_prob])[steps]


def paired_log_rank(
    one: tuple[ArrayLike, ArrayLike], two: tuple[ArrayLike, ArrayLike]
) -> tuple[float, float]:
    """Compare two survival curves of paired runs by the log-rank statistic.

    The statistic is that of the log-rank test: the events seen in the first sample less those
    expected if both had one curve, a sum of scores (event less cumulative hazard, by Nelson and
    Aalen) over its members. Its p value comes from exchanging the two members of each pair, which
    keeps what members of a pair share. A log-rank test with one stratum per pair keeps it as well,
    but asks only who of a pair is first, not by how much: it is the sign test.

    Parameters
    ----------
    one, two : tuple of array_like, each shape (n,)
        Times and whether the event was seen (else censored) of the members of n pairs.

    Returns
    -------
    statistic : float
        Events less those expected in `one`; above 0 where it is the faster.
    p : float
        Two-sided, exact for up to 30 pairs that differ.

    Raises
    ------
    ValueError
        If the samples differ in length.
    """
    time = np.concatenate([np.asarray(one[0], dtype=float), np.asarray(two[0], dtype=float)])
    event = np.concatenate([np.asarray(one[1], dtype=bool), np.asarray(two[1], dtype=bool)])
    n = len(np.asarray(one[0]))
    if len(time) != 2 * n:
        raise ValueError(f"one has {n} values and two {len(time) - n}; give pairs")
    if not n:
        return np.nan, np.nan
    pooled = SurvfuncRight(time, event.astype(int))
    hazard = np.concatenate([[0.0], np.cumsum(pooled.n_events / pooled.n_risk)])
    scores = event - hazard[np.searchsorted(pooled.surv_times, time, side="right")]
    return float(scores[:n].sum()), sign_flip_p(scores[:n] - scores[n:])


def sign_flip_p(differences: ArrayLike) -> float:
    """Test that differences of pairs are as likely positive as negative, by flipping their signs.

    Parameters
    ----------
    differences : array_like, shape (n,)
        One value per pair; NaN is left out.

    Returns
    -------
    float
        Share of all flips whose sum is at least as far from zero; 1 where no pair differs, NaN
        without pairs. Above 30 pairs that differ, flips are drawn at random, always the same ones.
    """
    values = np.asarray(differences, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan
    moved = values[values != 0]
    observed = abs(moved.sum()) - 1e-9 * np.abs(moved).sum()  # equal sums differ by rounding
    if len(moved) > MOST_EXACT:
        rng = random_stream(0, "sign flips")
        beyond = 1
        for _ in range(FLIPS // 10_000):
            signs = rng.choice([-1.0, 1.0], size=(10_000, len(moved)))
            beyond += int((np.abs(signs @ moved) >= observed).sum())
        return beyond / (FLIPS + 1)
    if observed <= 0:
        return 1.0
    # Every sum is one of the first half plus one of the second: sorted, they are counted at once.
    half = len(moved) // 2
    first, second = _signed_sums(moved[:half]), np.sort(_signed_sums(moved[half:]))
    above = len(second) - np.searchsorted(second, observed - first, side="left")
    below = np.searchsorted(second, -observed - first, side="right")
    return float((above + below).sum() / 2.0 ** len(moved))


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the values under all choices of their signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def speed_effects(times: pd.DataFrame) -> pd.DataFrame:
    """Compare every variant with its counterpart: which learns more often, which earlier.

    Parameters
    ----------
    times : DataFrame
        Rows of :func:`time_until_learned` for variants of the paper under one protocol, relation
        and draw of trials. Pairs are runs of equal seed.

    Returns
    -------
    DataFrame
        One row per field, sign, task and pair of variants with runs: ``kind, one, two, pairs``, and

        ``first_one, first_two``, ``events_more, p_time``
            Pairs in which one learned before the other, or it alone; :func:`paired_log_rank`.
        ``gain, gain_low, gain_high``
            Epochs that `one` saves, from the restricted mean times: `two` less `one`.
        ``only_one, only_two, p_often``
            Pairs in which one learned and the other did not, and McNemar's exact test of them:
            learned more often.
        ``both, lead, lead_low, lead_high, p_lead``
            Pairs in which both learned; epochs by which `one` was the earlier, and a test by
            :func:`sign_flip_p`: learned faster, where learned. Which pairs these are depends on
            what both did, so that they are a selection.

        Tests are adjusted by Holm's procedure over all rows of a sign. Intervals hold together over
        all rows of a sign, with 95 % (largest t over seeds); where no two seeds disagree there is
        no scatter, and none is given.

    Raises
    ------
    ValueError
        If a run occurs twice, or runs are of several protocols, relations or draws of trials.
    """
    check_seeds(times, CELL)
    for column in ("relation", "protocol", "data_seed"):
        if times[column].nunique() > 1:
            raise ValueError(
                f"times: {column} is {sorted(set(times[column]))}; give the runs of one of them"
            )
    rows: list[dict[str, Any]] = []
    gains, leads = {}, {}
    for key, one, two in paired_cells(times):
        gain = (two["epoch"] - one["epoch"]).astype(float)
        lead = gain.where(one["has_learned"] & two["has_learned"])
        row = key | _compare(one, two, lead)
        rows.append(row)
        gains[len(rows) - 1], leads[len(rows) - 1] = gain, lead
    table = pd.DataFrame(rows, columns=[*COMPARISON, *_RESULTS])
    for sign, group in table.groupby("sign", sort=False):
        for name, values in {"gain": gains, "lead": leads}.items():
            found = intervals_together({row: values[row] for row in group.index}, f"{name} {sign}")
            columns = [name, f"{name}_low", f"{name}_high"]
            table.loc[group.index, columns] = found.to_numpy()
        for name in ("p_time", "p_often", "p_lead"):
            known = group[name].dropna()
            if len(known):
                table.loc[known.index, name] = multipletests(known, method="holm")[1]
    return table


_RESULTS = [
    *("pairs", "first_one", "first_two", "events_more", "p_time", "gain", "gain_low", "gain_high"),
    *("only_one", "only_two", "p_often", "both", "lead", "lead_low", "lead_high", "p_lead"),
]


def paired_cells(runs: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame, pd.DataFrame]]:
    """Give the runs of every variant and of its counterpart, both by seed.

    Parameters
    ----------
    runs : DataFrame
        Runs of variants of the paper.

    Returns
    -------
    list of tuple
        What names the comparison (``field, sign, task, kind, one, two``) and the runs of the two,
        with the seeds that both have as index.
    """
    cells = {key: cell.set_index("seed") for key, cell in runs.groupby(CELL, sort=False)}
    groups = runs[["field", "sign", "task"]].drop_duplicates().itertuples(index=False)
    found = []
    for field, sign, task in groups:
        for kind, *pair in variant_pairs().itertuples(index=False):
            one, two = (cells.get((field, sign, name, task)) for name in pair)
            if one is None or two is None:
                continue
            seeds = one.index.intersection(two.index)
            key = dict(zip(COMPARISON, (field, sign, task, kind, *pair), strict=True))
            found.append((key, one.loc[seeds], two.loc[seeds]))
    return found


def _compare(one: pd.DataFrame, two: pd.DataFrame, lead: pd.Series) -> dict[str, Any]:
    """Count and test one comparison."""
    only_one = int((one["has_learned"] & ~two["has_learned"]).sum())
    only_two = int((two["has_learned"] & ~one["has_learned"]).sum())
    samples = [(cell["epoch"], cell["has_learned"]) for cell in (one, two)]
    events_more, p_time = paired_log_rank(*samples)
    differing = only_one + only_two
    return {
        "pairs": len(one),
        "first_one": only_one + int((lead > 0).sum()),
        "first_two": only_two + int((lead < 0).sum()),
        "events_more": events_more,
        "p_time": p_time,
        "only_one": only_one,
        "only_two": only_two,
        "p_often": stats.binomtest(only_one, differing).pvalue if differing else 1.0,
        "both": int(lead.notna().sum()),
        "p_lead": sign_flip_p(lead),
    }


def intervals_together(differences: dict[Any, pd.Series], purpose: str) -> pd.DataFrame:
    """Means of several paired differences, with intervals that hold together.

    Parameters
    ----------
    differences : dict of Series
        Differences by seed; NaN where a seed has none.
    purpose : str
        Names the random numbers.

    Returns
    -------
    DataFrame
        One row per key, ``difference, difference_low, difference_high``, by
        :func:`cortexrnn.evidence.seed_clusters.simultaneous_intervals`; without an interval where
        all differences are equal.
    """
    table = pd.DataFrame(differences)
    found = simultaneous_intervals(table, rng=random_stream(0, "intervals", purpose))
    without_width = found["difference_low"] == found["difference_high"]
    found.loc[without_width, ["difference_low", "difference_high"]] = np.nan
    return found[["difference", "difference_low", "difference_high"]]


def count_outcomes(effects: pd.DataFrame) -> pd.DataFrame:
    """Count the comparisons that find a variant faster than its counterpart, and slower.

    Parameters
    ----------
    effects : DataFrame
        Rows of :func:`speed_effects`.

    Returns
    -------
    DataFrame
        One row per kind: ``comparisons``; ``earlier, later``, by the log-rank test of all pairs;
        ``more_often, less_often``; ``with_both``, comparisons with pairs in which both learned, and
        of these ``faster, slower``. All by p < 0.05 after Holm's correction.

    See Also
    --------
    outcomes_in_words : the same for a reader.
    """
    signs = {
        ("earlier", "later"): (effects["p_time"], effects["events_more"]),
        ("more_often", "less_often"): (
            effects["p_often"],
            effects["only_one"] - effects["only_two"],
        ),
        ("faster", "slower"): (effects["p_lead"], effects["lead"]),
    }
    flags: dict[str, Any] = {"comparisons": True, "with_both": effects["both"] > 0}
    for (up, down), (p, difference) in signs.items():
        flags |= {up: (p < SIGNIFICANT) & (difference > 0)}
        flags |= {down: (p < SIGNIFICANT) & (difference < 0)}
    order = ["comparisons", "earlier", "later", "more_often", "less_often", "with_both"]
    table = pd.DataFrame(flags, index=effects.index)[[*order, "faster", "slower"]]
    counts = table.groupby(effects["kind"], sort=False).sum()
    return counts.reindex(list(KINDS), fill_value=0).astype(int)


def outcomes_in_words(counts: pd.DataFrame) -> pd.DataFrame:
    """Write counts of outcomes for a reader.

    Parameters
    ----------
    counts : DataFrame
        Rows of :func:`count_outcomes`.

    Returns
    -------
    DataFrame
        One row per kind; each cell has how many comparisons favour the variant and, after a slash,
        its counterpart.
    """
    columns = {
        "comparisons": counts["comparisons"].astype(str),
        "learned before / after": _either(counts, "earlier", "later"),
        "more often / less often": _either(counts, "more_often", "less_often"),
        "where both learned": counts["with_both"].astype(str),
        "faster / slower there": _either(counts, "faster", "slower"),
    }
    return pd.DataFrame(columns, index=counts.index).rename_axis("instead of")


def _either(counts: pd.DataFrame, one: str, two: str) -> pd.Series:
    """Write two counts side by side."""
    return counts[one].astype(str) + " / " + counts[two].astype(str)


def by_level(runs: pd.DataFrame, *, above: Sequence[float] = (0.05, ABOVE, 0.2)) -> pd.DataFrame:
    """Repeat the comparisons with other levels of what counts as learned.

    Parameters
    ----------
    runs : DataFrame
        Runs as for :func:`time_until_learned`.
    above : sequence of float
        How far accuracy must exceed that without memory.

    Returns
    -------
    DataFrame
        The rows of :func:`count_outcomes` for each, with ``above`` and ``kind``.
    """
    tables = [
        count_outcomes(speed_effects(time_until_learned(runs, above=level)))
        .reset_index()
        .assign(above=level)
        for level in numbers("above", above, least=1)
    ]
    return pd.concat(tables, ignore_index=True)
