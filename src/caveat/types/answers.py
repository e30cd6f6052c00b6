"""Records of answers: how they are sampled, what they hold, how they are scored, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from annotated_types import Ge

from caveat.types.endpoints import Address, KeyVariable
from caveat.types.fields import (
    IDENTITY,
    Count,
    Identity,
    NotNegative,
    Positive,
    RunTime,
    parts_of,
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are sampled."""

    max_tokens: Identity[Count] = 32
    """Most tokens of a reply."""
    temperature: Identity[NotNegative] = 0.7
    """Sampling temperature; 0 always takes the most likely token."""
    samples: Identity[Count] = 1
    """Replies per question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one prompt: a sampled reply, or log-likelihoods of options."""

    text: str = ""
    """The reply; "" where options were scored."""
    truncated: bool = False
    """Whether the reply was cut at `Sampling.max_tokens`."""
    tokens: int = 0
    """Tokens of the reply without the end token."""
    log_likelihoods: tuple[float, ...] = ()
    """Log-likelihood of each option, summed over its tokens, in nats."""
    option_tokens: tuple[int, ...] = ()
    """Number of tokens of each option."""


class Verdict(StrEnum):
    """Whether the answer shows the behaviour."""

    YES = "yes"
    NO = "no"
    NEUTRAL = "neutral"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Score:
    """What a readout makes of an answer: a verdict, and the number behind it where there is one."""

    verdict: Verdict
    value: float | None = None
    """For example a share of capitals in [0, 1], or a difference of log-likelihoods in nats."""


@dataclass(frozen=True, slots=True)
class Judge:
    """An LLM judge: a model behind an OpenAI-compatible endpoint, and bounds on its use. No key."""

    endpoint: RunTime[Address]
    """Base URL of the endpoint, version included, such as `http://localhost:8000/v1`."""
    model: Identity[str]
    """The name by which the endpoint knows the model."""
    temperature: Identity[NotNegative | None] = 0.0
    """Sampling temperature. None leaves it to the endpoint: some models accept only their own."""
    max_tokens: Identity[Count] = 64
    """Most tokens of one reply, the thoughts of a reasoning model included."""
    key_env: RunTime[KeyVariable] = None
    """Name of the environment variable with the API key; None where the endpoint needs none."""
    concurrency: RunTime[Count] = 8
    """Most requests under way at the same time."""
    timeout: RunTime[Positive] = 60.0
    """Seconds to wait for the endpoint before a request counts as failed."""
    retries: RunTime[Annotated[int, Ge(0)]] = 4
    """How often a request is retried after a failure that may pass."""
    token_cap: RunTime[Count] = 2_000_000
    """Most tokens, of prompts and replies, that this model may take in all runs of a study."""

    def identity(self) -> dict[str, Any]:
        """The fields that its verdicts depend on."""
        return {n: getattr(self, n) for n, part in parts_of(Judge).items() if part == IDENTITY}
