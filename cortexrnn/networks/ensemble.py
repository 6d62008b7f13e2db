"""Many independent recurrent networks, stepped side by side.

Every network of an :class:`RNNEnsemble` is trained exactly as if it were alone; what they share is
the size, the trials and the clock of the optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cortexrnn.networks.penalties import Penalty

__all__ = ["RNNEnsemble", "logits"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Constants of Adam, the defaults of Keras."""
VALIDATION_CHUNK = 512
"""Trials evaluated at a time."""
ALIGNMENT = 64
"""Every network's numbers begin at a multiple of so many bytes: on some processors the last bits of
a matrix product depend on where its operands begin, and a run must not depend on its neighbours."""


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
        One for each network; networks that share an object are evaluated together.
    positive : sequence of bool
        Whether negative recurrent weights are set to zero after each update.
    learning_rate : float
        Of Adam.

    Raises
    ------
    ValueError
        If the numbers of networks disagree.
    """

    def __init__(
        self,
        parameters: dict[str, Tensor],
        *,
        penalties: Sequence[Penalty],
        positive: Sequence[bool],
        learning_rate: float = 1e-3,
    ) -> None:
        n_networks = len(parameters["recurrent"])
        if not n_networks == len(penalties) == len(positive):
            raise ValueError(
                f"{n_networks} recurrent matrices, {len(penalties)} penalties and "
                f"{len(positive)} signs: give one of each for every network"
            )
        self.learning_rate = learning_rate
        self.n_steps = 0
        self._places, width = _places(parameters)
        like = parameters["recurrent"]
        self._values, self._first, self._second = like.new_zeros(3, n_networks, width)
        self._lay_out()
        for name, value in parameters.items():
            self.parameters[name].copy_(value)
        moved = {id(p): p.to(parameters["recurrent"]) for p in penalties}
        self._penalties = [moved[id(p)] for p in penalties]
        self._positive = list(positive)

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
        self._lay_out()
        chosen = [i for i, stays in enumerate(mask.tolist()) if stays]
        self._penalties = [self._penalties[i] for i in chosen]
        self._positive = [self._positive[i] for i in chosen]

    def _lay_out(self) -> None:
        """Name the parameters within the rows of numbers, and make room for a gradient.

        The numbers of one network are one row, so that an update is a few passes over it; within
        a row every parameter is aligned.
        """
        self.parameters = self._named(self._values)
        self._parts = self._cut()
        self._own = [self._named(self._values[part]) for part in self._parts]
        n_at_once = len(self._values[self._parts[0]]) if self._parts else 0
        self._gradient = self._values.new_zeros(n_at_once, self._values.shape[1])
        self._gradients = self._named(self._gradient)
        self._buffers: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}

    def _named(self, rows: Tensor) -> dict[str, Tensor]:
        """View rows of numbers as parameters (m, ...) by name."""
        return {
            name: rows[:, start : start + shape.numel()].view(-1, *shape)
            for name, (start, shape) in self._places.items()
        }

    def _cut(self) -> list[slice]:
        """Networks that are computed at a time.

        A processor does best with one network at a time, whose states stay in its cache; an
        accelerator with all at once. One at a time, a network also goes through the same
        operations on tensors of the same shape and alignment whatever stands beside it.
        """
        width = 1 if self._values.device.type == "cpu" else max(len(self._values), 1)
        return [slice(low, low + width) for low in range(0, len(self._values), width)]

    def penalty(self) -> Tensor:
        """Value of each network's penalty.

        Returns
        -------
        Tensor, shape (M,)
            The values.
        """
        return torch.cat([self._penalty(part) for part in self._parts])

    def _penalty(self, part: slice, *, gradient: Tensor | None = None) -> Tensor:
        """Evaluate penalties (m,); add their gradients to `gradient` (m, N, N) if it is given."""
        recurrent = self.parameters["recurrent"][part]
        members: dict[int, list[int]] = {}
        for i, item in enumerate(self._penalties[part]):
            members.setdefault(id(item), []).append(i)
        values = recurrent.new_empty(len(recurrent))
        for group in members.values():
            weights = recurrent[group].requires_grad_(gradient is not None)
            value = self._penalties[part][group[0]](weights)
            if gradient is not None:
                gradient[group] += torch.autograd.grad(value.sum(), weights)[0]
            values[group] = value.detach()
        return values

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
        if inputs.ndim == 4:
            inputs = _aligned(inputs)
        losses, accuracies = [], []
        for part, parameters in zip(self._parts, self._own, strict=True):
            own_inputs = inputs[part] if inputs.ndim == 4 else inputs.unsqueeze(0)
            loss, accuracy = self._backpropagate(parameters, own_inputs, targets)
            penalty = self._penalty(part, gradient=self._gradients["recurrent"])
            self._update(part)
            losses.append(loss + penalty)
            accuracies.append(accuracy)
        return torch.cat(losses), torch.cat(accuracies)

    def _backpropagate(
        self, parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write gradients of the cross-entropy of m networks; return loss and accuracy (m,).

        The gradient of the recurrent weights is one product over time and trials together
        rather than a sum of T small ones.
        """
        gradients, recurrent = self._gradients, parameters["recurrent"]
        n_networks, n_neurons = recurrent.shape[:2]
        n_steps, n_trials, n_channels = inputs.shape[1:]
        states, errors = self._state_buffers((n_networks, n_steps, n_trials, n_neurons))
        flat_inputs = inputs.reshape(len(inputs), -1, n_channels).expand(n_networks, -1, -1)
        torch.baddbmm(
            parameters["bias"].unsqueeze(1),
            flat_inputs,
            parameters["input"],
            out=states.view(n_networks, -1, n_neurons),
        )
        at, error_at = states.unbind(1), errors.unbind(1)
        at[0].relu_()
        for step in range(1, n_steps):
            at[step].baddbmm_(at[step - 1], recurrent).relu_()

        scores = torch.baddbmm(parameters["output_bias"].unsqueeze(1), at[-1], parameters["output"])
        log_probabilities = scores.log_softmax(-1)
        answers = targets.expand(n_networks, -1).unsqueeze(-1)
        loss = -log_probabilities.gather(-1, answers).squeeze(-1).mean(-1)
        accuracy = (scores.argmax(-1) == targets).to(scores.dtype).mean(-1)

        score_errors = log_probabilities.exp_()
        score_errors.scatter_add_(-1, answers, score_errors.new_full(answers.shape, -1.0))
        score_errors /= n_trials
        torch.bmm(at[-1].mT, score_errors, out=gradients["output"])
        torch.sum(score_errors, 1, out=gradients["output_bias"])
        torch.bmm(score_errors, parameters["output"].mT, out=error_at[-1])
        error_at[-1].mul_(at[-1].sign())
        backward = recurrent.mT
        for step in reversed(range(n_steps - 1)):
            torch.bmm(error_at[step + 1], backward, out=error_at[step])
            error_at[step].mul_(at[step].sign())

        flat_errors = errors.view(n_networks, -1, n_neurons)
        torch.bmm(flat_inputs.mT, flat_errors, out=gradients["input"])
        torch.sum(flat_errors, 1, out=gradients["bias"])
        before = states[:, :-1].reshape(n_networks, -1, n_neurons)
        after = errors[:, 1:].reshape(n_networks, -1, n_neurons)
        torch.bmm(before.mT, after, out=gradients["recurrent"])
        return loss, accuracy

    def _state_buffers(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """States and errors (m, T, B, N), allocated once for each shape."""
        if shape not in self._buffers:
            like = self.parameters["recurrent"]
            self._buffers[shape] = (like.new_empty(shape), like.new_empty(shape))
        return self._buffers[shape]

    def _update(self, part: slice) -> None:
        """Adam with the epsilon where Keras has it, beside the uncorrected root."""
        correction = (1 - BETA_2**self.n_steps) ** 0.5 / (1 - BETA_1**self.n_steps)
        first, second = self._first[part], self._second[part]
        first.lerp_(self._gradient, 1 - BETA_1)
        # As a step towards the new value, like Keras: an overflow then becomes NaN one update
        # later and the run diverges, where a decayed sum would stay infinite and freeze it.
        second.lerp_(self._gradient.square(), 1 - BETA_2)
        root = second.sqrt().add_(EPSILON)
        self._values[part].addcdiv_(first, root, value=-self.learning_rate * correction)
        positive = self._positive[part]
        if any(positive):
            recurrent = self.parameters["recurrent"][part]
            rows = torch.tensor(positive, device=recurrent.device)
            recurrent[rows] = recurrent[rows].clamp_(min=0.0)

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
        losses, accuracies = [], []
        for part, parameters in zip(self._parts, self._own, strict=True):
            loss, accuracy = self._evaluate(parameters, inputs, targets)
            losses.append(loss + self._penalty(part))
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
        for low in range(0, len(targets), VALIDATION_CHUNK):
            chunk = slice(low, low + VALIDATION_CHUNK)
            answers = targets[chunk].expand(n_networks, -1)
            scores = logits(parameters, inputs[:, chunk])
            log_probabilities = scores.log_softmax(-1)
            loss -= log_probabilities.gather(-1, answers.unsqueeze(-1)).sum((-2, -1))
            right += (scores.argmax(-1) == answers).sum(-1)
        return loss / len(targets), right / len(targets)


def _places(parameters: dict[str, Tensor]) -> tuple[dict[str, tuple[int, torch.Size]], int]:
    """Where each parameter of a network begins in its row, with its shape, and the row's width."""
    places, width = {}, 0
    for name, value in parameters.items():
        shape = value.shape[1:]
        places[name] = (width, shape)
        width += _padded(shape.numel(), value)
    return places, width


def _padded(n_values: int, like: Tensor) -> int:
    """Round a number of values up, so that what follows them is aligned."""
    unit = ALIGNMENT // like.element_size()
    return -(-n_values // unit) * unit


def _aligned(values: Tensor) -> Tensor:
    """Copy values (M, ...) so that those of each network are aligned."""
    n_values = values.shape[1:].numel()
    rows = values.new_zeros(len(values), _padded(n_values, values))
    return rows[:, :n_values].view(values.shape).copy_(values)
