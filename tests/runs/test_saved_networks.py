"""Trained networks on disk: what comes back, and what is refused."""

import hashlib
import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import training
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.ensemble import logits
from cortexrnn.networks.specification import RunSpec, task_of
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import control
from cortexrnn.runs import archive
from cortexrnn.runs.archive import ArchiveError
from cortexrnn.runs.saved_networks import load_network, save_network
from cortexrnn.runs.trained_weights import WeightsError, load_weights


@dataclass(frozen=True)
class Square(CustomPenalty):
    name = "square"

    def value(self, weights):
        return weights.square().sum((-2, -1))


def trained(field, **settings):
    sizes = {"epochs": 2, "n_train": 256, "n_validation": 64, "task": "go_nogo", "seed": 3}
    spec = RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        **({"variant": "W*D*C"} | sizes | settings),
    )
    return train([spec], field, device="cpu", progress=False)[0]


@pytest.fixture(scope="module")
def field():
    return surrogate_field(16)


@pytest.fixture(scope="module")
def result(field):
    return trained(field)


@pytest.fixture
def saved(result, tmp_path):
    return save_network(result, tmp_path / "network.npz")


def parts(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": "float64"},
        {"task": "one_choice", "sign": "positive", "relation": "sttc"},
        {"variant": control("W*", penalty=Square())},
    ],
)
def test_what_was_trained_comes_back_to_the_bit(field, tmp_path, settings):
    result = trained(field, **settings)
    network = load_network(save_network(result, tmp_path / "n.npz"))
    assert set(network.weights) == set(result.weights)
    for name, value in result.weights.items():
        assert network.weights[name].dtype == value.dtype
        np.testing.assert_array_equal(network.weights[name], value)
    assert (network.metrics, network.history) == (result.metrics, result.history)
    spec = result.spec
    assert network.specification == json.loads(json.dumps(spec.resolved()))
    assert (network.identity, network.field) == (spec.identity, spec.field)
    assert (network.variant, network.task, network.arm) == (spec.variant.name, spec.task, spec.arm)
    assert (network.diverged, network.diverged_epoch) == (False, None)
    assert "cortexrnn" in network.made and network.device.startswith("cpu")


def test_a_loaded_network_answers_as_the_trained_one(field, result, saved):
    inputs, targets = task_of(result.spec).sample(64, rng=np.random.default_rng(1))
    seen = torch.from_numpy(inputs).transpose(0, 1)
    scores = logits(load_network(saved).parameters(), seen)
    parameters = {name: torch.from_numpy(value)[None] for name, value in result.weights.items()}
    torch.testing.assert_close(scores, logits(parameters, seen), rtol=0, atol=0)
    assert scores.shape == (1, 64, 2)
    assert (scores[0].argmax(-1).numpy() == targets).mean() > 0.4


def test_a_run_that_diverged_comes_back_as_one(field, tmp_path):
    result = trained(field, learning_rate=1e30)
    assert result.diverged
    network = load_network(save_network(result, tmp_path / "n.npz"))
    assert network.diverged and network.diverged_epoch == result.diverged_epoch
    assert np.isnan(network.metrics["accuracy"])


def test_the_same_network_makes_the_same_bytes_without_pickles(result, saved, tmp_path):
    again = save_network(result, tmp_path / "again.npz")
    assert again.read_bytes() == saved.read_bytes()
    assert all(not array.dtype.hasobject for array in parts(saved).values())


def test_a_file_appears_whole_or_not_at_all(result, tmp_path, monkeypatch):
    def half(file, **arrays):
        file.write(b"PK half")
        raise OSError(28, "No space left on device")

    save_network(result, tmp_path / "n.npz")
    before = (tmp_path / "n.npz").read_bytes()
    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="No space left"):
        save_network(result, tmp_path / "n.npz")
    assert (tmp_path / "n.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["n.npz"]
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="choose a folder you may write"):
        save_network(result, tmp_path / "file" / "n.npz")


def with_nan(value):
    changed = value.copy()
    changed.flat[0] = np.nan
    return changed


CHANGES = {
    "a format to come": ({"network_format": np.int64(2)}, "format is 2, this package reads 1"),
    "no format": ({"network_format": None}, "no network as save_network writes it"),
    "no bias": ({"bias": None}, "arrays missing or unknown: bias"),
    "more": ({"code": np.array("import os")}, "arrays missing or unknown: code"),
    "another size": ({"recurrent": np.eye(3, dtype="f4")}, "recurrent has shape"),
    "another type": ({"bias": np.zeros(16)}, "bias is float64"),
    "integers": ({"recurrent": np.zeros((16, 16), int)}, "is float32|is int64"),
    "NaN": ({"recurrent": with_nan}, "not finite, though it did not diverge"),
    "NaN in metrics": ({"metrics": with_nan}, "not finite, though it did not diverge"),
    "an epoch before all": ({"diverged_epoch": np.int64(-1)}, "not finite, though"),
    "no JSON": ({"specification": np.array("{")}, "specification cannot be read"),
    "another specification": ({"specification": np.array("{}")}, "its identity is .* is 44136f"),
    "another identity": ({"identity": np.array("0" * 32)}, "its identity is 0000"),
    "another task": ({"task": np.array("chess")}, "of task chess, the specification says"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_contradict_themselves_are_refused(saved, change):
    arrays, (changes, message) = parts(saved), CHANGES[change]
    for name, value in changes.items():
        arrays[name] = value(arrays[name]) if callable(value) else value
    np.savez(saved, **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(WeightsError, match=f"network.npz refused: .*{message}.*save_network wrote"):
        load_network(saved)


def test_a_specification_of_another_precision_is_refused(saved):
    arrays = parts(saved)
    changed = json.loads(str(arrays["specification"])) | {"precision": "float64"}
    text = json.dumps(changed, sort_keys=True)
    arrays["specification"] = np.array(text)
    arrays["identity"] = np.array(hashlib.sha256(text.encode()).hexdigest()[:32])
    np.savez(saved, **arrays)
    with pytest.raises(WeightsError, match=r"weights are float32 of task go_nogo, .* float64 of"):
        load_network(saved)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_foreign_and_damaged_files_are_refused(saved, tmp_path):
    whole = saved.read_bytes()
    np.savez(tmp_path / "pickled.npz", recurrent=np.array([Evil()], dtype=object))
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("weights")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Evil()))
    np.savez_compressed(tmp_path / "bomb.npz", recurrent=np.zeros(10**7))
    for name in ("pickled", "half", "text", "pickle", "bomb"):
        with pytest.raises(WeightsError, match=rf"{name}.npz .*save_network wrote"):
            load_network(tmp_path / f"{name}.npz")
    with pytest.raises(WeightsError, match=r"no.npz cannot be read: No such file.*check the path"):
        load_network(tmp_path / "no.npz")


def test_each_of_the_two_forms_names_the_other(saved):
    with pytest.raises(WeightsError, match="it holds a whole network; read it with load_network"):
        load_weights(saved)
    shipped = archive.resources.files("cortexrnn") / "data" / "weights" / "6_6_2.npz"
    with pytest.raises(WeightsError, match=r"more than|no network as save_network writes it"):
        load_network(shipped)


def test_every_metric_of_a_result_is_kept(saved, result):
    assert set(load_network(saved).metrics) == set(training.TRAINING_METRICS) == set(result.metrics)
