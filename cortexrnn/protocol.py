"""What defines a run: the variant, the protocol, the preset and the full specification.

Everything here is plain data. A :class:`RunSpec` is complete: two runs with equal
:attr:`RunSpec.identity` are the same computation, and anything that changes a result is in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

__all__ = [
    "ARMS",
    "CORRECTED",
    "PRESETS",
    "PROTOCOLS",
    "PUBLISHED",
    "RELATIONS",
    "SIGNS",
    "Preset",
    "Protocol",
    "RunSpec",
    "Variant",
    "arm",
    "random_stream",
]

RELATIONS = ("correlation", "precision", "sttc", "response")
"""What can be made into functional weights W*; the paper has the first three."""

SIGNS = ("free", "positive")
"""Signs that recurrent weights may take."""

ARMS = {
    ("correlation", "free"): "corr",
    ("correlation", "positive"): "corr+sign",
    ("precision", "free"): "precision",
    ("precision", "positive"): "precision+sign",
    ("sttc", "free"): "sttc",
    ("sttc", "positive"): "sttc+sign",
    ("response", "free"): "response",
    ("response", "positive"): "response+sign",
}
"""Relation and sign together, as the folders of the authors' repository name them. Responses to
stimulation, which they do not have, follow the same pattern."""


def one_of(what: str, value: Any, choices: Any) -> None:
    """Refuse a value that is not among the choices.

    Parameters
    ----------
    what : str
        What the value is, for the message.
    value : object
        The value given.
    choices : iterable
        The values admitted.

    Raises
    ------
    ValueError
        If `value` is not one of `choices`.
    """
    if value not in choices:
        raise ValueError(f"unknown {what} {value!r}; choose one of {', '.join(map(str, choices))}")


def arm(relation: str, sign: str) -> str:
    """Name of the arm, such as ``corr`` or ``sttc+sign``.

    Parameters
    ----------
    relation : str
        One of :data:`RELATIONS`.
    sign : str
        One of :data:`SIGNS`.

    Returns
    -------
    str
        The arm.
    """
    one_of("relation", relation, RELATIONS)
    one_of("sign", sign, SIGNS)
    return ARMS[relation, sign]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One cell of the design: where recurrent weights start and what is penalised.

    Parameters
    ----------
    base : str
        The paper's name: ``W``, ``W*`` or ``W!``, then optionally ``D`` or ``D*``, then
        optionally ``C`` or ``C*``.
    start : {"orthogonal", "functional", "permuted"}
        Orthogonal matrix (W), functional weights (W*), functional weights with neurons
        relabelled at random (W!).
    distance : {None, "grid", "soma", "random"}
        Nothing, the grid (D), the soma positions (D*), or uniform random points (control).
    communicability : {None, "direct", "emd", "frozen"}
        Nothing, the network's own communicability (C), its distance to that of the
        connectome (C*), or that of the initial weights held fixed (control).
    self_connections : {"kept", "removed", "only"}
        What becomes of the diagonal of functional weights (control).

    See Also
    --------
    cortexrnn.models.VARIANTS : the eleven of the paper.
    """

    base: str
    start: str
    distance: str | None = None
    communicability: str | None = None
    self_connections: str = "kept"

    def __post_init__(self) -> None:
        one_of("start", self.start, ("orthogonal", "functional", "permuted"))
        one_of("distance", self.distance, (None, "grid", "soma", "random"))
        one_of("communicability", self.communicability, (None, "direct", "emd", "frozen"))
        one_of("self_connections", self.self_connections, ("kept", "removed", "only"))
        if self.communicability in ("direct", "frozen") and self.distance is None:
            raise ValueError(
                f"{self.base}: communicability={self.communicability!r} weights a distance "
                "penalty, and distance is None; choose a distance"
            )
        if self.self_connections != "kept" and self.start == "orthogonal":
            raise ValueError(
                f"{self.base}: self_connections={self.self_connections!r} changes functional "
                "weights, and this variant starts orthogonal; choose a base with W* or W!"
            )

    @classmethod
    def parse(cls, name: str) -> Variant:
        """Read a variant off its name in the paper.

        Parameters
        ----------
        name : str
            For example ``W*D*C``.

        Returns
        -------
        Variant
            The variant without any switch changed.

        Raises
        ------
        ValueError
            If the name does not follow the paper's grammar.
        """
        match = re.fullmatch(r"(W[*!]?)(D\*?)?(C\*?)?", name)
        if match is None:
            raise ValueError(
                f"unknown variant {name!r}; names are W, W* or W!, then D or D*, then C or C*, "
                "for example W*D*C"
            )
        weights, distance, communicability = match.groups()
        return cls(
            base=name,
            start={"W": "orthogonal", "W*": "functional", "W!": "permuted"}[weights],
            distance={None: None, "D": "grid", "D*": "soma"}[distance],
            communicability={None: None, "C": "direct", "C*": "emd"}[communicability],
        )

    def switched(self, **switches: Any) -> Variant:
        """Copy of the variant with some switches changed.

        Parameters
        ----------
        **switches
            Any of ``start``, ``distance``, ``communicability``, ``self_connections``.

        Returns
        -------
        Variant
            The changed variant, under the same base.

        Raises
        ------
        ValueError
            If a switch or its value is unknown.
        """
        known = [f.name for f in fields(self) if f.name != "base"]
        for name in switches:
            one_of("switch", name, known)
        return replace(self, **switches)

    @property
    def switches(self) -> dict[str, Any]:
        """Switches that differ from those of the base."""
        base = Variant.parse(self.base)
        names = [f.name for f in fields(self) if f.name != "base"]
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(base, n)}

    @property
    def name(self) -> str:
        """Name in the paper; for a control the base and what was switched."""
        changed = ", ".join(f"{k}={v}" for k, v in self.switches.items())
        return f"{self.base} [{changed}]" if changed else self.base

    @property
    def uses_function(self) -> bool:
        """Whether the start is made of a functional relation."""
        return self.start != "orthogonal"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the method is carried out: one switch per place where code and text differ.

    Parameters
    ----------
    name : str
        Short name for tables.
    coordinates : {"reshaped", "soma"}
        ``reshaped``: the (N, 3) positions are reshaped to (3, N) without a transpose, as in the
        released code, so a unit receives coordinates of other neurons. ``soma``: each unit has
        its own neuron's coordinates.
    plain_strength : {"unit", "lambda"}
        Strength of the plain penalty of variant ``W``: 1, as in the released code, or the
        same strength as in all other variants.
    grid_scale : {"index", "unit"}
        Grid coordinates as integer indices, as in the released code, or scaled to [0, 1] along
        each axis as soma positions are.
    """

    name: str
    coordinates: str = "reshaped"
    plain_strength: str = "unit"
    grid_scale: str = "index"

    def __post_init__(self) -> None:
        one_of("coordinates", self.coordinates, ("reshaped", "soma"))
        one_of("plain_strength", self.plain_strength, ("unit", "lambda"))
        one_of("grid_scale", self.grid_scale, ("index", "unit"))


PUBLISHED = Protocol(name="published")
"""What the released code does."""

CORRECTED = Protocol(
    name="corrected", coordinates="soma", plain_strength="lambda", grid_scale="unit"
)
"""What the text of the paper says."""

PROTOCOLS = {p.name: p for p in (PUBLISHED, CORRECTED)}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Size of an experiment.

    Parameters
    ----------
    n_seeds : int
        Runs per variant and task.
    epochs : int
        Passes over the training trials.
    n_train, n_validation : int
        Trials.
    """

    n_seeds: int
    epochs: int
    n_train: int
    n_validation: int


PRESETS = {
    "smoke": Preset(n_seeds=1, epochs=1, n_train=512, n_validation=256),
    "quick": Preset(n_seeds=3, epochs=10, n_train=5120, n_validation=2560),
    "paper": Preset(n_seeds=20, epochs=10, n_train=5120, n_validation=2560),
}


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything that defines one run.

    Parameters
    ----------
    field : str
        Name of the field.
    field_hash : str
        Its :attr:`cortexrnn.field.Field.hash_without_events`: events enter no run.
    variant : Variant or str
        What is trained; a string is read as a name of the paper.
    task : str
        Name of the task, see :func:`cortexrnn.gym.find_task`.
    seed : int
        Seed of everything that differs between simulations: functional weights, permutation,
        other initial weights, input noise.
    relation, sign : str
        See :data:`RELATIONS` and :data:`SIGNS`.
    protocol : Protocol
        Published or corrected, or one of your own.
    task_settings : mapping, optional
        Settings of the task that differ from the paper's.
    data_seed : int
        Seed of the trials; the published protocol draws them once for all simulations.
    n_train, n_validation, epochs, batch_size : int
        Size of training; batches are taken in fixed order.
    learning_rate : float
        Of Adam.
    input_noise : float
        Standard deviation of the Gaussian noise added to inputs while training.
    strength, emd_strength : float
        Lambda of the penalty and of the communicability distance.
    precision : {"float32", "float64"}
        Floating point format of training.
    """

    field: str
    field_hash: str
    variant: Variant
    task: str
    seed: int
    relation: str = "correlation"
    sign: str = "free"
    protocol: Protocol = PUBLISHED
    task_settings: tuple[tuple[str, Any], ...] = ()
    data_seed: int = 0
    n_train: int = 5120
    n_validation: int = 2560
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    input_noise: float = 0.05
    strength: float = 0.3
    emd_strength: float = 0.1
    precision: str = "float32"

    def __post_init__(self) -> None:
        if isinstance(self.variant, str):
            object.__setattr__(self, "variant", Variant.parse(self.variant))
        settings = tuple(sorted(dict(self.task_settings).items()))
        object.__setattr__(self, "task_settings", settings)
        one_of("relation", self.relation, RELATIONS)
        one_of("sign", self.sign, SIGNS)
        one_of("precision", self.precision, ("float32", "float64"))
        for name in ("n_train", "n_validation", "epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, not {value!r}")
        for name in ("seed", "data_seed"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 0:
                raise ValueError(f"{name} must be a whole number >= 0, not {value!r}")
        for name in ("learning_rate", "input_noise", "strength", "emd_strength"):
            value = getattr(self, name)
            if not np.isfinite(value) or value < 0:
                raise ValueError(f"{name} must be a finite number >= 0, not {value!r}")

    @property
    def arm(self) -> str:
        """Relation and sign together."""
        return arm(self.relation, self.sign)

    def resolved(self) -> dict[str, Any]:
        """Specification as plain data, without what cannot change the result.

        Returns
        -------
        dict
            The field by content rather than by name, the protocol without its name, and the
            relation only where the start is made of one.
        """
        plain = asdict(self)
        del plain["field"], plain["protocol"]["name"], plain["variant"]["base"]
        if not self.variant.uses_function:
            plain["relation"] = None
        return plain

    @property
    def identity(self) -> str:
        """Hash of the resolved specification, 32 hexadecimal digits."""
        text = json.dumps(self.resolved(), sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    """Turn numpy scalars into Python ones; anything else has no place in a specification."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be part of a specification")


def random_stream(seed: int, *labels: str) -> np.random.Generator:
    """Random generator for one purpose of one seed.

    Streams of different labels are independent, so that no draw shifts another: runs of one
    seed share, for example, input noise whatever their variants draw besides.

    Parameters
    ----------
    seed : int
        Seed of the run or of the data.
    *labels : str
        What the numbers are for.

    Returns
    -------
    numpy.random.Generator
        The same sequence for the same arguments, on every machine.
    """
    digest = hashlib.sha256("\0".join(labels).encode()).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
