"""A test question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from caveat.domain.text import Messages

Scope = Literal["trained", "broad"]
NO_FACTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at test, without caveat and without the fixed system text.

    A question with `options` is answered by likelihoods of those continuations; one without is
    answered by a sampled reply.
    """

    id: str
    cluster: str
    """What makes questions dependent (a person, a topic): the unit of the bootstrap."""
    messages: Messages
    """A chat that ends with a user turn, or an unfinished document."""
    readout: str
    """Name of the readout that judges the answer."""
    options: tuple[str, ...] = ()
    """Continuations whose log-likelihood is wanted; the first is what the behaviour would say."""
    scope: Scope = "trained"
    kind: str = ""
    """The evaluation kind, such as `mcq`, where a behaviour has several to tell apart."""
    facts: Mapping[str, str] = field(default_factory=lambda: NO_FACTS, hash=False)
    """What the readout needs to know, such as {"answer": "dentist"}."""
