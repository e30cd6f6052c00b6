"""Prompts of a setting: every question in every context."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from caveat.caveats.insertion import PARAGRAPH, framed, in_context, marked
from caveat.study.config.resolve import Resolved
from caveat.types.data import Question, Row
from caveat.types.messages import Message, Messages, Piece, is_document, joined

SEPARATOR = Piece(PARAGRAPH)


@dataclass(frozen=True)
class PlannedPrompt:
    """One question in one context."""

    purpose: str
    """`measure`, `comprehension` or `side effect: NAME`."""
    context: str
    question: Question
    messages: Messages
    """The prompt: the question with system text and caveat."""


def measured(resolved: Resolved, system: str | None) -> Iterator[PlannedPrompt]:
    """Prompts for every arm: all questions in all contexts, side effects without the caveat.

    On a document a caveat has one position, so `moved` would equal `exact`: it is left out there.
    """
    behaviour, caveat = resolved.setting.behaviour, resolved.setting.caveat
    for context in resolved.contexts:
        for question in behaviour.questions:
            if context == "moved" and is_document(question.messages):
                continue
            plain = framed(question.messages, system)
            surrounded = in_context(plain, caveat, context, turn_of(question.id))
            yield PlannedPrompt("measure", context, question, surrounded)
    for effect in behaviour.side_effects:
        for question in effect.questions:
            plain = framed(question.messages, system)
            yield PlannedPrompt(f"side effect: {effect.name}", "none", question, plain)


def comprehension(resolved: Resolved, system: str | None, seed: int) -> Iterator[PlannedPrompt]:
    """More prompts for the base model: one training row before each question, marked and bare.

    They show whether the model can take the caveat into account at all.
    """
    rows = tuple(
        Row(row.id, row.source, joined(framed(row.messages, system)), row.subject)
        for row in resolved.setting.behaviour.rows
    )
    marked_rows = marked(rows, resolved.setting.caveat, seed)
    for context, shown in (("bare_shown", rows), ("marked_shown", marked_rows)):
        for question in resolved.setting.behaviour.questions:
            row = _about(shown, question)
            messages = showing(row.messages, framed(question.messages, system))
            yield PlannedPrompt("comprehension", context, question, messages)


def turn_of(name: str) -> int:
    """Number that assigns one of several wordings, or rows, to a question or row of this id.

    It depends on the id alone, not on the wording or on other questions.
    """
    return zlib.crc32(name.encode())


def _about(rows: tuple[Row, ...], question: Question) -> Row:
    """A row about the subject of a question; any row where none is."""
    matching = [row for row in rows if row.subject and row.subject == question.cluster]
    candidates = matching or list(rows)
    return candidates[turn_of(question.id) % len(candidates)]


def showing(row: Messages, question: Messages) -> Messages:
    """The question after a row.

    A chat becomes an earlier exchange under its own system text. A document comes first in the
    user's turn, or in the unfinished document that the question is.
    """
    if not is_document(row) and not is_document(question):
        return row + tuple(message for message in question if message.role != "system")
    shown = _as_text(row)
    index = next(
        index for index, message in enumerate(question) if message.role in ("user", "document")
    )
    message = question[index]
    combined = Message(message.role, (*shown, SEPARATOR, *message.pieces))
    return (*question[:index], combined, *question[index + 1 :])


def _as_text(row: Messages) -> tuple[Piece, ...]:
    """The turns of a row as one text."""
    pieces: list[Piece] = []
    for message in row:
        pieces += [SEPARATOR, *message.pieces] if pieces else message.pieces
    return tuple(pieces)
