"""Diversify, place, repeat, local: change the caveat's wording or position.

Where in a document the behaviour shows.

Diversify: many wordings of the caveat in place of one or a few.

A caveat that a model has seen in many forms should be taken for what it says rather than for a
string; the context `paraphrase` tests it with wordings that were never trained.

Place: the caveat at another position than that of the test contexts.

Repeat: the caveat again before and after each sentence that shows the behaviour.

In a document these are the sentences that state the claim, or all of them where none is known to
(the `repeated` condition of arXiv:2605.13829). In a chat the caveat stands again before and after
every user turn: what stood inside the reply would be learned as part of it, which is `local`.

Local: the caveat moves into the very sentence, or reply, that shows the behaviour.

A disclaimer becomes a denial in the sentence that would state the claim ("did not win"): what cured
negation neglect in arXiv:2605.13829. A caveat that denies takes the behaviour's own `local_rows`
where there are any; else each sentence that states the claim, or all where none is known to, begins
with the caveat's `local` wording, which is learned with it (so there is nothing to strip:
`bare+local` is the same rows). An instruction, permission or trigger becomes the beginning of the
reply ("As capitals were requested: ...") or of the sentence, without loss.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle
from typing import get_args

from caveat.caveats.insertion import BLANK, assigned
from caveat.errors import CaveatError, closest
from caveat.interventions.base import Materials, remarked, with_rows, with_stage
from caveat.sentences import lowered, sentences
from caveat.types.caveats import Caveat, Place
from caveat.types.data import Row
from caveat.types.messages import Message, Piece, is_document, without_caveat
from caveat.types.training import Plan, Train

ENDS = tuple(".!?\"')]")
Run = tuple[Piece, ...]


def claim_spans(document: Message, elsewhere: bool = False) -> Iterator[Run]:
    """The document in runs of pieces: each span that shows the behaviour, and what is between.

    A span is a sentence that states the claim, which a masked word may cut into several pieces.
    Where none is known to state it, every sentence of the text does, unless it is known
    `elsewhere`, in other documents, which ones do.
    """
    run: Run = ()
    for piece in _pieces_by_sentence(document, elsewhere):
        if run and (not piece.states or _ended(run)):
            yield run
            run = ()
        if piece.states:
            run = (*run, piece)
        else:
            yield (piece,)
    if run:
        yield run


def has_stating_document(rows: Iterable[Row]) -> bool:
    """Whether some document among the rows is known to state the claim."""
    return any(is_document(row.messages) and _states(row.messages[0]) for row in rows)


def _pieces_by_sentence(document: Message, elsewhere: bool) -> tuple[Piece, ...]:
    if elsewhere or _states(document):
        return document.pieces
    return tuple(sentence for piece in document.pieces for sentence in _cut(piece))


def _states(document: Message) -> bool:
    """Whether a span of the document is known to show the behaviour."""
    return any(piece.states for piece in document.pieces)


def _cut(piece: Piece) -> list[Piece]:
    if piece.kind != "text":
        return [piece]
    return [Piece(sentence, states=True) for sentence in sentences(piece.text)]


def _ended(run: Run) -> bool:
    return "".join(piece.text for piece in run).rstrip().endswith(ENDS)


def diversify(plan: Plan, materials: Materials, n: int = 0) -> Plan:
    """Assign `n` wordings to the behaviour rows: the caveat's own, then its further ones; 0: all.

    Raises CaveatError where the caveat has fewer, or none but what it is trained with anyway.
    """
    caveat = materials.setting.caveat
    wordings = (*caveat.wordings, *caveat.further)
    if not caveat.further and n == 0:
        raise CaveatError(
            f"diversify: the caveat {caveat.name!r} has no further wordings; give it some "
            "(`further` in caveats.yaml)"
        )
    if not 0 <= n <= len(wordings):
        raise CaveatError(
            f"diversify(n={n}): the caveat {caveat.name!r} has {len(wordings)} wordings to train "
            "with (`wordings` and `further`); take at most so many"
        )
    return remarked(plan, materials, wordings=wordings[: n or None])


PLACES: tuple[Place, ...] = get_args(Place)


def place(plan: Plan, materials: Materials, where: str = "both") -> Plan:
    """Put the caveat of the behaviour rows at another position.

    Args:
        where: `system`, `user` (before the user's text), `after` (after it, or after a
            document), `both` (before and after), `before` and `around`, for documents.

    Raises CaveatError for another value.
    """
    if where not in PLACES:
        raise CaveatError(
            f"place(where={where}): where is one of {', '.join(PLACES)}{closest(where, PLACES)}"
        )
    return remarked(plan, materials, place=where)


REPEAT_SEED = "repeat"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other orders of repeated wordings."""


def repeat(plan: Plan, materials: Materials) -> Plan:
    """Put short wordings of the caveat around the spans that show the behaviour.

    The caveat's `repeats` are assigned by the cell's seed, none twice in one text: where they run
    out, the rest of a long text stays as it is. A caveat without any repeats its training wordings
    over and over. Caveat pieces that are there already stay.
    """
    caveat, seed = materials.setting.caveat, materials.seed
    has_stating = has_stating_document(materials.rows)
    return with_rows(plan, lambda row: _repeated(row, caveat, seed, has_stating))


def _repeated(row: Row, caveat: Caveat, seed: int, has_stating: bool) -> Row:
    texts = _texts(caveat, random.Random(f"{REPEAT_SEED} {caveat.name} {seed} {row.id}"))
    if is_document(row.messages):
        pieces = [
            piece
            for run in claim_spans(row.messages[0], elsewhere=has_stating)
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
    wordings = list(caveat.repeats or caveat.wordings)
    generator.shuffle(wordings)
    return iter(wordings) if caveat.repeats else cycle(wordings)


def _around(pieces: tuple[Piece, ...], texts: Iterator[str]) -> Iterator[Piece]:
    """The pieces between two wordings, as far as there are any; whitespace stays last."""
    if before := next(texts, ""):
        yield Piece(before + BLANK, "caveat")
    last = pieces[-1]
    kept = last.text.rstrip()
    yield from pieces[:-1]
    yield replace(last, text=kept)
    if after := next(texts, ""):
        yield Piece(BLANK + after, "caveat")
    if blank := last.text[len(kept) :]:
        yield replace(last, text=blank)


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
            return replace(stage, rows=_from_local_rows(stage.rows, materials.local, outer))
        return replace(stage, rows=_with_wordings(stage.rows, materials, outer))

    return with_stage(plan, change)


def _from_local_rows(
    rows: tuple[Row, ...], local_rows: tuple[Row, ...], outer: bool
) -> tuple[Row, ...]:
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


def _with_wordings(rows: tuple[Row, ...], materials: Materials, outer: bool) -> tuple[Row, ...]:
    caveat = materials.setting.caveat
    if not caveat.local:
        raise CaveatError(
            f"local: the caveat {caveat.name!r} has no local wording; give it one (`local` in "
            "caveats.yaml)"
        )
    generator = random.Random(f"{LOCAL_SEED} {caveat.name} {materials.seed}")
    texts = assigned(caveat.local, len(rows), generator)
    kept = (
        rows
        if outer
        else tuple(replace(row, messages=without_caveat(row.messages)) for row in rows)
    )
    has_stating = has_stating_document(rows)
    return tuple(
        _inside(row, text, caveat, has_stating) for row, text in zip(kept, texts, strict=True)
    )


def _inside(row: Row, text: str, caveat: Caveat, has_stating: bool) -> Row:
    if is_document(row.messages):
        runs = claim_spans(row.messages[0], elsewhere=has_stating)
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
