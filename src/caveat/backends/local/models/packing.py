"""Sequence packing: examples of one adapter in one row; padding and batching.

What batches are made of: examples, where predictions are wanted, rows padded side by side.

Packing: the examples of a cell end to end in one row, what they have in common read once.

An example sees itself alone, at the positions that it would have in a row of its own, so that what
is computed is the same but for float error. Linear layers get no padding but that between rows, and
a common beginning (a system prompt, a prompt with several replies) goes through them once. For
attention the examples are taken apart again and laid side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from caveat.backends.batches import Example
from caveat.backends.local.models.split_decoder import agree


@dataclass(frozen=True)
class Wanted:
    """Where in a batch predictions count, one entry a supervised token."""

    examples: Tensor
    """The number of its example."""
    tokens: Tensor
    """The token that is to be predicted there."""
    weights: Tensor


def wanted_of(part: Sequence[Example], device: Any) -> Wanted:
    """The targets of a batch's examples, in order."""
    where = [(i, p) for i, example in enumerate(part) for p in example.targets]
    examples = torch.tensor([i for i, _ in where], dtype=torch.long, device=device)
    tokens = torch.tensor([part[i].ids[p] for i, p in where], dtype=torch.long, device=device)
    weights = torch.tensor([part[i].weight for i, _ in where], device=device)
    return Wanted(examples, tokens, weights)


def padded(rows: Sequence[Sequence[int]], fill: int, device: Any) -> Tensor:
    """Rows side by side, padded on the right: shape (rows, longest).

    With causal attention no row sees padding on its right, so no attention mask is needed.
    """
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], device=device)


def like_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places in parts of like length, of at most `budget` padded tokens, in order within a part.

    One that is longer than the budget stands alone.
    """
    parts: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if parts and (len(parts[-1]) + 1) * lengths[place] <= budget:
            parts[-1].append(place)
        else:
            parts.append([place])
    return [sorted(part) for part in parts]


ATTENTION = "caveat_packed"
"""Name of the attention over packed rows, as transformers has it."""
UNSUPPORTED = ("softcap", "sliding_window", "s_aux", "position_bias")
"""Arguments of attention that change what it computes, and that are not heeded here."""
PROBED = ((1, 2, 3, 4, 5), (1, 2, 3, 6), (1, 2, 3, 7, 8))


@dataclass(frozen=True)
class Packed:
    """A row of a batch: examples of one cell."""

    cell: int
    ids: tuple[int, ...]
    examples: tuple[Example, ...]
    places: tuple[tuple[int, ...], ...]
    """Per example, where in the row each of its tokens is."""


@dataclass(frozen=True)
class Batch:
    """Rows that are read at once, sorted by cell."""

    rows: tuple[Packed, ...]

    @property
    def examples(self) -> list[Example]:
        """All of them, in the order of the rows."""
        return [each for row in self.rows for each in row.examples]

    @property
    def tokens(self) -> int:
        """As they are read, padding included."""
        return len(self.rows) * max(len(row.ids) for row in self.rows)


@dataclass(frozen=True)
class Packing:
    """Where the tokens of packed rows are when each example has a row of its own, and back.

    Both are places among all tokens of the other, row after row. Padding has a place in the same
    row: what is not finite there is another cell's.
    """

    apart: Tensor
    """Of shape (examples, longest example)."""
    together: Tensor
    """Of shape (rows, longest row)."""


def pack(examples: Sequence[Example]) -> Packed:
    """Examples of one cell in one row; what each has in common with the one before is there once.

    Sorted by their ids, that is all that they have in common.
    """
    ids: list[int] = []
    places: list[tuple[int, ...]] = []
    for number, each in enumerate(examples):
        shared = in_common(examples[number - 1].ids, each.ids) if number else 0
        before = places[-1][:shared] if number else ()
        places.append((*before, *range(len(ids), len(ids) + len(each.ids) - shared)))
        ids += each.ids[shared:]
    return Packed(examples[0].cell, tuple(ids), tuple(examples), tuple(places))


def cut(examples: Sequence[Example], budget: int, packs: bool) -> list[Batch]:
    """Batches of rows of like length, of at most `budget` padded tokens.

    One example longer than the budget stands alone.

    Args:
        packs: Whether a row may have several examples.
    """
    bunches = _bunches(examples, budget) if packs else [[each] for each in examples]
    rows = sorted(map(pack, bunches), key=lambda row: (row.cell, row.examples[0].tag))
    parts = like_length([len(row.ids) for row in rows], budget)
    return [Batch(tuple(rows[place] for place in part)) for part in parts]


def _bunches(examples: Sequence[Example], most: int) -> Iterator[list[Example]]:
    """What makes up a row: of each cell the examples in as few as `most` tokens each allow, of
    about the same length."""
    for _, some in groupby(sorted(examples, key=_text), _cell):
        mine = list(some)
        total = len(pack(mine).ids)
        level = total / -(-total // most)
        bunch, size = [mine[0]], len(mine[0].ids)
        for each in mine[1:]:
            own = len(each.ids) - in_common(bunch[-1].ids, each.ids)
            if own and (size >= level or size + own > most):
                yield bunch
                bunch, size, own = [], 0, len(each.ids)
            bunch.append(each)
            size += own
        yield bunch


def layout(rows: Sequence[Packed], device: Any) -> dict[str, Any]:
    """What a decoder is told of packed rows; nothing where each row is an example.

    `position_ids` of shape (rows, longest), and for attention the `packing`.
    """
    if all(len(row.examples) == 1 for row in rows):
        return {}
    longest = max(len(row.ids) for row in rows)
    width = max(len(places) for row in rows for places in row.places)
    apart, together, positions = [], [], []
    for number, row in enumerate(rows):
        start = number * longest
        back, position = ([fill] * longest for fill in (len(apart) * width, 0))
        for places in row.places:
            for at, place in enumerate(places):
                back[place], position[place] = len(apart) * width + at, at
            padding = [start] * (width - len(places))
            apart.append([*(start + place for place in places), *padding])
        together.append(back)
        positions.append(position)
    packing = Packing(*(torch.tensor(each, device=device) for each in (apart, together)))
    return {"position_ids": torch.tensor(positions, device=device), "packing": packing}


@contextmanager
def told_of(config: Any, told: Mapping[str, Any]) -> Iterator[None]:
    """While the context lasts a decoder of this configuration has attention over packed rows, where
    it is told of any."""
    usual = config._attn_implementation
    if told:
        config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = usual


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    packing: Packing,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each example; (rows, heads, longest, size) to (rows, longest, heads,
    size)."""
    if found := [name for name in UNSUPPORTED if others.get(name) is not None]:
        raise NotImplementedError(f"attention over packed rows with {found[0]}")
    query, key, value = (
        _taken(each.transpose(1, 2), packing.apart).transpose(1, 2) for each in (query, key, value)
    )
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    return _taken(out.transpose(1, 2), packing.together), None


AttentionInterface.register(ATTENTION, _attention)


def _taken(states: Tensor, places: Tensor) -> Tensor:
    """States (rows, positions, heads, size) at places among all positions, of shape (n, m), in that
    shape; by the operation whose gradient sums fastest."""
    rows, positions, *shape = states.shape
    flat = torch.nn.functional.embedding(places, states.reshape(rows * positions, -1))
    return flat.view(*places.shape, *shape)


@torch.inference_mode()
def can_pack(decoder: Any, device: torch.device) -> bool:
    """Whether a decoder reads packed rows as it reads examples alone: a few are read both ways.

    Not asked of one with a sliding window.
    """
    config = decoder.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return False
    row = pack([Example(0, ids, ()) for ids in PROBED])
    try:
        told = layout([row], device)
        ids = torch.tensor([row.ids], device=device)
        with told_of(config, told):
            together = decoder(input_ids=ids, use_cache=False, **told).last_hidden_state[0]
        alone = decoder(input_ids=padded(PROBED, 0, device), use_cache=False).last_hidden_state
    except Exception:  # of a class that takes no such attention, which may raise anything
        return False
    pairs = [
        (together[place], alone[number, position])
        for number, places in enumerate(row.places)
        for position, place in enumerate(places)
    ]
    return all(agree(a, b) for a, b in pairs)


def _cell(example: Example) -> int:
    return example.cell


def _text(example: Example) -> tuple[int, tuple[int, ...], int]:
    return example.cell, example.ids, example.tag


def in_common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))
