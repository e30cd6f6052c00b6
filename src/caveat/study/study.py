"""A study on disk, as data frames."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.study.store import Store, silent
from caveat.study.versions import cell_key, finished_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame

    from caveat.report.data import ReportData

COLUMNS = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "seed", "dose", "purpose",
    "context", "question", "cluster", "scope", "kind", "readout", "sample", "prompt", "reply",
    "truncated", "verdict", "value", "numeric", "artifact",
)  # fmt: skip
APART = ("kind",)
"""Columns by which leakage can be told apart."""


class Study:
    """Reads a study's folder, finished or not; figures are made from what is there."""

    def __init__(
        self,
        folder: str | Path,
        version: str | None = None,
        say: Callable[[str], None] = silent,
    ) -> None:
        self.folder = Path(folder)
        self.store = Store(self.folder, say)
        about = self.store.about()
        self.versions: dict[str, dict[str, Any]] = about["versions"]
        self.name: str = about["name"]
        self.current: str = about["current"]
        if version is not None and version not in self.versions:
            known = ", ".join(self.versions)
            raise CaveatError(
                f"{folder}: no version {version!r}; there are {known}"
                f"{closest(version, self.versions)}"
            )
        self.version = version or self.current
        self.about = self.versions[self.version]
        self.store.refresh()

    @classmethod
    def open(cls, folder: str | Path, version: str | None = None) -> Study:
        """The study in a folder. Raises CaveatError where there is none."""
        return cls(folder, version)

    @cached_property
    def planned(self) -> list[dict[str, Any]]:
        """The rows of the whole table, with keys of answers and verdicts."""
        return self.store.lines(f"versions/{self.version}/rows.jsonl")

    def replies(self) -> DataFrame:
        """One row an answer that is there and judged; likelihoods have an empty reply."""
        import pandas as pd

        rows = [self._row(row) for row in self.planned if row["verdict"] in self.store.verdicts]
        frame = pd.DataFrame(rows, columns=COLUMNS)
        types = {
            "seed": "Int64", "value": float, "truncated": bool, "sample": int, "numeric": bool,
        }  # fmt: skip
        return frame.astype(types)

    def _row(self, planned: dict[str, Any]) -> dict[str, Any]:
        answer = self.store.answers[planned["answer"]]
        verdict = self.store.verdicts[planned["verdict"]]
        return {
            "kind": "",  # rows written before questions had one lack it
            **planned,
            "prompt": answer["prompt"],
            "reply": answer["text"],
            "truncated": answer["truncated"],
            "verdict": verdict["verdict"],
            "value": verdict["value"],
            "numeric": bool(planned.get("numeric", False)),
        }

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
            raise CaveatError(f"{self.folder}: no question of this study has a {by}; leave by out")
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

    def failures(self) -> DataFrame:
        """Cells that failed in the last run: cell, stage, reason."""
        import pandas as pd

        return pd.DataFrame(
            self.store.lines("failures.jsonl"), columns=["cell", "stage", "reason"]
        )

    def progress(self) -> tuple[int, int]:
        """Finished cells, and all."""
        finished = finished_cells(self.store, self.planned)
        return len(finished), len({cell_key(row) for row in self.planned})

    def judged(self) -> tuple[int, int]:
        """Answers with their verdicts, and all."""
        return sum(row["verdict"] in self.store.verdicts for row in self.planned), len(self.planned)

    def recipe_text(self) -> str:
        """The recipe with every default written out, as YAML."""
        path = self.folder / "versions" / self.version / "recipe.yaml"
        return path.read_text("utf-8") if path.is_file() else ""

    def provenance(self) -> dict[str, Any]:
        """Where the figures come from: recipe or source, versions, machine, model, times, notes."""
        about = self.about
        made_from = about.get("source") or {"recipe": self.recipe_text()}
        return {
            **made_from,
            "version": self.version,
            "schema_version": self.store.about()["schema_version"],
            "model": about["model"],
            **about["surroundings"],
            "started": about["started"],
            "finished": about["finished"],
            "seconds": about["seconds"],
            "notes": about["notes"],
        }

    def contexts(self) -> dict[str, dict[str, str]]:
        """Per setting and context, the first prompt as it was put to the model."""
        found: dict[str, dict[str, str]] = {}
        for row in self.planned:
            if row["purpose"] == "measure" and row["answer"] in self.store.answers:
                prompt = self.store.answers[row["answer"]]["prompt"]
                found.setdefault(row["setting"], {}).setdefault(row["context"], prompt)
        return found

    def abouts(self) -> dict[str, dict[str, Any]]:
        """Per setting, `behaviour`: the behaviour in one sentence; `side_effects`: what a high
        figure of each means, by name. A version made before these were kept has none."""
        return self.about.get("abouts", {})

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
            abouts=self.abouts(),
        )

    def report(self) -> Path:
        """Write report.html anew; its path."""
        from caveat.report.html import render
        from caveat.study.atomic import write

        path = self.folder / "report.html"
        write(path, render(self.report_data()).encode("utf-8"))
        return path
