"""The ordinary implementation computes what ours does, or a comparison of times means nothing."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from cortexrnn.benchmark import keras_reference, measure
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import penalties, topology
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import VARIANTS, control

N = 24


@pytest.fixture(scope="module")
def field():
    return load_field(f"surrogate_{N}")


def specification(field, variant, **changes):
    return RunSpec(
        field=field.name, field_hash=field.hash_without_events, variant=variant,
        task="go_nogo", seed=0, **changes,
    )  # fmt: skip


@pytest.fixture
def tensorflow():
    return pytest.importorskip("tensorflow", reason="needs the extra bench")


@pytest.fixture
def bct():
    return pytest.importorskip("bct", reason="needs the extra bench")


@pytest.mark.parametrize("variant", VARIANTS)
def test_penalty_and_its_gradient_are_ours(tensorflow, field, variant):
    kernel = np.random.default_rng(1).normal(0, 0.2, (N, N)).astype(np.float32)
    weights = torch.from_numpy(kernel)[None].requires_grad_(True)
    ours = penalties.penalty(variant, field).to(weights)(weights)
    ours.sum().backward()
    variable = tensorflow.Variable(kernel)
    with tensorflow.GradientTape() as tape:
        theirs = keras_reference.recurrent_penalty(specification(field, variant), field)(variable)
    np.testing.assert_allclose(float(theirs), float(ours.detach()), rtol=1e-5)
    gradient = tape.gradient(theirs, variable).numpy()
    np.testing.assert_allclose(gradient, weights.grad[0].numpy(), rtol=1e-3, atol=2e-5)


def test_topology_is_ours(bct):
    weights = np.random.default_rng(2).normal(0, 0.2, (N, N))
    nulls = topology.null_graphs(N, n_nulls=20, seed=3)
    theirs = keras_reference.draw_nulls(N, n_nulls=20, seed=3)
    np.testing.assert_allclose(list(asdict(theirs).values()), list(asdict(nulls).values()))
    ours = asdict(topology.measure(weights, n_nulls=20))
    measured = asdict(keras_reference.measure(weights, topology.null_graphs(N, n_nulls=20)))
    assert measured == pytest.approx(ours, abs=1e-9)


def test_training_starts_from_the_same_weights_and_learns_the_same(tensorflow, field):
    still = specification(field, "W*D*C", learning_rate=0.0, epochs=1, n_train=128, n_validation=64)
    trials = measure.trials(still)
    weights, metrics = keras_reference.train(still, field, trials=trials)
    (ours,) = train([still], field, device="cpu", progress=False)
    np.testing.assert_allclose(weights, ours.weights["recurrent"], rtol=1e-6)
    # Input and read-out weights are drawn elsewhere: losses agree in the penalty, no closer.
    assert metrics["loss"] == pytest.approx(ours.metrics["loss"], abs=0.5)
    assert set(metrics) == set(ours.metrics)
    moving = specification(field, "W*D*C", epochs=1, n_train=256, n_validation=64)
    moved, _ = keras_reference.train(moving, field, trials=measure.trials(moving))
    assert np.abs(moved - weights).max() > 1e-4


def test_a_control_is_refused(tensorflow, field):
    variant = control("W*D*C", self_connections="removed")
    with pytest.raises(ValueError, match="is a control; the Keras reference knows"):
        keras_reference.recurrent_penalty(specification(field, variant), field)


def test_without_the_extra_the_error_names_it(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(keras_reference.KerasReferenceError, match=r"pip install -e '.\[bench\]'"):
        keras_reference.draw_nulls(8, n_nulls=1)
    with pytest.raises(keras_reference.KerasReferenceError, match="tensorflow cannot be imported"):
        keras_reference.prepare(1)
