"""Rows of the archive as they are stored, their conditions, and pairs of runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cortexrnn.runs.controls import CONDITIONS
from cortexrnn.runs.labels import labelled

DATA = Path(__file__).parents[2] / "cortexrnn" / "data"
FIELDS = ("6_6_2", "5_6_8", "5_3_4")
TASKS = ("one_choice", "perceptual", "go_nogo")
GUESS = {"one_choice": 2 / 8 + 6 / 8 / 2, "perceptual": 1 / 2, "go_nogo": 1 / 2}
"""Accuracy that the last input alone allows: in one-choice two of eight offers give the answer and
six leave a choice of two; the delay of the others ends with the same input for either answer."""
LEARNED_ABOVE = 0.1
START = {"functional": "W*", "permuted": "W!", "orthogonal": "W"}
DISTANCE = {None: "", "grid": "D", "soma": "D*"}
COMMUNICABILITY = {None: "", "direct": "C", "emd": "C*"}
AS_PRINTED = {"coordinates": "reshaped", "grid_scale": "index", "plain_strength": "unit"}
"""The three switches of the published protocol."""


def read(folder: Path) -> pd.DataFrame:
    """Read the Parquet files of finished plans; a run that several plans hold counts once."""
    tables = [pq.read_table(path).to_pandas() for path in sorted(folder.glob("*.parquet"))]
    return pd.concat(tables, ignore_index=True).drop_duplicates("identity")


def named(rows: pd.DataFrame, labels: pd.Series | None = None) -> pd.DataFrame:
    """Add the name of the condition, and whether a run is of the paper's design.

    `labels` are the names by identity, as :func:`cortexrnn.runs.labels.labelled` gives them;
    without them it is called.
    """
    if labels is None:
        labels = labelled(rows).set_index("identity")["label"]
    as_paper = [_is_of_paper(text) for text in rows["specification"]]
    label = labels.reindex(rows["identity"]).to_numpy()
    return rows.assign(label=label, as_paper=as_paper).reset_index(drop=True)


def _is_of_paper(text: str) -> bool:
    """Whether a specification has the paper's settings, whatever field, arm, seed and draw."""
    said = json.loads(text)
    usual = {"batch_size": 128, "epochs": 10, "n_train": 5120, "n_validation": 2560}
    usual |= {"learning_rate": 1e-3, "input_noise": 0.05, "strength": 0.3, "emd_strength": 0.1}
    return (
        all(said[name] == value for name, value in usual.items())
        and said["protocol"] == AS_PRINTED
        and said["task"] in TASKS
        and not said["task_settings"]
        and not said.get("first_task")
        and variant_of(said["variant"]) in PAPER
    )


PAPER = ("W*D*C", "WD*C", "WDC", "WD*", "WD", "W", "W*D*C*", "WD*C*", "W*DC*", "W!D*C", "W!D*C*")
"""The eleven variants."""


def variant_of(switches: dict[str, str | None]) -> str | None:
    """Name a variant by its three factors; None where something else differs too."""
    more = {k: v for k, v in switches.items() if k not in ("start", "distance", "communicability")}
    if any(value != "kept" for value in more.values()):
        return None
    parts = (START, "start"), (DISTANCE, "distance"), (COMMUNICABILITY, "communicability")
    letters = [table.get(switches[key]) for table, key in parts]  # type: ignore[attr-defined]
    return None if None in letters else "".join(letters)


def of_paper(
    rows: pd.DataFrame,
    fields: Sequence[str],
    *,
    signs: Sequence[str] = ("free",),
    draws: Iterable[int] | None = (0,),
) -> pd.DataFrame:
    """Keep runs of the paper's design made of correlation; draws None keeps all draws of trials."""
    keep = rows["as_paper"] & rows["field"].isin(fields) & rows["sign"].isin(signs)
    keep &= rows["relation"] == "correlation"
    if draws is not None:
        keep &= rows["data_seed"].isin(list(draws))
    return rows[keep]


Cells = Mapping[tuple[str, str], pd.DataFrame]


def by_condition(rows: pd.DataFrame) -> Cells:
    """Part rows by the name of their condition and their field; the first draw of trials alone."""
    first = rows[rows["data_seed"] == 0]
    parts: dict[tuple[str, str], pd.DataFrame] = {
        (str(label), str(field)): part
        for (label, field), part in first.groupby(["label", "field"], sort=False)
    }
    return parts


def condition(cells: Cells, name: str, field: str) -> pd.DataFrame:
    """Give the runs of a condition on a field, of its own seeds."""
    if (name, field) not in cells:
        return next(iter(cells.values())).iloc[:0]
    part = cells[name, field]
    return part[part["seed"] < CONDITIONS[name].n_seeds]


def learned(runs: pd.DataFrame, accuracy: str = "accuracy") -> NDArray[np.bool_]:
    """Whether each run is more than a tenth above what needs no memory; a diverged one is not."""
    level = runs["task"].map(GUESS).to_numpy() + LEARNED_ABOVE
    return (runs[accuracy].to_numpy() > level) & ~runs["diverged"].to_numpy(dtype=bool)


def by_seed_and_task(runs: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Values by seed (rows) and task (columns); what diverged has none."""
    values = (
        runs[metric].where(~runs["diverged"].astype(bool))
        if metric != "diverged"
        else (runs[metric].astype(float))
    )
    return runs.assign(value=values).pivot(index="seed", columns="task", values="value")
