"""Replies token by token: prompts read once, rows that have ended left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import like_length
from caveat.backends.local.sampling.kv_cache import (
    is_preallocated,
    placed,
    preallocated_cache,
    selected,
)
from caveat.backends.local.sampling.prefix_sharing import Bundle, bundles, distinct
from caveat.backends.local.sampling.requests import Prompt

if TYPE_CHECKING:
    from transformers import DynamicCache


PROMPT_TOKENS = 1024
"""Padded tokens of prompts that are read at once."""
FULL = 0.9
"""Share of the cache's rows that must be live, else the others leave: that copies all that stay."""


class Decoder:
    """A KV cache over prompts, padded on the left twice: shared beginnings, then the rest."""

    def __init__(
        self, language_model: LanguageModel, prompts: Sequence[Prompt], route: Route
    ) -> None:
        self.model, self.device = language_model.model, language_model.device
        self.applies_head = language_model.frozen_layer_cache.applies_head
        self.prompts = prompts
        self.route = route
        self.cells = [prompt.cell for prompt in prompts]
        self.cache = self._nothing()
        self.mask = torch.zeros(0)
        self.live: list[int] = []
        """Rows of the cache whose replies go on, in order."""

    def begin(self) -> Tensor:
        """Read the prompts; logits of each one's next token, of shape (prompts, vocabulary).

        Neighbours that are equal, such as several samples of one prompt, are read once.
        """
        firsts, first_of = distinct(self.prompts)
        groups = bundles(firsts)
        self.route.set([group.cell for group in groups])
        ids, mask = _left_padded([group.shared for group in groups], self.device)
        beginnings = self._nothing()
        if ids.shape[1]:
            self._read(beginnings, ids, mask, slice(0))
        logits = self._rest(firsts, groups, beginnings, mask)
        self.live = list(range(len(self.prompts)))
        if len(firsts) == len(self.prompts):
            return logits
        self._keep(first_of)
        return logits[torch.tensor(first_of, device=self.device)]

    def _rest(
        self,
        prompts: Sequence[Prompt],
        groups: Sequence[Bundle],
        beginnings: DynamicCache,
        shared: Tensor,
    ) -> Tensor:
        """Read what follows the beginnings, prompts of like length together."""
        group_of = torch.tensor([n for n, group in enumerate(groups) for _ in group.members])
        rests = [prompts[i].ids[len(group.shared) :] for group in groups for i in group.members]
        lengths = [len(rest) for rest in rests]
        longest, width = max(lengths), shared.shape[1]
        every = [list(range(len(rests)))]
        parts = like_length(lengths, PROMPT_TOKENS) if is_preallocated(self.cache) else every
        self.mask = torch.zeros(len(rests), width + longest, dtype=torch.long, device=self.device)
        found = []
        for part in parts:
            of, rows = group_of[part].to(self.device), torch.tensor(part, device=self.device)
            cache = selected(beginnings, of) if width else self._nothing()
            ids, own = _left_padded([rests[i] for i in part], self.device)
            mask = torch.cat([shared[of], own], 1)
            self.route.set([prompts[i].cell for i in part])
            found.append(self._read(cache, ids, mask, slice(None)))
            if len(parts) == 1:
                self.cache, self.mask = cache, mask
                return found[0]
            placed(self.cache, cache, rows, width, len(rests), width + longest)
            self.mask[rows, :width] = shared[of]
            self.mask[rows, width + longest - ids.shape[1] :] = own
        order = torch.tensor([i for part in parts for i in part], device=self.device)
        return torch.cat(found)[order.argsort()]

    def next(self, tokens: list[int], stay: list[int]) -> Tensor:
        """Append a token to each live row that stays; logits of shape (staying rows, vocabulary).

        Args:
            stay: Places among the live rows.
        """
        self.live = [self.live[place] for place in stay]
        if len(self.live) <= FULL * len(self.mask):
            self._keep(self.live)
            self.cells = [self.cells[row] for row in self.live]
            self.live = list(range(len(stay)))
        self.route.set(self.cells)
        ids = torch.zeros(len(self.mask), 1, dtype=torch.long, device=self.device)
        live = torch.tensor(self.live, device=self.device)
        ids[live, 0] = torch.tensor(tokens, device=self.device)
        self.mask = torch.cat([self.mask, torch.ones_like(ids)], 1)
        return self._read(self.cache, ids, self.mask, live)

    def _keep(self, rows: list[int]) -> None:
        index = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(index)
        self.mask = self.mask[index]

    def _nothing(self) -> DynamicCache:
        return preallocated_cache(self.model.config)

    def _read(self, cache: DynamicCache, ids: Tensor, mask: Tensor, rows: Tensor | slice) -> Tensor:
        """Take tokens in; logits of what follows them in some rows, of shape (those, vocabulary).

        The head gets those rows' last states alone: in a model's own call it would get all rows,
        and prompts' each as a product by itself.
        """
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        told = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "past_key_values": cache,
            "use_cache": True,
        }
        if self.applies_head:
            states = self.model.get_decoder()(**told).last_hidden_state[:, -1]
            return self.model.get_output_embeddings()(states[rows].contiguous()).float()
        return self.model(**told, logits_to_keep=1).logits[:, -1][rows].float()


def _left_padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Ids and mask of shape (rows, longest); padding is 0 in both."""
    longest = max(len(row) for row in rows)
    ids = [[*[0] * (longest - len(row)), *row] for row in rows]
    mask = [[*[0] * (longest - len(row)), *[1] * len(row)] for row in rows]
    shape = (len(rows), longest)
    return (
        torch.tensor(ids, device=device, dtype=torch.long).view(shape),
        torch.tensor(mask, device=device, dtype=torch.long).view(shape),
    )
