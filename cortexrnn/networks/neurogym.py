"""Further tasks, whose trials are drawn by environments of NeuroGym, and all tasks by name.

NeuroGym (Molano-Mazón et al. 2022, doi 10.31234/osf.io/aqc9n; Apache-2.0) is an optional extra,
``pip install -e '.[tasks]'``, and imported when the first trial is drawn. An environment gives
for every step an observation and the right action. Here the observations of a trial are the inputs,
and the right action of the last step is the class: networks answer once, after the last step.
Rewards, and trials that end early because of an action, play no part.

Durations
    are counted in steps of ``dt`` milliseconds and all fixed, so that the trials of a task are
    equally long. They are those of the environment unless a task says otherwise, save that of a
    decision period only the first step is kept. Every channel but those of a context is silent in
    it, so the stimulus has to be remembered.
Noise
    is that of the environment: Gaussian, its standard deviation in a step ``sigma`` over the square
    root of ``dt``, so that a mean over a given time is equally noisy whatever ``dt`` is.
Interaction between units
    is not known to be needed by any of these tasks. Rectified units that are connected to
    themselves alone can hold a stimulus, add it up, be silenced by a cue and, by their threshold,
    compare what they hold with what comes; two such units solve `DelayMatch` and
    `PairedAssociation`. What is needed is memory: each task says what can be reached without, by a
    reader of the last stimulus.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cortexrnn.fields.inputs.arguments import one_of
from cortexrnn.networks.tasks import CUSTOM_TASKS, TASKS, Task

__all__ = [
    "GYM_TASKS",
    "ContextDecision",
    "DelayComparison",
    "DelayMatch",
    "DelayMatchCategory",
    "DualDelayMatch",
    "GymTask",
    "Multisensory",
    "PairedAssociation",
    "RingDecision",
    "RingTask",
    "TaskError",
    "find_task",
]

STEPS = "_steps"
"""Ending of the names of settings that are durations."""


class TaskError(ValueError):
    """A task cannot draw trials: NeuroGym is missing, or its environment is not as expected."""


@dataclass(frozen=True)
class GymTask(Task):
    """A task whose trials are drawn by an environment of NeuroGym.

    A subclass names the environment, the channels and the classes. Its settings that end in
    ``_steps`` are the lengths of the environment's periods, in their order; those of fixation and
    delays may be 0. All others, such as ``sigma``, are keywords of the environment, under the names
    that they have there.

    Attributes
    ----------
    environment : str
        Identifier of the environment.
    keywords : dict
        Keywords of the environment that are no settings.
    renamed : dict of str to str
        Periods by the names of their settings, where the environment names them otherwise.
    first_action : int
        Action that is class 0; the others follow. Action 0 is to fixate, which is an answer in few
        tasks.
    dt : int
        Length of a step, in milliseconds.
    """

    environment: ClassVar[str]
    keywords: ClassVar[dict[str, Any]] = {}
    renamed: ClassVar[dict[str, str]] = {}
    first_action: ClassVar[int] = 1

    dt: int = 100

    def __post_init__(self) -> None:
        """Check the settings."""
        self.check_integers(dt=1)
        for name, _ in self.durations:
            least = 0 if "fixation" in name or "delay" in name else 1
            self.check_integers(**{name + STEPS: least})
        if "sigma" in self.settings:
            self.check_number("sigma")

    @property
    def durations(self) -> tuple[tuple[str, int], ...]:
        """Name and length in steps of every period, in order."""
        return tuple(
            (name.removesuffix(STEPS), value)
            for name, value in self.settings.items()
            if name.endswith(STEPS)
        )

    def draw(
        self, n_trials: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Draw trials, see :meth:`cortexrnn.networks.tasks.Task.draw`."""
        environment = self._make()
        environment.rng = np.random.RandomState(rng.bit_generator)  # draws from `rng` itself
        inputs = self.blank(n_trials)
        targets = np.empty(n_trials, dtype=np.int64)
        for trial in range(n_trials):
            environment.new_trial()
            self._check_trial(environment)
            inputs[trial] = environment.ob
            targets[trial] = self._answer(environment)
        return inputs, targets

    def _make(self) -> Any:
        """Make the environment without the wrappers of Gymnasium, which belong to its rewards."""
        try:
            import neurogym
        except ImportError as error:
            raise TaskError(
                f"task {self.name!r} is drawn by NeuroGym, which cannot be imported ({error}); "
                "pip install -e '.[tasks]', best into an environment of its own, since it "
                "brings an older numpy"
            ) from error
        settings = {k: v for k, v in self.settings.items() if not k.endswith(STEPS)}
        timing = {self.renamed.get(name, name): n * self.dt for name, n in self.durations}
        with warnings.catch_warnings():
            # Environments declare no render modes, and none is needed.
            warnings.filterwarnings("ignore", message=".*render_modes")
            environment = neurogym.make(
                self.environment, timing=timing, **self.keywords, **settings
            )
        return environment.unwrapped

    def _check_trial(self, environment: Any) -> None:
        """Refuse a trial that does not have the periods and channels of this task."""
        periods = {name: (start, stop) for name, start, stop in self.periods}
        setting_names = {period: name for name, period in self.renamed.items()}
        drawn = {
            setting_names.get(name, name): (start, environment.end_ind[name])
            for name, start in environment.start_ind.items()
        }
        for name in {**drawn, **periods}:
            if drawn.get(name) != periods.get(name):
                raise TaskError(
                    f"{self.environment} drew a trial of {len(environment.ob)} steps, not "
                    f"{self.n_steps} as task {self.name!r} has: period {name!r} is at steps "
                    f"{drawn.get(name)}, not {periods.get(name)}; fix its length by a setting "
                    f"{name + STEPS}, in the order of the environment's periods"
                )
        if environment.ob.shape[1:] != (self.n_channels,):
            raise TaskError(
                f"{self.environment} has observations of shape {environment.ob.shape[1:]}; task "
                f"{self.name!r} names {self.n_channels} channels: name every one"
            )

    def _answer(self, environment: Any) -> int:
        """Class of the action that is right in the last step."""
        answer = int(environment.gt[-1]) - self.first_action
        if not 0 <= answer < self.n_classes:
            raise TaskError(
                f"{self.environment} has right action {environment.gt[-1]} in the last step; "
                f"classes of task {self.name!r} are actions {self.first_action} to "
                f"{self.first_action + self.n_classes - 1}: end with the period of the answer"
            )
        return answer


@dataclass(frozen=True)
class RingTask(GymTask):
    """A task whose stimuli are directions, each seen by a ring of channels that prefer others.

    Channels, and classes unless they are named, follow from the size of the ring.

    Attributes
    ----------
    rings : tuple of str
        Prefix of the direction in the names of the channels, for every ring.
    cues : tuple of str
        Channels after the rings.
    smallest_ring : int
        Least `dim_ring`.
    dim_ring : int
        Channels of a ring.
    """

    rings: ClassVar[tuple[str, ...]] = ("",)
    cues: ClassVar[tuple[str, ...]] = ()
    smallest_ring: ClassVar[int] = 2

    dim_ring: int = 2

    def __post_init__(self) -> None:
        """Check the settings and name what depends on them."""
        super().__post_init__()
        self.check_integers(dim_ring=self.smallest_ring)
        directions = tuple(f"{360 * k / self.dim_ring:g}°" for k in range(self.dim_ring))
        ring_channels = (ring + direction for ring in self.rings for direction in directions)
        object.__setattr__(self, "channel_names", ("fixation", *ring_channels, *self.cues))
        if not hasattr(type(self), "class_names"):
            object.__setattr__(self, "class_names", directions)


@dataclass(frozen=True)
class ContextDecision(RingTask):
    """Context-dependent decision: report the direction of the noisy stimulus that a context names.

    Both stimuli are on together, each with one of three coherences; half of the trials show the
    same direction in both. The context is shown throughout (by default the environment shows none)
    and the delay, random there, is 600 ms. An ideal observer reaches 0.94, without the context
    0.75, from the last step of the stimuli 0.79. Units that a context silences add up what counts,
    each by itself.
    """

    name: ClassVar[str] = "context_decision"
    title: ClassVar[str] = "Context-dependent decision"
    environment: ClassVar[str] = "ContextDecisionMaking-v0"
    keywords: ClassVar[dict[str, Any]] = {"use_expl_context": True}
    rings: ClassVar[tuple[str, ...]] = ("modality 1: ", "modality 2: ")
    cues: ClassVar[tuple[str, ...]] = ("context 1", "context 2")

    dt: int = 50
    sigma: float = 1.0
    fixation_steps: int = 6
    stimulus_steps: int = 15
    delay_steps: int = 12
    decision_steps: int = 1


@dataclass(frozen=True)
class DelayMatch(RingTask):
    """Delayed match to sample: tell whether a test stimulus equals the sample shown before a delay.

    The test alone says nothing, so 0.5 is what can be reached without memory. Sample and test have
    to be compared, not only added up; the threshold of a unit that holds the sample can do it.
    """

    name: ClassVar[str] = "delay_match"
    title: ClassVar[str] = "Delayed match to sample"
    environment: ClassVar[str] = "DelayMatchSample-v0"
    class_names: ClassVar[tuple[str, ...]] = ("match", "non-match")

    dt: int = 50
    sigma: float = 1.0
    fixation_steps: int = 6
    sample_steps: int = 10
    delay_steps: int = 20
    test_steps: int = 10
    decision_steps: int = 1


@dataclass(frozen=True)
class DelayMatchCategory(RingTask):
    """Delayed match to category: tell whether sample and test point to the same half of a circle.

    As in `DelayMatch` the test alone leaves 0.5 and the two have to be compared; besides,
    directions that differ count as equal. The answer falls into the test period. A ring of two
    channels, the default of the environment, sees a direction and its mirror image alike, so that
    the categories cannot be told apart; the ring has eight here and at least three.
    """

    name: ClassVar[str] = "delay_match_category"
    title: ClassVar[str] = "Delayed match to category"
    environment: ClassVar[str] = "DelayMatchCategory-v0"
    renamed: ClassVar[dict[str, str]] = {"delay": "first_delay"}
    class_names: ClassVar[tuple[str, ...]] = ("match", "non-match")
    smallest_ring: ClassVar[int] = 3

    dt: int = 50
    dim_ring: int = 8
    sigma: float = 1.0
    fixation_steps: int = 10
    sample_steps: int = 13
    delay_steps: int = 20
    test_steps: int = 13


@dataclass(frozen=True)
class DelayComparison(GymTask):
    """Delayed comparison: tell which of two stimuli, before and after a delay, was stronger.

    They are one of five pairs in either order. The weakest two strengths are always the weaker of
    their pair and the strongest two the stronger, so the second stimulus alone gives 0.7. A
    weighted difference is all that is needed, which a unit can hold by itself.
    """

    name: ClassVar[str] = "delay_comparison"
    title: ClassVar[str] = "Delayed comparison"
    environment: ClassVar[str] = "DelayComparison-v0"
    channel_names: ClassVar[tuple[str, ...]] = ("fixation", "stimulus")
    class_names: ClassVar[tuple[str, ...]] = ("first", "second")

    dt: int = 50
    sigma: float = 1.0
    fixation_steps: int = 10
    stimulus1_steps: int = 10
    delay_steps: int = 20
    stimulus2_steps: int = 10
    decision_steps: int = 1


@dataclass(frozen=True)
class DualDelayMatch(GymTask):
    """Dual delayed match to sample: hold two items; a cue tells which one is tested.

    Both items are tested, one after the other in either order. The answer is that of the second
    test, in whose period the trial ends, so the first test is a distraction and one item has to
    outlast it. The second test alone leaves 0.5; it has to be compared with the right item.
    """

    name: ClassVar[str] = "dual_delay_match"
    title: ClassVar[str] = "Dual delayed match to sample"
    environment: ClassVar[str] = "DualDelayMatchSample-v0"
    channel_names: ClassVar[tuple[str, ...]] = (
        "fixation",
        *(f"item {item}: {direction}" for item in (1, 2) for direction in ("0°", "90°")),
        *("cue 1", "cue 2"),
    )
    class_names: ClassVar[tuple[str, ...]] = ("match", "non-match")

    sigma: float = 1.0
    fixation_steps: int = 5
    sample_steps: int = 5
    delay1_steps: int = 5
    cue1_steps: int = 5
    test1_steps: int = 5
    delay2_steps: int = 5
    cue2_steps: int = 5
    test2_steps: int = 5


@dataclass(frozen=True)
class Multisensory(RingTask):
    """Multisensory integration: report the direction to which two noisy stimuli point together.

    The two share one of three coherences in random parts. Their sum gives 0.91, one of them 0.84,
    the last step of both 0.70. Adding up is all that is needed, which a unit can do by itself.
    """

    name: ClassVar[str] = "multisensory"
    title: ClassVar[str] = "Multisensory integration"
    environment: ClassVar[str] = "MultiSensoryIntegration-v0"
    rings: ClassVar[tuple[str, ...]] = ("modality 1: ", "modality 2: ")

    dt: int = 25
    sigma: float = 1.0
    fixation_steps: int = 12
    stimulus_steps: int = 30
    decision_steps: int = 1


@dataclass(frozen=True)
class PairedAssociation(GymTask):
    """Delayed paired association: tell whether two stimuli, on either side of a delay, go together.

    One of the first two stimuli comes before the delay, one of the other two after it; two of the
    four pairs are Go. To fixate, action 0, is the answer NoGo. The second stimulus alone leaves
    0.5; the two have to be compared as in `DelayMatch`. This environment has no noise.
    """

    name: ClassVar[str] = "paired_association"
    title: ClassVar[str] = "Delayed paired association"
    environment: ClassVar[str] = "DelayPairedAssociation-v0"
    renamed: ClassVar[dict[str, str]] = {"delay": "delay_btw_stim", "late_delay": "delay_aft_stim"}
    first_action: ClassVar[int] = 0
    channel_names: ClassVar[tuple[str, ...]] = (
        "fixation",
        *(f"stimulus {k}" for k in range(1, 5)),
    )
    class_names: ClassVar[tuple[str, ...]] = ("NoGo", "Go")

    fixation_steps: int = 0
    stim1_steps: int = 10
    delay_steps: int = 10
    stim2_steps: int = 10
    late_delay_steps: int = 10
    decision_steps: int = 1


@dataclass(frozen=True)
class RingDecision(RingTask):
    """Decision among eight directions: report after a delay which one a noisy stimulus had.

    A fifth of the trials has coherence 0: an ideal observer stays near 0.76. The last step of the
    stimulus gives 0.48. Adding up is all that is needed, which a unit can do by itself. The
    environment has two directions and no delay by default; here the delay is 1 s.
    """

    name: ClassVar[str] = "ring_decision"
    title: ClassVar[str] = "Decision among eight directions"
    environment: ClassVar[str] = "PerceptualDecisionMaking-v0"

    dim_ring: int = 8
    cohs: tuple[float, ...] = (0.0, 6.4, 12.8, 25.6, 51.2)
    sigma: float = 1.0
    fixation_steps: int = 1
    stimulus_steps: int = 20
    delay_steps: int = 10
    decision_steps: int = 1

    def __post_init__(self) -> None:
        """Check the settings and name what depends on them."""
        super().__post_init__()
        self.check_percentages("cohs")


#: The tasks drawn by NeuroGym, with the settings stated there.
GYM_TASKS: dict[str, GymTask] = {
    task.name: task
    for task in (
        ContextDecision(),
        DelayMatch(),
        DelayMatchCategory(),
        DelayComparison(),
        DualDelayMatch(),
        Multisensory(),
        PairedAssociation(),
        RingDecision(),
    )
}


def find_task(name: str | Task) -> Task:
    """Find a task of the paper, of NeuroGym, or of one's own by its name.

    Parameters
    ----------
    name : str or Task
        Key of :data:`~cortexrnn.networks.tasks.TASKS`, :data:`GYM_TASKS` or
        :data:`~cortexrnn.networks.tasks.CUSTOM_TASKS`; a task is given back.

    Returns
    -------
    Task
        The task with its own settings. NeuroGym is needed only to draw its trials.

    Raises
    ------
    ValueError
        If there is no such task.
    """
    if isinstance(name, Task):
        return name
    known: dict[str, Task] = {**CUSTOM_TASKS, **TASKS, **GYM_TASKS}
    one_of("task", name, [*TASKS, *GYM_TASKS, *CUSTOM_TASKS])
    return known[name]
