"""Rows for both sides of the comparison, and a record of the largest differences."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike
from scipy import stats

from cortexrnn.runs.archive import load_archive
from tests.recomputed import rows

FURTHER = "CORTEXRNN_FURTHER_RUNS"
"""Names a folder of finished runs that are not in the archive yet, to be compared with them."""
RECORD: dict[str, list[tuple[str, int, float]]] = {}
EXACT = 1e-9
LEVELS = 0.2
"""How far logarithms of simultaneous levels may differ: five standard errors of the two random
samples from which they are found."""


@pytest.fixture(scope="session")
def archive() -> pd.DataFrame:
    """Runs as the evidence gets them."""
    runs = load_archive()
    further = os.environ.get(FURTHER)
    if further:
        more = load_archive(further)
        runs = pd.concat([runs, more[~more["identity"].isin(runs["identity"])]])
    return runs.reset_index(drop=True)


@pytest.fixture(scope="session")
def stored(archive: pd.DataFrame) -> pd.DataFrame:
    """Runs as they are stored, with the names of their conditions."""
    folders = [rows.DATA / "archive", *filter(None, [os.environ.get(FURTHER)])]
    raw = pd.concat([rows.read(Path(folder)) for folder in folders]).drop_duplicates("identity")
    raw = raw[raw["identity"].isin(archive["identity"])]
    assert len(raw) == len(archive)
    return rows.named(raw, archive.set_index("identity")["label"])


@pytest.fixture(scope="session")
def cells(stored: pd.DataFrame) -> rows.Cells:
    """Stored runs by condition and field."""
    return rows.by_condition(stored)


@pytest.fixture(scope="session")
def of_both_signs(stored: pd.DataFrame) -> pd.DataFrame:
    """Stored runs of the paper's design with free and with positive weights."""
    return rows.of_paper(stored, rows.FIELDS, signs=("free", "positive"))


class Differences:
    """Compare numbers of one theme, and keep how many there were and the largest difference."""

    def __init__(self, theme: str) -> None:
        """Begin a theme."""
        self.kept = RECORD.setdefault(theme, [])

    def numbers(
        self, what: str, mine: ArrayLike, given: ArrayLike, *, within: float = EXACT
    ) -> None:
        """Compare numbers; what is missing on one side has to be missing on the other."""
        one, two = (np.asarray(values, dtype=float).ravel() for values in (mine, given))
        assert one.shape == two.shape, what
        assert (np.isnan(one) == np.isnan(two)).all(), f"{what}: missing on one side alone"
        apart = np.abs(one - two)[~np.isnan(one)]
        largest = float(apart.max(initial=0.0))
        self.kept.append((what, len(apart), largest))
        assert largest <= within, f"{what}: {largest:.3g} apart"

    def words(self, what: str, mine: Any, given: Any) -> None:
        """Compare what is no number."""
        one, two = list(mine), list(given)
        differ = [pair for pair in zip(one, two, strict=True) if pair[0] != pair[1]]
        self.kept.append((what, len(one), float(len(differ))))
        assert not differ, f"{what}: {differ[:5]}"

    def intervals(self, what: str, mine: pd.DataFrame, given: pd.DataFrame) -> None:
        """Compare simultaneous intervals by the level of each, which random numbers decide."""
        known = mine["low"].notna().to_numpy() & (mine["high"] - mine["low"] > 1e-12).to_numpy()
        ends = given.to_numpy(dtype=float)
        assert (mine["low"].isna().to_numpy() == np.isnan(ends[:, 0])).all(), what
        self.numbers(f"{what}, middle", mine["difference"][known], ends[known].mean(axis=1))
        if known.any():
            ratio = (ends[:, 1] - ends[:, 0])[known] / (mine["high"] - mine["low"])[known]
            df = mine["seeds"][known].to_numpy() - 1
            level = 2 * stats.t.sf(stats.t.isf(mine["level"][known] / 2, df) * ratio, df)
            assert np.ptp(np.log(level)) < 1e-6, f"{what}: levels differ within the family"
            apart = float(abs(np.log(level / mine["level"][known].to_numpy())).max())
            self.kept.append((f"{what}, log level (random)", int(known.sum()), apart))
            assert apart < LEVELS, f"{what}: level {level[0]:.3g}"


@pytest.fixture
def differences(request: pytest.FixtureRequest) -> Iterator[Differences]:
    """Collect differences under the name of the test's module."""
    yield Differences(request.module.THEME)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show, theme by theme, how many numbers were compared and the largest difference."""
    for theme, kept in RECORD.items():
        exact = [entry for entry in kept if "random" not in entry[0]]
        random = [entry[2] for entry in kept if "random" in entry[0]]
        count, largest = sum(n for _, n, _ in exact), max((d for *_, d in exact), default=0.0)
        also = f"; simultaneous levels {max(random):.2f} (log)" if random else ""
        terminalreporter.write_line(f"recomputed {theme}: {count} numbers, {largest:.1e}{also}")
