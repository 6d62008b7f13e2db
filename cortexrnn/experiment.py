"""Experiments: a plan is cut into shards, shards are run and written, the rest is resumed.

The cut depends on the plan alone, so that a resumed experiment trains the same ensembles as an
undisturbed one. A shard file appears only when it is complete; what a killed experiment has
finished is never run again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cortexrnn import topology
from cortexrnn.archive import (
    ArchiveError,
    load_archive,
    read_runs,
    write_json,
    write_runs,
)
from cortexrnn.field import Field
from cortexrnn.models import VARIANTS
from cortexrnn.protocol import (
    PRESETS,
    PUBLISHED,
    RELATIONS,
    SIGNS,
    Preset,
    Protocol,
    RunSpec,
    Variant,
    one_of,
)
from cortexrnn.tasks import TASKS
from cortexrnn.training import Result, resolve_device, train

__all__ = ["ExperimentError", "plan", "plan_name", "run", "run_shard", "shards", "status"]


class ExperimentError(RuntimeError):
    """An experiment stopped before it was finished."""


def plan(
    field: Field,
    *,
    relation: str = "correlation",
    sign: str = "free",
    variants: Iterable[str | Variant] = tuple(VARIANTS),
    tasks: Iterable[str] = tuple(TASKS),
    preset: str | Preset = "quick",
    protocol: Protocol = PUBLISHED,
    **settings: Any,
) -> list[RunSpec]:
    """List the runs of a full design.

    Parameters
    ----------
    field : Field
        The field.
    relation, sign : str
        The arm.
    variants : iterable of str or Variant
        Names of the paper, or controls.
    tasks : iterable of str
        Names of tasks.
    preset : str or Preset
        Number of seeds, epochs and trials.
    protocol : Protocol
        Published or corrected.
    **settings
        Further parameters of :class:`~cortexrnn.protocol.RunSpec`, the same for all runs.

    Returns
    -------
    list of RunSpec
        Variants within seeds within tasks.

    Raises
    ------
    ValueError
        If a name is unknown.
    FieldError
        If a variant needs a relation that the field lacks.
    """
    one_of("relation", relation, RELATIONS)
    one_of("sign", sign, SIGNS)
    if isinstance(preset, str):
        one_of("preset", preset, PRESETS)
        preset = PRESETS[preset]
    chosen = [Variant.parse(v) if isinstance(v, str) else v for v in variants]
    names = list(tasks)
    for name in names:
        one_of("task", name, TASKS)
    if any(variant.uses_function for variant in chosen):
        field.relation(relation)
    sizes = {k: v for k, v in asdict(preset).items() if k != "n_seeds"}
    return [
        RunSpec(
            field=field.name,
            field_hash=field.hash_without_events,
            relation=relation,
            sign=sign,
            variant=variant,
            task=task,
            seed=seed,
            protocol=protocol,
            **(sizes | settings),
        )
        for task in names
        for seed in range(preset.n_seeds)
        for variant in chosen
    ]


def plan_name(specs: Sequence[RunSpec]) -> str:
    """Name of a plan: its fields and arms, and a hash of its runs.

    Parameters
    ----------
    specs : sequence of RunSpec
        The plan.

    Returns
    -------
    str
        For example ``6_6_2_corr_0123abcd4567``.
    """
    keys = sorted(f"{spec.identity} {spec.relation}" for spec in specs)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]
    fields = "-".join(sorted({Path(spec.field).stem for spec in specs}))
    arms = "-".join(sorted({spec.arm for spec in specs}))
    return f"{fields}_{arms}_{digest}"


def shards(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Cut a plan into ensembles: the runs of one task and one seed.

    Parameters
    ----------
    specs : sequence of RunSpec
        The plan.

    Returns
    -------
    list of list of RunSpec
        Each run once; a function of the plan alone.
    """
    groups: dict[tuple[Any, ...], list[RunSpec]] = {}
    for spec in specs:
        key = (spec.field, spec.task, spec.task_settings, spec.data_seed, spec.seed)
        groups.setdefault(key, []).append(spec)
    return list(groups.values())


def run(
    specs: Sequence[RunSpec],
    field: Field,
    *,
    out: str | Path,
    workers: int | None = None,
    device: str = "auto",
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
    workers : int, optional
        Processes, each with one torch thread; without it one per core, or a single one where
        an accelerator is used.
    device : str
        See :func:`cortexrnn.training.resolve_device`.
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
        If a worker died; what was finished is kept.
    """
    folder, name = Path(out), plan_name(specs)
    final = folder / f"{name}.parquet"
    if final.exists():
        read_runs(final)
        _remove_shards(specs, folder)
        return final
    where = resolve_device(device).type
    record = _plan_record(name, specs)
    write_json(record, folder / f"{name}.json")
    finished = _finished_elsewhere(folder)
    todo = [spec for spec in specs if spec.identity not in finished]
    cut = shards(todo)
    pending = [shard for shard in cut if not _shard_path(folder, shard).exists()]
    n_done = len(specs) - sum(map(len, pending))
    if workers is None:
        workers = 1 if where != "cpu" else os.cpu_count() or 1
    with _bar(progress) as bar:
        ticket = bar.add_task(name, total=len(specs), completed=n_done)
        work = _inline if min(workers, len(pending)) <= 1 else functools.partial(_pool, workers)
        work(pending, field, folder, device, lambda n: bar.advance(ticket, n))
    _merge(specs, finished, cut, folder, record)
    return final


def _bar(progress: bool) -> Progress:
    """One bar for a whole plan."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs,"),
        TimeElapsedColumn(),
        TextColumn("passed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        disable=not progress,
        speed_estimate_period=3600,
    )


def _inline(
    pending: Sequence[list[RunSpec]],
    field: Field,
    folder: Path,
    device: str,
    advance: Callable[[int], None],
) -> None:
    """Run shards one after another in this process."""
    for shard in pending:
        run_shard(shard, field, folder=folder, device=device)
        advance(len(shard))


def _pool(
    workers: int,
    pending: Sequence[list[RunSpec]],
    field: Field,
    folder: Path,
    device: str,
    advance: Callable[[int], None],
) -> None:
    """Run shards in several processes."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        jobs = {
            pool.submit(run_shard, shard, field, folder=folder, device=device): shard
            for shard in pending
        }
        try:
            for job in as_completed(jobs):
                job.result()
                advance(len(jobs[job]))
        except BrokenProcessPool as error:
            raise ExperimentError(
                "a worker process died; finished shards are kept, give the same command again "
                "to go on"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """Give a worker one torch thread, and let it end when its parent is gone."""
    torch.set_num_threads(1)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_shard(
    shard: Sequence[RunSpec], field: Field, *, folder: Path, device: str = "auto"
) -> Path:
    """Train one shard, measure its networks and write the rows.

    Parameters
    ----------
    shard : sequence of RunSpec
        Runs that are trained together.
    field : Field
        Their field.
    folder : Path
        Folder of runs.
    device : str
        Where to train.

    Returns
    -------
    Path
        The shard's file.
    """
    results = train(shard, field, device=device, progress=False)
    path = _shard_path(folder, shard)
    write_runs([_row(result, field) for result in results], path)
    return path


def _row(result: Result, field: Field) -> dict[str, Any]:
    """Measure a trained network and make its row of the archive."""
    started = time.perf_counter()
    measured = topology.measure(result.weights["recurrent"])
    seconds_topology = time.perf_counter() - started
    spec = result.spec
    return {
        "field": spec.field,
        "n_neurons": field.n_neurons,
        "relation": spec.relation,
        "sign": spec.sign,
        "arm": spec.arm,
        "protocol": spec.protocol.name,
        "variant": spec.variant.name,
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
        "versions": _versions(),
        "commit": _commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "specification": json.dumps(spec.resolved(), sort_keys=True),
        "identity": spec.identity,
    }


def _device_name(device: str) -> str:
    """Say what a device is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device} {platform.machine()}"


@functools.cache
def _versions() -> str:
    """Versions of what a result depends on."""
    names = ("cortexrnn", "torch", "numpy", "scipy", "networkx")
    return ", ".join(f"{name} {version(name)}" for name in names)


@functools.cache
def _commit() -> str:
    """Commit of the package where it is run from a checkout, else empty; + marks changes."""
    git = ["git", "-C", str(Path(__file__).parent)]
    tracked = ["ls-files", "--error-unmatch", Path(__file__).name]
    try:
        if subprocess.run([*git, *tracked], capture_output=True, check=False).returncode:
            return ""
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "."], check=False)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.decode().strip()[:12] + ("+" if changed.returncode else "")


def _shard_path(folder: Path, shard: Sequence[RunSpec]) -> Path:
    """File of a shard, named after the runs in it."""
    digest = hashlib.sha256("\n".join(spec.identity for spec in shard).encode()).hexdigest()
    return folder / "shards" / f"{digest[:32]}.parquet"


def _finished_elsewhere(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of finished plans in the folder by identity."""
    if not any(folder.glob("*.parquet")):
        return {}
    return {row["identity"]: row for row in _rows(load_archive(folder))}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dictionaries that can be written again."""
    plain = frame.astype({"diverged_epoch": object})
    plain["diverged_epoch"] = plain["diverged_epoch"].where(frame["diverged_epoch"].notna(), None)
    return plain.to_dict("records")


def _merge(
    specs: Sequence[RunSpec],
    finished: dict[str, dict[str, Any]],
    cut: Sequence[list[RunSpec]],
    folder: Path,
    record: dict[str, Any],
) -> None:
    """Write the finished plan, then let go of its shards."""
    known = dict(finished)
    for shard in cut:
        known |= {row["identity"]: row for row in _rows(read_runs(_shard_path(folder, shard)))}
    # A run that does not depend on the relation may have been made under another one.
    rows = [
        known[spec.identity] | {"relation": spec.relation, "arm": spec.arm, "field": spec.field}
        for spec in specs
    ]
    final = folder / f"{record['plan']}.parquet"
    write_runs(rows, final)
    done = {
        "finished": max(row["finished"] for row in rows),
        "diverged": sum(row["diverged"] for row in rows),
        "core_hours": round(sum(row["seconds"] for row in rows) / 3600, 3),
        "devices": sorted({row["device"] for row in rows}),
        "bytes": final.stat().st_size,
        "sha256": hashlib.sha256(final.read_bytes()).hexdigest(),
    }
    write_json(record | done, folder / f"{record['plan']}.json")
    _remove_shards(specs, folder)


def _remove_shards(specs: Sequence[RunSpec], folder: Path) -> None:
    """Remove shards whose rows stand in the finished plan, and what kills left of them."""
    mine = {spec.identity for spec in specs}
    for path in (folder / "shards").glob("*.parquet"):
        if set(read_runs(path)["identity"]) <= mine:
            path.unlink()
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
    """Tell how far the plans of a folder have come.

    Parameters
    ----------
    out : str or Path
        Folder of runs.

    Returns
    -------
    DataFrame
        One row per plan: ``plan, runs, done, diverged, state, last_finished``.

    Raises
    ------
    ArchiveError
        If there is no such folder or no plan in it.
    """
    folder = Path(out)
    plans = sorted(folder.glob("*.json"))
    if not plans:
        raise ArchiveError(f"no plan in {folder}; start one with cortexrnn run --out {folder}")
    parts = [read_runs(path) for path in sorted(folder.glob("shards/*.parquet"))]
    parts += [read_runs(path) for path in sorted(folder.glob("*.parquet"))]
    columns = ["identity", "diverged", "finished"]
    runs = pd.concat([p[columns] for p in parts]) if parts else pd.DataFrame(columns=columns)
    runs = runs.drop_duplicates("identity").set_index("identity")
    table = []
    for path in plans:
        record = json.loads(path.read_text(encoding="utf-8"))
        mine = runs[runs.index.isin(record["identities"])]
        finished = (folder / f"{record['plan']}.parquet").exists()
        table.append(
            {
                "plan": record["plan"],
                "runs": record["runs"],
                "done": record["runs"] if finished else len(mine),
                "diverged": int(mine["diverged"].sum()),
                "state": "finished" if finished else "unfinished",
                "last_finished": mine["finished"].max() if len(mine) else "",
            }
        )
    return pd.DataFrame(table)
