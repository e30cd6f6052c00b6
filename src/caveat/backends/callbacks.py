"""Who hears of training and sampling as they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from caveat.backends.jobs import AdapterRef, TrainingJob
from caveat.types.rewards import Grade, Graded

if TYPE_CHECKING:
    from caveat.backends.base import Backend


@dataclass(frozen=True)
class StepEvent:
    """One step of one job, reported when it was taken."""

    job: str
    """Its key; in studies, the digest of what it makes."""
    step: int
    """From 1: an optimiser step, of RL an update with all its optimiser steps, counted over all
    stages of the RL training."""
    steps: int
    """The last step of the job."""
    loss: float
    """Mean loss in nats over the supervised tokens of the rows that set the steps; of RL, the mean
    over the update's optimiser steps, 0 where it takes none. Not finite where the job fails."""
    grad_norm: float
    """Before clipping; of RL, the mean over the update's optimiser steps."""
    learning_rate: float
    tokens: int
    """Tokens read in this step."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of RL: `reward`, `true_score`, `hack_rate`, `kl`, `clip_ratio`, `frac_reward_zero_std`,
    `completion_length`, `truncated`, `skipped`; `hack_rate` and `kl` only where there is one."""


OnStep = Callable[[StepEvent], None]


Grader = Callable[[Sequence[Graded]], list[Grade | str]]
"""Gives each reply's grade, or in one line why it has none."""


def ignore(event: StepEvent) -> None:
    """Do nothing with a step."""


OnToken = Callable[[str, int, int], None]
"""Hears of a sampled token as it comes: the request's key, its position from 0, and its id. Where
memory ran out and a reply is sampled again, its positions come again, with the same tokens."""


class Callback(Protocol):
    """Hears of training as it goes. Subclass it, and override what you want to hear of.

    Callbacks watch: results are the same with and without. An exception that one raises ends the
    training, as an error in it would.
    """

    def on_train_begin(self, jobs: Sequence[TrainingJob[AdapterRef]], backend: Backend) -> None:
        """Some jobs start together. A job that is done again starts again from its first step."""

    def on_step_end(self, event: StepEvent) -> None:
        """A job has taken a step."""

    def on_train_end(self, results: Sequence[Any]) -> None:
        """The jobs have ended: a `Trained`, `TrainedPolicy` or `Failed` each, in their order."""
