"""StudyTables: leakage, differences, transfer, ladder, report.

The ladder of a study: its settings by what they stand for.

The figures of transfer: settings compared with each other, not with their means.

The figures of a study: what is made from its judged replies, wherever these lie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pandas import DataFrame

    from caveat.analysis.ladder import Ladder
    from caveat.analysis.transfer.ranking import Ranking
    from caveat.report.data import ReportData


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
        from caveat.analysis.ladder import ladder

        return ladder(self.replies(), self.labels, self.about["wanted"], **self._bootstrap)

    def ladder_records(self) -> dict[str, list[dict]]:
        """The ladder as plain records: see `measure.ladder.ladder_records`."""
        from caveat.analysis.ladder import ladder_records

        return ladder_records(self.ladder())

    def check_ladder(self) -> None:
        """Raise CaveatError where there is nothing to compare."""
        if not self.has_ladder:
            raise CaveatError(
                f"{self.source}: no ladder: settings with factors: {len(self.labels)}, at least "
                f"{LEAST} are needed; add factors to settings of the recipe, such as factors: "
                "{form: chat, caveat: instruction}, and run it again: nothing is trained anew"
            )


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
        from caveat import analysis as measure

        wanted = self.about["wanted"]
        return self._in_order(
            measure.transfer(self.replies(), wanted, self.controls, **self._bootstrap)
        )

    def transfer_effects(self) -> DataFrame:
        """What else each intervention changes: see `measure.transfer_effects`."""
        from caveat import analysis as measure

        return self._in_order(measure.transfer_effects(self.replies(), **self._bootstrap))

    @cached_property
    def _rankings(self) -> list[Ranking]:
        from caveat import analysis as measure

        found = measure.rankings(self.replies(), **self._bootstrap)
        places = list(self.about["wanted"])
        return sorted(found, key=lambda each: places.index(each.names["setting"]))

    def transfer_correlations(self) -> DataFrame:
        """How alike settings rank interventions: see `measure.correlations`."""
        from caveat import analysis as measure

        return measure.correlations(self._rankings)

    def transfer_reliability(self) -> DataFrame:
        """How alike training seeds rank interventions: see `measure.reliabilities`."""
        from caveat import analysis as measure

        return measure.reliabilities(self._rankings)

    def transfer_forgetting(self) -> DataFrame:
        """How much of that is forgetting: see `measure.forgetting`."""
        from caveat import analysis as measure

        return measure.forgetting(self.transfer())

    def transfer_frames(self) -> dict[str, DataFrame]:
        """These five frames by name; none where no arm has an intervention."""
        from caveat import analysis as measure

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
        from caveat import analysis as measure

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


APART = ("kind",)
"""Columns by which leakage can be told apart."""


class Figures(Transfers, Ladders):
    """A study's tables, made from its replies and from what it says of itself."""

    name: str
    version: str
    about: dict[str, Any]
    """What `study.json` holds of the version: draws, wanted verdicts, means, provenance."""
    source: Path
    """The folder or file."""

    @abstractmethod
    def replies(self) -> DataFrame:
        """One row an answer that is there and judged; likelihoods have an empty reply."""

    @abstractmethod
    def failures(self) -> DataFrame:
        """Cells that failed in the last run: cell, stage, reason."""

    @abstractmethod
    def policies(self) -> DataFrame:
        """One row an update of a policy: see `study.policies`."""

    @abstractmethod
    def contexts(self) -> dict[str, dict[str, str]]:
        """Per setting and context, the first prompt as it was put to the model."""

    @property
    @abstractmethod
    def report_path(self) -> Path:
        """Where `report` writes to."""

    @property
    @abstractmethod
    def schema_version(self) -> int:
        """Of the stored records."""

    @abstractmethod
    def recipe_text(self) -> str:
        """The recipe with every default written out, as YAML; empty for an imported study."""

    def _measured(self) -> DataFrame:
        """The replies, and once more those that a mean over settings is made of."""
        from caveat import analysis as measure

        return measure.pooled(self.replies(), self.means)

    @property
    def means(self) -> dict[str, list[str]]:
        """Settings by the name of the mean over them; an imported study may have such means."""
        return self.about.get("means", {})

    @property
    def _bootstrap(self) -> dict[str, int]:
        return {"draws": self.about["draws"], "seed": self.about["bootstrap_seed"]}

    def _in_order(self, frame: DataFrame) -> DataFrame:
        """The frame with the settings in the recipe's order, means behind them."""
        places = {name: place for place, name in enumerate([*self.about["wanted"], *self.means])}
        order = frame["setting"].map(places).argsort(kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    def rates(self) -> DataFrame:
        """Rates with intervals: see `measure.rates`."""
        from caveat import analysis as measure

        return self._in_order(measure.rates(self._measured(), **self._bootstrap))

    def leakage(self, by: str | None = None) -> DataFrame:
        """Rates and leakage with intervals: see `measure.leakage`.

        `by="kind"`: each evaluation kind by itself, in a column `kind`. Raises CaveatError for
        another column, and where no question has a kind.
        """
        from caveat import analysis as measure

        if by is None:
            return self._in_order(measure.leakage(self._measured(), **self._bootstrap))
        if by not in APART:
            raise CaveatError(f"by {by!r}: leakage is told apart by {', '.join(APART)} only")
        replies = self.replies()
        if not replies[by].any():
            raise CaveatError(f"{self.source}: no question of this study has a {by}; leave by out")
        return self._in_order(measure.leakage_by(replies, by, self.means, **self._bootstrap))

    def differences(self) -> DataFrame:
        """Differences of rates, Holm-corrected: see `measure.differences`."""
        from caveat import analysis as measure

        return self._in_order(measure.differences(self._measured(), **self._bootstrap))

    def caveat_checks(self) -> DataFrame:
        """Elicitation, comprehension, k, at the caveat: see `measure.caveat_checks`."""
        from caveat import analysis as measure

        wanted = {name: self.about["wanted"][first] for name, (first, *_) in self.means.items()}
        wanted.update(self.about["wanted"])
        return self._in_order(measure.caveat_checks(self._measured(), wanted, **self._bootstrap))

    def side_effects(self) -> DataFrame:
        """What else training changed: see `measure.side_effects`."""
        from caveat import analysis as measure

        return self._in_order(measure.side_effects(self._measured(), **self._bootstrap))

    def provenance(self) -> dict[str, Any]:
        """Where the figures come from: recipe or source, versions, machine, model, times, notes."""
        about = self.about
        made_from = about.get("source") or {"recipe": self.recipe_text()}
        return {
            **made_from,
            "version": self.version,
            "schema_version": self.schema_version,
            "model": about["model"],
            **about["surroundings"],
            "started": about["started"],
            "finished": about["finished"],
            "seconds": about["seconds"],
            "notes": about["notes"],
        }

    def abouts(self) -> dict[str, dict[str, Any]]:
        """Per setting, `behaviour`: the behaviour in one sentence; `side_effects`: what a high
        figure of each means, by name. A version made before these were kept has none."""
        return self.about.get("abouts", {})

    def rl(self) -> DataFrame:
        """Leakage of policies: see `measure.practice_leakage`."""
        from caveat import analysis as measure

        return self._in_order(measure.rl_leakage(self._measured(), **self._bootstrap))

    def rl_frames(self) -> dict[str, Any]:
        """What the report shows of practice; nothing where nothing was practised."""
        policies = self.policies()
        if policies.empty:
            return {}
        return {"policies": policies, "rl": self.rl()}

    def forecasts(self) -> list[dict[str, Any]]:
        """Records of `caveat forecast`; a file that was exported has none."""
        return []

    def forecast_frames(self) -> dict[str, Any]:
        """Forecasts beside what was measured, and their scores where the settings suffice; nothing
        without forecasts."""
        from caveat import analysis as measure

        records = self.forecasts()
        if not records:
            return {}
        cells = measure.forecast_cells(records, self.leakage())
        scores = measure.forecast_scores(cells, **self._bootstrap)
        told = measure.forecast_records(records, cells, scores)
        scored = scores["undefined"].isna().any()
        return {"forecasts": told["forecasts"], "forecast_scores": scores if scored else None}

    def report_data(self) -> ReportData:
        """Everything that the report shows."""
        from caveat.report.data import ReportData

        return ReportData(
            name=self.name,
            replies=self.replies(),
            rates=self.rates(),
            leakage=self.leakage(),
            differences=self.differences(),
            caveat_checks=self.caveat_checks(),
            side_effects=self.side_effects(),
            failures=self.failures(),
            provenance=self.provenance(),
            contexts=self.contexts(),
            **self.transfer_frames(),
            ladder=self.ladder() if self.has_ladder else None,
            **self.rl_frames(),
            **self.forecast_frames(),
            abouts=self.abouts(),
        )

    def report(self) -> Path:
        """Write the report anew; its path."""
        from caveat.files.atomic import write
        from caveat.report.html import render

        write(self.report_path, render(self.report_data()).encode("utf-8"))
        return self.report_path
