"""Controls: the conditions that differ in one thing from one of the paper.

An ablation tells what carries an effect only if its conditions differ in one thing. Every control
is a variant, published or not, with one switch, one strength or one sign changed. What was expected
of them stands in :mod:`cortexrnn.evidence.predictions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cortexrnn.networks.neurogym import GYM_TASKS
from cortexrnn.networks.specification import PRESETS, PUBLISHED, Protocol, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS, Variant

__all__ = ["CONTROLS", "Control", "runs_of"]

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
        Of :class:`~cortexrnn.networks.specification.RunSpec`, where they differ from the paper's.
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
            Its :attr:`~cortexrnn.fields.field.Field.hash_without_events`.
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


def on_further_tasks(name: str, group: str) -> Control:
    """Make an arm of ``MORE_TO_DO`` on the tasks of the paper, all trials, nothing before."""
    base, switches = MORE_TO_DO[name]
    return _control(name, base, group, against="W*D*C", **switches)


def _harder() -> Iterator[Control]:
    """List arms whose tasks have longer delays, fewer trials, or come after another."""
    for name, (_, switches) in MORE_TO_DO.items():
        plain = on_further_tasks(name, "harder")
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
        plain = on_further_tasks(name, "environments")
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
DECIDING_FIELD = "6_6_2"
"""The paper's own field, where only deciding controls are run."""


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
