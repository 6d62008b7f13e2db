"""The shipped archive: what a cell is, and how the runs of the paper's design are found."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence.intervals import CELL, cell_means
from cortexrnn.evidence.published import beside_published
from cortexrnn.networks.specification import PUBLISHED, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import load_archive, read_folder
from cortexrnn.runs.labels import LABELS, as_published, labelled, select

ROOT = Path(__file__).parents[2]
ROUNDING = 0.04
"""How far rounding may move the mean accuracy of a cell whose runs are trained anew."""


@pytest.fixture(scope="module")
def archive():
    return load_archive()


def test_a_cell_holds_runs_of_one_specification_but_for_the_seed(archive):
    def but_for_the_seed(row):
        plain = json.loads(row.specification)
        del plain["seed"]
        return json.dumps(plain, sort_keys=True)

    known = archive.assign(key=[but_for_the_seed(row) for row in archive.itertuples()])
    cells = known.groupby(list(CELL), sort=False)
    assert (cells["key"].nunique() == 1).all()
    assert (cells["seed"].nunique() == cells.size()).all(), "a cell has a seed twice"
    assert (known.groupby([*CELL[:2], "key"])[list(CELL)].nunique() == 1).all(axis=None)


def test_the_published_runs_are_those_that_select_finds_on_every_field_and_arm(archive):
    published = archive[archive["published"]]
    assert (published["settings"] == "").all()
    assert set(published["variant"]) == set(VARIANTS)
    assert set(published["task"]) == set(TASKS)
    for (field, relation, sign), runs in published.groupby(["field", "relation", "sign"]):
        selected = select(archive, field=field, relation=relation, sign=sign)
        assert set(selected["identity"]) == set(runs["identity"])


def test_one_filter_gives_the_runs_behind_the_headline_table(archive):
    six = archive[archive["published"] & (archive["field"] == "6_6_2") & (archive["arm"] == "corr")]
    assert len(six) == 11 * 3 * 20
    cell = six[(six["variant"] == "W*D*C") & (six["task"] == "perceptual")]
    assert sorted(cell["seed"]) == list(range(20))
    assert cell["accuracy"].mean() == pytest.approx(0.819, abs=ROUNDING)
    five = archive[archive["published"] & (archive["field"] == "5_3_4")]
    assert (five["arm"] == "corr").sum() == 11 * 3 * 20


def test_only_cells_of_the_papers_design_stand_beside_its_numbers(archive):
    table = beside_published(archive)
    beside = table[table["published"].notna()]
    assert (beside["settings"] == "").all()
    assert set(beside["protocol"]) == {"published"}
    assert len(table) == len(archive.groupby(list(CELL)))
    rows = beside[(beside["field"] == "6_6_2") & (beside["arm"] == "corr")]
    assert len(rows) == 33
    assert (rows["runs"] == 20).all()


def settings(runs):
    return labelled(runs.assign(variant="W"))["settings"]


def test_a_setting_that_differs_is_named_with_its_value():
    base = {"field": "f", "variant": "W*D*C", "task": "go_nogo", "seed": 3}

    def named(**changed):
        hashes = {"field_hash": changed.pop("field_hash", "a" * 64)}
        spec = RunSpec(**base, **hashes, **changed)
        return {"field": spec.field, "protocol": spec.protocol.name,
                "specification": json.dumps(spec.resolved())}  # fmt: skip

    rows = [
        named(),
        named(epochs=2, strength=0.17),
        named(data_seed=4),
        named(task_settings=(("delay_steps", 40),)),
        named(protocol=PUBLISHED, dtype="float64"),
        named(first_task="one_choice"),
    ]
    assert settings(pd.DataFrame(rows)).tolist() == [
        "",
        "epochs=2, strength=0.17",
        "data_seed=4",
        "task_settings=delay_steps:40",
        "precision=float64",
        "first_task=one_choice",
    ]
    several = pd.DataFrame([named(), named(field_hash="b" * 64)], index=[7, 3])
    assert settings(several).to_dict() == {
        7: f"field_hash={'a' * 12}",
        3: f"field_hash={'b' * 12}",
    }


def test_cells_of_a_mixed_folder_are_kept_apart(archive):
    runs = archive[(archive["field"] == "6_6_2") & (archive["task"] == "perceptual")]
    cells = cell_means(runs[runs["variant"] == "W*D*C"])
    assert len(cells) > 1, "other settings of W*D*C stand in the archive"
    of_paper = cells[(cells["settings"] == "") & cells["published"] & (cells["arm"] == "corr")]
    assert of_paper["runs"].tolist() == [20]
    assert of_paper["mean"].tolist() == [pytest.approx(0.819, abs=ROUNDING)]


def test_frames_put_together_by_hand_mix_no_cell_either():
    def rows(**changed):
        base = {"field": "f", "field_hash": "a" * 64, "variant": "W", "task": "go_nogo"}
        specs = [RunSpec(**base, seed=seed, **changed) for seed in (0, 1)]
        plain = {"field": "f", "arm": "corr", "protocol": "published", "variant": "W"}
        plain |= {"task": "go_nogo", "settings": "", "published": False, "diverged": False}
        plain |= {"numerics": 5, "accuracy": 0.5}
        return pd.DataFrame(
            [plain | {"specification": json.dumps(s.resolved(), sort_keys=True)} for s in specs]
        )

    assert cell_means(rows())["runs"].tolist() == [2]
    runs = pd.concat([rows(), rows(data_seed=1)])
    assert cell_means(runs)["runs"].tolist() == [2, 2]


def test_a_long_setting_is_written_whole_and_a_hash_by_its_first_digits():
    def named(values):
        spec = RunSpec(field="f", field_hash="a" * 64, variant="W", task="perceptual", seed=0,
                       task_settings=(("coherences", values),))  # fmt: skip
        return {"field": "f", "protocol": "published",
                "specification": json.dumps(spec.resolved())}  # fmt: skip

    start = (0.0, 6.4, 12.8, 25.6, 51.2, 60.1, 70.2, 80.3, 90.4, 91.5)
    lists = [(*start, end) for end in (92.1, 92.2)]
    one, other = settings(pd.DataFrame([named(values) for values in lists]))
    assert one != other


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([["low", 1], ["high", 2]], "low:1 high:2"),
        ([["low", 1], 2], "[['low', 1], 2]"),
        ([["low", 1], ["high", 2, 3]], "[['low', 1], ['high', 2, 3]]"),
    ],
)
def test_only_a_list_of_pairs_is_written_as_names_with_values(value, text):
    spec = RunSpec(field="f", field_hash="a" * 64, variant="W", task="go_nogo", seed=0)
    content = spec.resolved() | {"task_settings": [["bounds", value]]}
    run = {"field": "f", "protocol": "published", "specification": json.dumps(content)}
    assert settings(pd.DataFrame([run])).tolist() == [f"task_settings=bounds:{text}"]


def places_that_read_the_archive():
    sources = [*ROOT.glob("notebooks/[0-9]*.py"), *ROOT.glob("cortexrnn/**/*.py")]
    return [path for path in sorted(sources) if "load_archive(" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", places_that_read_the_archive(), ids=lambda path: path.stem)
def test_no_place_takes_the_name_of_a_protocol_for_the_papers_design(path):
    # Controls, other strengths and fewer trials are run under the published protocol as well.
    text = path.read_text("utf-8")
    assert not re.search(r"""\[["']protocol["']\]\s*==|protocol\s*==\s*["']published""", text)


def test_files_of_runs_have_the_columns_that_load_archive_adds_to(archive):
    folder = ROOT / "cortexrnn" / "data" / "archive"
    stored = read_folder(folder)
    assert list(archive.columns) == [*stored.columns, *LABELS]
    assert len(stored) == len(archive)
    assert set(as_published(stored)["identity"]) >= set(archive[archive["published"]]["identity"])


def test_recorded_runs_say_what_made_them(archive):
    for name in ("commit", "versions", "products", "device"):
        assert (archive[name] != "").all(), name
    assert np.isfinite(archive["seconds"]).all()
