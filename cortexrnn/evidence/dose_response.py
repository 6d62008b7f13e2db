"""How many strong self-connections a network needs: what was predicted, and what runs say.

A unit with a strong self-connection is of use if a cue excites it: its input weights, which start
symmetric about zero, have to be positive for one of the cues. That alone gives the share of runs
with k such units that can learn, with no parameter to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests

from cortexrnn.evidence.intervals import share_interval
from cortexrnn.evidence.leaky_units import learned
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of, whole_number
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import AT_DOSE
from cortexrnn.runs.labels import runs_of

__all__ = [
    "ACCOUNTS",
    "CUES",
    "compare_accounts",
    "compare_with_accounts",
    "dose_response",
    "predicted_share",
]

CUES = {"one_choice": 4, "perceptual": 2, "go_nogo": 2}
"""Number of cues by task, each with an input channel of its own."""

Needed = Literal["one unit", "two units"]
"""Rival accounts of what the read-out needs: one unit that some cue excites, whose silence tells
the other answer, or two that prefer different cues."""
ACCOUNTS: tuple[Needed, ...] = get_args(Needed)
"""The two accounts by name."""
DOSE_RESPONSE = ["start", "count", "task", "field", "runs", "learned", "share", "low", "high"]
"""Columns of :func:`dose_response` before those of the accounts."""


def predicted_share(task: str, count: int, *, needed: Needed = "one unit") -> float:
    """Share of runs that can learn with a number of strong self-connections.

    Parameters
    ----------
    task : {"one_choice", "perceptual", "go_nogo"}
        The task.
    count : int
        Number of units with a strong self-connection.
    needed : {"one unit", "two units"}
        ``one unit``: some unit has a positive weight from some cue, 1 - 2^(-c k) for c cues.
        ``two units``: two cues that ask for different answers have units that prefer them. With two
        cues each unit prefers either with probability 3/8 and none with 1/4, so that it is
        1 - 2 (5/8)^k + (1/4)^k. In one-choice two pairs of goals have to be told apart, either of
        which is enough to pass the level of learning; that both cues of a pair are preferred has
        the same form for either pair, with probability 15/64 for each cue.

    Returns
    -------
    float
        The share. Input weights may change their sign while training, other self-connections may
        grow; neither is in it.

    Raises
    ------
    ValueError
        If the task is not one of the paper's, the count is no whole number, or `needed` is neither.
    """
    one_of("task", task, TASKS)
    one_of("needed", needed, ACCOUNTS)
    k = whole_number("count", count)
    n_cues = CUES[task]
    silent = 0.5**n_cues
    if needed == "one unit":
        return 1 - silent**k
    each = (1 - silent) / n_cues
    if n_cues == 2:
        return 1 - 2 * (1 - each) ** k + (1 - 2 * each) ** k
    # Inclusion and exclusion over the four cues: both of the first pair, or both of the second.
    without = [(1 - missing * each) ** k for missing in range(n_cues + 1)]
    both_of_a_pair = 1 - 2 * without[1] + without[2]
    both_of_all = 1 - 4 * without[1] + 6 * without[2] - 4 * without[3] + without[4]
    return 2 * both_of_a_pair - both_of_all


def dose_response(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Count the runs that learned with every number of strong self-connections.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per start, count, task and field with runs: ``start, count, task, field, runs,
        learned, share``, ``low`` and ``high`` (95 %, see
        :func:`~cortexrnn.evidence.intervals.share_interval`; each run of a cell has a seed of its
        own), and the shares that the accounts predict, ``one unit`` and ``two
        units``. Without rows while none of these runs are there.
    """
    rows = []
    for (start, count), control in AT_DOSE.items():
        for field in arguments.names("fields", fields):
            for task, cell in runs_of(runs, control, field=field).groupby("task", sort=False):
                task = str(task)
                n_learned = int(learned(task, cell["accuracy"]).sum())
                own = (len(cell), n_learned, n_learned / len(cell))
                values = (start, count, task, field, *own, *share_interval(n_learned, len(cell)))
                rows.append(
                    dict(zip(DOSE_RESPONSE, values, strict=True))
                    | {name: predicted_share(task, count, needed=name) for name in ACCOUNTS}
                )
    return pd.DataFrame(rows, columns=[*DOSE_RESPONSE, *ACCOUNTS])


def compare_with_accounts(table: pd.DataFrame, *, level: float = 0.05) -> pd.DataFrame:
    """Find the doses and cells that lie outside what an account predicts.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`dose_response`.
    level : float
        Probability that any cell of an account is called outside by chance.

    Returns
    -------
    DataFrame
        One row per account and row of the table: ``account``, its columns up to ``high``,
        ``predicted``, ``p`` (exact binomial test, two-sided), ``p_holm`` (Holm 1979, over all cells
        of the account, which holds whatever the seeds share) and ``outside``: whether more or fewer
        runs learned than predicted, ``"more"`` or ``"fewer"``, else ``""``.
    """
    parts = []
    for name in ACCOUNTS:
        part = table[DOSE_RESPONSE].assign(account=name, predicted=table[name])
        part["p"] = [
            binomtest(int(k), int(n), share).pvalue
            for k, n, share in part[["learned", "runs", "predicted"]].itertuples(index=False)
        ]
        if len(part):
            outside, part["p_holm"], *_ = multipletests(part["p"], alpha=level, method="holm")
            side = np.where(part["share"] > part["predicted"], "more", "fewer")
            part["outside"] = np.where(outside, side, "")
        parts.append(part)
    columns = ["account", *DOSE_RESPONSE, "predicted", "p", "p_holm", "outside"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def compare_accounts(table: pd.DataFrame) -> pd.DataFrame:
    """Weigh the two accounts by how probable they make what was found.

    An account says which share of runs *can* learn. A share of runs, the lapse, does what it should
    not: p becomes p (1 - lapse) + (1 - p) lapse. The lapse is the only parameter, fitted to each
    account and start by maximum likelihood, so that both have equally many.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`dose_response`.

    Returns
    -------
    DataFrame
        One row per start, and one for ``both``: ``start, runs``, for each account ``lapse of
        <account>`` and ``log likelihood of <account>``, and ``difference``, the log likelihood of
        one unit less that of two. Runs of one seed are not independent, so that the difference
        overstates what is known.
    """
    rows = []
    for start in [*dict.fromkeys(table["start"]), "both"] if len(table) else []:
        cells = table if start == "both" else table[table["start"] == start]
        row: dict[str, Any] = {"start": start, "runs": int(cells["runs"].sum())}
        for name in ACCOUNTS:
            lapse, value = _with_lapse(*cells[["learned", "runs", name]].to_numpy(float).T)
            row |= {f"lapse of {name}": lapse, f"log likelihood of {name}": value}
        one, two = (row[f"log likelihood of {name}"] for name in ACCOUNTS)
        rows.append(row | {"difference": one - two})
    columns = [f"{what} of {name}" for name in ACCOUNTS for what in ("lapse", "log likelihood")]
    return pd.DataFrame(rows, columns=["start", "runs", *columns, "difference"])


def _with_lapse(
    successes: NDArray[np.float64], runs: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit the lapse of an account; give it and the log likelihood."""

    def against(lapse: float) -> float:
        p = share * (1 - lapse) + (1 - share) * lapse
        return -float(binom.logpmf(successes, runs, p).sum())

    found = minimize_scalar(against, bounds=(1e-6, 0.5), method="bounded")
    return float(found.x), -float(found.fun)
