"""Counts the tokens that a backend reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from caveat.progress import Progress


class Counter(Progress):
    def __init__(self):
        self.tokens: dict[str, int] = {}

    def advance(self, kind, tokens):
        self.tokens[kind] = self.tokens.get(kind, 0) + tokens


@contextmanager
def counted(backend) -> Iterator[dict[str, int]]:
    """While the context lasts, add up the backend's tokens by kind of work."""
    counter, usual = Counter(), backend.progress
    backend.progress = counter
    try:
        yield counter.tokens
    finally:
        backend.progress = usual
