"""The figures of transfer: settings compared with each other, not with their means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pandas import DataFrame

    from caveat.measure.transfer.ranking import Ranking


class Transfers(ABC):
    """What interventions change in each setting of a study, and how alike settings are in that."""

    about: dict[str, Any]
    source: Path

    @abstractmethod
    def replies(self) -> DataFrame:
        """One row an answer that is there and judged."""

    @property
    @abstractmethod
    def _bootstrap(self) -> dict[str, int]:
        """Draws and seed."""

    @abstractmethod
    def _in_order(self, frame: DataFrame) -> DataFrame:
        """The frame with the settings in the recipe's order."""

    @property
    def controls(self) -> dict[tuple[str, str, str], str | None]:
        """The control of each arm `marked+X`, by setting, dose and arm, as far as it was noted (see
        `study.controls`): a version made before, or imported, has none."""
        return {
            (each["setting"], each["dose"], each["arm"]): each["control"]
            for each in self.about.get("controls", [])
        }

    def transfer(self) -> DataFrame:
        """What each intervention changes in each setting: see `measure.transfer`."""
        from caveat import measure

        wanted = self.about["wanted"]
        return self._in_order(
            measure.transfer(self.replies(), wanted, self.controls, **self._bootstrap)
        )

    def transfer_effects(self) -> DataFrame:
        """What else each intervention changes: see `measure.transfer_effects`."""
        from caveat import measure

        return self._in_order(measure.transfer_effects(self.replies(), **self._bootstrap))

    @cached_property
    def _rankings(self) -> list[Ranking]:
        from caveat import measure

        found = measure.rankings(self.replies(), **self._bootstrap)
        places = list(self.about["wanted"])
        return sorted(found, key=lambda each: places.index(each.names["setting"]))

    def transfer_correlations(self) -> DataFrame:
        """How alike settings rank interventions: see `measure.correlations`."""
        from caveat import measure

        return measure.correlations(self._rankings)

    def transfer_reliability(self) -> DataFrame:
        """How alike training seeds rank interventions: see `measure.reliabilities`."""
        from caveat import measure

        return measure.reliabilities(self._rankings)

    def transfer_forgetting(self) -> DataFrame:
        """How much of that is forgetting: see `measure.forgetting`."""
        from caveat import measure

        return measure.forgetting(self.transfer())

    def transfer_frames(self) -> dict[str, DataFrame]:
        """These five frames by name; none where no arm has an intervention."""
        from caveat import measure

        if not self._tried(self.replies()["arm"]):
            return {}
        matrix = self.transfer()
        return {
            "transfer": matrix,
            "transfer_effects": self.transfer_effects(),
            "transfer_correlations": self.transfer_correlations(),
            "transfer_reliability": self.transfer_reliability(),
            "transfer_forgetting": measure.forgetting(matrix),
        }

    def transfer_records(self) -> dict[str, list[dict]]:
        """The five as plain records: see `measure.transfer_records`."""
        from caveat import measure

        return measure.transfer_records(**self.transfer_frames())

    def check_transfer(self) -> None:
        """Raise CaveatError where there is nothing to compare."""
        arms = set(self.replies()["arm"])
        if not self._tried(arms):
            told = ", ".join(sorted(arms)) or "none yet"
            raise CaveatError(
                f"{self.source}: no arm with an intervention to compare (arms: {told}); add some "
                "to the recipe, such as marked+contrast, and run it"
            )

    @staticmethod
    def _tried(arms: Iterable[str]) -> bool:
        return any(arm.startswith("marked+") for arm in arms)
