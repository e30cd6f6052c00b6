"""The record of a readout: what turns an answer into a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from caveat.types.answers import Answer, Score
from caveat.types.data import Question
from caveat.types.messages import Messages


@dataclass(frozen=True, slots=True)
class Readout:
    """A pure function from a question and its answer to a score, and what it needs for that."""

    name: str
    version: int
    """Part of a stored verdict's key. Raise it whenever a verdict may change."""
    needs: Literal["reply", "likelihood", "judge"]
    """reply: a sampled reply. likelihood: log-likelihoods of the question's options. judge: a
    sampled reply, and the LLM judge's reply to `judge_prompt`."""
    score: Callable[[Question, Answer, Answer | None], Score]
    """From the question, the answer and a second answer: the base model's to the same question in
    the context `none`, where `uses_base`; the judge's reply, where `judge_prompt` gives a prompt;
    else None. Raises ValueError where a judge's reply holds no verdict."""
    numeric: bool = False
    """Whether only the value counts: reported as a mean, not as the share of `yes`."""
    uses_base: bool = False
    """Whether `score` needs the base model's answer."""
    facts: tuple[str, ...] = ()
    """Facts that every question must have."""
    options: int = 0
    """Least number of options that every question must have."""
    judge_prompt: Callable[[Question, Answer], Messages] | None = None
    """The prompt for the judge about an answer; () where the verdict needs no judge. `version`
    covers its wording too."""
    judge_retry: str = ""
    """The further user message after a judge's reply without a verdict."""
