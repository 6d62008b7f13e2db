"""Finished pieces of the release in the cache: written whole or not at all, and kept."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import requests
import urllib3
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, track

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.sources.published import cache_directory

__all__ = ["MicronsError", "NothingThereError", "Store", "digest", "download", "get", "steps"]

#: Seconds that a server may stay silent.
TIMEOUT_S = 60

#: Bytes read from the network at a time.
BLOCK = 1 << 20


class MicronsError(FieldError):
    """A field that cannot be built from the MICrONS release; the message says what to do."""


class NothingThereError(MicronsError):
    """A public file that does not exist."""


def digest(*parts: Any) -> str:
    """Short hash of ids and settings, for the name of the piece that depends on them."""
    text = "\n".join(
        np.asarray(part).tobytes().hex() if isinstance(part, np.ndarray) else repr(part)
        for part in parts
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def steps(items: Iterable[Any], description: str, *, progress: bool) -> Iterable[Any]:
    """Walk through `items` with a progress bar on stderr."""
    console = Console(stderr=True)
    return track(
        items,
        description=escape(description),
        console=console,
        disable=not progress,
        transient=True,
    )


class Store:
    """One folder of the cache, such as ``microns/cave-1300``.

    Parameters
    ----------
    name : str
        Folder, which names route and version: pieces of two versions never meet.
    """

    def __init__(self, name: str) -> None:
        self.folder = cache_directory() / "microns" / name

    def table(self, key: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Return the table called `key`, from the cache or else from `make`, which is then kept.

        Parameters
        ----------
        key : str
            Name of the file without its ending.
        make : callable
            Called only if there is no such table, or it is damaged.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MicronsError
            If the cache cannot be written to, and whatever `make` raises.
        """
        path = self.folder / f"{key}.parquet"
        try:
            return pd.read_parquet(path, page_checksum_verification=True)
        except Exception:  # absent, or damaged in one of many ways: in either case request it again
            frame = make().reset_index(drop=True)
            frame.attrs = {}
            self.write(path, lambda file: frame.to_parquet(file, write_page_checksum=True))
            return frame

    def array(self, key: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array called `key`, as :meth:`table` does for tables."""
        path = self.folder / f"{key}.npy"
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            array = make()
            self.write(path, lambda file: np.save(file, array, allow_pickle=False))
            return array

    def write(self, path: Path, fill: Callable[[Any], Any]) -> None:
        """Write a file under a temporary name and rename it when it is complete."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise MicronsError(
                f"{path.name} cannot be stored in {path.parent}: {error.strerror or error}; free "
                "some space, or set CORTEXRNN_CACHE to a folder that you may write to"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)


def get(url: str, *, fine: tuple[int, ...] = (200, 206), **arguments: Any) -> requests.Response:
    """Ask for `url` without any credentials; the reply is not read yet.

    Raises
    ------
    MicronsError
        If the server cannot be reached, has no such file (`NothingThereError`), or
        answers with another error.
    """
    try:
        reply = requests.get(url, stream=True, timeout=TIMEOUT_S, **arguments)
    except requests.RequestException as error:
        raise MicronsError(
            f"{url} cannot be reached ({type(error).__name__}); check the network and try again: "
            "what is finished stays in the cache and is not requested again"
        ) from error
    if reply.status_code in (403, 404):
        raise NothingThereError(
            f"nothing at {url} (status {reply.status_code}); check version, session and scan"
        )
    if reply.status_code not in fine:
        raise MicronsError(f"{url} answered with status {reply.status_code}; try again later")
    return reply


def download(url: str, target: Path, *, progress: bool) -> Path:
    """Bring a file into the cache, going on where an earlier attempt was cut off.

    Parameters
    ----------
    url : str
        Address of the file; no credentials are sent.
    target : Path
        Path in the cache. The file appears there when its length is the announced one.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    MicronsError
        If the server cannot be reached, the connection breaks or the file cannot be stored.
    """
    if target.is_file():
        return target
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        start = part.stat().st_size if part.is_file() else 0
        # A compressed file is to arrive as it is stored, whatever the server says of its encoding.
        encoding = "gzip" if target.suffix == ".gz" else "identity"
        headers = {"Accept-Encoding": encoding} | ({"Range": f"bytes={start}-"} if start else {})
        reply = get(url, fine=(200, 206, 416), headers=headers)
        if reply.status_code == 416:  # nothing left to fetch: killed just before the renaming,
            part.unlink()  # or not the same file; begin again
            return download(url, target, progress=progress)
        resumed = reply.status_code == 206
        total = int(reply.headers.get("Content-Length", 0)) + (start if resumed else 0)
        with part.open("ab" if resumed else "wb") as file:
            _pour(reply, file, target.name, start if resumed else 0, total, progress=progress)
        n_bytes = part.stat().st_size
        if total and n_bytes != total:
            raise MicronsError(
                f"{url} broke off after {n_bytes} of {total} bytes; run it again to resume there"
            )
        part.replace(target)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise MicronsError(
            f"{url} broke off ({type(error).__name__}); run it again to resume there"
        ) from error
    except OSError as error:
        raise MicronsError(
            f"{target.name} cannot be stored in {target.parent}: {error.strerror or error}; free "
            "some space, or set CORTEXRNN_CACHE to a folder that you may write to"
        ) from error
    return target


def _pour(
    reply: requests.Response, file: Any, name: str, start: int, total: int, *, progress: bool
) -> None:
    """Write what arrives to the file, block by block."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=not progress, transient=True)
    with bar:
        task = bar.add_task(escape(f"Fetching {name}"), total=total or None, completed=start)
        for block in reply.raw.stream(BLOCK, decode_content=False):
            file.write(block)
            bar.advance(task, len(block))
