"""Errors and warnings about data that cannot be used as they are, or that look wrong."""

from __future__ import annotations

import sys
import warnings

__all__ = ["FieldError", "FieldWarning", "warn"]


class FieldError(ValueError):
    """A field, or a request for one, that cannot be used as it is."""


class FieldWarning(UserWarning):
    """Something about the data of a field that may be right but usually is not."""


def warn(message: str) -> None:
    """Warn about data, at the line outside this package that passed them in.

    Parameters
    ----------
    message : str
        What was seen, with its numbers, and what to do.
    """
    depth, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("cortexrnn."):
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, FieldWarning, stacklevel=max(depth, 2))
