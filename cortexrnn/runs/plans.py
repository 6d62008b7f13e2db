"""Plans: which runs an experiment consists of, what they are called, how they are cut.

The cut depends on the plan alone, so that a resumed experiment trains the same ensembles as an
undisturbed one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field, Relation
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.neurogym import find_task
from cortexrnn.networks.specification import (
    PRESETS,
    PUBLISHED,
    RELATIONS,
    SIGNS,
    Preset,
    PresetName,
    Protocol,
    RunSpec,
    Sign,
)
from cortexrnn.networks.tasks import TASKS, Task
from cortexrnn.networks.variant import VARIANTS, Variant
from cortexrnn.runs.controls import Control

__all__ = ["plan", "plan_conditions", "plan_name", "shards"]

LONGEST_NAME = 230
"""Bytes of a plan's name: file systems allow 255, and the files of a plan add their endings."""


def plan(
    field: Field,
    *,
    relation: Relation = "correlation",
    sign: Sign = "free",
    variants: str | Variant | Iterable[str | Variant] = tuple(VARIANTS),
    tasks: str | Task | Iterable[str | Task] = tuple(TASKS),
    preset: PresetName | Preset = "quick",
    seeds: Iterable[int] | None = None,
    protocol: Protocol = PUBLISHED,
    **settings: Any,
) -> list[RunSpec]:
    """List the runs of a full design.

    Parameters
    ----------
    field : Field
        The field.
    relation : {"correlation", "precision", "sttc", "response"}
        What functional weights are made of.
    sign : {"free", "positive"}
        Sign that recurrent weights may take.
    variants : str, Variant or iterable of them
        Names of the paper, also as a text with commas between, or controls, also with a penalty of
        one's own.
    tasks : str, Task or iterable of them
        Tasks or their names: of the paper, of NeuroGym, or of one's own.
    preset : {"smoke", "quick", "paper"} or Preset
        Number of seeds, epochs and trials.
    seeds : iterable of int, optional
        Seeds instead of the first ones, as many as the preset says.
    protocol : Protocol
        Published or corrected.
    **settings
        Further parameters of :class:`~cortexrnn.networks.specification.RunSpec`, the same for all
        runs.

    Returns
    -------
    list of RunSpec
        Variants within seeds within tasks.

    Raises
    ------
    ValueError
        If a name is unknown, a run is there twice, a list is empty, seeds are a number alone, or
        something is of another type.
    FieldError
        If there is no field, or a variant needs a relation that it lacks.
    """
    if not isinstance(field, Field):
        raise FieldError(f"field is {field!r}; give a Field, such as load_field gives")
    one_of("relation", relation, RELATIONS)
    one_of("sign", sign, SIGNS)
    if isinstance(preset, str):
        preset = PRESETS[one_of("preset", preset, PRESETS)]
    if not isinstance(preset, Preset):
        raise ValueError(f"preset is {preset!r}; give one of {', '.join(PRESETS)}, or a Preset")
    named = arguments.names("variants", variants, least=1, kinds=Variant)
    chosen = [Variant.parse(v) if isinstance(v, str) else v for v in named]
    names = arguments.names("tasks", tasks, least=1, kinds=Task)
    for name in names:
        find_task(name)
    if any(variant.uses_function for variant in chosen):
        field.relation(relation)
    sizes = {k: v for k, v in asdict(preset).items() if k != "n_seeds"}
    simulations = list(range(preset.n_seeds)) if seeds is None else arguments.seeds(seeds, least=1)
    specs = [
        RunSpec(
            field=field.name,
            field_hash=field.hash_without_events,
            relation=relation,
            sign=sign,
            variant=variant,
            task=task,  # becomes a name
            seed=seed,
            protocol=protocol,
            **(sizes | settings),
        )
        for task in names
        for seed in simulations
        for variant in chosen
    ]
    check_once(specs)
    return specs


def plan_conditions(
    field: Field,
    conditions: Iterable[Control],
    *,
    preset: Preset = PRESETS["paper"],
    seeds: Iterable[int] | None = None,
) -> list[RunSpec]:
    """List the runs of conditions on a field.

    Parameters
    ----------
    field : Field
        The field.
    conditions : iterable of Control
        Controls or published variants.
    preset : Preset
        Number of seeds, of which a condition has at most its own; epochs and trials, where a
        condition does not say otherwise.
    seeds : iterable of int, optional
        Seeds instead of the first ones, as many as the preset says.

    Returns
    -------
    list of RunSpec
        Seeds within tasks within conditions.

    Raises
    ------
    ValueError
        If a run is there twice, there is no condition, or seeds are a number alone.
    FieldError
        If a condition needs a relation that the field lacks.
    """
    chosen = list(conditions)
    if not chosen:
        raise ValueError("there is no condition; name at least one")
    for one in chosen:
        if one.variant.uses_function:
            field.relation(one.relation)
    named = None if seeds is None else arguments.seeds(seeds, least=1)
    specs = [
        spec
        for one in chosen
        for spec in one.specs(
            field=field.name,
            field_hash=field.hash_without_events,
            seeds=range(min(one.n_seeds, preset.n_seeds)) if named is None else named,
            preset=preset,
        )
    ]
    check_once(specs)
    return specs


def check_once(specs: Sequence[RunSpec]) -> None:
    """Refuse a plan that holds a run twice, whatever its variants and tasks were named by."""
    known: set[tuple[str, str]] = set()
    for spec in specs:
        key = (spec.identity, spec.relation)
        if key in known:
            raise ValueError(
                f"the plan holds {spec.variant.name} on {spec.task} with seed {spec.seed} more "
                "than once; name every run once"
            )
        known.add(key)


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

    Raises
    ------
    ValueError
        If the name of the field is too long for a file.
    """
    keys = sorted(f"{spec.identity} {spec.relation}" for spec in specs)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]
    fields = "-".join(sorted({Path(spec.field).stem for spec in specs}))
    arms = "-".join(sorted({spec.arm for spec in specs}))
    name = f"{fields}_{arms}_{digest}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise ValueError(
            f"the name of the field, {fields[:40]}..., is too long for the name of a file; give "
            "the field a shorter one"
        )
    return name


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
        definitions = json.dumps([task.definition for task in spec.custom_tasks], sort_keys=True)
        key = (spec.field, spec.task, spec.task_settings, definitions, spec.data_seed, spec.seed)
        groups.setdefault(key, []).append(spec)
    return list(groups.values())
