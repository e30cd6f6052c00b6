"""Hidden states under the lowest adapted layer, computed once for all epochs, arms and seeds.

Layers that no adapter of a group changes give a row the same hidden states every time. The decoder
is cut in two at the lowest adapted layer; what the lower part gives is remembered. Float error
aside, nothing depends on whether it was.

What a class of model allows (a cut, packed rows, its head by itself) is tried on it: a few tokens
are read two ways, and where the two differ the usual way is taken. The model must not be stacked
when it is tried: its layers would expect the rows of a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.local.models.packing import (
    Packed,
    agree,
    can_pack,
    layout,
    pack,
    packed_attention,
    padded,
)

TokenIds = tuple[int, ...]
"""The tokens of an example."""

BYTES_ON_CPU = 1 << 30
"""Largest size of the cache: some 6,000 rows of 72 tokens of a model of 135M in float32."""
SHARE_OF_GPU = 0.1
"""Largest size of the cache, as a share of the GPU's memory."""
PROBE_TOKENS = 8
SCALED_LOGITS = (
    "final_logit_softcapping",
    "lm_head_multiplier",
    "logit_scale",
    "logits_scaling",
    "logits_soft_cap",
)
"""Configuration keys of models that do more to logits than their head."""
NOT_PACKED: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class SplitDecoder:
    """Copies of a decoder, sharing its parameters: the layers under a cut, and those above it."""

    lower: nn.Module
    upper: nn.Module

    def states(self, ids: Tensor, arguments: Mapping[str, Any] = NOT_PACKED) -> Tensor:
        """Token ids (rows, positions) to the input of the cut, (rows, positions, width).

        Args:
            arguments: Of packed rows: see `packing.layout`.
        """
        return self.lower(input_ids=ids, use_cache=False, **arguments).last_hidden_state

    def outputs(self, states: Tensor, arguments: Mapping[str, Any] = NOT_PACKED) -> Tensor:
        """The input of the cut to the input of the head, both (rows, positions, width)."""
        return self.upper(inputs_embeds=states, use_cache=False, **arguments).last_hidden_state


def lowest_layer(model: Any, names: Iterable[str]) -> int:
    """The lowest decoder layer with one of the named modules; the number of layers without any."""
    layers = model.get_decoder().layers
    named = {id(model.get_submodule(name)) for name in names}
    adapted = (
        number
        for number, layer in enumerate(layers)
        if any(id(module) in named for module in layer.modules())
    )
    return next(adapted, len(layers))


def split_decoder(model: Any, layer: int) -> SplitDecoder | None:
    """The decoder cut under a layer, or None where its class does not allow that.

    Classes differ in what they do outside of their layers (they scale embeddings, or choose a mask
    by a layer's number).
    """
    decoder = model.get_decoder()
    if not _is_uniform(decoder):
        return None
    try:
        split = SplitDecoder(
            _with_modules(decoder, layers=decoder.layers[:layer], norm=nn.Identity()),
            _with_modules(decoder, layers=decoder.layers[layer:]),
        )
        return split if _computes_the_same(split, decoder) else None
    except Exception:  # a class that is built otherwise may raise anything
        return None


def _is_uniform(decoder: Any) -> bool:
    """Whether the layers are of one type, and the last module that is applied is `norm`."""
    types = getattr(decoder.config, "layer_types", None) or ()
    return len(set(types)) <= 1 and isinstance(getattr(decoder, "norm", None), nn.Module)


def _with_modules(decoder: nn.Module, **modules: nn.Module) -> nn.Module:
    """A copy of a decoder that shares all but the given modules."""
    duplicate = copy.copy(decoder)
    duplicate._modules = {**decoder._modules, **modules}
    return duplicate


@torch.inference_mode()
def _computes_the_same(split: SplitDecoder, decoder: nn.Module) -> bool:
    ids = _probe_ids(decoder)
    expected = decoder(input_ids=ids, use_cache=False).last_hidden_state
    return agree(split.outputs(split.states(ids)), expected)


def _probe_ids(model: Any) -> Tensor:
    """Token ids to be read two ways, of shape (1, tokens)."""
    return torch.arange(1, 1 + PROBE_TOKENS, device=next(model.parameters()).device)[None]


def has_scaled_logits(model: Any) -> bool:
    """Whether a model's configuration names something that is done to the output of its head."""
    configs = (model.config, model.config.get_text_config())
    return any(getattr(config, key, None) for config in configs for key in SCALED_LOGITS)


@torch.inference_mode()
def is_head_applied(model: Any) -> bool:
    """Whether a model's logits are its head applied to its decoder's states, and no more than that.

    The configuration is believed first: where logits are small, a cap does not show.
    """
    if has_scaled_logits(model):
        return False
    ids = _probe_ids(model)
    try:
        expected = model(input_ids=ids, use_cache=False).logits  # not finite of forbidden tokens
        states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        return agree(model.get_output_embeddings()(states), expected)
    except Exception:  # a class that is built otherwise may raise anything
        return False


class FrozenLayerCache:
    """A base model's hidden states of rows, under one layer or several; long unused ones go."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.capacity = _capacity(device)
        """Bytes that are kept at most."""
        self.size = 0
        """Bytes kept."""
        self._states: dict[tuple[int, TokenIds], Tensor] = {}
        """By layer and example, the layer's input (positions, width); the last used comes last."""
        self._splits: dict[int, SplitDecoder | None] = {}

    @cached_property
    def applies_head(self) -> bool:
        """See `is_head_applied`."""
        return is_head_applied(self.model)

    @cached_property
    def packs(self) -> bool:
        """See `packing.can_pack`."""
        return can_pack(self.model.get_decoder(), self.device)

    def split_at(self, layer: int) -> SplitDecoder | None:
        """The decoder cut under a layer; None where there is nothing to cut, or it cannot be cut.

        All that is tried on the model is tried now, before it is stacked.
        """
        applies_head, _ = self.applies_head, self.packs
        if not applies_head or not 0 < layer < len(self.model.get_decoder().layers):
            return None
        if layer not in self._splits:
            self._splits[layer] = split_decoder(self.model, layer)
        return self._splits[layer]

    def states(self, layer: int, rows: Sequence[Packed], split: SplitDecoder) -> Tensor:
        """The layer's input of each row, of shape (rows, longest, width), 0 where a row has ended.

        Examples that are not in the cache are read in one batch.
        """
        fresh = self._read(list(self._missing(layer, rows)), split)
        states = {
            example.ids: self._use((layer, example.ids), fresh)
            for row in rows
            for example in row.examples
        }
        while self.size > self.capacity:
            self._drop_oldest()
        first = states[rows[0].examples[0].ids]
        out = first.new_zeros(len(rows), max(len(row.ids) for row in rows), first.shape[1])
        for number, row in enumerate(rows):
            for example, positions in zip(row.examples, row.positions, strict=True):
                index = torch.tensor(positions, device=self.device)
                out[number, index] = states[example.ids]
        return out

    def layout(self, rows: Sequence[Packed]) -> dict[str, Any]:
        """Arguments of the decoder for rows: see `packing.layout`.

        On a CPU attention is in float32 whatever the model's dtype. torch's gradient of it in
        bfloat16 takes three to four times as long on short rows as the same in float32 with its
        casts. It is so without gradients and for rows of one example too, so that a row is read
        alike in every batch.
        """
        arguments = layout(rows, self.device)
        if self.packs and self.device.type == "cpu" and self.model.dtype != torch.float32:
            return {"packing": None, **arguments, "in_float32": True}
        return arguments

    def shrink(self) -> None:
        """Where memory has run out: forget everything, and keep half as much from now on."""
        self._states.clear()
        self.size = 0
        self.capacity //= 2

    def _missing(self, layer: int, rows: Sequence[Packed]) -> Iterator[Packed]:
        """Rows to be read: each example that is not in the cache, once."""
        seen: set[TokenIds] = set()
        for row in rows:
            missing = {
                example.ids: example
                for example in row.examples
                if example.ids not in seen and (layer, example.ids) not in self._states
            }
            seen |= missing.keys()
            if missing:
                yield pack(list(missing.values()))

    @torch.inference_mode(False)
    @torch.no_grad()
    def _read(self, rows: Sequence[Packed], split: SplitDecoder) -> dict[TokenIds, Tensor]:
        """States of examples; never tensors of inference mode, which training cannot use."""
        if not rows:
            return {}
        arguments = self.layout(rows)
        with packed_attention(self.model.get_decoder().config, arguments):
            states = split.states(padded([row.ids for row in rows], 0, self.device), arguments)
        return {
            example.ids: state[torch.tensor(positions, device=self.device)]
            for row, state in zip(rows, states, strict=True)
            for example, positions in zip(row.examples, row.positions, strict=True)
        }

    def _use(self, key: tuple[int, TokenIds], fresh: dict[TokenIds, Tensor]) -> Tensor:
        """An example's state, from now on the last used."""
        state = self._states.pop(key, None)
        if state is None:
            state = fresh[key[1]]
            self.size += state.nbytes
        self._states[key] = state
        return state

    def _drop_oldest(self) -> None:
        self.size -= self._states.pop(next(iter(self._states))).nbytes


def _capacity(device: torch.device) -> int:
    if device.type == "cuda":
        return int(SHARE_OF_GPU * torch.cuda.get_device_properties(device).total_memory)
    return BYTES_ON_CPU
