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
# # If the code did what its text says
#
# The text of the paper and its released code differ in three details {cite}`shakiba2026,cortical_blueprint`. What would
# the paper's table be without them? This chapter compares the eleven variants under two {term}`protocols <protocol>`:
# `published` does what the code does, `corrected` what the text says. Both use the same trials and the same seeds.
#
# **Answer** (field {glue:text}`shown`). {glue:text}`answer`

# %% tags=["hide-input"]
import numpy as np

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import as_written, true_coordinates
from cortexrnn.figures import as_written as figures
from cortexrnn.figures.page import (
    banner,
    download,
    field_to_show,
    folded,
    glue,
    remark,
    rows_or,
    text_table,
)
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.priors import distances, scaled_positions
from cortexrnn.networks.specification import CORRECTED, PUBLISHED
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.controls import CONTROLS
from cortexrnn.runs.labels import runs_of, select

# %% tags=["parameters", "hide-input"]
field = "6_6_2"  # paper: "6_6_2"

# %% tags=["hide-input"]
settle()
set_style()
archive = load_archive()
shown, recorded = field_to_show(
    archive,
    field,
    runs_on=lambda name: runs_of(
        archive, CONTROLS["WD*C, corrected"], field=name
    ),
    what="the protocol of the text",
    otherwise="Field {field} was not run under the protocol of the text; this is {shown}.",
)

# %% tags=["hide-input"]
rng = np.random.default_rng(0)
table = as_written.beside_published(archive, field=shown, rng=rng)
counts = as_written.learned_counts(archive, field=shown)
single = as_written.single_runs(archive, field=shown)
paper = as_written.published_range(archive, field=shown)
own = CONTROLS["WD*C on own coordinates"]
fields = dict.fromkeys(archive["field"])
compared = [name for name in fields if len(runs_of(archive, own, field=name))]
glue("shown", shown)
glue("answer", as_written.in_words(table, counts))

# %% mystnb={"figure": {"name": "fig-as-written", "caption": "Accuracy of the eleven variants. Grey: published; orange: recorded, the protocol of the released code; blue: recorded, the protocol of the text. Marks: means over 20 simulations with 95 % t intervals; dots: single runs. Dotted lines separate variants that different details touch. Where a colour is missing, the runs were not made yet, or the paper has no table of this field."}, "image": {"alt": "Three accuracies for each of eleven variants in three tasks."}} tags=["hide-input"]
figures.three_tables(table, single)

# %% [markdown]
# How many of 20 runs {term}`learned`, under the protocol of the code (*recorded*) and of the text (*corrected*), and on
# field 6_6_2 also in the paper (*published*: the numbers that fit its means and intervals,
# [chapter 6](06_ablation.ipynb)).

# %% tags=["hide-input"]
text_table(as_written.counts_as_text(counts, published=paper))

# %% tags=["hide-input"]
banner(shown, runs=select(archive, field=shown))

# %% [markdown]
# `W*` starts from function, `W!` from the same with neurons relabelled, `W` from an orthogonal matrix. `D*` is made of
# soma positions, `D` of a grid. `C` multiplies the penalty by the network's own communicability, `C*` compares that
# with the connectome.
#
# ## Each variant is touched by exactly one detail
#
# 1. The text makes D\* of soma positions. The released code reshapes the list of positions before it computes distances,
#    so that each unit gets coordinates of other neurons.
# 2. The code scales positions to a cube of side one, but not the grid behind D. Distances on the grid are therefore
#    several times larger, and the penalty is as much stronger.
# 3. The text gives every penalty the strength λ. The code leaves λ out where there is no distance.
#
# [Methods](../book/methods.md) describe them in full.

# %% tags=["hide-input"]
text_table(as_written.switches().set_index("switch"))

# %% [markdown]
# Because a single detail touches each variant, its `corrected` runs show what that detail alone changes. An effect that
# compares D\* with D is touched by two of them. With the grid scaled like the positions, D and D\* differ in
# arrangement more than in strength.
#
# ## How much does each cell change?
#
# Means have 95 % t intervals. Changes are paired by seed. Their intervals hold together for all cells of the field
# ({term}`simultaneous`), since runs of one seed share trials and noise.

# %% tags=["hide-input"]
folded(
    as_written.beside_published_as_text(table).reset_index(),
    "Mean accuracy of every cell: published, recorded, corrected, and the change",
)

# %% tags=["hide-input"]
download(table, "as_written_accuracy.csv")

# %% [markdown]
# ## What remains of the effects?
#
# Each effect is the difference of two variants, under either protocol, on every field with controls. All intervals hold
# together.

# %% tags=["hide-input"]
effects = as_written.effects_on_both_sides(archive, fields=compared, rng=rng)
folded(
    as_written.effects_as_text(effects).reset_index(),
    "Every effect under both protocols, mean over tasks",
)

# %% mystnb={"figure": {"name": "fig-as-written-effects", "caption": "The effects under the protocol of the text, task by task and in the mean over tasks, field by field, with 95 % intervals that hold together. Without such runs: those under the protocol of the code."}, "image": {"alt": "Effects of start, distance and communicability in three tasks, one panel per field."}} tags=["hide-input"]
corrected = effects[effects["side"] == "corrected"]
figures.effects_by_task(corrected if len(corrected) else effects)

# %% tags=["hide-input"]
glue("moved", as_written.effects_in_words(effects))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Effects that are surely there under one protocol and not under the other (mean over tasks; first as the code does,
# then as the text says): {glue:text}`moved`
# ```

# %% tags=["hide-input"]
download(effects, "as_written_effects.csv")

# %% [markdown]
# ## Does it matter where each neuron lies?
#
# Runs of the code cannot say, because there each unit has the coordinates of other neurons
# ({term}`scrambled <scrambled coordinates>`). With each unit at the position of its own neuron (*true*), four contrasts
# remove one thing each. Three compare `WD*C` with the
# same on a grid of equal mean distance, on random points with the same distances, and with the same distances in the
# wrong places. The fourth removes the pairing of functional weights with positions: `W!D*C` less `W*D*C`.

# %% mystnb={"figure": {"name": "fig-as-written-geometry", "caption": "Four contrasts on true coordinates, task by task and in the mean over tasks, with 95 % intervals that hold together. Right of zero: the condition named first is more accurate. A row without marks was not run yet."}, "image": {"alt": "Four contrasts on true coordinates in three tasks, one panel per field."}} tags=["hide-input"]
contrasts = true_coordinates.contrasts(archive, fields=compared, rng=rng)
figures.effects_by_task(contrasts) if contrasts["seeds"].any() else remark(
    "None of the four contrasts was run yet."
)

# %% tags=["hide-input"]
contrasts_text = true_coordinates.contrasts_as_text(contrasts).reset_index()
folded(
    contrasts_text, "The four contrasts, field by field and task by task"
) if contrasts["seeds"].any() else remark("Nor is there a table of them.")

# %% tags=["hide-input"]
download(contrasts, "true_coordinates.csv")

# %% [markdown]
# How much of the effect of scrambled coordinates remains with true ones is known from earlier runs. In these
# comparisons the grid is not scaled, or scaled to the scrambled distances.

# %% tags=["hide-input"]
before = true_coordinates.contrasts(
    archive, fields=compared, effects=true_coordinates.RECORDED_BEFORE, rng=rng
)
text_table(true_coordinates.contrasts_as_text(before))

# %% tags=["hide-input"]
shares = true_coordinates.share_of_scrambled(archive, fields=compared)
in_mean = shares[shares["task"] == "mean"]
glue("shares", true_coordinates.shares_in_words(in_mean))
rows_or(
    true_coordinates.shares_as_text(shares), "The conditions were not run yet."
)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# `WD*C` less `WDC`, mean over tasks: the gain with true coordinates as a share of the gain with scrambled ones is
# {glue:text}`shares`. Intervals of shares are those of Fieller; none is given where the scrambled gain may be zero.
# ```
#
# ## What else could explain it
#
# - True coordinates change the {term}`penalty gradient` at the start as well as the geometry. The four contrasts avoid
#   this: both sides have the same mean distance, or the same distances.
# - Both protocols leave other details as the code has them: C\* compares with a connectome whose empty rows were lifted
#   to 1e-10, and its term hardly depends on the weights ([chapter 3](03_priors.ipynb)).
# - All fields are of one mouse, and all runs here share one draw of trials.
#
# ## Try it
#
# 1. Show another field: set `field = "5_3_4"` in the cell of parameters. The paper prints no table of that field, so
#    that only two of the three sides remain.
# 2. How different are the two D\*? Correlate the distances of both protocols on the surrogate field.
#
# ```{admonition} Solution
# :class: dropdown
# The next cell does it.
# ```

# %% tags=["hide-cell"]
neurons = load_field("surrogate")
two = [
    distances(scaled_positions(neurons, coordinates=protocol.coordinates))
    for protocol in (PUBLISHED, CORRECTED)
]
pairs = np.triu_indices(neurons.n_neurons, k=1)
float(np.corrcoef(two[0][pairs], two[1][pairs])[0, 1])

# %% [markdown]
# ## Details
#
# **Topology.** What the paper prints beside accuracy, three times.

# %% tags=["hide-input"]
topology = {
    metric: as_written.beside_published(
        archive, field=shown, metric=metric, rng=rng
    )
    for metric in as_written.METRICS[1:]
}
pages = {
    metric: as_written.beside_published_as_text(cells).reset_index()
    for metric, cells in topology.items()
}

# %% tags=["hide-input"]
folded(pages["entropy"], "Entropy of the weights (bits)")

# %% tags=["hide-input"]
folded(pages["modularity"], "Modularity")

# %% tags=["hide-input"]
folded(pages["small_worldness"], "Small-worldness")

# %% tags=["hide-input"]
folded(pages["assortativity"], "Assortativity")

# %% [markdown]
# **The same computation twice.** Four variants under the corrected protocol were computed before, as controls. Their
# identity differs, since it holds all three switches, but the switches that differ do not touch these variants. Their
# runs must agree wherever arithmetic and library were the same.

# %% tags=["hide-input"]
same = as_written.differences_from_same(archive, fields=compared)
rows_or(same, "No pair of them was run under both identities yet.")

# %% tags=["hide-input"]
both = table.dropna(subset=["corrected"])
assert set(table["variant"]) == set(VARIANTS)
assert (both["corrected_runs"] > 0).all()
assert (same["same_outcome"] > same["runs"] / 2).all()
remark(
    f"{len(both)} of {len(table)} cells have runs under the corrected protocol."
)

# %% [markdown]
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`. Intervals of
# ratios: Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
#
# **What's next.** [What carries the gain?](10_controls.ipynb) has the predictions about these runs;
# [methods](../book/methods.md) describes both protocols.
