"""Floating point operations of the matrix products of a run.

With N neurons, T steps, B trials in a batch, I input channels and C classes; a product of (a, b)
and (b, c) counts 2 a b c:

- update: 2 B (3 (T - 1) N^2 + 2 T I N + 3 N C), the recurrent term once forward, once backward and
  once for the gradient of the weights;
- forward pass only, for validation: 2 B ((T - 1) N^2 + T I N + N C);
- communicability with its gradient: 12 products, 24 N^3, see
  :func:`cortexrnn.networks.communicability.stochastic_exponential`;
- its approximation of low rank k: 2 N^2 ((6 m + 10) k + 4 m) + 4 N (2 k^2 + (m + 1)^2), with m = 10
  terms of a series in float32, see :mod:`cortexrnn.networks.low_rank_communicability`;
- clustering or efficiency of a graph: one product, 2 N^3.
"""

from __future__ import annotations

import math

from cortexrnn.networks.low_rank_communicability import RANK
from cortexrnn.networks.specification import RunSpec, task_of

__all__ = ["forward_flops", "low_rank_flops", "penalty_flops", "run_flops", "step_flops"]

EXPONENTIAL_PRODUCTS = 12
"""Matrix products in communicability and its gradient in float32."""
SERIES_TERMS = 10
"""Terms of the series of its approximation in float32."""


def step_flops(
    n_neurons: int,
    *,
    n_steps: int = 50,
    n_trials: int = 128,
    n_channels: int = 8,
    n_classes: int = 4,
) -> float:
    """Floating point operations in the matrix products of one update of one network.

    Parameters
    ----------
    n_neurons, n_steps, n_trials, n_channels, n_classes : int
        N, T, B, I and C; the defaults are the one-choice task.

    Returns
    -------
    float
        2 B (3 (T - 1) N^2 + 2 T I N + 3 N C), without the penalty.
    """
    recurrent = 3 * (n_steps - 1) * n_neurons**2
    around = 2 * n_steps * n_channels * n_neurons + 3 * n_neurons * n_classes
    return 2.0 * n_trials * (recurrent + around)


def forward_flops(
    n_neurons: int,
    *,
    n_steps: int = 50,
    n_trials: int = 128,
    n_channels: int = 8,
    n_classes: int = 4,
) -> float:
    """Floating point operations in the matrix products of one forward pass of one network.

    Parameters
    ----------
    n_neurons, n_steps, n_trials, n_channels, n_classes : int
        N, T, B, I and C.

    Returns
    -------
    float
        2 B ((T - 1) N^2 + T I N + N C).
    """
    recurrent = (n_steps - 1) * n_neurons**2
    around = n_steps * n_channels * n_neurons + n_neurons * n_classes
    return 2.0 * n_trials * (recurrent + around)


def penalty_flops(n_neurons: int, what: str) -> float:
    """Floating point operations in the matrix products of one penalty and its gradient.

    Parameters
    ----------
    n_neurons : int
        N.
    what : str
        ``plain``, ``direct``, ``emd``, or ``low_rank``: direct, approximated.

    Returns
    -------
    float
        24 N^3 with communicability, that of :func:`low_rank_flops` where it is approximated,
        else 0.
    """
    if what == "low_rank":
        return low_rank_flops(n_neurons)
    return 0.0 if what == "plain" else EXPONENTIAL_PRODUCTS * 2.0 * n_neurons**3


def low_rank_flops(n_neurons: int, rank: int = RANK) -> float:
    """Floating point operations in the matrix products of a communicability of low rank.

    Parameters
    ----------
    n_neurons : int
        N.
    rank : int
        Columns kept on either side.

    Returns
    -------
    float
        Value and gradient in float32.
    """
    terms = SERIES_TERMS
    columns = (6 * terms + 10) * rank + 4 * terms
    small = 2 * rank**2 + (terms + 1) ** 2
    return 2.0 * columns * n_neurons**2 + 4.0 * small * n_neurons


def run_flops(spec: RunSpec, n_neurons: int, *, validations: int = 1) -> float:
    """Floating point operations in the matrix products of one whole training.

    Parameters
    ----------
    spec : RunSpec
        The run.
    n_neurons : int
        N.
    validations : int
        How often validation trials are evaluated; Keras does it after every epoch.

    Returns
    -------
    float
        Updates with their penalty, and validation.
    """
    task = task_of(spec)
    sizes = {
        "n_steps": task.n_steps, "n_channels": task.n_channels, "n_classes": task.n_classes,
    }  # fmt: skip
    updates = math.ceil(spec.n_train / spec.batch_size)
    what = "plain" if spec.variant.communicability is None else "direct"
    epoch = step_flops(n_neurons, n_trials=spec.n_train, **sizes)
    epoch += updates * penalty_flops(n_neurons, what)
    validation = forward_flops(n_neurons, n_trials=spec.n_validation, **sizes)
    return spec.epochs * epoch + validations * validation
