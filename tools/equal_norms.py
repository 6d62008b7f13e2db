"""Find the strengths at which penalties leave weights of the same norm.

Usage: ``CORTEXRNN_DATA=<mirror> python -m tools.equal_norms --field 5_3_4`` trains every variant of
``AT_EQUAL_NORM_BASES`` at several strengths and writes those that leave the shares ``NORM_SHARES``
into ``cortexrnn/data/equal_norms.csv``, in the place of the rows of that field. What is measured is
the L1 norm of the weights between units after training, as a share of what the same runs end with
when no penalty is there, mean over the three tasks. Seeds are such as no recorded run has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks.specification import PUBLISHED, RunSpec
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.training import train
from cortexrnn.networks.variant import Variant
from cortexrnn.runs.archive import written_whole
from cortexrnn.runs.controls import AT_EQUAL_NORM_BASES, NORM_SHARES, load_equal_norms

TARGET = Path("cortexrnn/data/equal_norms.csv")
FIRST_SEED = 1000
"""Recorded runs have smaller seeds."""
DECADES = 10.0 ** np.arange(-5.5, 4)
"""Strengths that are tried first, until the least share is passed; half a decade away from all
strengths of other conditions, whose runs these would else be."""
N_REFINEMENTS, CLOSE = 4, 0.02
"""Further strengths between two of these, at most, and the share by which it may be missed."""
LAMBDA = replace(PUBLISHED, name="published, plain lambda", plain_strength="lambda")


def norms_between_units(specs: Sequence[RunSpec], field: Field) -> NDArray[np.float64]:
    """Train runs and give the L1 norm of the weights that each has between units.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs.
    field : Field
        Their field.

    Returns
    -------
    ndarray, shape (runs,)
        Sums of magnitudes off the diagonal.
    """
    between = ~np.eye(field.n_neurons, dtype=bool)
    results = train(specs, field, progress=False)
    return np.array([np.abs(result.weights["recurrent"][between]).sum() for result in results])


def find_strengths(
    base: str, field: Field, *, shares: Sequence[float], n_seeds: int
) -> list[dict[str, float]]:
    """Find the strengths at which a variant keeps shares of the norm of its weights.

    Parameters
    ----------
    base : str
        The variant.
    field : Field
        The field.
    shares : sequence of float
        Shares of the norm without a penalty.
    n_seeds : int
        Runs of each task at each strength.

    Returns
    -------
    list of dict
        For every share ``share, strength, found``, the last being the share that was measured at
        that strength, the nearest of all that were tried.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    plain = [
        RunSpec(field=field.name, field_hash=field.hash_without_events, task=task, seed=seed,
                variant=Variant.parse(base), protocol=LAMBDA, strength=0.0)
        for task in TASKS
        for seed in seeds
    ]  # fmt: skip
    free = norms_between_units(plain, field)

    def kept(strength: float) -> float:
        runs = [replace(one, strength=strength) for one in plain]
        return float(np.mean(norms_between_units(runs, field) / free))

    known: dict[float, float] = {}
    for strength in map(float, DECADES):
        known[strength] = kept(strength)
        if known[strength] < min(shares):
            break
    return [{"share": share, **_nearest(share, known, kept)} for share in shares]


def _nearest(
    share: float, known: dict[float, float], kept: Callable[[float], float]
) -> dict[str, float]:
    """Refine between the strengths around a share; what is tried is added to the known ones."""
    for _ in range(N_REFINEMENTS):
        strength = min(known, key=lambda one: abs(known[one] - share))
        if abs(known[strength] - share) <= CLOSE:
            break
        tried = sorted(known)
        below = next((i for i, one in enumerate(tried) if known[one] < share), len(tried) - 1)
        low, high = tried[max(below - 1, 0)], tried[below]
        rise = np.interp(-share, [-known[low], -known[high]], np.log([low, high]))
        if np.exp(rise) in known:  # the share lies beyond what was tried
            break
        known[float(np.exp(rise))] = kept(float(np.exp(rise)))
    strength = min(known, key=lambda one: abs(known[one] - share))
    return {"strength": strength, "found": known[strength]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Find the strengths of a field and write them.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--field", required=True, help="name of the field")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each task and strength")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    field = load_field(options.field)
    rows = [
        {"field": field.name, "variant": base, **row}
        for base in AT_EQUAL_NORM_BASES
        for row in find_strengths(base, field, shares=NORM_SHARES, n_seeds=options.seeds)
    ]
    known = load_equal_norms()
    others = known[known["field"] != field.name].to_dict("records")
    table = pd.DataFrame([*others, *rows])
    with written_whole(options.out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    print(table[table["field"] == field.name].to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
