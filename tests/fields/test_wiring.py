"""Who is connected with whom, and how far apart they are."""

import numpy as np
import pytest

from cortexrnn.fields.wiring import connections, nearness

DISTANCE = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])


def test_synapse_of_a_neuron_with_itself_connects_no_pair() -> None:
    counts = np.array([[5, 2, 0], [0, 1, 0], [0, 0, 0]])
    assert connections(counts).tolist() == [[False, True, False]] + 2 * [[False] * 3]


def test_distance_of_connected_neurons_leaves_out_what_is_no_pair() -> None:
    counts = np.array([[9, 1, 0], [0, 0, 0], [1, 0, 0]])
    table = nearness(DISTANCE, {"own": counts, "none": np.eye(3)})
    assert list(table.index) == ["own"]  # nobody is connected in the other
    mean, z = table.loc["own"]
    assert mean == 2.0
    apart = np.array([1, 3, 2, 1, 3, 2])
    assert z == pytest.approx((2.0 - apart.mean()) / (apart.std() / np.sqrt(2)))


def test_equal_distances_have_no_z() -> None:
    table = nearness(1.0 - np.eye(3), {"own": np.ones((3, 3), int)})
    assert np.isnan(table.loc["own", "z against all pairs"])
