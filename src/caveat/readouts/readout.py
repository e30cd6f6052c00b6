"""What a readout is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Readout:
    """A pure function from a question and its answer to a verdict, and what it needs for that."""

    name: str
    version: int
    """Part of a stored verdict's key: raised whenever a verdict may come out otherwise."""
    needs: Literal["reply", "likelihood"]
    """likelihood: the question has options."""
    judge: Callable[[Question, Answer, Answer | None], Judgement]
    """The third is the base model's answer to the same question in the context `none`, where
    `uses_base`, else None."""
    numeric: bool = False
    """Whether only the value counts: reported as a mean, not as the share of `yes`."""
    uses_base: bool = False
    facts: tuple[str, ...] = ()
    """The facts that every question must bring."""
    options: int = 0
    """The fewest options that every question must bring."""
