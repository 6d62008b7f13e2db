"""Training against the authors' values, against autograd, and against training alone."""

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import training
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.device import processor_settings, resolve_device
from cortexrnn.networks.ensemble import RNNEnsemble, logits
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.specification import PUBLISHED, Protocol, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.training import initial_input_weights, train
from cortexrnn.networks.variant import VARIANTS, Variant, control
from tests.networks.test_penalties import tiny_penalty

NO_PENALTY = Penalty(strength=0.0)


@pytest.fixture(scope="module")
def field():
    return surrogate_field(24)


def spec(field, variant="W*D*C", **settings):
    small = {"n_train": 256, "n_validation": 128, "epochs": 2}
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=variant,
        **({"task": "go_nogo", "seed": 0} | small | settings),
    )


def tiny_ensemble(tiny, function, *, positive=False):
    parameters = {
        "input": tiny["input"],
        "recurrent": 0.5 * tiny["weights"],
        "bias": np.zeros(24),
        "output": tiny["output"],
        "output_bias": np.zeros(2),
    }
    tensors = {k: torch.tensor(v, dtype=torch.float32)[None] for k, v in parameters.items()}
    return RNNEnsemble(tensors, penalties=[function], positive=[positive])


@pytest.mark.parametrize("case", ["none", "WD*", "WD*C", "WD*C* nonneg"])
def test_training_steps_are_the_authors(golden, tiny, case):
    theirs = golden["tiny"]["rnn"]["cases"][case]
    name = case.split()[0]
    function = NO_PENALTY if name == "none" else tiny_penalty(name, tiny)
    ensemble = tiny_ensemble(tiny, function, positive="nonneg" in case)
    inputs = torch.tensor(tiny["inputs"], dtype=torch.float32).transpose(0, 1).contiguous()
    targets = torch.tensor(tiny["targets"])

    def probabilities():
        return logits(ensemble.parameters, inputs)[0].softmax(-1).numpy()

    before = probabilities()
    losses = [ensemble.step(inputs, targets)[0].item() for _ in theirs["loss_per_step"]]
    recurrent = ensemble.parameters["recurrent"][0].double().numpy()
    ours = {
        "sum": recurrent.sum(),
        "abs_sum": np.abs(recurrent).sum(),
        "r_0_1": recurrent[0, 1],
        "r_5_3": recurrent[5, 3],
        "r_2_2": recurrent[2, 2],
    }
    relative = {
        "probabilities before": np.abs(before / theirs["probs_before"] - 1).max(),
        "losses": np.abs(losses / np.array(theirs["loss_per_step"]) - 1).max(),
        "probabilities after": np.abs(probabilities() / theirs["probs_after"] - 1).max(),
    } | {key: abs(ours[key] / theirs["recurrent_after"][key] - 1) for key in ours}
    worst = max(relative, key=relative.__getitem__)
    print(f"{case}: largest relative error {relative[worst]:.1e} ({worst}), tolerance 1e-4")
    assert relative[worst] < 1e-4


def reference_step(parameters, moments, step, inputs, targets, functions, positive):
    """One update by autograd and the textbook form of Adam in Keras."""
    leaves = {k: v.detach().clone().requires_grad_() for k, v in parameters.items()}
    scores = logits(leaves, inputs)
    loss = sum(
        torch.nn.functional.cross_entropy(scores[m], targets)
        + functions[m](leaves["recurrent"][m : m + 1]).sum()
        for m in range(len(functions))
    )
    gradients = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    for name, gradient in gradients.items():
        m, v = moments[name]
        m.mul_(0.9).add_(0.1 * gradient)
        v.mul_(0.999).add_(0.001 * gradient**2)
        rate = 1e-3 * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        parameters[name] = parameters[name] - rate * m / (v.sqrt() + 1e-7)
    clipped = parameters["recurrent"].clamp(min=0)
    keep = torch.tensor(positive)[:, None, None]
    parameters["recurrent"] = torch.where(keep, clipped, parameters["recurrent"])
    return parameters


@pytest.mark.parametrize("common_inputs", [True, False])
def test_the_written_out_gradient_is_autograds(field, common_inputs):
    names = list(VARIANTS)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    m, n = len(names), field.n_neurons
    start = {
        "input": draw(m, 3, n),
        "recurrent": 0.2 * draw(m, n, n),
        "bias": 0.1 * draw(m, n),
        "output": 0.3 * draw(m, n, 2),
        "output_bias": draw(m, 2),
    }
    functions = [penalty(name, field) for name in names]
    positive = [i % 2 == 1 for i in range(m)]
    ensemble = RNNEnsemble(
        {k: v.clone() for k, v in start.items()}, penalties=functions, positive=positive
    )
    parameters = {k: v.clone() for k, v in start.items()}
    moments = {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in start.items()}
    targets = torch.randint(0, 2, (16,), generator=generator)
    for step in range(1, 11):
        inputs = draw(9, 16, 3) if common_inputs else draw(m, 9, 16, 3)
        ensemble.step(inputs, targets)
        parameters = reference_step(parameters, moments, step, inputs, targets, functions, positive)
    for key, value in parameters.items():
        torch.testing.assert_close(ensemble.parameters[key], value, rtol=1e-5, atol=1e-7)


def test_one_network_and_the_same_among_eleven(field):
    specs = [spec(field, name, epochs=3) for name in VARIANTS]
    together = train(specs, field, device="cpu", progress=False)
    for one, result in zip(specs, together, strict=True):
        (alone,) = train([one], field, device="cpu", progress=False)
        assert alone.history["loss"][0] == pytest.approx(result.history["loss"][0], rel=1e-4)
        ours, theirs = alone.metrics, result.metrics
        assert ours["validation_accuracy"] == pytest.approx(theirs["validation_accuracy"], abs=0.01)


def test_a_run_repeated_is_the_same_to_the_bit(field):
    specs = [spec(field, name, seed=seed) for name in ("W*D*C", "W!D*C") for seed in (0, 1)]
    first, second = (train(specs, field, device="cpu", progress=False) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.metrics == other.metrics
        for key in one.weights:
            np.testing.assert_array_equal(one.weights[key], other.weights[key])


def test_results_come_in_the_order_of_the_specifications(field):
    specs = [
        spec(field, "WD*", task="perceptual"),
        spec(field, "W*D*C", seed=1),
        spec(field, "W", task="perceptual", seed=1),
        spec(field, "W*D*C"),
    ]
    results = train(specs, field, device="cpu", progress=False)
    assert [result.spec for result in results] == specs
    assert results[0].weights["output"].shape == (24, 2)


def test_seeds_differ(field):
    one, other = train(
        [spec(field, "W", seed=seed) for seed in (0, 1)], field, device="cpu", progress=False
    )
    assert one.history["accuracy"] != other.history["accuracy"]


def test_variants_of_a_seed_see_the_same_trials_and_noise(field):
    # Without a penalty, variants that start alike are the same run.
    specs = [spec(field, name, strength=0.0) for name in ("WD*", "WD")]
    one, other = train(specs, field, device="cpu", progress=False)
    np.testing.assert_array_equal(one.weights["recurrent"], other.weights["recurrent"])


def test_learning_happens(field):
    (result,) = train(
        [spec(field, "W*D*C", epochs=8, n_train=1024)], field, device="cpu", progress=False
    )
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert len(result.history["accuracy"]) == 8
    assert result.metrics["accuracy"] == result.history["accuracy"][-1]
    assert not result.diverged


def test_positive_weights_stay_positive(field):
    free, positive = train(
        [spec(field, sign=sign) for sign in ("free", "positive")],
        field,
        device="cpu",
        progress=False,
    )
    assert (positive.weights["recurrent"] >= 0).all()
    assert (free.weights["recurrent"] < 0).any()


def test_a_diverged_run_is_told_and_leaves_the_others_alone(field):
    # A learning rate at which an orthogonal start overflows and a penalised W* does not.
    specs = [
        spec(field, "W*D*C", sign="positive"),
        spec(field, control("W", start="functional"), strength=1.0),
    ]
    healthy = train(specs, field, device="cpu", progress=False)
    assert not any(result.diverged for result in healthy)
    ensemble_specs = [*specs, spec(field, "WD*", sign="positive")]
    original = training._member

    def overflowing(one, *arguments):
        member = original(one, *arguments)
        if one.variant.name == "WD*":
            member["recurrent"] = np.full_like(member["recurrent"], 1e30)
        return member

    training._member = overflowing
    try:
        *others, lost = train(ensemble_specs, field, device="cpu", progress=False)
    finally:
        training._member = original
    assert lost.diverged
    assert lost.diverged_epoch == 1
    assert all(np.isnan(value) for value in lost.metrics.values())
    assert lost.history == {"accuracy": [], "loss": []}
    for one, other in zip(others, healthy, strict=True):
        assert one.metrics == other.metrics


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_loss_that_was_not_finite_once_is_a_divergence_in_its_epoch(
    field, monkeypatch, value, step
):
    # Two updates an epoch; the loss of the next one and all weights are finite.
    original = RNNEnsemble.step

    def failing(self, inputs, targets):
        loss, accuracy = original(self, inputs, targets)
        if self.n_steps == step:
            loss[1] = value
        return loss, accuracy

    monkeypatch.setattr(RNNEnsemble, "step", failing)
    specs = [spec(field, name, epochs=3) for name in ("W", "WD*", "WD")]
    first, lost, last = train(specs, field, device="cpu", progress=False)
    epoch = (step + 1) // 2
    assert (lost.diverged, lost.diverged_epoch, len(lost.history["loss"])) == (
        True,
        epoch,
        epoch - 1,
    )
    assert all(np.isnan(metric) for metric in lost.metrics.values())
    monkeypatch.undo()
    plain = train(specs, field, device="cpu", progress=False)
    for one, other in zip((first, last), plain[::2], strict=True):
        assert (one.metrics, one.history) == (other.metrics, other.history)
        assert not one.diverged
    # What is kept of it are the weights at the end of that epoch, here those of a shorter run.
    (shorter,) = train([replace(specs[1], epochs=epoch)], field, device="cpu", progress=False)
    np.testing.assert_array_equal(lost.weights["recurrent"], shorter.weights["recurrent"])


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_a_lost_network_does_until_its_epoch_ends_touches_no_other(
    field, monkeypatch, name, value
):
    # One in the middle, three updates before the end of the epoch in which it is found.
    specs = [spec(field, name, seed=seed, batch_size=64) for seed in (0, 1, 2)]
    healthy = train(specs[::2], field, device="cpu", progress=False)
    original = RNNEnsemble.step

    def breaking(self, inputs, targets):
        if self.n_steps == 1:
            self.parameters["recurrent"][1] = value
        return original(self, inputs, targets)

    monkeypatch.setattr(RNNEnsemble, "step", breaking)
    first, lost, last = train(specs, field, device="cpu", progress=False)
    assert (lost.diverged, lost.diverged_epoch) == (True, 1)
    assert not np.isfinite(lost.weights["recurrent"]).any()
    for one, other in zip((first, last), healthy, strict=True):
        assert (one.metrics, one.history) == (other.metrics, other.history)
        np.testing.assert_array_equal(one.weights["recurrent"], other.weights["recurrent"])


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ["input", "recurrent", "bias", "output", "output_bias"])
def test_parameters_that_end_an_epoch_as_not_finite_diverged_in_it(field, monkeypatch, name, value):
    # The loss is that before the update, so it cannot show what the last one of an epoch did.
    original = RNNEnsemble.step

    def breaking(self, inputs, targets):
        values = original(self, inputs, targets)
        if self.n_steps == 4:  # of two an epoch
            self.parameters[name][1].view(-1)[-1] = value
        return values

    monkeypatch.setattr(RNNEnsemble, "step", breaking)
    specs = [spec(field, one, epochs=4) for one in ("W", "WD*", "WD")]
    first, lost, last = train(specs, field, device="cpu", progress=False)
    assert (lost.diverged, lost.diverged_epoch, len(lost.history["loss"])) == (True, 2, 1)
    np.testing.assert_equal(lost.weights[name].flat[-1], np.float32(value))
    assert not first.diverged and not last.diverged


def test_when_all_networks_are_lost_nothing_more_is_computed(field, monkeypatch):
    steps, original = [], RNNEnsemble.step

    def breaking(self, inputs, targets):
        steps.append(self.n_networks)
        self.parameters["bias"][:] = np.nan
        return original(self, inputs, targets)

    monkeypatch.setattr(RNNEnsemble, "step", breaking)
    results = train([spec(field, "W"), spec(field, "WD")], field, device="cpu", progress=False)
    assert [result.diverged_epoch for result in results] == [1, 1]
    assert steps == [2, 2]  # the updates of one epoch


def test_runs_are_together_that_share_task_trials_and_optimiser(field):
    specs = [
        spec(field, "W"),
        spec(field, "WD*", task="perceptual"),
        spec(field, "W*D*C", seed=3, sign="positive", relation="sttc", strength=0.1),
        spec(field, "W", epochs=3),
        spec(field, "W", task="perceptual", first_task="go_nogo"),
        spec(field, "W", data_seed=1),
        spec(field, "W", learning_rate=1e-4),
    ]
    assert training.together(specs) == [[0, 2], [1, 4], [3], [5], [6]]
    assert training.together([]) == []


def test_noise_drawn_ahead_changes_no_bit(field, monkeypatch):
    specs = [spec(field, "W", seed=seed, n_train=300) for seed in (0, 1, 5)]
    inline = train(specs, field, device="cpu", progress=False)
    monkeypatch.setattr(training.input_noise, "drawn", training.input_noise.drawn_ahead)
    for one, other in zip(inline, train(specs, field, device="cpu", progress=False), strict=True):
        assert (one.metrics, one.history) == (other.metrics, other.history)
        np.testing.assert_array_equal(one.weights["recurrent"], other.weights["recurrent"])


def test_progress_is_told_after_every_epoch(field):
    told = []
    specs = [spec(field, "W"), spec(field, "W", task="perceptual", epochs=3)]
    train(specs, field, device="cpu", progress=lambda *where: told.append(where))
    assert told == [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]


# --- an epoch on an accelerator, for which torch's meta device stands: it has shapes but no values,
# so that everything that would wait for a value is an error


class Calls(TorchFunctionMode):
    """Collects calls that send something from the host, for which CUDA waits."""

    def __init__(self):
        super().__init__()
        self.sent = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in ("__getitem__", "__setitem__") and args[0].device.type == "meta":
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(one, list | np.ndarray) for one in index):
                self.sent.append(f"{name} with a list")
        if name in ("tensor", "as_tensor") and str(kwargs.get("device", "cpu")) == "meta":
            self.sent.append(name)
        return function(*args, **kwargs)


class Operations(TorchDispatchMode):
    """Counts operations that compute something, and collects those between two devices."""

    def __init__(self):
        super().__init__()
        self.n, self.between = 0, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.n += not function.is_view
        devices = {x.device for x in tree_leaves((args, kwargs, result)) if torch.is_tensor(x)}
        if len(devices) > 1:
            self.between.append(str(function))
        return result


def elsewhere(specs, field):
    """Give the epochs of runs where nothing has a value."""
    device, task = torch.device("meta"), training.task_of(specs[0])
    trials = training._trials(specs[0], task, device)
    return training._Fit(specs, training._build(specs, field, task, device), trials[0], trials[1])


@pytest.mark.parametrize("sign", ["free", "positive"])
@pytest.mark.parametrize("name", list(VARIANTS))
def test_nothing_in_an_epoch_waits_for_the_device(field, name, sign):
    specs = [spec(field, name, sign=sign, seed=seed, n_train=330) for seed in (0, 1, 2)]
    with closing(elsewhere(specs, field)) as fit, Operations() as operations:
        values = fit._updates()
    assert values.shape == (3, 2, 3)
    # Noise is sent in two blocks, of two whole batches and of the rest.
    assert operations.between == ["aten._to_copy.default"] * 2


def everything(field, n_seeds):
    """All variants, with every sign and some controls."""
    frozen = control("WD*", communicability="frozen")
    return [
        spec(field, variant, sign=sign, seed=seed)
        for seed in range(n_seeds)
        for sign in ("free", "positive")
        for variant in (*VARIANTS, frozen, control("WD*", distance="random"))
    ]


def test_nothing_but_noise_is_sent_to_the_device_in_an_epoch(field):
    with closing(elsewhere(everything(field, 1), field)) as fit:
        with Calls() as calls, Operations() as operations:
            fit._updates()
        assert calls.sent == []
        assert operations.between == ["aten._to_copy.default"]


def test_the_number_of_operations_does_not_grow_with_the_number_of_networks(field):
    def counted(specs):
        with closing(elsewhere(specs, field)) as fit:
            inputs = fit._noisy(fit.inputs[:, :128])
            fit.ensemble.step(inputs, fit.targets[:128])  # which makes room
            # Noise is drawn seed by seed, but on the host.
            draws, fit._noise = fit._noise, iter([next(fit._noise)])
            with Operations() as operations:
                fit.ensemble.step(fit._noisy(fit.inputs[:, :128]), fit.targets[:128])
            fit._noise = draws
        return operations.n, len(inputs)

    for name in VARIANTS:
        few, many = (counted([spec(field, name, seed=i) for i in range(n)])[0] for n in (2, 8))
        assert few == many
    (few, n_few), (many, n_many) = (counted(everything(field, n)) for n in (2, 5))
    assert few == many
    print(f"{few} operations an update of {n_few} networks, or of {n_many}")


BY_GRADIENT = Protocol(name="gradient", strength_unit="gradient")


def test_a_first_task_that_leaves_no_gradient_ends_its_run_and_no_other(field):
    # Weights that may not be negative and move this far are all zero after the first task.
    shared = {"sign": "positive", "learning_rate": 1.0, "n_train": 64, "n_validation": 8}
    shared["batch_size"] = 8
    settings = {"protocol": BY_GRADIENT, "first_task": "perceptual"}
    emptied = spec(field, control("W", start="lognormal"), **shared, **settings)
    (start,) = training._starts([emptied], field, torch.device("cpu"))
    assert not start.any()
    training.rehearse([emptied], field)
    healthy = spec(field, "W*D*C", **shared)
    alone = train([healthy], field, progress=False)[0]
    lost, beside = train([emptied, healthy], field, progress=False)
    assert (lost.diverged, lost.diverged_epoch) == (True, 1)
    assert all(np.isnan(value) for value in lost.metrics.values())
    assert beside.history == alone.history
    np.testing.assert_array_equal(beside.weights["recurrent"], alone.weights["recurrent"])


@dataclass(frozen=True)
class Departure(CustomPenalty):
    """Costs what is not as it was at the start, where nothing has a gradient."""

    name = "departure"

    def prepare(self, field, *, initial_weights, rng):
        return {"start": initial_weights}

    def value(self, weights, *, start):
        return (weights - start).square().sum((-2, -1))


def test_a_penalty_without_a_gradient_at_the_start_is_refused_before_training(field):
    held = spec(field, control("W", penalty=Departure()), protocol=BY_GRADIENT)
    with pytest.raises(ValueError, match=r"W \[penalty=departure.*strength_unit='lambda'"):
        training.rehearse([held], field)
    training.rehearse([replace(held, protocol=PUBLISHED)], field)
    training.rehearse([replace(held, first_task="perceptual")], field)


@pytest.mark.parametrize("wrong", ["surrogate_24", None])
def test_what_is_no_field_is_refused(field, wrong):
    with pytest.raises(FieldError, match="give a Field, such as load_field gives"):
        train([spec(field)], wrong, progress=False)
    with pytest.raises(FieldError, match="give a Field, such as load_field gives"):
        training.rehearse([spec(field)], wrong)


def test_loss_includes_the_penalty_and_validation_has_no_noise(field):
    plain, penalised = (
        spec(field, "WD*", strength=strength, learning_rate=0.0, input_noise=0.0)
        for strength in (0.0, 0.3)
    )
    a, b = train([plain, penalised], field, device="cpu", progress=False)
    start = torch.from_numpy(a.weights["recurrent"]).double()[None]
    expected = penalty("WD*", field, protocol=PUBLISHED)(start).item()
    for metric in ("loss", "validation_loss"):
        assert b.metrics[metric] - a.metrics[metric] == pytest.approx(expected, rel=1e-4)
    noisy = replace(plain, input_noise=1.0)
    (c,) = train([noisy], field, device="cpu", progress=False)
    assert c.metrics["loss"] != a.metrics["loss"]
    assert c.metrics["validation_loss"] == a.metrics["validation_loss"]


def test_a_last_batch_that_is_smaller_counts_by_its_trials(field):
    whole = spec(field, n_train=200, learning_rate=0.0, input_noise=0.0, epochs=1)
    (parts,) = train([replace(whole, batch_size=64)], field, device="cpu", progress=False)
    (one,) = train([replace(whole, batch_size=200)], field, device="cpu", progress=False)
    assert parts.metrics["accuracy"] == pytest.approx(one.metrics["accuracy"])
    assert parts.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-5)


def test_a_specification_of_another_field_is_refused(field):
    with pytest.raises(FieldError, match="make the specification from this field"):
        train([spec(field)], surrogate_field(25), progress=False)


@pytest.mark.parametrize("device", ["cuda:7", "warp", "meta0"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=f"device '{device}' cannot be used here"):
        resolve_device(device)


def test_numbers_that_disagree_are_refused(tiny):
    parameters = tiny_ensemble(tiny, NO_PENALTY).parameters
    with pytest.raises(ValueError, match="one of each for every network"):
        RNNEnsemble(parameters, penalties=[NO_PENALTY] * 2, positive=[False])


def test_variants_of_the_golden_file_parse():
    assert Variant.parse("WDC*").communicability == "emd"


def test_watching_shows_every_epoch_and_changes_no_number(field):
    specs = [spec(field), spec(field, "WD*")]
    watched_weights = {}
    watched = train(
        specs,
        field,
        progress=False,
        watch=lambda s, epoch, w: watched_weights.update({(s, epoch): w}),
    )
    for one, alone in zip(watched, train(specs, field, progress=False), strict=True):
        assert (one.metrics, one.history) == (alone.metrics, alone.history)
        np.testing.assert_array_equal(one.weights["recurrent"], alone.weights["recurrent"])
        np.testing.assert_array_equal(watched_weights[one.spec, 2], one.weights["recurrent"])
        assert (watched_weights[one.spec, 1] != watched_weights[one.spec, 2]).any()
    assert len(watched_weights) == 4


def test_watching_updates_shows_every_one_and_changes_no_number(field):
    specs = [spec(field), spec(field, "WD*", seed=1)]
    seen = {}

    def look(one, update, accuracy, parameters):
        seen[one, update] = (accuracy, parameters() if update in (1, 2) else None)

    ends = {}
    watched = train(
        specs, field, progress=False, watch_updates=look,
        watch=lambda one, epoch, weights: ends.update({(one, epoch): weights}),
    )  # fmt: skip
    n_batches = -(-specs[0].n_train // specs[0].batch_size)
    assert {update for _, update in seen} == set(range(1, n_batches * specs[0].epochs + 1))
    for one, alone in zip(watched, train(specs, field, progress=False), strict=True):
        assert (one.metrics, one.history) == (alone.metrics, alone.history)
        np.testing.assert_array_equal(one.weights["recurrent"], alone.weights["recurrent"])
        first, second = (seen[one.spec, update][1] for update in (1, 2))
        assert set(first) == set(one.weights)
        start = initial_input_weights(one.spec, field.n_neurons)
        assert 0 < np.abs(first["input"] - start).max() < 1.01 * one.spec.learning_rate
        assert (first["recurrent"] != second["recurrent"]).any()
        sizes = [min(128, one.spec.n_train - 128 * i) for i in range(n_batches)]
        accuracies = [seen[one.spec, update][0] for update in range(1, n_batches + 1)]
        assert np.average(accuracies, weights=sizes) == pytest.approx(one.history["accuracy"][0])


def test_input_weights_are_those_that_training_starts_from(field):
    one = spec(field, seed=2)
    member = training._member(one, initial_weights(one, field), (3, field.n_neurons, 2))
    np.testing.assert_array_equal(initial_input_weights(one, field.n_neurons), member["input"])


def test_a_first_task_leaves_its_recurrent_weights_as_the_start(field):
    before = train([spec(field, task="perceptual", first_task=None)], field, progress=False)[0]
    after = spec(field, task="go_nogo", first_task="perceptual", learning_rate=1e-3)
    with processor_settings(field.n_neurons):  # as in train: threads change rounding
        start = list(training._starts([spec(field), after], field, torch.device("cpu")))
    np.testing.assert_array_equal(start[1], before.weights["recurrent"])
    np.testing.assert_array_equal(start[0], initial_weights(spec(field), field))
    one, both = train([spec(field), after], field, progress=False)
    alone = train([spec(field)], field, progress=False)[0]
    np.testing.assert_array_equal(one.weights["recurrent"], alone.weights["recurrent"])
    assert not np.array_equal(one.weights["recurrent"], both.weights["recurrent"])


def test_controls_with_points_of_their_own_are_trained_on_them(field):
    variants = [control("WD*", distance=what) for what in ("matched", "clusters", "soma")]
    specs = [spec(field, variant, seed=seed) for seed in (0, 1) for variant in variants]
    ensemble = training._build(specs, field, TASKS["go_nogo"], torch.device("cpu"))
    tables = [item.distance for item in ensemble._penalties]
    for one in (0, 1):
        assert not torch.equal(tables[one], tables[one + 3])
    assert torch.equal(tables[2], tables[5])
    for table in (tables[0], tables[3]):
        torch.testing.assert_close(table.flatten().sort()[0], tables[2].flatten().sort()[0])


def test_a_gradient_too_large_to_be_squared_makes_a_run_diverge_as_in_keras():
    # Keras adds (g^2 - v) (1 - beta): infinite after one such gradient, NaN after the next. A
    # run that went on with an infinite v would never move again, nor ever be told to diverge.
    shapes = {"input": (3, 2), "recurrent": (2, 2), "bias": (2,), "output": (2, 2)}
    parameters = {name: torch.zeros(1, *shape) for name, shape in shapes.items()}
    ensemble = RNNEnsemble(parameters, penalties=[NO_PENALTY], positive=[False])
    gradient = torch.tensor([[[1e25, 1.0], [1.0, 1.0]]])
    ensemble._gradients["recurrent"].copy_(gradient)
    ensemble.n_steps = 1
    ensemble._update(ensemble._parts[0])
    assert torch.isfinite(ensemble.parameters["recurrent"]).all()
    ensemble.n_steps = 2
    ensemble._update(ensemble._parts[0])
    lost = ~torch.isfinite(ensemble.parameters["recurrent"])
    assert lost.tolist() == [[[True, False], [False, False]]]


@pytest.mark.parametrize(("available", "expected"), [(True, "cuda"), (False, "cpu")])
def test_a_cuda_device_is_found_where_there_is_one(monkeypatch, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert resolve_device("auto").type == expected
    assert resolve_device().type == expected


def test_a_task_that_is_not_there_is_refused(field):
    with pytest.raises(ValueError, match="unknown task 'chess'; choose one of one_choice"):
        train([spec(field, task="chess")], field, progress=False)


@pytest.mark.parametrize("flushed", [False, True])
def test_training_leaves_the_process_as_it_takes_denormal_numbers(flushed):
    torch.set_flush_denormal(flushed)
    try:
        with processor_settings(16):
            assert float(torch.tensor(1e-40) * 1) == 0
        assert (float(torch.tensor(1e-40) * 1) == 0) == flushed
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize(
    "several",
    [
        {"strength": torch.tensor([0.1, 0.2])},
        {"strength": 0.1, "emd_strength": torch.tensor(0.1)},
        {"strength": 0.1, "distance": torch.ones(2, 24, 24)},
    ],
)
def test_a_penalty_of_several_networks_is_refused(tiny, several):
    with pytest.raises(ValueError, match=r"penalties\[0\] has strengths or tensors of several"):
        tiny_ensemble(tiny, Penalty(**several))


def test_an_ensemble_of_which_none_is_left_gives_nothing(tiny):
    ensemble = tiny_ensemble(tiny, NO_PENALTY)
    inputs = torch.tensor(tiny["inputs"], dtype=torch.float32).transpose(0, 1).contiguous()
    targets = torch.tensor(tiny["targets"])
    ensemble.keep(torch.tensor([False]))
    assert ensemble.n_networks == 0
    for value in (*ensemble.step(inputs, targets), *ensemble.evaluate(inputs, targets)):
        assert value.shape == (0,)
    assert ensemble.penalty().shape == (0,)
