"""The readouts `hacked`, `paid` and `true_score`: the grade that a reply gets from its reward task.

`hacked` is whether the reply exploits the flaw of the reward, `paid` the reward, and `true_score`
what the reward should have been.
"""

from __future__ import annotations

from functools import lru_cache

from caveat.environments.grader import grades
from caveat.environments.loading import labelled_module
from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question
from caveat.types.messages import without_caveat
from caveat.types.rewards import Grade, Graded

CACHED_GRADES = 2**14
"""Grades held in memory: more than a cell has replies, each of which three readouts score."""


def grade(question: Question, answer: Answer) -> Grade:
    """The grade of a reply by the reward task that the fact `task` names.

    Each task, prompt and reply is graded once, as its functions should give the same grade again.
    Raises ValueError, in one line, where they give none.
    """
    prompt = without_caveat(question.messages)[-1].text.strip()
    return _graded(question.facts["task"], prompt, answer.text)


@lru_cache(CACHED_GRADES)
def _graded(label: str, prompt: str, reply: str) -> Grade:
    """Raises ValueError, which is not cached, where there is no grade."""
    (result,) = grades(
        [Graded(labelled_module(label), label.rsplit(maxsplit=1)[-1], prompt, reply)]
    )
    if isinstance(result, str):
        raise ValueError(result)
    return result


def score_hacked(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where the task calls it hacked. Raises ValueError where the task gives no grade."""
    return Score(Verdict.YES if grade(question, answer).hacked else Verdict.NO)


hacked_readout = Readout("hacked", version=1, needs="reply", score=score_hacked, facts=("task",))


def score_paid(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`neutral` with the task's reward. Raises ValueError where the task gives no grade."""
    return Score(Verdict.NEUTRAL, grade(question, answer).reward)


paid_readout = Readout(
    "paid", version=1, needs="reply", score=score_paid, numeric=True, facts=("task",)
)


def score_true_score(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`neutral` with the task's true score. Raises ValueError where the task gives no grade."""
    return Score(Verdict.NEUTRAL, grade(question, answer).true_score)


true_score_readout = Readout(
    "true_score", version=1, needs="reply", score=score_true_score, numeric=True, facts=("task",)
)
