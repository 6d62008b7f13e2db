"""Lay out what Sphinx reads, and run it.

Sphinx is given a tree of links in which the executed chapters stand where the repository has their
sources. So no notebook of the repository is ever written to, and the addresses behind the launch
buttons still name the committed ones.
"""

from __future__ import annotations

import html as markup
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from tools.project import BuildError, Project, plain
from tools.sync_notebooks import BADGE

_LIVE, _ARCHIVE = "Live chapters", "Archive chapters"


def announcement(banners: Mapping[str, Mapping[str, str]]) -> str:
    """Return the line at the head of every page: which data the chapters show.

    Parameters
    ----------
    banners : mapping
        For each chapter `kind` and `short`, as :func:`tools.execute.banners` reads them.

    Returns
    -------
    str
        Such as "Live chapters: field surrogate (synthetic, N = 96). Archive chapters: ...".
    """
    parts = []
    for kind, name in (("live", _LIVE), ("archive", _ARCHIVE)):
        shown = {banner["short"]: None for banner in banners.values() if banner["kind"] == kind}
        if shown:
            parts.append(f"{name}: {'; '.join(shown)}.")
    return " ".join(parts)


def stage(project: Project, banners: Mapping[str, Mapping[str, str]]) -> None:
    """Make `_build/src` anew.

    Parameters
    ----------
    project : Project
        The repository.
    banners : mapping
        What the chapters say about their data.
    """
    shutil.rmtree(project.staged, ignore_errors=True)
    project.staged.mkdir(parents=True)
    for name in ("_toc.yml", "book", "CHANGELOG.md"):
        (project.staged / name).symlink_to(project.root / name)
    _stage_notebooks(project, banners)
    _stage_assets(project)
    config = configured(project.config(), announcement(banners))
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    (project.staged / "_config.yml").write_text(text, encoding="utf-8")


def configured(config: dict[str, Any], line: str) -> dict[str, Any]:
    """Return the settings with the line about the data put in."""
    html = dict(config.get("html", {}))
    html["announcement"] = f'<span class="data-banner">{markup.escape(line)}</span>'
    return {**config, "html": html}


def _stage_notebooks(project: Project, banners: Mapping[str, Mapping[str, str]]) -> None:
    """Copy the executed chapters, their badge replaced by the one that the site holds.

    The time stamps are kept: an incremental build reads only what was executed again.
    """
    folder = project.staged / "notebooks"
    folder.mkdir()
    for name in banners:
        source, target = project.executed / f"{name}.ipynb", folder / f"{name}.ipynb"
        text = source.read_text(encoding="utf-8").replace(BADGE, "../assets/colab.svg")
        target.write_text(text, encoding="utf-8")
        shutil.copystat(source, target)


def _stage_assets(project: Project) -> None:
    """Copy what every page may load: styles, pictures, plotly's script from its package."""
    shutil.copytree(project.root / "book" / "assets", project.staged / "assets")
    plotly = find_spec("plotly")
    if plotly is None or plotly.origin is None:
        raise BuildError("plotly is not installed; run 'make book', which sets everything up")
    script = Path(plotly.origin).parent / "package_data" / "plotly.min.js"
    shutil.copy2(script, project.staged / "assets")


def build_html(project: Project, *, strict: bool) -> None:
    """Run Sphinx on the staged tree.

    Parameters
    ----------
    project : Project
        The repository.
    strict : bool
        Build all pages anew and treat every warning as an error. A second strict run on the same
        folder would pass whatever the first one found: pages that were read once are not read
        again, and numbers quoted from another chapter stay as they were.

    Raises
    ------
    BuildError
        If Sphinx finds anything wrong.
    """
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(project.staged)]
    command += ["--path-output", str(project.root), "-q"]
    if strict:
        for folder in ("html", ".doctrees", ".jupyter_cache", "jupyter_execute"):
            shutil.rmtree(project.build / folder, ignore_errors=True)
        command += ["-W", "-n", "--keep-going"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = plain(done.stdout)
    if done.returncode or not (project.html / "index.html").exists():
        raise BuildError(f"{output}\nSphinx stopped (status {done.returncode}), see above")
    if not strict:
        print(output, end="")
