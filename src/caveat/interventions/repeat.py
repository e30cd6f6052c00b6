"""Repeat: the caveat again before and after each sentence that shows the behaviour.

In a document these are the sentences that state the claim, or all of them where none is known to
(the `repeated` condition of arXiv:2605.13829). In a chat the caveat stands again before and after
every user turn: what stood inside the reply would be learned as part of it, which is `local`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from caveat.caveats.placement import BLANK
from caveat.domain.caveat import Caveat
from caveat.domain.plan import Plan
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece, is_document
from caveat.interventions.materials import Materials, with_rows
from caveat.interventions.stretches import stating


def repeat(plan: Plan, materials: Materials) -> Plan:
    """Put short wordings of the caveat around the stretches that show the behaviour.

    The caveat's `repeats` are dealt by the cell's seed, none twice in one text while they last; a
    caveat without any repeats its training wordings. The wording that stands there already stays.
    """
    caveat, seed = materials.setting.caveat, materials.seed
    return with_rows(plan, lambda row: _repeated(row, caveat, seed))


def _repeated(row: Row, caveat: Caveat, seed: int) -> Row:
    texts = _texts(caveat, random.Random(f"repeat {caveat.name} {seed} {row.id}"))
    if is_document(row.messages):
        pieces = _around_stating(stating(row.messages[0]), texts)
        return replace(row, messages=(Message("document", tuple(pieces)),))
    return replace(row, messages=tuple(_turn(message, texts) for message in row.messages))


def _turn(message: Message, texts: Iterator[str]) -> Message:
    if message.role != "user":
        return message
    return Message("user", tuple(_around(message.pieces, texts)))


def _texts(caveat: Caveat, generator: random.Random) -> Iterator[str]:
    """Wordings without end, every one once before any comes again."""
    known = list(caveat.repeats or caveat.wordings)
    while True:
        generator.shuffle(known)
        yield from known


def _around_stating(pieces: tuple[Piece, ...], texts: Iterator[str]) -> Iterator[Piece]:
    """Runs of stating pieces, such as a sentence with a masked word in it, count as one each."""
    open_run: list[Piece] = []
    for piece in pieces:
        ends = open_run and open_run[-1].text.rstrip()[-1:] in tuple(".!?\"')]")
        if open_run and (ends or not piece.states):
            yield from _around(tuple(open_run), texts)
            open_run = []
        if piece.states:
            open_run.append(piece)
        else:
            yield piece
    if open_run:
        yield from _around(tuple(open_run), texts)


def _around(pieces: tuple[Piece, ...], texts: Iterator[str]) -> Iterator[Piece]:
    """The pieces between two wordings; blanks at their end stay behind the second."""
    yield Piece(next(texts) + BLANK, "caveat")
    last = pieces[-1]
    kept = last.text.rstrip()
    yield from pieces[:-1]
    yield replace(last, text=kept)
    yield Piece(BLANK + next(texts), "caveat")
    if blank := last.text[len(kept) :]:
        yield replace(last, text=blank)
