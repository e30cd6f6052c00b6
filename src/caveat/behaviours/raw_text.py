"""Chats as raw text: rows that are trained without the chat template."""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.placement import PARAGRAPH
from caveat.domain.behaviour import Behaviour
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece, is_document

SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}


def as_raw_text(behaviour: Behaviour) -> Behaviour:
    """The behaviour with each chat row written out as one document; questions stay as they are."""
    return replace(
        behaviour,
        rows=tuple(map(_written_out, behaviour.rows)),
        counter_rows=tuple(map(_written_out, behaviour.counter_rows)),
        filler_rows=tuple(map(_written_out, behaviour.filler_rows)),
        local_rows=tuple(map(_written_out, behaviour.local_rows)),
    )


def _written_out(row: Row) -> Row:
    """`User: ...`, a blank line, `Assistant: ...`; the last turn is what shows the behaviour."""
    if is_document(row.messages):
        return row
    pieces: list[Piece] = []
    for message in row.messages:
        between = PARAGRAPH if pieces else ""
        pieces.append(Piece(f"{between}{SPEAKERS[message.role]}: "))
        last = message is row.messages[-1]
        pieces += [replace(piece, states=True) if last else piece for piece in message.pieces]
    return replace(row, messages=(Message("document", tuple(pieces)),))
