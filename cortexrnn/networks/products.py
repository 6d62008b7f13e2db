"""Matrix products on a processor, by the faster of the libraries that are there.

torch brings one library (MKL on x86), numpy another (OpenBLAS, or Accelerate on a Mac), and which
is faster depends on the machine and the size: on processors of AMD the one of numpy was seen at
twice the rate, on those of Intel at three quarters. Both multiply the same memory, so nothing is
copied between them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks import cache
from cortexrnn.networks.machine import processor

__all__ = ["LIBRARIES", "Library", "Products", "choose", "prefer", "recorded_library"]

Library = Literal["torch", "numpy"]
"""Whose products are used."""
LIBRARIES: tuple[Library, ...] = get_args(Library)
"""Whose products are used."""
Preference = Library | Literal["auto"] | None
"""A library, the faster one, or none of this."""
OF_NUMPY = " of numpy, "
"""Stands in the description of products that are numpy's, behind the name of the library."""
VARIABLE = "CORTEXRNN_PRODUCTS"
"""Environment variable that names the library, where nothing else does."""
_preferred: ContextVar[Preference] = ContextVar("preferred", default=None)
ADVANTAGE = 1.1
"""How many times as fast numpy's must be to be chosen, so that noise does not choose."""
N_TRIALS, N_AT_ONCE = 128, 1280
"""Rows of the products of a time step, and of those that give the gradient of the weights."""
MOST_ROWS = 640
"""Rows of the other products at most, which would take long for large networks."""
ROUNDS, MEASURED_S = 15, 0.001
"""How often the libraries take turns at most, and seconds of each turn."""
ENOUGH_S = 0.2
"""Seconds after which two turns of a product are enough."""


@dataclass(frozen=True)
class Products:
    """Products of one library, on operands of its own kind.

    Parameters
    ----------
    library : {"torch", "numpy"}
        Whose they are.
    device : str
        Where they are computed; numpy's on a processor only.
    """

    library: Library
    device: str

    @property
    def multiply(self) -> Callable[..., Any]:
        """Function of two operands and ``out=``, an operand too."""
        if self.library == "numpy":
            return np.matmul
        return torch.mm if self.device == "cpu" else torch.bmm

    def add_product(self, left: Any, right: Any, out: Any, scratch: Any) -> None:
        """Add a product.

        Parameters
        ----------
        left, right : Tensor or ndarray
            Operands.
        out : Tensor or ndarray
            Operand to which their product is added.
        scratch : Tensor or ndarray
            Operand of the same shape, which may be overwritten.
        """
        if self.library == "numpy":
            np.matmul(left, right, out=scratch)
            np.add(out, scratch, out=out)
        else:
            add = torch.addmm if out.ndim == 2 else torch.baddbmm
            add(out, left, right, out=out)

    def operand(self, tensor: Tensor) -> Any:
        """View a tensor as what :attr:`multiply` takes.

        Parameters
        ----------
        tensor : Tensor, shape (m, ..., ...)
            On a processor m is 1.

        Returns
        -------
        Tensor or ndarray
            The same memory; one matrix on a processor, m of them on an accelerator.
        """
        if self.device != "cpu":
            return tensor
        (matrix,) = tensor
        return matrix.numpy() if self.library == "numpy" else matrix

    def describe(self) -> str:
        """Say what computes the products: library, kernel, kind of machine, threads.

        With equal :data:`~cortexrnn.networks.training.NUMERICS` and equal products a run has equal
        bits.

        Returns
        -------
        str
            For example ``MKL 2024.2, AVX512, Intel Xeon Platinum 8488C, 1 thread``.
        """
        kind = self.device.partition(":")[0]
        if kind == "cuda":
            precision = "TF32" if torch.backends.cuda.matmul.allow_tf32 else "float32"
            name = torch.cuda.get_device_name(self.device)
            return f"CUDA {torch.version.cuda}, {precision}, {name}"
        if kind != "cpu":
            return f"torch {torch.__version__}, {kind}"
        if self.library == "numpy":
            library, n_threads = _numpy_library()
        else:
            library, n_threads = _torch_library(), torch.get_num_threads()
        threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
        return f"{library}, {processor()}, {threads}"


def choose(
    device: torch.device | str,
    n_neurons: int,
    *,
    dtype: torch.dtype = torch.float32,
    library: Preference = None,
) -> Products:
    """Choose the library of the products of networks of one size.

    Parameters
    ----------
    device : torch.device or str
        Where networks are computed; on an accelerator it is always torch.
    n_neurons : int
        N.
    dtype : torch.dtype
        Floating point format.
    library : {"auto", "torch", "numpy"}, optional
        Without it :func:`prefer` decides, then the environment variable ``CORTEXRNN_PRODUCTS``, and
        without that it is ``auto``: the faster one in a measurement of a second at most,
        which is remembered in the cache for this machine, these versions and this size. With more
        than one thread it is torch: threads of two libraries that wait for work keep each other
        from it, and an update of 312 neurons was seen to take forty times as long.

    Returns
    -------
    Products
        The products.

    Raises
    ------
    ValueError
        If there is no such library, or numpy's is asked for with more than one thread.
    """
    device = str(device)
    library = library or _preferred.get()
    wanted = library or os.environ.get(VARIABLE) or "auto"
    one_of("products" if library else VARIABLE, wanted, ("auto", *LIBRARIES))
    if not device.startswith("cpu"):
        return Products("torch", device)
    n_threads = torch.get_num_threads()
    if wanted == "torch" or (wanted == "auto" and n_threads > 1):
        return Products("torch", "cpu")
    if n_threads > 1:
        raise ValueError(
            f"products of numpy were asked for, and torch has {n_threads} threads, which would "
            "hinder those of numpy; choose torch, or torch.set_num_threads(1) before"
        )
    return Products("numpy" if wanted == "numpy" else _faster(n_neurons, dtype), "cpu")


def recorded_library(described: str) -> Library | None:
    """Read from a row which library here is the one that it was trained with.

    Parameters
    ----------
    described : str
        What :meth:`Products.describe` gave.

    Returns
    -------
    {"torch", "numpy"} or None
        None if it is neither.
    """
    if OF_NUMPY in described:
        return "numpy"
    same = described.partition(",")[0] == _torch_library().partition(",")[0]
    return "torch" if same else None


@contextlib.contextmanager
def prefer(library: Preference) -> Iterator[None]:
    """Let :func:`choose` choose a library where it is not told of one.

    Parameters
    ----------
    library : {"auto", "torch", "numpy"} or None
        None changes nothing.

    Raises
    ------
    ValueError
        If there is no such library.

    Yields
    ------
    None
        At the end it is as it was.
    """
    if library is not None:
        one_of("products", library, ("auto", *LIBRARIES))
    token = _preferred.set(library or _preferred.get())
    try:
        yield
    finally:
        _preferred.reset(token)


@functools.cache
def _faster(n_neurons: int, dtype: torch.dtype) -> Library:
    """Name the faster library, from memory or from a measurement."""
    numpy, torchs = Products("numpy", "cpu"), Products("torch", "cpu")
    setting = f"{n_neurons} {dtype} {numpy.describe()} {torchs.describe()}"
    name = f"products-{hashlib.sha256(setting.encode()).hexdigest()[:16]}"
    remembered = cache.recall(name)
    if remembered is not None and remembered.get("faster") in LIBRARIES:
        return "numpy" if remembered["faster"] == "numpy" else "torch"
    with threadpool_limits(1, user_api="blas"):
        seconds = _seconds((torchs, numpy), n_neurons, dtype)
    faster: Library = "numpy" if ADVANTAGE * seconds["numpy"] < seconds["torch"] else "torch"
    cache.remember(name, {"faster": faster, "seconds": seconds, "setting": setting})
    return faster


def _seconds(
    candidates: Sequence[Products], n_neurons: int, dtype: torch.dtype
) -> dict[Library, float]:
    """Time the products of a network, each over its size: of a time step, of a gradient, square.

    The libraries take turns, so that what else the machine does meets both.
    """
    total: dict[Library, float] = dict.fromkeys(LIBRARIES, 0.0)
    some = min(n_neurons, MOST_ROWS)
    for rows, inner in ((N_TRIALS, n_neurons), (some, N_AT_ONCE), (some, n_neurons)):
        shapes = ((rows, inner), (inner, n_neurons), (rows, n_neurons))
        left, right, out = (torch.ones(1, *shape, dtype=dtype) for shape in shapes)
        best: dict[Library, float] = dict.fromkeys(LIBRARIES, float("inf"))
        end = time.perf_counter() + ENOUGH_S
        for turn in range(ROUNDS):
            if turn > 1 and time.perf_counter() > end:
                break
            for one in candidates:
                multiply = functools.partial(one.multiply, one.operand(left), one.operand(right))
                seconds = _best(functools.partial(multiply, out=one.operand(out)))
                best[one.library] = min(best[one.library], seconds)
        for library in LIBRARIES:
            total[library] += best[library] / (rows * inner)
    return total


def _best(call: Callable[[], object]) -> float:
    """Shortest time of a call."""
    call()
    best, end = float("inf"), time.perf_counter() + MEASURED_S
    while (started := time.perf_counter()) < end:
        call()
        best = min(best, time.perf_counter() - started)
    return best


@functools.cache
def _torch_library() -> str:
    """Library of torch's products on a processor, its version and kernel."""
    built = torch.__config__.show()
    kernel = torch.backends.cpu.get_cpu_capability()
    if match := re.search(r"Math Kernel Library Version (\d+(?:\.\d+)*)", built):
        return f"MKL {match[1]}, {kernel}"
    match = re.search(r"BLAS_INFO=(\w+)", built)
    return f"{match[1] if match else 'BLAS'}, {kernel}"


def _numpy_library() -> tuple[str, int]:
    """Library of numpy's products, its version and kernel, and how many threads it has now."""
    for pool in threadpool_info():
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]:
            name = " ".join(filter(None, (pool["internal_api"], pool["version"])))
            return f"{name}{OF_NUMPY}{pool.get('architecture')}", int(pool["num_threads"])
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    n_threads = torch.get_num_threads()  # such a library sets its own, and does not tell
    return f"{blas['name']} {blas['version']}{OF_NUMPY}{platform.machine()}", n_threads
