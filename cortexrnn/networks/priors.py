"""The priors of a field that are arrays: functional weights W* and distances D, D*.

Source: Shakiba et al. 2026 (arXiv:2606.14975) and the code released with it.
"""

from __future__ import annotations

import math
import warnings
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field, Relation
from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.specification import RELATIONS, Coordinates

__all__ = [
    "clustered_points",
    "distances",
    "functional_weights",
    "grid_coordinates",
    "impute_unmeasured",
    "ingredients",
    "matched_distances",
    "mean_distance",
    "permuted_weights",
    "resampled_weights",
    "scaled_positions",
    "shuffled_distances",
    "shuffled_weights",
    "spectral_radius",
    "usable_relation",
    "with_strong_self_connections",
]

MEAN_WEIGHT = 0.1
"""Mean of functional weights before weak ones are lifted."""
SMALLEST_WEIGHT = 0.01
"""Weights below this are lifted to it."""
SPECTRAL_RADIUS = 0.95
"""Spectral radius of functional weights."""
CLUSTER_WIDTH = 0.2
"""Side of the cube that holds an artificial cluster, in units of the distance of two clusters."""


def spectral_radius(weights: ArrayLike) -> float:
    """Largest absolute eigenvalue of a directed weight matrix.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Weights; symmetry is not assumed.

    Returns
    -------
    float
        The spectral radius.
    """
    return float(np.abs(np.linalg.eigvals(np.asarray(weights, dtype=float))).max())


def functional_weights(
    field: Field, *, relation: Relation = "correlation", rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw functional weights W* from the activity of a field.

    Each of the :func:`ingredients` (for ``correlation`` and ``precision`` these are the relation
    and the spike time tiling coefficient) is scaled to [0, 1] over all its entries, and their
    product is multiplied by a lognormal draw; it is then scaled to mean 0.1, weak entries are
    lifted to 0.01, and the whole is scaled to spectral radius 0.95. Before that,
    :func:`impute_unmeasured` fills in the pairs that were not measured.

    Parameters
    ----------
    field : Field
        Field with the relation.
    relation : {"correlation", "precision", "sttc", "response"}
        What the weights are made of.
    rng : numpy.random.Generator
        Source of the lognormal draw, which is the only randomness.

    Returns
    -------
    ndarray, shape (N, N)
        Non-negative weights, row = presynaptic neuron; self-connections included.

    Raises
    ------
    FieldError
        If the field lacks the relation, or its diagonal was not measured at all.
    ValueError
        If the relation is unknown or constant.

    Warns
    -----
    UserWarning
        If the paper's rule would use the tiling coefficient and the field has none.

    Notes
    -----
    Correlation and tiling coefficient are 1 on the diagonal, so self-connections are on average
    many times larger than other weights; single other weights may exceed the smallest of them.
    """
    names = ingredients(field, relation)
    if relation in ("correlation", "precision") and "sttc" not in names:
        warnings.warn(
            f"field {field.name!r} has no sttc: its functional weights are made of the {relation} "
            "alone; pass sttc= or events to Field.from_arrays for those of the paper",
            stacklevel=2,
        )
    product = rng.lognormal(-0.5, 0.5, (field.n_neurons, field.n_neurons))
    for name in names:
        product = product * _unit_range(impute_unmeasured(field, name), f"{field.name}: {name}")
    product *= MEAN_WEIGHT / product.mean()
    product[(product > 0) & (product < SMALLEST_WEIGHT)] = SMALLEST_WEIGHT
    return product * (SPECTRAL_RADIUS / spectral_radius(product))


def ingredients(field: Field, relation: Relation) -> tuple[Relation, ...]:
    """Names of the relations whose product makes functional weights.

    The paper multiplies correlation or precision with the spike time tiling coefficient (STTC), and
    takes the STTC by itself. A field with such a relation but without STTC has nothing to multiply
    it with: the relation is taken alone. Responses to stimulation are always taken alone.

    Parameters
    ----------
    field : Field
        The field.
    relation : {"correlation", "precision", "sttc", "response"}
        What the weights are made of.

    Returns
    -------
    tuple of str
        The relation, and ``"sttc"`` where it is used as well.

    Raises
    ------
    FieldError
        If the field lacks the relation.
    ValueError
        If the relation is unknown.
    """
    one_of("relation", relation, RELATIONS)
    field.relation(relation)
    tiled = relation in ("correlation", "precision") and field.sttc is not None
    return (relation, "sttc") if tiled else (relation,)


def usable_relation(field: Field, relation: Relation) -> Relation | None:
    """Choose what functional weights of a field can be made of.

    Parameters
    ----------
    field : Field
        The field.
    relation : {"correlation", "precision", "sttc", "response"}
        The one to use if the field has it.

    Returns
    -------
    str or None
        The relation where the field has it, else the first one that it has; None where it has
        none, and with it no functional weights.
    """
    one_of("relation", relation, RELATIONS)
    if relation in field.relations:
        return relation
    return next((name for name in RELATIONS if name in field.relations), None)


def impute_unmeasured(field: Field, relation: Relation) -> NDArray[np.float64]:
    """Put a stated value in place of what was not measured.

    A pair of two neurons that was not measured gets the median over the pairs that were; a neuron
    whose relation to itself was not measured gets the median over the measured diagonal. Like is
    filled with like, since the two differ in kind. The median is the one value that asserts nothing
    about a pair beyond what is usual.

    Parameters
    ----------
    field : Field
        The field.
    relation : {"correlation", "precision", "sttc", "response"}
        Which relation.

    Returns
    -------
    ndarray, shape (N, N)
        Finite everywhere; measured entries are untouched.

    Raises
    ------
    FieldError
        If the field lacks the relation, or if a diagonal entry is missing and none was measured.
    """
    values = np.array(field.relation(relation))
    missing = np.isnan(values)
    if not missing.any():
        return values
    diagonal = np.eye(len(values), dtype=bool)
    for part, what in ((~diagonal, "pair of two neurons"), (diagonal, "neuron with itself")):
        if not (part & missing).any():
            continue
        known = values[part & ~missing]
        if not len(known):
            raise FieldError(
                f"field {field.name!r}, {relation}: no {what} was measured, so there is no median "
                "to fill in; give the diagonal by a rule you can state and mark it measured"
            )
        values[part & missing] = np.median(known)
    return values


def _unit_range(values: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """Scale to [0, 1] over all entries."""
    low, high = values.min(), values.max()
    if low == high:
        raise ValueError(f"{what} is constant ({low:g}) and cannot be scaled to [0, 1]")
    scaled: NDArray[np.float64] = (values - low) / (high - low)
    return scaled


def permuted_weights(
    weights: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Relabel the neurons of a weight matrix at random (W!).

    Rows and columns are permuted alike: spectrum, graph and the set of self-connections stay,
    only the pairing with positions and connectome is lost.

    Parameters
    ----------
    weights : ndarray, shape (N, N)
        Functional weights.
    rng : numpy.random.Generator
        Source of the permutation.

    Returns
    -------
    ndarray, shape (N, N)
        The relabelled weights.
    """
    order = rng.permutation(len(weights))
    return weights[np.ix_(order, order)]


def shuffled_weights(
    weights: NDArray[np.float64], *, rng: np.random.Generator, diagonal: bool
) -> NDArray[np.float64]:
    """Exchange the entries of a weight matrix at random.

    Unlike :func:`permuted_weights` this keeps nothing but the values.

    Parameters
    ----------
    weights : ndarray, shape (N, N)
        Functional weights.
    rng : numpy.random.Generator
        Source of the exchange.
    diagonal : bool
        Whether self-connections take part; without them they stay where they are.

    Returns
    -------
    ndarray, shape (N, N)
        The same values in other places.
    """
    places = _places(weights, diagonal=diagonal)
    result = weights.copy()
    result[places] = rng.permutation(weights[places])
    return result


def resampled_weights(
    weights: NDArray[np.float64], *, rng: np.random.Generator, diagonal: bool
) -> NDArray[np.float64]:
    """Draw the nonzero entries anew from their own distribution, onto the same places.

    The control of the paper that keeps the support and the empirical distribution of weights; the
    released code does not contain it.

    Parameters
    ----------
    weights : ndarray, shape (N, N)
        Functional weights.
    rng : numpy.random.Generator
        Source of the draw.
    diagonal : bool
        Whether self-connections take part; without them they stay as they are.

    Returns
    -------
    ndarray, shape (N, N)
        Independent draws, with replacement, of the values that were there.
    """
    places = _places(weights, diagonal=diagonal) & (weights != 0)
    result = weights.copy()
    values = weights[places]
    result[places] = rng.choice(values, size=len(values))
    return result


def _places(weights: NDArray[np.float64], *, diagonal: bool) -> NDArray[np.bool_]:
    """All places of a matrix, or all off the diagonal."""
    everywhere = np.ones(weights.shape, dtype=bool)
    return everywhere if diagonal else everywhere ^ np.eye(len(weights), dtype=bool)


def scaled_positions(field: Field, *, coordinates: Coordinates = "soma") -> NDArray[np.float64]:
    """Positions scaled to [0, 1] along each axis.

    Parameters
    ----------
    field : Field
        The field.
    coordinates : {"soma", "reshaped"}
        ``soma``: each row holds the three coordinates of one neuron. ``reshaped``: the (N, 3)
        array is read as (3, N) without a transpose and then scaled, as in the released code; a
        unit then holds three numbers that belong to other neurons, and the different ranges of
        x, y and z gather the units in three clusters.

    Returns
    -------
    ndarray, shape (N, 3)
        Coordinates of the units. An axis along which all agree becomes 0.
    """
    one_of("coordinates", coordinates, get_args(Coordinates))
    positions = field.positions.astype(float)
    return _unit_axes(positions if coordinates == "soma" else positions.reshape(3, -1).T)


def _unit_axes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each column to [0, 1]; a constant column becomes 0."""
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    scaled: NDArray[np.float64] = (points - low) / np.where(extent > 0, extent, 1.0)
    return scaled


def grid_coordinates(
    grid: tuple[int, int, int], n_neurons: int, *, scale: Literal["index", "unit"] = "index"
) -> NDArray[np.float64]:
    """Coordinates on a regular grid, the geometry without anatomy (D).

    Parameters
    ----------
    grid : tuple of int
        Points along the three axes.
    n_neurons : int
        Number of units; the first `n_neurons` grid points are taken.
    scale : {"index", "unit"}
        Integer indices, as in the released code, or each axis scaled to [0, 1].

    Returns
    -------
    ndarray, shape (N, 3)
        Coordinates, in the order of ``numpy.meshgrid`` with its default indexing.

    Raises
    ------
    ValueError
        If the grid has fewer points than there are units.
    """
    one_of("grid scale", scale, ("index", "unit"))
    if math.prod(grid) < n_neurons:
        raise ValueError(f"grid {grid} has {math.prod(grid)} points for {n_neurons} neurons")
    axes = np.meshgrid(*(np.arange(k, dtype=float) for k in grid))
    points = np.stack([axis.ravel() for axis in axes], axis=1)[:n_neurons]
    return _unit_axes(points) if scale == "unit" else points


def distances(coordinates: ArrayLike) -> NDArray[np.float64]:
    """Euclidean distances between units.

    Parameters
    ----------
    coordinates : array_like, shape (N, 3)
        Coordinates.

    Returns
    -------
    ndarray, shape (N, N)
        Symmetric, zero on the diagonal.

    Raises
    ------
    ValueError
        If the coordinates are not a finite two-dimensional array.
    """
    points = np.asarray(coordinates, dtype=float)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"coordinates must be finite, shape (N, 3); got shape {points.shape}")
    lengths: NDArray[np.float64] = cdist(points, points)
    return lengths


def mean_distance(distances: NDArray[np.float64]) -> float:
    """Mean over all pairs of different units.

    Parameters
    ----------
    distances : ndarray, shape (N, N)
        With zero diagonal.

    Returns
    -------
    float
        The mean.
    """
    n_units = len(distances)
    return float(distances.sum() / (n_units * (n_units - 1)))


def matched_distances(
    distances: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give distances the very values of others, in their own order.

    Parameters
    ----------
    distances : ndarray, shape (N, N)
        Symmetric; says which pair is nearer than which.
    values : ndarray, shape (N, N)
        Symmetric; the k-th smallest of these becomes the distance of the k-th nearest pair.

    Returns
    -------
    ndarray, shape (N, N)
        Symmetric, zero on the diagonal; in general no longer Euclidean.
    """
    upper = np.triu_indices(len(distances), k=1)
    ranked = np.empty(len(upper[0]))
    ranked[distances[upper].argsort()] = np.sort(values[upper])
    result = np.zeros_like(distances)
    result[upper] = ranked
    return result + result.T


def shuffled_distances(
    distances: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Exchange distances between pairs at random, geometry without anything but its values.

    Parameters
    ----------
    distances : ndarray, shape (N, N)
        Symmetric, zero on the diagonal.
    rng : numpy.random.Generator
        Source of the exchange.

    Returns
    -------
    ndarray, shape (N, N)
        Symmetric, zero on the diagonal, with the same values; no longer Euclidean, and without
        clusters.
    """
    upper = np.triu_indices(len(distances), k=1)
    result = np.zeros_like(distances)
    result[upper] = rng.permutation(distances[upper])
    return result + result.T


def with_strong_self_connections(
    weights: NDArray[np.float64], count: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give a number of units a strong self-connection and all others none.

    Parameters
    ----------
    weights : ndarray, shape (N, N)
        Recurrent weights.
    count : int
        How many units.
    rng : numpy.random.Generator
        Source of the choice; from equal sources the units of a smaller number are among those of a
        larger one.

    Returns
    -------
    ndarray, shape (N, N)
        The same weights off the diagonal; on it the spectral radius of all starts, 0.95, or 0.

    Raises
    ------
    ValueError
        If there are fewer units.
    """
    n_units = len(weights)
    if count > n_units:
        raise ValueError(f"strong_self_connections is {count}, and the field has {n_units} neurons")
    diagonal = np.zeros(n_units)
    diagonal[rng.permutation(n_units)[:count]] = SPECTRAL_RADIUS
    result = weights.copy()
    np.fill_diagonal(result, diagonal)
    return result


def clustered_points(n_points: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points in three tight clusters, geometry without anatomy.

    Point j lies in cluster j mod 3, at a random place of a cube around one corner of an equilateral
    triangle of side 1. The mean distance within a cluster is about an eighth of that between
    clusters, as with the reshaped coordinates of published fields (:func:`scaled_positions`).

    Parameters
    ----------
    n_points : int
        How many.
    rng : numpy.random.Generator
        Source of the places.

    Returns
    -------
    ndarray, shape (n_points, 3)
        Coordinates.
    """
    corners = np.eye(3) / math.sqrt(2)
    return corners[np.arange(n_points) % 3] + CLUSTER_WIDTH * (rng.random((n_points, 3)) - 0.5)
