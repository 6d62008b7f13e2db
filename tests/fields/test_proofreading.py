"""Connectomes of which not every axon was followed."""

from __future__ import annotations

import numpy as np
import pytest

from cortexrnn.fields import proofreading
from cortexrnn.networks import sensitivity
from cortexrnn.networks.communicability import empirical_communicability

COUNTS = np.random.default_rng(0).poisson(0.3, (30, 30))


def test_sending_and_receiving_have_one_mean() -> None:
    table = proofreading.describe(COUNTS)
    assert table.loc["sends", "mean partners"] == table.loc["receives", "mean partners"]
    counts = np.zeros((4, 4), int)
    counts[0, 1:] = 1
    shares = proofreading.describe(counts)["without partner"]
    assert shares.to_dict() == {"sends": 0.75, "receives": 0.25}


def test_a_neuron_is_no_partner_of_itself() -> None:
    table = proofreading.describe(COUNTS + np.eye(len(COUNTS), dtype=int))
    assert table.equals(proofreading.describe(COUNTS * (1 - np.eye(len(COUNTS), dtype=int))))
    with pytest.raises(ValueError, match="between two neurons"):
        proofreading.describe(np.eye(4, dtype=int))


def test_an_axon_loses_all_or_nothing() -> None:
    left = proofreading.dropped(COUNTS, 0.5, rng=np.random.default_rng(1))
    senders = np.flatnonzero(COUNTS.sum(axis=1))
    kept = [i for i in senders if np.array_equal(left[i], COUNTS[i])]
    lost = [i for i in senders if not left[i].any()]
    assert len(kept) + len(lost) == len(senders)
    assert len(lost) == round(0.5 * len(senders))
    assert not proofreading.dropped(COUNTS, 1, rng=np.random.default_rng(1)).any()


def test_the_callers_connectome_is_left_alone() -> None:
    before = COUNTS.copy()
    sensitivity.simulate_missing_axons(COUNTS, shares=[0.5], draws=1)
    assert np.array_equal(COUNTS, before)


def test_larger_shares_take_more_within_a_draw() -> None:
    table = sensitivity.simulate_missing_axons(COUNTS, shares=[0, 0.3, 0.6, 0.9], draws=4, seed=3)
    for _, draw in table.groupby("draw"):
        assert draw["density"].is_monotonic_decreasing
        assert draw["silent"].is_monotonic_increasing
    whole = table[table["share"] == 0]
    assert whole["mean"].to_numpy() == pytest.approx(empirical_communicability(COUNTS).mean())


def test_the_first_lost_axon_lifts_communicability_by_orders_of_magnitude() -> None:
    assert COUNTS.sum(axis=1).all()
    table = sensitivity.simulate_missing_axons(COUNTS, shares=[0, 0.1]).groupby("share").mean()
    assert table.loc[0.1, "mean"] > 1e3 * table.loc[0, "mean"]
    assert table.loc[0.1, "mean_senders"] < 10 * table.loc[0, "mean_senders"]


@pytest.mark.parametrize(
    "counts", [np.zeros((3, 3)), -np.eye(3), np.ones((2, 3)), np.eye(3) * np.nan]
)
def test_what_is_no_connectome_is_refused(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="connectome"):
        proofreading.describe(counts)


@pytest.mark.parametrize("share", [0.9, 0.999])
def test_below_a_share_of_one_a_neuron_keeps_its_outputs(share: float) -> None:
    for seed in range(5):
        left = proofreading.dropped(COUNTS, share, rng=np.random.default_rng(seed))
        assert left.sum(axis=1).any()
