"""Penalties on recurrent weights: distance, communicability, and a user's own.

Source: penalty functions of the code released with Shakiba et al. 2026 (arXiv:2606.14975).
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cortexrnn.fields.field import Field
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import (
    ZERO_STRENGTH,
    communicability,
    empirical_communicability,
)
from cortexrnn.networks.custom_penalty import CustomPenalty, call_value, check_values
from cortexrnn.networks.low_rank_communicability import draw_probes
from cortexrnn.networks.specification import (
    EMD_STRENGTH,
    PUBLISHED,
    STRENGTH,
    GridScale,
    Protocol,
    RunSpec,
    random_stream,
)
from cortexrnn.networks.variant import Distance, Variant

__all__ = [
    "RANDOM_DISTANCES",
    "GradientSizes",
    "Penalty",
    "gradient_sizes",
    "penalty",
    "penalty_of",
    "unit_distances",
]


RANDOM_DISTANCES: tuple[Distance, ...] = ("random", "matched", "shuffled", "clusters")
"""Distances that are drawn anew for every seed."""


def unit_distances(
    variant: Variant,
    field: Field,
    *,
    protocol: Protocol = PUBLISHED,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float64] | None:
    """Distances between the units of a variant.

    Parameters
    ----------
    variant : Variant
        Its switches ``distance`` and ``self_distance`` decide.
    field : Field
        The field.
    protocol : Protocol
        Switches ``coordinates`` and ``grid_scale``.
    rng : numpy.random.Generator, optional
        Needed for :data:`RANDOM_DISTANCES` only.

    Returns
    -------
    ndarray, shape (N, N), or None
        None for a variant without distances.

    Raises
    ------
    ValueError
        If random distances are asked for without `rng`.
    """
    if variant.distance is None:
        return None
    if variant.distance in RANDOM_DISTANCES and rng is None:
        raise ValueError(f"{variant.name}: random distances need rng, a numpy Generator")
    soma = priors.distances(priors.scaled_positions(field, coordinates=protocol.coordinates))
    result = _distances(variant.distance, field, soma, protocol.grid_scale, rng)
    if variant.self_distance == "mean":
        np.fill_diagonal(result, priors.mean_distance(result))
    return result


def _distances(
    kind: Distance,
    field: Field,
    soma: NDArray[np.float64],
    grid_scale: GridScale,
    rng: np.random.Generator | None,
) -> NDArray[np.float64]:
    """Distances of one kind; those of the somata set the scale of some."""
    if kind == "soma":
        return soma
    if kind == "grid":
        points = priors.grid_coordinates(
            field.grid, field.n_neurons, scale="unit" if grid_scale == "unit" else "index"
        )
        grid = priors.distances(points)
        return _to_mean_of(soma, grid) if grid_scale == "matched" else grid
    assert rng is not None  # the caller has checked
    if kind == "shuffled":
        return priors.shuffled_distances(soma, rng=rng)
    if kind == "clusters":
        points = priors.clustered_points(field.n_neurons, rng=rng)
        return _to_mean_of(soma, priors.distances(points))
    points = priors.distances(rng.random((field.n_neurons, 3)))
    return priors.matched_distances(points, soma) if kind == "matched" else points


def _to_mean_of(
    reference: NDArray[np.float64], distances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale distances to the mean of others."""
    return distances * (priors.mean_distance(reference) / priors.mean_distance(distances))


@dataclass(frozen=True, eq=False)
class Penalty:
    """Penalty on recurrent weights, a function of a batch of networks.

    Calling it with weights of shape (M, N, N) gives M values, each a function of its own
    network alone. Networks have tensors and strengths in common, or each its own.

    Parameters
    ----------
    strength : float or Tensor, shape (M,)
        Factor of the distance term.
    distance : Tensor, shape (N, N) or (M, N, N), or None
        Weight of each connection's cost; None costs every connection 1.
    direct : bool
        Whether the cost is multiplied by the network's communicability.
    frozen : Tensor, shape (N, N) or (M, N, N), or None
        Communicability that is multiplied instead and stays as it is.
    target : Tensor, shape (N * N,) or (M, N * N), or None
        Sorted communicability of the connectome.
    emd_strength : float or Tensor, shape (M,)
        Factor of the mean absolute difference of sorted communicabilities.
    probes : Tensor, shape (N, rank - 1) or (M, N, rank - 1), or None
        With them the network's communicability is approximated, see
        :mod:`cortexrnn.networks.low_rank_communicability`.
    """

    strength: float | Tensor
    distance: Tensor | None = None
    direct: bool = False
    frozen: Tensor | None = None
    target: Tensor | None = None
    emd_strength: float | Tensor = 0.0
    probes: Tensor | None = None

    def __call__(self, weights: Tensor) -> Tensor:
        """Value of the penalty.

        Parameters
        ----------
        weights : Tensor, shape (M, N, N)
            Recurrent weights.

        Returns
        -------
        Tensor, shape (M,)
            One value per network.
        """
        cost = weights.abs()
        if self.distance is not None:
            cost = cost * self.distance
        if self.direct:
            cost = cost * communicability(weights, probes=self.probes)
        if self.frozen is not None:
            cost = cost * self.frozen
        value = self.strength * cost.sum((-2, -1))
        if self.target is not None:
            value = value + self.emd_strength * self._emd(weights, self.target)
        return value

    def _emd(self, weights: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference of sorted communicabilities, shape (M,)."""
        c = communicability(weights, strength_offset=ZERO_STRENGTH, probes=self.probes)
        return (c.flatten(-2).sort(-1).values - target).abs().mean(-1)

    def to(self, like: Tensor) -> Penalty:
        """Copy with tensors of the format and device of another tensor.

        Parameters
        ----------
        like : Tensor
            For example the weights that will be penalised.

        Returns
        -------
        Penalty
            The moved penalty.
        """
        moved = copy.copy(self)
        for name, value in vars(self).items():
            object.__setattr__(moved, name, _moved(value, like))
        return moved


@dataclass(frozen=True, eq=False)
class PreparedPenalty(Penalty):
    """A penalty of one's own on a field, from a start.

    Parameters
    ----------
    strength : float
        Factor of its value.
    custom : CustomPenalty
        What gives the value.
    arrays : dict of str to Tensor
        What it prepared.
    """

    custom: CustomPenalty = dataclass_field(kw_only=True)
    arrays: dict[str, Tensor] = dataclass_field(kw_only=True)

    def __call__(self, weights: Tensor) -> Tensor:
        """Value of the penalty.

        Parameters
        ----------
        weights : Tensor, shape (M, N, N)
            Recurrent weights.

        Returns
        -------
        Tensor, shape (M,)
            One value per network.
        """
        # On a processor each network by itself, so that no bit depends on those beside it.
        cpu = weights.device.type == "cpu"
        parts = [one.clone().unsqueeze(0) for one in weights.unbind()] if cpu else [weights]
        return self.strength * torch.cat([call_value(self.custom, p, self.arrays) for p in parts])

    @property
    def content(self) -> Hashable:
        """What it is made of: networks whose penalties have equal content can share one."""
        digest = hashlib.sha256(json.dumps(self.custom.definition, sort_keys=True).encode())
        for name in sorted(self.arrays):
            array = self.arrays[name].numpy()
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return self.strength, digest.hexdigest()


def _moved(value: Any, like: Tensor) -> Any:
    """Move tensors, also those in a dict; only real numbers have their format changed."""
    if isinstance(value, Tensor):
        return value.to(like) if value.is_floating_point() else value.to(like.device)
    if isinstance(value, dict):
        return {name: _moved(one, like) for name, one in value.items()}
    return value


def penalty(
    variant: Variant | str,
    field: Field,
    *,
    protocol: Protocol = PUBLISHED,
    strength: float = STRENGTH,
    emd_strength: float = EMD_STRENGTH,
    communicability_rank: int | None = None,
    initial_weights: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> Penalty:
    """Build the penalty of a variant on a field.

    Parameters
    ----------
    variant : Variant or str
        Variant, control, or a name of the paper.
    field : Field
        Gives positions, grid and connectome.
    protocol : Protocol
        Published or corrected.
    strength, emd_strength : float
        Lambda of the distance term and of the communicability distance.
    communicability_rank : int, optional
        Approximates the network's communicability, see
        :mod:`cortexrnn.networks.low_rank_communicability`; a frozen one is exact.
    initial_weights : array_like, shape (N, N) or (M, N, N), optional
        Weights before training; needed for ``communicability="frozen"``,
        ``strength_unit="gradient"`` and a penalty of one's own (N, N) only. The strength follows
        the mean over M networks. Where the gradient is zero or not finite, as at weights that are
        all zero, there is no strength in units of it and the penalty's is infinite or NaN: a run
        with it diverges in its first epoch.
    rng : numpy.random.Generator, optional
        Needed for :data:`RANDOM_DISTANCES` and a penalty of one's own only.

    Returns
    -------
    Penalty
        A function of weights (M, N, N) to values (M,), in float64 until moved.

    Raises
    ------
    ValueError
        If the variant is unknown, an argument it needs is missing, or the rank is not from 1 to
        N.
    """
    if isinstance(variant, str):
        variant = Variant.parse(variant)
    by_lambda = protocol.strength_unit == "lambda"
    if variant.penalty is not None:
        start = _given(initial_weights, f"{variant.name}: a penalty of one's own")
        prepared = _prepared(variant.penalty, field, start, rng)
        if not by_lambda:
            strength = _in_units(strength, gradient_sizes(prepared, start.unsqueeze(0)).overall)
        return replace(prepared, strength=strength)
    if by_lambda and variant.distance is None and protocol.plain_strength == "unit":
        strength = 1.0
    distances = unit_distances(variant, field, protocol=protocol, rng=rng)
    parts: dict[str, Any] = {}
    if distances is not None:
        parts["distance"] = torch.from_numpy(distances)
    if variant.communicability == "direct":
        parts["direct"] = True
    if communicability_rank is not None and variant.communicability in ("direct", "emd"):
        parts["probes"] = draw_probes(field.n_neurons, communicability_rank)
    if variant.communicability == "frozen":
        start = _given(initial_weights, f"{variant.name}: a frozen communicability")
        parts["frozen"] = communicability(start)
    if not by_lambda:
        start = _given(initial_weights, f"{variant.name}: a strength in units of the gradient")
        plain = Penalty(strength=1.0, **parts)
        sizes = gradient_sizes(plain, start.reshape(-1, *start.shape[-2:]))
        strength = _in_units(strength, sizes.overall.mean())
    if variant.communicability == "emd":
        target = empirical_communicability(field.connectome)
        parts["target"] = torch.from_numpy(np.sort(target, axis=None))
        parts["emd_strength"] = emd_strength
    return Penalty(strength=strength, **parts)


def penalty_of(spec: RunSpec, field: Field, initial_weights: ArrayLike) -> Penalty:
    """Build the penalty with which a run is trained.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.
    initial_weights : array_like, shape (N, N)
        Its weights before training.

    Returns
    -------
    Penalty
        As :func:`penalty` makes it from the variant, the protocol, the strengths and the seed.
    """
    return penalty(
        spec.variant,
        field,
        protocol=spec.protocol,
        strength=spec.strength,
        emd_strength=spec.emd_strength,
        communicability_rank=spec.communicability_rank,
        initial_weights=initial_weights,
        rng=random_stream(spec.seed, "random points"),
    )


class GradientSizes(NamedTuple):
    """Mean magnitude of the gradient of a penalty per weight, of M networks.

    Attributes
    ----------
    overall : Tensor, one value a network
        Over all N^2 weights, self-connections included.
    self_connections : Tensor, one value a network
        Over the N self-connections.
    others : Tensor, one value a network
        Over the rest.
    """

    overall: Tensor
    self_connections: Tensor
    others: Tensor


def gradient_sizes(penalty: Penalty, weights: Tensor) -> GradientSizes:
    """Measure the magnitude of a penalty's gradient.

    At the weights before training this is what the book calls the penalty gradient. Where a weight
    is exactly zero, its magnitude is taken to have gradient zero.

    Parameters
    ----------
    penalty : Penalty
        The penalty.
    weights : Tensor, shape (M, N, N)
        Recurrent weights.

    Returns
    -------
    GradientSizes
        Means over all weights, over self-connections, over the rest.
    """
    leaf = weights.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(penalty(leaf).sum(), leaf)
    size = gradient.abs()
    diagonal = torch.eye(size.shape[-1], dtype=torch.bool, device=size.device)
    return GradientSizes(
        overall=size.mean((-2, -1)),
        self_connections=size[..., diagonal].mean(-1),
        others=size[..., ~diagonal].mean(-1),
    )


def _in_units(strength: float, gradient: Tensor) -> float:
    """Divide a strength by the gradient of a penalty; infinite where there is none."""
    unit = float(gradient)
    if unit == 0 and strength > 0:
        return math.inf
    return strength / unit if unit != 0 else strength


def _prepared(
    custom: CustomPenalty, field: Field, start: Tensor, rng: np.random.Generator | None
) -> PreparedPenalty:
    """Prepare a penalty of one's own, of strength 1, and try it on the start."""
    if rng is None:
        raise ValueError(f"penalty {custom.name!r} needs rng, a numpy Generator")
    prepared = custom.prepare(field, initial_weights=start.numpy().copy(), rng=rng)
    arrays = {name: torch.tensor(np.asarray(value)) for name, value in prepared.items()}
    check_values(custom, arrays, start)
    return PreparedPenalty(strength=1.0, custom=custom, arrays=arrays)


def _given(initial_weights: ArrayLike | None, what: str) -> Tensor:
    """Weights before training, if they were given."""
    if initial_weights is None:
        raise ValueError(f"{what} needs initial_weights")
    return torch.as_tensor(np.asarray(initial_weights, dtype=float))
