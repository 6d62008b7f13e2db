"""Keep the trained recurrent matrices of one seed of every variant, task and sign.

Usage: ``python -m tools.keep_weights --full runs/weights`` trains again the runs of field 6_6_2
with seed 0, in the ensembles in which the archive's runs were trained. The full matrices of every
epoch stay in the folder given, where an interrupted call is taken up. All metrics are compared with
the archive's rows of equal identity, and ``cortexrnn/data/weights/6_6_2.npz`` is written. The exit
status is 1 if a run succeeds here and not there, or the other way round.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import topology
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import SIGNS, RunSpec
from cortexrnn.networks.training import train
from cortexrnn.runs.archive import METRICS, load_archive, write_json
from cortexrnn.runs.plans import plan, shards
from cortexrnn.runs.trained_weights import COURSE, KeptRun, save_weights, sparsify, stated_loss
from tools.project import ROOT

TOLERANCE = {name: 0.05 for name in METRICS}
"""Largest difference that another machine may make to a metric without counting as a failure."""

ROUNDING = 1e-12
"""Differences up to this are those of the order of sums, not of networks."""

SUCCESS = 0.05
"""Accuracies closer than this are the same success or the same failure."""


def matrices(shard: Sequence[RunSpec], field: Field, folder: Path) -> dict[str, NDArray[Any]]:
    """Train a shard, or read what an earlier call has trained.

    Parameters
    ----------
    shard : sequence of RunSpec
        Runs of one task and seed.
    field : Field
        Their field.
    folder : Path
        Where full matrices are kept.

    Returns
    -------
    dict of str to ndarray
        ``identity/epoch`` and ``identity/final``: recurrent matrices; ``identity/info``: metrics
        and whether the run diverged, as JSON.
    """
    path = folder / f"{_stem(shard[0])}.npz"
    if not path.exists():
        arrays: dict[str, Any] = {}

        def watch(spec: RunSpec, epoch: int, weights: NDArray[Any]) -> None:
            arrays[f"{spec.identity}/{epoch}"] = weights

        for result in train(shard, field, device="cpu", progress=False, watch=watch):
            arrays[f"{result.spec.identity}/final"] = result.weights["recurrent"]
            info = {"metrics": result.metrics, "diverged": result.diverged}
            arrays[f"{result.spec.identity}/info"] = np.array(json.dumps(info))
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
        temporary.replace(path)
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def _stem(spec: RunSpec) -> str:
    """Name the files of a shard."""
    return f"{spec.field}-{spec.arm}-{spec.task}-{spec.seed}"


def keep(
    spec: RunSpec, field: Field, trained: dict[str, NDArray[Any]], folder: Path
) -> KeptRun | None:
    """Measure one trained run and reduce its matrix.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.
    trained : dict of str to ndarray
        What :func:`matrices` gave.
    folder : Path
        Where measures are kept, so that an interrupted call takes them up.

    Returns
    -------
    KeptRun or None
        None for a run that diverged, which has no graph.
    """
    info = json.loads(str(trained[f"{spec.identity}/info"]))
    if info["diverged"]:
        return None
    epochs = [trained[f"{spec.identity}/{epoch}"] for epoch in range(1, spec.epochs + 1)]
    final = trained[f"{spec.identity}/final"]
    if not np.array_equal(epochs[-1], final):
        raise ValueError(f"{spec.variant.name}, {spec.task}: the last epoch is not the end")
    path = folder / f"{spec.identity}.json"
    if not path.exists():
        start = initial_weights(spec, field).astype(spec.dtype)
        steps = [asdict(topology.measure(matrix)) for matrix in (start, *epochs)]
        write_json({"steps": steps}, path)
    course = json.loads(path.read_text("utf-8"))["steps"]
    metrics = info["metrics"] | {name: course[-1][name] for name in COURSE}
    return KeptRun(
        variant=spec.variant.name,
        task=spec.task,
        arm=spec.arm,
        seed=spec.seed,
        identity=spec.identity,
        metrics=metrics,
        matrix=sparsify(final),
        course=np.array([[step[name] for name in COURSE] for step in course]),
    )


def beside_archive(kept: Sequence[KeptRun], archive: pd.DataFrame) -> pd.DataFrame:
    """Put the metrics of kept runs beside those of the archive.

    Parameters
    ----------
    kept : sequence of KeptRun
        Runs trained here.
    archive : DataFrame
        Runs of the archive.

    Returns
    -------
    DataFrame
        One row per kept run: ``arm, task, variant, identity, verdict`` and for each metric the
        difference, here less archive. The verdict is ``identical``, ``close`` (within
        :data:`TOLERANCE`), ``differs``, ``success differs``, or ``not in the archive``.
    """
    rows = archive.drop_duplicates("identity").set_index("identity")
    table = []
    for run in kept:
        row = {"arm": run.arm, "task": run.task}
        row |= {"variant": run.variant, "identity": run.identity}
        stored = rows.loc[run.identity] if run.identity in rows.index else None
        if stored is None:
            table.append(row | {"verdict": "not in the archive"} | dict.fromkeys(METRICS, np.nan))
            continue
        difference = {name: run.metrics[name] - stored[name] for name in METRICS}
        table.append(row | {"verdict": _verdict(difference, run)} | difference)
    return pd.DataFrame(table)


def _verdict(difference: dict[str, float], run: KeptRun) -> str:
    """Name how much two trainings of one run differ; two missing values are the same."""
    measured = {
        name: value for name, value in difference.items() if not np.isnan(run.metrics[name])
    }
    if not all(np.isfinite(value) for value in measured.values()):
        return "success differs"  # one diverged
    if all(abs(value) <= ROUNDING for value in measured.values()):
        return "identical"
    if abs(difference["accuracy"]) > SUCCESS:
        return "success differs"
    return "close" if all(abs(v) <= TOLERANCE[k] for k, v in measured.items()) else "differs"


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
    parser.add_argument("--field", default="6_6_2", help="the field")
    parser.add_argument("--seed", type=int, default=0, help="the seed")
    parser.add_argument("--preset", default="paper", help="size of the experiment")
    parser.add_argument("--full", type=Path, required=True, help="folder for full matrices")
    parser.add_argument("--archive", type=Path, help="folder of runs; default: the shipped one")
    parser.add_argument("--out", type=Path, default=ROOT / "cortexrnn" / "data" / "weights")
    options = parser.parse_args(arguments)
    field = load_field(options.field)
    options.full.mkdir(parents=True, exist_ok=True)
    plans = [
        plan(field, preset=options.preset, seeds=[options.seed], sign=sign)
        for sign in SIGNS  # each a plan of its own, as in the archive
    ]
    kept = [run for specs in plans for run in _kept(specs, field, options.full)]
    path = save_weights(
        kept, options.out / f"{field.name}.npz",
        field=field.name, field_hash=field.hash_without_events, made=_made(),
    )  # fmt: skip
    table = beside_archive(kept, load_archive(options.archive))
    print(table.drop(columns="identity").to_string(index=False))
    print(stated_loss(kept).drop(columns="identity").round(4).to_string(index=False))
    print(f"{path}: {path.stat().st_size:,} bytes, {len(kept)} of {sum(map(len, plans))} runs")
    return int((table["verdict"] == "success differs").any())


def _kept(specs: Sequence[RunSpec], field: Field, folder: Path) -> Iterator[KeptRun]:
    """Go through the runs ensemble by ensemble; print those that diverged."""
    for shard in shards(specs):
        trained = matrices(shard, field, folder)
        for spec in shard:
            run = keep(spec, field, trained, folder)
            if run is None:
                print(f"{spec.variant.name}, {spec.task}: diverged, nothing is kept")
            else:
                yield run


def _made() -> str:
    """Say where and with what the matrices were made."""
    names = ("cortexrnn", "torch", "numpy")
    return ", ".join([f"cpu {platform.machine()}", *(f"{name} {version(name)}" for name in names)])


if __name__ == "__main__":
    sys.exit(main())
