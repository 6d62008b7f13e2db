"""List the strongest units of starts, and watch them while runs fail or succeed.

Usage, with ``CORTEXRNN_DATA=<mirror>``:

``python -m tools.watch_units starts`` writes ``cortexrnn/data/units/starts.parquet``: the units
with the strongest self-connections of the starts that chapter 10 asks about. Nothing is trained.

``python -m tools.watch_units traces --kept runs/units`` trains again, on two fields, recorded runs
of W*D* that did not learn and as many that did, and writes
``cortexrnn/data/units/traces.parquet``. Each run is kept in the folder given when it is finished,
where an interrupted call is taken up. The exit status is 1 if a run learned here and not there, or
the other way round.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cortexrnn.evidence.leaky_units import learned
from cortexrnn.evidence.units import (
    CONDITIONS_OF_STARTS,
    largest_input_weight,
    last_states,
    memory_trials,
    separations,
    strongest_units,
)
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import RunSpec, task_of
from cortexrnn.networks.training import Parameters, initial_input_weights, train
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.controls import AT_DOSE, CONDITIONS
from cortexrnn.runs.labels import runs_of
from tools.project import ROOT

FIELDS = ("5_3_4", "5_6_8", "6_6_2")
"""Fields whose starts are listed: those with controls."""
CONDITION = "W*D*"
"""What is trained again."""
MOST = {"5_3_4": 4, "6_6_2": 2}
"""By field, how many runs of a task that did not learn are trained again, and how many that did."""
N_UNITS = 10
"""Units of a run that are watched: those with the strongest self-connections at the start."""
EVERY, CLOSELY = 5, 2
"""Updates from one look to the next in the first epochs, and how many epochs these are; later there
is one look at the end of each epoch."""
FLOATS = ("self_connection", "separation", "largest_other", "accuracy")
STARTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("identity", "task")],
        *[(name, pa.int16()) for name in ("n_neurons", "rank", "unit")],
        ("self_connection", pa.float32()),
        ("input_weights", pa.list_(pa.float32())),
    ]
)
"""Columns of the list of starts, see :func:`cortexrnn.evidence.units.strongest_units`."""
SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("identity", "field", "task")],
        ("seed", pa.int16()),
        ("learned", pa.bool_()),
        *[(name, pa.int16()) for name in ("update", "rank", "unit")],
        *[(name, pa.float32()) for name in FLOATS],
        ("input_weights", pa.list_(pa.float32())),
    ]
)
"""Columns of the file of traces, see :func:`cortexrnn.evidence.units.load_traces`."""


def starts(field: Field) -> pa.Table:
    """List the strongest units of all starts of a field.

    Parameters
    ----------
    field : Field
        The field.

    Returns
    -------
    pyarrow.Table
        With the columns of :data:`STARTS`, seed after seed.
    """
    conditions = [CONDITIONS[name] for name in CONDITIONS_OF_STARTS]
    conditions += [control for (_, count), control in AT_DOSE.items() if count]
    specs = [
        spec
        for one in conditions
        for spec in one.specs(field=field.name, field_hash=field.hash_without_events)
    ]
    specs.sort(key=lambda spec: spec.seed)  # whose draws are then made once
    units = strongest_units(specs, field)
    return pa.Table.from_pandas(units, schema=STARTS, preserve_index=False)


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
        Rows of the archive with the column ``learned``: of every task the first that did not
        learn, at most as many as :data:`MOST` says, and the same number that did.
    """
    parts = []
    for task, cell in runs_of(archive, CONDITIONS[CONDITION], field=field).groupby("task"):
        cell = cell.assign(learned=learned(str(task), cell["accuracy"]))
        failed = cell[~cell["learned"]].head(MOST[field])
        parts += [failed, cell[cell["learned"]].head(len(failed))]
    return pd.concat(parts, ignore_index=True)


def looks(n_updates: int, epochs: int) -> list[int]:
    """Say after which updates there is a look.

    Parameters
    ----------
    n_updates : int
        Updates of an epoch.
    epochs : int
        Epochs of the training.

    Returns
    -------
    list of int
        In order, from the first one after the start.
    """
    close = range(EVERY, min(CLOSELY, epochs) * n_updates + 1, EVERY)
    ends = range(n_updates, epochs * n_updates + 1, n_updates)
    return sorted({*close, *ends})


def trace(spec: RunSpec, field: Field, **options: Any) -> list[dict[str, Any]]:
    """Train one run and follow its strongest units.

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
    list of dict
        Rows with the columns of :data:`SCHEMA`, the start included.
    """
    task = task_of(spec)
    inputs, pairs = memory_trials(task)
    start = initial_weights(spec, field)
    first: Parameters = {
        "recurrent": start,
        "input": initial_input_weights(spec, field.n_neurons),
        "bias": np.zeros(field.n_neurons),
    }
    units = np.argsort(-np.diag(start), kind="stable")[:N_UNITS]
    others = np.setdiff1d(np.arange(field.n_neurons), units)
    scale = largest_input_weight(task.n_channels, field.n_neurons)
    rows: list[dict[str, Any]] = []
    recent: list[float] = []

    def look(update: int, parameters: Parameters) -> None:
        weights = parameters["recurrent"]
        own = np.diag(weights)
        states = last_states(inputs, parameters["input"], weights, bias=parameters["bias"])
        apart = separations(states, pairs).max(axis=0) / scale
        rows.extend(
            {
                "update": update,
                "rank": rank,
                "unit": int(unit),
                "self_connection": float(own[unit]),
                "separation": float(apart[unit]),
                "largest_other": float(own[others].max(initial=-np.inf)),
                "accuracy": float(np.mean(recent)) if recent else float("nan"),
                "input_weights": parameters["input"][:, unit].tolist(),
            }
            for rank, unit in enumerate(units, start=1)
        )
        recent.clear()

    at = set(looks(-(-spec.n_train // spec.batch_size), spec.epochs))

    def on_update(
        spec: RunSpec, update: int, accuracy: float, parameters: Callable[[], Parameters]
    ) -> None:
        recent.append(accuracy)
        if update in at:
            look(update, parameters())

    look(0, first)
    (result,) = train([spec], field, progress=False, watch_updates=on_update, **options)
    run = {"identity": spec.identity, "field": spec.field, "task": spec.task, "seed": spec.seed}
    run["learned"] = bool(learned(spec.task, result.metrics["accuracy"]))
    return [run | row for row in rows]


def kept_trace(spec: RunSpec, field: Field, folder: Path) -> pa.Table:
    """Give the trace of a run, read where an earlier call has made it.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.
    folder : Path
        Where traces are kept.

    Returns
    -------
    pyarrow.Table
        With the columns of :data:`SCHEMA`.
    """
    path = folder / f"{spec.identity}.parquet"
    if not path.exists():
        table = pa.Table.from_pylist(trace(spec, field, device="cpu"), schema=SCHEMA)
        temporary = path.with_suffix(".tmp")
        pq.write_table(table, temporary)
        temporary.replace(path)
    return pq.read_table(path)


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
    parser.add_argument("what", choices=("starts", "traces"))
    parser.add_argument("--kept", type=Path, help="folder for finished runs, for traces")
    parser.add_argument("--archive", type=Path, help="folder of runs; default: the shipped one")
    parser.add_argument("--fields", nargs="+", help="default: those of the book")
    parser.add_argument("--out", type=Path, default=ROOT / "cortexrnn" / "data" / "units")
    options = parser.parse_args(arguments)
    if options.what == "starts":
        fields = options.fields or FIELDS
        _write([starts(load_field(name)) for name in fields], options.out / "starts.parquet")
        return 0
    if options.kept is None:
        parser.error("traces need --kept, a folder for finished runs")
    options.kept.mkdir(parents=True, exist_ok=True)
    archive = load_archive(options.archive)
    tables, n_otherwise = [], 0
    for name in options.fields or MOST:
        field = load_field(name)
        for row in chosen_runs(archive, name).to_dict("records"):
            spec = RunSpec.from_specification({str(key): value for key, value in row.items()})
            tables.append(kept_trace(spec, field, options.kept))
            again = tables[-1]["learned"][0].as_py()
            n_otherwise += again != row["learned"]
            print(f"{name}, {spec.task}, seed {spec.seed}: learned {again}, {row['learned']} there")
    _write(tables, options.out / "traces.parquet")
    return int(n_otherwise > 0)


def _write(tables: list[pa.Table], path: Path) -> None:
    """Write one file for all fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables(tables)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    print(f"{path}: {path.stat().st_size:,} bytes, {table.num_rows} rows")


if __name__ == "__main__":
    sys.exit(main())
