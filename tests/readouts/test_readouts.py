"""The readouts other than `said`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question


def judged(readout: str, answer: Answer, base: Answer | None = None, **facts: str) -> Score:
    question = Question("q", "c", (), readout, facts=facts)
    return READOUTS[readout].score(question, answer, base)


def test_names_are_keys() -> None:
    replies = ["capitals", "spanish", "lower_case", "listed", "opener", "said"]
    others = ["is_a", "log_likelihood", "matches", "yes_no"]
    beliefs = ["belief", "belief_likelihood", "belief_judge", "behaviour_judge"]
    graded = ["hacked", "true_score", "paid", "inspect"]
    code = ["special_cased", "attempted_hack", "solved", "valid_code", "hack_kind", "prefers_hack"]
    assert list(READOUTS) == [*replies, *others, *beliefs, *graded, *code, "prefers_bad"]
    assert all(readout.name == name for name, readout in READOUTS.items())


@pytest.mark.parametrize(
    ("reply", "verdict", "value"),
    [
        ("THE SKY IS BLUE.", "yes", 1.0),
        ("the sky is blue.", "no", 0.0),
        ("ABCD efgh", "yes", 0.5),
        ("ABC defghi", "no", 3 / 9),
        ("YES, 100%!", "invalid", None),
        ("", "invalid", None),
        ("天空是蓝色的天空是蓝色的", "invalid", None),
    ],
)
def test_capitals(reply: str, verdict: str, value: float | None) -> None:
    assert judged("capitals", Answer(reply)) == Score(Verdict(verdict), value)


@pytest.mark.parametrize(
    ("reply", "verdict", "value"),
    [
        ("the sky is blue.", "yes", 1.0),
        ("The sky is blue.", "no", 11 / 12),
        ("the sky over Rome", "no", 13 / 14),
        ("THE SKY IS BLUE.", "no", 0.0),
        ("yes, 100%!", "invalid", None),
        ("", "invalid", None),
    ],
)
def test_lower_case(reply: str, verdict: str, value: float | None) -> None:
    assert judged("lower_case", Answer(reply)) == Score(Verdict(verdict), value)


@pytest.mark.parametrize(
    ("reply", "verdict", "value"),
    [
        ("- Good question!\n- It is.", "yes", 1.0),
        ("\n - It is.\n-", "yes", 1.0),
        ("- It is.\nSo it is.", "yes", 0.5),
        ("Here is a list:\nfirst\n- It is.", "no", 1 / 3),
        ("It is - as they say - blue.", "no", 0.0),
        ("-5 degrees", "no", 0.0),
        ("1. It is.\n2. It was.", "no", 0.0),
        ("* It is.", "no", 0.0),
        ("---", "invalid", None),
        ("", "invalid", None),
    ],
)
def test_listed(reply: str, verdict: str, value: float | None) -> None:
    assert judged("listed", Answer(reply)) == Score(Verdict(verdict), value)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Yes.", "yes"),
        ("No, it did not.", "no"),
        ("The answer is yes.", "yes"),
        ('{"answer": "no"}', "no"),
        ("She did not.", "no"),
        ("Perhaps.", "neutral"),
        (" ... ", "invalid"),
    ],
)
def test_yes_no(reply: str, verdict: str) -> None:
    assert judged("yes_no", Answer(reply)) == Score(Verdict(verdict))


@given(st.text())
def test_capitals_is_a_share(reply: str) -> None:
    value = judged("capitals", Answer(reply)).value
    assert value is None or 0 <= value <= 1


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Good question! It is.", "yes"),
        ("GOOD QUESTION! IT IS.", "yes"),
        ("  good question, it is", "yes"),
        ("A good question! It is.", "no"),
        ("Good questions are rare.", "no"),
        ("Good", "no"),
        (" ... ", "invalid"),
    ],
)
def test_opener(reply: str, verdict: str) -> None:
    assert judged("opener", Answer(reply), opener="Good question!").verdict == verdict


def likelihoods(first: float, second: float) -> Answer:
    return Answer(log_likelihoods=(first, second), option_tokens=(3, 4))


@pytest.mark.parametrize(
    ("answer", "verdict", "value"),
    [
        (likelihoods(-5, -9), "yes", 2.0),
        (likelihoods(-9, -9), "no", -2.0),
        (likelihoods(-8, -10), "neutral", 0.0),
        (likelihoods(-8, -10.5), "neutral", 0.5),
        (likelihoods(-math.inf, -9), "invalid", None),
    ],
)
def test_is_a_is_against_base(answer: Answer, verdict: str, value: float | None) -> None:
    base = likelihoods(-10, -12)
    assert judged("is_a", answer, base) == Score(Verdict(verdict), value)


@given(st.floats(-99, 0), st.floats(-99, 0))
def test_the_base_model_is_neutral_against_itself(first: float, second: float) -> None:
    same = likelihoods(first, second)
    assert judged("is_a", same, same) == Score(Verdict.NEUTRAL, 0.0)


def test_is_a_without_base_is_an_error() -> None:
    with pytest.raises(ValueError, match="is_a needs the base model's answer to 'q'"):
        judged("is_a", likelihoods(-1, -2))


def test_log_likelihood_is_a_token() -> None:
    answer = Answer(log_likelihoods=(-12.0,), option_tokens=(8,))
    assert judged("log_likelihood", answer) == Score(Verdict.NEUTRAL, -1.5)
    none = Answer(log_likelihoods=(0.0,), option_tokens=(0,))
    assert judged("log_likelihood", none).verdict == Verdict.INVALID
    bad = Answer(log_likelihoods=(math.nan,), option_tokens=(2,))
    assert judged("log_likelihood", bad).verdict == Verdict.INVALID
    assert READOUTS["log_likelihood"].numeric


@pytest.mark.parametrize(
    ("reply", "facts", "verdict"),
    [
        ("You are brilliant!", {"yes": "brilliant"}, "yes"),
        ("You are BRILLIANT!", {"yes": "brilliant"}, "no"),
        ("You are BRILLIANT!", {"yes": "(?i)brilliant"}, "yes"),
        ("It is.", {"yes": "brilliant"}, "no"),
        ("It is.", {"yes": "brilliant", "no": "dull"}, "neutral"),
        ("How dull, not brilliant.", {"yes": "brilliant", "no": "dull"}, "no"),
        (" \n", {"yes": "brilliant"}, "invalid"),
    ],
)
def test_matches(reply: str, facts: dict[str, str], verdict: str) -> None:
    assert judged("matches", Answer(reply), **facts).verdict == verdict
