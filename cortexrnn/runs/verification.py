"""Verification: recorded runs are trained again from their specification and compared.

Where numerics, libraries, products and kind of machine are those of the recorded run, training
reproduces every bit. Elsewhere rounding differs and training amplifies it, so that a tolerance is
needed (:data:`TOLERANCES`). Where a number is outside its tolerance, the run is trained a few times
more, with a learning rate that differs by as little as rounding does. The stored number must then
be no further from the results of these trainings than its tolerance, or than they are apart.

On another kind of machine this cannot detect a number that was altered by less than its tolerance,
if everything that depends on it was altered too, see :mod:`cortexrnn.runs.consistency`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.fields.sources.published import FIELDS, is_available
from cortexrnn.networks.device import THREADED_FROM, resolve_device
from cortexrnn.networks.neurogym import GymTask
from cortexrnn.networks.products import Library, recorded_library
from cortexrnn.networks.specification import RunSpec, UnregisteredError, random_stream, task_of
from cortexrnn.runs.archive import METRICS
from cortexrnn.runs.consistency import RESULTS, check_row, same, wrong_columns
from cortexrnn.runs.engine import choose
from cortexrnn.runs.experiment import run_shard

__all__ = [
    "COMPARED",
    "DRAWS",
    "HEADING",
    "TOLERANCES",
    "VERDICTS",
    "Verified",
    "chosen_runs",
    "deviations",
    "left_out",
    "one_of_each_cell",
    "sampled_runs",
    "verify",
]

EQUAL, CLOSE, AMONG, DIFFERS = "equal", "close", "among draws", "DIFFERS"
VERDICTS = {
    EQUAL: "every stored number was reproduced to the last bit",
    CLOSE: "every number is within its tolerance; equal bits were not expected",
    AMONG: "outside a tolerance, but among the results of trainings that differ in rounding alone",
    DIFFERS: "the row is not what training gives, or contradicts itself",
}
"""Verdicts on a row; all but the last count as agreement."""

TOLERANCES = {
    "accuracy": 0.005,
    "loss": 0.02,
    "validation_accuracy": 0.005,
    "validation_loss": 0.02,
    "entropy": 0.1,
    "modularity": 0.03,
    "small_worldness": 0.1,
    "assortativity": 0.06,
    "early_accuracy": 0.005,
    "early_loss": 0.001,
}
"""How far a stored number may be from one that was trained again with other rounding.

From sixty recorded runs of three fields that were trained again by numerics 5: about nineteen in
twenty keep to each. Entropy has a longer tail and is held more tightly. Pairs that were made since
did not loosen them: what share keeps to each is computed in
:func:`cortexrnn.evidence.reproduction.differences`. Losses are compared by their ratio where the
stored one is above 1. ``early`` is the end of the first epoch, when little was amplified.
"""
COMPARED = tuple(TOLERANCES)
"""What is compared of a run that was trained again."""
RELATIVE = ("loss", "validation_loss", "early_loss")
DRAWS = 9
"""Number of additional trainings of a run that is outside a tolerance."""
STEP = 1e-6
"""Relative difference of their learning rates: eight roundings of a 32-bit number."""
SHORTEST = 8
"""Digits of an identity that are enough to name a run."""
CELL = ["field", "arm", "protocol", "variant", "task", "settings"]
"""Runs that agree in these differ in nothing but their seed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verified:
    """A recorded run, the same run trained again, and whether the two agree.

    Parameters
    ----------
    stored : mapping
        The row of the archive.
    again : mapping or None
        The row of the same run trained here; None where it could not be trained.
    verdict : str
        Key of :data:`VERDICTS`.
    reasons : tuple of str
        Why, in words.
    draws : int
        How many trainings it took.
    """

    stored: Mapping[str, Any]
    again: Mapping[str, Any] | None
    verdict: str
    reasons: tuple[str, ...]
    draws: int

    @property
    def agrees(self) -> bool:
        """Whether the stored row is what training gives."""
        return self.verdict != DIFFERS

    @property
    def title(self) -> str:
        """Which run it is, for a person."""
        row = self.stored
        named = f"{row['field']}, {row['arm']}, {row['variant']}, {row['task']}, seed {row['seed']}"
        if row["protocol"] != "published":
            named += f", protocol {row['protocol']}"
        if row.get("settings"):
            named += f", {row['settings']}"
        return f"{row['identity'][:12]} {named}"

    @property
    def differences(self) -> dict[str, float]:
        """Trained again less stored, of everything in :data:`COMPARED`; NaN where one is absent."""
        if self.again is None:
            return dict.fromkeys(COMPARED, math.nan)
        return {
            name: (_value(self.again, name) - _value(self.stored, name))
            / _unit(name, _value(self.stored, name))
            for name in COMPARED
        }

    @property
    def lines(self) -> list[str]:
        """The stored row, the row trained again and the verdict, under :data:`HEADING`."""
        values = [f"  {'stored':8}{_figures(self.stored)}"]
        if self.again is not None:
            values.append(f"  {'again':8}{_figures(self.again)}")
        outcome = f"{self.verdict}, {self.draws} trainings" if self.draws > 1 else self.verdict
        return [self.title, *values, f"  {outcome}: {'; '.join(self.reasons)}"]


HEADING = " " * 10 + "".join(
    f"{name:>9}"
    for name in (
        "accuracy", "loss", "val.acc", "val.loss", "entropy", "modular.", "small-w.", "assort."
    )
)  # fmt: skip
"""Names of the numbers in :attr:`Verified.lines`."""


def _figures(row: Mapping[str, Any]) -> str:
    """Write the metrics of a run in columns."""
    values = (float(row[name]) for name in METRICS)
    return "".join(f"{v:9.4f}" if abs(v) < 1000 else f"{v:9.2g}" for v in values)


# --- which runs


def left_out(runs: pd.DataFrame, *, directory: str | Path | None = None) -> pd.Series:
    """Say which runs cannot be trained here, and why.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    directory : str or Path, optional
        Where to look for a published field.

    Returns
    -------
    Series of str
        The reason with its remedy, by the index of `runs`; empty for runs that can be trained.
    """
    fields = {name: _field_reason(str(name), directory) for name in runs["field"].unique()}
    of_fields = [fields[name] for name in runs["field"]]
    known: dict[tuple[str, bool], str] = {}
    reasons = []
    for reason, row in zip(of_fields, runs.to_dict("records"), strict=True):
        is_custom = '"custom_tasks"' in row["specification"] or '"penalty"' in row["specification"]
        key = (row["identity"] if is_custom else row["task"], "first_task" in row["specification"])
        if not reason and key not in known:
            known[key] = _task_reason({str(k): v for k, v in row.items()})
        reasons.append(reason or known[key])
    return pd.Series(reasons, index=runs.index, dtype=object)


def _field_reason(name: str, directory: str | Path | None) -> str:
    """Say why a field is not on this machine; nothing is downloaded."""
    if name in set(FIELDS["field"]) and directory is None:
        if is_available(name):
            return ""
        return (
            f"field {name} is not on this machine; run `cortexrnn fetch {name}`, or set "
            "CORTEXRNN_DATA to a mirror that holds it"
        )
    try:
        _loaded(name, directory)
    except (FieldError, OSError) as error:
        return str(error)
    return ""


def _loaded(name: str, directory: str | Path | None) -> Field:
    """Load a field; a directory is only for a published one."""
    return load_field(name, directory=directory if name in set(FIELDS["field"]) else None)


def _task_reason(row: Mapping[str, Any]) -> str:
    """Say why the trials of a run cannot be drawn here, or what it needs that is not registered."""
    try:
        spec = RunSpec.from_specification(row)
    except UnregisteredError as error:
        return str(error)
    except ValueError:
        return ""  # damaged: a finding about the row, and no reason to leave it out
    tasks = [task_of(spec)]
    if spec.first_task is not None:
        first = replace(spec, task=spec.first_task, first_task=None, task_settings=())
        tasks.append(task_of(first))
    if any(isinstance(task, GymTask) for task in tasks) and find_spec("neurogym") is None:
        return "its task is drawn by NeuroGym, which is missing here; pip install -e '.[tasks]'"
    return ""


def chosen_runs(runs: pd.DataFrame, identities: Iterable[str]) -> pd.DataFrame:
    """Find runs by their identities.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    identities : iterable of str
        Identities, or their first digits, at least eight.

    Returns
    -------
    DataFrame
        Every row of these runs.

    Raises
    ------
    ValueError
        If there is no such run, or several identities begin with these digits.
    """
    chosen = []
    for digits in identities:
        matching = [one for one in runs["identity"].unique() if one.startswith(digits)]
        if len(digits) < SHORTEST or not matching:
            raise ValueError(
                f"no run {digits!r} here; give an identity from the column identity, or at least "
                f"its first {SHORTEST} digits"
            )
        if len(matching) > 1:
            raise ValueError(f"{digits!r} begins {len(matching)} identities; give more digits")
        chosen.append(matching[0])
    return _rows_of(runs, chosen)


def sampled_runs(runs: pd.DataFrame, n: int, *, seed: int) -> pd.DataFrame:
    """Draw runs at random, each as likely as any other.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    n : int
        How many.
    seed : int
        Equal seeds give equal runs, whatever the order of `runs`.

    Returns
    -------
    DataFrame
        Every row of these runs.

    Raises
    ------
    ValueError
        If there are fewer.
    """
    known = sorted(runs["identity"].unique())
    if n > len(known):
        raise ValueError(f"{n} runs were asked for, but {len(known)} can be trained; ask for fewer")
    rng = random_stream(seed, "verification")
    return _rows_of(runs, [known[i] for i in rng.choice(len(known), size=n, replace=False)])


def one_of_each_cell(runs: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Draw one run of every cell: field, arm, protocol, variant, task and settings.

    Parameters
    ----------
    runs : DataFrame
        Runs with the columns that :func:`~cortexrnn.runs.archive.load_archive` adds.
    seed : int
        Which run of a cell.

    Returns
    -------
    DataFrame
        Every row of these runs.
    """
    rng = random_stream(seed, "verification")
    cells = [sorted(set(cell["identity"])) for _, cell in runs.groupby(CELL)]
    return _rows_of(runs, [cell[rng.integers(len(cell))] for cell in cells])


def _rows_of(runs: pd.DataFrame, identities: Sequence[str]) -> pd.DataFrame:
    """Rows of some runs, in the order of these."""
    place = {identity: i for i, identity in enumerate(identities)}
    rows = runs[runs["identity"].isin(place)]
    return rows.iloc[np.argsort(rows["identity"].map(place).to_numpy(), kind="stable")]


# --- training


def verify(
    runs: pd.DataFrame,
    *,
    directory: str | Path | None = None,
    workers: int | None = 1,
    device: str = "auto",
    tolerances: Mapping[str, float] = TOLERANCES,
    draws: int = DRAWS,
) -> Iterator[Verified]:
    """Train recorded runs again and compare.

    Parameters
    ----------
    runs : DataFrame
        Rows of the archive; a run with several rows is trained once.
    directory : str or Path, optional
        Where to look for a published field.
    workers : int, optional
        Processes of one thread each; None for one per core.
    device : str
        See :func:`cortexrnn.networks.device.resolve_device`.
    tolerances : mapping of str to float
        By the names of :data:`COMPARED`.
    draws : int
        Number of additional trainings of a run that is outside a tolerance.

    Yields
    ------
    Verified
        One for each row, in the order in which they are finished.

    Raises
    ------
    ~cortexrnn.runs.engine.EngineError
        If workers or memory gave out.
    FieldError
        If a field cannot be loaded.
    ValueError
        If a task is drawn by NeuroGym and that is not installed, or a task or penalty of one's own
        is not registered.
    """
    for name, of_field in runs.groupby("field", sort=False):
        field = _loaded(str(name), directory)
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in of_field.to_dict("records"):
            rows.setdefault(row["identity"], []).append({str(k): v for k, v in row.items()})
        specs: list[RunSpec] = []
        for identity, alike in list(rows.items()):
            spec, problems = _trainable(alike[0], field)
            if spec is None:
                for row in rows.pop(identity):
                    yield Verified(
                        stored=row, again=None, verdict=DIFFERS, reasons=problems, draws=0
                    )
            else:
                specs.append(spec)
        library = {identity: _library(alike[0], field, workers) for identity, alike in rows.items()}
        train = partial(_trained, field=field, workers=workers, device=device, library=library)
        open_ends: list[tuple[RunSpec, dict[str, Any]]] = []
        for position, again in train(specs):
            alike = rows[specs[position].identity]
            settled = [_settle(row, [again], tolerances) for row in alike]
            if any(one is None for one in settled) and draws:
                open_ends.append((specs[position], again))
                continue
            for one, row in zip(settled, alike, strict=True):
                yield one or _beyond(row, [again], tolerances)
        several = [other for spec, _ in open_ends for other in _other_draws(spec, draws)]
        library |= {
            other.identity: library[spec.identity]
            for spec, _ in open_ends
            for other in _other_draws(spec, draws)
        }
        drawn: dict[int, dict[str, Any]] = {}
        for position, again in train(several):
            drawn[position] = again
            place = position // draws
            span = range(place * draws, (place + 1) * draws)
            if not all(i in drawn for i in span):
                continue
            spec, first = open_ends[place]
            for row in rows[spec.identity]:
                trained = [first, *(drawn[i] for i in span)]
                yield (
                    _settle(row, trained[:1], tolerances)
                    or _settle(row, trained, tolerances)
                    or _beyond(row, trained, tolerances)
                )


def _trainable(row: Mapping[str, Any], field: Field) -> tuple[RunSpec | None, tuple[str, ...]]:
    """Read a row back; where that cannot be or it is of another field, say what is wrong."""
    try:
        spec = RunSpec.from_specification(row)
    except UnregisteredError:
        raise
    except ValueError as error:
        return None, (str(error),)
    if spec.field_hash != field.hash_without_events:
        return None, (
            f"it was made on a field of content {spec.field_hash[:12]}, but {field.name} here has "
            f"{field.hash_without_events[:12]}",
        )
    if spec.identity != row["identity"]:
        return None, tuple(wrong_columns(row, spec))
    return spec, ()


def _library(row: Mapping[str, Any], field: Field, workers: int | None) -> Library | None:
    """Whose products a run is trained with: those of its row, so that bits can be compared."""
    recorded = recorded_library(row["products"])
    here = workers == 1 and field.n_neurons >= THREADED_FROM and torch.get_num_threads() > 1
    return None if here and recorded == "numpy" else recorded


def _trained(
    specs: Sequence[RunSpec],
    *,
    field: Field,
    workers: int | None,
    device: str,
    library: Mapping[str, Library | None],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Train runs, each by itself; position and row as they are finished."""
    engine = choose(workers=workers, accelerated=resolve_device(device).type != "cpu")
    for products in dict.fromkeys(library[spec.identity] for spec in specs):
        own = [i for i, spec in enumerate(specs) if library[spec.identity] == products]
        work = partial(run_shard, device=device, products=products)
        with closing(engine.run([[specs[i]] for i in own], field, work=work)) as results:
            for position, (row,) in results:
                yield own[position], row


def _other_draws(spec: RunSpec, n: int) -> list[RunSpec]:
    """Give the same run with learning rates that differ by as little as rounding does."""
    return [
        replace(spec, learning_rate=spec.learning_rate * (1 + k * STEP)) for k in range(1, n + 1)
    ]


def _settle(
    row: Mapping[str, Any], trained: Sequence[Mapping[str, Any]], tolerances: Mapping[str, float]
) -> Verified | None:
    """Judge a row by its trainings; None where more of them are needed."""
    first = trained[0]
    verified = partial(Verified, stored=row, again=first, draws=len(trained))
    if problems := check_row(row):
        return verified(verdict=DIFFERS, reasons=tuple(problems))
    different = _unequal(row, first)
    if not different:
        return verified(verdict=EQUAL, reasons=(_why_bits(row, first),))
    if not (why := _other_rounding(row, first)):
        return verified(
            verdict=DIFFERS,
            reasons=(
                "numerics, libraries, products and machine are those of the recorded run, so that "
                f"bits must be equal, but {', '.join(different)} differ",
            ),
        )
    if _outside(row, trained, tolerances):
        return None
    return verified(verdict=CLOSE if len(trained) == 1 else AMONG, reasons=(why,))


def _beyond(
    row: Mapping[str, Any], trained: Sequence[Mapping[str, Any]], tolerances: Mapping[str, float]
) -> Verified:
    """Name the numbers of a row that no training gives."""
    reasons = []
    for name in _outside(row, trained, tolerances):
        if name == "diverged":
            how = "diverged" if row["diverged"] else "did not diverge"
            reasons.append(f"the recorded run {how}, unlike every training")
            continue
        values = [_value(one, name) for one in trained]
        reasons.append(
            f"{name} is {_value(row, name):.6g}, but training gave {min(values):.6g} to "
            f"{max(values):.6g} (tolerance {tolerances[name]:g})"
        )
    reasons.append(_other_rounding(row, trained[0]))
    return Verified(
        stored=row, again=trained[0], verdict=DIFFERS, reasons=tuple(reasons), draws=len(trained)
    )


def _unequal(row: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """Name the results that are not equal to the last bit."""
    different = [name for name in RESULTS if not same(row[name], again[name])]
    for name in ("history_accuracy", "history_loss"):
        stored, trained = (np.asarray(one[name], dtype=np.float32) for one in (row, again))
        if not np.array_equal(stored, trained, equal_nan=True):
            different.append(name)
    return different


def _other_rounding(row: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """Say why bits need not be equal; empty where they must be."""
    if row["numerics"] != again["numerics"]:
        return f"recorded by numerics {row['numerics']}, trained again by {again['numerics']}"
    for name in ("device", "products"):
        if row[name] != again[name]:
            return f"recorded on {row[name]}, trained again on {again[name]}"
    libraries = [dict(p.split(" ", 1) for p in one["versions"].split(", ")) for one in (row, again)]
    for name in libraries[1]:
        pair = [known.get(name, "unknown") for known in libraries]
        if name != "cortexrnn" and len(set(pair)) > 1:
            return f"recorded with {name} {pair[0]}, trained again with {pair[1]}"
    return ""


def _why_bits(row: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """Say whether equal bits were promised."""
    why = _other_rounding(row, again)
    return f"equal bits though {why}" if why else "equal bits, as promised for this machine"


def _outside(
    row: Mapping[str, Any], trained: Sequence[Mapping[str, Any]], tolerances: Mapping[str, float]
) -> list[str]:
    """Name the numbers of a row that are not among the results of its trainings."""
    alike = [one for one in trained if one["diverged"] == row["diverged"]]
    if not alike:
        return ["diverged"]
    return [name for name in COMPARED if not _is_within(row, alike, name, tolerances[name])]


def _is_within(
    row: Mapping[str, Any], trained: Sequence[Mapping[str, Any]], name: str, tolerance: float
) -> bool:
    """Whether a stored number lies among the results of its trainings."""
    stored, values = _value(row, name), [_value(one, name) for one in trained]
    if math.isnan(stored):
        return any(map(math.isnan, values))
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return False
    # The span of ten draws holds one more only nine times in eleven: alone it is too narrow.
    allowed = max(tolerance * _unit(name, stored), max(numbers) - min(numbers))
    return min(numbers) - allowed <= stored <= max(numbers) + allowed


def _value(row: Mapping[str, Any], name: str) -> float:
    """Give a number of a run; ``early`` is the end of the first epoch."""
    if name.startswith("early_"):
        history = row[f"history_{name.removeprefix('early_')}"]
        return float(np.float32(history[0])) if len(history) else math.nan
    return float(row[name])


def _unit(name: str, stored: float) -> float:
    """Scale of a tolerance: large losses are compared by their ratio."""
    return max(1.0, abs(stored)) if name in RELATIVE and math.isfinite(stored) else 1.0


def deviations(
    verified: Sequence[Verified], tolerances: Mapping[str, float] = TOLERANCES
) -> pd.DataFrame:
    """Summarise how far runs that were trained again deviate from the stored ones.

    Parameters
    ----------
    verified : sequence of Verified
        Results of :func:`verify`.
    tolerances : mapping of str to float
        By the names of :data:`COMPARED`.

    Returns
    -------
    DataFrame
        One row per compared number: ``equal`` to the last bit, ``median`` and ``largest`` absolute
        difference from the first training, ``tolerance`` and how many rows are ``outside``.
    """
    table = pd.DataFrame([one.differences for one in verified], columns=COMPARED).abs()
    return pd.DataFrame(
        [
            {
                "number": name,
                "runs": int(table[name].notna().sum()),
                "equal": int((table[name] == 0).sum()),
                "median": table[name].median(),
                "largest": table[name].max(),
                "tolerance": tolerances[name],
                "outside": int((table[name] > tolerances[name]).sum()),
            }
            for name in COMPARED
        ]
    )
