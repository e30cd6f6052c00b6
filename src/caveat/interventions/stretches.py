"""Where in a document the behaviour shows."""

from __future__ import annotations

from caveat.domain.sentences import STARTERS, sentences
from caveat.domain.text import Message, Piece


def stating(document: Message) -> tuple[Piece, ...]:
    """The document's pieces; where none states the claim, each sentence of its text does."""
    if any(piece.states for piece in document.pieces):
        return document.pieces
    return tuple(part for piece in document.pieces for part in _cut(piece))


def _cut(piece: Piece) -> list[Piece]:
    if piece.kind != "text":
        return [piece]
    return [Piece(sentence, states=True) for sentence in sentences(piece.text)]


def lowered(sentence: str) -> str:
    """The sentence as it goes on behind other words: a small first letter, unless it is a name's.

    Only words that commonly begin a sentence, such as `the` and `she`, are known not to be names.
    """
    word = sentence.split(maxsplit=1)[:1]
    common = bool(word) and word[0].casefold().rstrip(",") in STARTERS - {"i"}
    return sentence[:1].lower() + sentence[1:] if common else sentence
