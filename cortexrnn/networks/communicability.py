"""Communicability C, of connectomes and of weights.

Sources: Estrada and Hatano 2008; normalised by strengths after Crofts and Higham 2009; the Taylor
polynomial of the exponential in four products after Bader, Blanes and Casas 2019
(doi 10.3390/math7121174).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cortexrnn.networks.low_rank_communicability import low_rank_exponential

__all__ = ["communicability", "empirical_communicability", "stochastic_exponential"]

ZERO_STRENGTH = 1e-10
"""Stands for the strength of a neuron without outgoing synapses."""
DEGREE_12 = (
    (9.0198e-16, 0.4693211759541824, -0.20099424927047285, -0.04623946134063072),
    (5.315978957598713, 1.1992679041713223, 0.01179296240992997, 0.01108844528519168),
    (0.18188869982170436, 0.05502798439925399, 0.09351590770535415, 0.006107005288980582),
    (-2.086132e-13, -0.13181061013830184, -0.02027855540589259, -0.006759518468630863),
)
"""Coefficients of four cubics b_0 ... b_3 with which b_0 + (b_1 + q) q, q = b_2 + b_3^2, is the
Taylor polynomial of the exponential of degree 12."""
SQUARINGS = {torch.float32: 0, torch.float64: 2}
"""How often the argument is halved, and the result squared, for each format: the remainder after
degree 12 is then below its rounding."""


def stochastic_exponential(matrix: Tensor) -> Tensor:
    """Exponential of non-negative matrices whose rows sum to at most one.

    The infinity norm is at most one, so the remainder of a Taylor polynomial of degree m is below
    1/(m+1)! of the unit row sum: degree 12 is exact in float32, and in float64 for a quarter of the
    matrix. The polynomial takes four matrix products.

    Parameters
    ----------
    matrix : Tensor, shape (..., N, N)
        Non-negative, row sums at most 1; float32 or float64.

    Returns
    -------
    Tensor, shape (..., N, N)
        The exponential, differentiable.
    """
    n_squarings = SQUARINGS[matrix.dtype]
    argument = matrix / 2**n_squarings
    square = argument @ argument
    one = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    powers = (one.expand_as(matrix), argument, square, square @ argument)
    b_0, b_1, b_2, b_3 = torch.einsum(
        "bp,p...->b...", matrix.new_tensor(DEGREE_12), torch.stack(powers)
    )
    inner = b_2 + b_3 @ b_3
    value = b_0 + (b_1 + inner) @ inner
    for _ in range(n_squarings):
        value = value @ value
    return value  # type: ignore[no-any-return]


def communicability(
    weights: Tensor, *, strength_offset: float = 0.0, probes: Tensor | None = None
) -> Tensor:
    r"""Communicability C of weighted networks, differentiable.

    C = expm(S^-1/2 \|W\| S^-1/2) with zero diagonal, S the row sums of \|W\|. The argument is
    similar to the row-stochastic matrix S^-1 \|W\|, whose exponential is computed instead.

    Parameters
    ----------
    weights : Tensor, shape (..., N, N)
        Recurrent weights of any sign.
    strength_offset : float
        Added to the strengths.
    probes : Tensor, shape (N, rank - 1), optional
        Approximates the exponential, of weights (M, N, N), by
        :func:`cortexrnn.networks.low_rank_communicability.low_rank_exponential`.

    Returns
    -------
    Tensor, shape (..., N, N)
        Communicability; NaN where a strength is zero and `strength_offset` is 0.
    """
    magnitude = weights.abs()
    strength = magnitude.sum(-1, keepdim=True) + strength_offset
    root = strength.sqrt()
    matrix = magnitude / strength
    exponential = (
        stochastic_exponential(matrix) if probes is None else low_rank_exponential(matrix, probes)
    )
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
