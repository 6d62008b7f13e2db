"""One run here beside the same run in Keras and bctpy, turn by turn on one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cortexrnn.benchmark import keras_reference
from cortexrnn.benchmark.flops import run_flops
from cortexrnn.benchmark.measure import (
    N_NULLS,
    REFERENCE_VARIANTS,
    SIDES,
    Side,
    gemm_rate,
    specify,
    trials,
)
from cortexrnn.benchmark.record import now, open_record, versions
from cortexrnn.benchmark.worker import Worker, scratch_cache
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import topology
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.archive import write_json

__all__ = ["run_pairs"]


def run_pairs(
    *,
    out: Path,
    field: str = "surrogate_312",
    variants: Sequence[str] = REFERENCE_VARIANTS,
    threads: Sequence[int] = (1,),
    epochs: int = 10,
    n_nulls: int = N_NULLS,
    rounds: int = 2,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Time whole runs of this package and of the Keras reference alternately, in one process.

    Each variant is run by ours, the Keras reference, ours, the Keras reference ... on the same
    field, task, initial recurrent weights, number of epochs and threads. What the file already
    holds is not timed again.

    Parameters
    ----------
    out : Path
        JSON file to write, or to go on with.
    field : str
        Name of a field.
    variants : sequence of str
        Names of the paper.
    threads : sequence of int
        Threads.
    epochs : int
        Epochs; times are not scaled, and a column says how many there were.
    n_nulls : int
        Nulls that are timed; fewer than 1,000 are scaled up linearly, and the row says so.
    rounds : int
        Pairs of each variant.
    tell : callable
        Called with a line of text for every run.

    Returns
    -------
    dict
        Content of the file.

    Raises
    ------
    KerasReferenceError
        If TensorFlow or bctpy are missing.
    ValueError
        If the file was begun on another machine or with other versions.
    """
    variants = arguments.names("variants", variants, least=1)
    for variant in variants:
        Variant.parse(variant)
    threads = arguments.numbers("threads", threads, least=1, whole=True)
    record = open_record(out)
    keys = ("field", "variant", "threads", "epochs", "n_nulls", "round", "side")
    done = {tuple(row[key] for key in keys) for row in record["pairs"]}
    workers = {count: Worker(count) for count in threads}
    try:
        for count, variant, number, side in product(threads, variants, range(rounds), SIDES):
            key = (field, variant, count, epochs, n_nulls, number, side)
            if key in done:
                continue
            try:
                row = workers[count](time_side, **dict(zip(keys, key, strict=True)))
            except BrokenProcessPool as error:
                raise keras_reference.KerasReferenceError(
                    f"the process of {variant}, {side} died; what was timed is kept, "
                    "give the same command again"
                ) from error
            record["pairs"].append(row)
            write_json(record, out)
            tell(
                f"{variant}, threads {count}, {side}: training {row['training']:.1f} s, "
                f"topology {row['topology']:.3g} s, nulls {row['nulls']:.3g} s"
            )
    finally:
        for worker in workers.values():
            worker.close()
    return record


def time_side(
    *, field: str, variant: str, threads: int, epochs: int, n_nulls: int, round: int, side: Side
) -> dict[str, Any]:
    """Time one run of one side in this process.

    Parameters
    ----------
    field, variant, threads, epochs, n_nulls, round
        As for :func:`run_pairs`; `round` is also the seed.
    side : {"ours", "peer"}
        Who computes.

    Returns
    -------
    dict
        The arguments with seconds of ``training``, ``topology`` (with cached nulls) and ``nulls``
        (1,000 drawn anew), ``accuracy``, ``flops`` (of training, with validation once for ours and
        after every epoch for the Keras reference), ``floor_seconds``, ``gemm_gflops`` and
        ``versions``.

    Raises
    ------
    KerasReferenceError
        If TensorFlow or bctpy are missing.
    """
    loaded = load_field(field)
    spec = specify(loaded, variant, epochs=epochs, seed=round)
    cpu = torch.device("cpu")
    torch.set_num_threads(threads)
    keras_reference.prepare(threads)  # for both sides: the two must meet the same process
    before = gemm_rate(loaded.n_neurons, device=cpu)
    times = (_ours if side == "ours" else _theirs)(spec, loaded, n_nulls)
    rate = max(before, gemm_rate(loaded.n_neurons, device=cpu))
    validations = 1 if side == "ours" else epochs
    flops = run_flops(spec, loaded.n_neurons, validations=validations)
    return {
        "field": field,
        "n_neurons": loaded.n_neurons,
        "variant": variant,
        "threads": threads,
        "epochs": epochs,
        "n_nulls": n_nulls,
        "round": round,
        "side": side,
        **times,
        "flops": flops,
        "floor_seconds": flops / rate,
        "gemm_gflops": rate / 1e9,
        "versions": versions("tensorflow", "keras", "bctpy"),
        "finished": now(),
    }


def _ours(spec: RunSpec, field: Field, n_nulls: int) -> dict[str, float]:
    n = field.n_neurons
    with scratch_cache():
        topology.null_graphs(n, n_nulls=1)  # cached, as after the first network of a size
        marks = [time.perf_counter()]
        (result,) = train([spec], field, device="cpu", progress=False)
        marks.append(time.perf_counter())
        topology.measure(result.weights["recurrent"], n_nulls=1)
        marks.append(time.perf_counter())
        topology.null_graphs(n, n_nulls=n_nulls, seed=time.time_ns())
        marks.append(time.perf_counter())
    return _stages(marks, n_nulls) | {"accuracy": result.metrics["accuracy"]}


def _theirs(spec: RunSpec, field: Field, n_nulls: int) -> dict[str, float]:
    drawn = trials(spec)  # once for all networks, as the authors do
    nulls = topology.Nulls(1.0, 1.0, 0.0, 0.0, 1)
    marks = [time.perf_counter()]
    weights, metrics = keras_reference.train(spec, field, trials=drawn)
    marks.append(time.perf_counter())
    keras_reference.measure(weights, nulls)
    marks.append(time.perf_counter())
    keras_reference.draw_nulls(field.n_neurons, n_nulls=n_nulls, seed=spec.seed)
    marks.append(time.perf_counter())
    return _stages(marks, n_nulls) | {"accuracy": metrics["accuracy"]}


def _stages(marks: Sequence[float], n_nulls: int) -> dict[str, float]:
    training, measured, nulls = np.diff(marks).tolist()
    return {"training": training, "topology": measured, "nulls": nulls * N_NULLS / n_nulls}
