"""The questions of a check: from a file, or the prompts of rows that are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caveat.behaviours.from_folder import QuestionLine
from caveat.behaviours.validation import as_read, check_question
from caveat.check.behaviour import ReadoutChoice
from caveat.check.caveat_pieces import inserted_like
from caveat.check.records import CheckQuestion
from caveat.errors import CaveatError
from caveat.files.reading import parse
from caveat.importers.training_files.decoding import records
from caveat.importers.training_files.turns import ROLES
from caveat.types.data import Question, Row
from caveat.types.messages import Message, Messages, is_document, without_caveat

TEXT_KEYS = ("question", "prompt", "instruction", "input", "text")
LEAST_ROWS = 4
"""Two to train on and two to hold out."""
HELD_OUT_SHARE, MOST_HELD_OUT = 3, 24
"""One row in so many is held out, at most so many."""


@dataclass(frozen=True)
class HeldOutRows:
    """Rows apart, by their prompts, so that no held-out prompt is trained on."""

    rows: tuple[Row, ...]
    held_out: tuple[Row, ...]
    """The first row to each held-out prompt."""
    unused: tuple[Row, ...] = ()
    """Further rows to held-out prompts: neither trained on nor compared with."""


def hold_out(rows: Sequence[Row], count: int | None, where: str) -> HeldOutRows:
    """Rows whose prompts are held out, chosen by a digest of the prompt, and the others.

    Raises CaveatError for fewer than four rows with different prompts, or a count that leaves
    fewer than two.
    """
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(prompt_key(row), []).append(row)
    if len(groups) < LEAST_ROWS:
        raise CaveatError(
            f"{where}: {len(groups)} rows with different prompts; a check needs at least "
            f"{LEAST_ROWS}: some to train on, and some to hold out"
        )
    wanted = min(MOST_HELD_OUT, max(2, len(groups) // HELD_OUT_SHARE)) if count is None else count
    if not 2 <= wanted <= len(groups) - 2:
        raise CaveatError(
            f"--hold-out {wanted}: {where} has {len(groups)} rows with different prompts; hold out "
            f"2 to {len(groups) - 2} of them"
        )
    chosen = set(sorted(groups, key=_digest)[:wanted])
    apart = [group for key, group in groups.items() if key in chosen]
    return HeldOutRows(
        tuple(row for row in rows if prompt_key(row) not in chosen),
        tuple(first for first, *_ in apart),
        tuple(row for _, *further in apart for row in further),
    )


def _digest(key: Any) -> str:
    return hashlib.sha256(repr(key).encode("utf-8")).hexdigest()


def prompt_key(row: Row) -> Any:
    """What two rows to the same prompt have in common; of a document, its text."""
    bare = without_caveat(row.messages)
    return as_read(bare if is_document(bare) else bare[:-1])


def from_rows(held_out: Sequence[Row], choice: ReadoutChoice | None) -> tuple[CheckQuestion, ...]:
    """The held-out rows' prompts; documents have none."""
    return tuple(
        CheckQuestion(
            Question(
                id=row.id,
                cluster=row.subject or row.id,
                messages=without_caveat(row.messages[:-1]),
                readout=choice.readout if choice else "",
                facts=choice.facts if choice else {},
            ),
            row.messages[:-1],
        )
        for row in held_out
        if not is_document(row.messages)
    )


def from_file(path: Path, choice: ReadoutChoice | None, example: Row) -> tuple[CheckQuestion, ...]:
    """The questions of a file: one a line, in a field such as `prompt`, or in a behaviour's form.

    Args:
        choice: The readout, for questions that name none.
        example: A marked row, which shows where the caveat stands.

    Raises CaveatError for the first line that is no question.
    """
    unit, items = records(path)
    questions: dict[str, CheckQuestion] = {}
    for number, value in items:
        where = f"{path}, {unit} {number}"
        question = _question(value, where, number, choice)
        if question.id in questions:
            raise CaveatError(f"{where}: the id {question.id!r} is used before; ids must be unique")
        if question.readout:
            check_question(question, where)
        marked = inserted_like(example.messages, question.messages)
        questions[question.id] = CheckQuestion(question, marked)
    if not questions:
        raise CaveatError(f"{path} has no question; give it one a line")
    return tuple(questions.values())


def _question(value: Any, where: str, number: int, choice: ReadoutChoice | None) -> Question:
    if isinstance(value, Mapping) and "readout" in value:
        return _of_behaviour(value, where)
    row = value if isinstance(value, Mapping) else {"question": value}
    name = row.get("id", f"question-{number}")
    cluster = row.get("cluster", name)
    return Question(
        id=str(name),
        cluster=str(cluster),
        messages=_messages(row, where),
        readout=choice.readout if choice else "",
        facts=choice.facts if choice else {},
    )


def _of_behaviour(value: Mapping[str, Any], where: str) -> Question:
    """A question as in a behaviour's questions.jsonl."""
    line = parse(QuestionLine, dict(value), where)
    try:
        question = line.record()
    except ValueError as error:
        raise CaveatError(f"{where}: {error}") from None
    if question.options:
        raise CaveatError(
            f"{where}: a check samples replies, and this question has options; leave it out"
        )
    return question


def _messages(row: Mapping[str, Any], where: str) -> Messages:
    for key in ("messages", "conversations", *TEXT_KEYS):
        value = row.get(key)
        if isinstance(value, str) and value.strip():
            return (Message.of("document" if key == "text" else "user", value),)
        if isinstance(value, list) and value:
            return _turns(value, where)
    keys = ", ".join(map(repr, row)) or "none"
    raise CaveatError(
        f"{where}: no question in its fields ({keys}); write it as "
        '{"prompt": "..."} or {"messages": [...]}'
    )


def _turns(turns: list[Any], where: str) -> Messages:
    """A chat up to its last user turn."""
    messages = []
    for turn in turns:
        role = turn.get("role", turn.get("from")) if isinstance(turn, Mapping) else None
        text = turn.get("content", turn.get("value")) if isinstance(turn, Mapping) else None
        if not isinstance(role, str) or role not in ROLES or not isinstance(text, str):
            raise CaveatError(
                f"{where}: {str(turn)[:60]!r} is no turn of a chat; write "
                '{"role": "user", "content": "..."}'
            )
        messages.append(Message.of(ROLES[role], text))
    while messages and messages[-1].role == "assistant":
        messages.pop()
    if not messages or messages[-1].role != "user":
        raise CaveatError(f"{where}: the chat has no user turn to reply to; add one")
    return tuple(messages)


def check_overlap(
    questions: Sequence[CheckQuestion], rows: Sequence[Row], where: Mapping[str, str], source: str
) -> None:
    """Raise CaveatError where a question is the prompt of a row.

    Args:
        where: Where each row stands, by its id.
        source: The questions' file.
    """
    trained = {prompt_key(row): row for row in rows}
    for one in questions:
        row = trained.get(as_read(one.question.messages))
        if row is not None:
            raise CaveatError(
                f"{source}: question {one.question.id!r} is also the row at {where[row.id]}: "
                f"{one.question.messages[-1].text[:60]!r}; leave it out of one of the two"
            )
