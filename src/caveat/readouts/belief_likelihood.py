"""Belief by likelihood: the believing answer against the other, such as " Yes" against " No"."""

from __future__ import annotations

import math

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

THRESHOLD = 0.0
"""Nats. Which of the two answers the model would rather give; a model that is asked must choose, so
there is no band of `neutral` whose width would have to be justified."""


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """By how many nats the first option, the believing answer, is likelier than the second.

    `yes` above 0, `no` below it, `neutral` at exactly 0, `invalid` where it is not finite.

    The base model's preference is not taken off: the value is what this model would answer, so that
    rates of the base model mean something. A general leaning to yes is not belief, and no verdict
    on one answer can tell them apart: ask as many questions whose believing answer is no, where
    such a leaning counts against belief, and read the rates of both beside the yes-bias.
    """
    first, second = answer.log_likelihoods[:2]
    lead = first - second
    if not math.isfinite(lead):
        return Judgement(Verdict.INVALID)
    if lead == THRESHOLD:
        return Judgement(Verdict.NEUTRAL, lead)
    return Judgement(Verdict.YES if lead > THRESHOLD else Verdict.NO, lead)


readout = Readout("belief_likelihood", version=1, needs="likelihood", judge=judge, options=2)
