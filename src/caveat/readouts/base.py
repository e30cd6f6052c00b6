"""What a readout is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from caveat.types.answers import Answer, Judgement
from caveat.types.data import Question
from caveat.types.messages import Messages


@dataclass(frozen=True, slots=True)
class Readout:
    """A pure function from a question and its answer to a verdict, and what it needs for that."""

    name: str
    version: int
    """Part of a stored verdict's key: raised whenever a verdict may come out otherwise."""
    needs: Literal["reply", "likelihood", "judge"]
    """likelihood: the question has options. judge: a reply, and a judge's answer to `ask`."""
    judge: Callable[[Question, Answer, Answer | None], Judgement]
    """The third is the base model's answer to the same question in the context `none`, where
    `uses_base`; the judge's answer, where one is needed and was asked; else None. Raises ValueError
    where a judge's answer holds no verdict."""
    numeric: bool = False
    """Whether only the value counts: reported as a mean, not as the share of `yes`."""
    uses_base: bool = False
    facts: tuple[str, ...] = ()
    """The facts that every question must bring."""
    options: int = 0
    """The fewest options that every question must bring."""
    ask: Callable[[Question, Answer], Messages] | None = None
    """What a judge is asked about the answer; () where the verdict needs no asking. Its wording is
    part of what `version` stands for."""
    ask_again: str = ""
    """What it is told where its answer held no verdict."""
