"""A process of its own for measurements: so many threads, no cache of the user's."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

__all__ = ["Worker", "scratch_cache"]


@contextmanager
def scratch_cache() -> Iterator[None]:
    """Let nulls be remembered in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder, _environment({"CORTEXRNN_CACHE": folder}):
        yield


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables and set them back."""
    kept = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Worker:
    """One process with a fixed number of threads; after it has died the next call starts another.

    Libraries for linear algebra read their number of threads when they are loaded, so it must be
    known before the process begins.

    Parameters
    ----------
    threads : int
        Threads of the process.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function in the process and wait for what it returns."""
        if self._pool is None:
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=_end_with_parent)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        with _environment(dict.fromkeys(names, str(self.threads))):
            future = self._pool.submit(function, *args, **kwargs)
        try:
            return future.result()
        except BrokenProcessPool:
            self._pool = None
            raise

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """Let a worker end when its parent was killed; it would wait for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
