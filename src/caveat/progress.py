"""How library code tells what it does: through an object that the caller hands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pandas import DataFrame


Kind = Literal["train", "practise", "reply", "score"]
"""The work that is counted, in tokens: trained on, learned from by policies, drawn, scored."""


class Progress:
    """Hears of everything and does nothing. The CLI hands in a subclass that draws a bar."""

    def stage(self, label: str) -> None:
        """A stage of the study starts: `label` is for people."""

    def advance(self, kind: Kind, tokens: int) -> None:
        """Some work is done."""

    def left(self, share: float, seconds: float) -> None:
        """The share of the study that is done, in [0, 1], and the estimated seconds left."""

    def say(self, message: str) -> None:
        """One line that the user should see."""

    def table(self, setting: str, frame: DataFrame) -> None:
        """A setting is complete; `frame` holds its rows of `Study.leakage()`."""
