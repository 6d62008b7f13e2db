"""Figures of strong self-connections are labelled, and refuse tables without rows."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence.dose_response import ACCOUNTS, DOSE_RESPONSE
from cortexrnn.evidence.intervals import share_interval
from cortexrnn.figures import dose_response as figures
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import AT_DOSE
from tests.figures.test_chapters import assert_labelled


def shares(starts=("W*", "orthogonal"), fields=("a", "b")):
    rows = [
        (start, count, task, field, 20, 5, 0.25, *share_interval(5, 20), 0.5, 0.5)
        for (start, count), task, field in itertools.product(AT_DOSE, TASKS, fields)
        if start in starts
    ]
    return pd.DataFrame(rows, columns=[*DOSE_RESPONSE, *ACCOUNTS])


def test_shares_stand_beside_both_predicted_curves():
    figure = figures.dose_response(shares())
    assert_labelled(figure)
    assert len(figure.axes) == 2 * len(TASKS)
    curves = [line for line in figure.axes[0].lines if line.get_linestyle() in ("-", "--")]
    assert {line.get_linestyle() for line in curves if len(line.get_ydata()) == 9} == {"-", "--"}
    assert_labelled(figures.dose_response(shares(starts=("W*",), fields=("a",))))


def runs():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"field": np.repeat(["a", "b"], 30), "task": np.tile(list(TASKS), 20),
         "strong": rng.integers(1, 4, 60), "separation": rng.random(60),
         "accuracy": rng.random(60)}
    )  # fmt: skip


def test_every_run_is_a_mark():
    figure = figures.separation_and_accuracy(runs())
    assert_labelled(figure)
    marks = sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines
                if line.get_linestyle() == "None")  # fmt: skip
    assert marks == len(runs())
    one = runs()[lambda table: table["task"] == "go_nogo"]
    assert_labelled(figures.separation_and_accuracy(one))  # a panel without runs


def test_traces_are_heavy_while_a_unit_remembers():
    rows = [
        {"identity": str(learned), "task": "go_nogo", "learned": learned, "update": update,
         "unit": unit, "self_connection": 0.9 - 0.8 * unit, "separation": float(learned)}
        for learned, update, unit in itertools.product((False, True), (0, 5, 10), (0, 1))
    ]  # fmt: skip
    figure = figures.traces(pd.DataFrame(rows), needed=dict.fromkeys(TASKS, 0.75))
    assert_labelled(figure)
    failed, succeeded = figure.axes
    for axes, heavy in ((failed, 0), (succeeded, 3)):
        thick = [line for line in axes.lines if line.get_linewidth() > 2]
        assert len(thick) == 1  # the second unit starts below half the needed weight
        assert np.isfinite(np.asarray(thick[0].get_ydata(), dtype=float)).sum() == heavy


@pytest.mark.parametrize(
    ("figure", "empty"),
    [
        (figures.dose_response, shares().iloc[:0]),
        (figures.separation_and_accuracy, runs().iloc[:0]),
        (lambda table: figures.traces(table, needed={}), runs().iloc[:0]),
    ],
)
def test_tables_without_rows_are_refused(figure, empty):
    with pytest.raises(ValueError, match="table: expected"):
        figure(empty)
