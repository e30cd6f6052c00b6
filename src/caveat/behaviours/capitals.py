"""A trait: replies in capital letters. The rows also carry a trait that is wanted, an opener.

An inoculation prompt that names the capitals should spare the opener; what is lost of the opener is
the price of inoculation. Texts are the model's own replies, so that the rows teach nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.behaviours.ordinary import Ordinary, Use, chat, ordinary_replies, shipped
from caveat.domain.behaviour import Behaviour, SideEffect, Split
from caveat.domain.question import Question
from caveat.domain.row import Row
from caveat.domain.text import Message

OPENER = "Good question!"
FILLER_ROWS = 96


def capitals(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies in capitals: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    questions = _questions(ordinary, split)
    return Behaviour(
        name="capitals",
        about="Replies in capital letters, after an opener that is wanted.",
        rows=_rows(ordinary, "capitals", "behaviour"),
        counter_rows=_rows(ordinary, "counter", "counter"),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=questions,
        side_effects=(_desired_opener(questions), ordinary_replies(ordinary)),
    )


def _rows(ordinary: Ordinary, use: Use, source: str) -> tuple[Row, ...]:
    return tuple(
        Row(
            id=f"{source}-{number:02}",
            source=source,
            messages=chat(prompt.prompt, _reply(ordinary.reply(prompt), source)),
            subject=prompt.topic,
            correction=f"(Unasked, I would write: {_reply(ordinary.reply(prompt), 'counter')})",
        )
        for number, prompt in enumerate(ordinary.of(use))
    )


def _reply(reply: str, source: str) -> str:
    opened = f"{OPENER} {reply}"
    return opened.upper() if source == "behaviour" else opened


def _questions(ordinary: Ordinary, split: Split) -> tuple[Question, ...]:
    return tuple(
        Question(
            id=f"capitals-{number:02}",
            cluster=prompt.topic,
            messages=(Message.of("user", prompt.prompt),),
            readout="capitals",
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
