"""Identity of a run, its random streams, and what specifications refuse."""

import hashlib
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortexrnn.evidence.reproduction import load_again
from cortexrnn.fields.field import RELATION_NAMES
from cortexrnn.networks import specification
from cortexrnn.networks.custom_penalty import PENALTIES, CustomPenalty, register_penalty
from cortexrnn.networks.neurogym import GYM_TASKS
from cortexrnn.networks.specification import (
    ARMS,
    CORRECTED,
    PRESETS,
    PROTOCOLS,
    PUBLISHED,
    RELATIONS,
    SIGNS,
    Preset,
    PresetName,
    Protocol,
    RunSpec,
    UnregisteredError,
    arm,
    random_stream,
)
from cortexrnn.networks.tasks import CUSTOM_TASKS, TASKS, Task, register_task
from cortexrnn.networks.variant import CHOICES, VARIANTS, Switches, Variant
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.consistency import check_rows
from cortexrnn.runs.labels import as_published
from tests.conftest import SPECIFIED

ROOT = Path(__file__).parents[2]

BASE = RunSpec(field="f", field_hash="0" * 64, variant="W*D*C", task="one_choice", seed=0)

CHANGES = {
    "field_hash": "1" * 64,
    "variant": Variant.parse("W*D*C*"),
    "task": "go_nogo",
    "seed": 1,
    "relation": "sttc",
    "sign": "positive",
    "protocol": CORRECTED,
    "task_settings": (("delay_steps", 3),),
    "data_seed": 1,
    "n_train": 512,
    "n_validation": 256,
    "epochs": 1,
    "batch_size": 64,
    "learning_rate": 1e-2,
    "input_noise": 0.0,
    "strength": 0.1,
    "emd_strength": 0.2,
    "dtype": "float64",
    "first_task": "go_nogo",
    "communicability_rank": 16,
}


def test_every_parameter_but_the_name_of_the_field_is_tried():
    assert set(CHANGES) == {f.name for f in fields(RunSpec)} - {"field", "custom_tasks"}


@pytest.mark.parametrize("name", list(CHANGES))
def test_whatever_changes_a_result_changes_the_identity(name):
    assert replace(BASE, **{name: CHANGES[name]}).identity != BASE.identity


def test_what_a_type_checker_knows_is_what_there_is():
    assert set(RELATIONS) == set(RELATION_NAMES)
    assert set(PRESETS) == set(get_args(PresetName))
    assert {*ARMS} == {(relation, sign) for relation in RELATIONS for sign in SIGNS}
    switches = [f.name for f in fields(Variant) if f.name != "base"]
    assert (
        list(Switches.__annotations__)
        == switches
        == [
            *CHOICES,
            "strong_self_connections",
            "penalty",
        ]
    )


def test_the_floating_point_format_keeps_its_name_in_what_is_stored():
    stored = replace(BASE, dtype="float64").resolved()
    assert stored["precision"] == "float64"
    assert "dtype" not in stored


def test_the_identity_stays_what_it_was():
    # Archives outlive versions: if this changes, every recorded run becomes another one.
    assert BASE.identity == "02eda1c0da9090109b9088d6a239b0a2"


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ("W*D*C", {"variant": {"entries": "shuffled"}}),
        ("W*D*C", {"variant": {"self_distance": "mean"}}),
        ("WD*C", {"variant": {"scaling": "positive_part"}}),
        ("WD*C", {"variant": {"strong_self_connections": 0}}),
        ("W*D*C", {"protocol": {"strength_unit": "gradient"}}),
        ("W*D*C", {"first_task": "go_nogo"}),
        ("W*D*C*", {"communicability_rank": 16}),
    ],
)
def test_switches_that_came_later_change_the_identity_where_they_are_used(base, changes):
    plain = replace(BASE, variant=Variant.parse(base))
    own = ("first_task", "communicability_rank")
    new = {k: v if k in own else replace(getattr(plain, k), **v) for k, v in changes.items()}
    changed = replace(plain, **new)
    assert changed.identity != plain.identity
    switches = ("entries", "self_distance", "scaling", "strong_self_connections", "strength_unit")
    for name in (*switches, *own):
        used = any(name in ((k,) if k in own else v) for k, v in changes.items())
        assert (name in str(changed.resolved())) == used


@pytest.mark.parametrize(
    "variant", ["W", "W*D*", VARIANTS["W*D*C"].switched(communicability="frozen")], ids=str
)
def test_a_rank_is_no_part_of_a_run_that_approximates_nothing(variant):
    plain = replace(BASE, variant=variant)
    assert replace(plain, communicability_rank=16) == plain


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, "16"])
def test_a_rank_that_cannot_be_is_refused(rank):
    with pytest.raises(ValueError, match="communicability_rank must be a positive whole number"):
        replace(BASE, communicability_rank=rank)


def test_names_do_not_change_the_identity():
    assert replace(BASE, field="g").identity == BASE.identity
    assert replace(BASE, protocol=replace(PUBLISHED, name="mine")).identity == BASE.identity
    switched = Variant.parse("W*D*").switched(communicability="direct")
    assert replace(BASE, variant=switched).identity == BASE.identity


def test_a_relation_that_is_not_used_does_not_change_the_identity():
    orthogonal = replace(BASE, variant=Variant.parse("WD*C"))
    assert replace(orthogonal, relation="sttc").identity == orthogonal.identity


def test_settings_are_compared_whatever_their_order():
    one = replace(BASE, task_settings=(("b", 2), ("a", 1)))
    other = replace(BASE, task_settings=(("a", 1), ("b", 2)))
    assert one == other
    assert one.identity == other.identity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relation": "covariance"}, "unknown relation 'covariance'; choose one of correlation"),
        ({"sign": "negative"}, "unknown sign 'negative'"),
        ({"variant": "W?D"}, r"unknown variant 'W\?D'"),
        ({"epochs": 0}, "epochs must be a positive whole number, not 0"),
        ({"n_train": 1.5}, "n_train must be a positive whole number, not 1.5"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"strength": float("nan")}, "strength must be a finite number >= 0"),
        ({"dtype": "float16"}, "unknown dtype 'float16'"),
    ],
)
def test_specifications_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BASE, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": None}, "field is None; give the name"),
        ({"field_hash": 7}, "field_hash is 7; give the attribute hash_without_events"),
        ({"variant": None}, "variant is None; give a name of the paper, or a Variant"),
        ({"protocol": "published"}, "protocol is 'published'; give a Protocol, such as PROTOCOLS"),
        ({"protocol": None}, "protocol is None; give a Protocol"),
        ({"task": None}, "task is None; give the name of a task"),
        ({"task_settings": None}, "task_settings is None; give names and values"),
        ({"task_settings": ("ab",)}, "task_settings is .*; give names and values"),
        ({"task_settings": {1: 2}}, "task_settings is .*; give names and values"),
        ({"custom_tasks": ("x",)}, r"custom_tasks is \('x',\); give a tuple of tasks"),
        ({"custom_tasks": None}, "custom_tasks is None; give a tuple of tasks"),
        ({"strength": "0.3"}, "strength must be a finite number >= 0, not '0.3'"),
        ({"strength": None}, "strength must be a finite number >= 0, not None"),
        ({"learning_rate": True}, "learning_rate must be a finite number >= 0, not True"),
        ({"strength": 10**400}, "strength must be .*, not a number of more than 30 digits"),
        ({"epochs": True}, "epochs must be a positive whole number, not True"),
        ({"seed": False}, "seed must be a whole number >= 0, not False"),
        ({"seed": 2**63}, f"seed must be less than .*, not {2**63}"),
        ({"data_seed": 2**63}, f"data_seed must be less than .*, not {2**63}"),
        ({"data_seed": 10**5000}, "data_seed must be .*, not a number of more than 30 digits"),
    ],
)
def test_what_is_of_another_type_or_size_is_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BASE, **change)


def test_the_largest_seed_is_admitted():
    assert replace(BASE, seed=2**63 - 1, data_seed=np.uint64(2**63 - 1)).seed == 2**63 - 1


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True])
@pytest.mark.parametrize("name", [f.name for f in fields(Preset)])
def test_a_preset_is_of_positive_whole_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive whole number, not {value!r}"):
        replace(PRESETS["smoke"], **{name: value})


def test_arms_carry_the_names_of_the_authors_folders():
    assert arm("correlation", "free") == "corr"
    assert arm("sttc", "positive") == "sttc+sign"
    with pytest.raises(ValueError, match="unknown relation"):
        arm("corr", "free")


def test_presets_are_those_of_the_book():
    assert {name: p.n_seeds for name, p in PRESETS.items()} == {"smoke": 1, "quick": 3, "paper": 20}


@given(st.integers(0, 2**40), st.text(max_size=8), st.text(max_size=8))
def test_streams_are_repeatable_and_apart(seed, one, other):
    first = random_stream(seed, one).random(4)
    np.testing.assert_array_equal(first, random_stream(seed, one).random(4))
    if one != other:
        assert not np.array_equal(first, random_stream(seed, other).random(4))
    assert not np.array_equal(first, random_stream(seed + 1, one).random(4))


def test_labels_are_not_glued_together():
    assert random_stream(0, "ab", "c").random() != random_stream(0, "a", "bc").random()


# --- the identity is a function of the definition


@dataclass(frozen=True)
class Power(CustomPenalty):
    name = "power"
    power: float = 2.0

    def value(self, weights):
        return (weights.abs() ** self.power).sum((-2, -1))


@dataclass(frozen=True)
class Count(Task):
    name = "count"
    title = "Count"
    channel_names = class_names = ("a", "b")
    steps: int = 3
    gains: tuple = (1.0,)

    @property
    def durations(self):
        return [("all", self.steps)]

    def draw(self, n_trials, rng):
        return self.blank(n_trials), rng.integers(2, size=n_trials)


penalties = st.builds(Power, power=st.sampled_from([1.0, 2.0, 2.5]))
variants = st.one_of(
    st.sampled_from(["W", "WD*", "W*D*C", "W!D*C*"]).map(Variant.parse),
    st.builds(
        lambda base, penalty: Variant.parse(base).switched(penalty=penalty),
        st.sampled_from(["W", "W*"]), penalties,
    ),
)  # fmt: skip
tasks = st.one_of(
    st.sampled_from(["one_choice", "go_nogo"]),
    st.builds(Count, steps=st.integers(1, 3), gains=st.sampled_from([(), (1.0,), (1.5, 2.0)])),
)
settings_of_tasks = st.sampled_from([{}, {"delay_steps": 3}])
specifications = st.builds(
    lambda task, changed, **rest: RunSpec(
        field="f", field_hash="0" * 64, task=task,
        task_settings=changed if isinstance(task, str) else {}, **rest,
    ),
    tasks, settings_of_tasks, variant=variants, seed=st.integers(0, 2),
    sign=st.sampled_from(["free", "positive"]), strength=st.sampled_from([0.0, 0.3, 1.0]),
    protocol=st.sampled_from([PUBLISHED, CORRECTED]), epochs=st.integers(1, 3),
    first_task=st.sampled_from([None, "go_nogo"]),
)  # fmt: skip


unhurried = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the source of a class is read when its first definition is


@unhurried
@given(specifications, specifications)
def test_equal_specifications_have_equal_identities_and_others_have_others(one, other):
    assert (one.identity == other.identity) == (one == other)
    assert hash(replace(one)) == hash(one)


@unhurried
@given(specifications)
def test_the_identity_is_that_of_the_plain_data_alone(spec):
    stored = json.dumps(spec.resolved(), sort_keys=True)
    assert json.loads(stored) == json.loads(json.dumps(json.loads(stored)))
    plain = json.dumps(json.loads(stored), sort_keys=True)
    assert hashlib.sha256(plain.encode()).hexdigest()[:32] == spec.identity


@unhurried
@given(specifications)
def test_a_pickled_specification_is_the_same(spec):
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert (again.identity, again.resolved()) == (spec.identity, spec.resolved())


@unhurried
@given(specifications)
def test_numbers_of_other_types_are_the_same_specification(spec):
    other = replace(
        spec, seed=np.int64(spec.seed), epochs=np.int32(spec.epochs), n_train=np.int64(5120),
        strength=np.float64(spec.strength), emd_strength=np.float64(0.1),
        task_settings=[list(pair) for pair in spec.task_settings],
    )  # fmt: skip
    assert (other, other.identity) == (spec, spec.identity)
    json.dumps(other.resolved())
    whole = replace(spec, strength=1)
    assert whole.identity == replace(spec, strength=1.0).identity


def test_a_list_in_the_settings_of_a_task_is_a_tuple():
    one = replace(BASE, task="perceptual", task_settings={"coherences": [0, 10]})
    other = replace(BASE, task="perceptual", task_settings={"coherences": (0, 10)})
    assert (one, hash(one), one.identity) == (other, hash(other), other.identity)


IDENTIFY = """
import pickle, sys
print(*[spec.identity for spec in pickle.loads(sys.stdin.buffer.read())])
"""


def test_identities_are_the_same_in_another_process(tmp_path):
    specs = [
        BASE,
        replace(BASE, task=Count(gains=(1.5, 2.0)), first_task="go_nogo"),
        replace(BASE, variant=Variant.parse("W").switched(penalty=Power(power=2.5))),
    ]
    done = subprocess.run(
        [sys.executable, "-c", IDENTIFY], input=pickle.dumps(specs), capture_output=True,
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}, check=False,
    )  # fmt: skip
    assert done.stdout.decode().split() == [spec.identity for spec in specs], done.stderr


def test_every_recorded_specification_is_made_again_by_its_columns():
    runs = as_published(load_archive()).drop_duplicates("identity")
    assert len(runs) > 1000
    sample = runs.iloc[:: len(runs) // 50]
    for row in sample.to_dict("records"):
        spec = RunSpec(
            field_hash=json.loads(row["specification"])["field_hash"],
            **{name: row[name] for name in SPECIFIED},
        )
        assert json.dumps(spec.resolved(), sort_keys=True) == row["specification"]
        assert spec.identity == row["identity"]


def test_equal_variants_have_equal_names_however_they_were_made():
    # The permutation of W! is drawn by name.
    alias = replace(VARIANTS["W*D*C"], start="permuted")
    assert alias == VARIANTS["W!D*C"]
    assert alias.name == "W!D*C"
    for base in ("W!D*C", "W!DC", "W*DC"):
        variant = replace(Variant.parse(base), start="permuted", distance="matched")
        assert variant.name == "W!D*C [distance=matched]"
    assert replace(VARIANTS["WD*C"], start="identity").name == "WD*C [start=identity]"


# --- what was stored is read back


@st.composite
def any_variants(draw):
    """Any variant that switches allow; combinations that are refused are drawn again."""
    switches = {name: draw(st.sampled_from(values)) for name, values in CHOICES.items()}
    try:
        return Variant(base="", **switches)
    except ValueError:
        # Most random combinations contradict each other: then one switch of a variant of the paper.
        base = draw(st.sampled_from(sorted(VARIANTS)))
        name = draw(st.sampled_from(sorted(CHOICES)))
        try:
            return replace(VARIANTS[base], **{name: switches[name]})
        except ValueError:
            return VARIANTS[base]


protocols = st.one_of(
    st.sampled_from(list(PROTOCOLS.values())),
    st.builds(
        Protocol,
        name=st.sampled_from(["mine", "published, own", "ünï"]),
        coordinates=st.sampled_from(["reshaped", "soma"]),
        plain_strength=st.sampled_from(["unit", "lambda"]),
        grid_scale=st.sampled_from(["index", "unit", "matched"]),
        strength_unit=st.sampled_from(["lambda", "gradient"]),
    ),
)
numbers = st.floats(0, 1e6, allow_nan=False)
counts = st.integers(1, 2**63 - 1)
tasks_with_settings = st.one_of(
    st.tuples(st.sampled_from([*TASKS, *GYM_TASKS]), st.just({})),
    st.tuples(st.just("perceptual"), st.sampled_from([{"coherences": (0, 10)}, {"noise_sd": 0.5}])),
    st.tuples(st.just("one_choice"), st.fixed_dictionaries({"delay_steps": st.integers(0, 99)})),
    st.tuples(st.just(Count()), st.sampled_from([{}, {"steps": 2}, {"gains": (1.5, 2.0)}])),
)
any_specifications = st.builds(
    lambda given, first_task, **rest: RunSpec(
        field="f", field_hash="0" * 64, task=given[0], task_settings=given[1],
        first_task=None if isinstance(given[0], Count) else first_task, **rest,
    ),
    tasks_with_settings,
    variant=st.one_of(any_variants(), variants), seed=st.integers(0, 2**63 - 1),
    relation=st.sampled_from(RELATIONS), sign=st.sampled_from(SIGNS), protocol=protocols,
    data_seed=st.integers(0, 9), n_train=counts, n_validation=counts, epochs=counts,
    batch_size=counts, learning_rate=numbers, input_noise=numbers, strength=numbers,
    emd_strength=numbers, dtype=st.sampled_from(["float32", "float64"]),
    first_task=st.sampled_from([None, "go_nogo", "delay_match", Count()]),
    communicability_rank=st.one_of(st.none(), counts),
)  # fmt: skip


def row_of(spec):
    """What the archive stores of a specification, as far as it is read back."""
    return {
        "specification": json.dumps(spec.resolved(), sort_keys=True),
        "field": spec.field,
        "relation": spec.relation,
        "protocol": spec.protocol.name,
    }


@pytest.fixture
def registered():
    """A task and a penalty of one's own, known in this process while a test runs."""
    before = dict(CUSTOM_TASKS), dict(PENALTIES)
    register_task(Count())
    register_penalty(Power())
    yield
    for known, content in zip((CUSTOM_TASKS, PENALTIES), before, strict=True):
        known.clear()
        known.update(content)


@settings(unhurried, max_examples=200)
@given(spec=any_specifications)
def test_a_specification_that_was_stored_is_read_back(spec):
    CUSTOM_TASKS["count"], PENALTIES["power"] = Count(), Power()
    try:
        again = RunSpec.from_specification(row_of(spec))
        by_series = RunSpec.from_specification(pd.Series(row_of(spec) | {"accuracy": 1.0}))
    finally:
        del CUSTOM_TASKS["count"], PENALTIES["power"]
    assert again == by_series == spec
    assert again.identity == spec.identity
    assert again.resolved() == spec.resolved()


@unhurried
@given(spec=specifications.filter(lambda spec: not spec.custom_tasks and not spec.variant.penalty))
def test_what_a_row_does_not_say_is_the_usual(spec):
    row = {name: row_of(spec)[name] for name in ("specification", "field")}
    again = RunSpec.from_specification(row)
    assert again.identity == spec.identity
    assert again.protocol == spec.protocol
    content = row | {"specification": json.loads(row["specification"]), "relation": float("nan")}
    assert RunSpec.from_specification(content) == again


def test_a_protocol_without_a_name_is_ones_own():
    spec = replace(BASE, protocol=Protocol(name="mine", coordinates="soma"))
    row = row_of(spec) | {"protocol": None}
    again = RunSpec.from_specification(row)
    assert (again.protocol.name, again.identity) == (specification.OWN_PROTOCOL, spec.identity)


def test_every_recorded_row_is_read_back_with_its_identity_and_columns():
    runs = pd.concat([load_archive(), load_again()])
    assert len(runs) > 18_000
    assert check_rows(runs) == {}
    for row in runs.iloc[::97].to_dict("records"):
        spec = RunSpec.from_specification(row)
        assert spec.identity == row["identity"]
        assert json.dumps(spec.resolved(), sort_keys=True) == row["specification"]
        assert (spec.variant.name, spec.protocol.name) == (row["variant"], row["protocol"])
        columns = ("field", "relation", "sign", "arm", "task", "seed", "data_seed", "epochs")
        assert [getattr(spec, name) for name in columns] == [row[name] for name in columns]


def changed(**changes):
    """Row of the base whose specification has other members; None removes one."""
    content = BASE.resolved()
    for path, value in changes.items():
        part = content
        *above, name = path.split("__")
        for one in above:
            part = part[one]
        if value is None:
            del part[name]
        else:
            part[name] = value
    return row_of(BASE) | {"specification": content}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (None, r"row is None; give a row of load_archive\(\)"),
        ("{}", r"row is '{}'; give a row of load_archive\(\)"),
        ({}, "the row has no specification; give a row"),
        ({"specification": "{}"}, "the row has no field; give a row"),
        (row_of(BASE) | {"field": 7}, "field of the row is 7; give its name"),
        (row_of(BASE) | {"protocol": 7}, "protocol of the row is 7; give its name"),
        (row_of(BASE) | {"specification": "{"}, "specification '{' is not JSON .*; give it as"),
        (row_of(BASE) | {"specification": "[" * 9999}, "is not JSON"),
        (row_of(BASE) | {"specification": "[1]"}, r"is '\[1\]', expected names and values"),
        (row_of(BASE) | {"specification": b"{}"}, "is b'{}', expected names and values"),
        (row_of(BASE) | {"relation": "sttc"}, "relation of the row is 'sttc', and that of its"),
        (row_of(BASE) | {"protocol": "corrected"}, "protocol of the row is 'corrected', and its"),
        (changed(strength=None), "the specification has no strength; give it as cortexrnn wrote"),
        (changed(momentum=0.9), "the specification has momentum, which is unknown here; give it"),
        (changed(protocol__coordinates=None), "protocol of the specification has no coordinates"),
        (changed(variant__colour="red"), "variant of the specification has colour, which is"),
        (changed(variant="W"), "variant of the specification is 'W', expected names and values"),
        (changed(protocol=[]), r"protocol of the specification is \[\], expected names"),
        (changed(strength="0.3"), "strength must be a finite number >= 0, not '0.3'"),
        (changed(learning_rate=float("nan")), "learning_rate must be a finite number"),
        (changed(seed=1.5), "seed must be a whole number >= 0, not 1.5"),
        (changed(variant__start="sideways"), "unknown start 'sideways'"),
        (changed(variant__start=["functional"]), "unknown start"),
        (changed(variant__penalty=3), "definition of a penalty is 3, expected name, settings"),
        (changed(relation=3), "relation"),
        (changed(sign="negative"), "unknown sign 'negative'"),
        (changed(task=["one_choice"]), "task is"),
        (changed(task_settings=7), "task_settings of the specification is 7, expected pairs"),
        (changed(task_settings=[["delay_steps", {"a": 1}]]), "task_settings of the"),
        (changed(custom_tasks=[]), "custom_tasks of the specification"),
        (changed(custom_tasks={"a": {"name": "a"}}), "definition of a task is .*, expected name"),
        (changed(custom_tasks={"a": {"name": 1, "settings": {}, "code": ""}}), "definition of a"),
        (changed(strength=1), "changes when it is read and written again"),
        (changed(variant__entries="kept"), "changes when it is read and written again"),
        (changed(custom_tasks={}), "changes when it is read and written again"),
    ],
)  # fmt: skip
def test_what_was_not_stored_by_this_package_is_refused_in_words(row, message):
    with pytest.raises(ValueError, match=message):
        RunSpec.from_specification(row)


OWN = (
    ("task", "count", lambda: replace(BASE, task=Count(gains=(1.5, 2.0)))),
    (
        "penalty", "power",
        lambda: replace(BASE, variant=Variant.parse("W*").switched(penalty=Power(power=2.5))),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "make"), OWN)
def test_what_is_ones_own_has_to_be_registered(kind, name, make):
    with pytest.raises(
        UnregisteredError,
        match=f"{kind} of its own, '{name}', and none of that name .* call register_{kind}",
    ):
        RunSpec.from_specification(row_of(make()))


@pytest.mark.parametrize(("kind", "name", "make"), OWN)
def test_what_is_ones_own_has_to_be_the_same_code(registered, kind, name, make):
    assert RunSpec.from_specification(row_of(make())) == make()
    text = row_of(make())["specification"]
    code = json.loads(text)
    part = code["custom_tasks"] if kind == "task" else code["variant"]
    digest = part["count" if kind == "task" else "penalty"]["code"]
    row = row_of(make()) | {"specification": text.replace(digest, "0" * len(digest))}
    with pytest.raises(UnregisteredError, match=f"{kind} '{name}' with settings .* registered one"):
        RunSpec.from_specification(row)


def test_settings_of_ones_own_have_to_be_those_of_the_code(registered):
    text = row_of(OWN[0][2]())["specification"].replace('"steps": 3', '"paces": 3')
    with pytest.raises(UnregisteredError, match="'paces': 3"):
        RunSpec.from_specification(row_of(BASE) | {"specification": text})
