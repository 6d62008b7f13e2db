"""Kept recurrent matrices after training: their strongest entries, and what these leave out.

A run of the archive is a row of numbers. For some runs the recurrent matrix is kept as well, as
far as its graph needs it: the strongest tenth of the entries, which
:func:`cortexrnn.networks.topology.strongest` marks, and the diagonal. What was left out is stated
beside every matrix. A file holds plain arrays and no pickles, and names the identity of each run,
which leads to its row of the archive.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.networks import topology
from cortexrnn.runs.archive import METRICS, written_whole

__all__ = [
    "COURSE",
    "QUANTILES",
    "SUMMARY",
    "KeptRun",
    "SparseWeights",
    "WeightsError",
    "kept_weights",
    "load_weights",
    "save_weights",
    "sparsify",
    "stated_loss",
]

FILE_FORMAT = 1
"""Layout of the files that :func:`save_weights` writes."""

LARGEST = 256 * 2**20
"""Bytes that the arrays of one file may take when unpacked."""

REMEDY = "install the package again, or make the file again with tools/keep_weights.py"
"""What to do about a file that is refused."""

BINS = 100
"""Bins of the histogram of all weights, between the smallest and the largest."""

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Which quantiles of all signed weights are kept."""

SUMMARY = (
    "mean",
    "sd",
    "threshold",
    "spectral_radius",
    "share_of_sum",
    "share_of_norm",
    "error",
)
"""What is known of the full matrix: mean and standard deviation of the signed weights; the 0.9
quantile of magnitudes; largest modulus of an eigenvalue; and the stated loss: the kept share of the
sum of magnitudes and of the Frobenius norm, and the Frobenius norm of the difference, rounding
included, relative to that of the full matrix."""

COURSE = ("entropy", "modularity", "small_worldness", "assortativity")
"""Measures that are kept of the start and of the end of every epoch."""


class WeightsError(ValueError):
    """A file of weights that cannot be read, or weights that cannot be kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseWeights:
    """The strongest tenth of a matrix and its diagonal, in half precision.

    Parameters
    ----------
    strong : ndarray of bool, shape (N, N)
        Which entries off the diagonal are kept.
    values : ndarray of float16, shape (K,)
        These entries, row by row, divided by ``2 ** exponent``.
    diagonal : ndarray of float16, shape (N,)
        The diagonal, divided alike.
    exponent : int
        Chosen so that the largest entry uses the range of half precision.
    summary : dict of str to float
        Quantities of the full matrix, see :data:`SUMMARY`.
    quantiles : ndarray, shape (len(QUANTILES),)
        Of all weights of the full matrix.
    histogram : ndarray of int, shape (BINS,)
        Number of weights of the full matrix in bins of equal width between the extremes.
    """

    strong: NDArray[np.bool_]
    values: NDArray[np.float16]
    diagonal: NDArray[np.float16]
    exponent: int
    summary: dict[str, float]
    quantiles: NDArray[np.float64]
    histogram: NDArray[np.int64]

    def dense(self) -> NDArray[np.float64]:
        """Return the matrix with zeros where entries were left out, shape (N, N)."""
        matrix = np.zeros(self.strong.shape)
        matrix[self.strong] = np.ldexp(self.values.astype(float), self.exponent)
        np.fill_diagonal(matrix, np.ldexp(self.diagonal.astype(float), self.exponent))
        return matrix

    def graph(self) -> NDArray[np.bool_]:
        """Return the graph of the full matrix, see :func:`cortexrnn.networks.topology.graph`."""
        return np.asarray(self.strong | self.strong.T)


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRun:
    """One run whose recurrent matrix is kept.

    Parameters
    ----------
    variant, task, arm : str
        What was trained.
    seed : int
        Its seed.
    identity : str
        Of the run; the key of its row of the archive.
    metrics : dict of str to float
        Metrics of the training that gave the matrix, by the names of
        :data:`cortexrnn.runs.archive.METRICS`.
    matrix : SparseWeights
        The recurrent matrix after training.
    course : ndarray, shape (epochs + 1, len(COURSE))
        Measures of the full matrix at the start and after every epoch.
    """

    variant: str
    task: str
    arm: str
    seed: int
    identity: str
    metrics: dict[str, float]
    matrix: SparseWeights
    course: NDArray[np.float64]


def sparsify(weights: ArrayLike) -> SparseWeights:
    """Keep what the graph of a matrix needs.

    Parameters
    ----------
    weights : array_like, shape (N, N)
        Signed finite weights.

    Returns
    -------
    SparseWeights
        Its graph is that of the full matrix, whether by :meth:`SparseWeights.graph` or from
        :meth:`SparseWeights.dense`.

    Raises
    ------
    WeightsError
        If `weights` is not a square matrix of finite real numbers.
    """
    try:
        strongest = topology.strongest(weights)
    except ValueError as error:
        raise WeightsError(f"{error}; only networks that did not diverge are kept") from error
    full = np.asarray(weights, dtype=float)
    strong = strongest.copy()
    np.fill_diagonal(strong, False)
    largest = np.abs(full).max()
    exponent = int(np.frexp(largest)[1]) - 15 if largest > 0 else 0
    scaled = np.ldexp(full, -exponent)
    values, diagonal = _rounded(scaled[strong], np.diag(scaled), np.diag(strongest))
    kept = np.zeros_like(full)
    kept[strong] = values
    np.fill_diagonal(kept, diagonal)
    threshold = float(np.quantile(np.abs(full), topology.EDGE_QUANTILE))
    summary = {"mean": float(full.mean()), "sd": float(full.std()), "threshold": threshold}
    summary["spectral_radius"] = float(np.abs(np.linalg.eigvals(full)).max())
    return SparseWeights(
        strong=strong,
        values=values,
        diagonal=diagonal,
        exponent=exponent,
        summary=summary | _loss(scaled, kept),
        quantiles=np.quantile(full, QUANTILES),
        histogram=_histogram(full),
    )


def _rounded(
    strong: NDArray[np.float64], diagonal: NDArray[np.float64], is_strong: NDArray[np.bool_]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Round to half precision so that no weak self-connection ties with a strong entry."""
    least = np.float16(2.0**-24)  # the smallest number above zero
    values = np.copysign(np.maximum(np.abs(strong), least), strong).astype(np.float16)
    rounded = diagonal.astype(np.float16)
    if len(values):
        below = np.nextafter(np.abs(values).min(), np.float16(0))
        weak = np.where(is_strong, np.abs(rounded), np.minimum(np.abs(rounded), below))
        rounded = np.copysign(weak, rounded).astype(np.float16)
    return values, rounded


def _loss(full: NDArray[np.float64], kept: NDArray[np.float64]) -> dict[str, float]:
    """State what the kept entries leave out; 1 and 0 for a matrix of zeros."""
    total, norm = np.abs(full).sum(), np.linalg.norm(full)
    if total == 0:
        return {"share_of_sum": 1.0, "share_of_norm": 1.0, "error": 0.0}
    return {
        "share_of_sum": float(np.abs(kept).sum() / total),
        "share_of_norm": float(np.linalg.norm(kept) / norm),
        "error": float(np.linalg.norm(full - kept) / norm),
    }


def _histogram(full: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count all weights in bins between the extremes; equal weights lie in the first bin."""
    low, high = full.min(), full.max()
    if low == high:
        return np.asarray(np.eye(1, BINS, dtype=np.int64)[0] * full.size)
    place = np.floor((full - low) / (high - low) * BINS).astype(int)
    return np.bincount(place.ravel().clip(0, BINS - 1), minlength=BINS)


def save_weights(
    runs: Sequence[KeptRun], path: str | Path, *, field: str, field_hash: str, made: str
) -> Path:
    """Write kept runs of one field to one file, completely or not at all.

    Parameters
    ----------
    runs : sequence of KeptRun
        At least one; all of one size and number of epochs.
    path : str or Path
        The file, ``something.npz``.
    field, field_hash : str
        The field and its :attr:`~cortexrnn.fields.field.Field.hash_without_events`.
    made : str
        Device, versions and commit, for people.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WeightsError
        If there is no run, or runs differ in size or number of epochs.
    ArchiveError
        If the folder cannot be written.
    """
    shapes = {(run.matrix.strong.shape, run.course.shape) for run in runs}
    if len(shapes) != 1:
        raise WeightsError(f"{len(runs)} runs of {len(shapes)} sizes; give runs of one size")
    matrices = [run.matrix for run in runs]
    arrays: dict[str, Any] = {
        "format": np.int64(FILE_FORMAT),
        "field": field,
        "field_hash": field_hash,
        "made": made,
        "n_neurons": np.int64(len(matrices[0].strong)),
        "seed": np.array([run.seed for run in runs], np.int64),
        "metrics": np.array([[run.metrics[name] for name in METRICS] for run in runs], float),
        "course": np.array([run.course for run in runs], np.float32),
        "strong": np.array([np.packbits(matrix.strong) for matrix in matrices]),
        "stops": np.cumsum([len(matrix.values) for matrix in matrices], dtype=np.int64),
        "values": np.concatenate([matrix.values for matrix in matrices]),
        "diagonal": np.array([matrix.diagonal for matrix in matrices]),
        "exponent": np.array([matrix.exponent for matrix in matrices], np.int16),
        "summary": np.array([[m.summary[name] for name in SUMMARY] for m in matrices], float),
        "quantiles": np.array([matrix.quantiles for matrix in matrices], float),
        "histogram": np.array([matrix.histogram for matrix in matrices], np.int32),
    }
    for name in ("variant", "task", "arm", "identity"):
        arrays[name] = np.array([getattr(run, name) for run in runs], np.str_)
    target = Path(path)
    with written_whole(target) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return target


def kept_weights(field: str, *, arm: str = "corr") -> list[KeptRun]:
    """Load the matrices of one arm of one field that ship with the package.

    Parameters
    ----------
    field : str
        Name of the field.
    arm : str
        Relation and sign, as the archive names them: ``"corr"``, ``"corr+sign"``, ...

    Returns
    -------
    list of KeptRun
        Empty where none are shipped.
    """
    with resources.as_file(resources.files("cortexrnn") / "data" / "weights") as folder:
        shipped = {path.stem: path for path in folder.glob("*.npz")}
        runs = load_weights(shipped[field]) if field in shipped else []
    return [run for run in runs if run.arm == arm]


def load_weights(path: str | Path) -> list[KeptRun]:
    """Read a file that :func:`save_weights` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of KeptRun
        In the order of the file.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, of another format, or contradicts itself.
    """
    arrays = read_arrays(Path(path), remedy=REMEDY, largest=LARGEST)
    try:
        _check(arrays)
    except WeightsError as error:
        raise WeightsError(f"{path} refused: {error}; {REMEDY}") from error
    n = int(arrays["n_neurons"])
    strong = np.unpackbits(arrays["strong"], axis=1, count=n * n).astype(bool).reshape(-1, n, n)
    values = np.split(arrays["values"], arrays["stops"][:-1])
    return [
        KeptRun(
            **{name: str(arrays[name][i]) for name in ("variant", "task", "arm", "identity")},
            seed=int(arrays["seed"][i]),
            metrics=dict(zip(METRICS, arrays["metrics"][i].tolist(), strict=True)),
            course=arrays["course"][i].astype(float),
            matrix=SparseWeights(
                strong=strong[i],
                values=values[i],
                diagonal=arrays["diagonal"][i],
                exponent=int(arrays["exponent"][i]),
                summary=dict(zip(SUMMARY, arrays["summary"][i].tolist(), strict=True)),
                quantiles=arrays["quantiles"][i],
                histogram=arrays["histogram"][i].astype(np.int64),
            ),
        )
        for i in range(len(strong))
    ]


LAYOUT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "format": ("i8", ()),
    "n_neurons": ("i8", ()),
    "field": ("U", ()),
    "field_hash": ("U", ()),
    "made": ("U", ()),
    "variant": ("U", ("runs",)),
    "task": ("U", ("runs",)),
    "arm": ("U", ("runs",)),
    "identity": ("U", ("runs",)),
    "seed": ("i8", ("runs",)),
    "metrics": ("f8", ("runs", len(METRICS))),
    "course": ("f4", ("runs", "times", len(COURSE))),
    "strong": ("u1", ("runs", "bytes")),
    "stops": ("i8", ("runs",)),
    "values": ("f2", ("kept",)),
    "diagonal": ("f2", ("runs", "neurons")),
    "exponent": ("i2", ("runs",)),
    "summary": ("f8", ("runs", len(SUMMARY))),
    "quantiles": ("f8", ("runs", len(QUANTILES))),
    "histogram": ("i4", ("runs", BINS)),
}
"""Arrays of a file: type and shape; a length with a name is the same in all shapes."""


def read_arrays(path: Path, *, remedy: str, largest: int | None) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz file, pickles and what would fill the memory refused.

    Parameters
    ----------
    path : Path
        The file.
    remedy : str
        What to do about a file that is refused.
    largest : int, optional
        Bytes that arrays may take when unpacked; default: those of the file.

    Returns
    -------
    dict of str to ndarray
        The arrays.

    Raises
    ------
    WeightsError
        If the file cannot be read, is damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read: {error.strerror or error}; check the path"
        ) from error
    data, most = io.BytesIO(content), len(content) if largest is None else largest
    try:
        with zipfile.ZipFile(data) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > most:
            raise WeightsError(f"it would take {size:,} bytes, more than {most:,}")
        data.seek(0)
        with np.load(data, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # a damaged archive raises almost anything
        raise WeightsError(f"{path} is damaged or holds no weights: {error}; {remedy}") from error


def _check(arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that are missing, of another type or shape, or that disagree."""
    if "network_format" in arrays:
        raise WeightsError("it holds a whole network; read it with load_network")
    made_by = arrays.get("format", np.int64(0))
    if made_by.shape != () or made_by.dtype.kind != "i" or int(made_by) != FILE_FORMAT:
        raise WeightsError(f"its format is {made_by}, this package reads {FILE_FORMAT}")
    n = int(arrays["n_neurons"]) if np.shape(arrays.get("n_neurons", [])) == () else 0
    check_layout(arrays, LAYOUT, {"neurons": n, "bytes": -(-n * n // 8)})
    _check_content(arrays, n)


def check_layout(
    arrays: dict[str, NDArray[Any]],
    layout: dict[str, tuple[str, tuple[Any, ...]]],
    lengths: dict[str, int],
) -> None:
    """Refuse arrays that are missing or unknown, of another type or shape, or that disagree.

    Parameters
    ----------
    arrays : dict of str to ndarray
        What a file holds.
    layout : dict
        Type and shape of every array; a length with a name is the same in all shapes.
    lengths : dict of str to int
        Lengths that are known.

    Raises
    ------
    WeightsError
        If they do not fit.
    """
    if wrong := sorted(set(arrays) ^ set(layout)):
        raise WeightsError(f"arrays missing or unknown: {', '.join(wrong)}")
    lengths = dict(lengths)
    for name, (kind, shape) in layout.items():
        array = arrays[name]
        fits = array.dtype.kind == kind if kind == "U" else array.dtype == np.dtype(kind)
        if not fits or array.ndim != len(shape):
            raise WeightsError(f"{name} is {array.dtype} of shape {array.shape}")
        for length, wanted in zip(array.shape, shape, strict=True):
            known = wanted if isinstance(wanted, int) else lengths.setdefault(wanted, length)
            if length != known:
                raise WeightsError(f"{name} has shape {array.shape}, expected {known} for {wanted}")


def _check_content(arrays: dict[str, NDArray[Any]], n: int) -> None:
    """Refuse values that no matrix of N neurons could have left."""
    bits = np.unpackbits(arrays["strong"], axis=1)
    on_diagonal = bits[:, : n * n : n + 1].any()
    if n < 1 or not len(bits) or on_diagonal or bits[:, n * n :].any():
        raise WeightsError("the marks of kept entries do not fit the number of neurons")
    if not np.array_equal(np.cumsum(bits.sum(axis=1, dtype=np.int64)), arrays["stops"]):
        raise WeightsError("the numbers of kept entries and of their marks differ")
    if len(arrays["values"]) != arrays["stops"][-1]:
        raise WeightsError(f"{len(arrays['values'])} values for {arrays['stops'][-1]} marks")
    for name in ("values", "diagonal", "summary", "quantiles"):
        if not np.isfinite(arrays[name]).all():
            raise WeightsError(f"{name} holds values that are not finite")
    if (arrays["values"] == 0).any() or (np.abs(arrays["exponent"].astype(int)) > 1200).any():
        raise WeightsError("a kept entry is zero, or its exponent is beyond any float")
    if (arrays["histogram"] < 0).any() or (arrays["histogram"].sum(axis=1) != n * n).any():
        raise WeightsError("a histogram does not count every weight once")
    identities = arrays["identity"].tolist()
    strange = [name for name in identities if not re.fullmatch(r"[0-9a-f]{32}", name)]
    if strange or len(set(identities)) != len(identities):
        raise WeightsError("identities are not different hashes of 32 hexadecimal digits")


def stated_loss(runs: Sequence[KeptRun]) -> pd.DataFrame:
    """Tabulate how much of the matrix of every kept run is kept.

    Parameters
    ----------
    runs : sequence of KeptRun
        Kept runs.

    Returns
    -------
    DataFrame
        One row per run: ``task, variant, seed, kept`` (entries), the values of :data:`SUMMARY`
        and the ``identity``.
    """
    rows = [
        {
            "task": run.task, "variant": run.variant, "seed": run.seed,
            "kept": len(run.matrix.values) + len(run.matrix.diagonal),
            **run.matrix.summary, "identity": run.identity,
        }
        for run in runs
    ]  # fmt: skip
    return pd.DataFrame(rows)
