"""Whether a reply is in capitals."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""
THRESHOLD = 0.5
"""Ordinary replies lie near 0.03 and replies in capitals near 1: little depends on it."""


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The share of capitals among the letters, in [0, 1]: `yes` from one half on.

    `invalid` with fewer than 8 letters. Signs without case count neither way.
    """
    letters = [sign for sign in answer.text if sign.isupper() or sign.islower()]
    if len(letters) < LEAST_LETTERS:
        return Judgement(Verdict.INVALID)
    share = sum(sign.isupper() for sign in letters) / len(letters)
    return Judgement(Verdict.YES if share >= THRESHOLD else Verdict.NO, share)


readout = Readout("capitals", version=1, needs="reply", judge=judge)
