"""Runs of an accelerator beside those of the archive, by the rules that the book has for both."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cortexrnn.evidence import replication, reproduction
from cortexrnn.evidence.equivalence import VERDICTS, equivalence
from cortexrnn.runs.archive import METRICS

PUBLISHED_FIELD = "6_6_2"
"""The field whose cells the paper prints, and on which verdicts exist."""
KEY = ["identity", "relation", "field"]


def compare(runs: pd.DataFrame, archive: pd.DataFrame) -> dict[str, Any]:
    """Compare runs with those of the archive that have the same identities.

    Parameters
    ----------
    runs : DataFrame
        Runs with the columns of :data:`cortexrnn.runs.archive.SCHEMA`.
    archive : DataFrame
        Runs of the archive, among them all of these.

    Returns
    -------
    dict
        ``cells``: equivalence of every cell and metric with the archive's; ``verdicts``: how many
        there are of each; ``differences`` of pairs, this machine less the recorded one, with their
        standard deviation, for every metric and for every variant; ``outcomes``: how many pairs of
        which one learned and the other did not; ``changed``: verdicts of the replication that
        change if these runs stand in the archive, None where the field has none.

    Raises
    ------
    ValueError
        If a run is not in the archive.
    """
    pairs = reproduction.pairs(archive, runs)
    recorded = archive.merge(runs[KEY], on=KEY)
    cells = equivalence(runs, recorded)
    columns = ["variant", "task", "metric", "difference", "low", "high", "p_different",
               "p_equivalent", "verdict"]  # fmt: skip
    counts = cells["verdict"].value_counts()
    outcomes = reproduction.outcomes(pairs)
    return {
        "runs": len(runs),
        "devices": sorted(set(runs["device"])),
        "recorded_devices": sorted(set(recorded["device"])),
        "numerics": sorted({int(n) for n in recorded["numerics"]}),
        "verdicts": {name: int(counts.get(name, 0)) for name in VERDICTS},
        "cells": cells[columns].to_dict("records"),
        "differences": _differences(pairs).to_dict("records"),
        "by_variant": [
            {"variant": name} | row
            for name, part in pairs.groupby("variant", sort=False)
            for row in _differences(part).to_dict("records")
        ],
        "outcomes": {
            "flipped": len(outcomes),
            "share": len(outcomes) / len(pairs),
            "by_variant": {str(k): int(v) for k, v in outcomes.groupby("variant").size().items()},
        },
        "changed": _changed(runs, archive),
    }


def _differences(pairs: pd.DataFrame) -> pd.DataFrame:
    """Differences of every metric, with their standard deviation."""
    spread = {name: (pairs[f"{name}_again"] - pairs[name]).std() for name in METRICS}
    table = reproduction.differences(pairs)
    return table.assign(sd=table["metric"].map(spread))


def _changed(runs: pd.DataFrame, archive: pd.DataFrame) -> list[dict[str, Any]] | None:
    """Verdicts of the replication that these runs change."""
    if set(runs["field"]) != {PUBLISHED_FIELD}:
        return None
    changed = reproduction.changed_verdicts(archive, runs)
    columns = [*replication.CELL, "verdict", "verdict_again"]
    records: list[dict[str, Any]] = changed[columns].to_dict("records")
    return records
