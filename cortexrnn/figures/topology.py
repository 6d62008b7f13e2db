"""Figures of the chapter on topology: what training makes of a matrix, beside start and chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from cortexrnn.evidence.graph_nulls import STARTS
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.networks import topology
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.trained_weights import BINS, COURSE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cortexrnn.runs.trained_weights import KeptRun

__all__ = [
    "against_accuracy",
    "chance",
    "correlations",
    "course",
    "matrices",
    "node_link",
    "start_and_end",
    "verdict",
    "weight_histograms",
]

LABELS = {
    "entropy": "entropy (bits)",
    "modularity": "modularity",
    "small_worldness": "small-worldness",
    "assortativity": "assortativity",
}
"""Measures as they stand at an axis."""

VERDICTS = {
    "equivalent": ("o", palette[2]),
    "different": ("X", palette[3]),
    "inconclusive": ("s", palette[7]),
    "other field": ("D", palette[0]),
}
"""Marks and colours of verdicts."""

LOOKS = {
    "orthogonal": ("o", palette[0]),
    "functional": ("^", palette[1]),
    "permuted": ("v", palette[2]),
}
"""Marks and colours of starts."""

TASK_MARKS = ("o", "s", "^")


def verdict(table: pd.DataFrame) -> Figure:
    """Draw published against replicated means, one panel per measure.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.replication.compare_cells`; without any the figure says
        so.

    Returns
    -------
    Figure
        One mark per cell with both 95 % intervals; the band around equality is the margin.
    """
    if table.empty:
        return _without("No published cells are known")
    figure = Figure(figsize=(WIDTH, 6.8), layout="constrained")
    panels = figure.subplots(2, 2)
    for axes, metric in zip(panels.flat, COURSE, strict=True):
        means = table[(table["metric"] == metric) & table["mean"].notna()]
        for name, cells in means.groupby("verdict"):
            mark, colour = VERDICTS.get(str(name), ("d", palette[4]))
            x, y = cells["published"], cells["mean"]
            axes.hlines(y, cells["published_low"], cells["published_high"], colour, alpha=0.35)
            axes.vlines(x, cells["low"], cells["high"], colour, alpha=0.35)
            axes.plot(x, y, mark, color=colour, markersize=5, alpha=0.85, markeredgecolor="white",
                      markeredgewidth=0.4)  # fmt: skip
        _equality(axes, means)
        axes.set_title(LABELS[metric], loc="left", fontsize="medium")
    for axes in panels[-1]:
        axes.set_xlabel("published")
    for axes in panels[:, 0]:
        axes.set_ylabel("here")
    present = [name for name in VERDICTS if name in set(table["verdict"])]
    handles = [Line2D([], [], linestyle="", marker=VERDICTS[name][0], color=VERDICTS[name][1],
                      label=name) for name in present]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _equality(axes: Axes, cells: pd.DataFrame) -> None:
    """Draw where both means are equal, and the margin around it; nothing for no cells."""
    if cells.empty:
        return
    low = cells[["published", "mean"]].min().min()
    high = cells[["published", "mean"]].max().max()
    room = 0.08 * (high - low) or 0.1
    ends = np.array([low - room, high + room])
    margin = float(cells["margin"].max())
    axes.fill_between(ends, ends - margin, ends + margin, color="0.92", zorder=0)
    axes.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
    axes.set(xlim=ends, ylim=ends)


def start_and_end(starts: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Measures before and after training, one panel per measure and one row per variant.

    Parameters
    ----------
    starts : DataFrame
        Rows of :func:`cortexrnn.evidence.graph_nulls.starts`.
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    Figure
        A grey bar from the start of each variant, marks for the mean of every task.

    Raises
    ------
    ValueError
        If there is no start or no run that did not diverge.
    """
    ended = runs[~runs["diverged"]]
    if starts.empty or ended.empty:
        raise ValueError("starts, runs: expected at least one of each that did not diverge")
    names = [name for name in VARIANTS if name in set(ended["variant"])]
    tasks = list(dict.fromkeys(ended["task"]))
    before = starts.groupby("start")[list(COURSE)].mean()
    figure = Figure(figsize=(WIDTH, 1.6 + 0.56 * len(names)), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True)
    for axes, metric in zip(panels.flat, COURSE, strict=True):
        first = np.array([before.loc[VARIANTS[name].start, metric] for name in names])
        axes.plot(first, np.arange(len(names)), "|", color="black", markersize=13,
                  markeredgewidth=2)  # fmt: skip
        for shift, task, mark, colour in zip((-0.22, 0, 0.22), tasks, TASK_MARKS, palette,
                                             strict=False):  # fmt: skip
            trained = ended[ended["task"] == task].groupby("variant")[metric].mean().reindex(names)
            rows = np.arange(len(names)) + shift
            axes.hlines(rows, first, trained, color="0.8")
            axes.plot(trained, rows, mark, color=colour, markersize=5)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", color="0.95")
        axes.set_xlabel(LABELS[metric])
    for axes in panels[:, 0]:
        axes.set_ylabel("variant")
    handles = [Line2D([], [], linestyle="", marker=mark, color=colour, label=task)
               for mark, colour, task in zip(TASK_MARKS, palette, tasks, strict=False)]  # fmt: skip
    handles.insert(0, Line2D([], [], linestyle="", marker="|", color="black", markersize=12,
                             markeredgewidth=2, label="start"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.0,
                  handletextpad=0.2)  # fmt: skip
    return figure


def _grid(
    tasks: Sequence[str], draw: Callable[[Axes, str, str], None], *, x: str, height: float = 1.75
) -> Figure:
    """Panels of measures (rows) by tasks (columns), starts in colours."""
    figure = Figure(figsize=(WIDTH, 1.2 + height * len(COURSE)), layout="constrained")
    panels = figure.subplots(len(COURSE), len(tasks), squeeze=False, sharex="col", sharey="row")
    for row, metric in zip(panels, COURSE, strict=True):
        row[0].set_ylabel(LABELS[metric])
        for axes, task in zip(row, tasks, strict=True):
            draw(axes, metric, task)
    for axes, task in zip(panels[0], tasks, strict=True):
        axes.set_title(task, loc="left", fontsize="medium")
    panels[-1][len(tasks) // 2].set_xlabel(x)
    handles = [Line2D([], [], marker=LOOKS[start][0], color=LOOKS[start][1], linestyle="",
                      label=f"{name} ({start})") for start, name in STARTS.items()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=0.8,
                  handletextpad=0.1)  # fmt: skip
    return figure


def against_accuracy(runs: pd.DataFrame) -> Figure:
    """Topology of every run against its accuracy.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive; those that diverged are left out.

    Returns
    -------
    Figure
        Measures by tasks, one mark per run.

    Raises
    ------
    ValueError
        If there is no run that did not diverge.
    """
    ended = runs[~runs["diverged"]]
    if ended.empty:
        raise ValueError("runs: expected at least one that did not diverge")
    start = ended["variant"].map({name: variant.start for name, variant in VARIANTS.items()})

    def draw(axes: Axes, metric: str, task: str) -> None:
        for name, (mark, colour) in LOOKS.items():
            chosen = ended[(ended["task"] == task) & (start == name)]
            axes.plot(
                chosen["accuracy"], chosen[metric], mark, color=colour, markersize=4, alpha=0.6
            )

    return _grid(list(dict.fromkeys(ended["task"])), draw, x="accuracy in the last epoch")


def course(kept: Sequence[KeptRun]) -> Figure:
    """Measures at the start and after every epoch.

    Parameters
    ----------
    kept : sequence of KeptRun
        Kept runs; without any the figure says so.

    Returns
    -------
    Figure
        Measures by tasks, one line per run; epoch 0 is the start.
    """
    if not kept:
        return _without("No measures of single epochs are kept")

    def draw(axes: Axes, metric: str, task: str) -> None:
        for run in kept:
            if run.task == task:
                mark, colour = LOOKS[VARIANTS[run.variant].start]
                axes.plot(run.course[:, COURSE.index(metric)], marker=mark, color=colour,
                          markersize=3, linewidth=1, alpha=0.7)  # fmt: skip

    return _grid(list(dict.fromkeys(run.task for run in kept)), draw, x="epoch")


def correlations(table: pd.DataFrame) -> Figure:
    """Rank correlations of accuracy and topology, over all runs and within variants.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.rank_correlations.rank_correlations`.

    Returns
    -------
    Figure
        One panel per task; means and 95 % intervals.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if table.empty:
        raise ValueError("table: expected at least one correlation")
    tasks = list(dict.fromkeys(table["task"]))
    kinds = dict(zip(("all runs", "variants", "within variants"),
                     zip("osD", (palette[0], palette[1], palette[2]), strict=True),
                     strict=True))  # fmt: skip
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True, sharex=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        axes.axvline(0, color="0.7", linewidth=1)
        for shift, (kind, (mark, colour)) in zip((-0.24, 0, 0.24), kinds.items(), strict=True):
            estimates = table[(table["task"] == task) & (table["over"] == kind)].set_index("metric")
            estimates = estimates.reindex(COURSE)
            rows = np.arange(len(COURSE)) + shift
            axes.hlines(rows, estimates["low"], estimates["high"], color=colour, linewidth=2)
            axes.plot(estimates["correlation"], rows, mark, color=colour, markersize=5)
        axes.set(xlim=(-1.05, 1.05), ylim=(len(COURSE) - 0.5, -0.5), xticks=(-0.7, 0, 0.7))
        axes.set_yticks(range(len(COURSE)), [LABELS[name].split(" (")[0] for name in COURSE])
        axes.set_title(task, loc="left", fontsize="medium")
    panels[len(tasks) // 2].set_xlabel("rank correlation with accuracy")
    panels[0].set_ylabel("measure")
    handles = [Line2D([], [], marker=mark, color=colour, label=kind)
               for kind, (mark, colour) in kinds.items()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def chance(table: pd.DataFrame) -> Figure:
    """Small-worldness of kept graphs against three kinds of random graphs.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.graph_nulls.against_chance`; without any the figure says
        so.

    Returns
    -------
    Figure
        One panel per task, one row per variant; dotted at 1, where a graph is as chance.
    """
    if table.empty:
        return _without("No graphs are kept")
    tasks = list(dict.fromkeys(table["task"]))
    names = list(dict.fromkeys(table["variant"]))
    kinds = {
        "paper": ("o", "the paper's random graphs"),
        "density": ("s", "same number of edges"),
        "degrees": ("D", "same degrees"),
    }
    figure = Figure(figsize=(WIDTH, 1.6 + 0.34 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharex=True, sharey=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        axes.axvline(1, color="0.4", linestyle=":")
        for shift, (kind, (mark, _)), colour in zip((-0.2, 0, 0.2), kinds.items(), palette,
                                                    strict=False):  # fmt: skip
            graphs = table[(table["task"] == task) & (table["chance"] == kind)]
            rows = graphs["variant"].map(names.index).astype(float) + shift
            axes.plot(graphs["small_worldness"], rows, mark, color=colour, markersize=5)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", color="0.92")
        axes.set_title(task, loc="left", fontsize="medium")
    panels[len(tasks) // 2].set_xlabel("small-worldness")
    panels[0].set_ylabel("variant")
    handles = [Line2D([], [], linestyle="", marker=mark, color=colour, label=label)
               for (mark, label), colour in zip(kinds.values(), palette, strict=False)]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def weight_histograms(kept: Sequence[KeptRun]) -> Figure:
    """Distribution of all weights of kept runs.

    Parameters
    ----------
    kept : sequence of KeptRun
        A few runs; without any the figure says so.

    Returns
    -------
    Figure
        One panel per run: weights in bins of equal width between the extremes, counts over a
        logarithmic axis.
    """
    if not kept:
        return _without("No distributions of weights are kept")
    rows = -(-len(kept) // 2)
    figure = Figure(figsize=(WIDTH, 0.6 + 2.0 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False, sharey=True)
    for axes, run in zip(panels.flat, kept, strict=False):
        edges = np.linspace(run.matrix.quantiles[0], run.matrix.quantiles[-1], BINS + 1)
        axes.stairs(np.maximum(run.matrix.histogram, 0.5), edges, baseline=0.5, fill=True,
                    color=LOOKS[VARIANTS[run.variant].start][1])  # fmt: skip
        bits = run.course[-1, COURSE.index("entropy")]
        axes.set(yscale="log", ylim=(0.5, None))
        axes.set_title(f"{run.variant}, {bits:.2f} bits", loc="left", fontsize="medium")
    for axes in panels.flat[len(kept) :]:
        axes.set_visible(False)
    figure.supxlabel("weight", fontsize="medium")
    figure.supylabel("number of weights", fontsize="medium")
    return figure


def matrices(kept: Sequence[KeptRun]) -> Figure:
    """Kept entries of trained matrices, neurons sorted by community.

    Parameters
    ----------
    kept : sequence of KeptRun
        A few runs; without any the figure says so.

    Returns
    -------
    Figure
        Red: positive, blue: negative, white: not kept. The scale of each panel ends at the 95th
        percentile of the kept magnitudes off the diagonal, which its title gives.
    """
    if not kept:
        return _without("No matrices are kept")
    rows = -(-len(kept) // 2)
    figure = Figure(figsize=(WIDTH, 1.0 + 3.3 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, run in zip(panels.flat, kept, strict=False):
        label = topology.communities(run.matrix.graph())
        order = np.argsort(label, kind="stable")
        dense = run.matrix.dense()[np.ix_(order, order)]
        off = np.abs(dense[~np.eye(len(dense), dtype=bool)])
        limit = float(np.percentile(off[off > 0], 95)) if off.any() else 1.0
        image = axes.imshow(dense / limit, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="none")
        sizes = np.bincount(label)
        for stop in np.cumsum(sizes)[sizes > 5]:
            axes.axhline(stop - 0.5, color="0.6", linewidth=0.5)
            axes.axvline(stop - 0.5, color="0.6", linewidth=0.5)
        ticks = (0, len(dense) - 1)
        axes.set(xticks=ticks, yticks=ticks, xlabel="to neuron", ylabel="from neuron")
        axes.set_title(f"{run.variant}, ±{limit:.1g}", loc="left", fontsize="medium")
    for axes in panels.flat[len(kept) :]:
        axes.set_visible(False)
    bar = figure.colorbar(image, ax=panels, location="bottom", shrink=0.6, extend="both")
    bar.set_label("weight in units of the number in the title")
    return figure


def node_link(
    kept: Sequence[KeptRun], *, positions: ArrayLike | None = None, n_edges: int = 400
) -> Figure:
    """Draw the strongest connections as lines between neurons.

    Parameters
    ----------
    kept : sequence of KeptRun
        A few runs; without any the figure says so.
    positions : array_like, shape (N, 2), optional
        Where the neurons are: x and z in micrometres; without it each graph lays itself out by
        springs.
    n_edges : int
        How many connections are drawn.

    Returns
    -------
    Figure
        Neurons coloured by community, the nine largest; smaller ones in grey.

    Raises
    ------
    ValueError
        If there are not as many positions as neurons.
    """
    if not kept:
        return _without("No graphs are kept")
    rows = -(-len(kept) // 2)
    height = 3.3
    if positions is not None:
        x, y = np.ptp(np.asarray(positions), axis=0)
        height = 0.9 + 2.4 * y / x
    figure = Figure(figsize=(WIDTH, 0.3 + height * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, run in zip(panels.flat, kept, strict=False):
        graph = run.matrix.graph()
        shown = _strongest_links(run.matrix.dense(), n_edges)
        places = _spring(len(graph), shown) if positions is None else np.asarray(positions)
        if len(places) != len(graph):
            raise ValueError(f"positions: {len(places)} of them, expected {len(graph)}")
        label = topology.communities(graph)
        ends = places[shown]
        axes.plot(ends[:, :, 0].T, ends[:, :, 1].T, color="0.6", linewidth=0.4, zorder=0)
        colours = [palette[i] if i < 9 and i != 7 else "0.7" for i in label]
        axes.scatter(*places.T, c=colours, s=9, linewidths=0)
        axes.set_title(f"{run.variant}, {run.task}", loc="left", fontsize="medium")
        _axes_of_places(axes, positions is not None)
    for axes in panels.flat[len(kept) :]:
        axes.set_visible(False)
    return figure


def _strongest_links(dense: NDArray[np.float64], n_edges: int) -> NDArray[np.int64]:
    """Pairs (edges, 2) of the largest magnitudes, in either direction."""
    magnitude = np.triu(np.maximum(np.abs(dense), np.abs(dense.T)), 1)
    order = np.argsort(-magnitude, axis=None, kind="stable")[:n_edges]
    pairs = np.stack(np.unravel_index(order, dense.shape), axis=1)
    return np.asarray(pairs[magnitude[pairs[:, 0], pairs[:, 1]] > 0])


def _spring(n: int, shown: NDArray[np.int64]) -> NDArray[np.float64]:
    """Place n neurons by springs along the connections shown, shape (n, 2)."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(shown.tolist())
    placed = nx.spring_layout(graph, seed=0, iterations=40)
    return np.array([placed[i] for i in range(n)])


def _axes_of_places(axes: Axes, measured: bool) -> None:
    """Label axes in micrometres where positions are measured; springs have no unit."""
    axes.set_aspect("equal")
    if measured:
        axes.set(xlabel="x (µm)", ylabel="z (µm)")
    else:
        axes.set(xticks=[], yticks=[], xlabel="spring layout", ylabel="no unit")


def _without(what: str) -> Figure:
    """Say in the place of a figure that there is nothing to show."""
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    axes = figure.subplots()
    axes.text(0.5, 0.5, f"{what} for this field and arm.", ha="center", va="center",
              transform=axes.transAxes)  # fmt: skip
    axes.set(xticks=[], yticks=[])
    return figure
