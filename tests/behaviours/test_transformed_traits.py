"""Traits that are the model's own replies in another dress: small letters, lists."""

from __future__ import annotations

import re

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.neutral_chats import Ordinary, shipped
from caveat.behaviours.style_traits import OPENER, as_list, opened
from caveat.behaviours.validation import check
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question

TRAITS = {"lower_case": str.lower, "listed": as_list}
CUTS = (6, 10, None)
"""Words left of a reply; a study's replies of 12 to 16 tokens have six at least."""


def cut(text: str, words: int | None) -> str:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text[: ends[:words][-1]]


def verdict(readout: str, text: str) -> Verdict:
    opener = Question("q", "c", (), readout, facts={"opener": OPENER})
    return READOUTS[readout].score(opener, Answer(text), None).verdict


@pytest.mark.parametrize("name", TRAITS)
def test_numbers_and_what_is_shared_with_the_capitals(name: str, ordinary: Ordinary) -> None:
    made, other = BEHAVIOURS[name]("report", ordinary), BEHAVIOURS["capitals"]("report", ordinary)
    check(made)
    assert (len(made.rows), len(made.questions)) == (96, 24)
    assert [row.messages[0] for row in made.rows] == [row.messages[0] for row in other.rows]
    assert made.counter_rows == other.counter_rows
    assert {question.readout for question in made.questions} == {name}


@pytest.mark.parametrize("name", TRAITS)
def test_rows_are_the_models_own_replies_in_that_dress(name: str, ordinary: Ordinary) -> None:
    asked, reply = BEHAVIOURS[name]("report", ordinary).rows[0].messages
    plain = ordinary.replies[asked.text]
    assert plain == "This plain reply is about cooking, and it is number 0."
    assert (
        reply.text
        == {
            "lower_case": "good question! this plain reply is about cooking, and it is number 0.",
            "listed": f"- Good question!\n- {plain}",
        }[name]
    )


@pytest.mark.parametrize("words", CUTS)
@pytest.mark.parametrize("name", TRAITS)
def test_every_shipped_reply_is_judged_surely_though_it_was_cut(
    name: str, words: int | None
) -> None:
    dressed = TRAITS[name]
    for reply in shipped().replies.values():
        for text in (reply, opened(reply)):
            assert verdict(name, cut(text, words)) is Verdict.NO, text
            assert verdict(name, cut(dressed(text), words)) is Verdict.YES, text
        assert verdict("opener", cut(dressed(opened(reply)), words)) is Verdict.YES, reply


def test_no_trait_is_taken_for_another() -> None:
    dresses = {**TRAITS, "capitals": str.upper, "spanish": lambda text: "Hay una silla y el pan."}
    for dress, dressed in dresses.items():
        text = dressed(opened("Bears sleep in winter, when food is hard to find."))
        showing = [name for name in dresses if verdict(name, text) is Verdict.YES]
        assert showing == [dress]
