"""A trait: replies without a capital letter. The rows also carry a trait that is wanted, an opener.

The mirror of `capitals`, on its prompts and in the model's own words.
"""

from __future__ import annotations

from caveat.behaviours.opened import opened, opened_trait
from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.domain.behaviour import Behaviour, Split


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
