"""How a service is reached: its address, its key, and the bounds on what is sent to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

from caveat.errors import CaveatError
from caveat.types.messages import Messages

CHARACTERS_PER_TOKEN = 4
"""Of English text, about: for services that count no tokens."""
TOKENS_PER_MESSAGE = 4
"""Tokens that a chat template puts around each message, about."""


class Unanswered(CaveatError):
    """A request without an answer: what it is for fails, and nothing else."""


class Refused(Unanswered):
    """A request that this service answers with a refusal, whenever it is sent."""


@dataclass(frozen=True)
class Connection:
    """One OpenAI-compatible service, within bounds, and what messages call its settings."""

    url: str
    section: str
    """Of a recipe: `judge` or `endpoint`."""
    url_field: str
    models_field: str
    key_env: str | None
    concurrency: int
    timeout: float
    retries: int
    token_cap: int
    key: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """The address after the field that has it."""
        return f"{self.section}.{self.url_field}: {self.url}"


def read_key(key_env: str | None, section: str) -> str | None:
    """Read a service's key from the environment; None where it needs none.

    Raises CaveatError, which never shows the key, where the variable is not set or holds no key,
    and where the package `openai` is not installed.
    """
    if find_spec("openai") is None:
        raise CaveatError(
            f"{section}: the package 'openai' is not installed; install it with "
            f"pip install 'caveat[{section}]'"
        )
    if key_env is None:
        return None
    key = os.environ.get(key_env, "").strip()
    if not key:
        raise CaveatError(
            f"{section}.key_env: the environment variable {key_env!r} is not set; export it, "
            f"or leave {section}.key_env out for an endpoint that needs no key"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise CaveatError(
            f"{section}.key_env: the key in {key_env!r} contains a character that no key has, "
            "such as a space or a line break; export it again"
        )
    return key


@dataclass
class TokenBudget:
    """Tokens that were spent, and those that requests under way may still take."""

    cap: int
    spent: int = 0
    reserved: int = 0

    def allows(self, tokens: int) -> bool:
        """Whether a request of so many tokens keeps within the cap."""
        return self.spent + self.reserved + tokens <= self.cap

    @contextmanager
    def reserve(self, tokens: int) -> Iterator[None]:
        """Reserve tokens for a request while it is under way."""
        self.reserved += tokens
        try:
            yield
        finally:
            self.reserved -= tokens


def estimated_tokens(messages: Messages) -> int:
    """Tokens of a prompt, estimated by its length."""
    return sum(estimated(message.text) for message in messages)


def estimated(text: str) -> int:
    """Tokens of one message, estimated by its length."""
    return -(-len(text) // CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE


def counted_tokens(usage: object) -> int | None:
    """Tokens of prompt and reply as the service counted them; None where it did not."""
    if not isinstance(usage, Mapping):
        return None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    total = sum(counts) if all(type(count) is int for count in counts) else None
    for count in (usage.get("total_tokens"), total):
        if type(count) is int and count > 0:
            return count
    return None
