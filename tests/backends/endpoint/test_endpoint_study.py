"""A study whose arms are behind a real server: it equals the study that the server serves."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from caveat.backends.requests import Unusable
from caveat.errors import CaveatError
from quick_run import run
from remote_study import prompts, remote
from serving import no_refusal
from toy_study import Heard


def test_it_equals_the_study_that_is_served(local, server, gate, tmp_path):
    study = run(remote(server, decision_tokens=True), tmp_path, report=True)
    assert study.failures().empty
    named = ["setting", "arm", "seed", "context", "question", "sample", "readout"]
    here, there = (one.answers().sort_values(named, ignore_index=True) for one in (local, study))
    same = [*named, "reply", "truncated", "verdict"]
    pd.testing.assert_frame_equal(here[same], there[same])
    pd.testing.assert_series_equal(here["value"], there["value"], atol=1e-4)
    pd.testing.assert_frame_equal(local.leakage(), study.leakage())
    scores = ["log_likelihood"] if "log_likelihood" in local.graded() else None
    pd.testing.assert_frame_equal(
        local.graded().drop(columns=scores or []), study.graded().drop(columns=scores or []),
        atol=1e-4,
    )  # fmt: skip
    assert study.training().empty and (tmp_path / "report.html").is_file()
    chats = [body for body in gate.bodies if "messages" in body]
    assert {(b["temperature"], b["top_p"], b["max_tokens"]) for b in chats} == {(0.0, 1.0, 3)}
    assert len({body["seed"] for body in chats}) == len(chats)
    assert len(prompts(gate)) == len(set(prompts(gate))), "no request is sent twice"
    gate.bodies.clear()
    again = run(remote(server, decision_tokens=True), tmp_path)
    pd.testing.assert_frame_equal(again.leakage(), study.leakage())
    assert gate.bodies == []


def test_what_was_answered_is_not_sent_again(server, gate, tmp_path):
    def refuse(path, body):
        return (500, '{"error": {"message": "out of order"}}') if len(gate.bodies) > 20 else None

    gate.refuse = refuse
    recipe = remote(server, seeds=[0])
    study = run(recipe, tmp_path)
    url = recipe["endpoint"]["url"]
    reason = f"endpoint.url: {url} answered 500: out of order (tried once); run again"
    assert set(study.failures()["reason"]) == {reason}
    journal = [json.loads(line) for line in (tmp_path / "endpoint.jsonl").read_text().splitlines()]
    assert len(journal) == 20 and len(gate.bodies) < 60, "it gives up"
    answered = prompts(gate)[:20]
    gate.refuse = no_refusal
    gate.bodies.clear()
    study = run(recipe, tmp_path)
    assert study.failures().empty
    assert not set(answered) & set(prompts(gate))


def test_a_token_cap_ends_it_cleanly(server, gate, tmp_path):
    recipe = remote(server, seeds=[0], endpoint={"token_cap": 2500})
    study = run(recipe, tmp_path)
    (reason,) = set(study.failures()["reason"])
    assert reason.startswith("endpoint.token_cap: the arms took ")
    assert reason.endswith(
        " of 2,500 tokens, and the next request may exceed that; raise it and run again: the "
        "replies so far are kept"
    )
    sent = prompts(gate)
    gate.bodies.clear()
    study = run(remote(server, seeds=[0]), tmp_path)
    assert study.failures().empty and not set(sent) & set(prompts(gate))
    with pytest.raises(CaveatError) as error:
        run(remote(server, seeds=[0], endpoint={"token_cap": 60}), tmp_path / "new")
    assert str(error.value).startswith(
        "endpoint.token_cap: 60 tokens, and the smallest cell, toy x password / b"
    )


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (401, "{}", "endpoint.url: URL refuses the key (401); fix endpoint.url, endpoint.models "
         "('base') or endpoint.key_env (None) and run again"),
        (429, '{"error": {"message": "slow down"}}',
         "endpoint.url: URL answered 429: slow down (tried once); run again"),
    ],
)  # fmt: skip
def test_a_service_that_answers_nothing_ends_the_run_in_one_line(
    server, gate, tmp_path, status, body, line
):
    gate.refuse = lambda path, request: (status, body)
    with pytest.raises(CaveatError) as error:
        run(remote(server, seeds=[0]), tmp_path)
    assert str(error.value) == line.replace("URL", f"{server[0]}/v1")
    assert len(gate.bodies) == 1, "the probe"
    gate.bodies.clear()
    gate.refuse = lambda path, request: (status, body) if len(gate.bodies) > 1 else None
    with pytest.raises(Unusable) as error:
        run(remote(server, seeds=[0], endpoint={"concurrency": 1}), tmp_path)
    assert line.replace("URL", f"{server[0]}/v1").partition("(")[0] in str(error.value)


def test_a_model_that_the_service_does_not_have_fails_its_cells_alone(server, gate, tmp_path):
    recipe = remote(server, seeds=[0])
    recipe["endpoint"]["models"]["marked"] = ["gone"]
    study = run(recipe, tmp_path)
    ((cell, reason),) = {(row.cell, row.reason) for row in study.failures().itertuples()}
    assert cell == "toy x password / marked / seed 0"
    assert reason == (
        f"endpoint.url: {server[0]}/v1 knows no such model or address (404); fix endpoint.url, "
        "endpoint.models ('gone') or endpoint.key_env (None) and run again"
    )


def test_a_service_without_log_probabilities(server, gate, tmp_path):
    recipe = remote(server, seeds=[0], decision_tokens=True)
    start = (
        "toy x password: question 'plain-red' (readout log_likelihood) needs log-likelihoods of "
        "given text, which this backend of tiny does not have; "
    )
    old = '{"error": {"message": "echo is not supported"}}'
    gate.refuse = lambda path, request: (400, old) if "echo" in request else None
    with pytest.raises(CaveatError) as error:
        run(recipe, tmp_path)
    assert str(error.value) == (
        f"{start}endpoint.url: {server[0]}/v1 answered 400: echo is not supported; fix the "
        "recipe's endpoint, or leave the question out, or use another backend"
    )
    gate.refuse = lambda path, request: (200, '{"choices": [{"text": "so", "logprobs": null}]}')
    with pytest.raises(CaveatError) as error:
        run(recipe, tmp_path)
    assert "answered with no completion with log-probabilities of its prompt" in str(error.value)
    del recipe["endpoint"]["tokenizer"]
    with pytest.raises(CaveatError) as error:
        run(recipe, tmp_path)
    fix = "set endpoint.tokenizer to the model's tokenizer, or leave the question out, or use "
    assert str(error.value) == f"{start}{fix}another backend"


def test_a_tokenizer_that_is_not_the_service_s(server, gate, tmp_path):
    def other(path, request):
        ids = request["prompt"][0]
        logprobs = {"tokens": ["x"] * len(ids), "token_logprobs": [None, *[-1.0] * (len(ids) - 1)]}
        choice = {"index": 0, "text": "x" * len(ids), "logprobs": logprobs}
        return 200, json.dumps({"choices": [choice]})

    gate.refuse = other
    with pytest.raises(CaveatError) as error:
        run(remote(server, seeds=[0]), tmp_path)
    assert "reads the tokens of 'tiny' as 'xxx" in str(error.value)


def test_a_key_is_nowhere_in_the_study(server, gate, tmp_path, monkeypatch):
    key = "sk-secret-0123456789"
    monkeypatch.setenv("A_KEY", key)
    text = json.dumps(
        {"choices": [{"message": {"content": f"no, {key}"}, "finish_reason": "stop"}]}
    )
    gate.refuse = lambda path, request: (200, text) if "messages" in request else None
    heard = Heard()
    recipe = remote(server, seeds=[0], endpoint={"key_env": "A_KEY"})
    study = run(recipe, tmp_path, heard)
    assert (study.answers()["reply"] == "no, (key)").any()
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert texts and not any(key.encode() in one for one in texts)
    assert key not in str(heard.said) and study.failures().empty
