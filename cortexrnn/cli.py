"""Command line: ``cortexrnn fields, fetch, run, status, tables``."""

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

from cortexrnn import __version__, archive, experiment, inference, sources
from cortexrnn.field import FieldError
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
TERMINATED = 143
"""Exit status after SIGTERM, as a shell gives it."""

Directory = Annotated[
    Path | None, typer.Option(help="Folder laid out as the authors' Model/DATA/info.")
]


def _plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Print what was wrong in one line instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        usual = signal.signal(signal.SIGTERM, _terminate)
        try:
            command(*args, **kwargs)
        except experiment.ExperimentError as error:
            _stop(error, FAILED)
        except (FieldError, PresenceError, published.SourceError, ValueError) as error:
            _stop(error, REFUSED)
        except KeyboardInterrupt:
            _stop(f"interrupted; {experiment.KEPT}", FAILED)
        except _Terminated:
            _stop(f"terminated; {experiment.KEPT}", TERMINATED)
        finally:
            signal.signal(signal.SIGTERM, usual)

    return wrapped


class _Terminated(BaseException):
    """SIGTERM came."""


def _terminate(*_: object) -> NoReturn:
    """Turn SIGTERM into an exception, so that everything is put away."""
    raise _Terminated


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
    tasks: Annotated[str, typer.Option(help=f"all, or of {', '.join(TASKS)}")] = "all",
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


if __name__ == "__main__":
    app()
