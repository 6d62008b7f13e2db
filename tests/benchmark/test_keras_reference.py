"""The ordinary implementation computes what ours does, or a comparison of times means nothing."""

from dataclasses import asdict, replace

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
PARAMETERS = ("input", "recurrent", "bias", "output", "output_bias")
"""Parameters of a network in the order of the Keras model."""


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


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_from_equal_weights_on_equal_trials_is_ours(tensorflow, field, variant):
    updates = 16
    spec = specification(
        field, variant, input_noise=0.0, epochs=4, n_train=updates // 4 * 128, n_validation=64
    )
    assert updates == spec.epochs * spec.n_train // spec.batch_size
    still = replace(spec, learning_rate=0.0, epochs=1)
    start, ours = (train([one], field, device="cpu", progress=False)[0] for one in (still, spec))
    model = keras_reference.build(spec, field)
    (recurrent,) = (w for w in model.get_weights() if w.shape == (N, N))
    np.testing.assert_array_equal(recurrent, start.weights["recurrent"])
    model.set_weights([start.weights[name] for name in PARAMETERS])
    metrics = keras_reference.fit(model, spec, trials=measure.trials(spec))
    # An update moves a weight by about the learning rate, and rounds one that is below one to half
    # a unit in its last place; four times as much leaves room for sums in another order.
    rounding = 4 * updates * np.finfo(np.float32).eps / 2
    assert rounding < 0.005 * spec.learning_rate
    for name, theirs in zip(PARAMETERS, model.get_weights(), strict=True):
        moved = np.abs(theirs - start.weights[name]).max()
        assert moved > 5 * spec.learning_rate, name
        np.testing.assert_allclose(theirs, ours.weights[name], rtol=0, atol=rounding, err_msg=name)
    assert metrics == pytest.approx(ours.metrics, rel=1e-5)


def test_what_is_timed_is_a_run_from_the_same_recurrent_weights(tensorflow, field):
    still = specification(field, "W*D*C", learning_rate=0.0, epochs=1, n_train=128, n_validation=64)
    weights, metrics = keras_reference.train(still, field, trials=measure.trials(still))
    (ours,) = train([still], field, device="cpu", progress=False)
    np.testing.assert_array_equal(weights, ours.weights["recurrent"])
    assert set(metrics) == set(ours.metrics)
    moving = replace(still, learning_rate=1e-3)
    moved, _ = keras_reference.train(moving, field, trials=measure.trials(moving))
    assert np.abs(moved - weights).max() == pytest.approx(1e-3, rel=0.01)  # Adam's first step


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
