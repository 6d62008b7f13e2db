"""Figures of strong self-connections: how many a network needs, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexrnn.evidence.dose_response import ACCOUNTS, predicted_share
from cortexrnn.evidence.leaky_units import INPUT_NOISE, level_without_memory
from cortexrnn.figures.panels import points
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.networks.tasks import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dose_response", "separation_and_accuracy", "traces"]

MARKS = "os^D"
"""Markers of fields, in their order."""
DASHES = dict(zip(ACCOUNTS, ("-", "--"), strict=True))
"""Lines of the two accounts."""
NUMBERS = ("one strong unit", "two or more")
"""Starts by how many strong units they have, in the order of their colours."""


def dose_response(table: pd.DataFrame) -> Figure:
    """Share of runs that learned against the number of strong self-connections.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.dose_response.dose_response`.

    Returns
    -------
    Figure
        One row per start, one panel per task; marks: fields, with exact 95 % intervals; lines: what
        the two accounts predict.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table: expected runs with a number of strong self-connections")
    starts, fields = (list(dict.fromkeys(table[name])) for name in ("start", "field"))
    counts = sorted(set(table["count"]))
    figure = Figure(figsize=(WIDTH, 1.4 + 1.9 * len(starts)), layout="constrained")
    panels = figure.subplots(len(starts), len(TASKS), squeeze=False, sharex=True, sharey=True)
    along = np.arange(max(counts) + 1)
    for row, start in zip(panels, starts, strict=True):
        for axes, (task, made) in zip(row, TASKS.items(), strict=True):
            for account, dash in DASHES.items():
                predicted = [predicted_share(task, int(k), needed=account) for k in along]
                axes.plot(_placed(along), predicted, color="0.35", ls=dash, lw=1.4, zorder=1)
            cells = table[(table["start"] == start) & (table["task"] == task)]
            _shares(axes, cells, fields)
            axes.set_title(f"{made.title}\n{start}", loc="left", fontsize="small")
            axes.set_xticks(_placed(counts), counts)
            axes.set_ylim(-0.04, 1.04)
    panels[-1][len(TASKS) // 2].set_xlabel("units with a strong self-connection")
    figure.supylabel("share of runs that learned")
    handles = [
        Line2D([], [], color=palette[k], marker=MARKS[k], label=field)
        for k, field in enumerate(fields)
    ]
    handles += [
        Line2D([], [], color="0.35", ls=dash, label=f"predicted: {account}")
        for account, dash in DASHES.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _placed(counts: object) -> np.ndarray:
    """Places of counts on an axis that gives small ones more room."""
    return np.asarray(np.sqrt(np.asarray(counts, dtype=float)))


def _shares(axes: Axes, cells: pd.DataFrame, fields: list[str]) -> None:
    """Draw shares with their intervals, fields side by side."""
    for number, field in enumerate(fields):
        own = cells[cells["field"] == field]
        x = _placed(own["count"]) + 0.09 * (number - (len(fields) - 1) / 2)
        colour = palette[number]
        axes.vlines(x, own["low"], own["high"], color=colour, lw=1.6)
        points(axes, x, own["share"], mark=MARKS[number], face=colour, edge=colour, size=4)


def separation_and_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy of runs against what the uncoupled units of their start can remember.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.units.runs_with_features`.

    Returns
    -------
    Figure
        One panel per task, one mark per run, in the shape of its field; colours: one strong unit,
        or more. Dotted: the noise of one step, and the accuracy without memory.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table: expected runs, at least one")
    fields = list(dict.fromkeys(table["field"]))
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    panels = figure.subplots(1, len(TASKS), sharex=True, sharey=True)
    for axes, (task, made) in zip(panels, TASKS.items(), strict=True):
        axes.axvline(INPUT_NOISE, color="0.5", ls=":", lw=1.2)
        axes.axhline(level_without_memory(made), color="0.5", ls=":", lw=1.2)
        for number, field in enumerate(fields):
            runs = table[(table["task"] == task) & (table["field"] == field)]
            for place, few in enumerate((False, True)):  # single units last, to lie above
                chosen = runs[(runs["strong"] < 2) == few]
                points(axes, chosen["separation"], chosen["accuracy"], mark=MARKS[number],
                       face="none", edge=palette[1 - place], size=4)  # fmt: skip
        axes.set_title(made.title, loc="left", fontsize="small")
        axes.set_xscale("symlog", linthresh=INPUT_NOISE / 10)
        axes.set_xticks([0, 0.05, 1], ["0", "0.05", "1"])
        axes.set_xlim(-0.001, None)
    panels[0].set_ylabel("accuracy")
    panels[len(TASKS) // 2].set_xlabel("separation by uncoupled units (largest input weights)")
    handles = [
        Line2D([], [], color="0.35", mfc="none", ls="", marker=MARKS[k], label=field)
        for k, field in enumerate(fields)
    ]
    handles += [
        Line2D([], [], color=palette[place], lw=3, label=name) for place, name in enumerate(NUMBERS)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def traces(table: pd.DataFrame, *, needed: dict[str, float]) -> Figure:
    """Self-connections of the strongest units while runs fail or succeed.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.units.load_traces`, of one field.
    needed : dict of str to float
        Self-connection that an uncoupled unit needs, by task.

    Returns
    -------
    Figure
        One row per task; left: runs that did not learn, right: runs that did. One line per unit
        that started above half the needed self-connection, heavy while it is not silent: while it
        tells apart what only memory can by more than the noise of one step. Dotted: the needed
        self-connection.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table: expected traces of runs")
    tasks = [name for name in TASKS if name in set(table["task"])]
    figure = Figure(figsize=(WIDTH, 1.2 + 1.7 * len(tasks)), layout="constrained")
    panels = figure.subplots(len(tasks), 2, squeeze=False, sharex=True, sharey=True)
    for row, task in zip(panels, tasks, strict=True):
        for axes, learned in zip(row, (False, True), strict=True):
            runs = table[(table["task"] == task) & (table["learned"] == learned)]
            _trace_units(axes, runs, least=needed[task] / 2)
            axes.axhline(needed[task], color="0.4", ls=":", lw=1.2)
            n_runs, outcome = runs["identity"].nunique(), "learned" if learned else "failed"
            title = f"{TASKS[task].title}: {n_runs} {outcome}"
            axes.set_title(title, loc="left", fontsize="small")
    panels[-1][0].set_xlabel("update")
    panels[-1][1].set_xlabel("update")
    figure.supylabel("self-connection")
    handles = [
        Line2D([], [], color=palette[0], lw=2.2, label="the unit tells cues apart"),
        Line2D([], [], color="0.6", lw=0.9, label="it is silent"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _trace_units(axes: Axes, runs: pd.DataFrame, *, least: float) -> None:
    """Draw one line per unit, and over it the parts in which it remembers."""
    for _, unit in runs.groupby(["identity", "unit"], sort=False):
        unit = unit.sort_values("update")
        if unit["self_connection"].iloc[0] < least:
            continue
        axes.plot(unit["update"], unit["self_connection"], color="0.6", lw=0.9, zorder=1)
        awake = unit["self_connection"].where(unit["separation"] > INPUT_NOISE)
        # A dot for each look, since a unit that is heard once has no line.
        axes.plot(unit["update"], awake, color=palette[0], lw=2.2, marker=".", ms=3, alpha=0.6,
                  zorder=2)  # fmt: skip
