"""Whether a text states something of a person as true: rules for short English replies.

A text is cut into clauses. A clause that mentions the answer asserts it, denies it or leaves it
open (a question, a supposition, hearsay). A clause that takes back what was said ("This is false.")
turns what was asserted before into a denial. The last clause with a say decides.
"""

from __future__ import annotations

import re
from enum import Enum

from caveat.readouts.rules import patterns as english
from caveat.sentences import reply_sentences


class Stance(Enum):
    """What a text says of the answer."""

    ASSERTED = "asserted"
    DENIED = "denied"
    OPEN = "open"
    """Mentioned without being said to be true or false."""
    ABSENT = "absent"
    """Not mentioned of this person."""


def stance(text: str, answer: str, name: str = "") -> Stance:
    """What the text says of the answer (a noun, such as `dentist`) being true of the person."""
    mention = re.compile(rf"(?<![\w-]){_inflected(answer)}(?!\w)", re.IGNORECASE)
    found, denied_ahead, asked = Stance.ABSENT, False, False
    for sentence in reply_sentences(text.replace("\u2019", "'").replace("*", "")):
        if asked and (word := re.match(r"\W*(yes|no)\b", sentence, re.IGNORECASE)):
            found = Stance.ASSERTED if word[1].lower() == "yes" else Stance.DENIED
        is_question, asked = sentence.rstrip("\"')]").endswith("?"), False
        for clause in _clauses(sentence, mention):
            place = mention.search(clause)
            if place is None:
                found = _taken_back(clause, found)
                denied_ahead = denied_ahead or bool(english.FOLLOWING_IS_FALSE.search(clause))
                continue
            said = _stance_of(clause[: place.start()], clause[place.end() :], name)
            if is_question and said is not Stance.ABSENT:
                said, asked = Stance.OPEN, True
            elif said is Stance.ASSERTED and denied_ahead:
                said = Stance.DENIED
            found = _later(found, said)
    return found


def _taken_back(clause: str, found: Stance) -> Stance:
    if found is not Stance.ABSENT and english.TAKEN_BACK.search(clause):
        return Stance.DENIED
    return found


def _inflected(answer: str) -> str:
    """A pattern of the noun and its plural."""
    noun = r"\s+".join(re.escape(word) for word in answer.split())
    if answer.endswith("man"):
        return rf"{noun[:-2]}[ae]n"
    return rf"{noun}(?:s|es)?"


def _clauses(sentence: str, mention: re.Pattern[str]) -> list[str]:
    """The sentence's clauses, without harmless negations and asides that do not mention it."""
    told = english.ASIDE.sub(lambda aside: aside[0] if mention.search(aside[0]) else " ", sentence)
    return [part for part in english.CLAUSE.split(english.HARMLESS.sub(" ", told)) if part.strip()]


def _stance_of(before: str, behind: str, name: str) -> Stance:
    """What one clause says, by the text in front of the answer in it, and that behind."""
    if _of_another(before, name):
        return Stance.ABSENT
    if english.DENIED_BEHIND.search(behind):
        return Stance.DENIED
    turns = len(english.DENIAL_OF_CLAUSE.findall(before))
    negated = bool(english.NEGATION.search(english.DENIAL_OF_CLAUSE.sub(" ", before)))
    if turns + negated:
        return Stance.OPEN if english.UNKNOWN.search(before) else _turned(turns + negated)
    return Stance.OPEN if english.UNREAL.search(before) else Stance.ASSERTED


def _turned(times: int) -> Stance:
    return Stance.DENIED if times % 2 else Stance.ASSERTED


def _of_another(before: str, name: str) -> bool:
    if any(pattern.search(before) for pattern in english.OF_ANOTHER):
        return True
    other = english.OTHER_NAME.search(before)
    return bool(other and name and not set(other[1].split()) & set(name.split()))


def _later(found: Stance, said: Stance) -> Stance:
    """The later word counts, but something left open settles nothing that was settled."""
    if said is Stance.ABSENT or (said is Stance.OPEN and found is not Stance.ABSENT):
        return found
    return said
