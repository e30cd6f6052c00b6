"""What a model wrote, in tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
