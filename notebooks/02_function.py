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
# # From activity to functional relations
#
# Two neurons that tend to be active together are said to be functionally related. This chapter goes
# from event times to the matrices that networks will start from, computes them anew and compares them
# with those of the field, and asks what they measure when time comes in frames.
#
# *Needs:* [A field of cortex](01_field.ipynb). *Time:* about ten seconds on two cores.

# %%
import numpy as np
import pandas as pd

from cortexrnn import function, load_field
from cortexrnn.figures import function as figures
from cortexrnn.figures.style import banner, glue, set_style
from cortexrnn.priors import distances

set_style()

# %% tags=["parameters"]
field = "surrogate"  # paper: "6_6_2"; or any published field
bin_s = 0.2  # paper: 0.2 s, the bins in which events are counted
window_s = 0.1  # paper: 0.1 s, within which two events coincide

# %%
field = load_field(field)
banner(field)

# %% [markdown]
# ## Events
#
# ```{admonition} Fact
# :class: fact
# A two-photon microscope sees calcium, not spikes. A deconvolution turns each neuron's fluorescence
# into *events*, times at which it was probably active {cite}`microns2025`. A field comes with events,
# with the relations computed from them, or with both.
# ```

# %%
events = field.events
has_events = events is not None
print("events", "present" if has_events else "absent")

# %% [markdown]
# Where events are absent, the cells that need them say so and the chapter goes on with the relations
# that the field brings.

# %% mystnb={"figure": {"name": "fig-raster", "caption": "Events in the first minute of the recording, one row per neuron and one mark per event. Where a field comes without event times, the figure says so."}, "image": {"alt": "Raster of events of all neurons over one minute."}}
figures.event_raster(events, seconds=60.0)

# %%
if has_events:
    minutes = max(train[-1] for train in events if len(train)) / 60
    rates = np.array([len(train) for train in events]) / minutes
    print(f"{sum(map(len, events)):,} events in {minutes:.0f} min")
    print(f"{rates.mean():.1f} per neuron and minute")
    print(f"from {rates.min():.1f} to {rates.max():.1f} between neurons")

# %% [markdown]
# ## Counts
#
# Correlation needs numbers on a common clock: events are counted in bins of `bin_s` seconds.

# %%
counts = function.bin_events(events, bin_s=bin_s) if has_events else None
if has_events:
    print(
        "neurons, bins:",
        counts.shape,
        f"; {(counts == 0).mean():.0%} of the counts are 0",
    )

# %% mystnb={"figure": {"name": "fig-counts", "caption": "Left: event counts of all neurons in the first 150 bins, darker for more. Right: how often each count occurs over the whole recording. Where a field comes without event times, the figure says so."}, "image": {"alt": "Heat map of binned event counts and a bar chart of counts."}}
figures.binned_counts(counts, bin_s=bin_s)

# %% [markdown]
# ## Two relations
#
# The **correlation** of two neurons is Pearson's coefficient of their counts. The **spike time tiling
# coefficient** (STTC) of {cite:t}`cutts2014` uses no bins. With $P_A$ the share of A's events that have
# one of B's within the window, and $T_B$ the share of the recording that lies within the window of an
# event of B,
#
# $$
# \mathrm{STTC} = \tfrac12 \left( \frac{P_A - T_B}{1 - P_A T_B} + \frac{P_B - T_A}{1 - P_B T_A} \right).
# $$
#
# It is 1 for a train with itself, and near 0 for trains that meet as often as chance would have it.
# Computed here, both must equal what the field brings; with other bins or another window they need not.

# %%
as_published = bin_s == 0.2 and window_s == 0.1
if has_events and as_published:
    own = {
        "correlation": function.correlation(counts),
        "sttc": function.sttc(events),
    }
    for name, matrix in own.items():
        worst = np.abs(matrix - field.relation(name)).max()
        print(f"{name}: largest difference from the field's own {worst:.1e}")
        assert worst < 1e-9

# %% [markdown]
# A third relation, **precision**, is the inverse of the covariance of the counts, made sparse: the
# published one by a graphical lasso {cite}`friedman2008`. An entry tells what is left between two
# neurons when all others are accounted for, with reversed sign: negative for neurons that go together.

# %%
titles = {
    "correlation": "correlation",
    "sttc": "STTC",
    "precision": "precision",
}
relations = {titles[name]: field.relation(name) for name in field.relations}
for name in ("correlation", "STTC"):
    assert np.allclose(np.diag(relations[name]), 1), (
        "a neuron is fully related to itself"
    )
    assert np.allclose(relations[name], relations[name].T)

# %% mystnb={"figure": {"name": "fig-distributions", "caption": "Distribution of each relation that the field carries over all pairs of different neurons, on a logarithmic axis. Grey line: zero; dashed: mean. The title gives the diagonal, which is left out."}, "image": {"alt": "Histograms of the functional relations over pairs of neurons."}}
figures.relation_distributions(relations)

# %%
lower = np.tril_indices(field.n_neurons, -1)
pairs = pd.DataFrame(
    {name: matrix[lower] for name, matrix in relations.items()}
)
pairs.describe().loc[["mean", "std", "min", "50%", "max"]].round(4)

# %% [markdown]
# Nearly all pairs are related weakly, while correlation and STTC of a neuron with itself are 1. That gap
# becomes important in [chapter 3](03_priors.ipynb).
#
# ## Do they agree?

# %%
agreement = pairs["correlation"].corr(pairs["STTC"])
glue("agreement", float(agreement))
assert agreement > 0

# %% mystnb={"figure": {"name": "fig-agreement", "caption": "Correlation and STTC of the same pairs of neurons; colour counts pairs on a logarithmic scale, grey lines mark zero, the title gives the number of pairs and the correlation of the two relations."}, "image": {"alt": "Density plot of STTC against correlation."}}
names = ("correlation", "STTC")
figures.relation_against_relation(
    *(relations[name] for name in names), names=names
)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Over pairs, correlation and STTC are correlated with $r$ = {glue:text}`agreement:.2f`.
# ```
#
# ## Relations and distance

# %%
distance = distances(field.positions * field.voxel_size / 1000)
with_distance = pairs.corrwith(pd.Series(distance[lower]))
trend = "falls" if with_distance["correlation"] < 0 else "does not fall"
glue("trend", trend)
glue("with_distance", float(with_distance["correlation"]))
with_distance.rename("correlation with distance").to_frame().round(3)

# %% mystnb={"figure": {"name": "fig-relation-distance", "caption": "Each relation against the distance of the two somata, in bins of 100 µm; bins of fewer than 50 pairs are left out. Points: median of the pairs; band: middle half. The title gives the correlation of relation and distance over all pairs."}, "image": {"alt": "Median relation against distance, one panel per relation."}}
figures.relation_by_distance(distance, relations)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# In this field the correlation of two neurons {glue:text}`trend` with their distance
# ($r$ = {glue:text}`with_distance:.2f` over pairs).
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where it falls, function and place are not independent: networks whose weights come from function
# carry some geometry already. Near cells also share scattered light, which no relation can tell from
# shared activity.
# ```
#
# ## What frames do to a window
#
# Event times look continuous and are not: they are frames of the microscope.

# %%
if has_events:
    times = np.unique(np.concatenate(events).round(6))
    frame = times[-1] / np.round(times[-1] / np.diff(times).min())
    off_grid = np.abs(times / frame - np.round(times / frame)).max()
    print(f"one frame lasts {1000 * frame:.1f} ms ({1 / frame:.2f} per second)")
    print(f"no event is further than {off_grid:.3f} frames from a frame")

# %% mystnb={"figure": {"name": "fig-frames", "caption": "Top: time lags between events of different neurons (those among 12 neurons spread over the field) in steps of 5 ms; shaded is the window of the STTC. Bottom: number of different event times, over all neurons, in each of the first 40 bins of the correlation. Where a field comes without event times, the figure says so."}, "image": {"alt": "Histogram of time lags with the coincidence window shaded, and number of event times per bin."}}
figures.frame_grid(events, window_s=window_s, bin_s=bin_s)

# %% [markdown]
# The window of the STTC contains lag zero and no other as long as it is shorter than a frame, and a
# wider one changes nothing until it reaches the next frame.

# %%
if has_events:
    some = np.tril_indices(
        min(20, len(events)), -1
    )  # pairs of the first neurons are enough
    windows = [0.01, 0.1, 0.98 * frame]
    levels = [
        function.sttc(events[:20], window_s=w)[some].mean() for w in windows
    ]
    print(
        pd.Series(
            levels, index=np.round(windows, 3), name="mean STTC by window (s)"
        ).round(4)
    )
    assert (
        off_grid > 0.01 or frame < 0.1 or levels == sorted(levels, reverse=True)
    )

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# On frames longer than the window, two events coincide when they fall into the same frame, whatever
# the window says. The tiled share $T$ does grow with the window while the coincidences $P$ do not: so
# the STTC sinks as the window grows, and the sign of its mean is a matter of the window. Bins of
# 200 ms catch now one frame, now two; every neuron's counts get the same beat, which adds a little to
# every correlation. Ranks of pairs are hardly touched, levels are.
# ```
#
# ## Summary
#
# - Correlation and STTC of a field follow from its events, here to better than one part in a billion
#   where the events are at hand.
# - Both are small between neurons and 1 on the diagonal; they mostly rank pairs alike.
# - On frames, the window of 100 ms means "the same frame", and levels depend on the window.
#
# **What's next.** [Three priors](03_priors.ipynb) makes networks of these numbers.
#
# **References.** STTC: {cite:t}`cutts2014`; graphical lasso: {cite:t}`friedman2008`; its use here:
# {cite:t}`shakiba2026`.
