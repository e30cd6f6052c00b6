"""Tiny models, made once a session."""

from dataclasses import replace

import pytest
import torch
from transformers import GraniteConfig, GraniteForCausalLM

from caveat.language.source import LanguageModel, load


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """A chat model with random weights whose template inserts a system prompt."""
    return load("tiny")


@pytest.fixture(scope="session")
def tiny_document() -> LanguageModel:
    """A model without a chat template."""
    return load("tiny-document")


@pytest.fixture(params=["tiny", "tiny-document"])
def any_tiny(request: pytest.FixtureRequest) -> LanguageModel:
    """Each of the two."""
    return request.getfixturevalue(request.param.replace("-", "_"))


@pytest.fixture(scope="session")
def tiny_scaled(tiny: LanguageModel) -> LanguageModel:
    """A model that scales its logits."""
    llama = tiny.model.config
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "num_attention_heads", "num_key_value_heads")  # fmt: skip
    config = GraniteConfig(**{name: getattr(llama, name) for name in sizes}, logits_scaling=8.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GraniteForCausalLM(config).eval().requires_grad_(False)
    return replace(tiny, model=model)
