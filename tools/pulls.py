"""Measure how hard the penalty of every arm pulls at the start of training, and on what start.

Usage: ``CORTEXRNN_DATA=<mirror> python -m tools.pulls`` writes ``cortexrnn/data/pulls.csv``, which
the chapter on controls shows. Pulls follow from field, start and penalty alone; nothing is trained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import load_field
from cortexrnn.networks import initial_weights, penalties
from cortexrnn.networks.specification import random_stream
from cortexrnn.runs.controls import CONTROLS, PUBLISHED_VARIANTS, Control

FIELDS = ("5_3_4", "5_6_8", "6_6_2")

N_SEEDS = 3
"""Starts over which a pull is averaged."""


def pull(control: Control, field: Field) -> dict[str, float]:
    """Measure one arm on one field.

    Parameters
    ----------
    control : Control
        The arm.
    field : Field
        The field.

    Returns
    -------
    dict of str to float
        Mean absolute gradient per weight: ``pull`` over all, ``pull_self`` over
        self-connections, ``pull_others`` over the rest; and ``largest_self``, the largest
        self-connection.
    """
    found = []
    one_task = control.specs(
        field=field.name, field_hash=field.hash_without_events, seeds=range(N_SEEDS)
    )
    for spec in [spec for spec in one_task if spec.task == control.tasks[0][0]]:
        start = initial_weights.initial_weights(spec, field)
        penalty = penalties.penalty(
            spec.variant,
            field,
            protocol=spec.protocol,
            strength=spec.strength,
            emd_strength=spec.emd_strength,
            initial_weights=start,
            rng=random_stream(spec.seed, "random points"),
        )
        leaf = torch.from_numpy(start)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(penalty(leaf).sum(), leaf)
        size = gradient[0].abs().numpy()
        diagonal = np.eye(len(size), dtype=bool)
        sizes = (size.mean(), size[diagonal].mean(), size[~diagonal].mean())
        found.append((*sizes, start[diagonal].max()))
    names = ("pull", "pull_self", "pull_others", "largest_self")
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table.

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
    parser.add_argument("--out", type=Path, default=Path("cortexrnn/data/pulls.csv"))
    given = parser.parse_args(arguments)
    rows = []
    for name in FIELDS:
        field = load_field(name)
        for arm in (PUBLISHED_VARIANTS | CONTROLS).values():
            further = arm.group in ("harder", "environments") or arm.name.endswith("positive")
            if not further:  # whose penalties and starts are among the others
                rows.append({"field": name, "arm": arm.name, **pull(arm, field)})
    pd.DataFrame(rows).to_csv(given.out, index=False, float_format="%.4g")
    print(f"{given.out}: {len(rows)} pulls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
