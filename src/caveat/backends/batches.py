"""Which rows each step reads, as token ids with weights: the same for every backend.

Pure functions of a stage, a seed and a tokenizer.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import numpy as np

from caveat.backends.jobs import TrainingJob
from caveat.errors import CaveatError
from caveat.rendering import RenderedRow, render_row
from caveat.types.data import Row
from caveat.types.training import Dose, LossScope, Train

ROW_STREAM, ADDED_STREAM, KEPT_STREAM = 0, 1, 2
"""Seed the orders of a stage's rows, added rows and kept rows: other numbers give other orders."""


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


LossSum = tuple[Example, ...]
"""A sum of losses in nats, each token's times its example's weight. Whose model computes it is
not in it: the examples' own `cell` is not read."""


def steps_of(stage: Train) -> int:
    """Number of optimiser steps of a stage: set by its rows, not by the added ones."""
    return stage.dose.epochs * math.ceil(len(stage.rows) / stage.dose.batch_size)


def schedule(stage: Train, seed: int) -> list[tuple[list[int], list[int], list[int]]]:
    """Per step, indices of the rows, of the added rows and of the kept rows that it reads.

    Rows are shuffled anew each epoch; added and kept rows are shuffled by streams of their own and
    assigned evenly, so that they change neither the steps nor the order of the others.
    """
    steps, size = math.ceil(len(stage.rows) / stage.dose.batch_size), stage.dose.batch_size
    plan = []
    for epoch in range(stage.dose.epochs):
        generator = np.random.default_rng([seed, epoch, ROW_STREAM])
        order = generator.permutation(len(stage.rows)).tolist()
        orders = [
            np.random.default_rng([seed, epoch, stream]).permutation(len(some)).tolist()
            for stream, some in ((ADDED_STREAM, stage.added), (KEPT_STREAM, stage.kl_rows))
        ]
        for step in range(steps):
            added, kept = (
                some[len(some) * step // steps : len(some) * (step + 1) // steps] for some in orders
            )
            plan.append((order[step * size : (step + 1) * size], added, kept))
    return plan


def rate_at(dose: Dose, step: int, steps: int) -> float:
    """Learning rate of a step (from 0): a linear rise over `dose.warmup`, then a linear fall."""
    rise = max(1, round(dose.warmup * steps))
    if step < rise:
        return dose.learning_rate * (step + 1) / rise
    return dose.learning_rate * (steps - step) / (steps - rise + 1)


class TrainingRow:
    """What training reads of a `RenderedRow`, in a twentieth of its memory: files may have 100,000
    rows, and a group has eight jobs."""

    __slots__ = ("_ids", "_loss", "source")

    def __init__(self, row: RenderedRow) -> None:
        self._ids, self._loss = array("i", row.ids), bytes(row.loss)
        self.source = row.source

    @property
    def ids(self) -> tuple[int, ...]:
        """Its tokens."""
        return tuple(self._ids)

    @property
    def loss(self) -> tuple[bool, ...]:
        """Per token, whether predicting it counts."""
        return tuple(map(bool, self._loss))


@dataclass
class TrainingCell:
    """A job under way, one cell of a lockstep group."""

    job: TrainingJob[Any]
    rows: list[TrainingRow]
    added: list[TrainingRow]
    kl_rows: list[TrainingRow]
    schedule: list[tuple[list[int], list[int], list[int]]]
    losses: list[float] = field(default_factory=list)
    reason: str = ""

    def step_rows(
        self, step: int
    ) -> tuple[list[TrainingRow], list[TrainingRow], list[TrainingRow]]:
        """Rows, added rows and KL rows of a step; none once the job is done or has failed."""
        if self.reason or step >= len(self.schedule):
            return [], [], []
        rows, added, kept = self.schedule[step]
        return (
            [self.rows[i] for i in rows],
            [self.added[i] for i in added],
            [self.kl_rows[i] for i in kept],
        )


RenderedRows = dict[tuple[Row, LossScope, int], TrainingRow]
"""Rows that were rendered, by what they were rendered from: the jobs of a group share most."""


def prepare(
    tokenizer: Any, job: TrainingJob[Any], rendered: RenderedRows | None = None
) -> TrainingCell:
    """Render a job's rows. Raises CaveatError for a bad row, or where there are none.

    Args:
        rendered: Rows of other jobs, which this one adds to.
    """
    stage = job.stage
    scope, most = stage.loss, stage.dose.max_tokens
    rendered = {} if rendered is None else rendered

    def training_row(row: Row) -> TrainingRow:
        if (row, scope, most) not in rendered:
            rendered[row, scope, most] = TrainingRow(render_row(tokenizer, row, scope, most))
        return rendered[row, scope, most]

    if not stage.rows:
        raise CaveatError(f"'{stage.label or job.key}' has no rows to train on; give it some")
    rows, added, kept = (
        list(map(training_row, some)) for some in (stage.rows, stage.added, stage.kl_rows)
    )
    return TrainingCell(job, rows, added, kept, schedule(stage, job.seed))


def step_examples(cells: list[TrainingCell], step: int) -> tuple[list[Example], int]:
    """The rows of a step, and the tag from which on they are added ones.

    Each token weighs one over its cell's supervised tokens among the rows that set the steps: added
    rows add their loss and leave the others' weight as it was.
    """
    primary = max(len(cell.step_rows(step)[0]) for cell in cells)
    examples = []
    for k, cell in enumerate(cells):
        rows, added, _ = cell.step_rows(step)
        weight = 1 / max(1, sum(sum(row.loss[1:]) for row in rows))
        for start, some in ((0, rows), (primary, added)):
            for tag, row in enumerate(some, start):
                examples.append(Example(k, row.ids, targets(row), weight, tag))
    return examples, primary


def kept_examples(cells: list[TrainingCell], step: int) -> list[Example]:
    """The kept rows of a step; a cell's divergence is the mean over their supervised tokens."""
    examples = []
    for k, cell in enumerate(cells):
        *_, rows = cell.step_rows(step)
        weight = cell.job.stage.kl_weight / max(1, sum(sum(row.loss[1:]) for row in rows))
        examples += [Example(k, row.ids, targets(row), weight, tag) for tag, row in enumerate(rows)]
    return examples


def targets(row: RenderedRow | TrainingRow) -> tuple[int, ...]:
    """Positions of the supervised tokens."""
    return tuple(position for position, counts in enumerate(row.loss) if counts and position)


def loss_share(rows: Sequence[TrainingRow]) -> dict[str, float]:
    """Each source's share of the supervised tokens, in [0, 1]."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.source] += sum(row.loss[1:])
    return {source: count / counts.total() for source, count in sorted(counts.items())}


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
    parts: tuple[list[Example], list[Example]] = ([], [])
    for step in range(steps):
        examples, primary = step_examples([cell], step)
        for example in examples:
            weighted = Example(0, example.ids, example.targets, example.weight / steps, example.tag)
            parts[example.tag >= primary].append(weighted)
    return tuple(parts[0]), tuple(parts[1])
