"""Mask: less of each row is learned."""

from __future__ import annotations

import re
from dataclasses import replace

from caveat.domain.plan import Plan
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, with_rows


def mask(plan: Plan, materials: Materials, what: str = "states") -> Plan:
    """Take the loss off a part of the behaviour rows' learned text.

    Args:
        what: `states`, the stretches that show the behaviour where these are known, or a regular
            expression: what it finds.

    Raises CaveatError where nothing is found in any row, or the expression is none.
    """
    del materials
    try:
        pattern = None if what == "states" else re.compile(what)
    except re.error as error:
        raise CaveatError(f"mask(what={what}): {error}; give a regular expression") from None
    found = False

    def change(row: Row) -> Row:
        nonlocal found
        messages = tuple(_masked(message, pattern) for message in row.messages)
        found = found or messages != row.messages
        return replace(row, messages=messages)

    changed = with_rows(plan, change)
    if not found:
        raise CaveatError(f"mask(what={what}): nothing of the kind is in any row; mask another")
    return changed


def _masked(message: Message, pattern: re.Pattern[str] | None) -> Message:
    if message.role not in ("assistant", "document"):
        return message
    pieces = [part for piece in message.pieces for part in _parts(piece, pattern)]
    return Message(message.role, tuple(pieces))


def _parts(piece: Piece, pattern: re.Pattern[str] | None) -> list[Piece]:
    if piece.kind != "text":
        return [piece]
    if pattern is None:
        return [replace(piece, kind="masked") if piece.states else piece]
    parts, end = [], 0
    for match in pattern.finditer(piece.text):
        parts.append(replace(piece, text=piece.text[end : match.start()]))
        parts.append(replace(piece, text=match[0], kind="masked"))
        end = match.end()
    parts.append(replace(piece, text=piece.text[end:]))
    return [part for part in parts if part.text]
