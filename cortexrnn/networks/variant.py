"""Variants: where recurrent weights start and what is penalised.

The paper's eleven names follow a grammar: W, W* or W!, then D or D*, then C or C*. The variant of a
control is one of these with a switch changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypedDict, TypeVar, Unpack, get_args

from cortexrnn.fields.inputs.arguments import one_of, whole_number
from cortexrnn.networks.custom_penalty import CustomPenalty, find_penalty

__all__ = ["VARIANTS", "Variant", "control"]

Start = Literal["orthogonal", "functional", "permuted", "identity", "lognormal", "uniform"]
Distance = Literal[None, "grid", "soma", "random", "matched", "shuffled", "clusters"]
Communicability = Literal[None, "direct", "emd", "frozen"]
SelfConnections = Literal["kept", "removed", "only", "functional"]
Entries = Literal[
    "kept", "shuffled", "off_diagonal_shuffled", "resampled", "off_diagonal_resampled"
]
Scaling = Literal["standard", "none", "positive_part"]
SelfDistance = Literal["zero", "mean"]
Part = TypeVar("Part")

CHOICES: dict[str, tuple[str | None, ...]] = {
    "start": get_args(Start),
    "distance": get_args(Distance),
    "communicability": get_args(Communicability),
    "self_connections": get_args(SelfConnections),
    "entries": get_args(Entries),
    "scaling": get_args(Scaling),
    "self_distance": get_args(SelfDistance),
}
"""Values of the switches of a variant."""
STARTS: dict[Start, str] = {"orthogonal": "W", "functional": "W*", "permuted": "W!"}
"""Symbols of the paper for starts."""
DISTANCES: dict[Distance, str] = {None: "", "grid": "D", "soma": "D*"}
"""Symbols of the paper for distances."""
COMMUNICABILITIES: dict[Communicability, str] = {None: "", "direct": "C", "emd": "C*"}
"""Symbols of the paper for communicabilities."""
NEAREST = ("W", "D*", "C")
"""Symbols in the name of a control whose start, distance or communicability the paper lacks."""


class Switches(TypedDict, total=False):
    """What can be switched of a :class:`Variant`, for a type checker."""

    start: Start
    distance: Distance
    communicability: Communicability
    self_connections: SelfConnections
    entries: Entries
    scaling: Scaling
    self_distance: SelfDistance
    strong_self_connections: int | None
    penalty: CustomPenalty | str | None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One cell of the design: where recurrent weights start and what is penalised.

    Parameters
    ----------
    base : str
        The paper's name: ``W``, ``W*`` or ``W!``, then optionally ``D`` or ``D*``, then
        optionally ``C`` or ``C*``. It follows from the switches, whatever is given; a start,
        distance or communicability that the paper does not have counts as W, D* or C.
    start : {"orthogonal", "functional", "permuted", "identity", "lognormal", "uniform"}
        Orthogonal matrix (W), functional weights (W*), functional weights with neurons
        relabelled at random (W!); as controls the identity and matrices of independent lognormal
        or uniform entries, scaled to the spectral radius of functional weights.
    distance : {None, "grid", "soma", "random", "matched", "shuffled", "clusters"}
        Nothing, the grid (D), the soma positions (D*); as controls uniform random points, random
        points whose distances have the very values of D*, the values of D* exchanged at random
        between pairs, which leaves no geometry, or three clusters of points.
    communicability : {None, "direct", "emd", "frozen"}
        Nothing, the network's own communicability (C), its distance to that of the
        connectome (C*), or that of the initial weights held fixed (control).
    self_connections : {"kept", "removed", "only", "functional"}
        What becomes of the diagonal of functional weights (control); ``functional`` gives it to a
        start that has another.
    entries : {"kept", "shuffled", "off_diagonal_shuffled", "resampled", "off_diagonal_resampled"}
        What becomes of the entries of functional weights (control): exchanged at random, or drawn
        from their distribution onto the same places; all of them, or all but the diagonal.
    scaling : {"standard", "none", "positive_part"}
        ``standard``: what was changed about functional weights is scaled to their spectral radius
        again, and an orthogonal matrix is left as it is. ``none``: no scaling after the change.
        ``positive_part``: an orthogonal matrix is scaled until its positive part alone has the
        spectral radius of functional weights.
    self_distance : {"zero", "mean"}
        Distance of a unit to itself: zero, or the mean over all pairs, so that the penalty
        reaches self-connections as well (control).
    strong_self_connections : int, optional
        How many units, chosen at random, have a self-connection of the spectral radius of
        functional weights; all others then have none, and nothing is scaled (control). The first k
        units chosen for a seed are the same whatever the start, the task and the number.
    penalty : CustomPenalty or str, optional
        A penalty of one's own, or the name of a registered one, in place of the penalty that
        follows from distance and communicability, which are then None.

    See Also
    --------
    cortexrnn.networks.variant.VARIANTS : the eleven of the paper.
    """

    base: str
    start: Start
    distance: Distance = None
    communicability: Communicability = None
    self_connections: SelfConnections = "kept"
    entries: Entries = "kept"
    scaling: Scaling = "standard"
    self_distance: SelfDistance = "zero"
    strong_self_connections: int | None = None
    penalty: CustomPenalty | None = None

    def __post_init__(self) -> None:
        for switch, choices in CHOICES.items():
            one_of(switch, getattr(self, switch), choices)
        if self.strong_self_connections is not None:
            count = whole_number("strong_self_connections", self.strong_self_connections)
            object.__setattr__(self, "strong_self_connections", count)
        if self.penalty is not None:
            object.__setattr__(self, "penalty", find_penalty(self.penalty))
        # Equal variants have equal names, from which, for one, the permutation is drawn.
        base = STARTS.get(self.start, NEAREST[0])
        base += DISTANCES.get(self.distance, NEAREST[1])
        base += COMMUNICABILITIES.get(self.communicability, NEAREST[2])
        object.__setattr__(self, "base", base)
        from_function = self.start in ("functional", "permuted")
        rules = (
            (
                self.penalty is not None and bool(self.distance or self.communicability),
                "penalty",
                "takes the place of distance and communicability; choose W, W* or W! as the base, "
                "and prepare what the penalty needs of either in its method prepare",
            ),
            (
                self.communicability in ("direct", "frozen") and self.distance is None,
                "communicability",
                "weights a distance penalty, and distance is None; choose a distance",
            ),
            (
                self.self_distance != "zero" and self.distance is None,
                "self_distance",
                "changes distances, and distance is None; choose a distance",
            ),
            (
                self.self_connections in ("removed", "only") and not from_function,
                "self_connections",
                f"changes functional weights, and this variant starts {self.start}; choose a base "
                "with W* or W!",
            ),
            (
                self.self_connections == "functional" and from_function,
                "self_connections",
                "gives another start the diagonal of functional weights, which this one has; "
                "choose a base with W",
            ),
            (
                self.strong_self_connections is not None and self.self_connections != "kept",
                "strong_self_connections",
                f"replaces all self-connections, and self_connections={self.self_connections!r} "
                "changes them as well; choose one of the two",
            ),
            (
                self.entries != "kept" and not from_function,
                "entries",
                f"changes functional weights, and this variant starts {self.start}; choose a base "
                "with W* or W!",
            ),
            (
                self.scaling == "none" and self.entries == self.self_connections == "kept",
                "scaling",
                "is for functional weights that were changed, and nothing is; set entries or "
                "self_connections",
            ),
            (
                self.scaling == "none" and not from_function,
                "scaling",
                f"is for functional weights, and this variant starts {self.start}; choose a base "
                "with W* or W!",
            ),
            (
                self.scaling == "positive_part" and self.start != "orthogonal",
                "scaling",
                f"is for orthogonal weights, and this variant starts {self.start}; choose a base "
                "with W",
            ),
        )
        for broken, switch, why in rules:
            if broken:
                value = getattr(self, switch)
                shown = str(value) if switch == "penalty" else repr(value)
                raise ValueError(f"{self.base}: {switch}={shown} {why}")

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
        start, distance, communicability = (symbol or "" for symbol in match.groups())
        return cls(
            base=name,
            start=_read(start, STARTS),
            distance=_read(distance, DISTANCES),
            communicability=_read(communicability, COMMUNICABILITIES),
        )

    def switched(self, **switches: Unpack[Switches]) -> Variant:
        """Copy of the variant with some switches changed.

        Parameters
        ----------
        **switches
            Any attribute but ``base``.

        Returns
        -------
        Variant
            The changed variant.

        Raises
        ------
        ValueError
            If a switch or its value is unknown.
        """
        known = [f.name for f in fields(self) if f.name != "base"]
        for name in switches:
            one_of("switch", name, known)
        changed: dict[str, Any] = {**switches}
        return replace(self, **changed)

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
        from_function = self.start in ("functional", "permuted")
        return from_function or self.self_connections == "functional"

    def __str__(self) -> str:
        return self.name


def _read(symbol: str, known: dict[Part, str]) -> Part:
    """Find what a symbol of the paper stands for."""
    return next(part for part, written in known.items() if written == symbol)


VARIANTS = {
    name: Variant.parse(name)
    for name in (
        "W*D*C",
        "WD*C",
        "WDC",
        "WD*",
        "WD",
        "W",
        "W*D*C*",
        "WD*C*",
        "W*DC*",
        "W!D*C",
        "W!D*C*",
    )
}
"""The eleven variants of the paper in its order."""


def control(base: str, **switches: Unpack[Switches]) -> Variant:
    """Make a control: a variant with one or more switches changed.

    Parameters
    ----------
    base : str
        Name of a variant in the paper's grammar.
    **switches
        Any attribute of :class:`~cortexrnn.networks.variant.Variant` but its base.

    Returns
    -------
    Variant
        The control, named after its base and what was switched.

    Raises
    ------
    ValueError
        If the base, a switch or a value is unknown.

    Examples
    --------
    >>> control("W*D*C", self_connections="removed").name
    'W*D*C [self_connections=removed]'
    """
    return Variant.parse(base).switched(**switches)
