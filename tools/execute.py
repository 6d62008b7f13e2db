"""Execute chapters with papermill, and only those whose result could be another.

Beside every executed notebook is a fingerprint of all that it was made of: its source, the
values of its parameters and the files that they name, every file of the package with its data, the
pins, the Python version, the mirror of real fields. Results of other parameters are kept under
their fingerprint, so that going from one field to another and back executes nothing twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from cortexrnn.networks.machine import cores
from tools.parameters import Literal
from tools.project import BuildError, Project, plain
from tools.sync_notebooks import generate

#: The kernel is started here, talks to this process alone, and need not say so six times.
_KERNEL_CONFIG = 'get_config().IPKernelApp.log_level = "CRITICAL"\n'


#: Results of one chapter that are kept, for as many sets of parameters.
MOST_KEPT = 6


def environment(project: Project) -> dict[str, str]:
    """Return what a chapter's process finds in its environment in addition to ours.

    One torch thread a core, unless the caller has said otherwise; no personal IPython or Matplotlib
    settings, so that a page does not depend on whose machine made it.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(cores())
    return {
        "CORTEXRNN_BOOK": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "IPYTHONDIR": str(project.build / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # Progress bars are drawn without widgets here; that is no news for the reader of a page.
        "PYTHONWARNINGS": _joined("ignore:IProgress not found", os.environ.get("PYTHONWARNINGS")),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }


def _joined(*parts: str | None) -> str:
    return ",".join(part for part in parts if part)


def package_digest(root: Path) -> str:
    """Return a digest of every file of the package (data too) and of the pins.

    Parameters
    ----------
    root : Path
        The repository.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    files = [path for path in sorted((root / "cortexrnn").rglob("*")) if path.is_file()]
    for path in [*files, root / "constraints.txt"]:
        if path.exists() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def fingerprint(notebook: str, values: Mapping[str, Literal], package: str) -> str:
    """Return a digest of everything that an executed chapter depends on.

    Parameters
    ----------
    notebook : str
        Text of the notebook without outputs.
    values : mapping
        Parameters that replace defaults. Of a value that is the path of a file, its content counts.
    package : str
        What :func:`package_digest` gave.
    """
    mirror = os.environ.get("CORTEXRNN_DATA", "")
    record = [notebook, dict(values), _contents(values), package, mirror]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _contents(values: Mapping[str, Literal]) -> dict[str, str]:
    """Digests of the files that parameters name."""
    files = {name: Path(value) for name, value in values.items() if isinstance(value, str)}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if path.is_absolute() and path.is_file()
    }


def execute(
    scripts: Iterable[Path], values: Mapping[str, Mapping[str, Literal]], project: Project
) -> None:
    """Bring `_build/executed` up to date and print one line for each chapter.

    A chapter is executed unless it was before with the same fingerprint, in the last build or in
    one of those whose results are kept.

    Parameters
    ----------
    scripts : iterable of Path
        Percent scripts, in the order of the book.
    values : mapping
        For each script's stem the parameters that replace its defaults.
    project : Project
        The repository.

    Raises
    ------
    BuildError
        If a cell raises; the message holds the cell and the error.
    """
    scripts = list(scripts)
    project.executed.mkdir(parents=True, exist_ok=True)
    _remove_others(project.executed, {script.stem for script in scripts})
    texts = [generate(script, project) for script in scripts]  # all, before any takes its time
    package = package_digest(project.root)
    for number, (script, text) in enumerate(zip(scripts, texts, strict=True), start=1):
        digest = fingerprint(text, values[script.stem], package)
        stamp = project.executed / f"{script.stem}.fingerprint"
        result = project.executed / f"{script.stem}.ipynb"
        print(f"[{number}/{len(scripts)}] {script.stem} ... ", end="", flush=True)
        if result.exists() and stamp.exists() and stamp.read_text() == digest:
            print("unchanged", flush=True)
            continue
        started = time.perf_counter()
        stamp.unlink(missing_ok=True)  # a result that is being replaced counts for nothing
        kept = project.kept / script.stem / f"{digest}.ipynb"
        if kept.exists():
            shutil.copyfile(kept, result)  # with the time of now, since the page is another one
            kept.touch()
            note = "executed before"
        else:
            _run(script.stem, text, values[script.stem], project)
            _keep(result, kept)
            note = f"{time.perf_counter() - started:.0f} s"
        stamp.write_text(digest)
        print(note, flush=True)


def _keep(result: Path, kept: Path) -> None:
    """Keep a result under its fingerprint; those used least recently make room."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".tmp")
    shutil.copyfile(result, partial)
    partial.replace(kept)
    known = sorted(kept.parent.glob("*.ipynb"), key=lambda path: path.stat().st_mtime)
    for path in known[:-MOST_KEPT]:
        path.unlink()


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove executed notebooks that the book no longer has: Sphinx would find them."""
    for path in folder.iterdir():
        if path.stem not in kept and path.suffix in {".ipynb", ".fingerprint"}:
            path.unlink()


def _run(name: str, text: str, values: Mapping[str, Literal], project: Project) -> None:
    """Execute one notebook; the result takes its place only when all of it ran."""
    work, profile = project.build / "work", project.build / "ipython" / "profile_default"
    for folder in (work, profile):
        folder.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(_KERNEL_CONFIG)
    source, partial = work / f"{name}.ipynb", work / f"{name}.executed.ipynb"
    source.write_text(text, encoding="utf-8")
    before = dict(os.environ)
    os.environ.update(environment(project))
    try:
        papermill.execute_notebook(
            source,
            partial,
            parameters=dict(values),
            cwd=project.root / "notebooks",
            kernel_name="python3",
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        print("failed", flush=True)
        where = partial.relative_to(project.root)
        raise BuildError(_failure(name, error, where)) from None
    finally:
        os.environ.clear()
        os.environ.update(before)
    partial.replace(project.executed / f"{name}.ipynb")


def _failure(name: str, error: Any, where: Path) -> str:
    """Say which cell of a chapter failed and why."""
    cell = "\n".join(f"    {line}" for line in error.source.splitlines())
    trace = plain("\n".join(error.traceback or []))
    return (
        f"\n{trace}\n\nChapter {name} stopped in this cell:\n\n{cell}\n\n"
        f"{error.ename}: {error.evalue}\n\nEverything up to there is in {where}."
    )


def banners(scripts: Iterable[Path], project: Project) -> dict[str, dict[str, str]]:
    """Read from executed chapters what they say about the data they show.

    Returns
    -------
    dict
        For each chapter's stem `kind` ("live" or "archive") and `short`, the data in a few words.

    Raises
    ------
    BuildError
        If a chapter does not say which data it shows.
    """
    records = {}
    for script in scripts:
        record = _banner(nbformat.read(project.executed / f"{script.stem}.ipynb", as_version=4))
        if record is None:
            raise BuildError(
                f"{script.name} does not say which data it shows; "
                "show cortexrnn.figures.page.banner(field) after loading them"
            )
        records[script.stem] = record
    return records


def _banner(notebook: Any) -> dict[str, str] | None:
    """Return the record that `cortexrnn.figures.page.Banner` left in an output, if any."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            record = output.get("metadata", {}).get("cortexrnn")
            if record:
                return dict(record)
    return None
