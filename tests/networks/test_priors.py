"""Priors against the authors' values and against what defines them."""

import dataclasses
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cortexrnn import load_field
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import (
    communicability,
    empirical_communicability,
    stochastic_exponential,
)


@pytest.fixture(scope="module")
def field():
    return surrogate_field(40)


@pytest.mark.parametrize("name", ["6_6_2", "5_3_4"])
def test_functional_weights_are_the_authors(mirror, golden, name):
    real = load_field(name, directory=mirror)
    weights = priors.functional_weights(real, relation="correlation", rng=np.random.default_rng(0))
    diagonal = np.eye(real.n_neurons, dtype=bool)
    ours = {
        "sum": weights.sum(),
        "diag_mean": weights[diagonal].mean(),
        "offdiag_mean": weights[~diagonal].mean(),
        "w_0_1": weights[0, 1],
        "w_5_3": weights[5, 3],
        "max": weights.max(),
    }
    theirs = golden[name]["w_bio"]
    worst = max(abs(ours[key] - theirs[key]) / abs(theirs[key]) for key in ours)
    print(f"W* of {name}: largest relative error {worst:.1e}, tolerance 1e-9")
    assert worst < 1e-9


@pytest.mark.parametrize("relation", ["correlation", "precision", "sttc"])
def test_functional_weights_have_their_radius_and_stand_above_zero(field, relation):
    weights = priors.functional_weights(field, relation=relation, rng=np.random.default_rng(1))
    assert priors.spectral_radius(weights) == pytest.approx(0.95, abs=1e-9)
    assert (weights >= 0).all()
    assert not np.allclose(weights, weights.T)


def test_the_weakest_relation_stays_without_a_connection(field):
    # Only entries above zero are lifted.
    weights = priors.functional_weights(field, relation="sttc", rng=np.random.default_rng(0))
    np.testing.assert_array_equal(weights == 0, field.sttc == field.sttc.min())


@pytest.mark.parametrize(
    ("name", "relation", "ratio"),
    [
        ("6_6_2", "correlation", 206),
        ("6_6_2", "precision", 127),
        ("6_6_2", "sttc", 15),
        ("5_3_4", "correlation", 283),
        ("5_3_4", "precision", 360),
        ("5_3_4", "sttc", 19),
    ],
)
def test_self_connections_stand_far_above_the_rest(mirror, name, relation, ratio):
    real = load_field(name, directory=mirror)
    weights = priors.functional_weights(real, relation=relation, rng=np.random.default_rng(0))
    diagonal = np.eye(real.n_neurons, dtype=bool)
    # The reference ratios are given as whole numbers.
    assert weights[diagonal].mean() / weights[~diagonal].mean() == pytest.approx(ratio, abs=0.5)


def test_a_relation_that_is_absent_or_unknown_is_refused(field):
    bare = type(field).from_arrays(
        name="bare",
        positions=field.positions,
        connectome=field.connectome,
        voxel_size=field.voxel_size,
        sttc=field.sttc,
    )
    rng = np.random.default_rng(0)
    priors.functional_weights(bare, relation="sttc", rng=rng)
    with pytest.raises(FieldError, match="sttc"):
        priors.functional_weights(bare, relation="correlation", rng=rng)
    with pytest.raises(ValueError, match="choose one of correlation"):
        priors.functional_weights(bare, relation="covariance", rng=rng)


@pytest.mark.parametrize("relation", ["correlation", "precision", "sttc", "response"])
@pytest.mark.parametrize("tiled", [True, False])
def test_a_product_that_lacks_its_second_factor_is_told_and_nothing_else(field, relation, tiled):
    responses = np.random.default_rng(0).random((field.n_neurons, field.n_neurons))
    one = dataclasses.replace(field, response=responses)
    if not tiled and relation != "sttc":
        one = dataclasses.replace(one, sttc=None)
    warns = not tiled and relation in ("correlation", "precision")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        priors.functional_weights(one, relation=relation, rng=np.random.default_rng(0))
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == warns
    if warns:
        assert f"made of the {relation} alone" in messages[0]
        assert caught[0].filename == __file__


def test_a_constant_relation_is_refused(field):
    flat = type(field).from_arrays(
        name="flat",
        positions=field.positions,
        connectome=field.connectome,
        voxel_size=field.voxel_size,
        sttc=np.ones((field.n_neurons, field.n_neurons)),
    )
    with pytest.raises(ValueError, match="flat: sttc is constant"):
        priors.functional_weights(flat, relation="sttc", rng=np.random.default_rng(0))


def test_relabelling_keeps_spectrum_and_self_connections(field):
    weights = priors.functional_weights(field, relation="correlation", rng=np.random.default_rng(0))
    relabelled = priors.permuted_weights(weights, rng=np.random.default_rng(1))
    assert not np.allclose(weights, relabelled)
    np.testing.assert_array_equal(np.sort(weights, axis=None), np.sort(relabelled, axis=None))
    np.testing.assert_array_equal(np.sort(np.diag(weights)), np.sort(np.diag(relabelled)))
    assert priors.spectral_radius(relabelled) == pytest.approx(0.95)


@pytest.mark.parametrize("name", ["6_6_2", "5_3_4"])
def test_published_coordinates_are_not_the_true_ones(mirror, name):
    real = load_field(name, directory=mirror)
    upper = np.triu_indices(real.n_neurons, 1)
    true = priors.distances(priors.scaled_positions(real, coordinates="soma"))[upper]
    used = priors.distances(priors.scaled_positions(real, coordinates="reshaped"))[upper]
    assert abs(np.corrcoef(true, used)[0, 1]) < 0.1
    if name == "6_6_2":
        assert np.corrcoef(true, used)[0, 1] == pytest.approx(0.003, abs=1e-3)
        assert used.mean() == pytest.approx(0.55, abs=0.01)
        assert true.mean() == pytest.approx(0.49, abs=0.01)


def test_reshaped_coordinates_take_every_number_once_from_other_neurons(field):
    used = priors.scaled_positions(field, coordinates="reshaped")
    taken = field.positions.ravel()[[[0, 40, 80], [1, 41, 81], [2, 42, 82]]]
    # Scaling keeps ratios of differences along each axis of the units.
    expected = (taken[2] - taken[0]) / (taken[1] - taken[0])
    np.testing.assert_allclose((used[2] - used[0]) / (used[1] - used[0]), expected)


def test_soma_coordinates_fill_the_unit_box_and_keep_a_flat_axis_flat(field):
    positions = field.positions.copy()
    positions[:, 2] = 7
    flat = type(field).from_arrays(
        name="flat",
        positions=positions,
        connectome=field.connectome,
        voxel_size=field.voxel_size,
    )
    scaled = priors.scaled_positions(flat)
    assert (scaled[:, 2] == 0).all()
    assert scaled[:, :2].min() == 0
    assert scaled[:, :2].max() == 1


def test_grid_follows_meshgrid_order():
    points = priors.grid_coordinates((4, 3, 2), 24)
    expected = np.stack([a.ravel() for a in np.meshgrid(range(4), range(3), range(2))], axis=1)
    np.testing.assert_array_equal(points, expected)
    # numpy's default indexing swaps the first two axes: the second axis varies slowest.
    np.testing.assert_array_equal(points[2], [1, 0, 0])


def test_a_grid_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"grid \(2, 2, 2\) has 8 points for 9 neurons"):
        priors.grid_coordinates((2, 2, 2), 9)


@given(arrays(float, (6, 3), elements=st.floats(-100, 100)))
def test_distances_are_a_metric(points):
    d = priors.distances(points)
    assert (np.diag(d) == 0).all()
    np.testing.assert_allclose(d, d.T)
    assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + 1e-9).all()
    np.testing.assert_allclose(priors.distances(points + 5.0), d, atol=1e-9)


def test_distances_refuse_what_is_not_coordinates():
    with pytest.raises(ValueError, match="finite"):
        priors.distances([[0, 0, np.nan]])
    with pytest.raises(ValueError, match="shape"):
        priors.distances([1, 2, 3])


def literal_communicability(weights):
    magnitude = np.abs(weights)
    root = np.sqrt(magnitude.sum(1))
    result = scipy.linalg.expm(magnitude / np.outer(root, root))
    np.fill_diagonal(result, 0)
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.floats(0.1, 4))
def test_communicability_is_its_definition(n, seed, spread):
    # Weights over many orders of magnitude, as training leaves them.
    weights = np.random.default_rng(seed).lognormal(0, spread, (n, n))
    ours = communicability(torch.from_numpy(weights)).numpy()
    theirs = literal_communicability(weights)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * theirs.max())


def test_communicability_takes_any_number_of_leading_axes():
    weights = torch.rand(
        2, 3, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    together = communicability(weights)
    for i, j in np.ndindex(2, 3):
        torch.testing.assert_close(together[i, j], communicability(weights[i, j]))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-13)])
def test_exponential_agrees_with_torch(dtype, tolerance):
    matrix = torch.rand(3, 50, 50, dtype=dtype, generator=torch.Generator().manual_seed(0))
    matrix /= matrix.sum(-1, keepdim=True)
    ours = stochastic_exponential(matrix)
    torch.testing.assert_close(ours, torch.matrix_exp(matrix), rtol=tolerance, atol=tolerance / 50)


def test_exponential_has_the_gradient_of_torch():
    matrix = torch.rand(20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    matrix = (matrix / matrix.sum(-1, keepdim=True)).requires_grad_()
    upstream = torch.rand(20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ours, theirs = (
        torch.autograd.grad((f(matrix) * upstream).sum(), matrix)[0]
        for f in (stochastic_exponential, torch.matrix_exp)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_neuron_without_weights_has_no_communicability():
    weights = torch.ones(3, 3)
    weights[1] = 0
    assert communicability(weights).isnan().any()
    assert communicability(weights, strength_offset=1e-10).isfinite().all()


def test_connectome_rows_without_synapses_blow_communicability_up(mirror):
    real = load_field("6_6_2", directory=mirror)
    assert (real.connectome.sum(1) == 0).sum() == 166
    c = empirical_communicability(real.connectome)
    assert c.max() == pytest.approx(1.4e5, rel=0.02)
    assert c.mean() == pytest.approx(129, rel=0.01)
    assert (np.diag(c) == 0).all()


def test_entries_that_lead_to_a_silent_neuron_are_raised_by_up_to_1e5():
    # One synapse on a silent neuron; beside it the same with one synapse of its own.
    silent, speaking = np.zeros((3, 3)), np.zeros((3, 3))
    silent[0, 1] = speaking[0, 1] = speaking[1, 2] = 1
    raised, plain = (empirical_communicability(c)[0, 1] for c in (silent, speaking))
    assert raised / plain == pytest.approx(1e5)


@pytest.mark.parametrize("name", ["5_3_4", "5_6_8", "6_6_2", "7_4_4", "9_3_2"])
def test_reshaped_coordinates_make_three_clusters_about_eight_times_as_far_apart(mirror, name):
    real = load_field(name, directory=mirror)
    apart = priors.distances(priors.scaled_positions(real, coordinates="reshaped"))
    cluster = np.arange(real.n_neurons) % 3
    same = np.equal.outer(cluster, cluster)
    within = apart[same & ~np.eye(real.n_neurons, dtype=bool)].mean()
    assert 6 < apart[~same].mean() / within < 11


def test_usable_relation_is_the_wanted_one_or_the_first_there_is() -> None:
    field = surrogate_field(12)
    assert priors.usable_relation(field, "precision") == "precision"
    some = dataclasses.replace(field, correlation=None, precision=None)
    assert priors.usable_relation(some, "correlation") == "sttc"
    assert priors.usable_relation(dataclasses.replace(some, sttc=None), "correlation") is None
    with pytest.raises(ValueError, match="covariance"):
        priors.usable_relation(field, "covariance")
