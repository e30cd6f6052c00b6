"""Progress reports: library code calls an object that the caller hands in, and never prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pandas import DataFrame


Kind = Literal["train", "rl", "reply", "score"]
"""Kinds of work that are counted in tokens: SFT, RL, sampled replies, scored likelihoods."""


class Progress:
    """Receives all reports and does nothing. The CLI hands in a subclass that shows a bar."""

    def stage(self, label: str) -> None:
        """A stage of the study starts: `label` is for people."""

    def advance(self, kind: Kind, tokens: int) -> None:
        """So many tokens of work are done."""

    def left(self, share: float, seconds: float) -> None:
        """The share of the study that is done, in [0, 1], and the estimated seconds left."""

    def say(self, message: str) -> None:
        """A message of one line for the user."""

    def table(self, setting: str, frame: DataFrame) -> None:
        """A setting is complete; `frame` holds its rows of `Study.leakage()`."""


def duration(seconds: float) -> str:
    """Such as `40 s`, `6 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
