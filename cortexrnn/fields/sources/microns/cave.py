"""Tables of the release through CAVE, the annotation service: needs a token, allows any version.

The token is read from ``CAVE_TOKEN`` or from the file where caveclient keeps it. It is handed to
caveclient and to nothing else: it appears in no message, log or file of this package.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import requests
from numpy.typing import NDArray

from cortexrnn.fields.sources.microns.store import MicronsError, Store, digest, steps
from cortexrnn.fields.sources.microns.tables import VOXEL_SIZE, coregistered, int64, need

__all__ = ["CAVE_VERSION", "Cave", "connect"]

#: Materialization of January 2025, one of those that are kept. Without a number, CAVE takes the
#: newest one, and the same code gives other data a month later.
CAVE_VERSION = 1300

DATASTACK = "minnie65_public"
SERVER = "https://global.daf-apis.com"
TOKEN_PAGE = f"{SERVER}/auth/api/v1/create_token"
TERMS_PAGE = f"{SERVER}/sticky_auth/api/v1/tos/2/accept"

COREGISTRATION = "coregistration_manual_v4"
CELL_TYPES = "aibs_metamodel_celltypes_v661"
SYNAPSES = "synapses_pni_2"

#: From which version on each proofreading table exists, newest first.
PROOFREADING = (
    (1078, "proofreading_status_and_strategy"),
    (0, "proofreading_status_public_release"),
)

#: Rows at which the server cuts a reply off, saying so only in a header.
ROW_CAP = 500_000

#: Postsynaptic segments in one query.
CHUNK = 500

#: Seconds to wait before the next query when the server fails.
RETRY_WAITS_S = (2.0, 10.0)

REMEDY_WITHOUT = (
    "without a token, route='static' reads the public tables, and load_field('6_6_2') the "
    "published fields"
)


def connect(version: int = CAVE_VERSION) -> Any:
    """Return a caveclient for one materialization of the release.

    Parameters
    ----------
    version : int
        Materialization; numpy integers are accepted.

    Returns
    -------
    caveclient.CAVEclient

    Raises
    ------
    MicronsError
        If caveclient is missing, there is no token, the token is refused, the terms were not
        accepted, there is no network, or the version is unknown or expired.
    """
    number = checked_version(version)
    try:
        import caveclient
        from caveclient.auth import AuthClient
    except ImportError as error:
        raise MicronsError(
            f"CAVE needs caveclient: pip install -e '.[microns]'; {REMEDY_WITHOUT}"
        ) from error
    auth = AuthClient(token=os.environ.get("CAVE_TOKEN") or None, server_address=SERVER)
    if not auth.token:
        raise MicronsError(_no_token())
    with explained(f"datastack {DATASTACK}", token=auth.token):
        client = caveclient.CAVEclient(
            DATASTACK, server_address=SERVER, auth_token=auth.token, write_server_cache=False
        )
        check_version(client, number)
        client.version = number
    return client


def check_version(client: Any, version: int) -> None:
    """Raise unless the server still answers queries for this version.

    A client can be made for an expired version and would only fail later.
    """
    live = sorted(int(v) for v in client.materialize.get_versions())
    if version in live:
        return
    known = {int(v) for v in client.materialize.get_versions(expired=True)}
    state = "has expired" if version in known else "does not exist"
    raise MicronsError(
        f"materialization version {version} {state}; CAVE answers for "
        f"{', '.join(map(str, live))}. Use one of these (version=...), or route='static', which "
        "keeps some expired ones"
    )


class Cave:
    """The route through CAVE; see `cortexrnn.fields.sources.microns.tables.Source`.

    Parameters
    ----------
    client : caveclient.CAVEclient, optional
        Your own. Without one, `connect` makes it when the cache lacks an answer, so that a
        finished field needs neither token nor network.
    version : int
        Materialization that every query names; checked at the server before the first one.
    progress : bool
        Whether to show a progress bar.
    """

    route = "cave"

    def __init__(
        self, client: Any = None, *, version: int = CAVE_VERSION, progress: bool = True
    ) -> None:
        self.version = checked_version(version)
        self.progress = progress
        self._client = client
        self._checked = False
        self._store = Store(f"cave-{self.version}")

    def coregistration(self, session: int, scan: int, field: int) -> pd.DataFrame:
        """Rows of one imaging field, joined by the server with their nuclei."""
        raw = self._kept(
            f"coregistration_{session}_{scan}_{field}",
            COREGISTRATION,
            filter_equal_dict={"session": session, "scan_idx": scan, "field": field},
            desired_resolution=list(VOXEL_SIZE),
        )
        return coregistered(raw, COREGISTRATION)

    def cell_types(self, nuclei: NDArray[np.int64]) -> pd.DataFrame:
        """Class and type of each nucleus that was classified."""
        raw = self._kept(
            f"cell_types_{digest(nuclei)}",
            CELL_TYPES,
            filter_in_dict={"target_id": nuclei.tolist()},
        )
        return named_cell_types(raw, CELL_TYPES)

    def proofreading(self, roots: NDArray[np.int64]) -> pd.DataFrame | None:
        """Rows of these segments in the proofreading table of the version."""
        table = next(name for since, name in PROOFREADING if self.version >= since)
        return self._kept(
            f"proofreading_{digest(roots)}", table, filter_in_dict={"pt_root_id": roots.tolist()}
        )

    def pairs(self, roots: NDArray[np.int64]) -> pd.DataFrame:
        """Count synapses between the segments, `CHUNK` postsynaptic ones at a time."""
        roots = np.unique(roots[roots > 0])
        chunks = [roots[start : start + CHUNK] for start in range(0, len(roots), CHUNK)]
        counted = [
            self._counted(roots, chunk)
            for chunk in steps(chunks, "Synapses", progress=self.progress)
        ]
        return pd.concat(counted, ignore_index=True)

    def _counted(self, roots: NDArray[np.int64], chunk: NDArray[np.int64]) -> pd.DataFrame:
        """Count the synapses that the segments of one chunk receive."""
        raw = self._kept(
            f"synapses_{digest(roots, chunk)}",
            SYNAPSES,
            filter_in_dict={"pre_pt_root_id": roots.tolist(), "post_pt_root_id": chunk.tolist()},
            select_columns=["id", "pre_pt_root_id", "post_pt_root_id", "size"],
        )
        need(raw, ("id", "pre_pt_root_id", "post_pt_root_id"), SYNAPSES)
        ends = pd.DataFrame(
            {
                "id": int64(raw, "id", SYNAPSES),
                "pre": int64(raw, "pre_pt_root_id", SYNAPSES),
                "post": int64(raw, "post_pt_root_id", SYNAPSES),
            }
        )
        ends = ends.drop_duplicates("id")
        ends = ends[ends["pre"] != ends["post"]]
        return ends.groupby(["pre", "post"]).size().rename("n").reset_index()

    def _kept(self, key: str, table: str, **query: Any) -> pd.DataFrame:
        """Reply from the cache, or from the server and then kept."""
        return self._store.table(key, lambda: self._queried(table, **query))

    def _connected(self) -> Any:
        """Client that is known to answer for the version."""
        if self._client is None:
            self._client, self._checked = connect(self.version), True
        if not self._checked:
            with explained(f"datastack {DATASTACK}", token=self._client.auth.token):
                check_version(self._client, self.version)
            self._checked = True
        return self._client

    def _queried(self, table: str, **query: Any) -> pd.DataFrame:
        """Query the server, several times if it fails, and refuse a reply that was cut off."""
        positions = "desired_resolution" in query
        client = self._connected()
        with explained(f"table {table}", token=client.auth.token, version=self.version):
            frame: pd.DataFrame = _patiently(
                lambda: client.materialize.query_table(
                    table,
                    split_positions=True,
                    materialization_version=self.version,
                    metadata=positions,
                    **query,
                )
            )
        if len(frame) >= ROW_CAP:
            raise MicronsError(
                f"table {table} answered with {len(frame)} rows, where the server cuts replies off "
                f"({ROW_CAP}); request less at a time, such as fewer segments per query "
                "(cortexrnn.fields.sources.microns.cave.CHUNK)"
            )
        unit = frame.attrs.get("dataframe_resolution")
        if positions and isinstance(unit, list | tuple) and list(unit) != list(VOXEL_SIZE):
            raise MicronsError(
                f"table {table} came with positions in voxels of {list(unit)} nm, requested were "
                f"{list(VOXEL_SIZE)}; update caveclient"
            )
        return frame


def named_cell_types(raw: pd.DataFrame, table: str) -> pd.DataFrame:
    """Name the columns of a cell type table by what they are, one row per nucleus."""
    need(raw, ("target_id", "classification_system", "cell_type"), table)
    rows = pd.DataFrame(
        {
            "nucleus": int64(raw, "target_id", table),
            "classification": raw["classification_system"].astype(str).to_numpy(),
            "cell_type": raw["cell_type"].astype(str).to_numpy(),
        }
    )
    return rows.drop_duplicates("nucleus").reset_index(drop=True)


def _patiently(query: Any) -> Any:
    """Query again after a pause when the connection or the server failed."""
    for wait in RETRY_WAITS_S:
        try:
            return query()
        except requests.ConnectionError:
            pass
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code < 500:
                raise
        time.sleep(wait)
    return query()


def checked_version(version: Any) -> int:
    """Materialization as a Python int: caveclient refuses numpy's."""
    if isinstance(version, bool) or not isinstance(version, int | np.integer) or version < 1:
        raise MicronsError(
            f"version is {version!r}; give the whole number of a materialization, such as "
            f"{CAVE_VERSION}"
        )
    return int(version)


@contextmanager
def explained(what: str, *, token: str | None, version: int | None = None) -> Iterator[None]:
    """Turn what caveclient raises into one message with a remedy, without the token.

    While it runs, caveclient opens no browser: it would, where terms were not accepted.
    """
    try:
        with mock.patch("caveclient.base.webbrowser"):
            yield
    except MicronsError:
        raise
    except Exception as error:
        # "from None": a reply may repeat the request, and a chained traceback would show it.
        raise MicronsError(_without(token, _message(error, what, version))) from None


def _without(token: str | None, text: str) -> str:
    return text.replace(token, "<token>") if token else text


def _no_token() -> str:
    return (
        "CAVE needs a token and there is none. Accept the terms once "
        f"({TERMS_PAGE}), make a token ({TOKEN_PAGE}; it invalidates an earlier one) and set "
        "CAVE_TOKEN to it, or save it with CAVEclient().auth.save_token(token=...); "
        f"{REMEDY_WITHOUT}"
    )


def _message(error: Exception, what: str, version: int | None) -> str:
    """Say what happened and what to do about it."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _http_message(error.response, what, version)
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return (
            f"{what}: the CAVE server cannot be reached ({type(error).__name__}). Check the "
            "network and try again: finished queries stay in the cache and are not repeated; "
            f"{REMEDY_WITHOUT}"
        )
    kind = type(error).__name__
    if kind == "AuthException":
        return f"{what}: the server redirects to its login: the token is not valid. {_no_token()}"
    if kind == "ServerIncompatibilityError":
        return f"{what}: server and caveclient are not compatible: {error}. Update caveclient"
    return (
        f"{what}: unexpected {kind}: {error}. Try again later, or compare your caveclient with the "
        "pinned one in constraints.txt"
    )


def _http_message(reply: requests.Response, what: str, version: int | None) -> str:
    """Say what an HTTP status of the server means."""
    status = reply.status_code
    if status == 403 and "missing_tos" in reply.text:
        return (
            f"{what}: the terms of service were not accepted yet. Log in and accept them at "
            f"{TERMS_PAGE}, then run this again; {REMEDY_WITHOUT}"
        )
    if status == 401:
        return f"{what}: the server refuses the token. {_no_token()}"
    if status == 403:
        return (
            f"{what}: your account may not read it. Log in at {TOKEN_PAGE} with the account whose "
            f"token you use and check its permissions; {REMEDY_WITHOUT}"
        )
    if status == 404:
        return (
            f"{what} does not exist at version {version}. Use a version that has it "
            "(coregistration from 943 on), or ask client.materialize.get_tables() for the names"
        )
    return (
        f"{what}: the server failed with status {status}: {reply.text[:200]}. Try again later: "
        "finished queries stay in the cache and are not repeated"
    )
