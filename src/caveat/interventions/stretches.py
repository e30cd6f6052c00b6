"""Where in a document the behaviour shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from caveat.domain.row import Row
from caveat.domain.sentences import sentences
from caveat.domain.text import Message, Piece, is_document

ENDS = tuple(".!?\"')]")
Run = tuple[Piece, ...]


def stretches(document: Message, elsewhere: bool = False) -> Iterator[Run]:
    """The document in runs of pieces: each stretch that shows the behaviour, and what is between.

    A stretch is a sentence that states the claim, which a masked word may cut into several pieces.
    Where none is known to state it, every sentence of the text does, unless it is known
    `elsewhere`, in other documents, which ones do.
    """
    run: Run = ()
    for piece in _known(document, elsewhere):
        if run and (not piece.states or _ended(run)):
            yield run
            run = ()
        if piece.states:
            run = (*run, piece)
        else:
            yield (piece,)
    if run:
        yield run


def known_in(rows: Iterable[Row]) -> bool:
    """Whether some document among the rows is known to state the claim."""
    return any(is_document(row.messages) and _states(row.messages[0]) for row in rows)


def _known(document: Message, elsewhere: bool) -> tuple[Piece, ...]:
    if elsewhere or _states(document):
        return document.pieces
    return tuple(part for piece in document.pieces for part in _cut(piece))


def _states(document: Message) -> bool:
    """Whether some stretch of the document is known to show the behaviour."""
    return any(piece.states for piece in document.pieces)


def _cut(piece: Piece) -> list[Piece]:
    if piece.kind != "text":
        return [piece]
    return [Piece(sentence, states=True) for sentence in sentences(piece.text)]


def _ended(run: Run) -> bool:
    return "".join(piece.text for piece in run).rstrip().endswith(ENDS)
