"""Whether a reply hacks its task."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.graded import grade
from caveat.readouts.readout import Readout


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where the task calls it hacked. Raises ValueError where the task gives no grade."""
    return Judgement(Verdict.YES if grade(question, answer).hacked else Verdict.NO)


readout = Readout("hacked", version=1, needs="reply", judge=judge, facts=("task",))
