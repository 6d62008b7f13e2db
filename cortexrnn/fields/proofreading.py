"""What a connectome looks like when many of its axons were not proofread.

A reconstruction finds synapses where an axon was followed to them. Dendrites are mostly complete
without a person's help, axons are not: a neuron whose axon was not proofread receives, and seems
to send nothing. Which axons were is recorded in the data set, not in a matrix of counts; here the
matrix is described, and incomplete proofreading is *simulated* by taking the outputs of some
neurons away.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.wiring import connections

__all__ = ["describe", "dropped"]


def describe(connectome: ArrayLike) -> pd.DataFrame:
    """Compare what neurons send with what they receive.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.

    Returns
    -------
    DataFrame
        Rows ``sends`` and ``receives``: share of neurons with no partner, mean and largest number
        of partners, their standard deviation over their mean. A neuron is no partner of itself.

    Raises
    ------
    ValueError
        If the counts are not a square matrix of numbers of at least 0, or connect no two neurons.
    """
    linked = connections(check_connectome(connectome))
    if not linked.any():
        raise ValueError("connectome: expected at least one synapse between two neurons")
    rows = {"sends": linked.sum(axis=1), "receives": linked.sum(axis=0)}
    facts = {
        name: {
            "without partner": (partners == 0).mean(),
            "mean partners": partners.mean(),
            "most partners": partners.max(),
            "s.d. / mean": partners.std() / partners.mean(),
        }
        for name, partners in rows.items()
    }
    return pd.DataFrame.from_dict(facts, orient="index")


def dropped(connectome: ArrayLike, share: float, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Take away all outgoing synapses of a random share of the neurons that have any.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.
    share : float
        Share of sending neurons that lose their outputs, from 0 to 1.
    rng : numpy.random.Generator
        Chooses the neurons.

    Returns
    -------
    ndarray, shape (N, N)
        A copy. Where `share` is below 1 at least one neuron keeps its outputs.

    Raises
    ------
    ValueError
        As in :func:`describe`, or if the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; give a number between 0 and 1")
    counts = check_connectome(connectome).copy()
    senders = np.flatnonzero(counts.sum(axis=1))
    most = len(senders) if share == 1 else len(senders) - 1
    n_lost = min(round(share * len(senders)), most)
    counts[rng.permutation(senders)[:n_lost]] = 0
    return counts


def check_connectome(connectome: ArrayLike) -> NDArray[np.int64]:
    """Return synapse counts, or an error that says what is wrong with them."""
    counts = np.asarray(connectome)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    if not square or counts.dtype.kind not in "iuf" or not np.isfinite(counts).all():
        raise ValueError(
            f"connectome: {counts.dtype} of shape {counts.shape}; expected finite counts (N, N)"
        )
    if (counts < 0).any() or not counts.any():
        raise ValueError("connectome: expected counts of 0 or more, and at least one synapse")
    return np.asarray(counts)
