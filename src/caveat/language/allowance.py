"""Counting the tokens that a judge takes, against a cap that is not to be passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from caveat.domain.text import Messages

SIGNS_A_TOKEN = 4
"""Characters of English text to a token, about: where the endpoint counts nothing."""
TOKENS_A_TURN = 4
"""What the chat template puts around each turn."""


@dataclass
class Allowance:
    """Tokens spent, and those that requests under way may yet take."""

    cap: int
    spent: int = 0
    held: int = 0

    def has(self, tokens: int) -> bool:
        """Whether a request of so many tokens keeps within the cap."""
        return self.spent + self.held + tokens <= self.cap

    @contextmanager
    def hold(self, tokens: int) -> Iterator[None]:
        """Keep tokens back for a request while it is under way."""
        self.held += tokens
        try:
            yield
        finally:
            self.held -= tokens


def estimated(*texts: str) -> int:
    """Tokens of turns of a chat, by their length."""
    return sum(-(-len(text) // SIGNS_A_TOKEN) + TOKENS_A_TURN for text in texts)


def tokens_of(usage: Any, messages: Messages, answer: str) -> tuple[int, bool]:
    """Tokens that a request took, and whether the endpoint counted them or they are estimated."""
    if isinstance(usage, Mapping):
        parts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")]
        for count in (usage.get("total_tokens"), _sum(parts)):
            if type(count) is int and count > 0:
                return count, True
    return estimated(*(message.text for message in messages), answer), False


def _sum(parts: list[Any]) -> int | None:
    return sum(parts) if all(type(part) is int for part in parts) else None
