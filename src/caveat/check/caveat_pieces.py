"""The caveat within rows and prompts, as pieces: read, replaced, inserted alike.

`caveats.insertion` places a caveat as studies do. Here it stays exactly where the user's file has
it, with the whitespace around it.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.insertion import framed, place
from caveat.types.messages import Message, Messages, Piece, is_document, without_caveat


def caveat_texts(messages: Messages) -> tuple[str, ...]:
    """The caveat pieces' texts in order, without the whitespace around them."""
    return tuple(
        piece.text.strip()
        for message in messages
        for piece in message.pieces
        if piece.kind == "caveat"
    )


def swapped(marked: Messages, text: str) -> Messages:
    """The marked messages with another text in place of each caveat piece."""
    return tuple(
        replace(
            message,
            pieces=tuple(
                replace(piece, text=_within(piece.text, text)) if piece.kind == "caveat" else piece
                for piece in message.pieces
            ),
        )
        for message in marked
    )


def _within(old: str, new: str) -> str:
    """The new text with the whitespace around the old one."""
    bare = old.strip()
    ahead, _, behind = old.partition(bare) if bare else (old, "", "")
    return f"{ahead}{new}{behind}"


def inserted_like(example: Messages, prompt: Messages) -> Messages:
    """A prompt with the caveat of a marked row, in the same place.

    What stands inside the row's text stands after the prompt's. A prompt without a system turn gets
    the row's whole one, its own text included, where the caveat stands in it. An unfinished
    document gets only what stands before: nothing is put behind it.
    """
    if is_document(prompt):
        first = _pieces_ahead(example[0]) if is_document(example) else ()
        return (Message("document", (*first, *prompt[0].pieces)),)
    if _is_caveat(example[0]):
        return (example[0], *prompt)
    turn = next((message for message in example if _has_caveat(message)), None)
    if turn is None or turn.role == "document":
        return prompt
    if turn.role == "system" and prompt[0].role != "system":
        return (turn, *prompt)
    ahead = _pieces_ahead(turn)
    behind = tuple(p for p in turn.pieces[len(ahead) :] if p.kind == "caveat")
    roles = [message.role for message in prompt]
    where = roles.index(turn.role) if turn.role in roles else len(roles) - 1
    new = replace(prompt[where], pieces=(*ahead, *prompt[where].pieces, *behind))
    return (*prompt[:where], new, *prompt[where + 1 :])


def caveat_alone(marked: Messages) -> Messages:
    """The marked messages without their own system text, where the caveat stands beside it."""
    first = marked[0]
    if first.role != "system" or not _has_caveat(first):
        return marked
    pieces = (replace(p, text=p.text.strip()) for p in first.pieces if p.kind == "caveat")
    return (replace(first, pieces=tuple(pieces)), *marked[1:])


def _pieces_ahead(message: Message) -> tuple[Piece, ...]:
    pieces = message.pieces
    count = next((n for n, piece in enumerate(pieces) if piece.kind != "caveat"), len(pieces))
    return pieces[:count]


def _has_caveat(message: Message) -> bool:
    return any(piece.kind == "caveat" for piece in message.pieces)


def _is_caveat(message: Message) -> bool:
    return message.role == "system" and all(piece.kind == "caveat" for piece in message.pieces)


def framed_marked(marked: Messages, system: str | None) -> Messages:
    """A marked row or prompt under a fixed system text, as a study frames it.

    A system turn that is the caveat alone follows the fixed text in the same turn. Without that,
    a template that inserts a system text where there is none would make marked and bare rows
    differ in two things.
    """
    if not system or is_document(marked):
        return marked
    if _is_caveat(marked[0]):
        wording = marked[0].text.strip()
        return place(framed(without_caveat(marked), system), wording, "system")
    return framed(marked, system)
