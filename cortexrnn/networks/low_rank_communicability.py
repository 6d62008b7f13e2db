r"""Communicability of large networks, at a cost of N^2 instead of N^3.

Communicability counts walks: with P the weights' magnitudes divided by their row sums, entry (i, j)
of exp(P) sums over all walks from i to j, those of n steps with weight 1 / n!. What is approximated
follows from how walks behave:

- **Walks that move at most once**, staying on self-connections as often as they like, are summed
  exactly. With d the diagonal of P, they are e^d on the diagonal and P_ij phi(d_i, d_j) off it,
  where phi(x, y) = (e^x - e^y) / (x - y) is the divided difference of the exponential. Everything
  that is particular to a pair of neurons is in them.
- **Walks that move more often** mix over all neurons on their way, so that their sum T is a smooth
  matrix of low rank. It is kept on the span of `rank` columns on either side,
  T ~ A A'T + T B B' - A A'T B B' with orthonormal A and B. The first column of both is constant,
  which makes every row sum exact; the others are random probes that walked two moves, which turns
  them towards what is large in T (a randomised range finder, Halko, Martinsson and Tropp 2011). The
  products T B and A'T need no T: the exponential acts on few columns by its Taylor series.

A rank of N gives the exponential itself, in float32 with fewer digits than the exact one where a
matrix is all but diagonal: with other entries of 1e-6 a gradient is off by half a per cent. The
probes are the same for every network of a size, so that the approximation is a function of the
weights, like the exponential, and training draws nothing for it.

Sampling instead, of columns of the exponential or of random signs (Hutchinson 1990), has the right
mean, but every update then sees the penalty of few neurons, magnified: with 64 of 160 columns the
error of a gradient is 1.3 to 9 times the gradient, which Adam answers with smaller steps. With rank
16 it is 1 to 5 % of the gradient of the cost weighted by communicability, at 70 to 1,024 neurons,
and up to 18 % of that of the distance to another communicability, while networks are trained. It
has no zero mean: runs of W*D*C ended at a lower penalty than with the exact communicability, so
that runs that are compared need the same rank.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from cortexrnn.networks.specification import random_stream

__all__ = ["RANK", "LowRankExponential", "draw_probes", "low_rank_exponential"]

RANK = 16
"""A rank that is close enough for training."""


def draw_probes(n_neurons: int, rank: int) -> Tensor:
    """Draw the columns that find what is large in a matrix.

    Parameters
    ----------
    n_neurons : int
        N.
    rank : int
        Columns on either side, the constant one included.

    Returns
    -------
    Tensor, shape (N, rank - 1)
        Standard normal numbers in float64, always the same for the same size.

    Raises
    ------
    ValueError
        If the rank is not from 1 to N.
    """
    if not 1 <= rank <= n_neurons:
        raise ValueError(
            f"communicability_rank is {rank}; give a number from 1 to {n_neurons}, the neurons of "
            "the field"
        )
    rng = random_stream(0, "communicability probes")
    return torch.from_numpy(rng.standard_normal((n_neurons, rank - 1)))


def low_rank_exponential(matrix: Tensor, probes: Tensor) -> Tensor:
    """Approximate exponential of non-negative matrices whose rows sum to one, differentiable.

    Parameters
    ----------
    matrix : Tensor, shape (M, N, N)
        Non-negative, row sums 1.
    probes : Tensor, shape (N, rank - 1)
        See :func:`draw_probes`, in the format and on the device of the matrix.

    Returns
    -------
    Tensor, shape (M, N, N)
        Approximation of the exponential, positive as the exponential is: what is lower is raised to
        a number that is next to nothing, and keeps its gradient.

    Notes
    -----
    The gradient treats the columns that are kept as given. Value and gradient together take about
    2 ((6 m + 10) rank + 4 m) N^2 operations with m = 10 (float32) or 17 (float64), see
    :func:`cortexrnn.benchmark.flops.low_rank_flops`.
    """
    result: Tensor = _Differentiable.apply(matrix, probes)  # type: ignore[no-untyped-call]
    return result


class LowRankExponential:
    """Value and gradient of :func:`low_rank_exponential`, written out.

    Parameters
    ----------
    argument : Tensor, shape (M, N, N)
        The matrices; may be filled with others before :meth:`forward`.
    probes : Tensor, shape (N, rank - 1) or (M, N, rank - 1)
        See :func:`draw_probes`.
    """

    divisor = 1
    """What the matrices are divided by before they are put into the argument."""

    def __init__(self, argument: Tensor, probes: Tensor) -> None:
        self.argument, self.probes = argument, probes

    def forward(self) -> Tensor:
        """Compute the value; what :meth:`backward` needs of it is kept.

        Returns
        -------
        Tensor, shape (M, N, N)
            Approximation of the exponential.
        """
        matrix = self.argument
        left, right = _basis(matrix, self.probes), _basis(matrix.mT, self.probes)
        self._left, self._right = left, right
        self._columns, self._rows = _walked(matrix, right), _walked(matrix.mT, left)
        value = _few_moves(matrix)
        many_right = self._columns.pop(0) - value @ right
        many_left = self._rows.pop(0) - value.mT @ left
        many_right -= left @ (left.mT @ many_right)
        value.baddbmm_(torch.cat([left, many_right], -1), torch.cat([many_left, right], -1).mT)
        return value.clamp_(min=torch.finfo(value.dtype).eps ** 2)

    def backward(self, upstream: Tensor) -> Tensor:
        """Compute the gradient.

        Parameters
        ----------
        upstream : Tensor, shape (M, N, N)
            Gradient by the value.

        Returns
        -------
        Tensor, shape (M, N, N)
            Gradient by the argument.
        """
        matrix, left, right = self.argument, self._left, self._right
        error_right = upstream @ right
        error_right -= left @ (left.mT @ error_right)
        error_left = upstream.mT @ left
        of_few_moves = torch.baddbmm(
            upstream,
            torch.cat([error_right, left], -1),
            torch.cat([right, error_left], -1).mT,
            alpha=-1,
        )
        gradient = _few_moves_gradient(matrix, of_few_moves)
        # Term j of the series was P times what the terms after it gave: the gradient is the error
        # there times that, which one product sums over all terms.
        errors_right = _taken_back(matrix.mT, error_right, len(self._columns))
        errors_left = _taken_back(matrix, error_left, len(self._rows))
        return gradient.baddbmm_(
            torch.cat([*errors_right, *self._rows], -1),
            torch.cat([*self._columns, *errors_left], -1).mT,
        )


class _Differentiable(torch.autograd.Function):
    """The same for autograd."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, probes: Tensor) -> Tensor:
        ctx.exponential = LowRankExponential(matrix.detach(), probes)
        value: Tensor = ctx.exponential.forward()
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.exponential.backward(upstream[0]), None


def _degree(dtype: torch.dtype) -> int:
    """Last term of the series that a format can tell from nothing, as row sums are one."""
    degree = 1
    while 1 / math.factorial(degree + 1) > torch.finfo(dtype).eps:
        degree += 1
    return degree


def _basis(matrix: Tensor, probes: Tensor) -> Tensor:
    """Orthonormal columns (M, N, rank): the constant, and probes after two moves."""
    stay = matrix.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    once = matrix @ probes - stay * probes
    twice = matrix @ once - stay * once
    constant = torch.ones_like(stay)
    basis: Tensor = torch.linalg.qr(torch.cat([constant, twice], -1)).Q
    return basis


def _walked(matrix: Tensor, columns: Tensor) -> list[Tensor]:
    """Partial sums of exp(P) V by Horner's rule, (M, N, rank) each; the first is the whole."""
    sums = [columns]
    for term in range(_degree(matrix.dtype), 0, -1):
        sums.append(torch.baddbmm(columns, matrix, sums[-1], alpha=1 / term))
    return sums[::-1]


def _taken_back(matrix: Tensor, error: Tensor, n_terms: int) -> list[Tensor]:
    """Errors of the terms of the series, (M, N, rank) each, divided as the terms were."""
    errors = [error]
    for term in range(2, n_terms + 1):
        errors.append(matrix @ errors[-1] / term)
    return errors


def _divided_difference(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Factors U and V, (M, N, m + 1) each, of phi(d_i, d_j) = sum_a U_ia V_ja.

    The series is sum_ab x^a y^b / (a + b + 1)!, which has no difference that could vanish.
    """
    n_terms = _degree(matrix.dtype) + 1
    factorials = [1 / math.factorial(n + 1) for n in range(2 * n_terms - 1)]
    weights = matrix.new_tensor([factorials[a : a + n_terms] for a in range(n_terms)])
    exponents = torch.arange(n_terms, device=matrix.device)
    powers: Tensor = matrix.diagonal(dim1=-2, dim2=-1).unsqueeze(-1) ** exponents
    return powers, powers @ weights


def _few_moves(matrix: Tensor) -> Tensor:
    """Sum over walks that move at most once, shape (M, N, N)."""
    powers, weighted = _divided_difference(matrix)
    value = (powers @ weighted.mT).mul_(matrix)
    value.diagonal(dim1=-2, dim2=-1).copy_(matrix.diagonal(dim1=-2, dim2=-1).exp())
    return value


def _few_moves_gradient(matrix: Tensor, error: Tensor) -> Tensor:
    """Gradient (M, N, N) of that sum with respect to the matrix; overwrites the error."""
    powers, weighted = _divided_difference(matrix)
    gradient = (powers @ weighted.mT).mul_(error)
    of_stay = error.diagonal(dim1=-2, dim2=-1) * matrix.diagonal(dim1=-2, dim2=-1).exp()
    through = error.mul_(matrix)
    through.diagonal(dim1=-2, dim2=-1).zero_()
    by_power = through @ weighted + through.mT @ weighted
    slopes = torch.arange(1, powers.shape[-1], device=matrix.device) * powers[..., :-1]
    of_stay += (by_power[..., 1:] * slopes).sum(-1)
    gradient.diagonal(dim1=-2, dim2=-1).copy_(of_stay)
    return gradient
