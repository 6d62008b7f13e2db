"""The published fields: digests before parsing, pickles without power, places in their order."""

from __future__ import annotations

import hashlib
import http.server
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cortexrnn.fields.sources import load_field, published
from cortexrnn.fields.sources.published import FIELDS, REGISTRY, FileEntry, SourceError
from cortexrnn.networks import priors

NAME = "1_2_3"
N = 6


class Evil:
    """An object whose unpickling would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask the unpickler to call Path.touch."""
        return Path.touch, (self.path,)


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def write_field(folder: Path) -> dict[str, Any]:
    """Write a small made-up field as the authors lay theirs out; return what went in."""
    rng = np.random.default_rng(3)
    square = rng.normal(size=(N, N))
    truth = {
        "positions": rng.integers(0, 9999, (N, 3)),
        "events": [np.sort(rng.uniform(0, 9, k)) for k in range(N)],
        "relation": square + square.T,
        "connectome": rng.poisson(0.4, (N, N)),
        "ids": rng.permutation(N) + 500,
    }
    folder.mkdir(parents=True)
    np.save(folder / "corr_matrix.npy", truth["relation"])
    np.save(folder / "precision_matrix.npy", truth["relation"] * 2)
    np.save(folder / "sttc_matrix.npy", np.tril(truth["relation"]))
    for key, shift in (("target_ids", 0), ("root_ids", 10), ("unit_ids", 20)):
        np.save(folder / f"{key}_{NAME}.npy", truth["ids"] + shift)
    np.save(folder / f"positions_{NAME}.npy", objects(list(truth["positions"])), allow_pickle=True)
    np.save(folder / f"spikes_{NAME}.npy", objects(truth["events"]), allow_pickle=True)
    order = published.released_order(truth["ids"] + 10)
    released = truth["connectome"][np.ix_(order, order)]
    pd.DataFrame(released).to_csv(folder / f"connectome_{NAME}.csv")
    return truth


def git_blob(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def register(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package take the files of `folder` for the published ones."""
    entries = {}
    for file in folder.iterdir():
        data, path = file.read_bytes(), f"{NAME}/{file.name}"
        if file.name.startswith("spikes"):
            entries[path] = FileEntry(path, None, git_blob(data), None)
        else:
            entries[path] = FileEntry(path, hashlib.sha256(data).hexdigest(), None, len(data))
    monkeypatch.setattr(published, "REGISTRY", entries)
    row = {"field": NAME, "n_neurons": N, "grid": "3x2x1"}
    monkeypatch.setattr(published, "FIELDS", pd.DataFrame([row]))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty cache, no mirror, and an address where nothing answers."""
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CORTEXRNN_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(published, "BASE_URL", "http://127.0.0.1:9/")
    return tmp_path / "cache"


@pytest.fixture
def original(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the made-up field, registered as published."""
    folder = tmp_path / "original" / NAME
    write_field(folder)
    register(folder, monkeypatch)
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; can be set to corrupt what it sends."""

    root: Path
    spoil: str = ""
    asked: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer GET from the server's folder."""

    server: Server

    def do_GET(self) -> None:
        """Send one file, perhaps spoilt."""
        self.server.asked.append(self.path)
        file = self.server.root / self.path.lstrip("/")
        if not file.is_file() or self.server.spoil == "absent":
            self.send_error(404)
            return
        data = file.read_bytes()
        announced = len(data)
        if self.server.spoil == "cut":
            data = data[: len(data) // 2]
        if self.server.spoil == "short":
            data = data[: len(data) // 2]
            announced = len(data)
        if self.server.spoil == "altered":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server(original: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the made-up field on a loopback address, in place of the public source."""
    with Server(("127.0.0.1", 0), Handler) as running:
        running.root, running.asked = original.parent, []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        base = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setattr(published, "BASE_URL", base)
        monkeypatch.setattr(published, "SECOND_URL", base)
        yield running
        running.shutdown()
        thread.join()


# ---------------------------------------------------------------------------------- the tables


def test_there_are_56_fields_of_the_stated_sizes() -> None:
    assert len(FIELDS) == 56 and FIELDS["field"].is_unique
    assert FIELDS["n_neurons"].sum() == 19_178
    assert (FIELDS["n_neurons"].min(), FIELDS["n_neurons"].max()) == (42, 632)
    row = FIELDS.set_index("field").loc["6_6_2"]
    assert (row["n_neurons"], row["n_edges"], row["n_synapses"]) == (312, 316, 338)


def test_published_grids_hold_exactly_the_neurons() -> None:
    for row in FIELDS.itertuples():
        sides = [int(side) for side in row.grid.split("x")]
        assert len(sides) == 3 and np.prod(sides) == row.n_neurons, row.field
        assert row.field == f"{row.session}_{row.scan}_{row.imaging_field}"


def test_every_file_of_every_field_has_one_digest() -> None:
    assert len(REGISTRY) == 56 * 9
    for name in FIELDS["field"]:
        files = {f"{key}_{name}.npy" for key in ("positions", "spikes", "target_ids", "root_ids")}
        files |= {f"unit_ids_{name}.npy", f"connectome_{name}.csv"}
        files |= {"corr_matrix.npy", "sttc_matrix.npy", "precision_matrix.npy"}
        assert {f"{name}/{file}" for file in files} <= set(REGISTRY), name
    for entry in REGISTRY.values():
        if entry.sha256 is not None:
            assert len(entry.sha256) == 64 and entry.git_blob is None and entry.n_bytes
        else:
            assert len(entry.git_blob or "") == 40 and "/spikes_" in entry.path
    assert sum(entry.git_blob is not None for entry in REGISTRY.values()) == 40


def test_git_blob_id_is_the_one_git_gives() -> None:
    # printf 'hello\n' | git hash-object --stdin
    entry = FileEntry("x/y", None, "ce013625030ba8dba906f756967f9e9ca394464a", None)
    entry.verify(b"hello\n", "here")
    with pytest.raises(SourceError, match=r"expected git blob id ce013625.*, found "):
        entry.verify(b"hello", "here")


# ---------------------------------------------------------------------------------- reading


def test_a_field_is_read_as_it_was_laid_out(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = write_field(tmp_path / "d" / NAME)
    register(tmp_path / "d" / NAME, monkeypatch)
    field = published.load_published(NAME, directory=tmp_path / "d")
    assert field.origin == "directory" and field.grid == (3, 2, 1)
    assert field.positions.dtype == np.int64
    np.testing.assert_array_equal(field.positions, truth["positions"])
    np.testing.assert_array_equal(field.connectome, truth["connectome"])
    np.testing.assert_array_equal(field.ids, truth["ids"])
    np.testing.assert_array_equal(field.root_ids, truth["ids"] + 10)
    np.testing.assert_array_equal(field.unit_ids, truth["ids"] + 20)
    np.testing.assert_array_equal(field.voxel_size, [4, 4, 40])
    np.testing.assert_allclose(field.sttc, truth["relation"], rtol=0, atol=1e-15)
    np.testing.assert_allclose(field.correlation, truth["relation"], rtol=0, atol=1e-15)
    np.testing.assert_allclose(field.precision, truth["relation"] * 2, rtol=0, atol=1e-15)
    assert field.events is not None
    for train, expected in zip(field.events, truth["events"], strict=True):
        np.testing.assert_array_equal(train, expected)


def test_the_directory_may_be_the_fields_own_folder(original: Path) -> None:
    inner = published.load_published(NAME, directory=original)
    outer = published.load_published(NAME, directory=original.parent)
    assert inner.content_hash == outer.content_hash


def test_events_are_optional_in_a_directory(original: Path) -> None:
    without = published.load_published(NAME, directory=original, events=False)
    assert without.events is None
    (original / f"spikes_{NAME}.npy").unlink()
    plain = published.load_published(NAME, directory=original)
    assert plain.events is None and plain.content_hash == without.content_hash
    with pytest.raises(SourceError, match=f"incomplete, missing: spikes_{NAME}.npy"):
        published.load_published(NAME, directory=original, events=True)


def test_the_order_of_a_set_is_the_one_in_which_the_connectomes_were_released() -> None:
    # Ids as large as segment ids, so that order is decided by hash and table size. Another
    # interpreter that ordered sets otherwise would put wiring on the wrong neurons.
    ids = [864691135000000000 + 1000003 * k * k for k in range(40)]
    order = published.released_order(ids)
    expected = (
        "0 16 32 31 33 5 2 30 34 25 39 29 35 17 11 10 22 4 12 20 "
        "9 28 36 13 8 24 1 27 14 18 37 7 3 15 21 6 26 38 23 19"
    )
    assert order.tolist() == [int(word) for word in expected.split()]
    assert order.tolist() != sorted(order.tolist())


def test_segments_that_two_neurons_share_leave_the_order_untold(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="share a segment id"):
        published.released_order([5, 6, 5])
    np.save(original / f"root_ids_{NAME}.npy", np.full(N, 7))
    register(original, monkeypatch)
    with pytest.warns(UserWarning, match=f"field {NAME}: .* stay as released"):
        field = published.load_published(NAME, directory=original)
    released = pd.read_csv(original / f"connectome_{NAME}.csv", index_col=0).to_numpy()
    np.testing.assert_array_equal(field.connectome, released)


@pytest.mark.parametrize(
    "file", [f"connectome_{NAME}.csv", "sttc_matrix.npy", f"spikes_{NAME}.npy"]
)
def test_one_altered_byte_is_refused(original: Path, file: str) -> None:
    data = bytearray((original / file).read_bytes())
    data[len(data) // 2] ^= 1
    (original / file).write_bytes(data)
    with pytest.raises(SourceError, match=rf"{file} is not the published .*expected .*, found .*"):
        published.load_published(NAME, directory=original)


def test_the_message_names_both_digests_and_the_remedy(original: Path) -> None:
    file = original / "corr_matrix.npy"
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(b"")
    actual = hashlib.sha256(b"").hexdigest()
    message = (
        f"expected SHA-256 {expected}, found {actual} in 0 bytes; delete it and fetch it again"
    )
    with pytest.raises(SourceError, match=message):
        published.load_published(NAME, directory=original)


def test_incomplete_folders_are_distinguished_from_empty_ones(
    original: Path, tmp_path: Path
) -> None:
    (original / "sttc_matrix.npy").unlink()
    with pytest.raises(SourceError, match=r"incomplete, missing: sttc_matrix\.npy"):
        published.load_published(NAME, directory=original.parent)
    with pytest.raises(
        SourceError, match=r"cannot be loaded .*CORTEXRNN_DATA.*--directory.*network"
    ):
        published.load_published(NAME, directory=tmp_path)


# ---------------------------------------------------------------------------------- pickles


def test_a_malicious_file_is_refused_by_its_digest_unread(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb"
    file = original / f"positions_{NAME}.npy"
    np.save(file, objects([Evil(bomb)] * N), allow_pickle=True)

    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("parsed before its digest was checked")

    monkeypatch.setattr(published, "_object_array", opened)
    with pytest.raises(SourceError, match="is not the published file"):
        published.load_published(NAME, directory=original)
    assert not bomb.exists()


def test_a_malicious_pickle_has_no_power_even_under_the_right_digest(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb"
    file = original / f"positions_{NAME}.npy"
    np.save(file, objects([Evil(bomb)] * N), allow_pickle=True)
    register(original, monkeypatch)
    with pytest.raises(SourceError, match=r"asks for pathlib.*; only numpy arrays are read"):
        published.load_published(NAME, directory=original)
    assert not bomb.exists()
    # The file does what it is meant to do once it is trusted.
    np.load(file, allow_pickle=True)
    assert bomb.exists()


@pytest.mark.parametrize(
    "named",
    ["os system", "builtins eval", "numpy load", "numpy.core.multiarray fromfile", "numpy f2py"],
)
def test_only_a_few_numpy_names_are_admitted(tmp_path: Path, named: str) -> None:
    module, name = named.split()
    file = tmp_path / "a.npy"
    np.save(file, objects([0] * N), allow_pickle=True)
    data = file.read_bytes()
    header = data[: data.index(b"\n") + 1]
    file.write_bytes(header + f"c{module}\n{name}\n.".encode())
    with (
        file.open("rb") as stream,
        pytest.raises(SourceError, match=rf"a\.npy refused: its pickle asks for {module}\.{name}"),
    ):
        published._object_array(stream, n=N, place=str(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an object array"),
        (b"\x93NUMPY\x01\x00", "not an object array"),
        ("plain", "it holds float64 of shape"),
        ("wrong length", "expected 6 objects"),
        ("cut", "not an object array"),
        ("not an array", "its pickle is not an array of 6 objects"),
    ],
)
def test_what_is_no_object_array(tmp_path: Path, content: Any, message: str) -> None:
    file = tmp_path / "a.npy"
    np.save(file, objects([np.arange(3)] * (5 if content == "wrong length" else N)))
    data = file.read_bytes()
    if content == "plain":
        np.save(file, np.zeros(N))
    elif content == "cut":
        file.write_bytes(data[:-4])
    elif content == "not an array":
        file.write_bytes(data[: data.index(b"\n") + 1] + pickle.dumps([1, 2]))
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with file.open("rb") as stream, pytest.raises(SourceError, match=f"refused: .*{message}"):
        published._object_array(stream, n=N, place=str(file))


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_pickles_of_numpy_1_and_2_are_read(tmp_path: Path, module: str) -> None:
    file = tmp_path / "a.npy"
    items = [np.array([1.5, 2.5]), np.array([]), np.int64(7)]
    np.save(file, objects(items), allow_pickle=True)
    data = file.read_bytes()
    end = data.index(b"\n") + 1
    # Protocol 3 spells module names on lines of their own, so that they can be exchanged.
    body = pickle.dumps(objects(items), protocol=3)
    body = body.replace(b"numpy._core.multiarray", module.encode())
    assert module.encode() in body
    file.write_bytes(data[:end] + body)
    with file.open("rb") as stream:
        array = published._object_array(stream, n=3, place=str(file))
    assert [np.asarray(item).tolist() for item in array] == [[1.5, 2.5], [], 7]


# ---------------------------------------------------------------------------------- places


def test_unknown_fields_are_refused_with_what_is_near(cache: Path) -> None:
    with pytest.raises(SourceError, match=r"'6_6_3'; did you mean .*6_6_2.*`cortexrnn fields`"):
        load_field("6_6_3")
    with pytest.raises(SourceError, match="no field called 'qqq'; `cortexrnn fields` lists the 56"):
        load_field("qqq")
    with pytest.raises(SourceError, match="no field called '6_6_9'"):
        published.fetch("6_6_9")


def test_without_network_a_real_field_is_an_error_with_three_remedies(cache: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load_field("5_3_8")
    for remedy in ("CORTEXRNN_DATA", "--directory", "network", "cortexrnn fetch 5_3_8"):
        assert remedy in str(caught.value)


def test_a_mirror_that_is_not_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEXRNN_DATA", "/no/such/mirror")
    with pytest.raises(SourceError, match="CORTEXRNN_DATA names /no/such/mirror"):
        load_field("5_3_8")


def test_places_are_tried_in_order(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origins, hashes = [], set()

    def load(**options: Any) -> None:
        field = published.load_published(NAME, **options)
        origins.append(field.origin)
        hashes.add(field.content_hash)

    load()
    assert sorted(server.asked) == sorted(f"/{path}" for path in published.REGISTRY)
    load()
    assert len(server.asked) == 9
    monkeypatch.setenv("CORTEXRNN_DATA", str(server.root))
    load()
    load(directory=server.root)
    # A mirror without this field hands over to the next place.
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("CORTEXRNN_DATA", str(tmp_path / "empty"))
    load()
    assert origins == ["download", "cache", "mirror", "directory", "cache"]
    assert len(hashes) == 1


def test_a_field_is_at_hand_where_mirror_or_cache_hold_it(
    original: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not published.is_available(NAME)
    monkeypatch.setenv("CORTEXRNN_DATA", str(original.parent))
    assert published.is_available(NAME)
    (original / f"spikes_{NAME}.npy").unlink()
    assert published.is_available(NAME)  # events are not asked for
    assert not published.is_available("no such field") and not published.is_available("surrogate")
    (original / "corr_matrix.npy").rename(original / "elsewhere.npy")
    assert not published.is_available(NAME)
    (original / "elsewhere.npy").rename(original / "corr_matrix.npy")
    monkeypatch.delenv("CORTEXRNN_DATA")
    cache.mkdir(exist_ok=True)
    original.rename(cache / NAME)
    assert published.is_available(NAME)


def test_an_address_that_is_not_resolved_gives_way_to_the_second(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "SECOND_URL", published.BASE_URL)
    monkeypatch.setattr(published, "BASE_URL", published.BASE_URL + "short/")
    assert published.load_published(NAME).origin == "download"
    assert any(path.startswith("/short/") for path in server.asked)


def test_a_download_without_events(server: Server, cache: Path) -> None:
    field = published.load_published(NAME, events=False)
    assert field.origin == "download" and field.events is None
    assert not any("spikes" in path for path in server.asked)
    assert published.load_published(NAME, events=False).origin == "cache"
    again = published.load_published(NAME)
    assert again.origin == "download" and again.events is not None
    assert len(server.asked) == 9


@pytest.mark.parametrize("spoil", ["cut", "short", "altered", "absent"])
@pytest.mark.parametrize("kind", ["sha256", "git_blob"])
def test_a_spoilt_download_never_reaches_the_cache(
    server: Server, cache: Path, spoil: str, kind: str
) -> None:
    if kind == "git_blob":
        published.fetch(NAME, events=False, progress=False)
    before = {path.name for path in cache.rglob("*.*")}
    server.spoil = spoil
    digest = "SHA-256" if kind == "sha256" else "git blob id"
    message = {
        "cut": "cannot be loaded",
        "short": f"is not the published file.*expected {digest}",
        "altered": f"is not the published file.*expected {digest}",
        "absent": "cannot be loaded .*404",
    }[spoil]
    with pytest.raises(SourceError, match=message):
        published.load_published(NAME)
    assert {path.name for path in cache.rglob("*.*")} == before
    server.spoil = ""
    assert published.load_published(NAME).origin == "download"


def test_damage_in_the_cache_is_reported_and_fetch_mends_it(server: Server, cache: Path) -> None:
    assert published.fetch(NAME) == cache / NAME
    for file in (f"spikes_{NAME}.npy", "corr_matrix.npy"):
        with (cache / NAME / file).open("ab") as stream:
            stream.write(b"!")
        with pytest.raises(SourceError, match=f"{file} is not .*`cortexrnn fetch {NAME}`"):
            published.load_published(NAME)
        server.asked.clear()
        published.fetch(NAME, progress=False)
        assert server.asked == [f"/{NAME}/{file}"]
        assert published.load_published(NAME).origin == "cache"


def test_a_cache_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the cache folder should be")
    monkeypatch.setenv("CORTEXRNN_CACHE", str(blocked))
    with pytest.raises(SourceError, match="set CORTEXRNN_CACHE to a folder"):
        published.load_published(NAME)


def test_the_address_is_pinned_to_a_commit() -> None:
    pinned = "https://raw.githubusercontent.com/neurovium/CorticalBlueprintRNN/8d5e241f"
    assert published.BASE_URL.startswith(pinned) and published.BASE_URL.endswith("/info/")


# ---------------------------------------------------------------------------------- real data


def test_every_field_of_the_mirror_is_as_listed(mirror: Path) -> None:
    names = sorted(item.name for item in mirror.iterdir() if item.is_dir())
    assert names, "the mirror is empty"
    for name in names:
        row = FIELDS.set_index("field").loc[name]
        field = load_field(name)
        assert field.origin == "mirror" and field.name == name
        assert field.n_neurons == row["n_neurons"] == np.prod(field.grid)
        assert "x".join(map(str, field.grid)) == row["grid"]
        assert np.count_nonzero(field.connectome) == row["n_edges"]
        assert field.connectome.sum() == row["n_synapses"]
        assert field.relations == ("correlation", "sttc", "precision")
        assert field.sttc is not None and field.correlation is not None
        assert np.count_nonzero(np.triu(field.sttc, 1)) == np.count_nonzero(np.tril(field.sttc, -1))
        np.testing.assert_array_equal(field.sttc, field.sttc.T)
        np.testing.assert_array_equal(field.correlation, field.correlation.T)
        assert field.ids.min() > 0 and field.positions.min() > 0


def test_rows_are_presynaptic(mirror: Path) -> None:
    # 166 and 58 neurons of these fields make no synapse within the field.
    connectome = load_field("6_6_2").connectome
    assert np.count_nonzero(connectome.sum(axis=1) == 0) == 166
    assert np.count_nonzero(connectome.sum(axis=0) == 0) != 166
    assert np.count_nonzero(load_field("5_3_4").connectome.sum(axis=1) == 0) == 58


@pytest.mark.parametrize("name", ["5_3_8", "4_7_2"])
def test_events_belong_to_the_neurons_of_the_matrices(mirror: Path, name: str) -> None:
    field = load_field(name)
    assert field.events is not None
    stop = max(times[-1] for times in field.events) + 0.1
    edges = np.arange(0, stop, 0.2)
    counts = np.array([np.histogram(times, edges)[0] for times in field.events])
    np.testing.assert_allclose(np.corrcoef(counts), field.correlation, rtol=0, atol=1e-12)


def test_permuting_a_real_field_and_saving_it(mirror: Path, tmp_path: Path) -> None:
    field = load_field("5_3_4")
    order = np.random.default_rng(0).permutation(field.n_neurons)
    again = load_field(field.permuted(order).save(tmp_path / "f.npz"))
    assert again.permuted(np.argsort(order)).content_hash == field.content_hash
    assert again.content_hash != field.content_hash


def test_connected_neurons_are_near_neighbours_in_every_real_field(mirror: Path) -> None:
    scores = {}
    for folder in sorted(mirror.iterdir()):
        field = published.load_published(folder.name, directory=mirror)
        place = field.positions * field.voxel_size / 1000
        distance = priors.distances(place)
        order = published.released_order(field.root_ids)
        others = ~np.eye(field.n_neurons, dtype=bool)
        mean, sd = distance[others].mean(), distance[others].std()
        for what, counts in (
            ("aligned", field.connectome),
            ("released", field.connectome[np.ix_(order, order)]),
        ):
            edges = counts > 0
            z = (distance[edges].mean() - mean) / sd * np.sqrt(edges.sum())
            scores.setdefault(what, []).append(z)
    print({what: np.round(z, 1) for what, z in scores.items()})
    assert max(scores["aligned"]) < -1.9
    assert abs(np.mean(scores["released"])) < 1
