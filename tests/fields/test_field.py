"""Fields: what is refused, what is kept, what a permutation and a file may not change."""

from __future__ import annotations

import copy
import pickle
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field, grid_shape
from cortexrnn.fields.sources import load_field


def arrays(n: int = 6, *, seed: int = 0) -> dict[str, Any]:
    """Everything a field can hold, for n neurons."""
    rng = np.random.default_rng(seed)
    relations = rng.normal(size=(3, n, n))
    relations += relations.transpose(0, 2, 1)
    return {
        "name": "made_up",
        "ids": 864_691_135_000_000_001 + rng.permutation(n),
        "positions": rng.integers(0, 100_000, (n, 3)),
        "voxel_size": (4, 4, 40),
        "connectome": rng.poisson(0.5, (n, n)) * (1 - np.eye(n, dtype=int)),
        "correlation": relations[0],
        "sttc": relations[1],
        "precision": relations[2],
        "events": [np.sort(rng.uniform(0, 60, rng.poisson(3))) for _ in range(n)],
        "root_ids": rng.integers(0, 2**62, n),
        "unit_ids": np.arange(n) * 10,
    }


def changed(key: str, where: Any, value: Any) -> dict[str, Any]:
    """Return the same arrays with one entry replaced."""
    given = arrays()
    given[key] = np.array(given[key], dtype=type(value))
    given[key][where] = value
    return given


# ---------------------------------------------------------------------------------- refusals

REFUSED = {
    "NaN in a relation": (changed("sttc", (2, 3), np.nan), r"sttc: nan at \[2, 3\]; drop"),
    "infinite position": (changed("positions", (1, 0), np.inf), r"positions: inf at \[1, 0\]"),
    "asymmetric": (
        changed("precision", (0, 4), 9.5),
        r"precision: not symmetric: 9\.5 at \[0, 4\]",
    ),
    "negative count": (changed("connectome", (5, 1), -2), r"connectome: -2 at \[5, 1\]"),
    "half a synapse": (changed("connectome", (0, 2), 0.5), r"connectome: 0\.5 at \[0, 2\]"),
    "repeated id": (arrays() | {"ids": [1, 2, 3, 3, 4, 5]}, r"ids: 3 occurs twice"),
    "ids as floats": (arrays() | {"ids": np.arange(6.0)}, r"ids: holds float64; .* int64"),
    "root ids as floats": (arrays() | {"root_ids": np.arange(6.0)}, r"root_ids: holds float64"),
    "ids beyond int64": (
        arrays() | {"ids": np.arange(6, dtype=np.uint64) + np.uint64(2**63)},
        r"ids: 9223372036854775813 does not fit int64",
    ),
    "one neuron too few": (arrays() | {"ids": [1, 2, 3]}, r"ids: shape \(3,\), expected \(6\)"),
    "N mismatch in a relation": (
        arrays() | {"correlation": np.eye(5)},
        r"correlation: shape \(5, 5\), expected \(6, 6\)",
    ),
    "N mismatch in the connectome": (
        arrays() | {"connectome": np.zeros((6, 5), int)},
        r"connectome: shape \(6, 5\), expected \(6, 6\)",
    ),
    "positions transposed": (
        arrays() | {"positions": np.zeros((3, 6))},
        r"positions: shape \(3, 6\), expected \(N, 3\)",
    ),
    "ragged positions": (arrays() | {"positions": [[1, 2, 3], [1, 2]]}, "positions: not an array"),
    "text for positions": (arrays() | {"positions": [["x"] * 3] * 6}, "positions: holds <U1"),
    "complex relation": (arrays() | {"sttc": np.eye(6) * 1j}, "sttc: holds complex128"),
    "a single neuron": (arrays(1), "positions: 1 neurons; a field needs at least 2"),
    "flat voxel": (arrays() | {"voxel_size": (4, 4, 0)}, r"voxel_size: \[4, 4, 0\]; .* nm"),
    "one voxel length": (arrays() | {"voxel_size": 4}, r"voxel_size: shape \(\), expected \(3\)"),
    "grid too small": (arrays() | {"grid": (5, 1, 1)}, r"grid: \(5, 1, 1\) for 6 neurons"),
    "grid of two sides": (arrays() | {"grid": (3, 2)}, r"grid: \(3, 2\) for 6 neurons"),
    "grid with half a side": (arrays() | {"grid": (2.5, 3, 2)}, "grid: .*positive integers"),
    "negative grid": (arrays() | {"grid": (-3, -2, 1)}, r"grid: \(-3, -2, 1\) for 6 neurons"),
    "too few event trains": (arrays() | {"events": [[1.0]] * 5}, "events: 5 arrays for 6 neurons"),
    "unsorted events": (arrays() | {"events": [[2.0, 1.0]] * 6}, r"events\[0\]: .*not sorted"),
    "negative event": (arrays() | {"events": [[-1.0, 1.0]] * 6}, r"events\[0\]: -1\.0 s is before"),
    "NaN event": (arrays() | {"events": [[0.0, np.nan]] * 6}, r"events\[0\]: nan at \[1\]"),
    "nameless": (arrays() | {"name": ""}, "a field needs a name without slashes, got ''"),
    "name that climbs": (arrays() | {"name": "../x"}, r"name without slashes, got '\.\./x'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_input_is_refused_with_its_place_and_value(case: str) -> None:
    given_arrays, message = REFUSED[case]
    with pytest.raises(FieldError, match=message):
        Field.from_arrays(**given_arrays)


def test_messages_name_the_field() -> None:
    with pytest.raises(FieldError, match=r"^field 'made_up', sttc: "):
        Field.from_arrays(**arrays() | {"sttc": np.eye(2)})


def test_rounding_passes_for_symmetry() -> None:
    given_arrays = arrays()
    given_arrays["correlation"][0, 1] += 1e-10
    assert Field.from_arrays(**given_arrays).n_neurons == 6


# ---------------------------------------------------------------------------------- content


def test_defaults_and_types() -> None:
    kept = ("name", "positions", "voxel_size", "connectome")
    field = Field.from_arrays(**{key: arrays()[key] for key in kept})
    assert field.ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert field.ids.dtype == field.connectome.dtype == field.positions.dtype == np.int64
    assert field.voxel_size.dtype == np.float64
    assert field.grid == (3, 2, 1)
    assert field.relations == () and field.events is None and field.root_ids is None
    assert field.origin == "arrays"


def test_ids_keep_all_their_digits() -> None:
    assert Field.from_arrays(**arrays()).ids.min() == 864_691_135_000_000_001


def test_arrays_cannot_be_changed_from_either_side() -> None:
    given_arrays = arrays()
    field = Field.from_arrays(**given_arrays)
    before = field.correlation[1, 2]
    given_arrays["correlation"][1, 2] = 99
    assert field.correlation[1, 2] == before
    assert field.events is not None
    for array in (field.ids, field.positions, field.connectome, field.sttc, field.events[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    with pytest.raises(AttributeError):
        field.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("way", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_copies_for_other_processes_are_read_only_too(way: Any) -> None:
    field = Field.from_arrays(**arrays())
    twin = way(field)
    assert twin.content_hash == field.content_hash
    assert not twin.connectome.flags.writeable and not twin.sttc.flags.writeable


def test_relation_by_name() -> None:
    given_arrays = arrays() | {"sttc": None}
    field = Field.from_arrays(**given_arrays)
    np.testing.assert_array_equal(field.relation("precision"), given_arrays["precision"])
    with pytest.raises(FieldError, match="'made_up' has no sttc; present: correlation, precision"):
        field.relation("sttc")
    with pytest.raises(FieldError, match="unknown relation 'ids'; choose from correlation, sttc,"):
        field.relation("ids")


# ---------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("key", [key for key in arrays() if key != "events"])
def test_content_hash_sees_every_array(key: str) -> None:
    given_arrays = arrays()
    field = Field.from_arrays(**given_arrays)
    other = arrays()
    if key == "name":
        other[key] = "made_up_2"
    else:
        other[key] = np.array(other[key])
        # The diagonal keeps a relation symmetric; a connectome has none.
        other[key][(0, 1) if key == "connectome" else (0,) * other[key].ndim] += 1
    assert Field.from_arrays(**other).content_hash != field.content_hash
    assert Field.from_arrays(**other).hash_without_events != field.hash_without_events


def test_content_hash_sees_events_and_grid_but_not_the_origin() -> None:
    field = Field.from_arrays(**arrays())
    silent = Field.from_arrays(**arrays() | {"events": None})
    assert silent.content_hash != field.content_hash
    assert silent.hash_without_events == field.hash_without_events
    moved = [list(train) for train in arrays()["events"]]
    busy = next(i for i, train in enumerate(moved) if train)
    moved[(busy + 1) % 6] = sorted([*moved[(busy + 1) % 6], moved[busy].pop()])
    assert Field.from_arrays(**arrays() | {"events": moved}).content_hash != field.content_hash
    assert Field.from_arrays(**arrays(), grid=(6, 1, 1)).content_hash != field.content_hash
    assert Field.from_arrays(**arrays(), origin="mirror").content_hash == field.content_hash


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)))
def test_permuting_moves_every_array_together(order: list[int]) -> None:
    field = Field.from_arrays(**arrays())
    moved = field.permuted(order)
    assert moved.events is not None and field.events is not None
    for new, old in enumerate(order):
        assert moved.ids[new] == field.ids[old]
        assert moved.root_ids[new] == field.root_ids[old]
        assert moved.unit_ids[new] == field.unit_ids[old]
        assert moved.positions[new].tolist() == field.positions[old].tolist()
        assert moved.events[new].tolist() == field.events[old].tolist()
    for a, b in product(range(6), repeat=2):
        for key in ("connectome", "correlation", "sttc", "precision"):
            assert getattr(moved, key)[a, b] == getattr(field, key)[order[a], order[b]]
    assert moved.permuted(np.argsort(order)).content_hash == field.content_hash
    assert (moved.content_hash == field.content_hash) == (order == sorted(order))


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], np.eye(6)])
def test_orders_that_are_no_permutation_are_refused(order: Any) -> None:
    with pytest.raises(FieldError, match=r"order must hold each of 0 \.\.\. 5 once"):
        Field.from_arrays(**arrays()).permuted(order)


# ---------------------------------------------------------------------------------- files


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(2, 7),
    seed=st.integers(0, 2**32 - 1),
    dropped=st.sets(
        st.sampled_from(["ids", "correlation", "sttc", "precision", "events", "root_ids"])
    ),
)
def test_a_saved_field_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, n: int, seed: int, dropped: set[str]
) -> None:
    given_arrays = {k: v for k, v in arrays(n, seed=seed).items() if k not in dropped}
    field = Field.from_arrays(**given_arrays)
    path = field.save(tmp_path_factory.mktemp("fields") / "f")
    assert path.name == "f.npz"
    again = Field.load(path)
    assert again.content_hash == field.content_hash and again.origin == "file"
    assert again.name == field.name and again.grid == field.grid
    assert again.relations == field.relations
    assert (again.events is None) == ("events" in dropped)
    if again.events is not None and field.events is not None:
        for read, saved in zip(again.events, field.events, strict=True):
            np.testing.assert_array_equal(read, saved)


def test_saving_replaces_whole_files_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Field.from_arrays(**arrays())
    path = field.save(tmp_path / "f.npz")
    before = path.read_bytes()

    def dies(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", dies)
    with pytest.raises(FieldError, match="no space left on device; choose a folder"):
        Field.from_arrays(**arrays(seed=1)).save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["f.npz"]


def test_saving_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"cannot be written to .*No such file"):
        Field.from_arrays(**arrays()).save(tmp_path / "missing" / "f.npz")


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = Field.from_arrays(**arrays()).save(tmp_path / "f.npz")
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FieldError, match=r"f\.npz is damaged.*; save the field again"):
            Field.load(path)


def test_no_flipped_byte_changes_a_field_unseen(tmp_path: Path) -> None:
    field = Field.from_arrays(**arrays())
    path = field.save(tmp_path / "f.npz")
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            assert Field.load(path).content_hash == field.content_hash
        except FieldError:
            refused += 1
    # Bytes such as a zip entry's time stamp carry nothing; most of the file is content.
    assert refused > 0.5 * len(whole) / 37


def test_an_edited_file_fails_its_own_hash(tmp_path: Path) -> None:
    path = Field.from_arrays(**arrays()).save(tmp_path / "f.npz")
    with np.load(path) as archive:
        content = dict(archive)
    content["connectome"] = content["connectome"] + 1
    np.savez(path, **content)
    with pytest.raises(FieldError, match="was changed after it was saved: content hash is"):
        Field.load(path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = Field.from_arrays(**arrays()).save(tmp_path / "f.npz")
    with np.load(path) as archive:
        content = dict(archive)
    content["ids"] = np.array([object()] * 6, dtype=object)
    np.savez(path, **content)
    with pytest.raises(FieldError, match=r"damaged or not a saved field: .*allow_pickle=False"):
        Field.load(path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="there is no file"):
        Field.load(tmp_path / "absent.npz")
    with pytest.raises(FieldError, match="cannot be read: Is a directory"):
        Field.load(tmp_path)
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    with pytest.raises(FieldError, match="does not hold a usable field"):
        Field.load(tmp_path / "other.npz")
    np.save(tmp_path / "bare.npy", np.arange(3))
    with pytest.raises(FieldError, match="not that of an npz archive"):
        Field.load(tmp_path / "bare.npy")


# ---------------------------------------------------------------------------------- grid


def smallest_surface(n: int) -> int:
    sides = [k for k in range(1, n + 1) if n % k == 0]
    boxes = [box for box in product(sides, repeat=3) if box[0] * box[1] * box[2] == n]
    return min(a * b + b * c + a * c for a, b, c in boxes)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 700))
def test_grid_is_the_most_compact_box(n: int) -> None:
    a, b, c = grid_shape(n)
    assert a >= b >= c >= 1
    if all(n % k for k in range(2, n)):
        assert a * b * c > n and c > 1
    else:
        assert a * b * c == n
    assert a * b + b * c + a * c == smallest_surface(a * b * c)


@pytest.mark.parametrize(
    ("n", "shape"),
    [(2, (2, 2, 2)), (13, (4, 2, 2)), (27, (3, 3, 3)), (96, (6, 4, 4)), (97, (7, 7, 2))],
)
def test_grid_examples(n: int, shape: tuple[int, int, int]) -> None:
    assert grid_shape(n) == shape


@pytest.mark.parametrize("n", [1, 0, -8, 2.5, True, "96"])
def test_grid_needs_a_number_of_neurons(n: Any) -> None:
    with pytest.raises(FieldError, match="a whole number of at least 2 neurons"):
        grid_shape(n)


# ---------------------------------------------------------------------------------- load_field


def test_load_field_reads_saved_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field.from_arrays(**arrays())
    path = field.save(tmp_path / "mine.npz")
    assert load_field(path).content_hash == field.content_hash
    renamed = path.rename(tmp_path / "surrogate_or_not")
    assert load_field(str(renamed)).content_hash == field.content_hash
    with pytest.raises(FieldError, match=r"there is no file .*absent\.npz"):
        load_field(tmp_path / "absent.npz")
    with pytest.raises(FieldError, match="not looked up in a directory"):
        load_field(renamed, directory=tmp_path)


@pytest.mark.parametrize(("number", "meant"), [(662, "6_6_2"), (np.int64(538), "5_3_8")])
def test_a_name_that_arrived_as_a_number(number: Any, meant: str) -> None:
    with pytest.raises(FieldError, match=f"arrived as the number {number}.*`-r field {meant}`"):
        load_field(number)


@pytest.mark.parametrize("name", [None, 6.62, True, ["6_6_2"]])
def test_what_is_no_name(name: Any) -> None:
    with pytest.raises(FieldError, match="a field is given by name or path"):
        load_field(name)


def test_a_misnamed_surrogate() -> None:
    with pytest.raises(FieldError, match="'surrogate_many'; a surrogate is named"):
        load_field("surrogate_many")
