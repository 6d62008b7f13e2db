"""Whether conclusions about priors depend on how penalties are matched in strength.

Variants are compared as published, where their penalties differ by orders of magnitude; at equal
mean gradient of the penalty at the start; and at strengths at which training leaves the same share
of the L1 norm of the weights between units. Equal gradients at the start fix neither how a penalty
is spread over weights nor its size beside the gradient of the task; equal norms match what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexrnn.evidence.control_tables import ADDED
from cortexrnn.evidence.headline_effects import FUNCTION, MEAN, Pair, differences_by_seed
from cortexrnn.evidence.intervals import with_interval
from cortexrnn.evidence.judgement import DIFFERENCE
from cortexrnn.evidence.seed_clusters import simultaneous_intervals
from cortexrnn.evidence.true_coordinates import contrasts
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import (
    AT_GRADIENT,
    CONDITIONS,
    NORM_SHARES,
    STRONG_GRADIENT,
    WEAK_GRADIENT,
)
from cortexrnn.runs.labels import runs_of

__all__ = ["AS_PUBLISHED", "EFFECTS", "MATCHES", "as_text", "by_match", "in_words", "waiting"]

EFFECTS: dict[str, Pair] = {
    "D* for D, with C": ADDED["D* for D, with C"],
    "C, with D*": ADDED["C, with D*"],
    "C, with D": ADDED["C, with D"],
    "D* and C, for neither": ("WD*C", "W"),
    "W*, under D*": FUNCTION["W*, under D*"],
}
"""What is compared: two variants, the first less the second."""
AS_PUBLISHED = "as published"
"""The comparison at the strengths of the paper."""
GRADIENTS = {f"gradient {value:g}": value for value in (STRONG_GRADIENT, WEAK_GRADIENT)}
"""Mean gradient of the penalty at the start, by name of the match."""
NORMS = {f"norm {share:g}": share for share in NORM_SHARES}
"""Share of the norm of weights that is left, by name of the match."""
MATCHES = (AS_PUBLISHED, *GRADIENTS, *NORMS)
"""How strong the two penalties of a comparison are."""
CHANGE = ["change", "change_low", "change_high"]
"""Columns of the difference at a match less the published one, and the ends of its interval."""
LEVELS = ["first", "second"]
"""Columns of the mean accuracy of either condition."""
KEY = ["effect", "field", "task"]
"""Columns that name an effect in the tables of :mod:`headline_effects`."""
OTHER = ("reversed", "gone", "new", "smaller", "larger")
"""Conclusions that differ from the published comparison, the gravest first."""


def _matched(pair: Pair, match: str) -> Pair:
    """Name the two conditions of a comparison at a match."""
    if match in GRADIENTS:
        one, two = (AT_GRADIENT[base, GRADIENTS[match]].name for base in pair)
    elif match in NORMS:
        one, two = (f"{base} at norm {NORMS[match]:g}" for base in pair)
    else:
        one, two = pair
    return one, two


PAIRS = {(name, m): _matched(pair, m) for name, pair in EFFECTS.items() for m in MATCHES}
"""The two conditions of every effect and match."""


def by_match(
    runs: pd.DataFrame, *, fields: Sequence[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Measure effects in accuracy as published, at equal gradient and at equal norm.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    rng : numpy.random.Generator
        Source of what the intervals need, see
        :func:`~cortexrnn.evidence.seed_clusters.simultaneous_intervals`.

    Returns
    -------
    DataFrame
        One row per effect, match, field, and ``mean`` or task: ``effect, match, field, task, seeds,
        difference, difference_low, difference_high, status`` as
        :func:`cortexrnn.evidence.true_coordinates.contrasts` gives them; ``first, second``, the
        mean accuracy of either condition, since a difference may be small where both learn, or
        neither; ``change, change_low, change_high``, the difference at the match less the published
        one, paired by seed; and ``conclusion``. All intervals of differences together hold with
        95 %, and so do all of changes. The ``conclusion`` is ``"the same"`` where both intervals
        lie on the same side of zero, or both hold it, and ``"smaller"`` or ``"larger"`` where on
        that side the change is told from zero as well. Where they lie otherwise it is ``"gone"``,
        ``"new"`` or ``"reversed"`` if the change is told from zero, else ``"cannot tell"``. It is
        empty as published, and where there are no runs.
    """
    fields = arguments.names("fields", fields)
    chosen = runs[runs["label"].isin({name for pair in PAIRS.values() for name in pair})]
    named = {f"{effect}, {match}": (effect, match) for effect, match in PAIRS}
    effects = {name: PAIRS[key] for name, key in named.items()}
    table = contrasts(chosen, fields=fields, effects=effects, rng=rng)
    keys = pd.DataFrame(table["effect"].map(named).tolist(), columns=["effect", "match"])
    table = table.assign(effect=keys["effect"], match=keys["match"])
    table = table.merge(_changes(chosen, fields, rng), how="left", on=["match", *KEY])
    table[CHANGE] = table[CHANGE].astype(float)  # of a table without changes they have no type
    published = table[table["match"] == AS_PUBLISHED].set_index(KEY)[DIFFERENCE]
    before = published.loc[pd.MultiIndex.from_frame(table[KEY])].to_numpy()
    table["conclusion"] = [
        _conclusion(tuple(old), tuple(now), tuple(change)) if match != AS_PUBLISHED else ""
        for match, old, now, change in zip(
            table["match"], before[:, 1:], table[DIFFERENCE[1:]].to_numpy(),
            table[CHANGE[1:]].to_numpy(), strict=True,
        )
    ]  # fmt: skip
    levels = _levels(chosen, fields)
    cells = table[["effect", "match", "field", "task"]].to_numpy()
    for column, place in zip(LEVELS, (0, 1), strict=True):
        table[column] = [
            levels.get((PAIRS[effect, match][place], *where), np.nan)
            for effect, match, *where in cells
        ]
    columns = ["effect", "match", "field", "task", "seeds", *LEVELS, *DIFFERENCE]
    return table[[*columns, *CHANGE, "conclusion", "status"]]


def _levels(runs: pd.DataFrame, fields: Sequence[str]) -> dict[tuple[str, str, str], float]:
    """Mean accuracy by condition, field, and task or ``mean``."""
    levels: dict[tuple[str, str, str], float] = {}
    for name in dict.fromkeys(name for pair in PAIRS.values() for name in pair):
        for field in fields:
            own = runs_of(runs, CONDITIONS[name], field=field).groupby("task")["accuracy"].mean()
            if set(TASKS) <= set(own.index):
                levels |= {(name, field, str(task)): value for task, value in own.items()}
                levels[name, field, MEAN] = float(own[list(TASKS)].mean())
    return levels


def _changes(runs: pd.DataFrame, fields: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Subtract published differences from matched ones, seed by seed, with intervals."""
    by_seed = {key: differences_by_seed(runs, pair, fields=fields) for key, pair in PAIRS.items()}
    changes = {
        (effect, match): by_seed[effect, match] - by_seed[effect, AS_PUBLISHED]
        for effect, match in PAIRS
        if match != AS_PUBLISHED and not by_seed[effect, match].empty
    }
    if not changes:
        return pd.DataFrame(columns=["match", *KEY, *CHANGE])
    together = pd.concat(changes, axis=1, names=["effect", "match"]).dropna(axis=1, how="all")
    table = simultaneous_intervals(together, rng=rng).reset_index()
    renamed = table.rename(columns=dict(zip(DIFFERENCE, CHANGE, strict=True)))
    return renamed[["match", *KEY, *CHANGE]]


Ends = tuple[float, float]


def _side(ends: Ends) -> int:
    """Side of zero on which an interval lies; zero where it holds zero."""
    low, high = ends
    return 1 if low > 0 else -1 if high < 0 else 0


def _conclusion(before: Ends, now: Ends, change: Ends) -> str:
    """Compare what two intervals say, and ask of the change whether it is told from zero."""
    if np.isnan([*before, *now, *change]).any():
        return ""
    old, new, moved = _side(before), _side(now), _side(change)
    if old == new:
        return "the same" if not old or not moved else "larger" if moved == old else "smaller"
    if not moved:
        return "cannot tell"
    return "new" if not old else "gone" if not new else "reversed"


def as_text(table: pd.DataFrame, *, task: str = MEAN, digits: int = 2) -> pd.DataFrame:
    """Write effects for a page: one row per effect and match, one column per field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`by_match`.
    task : str
        A task, or ``"mean"``.
    digits : int
        Digits after the point.

    Returns
    -------
    DataFrame, shape (effects x matches, fields)
        Such as ``"0.93 less 0.86: 0.07 [-0.01, 0.15], gone"``; or why there is no difference.
    """
    chosen = table[table["task"] == task]
    written = [_written(row, digits) for row in chosen.to_dict("records")]
    wide = chosen.assign(text=written).pivot_table(
        "text", ["effect", "match"], "field", aggfunc="first", sort=False
    )
    return wide.rename_axis(columns=None)


def _written(row: dict[str, Any], digits: int) -> str:
    """Write one row of :func:`as_text`."""
    if not row["seeds"]:
        return str(row["status"])
    one, two = (f"{row[name]:.{digits}f}" for name in LEVELS)
    difference = with_interval(*(row[name] for name in DIFFERENCE), digits=digits)
    conclusion = f", {row['conclusion']}" if row["conclusion"] else ""
    return f"{one} less {two}: {difference}{conclusion}"


def in_words(table: pd.DataFrame, *, task: str = MEAN) -> str:
    """Say where conclusions differ from those of the published comparison.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`by_match`.
    task : str
        A task, or ``"mean"``.

    Returns
    -------
    str
        Such as ``"D* for D, with C: gone at gradient 0.17 on 5_3_4, 5_6_8; smaller at norm 0.5 on
        5_3_4. C, with D: ..."``; ``"none"`` without any, ``"not run yet"`` without runs.
    """
    chosen = table[(table["task"] == task) & (table["conclusion"] != "")]
    if chosen.empty:
        return "not run yet"
    texts = []
    for effect, rows in chosen.groupby("effect", sort=False):
        cells = rows.groupby(["conclusion", "match"], sort=False)["field"].agg(", ".join)
        parts = [
            f"{conclusion} at {match} on {cells[conclusion, match]}"
            for conclusion in OTHER
            for match in MATCHES
            if (conclusion, match) in cells.index
        ]
        texts += [f"{effect}: {'; '.join(parts)}"] if parts else []
    return ". ".join(texts) or "none"


def waiting(table: pd.DataFrame) -> str:
    """Say which matches have no runs yet.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`by_match`.

    Returns
    -------
    str
        Such as ``"norm 0.5 on 5_3_4; norm 0.8 on 5_3_4"``, or ``"none"``. Matches that the design
        does not ask for on a field are left out.
    """
    missing = table[table["status"] == "not run yet"]
    on = missing.groupby("match", sort=False)["field"].agg(
        lambda names: ", ".join(dict.fromkeys(names))
    )
    return "; ".join(f"{match} on {fields}" for match, fields in on.items()) or "none"
