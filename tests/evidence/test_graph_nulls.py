"""Yardsticks of topology: starts, random graphs, and correlations within and across variants."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, spearmanr

from cortexrnn.evidence import graph_nulls
from cortexrnn.evidence.graph_nulls import against_chance, rewired, share_within
from cortexrnn.evidence.rank_correlations import rank_correlations
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import topology
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.trained_weights import COURSE
from tests.runs.test_trained_weights import kept

TASK = "go_nogo"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def graph(seed, n=30, density=0.2):
    links = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    return links | links.T


def runs(cells):
    """Runs of one task from {variant: (accuracies, modularities)}."""
    rows = [
        {"task": TASK, "variant": name, "diverged": False, "accuracy": a, "modularity": m}
        for name, (accuracy, modularity) in cells.items()
        for a, m in zip(accuracy, modularity, strict=True)
    ]
    return pd.DataFrame(rows)


def correlation(table, over):
    return table.set_index("over").loc[over]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.floats(0, 1))
def test_rewiring_keeps_every_degree(seed, n, density):
    before = graph(seed, n, density)
    after = rewired(before, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(after, after.T)
    assert not after.diagonal().any()
    np.testing.assert_array_equal(after.sum(axis=0), before.sum(axis=0))


def test_rewiring_forgets_the_graph():
    ring = nx.to_numpy_array(nx.watts_strogatz_graph(100, 10, 0, seed=0)).astype(bool)
    after = rewired(ring, rng=np.random.default_rng(0))
    assert topology.clustering(ring) == pytest.approx(2 / 3)
    assert topology.clustering(after) < 0.2
    assert (ring & after).sum() / ring.sum() < 0.2


def test_random_graph_has_as_many_edges_and_no_loops():
    links = graph(1)
    made = graph_nulls.random_graph(links, rng=np.random.default_rng(0))
    assert made.sum() == links.sum()
    assert (made == made.T).all() and not made.diagonal().any()


def test_share_within_counts_edges_of_one_label():
    links = np.zeros((4, 4), dtype=bool)
    for a, b in ((0, 1), (2, 3), (1, 2)):
        links[a, b] = links[b, a] = True
    assert share_within(links, [0, 0, 1, 1]) == pytest.approx(2 / 3)
    assert np.isnan(share_within(np.zeros((3, 3)), [0, 1, 2]))


def test_random_graphs_of_a_density_have_that_clustering():
    table = graph_nulls.null_densities(100, [0.1, 0.3])
    np.testing.assert_allclose(table["clustering"], [0.1, 0.3], atol=0.02)
    assert table["efficiency"].is_monotonic_increasing


def test_starts_are_those_of_the_runs():
    field = surrogate_field(24)
    table = graph_nulls.starts(field, seeds=(0, 1)).set_index("start")
    assert len(table) == 6
    np.testing.assert_allclose(
        table.loc["functional", ["entropy", "small_worldness"]].astype(float),
        table.loc["permuted", ["entropy", "small_worldness"]].astype(float),
    )
    assert table.loc["functional", "entropy"].max() < table.loc["orthogonal", "entropy"].min()


def test_a_start_without_kept_run_is_measured_anew():
    field = surrogate_field(24)
    made = graph_nulls.starts(field).set_index("start")[list(COURSE)]
    none = graph_nulls.starts_beside([], field).set_index("start")
    assert not none["kept"].any()
    pd.testing.assert_frame_equal(none[list(COURSE)], made)
    run = kept(0)
    some = graph_nulls.starts_beside([run, run], field).set_index("start")
    start = VARIANTS[run.variant].start
    assert some["kept"].to_dict() == {name: name == start for name in graph_nulls.STARTS}
    assert some.loc[start, list(COURSE)].tolist() == run.course[0].tolist()
    assert some.dtypes[list(COURSE)].eq(float).all()


def test_paper_s_chance_gives_the_paper_s_small_worldness():
    run = kept(0)
    table = against_chance([run]).set_index("chance")
    expected = topology.measure(run.matrix.dense())
    assert table.loc["paper", "small_worldness"] == pytest.approx(expected.small_worldness)
    assert table["modularity"].tolist() == [pytest.approx(expected.modularity)] * 3
    assert against_chance([]).empty
    assert list(against_chance([]).columns) == list(against_chance([run]).columns)


def test_correlation_over_all_runs_is_spearman_s():
    rng = np.random.default_rng(0)
    table = runs({name: rng.random((2, 6)) for name in "abcd"})
    result = correlation(rank_correlations(table, metrics=["modularity"]), "all runs")
    expected = spearmanr(table["accuracy"], table["modularity"]).statistic
    assert result["correlation"] == pytest.approx(expected)
    assert result["low"] <= result["correlation"] <= result["high"]


def test_simpson_s_paradox_is_shown_not_hidden():
    steps = np.arange(6) / 100
    cells = {str(k): (k + steps, k - steps) for k in range(8)}  # up between, down within
    table = rank_correlations(runs(cells), metrics=["modularity"])
    assert correlation(table, "all runs")["low"] > 0.5
    assert correlation(table, "variants")["correlation"] == pytest.approx(1)
    inside = correlation(table, "within variants")
    assert inside["correlation"] == pytest.approx(-1) and inside["high"] < 0


def test_within_variants_is_one_correlation_of_the_ranks_inside_each():
    cells = {"a": ([1, 2, 3, 4], [1, 2, 3, 4]), "b": ([9, 8, 7], [1, 3, 2]), "c": ([1, 2], [2, 1])}
    inside = correlation(rank_correlations(runs(cells), metrics=["modularity"]), "within variants")
    # Centred ranks: a gives xy = 5, xx = yy = 5; b gives -1, 2, 2; c gives -0.5, 0.5, 0.5.
    assert inside["correlation"] == pytest.approx((5 - 1 - 0.5) / (5 + 2 + 0.5))


def test_two_runs_of_a_variant_are_too_few_for_ranks():
    cells = {str(k): ([0.1, 0.2], [0.1, 0.2]) for k in range(6)}
    inside = correlation(rank_correlations(runs(cells), metrics=["modularity"]), "within variants")
    assert np.isnan(inside["correlation"])


def test_unrelated_runs_have_intervals_around_zero():
    rng = np.random.default_rng(1)
    table = rank_correlations(runs({n: rng.random((2, 20)) for n in "abcdefgh"}),
                              metrics=["modularity"])  # fmt: skip
    inside = correlation(table, "within variants")
    assert inside["low"] < 0 < inside["high"]


def test_one_seed_says_nothing_within_variants():
    rng = np.random.default_rng(2)
    table = rank_correlations(runs({n: rng.random((2, 1)) for n in "abcdef"}),
                              metrics=["modularity"])  # fmt: skip
    assert np.isnan(correlation(table, "within variants")["correlation"])
    assert np.isfinite(correlation(table, "all runs")["correlation"])


def test_what_does_not_vary_has_no_correlation():
    same = {name: ([1.0] * 4, [0.1, 0.2, 0.3, 0.4]) for name in "abc"}
    table = rank_correlations(runs(same), metrics=["modularity"])
    assert table[["correlation", "low", "high"]].isna().all(axis=None)


def test_diverged_runs_and_missing_values_are_left_out():
    rng = np.random.default_rng(3)
    table = runs({n: rng.random((2, 5)) for n in "abcd"})
    table.loc[0, ["diverged", "accuracy"]] = [True, np.nan]
    table.loc[7, "modularity"] = np.nan
    result = rank_correlations(table, metrics=["modularity"])
    assert set(result["runs"]) == {18}


def test_all_measures_and_tasks_are_there():
    table = runs({n: ([0.1, 0.2, 0.3], [1, 2, 3]) for n in "abc"})
    both = pd.concat([table, table.assign(task="perceptual")]).assign(
        entropy=1.0, small_worldness=2.0, assortativity=3.0
    )
    assert len(rank_correlations(both)) == 2 * len(COURSE) * 3


def test_every_graph_of_as_many_edges_is_equally_likely():
    links = np.zeros((4, 4), dtype=bool)
    for a, b in ((0, 1), (2, 3)):
        links[a, b] = links[b, a] = True
    rng, upper = np.random.default_rng(0), np.triu_indices(4, 1)
    drawn = [graph_nulls.random_graph(links, rng=rng)[upper].tobytes() for _ in range(1500)]
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 15  # of six pairs two
    assert chisquare(counts).pvalue > 1e-3
