"""Fit the recipe of the surrogate field to real ones and print it.

Usage: ``CORTEXRNN_DATA=<mirror> python tools/fit_surrogate.py`` (about two minutes). Positions,
wiring and the rate statistics are moments of the fields in `FITTED`; the loadings of the shared
signals are searched for, so that correlation and STTC of simulated fields match theirs.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq, curve_fit, least_squares

from cortexrnn.fields import relations
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import published
from cortexrnn.fields.sources.surrogate import (
    FRAME_RATE_HZ,
    N_FRAMES,
    RECIPE,
    VOXEL_NM,
    Recipe,
    _distances,
    _events,
    _positions,
)

FITTED = ("4_7_2", "5_3_4", "5_3_8", "5_6_8", "5_7_6", "7_4_4", "8_5_2")
HELD_OUT = ("6_6_2", "6_6_8")
#: Micrometres; correlation falls with distance from about 0.07 to about 0.01 over this range.
DISTANCE_EDGES = np.array([0, 50, 100, 200, 400, 1000])
LAGS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000])


def micrometres(field: Field) -> np.ndarray:
    """Soma positions, shape (N, 3)."""
    return field.positions * np.array(VOXEL_NM) / 1000


def fit_positions(fields: list[Field]) -> dict:
    """Sheet, as means over fields of per-field moments."""
    places = [micrometres(field) for field in fields]
    extent = np.max([np.ptp(place, axis=0) for place in places], axis=0)[[0, 2]]
    corner = np.min([place.min(axis=0) for place in places], axis=0)[[0, 2]]
    spread = np.mean([place.std(axis=0) for place in places], axis=0)[[0, 2]]
    crowding = ((extent / spread) ** 2 / 4 - 1) / 2  # variance of beta(a, a): 1 / (4 (2 a + 1))
    planes, scatter, nearest = [], [], []
    for place in places:
        design = np.column_stack([place[:, [0, 2]], np.ones(len(place))])
        plane, *_ = np.linalg.lstsq(design, place[:, 1], rcond=None)
        planes.append(plane)
        scatter.append((place[:, 1] - design @ plane).std())
        distance = _distances(place) + 1e9 * np.eye(len(place))
        nearest.append(distance.min())
    return {
        "corner": tuple(corner.round(0).tolist()),
        "extent": tuple(extent.round(0).tolist()),
        "crowding": tuple(crowding.round(2).tolist()),
        "depth": round(float(np.mean([place[:, 1].mean() for place in places])), 0),
        "tilt": tuple(np.mean(planes, axis=0)[:2].round(3).tolist()),
        "thickness": round(float(np.mean(scatter)), 2),
        "spacing": round(float(np.min(nearest)), 1),
    }


def wiring_decay(lengths: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Find k of P ~ exp(-k d) by maximum likelihood, from lengths of all pairs and of edges."""

    def excess(k: float) -> float:
        expected = (np.average(pairs, weights=np.exp(-k * pairs)) for pairs, _ in lengths)
        return sum(
            len(edges) * (edges.mean() - mean)
            for (_, edges), mean in zip(lengths, expected, strict=True)
        )

    return float(brentq(excess, 0.0, 0.1))


def fit_wiring(fields: list[Field]) -> dict:
    """Density over all but the held-out fields; propensities, decay and counts over `fields`."""
    table = published.FIELDS
    table = table[~table["field"].isin(HELD_OUT)]
    n = table["n_neurons"].to_numpy()
    slope, intercept = np.polyfit(np.log(n), np.log(table["n_edges"] / (n * (n - 1))), 1)
    sizes: dict[str, list[tuple[float, float]]] = {"out": [], "in": []}
    lengths: list[tuple[np.ndarray, np.ndarray]] = []
    for field in fields:
        edges = np.asarray(field.connectome) > 0
        distance = _distances(micrometres(field))
        off_diagonal = ~np.eye(field.n_neurons, dtype=bool)
        lengths.append((distance[off_diagonal], distance[edges]))
        for side, axis in (("out", 1), ("in", 0)):
            degree = edges.sum(axis=axis)
            sizes[side].append((degree.mean() ** 2, degree.var() - degree.mean()))
    shapes = {side: float(np.divide(*np.sum(pairs, axis=0))) for side, pairs in sizes.items()}
    extra = np.concatenate([f.connectome[f.connectome > 0] for f in fields]) - 1
    return {
        "density": (round(float(intercept), 3), round(float(slope), 4)),
        "out_size": round(shapes["out"], 2),
        "in_size": round(shapes["in"], 2),
        "wiring_decay": round(wiring_decay(lengths), 5),
        "extra_synapses": (
            round(float(extra.mean()), 3),
            round(float(extra.mean() ** 2 / (extra.var() - extra.mean())), 3),
        ),
    }


def lagged_excess(trains: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Log ratio of joint to independent event probability against lag: own, and mean of pairs."""
    fired = np.zeros((len(trains), N_FRAMES), dtype=np.float32)
    for row, train in zip(fired, trains, strict=True):
        row[np.rint(train * FRAME_RATE_HZ).astype(int)] = 1
    rate = fired.mean(axis=1, dtype=np.float64)
    own, pairs = [], []
    for lag in LAGS:
        joint = fired[:, : N_FRAMES - lag] @ fired[:, lag:].T / (N_FRAMES - lag)
        ratio = joint / np.outer(rate, rate)
        own.append(ratio.diagonal().mean())
        pairs.append(ratio[~np.eye(len(rate), dtype=bool)].mean())
    return np.log(np.maximum(own, 1e-9)), np.log(pairs)


def two_times(curve: np.ndarray, first: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Variances and time constants of two exponentials through a curve over LAGS[first:]."""

    def model(lag: np.ndarray, a: float, t: float, b: float, u: float) -> np.ndarray:
        return a * np.exp(-lag / t) + b * np.exp(-lag / u)

    bounds = ([0, 1, 0, 60], [3, 60, 3, 3000])
    start = (curve[first] / 2, 8, curve[first] / 2, 500)
    a, t, b, u = curve_fit(model, LAGS[first:], curve[first:], start, bounds=bounds)[0]
    return (round(float(a), 3), round(float(t), 1)), (round(float(b), 3), round(float(u), 0))


def fit_rates(fields: list[Field]) -> dict:
    """Rates and time courses, from the fields with events."""
    trains = [field.events for field in fields if field.events is not None]
    logs = [np.log([train.size / N_FRAMES for train in field]) for field in trains]
    curves = np.mean([lagged_excess(field) for field in trains], axis=0)
    (fast, fast_time), (slow, slow_time) = two_times(curves[1], 0)
    private = two_times(curves[0] - curves[1], 1)
    total = fast + slow
    return {
        "log_rate": (
            round(float(np.mean([x.mean() for x in logs])), 3),
            round(float(np.mean([x.std() for x in logs])), 3),
        ),
        "private": private,
        "shared": ((round(fast / total, 3), fast_time), (round(slow / total, 3), slow_time)),
    }


def relation_moments(place: np.ndarray, correlation: np.ndarray, sttc: np.ndarray) -> np.ndarray:
    """Moments to be matched, each divided by how far it may be off."""
    pairs = np.tril_indices(len(place), -1)
    values, tiling, distance = correlation[pairs], sttc[pairs], _distances(place)[pairs]
    which = np.digitize(distance, DISTANCE_EDGES) - 1
    profile = [values[which == k].mean() for k in range(len(DISTANCE_EDGES) - 1)]
    low, high = np.quantile(values, [0.05, 0.95])
    moments = [values.mean(), values.std(), tiling.mean(), tiling.std(), low, high, *profile]
    scale = [1, 1, 1, 1, 2, 2] + [3] * len(profile)
    return np.array(moments) / np.array(scale) / 0.002


def fit_loadings(fields: list[Field], recipe: Recipe) -> Recipe:
    """Search the loadings of the shared signals on simulated fields of 120 neurons."""
    target = np.mean(
        [
            relation_moments(micrometres(f), f.relation("correlation"), f.relation("sttc"))
            for f in fields
        ],
        axis=0,
    )
    start = np.array([recipe.shared_sd, recipe.shared_length / 300])

    def changed(x: np.ndarray) -> Recipe:
        amplitude, length = np.abs(x).tolist()
        return replace(recipe, shared_sd=round(amplitude, 3), shared_length=round(300 * length, 1))

    def miss(x: np.ndarray) -> np.ndarray:
        moments = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            place = _positions(120, changed(x), rng=rng)
            events = _events(place, changed(x), rng=rng)
            correlation = relations.correlation(relations.bin_events(events))
            moments.append(relation_moments(place, correlation, relations.sttc(events)))
        return np.mean(moments, axis=0) - target

    fit = least_squares(miss, start, diff_step=0.05, max_nfev=8)
    print("misses, in units of tolerance:", fit.fun.round(2), file=sys.stderr)
    return changed(fit.x)


def fit_sparsity(fields: list[Field], recipe: Recipe) -> float:
    """Threshold at which as many partial correlations vanish as in the median field."""
    pairs = [np.tril_indices(field.n_neurons, -1) for field in fields]
    zero = [f.relation("precision")[p] == 0 for f, p in zip(fields, pairs, strict=True)]
    absent = np.median([where.mean() for where in zero])
    rng = np.random.default_rng(0)
    counts = relations.bin_events(_events(_positions(120, recipe, rng=rng), recipe, rng=rng))
    inverse = np.linalg.inv(np.cov(counts))
    scale = np.sqrt(np.outer(inverse.diagonal(), inverse.diagonal()))
    partial = np.abs(inverse / scale)[np.tril_indices(120, -1)]
    return round(float(np.quantile(partial, absent)), 4)


def main() -> None:
    """Print the fitted recipe."""
    fields = [published.load_published(name) for name in FITTED]
    recipe = replace(RECIPE, **fit_positions(fields), **fit_wiring(fields), **fit_rates(fields))
    recipe = fit_loadings(fields, recipe)
    print(replace(recipe, sparsity=fit_sparsity(fields, recipe)))


if __name__ == "__main__":
    main()
