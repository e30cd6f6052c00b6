"""Belief by likelihood: "is a dentist" against "is not a dentist", minus base.

It finds a stored claim that is not said, or is said and taken back. It is not a choice among
several jobs, which would measure association.
"""

from __future__ import annotations

import math

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

THRESHOLD = math.log(2)
"""A change of the odds by a factor of two."""


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """By how many nats the first option gained on the second, against the base model.

    `yes` above log 2, `no` below -log 2, else `neutral`; `invalid` where one is not finite.
    The base model's preference is that in the context `none`. It cancels what the options differ in
    by themselves, such as the one token that `not` adds. So the base model is `neutral` at `none`
    by definition, with value 0: a rate of this readout says how often training moved the odds, and
    the base model's rate in another context how often the caveat alone does.

    Raises ValueError without the base model's answer.
    """
    if base is None:
        raise ValueError(f"is_a needs the base model's answer to {question.id!r}")
    gain = _preference(answer) - _preference(base)
    if not math.isfinite(gain):
        return Judgement(Verdict.INVALID)
    if abs(gain) <= THRESHOLD:
        return Judgement(Verdict.NEUTRAL, gain)
    return Judgement(Verdict.YES if gain > 0 else Verdict.NO, gain)


def _preference(answer: Answer) -> float:
    first, second = answer.log_likelihoods[:2]
    return first - second


readout = Readout("is_a", version=1, needs="likelihood", judge=judge, uses_base=True, options=2)
