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
# **Claim.** Networks whose weights start from the activity of cortex gain most, its real geometry comes
# second, and communicability helps selectively {cite}`shakiba2026`. The evidence is a table of eleven
# variants and three tasks. This chapter puts recorded runs of the same design beside it, cell by cell, by
# [rules](../book/rules.md) that were fixed before all but a few of the runs.
#
# *Needs:* [Eleven networks](05_networks.ipynb). *Time:* under a minute; nothing is trained on this page.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from cortexrnn import load_archive
from cortexrnn.evidence import (
    equivalence,
    leaky_units,
    replication,
    seed_clusters,
    success_counts,
)
from cortexrnn.evidence.equivalence import MARGINS
from cortexrnn.evidence.intervals import cells_as_text, with_interval
from cortexrnn.evidence.published import PUBLISHED_FIELDS, beside_published
from cortexrnn.figures import ablation as figures
from cortexrnn.figures import success_counts as count_figures
from cortexrnn.figures.page import (
    banner,
    cells_of_runs,
    download,
    field_to_show,
    folded,
    glue,
    remark,
    rows_or,
)
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.labels import as_published, select

# %%
set_style()

# %% tags=["parameters"]
field = "6_6_2"  # paper: "6_6_2", and for robustness "5_3_4" and "5_6_8"
relation = "correlation"  # paper: "correlation" in the main text
sign = "free"  # paper: "free" here, "positive" in its Table 3

# %% [markdown]
# Runs are read from the archive that ships with the package: those of the `published` protocol, which does
# what the released code does, and of the paper's size.

# %%
settle()
archive = load_archive()
shown, recorded = field_to_show(
    archive,
    field,
    runs_on=lambda name: select(
        archive, field=name, relation=relation, sign=sign
    ),
    what=f"{relation}, {sign}",
)
print(f"Fields with recorded runs of this arm: {', '.join(recorded)}")

# %%
runs = select(archive, field=shown, relation=relation, sign=sign)
others = select(archive, field=shown, sign=sign)
others = others[~others["variant"].isin(runs["variant"])]
if len(others):
    print("Variants without W* are the same runs under every relation.")
    runs = pd.concat([runs, others], ignore_index=True)
glue("field", shown)
banner(shown, runs=runs)

# %% [markdown]
# Every cell of the design has runs, and no run occurs twice. Seeds per cell:

# %%
cells = (
    runs.groupby(["variant", "task"], sort=False)["seed"].nunique().unstack()
)
assert set(cells.index) == set(VARIANTS)
assert cells.notna().all(axis=None)
assert runs["identity"].is_unique
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
# ## Verdict
#
# ```{admonition} Fact
# :class: fact
# Published numbers are means over 20 simulations of field 6_6_2 with a 95 % interval from the t
# distribution, read off the authors' notebooks {cite}`cortical_blueprint`. `accuracy` is the mean over
# the training trials of the last epoch, as in the paper's Tables 2 and 3.
# ```
#
# Two means are *equivalent* if their difference is shown to be below the {term}`margin` of the metric, *different* if
# it is shown not to be zero and not shown to be that small, and *inconclusive* otherwise, which is no
# agreement. How much another {term}`draw of trials` moves a mean is estimated from runs on several draws; without such
# runs this term is zero, which makes false differences more likely.

# %%
draws = replication.draw_variance(archive)
variance = replication.variances(draws)
same_sign = archive[archive["sign"] == sign]
own_draws = replication.draw_variance(same_sign, fields=["6_6_2"])
draw_sds = pd.concat(
    {"small fields": draws, "6_6_2": own_draws}, names=["from"]
)
draw_sds = draw_sds.pivot_table("sd", ["metric", "from"], "task", sort=False)
draw_sds.round(4)

# %%
drawn_on = [
    name
    for name in replication.DRAW_FIELDS
    if len(replication.draw_variance(archive, fields=[name]))
]
glue("drawn_on", " and ".join(drawn_on) or "no field yet")
glue("n_estimated", len(draws))
glue("n_variances", len(variance))

# %%
keys = ["metric", "task"]
apart = own_draws.merge(draws, on=keys, suffixes=("", "_rule"))
glue("n_own", len(own_draws))
glue("n_own_larger", int((apart["sd"] > apart["sd_rule"]).sum()))
several = as_published(same_sign[same_sign["field"] == "6_6_2"])
several = several[several["data_seed"] > 0]
glue("n_own_variants", several["variant"].nunique())
if len(apart):
    in_margins = apart["sd"] / apart["metric"].map(MARGINS).astype(float)
    widest = apart.loc[in_margins.idxmax()]
    glue("widest", f"{widest['metric']} in {widest['task']}".replace("_", " "))
    glue("widest_own", float(widest["sd"]))
    glue("widest_rule", float(widest["sd_rule"]))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Standard deviation of a mean over draws of trials. By the rule it comes from small fields ({glue:text}`drawn_on`; all
# variants with free weights): {glue:text}`n_estimated` of {glue:text}`n_variances` pairs of metric and task are
# estimated. That it holds for the field of the paper is an assumption. There {glue:text}`n_own_variants` variants of
# this page's sign were trained on several draws, mostly with two seeds each, because cells of theirs had been
# different: {glue:text}`n_own` pairs are estimated, roughly, and {glue:text}`n_own_larger` of these are larger than on
# the small fields. The largest by its margin, {glue:text}`widest`, is {glue:text}`widest_own:.3f` instead of
# {glue:text}`widest_rule:.3f`.
# ```
#
# The verdicts follow the rule. The text below the figure also counts those that the variances of 6_6_2 itself would
# give. The paper has these tables for field 6_6_2 alone, so that on any other field nothing is judged.

# %%
judged = shown == "6_6_2" and relation == "correlation"
if judged:
    table = replication.compare_with_published(
        archive
    )  # with the other sign, see the rules
    table = table[table["arm"] == runs["arm"].iloc[0]]
    strict = replication.compare_with_published(archive, own_draws=True)
    strict = strict[strict["arm"] == runs["arm"].iloc[0]]
else:
    table = beside_published(runs, metrics=list(MARGINS))
    table["verdict"] = "inconclusive"  # drawn as empty circles
    print(f"{shown}, {relation}: no published table, no verdict")
order = {name: i for i, name in enumerate([*VARIANTS, *TASKS])}
by = ["variant", "task"]
table = table.sort_values(by, key=lambda names: names.map(order))
metric = {name: table[table["metric"] == name] for name in MARGINS}
level = leaky_units.levels_without_memory()

# %% mystnb={"figure": {"name": "fig-ablation-accuracy", "caption": "Accuracy in the last epoch: mean and 95 % interval over the recorded runs of this page (circles), and as published for field 6_6_2 (squares, 20 simulations). Full circle: equivalent; empty: inconclusive; red cross: different. A single run has no interval, and one smaller than the mark is not seen. Dotted: what a network reaches without memory. Field and number of runs: see above."}, "image": {"alt": "Accuracy of eleven variants on three tasks, recorded and published, with intervals and verdicts."}}
figures.beside_published(metric["accuracy"], level=level)

# %%
counts = replication.verdict_counts(table) if judged else "not judged"
counts

# %%
summary = "Nothing is judged here: the paper has no such table."
if judged:
    summary = replication.verdicts_in_words(table, own_draws=strict)
glue("told", summary)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`: {glue:text}`n_runs` runs, {glue:text}`seeds`, {glue:text}`n_diverged` diverged,
# {glue:text}`hours:.2f` hours of computing. {glue:text}`told`
# With fewer than ten runs in a cell all are inconclusive by rule.
# ```
#
# Some cells cannot be judged by their means. A cell is {term}`untestable by mean` if the two means together are known so
# poorly that even a difference of zero would not be shown to be within the margin. It is untestable *by the paper's
# interval* if the published mean alone is known that poorly, so that more runs here would not help. Such a cell is
# inconclusive whatever is true. These two columns were added after the rules and change no verdict. Such cells can
# still be compared by how many of their runs learned: see [below](#how-many-runs-learn-here-and-in-the-paper).
#
# The next table lists the cells that are different. Where such a cell was also trained on several draws of trials, with
# ten seeds each, the least and the largest mean over these draws say whether the draw alone can account for it.

# %%
columns = ["metric", "variant", "task", "explanation", "mean"]
columns += ["published", "draws", "draw_low", "draw_high"]
explained = replication.explained(table, archive)[columns]
glue("explained", int((explained["explanation"] == "draw of trials").sum()))
explained = explained.set_index(columns[:3]).round(3)
rows_or(explained, "No cell of this page was judged different.")

# %% [markdown]
# ### How good is the procedure?
#
# A simulation says how often each verdict is given where the truth is known. The recorded runs of a cell are taken as
# its population, and the variance of the draw of trials as known. Each side draws 20 runs, ours are moved by a known
# part of the margin, and all cells are judged together. Our runs are drawn by whole seeds, each with all its cells and
# metrics; those of the paper, whose simulations share no seeds, one by one. What never happened in the recorded runs,
# such as a rare failure, cannot happen here either.

# %%
enough = runs.groupby(["variant", "task"])["accuracy"].count().max()
simulated = enough >= equivalence.LEAST_RUNS
if simulated:
    rates = replication.error_rates(
        runs, variance=variance, n_tables=60, rng=np.random.default_rng(0)
    )
    told = ["shift", *equivalence.VERDICTS[:3]]
    told += ["different_low", "different_high"]
    print(rates[told].round(3).to_string(index=False))
else:
    print(f"{enough} runs in a cell are too few to simulate from")

# %% tags=["hide-input"]
rates_told = "There are too few runs to say what whole seeds change."
if simulated:
    apart = replication.error_rates(
        runs,
        variance=variance,
        shifts=(0.0, 2.0),
        n_tables=60,
        whole_seeds=False,
        rng=np.random.default_rng(0),
    )
    rates_told = replication.clusters_in_words(rates, apart)
glue("rates_told", rates_told)

# %% [markdown]
# `shift` is the true difference in margins. At 0, *different* is a false alarm; at 1, the edge of the margin,
# *equivalent* is false; beyond it, the share of *different* is the power. The middle 95 % of single tables lie between
# `different_low` and `different_high`. {glue:text}`rates_told`
#
# ## Runs succeed or fail as a whole

# %% mystnb={"figure": {"name": "fig-ablation-runs", "caption": "Accuracy in the last epoch of every recorded run of this page; a cross at zero is a run that diverged. Where a cell holds several runs, they are moved apart vertically. Dotted: what a network reaches without memory."}, "image": {"alt": "Accuracy of single runs of eleven variants on three tasks."}}
figures.single_runs(runs, level=level)

# %%
top = {"one_choice": 1, "perceptual": 0.9, "go_nogo": 1}  # chapter 4
ended = runs[~runs["diverged"]]
low = (ended["accuracy"] - ended["task"].map(level).astype(float)).abs() < 0.05
high = ended["accuracy"] > ended["task"].map(top).astype(float) - 0.05
glue("n_ended", len(ended))
glue("n_low", int(low.sum()))
glue("n_high", int(high.sum()))
glue("n_elsewhere", int((~low & ~high).sum()))

# %%
keys = [ended["variant"], ended["task"]]
both = low.groupby(keys).any() & high.groupby(keys).any()
mixed = both[both].index
glue("n_both", len(mixed))
glue("n_ended_cells", len(both))
verdict_of = metric["accuracy"].set_index(["variant", "task"])["verdict"]
same = verdict_of == "equivalent"
text = f"Of these mixed cells {same[mixed].sum()} are equivalent in accuracy, "
text += f"of all cells {same.sum()}."
glue("mixed_told", text if judged else "")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_ended` runs that did not diverge, {glue:text}`n_low` end within 0.05 of the level without memory,
# {glue:text}`n_high` within 0.05 of the top (1, or 0.9 in perceptual decision) or above, and {glue:text}`n_elsewhere`
# elsewhere. Both ends occur in {glue:text}`n_both` of {glue:text}`n_ended_cells` cells, with {glue:text}`seeds` in
# each; a cell of one run cannot hold both. {glue:text}`mixed_told`
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where the runs of a cell end at one level or the other, their mean measures the *share of runs that
# succeed* and is no typical network; with few seeds it moves in large steps, and a t interval around it
# says little. The verdicts rest on t tests all the same, since the paper prints no single runs. With twenty runs, a
# mixed cell can hardly be shown to agree, because its mean is known too poorly. Published means between the two levels
# may be such mixtures too. The next section asks how many runs learned in them.
# ```

# %% mystnb={"figure": {"name": "fig-ablation-curves", "caption": "Accuracy in every epoch. Thin lines: runs of this page; thick lines: their medians."}, "image": {"alt": "Learning curves of eleven variants on three tasks."}}
figures.learning_curves(runs)

# %% tags=["hide-input"]
both = success_counts.recorded_runs(archive, field=shown)
learned = success_counts.beside_published_counts(both)
pooled = success_counts.pooled_shares(learned, both)
own_arm = learned[learned["arm"] == runs["arm"].iloc[0]]
counts_told, pooled_told = "The paper has no such table to compare.", ""
if judged:
    counts_told = success_counts.counts_in_words(learned)
    pooled_told = success_counts.pooled_in_words(pooled)
glue("counts_told", counts_told)
glue("pooled_told", pooled_told)

# %% [markdown]
# ## How many runs learn, here and in the paper?
#
# {glue:text}`counts_told` {glue:text}`pooled_told`
#
# A run {term}`learned` if it ends more than 0.1 above the level without memory. The paper does not print how many did,
# but its numbers nearly give it away: the mean is the sum of 20 accuracies, the interval gives their sum of squares, and
# only some numbers of learned runs fit both. The only assumption is that no accuracy lies outside the range of all runs
# recorded here.

# %% mystnb={"figure": {"name": "fig-ablation-counts", "caption": "Runs of 20 that learned. Circles: recorded here; squares and the bar between them: fewest and most that the published mean and interval allow. Thin lines: exact 95 % intervals (Clopper and Pearson), for the paper from that of the fewest to that of the most. Where both are at zero or at 20, the intervals say how much 20 runs can."}, "image": {"alt": "Number of runs that learned, of eleven variants on three tasks, recorded and published, with exact intervals."}} tags=["hide-input"]
count_figures.success_counts(own_arm) if judged else remark(counts_told)

# %% tags=["hide-input"]
pooled_summary = "Shares over all cells of a task and a kind of start"
if judged:
    pooled_text = success_counts.pooled_as_text(pooled)
    shares_shown = folded(pooled_text, pooled_summary)
else:
    shares_shown = remark(counts_told)
shares_shown

# %% [markdown]
# Cells are compared by Fisher's exact test, adjusted over all cells of both signs (Holm). The folded table pools the
# cells of a task and a start. Its intervals are for the share here less the published one; they hold together at 95 %
# (Bonferroni) and cover all numbers of learned runs that fit the paper. With 20 seeds they are wide: an interval that
# contains zero does not show that the shares agree.

# %%
download(learned, f"learned_{shown}.csv") if judged else remark(counts_told)

# %% tags=["hide-input"]
on_fields = pd.concat(
    success_counts.recorded_runs(archive, field=name)
    for name in PUBLISHED_FIELDS.values()
)
designs = seed_clusters.design_effects(on_fields)
shared = seed_clusters.shared_outcomes(on_fields)
glue("designs_told", seed_clusters.designs_in_words(designs, field=shown))
for name, told in seed_clusters.correlations_in_words(shared).items():
    glue(f"share_{name.split()[0]}", told)
by_field = shared.pivot(index="field", columns="shared", values="correlation")
assert (by_field.idxmax(axis=1) == "both").all()

# %% [markdown]
# ### Why do runs of one seed agree?
#
# Because they start alike. Here input weights depend on seed and task but not on the variant, and all cells of a seed
# that start from W\* start from the same draw of it. On every field outcomes agree most where two cells share *both*
# kinds of weights: their correlation within seeds is {glue:text}`share_both`. It is {glue:text}`share_input` where they
# share the input weights alone, because W\* is relabelled anew, and {glue:text}`share_recurrent` where they share W\*
# alone, in two tasks. So the cells of W\* are nearly one experiment, repeated: in {glue:text}`designs_told`
# ({term}`design effect`). The paper's simulations share no seeds, and its cells are independent. Why a start decides so
# much is a question of [chapter 10](10_controls.ipynb).

# %% tags=["hide-input"]
folded(designs.round(2), "Design effects by field, task and start")

# %% [markdown]
# ## What each ingredient adds
#
# Means of the variants that share an ingredient, here and in the paper. Such a grouping does *not* hold the other
# ingredients constant, since the design lacks some of their combinations. Nor does it isolate what their names say:
# under the `published` protocol D\* stands for mixed-up coordinates, D for a grid that is several times larger, and the
# plain penalty of `W` has another strength ([methods](../book/methods.md)). [Chapter 10](10_controls.ipynb) changes one
# thing at a time.

# %%
accuracy = metric["accuracy"]
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
by_seed = seed_clusters.gains_by_seed(runs)
ends = seed_clusters.simultaneous_intervals(
    by_seed, rng=np.random.default_rng(0)
)
ends = ends[["difference", "difference_low", "difference_high"]]
gain["here, with interval"] = [
    with_interval(*row, digits=3) for row in ends.loc[gain.index].to_numpy()
]
gain.round(3)

# %%
known = gain[["here", "published"]].dropna()
glue("agree", int(((known["here"] > 0) == (known["published"] > 0)).sum()))
glue("n_tasks", len(known))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The last table is the gain of a functional start (W* and its relabelling W!, averaged) over an
# orthogonal one. Its sign agrees with the published one in {glue:text}`agree` of {glue:text}`n_tasks`
# tasks. Intervals are over seeds, each with all its cells, and hold together at 95 %.
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
# ([methods](../book/methods.md)). One figure per measure; marks as in {numref}`fig-ablation-accuracy`.

# %% mystnb={"figure": {"name": "fig-ablation-entropy", "caption": "Entropy of the trained recurrent weights in bits: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Entropy of eleven variants on three tasks, recorded and published."}}
figures.beside_published(metric["entropy"])

# %% mystnb={"figure": {"name": "fig-ablation-modularity", "caption": "Modularity of the strongest tenth of connections: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Modularity of eleven variants on three tasks, recorded and published."}}
figures.beside_published(metric["modularity"])

# %% mystnb={"figure": {"name": "fig-ablation-smallworldness", "caption": "Small-worldness against random graphs of the same size: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2. The random graphs depend on the number of neurons alone, not on the network."}, "image": {"alt": "Small-worldness of eleven variants on three tasks, recorded and published."}}
figures.beside_published(metric["small_worldness"])

# %% mystnb={"figure": {"name": "fig-ablation-assortativity", "caption": "Degree assortativity of the strongest tenth of connections: mean and 95 % interval over the recorded runs of this page, and as published for field 6_6_2."}, "image": {"alt": "Assortativity of eleven variants on three tasks, recorded and published."}}
figures.beside_published(metric["assortativity"])

# %% [markdown]
# How well do the patterns agree? The rank correlation of the cells, here against published, tells; for
# accuracy with a caution, since many cells lie together at the level without memory, where their order is
# chance.

# %%
agreement = {
    name: part["mean"].corr(part["published"], "spearman")
    for name, part in metric.items()
}
pd.Series(agreement, name="rank correlation").round(2).to_frame()

# %% [markdown]
# ## All cells and their runs
#
# Means, with 95 % intervals in brackets where there is more than one run.

# %% tags=["scroll-output"]
pd.set_option("display.max_rows", len(table))
texts = cells_as_text(table).assign(verdict=table["verdict"])
if judged:
    untestable = replication.untestable_by_mean(table)["untestable"]
    texts["by mean"] = untestable.map({True: "untestable", False: ""})
texts.set_index(["metric", "task", "variant"])

# %%
download(table, f"cells_{shown}_{relation}_{sign}.csv")

# %%
download(
    runs.drop(columns=["history_accuracy", "history_loss"]),
    f"runs_{shown}_{relation}_{sign}.csv",
)

# %% [markdown]
# The second file has one row per run with its full specification. The same runs by cell, each with its
# identity, which is the hash of that specification:

# %%
cells_of_runs(runs, values=["accuracy", "modularity"])

# %% [markdown]
# ## Summary
#
# - Every number above is computed from the archive when the page is built; `cortexrnn tables` prints the
#   cells of any measure.
# - Where runs succeed or fail as a whole, a mean over runs is a success rate. How many published runs learned can
#   mostly be recovered from means and intervals.
# - Runs of one seed that start alike are nearly one run. What counts is the number of seeds.
# - A difference between two cells reflects everything in which the two variants differ: start, strength of
#   the penalty, self-connections.
#
# **What's next.** [Positive weights](07_positive.ipynb): the same design where recurrent weights may not
# be negative.
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
