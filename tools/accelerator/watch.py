"""Looking at a training without touching it: what it does when, and what an update consists of."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity

from cortexrnn.benchmark import measure
from cortexrnn.benchmark.measure import synchronise
from cortexrnn.fields.field import Field
from cortexrnn.networks.specification import Preset, RunSpec
from cortexrnn.networks.training import train
from cortexrnn.runs.plans import plan

if TYPE_CHECKING:
    from tools.accelerator.parts import Context

ROOMS = {
    "networks/topology": "topology",
    "networks/topology_batch": "topology",
    "networks/topology_pool": "topology",
    "networks/training": "training",
    "networks/ensemble": "training",
    "networks/recurrence": "training",
    "networks/penalties": "training",
    "networks/penalty_backpropagation": "training",
    "networks/products": "training",
    "networks/communicability": "training",
    "networks/low_rank_communicability": "training",
    "networks/custom_penalty": "training",
    "networks/initial_weights": "preparation",
    "networks/input_noise": "preparation",
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
        if any(part.removesuffix(".py") in WAITING for part in parts[-3:]):
            return "waiting for the host"
    return "other"


@contextlib.contextmanager
def busy_share(device: torch.device, every: float = 0.1) -> Iterator[dict[str, float]]:
    """Ask the driver again and again in what share of the time a kernel runs.

    Parameters
    ----------
    device : torch.device
        Only NVIDIA's are asked, where pynvml is installed.
    every : float
        Seconds between two questions.

    Yields
    ------
    dict of str to float
        At the end with ``share``, if the driver has answered.
    """
    found: dict[str, float] = {}
    if device.type != "cuda":
        yield found
        return
    shares: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with contextlib.suppress(Exception):  # what is wrong differs from driver to driver
            while not over.wait(every):
                shares.append(torch.cuda.utilization(device) / 100)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join(timeout=10)
        if shares:
            found["share"] = sum(shares) / len(shares)


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
        counts: list[Counter[str]] = []
        kernels = Counter[str]()
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
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        train(specs, field, device=str(device), progress=False)
        synchronise(device)
    calls, kernels = Counter[str](), Counter[str]()
    for event in profiler.events():
        on_device = event.device_type.name != "CPU"
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
