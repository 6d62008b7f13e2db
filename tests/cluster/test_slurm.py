"""Experiments through a real SLURM: refusals, lost jobs, signals."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from cortexrnn.runs.archive import read_runs
from tests.cluster.conftest import until, without_package
from tests.runs.test_experiment import sorted_rows

pytestmark = pytest.mark.usefixtures("slurm")
ASKED = ("--slurm", "--workers", "2")


def queue():
    """Numbers of jobs that are not over."""
    listed = ["squeue", "--noheader", "--format=%A", "--states=PENDING,RUNNING"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


def rows(folder):
    (final,) = folder.glob("*.parquet")
    return sorted_rows(read_runs(final))


def command(folder, name, script):
    """Put a command before the one of that name; gives the path to look for commands."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n{script}\nexec {shutil.which(name)} "$@"\n')
    path.chmod(0o755)
    return f"{path.parent}:{os.environ['PATH']}"


def test_rows_are_those_of_one_process_also_when_a_job_is_cancelled(run, tmp_path, undisturbed):
    begun = run("runs", *ASKED)
    begun.first_shard()
    subprocess.run(["scancel", queue()[0]], check=True)
    status, said = begun.ends()
    assert status == 0, said
    assert "Port" not in "".join(said)
    pd.testing.assert_frame_equal(rows(begun.out), rows(undisturbed))
    until(lambda: not queue())


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        (signal.SIGINT, 1, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "terminated"),
    ],
)
def test_a_signal_is_told_in_one_line_and_leaves_no_job(run, sent, status, word):
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(f"{sent.name} is ignored here, as under nohup, and stays so")
    begun = run(word, *ASKED, seeds=30)
    begun.first_shard()
    begun.signal(sent)
    found, said = begun.ends()
    assert found == status
    assert len(said) == 2, said
    assert said[0].startswith("no worker has come yet; waiting for ")
    assert said[1].startswith(f"cortexrnn: {word}; finished shards are kept")
    until(lambda: not queue())


def test_an_unknown_partition_is_told_at_once(run):
    begun = run("runs", *ASKED, DASK_JOBQUEUE__SLURM__QUEUE="nosuch")
    status, said = begun.ends()
    assert status == 1
    assert re.match(
        "cortexrnn: sbatch refused the job: .*invalid partition specified: nosuch", said[-1]
    )
    assert len(said) == 2, said


def test_a_socket_that_timed_out_once_costs_nothing(run, tmp_path, undisturbed):
    mark = tmp_path / "mark"
    script = f"""if mkdir {mark} 2>/dev/null; then
      echo 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1
    fi"""
    begun = run("runs", "--slurm", "--workers", "1", PATH=command(tmp_path, "sbatch", script))
    status, said = begun.ends()
    assert status == 0, said
    assert any("Socket timed out; it is tried again in 2 s" in line for line in said)
    pd.testing.assert_frame_equal(rows(begun.out), rows(undisturbed))


def test_jobs_that_fail_at_start_are_told(run, slurm):
    begun = run("runs", *ASKED, DASK_JOBQUEUE__SLURM__JOB_SCRIPT_PROLOGUE="['exit 3']")
    status, said = begun.ends()
    assert status == 1
    last = said[-1]
    assert re.match(r"cortexrnn: SLURM ended before a worker came: job \d+", last)
    assert str(slurm) in last
    assert len(said) == 2, said
    assert not queue()


def test_workers_without_the_package_are_refused(run, tmp_path):
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(without_package())} "$@" --no-nanny\n')
    script.chmod(0o755)
    begun = run("runs", *ASKED, DASK_JOBQUEUE__SLURM__PYTHON=str(script))
    status, said = begun.ends()
    assert status == 1
    assert "workers cannot run cortexrnn" in said[-1]
    assert not list(Path(begun.out).rglob("*.parquet"))
