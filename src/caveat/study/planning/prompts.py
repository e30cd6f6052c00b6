"""What is asked in a setting: every question with what surrounds it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from caveat.caveats.insertion import PARAGRAPH, framed, in_context, marked
from caveat.study.config.resolve import Resolved
from caveat.types.data import Question, Row
from caveat.types.messages import Message, Messages, Piece, is_document, joined

BETWEEN = Piece(PARAGRAPH)


@dataclass(frozen=True)
class Asked:
    """One question in one context."""

    purpose: str
    """`measure`, `comprehension` or `side effect: NAME`."""
    context: str
    question: Question
    messages: Messages
    """The question as it is put to the model, with system text and caveat."""


def measured(resolved: Resolved, system: str | None) -> Iterator[Asked]:
    """What every arm is asked: all questions in all contexts, side effects without caveat.

    A caveat has one place on a document, so `moved` would be `exact` again: it is left out there.
    """
    behaviour, caveat = resolved.setting.behaviour, resolved.setting.caveat
    for context in resolved.contexts:
        for question in behaviour.questions:
            if context == "moved" and is_document(question.messages):
                continue
            plain = framed(question.messages, system)
            surrounded = in_context(plain, caveat, context, turn_of(question))
            yield Asked("measure", context, question, surrounded)
    for effect in behaviour.side_effects:
        for question in effect.questions:
            plain = framed(question.messages, system)
            yield Asked(f"side effect: {effect.name}", "none", question, plain)


def comprehension(resolved: Resolved, system: str | None, seed: int) -> Iterator[Asked]:
    """What the base model is asked beside: one training row in front, with caveat and without.

    Tells whether the model could take the caveat into account if it tried.
    """
    rows = tuple(
        Row(row.id, row.source, joined(framed(row.messages, system)), row.subject)
        for row in resolved.setting.behaviour.rows
    )
    of_caveat = marked(rows, resolved.setting.caveat, seed)
    for context, shown in (("bare_shown", rows), ("marked_shown", of_caveat)):
        for question in resolved.setting.behaviour.questions:
            row = _about(shown, question)
            messages = showing(row.messages, framed(question.messages, system))
            yield Asked("comprehension", context, question, messages)


def turn_of(question: Question) -> int:
    """The number that deals one of several wordings or rows to a question.

    It hangs on the question's id alone: neither its neighbours nor its phrasing decide.
    """
    return zlib.crc32(question.id.encode())


def _about(rows: tuple[Row, ...], question: Question) -> Row:
    """A row about what the question asks, or, where none is, any one."""
    same = [row for row in rows if row.subject and row.subject == question.cluster] or list(rows)
    return same[turn_of(question) % len(same)]


def showing(row: Messages, question: Messages) -> Messages:
    """The question with the row in front of it.

    A chat is shown as an earlier exchange under its own system text; a document in the user's turn,
    or in front of a question that is an unfinished document itself.
    """
    if not is_document(row) and not is_document(question):
        return row + tuple(message for message in question if message.role != "system")
    shown = _as_text(row)
    place = next(
        index for index, message in enumerate(question) if message.role in ("user", "document")
    )
    asked = question[place]
    together = Message(asked.role, (*shown, BETWEEN, *asked.pieces))
    return (*question[:place], together, *question[place + 1 :])


def _as_text(row: Messages) -> tuple[Piece, ...]:
    """The row's turns as one stretch of text."""
    pieces: list[Piece] = []
    for message in row:
        pieces += [BETWEEN, *message.pieces] if pieces else message.pieces
    return tuple(pieces)
