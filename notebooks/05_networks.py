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
# # Eleven networks
#
# The paper compares eleven variants of one recurrent network. They differ in where the weights start
# and in what they are charged for. This chapter lists them, measures how hard each penalty holds the weights when
# training begins, trains them on this page, and looks at what became of the weights. A field without any functional
# relation allows six of them.
#
# *Needs:* [Three priors](03_priors.ipynb), [Three tasks](04_tasks.ipynb). *Time:* about a minute on one
# core with the values below; minutes to hours on a real field with a larger preset.

# %% tags=["hide-input"]
import warnings
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import torch

from cortexrnn import load_field, plan, train
from cortexrnn.evidence import leaky_units
from cortexrnn.figures import networks as figures
from cortexrnn.figures.page import banner, glue
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.statements import stated
from cortexrnn.figures.style import set_style
from cortexrnn.networks import penalties, priors, specification
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.specification import PRESETS
from cortexrnn.networks.variant import VARIANTS

# %%
set_style()
warnings.filterwarnings("ignore", "field .* has no sttc")  # said on this page

# %% tags=["parameters"]
field = "surrogate"  # paper: "6_6_2"
preset = "smoke"  # paper: "paper", 20 seeds, 10 epochs, 5120 trials
tasks = ["one_choice"]  # paper: one_choice, perceptual and go_nogo
least_epochs = 10  # so that even a small preset has something to show
least_trials = 2560  # at least so many, to train and to validate
shown = ["W*D*C", "W!D*C", "WD*", "W"]  # variants whose weights are drawn

# %%
settle()
field = load_field(field)
banner(field)

# %% [markdown]
# ## The variants
#
# ```{admonition} Fact
# :class: fact
# A name says what a network takes from the field {cite}`shakiba2026`. Weights start from functional
# weights (`W*`), from the same relabelled (`W!`), or from an orthogonal matrix (`W`). The size of a
# weight is charged for the length of the connection between somata (`D*`; see
# [chapter 3](03_priors.ipynb) for what the released code takes them to be), for its length on a grid
# (`D`), or as it is. The charge may be multiplied by the communicability of the connection (`C`, direct),
# or the communicability of the whole may be compared with that of the connectome (`C*`, by an earth
# mover's distance, in short `emd`).
# ```

# %%
table = pd.DataFrame([asdict(variant) for variant in VARIANTS.values()])
assert len(table) == 11
table = table.drop(columns=["self_connections", "penalty"])
table.set_index("base").fillna("none")

# %% [markdown]
# All read the same input with the same kind of network, $h_t = \mathrm{relu}(x_t K + h_{t-1} \W + b)$, and
# answer from the last state. The loss is cross-entropy plus the penalty, for example
# $\lambda \sum_{ij} |\W_{ij}|\, \D_{ij}\, \C_{ij}$, and the optimiser is Adam {cite}`kingma2015`.

# %%
strengths = {
    "lambda": specification.STRENGTH,
    "lambda of the C* term": specification.EMD_STRENGTH,
}
pd.Series(strengths, name="strength").to_frame()

# %% [markdown]
# ## What a penalty does when training begins
#
# The plan lists every run: variants × tasks × seeds. It is a preset, with a floor under its size.

# %%
relation = priors.usable_relation(field, "correlation")
names = [
    name
    for name, variant in VARIANTS.items()
    if relation or not variant.uses_function
]
made_of = "All eleven variants are trained here."
if relation is None:
    made_of = f"Field {field.name} has no functional relation: only the "
    made_of += f"{len(names)} variants without functional weights are trained."
elif priors.ingredients(field, relation) != ("correlation", "sttc"):
    made_of += " Functional weights are made of "
    made_of += " and ".join(priors.ingredients(field, relation)) + " alone."
glue("made_of", made_of)

# %%
size = PRESETS[preset]
epochs, n_train = (
    max(size.epochs, least_epochs),
    max(size.n_train, least_trials),
)
n_validation = max(size.n_validation, least_trials)
size = replace(size, epochs=epochs, n_train=n_train, n_validation=n_validation)
of_relation = {"relation": relation} if relation else {}
specs = plan(field, variants=names, tasks=tasks, preset=size, **of_relation)
n_runs = len(names) * len(tasks) * size.n_seeds
assert len({spec.identity for spec in specs}) == len(specs) == n_runs
print(f"{len(specs)} runs, seeds: {size.n_seeds}, tasks: {', '.join(tasks)}")
print(f"{size.epochs} epochs of {size.n_train} trials each")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`made_of`
# ```
#
# The gradient of a penalty says how strongly it pushes on a weight. Its mean size over all weights
# before the first step, the *penalty gradient*, compares variants on one scale.

# %%
starts, gradient = {}, {}
for spec in specs[: len(names)]:
    start = initial_weights(spec, field)
    penalty = penalties.penalty_of(spec, field, start)
    sizes = penalties.gradient_sizes(penalty, torch.from_numpy(start)[None])
    starts[spec.variant.name] = start
    gradient[spec.variant.name] = sizes.overall.item()
gradient = pd.Series(gradient, name="mean |gradient|")

# %% mystnb={"figure": {"name": "fig-penalty-gradient", "caption": "Mean absolute gradient of the penalty over all recurrent weights at each variant's own start (first seed, first task), in the published protocol. The axis is logarithmic."}, "image": {"alt": "Bar chart of the mean absolute gradient of eleven penalties on a logarithmic axis."}}
figures.penalty_gradients(gradient)

# %%
spread = gradient.max() / gradient.min()
glue("spread", float(spread))
glue("strongest", gradient.idxmax())
glue("weakest", gradient.idxmin())
assert np.isclose(gradient["W"], 1), (
    "the plain penalty has strength 1 in the published protocol"
)

# %%
emd = gradient["WD*C*"] / gradient["WD*"]
weaker = max(
    gradient["WDC"] / gradient["WD"], gradient["WD*C"] / gradient["WD*"]
)
changes = (
    f"Direct communicability multiplies the gradient by {weaker:.2g} at most, "
)
changes += f"the C* term by {emd:.2g}"
changes = stated(
    field,
    weaker < 1 and abs(emd - 1) < 0.01,
    f"{changes}: the first takes strength off a penalty, the second changes it "
    "hardly at all.",
    otherwise=f"{changes}. In the published fields the first number is below 1 "
    "and the second is 1 to a hundredth.",
)
glue("changes", changes)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The strongest gradient (variant {glue:text}`strongest`) is {glue:text}`spread:.0f` times the weakest
# ({glue:text}`weakest`). {glue:text}`changes`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Variants switch ingredients on and off. They also switch the *strength* of the penalty, in the published fields by
# orders of magnitude: adding direct communicability means multiplying by numbers far below 1, while the `C*` term
# changes the gradient of `WD*` hardly at all. Where two penalties differ, the variants differ first of all in
# how hard weights are pushed to zero.
# ```
#
# ## Training
#
# All see the same trials, and the same input noise, in the same order.

# %%
results = train(specs, field, progress=False)
assert [result.spec for result in results] == specs
print(f"{sum(r.seconds for r in results):.0f} s")
print(f"{sum(r.diverged for r in results)} runs diverged")

# %% [markdown]
# [Chapter 4](04_tasks.ipynb) computed what the last input alone allows.

# %%
levels = leaky_units.levels_without_memory()

# %% mystnb={"figure": {"name": "fig-learning", "caption": "Accuracy on training trials during each epoch (before each update, with input noise), one panel per variant and one line per run, tasks in colours. Dotted: what the last input alone allows. The numbers of runs, epochs and trials are printed above."}, "image": {"alt": "Learning curves of eleven variants in small panels."}}
figures.learning_curves(results, levels=levels)

# %% mystnb={"figure": {"name": "fig-final", "caption": "Accuracy on validation trials after training, without noise: one point per run. Dotted: what the last input alone allows. A run that diverged is a cross at zero."}, "image": {"alt": "Validation accuracy of eleven variants, one point per run."}}
figures.final_accuracy(results, levels=levels)

# %%
runs = pd.DataFrame([r.metrics for r in results])
runs["variant"] = [r.spec.variant.name for r in results]
runs["task"] = [r.spec.task for r in results]
means = runs.pivot_table("validation_accuracy", "variant", "task").reindex(
    names
)
means.round(3)

# %%
task = tasks[0]
above = means.index[means[task] > levels[task] + 0.05]
glue("task", task)
glue("above", ", ".join(above) or "none")

# %%
ended = [result for result in results if not result.diverged]
correct = [r.metrics["validation_accuracy"] * size.n_validation for r in ended]
assert np.allclose(correct, np.round(correct), atol=0.01), "whole trials"
losses = [r.history["loss"] for r in ended]
fell = sum(loss[-1] <= loss[0] for loss in losses)
text = f"In {fell} of {len(results)} runs the loss of the last epoch is no "
text += "larger than that of the first."
glue("fell", stated(field, fell == len(ended), text, otherwise=text))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# In task {glue:text}`task`, the variants above the level of the last input by more than 0.05 on this page:
# {glue:text}`above`. {glue:text}`fell`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Runs of one variant can end in very different places: at the dotted line, at the top, or still on the way
# when training ends. So one run per variant shows that the machinery works and ranks nothing. A ranking
# needs many runs; [the next chapter](06_ablation.ipynb) reads recorded ones.
# ```
#
# ## Weights before and after

# %% mystnb={"figure": {"name": "fig-before-after", "caption": "Recurrent weights of some variants before and after training (first seed, first task). The two matrices of a row share a colour scale, red positive and blue negative, that ends at the 99th percentile of absolute weights off the diagonal before training."}, "image": {"alt": "Heat maps of recurrent weights before and after training."}}
trained = {
    result.spec.variant.name: result.weights["recurrent"]
    for result in results[: len(names)]
}
figures.before_after(
    {name: (starts[name], trained[name]) for name in shown if name in starts}
)

# %%
off_diagonal = ~np.eye(field.n_neurons, dtype=bool)
change = pd.DataFrame(index=list(starts))
for when, matrices in (("before", starts), ("after", trained)):
    change[f"to itself, {when}"] = [
        np.diag(matrices[name]).mean() for name in starts
    ]
    change[f"|to others|, {when}"] = [
        np.abs(matrices[name][off_diagonal]).mean() for name in starts
    ]
change.round(4)

# %% [markdown]
# ```{admonition} Fact
# :class: fact
# A unit has distance zero to itself: penalties with `D` or `D*` never charge a self-connection (direct `C`
# even rewards it a little, through the strengths), the plain penalty of `W` does. Compare the columns of
# the table.
# ```
#
# ## Summary
#
# - Eleven variants are combinations of a start, a length and a communicability.
# - In the published fields their penalties differ in strength by orders of magnitude before they differ in kind.
# - They train side by side on the same trials; one run per variant is a demonstration, not a result.
#
# **What's next.** [The ablation](06_ablation.ipynb) compares recorded runs with the published tables.
#
# **References.** Variants and training: {cite:t}`shakiba2026`, with their code
# {cite}`cortical_blueprint`; spatially embedded networks with communicability: {cite:t}`achterberg2023`;
# optimiser: {cite:t}`kingma2015`; input weights: {cite:t}`glorot2010`.
