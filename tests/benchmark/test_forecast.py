"""What a design will take by measurements, on a processor and on accelerators."""

import pandas as pd
import pytest

from cortexrnn.benchmark import forecast, report
from cortexrnn.networks.variant import VARIANTS
from tests.benchmark.test_measure import row


def example():
    rows = []
    for n in (64, 128, 256, 512, 1024):
        for what, factor in (("plain", 1.0), ("direct", 2.0), ("emd", 3.0)):
            rows.append(row(n, factor * 1e-7 * n**2, what=what))
            if n <= 256:
                rows.append(row(n, factor * 5e-5 * n**2, kind="run", what=what))
        rows.append(row(n, 1e-9 * n**2, kind="topology", what="measure"))
        rows.append(row(n, 3e-7 * n**2, members=4))
    rows += [row(256, 1.0, kind="processes"), row(256, 1.25, kind="processes", processes=2)]
    return pd.DataFrame(rows)[report.COLUMNS]


def measured(table, *, pairs=(), accelerator="", accelerators=()):
    return report.Measurements(
        machine={"accelerator": accelerator, "memory_gib": 16.0}, table=table,
        pairs=pd.DataFrame(pairs, columns=report.PAIR_COLUMNS), skipped=[], failed=[],
        accelerators=list(accelerators),
    )  # fmt: skip


def on_cuda(table):
    return table.assign(device="cuda")


@pytest.mark.parametrize("n", [32, 64, 100, 256, 700, 4096])
def test_a_run_is_interpolated_inside_and_follows_its_parts_outside(n):
    low, middle, high = forecast.run_seconds(example(), n, "direct")
    assert [low, middle, high] == pytest.approx([1e-4 * n**2 * f for f in (0.9, 1.0, 1.2)])


def test_hours_of_a_design_count_runs_cores_variants_and_slowdown():
    hours = forecast.design_hours(measured(example()), n_neurons=100, n_runs=661, cores=2)
    kinds = [report.stands_for(variant) for variant in VARIANTS]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"plain": 3, "direct": 4, "emd": 4}
    mean = (3 * 0.5 + 4 * 1.0 + 4 * 1.5) / 11
    assert hours["hours"] == pytest.approx(331 * mean * 1.25 / 3600)
    assert hours["low"] < hours["hours"] < hours["high"]
    alone = forecast.design_hours(measured(example()), n_neurons=100, n_runs=1, cores=8)
    assert alone["hours"] == pytest.approx(mean / 3600)
    with pytest.raises(ValueError, match="cores is 0"):
        forecast.design_hours(measured(example()), n_neurons=100, n_runs=1, cores=0)


def test_without_a_measured_run_nothing_is_told():
    table = example()
    with pytest.raises(ValueError, match="run cortexrnn bench"):
        forecast.run_seconds(table[table["kind"] != "run"], 100, "plain")


def test_a_slowdown_that_was_not_measured_is_none():
    assert forecast.slowdown(pd.DataFrame(columns=report.COLUMNS), 4) == 1


def test_hours_of_one_kind_say_where_whole_runs_were_measured():
    table = forecast.hours_by_size(measured(example()), [1024, 128], n_runs=3, cores=1)
    assert table["what"].tolist() == ["plain", "plain", "direct", "direct"]
    assert table["n_neurons"].tolist() == [128, 1024] * 2
    assert table["scaled"].tolist() == [False, True] * 2
    assert table["hours"].to_numpy() * 1200 == pytest.approx(
        [5e-5 * 128**2, 5e-5 * 1024**2, 1e-4 * 128**2, 1e-4 * 1024**2]
    )
    assert table["low"].tolist() == pytest.approx((0.9 * table["hours"]).tolist())


def test_times_of_an_accelerator_are_not_taken_for_those_of_the_processor():
    faster = on_cuda(example()).assign(seconds=1e-6, low=1e-6, high=1e-6)
    both = pd.concat([faster, example()])
    assert forecast.run_seconds(both, 100, "emd") == forecast.run_seconds(example(), 100, "emd")
    with pytest.raises(ValueError, match="on a processor; run cortexrnn bench"):
        forecast.run_seconds(faster, 100, "plain")


def test_without_an_accelerator_there_are_no_hours_on_one():
    hours = forecast.accelerator_hours(measured(example()), n_runs=660)
    assert hours.empty and "members" in hours


def test_an_accelerator_trains_in_the_batch_that_ends_first():
    steps = [
        row(64, seconds, members=members)
        for members, seconds in ((1, 1.0), (100, 9.0), (220, 25.0))
    ]
    table = pd.concat([example(), on_cuda(pd.DataFrame(steps)[report.COLUMNS])])
    own = measured(table, accelerator="A card")
    for n_runs, members, seconds in ((1, 1, 1.0), (20, 100, 9.0), (660, 100, 63.0)):
        (found,) = forecast.accelerator_hours(own, n_runs=n_runs).to_dict("records")
        assert (found["accelerator"], found["what"], found["n_neurons"]) == ("A card", "plain", 64)
        assert found["members"] == members
        assert found["hours"] == pytest.approx(400 * seconds / 3600)


def card(name="H", *, tf32=False, table=None, parts=()):
    return report.Accelerator(
        machine={"accelerator": name}, tf32=tf32, parts=dict(parts),
        table=on_cuda(example()) if table is None else table,
    )  # fmt: skip


def test_accelerators_of_other_machines_are_named():
    cards = [card(), card(tf32=True), card("rehearsed", table=example())]
    hours = forecast.accelerator_hours(measured(example(), accelerators=cards), n_runs=1)
    assert set(hours["accelerator"]) == {"H", "H (TF32)"}
    assert set(hours["what"]) == {"plain", "direct"}


def test_topology_is_timed_for_one_network_and_for_the_nulls_of_all():
    nulls = pd.DataFrame([row(n, n / 10, kind="topology", what="nulls") for n in (64, 128)])
    table = pd.concat([example(), nulls[report.COLUMNS]])
    seconds = forecast.topology_seconds(table, 100)
    assert seconds == pytest.approx({"measure": 1e-9 * 100**2, "nulls": 10.0})
