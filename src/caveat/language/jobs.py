"""What lockstep training is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.domain.plan import Train
from caveat.language.adapter import Adapter
from caveat.language.standing import Standing


@dataclass(frozen=True)
class TrainingJob:
    """One adapter to train."""

    key: str
    stage: Train
    seed: int
    beneath: tuple[Adapter, ...] = ()
    """Frozen adapters that it is trained on top of, in the order in which they were attached."""


@dataclass(frozen=True)
class PracticeJob(TrainingJob):
    """One policy to train."""

    goes_on: Standing | None = None
    """Where the practice before this one ended, if it had one."""


@dataclass(frozen=True)
class Trained:
    """A finished adapter and how it went."""

    key: str
    adapter: Adapter
    losses: tuple[float, ...]
    """Per step, the mean loss in nats over the supervised tokens of the rows that set the steps."""
    tokens: int
    """Tokens read, all epochs together."""
    loss_share: dict[str, float]
    """Per source of rows, its share of the supervised tokens."""


@dataclass(frozen=True)
class Failed:
    """A job that could not be finished, and why, in one line."""

    key: str
    reason: str
