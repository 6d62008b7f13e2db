"""Read what a caller asks for: lists of names and numbers, and the parameters of a chapter.

A list may be given as a single item, or as text with commas between, which is how a command line
and papermill pass it. Anything else is refused with its name and the form expected.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

__all__ = ["Literal", "convert", "names", "numbers", "seeds", "settle"]

Choice = TypeVar("Choice")

Literal = bool | int | float | str | None | list["Literal"] | tuple["Literal", ...]
"""Type of the values in the parameters cell of a chapter."""

INJECTED = "# Parameters\n"
"""First line of the cell in which papermill puts its values, right after that of the defaults."""

SEED_LIMIT = 2**63
"""Seeds are smaller, since files of runs hold them in 64 bits."""

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def names(
    what: str, given: Any, *, least: int = 0, kinds: type | tuple[type, ...] = ()
) -> list[Any]:
    """Read a list of names.

    Parameters
    ----------
    what : str
        What is named, for the message.
    given : str or iterable of str
        One name, several with commas between, or a list.
    least : int
        How many there must be.
    kinds : type or tuple of types
        Types that are accepted besides names, alone or in the list.

    Returns
    -------
    list
        Names and objects of `kinds`, each once.

    Raises
    ------
    ValueError
        If there are fewer, something occurs twice, or something is no name.
    """
    kinds = (str, *(kinds if isinstance(kinds, tuple) else (kinds,)))
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    elif isinstance(given, kinds):
        given = [given]
    if not isinstance(given, Iterable):
        raise ValueError(f"{what} is {given!r}; give names, as a list or with commas between")
    items = list(given)
    for item in items:
        if not isinstance(item, kinds):
            raise ValueError(f"{what} holds {item!r}, which is no name; give names, such as a list")
    if len(items) < least:
        raise ValueError(f"{what} is empty; name at least one")
    repeated = [item for item in items if items.count(item) > 1]
    if repeated:
        raise ValueError(f"{what} holds {str(repeated[0])!r} more than once; name it once")
    return items


def numbers(what: str, given: Any, *, least: int = 0, whole: bool = False) -> list[Any]:
    """Read a list of numbers.

    Parameters
    ----------
    what : str
        What they are, for the message.
    given : number, str or iterable of numbers
        One number, a text with commas between, or a list.
    least : int
        How many there must be.
    whole : bool
        Whether only whole numbers are admitted.

    Returns
    -------
    list of int or float
        The numbers.

    Raises
    ------
    ValueError
        If there are fewer, or something is no such number.
    """
    original = given
    if isinstance(given, str):
        given = [word.strip() for word in given.split(",")]
    elif isinstance(given, bytes | bytearray):
        given = None  # whose bytes would be read as numbers
    elif np.ndim(given) == 0 and not isinstance(given, Iterable):
        given = [given]
    kind = "whole numbers" if whole else "numbers"
    try:
        values = [_number(item, whole=whole) for item in given]
    except (OverflowError, TypeError, ValueError):
        problem = f"{what} is {original!r}; give {kind}, as a list or with commas between"
        raise ValueError(problem) from None
    if len(values) < least:
        raise ValueError(f"{what} is empty; give at least one")
    return values


def seeds(given: Any, *, least: int = 0) -> list[int]:
    """Read a list of seeds; a number alone could be one of them or how many.

    Parameters
    ----------
    given : iterable of int, or str
        Seeds, as a list, a range or a text with commas between.
    least : int
        How many there must be.

    Returns
    -------
    list of int
        Each once.

    Raises
    ------
    ValueError
        If it is a number alone, there are fewer, or something is no whole number, there twice,
        negative or too large for 64 bits.
    """
    if np.ndim(given) == 0 and isinstance(given, int | float | np.number):
        raise ValueError(f"seeds is {given!r}, a number; give range({given}) or [{given}]")
    values = numbers("seeds", given, least=least, whole=True)
    if wrong := [seed for seed in values if not 0 <= seed < SEED_LIMIT]:
        raise ValueError(
            f"seeds hold {shown(wrong[0])}; give whole numbers of at least 0 and less than 2**63"
        )
    if len(set(values)) < len(values):
        raise ValueError(f"seeds are {values}; give every seed once")
    return values


def shown(value: Any) -> str:
    """Return a value as text for a message; a huge number is only described.

    Parameters
    ----------
    value : object
        What was given.

    Returns
    -------
    str
        Its representation, or a note that it has more than 30 digits.
    """
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    return repr(value)


def _number(value: Any, *, whole: bool) -> int | float:
    """Read one number; text as Python does, but without underscores, which names of fields have.

    Only ASCII digits are accepted: Python would also read others, which look like these.
    """
    if isinstance(value, bool | np.bool_):
        raise ValueError
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise ValueError
    number = int(value) if whole else float(value)
    if (not whole and not math.isfinite(number)) or (
        not isinstance(value, str) and number != value
    ):
        raise ValueError
    return number


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
        return _number(given, whole=isinstance(default, int))
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


def one_of(what: str, value: Any, choices: Iterable[Choice]) -> Choice:
    """Refuse a value that is not among the choices.

    Parameters
    ----------
    what : str
        What the value is, for the message.
    value : object
        The value given.
    choices : iterable
        The values admitted.

    Returns
    -------
    object
        The value, of which a type checker now knows that it is a choice.

    Raises
    ------
    ValueError
        If `value` is not one of `choices`.
    """
    if value not in choices:
        raise ValueError(f"unknown {what} {value!r}; choose one of {', '.join(map(str, choices))}")
    chosen: Choice = value
    return chosen
