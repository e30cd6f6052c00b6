"""Rows read from the lowest adapted layer on: what lies beneath is computed once and remembered.

Layers that no cell of a group adapts give a row the same hidden states in every epoch, arm and
seed. Float error aside, nothing depends on whether they were remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.batches import Example
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.lm_head import is_head_applied, of_hidden, of_logits
from caveat.backends.local.models.packing import (
    Batch,
    Packed,
    can_pack,
    cut,
    layout,
    pack,
    padded,
    told_of,
)
from caveat.backends.local.models.split_decoder import SplitDecoder, halves

Text = tuple[int, ...]
"""The tokens of an example."""

BYTES_ON_CPU = 1 << 30
"""Of hidden states, kept at most: some 6,000 rows of 72 tokens of a model of 135M in float32."""
SHARE_OF_GPU = 0.1
"""Of a GPU's memory, kept at most."""


class FrozenLayerCache:
    """A base model's hidden states of rows, beneath one layer or several; long unused ones go."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.bound = _bound(device)
        self.size = 0
        """Bytes held."""
        self._states: dict[tuple[int, Text], Tensor] = {}
        """By layer and example, the layer's input, of shape (positions, width); last used, last."""
        self._halves: dict[int, SplitDecoder | None] = {}

    @cached_property
    def applies_head(self) -> bool:
        """See `head.is_head_applied`; asked before the model is stacked."""
        return is_head_applied(self.model)

    @cached_property
    def packs(self) -> bool:
        """See `packing.can_pack`; asked before the model is stacked."""
        return can_pack(self.model.get_decoder(), self.device)

    def reader(self, layer: int) -> Reader:
        """What reads rows from a layer on; the whole model where it cannot be cut there.

        To be asked for before the model is stacked (see `halves`).
        """
        applies_head, packs = self.applies_head, self.packs  # asked in any case
        if not applies_head or not 0 < layer < len(self.model.get_decoder().layers):
            return Reader(self, layer, None, packs)
        if layer not in self._halves:
            self._halves[layer] = halves(self.model, layer)
        return Reader(self, layer, self._halves[layer], packs)

    def states(self, layer: int, rows: Sequence[Packed], halved: SplitDecoder) -> Tensor:
        """The layer's input of each row, of shape (rows, longest, width), 0 where a row has ended.

        Examples that are not known are read in one batch.
        """
        fresh = self._read(list(self._unknown(layer, rows)), halved)
        mine = {
            each.ids: self._touch((layer, each.ids), fresh) for row in rows for each in row.examples
        }
        while self.size > self.bound:
            self._drop()
        some = mine[rows[0].examples[0].ids]
        out = some.new_zeros(len(rows), max(len(row.ids) for row in rows), some.shape[1])
        for number, row in enumerate(rows):
            for each, places in zip(row.examples, row.places, strict=True):
                out[number, torch.tensor(places, device=self.device)] = mine[each.ids]
        return out

    def give_way(self) -> None:
        """Where memory has run out: forget all, and hold half as much from now on."""
        self._states.clear()
        self.size = 0
        self.bound //= 2

    def _unknown(self, layer: int, rows: Sequence[Packed]) -> Iterator[Packed]:
        """What is to be read: each example that is not remembered, once."""
        taken: set[Text] = set()
        for row in rows:
            wanted = {
                each.ids: each
                for each in row.examples
                if each.ids not in taken and (layer, each.ids) not in self._states
            }
            taken |= wanted.keys()
            if wanted:
                yield pack(list(wanted.values()))

    @torch.inference_mode(False)
    @torch.no_grad()
    def _read(self, rows: Sequence[Packed], halved: SplitDecoder) -> dict[Text, Tensor]:
        """Also where likelihoods ask: training cannot go on from tensors of inference mode."""
        if not rows:
            return {}
        told = layout(rows, self.device)
        with told_of(self.model.get_decoder().config, told):
            states = halved.base_adapters(padded([row.ids for row in rows], 0, self.device), told)
        return {
            each.ids: state[torch.tensor(places, device=self.device)]
            for row, state in zip(rows, states, strict=True)
            for each, places in zip(row.examples, row.places, strict=True)
        }

    def _touch(self, key: tuple[int, Text], fresh: dict[Text, Tensor]) -> Tensor:
        state = self._states.pop(key, None)
        if state is None:
            state = fresh[key[1]]
            self.size += state.nbytes
        self._states[key] = state
        return state

    def _drop(self) -> None:
        self.size -= self._states.pop(next(iter(self._states))).nbytes


@dataclass(frozen=True)
class Reader:
    """Reads batches from a layer on."""

    frozen_layer_cache: FrozenLayerCache
    layer: int
    halved: SplitDecoder | None
    """None where the whole model is read."""
    packs: bool
    """Whether a row may have several examples."""

    @property
    def device(self) -> torch.device:
        """Where it reads."""
        return self.frozen_layer_cache.device

    def batches(self, examples: Sequence[Example], budget: int) -> list[Batch]:
        """Batches of at most `budget` padded tokens each; see `packing.cut`."""
        return cut(examples, budget, self.packs)

    def log_probabilities(
        self, batch: Batch, route: Route, tokens: Tensor, temperatures: Tensor | None = None
    ) -> Tensor:
        """Log-probabilities of the examples' target tokens, in order; see `head.of_logits`."""
        head = self.frozen_layer_cache.model.get_output_embeddings()
        if not self.frozen_layer_cache.applies_head or type(head) is not nn.Linear:
            return of_logits(self.logits(batch, route), tokens, temperatures)
        return of_hidden(self._hidden(batch, route), head, tokens, temperatures)

    def logits(self, batch: Batch, route: Route) -> Tensor:
        """Logits of shape (targets, vocabulary) that predict the examples' targets, in order."""
        model = self.frozen_layer_cache.model
        if self.frozen_layer_cache.applies_head:
            return model.get_output_embeddings()(self._hidden(batch, route))
        with self._told(batch, route) as told:
            found = model(input_ids=self._ids(batch), use_cache=False, **told).logits
        return found[self._before_targets(batch)]

    def _hidden(self, batch: Batch, route: Route) -> Tensor:
        """What the head is given where targets are predicted, of shape (targets, width)."""
        if self.halved is None:
            decoder = self.frozen_layer_cache.model.get_decoder()
            with self._told(batch, route) as told:
                read = decoder(input_ids=self._ids(batch), use_cache=False, **told)
            states = read.last_hidden_state
        else:
            base_adapters = self.frozen_layer_cache.states(self.layer, batch.rows, self.halved)
            with self._told(batch, route) as told:
                states = self.halved.above(base_adapters, told)
        return states[self._before_targets(batch)]

    @contextmanager
    def _told(self, batch: Batch, route: Route) -> Iterator[dict[str, Any]]:
        """What a decoder is to be told of a batch, while the context lasts in which it heeds it."""
        route.set([row.cell for row in batch.rows])
        told = layout(batch.rows, self.device)
        with told_of(self.frozen_layer_cache.model.get_decoder().config, told):
            yield told

    def _ids(self, batch: Batch) -> Tensor:
        return padded([row.ids for row in batch.rows], 0, self.device)

    def _before_targets(self, batch: Batch) -> tuple[Tensor, ...]:
        """Rows, and places in them, from which targets are predicted; each of shape (targets,)."""
        found = [
            (number, places[target - 1])
            for number, row in enumerate(batch.rows)
            for each, places in zip(row.examples, row.places, strict=True)
            for target in each.targets
        ]
        return torch.tensor(found, dtype=torch.long, device=self.device).view(-1, 2).unbind(1)


def _bound(device: torch.device) -> int:
    if device.type == "cuda":
        return int(SHARE_OF_GPU * torch.cuda.get_device_properties(device).total_memory)
    return BYTES_ON_CPU
