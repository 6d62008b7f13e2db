"""The paper's tables under this package's names."""

from importlib import resources

import pandas as pd
import pytest

from cortexrnn.evidence import published
from cortexrnn.networks.specification import RELATIONS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import METRICS, ArchiveError

NAMES = ["published_6_6_2", "effects_6_6_2", "groups", "omnibus_6_6_2", "runs_6_6_2"]
WORDS = {  # typed once more, so that a slip in the package is seen
    "accuracy": "Accuracy",
    "loss": "Loss",
    "validation_accuracy": "Validation_Accuracy",
    "validation_loss": "Validation_Loss",
    "entropy": "Entropy",
    "modularity": "Modularity",
    "small_worldness": "SmallWorldness",
    "assortativity": "Assortativity",
}


def printed(name):
    """A table as it lies in the package."""
    folder = resources.files("cortexrnn") / "data" / "published"
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def test_the_table_of_means_is_complete():
    table = published.published_table()
    assert len(table) == 330
    assert set(table["variant"]) == set(VARIANTS)
    assert set(table["arm"]) == {"corr", "corr+sign"}
    assert set(table["metric"]) == set(METRICS) - {
        *("loss", "validation_accuracy", "validation_loss")
    }
    with pytest.raises(
        ArchiveError, match="choose one of effects_6_6_2, groups, omnibus_6_6_2, pub"
    ):
        published.published_table("table_9")


@pytest.mark.parametrize("name", NAMES)
def test_only_names_are_translated(name):
    table, words = published.published_table(name), printed(name)
    # Single runs are printed of one task alone.
    assert set(table["task"]) == ({"one_choice"} if name == "runs_6_6_2" else set(TASKS))
    assert table["metric"].map(WORDS).tolist() == words["metric"].tolist()
    numbers = words.select_dtypes("number")
    pd.testing.assert_frame_equal(table[numbers.columns], numbers)
    others = [c for c in words if c not in ("metric", "arm", "group_1", "group_2")]
    pd.testing.assert_frame_equal(table[others], words[others])


def test_positive_weights_are_an_arm_and_sttc_is_a_word_for_correlation():
    table, words = published.published_table(), printed("published_6_6_2")
    assert (table["arm"] == "corr+sign").tolist() == (words["arm"] == "sign+").tolist()
    groups, words = published.published_table("groups"), printed("groups")
    relations = groups[groups["among"] != "neuron"]
    assert set(relations["group_1"]) == {"correlation"} < set(RELATIONS)
    assert set(words.loc[relations.index, "group_1"]) == {"sttc"}
    sizes = groups.loc[groups["among"] == "neuron", ["group_1", "group_2"]]
    assert set(sizes.to_numpy().ravel()) == set(published.PUBLISHED_FIELDS)


def test_a_name_that_nothing_translates_is_refused(monkeypatch):
    less = {k: v for k, v in published._NAMES["metric"].items() if k != "Entropy"}
    monkeypatch.setitem(published._NAMES, "metric", less)
    with pytest.raises(ArchiveError, match="unknown metric Entropy"):
        published.published_table()
