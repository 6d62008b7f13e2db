"""Trained networks on disk: all weights of one run with its specification.

:mod:`cortexrnn.runs.trained_weights` keeps what the graph of a recurrent matrix needs, of many runs
and in half precision. Here a whole network is kept as it was trained, to the bit, so that it can be
evaluated, measured or taken apart later. Both are files of plain arrays without pickles, written
completely or not at all, and read by the same checks;
:func:`cortexrnn.runs.trained_weights.sparsify` leads from this form to the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cortexrnn.networks.neurogym import GymTask
from cortexrnn.networks.specification import task_of
from cortexrnn.networks.training import TRAINING_METRICS, Result
from cortexrnn.runs import experiment, provenance
from cortexrnn.runs.archive import written_whole
from cortexrnn.runs.trained_weights import WeightsError, check_layout, read_arrays

__all__ = ["TrainedNetwork", "load_network", "save_network"]

FILE_FORMAT = 1
"""Layout of the files that :func:`save_network` writes."""

TEXTS = ("specification", "identity", "field", "variant", "task", "arm", "device", "made")
HISTORY = ("accuracy", "loss")
WEIGHTS: dict[str, tuple[str, ...]] = {
    "input": ("channels", "neurons"),
    "recurrent": ("neurons", "neurons"),
    "bias": ("neurons",),
    "output": ("neurons", "classes"),
    "output_bias": ("classes",),
}

LAYOUT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "network_format": ("i8", ()),
    **{name: ("U", ()) for name in TEXTS},
    "metrics": ("f8", (len(TRAINING_METRICS),)),
    "history": ("f8", ("epochs", len(HISTORY))),
    "diverged_epoch": ("i8", ()),
}
"""Arrays of a file besides the weights: type and shape. No epoch of divergence is 0."""

REMEDY = "give a file that save_network wrote"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """One trained network.

    Parameters
    ----------
    specification : dict
        What defined the run, as the archive has it: plain data, readable without the classes of
        penalties or tasks that were the user's own.
    identity : str
        Hash of the specification; the key of its row of the archive, if it has one.
    field, variant, task, arm : str
        Names, as in the archive.
    metrics : dict of str to float
        See :class:`cortexrnn.networks.training.Result`.
    history : dict of str to list of float
        ``accuracy`` and ``loss`` of every completed epoch.
    weights : dict of str to ndarray
        ``input`` (I, N), ``recurrent`` (N, N), ``bias`` (N,), ``output`` (N, C),
        ``output_bias`` (C,), in the format of training.
    diverged_epoch : int or None
        Epoch in which loss or weights stopped being finite.
    device : str
        Where it was trained.
    made : str
        Versions and commit, for people.
    """

    specification: dict[str, Any]
    identity: str
    field: str
    variant: str
    task: str
    arm: str
    metrics: dict[str, float]
    history: dict[str, list[float]]
    weights: dict[str, NDArray[np.floating]]
    diverged_epoch: int | None
    device: str
    made: str

    @property
    def diverged(self) -> bool:
        """Whether loss or weights stopped being finite."""
        return self.diverged_epoch is not None

    def parameters(self) -> dict[str, Tensor]:
        """Weights as an ensemble of one network.

        Returns
        -------
        dict of str to Tensor
            What :func:`cortexrnn.networks.ensemble.logits` takes: each of the weights with an axis
            of length 1 in front.
        """
        return {name: torch.tensor(value).unsqueeze(0) for name, value in self.weights.items()}


def save_network(result: Result, path: str | Path) -> Path:
    """Write a trained network with its specification, completely or not at all.

    Parameters
    ----------
    result : Result
        What :func:`cortexrnn.networks.training.train` gave for one run.
    path : str or Path
        The file, ``something.npz``; one that is there is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArchiveError
        If the folder cannot be written.
    """
    spec = result.spec
    versions = experiment._versions(isinstance(task_of(spec), GymTask))
    arrays: dict[str, Any] = {
        "network_format": np.int64(FILE_FORMAT),
        "specification": json.dumps(spec.resolved(), sort_keys=True),
        "identity": spec.identity,
        "field": spec.field,
        "variant": spec.variant.name,
        "task": spec.task,
        "arm": spec.arm,
        "device": experiment._device_name(result.device),
        "made": f"{versions}, commit {provenance.commit() or 'unknown'}",
        "metrics": np.array([result.metrics[name] for name in TRAINING_METRICS], float),
        "history": np.array([result.history[name] for name in HISTORY], float).T,
        "diverged_epoch": np.int64(result.diverged_epoch or 0),
        **{name: result.weights[name] for name in WEIGHTS},
    }
    target = Path(path)
    with written_whole(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return target


def load_network(path: str | Path) -> TrainedNetwork:
    """Read a file that :func:`save_network` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    TrainedNetwork
        The network.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, of another format, or contradicts itself.
    """
    # Nothing in it is compressed, so what takes more room than the file is not ours.
    arrays = read_arrays(Path(path), remedy=REMEDY, largest=None)
    try:
        specification = _checked(arrays)
    except WeightsError as error:
        raise WeightsError(f"{path} refused: {error}; {REMEDY}") from error
    texts = {name: str(arrays[name]) for name in TEXTS}
    return TrainedNetwork(
        **(texts | {"specification": specification}),  # type: ignore[arg-type]
        metrics=dict(zip(TRAINING_METRICS, arrays["metrics"].tolist(), strict=True)),
        history=dict(zip(HISTORY, arrays["history"].T.tolist(), strict=True)),
        weights={name: arrays[name] for name in WEIGHTS},
        diverged_epoch=int(arrays["diverged_epoch"]) or None,
    )


def _checked(arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Refuse arrays that no run could have left; give the specification."""
    if "network_format" not in arrays:
        raise WeightsError("it holds no network as save_network writes it")
    if str(arrays["network_format"]) != str(FILE_FORMAT):
        raise WeightsError(
            f"its format is {arrays['network_format']}, this package reads {FILE_FORMAT}"
        )
    kind = arrays["recurrent"].dtype.str[1:] if "recurrent" in arrays else "f4"
    layout = LAYOUT | {name: (kind, shape) for name, shape in WEIGHTS.items()}
    check_layout(arrays, layout, {})
    specification = _specification(str(arrays["specification"]), str(arrays["identity"]))
    precision, task = specification.get("precision"), specification.get("task")
    if (str(arrays["recurrent"].dtype), str(arrays["task"])) != (precision, task):
        raise WeightsError(
            f"weights are {arrays['recurrent'].dtype} of task {arrays['task']}, the specification "
            f"says {precision} of {task}"
        )
    diverged = int(arrays["diverged_epoch"])
    finite = all(np.isfinite(arrays[name]).all() for name in ("metrics", *WEIGHTS))
    if diverged < 0 or not (finite or diverged):
        raise WeightsError("weights or metrics are not finite, though it did not diverge")
    return specification


def _specification(text: str, identity: str) -> dict[str, Any]:
    """Read a specification, which its identity must be the hash of."""
    try:
        specification = json.loads(text)
        plain = json.dumps(specification, sort_keys=True)
    except ValueError as error:
        raise WeightsError(f"its specification cannot be read: {error}") from error
    digest = hashlib.sha256(plain.encode()).hexdigest()[:32]
    if not isinstance(specification, dict) or digest != identity:
        raise WeightsError(f"its identity is {identity}, that of its specification is {digest}")
    return specification
