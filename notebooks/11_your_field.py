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
# # Your own field
#
# Nothing in this book needs the mouse of the paper. Whoever has positions of neurons, a connectome and
# activity has a field. This chapter takes the same small example in as arrays, as CSV files and as a
# graph, brings it through the whole pipeline to a trained network, shows the errors that you may meet
# and what to do about each, and asks what a connectome says when not every axon was followed.
#
# *Needs:* [A field of cortex](01_field.ipynb); [Eleven networks](05_networks.ipynb) for the training.
# *Time:* about half a minute on two cores.

# %% tags=["hide-input"]
import tempfile
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from cortexrnn import Field, load_field, plan, train
from cortexrnn.evidence import leaky_units
from cortexrnn.fields import proofreading
from cortexrnn.fields.sources.arrays import field_from_data
from cortexrnn.fields.wiring import connections
from cortexrnn.figures import networks as network_figures
from cortexrnn.figures import own as figures
from cortexrnn.figures.page import banner, glue, remark
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.statements import stated
from cortexrnn.figures.style import set_style
from cortexrnn.networks import priors, sensitivity, topology
from cortexrnn.networks.initial_weights import functional_start
from cortexrnn.networks.specification import PRESETS

# %%
set_style()

# %% tags=["parameters"]
field = "surrogate"  # looked at in the last section; or any other field
n_own = 40  # neurons of the made-up example
minutes = 10.0  # length of its recording
seed = 0  # of everything that is drawn in the example
epochs = 5  # paper: 10
n_train = 1280  # paper: 5120 trials
shares = [0.0, 0.2, 0.4, 0.6, 0.8]  # axons that lose their outputs
draws = 3  # random choices of axons for each share

# %%
settle()
field = load_field(field)
banner(field)

# %% [markdown]
# ## What you need
#
# | thing | what it is | needed |
# |---|---|---|
# | connectome | synapse counts, the row is the presynaptic neuron | always |
# | positions | x, y, z of every soma | always |
# | activity | event times in seconds, or deconvolved traces with their frame rate | for variants that start from function |
# | ids | whole numbers, one per neuron | where sources are labelled |
#
# Labels and units are read. Data frames, series, dictionaries, graphs, xarray, neo and pynapple name their
# neurons, and are put into the order of `ids`; quantities are converted. A plain array is taken in the order
# of `ids`. Where one source names its neurons and another does not, `ids` must be passed.
#
# ```{admonition} Fact
# :class: fact
# The example of this section is made up from a seed. It is no recording of any animal, and nothing that it
# shows is a finding. Replace its arrays by yours.
# ```

# %%
rng = np.random.default_rng(seed)
ids = 864_691_135_000_000_001 + 7 * rng.permutation(n_own)
positions = rng.uniform(0, 300, (n_own, 3))  # micrometres
near = np.exp(-priors.distances(positions) / 100)
connectome = rng.poisson(1.2 * near * (1 - np.eye(n_own)))

# %% [markdown]
# Events are drawn frame by frame, ten frames a second, with one signal that all neurons share.

# %%
frames = int(600 * minutes)
shared = np.convolve(rng.normal(size=frames), np.ones(20) / 20, mode="same")
rate = 0.05 * np.exp(3 * np.outer(rng.uniform(0, 1, n_own), shared))

# %%
fired = rng.random((n_own, frames)) < np.clip(rate, 0, 1)
events = [np.flatnonzero(row) / 10 for row in fired]
print(f"{connectome.sum()} synapses, {fired.sum()} events")

# %% [markdown]
# ## From arrays
#
# One call checks everything, computes correlation and STTC with the published bin and window, and returns a
# field. Positions are in micrometres unless `voxel_size` says otherwise.

# %%
own = field_from_data(
    name="mine",
    ids=ids,
    connectome=connectome,
    positions=positions,
    events=events,
)
own

# %% [markdown]
# A scipy sparse matrix works as well as an array. Where there are deconvolved traces instead of events, pass
# `activity=` and `frame_rate_hz=`: their local maxima become the events, as in the published fields. Where
# there are relations already, use `Field.from_arrays`.
#
# A field is saved to one file without pickles, and that file is a field for every chapter of this book:
# `make book FIELD=mine.npz`.

# %%
folder = Path(tempfile.mkdtemp(prefix="cortexrnn_"))
saved = own.save(folder / "mine.npz")
assert load_field(saved).content_hash == own.content_hash
print(saved.name, f"{saved.stat().st_size / 1e3:.0f} kB")

# %% [markdown]
# ## From CSV files
#
# Tables are labelled: rows may be in any order, since every row says which neuron it means. Here the
# example is written as three tables, shuffled, and read back.

# %%
pre, post = np.nonzero(connectome)
counted = {"count": connectome[pre, post]}
tables = {
    "edges": pd.DataFrame({"pre": ids[pre], "post": ids[post]} | counted),
    "somata": pd.DataFrame(positions, columns=list("xyz")).assign(id=ids),
    "events": pd.DataFrame(
        {
            "id": np.repeat(ids, [len(t) for t in events]),
            "time": np.concatenate(events),
        }
    ),
}

# %%
for name, table in tables.items():
    shuffled = table.sample(frac=1, random_state=seed)
    shuffled.to_csv(folder / f"{name}.csv", index=False)

# %%
print((folder / "edges.csv").read_text()[:140])

# %%
from_csv = field_from_data(
    name="mine",
    ids=ids,  # the order; without it, that of the table of somata
    connectome=folder / "edges.csv",
    positions=folder / "somata.csv",
    events=folder / "events.csv",
)
assert from_csv.content_hash == own.content_hash

# %% [markdown]
# The same content, to the last digit: ids are read as text and become integers, never floats, so that 18
# digits stay 18 digits. A square table with ids in the first column and the header is read too; an edge list
# without the column `count` has one row per synapse.

# %%
wide = pd.DataFrame(connectome, index=ids, columns=ids)
wide.to_csv(folder / "matrix.csv")

# %%
from_matrix = field_from_data(
    name="mine",
    ids=ids,
    connectome=folder / "matrix.csv",
    positions=positions,
    events=events,
)
assert from_matrix.content_hash == own.content_hash

# %% [markdown]
# ## From a graph
#
# In a NetworkX graph, edges carry the number of synapses as `weight`, and nodes may carry `position` and
# `events`. Parallel edges add up; an undirected edge counts both ways.

# %%
graph = nx.DiGraph()
for k, i in enumerate(ids.tolist()):
    graph.add_node(i, position=positions[k], events=events[k])

# %%
edges = tables["edges"].to_numpy().tolist()
graph.add_weighted_edges_from(edges)
from_graph = field_from_data(name="mine", connectome=graph, ids=ids)
assert from_graph.content_hash == own.content_hash
print(graph)

# %% [markdown]
# ## Through the pipeline
#
# From here on it is a field like any other: priors, a plan, training, topology.

# %%
weights = functional_start(own, seed=seed)
print(f"spectral radius of W*: {priors.spectral_radius(weights):.2f}")
size = replace(
    PRESETS["smoke"], epochs=epochs, n_train=n_train, n_validation=n_train
)

# %%
specs = plan(own, variants=["W*D*C", "WD"], tasks=["go_nogo"], preset=size)
results = train(specs, own, progress=False)
assert all(not result.diverged for result in results)

# %%
levels = leaky_units.levels_without_memory()

# %% mystnb={"figure": {"name": "fig-own-learning", "caption": "Two variants trained on the made-up field, one run each: accuracy on training trials by epoch. Dotted: what the last input alone allows. One run shows that the pipeline works and ranks nothing."}, "image": {"alt": "Learning curves of two variants on the made-up field."}}
network_figures.learning_curves(results, levels=levels)

# %%
names = [result.spec.variant.name for result in results]
measured = pd.DataFrame(
    [
        vars(topology.measure(result.weights["recurrent"], n_nulls=100))
        for result in results
    ],
    index=names,
)

# %%
measured["accuracy"] = [r.metrics["validation_accuracy"] for r in results]
columns = ["accuracy", "entropy", "modularity", "small_worldness"]
measured[columns].round(3)

# %% [markdown]
# ## Errors you will meet
#
# Wrong input is refused before anything is computed from it, with a message that names the thing, the value
# and the remedy. Here the example is broken in the ways that are most common, one at a time.

# %%
unsorted = [events[0][::-1], *events[1:]]
silent = [np.array([]), *events[1:]]
floats = tables["somata"].assign(id=ids.astype(float))
strange = tables["edges"].assign(post=ids[post] + 1)
twice = pd.concat([tables["edges"], tables["edges"].head(1)])
named = nx.DiGraph([("AVAL", "AVAR")])

# %%
spoilt = np.where(np.eye(n_own) > 0, np.nan, connectome)
late = [
    36_000 + train for train in events
]  # a clock that began ten hours before
raster = fired.astype(int)

# %%
broken = {
    "a neuron too many": {"connectome": np.zeros((n_own + 1, n_own + 1))},
    "NaN in the connectome": {"connectome": spoilt},
    "negative counts": {"connectome": -connectome},
    "ids as floats": {"positions": floats, "ids": None},
    "an unknown neuron": {"connectome": strange},
    "two counts of a pair": {"connectome": twice},
}

# %%
broken |= {
    "names for ids": {"connectome": named, "ids": None},
    "a file that is not there": {"connectome": folder / "edge.csv"},
    "a file of another kind": {"connectome": saved},
    "unsorted events": {"events": unsorted},
    "a silent neuron": {"events": silent},
    "a clock that starts late": {"events": late},
    "a raster for events": {"events": raster},
    "labels of others": {"events": pd.Series(events, index=ids + 1)},
    "counts by another name": {
        "connectome": tables["edges"].rename(columns={"count": "strength"})
    },
    "fluorescence": {
        "events": None,
        "activity": rng.normal(size=(n_own, 99)),
    },
}

# %%
given = {"name": "mine", "ids": ids, "connectome": connectome}
given |= {"positions": positions, "events": events}

# %%
for what, change in broken.items():
    try:
        field_from_data(**(given | change))
        raise AssertionError(f"{what} was accepted")
    except ValueError as error:
        text = str(error).replace(str(folder), "...")
        print(f"{what}\n    {type(error).__name__}: {text}\n")

# %% [markdown]
# Relations that you pass yourself are checked as well, and a field without relations says what it lacks
# when a variant asks for it.

# %%
lower = np.tril(own.correlation)
bare = {"name": "mine", "connectome": connectome, "positions": positions}
try:
    Field.from_arrays(**bare, voxel_size=(1000,) * 3, correlation=lower)
except ValueError as error:
    print(error, "\n")

# %%
try:
    plan(field_from_data(**bare), variants=["W*D*C"])
except ValueError as error:
    print(error)

# %% [markdown]
# Neurons without events have no correlation with anything. To leave them out, say so:

# %%
audible = field_from_data(**(given | {"events": silent}), silent="drop")
assert audible.n_neurons == n_own - 1
print(audible.n_neurons, "of", n_own, "neurons")

# %% [markdown]
# ## Proofreading matters
#
# ```{admonition} Fact
# :class: fact
# A connectome from electron microscopy is as complete as its proofreading. Dendrites come out of the
# automatic segmentation nearly whole, axons do not: their synapses are found where a person has followed
# and extended them. For most neurons of MICrONS nobody has, so a missing connection is weak evidence of
# absence {cite}`microns2025`.
# ```
#
# What do the neurons of this chapter's field send, and what do they receive?

# %%
wired = connections(field.connectome).any()
partners = "No two neurons of this field are connected."
if wired:
    sides = proofreading.describe(field.connectome)
    none, spread = sides["without partner"], sides["s.d. / mean"]
    partners = (
        f"Of the neurons of this field {none['sends']:.0%} send to no other "
    )
    partners += (
        f"and {none['receives']:.0%} receive from none. Numbers of partners "
    )
    partners += (
        f"vary by {spread['sends']:.1f} of their mean on the sending side and "
    )
    partners += f"by {spread['receives']:.1f} on the receiving side."
glue("sides", partners)
sides.round(3) if wired else remark(partners)

# %% mystnb={"figure": {"name": "fig-out-in", "caption": "Number of partners within the field that its neurons send to (left) and receive from (right). Orange: neurons with none."}, "image": {"alt": "Histograms of the numbers of partners that neurons send to and receive from."}}
figures.out_and_in(field.connectome)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`sides`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Every synapse has one sender and one receiver, so both sides have the same mean. Where sending is far more
# uneven than receiving, two explanations fit: few neurons project within the field, or few axons were
# followed. The matrix cannot tell them apart.
# ```
#
# ### A simulation of missing axons
#
# What does less proofreading do to the wiring prior $\C^*$? Here **simulated**: all outgoing synapses of some
# of the neurons that have any are taken away, at random. The field of this chapter is compared with the made-up
# example from above, where every axon is known.

# %%
sparse = {"this field": field.connectome, "made-up example": connectome}
if not wired:
    del sparse["this field"]
thin = {
    name: sensitivity.simulate_missing_axons(
        c, shares=shares, draws=draws, seed=seed
    )
    for name, c in sparse.items()
}

# %%
by_share = {
    name: table.groupby("share").mean().drop(columns="draw")
    for name, table in thin.items()
}
pd.concat(by_share).style.format("{:.3g}")

# %% mystnb={"figure": {"name": "fig-thinned", "caption": "Simulated incomplete proofreading: outgoing synapses of a share of the sending neurons were taken away, in the field of this chapter and in the made-up example. From top: connections that are left, share of neurons without output, mean entry of the communicability C* (logarithmic); points are random draws, lines their means, dashed is the mean of C* among neurons that have outputs. Shares and draws are in the parameters of the chapter."}, "image": {"alt": "Connections left, share of neurons without output and mean communicability against the share of axons removed."}}
figures.thinned(thin)

# %%
made_up = by_share["made-up example"]
left = "In this field there is nothing to take away."
if wired:
    real = by_share["this field"]
    share = real["density"].iloc[-1] / real["density"].iloc[0]
    left = f"In this field, {share:.0%} of the connections are left when "
    left += f"{real.index[-1]:.0%} of the axons are gone. The mean of C* is "
    left += f"{real['mean'].iloc[0]:.2g} over all pairs, and "
    left += (
        f"{real['mean_senders'].iloc[0]:.2g} among neurons that have outputs."
    )
glue("left", left)

# %%
glue("made_up_all", f"{made_up['mean'].iloc[0]:.2g}")
glue("made_up_first", f"{made_up['mean'].iloc[1]:.2g}")
glue("first_share", f"{made_up.index[1]:.0%}")

# %%
for table in by_share.values():
    assert table["density"].is_monotonic_decreasing
    assert table["silent"].is_monotonic_increasing
assert made_up["mean"].max() > made_up["mean_senders"].max()
if wired:
    stated(
        field,
        real["mean"].max() > real["mean_senders"].max(),
        "Neurons without outputs dominate C*.",
        otherwise="Neurons without outputs do not dominate C* here.",
    )

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`left` In the made-up example it is {glue:text}`made_up_all` when all axons are known and {glue:text}`made_up_first`
# when {glue:text}`first_share` of them are not.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# $\C^*$ divides by the strengths of both neurons, and a neuron without outputs gets the strength 1e-10 in its
# place (see [chapter 3](03_priors.ipynb)). A connection *to* such a neuron then counts many thousand times.
# So what dominates $\C^*$ is the set of neurons that receive and do not send, which is in large part the set
# of axons that nobody has followed. A prior on wiring is a prior on proofreading too.
# ```
#
# ### Which axons were proofread?
#
# The table `proofreading_status_and_strategy` of CAVE, the annotation service of MICrONS, lists them: one row
# per neuron with `status_axon` (whether the axon was proofread), `strategy_axon` (how far: fully extended,
# partially, or only cleaned of false merges) and `valid_id` (the segment it was true of). It needs an account
# and a token; how to get them, and how to build a field with the status of its axons, is on the page
# *MICrONS* of this book (book/microns.md). Restrict a field to neurons with a proofread axon before you
# compare rows of its connectome, and compare columns only over such rows.
#
# ## Summary
#
# - Arrays, sparse matrices, CSV files, data frames and graphs give the same field, checked once.
# - Labelled sources are put in one order; ids stay whole numbers; units are converted.
# - What is wrong is refused with its name, value and remedy.
# - A connectome shows axons that were followed; $\C^*$ depends on the others most of all.
#
# **What's next.** [How to run it](../book/run.md) on a field of yours at full size, and
# [Make it yours](../book/adapt.md) for variants and tasks of your own.
#
# **References.** MICrONS: {cite:t}`microns2025`; communicability: {cite:t}`estrada2008`; what is trained here:
# {cite:t}`shakiba2026`.
