"""What the base model does under the caveat, under near misses of it, and without it.

Sampled: the share of replies that show the behaviour. Graded: the log-probability of the decision
tokens of held-out rows, which also moves where no reply shows the behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from caveat.check.base_model import CheckModel
from caveat.check.caveat_pieces import swapped
from caveat.check.panels import Measured, Measurement
from caveat.check.records import CheckQuestion, Interval
from caveat.forecast.decision_tokens import of_texts
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Sampling, Score
from caveat.types.data import Question, Row
from caveat.types.messages import Messages

NONE, EXACT = "none", "exact"
Judged = Callable[[Sequence[tuple[Question, Answer]]], list[Score]]
"""Scores answers by readouts that need a judge. Raises CaveatError where one has no verdict."""
Texts = Mapping[str, Sequence[str]]
"""By context, texts in the caveat's place; the contexts `none` and `exact` have none."""


@dataclass(frozen=True)
class Sampled:
    """Sampled replies of the base model, and how many show the behaviour."""

    measured: Measured
    replies: Mapping[str, tuple[Answer, ...]]
    """By context, in the order of the questions."""

    def rate(self, context: str) -> Interval:
        """The share that shows the behaviour in one context."""
        return self.measured.mean("base", context)

    @property
    def elicitation(self) -> Interval:
        """R(base, exact) - R(base, none)."""
        return self.measured.difference(("base", EXACT), ("base", NONE))


def sampled(
    model: CheckModel,
    questions: Sequence[Question],
    prompts: Mapping[str, Sequence[Messages]],
    sampling: Sampling,
    judged: Judged,
) -> Sampled:
    """Sample one reply a question and context, and score them.

    Args:
        prompts: By context, one prompt a question.
    """
    named = [
        (context, question, messages)
        for context, some in prompts.items()
        for question, messages in zip(questions, some, strict=True)
    ]
    answers = model.replies(
        [(f"{context} {question.id}", messages) for context, question, messages in named], sampling
    )
    scores = _scores(
        [(q, answer) for (_, q, _), answer in zip(named, answers, strict=True)], judged
    )
    measured = Measured(
        (
            Measurement("base", context, None, question.cluster, float(score.verdict == "yes"))
            for (context, question, _), score in zip(named, scores, strict=True)
        ),
        bounded=True,
    )
    size = len(questions)
    replies = {
        context: tuple(answers[index * size : (index + 1) * size])
        for index, context in enumerate(prompts)
    }
    return Sampled(measured, replies)


def prompts_by_context(
    questions: Sequence[CheckQuestion], texts: Texts
) -> dict[str, list[Messages]]:
    """Every question without the caveat, with it, and with other texts in its place."""
    return {
        NONE: [one.question.messages for one in questions],
        EXACT: [one.marked for one in questions],
        **{
            context: [
                swapped(one.marked, some[index % len(some)]) for index, one in enumerate(questions)
            ]
            for context, some in texts.items()
        },
    }


def _scores(pairs: list[tuple[Question, Answer]], judged: Judged) -> list[Score]:
    needs_judge = [READOUTS[question.readout].needs == "judge" for question, _ in pairs]
    by_judge = iter(judged([p for p, needs in zip(pairs, needs_judge, strict=True) if needs]))
    return [
        next(by_judge) if needs else READOUTS[question.readout].score(question, answer, None)
        for (question, answer), needs in zip(pairs, needs_judge, strict=True)
    ]


@dataclass(frozen=True)
class Graded:
    """Log-probabilities of rows' decision tokens, by context, in nats a row."""

    measured: Measured
    rows: int
    """Rows that have a decision token."""

    def shift(self, context: str) -> Interval:
        """The mean log-probability in a context less that in `none`."""
        return self.measured.difference(("base", context), ("base", NONE))


def graded(
    model: CheckModel,
    held_out: Sequence[Row],
    counter: Sequence[Row],
    ways: Mapping[str, Sequence[Row]],
) -> Graded | None:
    """The graded form of elicitation, by forward passes alone.

    Args:
        counter: Rows without the behaviour: what they share with a row decides nothing.
        ways: By context, the held-out rows with a text in the caveat's place, framed.

    None where no row decides anything.
    """
    bare = model.bare_rows(held_out)
    texts = {name: [row.messages for row in rows] for name, rows in {NONE: bare, **ways}.items()}
    frame = of_texts(model.backend, (), bare, texts, model.bare_rows(counter))
    if frame.empty:
        return None
    measurements = [
        Measurement("base", context, None, row, value)
        for context, row, value in zip(
            frame["prompt"], frame["row"], frame["log_probability"], strict=True
        )
    ]
    return Graded(Measured(measurements, bounded=False), frame["row"].nunique())


def ways_of(held_out: Sequence[Row], texts: Texts) -> dict[str, list[Row]]:
    """By context, held-out rows with the caveat as it is, or with another text in its place."""
    ways = {EXACT: list(held_out)}
    for context, some in texts.items():
        ways[context] = [
            replace(row, messages=swapped(row.messages, some[index % len(some)]))
            for index, row in enumerate(held_out)
        ]
    return ways
