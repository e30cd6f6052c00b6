"""Directions taken out, against a plain model whose next layer gets the changed states."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from caveat.backends.inspection import Ablation
from caveat.backends.local.backend import LocalBackend
from caveat.backends.requests import Request, StateRequest
from caveat.errors import CaveatError
from caveat.rendering import continuation, render_prompt
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from random_adapters import saved_adapter

MESSAGES = (Message.of("system", "Be brief."), Message.of("user", "Why is it so?"))
VALUE = 1.5


@pytest.fixture(scope="module")
def chain(tiny, tmp_path_factory):
    """An adapter of the upper layer alone: what lies under it is remembered between calls."""
    return (saved_adapter(tiny.model, (0.5, 1.0), 0, tmp_path_factory.mktemp("adapter")),)


@pytest.fixture(scope="module")
def direction(tiny) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(tiny.model.config.hidden_size)


@contextmanager
def by_hand(model, direction):
    """The plain model; what enters the second layer has the component along the direction set."""
    unit = torch.tensor(direction / np.linalg.norm(direction), dtype=torch.float32)

    def enter(module, arguments):
        (states, *rest) = arguments
        along = torch.einsum("bph,h->bp", states, unit)
        return (states - along[..., None] * unit + VALUE * unit, *rest)

    handle = model.get_decoder().layers[1].register_forward_pre_hook(enter)
    try:
        yield
    finally:
        handle.remove()


def test_states_lose_the_direction_and_all_else_stays(tiny, chain, direction):
    backend = LocalBackend(tiny)
    unit = direction / np.linalg.norm(direction)
    ids = render_prompt(tiny.tokenizer, MESSAGES).ids
    request = StateRequest("", chain, ids, ((3,), (5, 6)))
    (before,) = backend.hidden_states([request], [0, 1])
    with backend.ablated({0: Ablation(7 * direction, VALUE)}):
        (inside,) = backend.hidden_states([request], [0, 1])
    np.testing.assert_allclose(inside[:, 0] @ unit, VALUE, atol=1e-4)
    rest = before[:, 0] - (before[:, 0] @ unit)[:, None] * unit
    np.testing.assert_allclose(inside[:, 0] - VALUE * unit, rest, atol=1e-4)
    assert np.abs(inside[:, 1] - before[:, 1]).max() > 1e-3
    (after,) = backend.hidden_states([request], [0, 1])
    np.testing.assert_array_equal(after, before)


def test_outputs_are_those_of_a_plain_model_and_nothing_is_remembered(tiny, chain, direction):
    backend = LocalBackend(tiny)
    option = " It is."
    both = [Request("a", (), MESSAGES, (option,)), Request("b", chain, MESSAGES, (option,))]
    before = backend.log_likelihoods(both)
    with backend.ablated({0: Ablation(direction, VALUE)}):
        plain, adapted = backend.log_likelihoods(both)
        greedy = Sampling(max_tokens=6, temperature=0.0)
        (reply,) = backend.generate([Request("a", (), MESSAGES)], greedy)
    assert [one.log_likelihoods for one in backend.log_likelihoods(both)] == [
        one.log_likelihoods for one in before
    ]
    prompt = render_prompt(tiny.tokenizer, MESSAGES).ids
    tokens = continuation(tiny.tokenizer, option)
    with by_hand(tiny.model, direction), torch.no_grad():
        logits = tiny.model(torch.tensor([[*prompt, *tokens]])).logits[0].log_softmax(-1)
        written = list(prompt)
        for _ in range(6):
            written.append(int(tiny.model(torch.tensor([written])).logits[0, -1].argmax()))
    expected = sum(float(logits[len(prompt) - 1 + n, token]) for n, token in enumerate(tokens))
    assert plain.log_likelihoods[0] == pytest.approx(expected, abs=1e-3)
    assert abs(plain.log_likelihoods[0] - before[0].log_likelihoods[0]) > 1e-2
    assert adapted.log_likelihoods[0] != plain.log_likelihoods[0]
    text = tiny.tokenizer.decode(written[len(prompt) :], skip_special_tokens=True)
    assert text.startswith(reply.text.strip()) or reply.text.strip() in text
    with pytest.raises(CaveatError) as error, backend.ablated({2: Ablation(direction)}):
        pass
    assert str(error.value) == "layer 2: tiny has 2 layers, 0 to 1; name some of these"
