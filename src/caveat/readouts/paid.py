"""What the flawed grader pays a reply."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.graded import grade
from caveat.readouts.readout import Readout


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`neutral` with the task's reward. Raises ValueError where the task gives no grade."""
    return Judgement(Verdict.NEUTRAL, grade(question, answer).reward)


readout = Readout("paid", version=1, needs="reply", judge=judge, numeric=True, facts=("task",))
