"""What became of the predictions, from bounds and rows to verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import pandas as pd

from cortexrnn.runs.controls import CONDITIONS

from . import rows, statistics

Pair = tuple[str, str]
SAME = {"accuracy": 0.1, "modularity": 0.15}
SPOKEN = ("against", "for")


@dataclass(frozen=True)
class Expected:
    """A prediction as plain data: what was written, with the effect that it is about."""

    claim: str
    condition: str
    against: str
    low: float
    high: float
    metric: str
    task: str | None
    if_confirmed: str
    if_refuted: str
    known_on: tuple[str, ...]
    withdrawn: bool
    effect: Pair | None
    """The effect that the prediction names itself."""
    about: Pair | None
    """That, or the one that was named later."""


def asked(prediction: Expected, field: str) -> bool:
    """Whether the design runs both conditions on a field and their runs were not known."""
    both = (CONDITIONS[prediction.condition], CONDITIONS[prediction.against])
    return field not in prediction.known_on and all(is_planned(one.name, field) for one in both)


def is_planned(name: str, field: str) -> bool:
    """On the paper's field the deciding and the published alone; elsewhere all with a strength."""
    control = CONDITIONS[name]
    if field == "6_6_2" and not (control.deciding or control.group == "published"):
        return False
    return not control.strengths or field in dict(control.strengths)


def paired(
    cells: rows.Cells, pair: Pair, field: str, *, metric: str, task: str | None
) -> tuple[np.ndarray, bool]:
    """Differences by seed, averaged over tasks, and whether every task of both was run."""
    sides, complete = [], True
    for name in pair:
        mine = rows.condition(cells, name, field)
        wanted = {task} if task else {one for one, _ in CONDITIONS[name].tasks}
        complete &= wanted <= set(mine["task"])
        sides.append(rows.by_seed_and_task(mine[mine["task"].isin(wanted)], metric))
    tasks = sides[0].columns.intersection(sides[1].columns)
    less = (sides[0][tasks] - sides[1][tasks]).dropna()
    return less.mean(axis=1).to_numpy() if len(tasks) else np.empty(0), complete


def with_chance(runs: pd.DataFrame) -> pd.DataFrame:
    """Give diverged runs on the paper's tasks the accuracy that needs no memory."""
    level = runs["task"].map(rows.GUESS)
    lost = runs["diverged"].astype(bool) & level.notna()
    return runs.assign(
        accuracy=runs["accuracy"].where(~lost, level), diverged=runs["diverged"] & ~lost
    )


def outcomes(
    runs: pd.DataFrame, predictions: Sequence[Expected], fields: Sequence[str] = rows.FIELDS
) -> pd.DataFrame:
    """Judge every prediction on every field on which it is asked."""
    cells, filled = rows.by_condition(runs), rows.by_condition(with_chance(runs))
    found = [
        {"index": index, "field": field, **judged(cells, filled, prediction, field)}
        for index, prediction in enumerate(predictions)
        for field in fields
        if asked(prediction, field)
    ]
    return pd.DataFrame(found)


def judged(
    cells: rows.Cells, filled: rows.Cells, prediction: Expected, field: str
) -> dict[str, object]:
    """Judge one prediction on one field."""
    pair = (prediction.condition, prediction.against)
    values, complete = paired(cells, pair, field, metric=prediction.metric, task=prediction.task)
    mean, low, high = statistics.t_interval(values)
    outcome = compared(low, high, prediction.low, prediction.high) if complete else "not run"
    effect_low, state = _effect(filled, prediction, field)
    return {
        **{"pairs": len(values), "difference": mean, "low": low, "high": high},
        **{"judged": outcome, "outcome": "withdrawn" if prediction.withdrawn else outcome},
        **{"zero": "above" if low > 0 else "below" if high < 0 else "inside"},
        **{"effect_low": effect_low, "effect_state": state},
    }


def compared(low: float, high: float, least: float, most: float) -> str:
    """Compare an interval with bounds; a bound of 1 or -1 excludes nothing."""
    if math.isnan(low) or math.isnan(high):
        return "open"
    least = -math.inf if least == -1 else least
    most = math.inf if most == 1 else most
    if least <= low and high <= most:
        return "confirmed"
    return "refuted" if high < least or low > most else "open"


def _effect(filled: rows.Cells, prediction: Expected, field: str) -> tuple[float, str]:
    """Lower end of the effect that a prediction is about, and whether it is or will be known."""
    if prediction.about is None:
        return math.nan, "none"
    values, complete = paired(
        filled, prediction.about, field, metric=prediction.metric, task=prediction.task
    )
    planned = all(is_planned(name, field) for name in prediction.about)
    state = "known" if complete else "not run" if planned else "never"
    return (statistics.t_interval(values)[1] if complete else math.nan), state


@dataclass(frozen=True)
class Choices:
    """What was chosen about the predictions, apart from themselves."""

    effects: str = "all"
    """Which count: ``all``, ``own`` (those that a prediction names itself)."""
    pairs_once: bool = True
    three_apart: bool = True
    factor: float = 1.0
    """By which bounds are widened, but for 1 and -1."""
    without_withdrawn: bool = True


def says(
    table: pd.DataFrame, predictions: Sequence[Expected], choices: Choices = Choices()
) -> list[str]:
    """Say what every outcome means for the reading of its claim."""
    return [_means(row, predictions[row.index], choices) for row in _records(table)]


@dataclass(frozen=True)
class Row:
    """One row of outcomes."""

    index: int
    judged: str
    outcome: str
    low: float
    high: float
    effect_low: float
    effect_state: str


def _records(table: pd.DataFrame) -> list[Row]:
    names = ["index", "judged", "outcome", "low", "high", "effect_low", "effect_state"]
    return [Row(**one) for one in table[names].to_dict("records")]


def _means(row: Row, prediction: Expected, choices: Choices) -> str:
    """Say what one outcome means."""
    found = row.outcome if choices.without_withdrawn else row.judged
    if found in ("not run", "withdrawn"):
        return found
    if choices.factor != 1:
        least, most = (
            bound if abs(bound) == 1 else choices.factor * bound
            for bound in (prediction.low, prediction.high)
        )
        found = compared(row.low, row.high, least, most)
    named = prediction.about if choices.effects == "all" else prediction.effect
    if named and row.effect_state == "not run":
        return "not run"
    if named and not row.effect_low > choices.factor * SAME[prediction.metric]:
        return "cannot tell"
    if found == "open":
        return found
    return prediction.if_confirmed if found == "confirmed" else prediction.if_refuted


def verdicts(
    table: pd.DataFrame,
    predictions: Sequence[Expected],
    universal: Mapping[str, bool],
    choices: Choices = Choices(),
) -> dict[str, dict[str, object]]:
    """Sum up outcomes claim by claim."""
    asked_of = table.assign(says=says(table, predictions, choices))
    for name in ("claim", "condition", "against", "if_confirmed", "if_refuted", "metric", "task"):
        asked_of[name] = [getattr(predictions[index], name) for index in table["index"]]
    bears = asked_of[["if_confirmed", "if_refuted"]].isin(SPOKEN).any(axis=1)
    asked_of = asked_of[bears & (asked_of["says"] != "withdrawn")]
    if choices.pairs_once:
        asked_of = asked_of.drop_duplicates(
            ["claim", "field", "condition", "against", "metric", "task"]
        )
    return {
        claim: _verdict(asked_of[asked_of["claim"] == claim], universal[claim], choices)
        for claim in universal
    }


COUNTED = ("against", "for", "open", "cannot tell", "not run")


def _verdict(asked_of: pd.DataFrame, universal: bool, choices: Choices) -> dict[str, object]:
    """Count what was said of one claim, and sum it up."""
    count = {what: int((asked_of["says"] == what).sum()) for what in COUNTED}
    can_tell = asked_of[asked_of["says"] != "cannot tell"]
    could = {
        side: int((can_tell[["if_confirmed", "if_refuted"]] == side).any(axis=1).sum())
        for side in SPOKEN
    }
    spoken = asked_of[asked_of["says"].isin(SPOKEN)]
    if not len(asked_of):
        verdict = "not asked"
    elif count["not run"]:
        verdict = "open"
    elif universal:
        verdict = "not supported" if count["against"] else "open"
        if count["for"] == len(asked_of):
            verdict = "supported"
    elif not count["for"] and count["against"] > could["against"] / 2:
        verdict = "not supported"
    elif not count["against"] and count["for"] > could["for"] / 2:
        verdict = "supported"
    else:
        verdict = "open"
    side = {"not supported": "against", "supported": "for"}.get(verdict)
    if side and choices.three_apart and apart(spoken[spoken["says"] == side]) < 3:
        verdict = f"fact {side}"
    return {**count, "apart": apart(spoken), "verdict": verdict}


def apart(votes: pd.DataFrame) -> int:
    """Size of the largest set of predictions that share no arm."""
    graph = nx.Graph()
    graph.add_edges_from(zip(votes["condition"], votes["against"], strict=True))
    return len(nx.max_weight_matching(graph, maxcardinality=True))


FIRST = 51
"""Predictions that were judged before the rules of :class:`Choices` were added."""
STATED = Choices(effects="own", pairs_once=False, three_apart=False)


def steps(
    table: pd.DataFrame, predictions: Sequence[Expected], universal: Mapping[str, bool]
) -> dict[str, dict[str, object]]:
    """Give every claim's verdict after each change, in the order of the changes."""
    first = table[table["index"] < FIRST]
    changes: list[tuple[str, pd.DataFrame, Choices]] = [
        ("as first stated", first, replace(STATED, without_withdrawn=False)),
        ("one withdrawn", first, STATED),
        ("effects", first, replace(STATED, effects="all")),
        ("pairs once", first, Choices(three_apart=False)),
        ("three apart", first, Choices()),
        ("further predictions", table, Choices()),
    ]
    found = {
        name: verdicts(part, predictions, universal, choices) for name, part, choices in changes
    }
    return {claim: {name: found[name][claim]["verdict"] for name in found} for claim in universal}


def sensitivity(
    table: pd.DataFrame, predictions: Sequence[Expected], universal: Mapping[str, bool]
) -> dict[str, dict[str, object]]:
    """Give every claim's verdict under other choices."""
    early = table[[not predictions[index].known_on for index in table["index"]]]
    changes = {
        "as judged": (table, Choices()),
        "effects of any size": (table, Choices(effects="own")),
        "pairs twice": (table, Choices(pairs_once=False)),
        "fewer than three": (table, Choices(three_apart=False)),
        "no later rule": (table, STATED),
        "none added": (early, Choices()),
        "half as wide": (table, Choices(factor=0.5)),
        "1.5 times as wide": (table, Choices(factor=1.5)),
    }
    found = {
        name: verdicts(part, predictions, universal, choices)
        for name, (part, choices) in changes.items()
    }
    return {claim: {name: found[name][claim]["verdict"] for name in found} for claim in universal}
