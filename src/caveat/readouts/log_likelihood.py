"""How likely a reference reply still is."""

from __future__ import annotations

import math

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The first option's log-likelihood in nats a token; `neutral`, since only the value counts.

    `invalid` where the option has no token or its likelihood is not finite.
    """
    tokens = answer.option_tokens[0]
    if not tokens or not math.isfinite(answer.log_likelihoods[0]):
        return Judgement(Verdict.INVALID)
    return Judgement(Verdict.NEUTRAL, answer.log_likelihoods[0] / tokens)


readout = Readout(
    "log_likelihood", version=1, needs="likelihood", judge=judge, numeric=True, options=1
)
