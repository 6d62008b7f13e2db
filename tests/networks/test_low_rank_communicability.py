"""Communicability of large networks against the exact one."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import low_rank_communicability as low_rank
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import stochastic_exponential
from cortexrnn.networks.low_rank_communicability import draw_probes, low_rank_exponential
from cortexrnn.networks.penalties import penalty, penalty_of
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import control

N = 24


def stochastic(n=N, *, members=2, stay=4.0, power=3, dtype=torch.float64):
    """Random matrices (M, N, N) with rows of sum one and self-connections of every size."""
    generator = torch.Generator().manual_seed(n)
    draw = torch.rand(members, n, n, dtype=torch.float64, generator=generator) ** power
    draw += torch.diag_embed(
        stay * torch.rand(members, n, dtype=torch.float64, generator=generator)
    )
    return (draw / draw.sum(-1, keepdim=True)).to(dtype)


def upstream(like):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(like.shape, dtype=torch.float64, generator=generator).to(like)


def with_gradient(function, matrix, error):
    leaf = matrix.clone().requires_grad_()
    value = function(leaf)
    return value.detach(), torch.autograd.grad(value, leaf, error)[0]


def distance(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def few_moves(matrix):
    """Walks of at most one move: the exponential of the diagonal and its derivative along the rest.

    The derivative stands in the corner of the exponential of a block matrix (Van Loan 1978).
    """
    n = matrix.shape[-1]
    stay = torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1))
    blocks = torch.cat(
        [torch.cat([stay, matrix - stay], -1), torch.cat([torch.zeros_like(stay), stay], -1)], -2
    )
    exponential = torch.matrix_exp(blocks)
    return exponential[..., :n, :n] + exponential[..., :n, n:]


def plain_form(matrix, probes):
    """What the text of the module says, by autograd and full products, before it is raised."""
    with torch.no_grad():
        moves = matrix - torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1))
        constant = torch.ones(*matrix.shape[:-1], 1, dtype=matrix.dtype)
        a = torch.linalg.qr(torch.cat([constant, moves @ moves @ probes], -1)).Q
        b = torch.linalg.qr(torch.cat([constant, moves.mT @ moves.mT @ probes], -1)).Q
        a, b = a @ a.mT, b @ b.mT
    few = few_moves(matrix)
    many = torch.matrix_exp(matrix) - few
    return few + a @ many + many @ b - a @ many @ b


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str
)
def test_with_as_many_columns_as_neurons_it_is_the_exponential(dtype, tolerance):
    matrix = stochastic(dtype=dtype)
    probes = draw_probes(N, N).to(dtype)
    expected = with_gradient(stochastic_exponential, matrix, upstream(matrix))
    found = with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    for ours, exact in zip(found, expected, strict=True):
        assert distance(ours, exact) < tolerance


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_value_and_gradient_are_those_of_the_plain_form(rank):
    matrix, probes = stochastic(), draw_probes(N, rank)
    expected = with_gradient(lambda m: plain_form(m, probes), matrix, upstream(matrix))
    found = with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    for ours, plain in zip(found, expected, strict=True):
        assert distance(ours, plain) < 1e-12


@pytest.mark.parametrize("stay", [0.0, 40.0, None], ids=["none", "strong", "equal"])
def test_walks_that_move_at_most_once_are_exact(stay):
    matrix = stochastic(members=1, stay=stay or 0.0)
    if stay is None:
        matrix.diagonal(dim1=-2, dim2=-1).fill_(0.3)
    diagonal = np.diag(np.diagonal(matrix[0].numpy()))
    value, along = scipy.linalg.expm_frechet(diagonal, matrix[0].numpy() - diagonal)
    np.testing.assert_allclose(low_rank._few_moves(matrix)[0], value + along, rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 8])
def test_row_sums_are_exact(rank):
    sums = low_rank_exponential(stochastic(), draw_probes(N, rank)).sum(-1)
    torch.testing.assert_close(sums, torch.full_like(sums, math.e), rtol=1e-12, atol=0)


def test_what_would_be_negative_is_raised_and_keeps_its_gradient():
    matrix, probes = stochastic(members=1, power=60, stay=0.0), draw_probes(N, 12)
    assert (stochastic_exponential(matrix) > 0).all()
    plain, expected = with_gradient(lambda m: plain_form(m, probes), matrix, upstream(matrix))
    assert (plain < 0).any()
    value, gradient = with_gradient(
        lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix)
    )
    assert (value > 0).all()
    torch.testing.assert_close(value[plain > 1e-9], plain[plain > 1e-9])
    assert value[plain < 0].max() < 1e-30
    assert distance(gradient, expected) < 1e-10


@pytest.mark.parametrize("start", ["functional", "orthogonal"])
def test_it_is_close_for_networks_of_the_paper_and_closer_with_more_columns(start):
    field = surrogate_field(96)
    rng = np.random.default_rng(0)
    weights = (
        priors.functional_weights(field, rng=rng)
        if start == "functional"
        else np.linalg.qr(rng.standard_normal((96, 96)))[0]
    )
    magnitude = torch.from_numpy(np.abs(weights)).unsqueeze(0)
    matrix = magnitude / magnitude.sum(-1, keepdim=True)
    error = magnitude * torch.from_numpy(priors.distances(priors.scaled_positions(field)))
    expected = with_gradient(stochastic_exponential, matrix, error)
    off_diagonal = ~torch.eye(96, dtype=torch.bool)
    errors = []
    for rank in (1, 8, 32):
        probes = draw_probes(96, rank)
        found = with_gradient(lambda m, p=probes: low_rank_exponential(m, p), matrix, error)
        entries, slopes = (
            distance(ours[:, off_diagonal], exact[:, off_diagonal])
            for ours, exact in zip(found, expected, strict=True)
        )
        errors.append((entries, slopes))
        print(f"{start}, rank {rank}: entries {entries:.4f}, gradient {slopes:.4f}")
    assert errors == sorted(errors, reverse=True)
    assert max(errors[1]) < 0.02


def test_networks_side_by_side_do_not_change_each_other():
    matrix, probes = stochastic(members=3), draw_probes(N, 5)
    together = with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    for i in range(3):
        alone = with_gradient(
            lambda m: low_rank_exponential(m, probes),
            matrix[i : i + 1],
            upstream(matrix)[i : i + 1],
        )
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_of_them[i], rtol=1e-12, atol=1e-15)


def test_a_network_that_diverged_stays_not_a_number_and_disturbs_no_other():
    matrix, probes = stochastic(members=2), draw_probes(N, 5)
    expected = with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    matrix[0, 3] = math.nan
    found = with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    for ours, before in zip(found, expected, strict=True):
        assert ours[0].isnan().any()
        torch.testing.assert_close(ours[1], before[1], rtol=1e-12, atol=1e-15)


def test_probes_follow_from_the_size_alone():
    torch.manual_seed(1)
    first = draw_probes(50, 4)
    torch.manual_seed(2)
    assert torch.equal(first, draw_probes(50, 4))
    assert first.shape == (50, 3) and first.dtype == torch.float64
    assert draw_probes(50, 1).shape == (50, 0)
    # Recorded runs depend on these numbers.
    assert first[0].tolist() == pytest.approx(
        [0.6677182836941272, 0.1614264426956535, 0.2838669075526284], rel=1e-12
    )


@pytest.mark.parametrize("rank", [0, 51])
def test_a_rank_that_no_network_of_the_size_has_is_refused(rank):
    with pytest.raises(ValueError, match=f"communicability_rank is {rank}; give .* 1 to 50"):
        draw_probes(50, rank)


# --- penalties and runs

FIELD = surrogate_field(N)
SHORT = {"epochs": 2, "n_train": 256, "n_validation": 64}


def spec(variant, **settings):
    return RunSpec(
        field=FIELD.name, field_hash=FIELD.hash_without_events, variant=variant, task="go_nogo",
        seed=settings.pop("seed", 0), **(SHORT | settings),
    )  # fmt: skip


def random_weights(members=1):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(members, N, N, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("variant", ["WD*C", "WDC*", "W!D*C*"])
def test_a_penalty_of_full_rank_is_the_exact_one_and_one_of_low_rank_is_close(variant):
    weights = random_weights()
    exact = with_gradient(penalty(variant, FIELD), weights, torch.ones(1).double())
    full = penalty(variant, FIELD, communicability_rank=N)
    for ours, theirs in zip(
        with_gradient(full, weights, torch.ones(1).double()), exact, strict=True
    ):
        assert distance(ours, theirs) < 1e-10
    low = with_gradient(
        penalty(variant, FIELD, communicability_rank=4), weights, torch.ones(1).double()
    )
    for ours, theirs in zip(low, exact, strict=True):
        assert 1e-9 < distance(ours, theirs) < 0.05


def test_a_frozen_communicability_stays_exact():
    frozen = control("WD*C", communicability="frozen")
    start = random_weights()[0].numpy()
    one = penalty(frozen, FIELD, initial_weights=start)
    other = penalty(frozen, FIELD, initial_weights=start, communicability_rank=2)
    assert torch.equal(one(random_weights()), other(random_weights()))


def test_a_rank_above_the_number_of_neurons_is_refused_before_training():
    one = spec("WD*C", communicability_rank=N + 1)
    with pytest.raises(ValueError, match=f"communicability_rank is {N + 1}"):
        penalty_of(one, FIELD, np.eye(N))


def test_a_run_follows_its_rank_and_not_its_neighbours():
    exact, low, full = (spec("W*D*C", communicability_rank=rank) for rank in (None, 3, N))
    others = [spec("W*D*C*", communicability_rank=3), spec("WD*C", communicability_rank=5, seed=1)]
    together = train([exact, low, full, *others], FIELD, device="cpu", progress=False)
    for one, beside in zip((low, *others), (together[1], *together[3:]), strict=True):
        (alone,) = train([one], FIELD, device="cpu", progress=False)
        np.testing.assert_array_equal(alone.weights["recurrent"], beside.weights["recurrent"])
        assert alone.metrics == beside.metrics
    by_rank = [torch.from_numpy(result.weights["recurrent"]) for result in together[:3]]
    assert distance(by_rank[2], by_rank[0]) < 1e-5 < 10 * distance(by_rank[1], by_rank[0]) < 1e-2


def test_matrices_are_left_as_they_were():
    matrix, probes = stochastic(), draw_probes(N, 5)
    before = matrix.clone(), probes.clone()
    with_gradient(lambda m: low_rank_exponential(m, probes), matrix, upstream(matrix))
    assert torch.equal(matrix, before[0]) and torch.equal(probes, before[1])
