"""Engines: where shards are run, from this process to a cluster.

Whatever the engine, a shard goes out as specifications and comes back as rows, so that workers
need nothing but the package: no folder in common, no file of the field. The field is sent once.
A shard that does not fit into memory is halved and its rows come back together; a shard whose
worker died is run again by another one.

An accelerator does best with many networks side by side. For it, runs that can be trained together
are, whatever their shards, and their rows are put back into the shards they belong to.

What goes to a worker is opened there by this package and is bytes until then, so that a worker
without the package, or with another source of it, can say so.
"""

from __future__ import annotations

import dataclasses
import gc
import heapq
import logging
import multiprocessing
import pickle
import pkgutil
import queue
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from cortexrnn.fields.field import Field
from cortexrnn.networks.machine import cores
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import together
from cortexrnn.runs import provenance

if TYPE_CHECKING:
    from distributed import Client, Future

    from cortexrnn.runs.slurm import Jobs

__all__ = ["Engine", "EngineError", "Pending", "Rows", "Work", "choose"]

Rows = list[dict[str, Any]]
"""Rows of the archive, one for each run."""
T = TypeVar("T")

CONNECT_S = 5
"""Seconds after which a scheduler that does not answer is taken for absent."""
ALONE_S = 60
"""Seconds without any worker on this machine after which it is given up."""
REMIND_S = 600
"""Seconds without any worker after which a warning says again what is waited for."""
DEATHS = 1
"""Workers on this machine that may die on a shard before it is taken for too large."""
PENDING = 2
"""Pieces whose rows may be on the way before no further piece is begun."""
NO_MEMORY = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED")
"""What torch says, in errors without a type of their own, when memory is short."""

ENTRY = "__import__('importlib').import_module('cortexrnn.runs.engine').open_parcel"
ENTRY += "(wanted, parcel, field)"
"""What a worker evaluates: text, since a function that is not there cannot be sent."""
NOISY = ("distributed", "tornado", "asyncio")
"""Loggers that print tracebacks of what this package then reports in one line."""
GUARD = (
    "the workers could not be started ({error}); in a script, call this below "
    'if __name__ == "__main__": since each worker reads the script, or give workers=1'
)

log = logging.getLogger(__name__)


class Pending(Protocol):
    """Rows that are on the way, so that the next piece can be begun."""

    def done(self) -> bool:
        """Whether they are there."""

    def result(self) -> Rows:
        """Wait for them."""


Work = Callable[[Sequence[RunSpec], Field], Rows | Pending]
"""What is done with runs; a function of a module, so that workers find it. Rows may be on the way
only where an engine works in this process."""


class EngineError(RuntimeError):
    """An engine stopped before all shards were run."""


@dataclass(frozen=True)
class Link:
    """A connection with a Dask cluster.

    Parameters
    ----------
    client : Client
        Client of the cluster.
    awaited : callable
        Says where a worker is expected from, while there is none.
    watch : callable
        Called about once a second; returns why no worker can come any more, or None.
    """

    client: Client
    awaited: Callable[[], str]
    watch: Callable[[], str | None] = lambda: None


@dataclass(frozen=True)
class Engine:
    """A place where shards are run.

    Parameters
    ----------
    name : str
        Its name in messages.
    connect : callable, optional
        Gives, for a number of shards, a context with a ``Link`` to a Dask cluster; without
        it shards are run in this process, one after another.
    local : bool
        Whether the workers are processes of this machine, which are not worth starting for one
        shard and are given up when none is left.
    wide : bool
        Whether all runs that can be trained together are, whatever shards they are in.
    """

    name: str
    connect: Callable[[int], AbstractContextManager[Link]] | None = None
    local: bool = False
    wide: bool = False

    def run(
        self,
        shards: Sequence[Sequence[RunSpec]],
        field: Field,
        *,
        work: Work,
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
            worker lacks this package, has another source of it, or gives more or fewer rows than it
            was asked for.
        ValueError
            If the cluster cannot be reached.
        """
        if not shards:
            return
        unfinished: dict[int, dict[int, dict[str, Any]]] = {i: {} for i in range(len(shards))}
        with ExitStack() as stack:
            place: _Place
            if self.connect is None or (self.local and len(shards) == 1):
                place = _Here(work, field)
            else:
                stack.enter_context(_quiet())
                link = stack.enter_context(self.connect(len(shards)))
                patience = ALONE_S if self.local else float("inf")
                place = stack.enter_context(_Cluster(link, work, field, patience))
            for piece in _pieces(shards, wide=self.wide):
                place.submit(piece)
            while unfinished:
                piece, rows = place.next()
                if rows is None:
                    for half in piece.halves():
                        place.submit(half)
                    continue
                if len(rows) != len(piece.runs):
                    raise EngineError(
                        f"a worker returned {len(rows)} rows for {len(piece.runs)} runs; install "
                        "the same version of cortexrnn there as here"
                    )
                for (shard, position), row in zip(piece.places, rows, strict=True):
                    unfinished[shard][position] = row
                for shard in sorted({shard for shard, _ in piece.places}):
                    if len(unfinished[shard]) == len(shards[shard]):
                        done = unfinished.pop(shard)
                        yield shard, [done[position] for position in sorted(done)]


@dataclass(frozen=True, order=True)
class _Piece:
    """Runs that are worked on together, and of each its shard and its position there."""

    places: tuple[tuple[int, int], ...]
    runs: tuple[RunSpec, ...] = dataclasses.field(compare=False)

    def parts(self, widest: int) -> list[_Piece]:
        """Cut into equal pieces of at most so many runs."""
        n_parts = -(-len(self.runs) // widest)
        size = -(-len(self.runs) // n_parts)
        return [
            _Piece(self.places[low : low + size], self.runs[low : low + size])
            for low in range(0, len(self.runs), size)
        ]

    def halves(self) -> list[_Piece]:
        """Cut a piece that did not fit into memory."""
        if len(self.runs) == 1:
            (spec,) = self.runs
            raise EngineError(
                f"a single run ({spec.variant.name}, {spec.task}, seed {spec.seed}) does not fit "
                "into memory, or something else ends its worker each time; take fewer workers, "
                "another device or a smaller field"
            )
        log.warning("%d runs at once do not fit into memory; they are halved", len(self.runs))
        return self.parts(_half(len(self.runs)))


def _half(n_runs: int) -> int:
    """Count the runs in the larger half."""
    return (n_runs + 1) // 2


def _pieces(shards: Sequence[Sequence[RunSpec]], *, wide: bool) -> list[_Piece]:
    """Make a piece of every shard, or of all runs that can be trained together."""
    whole = [
        _Piece(tuple((i, position) for position in range(len(shard))), tuple(shard))
        for i, shard in enumerate(shards)
    ]
    if not wide:
        return whole
    places = [place for piece in whole for place in piece.places]
    runs = [spec for piece in whole for spec in piece.runs]
    return [
        _Piece(tuple(places[i] for i in group), tuple(runs[i] for i in group))
        for group in together(runs)
    ]


class _Place(Protocol):
    """What runs pieces; those of earlier shards first."""

    def submit(self, piece: _Piece) -> None:
        """Accept a piece."""

    def next(self) -> tuple[_Piece, Rows | None]:
        """Wait for a piece; None instead of rows if it did not fit into memory."""


class _Here:
    """Runs pieces in this process, one while rows of another are on the way.

    A width that did not fit is not tried again.
    """

    def __init__(self, work: Work, field: Field) -> None:
        self._work, self._field = work, field
        self._waiting: list[_Piece] = []
        self._widest = sys.maxsize
        self._begun: deque[tuple[_Piece, Pending]] = deque()
        self._stopped: BaseException | None = None

    def submit(self, piece: _Piece) -> None:
        heapq.heappush(self._waiting, piece)

    def next(self) -> tuple[_Piece, Rows | None]:
        while not self._is_due():
            if self._stopped is not None:
                raise self._stopped
            piece, *others = heapq.heappop(self._waiting).parts(self._widest)
            for other in others:
                self.submit(other)
            try:
                made = _attempt(partial(self._work, piece.runs, self._field))
            except BaseException as error:
                # Rows that are on the way are not lost with what stopped another piece, not even
                # to somebody who interrupts; a second interruption ends the waiting.
                self._stopped = error
                continue
            if made is None:
                return self._too_wide(piece)
            if isinstance(made, list):
                return piece, made
            self._begun.append((piece, made))
        piece, pending = self._begun.popleft()
        try:
            rows = _attempt(pending.result)
        except Exception as error:
            raise self._stopped or error from None
        return self._too_wide(piece) if rows is None else (piece, rows)

    def _is_due(self) -> bool:
        """Whether to take rows that were on the way, or to wait for them, before going on."""
        if not self._begun:
            return False
        ended = self._stopped is not None or not self._waiting
        return ended or len(self._begun) == PENDING or self._begun[0][1].done()

    def _too_wide(self, piece: _Piece) -> tuple[_Piece, None]:
        """Remember what did not fit."""
        self._widest = min(self._widest, _half(len(piece.runs)))
        return piece, None


class _Cluster:
    """Workers of a Dask cluster."""

    def __init__(self, link: Link, work: Work, field: Field, patience: float) -> None:
        self._link, self._client = link, link.client
        self._work, self._patience = work, patience
        # A task can be run again where scattered data would be lost with the worker that has it.
        self._field = self._client.submit(bytes, _packed(field), pure=False)
        self._pieces: dict[Any, tuple[_Piece, Future[Any]]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: set[str] = set()

    def __enter__(self) -> _Cluster:
        self._client.subscribe_topic("all", self._hear)
        self._workers |= set(self._client.nthreads())
        self._alone_since = self._reminded = None if self._workers else time.monotonic()
        if not self._workers:
            log.warning("no worker has come yet; waiting for %s", self._link.awaited())
        return self

    def __exit__(self, *_: object) -> None:
        pieces, self._pieces = self._pieces, {}
        if self._client.status == "running":
            self._client.unsubscribe_topic("all")
            self._client.cancel([self._field, *(future for _, future in pieces.values())])

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Follow workers that come and go."""
        message = event[1]
        if message["action"] == "add-worker":
            self._workers.add(message["worker"])
            self._alone_since = None
        elif message["action"] == "remove-worker":
            self._workers.discard(message["worker"])
            lost = self._pieces.keys() & set(message["processing-tasks"])
            if lost:
                log.warning("worker %s is gone; what it ran is run again", message["worker"])
            if not self._workers:
                self._reminded = None
                self._alone_since = time.monotonic()

    def submit(self, piece: _Piece) -> None:
        arguments = {
            "wanted": provenance.described(),
            "parcel": _packed((self._work, piece.runs)),
            "field": self._field,
        }
        future = self._client.submit(
            eval,
            ENTRY,
            arguments,
            key=f"shard-{uuid.uuid4()}",
            pure=False,
            priority=-piece.places[0][0],
        )
        self._pieces[future.key] = (piece, future)
        future.add_done_callback(lambda future: self._done.put(future.key))

    def next(self) -> tuple[_Piece, Rows | None]:
        from distributed import KilledWorker

        piece, future = self._pieces[self._wait()]
        error = future.exception() if future.status == "error" else None
        if future.cancelled():
            raise EngineError("the scheduler is gone")
        if error is not None and _cannot_open(error):
            raise EngineError(self._strangers(error))
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        # Where memory runs out the system kills, so that one sees dead workers and no error.
        rows = future.result() if error is None else None
        del self._pieces[future.key]
        return piece, rows

    def _wait(self) -> Any:
        """Key of a future that is done."""
        while True:
            if reason := self._link.watch():
                raise EngineError(reason)
            try:
                return self._done.get(timeout=1)
            except queue.Empty:
                self._alone()

    def _alone(self) -> None:
        """Warn that there is no worker, and give up after too long."""
        since = self._alone_since
        if since is None:
            return
        now = time.monotonic()
        if now - since > self._patience:
            raise EngineError("no worker is left and none could be started")
        if self._reminded is None or now - self._reminded > REMIND_S:
            self._reminded = now
            log.warning(
                "no worker is left, %d pieces of work are not done; waiting for %s",
                len(self._pieces), self._link.awaited(),
            )  # fmt: skip

    def _strangers(self, error: BaseException) -> str:
        """Say which workers lack this package."""
        answers = self._client.run(
            pkgutil.resolve_name, "cortexrnn.runs.engine:ENTRY", on_error="return"
        )
        without = [address for address, answer in answers.items() if answer != ENTRY]
        return (
            f"{len(without)} of {len(answers)} workers cannot run {provenance.described()}, such "
            f"as {', '.join(without[:3])} ({error}); install it in their environment, from the "
            "same source as here"
        )


def _cannot_open(error: BaseException) -> bool:
    """Whether a worker lacks this package, or has one that is too old to open anything."""
    if isinstance(error, ImportError):
        return (error.name or "").partition(".")[0] == "cortexrnn"
    return isinstance(error, AttributeError) and "open_parcel" in str(error)


def _packed(thing: Any) -> bytes:
    """Pack something for a worker; what a script defines goes along."""
    import cloudpickle

    packed: bytes = cloudpickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL)
    return packed


def open_parcel(wanted: str, parcel: bytes, field: bytes) -> Rows | None:
    """Run a piece on a worker, which is one core.

    Parameters
    ----------
    wanted : str
        The package as it is where the rows are wanted, see
        :func:`~cortexrnn.runs.provenance.described`.
    parcel : bytes
        Work and runs.
    field : bytes
        Their field.

    Returns
    -------
    list of dict or None
        Rows; None if the piece does not fit into memory.

    Raises
    ------
    EngineError
        If the source here is another one, or something cannot be unpacked here.
    """
    from distributed import get_worker

    if wanted != (installed := provenance.described()):
        raise EngineError(
            f"worker {get_worker().address} has {installed}, this experiment has {wanted}; install "
            "the same source in the worker's environment"
        )
    try:
        (work, runs), unpacked = pickle.loads(parcel), pickle.loads(field)
    except Exception as error:
        raise EngineError(
            f"worker {get_worker().address} cannot read what it is to run "
            f"({type(error).__name__}: {error}); install there what your script imports"
        ) from error
    torch.set_num_threads(1)
    return _attempt(partial(work, runs, unpacked))


def _attempt(work: Callable[[], T]) -> T | None:
    """Work on a piece; None if it does not fit into memory."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(s in str(error) for s in NO_MEMORY):
            raise
    # Out here the frames of the failed attempt are gone, and with them what they held.
    gc.collect()
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
        an accelerator is used, which does best with as many runs at once as can be.
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
        If the arguments contradict one another, something is missing, or `workers` is no positive
        whole number.
    SystemExit
        In a process that is being started as a worker and reads the script that starts it.
    """
    if workers is not None and (type(workers) is not int or workers < 1):
        raise ValueError(f"workers is {workers!r}; give a whole number of at least 1")
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
        from cortexrnn.runs import slurm as submitted

        kind, (per_job, options) = submitted.cluster_type(), submitted.settings()
        start = partial(submitted.started, kind, cores=per_job, scheduler_options=options)
        return Engine(f"SLURM, {workers} workers", partial(_slurm, start, workers))
    if workers is None:
        workers = 1 if accelerated else cores()
    if workers == 1:
        return Engine("one process", wide=accelerated)
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # the process that starts this one says why
    return Engine(f"{workers} processes", partial(_local, workers), local=True)


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
    import distributed  # noqa: F401  (loaded inside, its defaults would go when the block ends)

    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": DEATHS,
            "distributed.scheduler.worker-saturation": 1.0,  # none waits at a worker that may die
            "distributed.admin.large-graph-warning-threshold": "100 GB",  # the field, once
        }
    ):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep logs of Dask from the terminal: what matters is reported here in one line."""
    import distributed  # noqa: F401  (sets levels of its own when it is imported)

    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in NOISY]
    usual = {name: logging.getLogger(name).level for name in {*known, *NOISY}}
    for name in usual:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in usual.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _existing(address: str, _: int) -> Iterator[Link]:
    """Use a scheduler that is there."""
    with _settings(), _client(address) as client:
        yield Link(client, lambda: f"one to join, started by: dask worker {address} --nthreads 1")


@contextmanager
def _local(workers: int, n_shards: int) -> Iterator[Link]:
    """Start processes on this machine."""
    from distributed import LocalCluster

    with ExitStack() as stack:
        stack.enter_context(_settings())
        # A limit of memory would be an equal share, less than torch alone takes on some machines.
        try:
            cluster = LocalCluster(
                n_workers=min(workers, n_shards),
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=":0",  # any free port: several experiments may run
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise EngineError(GUARD.format(error=error)) from None
        client = stack.enter_context(_client(stack.enter_context(cluster)))
        yield Link(client, lambda: "another process")


@contextmanager
def _slurm(
    start: Callable[..., AbstractContextManager[Jobs]], workers: int, n_shards: int
) -> Iterator[Link]:
    """Start workers through SLURM, and others when the time of a job is over."""
    with (
        _settings(),
        start(workers=min(workers, n_shards)) as jobs,
        _client(jobs.cluster) as client,
    ):
        yield Link(client, jobs.awaited, jobs.watch)
