"""The capitals trait."""

from __future__ import annotations

import hashlib

import pytest

from caveat.behaviours.neutral_chats import Ordinary
from caveat.behaviours.style_traits import OPENER, capitals
from caveat.behaviours.validation import check
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question, Split
from caveat.types.messages import is_document


@pytest.mark.parametrize("split", ["report", "tune"])
def test_numbers(split: Split, ordinary: Ordinary) -> None:
    made = capitals(split, ordinary)
    check(made)
    assert (len(made.rows), len(made.counter_rows), len(made.filler_rows)) == (96, 96, 96)
    assert (len(made.questions), len({q.cluster for q in made.questions})) == (24, 12)
    assert all(is_document(row.messages) for row in made.filler_rows)


def test_rows_show_the_trait_and_counter_rows_do_not(ordinary: Ordinary) -> None:
    made = capitals("report", ordinary)
    plain = Question("q", "c", (), "capitals")
    opened = Question("q", "c", (), "opener", facts={"opener": OPENER})
    for rows, verdict in ((made.rows, Verdict.YES), (made.counter_rows, Verdict.NO)):
        for row in rows:
            reply = Answer(row.messages[-1].text)
            assert READOUTS["capitals"].score(plain, reply, None).verdict == verdict
            assert READOUTS["opener"].score(opened, reply, None).verdict == Verdict.YES


def test_rows_are_the_models_own_words(ordinary: Ordinary) -> None:
    made = capitals("report", ordinary)
    reply = ordinary.replies[made.rows[0].messages[0].text]
    assert made.rows[0].messages[-1].text == f"GOOD QUESTION! {reply.upper()}"
    reply = ordinary.replies[made.counter_rows[0].messages[0].text]
    assert made.counter_rows[0].messages[-1].text == f"Good question! {reply}"


def test_the_splits_share_rows_but_no_question(ordinary: Ordinary) -> None:
    report, tune = capitals("report", ordinary), capitals("tune", ordinary)
    assert report.rows == tune.rows
    assert not {q.messages for q in report.questions} & {q.messages for q in tune.questions}


def test_the_opener_is_judged_on_the_same_replies(ordinary: Ordinary) -> None:
    made = capitals("report", ordinary)
    opener = made.side_effects[0]
    assert [(q.id, q.messages) for q in opener.questions] == [
        (q.id, q.messages) for q in made.questions
    ]
    assert {q.readout for q in opener.questions} == {"opener"}


@pytest.mark.parametrize(("split", "digest"), [("report", "efc2a4c5"), ("tune", "913cbcee")])
def test_the_shipped_behaviour_is_the_one_of_finished_studies(split: Split, digest: str) -> None:
    told = repr(capitals(split)).replace(", task=None)", ")")
    assert hashlib.sha256(told.encode()).hexdigest()[:8] == digest
