"""Belief by the likelihood of the believing answer."""

from __future__ import annotations

import math

import pytest

from caveat.readouts import READOUTS
from caveat.types.answers import Answer
from caveat.types.data import Question
from caveat.types.messages import Message

READOUT = READOUTS["belief_likelihood"]
QUESTION = Question(
    "q", "q", (Message.of("user", "Did it fall?"),), "belief_likelihood", options=(" Yes", " No")
)


@pytest.mark.parametrize(
    ("likelihoods", "verdict", "value"),
    [
        ((-1.0, -3.0), "yes", 2.0),
        ((-3.0, -1.0), "no", -2.0),
        ((-2.0, -2.0), "neutral", 0.0),
        ((-math.inf, -1.0), "invalid", None),
        ((math.nan, -1.0), "invalid", None),
    ],
)
def test_the_likelier_answer_decides_in_nats(likelihoods, verdict, value):
    found = READOUT.score(QUESTION, Answer(log_likelihoods=likelihoods, option_tokens=(1, 1)), None)
    assert (found.verdict.value, found.value) == (verdict, value)


def test_the_base_model_is_not_taken_off():
    assert not READOUT.uses_base
    answer = Answer(log_likelihoods=(-1.0, -3.0), option_tokens=(1, 1))
    assert READOUT.score(QUESTION, answer, answer).verdict.value == "yes"


def test_it_needs_two_options():
    assert (READOUT.needs, READOUT.options) == ("likelihood", 2)
