"""Command line: ``cortexrnn fields, fetch, run, conditions, status, tables, verify, bench``."""

from __future__ import annotations

import functools
import secrets
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import pandas as pd
import typer
from rich.console import Console

from cortexrnn import __version__
from cortexrnn.benchmark import measure, pairs, report
from cortexrnn.benchmark.keras_reference import KerasReferenceError
from cortexrnn.evidence import intervals
from cortexrnn.evidence.published import beside_published
from cortexrnn.fields import sources
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.fields.sources import published
from cortexrnn.networks.device import resolve_device
from cortexrnn.networks.machine import cores
from cortexrnn.networks.neurogym import GYM_TASKS
from cortexrnn.networks.products import LIBRARIES
from cortexrnn.networks.specification import PRESETS, PROTOCOLS, RELATIONS, SIGNS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import archive, consistency, experiment, plans, terminal, verification
from cortexrnn.runs.controls import (
    CONDITIONS,
    CONTROLS,
    GROUPS,
    PAPER_TASKS,
    Control,
    read_conditions,
)
from cortexrnn.runs.engine import EngineError
from cortexrnn.runs.lock import PresenceError

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
"""Signals after which a command cleans up; SIGHUP comes when a terminal is closed."""

REPEATED = "may be given repeatedly"
"""Part of the help of every option that takes a list."""
EVERYTHING = ["all"]
DESIGNS = ", ".join(GROUPS)
"""Groups of controls, as an option lists them."""
MOST_SHOWN = 10
"""Faults of files and rows that are printed; of further ones only the number."""

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
        except (EngineError, experiment.ExperimentError, KerasReferenceError) as error:
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
    """Turn signals that end the process into exceptions, so that it cleans up."""
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


def _listed(option: str, values: list[str], everything: Iterable[str]) -> list[str]:
    """Read ``all`` or names with commas between them, given once or repeatedly."""
    if values == ["all"]:
        return list(everything)
    return arguments.names(option, ",".join(values), least=1)


def _count(value: str | int) -> int:
    """Read a number of things, of digits alone."""
    try:
        (count,) = arguments.numbers("", value, whole=True)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no whole number") from None
    if count < 1:
        raise typer.BadParameter(f"{count} is too few; give at least 1")
    return int(count)


COUNT: dict[str, Any] = {"parser": _count, "metavar": "<int>"}
"""How an option that takes a number of things is read."""


def _say(value: object) -> None:
    """Print a line as it is."""
    terminal.say(value, console=console)


def _chosen_seeds(values: list[str] | None, count: int | None) -> list[int] | None:
    """Read seeds that are named one by one; None where they are not."""
    if not values:
        return None
    if count is not None:
        raise ValueError(
            f"--seeds {count} is the number of seeds and --seed names them; give one of the two"
        )
    seeds = _numbers(values, "--seed")
    limit = arguments.SEED_LIMIT
    if wrong := [seed for seed in seeds if not 0 <= seed < limit or seeds.count(seed) > 1]:
        raise ValueError(
            f"--seed has {arguments.shown(wrong[0])}; give different whole numbers of at least 0 "
            "and less than 2**63"
        )
    return seeds


def _show(frame: pd.DataFrame, title: str) -> None:
    """Print a table, numbers to three digits."""
    table = terminal.new_table(title)
    for name, header in zip(frame, terminal.row(*frame), strict=True):
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*terminal.row(*map(_cell, row)))
    console.print(table)


def _cell(value: Any) -> str:
    """Show a value in a table; nothing for one that is missing."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return str(value)


def _comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Put means and intervals into one column each."""
    texts = intervals.cells_as_text(table)
    columns = {
        "variant": table["variant"],
        "settings": table["settings"],
        "runs": table["runs"],
        "diverged": table["diverged"],
        "numerics": table["numerics"],
        "here": texts["here"],
        "paper (6_6_2)": texts["published"],
        "difference": table["difference"],
    }
    if not table["settings"].any():
        del columns["settings"]
    return pd.DataFrame(columns)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Recurrent networks built out of mouse cortex."""
    terminal.prepare()
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
        published.check_name(name)
    for name in names:
        _say(f"{name}: {published.fetch(name)}")


@app.command()
@_plain_errors
def run(
    context: typer.Context,
    field: Annotated[
        str, typer.Option(help="surrogate, surrogate_N, a published field, or a saved one.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of runs.")] = Path("runs"),
    relation: Annotated[str, typer.Option(help=", ".join(RELATIONS))] = "correlation",
    sign: Annotated[str, typer.Option(help=", ".join(SIGNS))] = "free",
    variants: Annotated[
        list[str], typer.Option(help=f"all, or names with commas, 'W*D*C,WD*'; {REPEATED}.")
    ] = EVERYTHING,
    tasks: Annotated[
        list[str],
        typer.Option(
            help=f"all: {', '.join(TASKS)}; or names with commas, of these and, with the extra "
            f"tasks, {', '.join(GYM_TASKS)}; {REPEATED}."
        ),
    ] = EVERYTHING,
    preset: Annotated[str, typer.Option(help=", ".join(PRESETS))] = "quick",
    seeds: Annotated[
        int | None, typer.Option(help="How many seeds, from 0; default: the preset's.", **COUNT)
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option(help=f"These seeds instead: 7, or with commas 3,7; {REPEATED}."),
    ] = None,
    protocol: Annotated[str, typer.Option(help=", ".join(PROTOCOLS))] = "published",
    communicability_rank: Annotated[
        int | None,
        typer.Option(
            help="Approximates communicability, for fields of thousands of neurons; 16 is a good "
            "choice. Default: exact.",
            **COUNT,
        ),
    ] = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            help="Names of conditions with commas: 'W*D*, scaled identity'; see cortexrnn "
            "conditions. They fix variant, protocol, relation, sign and tasks themselves."
        ),
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(
            help="controls, for every control that is run on the field, or one group of them: "
            f"{DESIGNS}."
        ),
    ] = None,
    directory: Directory = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: cores.", **COUNT)] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:8786.")] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Start --workers through SLURM.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    products: Annotated[
        str | None,
        typer.Option(
            help="Library of matrix products on a processor: auto (the faster one), "
            f"{', '.join(LIBRARIES)}; default: CORTEXRNN_PRODUCTS, else auto."
        ),
    ] = None,
) -> None:
    """Train a design and write its runs; the same command resumes it after an interruption."""
    size = PRESETS[one_of("preset", preset, PRESETS)]
    one_of("protocol", protocol, PROTOCOLS)
    size = size if seeds is None else replace(size, n_seeds=seeds)
    chosen = _chosen_seeds(seed, seeds)
    if conditions is not None or design is not None:
        _refuse_with_conditions(context)
    loaded = sources.load_field(field, directory=directory)
    _say(f"{loaded.name}: {loaded.n_neurons} neurons, from {loaded.origin}")
    if named := _conditions(conditions, design, loaded.name):
        specs = plans.plan_conditions(loaded, named, preset=size, seeds=chosen)
    else:
        specs = plans.plan(
            loaded,
            relation=one_of("relation", relation, RELATIONS),
            sign=one_of("sign", sign, SIGNS),
            variants=_listed("--variants", variants, VARIANTS),
            tasks=_listed("--tasks", tasks, TASKS),
            preset=size,
            seeds=chosen,
            protocol=PROTOCOLS[protocol],
            communicability_rank=communicability_rank,
        )
    finished = experiment.run(
        specs,
        loaded,
        out=out,
        workers=workers,
        scheduler=scheduler,
        slurm=slurm,
        device=device,
        products=None if products is None else one_of("products", products, ("auto", *LIBRARIES)),
    )
    runs = archive.read_runs(finished)
    _say(f"{len(runs)} runs, {runs['diverged'].sum()} diverged: {finished}")


def _conditions(names: str | None, design: str | None, field: str) -> list[Control]:
    """Read which conditions are asked for; none where a plan of variants is."""
    if names is not None and design is not None:
        raise ValueError("--conditions and --design both name what is run; give one of the two")
    if design is not None:
        one_of("design", design, ["controls", *GROUPS])
        groups = list(GROUPS) if design == "controls" else [design]
        chosen = [one for one in CONTROLS.values() if one.group in groups]
        return [one for one in chosen if one.is_run_on(field)]
    return read_conditions(names) if names is not None else []


def _refuse_with_conditions(context: typer.Context) -> None:
    """Refuse options that conditions fix themselves."""
    for name in (
        "variants", "tasks", "protocol", "relation", "sign", "communicability_rank"
    ):  # fmt: skip
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise ValueError(
                f"--{name.replace('_', '-')} cannot be given with conditions, which fix it "
                "themselves; leave it out"
            )


@app.command()
@_plain_errors
def conditions(
    group: Annotated[
        str | None, typer.Option(help=f"Only of one group: published, {', '.join(GROUPS)}.")
    ] = None,
) -> None:
    """List the conditions: the eleven variants of the paper, and the controls.

    Strength is lambda, or with * the mean gradient per weight at the start; some have one of their
    own for each field.
    """
    if group is not None:
        one_of("group", group, ["published", *GROUPS])
    questions = {"published": "The variants of the paper", **GROUPS}
    for name, question in questions.items():
        if group in (None, name):
            rows = [_described(one) for one in CONDITIONS.values() if one.group == name]
            _show(pd.DataFrame(rows), f"{name}: {question}")


def _described(one: Control) -> dict[str, str]:
    """Make the row of a condition in their list."""
    scaled = "*" if one.protocol.strength_unit == "gradient" else ""
    only = {name: value for name, value in one.settings if name not in ("strength", "sign")}
    return {
        "name": one.name,
        "variant": one.variant.name,
        "sign": one.sign,
        "strength": "by field" if one.strengths else f"{one.strength:g}{scaled}",
        "settings": ", ".join(f"{name}={value}" for name, value in only.items()),
        "tasks": "the paper's" if one.tasks == PAPER_TASKS else _tasks_in_words(one),
        "against": one.against or "",
        "seeds": str(one.n_seeds),
    }


def _tasks_in_words(one: Control) -> str:
    """Name tasks with the settings that are not their own."""
    return ", ".join(
        name + "".join(f" {key}={value}" for key, value in settings) for name, settings in one.tasks
    )


@app.command()
@_plain_errors
def status(out: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs")) -> None:
    """Report the progress of the plans of a folder."""
    for plan in experiment.status(out).itertuples(index=False):
        _say(plan.plan)
        _say(f"  {plan.state}: {plan.done} of {plan.runs} runs, {plan.diverged} diverged")
        if plan.left:
            _say(f"  {plan.rate:.3g} runs/s, {plan.left} left")
        if plan.last_finished:
            _say(f"  last run finished {plan.last_finished}")
        if plan.at_work:
            _say(f"  {plan.at_work}")


@app.command()
@_plain_errors
def tables(
    out: Annotated[
        Path | None, typer.Argument(help="Folder of runs; default: the shipped archive.")
    ] = None,
    metric: Annotated[str, typer.Option(help=", ".join(archive.METRICS))] = "accuracy",
    csv: Annotated[Path | None, typer.Option(help="CSV file to write the table to.")] = None,
) -> None:
    """Print mean and 95 % interval of every cell, beside the paper's where it has one.

    Runs of one cell differ in nothing but their seed. Settings that are not the paper's are named,
    and only runs with the paper's settings are compared with its numbers.
    """
    one_of("metric", metric, archive.METRICS)
    table = beside_published(archive.load_archive(out), metrics=[metric])
    if csv is not None:
        _write_csv(table, csv)
    for key, part in table.groupby(["field", "arm", "task", "protocol"], sort=False):
        field, arm, task, protocol = key
        _show(_comparison(part), f"{metric}: {field}, {arm}, {task} ({protocol} protocol)")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table, or say why not."""
    try:
        table.to_csv(path, index=False, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise archive.ArchiveError(f"cannot write {path} ({reason}); name another file") from error


@app.command()
@_plain_errors
def verify(
    identities: Annotated[
        list[str] | None,
        typer.Argument(help="Identities of recorded runs, or their first digits."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of runs; default: the shipped archive.")
    ] = None,
    field: Annotated[str | None, typer.Option(help="Only runs of this field.")] = None,
    sample: Annotated[
        int | None, typer.Option(help="Number of runs that are drawn at random.", **COUNT)
    ] = None,
    all_cells: Annotated[
        bool, typer.Option("--all-cells", help="One run of every cell: may take an hour.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the draw; default: another each time.", min=0)
    ] = None,
    directory: Directory = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: cores.", **COUNT)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
) -> None:
    """Train recorded runs again and compare the results with the stored rows.

    Before that, every file is compared with the hash in its plan's record, and every row with its
    own specification. The exit status is 1 if anything disagrees.
    """
    if bool(identities) + (sample is not None) + all_cells != 1:
        raise ValueError("choose runs by one of: identities, --sample 5, --all-cells")
    resolve_device(device)
    runs = archive.load_archive(out)
    if field is not None:
        one_of("field", field, list(runs["field"].unique()))
        runs = runs[runs["field"] == field]
    wrong = _check_stored(out, runs)
    if identities:
        chosen = verification.chosen_runs(runs, identities)
        if hindered := [why for why in verification.left_out(chosen, directory=directory) if why]:
            raise ValueError(hindered[0])
    else:
        seed = secrets.randbelow(2**32) if seed is None else seed
        known = _trainable(runs, directory)
        if sample is not None:
            chosen = verification.sampled_runs(known, sample, seed=seed)
        else:
            chosen = verification.one_of_each_cell(known, seed=seed)
        _say(f"{chosen['identity'].nunique()} runs are trained again, drawn with --seed {seed}")
    done = []
    _say(verification.HEADING)
    try:
        for one in verification.verify(chosen, directory=directory, workers=workers, device=device):
            done.append(one)
            for line in one.lines:
                _say(line)
    except (KeyboardInterrupt, _Terminated):
        _stop(f"ended after {len(done)} of {len(chosen)} rows, which are listed above", FAILED)
    table = verification.deviations(done)
    for name in ("median", "largest", "tolerance"):
        table[name] = [f"{value:.2g}" for value in table[name]]
    _show(table, "Absolute differences of stored and trained again; losses above 1 as ratios")
    counts = pd.Series([one.verdict for one in done]).value_counts()
    for verdict, meaning in verification.VERDICTS.items():
        if verdict in counts:
            _say(f"{counts[verdict]} of {len(done)} {verdict}: {meaning}")
    if wrong or not all(one.agrees for one in done):
        _stop("not everything agrees, see above", FAILED)


def _check_stored(out: Path | None, runs: pd.DataFrame) -> bool:
    """Check files and rows without training; print what is wrong, and whether anything is."""
    problems, unrecorded = consistency.check_files(out or consistency.shipped_archive())
    if unrecorded:
        _say(f"no plan has a record of {', '.join(unrecorded)}, whose hash cannot be checked")
    rows = consistency.check_rows(runs)
    problems += [f"run {identity}: {what}" for identity, faults in rows.items() for what in faults]
    for problem in problems[:MOST_SHOWN]:
        _say(f"WRONG: {problem}")
    if len(problems) > MOST_SHOWN:
        _say(f"WRONG: and {len(problems) - MOST_SHOWN} more")
    if not problems:
        _say(
            f"Every file has the hash that its plan recorded; each of {len(runs)} rows agrees with "
            "its specification and with itself"
        )
    return bool(problems)


def _trainable(runs: pd.DataFrame, directory: Path | None) -> pd.DataFrame:
    """Leave out the rows that cannot be trained here, and print how many and why."""
    reasons = verification.left_out(runs, directory=directory)
    for reason, count in reasons[reasons != ""].value_counts().items():
        _say(f"{count} rows are left out: {reason}")
    if not (reasons == "").any():
        raise ValueError("none of these runs can be trained here; the reasons are listed above")
    return runs[reasons == ""]


def _numbers(values: list[str], what: str) -> list[int]:
    """Read whole numbers with commas between them, given once or repeatedly."""
    return arguments.numbers(what, ",".join(values), least=1, whole=True)


def _joined(things: Iterable[object]) -> list[str]:
    """Write values as the default of an option that may be given repeatedly."""
    return [",".join(map(str, things))]


SIZES, REFERENCE_VARIANTS = map(_joined, (measure.SIZES, measure.REFERENCE_VARIANTS))


@app.command("bench")
@_plain_errors
def measure_cost(
    out: Annotated[Path, typer.Option(help="JSON file to write or to continue.")] = Path(
        "bench.json"
    ),
    sizes: Annotated[
        list[str], typer.Option(help=f"Numbers of neurons, with commas; {REPEATED}.")
    ] = SIZES,
    members: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Networks in a batch, with commas; {REPEATED}; default: "
            f"{','.join(map(str, measure.MEMBERS))}, on an accelerator "
            f"{','.join(map(str, measure.ACCELERATOR_MEMBERS))}."
        ),
    ] = None,
    threads: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Threads, with commas; {REPEATED}; default: 1 and all cores, with --keras 1."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: three minutes.")] = False,
    limit: Annotated[float, typer.Option(help="Seconds that one call may take.")] = 40.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "cpu",
    with_keras: Annotated[
        bool, typer.Option("--keras", help="Time whole runs against Keras and bctpy instead.")
    ] = False,
    field: Annotated[str, typer.Option(help="Field, for --keras.")] = "surrogate_312",
    variants: Annotated[
        list[str], typer.Option(help=f"Variants, for --keras, with commas; {REPEATED}.")
    ] = REFERENCE_VARIANTS,
    epochs: Annotated[int, typer.Option(help="Epochs, for --keras.", **COUNT)] = 10,
    nulls: Annotated[
        int, typer.Option(help="Nulls that are timed, for --keras; scaled to 1000.", **COUNT)
    ] = measure.N_NULLS,
    rounds: Annotated[int, typer.Option(help="Pairs of a variant, for --keras.", **COUNT)] = 2,
) -> None:
    """Measure what training and topology cost here; the same command continues after a stop."""
    if with_keras:
        record = pairs.run_pairs(
            out=out,
            field=field,
            variants=_listed("--variants", variants, measure.REFERENCE_VARIANTS),
            threads=_numbers(threads or ["1"], "--threads"),
            epochs=epochs,
            n_nulls=nulls,
            rounds=rounds,
            tell=_say,
        )
    else:
        resolve_device(device)
        all_cores, few = cores(), measure.QUICK_MEMBERS
        counts = [1] if quick or all_cores == 1 else [1, all_cores]
        points = measure.points(
            measure.QUICK_SIZES if quick else _numbers(sizes, "--sizes"),
            members=_numbers(members, "--members") if members else few if quick else None,
            threads=_numbers(threads, "--threads") if threads else counts,
            processes=sorted({1, all_cores}),
            device=device,
        )
        budget = measure.QUICK_BUDGET_S if quick else measure.BUDGET_S
        record = measure.run(points, out=out, budget=budget, limit=limit, tell=_say)
    _show_cost(report.load(out))
    if record["failed"]:
        _stop(f"{len(record['failed'])} points failed; give the same command again", FAILED)


def _show_cost(measured: report.Measurements) -> None:
    """Print exponents, and the comparison with the Keras reference where there is one."""
    fitted = report.exponents(measured.table)
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
        table = report.reference_table(measured.pairs)
        columns = ["stage", "ours", "keras", "ratio", "times_floor", "rounds"]
        for key, part in table.groupby(["field", "variant", "threads", "epochs", "n_nulls"]):
            name, variant, threads, epochs, nulls = key
            _show(
                part[columns],
                f"{variant} on {name}: {epochs} epochs, threads {threads}, {nulls} nulls timed; "
                "seconds",
            )


if __name__ == "__main__":
    app()
