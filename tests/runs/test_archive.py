"""Files of runs, and which of them are the paper's."""

import dataclasses
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import archive
from cortexrnn.runs.archive import ArchiveError, load_archive, read_runs
from cortexrnn.runs.labels import as_published, select
from tests.conftest import SPECIFIED


def spec(**settings):
    return RunSpec(
        **(
            {"field": "6_6_2", "field_hash": "0" * 64, "variant": "W*D*C", "task": "go_nogo"}
            | {"seed": 0}
            | settings
        )
    )


def row(one, **columns):
    """Row of the archive of a run, with plain numbers for what it gave."""
    named = ("field", "relation", "sign", "arm", "task", "seed", "data_seed")
    sizes = ("epochs", "n_train", "n_validation")
    return {
        **dict.fromkeys(archive.SCHEMA.names),
        **{name: getattr(one, name) for name in (*named, *sizes)},
        "n_neurons": 312,
        "protocol": one.protocol.name,
        "variant": one.variant.name,
        **dict.fromkeys(archive.METRICS, 0.5),
        "diverged": False,
        "history_accuracy": [0.25, 0.5],
        "history_loss": [2.0, 1.0],
        "specification": json.dumps(one.resolved(), sort_keys=True),
        "identity": one.identity,
        **columns,
    }


# --- files


def test_runs_come_back_as_they_were_written(tmp_path):
    rows = [row(spec(seed=0)), row(spec(seed=1), diverged=True, diverged_epoch=3, accuracy=None)]
    path = tmp_path / "folder" / "runs.parquet"
    archive.write_runs(rows, path)
    runs = read_runs(path)
    assert list(runs.columns) == archive.SCHEMA.names
    assert runs["identity"].tolist() == [one["identity"] for one in rows]
    assert runs["diverged_epoch"].dtype == "Int64"
    assert runs["diverged_epoch"].tolist() == [pd.NA, 3]
    assert runs["diverged"].tolist() == [False, True]
    assert runs["accuracy"].isna().tolist() == [False, True]
    assert runs["history_loss"][1].tolist() == [2.0, 1.0]
    assert [item.name for item in path.parent.iterdir()] == ["runs.parquet"]
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert (column.compression, column.statistics) == ("ZSTD", None)
    assert not column.has_dictionary_page


def test_json_comes_back_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "plan.json"
    for content in ({"name": "μ", "runs": [1, 2]}, {"runs": []}):
        archive.write_json(content, path)
        assert json.loads(path.read_text(encoding="utf-8")) == content
    assert [item.name for item in tmp_path.iterdir()] == ["plan.json"]


def test_a_file_with_other_columns_is_refused_by_name(tmp_path):
    path = tmp_path / "old.parquet"
    archive.write_runs([row(spec())], path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["device"]).append_column("speed", table["seconds"]), path)
    with pytest.raises(ArchiveError, match=r"old\.parquet has other columns .*'device', 'speed'"):
        read_runs(path)


def test_a_folder_holds_every_run_once_in_the_order_of_its_files(tmp_path):
    one, two, three = (row(spec(seed=seed)) for seed in range(3))
    other_relation = one | {"relation": "sttc", "arm": "sttc"}
    other_field = one | {"field": "copy"}
    archive.write_runs([three, one], tmp_path / "b.parquet")
    archive.write_runs([one | {"seconds": 7.0}, two], tmp_path / "a.parquet")
    archive.write_runs([other_relation, other_field], tmp_path / "c.parquet")
    (tmp_path / "plan.json").write_text("{}")
    runs = load_archive(str(tmp_path))
    assert runs["seed"].tolist() == [0, 1, 2, 0, 0]
    assert runs["seconds"][0] == 7.0
    assert runs["relation"].tolist() == ["correlation"] * 3 + ["sttc", "correlation"]
    assert runs.index.tolist() == [0, 1, 2, 3, 4]


# --- which runs are the paper's


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"field": "worm", "field_hash": "1" * 64},
        {"relation": "precision"},
        {"sign": "positive"},
        {"seed": 77},
        {"data_seed": 4},
        {"task": "one_choice", "variant": "W"},
    ],
)
def test_the_papers_runs_are_of_any_field_arm_seed_and_draw(settings):
    runs = pd.DataFrame([row(spec(**settings))])
    assert len(as_published(runs)) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 9},
        {"n_train": 5119},
        {"n_validation": 2561},
        {"batch_size": 64},
        {"learning_rate": 2e-3},
        {"input_noise": 0.0},
        {"strength": 0.2},
        {"emd_strength": 0.2},
        {"dtype": "float64"},
        {"first_task": "perceptual"},
        {"communicability_rank": 16},
        {"task_settings": {"delay_steps": 40}},
        {"variant": VARIANTS["W*D*C"].switched(self_connections="removed")},
        {"variant": "W*D*"},
    ],
)
def test_nothing_else_may_differ_from_the_paper(settings):
    same, other = row(spec()), row(spec(**settings))
    runs = pd.DataFrame([other, same])
    assert as_published(runs)["identity"].tolist() == [same["identity"]]
    # Nor under the columns of a published run: what counts is the specification.
    named = {name: same[name] for name in (*SPECIFIED, "protocol")}
    assert len(as_published(pd.DataFrame([other | named]))) == 0


def test_another_protocol_is_not_the_papers():
    protocol = dataclasses.replace(spec().protocol, name="mine", coordinates="soma")
    assert as_published(pd.DataFrame([row(spec(protocol=protocol))])).empty
    renamed = row(spec(protocol=protocol)) | {"protocol": "published"}
    assert as_published(pd.DataFrame([renamed])).empty


def test_one_arm_of_one_field_comes_in_the_order_of_the_paper():
    rows = [
        row(spec(**where, variant=variant, task=task, seed=seed))
        for where in (
            {},
            {"field": "5_3_4"},
            {"relation": "sttc"},
            {"sign": "positive"},
            {"data_seed": 1},
        )
        for variant in ("W!D*C*", "WD", "W*D*C")
        for seed in (10, 2)
        for task in ("go_nogo", "one_choice")
    ]
    runs = pd.DataFrame(rows)
    expected = [
        (task, seed, variant)
        for task in TASKS
        for seed in (2, 10)
        for variant in VARIANTS
        if task != "perceptual" and variant in ("W!D*C*", "WD", "W*D*C")
    ]
    selected = select(runs, field="6_6_2")
    assert (
        list(zip(selected["task"], selected["seed"], selected["variant"], strict=True)) == expected
    )
    assert selected.index.tolist() == list(range(12))
    for column, value in (("field", "6_6_2"), ("arm", "corr"), ("data_seed", 0)):
        assert set(selected[column]) == {value}
    positive = select(runs, field="6_6_2", sign="positive")
    assert set(positive["arm"]) == {"corr+sign"} and len(positive) == 12
    tiled = select(runs, field="6_6_2", relation="sttc")
    assert set(tiled["arm"]) == {"sttc"} and len(tiled) == 12
    assert select(runs, field="4_7_2").empty
