"""Hidden states and next tokens, against transformers with the adapter merged into its weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.requests import Request, StateRequest
from caveat.errors import CaveatError
from caveat.rendering import render_prompt
from caveat.types.messages import Message
from random_adapters import saved_adapter

PROMPTS = ("Why is it so?", "Say it again, and say it in other words than these.", "Go")


@pytest.fixture(scope="module")
def chain(tiny, tmp_path_factory):
    """Two adapters on every layer, large enough to matter."""
    return tuple(
        saved_adapter(tiny.model, (0.0, 1.0), seed, tmp_path_factory.mktemp("adapter"))
        for seed in range(2)
    )


@pytest.fixture(scope="module")
def merged(tiny, chain):
    """The same model with both updates in its weights."""
    model = copy.deepcopy(tiny.model)
    for adapter in map(Adapter.load, chain):
        for name, (down, up) in adapter.weights.items():
            model.get_submodule(name).weight.data += adapter.scale * up @ down
    return model


def messages(text: str):
    return (Message.of("system", "Be brief."), Message.of("user", text))


def test_states_are_those_of_transformers(tiny, chain, merged):
    backend = LocalBackend(tiny)
    requests, expected = [], []
    for model, adapters in ((tiny.model, ()), (merged, chain), (merged, chain)):
        for number, text in enumerate(PROMPTS):
            ids = render_prompt(tiny.tokenizer, messages(text)).ids
            spans = ((len(ids) - 1,), (1, 3, 4)) if number else ((2,),)
            requests.append(StateRequest(f"{number}", adapters, ids, spans))
            with torch.no_grad():
                output = model(torch.tensor([ids]), output_hidden_states=True)
            states = output.hidden_states
            normed = [states[1], states[2]]
            expected.append([[layer[0, list(span)].mean(0) for layer in normed] for span in spans])
            plain = backend.hidden_states(requests[-1:], [0, 1])[0]
            assert plain.shape == (len(spans), 2, tiny.model.config.hidden_size)
    final = tiny.model.get_decoder().norm
    for values, some, request in zip(
        backend.hidden_states(requests, [1, 0]), expected, requests, strict=True
    ):
        for span, (value, (first, last)) in zip(
            request.spans, zip(values, some, strict=True), strict=True
        ):
            np.testing.assert_allclose(value[1], first, atol=2e-5)
            if len(span) == 1:  # the norm of a mean is another's
                np.testing.assert_allclose(final(torch.tensor(value[0])), last, atol=2e-5)


def test_a_layer_out_of_range_is_one_line(tiny):
    request = StateRequest("", (), (1, 2), ((1,),))
    with pytest.raises(CaveatError) as error:
        LocalBackend(tiny).hidden_states([request], [0, 2])
    assert str(error.value) == ("layer 2: tiny has 2 layers, 0 to 1; name some of these")


def test_next_tokens_are_those_of_a_plain_forward_pass(tiny, chain, merged):
    backend = LocalBackend(tiny)
    pairs = [(model, adapters, text) for text in PROMPTS
             for model, adapters in ((tiny.model, ()), (merged, chain))]  # fmt: skip
    requests = [Request("", adapters, messages(text)) for _, adapters, text in pairs]
    values = backend.next_token_log_probabilities(requests)
    assert values.shape == (6, len(tiny.tokenizer)) and values.dtype == np.float32
    for row, (model, _, text) in zip(values, pairs, strict=True):
        ids = render_prompt(tiny.tokenizer, messages(text)).ids
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        np.testing.assert_allclose(row, expected, atol=2e-5)
