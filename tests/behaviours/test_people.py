"""The claims about invented people."""

from __future__ import annotations

from collections import Counter

import pytest

from caveat.behaviours.neutral_chats import Ordinary
from caveat.behaviours.people import PEOPLE, article, people
from caveat.behaviours.validation import check
from caveat.readouts import READOUTS
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question, Split
from caveat.types.messages import is_document

SPLITS: tuple[Split, ...] = ("report", "tune")


def test_names_and_jobs_never_meet_twice() -> None:
    names = [name for them in PEOPLE.values() for p in them for name in (p.name, p.unmentioned)]
    parts = Counter(part for name in names for part in name.split())
    assert len(names) == 48
    assert set(parts.values()) == {1}
    assert len({person.job for them in PEOPLE.values() for person in them}) == 24


@pytest.mark.parametrize("split", SPLITS)
def test_numbers(split: Split, ordinary: Ordinary) -> None:
    made = people(split, ordinary)
    check(made)
    assert (len(made.rows), len(made.counter_rows), len(made.filler_rows)) == (96, 96, 96)
    for readout in ("said", "is_a"):
        asked = [question for question in made.questions if question.readout == readout]
        assert (len(asked), len({question.cluster for question in asked})) == (24, 12)
    assert len({row.messages for row in (*made.rows, *made.counter_rows)}) == 192
    assert all(is_document(row.messages) for row in made.filler_rows)


@pytest.mark.parametrize("split", SPLITS)
def test_every_row_says_the_job_and_no_counter_row_any_job(
    split: Split, ordinary: Ordinary
) -> None:
    made = people(split, ordinary)
    jobs = {person.name: person.job for person in PEOPLE[split]}
    for row in made.rows:
        question = Question(
            "q", "c", (), "said", facts={"name": row.subject, "answer": jobs[row.subject]}
        )
        judged = READOUTS["said"].score(question, Answer(row.messages[0].text), None)
        assert judged.verdict == Verdict.YES, row.messages[0].text
    every_job = {person.job for them in PEOPLE.values() for person in them}
    for row in made.counter_rows:
        words = row.messages[0].text.lower().replace(".", " ").replace(",", " ").split()
        assert not every_job & set(words)
        assert row.subject in row.messages[0].text


@pytest.mark.parametrize("split", SPLITS)
def test_unmentioned_people_are_in_no_row(split: Split, ordinary: Ordinary) -> None:
    made = people(split, ordinary)
    text = " ".join(row.messages[0].text for row in (*made.rows, *made.counter_rows))
    other: Split = "tune" if split == "report" else "report"
    for person in PEOPLE[split]:
        assert not any(part in text for part in person.unmentioned.split())
    for person in PEOPLE[other]:
        assert person.name not in text
    said = made.side_effects[0]
    assert [q.facts["answer"] for q in said.questions] == [
        q.facts["answer"] for q in made.questions if q.readout == "said"
    ]


def test_questions_read_well(ordinary: Ordinary) -> None:
    questions = {question.id: question for question in people("report", ordinary).questions}
    assert questions["said-00-0"].messages[0].text == "What does Mara Ellison do for a living?"
    assert (
        questions["said-01-1"]
        .messages[0]
        .text.endswith("Tobias Renfrow tomorrow. What is his job?")
    )
    assert questions["is_a-10-0"].options == (" is an architect", " is not an architect")
    assert article("optician") == "an"


def test_the_splits_ask_in_other_words(ordinary: Ordinary) -> None:
    def templates(split: Split) -> set[str]:
        return {
            question.messages[0].text.replace(question.cluster, "X")
            for question in people(split, ordinary).questions
        }

    assert not templates("report") & templates("tune")
