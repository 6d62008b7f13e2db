"""Read tables of several kinds as data frames, find columns by name, and report unused ones.

A table is a data frame of pandas or polars, an Arrow table, an array with named fields or the path
of a CSV file. Names of columns are compared without regard to case; unused columns are named in a
warning.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.errors import FieldError, warn

__all__ = ["besides", "column", "columns", "frame", "is_table", "numbers", "unread"]

#: Separators that programs write in place of commas.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}


#: What to do with files of other kinds.
OTHERS = {
    ".nwb": "open it with pynwb and pass the units, or what you need of it",
    ".npy": "load it with numpy and pass the array",
    ".npz": "a field that was saved is loaded with Field.load; else load it with numpy",
    ".mat": "load it with scipy.io and pass the arrays, flat ones as array.ravel()",
    ".h5": "open it with h5py and pass the arrays",
    ".hdf5": "open it with h5py and pass the arrays",
    ".parquet": "read it with pandas and pass the table",
    ".xlsx": "read it with pandas, ids as text, and pass the table",
}


def is_table(source: Any) -> bool:
    """Check whether :func:`frame` reads this source.

    Parameters
    ----------
    source
        Anything.

    Returns
    -------
    bool
    """
    named = getattr(getattr(source, "dtype", None), "names", None) is not None
    return named or isinstance(source, str | os.PathLike | pd.DataFrame) or _has_columns(source)


def _has_columns(source: Any) -> bool:
    """Recognise a data frame of polars or an Arrow table by its methods."""
    if isinstance(source, pd.DataFrame | pd.Series | np.ndarray):
        return False
    return hasattr(source, "to_pydict") or (hasattr(source, "to_dict") and hasattr(source, "rows"))


def frame(source: Any, what: str) -> tuple[pd.DataFrame, str]:
    """Return a data frame, and what it is called in messages.

    Parameters
    ----------
    source
        A table; a CSV file is read as text, so that ids keep all their digits.
    what : str
        What the table is.

    Returns
    -------
    frame : DataFrame
        Names of columns without blanks around them; an index that has a name has become a column.
    where : str
        `what`, or the path of the file.

    Raises
    ------
    FieldError
        If the file cannot be read, the table is empty or two columns have one name.
    """
    if isinstance(source, pd.DataFrame):
        table, where = source, what
    elif isinstance(source, str | os.PathLike):
        table, where = _csv(source, what), str(source)
    else:
        table, where = _unpacked(source), what
    named = [name for name in table.index.names if isinstance(name, str)]
    if named and not set(named) & set(table.columns):
        table = table.reset_index(named)
    if len(table) == 0 or len(table.columns) == 0:
        raise FieldError(f"{where}: no rows; give at least one besides the header")
    if any(isinstance(name, str) and name != name.strip() for name in table.columns):
        table = table.rename(columns=lambda name: name.strip() if isinstance(name, str) else name)
    if table.columns.has_duplicates:
        repeated = table.columns[table.columns.duplicated()][0]
        raise FieldError(f"{where}: column {repeated} occurs twice; keep one")
    return table, where


def _unpacked(source: Any) -> pd.DataFrame:
    """Make a data frame of another kind of table, whole numbers as they are."""
    if hasattr(source, "to_pydict"):
        columns = source.to_pydict()
    elif hasattr(source, "to_dict"):
        columns = source.to_dict(as_series=False)
    else:
        columns = {name: source[name].tolist() for name in source.dtype.names}
    table = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    return table.infer_objects() if not table.isna().to_numpy().any() else table


def _csv(source: str | os.PathLike[str], what: str) -> pd.DataFrame:
    """Read a CSV file as text."""
    path, where = Path(source), str(source)
    if path.suffix.lower() in OTHERS and path.exists():
        raise FieldError(
            f"{where} ({what}) is no CSV file that can be read; {OTHERS[path.suffix.lower()]}"
        )
    try:
        _separated(path, where, what)
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError as error:
        raise FieldError(f"there is no file {where} ({what}); check the path") from error
    except FieldError:
        raise
    except (OSError, ValueError) as error:  # pandas' own parser errors are ValueErrors
        raise FieldError(
            f"{where} ({what}) is no CSV file that can be read: {error}; write it again with a "
            "header, commas and UTF-8, and with points in decimal numbers"
        ) from error
    # pandas makes an index of surplus first columns: lines longer than the header.
    if not isinstance(table.index, pd.RangeIndex):
        raise FieldError(
            f"{where} ({what}): lines have more entries than the header; name every column, and "
            "write decimal numbers with a point, as a comma separates"
        )
    return table


def _separated(path: Path, where: str, what: str) -> None:
    """Refuse a header that something else than commas separates."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline().strip("\r\n")
    if "," in header or "\0" in header:
        return
    for character, name in SEPARATORS.items():
        if character in header.strip():
            raise FieldError(
                f"{where} ({what}) is separated by {name}: {header!r:.60}; write it with commas "
                f"and decimal points, or pass pandas.read_csv(path, sep={character!r}, dtype=str)"
            )


def column(table: pd.DataFrame, names: Sequence[str], where: str) -> str | None:
    """Find the one column that has one of several names.

    Parameters
    ----------
    table : DataFrame
        The table.
    names : sequence of str
        Names in lower case that mean the same.
    where : str
        Name of the table in messages.

    Returns
    -------
    label or None
        The name as the table writes it.

    Raises
    ------
    FieldError
        If two columns have such names.
    """
    matches = [name for name in table.columns if isinstance(name, str) and name.lower() in names]
    if len(matches) > 1:
        raise FieldError(
            f"{where}: columns {' and '.join(matches)} mean the same, one of {', '.join(names)}; "
            "keep one"
        )
    return matches[0] if matches else None


def columns(table: pd.DataFrame, names: Sequence[str], where: str) -> list[str]:
    """Find columns that must be there.

    Parameters
    ----------
    table : DataFrame
        The table.
    names : sequence of str
        Names in lower case.
    where : str
        Name of the table in messages.

    Returns
    -------
    list
        Their names as the table writes them.

    Raises
    ------
    FieldError
        If one is missing.
    """
    found_labels = {name: column(table, (name,), where) for name in names}
    missing = [name for name, label in found_labels.items() if label is None]
    if missing:
        raise FieldError(
            f"{where}: no column {', '.join(missing)}; there are "
            f"{', '.join(map(str, table.columns[:8]))}; rename them"
        )
    return [label for label in found_labels.values() if label is not None]


def besides(table: pd.DataFrame, used: Sequence[Any]) -> list[Any]:
    """List the unused columns, except for a nameless one that only numbers the rows.

    Parameters
    ----------
    table : DataFrame
        The table.
    used : sequence
        Labels of the columns that were used.

    Returns
    -------
    list
        Labels.
    """
    unused = [name for name in table.columns if name not in used]
    if not unused or not str(unused[0]).startswith("Unnamed: "):  # what pandas writes of an index
        return unused
    numbered = [str(item) for item in table[unused[0]]] == [str(row) for row in range(len(table))]
    return unused[1:] if numbered else unused


def unread(table: pd.DataFrame, used: Sequence[Any], where: str) -> None:
    """Warn of unused columns.

    Parameters
    ----------
    table : DataFrame
        The table.
    used : sequence
        Labels of the columns that were used.
    where : str
        Name of the table in the warning.
    """
    unused = [str(name) for name in besides(table, used)]
    if unused:
        listed = ", ".join(unused[:6]) + (", ..." if len(unused) > 6 else "")
        warn(
            f"{where}: not used: column {listed}; drop columns that are not needed, rename those "
            "that are"
        )


def numbers(values: pd.Series, where: str) -> NDArray[np.float64]:
    """Read a column of finite real numbers; text is converted, everything else is refused.

    Parameters
    ----------
    values : Series
        The column.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    FieldError
        If an entry is no finite number; the message names it.
    """
    array = np.empty(len(values))
    for row, item in enumerate(values.tolist()):
        usable = isinstance(item, int | float | str | np.number) and not isinstance(item, complex)
        try:
            array[row] = float(item) if usable and "_" not in str(item) else np.nan
        except (ValueError, OverflowError):
            array[row] = np.nan
        if not np.isfinite(array[row]):
            raise FieldError(f"{where}, row {row}: {item!r:.40} is no finite number; {_cure(item)}")
    return array


def _cure(item: Any) -> str:
    """Say what to do about an entry that is no number."""
    text = item.strip() if isinstance(item, str) else ""
    if "," in text and text.replace(",", "").replace(".", "").lstrip("+-").isdigit():
        return "write decimal numbers with a point and without marks between thousands"
    return "correct it or leave the row out"
