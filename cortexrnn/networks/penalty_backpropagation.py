"""Value and gradient of penalties, written out.

:class:`cortexrnn.networks.penalties.Penalty` says what a penalty is, in a form that autograd can
differentiate; here the same is computed in few passes over memory that is allocated once, for
networks whose penalties are of one kind together. Tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cortexrnn.networks.communicability import DEGREE_12, SQUARINGS, ZERO_STRENGTH
from cortexrnn.networks.low_rank_communicability import LowRankExponential
from cortexrnn.networks.penalties import Penalty
from cortexrnn.networks.products import Products
from cortexrnn.networks.recurrence import buffer

__all__ = ["PenaltyWorkspace", "by_kind"]

MOST_CHANGES = 64
"""Changes of sign up to which slopes are put back without sorting places."""


def by_kind(penalties: Sequence[Penalty]) -> list[tuple[Penalty, list[int]]]:
    """Join penalties of one kind to one penalty of several networks.

    Parameters
    ----------
    penalties : sequence of Penalty
        One for each network.

    Returns
    -------
    list of (Penalty, list of int)
        A penalty whose tensors and strengths are those of its networks, and their places.
    """
    kinds: dict[tuple[object, ...], list[int]] = {}
    for i, penalty in enumerate(penalties):
        kinds.setdefault(_kind(penalty), []).append(i)
    return [(_joined([penalties[i] for i in places]), places) for places in kinds.values()]


def _kind(penalty: Penalty) -> tuple[object, ...]:
    """Name what penalties have in common that are evaluated together."""
    if _is_own(penalty):
        return (id(penalty),)
    given = (penalty.distance, penalty.frozen, penalty.target)
    rank = None if penalty.probes is None else penalty.probes.shape[-1]
    return (penalty.direct, rank, *(tensor is not None for tensor in given))


def _is_own(penalty: Penalty) -> bool:
    """Whether a penalty is computed in a way of its own, which autograd has to differentiate."""
    return type(penalty).__call__ is not Penalty.__call__


def _joined(penalties: Sequence[Penalty]) -> Penalty:
    """Make one penalty of those of several networks; what they share is not repeated."""
    first = penalties[0]
    if all(penalty is first for penalty in penalties):
        return first
    parts: dict[str, Any] = {}
    for name in ("distance", "frozen", "target", "probes", "strength", "emd_strength"):
        values = [getattr(penalty, name) for penalty in penalties]
        if isinstance(values[0], Tensor):
            shared = all(value is values[0] for value in values)
            parts[name] = values[0] if shared else torch.stack(values)
        elif any(value != values[0] for value in values):
            parts[name] = torch.tensor(values, dtype=torch.float64)
    return replace(first, **parts)


class PenaltyWorkspace:
    """Memory in which penalties of m networks of N neurons are evaluated.

    Parameters
    ----------
    like : Tensor
        Gives format and device.
    n_networks, n_neurons : int
        m and N.
    products : Products
        What multiplies.
    """

    def __init__(
        self, like: Tensor, *, n_networks: int, n_neurons: int, products: Products
    ) -> None:
        shape = (n_networks, n_neurons, n_neurons)
        self._magnitude, self._slope = (buffer(like, *shape) for _ in range(2))
        self._scratch = buffer(like, *shape)
        self._products = products
        self._exact: _Communicability | None = None
        self._low_rank: tuple[LowRankExponential, _Communicability] | None = None

    def backpropagate(self, penalty: Penalty, weights: Tensor, gradient: Tensor) -> Tensor:
        """Add the gradient of a penalty.

        Parameters
        ----------
        penalty : Penalty
            Of one kind for all networks, see :func:`by_kind`.
        weights : Tensor, shape (m, N, N)
            Recurrent weights.
        gradient : Tensor, shape (m, N, N)
            To which the gradient is added.

        Returns
        -------
        Tensor, shape (m,)
            Values of the penalty.
        """
        if _is_own(penalty):
            leaf = weights.detach().clone().requires_grad_()
            value = penalty(leaf)
            gradient += torch.autograd.grad([value.sum()], [leaf])[0]
            return value.detach()
        magnitude, slope = torch.abs(weights, out=self._magnitude), self._slope
        strength = _by_network(penalty.strength)
        fixed = penalty.distance
        if penalty.frozen is not None:
            fixed = penalty.frozen if fixed is None else fixed * penalty.frozen
        if fixed is not None:
            fixed = fixed.expand_as(slope)
        if penalty.direct:
            chain = self._chain(penalty.probes)
            c = chain.forward(magnitude, offset=0.0)
            cost = magnitude if fixed is None else torch.mul(magnitude, fixed, out=self._scratch)
            torch.mul(cost, strength, out=chain.upstream)
            torch.mul(c, strength if fixed is None else fixed, out=slope)
            if fixed is not None:
                slope.mul_(strength)
            value = chain.backward(slope)
        elif fixed is None:
            slope.fill_(1).mul_(strength)
            value = penalty.strength * magnitude.sum((-2, -1))
        else:
            torch.mul(fixed, strength, out=slope)
            value = torch.mul(slope, magnitude, out=self._scratch).sum((-2, -1))
        if penalty.target is not None:
            chain = self._chain(penalty.probes)
            c = chain.forward(magnitude, offset=ZERO_STRENGTH)
            value = value + penalty.emd_strength * _sorted_difference(
                c.flatten(1), penalty.target, slopes=chain.upstream.flatten(1)
            )
            chain.upstream.mul_(_by_network(penalty.emd_strength))
            chain.backward(slope)
        gradient.addcmul_(slope, torch.sign(weights, out=self._scratch))
        return value

    def _chain(self, probes: Tensor | None) -> _Communicability:
        """Memory for communicability, exact or of low rank, made when it is first needed."""
        like = self._magnitude
        n_networks, n_neurons = like.shape[:2]
        shape = (n_networks, n_neurons, n_neurons)
        if probes is None:
            if self._exact is None:
                self._exact = _Communicability(like, _Exponential(like, shape, self._products))
            return self._exact
        if self._low_rank is None:
            exponential = LowRankExponential(buffer(like, *shape), probes)
            self._low_rank = (exponential, _Communicability(like, exponential))
        self._low_rank[0].probes = probes
        return self._low_rank[1]


def _by_network(strength: float | Tensor) -> float | Tensor:
    """Shape the strengths (m,) of several networks like their weights."""
    return strength[:, None, None] if isinstance(strength, Tensor) else strength


class _Communicability:
    """Communicability of magnitudes (m, N, N), and the way back from its gradient."""

    def __init__(self, like: Tensor, exponential: _Exponential | LowRankExponential) -> None:
        self._exponential, shape = exponential, exponential.argument.shape
        self._ratio, self._value, self._product = (buffer(like, *shape) for _ in range(3))
        self.upstream = buffer(like, *shape)
        """Where the gradient by the communicability is put before :meth:`backward`."""

    def forward(self, magnitude: Tensor, *, offset: float) -> Tensor:
        """Compute C, see :func:`cortexrnn.networks.communicability.communicability`."""
        self._strength = magnitude.sum(-1, keepdim=True).add_(offset)
        root = self._strength.sqrt()
        torch.div(root, root.mT, out=self._ratio)
        self._ratio.diagonal(dim1=-2, dim2=-1).zero_()
        divisor = self._strength * self._exponential.divisor
        torch.div(magnitude, divisor, out=self._exponential.argument)
        return torch.mul(self._exponential.forward(), self._ratio, out=self._value)

    def backward(self, slope: Tensor) -> Tensor:
        """Add the gradient by the magnitudes; return the sum (m,) of C times its gradient."""
        weighted = torch.mul(self.upstream, self._value, out=self._product)
        out_of, into = weighted.sum(-1, keepdim=True), weighted.sum(-2).unsqueeze(-1)
        back = self._exponential.backward(self.upstream.mul_(self._ratio))
        through = torch.mul(back, self._exponential.argument, out=self._product)
        by_strength = (out_of - into).div_(2).sub_(through.sum(-1, keepdim=True))
        if self._exponential.divisor != 1:
            back.div_(self._exponential.divisor)
        slope.add_(back.add_(by_strength).div_(self._strength))
        return out_of.sum((-2, -1))


class _Exponential:
    """The exponential of :mod:`cortexrnn.networks.communicability`, and its gradient.

    Value and gradient together cost 12 matrix products, 18 in float64.
    """

    def __init__(self, like: Tensor, shape: tuple[int, int, int], products: Products) -> None:
        self._multiply, self._accumulate = products.multiply, products.add_product
        self._n_squarings = SQUARINGS[like.dtype]
        self._coefficients = like.new_tensor(DEGREE_12)[:, 1:].contiguous()
        arrays = {"x": 3, "dx": 3, "b": 4, "db": 4, "scratch": 1, "square": self._n_squarings}
        self._flat: dict[str, Tensor] = {}
        self._matrix: dict[str, Tensor] = {}
        self._operand: dict[str, Any] = {}
        for name, count in arrays.items():
            array = buffer(like, count, *shape)
            self._flat[name] = array.flatten(1)
            for i, one in enumerate(array):
                self._matrix[f"{name}{i}"] = one
                self._operand[f"{name}{i}"] = products.operand(one)
                self._operand[f"{name}{i}T"] = self._operand[f"{name}{i}"].swapaxes(-1, -2)
        self._diagonals = [
            self._matrix[f"b{i}"].diagonal(dim1=-2, dim2=-1) for i in range(len(DEGREE_12))
        ]
        self.argument = self._matrix["x0"]
        """Where the matrices are put before :meth:`forward`, over :attr:`divisor`."""
        self.divisor = 2**self._n_squarings
        self._results = ["b0", *(f"square{i}" for i in range(self._n_squarings))]

    def _product(self, left: str, right: str, out: str) -> None:
        """Multiply matrices by name; one whose name ends with T is transposed."""
        operand = self._operand
        self._multiply(operand[left], operand[right], out=operand[out])

    def _add_product(self, left: str, right: str, to: str) -> None:
        operand = self._operand
        self._accumulate(operand[left], operand[right], operand[to], operand["scratch0"])

    def forward(self) -> Tensor:
        """Exponential of :attr:`argument` times the divisor."""
        self._product("x0", "x0", "x1")
        self._product("x1", "x0", "x2")
        # Four sums of three matrices, as one thin product.
        torch.mm(self._coefficients, self._flat["x"], out=self._flat["b"])
        for diagonal, row in zip(self._diagonals, DEGREE_12, strict=True):
            diagonal.add_(row[0])
        self._add_product("b3", "b3", "b2")
        self._matrix["b1"].add_(self._matrix["b2"])
        self._add_product("b1", "b2", "b0")
        for root, square in pairwise(self._results):
            self._product(root, root, square)
        return self._matrix[self._results[-1]]

    def backward(self, upstream: Tensor) -> Tensor:
        """Gradient by :attr:`argument`; overwritten by the next call."""
        matrix = self._matrix
        matrix["db0"].copy_(upstream)
        for root in reversed(self._results[:-1]):
            self._product("db0", f"{root}T", "db1")
            self._product(f"{root}T", "db0", "db2")
            torch.add(matrix["db1"], matrix["db2"], out=matrix["db0"])
        self._product("db0", "b2T", "db1")
        self._product("b1T", "db0", "db2")
        matrix["db2"].add_(matrix["db1"])
        self._product("db2", "b3T", "db3")
        self._add_product("b3T", "db2", "db3")
        torch.mm(self._coefficients.T, self._flat["db"], out=self._flat["dx"])
        self._add_product("dx2", "x0T", "dx1")
        self._add_product("x1T", "dx2", "dx0")
        self._add_product("dx1", "x0T", "dx0")
        self._add_product("x0T", "dx1", "dx0")
        return matrix["dx0"]


def _sorted_difference(values: Tensor, target: Tensor, *, slopes: Tensor) -> Tensor:
    """Mean absolute difference of sorted values (m, K) and a sorted target; its gradient.

    The slope of a value is the sign of the difference at its rank.
    """
    if values.device.type != "cpu":
        ordered, order = values.sort(-1)
        difference = ordered - target
        slopes.scatter_(-1, order, difference.sign())
    else:  # numpy sorts three times as fast as torch there, but gives no places
        ordered = torch.from_numpy(np.sort(values.numpy(), axis=-1))
        difference = ordered - target
        for one in zip(slopes, values, ordered, difference.sign(), strict=True):
            _put_back(*one)
    slopes.div_(values.shape[-1])
    return difference.abs_().mean(-1)


def _put_back(slopes: Tensor, values: Tensor, ordered: Tensor, signs: Tensor) -> None:
    """Put signs (K,) back from the order of ranks to that of the values.

    Signs change at few ranks, so comparing values with those found there replaces sorting the
    values' places along with them. Zeros may share a sign, whatever their ranks: they are the
    diagonal of C, which no weight changes.
    """
    changes = torch.from_numpy(np.flatnonzero((signs[1:] != signs[:-1]).numpy()) + 1)
    tied = (ordered[changes] == ordered[changes - 1]) & (ordered[changes] != 0)
    if len(changes) > MOST_CHANGES or bool(tied.any()):
        slopes.scatter_(0, values.argsort(), signs)
    else:
        levels = torch.cat([signs[:1], signs[changes]])
        torch.take(levels, torch.bucketize(values, ordered[changes], right=True), out=slopes)
