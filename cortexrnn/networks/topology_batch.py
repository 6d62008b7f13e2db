"""Counts in the graphs of many networks of one size, as batched tensor operations on any device.

What :func:`cortexrnn.networks.topology.count` counts in one graph. All of it are whole numbers, so
that a device changes no bit of what follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cortexrnn.networks.topology import EDGE_QUANTILE, Counts

__all__ = ["count_many", "graphs"]

MEMORY = 2**30
"""Bytes that one part of the networks may take beside their weights."""
BYTES = 48
"""Bytes that are needed for each weight of a part."""


def count_many(weights: Tensor) -> Iterator[tuple[NDArray[np.bool_], list[Counts]]]:
    """Make the graphs of networks and count in them, as many at once as memory allows.

    Parameters
    ----------
    weights : Tensor, shape (M, N, N)
        Signed finite weights, on any device.

    Yields
    ------
    links : ndarray of bool, shape (m, N, N)
        The graphs of the next m networks, see :func:`cortexrnn.networks.topology.graph`.
    counts : list of Counts
        What was counted in each.
    """
    n = weights.shape[-1]
    for part in torch.split(weights, max(1, MEMORY // (BYTES * n * n))):
        links = graphs(part)
        yield links.cpu().numpy(), _count(links)


def graphs(weights: Tensor) -> Tensor:
    """Keep the strongest tenth of the weights of each network as an undirected graph.

    Parameters
    ----------
    weights : Tensor, shape (M, N, N)
        Signed finite weights.

    Returns
    -------
    Tensor of bool, shape (M, N, N)
        Those of :func:`cortexrnn.networks.topology.graph`, bit by bit.
    """
    magnitude = weights.abs().flatten(1)
    size = magnitude.shape[1]
    position = EDGE_QUANTILE * (size - 1)
    below = math.floor(position)
    tenth = magnitude.topk(size - below, dim=1).values  # from the largest down
    low, high = tenth[:, -1], tenth[:, max(0, tenth.shape[1] - 2)]
    # The quantile between these two by numpy itself, whose rounding decides about ties.
    ends = torch.stack((low, high)).cpu().double().numpy()
    under = torch.from_numpy(np.quantile(ends, position - below, axis=0) < ends[1])
    limit = torch.where(under.to(low.device), low, high)
    strong = (magnitude > limit[:, None]).view(weights.shape)
    links = strong | strong.mT
    links.diagonal(dim1=1, dim2=2).fill_(False)
    return links


def _count(links: Tensor) -> list[Counts]:
    """Count in graphs, bool, shape (M, N, N)."""
    joined = links.float()
    # Zeros and ones are exact in every precision that a device may choose for float32 products,
    # TF32 and bfloat16 included; sums are kept in float32, where whole numbers below 2^24 are.
    paths = joined @ joined
    degree, walks = links.sum(dim=2), paths.sum(dim=2, dtype=torch.int64)
    closed = (paths * joined).sum(dim=2, dtype=torch.int64)
    reached = _reached(links, joined, paths)
    counted = (tensor.cpu().numpy() for tensor in (degree, walks, closed))
    return [Counts(*arrays) for arrays in zip(*counted, reached, strict=True)]


def _reached(links: Tensor, joined: Tensor, paths: Tensor) -> list[list[int]]:
    """Count pairs of nodes whose shortest path has one edge, two, and so on, for each graph.

    `links` (M, N, N) is bool, `joined` the same in float32, `paths` its square. A breadth-first
    search from all nodes of all graphs at once; graphs drop out as soon as nobody reaches anybody
    new, or all have reached all.
    """
    n = links.shape[-1]
    reached = links | torch.eye(n, dtype=torch.bool, device=links.device)
    pairs = [[found] for found in links.sum(dim=(1, 2)).tolist()]
    searching = list(range(len(pairs)))
    while searching:
        new = (paths > 0) & ~reached
        reached |= new
        for graph, found in zip(searching, new.sum(dim=(1, 2)).tolist(), strict=True):
            pairs[graph].append(found)
        goes_on = [pairs[g][-1] > 0 and n + sum(pairs[g]) < n * n for g in searching]
        if not all(goes_on):
            searching = [g for g, goes in zip(searching, goes_on, strict=True) if goes]
            kept = torch.tensor(goes_on, device=links.device)
            new, reached, joined = new[kept], reached[kept], joined[kept]
        paths = new.float() @ joined
    return pairs
