"""A training in miniature: its first few rows, dealt as the training deals them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from caveat.domain.plan import Train
from caveat.domain.row import Row
from caveat.language.schedule import schedule

LEAST_STEPS = 4
"""A miniature has no fewer, as long as it has as many rows."""


def miniature(stage: Train, seed: int, rows: int) -> Train:
    """The stage with the first `rows` rows that it would read, once, and what it reads beside them.

    Its steps have the dose's batch size, or a quarter of the rows where that is less: a training
    has a few steps at the least. Added and kept rows are those dealt to the same steps, so they
    have the share that they have in the whole. The learning rate rises and falls as the dose's,
    over fewer steps.
    """
    wanted = min(rows, len(stage.rows))
    size = min(stage.dose.batch_size, max(1, wanted // LEAST_STEPS))
    dose = replace(stage.dose, epochs=1, batch_size=size)
    first = schedule(replace(stage, dose=dose), seed)[: math.ceil(wanted / size)]
    chosen, added, kept = (
        _taken(some, (step[place] for step in first))
        for place, some in enumerate((stage.rows, stage.added, stage.kept))
    )
    return replace(stage, rows=chosen[:wanted], added=added, kept=kept, dose=dose)


def _taken(rows: tuple[Row, ...], places: Iterable[list[int]]) -> tuple[Row, ...]:
    return tuple(rows[place] for step in places for place in step)
