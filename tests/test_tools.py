"""The tools that build and check the book, on small projects made here."""

import os
import tomllib
from pathlib import Path

import grimp
import nbformat
import pytest

from tools import check_site, execute, parameters, stage, sync_notebooks, write_api
from tools.project import ROOT, BuildError, Project

CHAPTER = """\
# %% [markdown]
# # A chapter

# %% tags=["parameters"]
field = "surrogate"  # text
seeds = 3

# %%
{body}
"""
SHOW_DATA = """\
from IPython.display import display
from pathlib import Path

Path("count").open("a").write("x")
display(
    {"text/plain": field + str(type(field))},
    metadata={"cortexrnn": {"kind": "live", "short": f"field {field}"}},
    raw=True,
)
"""
CONFIG = "repository: {url: https://github.com/somebody/something, branch: trunk}\n"
TOC = "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/01_one\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for folder in ("notebooks", "cortexrnn"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "cortexrnn" / "data.csv").write_text("1")
    write_chapter(tmp_path, SHOW_DATA)
    return Project(tmp_path)


def write_chapter(root: Path, body: str) -> Path:
    script = root / "notebooks" / "01_one.py"
    script.write_text(CHAPTER.format(body=body))
    return script


# --- pairs


def test_notebook_is_made_with_badge_and_installation(project: Project) -> None:
    assert sync_notebooks.main([], project) == 0
    notebook = nbformat.read(project.root / "notebooks/01_one.ipynb", as_version=4)
    title, badge, install, values, _ = notebook.cells
    assert title.source == "# A chapter"
    assert "github/somebody/something/blob/trunk/notebooks/01_one.ipynb" in badge.source
    assert "git+https://github.com/somebody/something@trunk" in install.source
    assert [cell.metadata.get("tags") for cell in (badge, install, values)] == [
        ["generated"], ["generated", "remove-cell"], ["parameters"],
    ]  # fmt: skip
    compile(install.source, "install", "exec")


def test_drift_is_named_and_mended(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert sync_notebooks.main(["--check"], project) == 1
    assert "01_one.ipynb" in capsys.readouterr().err
    assert sync_notebooks.main([], project) == 0
    assert sync_notebooks.main(["--check"], project) == 0
    write_chapter(project.root, "field")
    assert sync_notebooks.main(["--check"], project) == 1


def test_same_script_gives_same_notebook_and_distinct_ids(project: Project) -> None:
    script = write_chapter(project.root, "1\n\n# %%\n1\n\n# %%\n1")
    text = sync_notebooks.generate(script, project)
    assert text == sync_notebooks.generate(script, project)
    ids = [cell.id for cell in nbformat.reads(text, as_version=4).cells]
    assert len(set(ids)) == len(ids) == 7


def test_chapter_without_title_is_refused(project: Project) -> None:
    (project.root / "notebooks/01_one.py").write_text("# %%\n1\n")
    assert sync_notebooks.main([], project) == 1


# --- parameters


def test_unknown_parameter_is_refused_with_those_there_are() -> None:
    with pytest.raises(BuildError, match=r"'feild'.*there are: field, seeds"):
        parameters.assign({"feild": "6_6_2"}, {"01": {"field": "surrogate"}, "02": {"seeds": 3}})


def test_each_chapter_gets_what_it_has_and_a_field_stays_text() -> None:
    asked = parameters.parse(["FIELD=6_6_2", "SEEDS=5"])
    assigned = parameters.assign(asked, {"01": {"field": "surrogate"}, "02": {"seeds": 3}})
    assert assigned == {"01": {"field": "6_6_2"}, "02": {"seeds": 5}}


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("662", "surrogate", "662"),
        ("7", 3, 7),
        ("0.5", 1.0, 0.5),
        ("false", True, False),
        ("a, b", ["c"], ["a", "b"]),
        ("1,2", (3,), (1, 2)),
    ],
)
def test_value_takes_the_type_of_its_default(text, default, value) -> None:
    converted = parameters.convert("name", text, default)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(("text", "default"), [("6_6_2", 3), ("x", 1.0), ("maybe", True), ("", 1)])
def test_value_of_another_type_is_refused(text, default) -> None:
    with pytest.raises(BuildError, match="'name'"):
        parameters.convert("name", text, default)


@pytest.mark.parametrize("word", ["FIELD", "=x", "6=7"])
def test_word_that_is_no_parameter_is_refused(word: str) -> None:
    with pytest.raises(BuildError, match="NAME=value"):
        parameters.parse([word])


@pytest.mark.parametrize("line", ["seeds = 1 + 2", "import os", "a = b = 1", "a = {1: 2}", "f()"])
def test_parameters_are_plain_literals(project: Project, line: str) -> None:
    script = project.root / "notebooks/01_one.py"
    script.write_text(CHAPTER.format(body="1").replace("seeds = 3", line))
    with pytest.raises(BuildError, match="name = literal"):
        parameters.defaults(script)


def test_parameters_are_read(project: Project) -> None:
    assert parameters.defaults(project.sources()[0]) == {"field": "surrogate", "seeds": 3}


def test_value_equal_to_its_default_replaces_nothing() -> None:
    offered = {"01": {"field": "surrogate"}, "06": {"field": "6_6_2"}}
    assigned = parameters.assign({"field": "6_6_2"}, offered)
    assert assigned == {"01": {"field": "6_6_2"}, "06": {}}


def test_path_of_a_file_is_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").touch()
    asked = parameters.located({"field": "mine.npz", "preset": "smoke"}, folder=tmp_path)
    assert asked == {"field": str((tmp_path / "mine.npz").resolve()), "preset": "smoke"}


@pytest.mark.parametrize("value", ["mine.npz", "folder/mine", "/nowhere/mine.json"])
def test_path_without_a_file_is_refused_before_anything_runs(tmp_path: Path, value: str) -> None:
    with pytest.raises(BuildError, match=r"'field' names the file .*mine.*does not exist"):
        parameters.located({"field": value}, folder=tmp_path)


# --- execution


def run(project: Project, **asked: str) -> int:
    """Execute, and return how often the chapter has run by now."""
    scripts = project.chapters()
    values = parameters.assign(asked, {s.stem: parameters.defaults(s) for s in scripts})
    execute.execute(scripts, values, project)
    return len((project.root / "notebooks/count").read_text())


def test_chapter_runs_again_exactly_when_something_changed(project: Project) -> None:
    assert run(project) == 1
    assert run(project) == 1
    assert run(project, field="6_6_2") == 2
    executed = (project.executed / "01_one.ipynb").read_text()
    assert "6_6_2<class 'str'>" in executed
    assert execute.banners(project.chapters(), project) == {
        "01_one": {"kind": "live", "short": "field 6_6_2"}
    }
    (project.root / "cortexrnn/data.csv").write_text("2")
    assert run(project, field="6_6_2") == 3


def test_nothing_is_executed_twice_on_the_way_back(project: Project) -> None:
    assert run(project) == 1
    assert run(project, field="6_6_2") == 2
    assert run(project, field="surrogate") == 2  # which is the default
    assert "surrogate<class 'str'>" in (project.executed / "01_one.ipynb").read_text()
    assert run(project, field="6_6_2") == 2
    assert "6_6_2<class 'str'>" in (project.executed / "01_one.ipynb").read_text()
    (project.root / "cortexrnn/data.csv").write_text("2")
    assert run(project) == 3


def test_results_that_were_not_used_for_long_make_room(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "MOST_KEPT", 2)
    for number, field in enumerate(("a", "b", "a", "c"), start=1):
        run(project, field=field)
        for path in (project.kept / "01_one").iterdir():  # coarse clocks order nothing
            if path.stat().st_mtime > 1e6:
                os.utime(path, (number, number))
    kept = [path.read_text() for path in (project.kept / "01_one").iterdir()]
    assert sorted(text.split("<class")[0][-1] for text in kept) == ["a", "c"]


def test_file_named_by_a_parameter_counts_by_its_content(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    file.write_bytes(b"1")
    assert run(project, field=str(file)) == run(project, field=str(file)) == 1
    file.write_bytes(b"2")
    assert run(project, field=str(file)) == 2


def test_another_mirror_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEXRNN_DATA", "/one")
    assert run(project) == 1
    monkeypatch.setenv("CORTEXRNN_DATA", "/other")
    assert run(project) == 2


def test_failing_cell_stops_the_build_and_leaves_no_result(project: Project) -> None:
    write_chapter(project.root, "assert field == 'other', 'that was expected'")
    with pytest.raises(BuildError, match=r"(?s)01_one stopped.*AssertionError: that was expected"):
        run(project)
    assert not (project.executed / "01_one.ipynb").exists()


def test_chapter_that_does_not_tell_its_data_is_refused(project: Project) -> None:
    project.executed.mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, project.executed / "01_one.ipynb")
    with pytest.raises(BuildError, match="which data"):
        execute.banners(project.chapters(), project)


def test_fingerprint_depends_on_all_it_should() -> None:
    base = execute.fingerprint("text", {"field": "a"}, "package")
    others = {
        execute.fingerprint("text!", {"field": "a"}, "package"),
        execute.fingerprint("text", {"field": "b"}, "package"),
        execute.fingerprint("text", {"field": "a"}, "package!"),
    }
    assert len(others | {base}) == 4
    assert execute.fingerprint("text", {"field": "a"}, "package") == base


def test_missing_chapter_is_named(project: Project) -> None:
    (project.root / "notebooks/01_one.py").unlink()
    with pytest.raises(BuildError, match="01_one"):
        project.chapters()


# --- pages


def test_line_about_the_data_tells_live_from_archive() -> None:
    line = stage.announcement(
        {
            "01": {"kind": "live", "short": "field surrogate"},
            "02": {"kind": "live", "short": "field surrogate"},
            "06": {"kind": "archive", "short": "20 runs <on> 6_6_2"},
        }
    )
    assert line == "Live chapters: field surrogate. Archive chapters: 20 runs <on> 6_6_2."
    html = stage.configured({"html": {"favicon": "x"}}, line)["html"]
    assert html["favicon"] == "x"
    assert 'class="data-banner"' in html["announcement"]
    assert "&lt;on&gt;" in html["announcement"]


GOOD = '<p class="data-banner">data</p><h1 id="top">x</h1><a href="b.html#there">b</a>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(
        '<p class="data-banner">d</p><b id="there"></b><img src="i.svg">'
    )
    (tmp_path / "i.svg").write_text("<svg/>")
    (tmp_path / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=a.html">')
    return tmp_path


def test_fine_site_has_no_faults(site: Path) -> None:
    assert check_site.faults(check_site.read_site(site)) == []
    assert check_site.main([str(site)]) == 0


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ('<a href="c.html">', "missing c.html"),
        ('<img src="none.png">', "missing none.png"),
        ('<a href="b.html#nowhere">', "no anchor b.html#nowhere"),
        ('<a href="#nowhere">', "no anchor #nowhere"),
        ('<a href="../outside.txt">', "outside.txt"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<script src="//example.org/x.js"></script>', "loads //example.org/x.js"),
        ('<script>import("https://example.org/x.js")</script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "loads https://example.org"),
        ('<img src="https://example.org/x.png">', "loads https://example.org/x.png"),
        ("<style>a {background: url(https://example.org/x.png)}</style>", "loads https://example"),
        ('<div class="output traceback"></div>', "1 cell output(s) with an error"),
        ('<div class="output stderr"><pre>UserWarning: x</pre></div>', "1 warning(s) of the code"),
        ("<p>W<em>D</em>C less W*DC and <em>word</em></p>", "emphasis within 1 word(s)"),
    ],
)
def test_planted_fault_is_found(site: Path, markup: str, fault: str) -> None:
    (site / "a.html").write_text(GOOD + markup)
    faults = check_site.faults(check_site.read_site(site))
    assert len(faults) == 1
    assert faults[0].startswith("a.html: ")
    assert fault in faults[0]
    assert check_site.main([str(site)]) == 1


def test_links_to_elsewhere_are_no_loads(site: Path) -> None:
    (site / "a.html").write_text(
        GOOD + '<a href="https://example.org">x</a><a href="mailto:a@b.c">'
    )
    assert check_site.faults(check_site.read_site(site)) == []


def test_other_messages_of_the_code_are_no_faults(site: Path) -> None:
    progress = '<div class="output stderr"><pre>Downloading</pre></div><pre>A Warning: x</pre>'
    (site / "a.html").write_text(GOOD + progress)
    assert check_site.faults(check_site.read_site(site)) == []


def test_page_without_banner_is_found(site: Path) -> None:
    (site / "a.html").write_text('<h1 id="top">x</h1>')
    assert check_site.faults(check_site.read_site(site)) == [
        "a.html: does not say which data it shows"
    ]


def test_style_sheet_that_loads_from_elsewhere_is_found(site: Path) -> None:
    (site / "x.css").write_text("@font-face {src: url('https://example.org/f.woff')}")
    assert check_site.faults(check_site.read_site(site)) == [
        "x.css: loads https://example.org/f.woff"
    ]


def test_empty_site_is_no_fine_site(tmp_path: Path) -> None:
    assert check_site.main([str(tmp_path)]) == 1


# --- the reference of the package


def test_the_reference_is_what_the_package_gives():
    assert write_api.PAGE.read_text(encoding="utf-8") == write_api.page(), "run 'make sync'"


def test_rooms_of_the_reference_are_those_of_the_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    level = {room: i for i, layer in enumerate(layers) for room in layer.split(" | ")}
    assert set(level) == {*write_api.ROOMS, "cli"}
    levels = [level[room] for room in write_api.ROOMS]
    assert levels == sorted(levels, reverse=True)


def test_no_module_of_the_reference_imports_from_one_further_down():
    listed = write_api.modules()
    graph = grimp.build_graph("cortexrnn", cache_dir=None)
    for i, name in enumerate(listed):
        assert not graph.find_modules_directly_imported_by(name) & set(listed[i + 1 :]), name
