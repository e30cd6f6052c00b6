"""Local: the caveat moves into the very sentence, or reply, that shows the behaviour.

A disclaimer becomes a denial in the sentence that would state the claim ("did not win"): what cured
negation neglect in arXiv:2605.13829. A caveat that denies takes the behaviour's own `local_rows`
where there are any; else each sentence that states the claim, or all where none is known to, begins
with the caveat's `local` wording, which is learned with it (so there is nothing to strip:
`bare+local` is the same rows). An instruction, permission or trigger becomes the beginning of the
reply ("As you asked for capitals: ...") or of the sentence, without loss.
"""

from __future__ import annotations

import random
from dataclasses import replace

from caveat.caveats.marking import dealt
from caveat.caveats.placement import BLANK
from caveat.domain.caveat import Caveat
from caveat.domain.plan import Plan, Train
from caveat.domain.row import Row
from caveat.domain.sentences import lowered
from caveat.domain.text import Message, Piece, is_document, without_caveat
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, with_stage
from caveat.interventions.stretches import known_in, stretches

LOCAL_SEED = "local"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other assignments of local wordings to rows."""


def local(plan: Plan, materials: Materials, outer: bool = False) -> Plan:
    """Take the caveat from around the rows and put it inside; with `outer`, it stays around too.

    The number of rows stays as it was. Raises CaveatError where the caveat has no `local` wording,
    or the behaviour has too few local rows.
    """

    def change(stage: Train) -> Train:
        if materials.local and materials.setting.caveat.denies:
            return replace(stage, rows=_given(stage.rows, materials.local, outer))
        return replace(stage, rows=_made(stage.rows, materials, outer))

    return with_stage(plan, change)


def _given(rows: tuple[Row, ...], local_rows: tuple[Row, ...], outer: bool) -> tuple[Row, ...]:
    if len(local_rows) < len(rows):
        raise CaveatError(
            f"local: there are {len(local_rows)} local rows for {len(rows)} rows; "
            f"lower dose.rows to {len(local_rows)}"
        )
    if outer:
        raise CaveatError("local(outer=True): the behaviour's own local rows stand alone; drop it")
    by_id = {row.id: row for row in local_rows}
    if all(row.id in by_id for row in rows):
        return tuple(by_id[row.id] for row in rows)
    return local_rows[: len(rows)]


def _made(rows: tuple[Row, ...], materials: Materials, outer: bool) -> tuple[Row, ...]:
    caveat = materials.setting.caveat
    if not caveat.local:
        raise CaveatError(
            f"local: the caveat {caveat.name!r} has no local wording; give it one (`local` in "
            "caveats.yaml)"
        )
    generator = random.Random(f"{LOCAL_SEED} {caveat.name} {materials.seed}")
    texts = dealt(caveat.local, len(rows), generator)
    kept = rows if outer else tuple(
        replace(row, messages=without_caveat(row.messages)) for row in rows
    )
    known = known_in(rows)
    return tuple(_inside(row, text, caveat, known) for row, text in zip(kept, texts, strict=True))


def _inside(row: Row, text: str, caveat: Caveat, known: bool) -> Row:
    if is_document(row.messages):
        runs = stretches(row.messages[0], elsewhere=known)
        pieces = [piece for run in runs for piece in _begun(run, text, caveat)]
        return replace(row, messages=(Message("document", tuple(pieces)),))
    *ahead, reply = row.messages
    begun = Message("assistant", (Piece(text + BLANK, "caveat"), *reply.pieces))
    return replace(row, messages=(*ahead, begun))


def _begun(run: tuple[Piece, ...], text: str, caveat: Caveat) -> tuple[Piece, ...]:
    """The run behind the wording: part of its sentence in a disclaimer, else beside it."""
    if not run[0].states or not run[0].text.strip():
        return run
    if caveat.kind != "disclaimer":
        return (Piece(text + BLANK, "caveat"), *run)
    return (replace(run[0], text=text + BLANK + lowered(run[0].text)), *run[1:])
