"""Figures, sentences and tables of the page on cost."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cortexrnn.benchmark import forecast, reach, report
from cortexrnn.fields.sources import load_field
from cortexrnn.figures import cost as figures
from tests.benchmark.test_forecast import card, example, measured, on_cuda
from tests.benchmark.test_measure import row, side

FIELDS = [70, 312, 632]


def whole():
    """Measurements of everything that the page shows."""
    rows = []
    for n in (64, 128, 256):
        rows += [
            row(n, n**2 * 1e-6, kind="topology", what="nulls"),
            row(n, n / 1000, kind="penalty"),
        ]
    rows[-1]["floor_seconds"] = float("nan")
    return pd.concat([example(), pd.DataFrame(rows)[report.COLUMNS]], ignore_index=True)


def sides():
    pairs = [side("ours", 0, 4.0, 0.5, 1.0), side("peer", 0, 8.0, 5.0, 10.0)]
    return pd.DataFrame(pairs + [one | {"variant": "W*D*C"} for one in pairs])


def texts(axes):
    legend = axes.get_legend() or axes.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (2e-6, "7.2 milliseconds"), (0.012, "43 seconds"), (0.25, "15 minutes"),
        (1.52, "1.5 hours"), (9.96, "10 hours"), (47.0, "47 hours"), (72.0, "3.0 days"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_a_unit_that_leaves_a_small_number(hours, text):
    assert figures.duration(hours) == text


def test_a_published_field_is_named_without_being_loaded(monkeypatch):
    monkeypatch.setattr(figures, "load_field", lambda name: load_field("surrogate_20"))
    assert figures.name_and_size("6_6_2") == ("6_6_2", 312)
    assert figures.name_and_size("somewhere/mine.npz") == ("surrogate_20", 20)


# --- the answer


def drawn(*, field="mine", n_neurons=100, n_runs=22, cores=2, **kwargs):
    record = measured(whole(), **kwargs)
    design = {"n_neurons": n_neurons, "n_runs": n_runs, "cores": cores}
    figure = figures.answer(record, field=field, published=FIELDS, **design)
    figure.draw_without_rendering()
    return record, design, figure.axes[0]


def test_the_answer_has_a_line_for_each_kind_and_a_point_for_the_design():
    record, design, axes = drawn()
    assert texts(axes) == ["without C, 2 cores", "with C, 2 cores", "published fields"]
    full = {line.get_label(): line for line in axes.lines}["with C, 2 cores"]
    assert (min(full.get_xdata()), max(full.get_xdata())) == (64, 256)  # whole runs were measured
    at = list(full.get_xdata()).index(128)
    expected = forecast.design_hours(record, **design | {"n_neurons": 128}, what="direct")
    assert full.get_ydata()[at] == pytest.approx(expected["hours"])
    (point,) = (line for line in axes.lines if line.get_marker() == "o")
    own = forecast.design_hours(record, **design)["hours"]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (100, pytest.approx(own))
    assert [text.get_text() for text in axes.texts] == [f"mine: {figures.duration(own)}"]
    assert axes.get_ylabel() == "time of 22 runs"


def test_all_of_the_answer_is_within_its_axes():
    for n_neurons in (20, 5000):
        _, _, axes = drawn(n_neurons=n_neurons, n_runs=1, cores=1, accelerators=[card()])
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for line in axes.lines:
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            assert ((left < x) & (x < right)).all()
            if (
                line.get_linestyle() != "-" or len(set(x)) > 1
            ):  # the line at the field has no height
                assert ((low < y) & (y < high)).all()


def test_published_fields_are_marked_on_the_axis():
    _, _, axes = drawn()
    (marks,) = (line for line in axes.lines if line.get_label() == "published fields")
    assert list(marks.get_xdata()) == FIELDS
    assert axes.transData.transform((100, marks.get_ydata()[0]))[1] < axes.bbox.y0 + 30


def test_an_accelerator_has_its_own_line_only_where_one_was_measured():
    _, _, axes = drawn(accelerators=[card("H100", tf32=True)])
    assert "with C, H100 (TF32)" in texts(axes)
    plain = on_cuda(example()).query("what == 'plain'")
    _, _, axes = drawn(accelerators=[card("H100", table=plain)])
    assert [text for text in texts(axes) if "H100" in text] == ["without C, H100"]
    _, _, axes = drawn()
    assert not [text for text in texts(axes) if "core" not in text and "field" not in text]


def test_what_is_said_of_accelerators_is_what_was_measured():
    said = figures.accelerator_sentence(measured(whole()), n_runs=1)
    assert said == "No accelerator has been measured yet."
    own = measured(pd.concat([whole(), on_cuda(example())]), accelerator="A card")
    assert figures.accelerator_sentence(own, n_runs=1).startswith("Lines of A card are updates")
    result = {"experiment": {"runs": 660, "seconds": 54.0}}
    other = measured(whole(), accelerators=[card("H100", parts=result)])
    said = figures.accelerator_sentence(other, n_runs=1)
    assert said == "On H100, 660 runs took 54 seconds, topology included."


# --- how that is known


def test_floors_are_those_of_the_processor():
    table = pd.concat([whole(), on_cuda(example()).assign(floor_seconds=1e-9)])
    axes = figures.floors(table).axes[0]
    assert texts(axes) == ["without C", "with C", "with C*"]
    ratios = [container.lines[0].get_ydata() for container in axes.containers]
    assert np.concatenate(ratios) == pytest.approx(2.0)  # the example's floor is half of its time


def test_the_nearest_measured_size_says_how_far_the_floor_is():
    said = figures.floor_sentence(example(), n_neurons=128)
    assert said == (
        "At 128 neurons, an update takes its floor 2.00 times without C, 2.00 times with C, "
        "2.00 times with C*."
    )
    assert "At 256 neurons, the measured size nearest to yours" in figures.floor_sentence(
        example(), n_neurons=300
    )
    with pytest.raises(ValueError, match="on a processor"):
        figures.floor_sentence(on_cuda(example()), n_neurons=128)


def test_topology_stands_beside_a_run():
    figure = figures.topology(whole())
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert len(texts(axes)) == len(axes.containers) == 3
    run, nulls, network = (container.lines[0].get_ydata() for container in axes.containers)
    assert run[0] == pytest.approx(5e-5 * 64**2 / 3600)
    assert nulls[0] == pytest.approx(1e-6 * 64**2 / 3600)
    assert network[0] == pytest.approx(1e-9 * 64**2 / 3600)


def test_an_hour_buys_a_network_whose_limit_is_named():
    record = measured(example())
    networks = reach.largest_networks(record, hours=1, gib=1e6)
    said = figures.hour_sentence(networks)
    sizes = networks.set_index("what")["n_neurons"]
    assert f"{sizes['plain']:,} without C, {sizes['direct']:,} with C, " in said
    assert "emory" not in said
    small = figures.hour_sentence(reach.largest_networks(record, hours=1e6, gib=1))
    assert small.endswith("Memory, not time, sets the size without C, with C, with C*.")


# --- beside an ordinary implementation


def test_keras_is_compared_by_the_ratio_of_times():
    said = figures.keras_sentence(sides())
    assert "training is 2.0 to 2.0 times as fast" in said  # 8 s against 4 s
    assert f"whole run {23 / 5.5:.1f} to" in said
    assert f"or {23 / 4.5:.1f} to" in said
    axes = figures.beside_keras(sides()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["W", "W*D*C"]
    assert axes.containers[0].lines[0].get_xdata() == pytest.approx([2.0, 2.0])


def test_without_pairs_there_is_a_sentence_and_no_figure():
    assert "no runs of the Keras reference" in figures.keras_sentence(sides().head(0))
    assert figures.keras_table(sides().head(0)).empty
    with pytest.raises(ValueError, match="--keras"):
        figures.beside_keras(sides().head(0))


# --- every measurement


def test_figures_show_points_laws_and_floors():
    figure = figures.curves(example(), kinds=("step", "run"))
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    step = figure.axes[0]
    assert step.get_ylabel() == "seconds"
    assert "N^2.0" in " ".join(text.get_text() for text in step.get_legend().get_texts())
    assert any(line.get_linestyle() == ":" for line in step.lines)
    ensembles = figures.members(example()).axes[0]
    assert ensembles.lines[0].get_ydata() == pytest.approx([1e-4 * 64**2, 3e-4 * 64**2 / 4])


def test_figures_refuse_what_was_not_measured():
    with pytest.raises(ValueError, match="expected"):
        figures.curves(example(), kinds=("chess",))
    with pytest.raises(ValueError, match="expected"):
        figures.members(example()[example()["members"] == 1])


def test_tables_have_no_gaps():
    record = measured(whole(), pairs=sides())
    point = {"kind": "run", "what": "emd", "n_neurons": 512, "members": 4, "threads": 2,
             "processes": 1, "device": "cuda"}  # fmt: skip
    record.skipped.extend([point | {"expected_seconds": 600.0}, point | {"expected_seconds": None}])
    record.failed.append(point | {"reason": "out of memory"})
    growth = figures.growth_table(record.table)
    left_out = figures.left_out_table(record)
    keras = figures.keras_table(record.pairs)
    design = figures.design_table(record, n_neurons=100, n_runs=4, cores=2)
    for table in (growth, left_out, keras, design):
        assert len(table)
        assert not table.isna().to_numpy().any()
        assert "nan" not in table.to_string().lower()
    assert growth.loc["step plain, 4 networks", "exponent"] == "2.00 ± 0.00"
    assert growth.loc["penalty plain", "times floor"] == "no products"
    assert left_out.index[0] == "run emd, 4 networks, 2 threads, on cuda"
    reasons = left_out["not measured because"].tolist()
    assert reasons == ["would take 10 minutes", "too little time", "out of memory"]
    assert keras.loc[("W", 1, "topology, nulls cached"), "ours / floor"] == "no products"
    assert (design.loc[100, "from"], design.loc[100, "to"]) == pytest.approx(
        tuple(design.loc[100, "all variants"] * np.array([0.9, 1.2]))
    )
    assert design.loc[100, "without C"] < design.loc[100, "with C"]


def test_tables_of_the_measurements_that_ship_have_no_gaps():
    record = report.load()
    design = figures.design_table(record, n_neurons=300, n_runs=660, cores=2)
    others = figures.growth_table(record.table), figures.left_out_table(record)
    for table in (design, *others, figures.keras_table(record.pairs)):
        assert "nan" not in table.to_string().lower()
