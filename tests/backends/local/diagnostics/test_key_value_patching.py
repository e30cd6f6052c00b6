"""Patched keys and values, against a cache of the donor's and against plain forward hooks."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.sampling.generate import end_tokens
from caveat.backends.requests import PatchRequest, ReplyPatchRequest, Request, TokenRequest
from caveat.errors import CaveatError
from caveat.rendering import render_prompt
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from random_adapters import saved_adapter

TEXTS = ("Why is it so?", "Say it again, and say it in other words than these.")
CUT = 9
"""Tokens of the prefix."""


@pytest.fixture(scope="module")
def chains(tiny, tmp_path_factory):
    """The base model, and one whose every layer is changed a lot."""
    folder = saved_adapter(tiny.model, (0.0, 1.0), 3, tmp_path_factory.mktemp("adapter"))
    return {"base": (), "trained": (folder,)}


@pytest.fixture(scope="module")
def models(tiny, chains):
    """The same two, plain, with the adapter in the weights."""
    merged = copy.deepcopy(tiny.model)
    adapter = Adapter.load(chains["trained"][0])
    for name, (down, up) in adapter.weights.items():
        merged.get_submodule(name).weight.data += adapter.scale * up @ down
    return {"base": tiny.model, "trained": merged}


def texts(tiny):
    return [
        render_prompt(tiny.tokenizer, (Message.of("user", text),)).ids for text in TEXTS
    ]  # fmt: skip


def with_cache(receiver, donor, ids) -> torch.Tensor:
    """Log-probabilities behind the prefix, whose cache is the donor's: (tokens, vocabulary)."""
    with torch.no_grad():
        cache = donor(torch.tensor([ids[:CUT]]), use_cache=True).past_key_values
        logits = receiver(torch.tensor([ids[CUT:]]), past_key_values=cache).logits[0]
    return logits.log_softmax(-1)


def with_hooks(receiver, donor, ids, positions) -> torch.Tensor:
    """Log-probabilities where the projections of some positions are the donor's, by hand."""
    donated, handles = {}, []
    blocks = zip(donor.model.layers, receiver.model.layers, strict=True)
    for number, (giving, taking) in enumerate(blocks):
        for name in ("k_proj", "v_proj"):
            key = number, name

            def keep(module, inputs, output, key=key):
                donated[key] = output.clone()

            def put(module, inputs, output, key=key):
                changed = output.clone()
                changed[:, positions] = donated[key][:, positions]
                return changed

            with torch.no_grad():
                handle = getattr(giving.self_attn, name).register_forward_hook(keep)
            handles.append((getattr(taking.self_attn, name), put, handle))
    with torch.no_grad():
        donor(torch.tensor([ids]))
        for _, _, handle in handles:
            handle.remove()
        putting = [module.register_forward_hook(put) for module, put, _ in handles]
        logits = receiver(torch.tensor([ids])).logits[0].log_softmax(-1)
    for handle in putting:
        handle.remove()
    return logits


def test_a_patched_prefix_is_the_donors_cache_and_any_span_is_what_hooks_say(tiny, chains, models):
    backend = LocalBackend(tiny)
    pairs = list(product(chains, chains, texts(tiny)))
    span = (4, 5, 8)
    requests, expected = [], []
    for receiver, donor, ids in pairs:
        targets = tuple(range(CUT + 1, len(ids)))
        cached = with_cache(models[receiver], models[donor], ids)
        hooked = with_hooks(models[receiver], models[donor], ids, list(span))
        for positions in (tuple(range(CUT)), span):
            requests.append(
                PatchRequest("", chains[receiver], ids, targets, chains[donor], positions)
            )
            expected.append(
                [
                    float(cached[target - CUT - 1, ids[target]])
                    if positions != span
                    else float(hooked[target - 1, ids[target]])
                    for target in targets
                ]
            )
    values = backend.patched_token_log_likelihoods(requests)
    for request, value, wanted in zip(requests, values, expected, strict=True):
        assert value == pytest.approx(wanted, abs=2e-4), request
    changed = [abs(a - b) for a, b in zip(values[4], values[0], strict=True)]
    assert max(changed) > 0.01, "the donor matters"


def test_own_keys_and_values_and_no_positions_change_nothing(tiny, chains):
    backend = LocalBackend(tiny)
    requests, plain = [], []
    for name, ids in product(chains, texts(tiny)):
        targets = (3, 11, len(ids) - 1)
        everywhere = tuple(range(len(ids)))
        other = chains["base" if name == "trained" else "trained"]
        requests += [
            PatchRequest("", chains[name], ids, targets, chains[name], everywhere),
            PatchRequest("", chains[name], ids, targets, other, ()),
        ]
        plain += 2 * [TokenRequest("", chains[name], ids, targets)]
    patched = backend.patched_token_log_likelihoods(requests)
    whole = backend.token_log_likelihoods(plain)
    for one, other in zip(patched, whole, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def greedy(receiver, donor, ids, positions, count) -> tuple[int, ...]:
    """The likeliest tokens one after the other, each by a whole pass with hooks."""
    tokens = list(ids)
    for _ in range(count):
        tokens.append(int(with_hooks(receiver, donor, tokens, positions)[-1].argmax()))
    return tuple(tokens[len(ids) :])


def test_replies_with_a_patched_prompt_are_those_of_hooks(tiny, chains, models):
    """Prompts of unlike length share a batch; own keys and values give `generate`'s replies."""
    backend, spans = LocalBackend(tiny), ((4, 5, 8), (0, 1, 2, 3, 6, 7))
    length = Sampling(max_tokens=5, temperature=0)
    prompts = [(Message.of("user", text),) for text in TEXTS]
    cases = list(product(chains, chains, zip(prompts, texts(tiny), spans, strict=True)))
    requests = [
        ReplyPatchRequest(f"{number}", chains[receiver], messages, (), chains[donor], span)
        for number, (receiver, donor, (messages, _, span)) in enumerate(cases)
    ]
    replies = [reply.text for reply in backend.patched_replies(requests, length)]
    plain = [Request(one.key, one.adapters, one.messages) for one in requests]
    whole = [reply.text for reply in backend.generate(plain, length)]
    moved = 0
    ending = end_tokens(tiny)
    for (receiver, donor, (_, ids, span)), reply, usual in zip(cases, replies, whole, strict=True):
        tokens = greedy(models[receiver], models[donor], ids, list(span), 5)
        stop = next((n for n, token in enumerate(tokens) if token in ending), 5)
        assert reply == tiny.tokenizer.decode(tokens[:stop], skip_special_tokens=True)
        assert receiver != donor or reply == usual
        moved += reply != usual
    assert moved, "the donor matters"
    sampled = backend.patched_replies(requests, Sampling(max_tokens=5, temperature=0.7))
    alone = backend.patched_replies(requests[3:4], Sampling(max_tokens=5, temperature=0.7))
    assert alone[0].text == sampled[3].text, "a reply depends on its own key"


def test_a_model_without_the_modules_is_one_line(tiny):
    model = copy.deepcopy(tiny.model)
    attention = model.model.layers[1].self_attn
    attention.key_and_value = attention.v_proj
    del attention.v_proj
    from dataclasses import replace

    with pytest.raises(CaveatError) as error:
        LocalBackend(replace(tiny, model=model)).patched_token_log_likelihoods(
            [PatchRequest("", (), (1, 2), (1,), (), (0,))]
        )
    assert str(error.value) == (
        "patching: layer 1 of tiny (LlamaForCausalLM) has no module v_proj, which computes what is "
        "patched; leave this view out"
    )
