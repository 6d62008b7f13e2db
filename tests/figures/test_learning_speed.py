"""Figures on speed, generalisation, sign and dependence: labelled, and refusing what is empty."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn.figures import learning_speed as figures

EFFECTS = pd.DataFrame(
    {
        "field": ["6_6_2", "6_6_2", "5_3_4"], "task": ["go_nogo"] * 3,
        "kind": ["D* for D", "W* for W", "W* for W"],
        "row": ["WD* / WD", "W*D*C / WD*C", "W*D*C / WD*C"],
        "gain": [0.0, 5.0, 1.0], "gain_low": [np.nan, 2.0, -1.0], "gain_high": [np.nan, 8.0, 3.0],
    }
)  # fmt: skip


def marks(axes):
    """Faces of the marks of a panel by their horizontal place."""
    return {
        float(line.get_xdata()[0]): line.get_markerfacecolor()
        for line in axes.lines
        if line.get_marker() not in ("None", "", None)
    }


def test_a_mark_is_filled_where_the_interval_excludes_zero():
    figure = figures.differences_by_field(EFFECTS, name="gain", label="epochs saved")
    axes = figure.axes[0]
    faces = marks(axes)
    assert faces[0.0] == "white" and faces[1.0] == "white" and faces[5.0] != "white"
    assert axes.get_xlabel() == "epochs saved"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["W*D*C / WD*C", "WD* / WD"]
    with pytest.raises(ValueError, match="rows with gain"):
        figures.differences_by_field(EFFECTS.assign(gain=np.nan), name="gain", label="")


def test_axis_reaches_over_the_intervals_of_all_panels():
    wide = EFFECTS.iloc[[1]].assign(task="perceptual", gain=9.0, gain_high=12.0)
    table = pd.concat([EFFECTS, wide], ignore_index=True)
    figure = figures.differences_by_field(table, name="gain", label="")
    assert figure.axes[0].get_xlim()[1] >= 12
    fixed = figures.differences_by_field(table, name="gain", label="", limits=(-2, 2))
    assert fixed.axes[0].get_xlim() == (-2, 2)


def test_curves_are_drawn_for_one_field_and_sign():
    epochs = np.arange(4)
    table = pd.concat(
        pd.DataFrame({"variant": variant, "epoch": epochs, "share": epochs / rate})
        for variant, rate in {"W*D*C": 3, "WD*C": 6, "W!D*C": 4}.items()
    ).assign(field="6_6_2", sign="free", task="go_nogo")
    figure = figures.shares_learned(table)
    axes = figure.axes[0]
    assert axes.get_ylabel() and axes.get_xlabel()
    ends = sorted(float(line.get_ydata()[-1]) for line in axes.lines)
    assert ends == pytest.approx([0.5, 0.75, 1.0])
    assert len({line.get_color() for line in axes.lines}) == 3
    with pytest.raises(ValueError, match="one field and one sign"):
        figures.shares_learned(pd.concat([table, table.assign(sign="positive")]))


def test_runs_are_points_of_both_accuracies():
    runs = pd.DataFrame(
        {"task": ["go_nogo"] * 3, "variant": ["W*D*C", "WD", "W"],
         "accuracy": [1.0, 0.5, np.nan], "validation_accuracy": [1.0, 0.51, np.nan]}
    )  # fmt: skip
    axes = figures.validation_against_training(runs).axes[0]
    assert sorted(marks(axes)) == [0.5, 1.0]
    with pytest.raises(ValueError, match="both accuracies"):
        figures.validation_against_training(runs.iloc[2:])


def test_published_correlations_lie_above_the_diagonal():
    table = pd.DataFrame(
        {"first": ["accuracy"], "second": ["loss"], "correlation": [-0.5], "published": [0.25]}
    )
    axes = figures.dependence_matrix(table).axes[0]
    values = axes.images[0].get_array()
    assert values[0, 1] == 0.25 and values[1, 0] == -0.5
    with pytest.raises(ValueError, match="pairs of metrics"):
        figures.dependence_matrix(table.iloc[:0])
