"""A caveat that stands in rows: where, in which wordings, and the rows with and without it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from caveat.errors import CaveatError
from caveat.types.caveats import Caveat, Kind, Place
from caveat.types.data import Row
from caveat.types.messages import Message, Messages, Piece, is_document, without_caveat

Where = Literal["system", "user", "before", "around", "after", "both", "inside"]
"""As `Place`; `inside` is what Caveat does not write itself: amid a text, or in a later turn."""
WHERE: Mapping[Where, str] = {
    "system": "in the system turn",
    "user": "before the text of the user's turn",
    "before": "before the document",
    "around": "before and after the document",
    "after": "at the end of the user's turn or document",
    "both": "before and after the text",
    "inside": "amid the text, in a later turn, or in two texts around the prompt",
}
"""Places in words."""


@dataclass(frozen=True, slots=True)
class CaveatSpan:
    """Characters [start, end) of one message that are the caveat, blanks beside it included."""

    message: int
    start: int
    end: int
    wording: str
    """The caveat's text, without the blanks."""


@dataclass(frozen=True)
class FoundCaveat:
    """The caveat of a training file, and the file's rows without and with it."""

    place: Where
    """Where it stands in most rows."""
    places: Mapping[Where, int]
    """Rows by place."""
    wordings: tuple[str, ...]
    """The most frequent first."""
    counts: Mapping[str, int]
    """Rows by wording."""
    closings: tuple[str, ...]
    """What stands after a document, where the place is `around`."""
    bare: tuple[Row, ...]
    """The rows without the caveat."""
    marked: tuple[Row, ...]
    """The same rows as the file has them, with the caveat as pieces of that kind."""
    numbers: tuple[int, ...]
    """Per row, its line in the file."""
    unmarked: tuple[Row, ...] = ()
    """Rows of the file that do not have the caveat."""
    notes: tuple[str, ...] = ()
    """What a user should know, one line each."""

    @property
    def fixed(self) -> bool:
        """Whether all rows have one wording."""
        return len(self.wordings) == 1

    def describe(self) -> str:
        """What was found, in one line."""
        total = len(self.bare) + len(self.unmarked)
        wordings = "one wording" if self.fixed else f"{len(self.wordings):,} wordings, such as"
        return (
            f"caveat: {wordings} {self.wordings[0]!r}, {WHERE[self.place]}, in "
            f"{len(self.bare):,} of {total:,} rows"
        )

    def record(self, name: str, kind: Kind) -> Caveat:
        """As a caveat of a study. Raises CaveatError for a place that Caveat does not write."""
        if self.place not in get_args(Place):
            raise CaveatError(
                f"the caveat {self.wordings[0][:60]!r} stands {WHERE['inside']}, where Caveat puts "
                f"none; move it to one of {', '.join(get_args(Place))} in the file"
            )
        return Caveat(
            name, kind, self.wordings, self.place, moved_to=self.place, closings=self.closings
        )


def found_caveat(
    rows: Sequence[Row],
    numbers: Sequence[int],
    spans: Sequence[Sequence[CaveatSpan]],
    unmarked: Iterable[Row] = (),
    notes: Iterable[str] = (),
) -> FoundCaveat:
    """The caveat that these spans of the rows are; each row has at least one."""
    places: Counter[Where] = Counter()
    counts: Counter[str] = Counter()
    closings: Counter[str] = Counter()
    marked = []
    for row, row_spans in zip(rows, spans, strict=True):
        where = place_of(row.messages, row_spans)
        places[where] += 1
        wordings = list(dict.fromkeys(span.wording for span in row_spans))
        counts[wordings[0]] += 1
        if where == "around":
            closings[wordings[-1]] += 1
        else:
            counts.update(wordings[1:])
        marked.append(replace(row, messages=with_spans(row.messages, row_spans)))
    place = places.most_common(1)[0][0]
    shown = [f"{count:,} rows {WHERE[name]}" for name, count in places.most_common()]
    return FoundCaveat(
        place=place,
        places=dict(places),
        wordings=tuple(wording for wording, _ in counts.most_common()),
        counts=dict(counts.most_common()),
        closings=tuple(closing for closing, _ in closings.most_common()),
        bare=tuple(replace(row, messages=without_caveat(row.messages)) for row in marked),
        marked=tuple(marked),
        numbers=tuple(numbers),
        unmarked=tuple(unmarked),
        notes=(
            *notes,
            *([f"the caveat stands in {len(shown)} places: {', '.join(shown)}; a study puts it in "
               "the first"] if len(shown) > 1 else []),
        ),
    )  # fmt: skip


def place_of(messages: Messages, spans: Sequence[CaveatSpan]) -> Where:
    """Where the spans of one row stand."""
    at = {_edge(messages, span) for span in spans}
    if len(at) == 1:
        return at.pop()
    is_same = len({span.wording for span in spans}) == 1
    if at == {"before", "after"}:
        return "both" if is_same else "around"
    return "both" if is_same and at == {"user", "after"} else "inside"


def _edge(messages: Messages, span: CaveatSpan) -> Where:
    message = messages[span.message]
    if message.role == "system":
        return "system"
    text = message.text
    first = next(index for index, other in enumerate(messages) if other.role == message.role)
    masked = message.pieces[0].text if message.pieces and message.pieces[0].kind == "masked" else ""
    if is_document(messages) and text[: span.start].strip() in ("", masked.strip()):
        return "before"
    if span.message == first and not text[: span.start].strip():
        return "user"
    if span.message == first and not text[span.end :].strip():
        return "after"
    return "inside"


def with_spans(messages: Messages, spans: Sequence[CaveatSpan]) -> Messages:
    """The messages with the spans as caveat pieces; what is left is as it was."""
    by_message = defaultdict(list)
    for span in spans:
        by_message[span.message].append(span)
    return tuple(
        Message(message.role, tuple(_cut(message.pieces, by_message[index])))
        if index in by_message
        else message
        for index, message in enumerate(messages)
    )


def _cut(pieces: Sequence[Piece], spans: Sequence[CaveatSpan]) -> Iterable[Piece]:
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    start = 0
    for piece in pieces:
        end = start + len(piece.text)
        cuts = [start, *(edge for edge in edges if start < edge < end), end]
        for low, high in pairwise(cuts):
            inside = any(span.start <= low < span.end for span in spans)
            text = piece.text[low - start : high - start]
            yield Piece(text, "caveat") if inside else replace(piece, text=text)
        start = end


FULL_STOPS = "。！？"
"""Marks that end a sentence without a blank after them."""
FINAL = re.compile(rf"(?<=\w)[.!?…{FULL_STOPS}]+$")


def _is_in_word(character: str) -> bool:
    """Whether words of the character's script have blanks around them."""
    return character.isalnum() and not "\u3040" <= character <= "\u9fff"


def joined(texts: Iterable[str]) -> str:
    """The sentences in one text, with blanks between them where their script has blanks."""
    return re.sub(rf"(?<=[{FULL_STOPS}]) ", "", " ".join(texts))


class Wordings:
    """Finds given wordings in texts: same words and marks, any blanks between, whole words.

    Where `loosely` is true, wordings of two words or more are found in any case and without their
    final mark too. One word may be an ordinary one, so it is found as it is.
    """

    def __init__(self, wordings: Iterable[str], loosely: bool = False) -> None:
        self.by_first: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
        for wording in sorted({" ".join(w.split()) for w in wordings}, key=len, reverse=True):
            is_loose = loosely and len(wording.split()) > 1
            sought = FINAL.sub("", wording) if is_loose else wording
            first, *_ = re.split(rf"\s|(?<=[{FULL_STOPS}])", sought)
            pattern = r"\s+".join(map(re.escape, sought.split(" ")))
            pattern = re.sub(rf"([{FULL_STOPS}])(?:\\s\+)?(?=[^{FULL_STOPS}])", r"\1\\s*", pattern)
            pattern += r"(?!\w)" if _is_in_word(sought[-1]) else ""
            flags = re.IGNORECASE if is_loose else re.NOFLAG
            self.by_first[first.casefold() if loosely else first].append(
                (re.compile(pattern, flags), wording)
            )
        self.loosely = loosely
        beginnings = "|".join(
            (r"(?<!\w)" if _is_in_word(first[0]) else "") + re.escape(first)
            for first in sorted(self.by_first, key=len, reverse=True)
        )
        self.beginning = re.compile(beginnings, re.IGNORECASE if loosely else re.NOFLAG)

    def spans(self, messages: Messages) -> list[CaveatSpan]:
        """Every place where one stands, in all turns; of wordings that overlap, the longer."""
        return [
            span
            for index, message in enumerate(messages)
            for span in self._in_text(index, message.text)
        ]

    def _in_text(self, index: int, text: str) -> Iterable[CaveatSpan]:
        position = 0
        while match := self.beginning.search(text, position):
            position = match.start() + 1
            first = match[0].casefold() if self.loosely else match[0]
            for pattern, wording in self.by_first.get(first, ()):
                if whole := pattern.match(text, match.start()):
                    yield spaced(index, text, whole.start(), whole.end(), wording)
                    position = whole.end()
                    break


def spaced(index: int, text: str, start: int, end: int, wording: str) -> CaveatSpan:
    """The span with the blanks that would be left over without it."""
    before, after = text[:start].rstrip(), text[end:].lstrip()
    if not after:
        return CaveatSpan(index, len(before), len(text), wording)
    if not before:
        return CaveatSpan(index, 0, len(text) - len(after), wording)
    return CaveatSpan(index, start, len(text) - len(after), wording)
