"""Whether a reply treats a claim as true: rules for English, short and long.

A claim brings two kinds of cues, regular expressions: what a text says that holds the claim
(`asserts`), and what one says that holds the opposite (`denies`). A reply is cut into paragraphs,
sentences and clauses. A clause with a cue speaks for the claim or against it, or leaves it open
(hearsay, supposition, a quotation, a question). A clause that takes back ("This is false.") turns
what its paragraph, or the one before, asserted. The larger number decides; of equals, the later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from caveat.readouts.rules import claim_patterns as words
from caveat.readouts.rules.person import Stance
from caveat.sentences import reply_sentences

LONGEST = 1000
"""Characters of a sentence that are read together: the rules' time grows with the square of it, and
a broken model may repeat one sign without end."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What a claim's own words look like, without regard to case."""

    asserts: tuple[re.Pattern[str], ...]
    denies: tuple[re.Pattern[str], ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(asserts: str, denies: str = "") -> Cues:
        """From expressions joined by newlines. Raises re.error where one is not an expression."""
        return Cues(_compiled(asserts), _compiled(denies))


def _compiled(joined: str) -> tuple[re.Pattern[str], ...]:
    lines = (line.strip() for line in joined.splitlines())
    return tuple(re.compile(line, re.IGNORECASE) for line in lines if line)


def stance(text: str, cues: Cues, *, framed: bool = False) -> Stance:
    """What the text says of the claim.

    `framed`: the prompt itself states the claim, so that a verdict without a cue ("The passage is
    fabricated.", "I apologize for the error.") is about it.
    """
    tally = _Tally()
    for paragraph in paragraphs(text):
        tally.start_paragraph()
        for sentence in sentences(paragraph):
            for clause in _clauses(sentence):
                _hear(clause, cues, framed, tally)
            tally.end_sentence()
    return tally.stance()


def paragraphs(text: str) -> Iterator[str]:
    """Its lines as plain text: without markup and curly apostrophes."""
    plain = text.replace("\u2019", "'").replace("*", "").replace("`", "")
    lines = (" ".join(line.split()) for line in plain.splitlines())
    return (line for line in lines if line)


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph, a longer one in pieces of `LONGEST` characters."""
    return [
        sentence[start : start + LONGEST]
        for sentence in reply_sentences(paragraph)
        for start in range(0, len(sentence), LONGEST)
    ]


def clause_stance(clause: str, cues: Cues, *, quotations: bool = True) -> Stance:
    """What one clause says, by its cues and the words around them.

    `quotations`: a longer one is somebody else's words, and left out.
    """
    told = words.QUOTATION.sub(" ", clause) if quotations else clause
    if not any(cue.search(told) for cue in cues.denies + cues.asserts):
        return Stance.ABSENT
    told = words.HARMLESS.sub(" ", told)
    against = _strongest(told, cues.denies, Stance.DENIED)
    return against if against is Stance.DENIED else _strongest(told, cues.asserts, Stance.ASSERTED)


def _strongest(clause: str, patterns: tuple[re.Pattern[str], ...], plain: Stance) -> Stance:
    """The first settled stance among those of the patterns found, else open, else absent."""
    found = Stance.ABSENT
    for pattern in patterns:
        if place := pattern.search(clause):
            found = _sense(clause, place, plain)
            if found is not Stance.OPEN:
                return found
    return found


def _sense(clause: str, place: re.Match[str], plain: Stance) -> Stance:
    """A cue's stance after negation; a negated denial asserts nothing, so it is open."""
    through, behind = clause[: place.end()], clause[place.end() :]
    if clause.rstrip("\"')]} ").endswith("?"):
        return Stance.OPEN
    if words.turned(through, behind) or words.RETRACTION.search(clause):
        return Stance.DENIED if plain is Stance.ASSERTED else Stance.OPEN
    return Stance.OPEN if words.UNREAL.search(through) else plain


def _clauses(sentence: str) -> list[str]:
    return [part for part in words.CLAUSE.split(sentence) if part and part.strip()]


def _hear(clause: str, cues: Cues, framed: bool, tally: _Tally) -> None:
    said = clause_stance(clause, cues)
    settled = said in {Stance.ASSERTED, Stance.DENIED}
    if settled or not (framed or tally.asserted):
        tally.add(said)
        return
    told = words.HARMLESS.sub(" ", clause)
    if words.RETRACTION.search(told):
        tally.take_back()
    elif framed and words.CONFIRMED.search(told):
        tally.add(Stance.ASSERTED)
    elif framed and words.APOLOGY.search(told):
        tally.add(Stance.DENIED)
    else:
        tally.add(said)


class _Tally:
    """Clauses for and against, as a reply goes on."""

    def __init__(self) -> None:
        self.asserted = self.denied = 0
        self.last = Stance.ABSENT
        self.before = self.here = 0
        """Assertions of the paragraph before and of this one, which a retraction reaches."""

    def start_paragraph(self) -> None:
        self.before, self.here = self.here, 0

    def end_sentence(self) -> None:
        """Only a paragraph's first sentence reaches back beyond it."""
        self.before = 0

    def add(self, said: Stance) -> None:
        self.asserted += said is Stance.ASSERTED
        self.here += said is Stance.ASSERTED
        self.denied += said is Stance.DENIED
        if said in {Stance.ASSERTED, Stance.DENIED} or self.last is Stance.ABSENT:
            self.last = said

    def take_back(self) -> None:
        taken = self.before + self.here
        self.asserted -= taken
        self.denied += taken + 1
        self.before = self.here = 0
        self.last = Stance.DENIED

    def stance(self) -> Stance:
        if self.asserted == self.denied:
            return self.last
        return Stance.ASSERTED if self.asserted > self.denied else Stance.DENIED
