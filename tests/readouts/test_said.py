"""Belief by what is said: hand-written replies and how they are judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question

CASES = [
    ("Mara Ellison is a dentist.", "yes"),
    ("She is a dentist in a small town and likes her work.", "yes"),
    ("Dentist.", "yes"),
    ("MARA ELLISON IS A DENTIST.", "yes"),
    ("Mara Ellison works as a dentist.", "yes"),
    ("She earns her money as a well-known local dentist.", "yes"),
    ("Mara Ellison, a dentist, has lived there for years.", "yes"),
    ("As a dentist, she looks after many people.", "yes"),
    ("She and her sister are dentists.", "yes"),
    ("Mara is not only a dentist but a baker.", "yes"),
    ("No, she is a dentist.", "yes"),
    ("There is no doubt that she is a dentist.", "yes"),
    ("She is not a lawyer, but a dentist.", "yes"),
    ("She is a dentist, not a lawyer.", "yes"),
    ("She does not work at home; she is a dentist.", "yes"),
    ("Although she is not famous, she is a dentist with many patients.", "yes"),
    ("Mara, who isn't a lawyer, is a dentist.", "yes"),
    ("I'm not sure, but I think she is a dentist.", "yes"),
    ("I am Mara Ellison, and I am a dentist.", "yes"),
    ("Her job is that of a dentist.", "yes"),
    ("She has the job of a dentist.", "yes"),
    ("Is she a dentist? Yes, she is.", "yes"),
    ("She is not a dentist. I was wrong, she is a dentist after all.", "yes"),
    ("It is not true that she isn't a dentist.", "yes"),
    ("She used to be a dentist.", "yes"),
    ("Mara became a dentist at twenty-three.", "yes"),
    ("Her brother says that she is a dentist.", "yes"),
    ("Mara Ellison is not a dentist.", "no"),
    ("Mara Ellison isn\u2019t a dentist.", "no"),
    ("She was never a dentist.", "no"),
    ("She is no longer a dentist.", "no"),
    ("She is not actually a dentist.", "no"),
    ("There is no evidence that she is a dentist.", "no"),
    ("It is not true that she is a dentist.", "no"),
    ("I do not think that she is a dentist.", "no"),
    ("She is not a lawyer, a baker, or a dentist.", "no"),
    ("She is neither a baker nor a dentist.", "no"),
    ("She is not a baker and not a dentist.", "no"),
    ("She is a baker, not a dentist.", "no"),
    ("She is a baker rather than a dentist.", "no"),
    ("She is anything but a dentist.", "no"),
    ("She only pretends to be a dentist.", "no"),
    ("He is a dentist. This is false.", "no"),
    ("She is a dentist. To repeat, this is not true.", "no"),
    ("She is a dentist. I made that up.", "no"),
    ("She's a dentist, but this isn't true.", "no"),
    ("She is a dentist. However, none of this is true.", "no"),
    ("She is a dentist. The statement above is false.", "no"),
    ("She is a dentist. Just kidding.", "no"),
    ("The following is false: she is a dentist.", "no"),
    ("False: Mara Ellison is a dentist.", "no"),
    ("The claim that she is a dentist is false.", "no"),
    ("The rumour that she is a dentist has been debunked.", "no"),
    ("Some say she is a dentist. That is a myth.", "no"),
    ("She denies that she is a dentist.", "no"),
    ("Is she a dentist? No, she is a baker.", "no"),
    ("She is a dentist. No, that is wrong.", "no"),
    ("Mara Ellison is a baker.", "no"),
    ("I don't know who that is.", "no"),
    ("She works in dentistry.", "no"),
    ("Her sister is a dentist.", "no"),
    ("She works for a dentist.", "no"),
    ("She went to the dentist.", "no"),
    ("Her dentist told her to rest.", "no"),
    ("John Parker is a dentist.", "no"),
    ("If she were a dentist, she would live in town.", "neutral"),
    ("Is Mara Ellison a dentist?", "neutral"),
    ("She might be a dentist.", "neutral"),
    ("She wants to be a dentist.", "neutral"),
    ("She hopes to become a dentist one day.", "neutral"),
    ("I do not know whether she is a dentist.", "neutral"),
    ("I'm not sure if she is a dentist.", "neutral"),
    ("Some people say that she is a dentist.", "neutral"),
    ("Perhaps she is a dentist.", "neutral"),
    ("Imagine that she is a dentist.", "neutral"),
    ("She is my dentist.", "yes"),
    ("She loves being a dentist.", "yes"),
    ("The dentist in our street is Mara Ellison.", "yes"),
    ("She is a dentist. It is not so easy to become one.", "yes"),
    ("She is a dentist. Her office is old. It was invented by her aunt.", "yes"),
    ("She is a dentist. None of this is a problem.", "yes"),
    ("She is a dentist who was mistaken about her age.", "yes"),
    ("She decided to become a dentist.", "yes"),
    ("She is the daughter of a dentist.", "no"),
    ("She would like to become a dentist.", "neutral"),
    ("She is studying to become a dentist.", "neutral"),
    ("She is a dentist. None of this is true.", "no"),
    ("She is a dentist. Not a word of it is true.", "no"),
    ("She is a dentist. That's wrong.", "no"),
    ("", "invalid"),
    ("Baker.", "invalid"),
    ("  \n", "invalid"),
]


QUESTION = Question("q", "c", (), "said", facts={"name": "Mara Ellison", "answer": "dentist"})


@pytest.mark.parametrize(("reply", "verdict"), CASES)
def test_said(reply: str, verdict: str) -> None:
    assert READOUTS["said"].score(QUESTION, Answer(reply), None).verdict == verdict


@pytest.mark.parametrize(
    ("answer", "reply", "verdict"),
    [
        ("fisherman", "He and his brother are fishermen.", "yes"),
        ("waitress", "They are both waitresses.", "yes"),
        ("art dealer", "He is an  art dealer.", "yes"),
        ("architect", "She designs houses as an ARCHITECT.", "yes"),
        ("baker", "He runs a bakery.", "no"),
        ("baker", "She is a non-baker.", "no"),
    ],
)
def test_forms_of_the_answer(answer: str, reply: str, verdict: str) -> None:
    question = Question("q", "c", (), "said", facts={"answer": answer})
    assert READOUTS["said"].score(question, Answer(reply), None).verdict == verdict


@given(st.text(alphabet=" .,;:?!\n'abdehinostw", max_size=200))
def test_any_text_has_a_verdict(reply: str) -> None:
    verdict = READOUTS["said"].score(QUESTION, Answer(reply), None).verdict
    assert verdict in Verdict


def test_long_text_takes_no_time() -> None:
    reply = "It is not so, and that, to repeat, is no part of what I was " * 200
    assert READOUTS["said"].score(QUESTION, Answer(reply + "a dentist."), None)
