"""What the command line prints: data as they are, on any terminal.

Names of controls hold brackets, which rich would take for its markup, and intervals hold signs that
not every terminal has; neither may change or end what is printed.
"""

from __future__ import annotations

import codecs
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["fitting", "new_table", "prepare", "row", "say"]

HANDLER = "cortexrnn.readable"
"""Name of the error handler that writes what a terminal lacks with what it has."""

PLAIN = {
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "±": "+-", "×": "x", "·": "*", "…": "...",
    "−": "-", "–": "-", "—": "-", "µ": "u", "μ": "u", "≥": ">=", "≤": "<=", "°": " deg",
}  # fmt: skip
"""Signs and how they are written without them; any other is written by its number."""


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace what cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    texts = (
        PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in missing
    )
    return "".join(texts), error.end


codecs.register_error(HANDLER, _readable)


def prepare() -> None:
    """Let standard output write any text, whatever its encoding."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=HANDLER)


def fitting(value: object) -> str:
    """Write a value with the signs that standard output has.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        Its text; a table measures its columns by it.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return str(value).encode(encoding, HANDLER).decode(encoding)


def say(value: object, *, console: Console) -> None:
    """Print a line as it is: no markup, no colours of numbers, no break at the terminal's edge.

    Parameters
    ----------
    value : object
        What is printed.
    console : Console
        Where.
    """
    console.print(fitting(value), markup=False, emoji=False, highlight=False, soft_wrap=True)


def new_table(title: object) -> Table:
    """Begin a table.

    Parameters
    ----------
    title : object
        Shown above it, as it is.

    Returns
    -------
    Table
        Without columns and rows.
    """
    return Table(title=Text(fitting(title), style="table.title"), title_justify="left")


def row(*cells: object) -> list[Text]:
    """Make cells that are shown as they are.

    Parameters
    ----------
    *cells : object
        Values of a row, or names of columns.

    Returns
    -------
    list of Text
        One for each.
    """
    return [Text(fitting(cell)) for cell in cells]
