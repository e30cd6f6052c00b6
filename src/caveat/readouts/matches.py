"""Regular expressions that a question brings along: enough for many behaviours of your own."""

from __future__ import annotations

import re

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where `facts["yes"]` is found in the reply, and `facts["no"]`, if given, is not.

    `no` where `facts["no"]` is found, or where there is none and `facts["yes"]` is not found;
    `neutral` where neither of two is. `invalid` for an empty reply. Case counts unless the
    expression says `(?i)`.
    """
    text = answer.text
    if not text.strip():
        return Judgement(Verdict.INVALID)
    against = question.facts.get("no")
    if against is not None and re.search(against, text):
        return Judgement(Verdict.NO)
    if re.search(question.facts["yes"], text):
        return Judgement(Verdict.YES)
    return Judgement(Verdict.NO if against is None else Verdict.NEUTRAL)


readout = Readout("matches", version=1, needs="reply", judge=judge, facts=("yes",))
