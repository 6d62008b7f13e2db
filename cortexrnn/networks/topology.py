"""Shape of a recurrent weight matrix: entropy, modularity, assortativity, small-worldness.

The definitions are those of the paper's code (arXiv:2606.14975, neurovium/CorticalBlueprintRNN):
greedy modularity and degree assortativity as networkx defines them, clustering and efficiency as
the Brain Connectivity Toolbox does for binary undirected graphs (Rubinov & Sporns 2010,
doi 10.1016/j.neuroimage.2009.10.003), restated here as matrix products.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from cortexrnn.networks import cache

__all__ = [
    "Counts",
    "Nulls",
    "Topology",
    "assortativity",
    "clustering",
    "communities",
    "count",
    "efficiency",
    "entropy",
    "from_counts",
    "graph",
    "measure",
    "modularity",
    "null_graphs",
    "strongest",
]

EDGE_QUANTILE = 0.9
KDE_POINTS = 100
NEGLIGIBLE = 1e-17
"""Share of a density that the weights passed over may add to it, less than float64 resolves."""
FARTHEST = 37.5
"""Bandwidths beyond which a kernel, below 1e-305, counts as zero: numbers so small are slow."""
CROWDED = 0.7
"""Share of rows that still are communities, below which greedy merging drops the others."""
NULL_THRESHOLD = 0.7

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Topology:
    """Measures of one weight matrix.

    Attributes
    ----------
    entropy : float
        Entropy of the distribution of weights, bits; see `entropy`.
    modularity : float
        Newman's Q of the greedy communities; see `modularity`.
    assortativity : float
        Correlation of the degrees at the two ends of an edge; see `assortativity`.
    small_worldness : float
        (clustering / null clustering) x (efficiency / null efficiency).
    clustering : float
        Mean clustering coefficient; see `clustering`.
    efficiency : float
        Global efficiency; see `efficiency`.
    edges : float
        Number of undirected edges, a whole number; NaN where all the other measures are.
    """

    entropy: float
    modularity: float
    assortativity: float
    small_worldness: float
    clustering: float
    efficiency: float
    edges: float


UNKNOWN = Topology(**{field.name: math.nan for field in fields(Topology)})
"""Measures of weights that are not finite."""


@dataclass(frozen=True)
class Nulls:
    """Means and spreads over random graphs, the reference of small-worldness.

    Attributes
    ----------
    clustering : float
        Mean over the graphs.
    efficiency : float
        Mean over the graphs.
    clustering_sd : float
        Standard deviation over the graphs (divisor `n_nulls`).
    efficiency_sd : float
        Standard deviation over the graphs (divisor `n_nulls`).
    n_nulls : int
        Number of graphs.
    """

    clustering: float
    efficiency: float
    clustering_sd: float
    efficiency_sd: float
    n_nulls: int


@dataclass(frozen=True, eq=False)
class Counts:
    """What is counted in a graph of N nodes; arrays have one whole number a node.

    Attributes
    ----------
    degree : ndarray of int64
        Neighbours of each node.
    walks : ndarray of int64
        Walks of two edges from each node.
    closed : ndarray of int64
        Walks of three edges that end where they began: ordered pairs of joined neighbours.
    reached : list of int
        Ordered pairs of nodes whose shortest path has one edge, two, and so on.
    """

    degree: Array
    walks: Array
    closed: Array
    reached: list[int]


def measure(weights: ArrayLike, *, n_nulls: int = 1000) -> Topology:
    """Measure the topology of a recurrent matrix.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Signed weights; converted to float64.
    n_nulls : int
        Random graphs behind small-worldness, the same for all matrices of one size.

    Returns
    -------
    Topology
        All NaN if any weight is NaN or infinite. Without edges: clustering, efficiency and
        small-worldness 0, modularity and assortativity NaN.

    Raises
    ------
    ValueError
        If `weights` is not a square matrix of real numbers.
    """
    matrix = _square("weights", weights)
    if not np.isfinite(matrix).all():
        return UNKNOWN
    links = graph(matrix)
    return from_counts(
        count(links),
        entropy=entropy(matrix),
        modularity=_modularity(links),
        nulls=null_graphs(len(matrix), n_nulls=n_nulls),
    )


def from_counts(counts: Counts, *, entropy: float, modularity: float, nulls: Nulls) -> Topology:
    """Put the measures of a network together.

    Parameters
    ----------
    counts : Counts
        What was counted in its graph.
    entropy, modularity : float
        What was not.
    nulls : Nulls
        Random graphs of its size.

    Returns
    -------
    Topology
        All measures.
    """
    cluster = _clustering(counts.degree, counts.closed)
    reach = _efficiency(len(counts.degree), counts.reached)
    return Topology(
        entropy=entropy,
        modularity=modularity,
        assortativity=_assortativity(counts.degree, counts.walks),
        small_worldness=_ratio(cluster, nulls.clustering) * _ratio(reach, nulls.efficiency),
        clustering=cluster,
        efficiency=reach,
        edges=float(counts.degree.sum() // 2),
    )


def count(links: Array) -> Counts:
    """Count degrees, walks, triangles and distances in a graph.

    Parameters
    ----------
    links : ndarray of bool, shape (N, N)
        Symmetric, without self-loops.

    Returns
    -------
    Counts
        Whole numbers, from which all measures but the modularity follow.
    """
    joined = links.astype(np.float32)
    # Whole numbers below 2^24 are exact in float32, so the faster product loses nothing.
    paths = joined @ joined
    return Counts(
        degree=links.sum(axis=1, dtype=np.int64),
        walks=paths.sum(axis=1, dtype=np.float64).astype(np.int64),
        closed=_closed(joined, paths),
        reached=_reached(joined, paths),
    )


def graph(weights: ArrayLike) -> Array:
    """Keep the strongest tenth of the weights as an undirected graph.

    Two neurons are joined if either of their two weights is among the :func:`strongest`;
    self-loops are dropped afterwards.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Signed finite weights.

    Returns
    -------
    ndarray of bool, shape (N, N)
        Symmetric adjacency with an empty diagonal.

    Raises
    ------
    ValueError
        If `weights` is not a square matrix of finite real numbers.
    """
    strong = strongest(weights)
    adjacency = strong | strong.T
    np.fill_diagonal(adjacency, False)
    return adjacency


def strongest(weights: ArrayLike) -> Array:
    """Mark the strongest tenth of the weights.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Signed finite weights.

    Returns
    -------
    ndarray of bool, shape (N, N)
        Where the magnitude is strictly above the 0.9 quantile of all N^2 magnitudes,
        self-connections included.

    Raises
    ------
    ValueError
        If `weights` is not a square matrix of finite real numbers.
    """
    magnitude = np.abs(_square("weights", weights))
    if not np.isfinite(magnitude).all():
        raise ValueError(
            "weights: NaN or infinite values, which have no graph; measure() gives NaN instead"
        )
    return np.asarray(magnitude > np.quantile(magnitude, EDGE_QUANTILE))


def entropy(weights: ArrayLike) -> float:
    """Entropy of the distribution of all weights.

    A Gaussian kernel density (Scott's bandwidth) of the signed weights is read at 100 points from
    the smallest to the largest, normalised to sum 1, and its Shannon entropy taken. The density is
    that of scipy.stats.gaussian_kde.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Signed weights.

    Returns
    -------
    float
        Bits, at most log2(100). NaN if a weight is not finite, or if all are equal: a constant
        has no density.

    Raises
    ------
    ValueError
        If `weights` is not a square matrix of real numbers.
    """
    values = np.sort(_square("weights", weights), axis=None)
    low, high = values[[0, -1]]  # where NaN and infinity are found after sorting
    if not math.isfinite(low) or not math.isfinite(high) or low == high:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        width = values.std(ddof=1) * values.size ** (-1 / 5)
    if not 0 < width < math.inf:  # a spread beyond floating point: as good as constant
        return math.nan
    density = _density(values, np.linspace(low, high, KDE_POINTS), width)
    # entr: the limit 0 where a density is so small that its share rounds to zero.
    return float(entr(density / density.sum()).sum() / math.log(2))


def _density(values: Array, points: Array, width: float) -> Array:
    """Sum of Gaussian kernels around sorted `values` at `points` between them, not normalised.

    A point sees the values within a reach: each of the n beyond it adds less than NEGLIGIBLE / n
    of what the value nearest to the point adds. So the error is relative to the density at every
    point, be it on a peak or in a gap, as far as FARTHEST.
    """
    after = np.searchsorted(values, points)
    before = np.maximum(after - 1, 0)
    gap = np.minimum(values[after] - points, np.abs(points - values[before]))
    reach = np.sqrt((gap / width) ** 2 + 2 * math.log(len(values) / NEGLIGIBLE))
    reach = width * np.minimum(reach, FARTHEST)
    starts = np.searchsorted(values, points - reach)
    stops = np.searchsorted(values, points + reach, side="right")
    scale = math.sqrt(0.5) / width
    density = np.empty(len(points))
    for k, (point, start, stop) in enumerate(zip(points, starts, stops, strict=True)):
        distance = (values[start:stop] - point) * scale
        distance *= -distance
        density[k] = np.exp(distance, out=distance).sum()
    return density


def clustering(adjacency: ArrayLike) -> float:
    """Mean clustering coefficient.

    For a node with k neighbours: the share of its k (k - 1) ordered pairs of neighbours that are
    joined, 0 for k < 2. A self-loop makes a node its own neighbour, and counts as a link within
    the neighbourhoods it lies in, as in the Brain Connectivity Toolbox; then the coefficient may
    exceed 1.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric; a nonzero diagonal is used as it is.

    Returns
    -------
    float
        0 for a graph without edges.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.
    """
    links = _undirected(adjacency)
    joined = links.astype(np.float32)
    return _clustering(links.sum(axis=1), _closed(joined, joined @ joined))


def efficiency(adjacency: ArrayLike) -> float:
    """Global efficiency: mean over all pairs of nodes of 1 / shortest path length.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric; self-loops change nothing.

    Returns
    -------
    float
        From 0 (no edges, or fewer than two nodes) to 1; unreachable pairs add 0.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.
    """
    links = _undirected(adjacency).astype(np.float32)
    return _efficiency(len(links), _reached(links, links @ links))


def modularity(adjacency: ArrayLike) -> float:
    """Modularity of the communities found greedily (Clauset, Newman & Moore 2004).

    networkx in float64 is the definition. Ties decide where greedy merging ends, so the gains are
    added here in its order of operations and ties are broken as it breaks them; only that all
    gains of a merge are updated at once makes this faster. A relabelling of the nodes may change
    the value.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.

    Returns
    -------
    float
        Newman's Q; NaN for a graph without edges.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.
    """
    return _modularity(_undirected(adjacency))


def _modularity(links: Array) -> float:
    """Modularity of the greedy communities of `links` (N, N), bool, without a check."""
    if not links.any():
        return math.nan
    community = _greedy_communities(links)
    degrees = links.sum(axis=1)
    total = degrees.sum()
    inside = links[community[:, None] == community].sum()
    shares = np.bincount(community, weights=degrees) / total
    return float(inside / total - (shares**2).sum())


def communities(adjacency: ArrayLike) -> Array:
    """Find the communities behind :func:`modularity`.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.

    Returns
    -------
    ndarray of int, shape (N,)
        Community of each node: 0 for the largest, and so on.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.
    """
    links = _undirected(adjacency)
    named = _greedy_communities(links) if links.any() else np.arange(len(links))
    _, label, sizes = np.unique(named, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    return np.asarray(rank[label])


def _greedy_communities(links: Array) -> Array:
    """Community of each node, named after one of its nodes, shape (N,).

    ``gain[u, v]`` is what merging u and v would add to the modularity, -inf where no edge joins
    them. ``argmax`` finds the first largest gain, which is the pair that networkx's heap holds on
    top: of equal gains, the one with the lowest numbers.
    """
    name = np.arange(len(links))
    edge = 1 / (np.count_nonzero(links) // 2)
    share = links.sum(axis=1) * edge * 0.5
    gain = np.where(links, edge - 2 * np.outer(share, share), -np.inf)
    best = gain.argmax(axis=1)
    highest = gain[name, best]
    merges = []
    left = len(links)
    while True:
        u = int(highest.argmax())
        if not highest[u] >= 0:
            break
        v = int(best[u])
        merges.append((name[u], name[v]))
        apart_u, apart_v = gain[u] == -np.inf, gain[v] == -np.inf
        merged = np.where(apart_v, -2 * share[v] * share, gain[v])
        merged += np.where(apart_u, -2 * share[u] * share, gain[u])
        merged[apart_u & apart_v] = -np.inf
        merged[u] = merged[v] = -np.inf
        gain[v] = gain[:, v] = merged
        gain[u] = gain[:, u] = -np.inf
        share[v] += share[u]
        share[u] = 0.0
        # In all other rows only v has a new gain; it is the first largest now, or the row has lost
        # its largest and is searched again, or nothing changes.
        better = (merged > highest) | ((merged == highest) & (best > v))
        lost = ((best == u) | (best == v)) & ~better
        lost[u], lost[v] = False, True
        highest[better] = merged[better]
        best[better] = v
        (searched,) = lost.nonzero()
        best[searched] = found = gain[searched].argmax(axis=1)
        highest[searched] = gain[searched, found]
        highest[u] = -np.inf
        left -= 1
        if left < CROWDED * len(share):
            (kept,) = share.nonzero()  # in their order; who has no edges needs no row either
            gain = gain[np.ix_(kept, kept)]
            # Where nobody is joined the best is nobody, and any number will do.
            best = np.minimum(np.searchsorted(kept, best[kept]), len(kept) - 1)
            name, share, highest = name[kept], share[kept], highest[kept]
            left = len(kept)
    community = np.arange(len(links))
    for u, v in reversed(merges):
        community[u] = community[v]
    return community


def assortativity(adjacency: ArrayLike) -> float:
    """Correlation of the degrees at both ends of an edge (Newman 2003).

    The sums are whole numbers and kept exact, so a regular graph, whose degrees do not vary, is
    recognised without a tolerance.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.

    Returns
    -------
    float
        From -1 to 1; NaN without edges, or if every edge joins nodes of the same one degree.

    Raises
    ------
    ValueError
        If `adjacency` is not a symmetric square matrix.
    """
    links = _undirected(adjacency)
    degree = links.sum(axis=1, dtype=np.int64)
    return _assortativity(degree, links @ degree)


def _assortativity(degree: Array, walks: Array) -> float:
    """Assortativity of a graph with these degrees and walks of two edges, int64, both (N,)."""
    ends = int(degree.sum())
    first = int((degree**2).sum())
    variance = ends * int((degree**3).sum()) - first**2
    if variance == 0:
        return math.nan
    return (ends * int(degree @ walks) - first**2) / variance


def null_graphs(n: int, *, n_nulls: int = 1000, seed: int = 0) -> Nulls:
    """Clustering and efficiency of random graphs of n nodes.

    A null is (U + U^T) / 2 > 0.7 with U uniform on [0, 1): density 0.18. Its diagonal (density
    0.3) is kept, as in the paper's code, which raises null clustering. Nulls depend on nothing
    but the arguments; they are remembered in memory and in small files in the cache folder
    (`CORTEXRNN_CACHE`, else the user's cache), which is only a convenience: a file that cannot
    be read is computed again, a folder that cannot be written is passed over.

    Parameters
    ----------
    n : int
        Nodes.
    n_nulls : int
        Graphs.
    seed : int
        Seed of numpy.random.default_rng, from which the matrices U are drawn one after another.

    Returns
    -------
    Nulls
        Means and standard deviations.

    Raises
    ------
    ValueError
        If `n` or `n_nulls` is below 1, or `seed` negative.
    """
    for name, value, least in (("n", n, 1), ("n_nulls", n_nulls, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    return _cached_nulls(int(n), int(n_nulls), int(seed))


@lru_cache(maxsize=256)
def _cached_nulls(n: int, n_nulls: int, seed: int) -> Nulls:
    name = f"nulls-{n}-{n_nulls}-{seed}"
    nulls = _recalled(name, n_nulls)
    if nulls is None:
        nulls = _compute_nulls(n, n_nulls, seed)
        cache.remember(name, asdict(nulls))
    return nulls


def _compute_nulls(n: int, n_nulls: int, seed: int) -> Nulls:
    rng = np.random.default_rng(seed)
    values = np.empty((n_nulls, 2))
    for row in values:
        uniform = rng.random((n, n))
        links = ((uniform + uniform.T) / 2 > NULL_THRESHOLD).astype(np.float32)
        paths = links @ links
        row[0] = _clustering(links.sum(axis=1), _closed(links, paths))
        row[1] = _efficiency(n, _reached(links, paths))
    mean, sd = values.mean(axis=0), values.std(axis=0)
    return Nulls(float(mean[0]), float(mean[1]), float(sd[0]), float(sd[1]), n_nulls)


def _closed(links: Array, paths: Array) -> Array:
    """Count walks of three edges from each node to itself, int64, shape (N,).

    `links` (N, N) is float32 of 0 and 1, `paths` its square.
    """
    closed: Array = np.einsum("ij,ij->i", paths, links, dtype=np.float64)
    return closed.astype(np.int64)


def _clustering(degree: Array, closed: Array) -> float:
    """Mean clustering of a graph with these degrees and closed walks of three edges, both (N,)."""
    pairs = degree.astype(np.float64) * (degree - 1)
    return float(np.divide(closed, pairs, out=np.zeros(len(pairs)), where=pairs > 0).mean())


def _reached(links: Array, paths: Array) -> list[int]:
    """Count pairs of nodes whose shortest path has one edge, two, and so on.

    `links` (N, N) is float32 of 0 and 1, `paths` its square. A breadth-first search from all nodes
    at once; nodes drop out as soon as they have reached every other, or reach nobody new.
    """
    reached = links > 0
    np.fill_diagonal(reached, True)
    pairs = [int(np.count_nonzero(reached)) - len(links)]
    while reached.size:
        new = (paths > 0) & ~reached
        pairs.append(int(np.count_nonzero(new)))
        reached |= new
        searching = new.any(axis=1) & ~reached.all(axis=1)
        reached = reached[searching]
        paths = new[searching].astype(np.float32) @ links
    return pairs


def _efficiency(n: int, reached: list[int]) -> float:
    """Global efficiency of n nodes of which so many pairs are one edge apart, two, and so on."""
    if n < 2:
        return 0.0
    total = 0.0
    for length, pairs in enumerate(reached, start=1):
        total += pairs / length
    return total / (n * (n - 1))


def _ratio(value: float, null: float) -> float:
    return value / null if null > 0 else math.nan


def _square(name: str, matrix: ArrayLike) -> Array:
    array = np.asarray(matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise ValueError(f"{name}: shape {array.shape}, expected a square matrix (N, N)")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: type {array.dtype}, expected real numbers")
    return array.astype(np.float64)


def _undirected(adjacency: ArrayLike) -> Array:
    links: Array = _square("adjacency", adjacency) != 0
    if not np.array_equal(links, links.T):
        raise ValueError("adjacency: not symmetric; graph() makes the undirected graph")
    return links


def _recalled(name: str, n_nulls: int) -> Nulls | None:
    """Read remembered nulls; None if there are none that can be trusted."""
    try:
        nulls = Nulls(**(cache.recall(name) or {}))
        numbers = (nulls.clustering, nulls.efficiency, nulls.clustering_sd, nulls.efficiency_sd)
        sound = all(isinstance(x, float) and math.isfinite(x) and x >= 0 for x in numbers)
    except TypeError:
        return None
    return nulls if sound and nulls.n_nulls == n_nulls else None
