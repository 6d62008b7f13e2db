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
# # What it costs
#
# How long one update, one penalty, one measure and one whole run take, how that grows with the number of
# neurons, how far it is from what the matrix products alone would take, and what your design will cost.
# Every number on this page is read from a file that `cortexrnn bench` wrote on one machine.
#
# *Needs:* [Run it yourself](../book/run.md). *Time:* seconds; nothing is measured on this page.

# %% tags=["hide-input"]
import pandas as pd

from cortexrnn import load_field
from cortexrnn.benchmark import report
from cortexrnn.fields.sources.published import FIELDS
from cortexrnn.figures import cost as figures
from cortexrnn.figures.page import Banner, glue
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.variant import VARIANTS

# %%
set_style()

# %% tags=["parameters"]
field = (
    "6_6_2"  # paper: "6_6_2"; any field whose size you want to know the cost of
)
runs = 660  # paper: 11 variants, 3 tasks, 20 simulations
cores = 2  # processes that train side by side
measurements = ""  # file written by cortexrnn bench; "" is the one shipped here

# %%
settle()
measured = report.load(measurements)
machine, table = measured.machine, measured.table
source = f"times measured on {machine['processor']}, {machine['cores']} cores"
Banner(f"**Data on this page:** {source}.", source, "archive")

# %%
pd.Series(machine).rename("machine").to_frame()

# %% [markdown]
# ```{admonition} Fact
# :class: fact
# A *floor* is the time that the matrix products of a computation would take at the rate of a plain float32
# product of the same size, read just before and just after with the same number of threads. What has no
# matrix products has no floor. The formulas stand in {py:mod}`cortexrnn.benchmark.measure`. Times are medians, with the
# smallest and largest repetition as their range.
# ```
#
# ## Training
#
# One update of one network on one batch of 128 one-choice trials, and the penalty with its gradient alone:
# `plain` (sum of magnitudes), `direct` (communicability) and `emd` (its distance to the connectome's).

# %% mystnb={"figure": {"name": "fig-cost-training", "caption": "Seconds of one update (top), of one penalty with its gradient (middle) and of a whole run of the paper's size with its topology (bottom) against the number of neurons. Points: medians and range of the repetitions. Full lines: power laws over the larger sizes, exponent in the legend. Dotted: floors."}, "image": {"alt": "Times of updates, penalties and whole runs against the number of neurons."}}
figures.curves(table, kinds=("step", "penalty", "run"))

# %%
fitted = report.exponents(table)
assert (
    (fitted["n_sizes"] >= 3) & (fitted["smallest"] < fitted["largest"])
).all()
shown = ["exponent", "error", "smallest", "largest", "seconds", "times_floor"]
fitted.set_index(["kind", "what", "members", "threads"])[shown].round(3)

# %% [markdown]
# An exponent holds for the range that it was fitted to, `smallest` to `largest`, and `error` is its standard
# error there. Small networks are ruled by overheads and grow more slowly.
#
# ### Several networks as one batch

# %% mystnb={"figure": {"name": "fig-cost-members", "caption": "Milliseconds of an update for each network against the number of networks trained as one batch, without communicability."}, "image": {"alt": "Time of an update per network against the size of the ensemble."}}
figures.members(table)

# %% [markdown]
# ### Several processes side by side

# %%
side = table[table["kind"] == "processes"].set_index("processes")
side = side[["n_neurons", "seconds", "low", "high"]].sort_index()
side.assign(slowdown=[report.slowdown(table, n) for n in side.index]).round(4)

# %% [markdown]
# ## Topology

# %% mystnb={"figure": {"name": "fig-cost-topology", "caption": "Seconds of each measure of one network against the number of neurons; measure is all of them with nulls at hand, nulls are 1,000 random graphs (of large ones fewer were timed and scaled up). Points, lines and floors as above."}, "image": {"alt": "Times of topological measures against the number of neurons."}}
figures.curves(table, kinds=("topology",))

# %%
left_out = pd.DataFrame(measured.skipped + measured.failed)
names = ["kind", "what", "n_neurons", "members", "threads"]
print(f"{len(left_out)} points were too long to be measured, or failed")
left_out.reindex(columns=[*names, "expected_seconds", "reason"])

# %% [markdown]
# ## Beside an ordinary implementation
#
# The same run by a Keras `SimpleRNN` with `model.fit`, and by networkx and bctpy, written for this comparison
# in {py:mod}`cortexrnn.benchmark.keras_reference`: same field, task, initial recurrent weights, epochs and number of threads, in
# turns in one process. The Keras reference validates after every epoch, as the authors do; ours once, at the end. The
# Keras reference's time includes building and compiling its model, ours drawing its trials; imports count for neither.
# *Drawn anew*: the 1,000 null graphs of small-worldness are drawn and measured for this network.
# *Cached*: they are at hand, since they depend on the number of neurons alone. *Each as it is*: the Keras reference
# draws them anew, as the authors' code does, and ours has them.

# %%
if measured.pairs.empty:
    print("no pairs in this file; cortexrnn bench --keras adds them")
    beside = measured.pairs
else:
    beside = report.reference_table(measured.pairs)
    assert (beside["ratio_low"] <= beside["ratio_high"]).all()
    print(measured.pairs["versions"].iloc[-1])

# %%
keys = ["variant", "threads", "epochs", "n_nulls", "stage"]
values = ["ours", "ours_low", "ours_high", "keras", "keras_low", "keras_high"]
values += ["ratio", "ratio_low", "ratio_high", "floor", "times_floor", "rounds"]
beside.reindex(columns=[*keys, *values]).set_index(keys).round(3)

# %% [markdown]
# Where `n_nulls` is below 1,000, that many were timed and the time scaled up linearly. Where `epochs` is below
# 10, training is shorter than the paper's, and nothing was scaled.
#
# ## Your design
#
# Give the field, the number of runs and of cores at the head of this page, or
# `make book FIELD=... RUNS=... CORES=...`.

# %%
listed = FIELDS.set_index("field")["n_neurons"]
known = field in listed.index
n_neurons = int(listed[field]) if known else load_field(field).n_neurons
times = {
    kind: report.run_seconds(table, n_neurons, kind)
    for kind in ("plain", "direct", "emd")
}
pd.DataFrame(times, index=["low", "seconds", "high"]).T.round(2)

# %%
hours = report.design_hours(
    measured, n_neurons=n_neurons, n_runs=runs, cores=cores
)
assert 0 < hours["low"] <= hours["hours"] <= hours["high"]
for name, value in hours.items():
    glue(name, value)
glue("n_neurons", n_neurons)
glue("runs", runs)
glue("cores", cores)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`runs` runs of {glue:text}`n_neurons` neurons on {glue:text}`cores` core(s) of this machine are
# expected to take {glue:text}`hours:.2f` hours, {glue:text}`low:.2f` to {glue:text}`high:.2f` by the range of
# the repetitions, in equal parts of all variants and with the measured slowdown of processes side by side.
# ```
#
# The same for other numbers of neurons:

# %%
sizes = sorted({*table["n_neurons"], n_neurons})
rows = [
    report.design_hours(measured, n_neurons=n, n_runs=runs, cores=cores)
    for n in sizes
]
pd.DataFrame(rows, index=pd.Index(sizes, name="N")).round(2)

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# Beyond the sizes at which whole runs were measured, their time is scaled by that of their parts. The
# range tells how far repetitions on an otherwise quiet machine differ; another machine, or a busy one, differs
# by more. Measure yours: `cortexrnn bench --out mine.json`, then `make book MEASUREMENTS=mine.json` with the
# full path.
# ```
#
# ## Summary
#
# - Training is matrix products: its floor is what no implementation in float32 can beat on the same cores.
# - Whether communicability matters depends on N: it grows with the third power, an update with the second.
# - Null graphs depend on the number of neurons alone; the two columns for topology tell what drawing them once
#   for all networks saves, and what the measures themselves do.

# %%
assert {report.stands_for(variant) for variant in VARIANTS.values()} == set(
    times
)

# %% [markdown]
# **What's next.** [Engineering notes](../book/notes.md): what was tried, predicted and measured.
#
# **References.** {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
