"""What became of the predictions: outcomes on each field, and verdicts on the claims."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.kept_effects import EFFECTS, at_least_without_memory
from cortexrnn.evidence.predictions import CLAIMS, PREDICTIONS, Prediction
from cortexrnn.evidence.votes import CANNOT_TELL, LATER_RULES, LEAST_APART, apart, votes
from cortexrnn.fields.inputs import arguments
from cortexrnn.runs.controls import CONDITIONS
from cortexrnn.runs.labels import runs_of

__all__ = ["outcomes", "paired_differences", "sensitivity", "verdicts_of_claims"]


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
        Which of the :data:`~cortexrnn.evidence.votes.LATER_RULES` to follow.

    Returns
    -------
    DataFrame
        One row per claim: ``claim, paper, evidence, reading, against, for, open, cannot tell, not
        run, apart, verdict``: how many predictions say something against the reading or for it, are
        open, cannot tell or are not run, of those that can say anything of it; ``apart``, how many
        of those that speak share no arm. The verdict is ``not asked`` without any of these;
        ``not supported`` where none speaks for it and more than half of those that could speak
        against it do; ``supported`` where none speaks against it and more than half of those that
        could speak for it do; else, and as long as one is not run, ``open``. What cannot tell
        could not speak. Where the reading is
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
        ``fewer than three``, and without all of them, ``no later rule``; ``none added``, without
        predictions that were added when runs of another field were known; ``half as wide`` and
        ``1.5 times as wide``, with other bounds of what counts as same and as lost.
    """
    every = tuple(LATER_RULES)
    ways: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {"as judged": (outcomes, every)}
    for name, left_out in WITHOUT.items():
        ways[name] = (outcomes, tuple(rule for rule in every if rule != left_out))
    ways |= {
        "no later rule": (outcomes, ()),
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
