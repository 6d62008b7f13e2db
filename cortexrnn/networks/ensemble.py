"""Many independent recurrent networks, stepped side by side.

Every network of an :class:`RNNEnsemble` is trained exactly as if it were alone; what they share is
the size, the trials and the clock of the optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cortexrnn.networks.penalties import Penalty
from cortexrnn.networks.penalty_backpropagation import PenaltyWorkspace, by_kind
from cortexrnn.networks.products import Products, choose
from cortexrnn.networks.recurrence import Recurrence, aligned_length, buffer

__all__ = ["RNNEnsemble", "logits"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Constants of Adam, the defaults of Keras."""
VALIDATION_CHUNK, LEAST_CHUNK = 512, 128
"""Trials evaluated at a time, by one network and by many, whose states are kept side by side."""


def logits(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """Read-out before the softmax, differentiable by autograd.

    This is the plain form of the network; :meth:`RNNEnsemble.step` computes the same with a
    backward pass written out, and tests compare the two.

    Parameters
    ----------
    parameters : dict of str to Tensor
        As in :class:`RNNEnsemble`.
    inputs : Tensor, shape (T, B, I) or (M, T, B, I)
        Inputs, common to all networks or for each.

    Returns
    -------
    Tensor, shape (M, B, C)
        Logits.
    """
    drive = inputs @ parameters["input"].unsqueeze(1) + parameters["bias"][:, None, None]
    state = drive[:, 0].relu()
    for step in range(1, drive.shape[1]):
        state = torch.baddbmm(drive[:, step], state, parameters["recurrent"]).relu()
    return torch.baddbmm(parameters["output_bias"].unsqueeze(1), state, parameters["output"])


class RNNEnsemble:
    """M independent networks trained side by side, each exactly as if alone.

    Parameters
    ----------
    parameters : dict of str to Tensor
        ``input`` (M, I, N), ``recurrent`` (M, N, N), ``bias`` (M, N), ``output`` (M, N, C),
        ``output_bias`` (M, C); copied. The ensemble's own are updated in place by :meth:`step`.
    penalties : sequence of Penalty
        One for each network.
    positive : sequence of bool
        Whether negative recurrent weights are set to zero after each update.
    learning_rate : float
        Of Adam.
    products : Products, optional
        What multiplies matrices; by default what :func:`cortexrnn.networks.products.choose`
        chooses.

    Raises
    ------
    ValueError
        If the numbers of networks disagree, or a penalty is one of several networks.
    """

    def __init__(
        self,
        parameters: dict[str, Tensor],
        *,
        penalties: Sequence[Penalty],
        positive: Sequence[bool],
        learning_rate: float = 1e-3,
        products: Products | None = None,
    ) -> None:
        recurrent = parameters["recurrent"]
        n_networks, n_neurons = recurrent.shape[:2]
        if not n_networks == len(penalties) == len(positive):
            raise ValueError(
                f"{n_networks} recurrent matrices, {len(penalties)} penalties and "
                f"{len(positive)} signs: give one of each for every network"
            )
        for i, penalty in enumerate(penalties):
            if _is_of_several(penalty):
                raise ValueError(
                    f"penalties[{i}] has strengths or tensors of several networks; give every "
                    "network a penalty of its own, with strengths that are numbers"
                )
        self.learning_rate = learning_rate
        self.n_steps = 0
        self.products = products or choose(recurrent.device, n_neurons, dtype=recurrent.dtype)
        self._places, width = _places(parameters)
        self._values, self._first, self._second = (
            buffer(recurrent, n_networks, width) for _ in range(3)
        )
        moved = {id(p): p.to(recurrent) for p in penalties}
        self._penalties = [moved[id(p)] for p in penalties]
        self._positive = list(positive)
        self._lay_out()
        for name, value in parameters.items():
            self.parameters[name].copy_(value)

    @property
    def n_networks(self) -> int:
        """Number of networks M."""
        return len(self.parameters["recurrent"])

    def keep(self, mask: Tensor) -> None:
        """Drop networks, so that diverged ones cost nothing.

        Parameters
        ----------
        mask : Tensor of bool, shape (M,)
            True for the networks that stay.
        """
        self._values, self._first = self._values[mask], self._first[mask]
        self._second = self._second[mask]
        chosen = [i for i, stays in enumerate(mask.tolist()) if stays]
        self._penalties = [self._penalties[i] for i in chosen]
        self._positive = [self._positive[i] for i in chosen]
        self._lay_out()

    def _lay_out(self) -> None:
        """Name the parameters within the rows of numbers, and make room for gradients.

        The numbers of one network are one row, so that an update is a few passes over it.

        A processor does best with one network at a time, whose states stay in its cache; an
        accelerator with all at once. One at a time, a network also goes through the same
        operations on tensors of the same shape and alignment whatever stands beside it.
        """
        self.parameters = _named(self._values, self._places)
        at_once = 1 if self._values.device.type == "cpu" else max(len(self._values), 1)
        parts = [slice(i, i + at_once) for i in range(0, len(self._values), at_once)]
        n_at_once = min(at_once, len(self._values))
        width = self._values.shape[1]
        self._gradient, self._scratch = (buffer(self._values, n_at_once, width) for _ in range(2))
        self._gradients = _named(self._gradient, self._places)
        self._stacked_gradient = self._stacked(self._gradient)
        self._recurrences: dict[tuple[int, ...], Recurrence] = {}
        self._workspaces: dict[int, PenaltyWorkspace] = {}
        self._parts = [self._part(part) for part in parts]

    def _stacked(self, rows: Tensor) -> Tensor:
        """View what :data:`LEADING` names as one matrix (m, N + I + 1, N)."""
        last, shape = self._places[LEADING[-1]]
        width, n_neurons = last + shape.numel(), self.parameters["recurrent"].shape[1]
        return rows[:, :width].view(len(rows), width // n_neurons, n_neurons)

    def _part(self, part: slice) -> _Part:
        """Collect what belongs to networks that are computed together."""
        values, positive = self._values[part], self._positive[part]
        floor = None
        if any(positive):
            lowest = [0.0 if one else -torch.inf for one in positive]
            floor = values.new_tensor(lowest)[:, None, None]
        return _Part(
            values=values,
            first=self._first[part],
            second=self._second[part],
            parameters=_named(values, self._places),
            stacked=self._stacked(values),
            penalties=[
                self._group(joined.to(values), places, len(values))
                for joined, places in by_kind(self._penalties[part])
            ],
            floor=floor,
        )

    def _group(self, penalty: Penalty, places: list[int], n_networks: int) -> _Group:
        """Give networks with one kind of penalty a place to evaluate it in."""
        n_neurons = self.parameters["recurrent"].shape[1]
        if len(places) not in self._workspaces:
            self._workspaces[len(places)] = PenaltyWorkspace(
                self._values,
                n_networks=len(places),
                n_neurons=n_neurons,
                products=self.products,
            )
        are_all = len(places) == n_networks
        chosen = None if are_all else torch.tensor(places, device=self._values.device)
        return _Group(penalty, chosen, self._workspaces[len(places)])

    def penalty(self) -> Tensor:
        """Value of each network's penalty.

        Returns
        -------
        Tensor, shape (M,)
            The values.
        """
        return torch.cat([self._values.new_empty(0), *(part.penalty() for part in self._parts)])

    def step(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """One update of all networks on one batch of trials.

        Parameters
        ----------
        inputs : Tensor, shape (T, B, I) or (M, T, B, I)
            Inputs, common to all networks or for each.
        targets : Tensor of int, shape (B,)
            Classes.

        Returns
        -------
        loss : Tensor, shape (M,)
            Loss before the update, penalty included.
        accuracy : Tensor, shape (M,)
            Share of right answers before the update.
        """
        self.n_steps += 1
        loss, accuracy = self._values.new_empty(2, self.n_networks)
        if not self._parts:
            return loss, accuracy
        recurrence = self._recurrence(inputs.shape[-3:])
        if inputs.ndim == 3:
            recurrence.load(inputs)
        low = 0
        for part in self._parts:
            high = low + len(part.values)
            if inputs.ndim == 4:
                recurrence.load(inputs[low:high])
            # numpy would warn of what a run that diverges multiplies; it is recorded instead.
            with np.errstate(all="ignore"):
                loss[low:high], accuracy[low:high] = self._backpropagate(part, recurrence, targets)
                loss[low:high] += part.penalty(self._gradients["recurrent"])
            self._update(part)
            low = high
        return loss, accuracy

    def _recurrence(self, shape: torch.Size) -> Recurrence:
        """Memory for batches of inputs (T, B, I), made once for each shape."""
        if shape not in self._recurrences:
            n_steps, n_trials, n_inputs = shape
            self._recurrences[shape] = Recurrence(
                self._values,
                n_networks=len(self._gradient),
                n_steps=n_steps,
                n_trials=n_trials,
                n_inputs=n_inputs,
                n_neurons=self.parameters["recurrent"].shape[1],
                products=self.products,
            )
        return self._recurrences[shape]

    def _backpropagate(
        self, part: _Part, recurrence: Recurrence, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write gradients of the cross-entropy of m networks; return loss and accuracy (m,)."""
        gradients, parameters = self._gradients, part.parameters
        state = recurrence.forward(part.stacked)
        scores = torch.baddbmm(parameters["output_bias"].unsqueeze(1), state, parameters["output"])
        log_probabilities = scores.log_softmax(-1)
        answers = targets.expand(len(scores), -1).unsqueeze(-1)
        loss = -log_probabilities.gather(-1, answers).squeeze(-1).mean(-1)
        accuracy = (scores.argmax(-1) == targets).to(scores.dtype).mean(-1)

        score_errors = log_probabilities.exp_()
        score_errors.scatter_add_(-1, answers, score_errors.new_full(answers.shape, -1.0))
        score_errors /= len(targets)
        torch.bmm(state.mT, score_errors, out=gradients["output"])
        torch.sum(score_errors, 1, out=gradients["output_bias"])
        torch.bmm(score_errors, parameters["output"].mT, out=recurrence.error)
        recurrence.backward(part.stacked, self._stacked_gradient)
        return loss, accuracy

    def _update(self, part: _Part) -> None:
        """Adam with the epsilon where Keras has it, beside the uncorrected root."""
        correction = (1 - BETA_2**self.n_steps) ** 0.5 / (1 - BETA_1**self.n_steps)
        part.first.lerp_(self._gradient, 1 - BETA_1)
        # As a step towards the new value, like Keras: an overflow then becomes NaN one update
        # later and the run diverges, where a decayed sum would stay infinite and freeze it.
        part.second.lerp_(torch.square(self._gradient, out=self._scratch), 1 - BETA_2)
        root = torch.sqrt(part.second, out=self._scratch).add_(EPSILON)
        part.values.addcdiv_(part.first, root, value=-self.learning_rate * correction)
        if part.floor is not None:
            recurrent = part.parameters["recurrent"]
            torch.clamp(recurrent, min=part.floor, out=recurrent)

    @torch.no_grad()
    def evaluate(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (penalty included) and accuracy without input noise.

        Parameters
        ----------
        inputs : Tensor, shape (T, n, I)
            Trials common to all networks.
        targets : Tensor of int, shape (n,)
            Classes.

        Returns
        -------
        loss, accuracy : Tensor, shape (M,)
            One value per network.
        """
        nothing = self._values.new_empty(0)
        losses, accuracies = [nothing], [nothing]
        for part in self._parts:
            loss, accuracy = self._evaluate(part.parameters, inputs, targets)
            losses.append(loss + part.penalty())
            accuracies.append(accuracy)
        return torch.cat(losses), torch.cat(accuracies)

    @staticmethod
    def _evaluate(
        parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and accuracy (m,) of some networks."""
        n_networks = len(parameters["recurrent"])
        loss = inputs.new_zeros(n_networks)
        right = inputs.new_zeros(n_networks)
        n_at_once = VALIDATION_CHUNK if n_networks == 1 else LEAST_CHUNK
        for low in range(0, len(targets), n_at_once):
            chunk = slice(low, low + n_at_once)
            answers = targets[chunk].expand(n_networks, -1)
            scores = logits(parameters, inputs[:, chunk])
            log_probabilities = scores.log_softmax(-1)
            loss -= log_probabilities.gather(-1, answers.unsqueeze(-1)).sum((-2, -1))
            right += (scores.argmax(-1) == answers).sum(-1)
        return loss / len(targets), right / len(targets)


@dataclass(frozen=True)
class _Group:
    """Networks of a part whose penalties are of one kind."""

    joined: Penalty
    places: Tensor | None
    """None if they are all networks of the part."""
    workspace: PenaltyWorkspace


@dataclass(frozen=True)
class _Part:
    """What belongs to m networks that are computed together."""

    values: Tensor
    first: Tensor
    second: Tensor
    parameters: dict[str, Tensor]
    stacked: Tensor
    penalties: list[_Group]
    floor: Tensor | None
    """Smallest recurrent weight (m, 1, 1) of each; None if all are free."""

    def penalty(self, gradient: Tensor | None = None) -> Tensor:
        """Evaluate penalties (m,); add their gradients to `gradient` (m, N, N) if it is given."""
        recurrent = self.parameters["recurrent"]
        values = recurrent.new_empty(len(recurrent))
        for group in self.penalties:
            places = group.places
            weights = recurrent if places is None else recurrent.index_select(0, places)
            if gradient is None:
                value = group.joined(weights)
            elif places is None:
                value = group.workspace.backpropagate(group.joined, weights, gradient)
            else:
                own = torch.zeros_like(weights)
                value = group.workspace.backpropagate(group.joined, weights, own)
                gradient.index_add_(0, places, own)
            if places is None:
                return value
            values.index_copy_(0, places, value)
        return values


def _is_of_several(penalty: Penalty) -> bool:
    """Whether a penalty has something for each of several networks."""
    strengths = (penalty.strength, penalty.emd_strength)
    dimensions = ((penalty.distance, 2), (penalty.frozen, 2), (penalty.target, 1))
    return any(isinstance(one, Tensor) for one in strengths) or any(
        tensor is not None and tensor.ndim != usual for tensor, usual in dimensions
    )


LEADING = ("recurrent", "input", "bias")
"""Parameters that lie one below another, as :class:`~cortexrnn.networks.recurrence.Recurrence`
multiplies them."""


def _places(parameters: dict[str, Tensor]) -> tuple[dict[str, tuple[int, torch.Size]], int]:
    """Where each parameter of a network begins in its row, with its shape, and the row's width."""
    places: dict[str, tuple[int, torch.Size]] = {}
    width = 0
    for name in LEADING:
        places[name] = (width, parameters[name].shape[1:])
        width += parameters[name].shape[1:].numel()
    for name in parameters:
        if name not in LEADING:
            width = aligned_length(width, parameters[name])
            places[name] = (width, parameters[name].shape[1:])
            width += parameters[name].shape[1:].numel()
    return places, aligned_length(width, parameters["recurrent"])


def _named(rows: Tensor, places: dict[str, tuple[int, torch.Size]]) -> dict[str, Tensor]:
    """View rows of numbers as parameters (m, ...) by name."""
    return {
        name: rows[:, start : start + shape.numel()].view(-1, *shape)
        for name, (start, shape) in places.items()
    }
