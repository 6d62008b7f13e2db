"""A run against what defines it, written out in plain torch and numpy.

Nothing here but the tasks' trials comes from the package: streams of random numbers, starts,
penalties, the forward pass and the optimiser are stated again, so that a factor that slips into
any of them is seen in the numbers of a whole run.
"""

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import ensemble
from cortexrnn.networks.specification import CORRECTED, Protocol, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import control

NAMES = ("input", "recurrent", "bias", "output", "output_bias")


@pytest.fixture(scope="module")
def field():
    return surrogate_field(24)


def spec(field, variant="W*D*C", **settings):
    small = {"n_train": 40, "n_validation": 600, "epochs": 2, "batch_size": 16}
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=variant,
        **({"task": "perceptual", "seed": 3, "dtype": "float64"} | small | settings),
    )


# --- the definition


def stream(seed, *labels):
    """Random numbers for one purpose: the seed, and 128 bits of a hash of what they are for."""
    digest = hashlib.sha256("\0".join(labels).encode()).digest()
    key = tuple(np.frombuffer(digest[:16], "<u4").tolist())
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def unit(values):
    return (values - values.min()) / (values.max() - values.min())


def radius(weights):
    return np.abs(np.linalg.eigvals(weights)).max()


def functional(one, field):
    """W*, or W! with neurons relabelled."""
    n = field.n_neurons
    weights = stream(one.seed, "functional weights").lognormal(-0.5, 0.5, (n, n))
    for relation in {one.relation, "sttc"}:
        weights = weights * unit(field.relation(relation))
    weights *= 0.1 / weights.mean()
    weights[(weights > 0) & (weights < 0.01)] = 0.01
    weights *= 0.95 / radius(weights)
    if one.variant.start == "permuted":
        rng = stream(one.seed, "permutation", one.variant.name, one.task)
        order = rng.permutation(n)
        weights = weights[order][:, order]
    return weights


def changed(weights, one):
    """Functional weights of a control: entries exchanged or drawn again, the diagonal changed."""
    variant, own = one.variant, np.eye(len(weights), dtype=bool)
    if variant.entries == variant.self_connections == "kept":
        return weights
    places = ~own if variant.entries.startswith("off") else np.ones_like(own)
    rng = stream(one.seed, "entries")
    if variant.entries.endswith("shuffled"):
        weights[places] = rng.permutation(weights[places])
    elif variant.entries.endswith("resampled"):
        places &= weights != 0
        weights[places] = rng.choice(weights[places], size=places.sum())
    if variant.self_connections == "removed":
        weights[own] = 0
    elif variant.self_connections == "only":
        weights[~own] = 0
    return weights if variant.scaling == "none" else weights * 0.95 / radius(weights)


def start(one, field):
    """Recurrent weights before training."""
    weights = start_of_kind(one, field)
    count = one.variant.strong_self_connections
    if count is not None:
        chosen = stream(one.seed, "strong self-connections").permutation(field.n_neurons)[:count]
        weights = weights * ~np.eye(field.n_neurons, dtype=bool)
        weights[chosen, chosen] = 0.95
    return weights


def start_of_kind(one, field):
    """Recurrent weights before training, but for strong self-connections."""
    n, variant = field.n_neurons, one.variant
    if one.first_task is not None:
        before = replace(one, task=one.first_task, first_task=None, task_settings=())
        return defined_run(before, field)[0]["recurrent"]
    if variant.start in ("functional", "permuted"):
        return changed(functional(one, field), one)
    rng = stream(one.seed, variant.start, one.task)
    if variant.start == "orthogonal":
        weights = ortho_group.rvs(n, random_state=rng)
        if variant.scaling == "positive_part":
            weights *= 0.95 / radius(weights.clip(min=0))
    elif variant.start == "identity":
        weights = 0.95 * np.eye(n)
    else:
        draw = rng.lognormal(-0.5, 0.5, (n, n)) if variant.start == "lognormal" else None
        weights = rng.random((n, n)) if draw is None else draw
        weights *= 0.95 / radius(weights)
    if variant.self_connections == "functional":
        np.fill_diagonal(weights, np.diag(functional(one, field)))
    return weights


def first_parameters(one, field):
    """All parameters before training; input and read-out weights are Glorot uniform."""
    task, n = TASKS[one.task], field.n_neurons
    rng = stream(one.seed, "input and output weights", one.task)
    channels, classes = len(task.channel_names), len(task.class_names)

    def glorot(*shape):
        return rng.uniform(-1, 1, shape) * np.sqrt(6 / sum(shape))

    values = [glorot(channels, n), start(one, field), np.zeros(n)]
    values += [glorot(n, classes), np.zeros(classes)]
    dtype = getattr(torch, one.dtype)
    return {name: torch.tensor(v, dtype=dtype) for name, v in zip(NAMES, values, strict=True)}


def apart(points):
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


def unit_box(points):
    return np.stack([unit(column) for column in points.T], axis=1)


def distances(one, field):
    """Distances between units; 1 where a penalty has none."""
    kind, n = one.variant.distance, field.n_neurons
    if kind is None:
        return 1.0
    off = ~np.eye(n, dtype=bool)
    points = field.positions.astype(float)
    soma = apart(
        unit_box(points if one.protocol.coordinates == "soma" else points.reshape(3, -1).T)
    )
    rng = stream(one.seed, "random points")
    if kind == "soma":
        lengths = soma
    elif kind == "grid":
        a, b, c = field.grid
        grid = [[i, j, k] for j in range(b) for i in range(a) for k in range(c)][:n]
        grid = np.array(grid, dtype=float)
        lengths = apart(unit_box(grid) if one.protocol.grid_scale == "unit" else grid)
        if one.protocol.grid_scale == "matched":
            lengths = lengths * soma[off].mean() / lengths[off].mean()
    elif kind == "clusters":
        corners = np.eye(3)[np.arange(n) % 3] / np.sqrt(2)  # a triangle of side 1
        lengths = apart(corners + 0.2 * (rng.random((n, 3)) - 0.5))
        lengths = lengths * soma[off].mean() / lengths[off].mean()
    elif kind == "shuffled":
        upper = np.triu_indices(n, 1)
        lengths = np.zeros((n, n))
        lengths[upper] = lengths.T[upper] = rng.permutation(soma[upper])
    else:
        lengths = apart(rng.random((n, 3)))
        if kind == "matched":
            upper = np.triu_indices(n, 1)
            values = np.sort(soma[upper])[lengths[upper].argsort().argsort()]
            lengths = np.zeros((n, n))
            lengths[upper] = lengths.T[upper] = values
    if one.variant.self_distance == "mean":
        lengths = lengths + np.diag(np.full(n, lengths[off].mean()))
    return torch.tensor(lengths)


def communicability(weights, strength):
    root = strength.sqrt()
    exponential = torch.matrix_exp(weights / (root[:, None] * root[None, :]))
    return exponential * (1 - torch.eye(len(weights), dtype=weights.dtype))


def cost(weights, one, field):
    """Summed cost of connections, before its strength."""
    magnitude = weights.abs()
    each = magnitude * distances(one, field)
    if one.variant.communicability == "direct":
        each = each * communicability(magnitude, magnitude.sum(1))
    if one.variant.communicability == "frozen":
        before = torch.tensor(start(one, field)).abs()
        each = each * communicability(before, before.sum(1))
    return each.sum()


def penalty(weights, one, field):
    """Strength times the summed cost of connections, and the distance to the connectome (C*)."""
    strength = one.strength
    if one.protocol.strength_unit == "gradient":
        leaf = torch.tensor(start(one, field)).requires_grad_()
        strength /= torch.autograd.grad(cost(leaf, one, field), leaf)[0].abs().mean().item()
    elif one.variant.distance is None and one.protocol.plain_strength == "unit":
        strength = 1.0
    value = strength * cost(weights, one, field)
    if one.variant.communicability == "emd":
        counts, magnitude = torch.tensor(field.connectome, dtype=torch.float64), weights.abs()
        sums = counts.sum(1)
        theirs = communicability(counts, torch.where(sums > 0, sums, 1e-10))
        ours = communicability(magnitude, magnitude.sum(1) + 1e-10)
        differences = ours.flatten().sort().values - theirs.flatten().sort().values
        value = value + one.emd_strength * differences.abs().mean()
    return value


def scores(parameters, inputs):
    """Read-out of the last state for trials (B, T, I)."""
    state = torch.zeros(len(inputs), len(parameters["bias"]), dtype=inputs.dtype)
    for step in range(inputs.shape[1]):
        drive = inputs[:, step] @ parameters["input"] + parameters["bias"]
        state = (drive + state @ parameters["recurrent"]).relu()
    return state @ parameters["output"] + parameters["output_bias"]


def loss_and_accuracy(parameters, inputs, targets, one, field):
    read = scores(parameters, inputs)
    loss = torch.nn.functional.cross_entropy(read, targets)
    loss = loss + penalty(parameters["recurrent"], one, field)
    return loss, (read.argmax(-1) == targets).double().mean().item()


def updated(parameters, gradients, moments, n_steps, one):
    """Adam as in Keras: epsilon beside the root of the uncorrected second moment."""
    rate = one.learning_rate * (1 - 0.999**n_steps) ** 0.5 / (1 - 0.9**n_steps)
    after = {}
    for name, value in parameters.items():
        first, second = moments[name]
        first += 0.1 * (gradients[name] - first)
        second += 0.001 * (gradients[name] ** 2 - second)
        after[name] = value - rate * first / (second.sqrt() + 1e-7)
    if one.sign == "positive":
        after["recurrent"] = after["recurrent"].clamp(min=0)
    return after


def draw_trials(one):
    """Training trials, and after them from the same stream those of validation."""
    rng, dtype = stream(one.data_seed, "trials", one.task), getattr(torch, one.dtype)
    task = TASKS[one.task].with_settings(**dict(one.task_settings))
    drawn = [task.sample(n, rng=rng) for n in (one.n_train, one.n_validation)]
    return [(torch.tensor(x).to(dtype), torch.tensor(y)) for x, y in drawn]


def noise_of(one, shape, generator):
    """Noise of one batch (B, T, I), drawn step by step in float32."""
    n_trials, n_steps, n_channels = shape
    drawn = torch.randn((n_steps, n_trials, n_channels), generator=generator)
    return one.input_noise * drawn.transpose(0, 1).to(getattr(torch, one.dtype))


def noise_generator(one):
    seed = int(stream(one.seed, "input noise", one.task).integers(2**63))
    return torch.Generator().manual_seed(seed)


def defined_run(one, field):
    """Parameters, history and validation of a run by its definition."""
    (inputs, targets), validation = draw_trials(one)
    parameters = first_parameters(one, field)
    moments = {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in parameters.items()}
    generator, n_steps = noise_generator(one), 0
    history = {"accuracy": [], "loss": []}
    for _ in range(one.epochs):
        right = total = 0.0
        for low in range(0, one.n_train, one.batch_size):
            batch = slice(low, low + one.batch_size)
            noisy = inputs[batch] + noise_of(one, inputs[batch].shape, generator)
            leaves = {k: v.clone().requires_grad_() for k, v in parameters.items()}
            loss, accuracy = loss_and_accuracy(leaves, noisy, targets[batch], one, field)
            gradients = torch.autograd.grad(loss, list(leaves.values()))
            n_steps += 1
            parameters = updated(
                parameters, dict(zip(NAMES, gradients, strict=True)), moments, n_steps, one
            )
            total += loss.item() * len(noisy)
            right += accuracy * len(noisy)
        history["loss"].append(total / one.n_train)
        history["accuracy"].append(right / one.n_train)
    loss, accuracy = loss_and_accuracy(parameters, *validation, one, field)
    metrics = {name: values[-1] for name, values in history.items()}
    metrics |= {"validation_loss": loss.item(), "validation_accuracy": accuracy}
    return {k: v.numpy() for k, v in parameters.items()}, history, metrics


def assert_run(result, expected, tolerance):
    weights, history, metrics = expected
    for name in NAMES:
        assert result.weights[name].dtype == weights[name].dtype
        scale = np.abs(weights[name]).max()
        error = np.abs(result.weights[name] - weights[name]).max() / scale
        assert error < tolerance, name
    for name, values in history.items():
        np.testing.assert_allclose(result.history[name], values, rtol=tolerance, err_msg=name)
    assert set(result.metrics) == set(metrics)
    for name, value in metrics.items():
        assert result.metrics[name] == pytest.approx(value, rel=tolerance), name


# --- runs


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("W", {}),
        ("WD", {}),
        ("WD*", {"sign": "positive"}),
        ("WDC", {"task": "go_nogo"}),
        ("W*D*C", {}),
        ("W*D*C", {"relation": "precision", "strength": 0.7, "seed": 0, "data_seed": 5}),
        ("W*D*C*", {"sign": "positive", "task": "one_choice"}),
        ("W*DC*", {"emd_strength": 0.4, "relation": "sttc"}),
        ("W!D*C", {"learning_rate": 3e-3, "input_noise": 0.2}),
        ("W!D*C*", {"task_settings": {"stimulus_steps": 12, "noise_sd": 0.3}}),
    ],
)
@pytest.mark.parametrize("updates", ["first", "all"])
def test_a_run_is_what_defines_it(field, variant, settings, updates):
    run = spec(field, variant, **settings)
    if updates == "first":
        run = replace(run, n_train=16, epochs=1)
    (result,) = train([run], field, device="cpu", progress=False)
    assert_run(result, defined_run(run, field), 1e-9)


@pytest.mark.parametrize("variant", ["W", "WD*", "WD"])
def test_a_run_of_the_corrected_protocol_is_what_defines_it(field, variant):
    run = spec(field, variant, protocol=CORRECTED)
    (result,) = train([run], field, device="cpu", progress=False)
    assert_run(result, defined_run(run, field), 1e-9)


OWN = Protocol(name="own coordinates", coordinates="soma")
LAMBDA = Protocol(name="plain lambda", plain_strength="lambda")
MATCHED = Protocol(name="matched grid", grid_scale="matched")
BY_GRADIENT = Protocol(name="equal gradient", strength_unit="gradient")


@pytest.mark.parametrize(
    ("base", "switches", "settings"),
    [
        ("WD*", {"start": "identity"}, {}),
        ("WD*", {"start": "lognormal"}, {}),
        ("WD*", {"start": "uniform"}, {"sign": "positive"}),
        ("WD*", {"scaling": "positive_part"}, {"sign": "positive"}),
        ("WD*", {"self_connections": "functional"}, {}),
        ("W*D*", {"self_connections": "removed"}, {}),
        ("W*D*", {"self_connections": "removed", "scaling": "none"}, {}),
        ("W*D*", {"self_connections": "only"}, {}),
        ("W*D*", {"entries": "shuffled"}, {}),
        ("W*D*", {"entries": "off_diagonal_shuffled"}, {}),
        ("W*D*", {"entries": "resampled"}, {}),
        ("W*D*", {"entries": "off_diagonal_resampled"}, {}),
        ("W!D*", {"self_connections": "removed"}, {}),
        ("W*D*", {"self_distance": "mean"}, {}),
        ("WD*C", {"distance": "random"}, {}),
        ("WD*", {"distance": "matched"}, {}),
        ("WD*C", {"distance": "clusters"}, {}),
        ("WD*C", {"distance": "shuffled"}, {"protocol": OWN}),
        ("WD*", {"strong_self_connections": 2}, {}),
        ("W*D*", {"strong_self_connections": 0}, {}),
        ("W!D*C", {"strong_self_connections": 3}, {"sign": "positive"}),
        ("W*D*C", {"communicability": "frozen"}, {}),
        ("W*D*C", {}, {"protocol": OWN}),
        ("W", {}, {"protocol": LAMBDA}),
        ("WDC", {}, {"protocol": MATCHED}),
        ("W", {}, {"protocol": BY_GRADIENT, "strength": 0.01}),
        ("W*D*C*", {}, {"protocol": BY_GRADIENT, "strength": 0.17}),
        ("WD*C", {"communicability": "frozen"}, {"protocol": BY_GRADIENT, "strength": 0.1}),
        ("W*D*C", {}, {"first_task": "go_nogo"}),
        ("WD*C", {}, {"first_task": "perceptual", "task_settings": {"delay_steps": 12}}),
    ],
)
def test_a_run_of_a_control_is_what_defines_it(field, base, switches, settings):
    run = spec(field, control(base, **switches), epochs=1, **settings)
    (result,) = train([run], field, device="cpu", progress=False)
    assert_run(result, defined_run(run, field), 1e-9)


def test_a_run_in_single_precision_starts_as_defined(field):
    # The first update of Adam is nearly the sign of the gradient, so it takes a gradient away
    # from zero to compare; of later updates only what training does not amplify.
    run = spec(field, dtype="float32", epochs=1, n_train=16)
    (result,) = train([run], field, device="cpu", progress=False)
    weights, _, metrics = defined_run(run, field)
    assert result.weights["recurrent"].dtype == np.float32
    step = np.abs(result.weights["recurrent"] - weights["recurrent"])
    assert np.median(step) < 1e-7
    assert (step < 1e-5).mean() > 0.99
    for name in ("loss", "validation_loss"):
        assert result.metrics[name] == pytest.approx(metrics[name], rel=1e-4)


def test_runs_of_several_seeds_and_signs_side_by_side_are_each_what_defines_it(field):
    specs = [
        spec(field, variant, seed=seed, sign=sign)
        for variant, seed, sign in itertools.product(("W", "W*D*C"), (0, 7), ("free", "positive"))
    ]
    for result in train(specs, field, device="cpu", progress=False):
        assert_run(result, defined_run(result.spec, field), 1e-9)


# --- what a run sees, and when


@pytest.fixture
def seen(monkeypatch):
    """Record what ensembles are given: the batches of training, and validation."""
    record = {"steps": [], "validation": []}
    step, evaluate = ensemble.RNNEnsemble.step, ensemble.RNNEnsemble.evaluate

    def recording_step(self, inputs, targets):
        record["steps"].append((inputs.clone(), targets.clone()))
        return step(self, inputs, targets)

    def recording_evaluate(self, inputs, targets):
        record["validation"].append((len(record["steps"]), inputs.clone(), targets.clone()))
        return evaluate(self, inputs, targets)

    monkeypatch.setattr(ensemble.RNNEnsemble, "step", recording_step)
    monkeypatch.setattr(ensemble.RNNEnsemble, "evaluate", recording_evaluate)
    return record


def test_batches_come_in_the_order_of_the_trials_in_every_epoch(field, seen):
    run = spec(field, epochs=3, input_noise=0.0)
    train([run], field, device="cpu", progress=False)
    (inputs, targets), _ = draw_trials(run)
    assert [len(t) for _, t in seen["steps"]] == [16, 16, 8] * 3
    for epoch in range(3):
        batches = seen["steps"][3 * epoch : 3 * epoch + 3]
        assert torch.equal(torch.cat([x for x, _ in batches], dim=1), inputs.transpose(0, 1))
        assert torch.equal(torch.cat([t for _, t in batches]), targets)


def test_validation_sees_its_own_trials_without_noise_once_and_after_the_last_update(field, seen):
    run = spec(field, input_noise=0.5)
    train([run], field, device="cpu", progress=False)
    _, (inputs, targets) = draw_trials(run)
    ((when, shown, answers),) = seen["validation"]
    assert when == len(seen["steps"]) == 6
    assert torch.equal(shown, inputs.transpose(0, 1))
    assert torch.equal(answers, targets)


def test_noise_is_that_of_seed_and_task_and_new_in_every_batch(field, seen):
    specs = [spec(field, name, seed=seed) for seed in (1, 4) for name in ("W", "W*D*C")]
    train(specs, field, device="cpu", progress=False)
    (inputs, _), _ = draw_trials(specs[0])
    generators = {one.seed: noise_generator(one) for one in specs}
    drawn = []
    for position, (given, _) in enumerate(seen["steps"]):
        low = 16 * (position % 3)
        batch = inputs[low : low + 16]
        noise = {s: noise_of(specs[0], batch.shape, g) for s, g in generators.items()}
        for network, one in enumerate(specs):
            expected = (batch + noise[one.seed]).transpose(0, 1)
            torch.testing.assert_close(given[network], expected, rtol=0, atol=1e-15)
        drawn += [value.flatten()[:100] for value in noise.values()]
    assert len({tuple(value.tolist()) for value in drawn}) == len(drawn)


def test_noise_has_the_published_spread_and_none_can_be_asked_for(field, seen):
    run = RunSpec(
        field=field.name, field_hash=field.hash_without_events, variant="W", task="go_nogo",
        seed=0, n_train=512, batch_size=512, n_validation=8, epochs=1,
    )  # fmt: skip
    train([run, replace(run, input_noise=0.0)], field, device="cpu", progress=False)
    (noisy, _), (plain, _) = seen["steps"]
    (inputs, _), _ = draw_trials(run)
    assert torch.equal(plain, inputs.transpose(0, 1))
    noise = (noisy - plain).double()
    n_values = noise.numel()
    assert abs(noise.mean()) < 4 * 0.05 / n_values**0.5
    assert noise.std().item() == pytest.approx(0.05, abs=4 * 0.05 / (2 * n_values) ** 0.5)


# --- divergence


def test_divergence_is_told_with_the_epoch_in_which_it_happens(field):
    # One update with an absurd rate takes weights so far that the next forward pass overflows:
    # with one batch an epoch that is the second epoch, with three it is the first.
    lost = spec(field, "W", learning_rate=1e30, dtype="float32", epochs=4, n_train=48)
    late, early = (replace(lost, batch_size=size) for size in (48, 16))
    results = train([late, early], field, device="cpu", progress=False)
    assert [result.diverged_epoch for result in results] == [2, 1]
    assert [len(result.history["loss"]) for result in results] == [1, 0]
    assert [len(result.history["accuracy"]) for result in results] == [1, 0]
    for result in results:
        assert result.diverged
        assert set(result.metrics) == {
            "accuracy", "loss", "validation_accuracy", "validation_loss",
        }  # fmt: skip
        assert all(np.isnan(value) for value in result.metrics.values())


def test_weights_that_end_an_epoch_as_infinite_diverged_in_it(field, monkeypatch):
    # The loss is that before the update, so it cannot show what the last update of an epoch did.
    update = ensemble.RNNEnsemble._update

    def breaking(self, gradients):
        update(self, gradients)
        if self.n_steps == 6:
            self.parameters["bias"][1, 0] = torch.inf

    monkeypatch.setattr(ensemble.RNNEnsemble, "_update", breaking)
    specs = [spec(field, name, epochs=4) for name in ("W", "WD*", "WD")]
    first, lost, last = train(specs, field, device="cpu", progress=False)
    assert (lost.diverged, lost.diverged_epoch, len(lost.history["loss"])) == (True, 2, 1)
    assert lost.weights["bias"][0] == np.inf
    monkeypatch.undo()
    for result in (first, last):
        assert_run(result, defined_run(result.spec, field), 1e-9)
        assert not result.diverged
        assert result.diverged_epoch is None


def test_a_network_that_is_lost_in_the_middle_of_an_epoch_leaves_the_others_their_noise(
    field, monkeypatch
):
    update = ensemble.RNNEnsemble._update

    def breaking(self, gradients):
        update(self, gradients)
        if self.n_steps == 4:
            self.parameters["recurrent"][0] = torch.nan

    monkeypatch.setattr(ensemble.RNNEnsemble, "_update", breaking)
    specs = [spec(field, "W*D*C", seed=seed, sign="positive") for seed in (0, 1, 2)]
    lost, *others = train(specs, field, device="cpu", progress=False)
    assert (lost.diverged_epoch, len(lost.history["loss"])) == (2, 1)
    monkeypatch.undo()
    for result in others:
        assert_run(result, defined_run(result.spec, field), 1e-9)


def test_an_ensemble_whose_networks_are_all_lost_ends(field):
    lost = spec(field, "W", learning_rate=1e30, dtype="float32", epochs=50, n_train=16)
    results = train([lost, replace(lost, seed=9)], field, device="cpu", progress=False)
    assert [result.diverged_epoch for result in results] == [2, 2]
