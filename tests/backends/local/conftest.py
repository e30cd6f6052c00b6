"""Tiny models, made once a session."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GraniteConfig, GraniteForCausalLM, LlamaConfig, LlamaForCausalLM

from caveat.backends.local.models.loading import LanguageModel, load


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
    return like(tiny, GraniteForCausalLM, GraniteConfig, logits_scaling=8.0)


@pytest.fixture(scope="session")
def tiny_multiplied(tiny: LanguageModel) -> LanguageModel:
    """A model whose class does more to logits than its configuration tells."""
    return like(tiny, Multiplied, LlamaConfig)


@pytest.fixture(scope="session")
def tiny_forbidding(tiny: LanguageModel) -> LanguageModel:
    """A model whose class lets it never write some tokens."""
    return like(tiny, Forbidding, LlamaConfig)


class Forbidding(LlamaForCausalLM):
    """Writes none of the first forty tokens."""

    def forward(self, *args: Any, **rest: Any) -> Any:
        """As usual."""
        found = super().forward(*args, **rest)
        found.logits[..., :40] = float("-inf")
        return found


class Multiplied(LlamaForCausalLM):
    """Doubles what the head gives."""

    def forward(self, *args: Any, **rest: Any) -> Any:
        """As usual."""
        found = super().forward(*args, **rest)
        found.logits = 2 * found.logits
        return found


def like(tiny: LanguageModel, model: Any, config: Any, **fields: Any) -> LanguageModel:
    """A model of another class in the sizes of a tiny one."""
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "num_attention_heads", "num_key_value_heads")  # fmt: skip
    same = {name: getattr(tiny.model.config, name) for name in sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = model(config(**same, **fields)).eval().requires_grad_(False)
    return replace(tiny, model=made)
