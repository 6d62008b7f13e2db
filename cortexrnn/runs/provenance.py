"""Provenance: by which source of this package a row was made.

A version number says too little: two checkouts of one version may train differently. The digest
is the same wherever the same source is installed, and another as soon as one line differs.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

__all__ = ["PACKAGE", "commit", "described", "digest", "source"]

PACKAGE = Path(__file__).parents[1]
"""Folder of this package, all rooms of it."""


@functools.cache
def source() -> str:
    """Digest of this package's source, as it was when first asked for.

    Returns
    -------
    str
        Sixteen hexadecimal digits, see :func:`digest`.
    """
    return digest(PACKAGE)


def digest(folder: Path) -> str:
    """Digest of the Python files in a folder and the folders below it.

    Neither line endings nor the place of the folder matter, nor what Python and editors leave
    behind. Data files do not either: a run reads none, its field is part of its identity.

    Parameters
    ----------
    folder : Path
        Root of a package.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    names = (path.relative_to(folder) for path in folder.rglob("*.py") if path.is_file())
    everything = hashlib.sha256()
    for name in sorted(name.as_posix() for name in names):
        if any(part.startswith(".") for part in name.split("/")):
            continue  # checkpoints of notebooks, locks of editors
        text = (folder / name).read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        everything.update(f"{name}\0{len(text)}\0".encode() + text)
    return everything.hexdigest()[:16]


@functools.cache
def commit() -> str:
    """Commit of the checkout that the package is run from.

    Returns
    -------
    str
        Twelve hexadecimal digits, with a plus where any file of the package was changed since;
        empty outside a checkout that knows the package.
    """
    git = ["git", "-C", str(PACKAGE)]
    tracked = ["ls-files", "--error-unmatch", "__init__.py"]
    try:
        if subprocess.run([*git, *tracked], capture_output=True, check=False).returncode:
            return ""
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "."], check=False)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.decode().strip()[:12] + ("+" if changed.returncode else "")


def described() -> str:
    """Name the package and its source for a person.

    Returns
    -------
    str
        For example ``cortexrnn 0.1.0 (source 0123456789abcdef)``.
    """
    return f"cortexrnn {version('cortexrnn')} (source {source()})"
