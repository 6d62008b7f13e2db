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
# The paper's central claim: networks whose weights start from the activity of cortex learn best, the
# real geometry comes second, and communicability helps here and there. The evidence is a table of eleven
# variants and three tasks. This chapter puts recorded runs of the same design beside that table.
#
# *Needs:* [Eleven networks](05_networks.ipynb). *Time:* seconds; nothing is trained on this page.

# %%
import pandas as pd

from cortexrnn.archive import load_archive
from cortexrnn.figures import ablation as figures
from cortexrnn.figures.style import banner, glue, set_style
from cortexrnn.inference import beside_published, cell_means
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
archive = archive[(archive["relation"] == relation) & (archive["sign"] == sign)]
assert len(archive), f"no recorded runs of {relation}, {sign}"

# %%
recorded = list(dict.fromkeys(archive["field"]))
shown = field if field in recorded else "6_6_2"
if shown != field:
    print(f"No recorded runs of field {field}; these are those of {shown}.")
print(f"Fields with recorded runs of this arm: {', '.join(recorded)}")

# %%
runs = archive[archive["field"] == shown]
glue("field", shown)
banner(shown, runs=runs)

# %% [markdown]
# Every cell of the design must be there, every run once, all of one size.

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
glue("n_runs", len(runs))
glue("n_seeds", int(runs["seed"].nunique()))
glue("n_diverged", int(runs["diverged"].sum()))
glue("hours", runs["seconds"].sum() / 3600)
size = runs.iloc[0]
print(
    f"{size['epochs']} epochs of {size['n_train']} trials, {size['n_neurons']} neurons"
)
print(f"trained on {', '.join(sorted(set(runs['device'])))}")
print(f"with {'; '.join(sorted(set(runs['versions'])))}")

# %% [markdown]
# ## Accuracy
#
# ```{admonition} Fact
# :class: fact
# Published numbers are means over 20 simulations of field 6_6_2 with a 95 % interval from the t
# distribution, read off the authors' notebooks {cite}`cortical_blueprint`. `accuracy` is the mean over
# the training trials of the last epoch, as in the paper's Table 2.
# ```
#
# A network that forgets the goal can still answer five of the eight problems of the one-choice task
# ([chapter 4](04_tasks.ipynb)); the two-class tasks can be guessed half of the time.

# %%
level = {"one_choice": 5 / 8, "perceptual": 1 / 2, "go_nogo": 1 / 2}
accuracy = beside_published(runs, metrics=["accuracy"])

# %% mystnb={"figure": {"name": "fig-ablation-accuracy", "caption": "Accuracy in the last epoch: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2 (20 simulations). A single run has no interval. Dotted: what a network reaches without memory. The field and the number of runs are told above."}, "image": {"alt": "Accuracy of eleven variants on three tasks, recorded and published, with intervals."}}
figures.beside_published(accuracy, level=level)

# %%
inside = accuracy["mean"].between(
    accuracy["published_low"], accuracy["published_high"]
)
glue("n_cells", len(accuracy))
glue("n_inside", int(inside.sum()))
glue("mean_difference", accuracy["difference"].abs().mean())
outside = accuracy.loc[
    ~inside, ["variant", "task", "mean", "published", "difference"]
]
outside.sort_values("difference").round(3).set_index(["variant", "task"])

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`: {glue:text}`n_runs` runs with {glue:text}`n_seeds` seed(s),
# {glue:text}`n_diverged` diverged, {glue:text}`hours:.2f` core-hours. Of {glue:text}`n_cells` cells,
# {glue:text}`n_inside` have their mean within the published interval; the table lists the others. The mean
# absolute difference is {glue:text}`mean_difference:.3f`.
# ```
#
# Is a mean outside the published interval a contradiction? Not by itself: the mean of a few runs has an
# interval of its own, trials and draws differ, and, above all, runs are not spread around their mean.

# %% mystnb={"figure": {"name": "fig-ablation-runs", "caption": "Accuracy in the last epoch of every recorded run of this page; a cross at zero is a run that diverged. Runs of one variant are moved apart vertically by seed. Dotted: what a network reaches without memory."}, "image": {"alt": "Accuracy of single runs of eleven variants on three tasks."}}
figures.single_runs(runs, level=level)

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# In most cells runs gather at the level without memory or near the top, with little between. A mean then
# measures the *share of runs that succeed*. With few seeds it moves in large steps, and a t interval
# around it says little; a published mean such as 0.787 is a mixture, not a typical network.
# ```
#
# ## What each ingredient adds
#
# Means of the variants that share an ingredient, here and in the paper. Other ingredients are *not* held
# constant by such a grouping, in the paper's design either; later chapters change one thing at a time.

# %%
groups = {
    "start": {name: variant.start for name, variant in VARIANTS.items()},
    "distance": {
        name: str(variant.distance) for name, variant in VARIANTS.items()
    },
    "communicability": {
        name: str(v.communicability) for name, v in VARIANTS.items()
    },
}
parts = []
for ingredient, levels in groups.items():
    keys = [accuracy["variant"].map(levels).rename("level"), accuracy["task"]]
    mean = accuracy.groupby(keys, sort=False)[["mean", "published"]].mean()
    parts.append(pd.concat({ingredient: mean}, names=["ingredient"]))
ingredients = pd.concat(parts).unstack("task").round(3)
ingredients

# %%
starts = ingredients.loc["start", "mean"]
published = ingredients.loc["start", "published"]
best = starts.loc[["functional", "permuted"]].mean() - starts.loc["orthogonal"]
best_published = (
    published.loc[["functional", "permuted"]].mean()
    - published.loc["orthogonal"]
)
gain = pd.DataFrame({"here": best, "published": best_published})
glue("agree", int(((gain["here"] > 0) == (gain["published"] > 0)).sum()))
glue("n_tasks", len(gain))
gain.round(3)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The last table is the gain of a functional start (W* and its relabelling W! together) over an orthogonal
# one. Its sign agrees with the published one in {glue:text}`agree` of {glue:text}`n_tasks` tasks.
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
# How well do the patterns agree? The rank correlation of the cells, here against published:

# %%
agreement = pd.Series(
    {
        name: table["mean"].corr(table["published"], "spearman")
        for name, table in topology.items()
    }
)
agreement["accuracy"] = accuracy["mean"].corr(accuracy["published"], "spearman")
agreement.rename("rank correlation with the published cells").round(
    2
).to_frame()

# %% [markdown]
# ## All cells

# %%
columns = [
    "mean",
    "low",
    "high",
    "published",
    "published_low",
    "published_high",
    "difference",
]
tables = pd.concat([accuracy, *topology.values()])
assert (tables.loc[tables["metric"] == "accuracy", "mean"].to_numpy()
        == cell_means(runs, metric="accuracy")["mean"].to_numpy()).all()  # fmt: skip
tables.set_index(["metric", "task", "variant"])[
    ["runs", "diverged", *columns]
].round(3)

# %% [markdown]
# ## Summary
#
# - Every number above is computed from the archive when the page is built; `cortexrnn tables` prints the same.
# - Runs succeed or fail as a whole, so a mean over runs is mostly a success rate.
# - A difference between two cells tells of everything in which the two variants differ: start, strength of
#   the penalty, self-connections.
#
# **What's next.** [Run it yourself](../book/run.md), on this or another field;
# [the method in full](../book/methods.md).
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
