"""Lock of a plan: which process is at work on it.

A process at work keeps a file beside its plan and touches it every few seconds. The file of a
process that was killed stays; its age gives it away, and on the same machine its process number.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

__all__ = ["Presence", "PresenceError", "at_work", "present"]

BEAT_S = 10.0
"""Seconds between signs of life."""
SILENT_S = 60.0
"""Seconds without a sign of life after which a process is taken for dead."""

log = logging.getLogger(__name__)


class PresenceError(RuntimeError):
    """Another process is at work on the plan."""


@dataclass(frozen=True, kw_only=True)
class Presence:
    """A process at work.

    Parameters
    ----------
    host : str
        Its machine.
    pid : int
        Its number there.
    started : str
        When it started, UTC.
    engine : str
        Name of the engine that it uses.
    """

    host: str
    pid: int
    started: str
    engine: str

    def __str__(self) -> str:
        """Name the process for a person."""
        return f"process {self.pid} on {self.host} ({self.engine})"


def at_work(path: Path) -> Presence | None:
    """Read which process is at work.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Presence or None
        None if there is no file, or if its process is dead.
    """
    try:
        age = time.time() - path.stat().st_mtime
        process = Presence(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    is_local = process.host == socket.gethostname()
    return None if age > SILENT_S or (is_local and not psutil.pid_exists(process.pid)) else process


@contextmanager
def present(path: Path, *, engine: str) -> Iterator[None]:
    """Hold the lock of a plan.

    Parameters
    ----------
    path : Path
        The file; removed at the end.
    engine : str
        Name of the engine that this process uses.

    Raises
    ------
    PresenceError
        If another process is at work.
    """
    if process := at_work(path):
        raise PresenceError(
            f"{process} has been at work on this plan since {process.started}; wait for it, follow "
            f"it with cortexrnn status {path.parent}, or end it"
        )
    if path.exists():
        log.warning("the last process on this plan was killed; its work is continued")
        path.unlink(missing_ok=True)
    me = Presence(
        host=socket.gethostname(),
        pid=os.getpid(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=engine,
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(asdict(me)))
    except FileExistsError as error:
        raise PresenceError(f"{path}: another process has just begun with this plan") from error
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)
