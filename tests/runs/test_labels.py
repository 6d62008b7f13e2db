"""What recorded runs stand for, and conditions that are asked for by name."""

import json
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cortexrnn import Field, load_archive
from cortexrnn.cli import app
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks.specification import CORRECTED, PRESETS, Preset, RunSpec
from cortexrnn.runs.archive import read_folder
from cortexrnn.runs.controls import (
    CONDITIONS,
    CONTROLS,
    DECIDING_FIELD,
    GROUPS,
    Control,
    read_conditions,
)
from cortexrnn.runs.labels import LABELS, labelled, runs_of
from cortexrnn.runs.plans import plan_conditions
from tests.conditions import UNFINISHED

TINY = Preset(n_seeds=1, epochs=1, n_train=256, n_validation=128)


def row(spec):
    """The part of a row of the archive from which labels follow."""
    return {
        "field": spec.field,
        "variant": spec.variant.name,
        "protocol": spec.protocol.name,
        "task": spec.task,
        "seed": spec.seed,
        "identity": spec.identity,
        "specification": json.dumps(spec.resolved(), sort_keys=True),
    }


def label(**changed):
    base = {"field": "f", "field_hash": "a" * 64, "variant": "W*D*C", "task": "go_nogo", "seed": 7}
    return labelled(pd.DataFrame([row(RunSpec(**(base | changed)))])).iloc[0]


@pytest.fixture(scope="module")
def archive():
    return load_archive()


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_runs_of_a_condition_bear_its_name(name):
    one = CONDITIONS[name]
    strengths = dict(one.strengths) or {"f": one.strength}
    for field, strength in strengths.items():
        specs = one.specs(field=field, field_hash="a" * 64, seeds=[0, 3])
        runs = labelled(pd.DataFrame(map(row, specs)))
        assert len(runs_of(runs, one, field=field)) == len(runs) == 2 * len(one.tasks)
        assert set(runs["strength"]) == {strength}
    assert set(runs["label"]) == {name}
    assert set(runs["condition"]) == {one.condition}
    assert set(runs["group"]) == {one.group}
    assert set(runs["published"]) == {one.group == "published"}
    assert set(runs["emd_strength"]) == {one.emd_strength}
    assert set(runs["first_task"]) == {one.first_task or ""}


def test_a_condition_is_the_same_whatever_the_arm():
    names = {}
    for one in CONDITIONS.values():
        content = (one.variant, one.protocol, one.tasks)
        content += tuple(s for s in one.settings if s[0] not in ("relation", "sign"))
        content += one.strengths
        names.setdefault(content, set()).add(one.condition)
    assert all(len(contents) == 1 for contents in names.values())
    assert len({contents for (contents,) in names.values()}) == len(names)


@pytest.mark.parametrize(
    ("changed", "condition", "group", "shown"),
    [
        ({}, "W*D*C", "published", "W*D*C"),
        ({"sign": "positive"}, "W*D*C", "published", "W*D*C, positive"),
        ({"relation": "sttc"}, "W*D*C", "published", "W*D*C, STTC"),
        ({"variant": "W*D*", "relation": "sttc"}, "W*D*", "start", "W* made of STTC alone"),
        ({"variant": "WD*", "relation": "sttc"}, "WD*", "published", "WD*"),
        ({"variant": "WD*", "strength": 0.1}, "WD* at lambda 0.1", "strength", "WD* at lambda 0.1"),
        ({"data_seed": 3}, "W*D*C [data_seed=3]", "", "W*D*C [data_seed=3]"),
        ({"epochs": 2}, "W*D*C [epochs=2]", "", "W*D*C [epochs=2]"),
        (
            {"communicability_rank": 16},
            "W*D*C [communicability_rank=16]",
            "",
            "W*D*C [communicability_rank=16]",
        ),
        (
            {"protocol": CORRECTED, "relation": "precision"},
            "W*D*C, corrected",
            "",
            "W*D*C, corrected, precision",
        ),
        (
            {"protocol": CORRECTED, "epochs": 2},
            "W*D*C [corrected protocol, epochs=2]",
            "",
            "W*D*C [corrected protocol, epochs=2]",
        ),
        ({"protocol": CORRECTED}, "W*D*C, corrected", "corrected", "W*D*C, corrected"),
    ],
)
def test_labels_tell_runs_apart_that_have_one_variant(changed, condition, group, shown):
    labels = label(**changed)
    assert (labels["condition"], labels["group"], labels["label"]) == (condition, group, shown)
    assert labels["published"] == (group == "published")


def test_a_rank_has_a_column_and_zero_says_exact():
    assert label(communicability_rank=16)["communicability_rank"] == 16
    assert label()["communicability_rank"] == 0
    assert label(variant="WD*", communicability_rank=16)["communicability_rank"] == 0


def test_a_rank_is_given_to_a_run_and_recorded(tmp_path):
    done = command(
        "run", "--field", "surrogate_24", "--variants", "WD*C,WD*", "--tasks", "go_nogo",
        "--preset", "smoke", "--out", str(tmp_path), "--workers", "1",
        "--communicability-rank", "4",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    runs = labelled(read_folder(tmp_path))
    assert dict(zip(runs["variant"], runs["communicability_rank"], strict=True)) == {
        "WD*C": 4, "WD*": 0,
    }  # fmt: skip


def test_one_filter_gives_the_published_runs_of_a_variant(archive):
    rows = archive[archive["field"] == "5_3_4"]
    by_name = rows[rows["variant"] == "WD*"]
    published = rows[rows["condition"] == "WD*"]
    assert len(by_name) > len(published) > 0
    assert published["published"].all() and (published["settings"] == "").all()
    assert set(published["strength"]) == {0.3}
    assert set(by_name["condition"]) > {"WD*", "WD* without penalty", "WD* at lambda 0.01"}


def test_every_recorded_run_has_a_label(archive):
    assert list(archive.columns[-len(LABELS) :]) == list(LABELS)
    assert (archive["condition"] != "").all() and archive["label"].notna().all()
    awaited = set.intersection(*map(set, UNFINISHED.values()))
    assert set(archive["group"]) == {"published", "", *GROUPS} - awaited
    others = archive[archive["group"] == ""]
    assert (others["settings"] != "").all(), "what belongs to no group differs in something"


def test_columns_of_settings_are_those_of_the_specification(archive):
    for one in archive.iloc[::997].to_dict("records"):
        specification = json.loads(one["specification"])
        for name in ("strength", "emd_strength", "learning_rate", "batch_size", "field_hash"):
            assert one[name] == specification[name]
        assert one["dtype"] == specification["precision"]
        for name in ("coordinates", "grid_scale", "plain_strength"):
            assert one[name] == specification["protocol"][name]


def test_labels_are_made_again_where_there_are_some(archive):
    rows = archive.iloc[:50]
    pd.testing.assert_frame_equal(labelled(rows.assign(label="other")), rows)


def test_runs_without_labels_are_refused(archive):
    with pytest.raises(ValueError, match="no column 'label'; load them with load_archive"):
        runs_of(archive.drop(columns="label"), CONTROLS["W*D*"], field="5_3_4")


def test_runs_of_a_condition_are_its_own_seeds_each_once_and_of_one_field():
    one = CONTROLS["WD* at lambda 0.1"]
    assert one.n_seeds == 5
    given = {"field": "f", "seeds": range(7)}
    first, other = (list(one.specs(field_hash=name * 64, **given)) for name in "ab")
    runs = labelled(pd.DataFrame(row(spec) for spec in [*first, *first, *other]))
    chosen = runs_of(runs, one, field="f")
    assert list(chosen["seed"]) == 3 * [0, 1, 2, 3, 4]
    assert set(chosen["field_hash"]) == {"a" * 64}


def test_a_plan_has_no_more_seeds_than_a_condition_has():
    specs = plan_conditions(surrogate_field(24), [CONTROLS["WD* at lambda 0.1"]])
    assert sorted({spec.seed for spec in specs}) == [0, 1, 2, 3, 4]


# --- the design

REQUIRED = {"start": 15, "geometry": 11, "wiring": 6, "strength": 31, "matched_gradient": 4,
            "positive": 6, "harder": 26, "environments": 4, "diagonal": 3,
            "true_coordinates": 4, "dose": 10, "equal_norm": 14, "corrected": 11}  # fmt: skip


def test_groups_have_as_many_controls_as_were_run():
    counts = pd.Series([one.group for one in CONTROLS.values()]).value_counts()
    assert counts.to_dict() == REQUIRED
    deciding = [one.name for one in CONTROLS.values() if one.is_run_on(DECIDING_FIELD)]
    assert 0 < len(deciding) < len(CONTROLS)
    assert all(CONTROLS[name].is_run_on("5_3_4") for name in CONTROLS)


def test_what_a_control_is_compared_with_is_a_condition():
    for one in CONTROLS.values():
        assert one.against is None or one.against in CONDITIONS
        assert (one.against is None) == (one.start == "W*")


# --- conditions by name


@given(st.lists(st.sampled_from(list(CONDITIONS)), min_size=1, max_size=6, unique=True))
def test_names_with_commas_between_them_are_read_back(names):
    assert [one.name for one in read_conditions(", ".join(names))] == names
    assert [one.name for one in read_conditions(",".join(names) + ",")] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no condition is named"),
        ("W*D*, nonsense", "unknown condition 'nonsense'"),
        ("W*D*, W*D*", "'W*D*' is named twice"),
        ("positive", "unknown condition 'positive'"),
        ("W*D* scaled identity", "unknown condition 'W*D* scaled identity'"),
    ],
)
def test_what_is_no_condition_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_conditions(text)


def test_a_plan_of_conditions_holds_their_runs():
    field = surrogate_field(24)
    chosen = read_conditions("W*D*, scaled identity, positive, W*, 640 trials")
    specs = plan_conditions(field, chosen, preset=TINY, seeds=[4])
    assert len(specs) == 9
    assert {spec.seed for spec in specs} == {4}
    assert [spec.n_train for spec in specs] == 6 * [256] + 3 * [640]
    assert [spec.sign for spec in specs] == 3 * ["free"] + 3 * ["positive"] + 3 * ["free"]
    assert len(plan_conditions(field, chosen)) == 9 * PRESETS["paper"].n_seeds
    with pytest.raises(ValueError, match="there is no condition"):
        plan_conditions(field, [])
    with pytest.raises(ValueError, match="more than once"):
        plan_conditions(field, [*chosen, chosen[0]], preset=TINY)


def test_a_condition_whose_relation_the_field_lacks_is_refused():
    full = surrogate_field(24)
    field = Field.from_arrays(
        name="bare", ids=full.ids, positions=full.positions, voxel_size=full.voxel_size,
        connectome=full.connectome, correlation=full.correlation,
    )  # fmt: skip
    assert plan_conditions(field, [CONTROLS["scaled identity"]], preset=TINY)
    with pytest.raises(FieldError, match="sttc"):
        plan_conditions(field, [CONTROLS["W* made of STTC alone"]], preset=TINY)


def command(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_conditions_are_run_by_name_and_found_by_label(tmp_path):
    done = command(
        "run", "--field", "surrogate_24", "--conditions", "scaled identity, W*, 640 trials",
        "--preset", "smoke", "--out", str(tmp_path), "--workers", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    runs = read_folder(tmp_path)
    assert sorted(set(runs["variant"])) == ["W*D*C", "WD* [start=identity]"]
    assert sorted(set(runs["n_train"])) == [512, 640]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conditions", "W*D*", "--sign", "positive"], "--sign cannot be given with conditions"),
        (["--conditions", "W*D*", "--variants", "W"], "--variants cannot be given with conditions"),
        (["--design", "start", "--tasks", "go_nogo"], "--tasks cannot be given with conditions"),
        (["--design", "start", "--communicability-rank", "4"], "--communicability-rank cannot be"),
        (["--conditions", "W*D*", "--design", "start"], "give one of the two"),
        (["--design", "nothing"], "unknown design 'nothing'"),
        (["--conditions", "nothing"], "unknown condition 'nothing'"),
    ],
)
def test_what_does_not_go_with_conditions_is_refused(arguments, message, tmp_path):
    done = command("run", "--field", "surrogate_24", "--out", str(tmp_path / "runs"), *arguments)
    assert done.exit_code == 2 and message in done.output
    assert not (tmp_path / "runs").exists()


def test_the_list_of_conditions_names_all_of_them(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    shown = command("conditions")
    assert shown.exit_code == 0
    for name in (*CONDITIONS, *GROUPS.values()):
        assert name in shown.output
    some = command("conditions", "--group", "positive")
    assert "uniform, positive" in some.output and "lognormal " not in some.output
    assert command("conditions", "--group", "none").exit_code == 2


def test_a_control_says_what_it_is_in_its_fields():
    one = CONTROLS["WD*C at gradient 0.17"]
    assert (one.strength, one.protocol.strength_unit, one.is_scaled_variant) == (
        0.17,
        "gradient",
        True,
    )
    assert not CONTROLS["WD* on own coordinates"].is_scaled_variant
    assert CONTROLS["W*, One-choice inference after Go/NoGo"].first_task == "go_nogo"
    plain = Control(name="mine", variant=CONTROLS["W*D*"].variant, group="start")
    assert (plain.condition, plain.reference, plain.relation) == ("mine", None, "correlation")


def test_a_design_is_run_as_a_whole(tmp_path):
    done = command(
        "run", "--field", "surrogate_16", "--design", "matched_gradient", "--preset", "smoke",
        "--out", str(tmp_path), "--workers", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    runs = labelled(read_folder(tmp_path))
    assert len(runs) == 12 and set(runs["strength_unit"]) == {"gradient"}
    assert set(runs["strength"]) == {0.17, 0.001}
