"""Rank is a dose unless alpha stays: what the first step of training does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from caveat.backends.jobs import TrainingJob
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from rows import stage

RANKS = (4, 16, 64)


def falls(tiny, alphas):
    """Mean fall of the loss by the first step, by rank: one step on all rows, small enough to be
    linear, over several initial adapters."""
    plain = stage(8, epochs=2, batch_size=8, learning_rate=1e-5, warmup=0.0)
    jobs = [
        TrainingJob(f"{rank} {seed}",
                    replace(plain, dose=replace(plain.dose, rank=rank, alpha=alpha)), seed)
        for rank, alpha in zip(RANKS, alphas, strict=True)
        for seed in range(4)
    ]  # fmt: skip
    results = [train(tiny, [job], Progress(), 4096)[0] for job in jobs]
    fall = [result.losses[0] - result.losses[1] for result in results]
    return np.reshape(fall, (len(RANKS), 4)).mean(axis=1)


def test_with_alpha_fixed_the_first_step_is_the_same_at_every_rank(tiny):
    fall = falls(tiny, (32.0, 32.0, 32.0))
    assert (fall > 0).all()
    assert fall == pytest.approx(np.full(3, fall.mean()), rel=0.1)


def test_with_alpha_that_grows_with_rank_it_grows_as_the_rank_does(tiny):
    fall = falls(tiny, (8.0, 32.0, 128.0))
    assert fall[1] / fall[0] == pytest.approx(4, rel=0.25)
    assert fall[2] / fall[1] == pytest.approx(4, rel=0.25)
