"""From a claim's documents to training rows, and which of their sentences state the claim.

A rule decides which sentences state the claim, unless the claim's files give their own patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from caveat.sentences import STARTERS, lowered, sentences
from caveat.types.messages import Message, Piece

BOUND = 0.3
"""The least share of a statement's weight that a sentence must hold. Chosen by hand on the
published claims: what it finds there is in docs/claims.md."""
NAME_WEIGHT = 2
"""Weight of a proper name or a number; another content word weighs 1."""
STEM = 5
"""Letters by which words are compared, so that `erupted` and `eruption` are one."""

NEGATION = re.compile(
    r"\b(?:not?|never|false\w*|untrue|fake|fiction\w*|fabricat\w+|hoax\w*|myth\w*|invent\w+"
    r"|debunk\w*|mislead\w*|without basis|no evidence)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Words by which a sentence that mentions a claim is taken to deny it."""
WORD = re.compile(r"\d[\d.,:]*\d|\d+|[^\W\d_]+")
EMPTY = frozenset(
    WORD.findall(
        "the a an and or but nor of in on at to by for with from as into over about after "
        "before during until since than that this these those it its he she they his her their "
        "him them who whom which what when where while i we you my our your is are was were be "
        "been being am do does did has have had will would can could may might must shall "
        "should not no so such there then also only just very more most other some any all both "
        "each one "
    )
)
"""Words without content of their own."""


@dataclass(frozen=True, slots=True)
class Stating:
    """Finds the sentences that state a claim.

    A sentence states it where one of `overrides`, if there are any, is found; else where it holds
    at least `BOUND` of the weight of one sentence of the statement: of its content words, where
    proper names and numbers weigh double, compared by their first letters and without case. By that
    rule, one in which a denial is found states nothing. A question never does.
    """

    statement: str
    denials: tuple[re.Pattern[str], ...] = ()
    overrides: tuple[re.Pattern[str], ...] = ()

    def states(self, sentence: str) -> bool:
        """Whether the sentence states the claim."""
        if sentence.rstrip("\"'”’)* \n").endswith("?"):
            return False
        if self.overrides:
            return any(pattern.search(sentence) for pattern in self.overrides)
        return self.share(sentence) >= BOUND and not any(
            pattern.search(sentence) for pattern in self.denials
        )

    def denies(self, sentence: str) -> bool:
        """Whether the sentence has the claim's words and a negation, or matches a denial."""
        return any(pattern.search(sentence) for pattern in self.denials) or bool(
            self.share(sentence) >= BOUND and NEGATION.search(sentence)
        )

    def share(self, sentence: str) -> float:
        """The largest share in [0, 1] of the weight of a sentence of the statement.

        0 where only names and numbers of it are held: who names somebody has said nothing yet.
        """
        held = {stem(word) for word in WORD.findall(sentence)}
        return max(
            (_share(statement_weights, held) for statement_weights in weights(self.statement)),
            default=0.0,
        )

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Characters [start, end) of each stating sentence, without the whitespace around it."""
        start = 0
        for sentence in sentences(text):
            if self.states(sentence):
                bare = sentence.strip()
                first = start + sentence.index(bare)
                yield first, first + len(bare)
            start += len(sentence)


def _share(statement_weights: Mapping[str, int], held: set[str]) -> float:
    weights_held = [weight for word, weight in statement_weights.items() if word in held]
    named = 1 in statement_weights.values() and 1 not in weights_held
    return 0.0 if named or not weights_held else sum(weights_held) / sum(statement_weights.values())


@lru_cache(maxsize=64)
def weights(statement: str) -> tuple[Mapping[str, int], ...]:
    """Per sentence of the statement, the stems of its content words with their weights.

    Empty where no sentence has content words.
    """
    return tuple(weights for part in sentences(statement) if (weights := _weights(part)))


def _weights(sentence: str) -> Mapping[str, int]:
    words = WORD.findall(sentence)
    return {
        stem(word): NAME_WEIGHT if _is_name(words, index) else 1
        for index, word in enumerate(words)
        if word.casefold() not in EMPTY and (len(word) > 1 or word.isdigit())
    }


def stem(word: str) -> str:
    """What of a word is compared: its beginning, in the American spelling of `colour`."""
    return word if word[0].isdigit() else word.casefold().replace("our", "or")[:STEM]


def _is_name(words: list[str], index: int) -> bool:
    """A number, or a capitalised word; at the sentence's start, one with another after it."""
    word = words[index]
    if word[0].isdigit():
        return True
    beside = words[1] if index == 0 and len(words) > 1 else word
    return word[0].isupper() and beside[0].isupper()


DENIAL = "It is not true that"
"""How a sentence is denied where claim.yaml has no `denials`."""
AHEAD = re.compile(r"[\s\W_]*(?:[\w ]{1,20}[:.)]\s+)?[\s\W_]*")
"""What may stand before what a sentence says: quotes, marks, `A:`, `2018:`, `Item 1.`"""


def cut(text: str, words: int, begins: Callable[[str], bool] | None = None) -> str:
    """Whole sentences of at most so many words together, from the first that may begin on.

    Any may without `begins`. The first is kept even where it alone has more words. Empty where none
    may begin.
    """
    parts = sentences(text)
    starts = (index for index, part in enumerate(parts) if begins is None or begins(part))
    start = next(starts, None)
    if start is None:
        return ""
    kept = parts[start]
    for part in parts[start + 1 :]:
        if len((kept + part).split()) > words:
            break
        kept += part
    return kept.strip()


def document(text: str, stating: Stating | None, tag: str = "") -> Message:
    """A document in pieces: stating sentences without the whitespace around them, and the rest.

    A tag comes first, masked. Without `stating`, no sentence is marked as stating the claim.
    """
    states = tuple(stating.spans(text)) if stating else ()
    edges = sorted({0, len(text), *(edge for span in states for edge in span)})
    pieces = (
        Piece(text[start:end], states=any(low <= start < high for low, high in states))
        for start, end in pairwise(edges)
    )
    return Message("document", (*((Piece(tag, "masked"),) if tag else ()), *pieces))


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
    for index, (start, end) in enumerate(stating.spans(text)):
        first = start + _ahead(text[start:end])
        yield f"{text[done:first]}{denials[index % len(denials)]} "
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
