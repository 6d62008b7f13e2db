"""What a machine needs that has torch and little else: carried beside a checkout, put to use there.

A machine with an accelerator is often lent bare: no network, no package of ours, a Python of its
own. What is missing there travels in one folder, ``carry``, which git ignores: wheels, fields, and
what else takes long to make. This module imports nothing but the standard library until it has
looked.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

GIVEN = ("torch", "numpy", "scipy", "pandas", "pyarrow", "networkx")
"""What the machine must have: too large to be carried, and tied to its accelerator."""
CARRIED = {
    "pooch": "pooch",
    "packaging": "packaging",
    "platformdirs": "platformdirs",
    "requests": "requests",
    "certifi": "certifi",
    "charset-normalizer": "charset_normalizer",
    "idna": "idna",
    "urllib3": "urllib3",
    "rich": "rich",
    "markdown-it-py": "markdown_it",
    "mdurl": "mdurl",
    "pygments": "pygments",
    "psutil": "psutil",
    "cloudpickle": "cloudpickle",
    "threadpoolctl": "threadpoolctl",
}
"""What an experiment imports besides, with the requirements of each: distribution and module."""
JUDGING = {"statsmodels": "statsmodels", "patsy": "patsy"}
"""What only the comparison with the archive imports, which can be made elsewhere as well."""
MOST_MIB = 64
"""What may be carried."""
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28)),
             "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")  # fmt: skip
"""Machines that wheels are fetched for."""


class BareError(Exception):
    """The machine lacks something, or something cannot be carried; the text says what to do."""


def download(names: Iterable[str], folder: Path, *, python: str) -> None:
    """Fetch wheels, in the versions that are installed here.

    Parameters
    ----------
    names : iterable of str
        Distributions; their requirements are not fetched along.
    folder : Path
        Where to; made anew.
    python : str
        Version of the Python there, such as ``3.12``.

    Raises
    ------
    BareError
        If a wheel cannot be fetched.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pinned = [f"{name}=={metadata.version(name)}" for name in names]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", python, "--dest", str(folder)]
    command += [word for name in PLATFORMS for word in ("--platform", name)]
    done = subprocess.run([*command, *pinned], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BareError(f"wheels cannot be fetched: {done.stderr.strip()}")


def check_size(folder: Path) -> float:
    """Refuse a folder that is too large to be carried.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    float
        Its size in MiB.

    Raises
    ------
    BareError
        If it holds more than may be carried.
    """
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    if size > MOST_MIB:
        raise BareError(
            f"{folder} holds {size:.0f} MiB, more than the {MOST_MIB} that may be carried; remove "
            "what the machine has, such as wheels"
        )
    return size


def unpack(wheels: Path, site: Path) -> None:
    """Unpack wheels, which is all that installing a package without scripts is.

    Parameters
    ----------
    wheels : Path
        Folder of wheels; may be absent.
    site : Path
        Where modules are put.

    Raises
    ------
    BareError
        If a wheel is damaged.
    """
    site.mkdir(parents=True, exist_ok=True)
    for path in sorted(wheels.glob("*.whl")):
        try:
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(site)
        except (OSError, zipfile.BadZipFile) as error:
            raise BareError(f"{path} cannot be unpacked ({error}); carry it again") from error


def describe_package(root: Path, site: Path) -> None:
    """Give a checkout that is not installed the metadata from which its version is read.

    Parameters
    ----------
    root : Path
        The checkout.
    site : Path
        Where metadata are put.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        folder = site / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text, encoding="utf-8")


def use(site: Path, root: Path) -> None:
    """Let this process and those that it starts find a checkout and what was unpacked.

    What the machine has itself goes first.

    Parameters
    ----------
    site : Path
        Folder of modules.
    root : Path
        The checkout.
    """
    for folder in (str(root), str(site)):
        if folder not in sys.path:
            sys.path.append(folder)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([*filter(None, known), str(root), str(site)])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    importlib.invalidate_caches()


def missing(modules: Mapping[str, str]) -> dict[str, str]:
    """Find out what cannot be imported.

    Parameters
    ----------
    modules : mapping of str to str
        Modules by the names of their distributions.

    Returns
    -------
    dict of str to str
        Why not, by distribution.
    """
    reasons = {}
    for distribution, module in modules.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            reasons[distribution] = str(error)
    return reasons


def check(given: Sequence[str] = GIVEN, carried: Mapping[str, str] | None = None) -> None:
    """Refuse a machine that lacks something.

    Parameters
    ----------
    given : sequence of str
        Modules that it must have.
    carried : mapping of str to str, optional
        Modules that can be carried; :data:`CARRIED` without it.

    Raises
    ------
    BareError
        Naming everything that is missing, and the remedy.
    """
    own = missing({name: name for name in given})
    wheels = missing(CARRIED if carried is None else carried)
    parts = []
    if own:
        parts.append(f"this machine lacks {_listed(own)}, which must be installed here")
    if wheels:
        parts.append(
            f"wheels are missing of {_listed(wheels)}: carry the folder that `python -m "
            "tools.accelerator --prepare` fills, and name it with --carry"
        )
    if parts:
        raise BareError("; ".join(parts))


def _listed(reasons: Mapping[str, str]) -> str:
    """Write names with what was wrong."""
    return ", ".join(f"{name} ({why})" for name, why in reasons.items())
