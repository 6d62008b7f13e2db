"""What is recomputed shares no code with the evidence."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.recomputed import effects, speed, statistics

HERE = Path(__file__).parent
MODULES = sorted(
    path.stem for path in HERE.glob("*.py") if not path.stem.startswith(("test_", "conftest"))
)
ALLOWED = {"cortexrnn.runs.controls", "cortexrnn.runs.labels"}
"""Names of conditions and what the design asks for."""


def test_imports_nothing_of_the_evidence() -> None:
    """A process that has imported all of it has no module of the evidence."""
    wanted = ", ".join(f"tests.recomputed.{name}" for name in MODULES)
    code = f"import sys, {wanted}; print([m for m in sys.modules if 'cortexrnn.evidence' in m])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=HERE.parents[1], env={"PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_names_only_conditions_of_the_package(name: str) -> None:
    """Of the package, only what names conditions is imported."""
    tree = ast.parse((HERE / f"{name}.py").read_text())
    imported = {
        *(node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)),
        *(a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names),
    }
    assert {module for module in imported if module.startswith("cortexrnn")} <= ALLOWED


def test_own_statistics_agree_with_oracles() -> None:
    """Two ways to an exact interval agree; one column has the ordinary t interval."""
    ends = [statistics.exact_share(k, 20) for k in range(21)]
    tails = [statistics.exact_share_by_tails(k, 20) for k in range(21)]
    np.testing.assert_allclose(ends, tails, atol=1e-12)
    values = np.random.default_rng(3).normal(0.3, 1.0, 12)
    mean, low, high = statistics.t_interval(values)
    test = stats.ttest_1samp(values, 0.0).confidence_interval()
    np.testing.assert_allclose((low, high), test, atol=1e-12)
    assert mean == pytest.approx(values.mean())
    ratio = effects.fieller(values + 9, values + 4)
    assert ratio[0] < (values + 9).mean() / (values + 4).mean() < ratio[1]


def test_pairs_of_variants() -> None:
    """Every pair differs in one prior."""
    for _, one, two in speed.pairs():
        parts = zip(speed.priors_of(one), speed.priors_of(two), strict=True)
        assert sum(first != second for first, second in parts) == 1
