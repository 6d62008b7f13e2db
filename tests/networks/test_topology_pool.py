"""Many networks at once: equal to one after another, whatever becomes of the processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn.networks import topology_pool
from cortexrnn.networks.topology import measure
from cortexrnn.networks.topology_pool import TopologyPool, measure_many

KINDS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "ties": lambda rng, shape: np.round(2 * rng.normal(size=shape)),
    "sparse": lambda rng, shape: rng.normal(size=shape) * (rng.random(shape) < 0.04),
    "constant": lambda rng, shape: np.full(shape, -0.5),
    "not a number": lambda rng, shape: np.where(rng.random(shape) < 0.02, np.nan, 1.0),
    "infinite": lambda rng, shape: np.where(rng.random(shape) < 0.02, -np.inf, rng.random(shape)),
}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Keep random graphs apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def eager(monkeypatch):
    """Start processes for whatever there is to do, and give each one network at a time."""
    monkeypatch.setattr(topology_pool, "WORTHWHILE", 1)
    monkeypatch.setattr(topology_pool, "TASK", 1)


def some(m, n=12):
    return np.random.default_rng(m).normal(size=(m, n, n)).astype(np.float32)


def one_by_one(weights):
    return [measure(matrix, n_nulls=2) for matrix in weights]


def assert_same(found, expected):
    np.testing.assert_array_equal([astuple(m) for m in found], [astuple(m) for m in expected])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5),
    st.integers(1, 30),
    st.integers(0, 2**32),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_many_are_those_of_one_after_another_bit_by_bit(kinds, n, seed, dtype, as_tensor):
    rng = np.random.default_rng(seed)
    weights = np.stack([KINDS[kind](rng, (n, n)) for kind in kinds]).astype(dtype)
    given_ = torch.from_numpy(weights).requires_grad_() if as_tensor else weights
    assert_same(measure_many(given_, n_nulls=2, workers=1), one_by_one(weights))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float16, ">f8"])
def test_other_types_of_weights(dtype):
    weights = (3 * some(2)).astype(dtype)
    assert_same(measure_many(weights, n_nulls=2), one_by_one(weights))
    half = torch.from_numpy(some(2)).bfloat16()
    assert_same(measure_many(half, n_nulls=2), one_by_one(half.float().numpy()))


def test_no_network_and_one():
    assert measure_many(np.empty((0, 5, 5))) == []
    assert measure_many(some(1), n_nulls=2, device="cpu") == one_by_one(some(1))
    with TopologyPool() as pool:
        nothing = pool.submit(torch.empty(0, 5, 5))
        assert nothing.done() and nothing.result() == nothing.seconds == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((3, 4, 5)), r"shape \(3, 4, 5\)"),
        (np.ones((4, 4)), r"shape \(4, 4\)"),
        (torch.ones(2, 0, 0), r"shape \(2, 0, 0\)"),
        (np.ones((1, 2, 2), dtype=complex), "complex128, expected real"),
        (torch.ones(1, 2, 2, dtype=torch.complex64), "complex64, expected real"),
        ([[["a", "b"], ["c", "d"]]], "expected real numbers"),
    ],
)
def test_what_are_no_weight_matrices_is_refused(weights, message):
    with pytest.raises(ValueError, match=f"^weights: .*{message}"):
        measure_many(weights)


def test_too_few_workers_are_refused():
    with pytest.raises(ValueError, match="workers is 0"):
        TopologyPool(workers=0)


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_processes_measure_what_was_there_when_it_was_given(value, eager):
    weights = some(5)
    weights[2, 3, 4] = value
    expected = one_by_one(weights)
    with TopologyPool(workers=2) as pool:
        for kept in (weights, torch.from_numpy(weights.copy())):
            given_ = kept.copy() if isinstance(kept, np.ndarray) else kept
            pending = pool.submit(given_, n_nulls=2)
            given_[:] = 0
            assert pending.seconds == []
            assert_same(pending.result(), expected)
            assert pending.done() and pending.result() is pending.result()
            assert len(pending.seconds) == 5 and min(pending.seconds) > 0
        workers = set(pool._executor._processes)
        assert len(workers) == 2 and os.getpid() not in workers
    assert not any(_alive(worker) for worker in workers)


def test_few_networks_need_no_process(monkeypatch):
    monkeypatch.setattr(topology_pool, "ProcessPoolExecutor", None)
    with TopologyPool(workers=2) as pool:
        pending = pool.submit(some(3), n_nulls=2)
        assert not pending.done()
        assert_same(pending.result(), one_by_one(some(3)))


def test_one_worker_is_this_process(eager, monkeypatch):
    monkeypatch.setattr(topology_pool, "ProcessPoolExecutor", None)
    assert_same(measure_many(some(3), n_nulls=2, workers=1), one_by_one(some(3)))
    monkeypatch.setattr(topology_pool, "cores", lambda: 2)
    assert_same(measure_many(some(3), n_nulls=2), one_by_one(some(3)))


def test_a_process_that_may_not_start_others_does_without(eager, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    monkeypatch.setattr(topology_pool, "ProcessPoolExecutor", None)
    assert_same(measure_many(some(3), n_nulls=2, workers=2), one_by_one(some(3)))


def test_killed_processes_lose_nothing(eager, caplog):
    with TopologyPool(workers=2) as pool:
        pool.submit(some(2), n_nulls=2).result()
        for worker in list(pool._executor._processes):
            os.kill(worker, signal.SIGSTOP)
        pending = pool.submit(some(9), n_nulls=2)
        for worker in list(pool._executor._processes):
            os.kill(worker, signal.SIGKILL)
        assert_same(pending.result(), one_by_one(some(9)))
        assert len(caplog.records) == 1 and "__main__" in caplog.text
        assert_same(pool.submit(some(4), n_nulls=2).result(), one_by_one(some(4)))


def test_a_closed_pool_still_gives_what_it_owes(eager):
    with TopologyPool(workers=2) as pool:
        pending = pool.submit(some(30), n_nulls=2)
    assert any(future.cancelled() for _, future in pending._tasks)
    assert_same(pending.result(), one_by_one(some(30)))


SCRIPT = """
import numpy as np
from cortexrnn.networks import topology_pool
topology_pool.WORTHWHILE = topology_pool.TASK = 1
print("begin")
weights = np.random.default_rng(0).normal(size=(6, 20, 20))
with topology_pool.TopologyPool(workers=2) as pool:
    print("train")
    measured = pool.submit(weights, n_nulls=2).result()
print(len(measured), "measured")
"""


def test_a_script_that_guards_nothing_is_measured_all_the_same(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=120
    )
    printed = done.stdout.split("\n")
    assert printed.count("train") == 1 and "6 measured" in printed
    assert 'if __name__ == "__main__"' in done.stderr


ORPHANS = """
import os, signal, sys
import numpy as np
from cortexrnn.networks import topology_pool
topology_pool.WORTHWHILE = topology_pool.TASK = 1
if __name__ == "__main__":
    pool = topology_pool.TopologyPool(workers=2)
    pool.submit(np.random.default_rng(0).normal(size=(6, 20, 20)), n_nulls=2).result()
    print(*pool._executor._processes, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_processes_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    done = subprocess.run(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, timeout=120, check=False
    )
    workers = [int(word) for word in done.stdout.split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while any(_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(worker) for worker in workers)


def test_processes_need_no_torch():
    code = "import sys, cortexrnn.networks.topology_pool; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _alive(process):
    """Whether a process runs; one that waits to be collected does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
