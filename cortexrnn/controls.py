"""Controls: one switch changed at a time, what was predicted of each, and what came out.

An ablation tells what carries an effect only if its arms differ in one thing. Every control here is
a variant, published or not, with one switch, one strength or one sign changed; every
:class:`Prediction` names the difference it expects between two of them and thereby the number that
would refute it. Predictions are committed before the runs that decide them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn import parameters
from cortexrnn.gym import GYM_TASKS
from cortexrnn.inference import t_interval, with_interval
from cortexrnn.models import STRENGTH, VARIANTS
from cortexrnn.protocol import PRESETS, PUBLISHED, Protocol, RunSpec, Variant
from cortexrnn.tasks import TASKS
from cortexrnn.theory import learned

__all__ = [
    "CLAIMS",
    "CONTROLS",
    "PREDICTIONS",
    "Claim",
    "Control",
    "Prediction",
    "accuracy_by_pull",
    "accuracy_by_strength",
    "accuracy_by_trials",
    "at_like_pull",
    "beside_reference",
    "compare",
    "findings",
    "in_words",
    "largest_pulls",
    "load_pulls",
    "outcomes",
    "paired_differences",
    "runs_of",
    "sensitivity",
    "spread_in_words",
    "transfer",
    "verdicts",
]

OWN_COORDINATES = Protocol(name="published, own coordinates", coordinates="soma")
"""Every unit has the coordinates of its own neuron; the rest is as published."""
PLAIN_LAMBDA = Protocol(name="published, plain lambda", plain_strength="lambda")
"""The plain penalty follows lambda like all others; the rest is as published."""
MATCHED_GRID = Protocol(name="published, matched grid", grid_scale="matched")
"""The grid has the mean distance of D*; the rest is as published."""
EQUAL_PULL = Protocol(name="published, equal pull", strength_unit="gradient")
"""Strength is the mean gradient per weight at the start; the rest is as published."""

STRONG_PULL, WEAK_PULL = 0.17, 0.001
"""Mean gradient per weight of the penalty: about that of D* alone, and that of D* with C."""

SWEEP = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths lambda that are tried."""

SWEPT = ("W", "WD*", "WD*C")
"""Variants that are trained at all of these."""

TaskSettings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Control:
    """A variant under a protocol, with settings, on some tasks.

    Parameters
    ----------
    name : str
        What the book calls it.
    variant : Variant
        The variant with its switches.
    group : str
        What it asks about, a key of ``GROUPS``.
    protocol : Protocol
        Published but for at most one switch.
    settings : tuple of (str, value)
        Of :class:`~cortexrnn.protocol.RunSpec`, where they differ from the paper's.
    tasks : tuple of (str, tuple)
        Tasks and their settings.
    n_seeds : int
        Simulations of each task.
    deciding : bool
        Whether it is also run on the paper's own field.
    against : str, optional
        Base it is compared with; default: that of its variant.
    """

    name: str
    variant: Variant
    group: str
    protocol: Protocol = PUBLISHED
    settings: tuple[tuple[str, Any], ...] = ()
    tasks: tuple[tuple[str, TaskSettings], ...] = tuple((name, ()) for name in TASKS)
    n_seeds: int = 20
    deciding: bool = False
    against: str | None = None

    def specs(
        self, *, field: str, field_hash: str, seeds: Iterable[int] | None = None
    ) -> Iterator[RunSpec]:
        """Specify its runs on a field.

        Parameters
        ----------
        field : str
            Name of the field.
        field_hash : str
            Its :attr:`~cortexrnn.field.Field.hash_without_events`.
        seeds : iterable of int, optional
            Some of its seeds; default: all.

        Yields
        ------
        RunSpec
            One for each task and seed.
        """
        paper = PRESETS["paper"]
        sizes = {name: getattr(paper, name) for name in ("epochs", "n_train", "n_validation")}
        chosen = range(self.n_seeds) if seeds is None else seeds
        for task, task_settings in self.tasks:
            for seed in chosen:
                if seed < self.n_seeds:
                    yield RunSpec(
                        field=field,
                        field_hash=field_hash,
                        variant=self.variant,
                        protocol=self.protocol,
                        task=task,
                        task_settings=task_settings,
                        seed=seed,
                        **(sizes | dict(self.settings)),
                    )

    @property
    def reference(self) -> Control:
        """The base it is compared with, no switch and no strength changed, all else as here."""
        base = self.against or self.variant.base
        variant = Variant.parse(base)
        kept = tuple((k, v) for k, v in self.settings if "strength" not in k)
        if (self.variant, self.protocol, self.settings) == (variant, PUBLISHED, kept):
            kept = tuple((k, v) for k, v in kept if k != "relation")  # it is what was changed
        found = replace(self, name="", variant=variant, protocol=PUBLISHED, settings=kept)
        named = {arm._asks: name for name, arm in (CONTROLS | PUBLISHED_VARIANTS).items()}
        name = base + "".join(f", {value}" for _, value in kept)
        return replace(found, name=named.get(found._asks, name))

    @property
    def _asks(self) -> tuple[Any, ...]:
        """What is trained on what."""
        return (self.variant, self.protocol, self.settings, self.tasks)

    @property
    def is_reference(self) -> bool:
        """Whether it is what it would be compared with."""
        return replace(self.reference, name=self.name) == self


GROUPS = {
    "start": "What of functional weights makes networks learn?",
    "geometry": "Is it geometry that D* adds?",
    "wiring": "Is it communicability that C adds?",
    "strength": "How much does the strength of the penalty explain?",
    "like_pull": "Do D* and C help where penalties pull alike?",
    "positive": "Is a cortical start needed for positive weights?",
    "harder": "Does anything beyond self-connections help when tasks ask for more?",
    "environments": "And on tasks of other laboratories?",
}
"""Questions by group of controls."""


def _control(
    name: str,
    base: str,
    group: str,
    *,
    protocol: Protocol = PUBLISHED,
    settings: dict[str, Any] | None = None,
    n_seeds: int = 20,
    deciding: bool = False,
    against: str | None = None,
    **switches: Any,
) -> Control:
    """Make a control from the name of its base and what is switched."""
    return Control(
        name=name,
        variant=Variant.parse(base).switched(**switches),
        group=group,
        protocol=protocol,
        settings=tuple((settings or {}).items()),
        n_seeds=n_seeds,
        deciding=deciding,
        against=against,
    )


def _starts() -> Iterator[Control]:
    """List controls of W*, under the distance penalty alone."""
    one = "start"
    yield _control("W*D*", "W*D*", one, deciding=True, against="W*D*C*")  # C* hardly pulls
    yield _control(
        "W* without self-connections", "W*D*", one, self_connections="removed", deciding=True
    )
    yield _control(
        "W* without self-connections, not rescaled",
        "W*D*",
        one,
        self_connections="removed",
        scaling="none",
    )
    yield _control(
        "self-connections of W* alone", "W*D*", one, self_connections="only", deciding=True
    )
    yield _control(
        "orthogonal with the self-connections of W*",
        "WD*",
        one,
        self_connections="functional",
        deciding=True,
    )
    yield _control("scaled identity", "WD*", one, start="identity")
    yield _control(
        "W* shuffled off the diagonal",
        "W*D*",
        one,
        entries="off_diagonal_shuffled",
        deciding=True,
    )
    yield _control("W* shuffled", "W*D*", one, entries="shuffled")
    yield _control("W* resampled", "W*D*", one, entries="resampled", deciding=True)
    yield _control("W* resampled off the diagonal", "W*D*", one, entries="off_diagonal_resampled")
    yield _control("lognormal", "WD*", one, start="lognormal")
    yield _control("W* made of STTC alone", "W*D*", one, settings={"relation": "sttc"})
    yield _control(
        "W* made of STTC alone, without self-connections",
        "W*D*",
        one,
        settings={"relation": "sttc"},
        self_connections="removed",
    )
    yield _control("W* that is penalised on the diagonal too", "W*D*", one, self_distance="mean")


def _geometries() -> Iterator[Control]:
    """List controls of D and D*."""
    one = "geometry"
    for base in ("WD*", "WD*C", "W*D*C"):
        weighty = base != "WD*"
        yield _control(
            f"{base} on own coordinates", base, one, protocol=OWN_COORDINATES, deciding=weighty
        )
        yield _control(f"{base} on matched random points", base, one, distance="matched")
        yield _control(
            f"{base} on three clusters", base, one, distance="clusters", deciding=base == "WD*C"
        )
    for base in ("WD", "WDC"):
        yield _control(f"{base} on a matched grid", base, one, protocol=MATCHED_GRID)


def _wirings() -> Iterator[Control]:
    """List controls of C and C*."""
    one = "wiring"
    yield _control("W*DC", "W*DC", one, against="W*DC*")
    for base in ("WD*C", "W*D*C"):
        yield _control(f"{base} with C frozen", base, one, communicability="frozen")
    for strength in (1e2, 1e4, 1e6):
        yield _control(
            f"WD*C* at EMD strength {strength:g}",
            "WD*C*",
            one,
            settings={"emd_strength": strength},
        )


def _strengths() -> Iterator[Control]:
    """List controls of how hard the penalty pulls."""
    one = "strength"
    for base in ("WD*", "W*D*"):
        yield _control(f"{base} without penalty", base, one, settings={"strength": 0.0})
    yield _control("W at lambda 0.3", "W", one, protocol=PLAIN_LAMBDA)
    for pull, bases in (
        (STRONG_PULL, ("W", "WD", "WD*C", "WDC", "W*D*C")),
        (WEAK_PULL, ("W", "WD", "WD*", "WDC", "W*D*")),
    ):
        for base in bases:
            yield _control_at_pull(base, pull, one, deciding=base == "WD*C")
    for base in SWEPT:
        for strength in SWEEP:
            yield _control(
                f"{base} at lambda {strength:g}",
                base,
                one,
                protocol=PLAIN_LAMBDA if base == "W" else PUBLISHED,
                settings={"strength": strength},
                n_seeds=5,
            )


def _control_at_pull(base: str, pull: float, group: str, *, deciding: bool = False) -> Control:
    """Make a control whose penalty is scaled until it pulls that hard."""
    settings = {"strength": pull}
    name = f"{base} at pull {pull:g}"
    return _control(name, base, group, protocol=EQUAL_PULL, settings=settings, deciding=deciding)


def _like_pulls() -> Iterator[Control]:
    """List what the controls of strength lack for pairs that pull just alike.

    They came later. A group of their own leaves the plans of the others as they were recorded.
    """
    for pull, bases in ((STRONG_PULL, ("WD*", "W*D*")), (WEAK_PULL, ("WD*C", "W*D*C"))):
        for base in bases:
            yield _control_at_pull(base, pull, "like_pull")


def _positives() -> Iterator[Control]:
    """List controls whose weights may not become negative."""
    one, settings = "positive", {"sign": "positive"}
    yield _control("W*D*, positive", "W*D*", one, settings=settings, against="W*D*C*")
    for name, start, deciding in (
        ("scaled identity", "identity", True),
        ("uniform", "uniform", False),
        ("lognormal", "lognormal", False),
    ):
        yield _control(
            f"{name}, positive",
            "WD*",
            one,
            settings=settings,
            start=start,
            deciding=deciding,
            against="W*D*",  # an orthogonal start diverges
        )
    yield _control(
        "orthogonal with a stable positive part, positive",
        "WD*",
        one,
        settings=settings,
        scaling="positive_part",
        against="W*D*",
    )
    yield _control(
        "W* without self-connections, positive",
        "W*D*",
        one,
        settings=settings,
        self_connections="removed",
    )


LONG_DELAYS = tuple((name, (("delay_steps", 40),)) for name in TASKS)
"""The tasks of the paper with a delay four times as long."""

FEW_TRIALS = (640, 1280)
"""Training trials where the paper has 5,120."""

TRANSFERS = (("perceptual", "one_choice"), ("one_choice", "perceptual"), ("go_nogo", "one_choice"))
"""Pairs of a task learned before and the task that is measured."""


MORE_TO_DO: dict[str, tuple[str, dict[str, Any]]] = {
    "W*": ("W*D*C", {}),
    "self-connections of W* alone": ("W*D*C", {"self_connections": "only"}),
    "W* shuffled off the diagonal": ("W*D*C", {"entries": "off_diagonal_shuffled"}),
    "orthogonal": ("WD*C", {}),
}
"""Base and switches of the arms that meet further tasks. Their penalty is the weak one of D* with
C, which leaves connections between units free to be of use; all are compared with W*."""


def _further(name: str, group: str) -> Control:
    """Make an arm of ``MORE_TO_DO`` on the tasks of the paper, all trials, nothing before."""
    base, switches = MORE_TO_DO[name]
    return _control(name, base, group, against="W*D*C", **switches)


def _harder() -> Iterator[Control]:
    """List arms whose tasks have longer delays, fewer trials, or come after another."""
    for name, (_, switches) in MORE_TO_DO.items():
        plain = _further(name, "harder")
        yield replace(plain, name=f"{name}, long delays", tasks=LONG_DELAYS)
        for n_train in FEW_TRIALS:
            yield replace(
                plain, name=f"{name}, {n_train:,} trials", settings=(("n_train", n_train),)
            )
        if switches:  # the others are variants of the paper
            yield replace(plain, name=f"{name}, all trials")
        for before, after in TRANSFERS:
            yield replace(
                plain,
                name=f"{name}, {TASKS[after].title} after {TASKS[before].title}",
                settings=(("first_task", before),),
                tasks=((after, ()),),
            )


def _environments() -> Iterator[Control]:
    """List arms on the tasks of NeuroGym."""
    for name in MORE_TO_DO:
        plain = _further(name, "environments")
        yield replace(
            plain, name=f"{name}, NeuroGym", tasks=tuple((task, ()) for task in GYM_TASKS)
        )


def _published() -> Iterator[Control]:
    """List the eleven variants, free and positive, to compare with."""
    for name, variant in VARIANTS.items():
        yield Control(name=name, variant=variant, group="published")
        yield Control(
            name=f"{name}, positive",
            variant=variant,
            group="published",
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
        _like_pulls,
        _positives,
        _harder,
        _environments,
    )
    for one in make()
}
"""Controls by name, in the order of the book."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An expected difference between two arms.

    The difference is that of means over simulations of equal seed, averaged over tasks unless one
    is named. The prediction is confirmed where the 95 % interval lies inside the bounds, refuted
    where it lies outside, open otherwise.

    Parameters
    ----------
    claim : str
        Key of :data:`CLAIMS`.
    arm, against : str
        Names of controls or published variants.
    low, high : float
        Bounds of the difference, arm less against.
    metric : str
        Column of the archive.
    task : str, optional
        One task; default: the mean over those both arms share.
    if_confirmed, if_refuted : {"against", "for", "neither"}
        What the outcome then says of the reading of the claim.
    known_on : tuple of str
        Fields whose first runs were known when it was made; it is not judged there.
    """

    claim: str
    arm: str
    against: str
    low: float
    high: float
    metric: str = "accuracy"
    task: str | None = None
    if_confirmed: str = "against"
    if_refuted: str = "for"
    known_on: tuple[str, ...] = ()

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
        """Tell whether it is judged on a field: its arms are run there, and were not known."""
        arms = PUBLISHED_VARIANTS | CONTROLS
        both = [arms[name] for name in (self.arm, self.against)]
        run = field != DECIDING_FIELD or all(a.deciding or a.group == "published" for a in both)
        return run and field not in self.known_on


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
        Names of two arms: the claim is about the first less the second.
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
}
"""Claims by key, in the order of the book."""

DECIDING_FIELD = "6_6_2"
"""The paper's own field, where only deciding controls are run."""

SAME: dict[str, Any] = {"low": -0.1, "high": 0.1}
"""Bounds of an accuracy that is practically the same: a quarter to a third of the gain of W*."""
LOST: dict[str, Any] = {"low": -1.0, "high": -0.2}
"""Bounds of a gain that is for the larger part lost."""
AT_LEAST: dict[str, Any] = {"low": -0.1, "high": 1.0}
"""Bounds of an accuracy that is the same or higher."""
ONE_WAY: dict[str, Any] = {"if_refuted": "neither"}
"""For predictions whose failure speaks neither way."""
NEEDED: dict[str, Any] = {"if_confirmed": "neither"}
"""For predictions that a cause is needed, which does not make it sufficient."""
CONTRARY: dict[str, Any] = {"if_confirmed": "for", "if_refuted": "against"}
"""For predictions that agree with the reading."""
SIMPLER: dict[str, Any] = {"if_confirmed": "neither", "if_refuted": "against"}
"""For predictions whose failure leaves even less than expected to the reading."""
CHECK: dict[str, Any] = {"if_confirmed": "neither", "if_refuted": "neither"}
"""For predictions that speak of the design alone."""


def _predictions() -> Iterator[Prediction]:
    """List what is expected, claim by claim."""
    without, alone = "W* without self-connections", "self-connections of W* alone"
    in_go_nogo = LOST | {"task": "go_nogo"}
    wanted: list[tuple[str, str, str, dict[str, Any]]] = [
        ("function", "W*D*", "W*D*C*", SAME | CHECK),
        ("function", without, "W*D*", LOST | NEEDED),
        ("function", f"{without}, not rescaled", "W*D*", LOST | NEEDED),
        ("function", alone, "W*D*", SAME),
        ("function", "orthogonal with the self-connections of W*", "W*D*", SAME),
        ("function", "scaled identity", "W*D*", SAME),
        ("function", "W* that is penalised on the diagonal too", "W*D*", LOST | NEEDED),
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
        ("wiring", "WD*C at pull 0.17", "WD*", SAME),
        ("wiring", "WD* at pull 0.001", "WD*C", SAME),
        ("wiring", "W at pull 0.001", "WD*C on own coordinates", SAME),
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
        ("positive", f"{without}, positive", "W*D*, positive", LOST | CHECK),
    ]
    for claim, arm, against, bounds in wanted:
        yield Prediction(claim=claim, arm=arm, against=against, **bounds)
    for base in ("WD*C", "W*D*C"):
        topology: dict[str, Any] = {"claim": "topology", "metric": "modularity", "against": base}
        yield Prediction(arm=f"{base} on three clusters", low=-0.15, high=0.15, **topology)
        yield Prediction(arm=f"{base} on own coordinates", low=-1.0, high=-0.1, **topology)
        yield Prediction(
            arm=f"{base} on matched random points", low=-1.0, high=-0.1, **topology, **CHECK
        )
    for what in ("long delays", *(f"{n:,} trials" for n in FEW_TRIALS), "NeuroGym"):
        for other in (alone, "W* shuffled off the diagonal"):
            yield Prediction(claim="beyond", arm=f"{other}, {what}", against=f"W*, {what}", **SAME)


def _later_predictions() -> Iterator[Prediction]:
    """List what was added when five seeds of 5_3_4 were known; it is judged on other fields."""
    wanted: list[tuple[str, str, str, dict[str, Any]]] = [
        ("function", "WD* without penalty", "W*D* without penalty", AT_LEAST | CHECK),
        ("function", "self-connections of W* alone, all trials", "W*D*C", AT_LEAST),
        ("function", "orthogonal with the self-connections of W*", "W*D*", AT_LEAST),
        ("function", "scaled identity", "W*D*", AT_LEAST),
        ("structure", "W* shuffled off the diagonal, all trials", "W*D*C", AT_LEAST),
        ("positive", "scaled identity, positive", "W*D*C*, positive", AT_LEAST),
    ]
    for claim, arm, against, bounds in wanted:
        yield Prediction(claim=claim, arm=arm, against=against, known_on=("5_3_4",), **bounds)


ORDERING = -0.6
"""Largest rank correlation that is predicted between the pull of the penalty at the start and
accuracy, over all arms that start orthogonal."""

PREDICTIONS = (*_predictions(), *_later_predictions())
"""Everything that was predicted, in the order in which it was."""


def runs_of(runs: pd.DataFrame, control: Control, *, field: str) -> pd.DataFrame:
    """Find the runs of a control on a field by their identity.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    control : Control
        The control, or a published variant.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        Its recorded runs, in the order of task and seed; possibly none.
    """
    here = runs[runs["field"] == field].drop_duplicates("identity").set_index("identity")
    if here.empty:
        return here.reset_index()[runs.columns]
    field_hash = json.loads(here["specification"].iloc[0])["field_hash"]
    wanted = [spec.identity for spec in control.specs(field=field, field_hash=field_hash)]
    found = here.loc[[identity for identity in wanted if identity in here.index]]
    return found.reset_index()[runs.columns]


def paired_differences(
    one: pd.DataFrame, two: pd.DataFrame, *, metric: str = "accuracy", task: str | None = None
) -> NDArray[np.float64]:
    """Subtract runs of equal task and seed, averaged over tasks.

    Runs of one seed share trials, input noise and the draw of functional weights. A seed counts
    if all its tasks are there on both sides. A diverged run has no value, and its seed none.

    Parameters
    ----------
    one, two : DataFrame
        Runs of two arms on one field.
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

BESIDE_REFERENCE = [
    *("control", "reference", "field", "task", "runs", "diverged", "learned"),
    *("mean", "low", "high"),
    *("reference_mean", "pairs", *DIFFERENCE),
]
"""Columns of :func:`beside_reference`."""


def beside_reference(
    runs: pd.DataFrame,
    controls: Iterable[Control],
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Give the mean of each control and its paired difference to its reference.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    controls : iterable of Control
        Which.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive.

    Returns
    -------
    DataFrame
        One row per control, field and task with runs; columns are ``BESIDE_REFERENCE``. A control
        that is its own reference has no difference. ``learned`` counts runs, on the tasks of the
        paper alone; see :func:`cortexrnn.theory.learned`.
    """
    fields = parameters.names("fields", fields)
    own_names = ("mean", "low", "high")
    rows = []
    for control in controls:
        for field in fields:
            own = runs_of(runs, control, field=field)
            other = runs_of(runs, control.reference, field=field)
            if control.is_reference:
                other = other.iloc[:0]
            other = other[other["seed"].isin(own["seed"])]  # so that means differ as pairs do
            for task, cell in own.groupby("task", sort=False):
                pairs = paired_differences(own, other, metric=metric, task=str(task))
                rows.append(
                    {
                        "control": control.name,
                        "reference": control.reference.name,
                        "field": field,
                        "task": task,
                        "runs": len(cell),
                        "diverged": int(cell["diverged"].sum()),
                        "learned": (
                            learned(str(task), cell["accuracy"]).sum() if task in TASKS else np.nan
                        ),
                        **dict(zip(own_names, t_interval(cell[metric]), strict=True)),
                        "reference_mean": other.loc[other["task"] == task, metric].mean(),
                        "pairs": len(pairs),
                        **dict(zip(DIFFERENCE, t_interval(pairs), strict=True)),
                    }
                )
    return pd.DataFrame(rows, columns=BESIDE_REFERENCE)


def load_pulls() -> pd.DataFrame:
    """Read how hard the penalty of every arm pulls at the start of training, and on what start.

    Returns
    -------
    DataFrame
        ``field, arm, pull, pull_self, pull_others``: mean absolute gradient of the penalty per
        weight, over all weights, over self-connections, over the rest. A weight that is zero at
        the start counts as not pulled. ``largest_self`` is the largest self-connection of the
        start. All are means over three seeds.
    """
    with (resources.files("cortexrnn") / "data" / "pulls.csv").open(encoding="utf-8") as file:
        table: pd.DataFrame = pd.read_csv(file)
    return table


def accuracy_by_pull(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Put the mean accuracy of every arm beside the pull of its penalty.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm and task with runs: ``arm, task, pull, mean, start, published``. Arms
        without a penalty, and those whose weights are mostly zero at the start, have no place on
        the axis of pulls and are left out.
    """
    arms = PUBLISHED_VARIANTS | CONTROLS
    pulls = load_pulls()
    pulls = pulls[(pulls["field"] == field) & (pulls["pull"] > 0)]
    rows = []
    for name, pull in zip(pulls["arm"], pulls["pull"], strict=True):
        for task, cell in runs_of(runs, arms[name], field=field).groupby("task", sort=False):
            rows.append(
                {
                    "arm": name,
                    "task": task,
                    "pull": pull,
                    "mean": cell["accuracy"].mean(),
                    "start": _kind_of_start(arms[name].variant),
                    "published": arms[name].group == "published",
                }
            )
    return pd.DataFrame(rows)


def _kind_of_start(variant: Variant) -> str:
    """Tell starts apart by whether anything of a functional relation is in them."""
    if variant.uses_function:
        return "functional"
    return "orthogonal" if variant.start == "orthogonal" else "other"


def largest_pulls(by_pull: pd.DataFrame, *, levels: Mapping[str, float]) -> pd.DataFrame:
    """Give the largest pull under which each base of the sweep is still above a level.

    Parameters
    ----------
    by_pull : DataFrame
        Rows of :func:`accuracy_by_pull`.
    levels : mapping of str to float
        For each task the mean accuracy that has to be exceeded.

    Returns
    -------
    DataFrame, shape (bases, tasks)
        One column per task of `levels`, whether a base gets above its level or not; one row per
        base that does so in any task. NaN where it does not.
    """
    rows = by_pull.reindex(columns=["arm", "task", "pull", "mean"])
    base = rows["arm"].astype(str).str.extract(r"^(\S+)(?: at (?:lambda|pull) .*)?$")[0]
    above = rows["mean"] > rows["task"].map(dict(levels)).astype(float)  # empty: no text
    reached = rows.assign(base=base)[base.isin(SWEPT) & above]
    largest = reached.groupby(["base", "task"], sort=False)["pull"].max().unstack("task")
    return largest.reindex(columns=list(levels))


def spread_in_words(pulls: pd.Series) -> str:
    """Say by what factor pulls differ between bases.

    Parameters
    ----------
    pulls : Series
        A column of :func:`largest_pulls`.

    Returns
    -------
    str
        Such as ``"a factor of about 30"``, or that fewer than two bases reach the level.
    """
    known = pulls.dropna()
    if len(known) < 2:
        return "not to be told, since fewer than two bases get there"
    return f"a factor of about {known.max() / known.min():.0f}"


def accuracy_by_strength(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the bases of the sweep at every strength that was run.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per base, strength and task with runs: ``arm, strength, task, runs, mean, low,
        high``, the published strength included.
    """
    published = PUBLISHED_VARIANTS | {"W": CONTROLS["W at lambda 0.3"]}
    arms: dict[tuple[str, float], Control] = {
        (base, strength): CONTROLS[f"{base} at lambda {strength:g}"]
        for base in SWEPT
        for strength in SWEEP
    } | {(base, STRENGTH): published[base] for base in SWEPT}
    return _accuracy_along(runs, arms, field=field, along="strength")


def accuracy_by_trials(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give the accuracy of the arms that meet further tasks by the number of their trials.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm, number and task with runs: ``arm, n_train, task, runs, mean, low, high``,
        the number of the paper included.
    """
    arms: dict[tuple[str, float], Control] = {}
    for name in MORE_TO_DO:
        few = {n_train: CONTROLS[f"{name}, {n_train:,} trials"] for n_train in FEW_TRIALS}
        for n_train, arm in (few | {PRESETS["paper"].n_train: _further(name, "harder")}).items():
            arms[name, n_train] = arm
    return _accuracy_along(runs, arms, field=field, along="n_train")


def _accuracy_along(
    runs: pd.DataFrame, arms: dict[tuple[str, float], Control], *, field: str, along: str
) -> pd.DataFrame:
    """Give the accuracy of every arm and task, sorted by arm and what is varied along."""
    rows = []
    names = list(dict.fromkeys(name for name, _ in arms))
    for name, value in sorted(arms, key=lambda key: (names.index(key[0]), key[1])):
        cells = runs_of(runs, arms[name, value], field=field).groupby("task", sort=False)
        for task, cell in cells:
            bounds = zip(("mean", "low", "high"), t_interval(cell["accuracy"]), strict=True)
            rows.append(
                {"arm": name, along: value, "task": task, "runs": len(cell), **dict(bounds)}
            )
    return pd.DataFrame(rows, columns=["arm", along, "task", "runs", "mean", "low", "high"])


def transfer(runs: pd.DataFrame, *, field: str) -> pd.DataFrame:
    """Give what a task learned before adds to the accuracy of another.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        One row per arm and pair of tasks with runs: ``arm, first_task, task, pairs, alone, after,
        difference, difference_low, difference_high``: accuracy after the first task less without,
        paired by seed.
    """
    rows = []
    for name in MORE_TO_DO:
        alone = runs_of(runs, _further(name, "harder"), field=field)
        for before, task in TRANSFERS:
            arm = CONTROLS[f"{name}, {TASKS[task].title} after {TASKS[before].title}"]
            after = runs_of(runs, arm, field=field)
            pairs = paired_differences(after, alone, task=task)
            same = alone[(alone["task"] == task) & alone["seed"].isin(after["seed"])]
            if len(pairs):
                rows.append(
                    {
                        "arm": name,
                        "first_task": before,
                        "task": task,
                        "pairs": len(pairs),
                        "alone": same["accuracy"].mean(),
                        "after": after["accuracy"].mean(),
                        **dict(zip(DIFFERENCE, t_interval(pairs), strict=True)),
                    }
                )
    columns = ["arm", "first_task", "task", "pairs", "alone", "after", *DIFFERENCE]
    return pd.DataFrame(rows, columns=columns)


def outcomes(
    runs: pd.DataFrame,
    *,
    fields: Sequence[str],
    predictions: Sequence[Prediction] = PREDICTIONS,
) -> pd.DataFrame:
    """Tell what became of the predictions.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.
    predictions : sequence of Prediction
        Which.

    Returns
    -------
    DataFrame
        One row per prediction and field on which it is judged: what it says, and ``field, pairs,
        difference, difference_low, difference_high, zero, outcome, says``. The interval lies
        ``"above"`` or ``"below"`` zero, or zero ``"inside"``. A prediction is ``"not run"`` while
        an arm lacks runs of a task that it is about. It ``says`` something against the reading of
        its claim, for it, or neither.
    """
    fields = parameters.names("fields", fields)
    arms = PUBLISHED_VARIANTS | CONTROLS
    rows = []
    for one in predictions:
        for field in filter(one.asked_on, fields):
            two = [arms[one.arm], arms[one.against]]
            both = [runs_of(runs, arm, field=field) for arm in two]
            shared = set(dict(two[0].tasks)) & set(dict(two[1].tasks))
            asked = {one.task} if one.task else shared
            whole = all(asked <= set(found["task"]) for found in both)
            values = paired_differences(*both, metric=one.metric, task=one.task)
            mean, low, high = t_interval(values)
            outcome = one.judge(low, high) if whole else "not run"
            says = {"confirmed": one.if_confirmed, "refuted": one.if_refuted}
            rows.append(
                vars(one)
                | {
                    "field": field,
                    "pairs": len(values),
                    "difference": mean,
                    "difference_low": low,
                    "difference_high": high,
                    "zero": "above" if low > 0 else "below" if high < 0 else "inside",
                    "outcome": outcome,
                    "says": says.get(outcome, outcome),
                }
            )
    return pd.DataFrame(rows)


COMPARED = ["field", "pairs", *DIFFERENCE]
"""Columns of :func:`compare`."""


def findings(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Tell whether what the claims are about is there, whatever carries it.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per claim and field where both arms of its finding have runs: ``claim, arm,
        against, metric, field, pairs, difference, difference_low, difference_high``.
    """
    fields = parameters.names("fields", fields)
    rows = []
    for key, claim in CLAIMS.items():
        arm, against = claim.finding
        named = {"claim": key, "arm": arm, "against": against, "metric": claim.metric}
        found = compare(runs, arm, against, fields=fields, metric=claim.metric)
        rows += [named | row for row in found.to_dict("records")]
    return pd.DataFrame(rows, columns=["claim", "arm", "against", "metric", *COMPARED])


def compare(
    runs: pd.DataFrame,
    arm: str,
    against: str,
    *,
    fields: Sequence[str],
    metric: str = "accuracy",
) -> pd.DataFrame:
    """Subtract one arm from another, field by field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    arm, against : str
        Names of controls or published variants.
    fields : sequence of str
        Names of the fields.
    metric : str
        Column of the archive; its mean over the tasks both arms share is compared.

    Returns
    -------
    DataFrame
        One row per field where both have runs: ``field, pairs, difference, difference_low,
        difference_high``; see :func:`paired_differences`.
    """
    fields = parameters.names("fields", fields)
    arms = PUBLISHED_VARIANTS | CONTROLS
    rows = []
    for field in fields:
        both = [runs_of(runs, arms[name], field=field) for name in (arm, against)]
        values = paired_differences(*both, metric=metric)
        if len(values):
            rows.append((field, len(values), *t_interval(values)))
    return pd.DataFrame(rows, columns=COMPARED)


LIKE_PULL = {
    "D* for D": ("WD*", "WD"),
    "D* for D, with C": ("WD*C", "WDC"),
    "C, with D": ("WDC", "WD"),
    "C, with D*": ("WD*C", "WD*"),
    "C, with D* and W*": ("W*D*C", "W*D*"),
}
"""By what a penalty gets, the variant that has it and the one that has not."""


def at_like_pull(runs: pd.DataFrame, *, fields: Sequence[str]) -> pd.DataFrame:
    """Tell what D* and C do where penalties pull alike.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    fields : sequence of str
        Names of the fields.

    Returns
    -------
    DataFrame
        One row per pair of ``LIKE_PULL``, pull and field where both have runs: ``prior, arm,
        against, pull, field, pairs, difference, difference_low, difference_high``; both arms are
        named by their variant, differences are those of accuracy as in :func:`compare`.
    """
    rows = []
    for prior, (arm, against) in LIKE_PULL.items():
        for pull in (STRONG_PULL, WEAK_PULL):
            named = {"prior": prior, "arm": arm, "against": against, "pull": pull}
            scaled = [f"{base} at pull {pull:g}" for base in (arm, against)]
            found = compare(runs, *scaled, fields=fields)
            rows += [named | row for row in found.to_dict("records")]
    return pd.DataFrame(rows, columns=["prior", "arm", "against", "pull", *COMPARED])


def in_words(table: pd.DataFrame, *, digits: int = 2) -> str:
    """Put rows of :func:`compare` into a line.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`compare`.
    digits : int
        Of numbers.

    Returns
    -------
    str
        Differences and intervals, each after its field; ``"not run yet"`` without rows.
    """
    found = readable(table, digits=digits)
    texts = found["field"] + ": " + found["difference"]
    return "; ".join(texts) or "not run yet"


def readable(table: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """Write every difference as a text that holds its interval.

    Parameters
    ----------
    table : DataFrame
        With the columns ``DIFFERENCE``.
    digits : int
        Digits after the point, of other numbers too.

    Returns
    -------
    DataFrame
        The same rows; ``difference`` is written by :func:`cortexrnn.inference.with_interval` and
        the two columns of its ends are gone.
    """
    values = table[DIFFERENCE].to_numpy(dtype=float)
    texts = [with_interval(*row, digits=digits) for row in values]
    rounded = table.drop(columns=DIFFERENCE[1:]).round(digits)
    return rounded.assign(difference=pd.Series(texts, index=table.index, dtype=object))


def verdicts(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Sum up claim by claim what the predictions came to.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`outcomes`.

    Returns
    -------
    DataFrame
        One row per claim: ``claim, paper, evidence, reading, against, for, open, not run,
        verdict``: how many predictions say something against the reading or for it, are open or
        not run, of those that can say anything of it. The verdict is ``not asked`` without any of
        these; ``not supported`` where none speaks for it and more than half of those that could
        speak against it do; ``supported`` where none speaks against it and more than half of those
        that could speak for it do; else, and as long as one is not run, ``open``. Where the reading
        is universal, one that speaks against it is enough, and all have to speak for it.
    """
    rows = []
    for key, claim in CLAIMS.items():
        asked = outcomes[outcomes["claim"] == key]
        could = asked[["if_confirmed", "if_refuted"]]
        asked = asked[(could != "neither").any(axis=1)]
        found = asked["says"].value_counts()
        counts = {name: int(found.get(name, 0)) for name in ("against", "for", "open", "not run")}
        verdict = "open" if len(asked) else "not asked"
        if claim.universal and counts["against"]:
            verdict = "not supported"
        elif not counts["not run"]:
            for side, other, name in (
                ("against", "for", "not supported"),
                ("for", "against", "supported"),
            ):
                able = (could == side).any(axis=1).sum()
                enough = counts[side] == able if claim.universal else counts[side] > able / 2
                if enough and able and not counts[other]:
                    verdict = name
        texts = {"paper": claim.paper, "evidence": claim.evidence, "reading": claim.reading}
        rows.append({"claim": key, **texts, **counts, "verdict": verdict})
    return pd.DataFrame(rows)


def sensitivity(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Tell which verdicts hang on what was decided about the predictions.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of :func:`outcomes`.

    Returns
    -------
    DataFrame
        Verdicts by claim: ``as stated``; ``none added`` without predictions that were added when
        runs of another field were known; ``half as wide`` and ``1.5 times as wide`` with other
        bounds of what counts as same and as lost.
    """
    ways = {
        "as stated": outcomes,
        "none added": outcomes[outcomes["known_on"].map(len) == 0],
        "half as wide": _with_bounds(outcomes, 0.5),
        "1.5 times as wide": _with_bounds(outcomes, 1.5),
    }
    return pd.DataFrame(
        {name: verdicts(way).set_index("claim")["verdict"] for name, way in ways.items()}
    )


def _with_bounds(outcomes: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Judge again with all bounds multiplied but those that stand for none."""
    names = [field.name for field in dataclass_fields(Prediction)]
    outcome, says = [], []
    for row in outcomes.to_dict("records"):
        one = Prediction(**{name: row[name] for name in names})
        low, high = (x if abs(x) == 1.0 else factor * x for x in (one.low, one.high))
        judged = replace(one, low=low, high=high).judge(
            row["difference_low"], row["difference_high"]
        )
        outcome.append(row["outcome"] if row["outcome"] == "not run" else judged)
        means = {"confirmed": one.if_confirmed, "refuted": one.if_refuted}
        says.append(means.get(outcome[-1], outcome[-1]))
    return outcomes.assign(outcome=outcome, says=says)
