"""A trait: replies as a list with dashes. The rows also carry a trait that is wanted, an opener.

Each sentence of the model's own reply becomes an item, the opener the first.
"""

from __future__ import annotations

from caveat.behaviours.opened import opened, opened_trait
from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.domain.behaviour import Behaviour, Split
from caveat.domain.sentences import sentences


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
