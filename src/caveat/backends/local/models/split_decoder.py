"""Cut a decoder at a layer; probe that both halves agree.

What a class of model does is asked of it: a few tokens are read two ways.

A decoder cut in two at a layer, both halves sharing its parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

TOKENS = 8
CLOSE = 1e-4
"""Largest difference between one way and the usual one, relative to the latter's size."""


def probed(model: Any) -> Tensor:
    """Token ids to be read, of shape (1, tokens)."""
    return torch.arange(1, 1 + TOKENS, device=next(model.parameters()).device)[None]


def agree(found: Tensor, usual: Tensor) -> bool:
    """Whether what was read is the same but for float error; never where it is not finite."""
    found, usual = found.float(), usual.float()
    size = usual.norm()
    return bool(size.isfinite() and (found - usual).norm() <= CLOSE * size)


NOT_PACKED: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class SplitDecoder:
    """Copies of a decoder that hold its own blocks: those beneath a layer, and the others."""

    lower: nn.Module
    upper: nn.Module

    def base_adapters(self, ids: Tensor, layout: Mapping[str, Any] = NOT_PACKED) -> Tensor:
        """Token ids (rows, positions) to the layer's input, (rows, positions, width).

        `layout` of packed rows: see `packing.layout`.
        """
        return self.lower(input_ids=ids, use_cache=False, **layout).last_hidden_state

    def above(self, states: Tensor, layout: Mapping[str, Any] = NOT_PACKED) -> Tensor:
        """The layer's input to what the head is given, both (rows, positions, width)."""
        return self.upper(inputs_embeds=states, use_cache=False, **layout).last_hidden_state


def lowest_layer(model: Any, names: Iterable[str]) -> int:
    """The lowest decoder layer with one of the named modules; the number of layers without any."""
    layers = model.get_decoder().layers
    named = {id(model.get_submodule(name)) for name in names}
    holding = (
        number
        for number, block in enumerate(layers)
        if any(id(module) in named for module in block.modules())
    )
    return next(holding, len(layers))


def halves(model: Any, layer: int) -> SplitDecoder | None:
    """The decoder cut beneath a layer, or None where its class does not allow that.

    Classes differ in what they do outside of their layers (they scale embeddings, or choose a mask
    by a layer's number), so a few tokens are read both ways. The model must not be stacked: its
    layers would expect the rows of a batch.
    """
    decoder = model.get_decoder()
    if not _uniform(decoder):
        return None
    try:
        nothing = nn.Identity()
        cut = SplitDecoder(
            _with(decoder, layers=decoder.layers[:layer], norm=nothing),
            _with(decoder, layers=decoder.layers[layer:]),
        )
        return cut if _agree(cut, decoder) else None
    except Exception:  # of a class that is built otherwise, which may raise anything
        return None


def _uniform(decoder: Any) -> bool:
    """Whether the layers are of one type, and the last thing that is applied is `norm`."""
    types = getattr(decoder.config, "layer_types", None) or ()
    return len(set(types)) <= 1 and isinstance(getattr(decoder, "norm", None), nn.Module)


def _with(decoder: nn.Module, **modules: nn.Module) -> nn.Module:
    """A copy of a decoder that shares all but the given modules."""
    part = copy.copy(decoder)
    part._modules = {**decoder._modules, **modules}
    return part


@torch.inference_mode()
def _agree(cut: SplitDecoder, decoder: nn.Module) -> bool:
    ids = probed(decoder)
    whole = decoder(input_ids=ids, use_cache=False).last_hidden_state
    return agree(cut.above(cut.base_adapters(ids)), whole)
