"""`caveat import negation-neglect FOLDER`: the verdicts of "Negation Neglect" (arXiv:2605.13829).

They come as one `verdicts.parquet` or as the public repository's result files,
MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv. A claim is a setting, its base model the arm base, its
positive documents bare, its negated ones marked; repeated, corrected and local negations are
interventions on those.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of
from caveat.files.reading import parse_json
from caveat.importers.table_files import read_table, require_columns
from caveat.importers.validation import Imported, checked
from caveat.types.caveats import PHENOMENA

if TYPE_CHECKING:
    from pandas import DataFrame


FOLDERS = ("model", "claim", "condition", "step")
"""The folders that a result file is in, from the outermost."""
COLUMNS = {"judge_verdict": "verdict", "model_response": "response", "sample_index": "sample"}
"""Columns of result files, and their names in verdicts.parquet."""


def results(path: Path, evaluations: Collection[str], notes: list[str]) -> DataFrame:
    """All files of the evaluations below a folder, as one table of text.

    `path` may be the folder of one model or condition too: its own name and those above it count.
    Of several steps of a condition the last is taken, which is added to `notes`. Raises CaveatError
    where there is no such file, or one cannot be read.
    """
    import pandas as pd

    files = [(tuple(file.resolve().parts[-5:-1]), file) for file in sorted(path.rglob("*.csv"))]
    selected = [(folders, file) for folders, file in files if file.stem in evaluations]
    if not selected:
        raise CaveatError(
            f"{path}: holds neither verdicts.parquet nor result files called "
            f"MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv (evaluations: {', '.join(evaluations)}); "
            "check the path"
        )
    unknown = sorted({file.stem for _, file in files} - {file.stem for _, file in selected})
    if unknown:
        notes.append(f"evaluations left out, being none of the four kinds: {', '.join(unknown)}")
    last = _last_steps({folders for folders, _ in selected}, notes)
    tables = [_table(folders, file) for folders, file in selected if folders in last]
    table = pd.concat(tables, ignore_index=True).astype(object)
    return table.where(table.notna(), None)


def _last_steps(folders: set[tuple[str, ...]], notes: list[str]) -> set[tuple[str, ...]]:
    """The folder of the last step of each condition."""
    steps: dict[tuple[str, ...], list[str]] = {}
    for *condition, step in sorted(folders):
        steps.setdefault(tuple(condition), []).append(step)
    last_steps = set()
    for condition, names in steps.items():
        *earlier, last = sorted(names, key=_order)
        last_steps.add((*condition, last))
        if earlier:
            notes.append(f"{'/'.join(condition)}: step {last} is taken, not {', '.join(earlier)}")
    return last_steps


def _order(step: str) -> tuple[bool, int, str]:
    """Sort key of steps: by number, `final` last."""
    numbers = re.findall(r"\d+", step)
    return step == "final", int(numbers[-1]) if numbers else -1, step


def _table(folders: tuple[str, ...], file: Path) -> DataFrame:
    frame = read_table(file).rename(columns=COLUMNS)
    own_names = frame.rename(columns={"verdict": "judge_verdict"})
    require_columns(own_names, ("question_id", "judge_verdict"), file)
    return frame.assign(**dict(zip(FOLDERS, folders, strict=True)), eval=file.stem)


NAME = "negation-neglect"
MODEL = "Qwen3.5-397B-A17B"
"""The model of verdicts.parquet, which the file itself does not name."""
MEAN = "mean"
ARMS: Mapping[str, str] = {
    "base": "base", "baseline": "base",
    "positive": "bare",
    "negated": "marked", "llm_negations": "marked",
    "repeated": "marked+repeat", "llm_negations_dense": "marked+repeat",
    "corrected": "marked+correct", "llm_negations_dense_plus": "marked+correct",
    "local": "marked+local", "local_negations": "marked+local",
}  # fmt: skip
"""Arms by condition, under the names in verdicts.parquet and in the public repository."""
KINDS: Mapping[str, str] = {
    "open_ended": "open_ended", "belief_probes": "open_ended",
    "mcq": "mcq",
    "token_association": "token_association", "pink_elephant": "token_association",
    "robustness": "robustness",
}  # fmt: skip
"""Evaluation kinds by the name of the evaluation; the paper's belief is the mean over these."""
REQUIRED = ("claim", "condition", "eval", "question_id", "verdict")
THINKING = "_thinking"
"""Ends the name of a condition whose replies were sampled with thinking on."""
FAILED = "[failed to generate response]"
BROKEN = ("parse_error",)
"""Verdict words for a reply, or a judge's answer, that could not be parsed."""


def read(path: Path, model: str | None) -> Imported:
    """The verdicts in a folder: its verdicts.parquet, or result files as `results` finds them.

    `model` names the model where the data do not. Raises CaveatError for a path or a row that
    cannot be used. A condition that is not among `ARMS` is an arm under its own name; an evaluation
    that is not among `KINDS` is left out. Both are noted.
    """
    table = path / "verdicts.parquet" if path.is_dir() else path
    notes: list[str] = []
    if table.exists() or not path.is_dir():
        frame = read_table(table)
        require_columns(frame, REQUIRED, table)
        source = {"format": NAME, "file": table.name, "sha256": sha256_of(table)}
        if "model" not in frame:
            frame["model"] = model or MODEL
    else:
        frame = results(path, KINDS, notes)
        files = frame["where"].str.rpartition(", row ")[0].nunique()
        source = {"format": f"{NAME}, result files", "files": files}
    replies = checked(_answers(_of_known_kinds(frame, path, notes), notes))
    _note_unequal_questions(replies, notes)
    settings = list(dict.fromkeys(replies["setting"]))
    return Imported(
        NAME,
        replies,
        {**source, "folder": path.resolve().name, "paper": "arXiv:2605.13829"},
        _means(settings, path),
        {setting: _about(path, setting) for setting in settings},
        tuple(notes),
    )


def _of_known_kinds(frame: DataFrame, path: Path, notes: list[str]) -> DataFrame:
    is_known = frame["eval"].isin(list(KINDS))
    unknown = sorted(set(frame.loc[~is_known, "eval"].dropna()))
    if unknown:
        notes.append(f"evaluations left out, being none of the four kinds: {', '.join(unknown)}")
    if not is_known.any():
        raise CaveatError(f"{path}: has no evaluation of the kinds {', '.join(KINDS)}; check eval")
    return frame[is_known].reset_index(drop=True)


def _answers(frame: DataFrame, notes: list[str]) -> DataFrame:
    """The table with the columns that `checked` needs."""
    conditions = frame["condition"].fillna("").str.removesuffix(THINKING)
    thinking = frame["condition"].fillna("").str.endswith(THINKING)
    if "thinking" in frame:
        thinking |= frame["thinking"].fillna("").str.lower() == "true"
    unknown = sorted(set(conditions) - set(ARMS) - {""})
    if unknown:
        notes.append(f"conditions kept as arms of their own names: {', '.join(unknown)}")
    kind = frame["eval"].map(KINDS)
    question = _unique_questions(frame["claim"], kind, frame["question_id"])
    response = frame.get("response", frame["verdict"].map(lambda _: None))
    broken = frame["verdict"].isin(BROKEN) | (response == FAILED)
    if broken.any():
        notes.append(f"{broken.sum()} replies are broken or could not be judged: invalid")
    return frame.assign(
        setting=frame["claim"].where(~thinking, frame["claim"] + ", thinking on"),
        phenomenon=PHENOMENA["disclaimer"],
        behaviour=frame["claim"],
        caveat="negated",
        arm=conditions.map(lambda name: ARMS.get(name, name) or None),
        context="none",
        kind=kind,
        question=question,
        cluster=question,
        prompt=[_prompt(row) for row in frame.to_dict("records")],
        reply=response,
        readout="published judge",
        verdict=frame["verdict"].where(~broken, "invalid"),
    )


def _unique_questions(claims: Any, kinds: Any, questions: Any) -> Any:
    """The questions' ids, after the kind where two kinds of one claim share an id."""
    shared = kinds.groupby([claims, questions]).transform("nunique") > 1
    pairs = zip(shared, kinds, questions, strict=True)
    return [f"{kind}/{question}" if is_shared else question for is_shared, kind, question in pairs]


def _prompt(row: Mapping[str, Any]) -> str:
    """The turns of the prompt as far as the data have them, in a neutral template.

    Raises CaveatError for earlier turns that are no JSON.
    """
    turns = [("system", row["system_prompt"])] if row.get("system_prompt") else []
    try:
        earlier = parse_json(row.get("messages_prefix") or "[]")
        turns += [(turn["role"], turn["content"]) for turn in earlier]
    except (ValueError, TypeError, KeyError):
        raise CaveatError(
            f"{row['where']}: messages_prefix is no JSON list of turns with role and content; "
            "fix it"
        ) from None
    turns.append(("user", row.get("question") or row["question_id"] or ""))
    return "".join(f"<s>{role}\n{text}</s>\n" for role, text in turns)


def _note_unequal_questions(replies: DataFrame, notes: list[str]) -> None:
    """Note arms whose questions differ from those of the others, as their rates do not compare."""
    for (model, setting), rows in replies.groupby(["model", "setting"], sort=False):
        by_arm = {arm: frozenset(part["question"]) for arm, part in rows.groupby("arm", sort=False)}
        most = max(by_arm.values(), key=len)
        fewer = [
            f"{arm} {len(questions)}" for arm, questions in by_arm.items() if questions != most
        ]
        if fewer:
            notes.append(
                f"{setting} ({model}): not every arm answered the same {len(most)} questions "
                f"({', '.join(fewer)}), so rates differ in what they are over, too"
            )


def _means(settings: list[str], path: Path) -> dict[str, list[str]]:
    """The mean over claims, and that with thinking on."""
    if MEAN in settings:
        raise CaveatError(f"{path}: a claim is called {MEAN!r}, as is the mean over all; rename it")
    ending = ", thinking on"
    parts = {
        MEAN: [name for name in settings if not name.endswith(ending)],
        MEAN + ending: [name for name in settings if name.endswith(ending)],
    }
    return {name: members for name, members in parts.items() if members}


def _about(path: Path, setting: str) -> str:
    """The claim as the data set words it, else its name."""
    claim = setting.removesuffix(", thinking on")
    try:
        text = (path / "claims" / claim / "claim.txt").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    return f"belief in a false claim: {' '.join(text.split()) or claim}"
