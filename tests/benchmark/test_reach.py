"""How large networks can be: against what was measured, and against laws that are known."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cortexrnn.benchmark import flops, reach, report
from cortexrnn.benchmark.reach import largest_networks, memory_gib, training_seconds
from cortexrnn.networks.low_rank_communicability import draw_probes, low_rank_exponential


@pytest.fixture(scope="module")
def shipped():
    return report.load()


def machine_of_rate(rate, *, sizes=(256, 512), kinds=("plain", "direct"), **columns):
    """Measurements of a machine that always reaches one rate."""
    rows = [
        {
            "kind": "step", "what": what, "n_neurons": n, "members": 1, "threads": 1,
            "device": "cpu", "seconds": (flops.step_flops(n) + flops.penalty_flops(n, what)) / rate,
        } | columns
        for what in kinds
        for n in sizes
    ]  # fmt: skip
    return report.Measurements(
        machine={"memory_gib": 16.0}, table=pd.DataFrame(rows), pairs=pd.DataFrame(), skipped=[],
        failed=[],
    )  # fmt: skip


@pytest.mark.parametrize(("n", "rank"), [(20, 1), (33, 7)])
def test_operations_of_a_low_rank_are_those_that_it_makes(n, rank):
    matrix = torch.rand(1, n, n).softmax(-1).requires_grad_()
    # The counter knows no products that are added in place.
    in_place = {torch.ops.aten.baddbmm_: lambda _, a, b, **__: 2 * math.prod(a) * b[-1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counted:
        low_rank_exponential(matrix, draw_probes(n, rank).float()).sum().backward()
    assert counted.get_total_flops() == flops.low_rank_flops(n, rank)
    assert flops.penalty_flops(n, "low_rank") == flops.low_rank_flops(n)


def test_times_at_measured_sizes_are_those_measured(shipped):
    steps = shipped.table[(shipped.table["kind"] == "step") & (shipped.table["members"] == 1)]
    assert set(steps["what"]) >= {"plain", "direct", "emd"}
    fewest = steps.groupby(["what", "device"])["threads"].transform("min")
    for row in steps[steps["threads"] == fewest].itertuples():
        seconds = training_seconds(shipped.table, row.n_neurons, row.what, device=row.device)
        assert report.UPDATES < seconds / row.seconds < 1.02 * report.UPDATES


def test_times_beyond_what_was_measured_are_near_what_was_measured_there(shipped):
    table, errors = shipped.table, {}
    for row in table[(table["kind"] == "step") & (table["members"] == 1)].itertuples():
        smaller = table[table["n_neurons"] <= row.n_neurons / 2]
        if row.n_neurons >= 1024 and row.device == "cpu":
            seconds = training_seconds(smaller, row.n_neurons, row.what)
            errors[row.what, row.n_neurons] = seconds / (report.UPDATES * row.seconds)
    print({key: round(error, 2) for key, error in errors.items()})
    assert len(errors) >= 3
    assert all(0.5 < error < 2 for error in errors.values())


def test_whole_runs_take_what_training_takes_and_topology(shipped):
    table = shipped.table
    topology = table[table["what"] == "measure"].set_index("n_neurons")["seconds"]
    runs = table[(table["kind"] == "run") & (table["n_neurons"] >= 128)]
    assert len(runs) >= 6
    ratios = [
        row.seconds / (training_seconds(table, row.n_neurons, row.what) + topology[row.n_neurons])
        for row in runs.itertuples()
        if row.device == "cpu" and row.n_neurons in topology.index
    ]
    print([round(ratio, 2) for ratio in ratios])
    assert 0.6 < np.median(ratios) < 1.7


def test_counts_decide_beyond_what_was_measured():
    table = machine_of_rate(1e11).table
    for n in (100, 400, 4000):
        count = flops.step_flops(n) + flops.penalty_flops(n, "direct")
        seconds = training_seconds(table, n, "direct")
        assert seconds == pytest.approx(400 * count / 1e11, rel=0.02)
    growth = [training_seconds(table, n, "direct") for n in (50_000, 100_000)]
    assert 7 < growth[1] / growth[0] < 8
    growth = [training_seconds(table, n, "plain") for n in (50_000, 100_000)]
    assert growth[1] / growth[0] == pytest.approx(4, rel=1e-3)


def test_the_largest_network_just_fits():
    measured = machine_of_rate(1e11, kinds=("plain", "direct", "low_rank"))
    found = largest_networks(measured).set_index("what")
    assert list(found.index) == ["plain", "direct", "low_rank"]
    assert (found["limit"] == "time").all() and (found["measured_to"] == 512).all()
    for what, row in found.iterrows():
        n = row["n_neurons"]
        assert training_seconds(measured.table, n, what) <= 3600
        assert training_seconds(measured.table, n + 1, what) > 3600
        assert row["hours"] == pytest.approx(1, abs=1e-3)
        assert row["gib"] == memory_gib(n, what)
    assert found["n_neurons"]["plain"] > found["n_neurons"]["low_rank"]
    assert found["n_neurons"]["low_rank"] > 1.5 * found["n_neurons"]["direct"]
    half = largest_networks(measured, hours=0.25).set_index("what")
    assert half["n_neurons"]["plain"] == pytest.approx(found["n_neurons"]["plain"] / 2, rel=1e-2)


def test_memory_limits_where_time_does_not():
    measured = machine_of_rate(1e15, device="cuda")
    found = largest_networks(measured, gib=80, device="cuda").set_index("what")
    assert set(found["limit"]) == {"memory"}
    for what, row in found.iterrows():
        assert memory_gib(row["n_neurons"], what) <= 80 < memory_gib(row["n_neurons"] + 1, what)
    # States and errors of 50 steps and 128 trials, and eleven matrices.
    assert memory_gib(1000, "plain") == 4 * (2 * 50 * 128 * 1000 + 11 * 1000**2) / 2**30


def test_nothing_fits_into_nothing():
    found = largest_networks(machine_of_rate(1e11), hours=1e-9)
    assert (found["n_neurons"] == 0).all() and found["hours"].isna().all()


def test_what_was_not_measured_is_not_told():
    measured = machine_of_rate(1e11)
    assert "emd" not in set(largest_networks(measured)["what"])
    assert largest_networks(measured, gib=8, device="cuda").empty
    with pytest.raises(ValueError, match="no update of kind 'emd' was measured on 'cpu'; run"):
        training_seconds(measured.table, 100, "emd")
    with pytest.raises(ValueError, match="gib is missing; give the memory of 'cuda' in GiB"):
        largest_networks(measured, device="cuda")
    for wrong in ({"hours": 0}, {"gib": -1.0}, {"hours": math.nan}):
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} is .*, expected a positive number"):
            largest_networks(measured, **wrong)


MEASURE_PEAK = """
import sys
import torch
from cortexrnn.benchmark import reach
from cortexrnn.networks.ensemble import RNNEnsemble
from cortexrnn.networks.low_rank_communicability import RANK, draw_probes
from cortexrnn.networks.penalties import Penalty

torch.set_num_threads(1)
n, what = int(sys.argv[1]), sys.argv[2]
kinds = {
    "plain": {},
    "direct": {"distance": torch.ones(n, n), "direct": True},
    "emd": {"distance": torch.ones(n, n), "target": torch.ones(n * n), "emd_strength": 0.1},
}
kinds["low_rank"] = kinds["direct"] | {"probes": draw_probes(n, RANK).float()}
draw = torch.Generator().manual_seed(0)
shapes = {"input": (8, n), "recurrent": (n, n), "bias": (n,), "output": (n, 4)}
shapes["output_bias"] = (4,)
parameters = {k: torch.randn(1, *s, generator=draw) / n for k, s in shapes.items()}
inputs = torch.randn(reach.N_STEPS, reach.N_TRIALS, 8, generator=draw)
targets = torch.zeros(reach.N_TRIALS, dtype=torch.long)
def size(name):  # what getrusage tells includes the process that this one was forked from
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

before = size("VmRSS")
ensemble = RNNEnsemble(
    parameters, penalties=[Penalty(strength=0.3, **kinds[what])], positive=[False]
)
for _ in range(2):
    ensemble.step(inputs, targets)
print(size("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory as Linux gives it")
@pytest.mark.parametrize("what", list(reach.MATRICES))
def test_memory_is_no_more_than_is_said_and_not_far_below(what):
    n = 1024
    done = subprocess.run(
        [sys.executable, "-c", MEASURE_PEAK, str(n), what], check=True, capture_output=True
    )
    used, said = int(done.stdout) / 2**30, memory_gib(n, what)
    matrices = (used * 2**30 / 4 - 2 * reach.N_STEPS * reach.N_TRIALS * n) / n**2
    print(f"{what}: {used:.3f} GiB, said {said:.3f}; {matrices:.1f} matrices")
    assert 0.6 * said < used < 1.05 * said
