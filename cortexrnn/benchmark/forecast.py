"""Forecast from measurements how long a design will take, on a processor and on an accelerator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from cortexrnn.benchmark.report import UPDATES, Measurements, slope, stands_for
from cortexrnn.networks.variant import VARIANTS

__all__ = [
    "KINDS",
    "accelerator_hours",
    "design_hours",
    "hours_by_size",
    "run_seconds",
    "slowdown",
    "topology_seconds",
]

KINDS = ("plain", "direct")
"""What is shown of penalties: without communicability, and with it."""


def run_seconds(table: pd.DataFrame, n_neurons: int, what: str) -> tuple[float, float, float]:
    """Time of one run of the paper's size on one core, at any number of neurons.

    Within the sizes at which whole runs were measured: interpolated between them, logarithm
    against logarithm. Beyond: the nearest measured run times the growth of its parts (400 updates
    and one topology), which are measured over a wider range and follow their last slope after it.

    Parameters
    ----------
    table : DataFrame
        Measurements.
    n_neurons : int
        N.
    what : {"plain", "direct", "emd"}
        Kind of penalty.

    Returns
    -------
    low, median, high : float
        Seconds; low and high carry over the range of the repetitions at the nearest measured run.

    Raises
    ------
    ValueError
        If no run was measured, or fewer than two sizes of its parts.
    """
    runs = _curve(table, "run", what)
    if runs.empty:
        raise ValueError(
            f"no whole run of kind {what!r} was measured on a processor; run cortexrnn bench"
        )
    inside = float(np.clip(n_neurons, runs.index.min(), runs.index.max()))
    middle = _at(runs["seconds"], inside)
    if inside != n_neurons:
        middle *= _parts(table, what, n_neurons) / _parts(table, what, inside)
    nearest = runs.loc[min(runs.index, key=lambda n: abs(math.log(n / n_neurons)))]
    low, high = nearest["low"] / nearest["seconds"], nearest["high"] / nearest["seconds"]
    return middle * low, middle, middle * high


def _curve(table: pd.DataFrame, kind: str, what: str) -> pd.DataFrame:
    """Measurements of one network on a processor, fewest threads, by number of neurons."""
    chosen = table[(table["kind"] == kind) & (table["what"] == what) & (table["members"] == 1)]
    chosen = chosen[chosen["device"].astype(str).str.startswith("cpu")]
    chosen = chosen[chosen["threads"] == chosen["threads"].min()]
    return chosen.set_index("n_neurons").sort_index()


def _parts(table: pd.DataFrame, what: str, n_neurons: float) -> float:
    """Seconds of the updates and the topology of a run."""
    step = _at(_curve(table, "step", what)["seconds"], n_neurons)
    return UPDATES * step + _at(_curve(table, "topology", "measure")["seconds"], n_neurons)


def _at(curve: pd.Series, n_neurons: float) -> float:
    """Interpolate times between sizes; beyond them follow the line through the last two."""
    if len(curve) == 1 and curve.index[0] == n_neurons:
        return float(curve.iloc[0])
    if len(curve) < 2:
        raise ValueError(
            f"measured at {len(curve)} size(s), expected at least 2 to reach N = {n_neurons:.0f}; "
            "run cortexrnn bench with more sizes"
        )
    sizes, seconds = curve.index.to_numpy(float), curve.to_numpy(float)
    right = int(np.clip(np.searchsorted(sizes, n_neurons), 1, len(sizes) - 1))
    growth = slope(sizes[right - 1], seconds[right - 1], sizes[right], seconds[right])
    if n_neurons > sizes[-1]:
        growth = max(growth, 0.0)  # noise between small sizes must not make large ones cheap
    return float(seconds[right - 1] * (n_neurons / sizes[right - 1]) ** growth)


def slowdown(table: pd.DataFrame, n_processes: int) -> float:
    """How much longer an update takes while other processes train as well.

    Parameters
    ----------
    table : DataFrame
        Measurements.
    n_processes : int
        Processes side by side.

    Returns
    -------
    float
        Factor, measured for the largest number of processes that does not exceed `n_processes`;
        1 if a single one was measured or none.
    """
    rows = table[(table["kind"] == "processes") & (table["processes"] <= n_processes)]
    rows = rows.sort_values("processes")
    if rows.empty:
        return 1.0
    return float(max(1.0, rows["seconds"].iloc[-1] / rows["seconds"].iloc[0]))


def design_hours(
    measured: Measurements, *, n_neurons: int, n_runs: int, cores: int, what: str | None = None
) -> dict[str, float]:
    """Hours that a design takes on the processor of the measurements.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    n_neurons : int
        N.
    n_runs : int
        Runs of the paper's size.
    cores : int
        Processes, one on each core.
    what : {"plain", "direct", "emd"}, optional
        Kind of penalty of all runs; without it they are in equal parts of the eleven variants.

    Returns
    -------
    dict of str to float
        ``low``, ``hours`` and ``high``.

    Raises
    ------
    ValueError
        If a number is below 1, or too little was measured.
    """
    for name, value in {"n_neurons": n_neurons, "n_runs": n_runs, "cores": cores}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    kinds = [what] if what else [stands_for(variant) for variant in VARIANTS.values()]
    times = {kind: run_seconds(measured.table, n_neurons, kind) for kind in set(kinds)}
    mean = np.mean([times[kind] for kind in kinds], axis=0)
    rounds = math.ceil(n_runs / cores)
    low, middle, high = mean * rounds * slowdown(measured.table, min(cores, n_runs)) / 3600
    return {"low": float(low), "hours": float(middle), "high": float(high)}


def hours_by_size(
    measured: Measurements,
    sizes: Iterable[int],
    *,
    n_runs: int,
    cores: int,
    kinds: Sequence[str] = KINDS,
) -> pd.DataFrame:
    """Hours that a design takes on the processor, if all its runs were of one kind.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    sizes : iterable of int
        Numbers of neurons.
    n_runs, cores : int
        See :func:`design_hours`.
    kinds : sequence of str
        Kinds of penalty.

    Returns
    -------
    DataFrame
        For each kind and size: ``what``, ``n_neurons``, ``low``, ``hours``, ``high``, and whether
        it is ``scaled`` from the parts of a run, since whole runs were not measured at such sizes.
    """
    rows, sizes = [], sorted(sizes)
    for what in kinds:
        whole = _curve(measured.table, "run", what).index
        for n in sizes:
            hours = design_hours(measured, n_neurons=n, n_runs=n_runs, cores=cores, what=what)
            inside = whole.min() <= n <= whole.max()
            rows.append({"what": what, "n_neurons": n, "scaled": not inside} | hours)
    return pd.DataFrame(rows, columns=["what", "n_neurons", "low", "hours", "high", "scaled"])


def accelerator_hours(
    measured: Measurements, *, n_runs: int, kinds: Sequence[str] = KINDS
) -> pd.DataFrame:
    """Hours that the updates of a design take on every accelerator that was measured.

    Of the batches that were measured the one that finishes the runs first counts. Trials are drawn
    and topology is measured meanwhile by the processor, which this does not count.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    n_runs : int
        Runs of the paper's size, of one kind.
    kinds : sequence of str
        Kinds of penalty.

    Returns
    -------
    DataFrame
        For each accelerator, kind and measured size: ``accelerator``, ``what``, ``n_neurons``,
        ``members`` (networks in a batch) and ``hours``; no rows if none was measured.
    """
    rows = []
    for name, table in _accelerators(measured):
        steps = table[(table["kind"] == "step") & table["what"].isin(kinds)]
        steps = steps[~steps["device"].str.startswith("cpu")]
        batches = np.ceil(n_runs / steps["members"])
        steps = steps.assign(
            accelerator=name, hours=batches * UPDATES * steps["seconds"] / 3600
        ).sort_values("hours")
        rows.append(steps.drop_duplicates(["what", "n_neurons"]))
    names = ["accelerator", "what", "n_neurons", "members", "hours"]
    found = pd.concat(rows)[names].sort_values(["accelerator", "what", "n_neurons"])
    return found.reset_index(drop=True)


def _accelerators(measured: Measurements) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name every accelerator with its measurements; that of the machine itself comes first."""
    yield measured.machine.get("accelerator", ""), measured.table
    for one in measured.accelerators:
        yield one.machine["accelerator"] + (" (TF32)" if one.tf32 else ""), one.table


def topology_seconds(table: pd.DataFrame, n_neurons: int) -> dict[str, float]:
    """Time in which the topology of one network is measured, at any number of neurons.

    Parameters
    ----------
    table : DataFrame
        Measurements.
    n_neurons : int
        N.

    Returns
    -------
    dict of str to float
        Seconds of ``measure`` (one network, nulls at hand) and of ``nulls`` (1,000 of them, once
        for all networks of a size).
    """
    return {
        what: _at(_curve(table, "topology", what)["seconds"], n_neurons)
        for what in ("measure", "nulls")
    }
