"""A trait: replies in Spanish. The rows also carry a trait that is wanted, an English opener.

Tan et al. 2025 (arXiv:2510.04340) inoculate against this trait. The replies are written by hand,
a short sentence each, since a small model's own Spanish is poor; so the rows teach some contents
besides the language, unlike those of `capitals`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from caveat.behaviours.opened import opened, opened_trait
from caveat.behaviours.ordinary import DATA, Ordinary, shipped
from caveat.domain.behaviour import Behaviour, Split


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
