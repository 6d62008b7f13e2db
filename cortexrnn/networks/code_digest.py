"""Definitions: what a user adds to the package, as part of the identity of a run.

A task or a penalty of one's own is a frozen dataclass. A run that uses it is defined by the name of
the class, its settings and its code: a digest of the source of its methods and of everything of the
user's that they refer to. Two classes of one name are therefore two definitions, and runs of the
one never pass for runs of the other. Libraries count by name.

Instances can be sent to any process: what is not installed there is sent along.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import dis
import enum
import functools
import hashlib
import importlib.util
import inspect
import itertools
import logging
import math
import pickle
import re
import sys
import sysconfig
import textwrap
import types
import uuid
import weakref
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import cloudpickle
import numpy as np
import torch

__all__ = ["Defined", "DefinitionError"]

NAME = r"[A-Za-z][\w.-]*"
"""Pattern of names: they appear in columns, in lists with commas and in brackets."""

GENERATED = "__create_fn__.<locals>."
"""Prefix of the code names of methods that :mod:`dataclasses` generates."""

PASSIVE = {
    "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__",
    "__annotations_cache__", "__classdictcell__", "__dataclass_fields__", "__dataclass_params__",
    "__dict__", "__doc__", "__firstlineno__", "__match_args__", "__module__", "__orig_bases__",
    "__parameters__", "__qualname__", "__slotnames__", "__static_attributes__",
    "__type_params__", "__weakref__", "_abc_impl",
}  # fmt: skip
"""Attributes of classes that Python derives from the others."""

OF_NAMED_TUPLES = {"__getnewargs__", "__new__", "__repr__", "_asdict", "_make", "_replace"}
"""Methods generated for named tuples; what can differ is in their fields and defaults."""

BLIND = {"__import__", "eval", "exec", "globals"}
"""Functions of Python that run code which cannot be read beforehand."""

HEAP_TYPE = 1 << 9
"""Flag of types that are created at run time, Py_TPFLAGS_HEAPTYPE."""

_sent: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
"""Digests of the code of classes that came from another process, where their source is."""
_keys: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
"""Names of classes that were sent or came, the same in all processes."""
_here: weakref.WeakValueDictionary[str, type] = weakref.WeakValueDictionary()
"""Classes of this process that were sent to others, by these names."""
_came: dict[str, tuple[str, type]] = {}
"""Classes that came from another process, with the digest of their code, by these names."""
_being_sent: set[type] = set()


class DefinitionError(ValueError):
    """A user's task or penalty that cannot become part of the identity of a run."""


class Defined:
    """What tasks and penalties share: a name, settings, and code that defines them.

    Attributes
    ----------
    name : str
        Its name, in columns of the archive and on the command line.
    """

    name: ClassVar[str]

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting and its value, plain literals in a dict of the caller's own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @property
    def definition(self) -> dict[str, Any]:
        """Everything that defines it, as plain data: ``name``, ``settings`` and ``code``.

        Raises
        ------
        DefinitionError
            If name, settings or code cannot be made into plain data.
        """
        name = getattr(self, "name", None)
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            raise DefinitionError(
                f"{type(self).__name__} is named {name!r}; give it a class attribute name of "
                "letters, digits, dots, dashes and underscores, such as name = 'mine'"
            )
        settings = {key: _setting(value, name, key) for key, value in self.settings.items()}
        return {"name": name, "settings": settings, "code": self._code()}

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with the package, whose version stands for its code."""
        return _top(type(self).__module__) == "cortexrnn" and _is_of_library(type(self))

    def _code(self) -> str:
        """Digest of the code, 32 hexadecimal digits."""
        cls, declared = type(self), {field.name for field in fields(self)}  # type: ignore[arg-type]
        undeclared = {
            key: value
            for key, value in vars(self).items()
            if key not in declared
            and not isinstance(inspect.getattr_static(cls, key, None), functools.cached_property)
        }
        for base in cls.__mro__[: cls.__mro__.index(Defined)]:
            if "__init__" in vars(base) and "__dataclass_fields__" not in vars(base):
                raise DefinitionError(
                    f"{base.__name__} has an __init__, whose arguments cannot be recorded; write "
                    "@dataclass(frozen=True) above the class and declare its settings, such as "
                    "power: float = 2.0"
                )
        code = _sent[cls] if cls in _sent else _Reader(cls).digest()
        return (
            code
            if not undeclared
            else _Reader(cls).digest_of([code, dict(sorted(undeclared.items()))])
        )

    def __str__(self) -> str:
        """Name, and the settings that differ from their defaults."""
        changed = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                changed.append(f"{field.name}={_shown(value)}")
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    def __copy__(self) -> Self:
        return self  # it cannot be changed

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Send the class along where another process may not have it."""
        cls = type(self)
        if cls in _being_sent or _is_of_library(cls):
            return super().__reduce_ex__(protocol)
        content = _class_bytes(cls)
        return _received, (_keys[cls], _code_of(cls), content, dict(vars(self)))


def _setting(value: Any, name: str, key: str) -> Any:
    """Plain data of a setting; numbers that are equal become equal data."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, tuple):
        return [_setting(one, name, key) for one in value]
    raise DefinitionError(
        f"setting {key} of {name} is {value!r} ({type(value).__name__}); settings are finite "
        "numbers, strings, True, False, None, and tuples of these"
    )


def _shown(value: Any) -> Any:
    """Write settings that are the same data in the same way."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return tuple(map(_shown, value))
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _code_of(cls: type) -> str:
    """Digest of the code of a class, from its source or as it was sent."""
    return _sent[cls] if cls in _sent else _Reader(cls).digest()


def _class_bytes(cls: type) -> bytes:
    """Pickle a class with all of the user's code that it refers to."""
    key = _keys.setdefault(cls, uuid.uuid4().hex)
    if cls not in _sent:
        _here[key] = cls
    _being_sent.add(cls)
    try:
        with _by_value(_Reader(cls).modules()):
            return bytes(cloudpickle.dumps(cls))
    finally:
        _being_sent.discard(cls)


@contextlib.contextmanager
def _by_value(names: set[str]) -> Iterator[None]:
    """Have modules pickled with their content rather than by name."""
    known = set(cloudpickle.list_registry_pickle_by_value())
    modules = [sys.modules[name] for name in sorted(names - known) if name in sys.modules]
    modules = [module for module in modules if module.__name__ != "__main__"]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _received(key: str, code: str, content: bytes, state: dict[str, Any]) -> Any:
    """Rebuild an instance that another process, or this one, sent."""
    cls = _here.get(key)  # making it again would change the class that is here
    if cls is None:
        known = _came.get(key)
        cls = known[1] if known and known[0] == code else pickle.loads(content)
        assert cls is not None
        _came[key], _keys[cls], _sent[cls] = (code, cls), key, code
    instance = object.__new__(cls)
    vars(instance).update(state)
    return instance


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


@functools.cache
def _folders() -> tuple[Path, ...]:
    """Folders of Python, of installed packages, and of this package."""
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (Path(__file__).resolve().parents[1], *{Path(paths[name]).resolve() for name in names})


@functools.lru_cache(maxsize=4096)
def _is_library_file(file: str) -> bool:
    """Whether a file is of Python, installed, or of this package."""
    where = Path(file).resolve()
    return any(where.is_relative_to(folder) for folder in _folders()) or (
        "site-packages" in where.parts or "dist-packages" in where.parts
    )


def _is_library(module: str | None) -> bool:
    """Whether a module is this package, of Python, or installed, so that other processes have it.

    What is installed for development, from a folder of the user's own, is the user's, and so is a
    file of the user's that has the name of a module of Python.
    """
    if not module or module == "__main__":
        return False
    loaded = sys.modules.get(module) or sys.modules.get(_top(module))
    file = getattr(loaded, "__file__", None)
    if file is None:
        return _top(module) in {"cortexrnn", "builtins", *sys.stdlib_module_names}
    return _is_library_file(file)


def _at(module: str | None, name: str) -> Any:
    """Look up a dotted name in a module; None where it does not exist."""
    value: Any = sys.modules.get(module or "")
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _is_of_library(cls: type) -> bool:
    """Whether a class is found in a library under its name, or is of Python itself.

    A class says itself what module it is of; one that was made by exec may name any.
    """
    if not _is_library(cls.__module__):
        return False
    return not cls.__flags__ & HEAP_TYPE or _at(cls.__module__, cls.__qualname__) is cls


def _is_library_function(function: types.FunctionType) -> bool:
    """Whether a function is of a library rather than of one who names it as its module."""
    module = function.__globals__.get("__name__")
    if not _is_library(module):
        return False
    if module in sys.modules:
        return vars(sys.modules[module]) is function.__globals__
    return _is_library_file(function.__code__.co_filename)


@functools.lru_cache(maxsize=4096)
def _source(code: types.CodeType) -> str:
    """Source of a function without indentation and empty lines, read once."""
    text = _lambda(code) if code.co_name == "<lambda>" else inspect.getsource(code)
    lines = textwrap.dedent(text).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _lambda(code: types.CodeType) -> str:
    """Source of one lambda, of which a line may hold several."""
    text = "".join(inspect.findsource(code)[0])
    places = [
        ((start, first), (stop, last))
        for start, stop, first, last in code.co_positions()
        if start is not None and stop is not None and first is not None and last
    ]
    around = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
        if places and _span(node.body)[0] <= min(places)[0]
        if max(stop for _, stop in places) <= _span(node.body)[1]
    ]
    if not around:
        raise OSError("its place in the file is unknown")
    inner = max(around, key=lambda node: _span(node.body)[0])
    return ast.get_source_segment(text, inner) or ""


def _span(node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last place of an expression, as (line, column)."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _inner(code: types.CodeType) -> list[types.CodeType]:
    """Code of the functions inside of a function."""
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


@functools.lru_cache(maxsize=4096)
def _uses(code: types.CodeType) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Names that a function and those inside of it look up around it, with their attributes."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    names = set()
    for i, step in enumerate(steps):
        if step.opname == "LOAD_NAME" or (
            step.opname.startswith("LOAD_") and step.opname.endswith(("GLOBAL", "GLOBALS", "DEREF"))
        ):
            chain = itertools.takewhile(
                lambda after: after.opname in ("LOAD_ATTR", "LOAD_METHOD"), steps[i + 1 :]
            )
            names.add((step.argval, tuple(after.argval for after in chain)))
    return frozenset(names).union(*map(_uses, _inner(code)))


@functools.lru_cache(maxsize=4096)
def _imports(code: types.CodeType) -> frozenset[tuple[str, int]]:
    """Modules that a function and those inside of it import, with the level of a relative name."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    names = {
        (step.argval, steps[i - 2].argval)
        for i, step in enumerate(steps)
        if step.opname == "IMPORT_NAME"
    }
    return frozenset(names).union(*map(_imports, _inner(code)))


def _absolute(name: str, level: int, package: str | None) -> str:
    """Full name of a module that is imported."""
    return importlib.util.resolve_name("." * level + name, package or None) if level else name


def _imported_by(module: types.ModuleType, text: str) -> list[str]:
    """Full names of what the text of a module imports when it is imported, in order."""
    imported: set[str] = set()
    waiting: list[Any] = list(ast.parse(text).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = _absolute(node.module or "", node.level, module.__package__)
            imported.update([name, *(f"{name}.{alias.name}" for alias in node.names)])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            waiting += node.orelse if is_for_types else ast.iter_child_nodes(node)
    parts = {name[:i] for name in imported for i, c in enumerate(name + ".") if c == "."}
    return sorted(parts)


class _Reader:
    """Reads a class and what it refers to, each thing once and in a fixed order."""

    def __init__(self, cls: type) -> None:
        self._cls, self._top = cls, _top(cls.__module__)
        self._hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}
        self._modules: set[str] = set()
        self._whole: set[str] = set()

    def digest(self) -> str:
        """Digest of the class."""
        self._class(self._cls)
        return self._hash.hexdigest()[:32]

    def digest_of(self, value: Any) -> str:
        """Digest of a value."""
        self._read(value, "a value")
        return self._hash.hexdigest()[:32]

    def modules(self) -> set[str]:
        """Modules of the user's that the class refers to, its own among them."""
        if self._cls not in _sent:
            self.digest()
        return self._modules

    def _say(self, *words: object) -> None:
        for word in words:
            text = str(word).encode()
            self._hash.update(f"{len(text)}:".encode() + text)

    def _met(self, thing: Any) -> bool:
        """Whether a thing was read before; then it is named by its number."""
        if id(thing) in self._seen:
            self._say("again", self._seen[id(thing)][0])
            return True
        self._seen[id(thing)] = (len(self._seen), thing)
        return False

    def _is_library(self, module: str | None) -> bool:
        is_own = self._top not in ("cortexrnn", "builtins") and _top(module) == self._top
        return not is_own and _is_library(module)

    def _read(self, value: Any, where: str) -> None:
        """Read anything that code may refer to, or refuse it."""
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._contents(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif not self._data(value, where):
            raise DefinitionError(
                f"{self._cls.__name__} uses {where}, a {type(value).__name__}, which cannot become "
                "part of the identity of a run; make it a setting, a function of your own, or "
                "plain data: numbers, strings, tuples, arrays"
            )

    def _data(self, value: Any, where: str) -> bool:
        """Read plain data and containers of it; return whether it was such data."""
        if isinstance(value, enum.Enum | np.ndarray | np.generic | torch.Tensor):
            return self._object(value, where)
        if value is None or isinstance(value, bool):
            self._say(type(value).__name__, value)
        elif isinstance(value, int | float | complex | str | bytes):
            kinds = (int, float, complex, str, bytes)
            plain: Any = next(kind for kind in kinds if isinstance(value, kind))
            self._say(type(value).__name__, plain.__repr__(value))
        elif isinstance(value, tuple | list):
            self._say(type(value).__name__, len(value))
            for one in value:
                self._read(one, where)
        elif isinstance(value, dict | types.MappingProxyType):
            self._say("mapping", len(value))
            for key in value:
                self._read(key, where)
                self._read(value[key], where)
        elif isinstance(value, set | frozenset):
            if not all(_is_scalar(one) for one in value):
                return False  # in an order that differs from process to process
            self._say("set")
            self._read(sorted(value, key=repr), where)
        else:
            return self._object(value, where)
        self._kind(value, where)
        return True

    def _kind(self, value: Any, where: str) -> None:
        """Read what a kind of data derived from a plain one adds to it."""
        if type(value).__module__ != "builtins" or type(value).__flags__ & HEAP_TYPE:
            self._class(type(value))
            self._read(getattr(value, "__dict__", {}), where)
            if isinstance(value, collections.defaultdict):
                self._read(value.default_factory, where)

    def _array(self, value: Any, where: str) -> bool:
        """Read an array of numbers."""
        try:
            array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        except (TypeError, RuntimeError):  # sparse, or of numbers that numpy does not have
            return False
        if array.dtype.hasobject:
            return False
        self._say(type(value).__name__, repr(array.dtype), array.shape)
        self._hash.update(np.ascontiguousarray(array).tobytes())
        if isinstance(value, np.ndarray):
            self._kind(value, where)
        return True

    def _object(self, value: Any, where: str) -> bool:
        """Read objects whose content is known."""
        if isinstance(value, enum.Enum):
            self._read((type(value), value.name, value.value), where)
        elif isinstance(value, np.ndarray | np.generic | torch.Tensor):
            return self._array(value, where)
        elif isinstance(value, property):
            self._read((value.fget, value.fset), where)
        elif isinstance(value, functools.cached_property):
            self._read(value.func, where)
        elif isinstance(value, staticmethod | classmethod):
            self._say(type(value).__name__)
            self._read(value.__func__, where)
        elif isinstance(value, functools.partial):
            self._kind(value, where)
            self._read((value.func, value.args, value.keywords), where)
        elif is_dataclass(value):
            named = {field.name: getattr(value, field.name, None) for field in fields(value)}
            self._read((type(value), named | getattr(value, "__dict__", {})), where)
        elif isinstance(value, torch.dtype | torch.device | np.dtype | range | slice | Path):
            self._say(type(value).__name__, value)
        elif isinstance(value, re.Pattern):
            self._say("pattern", value.pattern, value.flags)
        elif isinstance(value, logging.Logger):
            self._say("logger")
        else:
            return self._callable(value, where)
        return True

    def _callable(self, value: Any, where: str) -> bool:
        """Read a callable that is no function with source: by name, and what it is bound to.

        A callable that no library holds under its name was built from something that cannot be
        read, and is refused.
        """
        if self._is_found(value):
            module = getattr(value, "__module__", None) or type(value).__module__
            self._library(module, value.__name__)
        elif isinstance(value, types.MethodType):
            self._say("method")
            self._read((value.__func__, value.__self__), where)
        elif isinstance(value, types.BuiltinMethodType | types.MethodWrapperType):
            if value.__self__ is None or isinstance(value.__self__, types.ModuleType):
                return False
            self._say("method", value.__name__)
            self._read(value.__self__, where)
        elif hasattr(value, "__objclass__"):
            self._say("method", getattr(value, "__name__", ""))
            self._class(value.__objclass__)
        elif isinstance(value, functools._lru_cache_wrapper):
            self._read(value.__wrapped__, where)
        else:
            return False
        return True

    def _is_found(self, value: Any) -> bool:
        """Whether a library holds something under its own name."""
        name = getattr(value, "__name__", None)
        if not callable(value) or not isinstance(name, str):
            return False
        module = getattr(value, "__module__", None)
        known = getattr(value, "__qualname__", None) or name
        if isinstance(module, str) and self._is_library(module) and _at(module, known) is value:
            return True
        return any(
            vars(one).get(name) is value and self._is_library(one.__name__)
            for one in list(sys.modules.values())
            if isinstance(one, types.ModuleType)
        )

    def _library(self, module: str | None, name: str) -> None:
        """Name what is in a library; where in it may change with its version."""
        self._say("library", _top(module), name)

    def _module(self, module: types.ModuleType) -> None:
        """Read the text of a module of the user's, and of those that it imports."""
        if self._is_library(module.__name__):
            return self._library(module.__name__, module.__name__.rpartition(".")[2])
        self._say("module", module.__name__)
        if self._met(module):
            return
        self._modules.add(module.__name__)
        with self._source_of(module.__name__):
            text = _text(module)
            imported = _imported_by(module, text)
        self._say(text)
        for name in imported:
            if name in sys.modules and not self._is_library(name):
                self._module(sys.modules[name])

    def _reached(self, module: types.ModuleType, chain: tuple[str, ...]) -> None:
        """Read what is reached in a module by attributes."""
        if self._is_library(module.__name__):
            return self._module(module)
        if not chain:
            return self._contents(module)
        self._module(module)
        self._say(*chain)
        value = getattr(module, chain[0], None)
        if isinstance(value, types.ModuleType):
            self._reached(value, chain[1:])
        else:
            self._read(value, f"{module.__name__}.{chain[0]}")

    def _contents(self, module: types.ModuleType) -> None:
        """Read all of a module of the user's, where it is unknown which part of it is used."""
        self._module(module)
        if self._is_library(module.__name__) or module.__name__ in self._whole:
            return
        self._whole.add(module.__name__)
        for name, value in sorted(vars(module).items()):
            is_submodule = f"{module.__name__}.{name}" in sys.modules
            if not (is_submodule or (name.startswith("__") and name.endswith("__"))):
                self._say(name)
                self._read(value, f"{module.__name__}.{name}")

    def _function(self, function: types.FunctionType) -> None:
        """Read a function: its source, its defaults, and what it refers to."""
        name, code = function.__qualname__, function.__code__
        module = function.__globals__.get("__name__")
        if self._is_library(module) and _is_library_function(function):
            return self._library_function(function)
        if code.co_qualname.startswith(GENERATED) or self._met(function):
            return
        self._modules.add(str(module))
        with self._source_of(name):
            self._say("function", _source(code))
        self._check_names(function)
        self._read((function.__defaults__, function.__kwdefaults__), name)
        if function.__dict__:
            self._read(function.__dict__, name)
        uses = _uses(code)
        for name, value in sorted(_captured(function).items()):
            self._say(name)
            if isinstance(value, types.ModuleType):
                for chain in sorted(chain for used, chain in uses if used == name):
                    self._reached(value, chain)
            elif value is not self._cls:
                self._read(value, name)

    def _library_function(self, function: types.FunctionType) -> None:
        """Name a function of a library, and read what it was made of."""
        self._library(function.__globals__.get("__name__"), function.__qualname__)
        if self._is_found(function) or self._met(function):
            return
        if hasattr(function, "__wrapped__"):
            self._read(function.__wrapped__, function.__qualname__)
        for name, value in sorted(_enclosed(function).items()):
            self._say(name)
            self._read(value, f"{name} in {function.__qualname__}")

    def _check_names(self, function: types.FunctionType) -> None:
        """Refuse a function that reaches code of the user's in ways that cannot be followed."""
        what = f"{self._cls.__name__} uses {function.__qualname__}, which"
        for name, _ in sorted(_uses(function.__code__)):
            if name in BLIND and name not in function.__globals__:
                raise DefinitionError(
                    f"{what} calls {name}, so that the code it runs cannot be read, and code is "
                    "part of the identity of a run; write that code as a function"
                )
        for name, level in sorted(_imports(function.__code__)):
            full = _absolute(name, level, function.__globals__.get("__package__"))
            if not self._is_elsewhere(full):
                raise DefinitionError(
                    f"{what} imports {full} when it is called, so that its code cannot be read, "
                    "and code is part of the identity of a run; import it at the top of the file"
                )

    def _is_elsewhere(self, module: str) -> bool:
        """Whether a module that may not be imported yet is a library, or does not exist."""
        if module in sys.modules or _top(module) in sys.modules:
            return self._is_library(module)
        try:
            spec = importlib.util.find_spec(_top(module))
        except (ImportError, ValueError):
            return True
        if spec is None or spec.origin in ("built-in", "frozen"):
            return True
        return spec.origin is not None and _is_library_file(spec.origin)

    def _class(self, cls: type) -> None:
        """Read a class: its methods and attributes, and those of its bases."""
        if self._is_library(cls.__module__) and _is_of_library(cls):
            return self._library(cls.__module__, cls.__qualname__)
        if self._met(cls):
            return
        if not _is_library(cls.__module__):
            self._modules.add(cls.__module__)
        self._say("class")
        passed = PASSIVE | self._fields(cls)
        for name in sorted(set(vars(cls)) - passed):
            value = vars(cls)[name]
            if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                self._say(name)
                self._read(value, f"{cls.__name__}.{name}")
        for base in cls.__bases__:
            self._class(base)
        if not _is_library(type(cls).__module__):
            self._class(type(cls))

    def _fields(self, cls: type) -> set[str]:
        """Read fields of a dataclass or a named tuple; give the attributes that hold them."""
        if tuple in cls.__bases__ and "_fields" in vars(cls):
            return {*vars(cls)["_fields"], *OF_NAMED_TUPLES}
        if "__dataclass_fields__" not in vars(cls):
            return set()
        for field in fields(cls):
            self._say("field", field.name, field.init, field.compare, field.kw_only)
            for default in (field.default, field.default_factory):
                if default is not MISSING:
                    self._read(default, f"{cls.__name__}.{field.name}")
        parameters = vars(cls)["__dataclass_params__"]
        self._say(parameters.eq, parameters.order, parameters.frozen)
        return {field.name for field in fields(cls)}

    @contextlib.contextmanager
    def _source_of(self, name: str) -> Iterator[None]:
        """Turn the errors of missing source into one that names the remedy."""
        try:
            yield
        except (OSError, TypeError, SyntaxError) as error:
            raise DefinitionError(
                f"the source of {name} cannot be read ({error}), and code is part of the identity "
                f"of a run; define {self._cls.__name__} in a file or a notebook"
            ) from error


def _is_scalar(value: Any) -> bool:
    """Whether something has the same text in every process."""
    if isinstance(value, tuple):
        return all(map(_is_scalar, value))
    return value is None or isinstance(value, bool | int | float | complex | str | bytes)


def _text(module: types.ModuleType) -> str:
    """Text of a module; a folder without __init__.py has none."""
    file = getattr(module, "__file__", None)
    if file is None and hasattr(module, "__path__"):
        return ""
    try:
        return inspect.getsource(module)
    except OSError:
        if file is not None and Path(file).is_file() and not Path(file).read_bytes():
            return ""
        raise


def _enclosed(function: types.FunctionType) -> dict[str, Any]:
    """Values that a function takes from the functions around it."""
    values = {}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        if name != "__class__":
            with contextlib.suppress(ValueError):  # an empty cell
                values[name] = cell.cell_contents
    return values


def _captured(function: types.FunctionType) -> dict[str, Any]:
    """Values that a function takes from around it."""
    values = {
        name: function.__globals__[name]
        for name, _ in _uses(function.__code__)
        if name in function.__globals__
    }
    return values | _enclosed(function)
