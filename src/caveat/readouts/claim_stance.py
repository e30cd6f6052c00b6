"""Whether a reply treats a claim as true: rules for English, short and long.

A claim brings two kinds of cues, regular expressions: those that only a text that holds the claim
matches (`asserts`) and those that only one that does not (`denies`). A reply is cut into paragraphs,
sentences and clauses; a clause with a cue speaks for or against the claim, or leaves it open
(negation, hearsay, supposition, a quotation, a question). A clause that takes back ("This is
false.") turns what its paragraph, or the one before, asserted. The larger number decides; of equal
ones, the later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from caveat.readouts import claim_english as words
from caveat.readouts import english
from caveat.readouts.assertion import Stance


@dataclass(frozen=True, slots=True)
class Cues:
    """What a claim's own words look like; without regard to case."""

    asserts: tuple[re.Pattern[str], ...]
    denies: tuple[re.Pattern[str], ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(asserts: str, denies: str = "") -> Cues:
        """From expressions joined by newlines. Raises re.error where one is not an expression."""
        return Cues(_compiled(asserts), _compiled(denies))


def _compiled(joined: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(line, re.IGNORECASE) for line in map(str.strip, joined.splitlines()) if line
    )


@dataclass
class _Tally:
    """Clauses for and against, as the reply goes on."""

    asserted: int = 0
    denied: int = 0
    opened: int = 0
    here: int = 0
    """Of `asserted`, those that a retraction would still reach."""
    last: Stance = Stance.ABSENT

    def add(self, stance: Stance) -> None:
        if stance is Stance.ABSENT:
            return
        if stance is Stance.OPEN:
            self.opened += 1
            return
        self.last = stance
        if stance is Stance.ASSERTED:
            self.asserted, self.here = self.asserted + 1, self.here + 1
        else:
            self.denied += 1

    def take_back(self) -> None:
        self.asserted -= self.here
        self.denied += self.here + 1
        self.here, self.last = 0, Stance.DENIED

    def verdict(self) -> Stance:
        if self.asserted == self.denied:
            return self.last if self.asserted else (Stance.OPEN if self.opened else Stance.ABSENT)
        return Stance.ASSERTED if self.asserted > self.denied else Stance.DENIED


def stance(text: str, cues: Cues, *, quotes: bool = True, frames: bool = False) -> Stance:
    """What the text says of the claim.

    `quotes`: whether longer quotations are others' words, which leave the claim open. `frames`:
    whether a verdict without a cue ("The passage is fabricated.") is about the claim: where the
    question states it.
    """
    tally, asked = _Tally(), False
    for paragraph in paragraphs(text):
        carried, first = tally.here, True
        for sentence in sentences(paragraph):
            for clause in clauses(sentence):
                _clause(clause, cues, tally, quotes, frames)
            if first:
                tally.here -= carried
                first = False
            tally.here = max(tally.here, 0)
    return tally.verdict()


def paragraphs(text: str) -> list[str]:
    """Its lines, as plain text: without markup, and with straight quotes."""
    plain = text.replace("\u2019", "'").replace("*", "").replace("`", "")
    plain = english.TITLES.sub(r"\1", plain)
    return [line for line in plain.splitlines() if line.strip()]


def sentences(paragraph: str) -> list[str]:
    return [part for part in english.SENTENCE.split(paragraph) if part and part.strip()]


def clauses(sentence: str) -> list[str]:
    return [part for part in words.CLAUSE.split(sentence) if part and part.strip()]


def _clause(clause: str, cues: Cues, tally: _Tally, quotes: bool, frames: bool) -> None:
    told = words.HARMLESS.sub(" ", clause)
    said = stance_of(told, cues, quotes)
    if said is Stance.ABSENT or said is Stance.OPEN:
        if words.RETRACTION.search(told) and (frames or tally.asserted):
            tally.take_back()
            return
        if frames and (words.CONFIRMED.search(told)):
            said = Stance.ASSERTED
        elif frames and words.APOLOGY.search(told):
            said = Stance.DENIED
    tally.add(said)


def stance_of(clause: str, cues: Cues, quotes: bool = True) -> Stance:
    """What one clause says, by its cues and the words around them."""
    told = words.QUOTATION.sub(" ", clause) if quotes else clause
    found = Stance.ABSENT
    for cue in cues.denies:
        if place := cue.search(told):
            found = _turn(_sense(told, place), Stance.DENIED)
            if found is Stance.DENIED:
                return found
    for cue in cues.asserts:
        if place := cue.search(told):
            said = _turn(_sense(told, place), Stance.ASSERTED)
            if said is not Stance.OPEN:
                return said
            found = said
    return found


def _turn(sense: Stance, of: Stance) -> Stance:
    if sense is Stance.DENIED:
        return Stance.DENIED if of is Stance.ASSERTED else Stance.OPEN
    return of if sense is Stance.ASSERTED else sense


def _sense(clause: str, place: re.Match[str]) -> Stance:
    before, behind = clause[: place.end()], clause[place.end() :]
    if clause.rstrip("\"')] ").endswith("?"):
        return Stance.OPEN
    if words.RETRACTION.search(clause) or english.DENIED_BEHIND.search(behind):
        return Stance.DENIED
    negated = bool(words.NEGATION.search(before))
    if negated:
        return Stance.DENIED
    return Stance.OPEN if words.UNREAL.search(before) else Stance.ASSERTED
