"""Decoders that can be cut beneath a layer, and those that are left whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM, LlamaModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from caveat.backends.local.lora.stacked import adapted_modules
from caveat.backends.local.models.frozen_layer_cache import lowest_layer, split_decoder

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}
KINDS = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "olmo2", "gemma")
SLIDING = ["sliding_attention", "full_attention", "full_attention"]
IDS = torch.tensor([[7, 3, 9, 20, 4], [8, 8, 1, 0, 0]])


def small(kind: str, **settings):
    """A model of three layers and random weights."""
    config = CONFIG_MAPPING[kind](**SIZES | settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)


class Scaling(LlamaModel):
    """A decoder that scales what comes in, be it embeddings or hidden states."""

    def forward(self, input_ids=None, inputs_embeds=None, **rest):
        embedded = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        return super().forward(inputs_embeds=2 * embedded, **rest)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [1, 2])
def test_both_parts_do_what_the_whole_does(kind, layer):
    model = small(kind)
    split = split_decoder(model, layer)
    assert split is not None
    decoder = model.get_decoder()
    whole = decoder(input_ids=IDS, use_cache=False).last_hidden_state
    assert torch.allclose(split.outputs(split.states(IDS)), whole, atol=1e-6)
    assert len(decoder.layers) == 3  # it is left as it was
    assert len(split.lower.layers) == layer
    assert {id(p) for p in split.upper.parameters()} <= {id(p) for p in decoder.parameters()}


@pytest.mark.parametrize(
    ("kind", "settings"),  # a mask by the layer's number, another last norm, scaled states
    [
        ("qwen2", {"layer_types": SLIDING, "use_sliding_window": True, "sliding_window": 64}),
        ("gpt_neox", {}),
        ("granite", {"embedding_multiplier": 2.0}),
    ],
)
def test_a_class_that_is_built_otherwise_is_left_whole(kind, settings):
    assert split_decoder(small(kind, **settings), 1) is None


def test_a_decoder_that_scales_what_comes_in_is_left_whole():
    model = small("llama")
    plain = model.model
    model.model = Scaling(model.config).eval()
    model.model.load_state_dict(plain.state_dict())
    assert split_decoder(model, 1) is None
    model.model = plain
    assert split_decoder(model, 1) is not None


def test_a_model_that_scales_its_logits_is_left_whole(tiny):
    config = type(tiny.model.config)(**tiny.model.config.to_dict(), logits_scaling=8.0)
    model = replace(tiny, model=LlamaForCausalLM(config).eval())
    assert model.reader(1).split is None and tiny.reader(1).split is not None


@pytest.mark.parametrize(("layers", "lowest"), [((0.0, 1.0), 0), ((0.3, 0.7), 1), ((0.7, 1.0), 2)])
def test_the_lowest_layer_is_that_of_the_lowest_name(layers, lowest):
    model = small("llama")
    assert lowest_layer(model, adapted_modules(model, layers)) == lowest


def test_without_names_every_layer_lies_beneath():
    assert lowest_layer(small("llama"), ()) == 3
