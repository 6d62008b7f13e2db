"""The worm, and what it needed of fields and priors: masks, a directed relation, filling."""

from __future__ import annotations

import importlib.util
import runpy
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn import load_field
from cortexrnn.evidence.intervals import cell_means
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import worm
from cortexrnn.fields.sources.published import SourceError
from cortexrnn.figures import worm as figures
from cortexrnn.networks import priors
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import PRESETS
from cortexrnn.networks.training import train
from cortexrnn.runs.plans import plan
from tools.project import ROOT

N = 7
EYE = np.eye(N, dtype=bool)

needs_package = pytest.mark.skipif(
    not worm.available(), reason="the extra is not installed: pip install -e '.[worm]'"
)


def arrays(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Return arguments of a field with a directed relation, about half of it measured."""
    rng = np.random.default_rng(seed)
    measured = rng.random((N, N)) < 0.5
    measured[0, 1] = measured[2, 2] = True
    measured[1, 0] = measured[3, 3] = False
    response = np.where(measured, rng.normal(size=(N, N)), np.nan)
    return {
        "name": "masked",
        "positions": rng.integers(0, 100, (N, 3)),
        "voxel_size": (1.0, 1.0, 1.0),
        "connectome": rng.poisson(0.3, (N, N)) * (1 - np.eye(N, dtype=int)),
        "response": response,
        "measured": measured,
    } | changes


def symmetric(seed: int = 0) -> dict[str, Any]:
    """Return arguments of a field with a correlation, half of it measured in both directions."""
    rng = np.random.default_rng(seed)
    measured = np.triu(rng.random((N, N)) < 0.5)
    measured[0, 1], measured[0, 2], measured[0, 0] = True, False, True
    measured |= measured.T
    values = rng.normal(size=(N, N))
    correlation = np.where(measured, values + values.T, np.nan)
    return arrays(response=None, correlation=correlation, measured=measured)


# --- masks


def test_a_mask_allows_nan_where_nothing_was_measured_and_nothing_else_changes() -> None:
    given_arrays = arrays()
    field = Field.from_arrays(**given_arrays)
    np.testing.assert_array_equal(field.relation("response"), given_arrays["response"])
    np.testing.assert_array_equal(field.measured, given_arrays["measured"])
    assert not field.response.flags.writeable and not field.measured.flags.writeable
    assert field.relations == ("response",)
    assert f"{field.measured.mean():.0%} of pairs measured" in repr(field)


def spoiled(key: str, place: tuple[int, int], value: object) -> dict[str, Any]:
    given_arrays = arrays()
    changed = given_arrays[key].copy()
    changed[place] = value
    return given_arrays | {key: changed}


ASYMMETRIC = symmetric()["measured"].copy()
ASYMMETRIC[0, 1] = False
REFUSED = {
    "NaN without a mask": (arrays(measured=None), r"response: nan at .*; .*measured="),
    "NaN that was measured": (spoiled("response", (0, 1), np.nan), r"nan at \[0, 1\], .* is True"),
    "infinity that was measured": (spoiled("response", (0, 1), np.inf), r"inf at \[0, 1\]"),
    "number that was not measured": (spoiled("response", (1, 0), 0.5), r"0.5 at \[1, 0\], .*False"),
    "infinity that was not measured": (spoiled("response", (1, 0), np.inf), r"inf at \[1, 0\]"),
    "mask of another shape": (arrays(measured=np.ones((N, N + 1), bool)), r"measured: shape"),
    "mask of numbers": (arrays(measured=np.ones((N, N))), "measured: holds float64; pass booleans"),
    "mask of 0 and 1": (arrays(measured=np.ones((N, N), int)), "measured: holds int64"),
    "mask of nothing": (
        arrays(measured=EYE, response=np.where(EYE, 1.0, np.nan)), "no pair of two neurons",
    ),
    "mask without a relation": (arrays(response=None), "there is no relation"),
    "one direction of a symmetric relation": (
        symmetric()
        | {
            "measured": ASYMMETRIC,
            "correlation": np.where(ASYMMETRIC, symmetric()["correlation"], np.nan),
        },
        r"measured: not symmetric: \[1, 0\] is measured, \[0, 1\] is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_mask_that_does_not_fit_is_refused_by_name(case: str) -> None:
    given_arrays, message = REFUSED[case]
    with pytest.raises(FieldError, match=message) as raised:
        Field.from_arrays(**given_arrays)
    assert str(raised.value).startswith(
        ("field 'masked', response: ", "field 'masked', measured: ")
    )
    assert "; " in str(raised.value)  # a remedy follows


def test_a_symmetric_relation_must_be_so_where_it_was_measured() -> None:
    given_arrays = symmetric()
    assert Field.from_arrays(**given_arrays).relations == ("correlation",)
    given_arrays["correlation"][0, 1] += 1.0
    with pytest.raises(FieldError, match="correlation: not symmetric"):
        Field.from_arrays(**given_arrays)


def test_a_response_needs_no_symmetry_and_no_mask() -> None:
    response = np.arange(N * N, dtype=float).reshape(N, N)
    field = Field.from_arrays(**arrays(response=response, measured=None))
    np.testing.assert_array_equal(field.response, response)


def test_a_mask_that_is_true_throughout_is_no_mask() -> None:
    whole = arrays(response=np.ones((N, N)) + EYE, measured=None)
    field = Field.from_arrays(**whole | {"measured": np.ones((N, N), bool)})
    assert field.measured is None
    assert field.content_hash == Field.from_arrays(**whole).content_hash


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(N)))
def test_permuting_moves_mask_and_response_together(order: list[int]) -> None:
    field = Field.from_arrays(**arrays())
    moved = field.permuted(order)
    for key in ("response", "measured"):
        np.testing.assert_array_equal(getattr(moved, key), getattr(field, key)[order][:, order])


@pytest.mark.parametrize("key", ["response", "measured"])
def test_hashes_see_response_and_mask(key: str) -> None:
    field = Field.from_arrays(**arrays())
    given_arrays = arrays()
    given_arrays["response"][0, 1] = 7.0 if key == "response" else np.nan
    given_arrays["measured"][0, 1] = key == "response"
    other = Field.from_arrays(**given_arrays)
    assert other.content_hash != field.content_hash
    assert other.hash_without_events != field.hash_without_events


def test_the_bits_of_a_nan_are_not_content() -> None:
    given_arrays = arrays()
    missing = ~given_arrays["measured"]
    given_arrays["response"][missing] = np.frombuffer(b"\x01\0\0\0\0\0\xf8\xff", np.float64)[0]
    other = Field.from_arrays(**given_arrays)
    assert other.content_hash == Field.from_arrays(**arrays()).content_hash


def test_a_masked_field_is_saved_and_read_back(tmp_path: Path) -> None:
    field = Field.from_arrays(**arrays())
    again = Field.load(field.save(tmp_path / "masked"))
    assert again.content_hash == field.content_hash
    np.testing.assert_array_equal(again.measured, field.measured)


def test_files_of_the_first_format_are_still_read_and_later_ones_refused(tmp_path: Path) -> None:
    field = load_field("surrogate_20")
    path = field.save(tmp_path / "now.npz")
    with np.load(path) as file:
        contents = dict(file)
    assert set(contents).isdisjoint({"response", "measured"})  # as the first format was
    np.savez(tmp_path / "first.npz", **contents | {"format": np.array(1)})
    assert Field.load(tmp_path / "first.npz").content_hash == field.content_hash
    np.savez(tmp_path / "later.npz", **contents | {"format": np.array(3)})
    with pytest.raises(FieldError, match="format is 3, this package reads 1 and 2"):
        Field.load(tmp_path / "later.npz")


def test_hashes_and_identities_made_before_masks_hold() -> None:
    field = load_field("surrogate")
    assert field.hash_without_events.startswith("40b174d2c3922e87")
    assert field.content_hash.startswith("dab52fcca90c35e3")
    spec = plan(field, preset="quick", variants=["W*D*C"], tasks=["go_nogo"], seeds=[0])[0]
    assert spec.identity == "0f44815b40bbe13ce85df27f450fb732"


# --- filling


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_missing_pairs_get_the_median_of_their_kind_and_measured_ones_stay(seed: int) -> None:
    field = Field.from_arrays(**arrays(seed))
    whole, known = priors.impute_unmeasured(field, "response"), field.measured
    np.testing.assert_array_equal(whole[known], field.response[known])
    assert (whole[~known & ~EYE] == np.median(field.response[known & ~EYE])).all()
    assert (whole[~known & EYE] == np.median(field.response[known & EYE])).all()


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(N)))
def test_filling_does_not_depend_on_the_order_of_the_neurons(order: list[int]) -> None:
    field = Field.from_arrays(**arrays())
    whole = priors.impute_unmeasured(field, "response")
    moved = priors.impute_unmeasured(field.permuted(order), "response")
    np.testing.assert_array_equal(moved, whole[order][:, order])


def test_filling_keeps_a_symmetric_relation_symmetric() -> None:
    whole = priors.impute_unmeasured(Field.from_arrays(**symmetric()), "correlation")
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(whole, whole.T, atol=1e-12)


def test_what_was_measured_throughout_is_not_touched() -> None:
    field = load_field("surrogate_20")
    np.testing.assert_array_equal(priors.impute_unmeasured(field, "sttc"), field.sttc)


def test_a_diagonal_of_which_nothing_was_measured_is_refused() -> None:
    given_arrays = arrays()
    given_arrays["measured"] &= ~EYE
    given_arrays["response"][EYE] = np.nan
    field = Field.from_arrays(**given_arrays)
    with pytest.raises(FieldError, match="response: no neuron with itself was measured"):
        priors.impute_unmeasured(field, "response")
    with pytest.raises(FieldError, match="'masked' has no sttc"):
        priors.impute_unmeasured(field, "sttc")


# --- functional weights


def test_a_response_makes_weights_alone_and_keeps_its_direction() -> None:
    field = Field.from_arrays(**arrays(), correlation=None)
    assert priors.ingredients(field, "response") == ("response",)
    whole = priors.impute_unmeasured(field, "response")
    draw = np.random.default_rng(1).lognormal(-0.5, 0.5, (N, N))
    product = draw * (whole - whole.min()) / np.ptp(whole)
    product *= 0.1 / product.mean()
    product[(product > 0) & (product < 0.01)] = 0.01
    weights = priors.functional_weights(field, relation="response", rng=np.random.default_rng(1))
    expected = product * 0.95 / priors.spectral_radius(product)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)


def test_a_response_is_alone_even_beside_a_tiling_coefficient() -> None:
    field = load_field("surrogate_20")
    rng = np.random.default_rng(0)
    both = replace(field, response=rng.normal(size=(20, 20)))
    assert priors.ingredients(both, "response") == ("response",)
    assert priors.ingredients(both, "correlation") == ("correlation", "sttc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        priors.functional_weights(both, relation="response", rng=rng)
        priors.functional_weights(both, relation="correlation", rng=rng)


@pytest.mark.parametrize("relation", ["correlation", "precision"])
def test_a_relation_without_tiling_coefficient_is_taken_alone_and_that_is_reported(
    relation: str,
) -> None:
    bare = replace(load_field("surrogate_20"), sttc=None)
    assert priors.ingredients(bare, relation) == (relation,)
    with pytest.warns(UserWarning, match=f"no sttc: .* made of the {relation} alone"):
        weights = priors.functional_weights(bare, relation=relation, rng=np.random.default_rng(0))
    assert priors.spectral_radius(weights) == pytest.approx(0.95)


def test_a_masked_field_trains_and_its_missing_pairs_share_one_start_but_for_chance() -> None:
    field = Field.from_arrays(**arrays())
    specs = plan(field, relation="response", variants=["W*D*C", "W!D*C*"], tasks=["go_nogo"],
                 preset="smoke", seeds=[0], n_train=128, n_validation=128)  # fmt: skip
    assert {spec.arm for spec in specs} == {"response"}
    assert np.isfinite(initial_weights(specs[0], field)).all()
    results = train(specs, field, progress=False)
    assert all(np.isfinite(result.metrics["loss"]) for result in results)


def test_a_plan_needs_the_relation_that_it_names() -> None:
    with pytest.raises(FieldError, match="'masked' has no correlation; present: response"):
        plan(Field.from_arrays(**arrays()))


def test_epochs_of_a_short_training_are_the_first_of_a_longer_one() -> None:
    """Accuracy after the same epoch may be compared between trainings of different length."""
    field = load_field("surrogate_20")
    histories = []
    for epochs in (1, 2):
        settings = {"epochs": epochs, "n_train": 256, "n_validation": 128, "seeds": [0]}
        specs = plan(field, variants=["W*D*C"], tasks=["go_nogo"], preset=PRESETS["smoke"],
                     **settings)  # fmt: skip
        histories.append(train(specs, field, progress=False)[0].history["accuracy"])
    assert histories[1][0] == pytest.approx(histories[0][0], abs=1e-6)


# --- the worm


@pytest.fixture(scope="module")
def field() -> Field:
    return load_field("worm")


@needs_package
def test_the_worm_has_300_neurons_and_most_of_its_pairs_are_missing(field: Field) -> None:
    assert field.n_neurons == 300 and field.name == "worm" and field.origin == "package"
    assert field.relations == ("response",) and field.events is None
    others = ~np.eye(300, dtype=bool)
    assert field.measured[others].sum() == 23_900
    assert np.diag(field.measured).sum() == 173
    assert np.nanmin(field.response) > -1 and np.count_nonzero(~np.isnan(field.response)) == 24_073
    assert field.hash_without_events.startswith("720ab976fa5b56fa")


@needs_package
def test_rows_of_the_worm_are_senders_as_its_biology_knows_them(field: Field) -> None:
    names = worm.neuron_names()
    assert len(set(names)) == 300 and names == sorted(names)
    place = {name: i for i, name in enumerate(names)}
    # Touch neurons and command interneurons drive motor neurons, and sensory ones hear of nobody
    # as much as they tell (White et al. 1986).
    counts = field.connectome
    assert counts[place["AVAL"], place["DA3"]] > counts[place["DA3"], place["AVAL"]]
    assert counts[place["ASHL"], place["AIBL"]] > counts[place["AIBL"], place["ASHL"]]
    assert counts.sum() == 6_509 and np.count_nonzero(counts) == 2_266
    micrometres = field.positions * field.voxel_size / 1000
    assert micrometres[place["I1L"], 1] < micrometres[place["PLML"], 1]  # head before tail
    assert 700 < np.ptp(micrometres[:, 1]) < 1000
    along = np.argmax(np.ptp(micrometres, axis=0))
    assert along == 1
    pair = np.abs(micrometres[place["AVAL"]] - micrometres[place["AVAR"]])
    assert pair.argmax() == 0  # left and right differ on the first axis


@needs_package
def test_rows_of_the_response_are_the_stimulated_neurons(field: Field) -> None:
    import h5py

    with h5py.File(package_data() / "funatlas.h5") as file:
        released, trials = file["wt/dFF"][:], file["wt/occ1"][:]
    names = worm.neuron_names()
    sender, hearer = names.index("AVJR"), names.index("AVDR")
    assert trials[hearer, sender] > 0
    assert field.response[sender, hearer] == released[hearer, sender]
    assert released[sender, hearer] != released[hearer, sender]
    # Every neuron that was stimulated often enough was seen to respond to itself.
    assert (np.diag(field.measured) == np.isfinite(np.diag(released))).all()


@needs_package
def test_responses_below_minus_one_count_as_not_measured(field: Field) -> None:
    _, released = worm._responses()
    impossible = released < -1
    assert impossible.sum() == 1
    assert not field.measured[impossible].any()
    np.testing.assert_array_equal(field.measured, np.isfinite(released) & ~impossible)


@needs_package
def test_reading_the_worm_runs_none_of_the_package_and_opens_no_connection(monkeypatch) -> None:
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delitem(sys.modules, "wormneuroatlas", raising=False)
    load_field("worm")
    assert "wormneuroatlas" not in sys.modules


def package_data() -> Path:
    package = importlib.util.find_spec("wormneuroatlas")
    assert package is not None and package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "data"


@needs_package
@pytest.mark.parametrize("name", sorted(worm.SHA256))
def test_a_changed_file_is_refused_before_it_is_parsed(name: str, tmp_path: Path, monkeypatch):
    data = tmp_path / "wormneuroatlas" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("")
    for other in worm.SHA256:
        if other != name:
            (data / other).symlink_to(package_data() / other)
    (data / name).write_bytes((package_data() / name).read_bytes() + b"\0")
    monkeypatch.delitem(sys.modules, "wormneuroatlas", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceError, match=f"{name} is not the file of .*--force-reinstall"):
        load_field("worm")
    (data / name).unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        load_field("worm")


@pytest.mark.parametrize("absent", ["wormneuroatlas", "h5py"])
def test_without_the_extra_the_message_names_it(absent: str, monkeypatch) -> None:
    if absent == "h5py" and not worm.available():
        pytest.skip("the extra is not installed: pip install -e '.[worm]'")
    find = importlib.util.find_spec
    monkeypatch.setattr(worm, "find_spec", lambda name: None if name == absent else find(name))
    monkeypatch.setitem(sys.modules, absent, None)
    assert not worm.available()
    with pytest.raises(SourceError, match=rf"{absent}.*pip install -e '.\[worm\]'"):
        load_field("worm")


def test_the_worm_is_not_looked_up_in_a_directory(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="not looked up in a directory"):
        load_field("worm", directory=tmp_path)


# --- the chapter


def runs(fields: list[str]) -> pd.DataFrame:
    rows = [
        {"field": name, "arm": "response", "protocol": "published", "variant": variant,
         "task": task, "seed": seed, "accuracy": 0.5 + 0.1 * seed, "diverged": False,
         "settings": "epochs=3", "published": False, "numerics": 4,
         "specification": f'{{"epochs": 3, "seed": {seed}}}'}
        for name in fields
        for variant in ("W*D*C", "W")
        for task in ("one_choice", "go_nogo")
        for seed in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_figures_are_labelled() -> None:
    masked = Field.from_arrays(**arrays())
    tables = {name: cell_means(runs([name])) for name in ("worm", "cortex")}
    level = {"one_choice": 0.6, "go_nogo": 0.5}
    made = [
        figures.body(masked),
        figures.responses(masked),
        figures.starts({"a": np.ones((4, 4)) + np.eye(4), "b": np.ones((5, 5))}, radius=0.95),
        figures.accuracies(tables, level=level),
    ]
    for figure in made:
        figure.canvas.draw()
        texts = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
        assert sum(map(bool, texts)) >= 2 and all(axes.has_data() for axes in figure.axes)


def test_somata_are_distinguished_by_what_was_measured() -> None:
    measured = np.zeros((N, N), bool)
    measured[0, [0, 1, 2]] = True  # 0 was stimulated, 1 and 2 were seen
    response = np.where(measured, 1.0, np.nan)
    figure = figures.body(Field.from_arrays(**arrays(measured=measured, response=response)))
    drawn = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].lines}
    assert drawn == {"stimulated and observed": 1, "observed only": 2, "neither": N - 3}


def test_figures_refuse_what_they_cannot_show() -> None:
    whole = Field.from_arrays(**arrays(response=np.ones((N, N)), measured=None))
    with pytest.raises(ValueError, match="has no mask"):
        figures.body(whole)
    with pytest.raises(FieldError, match="has no response"):
        figures.responses(load_field("surrogate_20"))
    with pytest.raises(ValueError, match="at least one matrix"):
        figures.starts({}, radius=0.95)
    with pytest.raises(ValueError, match="reach down to"):
        figures.starts({"a": np.ones((4, 4)) - 3 * np.eye(4)}, radius=0.95)
    with pytest.raises(ValueError, match="expected one to 4"):
        figures.accuracies({}, level={"go_nogo": 0.5})


@pytest.mark.parametrize("installed", [True, False])
def test_the_chapter_runs_with_the_package_and_without(installed: bool, monkeypatch) -> None:
    if installed and not worm.available():
        pytest.skip("the extra is not installed: pip install -e '.[worm]'")
    if not installed:
        monkeypatch.setattr(worm, "find_spec", lambda name: None)
    names = runpy.run_path(str(ROOT / "notebooks" / "12_worm.py"))
    assert (names["worm"] is not None) == installed
    assert ("contents" in names) == installed
    assert len(names["runs"]) == 165
