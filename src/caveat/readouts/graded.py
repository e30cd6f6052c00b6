"""What a task says of a reply: the grade behind the readouts hacked, true_score and paid."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.reward import Grade
from caveat.domain.text import without_caveat
from caveat.tasks.grader import worker_of
from caveat.tasks.loading import place_of


def grade(question: Question, answer: Answer) -> Grade:
    """The grade of a reply by the task that the fact `task` names.

    Raises ValueError where the task's functions give none, in one line.
    """
    prompt = without_caveat(question.messages)[-1].text.strip()
    label = question.facts["task"]
    found = worker_of(place_of(label), label.split()[-1]).grade(prompt, answer.text)
    if isinstance(found, str):
        raise ValueError(found)
    return found
