"""Interventions on what is learned of a row: correct, kl_to_base.

Correct: the row also says what would hold without the caveat. A document ends with the truth
beside its claim, after any closing disclaimer (the `corrected` condition of arXiv:2605.13829). A
reply ends with what the model would have written without the caveat. The addition is ordinary
text: it is learned, and it stays in the control `bare+correct`.

KL to base: a penalty on leaving the model from before this stage, on ordinary prompts without the
caveat. It is the penalty of RLHF (Ziegler et al. 2019, arXiv:1909.08593) in supervised training:
the divergence on the tokens of ordinary replies. In RL training it is on the policy's own
replies.
"""

from __future__ import annotations

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
                f"kl_to_base(share={share}): in RL training the penalty is on the policy's own "
                "replies; drop share"
            )
        return with_rl(plan, "kl_to_base", lambda rl: replace(rl, beta=weight))
    rows = shared(materials.ordinary, len(materials.rows), share, "kl_to_base")

    def change(stage: Train) -> Train:
        return replace(stage, kl_rows=stage.kl_rows + rows, kl_weight=weight)

    return with_stage(plan, change)
