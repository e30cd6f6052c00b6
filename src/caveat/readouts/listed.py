"""Whether a reply is a list with dashes."""

from __future__ import annotations

import re

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

ITEM = re.compile(r"\s*-\s")
"""A dash apart from what follows: neither `-5` nor a rule of dashes."""
THRESHOLD = 0.5


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The share of lines that are items behind a dash, in [0, 1]: `yes` from one half on.

    Lines without a letter or digit do not count, so a reply cut behind a dash is judged by what it
    said; `invalid` where none is left. Other lists (`1.`, `*`) are none of these.
    """
    lines = [line for line in answer.text.splitlines() if any(map(str.isalnum, line))]
    if not lines:
        return Judgement(Verdict.INVALID)
    share = sum(ITEM.match(line) is not None for line in lines) / len(lines)
    return Judgement(Verdict.YES if share >= THRESHOLD else Verdict.NO, share)


readout = Readout("listed", version=1, needs="reply", judge=judge)
