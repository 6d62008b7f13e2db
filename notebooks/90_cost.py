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
# # What will mine cost?
#
# Expect **{glue:text}`hours`** for {glue:text}`runs` of a network of {glue:text}`n_neurons` neurons, the size of field
# {glue:text}`field`, on {glue:text}`cores` of {glue:text}`processor`: {glue:text}`plain` if all were without
# communicability (C), {glue:text}`direct` if all were with it. {glue:text}`accelerator`
# [Measure yours](#measure-yours).

# %% tags=["parameters", "hide-input"]
field = (
    "6_6_2"  # paper: "6_6_2"; any field whose size you want to know the cost of
)
runs = 660  # paper: 11 variants, 3 tasks, 20 simulations
cores = 2  # processes that train side by side
measurements = ""  # file written by cortexrnn bench; "" is the one shipped here

# %% mystnb={"figure": {"name": "fig-cost-answer", "caption": "Time of the whole design against the number of neurons, were all its runs without C, or all with it. Full lines: whole runs were measured at such sizes. Dashed: scaled from the times of their parts. Lines with a symbol, if there are any: an accelerator. Dot: your field, in equal parts of all eleven variants. Ticks on the axis: the 56 published fields."}, "image": {"alt": "Two rising lines on logarithmic axes, time of the design against neurons, without and with communicability. A dot marks the chosen field and its time, ticks on the axis the published fields."}} tags=["hide-input"]
import pandas as pd

from cortexrnn.benchmark import forecast, reach, report
from cortexrnn.fields.sources.published import FIELDS
from cortexrnn.figures import cost as figures
from cortexrnn.figures.page import Banner, download, glue, remark, rows_or
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.variant import VARIANTS

settle()
set_style()
measured = report.load(measurements)
name, n_neurons = figures.name_and_size(field)
design = {"n_neurons": n_neurons, "n_runs": runs, "cores": cores}
figures.answer(measured, field=name, published=FIELDS["n_neurons"], **design)

# %% tags=["hide-input"]
hours = forecast.design_hours(measured, **design)
assert 0 < hours["low"] <= hours["hours"] <= hours["high"]
glue("hours", figures.duration(hours["hours"]))
glue("spread", f"{hours['high'] / hours['low'] - 1:.0%}")
for what in ("plain", "direct"):
    alone = forecast.design_hours(measured, what=what, **design)
    glue(what, figures.duration(alone["hours"]))

# %% tags=["hide-input"]
machine = measured.machine
glue("field", name)
glue("processor", machine["processor"])
glue("n_neurons", n_neurons)
glue("runs", "one run" if runs == 1 else f"{runs:,} runs")
glue("cores", "one core" if cores == 1 else f"{cores} cores")
glue("accelerator", figures.accelerator_sentence(measured, n_runs=runs))
source = f"times measured on {machine['processor']}, {machine['cores']} cores"
Banner(f"**Data on this page:** {source}.", source, "archive")

# %% [markdown]
# *Run*: one network trained as in the paper, and its topology measured. *C*: the part of the wiring cost that
# needs a matrix exponential ([chapter 3](03_priors.ipynb)). The slowest repetition took {glue:text}`spread` longer
# than the fastest. *Needs:* [Run it yourself](../book/run.md). *Time:* seconds; nothing is measured on this page.
#
# Give your own field, number of runs and of cores at the head of this page, or to the command:
#
# ```bash
# make book FIELD=5_3_4 RUNS=66 CORES=8
# ```
#
# ## How we know
#
# ### Whole runs were timed
#
# `cortexrnn bench` trains and measures whole runs of every kind of cost (without C, with C, with C\*, its distance to
# the connectome's) at several sizes. Between them the time is interpolated; beyond, it is scaled by the time of 400
# updates and one topology, which were measured over a wider range. The three kinds enter as often as the eleven
# variants need them. Processes side by side slow each other down; that was measured too.

# %% tags=["hide-input"]
needed = {report.stands_for(variant) for variant in VARIANTS.values()}
known = measured.table[measured.table["kind"] == "run"]
assert needed == set(known["what"]), "a kind of run was not measured"
slowdown = forecast.slowdown(measured.table, min(cores, runs))
glue("slowdown", f"{slowdown - 1:.0%}")
glue("largest_run", int(known["n_neurons"].max()))

# %% [markdown]
# *To take along:* runs of up to {glue:text}`largest_run` neurons were timed as a whole; side by side on
# {glue:text}`cores`, an update takes {glue:text}`slowdown` longer.
#
# ### Training is compared with its matrix products
#
# Training is mostly matrix products. Their number of operations, divided by the rate of the fastest plain float32
# product of that size on the same machine, is a *floor*: the time that nothing in float32 can beat there.

# %% mystnb={"figure": {"name": "fig-cost-floor", "caption": "Time of one update (128 trials) over its floor, against the number of neurons, on one core. Points: medians, with the range of the repetitions. Small networks are ruled by what surrounds the products."}, "image": {"alt": "Three lines, updates without C, with C and with C*, in multiples of their floor, high for small networks and lower for large ones."}} tags=["hide-input"]
glue("floors", figures.floor_sentence(measured.table, n_neurons=n_neurons))
figures.floors(measured.table)

# %% [markdown]
# *To take along:* {glue:text}`floors`
#
# ### Topology is measured once, its nulls once for all

# %% mystnb={"figure": {"name": "fig-cost-topology", "caption": "Time of one run, of the topology of one trained network, and of 1,000 null graphs, against the number of neurons. Nulls depend on the number of neurons alone and are kept, so that they are drawn once for all networks of a size."}, "image": {"alt": "Three rising lines, the time of a run highest, that of the nulls below it, that of one network's topology lowest."}} tags=["hide-input"]
times = forecast.topology_seconds(measured.table, n_neurons)
_, whole, _ = forecast.run_seconds(measured.table, n_neurons, "plain")
for part in times:
    glue(part, figures.duration(times[part] / 3600))
glue("share", f"{times['measure'] / whole:.1%}")
figures.topology(measured.table)

# %% [markdown]
# *To take along:* for {glue:text}`n_neurons` neurons the topology of a network takes {glue:text}`measure`
# ({glue:text}`share` of a run without C), and its 1,000 nulls {glue:text}`nulls`, once.
#
# ### An ordinary implementation is the comparison
#
# {glue:text}`keras` Both sides have the same field, task, starting weights, epochs and threads, and take turns in one
# process; Keras is a `SimpleRNN` with `model.fit`, topology is networkx and bctpy
# ({py:mod}`cortexrnn.benchmark.keras_reference`).

# %% mystnb={"figure": {"name": "fig-cost-keras", "caption": "How many times as fast ours is as the Keras reference, for four variants on one core. Points: ratio of the medians, with the range of the rounds. At the dotted line both would be equal. The third kind is each side as its authors use it: Keras draws the nulls anew for every network, ours are at hand."}, "image": {"alt": "Points for four variants and three stages of a run, all ratios of the time of Keras to ours."}} tags=["hide-input"]
pairs = measured.pairs
glue("keras", figures.keras_sentence(pairs))
none = remark("Pairs come from cortexrnn bench --keras.")
none if pairs.empty else figures.beside_keras(pairs)

# %% [markdown]
# ## What one hour buys
#
# {glue:text}`in_an_hour` Beyond the sizes that were measured, time grows as the operations do. *C of low rank* is an
# approximation for networks of thousands of neurons ([](../book/adapt.md)).

# %% mystnb={"code_prompt_show": "Time and memory of these networks"} tags=["hide-cell"]
networks = reach.largest_networks(measured, hours=1)
glue("in_an_hour", figures.hour_sentence(networks))
networks.set_index("what").round(2)

# %% [markdown]
# ## What could make yours differ
#
# - **The machine.** Processors differ by more than repetitions do, above all in their matrix products. A machine that
#   is busy with something else is slower.
# - **The size.** Beyond the largest measured run, times are scaled, and memory is not considered.
# - **The design.** Times are those of 10 epochs of 40 batches with 50 time steps; half the epochs take half the time.
#
# ## Measure yours
#
# ```bash
# cortexrnn bench --out mine.json                 # this processor
# cortexrnn bench --device cuda --out mine.json   # an accelerator, into the same file
# make book MEASUREMENTS=$PWD/mine.json
# ```
#
# On a machine that is lent for minutes, `python -m tools.accelerator --device cuda --out results` does in one call
# what the paper's design needs, and `python -m tools.accelerator --merge results` brings the results here.
#
# ## Details
#
# Each line unfolds into a table or a figure. {py:mod}`cortexrnn.benchmark.measure` has the formulas.

# %% mystnb={"code_prompt_show": "The design at other numbers of neurons, in hours"} tags=["hide-cell"]
others = figures.design_table(measured, **design)
others.round(2)

# %% mystnb={"code_prompt_show": "How every time grows with N"} tags=["hide-cell"]
figures.growth_table(measured.table)

# %% mystnb={"code_prompt_show": "Curves of updates, penalties and runs", "figure": {"name": "fig-cost-training", "caption": "Seconds of one update (top), of one penalty with its gradient (middle) and of a whole run with its topology (bottom). Points: medians and range of the repetitions. Full lines: power laws over the larger sizes, exponent in the legend. Dotted: floors."}, "image": {"alt": "Times of updates, penalties and whole runs against the number of neurons."}} tags=["hide-cell"]
figures.curves(measured.table, kinds=("step", "penalty", "run"))

# %% mystnb={"code_prompt_show": "Curves of every measure of topology", "figure": {"name": "fig-cost-measures", "caption": "Seconds of each measure of one network; measure is all of them with nulls at hand, nulls are 1,000 random graphs (of large ones fewer were timed and scaled up). Points, lines and floors as above."}, "image": {"alt": "Times of topological measures against the number of neurons."}} tags=["hide-cell"]
figures.curves(measured.table, kinds=("topology",))

# %% mystnb={"code_prompt_show": "Several networks as one batch", "figure": {"name": "fig-cost-members", "caption": "Milliseconds of an update for each network against the number of networks trained as one batch, without C, on one core. A processor computes one network after another, so that a batch saves nothing there."}, "image": {"alt": "Time of an update per network against the size of the batch."}} tags=["hide-cell"]
figures.members(measured.table)

# %% mystnb={"code_prompt_show": "Every stage beside the Keras reference"} tags=["hide-cell"]
# "anew": 1,000 nulls drawn for this network; "cached": they are at hand
rows_or(figures.keras_table(pairs), "This file holds no pairs.")

# %% mystnb={"code_prompt_show": "What was left out because it takes too long"} tags=["hide-cell"]
left_out = figures.left_out_table(measured)
rows_or(left_out, "Everything was measured.")

# %% mystnb={"code_prompt_show": "The machine and its versions"} tags=["hide-cell"]
versions = pairs["versions"].iloc[-1:].tolist()
about = machine | {"reference": ", ".join(versions) or "not compared"}
pd.Series(about, name="machine").replace("", "none").to_frame()

# %% tags=["hide-input"]
download(measured.table, "measurements.csv")

# %% [markdown]
# **What's next.** [Engineering notes](../book/notes.md): what made it fast, and what did not.
#
# **References.** {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
