"""Recorded runs trained again: what agrees, what does not, and what decides it."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortexrnn import load_field
from cortexrnn.evidence.reproduction import KEY, earliest, load_again
from cortexrnn.fields.errors import FieldError
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.products import LIBRARIES
from cortexrnn.networks.specification import Preset, RunSpec, UnregisteredError
from cortexrnn.networks.variant import control
from cortexrnn.runs import archive, experiment, plans, verification
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.consistency import RESULTS
from cortexrnn.runs.verification import Verified

SIZE = Preset(n_seeds=1, epochs=2, n_train=128, n_validation=64)
NONE = dict.fromkeys(verification.COMPARED, 0.0)
"""Tolerances that nothing keeps to but equal numbers."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, as the archive has them."""
    out, field = tmp_path_factory.mktemp("runs"), load_field("surrogate_16")
    specs = plans.plan(field, variants=["W*D*C", "W"], tasks="go_nogo", preset=SIZE)
    experiment.run(specs, field, out=out, workers=1, progress=False)
    return load_archive(out)


def with_values(runs, **changes):
    """The first row with other values, alone."""
    row = runs.iloc[:1].copy().astype(object)
    for name, value in changes.items():
        row[name] = [value]
    return row


def verified(runs, **options):
    return list(verification.verify(runs, workers=1, device="cpu", **options))


def verdict(runs, **options):
    """Verdict, reasons and trainings of one row."""
    (one,) = verified(runs, **options)
    return one.verdict, "; ".join(one.reasons), one.draws


def test_on_the_machine_that_recorded_it_a_run_is_equal_to_the_last_bit(runs):
    done = verified(runs)
    assert [one.verdict for one in done] == ["equal"] * 2
    assert {one.stored["identity"] for one in done} == set(runs["identity"])
    assert all(one.agrees and one.draws == 1 for one in done)
    table = verification.deviations(done)
    assert (table["largest"] == 0).all() and (table["equal"] == 2).all()
    title, stored, again, said = done[0].lines
    assert "surrogate_16, corr, W*D*C, go_nogo, seed 0" in title
    assert stored.split()[1:] == again.split()[1:]
    assert said == "  equal: equal bits, as promised for this machine"


@pytest.mark.parametrize("name", [n for n in RESULTS if not n.startswith("diverged")])
def test_where_bits_are_promised_the_last_bit_decides(runs, name):
    other = np.nextafter(runs[name].iloc[0], 9)
    outcome, reasons, draws = verdict(with_values(runs, **{name: other}))
    assert (outcome, draws) == ("DIFFERS", 1)
    assert name in reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"numerics": 4}, "recorded by numerics 4, trained again by 6"),
        ({"products": "slide rule"}, "recorded on slide rule, trained again on "),
        ({"device": "abacus"}, "recorded on abacus, trained again on cpu"),
        ({"versions": "cortexrnn 0.0.1, torch 1.0"}, "recorded with torch 1.0, trained again with"),
    ],
)
def test_other_rounding_is_named_and_has_a_tolerance(runs, change, reason):
    entropy = runs["entropy"].iloc[0]
    outcome, reasons, _ = verdict(with_values(runs, entropy=entropy + 1e-6, **change))
    assert outcome == "close" and reasons.startswith(reason)
    outcome, reasons, _ = verdict(with_values(runs, **change))
    assert outcome == "equal" and reasons.startswith(f"equal bits though {reason}")


def test_a_version_of_this_package_changes_no_bits(runs):
    versions = runs["versions"].iloc[0].replace("cortexrnn ", "cortexrnn 9.")
    entropy = runs["entropy"].iloc[0] + 1e-12
    assert verdict(with_values(runs, versions=versions, entropy=entropy))[0] == "DIFFERS"


@pytest.mark.parametrize("name", ["entropy", "modularity", "assortativity", "validation_loss"])
def test_what_no_training_gives_differs_whatever_the_rounding(runs, name):
    value = runs[name].iloc[0] + 2 * verification.TOLERANCES[name] + 0.1
    outcome, reasons, draws = verdict(with_values(runs, numerics=4, **{name: value}), draws=2)
    assert (outcome, draws) == ("DIFFERS", 3)
    assert f"{name} is {value:.6g}, but training gave " in reasons
    assert "numerics 4" in reasons
    assert verdict(with_values(runs, numerics=4, **{name: value}), draws=0)[::2] == ("DIFFERS", 1)


def test_a_run_outside_the_tolerance_is_settled_by_trainings_that_differ_in_rounding(runs):
    field = load_field("surrogate_16")
    spec = RunSpec.from_specification(runs.iloc[0])
    moved = replace(spec, learning_rate=spec.learning_rate * (1 + 2 * verification.STEP))
    (row,) = experiment.run_shard([moved], field, device="cpu")
    results = {name: row[name] for name in (*RESULTS, "history_accuracy", "history_loss")}
    stored = with_values(runs, numerics=4, **results)
    assert stored["entropy"].iloc[0] != runs["entropy"].iloc[0]
    assert verdict(stored, tolerances=NONE, draws=0)[0] == "DIFFERS"
    assert verdict(stored, tolerances=NONE, draws=2)[::2] == ("among draws", 3)
    assert verdict(stored)[::2] == ("close", 1)


@pytest.mark.parametrize(
    ("stored", "tolerance", "made", "expected"),
    [
        (1.1, 0.2, [1.0], True),
        (1.3, 0.2, [1.0], False),
        (1.3, 0.2, [1.0, 1.1], True),
        (1.3, 0.0, [1.0, 1.2], True),  # no further from them than they lie apart
        (1.5, 0.0, [1.0, 1.2], False),
        (0.7, 0.0, [1.0, 1.2], False),
        (np.nan, 0.2, [1.0, np.nan], True),
        (np.nan, 0.2, [1.0], False),
        (1.0, 0.2, [np.nan], False),
    ],
)
def test_a_number_lies_among_what_was_trained_if_it_is_no_further_than_these(
    stored, tolerance, made, expected
):
    rows = [{"entropy": value} for value in made]
    is_within = verification._is_within({"entropy": stored}, rows, "entropy", tolerance)
    assert is_within is expected


def test_other_draws_differ_in_rounding_alone(runs):
    spec = RunSpec.from_specification(runs.iloc[0])
    for k, other in enumerate(verification._other_draws(spec, 3), 1):
        assert replace(other, learning_rate=spec.learning_rate) == spec
        assert other.learning_rate == pytest.approx(spec.learning_rate * (1 + k * 1e-6), rel=1e-9)
        assert np.float32(other.learning_rate) != np.float32(spec.learning_rate)


def test_a_run_that_diverged_is_no_run_that_did_not(runs):
    nothing = dict.fromkeys(archive.METRICS, np.nan)
    row = with_values(
        runs, numerics=4, diverged=True, diverged_epoch=1, history_accuracy=[], history_loss=[],
        **nothing,
    )  # fmt: skip
    outcome, reasons, _ = verdict(row, draws=1)
    assert outcome == "DIFFERS"
    assert "the recorded run diverged, unlike every training" in reasons


def test_a_row_that_contradicts_itself_differs_whatever_training_gives(runs):
    outcome, reasons, _ = verdict(with_values(runs, numerics=4, accuracy=0.5 + 1e-6))
    assert outcome == "DIFFERS" and "no share of 128 trials" in reasons


def test_runs_of_another_content_or_identity_are_not_trained(runs):
    other = runs.iloc[:1].assign(field="surrogate_17")
    outcome, reasons, draws = verdict(other)
    assert (outcome, draws) == ("DIFFERS", 0) and "surrogate_17 here has" in reasons
    (one,) = verified(with_values(runs, identity="0" * 32))
    assert one.verdict == "DIFFERS" and one.again is None and "identity is" in one.reasons[0]
    assert len(one.lines) == 3 and np.isnan(one.differences["accuracy"])
    assert verdict(with_values(runs, specification="{"))[0] == "DIFFERS"


def test_a_run_with_several_rows_is_trained_once(runs, monkeypatch):
    trained = []

    def counted(shard, field, **where):
        trained.extend(shard)
        return experiment.run_shard(shard, field, **where)

    monkeypatch.setattr(verification, "run_shard", counted)
    row = runs[runs["variant"] == "W"]
    rows = pd.concat([row, row.assign(relation="sttc", arm="sttc")], ignore_index=True)
    assert [one.verdict for one in verified(rows)] == ["equal", "equal"]
    assert len(trained) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_run_is_trained_with_the_library_that_is_recorded(runs, library, tmp_path, monkeypatch):
    specs = [RunSpec.from_specification(row) for row in runs.to_dict("records")]
    field = load_field(specs[0].field)
    path = experiment.run(
        specs, field, out=tmp_path, workers=1, device="cpu", products=library, progress=False
    )
    other = next(name for name in LIBRARIES if name != library)
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", other)
    assert path.exists()
    rows = load_archive(tmp_path)
    assert rows["products"].str.contains(" of numpy, ").eq(library == "numpy").all()
    assert [one.verdict for one in verified(rows)] == ["equal"] * len(rows)


def test_workers_change_nothing(runs):
    done = list(verification.verify(runs, workers=2, device="cpu"))
    assert [one.verdict for one in done] == ["equal"] * 2


# --- which runs


def test_runs_are_drawn_by_their_seed_and_not_by_their_place():
    known = load_archive()
    known = known[known["field"] == "4_7_2"]
    drawn = verification.sampled_runs(known, 5, seed=1)
    other = verification.sampled_runs(known.iloc[::-1], 5, seed=1)
    assert list(drawn["identity"]) == list(other["identity"])
    assert drawn["identity"].nunique() == 5
    assert set(drawn["identity"]) != set(verification.sampled_runs(known, 5, seed=2)["identity"])
    with pytest.raises(ValueError, match="100 runs were asked for, but 99 can be trained"):
        verification.sampled_runs(known, 100, seed=1)


def test_every_cell_gives_one_run():
    known = load_archive()
    known = known[known["field"] == "4_7_2"]
    drawn = verification.one_of_each_cell(known, seed=1)
    assert len(drawn) == 33
    assert not drawn.duplicated(["variant", "task"]).any()


def test_runs_are_chosen_by_their_first_digits(runs):
    identity = runs["identity"].iloc[1]
    assert list(verification.chosen_runs(runs, [identity[:8]])["identity"]) == [identity]
    for given in (identity[:7], "", "x" * 32):
        with pytest.raises(ValueError, match=f"no run '{given}' here; give an identity"):
            verification.chosen_runs(runs, [given])
    alike = pd.concat([runs, runs.assign(identity=identity[:-1] + "x")])
    with pytest.raises(ValueError, match="begins 2 identities; give more digits"):
        verification.chosen_runs(alike, [identity[:9]])


def test_what_cannot_be_trained_here_is_left_out_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.delenv("CORTEXRNN_DATA", raising=False)
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path))
    known = load_archive()
    rows = known[known["field"] == "5_3_4"].iloc[:3]
    assert all("cortexrnn fetch 5_3_4" in why for why in verification.left_out(rows))
    monkeypatch.setattr(verification, "is_available", lambda name: True)
    assert (verification.left_out(rows) == "").all()
    monkeypatch.setattr(verification, "find_spec", lambda name: None)
    drawn = known[known["task"] == "delay_match"].iloc[:2]
    before = known[known["specification"].str.contains('"first_task"')].iloc[:2]
    assert all("NeuroGym" in why for why in verification.left_out(drawn))
    assert (verification.left_out(before) == "").all()


@dataclass(frozen=True)
class Square(CustomPenalty):
    name = "square"

    def value(self, weights):
        return weights.square().sum((-2, -1))


def test_what_is_ones_own_and_not_registered_is_left_out_and_not_a_fault(tmp_path):
    field = load_field("surrogate_16")
    specs = plans.plan(
        field, variants=[control("W", penalty=Square())], tasks="go_nogo", preset=SIZE
    )
    experiment.run(specs, field, out=tmp_path, workers=1, progress=False)
    recorded = load_archive(tmp_path)
    (reason,) = verification.left_out(recorded)
    assert "call register_penalty" in reason
    with pytest.raises(UnregisteredError):
        verified(recorded)


def test_a_field_that_is_not_to_be_had_is_refused(runs):
    elsewhere = runs.iloc[:1].assign(field="nowhere.npz")
    with pytest.raises(FieldError):
        verified(elsewhere)
    assert "nowhere.npz" in verification.left_out(elsewhere).iloc[0]


# --- where the tolerances come from


def test_tolerances_are_what_the_recorded_pairs_keep_to():
    # Runs of earlier numerics that were trained again by numerics 5; some of these rows were
    # replaced by later ones since, and are beside the archive.
    every = pd.concat([load_archive(), load_again()], ignore_index=True)
    later = every[every["numerics"] == 5]
    first = earliest(every).set_index(KEY, drop=False)
    pairs = []
    for again in later.to_dict("records"):
        stored = first.loc[tuple(again[name] for name in KEY)].to_dict()
        pairs.append(Verified(stored=stored, again=again, verdict="close", reasons=(), draws=1))
    table = verification.deviations(pairs).set_index("number")
    assert list(table["runs"]) == [60] * len(table)
    # About nineteen in twenty, entropy and small-worldness a little less.
    assert table["outside"].to_dict() == {
        "accuracy": 3, "loss": 3, "validation_accuracy": 2, "validation_loss": 3, "entropy": 5,
        "modularity": 3, "small_worldness": 5, "assortativity": 3, "early_accuracy": 0,
        "early_loss": 0,
    }  # fmt: skip
    beyond = pd.DataFrame([one.differences for one in pairs]).abs() > pd.Series(
        verification.TOLERANCES
    )
    assert (~beyond.any(axis=1)).sum() == 46


def test_the_guide_states_these_tolerances():
    text = (Path(__file__).parents[2] / "book" / "run.md").read_text(encoding="utf-8")
    table = re.search(r"\| number \| tolerance \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text)[1]
    stated = {}
    for line in table.splitlines():
        what, value = (part.strip() for part in line.strip("|").split("|"))
        for name in re.sub(r" \(.*\)", "", what).split(", "):
            name = re.sub(r"(\w+) after one epoch", r"early \1", name)
            stated[re.sub("[ -]", "_", name)] = float(value)
    assert stated == verification.TOLERANCES


@pytest.mark.usefixtures("mirror")
def test_recorded_runs_come_out_again():
    # Rows of the latest numerics, two of the shortest.
    every = pd.concat([load_archive(), load_again()], ignore_index=True)
    rows = every[every["field"] == "5_3_4"]
    rows = rows[rows["numerics"] == rows["numerics"].max()]
    done = verified(rows.nsmallest(2, "seconds").assign(settings=""))
    assert len(done) == 2 and all(one.agrees for one in done)
