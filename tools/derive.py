"""Derive the relations of published fields from their events, beside the published matrices.

Usage: ``CORTEXRNN_DATA=<mirror> python -m tools.derive`` writes ``cortexrnn/data/derivation.csv``,
which chapter 2 shows. It needs the extra ``cortexrnn[microns]`` for the precision. Fields in
`FIELDS` are those whose events are in the mirror that the table was made from.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from cortexrnn.fields import relations
from cortexrnn.fields.derivation import derived, differences
from cortexrnn.fields.sources.published import REGISTRY, load_published

FIELDS = ("5_3_8", "5_3_4", "4_7_2", "6_6_8", "5_6_8")

#: File of each relation in a published field's folder.
FILES = {
    "correlation": "corr_matrix.npy",
    "sttc": "sttc_matrix.npy",
    "precision": "precision_matrix.npy",
}


def derive(name: str) -> pd.DataFrame:
    """Compare every relation of one field.

    Parameters
    ----------
    name : str
        Published field whose events are available.

    Returns
    -------
    DataFrame
        One row per relation, as in the table.
    """
    field = load_published(name, events=True)
    assert field.events is not None
    table = differences(field, derived(field)).reset_index()
    table.insert(0, "field", name)
    last = max(train[-1] for train in field.events if len(train))
    facts = {
        "n_neurons": field.n_neurons,
        "n_events": sum(map(len, field.events)),
        "duration_s": round(float(last) + relations.TAIL_S, 4),
        "n_bins": relations.bin_events(field.events).shape[1],
        "events_sha256": REGISTRY[f"{name}/spikes_{name}.npy"].sha256,
    }
    table = table.assign(**facts)
    digests = [REGISTRY[f"{name}/{FILES[relation]}"].sha256 for relation in table["relation"]]
    versions = {key: version(key) for key in ("numpy", "scipy", "scikit-learn")}
    return table.assign(matrix_sha256=digests, python=platform.python_version(), **versions)


def main(arguments: Sequence[str]) -> int:
    """Write the table and print its differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("cortexrnn/data/derivation.csv"))
    parser.add_argument("fields", nargs="*", default=FIELDS)
    options = parser.parse_args(arguments)
    table = pd.concat([derive(name) for name in options.fields], ignore_index=True)
    table.to_csv(options.out, index=False, float_format="%.6g")
    print(table.pivot(index="field", columns="relation", values="difference"))
    return 0 if table["reproduced"].all() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
