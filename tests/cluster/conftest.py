"""A SLURM of one node, and hosts that are network namespaces; skipped where they cannot be."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
"""Seconds that anything may take on a machine with other work."""

CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""Of a node that says it has 8 cores: what is tried waits more than it computes."""


def until(condition: Callable[[], object], *, seconds: float = PATIENCE_S) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What jobs and workers see: this checkout, one thread, short waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin:/sbin")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("CORTEXRNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "20s")
        patch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "60s")
        yield


@pytest.fixture(scope="session")
def slurm(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SLURM of this machine alone; gives the folder with the output of jobs."""
    pytest.importorskip("dask_jobqueue", reason="pip install -e '.[cluster]'")
    missing = [c for c in ("sbatch", "slurmctld", "slurmd", "munged") if not shutil.which(c)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not here; apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents[:3]):
        with contextlib.suppress(OSError):
            parent.chmod(parent.stat().st_mode | 0o011)  # munged wants a socket all can reach
    for name in ("state", "spool", "munge", "logs"):
        (folder / name).mkdir(mode=0o755)
    (folder / "munge" / "key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge" / "key").chmod(0o400)
    text = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        user=getpass.getuser(),
        folder=folder,
        ports=(free_port(), free_port()),
    )
    (folder / "slurm.conf").write_text(text)
    munge = folder / "munge"
    daemons = [
        ["munged", "--force", "--foreground", f"--key-file={munge}/key"]
        + [f"--{name.split('.')[0]}-file={munge}/{name}" for name in ("pid", "log", "seed")]
        + [f"--socket={munge}/socket"],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", socket.gethostname().split(".")[0]],
    ]
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("DASK_JOBQUEUE__SLURM__CORES", "1")
        patch.setenv("DASK_JOBQUEUE__SLURM__MEMORY", "900MB")
        patch.setenv("DASK_JOBQUEUE__SLURM__DEATH_TIMEOUT", str(PATIENCE_S))
        patch.setenv("DASK_JOBQUEUE__SLURM__LOG_DIRECTORY", str(folder / "logs"))
        for command in daemons:
            stack.enter_context(running(command, folder / f"{command[0]}.out"))
            time.sleep(1)
        idle = ["sinfo", "--noheader", "--format=%T"]
        until(lambda: "idle" in subprocess.run(idle, capture_output=True, text=True).stdout)
        yield folder / "logs"


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended at the end."""
    with log.open("wb") as file:
        # Elsewhere than in the checkout, which python -m would put before PYTHONPATH.
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Hosts:
    """Network namespaces, each joined with this machine by a link of its own.

    Parameters
    ----------
    names : sequence of str
        The first has the scheduler.
    folder : Path
        For the output of processes.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.folder, self.stack = folder, contextlib.ExitStack()
        self.address: dict[str, str] = {}
        self.bridge = f"cx{secrets.token_hex(3)}"
        # Of its own, so that two trials at once do not reach each other's hosts.
        net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
        ip("link", "add", self.bridge, "type", "bridge")
        self.stack.callback(ip, "link", "del", self.bridge)
        ip("addr", "add", f"{net}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for i, name in enumerate(names, start=2):
            self._add(name, f"{net}.{i}")

    def _add(self, name: str, address: str) -> None:
        space, outer = self.space(name), self.link(name)
        ip("netns", "add", space)
        self.stack.callback(ip, "netns", "del", space)
        ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", outer, "master", self.bridge, "up")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", space, "link", "set", device, "up")
        self.address[name] = address

    def space(self, name: str) -> str:
        return f"{self.bridge}{name}"

    def link(self, name: str) -> str:
        return f"{self.bridge}{name}"

    def cut(self, name: str) -> None:
        """Cut the link of a host."""
        ip("link", "set", self.link(name), "down")

    def start(self, name: str, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a process on a host."""
        within = ["ip", "netns", "exec", self.space(name), *command]
        return self.stack.enter_context(running(within, self.folder / log))

    def scheduler(self) -> tuple[str, subprocess.Popen[bytes]]:
        """Start a scheduler on the first host."""
        name, address = next(iter(self.address.items()))
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address]
        command += ["--port", "8786", "--dashboard-address", ":0"]
        return f"tcp://{address}:8786", self.start(name, *command, log="scheduler")

    def worker(self, name: str, *, python: Sequence[str] = (sys.executable,)) -> None:
        """Start a worker on a host and wait until it is there."""
        scheduler = f"tcp://{next(iter(self.address.values()))}:8786"
        command = [*python, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1"]
        command += ["--no-dashboard", "--no-nanny", "--local-directory", str(self.folder / name)]
        self.start(name, *command, log=f"worker-{name}")
        log = self.folder / f"worker-{name}"
        until(lambda: "Registered to" in log.read_text())


def without_package() -> list[str]:
    """A Python in which this package cannot be imported; takes ``-m module ...``."""
    lines = ["import runpy, sys", "sys.modules['cortexrnn'] = None", "sys.argv = sys.argv[2:]"]
    lines += ["runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"]
    return [sys.executable, "-c", "; ".join(lines)]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts(environment: None, tmp_path: Path) -> Iterator[Hosts]:
    """Three hosts: s for the scheduler, a and b for workers."""
    if shutil.which("ip") is None:
        pytest.skip("ip is not here; apt-get install iproute2")
    folder = tmp_path / "hosts"
    folder.mkdir()
    try:
        made = Hosts(["s", "a", "b"], folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here (root is needed): {error.stderr}")
    with made.stack:
        yield made


class Run:
    """An experiment in a process of its own."""

    def __init__(self, out: Path, *arguments: str, seeds: int = 6, **variables: str) -> None:
        self.out, self.said = out, out.with_suffix(".err")
        command = [sys.executable, "-m", "cortexrnn.cli", "run", "--field", "surrogate_16"]
        command += ["--variants", "WD*", "--tasks", "go_nogo", "--preset", "quick"]
        command += ["--seeds", str(seeds), "--out", str(out), *arguments]
        with self.said.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ | variables
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def first_shard(self) -> None:
        """Wait until something is finished."""
        until(lambda: list(self.out.glob("shards/*.parquet")) or self.process.poll() is not None)
        assert self.process.poll() is None, self.said.read_text()

    def says(self, words: str) -> None:
        """Wait until it says something."""
        until(lambda: words in self.said.read_text() or self.process.poll() is not None)
        assert words in self.said.read_text()

    def ends(self) -> tuple[int, list[str]]:
        """Wait for the end: status, and lines on standard error."""
        status = self.process.wait(PATIENCE_S)
        return status, self.said.read_text().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start experiments, and leave none behind."""
    begun: list[Run] = []

    def start(name: str, *arguments: str, **options: object) -> Run:
        begun.append(Run(tmp_path / name, *arguments, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture(scope="session")
def undisturbed(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same experiment in one process."""
    whole = Run(tmp_path_factory.mktemp("undisturbed") / "runs", "--workers", "1")
    assert whole.ends()[0] == 0
    return whole.out
