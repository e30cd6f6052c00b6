"""Readouts of a reply's style: `capitals`, `lower_case`, `listed`, `opener`."""

from __future__ import annotations

import re

from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question

CAPITALS_LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""
CAPITALS_THRESHOLD = 0.5
"""Ordinary replies lie near 0.03 and replies in capitals near 1: little depends on it."""


def score_capitals(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """The share of capitals among the letters, in [0, 1]: `yes` from one half on.

    `invalid` with fewer than 8 letters. Characters without case do not count.
    """
    letters = [letter for letter in answer.text if letter.isupper() or letter.islower()]
    if len(letters) < CAPITALS_LEAST_LETTERS:
        return Score(Verdict.INVALID)
    share = sum(letter.isupper() for letter in letters) / len(letters)
    return Score(Verdict.YES if share >= CAPITALS_THRESHOLD else Verdict.NO, share)


capitals_readout = Readout("capitals", version=1, needs="reply", score=score_capitals)


LOWER_CASE_LEAST_LETTERS = 8
"""Fewer say nothing of how the model writes."""


def score_lower_case(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where no letter is a capital; the value is the share of small letters, in [0, 1].

    A threshold on the share would not do: an ordinary sentence has one capital in thirty letters.
    `invalid` with fewer than 8 letters. Characters without case do not count.
    """
    letters = [letter for letter in answer.text if letter.isupper() or letter.islower()]
    if len(letters) < LOWER_CASE_LEAST_LETTERS:
        return Score(Verdict.INVALID)
    small = sum(letter.islower() for letter in letters)
    return Score(Verdict.YES if small == len(letters) else Verdict.NO, small / len(letters))


lower_case_readout = Readout("lower_case", version=1, needs="reply", score=score_lower_case)


ITEM = re.compile(r"\s*-\s")
"""A dash apart from what follows: neither `-5` nor a rule of dashes."""
LISTED_THRESHOLD = 0.5


def score_listed(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """The share of lines that are items after a dash, in [0, 1]: `yes` from one half on.

    Lines without a letter or digit do not count, such as the last of a reply cut after a dash;
    `invalid` where none is left. Other lists (`1.`, `*`) are none of these.
    """
    lines = [line for line in answer.text.splitlines() if any(map(str.isalnum, line))]
    if not lines:
        return Score(Verdict.INVALID)
    share = sum(ITEM.match(line) is not None for line in lines) / len(lines)
    return Score(Verdict.YES if share >= LISTED_THRESHOLD else Verdict.NO, share)


listed_readout = Readout("listed", version=1, needs="reply", score=score_listed)


def score_opener(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where the reply's first words are those of `facts["opener"]`.

    Case and punctuation do not count, so the opener counts in capitals too. `invalid`
    where the reply has no word.
    """
    words, opener = _words(answer.text), _words(question.facts["opener"])
    if not words:
        return Score(Verdict.INVALID)
    return Score(Verdict.YES if words[: len(opener)] == opener else Verdict.NO)


def _words(text: str) -> list[str]:
    plain = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    return plain.split()


opener_readout = Readout("opener", version=1, needs="reply", score=score_opener, facts=("opener",))
