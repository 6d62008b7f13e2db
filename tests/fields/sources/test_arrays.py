"""Your own data: every kind of source gives the same field, in one order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn.fields import relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources.arrays import (
    field_from_data,
    read_connectome,
    read_events,
    read_positions,
)

N = 7
IDS = 864_691_135_000_000_001 + 3 * np.random.default_rng(0).permutation(N)


def data() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "name": "mine",
        "ids": IDS,
        "positions": rng.uniform(0, 300, (N, 3)),
        "connectome": rng.poisson(0.6, (N, N)) * (1 - np.eye(N, dtype=int)),
        "events": [np.sort(rng.uniform(0, 90, 40)) for _ in range(N)],
    }


def edge_list(counts: np.ndarray) -> pd.DataFrame:
    pre, post = np.nonzero(counts)
    return pd.DataFrame({"pre": IDS[pre], "post": IDS[post], "count": counts[pre, post]})


def as_graph(counts: np.ndarray) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(IDS[::-1].tolist())
    graph.add_weighted_edges_from(edge_list(counts).to_numpy().tolist())
    return graph


def square(counts: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(counts, index=IDS, columns=IDS).iloc[::-1]


SOURCES = {
    "array": lambda counts: counts,
    "list": lambda counts: counts.tolist(),
    "sparse": scipy.sparse.csr_array,
    "old sparse": scipy.sparse.coo_matrix,
    "edge list": edge_list,
    "square table": square,
    "graph": as_graph,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_connectome_gives_the_same_field(kind: str) -> None:
    given = data()
    expected = field_from_data(**given)
    source = SOURCES[kind](given["connectome"])
    assert field_from_data(**given | {"connectome": source}).content_hash == expected.content_hash


def test_csv_files_give_the_same_field_to_the_last_digit(tmp_path: Path) -> None:
    given = data()
    somata = pd.DataFrame(given["positions"], columns=list("xyz")).assign(id=IDS)
    events = pd.DataFrame({"id": np.repeat(IDS, 40), "time": np.concatenate(given["events"])})
    written = {
        "connectome": edge_list(given["connectome"]),
        "positions": somata,
        "events": events,
    }
    for name, table in written.items():
        table.sample(frac=1, random_state=0).to_csv(tmp_path / f"{name}.csv", index=False)
    paths = {name: tmp_path / f"{name}.csv" for name in written}
    read = field_from_data(name="mine", ids=IDS, **paths)
    assert read.content_hash == field_from_data(**given).content_hash
    square(given["connectome"]).to_csv(tmp_path / "square.csv")
    paths["connectome"] = str(tmp_path / "square.csv")
    again = field_from_data(name="mine", ids=IDS, **paths)
    assert again.content_hash == read.content_hash


def test_a_graph_may_carry_positions_and_events() -> None:
    given = data()
    graph = as_graph(given["connectome"])
    for k, node in enumerate(IDS.tolist()):
        graph.nodes[node].update(position=given["positions"][k], events=given["events"][k])
    made = field_from_data(name="mine", connectome=graph, ids=IDS)
    assert made.content_hash == field_from_data(**given).content_hash
    del graph.nodes[int(IDS[2])]["events"]
    with pytest.raises(FieldError, match=rf"node {IDS[2]} has no attribute 'events'"):
        field_from_data(name="mine", connectome=graph)


def test_relations_are_those_of_the_published_settings() -> None:
    given = data()
    made = field_from_data(**given)
    counts = relations.bin_events(given["events"], bin_s=0.2)
    assert np.array_equal(made.relation("correlation"), relations.correlation(counts))
    assert np.array_equal(made.relation("sttc"), relations.sttc(given["events"], window_s=0.1))
    assert made.relations == ("correlation", "sttc")
    other = field_from_data(**given, bin_s=1.0, window_s=0.5)
    assert np.array_equal(
        other.relation("correlation"),
        relations.correlation(relations.bin_events(given["events"], bin_s=1.0)),
    )
    assert not np.array_equal(other.relation("sttc"), made.relation("sttc"))
    pytest.importorskip("sklearn", reason="the extra cortexrnn[microns] is not installed")
    assert "precision" in field_from_data(**given, precision=True).relations


def test_without_activity_there_are_no_relations() -> None:
    made = field_from_data(**data() | {"events": None})
    assert made.relations == () and made.events is None


def test_positions_are_in_micrometres_unless_said_otherwise() -> None:
    assert field_from_data(**data()).voxel_size.tolist() == [1000, 1000, 1000]
    assert field_from_data(**data(), voxel_size=(4, 4, 40)).voxel_size.tolist() == [4, 4, 40]


def test_events_of_activity_are_its_local_maxima() -> None:
    traces = np.zeros((N, 12))
    traces[:, 3] = 1.0
    traces[0, 6:9] = 2.0  # a plateau counts once, where it begins
    traces[1, [0, 11]] = 5.0  # an end has one neighbour only
    given = data() | {"events": None, "activity": traces, "frame_rate_hz": 2.0}
    made = field_from_data(**given, bin_s=0.5)
    assert made.events is not None
    assert made.events[0].tolist() == [1.5, 3.0]
    assert all(train.tolist() == [1.5] for train in made.events[1:])


def test_silent_neurons_leave_every_array_together() -> None:
    given = data()
    given["events"][3] = []
    made = field_from_data(**given, silent="drop")
    keep = np.delete(np.arange(N), 3)
    assert made.ids.tolist() == IDS[keep].tolist()
    assert np.array_equal(made.connectome, given["connectome"][np.ix_(keep, keep)])
    assert np.array_equal(made.positions, given["positions"][keep])
    alone = field_from_data(
        **given
        | {
            "ids": IDS[keep],
            "connectome": given["connectome"][np.ix_(keep, keep)],
            "positions": given["positions"][keep],
            "events": [given["events"][k] for k in keep],
        }
    )
    assert made.content_hash == alone.content_hash


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(N)))
def test_ids_decide_the_order_of_labelled_sources(order: list[int]) -> None:
    given = data()
    index = np.array(order)
    somata = pd.DataFrame(given["positions"], columns=list("xyz")).assign(id=IDS)
    places, ids = read_positions(somata, ids=IDS[index])
    assert ids is not None and ids.tolist() == IDS[index].tolist()
    assert np.array_equal(places, given["positions"][index])
    for kind in ("edge list", "square table", "graph"):
        counts, ids = read_connectome(SOURCES[kind](given["connectome"]), ids=IDS[index])
        assert np.array_equal(counts, given["connectome"][np.ix_(index, index)])
    by_id = dict(zip(IDS.tolist(), given["events"], strict=True))
    trains = read_events(by_id, ids=IDS[index])
    assert all(np.array_equal(t, given["events"][k]) for t, k in zip(trains, index, strict=True))


def test_a_field_of_ones_own_can_be_saved_and_read(tmp_path: Path) -> None:
    made = field_from_data(**data())
    assert Field.load(made.save(tmp_path / "mine")).content_hash == made.content_hash
