"""Turn values with units into plain arrays: units are converted, masked values are refused.

Units are read from whatever carries them (quantities, neo, astropy, pint, unyt, the attribute
``units`` of xarray, pandas or HDF5, timedelta64 and datetime64 of numpy) by the attributes of the
object; none of these libraries has to be installed. A number without a unit is taken to be in the
unit that the documentation names.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.errors import FieldError, warn

__all__ = [
    "LENGTHS",
    "TIMES",
    "check_extent",
    "lengths",
    "plain",
    "rate",
    "scalar",
    "since",
    "times",
    "unit_of",
    "voxel_edges",
]

Floats = NDArray[np.float64]

#: Units of time in seconds.
TIMES = {
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
    "min": Fraction(60),
    "h": Fraction(3600),
}

#: Units of length in nm.
LENGTHS = {
    "nm": Fraction(1),
    "um": Fraction(10**3),
    "mm": Fraction(10**6),
    "cm": Fraction(10**7),
    "m": Fraction(10**9),
}

#: Units of a rate in events a second.
RATES = {"Hz": Fraction(1), "1/s": Fraction(1), "kHz": Fraction(10**3)}

#: Other names of units.
SPELLINGS = {
    "sec": "s", "second": "s", "millisecond": "ms", "msec": "ms", "microsecond": "us", "usec": "us",
    "nanosecond": "ns", "nsec": "ns", "minute": "min", "hour": "h", "hr": "h",
    "nanometer": "nm", "nanometre": "nm", "micrometer": "um", "micrometre": "um", "micron": "um",
    "millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "meter": "m",
    "metre": "m", "hertz": "Hz", "kilohertz": "kHz",
}  # fmt: skip

#: Largest and smallest extent in micrometres that a field may have without a warning, where the
#: unit of the positions is known, where it is not, and where all are whole numbers besides.
LARGEST_UM, SMALLEST_UM = 100_000.0, 0.1
LARGE_UM, SMALL_UM = 10_000.0, 20.0
LARGE_WHOLE_UM = 2_000.0

#: Texts that mean that there is no unit.
NONE = {"", "1", "dimensionless", "none", "a.u.", "au", "n.a."}

#: Digits that a conversion keeps: all that a float has, so that 300 ms are 0.3 s to the last one.
DIGITS = 15


def unit_of(values: Any) -> str | None:
    """Name the unit that an object carries.

    Parameters
    ----------
    values
        Anything.

    Returns
    -------
    str or None
        Such as ``"ms"``; None where there is none, and for a sequence of objects with units of
        their own.
    """
    unit: Any = None
    if isinstance(values, str | Mapping | list | tuple) or np.isscalar(values):
        return None
    attributes: Any = getattr(values, "attrs", None)  # xarray, pandas, h5py, zarr
    if hasattr(attributes, "get"):
        unit = attributes.get("units", attributes.get("unit"))
    elif hasattr(getattr(values, "dimensionality", None), "string"):  # quantities, neo
        unit = values.dimensionality.string
    elif hasattr(values, "get_best_unit"):  # Brian: numbers are in SI units
        unit = str(values.dim)
    elif hasattr(values, "magnitude") or _holds_numbers(values):
        unit = getattr(values, "units", getattr(values, "unit", None))  # pint, unyt, astropy
    text = None if unit is None else str(unit).strip()
    return None if text is None or text.lower() in NONE else text


def _holds_numbers(values: Any) -> bool:
    """Check whether an object is an array of numbers; dates have a `unit` of their own kind."""
    dtype = getattr(values, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind not in "mM"


def plain(values: Any, where: str) -> NDArray[Any]:
    """Return an array of numbers that carry no unit and no mask.

    Parameters
    ----------
    values
        Whatever numpy makes an array of.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray

    Raises
    ------
    FieldError
        If it carries a unit, has masked values or cannot be made an array.
    """
    unit = unit_within(values, where)
    if unit is not None:
        raise FieldError(
            f"{where}: has the unit {unit!r}, but numbers without a unit are expected; convert "
            "them and pass the plain numbers"
        )
    return _array(values, where)


def _array(values: Any, where: str) -> NDArray[Any]:
    """Return an array, or say why there is none."""
    parts = values if isinstance(values, list | tuple) else ()
    if _is_masked(values):
        raise FieldError(f"{where}: masked values; fill them in by a rule you can state")
    magnitude = getattr(values, "magnitude", None)
    try:
        if magnitude is None and any(unit_within(part, where) for part in parts):
            return np.stack([_array(part, where) for part in parts])
        array = np.asarray(values if magnitude is None else magnitude)
    except (ValueError, TypeError, RuntimeError) as error:
        raise FieldError(f"{where}: not an array ({error}); give rows of one length") from error
    if array.dtype == object and array.ndim == 0:
        lazy = "; collect() it first" if hasattr(values, "collect") else ""
        kind = type(values).__name__
        raise FieldError(f"{where}: holds object, a {kind}; pass an array of plain numbers{lazy}")
    return array


def unit_within(values: Any, where: str) -> str | None:
    """Name the unit of an object or of what a sequence holds, which must be one."""
    own = unit_of(values)
    if own is not None or not _is_sequence(values):
        return own
    part_units = [unit_within(part, where) for part in values]
    first = next((unit for unit in part_units if unit is not None), None)
    if first is not None and any(unit != first for unit in part_units):
        other = next(unit for unit in part_units if unit != first)
        raise FieldError(
            f"{where}: units are mixed, {first!r} and {other or 'none'!r}; convert all to one"
        )
    return first


def _is_masked(values: Any) -> bool:
    """Check whether an object, or a part of a sequence, is a masked array."""
    if isinstance(values, list | tuple):
        return any(_is_masked(part) for part in values)
    return np.ma.isMaskedArray(values)


def _is_sequence(values: Any) -> bool:
    """Check whether the parts of an object may carry units of their own."""
    objects = isinstance(values, np.ndarray) and values.dtype == object and values.ndim > 0
    return isinstance(values, list | tuple) or objects


def _factor(unit: str, table: Mapping[str, Fraction], where: str, kind: str) -> Fraction:
    """Look up a unit by any of its names."""
    text = unit.replace("µ", "u").replace("μ", "u")
    word = text.lower()  # symbols keep their case: S is not s, and Mm not mm
    for name in (text, SPELLINGS.get(word), SPELLINGS.get(word.removesuffix("s"))):
        if name is not None and name in table:
            return table[name]
    raise FieldError(
        f"{where}: the unit {unit!r} is not a known unit of {kind}; convert to one of "
        f"{', '.join(table)}"
    )


def scaled(values: NDArray[Any], factor: Fraction) -> Floats:
    """Multiply by a ratio of whole numbers and keep the digits that a float has.

    Parameters
    ----------
    values : array
        Numbers.
    factor : Fraction
        Ratio of two units.

    Returns
    -------
    ndarray of float64
        Rounded to 15 significant digits, so that a decimal number comes out as the same decimal
        number in another unit.
    """
    numbers = values.astype(np.float64)
    if factor == 1 or not np.isfinite(numbers).all():
        return numbers * float(factor)
    return _rounded(numbers * float(factor.numerator) / float(factor.denominator))


def _rounded(numbers: Floats) -> Floats:
    """Round to 15 significant digits."""
    with np.errstate(divide="ignore"):
        places = DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
    usable = np.isfinite(places) & (places >= 0) & (places <= 22)  # powers of ten that are exact
    power = 10.0 ** np.where(usable, places, 0.0)
    return np.where(usable, np.rint(numbers * power) / power, numbers)


def lengths(values: Any, voxel_size: Any, where: str, *, unit: str | None = None) -> NDArray[Any]:
    """Return positions in voxels, converted where they carry a unit.

    Parameters
    ----------
    values
        Numbers, shape (..., 3), or lengths with a unit.
    voxel_size : array, shape (3,)
        Edges of a voxel in nm.
    where : str
        Its name in messages.
    unit : str, optional
        Unit of `values`, where what they were taken from carried it.

    Returns
    -------
    ndarray
        Numbers without a unit as they are.

    Raises
    ------
    FieldError
        If the unit is not one of length.
    """
    unit = unit_within(values, where) if unit is None else unit
    array = _array(values, where)
    if unit is None:
        return array
    factor = _factor(unit, LENGTHS, where, "length")
    edges = np.asarray(voxel_size, dtype=np.float64)
    if array.dtype.kind not in "iuf" or array.ndim < 1 or array.shape[-1] != 3:
        return array
    if not (np.isfinite(edges).all() and (edges > 0).all()):
        return array
    columns = [scaled(array[..., k], factor / Fraction(float(edges[k]))) for k in range(3)]
    return np.stack(columns, axis=-1)


def voxel_edges(value: Any, where: str) -> Any:
    """Edges of a voxel in nm, converted where they carry a unit, in the order x, y, z.

    Parameters
    ----------
    value
        Three numbers, lengths with a unit, or a dictionary or Series of x, y and z.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray, or what was given where it is no array
        The field checks the values.

    Raises
    ------
    FieldError
        If axes are missing or the unit is not one of length.
    """
    if isinstance(value, Mapping | pd.Series):
        named = {str(key).strip().lower(): item for key, item in value.items()}
        default = isinstance(value, pd.Series) and list(named) == ["0", "1", "2"]
        if not default and set(named) != set("xyz"):
            raise FieldError(f"{where}: labels {', '.join(named)}; expected x, y and z")
        value = [named[axis] for axis in (named if default else "xyz")]
    unit = unit_within(value, where)
    if unit is None:
        return plain(value, where)
    return scaled(_array(value, where), _factor(unit, LENGTHS, where, "length"))


def times(values: Any, where: str) -> NDArray[Any]:
    """Return times in seconds, converted where they carry a unit.

    Parameters
    ----------
    values
        Numbers, which are taken for seconds; times with a unit; timedelta64 or datetime64.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray
        Seconds; dates as datetime64 in UTC, which :func:`since` converts to seconds.

    Raises
    ------
    FieldError
        If the unit is not one of time, or a time is missing.
    """
    unit = unit_within(values, where)
    array = _array(values, where)
    if unit is not None:
        return scaled(array, _factor(unit, TIMES, where, "time"))
    first = array.flat[0] if array.dtype == object and array.size else None
    if isinstance(first, datetime.timedelta | np.timedelta64):
        array = pd.to_timedelta(array.ravel()).to_numpy().reshape(array.shape)
    elif isinstance(first, datetime.datetime | np.datetime64):
        array = pd.to_datetime(array.ravel(), utc=True).tz_localize(None).to_numpy()
    if array.dtype.kind in "mM" and np.isnat(array).any():
        raise FieldError(f"{where}: a time is missing (NaT); leave it out")
    if array.dtype.kind == "m":
        return _timedeltas(array, where)
    return array


def _timedeltas(array: NDArray[Any], where: str) -> Floats:
    """Spans of time in seconds."""
    if np.datetime_data(array.dtype)[0] == "generic":
        raise FieldError(f"{where}: timedelta64 without a unit; say which, such as timedelta64[ms]")
    nanoseconds = array.astype("m8[ns]").astype(np.int64)
    return scaled(nanoseconds, Fraction(1, 10**9))


def since(values: NDArray[Any], start: Any, where: str) -> NDArray[Any]:
    """Seconds since the start of the recording.

    Parameters
    ----------
    values : array
        As :func:`times` gives them.
    start : float, datetime64 or None
        Start of the recording on the clock of the times, see :func:`scalar`.
    where : str
        Its name in messages.

    Returns
    -------
    ndarray
        Rounded to the digits that the clock had. Without a start, the times as they are.

    Raises
    ------
    FieldError
        If the times are dates and the start is not, or the other way round.
    """
    calendar = values.dtype.kind == "M"
    if start is None and not calendar:
        return values
    if calendar != isinstance(start, np.datetime64):
        raise FieldError(
            f"{where}: times are {'dates' if calendar else 'seconds'}, t_start is {start!r}; pass "
            f"t_start= as {'the date and time' if calendar else 'the second'} at which the "
            "recording began"
        )
    if calendar:
        return _timedeltas(values.astype("M8[ns]") - start.astype("M8[ns]"), where)
    usable = values.dtype.kind in "iuf" and values.size and np.isfinite(values).all()
    if not usable or start == 0:
        return values
    clock = values.astype(np.float64)
    step = np.spacing(max(np.abs(clock).max(), abs(start)))
    rounded: NDArray[Any] = np.round(clock - start, int(np.floor(-np.log10(step))))
    return rounded


def scalar(value: Any, name: str) -> Any:
    """Turn a setting in seconds with a unit into a number.

    Parameters
    ----------
    value
        A number, a time with a unit, a timedelta or a date; None stays None.
    name : str
        Its name in messages.

    Returns
    -------
    float, datetime64, or what was given where it carries no unit
        The caller checks what it may be.

    Raises
    ------
    FieldError
        If the unit is not one of time, or there is more than one time.
    """
    if isinstance(value, datetime.datetime | datetime.timedelta | np.datetime64 | np.timedelta64):
        value = np.array([value])
    elif unit_of(value) is None:
        return value
    time_values = times(value, name).ravel()
    if len(time_values) != 1:
        raise FieldError(f"{name}: {len(time_values)} times; give one")
    return time_values[0] if time_values.dtype.kind == "M" else float(time_values[0])


def check_extent(positions: Any, edges: Any, where: str, *, unit_known: bool) -> None:
    """Warn of a field that is improbably large or small for positions of somata.

    Parameters
    ----------
    positions : array, shape (N, 3)
        In voxels.
    edges : array, shape (3,)
        Of a voxel, in nm.
    where : str
        Name of the positions in the warning.
    unit_known : bool
        Whether the caller has named the unit, by `voxel_size` or with the positions.
    """
    extent = np.ptp(np.asarray(positions, dtype=np.float64), axis=0) * np.asarray(edges) / 1000
    largest, smallest = (LARGEST_UM, SMALLEST_UM) if unit_known else (LARGE_UM, SMALL_UM)
    whole = not unit_known and np.array_equal(positions, np.rint(positions))
    size = float(extent.max())
    if size > largest or (whole and size > LARGE_WHOLE_UM) or 0 < size < smallest:
        shown = " x ".join(f"{side:.3g}" for side in extent)
        numbers = ", all of them whole numbers as of voxels" if whole else ""
        taken = "" if unit_known else " if positions are in micrometres, as is assumed here"
        warn(
            f"{where}: the field is {shown} micrometres{taken}{numbers}; pass voxel_size=, the "
            "edges in nm of the unit in which they are counted"
        )


def rate(value: Any, name: str) -> Any:
    """Turn a rate with a unit into a number of events a second.

    Parameters
    ----------
    value
        A number, or a rate with a unit.
    name : str
        Its name in messages.

    Returns
    -------
    float, or what was given where it carries no unit

    Raises
    ------
    FieldError
        If the unit is not one of a rate.
    """
    unit = unit_of(value)
    if unit is None:
        return value
    return float(scaled(_array(value, name).ravel(), _factor(unit, RATES, name, "rate"))[0])
