"""The sign of weights as a factor."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrnn.evidence import sign_constraint as sign
from cortexrnn.evidence.published import published_cells


def runs(values, *, field="6_6_2", task="go_nogo"):
    """Runs by sign and variant; None diverged."""
    rows = []
    for (which, variant), accuracies in values.items():
        for seed, accuracy in enumerate(accuracies):
            rows.append(
                {
                    "field": field, "relation": "correlation", "protocol": "published",
                    "data_seed": 0, "sign": which, "variant": variant, "task": task, "seed": seed,
                    "accuracy": np.nan if accuracy is None else accuracy,
                    "diverged": accuracy is None,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


MIXED = runs(
    {
        ("free", "W*D*C"): [0.5, 0.6, 0.7, 0.8],
        ("positive", "W*D*C"): [0.6, 0.8, 0.8, 1.0],
        ("free", "W*DC*"): [0.5, 0.5, 0.9, 0.9],
        ("positive", "W*DC*"): [0.55, 0.95, 0.99, 1.0],
        ("free", "WD"): [0.5, 0.5, 0.6, 0.5],
        ("positive", "WD"): [None] * 4,
    }
)


def test_variants_of_a_start_are_pooled_as_the_authors_do():
    table = sign.sign_by_start(MIXED, metrics=["accuracy"]).set_index("start")
    free = [0.5, 0.6, 0.7, 0.8, 0.5, 0.5, 0.9, 0.9]
    positive = [0.6, 0.8, 0.8, 1.0, 0.55, 0.95, 0.99, 1.0]
    row = table.loc["w*"]
    assert row["p"] == pytest.approx(stats.kruskal(free, positive).pvalue)
    above = np.sign(np.subtract.outer(positive, free)).mean()
    assert row["delta"] == pytest.approx(above) and row["delta"] > 0
    assert (row["free"], row["positive"], row["diverged"]) == (8, 8, 0)
    lost = table.loc["w"]
    assert (lost["positive"], lost["diverged"]) == (0, 4)
    assert np.isnan(lost["p"]) and np.isnan(lost["p_holm"])
    with pytest.raises(ValueError, match="field"):
        sign.sign_by_start(pd.concat([MIXED, MIXED.assign(field="5_3_4")]))


def test_variants_are_compared_between_runs_of_one_seed():
    table = sign.sign_by_variant(MIXED.sample(frac=1, random_state=2), metrics=["accuracy"])
    table = table.set_index("variant")
    assert table.loc["W*D*C", "difference"] == pytest.approx(0.15)
    assert table.loc["W*D*C", "difference_low"] < 0.15 < table.loc["W*D*C", "difference_high"]
    assert table.loc["WD", ["pairs", "diverged"]].tolist() == [0, 4]
    assert np.isnan(table.loc["WD", "difference"])
    assert sign.sign_by_variant(MIXED[MIXED["sign"] == "free"]).empty


def test_published_differences_are_those_of_the_tables():
    table = sign.published_sign_differences().set_index(["task", "variant", "metric"])
    row = table.loc[("one_choice", "W*D*C", "accuracy")]
    assert row["published"] == pytest.approx(0.910 - 0.917)
    # Half widths 0.07 and 0.064 of t intervals: the difference has about their root sum of squares.
    half = (row["published_high"] - row["published_low"]) / 2
    assert half == pytest.approx(np.hypot(0.07, 0.064), rel=0.04)
    lost = published_cells().query("published_diverged")
    assert not set(table.index) & set(
        zip(lost["task"], lost["variant"], lost["metric"], strict=True)
    )


def test_numbers_of_the_page():
    table = sign.sign_by_variant(MIXED, metrics=["accuracy"])
    beside = sign.beside_published(table)
    assert set(beside["variant"]) == {"W*D*C", "W*DC*"}
    found = sign.in_numbers(table, beside)
    assert (found["orthogonal"], found["lost"]) == (4, 4)
    assert (found["others"], found["others_lost"], found["comparisons"]) == (8, 0, 2)
    assert found["published"] == 2 and found["inside"] == int(beside["inside"].sum())
    sure = sign.sure_in_words(found | {"below": 1, "above": 0, "largest": 0.0314})
    assert sure == (
        "accuracy is surely lower in 1 and surely higher in 0 of 2 comparisons, by 0.031 at most"
    )
    assert "higher in 1" in sign.sure_in_words(found | {"below": 0, "above": 1, "largest": 0.1})
    none = sign.sure_in_words(found | {"below": 0, "above": 0})
    assert none == "accuracy is surely different in none of 2 comparisons"
    within = beside["difference"].between(beside["published_low"], beside["published_high"])
    assert beside["inside"].equals(within)
    text = sign.count_by_start(sign.sign_by_start(MIXED, metrics=["accuracy"]))
    assert list(text.columns) == ["w*"]
    assert text.loc["accuracy", "w*"].endswith(("(0)", "(1)"))
    assert sign.count_by_start(sign.sign_by_start(MIXED[MIXED["variant"] == "WD"],
                                                  metrics=["accuracy"])).empty  # fmt: skip
