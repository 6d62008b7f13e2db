"""What a user adds: definitions, what they hold, and how they travel."""

import copy
import enum
import inspect
import json
import logging
import pickle
import subprocess
import sys
import types
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cortexrnn.definition import DefinitionError, _is_library
from cortexrnn.penalties import CustomPenalty
from cortexrnn.tasks import TASKS

ROOT = Path(__file__).parents[1]

# A module that a user may write; what stands between bars is changed by the tests below.
MINE = """
from dataclasses import dataclass
import enum
import functools
import logging
import numpy as np
import torch
from cortexrnn.penalties import CustomPenalty

SCALE = {scale}
GAIN = {gain}
TABLE = np.array([1.0, {entry}])
log = logging.getLogger(__name__)

class Kind(enum.Enum):
    SUM = "{kind}"

def cost(weights, factor={default}):
    return SCALE * weights.{function}() * factor

def scaled(method):
    def wrapper(self, *arguments):
        return method(self, *arguments) * {wrapped}
    return wrapper

def made_by(offset):
    def add(value):
        return value + offset
    return add

class Mixin:
    exponent = {exponent}

    @property
    def factor(self):
        return {factor}

    @staticmethod
    def name_of_axis():
        return {axis}

add = made_by({closure})

@dataclass(frozen=True)
class Mine(Mixin, CustomPenalty):
    name = "mine"
    power: float = {setting}

    @scaled
    def value(self, weights):
        log.debug("called")
        total = add(cost(weights) ** self.power * self.factor * TABLE[1]) ** self.exponent
        inner = lambda x: x * {inner} * GAIN
        assert Kind.SUM is not None and self.name_of_axis() == {axis}
        return inner(total).sum((-2, -1))
"""

PLAIN = {
    "scale": "2.0", "entry": "3.0", "default": "1.0", "function": "abs", "wrapped": "1.0",
    "exponent": "1", "factor": "1.0", "axis": "-1", "closure": "0.0", "setting": "2.0",
    "inner": "1.0", "kind": "sum", "gain": "1.0",
}  # fmt: skip
OTHER = {
    "scale": "2.5", "entry": "4.0", "default": "1.5", "function": "square", "wrapped": "2.0",
    "exponent": "2", "factor": "3.0", "axis": "-2", "closure": "1.0", "setting": "3.0",
    "inner": "5.0", "kind": "mean", "gain": "2.0",
}  # fmt: skip


def imported(folder, name, text):
    """Import a module from text, as one that a user wrote."""
    import importlib.util

    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mine(tmp_path):
    """Make a penalty out of the module above with some of it changed."""
    count = 0

    def make(extra="", **changes):
        nonlocal count
        count += 1
        text = MINE.format(**(PLAIN | changes)) + extra
        return imported(tmp_path, f"mine_{count}", text).Mine()

    yield make
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        del sys.modules[name]


def test_the_same_text_is_the_same_definition(mine):
    one, other = mine(), mine()
    assert type(one) is not type(other)
    assert one.definition == other.definition
    assert one.definition | {"code": ""} == {"name": "mine", "settings": {"power": 2}, "code": ""}
    assert len(one.definition["code"]) == 32


@pytest.mark.parametrize("part", list(PLAIN))
def test_whatever_of_it_changes_a_result_changes_the_definition(mine, part):
    assert mine(**{part: OTHER[part]}).definition != mine().definition


def test_what_nothing_refers_to_changes_nothing(mine):
    extra = "\nUNUSED = object()\n\ndef unused():\n    return UNUSED\n"
    assert mine(extra).definition == mine().definition
    assert mine().definition == mine(factor="1.0\n\n").definition  # empty lines


def test_a_value_that_is_changed_later_is_seen(mine):
    penalty = mine()
    before = penalty.definition
    sys.modules[type(penalty).__module__].SCALE = 9.0
    assert penalty.definition != before


def test_a_file_that_is_changed_later_is_not_taken_for_what_runs(mine, tmp_path):
    penalty = mine()
    before = penalty.definition
    path = Path(sys.modules[type(penalty).__module__].__file__)
    path.write_text("# nothing is left\n" * 80)
    assert penalty.definition == before


@dataclass(frozen=True)
class Plain(CustomPenalty):
    name = "plain"
    power: float = 1.0
    label: str = "a"
    angles: tuple = (0.0, 90.0)

    def value(self, weights):
        return weights.abs().sum((-2, -1))


def test_settings_are_plain_data_and_equal_numbers_are_equal():
    one, other = (json.dumps(Plain(power=p).definition) for p in (np.float32(2), 2))
    assert one == other
    assert Plain().definition["settings"] == {"power": 1, "label": "a", "angles": [0, 90]}
    assert Plain(power=1.5).definition["settings"]["power"] == 1.5
    json.dumps(Plain().definition)


@pytest.mark.parametrize("value", [[0.0], {"a": 1}, float("nan"), object(), np.zeros(2), 1j])
def test_settings_of_other_kinds_are_refused(value):
    with pytest.raises(DefinitionError, match=r"setting angles of plain is .*tuples of these"):
        _ = Plain(angles=value).definition


@pytest.mark.parametrize("name", [None, "", "a b", "a,b", "[a]", "1a", 7])
def test_names_that_cannot_stand_in_a_column_are_refused(name):
    wrong = type("Wrong", (Plain,), {"name": name})
    with pytest.raises(DefinitionError, match=r"Wrong is named .*such as name = 'mine'"):
        _ = wrong().definition


def test_what_is_kept_outside_of_settings_is_refused_or_seen():
    class Hidden(Plain):
        def __init__(self, power):
            self.strength = power

    @dataclass(frozen=True)
    class Derived(Plain):
        def __post_init__(self):
            object.__setattr__(self, "half", len(self.label) / 2)

    @dataclass(frozen=True)
    class Cached(Plain):
        @cached_property
        def half(self):
            return 1

    with pytest.raises(
        DefinitionError, match="Hidden has an __init__, whose arguments nobody sees"
    ):
        _ = Hidden(2.0).definition
    changed = Derived()
    object.__setattr__(changed, "half", 7)
    assert changed.definition["code"] != Derived().definition["code"]
    cached = Cached()
    assert (cached.definition, cached.half) == (Cached().definition, 1)
    assert cached.definition == Cached().definition


def test_it_is_written_with_the_settings_that_differ():
    assert str(Plain()) == "plain"
    assert str(Plain(power=3, label="b")) == "plain(power=3, label=b)"

    @dataclass(frozen=True)
    class Needed(Plain):
        count: int = field(kw_only=True)

    assert str(Needed(count=2)) == "plain(count=2)"


REFERRED = object()
SETTLED = {"a": (1, 2.5), "b": {3, 4}, "c": [None, True, b"x", 1 + 2j]}
TENSOR = torch.arange(3)


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: float = 1.0


@lru_cache
def remembered(x):
    return x


HALF = partial(remembered, 0.5)
POINT = Point()
LOG = logging.getLogger("x")


def test_what_code_may_refer_to():
    @dataclass(frozen=True)
    class Much(Plain):
        def value(self, weights):
            LOG.info("%s %s", np.sin(1), torch.nn.functional.relu)
            return (SETTLED, TENSOR, Colour.RED, POINT, HALF, remembered(1), torch.float32)

    before = Much().definition
    assert before == Much().definition
    TENSOR[0] = 5
    try:
        assert Much().definition != before
    finally:
        TENSOR[0] = 0
    POINT.x = 2.0
    try:
        assert Much().definition != before
    finally:
        POINT.x = 1.0
    assert Much().definition == before


def test_code_that_refers_to_what_nobody_can_write_down_is_refused():
    @dataclass(frozen=True)
    class Vague(Plain):
        def value(self, weights):
            return REFERRED

    with pytest.raises(DefinitionError, match="Vague uses REFERRED, a object, which cannot become"):
        _ = Vague().definition


def test_code_without_source_is_refused():
    names = {"Plain": Plain, "dataclass": dataclass, "__name__": "typed"}
    exec(
        "@dataclass(frozen=True)\nclass Typed(Plain):\n"
        "    def value(self, weights): return weights\n"
        "    other = lambda self: 1\n",
        names,
    )
    with pytest.raises(DefinitionError, match=r"cannot be read .*define Typed in a file"):
        _ = names["Typed"]().definition


def test_a_copy_is_the_same():
    penalty = Plain()
    assert copy.copy(penalty) is penalty
    assert copy.deepcopy([penalty])[0] is penalty


def test_here_a_pickle_is_the_same_class_again():
    again = pickle.loads(pickle.dumps(Plain(power=3)))
    assert type(again) is Plain
    assert again == Plain(power=3)
    # The class is not made again, which would change it: others can still be made of it.
    assert all(one.default_factory is MISSING for one in fields(Plain))
    assert pickle.loads(pickle.dumps(TASKS["one_choice"])) == TASKS["one_choice"]
    assert len(pickle.dumps(TASKS["one_choice"])) < 200  # by reference


RECEIVE = """
import json, pickle, sys
import torch
pickled = sys.stdin.buffer.read()
one, other = pickle.loads(pickled)
again = pickle.loads(pickle.dumps(one))
print(json.dumps([one.definition, again.definition, one == again, type(one) is type(other),
                  one.settings, str(one), float(one.value(torch.full((1, 2, 2), 2.0)))]))
"""


def received(pickled, folder):
    """Unpickle in another interpreter, which has the package and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", RECEIVE], input=pickled, capture_output=True, cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_another_process_has_it_without_its_file(mine, tmp_path):
    one = mine(setting="2.0", scale="4.0")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    other = type(one)(power=1.0)
    pickled = pickle.dumps((one, other))
    Path(sys.modules[type(one).__module__].__file__).unlink()
    definition, again, equal, alike, settings, text, value = received(pickled, folder)
    assert definition == again == one.definition
    assert equal and alike
    assert (settings, text) == (one.settings, str(one))
    assert value == float(one.value(torch.full((1, 2, 2), 2.0)))


def test_what_other_processes_have_is_told_from_what_is_the_user_s(monkeypatch):
    for module in ("numpy.linalg", "json", "builtins", "cortexrnn.tasks", "torch.nn"):
        assert _is_library(module)
    # A main module is the user's, whatever started it.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", np.__file__, raising=False)
    for module in ("__main__", __name__, "tools.project", "nowhere"):
        assert not _is_library(module)


def test_a_library_may_move_its_code(mine, monkeypatch):
    before = mine().definition
    moved = types.ModuleType("cortexrnn.networks.penalties")
    moved.CustomPenalty = CustomPenalty
    monkeypatch.setitem(sys.modules, moved.__name__, moved)
    monkeypatch.setattr(CustomPenalty, "__module__", moved.__name__)
    assert mine().definition == before


def test_a_function_of_a_library_counts_by_its_name(monkeypatch):
    @dataclass(frozen=True)
    class Named(Plain):
        def value(self, weights):
            return np_function(weights)

    global np_function
    np_function, found = np.mean, []
    for module, function in (("numpy.core.x", np.mean), ("numpy.new.y", np.mean), ("", np.sum)):
        np_function = function
        with monkeypatch.context() as moved:
            moved.setitem(inspect.unwrap(function).__globals__, "__name__", module or "numpy.x")
            found.append(Named().definition["code"])
    assert found[0] == found[1] != found[2]


np_function = np.mean
