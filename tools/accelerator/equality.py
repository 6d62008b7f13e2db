"""Whether an accelerator computes what autograd and the processor do.

Networks are trained for ten updates, with a penalty of every kind, by the gradients that the
package has written out, on the device and on the processor, and by autograd with the penalty's
formula and torch's own exponential and sort.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.device import processor_settings
from cortexrnn.networks.ensemble import RNNEnsemble, logits
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.priors import functional_weights
from cortexrnn.networks.variant import control

if TYPE_CHECKING:
    from tools.accelerator.parts import Context


@dataclass(frozen=True)
class Reach(CustomPenalty):
    """A penalty of one's own: squared weights times distance."""

    name = "accelerator-check"

    def prepare(
        self, field: Field, *, initial_weights: np.ndarray, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Prepare random costs."""
        return {"cost": rng.random(initial_weights.shape)}

    def value(self, weights: Tensor, **arrays: Tensor) -> Tensor:
        """Sum the squares of weights, each times its cost."""
        return (weights**2 * arrays["cost"]).sum((-2, -1))


UPDATES = 10
MIXED = ("plain", "direct", "emd", "frozen", "custom")
"""Penalties of the networks of an ensemble in which each has another."""
TOLERANCE = {
    "float32": {"loss": 5e-4, "weights": 2e-2},
    "float64": {"loss": 1e-12, "weights": 1e-9},
}
"""Largest relative differences: of losses, and of weights as a part of the way that they went in
ten updates. Adam divides a gradient by its size, so that where one is near zero its rounding moves
a weight as much as any other."""
TF32_TOLERANCE = {"loss": 1e-2, "weights": 0.5}
"""The same in float32 where products have 10 bits."""


def penalty_kinds(field: Field, start: np.ndarray) -> dict[str, list[Penalty]]:
    """Make a penalty of every kind for some networks.

    Parameters
    ----------
    field : Field
        The field.
    start : ndarray, shape (M, N, N)
        Initial weights.

    Returns
    -------
    dict of str to list of Penalty
        One for each network, by kind; ``mixed`` has another kind for each of its networks.
    """

    def one(variant: Any, **given: Any) -> list[Penalty]:
        return [penalty(variant, field, **given)] * len(start)

    def each(variant: Any) -> list[Penalty]:
        rng = np.random.default_rng
        return [
            penalty(variant, field, initial_weights=w, rng=rng(i), strength=0.1)
            for i, w in enumerate(start)
        ]

    kinds = {
        "none": [Penalty(strength=0.0)] * len(start),
        "plain": one("W"),
        "distance": one("WD*"),
        "direct": one("W*D*C"),
        "frozen": each(control("W*D*C", communicability="frozen")),
        "emd": one("W*D*C*"),
        "custom": each(control("W*", penalty=Reach())),
        "positive": one("W*D*C"),
    }
    kinds["mixed"] = [kinds[name][0] for name in MIXED]
    return kinds


def equality(context: Context) -> dict[str, Any]:
    """Train by the written-out gradients, by autograd, and on the processor, and compare.

    Parameters
    ----------
    context : Context
        Where and how large.

    Returns
    -------
    dict
        Largest relative differences for every format, kind of penalty and other side, and whether
        all are within tolerance.
    """
    field = load_field(f"surrogate_{context.size.equality}")
    with processor_settings(field.n_neurons):
        return _compared(field, context)


def _compared(field: Field, context: Context) -> dict[str, Any]:
    """Train all kinds in both formats in three ways."""
    drawn = _parameters(field, len(MIXED))
    kinds, rows = penalty_kinds(field, drawn["recurrent"].numpy()), []
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        tolerance = TOLERANCE[name]
        if context.tf32 and dtype == torch.float32:
            tolerance = TF32_TOLERANCE
        start = {key: value.to(dtype) for key, value in drawn.items()}
        batches = list(_batches(len(MIXED), dtype))
        for kind, penalties in kinds.items():
            odd = kind == "mixed"
            positive = [kind == "positive" or (odd and i % 2 == 1) for i in range(len(MIXED))]
            make = (start, penalties, positive, batches)
            here = _written_out(*make, device=context.device)
            others = {
                "autograd": _by_autograd(*make, device=context.device),
                "processor": _written_out(*make, device=torch.device("cpu")),
            }
            for other, (losses, weights) in others.items():
                apart = {
                    "loss": _relative(here[0], losses),
                    "weights": _apart(here[1], weights, start),
                }
                fits = all(apart[key] <= tolerance[key] for key in apart)
                rows.append(
                    {"format": name, "penalty": kind, "other": other, **apart, "within": fits}
                )
    wrong = [row for row in rows if not row["within"]]
    return {
        "neurons": field.n_neurons, "updates": UPDATES, "tolerance": TOLERANCE, "rows": rows,
        "agrees": not wrong,
    }  # fmt: skip


def _parameters(field: Field, count: int) -> dict[str, Tensor]:
    """Draw initial parameters of some networks, float64 on the processor."""
    generator = torch.Generator().manual_seed(1)
    n = field.n_neurons

    def draw(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, dtype=torch.float64)

    starts = [functional_weights(field, rng=np.random.default_rng(i)) for i in range(count)]
    recurrent = torch.from_numpy(np.stack(starts))
    return {
        "input": 0.3 * draw(3, n),
        "recurrent": recurrent + 0.1 * draw(n, n) / n**0.5,
        "bias": 0.1 * draw(n),
        "output": 0.3 * draw(n, 2),
        "output_bias": draw(2),
    }


def _batches(count: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw the trials of ten updates, in turns common to all networks and for each."""
    generator = torch.Generator().manual_seed(2)
    for i in range(UPDATES):
        shape = (9, 16, 3) if i % 2 else (count, 9, 16, 3)
        inputs = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        yield inputs, torch.randint(0, 2, (16,), generator=generator)


Trained = tuple[Tensor, dict[str, Tensor]]


def _written_out(
    start: dict[str, Tensor],
    penalties: Sequence[Penalty],
    positive: Sequence[bool],
    batches: Sequence[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
) -> Trained:
    """Train as the package does; losses (updates, M) and parameters, float64 on the processor."""
    parameters = {key: value.to(device) for key, value in start.items()}
    ensemble = RNNEnsemble(parameters, penalties=penalties, positive=positive)
    losses = [ensemble.step(x.to(device), y.to(device))[0].cpu() for x, y in batches]
    weights = {key: value.cpu().double() for key, value in ensemble.parameters.items()}
    return torch.stack(losses).double(), weights


def _by_autograd(
    start: dict[str, Tensor],
    penalties: Sequence[Penalty],
    positive: Sequence[bool],
    batches: Sequence[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
) -> Trained:
    """Train by autograd and the textbook form of Adam in Keras."""
    parameters = {key: value.to(device) for key, value in start.items()}
    moved = [one.to(parameters["recurrent"]) for one in penalties]
    first, second = ({k: torch.zeros_like(v) for k, v in parameters.items()} for _ in range(2))
    losses = []
    for i, (inputs, targets) in enumerate(batches, 1):
        leaves = {k: v.detach().clone().requires_grad_() for k, v in parameters.items()}
        scores, classes = logits(leaves, inputs.to(device)), targets.to(device)
        each = torch.stack(
            [
                torch.nn.functional.cross_entropy(scores[m], classes)
                + plain_value(moved[m], leaves["recurrent"][m])
                for m in range(len(moved))
            ]
        )
        gradients = torch.autograd.grad(each.sum(), list(leaves.values()))
        rate = 1e-3 * (1 - 0.999**i) ** 0.5 / (1 - 0.9**i)
        for key, gradient in zip(leaves, gradients, strict=True):
            first[key].mul_(0.9).add_(0.1 * gradient)
            second[key].mul_(0.999).add_(0.001 * gradient**2)
            step = rate * first[key] / (second[key].sqrt() + 1e-7)
            parameters[key] = parameters[key] - step
        keep = torch.tensor(positive, device=device)[:, None, None]
        recurrent = parameters["recurrent"]
        parameters["recurrent"] = torch.where(keep, recurrent.clamp(min=0), recurrent)
        losses.append(each.detach().cpu())
    return torch.stack(losses).double(), {k: v.cpu().double() for k, v in parameters.items()}


def plain_value(penalty: Any, weights: Tensor) -> Tensor:
    """Value of a penalty by its formula alone, with torch's own exponential and sort.

    Parameters
    ----------
    penalty : Penalty
        The penalty.
    weights : Tensor, shape (N, N)
        Recurrent weights.

    Returns
    -------
    Tensor
        One number.
    """
    if (custom := getattr(penalty, "custom", None)) is not None:
        value: Tensor = penalty.strength * custom.value(weights[None], **penalty.arrays)[0]
        return value
    cost = weights.abs()
    if penalty.distance is not None:
        cost = cost * penalty.distance
    if penalty.direct:
        cost = cost * _communicability(weights, 0.0)
    if penalty.frozen is not None:
        cost = cost * penalty.frozen
    value = penalty.strength * cost.sum()
    if penalty.target is not None:
        entries = _communicability(weights, 1e-10).flatten().sort().values
        value = value + penalty.emd_strength * (entries - penalty.target).abs().mean()
    return value


def _communicability(weights: Tensor, offset: float) -> Tensor:
    """Communicability (N, N) as the paper writes it."""
    size = weights.abs()
    root = (size.sum(-1) + offset).sqrt()
    off_diagonal = 1 - torch.eye(len(weights), dtype=weights.dtype, device=weights.device)
    return torch.linalg.matrix_exp(size / (root[:, None] * root[None, :])) * off_diagonal


def _relative(one: Tensor, other: Tensor) -> float:
    """Largest relative difference."""
    return float(((one - other).abs() / other.abs().clamp(min=1e-30)).max())


def _apart(one: dict[str, Tensor], other: dict[str, Tensor], start: dict[str, Tensor]) -> float:
    """Largest distance of the parameters of a network, as a part of the way from the start."""
    return max(
        float((_length(one[key] - other[key]) / _length(other[key] - start[key].double())).max())
        for key in one
    )


def _length(values: Tensor) -> Tensor:
    """Euclidean length of the values of each network."""
    return values.flatten(1).norm(dim=1)
