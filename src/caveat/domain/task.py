"""A task: what replies are paid for, and what they should be paid for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """Where a task's functions are, and which they are."""

    name: str
    place: str
    """The module's name, or the file's path."""
    version: str
    """A digest of its source: what was graded by another version is graded anew."""
