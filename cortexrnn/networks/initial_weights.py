"""Recurrent weights before training: W, W*, W!, and the starts of controls.

Source: code released with Shakiba et al. 2026 (arXiv:2606.14975).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ortho_group

from cortexrnn.fields.field import Field
from cortexrnn.networks import priors
from cortexrnn.networks.specification import RunSpec, random_stream
from cortexrnn.networks.variant import Variant

__all__ = ["initial_weights"]


def initial_weights(spec: RunSpec, field: Field) -> NDArray[np.float64]:
    """Recurrent weights before training.

    Functional weights are drawn once per seed and shared by all tasks; the permutation is
    drawn afresh for every variant and task; the orthogonal matrix (Haar measure, as the Keras
    initialiser) once per seed and task, so that variants of one seed start alike.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.

    Returns
    -------
    ndarray, shape (N, N)
        Row = presynaptic neuron.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    """
    variant = spec.variant
    if variant.start == "functional" or variant.start == "permuted":
        return _changed(_functional_weights(spec, field), variant, spec.seed)
    weights = _other_weights(spec, field.n_neurons)
    if variant.self_connections == "functional":
        np.fill_diagonal(weights, np.diag(_functional_weights(spec, field)))
    return weights


def _functional_weights(spec: RunSpec, field: Field) -> NDArray[np.float64]:
    """Draw W*, or W! where the variant starts so."""
    rng = random_stream(spec.seed, "functional weights")
    weights = priors.functional_weights(field, relation=spec.relation, rng=rng)
    if spec.variant.start == "permuted":
        rng = random_stream(spec.seed, "permutation", spec.variant.name, spec.task)
        weights = priors.permuted_weights(weights, rng=rng)
    return weights


def _other_weights(spec: RunSpec, n_neurons: int) -> NDArray[np.float64]:
    """Draw weights without any function in them."""
    start, shape = spec.variant.start, (n_neurons, n_neurons)
    rng = random_stream(spec.seed, start, spec.task)
    if start == "orthogonal":
        weights = np.asarray(ortho_group.rvs(n_neurons, random_state=rng))
        if spec.variant.scaling == "positive_part":
            weights *= priors.SPECTRAL_RADIUS / priors.spectral_radius(weights.clip(min=0))
        return weights
    if start == "identity":
        return priors.SPECTRAL_RADIUS * np.eye(n_neurons)
    weights = rng.lognormal(-0.5, 0.5, shape) if start == "lognormal" else rng.random(shape)
    return _scaled(weights)


def _scaled(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to the spectral radius of functional weights."""
    return weights * (priors.SPECTRAL_RADIUS / priors.spectral_radius(weights))


def _changed(weights: NDArray[np.float64], variant: Variant, seed: int) -> NDArray[np.float64]:
    """Apply the switches `entries`, `self_connections` and `scaling` to functional weights."""
    if variant.entries == "kept" and variant.self_connections == "kept":
        return weights
    if variant.entries != "kept":
        change = {"shuffled": priors.shuffled_weights, "resampled": priors.resampled_weights}
        weights = change[variant.entries.removeprefix("off_diagonal_")](
            weights,
            rng=random_stream(seed, "entries"),
            diagonal=not variant.entries.startswith("off_diagonal_"),
        )
    diagonal = np.diag(np.diag(weights))
    if variant.self_connections != "kept":
        weights = weights - diagonal if variant.self_connections == "removed" else diagonal
    return weights if variant.scaling == "none" else _scaled(weights)
