"""What a user adds: definitions, what they hold, and how they travel."""

import contextlib
import copy
import enum
import importlib.util
import inspect
import json
import linecache
import logging
import pickle
import re
import subprocess
import sys
import types
import warnings
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from cortexrnn.networks.code_digest import DefinitionError, _is_library
from cortexrnn.networks.custom_penalty import CustomPenalty
from cortexrnn.networks.tasks import TASKS

ROOT = Path(__file__).parents[2]

# A module that a user may write; what stands between bars is changed by the tests below.
MINE = """
from dataclasses import dataclass
import enum
import functools
import logging
import numpy as np
import torch
from cortexrnn.networks.custom_penalty import CustomPenalty

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
        DefinitionError, match="Hidden has an __init__, whose arguments cannot be recorded"
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
    for module in ("numpy.linalg", "json", "builtins", "cortexrnn.networks.tasks", "torch.nn"):
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
    np_function, values = np.mean, []
    for module, function in (("numpy.core.x", np.mean), ("numpy.new.y", np.mean), ("", np.sum)):
        np_function = function
        with monkeypatch.context() as moved:
            moved.setitem(inspect.unwrap(function).__globals__, "__name__", module or "numpy.x")
            values.append(Named().definition["code"])
    assert values[0] == values[1] != values[2]


np_function = np.mean


# --- code that is reached in other ways than by the name of a function


def built(body="", value="return weights.abs().sum((-2, -1))", **names):
    """Make a penalty whose method finds `names` around it."""
    names = names | {"Plain": Plain, "dataclass": dataclass, "ClassVar": ClassVar}
    return imported_text(
        f"@dataclass(frozen=True)\nclass Built(Plain):\n    {body or 'pass'}\n"
        f"    def value(self, weights):\n        {value}\n",
        names,
    )["Built"]()


def imported_text(text, names):
    """Run text that has a source, as a cell of a notebook has, in a module of its own."""
    file = f"<cell {len(linecache.cache)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names["__name__"] = "a_cell"
    exec(compile(text, file, "exec"), names)
    return names


def code_of(penalty):
    return penalty.definition["code"]


def test_a_class_attribute_counts_however_it_is_annotated():
    texts = ("scale: ClassVar[float] = 1.0", "scale: ClassVar[float] = 5.0")
    assert code_of(built(texts[0])) == code_of(built(texts[0])) != code_of(built(texts[1]))


def uses(**names):
    """Code of a penalty that uses one thing."""
    (name,) = names
    return code_of(built(value=f"return {name}(weights)", **names))


def helper(scale):
    """A class whose instances do not differ in source."""

    @dataclass
    class Helper:
        scale: float

        def cost(self, weights):
            return self.scale * weights

    return Helper(scale)


def test_what_a_method_is_bound_to_counts():
    for one, other in (
        ({"a": 1.0}.get, {"a": 5.0}.get),
        ({"a": 1.0}.__getitem__, {"a": 5.0}.__getitem__),
        ((1.0).__mul__, (5.0).__mul__),
        (helper(1.0).cost, helper(5.0).cost),
        (np.add.reduce, np.multiply.reduce),
        (torch.sum, torch.mean),
        (re.compile("a").match, re.compile("a", re.IGNORECASE).match),
    ):
        assert uses(f=one) == uses(f=one) != uses(f=other)


def twice(x):
    return 2 * x


def scripted(weights):
    return weights


def made_of_a_function():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield np.vectorize(twice)
        yield np.frompyfunc(twice, 1, 1)
        yield torch.jit.script(scripted)
        yield np.random.default_rng(0).normal


@pytest.mark.parametrize("thing", [*made_of_a_function()], ids=lambda thing: type(thing).__name__)
def test_what_was_made_of_a_function_that_nobody_sees_is_refused(thing):
    with pytest.raises(DefinitionError, match=r"Built uses f, .*a function of your own, or"):
        uses(f=thing)


def test_what_a_library_made_of_functions_counts_with_them():
    one, other = (torch.vmap(f) for f in (twice, scripted))
    assert uses(f=one) == uses(f=torch.vmap(twice)) != uses(f=other)
    assert uses(f=torch.vmap(twice, in_dims=1)) != uses(f=one)


def test_lambdas_on_one_line_are_told_apart():
    one, other = (lambda w: w, lambda w: 5 * w)
    outer = lambda k: lambda w: k * w  # noqa: E731
    table = {
        "a": lambda w:
            w + 1,
        "b": lambda w:
            w + 2,
    }  # fmt: skip
    codes = [uses(f=f) for f in (one, other, outer, outer(1), outer(2), table["a"], table["b"])]
    assert len(set(codes)) == 7
    assert codes == [
        uses(f=f) for f in (one, other, outer, outer(1), outer(2), table["a"], table["b"])
    ]


def test_a_lambda_that_moves_in_its_file_stays_the_same():
    one, other = (
        imported_text(f"{before}f = lambda w: 2 * w\n", {})["f"] for before in ("", "\nx = 1; ")
    )
    assert uses(f=one) == uses(f=other)


PACKAGES = {
    "pen": """
from dataclasses import dataclass
from cortexrnn.networks.custom_penalty import CustomPenalty
import mypkg.costs
import spaced.costs
import mid
import whole
import config
from record import RECORD

@dataclass(frozen=True)
class A(CustomPenalty):
    name = "a"
    def value(self, weights):
        return mypkg.costs.cost(weights).sum((-2, -1))

@dataclass(frozen=True)
class B(CustomPenalty):
    name = "b"
    def value(self, weights):
        return mid.cost(weights).sum((-2, -1))

@dataclass(frozen=True)
class C(CustomPenalty):
    name = "c"
    def value(self, weights):
        return getattr(whole, "cost")(weights).sum((-2, -1))

@dataclass(frozen=True)
class D(CustomPenalty):
    name = "d"
    def value(self, weights):
        return weights.sum((-2, -1)) * config.SCALE

@dataclass(frozen=True)
class E(CustomPenalty):
    name = "e"
    def value(self, weights):
        return spaced.costs.cost(weights).sum((-2, -1))

@dataclass(frozen=True)
class F(CustomPenalty):
    name = "f"
    def value(self, weights):
        return weights.sum((-2, -1)) * RECORD.x
""",
    "mypkg/__init__": "",
    "mypkg/costs": "from .low import cost as low\ndef cost(w): return low(w)",
    "mypkg/low": "def cost(w): return 5 * w.abs()",
    "spaced/costs": "def cost(w): return 5 * w.abs()",
    "mid": "import low\ndef cost(w): return low.cost(w)",
    "low": "def cost(w): return 5 * w.abs()",
    "whole": "from low import cost",
    "config": "SCALE = 5",
    "record": "from typing import NamedTuple\nclass R(NamedTuple):\n    x: float\n"
    "    y: float\nRECORD = R(5, 1)",
}


@contextlib.contextmanager
def package(folder, files):
    """Import modules out of a folder for a while."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    known = set(sys.modules)
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            del sys.modules[name]


def codes_in(pen):
    return {name: code_of(getattr(pen, name)()) for name in "ABCDEF"}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    with package(tmp_path_factory.mktemp("before"), PACKAGES) as get:
        return codes_in(get("pen"))


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("mypkg/costs", "A"), ("mypkg/low", "A"), ("spaced/costs", "E"), ("mid", "B"),
        ("low", "BC"), ("config", "D"), ("record", "F"),
    ],
)  # fmt: skip
def test_modules_are_read_as_far_as_they_are_imported(before, tmp_path, file, changed):
    text = PACKAGES[file]
    other = text.replace("5", "6") if "5" in text else text + "\nOTHER = 1"
    with package(tmp_path, PACKAGES | {file: other}) as get:
        after = codes_in(get("pen"))
    assert {name for name in before if before[name] != after[name]} == set(changed)


def test_a_value_in_a_module_that_is_changed_from_outside_is_seen(before, tmp_path):
    with package(tmp_path, PACKAGES) as get:
        pen = get("pen")
        get("config").SCALE = 6
        after = codes_in(pen)
    assert {name for name in before if before[name] != after[name]} == {"D"}


def test_what_somebody_else_imported_changes_nothing(before, tmp_path):
    files = PACKAGES | {"mypkg/other": "THING = object()"}
    with package(tmp_path, files) as get:
        get("mypkg.other"), get("low")
        assert codes_in(get("pen")) == before


RECEIVE_ALL = """
import pickle, sys
import torch
for one in pickle.loads(sys.stdin.buffer.read()):
    print(one.definition["code"], float(one.value(torch.full((1, 2, 2), 2.0))))
"""


def test_modules_travel_as_far_as_they_are_imported(before, tmp_path):
    first, second = tmp_path / "here", tmp_path / "there"
    second.mkdir()
    with package(first, PACKAGES) as get:
        pen = get("pen")
        pickled = pickle.dumps([getattr(pen, name)() for name in before])
        assert codes_in(pen) == before
    done = subprocess.run(
        [sys.executable, "-c", RECEIVE_ALL], input=pickled, capture_output=True, cwd=second,
        env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == [f"{code} 40.0" for code in before.values()]


def test_code_that_is_imported_when_it_is_called_is_refused(monkeypatch, tmp_path):
    (tmp_path / "beside_it.py").write_text("def cost(w): return w")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DefinitionError, match=r"value, which imports beside_it .*at the top"):
        code_of(built(value="from beside_it import cost; return cost(weights)"))
    code_of(built(value="import math; import not_there; return math.pi * weights"))


@pytest.mark.parametrize("call", ["eval('f')", "globals()['f']", "__import__('f')"])
def test_code_that_is_looked_up_when_it_is_called_is_refused(call):
    with pytest.raises(DefinitionError, match="so that the code it runs cannot be read"):
        code_of(built(value=f"return {call}(weights)"))


@pytest.mark.parametrize("names", [{"__name__": "__main__"}, {}, {"__name__": "cortexrnn.mine"}])
def test_code_that_was_typed_is_refused_whatever_module_it_names(names):
    names = names | {"Plain": Plain, "dataclass": dataclass}
    exec(
        "@dataclass(frozen=True)\nclass Typed(Plain):\n    def value(self, weights):\n"
        "        return weights\n",
        names,
    )
    with pytest.raises(DefinitionError, match=r"the source of Typed\.value cannot be read"):
        _ = names["Typed"]().definition
    assert not names["Typed"]().is_built_in


def test_a_file_with_the_name_of_a_module_of_python_is_the_user_s(tmp_path, monkeypatch):
    codes = []
    for scale in (1, 5):
        monkeypatch.setitem(sys.modules, "this", None)
        module = imported(tmp_path, "this", f"def cost(w):\n    return {scale} * w\n")
        codes.append(uses(f=module.cost))
        linecache.clearcache()
    assert codes[0] != codes[1]


def test_special_attributes_count_whatever_they_are():
    bodies = [f"__call__ = partial(max, {n})" for n in (1, 2)]
    assert code_of(built(bodies[0], partial=partial)) != code_of(built(bodies[1], partial=partial))


def test_equal_definitions_have_equal_names():
    for one, other in ((1, 1.0), (0.0, -0.0), (3, np.float32(3)), (10**17, 1e17)):
        assert Plain(power=one).definition == Plain(power=other).definition
        assert str(Plain(power=one)) == str(Plain(power=other))
    assert str(Plain(angles=(0, 1.5))) == str(Plain(angles=(0.0, 1.5)))
    # A default decides what is written, so it is part of the definition.
    texts = ("power: float = 2.0", "power: float = 3.0")
    two, three = (type(built(text))(power=2.0) for text in texts)
    assert str(two) != str(three) and two.definition != three.definition
