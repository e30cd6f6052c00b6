"""A study on disk, as data frames: answers, training steps, updates of RL policies, failures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.study.answer_frame import COLUMNS, kept_count, kept_frame, typed
from caveat.study.graded import graded_frame
from caveat.study.metrics import training_frame
from caveat.study.storage.store import Store, silent
from caveat.study.table_rows import GRADED_FILE, cell_key, finished_cells
from caveat.study.tables import StudyTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame


NAMES = ("setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm", "seed")
UPDATE_FIELDS = {
    "step": "number", "reward": "reward", "true_score": "true_score", "hack_rate": "hacked",
    "frac_reward_zero_std": "frac_reward_zero_std", "distinct": "distinct",
    "completion_length": "tokens", "truncated": "truncated", "kl": "kl", "skipped": "skipped",
}  # fmt: skip
"""Columns of `policies`, named as those of `Study.training()`, by the field of `Update`."""
SEEN = tuple(UPDATE_FIELDS)
LACKING = {"kind": "", "numeric": False}
"""Values of columns that rows of earlier versions lack."""
SINCE_THEN = {"skipped": 0}
"""Values of fields that records of earlier trainings lack."""


def policies(store: Store, planned: list[dict[str, Any]]) -> DataFrame:
    """One row an update of a finished policy: its cell (`NAMES`), and what it saw (`SEEN`).

    Columns: `step` is the update, from 1 over all stages of the RL training; `hack_rate` is over
    the replies to prompts that can be hacked; `completion_length` the mean tokens of a reply. The
    others are as in `backends.jobs.Update`. Cells without RL training have no rows.
    """
    import pandas as pd

    cells = {(row["artifact"], *(row[name] for name in NAMES)): row for row in planned}
    rows = [
        {
            **{name: row[name] for name in NAMES},
            **{name: (SINCE_THEN | update)[field] for name, field in UPDATE_FIELDS.items()},
        }
        for (artifact, *_), row in cells.items()
        for update in _updates(store, artifact)
    ]
    return pd.DataFrame(rows, columns=[*NAMES, *SEEN]).astype({"seed": "Int64"})


def _updates(store: Store, artifact: str) -> Iterator[dict[str, Any]]:
    """Of a policy and those that it went on from, in order; of what was trained upon one, its."""
    if not artifact or not store.has(artifact):
        return
    record = store.record(artifact)
    if record["kind"] == "policy":
        yield from _updates(store, record["resume_from"] or "")
        yield from record["updates"]
    elif record.get("base_adapters"):
        yield from _updates(store, record["base_adapters"][-1])


class Study(StudyTables):
    """Reads a study's folder, finished or not; figures are made from what is there."""

    def __init__(
        self,
        folder: str | Path,
        version: str | None = None,
        say: Callable[[str], None] = silent,
    ) -> None:
        self.folder = self.source = Path(folder)
        self._store = Store(self.folder, say)
        about = self._store.about()
        self.versions: dict[str, dict[str, Any]] = about["versions"]
        self.name: str = about["name"]
        self.current: str = about["current"]
        if version is not None and version not in self.versions:
            names = ", ".join(self.versions)
            raise CaveatError(
                f"{folder}: no version {version!r}; there are {names}"
                f"{closest(version, self.versions)}"
            )
        self.version = version or self.current
        self.about = self.versions[self.version]

    @cached_property
    def store(self) -> Store:
        """The folder, with the answers and verdicts that were in it when they were first needed."""
        self._store.refresh()
        return self._store

    @classmethod
    def open(cls, folder: str | Path, version: str | None = None) -> Study:
        """The study in a folder. Raises CaveatError where there is none."""
        return cls(folder, version)

    @property
    def report_path(self) -> Path:
        """`report.html` in the folder."""
        return self.folder / "report.html"

    @property
    def schema_version(self) -> int:
        """Of the records in the folder."""
        return int(self._store.about()["schema_version"])

    @cached_property
    def planned(self) -> list[dict[str, Any]]:
        """The rows of the whole table, with keys of answers and verdicts."""
        return self._store.lines(f"versions/{self.version}/rows.jsonl")

    def answers(self) -> DataFrame:
        """One row an answer that is there and judged; likelihoods have an empty reply."""
        import pandas as pd

        kept = kept_frame(self._store.version(self.version), self._store.say)
        if kept is not None:
            return kept
        rows = [row for row in self.planned if self._is_there(row)]
        answers = [self.store.answers[row["answer"]] for row in rows]
        verdicts = [self.store.verdicts[row["verdict"]] for row in rows]
        stored = {
            "prompt": [answer["prompt"] for answer in answers],
            "reply": [answer["text"] for answer in answers],
            "truncated": [answer["truncated"] for answer in answers],
            "verdict": [verdict["verdict"] for verdict in verdicts],
            "value": [verdict["value"] for verdict in verdicts],
        }
        columns = {
            name: stored[name] if name in stored
            else [row.get(name, LACKING[name]) if name in LACKING else row[name] for row in rows]
            for name in COLUMNS
        }  # fmt: skip
        return typed(pd.DataFrame(columns))

    def _is_there(self, planned: dict[str, Any]) -> bool:
        """Whether it is answered and judged; of a damaged answer the verdict may be left."""
        return planned["verdict"] in self.store.verdicts and planned["answer"] in self.store.answers

    def graded(self) -> DataFrame:
        """One row a scored row of the behaviour, context and cell: see `study.graded`."""
        planned = self._store.lines(f"versions/{self.version}/{GRADED_FILE}")
        return graded_frame(self.store if planned else self._store, planned)

    def failures(self) -> DataFrame:
        """Cells that failed in the last run: cell, stage, reason."""
        import pandas as pd

        return pd.DataFrame(self.failed_cells(), columns=["cell", "stage", "reason"])

    def failed_cells(self) -> list[dict[str, Any]]:
        """`failures` as records, without pandas."""
        return self._store.lines("failures.jsonl")

    def progress(self) -> tuple[int, int]:
        """Finished cells, and all."""
        finished = finished_cells(self.store, self.planned)
        return len(finished), len({cell_key(row) for row in self.planned})

    def judged(self) -> tuple[int, int]:
        """Answers with their verdicts, and all."""
        kept = kept_count(self._store.version(self.version))
        if kept is not None:
            return kept, kept
        return sum(map(self._is_there, self.planned)), len(self.planned)

    def recipe_text(self) -> str:
        """The recipe with every default written out, as YAML."""
        path = self.folder / "versions" / self.version / "recipe.yaml"
        return path.read_text("utf-8") if path.is_file() else ""

    def forecasts(self) -> list[dict[str, Any]]:
        """Those in the folder. Raises CaveatError where they cannot be read."""
        from caveat.forecast.records import FILE, saved

        return saved(self.folder) if (self.folder / FILE).is_file() else []

    def training(self) -> DataFrame:
        """One row a step of every training, as far as it has come: loss curves, and more of RL.

        Columns: `setting, model, dose, arm, seed` of the cell; `stage` (its trainings are numbered
        from 1), `label` and `digest` of the training; `step` (from 1, of RL an update), `steps`,
        `loss` (nats a token), `grad_norm` (before clipping), `learning_rate`, `tokens`; of RL, as
        means over the update's replies, `reward, true_score, hack_rate, kl, clip_ratio,
        frac_reward_zero_std, completion_length, truncated`, and the prompts `skipped`, which are
        missing of other trainings. A training that several cells share, such as a warm-up, is there
        once a cell.
        """
        return training_frame(self.store, self.version)

    def diagnostics(self) -> dict[str, DataFrame]:
        """The tables that `caveat diagnose` wrote, by name: see docs/diagnostics.md."""
        from caveat.diagnostics.records import saved

        return saved(self.folder, self.version)

    def policies(self) -> DataFrame:
        """One row an update of a policy: see `study.policies`."""
        return policies(self.store, self.planned)

    def contexts(self) -> dict[str, dict[str, str]]:
        """Per setting and context, the first prompt as it was put to the model."""
        prompts: dict[str, dict[str, str]] = {}
        for row in self.planned:
            if row["purpose"] == "measure" and row["answer"] in self.store.answers:
                prompt = self.store.answers[row["answer"]]["prompt"]
                prompts.setdefault(row["setting"], {}).setdefault(row["context"], prompt)
        return prompts
