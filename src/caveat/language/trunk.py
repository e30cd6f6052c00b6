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

from caveat.language.batch import Example, Wanted, logits_at, padded
from caveat.language.branches import Branched, branched, can_branch, layout
from caveat.language.halves import Halves, halves
from caveat.language.lockstep import Route

Text = tuple[tuple[int, ...], tuple[int, ...]]
"""A row's tokens, and where its branches begin."""

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
        self._branches: bool | None = None
        self._states: dict[tuple[int, Text], Tensor] = {}
        """By layer and row, its input there, of shape (positions, width); last used, last."""
        self._halves: dict[int, Halves | None] = {}

    def reader(self, layer: int) -> Reader:
        """What reads rows from a layer on; the whole model where it cannot be cut there.

        To be asked for before the model is stacked (see `halves`).
        """
        if self._branches is None:
            self._branches = can_branch(self.model.get_decoder(), self.device)
        if not 0 < layer < len(self.model.get_decoder().layers):
            return Reader(self, layer, None, self._branches)
        if layer not in self._halves:
            self._halves[layer] = halves(self.model, layer)
        return Reader(self, layer, self._halves[layer], self._branches)

    def states(self, layer: int, rows: Sequence[Branched], cut: Halves) -> Tensor:
        """The layer's input of each row, of shape (rows, longest, width), 0 where a row has ended.

        Rows that are not known are read in one batch.
        """
        texts = {(row.ids, row.starts): row for row in rows}
        missing = [row for text, row in texts.items() if (layer, text) not in self._states]
        fresh = self._read(missing, cut) if missing else {}
        mine = {text: self._touch((layer, text), fresh) for text in texts}
        while self.size > self.bound:
            self._drop()
        longest = max(mine.values(), key=len)
        out = longest.new_zeros(len(rows), *longest.shape)
        for place, row in enumerate(rows):
            out[place, : len(row.ids)] = mine[row.ids, row.starts]
        return out

    def layout(self, rows: Sequence[Branched]) -> dict[str, Tensor]:
        """See `branches.layout`."""
        return layout(rows, self.model.dtype, self.device)

    def give_way(self) -> None:
        """Where memory has run out: forget all, and hold half as much from now on."""
        self._states.clear()
        self.size = 0
        self.bound //= 2

    @torch.inference_mode(False)
    @torch.no_grad()
    def _read(self, rows: Sequence[Branched], cut: Halves) -> dict[Text, Tensor]:
        """Also where likelihoods ask: training cannot go on from tensors of inference mode."""
        ids = padded([row.ids for row in rows], 0, self.device)
        states = cut.beneath(ids, self.layout(rows))
        return {
            (row.ids, row.starts): state[: len(row.ids)].clone()
            for row, state in zip(rows, states, strict=True)
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

    trunk: Trunk
    layer: int
    cut: Halves | None
    """None where the whole model is read."""
    branches: bool
    """Whether examples may say what they share."""

    @property
    def device(self) -> torch.device:
        """Where it reads."""
        return self.trunk.device

    def logits(self, part: Sequence[Example], wanted: Wanted, route: Route) -> Tensor:
        """Logits of shape (wanted, vocabulary) that predict what is wanted of a batch.

        Args:
            part: Sorted by cell, those that share a beginning neighbours.
            wanted: Of the part.
        """
        rows, places = branched(part)
        route.set([row.cell for row in rows])
        told = self.trunk.layout(rows)
        at, positions = self._in_rows(part, wanted, places)
        model = self.trunk.model
        if self.cut is None:
            ids = padded([row.ids for row in rows], 0, self.device)
            return logits_at(model, ids, at, positions, told)
        hidden = self.cut.above(self.trunk.states(self.layer, rows, self.cut), told)
        return model.get_output_embeddings()(hidden[at, positions])

    def _in_rows(
        self, part: Sequence[Example], wanted: Wanted, places: Sequence[tuple[int, int]]
    ) -> tuple[Tensor, Tensor]:
        """Rows and positions from which the wanted tokens are predicted."""
        row, offset = torch.tensor(places, device=self.device)[wanted.rows].T
        shared = torch.tensor([each.shared for each in part], device=self.device)[wanted.rows]
        before = wanted.positions - 1
        return row, before + torch.where(before < shared, 0, offset)


def _bound(device: torch.device) -> int:
    if device.type == "cuda":
        return int(SHARE_OF_GPU * torch.cuda.get_device_properties(device).total_memory)
    return BYTES_ON_CPU
