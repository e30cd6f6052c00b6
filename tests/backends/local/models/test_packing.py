"""Examples packed into one row are what they are in rows of their own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from caveat.backends.batches import Example
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import stack_chains, stacked
from caveat.backends.local.models.loading import load
from caveat.backends.local.models.packing import can_pack, cut, layout, pack
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import sample
from caveat.progress import Progress
from caveat.types.answers import Sampling

ids = st.lists(st.integers(1, 4), min_size=1, max_size=9).map(tuple)
examples = st.lists(st.tuples(st.integers(0, 2), ids), min_size=1, max_size=12)


def made(found) -> list[Example]:
    return [
        Example(cell, some, tuple(range(1, len(some))), 1.0, tag)
        for tag, (cell, some) in enumerate(found)
    ]


@given(examples, st.integers(9, 60), st.booleans())
@settings(max_examples=300, deadline=None)
def test_batches_hold_every_example_once_within_the_budget(found, budget, packs):
    some = made(found)
    batches = cut(some, budget, packs)
    tags = [each.tag for batch in batches for each in batch.examples]
    assert sorted(tags) == list(range(len(some)))
    for batch in batches:
        assert [row.cell for row in batch.rows] == sorted(row.cell for row in batch.rows)
        assert batch.tokens <= budget
        assert batch.tokens == len(batch.rows) * max(len(row.ids) for row in batch.rows)
        for row in batch.rows:
            assert packs or len(row.examples) == 1
            for example, positions in zip(row.examples, row.positions, strict=True):
                assert example.cell == row.cell
                assert tuple(row.ids[position] for position in positions) == example.ids
                assert list(positions) == sorted(set(positions))


@given(examples)
@settings(max_examples=200, deadline=None)
def test_what_examples_have_in_common_is_there_once(found):
    """As many tokens as a tree of all prefixes has nodes."""
    some = made(found)
    nodes = {(each.cell, each.ids[:end]) for each in some for end in range(1, len(each.ids) + 1)}
    batches = cut(some, 1000, True)
    assert sum(len(row.ids) for batch in batches for row in batch.rows) == len(nodes)
    for batch in batches:
        for row in batch.rows:
            starts = {}
            for example, positions in zip(row.examples, row.positions, strict=True):
                for end, position in enumerate(positions, 1):
                    assert starts.setdefault(position, example.ids[:end]) == example.ids[:end]


def test_rows_of_a_cell_are_about_as_long_as_each_other():
    some = made([(0, (n, *range(50, 59))) for n in range(1, 9)])
    lengths = [len(row.ids) for batch in cut(some, 60, True) for row in batch.rows]
    assert lengths == [40, 40]


def test_positions_by_hand():
    row = pack(made([(0, (1, 2, 3)), (0, (1, 2, 3, 4)), (0, (1, 5)), (0, (6,))]))
    assert row.ids == (1, 2, 3, 4, 5, 6)
    assert row.positions == ((0, 1, 2), (0, 1, 2, 3), (0, 4), (5,))
    told = layout([row, pack(made([(1, (7, 8))]))], "cpu")
    assert told["position_ids"].tolist() == [[0, 1, 2, 3, 1, 0], [0, 1, 0, 0, 0, 0]]
    packing = told["packing"]
    assert packing.apart.shape == (5, 4)
    flat, back = packing.apart.flatten(), packing.together.flatten()
    assert all(flat[back[place]] == place for place in range(8))
    assert {int(place) // 6 for place in packing.apart[4]} == {1}
    assert {int(place) // 4 for place in packing.together[1]} == {4}
    assert layout([pack(made([(1, (7, 8))]))], "cpu") == {}


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
@pytest.mark.parametrize("budget", [1000, 30])
def test_logits_and_gradients_are_those_of_rows_by_themselves(tiny, layer, budget):
    beginnings = ((5, 6, 7, 8), (5, 6, 9), (5, 6, 7, 8))
    found = [(n % 2, (*beginnings[n % 3], *range(10 + n, 12 + 2 * n))) for n in range(9)]
    some = made(found)
    reader = tiny.reader(layer)
    assert reader.cache.packs

    def read(packs):
        chain = stack_chains([[each] for each in adapters(tiny)], tiny.device)
        for stack in chain.values():
            stack.down.requires_grad_()
            stack.up.requires_grad_()
        logits = {}
        with stacked(tiny.model, chain) as route:
            batches = cut(some, budget, packs)
            for batch in batches:
                of = [each.tag for each in batch.examples for _ in each.targets]
                found = reader.logits(batch, route)
                found.log_softmax(-1)[:, 3].sum().backward()
                for tag, one in zip(of, found.detach(), strict=True):
                    logits.setdefault(tag, []).append(one)
        grads = [each.grad for stack in chain.values() for each in (stack.down, stack.up)]
        read_tokens = sum(len(row.ids) for batch in batches for row in batch.rows)
        return torch.cat([torch.stack(logits[tag]) for tag in sorted(logits)]), grads, read_tokens

    packed, packed_grads, fewer = read(True)
    apart, apart_grads, more = read(False)
    assert fewer < more
    assert torch.allclose(packed, apart, atol=1e-4)
    assert (packed - packed.roll(1, 0)).abs().max() > 0.01
    for one, other in zip(packed_grads, apart_grads, strict=True):
        assert other.abs().max() > 1e-3
        assert torch.allclose(one, other, atol=1e-4)


SIZES = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more", "can"),
    [
        ("llama", {}, True),
        ("llama", {"num_key_value_heads": 1}, True),
        ("qwen2", {}, True),
        ("qwen3", {}, True),
        ("olmo2", {}, True),
        ("gemma", {}, True),
        ("mistral", {"sliding_window": 4}, False),
        ("qwen2", {"use_sliding_window": True, "max_window_layers": 1, "sliding_window": 4}, False),
    ],
)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_models_with_another_attention_are_not_asked_to(kind, more, can, attention):
    config = CONFIG_MAPPING[kind](**SIZES | more)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    usual = model.config._attn_implementation
    assert can_pack(model.get_decoder(), torch.device("cpu")) is can
    assert model.config._attn_implementation == usual


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_decoder_that_leaves_the_packing_out_is_found_out(dtype):
    tiny = load("tiny", dtype)

    class Deaf(torch.nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.decoder, self.config = decoder, decoder.config

        def forward(self, packing=None, **rest):
            return self.decoder(**rest)

    class Blind(Deaf):
        def forward(self, position_ids=None, **rest):
            return self.decoder(**rest)

    class Capped(Deaf):
        def forward(self, packing=None, **rest):
            told = {} if packing is None else {"packing": packing, "softcap": 5.0}
            return self.decoder(**rest, **told)

    decoder = tiny.model.get_decoder()
    assert can_pack(decoder, tiny.device)
    for made_of in (Deaf, Blind, Capped):
        assert not can_pack(made_of(decoder), tiny.device)


def test_a_model_that_cannot_pack_reads_rows_by_themselves(tiny):
    some = made([(0, (1, 2, 3)), (0, (1, 2, 4))])
    assert [len(batch.rows) for batch in cut(some, 100, False)] == [2]
    assert [len(batch.rows) for batch in cut(some, 100, True)] == [1]


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
        alone = [sample(tiny, [p], Sampling(5, 1.0), route, Progress())[0] for p in prompts]
        decoder = type(tiny.model.get_decoder())
        forward = decoder.forward
        monkeypatch.setattr(
            decoder, "forward",
            lambda self, input_ids, **rest: read.append(input_ids.numel())
            or forward(self, input_ids=input_ids, **rest),
        )  # fmt: skip
        together = sample(tiny, prompts, Sampling(5, 1.0), route, Progress())
    assert together == alone
    assert read[0] + read[1] <= 2 * (17 + 3 * 17)
