"""Recurrent networks built out of mouse cortex.

A field of cortex becomes priors, priors become networks, networks become runs, runs become an
archive. The executable companion to Shakiba et al. 2026, arXiv:2606.14975.
"""

from importlib.metadata import version

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field

__all__ = ["Field", "FieldError", "__version__", "load_field"]

__version__ = version("cortexrnn")
