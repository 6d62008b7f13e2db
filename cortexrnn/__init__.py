"""Recurrent networks built out of mouse cortex.

Fields of cortex become networks, networks become runs, runs become evidence, and the book only
reads. The executable companion to Shakiba et al. 2026, arXiv:2606.14975.

>>> from cortexrnn import load_field, plan, train, measure
>>> field = load_field("surrogate")
>>> specs = plan(field, variants="W*D*C", tasks="perceptual", preset="smoke")
>>> measure(train(specs, field, progress=False)[0].weights["recurrent"]).modularity > 0
True
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field

if TYPE_CHECKING:
    from cortexrnn.networks.topology import measure
    from cortexrnn.networks.training import train
    from cortexrnn.runs.archive import load_archive
    from cortexrnn.runs.experiment import run
    from cortexrnn.runs.plans import plan

__all__ = [
    "Field",
    "FieldError",
    "__version__",
    "load_archive",
    "load_field",
    "measure",
    "plan",
    "run",
    "train",
]

__version__ = version("cortexrnn")

_PLACES = {
    "load_archive": "runs.archive",
    "measure": "networks.topology",
    "plan": "runs.plans",
    "run": "runs.experiment",
    "train": "networks.training",
}
"""Where names are that are loaded when they are asked for: a field needs no torch."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'cortexrnn' has no attribute {name!r}")
    return getattr(import_module(f"cortexrnn.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
