"""Definitions: what a user adds to the package, as a part of what a run is.

A task or a penalty of one's own is a frozen dataclass. A run that uses it is defined by the name of
the class, its settings and its code: a digest of the source of its methods and of everything of the
user's that they refer to. Two classes of one name are therefore two definitions, and runs of the
one never pass for runs of the other. Libraries count by name.

Instances can be sent to any process: what is not installed there is sent along.
"""

from __future__ import annotations

import contextlib
import dis
import enum
import functools
import hashlib
import inspect
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
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import cloudpickle
import numpy as np
import torch

__all__ = ["Defined", "DefinitionError"]

NAME = r"[A-Za-z][\w.-]*"
"""How a definition may be called: names stand in columns, in lists with commas and in brackets."""

GENERATED = "<string>"
"""File that methods written by :mod:`dataclasses` say they come from."""

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
    """What a user added cannot become a part of what a run is."""


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
        return _top(type(self).__module__) == "cortexrnn"

    def _code(self) -> str:
        """Digest of the code, 32 hexadecimal digits."""
        cls, declared = type(self), {field.name for field in fields(self)}  # type: ignore[arg-type]
        kept = {
            key: value
            for key, value in vars(self).items()
            if key not in declared
            and not isinstance(inspect.getattr_static(cls, key, None), functools.cached_property)
        }
        for base in cls.__mro__[: cls.__mro__.index(Defined)]:
            if "__init__" in vars(base) and "__dataclass_fields__" not in vars(base):
                raise DefinitionError(
                    f"{base.__name__} has an __init__, whose arguments nobody sees; write "
                    "@dataclass(frozen=True) above the class and declare its settings, such as "
                    "power: float = 2.0"
                )
        code = _sent[cls] if cls in _sent else _Reader(cls).digest()
        return code if not kept else _Reader(cls).digest_of([code, kept])

    def __str__(self) -> str:
        """Name, and the settings that differ from their defaults."""
        changed = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                changed.append(f"{field.name}={value}")
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    def __copy__(self) -> Self:
        return self  # it cannot be changed

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Send the class along where another process may not have it."""
        cls = type(self)
        if cls in _being_sent or _is_library(cls.__module__):
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
        "numbers, texts, True, False, None, and tuples of these"
    )


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
    """Make what another process, or this one, sent."""
    cls = _here.get(key)  # making it again would change the class that is here
    if cls is None:
        known = _came.get(key)
        cls = known[1] if known and known[0] == code else pickle.loads(content)
        assert cls is not None
        _came[key], _keys[cls], _sent[cls] = (code, cls), key, code
    made = object.__new__(cls)
    vars(made).update(state)
    return made


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


@functools.cache
def _installed() -> tuple[Path, ...]:
    """Folders of installed packages."""
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]).resolve() for name in ("purelib", "platlib")})


def _is_library(module: str | None) -> bool:
    """Whether a module is this package, of Python, or installed, so that other processes have it.

    What is installed for development, from a folder of the user's own, is the user's.
    """
    if module == "__main__":
        return False
    if _top(module) in {"cortexrnn", "builtins", *sys.stdlib_module_names}:
        return True
    found = sys.modules.get(module or "") or sys.modules.get(_top(module))
    file = getattr(found, "__file__", None)
    if file is None:
        return False
    where = Path(file).resolve()
    return any(where.is_relative_to(folder) for folder in _installed()) or (
        "site-packages" in where.parts or "dist-packages" in where.parts
    )


@functools.lru_cache(maxsize=4096)
def _source(code: types.CodeType) -> str:
    """Source of a function without indentation and empty lines, read once."""
    lines = textwrap.dedent(inspect.getsource(code)).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


@functools.lru_cache(maxsize=4096)
def _global_names(code: types.CodeType) -> frozenset[str]:
    """Names that a function and those inside of it look up in its module."""
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return frozenset(names).union(*map(_global_names, inner))


class _Reader:
    """Reads a class and what it refers to, each thing once and in a fixed order."""

    def __init__(self, cls: type) -> None:
        self._cls, self._top = cls, _top(cls.__module__)
        self._hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}
        self._modules: set[str] = set()

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
        own = self._top not in ("cortexrnn", "builtins") and _top(module) == self._top
        return not own and _is_library(module)

    def _read(self, value: Any, where: str) -> None:
        """Read anything that code may refer to, or refuse it."""
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif not self._data(value, where):
            raise DefinitionError(
                f"{self._cls.__name__} uses {where}, a {type(value).__name__}, which cannot become "
                "part of the identity of a run; make it a setting, a function, or plain data: "
                "numbers, texts, tuples, arrays"
            )

    def _data(self, value: Any, where: str) -> bool:
        """Read plain data and what is made of it; say whether it was that."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self._say(type(value).__name__, repr(value))
        elif isinstance(value, tuple | list):
            self._say(type(value).__name__, len(value))
            for one in value:
                self._read(one, where)
        elif isinstance(value, Mapping):
            self._say("mapping", len(value))
            for key in sorted(value, key=repr):
                self._read(key, where)
                self._read(value[key], where)
        elif isinstance(value, set | frozenset):
            self._say("set")
            self._read(sorted(value, key=repr), where)
        elif isinstance(value, np.ndarray | np.generic | torch.Tensor):
            return self._array(value)
        else:
            return self._object(value, where)
        return True

    def _array(self, value: Any) -> bool:
        """Read an array of numbers."""
        array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        if array.dtype.hasobject:
            return False
        self._say(type(value).__name__, array.dtype.str, array.shape)
        self._hash.update(np.ascontiguousarray(array).tobytes())
        return True

    def _object(self, value: Any, where: str) -> bool:
        """Read objects whose content is known."""
        if isinstance(value, property):
            self._read((value.fget, value.fset), where)
        elif isinstance(value, functools.cached_property):
            self._read(value.func, where)
        elif isinstance(value, staticmethod | classmethod | types.MethodType):
            self._say(type(value).__name__)
            self._read(value.__func__, where)
        elif isinstance(value, functools.partial):
            self._read((value.func, value.args, value.keywords), where)
        elif isinstance(value, enum.Enum):
            self._read((type(value), value.name), where)
        elif is_dataclass(value):
            self._read((type(value), vars(value)), where)
        elif isinstance(value, torch.dtype | torch.device | np.dtype | range | slice | Path):
            self._say(type(value).__name__, value)
        elif isinstance(value, re.Pattern | logging.Logger):
            self._say(type(value).__name__, getattr(value, "pattern", ""))
        elif callable(value) and hasattr(value, "__wrapped__"):
            self._read(value.__wrapped__, where)
        elif (
            callable(value) and hasattr(value, "__name__") and type(value).__module__ in sys.modules
        ):
            if not _is_library(type(value).__module__):
                return False
            self._library(getattr(value, "__module__", ""), value.__name__)
        else:
            return False
        return True

    def _library(self, module: str | None, name: str) -> None:
        """Name what is in a library; where in it may change with its version."""
        self._say("library", _top(module), name)

    def _module(self, module: types.ModuleType) -> None:
        """Read the text of a module of the user's."""
        if self._is_library(module.__name__):
            return self._library(module.__name__, module.__name__.rpartition(".")[2])
        self._say("module", module.__name__)
        if self._met(module):
            return
        self._modules.add(module.__name__)
        with self._source_of(module.__name__):
            self._say(inspect.getsource(module))

    def _function(self, function: types.FunctionType) -> None:
        """Read a function: its source, its defaults, and what it refers to."""
        module = function.__globals__.get("__name__")
        if self._is_library(module):
            self._library(module, function.__qualname__)
            if hasattr(function, "__wrapped__"):
                self._read(function.__wrapped__, function.__qualname__)
            return
        code = function.__code__
        if code.co_filename == GENERATED and not code.co_name.startswith("<"):
            return
        if self._met(function):
            return
        self._modules.add(str(module))
        with self._source_of(function.__qualname__):
            self._say("function", _source(code))
        self._read((function.__defaults__, function.__kwdefaults__), function.__qualname__)
        for name, value in sorted(_captured(function).items()):
            self._say(name)
            if value is not self._cls:
                self._read(value, name)

    def _class(self, cls: type) -> None:
        """Read a class: its methods and attributes, and those of its bases."""
        if self._is_library(cls.__module__):
            return self._library(cls.__module__, cls.__qualname__)
        if self._met(cls):
            return
        self._modules.add(cls.__module__)
        self._say("class")
        settings = vars(cls).get("__dataclass_fields__", {})
        for name in sorted(vars(cls)):
            value = vars(cls)[name]
            is_private = (name.startswith("__") and name.endswith("__")) or name == "_abc_impl"
            if isinstance(value, types.FunctionType) or not (is_private or name in settings):
                if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                    continue
                self._say(name)
                self._read(value, f"{cls.__name__}.{name}")
        for base in cls.__bases__:
            self._class(base)

    @contextlib.contextmanager
    def _source_of(self, name: str) -> Iterator[None]:
        """Say what to do where there is no source."""
        try:
            yield
        except (OSError, TypeError, SyntaxError) as error:
            raise DefinitionError(
                f"the source of {name} cannot be read ({error}), and code is part of what a run "
                f"is; define {self._cls.__name__} in a file or a notebook"
            ) from error


def _captured(function: types.FunctionType) -> dict[str, Any]:
    """Values that a function takes from around it."""
    found = {
        name: function.__globals__[name]
        for name in _global_names(function.__code__)
        if name in function.__globals__
    }
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        if name != "__class__":
            with contextlib.suppress(ValueError):  # an empty cell
                found[name] = cell.cell_contents
    return found
