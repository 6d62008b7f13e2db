"""Gradients of penalties written out, against autograd; how many products they take."""

import dataclasses

import numpy as np
import pytest
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import penalty_backpropagation as written_out
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.penalty_backpropagation import PenaltyWorkspace, by_kind
from cortexrnn.networks.products import LIBRARIES, Products
from cortexrnn.networks.variant import VARIANTS, control


class Accelerator(Products):
    """Multiplies many networks at once, as on an accelerator."""

    multiply = property(lambda self: torch.bmm)

    def operand(self, tensor):
        return tensor


WIDE = Accelerator("torch", "cpu")


@pytest.fixture(scope="module")
def field():
    return surrogate_field(30)


def draw(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def kinds(field):
    start = draw(30, 30, seed=9).numpy()
    named = {name: penalty(name, field) for name in VARIANTS}
    frozen = penalty(control("W*D*C", communicability="frozen"), field, initial_weights=start)
    both = dataclasses.replace(named["W*D*C*"], direct=True)
    return named | {
        "frozen": frozen,
        "frozen without distance": dataclasses.replace(frozen, distance=None),
        "direct without distance": Penalty(strength=0.2, direct=True),
        "direct and emd": both,
        "emd alone": dataclasses.replace(named["W*D*C*"], strength=0.0, distance=None),
        "direct of low rank": penalty("WD*C", field, communicability_rank=5),
        "emd of low rank": penalty("WD*C*", field, communicability_rank=5),
        "direct of another rank": penalty("WDC", field, communicability_rank=9),
    }


def evaluate(function, weights, products):
    n_networks, n_neurons = weights.shape[:2]
    workspace = PenaltyWorkspace(
        weights, n_networks=n_networks, n_neurons=n_neurons, products=products
    )
    before = 1.0 if weights.dtype == torch.float64 else 0.0  # to which it is added
    for _ in range(2):  # memory is used again
        gradient = torch.full_like(weights, before)
        value = workspace.backpropagate(function.to(weights), weights, gradient)
    return value, gradient - before


def reference(function, weights):
    leaf = weights.clone().requires_grad_()
    value = function.to(leaf)(leaf)
    return value.detach(), torch.autograd.grad(value.sum(), leaf)[0]


@pytest.mark.parametrize("products", [*(Products(lib, "cpu") for lib in LIBRARIES), WIDE])
def test_values_and_gradients_are_those_of_autograd(field, products):
    weights = draw(3 if products is WIDE else 1, 30, 30)
    for name, function in kinds(field).items():
        got, expected = evaluate(function, weights, products), reference(function, weights)
        torch.testing.assert_close(got[0], expected[0], rtol=1e-11, atol=1e-12, msg=name)
        torch.testing.assert_close(got[1], expected[1], rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_float32_is_the_same_to_its_rounding(field, library):
    weights = draw(1, 30, 30, dtype=torch.float32)
    for name, function in kinds(field).items():
        got = evaluate(function, weights, Products(library, "cpu"))
        expected = reference(function, weights.double())
        torch.testing.assert_close(got[0].double(), expected[0], rtol=2e-6, atol=0, msg=name)
        size = expected[1].abs().mean().item()
        torch.testing.assert_close(got[1].double(), expected[1], rtol=1e-4, atol=2e-5 * size)


def test_a_weight_of_exactly_zero_has_no_slope(field):
    weights = draw(1, 30, 30)
    weights[0, 3, 5] = weights[0, 7, 7] = 0.0
    for name in ("W", "WD*C", "WD*C*"):
        _, gradient = evaluate(penalty(name, field), weights, Products("torch", "cpu"))
        assert gradient[0, 3, 5] == gradient[0, 7, 7] == 0


def test_ranks_are_kinds_that_take_turns_in_one_workspace(field):
    ranks = [5, None, 9, 5]
    penalties = [penalty("WD*C", field, communicability_rank=rank) for rank in ranks]
    joined = by_kind(penalties)
    assert [places for _, places in joined] == [[0, 3], [1], [2]]
    weights = draw(1, 30, 30)
    workspace = PenaltyWorkspace(
        weights, n_networks=1, n_neurons=30, products=Products("torch", "cpu")
    )
    for i in (0, 2, 1, 0):
        gradient = torch.zeros_like(weights)
        value = workspace.backpropagate(penalties[i], weights, gradient)
        expected = reference(penalties[i], weights)
        torch.testing.assert_close(value, expected[0], rtol=1e-11, atol=0)
        torch.testing.assert_close(gradient, expected[1], rtol=1e-9, atol=1e-11)
    both, _ = joined[0]
    pair = draw(2, 30, 30)
    got, alone = evaluate(both, pair, WIDE), [reference(penalties[0], one[None]) for one in pair]
    torch.testing.assert_close(got[1], torch.cat([a[1] for a in alone]), rtol=1e-9, atol=1e-11)


def test_penalties_of_one_kind_are_joined_with_what_each_has_of_its_own(field):
    one, other = penalty("WD*C", field), penalty("WDC", field, strength=0.7)
    emd, plain = penalty("WD*C*", field), penalty("W", field)
    penalties = [one, plain, other, emd, one, plain]
    joined = by_kind(penalties)
    assert [places for _, places in joined] == [[0, 2, 4], [1, 5], [3]]
    assert joined[1][0] is plain
    assert joined[2][0] is emd
    weights = draw(6, 30, 30)
    for function, places in joined:
        alone = [reference(penalties[i], weights[i : i + 1]) for i in places]
        own = weights[places]
        for got in (evaluate(function, own, WIDE), reference(function, own)):
            torch.testing.assert_close(got[0], torch.cat([a[0] for a in alone]), rtol=1e-11, atol=0)
            torch.testing.assert_close(
                got[1], torch.cat([a[1] for a in alone]), rtol=1e-9, atol=1e-11
            )


@pytest.mark.parametrize(("dtype", "n_products"), [(torch.float32, 12), (torch.float64, 18)])
def test_communicability_and_its_gradient_take_as_many_products_as_is_said(
    field, dtype, n_products
):
    class Counting(Accelerator):
        count = 0

        @property
        def multiply(self):
            def counted(*args, out):
                Counting.count += 1
                return torch.bmm(*args, out=out)

            return counted

        def add_product(self, *operands):
            Counting.count += 1
            super().add_product(*operands)

    counting = Counting("torch", "cpu")
    weights = draw(1, 30, 30, dtype=dtype)
    evaluate(penalty("W*D*C", field), weights, counting)
    assert Counting.count == 2 * n_products


def test_a_penalty_computed_in_a_way_of_its_own_is_differentiated_as_it_is():
    class Squares(Penalty):
        def __call__(self, weights):
            return self.strength * weights.square().sum((-2, -1))

    weights, mine = draw(2, 30, 30), Squares(strength=0.5)
    value, gradient = evaluate(mine, weights, WIDE)
    torch.testing.assert_close(value, 0.5 * weights.square().sum((-2, -1)))
    torch.testing.assert_close(gradient, weights)
    plain = Penalty(strength=0.5)
    assert [places for _, places in by_kind([mine, plain, mine, plain])] == [[0, 2], [1, 3]]


# --- the sorted difference


def slopes_of(values, target):
    slopes = torch.empty_like(values)
    value = written_out._sorted_difference(values, target, slopes=slopes)
    return value, slopes


@pytest.mark.parametrize("levels", [None, 3, 1])
def test_the_gradient_of_the_sorted_difference_is_that_of_sorting(levels):
    # With few levels, values tie; then slopes among equals may be exchanged, their sum not.
    generator = torch.Generator().manual_seed(0)
    values = 0.1 + torch.rand(2, 500, generator=generator, dtype=torch.float64)
    target = 0.1 + torch.rand(500, generator=generator, dtype=torch.float64).sort().values ** 3
    if levels is not None:
        values = (values * levels).round() + 1
    value, slopes = slopes_of(values, target)
    leaf = values.clone().requires_grad_()
    expected = (leaf.sort(-1).values - target).abs().mean(-1)
    (gradient,) = torch.autograd.grad(expected.sum(), leaf)
    torch.testing.assert_close(value, expected.detach())
    if levels is None:
        torch.testing.assert_close(slopes, gradient)
    for level in values.unique():
        at = values == level
        torch.testing.assert_close(slopes[at].sum(), gradient[at].sum())


def test_equal_values_on_both_sides_of_their_targets_share_both_slopes():
    # The only change of sign lies among equal values, so no level tells the two sides apart.
    values = torch.full((1, 4), 0.5, dtype=torch.float64)
    value, slopes = slopes_of(values, torch.tensor([0.0, 0.1, 0.9, 1.0], dtype=torch.float64))
    assert value.item() == pytest.approx((0.5 + 0.4 + 0.4 + 0.5) / 4)
    assert sorted(slopes[0].tolist()) == [-0.25, -0.25, 0.25, 0.25]


def test_many_changes_of_sign_are_coped_with():
    values = torch.linspace(0.1, 1, 400, dtype=torch.float64)[None]
    target = values[0] + 1e-4 * (-1.0) ** torch.arange(400)
    _, slopes = slopes_of(values, target)
    torch.testing.assert_close(slopes[0], -((-1.0) ** torch.arange(400).double()) / 400)


def test_the_slope_of_the_diagonal_changes_no_gradient(field):
    # The target has numbers on both sides of the zeros of the diagonal.
    function = penalty("WD*C*", field)
    target = function.target.clone()
    target[: field.n_neurons] = torch.from_numpy(np.linspace(-1e-3, 1e-3, field.n_neurons))
    function = dataclasses.replace(function, target=target.sort().values)
    weights = draw(1, 30, 30)
    got, expected = evaluate(function, weights, WIDE), reference(function, weights)
    torch.testing.assert_close(got[1], expected[1], rtol=1e-9, atol=1e-11)
