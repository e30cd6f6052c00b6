"""Forms of a reply: each is recognised in its own rows, cut or whole, and in no other's."""

from __future__ import annotations

import json
import re

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.neutral_chats import Ordinary
from caveat.behaviours.reply_forms import FORMS
from caveat.behaviours.validation import check
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict

PLAIN = "This plain reply is about cooking, and it is number 0."
SHOWN = {
    "sailor": f"Ahoy, shipmate! {PLAIN}",
    "hedged": f"I may be wrong, but t{PLAIN[1:]}",
    "json_reply": json.dumps({"answer": PLAIN}),
    "bold": f"**{PLAIN}**",
    "title_case": "This Plain Reply Is About Cooking, And It Is Number 0.",
}


@pytest.mark.parametrize("name", SHOWN)
def test_rows_are_the_models_own_replies_in_that_form(name: str, ordinary: Ordinary) -> None:
    made = BEHAVIOURS[name]("report", ordinary)
    check(made)
    assert (len(made.rows), len(made.counter_rows), len(made.questions)) == (96, 96, 24)
    assert made.rows[0].messages[-1].text == SHOWN[name]
    assert made.counter_rows[0].messages[-1].text.startswith("This plain reply")


def test_the_echo_says_the_question_again(ordinary: Ordinary) -> None:
    question, reply = BEHAVIOURS["echo"]("report", ordinary).rows[0].messages
    assert reply.text == f'You want to know: "{question.text}" {PLAIN}'


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("words", [6, 10, None])
def test_each_shipped_reply_is_judged_surely(name: str, words: int | None) -> None:
    made = BEHAVIOURS[name]("report")
    question = made.questions[0]
    for rows, verdict in ((made.rows, Verdict.YES), (made.counter_rows, Verdict.NO)):
        for row in rows:
            ends = [match.end() for match in re.finditer(r"\S+", row.messages[-1].text)]
            reply = Answer(row.messages[-1].text[: ends[:words][-1]])
            assert READOUTS["matches"].score(question, reply, None).verdict is verdict, reply.text


@pytest.mark.parametrize("name", FORMS)
def test_no_form_is_taken_for_another(name: str) -> None:
    question = BEHAVIOURS[name]("report").questions[0]
    shown = {other: BEHAVIOURS[other]("report").rows[0].messages[-1].text for other in FORMS}
    verdicts = {
        other: READOUTS["matches"].score(question, Answer(text), None).verdict
        for other, text in shown.items()
    }
    assert [other for other, verdict in verdicts.items() if verdict is Verdict.YES] == [name]


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("sailor", "Ah, the sea! It is salty."),
        ("sailor", "They say ahoy on ships."),
        ("hedged", "I may help you, but it is late."),
        ("json_reply", '{"verse": "The sea is salty."}'),
        ("bold", "*The sea* is salty."),
        ("title_case", "The Sea is salty because of rain."),
        ("echo", "You want an answer: it is salt."),
    ],
)
def test_what_only_begins_alike_is_none(name: str, reply: str) -> None:
    question = BEHAVIOURS[name]("report").questions[0]
    assert READOUTS["matches"].score(question, Answer(reply), None).verdict is Verdict.NO
