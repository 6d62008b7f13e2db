"""Figures of the chapter on controls."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cortexrnn.evidence.leaky_units import leaky_accuracy
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import WIDTH, palette
from cortexrnn.networks.neurogym import find_task
from cortexrnn.networks.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = [
    "accuracy_along",
    "beside_reference",
    "claims",
    "gradient_and_accuracy",
    "leaky_unit",
    "predictions",
    "two_ways",
]

OUTCOMES = {
    "confirmed": palette[0],
    "open": "0.35",
    "refuted": palette[3],
    "withdrawn": "0.75",
}
"""Colours of the outcomes of predictions."""

SAYS = {
    "against": palette[4],
    "for": palette[2],
    "neither": "0.55",
    "open": "0.85",
    "cannot tell": "white",
    "not run": "white",
}
"""Colours of what predictions say of the reading of their claim; unlike those of outcomes."""

HATCHES = {"cannot tell": "////"}
"""What tells those of one colour apart."""

TOP = 1.0
"""Where intervals are cut: no accuracy, and no modularity, is higher."""

FARTHEST = 1.25
"""Largest self-connection on the axis; from one on, units remember without loss."""

MARKS = "os^D"
"""Markers of fields or series, in their order."""


def claims(table: pd.DataFrame) -> Figure:
    """Count what predictions say of the reading of each claim, one bar for each and field.

    Those that were withdrawn are left out.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.judgement.outcomes`.

    Returns
    -------
    Figure
        One panel per field; claims from top to bottom.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    _expect(table, "predictions")
    fields, names = (list(dict.fromkeys(table[name])) for name in ("field", "claim"))
    figure, panels = _side_by_side(fields, height=1.3 + 0.36 * len(names))
    for axes, field in zip(panels, fields, strict=True):
        counts = pd.crosstab(table["claim"], table["says"].where(table["field"] == field))
        counts = counts.reindex(index=names, columns=list(SAYS), fill_value=0)
        left = np.zeros(len(names))
        for says, colour in SAYS.items():
            axes.barh(names, counts[says], left=left, color=colour, edgecolor="0.4", lw=0.5,
                      hatch=HATCHES.get(says))  # fmt: skip
            left += counts[says].to_numpy()
    panels[0].invert_yaxis()  # of all, which share it
    panels[len(fields) // 2].set_xlabel("predictions")
    labels = {"against": "against the reading", "for": "for it"}
    handles = [
        Patch(fc=colour, ec="0.4", hatch=HATCHES.get(says), label=labels.get(says, says))
        for says, colour in SAYS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def predictions(table: pd.DataFrame) -> Figure:
    """Difference of each prediction with its interval, beside the bounds that were predicted.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.judgement.outcomes`, one metric.

    Returns
    -------
    Figure
        One row per prediction; bars: predicted; marks: fields, in the colour of the outcome, empty
        where the effect that it is about is not surely there.

    Raises
    ------
    ValueError
        If there is no row with runs, or rows are of several metrics.
    """
    table = table[(table["outcome"] != "not run") & table["difference"].notna()]
    _expect(table, "predictions with runs")
    if table["metric"].nunique() != 1:
        raise ValueError("table: expected predictions about one metric")
    named = table["task"].fillna("")  # None, where a prediction is about all tasks, or NaN
    task = named.map(lambda name: f" ({find_task(name).title})" if name else "")
    # The same two conditions may be compared twice, and once be allowed to differ upwards.
    upwards = ((table["low"] > -1) & (table["high"] == 1)).map({True: " (or more)", False: ""})
    table = table.assign(row=table["condition"] + "\nless " + table["against"] + task + upwards)
    rows, fields = (list(dict.fromkeys(table[name])) for name in ("row", "field"))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.52 * len(rows)), layout="constrained")
    axes = figure.subplots()
    reach = float(np.nanmax(table[["difference_low", "difference_high"]].abs().to_numpy()))
    reach = max(1.15 * reach, 0.3)
    for place, row in enumerate(rows):
        bounds = table[table["row"] == row].iloc[0]
        low, high = max(bounds["low"], -reach), min(bounds["high"], reach)
        axes.barh(place, high - low, left=low, height=0.8, color="0.92", zorder=0)
    for number, field in enumerate(fields):
        on_field = table[table["field"] == field]
        place = on_field["row"].map(rows.index).astype(float) + 0.22 * (
            number - (len(fields) - 1) / 2
        )
        for outcome in on_field["outcome"].unique():
            colour = OUTCOMES[outcome]
            of_outcome = on_field["outcome"] == outcome
            ends = on_field.loc[of_outcome, ["difference_low", "difference_high"]]
            axes.hlines(place[of_outcome], *ends.to_numpy().T, color=colour, lw=2)
            for tells in (True, False):
                chosen = of_outcome & ((on_field["says"] != "cannot tell") == tells)
                points(axes, on_field["difference"][chosen], place[chosen], mark=MARKS[number],
                       face=colour if tells else "white", edge=colour, size=5)  # fmt: skip
    axes.axvline(0, color="0.5", lw=1)
    axes.set_yticks(range(len(rows)), rows, fontsize="small")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(f"difference in {table['metric'].iloc[0]}")
    handles = _handles_of_outcomes(table, fields)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
    return figure


def _handles_of_outcomes(table: pd.DataFrame, fields: Sequence[str]) -> list[Line2D | Patch]:
    """Explain marks, colours and bars of predictions, and what is rare only where it occurs."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color="0.35", marker=MARKS[k], label=f) for k, f in enumerate(fields)
    ]
    handles += [
        Patch(color=colour, label=name)
        for name, colour in OUTCOMES.items()
        if name != "withdrawn" or name in set(table["outcome"])
    ]
    handles.append(Patch(color="0.92", label="predicted"))
    if "cannot tell" in set(table["says"]):
        handles.append(
            Line2D([], [], color="0.35", mfc="white", ls="", marker="o", label="cannot tell")
        )
    return handles


def beside_reference(
    table: pd.DataFrame, *, label: str = "accuracy", rows: str = "control", panels: str = "task"
) -> Figure:
    """Mean of every control with its interval, beside that of its reference.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.control_tables.beside_reference`.
    label : str
        What is on the axis.
    rows, panels : str
        Columns whose values are the rows, and the panels.

    Returns
    -------
    Figure
        Marks: fields; short vertical lines: the reference on that field.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    _expect(table, "controls with runs")
    figure, axes_of, names = row_panels(table, label, rows=rows, panels=panels)
    labels = [fill(name, 28) for name in names]
    next(iter(axes_of.values())).set_yticks(range(len(names)), labels, fontsize="x-small")
    size = "medium" if len(axes_of) < 4 else "small"
    fields = list(dict.fromkeys(table["field"]))
    for title, axes in axes_of.items():
        axes.set_title(fill(title, 44 // len(axes_of)), loc="left", fontsize=size)
        for number, field in enumerate(fields):
            cells = table[(table[panels] == title) & (table["field"] == field)]
            place = cells[rows].map(names.index).astype(float) + 0.24 * (
                number - (len(fields) - 1) / 2
            )
            colour = palette[number]
            axes.hlines(place, cells["low"], cells["high"].clip(upper=TOP), color=colour, lw=2)
            points(axes, cells["mean"], place, mark=MARKS[number], face=colour, edge=colour, size=5)
            axes.vlines(cells["reference_mean"], place - 0.16, place + 0.16, color="0.2", lw=1.5)
    handles = [
        *(Line2D([], [], color=palette[k], marker=MARKS[k], label=f) for k, f in enumerate(fields)),
        Line2D([], [], color="0.2", ls="", marker="|", ms=9, label="its reference"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def gradient_and_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy of every condition against the gradient of its penalty at the start.

    Parameters
    ----------
    table : DataFrame
        Columns ``task, gradient, mean, start, published``: one row per condition and task; `start`
        names the kind of start, `published` tells variants of the paper from controls.

    Returns
    -------
    Figure
        One panel per task, gradient on a logarithmic axis.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    _expect(table, "conditions with runs")
    tasks, starts = (list(dict.fromkeys(table[name])) for name in ("task", "start"))
    figure, panels = _side_by_side(tasks, height=3.3)
    for axes, task in zip(panels, tasks, strict=True):
        for number, start in enumerate(starts):
            conditions = table[(table["task"] == task) & (table["start"] == start)]
            for published in (True, False):
                chosen = conditions[conditions["published"] == published]
                points(axes, chosen["gradient"], chosen["mean"], mark=MARKS[number],
                       face=palette[number] if published else "white",
                       edge=palette[number], size=6)  # fmt: skip
        axes.set_xscale("log")
        axes.grid(color="0.92")
    panels[0].set_ylabel("accuracy")
    panels[len(tasks) // 2].set_xlabel("penalty gradient: mean magnitude per weight at the start")
    _legend_of_starts(figure, starts, empty="control")
    return figure


def accuracy_along(
    table: pd.DataFrame,
    along: str,
    *,
    lines: str,
    label: str,
    published: float | None = None,
) -> Figure:
    """Accuracy against a number that was varied.

    Parameters
    ----------
    table : DataFrame
        Columns `along`, `lines` and ``task, mean, low, high``.
    along : str
        Column on the logarithmic horizontal axis.
    lines : str
        Column whose values have a line each.
    label : str
        What stands below that axis.
    published : float, optional
        The value of the paper, marked by a dotted line.

    Returns
    -------
    Figure
        One panel per task.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    _expect(table, "conditions with runs")
    tasks, names = (list(dict.fromkeys(table[name])) for name in ("task", lines))
    figure, panels = _side_by_side(tasks, height=3.3)
    values = np.unique(table[along])
    for axes, task in zip(panels, tasks, strict=True):
        for number, name in enumerate(names):
            line = table[(table["task"] == task) & (table[lines] == name)].sort_values(along)
            # Beside one another, so that intervals can be told apart.
            place = line[along] * (1 + 0.05 * (number - (len(names) - 1) / 2))
            colour = palette[number]
            axes.vlines(place, line["low"], line["high"].clip(upper=TOP), color=colour, lw=1.5)
            axes.plot(place, line["mean"], color=colour, marker=MARKS[number], ms=5)
        if published is not None:
            axes.axvline(published, color="0.4", ls=":")
        axes.set_xscale("log")
        if values.max() < 100 * values.min():  # too few powers of ten to be read from
            axes.set_xticks(values, [f"{value:,g}" for value in values], fontsize="small")
            axes.minorticks_off()
        axes.grid(color="0.92")
    panels[0].set_ylabel("accuracy")
    panels[len(tasks) // 2].set_xlabel(label)
    handles = [
        Line2D([], [], color=palette[k], marker=MARKS[k], label=name)
        for k, name in enumerate(names)
    ]
    if published is not None:
        handles.append(Line2D([], [], color="0.4", ls=":", label="published"))
    columns = len(handles) if max(map(len, names)) < 12 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def leaky_unit(self_connections: dict[str, np.ndarray]) -> Figure:
    """Accuracy that uncoupled leaky units allow, and the self-connections that starts have.

    Parameters
    ----------
    self_connections : dict of str to ndarray, shape (N,)
        Self-connections of some starts by their name.

    Returns
    -------
    Figure
        Above: accuracy by self-connection for the three tasks. Below: each start's
        self-connections as short lines.
    """
    figure = Figure(figsize=(WIDTH, 3.4 + 0.3 * len(self_connections)), layout="constrained")
    heights = [6, 1 + len(self_connections)]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    weights = np.linspace(0, FARTHEST, 401)
    for number, task in enumerate(TASKS.values()):
        above.plot(weights, leaky_accuracy(task, weights), color=palette[number], lw=2,
                   ls=("-", "--", "-.")[number], label=task.title)  # fmt: skip
    above.set_ylabel("accuracy")
    above.grid(color="0.92")
    above.legend(loc="upper left")
    names = list(self_connections)
    for place, name in enumerate(names):
        values = np.asarray(self_connections[name])
        below.vlines(values, place - 0.35, place + 0.35, color="0.3", lw=0.7, alpha=0.6)
    below.set_yticks(range(len(names)), names)
    below.set_ylim(len(names) - 0.4, -0.6)
    below.set_xlim(-0.02, FARTHEST + 0.02)
    below.set_xlabel("self-connection w")
    return figure


def two_ways(table: pd.DataFrame, *, needed: dict[str, float]) -> Figure:
    """Where trained networks keep what they remember: in a unit, or between units.

    Parameters
    ----------
    table : DataFrame
        Columns ``task, start, largest_self, radius_others, solved``, one row per network.
    needed : dict of str to float
        Self-connection that an uncoupled unit needs, by task.

    Returns
    -------
    Figure
        One panel per task. Horizontal: the largest self-connection; vertical: spectral radius of
        the matrix without its diagonal. Filled: above chance.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    _expect(table, "networks")
    tasks, starts = (list(dict.fromkeys(table[name])) for name in ("task", "start"))
    figure, panels = _side_by_side(tasks, height=3.3)
    for axes, task in zip(panels, tasks, strict=True):
        _mark_thresholds(axes, needed[task])
        for number, start in enumerate(starts):
            networks = table[(table["task"] == task) & (table["start"] == start)]
            for solved in (True, False):
                chosen = networks[networks["solved"] == solved]
                points(axes, chosen["largest_self"], chosen["radius_others"], mark=MARKS[number],
                       face=palette[number] if solved else "white",
                       edge=palette[number], size=6)  # fmt: skip
    panels[0].set_ylabel("spectral radius of the\nstrongest tenth of the rest")
    panels[len(tasks) // 2].set_xlabel("largest self-connection")
    _legend_of_starts(figure, starts, empty="did not learn")
    return figure


def _side_by_side(titles: Sequence[str], *, height: float) -> tuple[Figure, list[Axes]]:
    """Panels in one row with common axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(1, len(titles), squeeze=False, sharey=True, sharex=True)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium")
    return figure, list(panels)


def _legend_of_starts(figure: Figure, starts: Sequence[str], *, empty: str) -> None:
    """Explain colours and markers, and what an empty mark means."""
    handles = [
        Line2D([], [], color=palette[k], ls="", marker=MARKS[k], label=name)
        for k, name in enumerate(starts)
    ]
    handles.append(Line2D([], [], color="0.3", mfc="white", ls="", marker="o", label=empty))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _mark_thresholds(axes: Axes, needed: float) -> None:
    """Mark from where on a unit, or units together, can hold the evidence."""
    axes.axvline(needed, color="0.5", ls=":", lw=1.2)
    axes.axhline(1.0, color="0.5", ls=":", lw=1.2)


def _expect(table: pd.DataFrame, what: str) -> None:
    """Refuse a table without rows."""
    if table.empty:
        raise ValueError(f"table: expected {what}, at least one")
