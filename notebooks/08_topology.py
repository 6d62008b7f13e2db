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
# # Topology of the learned networks
#
# The paper's claim in one sentence: networks that are trained with cortical priors become low-entropy,
# modular and small-world. The first figure tells whether the published numbers come out again. The rest
# of the chapter asks what they mean: what the matrices had before training, what a random graph has, and
# whether better networks have more of it.
#
# *Needs:* [The ablation](06_ablation.ipynb). *Time:* half a minute; nothing is trained on this page.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import (
    equivalence,
    graph_nulls,
    rank_correlations,
    replication,
)
from cortexrnn.fields.sources.published import is_available
from cortexrnn.figures import topology as figures
from cortexrnn.figures.checks import soma_um
from cortexrnn.figures.page import (
    banner,
    cells_of_runs,
    download,
    glue,
    rows_or,
)
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks import topology
from cortexrnn.networks.priors import scaled_positions
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.labels import select
from cortexrnn.runs.trained_weights import COURSE, kept_weights, stated_loss

# %%
set_style()

# %% tags=["parameters"]
field = "6_6_2"  # paper: "6_6_2", and for robustness "5_3_4" and "5_6_8"
relation = "correlation"  # paper: "correlation" in the main text
sign = "free"  # paper: "free", and "positive" in its Table 3
task = "one_choice"  # of the matrices and graphs that are drawn

# %% [markdown]
# Recorded runs at the paper's size, under the `published` protocol, come from the archive that ships with
# the package. Of one run per variant and task the trained matrix is kept as well, as far as its graph needs
# it.

# %%
settle()
assert task in TASKS, f"task is {task!r}; choose one of {', '.join(TASKS)}"
archive = load_archive()
chosen = {"field": field, "relation": relation, "sign": sign}
if select(archive, **chosen).empty:
    print("No recorded runs of", ", ".join(chosen.values()))
    chosen = {"field": "6_6_2", "relation": "correlation", "sign": "free"}
runs = select(archive, **chosen)
assert len(runs), "the archive holds no runs of the paper's field and arm"

# %%
ended = runs[~runs["diverged"]]
shown, arm = str(runs["field"].iloc[0]), str(runs["arm"].iloc[0])
n_neurons = int(runs["n_neurons"].iloc[0])
kept = kept_weights(shown, arm=arm)
banner(shown, runs=runs)

# %%
not_kept = "No matrices of this field and arm are kept."
n_seeds = runs["seed"].nunique()
glue("field", shown)
glue("arm", arm)
glue("n_neurons", n_neurons)
glue("n_runs", len(runs))
glue("seeds", "1 seed" if n_seeds == 1 else f"{n_seeds} seeds")
glue("n_kept", len(kept))
print("Arm:", arm)
print("Runs:", len(runs), "of which", len(ended), "did not diverge")
print("Matrices kept:", len(kept))

# %% [markdown]
# ## The verdict
#
# The [rules](../book/rules.md) were fixed before the first full run. A cell is *equivalent* to the published
# one, *different*, or *inconclusive*; false discoveries are controlled over all cells of both signs and all
# five metrics together, of which this page shows the four of topology. Fewer than ten values are always
# inconclusive.

# %%
drawn = replication.draw_variance(archive)
variance = replication.variances(drawn)
missing = len(variance) - len(drawn)
print(
    f"Variance of the draw of trials: {len(drawn)} estimates, {missing} taken as zero"
)

# %%
compared = replication.compare_with_published(archive, field=shown)
compared = compared[compared["arm"] == arm]
compared = compared[compared["metric"].isin(COURSE)].reset_index(drop=True)
if shown != "6_6_2":
    compared["verdict"] = "other field"

# %% mystnb={"figure": {"name": "fig-topology-verdict", "caption": "Every cell of the ablation by four measures: published mean of 20 simulations of field 6_6_2 against the mean of the recorded runs of this page, each with its 95 % interval from the t distribution. Grey band: the margin of equivalence. Fewer than ten runs are inconclusive by rule; runs of another field are not compared. Field and number of runs are told above."}, "image": {"alt": "Published against replicated entropy, modularity, small-worldness and assortativity, with intervals and verdicts."}}
figures.verdict(compared)

# %%
summary = "Nothing is judged here: the paper has no such table."
if shown == "6_6_2":
    summary = replication.verdicts_in_words(compared)
glue("told", summary)
glue("draws", f"{len(drawn)} of {len(variance)}")
pd.crosstab(compared["metric"], compared["verdict"])

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`, arm {glue:text}`arm`, {glue:text}`n_runs` runs, {glue:text}`seeds`. {glue:text}`told` The
# variance of the draw of trials is estimated for {glue:text}`draws` pairs of metric and task, from small fields; where
# it is not, it is taken as zero. Where draws of field 6_6_2 itself move a mean further than that
# ([chapter 6](06_ablation.ipynb)), verdicts are firmer than they should be.
# ```
#
# ## What the matrices had before training
#
# A trained network has structure of two kinds: what training put there, and what was there when it began. The starts
# are an orthogonal matrix (W), functional weights (W\*), and the same with neurons relabelled at random (W!). Where
# trained matrices are kept, their start was measured with them, as epoch 0; otherwise starts are made and measured on
# this page.

# %%
available = is_available(shown)
cortex = load_field(shown if available else f"surrogate_{n_neurons}")
starts_from = "the real field" if available else "a surrogate of the same size"
starts = graph_nulls.starts_beside(kept, cortex, relation=chosen["relation"])
if starts["kept"].all():
    starts_from = "epoch 0 of the kept runs"
elif starts["kept"].any():
    starts_from = (
        f"epoch 0 of the kept runs, where there are any, and {starts_from}"
    )
glue("starts_from", starts_from)
print(f"Starts: {starts_from}.")

# %%
before = starts.groupby("start", sort=False)[list(COURSE)].mean()
assert before.loc["functional", "entropy"] < before.loc["orthogonal", "entropy"]
before.round(3)

# %% mystnb={"figure": {"name": "fig-topology-starts", "caption": "From start to end: black bars mark one untrained matrix of each variant's kind (where from is told above), symbols the mean of the recorded runs after training, one for each task. Diverged runs are left out; field and number of runs are told above."}, "image": {"alt": "Four measures of topology before and after training for every variant and task."}}
figures.start_and_end(starts, runs)

# %%
for name, row in before.iterrows():
    for measure in COURSE:
        glue(f"{name}_{measure}", float(row[measure]))
origin = ended["variant"].map({k: v.start for k, v in VARIANTS.items()})
shift = ended[list(COURSE)] - before.loc[origin, list(COURSE)].to_numpy()
moved = shift.groupby(origin).median()
moved.rename_axis("start").round(3)

# %%
own = pd.DataFrame(
    [run.course[-1] - run.course[0] for run in kept], columns=COURSE
)
own["start"] = [VARIANTS[run.variant].start for run in kept]
margin = equivalence.MARGINS["modularity"]
for name in graph_nulls.STARTS:
    changes = own[own["start"] == name]
    glue(f"{name}_kept", len(changes))
    glue(f"{name}_fell", int((changes["entropy"] < 0).sum()))
    glue(f"{name}_rose", int((changes["modularity"] > 0).sum()))
    glue(f"{name}_far", int((changes["modularity"] > margin).sum()))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Starts: {glue:text}`starts_from`, N = {glue:text}`n_neurons`. Untrained functional weights have an entropy of
# {glue:text}`functional_entropy:.2f` bits, a modularity of {glue:text}`functional_modularity:.2f` and a small-worldness
# of {glue:text}`functional_small_worldness:.2f`; an orthogonal matrix has {glue:text}`orthogonal_entropy:.2f` bits,
# {glue:text}`orthogonal_modularity:.2f` and {glue:text}`orthogonal_small_worldness:.2f`. The table has the median of
# every measure after training less that of these starts, one matrix of each kind. Runs whose matrices are kept can be
# compared with their own start: of {glue:text}`functional_kept` from W\* the entropy fell in
# {glue:text}`functional_fell` and the modularity rose in {glue:text}`functional_rose`, in {glue:text}`functional_far`
# by more than the margin of the rules; of {glue:text}`orthogonal_kept` from an orthogonal matrix in
# {glue:text}`orthogonal_fell`, {glue:text}`orthogonal_rose` and {glue:text}`orthogonal_far`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Entropy is read on a hundred points between the smallest and the largest weight, so it is low wherever few
# weights are far larger than the rest. Functional weights have such weights from the beginning: the
# self-connections ([chapter 3](03_priors.ipynb)). A network that ends at low entropy from such a start
# may only have stayed so; the comparison of starts and ends, not the end alone, says what training adds.
# ```

# %% mystnb={"figure": {"name": "fig-topology-course", "caption": "Four measures at the start (epoch 0) and after every epoch, of the runs whose matrices are kept: one run per variant and task, coloured by the kind of start. Measured on the full matrices when they were trained."}, "image": {"alt": "Entropy, modularity, small-worldness and assortativity over ten epochs of training."}}
figures.course(kept)

# %% [markdown]
# How far can one number of one run be trusted? The kept runs were trained twice: once for the archive and
# once for their matrices, with the same specification and, where the code had changed in between,
# another order of sums. Rounding is all that differs at first; training then carries the two apart. The table
# has the differences of the two, and what the last epoch still changes, beside the margin of the rules.

# %%
names = [run.identity for run in kept]
again = pd.DataFrame([run.metrics for run in kept], index=names)
again = again.reindex(columns=["accuracy", *COURSE]).astype(float)
recorded = runs.set_index("identity")[list(again.columns)]
noise = (again - recorded.reindex(names)).abs()
assert not (noise["accuracy"] > 0.05).any(), "succeeded once and failed once"
last = np.array([run.course[-1] - run.course[-2] for run in kept])
last = pd.DataFrame(last.reshape(-1, len(COURSE)), columns=COURSE).abs()

# %%
repeated = pd.DataFrame(
    {
        "two trainings, median": noise.median(),
        "two trainings, largest": noise.max(),
        "last epoch, median": last.median(),
        "last epoch, largest": last.max(),
        "margin": pd.Series(equivalence.MARGINS),
    }
).loc[[*COURSE, "accuracy"]]
rows_or(repeated.round(4) if kept else repeated.head(0), not_kept)

# %%
text = not_kept + " So nothing is known of a second training."
if kept:
    apart = repeated["two trainings, largest"] > repeated["margin"]
    beyond = ", ".join(apart.index[apart]).replace("_", "-") or "nothing"
    text = f"Of {noise['accuracy'].notna().sum()} runs that were trained "
    text += f"twice, {(noise.max(axis=1) < 1e-9).sum()} came out the same to "
    text += "rounding. The largest difference of the others is "
    text += f"{noise['accuracy'].max():.4f} in accuracy, "
    text += f"{noise['modularity'].max():.2f} in modularity and "
    text += f"{noise['entropy'].max():.1f} bits in entropy. Beyond its margin "
    text += f"between two trainings: {beyond}."
glue("again", text)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`again`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# A measure that moves by more than its margin between two trainings of one run tells little about a single
# network; only its distribution over runs can be compared. Entropy is most to be careful with: it is read
# between the smallest and the largest of all weights, two numbers out of $N^2$.
# ```
#
# ## Topology against accuracy
#
# Do networks that solve a task have more of it? Over all runs the question mixes two: whether *variants*
# that do well have it, and whether, among runs of one variant that differ by their seeds alone, the better
# ones have it. A correlation of the first kind may be absent or reversed in the second (Simpson's paradox).

# %% mystnb={"figure": {"name": "fig-topology-accuracy", "caption": "Topology after training against accuracy in the last epoch, one mark per recorded run that did not diverge, coloured by the kind of start. Field and number of runs are told above."}, "image": {"alt": "Scatter of four measures of topology against accuracy in three tasks."}}
figures.against_accuracy(runs)

# %%
associations = rank_correlations.rank_correlations(runs)
within = associations[associations["over"] == "within variants"]
across = associations[associations["over"] == "all runs"]
sides = [np.sign(part["correlation"].to_numpy()) for part in (across, within)]
opposite = sides[0] * sides[1] < 0
sure = [
    ((part["low"] > 0) | (part["high"] < 0)).to_numpy()
    for part in (across, within)
]

# %% mystnb={"figure": {"name": "fig-topology-correlations", "caption": "Rank correlation of accuracy with four measures: over all runs, over the means of variants, and within variants (ranks inside each variant, pooled). Bars: 95 % by resampling variants, or runs inside variants. Nothing is drawn within variants where none has three runs, nor where nothing varies."}, "image": {"alt": "Rank correlations with intervals, over all runs, over variants and within variants, in three tasks."}}
figures.correlations(associations)

# %%
glue("n_pairs", len(within))
glue("n_within_known", int(within["correlation"].notna().sum()))
glue("clear_across", int(sure[0].sum()))
glue("clear_within", int(sure[1].sum()))
glue("n_opposite", int(opposite.sum()))
glue("n_opposite_sure", int((opposite & sure[0] & sure[1]).sum()))
associations.round(2)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_pairs` pairs of measure and task, the interval excludes zero in
# {glue:text}`clear_across` over all runs. Within variants a correlation can be had for
# {glue:text}`n_within_known` pairs; its interval excludes zero in {glue:text}`clear_within`, and its sign is
# opposite to that over all runs in {glue:text}`n_opposite`; in {glue:text}`n_opposite_sure` of these both intervals
# exclude zero. With one seed there is nothing within a variant.
# No correction for many intervals is made here.
# ```
#
# ## What chance has
#
# ```{admonition} Fact
# :class: fact
# Small-worldness is clustering times efficiency, each relative to its mean over 1,000 random graphs
# ([methods](../book/methods.md)). These are the same for every network of one size: pairs are joined with
# probability 0.18, and self-loops are kept, which count in the clustering of the random graphs alone.
# ```
#
# A graph of the strongest tenth of directed weights joins about 10 % of the pairs where every strong connection has a
# strong one back, 19 % where this is left to chance, and at most 20 %. A random graph of another density has another
# clustering: that alone moves the ratio.

# %%
densities = [0.10, 0.15, 0.18, 0.19]
nulls = topology.null_graphs(n_neurons)
others = graph_nulls.null_densities(n_neurons, densities)
product = others["clustering"] * others["efficiency"]
others["small_worldness"] = product / (nulls.clustering * nulls.efficiency)
others.round(3)

# %% [markdown]
# The last column is the small-worldness of a graph with *no* structure at that density, by the paper's
# measure. As a control, graphs of the kept runs are measured against two other kinds of random graphs: with
# their own number of edges, and with the degree of every neuron as it is (edges shuffled pairwise
# {cite}`maslov2002`).

# %%
one_task = [run for run in kept if run.task == task]
chances = graph_nulls.against_chance(one_task)

# %% mystnb={"figure": {"name": "fig-topology-chance", "caption": "Control: small-worldness of trained graphs against three kinds of random graphs: the paper's (1,000, density 0.18 with self-loops), random graphs with as many edges, and random graphs with the same degrees (3 of each for every run). Dotted: as chance. Kept runs of the task named in the parameters, one per variant."}, "image": {"alt": "Small-worldness of eleven variants against three kinds of random graphs."}}
figures.chance(chances)

# %%
wide = chances.pivot_table(
    index="variant", columns="chance", values="small_worldness", sort=False
)
degrees = chances[chances["chance"] == "degrees"].set_index("variant")
columns = ["density", "modularity", "chance_modularity"]
of_graph = degrees[columns].rename(columns={"density": "density of the graph"})
rows_or(wide.join(of_graph).round(3), not_kept)

# %%
excess = degrees["small_worldness"]
glue("n_chance", len(excess))
glue("n_above_chance", int((excess > 1.1).sum()))
glue("task", task)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_chance` kept graphs of task {glue:text}`task`, {glue:text}`n_above_chance` exceed random graphs of
# the same degrees in small-worldness by more than a tenth (a threshold of ours; three random graphs each). The table
# has the modularity of one such random graph beside that of the network: greedy communities find some modularity in any
# graph of this density.
# ```
#
# ## Matrices to look at
#
# ```{admonition} Fact
# :class: fact
# A kept matrix holds exactly the entries that make its graph, the strongest tenth by magnitude, and the
# diagonal, in half precision. What that leaves out is stated for every matrix below: its entries (`kept`), the
# magnitude they exceed (`threshold`), the spectral radius of the full matrix, the share of the sum of magnitudes and of
# the Frobenius norm that is kept, and the norm of what is left out, relative to the whole (`error`). The file that can
# be downloaded at the end has the identity, which leads to the run's row of the archive.
# ```

# %% tags=["scroll-output"]
loss = stated_loss(kept)
stated = loss.drop(columns=["identity", "mean", "sd"], errors="ignore")
rows_or(stated.round(3), not_kept)

# %%
for run in one_task:
    recomputed = topology.assortativity(run.matrix.graph())
    assert abs(recomputed - run.metrics["assortativity"]) < 1e-9

# %%
shown_variants = ["W*D*C", "W*D*C*", "WD*C", "WD"]
by_name = {run.variant: run for run in one_task}
examples = [by_name[name] for name in shown_variants if name in by_name]

# %% mystnb={"figure": {"name": "fig-topology-weights", "caption": "Distribution of all weights of four trained networks, in 100 bins between the smallest and the largest; logarithmic counts, and the entropy of the distribution. A few large weights stretch the axis, and entropy falls. One run each; task as in the parameters."}, "image": {"alt": "Histograms of weights of four trained networks."}}
figures.weight_histograms(examples)

# %% mystnb={"figure": {"name": "fig-topology-matrices", "caption": "Kept entries of four trained matrices, neurons sorted by the communities of their graph, largest first; grey lines end communities of more than five neurons. Red positive, blue negative, white not kept; the scale of each matrix is in its title. One run each; task as in the parameters."}, "image": {"alt": "Four trained recurrent matrices, neurons sorted by community."}}
figures.matrices(examples)

# %% [markdown]
# The same four as graphs. Neurons stand where their somata are if the field is on this machine, seen along
# the depth of cortex; otherwise each graph lays itself out by springs.

# %%
places = soma_um(cortex)[:, [0, 2]] if available else None

# %% mystnb={"figure": {"name": "fig-topology-graphs", "caption": "The 400 strongest connections between different neurons in four trained networks; neurons coloured by community of the whole graph (of the largest nine, others grey). At their soma positions where the field is at hand, else in a spring layout without units, where neurons without such a connection stand around. One run each; task as in the parameters."}, "image": {"alt": "Node-link drawings of four trained networks, neurons coloured by community."}}
figures.node_link(examples, positions=places)

# %% [markdown]
# Where do communities come from? The released code reshapes the positions so that every unit gets
# coordinates of other neurons, and these lie in three clusters: units 0, 3, 6, ... are in one, whatever the
# neurons ([chapter 3](03_priors.ipynb)). Distance between clusters is what the penalty of D\* sees. The share
# of connections inside these clusters, by variant:

# %%
cluster = np.arange(n_neurons) % 3
points = scaled_positions(cortex, coordinates="reshaped")
apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
same = cluster[:, None] == cluster[None]
assert apart[same].mean() < 0.5 * apart[~same].mean()

# %%
pairs = ~np.eye(n_neurons, dtype=bool)
by_chance = graph_nulls.share_within(pairs, cluster)
inside = pd.Series(
    {
        r.variant: graph_nulls.share_within(r.matrix.graph(), cluster)
        for r in one_task
    },
    dtype=float,
)
rows_or(inside.rename("share inside clusters").round(3).to_frame(), not_kept)

# %%
soma = [n for n in inside.index if VARIANTS[n].distance == "soma"]
direct = [n for n in soma if VARIANTS[n].communicability == "direct"]
text = not_kept
if len(inside):
    moderate = inside.to_frame("inside").join(degrees["modularity"])
    rank = moderate.corr("spearman").iloc[0, 1]
    text = f"In the kept graphs of task {task} it is "
    text += f"{100 * inside[direct].mean():.0f} % on average for variants with "
    text += "D* and direct C, and "
    text += f"{100 * inside.drop(direct).mean():.0f} % for all others. "
    text += "The rank correlation of this share with modularity is "
    text += f"{rank:.2f} over variants."
glue("by_chance", 100 * by_chance)
glue("inside", text)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# By chance {glue:text}`by_chance:.0f` % of connections lie inside the three clusters. {glue:text}`inside`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Connections that keep to clusters which have nothing to do with the tissue may be modular because of the clustered
# coordinates and not because of real geometry. One run per variant cannot decide it. A test needs units with their own
# neuron's coordinates, and is in [chapter 10](10_controls.ipynb).
# ```
#
# ## All cells and their runs

# %%
download(compared, f"topology_{shown}_{arm}.csv")

# %%
download(associations, f"topology_accuracy_{shown}_{arm}.csv")

# %%
download(starts, f"starts_{shown}_{chosen['relation']}.csv")

# %%
download(chances, f"chance_{shown}_{arm}_{task}.csv")

# %%
download(loss, f"kept_matrices_{shown}_{arm}.csv")

# %% tags=["scroll-output"]
cells_of_runs(runs, values=["accuracy", *COURSE])

# %% [markdown]
# ## Summary
#
# - Published and replicated topology stand side by side in the first figure, with the rules that
#   decide.
# - Functional weights are low in entropy before any training; the second figure parts what training adds
#   from what was there.
# - Training the same run twice tells which measures of a single network can be trusted.
# - That better *variants* have more structure does not say that better networks of one variant have; the two are
#   measured apart.
# - The paper's random graphs depend on the number of neurons alone; graphs of the same degrees are the
#   stricter comparison.
#
# **What's next.** [Run it yourself](../book/run.md), on this or another field.
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
# Modularity: {cite:t}`clauset2004`; assortativity: {cite:t}`newman2002`; small-worldness:
# {cite:t}`humphries2008`, with efficiency {cite}`latora2001` for path length; random graphs of the same degrees:
# {cite:t}`maslov2002`.
