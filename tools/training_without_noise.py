"""Measure the accuracy of trained networks on their training trials without noise.

Usage: ``CORTEXRNN_DATA=<mirror> python -m tools.training_without_noise --kept runs/without_noise``
trains again recorded runs of one field, evaluates them on training and validation trials, and
writes ``cortexrnn/data/training_without_noise.csv``. What a run of the archive records as training
accuracy is a running mean over the last epoch, with noise on the inputs, so that it cannot be
compared with its validation accuracy. Each run is kept in the folder given when it is finished,
where an interrupted call is taken up. The exit status is 1 if the validation accuracy of a run is
not the recorded one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cortexrnn.evidence.generalisation import MEASURED
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.ensemble import logits
from cortexrnn.networks.specification import RunSpec, random_stream, task_of
from cortexrnn.networks.training import train
from cortexrnn.runs.archive import load_archive, write_json, written_whole
from cortexrnn.runs.labels import select
from tools.project import ROOT

FIELD = "5_3_4"
"""The field: the smallest of the paper's, with runs of today's arithmetic."""
VARIANTS = ("W", "WD*C", "WD*C*", "W*D*C", "W*D*C*")
"""What is trained again: both starts beside either penalty, and what has no priors."""
N_SEEDS = 5
"""Seeds of each variant and task."""
SAME = 1e-6
"""Shares of right answers that differ by no more are the same share, in single precision."""


def measure(spec: RunSpec, field: Field, **options: Any) -> dict[str, Any]:
    """Train one run and evaluate it on the trials that it was trained and validated on.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.
    **options
        Of :func:`cortexrnn.networks.training.train`.

    Returns
    -------
    dict
        A row with the columns of :data:`cortexrnn.evidence.generalisation.MEASURED`; NaN for what
        a run that diverged does not have.
    """
    (result,) = train([spec], field, progress=False, **options)
    row = {name: getattr(spec, name) for name in ("identity", "field", "task", "seed")}
    row |= {"variant": spec.variant.name, "running_accuracy": result.metrics["accuracy"]}
    if result.diverged:
        return dict.fromkeys(MEASURED, float("nan")) | row
    task, rng = task_of(spec), random_stream(spec.data_seed, "trials", spec.task)
    inputs, targets = task.sample(spec.n_train, rng=rng)  # in the order in which training draws
    noise = random_stream(spec.seed, "noise after training", spec.task).normal(size=inputs.shape)
    parts = {
        "training": (inputs, targets),
        "noisy": (inputs + spec.input_noise * noise, targets),
        "validation": task.sample(spec.n_validation, rng=rng),
    }
    for name, (trials, answers) in parts.items():
        accuracy, entropy = _evaluated(result.weights, trials, answers)
        row |= {f"{name}_accuracy": accuracy, f"{name}_cross_entropy": entropy}
    return {name: row[name] for name in MEASURED}


def _evaluated(
    weights: dict[str, NDArray[np.floating]], inputs: NDArray[Any], targets: NDArray[Any]
) -> tuple[float, float]:
    """Share of right answers and cross-entropy of one network."""
    parameters = {name: torch.tensor(value).unsqueeze(0) for name, value in weights.items()}
    trials = torch.from_numpy(inputs).transpose(0, 1).to(parameters["recurrent"])
    (scores,) = logits(parameters, trials)
    answers = torch.from_numpy(targets)
    right = (scores.argmax(-1) == answers).double().mean()
    return float(right), float(torch.nn.functional.cross_entropy(scores, answers))


def kept(spec: RunSpec, field: Field, folder: Path) -> dict[str, Any]:
    """Give the row of a run, read where an earlier call has made it.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.
    folder : Path
        Where rows are kept.

    Returns
    -------
    dict
        What :func:`measure` gives.
    """
    path = folder / f"{spec.identity}.json"
    if not path.exists():
        write_json(measure(spec, field, device="cpu"), path)
    row: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return row


def chosen_runs(archive: pd.DataFrame, field: str) -> pd.DataFrame:
    """Choose the recorded runs that are trained again.

    Parameters
    ----------
    archive : DataFrame
        Runs of the archive.
    field : str
        Name of the field.

    Returns
    -------
    DataFrame
        The runs of :data:`VARIANTS` with free weights, the first :data:`N_SEEDS` seeds.
    """
    runs = select(archive, field=field)
    return runs[runs["variant"].isin(VARIANTS) & (runs["seed"] < N_SEEDS)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, compare and write.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--field", default=FIELD, help="name of the field")
    parser.add_argument("--kept", type=Path, required=True, help="folder for finished runs")
    parser.add_argument("--archive", type=Path, help="folder of runs; default: the shipped one")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "cortexrnn" / "data" / "training_without_noise.csv"
    )
    options = parser.parse_args(arguments)
    options.kept.mkdir(parents=True, exist_ok=True)
    field = load_field(options.field)
    chosen = chosen_runs(load_archive(options.archive), field.name)
    rows = []
    for run in chosen.to_dict("records"):
        spec = RunSpec.from_specification({str(key): value for key, value in run.items()})
        rows.append(kept(spec, field, options.kept))
    table = pd.DataFrame(rows, columns=MEASURED)
    with written_whole(options.out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    apart = np.abs(table["validation_accuracy"].to_numpy() - chosen["validation_accuracy"])
    print(f"{len(table)} runs; validation accuracy differs in {(apart > SAME).sum()} of them")
    return int((apart > SAME).any())


if __name__ == "__main__":
    sys.exit(main())
