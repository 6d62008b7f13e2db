"""Figures of the chapter on networks: penalties at the start, learning, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.figures.checks import off_diagonal, square
from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    from cortexrnn.networks.training import Result

__all__ = ["before_after", "final_accuracy", "learning_curves", "penalty_gradients"]


def penalty_gradients(gradients: pd.Series) -> Figure:
    """Draw the penalty gradient of each variant when training begins.

    Parameters
    ----------
    gradients : Series
        Mean absolute gradient of the penalty over all weights, by variant.

    Returns
    -------
    Figure
        Horizontal bars over a logarithmic axis.

    Raises
    ------
    ValueError
        If a value is not positive.
    """
    if len(gradients) == 0 or not (gradients > 0).all():
        raise ValueError("gradients: expected one positive number for every variant")
    figure = Figure(figsize=(WIDTH, 0.9 + 0.36 * len(gradients)), layout="constrained")
    axes = figure.subplots()
    low = 10 ** np.floor(np.log10(gradients.min()) - 0.2)
    axes.barh(gradients.index, gradients - low, left=low, color=palette[0])
    axes.set(xscale="log", xlim=(low, 30 * gradients.max()))
    axes.set(xlabel="mean |gradient| of the penalty per weight", ylabel="variant")
    axes.invert_yaxis()
    for place, value in enumerate(gradients):
        axes.text(value * 1.15, place, f"{value:.2g}", va="center", fontsize="small")
    return figure


def _checked(results: Sequence[Result]) -> Sequence[Result]:
    """Refuse an empty list and whatever is no result of a run."""
    if not results or not all(hasattr(result, "spec") for result in results):
        raise ValueError(
            "results: expected at least one Result of cortexrnn.networks.training.train"
        )
    return results


def _order(results: Sequence[Result], key: str) -> list[str]:
    """Names of variants or tasks in the order of their first run."""
    return list(dict.fromkeys(str(getattr(result.spec, key)) for result in results))


def learning_curves(results: Sequence[Result], *, levels: dict[str, float]) -> Figure:
    """Accuracy during training, one panel per variant and one line per run.

    Parameters
    ----------
    results : sequence of Result
        The runs.
    levels : dict of str to float
        For each task the accuracy to mark with a dotted line.

    Returns
    -------
    Figure
        Small panels with common axes, tasks in colours.

    Raises
    ------
    ValueError
        If there is no run.
    """
    results = _checked(results)
    names, tasks = _order(results, "variant"), _order(results, "task")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    colours = dict(zip(tasks, palette, strict=False))
    for axes, name in zip(panels.flat, names, strict=False):
        for task in tasks:
            axes.axhline(levels.get(task, np.nan), color=colours[task], linestyle=":", linewidth=1)
        for result in results:
            if str(result.spec.variant) == name:
                values = result.history["accuracy"]
                epochs = np.arange(1, len(values) + 1)
                axes.plot(epochs, values, ".-", color=colours[result.spec.task], alpha=0.8)
        axes.set_title(name, loc="left")
        axes.set(ylim=(0, 1.05))
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    for place, axes in enumerate(panels.flat):  # the lowest panel of a column carries its axis
        axes.tick_params(labelbottom=place + columns >= len(names))
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel("accuracy on training trials", fontsize="medium")
    handles = [Line2D([], [], color=colours[task], marker=".", label=task) for task in tasks]
    handles.append(Line2D([], [], color="0.3", linestyle=":", label="from the last input alone"))
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def final_accuracy(results: Sequence[Result], *, levels: dict[str, float]) -> Figure:
    """Draw validation accuracy after training, one point per run.

    Parameters
    ----------
    results : sequence of Result
        The runs.
    levels : dict of str to float
        For each task the accuracy to mark with a dotted line.

    Returns
    -------
    Figure
        One panel per task; a diverged run is a cross at 0.

    Raises
    ------
    ValueError
        If there is no run.
    """
    results = _checked(results)
    names, tasks = _order(results, "variant"), _order(results, "task")
    figure = Figure(figsize=(WIDTH, 1.2 + 0.3 * len(names) * len(tasks)), layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False, sharex=True)[:, 0]
    for axes, task, colour in zip(panels, tasks, palette, strict=False):
        task_results = [result for result in results if result.spec.task == task]
        for result in task_results:
            place = names.index(str(result.spec.variant))
            value = 0.0 if result.diverged else result.metrics["validation_accuracy"]
            mark = "x" if result.diverged else "o"
            axes.plot(value, place, mark, color=colour, alpha=0.7, clip_on=False)
        axes.axvline(levels.get(task, np.nan), color="0.4", linestyle=":")
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.02), ylabel="variant")
        axes.grid(axis="y", color="0.92")
        seeds = len({result.spec.seed for result in task_results})
        axes.set_title(f"{task}, {seeds} run{'s' * (seeds > 1)} per variant", loc="left")
    panels[-1].set_xlabel("accuracy on validation trials")
    return figure


def before_after(weights: dict[str, tuple[Any, Any]]) -> Figure:
    """Recurrent matrices before and after training, one row per variant.

    Parameters
    ----------
    weights : dict of str to pair of array_like, shape (N, N)
        Matrices before and after, by variant.

    Returns
    -------
    Figure
        Pairs of heat maps; the two of a row share a scale that ends at the 99th percentile of
        absolute weights off the diagonal before training.

    Raises
    ------
    ValueError
        If there is no pair or a matrix is not square.
    """
    if not weights:
        raise ValueError("weights: expected at least one variant with matrices before and after")
    figure = Figure(figsize=(WIDTH, 0.5 + 2.6 * len(weights)), layout="constrained")
    panels = figure.subplots(len(weights), 2, squeeze=False)
    for row, (name, (before, after)) in zip(panels, weights.items(), strict=True):
        first = square(before, f"{name} before")
        second = square(after, f"{name} after", size=len(first))
        limit = np.percentile(np.abs(off_diagonal(first, name)), 99)
        for axes, matrix, when in zip(row, (first, second), ("before", "after"), strict=True):
            image = axes.imshow(
                matrix, vmin=-limit, vmax=limit, cmap="RdBu_r", interpolation="none"
            )
            ticks = (0, len(matrix) - 1)
            axes.set(xticks=ticks, yticks=ticks, xlabel="to neuron", ylabel="from neuron")
            axes.set_title(f"{name}, {when}", loc="left", fontsize="medium")
        figure.colorbar(image, ax=row, extend="both", label="weight", shrink=0.85)
    return figure
