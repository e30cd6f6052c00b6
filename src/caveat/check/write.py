"""A whole study for `caveat run`, from what a check has read: a behaviour's folder and a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import yaml

from caveat.behaviours.from_folder import row_line
from caveat.check.near_misses import near_misses
from caveat.check.records import Materials
from caveat.errors import CaveatError
from caveat.files.atomic import Unwritable, write
from caveat.importers.training_files.marking import WHERE
from caveat.types.answers import Judge
from caveat.types.caveats import Place
from caveat.types.data import Question, Row
from caveat.types.messages import Messages, is_document, without_caveat
from caveat.types.training import Dose

CAVEAT = "own"
"""The caveat's name in the study."""
SEEDS = (0, 1, 2)
TUNED = 3
"""Every third question is of the split `tune`, on which doses are chosen."""
CONTEXTS = ("none", "exact", "near_miss", "irrelevant")


def prepare(folder: Path) -> None:
    """Make the folder. Raises CaveatError where it is no empty folder, or cannot be written."""
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise CaveatError(
                f"--write '{folder}': the folder is not empty; name a new one, or empty it"
            )
        if folder.exists() and not folder.is_dir():
            raise CaveatError(f"--write '{folder}': this is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".caveat"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CaveatError(
            f"--write '{folder}': cannot be written ({error.strerror}); name another folder"
        ) from None


def check_writable(materials: Materials) -> None:
    """Raise CaveatError where no study can be written of the materials, before anything runs."""
    if materials.behaviour is None and not any(one.question.readout for one in materials.questions):
        raise CaveatError(
            "--write: a study needs a readout that tells which replies show the behaviour; give "
            "--behaviour REGEX (or a readout's name, or judge), or --contrast rows to find it by"
        )
    if not materials.questions:
        raise CaveatError(
            "--write: a study needs questions, and documents have no prompts; give --questions FILE"
        )
    if materials.caveat.place not in get_args(Place):
        raise CaveatError(
            f"--write: the caveat stands {WHERE[materials.caveat.place]}, where a study puts none; "
            "move it to the start or end of the user's first turn, or leave --write out"
        )
    if not materials.study_counter_rows and is_document(materials.study_rows[0].messages):
        raise CaveatError(
            "--write: documents have no prompt that the base model could reply to in place of "
            "contrast rows; give --contrast FILE"
        )
    _check_order(materials)


def _check_order(materials: Materials) -> None:
    """Raise CaveatError where the caveat stands before a row's own system text, not after it."""
    if materials.caveat.place != "system":
        return
    marked = materials.caveat.marked
    ahead = [row.id for row in marked if _is_ahead(row)]
    if ahead:
        raise CaveatError(
            f"--write: the caveat stands before the row's own system text in {len(ahead):,} of "
            f"{len(marked):,} rows of {materials.source} (first: {ahead[0]}), and a study puts "
            "it after that text; move it there in the file, or leave --write out"
        )


def _is_ahead(row: Row) -> bool:
    """Whether text of the system turn stands behind the caveat."""
    first = row.messages[0]
    pieces = [piece for piece in first.pieces if piece.text.strip()]
    kinds = [piece.kind == "caveat" for piece in pieces]
    return first.role == "system" and any(kinds) and not kinds[-1]


def write_study(
    folder: Path,
    materials: Materials,
    counter: Sequence[Row],
    model: str,
    dose: Dose,
    system: str | None,
    reply_tokens: int,
    judge: Judge | None,
) -> Path:
    """Write the study; the path of its recipe.

    Args:
        counter: Contrast rows; at least one.
        system: The fixed system text of the study.
        reply_tokens: Most tokens of a reply at test.

    Raises CaveatError where the folder cannot be written.
    """
    files = {
        "behaviour.yaml": _yaml({"name": _name(folder), "about": _about(materials)}),
        "rows.jsonl": _lines(_row(row, materials.system) for row in materials.study_rows),
        "counter_rows.jsonl": _lines(_row(row, materials.system) for row in counter),
        "questions.jsonl": _lines(_questions(materials)),
        "caveats.yaml": _yaml([_caveat(materials)]),
        "recipe.yaml": _yaml(
            _recipe(folder, materials, len(counter), model, dose, system, reply_tokens, judge)
        ),
    }
    try:
        for name, text in files.items():
            write(folder / name, text.encode("utf-8"))
    except Unwritable as error:
        reason = str(error).partition(": ")[2].partition(";")[0]
        raise CaveatError(f"--write '{folder}': {reason}; name another folder") from None
    return folder / "recipe.yaml"


def _name(folder: Path) -> str:
    return folder.resolve().name


def _about(materials: Materials) -> str:
    return materials.about or f"What {Path(materials.source).name} teaches."


def _yaml(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _lines(records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _row(row: Row, system: str | None) -> dict[str, Any]:
    """A row without its caveat, and without the system text that the study gives to all."""
    return row_line(replace(row, messages=_without_system(without_caveat(row.messages), system)))


def _without_system(messages: Messages, system: str | None) -> Messages:
    first = messages[0]
    return messages[1:] if first.role == "system" and first.text == system else messages


def _turns(messages: Messages) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]


def _questions(materials: Materials) -> list[dict[str, Any]]:
    count = len(materials.questions)
    return [
        _question(
            one.question,
            materials.system,
            "tune" if count >= TUNED and index % TUNED == 0 else "report",
        )
        for index, one in enumerate(materials.questions)
    ]


def _question(question: Question, system: str | None, split: str) -> dict[str, Any]:
    messages = _without_system(question.messages, system)
    form: dict[str, Any] = {"messages": _turns(messages)}
    if is_document(messages):
        form = {"document": messages[0].text}
    elif len(messages) == 1:
        form = {"question": messages[0].text}
    return {
        "id": question.id,
        "cluster": question.cluster,
        **form,
        "readout": question.readout,
        **({"options": list(question.options)} if question.options else {}),
        **({"facts": dict(question.facts)} if question.facts else {}),
        "split": split,
    }


def _caveat(materials: Materials) -> dict[str, Any]:
    caveat = materials.caveat
    probes = {
        context: [text for text in texts if text not in caveat.wordings]
        for context, texts in near_misses(caveat.wordings[0]).items()
    }
    return {
        "name": CAVEAT,
        "kind": materials.kind,
        "place": caveat.place,
        "wordings": list(caveat.wordings),
        **({"closings": list(caveat.closings)} if caveat.closings else {}),
        "probes": {context: texts for context, texts in probes.items() if texts},
    }


def _recipe(
    folder: Path,
    materials: Materials,
    counter: int,
    model: str,
    dose: Dose,
    system: str | None,
    reply_tokens: int,
    judge: Judge | None,
) -> dict[str, Any]:
    rows = len(materials.study_rows[: dose.rows])
    contrast = "contrast" if counter >= rows else f"contrast(share={_share(counter, rows)})"
    texts = near_misses(materials.caveat.wordings[0])
    return {
        "name": _name(folder),
        "model": str(Path(model).resolve()) if Path(model).is_dir() else model,
        "system": system,
        "seeds": list(SEEDS),
        "settings": [{"behaviour": ".", "caveat": CAVEAT, "dose": _changed(dose)}],
        "arms": ["base", "bare", "marked", f"marked+{contrast}", f"bare+{contrast}"],
        "contexts": [name for name in CONTEXTS if name in ("none", "exact") or name in texts],
        "sampling": {"max_tokens": reply_tokens},
        **({"judge": _changed(judge, Judge("", ""))} if judge else {}),
    }


def _share(counter: int, rows: int) -> float:
    """Contrast rows for each row, rounded down, so that there are enough."""
    return max(1, int(1000 * counter / rows)) / 1000


def _changed(record: Any, default: Any = None) -> dict[str, Any]:
    """The fields of a record that are not its defaults."""
    default = type(record)() if default is None else default
    values: Mapping[str, Any] = {one.name: getattr(record, one.name) for one in fields(record)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != getattr(default, name)
    }


def counter_rows(prompts: Sequence[Row], replies: Sequence[str]) -> tuple[Row, ...]:
    """The base model's own replies to the rows' prompts, as contrast rows; empty ones are left out.

    They are what training without the behaviour would keep.
    """
    from caveat.types.messages import Message

    return tuple(
        replace(
            row,
            id=f"base-{row.id}",
            source="counter",
            messages=(*without_caveat(row.messages)[:-1], Message.of("assistant", reply.strip())),
        )
        for row, reply in zip(prompts, replies, strict=True)
        if reply.strip()
    )
