"""What a model wrote, in tokens, and the seed that a service samples it with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

SEED_BITS = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote: token ids."""

    tokens: tuple[int, ...]
    """The end token not counted."""
    end: int | None
    """The token that ended it; None where it was cut."""

    @property
    def written(self) -> tuple[int, ...]:
        """All that the model wrote, the token that ends it too."""
        return self.tokens if self.end is None else (*self.tokens, self.end)


def as_text(tokenizer: Any, completion: Completion) -> str:
    """The text, without special tokens and the whitespace around it."""
    return tokenizer.decode(completion.tokens, skip_special_tokens=True).strip()


def seed_of(key: str) -> int:
    """The seed of a request's sampling, from 0 to 2^31 - 1: a function of its key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little") & SEED_BITS
