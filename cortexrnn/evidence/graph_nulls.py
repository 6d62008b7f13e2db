"""What the structure of trained networks is compared with: their starts, and chance.

A measure means nothing by itself. Here are the yardsticks: the same measures of matrices that were
never trained, and of random graphs that share density or degrees with a trained one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.inputs import arguments
from cortexrnn.networks import topology
from cortexrnn.networks.initial_weights import variant_start
from cortexrnn.networks.specification import random_stream
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.trained_weights import COURSE

if TYPE_CHECKING:
    from cortexrnn.fields.field import Field, Relation
    from cortexrnn.runs.trained_weights import KeptRun

__all__ = [
    "STARTS",
    "against_chance",
    "null_densities",
    "random_graph",
    "rewired",
    "share_within",
    "starts",
    "starts_beside",
]

STARTS = {"orthogonal": "W", "functional": "W*", "permuted": "W!"}
"""Starts and how the paper writes them."""


def starts(
    field: Field, *, relation: Relation = "correlation", seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """Measure recurrent matrices before any training.

    Parameters
    ----------
    field : Field
        Gives the functional weights.
    relation : {"correlation", "precision", "sttc", "response"}
        What they are made of.
    seeds : sequence of int
        Seeds of the matrices.

    Returns
    -------
    DataFrame
        One row per start and seed: ``start, seed`` and the measures of
        :data:`cortexrnn.runs.trained_weights.COURSE`.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    """
    seeds = arguments.seeds(seeds)
    rows = []
    for start, variant in STARTS.items():
        for seed in seeds:
            weights = variant_start(field, variant, task="one_choice", relation=relation, seed=seed)
            measured = topology.measure(weights)
            row = {name: getattr(measured, name) for name in COURSE}
            rows.append({"start": start, "seed": seed} | row)
    return pd.DataFrame(rows)


def starts_beside(
    kept: Sequence[KeptRun], field: Field, *, relation: Relation = "correlation"
) -> pd.DataFrame:
    """Measure one matrix of every start: that of a kept run, where there is one.

    Parameters
    ----------
    kept : sequence of KeptRun
        Runs whose matrices are kept; may be empty. Epoch 0 of the first of each start is taken.
    field : Field
        Gives the starts of which no run is kept.
    relation : {"correlation", "precision", "sttc", "response"}
        What its functional weights are made of.

    Returns
    -------
    DataFrame
        One row per start: ``start``, the measures of :data:`cortexrnn.runs.trained_weights.COURSE`,
        and ``kept``: whether they are those of a kept run.

    Raises
    ------
    FieldError
        If a start is missing and the field lacks the relation.
    """
    rows: dict[str, dict[str, Any]] = {}
    for run in kept:
        course = dict(zip(COURSE, run.course[0].tolist(), strict=True))
        rows.setdefault(Variant.parse(run.variant).start, course | {"kept": True})
    if len(rows) < len(STARTS):
        for row in starts(field, relation=relation).to_dict("records"):
            rows.setdefault(row["start"], {name: row[name] for name in COURSE} | {"kept": False})
    return pd.DataFrame([{"start": start} | row for start, row in rows.items()])


def random_graph(adjacency: ArrayLike, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a random graph with as many edges as another.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of bool, shape (N, N)
        Every such graph is equally likely.
    """
    links = np.asarray(adjacency, dtype=bool)
    rows, columns = np.triu_indices(len(links), 1)
    place = rng.permutation(len(rows))[: np.count_nonzero(links[rows, columns])]
    made = np.zeros_like(links)
    made[rows[place], columns[place]] = True
    both: NDArray[np.bool_] = made | made.T
    return both


def rewired(
    adjacency: ArrayLike, *, rng: np.random.Generator, passes: int = 20
) -> NDArray[np.bool_]:
    """Shuffle the edges of a graph and leave the degree of every node as it is.

    Pairs of edges a-b, c-d become a-d, c-b, where that makes neither a loop nor a second edge
    (Maslov & Sneppen 2002, doi 10.1126/science.1065103). In one pass every edge is in one
    pair, except one where their number is odd.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.
    rng : numpy.random.Generator
        Source of randomness.
    passes : int
        How often edges are paired.

    Returns
    -------
    ndarray of bool, shape (N, N)
        The shuffled graph.
    """
    links = np.array(adjacency, dtype=bool)
    n = len(links)
    edges = np.argwhere(np.triu(links, 1))
    half = len(edges) // 2
    for _ in range(passes):
        edges = rng.permutation(edges)
        flipped = rng.random(len(edges)) < 0.5
        edges[flipped] = edges[flipped, ::-1]
        first, second = edges[:half], edges[half : 2 * half]
        new = np.stack([first[:, 0], second[:, 1], second[:, 0], first[:, 1]], axis=1)
        new = new.reshape(half, 2, 2)
        free = ~links[new[..., 0], new[..., 1]] & (new[..., 0] != new[..., 1])
        key = new.min(axis=2) * n + new.max(axis=2)
        names, counts = np.unique(key, return_counts=True)
        alone = counts[np.searchsorted(names, key)] == 1
        chosen = np.flatnonzero((free & alone).all(axis=1))
        for old in (first[chosen], second[chosen]):
            links[old[:, 0], old[:, 1]] = links[old[:, 1], old[:, 0]] = False
        edges[chosen], edges[half + chosen] = new[chosen, 0], new[chosen, 1]
        made = new[chosen].reshape(-1, 2)
        links[made[:, 0], made[:, 1]] = links[made[:, 1], made[:, 0]] = True
    return links


def share_within(adjacency: ArrayLike, label: ArrayLike) -> float:
    """Share of edges whose two nodes carry the same label.

    Parameters
    ----------
    adjacency : array_like of bool, shape (N, N)
        Symmetric, without self-loops.
    label : array_like, shape (N,)
        Label of each node.

    Returns
    -------
    float
        From 0 to 1; NaN for a graph without edges.
    """
    links, groups = np.asarray(adjacency, dtype=bool), np.asarray(label)
    same = groups[:, None] == groups[None, :]
    return float((links & same).sum() / links.sum()) if links.any() else np.nan


def null_densities(n: int, densities: Sequence[float], *, n_graphs: int = 5) -> pd.DataFrame:
    """Measure random graphs of one size at several densities.

    Parameters
    ----------
    n : int
        Nodes.
    densities : sequence of float
        Shares of pairs that are joined.
    n_graphs : int
        Graphs of each density.

    Returns
    -------
    DataFrame
        One row per density with mean ``clustering`` and ``efficiency`` over the graphs, which
        have no self-loops.
    """
    densities = arguments.numbers("densities", densities)
    rng = random_stream(0, "random graphs of several densities")
    rows = []
    for density in densities:
        values = np.empty((n_graphs, 2))
        for row in values:
            made = np.triu(rng.random((n, n)) < density, 1)
            made |= made.T
            row[:] = topology.clustering(made), topology.efficiency(made)
        means = values.mean(axis=0)
        rows.append({"density": density, "clustering": means[0], "efficiency": means[1]})
    return pd.DataFrame(rows)


def against_chance(kept: Sequence[KeptRun], *, n_graphs: int = 3) -> pd.DataFrame:
    """Compare kept graphs with random graphs: the paper's, of equal density, of equal degrees.

    Parameters
    ----------
    kept : sequence of KeptRun
        Runs whose graph is kept.
    n_graphs : int
        Random graphs of each kind for each run; those of the paper are 1,000.

    Returns
    -------
    DataFrame
        One row per run and kind of chance (``paper``, ``density``, ``degrees``): ``task,
        variant, identity, edges, density, chance``, and ``small_worldness`` against that chance;
        ``modularity`` of the graph, and ``chance_modularity`` of the first random graph of that
        kind (NaN for the paper's, which it does not use).
    """
    columns = ["task", "variant", "identity", "edges", "density", "chance", "small_worldness"]
    columns += ["modularity", "chance_modularity"]
    rows = [row for run in kept for row in _beside_chance(run, n_graphs)]
    return pd.DataFrame(rows, columns=columns)


def _beside_chance(run: KeptRun, n_graphs: int) -> list[dict[str, Any]]:
    """Compare one kept graph with the three kinds of chance."""
    links = run.matrix.graph()
    n, edges = len(links), np.count_nonzero(links) // 2
    nulls = topology.null_graphs(n)
    rng = random_stream(run.seed, "chance", run.identity)
    chances = {"paper": (nulls.clustering, nulls.efficiency, np.nan)}
    for name, draw in (("density", random_graph), ("degrees", rewired)):
        made = [draw(links, rng=rng) for _ in range(n_graphs)]
        chances[name] = (
            float(np.mean([topology.clustering(one) for one in made])),
            float(np.mean([topology.efficiency(one) for one in made])),
            topology.modularity(made[0]),
        )
    cluster, reach = topology.clustering(links), topology.efficiency(links)
    row: dict[str, Any] = {"task": run.task, "variant": run.variant, "identity": run.identity}
    row |= {"edges": edges, "density": edges / (n * (n - 1) / 2)}
    row["modularity"] = topology.modularity(links)
    return [
        row
        | {"chance": name, "small_worldness": cluster / null[0] * reach / null[1]}
        | {"chance_modularity": null[2]}
        for name, null in chances.items()
    ]
