"""Broken input of sixteen kinds, at every door: each is refused by name, or handled as documented.

A case is a call that must raise a `ValueError` (`FieldError` and `SourceError` are such) whose text
names the thing, or, where the documentation says what happens, must return True.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from cortexrnn.fields import derivation, proofreading, relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import published
from cortexrnn.fields.sources.arrays import (
    field_from_data,
    read_connectome,
    read_events,
    read_positions,
)
from cortexrnn.fields.sources.published import FileEntry, SourceError, load_published

N = 6
NAME = "1_2_3"
IDS = 864_691_135_000_000_001 + np.array([4, 0, 5, 2, 1, 3])
LEAST = 15


class Lab:
    """A folder for one case, and the means to break things in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.marker = folder / "was_here"
        self.patch = monkeypatch

    def csv(self, text: str) -> Path:
        path = self.folder / "table.csv"
        path.write_text(text)
        return path

    def file(self, data: bytes, name: str = "field.npz") -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def saved(self, **changes: Any) -> Path:
        """A saved field with some of its arrays replaced."""
        field = Field.from_arrays(**arrays())
        kept = {**field._arrays(), "format": np.array(1)}
        kept["content_hash"] = np.array(field.content_hash)
        np.savez(self.folder / "field.npz", **{**kept, **changes})
        return self.folder / "field.npz"

    def layout(self, change: dict[str, Any] | None = None, *, known: bool) -> bool:
        """Load a published layout with some files replaced; `known`: under their right digests."""
        folder = self.folder / NAME
        folder.mkdir()
        given = arrays()
        released = given["connectome"][np.ix_(*[published.released_order(IDS)] * 2)]
        files: dict[str, Any] = {
            "corr_matrix.npy": given["correlation"],
            "precision_matrix.npy": given["precision"],
            "sttc_matrix.npy": np.tril(given["sttc"]),
            f"positions_{NAME}.npy": objects(list(given["positions"])),
            f"spikes_{NAME}.npy": objects(given["events"]),
            f"connectome_{NAME}.csv": pd.DataFrame(released).to_csv().encode(),
            **{f"{key}_ids_{NAME}.npy": IDS for key in ("target", "root", "unit")},
        }
        entries = {}
        for turn in ({}, change or {}):
            for file, content in (files | turn).items():
                path = folder / file
                if callable(content):
                    content = content(path.read_bytes())
                if isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    np.save(path, content, allow_pickle=True)
                if known or not turn:
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    entries[f"{NAME}/{file}"] = FileEntry(f"{NAME}/{file}", digest, None, None)
        row = {"field": NAME, "n_neurons": N, "grid": "3x2x1"}
        self.patch.setattr(published, "REGISTRY", entries)
        self.patch.setattr(published, "FIELDS", pd.DataFrame([row]))
        if not known:
            self.patch.setattr(published._Files, "read", guarded(published._Files.read, change))
        loaded = load_published(NAME, directory=folder, events=True)
        return loaded.content_hash == Field.from_arrays(**given | {"name": NAME}).content_hash


def guarded(read: Any, spoilt: Any) -> Any:
    """Reader that hands no byte of a spoilt file on to whatever would parse it."""

    def reading(files: Any, file: str) -> Any:
        content = read(files, file)
        assert file not in spoilt, f"{file} was about to be parsed"
        return content

    return reading


@dataclass(frozen=True)
class Case:
    """One broken input."""

    kind: str
    name: str
    call: Callable[[Lab], Any]
    says: str | None
    error: type[ValueError] = FieldError


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def arrays() -> dict[str, Any]:
    """Everything a field can hold; the same at every call."""
    rng = np.random.default_rng(11)
    relations = rng.normal(size=(3, N, N))
    relations += relations.transpose(0, 2, 1)
    return {
        "name": "mine",
        "ids": IDS.copy(),
        "positions": rng.integers(0, 9999, (N, 3)),
        "voxel_size": (4, 4, 40),
        "grid": (3, 2, 1),
        "connectome": rng.poisson(0.7, (N, N)) * (1 - np.eye(N, dtype=int)),
        "correlation": relations[0],
        "sttc": relations[1],
        "precision": relations[2],
        "events": [np.sort(rng.uniform(0, 60, 9)) for _ in range(N)],
        "root_ids": IDS.copy(),
        "unit_ids": IDS.copy(),
    }


def own() -> dict[str, Any]:
    """What `field_from_data` needs, all plain."""
    kept = ("name", "ids", "positions", "connectome", "events")
    return {key: arrays()[key] for key in kept}


def edges() -> pd.DataFrame:
    pre, post = np.nonzero(arrays()["connectome"])
    count = arrays()["connectome"][pre, post]
    return pd.DataFrame({"pre": IDS[pre], "post": IDS[post], "count": count})


def somata() -> pd.DataFrame:
    return pd.DataFrame(arrays()["positions"], columns=list("xyz")).assign(id=IDS)


def times() -> pd.DataFrame:
    trains = arrays()["events"]
    return pd.DataFrame(
        {"id": np.repeat(IDS, [len(t) for t in trains]), "time": np.concatenate(trains)}
    )


def square() -> pd.DataFrame:
    return pd.DataFrame(arrays()["connectome"], index=IDS, columns=IDS)


def graph(**edge: Any) -> nx.DiGraph:
    made = nx.DiGraph()
    for node, place in zip(IDS.tolist(), arrays()["positions"], strict=True):
        made.add_node(node, position=place)
    made.add_edge(*IDS[:2].tolist(), **edge)
    return made


def with_entry(key: str, where: Any, value: Any) -> dict[str, Any]:
    """The arrays with one entry replaced."""
    given = arrays()
    given[key] = np.array(given[key], dtype=np.result_type(np.asarray(given[key]), type(value)))
    given[key][where] = value
    return given


def with_train(train: Any, k: int = 2) -> list[Any]:
    trains = list(arrays()["events"])
    trains[k] = train
    return trains


def field(says: str, name: str = "", **changes: Any) -> tuple[str, Callable[[Lab], Any], str]:
    """Case for Field.from_arrays."""
    title = f"from_arrays {name or ' '.join(changes)}"
    return title, lambda _: Field.from_arrays(**arrays() | changes), says


def own_data(says: str, name: str = "", **changes: Any) -> tuple[str, Callable[[Lab], Any], str]:
    """Case for field_from_data."""
    title = f"field_from_data {name or ' '.join(changes)}"
    return title, lambda _: field_from_data(**own() | changes), says


def load(says: str, name: str = "", **changes: Any) -> tuple[str, Callable[[Lab], Any], str]:
    """Case for Field.load of a file with other arrays in it."""
    title = f"load {name or ' '.join(changes)}"
    return title, lambda lab: Field.load(lab.saved(**changes)), says


def laid(says: str | None, file: str, content: Any, *, known: bool = True, name: str = "") -> Any:
    """Case for a published layout."""
    title = f"published {file} {name or ('' if known else 'of another digest')}".strip()
    path = file.replace("*", NAME)
    return title, lambda lab: lab.layout({path: content}, known=known), says, SourceError


def plain(says: str | None, name: str, call: Callable[[], Any]) -> Any:
    """Case for a function of numbers, which raises ValueError."""
    return name, lambda _: call(), says, ValueError


def handled(name: str, call: Callable[[Lab], bool]) -> Any:
    return f"{name} (handled)", call, None


def table(says: str, name: str, text: str, read: Callable[..., Any] = read_connectome) -> Any:
    """Case for a CSV file, which every message must name."""
    kwargs = {} if read is not read_events else {"ids": IDS}
    return (
        f"{read.__name__} {name}",
        lambda lab: read(lab.csv(text), **kwargs),
        rf"table\.csv.*{says}",
    )


def same(field_: Field) -> bool:
    """Whether a field holds the example's connectome, positions and events."""
    given = own()
    assert field_.events is not None
    return bool(
        np.array_equal(field_.ids, IDS)
        and np.array_equal(field_.connectome, given["connectome"])
        and np.array_equal(field_.positions, given["positions"])
        and all(map(np.array_equal, field_.events, given["events"]))
    )


# --------------------------------------------------------------------------------- sixteen kinds

DIGEST = "is not the published file"


def truncated() -> Iterator[Any]:
    def cut(lab: Lab, share: float) -> Field:
        data = lab.saved().read_bytes()
        return Field.load(lab.file(data[: int(share * len(data))]))

    for share in (0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999):
        yield f"load {share:.1%}", lambda lab, s=share: cut(lab, s), r"field\.npz is damaged"
    for file in ("corr_matrix.npy", "positions_*.npy", "spikes_*.npy", "connectome_*.csv"):
        yield laid(DIGEST, file, lambda data: data[: len(data) // 2], known=False)
        yield laid(file.replace("*", NAME), file, lambda data: data[: len(data) // 2])
    yield laid("target_ids", "target_ids_*.npy", b"")
    yield laid("corr_matrix", "corr_matrix.npy", lambda data: data[:20], name="header")
    text = edges().to_csv(index=False)
    yield table("count, row", "last cell", text[: text.rindex(",")])
    yield table("no rows", "header only", text[: text.index("\n")])
    yield table("no CSV", "nothing", "")
    yield table("square", "square table", square().to_csv()[:150])
    yield table(
        "column z, row",
        "positions",
        somata()[["id", *"xyz"]].to_csv(index=False)[:-6],
        read_positions,
    )
    yield table("column time", "events", times().to_csv(index=False)[:27], read_events)


def wrong_dtype() -> Iterator[Any]:
    for key in ("positions", "connectome", "correlation", "sttc", "precision", "ids", "root_ids"):
        yield field(f"{key}: holds", f"{key} text", **{key: np.asarray(arrays()[key]).astype(str)})
        yield field(f"{key}: holds", f"{key} complex", **{key: np.asarray(arrays()[key]) * 1j})
    yield field("ids: holds bool", "ids bool", ids=[True] * N)
    yield field("positions: holds datetime64", positions=np.zeros((N, 3), "M8[s]"))
    yield field(
        "connectome: masked",
        "connectome masked",
        connectome=np.ma.masked_less(arrays()["connectome"], 1),
    )
    yield field(
        "connectome: holds object",
        "connectome sparse",
        connectome=scipy.sparse.csr_array(np.eye(N)),
    )
    yield field(r"events\[2\]: holds bool", events=with_train(np.arange(9) > 3))
    yield field(r"events\[2\]: holds <U", "events text", events=with_train(["a"]))
    yield field("events: .*pass 6 arrays", "events number", events=3)
    for name, train in (("text", ["1.5"]), ("bool", [True]), ("complex", [1j]), ("none", [None])):
        for call in (relations.bin_events, relations.sttc):
            yield plain(
                "events of neuron 1 hold",
                f"{call.__name__} {name}",
                lambda c=call, t=train: c([[1.0], t]),
            )
    yield plain("counts hold <U", "correlation text", lambda: relations.correlation([["a", "b"]]))
    yield plain(
        "counts hold masked",
        "correlation masked",
        lambda: relations.correlation(np.ma.masked_equal([[0, 1], [1, 0]], 0)),
    )
    yield plain(
        "bin_s is '0.2'", "bin_events setting", lambda: relations.bin_events([[1.0]], bin_s="0.2")
    )
    yield plain("window_s is None", "sttc setting", lambda: relations.sttc([[1.0]], window_s=None))
    yield load("positions: holds <U", positions=np.full((N, 3), "x"))
    yield load("usable", "format", format=np.array("one"))
    yield laid("holds <U", "corr_matrix.npy", np.full((N, N), "x"))
    yield laid("flat array", "spikes_*.npy", objects([["a", "b"]] * N))
    yield table("column count, row 0: 'many'", "words", f"pre,post,count\n{IDS[0]},{IDS[1]},many\n")
    yield own_data("edge attribute weight, row 0: 'strong'", connectome=graph(weight="strong"))
    yield own_data("activity: <U", events=None, activity=np.full((N, 9), "x"), frame_rate_hz=5)


def nan() -> Iterator[Any]:
    for value in (np.nan, np.inf, -np.inf):
        for key in ("positions", "connectome", "correlation", "sttc", "precision"):
            broken = {key: with_entry(key, (1, 2), value)[key]}
            yield field(rf"{key}: -?(nan|inf) at \[1, 2\]", f"{key} {value}", **broken)
        yield field(r"events\[2\]: -?(nan|inf)", f"events {value}", events=with_train([1.0, value]))
        yield field("voxel_size: ", f"voxel {value}", voxel_size=(4, value, 40))
        yield plain(
            "event 1 of neuron 1", f"sttc {value}", lambda v=value: relations.sttc([[1], [1, v]])
        )
        yield plain(
            "neuron 0 in bin 1",
            f"correlation {value}",
            lambda v=value: relations.correlation([[1, v, 2], [0, 1, 2]]),
        )
        yield plain(
            "duration_s is",
            f"duration {value}",
            lambda v=value: relations.bin_events([[1.0]], duration_s=v),
        )
        yield table("column count, row 0", f"count {value}", f"pre,post,count\n1,2,{value}\n")
        yield own_data("weight, row 0", f"weight {value}", connectome=graph(weight=value))
    yield load("sttc: nan", sttc=np.full((N, N), np.nan))
    yield table("column x, row 0: ''", "empty cell", "id,x,y,z\n1,,2,3\n", read_positions)
    yield table("row 1", "no time", f"id,time\n{IDS[0]},1\n{IDS[1]},NA\n", read_events)
    yield own_data("activity: nan", events=None, activity=np.full((N, 5), np.nan), frame_rate_hz=5)
    yield laid("not symmetric|nan", "corr_matrix.npy", np.triu(np.full((N, N), np.nan)))


def unsorted() -> Iterator[Any]:
    rng = np.random.default_rng(3)
    for k in range(N):
        train = np.sort(rng.uniform(0, 50, 5 + k))
        train[[k, k + 1]] = train[[k + 1, k]]
        yield field(
            rf"events\[{k}\]: times are not sorted", f"train {k}", events=with_train(train, k)
        )
        yield plain(
            f"events of neuron {k} are not sorted",
            f"sttc train {k}",
            lambda t=train, k=k: relations.sttc(with_train(t, k)),
        )
        yield own_data(
            rf"events\[{k}\]: times are not sorted", f"train {k}", events=with_train(train, k)
        )
    backward = {i: t[::-1] for i, t in zip(IDS.tolist(), arrays()["events"], strict=True)}
    yield own_data(r"events\[0\]: times are not sorted", "dictionary", events=backward)
    yield plain("not sorted", "bin_events", lambda: relations.bin_events([[3.0, 1.0], [2.0]]))
    stops = np.cumsum([9] * N)
    yield load("not sorted", event_times=np.arange(9.0 * N)[::-1], event_stops=stops)
    yield load("usable", event_stops=stops[::-1].copy())
    yield handled(
        "shuffled edges",
        lambda _: same(
            field_from_data(**own() | {"connectome": edges().sample(frac=1, random_state=1)})
        ),
    )
    yield handled(
        "shuffled somata",
        lambda _: same(
            field_from_data(**own() | {"positions": somata().sample(frac=1, random_state=1)})
        ),
    )
    yield handled(
        "shuffled event table",
        lambda _: same(
            field_from_data(**own() | {"events": times().sample(frac=1, random_state=1)})
        ),
    )
    yield handled(
        "shuffled square table",
        lambda _: same(
            field_from_data(
                **own() | {"connectome": square().sample(frac=1, random_state=1).iloc[:, ::-1]}
            )
        ),
    )
    turned = objects([t[::-1] for t in arrays()["events"]])
    yield laid(None, "spikes_*.npy", turned, name="unsorted (handled)")


def duplicate() -> Iterator[Any]:
    for k in range(1, N):
        ids = IDS.copy()
        ids[k] = ids[0]
        yield field(f"ids: {ids[0]} occurs twice", f"ids {k}", ids=ids)
    twice = IDS[[0, 1, 2, 3, 4, 4]]
    yield own_data(f"ids: {twice[4]} occurs twice", ids=twice)
    yield own_data("positions: .* occurs twice", positions=somata().assign(id=twice), ids=None)
    yield own_data("rows: .* occurs twice", "rows", connectome=square().set_axis(twice), ids=None)
    yield own_data("column .* occurs twice", "header", connectome=square().set_axis(twice, axis=1))
    yield own_data("has two counts", "edges", connectome=pd.concat([edges(), edges().tail(1)]))
    one = int(IDS[0])
    yield own_data(f"events: {one} occurs twice", events={one: [1.0], str(one): [2.0]})
    yield own_data("nodes of the graph: 1 occurs twice", connectome=nx.DiGraph([(1, "1")]))
    yield own_data(
        "positions: .* occurs twice",
        "dictionary",
        ids=None,
        positions={one: (0, 0, 0), str(one): (1, 1, 1)},
    )
    yield table("two counts", "pair", "pre,post,count\n1,2,3\n2,1,1\n1,2,3\n")
    yield table("column 'pre'|pre.1|no column post", "column", "pre,pre\n1,2\n")
    repeated = pd.DataFrame([[1, 2, 3]], columns=["pre", "post", "post"])
    yield "read_connectome frame", lambda _: read_connectome(repeated), "column post occurs twice"
    yield load("ids: .* occurs twice", ids=twice)
    yield (
        "published target ids",
        lambda lab: lab.layout({f"target_ids_{NAME}.npy": twice}, known=True),
        f"ids: {twice[4]} occurs twice",
    )
    yield (
        "permuted",
        lambda _: Field.from_arrays(**arrays()).permuted([0, 1, 2, 3, 4, 4]),
        "each of",
    )

    def total(source: Any) -> bool:
        return bool(read_connectome(source)[0].sum() == 3)

    rows = pd.DataFrame({"pre": [1, 1, 1], "post": [2, 2, 1]})
    yield handled("one row per synapse", lambda _: total(rows))
    parallel = nx.MultiDiGraph([(1, 2), (1, 2), (2, 1)])
    yield handled("parallel edges", lambda _: total(parallel))
    entries = scipy.sparse.coo_array(([1, 2], ([0, 0], [1, 1])), shape=(2, 2))
    yield handled("sparse entries", lambda _: total(entries))
    yield handled(
        "two events at once", lambda _: relations.bin_events([[1.0, 1.0], [2]]).sum() == 3
    )


def negative_times() -> Iterator[Any]:
    rng = np.random.default_rng(5)
    for k in range(N):
        train = np.sort(rng.uniform(0, 50, 9))
        train[0] = -1 - k
        yield field(
            rf"events\[{k}\]: {train[0]} s is before 0", f"train {k}", events=with_train(train, k)
        )
        yield plain(
            f"neuron {k} has an event at -{1 + k} s",
            f"sttc {k}",
            lambda t=train, k=k: relations.sttc(with_train(t, k)),
        )
    yield plain(
        "neuron 0 has an event at -1e-09", "bin_events", lambda: relations.bin_events([[-1e-9]])
    )
    yield own_data(r"events\[2\]: -3", events=with_train([-3.0]))
    yield own_data(r"events\[0\]: -1", "table", events=pd.DataFrame({"id": [IDS[0]], "time": [-1]}))
    yield own_data(r"events\[0\]: -1", "dictionary", events={int(IDS[0]): [-1.0, 1.0]})
    for setting in ("bin_s", "window_s", "duration_s"):
        yield own_data(f"{setting} is -0.1", **{setting: -0.1})
    yield own_data("frame_rate_hz is -5", events=None, activity=np.ones((N, 9)), frame_rate_hz=-5)
    yield load("before 0", event_times=np.arange(-9.0, 9.0 * N - 9), event_stops=np.cumsum([9] * N))
    shifted = objects([t - 60 for t in arrays()["events"]])
    yield (
        "published spikes",
        lambda lab: lab.layout({f"spikes_{NAME}.npy": shifted}, known=True),
        "before 0",
    )
    yield plain("frame_s, bin_s", "frames", lambda: derivation.frames_in_bins(-1, 0.2, 9))


def empty_neurons() -> Iterator[Any]:
    nobody = np.zeros((0, 3))
    yield field("positions: 0 neurons", "nobody", positions=nobody)
    yield field("positions: 1 neurons", "one", positions=np.zeros((1, 3)))
    yield field("ids: shape", ids=[])
    yield field("connectome: shape", connectome=np.zeros((0, 0)))
    yield field("events: 0 arrays", events=[])
    yield field("sttc: shape", sttc=[])
    for k in range(4):
        yield plain(
            f"neuron {k} has no events", f"sttc {k}", lambda k=k: relations.sttc(with_train([], k))
        )
        yield plain(
            f"neuron {k} has the count 0",
            f"correlation {k}",
            lambda k=k: relations.correlation(relations.bin_events(with_train([], k))),
        )
        yield own_data(
            rf"1 of 6 neurons have none \(ids {IDS[k]}\)", f"silent {k}", events=with_train([], k)
        )
    yield plain("no neuron has an event", "bin_events", lambda: relations.bin_events([[], []]))
    yield plain("holds no neuron", "bin_events of nobody", lambda: relations.bin_events([]))
    yield plain(
        "counts have shape", "correlation of nobody", lambda: relations.correlation(np.ones((0, 9)))
    )
    yield own_data(
        "5 of 6 neurons have none", "all but one", silent="drop", events=[[1.0], *[[]] * 5]
    )
    yield own_data(
        "has no positions|positions", "graph of nobody", connectome=nx.DiGraph(), positions=None
    )
    yield own_data("positions: 0 neurons|positions for", "nobody", positions=nobody)
    yield own_data("no rows", "empty edges", connectome=edges().head(0))
    yield "read_connectome nobody", lambda _: read_connectome(np.zeros((0, 3))), r"shape \(0, 3\)"
    yield laid("positions", "positions_*.npy", objects([]))
    yield laid("spikes", "spikes_*.npy", objects([]))
    yield load("positions: 0 neurons", positions=nobody)
    yield handled(
        "a silent neuron",
        lambda _: Field.from_arrays(**arrays() | {"events": with_train([])}).n_neurons == N,
    )
    yield handled(
        "silent='drop'",
        lambda _: (
            field_from_data(**own() | {"events": with_train([])}, silent="drop").n_neurons == N - 1
        ),
    )


def float_ids() -> Iterator[Any]:
    for key in ("ids", "root_ids", "unit_ids"):
        for kind in (np.float64, np.float32, np.float16):
            yield field(
                f"{key}: holds {kind.__name__}; .*int64",
                f"{key} {kind.__name__}",
                **{key: np.arange(N).astype(kind)},
            )
        yield load(f"{key}: holds float64", **{key: IDS.astype(float)})
    for text in ("1.0", "8.64691135e17", "1e3", "0.5", ""):
        yield table("the id .* is no whole number", f"edge {text!r}", f"pre,post\n{text},2\n")
        yield table(
            "column id: the id", f"soma {text!r}", f"id,x,y,z\n{text},1,2,3\n", read_positions
        )
    yield table("rows: the id '1.0'", "square table", ",1,2\n1.0,0,1\n2.0,1,0\n")
    yield own_data("ids: the id .*float.*int64", ids=IDS.astype(float))
    yield own_data("positions, column id", positions=somata().assign(id=IDS.astype(float)))
    yield own_data("column pre", "edges", connectome=edges().astype({"pre": float}))
    yield own_data("rows: the id", "square", connectome=square().set_axis(IDS.astype(float)))
    yield own_data("nodes of the graph: the id 1.5", connectome=nx.DiGraph([(1.5, 2)]))
    yield own_data("events: the id 1.0", events={1.0: [1.0]})
    yield own_data("events, column id", "event table", events=times().astype({"id": float}))
    yield (
        "published ids",
        lambda lab: lab.layout({f"target_ids_{NAME}.npy": IDS.astype(float)}, known=True),
        "ids: holds float64",
    )


def mismatched() -> Iterator[Any]:
    more, fewer = np.zeros((N + 1, N + 1)), np.zeros((N - 1, N - 1))
    for key in ("connectome", "correlation", "sttc", "precision"):
        for name, matrix in (("more", more), ("fewer", fewer), ("flat", np.zeros(N))):
            yield field(rf"{key}: shape .*expected \(6, 6\)", f"{key} {name}", **{key: matrix})
    for key in ("ids", "root_ids", "unit_ids"):
        yield field(rf"{key}: shape \(5,\)", **{key: IDS[:-1]})
    yield field("events: 5 arrays for 6", events=arrays()["events"][1:])
    yield field("shape .*expected", "positions", positions=arrays()["positions"][:-1])
    yield field("positions: shape", "positions in a plane", positions=np.zeros((N, 2)))
    yield own_data("7 rows for 6 ids", "matrix", connectome=more)
    yield own_data("5 positions for 6 neurons", "somata", positions=arrays()["positions"][:-1])
    yield own_data("events: 7 arrays for 6", events=[*arrays()["events"], [1.0]])
    yield own_data("is not among the positions", positions=somata().head(4))
    yield own_data(r"activity: float64 of shape \(5, 9\)", events=None, activity=np.ones((5, 9)))
    yield own_data("lacks|is not among", connectome=square().iloc[:-1, :-1])
    yield plain(
        "the signal",
        "signal_correlation",
        lambda: derivation.signal_correlation(np.ones((2, 5)), np.ones(4)),
    )
    yield load(r"connectome: shape \(7, 7\)", connectome=more.astype(int))
    yield load("stops disagree", event_stops=np.array([1, 2]))
    yield load(r"sttc: shape \(5, 5\)", sttc=fewer)
    yield laid("corr_matrix.npy holds .* expected", "corr_matrix.npy", fewer)
    yield laid(
        "connectome_.*csv holds a table", "connectome_*.csv", pd.DataFrame(fewer).to_csv().encode()
    )
    yield "permuted", lambda _: Field.from_arrays(**arrays()).permuted(range(5)), "permuted: order"


def asymmetric() -> Iterator[Any]:
    rng = np.random.default_rng(7)
    for key in ("correlation", "sttc", "precision"):
        matrix = arrays()[key]
        changes = {
            "lower triangle": np.tril(matrix),
            "upper triangle": np.triu(matrix),
            "noise": matrix + rng.normal(0, 1e-6, matrix.shape),
            "one entry": with_entry(key, (4, 1), 9.0)[key],
            "rolled": np.roll(matrix, 1, axis=1),
        }
        for name, broken in changes.items():
            yield field(f"{key}: not symmetric", f"{key} {name}", **{key: broken})
        yield load(f"{key}: not symmetric", **{key: changes["noise"]})
        file = {"correlation": "corr"}.get(key, key)
        yield laid("not symmetric", f"{file}_matrix.npy", changes["noise"])
        yield laid(DIGEST, f"{file}_matrix.npy", changes["noise"], known=False)
    yield own_data(r"connectome: shape \(6, 5\)", connectome=np.zeros((N, N - 1)))
    yield own_data("6 rows and 5 columns", "table", connectome=square().iloc[:, :-1])
    yield table("is not among", "header of others", ",1,2\n1,0,1\n3,1,0\n")
    yield handled("sttc as released, lower triangle only", lambda lab: lab.layout(known=True))
    both = nx.Graph([(1, 2)])
    yield handled("undirected edge", lambda _: bool(read_connectome(both)[0].sum() == 2))


def out_of_range() -> Iterator[Any]:
    for value in (-1, -7, 0.5, 1e19, 2.0**63):
        given = with_entry("connectome", (3, 4), value)
        yield field("connectome: ", f"connectome {value}", connectome=given["connectome"])
    for key in ("ids", "root_ids", "unit_ids"):
        yield field(
            f"{key}: .*int64", key, **{key: np.arange(N, dtype=np.uint64) + np.uint64(2**63)}
        )
    for voxel in ((0, 4, 40), (4, -4, 40)):
        yield field("voxel_size: ", f"voxel {voxel}", voxel_size=voxel)
    for grid in ((1, 1, 1), (-3, -2, 1), (0, 9, 9), (2, 1.5, 9)):
        yield field("grid: ", f"grid {grid}", grid=grid)
    for setting in (0, -1, np.inf, True):
        yield plain(
            "bin_s is", f"bin {setting}", lambda s=setting: relations.bin_events([[1.0]], bin_s=s)
        )
    yield plain("holds no bin", "wide bin", lambda: relations.bin_events([[1.0]], bin_s=99))
    yield plain("more than fit in memory", "times", lambda: relations.bin_events([[1e18], [1.0]]))
    yield plain("after the end", "duration", lambda: relations.sttc([[5.0], [1.0]], duration_s=3))
    yield plain(
        "share is 2",
        "share",
        lambda: proofreading.dropped(np.ones((2, 2)), 2, rng=np.random.default_rng(0)),
    )
    yield table("does not fit int64", "id", f"pre,post\n{10**20},1\n")
    yield table("row 0: '1e400'", "count", "pre,post,count\n1,2,1e400\n")
    yield own_data("a count of -2", "edges", connectome=edges().assign(count=-2))
    yield own_data(
        "neuron 5 is not among the neurons", "stranger", connectome=edges().head(1).assign(post=5)
    )
    yield own_data("events: neuron 7 is not among", events={7: [1.0]})
    yield own_data("silent is 'keep'", silent="keep")
    yield load("connectome: -", connectome=-np.ones((N, N), int))
    yield load("usable", "format", format=np.array(np.inf))
    yield load("usable", "grid", grid=np.array(5))
    yield "permuted", lambda _: Field.from_arrays(**arrays()).permuted(range(1, N + 1)), "order"
    yield "load hash", lambda lab: Field.load(lab.saved(unit_ids=IDS + 1)), "was changed after"


def frame(values: Any, labels: Any = IDS) -> pd.DataFrame:
    return pd.DataFrame(values, index=labels, columns=labels)


def strange_labels() -> Iterator[Any]:
    given = arrays()
    others = {"of others": IDS + 50, "text": list("abcdef"), "float": IDS.astype(float)}
    others |= {
        "numbers from 1": np.arange(1, N + 1),
        "numbers in another order": [3, 1, 0, 2, 5, 4],
    }
    for key in ("connectome", "correlation", "sttc", "precision"):
        for name, labels in others.items():
            yield field(rf"{key}, rows: the (labels|id)", f"{key} {name}", **{
                key: frame(given[key], labels)})  # fmt: skip
        moved = pd.DataFrame(given[key], index=IDS[::-1])
        yield field(f"{key}, header: not labelled", f"{key} one side", **{key: moved})
        twice = IDS[[0, 1, 2, 3, 4, 4]]
        yield field(
            f"{key}, rows: .* occurs twice", f"{key} twice", **{key: frame(given[key], twice)}
        )
        fewer = frame(given[key]).iloc[1:, 1:]
        yield field(f"{key}: neuron .* is not among its rows", f"{key} fewer", **{key: fewer})
    for name, labels in others.items():
        trains = pd.Series(given["events"], index=labels)
        yield own_data("events: (neuron|the id)", f"series {name}", events=trains)
        yield field(
            r"root_ids: the (labels|id)", f"root_ids {name}", root_ids=pd.Series(IDS, labels)
        )
        table = somata().assign(id=labels)
        yield own_data("(positions|ids)", f"positions {name}", positions=table)
    yield own_data("names its neurons .* pass ids=", "graph, no ids", connectome=graph(), ids=None)
    yield own_data("names its neurons .* pass ids=", "edges, no ids", connectome=edges(), ids=None)
    yield own_data("names its neurons .* pass ids=", "frame, no ids", connectome=square(), ids=None)
    yield own_data("names its neurons .* pass ids=", "somata, no ids", positions=somata(), ids=None)
    yield field(
        "names its neurons .* pass ids=", "frame, no ids", ids=None, sttc=frame(given["sttc"])
    )
    for name in ("size", "strength", "n", "synapse"):
        renamed = edges().rename(columns={"count": name})
        yield own_data(f"column {name}: is it the number", f"count as {name}", connectome=renamed)
    yield own_data("mean the same", "two counts", connectome=edges().assign(n_syn=1))
    yield own_data("attribute strength: is it", "edge attribute", connectome=graph(strength=3))
    unclear = edges().set_axis(["source", "target", "weight"], axis=1)
    yield own_data("do not say who is presynaptic", "source and target", connectome=unclear)
    by_id = pd.Series(given["events"], index=IDS)
    yield handled(
        "series by id", lambda _: same(field_from_data(**own() | {"events": by_id[::-1]}))
    )
    yield handled(
        "frame by id",
        lambda _: same(
            Field.from_arrays(
                **arrays()
                | {"connectome": square().iloc[::-1], "sttc": frame(given["sttc"]).iloc[::-1]}
            )
        ),
    )


class Bearing(np.ndarray):
    """An array with a unit."""

    unit = ""


def in_unit(values: Any, unit: str) -> np.ndarray:
    made = np.asarray(values).view(Bearing)
    made.unit = unit
    return made


def strange_units() -> Iterator[Any]:
    given = arrays()
    for unit in ("s", "mV", "voxel", "px", "Mm", "deg", "inch"):
        places = in_unit(given["positions"], unit)
        yield own_data(
            f"positions: the unit '{unit}' is not a known unit of length",
            f"positions {unit}",
            positions=places,
        )
        yield field(
            f"positions: the unit '{unit}' is not a known unit of length",
            f"positions {unit}",
            positions=places,
        )
    for unit in ("um", "mV", "S", "frames", "Hz", "days"):
        trains = [in_unit(train, unit) for train in given["events"]]
        yield own_data(
            rf"events\[0\]: the unit '{unit}' is not a known unit of time", unit, events=trains
        )
        yield field(
            rf"events\[0\]: the unit '{unit}' is not a known unit of time",
            f"events {unit}",
            events=trains,
        )
        yield plain(
            f"the unit '{unit}' is not a known unit of time",
            f"sttc {unit}",
            lambda t=trains: relations.sttc(t),
        )
    for key in ("connectome", "correlation", "sttc", "precision"):
        yield field(f"{key}: has the unit 'mV'", f"{key} mV", **{key: in_unit(given[key], "mV")})
    for setting in ("bin_s", "window_s", "duration_s", "t_start"):
        yield own_data(f"{setting}: the unit 'um'", setting, **{setting: in_unit([1.0], "um")})
    yield own_data("voxel_size: the unit 's'", voxel_size=in_unit([1.0] * 3, "s"))
    yield own_data("ids: ids have no unit", ids=in_unit(IDS, "um"))
    mixed = [
        in_unit(row, unit) for row, unit in zip(given["positions"], ["um", "mm"] * 3, strict=True)
    ]
    yield own_data("positions: units are mixed, 'um' and 'mm'", "mixed", positions=mixed)
    yield own_data(
        "positions: units are mixed, 'um' and 'none'",
        "some",
        positions=[*mixed[:1], *given["positions"][1:]],
    )
    trains = [in_unit(1e3 * train, "ms") for train in given["events"]]

    def converted(_: Lab) -> bool:
        made = field_from_data(**own() | {"events": trains})
        return bool(np.allclose(np.concatenate(made.events), np.concatenate(given["events"])))

    yield handled("milliseconds", converted)


def strange_clocks() -> Iterator[Any]:
    rng = np.random.default_rng(9)
    trains = arrays()["events"]
    for start in (200.0, 3_600.0, 36_000.0, 1e9, 1.7e9):
        late = [train + start for train in trains]
        for call in (own_data, field):
            yield call("the first event is at .* pass t_start=", f"from {start:g}", events=late)
        yield own_data("lies before the start", f"t_start of {start:g}", t_start=start)
    dates = [np.datetime64("2024-01-01") + (1e6 * t).astype("m8[us]") for t in trains]
    yield own_data("times are dates, .* pass t_start=", "dates", events=dates)
    yield field("times are dates, .* pass t_start=", "dates", events=dates)
    yield own_data("times are dates", "dates, start in seconds", events=dates, t_start=3.0)
    yield own_data("times are seconds", "start as a date", t_start=np.datetime64("2024-01-01"))
    lost = [dates[0].copy(), *dates[1:]]
    lost[0][3] = np.datetime64("NaT")
    yield own_data(
        "a time is missing", "a date is missing", events=lost, t_start=np.datetime64("2024")
    )
    bare = [(9 * t).astype("m8") for t in trains]
    yield own_data("timedelta64 without a unit", "no unit", events=bare)
    ones = (rng.random((N, 300)) < 0.1).astype(int)
    rasters = {"ints": ones, "floats": 1.0 * ones, "bools": ones > 0, "sorted": np.sort(ones)}
    rasters |= {"counts": 2 * ones + ones[::-1], "sparse": scipy.sparse.csr_array(ones)}
    for name, raster in rasters.items():
        yield own_data("a raster or counts", f"raster of {name}", events=raster)
        yield field("a raster or counts", f"raster of {name}", events=raster)
    for name, shape in (("column", (-1, 1)), ("row", (1, -1))):
        turned = [train.reshape(shape) for train in trains]
        yield own_data(f"a {name} of a matrix", name, events=turned)
        yield field(f"a {name} of a matrix", name, events=turned)
        yield plain("have shape", f"sttc {name}", lambda t=turned: relations.sttc(t))
    double = [trains[0], *trains[:-1]]
    yield own_data(
        "have the same events .* cannot be inverted", "one twice", events=double, precision=True
    )
    yield plain("have the same count in every bin", "precision of one twice",
                lambda: relations.precision(relations.bin_events(double)))  # fmt: skip
    table = pd.DataFrame(rng.random((N, 90)), index=IDS, columns=np.r_[0:50, 70:110] / 10)
    yield own_data("frames are 0.1 s apart, but", "gap", events=None, activity=table)
    even = table.set_axis(np.arange(90) / 10, axis=1)
    yield own_data("frame_rate_hz is 30, but", "rate", events=None, activity=even, frame_rate_hz=30)
    yield own_data("is the table turned", "turned", events=None, activity=even.T)
    yield handled(
        "t_start",
        lambda _: np.allclose(
            field_from_data(**own() | {"events": [t + 9e3 for t in trains]}, t_start=9e3).events[0],
            trains[0],
        ),
    )


def broken_tables() -> Iterator[Any]:
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (" ", "blanks")):
        text = edges().to_csv(index=False, sep=mark)
        yield table(f"separated by {name}", f"edges with {name}", text)
        text = somata().to_csv(index=False, sep=mark, decimal=",")
        yield table(f"separated by {name}", f"somata with {name}", text, read_positions)
        text = times().to_csv(index=False, sep=mark, decimal=",")
        yield table(f"separated by {name}", f"events with {name}", text, read_events)
    yield table(
        "decimal numbers with a point", "decimal comma", "id,x,y,z\n1,1,5,2,3\n", read_positions
    )
    for number in ("1,5", "1.234,5", "1,234"):
        text = f'pre,post,count\n1,2,"{number}"\n'
        yield table("decimal numbers with a point", number, text)
    for mark in ("'", "’", "`"):
        yield table("quotation mark", f"mark {mark}", f"pre,post,count\n{mark}1,2,3\n")
    for text in ("<NA>", "NaN", "None", "null", "n/a"):
        yield table("missing", f"id {text}", f"pre,post,count\n1,2,3\n{text},2,3\n")
    thousands = edges().assign(pre=edges()["pre"] // 1000 * 1000)
    yield table("look rounded", "rounded ids", thousands.to_csv(index=False))
    yield table("is it the number of synapses", "strength", "pre,post,strength\n1,2,3\n")
    yield table("mean the same", "two names", "pre,post,count,Weight\n1,2,3,4\n")
    yield table("do not say who", "source", "Source,Target,weight\n1,2,3\n")
    for name in ("a.npy", "a.nwb", "a.mat", "a.xlsx"):
        yield (
            f"read_connectome {name}",
            lambda lab, n=name: read_connectome(lab.file(b"1,2", n)),
            "no CSV file that can be read",
        )
    chain = pd.DataFrame({"pre": np.arange(99_999), "post": np.arange(1, 100_000), "count": 1})
    yield "read_connectome of 100,000", lambda _: read_connectome(chain), "100,000 neurons make"
    wide = edges().rename(columns={"pre": "Pre ", "post": " POST", "count": "n_syn"})
    yield handled("header", lambda lab: same(
        field_from_data(**own() | {"connectome": lab.csv(wide.to_csv(index=False))})))  # fmt: skip


class Evil:
    """An object whose unpickling calls something."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.state = (call, arguments)

    def __reduce__(self) -> Any:
        return self.state


def payloads(marker: Path) -> dict[str, Evil]:
    """Ways to create a file when unpickled."""
    code = f"open({str(marker)!r}, 'w').close()"
    return {
        "Path.touch": Evil(Path.touch, marker),
        "os.system": Evil(os.system, f"touch {marker}"),
        "exec": Evil(exec, code),
        "eval": Evil(eval, code),
        "subprocess": Evil(subprocess.call, ["touch", str(marker)]),
        "open": Evil(open, str(marker), "w"),
        "numpy": Evil(np.ndarray.tofile, np.zeros(1), str(marker)),
    }


WAYS = tuple(payloads(Path("x")))


def hostile_pickle() -> Iterator[Any]:
    def inside(lab: Lab, way: str, file: str, known: bool) -> bool:
        evil = objects([payloads(lab.marker)[way]] * N)
        return lab.layout({file.replace("*", NAME): evil}, known=known)

    for way in WAYS:
        for file in ("spikes_*.npy", "positions_*.npy"):
            where = file[:6]
            yield (
                f"published {file} {way}",
                lambda lab, w=way, f=file: inside(lab, w, f, True),
                f"{where}.*refused: its pickle asks for",
                SourceError,
            )
        yield (
            f"published {way} of another digest",
            lambda lab, w=way: inside(lab, w, "spikes_*.npy", False),
            DIGEST,
            SourceError,
        )
        yield (
            f"load {way}",
            lambda lab, w=way: Field.load(lab.saved(sttc=objects([payloads(lab.marker)[w]] * N))),
            r"field\.npz is damaged",
        )
    for file in ("corr_matrix.npy", "target_ids_*.npy", "sttc_matrix.npy"):
        yield (
            f"published {file}",
            lambda lab, f=file: inside(lab, "exec", f, True),
            "holds no plain array",
            SourceError,
        )
    for protocol in range(6):
        yield (
            f"load bare pickle of protocol {protocol}",
            lambda lab, p=protocol: Field.load(
                lab.file(pickle.dumps(payloads(lab.marker)["exec"], p))
            ),
            "is damaged",
        )
        yield (
            f"read_connectome pickle of protocol {protocol}",
            lambda lab, p=protocol: read_connectome(
                lab.file(pickle.dumps(payloads(lab.marker)["exec"], p), "edges.csv")
            ),
            r"edges\.csv",
        )


KINDS: dict[str, Callable[[], Iterator[Any]]] = {
    "truncated": truncated,
    "wrong dtype": wrong_dtype,
    "NaN": nan,
    "unsorted": unsorted,
    "duplicate": duplicate,
    "negative times": negative_times,
    "empty neurons": empty_neurons,
    "ids as float": float_ids,
    "mismatched N": mismatched,
    "asymmetric": asymmetric,
    "out of range": out_of_range,
    "hostile pickle": hostile_pickle,
    "strange labels": strange_labels,
    "strange units": strange_units,
    "strange clocks": strange_clocks,
    "broken tables": broken_tables,
}
CASES = [Case(kind, *parts) for kind, make in KINDS.items() for parts in make()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_broken_input_is_refused_by_name_or_handled_as_documented(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, monkeypatch)
    if case.says is None:
        assert bool(case.call(lab)) is True
    else:
        with pytest.raises(case.error, match=f"(?s){case.says}"):
            case.call(lab)
    assert not lab.marker.exists(), "a pickle was run"


def test_at_least_fifteen_of_each_of_sixteen_kinds_and_four_hundred_in_all() -> None:
    counted = Counter(case.kind for case in CASES)
    assert set(counted) == set(KINDS) and len(KINDS) == 16
    assert min(counted.values()) >= LEAST and sum(counted.values()) >= 400
    names = Counter((case.kind, case.name) for case in CASES)
    assert [name for name, times_ in names.items() if times_ > 1] == [], "the same case twice"
    refused = Counter(case.kind for case in CASES if case.says is not None)
    assert min(refused.values()) >= LEAST, "handled ones come on top"


@pytest.mark.parametrize("way", WAYS)
def test_the_hostile_pickles_are_hostile(way: str, tmp_path: Path) -> None:
    marker = tmp_path / "was_here"
    pickle.loads(pickle.dumps(payloads(marker)[way]))
    assert marker.exists()


def test_nothing_broken_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(tmp_path, monkeypatch)
    assert lab.layout(known=True)
    assert Field.load(lab.saved()).n_neurons == N
    assert same(field_from_data(**own()))
