"""Experiments: the shards of a plan are run and written, the rest is resumed.

A shard file appears only when it is complete; a run that any plan of the folder has finished,
killed or not, is never run again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cortexrnn.fields.field import Field
from cortexrnn.networks import topology
from cortexrnn.networks.device import resolve_device
from cortexrnn.networks.neurogym import GymTask
from cortexrnn.networks.products import Preference
from cortexrnn.networks.specification import RunSpec, protocol_name, task_of
from cortexrnn.networks.topology import Topology
from cortexrnn.networks.topology_pool import PendingTopology, TopologyPool
from cortexrnn.networks.training import NUMERICS, Result, rehearse, train
from cortexrnn.runs import provenance, terminal
from cortexrnn.runs.archive import (
    SCHEMA,
    ArchiveError,
    as_rows,
    plan_records,
    read_folder,
    read_runs,
    run_files,
    write_json,
    write_runs,
)
from cortexrnn.runs.engine import EngineError, Rows, Work, choose
from cortexrnn.runs.lock import PresenceError, at_work, present
from cortexrnn.runs.plans import check_once, plan_name, shards

__all__ = ["ExperimentError", "outcome", "run", "run_shard", "status"]

log = logging.getLogger(__name__)

KEPT = "finished shards are kept; give the same command again to continue"
"""End of the message of an experiment that stops."""


class ExperimentError(RuntimeError):
    """An experiment stopped before it was finished."""


def run(
    specs: Sequence[RunSpec],
    field: Field,
    *,
    out: str | Path,
    workers: int | None = None,
    scheduler: str | None = None,
    slurm: bool = False,
    device: str = "auto",
    products: Preference = None,
    progress: bool = True,
) -> Path:
    """Run a plan, or what is left of it.

    Parameters
    ----------
    specs : sequence of RunSpec
        The plan, of one field.
    field : Field
        The field.
    out : str or Path
        Folder of runs.
    workers, scheduler, slurm
        Where shards are run, see :func:`cortexrnn.runs.engine.choose`; without them on all cores of
        this machine, or on its accelerator.
    device : str
        See :func:`cortexrnn.networks.device.resolve_device`; a cluster's workers resolve it
        there.
    products : {"auto", "torch", "numpy"}, optional
        Library of matrix products on a processor, see :func:`cortexrnn.networks.products.choose`.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        The Parquet file of the finished plan.

    Raises
    ------
    ArchiveError
        If the folder cannot be written or holds a damaged file.
    ExperimentError
        If workers, memory or disk gave out; what was finished is kept.
    ~cortexrnn.runs.lock.PresenceError
        If another process is at work on the plan.
    ValueError
        If there is no such engine or device, the plan holds a run twice, or a run cannot be
        trained, such as a task of NeuroGym where that is not installed. No plan is then left
        behind, nor if a task or penalty of one's own fails before the first shard is finished.
    """
    check_once(specs)
    folder, name = Path(out), plan_name(specs)
    final = folder / f"{name}.parquet"
    if final.exists():
        read_runs(final)
        _remove_shards(specs, folder)
        return final
    elsewhere = slurm or scheduler is not None
    accelerated = not elsewhere and resolve_device(device).type != "cpu"
    engine = choose(workers=workers, scheduler=scheduler, slurm=slurm, accelerated=accelerated)
    record, described = _plan_record(name, specs), folder / f"{name}.json"
    is_new, had_folder = not described.exists(), folder.exists()
    if is_new:
        rehearse(specs, field, draw=not elsewhere)
        write_json(record, described)
    try:
        with present(folder / f"{name}.running", engine=engine.name):
            pending = _unfinished(specs, folder)
            n_left = sum(map(len, pending))
            with (
                _bar(name, len(specs), n_left, show=progress) as bar,
                _work(field, device, products, wide=engine.wide, progress=bar.training) as work,
                contextlib.closing(engine.run(pending, field, work=work)) as results,
            ):
                for i, rows in results:
                    _store(pending[i], rows, folder)
                    bar.advance(len(rows))
            _merge(specs, folder, record)
    except (ExperimentError, PresenceError):
        raise
    except (EngineError, OSError) as error:
        raise ExperimentError(f"{error}; {KEPT}") from error
    except Exception:
        if is_new and not any(_shard_path(folder, shard).exists() for shard in shards(specs)):
            _withdraw(described, folder=not had_folder)
        raise
    return final


def _withdraw(described: Path, *, folder: bool) -> None:
    """Remove the record of a plan of which there is nothing to resume, and its folder if new."""
    described.unlink(missing_ok=True)
    if folder:
        with contextlib.suppress(OSError):  # somebody else may have put something there
            described.parent.rmdir()


def run_shard(
    shard: Sequence[RunSpec],
    field: Field,
    *,
    device: str = "auto",
    products: Preference = None,
) -> list[dict[str, Any]]:
    """Train one shard and measure its networks.

    Parameters
    ----------
    shard : sequence of RunSpec
        Runs that are trained together.
    field : Field
        Their field.
    device : str
        Where to train.
    products : {"auto", "torch", "numpy"}, optional
        Library of matrix products on a processor.

    Returns
    -------
    list of dict
        Rows of the archive.
    """
    rows = []
    for result in train(shard, field, device=device, products=products, progress=False):
        started = time.perf_counter()
        measured = topology.measure(result.weights["recurrent"])
        rows.append(_row(result, measured, time.perf_counter() - started, field))
    return rows


@contextlib.contextmanager
def _work(
    field: Field,
    device: str,
    products: Preference,
    *,
    wide: bool,
    progress: Callable[[int, int], None],
) -> Iterator[Work]:
    """Give what is done with runs; where many are trained at once, topology goes on meanwhile."""
    if not wide:
        yield functools.partial(run_shard, device=device, products=products)
        return
    # Where they are not remembered, nulls take seconds, in which the first runs can be trained.
    nulls = threading.Thread(
        target=topology.null_graphs, args=(field.n_neurons,), name="nulls", daemon=True
    )
    nulls.start()
    with TopologyPool() as pool:
        yield functools.partial(_begin, device=device, pool=pool, nulls=nulls, progress=progress)


def _begin(
    runs: Sequence[RunSpec],
    field: Field,
    *,
    device: str,
    pool: TopologyPool,
    nulls: threading.Thread,
    progress: Callable[[int, int], None],
) -> _Measuring:
    """Train runs, and begin to measure their networks."""
    results = train(runs, field, device=device, progress=progress)
    weights = np.stack([result.weights["recurrent"] for result in results])
    where = resolve_device(device)
    # Other accelerators than CUDA have no float64.
    pending = pool.submit(weights, device=where if where.type == "cuda" else None)
    return _Measuring(results, pending, nulls, field)


@dataclass(frozen=True)
class _Measuring:
    """Rows of trained networks that are being measured."""

    results: list[Result]
    pending: PendingTopology
    nulls: threading.Thread
    field: Field

    def done(self) -> bool:
        """Whether all are measured."""
        return self.pending.done()

    def result(self) -> Rows:
        """Wait for them and make their rows."""
        self.nulls.join()
        measured = self.pending.result()
        return [
            _row(result, one, seconds, self.field)
            for result, one, seconds in zip(
                self.results, measured, self.pending.seconds, strict=True
            )
        ]


def _store(shard: Sequence[RunSpec], rows: Rows, folder: Path) -> None:
    """Write the rows of a shard, if they are what was asked for and made by this source."""
    _check_source(rows)
    if [row["identity"] for row in rows] != [spec.identity for spec in shard]:
        raise ExperimentError(
            "a worker returned other runs than it was asked for, and they are not kept; start the "
            f"workers anew, with the same source as here ({provenance.described()})"
        )
    try:
        write_runs(rows, _shard_path(folder, shard))
    except ArchiveError as error:
        raise ExperimentError(f"{error}; {KEPT}") from error


def _check_source(rows: Rows) -> None:
    """Refuse rows of another source of this package, warn of other libraries."""
    for row in rows:
        if row.get("source") != provenance.source():
            origin = f"{row.get('versions', 'unknown')}, source {row.get('source', 'unknown')}"
            raise ExperimentError(
                f"a worker has another cortexrnn ({origin}) than this process ({_versions()}, "
                f"source {provenance.source()}), and its rows are not kept; install the same "
                "source there"
            )
        _compare_libraries(row["versions"], _versions())


@functools.cache
def _compare_libraries(theirs_text: str, ours_text: str) -> None:
    """Warn, once, of a worker with another torch or numpy than here."""
    theirs, ours = (
        dict(part.split(" ", 1) for part in v.split(", ")) for v in (theirs_text, ours_text)
    )
    different = [name for name in ("torch", "numpy") if theirs.get(name) != ours[name]]
    if different:
        log.warning(
            "a worker has %s, this process %s; rows may differ in rounding, which training "
            "amplifies",
            " and ".join(f"{name} {theirs.get(name, 'unknown')}" for name in different),
            " and ".join(f"{name} {ours[name]}" for name in different),
        )


@dataclass
class _Bar:
    """A bar for a whole plan."""

    progress: Progress
    ticket: TaskID
    n_left: int
    started: float = dataclass_field(default_factory=lambda: time.monotonic())
    done: int = 0

    def advance(self, n_runs: int) -> None:
        """Count runs that are finished."""
        self.done += n_runs
        rate, left = _pace(self.done, self.n_left - self.done, time.monotonic() - self.started)
        self.progress.update(self.ticket, advance=n_runs, rate=f"{rate:.3g}/s", left=f"{left} left")

    def training(self, epoch: int, epochs: int) -> None:
        """Say how far a training is of which many runs are finished at once."""
        self.progress.update(self.ticket, training=f"epoch {epoch} of {epochs}")


@contextlib.contextmanager
def _bar(name: str, n_runs: int, n_left: int, *, show: bool) -> Iterator[_Bar]:
    """Show one bar for a whole plan."""
    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("runs {task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[training]}"),
    )
    with Progress(*columns, disable=not show, expand=True) as progress:
        if show:
            terminal.say(name, console=progress.console)
        ticket = progress.add_task(
            "", total=n_runs, completed=n_runs - n_left, rate="", left="", training=""
        )
        yield _Bar(progress, ticket, n_left)


def _pace(done: int, left: int, seconds: float) -> tuple[float, str]:
    """Compute runs per second, and the time that is left as hours, minutes and seconds."""
    rate = done / max(seconds, 1e-3)
    return rate, str(timedelta(seconds=round(left / rate)))


def _called(spec: RunSpec) -> dict[str, str]:
    """Name what a specification has by content; a protocol by the known one that it equals."""
    return {
        "field": spec.field,
        "relation": spec.relation,
        "arm": spec.arm,
        "protocol": protocol_name(spec.protocol),
        "variant": spec.variant.name,
    }


def _row(
    result: Result, measured: Topology, seconds_topology: float, field: Field
) -> dict[str, Any]:
    """Make the row of a trained network in the archive."""
    spec = result.spec
    values = {
        **_called(spec),
        "n_neurons": field.n_neurons,
        "sign": spec.sign,
        "task": spec.task,
        "seed": spec.seed,
        "data_seed": spec.data_seed,
        "epochs": spec.epochs,
        "n_train": spec.n_train,
        "n_validation": spec.n_validation,
        **result.metrics,
        "entropy": measured.entropy,
        "modularity": measured.modularity,
        "small_worldness": measured.small_worldness,
        "assortativity": measured.assortativity,
        "clustering": measured.clustering,
        "efficiency": measured.efficiency,
        "diverged": result.diverged,
        "diverged_epoch": result.diverged_epoch,
        "history_accuracy": result.history["accuracy"],
        "history_loss": result.history["loss"],
        "seconds": result.seconds + seconds_topology,
        "seconds_topology": seconds_topology,
        "device": _device_name(result.device),
        "versions": _versions(isinstance(task_of(spec), GymTask)),
        "commit": provenance.commit(),
        "source": provenance.source(),
        "numerics": NUMERICS,
        "products": result.products,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "specification": json.dumps(spec.resolved(), sort_keys=True),
        "identity": spec.identity,
    }
    return {name: values[name] for name in SCHEMA.names}


def _device_name(device: str) -> str:
    """Say what a device is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device} {platform.machine()}"


@functools.cache
def _versions(gym: bool = False) -> str:
    """Versions of what a result depends on, which includes NeuroGym where it drew the trials."""
    names = ["cortexrnn", "torch", "numpy", "scipy", "networkx"]
    if gym:
        names.append("neurogym")
    return ", ".join(f"{name} {version(name)}" for name in names)


def _shard_path(folder: Path, shard: Sequence[RunSpec]) -> Path:
    """File of a shard, named after the runs in it."""
    digest = hashlib.sha256("\n".join(spec.identity for spec in shard).encode()).hexdigest()
    return folder / "shards" / f"{digest[:32]}.parquet"


def _stored_shards(folder: Path) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Read the shards of all plans of a folder but those that cannot be read.

    Another process may remove some meanwhile; the plan of a damaged one reports it.
    """
    for path in run_files(folder / "shards"):
        with contextlib.suppress(ArchiveError):
            yield path, read_runs(path)


def _finished(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows that any plan of the folder has finished, by identity.

    Shards are read first: a plan that finishes writes its file before it removes its shards.
    """
    parts = [frame for _, frame in _stored_shards(folder)]
    if run_files(folder):
        parts.append(read_folder(folder))
    return {row["identity"]: row for part in parts for row in as_rows(part)}


def _unfinished(specs: Sequence[RunSpec], folder: Path) -> list[list[RunSpec]]:
    """Cut a plan, leave out what any plan of the folder has finished, refuse a damaged shard."""
    finished = _finished(folder)
    remaining = ([spec for spec in cut if spec.identity not in finished] for cut in shards(specs))
    pending = [shard for shard in remaining if shard]
    for shard in pending:
        if (path := _shard_path(folder, shard)).exists():
            read_runs(path)
    return pending


def _merge(specs: Sequence[RunSpec], folder: Path, record: dict[str, Any]) -> None:
    """Write the finished plan, then remove its shards."""
    known = _finished(folder)
    # Names are no part of an identity and may have been others when the run was made.
    rows = [known[spec.identity] | _called(spec) for spec in specs]
    final = folder / f"{record['plan']}.parquet"
    write_runs(rows, final)
    write_json(record | outcome(rows, final), folder / f"{record['plan']}.json")
    _remove_shards(specs, folder)


def outcome(rows: Sequence[dict[str, Any]], path: Path) -> dict[str, Any]:
    """Summarise a finished plan, for its record.

    Parameters
    ----------
    rows : sequence of dict
        Its runs.
    path : Path
        The file that holds them.

    Returns
    -------
    dict
        When it was finished, how many runs diverged, hours, devices, and size and hash of the file.
    """
    return {
        "finished": max(row["finished"] for row in rows),
        "diverged": sum(row["diverged"] for row in rows),
        "core_hours": round(sum(row["seconds"] for row in rows) / 3600, 3),
        "devices": sorted({row["device"] for row in rows}),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _remove_shards(specs: Sequence[RunSpec], folder: Path) -> None:
    """Remove shards whose rows are in the finished plan, and temporary files of killed writers."""
    identities = {spec.identity for spec in specs}
    for path, runs in _stored_shards(folder):
        if set(runs["identity"]) <= identities:
            path.unlink(missing_ok=True)
            for unfinished in path.parent.glob(f".{path.stem}-*.tmp"):
                unfinished.unlink()


def _plan_record(name: str, specs: Sequence[RunSpec]) -> dict[str, Any]:
    """Describe a plan for people and for :func:`status`."""

    def values(attribute: str) -> list[Any]:
        return list(dict.fromkeys(getattr(spec, attribute) for spec in specs))

    return {
        "plan": name,
        "runs": len(specs),
        "field": values("field"),
        "arm": values("arm"),
        "protocol": [protocol.name for protocol in values("protocol")],
        "variant": [variant.name for variant in values("variant")],
        "task": values("task"),
        "seeds": len(values("seed")),
        "epochs": values("epochs"),
        "n_train": values("n_train"),
        "identities": [spec.identity for spec in specs],
    }


def status(out: str | Path) -> pd.DataFrame:
    """Report the progress of the plans of a folder.

    Parameters
    ----------
    out : str or Path
        Folder of runs.

    Returns
    -------
    DataFrame
        One row per plan: ``plan, runs, done, diverged, state, rate, left, last_finished,
        at_work``. The state is ``finished``, ``running`` or ``unfinished``; rate (runs per
        second since the process at work began) and time left are those of a running plan.

    Raises
    ------
    ArchiveError
        If there is no such folder or no plan in it.
    """
    folder = Path(out)
    plans = plan_records(folder)
    if not plans:
        raise ArchiveError(f"no plan in {folder}; start one with cortexrnn run --out {folder}")
    parts = [read_runs(path) for path in run_files(folder / "shards") + run_files(folder)]
    columns = ["identity", "diverged", "finished"]
    runs = pd.concat([p[columns] for p in parts]) if parts else pd.DataFrame(columns=columns)
    runs = runs.drop_duplicates("identity").set_index("identity")
    return pd.DataFrame([_state(record, runs, folder) for record in plans])


def _state(record: dict[str, Any], runs: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Report the progress of one plan."""
    rows = runs[runs.index.isin(record["identities"])]
    finished = (folder / f"{record['plan']}.parquet").exists()
    process = None if finished else at_work(folder / f"{record['plan']}.running")
    rate, left = float("nan"), ""
    if process is not None and (n_new := int((rows["finished"] >= process.started).sum())):
        last = datetime.fromisoformat(rows["finished"].max())
        seconds = (last - datetime.fromisoformat(process.started)).total_seconds()
        rate, left = _pace(n_new, record["runs"] - len(rows), max(seconds, 1))
    return {
        "plan": record["plan"],
        "runs": record["runs"],
        "done": record["runs"] if finished else len(rows),
        "diverged": int(rows["diverged"].sum()),
        "state": "finished" if finished else "running" if process else "unfinished",
        "rate": rate,
        "left": left,
        "last_finished": rows["finished"].max() if len(rows) else "",
        "at_work": str(process or ""),
    }
