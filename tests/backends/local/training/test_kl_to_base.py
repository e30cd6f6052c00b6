"""Rows on which a model is kept to what it was before, by the KL divergence from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from caveat.backends.jobs import Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import stack_chains, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from caveat.rendering import render_row
from rows import chat_row, stage

KEPT = tuple(chat_row(100 + i) for i in range(4))


def trained(tiny: LanguageModel, weight: float, *base_adapters: Adapter) -> Trained:
    job = TrainingJob("kept", replace(stage(8), kl_rows=KEPT, kl_weight=weight), 5, base_adapters)
    (result,) = train(tiny, [job], Progress())
    assert isinstance(result, Trained)
    return result


def divergence(tiny: LanguageModel, adapter: Adapter, *base_adapters: Adapter) -> float:
    """Mean KL of the adapted model from what it was, over the kept rows' supervised tokens."""
    total, count = 0.0, 0
    for row in (render_row(tiny.tokenizer, each, "reply", 512) for each in KEPT):
        ids = torch.tensor([row.ids])
        places = [p - 1 for p in range(1, len(row.ids)) if row.loss[p]]
        before, now = (
            logits(tiny, ids, chain)[places].log_softmax(-1)
            for chain in (base_adapters, (*base_adapters, adapter))
        )
        total += float((before.exp() * (before - now)).sum())
        count += len(places)
    return total / count


def logits(tiny: LanguageModel, ids: torch.Tensor, chain: tuple[Adapter, ...]) -> torch.Tensor:
    with torch.no_grad(), stacked(tiny.model, stack_chains([chain], "cpu")) as route:
        route.set([0])
        return tiny.model(input_ids=ids).logits[0]


def test_the_heavier_the_weight_the_closer_to_before(tiny):
    free, light, heavy = (divergence(tiny, trained(tiny, w).adapter) for w in (0.0, 1.0, 30.0))
    assert heavy < 0.5 * free
    assert heavy < light < free


def test_weight_zero_changes_nothing(tiny):
    plain = train(tiny, [TrainingJob("plain", stage(8), 5)], Progress())[0]
    kept = trained(tiny, 0.0)
    for name, (down, up) in plain.adapter.weights.items():
        assert torch.allclose(down, kept.adapter.weights[name][0], atol=2e-6)
        assert torch.allclose(up, kept.adapter.weights[name][1], atol=2e-6)
    assert kept.tokens > plain.tokens


def test_kept_in_lockstep_equals_alone(tiny):
    jobs = [
        TrainingJob("plain", stage(6), 1),
        TrainingJob("kept", replace(stage(8), kl_rows=KEPT, kl_weight=3.0), 5),
    ]
    together = train(tiny, jobs, Progress())[1]
    alone = trained(tiny, 3.0)
    for name, (down, up) in alone.adapter.weights.items():
        assert torch.allclose(down, together.adapter.weights[name][0], atol=2e-5)
        assert torch.allclose(up, together.adapter.weights[name][1], atol=2e-5)


def test_before_includes_what_is_attached(tiny):
    below = trained(tiny, 0.0).adapter
    free, heavy = (trained(tiny, weight, below).adapter for weight in (0.0, 30.0))
    assert divergence(tiny, heavy, below) < 0.5 * divergence(tiny, free, below)


def test_a_random_adapter_has_the_same_sizes(tiny):
    adapter = trained(tiny, 0.0).adapter
    random = adapter.randomised(3)
    for name, (down, up) in adapter.weights.items():
        a, b = random.weights[name]
        size = torch.linalg.matrix_norm(up @ down)
        assert float(torch.linalg.matrix_norm(b @ a)) == pytest.approx(float(size), rel=1e-4)
        flat = [matrix.ravel() for matrix in (b @ a, up @ down)]
        assert abs(torch.nn.functional.cosine_similarity(*flat, 0)) < 0.2
    assert torch.equal(random.weights[name][0], adapter.randomised(3).weights[name][0])
    assert not torch.equal(random.weights[name][0], adapter.randomised(4).weights[name][0])
