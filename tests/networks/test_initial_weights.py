"""Starts of a seed: what is shown of them is what is trained."""

import numpy as np
import pytest

from cortexrnn.fields.derivation import derived
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import initial_weights as starts
from cortexrnn.networks import priors, sensitivity
from cortexrnn.networks.initial_weights import functional_start, initial_weights, variant_start
from cortexrnn.networks.specification import PRESETS, RunSpec, random_stream
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import control
from cortexrnn.runs.plans import plan


@pytest.fixture(scope="module")
def field():
    return load_field("surrogate_30")


@pytest.mark.parametrize("variant", ["W*D*C", "W!D*C", "W"])
def test_the_matrix_that_is_shown_is_the_matrix_that_is_trained(field, variant):
    (spec,) = plan(
        field, variants=[variant], tasks=["one_choice"], preset=PRESETS["smoke"], learning_rate=0
    )
    (result,) = train([spec], field, progress=False)  # nothing is learned: the weights stay
    shown = variant_start(field, variant, task="one_choice", seed=0)
    assert spec.seed == 0
    np.testing.assert_array_equal(result.weights["recurrent"], shown.astype(np.float32))
    np.testing.assert_array_equal(initial_weights(spec, field), shown)


def test_functional_weights_of_a_seed_are_those_of_every_task(field):
    shown = functional_start(field, relation="sttc", seed=3)
    for task in ("one_choice", "go_nogo"):
        spec = RunSpec(
            field=field.name, field_hash=field.hash_without_events, variant="W*D*C", task=task,
            seed=3, relation="sttc",
        )  # fmt: skip
        np.testing.assert_array_equal(initial_weights(spec, field), shown)
    assert not np.array_equal(functional_start(field, relation="sttc", seed=4), shown)


def test_a_draw_by_hand_takes_the_stream_of_the_training(field):
    product = random_stream(0, "functional weights").lognormal(-0.5, 0.5, (30, 30))
    for name in ("correlation", "sttc"):
        values = field.relation(name)
        product *= (values - values.min()) / (values.max() - values.min())
    product *= 0.1 / product.mean()
    product[(product > 0) & (product < 0.01)] = 0.01
    product *= 0.95 / priors.spectral_radius(product)
    np.testing.assert_allclose(functional_start(field, seed=0), product, rtol=1e-12)


def test_a_sweep_of_settings_draws_what_is_trained(field):
    relations = derived(field, precision=False)
    assert all(np.array_equal(relations[name], field.relation(name)) for name in relations)
    table = sensitivity.sweep(field, bins_s=[0.2], windows_s=[0.1], seed=2).set_index("setting")
    weights, redrawn = functional_start(field, seed=2), functional_start(field, seed=3)
    off = ~np.eye(30, dtype=bool)
    for setting, one in {"bin": weights, "redraw": redrawn}.items():
        ratio = np.diag(one).mean() / one[off].mean()
        assert table.loc[setting, "self_ratio"] == pytest.approx(ratio)
    agree = np.corrcoef(weights[off], redrawn[off])[0, 1]
    assert table.loc["redraw", "weights_r"] == pytest.approx(agree)


def test_starts_of_many_runs_are_those_of_each_and_no_draw_is_made_twice(field, monkeypatch):
    switches = [{}, {"self_connections": "only"}, {"self_connections": "removed"}]
    switches += [{"entries": "shuffled"}, {"entries": "off_diagonal_resampled"}]
    kinds = ["orthogonal", "functional", "permuted", "identity", "lognormal", "uniform"]
    variants = [control("W", start=start) for start in kinds]
    variants += [control("W*D*C", **one) for one in switches]
    variants += [control("WD*", scaling="positive_part"), control("WD*")]
    variants += [control("W", self_connections="functional")]
    specs = [
        RunSpec(
            field=field.name, field_hash=field.hash_without_events, variant=variant, task=task,
            seed=seed, relation=relation, n_train=8, n_validation=8, epochs=1,
        )
        for task in ("go_nogo", "perceptual")
        for seed in (0, 1)
        for relation in ("correlation", "sttc")
        for variant in variants
    ]  # fmt: skip
    alone = [initial_weights(spec, field) for spec in specs]
    drawn = []

    def counting(field, *, relation, seed):
        drawn.append((relation, seed))
        return functional_start(field, relation=relation, seed=seed)

    monkeypatch.setattr(starts, "functional_start", counting)
    together = list(starts.many_initial_weights(specs, field))
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(drawn) == len(set(drawn)) == 4
