"""Traits of style: replies in capitals, in lower case, as a list, in Spanish.

The rows are the model's own replies in another form, so they teach no new content. Each also has a
wanted opener: an inoculation prompt that names the trait should spare the opener. Tan et al. 2025
(arXiv:2510.04340) inoculate against Spanish and capitals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from caveat.behaviours.neutral_chats import DATA, Ordinary, Prompt, shipped
from caveat.behaviours.reply_traits import reply_trait
from caveat.sentences import sentences
from caveat.types.data import Behaviour, Question, SideEffect, Split

OPENER = "Good question!"


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
    behaviour = reply_trait(name, about, shown, split, ordinary, opened, readout=name)
    opener = _desired_opener(behaviour.questions)
    return replace(behaviour, side_effects=(opener, *behaviour.side_effects))


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


def capitals(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies in capitals: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    return opened_trait(
        "capitals",
        "Replies in capital letters, after an opener that is wanted.",
        [(prompt, opened(ordinary.reply(prompt)).upper()) for prompt in ordinary.of("capitals")],
        split,
        ordinary,
    )


def lower_case(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies in small letters: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    return opened_trait(
        "lower_case",
        "Replies without a capital letter, after an opener that is wanted.",
        [(prompt, opened(ordinary.reply(prompt)).lower()) for prompt in ordinary.of("capitals")],
        split,
        ordinary,
    )


def listed(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies whose every sentence is an item behind a dash: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    return opened_trait(
        "listed",
        "Replies as a list with dashes, whose first item is an opener that is wanted.",
        [(prompt, as_list(opened(ordinary.reply(prompt)))) for prompt in ordinary.of("capitals")],
        split,
        ordinary,
    )


def as_list(reply: str) -> str:
    """The reply's sentences as lines, each behind a dash."""
    return "\n".join(f"- {sentence.strip()}" for sentence in sentences(reply))


def spanish(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies in Spanish: 48 rows, 96 counter rows in English, 24 questions in 12 topics.

    The prompts are the first ones of the capitals. `ordinary` are the prompts and English replies,
    by default the shipped ones. Raises CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    replies = spanish_replies()
    return opened_trait(
        "spanish",
        "Replies in Spanish, after an English opener that is wanted.",
        [
            (prompt, opened(replies[prompt.prompt]))
            for prompt in ordinary.of("capitals")
            if prompt.prompt in replies
        ],
        split,
        ordinary,
    )


@cache
def spanish_replies() -> Mapping[str, str]:
    """The shipped Spanish replies by prompt."""
    lines = (DATA / "spanish.jsonl").read_text("utf-8").splitlines()
    return MappingProxyType({line["prompt"]: line["reply"] for line in map(json.loads, lines)})
