"""Figures: each returns a figure whose axes are labelled, and refuses what it cannot show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cortexrnn.evidence import reproduction
from cortexrnn.fields.field import Field
from cortexrnn.figures import ablation as ablation_figures
from cortexrnn.figures import checks
from cortexrnn.figures import field as field_figures
from cortexrnn.figures import function as function_figures
from cortexrnn.figures import networks as network_figures
from cortexrnn.figures import own as own_figures
from cortexrnn.figures import priors as prior_figures
from cortexrnn.figures import reproduction as reproduction_figures
from cortexrnn.figures import tasks as task_figures
from cortexrnn.figures import topology as topology_figures
from cortexrnn.networks import sensitivity
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.training import Result
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.trained_weights import COURSE
from tests.runs.test_trained_weights import kept, matrix, sparsify

N = 24
NAN = float("nan")


def symmetric(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 0.05, (N, N))
    matrix = (values + values.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.fixture(scope="module")
def field() -> Field:
    rng = np.random.default_rng(0)
    counts = (rng.random((N, N)) < 0.1) * rng.integers(1, 3, (N, N))
    np.fill_diagonal(counts, 0)
    return Field.from_arrays(
        name="small",
        positions=rng.integers(0, 100_000, (N, 3)),
        voxel_size=(4.0, 4.0, 40.0),
        connectome=counts,
        correlation=symmetric(1),
        sttc=symmetric(2),
        events=[np.sort(rng.integers(0, 600, 80)) * 0.16 for _ in range(N)],
    )


@pytest.fixture(scope="module")
def distance(field: Field) -> np.ndarray:
    points = checks.soma_um(field)
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def result(variant: str, task: str = "one_choice", **changes: object) -> Result:
    spec = RunSpec(field="small", field_hash="0", variant=variant, task=task, seed=0)
    made = Result(
        spec=spec,
        metrics={"validation_accuracy": 0.7},
        history={"accuracy": [0.4, 0.6], "loss": [2.0, 1.0]},
        weights={},
        diverged=False,
        diverged_epoch=None,
        seconds=1.0,
        device="cpu",
    )
    return replace(made, **changes)


def assert_labelled(figure: Figure) -> None:
    """Every visible panel says what its axes are, by itself or for the whole figure."""
    assert isinstance(figure, Figure)
    panels = [
        axes for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"
    ]
    assert panels
    x = figure.get_supxlabel() + "".join(axes.get_xlabel() for axes in panels)
    y = figure.get_supylabel() + "".join(axes.get_ylabel() for axes in panels)
    assert x and y
    figure.draw_without_rendering()  # it can be laid out


def test_field_figures_are_labelled(field, distance):
    two = {"one": field.connectome, "two": field.connectome.T}
    assert_labelled(field_figures.soma_views(field, field.connectome))
    assert_labelled(field_figures.adjacency(field.connectome, field.positions[:, 1]))
    assert_labelled(field_figures.degrees(field.connectome))
    assert_labelled(field_figures.connection_by_distance(distance, two, bin_um=1000.0))


def test_function_figures_are_labelled(field, distance):
    relations = {"correlation": field.correlation, "STTC": field.sttc}
    names = ("correlation", "STTC")
    counts = np.random.default_rng(0).poisson(0.2, (N, 300))
    assert_labelled(function_figures.event_raster(field.events, seconds=30))
    assert_labelled(function_figures.binned_counts(counts, bin_s=0.2))
    assert_labelled(function_figures.relation_against_relation(*relations.values(), names=names))
    assert_labelled(function_figures.relation_distributions(relations))
    assert_labelled(function_figures.relation_by_distance(distance, relations, bin_um=1000.0))
    assert_labelled(function_figures.frame_grid(field.events))
    off = {name: matrix + 1e-9 * np.eye(N) for name, matrix in relations.items()}
    assert_labelled(function_figures.side_by_side(off, relations))
    assert_labelled(function_figures.bin_widths(0.159))
    held = np.resize([1, 2, 1], 300)
    assert_labelled(function_figures.beat(counts, held, relations))
    rows = {"setting": ["bin", "window"], "seconds": 0.2, "mean": 0.1, "relation_r": 0.9}
    rows |= {"weights_r": 0.9, "self_ratio": 50.0}
    assert_labelled(function_figures.settings(pd.DataFrame(rows)))


def test_own_field_figures_are_labelled(field):
    assert_labelled(own_figures.out_and_in(field.connectome))
    counts = np.ones((N, N), dtype=int)
    table = sensitivity.simulate_missing_axons(counts, shares=[0, 0.5], draws=1)
    figure = own_figures.thinned({"a": table})
    assert_labelled(figure)
    assert max(figure.axes[0].lines[0].get_ydata()) == pytest.approx(100)


def test_prior_figures_are_labelled(field):
    weights = np.abs(symmetric(3))
    points = np.random.default_rng(0).random((N, 3))
    assert_labelled(prior_figures.construction({"a": weights, "b": symmetric(1), "c": weights}))
    assert_labelled(prior_figures.spectrum({"a": weights}, radius=0.95))
    assert_labelled(prior_figures.self_connections(weights))
    assert_labelled(prior_figures.relabelling(weights, weights[::-1, ::-1]))
    assert_labelled(prior_figures.coordinates({"a": points, "b": points}, points[:, 0]))
    assert_labelled(prior_figures.distances_against_soma(weights, {"a": weights}))
    assert_labelled(prior_figures.communicability_ranks(weights, weights, field.connectome))


def test_task_figures_are_labelled():
    for task in TASKS.values():
        inputs, targets = task.sample(1, rng=np.random.default_rng(0))
        assert_labelled(task_figures.trial(task, inputs[0], int(targets[0])))
    curve = {"coherence": [0, 10], "accuracy": [0.5, 1], "predicted": [0.5, 1], "trials": [9, 9]}
    assert_labelled(task_figures.psychometric(pd.DataFrame(curve)))


def test_network_figures_are_labelled():
    results = [result("W*D*C"), result("WD"), result("WD", task="go_nogo")]
    weights = symmetric(0)
    assert_labelled(network_figures.penalty_gradients(pd.Series({"W": 1.0, "WD": 1e-3})))
    assert_labelled(network_figures.learning_curves(results, levels={"one_choice": 0.6}))
    assert_labelled(network_figures.final_accuracy(results, levels={"go_nogo": 0.5}))
    assert_labelled(network_figures.before_after({"W": (weights, weights)}))


def cells(**columns: object) -> pd.DataFrame:
    """Cells of two tasks and three variants beside published ones."""
    index = pd.MultiIndex.from_product(
        [["one_choice", "go_nogo", "perceptual"], ["W*D*C", "WD", "W"]], names=["task", "variant"]
    )
    base = {"metric": "entropy", "runs": 3, "diverged": 0, "mean": 0.7, "low": 0.6, "high": 0.8}
    base |= {"published": 0.5, "published_low": 0.4, "published_high": 0.6}
    return pd.DataFrame([base | columns] * len(index), index=index).reset_index()


@pytest.mark.filterwarnings("error")
def test_ablation_figures_are_labelled_and_their_parts_do_not_overlap():
    level = dict.fromkeys(["one_choice", "go_nogo", "perceptual"], 0.5)
    for table in (cells(), cells(low=NAN, high=NAN), cells(mean=NAN, diverged=3)):
        figure = ablation_figures.beside_published(table, level=level)
        assert_labelled(figure)
        (legend,) = figure.legends
        for axes in figure.axes:
            assert not axes.xaxis.label.get_window_extent().overlaps(legend.get_window_extent())
    with pytest.raises(ValueError, match="one metric"):
        ablation_figures.beside_published(cells().head(0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_seeds", [1, 5, 20])
def test_single_runs_stay_in_the_row_of_their_variant(n_seeds):
    table = pd.concat([cells(seed=s, accuracy=0.6, diverged=False) for s in range(n_seeds)])
    figure = ablation_figures.single_runs(table, level={"one_choice": 0.5})
    assert_labelled(figure)
    for axes in figure.axes:
        rows = axes.lines[0].get_ydata()
        assert len(rows) == 3 * n_seeds
        off = np.abs(np.sort(rows).reshape(3, n_seeds) - np.arange(3)[:, None])
        assert off.max() < 0.4 and off.mean() < 0.3
        assert n_seeds > 1 or off.max() == 0
    lost = ablation_figures.single_runs(table.assign(diverged=True), level={})
    assert_labelled(lost)
    assert all((axes.lines[0].get_xdata() == 0).all() for axes in lost.axes)


def topology_runs(n_seeds: int = 3) -> pd.DataFrame:
    """Runs of two tasks and three variants with topology; each cell's first run diverged."""
    rng = np.random.default_rng(0)
    tables = []
    for seed in range(n_seeds):
        table = cells(seed=seed, diverged=seed == 0 and n_seeds > 1)
        table[["accuracy", *COURSE]] = rng.random((len(table), 1 + len(COURSE)))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def starts() -> pd.DataFrame:
    rows = [dict.fromkeys(COURSE, 0.5) | {"start": s} for s in ("orthogonal", "functional")]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def examples() -> list:
    """Give kept runs of two variants."""
    return [kept(0), kept(1, variant="WD"), kept(2, variant="W!D*C")]


@pytest.mark.filterwarnings("error")
def test_topology_figures_are_labelled(starts, examples):
    correlated = pd.DataFrame(
        [
            {
                "task": "go_nogo",
                "metric": m,
                "over": over,
                "correlation": c,
                "low": low,
                "high": 0.5,
            }
            for m in COURSE
            for over, c, low in (("all runs", 0.1, -0.5), ("within variants", NAN, NAN))
        ]
    )
    compared = pd.concat([cells(metric=m, margin=0.1, verdict="equivalent") for m in COURSE])
    random = pd.DataFrame(
        [{"task": "a", "variant": "W", "chance": c, "small_worldness": 1.2} for c in ("paper",)]
    )
    assert_labelled(topology_figures.verdict(compared))
    assert_labelled(topology_figures.verdict(compared.assign(mean=NAN)))
    for n_seeds in (1, 3):
        assert_labelled(topology_figures.start_and_end(starts, topology_runs(n_seeds)))
        assert_labelled(topology_figures.against_accuracy(topology_runs(n_seeds)))
    assert_labelled(topology_figures.course(examples))
    assert_labelled(topology_figures.correlations(correlated))
    assert_labelled(topology_figures.chance(random))
    assert_labelled(topology_figures.weight_histograms(examples))
    assert_labelled(topology_figures.matrices(examples))
    assert_labelled(topology_figures.node_link(examples))
    places = np.random.default_rng(0).random((20, 2)) * [1000, 400]
    assert_labelled(topology_figures.node_link(examples, positions=places))


def test_without_kept_runs_the_figure_says_so():
    empty = pd.DataFrame()
    for figure in (
        topology_figures.verdict(empty),
        topology_figures.course([]),
        topology_figures.chance(empty),
        topology_figures.weight_histograms([]),
        topology_figures.matrices([]),
        topology_figures.node_link([]),
    ):
        assert "for this field and arm" in figure.axes[0].texts[0].get_text()


def test_every_verdict_has_its_mark_and_only_those_present_are_explained():
    compared = pd.concat([cells(metric=m, margin=0.1, verdict="equivalent") for m in COURSE])
    compared.iloc[0, compared.columns.get_loc("verdict")] = "different"
    figure = topology_figures.verdict(compared)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["equivalent", "different"]
    marks = [len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert sorted(marks) == [1, 8]


def test_matrices_are_sorted_by_community():
    blocks = np.kron(np.eye(2), np.ones((10, 10))) + 0.001
    mixed = np.random.default_rng(0).permutation(20)
    run = kept(0, matrix=sparsify(blocks[np.ix_(mixed, mixed)] * matrix(3)))
    axes = topology_figures.matrices([run]).axes[0]
    shown = axes.images[0].get_array() != 0
    assert (shown[:10, 10:] | shown[10:, :10]).sum() < 0.2 * shown.sum()


def test_links_drawn_are_the_strongest_and_end_at_their_neurons():
    weights = np.zeros((20, 20))
    weights[3, 7], weights[8, 2], weights[0, 1] = 2.0, -3.0, 0.5
    places = np.random.default_rng(0).random((20, 2))
    run = kept(0, matrix=sparsify(weights))
    axes = topology_figures.node_link([run], positions=places, n_edges=2).axes[0]
    drawn = {tuple(line.get_xdata()) for line in axes.lines}
    assert drawn == {(places[2, 0], places[8, 0]), (places[3, 0], places[7, 0])}


def test_soma_3d_shows_neurons_and_connections_where_they_are(field):
    pytest.importorskip("plotly")
    figure = field_figures.soma_3d(field, field.connectome)
    wires, somata = figure.data
    points = checks.soma_um(field)
    shown = np.stack([somata.x, somata.z, somata.y], axis=1)  # depth is drawn upright
    np.testing.assert_array_equal(shown, points)
    assert len(wires.x) == 3 * (field.connectome > 0).sum()
    first = np.argwhere(field.connectome > 0)[0]
    assert (wires.x[0], wires.z[0], wires.y[0]) == tuple(points[first[0]])


def test_somata_are_drawn_in_micrometres_from_the_corner(field):
    points = checks.soma_um(field)
    assert points.min(axis=0).tolist() == [0, 0, 0]
    extent = np.ptp(field.positions, axis=0) * [0.004, 0.004, 0.04]
    np.testing.assert_allclose(points.max(axis=0), extent)


def test_adjacency_is_ordered_by_depth_with_senders_as_rows():
    counts = np.zeros((3, 3), dtype=int)
    counts[0, 2] = 2  # neuron 0, the deepest, sends to neuron 2, the highest
    axes = field_figures.adjacency(counts, [30.0, 20.0, 10.0]).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[0.0, 2.0]]


def test_connection_probability_is_the_share_of_ordered_pairs():
    apart = np.full((N, N), 50.0)
    counts = np.zeros((N, N), dtype=int)
    counts[0, 1:12] = 1
    axes = field_figures.connection_by_distance(apart, {"a": counts}).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [100 * 11 / (N * (N - 1))])


def test_connection_probability_has_the_interval_of_wilson():
    counts = np.zeros((11, 11), dtype=int)
    counts[0, 1:] = counts[1, 0] = 1  # 11 of 110 pairs
    axes = field_figures.connection_by_distance(np.full((11, 11), 50.0), {"a": counts}).axes[0]
    ((_, low), (_, high)) = axes.collections[0].get_segments()[0]
    assert (low, high) == pytest.approx((5.6760120141, 17.0235028098), rel=1e-10)


def test_heat_map_is_not_blinded_by_the_diagonal():
    weights = np.full((N, N), 0.01) + 1e-4 * np.arange(N)
    np.fill_diagonal(weights, 5.0)
    image = next(
        child
        for child in prior_figures.construction({"a": weights}).axes[0].get_children()
        if isinstance(child, AxesImage)
    )
    assert image.get_clim()[1] < 0.1


def test_a_diverged_run_is_a_cross_and_no_accuracy():
    lost = result("W", diverged=True, metrics={"validation_accuracy": NAN})
    axes = network_figures.final_accuracy([result("WD"), lost], levels={}).axes[0]
    cross = [line for line in axes.lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in cross] == [0.0]


def test_without_events_the_figure_says_so():
    for figure in (
        function_figures.event_raster(None),
        function_figures.binned_counts(None, bin_s=0.2),
        function_figures.frame_grid(None),
        function_figures.side_by_side(None, {}),
        function_figures.bin_widths(None),
        function_figures.beat(None, None, None),
        function_figures.settings(None),
        function_figures.side_by_side({"STTC": np.eye(3)}, {}),
        function_figures.relation_distributions(None),
        function_figures.relation_by_distance(np.ones((3, 3)), None),
        function_figures.relation_against_relation(np.eye(3), None, names=("a", "b")),
    ):
        assert "for this field" in figure.axes[0].texts[0].get_text()


SQUARE, BENT = np.ones((4, 4)), np.ones((4, 3))
REFUSED = {
    "positions that are none": lambda: field_figures.soma_views(np.ones((4, 3)), SQUARE),
    "connectome not square": lambda: field_figures.degrees(BENT),
    "depth of other neurons": lambda: field_figures.adjacency(SQUARE, [1.0, 2.0]),
    "bin of no width": lambda: field_figures.connection_by_distance(
        SQUARE, {"a": SQUARE}, bin_um=0
    ),
    "three connectomes": lambda: field_figures.connection_by_distance(
        SQUARE, dict.fromkeys("abc", SQUARE)
    ),
    "trains not flat": lambda: function_figures.event_raster([np.ones((2, 2))] * 3),
    "stretch of no length": lambda: function_figures.event_raster([np.ones(2)] * 3, seconds=0),
    "flat counts": lambda: function_figures.binned_counts(np.ones(4), bin_s=0.2),
    "relations of two sizes": lambda: function_figures.relation_against_relation(
        SQUARE, np.ones((5, 5)), names=("a", "b")
    ),
    "no relation": lambda: function_figures.relation_distributions({}),
    "distance bin of no width": lambda: function_figures.relation_by_distance(
        SQUARE, {"a": SQUARE}, bin_um=-1
    ),
    "made of another size": lambda: function_figures.side_by_side(
        {"a": SQUARE}, {"a": np.ones((5, 5))}
    ),
    "frame of no length": lambda: function_figures.bin_widths(0),
    "frames of other bins": lambda: function_figures.beat(SQUARE, np.ones(3), {"a": SQUARE}),
    "sweep without columns": lambda: function_figures.settings(pd.DataFrame({"setting": []})),
    "thinned without columns": lambda: own_figures.thinned({"a": pd.DataFrame({"share": [0]})}),
    "nothing thinned": lambda: own_figures.thinned({}),
    "one train": lambda: function_figures.frame_grid([np.ones(3)]),
    "no step": lambda: prior_figures.construction({}),
    "not finite": lambda: prior_figures.construction({"a": np.full((3, 3), NAN)}),
    "radius of zero": lambda: prior_figures.spectrum({"a": SQUARE}, radius=0),
    "negative weight": lambda: prior_figures.self_connections(-SQUARE),
    "relabelled to another size": lambda: prior_figures.relabelling(SQUARE, np.ones((5, 5))),
    "coordinates in the plane": lambda: prior_figures.coordinates(
        {"a": np.ones((4, 2))}, [1.0] * 4
    ),
    "no geometry": lambda: prior_figures.coordinates({}, [1.0] * 4),
    "distances of two sizes": lambda: prior_figures.distances_against_soma(
        SQUARE, {"a": np.ones((5, 5))}
    ),
    "communicability of two sizes": lambda: prior_figures.communicability_ranks(
        SQUARE, np.ones((5, 5)), SQUARE
    ),
    "trial of another task": lambda: task_figures.trial(TASKS["go_nogo"], np.ones((50, 8)), 0),
    "class that is none": lambda: task_figures.trial(TASKS["go_nogo"], np.ones((40, 3)), 2),
    "curve without columns": lambda: task_figures.psychometric(pd.DataFrame({"coherence": [0]})),
    "gradient of zero": lambda: network_figures.penalty_gradients(pd.Series({"W": 0.0})),
    "no run": lambda: network_figures.learning_curves([], levels={}),
    "something else than runs": lambda: network_figures.final_accuracy([1], levels={}),
    "no weights": lambda: network_figures.before_after({}),
    "no start": lambda: topology_figures.start_and_end(pd.DataFrame(), topology_runs()),
    "no run that ended": lambda: topology_figures.against_accuracy(
        topology_runs().assign(diverged=True)
    ),
    "no correlation": lambda: topology_figures.correlations(pd.DataFrame()),
    "places of other neurons": lambda: topology_figures.node_link([kept(0)], positions=SQUARE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_refused(name):
    with pytest.raises(
        (ValueError, TypeError), match=r"expected|expects|give|lacks|has|reach|holds"
    ):
        REFUSED[name]()


@pytest.mark.parametrize("verdict", ["equivalent", "inconclusive", "different"])
def test_verdicts_are_marked_and_the_layout_holds(verdict, recwarn):
    cells = pd.DataFrame({"metric": "accuracy", "task": "go_nogo", "variant": ["W", "WD"]})
    bounds = {"mean": 0.5, "low": 0.4, "high": 0.6, "published": 0.5}
    bounds |= {"published_low": 0.4, "published_high": 0.6, "runs": 20, "diverged": 0}
    cells = cells.assign(**bounds, verdict=verdict, published_diverged=False)
    figure = ablation_figures.beside_published(cells)
    figure.draw_without_rendering()
    assert not [w for w in recwarn if "constrained" in str(w.message)]
    marks = {line.get_marker() for line in figure.axes[0].lines}
    assert ("x" in marks) == (verdict == "different")


def test_curves_and_divergence_show_every_run():
    history = [np.linspace(0.2, 0.9, 4), np.array([0.3])]
    runs = pd.DataFrame({"variant": "W", "task": "go_nogo", "diverged": [False, True]})
    runs = runs.assign(history_accuracy=history, diverged_epoch=pd.array([None, 2], "Int64"))
    curves = ablation_figures.learning_curves(runs).axes[0].lines
    assert [len(line.get_xdata()) for line in curves] == [4, 1, 4]  # runs, then their median
    bars = ablation_figures.divergence(runs).axes[0].patches
    assert [bar.get_width() for bar in bars] == [1, 1]
    for figure in (ablation_figures.learning_curves, ablation_figures.divergence):
        with pytest.raises(ValueError, match="at least one"):
            figure(runs.head(0))


@pytest.mark.parametrize(("few", "bins"), [(49, 1), (50, 2)])
def test_bins_of_few_pairs_are_left_out(few, bins):
    # So many pairs are far from each other, all the rest near: twice as many if they are ordered.
    apart, upper = np.full((40, 40), 50.0), np.triu_indices(40, 1)
    for i, j in zip(*(index[:few] for index in upper), strict=True):
        apart[i, j] = apart[j, i] = 150.0
    connected = field_figures.connection_by_distance(apart, {"a": np.eye(40, dtype=int)})
    relation = np.corrcoef(np.random.default_rng(0).normal(size=(40, 60)))
    related = function_figures.relation_by_distance(apart, {"a": relation})
    for figure in (connected, related):
        assert len(figure.axes[0].lines[0].get_xdata()) == bins


def test_pairs_that_were_not_measured_are_left_out() -> None:
    relation = np.arange(16.0).reshape(4, 4)
    relation = relation + relation.T
    gaps = relation.copy()
    gaps[0, 1] = gaps[1, 0] = gaps[2, 2] = np.nan
    figure = function_figures.relation_against_relation(gaps, relation, names=("a", "b"))
    assert "5 pairs, r = 1.00" in figure.axes[0].get_title(loc="left")
    figure = function_figures.relation_distributions({"a": gaps})
    assert f"mean {gaps[np.tril_indices(4, -1)][1:].mean():.3g}" in figure.axes[0].get_title("left")
    assert function_figures.relation_by_distance(relation, {"a": gaps}).axes
    with pytest.raises(ValueError, match="not finite"):
        function_figures.relation_distributions({"a": np.where(relation > 20, np.inf, relation)})


def test_what_does_not_vary_has_no_coefficient_and_warns_nobody() -> None:
    assert np.isnan(checks.correlation(np.ones(4), np.arange(4.0)))
    assert np.isnan(checks.correlation(np.ones(1), np.ones(1)))
    assert checks.correlation(np.arange(4.0), -np.arange(4.0)) == pytest.approx(-1)


def test_synapse_of_a_neuron_with_itself_is_drawn_nowhere() -> None:
    loops = np.eye(6, dtype=int)
    loops[0, 1] = 3
    assert "1 of 30" in field_figures.adjacency(loops, np.arange(6.0)).axes[0].get_title("left")
    heights = [bar.get_height() for bar in field_figures.degrees(loops).axes[0].patches]
    assert heights[:2] == [5, 1]


def test_runs_trained_again_have_a_panel_a_metric_and_a_colour_a_field() -> None:
    table = reproduction.pairs(load_archive(), reproduction.load_again())
    figure = reproduction_figures.recorded_and_again(table)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Accuracy", "Entropy (bits)", "Modularity", "Assortativity"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    fields = sorted(set(table["field"]))
    assert names == [f"field {name}" for name in fields]
    points = sum(len(line.get_xdata()) for line in figure.axes[0].lines[: len(fields)])
    assert points == len(table)
    with pytest.raises(ValueError, match="at least one pair"):
        reproduction_figures.recorded_and_again(table.head(0))


def test_rounding_has_a_row_a_metric_and_a_mark_a_variant() -> None:
    variants, metrics = ["W*D*C", "W", "W!D*C"], ["accuracy", "small_worldness"]
    rows = [(name, metric, 0.1 * k) for k, metric in enumerate(metrics, 1) for name in variants]
    table = pd.DataFrame(rows, columns=["variant", "metric", "ratio"])
    figure = reproduction_figures.rounding_and_seeds(table)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["accuracy", "small-worldness"]
    marks = [line for line in axes.lines if line.get_marker() != "None"]
    assert [float(line.get_xdata()[0]) for line in marks] == table["ratio"].tolist()
    assert len({line.get_marker() for line in marks}) == 3
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["starts from W", "starts from W*", "starts from W!", "median"]
    assert axes.get_xlim()[1] >= 1
    with pytest.raises(ValueError, match="at least one row"):
        reproduction_figures.rounding_and_seeds(table.head(0))
