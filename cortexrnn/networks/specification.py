"""What defines a run: the protocol, the preset and the full specification.

Everything here is plain data; tasks and penalties that a user added have a definition that is. A
:class:`RunSpec` is complete: two runs with equal :attr:`RunSpec.identity` are the same computation,
and anything that changes a result is in it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from cortexrnn.fields.field import Relation
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of, whole_number
from cortexrnn.networks.code_digest import DefinitionError
from cortexrnn.networks.custom_penalty import PENALTIES, CustomPenalty
from cortexrnn.networks.neurogym import find_task
from cortexrnn.networks.tasks import CUSTOM_TASKS, TASKS, Task, check_task
from cortexrnn.networks.variant import Variant

__all__ = [
    "ARMS",
    "CORRECTED",
    "EMD_STRENGTH",
    "PRESETS",
    "PROTOCOLS",
    "PUBLISHED",
    "RELATIONS",
    "SIGNS",
    "STRENGTH",
    "Preset",
    "Protocol",
    "RunSpec",
    "UnregisteredError",
    "arm",
    "random_stream",
    "task_of",
]

RELATIONS: tuple[Relation, ...] = ("correlation", "precision", "sttc", "response")
"""Relations that functional weights W* can be made of, in the order in which another one is chosen
where a field lacks the one that was asked for; the paper has the first three."""
Sign = Literal["free", "positive"]
"""Sign that recurrent weights may take."""
SIGNS: tuple[Sign, ...] = get_args(Sign)
"""Signs that recurrent weights may take."""
Coordinates = Literal["reshaped", "soma"]
"""How positions become coordinates of units, see :class:`Protocol`."""
GridScale = Literal["index", "unit", "matched"]
"""In what unit the grid is measured, see :class:`Protocol`."""
PlainStrength = Literal["unit", "lambda"]
"""Strength of the plain penalty, see :class:`Protocol`."""
StrengthUnit = Literal["lambda", "gradient"]
"""What a strength is a multiple of, see :class:`Protocol`."""
FloatFormat = Literal["float32", "float64"]
"""Floating point format of training."""
PresetName = Literal["smoke", "quick", "paper"]
"""Name of a size of an experiment."""
ARMS: dict[tuple[Relation, Sign], str] = {
    ("correlation", "free"): "corr",
    ("correlation", "positive"): "corr+sign",
    ("precision", "free"): "precision",
    ("precision", "positive"): "precision+sign",
    ("sttc", "free"): "sttc",
    ("sttc", "positive"): "sttc+sign",
    ("response", "free"): "response",
    ("response", "positive"): "response+sign",
}
"""Relation and sign together, as the folders of the authors' repository name them. Responses to
stimulation, which they do not have, follow the same pattern."""


def arm(relation: Relation, sign: Sign) -> str:
    """Name of the arm, such as ``corr`` or ``sttc+sign``.

    Parameters
    ----------
    relation : {"correlation", "precision", "sttc", "response"}
        What functional weights are made of.
    sign : {"free", "positive"}
        Sign of recurrent weights.

    Returns
    -------
    str
        The arm.
    """
    one_of("relation", relation, RELATIONS)
    one_of("sign", sign, SIGNS)
    return ARMS[relation, sign]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the method is carried out: one switch per place where code and text differ.

    Parameters
    ----------
    name : str
        Short name for tables.
    coordinates : {"reshaped", "soma"}
        ``reshaped``: the (N, 3) positions are reshaped to (3, N) without a transpose, as in the
        released code, so a unit receives coordinates of other neurons. ``soma``: each unit has
        its own neuron's coordinates.
    plain_strength : {"unit", "lambda"}
        Strength of the plain penalty of variant ``W``: 1, as in the released code, or the
        same strength as in all other variants.
    grid_scale : {"index", "unit", "matched"}
        Grid coordinates as integer indices, as in the released code, scaled to [0, 1] along each
        axis as soma positions are, or scaled as a whole to the mean distance of D*.
    strength_unit : {"lambda", "gradient"}
        Strength as a factor of the penalty, as in the paper, or as the mean absolute gradient
        per weight that the penalty has at the initial weights, so that penalties of different size
        start with equal gradients.
    """

    name: str
    coordinates: Coordinates = "reshaped"
    plain_strength: PlainStrength = "unit"
    grid_scale: GridScale = "index"
    strength_unit: StrengthUnit = "lambda"

    def __post_init__(self) -> None:
        one_of("coordinates", self.coordinates, get_args(Coordinates))
        one_of("plain_strength", self.plain_strength, get_args(PlainStrength))
        one_of("grid_scale", self.grid_scale, get_args(GridScale))
        one_of("strength_unit", self.strength_unit, get_args(StrengthUnit))


PUBLISHED = Protocol(name="published")
"""What the released code does."""
CORRECTED = Protocol(
    name="corrected", coordinates="soma", plain_strength="lambda", grid_scale="unit"
)
"""What the text of the paper says."""
PROTOCOLS = {p.name: p for p in (PUBLISHED, CORRECTED)}


def protocol_name(protocol: Protocol) -> str:
    """Name a protocol as rows do: by the known one with the same switches, if there is one."""
    switches = replace(protocol, name="")
    alike = (name for name, known in PROTOCOLS.items() if replace(known, name="") == switches)
    return next(alike, protocol.name)


def _number(owner: Any, name: str) -> float:
    """Read a number that is finite and not negative."""
    value = getattr(owner, name)
    try:
        is_real = isinstance(value, Real) and not isinstance(value, bool)
        number = float(value) if is_real else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        shown = arguments.shown(value)
        raise ValueError(f"{name} must be a finite number >= 0, not {shown}")
    return number


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Size of an experiment.

    Parameters
    ----------
    n_seeds : int
        Runs per variant and task.
    epochs : int
        Passes over the training trials.
    n_train, n_validation : int
        Trials.

    Raises
    ------
    ValueError
        If one of them is no positive whole number.
    """

    n_seeds: int
    epochs: int
    n_train: int
    n_validation: int

    def __post_init__(self) -> None:
        for size in fields(self):
            object.__setattr__(
                self, size.name, whole_number(size.name, getattr(self, size.name), least=1)
            )


PRESETS: dict[PresetName, Preset] = {
    "smoke": Preset(n_seeds=1, epochs=1, n_train=512, n_validation=256),
    "quick": Preset(n_seeds=3, epochs=10, n_train=5120, n_validation=2560),
    "paper": Preset(n_seeds=20, epochs=10, n_train=5120, n_validation=2560),
}


LATER_SWITCHES: tuple[tuple[str, str, Any], ...] = (
    ("variant", "entries", "kept"),
    ("variant", "scaling", "standard"),
    ("variant", "self_distance", "zero"),
    ("variant", "strong_self_connections", None),
    ("variant", "penalty", None),
    ("protocol", "strength_unit", "lambda"),
    ("", "first_task", None),
    ("", "custom_tasks", {}),
    ("", "communicability_rank", None),
)
"""Switches added after the first runs were recorded, with the value that changes nothing. At that
value they are left out of a specification, so that recorded runs keep their identity."""


STORED_NAMES = {"dtype": "precision"}
"""Attributes of a :class:`RunSpec` that have another name in recorded specifications."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything that defines one run.

    Parameters
    ----------
    field : str
        Name of the field.
    field_hash : str
        Its :attr:`cortexrnn.fields.field.Field.hash_without_events`: events enter no run.
    variant : Variant or str
        What is trained; a string is read as a name of the paper.
    task : str or Task
        Name of the task, see :func:`cortexrnn.networks.neurogym.find_task`, or a task with its
        settings, which becomes its name.
    seed : int
        Seed of everything that differs between simulations: functional weights, permutation,
        other initial weights, input noise.
    relation : {"correlation", "precision", "sttc", "response"}
        What functional weights are made of.
    sign : {"free", "positive"}
        Sign that recurrent weights may take.
    protocol : Protocol
        Published or corrected, or one of your own.
    task_settings : mapping, optional
        Settings of the task that differ from the paper's.
    data_seed : int
        Seed of the trials; the published protocol draws them once for all simulations.
    n_train, n_validation, epochs, batch_size : int
        Size of training; batches are taken in fixed order.
    learning_rate : float
        Of Adam.
    input_noise : float
        Standard deviation of the Gaussian noise added to inputs while training.
    strength, emd_strength : float
        Lambda of the penalty and of the communicability distance.
    first_task : str or Task, optional
        Task that is trained first, with the same sizes and seeds. The run then starts from the
        recurrent weights that it gave, with new input and read-out weights.
    dtype : {"float32", "float64"}
        Floating point format of training; ``precision`` in the stored specification.
    custom_tasks : tuple of Task
        Tasks of one's own that `task` and `first_task` name: filled in where these are given as
        objects or by registered names. Their definitions are part of the identity.
    communicability_rank : int, optional
        Rank of the approximation of communicability for networks of thousands of neurons, see
        :mod:`cortexrnn.networks.low_rank_communicability`; without it communicability is exact.
        It becomes None for variants whose penalty has none of the network's own.

    Raises
    ------
    ValueError
        If a parameter is of another type, or has a value that it cannot have.
    """

    field: str
    field_hash: str
    variant: Variant
    task: str
    seed: int
    relation: Relation = "correlation"
    sign: Sign = "free"
    protocol: Protocol = PUBLISHED
    task_settings: tuple[tuple[str, Any], ...] = ()
    data_seed: int = 0
    n_train: int = 5120
    n_validation: int = 2560
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    input_noise: float = 0.05
    strength: float = 0.3
    emd_strength: float = 0.1
    dtype: FloatFormat = "float32"
    first_task: str | None = None
    custom_tasks: tuple[Task, ...] = ()
    communicability_rank: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.variant, str):
            object.__setattr__(self, "variant", Variant.parse(self.variant))
        _check_types(self)
        for name, value in _settled_tasks(self).items():
            object.__setattr__(self, name, value)
        one_of("relation", self.relation, RELATIONS)
        one_of("sign", self.sign, SIGNS)
        one_of("dtype", self.dtype, get_args(FloatFormat))
        for name in ("n_train", "n_validation", "epochs", "batch_size"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=1))
        for name in ("seed", "data_seed"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        for name in ("learning_rate", "input_noise", "strength", "emd_strength"):
            object.__setattr__(self, name, _number(self, name))
        if self.communicability_rank is not None:
            rank = whole_number("communicability_rank", self.communicability_rank, least=1)
            has_own = self.variant.communicability in ("direct", "emd")
            object.__setattr__(self, "communicability_rank", rank if has_own else None)

    @property
    def arm(self) -> str:
        """Relation and sign together."""
        return arm(self.relation, self.sign)

    def resolved(self) -> dict[str, Any]:
        """Specification as plain data, without what cannot change the result.

        Returns
        -------
        dict
            The field by content rather than by name, the protocol without its name, the relation
            only where the start is made of one, later switches only where they are used, and what
            a user added by its definition: name, settings and a digest of its code.
        """
        plain = asdict(self)
        if self.variant.penalty is not None:
            plain["variant"]["penalty"] = self.variant.penalty.definition
        for attribute, stored in STORED_NAMES.items():
            plain[stored] = plain.pop(attribute)
        plain["custom_tasks"] = {task.name: task.definition for task in self.custom_tasks}
        del plain["field"], plain["protocol"]["name"], plain["variant"]["base"]
        for part, switch, unused in LATER_SWITCHES:
            where = plain[part] if part else plain
            if where[switch] == unused:
                del where[switch]
        if not self.variant.uses_function:
            plain["relation"] = None
        return plain

    @property
    def identity(self) -> str:
        """Hash of the resolved specification, 32 hexadecimal digits."""
        text = json.dumps(self.resolved(), sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @classmethod
    def from_specification(cls, row: Mapping[str, Any]) -> RunSpec:
        """Read a recorded run back, so that it can be trained again.

        Parameters
        ----------
        row : mapping or Series
            A row of the archive, or these of its columns: ``specification`` (JSON, or what it
            holds) and ``field``; ``protocol``, a name, without which it is the known protocol of
            the same content or ``own``; and ``relation``, which a specification leaves open where
            nothing is made of it. Other columns are not read, see
            :func:`cortexrnn.runs.consistency.check_row`.

        Returns
        -------
        RunSpec
            With the identity of the recorded run.

        Raises
        ------
        ValueError
            If the row lacks something, its specification is damaged, incomplete, of another version
            or contradicts the row, or a task or penalty of one's own that it names is not
            registered here with the same settings and code.

        Examples
        --------
        >>> spec = RunSpec(field="f", field_hash="0" * 64, variant="W*D*C", task="go_nogo", seed=0)
        >>> row = {"field": "f", "specification": json.dumps(spec.resolved())}
        >>> RunSpec.from_specification(row) == spec
        True
        """
        return _read_back(row)


class UnregisteredError(DefinitionError):
    """A recorded run has a task or penalty of its own that is not registered in this process."""


OWN_PROTOCOL = "own"
"""Name of a protocol that is none of :data:`PROTOCOLS`, where a row does not name it."""


def _read_back(row: Mapping[str, Any]) -> RunSpec:
    """Read a row of the archive, see :meth:`RunSpec.from_specification`."""
    columns = _columns(row)
    stored = _stored(columns["specification"])
    optional = {name for part, name, _ in LATER_SWITCHES if not part}
    plain = _members("the specification", stored, RunSpec, without=("field",), optional=optional)
    protocol, variant = (
        _members(
            f"{part} of the specification", stored[part], kind, without=(unnamed,),
            optional={name for of, name, _ in LATER_SWITCHES if of == part},
        )
        for part, kind, unnamed in (("protocol", Protocol, "name"), ("variant", Variant, "base"))
    )  # fmt: skip
    if variant.get("penalty") is not None:
        variant["penalty"] = _registered("penalty", variant["penalty"], PENALTIES)
    definitions = plain.pop("custom_tasks", {})
    if not isinstance(definitions, Mapping):
        raise ValueError(
            f"custom_tasks of the specification is {definitions!r}, expected definitions by name; "
            f"{AS_WRITTEN}"
        )
    if not _are_settings(settings := plain["task_settings"]) or not all(
        isinstance(value, str | int | float | list | tuple | None)
        for _, value in dict(settings).items()
    ):
        raise ValueError(
            f"task_settings of the specification is {_brief(settings)}, expected pairs of a name "
            f"and a value; {AS_WRITTEN}"
        )
    plain |= {
        "field": columns["field"],
        "custom_tasks": tuple(_registered("task", d, CUSTOM_TASKS) for d in definitions.values()),
        "protocol": _named_protocol(protocol, columns.get("protocol")),
        "variant": Variant(base="", **variant),
        "relation": _relation(stored["relation"], columns.get("relation")),
    }
    spec = RunSpec(**plain)
    if (again := json.dumps(spec.resolved(), sort_keys=True, default=_plain)) != json.dumps(
        stored, sort_keys=True
    ):
        raise ValueError(
            f"the specification changes when it is read and written again, to {again}; {AS_WRITTEN}"
        )
    return spec


AS_WRITTEN = "give it as cortexrnn wrote it, or read it with the version that did"
"""Remedy for a specification that is damaged."""


def _columns(row: Any) -> dict[str, Any]:
    """Take the columns that say what a specification leaves out; missing values are left out."""
    if not hasattr(row, "keys") or not hasattr(row, "__getitem__"):
        raise ValueError(
            f"row is {_brief(row)}; give a row of load_archive(), such as runs.iloc[0]"
        )
    names = ("specification", "field", "relation", "protocol")
    values = {name: row[name] for name in names if name in row.keys()}  # noqa: SIM118  (a Series)
    present = {k: v for k, v in values.items() if v is not None and not _is_nan(v)}
    for name in ("specification", "field"):
        if name not in present:
            raise ValueError(f"the row has no {name}; give a row of load_archive()")
    for name in ("field", "relation", "protocol"):
        if not isinstance(present.get(name, ""), str):
            raise ValueError(f"{name} of the row is {_brief(present[name])}; give its name")
    return present


def _is_nan(value: Any) -> bool:
    """Whether a value is what pandas puts where there is none."""
    return isinstance(value, float) and math.isnan(value)


def _brief(value: Any) -> str:
    """Show a value in a message, cut where it is long."""
    text = arguments.shown(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _stored(specification: Any) -> dict[str, Any]:
    """Give the content of a stored specification."""
    content = specification
    if isinstance(specification, str):
        try:
            content = json.loads(specification)
        except (RecursionError, ValueError) as error:
            raise ValueError(
                f"the specification {_brief(specification)} is not JSON ({error}); {AS_WRITTEN}"
            ) from error
    if not isinstance(content, Mapping):
        raise ValueError(
            f"the specification is {_brief(specification)}, expected names and values; {AS_WRITTEN}"
        )
    return dict(content)


def _members(
    what: str, given: Any, kind: type, *, without: tuple[str, ...], optional: set[str]
) -> dict[str, Any]:
    """Refuse a part of a specification that has other members than this version knows."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} is {_brief(given)}, expected names and values; {AS_WRITTEN}")
    known = {STORED_NAMES.get(one.name, one.name) for one in fields(kind)} - set(without)
    if unknown := sorted(set(map(str, given)) - known):
        raise ValueError(f"{what} has {', '.join(unknown)}, which is unknown here; {AS_WRITTEN}")
    if missing := sorted(known - optional - set(given)):
        raise ValueError(f"{what} has no {', '.join(missing)}; {AS_WRITTEN}")
    attributes = {stored: name for name, stored in STORED_NAMES.items()}
    return {attributes.get(str(name), str(name)): value for name, value in given.items()}


def _named_protocol(switches: dict[str, Any], name: str | None) -> Protocol:
    """Make a protocol of its switches; refuse a known name with other switches than its own."""
    protocol = Protocol(name=OWN_PROTOCOL, **switches)
    if name is None:
        return PROTOCOLS.get(protocol_name(protocol), protocol)
    named = replace(protocol, name=name)
    if name in PROTOCOLS and named != PROTOCOLS[name]:
        raise ValueError(
            f"protocol of the row is {name!r}, and its specification has other switches, "
            f"{switches}; {AS_WRITTEN}"
        )
    return named


def _relation(stored: Any, column: str | None) -> Any:
    """Choose between the relation of a specification and that of its row."""
    if stored is None:
        return column or RELATIONS[0]
    if column is not None and column != stored:
        raise ValueError(
            f"relation of the row is {column!r}, and that of its specification {_brief(stored)}; "
            f"{AS_WRITTEN}"
        )
    return stored


Owned = TypeVar("Owned", Task, CustomPenalty)


def _registered(kind: str, definition: Any, known: Mapping[str, Owned]) -> Owned:
    """Find the registered task or penalty whose definition a specification holds."""
    if not isinstance(definition, Mapping) or set(definition) != {"name", "settings", "code"}:
        raise ValueError(
            f"definition of a {kind} is {_brief(definition)}, expected name, settings and code; "
            f"{AS_WRITTEN}"
        )
    name, settings = definition["name"], definition["settings"]
    if not isinstance(name, str) or not isinstance(settings, Mapping):
        raise ValueError(f"definition of a {kind} is {_brief(definition)}; {AS_WRITTEN}")
    remedy = f"import the code that the run was made with and call register_{kind}"
    if name not in known:
        raise UnregisteredError(
            f"the run has a {kind} of its own, {name!r}, and none of that name is registered; "
            f"{remedy}"
        )
    registered = known[name]
    if set(settings) == set(registered.settings):
        registered = replace(
            registered, **{key: _hashable(value) for key, value in settings.items()}
        )
    if registered.definition != dict(definition):
        raise UnregisteredError(
            f"the run has the {kind} {name!r} with settings {dict(settings)} and code "
            f"{_brief(definition['code'])}; the registered one has settings "
            f"{registered.definition['settings']} and code {registered.definition['code']!r}; "
            f"{remedy}"
        )
    return registered


def _check_types(spec: RunSpec) -> None:
    """Refuse what is of another type than a specification holds."""
    known: tuple[tuple[str, type, str], ...] = (
        ("field", str, "the name of the field"),
        ("field_hash", str, "the attribute hash_without_events of the field"),
        ("variant", Variant, "a name of the paper, or a Variant"),
        ("protocol", Protocol, "a Protocol, such as PROTOCOLS['published']"),
    )
    for name, kind, remedy in known:
        if not isinstance(value := getattr(spec, name), kind):
            raise ValueError(f"{name} is {value!r}; give {remedy}")
    tasks = spec.custom_tasks
    if not isinstance(tasks, tuple | list) or not all(isinstance(task, Task) for task in tasks):
        raise ValueError(f"custom_tasks is {tasks!r}; give a tuple of tasks")
    if not _are_settings(spec.task_settings):
        raise ValueError(
            f"task_settings is {spec.task_settings!r}; give names and values, such as "
            "{'delay_steps': 40}, or leave it out"
        )


def _are_settings(given: Any) -> bool:
    """Whether something is names with values, as a mapping or as pairs."""
    if isinstance(given, Mapping):
        return all(isinstance(name, str) for name in given)
    return isinstance(given, tuple | list) and all(
        isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in given
    )


def _settled_tasks(spec: RunSpec) -> dict[str, Any]:
    """Turn tasks into names and settings, and keep the definitions of those that a user added."""
    own_tasks = {task.name: check_task(task) for task in spec.custom_tasks}
    known = CUSTOM_TASKS | {name: task for name, task in own_tasks.items() if not task.is_built_in}
    settings = {name: _hashable(value) for name, value in dict(spec.task_settings).items()}
    names: dict[str, Any] = {}
    used: dict[str, Task] = {}
    for attribute in ("task", "first_task"):
        task = getattr(spec, attribute)
        if not isinstance(task, Task | str) and (task is not None or attribute == "task"):
            raise DefinitionError(f"{attribute} is {task!r}; give the name of a task, or a task")
        names[attribute] = check_task(task).name if isinstance(task, Task) else task
        if isinstance(task, Task) and task.is_built_in:
            changed = _changed_settings(task)
            if changed and attribute == "first_task":
                raise DefinitionError(
                    f"first_task is {task}; a task of this package that is trained first "
                    "has its own settings: give its name, or a task of your own"
                )
            settings = _of_built_in(task.name, changed | settings)
            continue
        custom = task if isinstance(task, Task) else known.get(task or "")
        if custom is None:
            if attribute == "task":
                settings = _of_built_in(str(task), settings)
            continue
        if attribute == "task" and settings:
            custom, settings = custom.with_settings(**settings), {}
        if used.setdefault(custom.name, custom).definition != custom.definition:
            raise DefinitionError(
                f"task and first_task are both named {custom.name!r} and differ in settings or "
                "code; give them names of their own"
            )
    ordered = tuple(used[name] for name in sorted(used))
    return names | {"task_settings": tuple(sorted(settings.items())), "custom_tasks": ordered}


def _of_built_in(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Give settings of a task of this package as the task has them, without its own values.

    What it cannot take stays as it is, and is refused where the task is made, except for values
    that Python takes for equal to others that it can take.
    """
    from cortexrnn.networks.neurogym import GYM_TASKS  # which is made of this module

    task = {**TASKS, **GYM_TASKS}.get(name)
    if task is None or not settings:
        return settings
    try:
        return _changed_settings(task.with_settings(**settings))
    except ValueError:
        if any(isinstance(value, bool | float) for value in settings.values()):
            raise  # True and 1, or 1.0 and 1, would make specifications that are equal
        return settings


def _changed_settings(task: Task) -> dict[str, Any]:
    """Find the settings of a task that differ from those that it has by itself."""
    plain = type(task)()
    return {k: v for k, v in task.settings.items() if v != plain.settings[k]}


def _hashable(value: Any) -> Any:
    """Give lists as tuples, which are the same in a specification."""
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """Turn numpy scalars into Python ones; anything else has no place in a specification."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be part of a specification")


def random_stream(seed: int, *labels: str) -> np.random.Generator:
    """Random generator for one purpose of one seed.

    Streams of different labels are independent, so that no draw shifts another: runs of one
    seed share, for example, input noise whatever their variants draw besides.

    Parameters
    ----------
    seed : int
        Seed of the run or of the data.
    *labels : str
        What the numbers are for.

    Returns
    -------
    numpy.random.Generator
        The same sequence for the same arguments, on every machine.
    """
    digest = hashlib.sha256("\0".join(labels).encode()).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def task_of(spec: RunSpec) -> Task:
    """Find the task of a run, with its settings.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    Task
        One of its own tasks, or one that is found by name.

    Raises
    ------
    ValueError
        If there is no such task, or it has no such setting.
    """
    own_tasks = {task.name: task for task in spec.custom_tasks}
    return (own_tasks.get(spec.task) or find_task(spec.task)).with_settings(
        **dict(spec.task_settings)
    )


STRENGTH = 0.3
"""Strength lambda of the distance penalties."""
EMD_STRENGTH = 0.1
"""Strength of the distance between communicability of network and connectome."""
