"""Figures of the chapter on tasks: what a network sees, and how well one could answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    from cortexrnn.networks.tasks import Task

__all__ = ["psychometric", "trial"]

BLUE, ORANGE = palette[0], palette[1]


def trial(task: Task, inputs: ArrayLike, target: int) -> Figure:
    """Input of one trial, periods named above it and the right answer in the title.

    Parameters
    ----------
    task : Task
        Gives the names of periods, channels and classes.
    inputs : array_like, shape (T, I)
        Activity of the channels.
    target : int
        The right class.

    Returns
    -------
    Figure
        Heat map of channels over steps.

    Raises
    ------
    ValueError
        If the input or the class is none of this task.
    """
    values = np.asarray(inputs, dtype=float)
    if values.shape != (task.n_steps, task.n_channels):
        raise ValueError(
            f"inputs have shape {values.shape}; a trial of {task.name!r} has "
            f"({task.n_steps}, {task.n_channels})"
        )
    if not 0 <= target < task.n_classes:
        raise ValueError(f"target is {target}; {task.name!r} has classes 0 to {task.n_classes - 1}")
    figure = Figure(figsize=(WIDTH, 1.9 + 0.24 * task.n_channels), layout="constrained")
    axes = figure.subplots()
    extent = (0, task.n_steps, task.n_channels - 0.5, -0.5)
    image = axes.imshow(
        values.T, aspect="auto", extent=extent, cmap="Greys", vmin=0, vmax=max(1.0, values.max()),
        interpolation="none",
    )  # fmt: skip
    figure.colorbar(image, label="input")
    axes.set(xlabel="time (steps)", ylabel="channel")
    axes.set_yticks(range(task.n_channels), task.channel_names)
    periods = [period for period in task.periods if period[2] > period[1]]
    for _, start, _ in periods[1:]:
        axes.axvline(start, color=ORANGE, linewidth=1.5)
    top = axes.secondary_xaxis("top")
    top.set_xticks([(a + b) / 2 for _, a, b in periods], [name for name, _, _ in periods])
    top.tick_params(length=0)
    for (_, a, b), label in zip(periods, top.get_xticklabels(), strict=True):
        if b - a < 0.08 * task.n_steps:
            label.set(rotation=30, ha="left")
    axes.set_title(f"right answer: {task.class_names[target]}", loc="left")
    return figure


def psychometric(curve: pd.DataFrame) -> Figure:
    """Accuracy of an observer against the strength of the signal.

    Parameters
    ----------
    curve : DataFrame
        Columns ``coherence`` (percent), ``accuracy`` (share of right answers), ``predicted``
        (the same by a formula) and ``trials``.

    Returns
    -------
    Figure
        Points with 95 % intervals inside the predicted ones.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = {"coherence", "accuracy", "predicted", "trials"} - set(curve.columns)
    if missing:
        raise ValueError(f"curve lacks the columns {sorted(missing)}")
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    p, n = curve["accuracy"], curve["trials"]
    error = 1.96 * np.sqrt((p * (1 - p) + 1 / n) / n)
    x = curve["coherence"]
    axes.plot(x, curve["predicted"], "D", ms=12, mfc="none", color=ORANGE, label="from the formula")
    axes.errorbar(x, p, error, fmt="o", color=BLUE, capsize=3, label="simulated")
    smallest = x[x > 0].min()
    axes.set_xscale("symlog", linthresh=smallest if np.isfinite(smallest) else 1.0)
    axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
    axes.minorticks_off()
    axes.axhline(0.5, color="0.7", linestyle=":")
    axes.set(xlabel="coherence (%)", ylabel="share of right answers", ylim=(0.4, 1.03))
    axes.set_title(f"{n.min():,.0f} trials per point", loc="left")
    axes.legend(loc="center right")  # away from both levels: nothing of it looks like data
    return figure
