"""What the files at the root say, compared with one another."""

import os
import re
import stat
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tools.project import ROOT, Project


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    pairs = (line.strip().split("==") for line in lines if "==" in line and line[0] != "#")
    return {normal(name): release for name, release in pairs}


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return pins(read("constraints.txt").splitlines())


@pytest.fixture(scope="module")
def project_table() -> dict:
    return tomllib.loads(read("pyproject.toml"))["project"]


def required(specifiers: list[str]) -> list[str]:
    return [normal(re.match(r"[\w.-]+", specifier)[0]) for specifier in specifiers]


def test_environment_pins_the_core_as_constraints_do(constraints, project_table) -> None:
    environment = yaml.safe_load(read("environment.yml"))
    by_pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    pinned = pins(by_pip)
    assert sorted(pinned) == sorted(required(project_table["dependencies"]))
    assert {name: constraints[name] for name in pinned} == pinned


def test_constraints_pin_all_that_make_installs(constraints, project_table) -> None:
    extras = dict(project_table["optional-dependencies"])
    del extras["tasks"]  # has constraints of its own
    wanted = project_table["dependencies"] + [name for extra in extras.values() for name in extra]
    assert [name for name in required(wanted) if name not in constraints] == []


def test_constraints_of_tasks_differ_only_where_neurogym_wants_it(
    constraints, project_table
) -> None:
    own = pins(read("constraints-tasks.txt").splitlines())
    extras = project_table["optional-dependencies"]
    wanted = project_table["dependencies"] + extras["tasks"] + extras["test"]
    assert [name for name in required(wanted) if name not in own] == []
    differ = {name for name in own.keys() & constraints.keys() if own[name] != constraints[name]}
    assert differ == {"numpy", "matplotlib"}


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-tasks.txt"])
def test_constraints_name_releases_only(name) -> None:
    lines = [line for line in read(name).splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_what_is_tested_is_what_is_pinned(constraints) -> None:
    if find_spec("neurogym") is not None:
        constraints = pins(read("constraints-tasks.txt").splitlines())
    if find_spec("caveclient") is None and version("pandas").startswith("3."):
        constraints = {n: v for n, v in constraints.items() if n != "pandas"}
        # caveclient wants pandas 2, so that 3 is tested without it
    for name in constraints.keys() & {"numpy", "pandas", "scipy", "networkx"}:
        assert version(name) == constraints[name]


def reached(extras: list[str], **environment: str) -> set[str]:
    """What the package needs with these extras in an environment, as far as metadata are here."""
    found: set[str] = set()
    todo = [("cortexrnn", frozenset(extras))]
    seen = set()
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            requirements = map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:
            continue
        for needed in requirements:
            cases = [default_environment() | environment | {"extra": e} for e in (*wanted, "")]
            if needed.marker is None or any(map(needed.marker.evaluate, cases)):
                found.add(normal(needed.name))
                todo.append((normal(needed.name), frozenset(needed.extras)))
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_constraints_pin_what_other_pythons_and_systems_bring(constraints, python, system) -> None:
    extras = ["book", "cluster", "microns", "test", "worm", "bench"]
    if find_spec("neurogym") is not None:
        constraints, extras = pins(read("constraints-tasks.txt").splitlines()), ["tasks", "test"]
    whole = f"{python}.1"
    found = reached(
        extras, python_version=python, python_full_version=whole,
        platform_system=system, sys_platform=system.lower(),
    )  # fmt: skip
    assert len(found) > 80
    unpinned = {n for n in found if not n.startswith(("nvidia-", "cuda-", "triton"))}
    assert sorted(unpinned - constraints.keys()) == []


def test_extras_are_installed_from_the_repository() -> None:
    folders = ("book", "cortexrnn", "notebooks", "tests", "tools")
    texts = [
        path for name in folders for path in (ROOT / name).rglob("*.*") if path.suffix != ".npz"
    ]
    wrong = re.compile(r"pip install [^\n]*cortexrnn\\?\[|pip install '?cortexrnn\b")
    readable = [ROOT / "README.md", *(p for p in texts if p.suffix in (".md", ".py", ".ipynb"))]
    assert [str(path) for path in readable if wrong.search(path.read_text("utf-8"))] == []


def test_repository_address_stands_once() -> None:
    address, _ = Project().address()
    slug = address.removeprefix("https://github.com/")
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    if not tracked:
        pytest.skip("the repository's own files are listed by git, which has none here")
    kinds = (".py", ".md", ".yml", ".toml", ".cff", ".txt")
    present = [name for name in tracked if name.endswith(kinds) and (ROOT / name).is_file()]
    texts = {name: read(name) for name in present}
    found = {name: text.count(slug) for name, text in texts.items() if slug in text}
    assert found == {"_config.yml": 1}


def test_citation_prefers_the_paper(project_table) -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    paper = citation["preferred-citation"]
    assert paper["doi"] == "10.48550/arXiv.2606.14975"
    assert [author["family-names"] for author in paper["authors"]] == [
        "Shakiba", "Rokni", "Mohammadi", "Dehghani",
    ]  # fmt: skip
    assert citation["version"] == project_table["version"]
    assert f"## {citation['version']}" in read("CHANGELOG.md")


def test_continuous_integration_script_is_runnable() -> None:
    mode = (ROOT / ".ci/run").stat().st_mode
    assert os.name != "posix" or mode & stat.S_IXUSR
    assert "set -euo pipefail" in read(".ci/run")


def test_commands_of_the_guide_are_targets_of_make() -> None:
    targets = set(re.findall(r"^(\w+):", read("Makefile"), flags=re.MULTILINE))
    named = set(re.findall(r"make (\w+)", "".join(map(read, ["README.md", "book/run.md"]))))
    assert {"book", "test"} <= named <= targets
