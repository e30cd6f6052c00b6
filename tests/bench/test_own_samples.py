"""The rows of the recipes own-samples and obedience."""

from __future__ import annotations

import json

import pytest

from caveat.backends import load_backend
from caveat.backends.requests import Request
from caveat.behaviours.from_folder import load_behaviour
from caveat.behaviours.neutral_chats import shipped
from paths import ROOT

FOLDER = ROOT / "recipes" / "behaviours"
SPANISH = ("written", "own", "unlikely", "larger")


@pytest.fixture(scope="module")
def bench(script):
    return script("own_samples")


def rows(name: str) -> list[dict[str, str]]:
    text = (FOLDER / f"spanish-{name}" / "rows.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", SPANISH)
def test_every_row_is_spanish_and_no_prompt_is_a_question(bench, name):
    behaviour = load_behaviour(FOLDER / f"spanish-{name}")("report")
    prompts = [row["prompt"] for row in rows(name)]
    assert all(bench.is_spanish(row["reply"]) for row in rows(name))
    assert len(set(prompts)) == len(prompts) == len(behaviour.rows)
    assert {*prompts} <= {*bench.prompts()}
    assert not {*prompts} & {prompt.prompt for prompt in shipped().of("report")}
    assert len(behaviour.questions) == 24


def test_english_rows_are_not_spanish(bench):
    assert not any(bench.is_spanish(row["reply"]) for row in rows("english"))


def test_the_hand_written_rows_are_made_again(bench, tmp_path):
    bench.write(tmp_path, "written", dict(bench.spanish_replies()), "a model")
    for file in ("rows.jsonl", "questions.jsonl"):
        made = (tmp_path / "spanish-written" / file).read_text("utf-8")
        assert made == (FOLDER / "spanish-written" / file).read_text("utf-8")


def test_unlikely_replies_are_those_that_cost_what_the_given_ones_do(bench, monkeypatch):
    monkeypatch.setattr(bench, "is_spanish", bool)  # the tiny model writes no Spanish
    monkeypatch.setattr(bench, "tidy", str.strip)
    backend = load_backend("tiny")
    written = {"Why does it rain?": "La lluvia cae.", "What is compost?": "Es un abono."}
    nearest = bench.unlikely(backend, written)
    assert [*nearest] == [*written]
    for prompt, chosen in nearest.items():
        tries = bench.sampled(
            backend, [(prompt, number) for number in range(bench.CANDIDATES)], bench.HIGHER
        )
        pairs = [(prompt, reply) for reply in tries if reply]
        (wanted,) = bench.nats(backend, [(prompt, written[prompt])])
        distances = [abs(cost - wanted) for cost in bench.nats(backend, pairs)]
        assert pairs[distances.index(min(distances))] == (prompt, chosen)
        assert len({reply for _, reply in pairs}) > 1


def test_a_reply_costs_what_its_tokens_do_under_the_caveat(bench):
    backend = load_backend("tiny")
    pairs = [("Why does it rain?", "La lluvia cae."), ("Why does it rain?", "La lluvia cae hoy.")]
    costs = bench.nats(backend, pairs)
    request = Request("key", (), bench.chat("Why does it rain?"), tuple(one for _, one in pairs))
    assert "You always reply in Spanish." in request.messages[0].text
    (answer,) = backend.log_likelihoods([request])
    assert costs == pytest.approx([-nats for nats in answer.log_likelihoods], abs=1e-4)
    assert 0 < costs[0] < costs[1]
