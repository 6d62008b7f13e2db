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
# # Factors and robustness
#
# The paper's claim, in one sentence: a functional start brings the largest gain, real geometry a robust
# second and communicability a selective one, relabelled neurons do as well as their own places, and all of
# it holds for precision instead of correlation and for fields of other sizes.
#
# *Needs:* [The ablation](06_ablation.ipynb). *Time:* under a minute; nothing is trained on this page.

# %% tags=["hide-input"]
import pandas as pd

from cortexrnn import load_archive, load_field
from cortexrnn.evidence import (
    design,
    equivalence,
    factor_tests,
    generalisation,
    leaky_units,
    learning_speed,
    linear_model,
    pooled,
    rank_correlations,
    seed_clusters,
    sign_constraint,
    success_counts,
)
from cortexrnn.evidence.equivalence import MARGINS
from cortexrnn.evidence.published import (
    PUBLISHED_FIELDS,
    published_effects,
    published_groups,
    published_table,
    same_holm,
)
from cortexrnn.fields.sources.published import is_available
from cortexrnn.figures import learning_speed as speed_figures
from cortexrnn.figures import robustness as figures
from cortexrnn.figures.page import (
    banner,
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
from cortexrnn.runs.labels import select

# %%
set_style()
pd.set_option("display.float_format", "{:.3g}".format)

# %% tags=["parameters"]
field = "6_6_2"  # paper: "6_6_2", and for robustness "5_3_4" and "5_6_8"

# %% [markdown]
# Runs are those of the archive that stand beside the paper: its size, its eleven variants, the `published`
# protocol, one draw of trials.

# %%
settle()
archive = load_archive()
shown, recorded = field_to_show(
    archive,
    field,
    runs_on=lambda name: select(archive, field=name),
    what="the paper's size, correlation, free",
)

# %%
free = {name: select(archive, field=name) for name in recorded}
runs = free[shown]
n_seeds = int(runs["seed"].nunique())
glue("field", shown)
glue("n_runs", len(runs))
glue("n_seeds", n_seeds)
glue("n_diverged", int(runs["diverged"].sum()))
if shown != "6_6_2":
    print("The published tests are of field 6_6_2, another one.")
banner(shown, runs=runs)

# %% [markdown]
# ## The verdict
#
# Two variants whose names differ in one factor are compared in every context that the design has, here and in the
# paper's tables S5 to S7. Names, not things: under the `published` protocol D\* stands for mixed-up coordinates and D
# for a grid that is several times larger, so that this contrast changes arrangement, scale and
# strength of the penalty together ([methods](../book/methods.md)). It repeats the published comparison and is no test
# of real geometry.

# %%
published = published_effects()
effects = factor_tests.factor_effects(runs)
beside = factor_tests.agreement(effects, published)
accuracy = beside[beside["metric"] == "accuracy"]

# %% mystnb={"figure": {"name": "fig-robustness-verdict", "caption": "Cliff's delta of accuracy for every pair of variants that differ in one factor: start (top block), distance, communicability (bottom). Right of zero: the variant after the arrow is more accurate; at 1 each of its runs beats each of the other's. Circles: runs of this page, with 95 % bootstrap intervals; squares: published, field 6_6_2, 20 simulations a variant. Filled: p < 0.05 after Holm's correction. At the right edge: whether both sides come to the same verdict. A pair that the paper did not test has no square."}, "image": {"alt": "Effect sizes of start, distance and communicability on accuracy in three tasks, recorded and published, with marks of agreement."}}
figures.factor_sizes(accuracy)

# %%
FOUND = ("significant", "significant_published")
whole = accuracy[accuracy["test"] == "mannwhitney"]
known = whole["agree"].notna()
glue("n_pairs", len(whole))
glue("n_tested", int(known.sum()))
found_here, found_there = (whole[name].fillna(False) for name in FOUND)
glue("n_agree", int(whole.loc[known, "agree"].sum()))
glue("n_both", int((known & found_here & found_there & whole["agree"]).sum()))
glue("n_neither", int((known & ~found_here & ~found_there).sum()))
for side, p in {"here": "p", "there": "p_published"}.items():
    glue(f"n_skipped_{side}", int((known & whole[p].isna()).sum()))
fewest, most = whole["n"].min() // 2, whole["n"].max() // 2
glue("per_cell", most if fewest == most else f"{fewest} to {most}")
if n_seeds < 20:
    print(f"Seeds here: {n_seeds}, in the paper: 20. Fewer find fewer effects.")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Field {glue:text}`field`, {glue:text}`n_runs` runs, of which {glue:text}`n_diverged` diverged, {glue:text}`per_cell`
# values a variant and task. Of {glue:text}`n_pairs` pairs for accuracy, {glue:text}`n_tested` have enough values for a
# test. {glue:text}`n_both` of these are significant on both sides and in the same direction; {glue:text}`n_neither` are
# significant on neither, which is weak agreement with few runs; the other ones disagree. A pair whose context was not
# significant was not tested, and counts as not significant: here {glue:text}`n_skipped_here`, in the paper
# {glue:text}`n_skipped_there`.
# ```
#
# ## How the tests are made
#
# ```{admonition} Fact
# :class: fact
# Kruskal-Wallis over the levels of a factor in each context of the other two; two-sided Mann-Whitney tests
# of its pairs, where there are three levels only after p < 0.05; Holm's correction over all pairs of one
# task, factor and metric. Contexts follow from the eleven variants: each level is one variant.
# ```

# %%
design.contexts().groupby(["factor", "context"], sort=False).agg(
    levels=("level", ", ".join), variants=("variant", ", ".join)
)

# %% tags=["hide-input"]
alike = seed_clusters.shared_outcomes(
    success_counts.recorded_runs(archive, field=shown)
)
pairing = seed_clusters.correlations_in_words(alike)
glue("alike_input", pairing["input weights"])
glue("alike_both", pairing["both"])

# %% [markdown]
# **Why are runs of one seed not paired here?** Because the paper's tests take all runs as independent, and this page
# repeats its tests. The paper's simulations share no seeds; ours do: two variants with one seed have the same trials,
# noise and input weights. On this field the outcomes of two cells have a correlation within seeds of
# {glue:text}`alike_input` where they share the input weights alone, and of {glue:text}`alike_both` where they share the
# recurrent weights too ([chapter 6](06_ablation.ipynb)). Tests that ignore this are cautious: the variance of a
# difference between pairs is smaller by that share. So they find fewer differences than they could, and show equality
# less often. [Chapter 10](10_controls.ipynb), whose questions are not the paper's, pairs runs by seed, and so do the
# sections on speed, generalisation and sign below.
#
# Do the printed Holm values follow from the printed p values, within the rounding to three digits? And are
# the tables of the three tasks tables of their own?

# %%
same = same_holm(published)
glue("holm_same", int(same.sum()))
glue("holm_all", len(same))
repeated = published[published["copied"]]
glue("n_repeated", len(repeated))
repeated.groupby(["task", "metric"]).size().rename("repeated rows").to_frame()

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`holm_same` of {glue:text}`holm_all` printed Holm values follow. {glue:text}`n_repeated` printed
# rows, listed above, equal those of an earlier task to the last digit. They count neither for nor against and are left
# out of the tables of agreement below.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Different runs would hardly give the same digits. One file may have been read for two tasks.
# ```
#
# ## All metrics
#
# *published*: pairs significant in the paper; of these *replicated*: significant here, same direction;
# *reversed*: significant here, other direction. *new*: significant here only.

# %%
factor_tests.agreement_summary(beside)

# %%
total = factor_tests.agreement_summary(beside, by=["test"]).sum()
for name in ("published", "replicated", "reversed", "new"):
    glue(f"n_{name}", int(total[name]))
glue("n_directions", int(total["directions"]))
glue("n_same_direction", int(total["same_direction"]))
turned = beside[~beside["copied"] & beside["significant"].fillna(False)]
turned = turned[turned["significant_published"].fillna(False)]
turned = turned[turned["same_direction"].eq(False).fillna(False)]
keys = [*turned.columns[:3], "context", "group_1", "group_2"]
turned = turned[[*keys, "p", "p_published", "delta", "delta_published"]]
none = "No pair is significant on both sides in opposite directions."
rows_or(turned.set_index(keys), none)

# %% mystnb={"figure": {"name": "fig-robustness-sizes", "caption": "Cliff's delta here against the published one, for all pairs that the paper tested, three tasks together; vertical lines: 95 % bootstrap intervals of this side. On the diagonal both are the same. W: start, D: distance, C: communicability. Repeated tables of the paper are left out. Where two samples do not overlap, delta is 1 or -1 and its interval has no width."}, "image": {"alt": "Recorded against published effect sizes, one panel per metric."}}
figures.size_against_published(beside)

# %%
sizes = beside[~beside["copied"]].dropna(subset=["delta", "delta_published"])
error = (sizes["delta"] - sizes["delta_published"]).abs()
glue("size_error", error.median())
glue("size_rank", sizes["delta"].corr(sizes["delta_published"], "spearman"))
error.groupby([sizes["factor"], sizes["metric"]]).median().unstack().round(2)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Outside repeated tables, {glue:text}`n_published` pairs are significant in the paper. Of these
# {glue:text}`n_replicated` are significant here in the same direction and {glue:text}`n_reversed` in the other (last
# table); {glue:text}`n_new` are significant here only. {glue:text}`n_same_direction` of {glue:text}`n_directions` known
# directions are the same. Effect sizes differ by {glue:text}`size_error:.2f` in the median (table: by factor and
# metric), and their rank correlation is {glue:text}`size_rank:.2f`.
# ```

# %%
everything = effects.merge(
    published,
    how="left",
    on=["task", "metric", "factor", "context", "test", "group_1", "group_2"],
    suffixes=("", "_published"),
)
download(everything, "effects.csv")

# %%
download(beside, "agreement.csv")

# %% [markdown]
# ## W\* against W!
#
# The paper finds no difference between functional weights and the same weights with neurons relabelled. A
# test that finds nothing shows no equality; two one-sided tests do, within the margins of
# [the rules](../book/rules.md).

# %%
labels = {name: name.replace("W*", "").replace("W!", "") for name in VARIANTS}
named = runs.assign(context=runs["variant"].map(labels))
star = named[named["variant"].isin(["W*D*C", "W*D*C*"])]
relabelled = named[named["variant"].str.startswith("W!")]
permuted = equivalence.equivalence(star, relabelled, by=["context", "task"])
permuted = permuted.assign(row=permuted["context"].radd("with "))

# %% mystnb={"figure": {"name": "fig-robustness-permuted", "caption": "Accuracy from W* less that from W!, under the same penalty, with 95 % intervals (Welch). Band: differences that do not matter. Filled circle: shown to be within it; cross: different; open: neither shown. An interval that reaches the frame goes on."}, "image": {"alt": "Differences in accuracy between functional and relabelled start in three tasks."}}
figures.mean_differences(
    permuted[permuted["metric"] == "accuracy"],
    margin=MARGINS["accuracy"],
    label="accuracy, W* less W!",
)

# %%
verdicts = ["equivalent", "inconclusive", "different"]
counts = permuted.groupby(["metric", "verdict"], sort=False).size()
counts = counts.unstack(fill_value=0).reindex(columns=verdicts, fill_value=0)
for name in verdicts:
    glue(f"permuted_{name}", int(counts[name].sum()))
glue("permuted_accuracy", int(counts.loc["accuracy", "equivalent"]))
glue("n_permuted_accuracy", int(counts.loc["accuracy"].sum()))
counts

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Over five metrics, three tasks and two penalties W\* and W! are equivalent in
# {glue:text}`permuted_equivalent` comparisons, different in {glue:text}`permuted_different`, and
# {glue:text}`permuted_inconclusive` are inconclusive. In accuracy {glue:text}`permuted_accuracy` of
# {glue:text}`n_permuted_accuracy` are equivalent.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Relabelling keeps spectrum, graph and self-connections ([chapter 3](03_priors.ipynb)). It breaks the pairing
# with positions, and under the `published` protocol the positions are themselves mixed up
# ([methods](../book/methods.md)), so there is little pairing to break. Equality, where it is shown, does not
# tell what the pairing would be worth.
# ```

# %%
download(permuted.drop(columns="row"), "start_permuted.csv")

# %% [markdown]
# ## Precision and STTC against correlation
#
# Only the five variants with W\* or W! depend on the relation; the other six are the same runs. Every field with
# runs of another relation is shown.

# %%
arms = {
    (name, relation): select(archive, field=name, relation=relation)
    for name in recorded
    for relation in ("precision", "sttc")
}
others = {key: arm for key, arm in arms.items() if len(arm)}
for relation in ("precision", "sttc"):
    if not len(arms[shown, relation]):
        print(f"No recorded runs of {relation} on field {shown} yet.")

# %%
tables = [
    equivalence.equivalence(arm, free[name]).assign(
        field=name, relation=relation
    )
    for (name, relation), arm in others.items()
]
columns = [
    *permuted.columns.drop(["context", "row"]),
    "field",
    "variant",
    "relation",
]
relations = pd.concat(tables) if tables else pd.DataFrame(columns=columns)
relations["group"] = relations["relation"] + ", " + relations["field"]
relations["row"] = relations["group"] + ": " + relations["variant"]

# %% mystnb={"figure": {"name": "fig-robustness-relations", "caption": "Accuracy with precision, or with STTC alone, less that with correlation, for the variants that depend on the relation, field by field; 95 % intervals (Welch). Band: differences that do not matter. Filled circle: shown to be within it; cross: different; open: neither shown. An interval that reaches the frame goes on."}, "image": {"alt": "Differences in accuracy between relations in three tasks."}}
if len(relations):
    drawn = figures.mean_differences(
        relations[relations["metric"] == "accuracy"],
        margin=MARGINS["accuracy"],
        label="accuracy, less correlation",
    )
else:
    drawn = "Nothing to show: no recorded runs of another relation."
drawn

# %%
keys = ["relation", "field", "metric", "verdict"]
relations.groupby(keys, sort=False).size().unstack(fill_value=0)

# %% [markdown]
# Starts are scaled to a spectral radius of 0.95 whatever they are made of. How much of it goes to self-connections
# depends on the connections between units (`others`: what a unit gets from all of them; means of five seeds).

# %%
available = is_available(shown)
n_neurons = int(runs["n_neurons"].iloc[0])
source = load_field(shown if available else f"surrogate_{n_neurons}")
starts_from = "the real field" if available else "a surrogate of the same size"
glue("starts_from", starts_from)
starts = pd.concat(
    leaky_units.self_connections(source, relation=relation, seeds=range(5))
    for relation in ("correlation", "precision", "sttc")
)
starts = starts.groupby("relation")[["largest_self", "mean_self", "others"]]
starts = starts.mean()
for relation, largest in starts["largest_self"].items():
    glue(f"largest_{relation}", float(largest))
starts

# %%
needed = [leaky_units.needed_self_connection(task) for task in TASKS.values()]
glue("least_needed", min(needed))
glue("most_needed", max(needed))
in_accuracy = relations[relations["metric"] == "accuracy"]
for relation in ("precision", "sttc"):
    cells = in_accuracy[in_accuracy["relation"] == relation]
    glue(f"n_{relation}", len(cells))
    glue(f"different_{relation}", int((cells["verdict"] == "different").sum()))
    glue(
        f"equivalent_{relation}", int((cells["verdict"] == "equivalent").sum())
    )
    glue(f"below_{relation}", int((cells["difference"] < 0).sum()))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Over all fields with runs, accuracy with precision is equivalent to that with correlation in
# {glue:text}`equivalent_precision` of {glue:text}`n_precision` comparisons and different in
# {glue:text}`different_precision`; with STTC alone it is equivalent in {glue:text}`equivalent_sttc` of
# {glue:text}`n_sttc`, different in {glue:text}`different_sttc`, and the lower one in {glue:text}`below_sttc`. In starts
# made from {glue:text}`starts_from` the largest self-connection is {glue:text}`largest_correlation:.2f` with
# correlation, {glue:text}`largest_precision:.2f` with precision and {glue:text}`largest_sttc:.2f` with STTC alone
# (means of five seeds). False discoveries are controlled within each field and relation.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# To hold evidence by itself, a leaky unit needs a self-connection of {glue:text}`least_needed:.2f` to
# {glue:text}`most_needed:.2f` in these tasks ([chapter 10](10_controls.ipynb)). With correlation and precision some
# units have it from the start; STTC alone spreads the same radius over many connections between units. That its
# networks do worse need not speak of what the relations know about cortex.
# ```

# %% [markdown]
# The paper pools all variants of a start. Its pooled tests, and ours:

# %%
both_relations = pd.concat([runs, arms[shown, "precision"]])
pools = pooled.pooled(both_relations, among="relations")
order = ["task", "metric", "among", "delta", "delta_published", "p"]
order += ["p_published", "n_1", "n_2"]
rows_or(
    pools.loc[pools["metric"] == "accuracy", order],
    f"No runs of precision on field {shown}: nothing to compare.",
)

# %%
groups = published_groups()
unrelated = groups[(groups["among"] == "w") & (groups["metric"] == "accuracy")]
glue("n_unrelated", len(unrelated))
glue(
    "n_unrelated_found", int((unrelated["p"] < factor_tests.SIGNIFICANT).sum())
)
glue("largest_unrelated", unrelated["delta"].abs().max())
unrelated[["task", "delta", "p", "mean_1", "mean_2"]]

# %% [markdown]
# ```{admonition} Fact
# :class: fact
# The table above compares, in the paper, accuracies of the arms *correlation* and *precision* for the six
# variants that start orthogonal. No relation enters them. Still {glue:text}`n_unrelated_found` of
# {glue:text}`n_unrelated` tests are significant, with a delta of up to {glue:text}`largest_unrelated:.2f`.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# All simulations of an arm share one draw of trials, and the arms were likely trained on different draws. At
# the level without memory such a draw moves every run alike, and a test over runs takes it for an effect.
# The published tests within w\* and w! carry the same part that is not the relation's. Here all arms share
# one draw.
# ```

# %%
download(relations.drop(columns=["row", "group"]), "relations.csv")

# %% [markdown]
# ## Fields of different size
#
# One comparison for each factor in every field with recorded runs: a functional start instead of an orthogonal
# one, distances of positions instead of those of a grid, communicability instead of none.

# %%
contrasts = {
    "W": ("W*D*C", "WD*C"),
    "D": ("WD*C", "WDC"),
    "C": ("WD*C", "WD*"),
}
fields = pd.concat([free[name] for name in recorded])
across = equivalence.across_fields(fields, contrasts)
across["row"] = across["contrast"] + " " + across["field"]
across["row"] += " (" + across["n_neurons"].astype(str) + ")"
across["group"] = across["contrast"]
if len(recorded) == 1:
    print(f"Only field {shown} has recorded runs yet.")

# %% mystnb={"figure": {"name": "fig-robustness-fields", "caption": "What a factor adds to accuracy in every field with recorded runs, number of neurons in brackets: W, W\\*D\\*C less WD\\*C; D, WD\\*C less WDC; C, WD\\*C less WD\\*. 95 % intervals (Welch), wide where a field has three seeds. Band: differences that do not matter. Filled circle: shown to be within it; cross: different; open: neither shown. An interval that reaches the frame goes on."}, "image": {"alt": "Differences in accuracy due to start, distance and communicability, by field, in three tasks."}}
figures.mean_differences(
    across, margin=MARGINS["accuracy"], label="gain in accuracy"
)

# %% [markdown]
# Do fields order the 33 cells of variant and task alike? Rank correlation of their mean accuracies:

# %%
cells = fields.groupby(["field", "variant", "task"])["accuracy"].mean()
cells = cells.unstack("field")[recorded]
seeds = fields.groupby("field")["seed"].nunique()
cells.corr("spearman").assign(seeds=seeds).round(2)

# %%
sized = pooled.pooled(fields, among="fields")
paper = sized[sized["p_published"].notna()]
order = ["task", "metric", "group_1", "group_2", "delta", "delta_published"]
order += ["p", "p_published", "n_1", "n_2"]
rows_or(
    paper.loc[paper["metric"] == "accuracy", order],
    "Fewer than two of the paper's three fields have recorded runs.",
)

# %%
published_effect = paper["p_published"] < factor_tests.SIGNIFICANT
agreeing = (paper["delta"] * paper["delta_published"] > 0) & published_effect
glue("n_pools", int(published_effect.sum()))
glue("n_pools_agree", int(agreeing.sum()))
clear = published_effect & (paper["p"] < factor_tests.SIGNIFICANT)
glue("n_pools_clear", int((agreeing & clear).sum()))
glue("n_pools_turned", int((~agreeing & clear).sum()))
names = ", ".join(sorted(set(paper.loc[~agreeing & clear, "metric"])))
glue("pools_turned", names.replace("_", " ") or "none")
losses = groups[(groups["among"] == "neuron") & (groups["metric"] == "loss")]
glue("loss_same", bool((losses["mean_1"] == losses["mean_2"]).all()))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Of {glue:text}`n_pools` pooled comparisons of fields that are significant in the paper and have runs here,
# {glue:text}`n_pools_agree` have the same direction, and {glue:text}`n_pools_clear` of them are significant here too;
# {glue:text}`n_pools_turned` are significant here in the other direction ({glue:text}`pools_turned`). The published
# means of the loss are the same for all fields ({glue:text}`loss_same`).
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Equal means of the loss, with a p of 1, may come of one file read for all fields; they say nothing about fields. A
# pool mixes eleven variants whose runs fall into groups; its p value speaks of the mixture. And a larger field is also
# a larger network: the sum in the penalty has $N^2$ terms. What is the animal's and what is the size's a comparison of
# fields cannot separate.
# ```

# %%
download(across.drop(columns=["row", "group"]), "fields_factors.csv")

# %%
download(sized, "fields_pooled.csv")

# %% [markdown]
# ## Do networks with cortical priors learn faster?
#
# The first sentence of the authors' summary says that they *learn faster and generalize better*
# {cite}`cortical_blueprint`. No printed test is about speed. A run has learned in the first epoch whose training
# accuracy passes the level of {term}`learned`.

# %% tags=["hide-input"]
compared = [name for name in PUBLISHED_FIELDS.values() if name in recorded]
both_signs = learning_speed.runs_of_fields(archive, fields=compared or [shown])
times = learning_speed.time_until_learned(both_signs)
speed = learning_speed.speed_effects(times)
speed["row"] = speed["one"] + " / " + speed["two"]
free_speed = speed[speed["sign"] == "free"]
counts = learning_speed.count_outcomes(free_speed)

# %% tags=["hide-input"]
KEYS = ("function", "permuted", "geometry", "wiring", "empirical")
for key, (_, row) in zip(KEYS, counts.iterrows(), strict=True):
    for name, value in row.items():
        glue(f"{key}_{name}", int(value))
glue("speed_fields", ", ".join(compared or [shown]))
permuted_speed = free_speed[free_speed["kind"] == "W! for W*"]
glue("permuted_gain_low", permuted_speed["gain_low"].min())
glue("permuted_gain_high", permuted_speed["gain_high"].max())
found = free_speed[free_speed["p_time"] < factor_tests.SIGNIFICANT]
by_row = found["row"].value_counts()
glue("function_beside_c", int(by_row.get("W*D*C / WD*C", 0)))
glue("function_beside_emd", int(by_row.get("W*D*C* / WD*C*", 0)))
forgot = times["has_learned"] & ~times["kept"]
glue("n_forgot", int(forgot.sum()))
glue("n_has_learned", int(times["has_learned"].sum()))

# %% [markdown]
# **Function: yes, and mostly because they learn at all.** Over fields {glue:text}`speed_fields` and three tasks,
# free weights, W\* learned before W in {glue:text}`function_earlier` of {glue:text}`function_comparisons` comparisons
# and after it in {glue:text}`function_later`. It learned *more often* in {glue:text}`function_more_often`. Of the
# {glue:text}`function_with_both` comparisons in which both of a pair ever learned, it was *faster* there in
# {glue:text}`function_faster`. {glue:text}`function_beside_emd` of the differences are beside C\*, where the
# orthogonal start hardly learns, and {glue:text}`function_beside_c` beside C, where it learns too.

# %% mystnb={"figure": {"name": "fig-speed-gain", "caption": "Epochs that a variant saves against its counterpart (after the slash), of 10: difference of the restricted mean times until learned, 20 pairs of equal seed, free weights. Right of zero: the first one is faster, or learns where the other does not. Blocks: W\\* for W, W! for W\\*, D\\* for D, C for none, C\\* for none. Intervals hold together for all rows, tasks and fields (95 %, largest t over seeds). Filled: zero is excluded. A mark at zero without an interval: no pair differs."}, "image": {"alt": "Epochs saved by each prior in three tasks, one mark per field, with simultaneous intervals."}} tags=["hide-input"]
speed_figures.differences_by_field(
    free_speed, name="gain", label="epochs saved"
)

# %% tags=["hide-input"]
learning_speed.outcomes_in_words(counts)

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# p < 0.05 after Holm's correction, over all comparisons. *Learned before*: log-rank statistic, with a p value from
# exchanging the two runs of a pair (exact). *More often*: McNemar's exact test. *Faster there*: pairs in which both
# learned, by flipping signs (exact). D\* learned before D in {glue:text}`geometry_earlier` of
# {glue:text}`geometry_comparisons` comparisons, C before none in {glue:text}`wiring_earlier` of
# {glue:text}`wiring_comparisons`, C\* in {glue:text}`empirical_earlier` of {glue:text}`empirical_comparisons`. W! was
# before W\* in {glue:text}`permuted_earlier` and after it in {glue:text}`permuted_later` of
# {glue:text}`permuted_comparisons`; intervals of these differences reach from {glue:text}`permuted_gain_low:.1f` to
# {glue:text}`permuted_gain_high:.1f` epochs.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# *What it shows:* within ten epochs priors make more networks learn, each beside a counterpart that mostly does not.
# *What it does not:* that they speed up what both learn, which few comparisons can test; that relabelled neurons learn
# as fast, for which the intervals are too wide; what longer training would bring; time finer than an epoch of 40
# updates; or the cause, since names of factors also change strength and scale of the penalty
# ([chapter 10](10_controls.ipynb)).
# ```

# %% tags=["hide-input"]
curves = learning_speed.speed_by_condition(times)
here = curves[(curves["field"] == (compared or [shown])[0])]
glue("curves_field", (compared or [shown])[0])

# %% mystnb={"figure": {"name": "fig-speed-curves", "caption": "Share of runs that have learned by each epoch (Kaplan-Meier, turned over), first of the fields above, free weights, 20 runs a line. Colours: start; lines: variants of that start. Lines at zero lie on one another."}, "image": {"alt": "Step curves of the share of runs that learned, one panel per task, one line per variant."}} tags=["hide-input"]
speed_figures.shares_learned(here[here["sign"] == "free"])

# %% tags=["hide-input"]
levels = learning_speed.by_level(both_signs[both_signs["sign"] == "free"])
folded(levels, "The same counts with other levels of what counts as learned")

# %% tags=["hide-input"]
positive_speed = speed[speed["sign"] == "positive"]
positive_counts = learning_speed.count_outcomes(positive_speed)
folded(
    learning_speed.outcomes_in_words(positive_counts).reset_index(),
    "The same counts with positive weights, where most W diverge",
)

# %% [markdown]
# ```{admonition} Fact
# :class: fact
# A run that never passes the level is censored after its last epoch. One that diverged counts as never having learned.
# Accuracy of an epoch is the running mean over its updates, so that a run learned somewhat before the epoch says so.
# {glue:text}`n_forgot` of {glue:text}`n_has_learned` runs that passed the level were below it again at the end.
# A log-rank test with a stratum for each seed would respect pairs too. With two runs in a stratum it is the sign test:
# it asks who is first and not by how much. Exchanging the runs of a pair keeps both.
# ```

# %% tags=["hide-input"]
download(speed.drop(columns="row"), "speed_effects.csv")

# %% tags=["hide-input"]
download(curves, "speed_curves.csv")

# %% [markdown]
# ## Do they generalise better?
#
# The natural measure is validation less training accuracy. A {term}`gap` above zero is expected whatever a network makes
# of new trials: training accuracy is a running mean over the last epoch with noise on the inputs, validation comes
# afterwards and without noise.

# %% tags=["hide-input"]
trials = generalisation.new_trials()
gaps = generalisation.with_gap(both_signs)
gap_effects = generalisation.gap_effects(gaps)
at_equal = generalisation.at_equal_accuracy(gaps)
tested = {
    name: table[(table["task"] == "perceptual") & (table["sign"] == "free")]
    for name, table in {"gap": gap_effects, "equal": at_equal}.items()
}

# %% tags=["hide-input"]
for name, table in tested.items():
    summary = generalisation.count_gaps(table).sum()
    glue(f"n_{name}", int(summary["comparisons"]))
    glue(f"{name}_above", int(summary["above"]))
    glue(f"{name}_below", int(summary["below"]))
    glue(f"{name}_small", int(summary["small"]))
glue("largest_equal", float(generalisation.largest_sure(tested["equal"])))
for task, row in trials.iterrows():
    glue(f"patterns_{task}", int(row["patterns"]))
    glue(f"new_{task}", int(row["new"]))
glue("n_validation", int(trials["validation"].iloc[0]))
unlearned = gaps[(gaps["task"] == "perceptual") & ~gaps["has_learned"]]
glue("gap_unlearned", unlearned["gap"].mean())

# %% [markdown]
# **Two of the three tasks cannot tell, and the third shows next to nothing.** One-choice and Go/NoGo have
# {glue:text}`patterns_one_choice` and {glue:text}`patterns_go_nogo` different inputs; of their
# {glue:text}`n_validation` validation trials {glue:text}`new_one_choice` and {glue:text}`new_go_nogo` have one that
# training lacks. In perceptual decision all {glue:text}`new_perceptual` are new. There the gap is larger than that of
# the counterpart in {glue:text}`gap_above` and smaller in {glue:text}`gap_below` of {glue:text}`n_gap` comparisons.
# Between runs of equal training accuracy, validation accuracy is higher in {glue:text}`equal_above` and lower in
# {glue:text}`equal_below` of {glue:text}`n_equal`, by {glue:text}`largest_equal:.4f` at most.

# %% mystnb={"figure": {"name": "fig-validation", "caption": "Validation against training accuracy of every run, free weights, three fields. On the line both are equal. Most runs lie at chance or at the top. Those far above the line were still learning during the last epoch."}, "image": {"alt": "Scatter of validation against training accuracy in three tasks, coloured by start."}} tags=["hide-input"]
speed_figures.validation_against_training(
    both_signs[both_signs["sign"] == "free"]
)

# %% tags=["hide-input"]
generalisation.count_gaps(at_equal[at_equal["sign"] == "free"])

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The table counts comparisons of validation accuracy at equal training accuracy (within 0.01), all tasks, free
# weights: with an interval; surely above zero; surely below; surely within 0.01 of zero. Intervals hold together over
# all comparisons (95 %, largest t over seeds). In perceptual decision {glue:text}`equal_small` of
# {glue:text}`n_equal` are within 0.01.
# ```

# %% tags=["hide-input"]
again = generalisation.with_parts(generalisation.load_without_noise())
has_new = again[again["has_learned"] & again["task"].eq("perceptual")]
of_pairs = generalisation.gap_effects(
    has_new.assign(sign="free", gap=has_new["trials"])
)
glue("n_again", len(again))
glue("again_field", ", ".join(sorted(set(again["field"]))))
glue("again_variants", again["variant"].nunique())
glue("again_seeds", again["seed"].nunique())
glue("n_again_learned", len(has_new))
for part in generalisation.PARTS:
    glue(f"again_{part}", has_new[part].mean())
glue("again_least", has_new["trials"].min())
glue("again_most", has_new["trials"].max())
glue("again_pairs", generalisation.effects_in_words(of_pairs))

# %% [markdown]
# **How much of the gap is about new trials?** {glue:text}`n_again` runs of field {glue:text}`again_field`
# ({glue:text}`again_variants` variants, {glue:text}`again_seeds` seeds, three tasks) were trained again. After training
# they were evaluated on their own training trials, with noise on the inputs and without. Of the
# {glue:text}`n_again_learned` that learned the perceptual decision, the mean gap is {glue:text}`again_gap:.4f`. The last
# epoch adds {glue:text}`again_last_epoch:.4f` to it and the noise {glue:text}`again_noise:.4f`. The rest,
# {glue:text}`again_trials:.4f` ({glue:text}`again_least:.4f` to {glue:text}`again_most:.4f`), is new trials against those
# of training. It is above zero with every variant: new trials are answered no worse, and those of this draw are a little
# easier. Whether a prior helps shows in pairs of equal seed that have both learned: {glue:text}`again_pairs`.

# %% tags=["hide-input"]
parts_text = generalisation.parts_as_text(again)
folded(parts_text, "The gap and its three parts, mean and range over runs")

# %% tags=["hide-input"]
download(again, "training_without_noise.csv")

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# *What it shows:* a network that has learned more validates better; one that has learned as much validates about as
# well, with whatever priors. *What it does not:* generalisation to trials unlike those of training, of which these
# tasks have none. In one-choice and Go/NoGo a gap is about noise and about learning during the last epoch. At chance
# it is about the draw of trials: a network that always gives one answer is right as often as that answer occurs, and
# runs that did not learn the perceptual decision have a mean gap of {glue:text}`gap_unlearned:.4f`. Pairs of equal
# accuracy are a selection.
# ```

# %% tags=["hide-input"]
gap_table = generalisation.gaps_by_condition(gaps)
download(gap_table, "gaps.csv")

# %% tags=["hide-input"]
download(gap_effects, "gap_effects.csv")

# %% tags=["hide-input"]
download(at_equal, "validation_at_equal_accuracy.csv")

# %% [markdown]
# ### Do validation metrics tell another story?
#
# Tables S5 to S7 leave them out. The authors' notebooks print one test of them: Kruskal-Wallis of each factor over all
# runs, whatever the other two factors. Here and there:

# %% tags=["hide-input"]
pooled_tests = factor_tests.omnibus(runs, published_table("omnibus_6_6_2"))
glue("n_omnibus", int(pooled_tests["same"].notna().sum()))
glue("n_omnibus_same", int(pooled_tests["same"].sum()))
is_validation = pooled_tests["metric"].str.startswith("validation")
on_validation = pooled_tests[is_validation]
glue("n_validation_tests", int(on_validation["same"].notna().sum()))
glue("n_validation_same", int(on_validation["same"].sum()))
on_validation.pivot(index=["task", "metric"], columns="factor", values="p")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# {glue:text}`n_validation_same` of {glue:text}`n_validation_tests` tests of validation metrics come to the same verdict
# on both sides, and {glue:text}`n_omnibus_same` of {glue:text}`n_omnibus` of all metrics. Table: p on this page.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# *What it shows:* validation metrics follow those of training. *What it does not:* effects of single factors, since
# pools of levels differ in the other factors too.
# ```

# %% tags=["hide-input"]
validated = factor_tests.factor_effects(
    runs, metrics=("validation_accuracy", "validation_loss")
)
download(validated, "effects_validation.csv")

# %% tags=["hide-input"]
download(pooled_tests, "omnibus.csv")

# %% [markdown]
# ## What does it cost to keep weights positive?

# %% tags=["hide-input"]
topology = ("entropy", "modularity", "small_worldness", "assortativity")
signs = sign_constraint.sign_by_variant(
    both_signs, metrics=("accuracy", "validation_accuracy", *topology)
)
paired_signs = signs[(signs["metric"] == "accuracy") & signs["diverged"].eq(0)]
paired_signs = paired_signs.assign(row=paired_signs["variant"])
beside_paper = sign_constraint.beside_published(signs)
by_start = sign_constraint.sign_by_start(
    both_signs[both_signs["field"] == (compared or [shown])[0]]
)
found_signs = sign_constraint.count_by_start(by_start)

# %% tags=["hide-input"]
sums = sign_constraint.in_numbers(signs, beside_paper)
for name, value in sums.items():
    glue(f"sign_{name}", value)
glue("sign_sure", sign_constraint.sure_in_words(sums))

# %% [markdown]
# **No accuracy that could be seen, where training works at all.** {glue:text}`sign_lost` of
# {glue:text}`sign_orthogonal` positive runs that start orthogonal diverge, and {glue:text}`sign_others_lost` of
# {glue:text}`sign_others` that start from W\* or W!. Among the latter, {glue:text}`sign_sure`.

# %% mystnb={"figure": {"name": "fig-sign", "caption": "Accuracy with positive weights less that with free ones, runs of equal seed, for the variants that do not diverge. Intervals hold together for all rows, tasks and fields (95 %, largest t over seeds). Filled: zero is excluded. No interval: no pair differs. Wide intervals come of one or two seeds that learn with one sign only."}, "image": {"alt": "Differences in accuracy between signs in three tasks, one mark per field."}} tags=["hide-input"]
sign_figure = remark("No runs with positive weights yet.")
if len(paired_signs):
    sign_figure = speed_figures.differences_by_field(
        paired_signs,
        name="difference",
        label="accuracy, positive less free",
    )
sign_figure

# %% tags=["hide-input"]
rows_or(found_signs, "No runs with positive weights yet.")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# Table, first of the fields: Cliff's delta within a start, mean over three tasks, variants pooled as in the authors'
# notebooks, above zero where positive is higher; in brackets in how many tasks p < 0.05 (Kruskal-Wallis, Holm over the
# table). Beside the paper: {glue:text}`sign_inside` of {glue:text}`sign_published` differences lie within the
# published interval (Table 3 less Table 2, five metrics, Welch), which leaves out the scatter of ours: with equal
# scatter on both sides about five of six would.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# *What it shows:* positive weights cost networks that start from W\* or W! no accuracy that could be seen, and change
# their topology. *What it does not:* that positive weights need cortex. An orthogonal start is cut to a matrix of
# spectral radius about 7 and overflows at once, so that its runs say nothing of learning
# ([chapter 7](07_positive.ipynb)). The authors' notebooks have a test of the sign too; its printed values are not
# numbers, so that only means can be compared. Before that test they scale the losses of each sign separately, which
# would hide a difference between them.
# ```

# %% tags=["hide-input"]
download(signs, "sign_by_variant.csv")

# %% tags=["hide-input"]
download(by_start, "sign_by_start.csv")

# %% tags=["hide-input"]
download(beside_paper, "sign_published.csv")

# %% [markdown]
# ## Do the metrics depend on one another as in the paper?
#
# The authors correlate the ranks of eight metrics over the 20 simulations of one cell, W\*D\*C in one-choice on field
# 6_6_2, the only single runs that they print. Here the same cell stands beside it.

# %% tags=["hide-input"]
printed = published_table("runs_6_6_2")
printed = printed.pivot(index="simulation", columns="metric", values="value")
cell = select(archive, field="6_6_2")
is_cell = (cell["variant"] == "W*D*C") & (cell["task"] == "one_choice")
dependence = rank_correlations.metric_dependence(cell[is_cell], printed)
glue("n_dependence", int(dependence["p"].notna().sum()))
glue("n_differ", int((dependence["p"] < factor_tests.SIGNIFICANT).sum()))
apart = (dependence["correlation"] - dependence["published"]).abs()
glue("largest_apart", apart.max())
glue("detectable", dependence["detectable"].max())

# %% [markdown]
# **Nothing differs, and little could.** {glue:text}`n_differ` of {glue:text}`n_dependence` rank correlations differ;
# the largest difference is {glue:text}`largest_apart:.2f`. With so few runs, one below {glue:text}`detectable:.2f`
# cannot be told from chance.

# %% mystnb={"figure": {"name": "fig-dependence", "caption": "Spearman correlations of eight metrics over the runs of W\\*D\\*C in one-choice, field 6_6_2: 20 published simulations above the diagonal, the runs of this book below. Where both sides agree, the matrix is symmetric."}, "image": {"alt": "Matrix of rank correlations of eight metrics, published above and recorded below the diagonal."}} tags=["hide-input"]
dependence_figure = remark("Fewer than three runs of that cell yet.")
if len(dependence):
    dependence_figure = speed_figures.dependence_matrix(dependence)
dependence_figure

# %% [markdown]
# ```{admonition} Interpretation
# :class: interpretation
# *What it shows:* on both sides accuracy, loss and their validation values are close to one measure. *What it does
# not:* whether topology goes with accuracy, for which one cell of 20 runs is too small, most of them at an accuracy of
# 1 ([chapter 8](08_topology.ipynb) takes all cells); or dependence that is not monotonic. The authors look for the
# latter by mutual information, which so few runs do not settle; it is not repeated here.
# ```

# %% tags=["hide-input"]
download(dependence, "dependence.csv")

# %% [markdown]
# ## One model of the whole design
#
# The paper also gives a three-way analysis of variance: ranks by start, distance, communicability and all
# their interactions, type-II sums of squares. It is a natural choice, and the software gives a table without
# an error. The design does not support it, though. A variant without distance or communicability has a
# missing level and drops out, and of the 12 combinations of the rest only 8 exist.

# %%
task_runs = runs[runs["task"] == runs["task"].iloc[0]]
glue("anova_task", str(task_runs["task"].iloc[0]))
starts = ("w", "w!", "w*")
enough = task_runs.groupby("variant").size().min() > 1
if not enough:
    print("One run a variant: no analysis of variance.")
tables = {}
for start in starts if enough else ():
    tables[start], rank, columns = linear_model.rank_anova(
        task_runs, reference=start
    )
if enough:
    print(f"rank {rank}, {columns} columns")
anova = {name: table["F"] for name, table in tables.items()}
anova = pd.DataFrame(anova).drop(index="Residual", errors="ignore")
anova.rename_axis(columns="F with reference")

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# The same runs, the same model, accuracy in {glue:text}`anova_task`; only the level of W that the others are coded
# against changes. An F that the data determine would not notice.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where an F is 1e-13, or negative, its constraints have rank zero and it is rounding. The tables stored in the authors'
# notebooks {cite}`cortical_blueprint` have such values for W.
# ```
#
# A model that the design does support has additive main effects only, *none* being a level like any other:
# seven parameters for eleven cells. The four degrees of freedom left over test whether effects add up.
# Covariance is robust (HC3), since cells scatter very unequally.

# %%
tests, estimates = linear_model.additive_models(runs)
remarks = tests.loc[tests["remark"] != "", "remark"].unique()
print("\n".join(remarks) or "All metrics and tasks have a model.")
fitted = tests[tests["remark"] == ""]
p_values = fitted.pivot(index=["metric", "task"], columns="term", values="p")
p_values

# %%
estimates[estimates["metric"] == "accuracy"]

# %%
lack = fitted[fitted["term"] == "lack of fit"]
glue("n_models", len(lack))
glue("n_lack", int((lack["p"] < factor_tests.SIGNIFICANT).sum()))

# %% [markdown]
# ```{admonition} Measurement
# :class: measurement
# In {glue:text}`n_lack` of {glue:text}`n_models` models the lack of fit is significant: there the factors do
# not add up.
# ```
#
# ```{admonition} Interpretation
# :class: interpretation
# Where effects do not add up, *the* effect of a factor does not exist; it depends on what it is combined
# with, and the comparisons within contexts above are the ones to read. Cells whose runs all end alike have
# almost no scatter, and against those a small misfit is significant.
# ```

# %%
download(tests, "additive_tests.csv")

# %%
download(estimates, "additive_estimates.csv")

# %%
assert len(same) == int(same.sum()), "a printed Holm value does not follow"
assert set(beside["metric"]) == set(published["metric"])
assert not whole.duplicated(["task", "context", "group_1", "group_2"]).any()
assert counts["comparisons"].sum() == len(free_speed)
assert (has_new["trials"] > 0).all()
assert trials.loc[["one_choice", "go_nogo"], "new"].eq(0).all()
assert trials.loc["perceptual", "new"] == trials.loc["perceptual", "validation"]

# %% [markdown]
# ## Summary
#
# - The tests of single factors are repeated in the contexts in which they were made, pooled tests where there are
#   runs; each stands beside the printed one with its size.
# - Equality is claimed only where equivalence tests show it.
# - Networks with priors learn within ten epochs more often; that they learn faster where both learn, or generalise
#   better, is hardly testable in these tasks.
# - The additive model, and its lack of fit, take the place of an analysis of variance that the incomplete
#   design cannot carry.
#
# **What's next.** [The rules of the replication](../book/rules.md);
# [run it yourself](../book/run.md), on this or another field.
#
# **References.** Claims and tables: {cite:t}`shakiba2026`, with their code {cite}`cortical_blueprint`.
