"""What makes two runs the same to the last bit, and what tells that they are not.

Bits are compared where they can be: in a process whose products take the path that every x86-64
processor has, or side by side on this one.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cortexrnn import load_field
from cortexrnn.evidence.reproduction import TRAINING, load_again
from cortexrnn.networks import products, topology
from cortexrnn.networks.recurrence import ALIGNMENT
from cortexrnn.networks.specification import Preset
from cortexrnn.networks.training import NUMERICS, train
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.plans import plan

TINY = Preset(n_seeds=1, epochs=2, n_train=200, n_validation=96)
"""With batches of 128 and 72 trials."""

COMMON_PATH = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Prescott",
    "OMP_NUM_THREADS": "1",
    "CORTEXRNN_PRODUCTS": "torch",
}
"""Makes torch and numpy compute as on the oldest processor of x86-64, so as on any."""

BITS = {
    (6, "2.13.0"): "527ff5f060e6c1f3",
}
"""Digest of the tiny runs by version of the arithmetic and release of torch."""


def tiny_digest() -> str:
    """Digest of weights, metrics and topology of five runs."""
    field = load_field("surrogate_24")
    digest = hashlib.sha256()
    for sign, variants in {"free": ["W*D*C", "WD*C*", "WD", "W"], "positive": ["W!D*C"]}.items():
        specs = plan(field, variants=variants, tasks=["one_choice"], preset=TINY, sign=sign)
        for result in train(specs, field, device="cpu", progress=False):
            for name in sorted(result.weights):
                digest.update(np.ascontiguousarray(result.weights[name]).tobytes())
            measured = topology.measure(result.weights["recurrent"], n_nulls=3)
            digest.update(repr((result.metrics, result.history, measured)).encode())
    return digest.hexdigest()[:16]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="bits are recorded for x86-64")
def test_the_bits_of_a_run_change_with_the_version_of_the_arithmetic_only():
    release = torch.__version__.split("+")[0]
    if not any(known == release for _, known in BITS):
        pytest.skip(f"no bits are recorded for torch {release}")
    if "Math Kernel Library" not in torch.__config__.show():
        pytest.skip("this torch has other products than those the bits are recorded for")
    ask = "from tests.networks.test_numerics import tiny_digest; print(tiny_digest())"
    digest = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | COMMON_PATH,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-1]
    assert digest == BITS.get((NUMERICS, release)), (
        "training or topology give other bits than recorded: raise training.NUMERICS, say there "
        "what changed, and record the bits here"
    )


@pytest.mark.parametrize("n_neurons", [42, 70, 71, 97, 160, 312])
def test_a_run_is_the_same_alone_and_anywhere_in_an_ensemble(n_neurons):
    field = load_field(f"surrogate_{n_neurons}")
    size = Preset(n_seeds=1, epochs=1, n_train=200, n_validation=96)
    names = ["W*D*C", "WD*C*", "W"]
    specs = plan(field, variants=names, tasks=["go_nogo"], preset=size, seeds=[1, 2])
    together = train(specs, field, device="cpu", progress=False)
    for spec, other in zip(specs[:3], together, strict=False):
        (alone,) = train([spec], field, device="cpu", progress=False)
        assert_same_bits(alone, other)
    seven = train([specs[0]] * 7, field, device="cpu", progress=False)
    for result in seven:
        assert_same_bits(result, together[0])


def assert_same_bits(one, other):
    assert (one.metrics, one.history) == (other.metrics, other.history)
    for name, weights in one.weights.items():
        np.testing.assert_array_equal(weights, other.weights[name])


class CountedProducts(TorchDispatchMode):
    """Counts matrix products by their shapes and by where their operands begin."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if any(name in str(function) for name in ("bmm", ".mm", "addmm")):
            tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, torch.Tensor)]
            places = [(*t.shape, t.data_ptr() % ALIGNMENT) for t in tensors]
            self.counts[str(function), *places] += 1
        return function(*args, **kwargs)


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_products_of_an_ensemble_are_those_of_its_runs_alone_down_to_the_alignment(
    monkeypatch, seeds
):
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "torch")  # whose products can be counted
    # On some processors the last bits of a product depend on where its operands begin, so equal
    # bits on this one would not be enough.
    field = load_field("surrogate_35")
    size = Preset(n_seeds=1, epochs=1, n_train=77, n_validation=41)
    names = ["W*D*C", "WD*C", "WDC", "WD*C*", "W"]
    specs = plan(field, variants=names, tasks=["go_nogo"], preset=size, seeds=seeds)
    with CountedProducts() as together:
        train(specs, field, device="cpu", progress=False)
    alone = Counter()
    for spec in specs:
        with CountedProducts() as one:
            train([spec], field, device="cpu", progress=False)
        alone += one.counts
    assert alone.total() > 100 * len(specs)
    assert together.counts == alone


def test_recorded_runs_tell_the_version_of_their_arithmetic():
    runs = load_archive()
    assert runs["numerics"].between(1, NUMERICS).all()
    assert (runs["products"] != "").all()
    # Those of old numerics that newer ones have replaced are kept beside the archive.
    every = pd.concat([runs, load_again()])
    assert not every.duplicated(TRAINING).any()
    old = every[every["numerics"] < 4]
    counts = old.groupby(["field", "arm"]).size().to_dict()
    assert counts == {("5_3_4", "corr"): 165, ("6_6_2", "corr"): 330, ("worm", "response"): 165}


def test_a_row_says_what_computed_its_products():
    text = products.Products("torch", "cpu").describe()
    assert text.endswith(("thread", "threads"))
    assert torch.backends.cpu.get_cpu_capability() in text
    assert json.dumps(text).isascii()
