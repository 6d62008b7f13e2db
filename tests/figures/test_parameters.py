"""Parameters of a chapter, as people give them."""

import ast
import subprocess
import sys

import nbformat
import papermill
import pytest

from cortexrnn.figures import parameters
from tools.project import Project
from tools.sync_notebooks import generate, read_cells

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
    statements = ast.parse(cells[place + 1].source).body
    first = next(one for one in statements if not isinstance(one, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "settle()"


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
