"""The table of the paper under the protocol that does what its text says."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cortexrnn.evidence import as_written
from cortexrnn.evidence.intervals import with_interval
from cortexrnn.evidence.published import published_table
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.figures import as_written as figures
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.penalties import penalty
from cortexrnn.networks.specification import CORRECTED, PUBLISHED
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.controls import AS_WRITTEN, CONDITIONS, PUBLISHED_VARIANTS
from tests.evidence.test_predictions import runs


def made(*names, level, field="6_6_2"):
    """Runs of some conditions around a level, the same luck for all."""
    luck = np.linspace(-0.02, 0.02, 20)
    return pd.concat(
        runs(CONDITIONS[name], {task: level + luck for task in TASKS}, field=field)
        for name in names
    )


def test_every_variant_is_touched_by_one_switch():
    differing = {
        name
        for name in vars(PUBLISHED)
        if name != "name" and getattr(PUBLISHED, name) != getattr(CORRECTED, name)
    }
    table = as_written.switches().set_index("switch")
    assert set(table.index) == differing
    named = ", ".join(table["variants"]).split(", ")
    assert sorted(named) == sorted(VARIANTS)  # and by no more than one
    assert table.loc["plain_strength", "variants"] == "W"
    assert set(table.loc["grid_scale", "variants"].split(", ")) == {"WDC", "WD", "W*DC*"}


def test_published_recorded_and_corrected_stand_beside_one_another():
    archive = pd.concat(
        [made("W", "WD*C", level=0.6), made("WD*C, corrected", level=0.9)], ignore_index=True
    )
    table = as_written.beside_published(archive, field="6_6_2", rng=np.random.default_rng(0))
    assert len(table) == len(VARIANTS) * len(TASKS)
    cells = table.set_index(["variant", "task"])
    row = cells.loc[("WD*C", "go_nogo")]
    assert (row["recorded"], row["corrected"]) == pytest.approx((0.6, 0.9))
    assert row["difference"] == pytest.approx(0.3)
    assert row["recorded_runs"] == row["corrected_runs"] == 20
    paper = published_table()
    paper = paper.query("arm == 'corr' and metric == 'accuracy'").set_index(["variant", "task"])
    assert cells["published"].to_dict() == paper["mean"].to_dict()
    assert np.isnan(cells.loc[("W", "go_nogo"), "corrected"])
    text = as_written.beside_published_as_text(table)
    assert text.index.get_level_values("task").unique().tolist() == [
        task.title for task in TASKS.values()
    ]
    assert text.loc[("Go/NoGo", "W"), "corrected"] == "not run yet"
    assert text.loc[("Go/NoGo", "W"), "difference"] == "not run yet"
    assert text.loc[("Go/NoGo", "WD*C"), "difference"].startswith("0.30 [")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a page shows none
        other = as_written.beside_published(archive, field="5_3_4", rng=np.random.default_rng(0))
    assert other["published"].isna().all()
    text = as_written.beside_published_as_text(other)
    assert set(text["published"]) == {"not in the paper"}
    assert set(text["recorded"]) == {"not run yet"}
    with pytest.raises(KeyError, match="loss"):
        as_written.beside_published(
            archive, field="6_6_2", metric="loss", rng=np.random.default_rng(0)
        )


def test_changes_are_paired_by_seed_and_hold_together():
    rng = np.random.default_rng(5)
    luck = rng.normal(scale=0.1, size=20)
    parts = []
    for variant in ("WD*C", "WD*"):
        shifts = {task: rng.normal(0.1, 0.05, 20) for task in TASKS}
        parts.append(runs(PUBLISHED_VARIANTS[variant], {task: 0.6 + luck for task in TASKS}))
        parts.append(runs(AS_WRITTEN[variant], {task: 0.6 + luck + shifts[task] for task in TASKS}))
    table = as_written.beside_published(
        pd.concat(parts), field="f", rng=np.random.default_rng(0)
    ).dropna(subset=["difference"])
    assert len(table) == 6
    widths = (table["difference_high"] - table["difference_low"]) / 2
    assert (widths < 0.06).all()  # unpaired it would be 0.08
    assert (widths > 0.02).all()


def test_runs_that_learned_are_counted_with_exact_intervals():
    archive = pd.concat([made("WD*C", level=0.95), made("WD*C, corrected", level=0.5)])
    counts = as_written.learned_counts(archive, field="6_6_2").set_index(["side", "task"])
    one = counts.loc[("recorded", "go_nogo")]
    assert (one["learned"], one["runs"]) == (20, 20)
    assert one["share_low"] == pytest.approx(0.025 ** (1 / 20)) and one["share_high"] == 1
    none = counts.loc[("corrected", "go_nogo")]
    assert (none["learned"], none["share_low"]) == (0, 0)
    assert none["share_high"] == pytest.approx(1 - 0.025 ** (1 / 20))
    text = as_written.counts_as_text(
        counts.reset_index(), published=as_written.published_range(archive, field="g")
    )
    assert text.shape == (len(VARIANTS), 2 * len(TASKS))  # the paper has no field of that name
    assert text.loc["WD*C", ("Go/NoGo", "recorded")] == "20"
    assert text.loc["W", ("Go/NoGo", "corrected")] == "not run yet"


def test_published_counts_stand_beside_ours():
    counts = pd.DataFrame(
        [("WD*C", "go_nogo", "recorded", 4, 10), ("W", "go_nogo", "recorded", 0, 20)],
        columns=["variant", "task", "side", "learned", "runs"],
    )
    paper = pd.DataFrame(
        [("corr", "WD*C", "go_nogo", 17, 19), ("corr", "W", "go_nogo", 0, 0)],
        columns=["arm", "variant", "task", "fewest", "most"],
    )
    text = as_written.counts_as_text(counts, published=paper)["Go/NoGo"]
    assert text.loc["WD*C"].tolist() == ["17 to 19", "4 of 10"]
    assert text.loc["W"].tolist() == ["0", "0"]
    assert set(text.loc["WD"]) == {"not in the paper", "not run yet"}
    assert list(text.columns) == ["published", "recorded"]  # no column of what nobody ran


def test_controls_that_compute_the_same_are_named():
    same = as_written.same_computations()
    assert same == {
        "W*D*C, corrected": "W*D*C on own coordinates",
        "WD*C, corrected": "WD*C on own coordinates",
        "WD*, corrected": "WD* on own coordinates",
        "W, corrected": "W at lambda 0.3",
    }
    field = surrogate_field(24)
    weights = np.random.default_rng(0).normal(size=(1, 24, 24))
    for names in same.items():
        specs = [
            next(CONDITIONS[name].specs(field="f", field_hash=field.hash_without_events))
            for name in names
        ]
        assert specs[0].identity != specs[1].identity
        starts = [initial_weights(spec, field) for spec in specs]
        np.testing.assert_array_equal(*starts)
        values = [
            penalty(spec.variant, field, protocol=spec.protocol, strength=spec.strength)(
                as_tensor(weights)
            )
            for spec in specs
        ]
        assert values[0] == values[1]


def as_tensor(values):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(values)


def test_the_same_computation_is_checked_where_both_have_runs():
    one = made("WD*C, corrected", level=0.9)
    two = made("WD*C on own coordinates", level=0.9)
    table = as_written.differences_from_same(pd.concat([one, two]), fields=["5_3_4", "6_6_2"])
    assert table[["field", "runs", "equal", "same_outcome", "largest"]].values.tolist() == [
        ["6_6_2", 60, 60, 60, 0.0]
    ]
    first = (two["seed"] == 3) & (two["task"] == "go_nogo")
    changed = two.assign(accuracy=two["accuracy"].where(~first, 0.5))
    table = as_written.differences_from_same(pd.concat([one, changed]), fields=["6_6_2"])
    (row,) = table.to_dict("records")
    assert (row["equal"], row["same_outcome"]) == (59, 59)
    assert row["largest"] == pytest.approx(0.4, abs=0.02)
    assert as_written.differences_from_same(one, fields=["6_6_2"]).empty


def test_the_figure_shows_what_there_is():
    archive = pd.concat([made("W", "WD*C", level=0.6), made("WD*C, corrected", level=0.9)])
    for field in ("6_6_2", "nowhere"):
        table = as_written.beside_published(archive, field=field, rng=np.random.default_rng(0))
        single = as_written.single_runs(archive, field=field)
        figure = figures.three_tables(table, single)
        assert len(figure.axes) == len(TASKS)
        assert any(axes.get_xlabel() == "accuracy" for axes in figure.axes)
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert sorted(names) == sorted(VARIANTS)
        figure.draw_without_rendering()
    positive = pd.concat([archive, made("WD*C, positive", level=0.4)])
    single = as_written.single_runs(positive, field="6_6_2")
    assert len(single) == 9 * 20 and set(single["variant"]) == {"W", "WD*C"}
    assert set(as_written.learned_counts(positive, field="6_6_2")["variant"]) == {"W", "WD*C"}
    with pytest.raises(ValueError, match="at least one"):
        figures.three_tables(table.head(0), single)


def test_the_answer_is_made_of_the_table():
    archive = pd.concat(
        [
            made("WD*C", "WD*", level=0.6),
            made("WD*C, corrected", level=0.95),
            made("WD*, corrected", level=0.5),
            made("W*D*C", level=0.9),  # without runs on the other side
        ]
    )
    rng = np.random.default_rng(0)
    table = as_written.beside_published(archive, field="6_6_2", rng=rng)
    counts = as_written.learned_counts(archive, field="6_6_2")
    before = counts[counts["variant"].isin(["WD*C", "WD*"]) & (counts["side"] == "recorded")]
    n_learned = before["learned"].sum()
    assert 0 < n_learned < 120
    assert as_written.in_words(table, counts) == (
        "Of 6 cells (a variant on a task), accuracy is surely higher in 3 and surely lower in 3 "
        "where the code does what the text says. The largest change is +0.35, WD*C in One-choice "
        f"inference. Under the text's protocol 60 of 120 runs learn, under the code's {n_learned} "
        "of 120 runs."
    )
    table = as_written.beside_published(archive, field="5_3_4", rng=rng)
    counts = as_written.learned_counts(archive, field="5_3_4")
    assert "yet" in as_written.in_words(table, counts)


def test_effects_are_measured_under_both_protocols():
    archive = pd.concat(
        [
            made("WD*C", level=0.6),
            made("WDC", level=0.5),
            made("WD*C, corrected", level=0.95),
            made("WDC, corrected", level=0.9),
            made("WD", level=0.55),
        ]
    )
    table = as_written.effects_on_both_sides(
        archive, fields=["6_6_2", "5_3_4"], rng=np.random.default_rng(0)
    )
    assert set(table["field"]) == {"6_6_2"}
    means = table[table["task"] == "mean"].set_index(["effect", "side"])["difference"]
    assert means.to_dict() == pytest.approx(
        {("D* for D, with C", "recorded"): 0.1, ("D* for D, with C", "corrected"): 0.05}
    )
    text = as_written.effects_as_text(table)
    assert list(text) == ["recorded", "corrected"]
    only = as_written.effects_as_text(table[table["side"] == "recorded"])
    assert only["corrected"].tolist() == ["not run yet"]
    assert as_written.effects_as_text(table.head(0)).empty


def test_effects_that_are_there_under_one_protocol_alone_are_named():
    levels = {"WD*C": 0.9, "WDC": 0.5, "WD*C, corrected": 0.8, "WDC, corrected": 0.8}
    runs = pd.concat(made(name, level=level) for name, level in levels.items())
    table = as_written.effects_on_both_sides(runs, fields=["6_6_2"], rng=np.random.default_rng(0))
    code, text = (with_interval(one, one, one, digits=2) for one in (0.4, 0.0))
    expected = f"On field 6_6_2 “D* for D, with C” is {code} and {text}."
    assert as_written.effects_in_words(table) == expected
    kept = pd.concat([runs[runs["label"] != "WDC, corrected"], made("WDC, corrected", level=0.5)])
    table = as_written.effects_on_both_sides(kept, fields=["6_6_2"], rng=np.random.default_rng(0))
    assert "no effect is there under one alone" in as_written.effects_in_words(table)
    only = as_written.effects_in_words(table[table["side"] == "recorded"])
    assert only == "No effect was measured under both protocols yet."
