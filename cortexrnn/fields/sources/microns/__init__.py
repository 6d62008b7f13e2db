"""Any field of the MICrONS release: from its public tables and recordings to a `Field`.

Three sources, each a module: tables through CAVE with a token (`cave`), the same tables as public
files without one (`static`), and the calcium recordings (`nwb`). `assemble` puts them together.

>>> from cortexrnn.fields.sources import microns
>>> made = microns.assemble(session=6, scan=6, field=2)  # doctest: +SKIP
>>> made.field.save("mine.npz")  # doctest: +SKIP
>>> made.axon_sparsity()  # doctest: +SKIP

Data: The MICrONS Consortium (2025), doi 10.1038/s41586-025-08790-w, www.microns-explorer.org.
"""

from cortexrnn.fields.sources.microns.assembly import (
    SCANS,
    Assembly,
    assemble,
    field,
    field_name,
    named,
)
from cortexrnn.fields.sources.microns.cave import CAVE_VERSION, connect
from cortexrnn.fields.sources.microns.static import STATIC_VERSION
from cortexrnn.fields.sources.microns.store import MicronsError
from cortexrnn.fields.sources.microns.tables import axon_sparsity, axon_status

__all__ = [
    "CAVE_VERSION",
    "SCANS",
    "STATIC_VERSION",
    "Assembly",
    "MicronsError",
    "assemble",
    "axon_sparsity",
    "axon_status",
    "connect",
    "field",
    "field_name",
    "named",
]
