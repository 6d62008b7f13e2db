"""Figure of effects at several matches of the strength of penalties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from cortexrnn.evidence.equal_norms import MATCHES
from cortexrnn.evidence.headline_effects import MEAN
from cortexrnn.figures.panels import points, row_panels
from cortexrnn.figures.style import WIDTH, palette

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["effects_by_match"]

LOOKS = dict(
    zip(
        MATCHES,
        (("0.35", "D"), (palette[1], "o"), (palette[1], "s"), (palette[0], "^"), (palette[0], "v")),
        strict=True,
    )
)
"""Colour and marker of every match: colours tell gradients from norms."""
STEP = 0.16
"""Between marks of one row."""


def effects_by_match(table: pd.DataFrame, *, label: str = "difference in accuracy") -> Figure:
    """Effects as published, at equal gradient and at equal norm, one panel per field.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`cortexrnn.evidence.equal_norms.by_match`.
    label : str
        What is on the axis.

    Returns
    -------
    Figure
        One row per effect; marks: mean over tasks with its interval, by match; dots: the single
        tasks. Matches that have no runs on any field are left out.

    Raises
    ------
    ValueError
        If the table has no rows with runs.
    """
    recorded = table[table["seeds"] > 0]
    if recorded.empty:
        raise ValueError("table: expected effects with runs, at least one")
    figure, axes_of, names = row_panels(recorded, label, rows="effect", panels="field")
    figure.set_size_inches(WIDTH, 1.5 + 0.8 * len(names))
    next(iter(axes_of.values())).set_ylabel("effect")
    looks = {match: LOOKS[match] for match in MATCHES if match in set(recorded["match"])}
    for field, axes in axes_of.items():
        axes.axvline(0, color="0.5", lw=1)
        for number, (match, (colour, mark)) in enumerate(looks.items()):
            cells = recorded[(recorded["field"] == field) & (recorded["match"] == match)]
            shift = STEP * (number - (len(looks) - 1) / 2)
            place = cells["effect"].map(names.index).astype(float) + shift
            is_mean = cells["task"] == MEAN
            axes.plot(cells["difference"][~is_mean], place[~is_mean], ".", ms=6, mew=0,
                      color=colour, alpha=0.55)  # fmt: skip
            means, place = cells[is_mean], place[is_mean]
            ends = (means["difference_low"], means["difference_high"])
            axes.hlines(place, *ends, color=colour, lw=1.8)
            points(axes, means["difference"], place, mark=mark, face=colour, edge="white", size=6)
    handles = [
        Line2D([], [], color=colour, marker=mark, label=match)
        for match, (colour, mark) in looks.items()
    ]
    handles.append(Line2D([], [], color="0.35", ls="", marker=".", label="single tasks"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
