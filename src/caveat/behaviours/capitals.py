"""A trait: replies in capital letters. The rows also carry a trait that is wanted, an opener.

Texts are the model's own replies, so that the rows teach nothing else.
"""

from __future__ import annotations

from caveat.behaviours.opened import opened, opened_trait
from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.domain.behaviour import Behaviour, Split


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
