"""How many strong self-connections a network needs: what was predicted, and what runs say.

A unit with a strong self-connection is of use if a cue excites it: its input weights, which start
symmetric about zero, have to be positive for one of the cues. That alone gives the share of runs
with k such units that can learn, with no parameter to choose.
"""

from __future__ import annotations

from typing import Literal

from cortexrnn.fields.inputs.arguments import one_of, whole_number
from cortexrnn.networks.tasks import TASKS

__all__ = ["CUES", "predicted_share"]

CUES = {"one_choice": 4, "perceptual": 2, "go_nogo": 2}
"""Number of cues by task, each with an input channel of its own."""

Needed = Literal["one unit", "two units"]
"""Rival accounts of what the read-out needs: one unit that some cue excites, whose silence tells
the other answer, or two that prefer different cues."""


def predicted_share(task: str, count: int, *, needed: Needed = "one unit") -> float:
    """Share of runs that can learn with a number of strong self-connections.

    Parameters
    ----------
    task : {"one_choice", "perceptual", "go_nogo"}
        The task.
    count : int
        Number of units with a strong self-connection.
    needed : {"one unit", "two units"}
        ``one unit``: some unit has a positive weight from some cue, 1 - 2^(-c k) for c cues.
        ``two units``: two cues that ask for different answers have units that prefer them. With two
        cues each unit prefers either with probability 3/8 and none with 1/4, so that it is
        1 - 2 (5/8)^k + (1/4)^k. In one-choice two pairs of goals have to be told apart, either of
        which is enough to pass the level of learning; that both cues of a pair are preferred has
        the same form for either pair, with probability 15/64 for each cue.

    Returns
    -------
    float
        The share. Input weights may change their sign while training, other self-connections may
        grow; neither is in it.

    Raises
    ------
    ValueError
        If the task is not one of the paper's, the count is no whole number, or `needed` is neither.
    """
    one_of("task", task, TASKS)
    one_of("needed", needed, ("one unit", "two units"))
    k = whole_number("count", count)
    n_cues = CUES[task]
    silent = 0.5**n_cues
    if needed == "one unit":
        return 1 - silent**k
    each = (1 - silent) / n_cues
    if n_cues == 2:
        return 1 - 2 * (1 - each) ** k + (1 - 2 * each) ** k
    # Inclusion and exclusion over the four cues: both of the first pair, or both of the second.
    without = [(1 - missing * each) ** k for missing in range(n_cues + 1)]
    both_of_a_pair = 1 - 2 * without[1] + without[2]
    both_of_all = 1 - 4 * without[1] + 6 * without[2] - 4 * without[3] + without[4]
    return 2 * both_of_a_pair - both_of_all
