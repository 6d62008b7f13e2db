"""Predictions: what was expected of each control, with the number that would refute it.

Every :class:`Prediction` names the difference that it expects between two conditions. Predictions
are committed before the runs that decide them; :mod:`cortexrnn.evidence.judgement` judges them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cortexrnn.runs.controls import AT_EQUAL_NORM_BASES, CONDITIONS, NORM_SHARES

__all__ = ["CLAIMS", "PREDICTIONS", "Claim", "Prediction"]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An expected difference between two conditions.

    The difference is that of means over simulations of equal seed, averaged over tasks unless one
    is named. The prediction is confirmed where the 95 % interval lies inside the bounds, refuted
    where it lies outside, open otherwise.

    Parameters
    ----------
    claim : str
        Key of :data:`CLAIMS`.
    condition, against : str
        Names of controls or published variants.
    low, high : float
        Bounds of the difference, the condition less the other.
    metric : str
        Column of the archive.
    task : str, optional
        One task; default: the mean over those both conditions share.
    if_confirmed, if_refuted : {"against", "for", "neither"}
        What the outcome then says of the reading of the claim.
    known_on : tuple of str
        Fields whose first runs were known when it was made; it is not judged there.
    effect : tuple of str, optional
        Two conditions whose difference the prediction says is kept. Where that difference is too
        small to be told from none, *same* means nothing, and the outcome says nothing.
    withdrawn : str
        Why it is no longer judged; empty for all others.
    """

    claim: str
    condition: str
    against: str
    low: float
    high: float
    metric: str = "accuracy"
    task: str | None = None
    if_confirmed: str = "against"
    if_refuted: str = "for"
    known_on: tuple[str, ...] = ()
    effect: tuple[str, str] | None = None
    withdrawn: str = ""

    def judge(self, low: float, high: float) -> str:
        """Compare an interval with the bounds.

        Parameters
        ----------
        low, high : float
            The 95 % interval of the difference.

        Returns
        -------
        str
            ``"confirmed"``, ``"refuted"`` or ``"open"``; NaN is open.
        """
        if self.low <= low and high <= self.high:
            return "confirmed"
        return "refuted" if high < self.low or low > self.high else "open"

    def asked_on(self, field: str) -> bool:
        """Check whether it is judged on a field.

        Parameters
        ----------
        field : str
            Name of the field.

        Returns
        -------
        bool
            Whether its conditions are run there, and were not known when it was made.
        """
        both = (CONDITIONS[self.condition], CONDITIONS[self.against])
        return all(one.is_run_on(field) for one in both) and field not in self.known_on


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper, and the stricter reading that controls can refute.

    Parameters
    ----------
    paper : str
        What the paper says.
    evidence : str
        What it rests on there.
    reading : str
        What would have to be true for the named cause, and nothing simpler, to carry the effect.
    finding : tuple of str
        Names of two conditions: the claim is about the first less the second.
    metric : str
        Column of the archive in which they differ.
    universal : bool
        Whether one prediction that speaks against the reading is enough, and all have to speak for
        it.
    """

    paper: str
    evidence: str
    reading: str
    finding: tuple[str, str]
    metric: str = "accuracy"
    universal: bool = False


CLAIMS = {
    "function": Claim(
        paper="Functional initialisation gives the largest gain.",
        evidence="W* against W in Table 2 and the tests of factor W.",
        reading="The gain of W* needs more than the strength of its self-connections.",
        finding=("W*D*C*", "WD*C*"),
    ),
    "structure": Claim(
        paper="The gain is one of structure: relabelled neurons (W!) keep it, resampled entries "
        "lose it.",
        evidence="W* against W! in Table 2; a resampling control that is described.",
        reading="The pattern of W* off its diagonal carries the gain.",
        finding=("W!D*C*", "W*D*C*"),
    ),
    "geometry": Claim(
        paper="Real geometry is a robust second factor.",
        evidence="D* against D and against none in Table 2 and the tests of factor D.",
        reading="Where each neuron lies, beyond mean distance and clusters, carries what D* adds.",
        finding=("WD*C", "WDC"),
    ),
    "wiring": Claim(
        paper="Communicability is a selective third factor.",
        evidence="C and C* against none in Table 2 and the tests of factor C.",
        reading="C does more than to make the penalty weaker, and C* does something at all.",
        finding=("WD*C", "WD*"),
    ),
    "positive": Claim(
        paper="With positive weights, training works only from a cortical start.",
        evidence="Table 3, where every orthogonal start diverges.",
        reading="No start without cortex learns with positive weights.",
        finding=("W*D*C*, positive", "WD*C*, positive"),
        metric="diverged",
        universal=True,
    ),
    "topology": Claim(
        paper="Cortical priors make networks modular.",
        evidence="Modularity of D* with C in the tables of topology.",
        reading="Modularity comes of where each neuron truly lies.",
        finding=("WD*C", "W"),
        metric="modularity",
    ),
    "beyond": Claim(
        paper="Cortical priors are useful inductive biases.",
        evidence="The three tasks of the paper.",
        reading="W* beyond its self-connections helps where delays are long, trials few or tasks "
        "others.",
        finding=("W*, NeuroGym", "orthogonal, NeuroGym"),
    ),
    "memory": Claim(
        paper="Not a claim of the paper: why W* helps, as this book explains it.",
        evidence="What single units can remember, and the controls of the start.",
        reading="Under D*, the number of strong self-connections decides whether a network learns.",
        finding=("W* with 8 strong self-connections", "W* with 0 strong self-connections"),
    ),
}
"""Claims by key, in the order of the book."""
SAME: dict[str, Any] = {"low": -0.1, "high": 0.1}
"""Bounds of an accuracy that is practically the same: a quarter to a third of the gain of W*."""
LOST: dict[str, Any] = {"low": -1.0, "high": -0.2}
"""Bounds of a gain that is for the larger part lost."""
AT_LEAST: dict[str, Any] = {"low": -0.1, "high": 1.0}
"""Bounds of an accuracy that is the same or higher."""
GAINED: dict[str, Any] = {"low": 0.1, "high": 1.0}
"""Bounds of an accuracy that is clearly higher."""
ONE_WAY: dict[str, Any] = {"if_refuted": "neither"}
"""For predictions whose failure speaks neither way."""
NEEDED: dict[str, Any] = {"if_confirmed": "neither"}
"""For predictions that a cause is needed, which does not make it sufficient."""
CONTRARY: dict[str, Any] = {"if_confirmed": "for", "if_refuted": "against"}
"""For predictions that agree with the reading."""
SIMPLER: dict[str, Any] = {"if_confirmed": "neither", "if_refuted": "against"}
"""For predictions whose failure leaves even less than expected to the reading."""
CHECK: dict[str, Any] = {"if_confirmed": "neither", "if_refuted": "neither"}
"""For predictions that check the design alone."""


ILL_POSED = (
    "It was meant to ask whether the gain of W* goes when its self-connections are lost, but a "
    "penalty on self-connections does not remove them. What it meant is asked of starts that are "
    "so penalised, further down."
)
"""Why a prediction was withdrawn, after its runs were known on 5_3_4 and 5_6_8."""


def _predictions() -> Iterator[Prediction]:
    """List what is expected, claim by claim."""
    in_go_nogo = LOST | {"task": "go_nogo"}
    wanted: list[tuple[str, str, str, dict[str, Any]]] = [
        ("function", "W*D*", "W*D*C*", SAME | CHECK),
        ("function", "W* without self-connections", "W*D*", LOST | NEEDED),
        ("function", "W* without self-connections, not rescaled", "W*D*", LOST | NEEDED),
        ("function", "self-connections of W* alone", "W*D*", SAME),
        ("function", "orthogonal with the self-connections of W*", "W*D*", SAME),
        ("function", "scaled identity", "W*D*", SAME),
        (
            "function",
            "W* that is penalised on the diagonal too",
            "W*D*",
            LOST | NEEDED | {"withdrawn": ILL_POSED},
        ),
        ("structure", "W* shuffled off the diagonal", "W*D*", SAME),
        ("structure", "W* resampled off the diagonal", "W*D*", SAME),
        ("structure", "W* shuffled", "W*D*", LOST | CHECK),
        ("structure", "W* resampled", "W*D*", LOST | CHECK),
        ("structure", "lognormal", "W*D*", LOST | CHECK),
        ("geometry", "WD* on matched random points", "WD*", SAME),
        ("geometry", "WD* on own coordinates", "WD*", SAME | ONE_WAY),
        ("geometry", "WD on a matched grid", "WD*", SAME),
        ("geometry", "WDC on a matched grid", "WD*C", in_go_nogo | SIMPLER),
        ("geometry", "WD*C on matched random points", "WD*C", in_go_nogo | SIMPLER),
        ("geometry", "WD*C on own coordinates", "WD*C", in_go_nogo | ONE_WAY),
        ("geometry", "WD*C on three clusters", "WD*C", SAME),
        ("geometry", "W*D*C on own coordinates", "W*D*C", SAME | ONE_WAY),
        ("wiring", "WD*C with C frozen", "WD*C", SAME),
        ("wiring", "W*D*C with C frozen", "W*D*C", SAME),
        ("wiring", "WD*C at gradient 0.17", "WD*", SAME),
        ("wiring", "WD* at gradient 0.001", "WD*C", SAME),
        ("wiring", "W at gradient 0.001", "WD*C on own coordinates", SAME),
        ("wiring", "WD*C* at EMD strength 100", "WD*", SAME),
        ("positive", "scaled identity, positive", "W*D*, positive", SAME),
        ("positive", "uniform, positive", "W*D*, positive", LOST | CONTRARY),
        ("positive", "lognormal, positive", "W*D*, positive", LOST | CONTRARY),
        (
            "positive",
            "orthogonal with a stable positive part, positive",
            "W*D*, positive",
            LOST | CONTRARY,
        ),
        ("positive", "W* without self-connections, positive", "W*D*, positive", LOST | CHECK),
    ]
    for claim, condition, against, bounds in wanted:
        yield Prediction(claim=claim, condition=condition, against=against, **bounds)
    alike = {"low": -0.15, "high": 0.15}
    lower = {"low": -1.0, "high": -0.1}
    for condition, against, bounds in (
        ("WD*C on three clusters", "WD*C", alike),
        ("WD*C on own coordinates", "WD*C", lower),
        ("WD*C on matched random points", "WD*C", lower | CHECK),
        ("W*D*C on three clusters", "W*D*C", alike),
        ("W*D*C on own coordinates", "W*D*C", lower),
        ("W*D*C on matched random points", "W*D*C", lower | CHECK),
    ):
        yield Prediction(
            claim="topology", condition=condition, against=against, metric="modularity", **bounds
        )
    for condition, against in (
        ("self-connections of W* alone, long delays", "W*, long delays"),
        ("W* shuffled off the diagonal, long delays", "W*, long delays"),
        ("self-connections of W* alone, 640 trials", "W*, 640 trials"),
        ("W* shuffled off the diagonal, 640 trials", "W*, 640 trials"),
        ("self-connections of W* alone, 1,280 trials", "W*, 1,280 trials"),
        ("W* shuffled off the diagonal, 1,280 trials", "W*, 1,280 trials"),
        ("self-connections of W* alone, NeuroGym", "W*, NeuroGym"),
        ("W* shuffled off the diagonal, NeuroGym", "W*, NeuroGym"),
    ):
        yield Prediction(claim="beyond", condition=condition, against=against, **SAME)


def _later_predictions() -> Iterator[Prediction]:
    """List what was added when five seeds of 5_3_4 were known; it is judged on other fields."""
    for claim, condition, against, bounds in (
        ("function", "WD* without penalty", "W*D* without penalty", AT_LEAST | CHECK),
        ("function", "self-connections of W* alone, all trials", "W*D*C", AT_LEAST),
        ("function", "orthogonal with the self-connections of W*", "W*D*", AT_LEAST),
        ("function", "scaled identity", "W*D*", AT_LEAST),
        ("structure", "W* shuffled off the diagonal, all trials", "W*D*C", AT_LEAST),
        ("positive", "scaled identity, positive", "W*D*C*, positive", AT_LEAST),
    ):
        yield Prediction(
            claim=claim, condition=condition, against=against, known_on=("5_3_4",), **bounds
        )


def _further_predictions() -> Iterator[Prediction]:
    """List what was added when all controls before had been read, before any of these was run."""
    own, diagonal = "WD*C on own coordinates", "penalised on the diagonal too"
    geometry = SAME | {"effect": (own, "WDC")}
    function = AT_LEAST | {"effect": (f"W* that is {diagonal}", f"orthogonal, {diagonal}")}
    none, one, two, eight = (f"with {count}" for count in ("0", "1", "2", "8"))
    many = "strong self-connections"
    for claim, condition, against, bounds in (
        (
            "function",
            f"self-connections of W* alone, {diagonal}",
            f"W* that is {diagonal}",
            function,
        ),
        ("function", f"scaled identity, {diagonal}", f"W* that is {diagonal}", function),
        ("geometry", "WDC on a grid matched to own coordinates", own, geometry),
        ("geometry", "WD*C on random points with own distances", own, geometry),
        ("geometry", "WD*C on shuffled own distances", own, geometry),
        (
            "geometry",
            "WD*C on shuffled distances",
            "WD*C",
            SAME | {"effect": ("WD*C", "WDC")},
        ),
        ("geometry", "W!D*C, corrected", "W*D*C, corrected", SAME),
        ("geometry", "W!D*C*, corrected", "W*D*C*, corrected", SAME),
        ("geometry", "WD*C, corrected", "WDC, corrected", SAME),
        ("geometry", "WDC, corrected", "WDC", AT_LEAST | CHECK),
        ("geometry", "WD, corrected", "WD", AT_LEAST | CHECK),
        ("function", "W*D*C*, corrected", "WD*C*, corrected", GAINED | CHECK),
        ("memory", f"W* {none} {many}", "W*D*", LOST | CONTRARY),
        ("memory", f"orthogonal {none} {many}", "W*D*", LOST | CHECK),
        ("memory", f"W* {eight} {many}", "W*D*", AT_LEAST | CONTRARY),
        ("memory", f"orthogonal {eight} {many}", "W*D*", AT_LEAST | CONTRARY),
        ("memory", f"W* {one} {many[:-1]}", f"W* {none} {many}", GAINED | CONTRARY),
        (
            "memory",
            f"orthogonal {one} {many[:-1]}",
            f"orthogonal {none} {many}",
            GAINED | CONTRARY,
        ),
        ("memory", f"W* {two} {many}", f"W* {eight} {many}", SAME | CONTRARY),
        ("memory", f"orthogonal {two} {many}", f"orthogonal {eight} {many}", SAME | CONTRARY),
        ("memory", f"orthogonal {two} {many}", f"W* {two} {many}", AT_LEAST | CONTRARY),
    ):
        yield Prediction(claim=claim, condition=condition, against=against, **bounds)


def _equal_norm_predictions() -> Iterator[Prediction]:
    """List what was added before runs whose penalties leave weights of the same norm."""
    for share in NORM_SHARES:
        at = {base: f"{base} at norm {share:g}" for base in AT_EQUAL_NORM_BASES}
        for claim, condition, against, bounds in (
            ("geometry", "WD*C", "WDC", SAME | {"effect": ("WD*C", "WDC")}),
            ("wiring", "WD*C", "WD*", SAME | {"effect": ("WD*C", "WD*")}),
            ("wiring", "WD*C", "W", SAME | {"effect": ("WD*C", "W")}),
            ("wiring", "WDC", "WD", SAME | CHECK),
            ("function", "W*D*", "WD*", GAINED | CHECK),
        ):
            yield Prediction(claim=claim, condition=at[condition], against=at[against], **bounds)


def _relabelled_predictions() -> Iterator[Prediction]:
    """List what was added before W* was relabelled under the penalty of all other starts."""
    yield Prediction(
        claim="structure",
        condition="W* relabelled",
        against="W*D*",
        effect=("W*D*", "WD*"),
        **SAME | CHECK,
    )


ORDERING = -0.6
"""Largest rank correlation that is predicted between the penalty gradient at the start and
accuracy, over all conditions that start orthogonal."""
PREDICTIONS = (
    *_predictions(),
    *_later_predictions(),
    *_further_predictions(),
    *_equal_norm_predictions(),
    *_relabelled_predictions(),
)
"""Everything that was predicted, in the order in which it was."""
