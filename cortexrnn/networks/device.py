"""Where networks are computed: the device, the library of its matrix products, its settings."""

from __future__ import annotations

import contextlib
import functools
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import torch

__all__ = ["no_denormals", "products", "resolve_device"]

THREADED_FROM = 512
"""Networks of fewer neurons are trained with one thread."""


def resolve_device(device: str = "auto") -> torch.device:
    """Turn the name of a device into one that is present.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ...; ``auto`` is CUDA where there is such a device,
        else the processor.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If the device is unknown or not present.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device {device!r} cannot be used here ({reason}); choose 'auto' or 'cpu'"
        ) from error
    return resolved


def products(device: torch.device | str) -> str:
    """Say what computes matrix products: library, kernel, kind of machine, threads.

    With equal :data:`~cortexrnn.networks.training.NUMERICS` and equal products a run has equal
    bits.

    Parameters
    ----------
    device : torch.device or str
        Where products are computed.

    Returns
    -------
    str
        For example ``MKL 2024.2, AVX512, Intel Xeon Platinum 8488C, 1 thread``.
    """
    device = torch.device(device)
    if device.type == "cuda":
        precision = "TF32" if torch.backends.cuda.matmul.allow_tf32 else "float32"
        return f"CUDA {torch.version.cuda}, {precision}, {torch.cuda.get_device_name(device)}"
    if device.type != "cpu":
        return f"torch {torch.__version__}, {device.type}"
    n_threads = torch.get_num_threads()
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    kernel = torch.backends.cpu.get_cpu_capability()
    return f"{_product_library()}, {kernel}, {_processor()}, {threads}"


@functools.cache
def _product_library() -> str:
    """Library of torch's products on the processor, with its version."""
    built = torch.__config__.show()
    if match := re.search(r"Math Kernel Library Version (\d+(?:\.\d+)*)", built):
        return f"MKL {match[1]}"
    match = re.search(r"BLAS_INFO=(\w+)", built)
    return match[1] if match else "BLAS"


@functools.cache
def _processor() -> str:
    """Name of the processor, as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match[1].strip() if match else platform.processor() or platform.machine()


@contextlib.contextmanager
def no_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero: they are slow, and a penalty shrinks many weights into them.

    Yields
    ------
    None
        At the end the process is as it was.
    """
    before = bool(torch.tensor(1e-40) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextlib.contextmanager
def processor_settings(n_neurons: int) -> Iterator[None]:
    """Set what makes a processor fast here, and set it back.

    Small matrix products gain nothing from a second thread and lose much on a busy machine.
    """
    n_threads = torch.get_num_threads()
    if n_neurons < THREADED_FROM:
        torch.set_num_threads(1)
    try:
        with no_denormals():
            yield
    finally:
        torch.set_num_threads(n_threads)
