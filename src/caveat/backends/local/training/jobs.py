"""What lockstep training is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.types.training import Train


@dataclass(frozen=True)
class TrainingJob:
    """One adapter to train."""

    key: str
    stage: Train
    seed: int
    base_adapters: tuple[Adapter, ...] = ()
    """Frozen adapters that it is trained on top of, in the order in which they were attached."""


@dataclass(frozen=True)
class RLJob(TrainingJob):
    """One policy to train."""

    resume_from: TrainingState | None = None
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
class Update:
    """What one update saw: means over its replies, before its steps."""

    number: int
    """From 1, over all stages of the practice."""
    reward: float
    true_score: float
    hacked: float | None
    """The share of replies to prompts that can be hacked; None where there are none."""
    frac_reward_zero_std: float
    """The share of prompts whose replies were all paid the same: they teach nothing."""
    distinct: int
    """Replies that differ from the others to their prompt."""
    tokens: float
    truncated: float
    """The share of replies that were cut."""
    kl: float | None
    """From the model before this training, in nats a token; None where `kl` is 0."""


@dataclass(frozen=True)
class TrainedPolicy:
    """A finished policy and how it went."""

    key: str
    training_state: TrainingState
    updates: tuple[Update, ...]
    tokens: int
    """Tokens read in the steps."""


@dataclass(frozen=True)
class Failed:
    """A job that could not be finished, and why, in one line."""

    key: str
    reason: str
