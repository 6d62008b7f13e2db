"""Penalties of one's own.

A :class:`~cortexrnn.networks.penalties.Penalty` of the paper follows from the name of a
variant. Any other function of the recurrent weights is a subclass of :class:`CustomPenalty`, given
to a variant in place of distance and communicability: ``control("W*", penalty=L2())``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from cortexrnn.networks.code_digest import Defined, DefinitionError

if TYPE_CHECKING:
    from cortexrnn.fields.field import Field

__all__ = ["PENALTIES", "CustomPenalty", "find_penalty", "register_penalty"]


@dataclass(frozen=True)
class CustomPenalty(Defined, ABC):
    """A penalty on recurrent weights; the fields of a subclass are its settings.

    A subclass is a frozen dataclass with a class attribute ``name``. Name, settings and code enter
    the identity of every run that uses it.

    Notes
    -----
    The run sets the strength: the value is multiplied by it, or scaled until its mean gradient is
    that strength where the protocol says so.
    """

    def prepare(
        self, field: Field, *, initial_weights: np.ndarray[Any, Any], rng: np.random.Generator
    ) -> Mapping[str, ArrayLike]:
        """Make the arrays that :meth:`value` needs besides the weights.

        Parameters
        ----------
        field : Field
            The field of the run.
        initial_weights : ndarray, shape (N, N)
            Recurrent weights before training.
        rng : numpy.random.Generator
            Equal for runs of equal seed.

        Returns
        -------
        mapping of str to array_like
            Arrays by the names of the keywords of :meth:`value`; none unless a subclass has some.
            Real ones take the floating point format of the weights, all of them their device.
        """
        return {}

    @abstractmethod
    def value(self, weights: Tensor, **arrays: Tensor) -> Tensor:
        """Value of the penalty, differentiable by torch.

        Parameters
        ----------
        weights : Tensor, shape (M, N, N)
            Recurrent weights of M networks, presynaptic neuron first.
        **arrays : Tensor
            What :meth:`prepare` made.

        Returns
        -------
        Tensor, shape (M,)
            One number for each network, which depends on its own weights alone.
        """


PENALTIES: dict[str, CustomPenalty] = {}
"""Penalties that were registered in this process, by name."""


def register_penalty(penalty: CustomPenalty) -> CustomPenalty:
    """Let a penalty be found by its name, in place of one of the same name.

    Parameters
    ----------
    penalty : CustomPenalty
        The penalty with its settings.

    Returns
    -------
    CustomPenalty
        The same.

    Raises
    ------
    DefinitionError
        If it is no penalty, or its name, settings or code cannot be part of the identity of a run.
    """
    PENALTIES[find_penalty(penalty).name] = penalty
    return penalty


def find_penalty(penalty: str | CustomPenalty) -> CustomPenalty:
    """Find a penalty by its name, or check one.

    Parameters
    ----------
    penalty : str or CustomPenalty
        Name of a registered penalty, or a penalty.

    Returns
    -------
    CustomPenalty
        The penalty.

    Raises
    ------
    DefinitionError
        If there is none of that name, or it cannot be part of the identity of a run.
    """
    if isinstance(penalty, str):
        if penalty not in PENALTIES:
            known = ", ".join(PENALTIES) or "none"
            raise DefinitionError(
                f"unknown penalty {penalty!r} (registered: {known}); register it with "
                "register_penalty, or give the object"
            )
        return PENALTIES[penalty]
    if not isinstance(penalty, CustomPenalty):
        raise DefinitionError(
            f"penalty is {penalty!r}; give an instance of a subclass of "
            "cortexrnn.networks.custom_penalty.CustomPenalty, such as L2(), or its registered name"
        )
    _ = penalty.definition  # raises where there is none
    return penalty


def check_values(penalty: CustomPenalty, arrays: dict[str, Tensor], weights: Tensor) -> None:
    """Refuse a penalty that is no function of each network alone.

    Parameters
    ----------
    penalty : CustomPenalty
        The penalty.
    arrays : dict of str to Tensor
        What it prepared.
    weights : Tensor, shape (N, N)
        Weights to try it on.

    Raises
    ------
    DefinitionError
        If values have another shape, cannot be differentiated, differ between two calls, or mix
        networks, or if the penalty writes into what it prepared.
    """
    before = {name: array.clone() for name, array in arrays.items()}
    leaf = torch.stack([weights, weights / 2, weights / 4]).requires_grad_()
    together = penalty.value(leaf, **arrays)
    what = f"penalty {penalty.name!r}: value"
    _refuse_changes(before, arrays, what)
    if not isinstance(together, Tensor) or together.shape != (3,):
        shape = tuple(together.shape) if isinstance(together, Tensor) else type(together).__name__
        raise DefinitionError(
            f"{what} of weights (3, N, N) is {shape}, expected a tensor of shape (3,): sum over "
            "the last two axes, .sum((-2, -1))"
        )
    if not together.requires_grad:
        raise DefinitionError(
            f"{what} cannot be differentiated; compute it from the weights by functions of torch, "
            "without detach or numpy"
        )
    with torch.no_grad():
        again = penalty.value(leaf, **arrays)
        alone = torch.cat([penalty.value(one[None], **arrays) for one in leaf])
    for other, why in (
        (again, "differs between two calls; draw random numbers in prepare, from its rng"),
        (alone, "of a network changes with the networks beside it; sum over its own axes alone"),
    ):
        if not torch.allclose(together, other, rtol=1e-6, atol=0, equal_nan=True):
            raise DefinitionError(f"{what} {why}")
    _refuse_changes(before, arrays, what)


def _refuse_changes(before: dict[str, Tensor], arrays: dict[str, Tensor], what: str) -> None:
    """Refuse a penalty whose call has changed arrays, which networks share."""
    for name, array in arrays.items():
        was = before[name]
        if array.shape != was.shape or array.numpy().tobytes() != was.numpy().tobytes():
            raise DefinitionError(_writes(what, name))


def _writes(what: str, name: str) -> str:
    """Say that a penalty has changed an array."""
    return (
        f"{what} writes into {name}, which prepare made and other networks share; write into a "
        f"copy, such as {name}.clone()"
    )


def call_value(penalty: CustomPenalty, weights: Tensor, arrays: dict[str, Tensor]) -> Tensor:
    """Value of a penalty in training, where it may take branches that were not tried before.

    Parameters
    ----------
    penalty : CustomPenalty
        The penalty.
    weights : Tensor, shape (M, N, N)
        Recurrent weights.
    arrays : dict of str to Tensor
        What it prepared.

    Returns
    -------
    Tensor, shape (M,)
        One value per network.

    Raises
    ------
    DefinitionError
        If it writes into what it prepared.
    """
    before = {name: array._version for name, array in arrays.items()}
    value = penalty.value(weights, **arrays)
    for name, array in arrays.items():
        if array._version != before[name]:
            raise DefinitionError(_writes(f"penalty {penalty.name!r}: value", name))
    return value
