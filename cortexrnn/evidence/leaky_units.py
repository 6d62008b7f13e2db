"""Why self-connections may suffice: what one leaky unit by itself can remember.

A rectified unit that reads one input channel and itself, h_t = relu(w h_(t-1) + k x_t), is an
exponential filter of its input as long as it stays active. Two such units, one for each of two
channels, tell the answers of all three tasks apart if the filter still holds the evidence when the
answer is read. How well follows from the weight w alone: k scales signal and noise alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from cortexrnn.fields.field import Field, Relation
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.initial_weights import functional_start
from cortexrnn.networks.priors import spectral_radius
from cortexrnn.networks.tasks import TASKS, GoNoGo, OneChoice, Perceptual, Task
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.trained_weights import KeptRun

__all__ = [
    "contrast",
    "leaky_accuracy",
    "learned",
    "level_without_memory",
    "levels_without_memory",
    "memory_measures",
    "needed_self_connection",
    "self_connections",
    "time_constant",
]

INPUT_NOISE = 0.05
"""Standard deviation of the noise on every input channel while training."""

ABOVE = 0.1
"""How far accuracy must exceed that without memory for a network to have learned to remember."""

CONTESTED = 6 / 8
"""Share of one-choice problems that the offer alone does not decide: the goal does."""


def time_constant(weights: ArrayLike) -> NDArray[np.float64]:
    """Time constant of an uncoupled unit.

    Parameters
    ----------
    weights : array_like
        Self-connections, of any shape.

    Returns
    -------
    ndarray
        Steps after which activity has fallen to 1/e: -1 / ln(w); zero for a weight that is not
        positive, infinite from 1 on.
    """
    w = np.asarray(weights, dtype=float)
    inside = np.clip(w, np.finfo(float).tiny, np.nextafter(1.0, 0.0))
    return np.where(w >= 1, np.inf, np.where(w <= 0, 0.0, -1 / np.log(inside)))


def contrast(
    task: Task, *, input_noise: float = INPUT_NOISE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evidence of a task step by step, as one unit for each of two channels would read it.

    Parameters
    ----------
    task : Task
        One of the three of the paper, with any settings.
    input_noise : float
        Standard deviation of the noise added to every channel.

    Returns
    -------
    signal : ndarray, shape (K, n_steps)
        Expected difference of the two channels that decide, for each of K equally likely
        strengths of evidence, for the answer that the first of them stands for.
    noise_sd : ndarray, shape (n_steps,)
        Standard deviation of that difference; steps are independent.

    Raises
    ------
    ValueError
        For another task, whose deciding channels are not known.
    """
    steps = np.arange(task.n_steps)
    periods = {name: (steps >= a) & (steps < b) for name, a, b in task.periods}
    variance = np.full(task.n_steps, 2 * input_noise**2)
    if isinstance(task, OneChoice):
        signal = periods["goal"][None].astype(float)
    elif isinstance(task, GoNoGo):
        signal = periods["cue"][None].astype(float)
    elif isinstance(task, Perceptual):
        strengths = np.array(task.coherences) / 100
        signal = strengths[:, None] * periods["stimulus"]
        variance = variance + 2 * task.noise_sd**2 * periods["stimulus"]
    else:
        raise ValueError(
            f"task {task.name!r} is not one of the paper's three, whose cues are known"
        )
    return signal, np.sqrt(variance)


def leaky_accuracy(
    task: Task, weights: ArrayLike, *, input_noise: float = INPUT_NOISE
) -> NDArray[np.float64]:
    """Accuracy that two uncoupled leaky units allow.

    The better of the two last states decides, P = Phi(sum g s / sqrt(sum g^2 v)), with g_t =
    w^(T-1-t) the filter, s and v mean and variance of the :func:`contrast`. In one-choice a
    quarter of the problems needs no memory. Rectification is left out: units are taken to be
    active, as a bias or a constant channel can make them.

    Parameters
    ----------
    task : Task
        One of the three of the paper, with any settings.
    weights : array_like, shape (n,)
        Self-connection of the units, at least 0.
    input_noise : float
        Standard deviation of the noise added to every channel.

    Returns
    -------
    ndarray, shape (n,)
        Expected share of right answers.

    Raises
    ------
    ValueError
        If the task is not one of the paper's.
    """
    signal, noise_sd = contrast(task, input_noise=input_noise)
    w = np.asarray(weights, dtype=float)
    filters = w[:, None] ** np.arange(task.n_steps)[::-1]
    separation = signal @ filters.T / np.sqrt((filters * noise_sd) ** 2 @ np.ones(task.n_steps))
    right: NDArray[np.float64] = ndtr(separation).mean(axis=0)
    return 1 - CONTESTED + CONTESTED * right if isinstance(task, OneChoice) else right


def level_without_memory(task: Task) -> float:
    """Accuracy that the last input alone allows, which a network without memory can reach.

    Parameters
    ----------
    task : Task
        One of the three of the paper, with any settings.

    Returns
    -------
    float
        Share of right answers.

    Raises
    ------
    ValueError
        If the task is not one of the paper's.
    """
    return float(leaky_accuracy(task, [0.0])[0])


def levels_without_memory() -> dict[str, float]:
    """Accuracy that the last input alone allows in every task of the paper.

    Returns
    -------
    dict of str to float
        :func:`level_without_memory` by the name of the task.
    """
    return {name: level_without_memory(task) for name, task in TASKS.items()}


def needed_self_connection(task: Task, *, share: float = 0.5) -> float:
    """Smallest self-connection with which a leaky unit is of use.

    Parameters
    ----------
    task : Task
        One of the three of the paper, with any settings.
    share : float
        Share of the way from the accuracy without memory to that of the perfect integrator
        (w = 1) that the accuracy has to cover.

    Returns
    -------
    float
        The weight, between 0 and 1.

    Raises
    ------
    ValueError
        If `share` is not between 0 and 1, or the task is not one of the paper's.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share!r}, expected a number between 0 and 1")
    low, high = leaky_accuracy(task, [0.0, 1.0])
    wanted = low + share * (high - low)
    return float(brentq(lambda w: leaky_accuracy(task, [w])[0] - wanted, 0.0, 1.0))


def learned(task: str, accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Mark networks that learned to remember.

    Parameters
    ----------
    task : str
        One of the three of the paper, whatever its settings.
    accuracy : array_like
        Accuracies; NaN is not learned.

    Returns
    -------
    ndarray
        Whether each is more than 0.1 above what can be answered without memory.

    Raises
    ------
    ValueError
        If the task is not one of the paper.
    """
    one_of("task", task, TASKS)
    return np.asarray(accuracy, dtype=float) > level_without_memory(TASKS[task]) + ABOVE


def memory_measures(kept: Iterable[KeptRun]) -> pd.DataFrame:
    """Measure where trained networks can hold what they have to remember.

    Parameters
    ----------
    kept : iterable of KeptRun
        Trained networks; of their weights the strongest tenth and the diagonal are known.

    Returns
    -------
    DataFrame
        One row per network: ``task, variant, start, accuracy, largest_self, radius_others,
        solved``. `largest_self` is the largest self-connection, `radius_others` the spectral
        radius without the diagonal; `solved` is the result of :func:`learned`.
    """
    rows = []
    for run in kept:
        weights = run.matrix.dense()
        diagonal = np.diag(weights)
        rows.append(
            {
                "task": run.task,
                "variant": run.variant,
                "start": Variant.parse(run.variant).start,
                "accuracy": run.metrics["accuracy"],
                "largest_self": diagonal.max(),
                "radius_others": spectral_radius(weights - np.diag(diagonal)),
                "solved": bool(learned(run.task, run.metrics["accuracy"])),
            }
        )
    return pd.DataFrame(rows)


def self_connections(
    field: Field, *, relation: Relation, seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """Measure the self-connections of functional weights, before any training.

    Parameters
    ----------
    field : Field
        Gives the functional weights.
    relation : {"correlation", "precision", "sttc", "response"}
        What they are made of.
    seeds : sequence of int
        Seeds of the draws of values.

    Returns
    -------
    DataFrame
        One row per seed: ``relation, seed``; ``largest_self`` and ``mean_self``, of the diagonal;
        ``others``, the mean sum of what a unit gets from all others.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    """
    seeds = arguments.seeds(seeds)
    rows = []
    for seed in seeds:
        weights = functional_start(field, relation=relation, seed=seed)
        own = np.diag(weights)
        rows.append(
            {
                "relation": relation,
                "seed": seed,
                "largest_self": own.max(),
                "mean_self": own.mean(),
                "others": (weights.sum(axis=1) - own).mean(),
            }
        )
    return pd.DataFrame(rows)
