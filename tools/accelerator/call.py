"""One call for the day on which a machine with an accelerator is at hand.

Where the field is and packages can be fetched, fill the folder that is carried along: wheels of
what a bare machine lacks, for its Python, the field, and the nulls of its size::

    python -m tools.accelerator --prepare --python 3.12

Take the checkout with that folder, ``carry``, to the machine, which needs torch, numpy, scipy,
pandas, pyarrow and networkx, and call there, from the checkout::

    python -m tools.accelerator --device cuda --out results

Within ``--minutes`` (9) it compares the written-out gradients with autograd and with the processor,
trains the 660 runs of the paper's design with their topology and times them beside their floors,
compares them with the archive, counts what an update consists of, and times other widths and
larger networks for as long as time is left. What does not fit any more is left out, and the record
says so; what fails is recorded with its traceback, and the next part begins. Everything is written
as it comes: a script that is killed leaves what it had, in two files, ``accelerator.json`` and
``runs.tar``. The exit status is 1 if a part failed or gradients do not agree.

Take the folder back to the checkout and put its content where the package keeps measurements and
runs::

    python -m tools.accelerator --merge results

``--rehearse`` goes through all of it in a minute on one core, with tiny networks; its results are
merged only where ``--rehearse`` is given to ``--merge`` as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.accelerator import bare_machine
from tools.accelerator.bare_machine import BareError

if TYPE_CHECKING:
    from tools.accelerator.parts import Context

ROOT = Path(__file__).resolve().parent.parent.parent
FORMAT = 1
"""Layout of the record."""
RECORD = "accelerator.json"
STATES = ("done", "failed", "left out", "cut off", "running")
"""What can become of a part."""


class Budget:
    """The time that a call may take.

    Parameters
    ----------
    seconds : float
        How much.
    clock : callable
        Gives seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock = seconds, clock
        self._started = clock()

    def left(self) -> float:
        """Seconds that are left; none are negative."""
        return max(self.seconds - self.used(), 0.0)

    def used(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._started


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that is computed by itself.

    Attributes
    ----------
    name : str
        Its name in the record.
    work : callable
        Computes it.
    needs : float
        Seconds without which it is not begun.
    """

    name: str
    work: Callable[[Context], dict[str, Any]]
    needs: float


class Record:
    """The file of results, written whole at every change.

    Parameters
    ----------
    path : Path
        The file.
    about : dict
        What is known at the beginning.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path, self._lock = path, threading.RLock()
        self.content: dict[str, Any] = {
            "format": FORMAT, **about, "parts": {}, "measurements": [], "skipped": [], "failed": [],
        }  # fmt: skip
        self.write()

    def write(self) -> None:
        """Write the file, completely or not at all."""
        with self._lock:
            temporary = self._path.with_suffix(".tmp")
            text = json.dumps(self.content, indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self._path)

    def note(self, name: str, entry: dict[str, Any]) -> None:
        """Add an entry to a list."""
        with self._lock:
            self.content[name].append(entry)
            self.write()

    def part(self, name: str, state: str, **more: Any) -> None:
        """Say what became of a part."""
        with self._lock:
            self.content["parts"][name] = {"state": state, **more}
            self.write()

    def cut_off(self, reason: str) -> None:
        """Say of the part that is at work that it was ended."""
        with self._lock:
            for part in self.content["parts"].values():
                if part["state"] == "running":
                    part |= {"state": "cut off", "reason": reason}
            self.write()


def run_parts(
    parts: Sequence[Part],
    context: Context,
    record: Record,
    budget: Budget,
    *,
    tell: Callable[[str], None],
) -> bool:
    """Compute parts one after another, each by itself.

    Parameters
    ----------
    parts : sequence of Part
        In the order of their worth.
    context : Context
        What they share.
    record : Record
        Where results go.
    budget : Budget
        The time that is left; a part that needs more is left out.
    tell : callable
        Called with a line for every part.

    Returns
    -------
    bool
        Whether none failed.
    """
    from tools.accelerator.files import without_nan
    from tools.accelerator.parts import TooLittleTime

    fine = True
    for part in parts:
        if budget.left() < part.needs:
            reason = f"it needs {part.needs:.0f} s, {budget.left():.0f} s were left"
            record.part(part.name, "left out", reason=reason)
            tell(f"{part.name}: left out, {reason}")
            continue
        began = budget.used()
        record.part(part.name, "running", began=round(began, 1))
        try:
            result = without_nan(part.work(context))
        except TooLittleTime as error:
            record.part(part.name, "left out", reason=str(error))
            tell(f"{part.name}: left out, {error}")
            continue
        except Exception as error:
            fine = False
            record.part(
                part.name, "failed", seconds=budget.used() - began, reason=f"{error!r}",
                traceback=traceback.format_exc(),
            )  # fmt: skip
            tell(f"{part.name}: failed\n{traceback.format_exc()}")
            continue
        record.part(part.name, "done", seconds=budget.used() - began, result=result)
        tell(f"{part.name}: done in {budget.used() - began:.1f} s, {budget.left():.0f} s left")
    return fine


def all_parts() -> list[Part]:
    """List the parts, the most valuable first; the updates are timed before the runs to plan them.

    Returns
    -------
    list of Part
        With the seconds that each needs at least.
    """
    from tools.accelerator import parts
    from tools.accelerator.equality import equality
    from tools.accelerator.watch import profile

    return [
        Part(name="equality", work=equality, needs=20),
        Part(name="updates", work=parts.updates, needs=20),
        Part(name="experiment", work=parts.run_experiment, needs=30),
        Part(name="comparison", work=parts.comparison, needs=15),
        Part(name="profile", work=profile, needs=15),
        Part(name="widths", work=parts.widths, needs=10),
        Part(name="large", work=parts.large, needs=20),
    ]


def call(options: argparse.Namespace) -> int:
    """Look at the machine, then compute all parts.

    Parameters
    ----------
    options : Namespace
        Of the command line.

    Returns
    -------
    int
        0 if no part failed.
    """
    budget = Budget(60 * options.minutes)
    with tempfile.TemporaryDirectory(prefix="accelerator-") as scratch:
        site = Path(scratch) / "site"
        bare_machine.unpack(options.carry / "wheels", site)
        bare_machine.describe_package(ROOT, site)
        bare_machine.use(site, ROOT)
        bare_machine.check()
        _use_cache(options.carry / "cache", Path(scratch) / "cache")
        return _compute(options, budget, Path(scratch))


def _use_cache(carried: Path, own: Path) -> None:
    """Work with a copy of the nulls that were carried, and leave nothing in the user's cache."""
    own.mkdir()
    if carried.is_dir():
        shutil.copytree(carried, own, dirs_exist_ok=True)
    os.environ["CORTEXRNN_CACHE"] = str(own)


def _compute(options: argparse.Namespace, budget: Budget, scratch: Path) -> int:
    """Compute all parts, or what an update consists of alone."""
    import torch

    from cortexrnn.networks.device import resolve_device
    from tools.accelerator.parts import REHEARSAL, Context, Size

    device = resolve_device(options.device)
    if options.rehearse:
        torch.set_num_threads(1)  # a second one only slows what is so small
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    options.out.mkdir(parents=True, exist_ok=True)
    record = Record(options.out / RECORD, _about(options, str(device)))
    context = Context(
        size=REHEARSAL if options.rehearse else Size(field=options.field),
        device=device,
        out=options.out,
        scratch=scratch,
        left=budget.left,
        note=record.note,
        load=_loader(options.carry),
        tf32=options.tf32,
        rehearsal=options.rehearse,
    )
    parts = all_parts()
    if options.profile:
        parts = [part for part in parts if part.name == "profile"]
    watchdog = threading.Timer(budget.left(), _end, args=(record, context))
    watchdog.daemon = True
    watchdog.start()
    try:
        fine = run_parts(parts, context, record, budget, tell=partial(print, flush=True))
    finally:
        watchdog.cancel()
    if options.profile:
        print(json.dumps(record.content["parts"]["profile"].get("result"), indent=1))
    agrees = record.content["parts"].get("equality", {}).get("result", {}).get("agrees", True)
    if not agrees:
        print("equality: the device does not compute what autograd or the processor does")
    return 0 if fine and agrees else 1


def _end(record: Record, context: Context) -> None:
    """End the process when its time is over, whatever it does."""
    from tools.accelerator.files import pack

    record.cut_off("the time of the call was over")
    if context.runs.is_dir():
        pack(context.runs, context.out)
    print("the time is over; what was finished is kept", flush=True)
    os._exit(1)


def _about(options: argparse.Namespace, device: str) -> dict[str, Any]:
    """Describe machine, source and settings."""
    from cortexrnn import __version__
    from cortexrnn.benchmark.record import machine
    from cortexrnn.networks import products
    from cortexrnn.networks.training import NUMERICS
    from cortexrnn.runs import provenance

    return {
        "machine": machine(),
        "device": device,
        "products": products.choose(device, 312, library="torch").describe(),
        "tf32": options.tf32,
        "rehearsal": options.rehearse,
        "field": options.field,
        "minutes": options.minutes,
        "version": __version__,
        "numerics": NUMERICS,
        "source": provenance.source(),
        "commit": provenance.commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _loader(carry: Path) -> Callable[[str], Any]:
    """Give the function that loads a field once, from what was carried if it is there."""
    from cortexrnn.fields.sources import load_field

    known: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in known:
            carried = carry / "fields" / f"{name}.npz"
            known[name] = load_field(carried if carried.is_file() else name)
        return known[name]

    return load


def prepare(options: argparse.Namespace) -> int:
    """Fill the folder that is carried along.

    Parameters
    ----------
    options : Namespace
        Of the command line.

    Returns
    -------
    int
        0.
    """
    carry: Path = options.carry
    for name in ("fields", "cache"):
        (carry / name).mkdir(parents=True, exist_ok=True)
    os.environ["CORTEXRNN_CACHE"], usual = str(carry / "cache"), os.environ.get("CORTEXRNN_CACHE")
    from cortexrnn.fields.sources import load_field
    from cortexrnn.networks import topology

    topology.null_graphs(_found(load_field, options.field, usual, carry).n_neurons)
    names = [*bare_machine.CARRIED, *bare_machine.JUDGING]
    bare_machine.download(names, carry / "wheels", python=options.python)
    print(f"{carry}: {bare_machine.check_size(carry):.1f} MiB")
    return 0


def _found(load_field: Callable[[str], Any], name: str, cache: str | None, carry: Path) -> Any:
    """Load a field, from the user's cache as well, and save it among what is carried."""
    own = os.environ.pop("CORTEXRNN_CACHE")
    if cache is not None:
        os.environ["CORTEXRNN_CACHE"] = cache
    try:
        field = load_field(name)
    finally:
        os.environ["CORTEXRNN_CACHE"] = own
    field.save(carry / "fields" / f"{name}.npz")
    return field


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line.

    Returns
    -------
    ArgumentParser
        Of this module.
    """
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, default=Path("results"), help="folder of what comes back")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    made.add_argument("--minutes", type=float, default=9.0, help="time that the call may take")
    made.add_argument("--field", default="6_6_2", help="field of the experiment")
    made.add_argument("--tf32", action="store_true", help="products in TF32; recorded")
    made.add_argument("--profile", action="store_true", help="only what an update consists of")
    made.add_argument("--rehearse", action="store_true", help="everything, tiny")
    made.add_argument("--carry", type=Path, default=ROOT / "carry", help="folder carried along")
    made.add_argument("--prepare", action="store_true", help="fill that folder")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    made.add_argument("--python", default=here, help="Python there, for --prepare")
    made.add_argument("--merge", type=Path, help="folder that came back, to put into a checkout")
    made.add_argument("--into", type=Path, default=ROOT, help="the checkout, for --merge")
    made.add_argument("--replace", action="store_true", help="let --merge replace measurements")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        0 if everything went well, 1 if a part failed, 2 for what was refused.
    """
    options = parser().parse_args(arguments)
    if not options.minutes > 0:
        print(f"--minutes is {options.minutes:g}; give more than 0", file=sys.stderr)
        return 2
    try:
        if options.prepare:
            return prepare(options)
        if options.merge is not None:
            from tools.accelerator.merge import merge

            for line in merge(options.merge, options.into, rehearsal=options.rehearse,
                              replace=options.replace):  # fmt: skip
                print(line)
            return 0
        return call(options)
    except (BareError, ValueError) as error:
        print(f"accelerator: {error}", file=sys.stderr)
        return 2
