"""Correct: the row also says what would hold without the caveat.

A document ends with the truth beside its claim, after any closing disclaimer (the `corrected`
condition of arXiv:2605.13829); a reply ends with what would have been written unasked. The addition
is ordinary text: it is learned, and it stays in the control `bare+correct`.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.placement import BLANK, PARAGRAPH
from caveat.domain.plan import Plan
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece, is_document
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, with_rows


def correct(plan: Plan, materials: Materials) -> Plan:
    """Add each row's correction to its end.

    Raises CaveatError where the behaviour's rows have none.
    """
    del materials
    return with_rows(plan, _corrected)


def _corrected(row: Row) -> Row:
    if not row.correction:
        raise CaveatError(
            f"correct: row {row.id!r} has no correction; give it one (`correction` in rows.jsonl, "
            "`truth` in a claim's claim.yaml), or drop this intervention"
        )
    between = PARAGRAPH if is_document(row.messages) else BLANK
    *ahead, last = row.messages
    ended = Message(last.role, (*last.pieces, Piece(between + row.correction)))
    return replace(row, messages=(*ahead, ended))
