"""Decoding token by token: prompts are read once, shared prefixes once for all, ended rows leave.

Prompts of one model that begin alike (a system prompt, several contexts of a question) share the
keys and values of their common prefix. Which prefixes are worth a pass of their own is decided so
that the fewest tokens are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import common_prefix, similar_lengths
from caveat.backends.local.sampling.kv_cache import (
    copy_rows,
    is_preallocated,
    preallocated_cache,
    select_rows,
)

if TYPE_CHECKING:
    from transformers import DynamicCache

PROMPT_TOKENS = 1024
"""Padded tokens of prompts that are read at once."""
LIVE_SHARE = 0.9
"""Share of the cache's rows that must be live, else the others leave: that copies all that stay."""
SHORTEST_PREFIX = 4
"""Tokens from which on a common prefix is read by itself."""
PREFIX_ALONE = 4
"""Tokens of a prompt that shares nothing, read with the prefixes: attention needs some tokens."""
PREFIX_COST = 2.0
"""Tokens that a prefix of its own costs beside its tokens: padding, mostly."""


@dataclass(frozen=True)
class Prompt:
    """A request made ready: token ids, and the cell of its model in the stacks."""

    key: str
    """What its randomness depends on."""
    cell: int
    ids: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    """Token ids of the continuations to score; () where a reply is sampled."""


class Decoder:
    """A KV cache over prompts, padded on the left twice: shared prefixes, then the rest."""

    def __init__(
        self, language_model: LanguageModel, prompts: Sequence[Prompt], route: Route
    ) -> None:
        self.model, self.device = language_model.model, language_model.device
        self.applies_head = language_model.frozen_layer_cache.applies_head
        self.prompts = prompts
        self.route = route
        self.cells = [prompt.cell for prompt in prompts]
        self.cache = self._empty_cache()
        self.mask = torch.zeros(0)
        """1 where the cache holds a token, 0 for padding; shape (rows, tokens)."""
        self.live: list[int] = []
        """Rows of the cache whose replies continue, in order."""

    def begin(self) -> Tensor:
        """Read the prompts; logits of each one's next token, of shape (prompts, vocabulary).

        Neighbours that are equal, such as several samples of one prompt, are read once.
        """
        firsts, first_of = distinct(self.prompts)
        groups = prefix_groups(firsts)
        self.route.set([group.cell for group in groups])
        ids, mask = left_padded([group.prefix for group in groups], self.device)
        prefixes = self._empty_cache()
        if ids.shape[1]:
            self._read(prefixes, ids, mask, slice(0))
        logits = self._read_rest(firsts, groups, prefixes, mask)
        self.live = list(range(len(self.prompts)))
        if len(firsts) == len(self.prompts):
            return logits
        self._keep_rows(first_of)
        return logits[torch.tensor(first_of, device=self.device)]

    def _read_rest(
        self,
        prompts: Sequence[Prompt],
        groups: Sequence[PrefixGroup],
        prefixes: DynamicCache,
        prefix_mask: Tensor,
    ) -> Tensor:
        """Read what follows the prefixes, prompts of similar length together.

        Logits of each prompt's next token, of shape (prompts, vocabulary).
        """
        group_of = torch.tensor([n for n, group in enumerate(groups) for _ in group.members])
        rests = [prompts[i].ids[len(group.prefix) :] for group in groups for i in group.members]
        lengths = [len(rest) for rest in rests]
        longest, width = max(lengths), prefix_mask.shape[1]
        batches = [list(range(len(rests)))]
        if is_preallocated(self.cache):
            batches = similar_lengths(lengths, PROMPT_TOKENS)
        self.mask = torch.zeros(len(rests), width + longest, dtype=torch.long, device=self.device)
        logits = []
        for batch in batches:
            batch_groups = group_of[batch].to(self.device)
            cache = select_rows(prefixes, batch_groups) if width else self._empty_cache()
            ids, own_mask = left_padded([rests[i] for i in batch], self.device)
            mask = torch.cat([prefix_mask[batch_groups], own_mask], 1)
            self.route.set([prompts[i].cell for i in batch])
            logits.append(self._read(cache, ids, mask, slice(None)))
            if len(batches) == 1:
                self.cache, self.mask = cache, mask
                return logits[0]
            rows = torch.tensor(batch, device=self.device)
            copy_rows(self.cache, cache, rows, width, len(rests), width + longest)
            self.mask[rows, :width] = prefix_mask[batch_groups]
            self.mask[rows, width + longest - ids.shape[1] :] = own_mask
        order = torch.tensor([i for batch in batches for i in batch], device=self.device)
        return torch.cat(logits)[order.argsort()]

    def next(self, tokens: list[int], staying: list[int]) -> Tensor:
        """Append a token to each live row that stays; logits of shape (staying, vocabulary).

        Args:
            tokens: One for each row that stays.
            staying: Positions among the live rows.
        """
        self.live = [self.live[position] for position in staying]
        if len(self.live) <= LIVE_SHARE * len(self.mask):
            self._keep_rows(self.live)
            self.cells = [self.cells[row] for row in self.live]
            self.live = list(range(len(staying)))
        self.route.set(self.cells)
        ids = torch.zeros(len(self.mask), 1, dtype=torch.long, device=self.device)
        live = torch.tensor(self.live, device=self.device)
        ids[live, 0] = torch.tensor(tokens, device=self.device)
        self.mask = torch.cat([self.mask, torch.ones_like(ids)], 1)
        return self._read(self.cache, ids, self.mask, live)

    def _keep_rows(self, rows: list[int]) -> None:
        index = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(index)
        self.mask = self.mask[index]

    def _empty_cache(self) -> DynamicCache:
        return preallocated_cache(self.model.config)

    def _read(self, cache: DynamicCache, ids: Tensor, mask: Tensor, rows: Tensor | slice) -> Tensor:
        """Read tokens into a cache; logits of what follows them, of shape (rows, vocabulary).

        Only the last states of the given rows go through the head: in a model's own call all rows
        would, and those of prompts each as a matrix product of its own.
        """
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        arguments = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "past_key_values": cache,
            "use_cache": True,
        }
        if self.applies_head:
            states = self.model.get_decoder()(**arguments).last_hidden_state[:, -1]
            return self.model.get_output_embeddings()(states[rows].contiguous()).float()
        return self.model(**arguments, logits_to_keep=1).logits[:, -1][rows].float()


def left_padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Ids and mask of shape (rows, longest); padding is 0 in both."""
    longest = max(len(row) for row in rows)
    ids = [[*[0] * (longest - len(row)), *row] for row in rows]
    mask = [[*[0] * (longest - len(row)), *[1] * len(row)] for row in rows]
    shape = (len(rows), longest)
    return (
        torch.tensor(ids, device=device, dtype=torch.long).view(shape),
        torch.tensor(mask, device=device, dtype=torch.long).view(shape),
    )


@dataclass(frozen=True)
class PrefixGroup:
    """Neighbouring prompts of one cell with a common prefix."""

    cell: int
    prefix: tuple[int, ...]
    members: list[int]
    """Indices of the prompts."""


def distinct(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The first of each run of equal prompts of a cell, and per prompt the index of its first."""
    firsts: list[Prompt] = []
    first_of = []
    for prompt in prompts:
        if not firsts or (firsts[-1].cell, firsts[-1].ids) != (prompt.cell, prompt.ids):
            firsts.append(prompt)
        first_of.append(len(firsts) - 1)
    return firsts, first_of


def prefix_groups(prompts: Sequence[Prompt]) -> list[PrefixGroup]:
    """Cut sorted prompts into groups so that the fewest tokens are read, prefixes once.

    Each prompt keeps at least one token of its own.
    """
    groups: list[PrefixGroup] = []
    for cell, indices in groupby(range(len(prompts)), key=lambda i: prompts[i].cell):
        members = list(indices)
        ids = [prompts[i].ids for i in members]
        for start, end, shared in _best_runs(ids):
            groups.append(PrefixGroup(cell, ids[start][:shared], members[start:end]))
    return groups


def _best_runs(ids: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Runs of neighbours as (first, end, tokens shared): a run of n that shares s saves s (n - 1).

    By dynamic programming: the best runs before `end` are those before the last one's start, and
    that one.
    """
    common = [0, *(common_prefix(a, b) for a, b in pairwise(ids))]
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    """Per end: tokens saved, start of the last run, and tokens that it shares."""
    best += [(float("-inf"), 0, 0)] * len(ids)
    for start, first in enumerate(ids):
        alone = min(len(first) - 1, PREFIX_ALONE)
        best[start + 1] = max(best[start + 1], (best[start][0] - PREFIX_COST, start, alone))
        shared = len(first) - 1
        for end in range(start + 2, len(ids) + 1):
            shared = min(shared, common[end - 1], len(ids[end - 1]) - 1)
            if shared < SHORTEST_PREFIX:
                break
            saved = best[start][0] + shared * (end - start - 1) - PREFIX_COST
            best[end] = max(best[end], (saved, start, shared))
    runs, end = [], len(ids)
    while end:
        _, start, shared = best[end]
        runs.append((start, end, shared))
        end = start
    return runs[::-1]
