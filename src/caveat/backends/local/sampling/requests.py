"""A request made ready: token ids and the cell of its model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """A request made ready: its cell in the stacks and its tokens."""

    key: str
    cell: int
    ids: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
