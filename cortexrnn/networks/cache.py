"""What this machine remembers between processes, in small files: a convenience, never needed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pooch

__all__ = ["recall", "remember"]


def _folder() -> Path:
    """Folder of remembered files: ``CORTEXRNN_CACHE``, else the user's cache."""
    return Path(os.environ.get("CORTEXRNN_CACHE") or pooch.os_cache("cortexrnn"))


def recall(name: str) -> dict[str, Any] | None:
    """Read what was remembered.

    Parameters
    ----------
    name : str
        Name of the file, without ending.

    Returns
    -------
    dict or None
        None if there is no such file, or none that can be read.
    """
    try:
        content = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def remember(name: str, content: Mapping[str, Any]) -> None:
    """Write atomically: another process sees the whole file or none.

    A folder that cannot be written is passed over.

    Parameters
    ----------
    name : str
        Name of the file, without ending.
    content : mapping
        Plain data.
    """
    with contextlib.suppress(OSError):
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=folder, prefix=name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(content), file)
            Path(unfinished).replace(folder / f"{name}.json")
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
