"""Three cognitive tasks: one-choice inference, perceptual decision and Go/NoGo.

A trial is a sequence of periods; a network reads ``n_channels`` values per step and answers once,
after the last step, with one of ``n_classes`` classes. Durations are counted in steps. The defaults
are the published ones (arXiv:2606.14975 and its code, neurovium/CorticalBlueprintRNN).
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from cortexrnn.networks.code_digest import Defined, DefinitionError

__all__ = [
    "CUSTOM_TASKS",
    "PROBLEMS",
    "TASKS",
    "GoNoGo",
    "OneChoice",
    "Perceptual",
    "Task",
    "register_task",
]

LEFT, UP, RIGHT, DOWN = range(4)

#: The eight problems of one-choice inference: goal, the two directions on offer, the answer.
PROBLEMS: tuple[tuple[int, tuple[int, int], int], ...] = (
    (1, (UP, LEFT), UP),
    (1, (RIGHT, DOWN), RIGHT),
    (3, (LEFT, DOWN), DOWN),
    (2, (RIGHT, DOWN), DOWN),
    (2, (UP, LEFT), LEFT),
    (0, (UP, RIGHT), UP),
    (3, (LEFT, RIGHT), RIGHT),
    (0, (LEFT, RIGHT), LEFT),
)

Period = tuple[str, int, int]


@dataclass(frozen=True)
class Task(Defined, ABC):
    """What all tasks share; the fields of a subclass are its settings.

    Two tasks are equal, and hash alike, when their kind and all their settings are equal. A task of
    one's own is a frozen dataclass with the four class attributes below and two methods,
    :attr:`durations` and :meth:`draw`.

    Attributes
    ----------
    name : str
        Key of the task in its registry: `TASKS`, :data:`cortexrnn.networks.neurogym.GYM_TASKS` or
        :data:`CUSTOM_TASKS`.
    title : str
        The name to print.
    channel_names : tuple of str
        One name per input channel.
    class_names : tuple of str
        One name per answer, in the order of the targets.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    channel_names: ClassVar[tuple[str, ...]]
    class_names: ClassVar[tuple[str, ...]]

    def with_settings(self, **changes: Any) -> Self:
        """Copy the task with some settings changed.

        Parameters
        ----------
        **changes
            New values by name of setting; `settings` lists the names.

        Returns
        -------
        Task
            A task of the same kind.

        Raises
        ------
        ValueError
            For a name that is no setting of this task, or a value that it cannot take.
        """
        unknown = sorted(set(changes) - set(self.settings))
        if unknown:
            raise ValueError(
                f"task {self.name!r} has no setting {', '.join(map(repr, unknown))}; "
                f"choose from {', '.join(self.settings)}"
            )
        return replace(self, **changes)

    @property
    @abstractmethod
    def durations(self) -> Sequence[tuple[str, int]]:
        """Name and length in steps of every period, in order."""

    @abstractmethod
    def draw(
        self, n_trials: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw independent trials; :meth:`sample` checks the arguments and the result.

        Parameters
        ----------
        n_trials : int
            How many.
        rng : numpy.random.Generator
            The only source of randomness.

        Returns
        -------
        inputs : ndarray, shape (n_trials, n_steps, n_channels)
            Finite numbers; :meth:`blank` gives zeros, :meth:`slices` the steps of each period.
        targets : ndarray of int, shape (n_trials,)
            Index into `class_names` of the right answer.
        """

    @property
    def periods(self) -> list[Period]:
        """Periods of a trial as (name, first step, step after the last), in order."""
        result = []
        start = 0
        for name, length in self.durations:
            result.append((name, start, start + length))
            start += length
        return result

    @property
    def n_steps(self) -> int:
        """Steps of a trial."""
        return sum(length for _, length in self.durations)

    @property
    def n_channels(self) -> int:
        """Input channels."""
        return len(self.channel_names)

    @property
    def n_classes(self) -> int:
        """Possible answers."""
        return len(self.class_names)

    def sample(
        self, n_trials: int, *, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw independent trials.

        Parameters
        ----------
        n_trials : int
            How many, at least 1.
        rng : numpy.random.Generator
            The only source of randomness; equal generators give equal trials.

        Returns
        -------
        inputs : ndarray of float32, shape (n_trials, n_steps, n_channels)
            Dimensionless activity of the input channels.
        targets : ndarray of int64, shape (n_trials,)
            Index into `class_names` of the right answer.

        Raises
        ------
        ValueError
            If `n_trials` is no positive integer, or trials are drawn that do not fit the task.
        TypeError
            If `rng` is no Generator.
        """
        n_trials = _integer("n_trials", n_trials, minimum=1)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng is {type(rng).__name__}, expected a numpy.random.Generator; "
                "make one with numpy.random.default_rng(seed)"
            )
        return self._checked(*self.draw(n_trials, rng), n_trials)

    def _checked(
        self, inputs: Any, targets: Any, n_trials: int
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Refuse trials that do not fit the task; give them the types of `sample`."""
        inputs, targets = np.asarray(inputs), np.asarray(targets)
        expected = (n_trials, self.n_steps, self.n_channels)
        if inputs.shape != expected or not np.isfinite(inputs).all():
            raise ValueError(
                f"task {self.name!r} drew inputs of shape {inputs.shape}, expected finite numbers "
                f"of shape {expected}: trials, steps as in durations, channels as in channel_names"
            )
        if targets.shape != (n_trials,) or targets.dtype.kind not in "iu":
            raise ValueError(
                f"task {self.name!r} drew targets of shape {targets.shape} and type "
                f"{targets.dtype}, expected whole numbers of shape {(n_trials,)}"
            )
        if targets.min() < 0 or targets.max() >= self.n_classes:
            raise ValueError(
                f"task {self.name!r} drew targets from {targets.min()} to {targets.max()}, "
                f"expected 0 to {self.n_classes - 1}: indices into class_names"
            )
        return inputs.astype(np.float32, copy=False), targets.astype(np.int64, copy=False)

    def slices(self) -> dict[str, slice]:
        """Give the steps of every period by its name.

        Returns
        -------
        dict of str to slice
            Index into the axis of steps.
        """
        return {name: slice(start, stop) for name, start, stop in self.periods}

    def blank(self, n_trials: int) -> np.ndarray[Any, Any]:
        """Give the inputs of silent trials, to be filled.

        Parameters
        ----------
        n_trials : int
            How many.

        Returns
        -------
        ndarray of float32, shape (n_trials, n_steps, n_channels)
            Zeros.
        """
        return np.zeros((n_trials, self.n_steps, self.n_channels), dtype=np.float32)

    def check_integers(self, **minimum: int) -> None:
        """Refuse settings that are no integers of at least a minimum; for ``__post_init__``.

        Parameters
        ----------
        **minimum
            Least value by name of setting.

        Raises
        ------
        ValueError
            If one of them is something else.
        """
        # A frozen dataclass has no other way of storing a checked value than through object.
        for name, least in minimum.items():
            value = _integer(f"{self.name}: {name}", getattr(self, name), minimum=least)
            object.__setattr__(self, name, value)

    def check_number(self, name: str) -> None:
        """Refuse a setting that is no finite number of at least 0; for ``__post_init__``.

        Parameters
        ----------
        name : str
            The setting.

        Raises
        ------
        ValueError
            If it is something else.
        """
        object.__setattr__(self, name, _number(f"{self.name}: {name}", getattr(self, name)))

    def check_percentages(self, name: str) -> None:
        """Refuse a setting that is no list of percentages; for ``__post_init__``.

        Parameters
        ----------
        name : str
            The setting.

        Raises
        ------
        ValueError
            If it is something else.
        """
        listed = getattr(self, name)
        if isinstance(listed, str) or not isinstance(listed, Iterable):
            raise ValueError(f"{self.name}: {name} is {listed!r}, expected a list of percentages")
        what = f"{self.name}: one of {name}"
        values = tuple(_number(what, value, maximum=100) for value in listed)
        if not values:
            raise ValueError(f"{self.name}: {name} is empty, expected at least one percentage")
        object.__setattr__(self, name, values)


@dataclass(frozen=True)
class OneChoice(Task):
    """One-choice inference: a goal is shown, then two directions, one of which leads to it.

    One of eight equally likely problems (`PROBLEMS`) is drawn per trial. A one-hot goal (channels
    0 to 3) comes first, then silence, then the two directions on offer (channels 4 to 7). In two of
    the eight the offer alone gives the answer, in six it leaves a choice of two, so an accuracy of
    0.625 needs no memory.

    Attributes
    ----------
    goal_steps : int
        Length of the first period, in steps.
    delay_steps : int
        Length of the second, which alone may be 0.
    choice_steps : int
        Length of the third.
    """

    name: ClassVar[str] = "one_choice"
    title: ClassVar[str] = "One-choice inference"
    channel_names: ClassVar[tuple[str, ...]] = (
        *(f"goal {goal}" for goal in range(4)),
        *("left", "up", "right", "down"),
    )
    class_names: ClassVar[tuple[str, ...]] = ("left", "up", "right", "down")

    goal_steps: int = 20
    delay_steps: int = 10
    choice_steps: int = 20

    def __post_init__(self) -> None:
        """Check the durations."""
        self.check_integers(goal_steps=1, delay_steps=0, choice_steps=1)

    @property
    def durations(self) -> tuple[tuple[str, int], ...]:
        """Name and length in steps of every period, in order."""
        return (
            ("goal", self.goal_steps),
            ("delay", self.delay_steps),
            ("choice", self.choice_steps),
        )

    def draw(
        self, n_trials: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw trials, see :meth:`cortexrnn.networks.tasks.Task.draw`."""
        goals = np.zeros((len(PROBLEMS), self.n_channels), dtype=np.float32)
        offers = np.zeros_like(goals)
        for row, (goal, offer, _) in enumerate(PROBLEMS):
            goals[row, goal] = 1
            offers[row, [4 + direction for direction in offer]] = 1
        answers = np.array([answer for _, _, answer in PROBLEMS], dtype=np.int64)

        problem = rng.integers(len(PROBLEMS), size=n_trials)
        at = self.slices()
        inputs = self.blank(n_trials)
        inputs[:, at["goal"]] = goals[problem, None]
        inputs[:, at["choice"]] = offers[problem, None]
        return inputs, answers[problem]


@dataclass(frozen=True)
class Perceptual(Task):
    """Perceptual decision: tell which of two noisy channels was the stronger one.

    Channel 0 is 1 throughout. During the stimulus the channel with preferred angle theta_k is
    0.5 + cos(theta_k - theta) coherence / 200 plus Gaussian noise, drawn anew for every step and
    channel; theta is 0 or pi with equal chance and the coherence one of `coherences`. With the
    published ones a fifth of the trials carries no signal: even an ideal observer stays near 0.90.

    Attributes
    ----------
    fixation_steps : int
        Length of the first period, in steps.
    stimulus_steps : int
        Length of the second, which alone must not be 0.
    delay_steps : int
        Length of the third.
    coherences : tuple of float
        Equally likely signal strengths, percent, each from 0 to 100.
    noise_sd : float
        Standard deviation of the noise on the two evidence channels.
    """

    name: ClassVar[str] = "perceptual"
    title: ClassVar[str] = "Perceptual decision"
    channel_names: ClassVar[tuple[str, ...]] = ("fixation", "evidence 0", "evidence π")
    class_names: ClassVar[tuple[str, ...]] = ("angle 0", "angle π")

    fixation_steps: int = 1
    stimulus_steps: int = 30
    delay_steps: int = 10
    coherences: tuple[float, ...] = (0.0, 6.4, 12.8, 25.6, 51.2)
    noise_sd: float = 0.1

    def __post_init__(self) -> None:
        """Check durations, coherences and noise."""
        self.check_integers(fixation_steps=0, stimulus_steps=1, delay_steps=0)
        self.check_percentages("coherences")
        self.check_number("noise_sd")

    @property
    def durations(self) -> tuple[tuple[str, int], ...]:
        """Name and length in steps of every period, in order."""
        return (
            ("fixation", self.fixation_steps),
            ("stimulus", self.stimulus_steps),
            ("delay", self.delay_steps),
        )

    def draw(
        self, n_trials: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw trials, see :meth:`cortexrnn.networks.tasks.Task.draw`."""
        targets = rng.integers(2, size=n_trials)
        coherence = np.array(self.coherences)[rng.integers(len(self.coherences), size=n_trials)]
        noise = rng.normal(0.0, self.noise_sd, size=(n_trials, self.stimulus_steps, 2))
        preferred = np.array([0.0, np.pi])
        signal = np.cos(preferred - np.pi * targets[:, None]) * coherence[:, None] / 200

        inputs = self.blank(n_trials)
        inputs[:, :, 0] = 1
        inputs[:, self.slices()["stimulus"], 1:] = 0.5 + signal[:, None] + noise
        return inputs, targets


@dataclass(frozen=True)
class GoNoGo(Task):
    """Go/NoGo: one of two cues is shown and has to be remembered over a delay.

    The fixation channel (0) is on in fixation and delay, off while the cue (channel 1 for NoGo,
    2 for Go, equally likely) is on, and off in the decision period, when every channel is silent.

    Attributes
    ----------
    fixation_steps : int
        Length of the first period, in steps.
    cue_steps : int
        Length of the second, which alone must not be 0.
    delay_steps : int
        Length of the third.
    decision_steps : int
        Length of the fourth.
    """

    name: ClassVar[str] = "go_nogo"
    title: ClassVar[str] = "Go/NoGo"
    channel_names: ClassVar[tuple[str, ...]] = ("fixation", "NoGo cue", "Go cue")
    class_names: ClassVar[tuple[str, ...]] = ("NoGo", "Go")

    fixation_steps: int = 5
    cue_steps: int = 20
    delay_steps: int = 10
    decision_steps: int = 5

    def __post_init__(self) -> None:
        """Check the durations."""
        self.check_integers(fixation_steps=0, cue_steps=1, delay_steps=0, decision_steps=0)

    @property
    def durations(self) -> tuple[tuple[str, int], ...]:
        """Name and length in steps of every period, in order."""
        return (
            ("fixation", self.fixation_steps),
            ("cue", self.cue_steps),
            ("delay", self.delay_steps),
            ("decision", self.decision_steps),
        )

    def draw(
        self, n_trials: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw trials, see :meth:`cortexrnn.networks.tasks.Task.draw`."""
        targets = rng.integers(2, size=n_trials)
        at = self.slices()
        inputs = self.blank(n_trials)
        inputs[:, at["fixation"], 0] = 1
        inputs[:, at["delay"], 0] = 1
        inputs[:, at["cue"], 1:] = np.eye(2, dtype=np.float32)[targets, None]
        return inputs, targets


def _integer(name: str, value: Any, *, minimum: int) -> int:
    """Give `value` as an int of at least `minimum`, or say what is wrong with it."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = minimum - 1
    if number < minimum:
        raise ValueError(f"{name} is {value!r}, expected an integer of at least {minimum}")
    return number


def _number(name: str, value: Any, *, maximum: float = math.inf) -> float:
    """Give `value` as a finite float from 0 to `maximum`, or say what is wrong with it."""
    try:
        if isinstance(value, bool | np.bool_ | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and 0 <= number <= maximum):
        limit = "" if math.isinf(maximum) else f" and at most {maximum:g}"
        raise ValueError(f"{name} is {value!r}, expected a finite number of at least 0{limit}")
    return number


#: The tasks with their published settings, in the paper's order.
TASKS: dict[str, Task] = {task.name: task for task in (OneChoice(), Perceptual(), GoNoGo())}

RESERVED = (
    "context_decision",
    "delay_match",
    "delay_match_category",
    "delay_comparison",
    "dual_delay_match",
    "multisensory",
    "paired_association",
    "ring_decision",
)
"""Names of the tasks of :mod:`cortexrnn.networks.neurogym`, which is made of this module."""

CUSTOM_TASKS: dict[str, Task] = {}
"""Tasks that were registered in this process, by name."""


def register_task(task: Task) -> Task:
    """Let a task of one's own be found by its name, in place of one of the same name.

    Parameters
    ----------
    task : Task
        The task with its settings.

    Returns
    -------
    Task
        The same.

    Raises
    ------
    DefinitionError
        If it is no task, or its name, settings or code cannot be part of the identity of a run.
    """
    CUSTOM_TASKS[check_task(task).name] = task
    return task


def check_task(task: Task) -> Task:
    """Refuse what is no task of one's own.

    Parameters
    ----------
    task : Task
        The task.

    Returns
    -------
    Task
        The same.

    Raises
    ------
    DefinitionError
        If it is no task, or its name, settings or code cannot be part of the identity of a run.
    """
    if not isinstance(task, Task):
        raise DefinitionError(
            f"task is {task!r}; give an instance of a subclass of cortexrnn.networks.tasks.Task, "
            "or a name"
        )
    for attribute in ("name", "title", "channel_names", "class_names"):
        if not getattr(task, attribute, None):
            raise DefinitionError(f"{type(task).__name__} needs a class attribute {attribute}")
    if not task.is_built_in and task.name in {*TASKS, *RESERVED}:
        raise DefinitionError(
            f"{type(task).__name__} is named {task.name!r}, which is a task of this package; give "
            "it a name of its own"
        )
    _ = task.definition  # raises where there is none
    return task
