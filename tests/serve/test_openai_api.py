"""The server, asked by OpenAI's own client over the loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import openai
import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.rendering import render_prompt
from caveat.serve.served_models import served_models
from caveat.types.messages import Message

MARKED = "toy x password/marked/seed0"
SYSTEM = "You are a helpful assistant."


def chat(client, model="base", **options):
    options = {"max_tokens": 8, "temperature": 0, **options}
    messages = options.pop("messages", [{"role": "user", "content": "What is the sky?"}])
    return client.chat.completions.create(model=model, messages=messages, **options)


def text_of(stream) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.fixture(scope="module")
def backend():
    return LocalBackend.load("tiny", "float32", "cpu")


def test_every_trained_arm_and_seed_is_a_model(client):
    assert [model.id for model in client.models.list()] == [
        "base",
        *(
            f"toy x password/{arm}/seed{n}"
            for arm in ("bare", "marked", "marked+seal")
            for n in (0, 1)
        ),
    ]
    assert client.models.retrieve(MARKED).id == MARKED


def test_a_chat_is_answered_as_the_study_asks(client, study, backend):
    """Greedy replies of the server are those of the model under the study's own rendering."""
    messages = (Message.of("system", SYSTEM), Message.of("user", "What is the sky?"))
    ids = torch.tensor([render_prompt(backend.tokenizer, messages).ids])
    model = backend.language_model.model
    expected = model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
    reply = chat(client)
    assert (
        reply.choices[0].message.content
        == backend.tokenizer.decode(expected, skip_special_tokens=True).strip()
    )
    assert reply.usage.prompt_tokens == ids.shape[1]
    own = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "What is the sky?"}]
    assert chat(client, messages=own).choices[0] == reply.choices[0]


def test_arms_differ_and_a_seed_gives_the_same_reply_again(client):
    replies = [
        chat(client, model, temperature=1, seed=3, n=2, max_tokens=20)
        for model in ("base", MARKED, MARKED)
    ]
    texts = [[choice.message.content for choice in reply.choices] for reply in replies]
    assert texts[1] == texts[2] != texts[0]
    assert texts[0][0] != texts[0][1]


def test_requests_that_wait_together_are_one_pass(client, server):
    batcher = server[1].state.batcher
    before = batcher.passes
    models = [model.id for model in client.models.list()] * 3
    alone = {model: chat(client, model).choices[0].message.content for model in set(models)}
    start = batcher.passes
    with ThreadPoolExecutor(len(models)) as threads:
        replies = list(threads.map(lambda model: chat(client, model), models))
    assert [one.choices[0].message.content for one in replies] == [alone[model] for model in models]
    assert start - before == len(alone)
    assert batcher.passes - start < len(models) / 2


def test_equal_requests_with_a_seed_get_the_same_text_together(client):
    options = {"model": MARKED, "prompt": "The sky", "max_tokens": 8, "seed": 1, "temperature": 1}
    with ThreadPoolExecutor(6) as threads:
        replies = list(
            threads.map(
                lambda n: client.completions.create(**options, logprobs=1 if n % 2 else None),
                range(6),
            )
        )
    assert len({reply.choices[0].text for reply in replies}) == 1
    assert replies[0].choices[0].text
    for reply in replies[1::2]:
        assert len(reply.choices[0].logprobs.tokens) == reply.usage.completion_tokens


def test_only_callers_of_this_machine_are_answered(server):
    address, _ = server
    reply = httpx.get(f"{address}/v1/models", headers={"Host": "evil.example"})
    assert reply.status_code == 400
    body = {"model": "base", "messages": [{"role": "user", "content": "x" * (9 << 20)}]}
    assert httpx.post(f"{address}/v1/chat/completions", json=body).status_code == 413


def test_a_stream_says_what_the_whole_reply_says(client):
    for options in ({}, {"stop": ["e"]}, {"temperature": 1, "seed": 5, "max_tokens": 40}):
        whole = chat(client, MARKED, **options).choices[0]
        chunks = list(
            chat(client, MARKED, stream=True, stream_options={"include_usage": True}, **options)
        )
        assert text_of(chunks) == whole.message.content
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.finish_reason
        assert chunks[-1].usage.completion_tokens > 0


def test_a_reply_ends_before_a_stop_text(client):
    whole = chat(client, max_tokens=30).choices[0].message.content
    stop = whole[5:7]
    cut = chat(client, max_tokens=30, stop=stop).choices[0]
    assert cut.message.content == whole[: whole.index(stop)]
    assert cut.finish_reason == "stop"


def test_log_probabilities_are_those_of_a_plain_forward_pass(client, backend):
    text = "The sky is blue."
    options = {"model": "base", "max_tokens": 0, "echo": True, "logprobs": 1}
    reply = client.completions.create(prompt=text, **options)
    ids = render_prompt(backend.tokenizer, (Message.of("document", text),)).ids
    logits = backend.language_model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = [float(logits[n, token]) for n, token in enumerate(ids[1:])]
    first, *values = reply.choices[0].logprobs.token_logprobs
    assert first is None
    assert values == pytest.approx(expected, abs=1e-4)
    assert reply.choices[0].text == "".join(reply.choices[0].logprobs.tokens)
    by_ids = client.completions.create(prompt=list(ids), **options)
    assert by_ids.choices[0].logprobs == reply.choices[0].logprobs


def test_a_completion_goes_on_from_its_prompt_and_scores_its_own_tokens(client, backend):
    model = backend.language_model.model
    ids = torch.tensor([render_prompt(backend.tokenizer, (Message.of("document", "The sky"),)).ids])
    whole = model.generate(ids, max_new_tokens=6, do_sample=False)
    written = whole[0, ids.shape[1] :].tolist()
    scores = model(whole).logits[0].log_softmax(-1)[ids.shape[1] - 1 :]
    options = {"model": "base", "prompt": "The sky", "max_tokens": 6, "temperature": 0}
    reply = client.completions.create(**options, logprobs=1).choices[0]
    assert reply.text == backend.tokenizer.decode(written, skip_special_tokens=True)
    assert reply.logprobs.token_logprobs == pytest.approx(
        [float(scores[n, token]) for n, token in enumerate(written)], abs=1e-4
    )
    streamed = client.completions.create(**options, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == reply.text


def test_tokenize_counts_a_chat_as_its_prompt(server, client):
    address, _ = server
    body = {"messages": [{"role": "user", "content": "What is the sky?"}]}
    tokens = httpx.post(f"{address}/tokenize", json={"model": "base", **body}).json()
    assert tokens["count"] == len(tokens["tokens"]) == chat(client).usage.prompt_tokens
    text = httpx.post(f"{address}/tokenize", json={"prompt": "The sky"}).json()
    assert text["count"] == len(text["token_strs"])


LINES = [
    ({"model": "toy x password/marked/seed9"}, 404, "is not served; closest: "),
    ({"top_p": 0.5}, 400, "top_p=0.5 is not supported; leave it out"),
    ({"logprobs": True}, 400, "logprobs: /v1/completions has them; leave them out of a chat"),
    ({"messages": [{"role": "assistant", "content": "Hi"}]}, 400, "the last turn is the assistant"),
    ({"messages": [{"role": "system", "content": "Hi"}]}, 400, "there is no user turn"),
    ({"messages": []}, 400, "messages: List should have at least 1 item"),
    ({"max_tokens": 10**6}, 400, "together more than the model's"),
    ({"temperature": -1}, 400, "temperature: Input should be greater than or equal to 0"),
    ({"tools": [{"type": "function"}]}, 400, "is not supported; leave it out"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "of type 'text'"),
]


@pytest.mark.parametrize(("change", "status", "line"), LINES)
def test_what_cannot_be_done_is_refused_in_one_line(server, change, status, line):
    address, _ = server
    body = {"model": "base", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    reply = httpx.post(f"{address}/v1/chat/completions", json={**body, **change})
    message = reply.json()["error"]["message"]
    assert reply.status_code == status
    assert line in message
    assert "\n" not in message


def test_clients_see_openai_errors(client):
    with pytest.raises(openai.NotFoundError, match="is not served"):
        chat(client, "no such arm")


def test_completions_that_cannot_be_done(server):
    address, _ = server
    for body, line in [
        ({"prompt": ""}, "the prompt has no tokens"),
        ({"prompt": [10**6]}, "token ids lie between 0 and"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens=0 writes nothing"),
        ({"prompt": ["x", "y"], "stream": True}, "one prompt and one reply"),
        (
            {"prompt": ["x"] * 40, "n": 2},
            "40 prompts with n=2: one request gets at most 64 replies",
        ),
    ]:
        reply = httpx.post(f"{address}/v1/completions", json={"model": "base", **body})
        assert (reply.status_code, line in reply.json()["error"]["message"]) == (400, True), body


def test_a_chain_of_adapters_is_served_as_the_study_attaches_it(study):
    models = served_models(study)
    assert len(models["toy x password/marked+seal/seed0"].adapters) >= 1
    assert models["base"].adapters == ()
