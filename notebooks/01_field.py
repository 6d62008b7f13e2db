# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A field of cortex
#
# A microscope looked at a thin sheet of mouse visual cortex while its neurons were active; the same
# tissue was then cut and imaged with electrons, which shows which neuron has a synapse on which. One such
# sheet, with every neuron found in both, is a *field*. This chapter asks what a field holds, how its
# neurons lie, how few of them are connected, and whether near neighbours are connected more often.
#
# *Needs:* nothing. *Time:* a few seconds on two cores.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from cortexrnn import load_field
from cortexrnn.fields.sources.published import released_order
from cortexrnn.fields.wiring import connections, nearness
from cortexrnn.figures import field as figures
from cortexrnn.figures.page import banner, glue, rows_or
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.statements import is_known, stated
from cortexrnn.figures.style import set_style
from cortexrnn.networks.priors import distances

# %%
set_style()

# %% tags=["parameters"]
field = "surrogate"  # paper: "6_6_2"; or any published field

# %%
settle()
field = load_field(field)
banner(field)

# %% [markdown]
# ```{admonition} How to read this book
# :class: note
# Sentences of three kinds are kept apart: a **fact** is true by construction or by the source that is
# named, a **measurement** was computed on this page from the data above, an **interpretation** is what
# we make of it. Numbers in the text are filled in when the page is built. What is said of the published
# fields need not hold for a field of your own; each page states what was measured on it.
# ```
#
# ## What a field holds
#
# ```{admonition} Fact
# :class: fact
# The neurons of the published fields come from MICrONS, a cubic millimetre of one mouse's visual cortex
# {cite}`microns2025`. These fields are named session, scan and imaging field, for example
# `6_6_2`. Positions are kept in voxels beside the size of a voxel; the row of the connectome is the
# presynaptic neuron, its column the postsynaptic one, and an entry counts synapses.
# ```

# %%
contents = {
    "neurons N": field.n_neurons,
    "voxel (nm)": tuple(field.voxel_size.tolist()),
    "relations": ", ".join(field.relations) or "none",
    "neurons with event times": 0
    if field.events is None
    else len(field.events),
    "grid": field.grid,
    "content": field.content_hash[:12],
}
pd.Series(contents, name=field.name).to_frame()

# %% [markdown]
# The last line is a fingerprint of all the arrays: two runs of this book that show the same one have
# worked on the same field. Every array has one row per neuron.

# %%
n = field.n_neurons
assert field.positions.shape == (n, 3)
assert field.connectome.shape == (n, n)
assert all(field.relation(name).shape == (n, n) for name in field.relations)
assert field.connectome.min() >= 0

# %% [markdown]
# ## How far apart
#
# Voxels become micrometres, and positions become distances between somata.

# %%
micrometres = field.positions * field.voxel_size / 1000
distance = distances(micrometres)
extent = np.ptp(micrometres, axis=0).round().astype(int)
pd.Series(extent, index=["x", "y", "z"], name="extent (µm)").to_frame()

# %% [markdown]
# In the published fields the sheet is thin along *y*, which runs from the surface of the brain
# downwards, but it is tilted: one end lies deeper than the other.
#
# ## How few connections
#
# A *connection* is an ordered pair of different neurons with at least one synapse.

# %%
linked = connections(field.connectome)
density = linked.sum() / (n * (n - 1))
no_output = (linked.sum(axis=1) == 0).sum()
glue("connections", int(linked.sum()))
glue("density", float(100 * density))
glue("no_output", int(no_output))
print(f"{linked.sum()} connections ({density:.2%} of ordered pairs)")
print(f"{field.connectome.sum()} synapses")
print(
    f"{np.count_nonzero(field.connectome.diagonal())} neurons with synapses on themselves"
)
print(f"{no_output} of {n} neurons send nothing to another of the field")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of all ordered pairs, {glue:text}`density:.2f` % are connected
# ({glue:text}`connections` connections). {glue:text}`no_output` neurons have no outgoing synapse inside the field.
# {glue:text}`sparse`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# A neuron of cortex makes thousands of synapses. In a published field nearly all of them fall on cells that the
# microscope did not see, or on dendrites of cells outside the sheet. Such a field shows a sliver of the wiring, and
# "no outgoing synapse" says something about the field, not about the neuron.
# ```

# %%
sparse = stated(
    field,
    density < 0.05 and not field.connectome.diagonal().any(),
    "Connections are few, and no neuron has a synapse on itself.",
    otherwise="In the published fields fewer than 5 % of the pairs are connected "
    "and no neuron has a synapse on itself; this field is otherwise.",
)
glue("sparse", sparse)

# %% mystnb={"figure": {"name": "fig-degrees", "caption": "Partners per neuron, those it sends to and those it receives from (bars), beside a Poisson distribution with the same mean (points). Neurons are counted on a logarithmic axis; a bar that starts at one neuron would be invisible on a linear one."}, "image": {"alt": "Two bar charts of the number of partners per neuron with a Poisson distribution for comparison."}}
figures.degrees(field.connectome)

# %% [markdown]
# ## Near neighbours
#
# In cortex, near neighbours are connected far more often than distant ones. This is also a test of
# the data: positions, activity and connectome were measured apart, and only if they list the neurons
# in the same order can wiring follow distance.
#
# ```{admonition} Fact
# :class: fact
# The released connectomes do not keep the order of the released positions and relations: their rows
# are in the order in which Python reads a `set` of the segment ids. The loader puts them in the order
# of the neurons. A synthetic field needs no such repair.
# ```
#
# For a published field both orders are compared.

# %%
connectomes = {"order of the neurons": field.connectome}
listed_once = field.root_ids is not None
listed_once = listed_once and len(np.unique(field.root_ids)) == n
if is_known(field) and listed_once:
    order = released_order(field.root_ids)
    released = field.connectome[np.ix_(order, order)]
    connectomes = {"order as released": released} | connectomes

# %%
apart = distance[~np.eye(n, dtype=bool)]
table = nearness(distance, connectomes)
rows_or(table.round(1), "No two neurons of this field are connected.")

# %%
means = table["mean distance (µm)"]
mean = means.get("order of the neurons", np.nan)
z = table["z against all pairs"].get("order of the neurons", np.nan)
near = f"Connected neurons are on average {mean:.0f} µm apart, all pairs "
near += f"{apart.mean():.0f} µm"
if not linked.any():
    near = "No two neurons of this field are connected"
near = stated(
    field,
    z < -2 and mean == means.min(),
    f"{near}: near neighbours are connected more often.",
    otherwise=f"{near}: no sign that near neighbours are connected more often.",
)
glue("near", near)

# %% mystnb={"figure": {"name": "fig-connection-distance", "caption": "Share of ordered pairs that are connected, by distance of the somata in bins of 100 µm, with 95 % Wilson intervals; bins of fewer than 100 pairs are left out. Circles: connectome in the order of the neurons. Squares, for published fields only: the same connectome with its rows as released."}, "image": {"alt": "Connection probability against distance, for published fields in two orders of the rows."}}
figures.connection_by_distance(distance, connectomes)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`near`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# On the published fields the two orders differ in just this: as released, wiring seems blind to distance; put
# right, it follows distance as expected. The published networks are not affected: of the wiring they use
# only the sorted values of a matrix ([chapter 3](03_priors.ipynb)), which no order changes.
# ```
#
# ## The field in space

# %% mystnb={"figure": {"name": "fig-soma-3d", "caption": "Somata in three dimensions; turn it with a finger or the mouse. Colour counts a neuron's partners in both directions, lines are connections. Depth points downwards, all axes have the same scale."}}
figures.soma_3d(field, field.connectome)

# %% mystnb={"figure": {"name": "fig-soma-views", "caption": "The same seen from the top and from the side, with equal scale on both axes of a panel. Filled: neurons with at least one outgoing synapse inside the field; open: those with none. Lines: connections."}, "image": {"alt": "Top and side view of the soma positions with lines for connections."}}
figures.soma_views(field, field.connectome)

# %% mystnb={"figure": {"name": "fig-adjacency", "caption": "Synapses between neurons ordered by depth, presynaptic neurons from top to bottom. The area of a point grows with the number of synapses. Points near the diagonal are connections between neurons of similar depth; in a tilted sheet these also lie close to each other along it."}, "image": {"alt": "Matrix of connections with neurons ordered by depth."}}
figures.adjacency(field.connectome, micrometres[:, 1])

# %% [markdown]
# ## A grid instead of positions
#
# Networks without anatomy get an integer grid in place of the sheet. For published fields its shape is
# the published one; for any other it is the box of three factors of *N* that comes closest to a cube.

# %%
points = int(np.prod(field.grid))
assert points >= n
print(" × ".join(map(str, field.grid)), f"= {points} points for {n} neurons")

# %% [markdown]
# ## Summary
#
# - A field is one set of neurons with positions, wiring and activity, checked once and then fixed.
# - The published fields are thin tilted sheets, and their wiring is sparse: most of what these neurons connect
#   to is outside.
# - In them near neighbours are connected more often, provided that all arrays list the neurons in one order.
#
# **What's next.** [From activity to functional relations](02_function.ipynb) turns event times into
# numbers for pairs of neurons.
#
# **References.** The data are those of {cite:t}`microns2025`, preprocessed by {cite:t}`shakiba2026`
# and released with their code {cite}`cortical_blueprint`.
