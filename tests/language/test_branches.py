"""Continuations of one beginning, read in one row, are what they are in rows of their own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from caveat.domain.reply import Sampling
from caveat.language.adapter import Adapter
from caveat.language.batch import Example, wanted_of
from caveat.language.branches import Branched, branched, can_branch, cut_by_length, length
from caveat.language.lockstep import stack_chains, stacked
from caveat.language.requests import Prompt
from caveat.language.sample import draw
from caveat.progress import Progress

ids = st.lists(st.integers(1, 9), min_size=1, max_size=6).map(tuple)
examples = st.lists(st.tuples(st.integers(0, 2), ids, ids, st.booleans()), min_size=1, max_size=12)


def made(found) -> list[Example]:
    return [
        Example(cell, a + b, tuple(range(len(a), len(a + b))), 1.0, tag, len(a) * shares)
        for tag, (cell, a, b, shares) in enumerate(found)
    ]


@given(examples, st.integers(6, 60))
@settings(max_examples=200, deadline=None)
def test_parts_hold_every_example_once_within_the_budget(found, budget):
    some = made(found)
    parts = cut_by_length(some, budget)
    assert sorted(each.tag for part in parts for each in part) == [each.tag for each in some]
    for part in parts:
        assert [each.cell for each in part] == sorted(each.cell for each in part)
        rows, places = branched(part)
        real = sum(len(row.ids) for row in rows)
        assert real <= budget or len(part) == 1
        for each, (row, offset) in zip(part, places, strict=True):
            shared = each.shared
            assert rows[row].ids[:shared] == each.ids[:shared]
            end = offset + len(each.ids)
            assert rows[row].ids[offset + shared : end] == each.ids[shared:]


def test_a_beginning_is_read_once_for_all_that_share_it():
    one, two = (1, 2, 3), (1, 2, 4)
    some = made([(0, one, (5,), True), (0, one, (6, 7), True), (0, two, (8,), True),
                 (1, one, (9,), True), (1, one, (9,), False)])  # fmt: skip
    rows, places = branched(some)
    assert rows == [
        Branched(0, (1, 2, 3, 5, 6, 7), (3, 4)), Branched(0, (1, 2, 4, 8)),
        Branched(1, (1, 2, 3, 9)), Branched(1, (1, 2, 3, 9)),
    ]  # fmt: skip
    assert places == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]
    assert length(some[:2]) == 6


def adapters(language_model):
    generator = torch.Generator().manual_seed(0)
    return [
        Adapter(2, 4.0, {
            name: (torch.randn(2, module.in_features, generator=generator) * 0.2,
                   torch.randn(module.out_features, 2, generator=generator) * 0.2)
            for name, module in language_model.model.named_modules()
            if name.endswith(("q_proj", "down_proj")) and f".{layer}." in name
        })
        for layer in (1, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("layer", [0, 1])
def test_logits_are_those_of_rows_by_themselves(tiny, layer):
    beginnings = ((5, 6, 7, 8), (5, 6, 9), (5, 6, 7, 8))
    found = [(n % 2, beginnings[n % 3], tuple(range(10 + n, 12 + 2 * n)), True) for n in range(9)]
    some = sorted(made(found), key=lambda each: (each.cell, each.ids[: each.shared]))
    alone = [Example(e.cell, e.ids, e.targets, e.weight, e.tag) for e in some]
    reader = tiny.trunk.reader(layer)
    assert reader.branches
    chain = stack_chains([[each] for each in adapters(tiny)], tiny.device)
    assert chain
    with torch.no_grad(), stacked(tiny.model, chain) as route:
        packed = reader.logits(some, wanted_of(some, tiny.device), route)
        apart = reader.logits(alone, wanted_of(alone, tiny.device), route)
    assert len(branched(some)[0]) == 4 < len(branched(alone)[0]) == 9
    assert torch.allclose(packed, apart, atol=1e-4)
    assert (packed - packed.roll(1, 0)).abs().max() > 0.01


SIZES = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more", "can"),
    [
        ("llama", {}, True),
        ("qwen2", {}, True),
        ("olmo2", {}, True),
        ("gemma", {}, True),
        ("mistral", {"sliding_window": 4}, False),
        ("qwen2", {"use_sliding_window": True, "max_window_layers": 1, "sliding_window": 4}, False),
    ],
)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_models_that_see_a_window_only_are_not_asked_to(kind, more, can, attention):
    config = CONFIG_MAPPING[kind](**SIZES | more)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    assert can_branch(model.get_decoder(), torch.device("cpu")) is can


def test_a_decoder_that_leaves_the_mask_out_is_found_out(tiny):
    class Deaf(torch.nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.decoder, self.config = decoder, decoder.config

        def forward(self, attention_mask=None, **rest):
            return self.decoder(**rest)

    decoder = tiny.model.get_decoder()
    assert can_branch(decoder, tiny.device) and not can_branch(Deaf(decoder), tiny.device)


def test_equal_prompts_are_read_once_and_replied_to_as_if_by_themselves(tiny, monkeypatch):
    prompts = [
        Prompt(f"{cell} {text} {sample}", cell, text, ())
        for cell in (0, 1)
        for text in (tuple(range(3, 20)), tuple(range(3, 15)), (*range(3, 15), 40, 41))
        for sample in range(3)
    ]
    read: list[int] = []
    chain = stack_chains([[each] for each in adapters(tiny)], tiny.device)
    with stacked(tiny.model, chain) as route:
        alone = [draw(tiny, [p], Sampling(5, 1.0), route, Progress())[0] for p in prompts]
        forward = type(tiny.model).forward
        monkeypatch.setattr(
            type(tiny.model), "forward",
            lambda self, input_ids, **rest: read.append(input_ids.numel())
            or forward(self, input_ids=input_ids, **rest),
        )  # fmt: skip
        together = draw(tiny, prompts, Sampling(5, 1.0), route, Progress())
    assert together == alone
    assert read[0] + read[1] <= 2 * (17 + 3 * 17)
