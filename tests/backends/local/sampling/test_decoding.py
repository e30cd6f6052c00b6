"""Replies are the same however prompts are cut into parts, and whenever rows that ended leave."""

import numpy as np
import pytest
import torch
from transformers import DynamicCache

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.packing import similar_lengths
from caveat.backends.local.sampling import decoding as decoder
from caveat.backends.local.sampling import generate
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import sample
from caveat.backends.local.sampling.kv_cache import (
    TOKENS_AHEAD,
    PreallocatedLayer,
    is_preallocated,
    preallocated_cache,
)
from caveat.progress import Progress
from caveat.types.answers import Sampling

SAMPLING = Sampling(max_tokens=2 * TOKENS_AHEAD, temperature=0.8)


@pytest.fixture(scope="module")
def prompts():
    numbers = np.random.default_rng(0)
    starts = [tuple(numbers.integers(5, 60, length).tolist()) for length in (5, 9)]
    ids = [(*starts[n % 2], *numbers.integers(5, 60, 1 + n % 6).tolist()) for n in range(14)]
    return [Prompt(str(n), 0, each, ()) for n, each in enumerate(sorted(ids))]


@pytest.fixture(autouse=True)
def many_ends(tiny, monkeypatch):
    """Replies end soon, and at different steps."""
    monkeypatch.setattr(generate, "end_tokens", lambda _: set(range(0, len(tiny.tokenizer), 12)))


def drawn(tiny, prompts):
    return sample(tiny, prompts, SAMPLING, Route(), Progress())


@pytest.mark.parametrize(("tokens", "full"), [(8, 0.9), (10**6, 0.9), (64, 0.0), (64, 1.0)])
def test_parts_and_leaving_change_nothing(tiny, prompts, monkeypatch, tokens, full):
    monkeypatch.setattr(decoder, "PROMPT_TOKENS", 1)
    monkeypatch.setattr(decoder, "LIVE_SHARE", 1.0)
    alone = drawn(tiny, prompts)
    assert len({len(each.tokens) for each in alone}) > 2
    monkeypatch.setattr(decoder, "PROMPT_TOKENS", tokens)
    monkeypatch.setattr(decoder, "LIVE_SHARE", full)
    assert drawn(tiny, prompts) == alone


@pytest.mark.parametrize("name", ["tiny", "tiny_scaled", "tiny_multiplied", "tiny_forbidding"])
@torch.inference_mode()
def test_logits_are_those_of_the_model_read_whole(request, prompts, name):
    language_model = request.getfixturevalue(name)
    read = decoder.Decoder(language_model, prompts, Route())
    texts = [each.ids for each in prompts]
    found, expected = read.begin(), whole(language_model.model, texts)
    assert torch.allclose(found, expected, atol=1e-5)
    for stay in (list(range(len(texts)))[:-1], [0, 3, 7]):
        texts = [(*texts[place], 9) for place in stay]
        found, expected = read.next([9] * len(stay), stay), whole(language_model.model, texts)
        assert torch.allclose(found, expected, atol=1e-5)


def test_the_head_is_given_the_last_states_of_living_rows_alone(tiny, prompts, monkeypatch):
    head, given = tiny.model.get_output_embeddings(), []
    read = decoder.Decoder(tiny, prompts, Route())
    hook = head.register_forward_pre_hook(lambda _, args: given.append(tuple(args[0].shape)))
    width = tiny.model.config.hidden_size
    try:
        read.begin()
        assert sum(rows for rows, _ in given) == len(prompts)
        stay = list(range(len(prompts)))[1:]
        read.next([9] * len(stay), stay)
        assert len(read.mask) == len(prompts)  # the one that ended is read along
    finally:
        hook.remove()
    assert given[-1] == (len(stay), width)


def whole(model, texts):
    """Logits of the token after each text, of shape (texts, vocabulary)."""
    return torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1] for ids in texts])


def test_another_kind_of_layer_is_read_in_one_part(tiny, prompts, monkeypatch):
    monkeypatch.setattr(decoder, "PROMPT_TOKENS", 8)
    roomy = drawn(tiny, prompts)
    monkeypatch.setattr(decoder, "preallocated_cache", lambda config: DynamicCache(config=config))
    assert not is_preallocated(DynamicCache(config=tiny.model.config))
    assert drawn(tiny, prompts) == roomy


def test_parts_are_of_similar_lengths():
    lengths = [3, 9, 4, 9, 3, 20]
    assert similar_lengths(lengths, 18) == [[0, 2, 4], [1, 3], [5]]
    assert similar_lengths(lengths, 1) == [[n] for n in (0, 4, 2, 1, 3, 5)]


def test_room_is_made_and_rows_are_chosen_as_in_the_usual_cache(tiny):
    ours, usual = preallocated_cache(tiny.model.config), DynamicCache(config=tiny.model.config)
    generator = torch.Generator().manual_seed(0)
    shown = (torch.zeros(0), torch.zeros(0))
    rows = 3
    for length in (2, 1, TOKENS_AHEAD, 1, 2 * TOKENS_AHEAD, 1):
        new = torch.randn(2, rows, 2, length, 4, generator=generator)
        shown = ours.update(*new, 0)
        for mine, theirs in zip(shown, usual.update(*new, 0), strict=True):
            assert torch.equal(mine, theirs)
        if length == TOKENS_AHEAD:
            for cache in (ours, usual):
                cache.batch_select_indices(torch.tensor([2, 0, 2, 1]))
            rows = 4
    assert isinstance(ours.layers[0], PreallocatedLayer)
    assert ours.get_seq_length() == usual.get_seq_length() == shown[0].shape[2]
