"""Figures of the chapter on the worm: its body, its responses, and what they make of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.figures.checks import named_matrices, soma_um
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.networks.priors import impute_unmeasured

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cortexrnn.fields.field import Field

__all__ = ["accuracies", "body", "responses", "starts"]

MARKS = "osD^"
"""Marks of the fields that are compared."""


def body(field: Field) -> Figure:
    """Neurons along the body, with their synapses, and whether they were part of the recording.

    Parameters
    ----------
    field : Field
        A field whose second axis runs along the body, with responses and a mask.

    Returns
    -------
    Figure
        The whole animal above, its head below.

    Raises
    ------
    ValueError
        If the field has no mask of measured pairs.
    """
    if field.measured is None:
        raise ValueError(f"field {field.name!r} has no mask; expected one with measured=")
    across, along, _ = soma_um(field).T
    points = np.stack([along, across - across.mean()], axis=1)
    groups = {
        "stimulated and observed": (field.measured.any(axis=1), palette[0], "o"),
        "observed only": (~field.measured.any(axis=1), palette[1], "s"),
        "neither": (~field.measured.any(axis=1) & ~field.measured.any(axis=0), "0.45", "x"),
    }
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    panels = figure.subplots(2, 1)
    for axes, end, title in zip(panels, (along.max(), 130.0), ("whole body", "head"), strict=True):
        wires = LineCollection(
            list(points[np.argwhere(field.connectome)]), colors="0.6", linewidths=0.3, alpha=0.3
        )
        axes.add_collection(wires)
        left = np.ones(field.n_neurons, dtype=bool)
        for label, (members, colour, mark) in reversed(groups.items()):
            axes.plot(*points[members & left].T, mark, color=colour, markersize=4, label=label)
            left &= ~members
        axes.set(xlim=(-0.02 * end, 1.02 * end), ylabel="left to right (µm)")
        axes.set_title(title, loc="left")
    panels[1].set_xlabel("from the foremost neuron to the tail (µm)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    return figure


def responses(field: Field) -> Figure:
    """Responses as they were measured, and with what was missing filled in.

    Parameters
    ----------
    field : Field
        A field with responses.

    Returns
    -------
    Figure
        Two heat maps with one colour scale that ends at the 99th percentile of the absolute
        values; missing pairs are grey.

    Raises
    ------
    FieldError
        If the field has no responses.
    """
    measured = field.relation("response")
    high = np.nanpercentile(np.abs(measured), 99)
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    shown = {"measured": measured, "missing filled": impute_unmeasured(field, "response")}
    for axes, (title, matrix) in zip(panels, shown.items(), strict=True):
        axes.set_facecolor("0.8")
        image = axes.imshow(matrix, vmin=-high, vmax=high, cmap="RdBu_r", interpolation="none")
        ticks = (0, len(matrix) // 2, len(matrix) - 1)
        axes.set(xticks=ticks, yticks=ticks)
        axes.set_title(title, loc="left")
        axes.set_xlabel("neuron that responds")
    panels[0].set_ylabel("neuron stimulated")
    figure.colorbar(image, ax=panels, extend="both", shrink=0.8, label="change of fluorescence",
                    location="bottom")  # fmt: skip
    return figure


def starts(weights: dict[str, Any], *, radius: float) -> Figure:
    """Self-connections beside all other weights, and eigenvalues, for several fields.

    Parameters
    ----------
    weights : dict of str to array_like, shape (N, N)
        Title and functional weights; sizes may differ.
    radius : float
        Radius of the circle to draw: the spectral radius that functional weights are given.

    Returns
    -------
    Figure
        A row per matrix: weights as multiples of the mean weight to others, both axes
        logarithmic, dashed lines at the means; and eigenvalues in the complex plane.

    Raises
    ------
    ValueError
        If there is no matrix, one is not square, or one holds a negative weight.
    """
    if not weights:
        raise ValueError("weights: expected at least one matrix by title")
    figure = Figure(figsize=(WIDTH, 0.8 + 2.7 * len(weights)), layout="constrained")
    panels = figure.subplots(len(weights), 2, squeeze=False, sharex="col", width_ratios=(3, 2))
    for (axes, plane), (title, given) in zip(panels, weights.items(), strict=True):
        matrix = named_matrices({title: given}, "weights")[title]
        _eigenvalues(plane, matrix, radius)
        own = np.eye(len(matrix), dtype=bool)
        matrix = matrix / matrix[~own].mean()
        if matrix.min() < 0:
            raise ValueError(f"weights of {title} reach down to {matrix.min():g}; expected >= 0")
        edges = np.geomspace(matrix[matrix > 0].min(), matrix.max() * 1.001, 60)
        for part, colour, label in (
            (~own, palette[0], "to others"),
            (own, palette[1], "to itself"),
        ):
            axes.hist(matrix[part], edges, color=colour, alpha=0.7, label=label)
            axes.axvline(matrix[part].mean(), color=colour, linestyle="--", linewidth=1.5)
        axes.set(xscale="log", yscale="log", ylabel="weights")
        ratio = f"{title}: {matrix[own].mean():.3g} to 1"
        axes.set_title(ratio, loc="left", fontsize="medium")
    panels[-1, 0].set_xlabel("weight / mean weight to others")
    panels[-1, 1].set_xlabel("real part")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _eigenvalues(axes: Axes, matrix: NDArray[np.float64], radius: float) -> None:
    """Draw the eigenvalues of one matrix and a circle."""
    angle = np.linspace(0, 2 * np.pi, 400)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=palette[1], linewidth=1)
    values = np.linalg.eigvals(matrix)
    axes.plot(values.real, values.imag, "o", color=palette[0], markersize=3, alpha=0.6)
    axes.set(aspect="equal", ylabel="imaginary part", yticks=(-1, 0, 1), xticks=(-1, 0, 1))
    axes.set_title("eigenvalues", loc="left", fontsize="medium")


def accuracies(tables: dict[str, pd.DataFrame], *, level: dict[str, float]) -> Figure:
    """Accuracy of every cell in several fields, one panel per task.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Label of a field and its rows of :func:`cortexrnn.evidence.intervals.cell_means`.
    level : dict of str to float
        For each task, in the order of the panels, a value to mark with a dotted line.

    Returns
    -------
    Figure
        Means with 95 % intervals, variants from top to bottom in the order of the first table.

    Raises
    ------
    ValueError
        If there is no table, more than four, or an empty one.
    """
    if not 1 <= len(tables) <= len(MARKS) or any(table.empty for table in tables.values()):
        raise ValueError(f"tables: expected one to {len(MARKS)}, none empty, got {len(tables)}")
    names = list(dict.fromkeys(next(iter(tables.values()))["variant"]))
    figure = Figure(figsize=(WIDTH, 1.6 + 0.42 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(level), squeeze=False, sharey=True, sharex=True)[0]
    shifts = np.linspace(-0.25, 0.25, len(tables)) if len(tables) > 1 else [0.0]
    for axes, task in zip(panels, level, strict=True):
        for table, shift, colour, mark in zip(
            tables.values(), shifts, palette, MARKS, strict=False
        ):
            cells = table[(table["task"] == task) & table["variant"].isin(names)]
            place = cells["variant"].map(names.index).astype(float) + shift
            axes.hlines(place, cells["low"], cells["high"], color=colour, linewidth=2)
            axes.plot(cells["mean"], place, mark, color=colour, markersize=5, clip_on=False)
        axes.axvline(level[task], color="0.4", linestyle=":")
        axes.set_title(task, loc="left", fontsize="medium")
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(0.3, 1.05))
        axes.grid(axis="y", color="0.92")
    panels[0].set_ylabel("variant")
    panels[len(level) // 2].set_xlabel("accuracy")
    handles = [
        Line2D([], [], color=c, marker=m, label=name)
        for name, c, m in zip(tables, palette, MARKS, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
