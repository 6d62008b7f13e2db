"""Who is connected with whom, and how far apart they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["connections", "nearness"]


def connections(connectome: ArrayLike) -> NDArray[np.bool_]:
    """Find the ordered pairs of different neurons that have a synapse.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.

    Returns
    -------
    ndarray of bool, shape (N, N)
        False on the diagonal: a synapse of a neuron with itself connects no pair.
    """
    linked = np.asarray(connectome) > 0
    return linked & ~np.eye(len(linked), dtype=bool)


def nearness(distance: NDArray[np.float64], connectomes: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Compare the distance of connected neurons with that of all pairs.

    Parameters
    ----------
    distance : ndarray, shape (N, N)
        Distances of somata in micrometres.
    connectomes : mapping of str to array_like, shape (N, N)
        Synapse counts by name.

    Returns
    -------
    DataFrame
        One row for each connectome that has a connection: ``mean distance (µm)`` of connected
        neurons, and ``z against all pairs``, the difference to the mean of all pairs in standard
        errors; NaN where all pairs are equally far apart.
    """
    apart = distance[~np.eye(len(distance), dtype=bool)]
    rows = {}
    for name, connectome in connectomes.items():
        near = distance[connections(connectome)]
        if len(near):
            error = apart.std() / np.sqrt(len(near))
            z = (near.mean() - apart.mean()) / error if error > 0 else np.nan
            rows[name] = (near.mean(), z)
    columns = ["mean distance (µm)", "z against all pairs"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
