"""Weighted sums of token losses: what training lowers, and what is asked of a model beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from torch import Tensor

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.frozen_layer_cache import Reader
from caveat.backends.local.models.packing import Batch, Example, wanted_of
from caveat.backends.local.training.batches import TrainingCell, step_examples, targets
from caveat.rendering import RenderedRow

LossSum = tuple[Example, ...]
"""A sum of losses in nats, each token's times its example's weight. Whose model it is asked of is
not in it: the examples' own `cell` is not read."""


def mean_loss(rows: Sequence[RenderedRow], factor: float = 1.0) -> LossSum:
    """The mean loss of the rows' supervised tokens, times a factor."""
    tokens = sum(len(targets(row)) for row in rows)
    return tuple(
        Example(0, row.ids, targets(row), factor / tokens, tag) for tag, row in enumerate(rows)
    )


def openings(rows: Sequence[RenderedRow], count: int) -> list[RenderedRow]:
    """Each row with loss on `count` supervised tokens alone: the first ones behind the beginning
    that all of them share; of a row that ends there, its last one."""
    learned = [[row.ids[place] for place in targets(row)] for row in rows]
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*learned, strict=False))
    shared = sum(1 for _ in alike) if len(rows) > 1 else 0
    return [_only(row, targets(row)[shared : shared + count] or targets(row)[-1:]) for row in rows]


def _only(row: RenderedRow, places: Sequence[int]) -> RenderedRow:
    return replace(row, loss=tuple(place in places for place in range(len(row.ids))))


def training_losses(cell: TrainingCell) -> tuple[LossSum, LossSum]:
    """What a training's steps lower, averaged over the steps: of its rows, and of its added rows.

    Rows that it is kept to what it was on are left out: before training their divergence is 0, the
    least there is, and so is its gradient.
    """
    steps = len(cell.schedule)
    found: tuple[list[Example], list[Example]] = ([], [])
    for step in range(steps):
        examples, primary = step_examples([cell], step)
        for each in examples:
            weighted = Example(0, each.ids, each.targets, each.weight / steps, each.tag)
            found[each.tag >= primary].append(weighted)
    return tuple(found[0]), tuple(found[1])


def of_cell(sums: Sequence[LossSum]) -> list[Example]:
    """The examples of all sums, each routed to the cell that has its sum's place."""
    return [
        Example(cell, each.ids, each.targets, each.weight, tag)
        for cell, examples in enumerate(sums)
        for tag, each in enumerate(examples)
    ]


def weighted_losses(reader: Reader, batch: Batch, route: Route) -> tuple[Tensor, Tensor]:
    """Of a batch, in order of its targets: each token's loss times its weight, and the number of
    its example."""
    wanted = wanted_of(batch.examples, reader.device)
    losses = -reader.log_probabilities(batch, route, wanted.tokens)
    return losses * wanted.weights, wanted.examples
