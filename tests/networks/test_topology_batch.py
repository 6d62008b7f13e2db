"""Counts on a device: those of one network after another, bit by bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn.networks import topology, topology_batch

KINDS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "ties": lambda rng, shape: np.round(2 * rng.normal(size=shape)),
    "sparse": lambda rng, shape: rng.normal(size=shape) * (rng.random(shape) < 0.04),
    "one bit apart": lambda rng, shape: 1 + rng.integers(256, size=shape) * 2.0**-52,
    "next to zero": lambda rng, shape: 5e-324 * rng.integers(256, size=shape),
    "constant": lambda rng, shape: np.full(shape, -0.5),
}
networks = st.builds(
    lambda kind, m, n, seed: KINDS[kind](np.random.default_rng(seed), (m, n, n)),
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 4),
    st.integers(1, 24),
    st.integers(0, 2**32),
)
relaxed = settings(max_examples=150, deadline=None)


def assert_counts(links, counts):
    expected = topology.count(links)
    for name in ("degree", "walks", "closed"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(expected, name))
        assert getattr(counts, name).dtype == np.int64
    ends = [np.trim_zeros(reached, "b") for reached in (counts.reached, expected.reached)]
    assert ends[0] == ends[1]


@relaxed
@given(networks, st.sampled_from([np.float32, np.float64]))
def test_graphs_are_those_of_one_network_after_another(weights, dtype):
    weights = weights.astype(dtype)
    links = topology_batch.graphs(torch.from_numpy(weights)).numpy()
    for made, network in zip(links, weights, strict=True):
        np.testing.assert_array_equal(made, topology.graph(network))


@relaxed
@given(networks)
def test_counts_are_those_of_one_network_after_another(weights):
    for links, counts in topology_batch.count_many(torch.from_numpy(weights)):
        for graph, counted in zip(links, counts, strict=True):
            assert_counts(graph, counted)


def test_graphs_that_end_at_different_lengths():
    links = np.zeros((5, 30, 30), dtype=bool)
    links[0] = np.eye(30, k=1) + np.eye(30, k=-1)  # a path
    links[1] = ~np.eye(30, dtype=bool)  # complete
    links[2, :9, :9] = links[0, :9, :9]  # a short path, and nodes alone
    links[4] = np.roll(np.eye(30), 1, axis=0) + np.roll(np.eye(30), -1, axis=0)  # a ring
    counts = topology_batch._count(torch.from_numpy(links))
    assert [len(counted.reached) for counted in counts] == [29, 2, 9, 2, 15]
    for graph, counted in zip(links, counts, strict=True):
        assert_counts(graph, counted)


@pytest.mark.parametrize("memory", [1, 3 * 48 * 20**2, 2**30])
def test_parts_as_large_as_memory_allows(memory, monkeypatch):
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=(7, 20, 20)))
    whole = topology_batch.graphs(weights).numpy()
    monkeypatch.setattr(topology_batch, "MEMORY", memory)
    parts = list(topology_batch.count_many(weights))
    assert [len(links) for links, _ in parts] == {1: [1] * 7, 57600: [3, 3, 1], 2**30: [7]}[memory]
    np.testing.assert_array_equal(np.concatenate([links for links, _ in parts]), whole)
    assert all(len(links) == len(counts) for links, counts in parts)


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_counts_are_exact_whatever_precision_products_may_have(precision):
    # In bfloat16 whole numbers above 256 are not; degrees and paths of this graph are.
    rng = np.random.default_rng(0)
    links = np.triu(rng.random((700, 700)) < 0.8, 1)
    links |= links.T
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        (counted,) = topology_batch._count(torch.from_numpy(links[None]))
    finally:
        torch.set_float32_matmul_precision(before)
    assert counted.degree.min() > 500
    assert_counts(links, counted)
    exact = links.astype(np.int64)
    np.testing.assert_array_equal(counted.closed, ((exact @ exact) * exact).sum(axis=1))
