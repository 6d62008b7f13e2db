"""Recurrent weights before training: W, W*, W!, and the starts of controls.

Source: code released with Shakiba et al. 2026 (arXiv:2606.14975).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ortho_group

from cortexrnn.fields.field import Field, Relation
from cortexrnn.networks import priors
from cortexrnn.networks.specification import RunSpec, random_stream
from cortexrnn.networks.variant import Scaling, Start, Variant

__all__ = ["functional_start", "initial_weights", "many_initial_weights", "variant_start"]

REMEMBERED = 4
"""Draws that are remembered: runs of one seed stand side by side in a plan."""


def initial_weights(spec: RunSpec, field: Field) -> NDArray[np.float64]:
    """Recurrent weights before training.

    Parameters
    ----------
    spec : RunSpec
        The run.
    field : Field
        Its field.

    Returns
    -------
    ndarray, shape (N, N)
        Those of :func:`variant_start`. Row = presynaptic neuron.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    """
    return variant_start(
        field, spec.variant, task=spec.task, relation=spec.relation, seed=spec.seed
    )


def many_initial_weights(specs: Iterable[RunSpec], field: Field) -> Iterator[NDArray[np.float64]]:
    """Recurrent weights of many runs before training; what neighbours have in common is drawn once.

    Parameters
    ----------
    specs : iterable of RunSpec
        The runs.
    field : Field
        Their field.

    Yields
    ------
    ndarray, shape (N, N)
        Those of :func:`initial_weights`, run by run; not to be changed.

    Raises
    ------
    FieldError
        If the field lacks a relation.
    """
    draws = _Draws(field)
    for spec in specs:
        yield draws.start(spec.variant, task=spec.task, relation=spec.relation, seed=spec.seed)


def functional_start(
    field: Field, *, relation: Relation = "correlation", seed: int
) -> NDArray[np.float64]:
    """Functional weights W* from which the runs of a seed start, whatever their task.

    Parameters
    ----------
    field : Field
        The field.
    relation : {"correlation", "precision", "sttc", "response"}
        What the weights are made of.
    seed : int
        Seed of the run.

    Returns
    -------
    ndarray, shape (N, N)
        Row = presynaptic neuron.

    Raises
    ------
    FieldError
        If the field lacks the relation.

    See Also
    --------
    cortexrnn.networks.priors.functional_weights : the same for any random generator.
    """
    rng = random_stream(seed, "functional weights")
    return priors.functional_weights(field, relation=relation, rng=rng)


def variant_start(
    field: Field,
    variant: Variant | str,
    *,
    task: str,
    relation: Relation = "correlation",
    seed: int,
) -> NDArray[np.float64]:
    """Recurrent weights from which a variant starts.

    Functional weights are drawn once per seed and shared by all tasks; the permutation is
    drawn afresh for every variant and task; the orthogonal matrix (Haar measure, as the Keras
    initialiser) once per seed and task, so that variants of one seed start alike.

    Parameters
    ----------
    field : Field
        The field.
    variant : Variant or str
        Variant, control, or a name of the paper.
    task : str
        Name of the task.
    relation : {"correlation", "precision", "sttc", "response"}
        What functional weights are made of.
    seed : int
        Seed of the run.

    Returns
    -------
    ndarray, shape (N, N)
        Row = presynaptic neuron.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    ValueError
        If the variant is unknown.
    """
    if isinstance(variant, str):
        variant = Variant.parse(variant)
    return _Draws(field).start(variant, task=task, relation=relation, seed=seed).copy()


class _Draws:
    """What the starts of a field are made of; the last draws are remembered, to be shared."""

    def __init__(self, field: Field) -> None:
        self._n_neurons = field.n_neurons
        self._functional = lru_cache(REMEMBERED)(partial(functional_start, field))
        self._other = lru_cache(REMEMBERED)(_other_weights)

    def start(
        self, variant: Variant, *, task: str, relation: Relation, seed: int
    ) -> NDArray[np.float64]:
        """Make the start of a variant, which may be one that was remembered."""
        weights = self._kind(variant, task=task, relation=relation, seed=seed)
        if variant.strong_self_connections is None:
            return weights
        rng = random_stream(seed, "strong self-connections")
        return priors.with_strong_self_connections(
            weights, variant.strong_self_connections, rng=rng
        )

    def _kind(
        self, variant: Variant, *, task: str, relation: Relation, seed: int
    ) -> NDArray[np.float64]:
        """Make the start of a variant but for strong self-connections."""
        if variant.start == "functional" or variant.start == "permuted":
            weights = self._functional(relation=relation, seed=seed)
            if variant.start == "permuted":
                rng = random_stream(seed, "permutation", variant.name, task)
                weights = priors.permuted_weights(weights, rng=rng)
            return _changed(weights, variant, seed)
        weights = self._other(variant.start, variant.scaling, self._n_neurons, task, seed)
        if variant.self_connections == "functional":
            weights = weights.copy()
            np.fill_diagonal(weights, np.diag(self._functional(relation=relation, seed=seed)))
        return weights


def _other_weights(
    start: Start, scaling: Scaling, n_neurons: int, task: str, seed: int
) -> NDArray[np.float64]:
    """Draw weights without any function in them."""
    shape = (n_neurons, n_neurons)
    rng = random_stream(seed, start, task)
    if start == "orthogonal":
        weights = np.asarray(ortho_group.rvs(n_neurons, random_state=rng))
        if scaling == "positive_part":
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
