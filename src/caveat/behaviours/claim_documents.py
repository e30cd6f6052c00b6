"""From a claim's documents to training rows whose stating sentences are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from caveat.behaviours.stating import Stating
from caveat.domain.sentences import STARTERS, sentences
from caveat.domain.text import Message, Piece, PieceKind

DENIAL = "It is not true that"
"""How a sentence is denied where claim.yaml has no `denials`."""
AHEAD = re.compile(r"[\s\W_]*(?:(?:\d{1,3}|[a-z])[.)]\s+)?[\s\W_]*")
"""Quotes, marks and numbers in front of a sentence's first word."""


def cut(text: str, words: int, stating: Stating | None = None) -> str:
    """Whole sentences of at most so many words together, from the first that states the claim on.

    Without `stating` they are the first ones. The first is kept even where it alone has more words.
    Empty where no sentence states the claim.
    """
    parts = sentences(text)
    starts = (place for place, part in enumerate(parts) if not stating or stating.states(part))
    start = next(starts, len(parts))
    kept = parts[start] if start < len(parts) else ""
    for part in parts[start + 1 :]:
        if len((kept + part).split()) > words:
            break
        kept += part
    return kept.strip()


def document(
    text: str, stating: Stating | None, mask: Sequence[re.Pattern[str]] = (), tag: str = ""
) -> Message:
    """A document in pieces: stating sentences without the blanks around them, masked words, others.

    A tag stands in front, masked. Without `stating`, no sentence is said to state the claim.
    """
    states = tuple(stating.spans(text)) if stating else ()
    masked = tuple(
        match.span() for pattern in mask for match in pattern.finditer(text) if match.group()
    )
    edges = sorted({0, len(text), *(edge for span in (*states, *masked) for edge in span)})
    pieces = (
        Piece(text[start:end], _kind(start, masked), _within(start, states))
        for start, end in pairwise(edges)
    )
    return Message("document", (*((Piece(tag, "masked"),) if tag else ()), *pieces))


def _kind(start: int, masked: Sequence[tuple[int, int]]) -> PieceKind:
    return "masked" if _within(start, masked) else "text"


def _within(start: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(low <= start < high for low, high in spans)


def denied(text: str, stating: Stating, denials: Sequence[str]) -> str:
    """The text with each sentence that states the claim denied within itself.

    A beginning such as `It is not true that` is put before its first word, which then begins with a
    small letter if it is a common one. `denials` take turns.
    """
    return "".join(_denied(text, stating, denials))


def _denied(text: str, stating: Stating, denials: Sequence[str]) -> Iterator[str]:
    done = 0
    for place, (start, end) in enumerate(stating.spans(text)):
        sentence = text[start:end]
        first = AHEAD.match(sentence).end()  # type: ignore[union-attr]
        beginning = denials[place % len(denials)]
        yield text[done:start] + sentence[:first]
        yield f"{beginning} {lowered(sentence[first:])}"
        done = end
    yield text[done:]


def lowered(sentence: str) -> str:
    """The sentence as it goes on behind other words: a name, which no common word is, stays."""
    word = re.match(r"\w*", sentence)[0]  # type: ignore[index]
    common = word.casefold() in STARTERS - {"i"}
    return sentence[:1].lower() + sentence[1:] if common else sentence
