"""Conditions: the eleven variants of the paper, and controls that differ from them in one thing.

An ablation shows what carries an effect only if its conditions differ in one thing. Every control
is a variant, published or not, with one switch, one strength or one sign changed, or the same on
other tasks. :mod:`cortexrnn.evidence.predictions` lists what was expected of them.

Names are for people. The fields of a condition define it; nothing is read off a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import pandas as pd

from cortexrnn.fields.field import Relation
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.neurogym import GYM_TASKS
from cortexrnn.networks.specification import (
    CORRECTED,
    EMD_STRENGTH,
    PRESETS,
    PUBLISHED,
    RELATIONS,
    SIGNS,
    STRENGTH,
    Preset,
    Protocol,
    RunSpec,
    Sign,
)
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS, Variant

__all__ = [
    "AS_WRITTEN",
    "AT_DOSE",
    "AT_EQUAL_NORM_BASES",
    "CONDITIONS",
    "CONTROLS",
    "DECIDING_FIELD",
    "DOSES",
    "GROUPS",
    "NORM_SHARES",
    "PUBLISHED_VARIANTS",
    "Control",
    "read_conditions",
]

OWN_COORDINATES = Protocol(name="published, own coordinates", coordinates="soma")
"""Every unit has the coordinates of its own neuron; the rest is as published."""
PLAIN_LAMBDA = Protocol(name="published, plain lambda", plain_strength="lambda")
"""The plain penalty follows lambda like all others; the rest is as published."""
MATCHED_GRID = Protocol(name="published, matched grid", grid_scale="matched")
"""The grid has the mean distance of D*; the rest is as published."""
OWN_MATCHED_GRID = Protocol(
    name="published, grid matched to own coordinates", coordinates="soma", grid_scale="matched"
)
"""The grid has the mean distance of D* on own coordinates; the rest is as published."""
MATCHED_GRADIENT = Protocol(name="published, equal pull", strength_unit="gradient")
"""Strength is the mean gradient per weight at the start; the rest is as published. The name is the
one that recorded runs have."""

STRONG_GRADIENT, WEAK_GRADIENT = 0.17, 0.001
"""Mean gradient per weight of the penalty: about that of D* alone, and that of D* with C."""
SWEEP = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths lambda that are tried."""
SWEPT = ("W", "WD*", "WD*C")
"""Variants that are trained at all of these."""

DECIDING_FIELD = "6_6_2"
"""The paper's own field, where only deciding controls are run."""

TaskSettings = tuple[tuple[str, Any], ...]

PAPER_TASKS: tuple[tuple[str, TaskSettings], ...] = tuple((name, ()) for name in TASKS)
"""The three tasks of the paper as it has them."""
LONG_DELAYS: tuple[tuple[str, TaskSettings], ...] = tuple(
    (name, (("delay_steps", 40),)) for name in TASKS
)
"""The tasks of the paper with a delay four times as long."""
FEW_TRIALS = (640, 1280)
"""Training trials where the paper has 5,120."""
TRANSFERS = (("perceptual", "one_choice"), ("one_choice", "perceptual"), ("go_nogo", "one_choice"))
"""Pairs of a task that is trained first and the task that is measured."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """A variant under a protocol, with settings, on some tasks.

    Parameters
    ----------
    name : str
        Its name in the book; no two have the same.
    variant : Variant
        The variant with its switches.
    group : str
        What it asks about, a key of :data:`GROUPS`; ``published`` for a variant of the paper as it
        is.
    condition : str, optional
        Its name without relation and sign, which other controls may share; default: its name.
    protocol : Protocol
        The published one, with at most one switch changed.
    settings : tuple of (str, value)
        Of :class:`~cortexrnn.networks.specification.RunSpec`, where they differ from the paper's.
    tasks : tuple of (str, tuple)
        Tasks and their settings.
    n_seeds : int
        Simulations of each task.
    deciding : bool
        Whether it is also run on the paper's own field.
    against : str, optional
        Name of the condition that it is compared with; default: none.
    start : str, optional
        Which of ``FURTHER_STARTS`` it has, for those that meet further tasks.
    strengths : tuple of (str, float)
        Strength of its penalty by field, where it was found for each field; it is run on no other.
    """

    name: str
    variant: Variant
    group: str
    condition: str = ""
    protocol: Protocol = PUBLISHED
    settings: tuple[tuple[str, Any], ...] = ()
    tasks: tuple[tuple[str, TaskSettings], ...] = PAPER_TASKS
    n_seeds: int = 20
    deciding: bool = False
    against: str | None = None
    start: str | None = None
    strengths: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", self.condition or self.name)

    def _setting(self, name: str, usual: Any) -> Any:
        return dict(self.settings).get(name, usual)

    @property
    def relation(self) -> Relation:
        """What its functional weights are made of."""
        return one_of("relation", self._setting("relation", "correlation"), RELATIONS)

    @property
    def sign(self) -> Sign:
        """Signs that its recurrent weights may take."""
        return one_of("sign", self._setting("sign", "free"), SIGNS)

    @property
    def strength(self) -> float:
        """Strength of its penalty in the unit of its protocol, where no field has its own."""
        return float(self._setting("strength", STRENGTH))

    @property
    def emd_strength(self) -> float:
        """Strength of its communicability distance."""
        return float(self._setting("emd_strength", EMD_STRENGTH))

    def _strength_on(self, field: str) -> float:
        known = dict(self.strengths)
        if field not in known:
            raise ValueError(
                f"the strength of {self.name!r} was found for {', '.join(known)}, and not for "
                f"{field!r}; find it with python -m tools.equal_norms --field {field}"
            )
        return known[field]

    @property
    def first_task(self) -> str | None:
        """Task that its networks are trained on first."""
        first: str | None = self._setting("first_task", None)
        return first

    @property
    def is_scaled_variant(self) -> bool:
        """Whether it is a variant of the paper but for the strength of the penalty."""
        unit = replace(self.protocol, name="", plain_strength="unit", strength_unit="lambda")
        changed = {name for name, _ in self.settings}
        return (
            not self.variant.switches
            and changed <= {"strength"}
            and unit == replace(PUBLISHED, name="")
        )

    @property
    def reference(self) -> Control | None:
        """The condition that it is compared with."""
        return None if self.against is None else CONDITIONS[self.against]

    def is_run_on(self, field: str) -> bool:
        """Whether the design asks for its runs on a field.

        Parameters
        ----------
        field : str
            Name of the field.

        Returns
        -------
        bool
            On the paper's own field the deciding and the published ones alone, elsewhere all whose
            strength is known there.
        """
        if self.strengths and field not in dict(self.strengths):
            return False
        return field != DECIDING_FIELD or self.deciding or self.group == "published"

    def specs(
        self,
        *,
        field: str,
        field_hash: str,
        seeds: Iterable[int] | None = None,
        preset: Preset = PRESETS["paper"],
    ) -> Iterator[RunSpec]:
        """Specify its runs on a field.

        Parameters
        ----------
        field : str
            Name of the field.
        field_hash : str
            Its :attr:`~cortexrnn.fields.field.Field.hash_without_events`.
        seeds : iterable of int, optional
            Seeds instead of its own, the first `n_seeds`.
        preset : Preset
            Epochs and trials, where its settings do not say otherwise.

        Yields
        ------
        RunSpec
            One for each task and seed.

        Raises
        ------
        ValueError
            If its strength was found for each field, and not for this one.
        """
        settings = dict(self.settings)
        if self.strengths:
            settings["strength"] = self._strength_on(field)
        sizes = {name: getattr(preset, name) for name in ("epochs", "n_train", "n_validation")}
        chosen = range(self.n_seeds) if seeds is None else list(seeds)
        for task, task_settings in self.tasks:
            for seed in chosen:
                yield RunSpec(
                    field=field,
                    field_hash=field_hash,
                    variant=self.variant,
                    protocol=self.protocol,
                    task=task,
                    task_settings=task_settings,
                    seed=seed,
                    **(sizes | settings),
                )


DIAGONAL, TRUE_COORDINATES, DOSE, TEXT = "diagonal", "true_coordinates", "dose", "corrected"
EQUAL_NORM = "equal_norm"
FURTHER = (DIAGONAL, TRUE_COORDINATES, DOSE, TEXT, EQUAL_NORM)
"""Groups of the controls that were added when all others had been run."""

GROUPS = {
    "start": "What of functional weights makes networks learn?",
    "geometry": "Is it geometry that D* adds?",
    "wiring": "Is it communicability that C adds?",
    "strength": "How much does the strength of the penalty explain?",
    "matched_gradient": "Do D* and C help where penalties have the same gradient?",
    "positive": "Is a cortical start needed for positive weights?",
    "harder": "Does anything beyond self-connections help when tasks ask for more?",
    "environments": "And on tasks of other laboratories?",
    DIAGONAL: "Does W* need its other weights where self-connections are penalised as well?",
    TRUE_COORDINATES: "Does it matter where each neuron lies, on true coordinates?",
    DOSE: "How many strong self-connections does a network need?",
    EQUAL_NORM: "Do D* and C help where penalties leave weights of the same norm?",
    TEXT: "What would the table be if the code did what the text says?",
}
"""Questions by group of controls."""


def _control(
    name: str,
    base: str,
    group: str,
    *,
    settings: dict[str, Any] | None = None,
    against: str | None = None,
    condition: str = "",
    protocol: Protocol = PUBLISHED,
    n_seeds: int = 20,
    deciding: bool = False,
    **switches: Any,
) -> Control:
    """Make a control from the name of its base, with which it is compared, and what is switched."""
    return Control(
        name=name,
        variant=Variant.parse(base).switched(**switches),
        group=group,
        condition=condition,
        protocol=protocol,
        settings=tuple((settings or {}).items()),
        n_seeds=n_seeds,
        deciding=deciding,
        against=against or base,
    )


def _starts() -> Iterator[Control]:
    """List controls of W*, under the distance penalty alone."""
    group = "start"
    yield _control("W*D*", "W*D*", group, deciding=True, against="W*D*C*")  # C* hardly counts
    yield _control(
        "W* without self-connections", "W*D*", group, self_connections="removed", deciding=True
    )
    yield _control(
        "W* without self-connections, not rescaled",
        "W*D*",
        group,
        self_connections="removed",
        scaling="none",
    )
    yield _control(
        "self-connections of W* alone", "W*D*", group, self_connections="only", deciding=True
    )
    yield _control(
        "orthogonal with the self-connections of W*",
        "WD*",
        group,
        self_connections="functional",
        deciding=True,
    )
    yield _control("scaled identity", "WD*", group, start="identity", deciding=True)
    yield _control(
        "W* shuffled off the diagonal",
        "W*D*",
        group,
        entries="off_diagonal_shuffled",
        deciding=True,
    )
    yield _control("W* relabelled", "W!D*", group, deciding=True, against="W*D*")
    yield _control("W* shuffled", "W*D*", group, entries="shuffled")
    yield _control("W* resampled", "W*D*", group, entries="resampled", deciding=True)
    yield _control("W* resampled off the diagonal", "W*D*", group, entries="off_diagonal_resampled")
    yield _control("lognormal", "WD*", group, start="lognormal")
    sttc = "W* made of STTC alone"
    yield _control(sttc, "W*D*", group, settings={"relation": "sttc"}, condition="W*D*")
    yield _control(
        "W* made of STTC alone, without self-connections",
        "W*D*",
        group,
        settings={"relation": "sttc"},
        condition="W* without self-connections",
        against=sttc,
        self_connections="removed",
    )
    yield _control(
        "W* that is penalised on the diagonal too",
        "W*D*",
        group,
        self_distance="mean",
        deciding=True,
    )


def _geometries() -> Iterator[Control]:
    """List controls of D and D*."""
    group = "geometry"
    for base in ("WD*", "WD*C", "W*D*C"):
        is_deciding = base != "WD*"
        yield _control(
            f"{base} on own coordinates",
            base,
            group,
            protocol=OWN_COORDINATES,
            deciding=is_deciding,
        )
        yield _control(f"{base} on matched random points", base, group, distance="matched")
        yield _control(
            f"{base} on three clusters", base, group, distance="clusters", deciding=base == "WD*C"
        )
    for base in ("WD", "WDC"):
        yield _control(f"{base} on a matched grid", base, group, protocol=MATCHED_GRID)


def _wirings() -> Iterator[Control]:
    """List controls of C and C*."""
    group = "wiring"
    yield _control("W*DC", "W*DC", group, against="W*DC*")
    for base in ("WD*C", "W*D*C"):
        yield _control(f"{base} with C frozen", base, group, communicability="frozen")
    for strength in (1e2, 1e4, 1e6):
        yield _control(
            f"WD*C* at EMD strength {strength:g}",
            "WD*C*",
            group,
            settings={"emd_strength": strength},
        )


def _at_strength(base: str, strength: float) -> Control:
    """Make a control of the sweep."""
    return _control(
        f"{base} at lambda {strength:g}",
        base,
        "strength",
        protocol=PLAIN_LAMBDA if base == "W" else PUBLISHED,
        settings={"strength": strength},
        n_seeds=5,
    )


def _at_gradient(base: str, gradient: float, group: str) -> Control:
    """Make a control whose penalty is scaled until it has that gradient at the start."""
    return _control(
        f"{base} at gradient {gradient:g}",
        base,
        group,
        protocol=MATCHED_GRADIENT,
        settings={"strength": gradient},
        deciding=(base, gradient) == ("WD*C", STRONG_GRADIENT),
    )


W_AT_LAMBDA = _control("W at lambda 0.3", "W", "strength", protocol=PLAIN_LAMBDA)
"""The plain variant with the strength of the others."""

WITHOUT_PENALTY = {
    base: _control(f"{base} without penalty", base, "strength", settings={"strength": 0.0})
    for base in ("WD*", "W*D*")
}
"""By base: the same without any penalty."""

AT_STRENGTH = {
    (base, strength): _at_strength(base, strength) for base in SWEPT for strength in SWEEP
}
"""By base and lambda: the sweep of strengths."""

AT_GRADIENT = {
    (base, gradient): _at_gradient(base, gradient, group)
    for group, gradient, bases in (
        ("strength", STRONG_GRADIENT, ("W", "WD", "WD*C", "WDC", "W*D*C")),
        ("strength", WEAK_GRADIENT, ("W", "WD", "WD*", "WDC", "W*D*")),
        # These complete the pairs with equal gradients. They were added later; a group of their
        # own leaves the plans of the others as they were recorded.
        ("matched_gradient", STRONG_GRADIENT, ("WD*", "W*D*")),
        ("matched_gradient", WEAK_GRADIENT, ("WD*C", "W*D*C")),
    )
    for base in bases
}
"""By base and gradient at the start: controls whose penalties are scaled to it."""


def _strengths() -> Iterator[Control]:
    """List controls of the strength of the penalty."""
    yield from WITHOUT_PENALTY.values()
    yield W_AT_LAMBDA
    yield from (one for one in AT_GRADIENT.values() if one.group == "strength")
    yield from AT_STRENGTH.values()


def _matched_gradients() -> Iterator[Control]:
    """List what completes the pairs with the same gradient."""
    yield from (one for one in AT_GRADIENT.values() if one.group == "matched_gradient")


def _positives() -> Iterator[Control]:
    """List controls whose weights may not become negative."""
    shared: dict[str, Any] = {"group": "positive", "settings": {"sign": "positive"}}
    yield _control("W*D*, positive", "W*D*", condition="W*D*", against="W*D*C*, positive", **shared)
    compared = shared | {"against": "W*D*, positive"}  # an orthogonal start diverges
    for condition, start, deciding in (
        ("scaled identity", "identity", True),
        ("uniform", "uniform", False),
        ("lognormal", "lognormal", False),
    ):
        yield _control(
            f"{condition}, positive",
            "WD*",
            condition=condition,
            start=start,
            deciding=deciding,
            **compared,
        )
    yield _control(
        "orthogonal with a stable positive part, positive",
        "WD*",
        condition="orthogonal with a stable positive part",
        scaling="positive_part",
        **compared,
    )
    yield _control(
        "W* without self-connections, positive",
        "W*D*",
        condition="W* without self-connections",
        self_connections="removed",
        **compared,
    )


FURTHER_STARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "W*": ("W*D*C", {}),
    "self-connections of W* alone": ("W*D*C", {"self_connections": "only"}),
    "W* shuffled off the diagonal": ("W*D*C", {"entries": "off_diagonal_shuffled"}),
    "orthogonal": ("WD*C", {}),
}
"""Base and switches of the starts that meet further tasks. Their penalty is the weak one of D* with
C, which leaves connections between units free to be of use; all are compared with W*."""


def _further(start: str, what: str, group: str, **changes: Any) -> Control:
    """Make a control of one of ``FURTHER_STARTS``, compared with W* where that is another."""
    base, switches = FURTHER_STARTS[start]
    return Control(
        name=f"{start}, {what}",
        variant=Variant.parse(base).switched(**switches),
        group=group,
        start=start,
        against=None if start == "W*" else f"W*, {what}",
        **changes,
    )


def _after(start: str, before: str, task: str) -> Control:
    """Make a control that learns one task after another."""
    title = f"{TASKS[task].title} after {TASKS[before].title}"
    first: tuple[tuple[str, Any], ...] = (("first_task", before),)
    return _further(start, title, "harder", settings=first, tasks=((task, ()),))


WITH_LONG_DELAYS = {
    start: _further(start, "long delays", "harder", tasks=LONG_DELAYS) for start in FURTHER_STARTS
}
"""By start: the tasks of the paper with long delays."""

WITH_FEW_TRIALS = {
    (start, n_train): _further(
        start, f"{n_train:,} trials", "harder", settings=(("n_train", n_train),)
    )
    for start in FURTHER_STARTS
    for n_train in FEW_TRIALS
}
"""By start and number of training trials: the tasks of the paper with fewer."""

WITH_ALL_TRIALS = {
    start: replace(_further(start, "all trials", "harder"), against="W*D*C")
    for start, (_, switches) in FURTHER_STARTS.items()
    if switches
} | {
    start: Control(name=base, variant=VARIANTS[base], group="published")
    for start, (base, switches) in FURTHER_STARTS.items()
    if not switches
}
"""By start: the tasks of the paper as they are; some of these are variants of the paper."""

AFTER_ANOTHER = {
    (start, before, task): _after(start, before, task)
    for start in FURTHER_STARTS
    for before, task in TRANSFERS
}
"""By start, task that is trained first and task that is measured."""


def _harder() -> Iterator[Control]:
    """List starts whose tasks have longer delays, fewer trials, or come after another."""
    for start in FURTHER_STARTS:
        yield WITH_LONG_DELAYS[start]
        yield from (WITH_FEW_TRIALS[start, n_train] for n_train in FEW_TRIALS)
        if WITH_ALL_TRIALS[start].group == "harder":
            yield WITH_ALL_TRIALS[start]
        yield from (AFTER_ANOTHER[start, before, task] for before, task in TRANSFERS)


def _environments() -> Iterator[Control]:
    """List starts on the tasks of NeuroGym."""
    tasks = tuple((task, ()) for task in GYM_TASKS)
    for start in FURTHER_STARTS:
        yield _further(start, "NeuroGym", "environments", tasks=tasks)


def _diagonals() -> Iterator[Control]:
    """List starts whose self-connections the distance penalty reaches too.

    Penalising self-connections does not remove them. What it asks is whether W* is then more than
    its self-connections.
    """
    too = "penalised on the diagonal too"
    shared: dict[str, Any] = {"group": DIAGONAL, "self_distance": "mean", "deciding": True}
    against = f"W* that is {too}"
    yield _control(
        f"self-connections of W* alone, {too}",
        "W*D*",
        self_connections="only",
        against=against,
        **shared,
    )
    yield _control(f"scaled identity, {too}", "WD*", start="identity", against=against, **shared)
    yield _control(f"orthogonal, {too}", "WD*", against=against, **shared)


def _true_coordinates() -> Iterator[Control]:
    """List what `WD*C` on own coordinates is compared with, and distances without geometry."""
    shared: dict[str, Any] = {"group": TRUE_COORDINATES, "deciding": True}
    own = shared | {"against": "WD*C on own coordinates"}
    yield _control(
        "WDC on a grid matched to own coordinates", "WDC", protocol=OWN_MATCHED_GRID, **own
    )
    yield _control(
        "WD*C on random points with own distances",
        "WD*C",
        protocol=OWN_COORDINATES,
        distance="matched",
        **own,
    )
    yield _control(
        "WD*C on shuffled own distances",
        "WD*C",
        protocol=OWN_COORDINATES,
        distance="shuffled",
        **own,
    )
    yield _control("WD*C on shuffled distances", "WD*C", distance="shuffled", **shared)


DOSES = (0, 1, 2, 4, 8)
"""Numbers of strong self-connections that are tried."""


def _dose(start: str, base: str, count: int) -> Control:
    """Make a start with that many strong self-connections and no others."""
    plural = "" if count == 1 else "s"
    return _control(
        f"{start} with {count} strong self-connection{plural}",
        base,
        DOSE,
        deciding=True,
        strong_self_connections=count,
    )


AT_DOSE = {
    (start, count): _dose(start, base, count)
    for start, base in (("W*", "W*D*"), ("orthogonal", "WD*"))
    for count in DOSES
}
"""By start and number of strong self-connections: the dose-response experiment. All else about W*
and the orthogonal start is equal within a seed, and so are the units that are chosen."""


def _doses() -> Iterator[Control]:
    """List the dose-response experiment."""
    yield from AT_DOSE.values()


AS_WRITTEN = {
    base: Control(
        name=f"{base}, corrected",
        variant=variant,
        group=TEXT,
        protocol=CORRECTED,
        deciding=True,
        against=base,
    )
    for base, variant in VARIANTS.items()
}
"""By variant: the same under the protocol that does what the text of the paper says. Each variant
is touched by one switch of the protocol only: those with D* by the coordinates, those with D by the
scale of the grid, and W by the strength of its penalty."""


def _as_written() -> Iterator[Control]:
    """List the eleven variants under the corrected protocol."""
    yield from AS_WRITTEN.values()


NORM_SHARES = (0.5, 0.8)
"""Shares of the norm of weights that penalties are scaled to leave."""
AT_EQUAL_NORM_BASES = ("W", "WD", "WD*", "WDC", "WD*C", "W*D*", "W*D*C")
"""Variants whose penalties are scaled to leave the same norm."""


def load_equal_norms() -> pd.DataFrame:
    """Read the strengths at which penalties leave the same share of the norm of weights.

    Returns
    -------
    DataFrame
        ``field, variant, share, strength, found``: the share of the L1 norm of the weights between
        units that training with the penalty should leave, of what training without it leaves; the
        strength; and the share that was found with it. Made by ``tools/equal_norms.py`` with seeds
        that no recorded run has.
    """
    file = resources.files("cortexrnn") / "data" / "equal_norms.csv"
    with file.open(encoding="utf-8") as opened:
        table: pd.DataFrame = pd.read_csv(opened)
    return table


def _equal_norms() -> Iterator[Control]:
    """List variants whose penalties leave the same norm: a match at the end, not at the start.

    Equal gradients at the start fix neither how a penalty is spread over weights nor its size
    beside the gradient of the task, which is what counts under Adam.
    """
    table = load_equal_norms()
    for share in NORM_SHARES:
        for base in AT_EQUAL_NORM_BASES:
            rows = table[(table["variant"] == base) & (table["share"] == share)]
            yield Control(
                name=f"{base} at norm {share:g}",
                variant=VARIANTS.get(base, Variant.parse(base)),
                group=EQUAL_NORM,
                protocol=PLAIN_LAMBDA if base == "W" else PUBLISHED,
                deciding=True,
                against=base,
                strengths=tuple(zip(rows["field"], rows["strength"], strict=True)),
            )


def _published() -> Iterator[Control]:
    """List the eleven variants, free and positive, to compare with."""
    for name, variant in VARIANTS.items():
        yield Control(name=name, variant=variant, group="published")
        yield Control(
            name=f"{name}, positive",
            variant=variant,
            group="published",
            condition=name,
            settings=(("sign", "positive"),),
        )


PUBLISHED_VARIANTS = {one.name: one for one in _published()}
"""The eleven of the paper, free and positive."""

CONTROLS = {
    one.name: one
    for make in (
        _starts,
        _geometries,
        _wirings,
        _strengths,
        _matched_gradients,
        _positives,
        _harder,
        _environments,
        _diagonals,
        _true_coordinates,
        _doses,
        _as_written,
        _equal_norms,
    )
    for one in make()
}
"""Controls by name, in the order of the book."""

CONDITIONS = PUBLISHED_VARIANTS | CONTROLS
"""Conditions by name: published variants and controls."""


def read_conditions(text: str) -> list[Control]:
    """Read names of conditions with commas between them; names hold commas too.

    Parameters
    ----------
    text : str
        For example ``"W*D*, scaled identity"`` or ``"W*, 640 trials, lognormal"``.

    Returns
    -------
    list of Control
        In the order given.

    Raises
    ------
    ValueError
        If something is no name of a condition, or a condition is named twice.
    """
    longest_first = sorted(CONDITIONS, key=len, reverse=True)
    anyone = re.compile(rf"\s*({'|'.join(map(re.escape, longest_first))})\s*(?:,|$)")
    chosen: list[Control] = []
    at = 0
    while at < len(text):
        match = anyone.match(text, at)
        if match is None:
            raise ValueError(
                f"unknown condition {text[at:].strip()!r}; 'cortexrnn conditions' lists them"
            )
        if CONDITIONS[match[1]] in chosen:
            raise ValueError(f"condition {match[1]!r} is named twice; name it once")
        chosen.append(CONDITIONS[match[1]])
        at = match.end()
    if not chosen:
        raise ValueError("no condition is named; 'cortexrnn conditions' lists them")
    return chosen
