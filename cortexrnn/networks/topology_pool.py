"""Topology of many networks of one size: counts on a device, the rest in processes beside it.

A device would gain little on the entropy, which is cheap, and on greedy modularity, which goes
step by step. Processes of this machine compute them while the caller goes on.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cortexrnn.networks import topology
from cortexrnn.networks.machine import cores
from cortexrnn.networks.topology import Array, Counts, Topology

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["PendingTopology", "TopologyPool", "measure_many"]

TASK = 2**17
"""Weights that a process is given at once: small networks are not worth a message each."""
WORTHWHILE = 2**22
"""Weights, in all, whose measuring takes as long as starting processes."""

_Networks = list[tuple[Array, Array]]
"""Weights and graph of each network of a task."""
_Rest = list[tuple[float, float, float]]
"""Entropy, modularity and seconds of each."""
_Task = tuple[_Networks, Future[_Rest] | None]
"""Networks, and what a process makes of them; None if this process does."""

log = logging.getLogger(__name__)


def measure_many(
    weights: ArrayLike | Tensor,
    *,
    n_nulls: int = 1000,
    device: torch.device | str | None = None,
    workers: int | None = None,
) -> list[Topology]:
    """Measure the topology of many recurrent matrices of one size.

    Parameters
    ----------
    weights : array_like or Tensor, shape (M, N, N)
        Signed weights, on any device.
    n_nulls : int
        Random graphs behind small-worldness, see :func:`cortexrnn.networks.topology.measure`.
    device : torch.device or str, optional
        Where the graphs are made and counted in; by default where the weights are.
    workers : int, optional
        See :class:`TopologyPool`.

    Returns
    -------
    list of Topology
        What :func:`cortexrnn.networks.topology.measure` gives for each network, bit by bit.

    Raises
    ------
    ValueError
        If `weights` are not square matrices of real numbers.
    """
    with TopologyPool(workers=workers) as pool:
        return pool.submit(weights, n_nulls=n_nulls, device=device).result()


class TopologyPool:
    """Processes that measure what a device does not, while the caller goes on.

    They are started when there is enough to do, and end with the context. Make the pool before
    anything that takes long: a script that does so without ``if __name__ == "__main__":`` is run
    again by every process, as far as this line, and then measures without them.

    Parameters
    ----------
    workers : int, optional
        Processes; by default the cores that this process may use, less one for itself. With 1,
        and in a process that may not start others, everything is measured in this one.
    """

    def __init__(self, *, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers is {workers}, expected at least 1")
        process = multiprocessing.current_process()
        if getattr(process, "_inheriting", False):
            raise SystemExit(1)  # the process that starts this one says why
        self._workers = 1 if process.daemon else workers or max(1, cores() - 1)
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> TopologyPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; what they have not begun is given up."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(cancel_futures=True)

    def submit(
        self,
        weights: ArrayLike | Tensor,
        *,
        n_nulls: int = 1000,
        device: torch.device | str | None = None,
    ) -> PendingTopology:
        """Make the graphs of networks, count in them, and leave the rest to the processes.

        Parameters
        ----------
        weights : array_like or Tensor, shape (M, N, N)
            Signed weights, on any device. They may be changed or freed afterwards.
        n_nulls : int
            Random graphs behind small-worldness.
        device : torch.device or str, optional
            Where the graphs are made and counted in; by default where the weights are.

        Returns
        -------
        PendingTopology
            What will be the measures.

        Raises
        ------
        ValueError
            If `weights` are not square matrices of real numbers.
        """
        # Here and not above, since processes of the pool read this module and need no torch.
        from cortexrnn.networks.topology_batch import count_many

        started = time.perf_counter()
        moved = _tensor(weights)
        if device is not None:
            moved = moved.to(device)
        n_networks, n = moved.shape[:2]
        finite = moved.isfinite().flatten(1).all(dim=1).cpu()
        if not finite.all():
            moved = moved[finite.to(moved.device)]
        host = moved.cpu().numpy().copy()  # the caller may change what a processor's tensor shares
        counts: list[Counts] = []
        networks: list[tuple[Array, Array]] = []
        for links, counted in count_many(moved):
            networks += zip(host[len(counts) :], links, strict=False)
            counts += counted
        size = max(1, TASK // n**2)
        tasks = [networks[i : i + size] for i in range(0, len(networks), size)]
        executor = self._started(host.size)
        return PendingTopology(
            finite=finite.tolist(),
            counts=counts,
            tasks=[(task, _submitted(executor, task)) for task in tasks],
            n_neurons=n,
            n_nulls=n_nulls,
            share=(time.perf_counter() - started) / max(1, n_networks),
        )

    def _started(self, n_weights: int) -> ProcessPoolExecutor | None:
        """Give the processes, started if so many weights are worth it; None if they are not."""
        if self._executor is None and self._workers > 1 and n_weights >= WORTHWHILE:
            self._executor = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
            )
        return self._executor


class PendingTopology:
    """Measures of networks, of which a part may not be there yet.

    Made by :meth:`TopologyPool.submit`.

    Attributes
    ----------
    seconds : list of float
        What each network took, of the device and of a process; empty before :meth:`result`.
    """

    def __init__(
        self,
        *,
        finite: list[bool],
        counts: list[Counts],
        tasks: list[_Task],
        n_neurons: int,
        n_nulls: int,
        share: float,
    ) -> None:
        self.seconds: list[float] = []
        self._finite, self._counts, self._tasks = finite, counts, tasks
        self._n_neurons, self._n_nulls, self._share = n_neurons, n_nulls, share
        self._measured: list[Topology] = []

    def done(self) -> bool:
        """Whether :meth:`result` has nothing to wait for and nothing to compute."""
        return all(future is not None and future.done() for _, future in self._tasks)

    def result(self) -> list[Topology]:
        """Wait for the measures.

        Returns
        -------
        list of Topology
            For each network, in order; all NaN where a weight is NaN or infinite.
        """
        if self._measured or not self._finite:
            return self._measured
        rest = self._rest()
        nulls = topology.null_graphs(self._n_neurons, n_nulls=self._n_nulls)
        found = iter(zip(self._counts, rest, strict=True))
        for is_finite in self._finite:
            measured, seconds = topology.UNKNOWN, 0.0
            if is_finite:
                counts, (entropy, modularity, seconds) = next(found)
                measured = topology.from_counts(
                    counts, entropy=entropy, modularity=modularity, nulls=nulls
                )
            self._measured.append(measured)
            self.seconds.append(self._share + seconds)
        self._tasks, self._counts = [], []
        return self._measured

    def _rest(self) -> _Rest:
        """Wait for the tasks, and do here what no process did."""
        rest: _Rest = []
        broken: BrokenProcessPool | None = None
        for networks, future in self._tasks:
            try:
                rest += _measure(networks) if future is None else future.result()
            except CancelledError:  # the pool was closed
                rest += _measure(networks)
            except BrokenProcessPool as error:
                broken = error
                rest += _measure(networks)
        if broken is not None:
            log.warning(
                "processes that measure topology ended (%s), so it was measured in this one; in a "
                'script, begin below if __name__ == "__main__": since each process reads it',
                broken,
            )
        return rest


def _submitted(executor: ProcessPoolExecutor | None, networks: _Networks) -> Future[_Rest] | None:
    """Give a task to the processes, if there are any that live."""
    if executor is None:
        return None
    try:
        return executor.submit(_measure, networks)
    except BrokenProcessPool:
        return None  # a warning comes with the tasks that were lost


def _measure(networks: _Networks) -> _Rest:
    """Measure what is not counted, in one thread: there is no matrix product in it."""
    measured = []
    for weights, links in networks:
        started = time.perf_counter()
        values = topology.entropy(weights), topology.modularity(links)
        measured.append((*values, time.perf_counter() - started))
    return measured


def _begin() -> None:
    """Prepare a process: an interrupt ends the caller, and this process with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    """End when the process ends that started this one, which killed processes do not tell."""
    parent.join()
    os._exit(1)


def _tensor(weights: ArrayLike | Tensor) -> Tensor:
    """Check weights and make them a tensor, single precision kept, everything else double."""
    import torch

    if isinstance(weights, torch.Tensor):
        tensor = weights.detach()
    else:
        array = np.asarray(weights)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"weights: type {array.dtype}, expected real numbers")
        single = array.dtype in (np.float16, np.float32)
        tensor = torch.from_numpy(array.astype(np.float32 if single else np.float64))
    shape = tuple(tensor.shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] == 0:
        raise ValueError(f"weights: shape {shape}, expected square matrices (M, N, N)")
    if tensor.is_complex():
        raise ValueError(f"weights: type {tensor.dtype}, expected real numbers")
    single = tensor.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return tensor.to(torch.float32 if single else torch.float64)
