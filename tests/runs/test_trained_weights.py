"""Kept weights: what is kept, what is stated to be lost, and what is refused."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import topology
from cortexrnn.networks.specification import SIGNS
from cortexrnn.runs import experiment, plans
from cortexrnn.runs.archive import METRICS, load_archive
from cortexrnn.runs.trained_weights import (
    BINS,
    COURSE,
    FILE_FORMAT,
    KeptRun,
    WeightsError,
    kept_weights,
    load_weights,
    save_weights,
    sparsify,
    stated_loss,
)
from tools import keep_weights

N = 20


def matrix(seed, n=N):
    rng = np.random.default_rng(seed)
    weights = rng.standard_t(2, (n, n)) * 0.01
    np.fill_diagonal(weights, rng.uniform(0, 0.3, n))
    return weights.astype(np.float32)


def kept(seed, **changes):
    run = KeptRun(
        variant="W*D*C",
        task="go_nogo",
        arm="corr",
        seed=seed,
        identity=f"{seed:032x}",
        metrics={name: float(i) for i, name in enumerate(METRICS)},
        matrix=sparsify(matrix(seed)),
        course=np.arange(3.0 * len(COURSE)).reshape(3, -1),
    )
    return replace(run, **changes)


@pytest.fixture
def saved(tmp_path):
    runs = [kept(seed) for seed in range(3)]
    save_weights(runs, tmp_path / "f.npz", field="f", field_hash="0", made="here")
    return tmp_path / "f.npz"


def parts(path):
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def test_a_file_gives_back_what_was_saved(saved):
    for seed, run in enumerate(load_weights(saved)):
        request = kept(seed)
        assert (run.variant, run.task, run.arm, run.seed) == ("W*D*C", "go_nogo", "corr", seed)
        assert (run.identity, run.metrics) == (request.identity, request.metrics)
        np.testing.assert_array_equal(run.course, request.course)
        np.testing.assert_array_equal(run.matrix.dense(), request.matrix.dense())
        np.testing.assert_array_equal(run.matrix.graph(), request.matrix.graph())
        assert run.matrix.summary == request.matrix.summary
        np.testing.assert_array_equal(run.matrix.quantiles, request.matrix.quantiles)
        np.testing.assert_array_equal(run.matrix.histogram, request.matrix.histogram)


def test_the_same_runs_make_the_same_bytes(saved, tmp_path):
    again = save_weights(
        load_weights(saved), tmp_path / "g.npz", field="f", field_hash="0", made="here"
    )
    assert again.read_bytes() == saved.read_bytes()


squares = st.integers(1, 9).flatmap(
    lambda n: arrays.arrays(
        np.float32,
        (n, n),
        elements=st.one_of(
            st.sampled_from([0.0, 0.5, -0.5, 0.50001, 1e-30, 3e38]),
            st.floats(-1, 1, width=32),
        ),
    )
)


@settings(max_examples=300, deadline=None)
@given(squares)
def test_the_kept_matrix_has_the_graph_of_the_full_one(weights):
    small, full = sparsify(weights), topology.graph(weights)
    np.testing.assert_array_equal(small.graph(), full)
    np.testing.assert_array_equal(topology.graph(small.dense()), full)
    assert (np.sign(small.dense()) == np.sign(weights))[small.strong].all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.sampled_from([1e-6, 1.0, 1e6]))
def test_kept_entries_are_right_to_half_precision_and_the_stated_loss_is_true(seed, n, scale):
    full = matrix(seed, n).astype(float) * scale
    small = sparsify(full)
    dense = small.dense()
    where = dense != 0
    np.testing.assert_allclose(dense[small.strong], full[small.strong], rtol=2**-11)
    strong = np.abs(np.diag(full)) > small.summary["threshold"]
    np.testing.assert_allclose(np.diag(dense)[strong], np.diag(full)[strong], rtol=2**-11)
    assert where.sum() <= np.ceil(0.1 * n * n) + n
    stated = small.summary
    assert stated["share_of_sum"] == pytest.approx(np.abs(dense).sum() / np.abs(full).sum())
    norm = np.linalg.norm(full)
    assert stated["share_of_norm"] == pytest.approx(np.linalg.norm(dense) / norm)
    assert stated["error"] == pytest.approx(np.linalg.norm(full - dense) / norm, abs=1e-12)
    assert stated["spectral_radius"] == pytest.approx(np.abs(np.linalg.eigvals(full)).max())


def test_all_weights_are_counted_between_the_extremes():
    weights = matrix(5)
    small = sparsify(weights)
    expected, _ = np.histogram(weights.astype(float), BINS)
    assert small.histogram.sum() == N * N
    assert np.abs(np.cumsum(small.histogram - expected)).max() <= 2  # bin edges are rounded
    assert (small.quantiles[0], small.quantiles[-1]) == (weights.min(), weights.max())


def test_caller_s_weights_stay_as_they_are():
    weights = matrix(1)
    before = weights.copy()
    sparsify(weights)
    np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("bad", [np.full((3, 3), np.nan), np.ones((2, 3)), np.ones(4)])
def test_weights_without_a_graph_are_refused(bad):
    with pytest.raises(WeightsError, match=r"square|diverge"):
        sparsify(bad)


def test_runs_of_two_sizes_are_refused(tmp_path):
    runs = [kept(0), kept(1, matrix=sparsify(matrix(1, 8)))]
    for wrong in (runs, []):
        with pytest.raises(WeightsError, match="one size"):
            save_weights(wrong, tmp_path / "f.npz", field="f", field_hash="0", made="")
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_or_altered_file_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"cut\.npz is damaged"):
            load_weights(tmp_path / "cut.npz")
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    (tmp_path / "bit.npz").write_bytes(bytes(flipped))
    with pytest.raises(WeightsError, match=r"bit\.npz"):
        load_weights(tmp_path / "bit.npz")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tmp_path / "none.npz")


class Hostile:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def changed(name):
    """Ways to contradict a file of 3 runs of 20 neurons, by what is changed."""
    strings = np.array(["g" * 32, "1" * 32, "2" * 32])
    ways = {
        "format": lambda a: np.int64(FILE_FORMAT + 1),
        "n_neurons": lambda a: np.int64(21),
        "no neurons": lambda a: np.int64(0),
        "seed": lambda a: a.astype(float),
        "variant": lambda a: a[:2],
        "metrics": lambda a: a[:, :-1],
        "course": lambda a: a.astype(np.float64),
        "strong": lambda a: np.roll(a, 1),
        "strong with a diagonal": lambda a: a | np.uint8(128),
        "stops": lambda a: a + 1,
        "values": lambda a: np.full_like(a, np.inf),
        "values missing": lambda a: a[:-1],
        "values of zero": lambda a: a * 0,
        "diagonal": lambda a: np.full_like(a, np.nan),
        "exponent": lambda a: np.full_like(a, 30000),
        "quantiles": lambda a: np.full_like(a, np.nan),
        "histogram": lambda a: a + 1,
        "identity": lambda a: strings,
        "identity twice": lambda a: np.array(["1" * 32] * 3),
        "made": lambda a: np.array([Hostile()], dtype=object),
    }
    return ways if name is None else ways[name]


ALIAS = {"no neurons": "n_neurons"}


@pytest.mark.parametrize("name", changed(None))
def test_a_file_that_contradicts_itself_is_refused(saved, name):
    arrays = parts(saved)
    key = ALIAS.get(name, name.split()[0])
    arrays[key] = changed(name)(arrays[key])
    np.savez(saved, **arrays)
    with pytest.raises(WeightsError, match=r"keep_weights\.py"):
        load_weights(saved)


def test_arrays_missing_or_unknown_are_named(saved):
    arrays = parts(saved)
    arrays["more"] = arrays.pop("course")
    np.savez(saved, **arrays)
    with pytest.raises(WeightsError, match="course, more"):
        load_weights(saved)


def test_what_would_fill_the_memory_is_refused(tmp_path):
    bomb = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        bomb, {"descr": "|u1", "fortran_order": False, "shape": (2**29,)}
    )
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as parts_,
        parts_.open("strong.npy", "w", force_zip64=True) as file,
    ):
        file.write(bomb.getvalue())
        for _ in range(2**9):
            file.write(bytes(2**20))
    with pytest.raises(WeightsError, match="more than"):
        load_weights(tmp_path / "b.npz")


def test_a_field_without_kept_runs_has_none():
    assert kept_weights("no such field") == []
    assert kept_weights("../archive/x") == []
    assert kept_weights("6_6_2", arm="no such arm") == []


def test_stated_loss_has_a_row_for_every_run(saved):
    table = stated_loss(load_weights(saved))
    assert table["identity"].tolist() == [kept(seed).identity for seed in range(3)]
    assert table["share_of_sum"].between(0, 1).all()


@pytest.mark.parametrize("arm", ["corr", "corr+sign"])
def test_shipped_matrices_lead_back_to_their_rows_of_the_archive(arm):
    runs = kept_weights("6_6_2", arm=arm)
    if not runs:
        pytest.skip("no matrices are shipped")
    archive = load_archive().drop_duplicates("identity").set_index("identity")
    for run in runs:
        row = archive.loc[run.identity]
        assert (row["field"], row["arm"]) == ("6_6_2", arm)
        assert (row["variant"], row["task"]) == (run.variant, run.task)
        specification = json.loads(row["specification"])
        assert (specification["seed"], specification["n_train"]) == (run.seed, 5120)
        graph = run.matrix.graph()
        for name in ("modularity", "assortativity"):
            value = getattr(topology, name)(graph)
            assert value == pytest.approx(run.metrics[name], abs=1e-12)
            assert value == pytest.approx(run.course[-1][COURSE.index(name)], abs=1e-6)


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    """A small experiment, and what the tool keeps of the same runs trained again."""
    folder = tmp_path_factory.mktemp("weights")
    field = surrogate_field(16)
    for sign in SIGNS:
        specs = plans.plan(field, preset="smoke", sign=sign)
        experiment.run(specs, field, out=folder / "runs", workers=1, device="cpu", progress=False)
    arguments = ["--field", "surrogate_16", "--preset", "smoke", "--full", str(folder / "full")]
    arguments += ["--archive", str(folder / "runs"), "--out", str(folder / "out")]
    return folder, arguments, keep_weights.main(arguments)


def test_runs_trained_again_are_the_archive_s(remade, capsys):
    folder, arguments, status = remade
    runs = load_weights(folder / "out" / "surrogate_16.npz")
    table = keep_weights.beside_archive(runs, load_archive(folder / "runs"))
    assert status == 0
    assert [run.arm for run in runs] == ["corr"] * 33 + ["corr+sign"] * 33
    assert set(table["verdict"]) == {"identical"}
    assert all(run.course.shape == (2, len(COURSE)) for run in runs)
    before = (folder / "out" / "surrogate_16.npz").read_bytes()
    assert keep_weights.main(arguments) == 0  # from the full matrices, without training
    assert (folder / "out" / "surrogate_16.npz").read_bytes() == before
    assert "66 of 66 runs" in capsys.readouterr().out


def test_a_run_that_succeeds_on_one_side_only_is_reported(remade, monkeypatch, capsys):
    folder, arguments, _ = remade
    runs = load_archive(folder / "runs")
    first = runs.index[0]
    runs.loc[first, "accuracy"] += 0.3
    runs.loc[runs.index[1], "loss"] += 0.001
    runs.loc[runs.index[2], "loss"] += 1.0
    runs = runs.drop(index=runs.index[3])
    monkeypatch.setattr(keep_weights, "load_archive", lambda folder: runs)
    assert keep_weights.main(arguments) == 1
    output = capsys.readouterr().out
    for verdict in ("success differs", "close", "differs", "not in the archive"):
        assert verdict in output


def test_a_run_that_diverged_is_told_and_not_kept(remade, monkeypatch, capsys, tmp_path):
    _, arguments, _ = remade
    whole = keep_weights.matrices

    def with_one_lost(shard, field, full):
        trained = whole(shard, field, full)
        name = f"{shard[0].identity}/info"
        trained[name] = np.array(json.dumps({"metrics": {}, "diverged": True}))
        return trained

    monkeypatch.setattr(keep_weights, "matrices", with_one_lost)
    keep_weights.main([*arguments, "--out", str(tmp_path)])
    assert capsys.readouterr().out.count("diverged, nothing is kept") == 6
    assert len(load_weights(tmp_path / "surrogate_16.npz")) == 60
