"""Identity of a run, its random streams, and what specifications refuse."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexrnn.protocol import (
    CORRECTED,
    PRESETS,
    PUBLISHED,
    RunSpec,
    Variant,
    arm,
    random_stream,
)

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
    "precision": "float64",
    "first_task": "go_nogo",
}


def test_every_parameter_but_the_name_of_the_field_is_tried():
    assert set(CHANGES) == {f.name for f in fields(RunSpec)} - {"field", "custom_tasks"}


@pytest.mark.parametrize("name", list(CHANGES))
def test_whatever_changes_a_result_changes_the_identity(name):
    assert replace(BASE, **{name: CHANGES[name]}).identity != BASE.identity


def test_the_identity_stays_what_it_was():
    # Archives outlive versions: if this changes, every recorded run becomes another one.
    assert BASE.identity == "02eda1c0da9090109b9088d6a239b0a2"


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ("W*D*C", {"variant": {"entries": "shuffled"}}),
        ("W*D*C", {"variant": {"self_distance": "mean"}}),
        ("WD*C", {"variant": {"scaling": "positive_part"}}),
        ("W*D*C", {"protocol": {"strength_unit": "gradient"}}),
        ("W*D*C", {"first_task": "go_nogo"}),
    ],
)
def test_switches_that_came_later_change_the_identity_where_they_are_used(base, changes):
    plain = replace(BASE, variant=Variant.parse(base))
    new = {
        k: replace(getattr(plain, k), **v) if k != "first_task" else v for k, v in changes.items()
    }
    changed = replace(plain, **new)
    assert changed.identity != plain.identity
    for name in ("entries", "self_distance", "scaling", "strength_unit", "first_task"):
        used = any(name in ((k,) if k == "first_task" else v) for k, v in changes.items())
        assert (name in str(changed.resolved())) == used


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
        ({"precision": "float16"}, "unknown precision 'float16'"),
    ],
)
def test_specifications_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BASE, **change)


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
