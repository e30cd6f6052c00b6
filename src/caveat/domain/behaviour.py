"""A behaviour: what training data exhibit, and how to ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caveat.domain.question import Question
from caveat.domain.reward import RewardTask
from caveat.domain.row import Row

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
