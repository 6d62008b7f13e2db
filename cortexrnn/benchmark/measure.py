"""Measure what training and measuring networks costs on this machine.

Every measurement stands beside its floor: the time that the matrix products in it, counted by
:mod:`cortexrnn.benchmark.flops`, would take at the rate of the fastest plain float32 product of
that size, read just before and just after on the same device and number of threads, see
:func:`gemm_rate`. What has no matrix products has no floor.

Fields up to 1,000 neurons are surrogates. Above, where making one would take longer than measuring
on it, weights W* are drawn from the entries of W* of 1,000 neurons (its diagonal apart from the
rest) and scaled to the same spectral radius; distances are those of uniform random points.
"""

from __future__ import annotations

import functools
import math
import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cortexrnn.benchmark import keras_reference, report
from cortexrnn.benchmark.flops import penalty_flops, run_flops, step_flops
from cortexrnn.benchmark.record import now, open_record
from cortexrnn.benchmark.worker import Worker, scratch_cache
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import priors, specification, topology
from cortexrnn.networks.device import no_denormals, resolve_device
from cortexrnn.networks.ensemble import RNNEnsemble
from cortexrnn.networks.low_rank_communicability import RANK, draw_probes
from cortexrnn.networks.neurogym import find_task
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.penalty_backpropagation import PenaltyWorkspace
from cortexrnn.networks.specification import RunSpec, random_stream, task_of
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.archive import write_json

__all__ = [
    "ACCELERATOR_MEMBERS",
    "LOW_RANK",
    "MEASURES",
    "MEMBERS",
    "REFERENCE_VARIANTS",
    "SIZES",
    "VARIANTS",
    "Point",
    "gemm_rate",
    "measure",
    "points",
    "run",
    "trials",
]

SIZES = (64, 128, 256, 312, 512, 1024, 2048)
"""Numbers of neurons."""
MEMBERS = (1, 4, 16, 64)
"""Networks trained as one batch by a processor."""
ACCELERATOR_MEMBERS = (1, 20, 60, 220)
"""The same on an accelerator: of the paper's design, all seeds of one variant and task, of three
variants, and of all eleven."""


QUICK_SIZES, QUICK_MEMBERS = (64, 128, 256), (1, 4)
"""The same for a quick look."""


BUDGET_S, QUICK_BUDGET_S = 3.0, 0.5
"""Seconds for the repetitions of one point."""
VARIANTS = {"plain": "W", "direct": "W*D*C", "emd": "W*D*C*"}
"""The variant that stands for each kind of penalty."""
LOW_RANK = "low_rank"
"""The kind of a direct penalty whose communicability is approximated."""
REFERENCE_VARIANTS = ("W", "WD*", "W*D*C", "W*D*C*")
"""Variants on which the Keras reference is compared."""
MEASURES = ("entropy", "modularity", "assortativity", "clustering", "efficiency")
"""What is measured of a trained network, each alone."""
Kind = Literal["step", "penalty", "topology", "run", "training", "processes"]
"""What a measurement is of, see :class:`Point`."""
Side = Literal["ours", "peer"]
"""Whose code is timed."""
SIDES: tuple[Side, ...] = get_args(Side)


TASK = "one_choice"


BATCH = 128


LARGEST_FIELD = 1000
"""Neurons up to which a field is made."""
N_NULLS = 1000


SHORTEST_S = 0.05
"""Calls that take less are repeated within one measurement."""
LONG_S = 1.0
"""Calls that take more need no warming up."""
STEEPEST = 3.5
"""Largest power of N with which a time is expected to grow."""
GEMM_S = 0.1
"""Time over which the rate of a matrix product is read."""
STEADY_S = 4.0
"""Time over which processes run side by side."""


Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing to measure.

    Parameters
    ----------
    kind : {"step", "penalty", "topology", "run", "training", "processes"}
        An update of an ensemble; a penalty with its gradient; a measure of a network; training
        and measuring one network; as many updates as a run of the paper has, of networks that are
        too large to make a field and to measure; updates in several processes at once.
    what : str
        A key of :data:`VARIANTS`; of an update or a penalty also :data:`LOW_RANK`; for topology
        one of :data:`MEASURES`, ``graph``, ``nulls``, or ``measure``, which is all of them with
        cached nulls.
    n_neurons : int
        N.
    members : int
        Networks in the ensemble.
    threads : int
        Threads of a process.
    processes : int
        Processes.
    device : str
        Where; topology is always measured by the processor.
    """

    kind: Kind
    what: str
    n_neurons: int
    members: int = 1
    threads: int = 1
    processes: int = 1
    device: str = "cpu"

    @property
    def series(self) -> tuple[Any, ...]:
        """All but the number of neurons: what one cost curve consists of."""
        return (self.kind, self.what, self.members, self.threads, self.processes, self.device)

    def __str__(self) -> str:
        text = f"{self.kind} {self.what}, N = {self.n_neurons}"
        extras = {"members": self.members, "threads": self.threads, "processes": self.processes}
        return text + "".join(f", {n} {name}" for name, n in extras.items() if n > 1)


def points(
    sizes: Sequence[int] = SIZES,
    *,
    members: Sequence[int] | None = None,
    threads: Sequence[int] = (1,),
    processes: Sequence[int] = (1,),
    device: str = "cpu",
) -> list[Point]:
    """List what is measured, smallest networks first, processes side by side at the end.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of neurons.
    members : sequence of int, optional
        Numbers of networks in a batch; without it :data:`MEMBERS`, or :data:`ACCELERATOR_MEMBERS`
        on an accelerator. There batches of every kind of penalty are measured, of networks up to
        1,000 neurons.
    threads : sequence of int
        Threads; all but the first are measured for single updates and penalties only.
    processes : sequence of int
        Processes that train side by side, one thread each, at the size nearest to 312.
    device : str
        Where to train.

    Returns
    -------
    list of Point
        Each once.

    Raises
    ------
    ValueError
        If a number is below 1, or a size below 8.
    """
    where = resolve_device(device) if device == "auto" else torch.device(device)
    accelerated = where.type != "cpu"
    if members is None:
        members = ACCELERATOR_MEMBERS if accelerated else MEMBERS
    sizes, members, threads, processes = (
        arguments.numbers(name, values, whole=True)
        for name, values in (
            ("sizes", sizes), ("members", members), ("threads", threads), ("processes", processes)
        )
    )  # fmt: skip
    for name, values, least in (
        ("sizes", sizes, 8), ("members", members, 1), ("threads", threads, 1),
        ("processes", processes, 1),
    ):  # fmt: skip
        if not values or min(values) < least:
            raise ValueError(f"{name} are {list(values)}; give numbers of at least {least}")
    listed = []
    for n in sorted(sizes):
        for count in threads:
            common: dict[str, Any] = {"n_neurons": n, "threads": count, "device": device}
            listed += [Point(kind="step", what=what, **common) for what in (*VARIANTS, LOW_RANK)]
            listed += [Point(kind="penalty", what=what, **common) for what in (*VARIANTS, LOW_RANK)]
        common["threads"] = threads[0]
        for count in sorted(set(members) - {1}):
            if accelerated and n > LARGEST_FIELD:
                continue
            batched = VARIANTS if accelerated else ("plain",)
            listed += [Point(kind="step", what=w, members=count, **common) for w in batched]
        measures = ("measure",) if accelerated else ("graph", *MEASURES, "measure", "nulls")
        for what in measures:
            listed.append(Point(kind="topology", what=what, n_neurons=n, threads=threads[0]))
        if n <= LARGEST_FIELD:
            listed += [Point(kind="run", what=what, **common) for what in VARIANTS]
        elif accelerated:
            listed += [Point(kind="training", what=what, **common) for what in VARIANTS]
    if not accelerated:
        near = min(sizes, key=lambda n: abs(n - 312))
        listed += [
            Point(kind="processes", what="plain", n_neurons=near, processes=count)
            for count in sorted(set(processes))
        ]
    return list(dict.fromkeys(listed))


# --- one measurement


def gemm_rate(n_neurons: int, *, device: torch.device, members: int = 1) -> float:
    """Rate of the fastest float32 product at a number of neurons that the machine offers.

    On a processor (512, N) by (N, N): with one thread the faster of torch and numpy, whose
    libraries differ, with several that of torch, with which networks are trained then. On an
    accelerator the fastest of (8,192, N) by (N, N), of M such products (128, N) by (N, N) at once,
    and of M products (N, N) by (N, N).

    Parameters
    ----------
    n_neurons : int
        N.
    device : torch.device
        Where.
    members : int
        M.

    Returns
    -------
    float
        Operations per second.
    """
    n = n_neurons
    if device.type != "cpu":
        shapes = [(1, 8192), *((members, rows) for rows in (BATCH, n))]
        return max(batched_rate(count, rows, n, device=device) for count, rows in shapes)
    rows = 512
    left, right = torch.rand(rows, n), torch.rand(n, n)
    out = torch.empty_like(left)
    arrays = left.numpy(), right.numpy(), out.numpy()
    calls: list[Callable[[], object]] = [lambda: torch.mm(left, right, out=out)]
    if torch.get_num_threads() == 1:
        calls.append(lambda: np.matmul(*arrays[:2], out=arrays[2]))
    seconds = min(min(_brief(call, device)) for call in calls)
    return 2.0 * rows * n**2 / seconds


def batched_rate(members: int, rows: int, n_neurons: int, *, device: torch.device) -> float:
    """Rate of M float32 products of (rows, N) and (N, N) at once.

    Parameters
    ----------
    members, rows, n_neurons : int
        M, the rows and N.
    device : torch.device
        Where.

    Returns
    -------
    float
        Operations per second.
    """
    left = torch.rand(members, rows, n_neurons, device=device)
    right = torch.rand(members, n_neurons, n_neurons, device=device)
    out = torch.empty_like(left)
    seconds = min(_brief(lambda: torch.bmm(left, right, out=out), device))
    return 2.0 * members * rows * n_neurons**2 / seconds


def _brief(call: Callable[[], object], device: torch.device) -> list[float]:
    """Time a product."""
    return repeated(call, device=device, repeats=5, budget=GEMM_S, shortest=GEMM_S / 10)


def synchronise(device: torch.device) -> None:
    """Wait until an accelerator has done what was asked of it.

    Parameters
    ----------
    device : torch.device
        The device; a processor has always finished.
    """
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def repeated(
    call: Callable[[], object],
    *,
    device: torch.device,
    repeats: int,
    budget: float,
    shortest: float = SHORTEST_S,
) -> list[float]:
    """Time a call several times; the first only warms up, unless it is long (a second).

    Parameters
    ----------
    call : callable
        What is timed.
    device : torch.device
        Synchronised before each reading of the clock.
    repeats : int
        How often at most.
    budget : float
        Seconds; a call that takes longer by itself is not repeated, and its one time counts.
    shortest : float
        Seconds; shorter calls are made several times between two readings.

    Returns
    -------
    list of float
        Seconds of one call.
    """

    def once(number: int) -> float:
        synchronise(device)
        started = time.perf_counter()
        for _ in range(number):
            call()
        synchronise(device)
        return (time.perf_counter() - started) / number

    first = once(1)
    if first > budget:
        return [first]
    if first > LONG_S:
        return [first, *(once(1) for _ in range(min(repeats, max(2, int(budget / first))) - 1))]
    number = max(1, math.ceil(shortest / max(first, 1e-9)))
    affordable = int(budget / (first * number))
    return [once(number) for _ in range(min(repeats, max(2, affordable)))]


@dataclass(frozen=True)
class _Timed:
    """Seconds of one call, the products in it, and of how many nulls it was scaled up."""

    seconds: list[float]
    flops: float | None = None
    scaled_from: int | None = None


Clock = Callable[[Callable[[], object]], list[float]]


def measure(point: Point, *, repeats: int = 5, budget: float = BUDGET_S) -> dict[str, Any]:
    """Measure one point in this process.

    Parameters
    ----------
    point : Point
        What to measure; its number of threads is taken as set.
    repeats : int
        Repetitions at most.
    budget : float
        Seconds for them.

    Returns
    -------
    dict
        The point with ``seconds`` (median), ``low`` and ``high`` (smallest and largest),
        ``repeats``, ``flops`` and ``floor_seconds`` (None without matrix products),
        ``gemm_gflops``, ``scaled_from`` (number of nulls that were timed, else None) and
        ``finished``.
    """
    device = resolve_device(point.device)
    clock = functools.partial(repeated, device=device, repeats=repeats, budget=budget)
    with no_denormals():
        before = gemm_rate(point.n_neurons, device=device, members=point.members)
        timed = _KINDS[point.kind](point, clock)
        rate = max(before, gemm_rate(point.n_neurons, device=device, members=point.members))
    return asdict(point) | {
        "seconds": float(np.median(timed.seconds)),
        "low": min(timed.seconds),
        "high": max(timed.seconds),
        "repeats": len(timed.seconds),
        "flops": timed.flops,
        "floor_seconds": None if timed.flops is None else timed.flops / rate,
        "gemm_gflops": rate / 1e9,
        "scaled_from": timed.scaled_from,
        "finished": now(),
    }


def _step(point: Point, clock: Clock) -> _Timed:
    ensemble, inputs, targets = _ensemble(point)
    flops = step_flops(point.n_neurons) + penalty_flops(point.n_neurons, point.what)
    return _Timed(clock(lambda: ensemble.step(inputs, targets)), point.members * flops)


def _penalty(point: Point, clock: Clock) -> _Timed:
    ensemble, _, _ = _ensemble(point)
    weights = ensemble.parameters["recurrent"]
    one = _penalty_for(point.n_neurons, point.what).to(weights)
    workspace = PenaltyWorkspace(
        weights, n_networks=len(weights), n_neurons=point.n_neurons, products=ensemble.products
    )
    gradient = torch.zeros_like(weights)
    flops = penalty_flops(point.n_neurons, point.what) or None
    return _Timed(clock(lambda: workspace.backpropagate(one, weights, gradient)), flops)


def _topology(point: Point, clock: Clock) -> _Timed:
    n = point.n_neurons
    weights = _weights(n)
    square = 2.0 * n**3
    if point.what == "nulls":
        return _nulls(n, clock)
    if point.what == "measure":
        with scratch_cache():
            topology.null_graphs(n, n_nulls=1)
            call = functools.partial(topology.measure, weights, n_nulls=1)
            return _Timed(clock(call), 2 * square)
    measured = getattr(topology, point.what)
    subject = weights if point.what in ("graph", "entropy") else topology.graph(weights)
    flops = square if point.what in ("clustering", "efficiency") else None
    return _Timed(clock(lambda: measured(subject)), flops)


def _nulls(n: int, clock: Clock) -> _Timed:
    """Draw and measure nulls; for large graphs fewer than 1,000, scaled up linearly."""
    drawn = int(np.clip(N_NULLS * (312 / n) ** 3, 10, N_NULLS))
    seeds = iter(range(10**6, 10**7))  # a seed never seen is in no cache
    with scratch_cache():
        seconds = clock(lambda: topology.null_graphs(n, n_nulls=drawn, seed=next(seeds)))
    scaled_from = None if drawn == N_NULLS else drawn
    return _Timed([s * N_NULLS / drawn for s in seconds], N_NULLS * 4.0 * n**3, scaled_from)


def _run(point: Point, clock: Clock) -> _Timed:
    field = load_field(f"surrogate_{point.n_neurons}")
    spec = specify(field, VARIANTS[point.what])
    with scratch_cache():
        topology.null_graphs(point.n_neurons, n_nulls=1)

        def whole() -> None:
            (result,) = train([spec], field, device=point.device, progress=False)
            topology.measure(result.weights["recurrent"], n_nulls=1)

        return _Timed(clock(whole), run_flops(spec, point.n_neurons) + 4.0 * point.n_neurons**3)


def _training(point: Point, clock: Clock) -> _Timed:
    ensemble, inputs, targets = _ensemble(point)

    def whole() -> None:
        for _ in range(report.UPDATES):
            ensemble.step(inputs, targets)

    one = step_flops(point.n_neurons) + penalty_flops(point.n_neurons, point.what)
    return _Timed(clock(whole), report.UPDATES * point.members * one)


def _processes(point: Point, clock: Clock) -> _Timed:
    """Let processes make updates side by side; the time of one update in each of them."""
    context = get_context("spawn")
    barrier, times = context.Barrier(point.processes), context.Queue()
    started = [
        context.Process(target=_steady, args=(point, barrier, times), daemon=True)
        for _ in range(point.processes)
    ]
    for process in started:
        process.start()
    try:
        seconds = [times.get(timeout=120 + STEADY_S) for _ in started]
    except queue.Empty:
        raise RuntimeError(f"{point}: a process has died or hangs") from None
    finally:
        for process in started:
            process.terminate()
            process.join()
    return _Timed(seconds, step_flops(point.n_neurons))


def _steady(point: Point, barrier: Any, times: Any) -> None:
    """Make updates for some seconds, at the same time as the other processes."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    ensemble, inputs, targets = _ensemble(point)
    ensemble.step(inputs, targets)
    barrier.wait(timeout=120)
    started, count = time.perf_counter(), 0
    while time.perf_counter() < started + STEADY_S:
        ensemble.step(inputs, targets)
        count += 1
    times.put((time.perf_counter() - started) / count)


_KINDS: dict[Kind, Callable[[Point, Clock], _Timed]] = {
    "step": _step,
    "penalty": _penalty,
    "topology": _topology,
    "run": _run,
    "training": _training,
    "processes": _processes,
}


# --- what is measured on


@functools.lru_cache(maxsize=2)
def _weights(n: int) -> Floats:
    """Functional weights (N, N); of large networks the entries of a smaller W*, drawn anew."""
    rng = np.random.default_rng(0)
    if n <= LARGEST_FIELD:
        return priors.functional_weights(load_field(f"surrogate_{n}"), rng=rng)
    small = _weights(LARGEST_FIELD)
    inside = ~np.eye(LARGEST_FIELD, dtype=bool)
    weights = rng.choice(small[inside], (n, n))
    np.fill_diagonal(weights, rng.choice(small.diagonal(), n))
    weights *= priors.SPECTRAL_RADIUS / _perron_root(weights)
    return weights


@functools.lru_cache(maxsize=1)
def _penalty_for(n: int, what: str) -> Penalty:
    """Penalty of one kind; of large networks with distances of random points.

    One at a time: those of thousands of neurons take gigabytes and their making many seconds.
    """
    rank = min(RANK, n) if what == LOW_RANK else None
    if n <= LARGEST_FIELD:
        variant = VARIANTS["direct" if what == LOW_RANK else what]
        return penalty(variant, load_field(f"surrogate_{n}"), communicability_rank=rank)
    if what == "plain":
        return Penalty(strength=1.0)
    rng = np.random.default_rng(1)
    distance = torch.from_numpy(priors.distances(rng.random((n, 3))))
    if what in ("direct", LOW_RANK):
        probes = None if rank is None else draw_probes(n, rank)
        return Penalty(
            strength=specification.STRENGTH, distance=distance, direct=True, probes=probes
        )
    return Penalty(
        strength=specification.STRENGTH,
        distance=distance,
        target=torch.from_numpy(np.sort(rng.lognormal(-7, 1, n * n))),
        emd_strength=specification.EMD_STRENGTH,
    )


def _perron_root(weights: Floats, *, most_steps: int = 100, tolerance: float = 1e-9) -> float:
    """Spectral radius of a positive matrix by power iteration; all eigenvalues would take N^3."""
    vector, root = np.ones(len(weights)) / len(weights) ** 0.5, 0.0
    for _ in range(most_steps):
        vector = weights @ vector
        before, root = root, float(np.linalg.norm(vector))
        vector /= root
        if abs(root - before) <= tolerance * root:
            break
    return root


def _ensemble(point: Point) -> tuple[RNNEnsemble, Tensor, Tensor]:
    """Make an ensemble of equal networks and one batch of the task on the point's device."""
    device = resolve_device(point.device)
    weights = _weights(point.n_neurons)
    task, n, rng = find_task(TASK), point.n_neurons, np.random.default_rng(1)
    one = {
        "input": rng.uniform(-0.1, 0.1, (task.n_channels, n)),
        "recurrent": weights,
        "bias": np.zeros(n),
        "output": rng.uniform(-0.1, 0.1, (n, task.n_classes)),
        "output_bias": np.zeros(task.n_classes),
    }
    parameters = {
        name: torch.from_numpy(value).to(device, torch.float32).repeat(
            point.members, *[1] * value.ndim
        )
        for name, value in one.items()
    }  # fmt: skip
    ensemble = RNNEnsemble(
        parameters,
        penalties=[_penalty_for(point.n_neurons, point.what)] * point.members,
        positive=[False] * point.members,
    )
    inputs, targets = task.sample(BATCH, rng=rng)
    noisy = inputs + rng.normal(0, 0.05, inputs.shape)
    batch = torch.from_numpy(noisy).transpose(0, 1).contiguous().to(device, torch.float32)
    return ensemble, batch, torch.from_numpy(targets).to(device)


def specify(field: Field, variant: str, *, epochs: int = 10, seed: int = 0) -> RunSpec:
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=Variant.parse(variant),
        task=TASK,
        seed=seed,
        epochs=epochs,
    )


def trials(spec: RunSpec) -> tuple[keras_reference.Trials, keras_reference.Trials]:
    """Draw the trials of a run as numpy arrays, the same as training draws.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    tuple
        Training and validation trials: inputs (n, T, I) and targets (n,).
    """
    task = task_of(spec)
    rng = random_stream(spec.data_seed, "trials", spec.task)
    return task.sample(spec.n_train, rng=rng), task.sample(spec.n_validation, rng=rng)


def run(
    wanted: Sequence[Point],
    *,
    out: Path,
    repeats: int = 5,
    budget: float = BUDGET_S,
    limit: float = 40.0,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure points in processes of their own and write the file after each.

    What the file already holds is not measured again. A point that is expected, from smaller
    networks, to take longer than the limit is left out and listed under ``skipped``; one whose
    process dies or runs out of memory under ``failed``.

    Parameters
    ----------
    wanted : sequence of Point
        What to measure.
    out : Path
        JSON file to write, or to go on with.
    repeats : int
        Repetitions at most.
    budget : float
        Seconds for the repetitions of a point; whole runs get half the limit.
    limit : float
        Seconds that a single call may be expected to take.
    tell : callable
        Called with a line of text for every point.

    Returns
    -------
    dict
        Content of the file.

    Raises
    ------
    ValueError
        If the file was begun on another machine or with other versions.
    ArchiveError
        If the file cannot be written.
    """
    record = open_record(out)
    record["skipped"], record["failed"] = [], []
    done = {_point_of(row): row for row in record["measurements"]}
    workers = {count: Worker(count) for count in {point.threads for point in wanted}}
    try:
        for point in wanted:
            if point in done:
                continue
            expected = _expected(point, done.values())
            if expected > limit:
                record["skipped"].append(asdict(point) | {"expected_seconds": expected})
                tell(f"{point}: left out, expected to take {expected:.0f} s")
                continue
            allowed = limit / 2 if point.kind == "run" else budget
            try:
                row = workers[point.threads](measure, point, repeats=repeats, budget=allowed)
            except (BrokenProcessPool, MemoryError, RuntimeError) as error:
                reason = (str(error) or type(error).__name__).splitlines()[0]
                record["failed"].append(asdict(point) | {"reason": reason})
                tell(f"{point}: failed ({reason})")
                continue
            done[point] = row
            record["measurements"].append(row)
            write_json(record, out)
            tell(f"{point}: {_in_words(row)}")
    finally:
        for worker in workers.values():
            worker.close()
    write_json(record, out)
    return record


def _point_of(row: Mapping[str, Any]) -> Point:
    return Point(**{name: row[name] for name in Point.__dataclass_fields__})


def _expected(point: Point, rows: Iterable[Mapping[str, Any]]) -> float:
    """Seconds that a call will take, from the same on smaller networks; 0 if there is none."""
    known = sorted(
        (row["n_neurons"], row["seconds"])
        for row in rows
        if _point_of(row).series == point.series and row["n_neurons"] < point.n_neurons
    )
    if not known:
        return 0.0
    n, seconds = known[-1]
    exponent = 3.0
    if len(known) > 1:
        # A call that something else slowed down must not rule what is left out.
        exponent = min(max(report.slope(*known[-2], *known[-1]), 2.0), STEEPEST)
    return float(seconds * (point.n_neurons / n) ** exponent)


def _in_words(row: Mapping[str, Any]) -> str:
    """Write one measurement in words."""
    spread = f"{1e3 * row['seconds']:.4g} ms [{1e3 * row['low']:.4g}, {1e3 * row['high']:.4g}]"
    if row["floor_seconds"] is None:
        return spread
    return f"{spread}, {row['seconds'] / row['floor_seconds']:.2f} times the floor"
