"""What tests share: real fields where there is a mirror of them, and reference values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPECIFIED = ("field", "variant", "task", "seed", "relation", "sign", "data_seed", "n_train",
             "n_validation", "epochs")  # fmt: skip
"""Columns of a run that are part of its specification; protocol and arm only name parts of one."""


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with published fields, one folder each."""
    named = os.environ.get("CORTEXRNN_DATA")
    if not named:
        pytest.skip("set CORTEXRNN_DATA to a mirror of the real fields")
    folder = Path(named).expanduser()
    assert folder.is_dir(), f"CORTEXRNN_DATA names {named}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Values that the authors' own code gives for fixed inputs."""
    path = Path(__file__).parent / "golden" / "reference_values.json"
    values: dict[str, Any] = json.loads(path.read_text())
    return values


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Inputs of the small golden case, drawn as its recipe says."""
    rng = np.random.default_rng(7)
    recipe: dict[str, Any] = {
        "weights": rng.normal(0, 0.2, (24, 24)),
        "positions": rng.random((24, 3)),
        "connectome": rng.poisson(0.1, (24, 24)),
        "inputs": rng.normal(0, 1, (4, 10, 3)),
    }
    recipe["input"] = rng.normal(0, 0.3, (3, 24))
    recipe["output"] = rng.normal(0, 0.3, (24, 2))
    recipe["targets"] = [0, 1, 1, 0]
    return recipe
