"""What tests of several rooms ask of conditions."""

from cortexrnn.runs.controls import Control


def somewhere(condition: Control) -> str:
    """Name a field for which a condition has runs: any, unless its strength belongs to a field."""
    return next(iter(dict(condition.strengths)), "f")
