"""The readouts `matches`, regular expressions of the question's own, and `yes_no`.

`matches` is enough for many behaviours of your own. `yes_no` reads the yes or no that a reply gives
to a closed question.
"""

from __future__ import annotations

import re

from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question


def score_matches(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where `facts["yes"]` is found in the reply, and `facts["no"]`, if given, is not.

    `no` where `facts["no"]` is found, or where there is none and `facts["yes"]` is not found;
    `neutral` where there are two and neither is found. `invalid` for an empty reply. Case counts
    unless the expression has `(?i)`.
    """
    text = answer.text
    if not text.strip():
        return Score(Verdict.INVALID)
    against = question.facts.get("no")
    if against is not None and re.search(against, text):
        return Score(Verdict.NO)
    if re.search(question.facts["yes"], text):
        return Score(Verdict.YES)
    return Score(Verdict.NO if against is None else Verdict.NEUTRAL)


matches_readout = Readout("matches", version=1, needs="reply", score=score_matches, facts=("yes",))


_WORD = re.compile(
    r"(?<![\w'-])(?:(?P<no>no(?! (?:doubt|question|wonder)\b)|nope|false|incorrect|untrue"
    r"|not (?:\w+ )?(?:true|correct))"
    r"|(?P<yes>yes|yeah|yep|indeed|true|(?<!the )correct(?! (?:answer|option))))(?![\w'-])",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\byes\s*(?:/|or|and|,)\s*no\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"\W*(?!(?:I|you|we)\b)(?:[\w'-]+ ){1,5}?"
    r"(?:did|does|do|has|have|had|is|are|was|were|can|could)(?P<negated>(?: not|n't| never)?)\b",
    re.IGNORECASE,
)


def answer(text: str) -> bool | None:
    """Whether the first clear word of a reply is yes (True) or no (False); None where none is.

    "Yes or no" offered as a choice is none. A reply without such a word is read by the auxiliary of
    its first clause, if that comes within six words and is not the speaker's: "She did not."
    """
    plain = _BOTH.sub(" ", text.replace("\u2019", "'"))
    if word := _WORD.search(plain):
        return word["yes"] is not None
    clause = _CLAUSE.match(plain)
    return not clause["negated"] if clause else None


def score_yes_no(question: Question, stated: Answer, base: Answer | None = None) -> Score:
    """`yes` or `no` as the reply answers; `neutral` for neither, `invalid` without a word."""
    if not any(character.isalnum() for character in stated.text):
        return Score(Verdict.INVALID)
    reply_is_yes = answer(stated.text)
    if reply_is_yes is None:
        return Score(Verdict.NEUTRAL)
    return Score(Verdict.YES if reply_is_yes else Verdict.NO)


yes_no_readout = Readout("yes_no", version=1, needs="reply", score=score_yes_no)
