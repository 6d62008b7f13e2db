"""A synthetic field of any size whose statistics follow the real ones.

Three steps, all drawn from one seed:

1. *Positions.* Neurons lie in a thin, slightly tilted sheet, as one imaging plane is; two of them
   are never closer than a cell body.
2. *Wiring.* Out- and in-propensities are gamma distributed (most neurons send nothing within the
   field, a few send a lot), multiplied by a decay with distance; the expected density falls with
   the number of neurons as over the published fields.
3. *Activity.* Events follow a log-Gaussian Cox process on the frames of the microscope: log rates
   are a neuron's own level and drift plus a few shared signals, whose loadings vary smoothly over
   the sheet. Relations are computed from these very events.

The numbers in `RECIPE` come from ``tools/fit_surrogate.py``, which reads the fields 4_7_2, 5_3_4,
5_3_8, 5_6_8, 5_7_6, 7_4_4 and 8_5_2 (events: the first four; densities: all published fields but
the two that follow). 6_6_2 and 6_6_8 are held out and test the result. Fields of session 9 are left
out: they were imaged at another frame rate.

Wiring and the correlation of activity both fall with distance, but independently of each other:
that connected neurons are a little more correlated than others at the same distance is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from cortexrnn.fields import relations
from cortexrnn.fields.field import Field

__all__ = ["RECIPE", "Recipe", "surrogate_field"]

Floats = NDArray[np.float64]

DEFAULT_NEURONS = 96
MIN_NEURONS = 8
VOXEL_NM = (4.0, 4.0, 40.0)
FRAME_RATE_HZ = 6.3009
N_FRAMES = 40_000
#: Neurons of the largest published field; beyond it the sheet grows and the density stays.
LARGEST_FIELD = 632


@dataclass(frozen=True)
class Recipe:
    """Parameters of the surrogate. Lengths in micrometres, times in frames.

    Attributes
    ----------
    corner : tuple of 2 floats
        First corner of the sheet along x and z.
    extent : tuple of 2 floats
        Size of the sheet along x and z.
    crowding : tuple of 2 floats
        Shape a of the symmetric beta distribution along x and z (1: uniform).
    depth : float
        Mean depth (y).
    tilt : tuple of 2 floats
        Slopes of the depth along x and z.
    thickness : float
        Scatter about the tilted plane.
    spacing : float
        Smallest distance of two somata.
    density : tuple of 2 floats
        Intercept and slope of log edge density against log number of neurons.
    out_size : float
        Shape of the gamma distributed propensities to send.
    in_size : float
        Shape of the gamma distributed propensities to receive.
    wiring_decay : float
        Fall of log connection probability per micrometre.
    extra_synapses : tuple of 2 floats
        Mean and size of the negative binomial number of synapses beyond the first of an edge.
    log_rate : tuple of 2 floats
        Mean and standard deviation of the log of events per frame.
    private : tuple of 2 pairs
        (variance, time constant) of the fast and the slow part of a neuron's own log rate.
    shared : tuple of 2 pairs
        (share of variance, time constant) of the fast and the slow part of a shared signal.
    shared_sd : float
        Standard deviation of the summed shared signals in a neuron's log rate.
    shared_length : float
        Length constant over which two neurons share them.
    n_waves : int
        Number of waves over the sheet, two signals each.
    sparsity : float
        Threshold for partial correlations in the precision matrix.
    """

    corner: tuple[float, float]
    extent: tuple[float, float]
    crowding: tuple[float, float]
    depth: float
    tilt: tuple[float, float]
    thickness: float
    spacing: float
    density: tuple[float, float]
    out_size: float
    in_size: float
    wiring_decay: float
    extra_synapses: tuple[float, float]
    log_rate: tuple[float, float]
    private: tuple[tuple[float, float], tuple[float, float]]
    shared: tuple[tuple[float, float], tuple[float, float]]
    shared_sd: float
    shared_length: float
    n_waves: int
    sparsity: float


#: Printed by ``tools/fit_surrogate.py``; ``n_waves`` was chosen by trying three and four.
RECIPE = Recipe(
    corner=(462.0, 601.0),
    extent=(1004.0, 496.0),
    crowding=(1.65, 1.82),
    depth=646.0,
    tilt=(-0.089, 0.0),
    thickness=8.29,
    spacing=6.8,
    density=(-4.356, -0.2147),
    out_size=0.68,
    in_size=5.31,
    wiring_decay=0.01537,
    extra_synapses=(0.091, 0.394),
    log_rate=(-2.971, 0.318),
    private=((0.43, 14.7), (0.223, 887.0)),
    shared=((0.6, 10.4), (0.4, 3000.0)),
    shared_sd=1.05,
    shared_length=190.3,
    n_waves=3,
    sparsity=0.0076,
)


def surrogate_field(n_neurons: int = DEFAULT_NEURONS, *, seed: int = 0) -> Field:
    """Draw a synthetic field.

    The same number of neurons and seed give the same field; numpy's global random state is not
    used. ``correlation`` and ``sttc`` are those of ``events``
    (`cortexrnn.fields.relations`). ``precision`` is not a graphical lasso, which needs an extra
    package and minutes: it is the inverse of the covariance of the same counts, shrunk a little
    towards its diagonal, with partial correlations shrunk towards zero by `Recipe.sparsity` (those
    below it vanish) and rounded to six decimals.

    Parameters
    ----------
    n_neurons : int
        At least 8.
    seed : int
        A whole number of at least 0.

    Returns
    -------
    Field
        Named ``surrogate`` for the default, else ``surrogate_<n>``, with ``_s<seed>`` unless the
        seed is 0. Positions in voxels of 4 x 4 x 40 nm.

    Raises
    ------
    ValueError
        If ``n_neurons`` is no whole number of at least 8, or ``seed`` no whole number of at
        least 0.
    """
    n = _checked_whole(n_neurons, "n_neurons", MIN_NEURONS)
    seed = _checked_whole(seed, "seed", 0)
    place, wire, fire = (
        np.random.default_rng(child) for child in np.random.SeedSequence([seed, n]).spawn(3)
    )
    micrometres = _positions(n, RECIPE, rng=place)
    events = _events(micrometres, RECIPE, rng=fire)
    counts = relations.bin_events(events)
    name = "surrogate" if n == DEFAULT_NEURONS else f"surrogate_{n}"
    return Field.from_arrays(
        name=name if seed == 0 else f"{name}_s{seed}",
        positions=np.rint(1000 * micrometres / np.array(VOXEL_NM)).astype(np.int64),
        connectome=_connectome(micrometres, RECIPE, rng=wire),
        voxel_size=np.array(VOXEL_NM),
        correlation=relations.correlation(counts),
        sttc=relations.sttc(events),
        precision=_precision(counts, RECIPE),
        events=events,
        origin="surrogate",
    )


def _positions(n: int, recipe: Recipe, *, rng: np.random.Generator) -> Floats:
    """Soma positions in micrometres, shape (n, 3), in a tilted sheet with a hard core."""
    extent = np.array(recipe.extent) * np.sqrt(max(1.0, n / LARGEST_FIELD))
    placed = np.empty((n, 3))
    count = 0
    while count < n:
        across = (rng.beta(recipe.crowding, recipe.crowding) - 0.5) * extent
        depth = recipe.depth + across @ recipe.tilt + recipe.thickness * rng.standard_normal()
        x, z = np.array(recipe.corner) + np.array(recipe.extent) / 2 + across
        candidate = np.array([x, depth, z])
        gaps = ((placed[:count] - candidate) ** 2).sum(axis=1)
        if (gaps >= recipe.spacing**2).all():
            placed[count] = candidate
            count += 1
    return placed


def _connectome(
    micrometres: Floats, recipe: Recipe, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Synapse counts, shape (N, N), row = presynaptic."""
    n = len(micrometres)
    distance = _distances(micrometres)
    sending = rng.gamma(recipe.out_size, size=n)
    receiving = rng.gamma(recipe.in_size, size=n)
    odds = np.outer(sending, receiving) * np.exp(-recipe.wiring_decay * distance)
    np.fill_diagonal(odds, 0.0)
    intercept, slope = recipe.density
    expected = n * (n - 1) * np.exp(intercept + slope * np.log(n))
    edges = rng.random((n, n)) < odds * (expected / odds.sum())
    mean, size = recipe.extra_synapses
    extra = rng.negative_binomial(size, size / (size + mean), size=(n, n))
    return np.where(edges, 1 + extra, 0).astype(np.int64)


def _events(micrometres: Floats, recipe: Recipe, *, rng: np.random.Generator) -> list[Floats]:
    """Event times in seconds, one array per neuron."""
    n = len(micrometres)
    loadings = _loadings(micrometres, recipe, rng=rng)
    (fast, fast_time), (slow, slow_time) = recipe.shared
    signals = np.stack(
        [
            np.sqrt(fast) * _autoregressive(fast_time, rng=rng)
            + np.sqrt(slow) * _autoregressive(slow_time, rng=rng)
            for _ in range(loadings.shape[1])
        ]
    )
    mean, spread = recipe.log_rate
    levels = np.exp(mean + spread * rng.standard_normal(n))
    (fast, fast_time), (slow, slow_time) = recipe.private
    trains = []
    for level, loading in zip(levels, loadings, strict=True):
        log_rate = loading @ signals
        log_rate += np.sqrt(fast) * _autoregressive(fast_time, rng=rng)
        log_rate += np.sqrt(slow) * _autoregressive(slow_time, rng=rng)
        frames = _thin(rng.random(N_FRAMES) < _hazard(log_rate, level))
        trains.append(frames / FRAME_RATE_HZ)
    return trains


def _loadings(micrometres: Floats, recipe: Recipe, *, rng: np.random.Generator) -> Floats:
    """Draw loadings of the shared signals on log rates, shape (N, 2 n_waves).

    Signals come in pairs, loaded as the cosine and the sine of a plane wave over the sheet, so the
    log rates of two neurons covary by a sum of cosines of their separation. Directions are drawn;
    wave numbers are quantiles of those of the kernel ``exp(-d / shared_length)`` in the plane,
    which therefore is the mean covariance (random Fourier features, stratified so that one field
    resembles the next).
    """
    middle = (np.arange(recipe.n_waves) + 0.5) / recipe.n_waves
    numbers = np.sqrt((1 - middle) ** -2 - 1) / recipe.shared_length
    angles = rng.uniform(0, 2 * np.pi, recipe.n_waves)
    phases = micrometres[:, [0, 2]] @ (numbers * np.stack([np.cos(angles), np.sin(angles)]))
    waves = np.hstack([np.cos(phases), np.sin(phases)])
    shared: Floats = recipe.shared_sd / np.sqrt(recipe.n_waves) * waves
    return shared


def _autoregressive(time_constant: float, *, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) signal of unit variance over all frames, time constant in frames."""
    memory = np.exp(-1 / time_constant)
    noise = rng.standard_normal(N_FRAMES)
    noise[1:] *= np.sqrt(1 - memory**2)
    filtered: Floats = lfilter([1.0], [1.0, -memory], noise)
    return filtered


def _hazard(log_rate: Floats, level: float) -> Floats:
    """Probability of a candidate per frame, such that thinning leaves ``level`` events a frame.

    A constant hazard p with one dead frame after each event leaves p / (1 + p).
    """
    hazard = np.exp(log_rate)
    hazard *= level / hazard.mean()
    for _ in range(8):
        hazard *= level / (hazard / (1 + hazard)).mean()
        hazard = np.minimum(hazard, 0.9)
    return hazard


def _thin(candidates: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Frames of events: every other one of a run of adjacent candidates, so gaps are >= 2."""
    frames = np.flatnonzero(candidates)
    starts = np.flatnonzero(np.diff(frames, prepend=-2) > 1)
    run_length = np.diff(starts, append=frames.size)
    rank = np.arange(frames.size) - np.repeat(starts, run_length)
    kept: NDArray[np.int64] = frames[rank % 2 == 0]
    return kept


def _precision(counts: Floats, recipe: Recipe) -> Floats:
    """Thresholded inverse covariance of the counts, shape (N, N)."""
    n_bins = counts.shape[1]
    total = counts.sum(axis=1)
    covariance = (counts @ counts.T - np.outer(total, total) / n_bins) / n_bins
    weight = len(counts) / (len(counts) + n_bins)
    covariance = (1 - weight) * covariance + weight * np.diag(covariance.diagonal())
    inverse = np.linalg.inv(covariance)
    scale = np.sqrt(np.outer(inverse.diagonal(), inverse.diagonal()))
    partial = inverse / scale
    partial = np.sign(partial) * np.maximum(np.abs(partial) - recipe.sparsity, 0)
    np.fill_diagonal(partial, 1.0)
    # Rounded, since the last digits of an inverse differ between machines.
    rounded: Floats = np.round(scale * (partial + partial.T) / 2, 6)
    return rounded


def _distances(micrometres: Floats) -> Floats:
    """Euclidean distances, shape (N, N)."""
    lengths: Floats = np.sqrt(((micrometres[:, None] - micrometres[None]) ** 2).sum(axis=-1))
    return lengths


def _checked_whole(value: int, name: str, smallest: int) -> int:
    """Return the value as an int, or an error if it is not a whole number in range."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < smallest:
        raise ValueError(f"{name} is {value!r}; give a whole number of at least {smallest}")
    return int(value)
