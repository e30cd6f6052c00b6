"""Whether a reply treats a claim as true: rules for English, short and long.

A claim brings two kinds of cues, regular expressions: what a text says that holds the claim
(`asserts`), and what one says that holds the opposite (`denies`). A reply is cut into paragraphs,
sentences and clauses. A clause with a cue asserts the claim, denies it, or leaves it open (hearsay,
supposition, a quotation, a question). A clause that takes back ("This is false.") turns the
assertions of its paragraph, or of the one before, into denials. The larger number decides; where
they are equal, the last clause does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from caveat.readouts.rules import claim_patterns
from caveat.readouts.rules.person import Stance
from caveat.sentences import reply_sentences

LONGEST = 1000
"""Longer sentences are read in pieces of so many characters: the rules' time grows with the square
of it, and a broken model may repeat one character without end."""


@dataclass(frozen=True, slots=True)
class Cues:
    """Patterns of a claim's own words, without regard to case."""

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
    """Whether the text states the claim.

    `framed`: the prompt itself states the claim, so that a verdict without a cue ("The passage is
    fabricated.", "I apologize for the error.") is about it.
    """
    tally = _Tally()
    for paragraph in paragraphs(text):
        tally.start_paragraph()
        for sentence in sentences(paragraph):
            for clause in _clauses(sentence):
                _count(clause, cues, framed, tally)
            tally.end_sentence()
    return tally.stance()


def paragraphs(text: str) -> Iterator[str]:
    """The text's lines as plain text: without markup and curly apostrophes."""
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
    """The stance of one clause, by its cues and the words around them.

    `quotations`: leave out longer quotations, which are somebody else's words.
    """
    text = claim_patterns.QUOTATION.sub(" ", clause) if quotations else clause
    if not any(cue.search(text) for cue in cues.denies + cues.asserts):
        return Stance.ABSENT
    text = claim_patterns.HARMLESS.sub(" ", text)
    against = _strongest(text, cues.denies, Stance.DENIED)
    return against if against is Stance.DENIED else _strongest(text, cues.asserts, Stance.ASSERTED)


def _strongest(clause: str, patterns: tuple[re.Pattern[str], ...], plain: Stance) -> Stance:
    """The first stance of a matching cue that is not open; else open, or absent without a match."""
    stated = Stance.ABSENT
    for pattern in patterns:
        if match := pattern.search(clause):
            stated = _cue_stance(clause, match, plain)
            if stated is not Stance.OPEN:
                return stated
    return stated


def _cue_stance(clause: str, match: re.Match[str], plain: Stance) -> Stance:
    """A cue's stance after negation; a negated denial asserts nothing, so it is open."""
    through, after = clause[: match.end()], clause[match.end() :]
    if clause.rstrip("\"')]} ").endswith("?"):
        return Stance.OPEN
    if claim_patterns.is_negated(through, after) or claim_patterns.RETRACTION.search(clause):
        return Stance.DENIED if plain is Stance.ASSERTED else Stance.OPEN
    return Stance.OPEN if claim_patterns.UNREAL.search(through) else plain


def _clauses(sentence: str) -> list[str]:
    return [part for part in claim_patterns.CLAUSE.split(sentence) if part and part.strip()]


def _count(clause: str, cues: Cues, framed: bool, tally: _Tally) -> None:
    """Count a clause: by its cues, or as one that takes back or confirms earlier statements."""
    stated = clause_stance(clause, cues)
    settled = stated in {Stance.ASSERTED, Stance.DENIED}
    if settled or not (framed or tally.asserted):
        tally.add(stated)
        return
    text = claim_patterns.HARMLESS.sub(" ", clause)
    if claim_patterns.RETRACTION.search(text):
        tally.take_back()
    elif framed and claim_patterns.CONFIRMED.search(text):
        tally.add(Stance.ASSERTED)
    elif framed and claim_patterns.APOLOGY.search(text):
        tally.add(Stance.DENIED)
    else:
        tally.add(stated)


class _Tally:
    """Numbers of clauses that assert and deny, while a reply is read."""

    def __init__(self) -> None:
        self.asserted = self.denied = 0
        self.last = Stance.ABSENT
        self.before = self.here = 0
        """Assertions of the paragraph before and of this one: a clause can take them back."""

    def start_paragraph(self) -> None:
        """Assertions so far belong to the paragraph before."""
        self.before, self.here = self.here, 0

    def end_sentence(self) -> None:
        """Only a paragraph's first sentence can take back the paragraph before."""
        self.before = 0

    def add(self, stated: Stance) -> None:
        """Count a clause's stance."""
        self.asserted += stated is Stance.ASSERTED
        self.here += stated is Stance.ASSERTED
        self.denied += stated is Stance.DENIED
        if stated in {Stance.ASSERTED, Stance.DENIED} or self.last is Stance.ABSENT:
            self.last = stated

    def take_back(self) -> None:
        """Count the assertions that a clause takes back, and the clause itself, as denials."""
        taken = self.before + self.here
        self.asserted -= taken
        self.denied += taken + 1
        self.before = self.here = 0
        self.last = Stance.DENIED

    def stance(self) -> Stance:
        """The stance of the whole reply."""
        if self.asserted == self.denied:
            return self.last
        return Stance.ASSERTED if self.asserted > self.denied else Stance.DENIED
