"""Notebooks and the scripts that they come from."""

import ast
import statistics
from pathlib import Path

import nbformat
import pytest

from tools import parameters
from tools.project import Project
from tools.sync_notebooks import drifted, read_cells

PROJECT = Project()
SCRIPTS = PROJECT.sources()
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def code_cells(script: Path) -> list[str]:
    return [cell.source for cell in read_cells(script) if cell.cell_type == "code"]


def without_magics(source: str) -> str:
    return "\n".join(
        line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))
    )


def only_imports(source: str) -> bool:
    """Whether a cell names what the chapter takes from where, and does nothing else."""
    body = ast.parse(without_magics(source)).body
    return all(isinstance(one, ast.Import | ast.ImportFrom) for one in body)


def test_every_notebook_is_what_its_script_gives() -> None:
    assert [path.name for path, _ in drifted(PROJECT)] == [], "run 'make sync'"


def test_the_book_has_every_chapter_once() -> None:
    assert SCRIPTS, "there are no chapters"
    assert sorted(PROJECT.chapters()) == SCRIPTS


@each_script
def test_notebook_carries_no_outputs(script: Path) -> None:
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@each_script
def test_one_cell_holds_the_parameters(script: Path) -> None:
    tags = [tag for cell in read_cells(script) for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1
    assert isinstance(parameters.defaults(script).get("field"), str)


@each_script
def test_no_prose_is_lost_as_a_comment(script: Path) -> None:
    prose = [cell.source for cell in read_cells(script) if cell.cell_type == "markdown"]
    lost = [line for text in prose for line in text.splitlines() if line.startswith("%")]
    assert not lost, "a line that begins with a percent sign is not rendered"


@each_script
def test_cells_are_short(script: Path) -> None:
    worked = [cell for cell in code_cells(script) if not only_imports(cell)]
    lengths = [len([line for line in cell.splitlines() if line]) for cell in worked]
    assert max(lengths) <= 20
    assert statistics.median(lengths) <= 6


@each_script
def test_functions_live_in_the_package(script: Path) -> None:
    tree = ast.parse("\n".join(without_magics(cell) for cell in code_cells(script)))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert [node.name for node in ast.walk(tree) if isinstance(node, kinds)] == []


@each_script
def test_chapter_asserts_what_it_claims(script: Path) -> None:
    tree = ast.parse("\n".join(without_magics(cell) for cell in code_cells(script)))
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))


@each_script
def test_no_loop_glues_one_name_again_and_again(script: Path) -> None:
    tree = ast.parse("\n".join(without_magics(cell) for cell in code_cells(script)))
    repeated = [
        ast.unparse(call)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.For)
        for call in ast.walk(loop)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "glue"
        if isinstance(call.args[0], ast.Constant)
    ]
    assert repeated == []
