"""The tool that lists and watches units: what it looks at, and when."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from cortexrnn.evidence.units import LISTED
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import RunSpec
from cortexrnn.networks.training import train
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.controls import AT_DOSE, CONDITIONS
from tools import watch_units


@pytest.fixture(scope="module")
def field():
    return surrogate_field(24)


@pytest.fixture(scope="module")
def spec(field):
    return RunSpec(field=field.name, field_hash=field.hash_without_events,
                   variant=CONDITIONS["W*D*"].variant, task="go_nogo", seed=0, n_train=1280,
                   n_validation=128, epochs=3)  # fmt: skip


def test_looks_are_close_at_first_and_at_the_end_of_every_epoch():
    assert watch_units.looks(40, 10) == [*range(5, 81, 5), *range(120, 401, 40)]
    assert watch_units.looks(12, 1) == [5, 10, 12]


def test_a_trace_is_that_of_the_run(field, spec):
    rows = watch_units.trace(spec, field, device="cpu")
    ends = {}
    (result,) = train(
        [spec], field, device="cpu", progress=False,
        watch=lambda one, epoch, weights: ends.update({10 * epoch: weights}),
    )  # fmt: skip
    assert sorted({row["update"] for row in rows}) == [0, *watch_units.looks(10, 3)]
    ends[0] = initial_weights(spec, field)
    for row in rows:
        if row["update"] in ends:
            weights = ends[row["update"]]
            assert row["self_connection"] == weights[row["unit"], row["unit"]]
    first = [row for row in rows if row["update"] == 0]
    own = np.diag(ends[0])
    assert [row["self_connection"] for row in first] == sorted(own, reverse=True)[:10]
    assert first[0]["largest_other"] == sorted(own)[-11]
    last = [row for row in rows if row["update"] == 30]
    unit = last[0]["unit"]
    assert last[0]["input_weights"] == result.weights["input"][:, unit].tolist()
    of_epoch = {row["update"]: row["accuracy"] for row in rows if row["update"] > 20}
    assert np.mean(list(of_epoch.values())) == pytest.approx(result.history["accuracy"][2])


def test_finished_runs_are_not_trained_again(field, spec, tmp_path, monkeypatch):
    made = watch_units.kept_trace(spec, field, tmp_path)
    monkeypatch.setattr(watch_units, "trace", None)
    again = watch_units.kept_trace(spec, field, tmp_path)
    assert again.drop_columns("accuracy").equals(made.drop_columns("accuracy"))  # NaN at first
    assert made.schema.names == watch_units.SCHEMA.names


def test_as_many_runs_that_learned_are_chosen_as_runs_that_did_not():
    archive = load_archive()
    for field, most in watch_units.MOST.items():
        chosen = watch_units.chosen_runs(archive, field)
        counts = chosen.groupby("task")["learned"].agg(["sum", "size"])
        assert (2 * counts["sum"] == counts["size"]).all()
        assert counts["sum"].between(1, most).all()
        assert set(chosen["label"]) == {"W*D*"}


def test_starts_of_all_conditions_are_listed(field, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watch_units, "CONDITIONS_OF_STARTS", ("W*D*",))
    monkeypatch.setattr(watch_units, "load_field", lambda name: field)
    monkeypatch.setattr(watch_units, "FIELDS", ("small",))
    assert watch_units.main(["starts", "--out", str(tmp_path)]) == 0
    table = pq.read_table(tmp_path / "starts.parquet").to_pandas()
    n_runs = 3 * 20 * (1 + sum(count > 0 for _, count in AT_DOSE))
    assert table["identity"].nunique() == n_runs
    assert table["rank"].max() == LISTED


def test_traces_need_a_folder(capsys):
    with pytest.raises(SystemExit):
        watch_units.main(["traces"])
    assert "--kept" in capsys.readouterr().err
