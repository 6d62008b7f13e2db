"""Dask over several hosts, which are network namespaces: cut links, a killed scheduler."""

import shutil
import signal
import sys

import pandas as pd
import pytest

from cortexrnn.runs.archive import read_runs
from tests.cluster.conftest import ROOT, without_package
from tests.runs.test_experiment import sorted_rows


def rows(folder):
    (final,) = folder.glob("*.parquet")
    return sorted_rows(read_runs(final))


@pytest.fixture
def cluster(hosts):
    """Address of a scheduler, and its process."""
    return hosts.scheduler()


def test_a_cut_link_costs_nothing_but_time(hosts, cluster, run, undisturbed):
    hosts.worker("a")
    hosts.worker("b")
    begun = run("runs", "--scheduler", cluster[0])
    begun.first_shard()
    hosts.cut("a")
    status, said = begun.ends()
    assert status == 0, said
    pd.testing.assert_frame_equal(rows(begun.out), rows(undisturbed))
    assert "Traceback" not in "".join(said)


def test_a_killed_scheduler_is_told_in_one_line(hosts, cluster, run):
    hosts.worker("a")
    begun = run("runs", "--scheduler", cluster[0], seeds=30)
    begun.first_shard()
    cluster[1].send_signal(signal.SIGKILL)
    status, said = begun.ends()
    assert status == 1
    assert said == [
        "cortexrnn: the scheduler is gone; finished shards are kept; give the same command again "
        "to continue"
    ]


def test_when_the_last_worker_leaves_it_is_told_and_a_new_one_goes_on(
    hosts, cluster, run, undisturbed
):
    hosts.worker("a")
    begun = run("runs", "--scheduler", cluster[0])
    begun.first_shard()
    hosts.cut("a")
    begun.says("no worker is left, ")
    begun.says(f"waiting for one to join, started by: dask worker {cluster[0]} --nthreads 1")
    hosts.worker("b")
    status, said = begun.ends()
    assert status == 0, said
    pd.testing.assert_frame_equal(rows(begun.out), rows(undisturbed))


def test_a_worker_without_the_package_is_refused(hosts, cluster, run):
    hosts.worker("a", python=without_package())
    begun = run("runs", "--scheduler", cluster[0])
    status, said = begun.ends()
    assert status == 1
    assert len(said) == 1, said
    assert "1 of 1 workers cannot run cortexrnn" in said[0]
    assert f"tcp://{hosts.address['a']}:" in said[0]
    assert not list(begun.out.rglob("*.parquet"))


def test_a_worker_with_another_source_is_refused_and_its_rows_are_not_written(
    hosts, cluster, run, tmp_path
):
    shutil.copytree(ROOT / "cortexrnn", tmp_path / "other" / "cortexrnn")
    with (tmp_path / "other" / "cortexrnn" / "training.py").open("a") as file:
        file.write("\n# changed\n")
    hosts.worker("a", python=("env", f"PYTHONPATH={tmp_path / 'other'}", sys.executable))
    begun = run("runs", "--scheduler", cluster[0])
    status, said = begun.ends()
    assert status == 1
    assert len(said) == 1, said
    assert f"tcp://{hosts.address['a']}:" in said[0]
    assert said[0].count("(source ") == 2
    assert "install the same source in the worker's environment" in said[0]
    assert not list(begun.out.rglob("*.parquet"))
