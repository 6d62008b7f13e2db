"""Write `notebooks/NN_name.ipynb` from `notebooks/NN_name.py`.

The percent script is the source. The notebook beside it is made for Colab and for readers on the
web: no outputs, and two cells that only make sense there, generated from the repository's address
in `_config.yml`: a badge after the title, and a cell that installs the package where it is missing.

``python -m tools.sync_notebooks`` writes what has changed; with ``--check`` it writes nothing,
names each stale notebook and fails.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.project import BuildError, Project

#: Badge as Colab offers it. The book must load nothing from outside and shows a copy of its own.
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read_cells(script: Path) -> list[Any]:
    """Return the cells of a percent script; blank lines that make an empty cell are none."""
    notebook = jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent")
    return [cell for cell in notebook.cells if cell.source.strip()]


def generate(script: Path, project: Project) -> str:
    """Return the text of the notebook that belongs to a percent script.

    Parameters
    ----------
    script : Path
        The percent script; its first cell is Markdown and holds the title.
    project : Project
        Gives the address that the generated cells use.

    Returns
    -------
    str
        A notebook of format 4.5. The same script always gives the same text.

    Raises
    ------
    BuildError
        If the script does not begin with a title.
    """
    cells = read_cells(script)
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        raise BuildError(f"{script.name}: the first cell must be Markdown that begins with '# '")
    for cell in cells:
        cell.metadata.pop("lines_to_next_cell", None)  # layout of the script, means nothing here
    address, branch = project.address()
    generated = [_badge(address, branch, script.stem), _installation(address, branch)]
    notebook = nbformat.v4.new_notebook(
        cells=[cells[0], *generated, *cells[1:]], metadata=_METADATA
    )
    _name_cells(notebook.cells)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _badge(address: str, branch: str, name: str) -> Any:
    """Return the cell with the links that open and download a chapter."""
    slug = address.removeprefix("https://github.com/")
    path = f"{branch}/notebooks/{name}.ipynb"
    colab = f"https://colab.research.google.com/github/{slug}/blob/{path}"
    text = (
        f"[![Open in Colab]({BADGE})]({colab}) "
        f"&nbsp; [Download this notebook]({address}/raw/{path})"
    )
    return new_markdown_cell(text, metadata={"tags": ["generated"]})


def _installation(address: str, branch: str) -> Any:
    """Return the cell that installs the package, and of its needs only what is missing."""
    text = (
        "import subprocess\n"
        "import sys\n"
        "from importlib.util import find_spec\n\n"
        'if find_spec("cortexrnn") is None:  # as in Colab\n'
        f'    package = "cortexrnn @ git+{address}@{branch}"\n'
        '    pip = [sys.executable, "-m", "pip", "install", "-q", package]\n'
        "    done = subprocess.run(pip, capture_output=True, text=True)\n"
        "    if done.returncode:  # %pip would go on\n"
        '        raise RuntimeError(f"{package} could not be installed:\\n{done.stderr}")'
    )
    return new_code_cell(text, metadata={"tags": ["generated", "remove-cell"]})


def _name_cells(cells: list[Any]) -> None:
    """Give every cell an id that depends on nothing but its text (and its twins before it)."""
    seen: Counter[str] = Counter()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def drifted(project: Project) -> list[tuple[Path, str | None]]:
    """Return the notebooks that are not what their scripts give.

    Returns
    -------
    list of (Path, str or None)
        Each stale notebook with the text it should have; None for one without a script.
    """
    stale: list[tuple[Path, str | None]] = []
    for script in project.sources():
        notebook = script.with_suffix(".ipynb")
        text = generate(script, project)
        if not notebook.exists() or notebook.read_text(encoding="utf-8") != text:
            stale.append((notebook, text))
    notebooks = sorted((project.root / "notebooks").glob("[0-9]*.ipynb"))
    stale += [(path, None) for path in notebooks if not path.with_suffix(".py").exists()]
    return stale


def main(arguments: list[str] | None = None, project: Project | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="sync_notebooks", description="percent script -> ipynb")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a stale pair")
    check = parser.parse_args(arguments).check
    try:
        stale = drifted(project or Project())
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in stale:
        if text is None:
            print(f"notebooks/{path.name} has no script; write one or remove it", file=sys.stderr)
        elif check:
            print(
                f"notebooks/{path.name} is not what its script gives; run 'make sync'",
                file=sys.stderr,
            )
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote notebooks/{path.name}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
