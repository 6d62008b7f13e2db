"""From the answers of a route and the traces of a scan to a field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields import relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import event_trains
from cortexrnn.fields.sources.microns import nwb
from cortexrnn.fields.sources.microns.cave import CAVE_VERSION, Cave
from cortexrnn.fields.sources.microns.static import STATIC_VERSION, Static
from cortexrnn.fields.sources.microns.store import MicronsError, digest
from cortexrnn.fields.sources.microns.tables import (
    VOXEL_SIZE,
    Source,
    axon_sparsity,
    axon_status,
    select,
    synapse_counts,
)

__all__ = ["SCANS", "Assembly", "assemble", "field", "field_name", "named"]

#: Scans of the release, by session.
SCANS = {
    4: (7, 9, 10),
    5: (3, 6, 7),
    6: (2, 4, 6, 7),
    7: (3, 4, 5),
    8: (5, 7, 9),
    9: (3, 4, 6),
}

#: Largest number of imaging fields per scan; session 9 has six.
N_FIELDS = 8

Route = Literal["cave", "static"]

_NAME = re.compile(r"microns_(\d+)_(\d+)_(\d+)(?:_(v|static)(\d+))?")


@dataclass(frozen=True)
class Assembly:
    """A field, and tables about it that a field cannot hold.

    Parameters
    ----------
    field : Field
        Neurons in ascending order of units.
    neurons : pandas.DataFrame
        One row per neuron, in the order of the field: ``nucleus``, ``unit``, ``root``, ``score``,
        ``residual``, ``classification``, ``cell_type``, ``axon``, ``axon_current``, ...
    left_out : pandas.DataFrame
        Coregistered rows that are no neuron of the field, each with its ``reason``.
    provenance : dict
        Route, version, kind of activity, frame rate and every setting.
    """

    field: Field
    neurons: pd.DataFrame
    left_out: pd.DataFrame
    provenance: dict[str, Any]

    def axon_sparsity(self) -> pd.DataFrame:
        """Outgoing connections by axon status, as `axon_sparsity` gives them."""
        return axon_sparsity(self.field.connectome, self.neurons["axon"])


def field(**settings: Any) -> Field:
    """Build a field; all settings are those of `assemble`.

    Returns
    -------
    Field

    Raises
    ------
    MicronsError
        As for `assemble`.
    """
    return assemble(**settings).field


def assemble(
    *,
    session: int,
    scan: int,
    field: int,
    route: Route = "cave",
    version: int | None = None,
    client: Any = None,
    excitatory_only: bool = False,
    activity: Literal["nwb"] | None = "nwb",
    nwb_url: str | None = None,
    events: Any = None,
    order: Literal[1, 2] = 2,
    frame_rate_hz: float | None = None,
    threshold: float = 0.0,
    bin_s: float = 0.2,
    window_s: float = 0.1,
    duration_s: float | None = None,
    precision: bool = False,
    progress: bool = True,
) -> Assembly:
    """Build the field of any session, scan and imaging field from the MICrONS release.

    Every answer is kept in the cache, by route and version, and not requested again; a run that was
    interrupted continues where it stopped.

    Parameters
    ----------
    session, scan, field : int
        Imaging field, such as 6, 6, 2. Manually coregistered neurons lie in even fields.
    route : {"cave", "static"}
        Tables through CAVE, which needs a token, or from public files, which do not.
    version : int, optional
        Materialization; by default the pinned one of the route (`CAVE_VERSION`,
        `STATIC_VERSION`).
    client : caveclient.CAVEclient, optional
        A client of your own instead of the one that `cortexrnn.fields.sources.microns.connect`
        makes.
    excitatory_only : bool
        Whether to leave out neurons that are not classified as excitatory. Off by default: only
        excitatory cells carried the calcium indicator, and the published fields were not filtered.
    activity : {"nwb", None}
        Where activity comes from: the fluorescence of the scan's NWB file, re-deconvolved; or
        nowhere, the field then has anatomy only.
    nwb_url : str, optional
        Another address of the scan's NWB file.
    events : mapping from unit id to array of seconds, optional
        Event times of your own, such as `cortexrnn.fields.relations.trace_events` of the release's
        deconvolved traces from its database, or whatever else names its units, see
        `cortexrnn.fields.sources.arrays.read_events`. They replace ``activity``.
    order : {2, 1}
        See `cortexrnn.fields.relations.redeconvolve`.
    frame_rate_hz : float, optional
        By default the mean rate by the file's own clock (the published event times use the
        nominal 6.3009 Hz).
    threshold : float
        See `cortexrnn.fields.relations.trace_events`.
    bin_s, window_s, duration_s : float
        See `cortexrnn.fields.relations.bin_events` and `cortexrnn.fields.relations.sttc`.
    precision : bool
        Whether to compute the precision matrix, which is slow.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    Assembly

    Raises
    ------
    MicronsError
        If anything is missing, refused or inconsistent; the message has the remedy.
    """
    _check_place(session, scan, field)
    source = _source(route, version, client, progress=progress)
    rows = source.coregistration(session, scan, field)
    if rows.empty:
        raise MicronsError(
            f"no neuron of field {session}_{scan}_{field} is coregistered at version "
            f"{source.version}; manual matches lie in even fields of 15 scans"
        )
    neurons, left_out = select(rows)
    neurons = _annotated(neurons, source)
    if excitatory_only:
        other = neurons["classification"] != "excitatory_neuron"
        neurons, left_out = _without(neurons, left_out, other, "not classified as excitatory")
    trains, activity_provenance = _activity(
        (session, scan, field),
        neurons,
        activity if events is None else events,
        url=nwb_url,
        order=order,
        frame_rate_hz=frame_rate_hz,
        threshold=threshold,
        progress=progress,
    )
    if trains is not None:
        silent = pd.Series([not len(train) for train in trains], index=neurons.index)
        trains = [train for train in trains if len(train)]
        neurons, left_out = _without(neurons, left_out, silent, "no event")
    if len(neurons) < 2:
        raise MicronsError(
            f"field {session}_{scan}_{field} keeps {len(neurons)} of {len(rows)} coregistered "
            f"rows; the others: {left_out['reason'].value_counts().to_dict()}"
        )
    settings: dict[str, Any] = {"bin_s": bin_s, "window_s": window_s, "duration_s": duration_s}
    computed: dict[str, Any] = {}
    if trains is not None:
        computed = relations.from_events(trains, **settings, with_precision=precision)
    assembled = Field.from_arrays(
        name=field_name(session, scan, field, route=source.route, version=source.version),
        ids=neurons["nucleus"].to_numpy(),
        positions=neurons[["x", "y", "z"]].to_numpy(),
        voxel_size=VOXEL_SIZE,
        connectome=synapse_counts(source.pairs(neurons["root"].to_numpy()), neurons["root"]),
        root_ids=neurons["root"].to_numpy(),
        unit_ids=neurons["unit"].to_numpy(),
        events=trains,
        origin=source.route,
        **computed,
    )
    provenance = {
        "route": source.route,
        "version": source.version,
        **activity_provenance,
        **settings,
    }
    return Assembly(assembled, neurons, left_out, provenance)


def field_name(session: int, scan: int, field: int, *, route: str, version: int) -> str:
    """Name of an assembled field, which `cortexrnn.fields.sources.load_field` understands.

    Returns
    -------
    str
        ``microns_6_6_2`` through CAVE at the pinned version, ``microns_6_6_2_v943`` at another
        one, ``microns_6_6_2_static1412`` from public files. Never ``6_6_2``: that is the published
        field.
    """
    name = f"microns_{session}_{scan}_{field}"
    if route == "static":
        return f"{name}_static{version}"
    return name if version == CAVE_VERSION else f"{name}_v{version}"


def named(name: str) -> Field:
    """Build the field that a name such as ``microns_6_6_2`` stands for, all settings default.

    Raises
    ------
    MicronsError
        If the name has another form, and whatever `assemble` raises.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise MicronsError(
            f"no field called {name!r}; fields of the release are named microns_6_6_2 (through "
            "CAVE), microns_6_6_2_v943 (another version) or microns_6_6_2_static1412 (public "
            "files)"
        )
    session, scan, imaging = (int(match[k]) for k in (1, 2, 3))
    return assemble(
        session=session,
        scan=scan,
        field=imaging,
        route="static" if match[4] == "static" else "cave",
        version=None if match[5] is None else int(match[5]),
    ).field


def _check_place(session: int, scan: int, field: int) -> None:
    """Refuse scans that the release does not have before a server is queried."""
    if scan not in SCANS.get(session, ()):
        known = "; ".join(f"{s}: {', '.join(map(str, k))}" for s, k in SCANS.items())
        raise MicronsError(
            f"the release has no session {session}, scan {scan}; session: scans are {known}"
        )
    if not 1 <= field <= N_FIELDS:
        raise MicronsError(f"field is {field}; imaging fields are numbered 1 to {N_FIELDS}")


def _source(route: Route, version: int | None, client: Any, *, progress: bool) -> Source:
    """Make the route to the tables."""
    if route not in get_args(Route):
        raise MicronsError(f"route is {route!r}; choose 'cave' (token) or 'static' (public files)")
    if route == "static":
        chosen = STATIC_VERSION if version is None else version
        return Static(version=chosen, progress=progress)
    chosen = CAVE_VERSION if version is None else version
    return Cave(client, version=chosen, progress=progress)


def _annotated(neurons: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Add cell types and axon status to the rows of the neurons."""
    types = source.cell_types(neurons["nucleus"].to_numpy()).set_index("nucleus")
    for column in ("classification", "cell_type"):
        neurons[column] = neurons["nucleus"].map(types[column]).fillna("unclassified")
    roots = neurons["root"].to_numpy()
    return neurons.join(axon_status(roots, source.proofreading(roots)))


def _without(
    neurons: pd.DataFrame, left_out: pd.DataFrame, mask: pd.Series, reason: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Move the rows where `mask` holds to those that were left out."""
    moved = neurons[mask].assign(reason=reason)[left_out.columns]
    remaining = neurons[~mask].reset_index(drop=True)
    return remaining, moved if left_out.empty else pd.concat([left_out, moved], ignore_index=True)


def _given(neurons: pd.DataFrame, events: Any) -> list[NDArray[np.float64]]:
    """Event times that the caller gave, in the order of the neurons."""
    units = neurons["unit"].tolist()
    try:
        read = event_trains.read(events, "events")
        if read.labels is None:
            raise MicronsError("events name no units; pass a dictionary or series by unit id")
        timed = read.on_clock(read.items, None)
    except FieldError as error:
        raise MicronsError(str(error)) from error
    by_unit = dict(zip(read.labels.tolist(), timed, strict=True))
    missing = [unit for unit in units if unit not in by_unit]
    if missing:
        raise MicronsError(
            f"events lacks {len(missing)} of {len(units)} units, the first is {missing[0]}; give "
            "an array of seconds for each, empty for a silent one"
        )
    return [np.asarray(by_unit[unit], dtype=np.float64) for unit in units]


def _activity(
    place: tuple[int, int, int],
    neurons: pd.DataFrame,
    source: Any,
    *,
    url: str | None,
    order: Literal[1, 2],
    frame_rate_hz: float | None,
    threshold: float,
    progress: bool,
) -> tuple[list[NDArray[np.float64]] | None, dict[str, Any]]:
    """Events of the neurons from wherever they come, and their provenance."""
    if source is None:
        return None, {"activity": None}
    if not isinstance(source, str):
        return _given(neurons, source), {"activity": "event times given by the caller"}
    if source != "nwb":
        raise MicronsError(f"activity is {source!r}; choose 'nwb' or None, or give events=...")
    units = neurons["unit"].to_numpy()
    recording = nwb.recording(*place, units, url=url, progress=progress)
    rate = recording.frame_rate_hz if frame_rate_hz is None else frame_rate_hz
    traces = nwb.kept_in(*place, url).array(
        f"redeconvolved_{order}_{digest(units)}",
        lambda: relations.redeconvolve(recording.fluorescence, order=order),
    )
    provenance = {
        "activity": "re-deconvolved",
        "recording": url or f"dandiset {nwb.DANDISET} {nwb.DANDI_VERSION}",
        "order": order,
        "frame_rate_hz": rate,
        "threshold": threshold,
    }
    return relations.trace_events(traces, frame_rate_hz=rate, threshold=threshold), provenance
