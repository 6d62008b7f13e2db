"""Build the book: execute the chapters, make the pages, check them, print where they are.

python -m tools.build_book                               live chapters on the surrogate field
python -m tools.build_book FIELD=6_6_2 PRESET=quick      the same on a real field
python -m tools.build_book FIELD=mine.npz                on a field of your own
python -m tools.build_book --draft                       quick and forgiving, for writing
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tools import check_site, execute, parameters, stage
from tools.project import BuildError, Project


def build(words: list[str], *, strict: bool, project: Project) -> None:
    """Build the book in `_build/html`.

    Parameters
    ----------
    words : list of str
        Parameters, `NAME=value`.
    strict : bool
        Treat warnings as errors, build all pages anew, and check the finished site.
    project : Project
        The repository.

    Raises
    ------
    BuildError
        With a text that says what went wrong and where.
    """
    started = time.perf_counter()
    chapters = project.chapters()
    offered = {script.stem: parameters.defaults(script) for script in chapters}
    asked = parameters.located(parameters.parse(words), folder=Path.cwd())
    values = parameters.assign(asked, offered)
    execute.execute(chapters, values, project)
    banners = execute.banners(chapters, project)
    stage.stage(project, banners)
    print("Pages ... ", end="", flush=True)
    before = time.perf_counter()
    stage.build_html(project, strict=strict)
    print(f"{time.perf_counter() - before:.0f} s", flush=True)
    if strict:
        _check(project)
    print(f"\n{stage.announcement(banners)}")
    print(f"The book is at {project.html / 'index.html'}")
    print(f"({time.perf_counter() - started:.0f} s)")


def _check(project: Project) -> None:
    """Check the finished site."""
    site = check_site.read_site(project.html)
    faults = check_site.faults(site)
    if faults:
        raise BuildError("The site has faults:\n" + "\n".join(f"  {fault}" for fault in faults))
    print(f"Check ... {len(site.pages)} pages, {site.n_local_links} links within: fine")


def main(arguments: list[str] | None = None, project: Project | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="build_book", description="Build the book.")
    parser.add_argument("parameters", nargs="*", metavar="NAME=value", help="such as FIELD=6_6_2")
    parser.add_argument("--draft", action="store_true", help="incremental, warnings allowed")
    options = parser.parse_args(arguments)
    try:
        build(options.parameters, strict=not options.draft, project=project or Project())
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
