"""Which effect each prediction of *same* or *at least* is about, and whether it is there.

That a control does as well as its reference means something only where there is an effect to lose,
or room for one: where both lie at chance, or both at the best there is, everything is the same.
Predictions that were made later name that effect themselves. For earlier ones it is named here,
when their outcomes were known; :func:`cortexrnn.evidence.judgement.sensitivity` shows the
verdicts with and without this later rule.
"""

from __future__ import annotations

import pandas as pd

from cortexrnn.evidence.leaky_units import levels_without_memory

__all__ = ["EFFECTS", "at_least_without_memory"]

GAIN = ("W*D*", "WD*")
"""What W* gains under D*; also the room above an orthogonal start under D*."""
GAIN_WITH_C = ("W*D*C", "WD*C")
"""What W* gains under D* with C."""
GAIN_POSITIVE = ("W*D*, positive", "WD*, positive")
"""What W* gains where weights are positive."""

Pair = tuple[str, str]

EFFECTS: dict[tuple[str, str, str], Pair] = {
    # function
    ("self-connections of W* alone", "W*D*", "accuracy"): GAIN,
    ("orthogonal with the self-connections of W*", "W*D*", "accuracy"): GAIN,
    ("scaled identity", "W*D*", "accuracy"): GAIN,
    ("self-connections of W* alone, all trials", "W*D*C", "accuracy"): GAIN_WITH_C,
    # structure
    ("W* shuffled off the diagonal", "W*D*", "accuracy"): GAIN,
    ("W* resampled off the diagonal", "W*D*", "accuracy"): GAIN,
    ("W* shuffled off the diagonal, all trials", "W*D*C", "accuracy"): GAIN_WITH_C,
    # geometry
    ("WD* on matched random points", "WD*", "accuracy"): ("WD*", "WD"),
    ("WD* on own coordinates", "WD*", "accuracy"): ("WD*", "WD"),
    ("WD on a matched grid", "WD*", "accuracy"): ("WD*", "WD"),
    ("WD*C on three clusters", "WD*C", "accuracy"): ("WD*C", "WDC"),
    ("W*D*C on own coordinates", "W*D*C", "accuracy"): ("W*D*C", "W*DC"),
    ("W!D*C, corrected", "W*D*C, corrected", "accuracy"): (
        "W*D*C, corrected",
        "WD*C, corrected",
    ),
    ("W!D*C*, corrected", "W*D*C*, corrected", "accuracy"): (
        "W*D*C*, corrected",
        "WD*C*, corrected",
    ),
    ("WD*C, corrected", "WDC, corrected", "accuracy"): ("W*D*C, corrected", "WDC, corrected"),
    # wiring
    ("WD*C with C frozen", "WD*C", "accuracy"): ("WD*C", "WD*"),
    ("W*D*C with C frozen", "W*D*C", "accuracy"): ("W*D*C", "W*D*"),
    ("WD*C at gradient 0.17", "WD*", "accuracy"): ("WD*C", "WD*"),
    ("WD* at gradient 0.001", "WD*C", "accuracy"): ("WD*C", "WD*"),
    ("W at gradient 0.001", "WD*C on own coordinates", "accuracy"): (
        "WD*C on own coordinates",
        "WD* on own coordinates",
    ),
    ("WD*C* at EMD strength 100", "WD*", "accuracy"): GAIN,  # room above WD*
    # positive
    ("scaled identity, positive", "W*D*, positive", "accuracy"): GAIN_POSITIVE,
    ("scaled identity, positive", "W*D*C*, positive", "accuracy"): (
        "W*D*C*, positive",
        "WD*C*, positive",
    ),
    # topology
    ("WD*C on three clusters", "WD*C", "modularity"): ("WD*C", "W"),
    ("W*D*C on three clusters", "W*D*C", "modularity"): ("W*D*C", "W"),
    # beyond
    **{
        (f"{start}, {what}", f"W*, {what}", "accuracy"): (f"W*, {what}", f"orthogonal, {what}")
        for start in ("self-connections of W* alone", "W* shuffled off the diagonal")
        for what in ("long delays", "640 trials", "1,280 trials", "NeuroGym")
    },
    # memory
    ("W* with 8 strong self-connections", "W*D*", "accuracy"): (
        "W*D*",
        "W* with 0 strong self-connections",
    ),
    ("orthogonal with 8 strong self-connections", "W*D*", "accuracy"): GAIN,
    **{
        (f"{start} with 2 strong self-connections", against, "accuracy"): (
            against.replace(" 2 ", " 8 "),
            against.replace(" 2 ", " 0 ").replace(" 8 ", " 0 "),
        )
        for start, against in (
            ("W*", "W* with 8 strong self-connections"),
            ("orthogonal", "orthogonal with 8 strong self-connections"),
            ("orthogonal", "W* with 2 strong self-connections"),
        )
    },
}
"""By condition, reference and metric of a prediction: two conditions whose difference it says is
kept, is gone, or could have been reached. Predictions that bear on no reading are left out."""


def at_least_without_memory(runs: pd.DataFrame) -> pd.DataFrame:
    """Give runs that diverged the accuracy that needs no memory.

    An effect is the difference to something, and a network that diverged remembers nothing.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive, with ``task, accuracy, diverged``.

    Returns
    -------
    DataFrame
        The same rows. A run that diverged on a task of the paper has the accuracy of
        :func:`cortexrnn.evidence.leaky_units.level_without_memory`; on another task it has none.
    """
    level = runs["task"].map(levels_without_memory())
    return runs.assign(accuracy=runs["accuracy"].where(~runs["diverged"].astype(bool), level))
