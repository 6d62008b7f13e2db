"""What comes back from a machine with an accelerator: a record, and the runs packed in one file."""

from __future__ import annotations

import contextlib
import math
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PACKED = "runs.tar"
"""The file in which runs come back: machines return few files, an unfinished plan has many."""


def pack(runs: Path, out: Path) -> None:
    """Put the runs that are there, finished plan or shards, into one file.

    Parameters
    ----------
    runs : Path
        Folder of runs.
    out : Path
        Folder of what comes back.
    """
    temporary = out / f".{PACKED}.tmp"
    with tarfile.open(temporary, "w") as archive:
        for path in packed_files(runs):
            with contextlib.suppress(FileNotFoundError):  # a shard that has just been merged
                archive.add(path, arcname=path.relative_to(runs).as_posix())
    temporary.replace(out / PACKED)


def packed_files(runs: Path) -> list[Path]:
    """Files of runs and of their plans.

    Parameters
    ----------
    runs : Path
        Folder of runs.

    Returns
    -------
    list of Path
        Sorted.
    """
    found = [*runs.glob("*.parquet"), *runs.glob("*.json"), *runs.glob("shards/*.parquet")]
    return sorted(path for path in found if not path.name.startswith("."))


@contextlib.contextmanager
def packing(runs: Path, out: Path, every: float = 2.0) -> Iterator[None]:
    """Pack runs whenever new ones are there, so that a killed script leaves them.

    Parameters
    ----------
    runs : Path
        Folder of runs.
    out : Path
        Folder of what comes back.
    every : float
        Seconds between two looks.

    Yields
    ------
    None
        At the end everything is packed.
    """
    over = threading.Event()

    def watch() -> None:
        known: list[Path] = []
        while not over.wait(every):
            if (now := packed_files(runs)) != known:
                known = now
                with contextlib.suppress(OSError):
                    pack(runs, out)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        pack(runs, out)


def without_nan(value: Any) -> Any:
    """Turn numbers that are none into None, and numpy's and pandas' types into plain ones.

    Parameters
    ----------
    value : object
        Nested data.

    Returns
    -------
    object
        The same for a JSON file.
    """
    if isinstance(value, dict):
        return {str(key): without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    if isinstance(value, pd.DataFrame):
        return without_nan(value.to_dict("records"))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
