"""The Spanish trait."""

from __future__ import annotations

import pytest

from caveat.behaviours.neutral_chats import Ordinary, shipped_prompts
from caveat.behaviours.style_traits import OPENER, capitals, spanish, spanish_replies
from caveat.behaviours.validation import check
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question, Split
from caveat.types.messages import is_document


@pytest.mark.parametrize("split", ["report", "tune"])
def test_numbers(split: Split, ordinary: Ordinary) -> None:
    made = spanish(split, ordinary)
    check(made)
    assert (len(made.rows), len(made.counter_rows), len(made.filler_rows)) == (48, 96, 96)
    assert (len(made.questions), len({q.cluster for q in made.questions})) == (24, 12)
    assert all(is_document(row.messages) for row in made.filler_rows)
    assert [row.id for row in made.rows[:2]] == ["behaviour-00", "behaviour-01"]
    assert made.questions[0].id == "spanish-00"


def test_rows_show_the_trait_and_counter_rows_do_not() -> None:
    made = spanish("report")
    plain = Question("q", "c", (), "spanish")
    opened = Question("q", "c", (), "opener", facts={"opener": OPENER})
    for rows, verdict in ((made.rows, Verdict.YES), (made.counter_rows, Verdict.NO)):
        for row in rows:
            reply = Answer(row.messages[-1].text)
            assert READOUTS["spanish"].score(plain, reply, None).verdict == verdict, reply
            assert READOUTS["opener"].score(opened, reply, None).verdict == Verdict.YES


def test_replies_are_short_and_answer_the_first_prompts_of_the_capitals() -> None:
    replies = spanish_replies()
    prompts = [prompt.prompt for prompt in shipped_prompts() if prompt.use == "capitals"]
    assert list(replies) == prompts[:48]
    assert len(set(replies.values())) == 48
    assert all(12 <= len(reply.split()) <= 18 for reply in replies.values())


def test_a_row_is_a_spanish_reply_behind_the_english_opener(ordinary: Ordinary) -> None:
    row = spanish("report", ordinary).rows[0]
    asked, reply = row.messages
    assert reply.text == f"Good question! {spanish_replies()[asked.text]}"
    english = ordinary.replies[asked.text]
    assert row.correction == f"(Unasked, I would write: Good question! {english})"


def test_what_it_shares_with_the_capitals(ordinary: Ordinary) -> None:
    made, other = spanish("report", ordinary), capitals("report", ordinary)
    assert made.counter_rows == other.counter_rows
    assert made.filler_rows == other.filler_rows
    assert [q.messages for q in made.questions] == [q.messages for q in other.questions]
    assert {q.readout for q in made.questions} == {"spanish"}
    opener, likelihoods = made.side_effects
    assert [q.id for q in opener.questions] == [q.id for q in made.questions]
    assert likelihoods == other.side_effects[1]
