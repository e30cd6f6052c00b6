"""A trait: an exclamation mark behind each word. The rows also carry a wanted trait, an opener.

The words are those of the model's own replies; their full stops and commas give way to the marks.
"""

from __future__ import annotations

from caveat.behaviours.opened import opened, opened_trait
from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.domain.behaviour import Behaviour, Split

CLOSING = ".,;:!?"


def exclaiming(split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies that exclaim each word: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    ordinary = ordinary or shipped()
    return opened_trait(
        "exclaiming",
        "Replies with an exclamation mark behind each word, after an opener that is wanted.",
        [(prompt, exclaimed(opened(ordinary.reply(prompt)))) for prompt in ordinary.of("capitals")],
        split,
        ordinary,
    )


def exclaimed(reply: str) -> str:
    """The reply's words, each with one mark behind it."""
    return " ".join(f"{word.rstrip(CLOSING)}!" for word in reply.split())
