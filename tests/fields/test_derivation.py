"""Relations derived from events beside the published ones, frames, and other settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortexrnn import load_field
from cortexrnn.fields import derivation, relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources.published import REGISTRY, load_published
from cortexrnn.networks import sensitivity

FIELDS = {"5_3_8", "5_3_4", "5_6_8", "6_6_8", "4_7_2"}
FRAME = 1 / 6.3009


@pytest.fixture(scope="module")
def surrogate() -> Field:
    return load_field("surrogate_40")


def test_the_table_shows_five_fields_within_their_bounds() -> None:
    table = derivation.recorded()
    assert set(table["field"]) == FIELDS and len(table) == 15
    worst = table.groupby("relation")[["difference", "relative"]].max()
    assert worst.loc["correlation", "difference"] <= 1e-12
    assert worst.loc["sttc", "difference"] <= 1e-9
    assert worst.loc["precision", "relative"] <= 1e-3
    assert table["reproduced"].all()


def test_the_table_names_the_published_files_it_was_made_from() -> None:
    files = {"correlation": "corr", "sttc": "sttc", "precision": "precision"}
    for row in derivation.recorded().itertuples():
        events = REGISTRY[f"{row.field}/spikes_{row.field}.npy"]
        matrix = REGISTRY[f"{row.field}/{files[row.relation]}_matrix.npy"]
        assert (row.events_sha256, row.matrix_sha256) == (events.sha256, matrix.sha256)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_table_is_what_the_fields_give(name: str, mirror: Path) -> None:
    field = load_published(name, directory=mirror, events=True)
    lasso = name == "5_3_8"  # the worst of all; the others would take a minute
    if lasso:
        pytest.importorskip("sklearn", reason="the extra cortexrnn[microns] is not installed")
    compared = derivation.differences(field, derivation.derived(field, precision=lasso))
    table = derivation.recorded().set_index(["field", "relation"]).loc[name]
    assert compared["reproduced"].all()
    for relation, row in compared.iterrows():
        bound = 1e-13 if relation != "precision" else 0.1 * table.loc[relation, "difference"]
        assert row["difference"] == pytest.approx(table.loc[relation, "difference"], abs=bound)
        assert row["largest_entry"] == pytest.approx(table.loc[relation, "largest_entry"], rel=1e-5)
    assert field.events is not None
    counts = relations.bin_events(field.events)
    assert (table["n_bins"] == counts.shape[1]).all()
    assert (table["n_events"] == sum(map(len, field.events))).all()


def test_a_changed_relation_is_not_called_reproduced(surrogate: Field) -> None:
    made = derivation.derived(surrogate, precision=False)
    assert derivation.differences(surrogate, made)["reproduced"].all()
    made["sttc"] = made["sttc"] + 1e-8
    reproduced = derivation.differences(surrogate, made)["reproduced"]
    assert reproduced["correlation"] and not reproduced["sttc"]


def test_frames_are_found_and_times_off_them_are_distinguished() -> None:
    rng = np.random.default_rng(0)
    on = [np.sort(rng.choice(4000, 300, replace=False)) * FRAME for _ in range(5)]
    grid = derivation.frame_grid(on)
    assert grid.holds and grid.frame_s == pytest.approx(FRAME, rel=1e-6)
    assert not derivation.frame_grid([np.sort(rng.uniform(0, 600, 300)) for _ in range(5)]).holds


def test_frames_in_bins_are_those_that_binning_counts() -> None:
    frames = np.arange(2000) * FRAME
    for width in (0.05, 0.1, 0.2, 0.37, 1.01):
        counts = relations.bin_events([frames], bin_s=width)[0].astype(int)
        held = derivation.frames_in_bins(FRAME, width, len(counts))
        assert np.array_equal(held[:-1], counts[:-1])
    held = derivation.frames_in_bins(FRAME, 0.2, 10_000)
    assert set(held.tolist()) == {1, 2}
    assert held.mean() == pytest.approx(0.2 / FRAME, abs=1e-3)


def test_a_window_below_a_frame_sees_common_frames_only(surrogate: Field) -> None:
    assert surrogate.events is not None
    stop = max(t[-1] for t in surrogate.events) + 0.1
    coefficients = relations.sttc(surrogate.events, window_s=1e-9, duration_s=stop)
    shifted = [t + FRAME / 2 for t in surrogate.events]
    frames = relations.bin_events(shifted, bin_s=FRAME, duration_s=stop + 2 * FRAME)
    shared = frames @ frames.T / frames.sum(axis=1)[:, None]
    off = ~np.eye(len(coefficients), dtype=bool)
    assert np.abs(coefficients - (shared + shared.T) / 2)[off].max() < 1e-5


def test_the_beat_adds_the_product_of_couplings() -> None:
    rng = np.random.default_rng(2)
    held = derivation.frames_in_bins(FRAME, 0.2, 60_000)
    counts = rng.binomial(held, np.array([[0.1], [0.2], [0.3]]))  # nothing else in common
    coupling = derivation.signal_correlation(counts, held)
    lower = np.tril_indices(3, -1)
    with_beat = relations.correlation(counts)[lower]
    assert with_beat == pytest.approx(np.outer(coupling, coupling)[lower], abs=0.015)
    assert with_beat.min() > 0.02
    assert np.abs(relations.correlation(derivation.regress_out(counts, held))[lower]).max() < 0.015
    assert derivation.signal_correlation(counts, np.ones(60_000)).tolist() == [0, 0, 0]


def test_published_settings_are_the_point_that_a_sweep_compares_with(surrogate: Field) -> None:
    table = sensitivity.sweep(surrogate, bins_s=[0.2, 1.0], windows_s=[0.1, 0.5])
    assert table["setting"].tolist() == ["bin", "bin", "window", "window", "redraw"]
    same = table[table["seconds"].isin([0.2, 0.1])]
    assert same["relation_r"].to_numpy() == pytest.approx(1)
    assert same["weights_r"].to_numpy() == pytest.approx(1)
    wide = table[table["seconds"].isin([1.0, 0.5])]
    assert (wide["self_ratio"].to_numpy() < same["self_ratio"].to_numpy()).all()
    assert table["weights_r"].iloc[-1] < wide["weights_r"].min()
    pd.testing.assert_frame_equal(
        table, sensitivity.sweep(surrogate, bins_s=[0.2, 1.0], windows_s=[0.1, 0.5])
    )


def test_a_field_without_events_says_so(surrogate: Field) -> None:
    bare = Field.from_arrays(
        name="bare",
        positions=surrogate.positions,
        connectome=surrogate.connectome,
        voxel_size=surrogate.voxel_size,
    )
    for call in (
        lambda: derivation.derived(bare),
        lambda: sensitivity.sweep(bare, bins_s=[1.0], windows_s=[1.0]),
    ):
        with pytest.raises(FieldError, match="'bare' came without event times"):
            call()
    with pytest.raises(FieldError, match="'bare' has none of correlation"):
        derivation.differences(bare, {"correlation": np.eye(40)})


def test_reason_is_given_where_nothing_can_be_derived(surrogate: Field) -> None:
    assert derivation.underivable(surrogate) == ""
    assert "without event times" in derivation.underivable(replace(surrogate, events=None))
    events = [*surrogate.events[1:], np.array([])]
    assert "neuron 39" in derivation.underivable(replace(surrogate, events=events))


def test_bins_that_leave_a_relation_undefined_have_no_numbers(surrogate: Field) -> None:
    long = float(max(train[-1] for train in surrogate.events)) + 1
    table = sensitivity.sweep(surrogate, bins_s=[0.2, long], windows_s=[0.1])
    undefined = table.set_index("seconds").loc[long]
    assert undefined.drop("setting").isna().all()
    assert table["weights_r"].notna().sum() == 3
    with pytest.raises(ValueError, match="bin"):
        sensitivity.sweep(surrogate, bins_s=[-1.0], windows_s=[0.1])


def test_relations_of_some_pairs_do_not_hinder_a_sweep(surrogate: Field) -> None:
    measured = np.ones((40, 40), dtype=bool)
    measured[0, 1] = measured[1, 0] = False
    gaps = np.where(measured, surrogate.relation("sttc"), np.nan)
    masked = replace(surrogate, correlation=None, sttc=gaps, precision=None, measured=measured)
    table = sensitivity.sweep(masked, bins_s=[0.2], windows_s=[0.1])
    whole = sensitivity.sweep(surrogate, bins_s=[0.2], windows_s=[0.1])
    pd.testing.assert_frame_equal(table, whole)
    compared = derivation.differences(masked, derivation.derived(masked, precision=False))
    assert compared["reproduced"].to_dict() == {"sttc": True}


def test_titles_are_those_of_relations_without_direction() -> None:
    given = {"correlation": None, "sttc": np.eye(2), "response": np.ones((2, 2))}
    assert list(derivation.titled(given)) == ["STTC"]
