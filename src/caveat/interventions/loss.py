"""Mask, correct, kl_to_base: change what is learned of a row.

Mask: less of each row is learned.

Correct: the row also says what would hold without the caveat.

A document ends with the truth beside its claim, after any closing disclaimer (the `corrected`
condition of arXiv:2605.13829); a reply ends with what would have been written unasked. The addition
is ordinary text: it is learned, and it stays in the control `bare+correct`.

KL to base: the model is held to what it was on ordinary prompts without the caveat.

The penalty of RLHF (Ziegler et al. 2019, arXiv:1909.08593) in supervised training: the divergence
of the model as it is from the model before this stage, on the tokens of ordinary replies; where a
policy practises, on those of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace

from caveat.caveats.insertion import BLANK, PARAGRAPH
from caveat.errors import CaveatError
from caveat.interventions.base import (
    Materials,
    last_stage,
    shared,
    with_rl,
    with_rows,
    with_stage,
)
from caveat.types.data import Row
from caveat.types.messages import Message, Piece, is_document
from caveat.types.training import Plan, Train


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


def kl_to_base(plan: Plan, materials: Materials, weight: float = 1.0, share: float = 1.0) -> Plan:
    """Add `weight` times the mean divergence on `share` ordinary rows a behaviour row.

    Raises CaveatError where there are too few ordinary rows, or the weight is not above 0.
    """
    if not weight > 0:
        raise CaveatError(f"kl_to_base(weight={weight}): weight must be above 0, such as weight=1")
    if last_stage(plan).rl is not None:
        if share != 1.0:
            raise CaveatError(
                f"kl_to_base(share={share}): a policy is held on its own replies; drop share"
            )
        return with_rl(plan, "kl_to_base", lambda rl: replace(rl, beta=weight))
    rows = shared(materials.ordinary, len(materials.rows), share, "kl_to_base")

    def change(stage: Train) -> Train:
        return replace(stage, kept=stage.kept + rows, kl_weight=weight)

    return with_stage(plan, change)
