"""The ladder of a study: its settings by what they stand for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.measure.ladder import Ladder

LEAST = 2
"""Settings with factors that make a ladder."""


class Ladders(ABC):
    """Which factor carries the difference between settings of a study."""

    about: dict[str, Any]
    source: Path

    @abstractmethod
    def replies(self) -> DataFrame:
        """One row an answer that is there and judged."""

    @property
    @abstractmethod
    def _bootstrap(self) -> dict[str, int]:
        """Draws and seed."""

    @property
    def labels(self) -> dict[tuple[str, str, str], dict[str, str]]:
        """The factors of each setting that has some, by setting, model and dose, in the recipe's
        order. An imported study, or a version made before they were noted, has none."""
        return {
            (each["setting"], each["model"], each["dose"]): each["factors"]
            for each in self.about.get("factors", [])
        }

    @property
    def has_ladder(self) -> bool:
        """Whether there are settings to compare."""
        return len(self.labels) >= LEAST

    def ladder(self) -> Ladder:
        """Rungs, steps, effects, interactions and the dial: see `measure.ladder`."""
        from caveat.measure.ladder import ladder

        return ladder(self.replies(), self.labels, self.about["wanted"], **self._bootstrap)

    def ladder_records(self) -> dict[str, list[dict]]:
        """The ladder as plain records: see `measure.ladder.ladder_records`."""
        from caveat.measure.ladder import ladder_records

        return ladder_records(self.ladder())

    def check_ladder(self) -> None:
        """Raise CaveatError where there is nothing to compare."""
        if not self.has_ladder:
            raise CaveatError(
                f"{self.source}: no ladder: settings with factors: {len(self.labels)}, at least "
                f"{LEAST} are needed; add factors to settings of the recipe, such as factors: "
                "{form: chat, caveat: instruction}, and run it again: nothing is trained anew"
            )
