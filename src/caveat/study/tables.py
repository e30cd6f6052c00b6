"""The tables of a study: leakage, differences, checks, transfer, ladder, RL, forecasts, report."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from pandas import DataFrame

    from caveat.analysis import MixedModel
    from caveat.analysis.ladder import Ladder
    from caveat.analysis.transfer.ranking import Ranking
    from caveat.report.data import ReportData


LEAST = 2
"""The fewest settings with factors that make a ladder."""
SHARED = ("answers", "graded", "_measured", "leakage", "caveat_checks", "transfer")
"""Methods whose frames others are made from, and which a report needs again and again."""
SPLIT_COLUMNS = ("kind",)
"""Columns by whose values leakage can be split."""


class StudyTables(ABC):
    """A study's tables, made from its replies and from what it says of itself.

    A subclass reads these from a folder (`Study`) or from one file (`Exported`).
    """

    name: str
    version: str
    about: dict[str, Any]
    """What `study.json` holds of the version: draws, expected verdicts, means, provenance."""
    source: Path
    """The folder or file."""

    @abstractmethod
    def answers(self) -> DataFrame:
        """One row an answer that is there and judged; likelihoods have an empty reply."""

    @abstractmethod
    def graded(self) -> DataFrame:
        """One row a scored row of the behaviour, context and cell: see `study.graded`."""

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

    # Replies and their order

    def snapshot(self) -> Self:
        """The same tables, whose frames of `SHARED` are made once: for who needs many of them.

        Nobody may change a frame of a snapshot.
        """
        tables = copy.copy(self)
        for name in SHARED:
            setattr(tables, name, cache(getattr(tables, name)))
        return tables

    def _graded(self) -> DataFrame:
        """Graded leakage of settings and means over them: see `analysis.graded_leakage`."""
        from caveat.analysis import graded_leakage

        return graded_leakage(self.graded(), self.means)

    def _measured(self) -> DataFrame:
        """The replies, and once more those that a mean over settings is made of."""
        from caveat.analysis import pooled

        return pooled(self.answers(), self.means)

    def _caveat_texts(self, answers: DataFrame) -> dict[str, dict[str, list[str]]]:
        """By setting, what its arms may recite; older studies have shipped caveats' texts alone."""
        from caveat.caveats import CAVEATS
        from caveat.caveats.neutral import trained_texts

        texts = dict(self.about.get("caveat_texts", {}))
        named = answers[["setting", "caveat"]].drop_duplicates()
        for setting, caveat in named.itertuples(index=False):
            if setting not in texts and setting not in self.means and caveat in CAVEATS:
                texts[setting] = trained_texts(CAVEATS[caveat])
        for mean, settings in self.means.items():
            own_texts = [texts[setting] for setting in settings if setting in texts]
            kinds = dict.fromkeys(kind for own in own_texts for kind in own)
            texts[mean] = {
                kind: [t for own in own_texts for t in own.get(kind, [])] for kind in kinds
            }
        return texts

    @property
    def means(self) -> dict[str, list[str]]:
        """Settings by the name of the mean over them; an imported study may have such means."""
        return self.about.get("means", {})

    @property
    def _resamples(self) -> dict[str, int]:
        """Number and seed of the resamples behind rank correlations."""
        return {"draws": self.about["draws"], "seed": self.about["bootstrap_seed"]}

    def _in_order(self, frame: DataFrame) -> DataFrame:
        """The frame with the settings in the recipe's order, means after them."""
        positions = {
            name: position for position, name in enumerate([*self.about["wanted"], *self.means])
        }
        order = frame["setting"].map(positions).argsort(kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    # Rates and leakage

    @property
    def reported(self) -> DataFrame | None:
        """Rates that others reported without their replies; None where there are replies."""
        import pandas as pd

        records = self.about.get("rates")
        return None if records is None else pd.DataFrame(records)

    def rates(self) -> DataFrame:
        """Rates with intervals: see `analysis.rates`."""
        from caveat.analysis import rates
        from caveat.analysis.reported_rates import reported_rates

        if self.reported is not None:
            return self._in_order(reported_rates(self.reported))
        return self._in_order(rates(self._measured()))

    def leakage(self, by: str | None = None) -> DataFrame:
        """Rates and leakage with intervals: see `analysis.leakage`.

        Without `by`, the graded forms are beside them (see `analysis.with_graded`), and the share
        of replies that hold the caveat's own words (`analysis.recitation`).
        `by="kind"`: each evaluation kind by itself, in a column `kind`. Raises CaveatError for
        another column, and where no question has a kind.
        """
        from caveat.analysis import leakage, leakage_by, with_graded, with_recitation
        from caveat.analysis.reported_rates import reported_leakage

        if by is None and self.reported is not None:
            return self._in_order(reported_leakage(self.reported))
        if by is None:
            measured = self._measured()
            graded = with_graded(leakage(measured), self._graded())
            return self._in_order(with_recitation(graded, measured, self._caveat_texts(measured)))
        if by not in SPLIT_COLUMNS:
            raise CaveatError(f"by {by!r}: leakage can be split by {', '.join(SPLIT_COLUMNS)} only")
        replies = self.answers()
        if not replies[by].any():
            raise CaveatError(f"{self.source}: no question of this study has a {by}; leave by out")
        return self._in_order(leakage_by(replies, by, self.means))

    def differences(self) -> DataFrame:
        """Differences of rates, Holm-corrected: see `analysis.differences`."""
        from caveat.analysis import differences
        from caveat.analysis.reported_rates import reported_differences

        if self.reported is not None:
            return self._in_order(reported_differences(self.reported))
        return self._in_order(differences(self._measured()))

    def caveat_checks(self) -> DataFrame:
        """Elicitation, comprehension, k, at the caveat: see `analysis.caveat_checks`.

        Elicitation in nats is among them: see `analysis.graded_elicitation`.
        """
        import pandas as pd

        from caveat.analysis import caveat_checks, graded_elicitation
        from caveat.analysis.reported_rates import reported_checks

        if self.reported is not None:
            return self._in_order(reported_checks(self.reported))
        of_settings = self.about["wanted"]
        of_means = {name: of_settings[first] for name, (first, *_) in self.means.items()}
        checks = caveat_checks(self._measured(), of_means | of_settings)
        graded = graded_elicitation(self.graded(), self.means)
        if len(graded):
            checks = pd.concat([checks, graded], ignore_index=True)
        return self._in_order(checks)

    def side_effects(self) -> DataFrame:
        """What else training changed: see `analysis.side_effects`."""
        from caveat.analysis import side_effects

        return self._in_order(side_effects(self._measured()))

    def rl(self) -> DataFrame:
        """Leakage of policies: see `analysis.rl_leakage`."""
        from caveat.analysis import rl_leakage

        return self._in_order(rl_leakage(self._measured()))

    def mixed_model(self, formula: str | None = None) -> MixedModel:
        """A logistic mixed model of all verdicts: see `analysis.mixed_model`."""
        from caveat.analysis import mixed_model, mixed_rows

        return mixed_model(mixed_rows(self.answers(), self.caveat_checks()), formula)

    # Transfer

    @property
    def controls(self) -> dict[tuple[str, str, str], str | None]:
        """The control of each arm `marked+X`, by setting, dose and arm, where it was noted (see
        `versions.controls`): an imported version has none."""
        return {
            (row["setting"], row["dose"], row["arm"]): row["control"]
            for row in self.about.get("controls", [])
        }

    def transfer(self) -> DataFrame:
        """What each intervention changes in each setting: see `analysis.transfer`."""
        from caveat.analysis import transfer

        return self._in_order(transfer(self.answers(), self.about["wanted"], self.controls))

    def transfer_effects(self) -> DataFrame:
        """What else each intervention changes: see `analysis.transfer_effects`."""
        from caveat.analysis import transfer_effects

        return self._in_order(transfer_effects(self.answers()))

    @cached_property
    def _rankings(self) -> list[Ranking]:
        from caveat.analysis import rankings

        settings = list(self.about["wanted"])
        unsorted = rankings(self.answers(), **self._resamples)
        return sorted(unsorted, key=lambda ranking: settings.index(ranking.names["setting"]))

    def transfer_correlations(self) -> DataFrame:
        """How alike settings rank interventions: see `analysis.correlations`."""
        from caveat.analysis import correlations
        from caveat.analysis.transfer.correlations import undoing

        return correlations(self._rankings, undoing(self.transfer()))

    def transfer_reliability(self) -> DataFrame:
        """How alike training seeds rank interventions: see `analysis.reliabilities`."""
        from caveat.analysis import reliabilities

        return reliabilities(self._rankings)

    def transfer_forgetting(self) -> DataFrame:
        """How much of that is forgetting: see `analysis.forgetting`."""
        from caveat.analysis import forgetting

        return forgetting(self.transfer())

    def transfer_frames(self) -> dict[str, DataFrame]:
        """These five frames by name; none where no arm has an intervention."""
        from caveat.analysis import forgetting

        if not _has_intervention(self.answers()["arm"]):
            return {}
        matrix = self.transfer()
        return {
            "transfer": matrix,
            "transfer_effects": self.transfer_effects(),
            "transfer_correlations": self.transfer_correlations(),
            "transfer_reliability": self.transfer_reliability(),
            "transfer_forgetting": forgetting(matrix),
        }

    def transfer_records(self) -> dict[str, list[dict]]:
        """The five as plain records: see `analysis.transfer_records`."""
        from caveat.analysis import transfer_records

        return transfer_records(**self.transfer_frames())

    def check_transfer(self) -> None:
        """Raise CaveatError where there is no intervention to compare."""
        arms = set(self.answers()["arm"])
        if not _has_intervention(arms):
            names = ", ".join(sorted(arms)) or "none yet"
            advice = (
                "name arms of the table so, such as --arm NAME=marked+contrast"
                if self.is_imported
                else "add some to the recipe, such as marked+contrast, and run it"
            )
            raise CaveatError(
                f"{self.source}: no arm with an intervention to compare (arms: {names}); {advice}"
            )

    # Ladder

    @property
    def labels(self) -> dict[tuple[str, str, str], dict[str, str]]:
        """The factors of each setting that has some, by setting, model and dose, in the recipe's
        order. The settings of an imported study differ in their names."""
        if self.is_imported and "factors" not in self.about:
            return self._labels_by_name()
        return {
            (row["setting"], row["model"], row["dose"]): row["factors"]
            for row in self.about.get("factors", [])
        }

    @property
    def is_imported(self) -> bool:
        """Whether its results come from others, so that it has no recipe."""
        return "source" in self.about

    def _labels_by_name(self) -> dict[tuple[str, str, str], dict[str, str]]:
        """The settings of verdicts of others by behaviour and caveat, or else by name."""
        answers = self.answers()
        trained = answers[(answers["arm"] != "base") & (answers["purpose"] == "measure")]
        names = ["setting", "model", "dose", "behaviour", "caveat"]
        rows = trained[names].drop_duplicates().to_dict("records")
        has_caveats = all(row["caveat"] for row in rows)
        factors = ("behaviour", "caveat") if has_caveats else ("setting",)
        if len({row["model"] for row in rows}) > 1:
            factors = (*factors, "model")
        return {
            (row["setting"], row["model"], row["dose"]): {name: row[name] for name in factors}
            for row in rows
        }

    @property
    def has_ladder(self) -> bool:
        """Whether there are settings to compare."""
        return len(self.labels) >= LEAST

    def ladder(self) -> Ladder:
        """Settings with factors, and what each factor changes: see `analysis.ladder`."""
        from caveat.analysis.ladder import ladder

        return ladder(self.answers(), self.labels, self.about["wanted"], **self._resamples)

    def ladder_records(self) -> dict[str, list[dict]]:
        """The ladder as plain records: see `analysis.ladder_records`."""
        from caveat.analysis import ladder_records

        return ladder_records(self.ladder())

    def _ladder_to_show(self) -> Ladder | None:
        """The ladder for the report: of verdicts of others only where elicitation was measured."""
        if not self.has_ladder:
            return None
        shown = self.ladder()
        measured = shown.settings["elicitation"].notna().sum() >= LEAST
        return shown if measured or not self.is_imported else None

    def check_ladder(self) -> None:
        """Raise CaveatError where there are no settings to compare."""
        if self.reported is not None:
            raise CaveatError(
                f"{self.source}: no ladder: it holds rates without replies; import verdicts with "
                "caveat import table, or set these rates beside others with caveat published --add"
            )
        if not self.has_ladder and self.is_imported:
            raise CaveatError(
                f"{self.source}: no ladder: it has {len(self.labels)} setting with a trained arm, "
                f"at least {LEAST} are needed; import a table with more, each named in a column "
                "setting"
            )
        if not self.has_ladder:
            raise CaveatError(
                f"{self.source}: no ladder: settings with factors: {len(self.labels)}, at least "
                f"{LEAST} are needed; add factors to settings of the recipe, such as factors: "
                "{form: chat, caveat: instruction}, and run it again: nothing is trained anew"
            )

    # Forecasts

    def training(self) -> DataFrame:
        """Metrics of every training step; an exported file has none, so no rows."""
        import pandas as pd

        from caveat.study.metrics import CELL, RL_METRICS, STEP

        return pd.DataFrame(columns=[*CELL, *STEP, *RL_METRICS])

    def diagnostics(self) -> dict[str, DataFrame]:
        """Tables of `caveat diagnose`; a file that was exported has none."""
        return {}

    def forecasts(self) -> list[dict[str, Any]]:
        """Records of `caveat forecast`; a file that was exported has none."""
        return []

    def forecast_frames(self) -> dict[str, Any]:
        """Forecasts beside what was measured, and their scores where the settings suffice; nothing
        without forecasts."""
        from caveat.analysis import forecast_cells, forecast_records, forecast_scores

        forecasts = self.forecasts()
        if not forecasts:
            return {}
        cells = forecast_cells(forecasts, self.leakage())
        scores = forecast_scores(cells, **self._resamples)
        records = forecast_records(forecasts, cells, scores)
        scored = scores["undefined"].isna().any()
        return {"forecasts": records["forecasts"], "forecast_scores": scores if scored else None}

    # Report

    def provenance(self) -> dict[str, Any]:
        """Where the tables come from: recipe or source, versions, machine, model, times, notes."""
        about = self.about
        origin = about.get("source") or {"recipe": self.recipe_text()}
        return {
            **origin,
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
        value of each means, by name."""
        return self.about.get("abouts", {})

    def rl_frames(self) -> dict[str, Any]:
        """What the report shows of RL training; nothing where no arm has any."""
        policies = self.policies()
        if policies.empty:
            return {}
        return {"policies": policies, "rl": self.rl()}

    def report_data(self) -> ReportData:
        """Everything that the report shows."""
        from caveat.report.data import ReportData

        tables = self.snapshot()
        return ReportData(
            name=tables.name,
            replies=tables.answers(),
            rates=tables.rates(),
            leakage=tables.leakage(),
            differences=tables.differences(),
            caveat_checks=tables.caveat_checks(),
            side_effects=tables.side_effects(),
            failures=tables.failures(),
            provenance=tables.provenance(),
            contexts=tables.contexts(),
            training=tables.training(),
            **tables.transfer_frames(),
            ladder=tables._ladder_to_show(),
            **tables.rl_frames(),
            **tables.forecast_frames(),
            diagnostics=tables.diagnostics(),
            abouts=tables.abouts(),
        )

    def report(self) -> Path:
        """Write the report anew; its path."""
        from caveat.files.atomic import write
        from caveat.report.html import render

        write(self.report_path, render(self.report_data()).encode("utf-8"))
        return self.report_path


def _has_intervention(arms: Iterable[str]) -> bool:
    return any(arm.startswith("marked+") for arm in arms)
