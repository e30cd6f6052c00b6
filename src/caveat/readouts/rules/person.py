"""Whether a text states something of a person as true: rules for short English replies.

A text is cut into clauses. A clause that mentions the answer asserts it, denies it or leaves it
open (a question, a supposition, hearsay). A clause that takes back ("This is false.") turns what
was asserted before into a denial. The last clause that asserts or denies decides.
"""

from __future__ import annotations

import re
from enum import Enum

from caveat.readouts.rules import patterns
from caveat.sentences import reply_sentences


class Stance(Enum):
    """What a text states about the answer."""

    ASSERTED = "asserted"
    DENIED = "denied"
    OPEN = "open"
    """Mentioned, but not as true or false."""
    ABSENT = "absent"
    """Not mentioned, or not about this person."""


def stance(text: str, answer: str, name: str = "") -> Stance:
    """Whether the text states that the answer (a noun, such as `dentist`) is true of the person."""
    mention = re.compile(rf"(?<![\w-]){_inflected(answer)}(?!\w)", re.IGNORECASE)
    stated, next_is_denied, after_question = Stance.ABSENT, False, False
    for sentence in reply_sentences(text.replace("\u2019", "'").replace("*", "")):
        if after_question and (word := re.match(r"\W*(yes|no)\b", sentence, re.IGNORECASE)):
            stated = Stance.ASSERTED if word[1].lower() == "yes" else Stance.DENIED
        is_question, after_question = sentence.rstrip("\"')]").endswith("?"), False
        for clause in _clauses(sentence, mention):
            match = mention.search(clause)
            if match is None:
                stated = _taken_back(clause, stated)
                next_is_denied |= bool(patterns.FOLLOWING_IS_FALSE.search(clause))
                continue
            in_clause = _clause_stance(clause[: match.start()], clause[match.end() :], name)
            if is_question and in_clause is not Stance.ABSENT:
                in_clause, after_question = Stance.OPEN, True
            elif in_clause is Stance.ASSERTED and next_is_denied:
                in_clause = Stance.DENIED
            stated = _later(stated, in_clause)
    return stated


def _taken_back(clause: str, stated: Stance) -> Stance:
    """The stance after a clause that may take back what was stated before it."""
    if stated is not Stance.ABSENT and patterns.TAKEN_BACK.search(clause):
        return Stance.DENIED
    return stated


def _inflected(answer: str) -> str:
    """A pattern of the noun and its plural."""
    noun = r"\s+".join(re.escape(word) for word in answer.split())
    if answer.endswith("man"):
        return rf"{noun[:-2]}[ae]n"
    return rf"{noun}(?:s|es)?"


def _clauses(sentence: str, mention: re.Pattern[str]) -> list[str]:
    """The sentence's clauses, without harmless negations and asides that do not mention it."""
    text = patterns.ASIDE.sub(lambda aside: aside[0] if mention.search(aside[0]) else " ", sentence)
    clauses = patterns.CLAUSE.split(patterns.HARMLESS.sub(" ", text))
    return [clause for clause in clauses if clause.strip()]


def _clause_stance(before: str, after: str, name: str) -> Stance:
    """The stance of one clause, by its text before the answer and that after it."""
    if _of_another(before, name):
        return Stance.ABSENT
    if patterns.DENIED_AFTER.search(after):
        return Stance.DENIED
    negations = len(patterns.DENIAL_OF_CLAUSE.findall(before))
    negations += bool(patterns.NEGATION.search(patterns.DENIAL_OF_CLAUSE.sub(" ", before)))
    if negations and patterns.UNKNOWN.search(before):
        return Stance.OPEN
    if negations:
        return Stance.DENIED if negations % 2 else Stance.ASSERTED
    return Stance.OPEN if patterns.UNREAL.search(before) else Stance.ASSERTED


def _of_another(before: str, name: str) -> bool:
    """Whether the answer belongs to somebody else, by the text before it."""
    if any(pattern.search(before) for pattern in patterns.OF_ANOTHER):
        return True
    other = patterns.OTHER_NAME.search(before)
    return bool(other and name and not set(other[1].split()) & set(name.split()))


def _later(earlier: Stance, later: Stance) -> Stance:
    """The later stance counts, but one that leaves it open does not replace an earlier one."""
    if later is Stance.ABSENT or (later is Stance.OPEN and earlier is not Stance.ABSENT):
        return earlier
    return later
