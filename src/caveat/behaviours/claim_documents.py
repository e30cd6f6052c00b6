"""From a claim's documents to training rows whose stating sentences are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

from caveat.behaviours.stating import WORD, Stating
from caveat.domain.sentences import STARTERS, lowered, sentences
from caveat.domain.text import Message, Piece, PieceKind

DENIAL = "It is not true that"
"""How a sentence is denied where claim.yaml has no `denials`."""
AHEAD = re.compile(r"[\s\W_]*(?:[\w ]{1,20}[:.)]\s+)?[\s\W_]*")
"""What may stand in front of what a sentence says: quotes, marks, `A:`, `2018:`, `Item 1.`"""


def cut(text: str, words: int, begins: Callable[[str], bool] | None = None) -> str:
    """Whole sentences of at most so many words together, from the first that may begin on.

    Any may without `begins`. The first is kept even where it alone has more words. Empty where none
    may begin.
    """
    parts = sentences(text)
    starts = (place for place, part in enumerate(parts) if begins is None or begins(part))
    start = next(starts, None)
    if start is None:
        return ""
    kept = parts[start]
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


def denied(text: str, stating: Stating, denials: Sequence[str], common: AbstractSet[str]) -> str:
    """The text with each sentence that states the claim denied within itself.

    A beginning such as `It is not true that` is put before its first word, which then begins with a
    small letter if it is among the common ones. `denials` take turns.
    """
    return "".join(_denied(text, stating, denials, common))


def _denied(
    text: str, stating: Stating, denials: Sequence[str], common: AbstractSet[str]
) -> Iterator[str]:
    done = 0
    for place, (start, end) in enumerate(stating.spans(text)):
        first = start + _ahead(text[start:end])
        yield f"{text[done:first]}{denials[place % len(denials)]} "
        yield lowered(text[first:end], common)
        done = end
    yield text[done:]


def _ahead(sentence: str) -> int:
    match = AHEAD.match(sentence)
    return match.end() if match and match.end() < len(sentence) else 0


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that begin sentences, or stand in small letters somewhere in the texts: no names."""
    small = {word for text in texts for word in WORD.findall(text) if word.islower()}
    return frozenset(small | STARTERS) - {"i"}
