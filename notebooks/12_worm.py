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
# # A second species
#
# All that the paper says, it says of one mouse. Does the recipe make sense elsewhere? The worm
# *Caenorhabditis elegans* is the one animal of which nearly all neurons have a name, a place, their
# synapses on record, and a measured response to the stimulation of others. This chapter makes a field of
# it, looks at what the three priors become, and trains the eleven variants. It also shows what a field does
# when most pairs were never measured.
#
# *Needs:* [Three priors](03_priors.ipynb), [The ablation](06_ablation.ipynb); for the first half the extra
# `cortexrnn[worm]`, without which only recorded runs are shown. *Time:* a few seconds; nothing is trained on
# this page.

# %% tags=["hide-input"]
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import display

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import leaky_units
from cortexrnn.evidence.intervals import (
    cell_means,
    cells_as_text,
    t_interval,
    with_interval,
)
from cortexrnn.evidence.published import beside_published
from cortexrnn.fields.sources.worm import available
from cortexrnn.figures import worm as figures
from cortexrnn.figures.page import banner, glue
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.statements import stated
from cortexrnn.figures.style import set_style
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import empirical_communicability
from cortexrnn.networks.variant import VARIANTS

# %%
set_style()

# %% tags=["parameters"]
field = "surrogate"  # cortex beside the worm; paper: "6_6_2"
compared = ["6_6_2", "5_3_4"]  # recorded runs beside those of the worm
seed = 0  # of the lognormal draw

# %%
settle()
cortex = load_field(field)
if "correlation" not in cortex.relations:
    print(f"{cortex.name} has no correlation; the surrogate takes its place.")
    cortex = load_field("surrogate")
if cortex.sttc is None:
    print(f"{cortex.name} has no STTC; its W* is made of correlation alone.")
warnings.filterwarnings("ignore", "field .* has no sttc")  # said above
archive = load_archive()
runs = archive[(archive["field"] == "worm") & (archive["arm"] == "response")]
assert len(runs), "the archive holds no runs on the worm"

# %%
worm = load_field("worm") if available() else None
if worm is None:
    print("wormneuroatlas is missing here: pip install -e '.[worm]'")
    print("Cells that compute on the field show nothing.")
banner("worm", runs=runs) if worm is None else banner(worm)

# %% [markdown]
# ## The worm as a field
#
# ```{admonition} Fact
# :class: fact
# Everything is read from data files of the package `wormneuroatlas` {cite}`wormneuroatlas`, each checked by
# its SHA-256; none of its code is run. Connections are chemical synapses of one whole animal, counted in
# electron micrographs {cite}`white1986`; the package also has reconstructions of single heads
# {cite}`witvliet2021`, which lack the rest of the body. Responses are those of wild-type animals in which one neuron after
# another was stimulated with light while the calcium of the others was imaged {cite}`randi2023`: the mean
# change of fluorescence, relative to what it was before, over trials and animals. Positions come without
# a stated unit or source; a unit is taken as 0.1 mm, so that the animal is as long as a worm.
# {py:mod}`cortexrnn.fields.sources.worm` says more.
# ```

# %%
numbers = {}  # numbers for the text
if worm is not None:
    n = worm.n_neurons
    others = ~np.eye(n, dtype=bool)
    linked = worm.connectome > 0
    contents = {
        "neurons N": n,
        "synapses": int(worm.connectome.sum()),
        "connections": int(linked.sum()),
        "neurons without output": int((~linked.any(axis=1)).sum()),
        "relations": ", ".join(worm.relations),
        "pairs measured (%)": round(100 * worm.measured[others].mean(), 1),
        "content": worm.content_hash[:12],
    }
    numbers["n"] = n

# %%
if worm is not None:
    display(pd.Series(contents, name="worm").to_frame())

# %% mystnb={"figure": {"name": "fig-worm-body", "caption": "Neurons of the worm along its body, above the whole animal, below the head (the first 130 µm). Lines are connections. Circles were stimulated at least once with a response on record, squares were only observed, crosses neither. The two axes have different scales."}, "image": {"alt": "Positions of the neurons of the worm, most of them in the head, with connections as lines."}}
figures.body(worm) if worm is not None else None

# %%
if worm is not None:
    apart = priors.distances(worm.positions * worm.voxel_size / 1000)
    numbers["density"] = f"{100 * linked.sum() / others.sum():.1f}"
    numbers["near"] = f"{apart[linked].mean():.0f}"
    numbers["far"] = f"{apart[others].mean():.0f}"
    print(
        f"connected neurons are {numbers['near']} µm apart, all {numbers['far']}"
    )
    assert apart[linked].mean() < apart[others].mean()

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n` neurons, {glue:text}`density` % of the ordered pairs are connected. Connected neurons are
# on average {glue:text}`near` µm apart, all pairs {glue:text}`far` µm: near neighbours are connected more
# often here too.
# ```
#
# ## What was not measured
#
# A neuron was seen in some animals and not in others, and could be stimulated in few. A field keeps such
# gaps: a mask says which pairs were measured, and every other entry is NaN. Unlike a correlation, a
# response has a direction: the row is the neuron that was stimulated, the column the one that responds, as
# in the connectome.

# %%
if worm is not None:
    response, measured = worm.response, worm.measured
    assert np.array_equal(np.isnan(response), ~measured)

# %%
if worm is not None:
    both = measured & measured.T & others
    own = np.diag(measured)
    seen = measured.any(axis=0) | measured.any(axis=1)
    numbers["missing"] = f"{100 * (1 - measured[others].mean()):.1f}"
    numbers["own"] = int(own.sum())
    numbers["unseen"] = int((~seen).sum())
    directions = np.corrcoef(response[both], response.T[both])[0, 1]
    numbers["directions"] = f"{directions:.2f}"

# %% [markdown]
# Functional weights need a number for every pair. The rule is stated once, in
# {py:func}`cortexrnn.networks.priors.impute_unmeasured`: a missing pair gets the median over the measured pairs, a missing entry
# of the diagonal the median over the measured diagonal. By hand, and by the library:

# %%
if worm is not None:
    whole = priors.impute_unmeasured(worm, "response")

# %%
if worm is not None:
    known = measured & others
    pair, self_ = np.median(response[known]), np.nanmedian(np.diag(response))
    by_hand = np.where(measured, response, pair)
    by_hand[~measured & ~others] = self_
    assert np.array_equal(whole, by_hand)
    numbers["pair"], numbers["self"] = f"{pair:.3f}", f"{self_:.2f}"

# %% mystnb={"figure": {"name": "fig-worm-responses", "caption": "Responses of the worm, neurons in alphabetical order: as measured (grey: not measured) and with the gaps filled. The colour scale ends at the 99th percentile of the absolute values; most of the diagonal lies beyond or near its end."}, "image": {"alt": "Two heat maps of responses between neurons; in the first most is grey."}}
figures.responses(worm) if worm is not None else None

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`missing` % of the ordered pairs are missing. {glue:text}`own` neurons have a response to their own
# stimulation, with a median of {glue:text}`self`; a pair of two neurons has a median of {glue:text}`pair`.
# {glue:text}`unseen` neurons occur in no measured pair: their rows and columns consist of the fill alone. Where
# both directions of a pair were measured, they correlate by {glue:text}`directions`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# The diagonal is no self-connection. It is what a neuron does when light drives it, which contains the
# stimulus. It stands out for that reason, as a correlation's diagonal stands out because it is 1 by
# definition. And since the two directions have little in common, to average them into a symmetric relation
# would remove most of what was measured. The field therefore keeps a relation of its own, `response`.
# ```
#
# ## Function: $\W^*$ without a tiling coefficient
#
# For cortex $\W^*$ is a product of two relations, correlation and STTC ([chapter 3](03_priors.ipynb)). The worm
# has no event times here and hence no STTC. The rule for such a field: the relation alone, everything
# else unchanged.

# %%
if worm is not None:
    assert priors.ingredients(worm, "response") == ("response",)
    draw = np.random.default_rng(seed).lognormal(-0.5, 0.5, (n, n))
    product = draw * (whole - whole.min()) / (whole.max() - whole.min())
    product = product * 0.1 / product.mean()

# %%
if worm is not None:
    lifted = np.where((product > 0) & (product < 0.01), 0.01, product)
    by_hand = lifted * 0.95 / priors.spectral_radius(lifted)

# %%
start = {}
relations = {cortex.name: (cortex, "correlation")}
if worm is not None:
    relations = {"worm": (worm, "response")} | relations
for name, (of, relation) in relations.items():
    rng = np.random.default_rng(seed)
    start[name] = priors.functional_weights(of, relation=relation, rng=rng)
if worm is not None:
    assert np.allclose(start["worm"], by_hand, rtol=1e-10)

# %% mystnb={"figure": {"name": "fig-worm-starts", "caption": "Functional weights for one draw, worm (where its package is installed) and the field that it is compared with, named in the title. Left: weights of neurons to themselves and to others as multiples of the mean weight to others, both axes logarithmic; dashed: the two means, whose ratio stands in the title. Right: eigenvalues in the complex plane, with a circle of radius 0.95."}, "image": {"alt": "Histograms of self-connections and other weights, and eigenvalues, for the worm and for another field."}}
figures.starts(start, radius=priors.SPECTRAL_RADIUS)

# %% [markdown]
# Is it the missing STTC, or the kind of relation? Cortex can be made to do without: its correlation takes the
# place of a response and is then used alone. And the scaling to [0, 1] hangs on the smallest entry: what if
# negative responses were set to 0?

# %%
alone = replace(cortex, response=cortex.correlation)
cases = {f"{cortex.name}, as in the paper": (cortex, "correlation")}
cases[f"{cortex.name}, correlation alone"] = (alone, "response")
if worm is not None:
    floor = replace(worm, response=np.maximum(response, 0))
    cases["worm, response"] = (worm, "response")
    cases["worm, negative set to 0"] = (floor, "response")

# %%
rows = {}
for name, (of, relation) in cases.items():
    rng = np.random.default_rng(seed)
    weights = priors.functional_weights(of, relation=relation, rng=rng)
    itself = np.diag(weights)
    rest = weights - np.diag(itself)
    ratio = itself.mean() / rest[~np.eye(len(rest), dtype=bool)].mean()
    sizes = np.sort(np.abs(np.linalg.eigvals(weights)))[::-1]
    rows[name] = [ratio, sizes[1], priors.spectral_radius(rest)]
columns = ["itself / others", "second eigenvalue", "radius without diagonal"]
table = pd.DataFrame(rows, index=columns).T
table.round(2)

# %%
paper = table.iloc[0]
glue("cortex", cortex.name)
glue("cortex_ratio", f"{paper['itself / others']:.0f}")
glue("cortex_alone", f"{table.iloc[1]['itself / others']:.0f}")
glue("cortex_rest", f"{paper['radius without diagonal']:.2f}")

# %%
if worm is not None:
    worm_row = table.loc["worm, response"]
    numbers["ratio"] = f"{worm_row['itself / others']:.1f}"
    numbers["rest"] = f"{worm_row['radius without diagonal']:.2f}"
    numbers["second"] = f"{worm_row['second eigenvalue']:.2f}"
    numbers["floored"] = f"{table.iloc[-1]['itself / others']:.0f}"
    stated(
        cortex,
        worm_row["itself / others"] < paper["itself / others"] / 20,
        "The diagonal of cortex stands out far more than that of the worm.",
        otherwise="The diagonal of this field stands out little more.",
    )

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# A self-connection of the worm's $\W^*$ is {glue:text}`ratio` times as strong as a connection to another
# neuron; in field {glue:text}`cortex` it is {glue:text}`cortex_ratio` times, and with its correlation alone
# {glue:text}`cortex_alone` times. Without the diagonal the spectral radius of the worm's $\W^*$ would be
# {glue:text}`rest` instead of 0.95 ({glue:text}`cortex`: {glue:text}`cortex_rest`), and its second eigenvalue has absolute
# value {glue:text}`second`. With negative responses set to 0 the ratio is {glue:text}`floored`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# What makes the diagonal of the published fields stand out is that correlation and STTC are 1 there by definition and near
# their minimum elsewhere, and that the two are multiplied. The worm has neither. Its responses to own
# stimulation are large, but the scaling to [0, 1] runs from the most negative to the most positive pair, and
# a typical pair lands far above 0. The result is close to one value everywhere, times chance: a matrix of
# rank one and a little noise. It has one mode that lasts and no bank of separate memories, which
# [chapter 3](03_priors.ipynb) found in cortex. That is a property of the recipe on these numbers, and one other
# choice, a floor at 0, moves it by an order of magnitude; it is not a property of the worm.
# ```
#
# ## Geometry and wiring

# %%
if worm is not None:
    geometries = {
        "positions": priors.scaled_positions(worm),
        "published D*": priors.scaled_positions(worm, coordinates="reshaped"),
        "grid D": priors.grid_coordinates(worm.grid, n),
    }
    pairs = pd.DataFrame(
        {k: priors.distances(v)[others] for k, v in geometries.items()}
    )
    r = pairs.corr()["positions"]
    numbers["r_published"] = f"{r['published D*']:.2f}"
    numbers["r_grid"] = f"{r['grid D']:.2f}"
    summary = {"mean distance": pairs.mean(), "r with positions": r}
    display(pd.DataFrame(summary).round(3))

# %%
if worm is not None:
    wiring = empirical_communicability(worm.connectome)
    silent = ~linked.any(axis=1)

# %%
if worm is not None:
    numbers["silent"] = int(silent.sum())
    numbers["c_silent"] = f"{wiring[:, silent].max():.2g}"
    numbers["c_others"] = f"{wiring[:, ~silent].max():.2g}"
    numbers["c_share"] = f"{100 * wiring[:, silent].sum() / wiring.sum():.1f}"

# %%
names = [
    "n",
    "density",
    "near",
    "far",
    "missing",
    "own",
    "self",
    "pair",
    "unseen",
]
names += ["directions", "ratio", "rest", "second", "floored", "r_published"]
names += ["r_grid", "silent", "c_silent", "c_others", "c_share"]
assert set(numbers) == (set(names) if worm is not None else set())
for name in names:
    glue(name, numbers.get(name, "(not computed here)"))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Distances in the published coordinates correlate with those of the positions by {glue:text}`r_published`,
# those on the grid by {glue:text}`r_grid`. {glue:text}`silent` neurons have no outgoing synapse; the largest
# entry of $\C^*$ that leads to one of them is {glue:text}`c_silent`, to any other {glue:text}`c_others`, and
# they hold {glue:text}`c_share` % of its sum.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Both quirks of the recipe transfer: the reshaped positions are another geometry, and neurons without output
# dominate $\C^*$. In cortex such neurons are an artefact of the small window; in the worm they are neurons
# whose synapses fall on muscles and other cells.
# ```
#
# ## Eleven variants on three tasks
#
# Recorded runs, trained with `cortexrnn` on all {glue:text}`n_runs` combinations of variant, task and seed
# under the `published` protocol. They are short.

# %%
size = runs.iloc[0]
assert set(runs["variant"]) == set(VARIANTS) and runs["identity"].is_unique
assert runs[["epochs", "n_train", "protocol"]].drop_duplicates().shape[0] == 1
updates = size["epochs"] * -(-size["n_train"] // 128)

# %%
glue("n_runs", len(runs))
glue("seeds", int(runs["seed"].nunique()))
glue("epochs", int(size["epochs"]))
glue("n_train", int(size["n_train"]))
glue("updates", int(updates))
glue("n_diverged", int(runs["diverged"].sum()))

# %% tags=["scroll-output"]
cells = cells_as_text(beside_published(runs))
grid = cells.pivot(index="variant", columns="task", values="here")
grid.loc[list(VARIANTS), list(dict.fromkeys(runs["task"]))]

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Accuracy over the training trials of the last epoch, mean and 95 % interval from the t distribution over
# {glue:text}`seeds` seeds: {glue:text}`n_runs` runs of {glue:text}`epochs` epochs with {glue:text}`n_train`
# trials, which is {glue:text}`updates` updates; {glue:text}`n_diverged` diverged. The intervals know no bounds
# and may reach beyond 1. All runs of a task share one draw of trials: where the classes of that draw are not
# equally frequent, a network that always gives the same answer is not exactly at one half.
# ```
#
# Cortical runs of the archive are several times as long. Their history tells where they were after as many
# updates: the epoch during which the cortical networks pass the same number of updates is put beside the
# last epoch of the worm. It ends later than the worm's, which favours cortex.

# %%
cortical = archive[archive["published"] & (archive["arm"] == "corr")]
cortical = cortical[cortical["field"].isin(compared)].copy()

# %%
per_epoch = -(-cortical["n_train"] // 128)
epoch = -(-updates // per_epoch)
cortical["accuracy"] = [
    past[k - 1] if len(past) >= k else np.nan
    for past, k in zip(cortical["history_accuracy"], epoch, strict=True)
]

# %%
recorded = [name for name in compared if name in set(cortical["field"])]

# %%

# %%
level = leaky_units.levels_without_memory()
tables = {f"worm ({runs['seed'].nunique()} seeds)": cell_means(runs)}
for name in recorded:
    of = cortical[cortical["field"] == name]
    count = of["seed"].nunique()
    label = f"{name} ({count} seed{'s' if count > 1 else ''})"
    tables[label] = cell_means(of)

# %% mystnb={"figure": {"name": "fig-worm-accuracy", "caption": "Accuracy of the eleven variants on the worm and on recorded cortical fields after about as many updates: mean and 95 % interval over seeds (numbers of seeds in the legend; a single seed has no interval). Dotted: what a network reaches without memory."}, "image": {"alt": "Accuracy of eleven variants on three tasks for the worm and for cortical fields."}}
figures.accuracies(tables, level=level)

# %% [markdown]
# The paper's main claim is a gain of functional starts over orthogonal ones. For each seed: mean accuracy of
# the variants with W* or W! less that of the variants with an orthogonal start, and the interval over seeds.

# %%
functional = {name for name, v in VARIANTS.items() if v.uses_function}
everything = pd.concat([runs, cortical[cortical["field"].isin(recorded)]])
everything["start"] = np.where(
    everything["variant"].isin(functional), "functional", "orthogonal"
)

# %%
keys = ["field", "task", "seed", "start"]
means = everything.groupby(keys, sort=False)["accuracy"].mean().unstack()
gain = means["functional"] - means["orthogonal"]
cells = gain.groupby(["field", "task"], sort=False)
intervals = pd.DataFrame(
    {key: t_interval(values) for key, values in cells},
    index=["gain", "low", "high"],
).T
intervals.round(3)

# %%
worms = intervals.loc["worm"]
for task, row in worms.iterrows():
    glue(f"gain_{task}", with_interval(*row, digits=3))
glue("n_clear", int((worms["low"] > 0).sum()))
glue("n_below", int((worms["high"] < 0).sum()))

# %%
learned = runs[runs["accuracy"] > runs["task"].map(level).astype(float) + 0.05]
learned.groupby(["variant", "task"], sort=False)["seed"].nunique().unstack()

# %%
starts_functional = learned["variant"].isin(functional)
glue("n_learned", len(learned))
glue("n_functional", int(starts_functional.sum()))
glue("n_orthogonal", int((~starts_functional).sum()))
before = intervals.drop("worm", level=0)["gain"].unstack()
assert worms["high"].max() < 0.1, "no functional start gains much on the worm"
glue("beside", ", ".join(before.index) or "none")
glue("least", f"{before.min(axis=None):.3f}")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# On the worm the gain is {glue:text}`gain_one_choice` in one-choice inference, {glue:text}`gain_perceptual` in
# perceptual decision and {glue:text}`gain_go_nogo` in Go/NoGo. The interval lies above 0 in
# {glue:text}`n_clear` of three tasks and below it in {glue:text}`n_below`. In the recorded cortical fields
# ({glue:text}`beside`) the smallest gain of any task after as many updates is {glue:text}`least`.
# {glue:text}`n_learned` of {glue:text}`n_runs` runs on the worm end more than 0.05 above the level without
# memory: {glue:text}`n_functional` with a functional start, {glue:text}`n_orthogonal` with an orthogonal one.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# **What transfers:** the pipeline. A field with masks, positions in other units and another relation goes
# through every stage; near neighbours are connected more often; both quirks of geometry and wiring are there.
# **What does not,** at this length of training: the gain of functional starts. It fits what was seen
# above, that the worm's $\W^*$ has hardly any self-connections to remember with, but nothing here proves it. The
# worm differs from cortex in species, relation, fill, number of neurons, and in the length of its runs; more
# updates might change every cell. To change one thing at a time takes controls, such as a worm whose
# responses are floored at 0, or a cortex without its diagonal ([make it yours](../book/adapt.md)).
# ```
#
# ## Summary
#
# - A field may lack pairs. It says which, and priors fill them by one stated rule: the median of what was
#   measured, like with like.
# - Responses to stimulation have a direction and no STTC; they make $\W^*$ alone.
# - Strong self-connections come from what correlation and STTC are by definition. The worm's responses, put
#   through the same formula, have next to none, and in short training its functional starts gain nothing.
#
# **What's next.** [Make it yours](../book/adapt.md): masks and responses of your own.
#
# **References.** Responses: {cite:t}`randi2023`. Wiring: {cite:t}`white1986`; other reconstructions in the
# package: {cite:t}`witvliet2021`. The collection: {cite:t}`wormneuroatlas`. The recipe: {cite:t}`shakiba2026`.
