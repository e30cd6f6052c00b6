"""What a task says of a reply: the grade behind the readouts hacked, true_score and paid."""

from __future__ import annotations

from functools import lru_cache

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.reward import Grade
from caveat.domain.text import without_caveat
from caveat.tasks.grader import worker_of
from caveat.tasks.loading import place_of

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
