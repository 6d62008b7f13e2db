"""The parameters of a chapter: literals of plain types, checked against what the chapter has.

A list may be given as text with commas between, which is how papermill passes it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cortexrnn.fields.inputs.arguments import plain_number

__all__ = ["Literal", "convert", "settle"]

Literal = bool | int | float | str | None | list["Literal"] | tuple["Literal", ...]
"""Type of the values in the parameters cell of a chapter."""


INJECTED = "# Parameters\n"
"""First line of the cell in which papermill puts its values, right after that of the defaults."""


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def convert(name: str, given: Any, default: Literal) -> Literal:
    """Convert a given value to the type of the default that it replaces.

    Text stays text, whatever it looks like: the field `6_6_2` is never the number 662. A list is
    written with commas: `TASKS=one_choice,perceptual`; a single item is a list of one.

    Parameters
    ----------
    name : str
        The parameter.
    given : object
        Text from a command line, or a value that was already read from it.
    default : literal
        The value that it replaces.

    Returns
    -------
    literal
        A value of the type of the default.

    Raises
    ------
    ValueError
        If it cannot be read as that type.
    """
    try:
        if isinstance(default, list | tuple):
            items = given.split(",") if isinstance(given, str) else given
            items = items if isinstance(items, list | tuple) else [items]
            stripped = [i.strip() if isinstance(i, str) else i for i in items]
            kind = default[0] if default else ""
            read = [convert(name, item, kind) for item in stripped if item != ""]
            return read if isinstance(default, list) else tuple(read)
        return _scalar(given, default)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        if str(error).startswith("parameter "):
            raise
        wanted = type(default).__name__
        raise ValueError(
            f"parameter {name!r} is {given!r}, which is no {wanted}; its default is {default!r}"
            + _hint(name, given, default)
        ) from None


def _scalar(given: Any, default: Literal) -> Literal:
    """Read one value as the type of `default`, or raise."""
    if default is None:
        plain: Literal = given
        return plain
    if isinstance(default, bool):
        return given if isinstance(given, bool) else _TRUTH[str(given).lower()]
    if isinstance(default, int | float):
        return plain_number(given, whole=isinstance(default, int))
    if not isinstance(given, str):
        raise ValueError
    return given


def _hint(name: str, given: Any, default: Literal) -> str:
    """Say what papermill does to a name that looks like a number."""
    if not isinstance(default, str) or not isinstance(given, int | float):
        return ""
    return f"; papermill's -p reads 6_6_2 as the number 662, while -r keeps text: -r {name} 6_6_2"


def settle() -> None:
    """Check the parameters that papermill put in the place of a chapter's defaults.

    Called in the first cell after the parameters. papermill itself only warns of a parameter that
    the chapter does not have, and passes a list as text. Here an unknown one is refused, and every
    other gets the type of its default, as `make book` does it. Does nothing where papermill put
    nothing, and outside IPython.

    Raises
    ------
    ValueError
        If the chapter has no such parameter, or a value does not fit the default's type.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is not None:
        shell.user_ns.update(settled(shell.user_ns.get("In", []), shell.user_ns))


def settled(cells: Sequence[str], values: Mapping[str, Any]) -> dict[str, Literal]:
    """Find the parameters that papermill set, and convert them to the type of the defaults.

    Parameters
    ----------
    cells : sequence of str
        Source of the cells, in the order in which they were run.
    values : mapping
        The variables of the notebook.

    Returns
    -------
    dict
        Name and value of each parameter that papermill gave.

    Raises
    ------
    ValueError
        As :func:`settle`.
    """
    places = [i for i, cell in enumerate(cells) if i and cell.startswith(INJECTED)]
    if not places:
        return {}
    given, defaults = (_assigned(cells[i]) for i in (places[-1], places[-1] - 1))
    unknown = [name for name in given if name not in defaults]
    if unknown:
        raise ValueError(
            f"this chapter has no parameter {' or '.join(map(repr, unknown))}; "
            f"there are: {', '.join(defaults)}"
        )
    return {name: convert(name, values[name], ast.literal_eval(defaults[name])) for name in given}


def _assigned(cell: str) -> dict[str, ast.expr]:
    """Read the lines `name = literal` of a cell."""
    lines = [line for line in ast.parse(cell).body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): line.value for line in lines}
