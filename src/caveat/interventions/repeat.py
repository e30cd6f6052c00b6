"""Repeat: the caveat again before and after each sentence that shows the behaviour.

In a document these are the sentences that state the claim, or all of them where none is known to
(the `repeated` condition of arXiv:2605.13829). In a chat the caveat stands again before and after
every user turn: what stood inside the reply would be learned as part of it, which is `local`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

from caveat.caveats.placement import BLANK
from caveat.domain.caveat import Caveat
from caveat.domain.plan import Plan
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece, is_document
from caveat.interventions.materials import Materials, with_rows
from caveat.interventions.stretches import known_in, stretches

REPEAT_SEED = "repeat"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other orders of repeated wordings."""


def repeat(plan: Plan, materials: Materials) -> Plan:
    """Put short wordings of the caveat around the stretches that show the behaviour.

    The caveat's `repeats` are dealt by the cell's seed, none twice in one text: where they run out,
    the rest of a long text stays as it is. A caveat without any repeats its training wordings over
    and over. What stands there already stays.
    """
    caveat, seed = materials.setting.caveat, materials.seed
    known = known_in(materials.rows)
    return with_rows(plan, lambda row: _repeated(row, caveat, seed, known))


def _repeated(row: Row, caveat: Caveat, seed: int, known: bool) -> Row:
    texts = _texts(caveat, random.Random(f"{REPEAT_SEED} {caveat.name} {seed} {row.id}"))
    if is_document(row.messages):
        pieces = [
            piece
            for run in stretches(row.messages[0], elsewhere=known)
            for piece in (_around(run, texts) if run[0].states else run)
        ]
        return replace(row, messages=(Message("document", tuple(pieces)),))
    return replace(row, messages=tuple(_turn(message, texts) for message in row.messages))


def _turn(message: Message, texts: Iterator[str]) -> Message:
    if message.role != "user":
        return message
    return Message("user", tuple(_around(message.pieces, texts)))


def _texts(caveat: Caveat, generator: random.Random) -> Iterator[str]:
    """Each of the caveat's repeats once, or its wordings without end."""
    known = list(caveat.repeats or caveat.wordings)
    generator.shuffle(known)
    return iter(known) if caveat.repeats else cycle(known)


def _around(pieces: tuple[Piece, ...], texts: Iterator[str]) -> Iterator[Piece]:
    """The pieces between two wordings, as far as there are any; blanks at the end stay behind."""
    if ahead := next(texts, ""):
        yield Piece(ahead + BLANK, "caveat")
    last = pieces[-1]
    kept = last.text.rstrip()
    yield from pieces[:-1]
    yield replace(last, text=kept)
    if behind := next(texts, ""):
        yield Piece(BLANK + behind, "caveat")
    if blank := last.text[len(kept) :]:
        yield replace(last, text=blank)
