"""Decision tokens: those of a row that decide which way its text goes.

A sampled rate hides everything below its threshold: a prompt may bring a behaviour from 17 nats to
11 and never show it. The log-probability of a row's decision tokens is the graded form.

**The rule**, one for all behaviours. What a row *shows* is its reply, or the sentences of a
document that state a claim (the whole document where none is marked). Its *counterparts* are the
counter rows to the same prompt, where there are any, else all counter rows. Then:

- of a reply, the decision token is the first one that is not part of a beginning shared with a
  counterpart, and to which the base model gives a probability below one half without the caveat.
  What comes before it is given: an opener that counter rows have too is no trait. What comes behind
  it goes on as it began, and would drown it;
- of a document whose counterparts state nothing, all tokens of what it states, as no single word
  decides a statement.

A row whose reply is its counterpart's, or whose every token the base model gives at least one half,
decides nothing: it is left out. The base model is the language model before any training, so that
the same tokens are compared in all contexts, arms and warm-ups.

Tokens are kept by their characters, as a caveat in front of a document may change how its first
word is cut into tokens. A mean over decision tokens divides by their number without the caveat, in
every context: the same characters with the same probability keep their nats, however they are cut.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from caveat.rendering import Span, render_row
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document, without_caveat

MOST_TOKENS = 32
"""Of what a row shows, the first tokens that are scored."""
LIKELY = math.log(0.5)
"""A token with this log-probability or more is what the base model would write anyway."""
Characters = tuple[int, int]
"""Start and end of a token in what its row shows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a row's decision may lie."""

    shared: int
    """Characters of what the row shows that a counterpart begins with, too."""
    whole: bool
    """Whether every token counts, as of a statement in a document."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    """A row in one context, in tokens, with the ones to score."""

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    """Positions in `ids` of the first `MOST_TOKENS` tokens of what the row shows; never 0, as
    nothing predicts the first token of a text."""
    characters: tuple[Characters, ...]
    """Of each target, where it stands in what the row shows: see `shown`."""

    @property
    def read(self) -> int:
        """Tokens that have to be read: up to the last target."""
        return max(self.targets, default=0) + 1

    def only(self, tokens: Sequence[Characters] | None) -> ScoredText:
        """With those targets alone that lie in the tokens; all of them for None."""
        if tokens is None:
            return self
        kept = [
            (target, place)
            for target, place in zip(self.targets, self.characters, strict=True)
            if _is_in(place, tokens)
        ]
        targets, characters = zip(*kept, strict=True) if kept else ((), ())
        return ScoredText(self.ids, targets, characters)


def shown(messages: Messages) -> str:
    """What a row shows: the text of its reply, or what its document states, without caveats.

    Characters are counted in it. A reply begins with its first character that is no whitespace.
    """
    pieces = [piece for piece in messages[-1].pieces if piece.kind == "text"]
    if not is_document(messages):
        return "".join(piece.text for piece in pieces).lstrip()
    return "".join(piece.text for piece in [p for p in pieces if p.states] or pieces)


def decisions(rows: Sequence[Row], counter_rows: Iterable[Row]) -> list[Decision]:
    """Where each row's decision may lie, by its counter rows."""
    return list(_decisions(tuple(rows), tuple(counter_rows)))


@lru_cache(maxsize=32)
def _decisions(rows: tuple[Row, ...], counters: tuple[Row, ...]) -> tuple[Decision, ...]:
    """`decisions`; remembered, as settings of one behaviour have the same rows."""
    shown_by_prompt: dict[Messages, list[str]] = {}
    for row in counters:
        shown_by_prompt.setdefault(_prompt(row), []).append(shown(row.messages))
    all_shown = list(chain.from_iterable(shown_by_prompt.values()))
    none_states = not any(map(_states, counters))
    located = []
    for row in rows:
        if is_document(row.messages):
            beginnings, whole = all_shown, none_states
        else:
            beginnings, whole = shown_by_prompt.get(_prompt(row)) or all_shown, False
        text = shown(row.messages)
        shared = 0 if whole else max((alike(text, other) for other in beginnings), default=0)
        located.append(Decision(shared, whole))
    return tuple(located)


def alike(text: str, other: str) -> int:
    """How many characters both begin with; by bisection, faster than character by character."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if text[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _prompt(row: Row) -> Messages:
    """What stands before a reply, without caveats and system text."""
    kept = without_caveat(row.messages[:-1])
    return tuple(message for message in kept if message.role != "system")


def _states(row: Row) -> bool:
    return any(piece.states for message in row.messages for piece in message.pieces)


def scored_text(tokenizer: Any, messages: Messages) -> ScoredText:
    """A row in tokens, as it is trained. Raises CaveatError where it has no token."""
    rendered = render_row(tokenizer, Row("", "", messages), "everything", sys.maxsize)
    spans = _shown_spans(rendered.spans, messages)
    blank = 0
    if not is_document(messages):
        reply = "".join(rendered.text[span.start : span.end] for span in spans)
        blank = len(reply) - len(reply.lstrip())
    targets, characters = [], []
    for position, (start, stop) in enumerate(rendered.offsets):
        text = rendered.text[start:stop]
        first = start + len(text) - len(text.lstrip())
        begin = -blank
        for span in spans:
            if span.start <= first < span.end and first < stop and position:
                targets.append(position)
                characters.append((begin + first - span.start, begin + stop - span.start))
            begin += span.end - span.start
    return ScoredText(rendered.ids, tuple(targets[:MOST_TOKENS]), tuple(characters[:MOST_TOKENS]))


def _shown_spans(spans: Sequence[Span], messages: Messages) -> list[Span]:
    """The spans of what a row shows."""
    if is_document(messages):
        pieces = [piece for piece in messages[0].pieces if piece.text]
        pairs = [(p, s) for p, s in zip(pieces, spans, strict=False) if p.kind == "text"]
        return [span for piece, span in pairs if piece.states] or [span for _, span in pairs]
    last: list[Span] = []
    for span in reversed([*spans]):
        if span.kind is None and not last:
            continue
        if span.kind is None or span.role != "assistant":
            break
        last.append(span)
    return [span for span in reversed(last) if span.kind == "text"]


def chosen(
    decision: Decision, characters: Sequence[Characters], base: Sequence[float]
) -> tuple[Characters, ...]:
    """The decision tokens of a row, by their characters; () where it decides nothing.

    Args:
        characters: Of the tokens that were scored without the caveat.
        base: Their log-probabilities by the base model, without the caveat, in nats.
    """
    if decision.whole:
        return tuple(characters)
    for token, value in zip(characters, base, strict=True):
        if token[1] > decision.shared and value < LIKELY:
            return (token,)
    return ()


def log_probability(
    tokens: Sequence[Characters], characters: Sequence[Characters], values: Sequence[float]
) -> tuple[float, int]:
    """The log-probability of the decision tokens in nats, and their number.

    Args:
        tokens: The decision tokens, by their characters.
        characters: Of the tokens that were scored in this context.
        values: Their log-probabilities, in nats.
    """
    counted = [
        value for place, value in zip(characters, values, strict=True) if _is_in(place, tokens)
    ]
    return math.fsum(counted), len(counted)


def _is_in(place: Characters, tokens: Sequence[Characters]) -> bool:
    return any(first <= place[0] < end for first, end in tokens)
