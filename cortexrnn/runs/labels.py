"""Labels of recorded runs: condition, group, label, and the settings behind them.

All of it follows from the specification of a run. Relation and sign, which make the arm, and field
and seed are no part of a condition: they have columns of their own.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cortexrnn.fields.field import Relation
from cortexrnn.networks.specification import PROTOCOLS, PUBLISHED, RunSpec, Sign
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.controls import CONDITIONS, Control

__all__ = ["LABELS", "as_published", "labelled", "runs_of", "select"]

LABELS = {
    "condition": "what was trained: the paper's name of a published variant, the name of a control "
    "whatever its relation and sign, else the variant and its settings",
    "group": "what a control asks about; published; empty for other runs",
    "label": "name of the condition with relation and sign where they are not the first ones",
    "published": "whether it is a run of the paper's design, on whatever field and arm: eleven "
    "variants, three tasks, size, settings and first draw of trials under the published protocol",
    "settings": "what else differs from the paper; the content of a field whose name others share",
    "field_hash": "content of the field, see Field.hash_without_events",
    "strength": "lambda of the penalty, in the unit of strength_unit",
    "strength_unit": "lambda, or gradient: the mean magnitude of its gradient at the start",
    "emd_strength": "strength of the communicability distance",
    "plain_strength": "strength of the plain penalty of variant W: unit or lambda",
    "coordinates": "coordinates behind D*: reshaped, as in the released code, or soma",
    "grid_scale": "grid behind D: index, unit or matched",
    "learning_rate": "of Adam",
    "batch_size": "trials of a batch",
    "input_noise": "standard deviation of the noise on inputs",
    "dtype": "floating point format of training",
    "first_task": "task that was learned before; empty without one",
    "communicability_rank": "rank of what approximates communicability; 0 where it is exact or the "
    "penalty has none of the network's own",
    "task_settings": "settings of the task that are not the paper's, as JSON",
}
"""Columns that :func:`labelled` adds, and what they say."""

WITH_COLUMNS = ("seed", "field_hash", "relation", "sign", "task", "variant", "protocol")
"""Parts of a specification that have columns of their own."""

ARM_TEXTS = {"correlation": "", "precision": ", precision", "sttc": ", STTC",
             "response": ", response", "free": "", "positive": ", positive"}  # fmt: skip
"""How the label of a condition ends in another arm than that of free correlation."""


def labelled(runs: pd.DataFrame) -> pd.DataFrame:
    """Label every run with its condition, its group and its settings.

    Parameters
    ----------
    runs : DataFrame
        Runs with the columns of :data:`cortexrnn.runs.archive.SCHEMA`.

    Returns
    -------
    DataFrame
        The same rows, with the columns :data:`LABELS`.
    """
    specifications = [json.loads(text) for text in runs["specification"]]
    texts = _settings_of(runs, specifications)
    rows = [
        _label(*of_run)
        for of_run in zip(specifications, runs["variant"], runs["protocol"], texts, strict=True)
    ]
    added = pd.DataFrame(rows, columns=list(LABELS), index=runs.index)
    return pd.concat([runs.drop(columns=list(LABELS), errors="ignore"), added], axis=1)


def _label(
    specification: dict[str, Any], variant: str, protocol: str, settings: str
) -> dict[str, Any]:
    """Make the columns of one run."""
    content = _content(specification)
    relation, sign = specification["relation"] or "correlation", specification["sign"]
    condition = _conditions().get(content)
    control = _arms().get((content, relation, sign))
    published = content in _published()
    if condition is None:
        # Settings are those that differ from the protocol's own, where it is a known one.
        is_unpublished = protocol in PROTOCOLS and protocol != PUBLISHED.name
        changes = [f"{protocol} protocol"] * is_unpublished + [settings] * bool(settings)
        condition = f"{variant} [{', '.join(changes)}]" if changes else variant
    switches = specification["protocol"]
    return {
        "condition": condition,
        "group": control.group if control else "published" if published else "",
        "label": control.name if control else condition + ARM_TEXTS[relation] + ARM_TEXTS[sign],
        "published": published,
        "settings": settings,
        "field_hash": specification["field_hash"],
        "strength": specification["strength"],
        "strength_unit": switches.get("strength_unit", PUBLISHED.strength_unit),
        "emd_strength": specification["emd_strength"],
        "plain_strength": switches["plain_strength"],
        "coordinates": switches["coordinates"],
        "grid_scale": switches["grid_scale"],
        "learning_rate": specification["learning_rate"],
        "batch_size": specification["batch_size"],
        "input_noise": specification["input_noise"],
        "dtype": specification["precision"],
        "first_task": specification.get("first_task") or "",
        "communicability_rank": specification.get("communicability_rank") or 0,
        "task_settings": json.dumps(dict(specification["task_settings"])),
    }


def _content(specification: Mapping[str, Any], *but: str) -> str:
    """Write what a specification says besides field, seed, relation and sign."""
    left_out = {"field_hash", "seed", "relation", "sign", *but}
    content = {name: value for name, value in specification.items() if name not in left_out}
    return json.dumps(content, sort_keys=True)


@functools.cache
def _arms() -> dict[tuple[str, str, str], Control]:
    """Known conditions by content, relation and sign."""
    return {
        (_content(json.loads(json.dumps(spec.resolved()))), one.relation, one.sign): one
        for one in CONDITIONS.values()
        for field in dict(one.strengths) or [""]
        for spec in one.specs(field=field, field_hash="", seeds=[0])
    }


@functools.cache
def _conditions() -> dict[str, str]:
    """Names of known conditions by content, whatever the arm."""
    return {content: one.condition for (content, _, _), one in _arms().items()}


@functools.cache
def _published(*but: str) -> set[str]:
    """Contents of the variants of the paper."""
    return {
        _content(json.loads(content), *but)
        for (content, _, _), one in _arms().items()
        if one.group == "published"
    }


def as_published(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs that are the paper's but for field, arm, seed and draw of trials.

    Those are runs of the paper's size, of its eleven variants and three tasks, under the
    ``published`` protocol, with every other setting as the paper has it. A run is known by its
    specification, so that a control, which may differ in something that has no column, cannot pass
    for a published variant.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.

    Returns
    -------
    DataFrame
        Some of its rows.
    """
    contents = _published("data_seed")
    is_published = [
        _content(json.loads(text), "data_seed") in contents for text in runs["specification"]
    ]
    return runs[pd.Series(is_published, index=runs.index, dtype=bool)]


def select(
    runs: pd.DataFrame, *, field: str, relation: Relation = "correlation", sign: Sign = "free"
) -> pd.DataFrame:
    """Select the runs of one arm of one field that can be compared with the paper.

    Those are runs :func:`as_published`, on the first draw of trials.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive.
    field, relation, sign : str
        Field and arm.

    Returns
    -------
    DataFrame
        Possibly without rows, in the order of task, seed and variant of the paper.
    """
    key = {"field": field, "relation": relation, "sign": sign, "data_seed": 0}
    chosen = as_published(runs[(runs[list(key)] == pd.Series(key)).all(axis=1)])
    for column, names in {"task": list(TASKS), "variant": list(VARIANTS)}.items():
        chosen = chosen.assign(**{column: pd.Categorical(chosen[column], names, ordered=True)})
    chosen = chosen.sort_values(["task", "seed", "variant"], ignore_index=True)
    return chosen.astype({"task": str, "variant": str})


def runs_of(runs: pd.DataFrame, control: Control, *, field: str) -> pd.DataFrame:
    """Find the runs of a condition on a field.

    Parameters
    ----------
    runs : DataFrame
        Runs of the archive, with :data:`LABELS`.
    control : Control
        The control, or a published variant.
    field : str
        Name of the field; of several contents of that name the first.

    Returns
    -------
    DataFrame
        Its recorded runs of its own seeds, in the order of task and seed; possibly none.

    Raises
    ------
    ValueError
        If runs are not labelled.
    """
    if "label" not in runs:
        raise ValueError("runs have no column 'label'; load them with load_archive")
    chosen = runs[runs["label"] == control.name]
    chosen = chosen[(chosen["field"] == field) & (chosen["seed"] < control.n_seeds)]
    if len(chosen):
        chosen = chosen[chosen["field_hash"] == chosen["field_hash"].iloc[0]]
    order = {task: place for place, (task, _) in enumerate(control.tasks)}
    chosen = chosen.drop_duplicates("identity").assign(place=chosen["task"].map(order))
    return chosen.sort_values(["place", "seed"], ignore_index=True).drop(columns="place")


def _settings_of(runs: pd.DataFrame, specifications: list[dict[str, Any]]) -> list[str]:
    """Name the settings of each run that no other column of a table of cells holds.

    Runs that agree in field, arm, protocol, variant, task and settings have one specification but
    for the seed: they are draws of one experiment, and only they may be averaged.
    """
    contents = [specification["field_hash"] for specification in specifications]
    several = pd.Series(contents).groupby(runs["field"].to_numpy()).transform("nunique") > 1
    return [
        _settings(specification, protocol, named=named)
        for specification, protocol, named in zip(
            specifications, runs["protocol"], several, strict=True
        )
    ]


def _settings(specification: dict[str, Any], protocol: str, *, named: bool) -> str:
    """Name the settings of a specification; the field too where several share its name."""
    usual = _usual(protocol)
    flat = {k: v for k, v in specification.items() if k != "protocol"} | specification["protocol"]
    changed = {k: v for k, v in flat.items() if k not in WITH_COLUMNS and v != usual.get(k)}
    if penalty := specification["variant"].get("penalty"):
        changed["penalty"] = penalty
    if named:
        changed["field_hash"] = specification["field_hash"]
    return ", ".join(f"{name}={_short(changed[name])}" for name in sorted(changed))


@functools.cache
def _usual(protocol: str) -> dict[str, Any]:
    """Give the paper's settings under a protocol, as a stored specification has them."""
    expected = PROTOCOLS.get(protocol, PUBLISHED)
    plain = RunSpec(field="", field_hash="", variant=VARIANTS["W"], task="", seed=0,
                    protocol=expected)  # fmt: skip
    usual: dict[str, Any] = json.loads(json.dumps(plain.resolved()))
    of_protocol: dict[str, Any] = usual.pop("protocol")
    return usual | of_protocol


def _short(value: Any) -> str:
    """Write a setting; a definition or a hash by its first digits."""
    if isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value):
        return " ".join(f"{name}:{_short(one)}" for name, one in value)
    if isinstance(value, dict):
        value = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    text = str(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text
