"""Recorded runs beside other trainings of the same runs."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import equivalence, replication, reproduction
from cortexrnn.evidence.equivalence import MARGINS, verdicts
from cortexrnn.networks.training import NUMERICS
from cortexrnn.runs.archive import METRICS, load_archive, read_runs, run_files
from cortexrnn.runs.consistency import shipped_archive
from cortexrnn.runs.verification import TOLERANCES


@pytest.fixture(scope="module")
def archive():
    return load_archive()


@pytest.fixture(scope="module")
def again():
    return reproduction.load_again()


def test_every_other_training_is_one_of_a_recorded_run(archive, again):
    table = reproduction.pairs(archive, again)
    assert len(table) == len(again) >= 60
    assert table[["numerics", "numerics_again"]].max(axis=None) <= NUMERICS
    assert (table["finished"] != table["finished_again"]).all()
    assert len(reproduction.repeated(table)) > 0


def test_no_file_and_no_training_is_left_out(again):
    folder = shipped_archive().parent / "again"
    assert len(again) == sum(len(read_runs(path)) for path in run_files(folder))
    assert not again.duplicated(reproduction.TRAINING).any()
    for path in run_files(folder):
        assert set(read_runs(path)["field"]) == {path.stem}


def test_a_pair_has_one_identity_and_both_values(archive, again):
    several = pd.concat([again, again.head(3).assign(finished="2026-01-01", entropy=7.0)])
    table = reproduction.pairs(archive, several)
    assert len(table) == len(again) + 3
    known = archive.drop_duplicates("identity").set_index("identity")["entropy"]
    np.testing.assert_array_equal(table["entropy"], known[table["identity"]])
    key = ["identity", "finished"]
    new = several.set_index(key)["entropy"]
    asked = pd.MultiIndex.from_frame(table[["identity", "finished_again"]])
    np.testing.assert_array_equal(table["entropy_again"], new[asked])


def test_a_run_that_is_not_in_the_archive_is_refused(archive, again):
    strange = again.assign(identity=["0" * 32, *again["identity"][1:]])
    with pytest.raises(ValueError, match="1 runs are not in the archive, the first is 0000"):
        reproduction.pairs(archive, strange)


def test_a_training_given_twice_or_under_another_relation_is_refused(archive, again):
    once = reproduction.earliest(again)
    twice = pd.concat([once, once.head(1)])
    for function in (reproduction.pairs, reproduction.replaced):
        with pytest.raises(ValueError, match="was given twice; give one of the two"):
            function(archive, twice)
        with pytest.raises(ValueError, match=f"{len(once)} runs are not in the archive"):
            function(archive, once.assign(relation="sttc"))
    two_trainings = pd.concat([once, once.head(1).assign(finished="2026-01-01")])
    assert len(reproduction.pairs(archive, two_trainings)) == len(once) + 1
    with pytest.raises(ValueError, match="was given twice"):
        reproduction.replaced(archive, two_trainings)


def test_the_first_training_of_every_run_is_chosen(again):
    once = reproduction.earliest(again)
    first = once.head(4).assign(finished="2020-01-01", loss=1.5)
    both = pd.concat([again, first, again.tail(2).assign(finished="2100-01-01")], ignore_index=True)
    chosen = reproduction.earliest(both)
    assert sorted(chosen["identity"]) == sorted(once["identity"])
    assert (chosen["finished"] == "2020-01-01").sum() == (chosen["loss"] == 1.5).sum() == 4
    assert not (chosen["finished"] == "2100-01-01").any()


def made(recorded, later, **columns):
    """Pairs of one cell of field f; every metric has the same values."""
    table = pd.DataFrame({name: recorded for name in METRICS} | {"diverged": False})
    for name in METRICS:
        table[f"{name}_again"] = later
    cell = {"field": "f", "arm": "corr", "condition": "W", "variant": "W", "task": "go_nogo"}
    cell |= {"relation": "correlation", "published": True, "diverged_again": False}
    cell |= {"finished": "2026-01-02", "finished_again": "2026-01-03"}
    table = table.assign(**cell | columns)
    return table.assign(identity=[f"{i:032x}" for i in range(len(table))])


def test_differences_are_the_other_training_less_the_recorded_one():
    table = made([1.0, 2.0, 3.0, np.nan], [1.0, 2.5, 3.7, 1.0])
    row = reproduction.differences(table).set_index("metric").loc["entropy"]
    assert (row["pairs"], row["equal"]) == (3, 1)
    assert row["mean"] == pytest.approx(0.4)
    assert row["median"] == pytest.approx(0.5)
    assert row["largest"] == pytest.approx(0.7)
    half = 4.302653 * np.std([0, 0.5, 0.7], ddof=1) / np.sqrt(3)  # t with two degrees of freedom
    assert (row["low"], row["high"]) == pytest.approx((0.4 - half, 0.4 + half), rel=1e-6)


def test_pairs_within_the_tolerance_of_verification_are_counted():
    step = TOLERANCES["loss"]
    table = made([0.5, 0.5, 100.0, 100.0], [0.5 + 0.9 * step, 0.5 + 1.1 * step, 101.9, 102.1])
    within = reproduction.differences(table).set_index("metric")["within"]
    assert within["loss"] == within["validation_loss"] == 0.5  # large losses by their ratio
    assert within["accuracy"] == 0


def test_pairs_are_turned_so_that_the_later_training_is_the_second():
    table = made([1.0, 2.0], [1.5, 2.25]).assign(finished=["2026-01-02", "2026-01-04"])
    ordered = reproduction.in_order(table)
    assert ordered["loss"].tolist() == [1.0, 2.25]
    assert ordered["loss_again"].tolist() == [1.5, 2.0]
    assert (ordered["finished"] < ordered["finished_again"]).all()
    assert list(ordered.columns) == list(table.columns)
    assert ordered["identity"].tolist() == table["identity"].tolist()


def test_outcomes_are_pairs_of_which_one_learned_or_one_diverged():
    # go_nogo: half the trials can be answered without memory, so learned is above 0.6.
    table = made([0.55, 0.9, 0.5, 0.61, np.nan], [0.59, 0.7, 0.5, 0.59, 0.5])
    table["diverged_again"] = [False, False, True, False, False]
    assert list(reproduction.outcomes(table).index) == [2, 3]
    other = table.assign(task="perceptual", accuracy=0.9, accuracy_again=[0.9, 0.5, 0.9, 0.9, 0.9])
    assert list(reproduction.outcomes(other.assign(diverged_again=False)).index) == [1]


def test_scatter_of_rounding_is_that_of_one_run_within_cells():
    rng = np.random.default_rng(0)
    parts = []
    for number, (task, level) in enumerate({"go_nogo": 0.0, "perceptual": 50.0}.items()):
        seeds = level + 3.0 * rng.normal(size=4000)
        trainings = [seeds + rng.normal(size=4000) for _ in range(2)]
        part = made(*trainings, task=task)
        parts.append(part.assign(identity=part["identity"] + str(number)))
    table = pd.concat(parts, ignore_index=True)
    row = reproduction.rounding(table).set_index("metric").loc["entropy"]
    assert row["variant"] == "W" and row["pairs"] == 8000
    assert row["rounding_sd"] == pytest.approx(1.0, abs=0.03)
    assert row["seed_sd"] == pytest.approx(np.sqrt(10), abs=0.1)  # no part of it between tasks
    assert row["ratio"] == pytest.approx(1 / np.sqrt(10), abs=0.02)
    size = (table["entropy_again"] - table["entropy"]).abs()
    assert row["median"] == size.median() and row["p95"] == size.quantile(0.95)
    turned = table.rename(
        columns={f"{a}{b}": f"{a}{c}" for a in METRICS for b, c in (("", "_again"), ("_again", ""))}
    )
    assert reproduction.rounding(turned)["ratio"].tolist() == pytest.approx(
        reproduction.rounding(table)["ratio"].tolist()
    )
    by_task = reproduction.rounding(table, by=["variant", "task"])
    assert len(by_task) == 2 * len(METRICS)
    assert by_task["metric"].drop_duplicates().tolist() == list(METRICS)
    with pytest.raises(ValueError, match="in several pairs"):
        reproduction.rounding(pd.concat([table, table.head(1)]))


def test_a_seed_that_says_nothing_has_a_ratio_of_one_and_one_that_learned_does_not_explode_it():
    rng = np.random.default_rng(1)
    row = reproduction.rounding(made(rng.normal(size=9000), rng.normal(size=9000))).iloc[0]
    assert row["ratio"] == pytest.approx(1, abs=0.03)
    one = reproduction.rounding(made([0.5] * 10, [0.9, *[0.5] * 9])).iloc[0]
    assert one["ratio"] == pytest.approx(1)


def test_a_share_of_pairs_of_which_one_learned_is_that_of_its_variant():
    learned = made([0.5, 0.5, 0.5, 0.52], [0.9, 0.5, 0.5, 0.52])
    never = made([0.5, 0.5, 0.5, 0.52], [0.5, 0.5, 0.5, 0.52], variant="WD", condition="WD")
    never["identity"] += "1"
    table = pd.concat([learned, never], ignore_index=True)
    apart = reproduction.rounding(table).groupby("variant")["apart"].unique()
    assert apart["W"] == [0.25] and apart["WD"] == [0.0]
    found = reproduction.summary(table, reproduction.rounding(table))
    assert (found["n_pairs"], found["apart"]) == (8, 0.125)
    assert 0 < found["ratio_low"] == found["ratio_high"]
    assert found["median"] == 0 and found["p95"] == pytest.approx(0.26)


def test_runs_trained_again_take_the_place_of_the_recorded_ones_alone(archive, again):
    again = reproduction.earliest(again)
    other = reproduction.replaced(archive, again)
    assert list(other.columns) == list(archive.columns)
    moved = other["identity"].isin(again["identity"])
    assert moved.sum() == len(again)
    same = ["identity", *METRICS, "numerics", "published", "settings"]
    pd.testing.assert_frame_equal(other.loc[~moved, same], archive.loc[~moved, same])
    expected = again.set_index("identity").loc[other.loc[moved, "identity"], "loss"]
    np.testing.assert_array_equal(other.loc[moved, "loss"], expected)
    part = archive.iloc[::-7]
    inside = again[again["identity"].isin(part["identity"])].assign(published=False)
    changed = reproduction.replaced(part, inside)
    assert changed.index.equals(part.index)
    pd.testing.assert_series_equal(changed["published"], part["published"])


# --- verdicts


@pytest.fixture(scope="module")
def compared(archive):
    return replication.compare_with_published(archive)


def shifted(compared, row, distance):
    """The same table with one difference moved by a number of margins, and judged anew."""
    table = compared.copy()
    table.loc[row, "difference"] += distance * table.loc[row, "margin"]
    d = table.loc[row]
    again = equivalence.tests(
        d["difference"], own_error=d["own_error"], own_runs=d["values"],
        published_error=d["published_error"],
        draw=(d["error"] ** 2 - d["own_error"] ** 2 - d["published_error"] ** 2) / 2,
        margin=d["margin"],
    )  # fmt: skip
    for name in ("p_different", "p_equivalent"):
        table.loc[row, name] = again[name]
    return verdicts(table)[table.index.get_loc(row)]


def test_a_verdict_changes_where_its_distance_says(compared):
    distance = reproduction.distance_to_bound(compared)
    known = distance.notna()
    assert (known == compared["p_equivalent"].notna()).all()
    assert (distance[known] >= 0).all()
    for verdict in ("equivalent", "different", "inconclusive"):
        rows = compared.index[known & (compared["verdict"] == verdict)]
        for row in rows[:: max(len(rows) // 6, 1)]:
            sign = 1.0 if compared.loc[row, "difference"] >= 0 else -1.0
            for part, changes in ((0.99, False), (1.01, True)):
                # Towards or away from the published mean, whichever reaches a bound first.
                ends = {
                    shifted(compared, row, way * sign * part * distance[row]) for way in (-1, 1)
                }
                assert (ends != {verdict}) == changes, (verdict, row, part)


def test_a_verdict_that_moves_is_told_with_both_sides(archive):
    runs = archive[archive["published"] & (archive["field"] == "6_6_2")]
    runs = runs[(runs["arm"] == "corr") & (runs["variant"] == "WD")]
    assert reproduction.changed_verdicts(archive, runs).empty
    changed = reproduction.changed_verdicts(archive, runs.assign(accuracy=0.0))
    own = changed[(changed["variant"] == "WD") & (changed["metric"] == "accuracy")]
    assert own["verdict_again"].tolist() == ["different"] * 3
    assert (own["mean_again"] == 0).all() and (own["mean"] > 0.3).all()
    assert (own["margin"] == MARGINS["accuracy"]).all()
    assert (own["to_bound_again"] > 5).all()
    text = reproduction.changed_as_text(own)
    assert text.index.tolist() == ["accuracy"] * 3
    assert text["other"].str.fullmatch(r"0\.000 different \(\d+\.\d\d\)").all()
    assert text["cell"].iloc[0].startswith("WD, ")


def test_words_count_the_verdicts_that_change():
    rows = [
        ("equivalent", "inconclusive", 0.02, 0.30),
        ("inconclusive", "different", 0.50, 0.11),
        ("different", "equivalent", 0.40, 0.45),
    ]
    names = ["verdict", "verdict_again", "to_bound", "to_bound_again"]
    changed = pd.DataFrame(rows, columns=names)
    text = reproduction.changed_in_words(changed, n_verdicts=330)
    assert text == (
        "3 of 330 verdicts change, 1 of them between equivalent and different, the others to or "
        "from inconclusive. With one of the two trainings each of these cells is at most 0.40 "
        "margins from a bound."
    )
    text = reproduction.changed_in_words(changed.head(0), n_verdicts=330)
    assert text == "None of 330 verdicts changes."


def test_the_sentence_of_the_page_counts_what_the_table_has(archive, again, compared):
    first = reproduction.earliest(again)
    after = replication.compare_with_published(reproduction.replaced(archive, first))
    keys = [*replication.CELL]
    both = (
        compared.set_index(keys)["verdict"]
        .to_frame("one")
        .join(after.set_index(keys)["verdict"].rename("two"))
    )
    n_changed = int((both["one"] != both["two"]).sum())
    changed = reproduction.changed_verdicts(archive, first)
    assert len(changed) == n_changed
    text = reproduction.changed_in_words(changed, n_verdicts=len(both))
    start = f"{n_changed} of" if n_changed else "None of"
    assert text.startswith(f"{start} {len(both)} verdicts")
