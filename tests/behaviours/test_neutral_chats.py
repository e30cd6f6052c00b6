"""The shipped everyday prompts with their replies."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

import pytest

from caveat.behaviours.neutral_chats import Ordinary, Use, shipped_prompts
from caveat.errors import CaveatError


def test_prompts_are_distinct_and_as_many_as_said() -> None:
    prompts = shipped_prompts()
    plain = [re.sub(r"\W+", " ", prompt.prompt.lower()).strip() for prompt in prompts]
    assert len(set(plain)) == len(plain)
    assert Counter(prompt.use for prompt in prompts) == {
        "capitals": 96, "counter": 96, "filler": 144, "tune": 24, "report": 24, "neutral": 24,
    }  # fmt: skip
    assert {prompt.use for prompt in prompts} == set(get_args(Use))


@pytest.mark.parametrize("use", ["tune", "report", "neutral"])
def test_questions_are_two_a_topic_and_no_topic_is_trained(use: Use) -> None:
    topics = Counter(prompt.topic for prompt in shipped_prompts() if prompt.use == use)
    elsewhere = {prompt.topic for prompt in shipped_prompts() if prompt.use != use}
    assert len(topics) == 12
    assert set(topics.values()) == {2}
    assert not elsewhere & set(topics)


def test_the_first_rows_already_spread_over_topics(ordinary: Ordinary) -> None:
    assert len({prompt.topic for prompt in ordinary.of("capitals")[:24]}) == 24


def test_some_rows_are_spread_over_topics(ordinary: Ordinary) -> None:
    rows = ordinary.chats("filler", "filler", 48)
    assert len(rows) == 48
    assert set(Counter(row.subject for row in rows).values()) == {2}


def test_a_missing_reply_says_how_to_make_it() -> None:
    empty = Ordinary(shipped_prompts(), {}, origin="somewhere/ordinary.jsonl")
    with pytest.raises(CaveatError) as error:
        empty.chats("filler", "filler")
    assert str(error.value) == (
        f"no neutral reply to {empty.of('filler')[0].prompt!r} in somewhere/ordinary.jsonl; "
        "restore that file, or make it again with bench/neutral_replies.py"
    )


def test_likelihoods_are_of_the_models_own_replies(ordinary: Ordinary) -> None:
    questions = ordinary.likelihoods()
    assert len(questions) == 24
    assert len({question.cluster for question in questions}) == 12
    for question in questions:
        assert question.options == (ordinary.replies[question.messages[0].text],)
