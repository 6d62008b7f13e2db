"""Events to counts to relations: definitions, published values, refusals."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexrnn.fields import relations
from cortexrnn.fields.sources.published import load_published

WITH_EVENTS = ("5_3_8", "5_3_4", "5_6_8", "6_6_8", "4_7_2")

# Times and windows in sixty-fourths of a second are exact in binary, so a brute-force count meets
# no rounding at the edge of a window.
TICK = 1 / 64
trains = st.lists(st.integers(0, 120), min_size=1, max_size=12).map(
    lambda ticks: np.sort(ticks) * TICK
)
fields = st.lists(trains, min_size=2, max_size=5)
windows = st.integers(1, 40).map(lambda ticks: ticks * TICK)


def tiling_by_hand(a: np.ndarray, b: np.ndarray, window: float, stop: float) -> float:
    """Spike time tiling coefficient of two trains, one event and one interval at a time."""

    def covered(train: np.ndarray) -> float:
        total, reached = 0.0, 0.0
        for time in train:
            start, end = max(time - window, reached), min(time + window, stop)
            total, reached = total + max(end - start, 0.0), max(reached, end)
        return total / stop

    def near(train: np.ndarray, other: np.ndarray) -> float:
        return float(np.mean([any(abs(t - u) <= window for u in other) for t in train]))

    def term(share: float, tiles: float) -> float:
        return 1.0 if share * tiles == 1 else (share - tiles) / (1 - share * tiles)

    return (term(near(a, b), covered(b)) + term(near(b, a), covered(a))) / 2


@settings(max_examples=100, deadline=None)
@given(events=fields, window=windows)
def test_sttc_is_the_definition(events: list[np.ndarray], window: float) -> None:
    stop = max(train[-1] for train in events) + 0.1
    coefficients = relations.sttc(events, window_s=window)
    for i, a in enumerate(events):
        for j, b in enumerate(events):
            by_hand = 1.0 if i == j else tiling_by_hand(a, b, window, stop)
            assert coefficients[i, j] == pytest.approx(by_hand, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(events=fields, window=windows, data=st.data())
def test_sttc_is_symmetric_bounded_and_follows_the_neurons(
    events: list[np.ndarray], window: float, data: st.DataObject
) -> None:
    coefficients = relations.sttc(events, window_s=window)
    assert np.array_equal(coefficients, coefficients.T)
    assert np.array_equal(coefficients.diagonal(), np.ones(len(events)))
    assert np.abs(coefficients).max() <= 1
    order = data.draw(st.permutations(range(len(events))))
    shuffled = relations.sttc([events[k] for k in order], window_s=window)
    assert np.array_equal(shuffled, coefficients[np.ix_(order, order)])


def test_sttc_of_known_pairs() -> None:
    a = np.array([1.0, 2.0, 3.0])
    same, apart = (
        relations.sttc([a, a], duration_s=4.0),
        relations.sttc([a, a + 0.5], duration_s=4.0),
    )
    assert same[0, 1] == pytest.approx(1)
    # Six tenths of four seconds are covered by either train and nothing coincides.
    assert apart[0, 1] == pytest.approx(-0.15)
    assert relations.sttc([[0.0], [0.5]], window_s=1.0, duration_s=1.0)[0, 1] == 1


def test_sttc_counts_events_exactly_one_window_apart() -> None:
    coefficients = relations.sttc([[1.0], [1.25]], window_s=0.25, duration_s=4.0)
    assert coefficients[0, 1] == pytest.approx((1 - 0.125) / (1 - 0.125))
    assert relations.sttc([[1.0], [1.2501]], window_s=0.25, duration_s=4.0)[0, 1] < 0


@settings(max_examples=50, deadline=None)
@given(events=fields, width=st.integers(1, 20).map(lambda ticks: ticks * TICK))
def test_counts_are_histograms(events: list[np.ndarray], width: float) -> None:
    stop = max(train[-1] for train in events) + 0.1
    edges = np.arange(0.0, stop, width)
    if len(edges) < 2:
        with pytest.raises(ValueError, match="holds no bin"):
            relations.bin_events(events, bin_s=width)
        return
    counts = relations.bin_events(events, bin_s=width)
    assert counts.dtype == np.float64
    for row, train in zip(counts, events, strict=True):
        assert np.array_equal(row, np.histogram(train, edges)[0])


def test_a_duration_sets_the_number_of_bins() -> None:
    counts = relations.bin_events([[0.1, 0.5], []], bin_s=0.25, duration_s=2.1)
    assert counts.tolist() == [[1, 0, 1, 0, 0, 0, 0, 0], [0] * 8]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), whole=st.booleans(), data=st.data())
def test_correlation_is_pearsons(seed: int, whole: bool, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(1.0, (5, 60)).astype(float) if whole else rng.normal(1e4, 1, (5, 60))
    coefficients = relations.correlation(counts)
    assert np.abs(coefficients - np.corrcoef(counts)).max() < 1e-10
    assert np.array_equal(coefficients, coefficients.T)
    assert np.array_equal(coefficients.diagonal(), np.ones(5))
    assert np.abs(coefficients).max() <= 1
    if whole:
        order = data.draw(st.permutations(range(5)))
        assert np.array_equal(
            relations.correlation(counts[order]), coefficients[np.ix_(order, order)]
        )


def test_sttc_is_elephants() -> None:
    neo = pytest.importorskip("neo", reason="elephant is not installed")
    quantities = pytest.importorskip("quantities", reason="elephant is not installed")
    elephant = pytest.importorskip("elephant.spike_train_correlation", reason="not installed")
    rng = np.random.default_rng(4)
    # On the frame grid and short: elephant compares times with a relative tolerance of 1e-5 on top
    # of the window, which on this grid reaches the next frame only after an hour and a half.
    events = [
        np.sort(rng.choice(np.arange(1, 1200), k, replace=False)) / 6.3009 for k in (9, 80, 300)
    ]
    stop = 195.0
    coefficients = relations.sttc(events, duration_s=stop)
    trains = [neo.SpikeTrain(train, units="s", t_stop=stop) for train in events]
    for i, a in enumerate(trains):
        for j, b in enumerate(trains):
            other = elephant.spike_time_tiling_coefficient(a, b, dt=0.1 * quantities.s)
            assert coefficients[i, j] == pytest.approx(other, abs=1e-12)


def test_every_published_setting_is_a_default_and_a_parameter() -> None:
    def defaults(relation: Callable) -> dict[str, Any]:
        named = inspect.signature(relation).parameters.values()
        return {item.name: item.default for item in named if item.kind is item.KEYWORD_ONLY}

    assert defaults(relations.bin_events) == {"bin_s": 0.2, "duration_s": None}
    assert defaults(relations.sttc) == {"window_s": 0.1, "duration_s": None}
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn is not installed")
    theirs = inspect.signature(covariance.GraphicalLassoCV).parameters
    ours = defaults(relations.precision)
    assert ours.pop("cv") == 5  # where scikit-learn says None and means five
    assert ours == {name: theirs[name].default for name in ours}
    assert {name for name in theirs if name not in ours} <= {"cv", "eps", "verbose"}


def test_precision_hands_every_setting_on(monkeypatch: pytest.MonkeyPatch) -> None:
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn is not installed")
    made = []

    class Recorded(covariance.GraphicalLassoCV):
        def fit(self, counts: np.ndarray, y: None = None) -> Any:
            made.append(self)
            return super().fit(counts)

    monkeypatch.setattr(covariance, "GraphicalLassoCV", Recorded)
    counts = np.random.default_rng(1).poisson(1.0, (4, 300)).astype(float)
    settings: dict[str, Any] = {
        "alphas": [0.02, 0.3],
        "n_refinements": 2,
        "cv": 3,
        "tol": 1e-3,
        "enet_tol": 1e-3,
        "max_iter": 50,
        "mode": "lars",
        "assume_centered": True,
        "n_jobs": 1,
    }
    estimate = relations.precision(counts, **settings)
    assert {name: made[0].get_params()[name] for name in settings} == settings
    assert np.array_equal(estimate, (made[0].precision_ + made[0].precision_.T) / 2)


def maxima_by_hand(trace: list[int], threshold: float) -> list[int]:
    """Frames of local maxima, one frame at a time."""
    frames = []
    for k in range(1, len(trace) - 1):
        after = k
        while after < len(trace) and trace[after] == trace[k]:
            after += 1
        rises = trace[k - 1] < trace[k]
        falls = after < len(trace) and trace[after] < trace[k]
        if rises and falls and trace[k] > threshold:
            frames.append(k)
    return frames


@settings(max_examples=200, deadline=None)
@given(
    trace=st.lists(st.integers(-1, 4), min_size=3, max_size=25),
    threshold=st.integers(0, 3),
)
def test_events_are_local_maxima_above_the_threshold(trace: list[int], threshold: int) -> None:
    (times,) = relations.trace_events([trace], frame_rate_hz=8.0, threshold=threshold)
    assert (times * 8).tolist() == maxima_by_hand(trace, threshold)
    assert (np.diff(times) >= 2 / 8).all()


def test_a_plateau_counts_once_at_its_first_frame_and_only_if_it_falls() -> None:
    traces = [[0, 3, 3, 3, 1, 0, 0], [0, 2, 2, 5, 5, 5, 5], [4, 1, 0, 0, 0, 1, 4]]
    events = relations.trace_events(traces, frame_rate_hz=1.0)
    assert [train.tolist() for train in events] == [[1.0], [], []]


def test_event_times_are_frames_over_the_frame_rate() -> None:
    trace = np.zeros(40_000)
    trace[[2, 4, 39_998]] = 1.0
    (times,) = relations.trace_events([trace], frame_rate_hz=6.3009)
    assert times.tolist() == [2 / 6.3009, 4 / 6.3009, 39_998 / 6.3009]


def test_redeconvolution_finds_the_events_of_a_made_up_trace() -> None:
    pytest.importorskip("oasis", reason="the extra cortexrnn[microns] is not installed")
    rng = np.random.default_rng(0)
    frames = np.arange(20, 1500, 60)
    events = np.zeros(1500)
    events[frames] = 1.0
    decay = np.exp(-np.arange(60) / 6)
    rise_and_decay = decay - np.exp(-np.arange(60) / 1.5)
    for order, kernel in ((1, decay), (2, rise_and_decay)):
        calcium = np.convolve(events, kernel)[:1500]
        noisy = calcium / calcium.max() - 0.5 + 0.02 * rng.normal(size=1500)
        activity = relations.redeconvolve([noisy, 2 * noisy], order=order)
        assert activity.shape == (2, 1500) and (activity >= 0).all()
        assert np.allclose(activity[1], 2 * activity[0], atol=1e-2)
        (times,) = relations.trace_events(activity[:1], frame_rate_hz=1.0, threshold=0.2)
        assert len(times) == len(frames)
        assert np.abs(times - frames).max() <= 1
        other = relations.redeconvolve([noisy], order=3 - order)
        assert np.abs(other - activity[:1]).max() > 0.05  # one has a rise and the other has none


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        ([1.0, 2.0, 3.0], r"shape \(3,\)"),
        ([[1.0, 2.0]], "three frames"),
        ([[0.0, 1.0, 0.0], [0.0, np.nan, 0.0]], "neuron 1 is nan in frame 1"),
    ],
)
def test_traces_that_cannot_be_are_refused(traces: list, message: str) -> None:
    with pytest.raises(ValueError, match="traces .*" + message):
        relations.trace_events(traces, frame_rate_hz=6.3)
    with pytest.raises(ValueError, match="fluorescence .*" + message):
        relations.redeconvolve(traces)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf])
def test_frame_rates_that_are_not_positive_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="frame_rate_hz is"):
        relations.trace_events([[0.0, 1.0, 0.0]], frame_rate_hz=value)


def test_settings_of_traces_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold is -1"):
        relations.trace_events([[0.0, 1.0, 0.0]], frame_rate_hz=1.0, threshold=-1)
    with pytest.raises(ValueError, match="order is 3"):
        relations.redeconvolve([[0.0, 1.0, 0.0]], order=3)
    with pytest.raises(ValueError, match="neuron 1 is 2 in every frame"):
        relations.redeconvolve([[0.0, 1.0, 0.0], [2.0, 2.0, 2.0]])


def test_deconvolution_without_oasis_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "oasis.functions", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[microns\]'"):
        relations.redeconvolve([[0.0, 1.0, 0.0]])


def test_inputs_are_left_alone() -> None:
    events = [np.array([0.5, 0.55, 1.0]), np.array([0.2, 1.1])]
    kept = [train.copy() for train in events]
    counts = relations.bin_events(events)
    before = counts.copy()
    relations.sttc(events)
    relations.correlation(counts)
    assert all(np.array_equal(x, y) for x, y in zip(events, kept, strict=True))
    assert np.array_equal(counts, before)


@pytest.mark.parametrize("name", WITH_EVENTS)
def test_published_relations_are_reproduced(name: str, mirror: Path) -> None:
    events = load_published(name, directory=mirror).events
    correlation = np.load(mirror / name / "corr_matrix.npy")
    tiling = np.load(mirror / name / "sttc_matrix.npy")
    error = np.abs(relations.correlation(relations.bin_events(events)) - correlation).max()
    assert error < 1e-12
    # Published in the lower triangle only.
    assert np.abs(np.tril(relations.sttc(events)) - np.tril(tiling)).max() < 1e-9


def test_published_precision_is_reproduced(mirror: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra cortexrnn[microns] is not installed")
    published = np.load(mirror / "5_3_8" / "precision_matrix.npy")
    events = load_published("5_3_8", directory=mirror).events
    estimate = relations.precision(relations.bin_events(events))
    assert np.array_equal(estimate, estimate.T)
    assert np.abs(estimate - published).max() < 1e-3 * published.max()


def test_precision_without_scikit_learn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.covariance", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[microns\]'"):
        relations.precision(np.eye(3))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "holds no neuron"),
        ([[1.0], [2.0, 1.5]], r"neuron 1 are not sorted: 1\.5 s follows 2 s"),
        ([[1.0], [0.5, np.nan]], "event 1 of neuron 1 is nan"),
        ([[1.0, np.inf]], "event 1 of neuron 0 is inf"),
        ([[-0.5, 1.0]], r"neuron 0 has an event at -0\.5 s"),
        ([[[1.0]]], r"neuron 0 have shape \(1, 1\)"),
        ([[], []], "no neuron has an event"),
    ],
)
def test_bad_trains_are_refused(events: list, message: str) -> None:
    for relation in (relations.bin_events, relations.sttc):
        with pytest.raises(ValueError, match=message):
            relation(events)


@pytest.mark.parametrize(
    ("train", "kind"),
    [
        ([True, False], "bool"),
        (["0.1", "0.2"], "<U3"),
        (np.ma.masked_array([0.1, 0.2], mask=[True, False]), "masked values"),
        ([0.1 + 1j], "complex128"),
    ],
)
def test_trains_of_anything_but_real_numbers_are_refused(train: Any, kind: str) -> None:
    for relation in (relations.bin_events, relations.sttc):
        with pytest.raises(ValueError, match=f"events of neuron 1 hold {kind}; give plain real"):
            relation([[0.1, 0.3], train])


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_trains_of_any_kind_of_number_are_the_same_trains(kind: type) -> None:
    times = [[1, 2, 5], [0, 4]]
    events = [np.array(train, dtype=kind) for train in times]
    expected = relations.bin_events([np.array(train, dtype=float) for train in times])
    assert np.array_equal(relations.bin_events(events), expected)
    assert relations.sttc(events).dtype == np.float64


def test_rows_of_unequal_length_are_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"counts are not an array .*; give rows of one length"):
        relations.correlation([[1.0, 2.0], [1.0]])


def test_more_counts_than_fit_in_memory_are_refused_before_they_are_made() -> None:
    # 500 million are the limit; with one neuron and bins of a second that is 500 million seconds.
    for duration in (5.001e8, 1e300):
        with pytest.raises(ValueError, match="more than fit in memory; give times in seconds"):
            relations.bin_events([[1.0]], bin_s=1.0, duration_s=duration)
    with pytest.raises(ValueError, match="for 600 neurons"):
        relations.bin_events([[1.0]] * 600, bin_s=1.0, duration_s=1e6)


def test_counts_are_reckoned_from_the_width_of_their_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_COUNTS", 100)
    assert relations.bin_events([[1.0]], bin_s=10.0, duration_s=505.0).shape == (1, 50)
    with pytest.raises(ValueError, match=r"has 202 bins of 0\.1 s for 1 neurons"):
        relations.bin_events([[1.0]], bin_s=0.1, duration_s=20.2)


def test_the_smallest_recordings_that_there_are() -> None:
    assert relations.bin_events([[0.0]], bin_s=0.05).tolist() == [[1]]
    assert relations.bin_events([[0.25]], bin_s=0.25, duration_s=0.3).tolist() == [[1]]
    assert relations.correlation([[1.0, 2.0]]).tolist() == [[1.0]]
    assert relations.sttc([[0.0]]).tolist() == [[1.0]]
    (times,) = relations.trace_events([[0.0, 1.0, 0.0]], frame_rate_hz=2.0)
    assert times.tolist() == [0.5]
    for empty in (np.empty((0, 5)), np.empty((0, 2))):
        with pytest.raises(ValueError, match=r"shape \(0, "):
            relations.correlation(empty)
        with pytest.raises(ValueError, match=r"shape \(0, "):
            relations.trace_events(empty, frame_rate_hz=1.0)


def test_an_event_at_the_very_end_of_a_recording_belongs_to_it() -> None:
    assert relations.bin_events([[2.0]], bin_s=0.5, duration_s=2.0).tolist() == [[0, 0, 0]]
    assert relations.sttc([[2.0], [2.0]], duration_s=2.0)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("value", [0, -0.1, np.nan, np.inf])
def test_times_that_are_not_positive_are_refused(value: float) -> None:
    events = [[1.0], [2.0]]
    with pytest.raises(ValueError, match="bin_s is"):
        relations.bin_events(events, bin_s=value)
    with pytest.raises(ValueError, match="window_s is"):
        relations.sttc(events, window_s=value)
    with pytest.raises(ValueError, match="duration_s is"):
        relations.sttc(events, duration_s=value)


def test_events_after_the_end_are_refused() -> None:
    for relation in (relations.bin_events, relations.sttc):
        with pytest.raises(ValueError, match="event at 2 s lies after the end"):
            relation([[1.0], [2.0]], duration_s=1.5)


def test_a_neuron_without_events_is_named() -> None:
    events = [[1.0], [2.0], []]
    with pytest.raises(ValueError, match="neuron 2 has no events"):
        relations.sttc(events)
    with pytest.raises(ValueError, match="neuron 2 has the count 0 in every bin"):
        relations.correlation(relations.bin_events(events))


@pytest.mark.parametrize("counts", [np.ones(5), np.ones((3, 1)), np.ones((2, 2, 2))])
def test_counts_of_another_shape_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="counts have shape"):
        relations.correlation(counts)


def test_counts_that_are_not_finite_are_refused() -> None:
    counts = np.eye(3)
    counts[1, 2] = np.nan
    with pytest.raises(ValueError, match="count of neuron 1 in bin 2 is nan"):
        relations.correlation(counts)


def test_a_recording_of_whole_bins_leaves_its_last_bin_uncounted() -> None:
    whole = relations.bin_events([[0.1, 0.9]], bin_s=0.25, duration_s=1.0)
    longer = relations.bin_events([[0.1, 0.9]], bin_s=0.25, duration_s=1.01)
    assert whole.tolist() == [[1, 0, 0]]
    assert longer.tolist() == [[1, 0, 0, 1]]


def test_correlation_of_counts_has_the_same_bits_whatever_the_order_of_sums() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, (30, 5000))
    coefficients = relations.correlation(counts)
    assert np.array_equal(relations.correlation(counts[:, rng.permutation(5000)]), coefficients)
    order = rng.permutation(30)
    assert np.array_equal(relations.correlation(counts[order]), coefficients[np.ix_(order, order)])


def test_relations_of_events_follow_every_setting() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(3)
    events = [np.sort(rng.uniform(0, 60, 80)) for _ in range(4)]
    settings = {"bin_s": 0.5, "window_s": 0.05, "duration_s": 90.0}
    computed = relations.from_events(events, **settings, with_precision=True)
    counts = relations.bin_events(events, bin_s=0.5, duration_s=90.0)
    tiling = relations.sttc(events, window_s=0.05, duration_s=90.0)
    np.testing.assert_array_equal(computed["correlation"], relations.correlation(counts))
    np.testing.assert_array_equal(computed["sttc"], tiling)
    np.testing.assert_array_equal(computed["precision"], relations.precision(counts))
    for name, other in (("bin_s", 0.2), ("window_s", 0.1), ("duration_s", 60.5)):
        changed = relations.from_events(events, **settings | {name: other})
        assert list(changed) == ["correlation", "sttc"]
        differs = {key: bool((changed[key] != computed[key]).any()) for key in changed}
        assert differs == {"correlation": name != "window_s", "sttc": name != "bin_s"}
