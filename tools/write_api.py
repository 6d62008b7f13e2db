"""Write `book/api.md`, the reference of the package, from the package itself.

Rooms are in the order in which they may import from one another, and the modules of a room too:
no module imports from one further down. `python -m tools.write_api --check` says whether the page
is what it would write.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from graphlib import TopologicalSorter
from importlib import import_module
from types import ModuleType

import grimp

from tools.project import ROOT

PAGE = ROOT / "book" / "api.md"
PACKAGE = "cortexrnn"
ROOMS = ("fields", "networks", "runs", "evidence", "benchmark", "figures")
"""In the order of the contract in `pyproject.toml`, which a test compares."""
LONGEST_VALUE = 200
"""Signs of a constant that are shown; of longer ones only what they are."""

INTRODUCTION = """\
# Programming interface

Fields of cortex become networks, networks become runs, runs become evidence, and the book only
reads. This page lists the rooms of the package in that order; no module imports from one further
down. One line of Python needs no more than what the package offers at its top: `from cortexrnn
import Field, load_field, plan, train, measure, run, load_archive`.
"""


def modules() -> list[str]:
    """List the modules of the package so that each is below those that it imports.

    Returns
    -------
    list of str
        Dotted names, room by room; where imports leave the order open, that of the alphabet.
    """
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    listed = []
    for room in ROOMS:
        inside = {name for name in graph.modules if _room(name) == room}
        sorter = TopologicalSorter(
            {name: graph.find_modules_directly_imported_by(name) & inside for name in inside}
        )
        sorter.prepare()
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            listed += ready
            sorter.done(*ready)
    return [name for name in listed if hasattr(import_module(name), "__all__")]


def _room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def page() -> str:
    """Make the page.

    Returns
    -------
    str
        Markdown with directives for Sphinx.
    """
    parts = [INTRODUCTION]
    names = modules()
    for room in ROOMS:
        parts.append(f"## {room.capitalize()}\n")
        parts.append(textwrap.fill(_purpose(import_module(f"{PACKAGE}.{room}")), 100) + "\n")
        inside = [name for name in names if _room(name) == room]
        parts += [_section(name) for name in inside]
    return "\n".join(parts)


def _section(name: str) -> str:
    """Make the section of a module."""
    lines = [f".. automodule:: {name}", "   :members:"]
    if hidden := _offered(name):
        lines.append(f"   :exclude-members: {hidden}")
    if _is_long(name):
        lines.append("   :no-value:")
    body = "\n".join(lines)
    return f"### {name.removeprefix(PACKAGE + '.')}\n\n```{{eval-rst}}\n{body}\n```\n"


def _offered(name: str) -> str:
    """Names of a module that its package offers as its own, where the page then has them."""
    package = import_module(name.rpartition(".")[0])
    module = import_module(name)
    offered = getattr(package, "__all__", ()) if package.__name__ != PACKAGE else ()
    return ", ".join(
        public for public in module.__all__
        if public in offered and getattr(package, public) is getattr(module, public)
    )  # fmt: skip


def _purpose(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().splitlines()[0]


def _is_long(name: str) -> bool:
    """Whether a module has a public constant too long to be shown."""
    module = import_module(name)
    values = (getattr(module, public) for public in module.__all__)
    return any(
        len(repr(value)) > LONGEST_VALUE
        for value in values
        if not callable(value) and not isinstance(value, ModuleType)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is what it should be.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status: 1 if the page is checked and another.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    if parser.parse_args(arguments).check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("book/api.md is not what the package gives; run 'make sync'", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
