"""Counting operations, reading clocks, files of measurements, and what is told from them."""

import json
import math
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from cortexrnn.benchmark import flops, report
from cortexrnn.benchmark import measure as bench
from cortexrnn.benchmark.measure import Point
from cortexrnn.cli import app
from cortexrnn.networks import priors, topology
from cortexrnn.networks.ensemble import logits
from cortexrnn.networks.penalties import Penalty
from cortexrnn.networks.penalty_backpropagation import PenaltyWorkspace
from cortexrnn.networks.products import Products
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import ArchiveError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "cache"))


# --- operations


def test_operations_of_an_update_are_those_that_autograd_makes():
    n, steps, batch, channels, classes = 12, 7, 5, 3, 2
    parameters = {
        "input": torch.rand(1, channels, n),
        "recurrent": torch.rand(1, n, n),
        "bias": torch.rand(1, n),
        "output": torch.rand(1, n, classes),
        "output_bias": torch.rand(1, classes),
    }
    for value in parameters.values():
        value.requires_grad_(True)
    sizes = {"n_steps": steps, "n_trials": batch, "n_channels": channels, "n_classes": classes}
    with FlopCounterMode(display=False) as forward:
        scores = logits(parameters, torch.rand(steps, batch, channels))
    assert forward.get_total_flops() == flops.forward_flops(n, **sizes)
    with FlopCounterMode(display=False) as backward:
        scores.sum().backward()
    both = forward.get_total_flops() + backward.get_total_flops()
    assert both == flops.step_flops(n, **sizes)


def products_of_communicability(n):
    weights, one = torch.rand(1, n, n), Penalty(strength=1.0, direct=True)
    workspace = PenaltyWorkspace(
        weights, n_networks=1, n_neurons=n, products=Products("torch", "cpu")
    )
    with FlopCounterMode(display=False) as counted:
        workspace.backpropagate(one, weights, torch.zeros_like(weights))
    return counted.get_total_flops()


def test_operations_of_communicability_are_those_that_training_makes():
    # Sums of powers are products as well, but of N^2: what is left grows with the square.
    left = [products_of_communicability(n) - flops.penalty_flops(n, "direct") for n in (9, 18)]
    assert left[1] == 4 * left[0]
    assert flops.penalty_flops(9, "emd") == flops.penalty_flops(9, "direct")
    assert flops.penalty_flops(9, "plain") == 0


def test_a_run_of_the_paper_is_one_and_three_quarters_of_a_teraflop():
    spec = RunSpec(field="f", field_hash="0", variant="WD*", task="one_choice", seed=0)
    assert flops.run_flops(spec, 312, validations=10) == pytest.approx(1.75e12, rel=0.02)
    direct = replace(spec, variant=VARIANTS["W*D*C"])
    extra = flops.run_flops(direct, 312) - flops.run_flops(spec, 312)
    assert extra == pytest.approx(400 * 24 * 312**3)


# --- clocks


class Clock:
    """A clock that only moves when work is done, and notes who looked at it."""

    def __init__(self, monkeypatch, *, seconds):
        self.now, self.events, self.seconds = 0.0, [], seconds
        monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=self.read))

    def read(self):
        self.events.append("read")
        return self.now

    def work(self):
        self.events.append("work")
        self.now += self.seconds


def test_an_accelerator_is_waited_for_before_each_reading(monkeypatch):
    clock = Clock(monkeypatch, seconds=0.02)
    fake = SimpleNamespace(synchronize=lambda: clock.events.append("wait"))
    monkeypatch.setattr(torch, "cuda", fake)
    seconds = bench.repeated(clock.work, device=torch.device("cuda"), repeats=3, budget=10)
    assert seconds == pytest.approx([0.02] * 3)
    before = [clock.events[i - 1] for i, event in enumerate(clock.events) if event == "read"]
    assert set(before) == {"wait"}


@pytest.mark.parametrize(
    ("seconds", "times", "calls"),
    [(0.001, 5, 1 + 5 * 50), (0.4, 5, 6), (1.5, 2, 2), (20.0, 1, 1)],
)
def test_short_calls_are_gathered_and_long_ones_not_repeated(monkeypatch, seconds, times, calls):
    clock = Clock(monkeypatch, seconds=seconds)
    seconds_of_calls = bench.repeated(clock.work, device=CPU, repeats=5, budget=3.0)
    assert seconds_of_calls == pytest.approx([seconds] * times)
    assert clock.events.count("work") == calls


# --- measurements


@pytest.mark.parametrize("point", bench.points([16], members=[1, 2]), ids=str)
def test_every_kind_of_point_gives_a_whole_row(point):
    row = bench.measure(point, repeats=2, budget=0.01)
    assert sorted(row) == sorted(report.COLUMNS)
    json.dumps(row)
    assert 0 < row["low"] <= row["seconds"] <= row["high"]
    assert (row["flops"] is None) == (row["floor_seconds"] is None)
    products = point.kind in ("step", "run", "processes") or point.what in (
        "direct", "emd", "low_rank", "clustering", "efficiency", "measure", "nulls",
    )  # fmt: skip
    assert (row["flops"] is not None) == products


def test_nulls_are_drawn_anew_at_every_call(monkeypatch):
    seeds = []
    monkeypatch.setattr(
        topology, "null_graphs", lambda n, *, n_nulls, seed: seeds.append(seed) or time.sleep(0.01)
    )
    bench.measure(Point(kind="topology", what="nulls", n_neurons=16), repeats=2, budget=1)
    assert len(seeds) == len(set(seeds)) > 1


def test_nulls_of_large_graphs_are_fewer_and_scaled(monkeypatch):
    counted = []
    monkeypatch.setattr(
        topology, "null_graphs", lambda n, *, n_nulls, seed: counted.append(n_nulls)
    )
    timed = bench._nulls(624, lambda call: call() or [0.5])
    assert counted == [125]
    assert timed.scaled_from == 125
    assert timed.seconds == [4.0]


def test_large_weights_have_the_statistics_of_smaller_ones(monkeypatch):
    monkeypatch.setattr(bench, "LARGEST_FIELD", 24)
    for cached in (bench._weights, bench._penalty_for):
        cached.cache_clear()
    small, large = bench._weights(24), bench._weights(200)
    penalties = [bench._penalty_for(200, what) for what in bench.VARIANTS]
    for cached in (bench._weights, bench._penalty_for):
        cached.cache_clear()
    assert priors.spectral_radius(large) == pytest.approx(priors.SPECTRAL_RADIUS, rel=1e-6)
    shares = [w.diagonal().mean() / w[~np.eye(len(w), dtype=bool)].mean() for w in (small, large)]
    assert shares[1] == pytest.approx(shares[0], rel=0.3)
    values = [p(torch.from_numpy(large)[None]) for p in penalties]
    assert torch.isfinite(torch.stack(values)).all()


def test_points_are_listed_once_small_first():
    listed = bench.points([2048, 64], members=[4, 1], threads=[1, 2], processes=[1, 2])
    assert len(set(listed)) == len(listed)
    sizes = [point.n_neurons for point in listed if point.kind != "processes"]
    assert sizes == sorted(sizes)
    assert not [p for p in listed if p.kind == "run" and p.n_neurons > bench.LARGEST_FIELD]
    assert {p.kind for p in listed if p.threads == 2} == {"step", "penalty"}


def test_an_accelerator_gets_batches_of_every_penalty_and_no_processes():
    listed = bench.points([64, 2048], device="cuda")
    assert not [p for p in listed if p.kind == "processes"]
    steps = {(p.what, p.members) for p in listed if p.kind == "step" and p.n_neurons == 64}
    batched = {(what, m) for what in bench.VARIANTS for m in bench.ACCELERATOR_MEMBERS}
    assert steps == batched | {(bench.LOW_RANK, 1)}
    assert {p.members for p in listed if p.n_neurons == 2048} == {1}
    assert {p.kind for p in listed if p.n_neurons == 2048 and p.device == "cuda"} == {
        "step", "penalty", "training",
    }  # fmt: skip
    cpu = bench.points([64, 2048])
    assert {p.members for p in cpu} == {1, *bench.MEMBERS}
    assert not [p for p in cpu if p.kind == "training"]


def test_a_floor_is_the_fastest_product(monkeypatch):
    for n_threads, fastest in ((1, 0.25), (2, 0.5)):  # numpy's do not count beside several threads
        seconds = iter([[0.5], [0.25, 0.75]])
        monkeypatch.setattr(bench, "repeated", lambda *_, times=seconds, **__: next(times))
        monkeypatch.setattr(bench.torch, "get_num_threads", lambda n=n_threads: n)
        assert bench.gemm_rate(100, device=CPU) == 2.0 * 512 * 100**2 / fastest
    fake = SimpleNamespace(type="cuda")
    rates = {(1, 8192): 1.0, (7, 128): 3.0, (7, 100): 2.0}
    monkeypatch.setattr(bench, "batched_rate", lambda m, rows, n, *, device: rates[m, rows])
    assert bench.gemm_rate(100, device=fake, members=7) == 3.0


def test_rates_of_products_at_once_count_all_of_them(monkeypatch):
    monkeypatch.setattr(bench, "repeated", lambda *_, **__: [0.5, 0.25])
    assert bench.batched_rate(3, 16, 10, device=CPU) == 2.0 * 3 * 16 * 100 / 0.25


def test_updates_of_a_whole_training_are_made(monkeypatch):
    monkeypatch.setattr(report, "UPDATES", 7)
    row = bench.measure(Point(kind="training", what="direct", n_neurons=16), repeats=1, budget=0)
    one = flops.step_flops(16) + flops.penalty_flops(16, "direct")
    assert row["flops"] == 7 * one


@pytest.mark.parametrize("wrong", [{"sizes": [4]}, {"members": [0]}, {"threads": []}])
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="give numbers of at least"):
        bench.points(**({"sizes": [16]} | wrong))


# --- many measurements and their file


class Inline:
    """A worker that measures nothing: each call takes a given time."""

    calls: list[Point] = []  # noqa: RUF012

    def __init__(self, threads):
        self.threads = threads

    def __call__(self, function, point, **kwargs):
        Inline.calls.append(point)
        if point.what == "emd":
            raise BrokenProcessPool("the process died")
        return row(point.n_neurons, (point.n_neurons / 64) ** 3) | asdict(point)

    def close(self):
        pass


def row(n, seconds, *, kind="step", what="plain", members=1, processes=1):
    return {
        "kind": kind, "what": what, "n_neurons": n, "members": members, "threads": 1,
        "processes": processes, "device": "cpu", "seconds": seconds, "low": 0.9 * seconds,
        "high": 1.2 * seconds, "repeats": 3, "flops": 1.0, "floor_seconds": seconds / 2,
        "gemm_gflops": 1.0, "scaled_from": None, "finished": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip


@pytest.fixture
def inline(monkeypatch):
    Inline.calls = []
    monkeypatch.setattr(bench, "Worker", Inline)


STEPS = [Point(kind="step", what="plain", n_neurons=n) for n in (64, 128, 256)]


def test_what_would_take_too_long_is_left_out_and_listed(inline, tmp_path):
    record = bench.run(STEPS, out=tmp_path / "b.json", limit=20, tell=lambda _: None)
    assert [point.n_neurons for point in Inline.calls] == [64, 128]
    assert [point["n_neurons"] for point in record["skipped"]] == [256]
    assert record["skipped"][0]["expected_seconds"] == pytest.approx(64)


def test_the_same_command_goes_on_where_it_stopped(inline, tmp_path):
    out = tmp_path / "b.json"
    bench.run(STEPS[:2], out=out, limit=1e9, tell=lambda _: None)
    bench.run(STEPS, out=out, limit=1e9, tell=lambda _: None)
    assert Inline.calls == STEPS
    assert len(report.load(out).table) == 3


def test_a_process_that_dies_costs_one_point(inline, tmp_path):
    lost = Point(kind="step", what="emd", n_neurons=64)
    record = bench.run([lost, *STEPS], out=tmp_path / "b.json", limit=1e9, tell=lambda _: None)
    assert [point["what"] for point in record["failed"]] == ["emd"]
    assert len(record["measurements"]) == 3


def test_the_file_is_written_after_every_point(inline, tmp_path):
    out, held = tmp_path / "b.json", []
    bench.run(STEPS, out=out, limit=1e9, tell=lambda _: held.append(len(report.load(out).table)))
    assert held == [1, 2, 3]


def test_a_file_of_another_machine_is_not_gone_on_with(inline, tmp_path):
    out = tmp_path / "b.json"
    record = bench.run(STEPS, out=out, tell=lambda _: None)
    record["machine"]["processor"] = "another"
    out.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="another processor; choose another file"):
        bench.run(STEPS, out=out, tell=lambda _: None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "measurements": [], "pairs": []}'])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(ArchiveError, match="cortexrnn bench"):
        report.load(path)


def test_processes_of_their_own_measure_from_end_to_end(tmp_path):
    out = tmp_path / "b.json"
    wanted = [
        Point(kind="step", what="direct", n_neurons=16),
        Point(kind="topology", what="measure", n_neurons=16),
    ]
    record = bench.run(wanted, out=out, repeats=2, budget=0.1, tell=lambda _: None)
    assert record["failed"] == []
    assert list(report.load(out).table["kind"]) == ["step", "topology"]


def test_command_refuses_what_it_cannot_read(tmp_path):
    for arguments, message in (
        (
            ["--sizes", "64;128"],
            "--sizes is '64;128'; give whole numbers, as a list or with commas",
        ),
        (["--sizes", "4"], "give numbers of at least 8"),
        (["--threads", "0"], "threads are [0]"),
    ):
        result = CliRunner().invoke(app, ["bench", "--out", str(tmp_path / "b.json"), *arguments])
        assert result.exit_code == 2
        assert message in result.output
    assert not (tmp_path / "b.json").exists()


def test_command_writes_and_tells_exponents(inline, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(bench, "VARIANTS", {"plain": "W", "direct": "W*D*C"})
    out = tmp_path / "b.json"
    result = CliRunner().invoke(app, ["bench", "--quick", "--out", str(out), "--limit", "1e9"])
    assert result.exit_code == 0, result.output
    assert "3.00 ± 0.00" in result.output


@pytest.mark.parametrize(
    ("arguments", "members"),
    [
        (["--device", "cuda"], {*bench.ACCELERATOR_MEMBERS}),
        (["--device", "cuda", "--quick"], {*bench.QUICK_MEMBERS}),
        (["--device", "cuda", "--members", "1,7"], {1, 7}),
        ([], {*bench.MEMBERS}),
    ],
)
def test_command_measures_batches_that_suit_the_device(monkeypatch, tmp_path, arguments, members):
    wanted = []
    monkeypatch.setattr("cortexrnn.cli.resolve_device", torch.device)
    monkeypatch.setattr(bench, "run", lambda points, **_: wanted.extend(points) or {"failed": []})
    monkeypatch.setattr("cortexrnn.cli._show_cost", lambda _: None)
    monkeypatch.setattr(report, "load", lambda _: None)
    arguments = ["bench", "--out", str(tmp_path / "b.json"), "--sizes", "64", *arguments]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert {point.members for point in wanted} == members
    devices = {point.device for point in wanted if point.kind == "step"}
    assert devices == {"cuda" if "cuda" in arguments else "cpu"}


# --- reading


def test_exponent_of_a_power_law_is_found_whatever_overhead_small_sizes_have():
    sizes = np.array([64, 128, 256, 512, 1024, 2048])
    law = report.fit_exponent(sizes[::-1], (3e-9 * sizes**2.5)[::-1])
    assert law.exponent == pytest.approx(2.5)
    assert law.factor == pytest.approx(3e-9)
    assert law.error == pytest.approx(0, abs=1e-6)  # of rounding, where r is 1
    assert (law.smallest, law.largest, law.n_sizes) == (512, 2048, 3)
    slow = 3e-9 * sizes**2.5
    slow[:3] = 1.0
    assert report.fit_exponent(sizes, slow).exponent == pytest.approx(2.5)


def test_error_of_an_exponent_is_that_of_least_squares():
    statsmodels = pytest.importorskip("statsmodels.api")
    sizes = np.array([512.0, 800, 1024, 2048])
    seconds = sizes**2 * np.array([1.0, 1.1, 0.9, 1.05])
    design = statsmodels.add_constant(np.log(sizes))
    reference = statsmodels.OLS(np.log(seconds), design).fit()
    law = report.fit_exponent(sizes, seconds)
    assert [law.exponent, law.error] == pytest.approx([reference.params[1], reference.bse[1]])


def test_an_exponent_by_hand():
    # Of powers of two: x = 9, 10, 11 and y = 1, 3, 4, on a line of slope 3/2 but for 1/6, 1/3, 1/6.
    law = report.fit_exponent([512, 1024, 2048], [2, 8, 16])
    expected = [1.5, 2 ** (8 / 3 - 15), 1 / np.sqrt(12)]
    assert [law.exponent, law.factor, law.error] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("sizes", "seconds"), [([64, 128], [1, 2]), ([64, 64, 128], [1, 1, 2])])
def test_too_few_sizes_have_no_exponent(sizes, seconds):
    with pytest.raises(ValueError, match="needs 3 different ones"):
        report.fit_exponent(sizes, seconds)


def side(who, number, training, measure, nulls):
    values = dict.fromkeys(report.PAIR_COLUMNS, 1)
    return values | {
        "field": "f", "variant": "W", "side": who, "round": number, "training": training,
        "topology": measure, "nulls": nulls, "floor_seconds": 2.0,
    }  # fmt: skip


def test_sides_are_compared_within_rounds():
    pairs = [side("ours", 0, 4.0, 0.5, 1.0), side("peer", 0, 40.0, 5.0, 100.0)]
    pairs += [side("ours", 1, 5.0, 0.5, 1.0), side("peer", 1, 60.0, 5.0, 100.0)]
    pairs += [side("ours", 2, 999.0, 1.0, 1.0)]  # the other side is still to come
    table = report.reference_table(pd.DataFrame(pairs)).set_index("stage")
    training = table.loc["training"]
    assert training[["ours", "keras", "rounds"]].tolist() == [4.5, 50.0, 2]
    assert training[["ratio_low", "ratio_high"]].tolist() == [10.0, 12.0]
    assert training["times_floor"] == pytest.approx(2.25)
    assert table.loc["topology, nulls drawn anew", "ratio"] == pytest.approx(105 / 1.5)
    assert table.loc["topology, nulls cached", "ratio"] == pytest.approx(10)
    assert table.loc["whole, each as it is", "keras"] == pytest.approx(155)
    assert table.loc["whole, each as it is", "ours"] == pytest.approx(5)
    assert math.isnan(table.loc["topology, nulls cached", "floor"])
    with pytest.raises(ValueError, match="one side is missing"):
        report.reference_table(pd.DataFrame(pairs[:1]))


def test_a_point_that_is_asked_for_twice_is_listed_once():
    once = bench.points((64, 128), members=(1, 4), threads=(1, 2), processes=(1, 2))
    twice = bench.points((64, 128, 64), members=(1, 4, 4), threads=(1, 2, 2), processes=(2, 1, 2))
    assert twice == once


def test_processes_side_by_side_are_measured_at_the_size_nearest_to_312():
    listed = bench.points((64, 256, 1024), processes=(1, 2))
    assert {p.n_neurons for p in listed if p.kind == "processes"} == {256}


@pytest.mark.parametrize("before", [False, True])
def test_measuring_leaves_the_process_as_it_takes_denormal_numbers(before):
    point = Point(kind="penalty", what="plain", n_neurons=8)
    try:
        torch.set_flush_denormal(before)
        bench.measure(point, repeats=1, budget=0.01)
        assert bool(torch.tensor(1e-40) * 1 == 0) == before
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize(("seconds", "expected"), [(4.0, 32.0), (1.1, 4.4), (1e3, 1e3 * 2**3.5)])
def test_what_a_call_will_take_is_not_ruled_by_one_that_was_disturbed(seconds, expected):
    points = [Point(kind="step", what="plain", n_neurons=n) for n in (64, 128, 256)]
    rows = [asdict(p) | {"seconds": s} for p, s in zip(points, (0.5, seconds), strict=False)]
    assert bench._expected(points[2], rows) == pytest.approx(expected)
    assert bench._expected(points[0], rows) == 0
