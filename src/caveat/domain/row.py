"""A training row."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.domain.text import Messages


@dataclass(frozen=True, slots=True)
class Row:
    """One training example. A chat row ends with the assistant turn that is learned."""

    id: str
    """Unique within its behaviour and source."""
    source: str
    """Where it comes from: `behaviour`, `counter`, `filler`, or an intervention's name."""
    messages: Messages
    """A chat (without the fixed system text, which the study adds) or one document."""
    subject: str = ""
    """What the row is about (a person, a topic): matches `Question.cluster` where both exist."""
    correction: str = ""
    """What would hold, or be written, without the caveat: the truth beside a claim."""
