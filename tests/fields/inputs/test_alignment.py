"""Labels are data: names, units and clocks are followed, converted, or refused."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
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
from cortexrnn.fields.errors import FieldError, FieldWarning
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import alignment, physical_units
from cortexrnn.fields.sources import load_field
from cortexrnn.fields.sources.arrays import (
    field_from_data,
    read_connectome,
    read_events,
    read_positions,
)

N = 6
IDS = 864_691_135_000_000_001 + np.array([4, 0, 5, 2, 1, 3])
TURN = np.array([3, 1, 0, 5, 4, 2])
UM = (1000, 1000, 1000)

pytestmark = pytest.mark.filterwarnings("error::cortexrnn.fields.errors.FieldWarning")


def data() -> dict[str, Any]:
    """What a field needs, all plain: decimal numbers, which are the same in another unit."""
    rng = np.random.default_rng(1)
    return {
        "name": "mine",
        "ids": IDS,
        "positions": np.round(rng.uniform(0, 300, (N, 3)), 3),
        "connectome": rng.poisson(0.9, (N, N)) * (1 - np.eye(N, dtype=int)),
        "events": [np.sort(np.round(rng.uniform(0, 90, 40), 4)) for _ in range(N)],
    }


GIVEN = data()
END = max(train[-1] for train in GIVEN["events"]) + 0.1
RIGHT = field_from_data(**data())
REFERENCE = RIGHT.content_hash


def from_data(**changes: Any) -> Field:
    return field_from_data(**data() | changes)


def arrays(**changes: Any) -> Field:
    """The same field through the other call."""
    relations = {"correlation": RIGHT.correlation, "sttc": RIGHT.sttc}
    return Field.from_arrays(**data() | {"voxel_size": UM} | relations | changes)


def edges() -> pd.DataFrame:
    pre, post = np.nonzero(GIVEN["connectome"])
    count = GIVEN["connectome"][pre, post]
    return pd.DataFrame({"pre": IDS[pre], "post": IDS[post], "count": count})


def times() -> pd.DataFrame:
    """One row for each event, not in the order of the neurons."""
    table = pd.DataFrame({"id": np.repeat(IDS, 40), "time": np.concatenate(GIVEN["events"])})
    return table.sample(frac=1, random_state=0)


def somata() -> pd.DataFrame:
    return pd.DataFrame(GIVEN["positions"], columns=list("xyz"), index=IDS)


def square(matrix: Any) -> pd.DataFrame:
    return pd.DataFrame(matrix, index=IDS, columns=IDS)


def graph(key: str = "weight") -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from(IDS[TURN].tolist())
    for pre, post, count in edges().itertuples(index=False):
        made.add_edge(int(pre), int(post), **{key: int(count)})
    return made


def in_order(mapping: dict[int, Any], order: Any) -> dict[int, Any]:
    return {int(IDS[k]): mapping[k] for k in order}


def test_the_reference_is_the_same_through_both_calls() -> None:
    assert arrays().content_hash == REFERENCE


# ----------------------------------------------------------------------------------- labels


def trains_by(order: Any) -> dict[int, np.ndarray]:
    return {int(IDS[k]): GIVEN["events"][k] for k in order}


EVENTS: dict[str, Callable[[], Any]] = {
    "series from groupby": lambda: (
        times().sort_values("time").groupby("id")["time"].apply(np.array)
    ),
    "series of lists": lambda: times().sort_values("time").groupby("id")["time"].apply(list),
    "series in another order": lambda: pd.Series(trains_by(TURN)),
    "groupby": lambda: times().sort_values("time").groupby("id")["time"],
    "one row for each event": lambda: times().set_index("id")["time"],
    "table": times,
    "table with capitals": lambda: times().rename(columns={"id": "ID", "time": " Time"}),
    "table of trains": lambda: (
        pd.Series(trains_by(TURN)).rename_axis("id").reset_index(name="time")
    ),
    "dictionary": lambda: trains_by(TURN),
    "series without labels": lambda: pd.Series(GIVEN["events"]),
    "array with named fields": lambda: times().to_records(index=False),
    "timedelta column": lambda: times().assign(time=lambda t: exact(t["time"].to_numpy())),
}


def exact(seconds: np.ndarray) -> np.ndarray:
    """Seconds as whole microseconds."""
    return np.rint(seconds * 1e6).astype("m8[us]")


@pytest.mark.parametrize("kind", EVENTS)
def test_events_are_aligned_by_whatever_names_them(kind: str) -> None:
    assert from_data(events=EVENTS[kind]()).content_hash == REFERENCE
    assert arrays(events=EVENTS[kind]()).content_hash == REFERENCE


CONNECTOMES: dict[str, Callable[[], Any]] = {
    "frame": lambda: square(GIVEN["connectome"]).iloc[TURN, ::-1],
    "frame named post x pre": lambda: (
        square(GIVEN["connectome"]).T.rename_axis(index="post", columns="pre").iloc[TURN]
    ),
    "pivot table": lambda: edges().pivot_table(
        index="pre", columns="post", values="count", fill_value=0
    ),
    "frame of nullable integers": lambda: square(GIVEN["connectome"]).iloc[TURN].astype("Int64"),
    "frame without labels": lambda: pd.DataFrame(GIVEN["connectome"]),
    "series of pairs": lambda: one_each().groupby(["pre", "post"]).size(),
    "series of pairs, post first": lambda: edges().set_index(["post", "pre"])["count"],
    "pairs in the index": lambda: edges().set_index(["pre", "post"]),
    "dictionary of columns": lambda: edges().to_dict("list"),
    "array with named fields": lambda: edges().to_records(index=False),
    "CAVE's names": lambda: edges().rename(
        columns={"pre": "pre_pt_root_id", "post": "post_pt_root_id", "count": "n_syn"}
    ),
    "one row for each synapse": lambda: one_each(),
    "adjacency of networkx": lambda: nx.to_pandas_adjacency(graph()),
    "several edges": lambda: nx.MultiDiGraph(list(one_each().itertuples(index=False, name=None))),
    **{
        f"edges with {name!r}": lambda name=name: edges().rename(columns={"count": name})
        for name in ("weight", "n_syn", "Count", " count ", "syn_count", "WEIGHT")
    },
    **{
        f"graph with {name!r}": lambda name=name: graph(name)
        for name in ("weight", "count", "n_syn", "Weight")
    },
}


def one_each() -> pd.DataFrame:
    table = edges()
    return table.loc[table.index.repeat(table["count"]), ["pre", "post"]]


@pytest.mark.parametrize("kind", CONNECTOMES)
def test_counts_are_aligned_and_used(kind: str) -> None:
    assert from_data(connectome=CONNECTOMES[kind]()).content_hash == REFERENCE


def test_a_frame_of_positions_is_read_by_its_columns() -> None:
    turned = somata().iloc[TURN][["z", "x", "y"]]
    assert from_data(positions=turned).content_hash == REFERENCE
    assert arrays(positions=turned).content_hash == REFERENCE
    plain = turned.loc[IDS].reset_index(drop=True)
    assert arrays(positions=plain).content_hash == REFERENCE
    whole = somata().round().astype(int).iloc[TURN]
    assert arrays(positions=whole).positions.dtype == np.int64


def test_every_array_with_two_sides_is_aligned_by_both() -> None:
    one = {"measured": np.ones((N, N), bool), "response": np.arange(36.0).reshape(N, N)}
    one |= {"precision": RIGHT.correlation}
    whole = arrays(**one)
    for key in ("connectome", "correlation", "sttc", "precision", "response", "measured"):
        matrix = {"connectome": GIVEN["connectome"], **one}.get(key, getattr(RIGHT, key))
        for rows, columns in ((TURN, TURN), (TURN, slice(None)), (slice(None), TURN)):
            turned = square(matrix).iloc[rows, columns]
            assert arrays(**one | {key: turned}).content_hash == whole.content_hash, key
        named = square(matrix).set_axis(range(100, 106)).set_axis(range(100, 106), axis=1)
        with pytest.raises(FieldError, match=f"{key}, rows: the labels 100, 101, ... are neither"):
            arrays(**one | {key: named})
        text = square(matrix).set_axis(list("abcdef")).set_axis(list("abcdef"), axis=1)
        with pytest.raises(FieldError, match=f"{key}, rows: the id 'a'"):
            arrays(**one | {key: text})


def test_other_ids_are_aligned_too() -> None:
    kept = arrays(root_ids=IDS + 7, unit_ids=IDS % 7)
    turned = {"root_ids": pd.Series(IDS + 7, IDS)[::-1], "unit_ids": pd.Series(IDS % 7, IDS)}
    assert arrays(**turned).content_hash == kept.content_hash
    with pytest.raises(FieldError, match=r"root_ids: the labels 2, 5, ... are neither ids"):
        arrays(root_ids=pd.Series(IDS, [2, 5, 6, 7, 8, 9]))


def test_rows_that_were_moved_and_numbered_are_refused() -> None:
    moved = pd.DataFrame(RIGHT.correlation).iloc[TURN, TURN]
    with pytest.raises(FieldError, match=r"labels 3, 1, ... are neither ids"):
        arrays(correlation=moved)
    # Ids that are such numbers themselves are followed, unless the table numbered its rows.
    few = {"ids": TURN, "positions": GIVEN["positions"][TURN], "events": None}
    few |= {"connectome": GIVEN["connectome"][np.ix_(TURN, TURN)]}
    relation = {"correlation": RIGHT.correlation[np.ix_(TURN, TURN)], "sttc": None}
    expected = arrays(**few, **relation)
    assert arrays(**few, sttc=None, correlation=moved).content_hash == expected.content_hash
    with pytest.raises(FieldError, match="which may be ids or row numbers"):
        arrays(**few, sttc=None, correlation=pd.DataFrame(RIGHT.correlation))


def test_one_labelled_side_is_not_enough() -> None:
    half = pd.DataFrame(RIGHT.correlation, index=IDS)
    assert arrays(correlation=half).content_hash == REFERENCE
    with pytest.raises(FieldError, match="header: not labelled, but the other side is"):
        arrays(correlation=half.iloc[TURN])


@pytest.mark.parametrize("kind", ["graph", "edges", "frame", "positions", "events"])
def test_names_beside_rows_without_names_need_ids(kind: str) -> None:
    change = {
        "graph": {"connectome": graph()},
        "edges": {"connectome": edges()},
        "frame": {"connectome": square(GIVEN["connectome"])},
        "positions": {"positions": somata()},
        "events": {"events": trains_by(TURN)},
    }[kind]
    assert from_data(**change).content_hash == REFERENCE
    with pytest.raises(FieldError, match=r"names its neurons .* without names; pass ids="):
        from_data(**change, ids=None)
    if kind not in ("graph", "edges"):
        with pytest.raises(FieldError, match=r"names its neurons .* without names; pass ids="):
            arrays(**change, ids=None)


def test_labels_that_are_places_need_no_ids() -> None:
    expected = from_data(ids=None)
    places = dict(zip(IDS.tolist(), range(N), strict=True))
    numbered = edges().replace({"pre": places, "post": places})
    assert from_data(ids=None, connectome=numbered).content_hash == expected.content_hash
    moved = nx.relabel_nodes(graph(), places)
    assert from_data(ids=None, connectome=moved).content_hash == expected.content_hash
    trains = {k: GIVEN["events"][k] for k in TURN.tolist()}
    assert from_data(ids=None, events=trains).content_hash == expected.content_hash
    with pytest.raises(FieldError, match="names its neurons"):  # numbered from 1
        from_data(ids=None, connectome=numbered.assign(pre=numbered["pre"] + 1))
    with pytest.raises(FieldError, match="names its neurons"):  # somebody is missing
        from_data(ids=None, connectome=numbered[(numbered[["pre", "post"]] != 2).all(axis=1)])


def test_everything_labelled_needs_no_ids_and_follows_the_positions() -> None:
    source = {"connectome": edges(), "events": times(), "ids": None}
    made = from_data(positions=somata().iloc[TURN], **source)
    assert made.ids.tolist() == IDS[TURN].tolist()
    assert made.permuted(np.argsort(TURN)).content_hash == REFERENCE


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (lambda: edges().rename(columns={"count": "strength"}), "column strength: is it the num"),
        (lambda: edges().rename(columns={"count": "size"}), "column size: is it the number"),
        (lambda: edges().assign(weight=1), "columns count and weight mean the same"),
        (lambda: edges().assign(Count=1), "columns count and Count mean the same"),
        (lambda: nx.to_pandas_edgelist(graph()), "source and target do not say who is presynapt"),
        (lambda: graph("strength"), "edge attribute strength: is it the number"),
        (lambda: edges().set_index("pre")["count"], "pairs of neurons as its index"),
    ],
)
def test_numbers_that_may_be_counts_are_refused_by_name(table: Any, says: str) -> None:
    with pytest.raises(FieldError, match=says):
        read_connectome(table())


def test_a_graph_has_counts_on_all_edges_or_on_none() -> None:
    made = graph()
    made.add_edge(int(IDS[5]), int(IDS[0]))
    made[int(IDS[5])][int(IDS[0])].pop("weight", None)
    with pytest.raises(FieldError, match=r"edges have the attribute 'weight'; give it to all or"):
        read_connectome(made)
    both = graph()
    for *_, attributes in both.edges(data=True):
        attributes["n_syn"] = 1
    with pytest.raises(FieldError, match="weight and n_syn may both be the count"):
        read_connectome(both)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"connectome": lambda: edges().assign(layer="L2")}, "connectome: not used: column layer"),
        ({"connectome": lambda: one_each().assign(size=3)}, "connectome: not used: column size"),
        ({"positions": lambda: somata().assign(kind="E")}, "positions: not used: column kind"),
        ({"events": lambda: times().assign(trial=1)}, "events: not used: column trial"),
        ({"connectome": lambda: typed()}, "graph: not used: node attribute cell_type"),
        ({"connectome": lambda: coloured()}, "graph: not used: edge attribute colour"),
    ],
)
def test_what_was_not_used_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.warns(FieldWarning, match=says) as warned:
        made = from_data(**{key: make() for key, make in change.items()})
    assert made.content_hash == REFERENCE
    assert [Path(each.filename) for each in warned] == [Path(__file__)], "at the caller's own line"


def typed() -> nx.DiGraph:
    made = graph()
    nx.set_node_attributes(made, "pyramidal", "cell_type")
    return made


def coloured() -> nx.DiGraph:
    made = graph()
    nx.set_edge_attributes(made, "red", "colour")
    return made


# ----------------------------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.assign(pre="'" + t["pre"].astype(str)), "quotation mark .* spreadsheets"),
        (lambda t: t.assign(pre="’" + t["pre"].astype(str)), "quotation mark .* spreadsheets"),
        (lambda t: t.assign(pre=t["pre"].astype("Int64").mask(t.index == 2)), "row 2.*missing"),
        (lambda t: t.assign(pre=[None, *t["pre"][1:]]), "row 0.*missing"),
        (lambda t: t.assign(pre=["<NA>", *t["pre"][1:]]), "row 0.*missing"),
        (lambda t: t.assign(pre=t["pre"].astype(float)), "floats keep 15 digits"),
        (lambda t: t.assign(pre=t["pre"].astype(float).astype("int64")), "look rounded"),
        (lambda t: t.assign(pre=t["pre"] // 1000 * 1000), "look rounded"),
    ],
)
def test_spoilt_ids_are_refused_with_their_cause(change: Any, says: str) -> None:
    with pytest.raises(FieldError, match=f"(?s){says}"):
        from_data(connectome=change(edges()))


def test_rounded_ids_of_neurons_are_named_as_such() -> None:
    rounded = IDS.astype(float).astype(np.int64)
    with pytest.raises(FieldError, match=r"occurs twice; these ids look rounded"):
        from_data(
            positions=somata().set_axis(rounded), ids=None, connectome=edges(), events=times()
        )
    with pytest.raises(FieldError, match="occurs twice; keep one of each neuron"):
        from_data(ids=[1, 1, 2, 3, 4, 5])


# ----------------------------------------------------------------------------------- units

FACTORS = {"mm": 1e-3, "um": 1.0, "nm": 1e3, "m": 1e-6}
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class Bearing(np.ndarray):
    """An array with a unit, as pint, unyt and astropy have them by one name or another."""

    unit: str


def bearing(values: Any, unit: str) -> np.ndarray:
    made = np.asarray(values).view(Bearing)
    made.unit = unit
    return made


@settings(max_examples=40, deadline=None)
@given(unit=st.sampled_from(sorted(FACTORS)), seed=st.integers(0, 99))
def test_any_unit_of_length_gives_the_same_field(unit: str, seed: int) -> None:
    places = np.round(np.random.default_rng(seed).uniform(0, 900, (N, 3)), 3)
    expected = from_data(positions=places)
    made = from_data(positions=bearing(places * FACTORS[unit], unit))
    assert made.content_hash == expected.content_hash
    rows = [bearing(row * FACTORS[unit], unit) for row in places]
    assert from_data(positions=rows).content_hash == expected.content_hash
    single = tuple(tuple(bearing(number, unit) for number in row) for row in places * FACTORS[unit])
    assert from_data(positions=single).content_hash == expected.content_hash
    by_id = dict(zip(IDS.tolist(), rows, strict=True))
    assert from_data(positions=by_id).content_hash == expected.content_hash
    noted = pd.DataFrame(places * FACTORS[unit], columns=list("xyz"), index=IDS)
    noted.attrs["units"] = unit
    assert from_data(positions=noted).content_hash == expected.content_hash
    edges_nm = bearing(np.array(UM) / 1e3 * FACTORS[unit], unit)
    assert from_data(positions=places, voxel_size=edges_nm).content_hash == expected.content_hash


@settings(max_examples=40, deadline=None)
@given(unit=st.sampled_from(sorted(PER_SECOND)), seed=st.integers(0, 99))
def test_any_unit_of_time_gives_the_same_field(unit: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    trains = [np.sort(np.round(rng.uniform(0, 90, 30), 4)) for _ in range(N)]
    expected = from_data(events=trains)
    factor = PER_SECOND[unit]
    given_: list[Any] = [bearing(train * factor, unit) for train in trains]
    assert from_data(events=given_).content_hash == expected.content_hash
    assert from_data(events=dict(zip(IDS.tolist(), given_, strict=True))).content_hash == (
        expected.content_hash
    )
    whole = [np.rint(train * 1e6).astype("m8[us]").astype(f"m8[{unit}]") for train in trains]
    if unit in ("us", "ns"):
        assert from_data(events=whole).content_hash == expected.content_hash
    bin_s, window_s = bearing([0.2 * factor], unit), bearing([0.1 * factor], unit)
    made = from_data(events=trains, bin_s=bin_s, window_s=window_s)
    assert made.content_hash == expected.content_hash


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"positions": bearing(GIVEN["positions"], "s")}, "positions: the unit 's' is not a known"),
        ({"positions": bearing(GIVEN["positions"], "voxel")}, "'voxel' is not a known unit"),
        ({"events": [bearing(t, "mV") for t in GIVEN["events"]]}, "'mV' is not a known unit"),
        ({"events": [bearing(t, "um") for t in GIVEN["events"]]}, "'um' is not a known unit"),
        ({"connectome": bearing(GIVEN["connectome"], "mV")}, "connectome: has the unit 'mV'"),
        ({"positions": bearing(GIVEN["positions"], "Mm")}, "'Mm' is not a known unit of length"),
        ({"events": [bearing(t, "S") for t in GIVEN["events"]]}, "'S' is not a known unit of time"),
        ({"ids": bearing(IDS, "s")}, "ids have no unit"),
        ({"bin_s": bearing([1.0], "um")}, "'um' is not a known unit of time"),
        ({"voxel_size": bearing([1.0] * 3, "ms")}, "'ms' is not a known unit of length"),
        (
            {"positions": [bearing(r, u) for r, u in zip(GIVEN["positions"], ["mm", "um"] * 3,
                                                         strict=True)]},
            "positions: units are mixed, 'mm' and 'um'",
        ),
    ],
)  # fmt: skip
def test_units_of_something_else_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(FieldError, match=says):
        from_data(**change)


def test_relations_have_no_unit() -> None:
    with pytest.raises(FieldError, match="correlation: has the unit 'mV'"):
        arrays(correlation=bearing(RIGHT.correlation, "mV"))
    assert arrays(correlation=bearing(RIGHT.correlation, "dimensionless")).content_hash == REFERENCE


def test_edges_of_a_voxel_are_read_by_their_axes() -> None:
    for given_ in ({"z": 40, "x": 4, "y": 5}, pd.Series([40, 5, 4], index=["Z", "y", "x"])):
        assert from_data(voxel_size=given_).voxel_size.tolist() == [4, 5, 40]
    with pytest.raises(FieldError, match="voxel_size: labels x, y; expected x, y and z"):
        from_data(voxel_size={"x": 4, "y": 4})
    with pytest.raises(FieldError, match="voxel_size: holds bool"):
        from_data(voxel_size=[True, True, True])


# ----------------------------------------------------------------------------------- clocks


def shifted(seconds: float, factor: float = 1.0) -> list[np.ndarray]:
    return [(train + seconds) * factor for train in GIVEN["events"]]


@pytest.mark.parametrize("start", [600.0, 36_000.0, 1.7e9])
def test_a_clock_that_starts_late_is_refused_until_its_start_is_said(start: float) -> None:
    for call in (from_data, arrays):
        with pytest.raises(FieldError, match=r"the first event is at .* pass t_start="):
            call(events=shifted(start))
        assert call(events=shifted(start), t_start=start).content_hash == REFERENCE
    with pytest.raises(FieldError, match="first event is at"):
        read_events(shifted(start), ids=IDS)
    with pytest.raises(FieldError, match="lies before the start of the recording, t_start = 50"):
        from_data(t_start=50)
    late = from_data(events=shifted(300), t_start=0)  # it is said that this is meant
    assert late.events is not None and late.events[0][0] > 300


@pytest.mark.parametrize("factor", [1e3, 1e6, 30e3])
@pytest.mark.parametrize("rate", [0.3, 5.0, 80.0])
def test_times_in_milliseconds_or_samples_are_pointed_out(factor: float, rate: float) -> None:
    rng = np.random.default_rng(3)
    trains = [np.cumsum(0.0015 + rng.exponential(1 / rate, int(60 * rate) + 9)) for _ in range(3)]
    three = {"ids": None, "connectome": np.zeros((3, 3)), "positions": np.eye(3) * 30}
    seconds = from_data(events=trains, **three)
    with pytest.warns(FieldWarning, match=r"Are these milliseconds, samples or frames\?"):
        from_data(events=[factor * train for train in trains], **three, bin_s=50, window_s=20)
    with pytest.warns(FieldWarning, match="milliseconds"):
        Field.from_arrays(name="mine", voxel_size=UM, **three, events=[1e3 * t for t in trains])
    assert seconds.n_neurons == 3
    # Who says that these are seconds is believed.
    from_data(events=[1e3 * t for t in trains], **three, bin_s=50, window_s=20, t_start=0)


def test_numbers_of_frames_are_pointed_out() -> None:
    frames = [np.unique(np.rint(30 * train)) for train in GIVEN["events"]]
    with pytest.warns(FieldWarning, match="all of them whole numbers"):
        from_data(events=frames)


def test_floats_too_short_for_the_clock_are_pointed_out() -> None:
    with pytest.warns(FieldWarning, match="float16 keeps times near"):
        from_data(events=[train.astype(np.float16) for train in GIVEN["events"]])
    with pytest.warns(FieldWarning, match="float32 keeps times near 1.7e\\+09 s in steps of 128 s"):
        read_events([t.astype(np.float32) for t in shifted(1.7e9)], ids=IDS, t_start=1.7e9 - 200)


def test_dates_need_the_date_of_the_start() -> None:
    start = np.datetime64("2024-01-01T10:00")
    dates = [start + exact(train) for train in GIVEN["events"]]
    assert from_data(events=dates, t_start=start).content_hash == REFERENCE
    moment = datetime.datetime(2024, 1, 1, 10)
    assert from_data(events=dates, t_start=moment).content_hash == REFERENCE
    zoned = [pd.DatetimeIndex(train).tz_localize("UTC") for train in dates]
    there = pd.Timestamp("2024-01-01T11:00", tz="Europe/Berlin")
    assert from_data(events=zoned, t_start=there).content_hash == REFERENCE
    for wrong in (None, 36_000.0):
        with pytest.raises(FieldError, match=r"times are dates, .* pass t_start= as the date"):
            from_data(events=dates, t_start=wrong)
    with pytest.raises(FieldError, match="times are seconds, t_start is"):
        from_data(t_start=start)


@pytest.mark.parametrize(
    "trains",
    [
        lambda rng: [np.sort(rng.uniform(0, 172_800, 9000)) for _ in range(4)],  # two days
        lambda rng: [np.cumsum(0.001 + rng.exponential(0.004, 5000)) for _ in range(4)],  # 200 Hz
        lambda rng: [np.sort(rng.uniform(0, 7200, 12)) for _ in range(4)],  # hardly active
        lambda rng: [np.unique(rng.integers(1, 9000, 90)) * 0.8 for _ in range(4)],  # slow frames
        lambda rng: [np.array([400.0]), np.array([410.0]), np.array([3.0, 9]), np.array([1.0])],
    ],
)
def test_long_fast_slow_and_sparse_recordings_are_taken_without_a_word(trains: Any) -> None:
    four = {"ids": None, "connectome": np.zeros((4, 4)), "positions": 30 * np.eye(4)[:, :3]}
    made = from_data(events=trains(np.random.default_rng(0)), **four)
    assert made.relations == ("correlation", "sttc")


# ----------------------------------------------------------------------------------- lengths


def test_voxels_taken_for_micrometres_are_pointed_out() -> None:
    voxels = np.rint(GIVEN["positions"] / 0.004)
    with pytest.warns(FieldWarning, match=r"the field is .* micrometres if positions are in micro"):
        from_data(positions=voxels)
    with pytest.warns(FieldWarning, match=r"e\+04 micrometres if"):
        from_data(positions=voxels + 0.5 * (np.arange(3) == 1))
    with pytest.warns(FieldWarning, match="whole numbers as of voxels"):
        from_data(positions=np.rint(GIVEN["positions"] * 10))
    with pytest.warns(FieldWarning, match=r"0\.\d+ .* micrometres if"):
        from_data(positions=GIVEN["positions"] / 1000)  # millimetres
    from_data(positions=voxels, voxel_size=(4, 4, 4))
    from_data(positions=voxels, voxel_size=UM)  # it is said that this is meant
    from_data(positions=np.rint(GIVEN["positions"]))  # whole micrometres of a small field
    from_data(positions=GIVEN["positions"] * 25)  # a large field


def test_real_fields_and_the_worm_raise_no_alarm(mirror: Path) -> None:
    names = ["surrogate", *sorted(path.name for path in mirror.iterdir() if path.is_dir())]
    if find_spec("wormneuroatlas") and find_spec("h5py"):
        names.append("worm")
    for name in names:
        directory = mirror if name[0].isdigit() else None
        with warnings.catch_warnings():
            warnings.simplefilter("error", FieldWarning)
            field = load_field(name, directory=directory)
            keys = ("name", "ids", "positions", "connectome", "voxel_size", "events")
            again = field_from_data(**{key: getattr(field, key) for key in keys})
        assert np.array_equal(again.connectome, field.connectome)
        if field.events is not None and field.sttc is not None:
            assert np.abs(again.relation("sttc") - field.sttc).max() < 1e-9


def test_the_surrogate_raises_no_alarm() -> None:
    for name in ("surrogate", "surrogate_40"):
        field = load_field(name)
        micrometres = field.positions * field.voxel_size / 1000
        field_from_data(
            name=name, positions=micrometres, connectome=field.connectome, events=field.events
        )


# ----------------------------------------------------------------------------------- dtypes

WHOLE = [
    bool,
    *(np.dtype(f"{sign}{8 * size}") for sign in ("int", "uint") for size in (1, 2, 4, 8)),
]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(WHOLE),
    form=st.sampled_from(["array", "csr", "coo", "frame", "edges", "graph", "list", "float16"]),
    seed=st.integers(0, 999),
)
def test_any_whole_type_gives_the_same_counts(kind: Any, form: str, seed: int) -> None:
    largest = 2 if kind is bool else 100
    counts = np.random.default_rng(seed).integers(0, largest, (N, N)) * (1 - np.eye(N, dtype=int))
    typed_ = counts.astype(np.float16 if form == "float16" else kind)
    pre, post = np.nonzero(counts)
    source: Any = {
        "array": lambda: typed_,
        "float16": lambda: typed_,
        "list": typed_.tolist,
        "csr": lambda: scipy.sparse.csr_array(typed_),
        "coo": lambda: scipy.sparse.coo_matrix(typed_),
        "frame": lambda: square(typed_),
        "edges": lambda: pd.DataFrame(
            {"pre": IDS[pre], "post": IDS[post], "count": typed_[pre, post]}
        ),
        "graph": lambda: nx.relabel_nodes(
            nx.from_numpy_array(counts, create_using=nx.DiGraph), dict(enumerate(IDS.tolist()))
        ),
    }[form]()
    if form == "edges" and not len(pre):
        return
    made = from_data(connectome=source)
    assert made.connectome.dtype == np.int64
    assert np.array_equal(made.connectome, counts)
    if form in ("array", "frame", "float16"):
        assert np.array_equal(arrays(connectome=source).connectome, counts)


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(WHOLE), times_=st.integers(2, 9))
def test_repeated_entries_add_up_in_every_type(kind: Any, times_: int) -> None:
    value = 1 if kind is bool else 100
    places = ([0] * times_, [1] * times_)
    entries = np.full(times_, value, dtype=kind)
    for form in (scipy.sparse.coo_array, scipy.sparse.coo_matrix):
        counts, _ = read_connectome(form((entries, places), shape=(N, N)))
        assert counts[0, 1] == times_ * value and counts.sum() == times_ * value
    table = pd.DataFrame({"pre": [1] * times_, "post": [2] * times_})
    assert read_connectome(table)[0].sum() == times_


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(WHOLE[1:]))
def test_any_whole_type_of_activity_gives_the_same_events(kind: Any) -> None:
    traces = np.random.default_rng(5).integers(0, 120, (N, 300))
    more = {"events": None, "frame_rate_hz": 10}
    expected = from_data(activity=traces.astype(float), **more)
    assert from_data(activity=traces.astype(kind), **more).content_hash == expected.content_hash


def test_booleans_are_numbers_only_where_they_can_be() -> None:
    linked = GIVEN["connectome"] > 0
    assert arrays(connectome=linked).connectome.tolist() == linked.astype(int).tolist()
    with pytest.raises(FieldError, match="positions: holds bool"):
        arrays(positions=GIVEN["positions"] > 3)
    with pytest.raises(FieldError, match="ids: holds bool"):
        arrays(ids=[True] * N)


def test_a_matrix_that_would_not_fit_is_refused_before_it_is_made() -> None:
    n = 139_255
    chain = pd.DataFrame({"pre": np.arange(n), "post": np.roll(np.arange(n), 1), "count": 1})
    kinds = [
        chain,
        nx.from_pandas_edgelist(chain, "pre", "post", create_using=nx.DiGraph),
        scipy.sparse.coo_array((np.ones(n), (chain["pre"], chain["post"])), shape=(n, n)),
    ]
    for kind in kinds:
        with pytest.raises(FieldError, match=r"139,255 neurons .* 19,391,955,025 pairs .* keep"):
            read_connectome(kind)
    alignment.room(20_000, "connectome")


def test_hidden_parts_of_rows_are_refused() -> None:
    hidden = [np.ma.masked_less(row, 100) for row in GIVEN["positions"]]
    for call in (from_data, arrays):
        with pytest.raises(FieldError, match="positions: masked values"):
            call(positions=hidden)
    with pytest.raises(FieldError, match=r"events\[0\]: masked values"):
        from_data(events=[np.ma.masked_less(train, 1) for train in GIVEN["events"]])


# ----------------------------------------------------------------------------------- trains


@pytest.mark.parametrize(
    "raster",
    [
        lambda r: r,
        lambda r: r.astype(float),
        lambda r: r.astype(bool),
        lambda r: [np.sort(row) for row in r],
        lambda r: scipy.sparse.csr_array(r),
        lambda r: pd.Series(list(r), index=IDS),
        lambda r: r * np.random.default_rng(0).integers(1, 4, r.shape),
    ],
)
def test_rasters_and_counts_are_no_times(raster: Any) -> None:
    ones = (np.random.default_rng(4).random((N, 900)) < 0.05).astype(int)
    for call in (from_data, arrays):
        with pytest.raises(FieldError, match=r"a raster or counts .*numpy.flatnonzero\(row\)"):
            call(events=raster(ones))
    if isinstance(raster(ones), np.ndarray) and raster(ones).dtype != bool:
        with pytest.raises(ValueError, match="a raster or counts"):
            relations.sttc(raster(ones))


def test_a_raster_is_no_deconvolved_activity() -> None:
    ones = (np.random.default_rng(4).random((N, 900)) < 0.05).astype(int)
    with pytest.warns(FieldWarning, match="activity: holds only 0 and 1"):
        from_data(events=None, activity=ones, frame_rate_hz=10)
    with pytest.raises(FieldError, match="activity: holds bool: a raster"):
        from_data(events=None, activity=ones > 0, frame_rate_hz=10)


def test_columns_and_rows_of_a_matrix_are_no_flat_trains() -> None:
    for shape, name in (((-1, 1), "column"), ((1, -1), "row")):
        trains = [train.reshape(shape) for train in GIVEN["events"]]
        for call in (from_data, arrays):
            with pytest.raises(FieldError, match=rf"a {name} of a matrix; .* train\.ravel\(\)"):
                call(events=trains)
    with pytest.raises(ValueError, match=r"train\.ravel\(\)"):
        relations.bin_events([train[:, None] for train in GIVEN["events"]])


def test_a_series_whose_index_is_its_times_is_no_train() -> None:
    index = pd.to_timedelta(GIVEN["events"][0], unit="s")
    with pytest.raises(FieldError, match="a series whose index is its times"):
        from_data(events=[pd.Series(1.0, index=index), *GIVEN["events"][1:]])


def test_one_unit_under_two_ids_is_named() -> None:
    twice = [GIVEN["events"][0], *GIVEN["events"][:1], *GIVEN["events"][2:]]
    with pytest.warns(FieldWarning, match=rf"neurons {IDS[0]} and {IDS[1]} have the same events"):
        from_data(events=twice)
    with pytest.raises(FieldError, match=rf"neurons {IDS[0]} and {IDS[1]} .* cannot be inverted"):
        from_data(events=twice, precision=True)
    with pytest.raises(ValueError, match="neurons 0 and 1 have the same count in every bin"):
        relations.precision(relations.bin_events(twice))


def test_relations_by_hand_read_units_and_refuse_labels() -> None:
    counts = relations.bin_events(GIVEN["events"])
    given_ = [bearing(1e3 * train, "ms") for train in GIVEN["events"]]
    assert np.array_equal(relations.bin_events(given_), counts)
    assert np.array_equal(relations.sttc(given_), relations.sttc(GIVEN["events"]))
    for named in (trains_by(TURN), pd.Series(trains_by(TURN))):
        with pytest.raises(ValueError, match=r"events name their neurons, .*read_events"):
            relations.bin_events(named)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------- activity

TRACES = np.abs(np.random.default_rng(6).normal(size=(N, 300)))
FRAMES = np.arange(300) / 10


def test_activity_brings_its_labels_and_its_rate() -> None:
    plain = from_data(events=None, activity=TRACES, frame_rate_hz=10)
    table = pd.DataFrame(TRACES, index=IDS, columns=FRAMES)
    for given_ in (table, table.iloc[TURN], table.set_axis(pd.to_timedelta(FRAMES, "s"), axis=1)):
        assert from_data(events=None, activity=given_).content_hash == plain.content_hash
    numbered = pd.DataFrame(TRACES, index=IDS).iloc[TURN]
    assert (
        from_data(events=None, activity=numbered, frame_rate_hz=10).content_hash
        == plain.content_hash
    )
    for wrong, says in (
        ({"activity": numbered}, "frame_rate_hz is None"),
        (
            {"activity": table, "frame_rate_hz": 30},
            "frame_rate_hz is 30, but the times of the activity give 10",
        ),
        ({"activity": table.T}, "is the table turned"),
        ({"activity": table.drop(columns=FRAMES[100:150])}, "frames are 0.1 s apart, but 5.1 s"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(events=None, **wrong)


# ----------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    ("text", "says", "read"),
    [
        ("pre;post;count\n1;2;3\n", "separated by semicolons", read_connectome),
        ("pre\tpost\tcount\n1\t2\t3\n", "separated by tabs", read_connectome),
        ("pre|post|count\n1|2|3\n", "separated by bars", read_connectome),
        ("pre post count\n1 2 3\n", "separated by blanks", read_connectome),
        ('"id";"x";"y";"z"\n1;1,5;2;3\n', "separated by semicolons", read_positions),
        ('id,x,y,z\n1,"1,5",2,3\n', "'1,5' .* with a point", read_positions),
        ("id,x,y,z\n1,1,5,2,3\n", "decimal numbers with a point", read_positions),
        ('pre,post,count\n1,2,"1,234"\n', "without marks between thousands", read_connectome),
        ("pre,post,count\n1,2,1_0\n", "'1_0' is no finite number", read_connectome),
        ("pre,post,count\n'1,'2,3\n", "quotation mark .* spreadsheets", read_connectome),
        ("pre,post,count\n<NA>,2,3\n", "'<NA>' .* missing", read_connectome),
        ("pre,post,count\n,2,3\n", "'' .* missing", read_connectome),
        ("pre,post,count\n8.64691135E+17,2,3\n", "floats keep 15 digits", read_connectome),
        ("pre,post,strength\n1,2,3\n", "column strength: is it the number", read_connectome),
        ("source,target,weight\n1,2,3\n", "do not say who is presynaptic", read_connectome),
    ],
)
def test_broken_csv_files_are_refused_with_their_cause(
    tmp_path: Path, text: str, says: str, read: Callable[..., Any]
) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(FieldError, match=rf"(?s)table\.csv.*{says}"):
        read(tmp_path / "table.csv")


@pytest.mark.parametrize(
    "header", ["pre ,post ,count", "Pre,Post,Count", "\ufeffpre,post,n_syn", " pre, post, weight"]
)
def test_headers_are_read_with_blanks_capitals_and_marks(tmp_path: Path, header: str) -> None:
    rows = edges().to_csv(index=False, header=False)
    (tmp_path / "edges.csv").write_text(f"{header}\n{rows}", encoding="utf-8")
    assert from_data(connectome=tmp_path / "edges.csv").content_hash == REFERENCE


def test_row_numbers_that_pandas_wrote_are_no_column(tmp_path: Path) -> None:
    edges().to_csv(tmp_path / "edges.csv")
    times().reset_index(drop=True).to_csv(tmp_path / "events.csv")
    files = {"connectome": tmp_path / "edges.csv", "events": tmp_path / "events.csv"}
    assert from_data(**files).content_hash == REFERENCE
    pairs = edges()[["pre", "post"]]
    pairs.to_csv(tmp_path / "edges.csv")
    assert read_connectome(tmp_path / "edges.csv")[0].sum() == len(pairs)


@pytest.mark.parametrize("suffix", [".nwb", ".npy", ".mat", ".h5", ".xlsx", ".parquet"])
def test_files_of_other_kinds_are_refused_with_their_reader(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"\x89HDF")
    with pytest.raises(FieldError, match=r"no CSV file that can be read; .* (pass|Field.load)"):
        read_connectome(path)


# ----------------------------------------------------------------------------------- autapses


def test_no_field_has_synapses_of_a_neuron_onto_itself(tmp_path: Path) -> None:
    own = np.diag([2, 0, 0, 1, 0, 0])
    for call in (from_data, arrays):
        with pytest.warns(FieldWarning, match=r"3 synapse\(s\) of 2 neuron\(s\) onto themselves"):
            made = call(connectome=GIVEN["connectome"] + own)
        assert made.content_hash == REFERENCE
    # What was saved before stays what it was.
    same = {key: getattr(RIGHT, key) for key in ("name", "ids", "positions", "voxel_size", "grid")}
    kept = Field(**same, connectome=GIVEN["connectome"] + own)
    assert Field.load(kept.save(tmp_path / "old")).connectome.trace() == 3


def test_a_saved_field_with_strange_arrays_is_refused(tmp_path: Path) -> None:
    path = RIGHT.save(tmp_path / "mine")
    with np.load(path) as archive:
        content = {key: archive[key] for key in archive.files}
    np.savez(path, **content, weights=np.eye(N))
    with pytest.raises(FieldError, match="it holds weights, which no field has"):
        Field.load(path)


# ----------------------------------------------------------------------------------- libraries


def test_polars() -> None:
    pl = pytest.importorskip("polars", reason="an optional library")
    somata_ = pl.from_pandas(somata().iloc[TURN].rename_axis("id").reset_index())
    assert from_data(positions=somata_).content_hash == REFERENCE
    assert arrays(positions=somata_).content_hash == REFERENCE
    shuffled = edges().sample(frac=1, random_state=1)
    assert from_data(connectome=pl.from_pandas(shuffled)).content_hash == REFERENCE
    narrow = pl.from_pandas(shuffled).with_columns(pl.col("count").cast(pl.UInt8))
    assert from_data(connectome=narrow).content_hash == REFERENCE
    wide = square(GIVEN["connectome"]).iloc[TURN].rename_axis("id").reset_index()
    assert from_data(connectome=pl.from_pandas(wide.rename(columns=str))).content_hash == REFERENCE
    table = pl.from_pandas(times())
    assert from_data(events=table).content_hash == REFERENCE
    lists = table.sort("time").group_by("id").agg("time")
    assert from_data(events=lists).content_hash == REFERENCE
    assert (
        from_data(events=pl.Series(GIVEN["events"]), ids=pl.Series(IDS)).content_hash == REFERENCE
    )
    spans = table.with_columns(
        pl.duration(microseconds=(1e6 * pl.col("time")).round().cast(pl.Int64)).alias("time")
    )
    assert from_data(events=spans).content_hash == REFERENCE
    missing = pl.from_pandas(edges()).with_columns(
        pl.when(pl.col("count") > 1).then(pl.col("pre")).alias("pre")
    )
    for change, says in (
        ({"connectome": missing}, "the id None .* missing"),
        ({"connectome": pl.DataFrame(GIVEN["connectome"])}, "expected a square table"),
        ({"connectome": pl.from_pandas(edges()).lazy()}, r"a LazyFrame; .* collect\(\) it first"),
        ({"positions": somata_.lazy()}, r"collect\(\) it first"),
        ({"connectome": pl.from_pandas(edges()).rename({"count": "n"})}, "column n: is it the num"),
        ({"activity": pl.DataFrame(TRACES), "events": None}, "a table without labels of its rows"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(**change)
    with pytest.raises(FieldError, match="correlation: a table without labels of its rows"):
        arrays(correlation=pl.DataFrame(RIGHT.correlation.copy()))


def test_arrow() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pandas(edges(), preserve_index=False)
    assert from_data(connectome=table).content_hash == REFERENCE
    somata_ = somata().iloc[TURN].rename_axis("id").reset_index()
    assert from_data(positions=pa.Table.from_pandas(somata_)).content_hash == REFERENCE
    assert from_data(events=pa.Table.from_pandas(times().reset_index(drop=True))).content_hash == (
        REFERENCE
    )


def test_xarray() -> None:
    xr = pytest.importorskip("xarray", reason="an optional library")

    def pairs(matrix: Any, dims: Any = ("pre", "post")) -> Any:
        return xr.DataArray(matrix, dims=dims, coords=dict.fromkeys(dims, IDS))

    counts = pairs(GIVEN["connectome"])
    for given_ in (counts, counts[TURN, ::-1], counts.transpose("post", "pre")[TURN]):
        assert from_data(connectome=given_).content_hash == REFERENCE
        assert arrays(connectome=given_).content_hash == REFERENCE
    relation = pairs(RIGHT.correlation, ("a", "b"))[TURN, TURN]
    assert arrays(correlation=relation).content_hash == REFERENCE
    places = xr.DataArray(
        GIVEN["positions"], dims=("id", "axis"), coords={"id": IDS, "axis": list("xyz")}
    )
    for given_ in (places, places[TURN, [2, 0, 1]], places[TURN].T):
        assert from_data(positions=given_).content_hash == REFERENCE
    assert from_data(positions=(places / 1000).assign_attrs(units="mm")).content_hash == REFERENCE
    trains = np.empty(N, dtype=object)
    trains[:] = GIVEN["events"]
    named = xr.DataArray(trains, dims="id", coords={"id": IDS})[TURN]
    assert from_data(events=named, ids=xr.DataArray(IDS)).content_hash == REFERENCE
    plain = from_data(events=None, activity=TRACES, frame_rate_hz=10)
    traces = xr.DataArray(TRACES, dims=("id", "time"), coords={"id": IDS, "time": FRAMES})[TURN]
    for given_ in (traces, traces.T):
        assert from_data(events=None, activity=given_).content_hash == plain.content_hash
    for change, says in (
        ({"connectome": counts.assign_coords(pre=IDS + 90, post=IDS + 90)}, "are neither ids"),
        ({"positions": places.assign_attrs(units="voxel")}, "not a known unit of length"),
        ({"connectome": xr.Dataset({"counts": counts})}, "connectome: not an array"),
        ({"connectome": counts.assign_attrs(units="mV")}, "has the unit 'mV'"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(**change)


def test_quantities_and_neo() -> None:
    pq = pytest.importorskip("quantities", reason="an optional library")
    neo = pytest.importorskip("neo", reason="an optional library")
    for places in (GIVEN["positions"] / 1e3 * pq.mm, GIVEN["positions"] * 1e3 * pq.nm):
        assert from_data(positions=places).content_hash == REFERENCE
        assert arrays(positions=places).content_hash == REFERENCE
        assert from_data(positions=list(places)).content_hash == REFERENCE
    assert (
        from_data(events=[1e3 * train * pq.ms for train in GIVEN["events"]]).content_hash
        == REFERENCE
    )
    assert from_data(
        bin_s=200 * pq.ms, window_s=0.1 * pq.s, voxel_size=[1] * 3 * pq.um
    ).content_hash == (REFERENCE)

    def trains(order: Any = range(N), start: float = 0.0, **notes: Any) -> list[Any]:
        return [
            neo.SpikeTrain(
                1e3 * (GIVEN["events"][k] + start) * pq.ms, t_start=start * pq.s,
                t_stop=(start + END) * pq.s, **{key: int(v[k]) for key, v in notes.items()},
            )
            for k in order
        ]  # fmt: skip

    for start in (0.0, 36_000.0):
        assert from_data(events=trains(start=start)).content_hash == REFERENCE
        assert arrays(events=trains(start=start)).content_hash == REFERENCE
    assert from_data(events=trains(TURN, id=IDS)).content_hash == REFERENCE
    whole = from_data(events=trains(), duration_s=120 * pq.s)
    assert whole.content_hash == from_data(duration_s=120).content_hash != REFERENCE
    for change, says in (
        ({"events": [*trains()[:3], *trains(start=5)[3:]]}, "recorded over different times"),
        (
            {"events": [t * pq.mV for t in GIVEN["events"]]},
            "'mV' is not a known unit of time",
        ),
        ({"positions": GIVEN["positions"] * pq.s}, "'s' is not a known unit of length"),
        ({"events": trains(TURN, id=IDS + 90)}, "is not among the neurons"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(**change)
    plain = from_data(events=None, activity=TRACES, frame_rate_hz=10)
    signal = neo.AnalogSignal(TRACES.T * pq.dimensionless, sampling_rate=10 * pq.Hz)
    assert from_data(events=None, activity=signal).content_hash == plain.content_hash
    rate = 0.01 * pq.kHz
    assert (
        from_data(events=None, activity=TRACES, frame_rate_hz=rate).content_hash
        == plain.content_hash
    )
    assert np.array_equal(
        relations.bin_events(trains(start=36_000.0)), relations.bin_events(GIVEN["events"])
    )


def with_unit(library: str) -> Callable[[Any, str], Any]:
    """How a library of units makes an array with one."""
    module = pytest.importorskip(library, reason="an optional library")
    if library == "pint":
        registry = module.UnitRegistry()
        return lambda values, unit: registry.Quantity(values, unit)
    if library == "unyt":
        return lambda values, unit: module.unyt_array(values, unit)
    unit_of = pytest.importorskip("astropy.units")
    return lambda values, unit: values * unit_of.Unit(unit)


@pytest.mark.parametrize("library", ["pint", "unyt", "astropy"])
def test_other_libraries_of_units(library: str) -> None:
    made = with_unit(library)
    for unit, factor in FACTORS.items():
        assert (
            from_data(positions=made(GIVEN["positions"] * factor, unit)).content_hash == REFERENCE
        )
    for unit, factor in PER_SECOND.items():
        trains = [made(train * factor, unit) for train in GIVEN["events"]]
        assert from_data(events=trains, bin_s=made(0.2 * factor, unit)).content_hash == REFERENCE
    with pytest.raises(FieldError, match="not a known unit of time"):
        from_data(events=[made(train, "mV") for train in GIVEN["events"]])


def test_pynapple() -> None:
    nap = pytest.importorskip("pynapple", reason="an optional library")

    def group(shift: float = 0.0, **more: Any) -> Any:
        trains = {int(IDS[k]): nap.Ts(GIVEN["events"][k] + shift) for k in TURN}
        return nap.TsGroup(trains, **more)

    for given_ in (
        group(),
        [nap.Ts(train) for train in GIVEN["events"]],
        [nap.Tsd(t=train, d=np.ones(40)) for train in GIVEN["events"]],
    ):
        assert from_data(events=given_).content_hash == REFERENCE
        assert arrays(events=given_).content_hash == REFERENCE
    assert from_data(events=group(36_000.0), t_start=36_000).content_hash == REFERENCE
    spans = nap.IntervalSet([0, 50], [40, 100])
    for change, says in (
        ({"events": group(time_support=spans)}, "observed in 2 spans of time"),
        ({"events": group(36_000.0)}, "the first event is at 36000"),
        ({"events": nap.Ts(GIVEN["events"][0])}, "events: one Ts; pass one array"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(**change)
    plain = from_data(events=None, activity=TRACES, frame_rate_hz=10)
    frame = nap.TsdFrame(t=FRAMES, d=TRACES[TURN].T, columns=IDS[TURN])
    assert from_data(events=None, activity=frame).content_hash == plain.content_hash
    cut = nap.TsdFrame(t=FRAMES, d=TRACES.T, columns=IDS, time_support=nap.IntervalSet([0, 20], [9, 99]))  # fmt: skip  # noqa: E501
    with pytest.raises(FieldError, match="activity: observed in 2 spans"):
        from_data(events=None, activity=cut)


def test_pynwb() -> None:
    pynwb = pytest.importorskip("pynwb", reason="an optional library")

    def file(**more: Any) -> Any:
        moment = datetime.datetime.now(datetime.UTC)
        made = pynwb.NWBFile(session_description="a", identifier="b", session_start_time=moment)
        for k in TURN:
            made.add_unit(id=int(IDS[k]), spike_times=GIVEN["events"][k], **more)
        return made

    units_ = file().units
    for given_ in (units_, units_.to_dataframe(), units_.to_dataframe()["spike_times"]):
        assert from_data(events=given_).content_hash == REFERENCE
    assert from_data(events=file(obs_intervals=[[0, 100]]).units).content_hash == REFERENCE
    series = pynwb.TimeSeries(name="a", data=TRACES.T, unit="a", rate=10.0)
    for change, says in (
        ({"events": file(obs_intervals=[[0, 40], [50, 90]]).units}, "observed in 2 spans of time"),
        ({"events": file()}, "one NWBFile, its .units hold the trains"),
        ({"events": None, "activity": series}, r"stores frames as rows; pass series\.data\[:\]\.T"),
    ):
        with pytest.raises(FieldError, match=says):
            from_data(**change)


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    made = from_data(
        connectome=torch.tensor(GIVEN["connectome"]), positions=torch.tensor(GIVEN["positions"])
    )
    assert made.content_hash == REFERENCE
    with pytest.raises(FieldError, match="positions: not an array"):
        arrays(positions=torch.tensor(GIVEN["positions"], requires_grad=True))


# ----------------------------------------------------------------------------------- anything


def forms(rng: np.random.Generator) -> dict[str, dict[str, Callable[[], Any]]]:
    """Every way to hand in each array, labelled ones in a random order."""

    def turn() -> np.ndarray:
        return rng.permutation(N)

    def by_id(values: Any) -> dict[int, Any]:
        return {int(IDS[k]): values[k] for k in turn()}

    trains, places, counts = GIVEN["events"], GIVEN["positions"], GIVEN["connectome"]
    made: dict[str, dict[str, Callable[[], Any]]] = {
        "positions": {
            "array": lambda: places,
            "index": lambda: somata().iloc[turn()][list(rng.permutation(list("xyz")))],
            "column": lambda: somata().iloc[turn()].rename_axis("id").reset_index(),
            "dictionary": lambda: by_id(places),
            "millimetres": lambda: bearing(places / 1e3, "mm"),
            "records": lambda: somata().iloc[turn()].rename_axis("id").to_records(),
        },
        "connectome": {
            "array": lambda: counts,
            "int8": lambda: counts.astype(np.int8),
            "sparse": lambda: scipy.sparse.coo_array(counts.astype(np.uint8)),
            "frame": lambda: square(counts).iloc[turn(), turn()],
            "edges": lambda: edges().sample(frac=1, random_state=int(rng.integers(99))),
            "synapses": lambda: one_each().sample(frac=1, random_state=int(rng.integers(99))),
            "pairs": lambda: edges().set_index(["post", "pre"])["count"],
            "graph": lambda: nx.DiGraph(graph("n_syn")),
        },
        "events": {
            "list": lambda: trains,
            "dictionary": lambda: by_id(trains),
            "series": lambda: pd.Series(by_id(trains)),
            "milliseconds": lambda: [bearing(1e3 * train, "ms") for train in trains],
            "table": lambda: times().sample(frac=1, random_state=int(rng.integers(99))),
            "long": lambda: times().set_index("id")["time"],
            "timedelta": lambda: by_id([exact(train) for train in trains]),
        },
    }
    if find_spec("xarray"):
        import xarray as xr

        made["connectome"]["xarray"] = lambda: xr.DataArray(
            counts, dims=("pre", "post"), coords={"pre": IDS, "post": IDS}
        )[turn(), turn()].transpose(*rng.permutation(["pre", "post"]))
    if find_spec("polars"):
        import polars as pl

        made["connectome"]["polars"] = lambda: pl.from_pandas(edges()).sample(
            fraction=1, shuffle=True, seed=int(rng.integers(99))
        )
    if find_spec("pynapple"):
        import pynapple as nap

        made["events"]["pynapple"] = lambda: nap.TsGroup(by_id([nap.Ts(t) for t in trains]))
    return made


PLAIN = {"array", "int8", "sparse", "millimetres", "list", "milliseconds"}


@settings(max_examples=150, deadline=None)
@given(data_=st.data())
def test_every_mixture_of_forms_gives_the_same_field_or_asks_for_ids(data_: Any) -> None:
    every = forms(np.random.default_rng(data_.draw(st.integers(0, 10**6))))
    chosen = {key: data_.draw(st.sampled_from(sorted(ways)), label=key) for key, ways in
              every.items()}  # fmt: skip
    given_ = {key: every[key][way]() for key, way in chosen.items()}
    assert from_data(**given_).content_hash == REFERENCE
    bare = [way in PLAIN for way in chosen.values()]
    if all(bare):
        assert from_data(**given_, ids=None).ids.tolist() == list(range(N))
    elif any(bare):
        with pytest.raises(FieldError, match="pass ids="):
            from_data(**given_, ids=None)
    else:
        made = from_data(**given_, ids=None)
        back = [made.ids.tolist().index(i) for i in IDS.tolist()]
        assert made.permuted(back).content_hash == REFERENCE


def spoilt(value: Any, rng: np.random.Generator) -> Iterator[Any]:
    """The same with other labels, fewer of them, or labels of another kind."""
    if isinstance(value, dict):
        yield {key + 90: item for key, item in value.items()}
        yield {str(key) + "a": item for key, item in value.items()}
        yield {float(key): item for key, item in value.items()}
    if isinstance(value, pd.DataFrame):
        for name in ("id", "pre"):
            if name in value:
                yield value.assign(**{name: value[name] + 90})
                yield value.assign(**{name: value[name].astype(float)})
                yield value.drop(columns=name)
                yield value.rename(columns={name: "name"})
    indexed = isinstance(value, pd.DataFrame | pd.Series) and value.index.nlevels == 1
    if indexed and np.isin(IDS, value.index).all():
        yield value.set_axis(value.index + 90)
        yield value.set_axis(value.index.astype(float))
        yield value.set_axis(value.index.astype(str) + "n")
        yield value.set_axis(np.arange(len(value)) + 2)
        yield value.iloc[1:]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_spoilt_labels_are_never_taken_for_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for key, ways in forms(rng).items():
        way = sorted(ways)[int(rng.integers(len(ways)))]
        for broken in spoilt(ways[way](), rng):
            with pytest.raises(FieldError) as refused, warnings.catch_warnings():
                warnings.simplefilter("ignore", FieldWarning)
                made = from_data(**{key: broken})
                # A neuron that does not occur in an edge list or among the events is silent there.
                assert made.content_hash != REFERENCE
                raise FieldError(f"{key}: fewer events or synapses")
            assert key in str(refused.value) or "ids" in str(refused.value), str(refused.value)


def test_conversions_keep_decimal_numbers() -> None:
    rng = np.random.default_rng(0)
    for digits in range(1, 12):
        numbers = np.round(rng.uniform(0, 1000, 2000), digits)
        for unit, factor in PER_SECOND.items():
            assert np.array_equal(
                physical_units.times(bearing(numbers * factor, unit), "t"), numbers
            )
