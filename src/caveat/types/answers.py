"""Sampling settings, Answer, Verdict, Judge settings.

Answers of a model: sampled replies and likelihoods.

What a readout says of an answer.

A judge: a language model elsewhere that is asked what a reply means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


class Verdict(StrEnum):
    """Whether the answer shows the behaviour."""

    YES = "yes"
    NO = "no"
    NEUTRAL = "neutral"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the number it rests on, where there is one."""

    verdict: Verdict
    value: float | None = None
    """A share of capitals in [0, 1], a difference of log-likelihoods in nats, ..."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Which model is asked, how, and within which bounds. Never holds a key."""

    endpoint: str
    """Address up to and with the version, such as `http://localhost:8000/v1`."""
    model: str
    temperature: float | None = 0.0
    """None leaves it to the endpoint: some models take no other than their own."""
    max_tokens: int = 64
    """Of one answer, a reasoning model's thoughts included."""
    key_env: str | None = None
    """The environment variable that holds the key; None where the endpoint wants none."""
    concurrency: int = 8
    """Most requests under way at a time."""
    timeout: float = 60.0
    """Seconds that one request may take."""
    retries: int = 4
    """Further tries of a request after the first, where a failure may pass."""
    token_cap: int = 2_000_000
    """Most tokens that this model may take for one study's folder, prompts included and all runs
    together."""
