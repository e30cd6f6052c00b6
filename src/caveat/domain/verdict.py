"""What a readout says of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
