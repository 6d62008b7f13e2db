"""Paths of the repository, and the contents of `_config.yml` and `_toc.yml`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


class BuildError(Exception):
    """Something that stops the build; its text is all that a reader needs to see."""


def plain(text: str) -> str:
    """Return coloured text, without its colours where standard output is no terminal."""
    return text if sys.stdout.isatty() else re.sub(r"\x1b\[[0-9;]*m", "", text)


@dataclass(frozen=True)
class Project:
    """A repository laid out like this one.

    Attributes
    ----------
    root : Path
        Folder that holds `_config.yml`, `_toc.yml`, `notebooks` and `book`.
    """

    root: Path = ROOT

    @property
    def build(self) -> Path:
        """Folder for everything that is made."""
        return self.root / "_build"

    @property
    def executed(self) -> Path:
        """Folder of the executed notebooks."""
        return self.build / "executed"

    @property
    def kept(self) -> Path:
        """Folder of executed notebooks of other parameters, by chapter and fingerprint."""
        return self.build / "kept"

    @property
    def staged(self) -> Path:
        """Folder that Sphinx reads: links to sources and executed notebooks."""
        return self.build / "src"

    @property
    def html(self) -> Path:
        """Folder of the finished pages."""
        return self.build / "html"

    def config(self) -> dict[str, Any]:
        """Return the settings of the book."""
        return dict(yaml.safe_load((self.root / "_config.yml").read_text(encoding="utf-8")))

    def address(self) -> tuple[str, str]:
        """Return the repository's address without a trailing slash, and its branch."""
        repository = self.config()["repository"]
        return str(repository["url"]).rstrip("/"), str(repository["branch"])

    def sources(self) -> list[Path]:
        """Return all percent scripts in `notebooks`, in order."""
        return sorted((self.root / "notebooks").glob("[0-9]*.py"))

    def chapters(self) -> list[Path]:
        """Return the percent scripts of the notebooks that `_toc.yml` names, in its order.

        Raises
        ------
        BuildError
            If the table of contents names a notebook that has no script.
        """
        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        names = [name for name in _files(toc) if name.startswith("notebooks/")]
        scripts = [self.root / f"{name.removesuffix('.ipynb')}.py" for name in names]
        missing = [script.name for script in scripts if not script.exists()]
        if missing:
            raise BuildError(
                f"_toc.yml names chapters that do not exist: {', '.join(missing)}; "
                "write them in notebooks/ or take them out of _toc.yml"
            )
        return scripts


def _files(entry: object) -> list[str]:
    """Collect the values of every `file` key in a table of contents, in order."""
    if isinstance(entry, Mapping):
        files = [str(entry["file"])] if "file" in entry else []
        return files + [name for value in entry.values() for name in _files(value)]
    if isinstance(entry, list):
        return [name for value in entry for name in _files(value)]
    return []
