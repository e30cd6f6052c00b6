"""Branches: continuations of one beginning, read in one row, the beginning once.

A branch sees the beginning and itself, at the positions that it would have alone, so that what is
computed is the same but for float error. Most of what replies to one prompt cost is the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from caveat.language.batch import Example, padded

PROBED = ((1, 2, 3, 4, 5), (1, 2, 3, 6), (1, 2, 3, 7, 8))
PROBED_SHARED = 3
CLOSE = 1e-4
"""Largest difference between branches and rows of their own, relative to the latter's size."""


@dataclass(frozen=True, slots=True)
class Branched:
    """A row of a batch: an example, or several of a cell with one beginning."""

    cell: int
    ids: tuple[int, ...]
    starts: tuple[int, ...] = ()
    """Where each branch begins; the beginning ends at the first. None: an example by itself."""


def branched(part: Sequence[Example]) -> tuple[list[Branched], list[tuple[int, int]]]:
    """The rows of a batch, neighbours with one beginning in one, and where each example is.

    An example's place is (row, offset): its token p is at p, or at p + offset from the end of what
    is shared on.
    """
    rows, places = [], []
    for (cell, beginning), some in groupby(part, key=_beginning):
        for examples in [list(some)] if beginning else [[each] for each in some]:
            if len(examples) == 1:
                places.append((len(rows), 0))
                rows.append(Branched(cell, examples[0].ids))
                continue
            ids, starts = list(beginning), []
            for each in examples:
                places.append((len(rows), len(ids) - each.shared))
                starts.append(len(ids))
                ids += each.ids[each.shared :]
            rows.append(Branched(cell, tuple(ids), tuple(starts)))
    return rows, places


def bunches(examples: Sequence[Example], most: int) -> Iterator[list[Example]]:
    """Examples that make up one row, of at most `most` tokens where it has branches."""
    found: dict[Any, list[Example]] = {}
    for each in examples:
        if not each.shared:
            yield [each]
            continue
        bunch = found.setdefault(_beginning(each), [])
        if bunch and length([*bunch, each]) > most:
            yield bunch
            found[_beginning(each)] = bunch = []
        bunch.append(each)
    yield from found.values()


def length(bunch: Sequence[Example]) -> int:
    """Tokens of the row of a bunch."""
    return bunch[0].shared + sum(len(each.ids) - each.shared for each in bunch)


def cut_by_length(examples: Sequence[Example], budget: int) -> list[list[Example]]:
    """Sort by length and cut into parts of at most `budget` padded tokens, each sorted by cell,
    with neighbours that share their beginning.

    One example longer than the budget stands alone.
    """
    parts: list[list[list[Example]]] = []
    for bunch in sorted(
        bunches(examples, budget), key=lambda b: (length(b), b[0].cell, b[0].tag)
    ):
        if parts and (len(parts[-1]) + 1) * length(bunch) <= budget:
            parts[-1].append(bunch)
        else:
            parts.append([bunch])
    return [
        [each for bunch in sorted(part, key=lambda b: (b[0].cell, b[0].tag)) for each in bunch]
        for part in parts
    ]


def padded_tokens(part: Sequence[Example]) -> int:
    """Tokens of a batch as it is read, padding included."""
    rows, _ = branched(part)
    return len(rows) * max(len(row.ids) for row in rows)


def layout(rows: Sequence[Branched], dtype: torch.dtype, device: Any) -> dict[str, Tensor]:
    """What a decoder is told of rows with branches; nothing where there are none.

    `position_ids` of shape (rows, longest), and an additive `attention_mask` of shape
    (rows, 1, longest, longest).
    """
    if not any(row.starts for row in rows):
        return {}
    parts, positions = zip(*map(_parts_and_positions, rows), strict=True)
    part = padded(parts, -1, device)
    longest = part.shape[1]
    causal = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    seen = causal & ((part[:, None] == 0) | (part[:, None] == part[:, :, None]))
    mask = torch.zeros(seen.shape, dtype=dtype, device=device)
    mask.masked_fill_(~seen, torch.finfo(dtype).min)
    return {"attention_mask": mask[:, None], "position_ids": padded(positions, 0, device)}


@torch.inference_mode()
def can_branch(decoder: Any, device: torch.device) -> bool:
    """Whether a decoder reads branches as it reads rows of their own: a few are read both ways.

    Not asked of one with a sliding window, which the mask would not have.
    """
    config = decoder.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return False
    try:
        examples = [Example(0, ids, (len(ids) - 1,), shared=PROBED_SHARED) for ids in PROBED]
        rows, places = branched(examples)
        told = layout(rows, next(decoder.parameters()).dtype, device)
        ids = padded([row.ids for row in rows], 0, device)
        packed = decoder(input_ids=ids, use_cache=False, **told).last_hidden_state.float()
        alone = decoder(input_ids=padded(PROBED, 0, device), use_cache=False)
        alone = alone.last_hidden_state.float()
    except Exception:  # of a class that takes no such mask, which may raise anything
        return False
    pairs = [
        (packed[row, p + offset], alone[n, p])
        for n, (row, offset) in enumerate(places)
        for p in range(PROBED_SHARED, len(PROBED[n]))
    ]
    return all(bool((a - b).norm() <= CLOSE * b.norm()) for a, b in pairs)


def _beginning(example: Example) -> tuple[int, tuple[int, ...]]:
    return example.cell, example.ids[: example.shared]


def _parts_and_positions(row: Branched) -> tuple[list[int], list[int]]:
    """Per token, which branch it is in (0: the beginning), and its position."""
    ends = [*row.starts[1:], len(row.ids)] if row.starts else []
    first = row.starts[0] if row.starts else len(row.ids)
    parts, positions = [0] * first, list(range(first))
    for number, (start, end) in enumerate(zip(row.starts, ends, strict=True), 1):
        parts += [number] * (end - start)
        positions += range(first, first + end - start)
    return parts, positions
