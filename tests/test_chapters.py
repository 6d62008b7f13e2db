"""Chapters on fields that are not cortex: they must build, and say what they found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.figures.statements import is_known, stated
from tools import execute
from tools.project import ROOT, Project

SMALL = {"preset": "smoke", "least_epochs": 1, "least_trials": 128}
LIVE = ("01_field", "02_function", "03_priors", "04_tasks", "05_networks")


def examples() -> list[str]:
    """Return the Python of the first section of the page on fields of one's own."""
    page = (ROOT / "book" / "adapt.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page.split("\n## ")[1], re.DOTALL)


def made_by(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    """Run an example in a folder and read the field that it saved."""
    monkeypatch.chdir(folder)
    exec(compile(code, "adapt.md", "exec"), {})
    return Field.load(folder / "mine.npz")


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    return made_by(examples()[0], tmp_path, monkeypatch)


def like(field: Field, *names: str, **changes: Any) -> Field:
    """Make a field of the same neurons with some of its arrays."""
    kept = ("positions", "voxel_size", "connectome", *names)
    arrays = {"name": "mine"} | {key: getattr(field, key) for key in kept}
    return Field.from_arrays(**arrays | changes)


def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Link what executing a chapter needs into a folder of its own."""
    root = folder / "repository"
    root.mkdir()
    for name in ("notebooks", "cortexrnn", "_config.yml", "constraints.txt"):
        (root / name).symlink_to(ROOT / name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Project(root)


def built(field: Field, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Execute the live chapters on a field; return their glued texts by chapter and name."""
    path = field.save(folder / "mine.npz")
    project = repository(folder, monkeypatch)
    scripts = [script for script in project.sources() if script.stem in LIVE]
    values = {script.stem: {"field": str(path)} for script in scripts}
    values["05_networks"] |= SMALL
    execute.execute(scripts, values, project)
    texts: dict[str, str] = {}
    for script in scripts:
        notebook = nbformat.read(project.executed / f"{script.stem}.ipynb", as_version=4)
        texts |= glued(notebook, script.stem[:2])
    return texts


def glued(notebook: Any, chapter: str) -> dict[str, str]:
    """Read what a chapter glued; nothing may have been written to standard error."""
    texts = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{chapter}: {output['text']}"
            record = output.get("metadata", {}).get("scrapbook")
            if record:
                data = output["data"]
                (text,) = (data[key] for key in data if key.endswith("text/plain"))
                assert "nan" not in text, f"{chapter}: {record['name']} is {text}"
                texts[f"{chapter} {record['name']}"] = text
    return texts


def test_random_field_of_the_guide_builds(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = built(field, tmp_path, monkeypatch)
    assert "no sign that near neighbours" in texts["01 near"]
    assert "Connections are few" in texts["01 sparse"]
    assert "correlation, sttc" in texts["03 made_of"]
    assert "All eleven" in texts["05 made_of"]


def test_field_without_tiling_coefficient_builds(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = np.ones_like(field.connectome) - np.eye(field.n_neurons, dtype=int)
    texts = built(like(field, "correlation", connectome=dense), tmp_path, monkeypatch)
    assert "this field is otherwise" in texts["01 sparse"]
    assert "lacks correlation or STTC" in texts["02 to_itself"]
    assert "does not have both" in texts["02 agreement"]
    assert "made of: correlation." in texts["03 made_of"]
    assert "All eleven" in texts["05 made_of"]
    assert "correlation alone" in texts["05 made_of"]


def test_field_without_activity_builds(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = np.zeros_like(field.connectome)  # and no synapse either
    texts = built(like(field, connectome=nobody), tmp_path, monkeypatch)
    assert "No two neurons" in texts["01 near"]
    assert "its relations are: none" in texts["02 to_itself"]
    assert "no functional relation" in texts["03 gap"]
    assert "only the 6 variants" in texts["05 made_of"]


def write_csv_files(folder: Path) -> None:
    """Write the three files that the page reads: 80 neurons in a ring."""
    rng = np.random.default_rng(0)
    ids = np.arange(1001, 1081)
    somata = pd.DataFrame(rng.uniform(0, 300, (80, 3)), columns=list("xyz")).assign(id=ids)
    edges = pd.DataFrame({"pre": ids, "post": np.roll(ids, 1), "count": 2})
    events = pd.DataFrame({"id": np.tile(ids, 50), "time": rng.uniform(0, 600, 80 * 50)})
    for name, table in {"somata": somata, "edges": edges, "events": events}.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def test_example_from_csv_files_makes_a_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv_files(tmp_path)
    field = made_by(examples()[1], tmp_path, monkeypatch)
    assert field.n_neurons == 80
    assert field.relations == ("correlation", "sttc")
    assert field.connectome.sum() == 160


# --- what it costs


def test_page_of_costs_answers_for_any_field_and_leaves_no_gap(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = repository(tmp_path, monkeypatch)
    (script,) = (one for one in project.sources() if one.stem == "90_cost")
    path = str(field.save(tmp_path / "mine.npz"))
    values = {script.stem: {"field": path, "runs": 1, "cores": 3}}
    execute.execute([script], values, project)
    notebook = nbformat.read(project.executed / "90_cost.ipynb", as_version=4)
    texts = glued(notebook, "90")
    assert texts["90 runs"] == "'one run'"
    assert texts["90 n_neurons"] == str(field.n_neurons)
    assert texts["90 field"] == "'mine'"
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [
        output["data"]["text/html"] for output in shown if "text/html" in output.get("data", {})
    ]
    assert len(pages) > 5
    assert not [page for page in pages if ">NaN<" in page or ">nan<" in page]


# --- statements


def test_statement_about_cortex_is_a_promise_for_its_fields() -> None:
    surrogate = load_field("surrogate")
    assert is_known(surrogate)
    assert stated(surrogate, np.True_, "so", otherwise="not so") == "so"
    with pytest.raises(AssertionError, match=r"surrogate.*'so', but: not so"):
        stated(surrogate, np.False_, "so", otherwise="not so")


def test_statement_about_another_field_says_what_was_found(field: Field) -> None:
    assert not is_known(field)
    assert stated(field, True, "so", otherwise="not so") == "so"
    assert stated(field, False, "so", otherwise="not so") == "not so"


def test_name_of_a_published_field_makes_none(field: Field) -> None:
    assert not is_known(like(field, name="6_6_2"))
    assert not is_known(load_field("surrogate_12"))  # smaller than any published one


def test_published_field_is_known(mirror: Path) -> None:
    assert is_known(load_field("5_3_4"))
