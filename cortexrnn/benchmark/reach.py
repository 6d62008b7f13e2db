"""How large a network can be trained in a given time, and what its memory allows.

Everything is scaled from measured updates: a penalty of a kind reaches, at some size, a share of
the operations that :mod:`cortexrnn.benchmark.flops` counts per second, and that rate is taken
between measured sizes by their logarithms and kept beyond the largest. What grows there are the
counts, with their N^2 and N^3, so that a cubic part that small sizes hide is not missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from cortexrnn.benchmark.flops import forward_flops, penalty_flops, step_flops
from cortexrnn.benchmark.report import UPDATES, Measurements

__all__ = ["MATRICES", "largest_networks", "memory_gib", "training_seconds"]

VALIDATION_TRIALS = 2560
"""Trials of the paper on which a trained network is evaluated."""
N_STEPS, N_TRIALS = 50, 128
"""Time steps and trials of an update of the paper's one-choice task."""
MATRICES = {"plain": 11, "direct": 30, "emd": 36, "low_rank": 20}
"""Matrices of N^2 float32 numbers that an update holds at most, for each kind of penalty."""
GIB = 2**30


def training_seconds(
    table: pd.DataFrame, n_neurons: int, what: str, *, device: str = "cpu"
) -> float:
    """Time of one training of the paper's size: 400 updates and one validation.

    Parameters
    ----------
    table : DataFrame
        Measurements, see :data:`cortexrnn.benchmark.report.COLUMNS`.
    n_neurons : int
        N.
    what : str
        Kind of penalty: ``plain``, ``direct``, ``emd`` or ``low_rank``.
    device : str
        Device of the measurements.

    Returns
    -------
    float
        Seconds, without topology.

    Raises
    ------
    ValueError
        If no update of the kind was measured on the device.
    """
    chosen = table[(table["kind"] == "step") & (table["what"] == what)]
    chosen = chosen[(chosen["members"] == 1) & (chosen["device"] == device)]
    if chosen.empty:
        raise ValueError(
            f"no update of kind {what!r} was measured on {device!r}; run cortexrnn bench there"
        )
    chosen = chosen[chosen["threads"] == chosen["threads"].min()].sort_values("n_neurons")
    sizes = chosen["n_neurons"].to_numpy(float)
    rates = [_update_flops(int(n), what) for n in sizes] / chosen["seconds"].to_numpy(float)
    rate = np.exp(np.interp(math.log(n_neurons), np.log(sizes), np.log(rates)))
    validation = forward_flops(n_neurons, n_trials=VALIDATION_TRIALS)
    return float((UPDATES * _update_flops(n_neurons, what) + validation) / rate)


def _update_flops(n_neurons: int, what: str) -> float:
    """Operations of one update with its penalty."""
    return step_flops(n_neurons) + penalty_flops(n_neurons, what)


def memory_gib(n_neurons: int, what: str) -> float:
    """Memory that training one network takes, in float32.

    Parameters
    ----------
    n_neurons : int
        N.
    what : str
        Kind of penalty.

    Returns
    -------
    float
        GiB: states and errors of every time step and trial, 2 T B N numbers, and
        :data:`MATRICES` of N^2.
    """
    states = 2 * N_STEPS * N_TRIALS * n_neurons
    return 4 * (states + MATRICES[what] * n_neurons**2) / GIB


def largest_networks(
    measured: Measurements,
    *,
    hours: float = 1.0,
    gib: float | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """Find the largest network of each kind of penalty that can be trained.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    hours : float
        Time for one training of the paper's size, on what one measurement used: a core with one
        thread, or an accelerator.
    gib : float, optional
        Memory; without it that of the machine of the measurements, which an accelerator's is not.
    device : str
        Device of the measurements.

    Returns
    -------
    DataFrame
        For each kind that was measured there: ``what``, ``n_neurons``, ``limit`` (``time`` or
        ``memory``), ``hours`` and ``gib`` of that network, and ``measured_to``, the largest size
        that was measured.

    Raises
    ------
    ValueError
        If time or memory are not positive, or memory is left out for an accelerator.
    """
    if gib is None:
        if device != "cpu":
            raise ValueError(f"gib is missing; give the memory of {device!r} in GiB")
        gib = float(measured.machine["memory_gib"])
    for name, value in {"hours": hours, "gib": gib}.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}, expected a positive number")
    table, rows = measured.table, []
    for what in MATRICES:
        steps = table[(table["kind"] == "step") & (table["what"] == what)]
        steps = steps[steps["device"] == device]
        if steps.empty:
            continue

        def seconds(n: int, what: str = what) -> float:
            return training_seconds(table, n, what, device=device)

        def size(n: int, what: str = what) -> float:
            return memory_gib(n, what)

        by_time, by_memory = _largest(seconds, 3600 * hours), _largest(size, gib)
        n_neurons = min(by_time, by_memory)
        rows.append(
            {
                "what": what,
                "n_neurons": n_neurons,
                "limit": "time" if by_time <= by_memory else "memory",
                "hours": seconds(n_neurons) / 3600 if n_neurons else math.nan,
                "gib": size(n_neurons),
                "measured_to": int(steps["n_neurons"].max()),
            }
        )
    return pd.DataFrame(rows, columns=["what", "n_neurons", "limit", "hours", "gib", "measured_to"])


def _largest(cost: Callable[[int], float], limit: float) -> int:
    """Largest whole number whose cost, which grows, is within a limit; 0 if there is none."""
    high = 1
    while cost(high) <= limit:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= limit else (low, middle)
    return low
