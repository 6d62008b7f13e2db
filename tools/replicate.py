"""Run the experiments of the replication and the controls, one plan after another.

Usage: ``python -m tools.replicate --out runs`` runs what is not yet finished, in the order below;
``--only NAME`` one experiment, ``--list`` names them; ``--first 10`` leaves out later seeds.
Finished plans are two files each, made to be copied into ``cortexrnn/data/archive``. An interrupted
experiment goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cortexrnn.fields.field import Relation
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.specification import SIGNS, RunSpec, Sign
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import experiment
from cortexrnn.runs.controls import CONTROLS, DECIDING_FIELD, FURTHER, GROUPS
from cortexrnn.runs.plans import plan

FUNCTIONAL = tuple(name for name, variant in VARIANTS.items() if variant.uses_function)
"""Variants that depend on the relation; the others are the same runs under every relation."""

BLOCK = 5
"""Seeds of one plan, so that a plan is finished, and can be kept, within the hour."""

LARGEST = 50_000
"""Runs times neurons of the largest plan of controls; a larger one is cut by task as well."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A design on one field.

    Parameters
    ----------
    name : str
        What it is called on the command line.
    field : str
        The field.
    relation, sign : str
        The arm.
    n_seeds, first_seed : int
        Seeds of each cell: from `first_seed` to the one before `n_seeds`.
    variants : tuple of str
        Names of the paper.
    tasks : tuple of str
        Names of tasks.
    data_seeds : tuple of int
        Draws of trials.
    """

    name: str
    field: str
    relation: Relation = "correlation"
    sign: Sign = "free"
    n_seeds: int = 20
    first_seed: int = 0
    variants: tuple[str, ...] = tuple(VARIANTS)
    tasks: tuple[str, ...] = tuple(TASKS)
    data_seeds: tuple[int, ...] = (0,)

    def plans(self, *, first: int | None = None) -> Iterator[list[RunSpec]]:
        """Cut the design into plans of a few seeds.

        Parameters
        ----------
        first : int, optional
            Only plans that begin before this seed.

        Yields
        ------
        list of RunSpec
            One plan.
        """
        field = load_field(self.field)
        n_seeds = self.n_seeds if first is None else min(first, self.n_seeds)
        for low in range(self.first_seed, n_seeds, BLOCK):
            yield [
                spec
                for data_seed in self.data_seeds
                for spec in plan(
                    field,
                    relation=self.relation,
                    sign=self.sign,
                    variants=self.variants,
                    tasks=self.tasks,
                    preset="paper",
                    seeds=range(low, min(low + BLOCK, self.n_seeds)),
                    data_seed=data_seed,
                )
            ]


@dataclass(frozen=True, kw_only=True)
class ControlExperiment:
    """Controls on a field.

    Parameters
    ----------
    name : str
        What it is called on the command line.
    field : str
        The field.
    groups : tuple of str
        Their groups.
    """

    name: str
    field: str
    groups: tuple[str, ...]

    def plans(self, *, first: int | None = None) -> Iterator[list[RunSpec]]:
        """Cut the controls into plans of one group and a few seeds, large ones by task.

        Parameters
        ----------
        first : int, optional
            Only plans that begin before this seed.

        Yields
        ------
        list of RunSpec
            One plan.
        """
        field = load_field(self.field)
        chosen = [one for one in CONTROLS.values() if one.is_run_on(self.field)]
        n_seeds = max(one.n_seeds for one in chosen)
        for low in range(0, n_seeds if first is None else min(first, n_seeds), BLOCK):
            for group in self.groups:
                specs = [
                    spec
                    for one in chosen
                    if one.group == group
                    for spec in one.specs(
                        field=field.name,
                        field_hash=field.hash_without_events,
                        seeds=range(low, min(low + BLOCK, one.n_seeds)),
                    )
                ]
                if len(specs) * field.n_neurons <= LARGEST:
                    parts = [specs]
                else:
                    tasks = dict.fromkeys(spec.task for spec in specs)
                    parts = [[spec for spec in specs if spec.task == task] for task in tasks]
                yield from filter(None, parts)


def _experiments() -> Iterator[Experiment | ControlExperiment]:
    """List the experiments in the order in which they are run."""
    for field in ("6_6_2", "5_3_4", "5_6_8"):
        for sign in SIGNS:
            yield Experiment(name=f"{field} correlation {sign}", field=field, sign=sign)
        if field != "6_6_2":  # what another draw of trials would change, see book/rules.md
            yield Experiment(
                name=f"{field} draws", field=field, n_seeds=2, data_seeds=tuple(range(10))
            )
    others: tuple[Relation, ...] = ("precision", "sttc")
    for relation in others:
        for field, n_seeds in {"5_3_4": 20, "5_6_8": 20, "6_6_2": 10}.items():
            yield Experiment(
                name=f"{field} {relation} free",
                field=field,
                relation=relation,
                n_seeds=n_seeds,
                variants=FUNCTIONAL,
            )
    for field in ("5_3_8", "4_7_2", "6_6_8", "5_7_6", "9_6_4"):
        yield Experiment(name=f"{field} correlation free", field=field, n_seeds=3)
    environments = ("environments",)  # with NeuroGym, whose requirements are its own
    controls = tuple(group for group in GROUPS if group not in (*environments, *FURTHER))
    differing: dict[Sign, tuple[str, ...]] = {
        "free": ("W*D*C", "WD*C"),
        "positive": ("W!D*C", "W!D*C*"),
    }
    for sign, variants in differing.items():
        yield Experiment(  # whether another draw explains cells that are different
            name=f"6_6_2 draws {sign}",
            field="6_6_2",
            sign=sign,
            variants=variants,
            tasks=("one_choice", "perceptual"),
            n_seeds=2,
            data_seeds=tuple(range(6)),
        )
    yield Experiment(  # six draws left one variant unexplained: more, and its two siblings
        name="6_6_2 draws positive, perceptual",
        field="6_6_2",
        sign="positive",
        variants=("W*D*C*", "W*DC*", "W!D*C*"),
        tasks=("perceptual",),
        n_seeds=2,
        data_seeds=tuple(range(16)),
    )
    yield Experiment(  # means of two seeds scatter by themselves: the cells still different, ten
        name="6_6_2 draws positive, W!D*C*",
        field="6_6_2",
        sign="positive",
        variants=("W!D*C*",),
        tasks=("perceptual",),
        first_seed=2,
        n_seeds=10,
        data_seeds=tuple(range(1, 16)),
    )
    for field in ("5_3_4", "5_6_8", DECIDING_FIELD):
        yield ControlExperiment(name=f"{field} controls", field=field, groups=controls)
    for field in ("5_3_4", "5_6_8"):
        yield ControlExperiment(name=f"{field} environments", field=field, groups=environments)
    for field in ("5_3_4", "5_6_8", DECIDING_FIELD):
        yield ControlExperiment(name=f"{field} further controls", field=field, groups=FURTHER)


EXPERIMENTS = {item.name: item for item in _experiments()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--only", action="append", help="an experiment; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the experiments")
    parser.add_argument("--first", type=int, help="only plans that begin before this seed")
    parser.add_argument("--workers", type=int, help="processes; default: cores")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(EXPERIMENTS))
        return 0
    names = options.only or list(EXPERIMENTS)
    for name in names:
        one_of("experiment", name, EXPERIMENTS)
    for name in names:
        field = load_field(EXPERIMENTS[name].field)
        for specs in EXPERIMENTS[name].plans(first=options.first):
            print(f"{name}: {len(specs)} runs", flush=True)
            print(
                experiment.run(specs, field, out=options.out, workers=options.workers), flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
