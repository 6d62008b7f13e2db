"""Effects at equal strength: which conditions they compare, and where conclusions differ."""

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import equal_norms
from cortexrnn.evidence.seed_clusters import simultaneous_intervals
from cortexrnn.figures import equal_norms as figures
from cortexrnn.networks.tasks import TASKS
from cortexrnn.runs.controls import AT_GRADIENT, CONDITIONS
from cortexrnn.runs.labels import runs_of
from tests.evidence.test_predictions import runs
from tests.figures.test_chapters import assert_labelled

EFFECT = "D* for D, with C"
FIELDS = ["5_3_4", "6_6_2"]


def made(levels, *, field="5_3_4", scatter=0.02):
    """Runs of some conditions, equal in every task but for noise."""
    rng = np.random.default_rng(0)
    return pd.concat(
        runs(
            CONDITIONS[name],
            {task: level + rng.normal(scale=scatter, size=20) for task in TASKS},
            field=field,
        )
        for name, level in levels.items()
    )


def table_of(*levels):
    """Rows of one effect: levels of its two conditions by match, published first."""
    of_conditions = {
        name: level
        for match, both in zip(equal_norms.MATCHES, levels, strict=False)
        for name, level in zip(equal_norms.PAIRS[EFFECT, match], both, strict=True)
    }
    rng = np.random.default_rng(0)
    return equal_norms.by_match(made(of_conditions), fields=FIELDS, rng=rng)


def test_a_match_changes_the_strength_of_both_conditions_alone():
    assert len(equal_norms.PAIRS) == len(equal_norms.EFFECTS) * 5
    for (effect, match), pair in equal_norms.PAIRS.items():
        published = equal_norms.EFFECTS[effect]
        assert [CONDITIONS[name].variant.base for name in pair] == list(published)
        if match == equal_norms.AS_PUBLISHED:
            assert pair == published
        elif match in equal_norms.GRADIENTS:
            gradient = equal_norms.GRADIENTS[match]
            assert pair == tuple(AT_GRADIENT[base, gradient].name for base in published)
        else:
            share = equal_norms.NORMS[match]
            assert {CONDITIONS[name].group for name in pair} == {"equal_norm"}
            assert all(name.endswith(f" {share:g}") for name in pair)


@pytest.mark.parametrize(
    ("published", "matched", "conclusion"),
    [
        ((0.9, 0.6), (0.9, 0.6), "the same"),
        ((0.6, 0.6), (0.7, 0.7), "the same"),
        ((0.9, 0.6), (0.9, 0.75), "smaller"),
        ((0.9, 0.75), (0.9, 0.6), "larger"),
        ((0.6, 0.9), (0.6, 0.75), "smaller"),
        ((0.9, 0.6), (0.9, 0.9), "gone"),
        ((0.6, 0.6), (0.9, 0.6), "new"),
        ((0.9, 0.6), (0.6, 0.9), "reversed"),
    ],
)
def test_conclusions_are_about_sides_of_zero_and_about_the_change(published, matched, conclusion):
    table = table_of(published, matched)
    rows = table[(table["effect"] == EFFECT) & (table["seeds"] > 0)]
    assert set(rows["field"]) == {"5_3_4"}
    first, second = rows["match"].unique()
    assert set(rows.loc[rows["match"] == first, "conclusion"]) == {""}
    assert set(rows.loc[rows["match"] == second, "conclusion"]) == {conclusion}
    words = equal_norms.in_words(table)
    expected = f"{EFFECT}: {conclusion} at gradient 0.17 on 5_3_4"
    assert words == ("none" if conclusion == "the same" else expected)


def test_a_difference_that_is_merely_not_told_from_zero_is_no_other_conclusion():
    ends = (0.01, 0.2), (-0.05, 0.15)
    assert equal_norms._conclusion(*ends, (-0.1, 0.05)) == "cannot tell"
    assert equal_norms._conclusion(*ends, (-0.1, -0.01)) == "gone"
    assert equal_norms._conclusion(*ends, (np.nan, np.nan)) == ""


def test_changes_are_paired_by_seed_and_their_intervals_hold_together():
    levels = {"WD*C": 0.9, "WDC": 0.6, "WD*C at gradient 0.17": 0.8, "WDC at gradient 0.17": 0.7}
    archive = made(levels)
    table = equal_norms.by_match(archive, fields=["5_3_4"], rng=np.random.default_rng(0))
    by_name = {
        name: runs_of(archive, CONDITIONS[name], field="5_3_4")
        .pivot_table(index="seed", columns="task", values="accuracy")
        .reindex(columns=list(TASKS))
        for name in levels
    }
    published, matched = (
        by_name[f"WD*C{end}"] - by_name[f"WDC{end}"] for end in ("", " at gradient 0.17")
    )
    expected = matched - published
    row = table[(table["match"] == "gradient 0.17") & (table["task"] == "go_nogo")]
    row = row[row["effect"] == EFFECT].iloc[0]
    assert row["change"] == pytest.approx(expected["go_nogo"].mean())
    assert row["difference"] == pytest.approx(matched["go_nogo"].mean())
    assert (row["first"], row["second"]) == pytest.approx((0.8, 0.7), abs=0.02)
    joint = expected.assign(mean=expected.mean(axis=1))
    single = simultaneous_intervals(joint, rng=np.random.default_rng(1)).loc["go_nogo"]
    for end in ("low", "high"):
        assert row[f"change_{end}"] == pytest.approx(single[f"difference_{end}"], abs=2e-3)


def test_what_has_no_runs_is_named_in_words():
    table = table_of((0.9, 0.6))
    text = equal_norms.as_text(table)
    assert list(text) == FIELDS and not text.isna().any(axis=None)
    assert text.loc[(EFFECT, "as published"), "5_3_4"].startswith("0.9")
    assert " less 0.6" in text.loc[(EFFECT, "as published"), "5_3_4"]
    assert text.loc[(EFFECT, "norm 0.5"), "5_3_4"] == "not run yet"
    assert text.loc[(EFFECT, "gradient 0.17"), "6_6_2"] == "not asked"
    assert equal_norms.in_words(table) == "not run yet"
    waiting = equal_norms.waiting(table)
    assert "norm 0.5 on 5_3_4" in waiting and "gradient 0.17 on 5_3_4" in waiting
    rng = np.random.default_rng(0)
    nothing = equal_norms.by_match(made({"W*D*C": 0.9}), fields=FIELDS, rng=rng)
    assert set(nothing["seeds"]) == {0} and set(nothing["conclusion"]) == {""}
    with pytest.raises(ValueError, match="at least one"):
        figures.effects_by_match(nothing)


def test_every_match_with_runs_is_a_mark_of_its_own():
    table = table_of((0.9, 0.6), (0.8, 0.7))
    whole = table_of((0.9, 0.6), (0.9, 0.6), (0.8, 0.7), (0.9, 0.9), (0.6, 0.9))
    (legend,) = figures.effects_by_match(whole).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [*equal_norms.MATCHES, "single tasks"]
    assert equal_norms.in_words(whole) == (
        f"{EFFECT}: reversed at norm 0.8 on 5_3_4; gone at norm 0.5 on 5_3_4; "
        "smaller at gradient 0.001 on 5_3_4"
    )
    figure = figures.effects_by_match(table)
    assert_labelled(figure)
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["as published", "gradient 0.17", "single tasks"]
    (axes,) = figure.axes  # the other field has no runs
    dots = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == ".")
    assert dots == 2 * len(TASKS)
