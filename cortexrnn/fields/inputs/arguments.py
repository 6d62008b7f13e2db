"""Read what a caller asks for: lists of names and numbers, and one of several choices.

A list may be given as a single item, or as text with commas between, which is how a command line
and papermill pass it. Anything else is refused with its name and the form expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

__all__ = ["names", "numbers", "seeds"]

Choice = TypeVar("Choice")


SEED_LIMIT = 2**63
"""Seeds are smaller, since files of runs hold them in 64 bits."""


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
        values = [plain_number(item, whole=whole) for item in given]
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


def plain_number(value: Any, *, whole: bool) -> int | float:
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


def whole_number(what: str, value: Any, *, least: int = 0) -> int:
    """Read a whole number; equal numbers are one, whatever their type.

    Parameters
    ----------
    what : str
        What it counts, for the message.
    value : int
        A number of Python or numpy.
    least : int
        The smallest that is allowed, 0 or 1.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ValueError
        If it is none, or too small or large.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        expected = "a positive whole number" if least else "a whole number >= 0"
        raise ValueError(f"{what} must be {expected}, not {shown(value)}")
    if value >= SEED_LIMIT:
        raise ValueError(f"{what} must be less than 2**63, not {shown(value)}")
    return int(value)


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
