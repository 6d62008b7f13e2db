"""Predictions: what was expected of each control, and whether it was confirmed.

Every :class:`Prediction` names the difference that it expects between two conditions and thereby
the number that would refute it. Predictions are committed before the runs that decide them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.kept_effects import EFFECTS, at_least_without_memory
from cortexrnn.evidence.votes import (
    CANNOT_TELL,
    LATER_RULES,
    LEAST_APART,
    apart,
    votes,
)
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.controls import AT_EQUAL_NORM_BASES, CONDITIONS, NORM_SHARES
from cortexrnn.runs.labels import runs_of

__all__ = [
    "CLAIMS",
    "PREDICTIONS",
    "Claim",
    "Prediction",
    "outcomes",
    "paired_differences",
    "sensitivity",
    "verdicts_of_claims",
]


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


ORDERING = -0.6
"""Largest rank correlation that is predicted between the penalty gradient at the start and
accuracy, over all conditions that start orthogonal."""
PREDICTIONS = (
    *_predictions(),
    *_later_predictions(),
    *_further_predictions(),
    *_equal_norm_predictions(),
)
"""Everything that was predicted, in the order in which it was."""


def paired_differences(
    one: pd.DataFrame, two: pd.DataFrame, *, metric: str = "accuracy", task: str | None = None
) -> NDArray[np.float64]:
    """Subtract runs of equal task and seed, averaged over tasks.

    Runs of one seed share trials, input noise and the draw of functional weights. A seed counts
    if all its tasks are there on both sides. A diverged run has no value, and its seed none.

    Parameters
    ----------
    one, two : DataFrame
        Runs of two conditions on one field.
    metric : str
        Column of the archive.
    task : str, optional
        One task only.

    Returns
    -------
    ndarray, shape (n,)
        One less two for every seed both have.
    """
    tables = []
    for runs in (one, two):
        chosen = runs if task is None else runs[runs["task"] == task]
        tables.append(chosen.pivot_table(index="seed", columns="task", values=metric))
    shared = tables[0].columns.intersection(tables[1].columns)
    if shared.empty:
        return np.empty(0)
    difference = tables[0][shared] - tables[1][shared]
    values: NDArray[np.float64] = difference.dropna().mean(axis=1).to_numpy()
    return values


DIFFERENCE = ["difference", "difference_low", "difference_high"]
"""Columns of a difference and the ends of its interval in the tables of this module."""


def outcomes(
    runs: pd.DataFrame,
    *,
    fields: Sequence[str],
    predictions: Sequence[Prediction] = PREDICTIONS,
) -> pd.DataFrame:
    """Judge every prediction on every field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    predictions : sequence of Prediction
        Predictions to judge.

    Returns
    -------
    DataFrame
        One row per prediction and field on which it is judged: its attributes, and ``field, pairs,
        difference, difference_low, difference_high, zero, judged, outcome, about, effect_low, says,
        said``. The interval lies ``"above"`` or ``"below"`` zero, or zero ``"inside"``. A
        prediction is ``"not run"`` while a condition that it names lacks runs of a task; the
        ``outcome`` of a withdrawn one is ``"withdrawn"``, whatever it was ``judged``. It ``says``
        something against the reading of its claim, for it, or neither; ``"cannot tell"`` where the
        effect that it is ``about`` is not surely larger than the bound of *same*: ``effect_low``,
        the lower end of its 95 % interval, is not above it. ``said`` is the same where only effects
        count that the prediction itself names.
    """
    fields = arguments.names("fields", fields)
    runs_on = {field: runs[runs["field"] == field] for field in fields}
    rows = []
    for prediction in predictions:
        pair = (prediction.condition, prediction.against)
        for field in filter(prediction.asked_on, fields):
            on_field = runs_on[field]
            pairs, complete, (mean, low, high) = _difference(on_field, pair, prediction, field)
            about, known = _about(on_field, prediction, field)
            row = {
                **vars(prediction),
                "field": field,
                "pairs": pairs,
                "difference": mean,
                "difference_low": low,
                "difference_high": high,
                "zero": "above" if low > 0 else "below" if high < 0 else "inside",
                "judged": prediction.judge(low, high) if complete and known else "not run",
            }
            row["outcome"] = "withdrawn" if prediction.withdrawn else row["judged"]
            rows.append(row | _meaning(prediction, row["outcome"], about))
    return pd.DataFrame(rows)


def _difference(
    runs: pd.DataFrame, pair: tuple[str, str], prediction: Prediction, field: str
) -> tuple[int, bool, tuple[float, float, float]]:
    """Subtract a condition from another as a prediction does: pairs, if all were run, interval."""
    task = prediction.task
    both = [CONDITIONS[name] for name in pair]
    cells = [runs_of(runs, condition, field=field) for condition in both]
    asked = {task} if task else set(dict(both[0].tasks)) & set(dict(both[1].tasks))
    complete = all(asked <= set(cell["task"]) for cell in cells)
    values = paired_differences(*cells, metric=prediction.metric, task=task)
    return len(values), complete, t_interval(values)


def _about(runs: pd.DataFrame, prediction: Prediction, field: str) -> tuple[dict[str, Any], bool]:
    """Name the effect that a prediction is about, and find how large it surely is on a field.

    With it comes whether that is known, or can never be: not all conditions are asked everywhere.
    """
    key = (prediction.condition, prediction.against, prediction.metric)
    effect = prediction.effect or EFFECTS.get(key)
    if effect is None:
        return {"about": "", "effect_low": np.nan}, True
    measured = runs
    if prediction.metric == "accuracy" and CONDITIONS[effect[1]].sign == "positive":
        measured = at_least_without_memory(runs)  # an orthogonal start diverges
    _, complete, (_, low, _) = _difference(measured, effect, prediction, field)
    about = {"about": " less ".join(effect), "effect_low": low if complete else np.nan}
    is_asked = all(CONDITIONS[name].is_run_on(field) for name in effect)
    return about, complete or not is_asked


def _meaning(prediction: Prediction, outcome: str, about: dict[str, Any]) -> dict[str, Any]:
    """Say what an outcome means, with the effects of all predictions and with those they name."""
    says = _says(prediction, outcome, **about)
    own: dict[str, Any] = about if prediction.effect else {"about": "", "effect_low": np.nan}
    return {**about, "says": says, "said": _says(prediction, outcome, **own)}


def _says(
    prediction: Prediction, outcome: str, *, about: str, effect_low: float, factor: float = 1.0
) -> str:
    """Say what an outcome means for the reading of the claim; open and not run mean nothing yet."""
    judged = outcome in ("confirmed", "refuted", "open")
    if judged and about and not effect_low > -factor * prediction.low:
        return CANNOT_TELL
    meanings = {"confirmed": prediction.if_confirmed, "refuted": prediction.if_refuted}
    return meanings.get(outcome, outcome)


def verdicts_of_claims(
    outcomes: pd.DataFrame, *, rules: Collection[str] = tuple(LATER_RULES)
) -> pd.DataFrame:
    """Sum up the outcomes of the predictions claim by claim.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`outcomes`.
    rules : collection of str
        Which of the :data:`~cortexrnn.evidence.votes.LATER_RULES` to follow; none: as first stated.

    Returns
    -------
    DataFrame
        One row per claim: ``claim, paper, evidence, reading, against, for, open, cannot tell, not
        run, apart, verdict``: how many predictions say something against the reading or for it, are
        open, cannot tell or are not run, of those that can say anything of it; ``apart``, how many
        of those that speak share no arm. The verdict is ``not asked`` without any of these;
        ``not supported`` where none speaks for it and more than half of those that could speak
        against it do; ``supported`` where none speaks against it and more than half of those that
        could speak for it do; else, and as long as one is not run, ``open``. Where the reading is
        universal, one that speaks against it is enough, and all have to speak for it. Where fewer
        than three of those that make a verdict share no arm, it is only a fact: ``fact against`` or
        ``fact for``.
    """
    chosen = votes(outcomes, rules=rules)
    rows = []
    for key, claim in CLAIMS.items():
        asked = chosen[chosen["claim"] == key]
        tally = asked["says"].value_counts()
        counts = {name: int(tally.get(name, 0)) for name in COUNTED}
        speaking = asked[asked["says"].isin(("against", "for"))]
        verdict = _verdict(asked, counts, universal=claim.universal)
        side = {"not supported": "against", "supported": "for"}.get(verdict)
        if side and "three apart" in rules:
            of_side = apart(speaking[speaking["says"] == side])
            verdict = verdict if of_side >= LEAST_APART else f"fact {side}"
        texts = {"paper": claim.paper, "evidence": claim.evidence, "reading": claim.reading}
        rows.append({"claim": key, **texts, **counts, "apart": apart(speaking), "verdict": verdict})
    return pd.DataFrame(rows)


COUNTED = ("against", "for", "open", CANNOT_TELL, "not run")
"""What predictions say that is counted, in this order."""


def _verdict(asked: pd.DataFrame, counts: dict[str, int], *, universal: bool) -> str:
    """Reach the verdict on one claim, however few predictions it rests on."""
    could = asked.loc[asked["says"] != CANNOT_TELL, ["if_confirmed", "if_refuted"]]
    if asked.empty:
        return "not asked"
    if universal and counts["against"]:
        return "not supported"
    verdict = "open"
    if not counts["not run"]:
        for side, other, name in (
            ("against", "for", "not supported"),
            ("for", "against", "supported"),
        ):
            able = (could == side).any(axis=1).sum()
            enough = counts[side] == able if universal else counts[side] > able / 2
            if enough and able and not counts[other]:
                verdict = name
    return verdict


def sensitivity(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Show how sensitive the verdicts are to our choices about the predictions.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`outcomes`.

    Returns
    -------
    DataFrame
        Verdicts by claim: ``as judged``; without each of the later rules (see
        :data:`~cortexrnn.evidence.votes.LATER_RULES`), ``effects of any size``, ``pairs twice`` and
        ``fewer than three``, and without all of them, ``as first stated``; ``none added``, without
        predictions that were added when runs of another field were known; ``half as wide`` and
        ``1.5 times as wide``, with other bounds of what counts as same and as lost.
    """
    every = tuple(LATER_RULES)
    ways: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {"as judged": (outcomes, every)}
    for name, left_out in WITHOUT.items():
        ways[name] = (outcomes, tuple(rule for rule in every if rule != left_out))
    ways |= {
        "as first stated": (outcomes, ()),
        "none added": (outcomes[outcomes["known_on"].map(len) == 0], every),
        "half as wide": (_with_bounds(outcomes, 0.5), every),
        "1.5 times as wide": (_with_bounds(outcomes, 1.5), every),
    }
    return pd.DataFrame(
        {
            name: verdicts_of_claims(way, rules=rules).set_index("claim")["verdict"]
            for name, (way, rules) in ways.items()
        }
    )


WITHOUT = {
    "effects of any size": "effects",
    "pairs twice": "pairs once",
    "fewer than three": "three apart",
}
"""Names of verdicts that leave out one of the later rules."""


def _with_bounds(outcomes: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Judge again with all bounds multiplied, except 1 and -1, which exclude nothing."""
    names = [field.name for field in dataclass_fields(Prediction)]
    outcomes = outcomes.copy()
    for place, row in zip(outcomes.index, outcomes.to_dict("records"), strict=True):
        stated = Prediction(**{name: row[name] for name in names})
        low, high = (x if abs(x) == 1.0 else factor * x for x in (stated.low, stated.high))
        outcome = row["outcome"]
        if outcome not in ("not run", "withdrawn"):
            changed = replace(stated, low=low, high=high)
            outcome = changed.judge(row["difference_low"], row["difference_high"])
        about = {name: row[name] for name in ("about", "effect_low")}
        outcomes.loc[place, ["outcome", "says"]] = (
            outcome,
            _says(stated, outcome, **about, factor=factor),
        )
    return outcomes
