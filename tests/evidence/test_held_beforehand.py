"""What was decided before the runs: rules and predictions, with the commits that first held them.

Every decision is written out as plain lines, whose digest stands here beside the commit. Whoever
changes a decision has to change a digest, and the history of this file says so. Times are UTC.
"""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from cortexrnn.evidence import equivalence, predictions, published, replication, reproduction
from cortexrnn.evidence.dose_response import predicted_share
from cortexrnn.evidence.predictions import PREDICTIONS, Prediction
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.archive import SCHEMA, load_archive
from cortexrnn.runs.controls import CONDITIONS, DOSES
from cortexrnn.runs.labels import labelled, runs_of

ROOT = Path(__file__).parents[2]


def rules() -> Iterator[str]:
    """What decides whether two means agree."""
    for metric, margin in equivalence.MARGINS.items():
        yield f"margin of {metric}: {margin:.6g}"
    yield f"false discovery rate: {equivalence.FALSE_DISCOVERY_RATE:.6g}"
    yield f"least runs: {equivalence.LEAST_RUNS}"
    yield f"published runs: {equivalence.PUBLISHED_RUNS}"
    yield f"standard deviation of rounding: {published.ROUNDING:.6g}"
    yield f"draws of trials estimated on: {', '.join(replication.DRAW_FIELDS)}"


def explanations() -> Iterator[str]:
    """What it takes to explain a different cell by its draw of trials."""
    yield f"least draws: {replication.LEAST_DRAWS}"


def first_bounds() -> Iterator[str]:
    """Ranges that most predictions share, and the one about an order."""
    yield f"same: {_range(**predictions.SAME)}"
    yield f"lost: {_range(**predictions.LOST)}"
    yield f"largest rank correlation of pull and accuracy: {predictions.ORDERING:.6g}"


def later_bounds() -> Iterator[str]:
    yield f"at least: {_range(**predictions.AT_LEAST)}"


def further_bounds() -> Iterator[str]:
    yield f"gained: {_range(**predictions.GAINED)}"


def dose_response() -> Iterator[str]:
    """Which share of runs learns with that many strong self-connections, by two accounts."""
    for needed in ("one unit", "two units"):
        for task in TASKS:
            shares = [predicted_share(task, count, needed=needed) for count in DOSES]
            yield f"{task}, {needed}: {', '.join(f'{share:.6g}' for share in shares)}"


def differences(commit: str) -> Iterator[str]:
    """What was predicted first in one commit."""
    for one in PREDICTIONS:
        if commit_of(one) == commit:
            yield difference(one)


def readings(*commits: str) -> Iterator[str]:
    """What either outcome of each prediction says of the reading of its claim."""
    for one in PREDICTIONS:
        known = ", ".join(one.known_on) or "no field"
        text = (
            f"{difference(one)}; confirmed {one.if_confirmed}, refuted {one.if_refuted}; "
            f"known on {known}"
        )
        if one.effect is not None:
            text += f"; keeps {' less '.join(one.effect)}"
        if commit_of(one) in commits:
            yield text


def findings(*, further: bool) -> Iterator[str]:
    """Which difference each claim is about; no verdict depends on it."""
    for key, claim in predictions.CLAIMS.items():
        kind = "universal" if claim.universal else "not universal"
        if further == (key == "memory"):
            yield f"{key}: {' less '.join(claim.finding)}, {claim.metric}, {kind}"


def difference(one: Prediction) -> str:
    task = one.task or "all tasks"
    # The commits called the penalty gradient by another name.
    names = f"{one.condition} less {one.against}".replace(" at gradient ", " at pull ")
    return f"{one.claim}: {names}, {one.metric}, {task}, {_range(low=one.low, high=one.high)}"


def _range(*, low: float, high: float) -> str:
    return f"{low:.6g} to {high:.6g}"


FIRST, SECOND, THIRD, LAST = "82799c642467", "0d335e5f2cc5", "060e9ce4e025", "098283e7e321"
FURTHER, NORMS, RELABELLED = "da5aec68145b", "d3dc3449c6dd", "44dd5f70bba3"
FURTHER_GROUPS = {"diagonal", "true_coordinates", "dose", "corrected", "equal_norm"}
# Two of the first ones compared with something else and were replaced within minutes.
IN_SECOND = {"WDC on a matched grid", "W at gradient 0.001"}
IN_THIRD = {"self-connections of W* alone, NeuroGym", "W* shuffled off the diagonal, NeuroGym"}


def commit_of(one: Prediction) -> str:
    """The commit that first held what a prediction says of the difference."""
    if one.known_on:
        return LAST
    groups = {CONDITIONS[name].group for name in (one.condition, one.against)}
    if one.condition == "W* relabelled":
        return RELABELLED
    if "equal_norm" in groups:
        return NORMS
    if FURTHER_GROUPS & groups:
        return FURTHER
    return SECOND if one.condition in IN_SECOND else THIRD if one.condition in IN_THIRD else FIRST


@dataclass(frozen=True)
class Held:
    """Lines that were decided together."""

    lines: Callable[[], Iterator[str]]
    count: int
    commit: str
    time: str
    digest: str


HELD = {
    "rules": Held(rules, 10, "8184d94b51c1", "2026-11-24T21:06:19+00:00", "3357309f4da9c17d"),
    "first bounds": Held(first_bounds, 3, FIRST, "2026-11-25T00:10:09+00:00", "a31a28a712f9f134"),
    "first": Held(
        partial(differences, FIRST), 41, FIRST, "2026-11-25T00:10:09+00:00", "b4af217cdb491c36"
    ),
    "second": Held(
        partial(differences, SECOND), 2, SECOND, "2026-11-25T00:14:47+00:00", "6d44aba1e964b342"
    ),
    "third": Held(
        partial(differences, THIRD), 2, THIRD, "2026-11-25T00:36:19+00:00", "a18d8d23d1d71146"
    ),
    "explanations": Held(
        explanations, 1, "13528c80c50f", "2026-11-25T01:46:36+00:00", "74139303bc1ec35d"
    ),
    "later bounds": Held(later_bounds, 1, LAST, "2026-11-25T04:35:16+00:00", "3dd86b6e226b7b6e"),
    "later": Held(
        partial(differences, LAST), 6, LAST, "2026-11-25T04:35:16+00:00", "fb5d9e6ba75f5648"
    ),
    # The next two came when runs of 5_3_4 were known, the last one when all fields were.
    "readings": Held(
        partial(readings, FIRST, SECOND, THIRD, LAST),
        51,
        LAST,
        "2026-11-25T04:35:16+00:00",
        "9b42a85271c07fc5",
    ),
    "findings": Held(
        partial(findings, further=False),
        7,
        "b019551d688d",
        "2026-11-26T18:17:04+00:00",
        "c04090f6aed1673e",
    ),
    "further bounds": Held(
        further_bounds, 1, FURTHER, "2026-11-27T22:23:17+00:00", "f8990f7c8488adfb"
    ),
    "further": Held(
        partial(differences, FURTHER), 21, FURTHER, "2026-11-27T22:23:17+00:00", "007aa4476802e2ed"
    ),
    "further readings": Held(
        partial(readings, FURTHER),
        21,
        FURTHER,
        "2026-11-27T22:23:17+00:00",
        "53133efc0bc3059c",
    ),
    "further findings": Held(
        partial(findings, further=True), 1, FURTHER, "2026-11-27T22:23:17+00:00", "18f10a1584acbd77"
    ),
    "dose-response": Held(
        dose_response, 6, FURTHER, "2026-11-27T22:23:17+00:00", "e86a3c9fd3e83cf9"
    ),
    "at equal norm": Held(
        partial(differences, NORMS), 10, NORMS, "2026-11-28T00:24:05+00:00", "e96fd77760233377"
    ),
    "readings at equal norm": Held(
        partial(readings, NORMS), 10, NORMS, "2026-11-28T00:24:05+00:00", "26aabe2f27588a5c"
    ),
    "relabelled": Held(
        partial(readings, RELABELLED),
        1,
        RELABELLED,
        "2026-11-28T02:24:41+00:00",
        "c14e691149eef851",
    ),
}
each = pytest.mark.parametrize("name", HELD)


@each
def test_what_was_decided_is_what_stands_in_the_code(name: str) -> None:
    held = HELD[name]
    lines = list(held.lines())
    assert len(lines) == len(set(lines)) == held.count
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest[:16] == held.digest, f"{name} is no longer what commit {held.commit} held"


@each
def test_the_commit_that_held_it_is_of_that_time(name: str) -> None:
    held = HELD[name]
    show = ["git", "show", "-s", "--format=%cI", held.commit]
    answer = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("the history of the repository is not here")
    assert answer.stdout.strip() == held.time


def test_every_prediction_has_its_commit() -> None:
    assert {one.condition for one in PREDICTIONS} >= IN_SECOND | IN_THIRD
    times = {held.commit: held.time for held in HELD.values()}
    dates = [times[commit_of(one)] for one in PREDICTIONS]
    assert len(dates) == 83
    assert max(dates[:45]) < min(dates[45:51]), "later ones stand after all first ones"
    assert max(dates[45:51]) < min(dates[51:72]), "further ones stand after all later ones"
    assert max(dates[51:72]) < min(dates[72:82]) <= max(dates[72:82]) < dates[82]


@pytest.fixture(scope="module")
def archive() -> pd.DataFrame:
    """Recorded runs, with the time when each was first begun; some were trained again since."""
    every = pd.concat([load_archive()[SCHEMA.names], reproduction.load_again()], ignore_index=True)
    runs = labelled(reproduction.earliest(every))
    finished = pd.to_datetime(runs["finished"], utc=True)
    return runs.assign(begun=finished - pd.to_timedelta(runs["seconds"], unit="s"))


@pytest.mark.parametrize("field", ["5_3_4", "5_6_8", "6_6_2"])
def test_predictions_are_older_than_the_runs_of_their_controls(
    archive: pd.DataFrame, field: str
) -> None:
    times = {held.commit: pd.Timestamp(held.time) for held in HELD.values()}
    judged = [one for one in PREDICTIONS if one.asked_on(field)]
    assert judged
    begun = {}
    for name in {name for one in judged for name in (one.condition, one.against)}:
        if CONDITIONS[name].group != "published":  # those had been run before, and are no news
            begun[name] = runs_of(archive, CONDITIONS[name], field=field)["begun"].min()
    for one in judged:
        own = {name for name in (one.condition, one.against) if name in begun}
        assert own, f"{difference(one)} is about published variants alone"
        if commit_of(one) in (FURTHER, NORMS):  # some are compared with controls that were known
            own = {name for name in own if CONDITIONS[name].group in FURTHER_GROUPS}
        if commit_of(one) == RELABELLED:
            own = {one.condition}
        times_begun = [begun[name] for name in own if not pd.isna(begun[name])]
        assert all(time > times[commit_of(one)] for time in times_begun), difference(one)


def test_the_rules_are_older_than_all_runs_but_those_that_they_name(archive: pd.DataFrame) -> None:
    before = archive[archive["begun"] < pd.Timestamp(HELD["rules"].time)]
    seeds = before.groupby(["field", "arm", "data_seed"])["seed"].agg(set).to_dict()
    assert seeds == {("6_6_2", "corr", 0): {0}, ("5_3_4", "corr", 0): {0, 1, 2, 3, 4}}
    text = " ".join((ROOT / "book/rules.md").read_text(encoding="utf-8").split())
    assert "one seed of field 6_6_2 and five of 5_3_4 had been recorded" in text
