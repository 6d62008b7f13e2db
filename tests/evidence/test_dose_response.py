"""The number of strong self-connections: predicted shares, and how runs are held against them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from cortexrnn.evidence.dose_response import (
    ACCOUNTS,
    CUES,
    compare_accounts,
    compare_with_accounts,
    dose_response,
    predicted_share,
)
from cortexrnn.evidence.intervals import share_interval
from cortexrnn.evidence.units import CUE_CHANNELS
from cortexrnn.networks.tasks import PROBLEMS, TASKS
from cortexrnn.runs.controls import AT_DOSE, DOSES

FIELDS = ("5_3_4", "6_6_2")


def archive(share, *, seeds=20, fields=FIELDS, keep=lambda start, count: True):
    """Runs of the experiment of which that share learned, the lowest seeds."""
    rows = []
    for (start, count), control in AT_DOSE.items():
        for field, task, seed in itertools.product(fields, TASKS, range(seeds)):
            if keep(start, count):
                learned = seed < round(seeds * share(task, count))
                rows.append(
                    {"label": control.name, "field": field, "field_hash": field, "task": task,
                     "seed": seed, "accuracy": 0.9 if learned else 0.5,
                     "identity": f"{control.name} {field} {task} {seed}"}
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_predicted_shares_are_those_of_drawn_input_weights(task, count):
    weights = np.random.default_rng(0).uniform(-1, 1, (40_000, count, CUES[task]))
    excited = (weights > 0).any(-1)
    prefers = np.stack([(weights.argmax(-1) == cue) & excited for cue in range(CUES[task])])
    some = prefers.any(-1)
    contested = {tuple(sorted((a, b))) for a, offer, one in PROBLEMS for b, other, two in PROBLEMS
                 if a != b and set(offer) == set(other) and one != two}  # fmt: skip
    pairs = contested if task == "one_choice" else {(0, 1)}
    two = np.any([some[a] & some[b] for a, b in pairs], axis=0)
    for account, able in zip(ACCOUNTS, (excited.any(-1), two), strict=True):
        assert predicted_share(task, count, needed=account) == pytest.approx(able.mean(), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("chess", 1), "task"), (("go_nogo", -1), "count"), (("go_nogo", 1.5), "count")],
)
def test_what_cannot_be_predicted_is_refused(arguments, what):
    with pytest.raises(ValueError, match=what):
        predicted_share(*arguments)
    with pytest.raises(ValueError, match="needed"):
        predicted_share("go_nogo", 1, needed="three units")


def test_cues_are_the_channels_that_say_what_to_remember():
    for name, task in TASKS.items():
        named = [channel.split()[0] for channel in task.channel_names]
        of_cues = [i for i, word in enumerate(named) if word in ("goal", "evidence", "NoGo", "Go")]
        assert CUE_CHANNELS[name] == tuple(of_cues)
        assert CUES[name] == len(of_cues)


def test_without_runs_there_are_no_rows():
    empty = archive(lambda task, count: 1.0).iloc[:0]
    table = dose_response(empty, fields=FIELDS)
    assert table.empty
    assert compare_with_accounts(table).empty
    assert compare_accounts(table).empty


def test_runs_are_counted_beside_what_was_predicted():
    table = dose_response(archive(lambda task, count: 0.5 if count else 0.1), fields=FIELDS)
    assert len(table) == 2 * len(DOSES) * len(TASKS) * len(FIELDS)
    row = table.set_index(["start", "count", "task", "field"]).loc["W*", 2, "go_nogo", "6_6_2"]
    assert (row["runs"], row["learned"], row["share"]) == (20, 10, 0.5)
    assert (row["low"], row["high"]) == share_interval(10, 20)
    assert row["one unit"] == predicted_share("go_nogo", 2)
    assert row["two units"] == predicted_share("go_nogo", 2, needed="two units")
    half = dose_response(
        archive(lambda task, count: 0.5, keep=lambda start, count: start == "W*" and count < 2),
        fields=FIELDS,
    )
    assert set(half["start"]) == {"W*"} and set(half["count"]) == {0, 1}


def test_cells_outside_are_found_and_no_others():
    def share(task, count):
        return 0.2 if (task, count) == ("go_nogo", 4) else predicted_share(task, count)

    table = dose_response(archive(share), fields=FIELDS)
    found = compare_with_accounts(table)
    one = found[found["account"] == "one unit"]
    wrong = (one["task"] == "go_nogo") & (one["count"] == 4)
    assert (one["outside"] == np.where(wrong, "fewer", "")).all()
    assert (one["p_holm"] >= one["p"]).all()
    row = one[wrong].iloc[0]
    assert row["p"] == binomtest(4, 20, predicted_share("go_nogo", 4)).pvalue
    assert row["p_holm"] == pytest.approx(len(one) * row["p"], rel=1e-9)  # of four alike the first
    two = found[found["account"] == "two units"]
    assert (two[(two["count"] == 1)]["outside"] == "more").all()  # none is predicted


def test_the_account_that_made_the_runs_is_the_likelier_one():
    for account, other in (ACCOUNTS, ACCOUNTS[::-1]):
        runs = archive(
            lambda task, count, account=account: predicted_share(task, count, needed=account)
        )
        weighed = compare_accounts(dose_response(runs, fields=FIELDS)).set_index("start")
        assert list(weighed.index) == ["W*", "orthogonal", "both"]
        better = weighed[f"log likelihood of {account}"] - weighed[f"log likelihood of {other}"]
        assert (better > 10).all()
        assert (np.sign(weighed["difference"]) == (1 if account == "one unit" else -1)).all()
    assert weighed.loc["both", "runs"] == weighed.loc[["W*", "orthogonal"], "runs"].sum()


def test_the_lapse_is_the_share_of_runs_that_do_what_they_should_not():
    # Without strong units none can learn, so that runs that do are lapses.
    runs = archive(lambda task, count: 0.2, keep=lambda start, count: count == 0)
    weighed = compare_accounts(dose_response(runs, fields=FIELDS)).set_index("start")
    assert weighed.loc["W*", "lapse of one unit"] == pytest.approx(0.2, abs=1e-4)
    expected = 6 * binom.logpmf(4, 20, 0.2)
    assert weighed.loc["W*", "log likelihood of one unit"] == pytest.approx(expected, abs=1e-6)
