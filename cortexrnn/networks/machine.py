"""What machine this process runs on; nothing that takes long to import is needed to say it."""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path

__all__ = ["cores", "processor"]


def cores() -> int:
    """Count the cores that this process may use.

    Returns
    -------
    int
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor() -> str:
    """Name the processor as the system does.

    Returns
    -------
    str
        For example ``AMD EPYC 9V74``.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match[1].strip() if match else platform.processor() or platform.machine()
