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
# W\* is the functional start, W! the same with neurons relabelled, D and D\* distances on a grid and between neurons, C
# and C\* communicability, direct and compared with the connectome ([chapter 3](03_priors.ipynb)). A *field* is a
# recorded patch of cortex, a *condition* a variant or a control, and the *reference* of a control what it is compared with.
#
# *Needs:* [The ablation](06_ablation.ipynb), [three priors](03_priors.ipynb). *Time:* about a minute; nothing is
# trained on this page.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy import stats

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import (
    control_tables,
    dose_response,
    equal_norms,
    headline_effects,
    judgement,
    leaky_units,
    predictions,
    single_runs,
    true_coordinates,
    units,
    verdict_history,
    votes,
)
from cortexrnn.figures import as_written as effect_figures
from cortexrnn.figures import controls as figures
from cortexrnn.figures import dose_response as dose_figures
from cortexrnn.figures import equal_norms as norm_figures
from cortexrnn.figures.page import (
    banner,
    download,
    field_to_show,
    folded,
    glue,
    remark,
    rows_or,
    text_table,
)
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.initial_weights import functional_start
from cortexrnn.networks.neurogym import find_task
from cortexrnn.networks.specification import EMD_STRENGTH, PRESETS, STRENGTH
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs import controls
from cortexrnn.runs.labels import runs_of
from cortexrnn.runs.trained_weights import kept_weights

# %%
set_style()

# %% tags=["parameters"]
field = "5_3_4"  # field of the tables; figures show every field with runs of controls

# %% tags=["hide-input"]
settle()
archive = load_archive()
shown, recorded = field_to_show(
    archive,
    field,
    runs_on=lambda name: runs_of(
        archive, controls.CONTROLS["W*D*"], field=name
    ),
    what="controls",
    default="5_3_4",
    otherwise="No recorded controls on field {field}; tables are those of {shown}.",
)

# %% tags=["hide-input"]
runs = archive[archive["label"].isin(controls.CONTROLS)]
runs = runs.drop_duplicates("identity").rename(columns={"label": "control"})
glue("n_runs", f"{len(runs):,}")
glue("n_controls", int(runs["control"].nunique()))
not_run = f"None of these controls were run on field {shown} yet."
rng = np.random.default_rng(0)
glue("fields", ", ".join(recorded))
glue("shown", shown)
banner(shown, runs=runs)

# %% [markdown]
# ## The verdict
#
# Two questions are put to every claim. The first: *is the finding there?* The table gives the difference that the
# claim is about, on every field with runs of controls. It compares published variants, with two exceptions that the
# paper does not test: *beyond* uses NeuroGym tasks, and *memory* is the explanation of this book. For *positive* it is
# the share of runs that diverge, for *topology* modularity, otherwise accuracy.

# %% tags=["hide-input"]
facts = control_tables.findings(archive, fields=recorded)
of_gain = predictions.SAME["high"] / facts["difference"]
for claim in ("function", "beyond"):
    shares = of_gain[facts["claim"] == claim]
    glue(f"same_of_{claim}", f"{shares.min():.0%} to {shares.max():.0%}")
facts = control_tables.differences_as_text(facts, digits=2)
facts["difference of"] = facts["condition"] + " less " + facts["against"]
differences = facts.pivot_table(
    "difference",
    ["claim", "metric", "difference of"],
    "field",
    aggfunc="first",
    fill_value="not run",
    sort=False,
)
text_table(differences.reset_index(["metric", "difference of"]))

# %% [markdown]
# ### Task by task
#
# These are means over tasks, and effects are not alike in all tasks. The figure shows the effects that claims are about
# in every task, paired by seed. All its intervals hold together with 95 %.

# %% tags=["hide-input"]
effects = headline_effects.by_task(archive, fields=recorded, rng=rng)
drawn = headline_effects.by_draw(archive, fields=recorded)
written = headline_effects.as_text(effects, drawn)
paper_field = controls.DECIDING_FIELD
glue("paper_field", paper_field)
of_tasks = effects[effects["task"] != "mean"].groupby(["effect", "field"])
signs = of_tasks["difference"].agg(["min", "max"])
sure = of_tasks.agg({"difference_high": "min", "difference_low": "max"})
glue("n_effects", len(signs))
reverses = (signs["min"] < -0.02) & (signs["max"] > 0.02)
glue("n_reversed", int(reverses.sum()))
surely = (sure["difference_high"] < 0) & (sure["difference_low"] > 0)
glue("n_surely", int((reverses & surely).sum()))
for name, effect in {
    "gain_with_c": "W*, under D* and C",
    "gain_of_c": "C, with D*",
}.items():
    glue(name, headline_effects.in_words(effects, effect, paper_field))

# %% mystnb={"figure": {"name": "fig-controls-headlines", "caption": "Effects that claims are about: difference in accuracy in each task and in the mean over tasks, field by field, with 95 % intervals that hold together. 'D* for D' is the variant with D* less the one with D, all else equal. Right of zero: the prior that is named first helps."}, "image": {"alt": "Eight effects in three tasks and in their mean, one panel per field."}} tags=["hide-input"]
effect_figures.effects_by_task(effects)

# %% [markdown]
# W\* under D\* gains much without C and little with it: what C already gives cannot be gained again. The last column
# repeats the mean over tasks on other draws of trials, with two seeds each: the number of draws, the range of the
# effect, and in how many draws it is positive (*one*: there is no other draw).

# %% tags=["hide-input"]
gains = written.loc[
    written.index.get_level_values("effect").isin(headline_effects.FUNCTION)
]
text_table(gains)

# %% tags=["hide-input"]
folded(written.reset_index(), "All effects, task by task and on other draws")

# %% tags=["hide-input"]
download(effects, "effects_by_task.csv")

# %% tags=["hide-input"]
download(drawn, "effects_by_draw.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# On field {glue:text}`paper_field`, `W*D*C` less `WD*C` is {glue:text}`gain_with_c`, and `WD*C` less `WD*`
# {glue:text}`gain_of_c`. Of {glue:text}`n_effects` effects, every field counted, {glue:text}`n_reversed` help in one
# task and harm in another on average, by more than 0.02 both ways; in {glue:text}`n_surely` of them both intervals
# exclude zero.
# ```
#
# ### What carries it
#
# The second question: *what carries it?* For each claim there is a stricter reading: what would have to be true if the
# named cause, and nothing simpler, carried the effect. The readings are ours, not the paper's. A reading that is *not
# supported* takes nothing away from the finding; something simpler suffices for it.
#
# Predictions name a difference between two conditions and a range. A prediction is *confirmed* if the interval (95 %) of
# the difference lies inside, *refuted* if it lies outside, *open* otherwise. The file of predictions, at the end of this
# section, states what either outcome says *against* the reading or *for* it. The verdict is that of all fields
# together; beside it is what each field says alone, with the number of predictions about it there in brackets. A
# reading stays *open* while a prediction about it is not run on one of the fields. On 6_6_2, the field of the paper,
# only the controls that decide most are asked.

# %% tags=["hide-input"]
outcomes = judgement.outcomes(archive, fields=recorded)
verdicts = judgement.verdicts_of_claims(outcomes)
table = verdicts.set_index("claim")
seeds = runs.groupby("field")["seed"].nunique()
sides = ["against", "for", "open", "cannot tell", "not run"]
each = {}
for name in recorded:
    alone = judgement.verdicts_of_claims(outcomes[outcomes["field"] == name])
    asked = " (" + alone[sides].sum(axis=1).astype(str) + ")"
    each[f"{name}, {seeds[name]} seeds"] = list(alone["verdict"] + asked)
text_table(table[["reading", "verdict"]].assign(**each))

# %% [markdown]
# How did the verdicts come about? Rules changed when the first predictions had been judged, one prediction was
# withdrawn, and others were added, before their runs. The table gives the verdict as first stated, the one of today, how
# many predictions still wait for their runs (a verdict stays open until then), and the steps that changed it.

# %% tags=["hide-input"]
steps = verdict_history.verdict_steps(outcomes)
first, *_, last = verdict_history.STEPS
today = steps[[first, last]].rename(columns={last: "today"})
text_table(today.join(table["not run"]).join(steps["moved by"]))

# %% tags=["hide-input"]
meaning = pd.Series(verdict_history.STEPS, name="what it changed")
folded(
    steps.drop(columns="moved by").T.join(meaning).reset_index(names="step"),
    "The verdicts after every step, and what each step is",
)

# %% tags=["hide-input"]
folded(
    table[["paper", "evidence", *sides]].reset_index(),
    "The claims in our words, what they rest on, and how many predictions say what of the reading",
)

# %% [markdown]
# How sensitive are the verdicts to our choices? The columns leave out one of the three later rules at a time, then the
# predictions that were added when five seeds were known, and make the bounds of *same* and *lost* half and one and a
# half times as wide.

# %% tags=["hide-input"]
text_table(judgement.sensitivity(outcomes))

# %% tags=["hide-input"]
outcomes["found"] = control_tables.differences_as_text(outcomes)["difference"]
speaking = outcomes[
    (outcomes[["if_confirmed", "if_refuted"]] == "against").any(axis=1)
]
first = speaking.drop_duplicates("claim").set_index("claim")
first["difference of"] = first["condition"] + " less " + first["against"]
keys = ["claim", "condition", "against", "low"]
by_field = outcomes.merge(first.reset_index()[keys]).pivot(
    index="claim", columns="field", values="found"
)
by_field = by_field[recorded].replace("", "not run yet").fillna("not asked")
folded(
    first[["difference of"]].join(by_field).reset_index(),
    "What the first control of each claim did, field by field",
)

# %% mystnb={"figure": {"name": "fig-controls-verdict", "caption": "What predictions say of the reading of each claim, field by field; withdrawn ones are left out, and two conditions that are compared twice count once. Neither: this outcome does not bear on the reading, the other one would. Open: the interval straddles a bound. Cannot tell: the effect in question is too small to be kept or lost."}, "image": {"alt": "Bars that count predictions against and for the reading of each claim on every field with runs."}} tags=["hide-input"]
figures.claims(votes.votes(outcomes))

# %% tags=["hide-input"]
judged = outcomes["outcome"].value_counts()
for name in ("confirmed", "open", "refuted", "withdrawn", "not run"):
    glue(name.replace(" ", "_"), int(judged.get(name, 0)))
listed = outcomes.fillna({"task": "all"})
listed["difference of"] = listed["condition"] + " less " + listed["against"]
listed["predicted"] = [f"{a} to {b}" for a, b in listed[["low", "high"]].values]
columns = ["claim", "difference of", "task", "field", "predicted", "found"]
failed = listed[listed["outcome"] == "refuted"].set_index("claim")
text_table(failed[[*columns[1:], "says"]])

# %% [markdown]
# One prediction was withdrawn when its runs were known. It stays in the list, with what it would have been judged, and
# the reason; it has no vote.

# %% tags=["hide-input"]
withdrawn = listed[listed["outcome"] == "withdrawn"]
reached = withdrawn["found"] + " (" + withdrawn["judged"] + ")"
reached = reached.where(withdrawn["found"] != "", withdrawn["judged"])
withdrawn = withdrawn.assign(reached=reached).pivot_table(
    "reached", ["difference of", "predicted", "withdrawn"], "field", "first"
)
withdrawn = withdrawn.reset_index(["predicted", "withdrawn"])
withdrawn["why it was withdrawn"] = withdrawn.pop("withdrawn")
text_table(withdrawn.rename_axis(columns=None))

# %% tags=["hide-input"]
undecided = listed[listed["outcome"] == "open"]
folded(
    undecided[[*columns, "says"]],
    "Open predictions, on the fields where they are open: the interval holds an end of what was predicted",
)

# %% [markdown]
# How much was run: controls and simulations, all tasks taken together. The table of verdicts gives the seeds; the sweep
# of strengths has five by design. The variants under the protocol of the text have
# [a chapter of their own](13_as_written.ipynb).

# %% tags=["hide-input"]
amount = runs.groupby(["group", "field"], sort=False).agg(
    controls=("control", "nunique"),
    runs=("seed", "size"),
)
amount = amount.unstack("field", fill_value=0).swaplevel(axis=1)[recorded]
amount = amount.reindex([one for one in controls.GROUPS if one in amount.index])
amount.rename(index=controls.GROUPS).rename_axis(index="question")

# %% tags=["hide-input"]
waiting = [
    one
    for one in predictions.PREDICTIONS
    if not any(one.asked_on(name) for name in recorded)
]
glue("n_waiting", len(waiting))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_runs` runs of {glue:text}`n_controls` controls on {glue:text}`fields`. Counting a prediction once for
# every field on which it is judged, {glue:text}`confirmed` are confirmed, {glue:text}`open` open, {glue:text}`refuted`
# refuted, {glue:text}`withdrawn` withdrawn (tables above), and {glue:text}`not_run` not run; {glue:text}`n_waiting` wait
# for runs on other fields.
# ```
#
# ```{admonition} Fact
# :class: fact
# *How it is judged.* Differences are paired: runs of one seed share trials, input noise and, where they have one, the
# draw of W\*. A difference is the mean over the tasks (three, or the eight of NeuroGym) unless a task is named. *Same*
# means within 0.1 of accuracy, {glue:text}`same_of_function` of what W\* gains in the first table,
# {glue:text}`same_of_beyond` in NeuroGym; *lost* at least 0.2 less; for modularity, *same* means within 0.15 and *lost*
# at least 0.1 less. A reading is *not supported* where no prediction speaks for it and more than half of those that
# could do speak against it, *supported* the other way round, and *open* otherwise or while one of them is not run.
# Against a reading that says "no start" one prediction is enough, and all have to speak for it. Three rules came later
# ([rules](../book/rules.md)). Where the effect that a prediction is about is not surely larger than *same* allows, as
# where both conditions lie at chance or both at the best there is, its outcome *cannot tell* and counts for neither
# side. Two conditions that are compared twice count once. And a verdict takes at least three predictions that share no
# condition: with fewer, it is a *fact against* the reading or a *fact for* it. Intervals are not corrected for the
# number of predictions, and every prediction counts alike, with five seeds as with twenty. Predictions of which no
# outcome bears on a reading check the design alone and are left out of the counts of claims. Seeds repeat the training;
# all fields are of one mouse.
# ```
#
# ```{admonition} Fact
# :class: fact
# *What was known.* Predictions and bounds were written before the first recorded run of a control
# ({py:mod}`cortexrnn.evidence.predictions`). Known by then were the recorded variants, and single trainings on field 6_6_2 of W\*
# without and with nothing but its self-connections, of orthogonal starts with them and without penalty, and of own
# coordinates. Two things were changed when the first five seeds of field 5_3_4 were known. What a prediction says
# of its reading is now stated for each: before, every confirmed one counted against it, and *structure*, *positive*
# and *topology* were not supported, the others open. And six predictions were added, which are judged on other fields
# only; five of them allow a control to do better than its reference. Two conditions may therefore be compared twice
# there. When all of these had been judged, further controls were designed and predicted, before any of their runs.
# ```

# %% tags=["hide-input"]
download(outcomes.drop(columns="found"), "predictions.csv")

# %% [markdown]
# ## Without a penalty
#
# A penalty on the recurrent weights is what all eleven variants share. What happens without it? (From here on, tables
# of controls that name no field are those of {glue:text}`shown`; figures show every field unless their caption says
# otherwise.)

# %% tags=["hide-input"]
unpunished = controls.WITHOUT_PENALTY
free = control_tables.beside_reference(
    archive, unpunished.values(), fields=recorded
)
for base, control in unpunished.items():
    cell = free[(free["control"] == control.name) & (free["field"] == shown)]
    cell = cell.set_index("task").reindex(list(TASKS))
    label = base.replace("*", "s")
    for column in ("mean", "reference_mean"):
        known = cell[column].dropna().map("{:.2f}".format)
        glue(f"{label}_{column}", " / ".join(known) or "not run on this field")
free.astype({"learned": int}).pivot_table(
    ["runs", "learned", "mean"],
    ["control", "task"],
    "field",
    aggfunc="first",
    sort=False,
).round(3)

# %% tags=["hide-input"]
names = [control.name for control in unpunished.values()]
unpunished = control_tables.compare_conditions(archive, *names, fields=recorded)
glue("unpunished", control_tables.differences_in_words(unpunished))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Mean accuracy in one-choice, perceptual decision and Go/NoGo on field {glue:text}`shown`. Without a penalty:
# orthogonal {glue:text}`WDs_mean`, W\* {glue:text}`WsDs_mean`. Under the distance penalty D\*: orthogonal
# {glue:text}`WDs_reference_mean`, W\* {glue:text}`WsDs_reference_mean`. Without a penalty, orthogonal less W\*, mean
# over tasks: {glue:text}`unpunished`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where an orthogonal start learns without the penalty and fails under it, what W\* gains over it is for the most part
# protection from the penalty. The rest of this page asks what protects.
# ```
#
# ## What single units can remember
#
# All three tasks show something, wait, and ask. Between stimulus and answer lie 10 to 30 steps, and a network must
# hold on to one bit. The simplest way to do so needs no network. A unit that feeds itself with weight $w$,
#
# $$h_t = \mathrm{relu}(w\,h_{t-1} + k\,x_t),$$
#
# keeps $w^{n}$ of its activity after $n$ steps. Two of them, one for each of the two channels that matter, answer by
# which is larger. With the noise of training on every channel, the accuracy that they allow follows from $w$
# alone ({py:func}`cortexrnn.evidence.leaky_units.leaky_accuracy`).

# %%
needed = {
    name: leaky_units.needed_self_connection(task)
    for name, task in TASKS.items()
}
for name, weight in needed.items():
    glue(f"needed_{name}", weight)
    glue(f"steps_{name}", float(leaky_units.time_constant(weight)))
halfway = {
    name: leaky_units.leaky_accuracy(task, [0.0, 1.0]).mean()
    for name, task in TASKS.items()
}

# %% [markdown]
# Which self-connections do networks have? W\* is drawn here for the surrogate field; trained networks are those whose
# weights were [kept](08_topology.ipynb).

# %%
surrogate = load_field("surrogate")
kept = kept_weights("6_6_2")
diagonals = {
    "W* at the start, surrogate": np.diag(functional_start(surrogate, seed=0))
}
for name in ("W*D*C*", "WD*", "WD*C"):
    (one,) = [k for k in kept if (k.variant, k.task) == (name, "go_nogo")]
    diagonals[f"{name}, trained"] = np.diag(one.matrix.dense())

# %% mystnb={"figure": {"name": "fig-controls-leaky", "caption": "Above: accuracy that two uncoupled leaky units allow, by their self-connection; it starts at what can be answered without memory. Below: self-connections of a functional start (surrogate field) and of trained networks (field 6_6_2, Go/NoGo, one run each), one line per unit; those outside the axis are left out."}, "image": {"alt": "Three rising curves of accuracy over self-connection, and rows of lines that mark self-connections of starts and trained networks."}} tags=["hide-input"]
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

# %% tags=["hide-input"]
table = leaky_units.memory_measures(kept)
table.groupby(["start", "task"])[
    ["largest_self", "radius_others"]
].median().round(2)

# %% mystnb={"figure": {"name": "fig-controls-two-ways", "caption": "Trained networks of field 6_6_2, one of each variant and task. Horizontal: their largest self-connection; vertical: spectral radius of the rest (strongest tenth of weights). Filled: more than 0.1 above what needs no memory. Dotted: the self-connection that a leaky unit needs, and radius 1."}, "image": {"alt": "Scatter of largest self-connection against spectral radius of the rest."}} tags=["hide-input"]
figures.two_ways(table, needed=needed)

# %% tags=["hide-input"]
able = (table["largest_self"] > table["task"].map(needed).astype(float)) | (
    table["radius_others"] > 1
)
glue("n_solved", int(table["solved"].sum()))
glue("n_solved_able", int((table["solved"] & able).sum()))
alone = table["largest_self"] > table["task"].map(needed).astype(float)
glue("n_solved_self", int((table["solved"] & alone).sum()))
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
# Of {glue:text}`n_solved` networks that learned, {glue:text}`n_solved_able` have a self-connection above that value or
# a rest of radius above one, {glue:text}`n_solved_self` of them such a self-connection; of {glue:text}`n_unsolved` that
# did not learn, {glue:text}`n_unsolved_able` have either. In {glue:text}`n_uncoupled` networks that learned (table)
# training has left almost nothing between the units.
# ```
#
# ```{admonition} Fact
# :class: fact
# Correlation and tiling coefficient of a neuron with itself are 1, and all others far below; so self-connections of W\*
# are large. A distance penalty spares them, since a unit is at distance zero of itself.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# W\* may help by units that remember by themselves. That networks which learned have such units does not show it, for
# they also started with them; the controls of the start, below, take them away and give them to others.
# ```
#
# ### One unit or two?
#
# Two units that prefer different cues tell two answers apart. So does one: its silence stands for the other answer.
# Which of the two does a network need? The start of every recorded run is known, so the question can be put to single
# runs. We take the conditions under D\* that have the self-connections of W\*, and call a unit *strong* if its
# self-connection is above the needed $w$. The table gives the runs that learned by the number of strong units (4 means
# four or more), with an exact 95 % interval that counts every seed once, because runs of a seed share their start.

# %% tags=["hide-input"]
starts = units.runs_with_features(archive, units.load_units(), fields=recorded)
by_number = units.learned_by_count(starts)
text_table(units.shares_as_text(by_number))

# %% [markdown]
# A strong unit is of use only if it hears a cue and if nothing wipes out what it heard. Its input weights, drawn for
# every seed, decide both: all weights from the cues may be negative, and a negative weight from the fixation channel
# inhibits the unit while it has to remember. What an uncoupled unit still knows at the end follows from the start alone,
# without a parameter to choose. We call *separation* the distance between the last states of these units after two
# trials that memory alone can tell apart, and a start *silent* if its separation is below the noise of one step.

# %% mystnb={"figure": {"name": "fig-controls-separation", "caption": "One mark per run: its accuracy against the separation of its start, both known before it was trained. Shapes: fields. Blue: one strong unit; orange: two or more. Dotted: the noise of one step, below which a start is silent, and the accuracy that needs no memory. Accuracies lie at the top or at the bottom; silent starts hold most of those at the bottom."}, "image": {"alt": "Accuracy of runs over the separation of their starts, one panel per task, on a logarithmic axis."}} tags=["hide-input"]
dose_figures.separation_and_accuracy(starts)

# %% tags=["hide-input"]
several = starts.assign(strong=starts["strong"].clip(upper=2))
several = several[several["task"] != "one_choice"]  # nearly all learn there
for (number, silent), cell in several.groupby(["strong", "silent"]):
    name = f"{'silent' if silent else 'heard'}_{number}"
    glue(name, f"{cell['learned'].sum()} of {len(cell)}")
silent = several[several["silent"]]
glue("silent_learned", f"{silent['learned'].sum()} of {len(silent)}")
for name, cell in starts[starts["strong"] == 1].groupby("task"):
    glue(f"one_strong_{name}", f"{cell['learned'].sum()} of {len(cell)}")
lost = starts[(starts["strong"] > 1) & ~starts["learned"]]
glue("lost_several", len(lost))
glue("lost_several_silent", int(lost["silent"].sum()))
rare = starts[(starts["task"] == "one_choice") & ~starts["learned"]]
glue("lost_one_choice", len(rare))
glue("lost_one_choice_seeds", len(rare[["field", "seed"]].drop_duplicates()))
glue("lost_several_seeds", len(lost[["field", "seed"]].drop_duplicates()))
download(starts, "single_runs.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# With one strong unit {glue:text}`one_strong_one_choice` runs learn in one-choice,
# {glue:text}`one_strong_perceptual` in perceptual decision and {glue:text}`one_strong_go_nogo` in Go/NoGo, all fields
# together. In the latter two, of runs with one strong unit {glue:text}`heard_1` learn where the start is not silent and
# {glue:text}`silent_1` where it is; with two or more, {glue:text}`heard_2` and {glue:text}`silent_2`. With two or more
# strong units {glue:text}`lost_several` runs of {glue:text}`lost_several_seeds` seeds did not learn;
# {glue:text}`lost_several_silent` of them had a silent start.
# ```
#
# Can single runs be predicted? A logistic model is fitted on two fields and tested on the third. The table gives the
# area under its curve: the probability that it ranks a run that learned above one that did not (0.5 is chance). The
# intervals count every seed once. The file below also has the areas on seeds that were left out of the same field; most
# are lower, because runs that are ranked together then come from models with different intercepts.

# %% tags=["hide-input"]
areas = single_runs.out_of_sample(starts)
text_table(single_runs.areas_as_text(areas, tested_on="another field"))

# %% tags=["hide-input"]
elsewhere = areas[
    (areas["tested_on"] == "another field") & areas["area"].notna()
]
for name, cell in elsewhere.groupby("task"):
    for model in ("number of strong units", "separation of uncoupled units"):
        low, high = cell.loc[cell["model"] == model, "area"].agg(["min", "max"])
        glue(f"area_{model.split()[0]}_{name}", f"{low:.2f} to {high:.2f}")
download(areas, "prediction_of_runs.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# On a field that it has not seen, separation ranks runs with an area of
# {glue:text}`area_separation_perceptual` in perceptual decision and {glue:text}`area_separation_go_nogo` in Go/NoGo, the
# number of strong units with {glue:text}`area_number_perceptual` and {glue:text}`area_number_go_nogo`. In one-choice
# {glue:text}`lost_one_choice` runs fail, of {glue:text}`lost_one_choice_seeds` seeds over all fields: too few to be
# predicted ({glue:text}`area_separation_one_choice` and {glue:text}`area_number_one_choice`).
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# One unit is enough if it hears a cue and keeps it: two are not needed. More strong units help, since one of them is
# then more likely to be heard; among starts that are not silent they make a small difference.
# ```
#
# ### The number alone, changed
#
# In recorded starts the number of strong units goes with everything else about a seed. An experiment changes it alone:
# 0, 1, 2, 4 or 8 units have a self-connection of 0.95, all others none, in W\* and in orthogonal starts. The curves
# follow from input weights that are positive or negative with equal chance, and were fixed before any of these runs
# ([rules](../book/rules.md)).

# %% mystnb={"figure": {"name": "fig-controls-dose", "caption": "Share of runs that learned against the number of strong self-connections, with exact 95 % intervals; marks: fields. Lines: the shares that were predicted if one unit that some cue excites is enough, and if two are needed that prefer different cues."}, "image": {"alt": "Shares of runs that learned over the number of strong self-connections, one row of panels per start, beside two predicted curves."}} tags=["hide-input"]
response = dose_response.dose_response(archive, fields=recorded)
dose_figures.dose_response(response) if len(response) else remark(
    "This experiment was not run yet; its figure and tables will be here."
)

# %% tags=["hide-input"]
held = dose_response.compare_with_accounts(response)
counted = pd.crosstab(
    [held["account"], held["start"]],
    held["outside"].replace("", "as predicted"),
)
counted if len(counted) else None

# %% tags=["hide-input"]
weighed = dose_response.compare_accounts(response).set_index("start")
weighed.round(2) if len(weighed) else None

# %% tags=["hide-input"]
dosed = units.runs_with_features(
    archive,
    units.load_units(),
    fields=recorded,
    conditions=[one.name for one in controls.AT_DOSE.values()],
)
own = units.learned_by_account(dosed)
folded(
    own.round(2), "What the input weights of single runs say, by either account"
) if len(own) else None

# %% tags=["hide-input"]
for account, cells in held.groupby("account"):
    sides = cells["outside"].value_counts()
    text = f"{sides.get('more', 0)} of {len(cells)} with more, {sides.get('fewer', 0)} with fewer"
    glue(f"outside_{account.split()[0]}", text)
if held.empty:
    for name in ("outside_one", "outside_two", "favoured", "unaided"):
        glue(name, "not run yet")
else:
    glue("favoured", f"{weighed.loc['both', 'difference']:.1f}")
    unable = own[(own["account"] == "one unit") & ~own["can_learn"]]
    glue("unaided", f"{unable['learned'].sum()} of {unable['runs'].sum()}")

# %% tags=["hide-input"]
download(held, "dose_response.csv") if len(held) else None

# %% [markdown]
# The first table counts cells (start, number, task, field) in which more or fewer runs learned than an account predicts,
# by an exact test with Holm's correction over all cells of the account. It takes the accounts at their word: where no
# run can learn, one that does is outside. The second allows each account a share of runs that do what they should not,
# its *lapse*, and gives the logarithm of the likelihood. The third asks of every run whether its own input weights let
# it learn, by either account.
#
# ```{admonition} Measurement
# :class: measurement
# Cells outside the prediction that one unit is enough: {glue:text}`outside_one`; outside the prediction that two are
# needed: {glue:text}`outside_two`. Logarithm of the likelihood of the first less that of the second, both starts
# together: {glue:text}`favoured`. Runs that learned without a unit that could help, by the first account:
# {glue:text}`unaided`.
# ```

# %% mystnb={"figure": {"name": "fig-controls-memory", "caption": "Predictions about the claim 'memory': difference in accuracy, mean over tasks, with its 95 % t interval; light grey: what was predicted; a range that reaches the frame has no other end."}, "image": {"alt": "Differences between numbers of strong self-connections with intervals, beside predicted bounds."}} tags=["hide-input"]
memory = outcomes[(outcomes["claim"] == "memory") & (outcomes["pairs"] > 0)]
figures.predictions(memory) if len(memory) else remark(
    "The predictions about these runs are not judged yet."
)

# %% [markdown]
# ### What becomes of strong units
#
# Some runs of `W*D*` that did not learn, and as many that did, were trained again while their ten strongest units were
# watched.

# %% tags=["hide-input"]
traces = units.load_traces()
summary = units.trace_summary(traces)
failed = summary[~summary["learned"]]
glue("traced_failed", len(failed))
glue("traced_silent", int(failed["silent_at_start"].sum()))
fell_silent = ~failed["silent_at_start"] & failed["silent_from"].notna()
glue("traced_later", int(fell_silent.sum()))
glue("traced_by", f"{failed['silent_from'].max():.0f}")
glue("traced_least", float(failed["end"].min()))
glue("traced_learned", int(summary["learned"].sum()))
heard = summary[summary["learned"]]
glue("traced_learned_silent", int(heard["silent_at_start"].sum()))
traced = traces[traces["field"] == shown]
assert (failed["end"] > failed["task"].map(needed)).all()  # none of them dies

# %% mystnb={"figure": {"name": "fig-controls-traces", "caption": "Self-connections while runs of W\\*D\\* fail (left) or learn (right), field of the tables; one line per unit that started above half the needed self-connection (dotted). Heavy: the unit tells apart what memory alone can, by more than the noise of one step. The strongest self-connections of failing runs hardly change; these units are silent."}, "image": {"alt": "Lines of self-connections over updates, failing runs beside runs that learned, one row per task."}} tags=["hide-input"]
dose_figures.traces(traced, needed=needed) if len(traced) else remark(
    f"No run of field {shown} was watched."
)

# %% tags=["hide-input"]
download(summary, "traces.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# In none of {glue:text}`traced_failed` failing runs does the strongest self-connection die: the smallest ends at
# {glue:text}`traced_least:.2f`. Its unit is silent: in {glue:text}`traced_silent` of them all ten units are silent from
# the start, and {glue:text}`traced_later` fall silent later, the last at update {glue:text}`traced_by` of 400. Of
# {glue:text}`traced_learned` runs that learned, {glue:text}`traced_learned_silent` started silent and found a way out.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# A unit whose last state is the same after all cues is of no use to the read-out. The task then gives its
# self-connection hardly any gradient, and the penalty spares it: failing networks keep the self-connection that they
# would need and cannot use it. A silent start is a risk and no trap. In perceptual decision and Go/NoGo
# {glue:text}`silent_learned` runs with a silent start learned all the same.
# ```
#
# ## How steep penalties are
#
# Variants are named after what their penalty contains. What a penalty does depends as well on how steep it is: on its
# *penalty gradient*, the mean magnitude of the gradient per weight at the start, C differentiated too. That of the plain
# penalty of `W` is its strength, 1.

# %% tags=["hide-input"]
gradients = control_tables.load_penalty_gradients()
at_start = gradients.pivot(
    index="condition", columns="field", values="gradient"
)
at_start.loc[list(VARIANTS)]

# %% tags=["hide-input"]
plain = control_tables.compare_conditions(
    archive, "W at lambda 0.3", "W", fields=recorded
)
glue("plain_lambda", control_tables.differences_in_words(plain, digits=3))
of_variants = at_start[shown].loc[list(VARIANTS)]
glue("orders", float(np.log10(of_variants.max() / of_variants.min())))
glue("weakest", str(of_variants.idxmin()))
download(gradients, "penalty_gradients.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# On field {glue:text}`shown` the penalty gradients of the eleven variants span {glue:text}`orders:.1f` orders of
# magnitude. The smallest is that of {glue:text}`weakest`.
# ```
#
# ```{admonition} Fact
# :class: fact
# Direct C multiplies every weight by a communicability, which is below one, and so makes the penalty weaker. In the
# released code the plain penalty of `W` has strength 1, all others $\lambda$ = 0.3 {cite}`cortical_blueprint`.
# ```
#
# ```{admonition} Measurement
# :class: measurement
# What this difference in strength changes: `W` with 0.3 less `W` as published, mean over tasks:
# {glue:text}`plain_lambda`.
# ```
#
# If the gradient alone decides, accuracy falls along it whatever the penalty is made of. At most
# {glue:text}`expected_rank:.1f` was predicted for the rank correlation over conditions that start orthogonal.

# %% tags=["hide-input"]
glue("expected_rank", predictions.ORDERING)
ordered = control_tables.accuracy_by_gradient(archive, field=shown)
ordered.pivot_table(
    index=["start", "published"], columns="task", values="mean", aggfunc="size"
)

# %% mystnb={"figure": {"name": "fig-controls-gradient", "caption": "Mean accuracy of every condition against the gradient of its penalty at the start, field of the tables. Filled: the eleven variants of the paper; open: controls. Functional: with W*, W! or their self-connections; other: starts that have neither."}, "image": {"alt": "Scatter of accuracy over penalty gradient, one panel per task."}} tags=["hide-input"]
figures.gradient_and_accuracy(ordered)

# %% tags=["hide-input"]
orthogonal = ordered[ordered["start"] == "orthogonal"]
ranks = {
    task: stats.spearmanr(cell["gradient"], cell["mean"])
    for task, cell in orthogonal.groupby("task", sort=False)
}
for task, rank in ranks.items():
    glue(f"rank_{task}", float(rank.statistic))
glue("n_ranked", int(orthogonal["condition"].nunique()))
kept_rank = sum(r.statistic <= predictions.ORDERING for r in ranks.values())
glue("n_ranks_kept", int(kept_rank))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Rank correlation of penalty gradient and accuracy over {glue:text}`n_ranked` conditions that start orthogonal:
# {glue:text}`rank_one_choice:.2f` in one-choice, {glue:text}`rank_perceptual:.2f` in perceptual decision,
# {glue:text}`rank_go_nogo:.2f` in Go/NoGo; {glue:text}`n_ranks_kept` of three are as predicted. Conditions are not
# independent: many are one variant at several strengths.
# ```
#
# Does accuracy follow the strength when what is penalised stays the same?

# %% mystnb={"figure": {"name": "fig-controls-strengths", "caption": "Accuracy against the strength of the penalty for three variants that start orthogonal, field of the tables, all recorded seeds, with 95 % t intervals cut at 1. Dotted: λ of the paper (there the plain penalty of W has strength 1)."}, "image": {"alt": "Lines of accuracy over strength, one panel per task."}} tags=["hide-input"]
sweep = control_tables.accuracy_by_strength(archive, field=shown)
figures.accuracy_along(
    sweep,
    "strength",
    lines="variant",
    label="strength λ of the penalty",
    published=STRENGTH,
) if len(sweep) else "not run yet"

# %% [markdown]
# And is it the gradient that decides, whatever is penalised? The largest penalty gradient of each variant at which more
# than half of what memory can add is still reached:

# %% tags=["hide-input"]
largest = control_tables.largest_gradients(ordered, levels=halfway)
largest.map("{:.3g}".format).replace("nan", "none")

# %% tags=["hide-input"]
for name in TASKS:
    glue(f"spread_{name}", control_tables.spread_in_words(largest[name]))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Difference of this largest gradient between variants on field {glue:text}`shown`: {glue:text}`spread_one_choice` in
# one-choice, {glue:text}`spread_perceptual` in perceptual decision, {glue:text}`spread_go_nogo` in Go/NoGo. Strengths
# are mostly ten times apart, with five to twenty seeds each, so that each end is known to about a factor of ten. Where
# the factor is much larger than that, the gradient at the start is not all that matters.
# ```

# %% tags=["hide-input"]
download(sweep, "strengths.csv")

# %% [markdown]
# ## What of functional weights helps?
#
# Each start is trained under the distance penalty alone (`W*D*` and `WD*`), on every field with runs. `learned` counts
# runs that are more than 0.1 above what needs no memory: runs mostly [succeed or fail as a whole](06_ablation.ipynb),
# and a t interval describes their mean poorly. The relation behind W\* is the product of correlation and spike time
# tiling coefficient ([STTC](02_function.ipynb)); two controls are made of STTC alone.

# %% tags=["hide-input"]
chosen = [one for one in controls.CONTROLS.values() if one.group == "start"]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
keep = ["control", "task", "runs", "learned", "mean", "reference", "difference"]
folded(of_field[keep], f"Each control in every task, field {shown}") if len(
    of_field
) else remark(not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-start", "caption": "Accuracy of each control with its 95 % t interval, cut at 1; marks: fields. Short vertical line: its reference on the same field and seeds."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% [markdown]
# Do leaky units explain which start learns? The largest self-connection that each of them has at the start (mean of
# three draws), beside the share of its runs that learned, all tasks taken together. Nothing was predicted of this.

# %% tags=["hide-input"]
largest = gradients.set_index(["field", "condition"])["largest_self"]
where = pd.MultiIndex.from_frame(cells[["field", "control"]])
cells["largest_self"] = largest.loc[where].to_numpy()
cells["enough"] = cells["largest_self"] > cells["task"].map(needed).astype(
    float
)
by_start = cells.groupby(["control", "field"], sort=False).agg(
    largest_self=("largest_self", "first"),
    learned=("learned", "sum"),
    runs=("runs", "sum"),
)
by_start["share"] = by_start.pop("learned") / by_start.pop("runs")
by_start = by_start.pivot_table(
    ["largest_self", "share"], "control", "field", sort=False
)
by_start.map("{:.2f}".format).replace("nan", "not asked")

# %% tags=["hide-input"]
for name, enough in {"above": True, "below": False}.items():
    of_start = cells[cells["enough"] == enough]
    glue(f"n_{name}_learned", int(of_start["learned"].sum()))
    glue(f"n_{name}", int(of_start["runs"].sum()))
download(cells, "controls_start.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Starts with a self-connection above what a leaky unit needs for half of what memory can add
# ({glue:text}`needed_one_choice:.2f` in one-choice, {glue:text}`needed_perceptual:.2f` in perceptual decision,
# {glue:text}`needed_go_nogo:.2f` in Go/NoGo) learned in {glue:text}`n_above_learned` of {glue:text}`n_above` runs, the
# others in {glue:text}`n_below_learned` of {glue:text}`n_below`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# One large self-connection that no penalty touches goes far to tell which start learns; of the starts that have one,
# the one whose penalty touches it fails most. The relation of a neuron to itself is 1 in STTC alone too, but its other
# entries are larger, and under the same spectral radius they leave less to the diagonal ([chapter
# 9](09_robustness.ipynb)). Shuffled and resampled starts may have a large entry on the diagonal in some draws.
# ```
#
# ### Where the penalty reaches self-connections too
#
# D\* spares self-connections. What if it does not? Four starts are trained with the mean distance of D\* on the
# diagonal. If W\* has more to give than its self-connections, it should show here.

# %% tags=["hide-input"]
chosen = [
    controls.CONTROLS["W* that is penalised on the diagonal too"],
    *(
        one
        for one in controls.CONTROLS.values()
        if one.group == controls.DIAGONAL
    ),
]
diagonal = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(
    diagonal[diagonal["field"] == shown]
)
folded(of_field[keep], f"Each start in every task, field {shown}")

# %% tags=["hide-input"]
penalised = {one.name: one for one in chosen}
reference, *others = penalised
for name, other in zip(
    ("self_alone", "identity", "orthogonal"), others, strict=True
):
    pair = (other, reference)
    differences = control_tables.compare_conditions(
        archive, *pair, fields=recorded
    )
    glue(f"diagonal_{name}", control_tables.differences_in_words(differences))
download(diagonal, "controls_diagonal.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Penalised on the diagonal too, less W\* so penalised, mean over tasks: its self-connections alone
# {glue:text}`diagonal_self_alone`; a scaled identity {glue:text}`diagonal_identity`; an orthogonal start
# {glue:text}`diagonal_orthogonal`. The predictions about these are in the figure below.
# ```

# %% mystnb={"figure": {"name": "fig-controls-function", "caption": "Predictions about the claim 'function': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "function"])

# %% mystnb={"figure": {"name": "fig-controls-structure", "caption": "Predictions about the claim 'structure': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "structure"])

# %% [markdown]
# (controls-geometry)=
# ## Is it geometry?
#
# Under the `published` protocol coordinates are mixed among neurons and lie in three clusters
# ([methods](../book/methods.md)). Here each unit gets the soma of its own neuron, or a random point such that distances
# between points are distributed as those of D\*, or a place in one of three clusters made on purpose; and the grid
# gets the mean distance of D\*. How much there is to lose: D\* less D, mean over tasks, without C
# {glue:text}`gain_d`, with C {glue:text}`gain_dc`.

# %% tags=["hide-input"]
gain = control_tables.compare_conditions(archive, "WD*", "WD", fields=recorded)
glue("gain_d", control_tables.differences_in_words(gain))
gain = control_tables.compare_conditions(
    archive, "WD*C", "WDC", fields=recorded
)
glue("gain_dc", control_tables.differences_in_words(gain))
chosen = [one for one in controls.CONTROLS.values() if one.group == "geometry"]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
folded(of_field[keep], f"Each control in every task, field {shown}") if len(
    of_field
) else remark(not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-geometry", "caption": "Accuracy of each control with its 95 % t interval, cut at 1; marks: fields. Short vertical line: its reference on the same field and seeds."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% tags=["hide-input"]
download(cells, "controls_geometry.csv")

# %% mystnb={"figure": {"name": "fig-controls-geometry", "caption": "Predictions about the claim 'geometry': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "geometry"])

# %% [markdown]
# ### On true coordinates
#
# What D\* adds in the paper's code is what *scrambled* D\* adds. On true coordinates `WD*C` gains less over `WDC`. How
# much of the scrambled gain is left, mean over tasks: {glue:text}`shares`.
#
# Even that is a comparison with a grid of larger distances, whose penalty is steeper. Four contrasts on true coordinates
# are about geometry itself. `WD*C` meets a grid with the same mean distance, random points with the same
# distances, and the same distances in the wrong places; and W\*, whose weights belong to these neurons, meets W!, whose
# weights belong to others.

# %% tags=["hide-input"]
shares = true_coordinates.share_of_scrambled(archive, fields=recorded)
glue("shares", true_coordinates.shares_in_words(shares))
folded(
    true_coordinates.shares_as_text(shares).reset_index(),
    "Gain of WD*C over WDC on scrambled and on true coordinates, and its share, task by task",
)

# %% mystnb={"figure": {"name": "fig-controls-true", "caption": "Four contrasts on true coordinates, task by task and in the mean over tasks, with 95 % intervals that hold together. Right of zero: the condition named first is more accurate."}, "image": {"alt": "Four contrasts on true coordinates in three tasks, one panel per field."}} tags=["hide-input"]
geometry = true_coordinates.contrasts(archive, fields=recorded, rng=rng)
effect_figures.effects_by_task(geometry) if geometry["seeds"].any() else remark(
    "None of the four contrasts was run yet."
)

# %% tags=["hide-input"]
folded(
    true_coordinates.contrasts_as_text(geometry).reset_index(),
    "The four contrasts, task by task and field by field",
)

# %% tags=["hide-input"]
download(geometry, "true_coordinates.csv")

# %% tags=["hide-input"]
about_own = listed[listed["about"] == "WD*C on own coordinates less WDC"]
about_own = about_own[about_own["outcome"] != "not run"]
mute = f"{(about_own['says'] == 'cannot tell').sum()} of {len(about_own)}"
glue("true_mute", mute if len(about_own) else "not run yet")
in_mean = geometry[(geometry["task"] == "mean") & (geometry["seeds"] > 0)]
beyond_zero = in_mean["difference_low"] * in_mean["difference_high"] > 0
excluding = f"{beyond_zero.sum()} of {len(in_mean)}"
glue("true_told", excluding if len(in_mean) else "not run yet")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Contrasts on true coordinates, mean over tasks, every field counted, whose interval excludes zero:
# {glue:text}`true_told`. A contrast that holds zero shows no effect of geometry; it excludes one only as far as its
# interval is short. Of the predictions about what `WD*C` on own coordinates gains over `WDC`, {glue:text}`true_mute`
# cannot tell: there the gain is not surely larger than what *same* allows.
# ```
#
# ### The shape of trained networks
#
# What about the shape of the trained networks? `WD*C` and `W*D*C` are modular under the `published` protocol.
# Assortativity asks whether units connect to others with a like number of connections
# ([chapter 8](08_topology.ipynb)).

# %% tags=["hide-input"]
shape = [one for one in chosen if one.variant.base in ("WD*C", "W*D*C")]
modularity = control_tables.beside_reference(
    archive, shape, fields=recorded, metric="modularity"
)
assortativity = control_tables.beside_reference(
    archive, shape, fields=recorded, metric="assortativity"
)
measured = {"modularity": modularity, "assortativity": assortativity}
for name, cells in measured.items():
    of_field = control_tables.differences_as_text(
        cells[cells["field"] == shown], digits=2
    )
    of_field = of_field.rename(columns={"reference_mean": "published"})
    of_field = of_field.set_index(["control", "task"])
    measured[name] = of_field[["mean", "published", "difference"]]
pd.concat(measured, axis=1)

# %% tags=["hide-input"]
plain = controls.PUBLISHED_VARIANTS["W"]
plain = runs_of(archive, plain, field=shown)
of_field = assortativity[assortativity["field"] == shown].set_index("control")
clusters = of_field.loc["WD*C on three clusters"]
glue("assortativity_three_clusters", clusters["mean"].mean())
own = of_field.loc["WD*C on own coordinates"]
glue("assortativity_own_coordinates", own["mean"].mean())
glue("assortativity_published", own["reference_mean"].mean())
glue("modularity_plain", plain["modularity"].mean())

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# For scale: networks of `W`, which no place of a neuron enters, have a modularity of {glue:text}`modularity_plain:.2f`.
# Assortativity of `WD*C`, mean over tasks, is {glue:text}`assortativity_published:.2f` on the published coordinates,
# {glue:text}`assortativity_three_clusters:.2f` on three artificial clusters and
# {glue:text}`assortativity_own_coordinates:.2f` on own coordinates.
# ```

# %% mystnb={"figure": {"name": "fig-controls-modularity", "caption": "Modularity of trained networks on other coordinates, with 95 % t intervals; short vertical line: on the published ones."}, "image": {"alt": "Mean modularity of controls of geometry in three tasks beside their reference."}} tags=["hide-input"]
figures.beside_reference(modularity, label="modularity")

# %% mystnb={"figure": {"name": "fig-controls-topology", "caption": "Predictions about modularity: difference with its 95 % t interval; grey: what was predicted."}, "image": {"alt": "Differences in modularity between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "topology"])

# %% tags=["hide-input"]
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
# C that is computed once and then left as it is; the missing cell `W*DC`; and C\*, the earth mover's distance (EMD) of
# communicabilities in the network and in cortex, at strengths at which it begins to matter. In the released code its
# strength is {glue:text}`emd_published`.

# %% tags=["hide-input"]
chosen = [one for one in controls.CONTROLS.values() if one.group == "wiring"]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
folded(of_field[keep], f"Each control in every task, field {shown}") if len(
    of_field
) else remark(not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-wiring", "caption": "Accuracy of each control with its 95 % t interval, cut at 1; marks: fields. Short vertical line: its reference on the same field and seeds."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% tags=["hide-input"]
download(cells, "controls_wiring.csv")
glue("emd_published", f"{EMD_STRENGTH:g}")
stronger = [one for one in chosen if one.emd_strength > EMD_STRENGTH]
for one in stronger:
    strong, strength = one.name, f"{one.emd_strength:.0f}"
    differences = control_tables.compare_conditions(
        archive, strong, "WD*", fields=recorded
    )
    glue(f"emd_{strength}", control_tables.differences_in_words(differences))
in_tasks = cells[cells["control"] == stronger[-1].name]
in_tasks = in_tasks.assign(title=[TASKS[x].title for x in in_tasks["task"]])
in_tasks = control_tables.differences_as_text(in_tasks).set_index(
    ["field", "title"]
)
in_tasks = in_tasks.rename(columns={"difference": "difference at a million"})
in_tasks[["pairs", "difference at a million"]]

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# `WD*C*` less `WD*`, mean over tasks, at EMD strength 100: {glue:text}`emd_100`; at 10,000: {glue:text}`emd_10000`; at
# a million: {glue:text}`emd_1000000` (task by task in the table).
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# At a thousand times its published strength C\* leaves accuracy as it is, as predicted. It is not without power: at the
# higher strengths it changes what is learned, mostly for the better though not in every task. Nothing was predicted of
# these strengths, and the verdict does not count them.
# ```

# %% mystnb={"figure": {"name": "fig-controls-wiring", "caption": "Predictions about the claim 'wiring': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "wiring"])

# %% [markdown]
# ## At equal strength
#
# Every penalty scaled until its gradient at the start is 0.17 or 0.001: about that of D\* and of D\* with C on 6_6_2
# (on others it is larger, see the table of penalty gradients); no penalty; and the plain penalty at the strength of the
# others. Gradients are equal at the start only. In the predictions about *wiring* above, the second condition keeps its
# own.

# %% tags=["hide-input"]
chosen = [
    one
    for one in controls.CONTROLS.values()
    if one.group in ("strength", "matched_gradient") and one.n_seeds > 5
]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
folded(of_field[keep], f"Each control in every task, field {shown}") if len(
    of_field
) else remark(not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-strength", "caption": "Accuracy of each control with its 95 % t interval, cut at 1; marks: fields. Short vertical line: its reference on the same field and seeds."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% tags=["hide-input"]
download(cells, "controls_strength.csv")

# %% [markdown]
# Do D\* and C still help where penalties are equally steep? The table compares each variant with the prior and the one
# without it, both scaled to the same gradient at the start; accuracy, mean over tasks. Nothing was predicted of these
# pairs; those that were missing were run when the others were known.

# %% tags=["hide-input"]
alike = control_tables.compare_at_matched_gradient(archive, fields=recorded)
pairs = control_tables.differences_as_text(alike)
pairs["difference of"] = pairs["variant"] + " less " + pairs["against"]
pairs = pairs.pivot_table(
    "difference",
    ["prior", "difference of", "gradient"],
    "field",
    aggfunc="first",
    sort=False,
)
folded(
    pairs.reset_index().fillna("not asked"),
    "Variants with and without a prior at equal gradient",
)

# %% tags=["hide-input"]
download(alike, "matched_gradient.csv")

# %% [markdown]
# ### Equal at the end
#
# Equal gradients at the start fix neither how a penalty is spread over weights nor its size beside the gradient of the
# task, which is what counts under Adam. A second match is by what penalties do: strengths at which training leaves 0.5 or
# 0.8 of the norm of the weights between units. The figure has five effects at each match. A conclusion is another than as
# published if the effect is gone, new, reversed, smaller or larger, and the interval of the change itself excludes
# zero.

# %% tags=["hide-input"]
matched = equal_norms.by_match(archive, fields=recorded, rng=rng)
glue("other_conclusions", equal_norms.in_words(matched))
glue("norms_waiting", equal_norms.waiting(matched))

# %% mystnb={"figure": {"name": "fig-controls-norms", "caption": "Effects as published, at equal penalty gradient at the start, and at equal norm of the weights that are left, mean over tasks with 95 % intervals that hold together; dots: single tasks. A match without a mark was not run on that field."}, "image": {"alt": "Five effects at several matches of strength, one panel per field."}} tags=["hide-input"]
norm_figures.effects_by_match(matched)

# %% tags=["hide-input"]
folded(
    equal_norms.as_text(matched).reset_index(),
    "Accuracy of both conditions, their difference, and the conclusion, mean over tasks",
)

# %% tags=["hide-input"]
download(matched, "equal_norms.csv")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Conclusions other than as published, mean over tasks: {glue:text}`other_conclusions`. Not run yet:
# {glue:text}`norms_waiting`. An effect can be gone because both conditions learn, or because neither does; the folded
# table has their accuracies.
# ```

# %% tags=["hide-input"]
wiring = outcomes[
    (outcomes["claim"] == "wiring") & (outcomes["field"] == shown)
]
wiring = wiring.set_index("condition")["found"].replace("", "not run")
for name, condition in {
    "c_frozen": "WD*C with C frozen",
    "c_frozen_star": "W*D*C with C frozen",
    "plain_at_weak": "W at gradient 0.001",
}.items():
    glue(name, wiring.get(condition, "not asked on this field"))
for name, condition in {
    "gradient_dc": "WD*C",
    "gradient_own": "WD*C on own coordinates",
    "gradient_random": "WD*C on matched random points",
}.items():
    glue(name, float(f"{at_start.loc[condition, shown]:.2g}"))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Mean over the three tasks on field {glue:text}`shown`, with 95 % intervals. The plain penalty at 0.001, less `WD*C` on
# own coordinates with {glue:text}`gradient_own`: {glue:text}`plain_at_weak`. C left as it was at the start, less C that
# follows the weights: {glue:text}`c_frozen` for `WD*C`, {glue:text}`c_frozen_star` for `W*D*C`. Penalty gradient of
# `WD*C` as published {glue:text}`gradient_dc`, on matched random points {glue:text}`gradient_random`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# From an orthogonal start D\* and C do more together than make the penalty less steep: at the larger gradient each is
# worth little without the other. Other differences are below 0.1 for the most part, and not alike in all tasks (table before). From W\*, C
# adds nothing to D\*, for little is left to gain. What of D\* helps is not where each neuron lies, since random points
# with its distances do about as well ({ref}`the geometry <controls-geometry>`) and are as steep; and direct C is no
# property of cortical wiring, for it is computed from the network's own weights. A C that follows the weights changes
# the penalty as they shrink; a factor that is fixed at the start does not. A plain penalty that keeps up with `WD*C` on
# own coordinates while it is less steep does not show that the gradient alone matters.
# ```

# %% [markdown]
# ## Positive weights without cortex
#
# Starts that have nothing of cortex, but positive weights of spectral radius 0.95 as W\* has; one of them is
# orthogonal, scaled so that what clipping leaves of it has that radius. W\* itself, their reference, and W\* without
# self-connections stand beside them.

# %% tags=["hide-input"]
chosen = [one for one in controls.CONTROLS.values() if one.group == "positive"]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
of_field = of_field[[*keep[:3], "diverged", *keep[3:]]].set_index(keep[:2])
rows_or(of_field, not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-positive", "caption": "Accuracy of each control with its 95 % t interval, cut at 1; marks: fields. Short vertical line: its reference on the same field and seeds."}, "image": {"alt": "Mean accuracies of controls in three tasks beside those of their reference."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% tags=["hide-input"]
download(cells, "controls_positive.csv")
identity = cells[cells["control"] == "scaled identity, positive"]
identity = identity[identity["field"] == shown]
glue("identity_runs", int(identity["runs"].sum()))
glue("identity_learned", int(identity["learned"].sum()))

# %% mystnb={"figure": {"name": "fig-controls-positive", "caption": "Predictions about the claim 'positive': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
figures.predictions(outcomes[outcomes["claim"] == "positive"])

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# A scaled identity with positive weights learned in {glue:text}`identity_learned` of {glue:text}`identity_runs` runs on
# field {glue:text}`shown`. Where it does better than W\*D\* by more than *same* allows, the prediction is open or
# refuted all the same, and *positive* may stay open on that field.
# ```

# %% [markdown]
# ## When tasks ask for more
#
# If W\* has more to give than self-connections, it should show where there is more to do: delays of 40 steps, an
# eighth or a quarter of the trials, a second task after a first. The penalty is the weak one of D\* with C, so
# that connections between units are free to work. Four starts meet here: W\*, its self-connections alone, W\*
# shuffled off the diagonal, and orthogonal.

# %% tags=["hide-input"]
chosen = [
    one
    for one in controls.CONTROLS.values()
    if one.group == "harder" and one.first_task is None
]
cells = control_tables.beside_reference(archive, chosen, fields=recorded)
of_field = control_tables.differences_as_text(cells[cells["field"] == shown])
folded(of_field[keep], f"Each control in every task, field {shown}") if len(
    of_field
) else remark(not_run)

# %% mystnb={"figure": {"name": "fig-controls-cells-harder", "caption": "Accuracy of the four starts with long delays, few trials, and all trials, with 95 % t intervals; marks: fields. Short vertical line: W*, all else equal."}, "image": {"alt": "Mean accuracies of four starts in three tasks under harder conditions beside those of W*."}} tags=["hide-input"]
figures.beside_reference(cells) if len(cells) else "not run yet"

# %% tags=["hide-input"]
download(cells, "controls_harder.csv")

# %% [markdown]
# How many trials does each start need? Epochs and trials of an update are those of the paper throughout, so fewer
# trials are fewer updates too.

# %% mystnb={"figure": {"name": "fig-controls-trials", "caption": "Accuracy against the number of training trials, field of the tables, with 95 % t intervals. Dotted: the number of the paper."}, "image": {"alt": "Lines of accuracy over the number of training trials for four starts, one panel per task."}} tags=["hide-input"]
efficiency = control_tables.accuracy_by_trials(archive, field=shown)
figures.accuracy_along(
    efficiency,
    "n_train",
    lines="start",
    label="training trials",
    published=PRESETS["paper"].n_train,
) if len(efficiency) else "not run yet"

# %% tags=["hide-input"]
download(efficiency, "trials.csv")

# %% [markdown]
# Does a task learned before help with the next? Nothing was predicted of it. Networks are first
# trained on one task as in the paper, then on another. *Alone* is the same start without the first task.

# %% tags=["hide-input"]
moved = control_tables.transfer(archive, field=shown)
pairs = control_tables.differences_as_text(moved).set_index(
    ["start", "first_task", "task"]
)
rows_or(pairs, not_run)

# %% tags=["hide-input"]
download(moved, "transfer.csv")

# %% [markdown]
# ## Tasks of other laboratories
#
# Eight tasks of NeuroGym {cite:p}`neurogym2022` ask for contexts, comparisons, categories and two items at once
# ([how they are drawn](../book/own_task.md)). Trials, epochs and all else are as in the three tasks of the paper.

# %% tags=["hide-input"]
chosen = [
    one for one in controls.CONTROLS.values() if one.group == "environments"
]
gym = control_tables.beside_reference(archive, chosen, fields=recorded)
gym["start"] = gym["control"].map({one.name: one.start for one in chosen})
gym["title"] = [find_task(name).title for name in gym["task"]]
of_field = gym[gym["field"] == shown]
of_field = of_field.pivot_table(
    index="title", columns="start", values="mean", sort=False
)
rows_or(of_field.round(3), not_run)

# %% mystnb={"figure": {"name": "fig-controls-gym", "caption": "Accuracy on tasks of NeuroGym with 95 % t intervals, one panel per start; marks: fields. Short vertical line: W* on the same task and field."}, "image": {"alt": "Mean accuracies on eight tasks, one panel for each of four starts."}} tags=["hide-input"]
turned = {"rows": "title", "panels": "start"}
figures.beside_reference(gym, **turned) if len(gym) else "not run yet"

# %% tags=["hide-input"]
download(gym.drop(columns="title"), "controls_gym.csv")

# %% tags=["hide-input"]
unlike = gym.groupby(["field", "task"], sort=False)["mean"].max()
hard = [f"{task} ({on})" for on, task in unlike[unlike < 0.6].index]
glue("gym_hard", ", ".join(hard) or "none")
apart = gym[gym["difference"].notna() & (gym["start"] != "orthogonal")]
text, clear = "not run yet", 0
if len(apart):
    widest = apart.loc[[apart["difference"].abs().idxmax()]]
    text = ", ".join(widest[["start", "task"]].values[0])
    text += f", field {control_tables.differences_in_words(widest, digits=3)}"
    clear = (apart["difference_low"] * apart["difference_high"] > 0).sum()
glue("gym_widest", text)
glue("gym_clear", int(clear))
glue("gym_pairs", len(apart))
apart = control_tables.differences_as_text(apart).set_index(
    ["start", "task", "field"]
)
apart[["pairs", "difference"]]

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# No start reaches 0.6 in: {glue:text}`gym_hard`. Against W\*, task by task and field by field (table),
# {glue:text}`gym_clear` of {glue:text}`gym_pairs` differences of the other two starts with its self-connections have an
# interval that excludes zero; the largest is {glue:text}`gym_widest`. Among eight directions chance is one eighth.
# ```
#
# The predictions about all of these: W\* does as well with what lies off its diagonal shuffled, or without it.

# %% mystnb={"figure": {"name": "fig-controls-beyond", "caption": "Predictions about the claim 'beyond': difference in accuracy with its 95 % t interval, over the seeds that both conditions have; light grey: what was predicted; a range that reaches the frame has no other end. A row without a named task is the mean over tasks."}, "image": {"alt": "Differences between conditions with intervals, beside predicted bounds."}} tags=["hide-input"]
beyond = outcomes[
    (outcomes["claim"] == "beyond") & (outcomes["outcome"] != "not run")
]
figures.predictions(beyond) if len(beyond) else "not run yet"

# %% tags=["hide-input"]
least = control_tables.compare_conditions(
    archive, "W*D*C", "WD*C", fields=recorded
)
glue("least", control_tables.differences_in_words(least))
download(verdicts, "claims.csv")

# %%
assert not runs["identity"].duplicated().any()
in_mean = shares[shares["task"] == "mean"]
assert (in_mean["share_high"].dropna() < 1).all()  # true D* does less
assert (in_mean["share"].dropna() < 0.5).all()
for pair in (("W*D*", "WD*"), ("W*D*C*", "WD*C*")):
    gain = control_tables.compare_conditions(archive, *pair, fields=recorded)
    gain = gain.merge(least, on="field", suffixes=("", "_least"))
    assert (gain["difference_low"] > 0).all()
    assert (gain["difference_least"] < gain["difference"]).all()
positive = ("W*D*C*, positive", "WD*C*, positive")
lost = control_tables.compare_conditions(
    archive, *positive, fields=recorded, metric="diverged"
)
assert (lost["difference_high"] < 0).all()

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# That a simpler cause suffices does not make a finding wrong. W\* does better than an orthogonal start under most of
# these penalties, the least under D\* with direct C ({glue:text}`least`); and positive weights do train from it; how
# far the published numbers come out again is told in [chapter 6](06_ablation.ipynb) and [chapter 7](07_positive.ipynb).
# What the controls ask is which property of cortex the gain speaks for, on three tasks that one unit with a slow decay
# can solve, if it hears a cue.
# ```
#
# ## Summary
#
# - Every control is meant to change one thing about a variant; conditions are compared seed by seed.
# - A few strong self-connections are enough for these tasks, whatever start provides them; a single one often is.
# - The D\* of the paper's code is made of scrambled coordinates. True ones keep less than half of what it adds, and
#   whether that part is geometry is open.
# - Effects differ between tasks, and with the strength of the penalty; their mean hides both.
# - Readings are judged by predictions that could have failed; those that did, and the one that was withdrawn, are listed
#   at the top.
#
# **What's next.** [Your own field](11_your_field.ipynb); [make a control of your own](../book/adapt.md).
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
