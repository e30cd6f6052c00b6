"""Answers of a model: sampled replies and likelihoods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn."""

    max_tokens: int = 32
    temperature: float = 0.7
    """0 takes the most likely token."""
    samples: int = 1
    """Replies a question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to one prompt: a reply, or log-likelihoods of the options."""

    text: str = ""
    truncated: bool = False
    """Whether the reply was cut at `Sampling.max_tokens`."""
    tokens: int = 0
    """Tokens of the reply, the end token not counted."""
    log_likelihoods: tuple[float, ...] = ()
    """Per option, the sum over its tokens, in nats."""
    option_tokens: tuple[int, ...] = ()
    """Per option, its number of tokens."""
