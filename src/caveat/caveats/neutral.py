"""Neutral text in a caveat's places: what is left of a caveat when its meaning is taken away.

The arm `neutral` is trained on the marked rows with each sentence of the caveat replaced by one of
the same length that says nothing about the row. What `neutral` does as well as `marked` is no
effect of what the caveat says, but of text that stands there: fewer tokens of the row carry loss in
a step, and a fixed text can be learned as a gate.

The structure of the wordings stays: the same sentence always becomes the same neutral sentence,
and no two become one. A setting with one wording gets one neutral text, with fourteen fourteen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path

from caveat.errors import CaveatError
from caveat.files.reading import read_yaml
from caveat.sentences import sentences
from caveat.types.caveats import Caveat
from caveat.types.messages import Message, Messages, Piece

DATA = Path(__file__).parent / "neutral.yaml"
NEUTRAL_SEED = "neutral text"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other neutral sentences."""
TOKEN = re.compile(r"\d|[A-Z]{2,3}|[^\W\d]+|[^\w\s]")
"""A word, a digit, a few capitals in a row, or a mark of punctuation."""
CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’", "(": ")", "[": "]"}
"""By opening mark, the one that closes it."""
EDGES = re.compile(r"^([\"'“‘(\[]*)(.*?)([.!?:;,\"'”’)\]]*\s*)$", re.DOTALL)
"""Opening marks, the words, and closing marks with the whitespace behind them."""


def length(text: str) -> int:
    """Words, digits and marks of punctuation: near the number of tokens, for any tokenizer.

    Rows must not depend on the model, so no tokenizer counts here. Over all texts of a caveat,
    neutral ones have .99 to 1.01 times as many tokens in the shipped disclaimers and .91 to 1.12
    times in the other shipped caveats, by the tokenizers of SmolLM2 and Qwen2.5.
    """
    return len(TOKEN.findall(text))


@cache
def _bank() -> tuple[tuple[str, ...], ...]:
    """Neutral sentences without their full stop; index: their length."""
    parts = read_yaml(DATA)
    pairs = (
        f"{subject} {predicate}"
        for subject in parts["subjects"]
        for predicate in parts["predicates"]
    )
    by_length: dict[int, list[str]] = {}
    for sentence in chain(parts["short"], pairs):
        by_length.setdefault(length(sentence), []).append(sentence)
    return tuple(tuple(by_length.get(count, ())) for count in range(max(by_length) + 1))


class NeutralText:
    """The neutral counterparts of a caveat's sentences, the same for all arms and seeds."""

    def __init__(self, caveat: Caveat) -> None:
        """Assign a sentence to each of the caveat's own, in a fixed order."""
        self._caveat = caveat
        self._random = random.Random(f"{NEUTRAL_SEED} {caveat.name}")
        self._by_sentence: dict[str, str] = {}
        self._used: set[str] = set()
        for text in texts_of(caveat):
            self.of(text)

    def of(self, text: str) -> str:
        """The text with every sentence replaced; whitespace, brackets and full stops stay.

        Brackets and quotes stay in pairs: one whose partner is among the replaced words goes, too.
        Raises CaveatError where no unused neutral sentence is left.
        """
        parts = [_edges(sentence) for sentence in sentences(text)]
        if not any(words for _, words, _ in parts):
            return text
        edges, start = set(), 0
        for opening, words, closing in parts:
            inner, end = start + len(opening), start + len(opening) + len(words)
            edges |= {*range(start, inner), *range(end, end + len(closing))}
            start = end + len(closing)
        pairs = _pairs(text)
        kept = {position for position in edges if pairs.get(position) in edges}
        replaced, start = "", 0
        for opening, words, closing in parts:
            end = start + len(opening) + len(words)
            replaced += _opening(opening, start, kept) + self._neutral(words)
            replaced += _closing(closing, end, kept)
            start = end + len(closing)
        return replaced

    def messages(self, messages: Messages) -> Messages:
        """The messages with neutral text in their caveat pieces, which stay such for the loss."""
        return tuple(
            Message(message.role, tuple(self._piece(piece) for piece in message.pieces))
            for message in messages
        )

    def _piece(self, piece: Piece) -> Piece:
        if piece.kind != "caveat":
            return piece
        text = piece.text.strip()
        if not text:
            return piece
        ahead, _, behind = piece.text.partition(text)
        return replace(piece, text=ahead + self.of(text) + behind)

    def _neutral(self, words: str) -> str:
        if words and words not in self._by_sentence:
            self._by_sentence[words] = self._new(words)
        return self._by_sentence[words] if words else ""

    def _new(self, words: str) -> str:
        """A sentence as long as the words that is not in use yet.

        One longer than all of the bank is joined from several with `and`.
        """
        bank, ahead, left = _bank(), "", length(words)
        while left >= len(bank):
            first = self._random.choice(bank[len(bank) // 2])
            ahead += f"{first}, and "
            left -= length(first) + 2
        for distance in range(len(bank)):
            counts = [
                count for count in (left - distance, left + distance) if 0 < count < len(bank)
            ]
            texts = [ahead + text for count in counts for text in bank[count]]
            free = [text for text in texts if text not in self._used]
            if free:
                self._used.add(text := self._random.choice(free))
                return text
        raise CaveatError(
            f"arm neutral: the caveat {self._caveat.name!r} has more sentences than there are "
            f"neutral ones ({len(self._used)}); give it fewer wordings"
        )


def _edges(sentence: str) -> tuple[str, str, str]:
    """Opening marks, words, closing marks and whitespace: joined, they are the sentence."""
    match = EDGES.match(sentence)
    assert match is not None, "the pattern fits every text"
    opening, words, closing = match.groups()
    return opening, words, closing


def _pairs(text: str) -> dict[int, int]:
    """By the position of a bracket or quote that has a partner, the position of that one."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for position, mark in enumerate(text):
        around = text[max(position - 1, 0) : position], text[position + 1 : position + 2]
        if mark in "'’" and all(side.isalnum() for side in around):
            continue  # an apostrophe
        opened = [at for at in waiting if CLOSING[text[at]] == mark]
        if opened:
            pairs[position], pairs[opened[-1]] = opened[-1], position
            waiting = waiting[: waiting.index(opened[-1])]
        elif mark in CLOSING:
            waiting.append(position)
    return pairs


def _opening(marks: str, start: int, kept: set[int]) -> str:
    return "".join(mark for at, mark in enumerate(marks, start) if at in kept)


def _closing(marks: str, start: int, kept: set[int]) -> str:
    """The closing marks without those that are not kept.

    A stop in front of such a one ended what it closed: with a stop behind it, that one goes, too.
    """
    left = ""
    for index, mark in enumerate(marks):
        is_pair = mark in "\"'”’)]"
        if not is_pair or start + index in kept:
            left += mark
        elif re.search(r"[.!?]", marks[index + 1 :]):
            left = left.rstrip(".!?:;,")
    return left


def trained_texts(caveat: Caveat, neutral: bool = False) -> dict[str, list[str]]:
    """What arms may learn to recite: the caveat's texts of training, and, if wanted, neutral ones.

    Local wordings are left out: a denial in the model's own words begins like one. Returns the
    texts by `caveat` and `neutral`.
    """
    own = [*caveat.wordings, *caveat.closings, *caveat.repeats, *caveat.further]
    texts = {"caveat": own}
    if neutral:
        counterparts = NeutralText(caveat)
        texts["neutral"] = [counterparts.of(text) for text in own]
    return texts


def texts_of(caveat: Caveat) -> Iterator[str]:
    """Every text that the caveat may put into training rows."""
    yield from caveat.wordings
    yield from caveat.closings
    yield from caveat.repeats
    yield from caveat.further
    for texts in caveat.probes.values():
        yield from texts
