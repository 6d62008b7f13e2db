"""Read measurements of cost, fit how they grow, and predict how long a design will take.

The file is the one that ``cortexrnn bench`` writes (:mod:`cortexrnn.benchmark.measure`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import linregress

from cortexrnn.networks.variant import VARIANTS, Variant
from cortexrnn.runs.archive import ArchiveError

__all__ = [
    "COLUMNS",
    "FORMAT",
    "PAIR_COLUMNS",
    "SERIES",
    "Accelerator",
    "Exponent",
    "Measurements",
    "design_hours",
    "exponents",
    "fit_exponent",
    "load",
    "read",
    "reference_table",
    "run_seconds",
    "slowdown",
    "stands_for",
]

FORMAT = 1
"""Layout of the file."""
SERIES = ["kind", "what", "members", "threads", "processes", "device"]
"""What the measurements of one cost curve have in common."""
COLUMNS = [
    *SERIES, "n_neurons", "seconds", "low", "high", "repeats", "flops", "floor_seconds",
    "gemm_gflops", "scaled_from", "finished",
]  # fmt: skip
"""Columns of a measurement; times in seconds of one call."""
PAIR_COLUMNS = [
    "field", "n_neurons", "variant", "threads", "epochs", "n_nulls", "round", "side", "training",
    "topology", "nulls", "accuracy", "flops", "floor_seconds", "gemm_gflops", "versions",
    "finished",
]  # fmt: skip
"""Columns of one side of a pair; times in seconds."""
UPDATES = 400
"""Updates of one run of the paper: 10 epochs of 40 batches."""
FEWEST = 3
"""Sizes that an exponent is fitted to at least."""


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """What was measured on one accelerator.

    Attributes
    ----------
    machine : dict
        As in :class:`Measurements`; its ``accelerator`` is the name of the device.
    tf32 : bool
        Whether products were computed in TF32, which keeps 10 bits of the mantissa.
    table : DataFrame
        Measurements, :data:`COLUMNS`.
    parts : dict of str to dict
        Results of the parts of ``tools.accelerator`` that were finished, by their names.
    """

    machine: dict[str, Any]
    tf32: bool
    table: pd.DataFrame
    parts: dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a file of measurements holds.

    Attributes
    ----------
    machine : dict
        Processor, cores, memory, accelerator, system and versions.
    table : DataFrame
        Measurements, :data:`COLUMNS`.
    pairs : DataFrame
        Runs of ours and of the Keras reference, :data:`PAIR_COLUMNS`; may be empty.
    skipped, failed : list of dict
        Points that were left out because they take too long, or that could not be measured.
    accelerators : list of Accelerator
        What was measured on other machines that have one; may be empty.
    """

    machine: dict[str, Any]
    table: pd.DataFrame
    pairs: pd.DataFrame
    skipped: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    accelerators: list[Accelerator] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """A power law seconds = factor N^exponent.

    Attributes
    ----------
    exponent, factor : float
        Of the law.
    error : float
        Standard error of the exponent.
    smallest, largest : int
        Range of the sizes that it was fitted to.
    n_sizes : int
        Their number.
    """

    exponent: float
    factor: float
    error: float
    smallest: int
    largest: int
    n_sizes: int


def read(path: Path) -> dict[str, Any]:
    """Read a file of measurements as it is.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    ArchiveError
        If it cannot be read or is no such file.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = record["format"] == FORMAT
        columns = {"measurements": COLUMNS, "pairs": PAIR_COLUMNS}
        whole = all(set(row) == set(names) for key, names in columns.items() for row in record[key])
        whole &= all(
            set(row) == set(COLUMNS)
            for one in record.get("accelerators", [])
            for row in one["measurements"]
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArchiveError(
            f"{path} cannot be read as measurements ({error}); write one with cortexrnn bench"
        ) from error
    if not (known and whole):
        raise ArchiveError(f"{path} has another layout; write it anew with cortexrnn bench")
    return record


def load(path: str | Path | None = None) -> Measurements:
    """Load measurements.

    Parameters
    ----------
    path : str or Path, optional
        File that ``cortexrnn bench`` wrote; without it the one that ships with the package.

    Returns
    -------
    Measurements
        Its content.

    Raises
    ------
    ArchiveError
        If it cannot be read.
    """
    if path:
        return _measurements(read(Path(path)))
    with resources.as_file(resources.files("cortexrnn") / "data" / "bench.json") as shipped:
        return _measurements(read(shipped))


def _measurements(record: dict[str, Any]) -> Measurements:
    return Measurements(
        machine=record["machine"],
        table=_table(record["measurements"]),
        pairs=pd.DataFrame(record["pairs"], columns=PAIR_COLUMNS),
        skipped=record.get("skipped", []),
        failed=record.get("failed", []),
        accelerators=[
            Accelerator(
                machine=one["machine"],
                tf32=one["tf32"],
                table=_table(one["measurements"]),
                parts=one["parts"],
            )
            for one in record.get("accelerators", [])
        ],
    )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of measurements, whose numbers may be missing."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype(dict.fromkeys(["flops", "floor_seconds", "scaled_from"], float))


def slope(size: float, seconds: float, larger: float, longer: float) -> float:
    """Exponent of the power law through two points.

    Parameters
    ----------
    size, seconds, larger, longer : float
        The points.

    Returns
    -------
    float
        The exponent.
    """
    return math.log(longer / seconds) / math.log(larger / size)


def fit_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Exponent:
    """Fit a power law to the larger sizes by least squares of logarithms.

    Small sizes are ruled by overheads, so only those of at least a quarter of the largest enter,
    and never fewer than three.

    Parameters
    ----------
    sizes : sequence of float
        Numbers of neurons, all different.
    seconds : sequence of float
        Times.

    Returns
    -------
    Exponent
        The law and the range that it was fitted to.

    Raises
    ------
    ValueError
        If there are fewer than three different sizes, or a number is not positive.
    """
    order = np.argsort(sizes)
    x, y = np.asarray(sizes, float)[order], np.asarray(seconds, float)[order]
    if len(x) < FEWEST or len(set(x)) < len(x):
        raise ValueError(f"sizes are {x.tolist()}; an exponent needs {FEWEST} different ones")
    if not ((x > 0).all() and (y > 0).all()):
        raise ValueError("sizes and seconds: expected positive numbers")
    n_used = max(FEWEST, int((x >= x[-1] / 4).sum()))
    x, y = x[-n_used:], y[-n_used:]
    line = linregress(np.log(x), np.log(y))
    return Exponent(
        exponent=float(line.slope),
        factor=float(np.exp(line.intercept)),
        error=float(line.stderr),
        smallest=int(x[0]),
        largest=int(x[-1]),
        n_sizes=n_used,
    )


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """Fit every cost curve that has enough sizes.

    Parameters
    ----------
    table : DataFrame
        Measurements.

    Returns
    -------
    DataFrame
        One row per curve: its :data:`SERIES`, the attributes of :class:`Exponent`, and at the
        largest size ``seconds`` and ``times_floor`` (NaN without matrix products).
    """
    rows = []
    for key, curve in table.groupby(SERIES, sort=False):
        if curve["n_neurons"].nunique() < FEWEST:
            continue
        fitted = fit_exponent(curve["n_neurons"].tolist(), curve["seconds"].tolist())
        last = curve.sort_values("n_neurons").iloc[-1]
        rows.append(
            dict(zip(SERIES, key, strict=True))
            | vars(fitted)
            | {
                "seconds": last["seconds"],
                "times_floor": last["seconds"] / last["floor_seconds"],
            }
        )
    names = [*SERIES, *Exponent.__dataclass_fields__, "seconds", "times_floor"]
    return pd.DataFrame(rows, columns=names)


def stands_for(variant: Variant | str) -> str:
    """Kind of penalty whose measurements stand for a variant.

    Parameters
    ----------
    variant : Variant or str
        A variant.

    Returns
    -------
    str
        ``direct``, ``emd``, or ``plain`` for all others.
    """
    if isinstance(variant, str):
        variant = Variant.parse(variant)
    return variant.communicability if variant.communicability in ("direct", "emd") else "plain"


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
        raise ValueError(f"no whole run of kind {what!r} was measured; run cortexrnn bench")
    inside = float(np.clip(n_neurons, runs.index.min(), runs.index.max()))
    middle = _at(runs["seconds"], inside)
    if inside != n_neurons:
        middle *= _parts(table, what, n_neurons) / _parts(table, what, inside)
    nearest = runs.loc[min(runs.index, key=lambda n: abs(math.log(n / n_neurons)))]
    low, high = nearest["low"] / nearest["seconds"], nearest["high"] / nearest["seconds"]
    return middle * low, middle, middle * high


def _curve(table: pd.DataFrame, kind: str, what: str) -> pd.DataFrame:
    """Measurements of one network, fewest threads, by number of neurons."""
    chosen = table[(table["kind"] == kind) & (table["what"] == what) & (table["members"] == 1)]
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
    measured: Measurements, *, n_neurons: int, n_runs: int, cores: int
) -> dict[str, float]:
    """Hours that a design takes on the machine of the measurements.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    n_neurons : int
        N.
    n_runs : int
        Runs of the paper's size, in equal parts of the eleven variants.
    cores : int
        Processes, one on each core.

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
    kinds = [stands_for(variant) for variant in VARIANTS.values()]
    times = {kind: run_seconds(measured.table, n_neurons, kind) for kind in set(kinds)}
    mean = np.mean([times[kind] for kind in kinds], axis=0)
    rounds = math.ceil(n_runs / cores)
    low, middle, high = mean * rounds * slowdown(measured.table, min(cores, n_runs)) / 3600
    return {"low": float(low), "hours": float(middle), "high": float(high)}


def reference_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Put ours and the Keras reference side by side, medians over rounds.

    Parameters
    ----------
    pairs : DataFrame
        Runs of both sides.

    Returns
    -------
    DataFrame
        For each field, variant, number of threads and epochs, and each of ``training``,
        ``topology, nulls drawn anew``, ``topology, nulls cached``, ``whole, nulls drawn anew``,
        ``whole, nulls cached``, and ``whole, each as it is`` (ours cached, the Keras reference's
        drawn anew): seconds of ``ours`` and ``keras`` with their ranges, ``ratio`` of the medians,
        the smallest and largest ratio within a round, and ``times_floor``, ours against the
        floor of its training (NaN for topology).

    Raises
    ------
    ValueError
        If a side is missing.
    """
    keys = ["field", "variant", "threads", "epochs", "n_nulls"]
    rows = []
    for key, group in pairs.groupby(keys, sort=False):
        ours, reference = (
            group[group["side"] == side].set_index("round").sort_index()
            for side in ("ours", "peer")
        )
        both = ours.index.intersection(reference.index)
        if both.empty:
            raise ValueError(f"{key}: one side is missing; give the same command again to finish")
        own, other = _stages(ours.loc[both]), _stages(reference.loc[both])
        own["whole, each as it is"] = own["whole, nulls cached"]
        other["whole, each as it is"] = other["whole, nulls drawn anew"]
        for stage in own:
            floor = ours.loc[both, "floor_seconds"]
            ratio = other[stage] / own[stage]
            has_floor = not stage.startswith("topology")
            rows.append(
                dict(zip(keys, key, strict=True))
                | {
                    "stage": stage,
                    "ours": own[stage].median(),
                    "ours_low": own[stage].min(),
                    "ours_high": own[stage].max(),
                    "keras": other[stage].median(),
                    "keras_low": other[stage].min(),
                    "keras_high": other[stage].max(),
                    "ratio": other[stage].median() / own[stage].median(),
                    "ratio_low": ratio.min(),
                    "ratio_high": ratio.max(),
                    "floor": floor.median() if has_floor else math.nan,
                    "times_floor": (own[stage] / floor).median() if has_floor else math.nan,
                    "rounds": len(both),
                }
            )
    return pd.DataFrame(rows)


def _stages(side: pd.DataFrame) -> dict[str, pd.Series]:
    """Seconds of every stage of each round."""
    drawn = side["topology"] + side["nulls"]
    return {
        "training": side["training"],
        "topology, nulls drawn anew": drawn,
        "topology, nulls cached": side["topology"],
        "whole, nulls drawn anew": side["training"] + drawn,
        "whole, nulls cached": side["training"] + side["topology"],
    }
