"""A caveat on training rows, and around test questions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from caveat.caveats.placement import place
from caveat.domain.caveat import Caveat
from caveat.domain.context import CONTEXTS, Context
from caveat.domain.row import Row
from caveat.domain.text import Messages, is_document
from caveat.errors import CaveatError

WORDING_SEED = "marking"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other assignments of wordings to rows."""


def marked(rows: Sequence[Row], caveat: Caveat, seed: int) -> tuple[Row, ...]:
    """The rows, in their order, each with one of the training wordings.

    Every wording (and closing) gets the same number of rows but for one; the seed says which rows.
    The rows are framed already. Their ids stay, so a marked row is known by its bare one.
    """
    generator = random.Random(f"{WORDING_SEED} {caveat.name} {seed}")
    wordings = dealt(caveat.wordings, len(rows), generator)
    closings = dealt(caveat.closings or ("",), len(rows), generator)
    return tuple(
        replace(row, messages=place(row.messages, wording, caveat.place, closing))
        for row, wording, closing in zip(rows, wordings, closings, strict=True)
    )


def dealt(texts: Sequence[str], count: int, generator: random.Random) -> list[str]:
    """`count` texts, each as often as the others but for one, in random order."""
    order = list(texts)
    generator.shuffle(order)
    dealt = [order[index % len(order)] for index in range(count)]
    generator.shuffle(dealt)
    return dealt


def in_context(messages: Messages, caveat: Caveat, context: Context, turn: int) -> Messages:
    """The framed question in a test context; `turn`, the question's index, picks the wording.

    Nothing is ever put behind an unfinished document, which must stay open: there, every place
    reads as `before`, and `moved` is the same as `exact`: studies leave it out.

    Raises CaveatError where the caveat has no text for the context.
    """
    if context == "none":
        return messages
    texts = _texts(caveat, context)
    if not texts:
        known = ", ".join(contexts_of(caveat))
        raise CaveatError(
            f"the caveat {caveat.name!r} has no text for the context {context!r}; it has: {known}"
        )
    where = caveat.moved_to if context == "moved" else caveat.place
    if is_document(messages):
        where = "before"
    return place(messages, texts[turn % len(texts)], where)


def contexts_of(caveat: Caveat) -> tuple[Context, ...]:
    """The contexts that the caveat has texts for, in the order of `CONTEXTS`."""
    return tuple(context for context in CONTEXTS if context == "none" or _texts(caveat, context))


def _texts(caveat: Caveat, context: Context) -> tuple[str, ...]:
    if context == "exact":
        return caveat.wordings
    if context == "moved":
        return caveat.wordings if caveat.moved_to != caveat.place else ()
    if context == "paraphrase":
        return caveat.held_out
    return caveat.probes.get(context, ())
