"""The yes or no that a reply gives to a closed question."""

from __future__ import annotations

import re

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

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


def judge(question: Question, stated: Answer, base: Answer | None = None) -> Judgement:
    """`yes` or `no` as the reply answers; `neutral` for neither, `invalid` without a word."""
    if not any(sign.isalnum() for sign in stated.text):
        return Judgement(Verdict.INVALID)
    said = answer(stated.text)
    if said is None:
        return Judgement(Verdict.NEUTRAL)
    return Judgement(Verdict.YES if said else Verdict.NO)


readout = Readout("yes_no", version=1, needs="reply", judge=judge)
