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
# # The ablation
#
# The paper's central claim: networks whose weights start from the activity of cortex gain most, the
# real geometry comes second, and communicability helps selectively. The evidence is a table of eleven
# variants and three tasks. This chapter puts recorded runs of the same design beside that table.
#
# *Needs:* [Eleven networks](05_networks.ipynb). *Time:* seconds; nothing is trained on this page.

# %%
import pandas as pd

from cortexrnn.archive import load_archive
from cortexrnn.figures import ablation as figures
from cortexrnn.figures.style import banner, glue, set_style
from cortexrnn.inference import beside_published, cell_means, readable
from cortexrnn.models import VARIANTS

set_style()

# %% tags=["parameters"]
field = "6_6_2"  # paper: "6_6_2", and for robustness "5_3_4" and "5_6_8"
relation = "correlation"  # paper: "correlation" in the main text
sign = "free"  # paper: "free" here, "positive" in its Table 3

# %% [markdown]
# Runs are read from the archive that ships with the package: those of the `published` protocol, which does
# what the released code does.

# %%
archive = load_archive()
archive = archive[archive["protocol"] == "published"]
archive = archive[archive["variant"].isin(VARIANTS)]
archive = archive[(archive["relation"] == relation) & (archive["sign"] == sign)]
assert len(archive), f"no recorded runs of {relation}, {sign}"

# %%
recorded = list(dict.fromkeys(archive["field"]))
default = "6_6_2" if "6_6_2" in recorded else recorded[0]
shown = field if field in recorded else default
if shown != field:
    print(f"No recorded runs of field {field}; these are those of {shown}.")
print(f"Fields with recorded runs of this arm: {', '.join(recorded)}")

# %%
runs = archive[archive["field"] == shown]
glue("field", shown)
banner(shown, runs=runs)

# %% [markdown]
# Every cell of the design must be there, every run once, all of one size. Seeds per cell:

# %%
cells = (
    runs.groupby(["variant", "task"], sort=False)["seed"].nunique().unstack()
)
assert set(cells.index) == set(VARIANTS)
assert cells.notna().all(axis=None)
assert runs["identity"].is_unique
assert (
    runs[["epochs", "n_train", "n_validation"]].drop_duplicates().shape[0] == 1
)
cells

# %%
n_seeds = int(runs["seed"].nunique())
glue("seeds", "1 seed" if n_seeds == 1 else f"{n_seeds} seeds")
glue("n_runs", len(runs))
glue("n_diverged", int(runs["diverged"].sum()))
glue("hours", runs["seconds"].sum() / 3600)
size = runs.iloc[0]
print(size["n_neurons"], "neurons")
print(size["epochs"], "epochs of", size["n_train"], "trials")
print("trained on", ", ".join(sorted(set(runs["device"]))))
for versions in sorted(set(runs["versions"])):
    print("with", versions.replace(", ", "\n     "))

# %% [markdown]
# ## Accuracy
#
# ```{admonition} Fact
# :class: fact
# Published numbers are means over 20 simulations of field 6_6_2 with a 95 % interval from the t
# distribution, read off the authors' notebooks {cite}`cortical_blueprint`. `accuracy` is the mean over
# the training trials of the last epoch, as in the paper's Tables 2 and 3.
# ```
#
# A network that forgets the goal can still answer five of the eight problems of the one-choice task
# ([chapter 4](04_tasks.ipynb)); the two-class tasks can be guessed half of the time.

# %%
level = {"one_choice": 5 / 8, "perceptual": 1 / 2, "go_nogo": 1 / 2}
accuracy = beside_published(runs, metrics=["accuracy"])

# %% mystnb={"figure": {"name": "fig-ablation-accuracy", "caption": "Accuracy in the last epoch: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2 (20 simulations). A single run has no interval, and one smaller than the mark is not seen. Dotted: what a network reaches without memory. The field and the number of runs are told above."}, "image": {"alt": "Accuracy of eleven variants on three tasks, recorded and published, with intervals."}}
figures.beside_published(accuracy, level=level)

# %%
known = accuracy[accuracy["published"].notna()]
inside = known["mean"].between(known["published_low"], known["published_high"])
glue("n_cells", len(known))
glue("n_inside", int(inside.sum()))
glue("mean_difference", known["difference"].abs().mean())
outside = known.loc[~inside].set_index(["variant", "task"])
outside = outside[["mean", "published", "difference"]]
outside.sort_values("difference").rename(columns={"mean": "here"}).round(3)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field` (the published one: 6_6_2): {glue:text}`n_runs` runs, {glue:text}`seeds`,
# {glue:text}`n_diverged` diverged, {glue:text}`hours:.2f` hours of computing. In
# {glue:text}`n_inside` of {glue:text}`n_cells` cells the mean of these runs is within the published
# interval; the table lists the others. The mean absolute difference is
# {glue:text}`mean_difference:.3f`.
# ```
#
# Is a mean outside the published interval a contradiction? Not by itself. The mean of these runs has an
# uncertainty of its own. All runs of a task share one draw of trials, here and in the paper, so no
# interval contains what another draw would do: at the level without memory it moves all cells of a task
# together. And runs of one cell need not lie around their mean, but may fall into groups.

# %% mystnb={"figure": {"name": "fig-ablation-runs", "caption": "Accuracy in the last epoch of every recorded run of this page; a cross at zero is a run that diverged. Where a cell holds several runs, they are moved apart vertically. Dotted: what a network reaches without memory."}, "image": {"alt": "Accuracy of single runs of eleven variants on three tasks."}}
figures.single_runs(runs, level=level)

# %%
top = {"one_choice": 1, "perceptual": 0.9, "go_nogo": 1}  # chapter 4
ended = runs[~runs["diverged"]]
low = (ended["accuracy"] - ended["task"].map(level)).abs() < 0.05
high = ended["accuracy"] > ended["task"].map(top) - 0.05
glue("n_ended", len(ended))
glue("n_low", int(low.sum()))
glue("n_high", int(high.sum()))
glue("n_elsewhere", int((~low & ~high).sum()))

# %%
keys = [ended["variant"], ended["task"]]
both = low.groupby(keys).any() & high.groupby(keys).any()
glue("n_both", int(both.sum()))
glue("n_ended_cells", len(both))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_ended` runs that did not diverge, {glue:text}`n_low` end within 0.05 of the level without
# memory, {glue:text}`n_high` within 0.05 of the top (1, or 0.9 in perceptual decision) or above, and
# {glue:text}`n_elsewhere` elsewhere. Both ends occur in {glue:text}`n_both` of
# {glue:text}`n_ended_cells` cells, with {glue:text}`seeds` in each; a cell of one run cannot hold both.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where the runs of a cell end at one level or the other, their mean measures the *share of runs that
# succeed* and is no typical network; with few seeds it moves in large steps, and a t interval around it
# says little. Published means that lie between the two levels may be such mixtures. From means and
# intervals alone that cannot be told, which is why single runs are kept here.
# ```
#
# ## What each ingredient adds
#
# Means of the variants that share an ingredient, here and in the paper. Such a grouping does *not* hold
# the other ingredients constant, since the design lacks some of their combinations. To change one thing
# at a time takes [controls](../book/adapt.md).

# %%
parts = {}
for ingredient in ("start", "distance", "communicability"):
    levels = {k: getattr(v, ingredient) for k, v in VARIANTS.items()}
    levels = {name: level or "none" for name, level in levels.items()}
    keys = [accuracy["variant"].map(levels).rename("level"), accuracy["task"]]
    for source, column in {"here": "mean", "published": "published"}.items():
        means = accuracy.groupby(keys)[column].mean().unstack("task")
        order = list(dict.fromkeys(levels.values()))
        parts[ingredient, source] = means.loc[order, list(level)]
ingredients = pd.concat(parts, names=["ingredient", "source"])
ingredients.round(3)

# %%
gain = pd.DataFrame(columns=["here", "published"])
for source in gain:
    starts = parts["start", source]
    cortical = starts.loc[["functional", "permuted"]].mean()
    gain[source] = cortical - starts.loc["orthogonal"]
gain.round(3)

# %%
known = gain.dropna()
glue("agree", int(((known["here"] > 0) == (known["published"] > 0)).sum()))
glue("n_tasks", len(known))
permuted = accuracy[accuracy["variant"].str.startswith("W!")]
by_hand = permuted.groupby("task")["mean"].mean()
shared = parts["start", "here"].loc["permuted"]
assert (shared - by_hand).abs().max() < 1e-12 or permuted["mean"].isna().any()

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The last table is the gain of a functional start (W* and its relabelling W!, averaged) over an
# orthogonal one. Its sign agrees with the published one in {glue:text}`agree` of {glue:text}`n_tasks`
# tasks.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# A gain that W* and W! have alike comes from what they share, which is everything but the pairing with
# positions: spectrum, graph, self-connections ([chapter 3](03_priors.ipynb)). Which of these it is, neither
# this table nor the published one can say.
# ```
#
# ## Topology of the trained networks
#
# The same comparison for what training leaves behind: entropy of the weights, and modularity,
# small-worldness and assortativity of the graph of the strongest tenth of connections
# ([methods](../book/methods.md)). One figure per measure.

# %%
topology = {
    name: beside_published(runs, metrics=[name])
    for name in ("entropy", "modularity", "small_worldness", "assortativity")
}

# %% mystnb={"figure": {"name": "fig-ablation-entropy", "caption": "Entropy of the trained recurrent weights in bits: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Entropy of eleven variants on three tasks, recorded and published."}}
figures.beside_published(topology["entropy"])

# %% mystnb={"figure": {"name": "fig-ablation-modularity", "caption": "Modularity of the strongest tenth of connections: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Modularity of eleven variants on three tasks, recorded and published."}}
figures.beside_published(topology["modularity"])

# %% mystnb={"figure": {"name": "fig-ablation-smallworldness", "caption": "Small-worldness against random graphs of the same size: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2. The random graphs depend on the number of neurons alone, not on the network."}, "image": {"alt": "Small-worldness of eleven variants on three tasks, recorded and published."}}
figures.beside_published(topology["small_worldness"])

# %% mystnb={"figure": {"name": "fig-ablation-assortativity", "caption": "Degree assortativity of the strongest tenth of connections: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Assortativity of eleven variants on three tasks, recorded and published."}}
figures.beside_published(topology["assortativity"])

# %% [markdown]
# How well do the patterns agree? The rank correlation of the cells, here against published, tells; for
# accuracy with a caution, since many cells lie together at the level without memory, where their order is
# chance.

# %%
agreement = pd.Series(
    {
        name: table["mean"].corr(table["published"], "spearman")
        for name, table in topology.items()
    }
)
agreement["accuracy"] = accuracy["mean"].corr(accuracy["published"], "spearman")
agreement.rename("rank correlation").round(2).to_frame()

# %% [markdown]
# ## All cells
#
# Means, with 95 % intervals in brackets where there is more than one run.

# %% tags=["scroll-output"]
tables = pd.concat([accuracy, *topology.values()])
assert accuracy["mean"].equals(cell_means(runs, metric="accuracy")["mean"])
pd.set_option("display.max_rows", len(tables))
readable(tables).set_index(["metric", "task", "variant"])

# %% [markdown]
# ## Summary
#
# - Every number above is computed from the archive when the page is built; `cortexrnn tables` prints the
#   cells of any measure.
# - Where runs succeed or fail as a whole, a mean over runs is a success rate.
# - A difference between two cells tells of everything in which the two variants differ: start, strength of
#   the penalty, self-connections.
#
# **What's next.** [Run it yourself](../book/run.md), on this or another field;
# [the method in full](../book/methods.md).
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
