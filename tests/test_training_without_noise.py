"""The tool that evaluates trained networks on their training trials without noise."""

import json

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence.generalisation import MEASURED
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks.specification import RunSpec, random_stream
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import load_archive
from tools import training_without_noise as tool


@pytest.fixture(scope="module")
def field():
    return surrogate_field(24)


@pytest.fixture(scope="module")
def spec(field):
    return RunSpec(field=field.name, field_hash=field.hash_without_events,
                   variant=VARIANTS["W*D*C"], task="perceptual", seed=3, n_train=640,
                   n_validation=256, epochs=2)  # fmt: skip


def test_what_is_measured_is_what_the_run_gives(field, spec):
    row = tool.measure(spec, field, device="cpu")
    (result,) = train([spec], field, device="cpu", progress=False)
    assert list(row) == MEASURED
    assert row["identity"] == spec.identity
    assert row["running_accuracy"] == result.metrics["accuracy"]
    assert row["validation_accuracy"] == pytest.approx(result.metrics["validation_accuracy"])


def test_training_trials_are_seen_without_noise(field, spec):
    # The same network, stepped by hand on the trials that training draws first.
    row = tool.measure(spec, field, device="cpu")
    (result,) = train([spec], field, device="cpu", progress=False)
    rng = random_stream(spec.data_seed, "trials", "perceptual")
    inputs, targets = TASKS["perceptual"].sample(640, rng=rng)
    weights, state = result.weights, 0.0
    for step in range(inputs.shape[1]):
        drive = inputs[:, step] @ weights["input"] + weights["bias"]
        state = np.maximum(drive + state @ weights["recurrent"] if step else drive, 0)
    answers = (state @ weights["output"] + weights["output_bias"]).argmax(-1)
    assert row["training_accuracy"] == pytest.approx((answers == targets).mean(), abs=2 / 640)
    assert row["noisy_cross_entropy"] != row["training_cross_entropy"]


def test_finished_runs_are_not_trained_again(field, spec, tmp_path, monkeypatch):
    made = tool.kept(spec, field, tmp_path)
    monkeypatch.setattr(tool, "measure", None)
    assert tool.kept(spec, field, tmp_path) == made
    assert json.loads((tmp_path / f"{spec.identity}.json").read_text()) == made


def test_recorded_runs_of_every_cell_are_chosen():
    chosen = tool.chosen_runs(load_archive(), tool.FIELD)
    assert len(chosen) == len(tool.VARIANTS) * len(TASKS) * tool.N_SEEDS
    assert chosen["identity"].is_unique
    assert set(chosen["sign"]) == {"free"} and set(chosen["protocol"]) == {"published"}


def test_a_validation_that_differs_is_reported(field, spec, tmp_path, monkeypatch, capsys):
    run = spec.resolved() | {"specification": json.dumps(spec.resolved()), "field": spec.field}
    archive = pd.DataFrame([run | {"protocol": "published", "validation_accuracy": 0.25}])
    monkeypatch.setattr(tool, "load_field", lambda name: field)
    monkeypatch.setattr(tool, "load_archive", lambda folder: archive)
    monkeypatch.setattr(tool, "chosen_runs", lambda archive, name: archive)
    out = tmp_path / "table.csv"
    arguments = ["--kept", str(tmp_path / "kept"), "--out", str(out)]
    assert tool.main(arguments) == 1
    assert "1 runs; validation accuracy differs in 1 of them" in capsys.readouterr().out
    archive["validation_accuracy"] = pd.read_csv(out)["validation_accuracy"]
    assert tool.main(arguments) == 0
