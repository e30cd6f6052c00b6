"""Records of text before tokenization: pieces, messages, conversations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

PieceKind = Literal["text", "caveat", "masked"]
Role = Literal["system", "user", "assistant", "document"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of text that the loss treats in one way."""

    text: str
    kind: PieceKind = "text"
    """`caveat`: part of the caveat; `masked`: never carries loss; `text`: everything else."""
    states: bool = False
    """Whether this span shows the behaviour, such as a sentence that states the claim."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat, or a whole document (role `document`, then it is the only message)."""

    role: Role
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The message as one string."""
        return "".join(piece.text for piece in self.pieces)

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """A message of one plain piece."""
        return cls(role, (Piece(text),))


Messages = tuple[Message, ...]
"""A conversation in order, or a single document."""


def is_document(messages: Messages) -> bool:
    """Whether the messages are a document, which is rendered without a chat template."""
    return len(messages) == 1 and messages[0].role == "document"


def without_caveat(messages: Messages) -> Messages:
    """The messages without caveat pieces, and without messages that hold nothing else."""
    kept = (
        (message, tuple(piece for piece in message.pieces if piece.kind != "caveat"))
        for message in messages
    )
    return tuple(
        Message(message.role, pieces) for message, pieces in kept if pieces or not message.pieces
    )


def joined(messages: Messages) -> Messages:
    """The messages with neighbouring pieces of the same kind joined into one."""
    return tuple(
        Message(
            message.role,
            tuple(
                Piece("".join(piece.text for piece in run), kind)
                for kind, run in groupby(message.pieces, key=lambda piece: piece.kind)
            ),
        )
        for message in messages
    )
