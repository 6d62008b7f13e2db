"""The design of the paper: three factors, their levels, and the contexts that leave one free."""

from __future__ import annotations

import pandas as pd

from cortexrnn.networks.variant import VARIANTS

__all__ = ["FACTORS", "LEVELS", "contexts", "levels"]

FACTORS = {"W": "start", "D": "distance", "C": "communicability"}
"""Factors of the design and the switch of a variant behind each."""
LEVELS: dict[str, dict[str | None, str]] = {
    "W": {"orthogonal": "w", "permuted": "w!", "functional": "w*"},
    "D": {"grid": "d", "soma": "d*", None: "nan"},
    "C": {"direct": "c", "emd": "c*", None: "nan"},
}
"""Levels of every factor under the names of the published tables, in their order."""


def levels() -> pd.DataFrame:
    """Levels of the three factors in the eleven variants.

    Returns
    -------
    DataFrame
        One row per variant (the index), columns ``W``, ``D``, ``C``.
    """
    rows = {
        name: {factor: LEVELS[factor][getattr(variant, what)] for factor, what in FACTORS.items()}
        for name, variant in VARIANTS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def contexts() -> pd.DataFrame:
    """Contexts in which a factor has at least two levels, read off the eleven variants.

    Returns
    -------
    DataFrame
        One row per factor, context and level, with the ``variant`` that has it. A context is
        written as in the published tables, such as ``"d=d*, c=c"``; levels are in the order of
        :data:`LEVELS`.
    """
    design = levels()
    rows = []
    for factor in FACTORS:
        others = [name for name in FACTORS if name != factor]
        order = list(LEVELS[factor].values())
        for fixed, group in design.groupby(others):
            if len(group) < 2:
                continue
            context = ", ".join(f"{o.lower()}={v}" for o, v in zip(others, fixed, strict=True))
            for variant, level in (
                group[factor].sort_values(key=lambda s: s.map(order.index)).items()
            ):
                rows.append((factor, context, level, variant))
    return pd.DataFrame(rows, columns=["factor", "context", "level", "variant"])
