"""Check that a tag may be released, and write what its release says.

Usage: ``python -m tools.check_release v0.1.0 --notes notes.md``. The tag, ``pyproject.toml``,
``CITATION.cff`` and the changelog must name one version, and the changelog must date it. The notes
are its section of the changelog. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """Say what keeps a tag from being released.

    Parameters
    ----------
    tag : str
        Such as ``"v0.1.0"``.
    root : Path
        The repository.

    Returns
    -------
    list of str
        One sentence for each problem; empty where there is none.
    """
    version = tomllib.loads(_read(root, "pyproject.toml"))["project"]["version"]
    faults = []
    if tag != f"v{version}":
        faults.append(
            f"the tag is {tag}, and pyproject.toml has version {version}: it must be v{version}"
        )
    cited = re.search(r"^version: (\S+)$", _read(root, "CITATION.cff"), flags=re.MULTILINE)
    if cited is None or cited[1] != version:
        faults.append(f"CITATION.cff must have the line 'version: {version}'")
    if notes(version, root) is None:
        faults.append(f"CHANGELOG.md must have a section '## {version} (YYYY-MM-DD)' with its date")
    return faults


def notes(version: str, root: Path = ROOT) -> str | None:
    """Return the section of the changelog about a version.

    Parameters
    ----------
    version : str
        Such as ``"0.1.0"``.
    root : Path
        The repository.

    Returns
    -------
    str or None
        Without its heading; None where no section of this version has a date.
    """
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n"
    section = re.search(rf"{heading}(.*?)(?=^## |\Z)", _read(root, "CHANGELOG.md"), re.M | re.S)
    return None if section is None else section[1].strip() + "\n"


def _read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.
    root : Path
        The repository.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tag", help="such as v0.1.0")
    parser.add_argument("--notes", type=Path, help="file for the section of the changelog")
    options = parser.parse_args(arguments)
    faults = problems(options.tag, root)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    if options.notes is not None:
        options.notes.write_text(notes(options.tag.removeprefix("v"), root) or "", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
