"""Parameters of the chapters: what their cell may hold, and which values a command may give.

papermill only warns about a parameter that a notebook does not have, and its `-p field 6_6_2`
passes the number 662. Here both are settled before anything runs: an unknown name is refused, and a
value gets the type of the default that it replaces.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cortexrnn.figures import parameters
from tools.project import BuildError
from tools.sync_notebooks import read_cells

Literal = parameters.Literal


def defaults(script: Path) -> dict[str, Literal]:
    """Read the cell tagged `parameters` of a percent script.

    Parameters
    ----------
    script : Path
        The percent script.

    Returns
    -------
    dict
        Name and value of each parameter; empty for a chapter without such a cell.

    Raises
    ------
    BuildError
        If there is more than one such cell, or a line of it is not `name = literal`.
    """
    tagged = [cell for cell in read_cells(script) if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) > 1:
        raise BuildError(f"{script.name}: {len(tagged)} cells are tagged 'parameters'; keep one")
    if not tagged:
        return {}
    return dict(_assignment(line, script) for line in ast.parse(tagged[0].source).body)


def _assignment(line: ast.stmt, script: Path) -> tuple[str, Literal]:
    """Return name and value of one line `name = literal`."""
    target, value = None, None
    if isinstance(line, ast.Assign) and len(line.targets) == 1:
        target, value = line.targets[0], line.value
    elif isinstance(line, ast.AnnAssign):
        target, value = line.target, line.value
    try:
        if not isinstance(target, ast.Name) or value is None:
            raise ValueError
        literal = ast.literal_eval(value)
        if not _is_plain(literal):
            raise ValueError
    except ValueError:
        raise BuildError(
            f"{script.name}: the parameters cell holds {ast.unparse(line)!r}; only lines "
            "'name = literal' with text, numbers, true or false, or lists of them may stand there"
        ) from None
    return target.id, literal


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def parse(words: Sequence[str]) -> dict[str, str]:
    """Split words `NAME=value`; names are taken in lower case, values stay text.

    Raises
    ------
    BuildError
        If a word has no name or no `=`.
    """
    values = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise BuildError(f"{word!r} is no parameter; write NAME=value, such as FIELD=6_6_2")
        values[name.lower()] = value
    return values


def located(asked: Mapping[str, str], *, folder: Path) -> dict[str, str]:
    """Make paths of files absolute: a chapter runs in another folder than the command.

    Parameters
    ----------
    asked : mapping of str to str
        What the command line asks for.
    folder : Path
        Where relative paths begin.

    Returns
    -------
    dict
        The same; a value that is the path of a file is the absolute one.

    Raises
    ------
    BuildError
        If a value is written like the path of a file and there is none.
    """
    return {name: _located(name, value, folder) for name, value in asked.items()}


def _located(name: str, value: str, folder: Path) -> str:
    """Return the absolute path where a value is a path, else the value."""
    if not (value.endswith((".npz", ".json")) or os.sep in value):
        return value
    path = (folder / Path(value).expanduser()).resolve()
    if not path.is_file():
        raise BuildError(f"parameter {name!r} names the file {path}, which does not exist")
    return str(path)


def assign(
    asked: Mapping[str, str], offered: Mapping[str, Mapping[str, Literal]]
) -> dict[str, dict[str, Literal]]:
    """Give each chapter those of the parameters asked for that it has.

    Parameters
    ----------
    asked : mapping of str to str
        What the command line asks for.
    offered : mapping of str to mapping
        For each chapter the names and defaults of its parameters.

    Returns
    -------
    dict
        For each chapter the values that replace its defaults; a value equal to its default
        replaces nothing.

    Raises
    ------
    BuildError
        If no chapter has a parameter asked for, or a value does not fit the default's type.
    """
    known = sorted({name for chapter in offered.values() for name in chapter})
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise BuildError(
            f"no chapter has a parameter {' or '.join(map(repr, unknown))}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    return {
        chapter: {
            name: value
            for name, text in asked.items()
            if name in present and (value := convert(name, text, present[name])) != present[name]
        }
        for chapter, present in offered.items()
    }


def convert(name: str, text: str, default: Literal) -> Literal:
    """Turn text into a value of the same type as the default, by the rule of the chapters.

    Raises
    ------
    BuildError
        If the text cannot be read as that type.
    """
    try:
        return parameters.convert(name, text, default)
    except ValueError as error:
        raise BuildError(str(error)) from None
