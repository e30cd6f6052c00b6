"""What batches are made of: examples, where predictions are wanted, rows padded side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """A row of token ids for one cell, and where its predictions are wanted."""

    cell: int
    ids: tuple[int, ...]
    targets: tuple[int, ...]
    """Positions p >= 1 whose token is to be predicted (from position p - 1)."""
    weight: float = 1.0
    """What its loss is multiplied by."""
    tag: int = 0
    """The caller's own number."""


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
