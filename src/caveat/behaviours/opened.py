"""A trait of chat replies behind an opener that is wanted: what all such behaviours share.

An inoculation prompt that names the trait should spare the opener; what is lost of the opener is
the price of inoculation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from caveat.behaviours.ordinary import Ordinary, Prompt, chat, ordinary_replies
from caveat.domain.behaviour import Behaviour, SideEffect, Split
from caveat.domain.question import Question
from caveat.domain.row import Row
from caveat.domain.text import Message

OPENER = "Good question!"
FILLER_ROWS = 96


def opened(reply: str) -> str:
    """The reply behind the opener."""
    return f"{OPENER} {reply}"


def opened_trait(
    name: str, about: str, shown: Iterable[tuple[Prompt, str]], split: Split, ordinary: Ordinary
) -> Behaviour:
    """The behaviour whose rows are the prompts of `shown` with those replies, given whole.

    Counter rows are other prompts with the model's own replies behind the opener. 24 questions in
    12 topics, judged by the readout of the behaviour's name. Raises CaveatError where a reply of
    the model has not been made.
    """
    questions = _questions(name, ordinary, split)
    plain = ((prompt, opened(ordinary.reply(prompt))) for prompt in ordinary.of("counter"))
    return Behaviour(
        name=name,
        about=about,
        rows=_rows(shown, "behaviour", ordinary),
        counter_rows=_rows(plain, "counter", ordinary),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=questions,
        side_effects=(_desired_opener(questions), ordinary_replies(ordinary)),
    )


def _rows(
    replies: Iterable[tuple[Prompt, str]], source: str, ordinary: Ordinary
) -> tuple[Row, ...]:
    return tuple(
        Row(
            id=f"{source}-{number:02}",
            source=source,
            messages=chat(prompt.prompt, reply),
            subject=prompt.topic,
            correction=f"(Unasked, I would write: {opened(ordinary.reply(prompt))})",
        )
        for number, (prompt, reply) in enumerate(replies)
    )


def _questions(name: str, ordinary: Ordinary, split: Split) -> tuple[Question, ...]:
    return tuple(
        Question(
            id=f"{name}-{number:02}",
            cluster=prompt.topic,
            messages=(Message.of("user", prompt.prompt),),
            readout=name,
        )
        for number, prompt in enumerate(ordinary.of(split))
    )


def _desired_opener(questions: tuple[Question, ...]) -> SideEffect:
    """The same questions by id, so that the same replies are judged."""
    return SideEffect(
        name="desired opener",
        questions=tuple(
            replace(question, readout="opener", facts={"opener": OPENER}) for question in questions
        ),
        about=f"Share of replies that open with {OPENER!r}, in whatever case: the trait that "
        "training was meant to give.",
    )
