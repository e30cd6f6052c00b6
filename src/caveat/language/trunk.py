"""Rows read from the lowest adapted layer on: what lies beneath is computed once and remembered.

Layers that no cell of a group adapts give a row the same hidden states in every epoch, arm and
seed. Float error aside, nothing depends on whether they were remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caveat.language.batch import Example, logits_at, padded
from caveat.language.halves import Halves, halves

Tokens = tuple[int, ...]

BYTES_ON_CPU = 1 << 30
"""Of hidden states, kept at most: some 6,000 rows of 72 tokens of a model of 135M in float32."""
SHARE_OF_GPU = 0.1
"""Of a GPU's memory, kept at most."""


class Trunk:
    """A base model's hidden states of rows, beneath one layer or several; long unused ones go."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.bound = _bound(device)
        self.size = 0
        """Bytes held."""
        self._states: dict[tuple[int, Tokens], Tensor] = {}
        """By layer and row, its input there, of shape (positions, width); last used, last."""
        self._halves: dict[int, Halves | None] = {}

    def reader(self, layer: int) -> Reader:
        """What reads rows from a layer on; the whole model where it cannot be cut there.

        To be asked for before the model is stacked (see `halves`).
        """
        if not 0 < layer < len(self.model.get_decoder().layers):
            return Reader(self, layer, None)
        if layer not in self._halves:
            self._halves[layer] = halves(self.model, layer)
        return Reader(self, layer, self._halves[layer])

    def states(self, layer: int, rows: Sequence[Tokens], cut: Halves) -> Tensor:
        """The layer's input of each row, of shape (rows, longest, width), 0 where a row has ended.

        Rows that are not known are read in one batch.
        """
        missing = [ids for ids in dict.fromkeys(rows) if (layer, ids) not in self._states]
        fresh = self._read(missing, cut) if missing else {}
        mine = {ids: self._touch((layer, ids), fresh) for ids in dict.fromkeys(rows)}
        while self.size > self.bound:
            self._drop()
        longest = max(mine.values(), key=len)
        out = longest.new_zeros(len(rows), *longest.shape)
        for row, ids in enumerate(rows):
            out[row, : len(ids)] = mine[ids]
        return out

    def give_way(self) -> None:
        """Where memory has run out: forget all, and hold half as much from now on."""
        self._states.clear()
        self.size = 0
        self.bound //= 2

    @torch.inference_mode(False)
    @torch.no_grad()
    def _read(self, rows: Sequence[Tokens], cut: Halves) -> dict[Tokens, Tensor]:
        """Also where likelihoods ask: training cannot go on from tensors of inference mode."""
        states = cut.beneath(padded(rows, 0, self.device))
        return {ids: state[: len(ids)].clone() for ids, state in zip(rows, states, strict=True)}

    def _touch(self, key: tuple[int, Tokens], fresh: dict[Tokens, Tensor]) -> Tensor:
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

    trunk: Trunk
    layer: int
    cut: Halves | None
    """None where the whole model is read."""

    @property
    def device(self) -> torch.device:
        """Where it reads."""
        return self.trunk.device

    def logits_at(self, part: Sequence[Example], rows: Tensor, positions: Tensor) -> Tensor:
        """Logits of shape (wanted, vocabulary) where they are wanted: see `batch.logits_at`."""
        model, ids = self.trunk.model, [example.ids for example in part]
        if self.cut is None:
            return logits_at(model, padded(ids, 0, self.device), rows, positions)
        hidden = self.cut.above(self.trunk.states(self.layer, ids, self.cut))
        return model.get_output_embeddings()(hidden[rows, positions])


def _bound(device: torch.device) -> int:
    if device.type == "cuda":
        return int(SHARE_OF_GPU * torch.cuda.get_device_properties(device).total_memory)
    return BYTES_ON_CPU
