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


def trees(script: Path) -> list[ast.Module]:
    return [ast.parse(without_magics(cell)) for cell in code_cells(script)]


def names_in(*nodes: ast.AST) -> set[str]:
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}


def called(node: ast.AST, *functions: str) -> list[ast.Call]:
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in functions]


def computed(cells: list[ast.Module]) -> set[str]:
    """Names that the code of a chapter gives a value."""
    every = [node for cell in cells for node in ast.walk(cell)]
    return {n.id for n in every if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def on_the_page(cells: list[ast.Module]) -> set[str]:
    """Names whose values a reader meets: glued, printed, or what a cell shows."""
    shown = {name for cell in cells for name in names_in(*called(cell, "glue", "display", "print"))}
    ends = [cell.body[-1] for cell in cells if cell.body]
    return shown | {name for end in ends if isinstance(end, ast.Expr) for name in names_in(end)}


def statements(cells: list[ast.Module]) -> list[ast.expr]:
    """What a chapter insists on: conditions of its asserts, and of what it says of known fields."""
    tests = [n.test for cell in cells for n in ast.walk(cell) if isinstance(n, ast.Assert)]
    return tests + [call.args[1] for cell in cells for call in called(cell, "stated")]


def cannot_fail(test: ast.expr, values: set[str]) -> bool:
    """Whether a condition says nothing of these values, or holds whatever they are."""
    for node in ast.walk(test):
        if isinstance(node, ast.BoolOp) and any(isinstance(v, ast.Constant) for v in node.values):
            return True
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            counts_of = isinstance(node.ops[0], ast.GtE) and sides[1] == "0"
            if len(set(sides)) == 1 or (counts_of and sides[0].startswith("len(")):
                return True
    return not names_in(test) & values


@each_script
def test_every_assert_of_a_chapter_can_fail(script: Path) -> None:
    cells = trees(script)
    values = computed(cells) | set(parameters.defaults(script))
    idle = [ast.unparse(one) for one in statements(cells) if cannot_fail(one, values)]
    assert idle == [], "these hold whatever the chapter computes"


@pytest.mark.parametrize(
    "idle",
    ["True", "len(VARIANTS) == 11", "n == n", "len(runs) >= 0", "runs.empty or True", "1 < 2"],
)
def test_a_condition_that_always_holds_is_seen(idle: str) -> None:
    assert cannot_fail(ast.parse(idle, mode="eval").body, {"n", "runs"})
    assert not cannot_fail(ast.parse("len(runs) == n", mode="eval").body, {"n", "runs"})


@each_script
def test_chapter_asserts_what_it_claims(script: Path) -> None:
    cells = trees(script)
    claimed = computed(cells) & on_the_page(cells)
    assert any(names_in(one) & claimed for one in statements(cells)), (
        "no assert is about a value that the page shows"
    )


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
