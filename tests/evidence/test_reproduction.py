"""Recorded runs beside the same runs trained again."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import reproduction
from cortexrnn.networks.training import NUMERICS
from cortexrnn.runs.archive import METRICS, load_archive


@pytest.fixture(scope="module")
def archive():
    return load_archive()


@pytest.fixture(scope="module")
def again():
    return reproduction.load_again()


def test_sixty_runs_of_three_fields_were_trained_again(archive, again):
    table = reproduction.pairs(archive, again)
    assert len(table) == 60
    assert set(table["field"]) == {"5_3_4", "6_6_2", "worm"}
    assert (table["numerics"] < table["numerics_again"]).all()
    assert table["numerics_again"].max() <= NUMERICS
    assert (table["numerics"] < 4).sum() == 54


def test_a_pair_has_one_identity_and_both_values(archive, again):
    table = reproduction.pairs(archive, again)
    known = archive.set_index("identity")["entropy"]
    np.testing.assert_array_equal(table["entropy"], known[table["identity"]])
    new = again.set_index("identity")["entropy"]
    np.testing.assert_array_equal(table["entropy_again"], new[table["identity"]])


def test_a_run_that_is_not_in_the_archive_is_refused(archive, again):
    strange = again.assign(identity=["0" * 32, *again["identity"][1:]])
    with pytest.raises(ValueError, match="1 runs are not in the archive, the first is 0000"):
        reproduction.pairs(archive, strange)


def test_a_run_given_twice_or_under_another_relation_is_refused(archive, again):
    twice = pd.concat([again, again.head(1)])
    for function in (reproduction.pairs, reproduction.replaced):
        with pytest.raises(ValueError, match="was given twice; give one of the two"):
            function(archive, twice)
        with pytest.raises(ValueError, match="60 runs are not in the archive"):
            function(archive, again.assign(relation="sttc"))


def made(recorded, later):
    table = pd.DataFrame({name: recorded for name in METRICS} | {"diverged": False})
    for name in METRICS:
        table[f"{name}_again"] = later
    return table.assign(diverged_again=False)


def test_differences_are_the_run_trained_again_less_the_recorded_one():
    table = made([1.0, 2.0, 3.0, np.nan], [1.0, 2.5, 3.7, 1.0])
    row = reproduction.differences(table).set_index("metric").loc["entropy"]
    assert (row["pairs"], row["equal"]) == (3, 1)
    assert row["mean"] == pytest.approx(0.4)
    assert row["median"] == pytest.approx(0.5)
    assert row["largest"] == pytest.approx(0.7)
    half = 4.302653 * np.std([0, 0.5, 0.7], ddof=1) / np.sqrt(3)  # t with two degrees of freedom
    assert (row["low"], row["high"]) == pytest.approx((0.4 - half, 0.4 + half), rel=1e-6)


def test_outcomes_are_pairs_of_which_one_learned_or_one_diverged():
    table = made([0.6, 0.9, 0.5], [0.65, 0.7, 0.5]).assign(diverged_again=[False, False, True])
    assert list(reproduction.outcomes(table).index) == [1, 2]


def test_runs_trained_again_take_the_place_of_the_recorded_ones_alone(archive, again):
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


def test_a_verdict_that_moves_is_told(archive, again):
    assert reproduction.changed_verdicts(archive, again).empty
    worse = archive[archive["published"] & (archive["field"] == "6_6_2")]
    worse = worse[(worse["arm"] == "corr") & (worse["variant"] == "WD")].assign(accuracy=0.0)
    changed = reproduction.changed_verdicts(archive, worse)
    own = changed[(changed["variant"] == "WD") & (changed["metric"] == "accuracy")]
    assert own["verdict_again"].tolist() == ["different"] * 3
