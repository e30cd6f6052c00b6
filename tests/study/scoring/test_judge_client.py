"""The client of a judge's endpoint, against a real server."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from caveat.backends.endpoint.client import GIVE_UP
from caveat.backends.endpoint.connection import Unanswered
from caveat.backends.endpoint.responses import EndpointReply
from caveat.errors import CaveatError
from caveat.study.scoring.judge_client import JudgeClient, key_of
from caveat.types.answers import Judge
from caveat.types.messages import Message
from judge_server import Reply

KEY = "sk-secret-0123456789"


def chat(text: str = "Is it so?"):
    return (Message.of("user", text),)


def send(judge: Judge, *texts: str, key: str | None = None, spent: int = 0):
    """Send all texts at once: for each the `EndpointReply`, or the line of the failure."""

    async def send_all():
        async with JudgeClient(judge, key, spent) as client:
            requests = [client.reply(chat(text)) for text in texts or ("Is it so?",)]
            return await asyncio.gather(*requests, return_exceptions=True)

    results = asyncio.run(send_all())
    assert all(isinstance(result, EndpointReply | Unanswered) for result in results), results
    return [str(result) if isinstance(result, Unanswered) else result for result in results]


def judge_of(server, **changes) -> Judge:
    return Judge(**{"endpoint": server.url, "model": "m", "retries": 1, **changes})


def test_an_answer(judge_server):
    (reply,) = send(judge_of(judge_server), key=KEY)
    assert reply == EndpointReply("yes", 100, True, False, 5)
    assert judge_server.paths == ["/v1/chat/completions"]
    assert judge_server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert judge_server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Is it so?"}],
            "max_tokens": 64,
            "temperature": 0.0,
        }
    ]


def test_no_key_and_no_temperature_are_not_sent(judge_server):
    send(judge_of(judge_server, temperature=None, endpoint=judge_server.url + "/"))
    assert "temperature" not in judge_server.bodies[0]
    assert "Authorization" not in judge_server.headers[0]
    assert judge_server.paths == ["/v1/chat/completions"]


def test_tokens_are_summed_or_estimated_where_no_total_is_given(judge_server):
    usages = [{"prompt_tokens": 30, "completion_tokens": 4}, {}, {"total_tokens": 0}, None]
    judge_server.answers = lambda number, body: Reply(usage=usages[number])
    results = send(judge_of(judge_server, concurrency=1), *["12345678"] * 4)
    assert [(result.tokens, result.counted) for result in results] == [
        (34, True), (11, False), (11, False), (11, False),
    ]  # fmt: skip


def test_an_answer_that_was_cut(judge_server):
    judge_server.answers = lambda number, body: Reply("well,", finish="length")
    assert send(judge_of(judge_server))[0].cut


def test_an_answer_without_text_is_empty(judge_server):
    body = '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'
    judge_server.answers = lambda number, _: Reply(body=body)
    assert send(judge_of(judge_server))[0].text == ""


@pytest.mark.parametrize(
    "first",
    [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=500, body="oops"),
        Reply(status=503),
        Reply(dies=True),
    ],
    ids=["429", "500", "503", "dies"],
)
def test_failures_that_may_pass_are_retried(judge_server, first):
    judge_server.answers = lambda number, body: Reply() if number else first
    (reply,) = send(judge_of(judge_server))
    assert reply.text == "yes" and len(judge_server.bodies) == 2


def test_a_timeout_is_retried(judge_server):
    judge_server.answers = lambda number, body: Reply(wait=0 if number else 3)
    (reply,) = send(judge_of(judge_server, timeout=1, retries=3))
    assert reply.text == "yes" and len(judge_server.bodies) >= 2


def test_retry_after_is_honoured(judge_server):
    limited = Reply(status=429, headers={"Retry-After": "1"})
    judge_server.answers = lambda number, body: Reply() if number else limited
    assert send(judge_of(judge_server))[0].text == "yes"
    assert judge_server.times[1] - judge_server.times[0] >= 0.95


def test_a_long_wait_is_not_waited_for(judge_server):
    judge_server.answers = lambda number, body: Reply(
        status=429, body='{"error": {"message": "no credit"}}', headers={"Retry-After": "3600"}
    )
    assert send(judge_of(judge_server)) == [
        f"judge.endpoint: {judge_server.url} answered 429: no credit, Retry-After: 3600 "
        "(tried once); run again"
    ]


def test_failures_that_stay_are_one_line(judge_server):
    url = judge_server.url

    def failure(reply: Reply, **changes) -> str:
        judge_server.answers = lambda number, body: reply
        (line,) = send(judge_of(judge_server, **changes))
        return line

    assert failure(Reply(status=500, body='{"error": "oops\\nagain"}')) == (
        f"judge.endpoint: {url} answered 500: oops again (tried 2 times); run again"
    )
    assert failure(Reply(wait=0.3), timeout=0.1, retries=0) == (
        f"judge.timeout: {url} gave no answer in 0.1 s (tried once); run again"
    )
    assert failure(Reply(body="<html>Welcome</html>")) == (
        f"judge.endpoint: {url} answered with no chat completion: '<html>Welcome</html>'; "
        "does judge.endpoint end as it should, such as in /v1?"
    )
    nested = "[" * 100_000
    assert failure(Reply(body=nested)).startswith(
        f"judge.endpoint: {url} answered with no chat completion: '[[[["
    )
    refused = failure(Reply(status=400, body=nested))
    assert refused.startswith(f"judge.endpoint: {url} answered 400: [[[[")
    assert failure(Reply(body="[]")).startswith(
        f"judge.endpoint: {url} answered with no chat completion: '[]'; "
    )
    assert failure(Reply(status=404, body="{}")) == (
        f"judge.endpoint: {url} knows no such model or address (404); fix judge.endpoint, "
        "judge.model ('m') or judge.key_env (None) and run again"
    )
    assert failure(Reply(status=400, body='{"error": {"message": "too long"}}')) == (
        f"judge.endpoint: {url} answered 400: too long; fix the recipe's judge"
    )
    assert failure(Reply(dies=True), retries=0).startswith(f"judge.endpoint: {url}: ")


def test_an_endpoint_that_refuses_connections():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        (line,) = send(Judge(url, "m", retries=1))
    assert line == (
        f"judge.endpoint: {url}: All connection attempts failed (tried 2 times); run again"
    )


def test_after_many_failures_in_a_row_no_more_is_sent(judge_server):
    judge_server.answers = lambda number, body: Reply(status=500)
    results = send(judge_of(judge_server, retries=0), *["x"] * 60)
    assert len(set(results)) == 1 and len(judge_server.bodies) <= GIVE_UP + 8


def test_an_answer_in_between_keeps_the_others_going(judge_server):
    judge_server.answers = lambda number, body: Reply(status=200 if number % 4 == 3 else 500)
    results = send(judge_of(judge_server, retries=0), *["x"] * 60)
    assert len(judge_server.bodies) == 60
    assert sum(isinstance(result, EndpointReply) for result in results) == 15


def test_a_refused_key_ends_it_at_once(judge_server):
    judge_server.answers = lambda number, body: Reply(status=401, body=f'{{"error": "{KEY}"}}')
    results = send(judge_of(judge_server, key_env="KEY", concurrency=1), *["x"] * 20, key=KEY)
    assert len(judge_server.bodies) == 1
    assert set(results) == {
        f"judge.endpoint: {judge_server.url} refuses the key (401); fix judge.endpoint, "
        "judge.model ('m') or judge.key_env ('KEY') and run again"
    }


def test_no_more_requests_than_allowed_are_under_way(judge_server):
    judge_server.answers = lambda number, body: Reply(wait=0.03)
    results = send(judge_of(judge_server, concurrency=3), *["x"] * 12)
    assert len(results) == 12 and judge_server.most_under_way == 3


def test_the_cap_is_not_passed(judge_server):
    judge = judge_of(judge_server, token_cap=1000, max_tokens=90)
    results = send(judge, *["x"] * 30)
    answered = [result for result in results if isinstance(result, EndpointReply)]
    assert len(answered) == len(judge_server.bodies) == 10
    (line,) = {result for result in results if isinstance(result, str)}
    assert line == (
        "judge.token_cap: m took 1,000 of 1,000 tokens, and the next request may exceed that; "
        "raise it and run again: the replies so far are kept"
    )


def test_tokens_of_earlier_runs_count_against_the_cap(judge_server):
    (line,) = send(judge_of(judge_server, token_cap=1000), spent=950)
    assert line.startswith("judge.token_cap: m took 950 of 1,000 tokens")
    assert not judge_server.bodies


def test_models_that_want_another_name_of_the_limit(judge_server):
    refusal = '{"error": {"message": "Unsupported: use \'max_completion_tokens\' instead."}}'

    def answers(number, body):
        return Reply(status=400, body=refusal) if "max_tokens" in body else Reply()

    judge_server.answers = answers
    replies = send(judge_of(judge_server, concurrency=1), "x", "x")
    assert [reply.text for reply in replies] == ["yes", "yes"] and len(judge_server.bodies) == 3
    assert judge_server.bodies[-1]["max_completion_tokens"] == 64
    replies = send(judge_of(judge_server, concurrency=8), *["x"] * 12)
    assert [reply.text for reply in replies] == ["yes"] * 12, "also those sent at the same time"


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_key_that_the_server_repeats_is_hidden(judge_server, status):
    judge_server.answers = lambda number, body: Reply(
        text=f"no, {KEY}", status=status, body=None if status == 200 else f"bad key {KEY}"
    )
    (result,) = send(judge_of(judge_server), key=KEY)
    assert KEY not in str(result) and "(key)" in str(result)


def test_variables_of_other_programs_are_not_sent(judge_server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-another-program")
    send(judge_of(judge_server))
    send(judge_of(judge_server), key=KEY)
    assert len(judge_server.headers) == 2
    assert "of-another-program" not in str(judge_server.headers)


def test_a_server_that_sends_byte_by_byte_is_not_waited_for_without_end(judge_server, monkeypatch):
    monkeypatch.setattr("caveat.backends.endpoint.client.LONGEST_WAIT", 0.0)
    judge_server.answers = lambda number, body: Reply(pause=0.1)
    (line,) = send(judge_of(judge_server, timeout=0.5, retries=0))
    assert line == f"judge.timeout: {judge_server.url} gave no answer in 0.5 s; run again"


def test_tries_that_timed_out_count_against_the_cap(judge_server):
    judge_server.answers = lambda number, body: Reply(wait=0 if number else 1.5)
    judge = judge_of(judge_server, timeout=1.0, concurrency=1, token_cap=265, max_tokens=60)
    first, second = send(judge, "x" * 400, "x" * 4)
    assert first.tokens == 100 and second.startswith("judge.token_cap: m took 204 of 265 tokens")


def test_a_judge_without_openai_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(CaveatError) as error:
        key_of(Judge("http://localhost/v1", "m"))
    assert str(error.value) == (
        "judge: the package 'openai' is not installed; install it with pip install 'caveat[judge]'"
    )


def test_an_address_that_is_none_is_an_error_in_one_line():
    with pytest.raises(CaveatError) as error:
        send(Judge("http://a\x00b/v1", "m"))
    assert str(error.value) == (
        "judge.endpoint: 'http://a\\x00b/v1': Invalid non-printable ASCII character in URL, "
        "'\\x00' at position 8.; fix it"
    )


def test_keys_come_from_the_environment_and_are_never_shown(monkeypatch):
    judge = Judge("http://localhost/v1", "m", key_env="A_KEY")
    monkeypatch.setenv("A_KEY", f" {KEY}\n")
    assert key_of(judge) == KEY and key_of(Judge("http://localhost/v1", "m")) is None
    monkeypatch.setenv("A_KEY", f"{KEY} {KEY}")
    with pytest.raises(CaveatError) as error:
        key_of(judge)
    assert str(error.value) == (
        "judge.key_env: the key in 'A_KEY' contains a character that no key has, such as a space "
        "or a line break; export it again"
    )
    monkeypatch.delenv("A_KEY")
    with pytest.raises(CaveatError) as error:
        key_of(judge)
    assert str(error.value) == (
        "judge.key_env: the environment variable 'A_KEY' is not set; export it, or leave "
        "judge.key_env out for an endpoint that needs no key"
    )
