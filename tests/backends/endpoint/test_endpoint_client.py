"""What the client sends to services that know less than others, and how it reads them."""

from __future__ import annotations

import asyncio
import json

import pytest

from caveat.backends.endpoint.client import EndpointClient, Generation
from caveat.backends.endpoint.connection import Connection, Unanswered
from caveat.backends.endpoint.responses import Unreadable, echoed_prompts
from caveat.types.messages import Message
from judge_server import Reply


def send(server, *generations: Generation) -> list[str]:
    """The replies to one chat, or why there is none, one after the other."""
    connection = Connection(server.url, "endpoint", "url", "models", None, 1, 5.0, 0, 10_000)

    async def send_all():
        async with EndpointClient(connection) as client:
            found = []
            for generation in generations:
                try:
                    found.append((await client.chat((Message.of("user", "?"),), generation)).text)
                except Unanswered as error:
                    found.append(str(error))
            return found

    return asyncio.run(send_all())


def refusing(*names: str):
    """Answers of a server that refuses the first of some options that a request has."""

    def answers(number, body):
        known = [name for name in names if name in body]
        message = {"error": {"message": f"Unsupported parameter: '{known[0]}'"}} if known else {}
        return Reply(status=400, body=json.dumps(message)) if known else Reply()

    return answers


def test_a_service_without_seed_and_top_p_gets_neither(judge_server):
    judge_server.answers = refusing("seed", "top_p")
    generation = Generation("m", 8, 0.5, 1.0, 7)
    assert send(judge_server, generation, generation) == ["yes", "yes"]
    first, *_, last = judge_server.bodies
    assert (first["seed"], first["top_p"], first["temperature"]) == (7, 1.0, 0.5)
    assert "seed" not in last and "top_p" not in last and last["temperature"] == 0.5
    assert len(judge_server.bodies) == 4, "what was refused once is not sent again"


def test_a_top_p_that_changes_replies_is_not_left_out(judge_server):
    judge_server.answers = refusing("top_p")
    assert send(judge_server, Generation("m", 8, top_p=0.5)) == [
        f"endpoint.url: {judge_server.url} answered 400: Unsupported parameter: 'top_p'; fix the "
        "recipe's endpoint"
    ]


def test_a_model_named_after_its_seed_keeps_the_seed(judge_server):
    message = json.dumps({"error": {"message": "'marked/seed0': the prompt is too long"}})
    judge_server.answers = lambda n, body: Reply(status=400, body=message) if n == 0 else Reply()
    generation = Generation("marked/seed0", 8, seed=7)
    refused, reply = send(judge_server, generation, generation)
    assert "the prompt is too long" in refused and reply == "yes"
    assert [body["seed"] for body in judge_server.bodies] == [7, 7]


def test_an_error_in_the_form_of_a_reply_is_none(judge_server):
    def body(reason):
        message = {"role": "assistant", "content": None}
        return json.dumps({"choices": [{"message": message, "finish_reason": reason}]})

    judge_server.answers = lambda n, _: Reply(body=body("error" if n == 0 else "stop"))
    failed, empty = send(judge_server, Generation("m", 8), Generation("m", 8))
    assert "answered with no chat completion" in failed and empty == ""


def test_a_refusal_is_a_reply(judge_server):
    message = {"role": "assistant", "content": None, "refusal": "I cannot."}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
    judge_server.answers = lambda number, _: Reply(body=body)
    assert send(judge_server, Generation("m", 8)) == ["I cannot."]


def test_a_model_that_is_not_there_ends_its_own_requests_alone(judge_server):
    judge_server.answers = lambda n, body: Reply(status=404 if body["model"] == "gone" else 200)
    gone, here = Generation("gone", 8), Generation("here", 8)
    first, second, third = send(judge_server, gone, here, gone)
    assert second == "yes" and first == third and "endpoint.models ('gone')" in first
    assert len(judge_server.bodies) == 2


@pytest.mark.parametrize(
    "logprobs",
    [
        None, {"token_logprobs": [None]}, {"token_logprobs": [None, None]}, {"token_logprobs": 3},
        {"token_logprobs": [None, float("nan")]}, {"token_logprobs": [None, float("-inf")]},
    ],
)  # fmt: skip
def test_log_probabilities_that_are_none(logprobs):
    content = json.dumps({"choices": [{"index": 0, "text": "ab", "logprobs": logprobs}]})
    with pytest.raises(Unreadable):
        echoed_prompts(content, [2])


def test_prompts_come_back_in_their_order_without_what_was_written_behind_them():
    def choice(index, *values):
        return {"index": index, "logprobs": {"tokens": ["a", "b", "c"], "token_logprobs": values}}

    content = json.dumps({"choices": [choice(1, None, -2.0, -9.0), choice(0, None, -1.0, -9.0)]})
    echoed = echoed_prompts(content, [2, 2])
    assert echoed.log_likelihoods == ((None, -1.0), (None, -2.0))
    assert echoed.texts == ("ab", "ab") and echoed.tokens == 4
