"""Command line: ``cortexrnn fields, fetch, run, status, tables, bench``."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from cortexrnn import __version__, archive, bench, cost, experiment, inference, peer, sources
from cortexrnn.field import FieldError
from cortexrnn.gym import GYM_TASKS
from cortexrnn.models import VARIANTS
from cortexrnn.presence import PresenceError
from cortexrnn.protocol import PRESETS, PROTOCOLS, RELATIONS, SIGNS, one_of
from cortexrnn.sources import published
from cortexrnn.tasks import TASKS

app = typer.Typer(
    help="Recurrent networks built out of mouse cortex.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()

REFUSED = 2
"""Exit status for input that was refused, as typer's own."""
FAILED = 1
"""Exit status for work that could not be finished."""
ENDS = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""Signals that end a command in order; SIGHUP comes when a terminal or connection is closed."""

Directory = Annotated[
    Path | None, typer.Option(help="Folder laid out as the authors' Model/DATA/info.")
]


def _plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Print what was wrong in one line instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        usual = _listen()
        try:
            command(*args, **kwargs)
        except (experiment.ExperimentError, peer.PeerError) as error:
            _stop(error, FAILED)
        except (FieldError, PresenceError, published.SourceError, ValueError) as error:
            _stop(error, REFUSED)
        except KeyboardInterrupt:
            _stop(f"interrupted; {experiment.KEPT}", FAILED)
        except _Terminated as end:
            _stop(f"terminated; {experiment.KEPT}", 128 + end.number)  # as a shell gives it
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    return wrapped


class _Terminated(BaseException):
    """A signal came that ends the process."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _listen() -> dict[signal.Signals, Any]:
    """Turn signals that end the process into exceptions, so that everything is put away."""
    usual = {number: signal.getsignal(number) for number in ENDS}
    for number, handler in usual.items():
        if handler is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _terminate)
    return usual


def _terminate(number: int, _: object) -> NoReturn:
    """Turn a signal into an exception."""
    raise _Terminated(number)


def _stop(reason: object, status: int) -> NoReturn:
    """End with a line on standard error."""
    print(f"cortexrnn: {reason}", file=sys.stderr)
    raise typer.Exit(status)


def _listed(value: str, everything: Iterable[str]) -> list[str]:
    """Read ``all`` or names with commas between them."""
    if value == "all":
        return list(everything)
    return [name.strip() for name in value.split(",")]


def _show(frame: pd.DataFrame, title: str) -> None:
    """Print a table, numbers to three digits."""
    table = Table(title=title, title_justify="left")
    for name in frame:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: Any) -> str:
    """Show a value in a table; nothing for one that is missing."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return str(value)


def _comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Put means and intervals into one column each."""
    texts = inference.readable(table)
    return pd.DataFrame(
        {
            "variant": table["variant"],
            "runs": table["runs"],
            "diverged": table["diverged"],
            "here": texts["here"],
            "published (6_6_2)": texts["published"],
            "difference": table["difference"],
        }
    )


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Recurrent networks built out of mouse cortex."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
@_plain_errors
def fields() -> None:
    """List the 56 published fields."""
    _show(published.FIELDS, "Published fields")


@app.command()
@_plain_errors
def fetch(
    names: Annotated[list[str], typer.Argument(help="Fields, such as 6_6_2.")],
) -> None:
    """Download fields to the cache and check their hashes."""
    for name in names:
        console.print(f"{name}: {published.fetch(name)}")


@app.command()
@_plain_errors
def run(
    field: Annotated[
        str, typer.Option(help="surrogate, surrogate_N, a published field, or a saved one.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of runs.")] = Path("runs"),
    relation: Annotated[str, typer.Option(help=", ".join(RELATIONS))] = "correlation",
    sign: Annotated[str, typer.Option(help=", ".join(SIGNS))] = "free",
    variants: Annotated[str, typer.Option(help="all, or names with commas: 'W*D*C,WD*'")] = "all",
    tasks: Annotated[
        str,
        typer.Option(
            help=f"all: {', '.join(TASKS)}; or names with commas, of these and, with the extra "
            f"tasks, {', '.join(GYM_TASKS)}"
        ),
    ] = "all",
    preset: Annotated[str, typer.Option(help=", ".join(PRESETS))] = "quick",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds instead of the preset's.")] = None,
    protocol: Annotated[str, typer.Option(help=", ".join(PROTOCOLS))] = "published",
    directory: Directory = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: cores.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:8786.")] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Start --workers through SLURM.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
) -> None:
    """Train a design and write its runs; the same command resumes what was stopped."""
    one_of("preset", preset, PRESETS)
    one_of("protocol", protocol, PROTOCOLS)
    size = PRESETS[preset] if seeds is None else replace(PRESETS[preset], n_seeds=seeds)
    loaded = sources.load_field(field, directory=directory)
    console.print(f"{loaded.name}: {loaded.n_neurons} neurons, from {loaded.origin}")
    specs = experiment.plan(
        loaded,
        relation=relation,
        sign=sign,
        variants=_listed(variants, VARIANTS),
        tasks=_listed(tasks, TASKS),
        preset=size,
        protocol=PROTOCOLS[protocol],
    )
    finished = experiment.run(
        specs,
        loaded,
        out=out,
        workers=workers,
        scheduler=scheduler,
        slurm=slurm,
        device=device,
    )
    runs = archive.read_runs(finished)
    console.print(f"{len(runs)} runs, {runs['diverged'].sum()} diverged: {finished}")


@app.command()
@_plain_errors
def status(out: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs")) -> None:
    """Tell how far the plans of a folder have come."""
    table = experiment.status(out)
    at_work = table.pop("at_work")
    _show(table, str(out))
    for plan, process in zip(table["plan"], at_work, strict=True):
        if process:
            console.print(f"{plan}: {process}")


@app.command()
@_plain_errors
def tables(
    out: Annotated[
        Path | None, typer.Argument(help="Folder of runs; default: the shipped archive.")
    ] = None,
    metric: Annotated[str, typer.Option(help=", ".join(archive.METRICS))] = "accuracy",
    csv: Annotated[Path | None, typer.Option(help="Write the table there as well.")] = None,
) -> None:
    """Print mean and 95 % interval of every cell beside the published one of 6_6_2."""
    one_of("metric", metric, archive.METRICS)
    table = inference.beside_published(archive.load_archive(out), metrics=[metric])
    for key, part in table.groupby(["field", "arm", "protocol", "task"], sort=False):
        _show(_comparison(part), " ".join(key))
    if csv is not None:
        table.to_csv(csv, index=False)


def _numbers(value: str, what: str) -> list[int]:
    """Read whole numbers with commas between them."""
    try:
        return [int(number) for number in value.split(",")]
    except ValueError:
        raise ValueError(f"{what} is {value!r}; give whole numbers with commas between") from None


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


@app.command("bench")
@_plain_errors
def measure_cost(
    out: Annotated[Path, typer.Option(help="JSON file to write or to go on with.")] = Path(
        "bench.json"
    ),
    sizes: Annotated[str, typer.Option(help="Numbers of neurons.")] = _joined(bench.SIZES),
    members: Annotated[str, typer.Option(help="Networks in a batch.")] = _joined(bench.MEMBERS),
    threads: Annotated[
        str | None, typer.Option(help="Threads; default: 1 and all cores, with --peer 1.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, about a minute.")] = False,
    limit: Annotated[float, typer.Option(help="Seconds that one call may take.")] = 40.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "cpu",
    with_peer: Annotated[
        bool, typer.Option("--peer", help="Time whole runs against Keras and bctpy instead.")
    ] = False,
    field: Annotated[str, typer.Option(help="Field, for --peer.")] = "surrogate_312",
    variants: Annotated[str, typer.Option(help="Variants, for --peer.")] = ",".join(
        bench.PEER_VARIANTS
    ),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs, for --peer.")] = 10,
    nulls: Annotated[
        int, typer.Option(min=1, help="Nulls that are timed, for --peer; scaled to 1000.")
    ] = bench.N_NULLS,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of a variant, for --peer.")] = 2,
) -> None:
    """Measure what training and topology cost here; the same command goes on where it stopped."""
    if with_peer:
        record = bench.run_pairs(
            out=out,
            field=field,
            variants=_listed(variants, bench.PEER_VARIANTS),
            threads=_numbers(threads or "1", "--threads"),
            epochs=epochs,
            n_nulls=nulls,
            rounds=rounds,
            tell=console.print,
        )
    else:
        all_cores = bench.cores()
        counts = [1] if quick or all_cores == 1 else [1, all_cores]
        wanted = bench.points(
            bench.QUICK_SIZES if quick else _numbers(sizes, "--sizes"),
            members=bench.QUICK_MEMBERS if quick else _numbers(members, "--members"),
            threads=_numbers(threads, "--threads") if threads else counts,
            processes=sorted({1, all_cores}),
            device=device,
        )
        budget = bench.QUICK_BUDGET_S if quick else bench.BUDGET_S
        record = bench.run(wanted, out=out, budget=budget, limit=limit, tell=console.print)
    _show_cost(cost.load(out))
    if record["failed"]:
        _stop(f"{len(record['failed'])} points failed; give the same command again", FAILED)


def _show_cost(measured: cost.Measurements) -> None:
    """Print exponents, and the comparison with the peer where there is one."""
    fitted = cost.exponents(measured.table)
    shown = pd.DataFrame(
        {
            "curve": [
                f"{row.kind} {row.what}, {row.members} x {row.threads}"
                for row in fitted.itertuples()
            ],
            "exponent": [f"{row.exponent:.2f} ± {row.error:.2f}" for row in fitted.itertuples()],
            "over N": [f"{row.smallest} to {row.largest}" for row in fitted.itertuples()],
            "seconds": fitted["seconds"],
            "/ floor": fitted["times_floor"],
        }
    )
    _show(shown, "Growth with N (members x threads); seconds at the largest N")
    if not measured.pairs.empty:
        table = cost.peer_table(measured.pairs)
        columns = ["stage", "ours", "peer", "ratio", "times_floor", "rounds"]
        for key, part in table.groupby(["field", "variant", "threads", "epochs", "n_nulls"]):
            name, variant, threads, epochs, nulls = key
            _show(
                part[columns],
                f"{variant} on {name}: {epochs} epochs, threads {threads}, {nulls} nulls timed; "
                "seconds",
            )


if __name__ == "__main__":
    app()
