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
# # Positive weights only
#
# **Claim.** Networks keep their strong performance when recurrent weights may not be negative, if they start from
# functional weights W\* or their relabelling W!; with an orthogonal start, training fails {cite}`shakiba2026`. This
# chapter puts recorded runs beside the paper's Table 3. It shows which networks diverge and when, how many of the others
# learn, and what becomes of an orthogonal start.
#
# *Needs:* [The ablation](06_ablation.ipynb). *Time:* under a minute; nothing is trained on this page.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy.stats import ortho_group

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import (
    equivalence,
    leaky_units,
    replication,
    success_counts,
)
from cortexrnn.evidence.published import beside_published
from cortexrnn.figures import ablation as figures
from cortexrnn.figures import success_counts as count_figures
from cortexrnn.figures.page import (
    banner,
    cells_of_runs,
    download,
    field_to_show,
    glue,
    remark,
    rows_or,
)
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks import priors
from cortexrnn.networks.initial_weights import variant_start
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.labels import select
from cortexrnn.runs.trained_weights import COURSE, kept_weights

# %%
set_style()

# %% tags=["parameters"]
field = "6_6_2"  # paper: "6_6_2"
seeds = 5  # starts whose spectral radius is measured

# %%
settle()
archive = load_archive()
shown, recorded = field_to_show(
    archive,
    field,
    runs_on=lambda name: select(archive, field=name, sign="positive"),
    what="positive weights",
)
print(f"Fields with recorded runs of this arm: {', '.join(recorded)}")

# %%
runs = select(archive, field=shown, sign="positive")
glue("field", shown)
glue("n_runs", len(runs))
glue("seeds", int(runs["seed"].nunique()))
banner(shown, runs=runs)

# %% [markdown]
# ## Verdict
#
# ```{admonition} Fact
# :class: fact
# After every update the released code sets negative recurrent weights to zero {cite}`cortical_blueprint`. Where
# weights then stop being finite, its accuracy is the share of trials of the first class, and its topology is
# missing. Such a run is recorded here as diverged, with the epoch, and stops at once.
# ```

# %%
judged = shown == "6_6_2"
if judged:
    table = replication.compare_with_published(
        archive
    )  # with the other sign, see the rules
    table = table[table["arm"] == runs["arm"].iloc[0]]
    strict = replication.compare_with_published(archive, own_draws=True)
    strict = strict[strict["arm"] == runs["arm"].iloc[0]]
else:
    table = beside_published(runs, metrics=list(equivalence.MARGINS))
    table["verdict"] = "no published table"
    print(f"{shown}: the paper has no table of this field, so no verdict")
order = {name: i for i, name in enumerate([*VARIANTS, *TASKS])}
by = ["variant", "task"]
table = table.sort_values(by, key=lambda names: names.map(order))
level = leaky_units.levels_without_memory()
accuracy = table[table["metric"] == "accuracy"]

# %% mystnb={"figure": {"name": "fig-positive-accuracy", "caption": "Accuracy with positive recurrent weights: mean and 95 % interval over the recorded runs of this page that did not diverge (circles), and as published for field 6_6_2 (squares). Where all simulations diverged there is no accuracy; the published value is then the share of one class. Dotted: what a network reaches without memory."}, "image": {"alt": "Accuracy of eleven variants on three tasks with positive weights, recorded and published."}}
figures.beside_published(accuracy, level=level)

# %%
summary = "Nothing is judged here: the paper has no such table."
if judged:
    summary = replication.verdicts_in_words(table, own_draws=strict)
glue("told", summary)
verdicts, n_untestable = "not judged", "none"
if judged:
    verdicts = replication.verdict_counts(table)
    n_untestable = int(verdicts.loc["accuracy", "untestable by mean"])
glue("n_untestable", n_untestable)
verdicts

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`, {glue:text}`n_runs` runs, {glue:text}`seeds` seeds. {glue:text}`told`
# ```

# %% [markdown]
# Cells that are {term}`untestable by mean` are inconclusive whatever is true ([chapter 6](06_ablation.ipynb)). In accuracy
# these are {glue:text}`n_untestable`: their means average runs that succeed and runs that fail. What can be compared is
# how many succeed.

# %% tags=["hide-input"]
both = success_counts.recorded_runs(archive, field=shown)
learned = success_counts.beside_published_counts(both)
own_arm = learned[learned["arm"] == runs["arm"].iloc[0]]
counts_told = "The paper has no such table to compare."
if judged:
    counts_told = success_counts.counts_in_words(own_arm)
glue("counts_told", counts_told)

# %% [markdown]
# ### How many runs learn, here and in the paper?
#
# {glue:text}`counts_told`

# %% mystnb={"figure": {"name": "fig-positive-counts", "caption": "Runs of 20 that learned, for the variants that do not diverge. Circles: recorded here; squares and the bar between them: fewest and most that fit the published mean and interval. Thin lines: exact 95 % intervals (Clopper and Pearson), for the paper from that of the fewest to that of the most."}, "image": {"alt": "Number of runs that learned with positive weights, of five variants on three tasks, recorded and published, with exact intervals."}} tags=["hide-input"]
count_figures.success_counts(own_arm) if judged else remark(counts_told)

# %% [markdown]
# Cells are compared by Fisher's exact test, adjusted over all cells of both signs (Holm). How published numbers are
# recovered, and what runs of one seed have in common: [chapter 6](06_ablation.ipynb).
#
# ### Which cells are different?
#
# Where such a cell was also trained on several draws of trials, with ten seeds each, the least and the largest mean over
# these draws say whether the draw alone can account for it.

# %%
columns = ["metric", "variant", "task", "explanation", "mean"]
columns += ["published", "draws", "draw_low", "draw_high"]
explained = replication.explained(table, archive)[columns]
explained = explained.set_index(columns[:3]).round(3)
rows_or(explained, "No cell of this page was judged different.")

# %% [markdown]
# ### What is left to measure
#
# Entropy aside, topology is that of the graph of the strongest tenth of the weights. Weights that may not be negative
# are often exactly zero after training. Of one run per variant and task the matrix is [kept](08_topology.ipynb). How
# many weights between different units are left (`others`), are they a tenth of all (`tenth`), and what does the last
# epoch change in modularity?

# %%
kept = kept_weights(shown, arm="corr+sign")
remains = pd.DataFrame(
    {
        "variant": [run.variant for run in kept],
        "task": [run.task for run in kept],
        "others": [len(run.matrix.values) for run in kept],
        "tenth": [run.matrix.summary["threshold"] > 0 for run in kept],
    }
)
remains["percent"] = 100 * remains["others"] / runs["n_neurons"].iloc[0] ** 2
steps = [run.course[-1] - run.course[-2] for run in kept]
remains["last_epoch"] = [step[COURSE.index("modularity")] for step in steps]
not_kept = "No matrices of this field and arm are kept."
rows_or(remains.set_index(["variant", "task"]).round(3), not_kept)

# %%
poor = remains[~remains["tenth"].astype(bool)]
text = not_kept
if len(poor):
    text = f"Of {len(remains)} kept matrices {len(poor)} have less than a "
    text += "tenth of their weights above zero: those of "
    text += ", ".join(dict.fromkeys(poor["variant"])) + ". Between different "
    text += f"units {poor['others'].min()} to {poor['others'].max()} weights "
    text += f"are left, at most {poor['percent'].max():.1f} % of all. The last "
    text += "epoch moves the modularity of such a graph by up to "
    text += f"{poor['last_epoch'].abs().max():.2f}."
glue("remains_told", text)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`remains_told`
# ```
#
# By how many standard errors of the difference these variants lie above (+) or below (-) the published cells, averaged
# over them:

# %%
if judged:
    cells = table[table["variant"].isin(poor["variant"])]
    cells = cells.assign(errors=cells["difference"] / cells["error"])
    by_task = cells.pivot_table("errors", "metric", "task", sort=False)
by_task.round(1) if judged else "no published table"

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# Where less than a tenth is above zero, the graph is not a tenth of the weights but all that is left of them. Topology
# of so small a remainder may differ between programs whose networks have the same entropy; but what the last epoch
# moves is too little to explain the cells that are different. On field 6_6_2 these variants are furthest off in
# perceptual decision, as an unlucky draw of trials would have it, which all variants of a task share. Yet none of the
# draws that were run reached the published values of the two cells. Their cause is open.
# ```
#
# ## What diverges, and when

# %% mystnb={"figure": {"name": "fig-positive-divergence", "caption": "Recorded runs of this page by the epoch in which they diverged; grey: they did not. One panel per task."}, "image": {"alt": "Bars of runs by epoch of divergence for eleven variants and three tasks."}}
figures.divergence(runs)

# %%
start = runs["variant"].map(
    {name: variant.start for name, variant in VARIANTS.items()}
)
lost = runs.groupby([start.rename("start"), "task"])["diverged"]
share = lost.agg(["mean", "sum", "count"])
glue("orthogonal", float(runs.loc[start == "orthogonal", "diverged"].mean()))
glue("cortical", float(runs.loc[start != "orthogonal", "diverged"].mean()))
last = runs["diverged_epoch"].max()
glue(
    "last",
    "none did"
    if pd.isna(last)
    else f"the last run to do so did in epoch {last}",
)
share.rename(columns={"mean": "share", "sum": "diverged", "count": "runs"})

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`, {glue:text}`n_runs` runs, {glue:text}`seeds` seeds. Of the runs with an orthogonal
# start {glue:text}`orthogonal:.0%` diverged, of those with a functional start, relabelled or not,
# {glue:text}`cortical:.0%`; {glue:text}`last`.
# ```
#
# ### What becomes of an orthogonal start
#
# An orthogonal matrix keeps the length of every state: all its eigenvalues lie on the unit circle. Its
# positive part does not, and with rectified units nothing holds the states back. The spectral radius of the
# starts, before and after negative entries are set to zero:

# %%
measured = load_field(f"surrogate_{runs['n_neurons'].iloc[0]}")
rows = []
for name in ("WD*", "W*D*C", "W!D*C"):
    for seed in range(seeds):
        weights = variant_start(measured, name, task="one_choice", seed=seed)
        whole, positive = map(
            priors.spectral_radius, (weights, weights.clip(min=0))
        )
        rows.append({"start": name, "whole": whole, "positive": positive})
radius = pd.DataFrame(rows).groupby("start", sort=False).mean()
radius.round(3)

# %%
assert radius.loc["WD*", "whole"] < 1.001 < radius.loc["WD*", "positive"]
cortical = radius.loc[["W*D*C", "W!D*C"]]
assert (cortical["positive"] < 1).all()
assert np.allclose(cortical["positive"], cortical["whole"])  # nothing to clip
glue("n_neurons", measured.n_neurons)
glue("radius", float(radius.loc["WD*", "positive"]))
n_steps = TASKS["one_choice"].n_steps - 1  # recurrent steps
growth = n_steps * np.log10(radius.loc["WD*", "positive"])
glue("growth", float(growth))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# With {glue:text}`n_neurons` units the positive part of an orthogonal matrix has a spectral radius of
# {glue:text}`radius:.2f` (mean of the seeds): over the steps of one trial of the one-choice task states can grow
# by a factor of about ten to the power {glue:text}`growth:.0f`. Functional starts are positive from the
# beginning and keep their radius of 0.95. (Orthogonal matrices do not depend on the field; the functional ones
# here are those of a synthetic field.)
# ```
#
# Large states alone end nothing. But a gradient through $T$ steps holds products of states and errors that grow
# by the radius to the power of $T - 1$, and Adam keeps the *square* of every gradient. Once that square is above
# the largest number of single precision, its running mean is infinite; Keras, and this package, update that mean by
# a step towards the new square, so that one update later it is infinity less infinity, and the weight is lost. Growth
# by more than half the powers of ten that single precision has can therefore be fatal. The bound is ours and
# rough: it ignores the gain of the inputs and what the first updates change.

# %%
radii = {
    n: priors.spectral_radius(ortho_group.rvs(n, random_state=0).clip(min=0))
    for n in sorted({42, 70, 160, 312, measured.n_neurons})
}
powers = pd.DataFrame(
    {
        task: [
            (TASKS[task].n_steps - 1) * np.log10(radius)
            for radius in radii.values()
        ]
        for task in TASKS
    },
    index=pd.Index(radii, name="N"),
)
fatal = np.log10(np.finfo(np.float32).max) / 2
glue("fatal", float(fatal))
powers.round(1)

# %% [markdown]
# These are powers of ten, to be held against {glue:text}`fatal:.1f`. What did the recorded runs with an orthogonal
# start do, on all fields?

# %%
everywhere = pd.concat(
    select(archive, field=name, sign="positive") for name in recorded
)
orthogonal = everywhere[
    everywhere["variant"].map(lambda name: VARIANTS[name].start == "orthogonal")
]
cells = orthogonal.groupby(["n_neurons", "task"])["diverged"].agg(
    ["sum", "count"]
)
expected = [powers.loc[n, task] > fatal for n, task in cells.index]
for name, chosen in {
    "above": cells[expected],
    "below": cells[~np.array(expected)],
}.items():
    glue(f"{name}_lost", int(chosen["sum"].sum()))
    glue(f"{name}_runs", int(chosen["count"].sum()))
cells.assign(above=expected).rename(
    columns={"sum": "diverged", "count": "runs"}
)

# %%
stayed = orthogonal[~orthogonal["diverged"]]
off_level = (stayed["accuracy"] - stayed["task"].map(level).astype(float)).abs()
glue("n_stayed", len(stayed))
glue("stayed_off_level", off_level.max())

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`above_runs` runs above the bound {glue:text}`above_lost` diverged, of {glue:text}`below_runs` below it
# {glue:text}`below_lost`; where there are none, the bound itself is not tested. The {glue:text}`n_stayed` that did not
# diverge end within {glue:text}`stayed_off_level:.3f` of the level without memory.
# ```
#
# ```{admonition} Fact
# :class: fact
# That a run diverges, rather than stops moving, depends on how the optimiser writes its mean of squares: a sum of a
# decayed old and a weighted new value would stay infinite and freeze the weight. Keras and this package write it as
# a step. The form of Keras was adopted here when the other one, used first, failed to diverge; that both sides diverge
# shows that the software behaves alike, and is no independent finding.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# An orthogonal start can fail with positive weights in two ways: its gradients overflow and the run diverges, or
# they stay finite and too large to learn from, and the run ends at chance. Growth alone does not tell which: some runs
# above the bound ended at chance (table). Either
# may be a matter of scale before it is one of biology: the positive part of an orthogonal matrix was never
# brought to a radius below one, while functional weights were. Whether a positive start *without* cortex,
# random but of radius 0.95, trains as well, the published design does not ask;
# [chapter 10](10_controls.ipynb) does.
# ```
#
# ## Those that train

# %%
alive = runs[~runs["diverged"]]
kept = alive.groupby(["variant", "task"], sort=False)["accuracy"]
kept.agg(["mean", "min", "max", "count"]).unstack("task").round(3)

# %% mystnb={"figure": {"name": "fig-positive-curves", "caption": "Accuracy in every epoch with positive weights. Thin lines: runs of this page, which end where they diverged; thick lines: medians of those that did not."}, "image": {"alt": "Learning curves of eleven variants on three tasks with positive weights."}}
figures.learning_curves(runs)

# %% mystnb={"figure": {"name": "fig-positive-modularity", "caption": "Modularity of networks with positive weights: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2; marks as above."}, "image": {"alt": "Modularity of eleven variants on three tasks with positive weights."}}
figures.beside_published(table[table["metric"] == "modularity"])

# %% [markdown]
# ## Free and positive
#
# The same seed has the same start, trials and noise in both arms. Where a start is positive already, the difference is
# one of sign alone; from an orthogonal start, clipping also raises the spectral radius, so that sign and scale change
# together. Runs that diverged are left out.

# %%
free = select(archive, field=shown)
pairs = alive.merge(
    free, on=["variant", "task", "seed"], suffixes=("", "_free")
)
pairs["change"] = pairs["accuracy"] - pairs["accuracy_free"]
paired = pairs.groupby(["variant", "task"], sort=False)["change"]
paired.agg(["mean", "std", "count"]).unstack("task").round(3)

# %% [markdown]
# ## All cells and their runs

# %%
download(table, f"cells_{shown}_positive.csv")

# %%
download(
    runs.drop(columns=["history_accuracy", "history_loss"]),
    f"runs_{shown}_positive.csv",
)

# %%
cells_of_runs(runs, values=["accuracy", "modularity"])

# %% [markdown]
# ## Summary
#
# - The positive part of an orthogonal matrix has a spectral radius above one that grows with the number of
#   neurons. Most of its runs diverge, since that radius, over the steps of a trial, makes squares of gradients
#   overflow; the others end at chance. None learned.
# - A run that diverged has no accuracy; the published share of one class is not one.
# - Free and positive runs of a seed are pairs: same start, same trials, same noise.
#
# **What's next.** [Methods](../book/methods.md), and [the rules](../book/rules.md) by which cells are judged.
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
