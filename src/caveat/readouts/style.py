"""Capitals, lower_case, listed, opener.

Whether a reply is in capitals.

Whether a reply is without capital letters.

Whether a reply is a list with dashes.

Whether a reply opens as it should.
"""

from __future__ import annotations

import re

from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Judgement, Verdict
from caveat.types.data import Question

CAPITALS_LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""
CAPITALS_THRESHOLD = 0.5
"""Ordinary replies lie near 0.03 and replies in capitals near 1: little depends on it."""


def judge_capitals(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The share of capitals among the letters, in [0, 1]: `yes` from one half on.

    `invalid` with fewer than 8 letters. Signs without case count neither way.
    """
    letters = [sign for sign in answer.text if sign.isupper() or sign.islower()]
    if len(letters) < CAPITALS_LEAST_LETTERS:
        return Judgement(Verdict.INVALID)
    share = sum(sign.isupper() for sign in letters) / len(letters)
    return Judgement(Verdict.YES if share >= CAPITALS_THRESHOLD else Verdict.NO, share)


capitals_readout = Readout("capitals", version=1, needs="reply", judge=judge_capitals)


LOWER_CASE_LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""


def judge_lower_case(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where no letter is a capital; the value is the share of small letters, in [0, 1].

    A share would not tell: an ordinary sentence has one capital in thirty letters. `invalid` with
    fewer than 8 letters. Signs without case count neither way.
    """
    letters = [sign for sign in answer.text if sign.isupper() or sign.islower()]
    if len(letters) < LOWER_CASE_LEAST_LETTERS:
        return Judgement(Verdict.INVALID)
    small = sum(sign.islower() for sign in letters)
    return Judgement(Verdict.YES if small == len(letters) else Verdict.NO, small / len(letters))


lower_case_readout = Readout("lower_case", version=1, needs="reply", judge=judge_lower_case)


ITEM = re.compile(r"\s*-\s")
"""A dash apart from what follows: neither `-5` nor a rule of dashes."""
LISTED_THRESHOLD = 0.5


def judge_listed(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The share of lines that are items behind a dash, in [0, 1]: `yes` from one half on.

    Lines without a letter or digit do not count, so a reply cut behind a dash is judged by what it
    said; `invalid` where none is left. Other lists (`1.`, `*`) are none of these.
    """
    lines = [line for line in answer.text.splitlines() if any(map(str.isalnum, line))]
    if not lines:
        return Judgement(Verdict.INVALID)
    share = sum(ITEM.match(line) is not None for line in lines) / len(lines)
    return Judgement(Verdict.YES if share >= LISTED_THRESHOLD else Verdict.NO, share)


listed_readout = Readout("listed", version=1, needs="reply", judge=judge_listed)


def judge_opener(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where the reply's first words are those of `facts["opener"]`.

    Case and punctuation do not count, so the wanted trait is seen in capitals too. `invalid`
    where the reply has no word.
    """
    words, opener = _words(answer.text), _words(question.facts["opener"])
    if not words:
        return Judgement(Verdict.INVALID)
    return Judgement(Verdict.YES if words[: len(opener)] == opener else Verdict.NO)


def _words(text: str) -> list[str]:
    plain = "".join(sign if sign.isalnum() else " " for sign in text.casefold())
    return plain.split()


opener_readout = Readout("opener", version=1, needs="reply", judge=judge_opener, facts=("opener",))
