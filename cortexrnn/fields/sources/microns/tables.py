"""What the tables of the release mean: neurons, pairs, axons. Both routes use this.

A row of the coregistration table says that one unit of a functional scan is one nucleus of the
electron microscopy. Its ``id`` numbers the row; the nucleus is ``target_id``.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cortexrnn.fields.sources.microns.store import MicronsError

__all__ = ["Source", "axon_sparsity", "axon_status", "coregistered", "select", "synapse_counts"]

#: Edge lengths in nm of the voxels in which positions are stored.
VOXEL_SIZE = (4.0, 4.0, 40.0)

#: Generous upper bounds of positions in these voxels. Positions in nm exceed them everywhere in the
#: volume, so that a wrong unit is detected.
LARGEST_POSITION = (500_000, 400_000, 30_000)

#: Axon status of a neuron about whose axon the proofreading tables say nothing.
UNPROOFREAD = "not proofread"


class Source(Protocol):
    """What a route to the tables provides. Ids are int64 throughout."""

    route: str
    version: int

    def coregistration(self, session: int, scan: int, field: int) -> pd.DataFrame:
        """Rows of one imaging field, as `coregistered` returns them."""

    def cell_types(self, nuclei: NDArray[np.int64]) -> pd.DataFrame:
        """Columns ``nucleus``, ``classification``, ``cell_type``."""

    def proofreading(self, roots: NDArray[np.int64]) -> pd.DataFrame | None:
        """Raw proofreading rows of these segments, or None where there is no such table."""

    def pairs(self, roots: NDArray[np.int64]) -> pd.DataFrame:
        """Columns ``pre``, ``post``, ``n``: synapses between these segments, self excluded."""


def need(frame: pd.DataFrame, columns: tuple[str, ...], table: str) -> None:
    """Raise unless the table has these columns."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise MicronsError(
            f"table {table} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(map(str, frame.columns))}. Its layout differs from the versions this "
            "package knows; use the pinned version"
        )


def int64(frame: pd.DataFrame, column: str, table: str) -> NDArray[np.int64]:
    """Return a column of ids as int64, never by way of floats."""
    values = frame[column]
    if values.isna().any():
        raise MicronsError(
            f"table {table}, column {column}: {int(values.isna().sum())} empty value(s); ids "
            "cannot be empty, request the table again"
        )
    if values.dtype.kind == "f":
        raise MicronsError(
            f"table {table}, column {column} came as {values.dtype}: ids have 18 digits and floats "
            "keep 15; update caveclient to 8 or later"
        )
    return np.array([int(value) for value in values], dtype=np.int64)


def coregistered(raw: pd.DataFrame, table: str) -> pd.DataFrame:
    """Name the columns of a coregistration table by what they are.

    Parameters
    ----------
    raw : pandas.DataFrame
        Joined with the nucleus table, positions in columns ending in x, y, z, in voxels of
        4 x 4 x 40 nm.
    table : str
        Its name in messages.

    Returns
    -------
    pandas.DataFrame
        Columns ``nucleus``, ``unit``, ``session``, ``scan``, ``field``, ``root`` (int64),
        ``score``, ``residual`` (float, in micrometres), ``x``, ``y``, ``z``.

    Raises
    ------
    MicronsError
        If a column is missing, ids arrived as floats, the joined nucleus is another one, or
        positions are not in these voxels.
    """
    axes = ("x", "y", "z") if "x" in raw else ("pt_position_x", "pt_position_y", "pt_position_z")
    ids = {"nucleus": "target_id", "unit": "unit_id", "root": "pt_root_id"}
    ids |= {"session": "session", "scan": "scan_idx", "field": "field"}
    need(raw, (*ids.values(), "score", "residual", *axes), table)
    rows = pd.DataFrame({new: int64(raw, old, table) for new, old in ids.items()})
    if "id_ref" in raw and not np.array_equal(int64(raw, "id_ref", table), rows["nucleus"]):
        raise MicronsError(
            f"table {table}: target_id and the id of the joined nucleus differ; the join is not "
            "the one on target_id, request it again with merge_reference"
        )
    for column in ("score", "residual"):
        rows[column] = pd.to_numeric(raw[column]).to_numpy(dtype=np.float64)
    for axis, old, largest in zip("xyz", axes, LARGEST_POSITION, strict=True):
        rows[axis] = _voxels(
            pd.to_numeric(raw[old]).to_numpy(dtype=np.float64), largest, old, table
        )
    return rows


def _voxels(values: NDArray[np.float64], largest: int, column: str, table: str) -> NDArray[Any]:
    """Positions as whole voxels where they are whole, after a look at their unit."""
    if not np.isfinite(values).all() or (values < 0).any() or (values > largest).any():
        outside = values[~((values >= 0) & (values <= largest))][0]
        raise MicronsError(
            f"table {table}, column {column}: {outside:g} is no voxel of 4 x 4 x 40 nm inside the "
            f"volume (0 to {largest}); positions in nm have to be divided by the voxel size"
        )
    whole = np.rint(values)
    return whole.astype(np.int64) if np.array_equal(whole, values) else values


def select(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose one row for each neuron, in ascending order of units.

    In this order: of several rows for one nucleus, or for one unit, the one with the highest score
    stays; a nucleus whose point lies outside the segmentation (segment 0) is left out, since
    nothing is known of its synapses; so are nuclei that share a segment, since it is not
    known whose synapses these are.

    Parameters
    ----------
    rows : pandas.DataFrame
        As from `coregistered`.

    Returns
    -------
    neurons, left_out : pandas.DataFrame
        ``left_out`` has a column ``reason``. Together they hold every row.
    """
    best = rows.sort_values(["score", "unit", "nucleus"], ascending=[False, True, True])
    best = best.reset_index(drop=True)
    reason = pd.Series("", index=best.index)
    reason[best.duplicated("nucleus")] = "another unit matches this nucleus with a higher score"
    free = reason == ""
    twice = best[free].duplicated("unit")
    reason[twice.index[twice]] = "another nucleus matches this unit with a higher score"
    reason[(reason == "") & (best["root"] == 0)] = "no segment at its point (root id 0)"
    free = reason == ""
    shared = best[free].duplicated("root", keep=False)
    reason[shared.index[shared]] = "several nuclei on one segment"
    neurons = best[reason == ""].sort_values("unit").reset_index(drop=True)
    left_out = best[reason != ""].assign(reason=reason[reason != ""]).sort_values("unit")
    return neurons, left_out.reset_index(drop=True)


def synapse_counts(pairs: pd.DataFrame, roots: ArrayLike) -> NDArray[np.int64]:
    """Put counted synapses into a matrix, row = presynaptic.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns ``pre``, ``post``, ``n``; other segments and self-connections are ignored.
    roots : array of int64, shape (N,)
        Segments in the order of the neurons, all different.

    Returns
    -------
    ndarray of int64, shape (N, N)
    """
    place = pd.Index(np.asarray(roots, dtype=np.int64))
    pre, post = place.get_indexer(pairs["pre"]), place.get_indexer(pairs["post"])
    inside = (pre >= 0) & (post >= 0) & (pre != post)
    counts = np.zeros((len(place), len(place)), dtype=np.int64)
    np.add.at(counts, (pre[inside], post[inside]), pairs["n"].to_numpy(np.int64)[inside])
    return counts


def axon_status(roots: ArrayLike, proofreading: pd.DataFrame | None) -> pd.DataFrame:
    """Find for each segment whether and how its axon was proofread.

    Parameters
    ----------
    roots : array of int64, shape (N,)
        Segments in the order of the neurons.
    proofreading : pandas.DataFrame or None
        Rows with ``pt_root_id``, ``status_axon`` and, where the version has them,
        ``strategy_axon`` and ``valid_id``.

    Returns
    -------
    pandas.DataFrame
        Columns ``axon`` (the strategy, such as ``axon_fully_extended``, or the status where there
        is no strategy; ``not proofread``; ``unknown`` where there is no table) and
        ``axon_current`` (whether the segment is still the one that was checked).
    """
    order = pd.Index(np.asarray(roots, dtype=np.int64))
    if proofreading is None:
        return pd.DataFrame({"axon": "unknown", "axon_current": False}, index=range(len(order)))
    table = "proofreading"
    need(proofreading, ("pt_root_id", "status_axon"), table)
    rows = pd.DataFrame({"root": int64(proofreading, "pt_root_id", table)})
    rows["axon"] = [_axon(row) for row in proofreading.to_dict("records")]
    rows["axon_current"] = _current(proofreading, rows["root"])
    # A segment with two rows counts as proofread if one of them says so.
    rows = rows.sort_values("axon", key=lambda axon: axon == UNPROOFREAD, kind="stable")
    rows = rows.drop_duplicates("root").set_index("root").reindex(order).reset_index(drop=True)
    current = rows["axon_current"].eq(True)
    return pd.DataFrame({"axon": rows["axon"].fillna(UNPROOFREAD), "axon_current": current})


def _current(proofreading: pd.DataFrame, roots: pd.Series) -> ArrayLike:
    """Find the rows that still name the segment that was checked."""
    if "valid_id" not in proofreading:
        return np.ones(len(roots), dtype=bool)
    checked = proofreading["valid_id"]
    # Where some are empty they all arrive as floats, which cannot be compared any more.
    return np.zeros(len(roots), dtype=bool) if checked.dtype.kind == "f" else checked == roots


def _axon(row: dict[Any, Any]) -> str:
    """Word for the axon of one row; servers wrote booleans as True, 't' or a status word."""
    status = str(row["status_axon"]).lower()
    if status in ("false", "f", "non", "none", "nan", ""):
        return UNPROOFREAD
    strategy = str(row.get("strategy_axon", "")).lower()
    if strategy not in ("", "none", "nan"):
        return strategy
    return "proofread" if status in ("true", "t") else status


def axon_sparsity(connectome: ArrayLike, axon: ArrayLike) -> pd.DataFrame:
    """Count outgoing connections by the proofreading status of their axons.

    Most axons of the release were never proofread and end early: a zero in the connectome is weak
    evidence where the row is such an axon.

    Parameters
    ----------
    connectome : array, shape (N, N)
        Synapse counts, row = presynaptic.
    axon : array of str, shape (N,)
        Status of each neuron, as from `axon_status`.

    Returns
    -------
    pandas.DataFrame
        One row per status, most neurons first: ``neurons``, ``connections``, ``synapses``,
        ``pairs`` (ordered pairs that could be connected), ``density`` (connections per pair) and
        ``without_output`` (share of neurons that send nothing within the field).

    Raises
    ------
    MicronsError
        If the number of neurons differs.
    """
    counts = np.asarray(connectome)
    status = pd.Series(np.asarray(axon), name="axon")
    n = len(status)
    if counts.shape != (n, n):
        raise MicronsError(
            f"the connectome has shape {counts.shape} but there are {n} axon states; give both the "
            "same neurons"
        )
    outgoing = counts - np.diag(counts.diagonal())
    sent = pd.DataFrame(
        {
            "neurons": 1,
            "connections": (outgoing > 0).sum(axis=1),
            "synapses": outgoing.sum(axis=1),
            "without_output": ~(outgoing > 0).any(axis=1),
        }
    )
    groups = sent.groupby(status)
    table = groups[["neurons", "connections", "synapses"]].sum()
    table["pairs"] = table["neurons"] * (n - 1)
    table["density"] = table["connections"] / table["pairs"]
    table["without_output"] = groups["without_output"].mean()
    return table.sort_values("neurons", ascending=False, kind="stable")
