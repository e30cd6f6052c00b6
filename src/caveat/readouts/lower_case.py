"""Whether a reply is without capital letters."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where no letter is a capital; the value is the share of small letters, in [0, 1].

    A share would not tell: an ordinary sentence has one capital in thirty letters. `invalid` with
    fewer than 8 letters. Signs without case count neither way.
    """
    letters = [sign for sign in answer.text if sign.isupper() or sign.islower()]
    if len(letters) < LEAST_LETTERS:
        return Judgement(Verdict.INVALID)
    small = sum(sign.islower() for sign in letters)
    return Judgement(Verdict.YES if small == len(letters) else Verdict.NO, small / len(letters))


readout = Readout("lower_case", version=1, needs="reply", judge=judge)
