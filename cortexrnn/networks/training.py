"""Training of many independent networks of one size as one batch.

Network and optimiser as in the code released with Shakiba et al. 2026 (arXiv:2606.14975):
h_t = relu(x_t K + h_(t-1) R + b), h_0 = 0, softmax read-out of the last state, mean categorical
cross-entropy plus a penalty on R, Adam as in Keras, batches in fixed order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from rich.markup import escape
from rich.progress import Progress
from torch import Tensor

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.networks import initial_weights, input_noise
from cortexrnn.networks.device import processor_settings, resolve_device
from cortexrnn.networks.ensemble import RNNEnsemble
from cortexrnn.networks.penalties import (
    RANDOM_DISTANCES,
    Penalty,
    PreparedPenalty,
    penalty_of,
)
from cortexrnn.networks.products import Preference, prefer
from cortexrnn.networks.specification import RunSpec, random_stream, task_of
from cortexrnn.networks.tasks import Task
from cortexrnn.networks.variant import VARIANTS

__all__ = [
    "NUMERICS",
    "Parameters",
    "Result",
    "initial_input_weights",
    "rehearse",
    "together",
    "train",
]

NUMERICS = 6
"""Version of the arithmetic of training and topology. It changes whenever their bits do:

1. entropy is not a number where a density underflows;
2. there it has its limit, zero;
3. the exponential of communicability by blocks of degree four;
4. the second moment of Adam moves as Keras moves it;
5. one network after another on a processor, every operand aligned: a run no longer depends on its
   place in an ensemble;
6. recurrent and input weights and bias in one product; the exponential in four products; gradients
   of penalties written out; the entropy without terms that round to nothing.

Training amplifies rounding. Runs of other numerics are other draws of the same distribution.
"""
COMMON = (
    "task_settings",
    "data_seed",
    "n_train",
    "n_validation",
    "epochs",
    "batch_size",
    "learning_rate",
    "input_noise",
    "dtype",
    "custom_tasks",
)
"""What members of one ensemble have in common, besides the task."""
TRAINING_METRICS = ("accuracy", "loss", "validation_accuracy", "validation_loss")
Parameters = dict[str, NDArray[np.floating]]
"""Parameters of one network by name, see :class:`Result`."""
OnUpdate = Callable[[RunSpec, int, float, Callable[[], Parameters]], None]
"""What is told of updates, see :func:`train`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Result of one run.

    Parameters
    ----------
    spec : RunSpec
        The run.
    metrics : dict of str to float
        ``accuracy`` and ``loss``: mean over the batches of the last epoch, each before its
        update, with input noise; ``validation_accuracy`` and ``validation_loss``: after the
        last epoch, without noise. Losses include the penalty. NaN for a diverged run.
    history : dict of str to list of float
        ``accuracy`` and ``loss`` of every completed epoch.
    weights : dict of str to ndarray
        ``input`` (I, N), ``recurrent`` (N, N), ``bias`` (N,), ``output`` (N, C),
        ``output_bias`` (C,) after training.
    diverged : bool
        Whether loss or weights stopped being finite; the weights are then those at the end of the
        epoch in which that happened.
    diverged_epoch : int or None
        Epoch, counted from 1, in which that happened.
    seconds : float
        Time of the ensemble divided by its number of runs.
    device : str
        Where it was trained.
    products : str
        Library, kernel and threads of its matrix products, see
        :meth:`cortexrnn.networks.products.Products.describe`.
    """

    spec: RunSpec
    metrics: dict[str, float]
    history: dict[str, list[float]]
    weights: dict[str, NDArray[np.floating]]
    diverged: bool
    diverged_epoch: int | None
    seconds: float
    device: str
    products: str = ""


def train(
    specs: Sequence[RunSpec],
    field: Field,
    *,
    device: str = "auto",
    products: Preference = None,
    progress: bool | Callable[[int, int], None] = True,
    watch: Callable[[RunSpec, int, NDArray[np.floating]], None] | None = None,
    watch_updates: OnUpdate | None = None,
) -> list[Result]:
    """Train runs; those that share task, trials and optimiser as one ensemble.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs, of one field.
    field : Field
        The field that the specifications name.
    device : str
        See :func:`cortexrnn.networks.device.resolve_device`.
    products : {"auto", "torch", "numpy"}, optional
        Library of matrix products on a processor, see :func:`cortexrnn.networks.products.choose`.
    progress : bool or callable
        Whether to show a progress bar; or what is told of progress, for a bar of one's own: called
        after every epoch with its number (counted from 1) and how many there are.
    watch : callable, optional
        Called after every epoch for every network that has not diverged, with its specification,
        the epoch (counted from 1) and a copy of its recurrent weights, shape (N, N). Watching
        changes no number.
    watch_updates : callable, optional
        The same within epochs: called after every update for every network that had not diverged
        when the epoch began, with its specification, the number of updates so far, the accuracy on
        the batch before the update, and a function that copies the parameters as they then are, by
        the names of :class:`Result`. First tasks are not watched.

    Returns
    -------
    list of Result
        One for each specification, in their order.

    Raises
    ------
    FieldError
        If a specification was made for another field.
    ValueError
        If the device, the library or a task is unknown.
    """
    where = resolve_device(device)
    _check_field(specs, field)
    bar = Progress(disable=progress is not True)
    with bar, processor_settings(field.n_neurons), prefer(products):

        def ticket(first: RunSpec, n_runs: int) -> Callable[[], None]:
            if callable(progress):
                epoch = count(1)
                return lambda: progress(next(epoch), first.epochs)
            task = bar.add_task(escape(f"{first.task}, {n_runs} runs"), total=first.epochs)
            return partial(bar.advance, task)

        return _train_alike(specs, field, where, ticket, watch, watch_updates)


def rehearse(specs: Sequence[RunSpec], field: Field, *, draw: bool = True) -> None:
    """Refuse runs that cannot be trained, before anything is written or trained.

    Every task is drawn from once, and start and penalty of every kind of run are made once. First
    tasks are not trained here: a run whose penalty has no gradient after its first task is recorded
    as diverged, see :func:`cortexrnn.networks.penalties.penalty`.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs, of one field.
    field : Field
        The field that the specifications name.
    draw : bool
        Whether trials are drawn; not where they will be drawn on another machine, which may have
        NeuroGym where this one does not.

    Raises
    ------
    FieldError
        If a specification was made for another field, or the field lacks what a run needs.
    ValueError
        If there is no run, a task is unknown or cannot be drawn, or the strength of a penalty is in
        units of a gradient that it does not have at the start.
    """
    if not specs:
        raise ValueError("the plan holds no run; name at least one variant, task and seed")
    _check_field(specs, field)
    drawn: dict[object, Task] = {}
    for spec in specs:
        for one in (spec, *_before(spec)):
            drawn.setdefault((one.task, one.task_settings, one.custom_tasks), task_of(one))
    if draw:
        for task in drawn.values():
            task.sample(1, rng=random_stream(0, "rehearsal"))
    kinds: dict[object, RunSpec] = {}
    for spec in specs:
        kind: tuple[object, ...] = (spec.variant, spec.relation, spec.sign, spec.protocol)
        kind += (spec.dtype, spec.first_task is None)
        kinds.setdefault(kind, spec)
    for spec in kinds.values():
        plain = replace(spec, first_task=None)
        task = task_of(spec)
        # Nothing is multiplied here, so it does not matter by what.
        with processor_settings(field.n_neurons), prefer("torch"):
            (penalty,) = _build([plain], field, task, torch.device("cpu"))._penalties
        if spec.first_task is None and not math.isfinite(penalty.strength):
            raise ValueError(
                f"the penalty of {spec.variant.name} has no finite gradient other than zero at the "
                "initial weights, so that its strength cannot be in units of it; choose a protocol "
                "with strength_unit='lambda'"
            )


def _check_field(specs: Sequence[RunSpec], field: Field) -> None:
    """Refuse what is no field, and runs of another one."""
    if not isinstance(field, Field):
        raise FieldError(f"field is {field!r}; give a Field, such as load_field gives")
    for spec in specs:
        if spec.field_hash != field.hash_without_events:
            raise FieldError(
                f"run {spec.variant.name} was specified for field {spec.field} with content "
                f"{spec.field_hash[:12]}, but {field.name} has {field.hash_without_events[:12]}; "
                "make the specification from this field"
            )


def _train_alike(
    specs: Sequence[RunSpec],
    field: Field,
    device: torch.device,
    ticket: Callable[[RunSpec, int], Callable[[], None]],
    watch: Callable[[RunSpec, int, NDArray[np.floating]], None] | None = None,
    watch_updates: OnUpdate | None = None,
) -> list[Result]:
    """Train together what has task, trials and optimiser in common; results in order."""
    results: dict[int, Result] = {}
    for members in together(specs):
        group = [specs[i] for i in members]
        on_epoch = ticket(group[0], len(group))
        trained = _train_group(group, field, device, on_epoch, watch, watch_updates)
        results.update(zip(members, trained, strict=True))
    return [results[i] for i in range(len(specs))]


def together(specs: Sequence[RunSpec]) -> list[list[int]]:
    """Say which runs share task, trials and optimiser, so that they are trained as one ensemble.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs, of one field.

    Returns
    -------
    list of list of int
        Their positions, each once, in order within a group; groups in the order of their first.
    """
    shared: dict[RunSpec, list[int]] = {}
    for i, spec in enumerate(specs):
        shared.setdefault(_common(spec), []).append(i)
    return list(shared.values())


def _common(spec: RunSpec) -> RunSpec:
    """Reduce a specification to what members of one ensemble must share."""
    plain = RunSpec(field="", field_hash="", variant=VARIANTS["W"], task=spec.task, seed=0)
    return replace(plain, **{name: getattr(spec, name) for name in COMMON})


def _train_group(
    specs: Sequence[RunSpec],
    field: Field,
    device: torch.device,
    on_epoch: Callable[[], None],
    watch: Callable[[RunSpec, int, NDArray[np.floating]], None] | None,
    watch_updates: OnUpdate | None,
) -> list[Result]:
    """Train runs that share task, trials and optimiser."""
    started = time.perf_counter()
    first = specs[0]
    task = task_of(first)
    ensemble = _build(specs, field, task, device)
    trials = _trials(first, task, device)
    with closing(_Fit(specs, ensemble, trials[0], trials[1], watch_updates)) as fit:
        for epoch in range(1, first.epochs + 1):
            fit.epoch(epoch)
            on_epoch()
            if watch is not None:
                for spec, weights in fit.recurrent():
                    watch(spec, epoch, weights)
        fit.finish(trials[2], trials[3])
    seconds = (time.perf_counter() - started) / len(specs)
    return fit.results(seconds, device)


def _build(specs: Sequence[RunSpec], field: Field, task: Task, device: torch.device) -> RNNEnsemble:
    """Make the ensemble before training."""
    dtype = getattr(torch, specs[0].dtype)
    size = (task.n_channels, field.n_neurons, task.n_classes)
    parameters: dict[str, Tensor] = {}
    known: dict[tuple[object, ...], Penalty] = {}
    penalties = []
    for i, (spec, start) in enumerate(zip(specs, _starts(specs, field, device), strict=True)):
        member = _member(spec, start, size)
        for name, value in member.items():
            # Room for all at first: where there is too little, that is known before all are made,
            # of which the host never holds more than one.
            if not i:
                shape = (len(specs), *value.shape)
                parameters[name] = torch.empty(shape, dtype=dtype, device=device)
            parameters[name][i] = torch.from_numpy(value)
        variant = spec.variant
        key: tuple[object, ...] = (
            variant.distance,
            variant.self_distance,
            variant.communicability,
            spec.protocol,
            spec.strength,
            spec.emd_strength,
            spec.communicability_rank,
        )
        own_points = variant.distance in RANDOM_DISTANCES
        own_scale = spec.protocol.strength_unit == "gradient"
        own_penalty = variant.penalty is not None
        if own_points or own_scale or own_penalty or variant.communicability == "frozen":
            key = (spec.identity,)
        if key not in known:
            penalty = penalty_of(spec, field, member["recurrent"])
            if isinstance(penalty, PreparedPenalty):
                penalty = known.setdefault((penalty.content,), penalty)
            known[key] = penalty
        penalties.append(known[key])
    return RNNEnsemble(
        parameters,
        penalties=penalties,
        positive=[spec.sign == "positive" for spec in specs],
        learning_rate=specs[0].learning_rate,
    )


def _starts(
    specs: Sequence[RunSpec], field: Field, device: torch.device
) -> Iterator[NDArray[np.floating]]:
    """Recurrent weights (N, N) before training, those of the first task where there is one."""
    first_runs = [one for spec in specs for one in _before(spec)]
    learned = iter(_train_alike(first_runs, field, device, lambda *_: lambda: None))
    drawn = initial_weights.many_initial_weights(
        [spec for spec in specs if spec.first_task is None], field
    )
    for spec in specs:
        yield next(drawn) if spec.first_task is None else next(learned).weights["recurrent"]


def _before(spec: RunSpec) -> list[RunSpec]:
    """Give the run that comes before one with a first task."""
    if spec.first_task is None:
        return []
    return [replace(spec, task=spec.first_task, first_task=None, task_settings=())]


def initial_input_weights(spec: RunSpec, n_neurons: int) -> NDArray[np.float64]:
    """Input weights before training, which depend on task and seed alone.

    Parameters
    ----------
    spec : RunSpec
        The run.
    n_neurons : int
        Number of units N.

    Returns
    -------
    ndarray, shape (I, N)
        Weights from the I channels of the task, as :func:`train` starts from.
    """
    return _glorot_uniform((task_of(spec).n_channels, n_neurons), _outer_stream(spec))


def _outer_stream(spec: RunSpec) -> np.random.Generator:
    """Source of the weights of input and read-out, in this order."""
    return random_stream(spec.seed, "input and output weights", spec.task)


def _member(
    spec: RunSpec, recurrent: NDArray[np.floating], size: tuple[int, int, int]
) -> dict[str, NDArray[np.float64]]:
    """Make initial parameters; all but the recurrent ones depend on task and seed alone."""
    n_channels, n_neurons, n_classes = size
    rng = _outer_stream(spec)
    return {
        "input": _glorot_uniform((n_channels, n_neurons), rng),
        "recurrent": recurrent.astype(np.float64),
        "bias": np.zeros(n_neurons),
        "output": _glorot_uniform((n_neurons, n_classes), rng),
        "output_bias": np.zeros(n_classes),
    }


def _glorot_uniform(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Glorot and Bengio 2010, the default of Keras for input and read-out weights."""
    limit = (6 / sum(shape)) ** 0.5
    return rng.uniform(-limit, limit, shape)


def _trials(
    spec: RunSpec, task: Task, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and validation trials, inputs (T, n, I) and targets (n,)."""
    rng = random_stream(spec.data_seed, "trials", spec.task)
    tensors: list[Tensor] = []
    for n_trials in (spec.n_train, spec.n_validation):
        inputs, targets = task.sample(n_trials, rng=rng)
        dtype = getattr(torch, spec.dtype)
        tensors += [
            torch.from_numpy(inputs).transpose(0, 1).contiguous().to(device, dtype),
            torch.from_numpy(targets).to(device),
        ]
    return tensors[0], tensors[1], tensors[2], tensors[3]


class _Fit:
    """Epochs of one ensemble: noise, histories, and networks that diverge."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        ensemble: RNNEnsemble,
        inputs: Tensor,
        targets: Tensor,
        watch_updates: OnUpdate | None = None,
    ) -> None:
        self.specs, self.ensemble = specs, ensemble
        self._watch_updates = watch_updates
        self.inputs, self.targets = inputs, targets
        self.active = list(range(len(specs)))
        self.diverged: dict[int, int] = {}
        self.history: list[dict[str, list[float]]] = [{"accuracy": [], "loss": []} for _ in specs]
        self.metrics = [dict.fromkeys(TRAINING_METRICS, float("nan")) for _ in specs]
        self.weights: dict[int, dict[str, NDArray[np.floating]]] = {}
        n_trials, size = len(targets), specs[0].batch_size
        self._batches = [slice(i, min(i + size, n_trials)) for i in range(0, n_trials, size)]
        seeds = sorted({spec.seed for spec in specs})
        # Of each network, the place of its seed among those that noise is drawn for.
        self._seed = torch.tensor([seeds.index(spec.seed) for spec in specs], device=inputs.device)
        n_steps, _, n_channels = inputs.shape
        self._noise = input_noise.drawn(
            [
                torch.Generator().manual_seed(
                    int(random_stream(seed, "input noise", specs[0].task).integers(2**63))
                )
                for seed in seeds
            ],
            [(n_steps, b.stop - b.start, n_channels) for b in self._batches] * specs[0].epochs,
            inputs.device,
        )

    def close(self) -> None:
        """Draw no more noise."""
        self._noise.close()

    def epoch(self, epoch: int) -> None:
        """Pass once over the training trials, then look what came of it.

        A network diverged if a loss was not finite, even if a later one is, or if its parameters
        are not. It is found at the end of the epoch, so that nothing before waits for the device,
        and its weights are those that it then has.
        """
        if not self.active:
            return
        values = self._updates().cpu().double().numpy()
        finite = np.isfinite(values).all((0, 1))
        finite &= _finite(self.ensemble.parameters).cpu().numpy()
        n_trials = np.array([batch.stop - batch.start for batch in self._batches])
        # Added in the order of the batches, in float64, which not every device has.
        sums = np.add.accumulate(values[:, :, finite] * n_trials[:, None, None])[-1]
        self._drop(~finite, epoch)
        accuracy, loss = (sums / n_trials.sum()).tolist()
        for position, i in enumerate(self.active):
            self.history[i]["accuracy"].append(accuracy[position])
            self.history[i]["loss"].append(loss[position])

    def _updates(self) -> Tensor:
        """Update on every batch; accuracy and loss before each update, shape (batches, 2, M).

        Nothing here asks the device for a value, so that the host can run ahead of it, unless
        updates are watched.
        """
        values = self.inputs.new_empty(len(self._batches), 2, len(self.active))
        for row, batch in zip(values, self._batches, strict=True):
            loss, accuracy = self.ensemble.step(
                self._noisy(self.inputs[:, batch]), self.targets[batch]
            )
            row[0].copy_(accuracy)
            row[1].copy_(loss)
            if self._watch_updates is not None:
                for position, i in enumerate(self.active):
                    copy = partial(self._network, position)
                    self._watch_updates(
                        self.specs[i], self.ensemble.n_steps, float(accuracy[position]), copy
                    )
        return values

    def _noisy(self, inputs: Tensor) -> Tensor:
        """Add noise to inputs (T, B, I); with several seeds the result is (M, T, B, I)."""
        noise = next(self._noise).to(inputs.dtype)
        noisy = inputs + self.specs[0].input_noise * noise
        return noisy[0] if len(noisy) == 1 else noisy.index_select(0, self._seed)

    def _drop(self, lost: NDArray[np.bool_], epoch: int) -> None:
        """Take networks that are no longer finite out of the ensemble."""
        if not lost.any():
            return
        for position in np.flatnonzero(lost).tolist():
            i = self.active[position]
            self.diverged[i] = epoch
            self.weights[i] = self._network(position)
        kept = torch.from_numpy(~lost).to(self._seed.device)
        self.ensemble.keep(kept)
        self._seed = self._seed[kept]
        self.active = [i for i in self.active if i not in self.diverged]

    def _network(self, position: int) -> dict[str, NDArray[np.floating]]:
        """Copy the parameters of one network to numpy."""
        return {
            name: value[position].cpu().numpy().copy()
            for name, value in self.ensemble.parameters.items()
        }

    def recurrent(self) -> Iterator[tuple[RunSpec, NDArray[np.floating]]]:
        """Give the recurrent weights of each network that has not diverged."""
        for position, i in enumerate(self.active):
            yield (
                self.specs[i],
                self.ensemble.parameters["recurrent"][position].cpu().numpy().copy(),
            )

    def finish(self, inputs: Tensor, targets: Tensor) -> None:
        """Validate and collect what the networks became."""
        if not self.active:
            return
        loss, accuracy = (x.tolist() for x in self.ensemble.evaluate(inputs, targets))
        for position, i in enumerate(self.active):
            self.weights[i] = self._network(position)
            self.metrics[i] = {
                "accuracy": self.history[i]["accuracy"][-1],
                "loss": self.history[i]["loss"][-1],
                "validation_accuracy": accuracy[position],
                "validation_loss": loss[position],
            }

    def results(self, seconds: float, device: torch.device) -> list[Result]:
        """Results in the order of the specifications."""
        products = self.ensemble.products.describe()
        if device.type != "cpu":  # where bits depend on how many networks are side by side
            products += f", {len(self.specs)} at once"
        return [
            Result(
                spec=spec,
                metrics=self.metrics[i],
                history=self.history[i],
                weights=self.weights[i],
                diverged=i in self.diverged,
                diverged_epoch=self.diverged.get(i),
                seconds=seconds,
                device=str(device),
                products=products,
            )
            for i, spec in enumerate(self.specs)
        ]


def _finite(parameters: dict[str, Tensor]) -> Tensor:
    """Whether all parameters of each network are finite, shape (M,)."""
    # The ends alone, which are NaN where any value is: no copy of the parameters is made for it.
    ends = [end for value in parameters.values() for end in value.flatten(1).aminmax(dim=1)]
    return torch.stack(ends).isfinite().all(0)
