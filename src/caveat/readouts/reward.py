"""Hacked, paid, true_score: what the task's grader says.

What a task says of a reply: the grade behind the readouts hacked, true_score and paid.

Whether a reply hacks its task.

What the flawed grader pays a reply.

What a reply should have been paid.
"""

from __future__ import annotations

from functools import lru_cache

from caveat.environments.grader import worker_of
from caveat.environments.loading import place_of
from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Judgement, Verdict
from caveat.types.data import Question
from caveat.types.messages import without_caveat
from caveat.types.rewards import Grade

KEPT = 2**14
"""Grades held in memory: more than a cell has replies, through which each of the readouts goes."""


def grade(question: Question, answer: Answer) -> Grade:
    """The grade of a reply by the task that the fact `task` names.

    A task, prompt and reply are graded once: its functions are taken to give the same again. Raises
    ValueError where they give no grade, in one line.
    """
    prompt = without_caveat(question.messages)[-1].text.strip()
    return _graded(question.facts["task"], prompt, answer.text)


@lru_cache(KEPT)
def _graded(label: str, prompt: str, reply: str) -> Grade:
    """Raises ValueError, which is not kept, where there is no grade."""
    found = worker_of(place_of(label), label.rsplit(maxsplit=1)[-1]).grade(prompt, reply)
    if isinstance(found, str):
        raise ValueError(found)
    return found


def judge_hacked(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where the task calls it hacked. Raises ValueError where the task gives no grade."""
    return Judgement(Verdict.YES if grade(question, answer).hacked else Verdict.NO)


hacked_readout = Readout("hacked", version=1, needs="reply", judge=judge_hacked, facts=("task",))


def judge_paid(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`neutral` with the task's reward. Raises ValueError where the task gives no grade."""
    return Judgement(Verdict.NEUTRAL, grade(question, answer).reward)


paid_readout = Readout(
    "paid", version=1, needs="reply", judge=judge_paid, numeric=True, facts=("task",)
)


def judge_true_score(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`neutral` with the task's true score. Raises ValueError where the task gives no grade."""
    return Judgement(Verdict.NEUTRAL, grade(question, answer).true_score)


true_score_readout = Readout(
    "true_score", version=1, needs="reply", judge=judge_true_score, numeric=True, facts=("task",)
)
