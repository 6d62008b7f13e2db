"""Where networks are computed: the device, and the settings of a processor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits

__all__ = ["no_denormals", "resolve_device"]

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

    Small matrix products gain nothing from a second thread and lose much on a busy machine. The
    libraries of torch and of numpy get the same number of threads.
    """
    n_threads = torch.get_num_threads()
    if n_neurons < THREADED_FROM:
        torch.set_num_threads(1)
    try:
        with no_denormals(), threadpool_limits(torch.get_num_threads(), user_api="blas"):
            yield
    finally:
        torch.set_num_threads(n_threads)
