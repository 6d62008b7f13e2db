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
# # What carries the gain? The controls
#
# **Claim.** Function, geometry and wiring of cortex each help a network to learn {cite}`shakiba2026`. The
# [ablation](06_ablation.ipynb) shows that variants with these priors do better. Here one thing at a time is
# changed about them, to see what in a prior it is that helps.
#
# *Needs:* [The ablation](06_ablation.ipynb), [three priors](03_priors.ipynb). *Time:* under a minute; nothing is
# trained on this page.

# %%
import numpy as np
import pandas as pd
from scipy import stats

from cortexrnn import controls, theory
from cortexrnn.archive import load_archive
from cortexrnn.controls import CONTROLS
from cortexrnn.figures import controls as figures
from cortexrnn.figures.style import banner, download, glue, set_style
from cortexrnn.gym import find_task
from cortexrnn.models import STRENGTH, VARIANTS, initial_weights
from cortexrnn.protocol import PRESETS, RunSpec
from cortexrnn.sources import load_field
from cortexrnn.tasks import TASKS
from cortexrnn.weights import kept_weights

set_style()
pd.set_option("display.max_colwidth", None)

# %% tags=["parameters"]
field = "5_3_4"  # field of the tables; figures show every field with runs of controls

# %%
archive = load_archive()
recorded = [
    name
    for name in dict.fromkeys(archive["field"])
    if len(controls.runs_of(archive, CONTROLS["W*D*"], field=name))
]
assert recorded, "no recorded runs of controls"
shown = field if field in recorded else recorded[0]
if shown != field:
    print(
        f"No recorded controls on field {field}; tables are those of {shown}."
    )

# %%
found = [
    controls.runs_of(archive, control, field=name)
    for control in CONTROLS.values()
    for name in recorded
]
runs = pd.concat([one for one in found if len(one)])
glue("n_runs", len(runs))
glue("n_controls", int(sum(len(one) > 0 for one in found[:: len(recorded)])))
glue("fields", ", ".join(recorded))
glue("shown", shown)
glue(
    "most_seeds",
    int(runs.groupby(["field", "task", "variant"])["seed"].nunique().max()),
)
banner(shown, runs=runs[runs["field"] == shown])

# %% [markdown]
# ## The verdict
#
# For each claim there is a stricter reading: what would have to be true if the named cause, and nothing
# simpler, carried the effect. Predictions say that it is *not* so, each with the difference that would refute
# it. They were written down, with all bounds, before the first of the runs that decide them
# ({py:mod}`cortexrnn.controls`). Known by then were recorded runs of the published variants, and what single runs
# of a few
# controls on the paper's field had suggested; no recorded run of a control.

# %%
outcomes = controls.outcomes(archive, fields=recorded)
verdicts = controls.verdicts(outcomes)
verdicts.set_index("claim")[
    ["reading", "confirmed", "open", "refuted", "not run", "verdict"]
]

# %% mystnb={"figure": {"name": "fig-controls-verdict", "caption": "What became of the predictions, claim by claim and field by field. Confirmed: the 95 % interval of the difference lies inside the predicted bounds; refuted: it lies outside; open: it straddles a bound. Confirmed predictions speak against the stricter reading of the claim."}, "image": {"alt": "Bars that count confirmed, open and refuted predictions for each claim on every field with runs."}}
figures.claims(outcomes)

# %%
judged = outcomes["outcome"].value_counts()
for name in ("confirmed", "open", "refuted", "not run"):
    glue(name.replace(" ", "_"), int(judged.get(name, 0)))
outcomes[outcomes["outcome"] == "refuted"][
    [
        "claim",
        "arm",
        "against",
        "field",
        "difference",
        "difference_low",
        "difference_high",
    ]
].round(3)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_runs` runs of {glue:text}`n_controls` controls on {glue:text}`fields`, up to
# {glue:text}`most_seeds` seeds. Over all fields {glue:text}`confirmed` predictions are confirmed,
# {glue:text}`open` open, {glue:text}`refuted` refuted (table above), and {glue:text}`not_run` not run.
# ```
#
# ```{admonition} Fact
# :class: fact
# Differences are paired: runs of one seed share trials, input noise and, where they have one, the draw of W\*.
# A difference is the mean over the three tasks unless a task is named. *Same* means within 0.1 of accuracy, about
# a quarter of what W\* gains; *lost* means at least 0.2 less. The bounds do not change with the results.
# ```

# %%
download(outcomes, "predictions.csv")

# %% [markdown]
# ## What one unit can remember
#
# All three tasks show something, wait, and ask. Between stimulus and answer lie 10 to 30 steps, and a network must
# hold on to one bit. The simplest way to do so needs no network. A unit that feeds itself with weight $w$,
#
# $$h_t = \mathrm{relu}(w\,h_{t-1} + k\,x_t),$$
#
# keeps $w^{n}$ of its activity after $n$ steps. Two of them, one for each of the two channels that matter, answer by
# which is larger. With the noise of training on every channel, the accuracy that they allow follows from $w$
# alone ({py:func}`cortexrnn.theory.leaky_accuracy`).

# %%
needed = {
    name: theory.needed_self_connection(task) for name, task in TASKS.items()
}
for name, weight in needed.items():
    glue(f"needed_{name}", weight)
    glue(f"steps_{name}", float(theory.time_constant(weight)))
low = {
    name: float(theory.leaky_accuracy(task, [0])[0])
    for name, task in TASKS.items()
}

# %% [markdown]
# Which self-connections do networks have? W\* is drawn here for the surrogate field; trained networks are those whose
# weights were [kept](08_topology.ipynb).

# %%
surrogate = load_field("surrogate")
spec = RunSpec(
    field=surrogate.name,
    field_hash=surrogate.hash_without_events,
    variant="W*D*C",
    task="go_nogo",
    seed=0,
)
kept = kept_weights("6_6_2")
diagonals = {"W* at the start": np.diag(initial_weights(spec, surrogate))}
for name in ("W*D*C*", "WD*", "WD*C"):
    (one,) = [k for k in kept if (k.variant, k.task) == (name, "go_nogo")]
    diagonals[f"{name}, trained"] = np.diag(one.matrix.dense())

# %% mystnb={"figure": {"name": "fig-controls-leaky", "caption": "Above: accuracy that two uncoupled leaky units allow, by their self-connection; it starts at what can be answered without memory. Below: self-connections of a functional start (surrogate field) and of trained networks (field 6_6_2, Go/NoGo, one run each), one line per unit; those outside the axis are left out."}, "image": {"alt": "Three rising curves of accuracy over self-connection, and rows of lines that mark self-connections of starts and trained networks."}}
figures.leaky_unit(diagonals)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Half of what memory can add is reached at $w$ = {glue:text}`needed_one_choice:.2f` in one-choice,
# {glue:text}`needed_perceptual:.2f` in perceptual decision and {glue:text}`needed_go_nogo:.2f` in Go/NoGo: time
# constants of {glue:text}`steps_one_choice:.1f`, {glue:text}`steps_perceptual:.1f` and
# {glue:text}`steps_go_nogo:.1f` steps.
# ```
#
# A network can also remember *between* its units: activity then travels in loops, and the matrix without its diagonal
# needs a spectral radius near one. The trained networks of field 6_6_2 can be asked which way they took.

# %%
table = theory.memories(kept)
table.groupby(["start", "task"])[
    ["largest_self", "radius_others"]
].median().round(2)

# %% mystnb={"figure": {"name": "fig-controls-two-ways", "caption": "Trained networks of field 6_6_2, one of each variant and task. Horizontal: their largest self-connection; vertical: spectral radius of the rest (strongest tenth of weights). Filled: more than 0.1 above what needs no memory. Dotted: the self-connection that a leaky unit needs, and radius 1."}, "image": {"alt": "Scatter of largest self-connection against spectral radius of the rest."}}
figures.two_ways(table, needed=needed)

# %%
able = (table["largest_self"] > table["task"].map(needed)) | (
    table["radius_others"] > 1
)
glue("n_solved", int(table["solved"].sum()))
glue("n_solved_able", int((table["solved"] & able).sum()))
glue("n_unsolved", int((~table["solved"]).sum()))
glue("n_unsolved_able", int((~table["solved"] & able).sum()))
uncoupled = table[table["solved"] & (table["radius_others"] < 0.05)]
glue("n_uncoupled", len(uncoupled))
uncoupled[
    ["variant", "task", "accuracy", "largest_self", "radius_others"]
].round(3)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_solved` networks that learned, {glue:text}`n_solved_able` have a self-connection or a rest that can
# hold the evidence; of {glue:text}`n_unsolved` that did not, {glue:text}`n_unsolved_able`. In
# {glue:text}`n_uncoupled` networks that learned (table) training has left almost nothing between the units.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# W\* brings units that remember by themselves, because correlation and tiling coefficient of a neuron with itself are 1
# and all others far below. A distance penalty spares them, since a unit is at distance zero of itself.
# ```
#
# ## How hard penalties pull
#
# Variants are named after what their penalty contains. What a penalty does depends as well on how hard it pulls: its
# mean gradient per weight.

# %%
pulls = controls.load_pulls()
by_field = pulls.pivot(index="arm", columns="field", values="pull")
by_field.loc[list(VARIANTS)]

# %%
here = by_field[shown].loc[list(VARIANTS)]
glue("orders", float(np.log10(here.max() / here.min())))
glue("weakest", str(here.idxmin()))
download(pulls, "pulls.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# On field {glue:text}`shown` the pulls of the eleven variants span {glue:text}`orders:.1f` orders of magnitude.
# The weakest
# is that of {glue:text}`weakest`; direct C multiplies every weight by a communicability, which is below one.
# ```
#
# ```{admonition} Fact
# :class: fact
# In the released code the plain penalty of `W` has strength 1, all others $\lambda$ = 0.3 {cite}`cortical_blueprint`.
# ```
#
# If pull alone decides, accuracy falls along it whatever the penalty is made of. At most
# {glue:text}`expected_rank:.1f` was predicted for the rank correlation over arms that start orthogonal.

# %%
glue("expected_rank", controls.ORDERING)
ordered = controls.accuracy_by_pull(archive, field=shown)
ordered.pivot_table(
    index=["start", "published"], columns="task", values="mean", aggfunc="size"
)

# %% mystnb={"figure": {"name": "fig-controls-pull", "caption": "Mean accuracy of every arm against the pull of its penalty at the start, field of the head of this page. Filled: the eleven variants of the paper; open: controls. Functional: with W*, W! or their self-connections; other: starts that have neither."}, "image": {"alt": "Scatter of accuracy over pull, one panel per task."}}
figures.pull_and_accuracy(ordered)

# %%
orthogonal = ordered[ordered["start"] == "orthogonal"]
ranks = {
    task: stats.spearmanr(cell["pull"], cell["mean"])
    for task, cell in orthogonal.groupby("task", sort=False)
}
for task, rank in ranks.items():
    glue(f"rank_{task}", float(rank.statistic))
rows = {task: {"rank": r.statistic, "p": r.pvalue} for task, r in ranks.items()}
pd.DataFrame(rows).T.map("{:.2g}".format)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Rank correlation of pull and accuracy over arms that start orthogonal: {glue:text}`rank_one_choice:.2f` in one-choice,
# {glue:text}`rank_perceptual:.2f` in perceptual decision, {glue:text}`rank_go_nogo:.2f` in Go/NoGo.
# ```
#
# Does accuracy follow the strength when what is penalised stays the same?

# %% mystnb={"figure": {"name": "fig-controls-strengths", "caption": "Accuracy against the strength of the penalty for three variants that start orthogonal, five seeds and more, with 95 % t intervals. Dotted: the strength of the paper."}, "image": {"alt": "Lines of accuracy over strength, one panel per task."}}
sweep = controls.accuracy_by_strength(archive, field=shown)
figures.accuracy_along(
    sweep,
    "strength",
    label="strength λ of the penalty",
    published=STRENGTH,
) if len(sweep) else "not run yet"

# %%
download(sweep, "strengths.csv")

# %% [markdown]
# ## What of functional weights helps?
#
# Each start is trained under the distance penalty alone (`W*D*` and `WD*`), on every field with runs.

# %%
chosen = [one for one in CONTROLS.values() if one.group == "start"]
cells = controls.beside_reference(archive, chosen, fields=recorded)
told = ["control", "task", "runs", "mean", "difference"]
told += ["difference_low", "difference_high"]
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-start", "caption": "Accuracy of each control with its 95 % t interval; marks: fields. Short vertical line: the variant that the control is made of, on the same field."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_start.csv")

# %% mystnb={"figure": {"name": "fig-controls-function", "caption": "Predictions about the claim 'function': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "function"])

# %% mystnb={"figure": {"name": "fig-controls-structure", "caption": "Predictions about the claim 'structure': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "structure"])

# %% [markdown]
# ## Is it geometry?
#
# Under the `published` protocol coordinates are mixed among neurons and lie in three clusters
# ([methods](../book/methods.md)). Here they are put right, replaced by random points with the same distances, or
# by three clusters made on purpose; and the grid gets the mean distance of D\*.

# %%
chosen = [one for one in CONTROLS.values() if one.group == "geometry"]
cells = controls.beside_reference(archive, chosen, fields=recorded)
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-geometry", "caption": "Accuracy of each control with its 95 % t interval; marks: fields. Short vertical line: the variant that the control is made of, on the same field."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_geometry.csv")

# %% mystnb={"figure": {"name": "fig-controls-geometry", "caption": "Predictions about the claim 'geometry': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "geometry"])

# %% [markdown]
# What about the shape of the trained networks? `WD*C` and `W*D*C` are modular under the `published` protocol.

# %%
shape = [one for one in chosen if one.variant.base in ("WD*C", "W*D*C")]
modularity = controls.beside_reference(
    archive, shape, fields=recorded, metric="modularity"
)
assortativity = controls.beside_reference(
    archive, shape, fields=recorded, metric="assortativity"
)
assortativity[assortativity["field"] == shown].drop(columns="field").set_index(
    "control"
).round(3)

# %% mystnb={"figure": {"name": "fig-controls-modularity", "caption": "Modularity of trained networks on other coordinates, with 95 % t intervals; short vertical line: on the published ones."}, "image": {"alt": "Mean modularity of controls of geometry in three tasks beside their reference."}}
figures.beside_reference(modularity, label="modularity")

# %% mystnb={"figure": {"name": "fig-controls-topology", "caption": "Predictions about modularity: difference with its 95 % t interval; grey: what was predicted."}, "image": {"alt": "Differences in modularity between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "topology"])

# %%
download(
    pd.concat(
        [
            modularity.assign(metric="modularity"),
            assortativity.assign(metric="assortativity"),
        ]
    ),
    "controls_shape.csv",
)

# %% [markdown]
# ## Is it wiring?
#
# C that is computed once and then left as it is; the missing cell `W*DC`; and C\* at strengths at which it begins
# to pull.

# %%
chosen = [one for one in CONTROLS.values() if one.group == "wiring"]
cells = controls.beside_reference(archive, chosen, fields=recorded)
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-wiring", "caption": "Accuracy of each control with its 95 % t interval; marks: fields. Short vertical line: the variant that the control is made of, on the same field."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_wiring.csv")

# %% mystnb={"figure": {"name": "fig-controls-wiring", "caption": "Predictions about the claim 'wiring': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "wiring"])

# %% [markdown]
# ## At equal strength
#
# Every penalty scaled until it pulls as hard as D\* (0.17) or as D\* with C (0.001) at the start; no penalty; and
# the plain penalty at the strength of the others.

# %%
chosen = [
    one
    for one in CONTROLS.values()
    if one.group == "strength" and one.n_seeds > 5
]
cells = controls.beside_reference(archive, chosen, fields=recorded)
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-strength", "caption": "Accuracy of each control with its 95 % t interval; marks: fields. Short vertical line: the variant that the control is made of, on the same field."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_strength.csv")

# %% [markdown]
# ## Positive weights without cortex
#
# Starts that have nothing of cortex, but positive weights of spectral radius 0.95 as W\* has.

# %%
chosen = [one for one in CONTROLS.values() if one.group == "positive"]
cells = controls.beside_reference(archive, chosen, fields=recorded)
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-positive", "caption": "Accuracy of each control with its 95 % t interval; marks: fields. Short vertical line: the variant that the control is made of, on the same field."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_positive.csv")

# %% mystnb={"figure": {"name": "fig-controls-positive", "caption": "Predictions about the claim 'positive': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
figures.predictions(outcomes[outcomes["claim"] == "positive"])

# %% [markdown]
# ## When tasks ask for more
#
# If W\* has more to give than self-connections, it should show where there is more to do: delays of 40 steps, an
# eighth or a quarter of the trials, a second task after a first. The penalty is the weak one of D\* with C, so
# that connections between units are free to work. Four starts meet here: W\*, its self-connections alone, W\*
# shuffled off the diagonal, and orthogonal.

# %%
chosen = [
    one
    for one in CONTROLS.values()
    if one.group == "harder" and "after" not in one.name
]
cells = controls.beside_reference(archive, chosen, fields=recorded)
cells.loc[cells["field"] == shown, told].set_index(told[:2]).round(3)

# %% mystnb={"figure": {"name": "fig-controls-cells-harder", "caption": "Accuracy of the four starts with long delays, few trials, and all trials, with 95 % t intervals; marks: fields. Short vertical line: W*, all else equal."}, "image": {"alt": "Mean accuracies of four starts in three tasks under harder conditions beside those of W*."}}
figures.beside_reference(cells) if len(cells) else "not run yet"

# %%
download(cells, "controls_harder.csv")

# %% [markdown]
# How many trials does each start need? Epochs and trials of an update are those of the paper throughout, so fewer
# trials are fewer updates too.

# %% mystnb={"figure": {"name": "fig-controls-trials", "caption": "Accuracy against the number of training trials, field of the head of this page, with 95 % t intervals. Dotted: the number of the paper."}, "image": {"alt": "Lines of accuracy over the number of training trials for four starts, one panel per task."}}
efficiency = controls.accuracy_by_trials(archive, field=shown)
figures.accuracy_along(
    efficiency,
    "n_train",
    label="training trials",
    published=PRESETS["paper"].n_train,
) if len(efficiency) else "not run yet"

# %%
download(efficiency, "trials.csv")

# %% [markdown]
# Does a task learned before help with the next? Networks are first trained on one task as in the paper, then on
# another. *Alone* is the same start without the first task.

# %%
moved = controls.transfer(archive, field=shown)
moved.drop(columns=["difference_low", "difference_high"]).set_index(
    ["arm", "first_task", "task"]
).round(3)

# %%
download(moved, "transfer.csv")

# %% [markdown]
# ## Tasks of other laboratories
#
# Eight tasks of NeuroGym {cite:p}`neurogym2022` ask for contexts, comparisons, categories and two items at once
# ([how they are drawn](../book/adapt.md)). Trials, epochs and all else are as in the three tasks of the paper.

# %%
chosen = [one for one in CONTROLS.values() if one.group == "environments"]
gym = controls.beside_reference(archive, chosen, fields=recorded)
gym["start"] = gym["control"].str.removesuffix(", NeuroGym")
gym["title"] = [find_task(name).title for name in gym["task"]]
gym[gym["field"] == shown].pivot_table(
    index="title", columns="start", values="mean", sort=False
).round(3)

# %% mystnb={"figure": {"name": "fig-controls-gym", "caption": "Accuracy on tasks of NeuroGym with 95 % t intervals, one panel per start; marks: fields. Short vertical line: W* on the same task and field."}, "image": {"alt": "Mean accuracies on eight tasks, one panel for each of four starts."}}
turned = {"rows": "title", "panels": "start"}
figures.beside_reference(gym, **turned) if len(gym) else "not run yet"

# %%
download(gym.drop(columns="title"), "controls_gym.csv")

# %% [markdown]
# The predictions about all of these: W\* does as well without what lies off its diagonal.

# %% mystnb={"figure": {"name": "fig-controls-beyond", "caption": "Predictions about the claim 'beyond': difference in accuracy with its 95 % t interval, over the seeds that both arms have; grey: what was predicted. Blue: confirmed; red: refuted; grey marks: open. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between arms with intervals, beside predicted bounds."}}
beyond = outcomes[
    (outcomes["claim"] == "beyond") & (outcomes["outcome"] != "not run")
]
figures.predictions(beyond) if len(beyond) else "not run yet"

# %% [markdown]
# ## Claim by claim
#
# *Confirmed*, *open* and *refuted* count predictions over all fields. A reading is *not supported* where no prediction
# is refuted and more than half are confirmed; *supported* where none is confirmed and more than half are refuted; and
# *open* as long as one of its predictions is not run (a caution that was added when the first runs were there).

# %%
verdicts.drop(columns="claim").set_index("paper")

# %%
download(verdicts, "claims.csv")

# %%
assert set(outcomes["outcome"]) <= {"confirmed", "open", "refuted", "not run"}
assert not runs["identity"].duplicated().any()
assert set(verdicts["claim"]) == set(controls.CLAIMS)

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# That a simpler cause suffices does not make a finding wrong. W\* does bring a gain, and positive weights do train
# from it; these numbers replicate. What the controls ask is which property of cortex the gain speaks for, on three
# tasks that one unit with a slow decay can solve.
# ```
#
# ## Summary
#
# - Every control changes one thing and is compared seed by seed with the variant it was made of.
# - What one leaky unit can remember tells what a network needs to solve these tasks, whatever it is named.
# - Readings are judged by predictions that could have failed; those that did are listed at the top.
#
# **What's next.** [Your own field](11_your_field.ipynb); [make a control of your own](../book/adapt.md).
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
