"""Batches: rows of tokens padded side by side, with several examples of one adapter in one row.

A packed row holds examples of a cell end to end; what neighbours begin with (a system prompt, a
prompt with several replies) is in it once. An example sees itself alone, at the positions that it
would have in a row of its own, so that what is computed is the same but for float error. Linear
layers get no padding but that between rows; for attention the examples are taken apart again and
laid side by side.
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

ATTENTION = "caveat_packed"
"""Name under which transformers finds the attention over packed rows."""
UNSUPPORTED = ("softcap", "sliding_window", "s_aux", "position_bias")
"""Arguments of attention that change what it computes, and that are not supported here."""
PROBE_EXAMPLES = ((1, 2, 3, 4, 5), (1, 2, 3, 6), (1, 2, 3, 7, 8))
TOLERANCE = 1e-4
"""Largest difference of two ways of computing the same in float32, relative to the values' size."""
ROUNDINGS = 4.0
"""The same in a shorter dtype, in units of its rounding (0.8% in bfloat16). Matrix units round
products of other shapes otherwise; a wrong mask or position differs by a tenth or more."""


@dataclass(frozen=True)
class Targets:
    """The supervised tokens of a batch, one entry each; all of shape (targets,)."""

    examples: Tensor
    """Index of its example."""
    tokens: Tensor
    """The token that is to be predicted."""
    weights: Tensor
    """What its loss is multiplied by."""


def targets_of(examples: Sequence[Example], device: Any) -> Targets:
    """The targets of a batch's examples, in order."""
    pairs = [(i, position) for i, example in enumerate(examples) for position in example.targets]
    indices = torch.tensor([i for i, _ in pairs], dtype=torch.long, device=device)
    tokens = torch.tensor([examples[i].ids[p] for i, p in pairs], dtype=torch.long, device=device)
    weights = torch.tensor([examples[i].weight for i, _ in pairs], device=device)
    return Targets(indices, tokens, weights)


def padded(rows: Sequence[Sequence[int]], fill: int, device: Any) -> Tensor:
    """Rows side by side, padded on the right: shape (rows, longest).

    With causal attention no row sees padding on its right, so no attention mask is needed.
    """
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], device=device)


def similar_lengths(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches of similar length, of at most `budget` padded tokens, in order within one.

    One that is longer than the budget stands alone.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return [sorted(batch) for batch in batches]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


@dataclass(frozen=True)
class Packed:
    """A row of a batch: examples of one cell."""

    cell: int
    ids: tuple[int, ...]
    examples: tuple[Example, ...]
    positions: tuple[tuple[int, ...], ...]
    """Per example, the position in the row of each of its tokens."""


@dataclass(frozen=True)
class Batch:
    """Rows that are read at once, sorted by cell."""

    rows: tuple[Packed, ...]

    @property
    def examples(self) -> list[Example]:
        """All examples, in the order of the rows."""
        return [example for row in self.rows for example in row.examples]

    @property
    def tokens(self) -> int:
        """Tokens that are read, padding included."""
        return len(self.rows) * max(len(row.ids) for row in self.rows)


@dataclass(frozen=True)
class Packing:
    """Where the tokens of packed rows are when each example has a row of its own, and back.

    Both are positions among all tokens of the other layout, row after row. Padding points into the
    same row: another row may be another cell's, where a value may not be finite.
    """

    apart: Tensor
    """Of shape (examples, longest example): positions in the packed rows."""
    together: Tensor
    """Of shape (rows, longest row): positions in the rows of single examples."""


def pack(examples: Sequence[Example]) -> Packed:
    """Examples of one cell in one row; what each has in common with the one before is there once.

    Where they are sorted by their ids, that is all that they have in common.
    """
    ids: list[int] = []
    positions: list[tuple[int, ...]] = []
    for number, example in enumerate(examples):
        shared = common_prefix(examples[number - 1].ids, example.ids) if number else 0
        prefix = positions[-1][:shared] if number else ()
        positions.append((*prefix, *range(len(ids), len(ids) + len(example.ids) - shared)))
        ids += example.ids[shared:]
    return Packed(examples[0].cell, tuple(ids), tuple(examples), tuple(positions))


def cut(examples: Sequence[Example], budget: int, packs: bool) -> list[Batch]:
    """Batches of rows of similar length, of at most `budget` padded tokens.

    One example longer than the budget stands alone.

    Args:
        packs: Whether a row may have several examples.
    """
    groups = _row_groups(examples, budget) if packs else [[example] for example in examples]
    rows = sorted(map(pack, groups), key=lambda row: (row.cell, row.examples[0].tag))
    batches = similar_lengths([len(row.ids) for row in rows], budget)
    return [Batch(tuple(rows[index] for index in batch)) for batch in batches]


def _row_groups(examples: Sequence[Example], most: int) -> Iterator[list[Example]]:
    """The examples of each row: of each cell as few rows of at most `most` tokens as possible, of
    about the same length."""
    in_order = sorted(examples, key=lambda example: (example.cell, example.ids, example.tag))
    for _, of_cell in groupby(in_order, lambda example: example.cell):
        first, *rest = of_cell
        total = len(pack([first, *rest]).ids)
        level = total / -(-total // most)
        group, size = [first], len(first.ids)
        for example in rest:
            own = len(example.ids) - common_prefix(group[-1].ids, example.ids)
            if own and (size >= level or size + own > most):
                yield group
                group, size, own = [], 0, len(example.ids)
            group.append(example)
            size += own
        yield group


def layout(rows: Sequence[Packed], device: Any) -> dict[str, Any]:
    """Arguments of a decoder for packed rows; none where each row is an example.

    `position_ids` of shape (rows, longest), and for attention the `packing`.
    """
    if all(len(row.examples) == 1 for row in rows):
        return {}
    longest = max(len(row.ids) for row in rows)
    width = max(len(positions) for row in rows for positions in row.positions)
    apart, together, position_ids = [], [], []
    for number, row in enumerate(rows):
        start = number * longest
        back, ids = ([fill] * longest for fill in (len(apart) * width, 0))
        for positions in row.positions:
            for own, position in enumerate(positions):
                back[position], ids[position] = len(apart) * width + own, own
            padding = [start] * (width - len(positions))
            apart.append([*(start + position for position in positions), *padding])
        together.append(back)
        position_ids.append(ids)
    packing = Packing(*(torch.tensor(index, device=device) for index in (apart, together)))
    return {"position_ids": torch.tensor(position_ids, device=device), "packing": packing}


@contextmanager
def packed_attention(config: Any, arguments: Mapping[str, Any]) -> Iterator[None]:
    """While the context lasts, a decoder of this configuration has attention over packed rows,
    where its arguments (see `layout`) are of some."""
    usual = config._attn_implementation
    if arguments:
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
    packing: Packing | None,
    in_float32: bool = False,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each example; (rows, heads, longest, size) to (rows, longest, heads,
    size). Without a packing each row is an example.

    Args:
        in_float32: Compute in float32, whatever the model's dtype.
    """
    if names := [name for name in UNSUPPORTED if options.get(name) is not None]:
        raise NotImplementedError(f"attention over packed rows with {names[0]}")
    dtype = query.dtype
    if packing:
        query, key, value = (
            _gather(states.transpose(1, 2), packing.apart).transpose(1, 2)
            for states in (query, key, value)
        )
    if in_float32:
        query, key, value = query.float(), key.float(), value.float()
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    out = out.to(dtype).transpose(1, 2)
    return _gather(out, packing.together) if packing else out.contiguous(), None


AttentionInterface.register(ATTENTION, _attention)


def _gather(states: Tensor, index: Tensor) -> Tensor:
    """States (rows, positions, heads, size) at an index among all positions, of shape (n, m), in
    that shape; by `embedding`, whose gradient sums fastest."""
    rows, positions, *shape = states.shape
    flat = torch.nn.functional.embedding(index, states.reshape(rows * positions, -1))
    return flat.view(*index.shape, *shape)


def tolerance(dtype: torch.dtype) -> float:
    """Largest difference of two ways of computing the same, relative to the size of the values."""
    return max(TOLERANCE, ROUNDINGS * torch.finfo(dtype).eps)


def agree(values: Tensor, expected: Tensor) -> bool:
    """Whether two ways of computing give the same but for float error; never if not finite."""
    most = tolerance(expected.dtype)
    values, expected = values.float(), expected.float()
    size = expected.norm()
    return bool(size.isfinite() and (values - expected).norm() <= most * size)


@torch.inference_mode()
def can_pack(decoder: Any, device: torch.device) -> bool:
    """Whether a decoder reads packed rows as it reads examples alone: a few are read both ways.

    One with a sliding window is not tried: a few tokens would not reach beyond it.
    """
    config = decoder.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return False
    row = pack([Example(0, ids, ()) for ids in PROBE_EXAMPLES])
    try:
        arguments = layout([row], device)
        ids = torch.tensor([row.ids], device=device)
        with packed_attention(config, arguments):
            together = decoder(input_ids=ids, use_cache=False, **arguments).last_hidden_state[0]
        examples = padded(PROBE_EXAMPLES, 0, device)
        alone = decoder(input_ids=examples, use_cache=False).last_hidden_state
    except Exception:  # a class that takes no such attention may raise anything
        return False
    return all(
        agree(together[position], alone[number, own])
        for number, positions in enumerate(row.positions)
        for own, position in enumerate(positions)
    )
