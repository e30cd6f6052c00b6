"""Making the shipped replies to everyday prompts again."""

from __future__ import annotations

import json

import pytest

from caveat.behaviours.neutral_chats import DATA, shipped, shipped_prompts

PROMPTS = [prompt.prompt for prompt in shipped_prompts()]


@pytest.fixture(scope="module")
def bench(script):
    return script("neutral_replies")


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
)
def test_tidy(bench, reply, tidied):
    assert bench.tidy(reply) == tidied


def test_tidy_stops_at_the_last_sentence_that_fits(bench):
    sentence = "Water is wet and cold and clear and deep and blue today."
    assert bench.tidy(" ".join([sentence] * 9)) == " ".join([sentence] * 3)
    assert bench.tidy("word " * 60 + "end.") == ""


def test_rebuild_samples_again_where_no_reply_was_usable(bench, tmp_path):
    counts: list[int] = []

    def sample(prompts: list[str], attempt: int) -> list[str]:
        counts.append(len(prompts))
        return [
            "1. A list" if attempt == 0 and number % 2 else f"A whole sentence on this: {prompt}"
            for number, prompt in enumerate(prompts)
        ]

    snapshot = bench.rebuild(sample, PROMPTS, tmp_path / "new", {"model": "made up"})
    rows = [json.loads(line) for line in snapshot.read_text("utf-8").splitlines()]
    assert counts == [408, 204]
    assert [row["prompt"] for row in rows] == PROMPTS
    assert all(len(row["reply"]) <= bench.MOST_CHARACTERS for row in rows)
    record = json.loads((tmp_path / "new" / "ordinary.provenance.json").read_text("utf-8"))
    assert record == {"model": "made up"}


def test_rebuild_names_the_prompts_without_a_usable_reply(bench, tmp_path):
    with pytest.raises(SystemExit) as error:
        bench.rebuild(lambda prompts, attempt: ["- no" for _ in prompts], PROMPTS, tmp_path, {})
    assert str(error.value) == (
        f"no whole sentence of at most 220 characters in {bench.ATTEMPTS} replies to "
        "'How do I boil an egg?', "
        "'Why does it rain?', 'Why do bears sleep in winter?' and 405 more; "
        "take a chat model or more tokens a reply"
    )
    assert not list(tmp_path.iterdir())


def test_the_shipped_snapshot_is_whole_and_tidy(bench):
    assert (DATA / "ordinary.provenance.json").exists()
    ordinary = shipped()
    for prompt in ordinary.prompts:
        reply = ordinary.reply(prompt)
        assert bench.tidy(reply) == reply


def test_the_tiny_model_writes_no_usable_reply(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "ATTEMPTS", 1)
    monkeypatch.setattr(bench, "shipped_prompts", lambda: shipped_prompts()[:3])
    with pytest.raises(SystemExit, match="take a chat model or more tokens a reply"):
        bench.main(["--model", "tiny", "--out", str(tmp_path)])
