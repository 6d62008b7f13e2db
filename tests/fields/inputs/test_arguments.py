"""Lists and numbers as people give them."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn import load_field
from cortexrnn.evidence import control_tables, equivalence, graph_nulls, rank_correlations
from cortexrnn.fields.inputs import arguments
from cortexrnn.networks import sensitivity
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import plans
from cortexrnn.runs.archive import load_archive

FIELD = load_field("surrogate_16")


# --- lists


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("go_nogo", ["go_nogo"]),
        ("go_nogo, perceptual,", ["go_nogo", "perceptual"]),
        (["go_nogo"], ["go_nogo"]),
        (("a", "b"), ["a", "b"]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        ({"a": 1}, ["a"]),
        ([], []),
    ],
)
def test_names_come_as_one_with_commas_or_as_a_list(given, expected):
    assert arguments.names("tasks", given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "tasks is 3; give names"),
        (None, "tasks is None; give names"),
        (["a", 3], "tasks holds 3, which is no name"),
        (["a", "b", "a"], "tasks holds 'a' more than once"),
        ("", "tasks is empty"),
        ([], "tasks is empty"),
    ],
)
def test_what_is_no_list_of_names_is_refused_in_words(given, message):
    with pytest.raises(ValueError, match=message):
        arguments.names("tasks", given, least=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.5, [0.5]),
        ("0.5", [0.5]),
        ("0.1, 0.2", [0.1, 0.2]),
        (np.array([0.1, 0.2]), [0.1, 0.2]),
        (np.float64(2), [2.0]),
        (range(3), [0.0, 1.0, 2.0]),
    ],
)
def test_numbers_come_as_one_with_commas_or_as_a_list(given, expected):
    assert arguments.numbers("shares", given) == expected


@pytest.mark.parametrize(
    "given",
    ["x", None, [True], [None], "6_6_2", ["a"], [float("nan")], "inf", b"12", "٣", [10**400]],
)
def test_what_are_no_numbers_is_refused_in_words(given):
    with pytest.raises(ValueError, match=r"shares is .*; give numbers, as a list or with commas"):
        arguments.numbers("shares", given)


@pytest.mark.parametrize("given", [[0.5], "0.5", [np.float64(1.5)]])
def test_half_a_neuron_is_refused(given):
    with pytest.raises(ValueError, match="give whole numbers"):
        arguments.numbers("sizes", given, whole=True)


@pytest.mark.parametrize("given", [5, np.int64(5), 5.0])
def test_a_number_of_seeds_and_a_seed_are_not_guessed(given):
    with pytest.raises(ValueError, match=r"a number; give range\(5(\.0)?\) or \[5(\.0)?\]"):
        arguments.seeds(given)


def test_seeds_are_read_and_counted_once():
    assert arguments.seeds("0, 3") == arguments.seeds(np.array([0, 3])) == [0, 3]
    with pytest.raises(ValueError, match="give every seed once"):
        arguments.seeds([1, 1])


@pytest.mark.parametrize("given", [[2**63], [-1], str(2**63), [10**400]])
def test_seeds_that_no_file_of_runs_can_hold_are_refused(given):
    with pytest.raises(ValueError, match=r"seeds hold .*; give whole numbers of at least 0 and"):
        arguments.seeds(given)


@pytest.mark.parametrize("given", [b"12", [float("inf")], "٣"])
def test_what_are_no_seeds_is_refused_in_words(given):
    with pytest.raises(ValueError, match=r"seeds is .*; give whole numbers"):
        arguments.seeds(given)


# --- where lists are taken


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ({"variants": "W*D*C"}, 9),
        ({"variants": VARIANTS["W*D*C"]}, 9),
        ({"variants": "W*D*C,W"}, 18),
        ({"tasks": "go_nogo"}, 33),
        ({"seeds": "0,1"}, 66),
        ({"seeds": range(2)}, 66),
    ],
)
def test_a_plan_understands(asked, runs):
    assert len(plans.plan(FIELD, **asked)) == runs


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seeds": 5}, r"seeds is 5, a number; give range\(5\) or \[5\]"),
        ({"seeds": []}, "seeds is empty"),
        ({"variants": []}, "variants is empty"),
        ({"variants": 3}, "variants is 3; give names"),
        ({"variants": ["W", "W"]}, "variants holds 'W' more than once"),
        ({"tasks": None}, "tasks is None; give names"),
    ],
)
def test_a_plan_refuses_in_words(asked, message):
    with pytest.raises(ValueError, match=message):
        plans.plan(FIELD, **asked)


def test_functions_that_take_names_take_one():
    runs = load_archive()
    cells = runs[(runs["field"] == "5_3_4") & (runs["arm"] == "corr")]
    cells = cells[(cells["protocol"] == "published") & cells["variant"].isin(list(VARIANTS))]
    cells = cells.drop_duplicates(["variant", "task", "seed"])
    correlated = rank_correlations.rank_correlations(cells, metrics="entropy")
    assert correlated.equals(rank_correlations.rank_correlations(cells, metrics=["entropy"]))
    both = equivalence.equivalence(cells, cells, by="task", metrics="accuracy")
    assert list(both["task"]) == list(dict.fromkeys(cells["task"]))
    assert set(control_tables.findings(runs, fields="5_3_4")["field"]) == {"5_3_4"}


def test_functions_that_take_numbers_take_one():
    field = load_field("surrogate_30")
    table = sensitivity.sweep(field, bins_s=0.5, windows_s=[])
    assert list(table["setting"]) == ["bin", "redraw"]
    with pytest.raises(ValueError, match="seeds is 5, a number"):
        graph_nulls.starts(field, seeds=5)
