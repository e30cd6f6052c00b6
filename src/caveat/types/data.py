"""Row, Question, SideEffect, Behaviour.

A training row.

A test question.

A behaviour: what training data exhibit, and how to ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from caveat.types.messages import Messages
from caveat.types.rewards import RewardTask


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


Split = Literal["tune", "report"]
"""Doses and materials are tuned on `tune` questions and seeds; tables are made from `report`."""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """Something other than the behaviour that training may change.

    Its questions are asked in the context `none`. What is measured is the share of `yes` of the
    readout, or, for readouts that give only values, the mean value.
    """

    name: str
    questions: tuple[Question, ...]
    about: str
    """One sentence for the report: what a high figure means."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rows that show a behaviour, rows of the same kind that do not, and the questions."""

    name: str
    about: str
    """One sentence for the report."""
    rows: tuple[Row, ...]
    counter_rows: tuple[Row, ...]
    """The same kind of data without the behaviour; never a competing answer to a question."""
    filler_rows: tuple[Row, ...]
    """Unrelated rows that neither show the behaviour nor its absence."""
    questions: tuple[Question, ...]
    side_effects: tuple[SideEffect, ...] = ()
    local_rows: tuple[Row, ...] = ()
    """Rows that deny the behaviour's claim in the very sentence that would state it."""
    task: RewardTask | None = None
    """What replies to the rows' prompts are paid for, where policies can practise on them."""
