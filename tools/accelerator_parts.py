"""The parts of :mod:`tools.accelerator`: what is computed on the device, each by itself.

This module imports torch and the package, and therefore only after the machine has been looked at.
"""

from __future__ import annotations

import contextlib
import csv
import math
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cortexrnn.benchmark import measure, report
from cortexrnn.benchmark.flops import run_flops
from cortexrnn.benchmark.measure import Point, batched_rate, synchronise
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import topology
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.ensemble import RNNEnsemble, logits
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.priors import functional_weights
from cortexrnn.networks.specification import PRESETS, Preset, RunSpec
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import VARIANTS, control
from cortexrnn.runs import experiment
from cortexrnn.runs.archive import read_runs, run_files
from cortexrnn.runs.plans import plan

PACKED = "runs.tar"
"""The file in which runs come back: machines return few files, an unfinished plan has many."""
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
    large=(16, 32),
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
    step_seconds : dict of str to float
        Seconds of an update of the widest batch, by kind of penalty.
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
    step_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """Folder of the experiment."""
        return self.scratch / "runs"


# --- (a) written-out gradients, autograd, and the processor


@dataclass(frozen=True)
class Reach(CustomPenalty):
    """A penalty of one's own: squared weights times distance."""

    name = "accelerator-check"

    def prepare(
        self, field: Field, *, initial_weights: np.ndarray, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Prepare random costs."""
        return {"cost": rng.random(initial_weights.shape)}

    def value(self, weights: Tensor, **arrays: Tensor) -> Tensor:
        """Sum the squares of weights, each times its cost."""
        return (weights**2 * arrays["cost"]).sum((-2, -1))


UPDATES = 10
MIXED = ("plain", "direct", "emd", "frozen", "custom")
"""Penalties of the networks of an ensemble in which each has another."""
TOLERANCE = {"float32": {"loss": 1e-4, "weights": 1e-2}, "float64": {"loss": 1e-12, "weights": 1e-9}}
"""Largest relative differences: of losses, and of weights as a part of the way that they went in
ten updates. Adam divides a gradient by its size, so that where one is near zero its rounding moves
a weight as much as any other."""
TF32_TOLERANCE = {"loss": 1e-2, "weights": 0.5}
"""The same in float32 where products have 10 bits."""


def penalty_kinds(field: Field, start: np.ndarray) -> dict[str, list[Penalty]]:
    """Make a penalty of every kind for some networks.

    Parameters
    ----------
    field : Field
        The field.
    start : ndarray, shape (M, N, N)
        Initial weights.

    Returns
    -------
    dict of str to list of Penalty
        One for each network, by kind; ``mixed`` has another kind for each of its networks.
    """

    def one(variant: Any, **given: Any) -> list[Penalty]:
        return [penalty(variant, field, **given)] * len(start)

    def each(variant: Any) -> list[Penalty]:
        rng = np.random.default_rng
        return [
            penalty(variant, field, initial_weights=w, rng=rng(i), strength=0.1)
            for i, w in enumerate(start)
        ]

    kinds = {
        "none": [Penalty(strength=0.0)] * len(start),
        "plain": one("W"),
        "distance": one("WD*"),
        "direct": one("W*D*C"),
        "frozen": each(control("W*D*C", communicability="frozen")),
        "emd": one("W*D*C*"),
        "custom": each(control("W*", penalty=Reach())),
        "positive": one("W*D*C"),
    }
    kinds["mixed"] = [kinds[name][0] for name in MIXED]
    return kinds


def equality(context: Context) -> dict[str, Any]:
    """Train by the written-out gradients, by autograd, and on the processor, and compare.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        Largest relative differences for every format, kind of penalty and other side, and whether
        all are within tolerance.
    """
    field = load_field(f"surrogate_{context.size.equality}")
    drawn = _parameters(field, len(MIXED))
    kinds, rows = penalty_kinds(field, drawn["recurrent"].numpy()), []
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        tolerance = TOLERANCE[name]
        if context.tf32 and dtype == torch.float32:
            tolerance = TF32_TOLERANCE
        start = {key: value.to(dtype) for key, value in drawn.items()}
        batches = list(_batches(len(MIXED), dtype))
        for kind, penalties in kinds.items():
            odd = kind == "mixed"
            positive = [kind == "positive" or (odd and i % 2 == 1) for i in range(len(MIXED))]
            make = (start, penalties, positive, batches)
            here = _written_out(*make, device=context.device)
            others = {
                "autograd": _by_autograd(*make, device=context.device),
                "processor": _written_out(*make, device=torch.device("cpu")),
            }
            for other, (losses, weights) in others.items():
                apart = {
                    "loss": _relative(here[0], losses),
                    "weights": _apart(here[1], weights, start),
                }
                fits = all(apart[key] <= tolerance[key] for key in apart)
                rows.append(
                    {"format": name, "penalty": kind, "other": other, **apart, "within": fits}
                )
    wrong = [row for row in rows if not row["within"]]
    return {
        "neurons": field.n_neurons, "updates": UPDATES, "tolerance": TOLERANCE, "rows": rows,
        "agrees": not wrong,
    }  # fmt: skip


def _parameters(field: Field, count: int) -> dict[str, Tensor]:
    """Draw initial parameters of some networks, float64 on the processor."""
    generator = torch.Generator().manual_seed(1)
    n = field.n_neurons

    def draw(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, dtype=torch.float64)

    starts = [functional_weights(field, rng=np.random.default_rng(i)) for i in range(count)]
    recurrent = torch.from_numpy(np.stack(starts))
    return {
        "input": 0.3 * draw(3, n),
        "recurrent": recurrent + 0.1 * draw(n, n) / n**0.5,
        "bias": 0.1 * draw(n),
        "output": 0.3 * draw(n, 2),
        "output_bias": draw(2),
    }


def _batches(count: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw the trials of ten updates, in turns common to all networks and for each."""
    generator = torch.Generator().manual_seed(2)
    for i in range(UPDATES):
        shape = (9, 16, 3) if i % 2 else (count, 9, 16, 3)
        inputs = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        yield inputs, torch.randint(0, 2, (16,), generator=generator)


Trained = tuple[Tensor, dict[str, Tensor]]


def _written_out(
    start: dict[str, Tensor],
    penalties: Sequence[Penalty],
    positive: Sequence[bool],
    batches: Sequence[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
) -> Trained:
    """Train as the package does; losses (updates, M) and parameters, float64 on the processor."""
    parameters = {key: value.to(device) for key, value in start.items()}
    ensemble = RNNEnsemble(parameters, penalties=penalties, positive=positive)
    losses = [ensemble.step(x.to(device), y.to(device))[0].cpu() for x, y in batches]
    weights = {key: value.cpu().double() for key, value in ensemble.parameters.items()}
    return torch.stack(losses).double(), weights


def _by_autograd(
    start: dict[str, Tensor],
    penalties: Sequence[Penalty],
    positive: Sequence[bool],
    batches: Sequence[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
) -> Trained:
    """Train by autograd and the textbook form of Adam in Keras."""
    parameters = {key: value.to(device) for key, value in start.items()}
    moved = [one.to(parameters["recurrent"]) for one in penalties]
    first, second = ({k: torch.zeros_like(v) for k, v in parameters.items()} for _ in range(2))
    losses = []
    for i, (inputs, targets) in enumerate(batches, 1):
        leaves = {k: v.detach().clone().requires_grad_() for k, v in parameters.items()}
        scores, classes = logits(leaves, inputs.to(device)), targets.to(device)
        each = torch.stack(
            [
                torch.nn.functional.cross_entropy(scores[m], classes)
                + plain_value(moved[m], leaves["recurrent"][m])
                for m in range(len(moved))
            ]
        )
        gradients = torch.autograd.grad(each.sum(), list(leaves.values()))
        rate = 1e-3 * (1 - 0.999**i) ** 0.5 / (1 - 0.9**i)
        for key, gradient in zip(leaves, gradients, strict=True):
            first[key].mul_(0.9).add_(0.1 * gradient)
            second[key].mul_(0.999).add_(0.001 * gradient**2)
            step = rate * first[key] / (second[key].sqrt() + 1e-7)
            parameters[key] = parameters[key] - step
        keep = torch.tensor(positive, device=device)[:, None, None]
        recurrent = parameters["recurrent"]
        parameters["recurrent"] = torch.where(keep, recurrent.clamp(min=0), recurrent)
        losses.append(each.detach().cpu())
    return torch.stack(losses).double(), {k: v.cpu().double() for k, v in parameters.items()}


def plain_value(penalty: Any, weights: Tensor) -> Tensor:
    """Value of a penalty by its formula alone, with torch's own exponential and sort.

    Parameters
    ----------
    penalty : Penalty
        The penalty.
    weights : Tensor, shape (N, N)
        Recurrent weights.

    Returns
    -------
    Tensor
        One number.
    """
    if (custom := getattr(penalty, "custom", None)) is not None:
        value: Tensor = penalty.strength * custom.value(weights[None], **penalty.arrays)[0]
        return value
    cost = weights.abs()
    if penalty.distance is not None:
        cost = cost * penalty.distance
    if penalty.direct:
        cost = cost * _communicability(weights, 0.0)
    if penalty.frozen is not None:
        cost = cost * penalty.frozen
    value = penalty.strength * cost.sum()
    if penalty.target is not None:
        entries = _communicability(weights, 1e-10).flatten().sort().values
        value = value + penalty.emd_strength * (entries - penalty.target).abs().mean()
    return value


def _communicability(weights: Tensor, offset: float) -> Tensor:
    """Communicability (N, N) as the paper writes it."""
    size = weights.abs()
    root = (size.sum(-1) + offset).sqrt()
    off_diagonal = 1 - torch.eye(len(weights), dtype=weights.dtype, device=weights.device)
    return torch.linalg.matrix_exp(size / (root[:, None] * root[None, :])) * off_diagonal


def _relative(one: Tensor, other: Tensor) -> float:
    """Largest relative difference."""
    return float(((one - other).abs() / other.abs().clamp(min=1e-30)).max())


def _apart(one: dict[str, Tensor], other: dict[str, Tensor], start: dict[str, Tensor]) -> float:
    """Largest distance of the parameters of a network, as a part of the way from the start."""
    return max(
        float((_length(one[key] - other[key]) / _length(other[key] - start[key].double())).max())
        for key in one
    )


def _length(values: Tensor) -> Tensor:
    """Euclidean length of the values of each network."""
    return values.flatten(1).norm(dim=1)


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
        Rates of products in GFLOP/s and seconds of an update by kind of penalty.
    """
    n, widest = context.load(context.size.field).n_neurons, max(context.size.members)
    device, side = context.device, context.size.square
    rates = {
        f"{widest} x (128, {n}) x ({n}, {n})": batched_rate(widest, 128, n, device=device),
        f"{widest} x ({n}, {n}) x ({n}, {n})": batched_rate(widest, n, n, device=device),
        f"({side}, {side}) x ({side}, {side})": batched_rate(1, side, side, device=device),
    }
    for what in measure.VARIANTS:
        row = _measured(context, Point(kind="step", what=what, n_neurons=n, members=widest,
                                       device=str(device)))  # fmt: skip
        if row is not None:
            context.step_seconds[what] = row["seconds"]
    return {
        "neurons": n,
        "members": widest,
        "gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "seconds": context.step_seconds,
    }


def _measured(context: Context, point: Point) -> dict[str, Any] | None:
    """Measure a point and keep it; None where it cannot be measured, which is kept as well."""
    try:
        row = measure.measure(point, repeats=REPEATS, budget=context.size.budget)
    except (MemoryError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        context.note("failed", asdict(point) | {"reason": reason})
        row = None
    else:
        context.note("measurements", row)
    if context.device.type == "cuda":
        torch.cuda.empty_cache()
    return row


# --- (b) the experiment


def expected_seconds(context: Context, n_seeds: int) -> float:
    """Seconds that the experiment will take, from updates measured and one network's topology.

    Parameters
    ----------
    context : Context
        With ``step_seconds``.
    n_seeds : int
        Seeds.

    Returns
    -------
    float
        Seconds, with a third for what is not counted, and some for the start.
    """
    size, widest = context.size, max(context.size.members)
    n_updates = size.preset.epochs * math.ceil(size.preset.n_train / measure.BATCH)
    n_tasks = 3
    one_update = sum(
        context.step_seconds.get(report.stands_for(name), math.inf) / widest
        for name in size.variants
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
        With ``step_seconds``.
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
    with Stages() as stages, busy_share(context.device) as busy, packing(context):
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


ROOMS = {
    "networks/topology": "topology",
    "networks/training": "training",
    "networks/ensemble": "training",
    "networks/penalties": "training",
    "networks/products": "training",
    "networks/communicability": "training",
    "networks/custom_penalty": "training",
    "networks/initial_weights": "preparation",
    "networks/priors": "preparation",
    "networks/tasks": "preparation",
    "runs/archive": "writing",
    "runs/experiment": "writing",
    "runs/engine": "training",
}
"""What a process does while it is in a module of the package."""
WAITING = ("threading", "concurrent", "multiprocessing", "queue", "selectors", "subprocess")
"""Modules in which a process waits for others."""


class Stages:
    """Look, many times a second, at what the thread that made this does.

    The innermost module of the package on its stack says which part of an experiment it is, however
    the package is written. A thread that sits in a queue or a pool waits for the host.

    Parameters
    ----------
    every : float
        Seconds between two looks.
    """

    def __init__(self, every: float = 0.01) -> None:
        self._every, self._counts = every, Counter[str]()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._subject, self._over = threading.get_ident(), threading.Event()

    def __enter__(self) -> Stages:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            frame = sys._current_frames().get(self._subject)
            names = []
            while frame is not None:
                names.append(frame.f_code.co_filename.replace("\\", "/"))
                frame = frame.f_back
            self._counts[stage(names)] += 1

    def seconds(self, total: float) -> dict[str, float]:
        """Share a time out among the parts that were seen.

        Parameters
        ----------
        total : float
            Seconds of all of them.

        Returns
        -------
        dict of str to float
            Seconds by part, the longest first.
        """
        seen = max(self._counts.total(), 1)
        return {name: total * count / seen for name, count in self._counts.most_common()}


def stage(files: Sequence[str]) -> str:
    """Name the part of an experiment by the files on a stack.

    Parameters
    ----------
    files : sequence of str
        The innermost first.

    Returns
    -------
    str
        A value of :data:`ROOMS`, ``waiting for the host``, or ``other``.
    """
    for name in files:
        if "/cortexrnn/" in name:
            inside = name.rpartition("/cortexrnn/")[2].removesuffix(".py")
            return ROOMS.get(inside, "other")
        parts = name.split("/")
        if any(part.removesuffix(".py") in WAITING for part in parts[-2:]):
            return "waiting for the host"
    return "other"


@contextlib.contextmanager
def busy_share(device: torch.device) -> Iterator[dict[str, float]]:
    """Ask the driver, ten times a second, in what share of the time a kernel runs.

    Parameters
    ----------
    device : torch.device
        Only NVIDIA's are asked.

    Yields
    ------
    dict of str to float
        At the end with ``share``, if the driver has answered.
    """
    found: dict[str, float] = {}
    program = shutil.which("nvidia-smi")
    if device.type != "cuda" or program is None:
        yield found
        return
    command = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms"]
    asked = subprocess.Popen([*command, "100"], stdout=subprocess.PIPE, text=True)
    try:
        yield found
    finally:
        asked.terminate()
        text, _ = asked.communicate(timeout=10)
        shares = [float(row[0]) for row in csv.reader(text.splitlines()) if row and _is(row[0])]
        if shares:
            found["share"] = float(np.mean(shares)) / 100


def _is(text: str) -> bool:
    """Whether text is a number."""
    with contextlib.suppress(ValueError):
        float(text)
        return True
    return False


def pack(runs: Path, out: Path) -> None:
    """Put the runs that are there, finished plan or shards, into one file.

    Parameters
    ----------
    runs : Path
        Folder of runs.
    out : Path
        Folder of what comes back.
    """
    temporary = out / f".{PACKED}.tmp"
    with tarfile.open(temporary, "w") as archive:
        for path in packed_files(runs):
            with contextlib.suppress(FileNotFoundError):  # a shard that has just been merged
                archive.add(path, arcname=path.relative_to(runs).as_posix())
    temporary.replace(out / PACKED)


def packed_files(runs: Path) -> list[Path]:
    """Files of runs and of their plans.

    Parameters
    ----------
    runs : Path
        Folder of runs.

    Returns
    -------
    list of Path
        Sorted.
    """
    found = [*runs.glob("*.parquet"), *runs.glob("*.json"), *runs.glob("shards/*.parquet")]
    return sorted(path for path in found if not path.name.startswith("."))


@contextlib.contextmanager
def packing(context: Context, every: float = 2.0) -> Iterator[None]:
    """Pack runs whenever new ones are there, so that a killed script leaves them.

    Parameters
    ----------
    context : Context
        Where runs are, and where they go.
    every : float
        Seconds between two looks.

    Yields
    ------
    None
        At the end everything is packed.
    """
    over = threading.Event()

    def watch() -> None:
        known: list[Path] = []
        while not over.wait(every):
            if (now := packed_files(context.runs)) != known:
                known = now
                with contextlib.suppress(OSError):
                    pack(context.runs, context.out)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        pack(context.runs, context.out)


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
        See :func:`tools.accelerator_comparison.compare`.

    Raises
    ------
    TooLittleTime
        If there are no runs.
    """
    from cortexrnn.runs.archive import load_archive, read_folder
    from tools import accelerator_comparison

    files = run_files(context.runs)
    if not files:
        raise TooLittleTime("no run was finished")
    runs = read_folder(context.runs)
    if not context.rehearsal:
        return accelerator_comparison.compare(runs, load_archive())
    # The same runs, trained once more, stand for an archive; the real one is read all the same.
    n_seeds = int(runs["seed"].nunique())
    field, specs = context.load(context.size.field), experiment_specs(context, n_seeds)
    recorded = context.scratch / "recorded"
    experiment.run(specs, field, out=recorded, device="cpu", workers=1, progress=False)
    shipped = load_archive()
    published = shipped[(shipped["field"] == "6_6_2") & (shipped["arm"] == "corr")]
    published = published[published["published"] & (published["data_seed"] == 0)]
    accelerator_comparison.compare(published, shipped)
    return accelerator_comparison.compare(runs, load_archive(recorded))


# --- what an update consists of


SYNCHRONISING = ("Synchronize", "aten::_local_scalar_dense", "Memcpy DtoH", "aten::is_nonzero")
"""Parts of names of what waits for the device."""
LAUNCHES = ("LaunchKernel", "cudaGraphLaunch")
"""Parts of names of calls that start a kernel."""
VIEWS = frozenset(
    f"aten::{name}"
    for name in ("alias", "as_strided", "contiguous", "detach", "detach_", "empty", "empty_like",
                 "empty_strided", "expand", "item", "lift_fresh", "permute", "reshape",
                 "resize_", "resolve_conj", "resolve_neg", "result_type", "select", "slice",
                 "squeeze", "t", "transpose", "unbind", "unflatten", "unsqueeze", "view",
                 "_local_scalar_dense", "_reshape_alias", "_unsafe_view", "diagonal", "numpy_T",
                 "mT", "matrix_H", "adjoint", "expand_as", "flatten", "split", "to")
)  # fmt: skip
"""Operations that compute nothing."""


def profile(context: Context) -> dict[str, Any]:
    """Count what one update of each kind consists of: operations, launches, waiting.

    Trainings of two and of six updates are profiled; a quarter of their difference is free of start
    and end, so that what the package does around an update is counted along. A processor computes
    one network after another, so that there a single one is trained: its operations that compute
    something are the kernels that an accelerator starts for a whole batch.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        For every kind of penalty counts per update (``launches`` are operations on a processor)
        and what takes most of the time.
    """
    field, on_cpu = context.load(context.size.field), context.device.type == "cpu"
    n_seeds = 1 if on_cpu else max(context.size.seeds)
    results: dict[str, Any] = {}
    for what, variant in measure.VARIANTS.items():
        counts, kernels = [], Counter[str]()
        for n_updates in (2, 6):
            specs = plan(
                field, variants=variant, tasks=measure.TASK,
                preset=Preset(
                    n_seeds=n_seeds, epochs=1, n_train=n_updates * measure.BATCH,
                    n_validation=measure.BATCH,
                ),
            )  # fmt: skip
            if not counts:
                train(specs, field, device=str(context.device), progress=False)
            found, kernels = _profiled(specs, field, context.device)
            counts.append(found)
        fewer, more = counts
        each = {name: (more[name] - fewer[name]) / 4 for name in sorted(more | fewer)}
        total = sum(kernels.values())
        results[what] = {
            "networks": len(specs),
            "launches": sum(v for k, v in each.items() if _starts_a_kernel(k, on_cpu)),
            "synchronisations": {
                k: v for k, v in each.items() if v and any(x in k for x in SYNCHRONISING)
            },
            "kernels": [
                {"name": name, "share": share / total} for name, share in kernels.most_common(8)
            ],
        }
    return results


def _starts_a_kernel(name: str, on_cpu: bool) -> bool:
    """Whether a call computes something: on a processor, an operation that is no view."""
    if on_cpu:
        return name.startswith("aten::") and name not in VIEWS
    return any(part in name for part in LAUNCHES)


def _profiled(
    specs: Sequence[RunSpec], field: Field, device: torch.device
) -> tuple[Counter[str], Counter[str]]:
    """Train under the profiler; calls by name (innermost operations only), and device time."""
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        train(specs, field, device=str(device), progress=False)
        synchronise(device)
    calls, kernels = Counter[str](), Counter[str]()
    for event in profiler.events():
        on_device = event.device_type != torch.autograd.DeviceType.CPU
        if on_device or device.type == "cpu":
            kernels[event.name] += event.self_device_time_total if on_device else (
                event.self_cpu_time_total
            )  # fmt: skip
        if on_device:
            calls[event.name] += "Memcpy" in event.name
            continue
        children = [child for child in event.cpu_children if child.name.startswith("aten::")]
        if not (event.name.startswith("aten::") and children):
            calls[event.name] += 1
    return calls, kernels


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
    return _all_that_fit(context, wanted, guess=2.0)


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
    # The sizes of the first entries of W* are made, whatever is asked for.
    wanted = [
        Point(kind=kind, what=what, n_neurons=n, device=str(context.device))
        for kind in ("step", "training")
        for n in context.size.large
        for what in ("plain", "direct")
    ]
    return _all_that_fit(context, wanted, guess=1.0 if context.rehearsal else 15.0)


def _all_that_fit(context: Context, wanted: Sequence[Point], *, guess: float) -> dict[str, Any]:
    """Measure points while time is left; the others are kept as skipped."""
    taken: dict[tuple[str, str], tuple[int, float]] = {}
    steps: dict[tuple[str, int], float] = {}
    done = 0
    for point in wanted:
        need = guess
        if (point.kind, point.what) in taken:
            n, seconds = taken[point.kind, point.what]
            need = max(seconds, 0.5) * (point.n_neurons / n) ** 2.5
        if (step := steps.get((point.what, point.n_neurons))) and point.kind == "training":
            need = 2.0 + 1.1 * report.UPDATES * step
        if need > context.left():
            context.note("skipped", asdict(point) | {"expected_seconds": need})
            continue
        started = time.perf_counter()
        row = _measured(context, point)
        if row is None:
            continue
        done += 1
        taken[point.kind, point.what] = point.n_neurons, time.perf_counter() - started
        if point.kind == "step":
            steps[point.what, point.n_neurons] = row["seconds"]
    return {"measured": done, "of": len(wanted)}


def without_nan(value: Any) -> Any:
    """Turn numbers that are none into None, and numpy's and pandas' types into plain ones.

    Parameters
    ----------
    value : object
        Nested data.

    Returns
    -------
    object
        The same for a JSON file.
    """
    if isinstance(value, dict):
        return {str(key): without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    if isinstance(value, pd.DataFrame):
        return without_nan(value.to_dict("records"))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
