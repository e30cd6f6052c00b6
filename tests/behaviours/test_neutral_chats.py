"""Prompts, tidying, and making the snapshot."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from caveat.behaviours.neutral_chats import (
    ATTEMPTS,
    DATA,
    MOST_CHARACTERS,
    Ordinary,
    Use,
    rebuild,
    shipped,
    shipped_prompts,
    tidy,
)
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


@pytest.mark.parametrize(
    ("reply", "tidied"),
    [
        ("**Boil** water. Add salt, e.g. a pinch.", "Boil water. Add salt, e.g. a pinch."),
        ("Bears sleep a lot. Here are tips:\n\n1. Eat.\n2. Rest.", "Bears sleep a lot."),
        ("You can do several things: 1. Eat. 2. Rest.", ""),
        ("It is 238,855.5 miles away from us. And", "It is 238,855.5 miles away from us."),
        ("# Rain\nRain falls from\nclouds.", "Rain Rain falls from clouds."),
        ("Dr. Smith wrote it down for us. Then he", "Dr. Smith wrote it down for us."),
        ("This never comes to its", ""),
        ("Yes, sure.", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_tidy(reply: str, tidied: str) -> None:
    assert tidy(reply) == tidied


def test_tidy_stops_at_the_last_sentence_that_fits() -> None:
    sentence = "Water is wet and cold and clear and deep and blue today."
    assert tidy(" ".join([sentence] * 9)) == " ".join([sentence] * 3)
    assert tidy("word " * 60 + "end.") == ""


def test_rebuild_asks_again_for_what_was_no_use(tmp_path: Path) -> None:
    asked: list[int] = []

    def replies(prompts: list[str]) -> list[str]:
        asked.append(len(prompts))
        bad = len(asked) == 1
        return [
            "1. A list" if bad and number % 2 else f"A whole sentence on this: {prompt}"
            for number, prompt in enumerate(prompts)
        ]

    snapshot = rebuild(replies, tmp_path / "new", {"model": "made up"})
    lines = [json.loads(line) for line in snapshot.read_text("utf-8").splitlines()]
    assert asked == [408, 204]
    assert [line["prompt"] for line in lines] == [prompt.prompt for prompt in shipped_prompts()]
    assert all(len(line["reply"]) <= MOST_CHARACTERS for line in lines)
    about = json.loads((tmp_path / "new" / "ordinary.provenance.json").read_text("utf-8"))
    assert about == {"model": "made up"}


def test_rebuild_names_the_prompts_without_a_usable_reply(tmp_path: Path) -> None:
    with pytest.raises(CaveatError) as error:
        rebuild(lambda prompts: ["- no" for _ in prompts], tmp_path, {})
    assert str(error.value) == (
        f"no whole sentence of at most 220 characters in {ATTEMPTS} replies to "
        "'How do I boil an egg?', "
        "'Why does it rain?', 'Why do bears sleep in winter?' and 405 more; "
        "take a chat model or more tokens a reply"
    )
    assert not list(tmp_path.iterdir())


def test_a_missing_reply_says_how_to_make_it() -> None:
    empty = Ordinary(shipped_prompts(), {}, origin="somewhere/ordinary.jsonl")
    with pytest.raises(CaveatError) as error:
        empty.chats("filler", "filler")
    assert str(error.value) == (
        f"no ordinary reply to {empty.of('filler')[0].prompt!r} in somewhere/ordinary.jsonl; "
        "make the replies with: caveat ordinary --model smollm2-135m --out somewhere"
    )


def test_the_shipped_snapshot_is_whole_and_tidy() -> None:
    assert (DATA / "ordinary.provenance.json").exists()
    ordinary = shipped()
    for prompt in ordinary.prompts:
        reply = ordinary.reply(prompt)
        assert tidy(reply) == reply


def test_likelihoods_are_of_the_models_own_replies(ordinary: Ordinary) -> None:
    questions = ordinary.likelihoods()
    assert len(questions) == 24
    assert len({question.cluster for question in questions}) == 12
    for question in questions:
        assert question.options == (ordinary.replies[question.messages[0].text],)
