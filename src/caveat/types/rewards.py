"""Records of reward tasks: which task, what is graded, and the grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RewardSource = Literal["proxy", "true_score", "coin", "constant"]
"""What RL training takes as a reply's reward: see `GRPOConfig.reward`."""


@dataclass(frozen=True, slots=True)
class RewardTask:
    """A reward task: which module, in which version."""

    name: str
    place: str
    """The module's name, or the file's path."""
    version: str
    """A digest of its source: a reply is graded anew by another version."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The grades of one reply to one prompt."""

    reward: float
    """The flawed reward, which RL trains on unless its settings say otherwise."""
    true_score: float
    """What the reward should have been."""
    hacked: bool
    """Whether the reply gets its reward by the flaw."""
    hackable: bool = True
    """Whether the prompt can be hacked at all."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A reply to grade, with its prompt and reward task."""

    task: str
    """The place of the task."""
    version: str
    prompt: str
    reply: str
