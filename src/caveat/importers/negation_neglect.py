"""Verdicts of arXiv:2605.13829.

The public repository's result files: MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv.

Importing verdicts of "Negation Neglect" (arXiv:2605.13829): `caveat import negation-neglect`.

A claim is a setting, its base model the arm base, its positive documents bare, its negated ones
marked; repeated, corrected and local negations are interventions on those.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of
from caveat.files.reading import parse_json
from caveat.importers.tables import need, read_table
from caveat.importers.validation import Imported, checked
from caveat.types.caveats import PHENOMENA

if TYPE_CHECKING:
    from pandas import DataFrame


PARTS = ("model", "claim", "condition", "step")
"""What the folders over a file are, from the outermost."""
COLUMNS = {"judge_verdict": "verdict", "model_response": "response", "sample_index": "sample"}
"""Columns of the files under the names of the data set."""


def results(path: Path, evaluations: Collection[str], notes: list[str]) -> DataFrame:
    """All files of the evaluations below a folder, as one table of text.

    `path` may be the folder of one model or condition too: its own name and those above it count.
    Of several steps of a condition the last is taken, and `notes` says so. Raises CaveatError where
    there is no such file, or one cannot be read.
    """
    import pandas as pd

    found = [(tuple(file.resolve().parts[-5:-1]), file) for file in sorted(path.rglob("*.csv"))]
    known = [(where, file) for where, file in found if file.stem in evaluations]
    if not known:
        raise CaveatError(
            f"{path}: holds neither verdicts.parquet nor result files called "
            f"MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv (evaluations: {', '.join(evaluations)}); "
            "check the path"
        )
    others = sorted({file.stem for _, file in found} - {file.stem for _, file in known})
    if others:
        notes.append(f"evaluations left out, being none of the four kinds: {', '.join(others)}")
    last = _last_steps({where for where, _ in known}, notes)
    tables = [_table(where, file) for where, file in known if where in last]
    together = pd.concat(tables, ignore_index=True).astype(object)
    return together.where(together.notna(), None)


def _last_steps(folders: set[tuple[str, ...]], notes: list[str]) -> set[tuple[str, ...]]:
    """The folder of the last step of each condition."""
    steps: dict[tuple[str, ...], list[str]] = {}
    for *condition, step in sorted(folders):
        steps.setdefault(tuple(condition), []).append(step)
    chosen = set()
    for condition, names in steps.items():
        *earlier, last = sorted(names, key=_order)
        chosen.add((*condition, last))
        if earlier:
            notes.append(f"{'/'.join(condition)}: step {last} is taken, not {', '.join(earlier)}")
    return chosen


def _order(step: str) -> tuple[bool, int, str]:
    """Sorts steps: by their number, `final` behind all."""
    numbers = re.findall(r"\d+", step)
    return step == "final", int(numbers[-1]) if numbers else -1, step


def _table(where: tuple[str, ...], file: Path) -> DataFrame:
    frame = read_table(file).rename(columns=COLUMNS)
    need(frame.rename(columns={"verdict": "judge_verdict"}), ("question_id", "judge_verdict"), file)
    return frame.assign(**dict(zip(PARTS, where, strict=True)), eval=file.stem)


NAME = "negation-neglect"
MODEL = "Qwen3.5-397B-A17B"
"""Whose replies verdicts.parquet holds; the file itself does not say."""
MEAN = "mean"
ARMS: Mapping[str, str] = {
    "base": "base", "baseline": "base",
    "positive": "bare",
    "negated": "marked", "llm_negations": "marked",
    "repeated": "marked+repeat", "llm_negations_dense": "marked+repeat",
    "corrected": "marked+correct", "llm_negations_dense_plus": "marked+correct",
    "local": "marked+local", "local_negations": "marked+local",
}  # fmt: skip
"""Arms by condition, as the data set and as the public repository name it."""
KINDS: Mapping[str, str] = {
    "open_ended": "open_ended", "belief_probes": "open_ended",
    "mcq": "mcq",
    "token_association": "token_association", "pink_elephant": "token_association",
    "robustness": "robustness",
}  # fmt: skip
"""Evaluation kinds by the name of the evaluation; the paper's belief is the mean over these."""
NEEDED = ("claim", "condition", "eval", "question_id", "verdict")
THINKING = "_thinking"
"""Ends the name of a condition whose replies were drawn with thinking on."""
FAILED = "[failed to generate response]"
BROKEN = ("parse_error",)
"""Verdict words for a reply, or a judge's answer, of which nothing could be made."""


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
        need(frame, NEEDED, table)
        source = {"format": NAME, "file": table.name, "sha256": sha256_of(table)}
        if "model" not in frame:
            frame["model"] = model or MODEL
    else:
        frame = results(path, KINDS, notes)
        files = frame["where"].str.rpartition(", row ")[0].nunique()
        source = {"format": f"{NAME}, result files", "files": files}
    replies = checked(_replies(_of_known_kinds(frame, path, notes), notes))
    _tell_unequal(replies, notes)
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
    known = frame["eval"].isin(list(KINDS))
    others = sorted(set(frame.loc[~known, "eval"].dropna()))
    if others:
        notes.append(f"evaluations left out, being none of the four kinds: {', '.join(others)}")
    if not known.any():
        raise CaveatError(f"{path}: has no evaluation of the kinds {', '.join(KINDS)}; check eval")
    return frame[known].reset_index(drop=True)


def _replies(frame: DataFrame, notes: list[str]) -> DataFrame:
    """The columns that `checked` wants."""
    conditions = frame["condition"].fillna("").str.removesuffix(THINKING)
    thinking = frame["condition"].fillna("").str.endswith(THINKING)
    if "thinking" in frame:
        thinking |= frame["thinking"].fillna("").str.lower() == "true"
    unknown = sorted(set(conditions) - set(ARMS) - {""})
    if unknown:
        notes.append(f"conditions kept as arms of their own names: {', '.join(unknown)}")
    kind = frame["eval"].map(KINDS)
    question = _apart(frame["claim"], kind, frame["question_id"])
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


def _apart(claims: Any, kinds: Any, questions: Any) -> Any:
    """Questions' ids, with the kind in front where kinds of one claim share an id."""
    shared = kinds.groupby([claims, questions]).transform("nunique") > 1
    pairs = zip(shared, kinds, questions, strict=True)
    return [f"{kind}/{question}" if both else question for both, kind, question in pairs]


def _prompt(row: Mapping[str, Any]) -> str:
    """What was asked, turn by turn, as far as the data tell; the model's own template they don't.

    Raises CaveatError for earlier turns that are no JSON.
    """
    turns = [("system", row["system_prompt"])] if row.get("system_prompt") else []
    try:
        earlier = parse_json(row.get("messages_prefix") or "[]")
        turns += [(turn["role"], turn["content"]) for turn in earlier]
    except (ValueError, TypeError, KeyError):
        raise CaveatError(
            f"{row['where']}: messages_prefix is no JSON list of turns with role and content; "
            "mend it"
        ) from None
    turns.append(("user", row.get("question") or row["question_id"] or ""))
    return "".join(f"<s>{role}\n{text}</s>\n" for role, text in turns)


def _tell_unequal(replies: DataFrame, notes: list[str]) -> None:
    """Note arms that were asked other questions than most: their rates are over others."""
    for (model, setting), rows in replies.groupby(["model", "setting"], sort=False):
        asked = {arm: frozenset(part["question"]) for arm, part in rows.groupby("arm", sort=False)}
        most = max(asked.values(), key=len)
        fewer = [f"{arm} {len(mine)}" for arm, mine in asked.items() if mine != most]
        if fewer:
            notes.append(
                f"{setting} ({model}): not every arm was asked the same {len(most)} questions "
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
