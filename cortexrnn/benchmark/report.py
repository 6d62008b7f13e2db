"""Read measurements of cost, fit how they grow, and put ours beside the Keras reference.

The file is the one that ``cortexrnn bench`` writes (:mod:`cortexrnn.benchmark.measure`). What a
design will take by these measurements is forecast by :mod:`cortexrnn.benchmark.forecast`.
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

from cortexrnn.networks.variant import Variant
from cortexrnn.runs.archive import ArchiveError

__all__ = [
    "COLUMNS",
    "FORMAT",
    "PAIR_COLUMNS",
    "SERIES",
    "Accelerator",
    "Exponent",
    "Measurements",
    "exponents",
    "fit_exponent",
    "load",
    "read",
    "reference_table",
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
