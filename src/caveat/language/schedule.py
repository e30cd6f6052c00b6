"""Which rows a step reads, and with which learning rate: pure functions of counts and seed."""

from __future__ import annotations

import math

import numpy as np

from caveat.domain.plan import Dose, Train

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
