"""What tests of several rooms ask of conditions."""

from cortexrnn.runs.controls import EQUAL_NORM, FURTHER, Control

UNFINISHED = {"5_3_4": (EQUAL_NORM,), "5_6_8": FURTHER, "6_6_2": FURTHER}
"""Groups whose runs are not all in the archive yet, by field."""


def somewhere(condition: Control) -> str:
    """Name a field for which a condition has runs: any, unless its strength belongs to a field."""
    return next(iter(dict(condition.strengths)), "f")
