"""`caveat export STUDY inspect`: a study's answers and verdicts as logs of Inspect.

One log per setting, dose, arm, training seed and context, written by Inspect's own writer, so that
`inspect view` and Inspect's data frames open them. `caveat import inspect` reads them back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.atomic import write_errors
from caveat.files.inspect_logs import ENDINGS, ORIGIN, Origin, require_inspect
from caveat.files.reading import parse_json
from caveat.provenance import now, version
from caveat.readouts import READOUTS
from caveat.study.chat_turns import turns_of
from caveat.study.export import SUFFIX
from caveat.study.planning.digests import digest_of
from caveat.study.tables import StudyTables

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score
    from pandas import DataFrame


LOG_KEY = ["setting", "model", "dose", "arm", "seed", "context"]
"""Columns that name a log."""
SHOWN = 40
"""Most characters of a name in a file's name."""


def export_logs(study: StudyTables, out: Path) -> list[Path]:
    """Write the study's logs into a folder; their paths.

    Exported again, the files are the same ones. Raises CaveatError where the study has no answers
    or no prompts, where the folder holds other logs, and where it cannot be written.
    """
    require_inspect("export inspect")
    answers = study.answers()
    _check(study, answers)
    cells = list(_cells(study, answers))
    paths = [out / cell.file_name for cell in cells]
    _check_folder(out, paths)
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        for cell, path in zip(cells, paths, strict=True):
            _write(_log(study, cell), path)
    return paths


def _check(study: StudyTables, answers: DataFrame) -> None:
    if answers.empty:
        raise CaveatError(f"{study.source}: has no judged answers yet; run the study first")
    if study.source.suffix == SUFFIX and not answers["prompt"].any():
        raise CaveatError(
            f"{study.source}: an exported file has no prompts, which Inspect shows; "
            "export from the study's folder"
        )


def _check_folder(out: Path, paths: list[Path]) -> None:
    """Raise CaveatError where the folder has logs that this export would not replace."""
    if out.exists() and not out.is_dir():
        raise CaveatError(f"{out}: is a file; name a folder with --out")
    present = sorted(path for path in out.glob("*") if path.suffix in ENDINGS)
    if others := [path for path in present if path not in paths]:
        raise CaveatError(f"{out}: holds other logs ({others[0].name}); name another folder")


@dataclass(frozen=True)
class _LogCell:
    """The answers that make up one log."""

    origin: Origin
    answers: DataFrame
    dose_number: int
    """Which of the setting's doses, from 1; 0 where it has only one."""

    @property
    def task(self) -> str:
        """The task's name: the setting at a context."""
        dose = f", dose {self.dose_number}" if self.dose_number else ""
        return f"{self.origin.setting}{dose} at {self.origin.context}"

    @property
    def model(self) -> str:
        """`caveat/MODEL+ARM@SEED`; base has no seed."""
        seed = "" if self.origin.seed is None else f"@{self.origin.seed}"
        return f"caveat/{self.origin.model}+{self.origin.arm}{seed}"

    @property
    def digest(self) -> str:
        """Of what names the log: the viewer hides logs that share a task's id as retried ones."""
        origin = self.origin
        return digest_of(
            "inspect log",
            study=origin.study,
            version=origin.version,
            cell=[getattr(origin, name) for name in LOG_KEY],
        )[:22]

    @property
    def file_name(self) -> str:
        """Readable, and unique by the digest."""
        origin = self.origin
        seed = "" if origin.seed is None else f"@{origin.seed}"
        words = (origin.setting, f"{origin.arm}{seed}", origin.context)
        return f"{'_'.join(map(_slug, words))}_{self.digest[:8]}.eval"


def _slug(name: str) -> str:
    return re.sub(r"[^\w+@.-]+", "-", name, flags=re.ASCII)[:SHOWN].strip("-.")


def _cells(study: StudyTables, answers: DataFrame) -> Iterator[_LogCell]:
    doses = answers.drop_duplicates(["setting", "model", "dose"]).groupby(["setting", "model"])
    dose_lists = {key: list(rows["dose"]) for key, rows in doses}
    groups = answers.groupby(LOG_KEY, sort=False, dropna=False)
    for position, (key, rows) in enumerate(groups):
        setting, model, dose, arm, _, context = key
        first = rows.iloc[0]
        about = study.abouts().get(setting, {})
        same_setting = dose_lists[setting, model]
        origin = Origin(
            format=1,
            study=study.name,
            version=study.version,
            setting=setting,
            phenomenon=first["phenomenon"],
            behaviour=first["behaviour"],
            caveat=first["caveat"],
            model=model,
            dose=dose,
            arm=arm,
            seed=_whole(first["seed"]),
            context=context,
            order=position,
            expected=study.about["wanted"][setting],
            about=about.get("behaviour", ""),
            side_effects=about.get("side_effects", {}),
            caveat_texts=study.about.get("caveat_texts", {}).get(setting, {}),
            factors=study.labels.get((setting, model, dose), {}),
            control=study.controls.get((setting, dose, arm)),
            has_control=(setting, dose, arm) in study.controls,
            means=study.means,
            draws=study.about["draws"],
            bootstrap_seed=study.about["bootstrap_seed"],
        )
        number = same_setting.index(dose) + 1 if len(same_setting) > 1 else 0
        yield _LogCell(origin, rows, number)


def _whole(value: Any) -> int | None:
    import pandas as pd

    return None if pd.isna(value) else int(value)


def _write(log: EvalLog, path: Path) -> None:
    """Under a temporary name, then renamed: the viewer must not see half a log."""
    from inspect_ai.log import write_eval_log

    temporary = path.with_name(f".{path.name}.part")
    try:
        write_eval_log(log, temporary, format="eval")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _log(study: StudyTables, cell: _LogCell) -> EvalLog:
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalResults,
        EvalSpec,
        EvalStats,
    )  # fmt: skip

    origin, rows = cell.origin, cell.answers
    samples = [_sample(cell, *name, verdicts) for name, verdicts in _by_sample(rows).items()]
    started = study.about.get("started") or now()
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=started,
            task=cell.task,
            task_id=cell.digest,
            eval_id=cell.digest,
            run_id=f"{origin.study} {origin.version}",
            task_args={"setting": origin.setting, "context": origin.context},
            tags=[tag for tag in (origin.phenomenon, origin.arm, origin.context) if tag],
            dataset=EvalDataset(
                name=origin.behaviour,
                samples=len({sample.id for sample in samples}),
                sample_ids=list(dict.fromkeys(str(sample.id) for sample in samples)),
            ),
            model=cell.model,
            model_args={"arm": origin.arm, "seed": origin.seed, "dose": parse_json(origin.dose)},
            config=EvalConfig(epochs=int(rows["sample"].max()) + 1),
            packages={"caveat": version("caveat")},
            metadata={ORIGIN: origin.model_dump(mode="json")},
        ),
        results=EvalResults(
            total_samples=len(samples), completed_samples=len(samples), scores=_totals(rows)
        ),
        stats=EvalStats(started_at=started, completed_at=study.about.get("finished") or started),
        samples=samples,
    )


def _by_sample(rows: DataFrame) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The verdicts of each sample, by its id and number.

    The id is the question's, and its kind where kinds share it, as imported ones may: a sample has
    one score of a name.
    """
    samples: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows.astype(object).to_dict("records"):
        name, number = str(row["question"]), int(row["sample"])
        taken = {_score_name(other) for other in samples.get((name, number), ())}
        if _score_name(row) in taken:
            name = f"{name} ({row['kind']})"
        samples.setdefault((name, number), []).append(row)
    return samples


def _sample(cell: _LogCell, name: str, number: int, verdicts: list[dict[str, Any]]) -> EvalSample:
    """One answer with its messages, and a score for each of its verdicts."""
    from inspect_ai.log import EvalSample

    origin, first = cell.origin, verdicts[0]
    prompt = turns_of(first["prompt"] or str(first["question"]))
    output = _output(cell.model, first)
    return EvalSample(
        id=name,
        epoch=number + 1,
        input=prompt,
        target="",
        messages=[*prompt, *(choice.message for choice in output.choices)],
        output=output,
        scores={_score_name(row): _score(row) for row in verdicts},
        metadata={
            "question": str(first["question"]),
            "cluster": first["cluster"],
            "scope": first["scope"],
            "kind": first["kind"],
            "setting": origin.setting,
            "phenomenon": origin.phenomenon,
            "arm": origin.arm,
            "seed": origin.seed,
            "context": origin.context,
            "answer": "log-likelihoods of options" if _is_likelihood(first) else "reply",
            "prompt": first["prompt"],
        },
        uuid=digest_of("inspect sample", log=cell.digest, question=name, sample=number)[:22],
    )


def _output(model: str, row: dict[str, Any]) -> ModelOutput:
    """The reply; nothing where options' log-likelihoods were measured, as no text was generated."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput

    if _is_likelihood(row):
        return ModelOutput(model=model)
    message = ChatMessageAssistant(content=row["reply"], model=model, source="generate")
    reason = "max_tokens" if row["truncated"] else "stop"
    return ModelOutput(
        model=model, choices=[ChatCompletionChoice(message=message, stop_reason=reason)]
    )


def _is_likelihood(row: dict[str, Any]) -> bool:
    readout = READOUTS.get(row["readout"])
    return readout is not None and readout.needs == "likelihood"


def _score_name(row: dict[str, Any]) -> str:
    """The readout, with the purpose where the answer does not measure the behaviour."""
    purpose = row["purpose"]
    return row["readout"] if purpose == "measure" else f"{row['readout']} ({purpose})"


def _score(row: dict[str, Any]) -> Score:
    """1 for yes and 0 for every other verdict; of a numeric readout its value."""
    from inspect_ai.scorer import Score

    value = None if math.isnan(row["value"]) else float(row["value"])
    metadata = {
        name: row[name]
        for name in ("verdict", "readout", "purpose", "numeric", "cluster", "scope", "kind")
    }
    explanation = row["verdict"] if value is None else f"{row['verdict']}, value {value:.4g}"
    metadata |= {"value": value, "truncated": row["truncated"]}
    if row["numeric"]:
        number = float("nan") if value is None else value
        return Score(value=number, explanation=explanation, metadata=metadata)
    return Score(
        value=int(row["verdict"] == "yes"),
        answer=row["reply"] or None,
        explanation=explanation,
        metadata=metadata,
    )


def _totals(rows: DataFrame) -> list[EvalScore]:
    """Per score, the rate of yes, or the mean of a numeric readout's values."""
    from inspect_ai.log import EvalMetric, EvalScore

    names = [_score_name(row) for row in rows[["readout", "purpose"]].to_dict("records")]
    scores = []
    for name, part in rows.groupby(names, sort=False):
        numeric = bool(part["numeric"].iloc[0])
        values = part["value"].dropna() if numeric else part["verdict"].eq("yes").astype(float)
        metric = "mean" if numeric else "rate"
        metrics = {metric: EvalMetric(name=metric, value=float(values.mean()))}
        counted = {"scored_samples": len(values), "unscored_samples": len(part) - len(values)}
        readout = part["readout"].iloc[0]
        scores.append(EvalScore(name=name, scorer=readout, metrics=metrics, **counted))
    return scores
