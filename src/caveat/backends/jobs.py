"""What a backend is to train, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from caveat.types.training import Dose, Train

if TYPE_CHECKING:
    pass


AdapterRef = Path | str
"""An adapter: a folder that `Backend.save` wrote (for `local` in PEFT's format), or a handle that
means something to the backend alone, such as `tinker://...`."""


AdapterT = TypeVar("AdapterT")
"""`AdapterRef` above the seam; what a backend computes with, below it."""


@dataclass(frozen=True)
class TrainingJob(Generic[AdapterT]):
    """One adapter to train."""

    key: str
    stage: Train
    seed: int
    base_adapters: tuple[AdapterT, ...] = ()
    """Frozen adapters that it is trained on top of, in the order in which they were attached."""


@dataclass(frozen=True)
class RLJob(TrainingJob[AdapterT]):
    """One policy to train with RL."""

    resume_from: Any = None
    """The policy from which training resumes, with its optimiser; None where it begins."""


@dataclass(frozen=True)
class InitialModel(Generic[AdapterT]):
    """A model before a training: what is attached to it, and how a new adapter would be trained."""

    dose: Dose
    seed: int
    base_adapters: tuple[AdapterT, ...] = ()
    """Frozen adapters, in the order in which they were attached."""


@dataclass(frozen=True)
class Trained(Generic[AdapterT]):
    """A finished adapter and how its training went."""

    key: str
    adapter: AdapterT
    losses: tuple[float, ...]
    """Per step, the mean loss in nats over the supervised tokens of the rows that set the steps."""
    tokens: int
    """Tokens read, all epochs together."""
    loss_share: dict[str, float]
    """Per source of rows, its share of the supervised tokens."""


@dataclass(frozen=True)
class Update:
    """One update of a policy: means over its replies, before its steps."""

    number: int
    """From 1, over all stages of the RL training."""
    reward: float
    true_score: float
    hacked: float | None
    """Share of replies that hack, among those to prompts that can be hacked; None without such."""
    frac_reward_zero_std: float
    """Share of prompts whose replies all have the same reward: nothing is learned from them."""
    distinct: int
    """Replies that differ from the others to their prompt."""
    tokens: float
    truncated: float
    """Share of replies that were cut."""
    kl: float | None
    """From the model before this training, in nats a token, of the replies that are trained on;
    None where its weight is 0, or all are skipped."""
    skipped: int = 0
    """Prompts that were left out: see `GRPOConfig.skip_zero_variance`."""


@dataclass(frozen=True)
class TrainedPolicy(Generic[AdapterT]):
    """A finished policy and how its training went."""

    key: str
    adapter: AdapterT
    """With the state of its optimiser, so that training can resume from it."""
    updates: tuple[Update, ...]
    tokens: int
    """Tokens read in the steps."""


@dataclass(frozen=True)
class Failed:
    """A job that could not be finished, and why, in one line."""

    key: str
    reason: str
