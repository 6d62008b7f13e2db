"""What the figure functions ask of their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from cortexrnn.fields.field import Field

__all__ = ["correlation", "named_matrices", "off_diagonal", "soma_um", "square"]


def square(
    matrix: ArrayLike, name: str, *, size: int | None = None, gaps: bool = False
) -> NDArray[Any]:
    """Return a finite square matrix, or say why what was given is none.

    Parameters
    ----------
    matrix : array_like, shape (N, N)
        What was given.
    name : str
        What it is, for the message.
    size : int, optional
        The N that is expected.
    gaps : bool
        Whether entries may be NaN, for pairs that were not measured.

    Returns
    -------
    ndarray, shape (N, N)
        The matrix.

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is not finite.
    """
    array = np.asarray(matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] < 2:
        raise ValueError(f"{name} has shape {array.shape}; expected a square matrix (N, N), N > 1")
    if size is not None and len(array) != size:
        raise ValueError(f"{name} has {len(array)} rows; expected {size}, one per neuron")
    if not (np.isfinite(array) | (gaps & np.isnan(array))).all():
        raise ValueError(f"{name} holds {(~np.isfinite(array)).sum()} entries that are not finite")
    return array


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Pearson's coefficient of two samples.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        The samples.

    Returns
    -------
    float
        NaN, without a warning, where one of them does not vary.
    """
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def named_matrices(
    matrices: dict[str, Any], what: str, *, gaps: bool = False
) -> dict[str, NDArray[Any]]:
    """Return square matrices of one size, by title.

    Parameters
    ----------
    matrices : dict of str to array_like, shape (N, N)
        Title and matrix of every panel.
    what : str
        What they are, for the message.
    gaps : bool
        Whether entries may be NaN.

    Returns
    -------
    dict of str to ndarray, shape (N, N)
        The same as arrays.

    Raises
    ------
    ValueError
        If there is none, or they differ in size, or one is not square and finite.
    """
    if not isinstance(matrices, dict) or not matrices:
        raise ValueError(f"{what}: expected a dict of title and matrix, got {matrices!r:.60}")
    size = len(next(iter(matrices.values())))
    return {name: square(matrix, name, size=size, gaps=gaps) for name, matrix in matrices.items()}


def off_diagonal(matrix: ArrayLike, name: str) -> NDArray[Any]:
    """Return all entries of a square matrix but its diagonal.

    Parameters
    ----------
    matrix : array_like, shape (N, N)
        The matrix.
    name : str
        What it is, for the message.

    Returns
    -------
    ndarray, shape (N * (N - 1),)
        Row by row.
    """
    array = square(matrix, name)
    return np.asarray(array[~np.eye(len(array), dtype=bool)])


def soma_um(field: Field) -> NDArray[np.float64]:
    """Return soma positions in micrometres from the corner of the field.

    Parameters
    ----------
    field : Field
        Gives positions in voxels and the voxel size in nanometres.

    Returns
    -------
    ndarray, shape (N, 3)
        Positions, the smallest of each axis 0.

    Raises
    ------
    TypeError
        If `field` is no field.
    """
    try:
        micrometres = np.asarray(field.positions, dtype=float) * np.asarray(field.voxel_size) / 1000
    except AttributeError:
        raise TypeError(
            f"field is {type(field).__name__}; expected a Field, for example "
            "cortexrnn.load_field('surrogate')"
        ) from None
    return np.asarray(micrometres - micrometres.min(axis=0))
