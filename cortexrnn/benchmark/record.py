"""The file of measurements: what machine and which versions they were made on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cortexrnn.benchmark import report
from cortexrnn.networks.machine import cores, processor

__all__ = ["machine", "now", "open_record", "versions"]


def open_record(out: Path) -> dict[str, Any]:
    """Read a file of measurements to go on with, or begin one."""
    here = machine()
    if not out.exists():
        empty: dict[str, Any] = {"format": report.FORMAT, "machine": here}
        return empty | {name: [] for name in ("measurements", "pairs", "skipped", "failed")}
    record = report.read(out)
    other = {name for name in here if here[name] != record["machine"].get(name)}
    if other:
        raise ValueError(
            f"{out} was begun with another {', '.join(sorted(other))}; choose another file"
        )
    return record


def machine() -> dict[str, Any]:
    """Describe this machine and what runs on it.

    Returns
    -------
    dict
        Processor, cores, memory in GiB, accelerator (empty where there is none), system and
        versions.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    accelerated = torch.cuda.is_available()
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gib": round(memory / 2**30, 1),
        "accelerator": torch.cuda.get_device_name() if accelerated else "",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": f"python {platform.python_version()}, "
        + versions("cortexrnn", "torch", "numpy", "scipy", "networkx"),
    }


def versions(*names: str) -> str:
    """Name the versions of packages.

    Parameters
    ----------
    *names : str
        Distributions; those that are not installed are left out.

    Returns
    -------
    str
        For example ``"torch 2.13.0, numpy 2.3.1"``.
    """
    installed = []
    for name in names:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(installed)


def now() -> str:
    """Give the time in UTC, to the second.

    Returns
    -------
    str
        In ISO 8601.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")
