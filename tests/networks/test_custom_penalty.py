"""Penalties of one's own: as part of a variant, in training, and what is refused."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import custom_penalty, penalties, training
from cortexrnn.networks.code_digest import DefinitionError
from cortexrnn.networks.custom_penalty import CustomPenalty, register_penalty
from cortexrnn.networks.ensemble import RNNEnsemble
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.penalties import (
    Penalty,
    PreparedPenalty,
    gradient_sizes,
    penalty,
    penalty_of,
)
from cortexrnn.networks.specification import PUBLISHED, Preset, Protocol, RunSpec
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import VARIANTS, Variant, control
from cortexrnn.runs import experiment, plans
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.labels import as_published, select

TINY = Preset(n_seeds=2, epochs=1, n_train=128, n_validation=64)


@dataclass(frozen=True)
class Power(CustomPenalty):
    name = "power"
    power: float = 2.0

    def value(self, weights):
        return (weights.abs() ** self.power).sum((-2, -1))


@dataclass(frozen=True)
class Reach(CustomPenalty):
    """Asks for all that a penalty can be prepared from."""

    name = "reach"

    def prepare(self, field, *, initial_weights, rng):
        return {
            "distance": penalties.unit_distances(VARIANTS["WD*"], field),
            "start": initial_weights,
            "noise": rng.random(initial_weights.shape),
            "mask": field.connectome > 0,
            "order": np.arange(len(initial_weights))[::-1].copy(),
        }

    def value(self, weights, distance, start, noise, mask, order):
        assert mask.dtype == torch.bool and order.dtype == torch.int64
        cost = (weights - start)[:, order][:, :, order].abs() * distance
        return torch.where(mask, cost, cost * noise).sum((-2, -1))


@pytest.fixture(scope="module")
def field():
    return surrogate_field(16)


@pytest.fixture(autouse=True)
def registry(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(custom_penalty, "PENALTIES", {})
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def spec(field, variant, **settings):
    sizes = {"epochs": 2, "n_train": 256, "n_validation": 64, "task": "go_nogo", "seed": 0}
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=variant,
        **(sizes | settings),
    )


def made(field, custom=None, **arguments):
    start = np.random.default_rng(5).normal(0, 0.1, (16, 16))
    variant = control("W", penalty=custom or Power())
    rng = np.random.default_rng(0)
    return penalty(variant, field, initial_weights=start, rng=rng, **arguments)


def test_a_variant_carries_it_and_names_it():
    variant = control("W*", penalty=Power(power=3))
    assert variant.name == "W* [penalty=power(power=3)]"
    assert control("W*", penalty=Power()).name == "W* [penalty=power]"
    assert Variant.parse("W*").penalty is None
    assert control("W*", penalty=Power()) == control("W*", penalty=Power())
    assert variant != control("W*", penalty=Power())


def test_a_registered_one_is_found_by_name():
    assert register_penalty(Power(power=4)) == Power(power=4)
    assert control("W", penalty="power") == control("W", penalty=Power(power=4))
    register_penalty(Power(power=5))  # as a cell that is run again does
    assert control("W", penalty="power").penalty.power == 5
    with pytest.raises(DefinitionError, match=r"unknown penalty 'x' \(registered: power\)"):
        control("W", penalty="x")


@pytest.mark.parametrize("wrong", [Penalty(strength=1.0), 3, Power, lambda weights: weights])
def test_what_is_no_penalty_is_refused(wrong):
    with pytest.raises(DefinitionError, match=r"instance of a subclass of .*CustomPenalty"):
        control("W", penalty=wrong)
    with pytest.raises(DefinitionError, match=r"instance of a subclass of .*CustomPenalty"):
        register_penalty(wrong)


@pytest.mark.parametrize("base", ["WD*", "W*C*", "W*D*C"])
def test_it_takes_the_place_of_distance_and_communicability(base):
    with pytest.raises(ValueError, match=r"penalty=power takes the place .*choose W, W\* or W!"):
        control(base, penalty=Power())


def test_its_definition_is_part_of_the_identity(field):
    run = spec(field, control("W*", penalty=Power()))
    assert run.resolved()["variant"]["penalty"] == Power().definition
    assert run.identity != spec(field, "W*").identity
    assert run.identity != spec(field, control("W*", penalty=Power(power=3))).identity

    @dataclass(frozen=True)
    class Other(CustomPenalty):
        name = "power"
        power: float = 2.0

        def value(self, weights):
            return (weights.abs() ** self.power).sum((-2, -1)) / 2

    same_name = spec(field, control("W*", penalty=Other()))
    assert same_name.variant.name == run.variant.name
    assert same_name.identity != run.identity
    assert "penalty" not in spec(field, "W*").resolved()["variant"]


def test_the_built_in_penalty_written_anew_trains_to_the_same_bits(field):
    class Plain(Power):
        name = "plain"

        def value(self, weights):
            return weights.abs().sum((-2, -1))

    lambdas = replace(PUBLISHED, plain_strength="lambda")
    ours, theirs = (
        train([spec(field, variant, protocol=lambdas)], field, progress=False)[0]
        for variant in (control("W*", penalty=Plain()), "W*")
    )
    assert ours.metrics == theirs.metrics
    for name, value in ours.weights.items():
        np.testing.assert_array_equal(value, theirs.weights[name])


def test_it_changes_what_is_trained_by_its_own_gradient(field):
    weights = torch.randn((3, 16, 16), dtype=torch.float64, requires_grad=True)
    function = made(field, strength=0.5)
    value = function(weights)
    torch.testing.assert_close(value, 0.5 * weights.square().sum((-2, -1)))
    (gradient,) = torch.autograd.grad(value.sum(), weights)
    torch.testing.assert_close(gradient, weights)
    small, large = (
        np.square(train([spec(field, control("W*", penalty=Power()), strength=s)], field,
                        progress=False)[0].weights["recurrent"]).sum()
        for s in (10.0, 0.0)
    )  # fmt: skip
    assert small < large


def test_it_is_prepared_from_field_start_and_seed(field):
    start = np.random.default_rng(5).normal(0, 0.1, (16, 16))
    arrays = made(field, Reach()).arrays
    np.testing.assert_array_equal(arrays["start"], start)
    np.testing.assert_array_equal(arrays["noise"], np.random.default_rng(0).random((16, 16)))
    np.testing.assert_array_equal(arrays["mask"], field.connectome > 0)
    results = train(
        [spec(field, control("W*", penalty=Reach()), seed=seed) for seed in (0, 0, 1)],
        field, progress=False,
    )  # fmt: skip
    assert results[0].metrics == results[1].metrics != results[2].metrics
    assert results[0].metrics["loss"] < np.inf


def test_moving_keeps_its_kind_and_formats(field):
    moved = made(field, Reach()).to(torch.zeros(1, dtype=torch.float32))
    assert isinstance(moved, PreparedPenalty)
    kinds = {name: array.dtype for name, array in moved.arrays.items()}
    assert kinds["distance"] == kinds["noise"] == kinds["start"] == torch.float32
    assert (kinds["mask"], kinds["order"]) == (torch.bool, torch.int64)
    elsewhere = made(field, Reach()).to(torch.zeros(1, device="meta"))
    assert {array.device.type for array in elsewhere.arrays.values()} == {"meta"}


def test_a_subclass_of_the_built_in_one_stays_what_it_is(tiny):
    class L2(Penalty):
        def __call__(self, weights):
            return self.strength * weights.square().sum((-2, -1))

    moved = L2(strength=2.0, distance=torch.ones(24, 24, dtype=torch.float64)).to(torch.zeros(1))
    assert type(moved) is L2 and moved.distance.dtype == torch.float32
    parameters = {
        "recurrent": torch.full((1, 24, 24), 0.5),
        "input": torch.zeros(1, 3, 24), "bias": torch.zeros(1, 24),
        "output": torch.zeros(1, 24, 2), "output_bias": torch.zeros(1, 2),
    }  # fmt: skip
    ensemble = RNNEnsemble(parameters, penalties=[L2(strength=2.0)], positive=[False])
    assert ensemble.penalty().item() == 2 * 24 * 24 * 0.25


def test_networks_share_one_where_its_content_is_the_same(field, monkeypatch):
    held = []
    original = penalty_of
    monkeypatch.setattr(
        training, "penalty_of", lambda *a, **k: held.append(original(*a, **k)) or held[-1]
    )
    seen = []
    build = RNNEnsemble.__init__

    def watching(self, parameters, *, penalties, **options):
        seen.extend(penalties)
        build(self, parameters, penalties=penalties, **options)

    monkeypatch.setattr(RNNEnsemble, "__init__", watching)
    variants = ["W", "W*"]
    specs = [
        spec(field, control(base, penalty=custom), seed=seed, strength=strength)
        for base in variants
        for custom, seed, strength in (
            (Power(), 0, 0.3), (Power(), 1, 0.3), (Power(3), 0, 0.3), (Power(), 0, 0.1),
        )
    ]  # fmt: skip
    train(specs, field, progress=False)
    assert len(held) == 8
    assert len({id(one) for one in seen}) == 3
    assert [id(one) for one in seen[:4]] == [id(one) for one in seen[4:]]
    seen.clear()
    train([spec(field, control("W", penalty=Reach()), seed=seed) for seed in (0, 1)], field,
          progress=False)  # fmt: skip
    assert len({id(one) for one in seen}) == 2


@pytest.mark.parametrize("custom", [Power(), Reach()])
def test_alone_it_trains_as_among_others(field, custom):
    specs = [
        spec(field, variant, seed=seed)
        for variant in (control("W*", penalty=custom), control("W", penalty=custom), "W*D*C", "WD*")
        for seed in (0, 1)
    ]
    together = train(specs, field, progress=False)
    for i in (0, 3):
        (alone,) = train([specs[i]], field, progress=False)
        np.testing.assert_allclose(
            together[i].weights["recurrent"], alone.weights["recurrent"], atol=1e-6
        )


def test_strength_can_be_its_mean_gradient_at_the_start(field):
    protocol = Protocol(name="gradient", strength_unit="gradient")
    held = made(field, Power(power=3), protocol=protocol, strength=0.02)
    start = torch.as_tensor(np.random.default_rng(5).normal(0, 0.1, (1, 16, 16)))
    assert gradient_sizes(held, start).overall.item() == pytest.approx(0.02)
    assert made(field, strength=0.3).strength == 0.3  # also where that of W is 1


def wrong_value(name, function):
    return dataclass(frozen=True)(
        type(name, (CustomPenalty,), {"name": name, "value": function, "__module__": __name__})
    )()


def scalar(self, weights):
    return weights.abs().sum()


def row(self, weights):
    return weights.abs().sum(-1)


def number(self, weights):
    return 3.0


def detached(self, weights):
    return weights.detach().abs().sum((-2, -1))


def random(self, weights):
    return weights.abs().sum((-2, -1)) * torch.rand(())


def mixed(self, weights):
    return (weights - weights.mean(0)).abs().sum((-2, -1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (scalar, r"value of weights \(3, N, N\) is \(\), expected a tensor of shape \(3,\)"),
        (row, r"is \(3, 16\), expected"),
        (number, "is float, expected"),
        (detached, "cannot be differentiated; compute it from the weights by functions of torch"),
        (random, "differs between two calls; draw random numbers in prepare"),
        (mixed, "of a network changes with the networks beside it; sum over its own axes"),
    ],
)
def test_values_that_are_no_function_of_each_network_are_refused(field, function, message):
    custom = wrong_value(function.__name__, function)
    with pytest.raises(DefinitionError, match=message):
        train([spec(field, control("W", penalty=custom))], field, progress=False)


@dataclass(frozen=True)
class Counts(CustomPenalty):
    """Writes into what it prepared, at once or only in training."""

    name = "counts"
    at_once: bool = True

    def prepare(self, field, *, initial_weights, rng):
        return {"calls": np.zeros(1)}

    def value(self, weights, calls):
        if self.at_once:
            calls.numpy()[0] += 1
        elif weights.dtype == torch.float32:  # as in training, not as where it is tried
            calls += 1
        return (weights.abs() * (1 + 0 * calls)).sum((-2, -1))


@pytest.mark.parametrize("at_once", [True, False])
def test_writing_into_what_was_prepared_is_refused(field, at_once):
    runs = [spec(field, control("W", penalty=Counts(at_once)), seed=seed) for seed in (0, 0)]
    with pytest.raises(DefinitionError, match=r"value writes into calls, .*as calls\.clone\(\)"):
        train(runs, field, progress=False)


def test_equal_penalties_draw_the_same_permutation(field):
    one, other = (spec(field, control("W!", penalty=Power(p))) for p in (1, 1.0))
    assert (one.identity, one.variant.name) == (other.identity, other.variant.name)
    starts = [initial_weights(run, field) for run in (one, other)]
    np.testing.assert_array_equal(*starts)


def test_what_it_needs_is_asked_for(field):
    with pytest.raises(ValueError, match="a penalty of one's own needs initial_weights"):
        penalty(control("W", penalty=Power()), field)
    with pytest.raises(ValueError, match="needs rng"):
        penalty(control("W", penalty=Power()), field, initial_weights=np.eye(16))


def test_a_plan_is_run_and_its_rows_never_pass_for_published(field, tmp_path):
    paper = {"epochs": 10, "n_train": 5120, "n_validation": 2560}
    variants = [control("W*", penalty=Power()), "W*D*C"]
    specs = plans.plan(field, variants=variants, tasks=["go_nogo"], preset=TINY)
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    runs = load_archive(tmp_path)
    assert list(runs["identity"]) == [one.identity for one in specs]
    assert list(runs["variant"][:2]) == ["W* [penalty=power]", "W*D*C"]
    # Even under the paper's sizes and another name it is not one of the paper's.
    disguised = runs[:1].assign(variant="W", **paper)
    big = replace(specs[0], **paper)
    disguised["identity"] = big.identity
    disguised["specification"] = json.dumps(big.resolved(), sort_keys=True)
    assert as_published(disguised).empty
    assert select(disguised, field=field.name).empty
