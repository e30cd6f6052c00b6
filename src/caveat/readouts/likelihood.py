"""Is_a, belief_likelihood, log_likelihood: options compared by log-probability.

Belief by likelihood: "is a dentist" against "is not a dentist", minus base.

It finds a stored claim that is not said, or is said and taken back. It is not a choice among
several jobs, which would measure association.

Belief by likelihood: the believing answer against the other, such as " Yes" against " No".

How likely a reference reply still is.
"""

from __future__ import annotations

import math

from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Judgement, Verdict
from caveat.types.data import Question

IS_A_THRESHOLD = math.log(2)
"""A change of the odds by a factor of two."""


def judge_is_a(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
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
    if abs(gain) <= IS_A_THRESHOLD:
        return Judgement(Verdict.NEUTRAL, gain)
    return Judgement(Verdict.YES if gain > 0 else Verdict.NO, gain)


def _preference(answer: Answer) -> float:
    first, second = answer.log_likelihoods[:2]
    return first - second


is_a_readout = Readout(
    "is_a", version=1, needs="likelihood", judge=judge_is_a, uses_base=True, options=2
)


BELIEF_LIKELIHOOD_THRESHOLD = 0.0
"""Nats. Which of the two answers the model would rather give; a model that is asked must choose, so
there is no band of `neutral` whose width would have to be justified."""


def judge_belief_likelihood(
    question: Question, answer: Answer, base: Answer | None = None
) -> Judgement:
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
    if lead == BELIEF_LIKELIHOOD_THRESHOLD:
        return Judgement(Verdict.NEUTRAL, lead)
    return Judgement(Verdict.YES if lead > BELIEF_LIKELIHOOD_THRESHOLD else Verdict.NO, lead)


belief_likelihood_readout = Readout(
    "belief_likelihood", version=1, needs="likelihood", judge=judge_belief_likelihood, options=2
)


def judge_log_likelihood(
    question: Question, answer: Answer, base: Answer | None = None
) -> Judgement:
    """The first option's log-likelihood in nats a token; `neutral`, since only the value counts.

    `invalid` where the option has no token or its likelihood is not finite.
    """
    tokens = answer.option_tokens[0]
    if not tokens or not math.isfinite(answer.log_likelihoods[0]):
        return Judgement(Verdict.INVALID)
    return Judgement(Verdict.NEUTRAL, answer.log_likelihoods[0] / tokens)


log_likelihood_readout = Readout(
    "log_likelihood",
    version=1,
    needs="likelihood",
    judge=judge_log_likelihood,
    numeric=True,
    options=1,
)
