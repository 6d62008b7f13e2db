"""What contributors and releases go by: their files agree with the code and with one another."""

import ast
import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
import setuptools
import typer
import yaml

from cortexrnn.cli import app
from cortexrnn.fields.sources.published import SourceError
from cortexrnn.runs.archive import load_archive
from tools import check_release, fetch_fields
from tools.project import ROOT, Project

FORMS = ("wrong_number", "field", "chapter")
PUBLISHED_FIELD = re.compile(r"\d_\d_\d")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def workflow(name: str) -> dict:
    # GitHub's key "on" is true in YAML 1.1, which is of no matter here
    return yaml.safe_load(read(f".github/workflows/{name}.yml"))


def metadata() -> dict:
    return tomllib.loads(read("pyproject.toml"))


# --- what is packaged


def test_every_file_that_the_package_needs_is_packaged() -> None:
    package = ROOT / "cortexrnn"
    patterns = metadata()["tool"]["setuptools"]["package-data"]["cortexrnn"]
    packaged = {path for pattern in patterns for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".py"}
    others = {path for path in others if path.suffix != ".pyc" and not path.name.startswith(".")}
    assert sorted(map(str, others - packaged)) == []
    assert package / "py.typed" in packaged


def test_links_of_the_package_are_made_from_the_one_address(monkeypatch) -> None:
    given: dict = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    runpy.run_path(str(ROOT / "setup.py"))
    links, (address, _) = given["project_urls"], Project().address()
    assert links["Source"] == address
    assert all(link.startswith(f"{address}/") for link in (links["Issues"], links["Changelog"]))
    assert "urls" in metadata()["project"]["dynamic"]
    assert "_config.yml" in read("MANIFEST.in")  # setup.py reads it


def test_pythons_that_are_named_are_those_that_are_tested() -> None:
    named = metadata()["project"]["classifiers"]
    versions = [text.split(" :: ")[-1] for text in named if re.search(r":: 3\.\d+$", text)]
    assert versions == workflow("test")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert metadata()["project"]["requires-python"] == f">={versions[0]}"


def test_metadata_of_zenodo_agree_with_the_citation() -> None:
    zenodo, citation = json.loads(read(".zenodo.json")), yaml.safe_load(read("CITATION.cff"))
    cited = [citation["preferred-citation"], *citation["references"]]
    assert [one["identifier"] for one in zenodo["related_identifiers"]] == [
        one["doi"] for one in cited
    ]
    names = [{"name": author["name"]} for author in citation["authors"]]
    assert zenodo["creators"] == names == metadata()["project"]["authors"]
    assert zenodo["keywords"] == citation["keywords"] == metadata()["project"]["keywords"]
    assert zenodo["license"] == citation["license"] == metadata()["project"]["license"]
    assert "version" not in zenodo  # Zenodo takes the tag


# --- real fields in public


def names_in(node: ast.AST, constants: dict[str, ast.AST]) -> set[str]:
    """Published fields that a piece of code names, also through constants of its module."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and PUBLISHED_FIELD.fullmatch(str(part.value)):
            found.add(part.value)
        if isinstance(part, ast.Name) and part.id in constants:
            found |= names_in(constants[part.id], {})
    return found


def fields_of_tests(path: Path) -> dict[str, set[str]]:
    """Fields that each test of a file reads from the mirror."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return {
        f"{path.name}::{node.name}": names_in(node, constants)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and "mirror" in {arg.arg for arg in node.args.args}
    }


def test_the_fields_that_are_fetched_are_those_that_tests_name() -> None:
    tests = [one for path in (ROOT / "tests").rglob("test_*.py") for one in [fields_of_tests(path)]]
    named = {name: fields for one in tests for name, fields in one.items()}
    assert len(named) > 10
    fetched = {*fetch_fields.WITH_EVENTS, *fetch_fields.WITHOUT_EVENTS}
    assert set().union(*named.values()) == fetched


def test_the_workflow_reads_the_fields_where_it_fetched_them() -> None:
    steps = workflow("test")["jobs"]["test"]["steps"]
    (cache,) = (step for step in steps if step.get("uses", "").startswith("actions/cache@"))
    (fetching,) = (step for step in steps if "tools.fetch_fields" in step.get("run", ""))
    (testing,) = (step for step in steps if step.get("run") == "make test")
    assert steps.index(cache) < steps.index(fetching) < steps.index(testing)
    place = testing["env"]["CORTEXRNN_DATA"]
    assert place == cache["with"]["path"] == "${{ runner.temp }}/fields"
    assert '"$RUNNER_TEMP/fields"' in fetching["run"]
    keyed = re.findall(r"'([\w./]+)'", cache["with"]["key"])
    assert keyed == ["cortexrnn/data/registry.csv", "tools/fetch_fields.py"]
    assert all((ROOT / name).is_file() for name in keyed)


def test_fields_are_fetched_into_the_folder_that_is_named(tmp_path, monkeypatch, capsys) -> None:
    asked = {}

    def fetch(name, *, events, progress):
        asked[name] = events
        return fetch_fields.os.environ["CORTEXRNN_CACHE"]

    monkeypatch.setenv("CORTEXRNN_CACHE", "elsewhere")
    monkeypatch.setattr(fetch_fields, "fetch", fetch)
    assert fetch_fields.main([str(tmp_path)]) == 0
    assert asked == dict.fromkeys(fetch_fields.WITH_EVENTS, True) | dict.fromkeys(
        fetch_fields.WITHOUT_EVENTS, False
    )
    *folders, last = capsys.readouterr().out.splitlines()
    assert set(folders) == {str(tmp_path)} and last.endswith(f"CORTEXRNN_DATA={tmp_path}")


def test_a_field_that_cannot_be_fetched_is_said_in_one_line(monkeypatch, capsys) -> None:
    def fetch(name, **_):
        raise SourceError(f"field {name} cannot be fetched")

    monkeypatch.setenv("CORTEXRNN_CACHE", "elsewhere")
    monkeypatch.setattr(fetch_fields, "fetch", fetch)
    assert fetch_fields.main(["somewhere"]) == 1
    assert capsys.readouterr().err == "field 4_7_2 cannot be fetched\n"


def test_tests_that_workflows_name_are_there() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")]
    named = {name for text in texts for name in re.findall(r"tests/[\w/]+\.py", text)}
    assert named and [name for name in named if not (ROOT / name).is_file()] == []


# --- releases


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A repository whose version 1.2.3 may be released."""
    files = {
        "pyproject.toml": '[project]\nversion = "1.2.3"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.3\n",
        "CHANGELOG.md": "## 1.2.3 (2026-11-27)\n\nNew.\n\n## 1.2.2 (2026-01-01)\n\nOld.\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_release_says_its_section_of_the_changelog(released: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    assert check_release.main(["v1.2.3", "--notes", str(notes)], released) == 0
    assert notes.read_text(encoding="utf-8") == "New.\n"


@pytest.mark.parametrize(
    ("tag", "file", "change", "said"),
    [
        (
            "v1.2.4",
            "README.md",
            ("", ""),
            "the tag is v1.2.4, and pyproject.toml has version 1.2.3",
        ),
        ("1.2.3", "README.md", ("", ""), "it must be v1.2.3"),
        ("v1.2.3", "CITATION.cff", ("version: 1.2.3", "version: 1.2.2"), "'version: 1.2.3'"),
        ("v1.2.3", "CHANGELOG.md", ("2026-11-27", "unreleased"), "'## 1.2.3 (YYYY-MM-DD)'"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(released, capsys, tag, file, change, said) -> None:
    path = released / file
    path.touch()
    path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    assert check_release.main([tag], released) == 1
    assert said in capsys.readouterr().err


def test_a_release_is_checked_before_it_is_published_and_holds_no_secret() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["pypi"]["needs"] == "build" and jobs["github"]["needs"] == "pypi"
    assert workflow("release")["permissions"] == {"contents": "read"}
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in read(".github/workflows/release.yml")
    runs = [step.get("run", "") for step in jobs["build"]["steps"]]
    order = ("tools.check_release", "make test", "python -m build", "twine check", "clean/bin/")
    places = [next(i for i, run in enumerate(runs) if part in run) for part in order]
    assert places == sorted(places)


# --- forms and hooks


@pytest.mark.parametrize("name", FORMS)
def test_every_form_asks_for_what_is_needed_to_repeat_it(name: str) -> None:
    form = yaml.safe_load(read(f".github/ISSUE_TEMPLATE/{name}.yml"))
    assert {"name", "description", "title", "labels", "body"} == set(form)
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids)
    required = [part["id"] for part in form["body"] if part["validations"]["required"]]
    assert len(required) >= 3
    assert {"version", "versions"} & set(required)


def test_hooks_check_what_make_lint_checks_with_the_same_tools() -> None:
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert all(entry.startswith(".venv/bin/") for entry in entries)
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), flags=re.MULTILINE)[1]
    tools = re.findall(r"(?:\$\(RUN\) |\$\(VENV\)/bin/)(ruff \w+|\S+)", recipe)
    assert len(tools) == len(recipe.splitlines()) >= 4
    for tool in [*tools, "tools.sync_notebooks --check"]:
        assert any(re.search(rf"[ /]{re.escape(tool)}\b", entry) for entry in entries), tool


# --- pages for contributors


def quoted(name: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", read(name))


def test_files_that_are_named_are_there() -> None:
    named = {text for text in quoted("CONTRIBUTING.md") if re.fullmatch(r"[\w.]+/[\w./]*", text)}
    named |= set(re.findall(r"\]\((?!https?:)([^)#]+)\)", read("CONTRIBUTING.md")))
    named = {name for name in named if "NN_" not in name}
    assert len(named) > 10
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_commands_that_are_named_are_there() -> None:
    text = read("CONTRIBUTING.md")
    targets = set(re.findall(r"^(\w[\w-]*):", read("Makefile"), flags=re.MULTILINE))
    assert {"test", "book", "lint"} <= set(re.findall(r"make ([a-z][a-z-]*)\b", text)) <= targets
    modules = set(re.findall(r"\btools\.(\w+)", text))
    assert len(modules) >= 3
    assert [name for name in modules if not (ROOT / "tools" / f"{name}.py").is_file()] == []


def test_commands_of_the_changelog_are_those_of_the_command_line() -> None:
    listed = re.search(r"`cortexrnn` has (.*?)\.", " ".join(read("CHANGELOG.md").split()))[1]
    commands = typer.main.get_command(app).commands
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(commands)


def test_the_changelog_counts_the_recorded_runs() -> None:
    text = " ".join(read("CHANGELOG.md").split())
    archive = load_archive()
    assert f"returns {len(archive):,} recorded runs" in text
    counts = archive["numerics"].value_counts()
    latest, earlier = counts[counts.index.max()], counts.drop(counts.index.max()).sum()
    assert f"{latest:,} rows were made by numerics {counts.index.max()} and {earlier:,} by" in text
    assert f"{(archive['field'] == 'worm').sum()} runs" in text
    seeds = archive[archive["published"]].groupby(["field", "arm"])["seed"].nunique().unstack()
    rows = {
        name: row.split(" | ")[1]
        for row in read("CHANGELOG.md").splitlines()
        if row.startswith("| ")
        for name in re.findall(r"\d_\d_\d", row.split(" | ")[0])
    }
    assert sorted(rows) == sorted(seeds.index)
    for name, row in rows.items():
        found = [int(number) for number in re.findall(r"(\d+) seeds", row)]
        expected = seeds.loc[name].dropna()
        assert found == list(dict.fromkeys([expected["corr"]])) + list(
            expected.get(["precision"], [])
        )
        assert ("positive" in row) == ("corr+sign" in expected)
