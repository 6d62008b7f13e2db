"""Lists and parameters as people give them."""

import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from cortexrnn import load_field
from cortexrnn.evidence import control_tables, equivalence, graph_nulls, rank_correlations
from cortexrnn.fields.given import parameters
from cortexrnn.networks import sensitivity
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import plans
from cortexrnn.runs.archive import load_archive
from tools.project import Project
from tools.sync_notebooks import generate, read_cells

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
    assert parameters.names("tasks", given) == expected


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
        parameters.names("tasks", given, least=1)


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
    assert parameters.numbers("shares", given) == expected


@pytest.mark.parametrize(
    "given",
    ["x", None, [True], [None], "6_6_2", ["a"], [float("nan")], "inf", b"12", "٣", [10**400]],
)
def test_what_are_no_numbers_is_refused_in_words(given):
    with pytest.raises(ValueError, match=r"shares is .*; give numbers, as a list or with commas"):
        parameters.numbers("shares", given)


@pytest.mark.parametrize("given", [[0.5], "0.5", [np.float64(1.5)]])
def test_half_a_neuron_is_refused(given):
    with pytest.raises(ValueError, match="give whole numbers"):
        parameters.numbers("sizes", given, whole=True)


@pytest.mark.parametrize("given", [5, np.int64(5), 5.0])
def test_a_number_of_seeds_and_a_seed_are_not_guessed(given):
    with pytest.raises(ValueError, match=r"a number; give range\(5(\.0)?\) or \[5(\.0)?\]"):
        parameters.seeds(given)


def test_seeds_are_read_and_counted_once():
    assert parameters.seeds("0, 3") == parameters.seeds(np.array([0, 3])) == [0, 3]
    with pytest.raises(ValueError, match="give every seed once"):
        parameters.seeds([1, 1])


@pytest.mark.parametrize("given", [[2**63], [-1], str(2**63), [10**400]])
def test_seeds_that_no_file_of_runs_can_hold_are_refused(given):
    with pytest.raises(ValueError, match=r"seeds hold .*; give whole numbers of at least 0 and"):
        parameters.seeds(given)


@pytest.mark.parametrize("given", [b"12", [float("inf")], "٣"])
def test_what_are_no_seeds_is_refused_in_words(given):
    with pytest.raises(ValueError, match=r"seeds is .*; give whole numbers"):
        parameters.seeds(given)


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


# --- parameters of a chapter

CELLS = [
    "",
    "1",
    "field = 'surrogate'  # text\ntasks = [\n    'one'\n]\nn = 3\nx = 1.0\nis_on = True",
]


def settled(**given):
    injected = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in given.items())
    return parameters.settled([*CELLS, injected, "settle()"], given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"tasks": "go_nogo"}, {"tasks": ["go_nogo"]}),
        ({"tasks": "go_nogo,one"}, {"tasks": ["go_nogo", "one"]}),
        ({"tasks": ["go_nogo"]}, {"tasks": ["go_nogo"]}),
        ({"n": "4", "x": 2}, {"n": 4, "x": 2.0}),
        ({"n": 4.0}, {"n": 4}),
        ({"field": "662"}, {"field": "662"}),
        ({"is_on": False}, {"is_on": False}),
    ],
)
def test_a_parameter_gets_the_type_of_its_default(given, expected):
    converted = settled(**given)
    assert converted == expected
    assert [type(value) for value in converted.values()] == [type(v) for v in expected.values()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fild": "6_6_2"}, "no parameter 'fild'; there are: field, tasks, n, x, is_on"),
        ({"field": 662}, "'field' is 662, .*-r keeps text: -r field 6_6_2"),
        ({"n": 4.5}, "parameter 'n' is 4.5, which is no int; its default is 3"),
        ({"n": True}, "parameter 'n' is True"),
        ({"n": None}, "parameter 'n' is None"),
        ({"x": float("nan")}, "parameter 'x' is nan"),
        ({"tasks": [1]}, "parameter 'tasks' is 1, which is no str"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        settled(**given)


def test_nothing_happens_where_papermill_put_nothing():
    assert parameters.settled([*CELLS, "settle()"], {"field": "surrogate"}) == {}
    parameters.settle()  # no notebook at all


@pytest.mark.parametrize("script", Project().sources(), ids=lambda path: path.stem)
def test_every_chapter_settles_its_parameters_first(script):
    cells = [cell for cell in read_cells(script) if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in cells]
    place = next(i for i, tag in enumerate(tags) if "parameters" in tag)
    assert cells[place + 1].source.startswith("settle()\n")


def test_papermill_alone_stops_at_an_unknown_parameter(tmp_path):
    project = Project()
    notebook = nbformat.reads(generate(project.sources()[0], project), as_version=4)
    source = tmp_path / "01.ipynb"
    nbformat.write(notebook, source)
    with pytest.raises(
        papermill.PapermillExecutionError, match="this chapter has no parameter 'fild'"
    ):
        papermill.execute_notebook(
            source, tmp_path / "out.ipynb", parameters={"fild": "6_6_2"}, progress_bar=False,
            kernel_name="python3",
        )  # fmt: skip


# --- the cell that installs


def install_cell() -> str:
    notebook = nbformat.reads(generate(Project().sources()[0], Project()), as_version=4)
    return notebook.cells[2].source


def test_colab_stops_where_installing_failed(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such project >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(RuntimeError, match=r"could not be installed:\nno such project"):
        exec(install_cell(), {})


def test_nothing_is_installed_where_the_package_is(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    exec(install_cell(), {})
