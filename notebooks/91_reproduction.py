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
# # What is a single run worth?
#
# A recorded run is defined by its specification, and its {term}`identity` is a hash of it. The same
# arithmetic, library and kind of processor give the same bits again. Any other gives another result, because
# training amplifies rounding. Runs of the paper's main table were trained a second time; this page compares.

# %% tags=["parameters", "hide-input"]
field = "6_6_2"  # of the single runs; those of every field are compared further below

# %% tags=["hide-input"]
from cortexrnn import load_archive
from cortexrnn.evidence import reproduction
from cortexrnn.figures import reproduction as figures
from cortexrnn.figures.page import glue
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style

settle()
set_style()
archive, again = load_archive(), reproduction.load_again()
table = reproduction.pairs(archive, reproduction.earliest(again))
several = reproduction.repeated(table)
shown = field if field in set(several["field"]) else "6_6_2"
single = several[several["field"] == shown]
by_variant = reproduction.rounding(single)
for name, value in reproduction.summary(single, by_variant).items():
    glue(name, value)
glue("field", shown)
assert by_variant["ratio"].max() > 0, "trainings of one run no longer differ"

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_pairs` runs of field {glue:text}`field` were trained twice. The metric that is repeated best is
# {glue:text}`metric_low`: another training moves a run by {glue:text}`ratio_low:.2f` of what another seed does. The
# one that is repeated worst is {glue:text}`metric_high`, with {glue:text}`ratio_high:.2f` (medians of the variants).
# Half of the accuracies differ by at most {glue:text}`median:.4f`, one in twenty by more than {glue:text}`p95:.4f`. In
# {glue:text}`apart:.1%` of the pairs one run learned and the other did not.
# ```

# %% mystnb={"figure": {"name": "fig-rounding", "caption": "How far another training of the same run lies from it, in units of how far another seed does. Each mark is a variant, with weights that start orthogonal (W), from function (W*) or from function with neurons relabelled (W!); standard deviations are computed within cells and averaged over the three tasks. At 0 a run could be repeated exactly, at 1 its seed would say nothing about how it ends."}, "image": {"alt": "One row for each of eight metrics with a mark for every variant; the horizontal axis is the ratio of the standard deviation over trainings and that over seeds."}} tags=["hide-input"]
figures.rounding_and_seeds(by_variant)

# %% tags=["hide-input"]
from cortexrnn.evidence import replication
from cortexrnn.evidence.intervals import by_numerics
from cortexrnn.figures.page import banner, download, folded, rows_or

banner(shown, runs=table)

# %% [markdown]
# *Needs:* [Methods](../book/methods.md). *Time:* seconds; nothing is trained on this page.
#
# ## Each variant, each metric
#
# `rounding_sd` is the standard deviation of the difference of two trainings over the root of two, so that of a
# single run; `seed_sd` is that over seeds, of both trainings; `apart` is the share of pairs of which one run
# learned and the other did not.

# %% tags=["hide-input"]
folded(by_variant.round(4), f"{len(by_variant)} rows: every metric and variant")

# %% tags=["hide-input"]
download(
    reproduction.rounding(single, by=["variant", "task"]),
    f"rounding_{shown}.csv",
)

# %% [markdown]
# The CSV file has a row for every task as well.
#
# Versions of the arithmetic before 4 differ from later ones in more than rounding: in how Adam moves its second
# moment. If that mattered, ratios of pairs with such a training would be larger. By the version of the other training:

# %% tags=["hide-input"]
older = (single["numerics_again"] < 4).map({True: "1 to 3", False: "4 on"})
ratios = reproduction.rounding(single.assign(version=older), by=["version"])
ratios.pivot(index="metric", columns="version", values="ratio").round(2)

# %% [markdown]
# ## Whether a run learned
#
# Accuracies far from the line are those of runs of which one learned and the other did not.

# %% mystnb={"figure": {"name": "fig-again", "caption": "Recorded runs against other trainings of the same runs, on every field that has some. On the line nothing changed."}, "image": {"alt": "Scatter plots of accuracy, entropy, modularity and assortativity, recorded against trained another time, most points near the diagonal."}} tags=["hide-input"]
figures.recorded_and_again(table)

# %% tags=["hide-input"]
apart = reproduction.outcomes(table)
named = ["field", "variant", "task", "seed", "accuracy", "accuracy_again"]
elsewhere = apart[named].round(3)
glue("n_apart", len(apart))
glue("n_all", len(table))
folded(elsewhere, f"{len(apart)} pairs of which one learned")

# %% [markdown]
# In {glue:text}`n_apart` of {glue:text}`n_all` pairs one run learned and the other did not.
#
# ## Does a metric move in one direction?
#
# The later training less the earlier one, on all fields. `low` and `high` are the 95 % interval of the mean, and
# `within` is the share of pairs that keep to the tolerance of [`verify`](../book/run.md).

# %% tags=["hide-input"]
moved = reproduction.differences(reproduction.in_order(table))
towards = moved[(moved["low"] > 0) | (moved["high"] < 0)]["metric"]
columns = ["mean", "low", "high", "median", "within"]
moved.set_index("metric")[columns].round(4)

# %% tags=["hide-input"]
download(moved, "differences.csv")

# %% tags=["hide-input"]
glue("n_metrics", len(moved))
glue("n_moved", len(towards))
glue("which_moved", ", ".join(towards).replace("_", " ") or "none")
glue("numerics_now", by_numerics(archive.merge(table[reproduction.KEY])))
glue("numerics_again", by_numerics(reproduction.earliest(again)))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The interval of the mean difference excludes zero for {glue:text}`n_moved` of {glue:text}`n_metrics` metrics
# ({glue:text}`which_moved`). About one in twenty would by chance. The recorded runs were made by versions
# {glue:text}`numerics_now` of the arithmetic (version: runs), the others by {glue:text}`numerics_again`.
# ```
#
# ## Which verdicts depend on rounding
#
# The verdicts on the published cells of field 6_6_2 ([chapter 6](06_ablation)), with the other training of every run
# in the place of the recorded one. The number in brackets says by how many [margins](../book/rules.md) the
# mean is away from where its verdict changes.

# %% tags=["hide-input"]
first = reproduction.earliest(again)
changed = reproduction.changed_verdicts(archive, first)
n_verdicts = len(replication.compare_with_published(archive))
glue("n_replaced", int((first["field"] == "6_6_2").sum()))
glue(
    "changed_verdicts",
    reproduction.changed_in_words(changed, n_verdicts=n_verdicts),
)
rows_or(reproduction.changed_as_text(changed), "Every verdict is the same.")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_replaced` runs of 6_6_2 were exchanged. {glue:text}`changed_verdicts`
# ```
#
# ## What counts as the same run
#
# Every row of the archive carries its `identity`; `numerics`, a version of the arithmetic that is raised
# whenever the bits of training or topology change; `products`, the library, kernel, processor and threads of
# its matrix products; and the commit that made it. Equal identity, numerics and products mean equal bits, and a
# test holds the bits of a few tiny runs against a recorded digest. The versions so far:

# %% tags=["hide-input"]
archive.groupby("numerics").agg(
    runs=("identity", "size"),
    first=("finished", "min"),
    last=("finished", "max"),
)

# %% [markdown]
# 1. Entropy is not a number where a density underflows.
# 2. There it has its limit, zero.
# 3. The exponential in communicability is evaluated in blocks of degree four.
# 4. The second moment of Adam moves as Keras moves it.
# 5. On a processor one network is computed after another, every operand aligned, so that a run no longer depends
#    on its place in an ensemble. On many processors this changes nothing.
# 6. Recurrent and input weights and bias are in one product, the exponential takes four products, and gradients of
#    penalties are written out. The entropy leaves out terms that round to nothing.
#
# ```{admonition} Interpretation
# :class: interpretation
# Most runs end close to where they ended before. A few do not, and nothing marks them beforehand: rounding alone can
# decide whether a run learns. A claim about one run can therefore fail on another machine. Shares of runs and means
# over seeds are what can be compared, and they are what this book compares.
# ```
