"""Engines: where shards are run, from this process to a cluster.

Whatever the engine, a shard goes out as specifications and comes back as rows, so that workers
need nothing but the package: no folder in common, no file of the field. The field is sent once.
A shard that does not fit into memory is halved and its rows come back together; a shard whose
worker died is run again by another one.
"""

from __future__ import annotations

import dataclasses
import heapq
import logging
import os
import queue
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch

from cortexrnn.field import Field
from cortexrnn.protocol import RunSpec

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Engine", "EngineError", "Rows", "Work", "choose"]

Rows = list[dict[str, Any]]
"""Rows of the archive, one for each run."""
Work = Callable[[Sequence[RunSpec], Field], Rows]
"""What is done with a shard; a function of a module, so that workers find it."""

CONNECT_S = 5
"""Seconds after which a scheduler that does not answer is taken for absent."""
ALONE_S = 60
"""Seconds without any worker on this machine after which it is given up."""
DEATHS = 1
"""Workers on this machine that may die on a shard before it is taken for too large."""
NO_MEMORY = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED")
"""What torch says, in errors without a type of their own, when memory is short."""

log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """An engine stopped before all shards were run."""


@dataclass(frozen=True)
class Engine:
    """A place where shards are run.

    Parameters
    ----------
    name : str
        What a person is told.
    connect : callable, optional
        Gives, for a number of shards, a context with a client of a Dask cluster; without it
        shards are run in this process, one after another.
    local : bool
        Whether the workers are processes of this machine, which are not worth starting for one
        shard and are given up when none is left.
    """

    name: str
    connect: Callable[[int], AbstractContextManager[Client]] | None = None
    local: bool = False

    def run(
        self, shards: Sequence[Sequence[RunSpec]], field: Field, *, work: Work
    ) -> Generator[tuple[int, Rows], None, None]:
        """Run shards.

        Parameters
        ----------
        shards : sequence of sequence of RunSpec
            What is run.
        field : Field
            Their field.
        work : callable
            Turns runs and field into rows, one for each run in their order.

        Yields
        ------
        position : int
            Place of a finished shard in `shards`.
        rows : list of dict
            Its rows.

        Raises
        ------
        EngineError
            If the scheduler or all workers are gone, a single run does not fit into memory, or a
            worker gives more or fewer rows than it was asked for.
        ValueError
            If the cluster cannot be reached.
        """
        if not shards:
            return
        found: dict[int, dict[int, Rows]] = {i: {} for i in range(len(shards))}
        with ExitStack() as stack:
            place: _Place
            if self.connect is None or (self.local and len(shards) == 1):
                place = _Here(work, field)
            else:
                client = stack.enter_context(self.connect(len(shards)))
                patience = ALONE_S if self.local else float("inf")
                place = stack.enter_context(_Cluster(client, work, field, patience))
            for i, shard in enumerate(shards):
                place.submit(_Piece(i, 0, tuple(shard)))
            while found:
                piece, rows = place.next()
                if rows is None:
                    for half in piece.halves():
                        place.submit(half)
                    continue
                if len(rows) != len(piece.runs):
                    raise EngineError(
                        f"a worker gave {len(rows)} rows for {len(piece.runs)} runs; install the "
                        "same version of cortexrnn there as here"
                    )
                parts = found[piece.shard]
                parts[piece.start] = rows
                if sum(map(len, parts.values())) == len(shards[piece.shard]):
                    del found[piece.shard]
                    yield piece.shard, [row for start in sorted(parts) for row in parts[start]]


@dataclass(frozen=True, order=True)
class _Piece:
    """Consecutive runs of a shard: all of them, or what was left after halving."""

    shard: int
    start: int
    runs: tuple[RunSpec, ...] = dataclasses.field(compare=False)

    def halves(self) -> tuple[_Piece, _Piece]:
        """Cut a piece that did not fit into memory."""
        if len(self.runs) == 1:
            (spec,) = self.runs
            raise EngineError(
                f"a single run ({spec.variant.name}, {spec.task}, seed {spec.seed}) does not fit "
                "into memory, or something else ends its worker each time; take fewer workers, "
                "another device or a smaller field"
            )
        middle = (len(self.runs) + 1) // 2
        log.warning("%d runs at once do not fit into memory; they are halved", len(self.runs))
        return (
            _Piece(self.shard, self.start, self.runs[:middle]),
            _Piece(self.shard, self.start + middle, self.runs[middle:]),
        )


class _Place(Protocol):
    """What runs pieces; those of earlier shards first."""

    def submit(self, piece: _Piece) -> None:
        """Take a piece."""

    def next(self) -> tuple[_Piece, Rows | None]:
        """Wait for a piece; None instead of rows if it did not fit into memory."""


class _Here:
    """Runs pieces in this process."""

    def __init__(self, work: Work, field: Field) -> None:
        self._work, self._field = work, field
        self._waiting: list[_Piece] = []

    def submit(self, piece: _Piece) -> None:
        heapq.heappush(self._waiting, piece)

    def next(self) -> tuple[_Piece, Rows | None]:
        piece = heapq.heappop(self._waiting)
        return piece, _attempt(self._work, piece.runs, self._field)


class _Cluster:
    """Workers of a Dask cluster."""

    def __init__(self, client: Client, work: Work, field: Field, patience: float) -> None:
        self._client, self._work, self._patience = client, work, patience
        # A task can be run again where scattered data would be lost with the worker that has it.
        self._field = client.submit(_same, field, pure=False)
        self._pieces: dict[Any, tuple[_Piece, Future]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: set[str] = set()

    def __enter__(self) -> _Cluster:
        self._client.subscribe_topic("all", self._hear)
        self._workers |= set(self._client.nthreads())
        self._alone_since = None if self._workers else time.monotonic()
        if not self._workers:
            log.warning("the scheduler has no workers yet; waiting for some")
        return self

    def __exit__(self, *_: object) -> None:
        pieces, self._pieces = self._pieces, {}
        if self._client.status == "running":
            self._client.unsubscribe_topic("all")
            self._client.cancel([self._field, *(future for _, future in pieces.values())])

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Follow workers that come and go."""
        what = event[1]
        if what["action"] == "add-worker":
            self._workers.add(what["worker"])
            self._alone_since = None
        elif what["action"] == "remove-worker":
            self._workers.discard(what["worker"])
            lost = self._pieces.keys() & set(what["processing-tasks"])
            if lost:
                log.warning("worker %s is gone; what it ran is run again", what["worker"])
            if not self._workers:
                self._alone_since = time.monotonic()

    def submit(self, piece: _Piece) -> None:
        future = self._client.submit(
            _on_worker, self._work, piece.runs, self._field, pure=False, priority=-piece.shard
        )
        self._pieces[future.key] = (piece, future)
        future.add_done_callback(lambda future: self._done.put(future.key))

    def next(self) -> tuple[_Piece, Rows | None]:
        from distributed import KilledWorker

        piece, future = self._pieces[self._wait()]
        error = future.exception() if future.status == "error" else None
        if future.cancelled():
            raise EngineError("the scheduler is gone")
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        # Where memory runs out the system kills, so that one sees dead workers and no error.
        rows = future.result() if error is None else None
        del self._pieces[future.key]
        return piece, rows

    def _wait(self) -> Any:
        """Key of a future that is done."""
        while True:
            try:
                return self._done.get(timeout=1)
            except queue.Empty:
                since = self._alone_since
                if since is not None and time.monotonic() - since > self._patience:
                    raise EngineError("no worker is left and none could be started") from None


def _same(field: Field) -> Field:
    """Have the field on a worker."""
    return field


def _on_worker(work: Work, runs: Sequence[RunSpec], field: Field) -> Rows | None:
    """Run a piece on a worker, which is one core."""
    torch.set_num_threads(1)
    return _attempt(work, runs, field)


def _attempt(work: Work, runs: Sequence[RunSpec], field: Field) -> Rows | None:
    """Run a piece; None if it does not fit into memory."""
    try:
        return work(runs, field)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(s in str(error) for s in NO_MEMORY):
            raise
    # Out here the frames of the failed attempt are gone, and with them what they held.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def choose(
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    slurm: bool = False,
    accelerated: bool = False,
) -> Engine:
    """Choose an engine.

    Parameters
    ----------
    workers : int, optional
        Processes of one torch thread each. Without it one per core, or only this process where
        an accelerator is used, which does best with all runs of a shard at once.
    scheduler : str, optional
        Address of a Dask scheduler that is there, ``tcp://host:8786``.
    slurm : bool
        Whether to start the workers through SLURM. What a job may use is read from the
        configuration of dask-jobqueue.
    accelerated : bool
        Whether training uses an accelerator of this machine.

    Returns
    -------
    Engine
        Nothing is started yet.

    Raises
    ------
    ValueError
        If the arguments contradict one another or something is missing.
    """
    if scheduler is not None:
        if slurm or workers is not None:
            raise ValueError(
                f"the scheduler at {scheduler} has its own workers; give neither their number "
                "nor SLURM"
            )
        return Engine(f"scheduler {scheduler}", partial(_existing, scheduler))
    if slurm:
        if workers is None:
            raise ValueError("SLURM needs a number of workers; give one, such as --workers 64")
        return Engine(f"SLURM, {workers} workers", partial(_slurm, *_slurm_job(), workers))
    if workers is None:
        workers = 1 if accelerated else _n_cores()
    if workers == 1:
        return Engine("one process")
    return Engine(f"{workers} processes", partial(_local, workers), local=True)


def _n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _client(address: Any) -> Iterator[Client]:
    """Connect with a scheduler, or say that there is none."""
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no scheduler answers at {address} ({error}); start one with dask scheduler and "
            "give the address that it prints, such as tcp://host:8786"
        ) from error
    with client:
        yield client


@contextmanager
def _settings() -> Iterator[None]:
    """Set how Dask treats work of few, long, independent tasks."""
    import dask

    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": DEATHS,
            "distributed.scheduler.worker-saturation": 1.0,  # none waits at a worker that may die
            "distributed.admin.large-graph-warning-threshold": "100 GB",  # the field, once
        }
    ):
        yield


@contextmanager
def _existing(address: str, _: int) -> Iterator[Client]:
    """Use a scheduler that is there."""
    with _settings(), _client(address) as client:
        yield client


@contextmanager
def _local(workers: int, n_shards: int) -> Iterator[Client]:
    """Start processes on this machine."""
    from distributed import LocalCluster

    # A limit of memory would be an equal share, less than torch alone takes on some machines.
    with (
        _settings(),
        LocalCluster(
            n_workers=min(workers, n_shards),
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=":0",  # any free port: several experiments may run
            silence_logs=logging.CRITICAL,
        ) as cluster,
        _client(cluster) as client,
    ):
        yield client


def _slurm_job() -> tuple[Any, int]:
    """Find dask-jobqueue's cluster and the number of cores of a job, or say what is missing."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ValueError("SLURM needs an extra; pip install 'cortexrnn[cluster]'") from error
    import dask

    cores, memory = (dask.config.get(f"jobqueue.slurm.{name}") for name in ("cores", "memory"))
    if not cores or not memory:
        raise ValueError(
            "it is not known what a SLURM job may use; say it in ~/.config/dask/jobqueue.yaml or "
            "as DASK_JOBQUEUE__SLURM__CORES=16 DASK_JOBQUEUE__SLURM__MEMORY=32GB"
        )
    return SLURMCluster, int(cores)


@contextmanager
def _slurm(cluster_type: Any, cores: int, workers: int, n_shards: int) -> Iterator[Client]:
    """Start workers through SLURM, and others when the time of a job is over."""
    workers = min(workers, n_shards)
    with _settings(), cluster_type(processes=cores) as cluster:
        cluster.adapt(minimum=workers, maximum=workers)
        with _client(cluster) as client:
            yield client
