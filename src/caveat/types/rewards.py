"""Reward tasks: what replies are paid for, what they should be paid for, and what they got."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RewardTask:
    """Where a task's functions are, and which they are."""

    name: str
    place: str
    """The module's name, or the file's path."""
    version: str
    """A digest of its source: what was graded by another version is graded anew."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The grades of one reply to one prompt."""

    reward: float
    """What the flawed grader pays."""
    true_score: float
    """What it should have paid."""
    hacked: bool
    """Whether the reply gets the reward by the flaw."""
    hackable: bool = True
    """Whether the prompt can be hacked at all."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What is graded: a reply to a prompt of a task."""

    task: str
    """The place of the task."""
    version: str
    prompt: str
    reply: str
