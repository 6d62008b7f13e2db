"""The parts of :mod:`tools.accelerator` that take time: updates, the experiment, larger networks.

This module imports torch and the package, and therefore only after the machine has been looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cortexrnn.benchmark import measure, report
from cortexrnn.benchmark.flops import run_flops
from cortexrnn.benchmark.measure import Point, batched_rate
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import topology
from cortexrnn.networks.specification import PRESETS, Preset, RunSpec
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import experiment
from cortexrnn.runs.archive import read_runs, run_files
from cortexrnn.runs.plans import plan
from tools.accelerator.files import packing
from tools.accelerator.watch import Stages, busy_share

REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large everything is; a rehearsal is the same, smaller.

    Attributes
    ----------
    field : str
        Field of the experiment.
    preset : Preset
        Its trials and epochs.
    seeds : tuple of int
        Numbers of seeds, of which the largest that fits is taken.
    variants : tuple of str
        Its variants.
    equality : int
        Neurons on which gradients are compared.
    members : tuple of int
        Networks in a batch, at the size of the field.
    large : tuple of int
        Neurons of the networks that are timed at the end.
    square : int
        Rows of the square product that shows the peak.
    budget : float
        Seconds for the repetitions of one measurement.
    """

    field: str = "6_6_2"
    preset: Preset = PRESETS["paper"]
    seeds: tuple[int, ...] = (20, 10, 5, 2, 1)
    variants: tuple[str, ...] = tuple(VARIANTS)
    equality: int = 64
    members: tuple[int, ...] = measure.ACCELERATOR_MEMBERS
    large: tuple[int, ...] = (1024, 2048, 4096, 8192, 12288)
    square: int = 8192
    budget: float = 1.0


REHEARSAL = Size(
    field="surrogate_24",
    preset=PRESETS["smoke"],
    seeds=(2,),
    variants=("W", "W*D*C", "W*D*C*"),
    equality=12,
    members=(1, 3),
    large=(16,),
    square=64,
    budget=0.02,
)
"""Everything once, within a minute on one core."""


@dataclass(kw_only=True)
class Context:
    """What the parts share.

    Attributes
    ----------
    size : Size
        How large everything is.
    device : torch.device
        Where.
    out : Path
        Folder of what comes back.
    scratch : Path
        Folder of what does not.
    left : callable
        Seconds that are left.
    note : callable
        Keeps a measurement: called with the name of a list and what is added to it.
    load : callable
        Loads a field by its name.
    tf32 : bool
        Whether products are computed in TF32.
    rehearsal : bool
        Whether this is one.
    update_seconds : dict of str to float
        Seconds of an update of one network of a wide batch, by kind of penalty.
    """

    size: Size
    device: torch.device
    out: Path
    scratch: Path
    left: Callable[[], float]
    note: Callable[[str, dict[str, Any]], None]
    load: Callable[[str], Field] = load_field
    tf32: bool = False
    rehearsal: bool = False
    update_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """Folder of the experiment."""
        return self.scratch / "runs"


# --- updates and their floors


def updates(context: Context) -> dict[str, Any]:
    """Time updates of the widest batch of the experiment, and read the floors.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        Rates of products in GFLOP/s, and seconds of an update of one network of the batch by kind
        of penalty. A batch that does not fit into memory is halved, as an experiment halves it.
    """
    n, widest = context.load(context.size.field).n_neurons, max(context.size.members)
    device, side = context.device, context.size.square
    rates = {
        f"{widest} x (128, {n}) x ({n}, {n})": batched_rate(widest, 128, n, device=device),
        f"{widest} x ({n}, {n}) x ({n}, {n})": batched_rate(widest, n, n, device=device),
        f"({side}, {side}) x ({side}, {side})": batched_rate(1, side, side, device=device),
    }
    for what in measure.VARIANTS:
        members = widest
        while members and what not in context.update_seconds:
            point = Point(kind="step", what=what, n_neurons=n, members=members, device=str(device))
            if (row := _measured(context, point)) is not None:
                context.update_seconds[what] = row["seconds"] / members
            members //= 2
    return {
        "neurons": n,
        "members": widest,
        "gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "seconds_of_a_network": context.update_seconds,
    }


def _measured(context: Context, point: Point) -> dict[str, Any] | None:
    """Measure a point and keep it; None where it cannot be measured, which is kept as well."""
    try:
        row = measure.measure(point, repeats=REPEATS, budget=context.size.budget)
    except (MemoryError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        context.note("failed", asdict(point) | {"reason": reason})
        return None
    finally:
        if context.device.type == "cuda":
            torch.cuda.empty_cache()
    context.note("measurements", row)
    return row


# --- (b) the experiment


def expected_seconds(context: Context, n_seeds: int) -> float:
    """Seconds that the experiment will take, from updates measured and one network's topology.

    Parameters
    ----------
    context : Context
        With ``update_seconds``.
    n_seeds : int
        Seeds.

    Returns
    -------
    float
        Seconds, with a third for what is not counted, and some for the start.
    """
    size = context.size
    n_updates = size.preset.epochs * math.ceil(size.preset.n_train / measure.BATCH)
    n_tasks = 3
    one_update = sum(
        context.update_seconds.get(report.stands_for(name), math.inf) for name in size.variants
    )
    training = n_tasks * n_seeds * n_updates * one_update
    n_runs = n_tasks * n_seeds * len(size.variants)
    return 20 * (not context.rehearsal) + 1.33 * (training + n_runs * _topology_seconds(context))


def _topology_seconds(context: Context) -> float:
    """Seconds in which one network is measured, with the nulls of its size at hand."""
    n = context.load(context.size.field).n_neurons
    topology.null_graphs(n)
    weights = np.random.default_rng(0).normal(size=(n, n))
    started = time.perf_counter()
    topology.measure(weights)
    return time.perf_counter() - started


def chosen_seeds(context: Context, *, reserve: float) -> int | None:
    """Largest number of seeds whose runs fit into the time that is left.

    Parameters
    ----------
    context : Context
        With ``update_seconds``.
    reserve : float
        Seconds that must be left afterwards.

    Returns
    -------
    int or None
        None if not even the smallest number fits.
    """
    left = context.left() - reserve
    for n_seeds in context.size.seeds:
        if expected_seconds(context, n_seeds) <= left:
            return n_seeds
    return None


def experiment_specs(context: Context, n_seeds: int) -> list[RunSpec]:
    """List the runs of the experiment.

    Parameters
    ----------
    context : Context
        Which field, variants and preset.
    n_seeds : int
        Seeds, from 0.

    Returns
    -------
    list of RunSpec
        Of the arm ``corr``.
    """
    size = context.size
    return plan(
        context.load(size.field), variants=size.variants, preset=size.preset, seeds=range(n_seeds)
    )


RESERVE = 25.0
"""Seconds that the experiment leaves for what comes after it."""


def run_experiment(context: Context) -> dict[str, Any]:
    """Run the design of the paper and time it, whole and by part.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        Seconds as a whole and by part, operations, floors, memory, and what was run.

    Raises
    ------
    TooLittleTime
        If not even the runs of the fewest seeds fit into the time that is left.
    """
    reserve = 0 if context.rehearsal else RESERVE
    n_seeds = chosen_seeds(context, reserve=reserve)
    if n_seeds is None:
        fewest = min(context.size.seeds)
        need = expected_seconds(context, fewest)
        raise TooLittleTime(f"{fewest} seeds need {need:.0f} s, {context.left():.0f} s are left")
    field, specs = context.load(context.size.field), experiment_specs(context, n_seeds)
    n = field.n_neurons
    topology.null_graphs(n)
    flops = sum(run_flops(spec, n) for spec in specs) + len(specs) * 4.0 * n**3
    if context.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    with Stages() as stages, busy_share(context.device) as busy, packing(context.runs, context.out):
        path = experiment.run(
            specs, field, out=context.runs, device=str(context.device), progress=False,
            workers=None if context.device.type != "cpu" else 1,
        )  # fmt: skip
        seconds = time.perf_counter() - started
    runs = read_runs(path)
    widest = min(max(context.size.members), len(specs))
    rate = max(batched_rate(widest, rows, n, device=context.device) for rows in (128, n))
    side = context.size.square
    peak = max(rate, batched_rate(1, side, side, device=context.device))
    return {
        "plan": path.stem,
        "runs": len(runs),
        "seeds": n_seeds,
        "expected_seconds": expected_seconds(context, n_seeds),
        "seconds": seconds,
        "parts": stages.seconds(seconds),
        "row_seconds": {name: float(runs[name].sum()) for name in ("seconds", "seconds_topology")},
        "device_busy": busy.get("share"),
        "flops": flops,
        "gflops": {"of this size": rate / 1e9, "peak": peak / 1e9},
        "floor_seconds": flops / rate,
        "times_floor": seconds / (flops / rate),
        "peak_memory_bytes": _peak_memory(context.device),
        "diverged": int(runs["diverged"].sum()),
        "products": sorted(set(runs["products"])),
    }


class TooLittleTime(Exception):
    """A part was left out, since it would not fit into the time that is left."""


def _peak_memory(device: torch.device) -> int | None:
    """Bytes of the device that were taken at most."""
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None


# --- (c) beside the archive


def comparison(context: Context) -> dict[str, Any]:
    """Compare the runs that were made with those of the archive.

    Parameters
    ----------
    context : Context
        Where runs are.

    Returns
    -------
    dict
        See :func:`tools.accelerator.comparison.compare`.

    Raises
    ------
    TooLittleTime
        If there are no runs.
    """
    from cortexrnn.runs.archive import load_archive, read_folder
    from tools.accelerator import comparison

    files = run_files(context.runs)
    if not files:
        raise TooLittleTime("no run was finished")
    runs = read_folder(context.runs)
    if not context.rehearsal:
        return comparison.compare(runs, load_archive())
    # The same runs, trained once more, stand for an archive; the real one is read all the same.
    n_seeds = int(runs["seed"].nunique())
    field, specs = context.load(context.size.field), experiment_specs(context, n_seeds)
    recorded = context.scratch / "recorded"
    experiment.run(specs, field, out=recorded, device="cpu", workers=1, progress=False)
    shipped = load_archive()
    published = shipped[(shipped["field"] == "6_6_2") & (shipped["arm"] == "corr")]
    published = published[published["published"] & (published["data_seed"] == 0)]
    comparison.compare(published, shipped)
    return comparison.compare(runs, load_archive(recorded))


# --- (d) other widths, larger networks


def widths(context: Context) -> dict[str, Any]:
    """Time updates of narrower batches at the size of the field.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        How many points were measured.
    """
    n = context.load(context.size.field).n_neurons
    narrower = sorted(set(context.size.members) - {max(context.size.members)})
    wanted = [
        Point(kind="step", what=what, n_neurons=n, members=count, device=str(context.device))
        for count in narrower
        for what in measure.VARIANTS
    ]

    def need(point: Point) -> float:
        update = point.members * context.update_seconds.get(point.what, 0.0)
        return 2.0 * (not context.rehearsal) + context.size.budget + 2 * update

    return _all_that_fit(context, wanted, need=need)


def large(context: Context) -> dict[str, Any]:
    """Time updates, then whole trainings, of ever larger networks while time is left.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        How many points were measured.
    """
    wanted = [
        Point(kind=kind, what=what, n_neurons=n, device=str(context.device))
        for kind in ("step", "training")
        for n in context.size.large
        for what in ("plain", "direct")
    ]
    guess = 1.0 if context.rehearsal else 15.0
    known: dict[tuple[str, str], tuple[int, float]] = {}
    updates: dict[tuple[str, int], float] = {}

    def need(point: Point) -> float:
        if point.kind == "training":
            update = updates.get((point.what, point.n_neurons), math.inf)
            return guess / 3 + 1.1 * report.UPDATES * update
        smaller = known.get((point.kind, point.what))
        if smaller is None:
            return guess
        return max(smaller[1], 0.5) * (point.n_neurons / smaller[0]) ** 2.5

    def learn(point: Point, row: dict[str, Any], seconds: float) -> None:
        known[point.kind, point.what] = point.n_neurons, seconds
        if point.kind == "step":
            updates[point.what, point.n_neurons] = row["seconds"]

    return _all_that_fit(context, wanted, need=need, learn=learn)


def _all_that_fit(
    context: Context,
    wanted: Sequence[Point],
    *,
    need: Callable[[Point], float],
    learn: Callable[[Point, dict[str, Any], float], None] = lambda *_: None,
) -> dict[str, Any]:
    """Measure points while time is left; the others are kept as skipped.

    `need` expects the seconds that a point takes, from what `learn` was told of those before it.
    """
    done = 0
    for point in wanted:
        if (expected := need(point)) > context.left():
            seconds = expected if math.isfinite(expected) else None
            context.note("skipped", asdict(point) | {"expected_seconds": seconds})
            continue
        started = time.perf_counter()
        if (row := _measured(context, point)) is not None:
            done += 1
            learn(point, row, time.perf_counter() - started)
    return {"measured": done, "of": len(wanted)}
