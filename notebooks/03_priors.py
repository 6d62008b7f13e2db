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
# # Three priors
#
# A network can take three things from a field before it learns: **function** (where its weights
# start), **geometry** (which connections are costly) and **wiring** (which connections communicate).
# This chapter makes each of them, and looks at what is in them besides their names.
#
# *Needs:* [A field of cortex](01_field.ipynb),
# [From activity to functional relations](02_function.ipynb). *Time:* a few seconds on two cores.

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd
import torch

from cortexrnn import load_field
from cortexrnn.figures import priors as figures
from cortexrnn.figures.page import banner, glue, remark
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.statements import stated
from cortexrnn.figures.style import set_style
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import (
    communicability,
    empirical_communicability,
)
from cortexrnn.networks.initial_weights import functional_start, variant_start
from cortexrnn.networks.specification import random_stream

# %%
set_style()

# %% tags=["parameters"]
field = "surrogate"  # paper: "6_6_2"; or any published field
relation = "correlation"  # paper: this, "precision" and "sttc"
seed = 0  # paper: 20 draws without a stated seed

# %%
settle()
field = load_field(field)
banner(field)

# %% [markdown]
# ## Function: $\W^*$
#
# ```{admonition} Fact
# :class: fact
# $\W^*$ is a product {cite}`shakiba2026`. The relation and the STTC are each scaled to [0, 1] over all
# their entries and multiplied with each other and with a lognormal draw (μ = −0.5, σ = 0.5). The
# product is scaled to mean 0.1, nonzero entries below 0.01 are lifted to it, and the whole is scaled to
# spectral radius 0.95. With `relation = "sttc"` the STTC alone is used; a field without STTC has the relation alone.
# ```

# %%
requested, relation = relation, priors.usable_relation(field, relation)
has_function = relation is not None
names = priors.ingredients(field, relation) if has_function else ()
lacks = f"Field {field.name} has no functional relation, hence no W*."
if not has_function:
    made_of = lacks + " Cells about it are empty on this page."
else:
    made_of = f"Here W* is made of: {', '.join(names)}."
    if relation != requested:
        made_of += f" The field has no {requested}."
warnings.filterwarnings("ignore", "field .* has no sttc")  # said below
glue("made_of", made_of)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`made_of`
# ```
#
# Step by step, first the scaled relations:

# %%
steps = {}
for name in names:
    values = priors.impute_unmeasured(field, name)
    steps[f"{name.replace('sttc', 'STTC')}, scaled"] = (
        values - values.min()
    ) / (values.max() - values.min())

# %% [markdown]
# then the draw (that of all runs with this seed), the product, and the three adjustments.

# %%
n = field.n_neurons
elsewhere = ~np.eye(n, dtype=bool)
if has_function:
    rng = random_stream(seed, "functional weights")
    draw = rng.lognormal(-0.5, 0.5, (n, n))
    product = draw * np.prod(list(steps.values()), axis=0)
    product = product * 0.1 / product.mean()
    lifted = np.where((product > 0) & (product < 0.01), 0.01, product)
    by_hand = lifted * 0.95 / np.abs(np.linalg.eigvals(lifted)).max()

# %% [markdown]
# That is all that the library does before it trains:

# %%
if has_function:
    weights = functional_start(field, relation=relation, seed=seed)
    assert np.allclose(weights, by_hand, rtol=1e-10)
    assert np.isclose(priors.spectral_radius(weights), 0.95)

# %% mystnb={"figure": {"name": "fig-construction", "caption": "The ingredients of functional weights and the result for one draw. Each panel has a colour scale of its own that ends at the 99th percentile of what is off the diagonal; an arrow at the end of a scale means that something, here the diagonal, lies beyond it."}, "image": {"alt": "Heat maps of scaled relations, lognormal draw and functional weights."}}
if has_function:
    shown = figures.construction(
        steps | {"lognormal draw": draw, "W*": weights}
    )
shown if has_function else remark(lacks)

# %% [markdown]
# ### Where its strength lies
#
# In cortex, correlation and STTC are 1 on the diagonal and small elsewhere. What happens to that gap in a product?

# %%
gap = lacks
if has_function:
    diagonal = np.diag(weights)
    others = weights[elsewhere]
    alone = priors.spectral_radius(weights - np.diag(diagonal))
    ratio = diagonal.mean() / others.mean()
    print(
        f"mean weight to itself {diagonal.mean():.4f}, to others {others.mean():.5f}"
    )
    gap = stated(
        field,
        ratio > 1,
        f"A self-connection is on average {ratio:.0f} times as strong as a "
        "connection to another neuron.",
        otherwise="Self-connections are on average no stronger than connections "
        f"to another neuron ({ratio:.2f} times).",
    )
    gap += f" Without the diagonal, the spectral radius would be {alone:.2f} "
    gap += "instead of 0.95."
glue("gap", gap)

# %% mystnb={"figure": {"name": "fig-self-connections", "caption": "Functional weights of neurons to others and to themselves, both axes logarithmic; dashed lines mark the two means, whose ratio stands in the title. Numbers of weights in parentheses."}, "image": {"alt": "Histograms of off-diagonal weights and of self-connections."}}
figures.self_connections(weights) if has_function else remark(lacks)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`gap`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# A weight from a neuron to itself is a memory: activity that decays by that factor at each step. Where
# self-connections are strong, what $\W^*$ offers a network may be less the pattern of relations between neurons than a bank of such
# memories. Only controls can tell.
# ```
#
# ### Spectrum
#
# The usual start of a recurrent network is a random orthogonal matrix, whose eigenvalues all have
# absolute value 1.

# %%
orthogonal = variant_start(field, "W", task="one_choice", seed=seed)
assert np.allclose(orthogonal @ orthogonal.T, np.eye(n))
assert np.allclose(np.abs(np.linalg.eigvals(orthogonal)), 1)

# %% mystnb={"figure": {"name": "fig-spectrum", "caption": "Eigenvalues of functional weights and of an orthogonal matrix of the same size in the complex plane, one point per eigenvalue. Orange: circle of radius 0.95; dotted: radius 1. The title gives the spectral radius."}, "image": {"alt": "Eigenvalues of functional and orthogonal weights in the complex plane."}}
matrices = {"orthogonal": orthogonal}
if has_function:
    matrices = {"W*": weights} | matrices
figures.spectrum(matrices, radius=0.95)

# %%
rotation = lacks
if has_function:
    values = np.linalg.eigvals(weights)
    imaginary = np.abs(values.imag).max()
    print(f"smallest real part {values.real.min():.3f}")
    rotation = stated(
        field,
        imaginary < 0.1,
        "Its eigenvalues stay close to the real axis: what it does is decay, "
        "hardly any rotation.",
        otherwise="Its eigenvalues leave the real axis: it rotates too.",
    )
    rotation += f" The largest imaginary part is {imaginary:.3f}."
glue("rotation", rotation)

# %% [markdown]
# $\W^*$ is not symmetric, since each direction of a pair has a draw of its own. An orthogonal matrix rotates.
#
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`rotation`
# ```
#
# ### $\W^!$: the same matrix under other names
#
# The control for $\W^*$ gives the neurons new numbers at random, rows and columns alike; here those of `W!D*C` in
# the task `one_choice`.

# %%
if has_function:
    relabelled = variant_start(
        field, "W!D*C", task="one_choice", relation=relation, seed=seed
    )
    before = np.sort(np.abs(np.linalg.eigvals(weights)))
    after = np.sort(np.abs(np.linalg.eigvals(relabelled)))
    assert np.allclose(before, after, atol=1e-6), "same spectrum"
    assert np.array_equal(np.sort(diagonal), np.sort(np.diag(relabelled)))

# %% mystnb={"figure": {"name": "fig-relabelling", "caption": "Functional weights before and after the neurons are relabelled at random, and the absolute eigenvalues of both in descending order. Colour scales end at the 99th percentile off the diagonal."}, "image": {"alt": "Heat maps of W* and W! and their eigenvalues, which coincide."}}
shown = figures.relabelling(weights, relabelled) if has_function else None
shown if has_function else remark(lacks)

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# As a dynamical system $\W^!$ *is* $\W^*$. A network that starts from it can differ only through
# what its penalty attaches to particular neurons: their places. Equal results for the two say that
# this pairing does not matter; they do not say that the pattern of relations does not.
# ```
#
# ## Geometry: $\D^*$ and $\D$
#
# A penalty can make each connection cost its length. $\D^*$ takes lengths from the somata, each axis
# scaled to [0, 1]; $\D$ takes them from an integer grid.
#
# ```{admonition} Fact
# :class: fact
# The released code reads the array of positions, shape (N, 3), as (3, N) without transposing it
# {cite}`cortical_blueprint`. A unit then holds three numbers of three different neurons. The
# `published` protocol of this book does the same; `corrected` gives each unit its own soma.
# ```

# %%
geometries = {
    "somata": priors.scaled_positions(field, coordinates="soma"),
    "published D*": priors.scaled_positions(field, coordinates="reshaped"),
    "grid D": priors.grid_coordinates(field.grid, n),
}
lengths = {
    name: priors.distances(points) for name, points in geometries.items()
}

# %% mystnb={"figure": {"name": "fig-geometries", "caption": "Coordinates of the units in three geometries. A unit keeps its colour, which shows where its soma lies along x; where colours are mixed, neighbours in the tissue are no longer neighbours. Last panel: distances of all pairs in ascending order, divided by their mean."}, "image": {"alt": "Three-dimensional scatter plots of soma positions, published coordinates and grid, with cumulative distances."}}
figures.coordinates(geometries, geometries["somata"][:, 0])

# %%
lower = np.tril_indices(n, -1)
pairs = pd.DataFrame({name: matrix[lower] for name, matrix in lengths.items()})
r = pairs.corr()["somata"]
summary = pd.DataFrame({"mean distance": pairs.mean(), "r with somata": r})
summary.round(3)

# %% mystnb={"figure": {"name": "fig-distances", "caption": "Distance of each pair of units in the published coordinates (left) and on the grid (right) against the distance of their somata; colour counts pairs on a logarithmic scale. The title gives the correlation over pairs."}, "image": {"alt": "Density plots of published and grid distances against soma distances."}}
others = {"published": lengths["published D*"], "grid": lengths["grid D"]}
figures.distances_against_soma(lengths["somata"], others)

# %%
mixed = "Distances in the published coordinates correlate with those of the "
mixed += (
    f"somata by {r['published D*']:.3f}, those on the grid by {r['grid D']:.3f}"
)
mixed = stated(
    field,
    abs(r["published D*"]) < 0.25,
    f"{mixed}: the published coordinates say next to nothing about the tissue.",
    otherwise=f"{mixed}. In the published fields the first number is near 0.",
)
glue("mixed", mixed)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`mixed`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# The published $\D^*$ is a geometry, but not that of the tissue. A grid can agree better with the
# somata when neurons happen to be listed in an order that follows their place. Also note the scale:
# grid distances count steps and are several times longer, so that the penalty they make is larger by as
# much.
# ```
#
# ## Wiring: $\C$ and $\C^*$
#
# The *communicability* of two neurons adds up all walks from one to the other, longer ones counting
# less {cite}`estrada2008`. With $s$ the row sums of $|\W|$ and $S = \mathrm{diag}(s)$,
#
# $$
# \C = \exp\left(S^{-1/2}\, |\W|\, S^{-1/2}\right), \qquad \C_{ii} = 0.
# $$
#
# $\C$ is computed from the network's weights and changes with them. $\C^*$ is the same formula applied
# once to the synapse counts.

# %%
whose = "W*" if has_function else "an orthogonal matrix, for want of W*"
start = weights if has_function else orthogonal
network = communicability(torch.from_numpy(start)).numpy()
glue("whose", whose)
connectome = empirical_communicability(field.connectome)
silent = field.connectome.sum(axis=1) == 0
reached = silent & (field.connectome.sum(axis=0) > 0)
glue("silent", int(silent.sum()))
print(f"{silent.sum()} of {n} neurons have no outgoing synapse here")
print(f"{reached.sum()} of these receive at least one")

# %% [markdown]
# ```{admonition} Fact
# :class: fact
# The formula divides by the square roots of strengths. A neuron without outgoing synapses has strength
# zero, and the released code puts $10^{-10}$ in its place: every entry that leads to such a neuron is
# divided by $10^{-5}$.
# ```

# %% mystnb={"figure": {"name": "fig-communicability", "caption": "Communicability of functional weights (C; of an orthogonal matrix where the field has no relation) and of the connectome (C*), positive entries off the diagonal in ascending order on a logarithmic axis. Those of the connectome are split by whether the neuron that a walk leads to has an outgoing synapse of its own. Dotted: the largest C. Small entries of long walks are cut off below."}, "image": {"alt": "Sorted entries of the communicability of a network and of a connectome."}}
figures.communicability_ranks(network, connectome, field.connectome)

# %%
difference = np.sort(connectome, axis=None) - np.sort(network, axis=None)
emd = np.abs(difference).mean()
print(f"mean |sorted C* - sorted C| = {emd:.4g}")
print(f"mean of C* alone = {connectome.mean():.4g}")
levels = f"The largest entry of C is {network.max():.3f}, that of C* "
levels += f"{connectome.max():.3g}. The mean of C* alone is "
levels += f"{100 * connectome.mean() / emd:.1f} % of the distance that the C* "
levels += "penalty takes."
dominated = reached.any()
dominated = dominated and connectome[:, reached].max() > 1000 * network.max()
levels += stated(
    field,
    network.max() < 1 and (dominated or not reached.any()),
    " Neurons that receive and do not send dominate it."
    if dominated
    else " No neuron of this field receives without sending.",
    otherwise=" Here neurons without output do not dominate it.",
)
glue("levels", levels)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# $\C$ is that of {glue:text}`whose`. {glue:text}`levels`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# In the published fields the penalty compares two sorted lists whose levels have nothing in common. Where its value is almost
# entirely the mean of $\C^*$, it is nearly a constant: a network can do little about it and is hardly
# moved by it. [Chapter 5](05_networks.ipynb) compares the gradients of penalties with and without this term.
# ```
#
# ## Summary
#
# - $\W^*$ is a product of relations and chance, in cortex with strong self-connections; $\W^!$ has the same
#   spectrum and the same self-connections.
# - The published $\D^*$ are distances between units, not between somata.
# - $\C$ follows the weights; the comparison with $\C^*$ is dominated by neurons without output, wherever
#   such a neuron receives a synapse.
#
# **What's next.** [Three tasks](04_tasks.ipynb) shows what the networks have to do.
#
# **References.** Priors: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
# Communicability: {cite:t}`estrada2008`; as a cost of wiring in recurrent networks:
# {cite:t}`achterberg2023`.
