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
# # Does a run come out again?
#
# A recorded run is defined by its specification, and its {term}`identity` is a hash of it. Run again with the
# same arithmetic, the same library and the same kind of processor, it gives the same bits. With any of them
# changed it gives another draw of the same distribution, because training amplifies rounding. This page
# shows by how much, on recorded runs that were trained a second time.
#
# *Needs:* [Methods](../book/methods.md). *Time:* seconds; nothing is trained on this page.

# %% tags=["hide-input"]
from cortexrnn import load_archive
from cortexrnn.evidence import reproduction
from cortexrnn.evidence.intervals import by_numerics
from cortexrnn.figures import reproduction as figures
from cortexrnn.figures.page import banner, glue, rows_or
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style

# %%
set_style()

# %% tags=["parameters", "hide-input"]
field = "6_6_2"  # named first where it has such runs; all of them are shown

# %% tags=["hide-input"]
settle()
archive, again = load_archive(), reproduction.load_again()
table = reproduction.pairs(archive, again)
apart = reproduction.outcomes(table)
known = list(dict.fromkeys(again["field"]))
banner(field if field in known else known[0], runs=again)

# %% mystnb={"figure": {"name": "fig-again", "caption": "Recorded runs against the same runs trained again by today's arithmetic. On the line nothing changed. Where one of the two runs learned and the other did not, the point of accuracy is far from it."}, "image": {"alt": "Scatter plots of accuracy, entropy, modularity and assortativity, recorded against trained again, most points near the diagonal."}} tags=["hide-input"]
figures.recorded_and_again(table)

# %% tags=["hide-input"]
glue("n_pairs", len(table))
glue("n_apart", len(apart))
glue("numerics_before", by_numerics(table))
glue("numerics_after", by_numerics(again))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_pairs` recorded runs were trained again. Their versions of the arithmetic were
# {glue:text}`numerics_before` (version: runs), and {glue:text}`numerics_after` the second time. In
# {glue:text}`n_apart` of the pairs one run learned and the other did not.
# ```
#
# ## Metrics move by little, in no direction
#
# The run trained again less the recorded one. `equal` counts pairs that agree to the last bit, `median` and
# `largest` are absolute differences, `low` and `high` the 95 % interval of the mean.

# %% tags=["hide-input"]
moved = reproduction.differences(table)
moved.set_index("metric").round(4)

# %% tags=["hide-input"]
towards = moved[(moved["low"] > 0) | (moved["high"] < 0)]["metric"]
assert len(towards) <= 1, "metrics move in a direction"
glue("n_metrics", len(moved))
glue("n_moved", len(towards))
glue("which_moved", ", ".join(towards).replace("_", " ") or "none")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The interval of the mean difference excludes zero for {glue:text}`n_moved` of {glue:text}`n_metrics` metrics
# ({glue:text}`which_moved`). About one in twenty would by chance.
# ```
#
# ## Runs that ended elsewhere

# %% tags=["hide-input"]
columns = ["field", "variant", "task", "seed", "numerics"]
shown = apart[[*columns, "accuracy", "accuracy_again"]]
rows_or(shown.round(3).set_index("field"), "There is no such run.")

# %% [markdown]
# ## No verdict moves
#
# The verdicts on the published cells of field 6_6_2 ([chapter 6](06_ablation)), with the runs trained again in
# the place of the recorded ones.

# %% tags=["hide-input"]
changed = reproduction.changed_verdicts(archive, again)
glue("n_replaced", int((again["field"] == "6_6_2").sum()))
glue("n_changed", len(changed))
assert changed.empty and (again["field"] == "6_6_2").any()

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_replaced` runs of 6_6_2 were replaced; {glue:text}`n_changed` verdicts changed.
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
#
# ```{admonition} Interpretation
# :class: interpretation
# A single run says little, whoever recorded it: rounding alone can decide whether it learns. Shares of runs
# and means over seeds are what can be compared, and they are what this book compares.
# ```
