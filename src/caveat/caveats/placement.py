"""Where a caveat stands. Training rows and test prompts are both placed here, and nowhere else."""

from __future__ import annotations

from caveat.domain.caveat import Place
from caveat.domain.text import Message, Messages, Piece, is_document

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
