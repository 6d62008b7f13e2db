"""Forward and backward pass of recurrent networks, written out.

States of all steps lie side by side with the inputs and a one, ``[h_(t-1) | x_t | 1]``, and the
weights below one another, ``[R; K; b]``: a time step is then one product and a rectification, and
the gradients of all three are one product too.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cortexrnn.networks.products import Products

__all__ = ["ALIGNMENT", "Recurrence", "aligned_length", "buffer"]

ALIGNMENT = 64
"""Every network's numbers begin at a multiple of so many bytes: on some processors the last bits of
a matrix product depend on where its operands begin, and a run must not depend on its neighbours."""
STEPS_AT_ONCE = 5
"""Time steps whose errors are kept until they are multiplied with the states before them. From 3 to
25 the time is the same to a few per cent, and memory is not."""
PAGE = 4096
"""Bytes of a page of memory."""

_mask = torch.ops.aten.threshold_backward.grad_input


def aligned_length(n_values: int, like: Tensor) -> int:
    """Round a number of values up, so that what follows them is aligned.

    Parameters
    ----------
    n_values : int
        How many values of the format of `like`.
    like : Tensor
        Gives the format.

    Returns
    -------
    int
        At least `n_values`.
    """
    unit = ALIGNMENT // like.element_size()
    return -(-n_values // unit) * unit


def buffer(like: Tensor, *shape: int) -> Tensor:
    """Make an array of zeros that begins at a page of memory.

    Parameters
    ----------
    like : Tensor
        Gives format and device.
    *shape : int
        Shape.

    Returns
    -------
    Tensor
        On a processor it is numpy's memory, since numpy asks the system for large pages, which
        makes passes over large arrays several per cent faster.
    """
    if like.device.type != "cpu":
        return like.new_zeros(shape)
    n_bytes = math.prod(shape) * like.element_size()
    memory = np.zeros(n_bytes + PAGE, np.uint8)
    start = -memory.ctypes.data % PAGE
    return torch.from_numpy(memory[start : start + n_bytes]).view(like.dtype).view(shape)


class Recurrence:
    """Passes of m networks over batches of one shape; what it needs is allocated once.

    Parameters
    ----------
    like : Tensor
        Gives format and device.
    n_networks, n_steps, n_trials, n_inputs, n_neurons : int
        m, T, B, I and N.
    products : Products
        What multiplies.

    Attributes
    ----------
    state : Tensor
        State (m, B, N) after the last step, once :meth:`forward` has run.
    error : Tensor
        Where the gradient of the loss by `state`, of its shape, is put before :meth:`backward`.
    """

    def __init__(
        self,
        like: Tensor,
        *,
        n_networks: int,
        n_steps: int,
        n_trials: int,
        n_inputs: int,
        n_neurons: int,
        products: Products,
    ) -> None:
        self._products = products
        self._multiply, operand = products.multiply, products.operand
        self.n_neurons, n_rows = n_neurons, n_neurons + n_inputs + 1
        trace = buffer(like, n_networks, n_steps + 1, n_trials, aligned_length(n_rows, like))
        trace[..., n_rows - 1] = 1
        self._inputs = trace[:, :n_steps, :, n_neurons : n_rows - 1]
        self._before = [operand(trace[:, t, :, :n_rows]) for t in range(n_steps)]
        self._drive = operand(trace[:, 0, :, n_neurons:n_rows])
        self._states = [trace[:, t + 1, :, :n_neurons] for t in range(n_steps)]
        self._after = [operand(state) for state in self._states]
        self.state = self._states[-1]

        self._n_kept = min(STEPS_AT_ONCE, n_steps)
        errors = buffer(like, n_networks, self._n_kept, n_trials, n_neurons)
        self._errors = list(errors.unbind(1))
        self._error_operands = [operand(error) for error in self._errors]
        self.error = self._errors[(n_steps - 1) % self._n_kept]
        self._blocks = []
        for low in range(0, n_steps, self._n_kept):
            high = min(low + self._n_kept, n_steps)
            before = trace[:, low:high].flatten(1, 2)[..., :n_rows]
            after = errors[:, : high - low].flatten(1, 2)
            self._blocks.append((operand(before.mT), operand(after)))
        self._backward_weights = buffer(like, n_networks, n_neurons, n_neurons)
        self._part = buffer(like, n_networks, n_rows, n_neurons)

    def load(self, inputs: Tensor) -> None:
        """Take over the inputs of a batch.

        Parameters
        ----------
        inputs : Tensor, shape (T, B, I) or (m, T, B, I)
            Common to the networks or for each.
        """
        self._inputs.copy_(inputs)

    def forward(self, weights: Tensor) -> Tensor:
        """Compute the states of all steps.

        Parameters
        ----------
        weights : Tensor, shape (m, N + I + 1, N)
            Recurrent weights, input weights and bias, below one another.

        Returns
        -------
        Tensor, shape (m, B, N)
            State after the last step; overwritten by the next call.
        """
        operand, multiply = self._products.operand, self._multiply
        multiply(self._drive, operand(weights[:, self.n_neurons :]), out=self._after[0])
        self._states[0].relu_()
        all_weights = operand(weights)
        for t in range(1, len(self._states)):
            multiply(self._before[t], all_weights, out=self._after[t])
            self._states[t].relu_()
        return self.state

    def backward(self, weights: Tensor, gradient: Tensor) -> None:
        """Write the gradient of the weights, given the error of the last state.

        Parameters
        ----------
        weights : Tensor, shape (m, N + I + 1, N)
            As they were in :meth:`forward`.
        gradient : Tensor, shape (m, N + I + 1, N)
            Overwritten.
        """
        operand, multiply = self._products.operand, self._multiply
        # A product with a transposed copy is faster than so many with a transposed view.
        self._backward_weights.copy_(weights[:, : self.n_neurons].mT)
        back = operand(self._backward_weights)
        whole, part = operand(gradient), operand(self._part)
        _mask(self.error, self.state, 0, grad_input=self.error)
        for t in reversed(range(len(self._states))):
            slot = t % self._n_kept
            if slot == 0:
                block = self._blocks[t // self._n_kept]
                if t + self._n_kept >= len(self._states):
                    multiply(*block, out=whole)
                else:
                    self._products.add_product(*block, out=whole, scratch=part)
            if t > 0:
                before = (t - 1) % self._n_kept
                multiply(self._error_operands[slot], back, out=self._error_operands[before])
                _mask(self._errors[before], self._states[t - 1], 0, grad_input=self._errors[before])
