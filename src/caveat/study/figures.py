"""The figures of a study: what is made from its judged replies, wherever these lie."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.study.ladders import Ladders
from caveat.study.transfers import Transfers

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.report.data import ReportData

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
        from caveat import measure

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
        from caveat import measure

        return self._in_order(measure.rates(self._measured(), **self._bootstrap))

    def leakage(self, by: str | None = None) -> DataFrame:
        """Rates and leakage with intervals: see `measure.leakage`.

        `by="kind"`: each evaluation kind by itself, in a column `kind`. Raises CaveatError for
        another column, and where no question has a kind.
        """
        from caveat import measure

        if by is None:
            return self._in_order(measure.leakage(self._measured(), **self._bootstrap))
        if by not in APART:
            raise CaveatError(f"by {by!r}: leakage is told apart by {', '.join(APART)} only")
        replies = self.replies()
        if not replies[by].any():
            raise CaveatError(f"{self.source}: no question of this study has a {by}; leave by out")
        return self._in_order(
            measure.leakage_by(replies, by, self.means, **self._bootstrap)
        )

    def differences(self) -> DataFrame:
        """Differences of rates, Holm-corrected: see `measure.differences`."""
        from caveat import measure

        return self._in_order(measure.differences(self._measured(), **self._bootstrap))

    def caveat_checks(self) -> DataFrame:
        """Elicitation, comprehension, k, at the caveat: see `measure.caveat_checks`."""
        from caveat import measure

        wanted = {name: self.about["wanted"][first] for name, (first, *_) in self.means.items()}
        wanted.update(self.about["wanted"])
        return self._in_order(measure.caveat_checks(self._measured(), wanted, **self._bootstrap))

    def side_effects(self) -> DataFrame:
        """What else training changed: see `measure.side_effects`."""
        from caveat import measure

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

    def practice(self) -> DataFrame:
        """Leakage of policies: see `measure.practice_leakage`."""
        from caveat import measure

        return self._in_order(measure.practice_leakage(self._measured(), **self._bootstrap))

    def practice_frames(self) -> dict[str, Any]:
        """What the report shows of practice; nothing where nothing was practised."""
        policies = self.policies()
        if policies.empty:
            return {}
        return {"policies": policies, "practice": self.practice()}

    def forecasts(self) -> list[dict[str, Any]]:
        """Records of `caveat forecast`; a file that was exported has none."""
        return []

    def forecast_frames(self) -> dict[str, Any]:
        """Forecasts beside what was measured, and their scores where the settings suffice; nothing
        without forecasts."""
        from caveat import measure

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
            **self.practice_frames(),
            **self.forecast_frames(),
            abouts=self.abouts(),
        )

    def report(self) -> Path:
        """Write the report anew; its path."""
        from caveat.report.html import render
        from caveat.study.atomic import write

        write(self.report_path, render(self.report_data()).encode("utf-8"))
        return self.report_path
