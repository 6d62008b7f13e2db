"""Fields of the release: tables through CAVE and as public files, recordings, and every refusal."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import http.server
import json
import logging
import re
import sys
import threading
import traceback
import urllib.parse
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cortexrnn.fields import relations
from cortexrnn.fields.errors import FieldWarning
from cortexrnn.fields.sources import load_field, microns
from cortexrnn.fields.sources.microns import cave, nwb, static, tables
from cortexrnn.fields.sources.microns.store import MicronsError, Store, download

extra = "the extra cortexrnn[microns] is not installed"
caveclient = pytest.importorskip("caveclient", reason=extra)
h5py = pytest.importorskip("h5py", reason=extra)
pytest.importorskip("remfile", reason=extra)
pytest.importorskip("oasis", reason=extra)
responses = pytest.importorskip("responses", reason="the extra cortexrnn[test] is not installed")
pa = pytest.importorskip("pyarrow")

LOCAL = "https://local.cave.com"
TOKEN = "5ec4e75ec4e75ec4e75ec4e75ec4e700"
N = 8
MASKS = (20, 30, 4)  # per imaging field of the made-up scan
FIRST_ROOT = 864691135000000001  # 18 digits: a float would round it
PLACE: dict[str, int] = {"session": 6, "scan": 6, "field": 2}
QUIET: dict[str, Any] = {**PLACE, "progress": False}


class Truth:
    """What the tables say, and the arrays they were made from."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.nuclei = np.sort(rng.choice(np.arange(200_000, 300_000), N, replace=False))
        self.nuclei = rng.permutation(self.nuclei)
        self.units = np.array([21, 23, 24, 30, 31, 40, 44, 50])
        self.roots = FIRST_ROOT + 2 * rng.permutation(N)
        self.positions = np.column_stack(
            [
                rng.integers(110_000, 390_000, N),
                rng.integers(90_000, 230_000, N),
                np.arange(N) + 15_000,
            ]
        )
        self.connectome = rng.poisson(0.5, (N, N))
        np.fill_diagonal(self.connectome, 0)
        self.axons = ["axon_fully_extended", "not proofread", "axon_partially_extended"] + [
            "none"
        ] * 5
        self.coregistration = self._coregistration(rng)
        self.synapses = self._synapses()

    def _coregistration(self, rng: np.random.Generator) -> pd.DataFrame:
        """Rows for the neurons, and rows that have to be left out."""
        rows = [
            (self.nuclei[k], self.units[k], self.roots[k], 5.0 + k, self.positions[k])
            for k in range(N)
        ]
        elsewhere = self.positions[0]
        rows.append((self.nuclei[2], 22, self.roots[2], 1.0, self.positions[2]))  # poorer match
        rows.append((777_001, 25, 0, 9.0, elsewhere))  # no segment
        rows.append((777_002, 26, FIRST_ROOT + 101, 9.0, elsewhere))  # two on one segment
        rows.append((777_003, 27, FIRST_ROOT + 101, 9.0, elsewhere))
        frame = pd.DataFrame(
            {
                # The row number of a row is the nucleus of another: joining on it would be seen.
                "id": np.roll([row[0] for row in rows], 1),
                "target_id": [row[0] for row in rows],
                "session": 6,
                "scan_idx": 6,
                "unit_id": [row[1] for row in rows],
                "field": 2,
                "residual": 4.5,
                "score": [row[3] for row in rows],
                "id_ref": [row[0] for row in rows],
                "pt_root_id": [row[2] for row in rows],
            }
        )
        for axis, name in enumerate("xyz"):
            frame[f"pt_position_{name}"] = [float(row[4][axis]) for row in rows]
        other = frame.head(3).assign(field=4, unit_id=[51, 52, 53])
        return pd.concat([frame, other], ignore_index=True).sample(frac=1, random_state=1)

    def _synapses(self) -> pd.DataFrame:
        """One row per synapse, with some onto itself and some from outside."""
        pairs = [
            (self.roots[i], self.roots[j])
            for i, j in np.argwhere(self.connectome)
            for _ in range(self.connectome[i, j])
        ]
        pairs += [(self.roots[0], self.roots[0]), (FIRST_ROOT + 999, self.roots[1])]
        frame = pd.DataFrame(pairs, columns=["pre_pt_root_id", "post_pt_root_id"], dtype=np.int64)
        frame.insert(0, "id", np.arange(len(frame)) + 10)
        return frame.assign(size=100)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table that the made-up server has."""
        proofread = pd.DataFrame(
            {
                "id": [1, 2, 3],
                "pt_root_id": self.roots[:3],
                "valid_id": [self.roots[0], self.roots[1], FIRST_ROOT + 500],
                "status_axon": [True, False, True],
                "strategy_axon": ["axon_fully_extended", "none", "axon_partially_extended"],
            }
        )
        types = pd.DataFrame(
            {
                "id": np.arange(N) + 50,
                "target_id": self.nuclei,
                "classification_system": ["inhibitory_neuron"] + ["excitatory_neuron"] * (N - 1),
                "cell_type": ["BC"] + ["23P"] * (N - 1),
            }
        )
        return {
            cave.COREGISTRATION: self.coregistration,
            cave.CELL_TYPES: types,
            "proofreading_status_and_strategy": proofread,
            "proofreading_status_public_release": proofread.drop(columns="strategy_axon"),
            cave.SYNAPSES: self.synapses,
        }

    def check(self, made: microns.Assembly) -> None:
        """Compare an assembled field with the arrays."""
        order = np.argsort(self.units)
        field = made.field
        assert np.array_equal(field.ids, self.nuclei[order])
        assert np.array_equal(field.unit_ids, self.units[order])
        assert np.array_equal(field.root_ids, self.roots[order])
        assert field.root_ids.dtype == field.ids.dtype == np.int64
        assert np.array_equal(field.positions, self.positions[order])
        assert field.positions.dtype == np.int64
        assert field.voxel_size.tolist() == [4, 4, 40]
        assert np.array_equal(field.connectome, self.connectome[np.ix_(order, order)])


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture(autouse=True)
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no cache and no secrets of the person who runs the tests; no waiting."""
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CAVE_TOKEN", raising=False)
    monkeypatch.setattr(cave, "RETRY_WAITS_S", ())

    def opened(url: str, *_: Any) -> None:
        pytest.fail(f"a browser was opened at {url}")

    monkeypatch.setattr(webbrowser, "open", opened)


class CaveServer:
    """The part of CAVE that is used here, answering from tables; counts the queries."""

    def __init__(self, truth: Truth) -> None:
        self.tables = truth.tables
        self.live, self.expired = [943, 1300], [661]
        self.resolution: str | None = "4, 4, 40"
        self.asked: list[str] = []
        self.fail: dict[str, tuple[int, str]] = {}

    def install(self, mock: Any) -> None:
        for method, answer in ((responses.GET, self.get), (responses.POST, self.post)):
            mock.add_callback(method, re.compile(r"https://.*"), callback=answer)

    def get(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urllib.parse.urlparse(request.url)
        as_json = {"Content-Type": "application/json"}
        for part, (status, text) in self.fail.items():
            if part in url.path:
                return status, as_json, text
        if url.path.endswith("/api/versions"):
            return 200, as_json, "[2, 3]"
        if url.path.endswith("/version"):
            return 200, as_json, '"999.0.0"'
        if url.path.endswith("/versions"):
            old = self.expired if "expired=True" in url.query else []
            return 200, as_json, json.dumps(self.live + old)
        table = re.search(r"/table/(\w+)/metadata$", url.path)
        if table:
            return self._metadata(table[1])
        if re.search(r"/version/\d+$", url.path):
            date = "2025-01-13T10:10:01.203215"
            return 200, as_json, json.dumps({"time_stamp": date, "expires_on": date})
        return 200, as_json, json.dumps(info())

    def _metadata(self, table: str) -> tuple[int, dict[str, str], str]:
        if table not in self.tables and table != "nucleus_detection_v0":
            return 404, {}, f"no table {table}"
        nuclear = table in (cave.COREGISTRATION, cave.CELL_TYPES)
        meta: dict[str, Any] = {"reference_table": "nucleus_detection_v0" if nuclear else None}
        meta |= {
            f"voxel_resolution_{axis}": size for axis, size in zip("xyz", (4, 4, 40), strict=True)
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(meta)

    def post(self, request: Any) -> tuple[int, dict[str, str], Any]:
        body = json.loads(request.body)
        path = urllib.parse.urlparse(request.url).path
        single = re.search(r"/table/(\w+)/query$", path)
        table = single[1] if single else body["tables"][0][0]
        assert (single is None) == (table in (cave.COREGISTRATION, cave.CELL_TYPES))
        self.asked.append(table)
        if table in self.fail:
            status, text = self.fail[table]
            return status, {"Content-Type": "application/json"}, text
        frame = self.tables[table]
        for column, value in body.get("filter_equal_dict", {}).get(table, {}).items():
            frame = frame[frame[column] == value]
        for column, values in body.get("filter_in_dict", {}).get(table, {}).items():
            frame = frame[frame[column].isin(values)]
        if "select_columns" in body:
            frame = frame[body["select_columns"]]
        headers = {"Content-Type": "data.arrow"}
        if self.resolution:
            headers["dataframe_resolution"] = self.resolution
        return 200, headers, arrow(frame)


def info() -> dict[str, Any]:
    from caveclient.tools.testing import default_info

    return default_info(LOCAL) | {"synapse_table": cave.SYNAPSES}


def arrow(frame: pd.DataFrame) -> bytes:
    batch = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_table(batch)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def client() -> Any:
    """caveclient's own mock, made before any reply is registered."""
    from caveclient.tools.testing import CAVEclientMock

    return CAVEclientMock(
        datastack_name=cave.DATASTACK,
        local_server=LOCAL,
        info_file=info(),
        materialization=True,
        available_materialization_versions=[943, 1300],
        set_version=1300,
    )


@pytest.fixture
def server(truth: Truth, client: Any) -> Iterator[CaveServer]:
    """A CAVE that answers, and nothing else on the network."""
    made = CaveServer(truth)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        made.install(mock)
        yield made


def test_a_field_from_cave_is_the_arrays_it_was_made_from(
    truth: Truth, server: CaveServer, client: Any
) -> None:
    made = microns.assemble(**QUIET, client=client, activity=None)
    truth.check(made)
    assert made.field.name == "microns_6_6_2" and made.field.origin == "cave"
    assert made.field.relations == () and made.field.events is None
    assert made.provenance["version"] == microns.CAVE_VERSION == 1300
    reasons = made.left_out.set_index("unit")["reason"].to_dict()
    assert reasons == {
        22: "another unit matches this nucleus with a higher score",
        25: "no segment at its point (root id 0)",
        26: "several nuclei on one segment",
        27: "several nuclei on one segment",
    }


def test_axon_status_follows_the_neurons(truth: Truth, server: CaveServer, client: Any) -> None:
    made = microns.assemble(**QUIET, client=client, activity=None)
    axons = made.neurons.set_index("root")["axon"]
    assert axons[truth.roots[0]] == "axon_fully_extended"
    assert axons[truth.roots[2]] == "axon_partially_extended"
    assert (axons[truth.roots[[1, 3, 4, 5, 6, 7]]] == "not proofread").all()
    current = made.neurons.set_index("root")["axon_current"]
    assert current[truth.roots[0]] and not current[truth.roots[2]]  # changed since it was checked
    table = made.axon_sparsity()
    assert table["neurons"].tolist() == [6, 1, 1]
    assert table["connections"].sum() == np.count_nonzero(truth.connectome)
    row = table.loc["axon_fully_extended"]
    assert row["density"] == np.count_nonzero(truth.connectome[0]) / (N - 1)


def test_cell_types_can_choose_the_neurons(truth: Truth, server: CaveServer, client: Any) -> None:
    made = microns.assemble(**QUIET, client=client, activity=None, excitatory_only=True)
    assert set(made.field.ids) == set(truth.nuclei[1:])
    assert "not classified as excitatory" in set(made.left_out["reason"])


def test_events_of_your_own_make_the_relations(
    truth: Truth, server: CaveServer, client: Any
) -> None:
    rng = np.random.default_rng(2)
    events = {int(unit): np.sort(rng.uniform(0, 50, 40)) for unit in truth.units}
    events[30] = np.empty(0)
    made = microns.assemble(**QUIET, client=client, events=events, bin_s=0.5, precision=True)
    kept = [events[int(unit)] for unit in made.field.unit_ids]
    assert made.field.unit_ids.tolist() == [21, 23, 24, 31, 40, 44, 50]
    assert made.left_out.set_index("unit")["reason"][30] == "no event"
    counts = relations.bin_events(kept, bin_s=0.5)
    assert np.array_equal(made.field.correlation, relations.correlation(counts))
    assert np.array_equal(made.field.sttc, relations.sttc(kept))
    assert np.array_equal(made.field.precision, relations.precision(counts))
    with pytest.raises(MicronsError, match="events lacks 1 of 8 units, the first is 50"):
        microns.assemble(**QUIET, client=client, events={u: [1.0] for u in truth.units[:-1]})


def test_events_of_your_own_may_come_in_whatever_names_its_units(
    truth: Truth, server: CaveServer, client: Any
) -> None:
    rng = np.random.default_rng(2)
    events = {int(unit): np.sort(np.round(rng.uniform(0, 50, 40), 4)) for unit in truth.units}
    made = microns.assemble(**QUIET, client=client, events=events)
    spans = pd.Series({u: np.rint(1e6 * t).astype("m8[us]") for u, t in events.items()})
    for given in (pd.Series(events)[::-1], spans):
        again = microns.assemble(**QUIET, client=client, events=given)
        assert again.field.content_hash == made.field.content_hash
    late = {unit: train + 36_000 for unit, train in events.items()}
    for wrong, says in (
        (late, "first event is at"),
        (list(events.values()), "events name no units"),
        ("dandi", "choose 'nwb' or None"),
    ):
        with pytest.raises(MicronsError, match=says):
            microns.assemble(**QUIET, client=client, events=wrong)


def test_an_unknown_route_or_activity_is_refused(server: CaveServer, client: Any) -> None:
    with pytest.raises(MicronsError, match="route is 'ftp'; choose 'cave'"):
        microns.assemble(**QUIET, route="ftp")
    with pytest.raises(MicronsError, match="activity is 'calcium'; choose 'nwb'"):
        microns.assemble(**QUIET, client=client, activity="calcium")


def test_nothing_is_asked_twice(truth: Truth, server: CaveServer, client: Any) -> None:
    microns.assemble(**QUIET, client=client, activity=None)
    server.asked.clear()
    # Neither token nor network any more.
    again = microns.assemble(**QUIET, activity=None)
    truth.check(again)
    assert server.asked == []
    microns.assemble(**QUIET, client=client, activity=None, version=943)  # another version is
    assert server.asked


def test_two_fields_in_one_cache_do_not_mix(truth: Truth, server: CaveServer, client: Any) -> None:
    other = microns.assemble(session=6, scan=6, field=4, client=client, activity=None)
    assert other.field.unit_ids.tolist() == [51, 52, 53]
    assert other.field.name == "microns_6_6_4"
    made = microns.assemble(**QUIET, client=client, activity=None)
    truth.check(made)
    assert (made.neurons["cell_type"] == "23P").sum() == N - 1
    assert (made.neurons["axon"] == "not proofread").sum() == N - 2


def test_a_broken_off_query_goes_on_with_the_chunk_it_lacks(
    truth: Truth, server: CaveServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cave, "CHUNK", 3)
    answer, count = server.post, 0

    def failing(request: Any) -> Any:
        nonlocal count
        count += b"synapses" in request.url.encode()
        return (500, {}, "out of order") if count == 3 else answer(request)

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(responses.GET, re.compile(r"https://.*"), callback=server.get)
        mock.add_callback(responses.POST, re.compile(r"https://.*"), callback=failing)
        with pytest.raises(MicronsError, match=r"failed with status 500.*stay in the cache"):
            microns.assemble(**QUIET, client=client, activity=None)
        server.asked.clear()
        truth.check(microns.assemble(**QUIET, client=client, activity=None))
    assert server.asked == [cave.SYNAPSES]


def test_a_server_that_fails_once_is_asked_again(
    truth: Truth, server: CaveServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cave, "RETRY_WAITS_S", (0.0,))
    answer, failed = server.post, []

    def once(request: Any) -> Any:
        if not failed:
            failed.append(True)
            return 500, {}, "busy"
        return answer(request)

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(responses.GET, re.compile(r"https://.*"), callback=server.get)
        mock.add_callback(responses.POST, re.compile(r"https://.*"), callback=once)
        truth.check(microns.assemble(**QUIET, client=client, activity=None))


def test_a_damaged_piece_of_the_cache_is_asked_again(
    truth: Truth, server: CaveServer, client: Any
) -> None:
    microns.assemble(**QUIET, client=client, activity=None)
    for path in Store("cave-1300").folder.glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-7])
    server.asked.clear()
    truth.check(microns.assemble(**QUIET, client=client, activity=None))
    assert len(server.asked) == 4


def test_a_reply_of_the_largest_size_is_refused(
    server: CaveServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cave, "ROW_CAP", len(server.tables[cave.SYNAPSES]) - 2)
    with pytest.raises(MicronsError, match=r"cuts replies off.*fewer segments per query"):
        microns.assemble(**QUIET, client=client, activity=None)
    assert not list(Store("cave-1300").folder.glob("synapses_*"))


def test_a_field_without_neurons_is_refused(server: CaveServer, client: Any) -> None:
    with pytest.raises(MicronsError, match=r"no neuron of field 6_6_3.*even fields"):
        microns.assemble(session=6, scan=6, field=3, client=client, progress=False)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((3, 1, 2), "no session 3, scan 1"),
        ((6, 5, 2), "no session 6, scan 5"),
        ((6, 6, 9), "1 to 8"),
    ],
)
def test_places_that_do_not_exist_are_refused(place: tuple[int, int, int], message: str) -> None:
    with pytest.raises(MicronsError, match=message):
        microns.assemble(session=place[0], scan=place[1], field=place[2])


def broken_coregistration(fault: str, frame: pd.DataFrame) -> pd.DataFrame:
    if fault == "float ids":
        return frame.assign(pt_root_id=frame["pt_root_id"].astype(float))
    if fault == "empty ids":
        return frame.assign(
            target_id=frame["target_id"].astype("Int64").mask(frame["unit_id"] == 30)
        )
    if fault == "wrong join":
        return frame.assign(id_ref=frame["id"])
    if fault == "nanometres":
        return frame.assign(pt_position_z=frame["pt_position_z"] * 40)
    return frame.drop(columns="score")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("float ids", "pt_root_id came as float64.*update caveclient"),
        ("empty ids", "target_id: 1 empty value"),
        ("wrong join", "target_id and the id of the joined nucleus differ"),
        ("nanometres", "pt_position_z: .* is no voxel.*divided by the voxel size"),
        ("no score", "lacks the column.* score.*use the pinned version"),
    ],
)
def test_a_table_that_is_not_what_it_should_be_is_refused(
    fault: str, message: str, server: CaveServer, client: Any
) -> None:
    frame = server.tables[cave.COREGISTRATION]
    server.tables[cave.COREGISTRATION] = broken_coregistration(fault, frame)
    with pytest.raises(MicronsError, match=message):
        microns.assemble(**QUIET, client=client, activity=None)


def test_positions_in_another_unit_are_refused(server: CaveServer, client: Any) -> None:
    server.resolution = "8, 8, 40"
    with pytest.raises(MicronsError, match=r"voxels of \[8\.0, 8\.0, 40\.0\] nm, requested were"):
        microns.assemble(**QUIET, client=client, activity=None)


def test_a_positions_reply_without_its_unit_is_converted_by_caveclient(
    truth: Truth, server: CaveServer, client: Any
) -> None:
    server.resolution = None  # the table's own unit, 4 x 4 x 40 nm, then holds
    truth.check(microns.assemble(**QUIET, client=client, activity=None))


def connect_with(monkeypatch: pytest.MonkeyPatch, server: CaveServer | None, **asked: Any) -> Any:
    """Make a client of our own against the made-up server, or against no network."""
    monkeypatch.setenv("CAVE_TOKEN", TOKEN)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        if server is not None:
            server.install(mock)
        return microns.connect(**asked)


def test_connect_asks_for_the_pinned_version(truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect_with(monkeypatch, CaveServer(truth)).version == 1300
    assert connect_with(monkeypatch, CaveServer(truth), version=np.int64(943)).version == 943


@pytest.mark.parametrize("version", [1300.0, True, "1300", 0, None])
def test_a_version_that_is_no_whole_number_is_refused(version: Any) -> None:
    with pytest.raises(MicronsError, match="give the whole number of a materialization"):
        microns.connect(version)


def test_without_a_token_no_server_is_queried_and_the_remedy_is_named() -> None:
    with responses.RequestsMock() as mock, pytest.raises(MicronsError) as caught:
        microns.assemble(**QUIET)
    assert not mock.calls
    for word in ("there is none", cave.TERMS_PAGE, cave.TOKEN_PAGE, "CAVE_TOKEN", "route='static'"):
        assert word in str(caught.value)


def test_a_token_that_caveclient_keeps_is_used(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / ".cloudvolume" / "secrets"
    folder.mkdir(parents=True)
    (folder / "global.daf-apis.com-cave-secret.json").write_text(json.dumps({"token": TOKEN}))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        CaveServer(truth).install(mock)
        assert microns.connect().auth.token == TOKEN


def test_no_network_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MicronsError, match=r"cannot be reached.*Check the network.*published"):
        connect_with(monkeypatch, None)


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (
            403,
            '{"error": "missing_tos", "data": {"tos_form_url": "https://tos"}}',
            "terms of service",
        ),
        (403, '{"error": "missing_permission"}', "your account may not read it"),
        (401, '{"error": "invalid_token"}', "refuses the token"),
        (500, '{"message": "database is down"}', "failed with status 500.*database is down"),
    ],
)
def test_what_the_server_refuses_is_reported_with_a_remedy(
    status: int, text: str, message: str, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = CaveServer(truth)
    server.fail["/datastack/full/"] = (status, text)
    with pytest.raises(MicronsError, match=message):
        connect_with(monkeypatch, server)


def test_being_sent_to_the_login_means_the_token_is_not_valid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CAVE_TOKEN", TOKEN)
    login = "https://accounts.example.com/login"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add(responses.GET, login, body="please log in")
        everything = re.compile(r"https://global\..*")
        mock.add(responses.GET, everything, status=302, headers={"Location": login})
        with pytest.raises(MicronsError, match="redirects to its login: the token is not valid"):
            microns.connect()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (661, "661 has expired; CAVE answers for 943, 1300.*keeps some expired"),
        (9999, "9999 does not exist; CAVE answers for 943, 1300"),
    ],
)
def test_a_version_that_is_not_there_is_refused_before_any_table_is_asked(
    version: int, message: str, truth: Truth, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = CaveServer(truth)
    with pytest.raises(MicronsError, match=message):
        connect_with(monkeypatch, server, version=version)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        server.install(mock)
        with pytest.raises(MicronsError, match=message):
            microns.assemble(**QUIET, client=client, version=version)
    assert server.asked == []


def test_an_unknown_table_is_reported(server: CaveServer, client: Any) -> None:
    del server.tables[cave.COREGISTRATION]
    with pytest.raises(
        MicronsError, match=r"coregistration_manual_v4 does not exist at version 13"
    ):
        microns.assemble(**QUIET, client=client, activity=None)


def test_a_server_that_is_too_old_is_reported(truth: Truth) -> None:
    from caveclient.tools.testing import CAVEclientMock

    old = CAVEclientMock(
        datastack_name=cave.DATASTACK,
        local_server=LOCAL,
        info_file=info(),
        materialization=True,
        materialization_server_version="5.0.0",
        available_materialization_versions=[1300],
        set_version=1300,
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        CaveServer(truth).install(mock)
        with pytest.raises(MicronsError, match="server and caveclient are not compatible"):
            microns.assemble(**QUIET, client=old, activity=None)


def test_without_caveclient_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caveclient", None)
    with pytest.raises(MicronsError, match=r"pip install -e '.\[microns\]'"):
        microns.connect()


def test_the_token_is_in_no_message_no_log_and_no_file(
    truth: Truth,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CAVE_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)
    server, texts = CaveServer(truth), []
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        server.install(mock)
        made = microns.assemble(**PLACE, activity=None)
        sent = [call.request.headers.get("Authorization", "") for call in mock.calls]
        assert f"Bearer {TOKEN}" in sent  # or else the test would be about nothing
        truth.check(made)
        for status in (400, 401, 403, 404, 500):  # a server that repeats what it was sent
            server.fail[cave.COREGISTRATION] = (status, f'{{"error": "bad token {TOKEN}"}}')
            with pytest.raises(MicronsError) as caught:
                microns.assemble(session=6, scan=6, field=4, activity=None)
            texts.append("".join(traceback.format_exception(caught.value)))
    captured = capfd.readouterr()
    texts += [captured.out, captured.err, caplog.text, repr(made.provenance)]
    texts += [repr(record.__dict__) for record in caplog.records]
    assert not any(TOKEN in text for text in texts)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(TOKEN.encode() in path.read_bytes() for path in files)


# Public files on a loopback server


class Files(http.server.BaseHTTPRequestHandler):
    """Serves a dictionary of bytes, understands Range, and can break off."""

    contents: dict[str, bytes]
    asked: list[tuple[str, str | None]]
    cut_after: int | None

    def do_GET(self) -> None:
        path = urllib.parse.urlparse(self.path).path
        ranged = self.headers.get("Range")
        type(self).asked.append((path, ranged))
        data = self.contents.get(path)
        if data is None:
            self.send_error(404)
            return
        start, stop, status = 0, len(data), 200
        if ranged:
            first, last = ranged.removeprefix("bytes=").split("-")
            start, status = int(first), 206
            stop = min(len(data), int(last) + 1) if last else len(data)
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(status)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        body = data[start:stop]
        if self.cut_after is not None and path.endswith("nuclei.csv.gz"):
            body = body[: self.cut_after]
        with contextlib.suppress(OSError):  # whoever asked only for the length has gone
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@pytest.fixture
def files() -> Iterator[tuple[str, type[Files]]]:
    handler = type("Handler", (Files,), {"contents": {}, "asked": [], "cut_after": None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


def public_files(truth: Truth, *, header_inside: bool = False) -> dict[str, bytes]:
    """Tables as the release puts them out: text without a header, and a header file."""
    made: dict[str, bytes] = {}
    old = {f"pt_position_{axis}": axis for axis in "xyz"}
    for name, frame in truth.tables.items():
        if name == cave.SYNAPSES:
            continue
        plain = frame.drop(columns="id_ref", errors="ignore").rename(columns=old)
        for axis in [axis for axis in "xyz" if axis in plain]:
            plain[axis] = plain[axis].astype(int)
        if "status_axon" in plain:
            plain["status_axon"] = np.where(plain["status_axon"], "t", "f")
        text = plain.to_csv(header=False, index=False)
        made[f"/v1412/{name}_merged.csv.gz"] = gzip.compress(text.encode())
        head = "".join(f"{column},{dtype}\n" for column, dtype in plain.dtypes.items())
        made[f"/v1412/{name}_merged_header.csv"] = head.encode()
    pairs = truth.synapses.groupby(["pre_pt_root_id", "post_pt_root_id"], as_index=False)
    counted = pairs.agg(n_syn=("id", "size"), sum_size=("size", "sum"))
    counted["pre_nuc_id"] = counted["post_nuc_id"] = ""
    text = counted.to_csv(header=header_inside, index=False)
    made["/v1412/connections_with_nuclei.csv.gz"] = gzip.compress(text.encode())
    head = "".join(f"{column},bigint\n" for column in counted.columns)
    made["/v1412/connections_with_nuclei_header.csv"] = head.encode()
    return made


@pytest.fixture
def public(
    truth: Truth, files: tuple[str, type[Files]], monkeypatch: pytest.MonkeyPatch
) -> type[Files]:
    address, handler = files
    handler.contents = public_files(truth)
    monkeypatch.setattr(static, "BASE_URL", address)
    return handler


@pytest.mark.parametrize("header_inside", [False, True])
def test_a_field_from_public_files_is_the_arrays_it_was_made_from(
    header_inside: bool, truth: Truth, public: type[Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "ROWS", 5)  # several chunks
    public.contents = public_files(truth, header_inside=header_inside)
    made = microns.assemble(**QUIET, route="static", activity=None)
    truth.check(made)
    assert made.field.name == "microns_6_6_2_static1412" and made.field.origin == "static"
    axons = made.neurons.set_index("root")["axon"]
    assert axons[truth.roots[0]] == "axon_fully_extended"
    assert axons[truth.roots[1]] == "not proofread"
    assert (made.neurons["cell_type"] == "23P").sum() == N - 1
    public.asked.clear()
    truth.check(microns.assemble(**QUIET, route="static", activity=None))
    assert public.asked == []


def test_of_all_connected_pairs_only_those_between_coregistered_cells_are_kept(
    truth: Truth, public: type[Files]
) -> None:
    microns.assemble(**QUIET, route="static", activity=None)
    store = Store("static-1412")
    kept = store.table("pairs_of_coregistered", lambda: pytest.fail("it is not in the cache"))
    known = truth.coregistration["pt_root_id"]
    assert len(kept) and kept["pre"].isin(known).all() and kept["post"].isin(known).all()
    assert not (store.folder / "connections_with_nuclei.csv.gz").exists()


def test_a_download_that_broke_off_goes_on_where_it_stopped(
    truth: Truth, public: type[Files]
) -> None:
    public.cut_after = 40
    with pytest.raises(MicronsError, match=r"broke off.*resume there"):
        microns.assemble(**QUIET, route="static", activity=None)
    public.cut_after = None
    public.asked.clear()
    truth.check(microns.assemble(**QUIET, route="static", activity=None))
    assert ("/v1412/connections_with_nuclei.csv.gz", "bytes=40-") in public.asked


def test_a_download_killed_before_its_last_step_is_repeated(
    public: type[Files], files: tuple[str, type[Files]], tmp_path: Path
) -> None:
    name = f"/v1412/{cave.COREGISTRATION}_merged.csv.gz"
    target = tmp_path / "table.csv.gz"
    target.with_name("table.csv.gz.part").write_bytes(public.contents[name])
    download(files[0] + name, target, progress=False)
    assert target.read_bytes() == public.contents[name]


def test_a_damaged_public_file_is_removed_and_reported(truth: Truth, public: type[Files]) -> None:
    name = f"/v1412/{cave.COREGISTRATION}_merged.csv.gz"
    whole = public.contents[name]
    public.contents[name] = whole[: len(whole) // 2]
    with pytest.raises(MicronsError, match=r"is damaged.*run this again"):
        microns.assemble(**QUIET, route="static", activity=None)
    public.contents[name] = whole
    truth.check(microns.assemble(**QUIET, route="static", activity=None))


def test_a_version_that_is_not_public_is_reported(public: type[Files]) -> None:
    with pytest.raises(MicronsError, match=r"nothing at .*v1300.*known to be public: 343, .* 1412"):
        microns.assemble(**QUIET, route="static", version=1300, activity=None)


def test_without_a_proofreading_file_the_status_is_unknown(
    truth: Truth, public: type[Files]
) -> None:
    del public.contents["/v1412/proofreading_status_and_strategy_merged.csv.gz"]
    made = microns.assemble(**QUIET, route="static", activity=None)
    truth.check(made)
    assert set(made.neurons["axon"]) == {"unknown"}


def test_public_files_out_of_reach_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(MicronsError, match=r"cannot be reached.*check the network"):
        microns.assemble(**QUIET, route="static", activity=None)


def test_a_cache_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public: type[Files]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(MicronsError, match=r"cannot be stored.*CORTEXRNN_CACHE"):
        microns.assemble(**QUIET, route="static", activity=None)


# Recordings


N_FRAMES = 700
RATE = 6.25


def fluorescence(n_masks: int, seed: int) -> np.ndarray:
    """Calcium of Poisson events with noise, shape (frames, masks)."""
    rng = np.random.default_rng(seed)
    calcium = np.zeros((N_FRAMES, n_masks))
    for frame in range(1, N_FRAMES):
        calcium[frame] = 0.85 * calcium[frame - 1] + rng.poisson(0.1, n_masks)
    return (calcium + 2 + 0.1 * rng.normal(size=calcium.shape)).astype(np.float32)


def write_nwb(path: Path, *, chunks: Any = (100, 7), **fault: Any) -> list[np.ndarray]:
    """Write what is read of a scan's file, laid out as there; return the traces of each field."""
    traces = [fluorescence(n, k) for k, n in enumerate(MASKS)]
    with h5py.File(path, "w") as file:
        for field, trace in enumerate(traces, start=1):
            series = file.create_group(f"processing/ophys/Fluorescence/RoiResponseSeries{field}")
            data = trace[:, :-1] if fault.get("columns") else trace
            layout = None if chunks is None else tuple(np.minimum(chunks, data.shape))
            series.create_dataset("data", data=data, chunks=layout)
            start = 0.0 if not fault.get("clock") else np.nan
            stamps = start + 3.5 + np.arange(N_FRAMES) / RATE
            stamps[300:] += fault.get("gap", 0.0)
            series.create_dataset("timestamps", data=stamps)
            plane = file.create_group(
                f"processing/ophys/ImageSegmentation/PlaneSegmentation{field}"
            )
            plane.create_dataset("id", data=np.arange(trace.shape[1]) + fault.get("first", 1))
    return traces


@pytest.fixture
def scan(files: tuple[str, type[Files]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """DANDI with one scan, and the traces in it."""
    address, handler = files
    path = tmp_path / "scan.nwb"
    asset = "sub-17797/sub-17797_ses-6-scan-6_behavior+image+ophys.nwb"
    listing = {
        "results": [{"path": asset + "x", "asset_id": "no"}, {"path": asset, "asset_id": "ab"}]
    }

    def publish(**layout: Any) -> list[np.ndarray]:
        traces = write_nwb(path, **layout)
        version = f"{nwb.DANDISET}/versions/{nwb.DANDI_VERSION}"
        handler.contents[f"/dandisets/{version}/assets/"] = json.dumps(listing).encode()
        handler.contents["/assets/ab/download/"] = path.read_bytes()
        return traces

    monkeypatch.setattr(nwb, "API", address)
    monkeypatch.setattr(nwb, "BLOCK_VALUES", 9_000)  # several blocks
    return publish, handler


@pytest.mark.parametrize("chunks", [(100, 7), (N_FRAMES, 4), None])
def test_streamed_traces_are_those_that_were_written(chunks: Any, truth: Truth, scan: Any) -> None:
    publish, handler = scan
    traces = publish(chunks=chunks)
    units = truth.units[[4, 0, 7, 2, 1, 3, 6, 5]]
    recording = nwb.recording(6, 6, 2, units, progress=False)
    assert np.array_equal(recording.fluorescence, traces[1][:, units - MASKS[0] - 1].T)
    assert recording.fluorescence.dtype == np.float32
    assert recording.frame_rate_hz == pytest.approx(RATE)
    assert recording.masks == MASKS[:2]
    assert any(ranged for _, ranged in handler.asked)  # streamed, not downloaded
    handler.asked.clear()
    again = nwb.recording(6, 6, 2, units, progress=False)
    assert np.array_equal(again.fluorescence, recording.fluorescence)
    assert handler.asked == []


def test_a_gap_in_the_clock_of_a_scan_is_pointed_out(truth: Truth, scan: Any) -> None:
    publish, _ = scan
    publish(gap=7.0)
    for _ in range(2):  # from the file and from the cache
        with pytest.warns(FieldWarning, match=r"field 2: 1 step\(s\) .* 7.16 s at 47.84 s"):
            nwb.recording(6, 6, 2, truth.units, progress=False)


def write_with_pynwb(path: Path) -> np.ndarray:
    """Write a scan of two fields with the format's own library; return the traces of the second."""
    pynwb = pytest.importorskip("pynwb", reason="the extra cortexrnn[test] is not installed")
    start = datetime.datetime(2018, 3, 1, tzinfo=datetime.UTC)
    file = pynwb.NWBFile("a scan", "17797-6-6", start)
    light = pynwb.ophys.OpticalChannel(name="green", description="emission", emission_lambda=500.0)
    device = file.create_device("mesoscope")
    masks, traces = pynwb.ophys.ImageSegmentation(), pynwb.ophys.Fluorescence()
    module = file.create_processing_module("ophys", "two-photon imaging")
    module.add([masks, traces])
    for field, n_masks in enumerate(MASKS[:2], start=1):
        plane = file.create_imaging_plane(
            name=f"ImagingPlane{field}", optical_channel=light, device=device, description="plane",
            excitation_lambda=920.0, indicator="GCaMP6s", location="cortex",
        )  # fmt: skip
        table = masks.create_plane_segmentation("masks", plane, name=f"PlaneSegmentation{field}")
        for mask in range(1, n_masks + 1):
            table.add_roi(id=mask, image_mask=np.ones((2, 2)))
        data = fluorescence(n_masks, field)
        traces.create_roi_response_series(
            name=f"RoiResponseSeries{field}", data=data, unit="n.a.",
            rois=table.create_roi_table_region("all", region=list(range(n_masks))),
            timestamps=np.arange(N_FRAMES) / RATE,
        )  # fmt: skip
    with pynwb.NWBHDF5IO(path, "w") as out:
        out.write(file)
    return data


@pytest.mark.filterwarnings("ignore:The linked table")
def test_a_file_that_pynwb_wrote_gives_back_its_traces(
    truth: Truth, files: tuple[str, type[Files]], tmp_path: Path
) -> None:
    data = write_with_pynwb(tmp_path / "scan.nwb")
    files[1].contents["/scan.nwb"] = (tmp_path / "scan.nwb").read_bytes()
    url = f"{files[0]}/scan.nwb"
    recording = nwb.recording(6, 6, 2, truth.units, url=url, progress=False)
    assert np.array_equal(recording.fluorescence, data[:, truth.units - MASKS[0] - 1].T)
    assert recording.masks == MASKS[:2]
    assert recording.frame_rate_hz == pytest.approx(RATE)


def test_a_field_gets_its_activity_from_the_recording(
    truth: Truth, scan: Any, public: type[Files]
) -> None:
    tables_too = dict(public.contents)
    publish, handler = scan
    traces = publish()
    handler.contents |= tables_too
    made = microns.assemble(**QUIET, route="static", order=1)
    truth.check(made)
    fluorescent = traces[1][:, np.sort(truth.units) - MASKS[0] - 1].T
    deconvolved = relations.redeconvolve(fluorescent, order=1)
    rate = made.provenance["frame_rate_hz"]
    events = relations.trace_events(deconvolved, frame_rate_hz=rate)
    assert all(np.array_equal(a, b) for a, b in zip(made.field.events, events, strict=True))
    assert np.array_equal(made.field.sttc, relations.sttc(events))
    assert made.provenance["activity"] == "re-deconvolved"
    assert rate == pytest.approx(RATE)


def test_another_file_of_the_scan_is_not_taken_for_the_first(
    truth: Truth, scan: Any, files: tuple[str, type[Files]], tmp_path: Path
) -> None:
    traces = scan[0]()
    nwb.recording(6, 6, 2, truth.units, progress=False)
    with h5py.File(tmp_path / "scan.nwb", "r+") as file:
        file["processing/ophys/Fluorescence/RoiResponseSeries2/data"][:] += 1
    files[1].contents["/other.nwb"] = (tmp_path / "scan.nwb").read_bytes()
    url = f"{files[0]}/other.nwb"
    recording = nwb.recording(6, 6, 2, truth.units, url=url, progress=False)
    columns = truth.units - MASKS[0] - 1
    assert np.array_equal(recording.fluorescence, traces[1][:, columns].T + np.float32(1))


def test_blocks_that_arrived_are_not_asked_again(truth: Truth, scan: Any) -> None:
    publish, _ = scan
    traces = publish()
    nwb.recording(6, 6, 2, truth.units, progress=False)
    folder = Store(f"nwb-{nwb.DANDI_VERSION}/6_6_2").folder
    blocks = sorted(folder.glob("frames_*.npy"))
    assert len(blocks) > 2
    np.save(blocks[0], np.load(blocks[0]) + 1)  # seen again: it was not read anew
    blocks[1].unlink()
    fluorescence = nwb.recording(6, 6, 2, truth.units, progress=False).fluorescence
    expected = traces[1][:, truth.units - MASKS[0] - 1].T.copy()
    expected[:, : len(np.load(blocks[0]))] += 1
    assert np.array_equal(fluorescence, expected)


@pytest.mark.parametrize("unit", [MASKS[0], MASKS[0] + MASKS[1] + 1])
def test_a_unit_outside_the_block_of_its_field_is_refused(
    unit: int, truth: Truth, scan: Any
) -> None:
    scan[0]()
    with pytest.raises(MicronsError, match=rf"unit {unit} and 0 more.*units 21 to 50.*no trace"):
        nwb.recording(6, 6, 2, [*truth.units, unit], progress=False)


def test_the_rule_gives_the_columns() -> None:
    assert nwb.mask_columns([1, 20], MASKS, 1).tolist() == [0, 19]
    assert nwb.mask_columns([21, 50], MASKS, 2).tolist() == [0, 29]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"first": 0}, "masks of field 1 are not numbered 1 to 20.*rule"),
        ({"columns": True}, "29 traces but 30 masks"),
        ({"clock": True}, "time stamps run from nan"),
    ],
)
def test_a_file_that_breaks_the_rule_is_refused(
    fault: dict[str, Any], message: str, truth: Truth, scan: Any
) -> None:
    scan[0](**fault)
    with pytest.raises(MicronsError, match=message):
        nwb.recording(6, 6, 2, truth.units, progress=False)


def test_a_file_without_the_field_is_reported(truth: Truth, scan: Any) -> None:
    scan[0]()
    with pytest.raises(MicronsError, match="has another layout"):
        nwb.recording(6, 6, 4, truth.units, progress=False)


def test_a_scan_that_dandi_does_not_list_is_reported(truth: Truth, scan: Any) -> None:
    scan[0]()
    with pytest.raises(MicronsError, match=r"lists no .*ses-8-scan-5"):
        nwb.recording(8, 5, 2, truth.units, progress=False)


def test_dandi_out_of_reach_is_reported(truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nwb, "API", "http://127.0.0.1:9")
    with pytest.raises(MicronsError, match=r"cannot be reached.*check the network"):
        nwb.recording(6, 6, 2, truth.units, progress=False)


@pytest.mark.parametrize("missing", ["h5py", "remfile"])
def test_without_the_readers_the_extra_is_named(
    missing: str, truth: Truth, scan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan[0]()
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MicronsError, match=r"pip install -e '.\[microns\]'"):
        nwb.recording(6, 6, 2, truth.units, progress=False)


# Names and single steps


def test_names_say_route_and_version_and_lead_back(
    truth: Truth, public: type[Files], scan: Any
) -> None:
    name = microns.field_name(6, 6, 2, route="static", version=1412)
    assert name == "microns_6_6_2_static1412"
    assert microns.field_name(6, 6, 2, route="cave", version=943) == "microns_6_6_2_v943"
    tables_too = dict(public.contents)
    scan[0]()
    scan[1].contents |= tables_too
    field = load_field(name)
    assert field.name == name
    assert np.array_equal(field.ids, truth.nuclei[np.argsort(truth.units)])
    assert set(field.relations) == {"correlation", "sttc"}
    with pytest.raises(MicronsError, match="there is none"):
        load_field("microns_6_6_2")
    with pytest.raises(MicronsError, match="no field called 'microns_6_6'"):
        load_field("microns_6_6")


def test_the_better_match_stays_and_every_row_is_accounted_for(truth: Truth) -> None:
    rows = tables.coregistered(truth.coregistration, "t")
    neurons, left_out = tables.select(rows[rows["field"] == 2])
    assert len(neurons) + len(left_out) == N + 4
    best = neurons.set_index("nucleus").loc[truth.nuclei[2]]
    assert best["unit"] == 24 and best["score"] == 7
    twice = pd.concat([rows.iloc[:1], rows.iloc[:1].assign(nucleus=1, score=99.0, root=5)])
    neurons, left_out = tables.select(twice)
    assert neurons["nucleus"].tolist() == [1]
    assert left_out["reason"].tolist() == ["another nucleus matches this unit with a higher score"]


def test_synapses_of_others_and_onto_oneself_are_not_counted() -> None:
    pairs = pd.DataFrame({"pre": [5, 5, 9, 7], "post": [7, 5, 5, 9], "n": [2, 4, 8, 16]})
    assert tables.synapse_counts(pairs, [5, 7]).tolist() == [[0, 2], [0, 0]]


@pytest.mark.parametrize(
    ("status", "strategy", "word"),
    [
        (True, "axon_fully_extended", "axon_fully_extended"),
        ("t", "none", "proofread"),
        ("f", "axon_fully_extended", "not proofread"),
        ("extended", None, "extended"),
        ("non", None, "not proofread"),
    ],
)
def test_axon_status_of_old_and_new_tables(status: Any, strategy: Any, word: str) -> None:
    frame = pd.DataFrame({"pt_root_id": [4], "status_axon": [status]})
    if strategy is not None:
        frame["strategy_axon"] = strategy
    status = tables.axon_status([3, 4], frame)
    assert status["axon"].tolist() == ["not proofread", word]
    assert status["axon_current"].tolist() == [False, True]
    assert tables.axon_status([3], None)["axon"].tolist() == ["unknown"]


def test_an_axon_whose_check_cannot_be_compared_is_not_called_current() -> None:
    frame = pd.DataFrame({"pt_root_id": [4, 5], "status_axon": [True, True], "valid_id": [4, None]})
    assert tables.axon_status([4, 5], frame)["axon_current"].tolist() == [False, False]


def test_sparsity_needs_one_status_per_neuron() -> None:
    with pytest.raises(MicronsError, match=r"shape \(3, 3\) but there are 2 axon states"):
        microns.axon_sparsity(np.zeros((3, 3)), ["a", "b"])
