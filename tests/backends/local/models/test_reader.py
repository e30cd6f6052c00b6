"""Log-probabilities from hidden states, against those of whole logits."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import Gemma3Config, Gemma3TextConfig

from caveat.backends.local.models import device_memory
from caveat.backends.local.models.frozen_layer_cache import has_scaled_logits
from caveat.backends.local.models.reader import from_hidden, from_logits

COUNT, WIDTH, VOCABULARY = 7, 6, 11


def both(hidden, head, tokens, temperatures=None):
    """(values, gradients of a weighted sum) one way, and the other."""
    weights = torch.linspace(-1, 2, len(tokens))
    found = []
    for way in ("hidden", "logits"):
        leaf = hidden.clone().requires_grad_()
        values = (
            from_hidden(leaf, head, tokens, temperatures)
            if way == "hidden"
            else from_logits(head(leaf), tokens, temperatures)
        )
        (values * weights).sum().backward()
        found.append((values.detach(), leaf.grad))
    return found


def given(seed, bias=False, dtype=torch.float32):
    torch.manual_seed(seed)
    head = nn.Linear(WIDTH, VOCABULARY, bias=bias, dtype=dtype).requires_grad_(False)
    tokens = torch.randint(VOCABULARY, (COUNT,))
    return 3 * torch.randn(COUNT, WIDTH, dtype=dtype), head, tokens


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_chunks_of_any_size_give_the_same(monkeypatch, rows, warm, bias, dtype, most):
    monkeypatch.setitem(device_memory.LOGITS, "cpu", rows * VOCABULARY)
    temperatures = torch.linspace(0.5, 2.0, COUNT) if warm else None
    one, other = both(*given(rows, bias, dtype), temperatures)
    assert torch.allclose(one[0], other[0], atol=most)
    assert torch.allclose(one[1].float(), other[1].float(), atol=most)


def test_a_vocabulary_larger_than_a_chunk_goes_token_by_token(monkeypatch):
    monkeypatch.setitem(device_memory.LOGITS, "cpu", VOCABULARY - 1)
    one, other = both(*given(0))
    assert torch.allclose(one[0], other[0], atol=1e-6)


def test_a_hopeless_token_has_a_finite_log_probability():
    head = nn.Linear(1, 2, bias=False).requires_grad_(False)
    head.weight.copy_(torch.tensor([[500.0], [-500.0]]))
    (values, slopes), _ = both(torch.ones(2, 1), head, torch.tensor([0, 1]))
    assert values.tolist() == [0.0, -1000.0]
    assert slopes.tolist() == [[0.0], [-2000.0]]  # weighted by -1 and 2


def test_half_precision_is_summed_in_float32():
    hidden, head, tokens = given(1, dtype=torch.bfloat16)
    one, other = both(hidden, head, tokens)
    assert one[0].dtype == torch.float32 and one[1].dtype == torch.bfloat16
    assert torch.allclose(one[0], other[0], atol=1e-6)
    assert torch.allclose(one[1].float(), other[1].float(), atol=0.05, rtol=0.02)


def test_where_nothing_learns_the_values_are_the_same():
    hidden, head, tokens = given(2)
    with torch.inference_mode():
        values = from_hidden(hidden, head, tokens)
        assert torch.allclose(values, from_logits(head(hidden), tokens), atol=1e-6)


def test_half_precision_holds_a_large_flat_vocabulary():
    head = nn.Linear(WIDTH, 70_000, bias=False, dtype=torch.float16).requires_grad_(False)
    tokens = torch.arange(COUNT)
    one, other = both(torch.randn(COUNT, WIDTH).half() / 100, head, tokens)
    assert one[1].isfinite().all()
    assert torch.allclose(one[1].float(), other[1].float(), atol=1e-2)


@pytest.mark.parametrize(("cap", "scaled"), [(30.0, True), (None, False)])
def test_a_cap_that_the_text_part_of_a_configuration_names_is_seen(cap, scaled):
    config = Gemma3Config(text_config=Gemma3TextConfig(final_logit_softcapping=cap))
    assert has_scaled_logits(SimpleNamespace(config=config)) is scaled
