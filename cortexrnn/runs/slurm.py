"""Workers through SLURM: dask-jobqueue's cluster, and what becomes of its jobs.

dask-jobqueue submits and cancels jobs but does not notice what goes wrong with them: a refused
submission, or a job that ends before its worker has come, is waited for without end.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Jobs", "cluster_type", "job_type", "settings", "started"]

COMMANDS = ("sbatch", "squeue", "scancel")
"""Commands of SLURM without which nothing can be submitted, watched and ended."""
TRIES = 5
"""Times that a job is submitted at most."""
PAUSE_S = 2.0
"""Seconds before the second try; doubled each time."""
LOOK_S = 10.0
"""Seconds between two looks at the queue."""
PASSING = ("timed out", "unable to contact", "temporarily", "try again", "connection")
"""Words of sbatch about faults that pass by themselves."""

log = logging.getLogger(__name__)


def cluster_type() -> Any:
    """Import dask-jobqueue's cluster for SLURM, and leave Ctrl-C as it is.

    Importing dask-jobqueue replaces the handler of SIGINT by one that ends Python silently, with
    the status of success.

    Returns
    -------
    type
        ``dask_jobqueue.SLURMCluster``.

    Raises
    ------
    ValueError
        If dask-jobqueue or a command of SLURM is missing, or this is not the main thread.
    """
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        raise ValueError(
            f"SLURM needs the commands {', '.join(COMMANDS)}, and {', '.join(missing)} cannot be "
            "found; run this on a login node, or use another engine than SLURM"
        )
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("SLURM can be used from the main thread of Python alone; call run there")
    usual = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise ValueError("SLURM needs an extra; pip install -e '.[cluster]'") from error
    finally:
        if getattr(usual, "__module__", "").startswith("dask_jobqueue"):
            usual = signal.default_int_handler  # somebody imported it before
        signal.signal(signal.SIGINT, usual)
    return SLURMCluster


def settings() -> tuple[int, dict[str, Any]]:
    """Read what a job may use from the configuration of dask-jobqueue.

    Returns
    -------
    cores : int
        Cores of a job, each of which gets a worker.
    scheduler_options : dict
        Options of the scheduler; the dashboard is on any free port if none is named.

    Raises
    ------
    ValueError
        If cores or memory are not set.
    """
    import dask

    cores, memory = (dask.config.get(f"jobqueue.slurm.{name}") for name in ("cores", "memory"))
    if not cores or not memory:
        raise ValueError(
            "the cores and memory of a SLURM job are not set; set them in "
            "~/.config/dask/jobqueue.yaml or by DASK_JOBQUEUE__SLURM__CORES=16 "
            "DASK_JOBQUEUE__SLURM__MEMORY=32GB"
        )
    chosen = dask.config.get("jobqueue.slurm.scheduler-options", None) or {}
    return int(cores), {"dashboard_address": ":0"} | chosen


class Jobs:
    """The jobs of an experiment.

    Parameters
    ----------
    n_jobs : int
        How many there are to be at a time.
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self.cluster: Any = None
        self.accepted = False
        self.refused: dict[str, str] = {}
        self.closing = False
        self._came: set[str] = set()
        self._reported: set[str] = set()
        self._looked = -math.inf

    def take(self, name: str) -> None:
        """Note a job that SLURM accepted."""
        self.accepted = True
        self.refused.pop(name, None)

    def refuse(self, name: str, message: str) -> None:
        """Note a job that SLURM refused, with what sbatch said."""
        self.refused[name] = message
        if self.accepted and not self.closing:
            log.warning("a job was refused, so that workers are missing; sbatch says: %s", message)

    def awaited(self) -> str:
        """Say which jobs a worker is expected from."""
        jobs = {job.job_id: job for job in self._submitted()}
        if not jobs:
            return f"{self.n_jobs} SLURM jobs that are being submitted"
        queue = _queue() or {}
        states = (f"{number} ({queue.get(number, 'not in the queue')})" for number in jobs)
        return f"SLURM jobs {', '.join(states)}"

    def watch(self) -> str | None:
        """Look at the queue from time to time, replace jobs that are over.

        Returns
        -------
        str or None
            Why no worker can come any more, if that is so.
        """
        if self.refused and not self.accepted:
            return f"sbatch refused the job: {next(iter(self.refused.values()))}"
        observed = list(self.cluster.observed)
        self._came |= {job.name for job in self._submitted() if _has_worker(job, observed)}
        if time.monotonic() - self._looked < LOOK_S:
            return None
        self._looked = time.monotonic()
        queue = _queue()
        if queue is None:
            return None
        over = [job for job in self._submitted() if job.job_id not in queue]
        replaced = [job for job in over if job.name in self._came]
        lost = [job for job in over if job.name not in self._came]
        self._replace(replaced)
        reason = self._hopeless(lost)
        if reason is None:
            self._tell(lost)
        return reason

    def _submitted(self) -> list[Any]:
        """Jobs with a number."""
        return [job for job in list(self.cluster.workers.values()) if job.job_id]

    def _replace(self, jobs: list[Any]) -> None:
        """Submit again the jobs that had a worker and are over, as at the end of their time."""
        for job in jobs:
            self._came.discard(job.name)
            self.cluster.loop.add_callback(self.cluster.workers.pop, job.name, None)
        if jobs or len(self.cluster.workers) < self.n_jobs:
            self.cluster.loop.add_callback(self.cluster.scale, jobs=self.n_jobs)

    def _hopeless(self, lost: list[Any]) -> str | None:
        """Say why no worker can come, if no job is left that may start one."""
        gone, jobs = {job.name for job in lost} | set(self.refused), set(self.cluster.workers)
        if not jobs or not gone >= jobs:
            return None
        if lost:
            return f"{_described(lost)}; {_where_to_read(lost[0])}"
        return f"no job is left, and sbatch says: {list(self.refused.values())[-1]}"

    def _tell(self, lost: list[Any]) -> None:
        """Warn once of jobs that are over without a worker, while others go on."""
        new = [job for job in lost if job.job_id not in self._reported]
        if new:
            self._reported |= {job.job_id for job in new}
            log.warning("%s; the others go on. %s", _described(new), _where_to_read(new[0]))


def _has_worker(job: Any, observed: list[Any]) -> bool:
    """Whether a worker of a job, or one of its several, is there."""
    return any(str(name) == job.name or str(name).startswith(f"{job.name}-") for name in observed)


def _described(jobs: list[Any]) -> str:
    """Say which jobs were over too soon."""
    numbers = ", ".join(job.job_id for job in jobs)
    return f"SLURM ended before a worker came: job {numbers}"


def _where_to_read(job: Any) -> str:
    """Say where a job wrote what was wrong."""
    if job.log_directory is None:
        return f"read slurm-{job.job_id}.out in the folder where this was started"
    return f"read {job.log_directory}/{job.job_name or 'worker'}-{job.job_id}.err"


def _queue() -> dict[str, str] | None:
    """State of each job that is not over; None if SLURM does not answer."""
    command = ["squeue", "--me", "--noheader", "--format=%A %T, %r"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split(maxsplit=1) for line in answer.stdout.splitlines())


def job_type(base: Any, jobs: Jobs) -> Any:
    """Make a kind of job that tries its submission again and never fails to start.

    Parameters
    ----------
    base : type
        Job of dask-jobqueue.
    jobs : Jobs
        Notes submissions and refusals.

    Returns
    -------
    type
        Job that the cluster takes.
    """
    from distributed import Status

    class Job(base):  # type: ignore[misc]  # dask_jobqueue has no types
        async def _submit_job(self, script_filename: str) -> str:
            for attempt in range(TRIES):
                try:
                    return str(await super()._submit_job(script_filename))
                except RuntimeError as error:
                    message = _words(error)
                passing = jobs.accepted or any(word in message.lower() for word in PASSING)
                if not passing or attempt == TRIES - 1:
                    break
                pause = PAUSE_S * 2**attempt
                log.warning("sbatch says: %s; it is tried again in %g s", message, pause)
                await _sleep(pause, jobs)
                if jobs.closing:
                    break
            raise _Refused(message)

        async def start(self) -> None:
            try:
                await super().start()
                jobs.take(self.name)
            except (_Refused, OSError, ValueError) as error:
                jobs.refuse(self.name, str(error))
                # Else the cluster takes the job for neither there nor gone, and cannot be closed.
                self.status = Status.running

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    return Job


class _Refused(Exception):
    """SLURM refuses a job."""


async def _sleep(seconds: float, jobs: Jobs) -> None:
    """Sleep, but no longer than the jobs are needed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not jobs.closing:
        await asyncio.sleep(0.1)


def _words(error: RuntimeError) -> str:
    """Find the text of a command's standard error."""
    text = str(error).partition("stderr:\n")[2].strip() or str(error).strip()
    return "; ".join(line.removeprefix("sbatch: error: ") for line in text.splitlines() if line)


@contextmanager
def started(
    kind: Any, *, cores: int, scheduler_options: dict[str, Any], workers: int
) -> Iterator[Jobs]:
    """Start jobs, and end them all.

    Parameters
    ----------
    kind : type
        What :func:`cluster_type` gives.
    cores : int
        Cores of a job.
    scheduler_options : dict
        Options of the scheduler.
    workers : int
        Workers that are to be there; jobs are whole, so there may be some more.

    Yields
    ------
    Jobs
        With its cluster.
    """
    jobs = Jobs(math.ceil(workers / cores))
    jobs.cluster = kind(
        processes=cores,
        scheduler_options=scheduler_options,
        job_cls=job_type(kind.job_cls, jobs),
        silence_logs=logging.CRITICAL,
    )
    try:
        jobs.cluster.scale(jobs=jobs.n_jobs)
        yield jobs
    finally:
        jobs.closing = True
        with _undisturbed():
            jobs.cluster.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Do not let a second Ctrl-C leave jobs in the queue."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
