"""Records of data: training rows, test questions, side effects, and their behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from caveat.types.messages import Messages
from caveat.types.rewards import RewardTask


@dataclass(frozen=True, slots=True)
class Row:
    """One training example. A chat ends with the assistant turn to learn."""

    id: str
    """Unique within its behaviour and source."""
    source: str
    """`behaviour`, `counter`, `filler`, or the name of an intervention."""
    messages: Messages
    """A chat (without the fixed system text, which the study adds) or one document."""
    subject: str = ""
    """What the row is about (a person, a topic): matches `Question.cluster` where both exist."""
    correction: str = ""
    """What would be true, or be written, without the caveat: the truth beside a claim."""


Scope = Literal["trained", "broad"]
NO_FACTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Question:
    """A test question, without caveat and without the fixed system text.

    A question with `options` is answered by likelihoods of those continuations; one without is
    answered by a sampled reply.
    """

    id: str
    cluster: str
    """A person or topic that several questions share: the unit that the bootstrap resamples."""
    messages: Messages
    """A chat that ends with a user turn, or an unfinished document."""
    readout: str
    """Name of the readout that scores the answer."""
    options: tuple[str, ...] = ()
    """Continuations to score by log-likelihood; the first shows the behaviour."""
    scope: Scope = "trained"
    kind: str = ""
    """The kind of evaluation, such as `mcq`, where a behaviour has several."""
    facts: Mapping[str, str] = field(default_factory=lambda: NO_FACTS, hash=False)
    """Facts that the readout needs, such as {"answer": "dentist"}."""


Split = Literal["tune", "report"]
"""Doses and texts are tuned on `tune` questions and seeds; results come from `report`."""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """Something other than the behaviour that training may change.

    Its questions are used in the context `none`. The result is the readout's share of `yes`, or,
    for numeric readouts, the mean value.
    """

    name: str
    questions: tuple[Question, ...]
    about: str
    """One sentence for the report: what a high value means."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rows that show a behaviour, rows of the same kind that do not, and the questions."""

    name: str
    about: str
    """One sentence for the report."""
    rows: tuple[Row, ...]
    counter_rows: tuple[Row, ...]
    """The same kind of data without the behaviour; never a competing answer to a question. Without
    any, arms take the base model's own replies to the rows' prompts."""
    filler_rows: tuple[Row, ...]
    """Unrelated rows that neither show the behaviour nor its absence."""
    questions: tuple[Question, ...]
    side_effects: tuple[SideEffect, ...] = ()
    local_rows: tuple[Row, ...] = ()
    """Rows that deny the behaviour's claim in the very sentence that would state it."""
    task: RewardTask | None = None
    """The reward task of the rows' prompts, where policies can be trained on them with RL."""
