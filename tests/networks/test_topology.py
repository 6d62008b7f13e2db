"""Topology: golden values, networkx, the literal definitions, invariants and the cache."""

import json
import math
import os
from dataclasses import asdict, replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr
from scipy.stats import gaussian_kde

from cortexrnn.networks import cache, topology
from cortexrnn.networks.topology import (
    Nulls,
    assortativity,
    clustering,
    efficiency,
    entropy,
    graph,
    measure,
    modularity,
    null_graphs,
)

MEASURES = ("entropy", "modularity", "assortativity", "clustering", "efficiency", "edges")
TOLERANCE = 1e-9


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Start every test with nothing remembered, on disk or in memory."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CORTEXRNN_CACHE", str(folder))
    topology._cached_nulls.cache_clear()
    yield folder
    topology._cached_nulls.cache_clear()


@pytest.fixture
def counted(monkeypatch):
    """Count how often nulls are really computed."""
    calls = []
    compute = topology._compute_nulls

    def counting(n, n_nulls, seed):
        calls.append((n, n_nulls, seed))
        return compute(n, n_nulls, seed)

    monkeypatch.setattr(topology, "_compute_nulls", counting)
    return calls


def assert_golden(label, got, expected):
    errors = {key: abs(getattr(got, key) - expected[key]) for key in MEASURES}
    worst = max(errors, key=lambda key: errors[key])
    print(f"{label}: largest error {errors[worst]:.1e} ({worst}), tolerance {TOLERANCE:.0e}")
    assert errors[worst] <= TOLERANCE


def assert_nulls(label, got, expected):
    for key in ("clustering", "efficiency"):
        error = abs(getattr(got, key) - expected[f"null_{key}_mean"])
        sd = expected[f"null_{key}_sd"]
        limit = 4 * sd / math.sqrt(expected["n_nulls"])
        print(f"{label}: null {key} off by {error:.1e}, four standard errors are {limit:.1e}")
        assert error <= limit
        assert getattr(got, f"{key}_sd") == pytest.approx(sd, rel=1e-6)


def tiny_weights():
    return np.random.default_rng(7).normal(0, 0.2, (24, 24))


def random_graph(n, density, seed):
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    return upper | upper.T


graphs = st.builds(
    random_graph, st.integers(2, 30), st.floats(0, 1), st.integers(0, 2**32)
)  # covers empty, sparse, disconnected and complete ones
relaxed = settings(max_examples=50, deadline=None)


def test_golden_tiny(golden):
    expected = golden["tiny"]["metrics"]
    measured = measure(tiny_weights())
    assert_golden("tiny", measured, expected)
    nulls = null_graphs(24, n_nulls=expected["n_nulls"])
    assert_nulls("tiny", nulls, expected)
    ratio = expected["clustering"] / expected["null_clustering_mean"]
    reach = expected["efficiency"] / expected["null_efficiency_mean"]
    assert measured.small_worldness == pytest.approx(ratio * reach, rel=TOLERANCE)


@pytest.mark.parametrize("name", ["5_3_4", "6_6_2"])
def test_golden_field(name, golden, mirror):
    from cortexrnn.fields.sources import load_field
    from cortexrnn.networks.priors import functional_weights

    field = load_field(name, directory=mirror)
    weights = functional_weights(field, relation="correlation", rng=np.random.default_rng(0))
    assert_golden(name, measure(weights, n_nulls=2), golden[name]["metrics"])
    # Single precision moves the 100 points of the density by a few 1e-9 in entropy, no more.
    single = measure(weights.astype(np.float32), n_nulls=2)
    assert single.entropy == pytest.approx(golden[name]["metrics"]["entropy"], abs=1e-7)
    assert single.modularity == pytest.approx(golden[name]["metrics"]["modularity"], abs=1e-12)


@pytest.mark.parametrize("name", ["5_3_4", "6_6_2"])
def test_golden_nulls_of_fields(name, golden):
    expected = golden[name]["nulls"]
    assert_nulls(name, null_graphs(golden[name]["n"], n_nulls=expected["n_nulls"]), expected)


@relaxed
@given(graphs)
def test_against_networkx(links):
    network = nx.from_numpy_array(links)
    assert clustering(links) == pytest.approx(nx.average_clustering(network), abs=TOLERANCE)
    assert efficiency(links) == pytest.approx(nx.global_efficiency(network), abs=TOLERANCE)
    degree = links.sum(axis=1)
    if len(set(degree[degree > 0])) > 1:
        with np.errstate(invalid="ignore"):
            expected = nx.degree_assortativity_coefficient(network)
        assert assortativity(links) == pytest.approx(expected, abs=TOLERANCE)
    else:
        assert math.isnan(assortativity(links))


@relaxed
@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 2**32))
def test_clustering_with_self_loops_by_the_letter(n, density, seed):
    uniform = np.random.default_rng(seed).random((n, n))
    links = (uniform + uniform.T) / 2 < density
    total = 0.0
    for node in range(n):
        near = [other for other in range(n) if links[node, other]]
        joined = sum(bool(links[a, b]) for a in near for b in near)
        if len(near) >= 2:
            total += joined / (len(near) * (len(near) - 1))
    assert clustering(links) == pytest.approx(total / n, abs=TOLERANCE)


@relaxed
@given(graphs, st.integers(0, 2**32))
def test_relabelling_and_self_loops(links, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(links))
    moved = links[np.ix_(order, order)]
    assert clustering(moved) == pytest.approx(clustering(links), abs=1e-12)
    assert efficiency(moved) == pytest.approx(efficiency(links), abs=1e-12)
    np.testing.assert_equal(assortativity(moved), assortativity(links))
    looped = links | np.diag(rng.random(len(links)) < 0.5)
    assert efficiency(looped) == efficiency(links)


def test_measures_of_a_relabelled_network():
    weights = tiny_weights()
    order = np.random.default_rng(1).permutation(24)
    first, moved = (measure(w, n_nulls=20) for w in (weights, weights[np.ix_(order, order)]))
    for key in ("entropy", "assortativity", "clustering", "efficiency", "small_worldness"):
        assert getattr(moved, key) == pytest.approx(getattr(first, key), abs=1e-12)
    assert moved.edges == first.edges


def test_long_paths():
    path = np.eye(60, k=1, dtype=bool) | np.eye(60, k=-1, dtype=bool)
    expected = 2 * sum((60 - d) / d for d in range(1, 60)) / (60 * 59)
    assert efficiency(path) == pytest.approx(expected, rel=1e-12)
    assert clustering(path) == 0.0


def test_modularity_of_two_cliques():
    links = np.kron(np.eye(2, dtype=bool), np.ones((5, 5), dtype=bool)) & ~np.eye(10, dtype=bool)
    assert modularity(links) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, deadline=None)
@given(graphs.filter(lambda links: links.any()))
def test_modularity_is_that_of_networkx(links):
    network = nx.from_numpy_array(links)
    best = nx.community.greedy_modularity_communities(network)
    assert modularity(links) == pytest.approx(nx.community.modularity(network, best), abs=1e-12)


@pytest.mark.parametrize(
    "network",
    [
        nx.cycle_graph(30),
        nx.grid_2d_graph(5, 7),
        nx.hypercube_graph(5),
        nx.complete_bipartite_graph(4, 9),
        nx.random_regular_graph(3, 40, seed=1),
        nx.disjoint_union(nx.petersen_graph(), nx.star_graph(6)),
    ],
    ids=["cycle", "grid", "hypercube", "bipartite", "regular", "two parts"],
)
def test_communities_are_those_of_networkx_where_gains_tie(network):
    assert_communities(nx.to_numpy_array(network) > 0)


@pytest.mark.parametrize("kind", ["regular", "circulant"])
def test_communities_are_those_of_networkx_in_any_order_of_nodes(kind):
    rng = np.random.default_rng(0)
    for _ in range(150):
        n = 2 * int(rng.integers(5, 14))
        if kind == "regular":
            network = nx.random_regular_graph(
                int(rng.integers(2, 5)), n, seed=int(rng.integers(99))
            )
        else:
            network = nx.circulant_graph(n, rng.integers(1, n // 2, 2).tolist())
        links = nx.to_numpy_array(network) > 0
        order = rng.permutation(n)
        assert_communities(links[np.ix_(order, order)])


def assert_communities(links):
    best = nx.community.greedy_modularity_communities(nx.from_numpy_array(links))
    labels = topology._greedy_communities(links)
    found = {frozenset(np.flatnonzero(labels == k).tolist()) for k in set(labels)}
    assert found == {frozenset(community) for community in best}


def test_graph_by_the_letter():
    weights = tiny_weights()
    before = weights.copy()
    limit = np.quantile(np.abs(weights), 0.9)
    expected = np.zeros((24, 24), dtype=bool)
    for i in range(24):
        for j in range(24):
            expected[i, j] = i != j and max(abs(weights[i, j]), abs(weights[j, i])) > limit
    assert np.array_equal(graph(weights), expected)
    assert np.array_equal(weights, before)


def test_the_quantile_counts_the_diagonal_and_is_strict():
    weights = np.diag([9.0, 9.0, 9.0, 9.0])
    weights[0, 1] = -1.0
    assert not graph(weights).any()  # the strongest tenth is all self-connections
    assert not graph(np.ones((6, 6))).any()  # nothing is above the quantile of a constant
    weights[2, 1], weights[3, 0] = 10.0, -10.0
    assert np.array_equal(np.argwhere(graph(weights)), [[0, 3], [1, 2], [2, 1], [3, 0]])


def test_entropy_by_the_letter():
    values = tiny_weights().ravel()
    width = values.std(ddof=1) * values.size ** (-1 / 5)
    points = np.linspace(values.min(), values.max(), 100)
    density = np.exp(-((points[:, None] - values) ** 2) / (2 * width**2)).sum(axis=1)
    share = density / density.sum()
    expected = -(share * np.log2(share)).sum()
    assert entropy(tiny_weights()) == pytest.approx(expected, abs=1e-12)


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "heavy tails": lambda rng, n: rng.standard_t(1, n),
    "skewed": lambda rng, n: rng.lognormal(0, 2, n),
    "sparse": lambda rng, n: np.where(rng.random(n) < 0.05, rng.normal(size=n), 0),
    "shrunk": lambda rng, n: rng.normal(size=n) * np.where(rng.random(n) < 0.02, 1, 1e-6),
    "denormal": lambda rng, n: rng.normal(size=n) * np.where(rng.random(n) < 0.1, 1, 1e-310),
    "all near 1e-150": lambda rng, n: rng.normal(size=n) * 1e-150,
    "all near 1e150": lambda rng, n: rng.normal(size=n) * 1e150,
    "ties": lambda rng, n: np.round(2 * rng.normal(size=n)),
    "two values": lambda rng, n: (np.arange(n) < 1 + rng.integers(n - 1)).astype(float),
    "one apart": lambda rng, n: np.eye(1, n)[0],
    "one far": lambda rng, n: np.append(rng.normal(size=n - 1), 10 ** rng.uniform(0, 4)),
    "two groups": lambda rng, n: rng.normal(size=n) + 10 ** rng.uniform(0, 4) * rng.integers(2),
    "far from zero": lambda rng, n: 1e3 + rng.normal(size=n),
    "single precision": lambda rng, n: rng.normal(size=n).astype(np.float32),
}


def entropy_by_scipy(values):
    points = np.linspace(values.min(), values.max(), 100)
    try:
        density = gaussian_kde(values)(points)
    except np.linalg.LinAlgError:
        return math.nan
    return entr(density / density.sum()).sum() / math.log(2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", DISTRIBUTIONS)
@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32))
def test_entropy_is_that_of_gaussian_kde(kind, n, seed):
    weights = DISTRIBUTIONS[kind](np.random.default_rng(seed), n * n).reshape(n, n)
    expected = entropy_by_scipy(weights.ravel().astype(float))
    assert entropy(weights) == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_density_is_exact_at_every_point(kind):
    values = np.sort(DISTRIBUTIONS[kind](np.random.default_rng(3), 1600)).astype(float)
    points = np.linspace(values[0], values[-1], 100)
    width = values.std(ddof=1) * 1600 ** (-1 / 5)
    distance = (values.astype(np.longdouble) - points[:, None]) / width
    expected = np.exp(-(distance**2) / 2).sum(axis=1)
    nearest = np.abs(distance).min(axis=1)
    density = topology._density(values, points, width)
    seen = nearest < 30
    np.testing.assert_allclose(density[seen], expected[seen].astype(float), rtol=1e-12)
    assert (density[~seen] <= 1e-150).all()


@pytest.mark.filterwarnings("error")
def test_weights_too_large_to_be_squared_have_no_density():
    assert math.isnan(entropy([[1e200, -1e200], [0, 1]]))
    assert math.isnan(entropy([[1.7e308, -1.7e308], [0, 1]]))


@relaxed
@given(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3), st.floats(-10, 10))
def test_entropy_does_not_see_scale_or_shift(scale, shift):
    weights = tiny_weights()[:8, :8]
    value = entropy(weights)
    assert 0 < value < math.log2(100)
    assert entropy(weights * scale + shift) == pytest.approx(value, abs=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [23.3, 25.0, 26.5])
def test_entropy_where_a_density_is_too_small_for_a_float(far):
    # Tiny weights and one far from them, as a strong penalty leaves them: between the two the
    # density passes through the smallest numbers that there are.
    weights = np.random.default_rng(0).normal(size=(40, 40))
    weights[0, 0] = far
    assert entropy(1e-6 * weights) == pytest.approx(entropy(weights), abs=1e-6)


def test_entropy_falls_as_weights_concentrate():
    weights = tiny_weights()
    sparse = np.where(np.abs(weights) > 0.45, weights, 0)
    assert entropy(sparse) < entropy(weights) - 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("error")
def test_weights_that_are_not_finite_measure_nan(bad):
    weights = tiny_weights()
    weights[3, 4] = bad
    assert all(math.isnan(value) for value in asdict(measure(weights, n_nulls=2)).values())
    assert math.isnan(entropy(weights))
    with pytest.raises(ValueError, match="NaN or infinite"):
        graph(weights)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
@pytest.mark.filterwarnings("error")
def test_constant_weights(value):
    measured = measure(np.full((7, 7), value), n_nulls=5)
    assert (
        math.isnan(measured.entropy)
        and math.isnan(measured.modularity)
        and math.isnan(measured.assortativity)
    )
    assert (
        measured.clustering
        == measured.efficiency
        == measured.small_worldness
        == measured.edges
        == 0.0
    )


@pytest.mark.filterwarnings("error")
def test_small_and_regular_graphs():
    complete = ~np.eye(5, dtype=bool)
    assert clustering(complete) == efficiency(complete) == 1.0
    assert math.isnan(assortativity(complete)) and modularity(complete) == pytest.approx(0)
    single = np.zeros((1, 1), dtype=bool)
    assert clustering(single) == efficiency(single) == 0.0
    assert math.isnan(modularity(single)) and math.isnan(assortativity(single))
    assert math.isnan(measure([[1.0]], n_nulls=3).small_worldness)
    assert measure([[0.0, 1.0], [0.0, 0.0]], n_nulls=3).edges == 1.0


@pytest.mark.filterwarnings("error")
def test_weights_almost_constant_have_no_density():
    weights = np.full((4, 4), 1e-200)
    weights[0, 1] = 2e-200
    assert math.isnan(entropy(weights))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((3, 4)), r"^weights: shape \(3, 4\)"),
        (np.ones(4), r"^weights: shape \(4,\)"),
        (np.ones((0, 0)), r"\(0, 0\)"),
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        (np.ones((2, 2), dtype=complex), "complex"),
        ([["a", "b"], ["c", "d"]], "real numbers"),
    ],
)
def test_what_is_no_weight_matrix_is_refused(weights, message):
    for function in (measure, entropy, topology.strongest):
        with pytest.raises(ValueError, match=message):
            function(weights)


def test_directed_adjacency_is_refused():
    for function in (clustering, efficiency, modularity, assortativity):
        with pytest.raises(ValueError, match="not symmetric"):
            function([[0, 1], [0, 0]])


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n_nulls": 0}, {"seed": -1}, {"n": 2.5}])
def test_bad_nulls_are_refused(wrong):
    arguments = {"n": 5, "n_nulls": 3, "seed": 0, **wrong}
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        null_graphs(arguments.pop("n"), **arguments)


def test_nulls_by_the_letter():
    rng = np.random.default_rng(5)
    values = []
    for _ in range(6):
        uniform = rng.random((15, 15))
        links = (uniform + uniform.T) / 2 > 0.7
        values.append((clustering(links), efficiency(links)))
    mean, sd = np.mean(values, axis=0), np.std(values, axis=0)
    nulls = null_graphs(15, n_nulls=6, seed=5)
    np.testing.assert_allclose(
        [nulls.clustering, nulls.efficiency, nulls.clustering_sd, nulls.efficiency_sd], [*mean, *sd]
    )
    assert nulls.n_nulls == 6 and null_graphs(15, n_nulls=6, seed=4) != nulls


def test_the_kept_diagonal_raises_null_clustering():
    with_loops = null_graphs(24, n_nulls=200).clustering
    rng = np.random.default_rng(0)
    without = []
    for _ in range(200):
        uniform = rng.random((24, 24))
        links = (uniform + uniform.T) / 2 > 0.7
        np.fill_diagonal(links, False)
        without.append(clustering(links))
    assert with_loops == pytest.approx(0.41, abs=0.02)
    assert np.mean(without) == pytest.approx(0.167, abs=0.02)


def test_nulls_are_computed_once(counted, own_cache):
    first = null_graphs(10, n_nulls=4)
    assert null_graphs(10, n_nulls=4) is first and null_graphs(np.int64(10), n_nulls=4) is first
    topology._cached_nulls.cache_clear()  # as in another process
    assert null_graphs(10, n_nulls=4) == first
    assert counted == [(10, 4, 0)]
    assert len(list(own_cache.iterdir())) == 1  # and no unfinished file beside it
    null_graphs(11, n_nulls=4)
    null_graphs(10, n_nulls=5)
    null_graphs(10, n_nulls=4, seed=1)
    assert len(counted) == 4 and len(list(own_cache.iterdir())) == 4


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b"null", b'{"clustering": 1.0}', "nan", "text", "other"],
)
def test_unreadable_nulls_are_computed_again(content, counted, own_cache):
    first = null_graphs(10, n_nulls=4)
    (path,) = own_cache.iterdir()
    changed = {
        "nan": replace(first, clustering=math.nan),
        "text": replace(first, efficiency="0.5"),
        "other": replace(first, n_nulls=7),
    }
    if isinstance(content, str):
        content = json.dumps(asdict(changed[content])).encode()
    path.write_bytes(content)
    topology._cached_nulls.cache_clear()
    assert null_graphs(10, n_nulls=4) == first
    assert len(counted) == 2
    assert Nulls(**json.loads(path.read_text())) == first  # and mended


@pytest.mark.parametrize("obstacle", ["file", "read_only", "no_replace"])
def test_a_cache_that_cannot_be_written_is_passed_over(obstacle, own_cache, monkeypatch):
    if obstacle == "file":
        own_cache.write_text("not a folder")
    elif obstacle == "read_only":
        own_cache.mkdir()
        own_cache.chmod(0o500)
    else:
        monkeypatch.setattr(cache.Path, "replace", _refuse)
    assert null_graphs(10, n_nulls=4).n_nulls == 4
    if obstacle == "no_replace":
        assert list(own_cache.iterdir()) == []
    if obstacle == "read_only":
        assert os.geteuid() == 0 or list(own_cache.iterdir()) == []
        own_cache.chmod(0o700)


def _refuse(self, target):
    raise PermissionError(f"cannot write {target}")


def test_communities_are_those_behind_modularity_and_sorted_by_size():
    blocks = nx.disjoint_union_all([nx.complete_graph(size) for size in (4, 9, 6)])
    links = nx.to_numpy_array(blocks).astype(bool)
    links[0, 5] = links[5, 0] = True
    label = topology.communities(links)
    sizes = np.bincount(label)
    assert sizes.tolist() == [9, 6, 4]
    parts = [set(np.flatnonzero(label == k)) for k in range(len(sizes))]
    network = nx.from_numpy_array(links)
    assert nx.community.modularity(network, parts) == pytest.approx(modularity(links))
    assert topology.communities(np.zeros((3, 3))).tolist() == [0, 1, 2]


def test_the_strongest_tenth_makes_the_graph():
    weights = np.random.default_rng(0).normal(size=(20, 20))
    strong = topology.strongest(weights)
    assert strong.sum() == 40
    assert np.abs(weights[strong]).min() > np.abs(weights[~strong]).max()
    linked = strong | strong.T
    np.fill_diagonal(linked, False)
    np.testing.assert_array_equal(graph(weights), linked)
