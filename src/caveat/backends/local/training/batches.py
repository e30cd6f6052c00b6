"""Which rows each step reads, learning-rate schedule, examples with weights.

Which rows a step reads, and with which learning rate: pure functions of counts and seed.

A training job under way: its rendered rows, and what each step reads of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Example
from caveat.backends.local.training.jobs import TrainingJob
from caveat.errors import CaveatError
from caveat.rendering import RenderedRow, render_row
from caveat.types.training import Dose, Train

ROW_STREAM, ADDED_STREAM, KEPT_STREAM = 0, 1, 2
"""Seed the orders of a stage's rows, added rows and kept rows: other numbers give other orders."""


def steps_of(stage: Train) -> int:
    """Number of optimiser steps of a stage: set by its rows, not by the added ones."""
    return stage.dose.epochs * math.ceil(len(stage.rows) / stage.dose.batch_size)


def schedule(stage: Train, seed: int) -> list[tuple[list[int], list[int], list[int]]]:
    """Per step, indices of the rows, of the added rows and of the kept rows that it reads.

    Rows are shuffled anew each epoch; added and kept rows are shuffled by streams of their own and
    dealt evenly, so that they change neither the steps nor the order of the others.
    """
    steps, size = math.ceil(len(stage.rows) / stage.dose.batch_size), stage.dose.batch_size
    plan = []
    for epoch in range(stage.dose.epochs):
        generator = np.random.default_rng([seed, epoch, ROW_STREAM])
        order = generator.permutation(len(stage.rows)).tolist()
        dealt = [
            np.random.default_rng([seed, epoch, stream]).permutation(len(some)).tolist()
            for stream, some in ((ADDED_STREAM, stage.added), (KEPT_STREAM, stage.kept))
        ]
        for step in range(steps):
            added, kept = (
                some[len(some) * step // steps : len(some) * (step + 1) // steps] for some in dealt
            )
            plan.append((order[step * size : (step + 1) * size], added, kept))
    return plan


def rate_at(dose: Dose, step: int, steps: int) -> float:
    """Learning rate of a step (from 0): a linear rise over `dose.warmup`, then a linear fall."""
    rise = max(1, round(dose.warmup * steps))
    if step < rise:
        return dose.learning_rate * (step + 1) / rise
    return dose.learning_rate * (steps - step) / (steps - rise + 1)


@dataclass
class TrainingCell:
    """A job under way, one cell of a lockstep group."""

    job: TrainingJob
    rows: list[RenderedRow]
    added: list[RenderedRow]
    kept: list[RenderedRow]
    schedule: list[tuple[list[int], list[int], list[int]]]
    losses: list[float] = field(default_factory=list)
    reason: str = ""

    def step_rows(
        self, step: int
    ) -> tuple[list[RenderedRow], list[RenderedRow], list[RenderedRow]]:
        """Rows, added rows and kept rows of a step; none once the job is done or has failed."""
        if self.reason or step >= len(self.schedule):
            return [], [], []
        rows, added, kept = self.schedule[step]
        return (
            [self.rows[i] for i in rows],
            [self.added[i] for i in added],
            [self.kept[i] for i in kept],
        )


def prepare(language_model: LanguageModel, job: TrainingJob) -> TrainingCell:
    """Render a job's rows. Raises CaveatError for a bad row, or where there are none."""
    stage = job.stage
    if not stage.rows:
        raise CaveatError(f"'{stage.label or job.key}' has no rows to train on; give it some")
    rows, added, kept = (
        [render_row(language_model.tokenizer, r, stage.loss, stage.dose.max_tokens) for r in some]
        for some in (stage.rows, stage.added, stage.kept)
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


def targets(row: RenderedRow) -> tuple[int, ...]:
    """Positions of the supervised tokens."""
    return tuple(p for p in range(1, len(row.ids)) if row.loss[p])


def loss_share(rows: Sequence[RenderedRow]) -> dict[str, float]:
    """Each source's share of the supervised tokens, in [0, 1]."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.source] += sum(row.loss[1:])
    return {source: count / counts.total() for source, count in sorted(counts.items())}
