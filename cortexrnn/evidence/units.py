"""What single units of a start can remember, and whether that decides which runs learn.

A start gives every unit its self-connection, and every seed its input weights. Both are known
before training. Here they are read off the starts of recorded runs, unit by unit, and what an
uncoupled unit with them would remember is computed without any parameter to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.evidence.dose_response import ACCOUNTS
from cortexrnn.evidence.intervals import share_interval, with_interval
from cortexrnn.evidence.leaky_units import INPUT_NOISE, learned, needed_self_connection
from cortexrnn.evidence.seed_clusters import effective_number
from cortexrnn.fields.field import Field
from cortexrnn.networks.initial_weights import many_initial_weights
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import TASKS, Perceptual, Task
from cortexrnn.networks.training import initial_input_weights
from cortexrnn.runs.controls import AT_DOSE, CONDITIONS
from cortexrnn.runs.labels import runs_of

__all__ = [
    "CONDITIONS_OF_STARTS",
    "CUE_CHANNELS",
    "FEATURES",
    "largest_input_weight",
    "last_states",
    "learned_by_account",
    "learned_by_count",
    "load_traces",
    "load_units",
    "memory_trials",
    "runs_with_features",
    "separations",
    "shares_as_text",
    "start_features",
    "strongest_units",
    "trace_summary",
]

CONDITIONS_OF_STARTS = (
    "W*D*",
    "W*D*C*",
    "W*D*C",
    "W!D*C",
    "W!D*C*",
    "self-connections of W* alone",
    "W* shuffled off the diagonal",
)
"""Conditions whose starts are read: under D*, with the self-connections of W*. In the first three
every seed has one start."""
CUE_CHANNELS = {"one_choice": (0, 1, 2, 3), "perceptual": (1, 2), "go_nogo": (1, 2)}
"""Input channels of the cues by task: goals, evidence, NoGo and Go."""
LISTED = max(count for _, count in AT_DOSE)
"""Units of a start that are listed: those with the strongest self-connections."""
DRAWN = 2000
"""Trials that are drawn to see every distinct one; tasks have at most ten."""
FOUR = 4
"""From this number on, counts of units are taken together."""
FEATURES = {
    "strong": "units whose self-connection is above the needed one",
    "excited": "those of them that some cue excites: with a positive weight from it",
    "opposed": "whether these prefer cues that memory alone can tell apart, each the one from "
    "which it has the largest weight",
    "largest": "largest self-connection",
    "second": "second largest self-connection",
    "separation": "how far uncoupled units tell apart what memory alone can: distance of their "
    "last states without noise, mean over pairs of trials, in units of the largest input weight",
    "silent": "whether that is less than the noise that one step of one channel brings",
    "strongest_excited": "whether some cue excites the unit with the largest self-connection",
}
"""What is read off a start, by the name of its column."""
KINDS = {"strong": int, "excited": int, "opposed": bool, "silent": bool, "strongest_excited": bool}
"""Types of the columns that are not plain numbers."""


def memory_trials(task: Task) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Trials without noise, and the pairs of them that memory alone can tell apart.

    Parameters
    ----------
    task : Task
        One of the three of the paper, with any settings.

    Returns
    -------
    inputs : ndarray, shape (K, n_steps, n_channels)
        Every distinct trial of the task that has one right answer.
    pairs : ndarray, shape (P, 2)
        Pairs of trials that end with the same input and ask for different answers.
    """
    silent = task.with_settings(noise_sd=0.0) if isinstance(task, Perceptual) else task
    drawn, answers = silent.sample(DRAWN, rng=np.random.default_rng(0))
    flat = drawn.reshape(len(drawn), -1)
    _, first, which = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    mean = np.bincount(which, answers) / np.bincount(which)
    first = first[mean == answers[first]]  # evidence of zero has either answer
    inputs, answers = drawn[first].astype(float), answers[first]
    alike = np.isclose(inputs[:, None, -1], inputs[None, :, -1]).all(-1)
    pairs = np.argwhere(np.triu(alike & (answers[:, None] != answers)))
    return inputs, pairs


def last_states(
    inputs: ArrayLike,
    input_weights: ArrayLike,
    recurrent: ArrayLike,
    *,
    bias: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """State of a rectified network at the end of trials, h_t = relu(x_t K + h_(t-1) R + b).

    Parameters
    ----------
    inputs : array_like, shape (K, T, I)
        Trials.
    input_weights : array_like, shape (I, n)
        Weights K from the channels to n units.
    recurrent : array_like, shape (n, n) or (n,)
        Weights R between units; self-connections alone for units that are not coupled.
    bias : array_like, shape (n,)
        Bias b of the units.

    Returns
    -------
    ndarray, shape (K, n)
        The last state of each trial.
    """
    drive = np.asarray(inputs, dtype=float) @ np.asarray(input_weights, dtype=float) + bias
    weights = np.asarray(recurrent, dtype=float)
    state: NDArray[np.float64] = np.zeros_like(drive[:, 0])
    for step in range(drive.shape[1]):
        carried = state @ weights if weights.ndim == 2 else state * weights
        state = np.maximum(drive[:, step] + carried, 0)
    return state


def separations(states: ArrayLike, pairs: ArrayLike) -> NDArray[np.float64]:
    """How far each unit tells trials apart that differ in what is to be remembered alone.

    Parameters
    ----------
    states : array_like, shape (K, n)
        States of n units at the end of the trials of :func:`memory_trials`.
    pairs : array_like, shape (P, 2)
        Their pairs.

    Returns
    -------
    ndarray, shape (P, n)
        Difference of a unit's states within each pair, without sign.
    """
    values, of = np.asarray(states, dtype=float), np.asarray(pairs)
    return np.asarray(np.abs(values[of[:, 0]] - values[of[:, 1]]))


def largest_input_weight(n_channels: int, n_neurons: int) -> float:
    """Bound of the input weights before training, in units of which separations are given.

    Parameters
    ----------
    n_channels, n_neurons : int
        Channels of the task, and units.

    Returns
    -------
    float
        That of Glorot and Bengio 2010, sqrt(6 / (I + N)).
    """
    return float(np.sqrt(6 / (n_channels + n_neurons)))


def strongest_units(specs: Iterable[RunSpec], field: Field) -> pd.DataFrame:
    """List the units with the strongest self-connections of starts, with their input weights.

    Parameters
    ----------
    specs : iterable of RunSpec
        The runs; those of one seed side by side share their draw.
    field : Field
        Their field.

    Returns
    -------
    DataFrame
        One row per run and listed unit, the strongest first: ``identity, task, n_neurons, rank``
        (from 1), ``unit, self_connection, input_weights`` (a list, one for each channel). At most
        eight units, and none whose self-connection is not positive.

    Raises
    ------
    FieldError
        If the field lacks what a start is made of.
    """
    specs = list(specs)
    rows: list[dict[str, Any]] = []
    for spec, weights in zip(specs, many_initial_weights(specs, field), strict=True):
        own = np.diag(weights)
        inputs = initial_input_weights(spec, field.n_neurons)
        strongest = np.argsort(-own, kind="stable")[:LISTED]
        rows.extend(
            {
                "identity": spec.identity,
                "task": spec.task,
                "n_neurons": field.n_neurons,
                "rank": rank,
                "unit": int(unit),
                "self_connection": float(own[unit]),
                "input_weights": inputs[:, unit].tolist(),
            }
            for rank, unit in enumerate(strongest, start=1)
            if own[unit] > 0
        )
    columns = ["identity", "task", "n_neurons", "rank", "unit", "self_connection", "input_weights"]
    return pd.DataFrame(rows, columns=columns)


def load_units() -> pd.DataFrame:
    """Read the strongest units of the starts of recorded and planned runs.

    Returns
    -------
    DataFrame
        Rows of :func:`strongest_units` for the conditions :data:`CONDITIONS_OF_STARTS` and those
        with a number of strong self-connections, on the fields with controls.
    """
    return _shipped("starts.parquet")


def load_traces() -> pd.DataFrame:
    """Read how the strongest units of some runs of W*D* changed while they were trained.

    Returns
    -------
    DataFrame
        One row per run, look and unit: ``identity, field, task, seed, learned, update`` (0: the
        start), ``rank`` (by self-connection at the start, from 1), ``unit, self_connection,
        separation`` (largest difference of the unit's last states within the network, without
        noise, over the pairs of :func:`memory_trials`, in units of the
        :func:`largest_input_weight`), ``largest_other`` (largest self-connection of all units that
        are not listed), ``accuracy`` (mean over the batches since the look before; NaN at the
        start) and ``input_weights``.
    """
    return _shipped("traces.parquet")


def _shipped(name: str) -> pd.DataFrame:
    """Read a file that ships with the package."""
    with resources.as_file(resources.files("cortexrnn") / "data" / "units" / name) as path:
        table: pd.DataFrame = pd.read_parquet(path)
    return table


def start_features(units: pd.DataFrame) -> pd.DataFrame:
    """Measure starts by their strongest units.

    Parameters
    ----------
    units : DataFrame
        Rows of :func:`strongest_units`. Runs without any listed unit are not among them.

    Returns
    -------
    DataFrame
        One row per run, by identity, with the columns :data:`FEATURES`.
    """
    needed = {name: needed_self_connection(task) for name, task in TASKS.items()}
    trials = {name: memory_trials(task) for name, task in TASKS.items()}
    rows: dict[str, dict[str, Any]] = {}
    for (identity, task), listed in units.groupby(["identity", "task"], sort=False):
        weights = np.stack(listed["input_weights"].to_list(), axis=1).astype(float)
        own = listed["self_connection"].to_numpy(dtype=float)
        rows[identity] = _features(
            weights,
            own,
            cues=CUE_CHANNELS[task],
            needed=needed[task],
            trials=trials[task],
            scale=largest_input_weight(len(weights), listed["n_neurons"].iloc[0]),
        )
    index = pd.Index(list(rows), name="identity")
    return pd.DataFrame(list(rows.values()), index=index, columns=list(FEATURES))


def _features(
    weights: NDArray[np.float64],
    own: NDArray[np.float64],
    *,
    cues: Sequence[int],
    needed: float,
    trials: tuple[NDArray[np.float64], NDArray[np.intp]],
    scale: float,
) -> dict[str, Any]:
    """Measure one start by input weights (I, n) and self-connections (n,), the largest first."""
    inputs, pairs = trials
    from_cues = weights[list(cues)]
    strong, excited = own > needed, np.asarray((from_cues > 0).any(axis=0))
    preferred = set(from_cues[:, strong & excited].argmax(axis=0).tolist())
    shown = inputs[:, :, list(cues)].sum(axis=1).argmax(axis=1)[pairs]
    apart = separations(last_states(inputs, weights, own), pairs)
    separation = float(np.linalg.norm(apart, axis=1).mean() / scale)
    return {
        "strong": int(strong.sum()),
        "excited": int((strong & excited).sum()),
        "opposed": any(set(pair) <= preferred for pair in shown.tolist()),
        "largest": own[0],
        "second": own[1] if len(own) > 1 else 0.0,
        "separation": separation,
        "silent": separation < INPUT_NOISE,
        "strongest_excited": bool(excited[0]),
    }


def runs_with_features(
    runs: pd.DataFrame,
    units: pd.DataFrame,
    *,
    fields: Sequence[str],
    conditions: Sequence[str] = CONDITIONS_OF_STARTS,
) -> pd.DataFrame:
    """Put what a start was like beside whether its run learned.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    units : DataFrame
        Result of :func:`load_units`.
    fields : sequence of str
        Names of the fields.
    conditions : sequence of str
        Names of conditions, see :data:`cortexrnn.runs.controls.CONDITIONS`.

    Returns
    -------
    DataFrame
        One row per run on a task of the paper: ``identity, label, field, task, seed, accuracy,
        learned`` and the columns :data:`FEATURES`. A start without any strong self-connection has
        zeros, and is silent.

    Raises
    ------
    ValueError
        If units of a run are missing that has strong self-connections.
    """
    cells = [
        runs_of(runs, CONDITIONS[name], field=field) for name in conditions for field in fields
    ]
    columns = ["identity", "label", "field", "task", "seed", "accuracy"]
    table = pd.concat(cells, ignore_index=True)[columns] if cells else pd.DataFrame(columns=columns)
    told = [learned(task, value) for task, value in table[["task", "accuracy"]].to_numpy()]
    table["learned"] = np.asarray(told, dtype=bool)
    features = start_features(units[units["identity"].isin(table["identity"])])
    without = [CONDITIONS[name].variant.strong_self_connections == 0 for name in table["label"]]
    missing = ~table["identity"].isin(features.index) & ~np.asarray(without, dtype=bool)
    if missing.any():
        raise ValueError(
            f"units: none of run {table.loc[missing, 'identity'].iloc[0]} "
            f"({table.loc[missing, 'label'].iloc[0]}) and {missing.sum() - 1} others; make the "
            "list again with tools/watch_units.py"
        )
    features = features.astype(float).reindex(table["identity"]).set_axis(table.index)
    nothing = dict.fromkeys(FEATURES, 0.0) | {"silent": 1.0}
    return table.join(features.fillna(nothing).astype(KINDS))


def _share(cell: pd.DataFrame) -> dict[str, float]:
    """Count runs that learned; the interval counts each seed once, whatever runs it has."""
    n = effective_number(cell["seed"])
    share = float(cell["learned"].mean())
    low, high = share_interval(share * n, n)
    counts = {
        "runs": len(cell),
        "seeds": cell["seed"].nunique(),
        "learned": int(cell["learned"].sum()),
    }
    return counts | {"share": share, "low": low, "high": high}


def learned_by_count(table: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Share of runs that learned, by the number of units with a strong self-connection.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`runs_with_features`.
    by : sequence of str
        Further columns to tell apart, such as ``strongest_excited``.

    Returns
    -------
    DataFrame
        One row per task, field, number (``strong``, at most 4, which means four or more) and what
        is in `by`, with ``runs, seeds, learned, share``, ``low`` and ``high``: an exact 95 %
        interval that counts every seed once (Kish's effective number of seeds where some have more
        runs than others), for runs of a seed share input weights and nearly all share the start.
    """
    rows = []
    keys = ["task", "field", "strong", *by]
    capped = table.assign(strong=table["strong"].clip(upper=FOUR))
    order = {name: place for place, name in enumerate(TASKS)}
    capped = capped.sort_values(["task"], key=lambda names: names.map(order), kind="stable")
    for key, cell in capped.groupby(keys, sort=False):
        rows.append(dict(zip(keys, key, strict=True)) | _share(cell))
    columns = [*keys, "runs", "seeds", "learned", "share", "low", "high"]
    counted = pd.DataFrame(rows, columns=columns)
    return counted.sort_values(
        keys, key=lambda values: values.map(order) if values.name == "task" else values,
        ignore_index=True,
    )  # fmt: skip


def learned_by_account(table: pd.DataFrame) -> pd.DataFrame:
    """Ask of each run whether its own input weights let it learn, by the two accounts.

    One unit: some strong unit is excited by some cue. Two units: strong units prefer two cues that
    ask for different answers; in one-choice two goals of one pair of problems.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`runs_with_features`.

    Returns
    -------
    DataFrame
        One row per account, task, field and ``can_learn``, with ``runs, seeds, learned, share, low,
        high`` as :func:`learned_by_count` has them.
    """
    rows = []
    enough = {"one unit": table["excited"] > 0, "two units": table["opposed"]}
    for account in ACCOUNTS:
        keyed = table.assign(can_learn=enough[account])
        for (task, field, can), cell in keyed.groupby(["task", "field", "can_learn"], sort=False):
            row = {"account": account, "task": task, "field": field, "can_learn": can}
            rows.append(row | _share(cell))
    return pd.DataFrame(rows)


def shares_as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Write counted shares field by field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`learned_by_count`.

    Returns
    -------
    DataFrame
        One row per task and number, one column per field: runs that learned of how many, number of
        seeds, and the share with its interval; empty where a field has no such start.
    """
    told = table.assign(
        share=[
            f"{row['learned']} of {row['runs']}, {row['seeds']} seeds: "
            + with_interval(row["share"], row["low"], row["high"])
            for row in table.to_dict("records")
        ]
    )
    keys = list(table.columns[: list(table.columns).index("runs")])
    keys.remove("field")
    return told.pivot_table("share", keys, "field", aggfunc="first", fill_value="", sort=False)


def trace_summary(traces: pd.DataFrame) -> pd.DataFrame:
    """Say of every traced run when its units fell silent, and what became of the strongest one.

    Parameters
    ----------
    traces : DataFrame
        Rows of :func:`load_traces`.

    Returns
    -------
    DataFrame
        One row per run: ``field, task, seed, learned``; ``strong``, its strong units at the start;
        ``silent_at_start``, whether no listed unit is above the noise of one step there;
        ``silent_from``, the first look from which that is so to the end, NaN where some unit
        is above at the end; ``start`` and ``end`` of the strongest self-connection of the start.
    """
    needed = {name: needed_self_connection(task) for name, task in TASKS.items()}
    rows = []
    keys = ["field", "task", "seed", "learned"]
    for key, trace in traces.groupby(keys, sort=False):
        looks = trace.groupby("update")["separation"].max() > INPUT_NOISE
        heard = looks.index[looks]
        later = looks.index[looks.index > (heard.max() if len(heard) else -1)]
        strongest = trace[trace["rank"] == 1].sort_values("update")["self_connection"]
        at_start = trace[trace["update"] == 0]["self_connection"]
        rows.append(
            dict(zip(keys, key, strict=True))
            | {
                "strong": int((at_start > needed[key[1]]).sum()),
                "silent_at_start": not looks.iloc[0],
                "silent_from": float(later.min()) if len(later) else float("nan"),
                "start": float(strongest.iloc[0]),
                "end": float(strongest.iloc[-1]),
            }
        )
    return pd.DataFrame(rows)
