"""Communicability C, of connectomes and of weights, with its gradient.

Sources: Estrada and Hatano 2008; normalised by strengths after Crofts and Higham 2009.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["communicability", "empirical_communicability", "stochastic_exponential"]

ZERO_STRENGTH = 1e-10
"""Stands for the strength of a neuron without outgoing synapses."""


def stochastic_exponential(matrix: Tensor) -> Tensor:
    """Exponential of non-negative matrices whose rows sum to at most one.

    A Taylor polynomial in Paterson-Stockmeyer form with its gradient written out. The infinity
    norm is at most one, so the remainder after degree m is below 1/(m+1)! of the unit row sum:
    degree 12 is exact in float32 and degree 20 in float64, without scaling and squaring. Value
    and gradient together cost 15 (float32) or 21 matrix products.

    Parameters
    ----------
    matrix : Tensor, shape (..., N, N)
        Non-negative, row sums at most 1.

    Returns
    -------
    Tensor, shape (..., N, N)
        The exponential.
    """
    result: Tensor = _StochasticExponential.apply(matrix)  # type: ignore[no-untyped-call]
    return result


class _StochasticExponential(torch.autograd.Function):
    """Blocks of degree 4, combined by Horner's rule in the fourth power.

    With P_k the powers and B_j = sum_i P_i / (4 j + i)!, i = 0 ... 3, the polynomial is
    (...((P_4 / m! + B_last) P_4 + ...) P_4 + B_1) P_4 + B_0, without a product before B_last.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        blocks = 3 if matrix.dtype == torch.float32 else 5
        powers = [matrix]
        while len(powers) < 4:
            powers.append(powers[-1] @ matrix)
        value, partial = powers[3] / math.factorial(4 * blocks), []
        for block in reversed(range(blocks)):
            if block < blocks - 1:
                partial.append(value)
                value = value @ powers[3]
            value.diagonal(dim1=-2, dim2=-1).add_(1 / math.factorial(4 * block))
            for i in (1, 2, 3):
                value.add_(powers[i - 1], alpha=1 / math.factorial(4 * block + i))
        ctx.save_for_backward(*powers, *partial)
        return value

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        powers, partial = ctx.saved_tensors[:4], ctx.saved_tensors[4:]
        blocks, error = len(partial) + 1, upstream[0]
        gradients = [torch.zeros_like(error) for _ in powers]
        for block in range(blocks):
            for i in (1, 2, 3):
                gradients[i - 1].add_(error, alpha=1 / math.factorial(4 * block + i))
            if block < blocks - 1:
                gradients[3] += partial[-1 - block].mT @ error
                error = error @ powers[3].mT
        gradients[3].add_(error, alpha=1 / math.factorial(4 * blocks))
        for i in (3, 2, 1):
            gradients[i - 1] += gradients[i] @ powers[0].mT
            gradients[0] += powers[i - 1].mT @ gradients[i]
        return gradients[0]


def communicability(weights: Tensor, *, strength_offset: float = 0.0) -> Tensor:
    r"""Communicability C of weighted networks, differentiable.

    C = expm(S^-1/2 \|W\| S^-1/2) with zero diagonal, S the row sums of \|W\|. The argument is
    similar to the row-stochastic matrix S^-1 \|W\|, whose exponential is computed instead.

    Parameters
    ----------
    weights : Tensor, shape (..., N, N)
        Recurrent weights of any sign.
    strength_offset : float
        Added to the strengths.

    Returns
    -------
    Tensor, shape (..., N, N)
        Communicability; NaN where a strength is zero and `strength_offset` is 0.
    """
    magnitude = weights.abs()
    strength = magnitude.sum(-1, keepdim=True) + strength_offset
    root = strength.sqrt()
    exponential = stochastic_exponential(magnitude / strength)
    off_diagonal = 1 - torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    return exponential * off_diagonal * (root / root.transpose(-1, -2))


def empirical_communicability(connectome: ArrayLike) -> NDArray[np.float64]:
    """Communicability C* of a connectome.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.

    Returns
    -------
    ndarray, shape (N, N)
        Communicability in float64, zero on the diagonal.

    Notes
    -----
    A neuron without outgoing synapses gets strength 1e-10, as in the released code. Entries
    that lead to such a neuron are thereby raised by a factor of up to 1e5.
    """
    counts = np.asarray(connectome, dtype=float)
    strength = counts.sum(axis=1)
    root = np.sqrt(np.where(strength > 0, strength, ZERO_STRENGTH))
    result: NDArray[np.float64] = scipy.linalg.expm(counts / np.outer(root, root))
    np.fill_diagonal(result, 0.0)
    return result
