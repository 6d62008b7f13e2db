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
# # Three tasks
#
# Networks are judged by three tasks that share one thing: what matters is over when the answer is
# asked for. This chapter shows a trial of each and computes what can be reached *without* memory and,
# where there is noise, by an observer that forgets nothing. Both numbers are needed to read any accuracy.
#
# *Needs:* nothing. *Time:* a few seconds on two cores.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy.stats import norm

from cortexrnn import load_field
from cortexrnn.evidence.leaky_units import levels_without_memory
from cortexrnn.figures import tasks as figures
from cortexrnn.figures.page import banner, glue
from cortexrnn.figures.parameters import settle
from cortexrnn.figures.style import set_style
from cortexrnn.networks.tasks import PROBLEMS, TASKS

# %%
set_style()

# %% tags=["parameters"]
field = "surrogate"  # paper: "6_6_2"; the tasks are the same for every field
n_trials = 4000  # paper: 5120 for training, 2560 for validation
seed = 0  # paper: no seed stated

# %%
settle()
field = load_field(field)
banner(field)

# %% [markdown]
# No field enters a task; its number of neurons only sets the size of the networks that will read it.

# %%
rows = [
    (t.title, t.n_steps, t.n_channels, ", ".join(t.class_names))
    for t in TASKS.values()
]
pd.DataFrame(rows, columns=["task", "steps", "channels", "answers"]).set_index(
    "task"
)

# %%
rng = np.random.default_rng(seed)
trials = {name: task.sample(n_trials, rng=rng) for name, task in TASKS.items()}
for name, (inputs, targets) in trials.items():
    assert inputs.shape == (
        n_trials,
        TASKS[name].n_steps,
        TASKS[name].n_channels,
    )
    assert set(targets) <= set(range(TASKS[name].n_classes))

# %% [markdown]
# ## One-choice inference
#
# ```{admonition} Fact
# :class: fact
# A goal is shown, then nothing, then two directions, one of which leads to the goal. The answer is
# that direction. There are eight problems, equally likely {cite}`shakiba2026`.
# ```

# %% mystnb={"figure": {"name": "fig-one-choice", "caption": "Input of one trial of one-choice inference: channels over steps, darker for more activity. Orange lines separate the periods, which are named above; the title gives the right answer."}, "image": {"alt": "Heat map of a one-choice trial: a goal channel first, two direction channels last."}}
figures.trial(
    TASKS["one_choice"],
    trials["one_choice"][0][0],
    int(trials["one_choice"][1][0]),
)

# %% [markdown]
# How far does one get with the offer alone? For each pair of directions, the best that a network without
# memory can do is to give the answer that is right most often.

# %%
names = TASKS["one_choice"].class_names
problems = pd.DataFrame(PROBLEMS, columns=["goal", "offer", "answer"])
problems["offer"] = [
    " or ".join(names[d] for d in sorted(pair)) for pair in problems["offer"]
]
problems["answer"] = [names[direction] for direction in problems["answer"]]
table = pd.crosstab(problems["offer"], problems["answer"])
table

# %%
ceiling = table.max(axis=1).sum() / len(problems)
glue("ceiling", float(ceiling))
assert ceiling == levels_without_memory()["one_choice"]
print(f"{table.max(axis=1).sum()} of {len(problems)} problems: {ceiling}")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The memoryless ceiling of one-choice inference is {glue:text}`ceiling:.3f`. A network at that
# accuracy need not have learned to remember anything.
# ```
#
# ## Perceptual decision
#
# ```{admonition} Fact
# :class: fact
# Two channels carry a signal of opposite sign around 0.5, buried in noise that is drawn anew for every
# step and channel. The stronger one is the answer, asked for after a delay. The signal has one of five
# strengths, the *coherence*, and the weakest of them is none.
# ```

# %% mystnb={"figure": {"name": "fig-perceptual", "caption": "Input of one trial of perceptual decision: fixation throughout, noisy evidence in two channels during the stimulus, then a delay without evidence. Orange lines separate the periods; the title gives the right answer."}, "image": {"alt": "Heat map of a perceptual trial with two noisy evidence channels."}}
figures.trial(
    TASKS["perceptual"],
    trials["perceptual"][0][0],
    int(trials["perceptual"][1][0]),
)

# %% [markdown]
# An ideal observer adds up the difference of the two channels over the whole stimulus. With coherence
# $c$ (in percent), $T$ steps and noise $\sigma$, the sum has mean $\pm T c / 100$ and standard deviation
# $\sigma\sqrt{2T}$, so that it is right with probability $\Phi\!\left(\sqrt{T/2}\; c / 100\sigma\right)$.

# %%
task = TASKS["perceptual"]
points = []
for coherence in task.coherences:
    inputs, targets = task.with_settings(coherences=[coherence]).sample(
        n_trials, rng=rng
    )
    evidence = (inputs[..., 1] - inputs[..., 2]).sum(axis=1, dtype=float)
    right = ((evidence < 0) == targets).mean()
    formula = norm.cdf(
        np.sqrt(task.stimulus_steps / 2) * coherence / 100 / task.noise_sd
    )
    points.append((coherence, right, formula, n_trials))
curve = pd.DataFrame(
    points, columns=["coherence", "accuracy", "predicted", "trials"]
)

# %% mystnb={"figure": {"name": "fig-psychometric", "caption": "Accuracy of the ideal observer against coherence: simulated on trials of the task (points, with 95 % intervals) and from the formula (diamonds). The horizontal axis is logarithmic above the smallest coherence. Dotted: guessing."}, "image": {"alt": "Psychometric curve of the ideal observer."}}
figures.psychometric(curve)

# %%
ideal = curve["predicted"].mean()
glue("ideal", float(ideal))
error = np.sqrt(curve["predicted"] * (1 - curve["predicted"]) / n_trials)
assert (
    (curve["accuracy"] - curve["predicted"]).abs() < 4 * error + 2 / n_trials
).all()
print(f"ideal observer over all coherences: {ideal:.3f}")
print(f"simulated: {curve['accuracy'].mean():.3f}")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Even an ideal observer stays at {glue:text}`ideal:.3f`: a fifth of the trials carries no signal.
# ```
#
# ## Go/NoGo
#
# ```{admonition} Fact
# :class: fact
# One of two cues is shown. After a delay every channel falls silent, and then the network has to say
# which it was.
# ```

# %% mystnb={"figure": {"name": "fig-go-nogo", "caption": "Input of one trial of Go/NoGo: fixation, cue, delay with fixation on, decision in silence. Orange lines separate the periods; the title gives the right answer."}, "image": {"alt": "Heat map of a Go/NoGo trial with a cue in one of two channels."}}
figures.trial(
    TASKS["go_nogo"], trials["go_nogo"][0][0], int(trials["go_nogo"][1][0])
)

# %% [markdown]
# ## The last input alone
#
# One question for all three: group trials by what is seen at the last step, and give each group the
# answer that is right most often. No network without memory can do better.

# %%
last = {}
for name, (inputs, targets) in trials.items():
    last_step = pd.Series([str(step) for step in inputs[:, -1]], name="seen")
    last[name] = pd.crosstab(last_step, targets).max(axis=1).sum() / n_trials
last = pd.Series(last, name="from the last input alone")
last.to_frame().round(3)

# %%
margin = 4 * np.sqrt(0.25 / n_trials)
for name, level in levels_without_memory().items():
    assert abs(last[name] - level) < margin

# %% [markdown]
# ## Summary
#
# - In all three tasks the answer needs something that is no longer there.
# - One-choice inference can be answered to five eighths without memory; the other two only by guessing.
# - In perceptual decision no network can reach 1.
#
# **What's next.** [Eleven networks](05_networks.ipynb) trains on these tasks.
#
# **References.** Tasks and their settings: {cite:t}`shakiba2026`, with their code
# {cite}`cortical_blueprint`.
