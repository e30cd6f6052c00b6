"""In bfloat16, lockstep equals training alone, packed rows equal rows of their own, all are near
float32, and a score does not depend on which models are scored together.

What an adapter adds to the model's matrices is compared, as a share of its own size. A product in
bfloat16 rounds to 8 bits (0.4%), and its rounding depends on which rows are computed together, so
the tolerance is `SAME` after six to eight steps. Trainings that differ in their seed alone differ
by more than `OTHER`.
"""

from __future__ import annotations

import pytest
import torch

from caveat.backends.jobs import Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.models import packing
from caveat.backends.local.models.loading import load
from caveat.backends.local.models.packing import agree
from caveat.backends.local.sampling.answers import token_scores
from caveat.backends.local.training.sft import train
from caveat.backends.requests import TokenRequest
from caveat.progress import Progress
from rows import stage

EXACT, SAME, USUAL, NEAR, OTHER = 1e-3, 0.05, 0.1, 0.15, 0.5
"""Bounds: on a CPU, where attention is in float32; of another batch; of a model that keeps the
attention of its class; of float32; of another seed."""
JOBS = (
    TrainingJob("long", stage(10), 0),
    TrainingJob("added", stage(7, added=5), 2),
    TrainingJob("upper half", stage(6, epochs=3, layers=(0.5, 1.0)), 0),
)


def fresh(language_model, packs):
    """A new cache, so that nothing is left from another batch; how rows are read is part of it."""
    language_model.__dict__.pop("frozen_layer_cache", None)
    assert language_model.frozen_layer_cache.packs
    language_model.frozen_layer_cache.packs = packs


def trained(language_model, *jobs, packs=True):
    """Results by key."""
    fresh(language_model, packs)
    results = {result.key: result for result in train(language_model, jobs, Progress(), 4096)}
    assert all(isinstance(result, Trained) for result in results.values())
    return results


def apart(one: Adapter, other: Adapter) -> float:
    """Norm of the difference of two updates, as a share of the second's."""
    pairs = [
        (one.scale * up @ down, other.scale * other.weights[name][1] @ other.weights[name][0])
        for name, (down, up) in one.weights.items()
    ]
    difference = sum(float((a - b).square().sum()) for a, b in pairs)
    return (difference / sum(float(b.square().sum()) for _, b in pairs)) ** 0.5


@pytest.fixture(scope="module")
def in_bfloat16():
    return load("tiny", "bfloat16")


@pytest.fixture(scope="module")
def together(in_bfloat16):
    return trained(in_bfloat16, *JOBS)


def test_frozen_weights_are_bfloat16_and_adapters_float32(in_bfloat16, together):
    assert {weight.dtype for weight in in_bfloat16.model.parameters()} == {torch.bfloat16}
    adapter = together["long"].adapter
    assert {part.dtype for pair in adapter.weights.values() for part in pair} == {torch.float32}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.key)
def test_lockstep_equals_alone(in_bfloat16, together, job):
    alone = trained(in_bfloat16, job)[job.key]
    bound = EXACT if in_bfloat16.device.type == "cpu" else SAME
    assert apart(together[job.key].adapter, alone.adapter) < bound
    assert together[job.key].losses == pytest.approx(alone.losses, rel=bound)


def test_a_model_that_cannot_read_packed_rows_keeps_its_own_attention(in_bfloat16, together):
    results = trained(in_bfloat16, *JOBS, packs=False)
    for job in JOBS:
        alone = trained(in_bfloat16, job, packs=False)[job.key]
        assert apart(results[job.key].adapter, alone.adapter) < SAME
        assert apart(results[job.key].adapter, together[job.key].adapter) < USUAL


@pytest.mark.parametrize("packs", [True, False])
def test_a_score_does_not_depend_on_what_is_scored_with_it(in_bfloat16, together, packs):
    """Layers under the lowest adapted one come from a cache: with another model, fewer do."""
    adapters = {key: result.adapter for key, result in together.items()}
    texts = [tuple(range(5 + start, 45 + start)) for start in range(0, 120, 40)]

    def scores(*keys):
        fresh(in_bfloat16, packs)
        requests = [
            TokenRequest(f"{key} {number}", (key,), ids, tuple(range(1, len(ids))))
            for key in keys
            for number, ids in enumerate(texts)
        ]
        values = token_scores(in_bfloat16, adapters, requests, Progress())
        return torch.tensor(values[: len(texts)])

    assert torch.allclose(scores("upper half"), scores("upper half", "long"), atol=EXACT)


def test_packed_rows_equal_rows_of_their_own(in_bfloat16, together, monkeypatch):
    def cut_apart(examples, budget, packs):
        return packing.cut(examples, budget, packs=False)

    monkeypatch.setattr("caveat.backends.local.models.reader.cut", cut_apart)
    unpacked = trained(in_bfloat16, *JOBS)
    for key, result in together.items():
        assert apart(result.adapter, unpacked[key].adapter) < SAME
        assert result.losses == pytest.approx(unpacked[key].losses, rel=SAME)


def test_it_is_near_float32_and_far_from_another_seed(in_bfloat16, together):
    job = JOBS[0]
    exact = trained(load("tiny"), job)[job.key]
    assert apart(together[job.key].adapter, exact.adapter) < NEAR
    assert together[job.key].losses == pytest.approx(exact.losses, rel=SAME)
    other = trained(in_bfloat16, TrainingJob("other", job.stage, 5))["other"]
    assert apart(together[job.key].adapter, other.adapter) > OTHER


def test_how_rows_are_read_is_tried_within_the_rounding_of_the_dtype():
    """On matrix units one product rounds otherwise than another; a wrong mask differs by more."""
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(4000, generator=generator)
    noise = torch.randn(4000, generator=generator)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        rounded = (exact * (1 + noise * torch.finfo(dtype).eps)).to(dtype)
        assert agree(rounded, exact.to(dtype))
        assert not agree((exact + 0.1 * noise).to(dtype), exact.to(dtype))
    assert not agree((exact + 0.001 * noise), exact)
    assert not agree(exact.bfloat16() * torch.nan, exact.bfloat16())
    assert packing.tolerance(torch.float32) == 1e-4
