"""Measure the penalty gradient of every condition at the start of training, and that start.

Usage: ``CORTEXRNN_DATA=<mirror> python -m tools.penalty_gradients`` writes
``cortexrnn/data/penalty_gradients.csv``, which the chapter on controls shows. Gradients follow from
field, start and penalty alone; nothing is trained.
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
from cortexrnn.networks import penalties
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.runs.controls import CONDITIONS, Control

FIELDS = ("5_3_4", "5_6_8", "6_6_2")

N_SEEDS = 3
"""Starts over which a gradient is averaged."""


def penalty_gradient(condition: Control, field: Field) -> dict[str, float]:
    """Measure one condition on one field.

    Parameters
    ----------
    condition : Control
        The condition.
    field : Field
        The field.

    Returns
    -------
    dict of str to float
        Mean magnitude of the gradient per weight: ``gradient`` over all, ``gradient_self`` over
        self-connections, ``gradient_others`` over the rest; and ``largest_self``, the largest
        self-connection. Means over seeds.
    """
    rows = []
    one_task = condition.specs(
        field=field.name, field_hash=field.hash_without_events, seeds=range(N_SEEDS)
    )
    for spec in [spec for spec in one_task if spec.task == condition.tasks[0][0]]:
        start = initial_weights(spec, field)
        penalty = penalties.penalty_of(spec, field, start)
        sizes = penalties.gradient_sizes(penalty, torch.from_numpy(start)[None])
        rows.append((*(size.item() for size in sizes), np.diag(start).max()))
    names = ("gradient", "gradient_self", "gradient_others", "largest_self")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


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
    parser.add_argument("--out", type=Path, default=Path("cortexrnn/data/penalty_gradients.csv"))
    options = parser.parse_args(arguments)
    rows = []
    for name in FIELDS:
        field = load_field(name)
        for one in CONDITIONS.values():
            further = one.group in ("harder", "environments") or one.sign == "positive"
            unknown = one.strengths and not one.is_run_on(name)
            if not (further or unknown):  # further ones have penalties and starts of the others
                rows.append({"field": name, "condition": one.name, **penalty_gradient(one, field)})
    pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.4g")
    print(f"{options.out}: {len(rows)} penalty gradients")
    return 0


if __name__ == "__main__":
    sys.exit(main())
