"""What answers are asked for: a prompt to one model, and the same made ready."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.types.messages import Messages


@dataclass(frozen=True)
class Request:
    """One prompt to one model."""

    key: str
    """What the randomness hangs on: the same key draws the same uniforms, wherever it is asked."""
    adapters: tuple[str, ...]
    """Names of the attached adapters, in order; () is the base model."""
    messages: Messages
    options: tuple[str, ...] = ()
    """Continuations to score; without them a reply is drawn."""


@dataclass(frozen=True)
class Prompt:
    """A request made ready: its cell in the stacks and its tokens."""

    key: str
    cell: int
    ids: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
