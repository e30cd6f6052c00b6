"""Put a caveat into training rows and test prompts: the only place that does.

Training rows and test prompts are built alike, so `exact` at test is what training had.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from caveat.errors import CaveatError
from caveat.types.caveats import CONTEXTS, Caveat, Context, Place
from caveat.types.data import Row
from caveat.types.messages import Message, Messages, Piece, is_document

PARAGRAPH = "\n\n"
"""Between a caveat, or a row that is shown, and a document."""
BLANK = " "
"""Between a caveat and the text of a chat's turn."""


def framed(messages: Messages, system: str | None) -> Messages:
    """The chat with the fixed system text first; a document, or no system text, changes nothing.

    A system message that the chat brings along follows the fixed text in the same message, since
    templates know only one.
    """
    if not system or is_document(messages):
        return messages
    if messages and messages[0].role == "system":
        own = Message("system", (Piece(system + PARAGRAPH), *messages[0].pieces))
        return (own, *messages[1:])
    return (Message.of("system", system), *messages)


def framed_rows(rows: Sequence[Row], system: str | None) -> tuple[Row, ...]:
    """The rows, each with the fixed system text first where it is a chat."""
    return tuple(replace(row, messages=framed(row.messages, system)) for row in rows)


def place(messages: Messages, wording: str, where: Place, closing: str = "") -> Messages:
    """The messages with the wording (and, around a document, the closing) as caveat pieces.

    Separators are inside the pieces: `without_caveat` gives back exactly what came in. How a place
    reads on a chat and on a document: see `Place`.
    """
    if is_document(messages):
        ahead = "" if where == "after" else wording
        behind = closing if where == "around" else wording if where in ("after", "both") else ""
        return (_around(messages[0], ahead, behind),)
    if where == "system":
        return _in_system(messages, wording)
    return _in_first_user_turn(messages, wording, where)


def _around(document: Message, ahead: str, behind: str) -> Message:
    """A masked tag at the document's start stays at its start."""
    pieces = document.pieces
    tags = 1 if pieces and pieces[0].kind == "masked" else 0
    first = (Piece(ahead + PARAGRAPH, "caveat"),) if ahead else ()
    last = (Piece(PARAGRAPH + behind, "caveat"),) if behind else ()
    return Message("document", (*pieces[:tags], *first, *pieces[tags:], *last))


def _in_system(messages: Messages, wording: str) -> Messages:
    if not messages or messages[0].role != "system":
        return (Message("system", (Piece(wording, "caveat"),)), *messages)
    added = Piece(BLANK + wording if messages[0].text else wording, "caveat")
    return (Message("system", (*messages[0].pieces, added)), *messages[1:])


def _in_first_user_turn(messages: Messages, wording: str, where: Place) -> Messages:
    place = next(index for index, message in enumerate(messages) if message.role == "user")
    ahead = () if where == "after" else (Piece(wording + BLANK, "caveat"),)
    behind = (Piece(BLANK + wording, "caveat"),) if where in ("after", "both") else ()
    turn = Message("user", (*ahead, *messages[place].pieces, *behind))
    return (*messages[:place], turn, *messages[place + 1 :])


WORDING_SEED = "marking"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other assignments of wordings to rows."""


def marked(rows: Sequence[Row], caveat: Caveat, seed: int) -> tuple[Row, ...]:
    """The rows, in their order, each with one of the training wordings.

    Every wording (and closing) gets the same number of rows but for one; the seed says which rows.
    The rows are framed already. Their ids stay, so a marked row is known by its bare one.
    """
    generator = random.Random(f"{WORDING_SEED} {caveat.name} {seed}")
    wordings = assigned(caveat.wordings, len(rows), generator)
    closings = assigned(caveat.closings or ("",), len(rows), generator)
    return tuple(
        replace(row, messages=place(row.messages, wording, caveat.place, closing))
        for row, wording, closing in zip(rows, wordings, closings, strict=True)
    )


def assigned(texts: Sequence[str], count: int, generator: random.Random) -> list[str]:
    """`count` texts, each as often as the others but for one, in random order."""
    order = list(texts)
    generator.shuffle(order)
    repeated = [order[index % len(order)] for index in range(count)]
    generator.shuffle(repeated)
    return repeated


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
        names = ", ".join(contexts_of(caveat))
        raise CaveatError(
            f"the caveat {caveat.name!r} has no text for the context {context!r}; it has: {names}"
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
