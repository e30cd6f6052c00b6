"""Checkpoints are what training passes through, and gradients there are those of finite steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caveat.backends.batches import RenderedRows, mean_loss, prepare
from caveat.backends.jobs import InitialModel, TrainingJob
from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.adapter import Adapter
from caveat.rendering import render_row
from rows import chat_row, document_row, stage

STEP = 1e-3


@pytest.fixture(scope="module")
def jobs():
    """Eight steps, and three."""
    return [
        TrainingJob("long", stage(8, epochs=2), 3),
        TrainingJob("short", stage(5, epochs=1), 4),
    ]


def same(one: Adapter, other: Adapter, **limits) -> None:
    assert one.weights.keys() == other.weights.keys()
    for name, pair in one.weights.items():
        for mine, given in zip(pair, other.weights[name], strict=True):
            torch.testing.assert_close(mine, given, **limits)


def test_jobs_of_a_group_hold_each_row_once(tiny, jobs):
    rendered: RenderedRows = {}
    cells = [prepare(tiny.tokenizer, job, rendered) for job in jobs]
    assert all(a is b for a, b in zip(cells[0].rows, cells[1].rows, strict=False))
    assert len(rendered) == len(cells[0].rows) == 8
    for cell, job in zip(cells, jobs, strict=True):
        alone = prepare(tiny.tokenizer, job)
        assert [(r.ids, r.loss) for r in alone.rows] == [(r.ids, r.loss) for r in cell.rows]
        assert alone.schedule == cell.schedule


def test_the_last_checkpoint_is_the_trained_adapter_and_the_first_is_the_start(tiny, jobs):
    backend = LocalBackend(tiny)
    trained = backend.train(jobs)
    steps = [len(one.losses) for one in trained]
    assert steps[0] > steps[1] > 1
    points = backend.checkpoints(jobs, [0, 1, *steps])
    assert [sorted(some) for some in points] == [[0, 1, steps[1], steps[0]], [0, 1, steps[1]]]
    for one, some, count in zip(trained, points, steps, strict=True):
        last = backend._adapter(some[count])
        same(last, backend._adapter(one.adapter), rtol=0, atol=0)
        start = backend._adapter(some[0])
        assert all(not up.any() and down.any() for down, up in start.weights.values())
    (cut,) = backend.checkpoints(jobs[:1], [1])
    same(backend._adapter(cut[1]), backend._adapter(points[0][1]), atol=1e-6, rtol=1e-5)
    refs = [ref for some in points for ref in some.values()]
    backend.discard(refs)
    with pytest.raises(KeyError):
        backend._adapter(refs[0])


def test_products_of_gradients_are_those_of_finite_steps_down_a_loss(tiny, jobs):
    """A step of A and B down the first loss changes the second by the product."""
    backend = LocalBackend(tiny)
    ((_, ref),) = backend.checkpoints(jobs[:1], [4])[0].items()
    adapter = backend._adapter(ref)
    dose = jobs[0].stage.dose
    rows = [render_row(tiny.tokenizer, chat_row(n), "reply", 512) for n in range(3)]
    texts = [render_row(tiny.tokenizer, document_row(n), "everything", 512) for n in range(2)]
    sums = [mean_loss(rows), mean_loss(texts), (*mean_loss(rows[:1]), *mean_loss(texts, -1.0))]
    start = InitialModel(dose, 3)
    gram = backend.gradient_gram(start, ref, sums)
    assert gram.shape == (2, 3, 3)
    np.testing.assert_allclose(gram, gram.transpose(0, 2, 1))
    (gradient,) = gradients(backend, adapter, sums[:1])
    size = sum(float(part.square().sum()) for pair in gradient.values() for part in pair)
    assert gram.sum(0)[0, 0] == pytest.approx(size, rel=1e-3)
    shifted = [
        backend._hold(
            Adapter(
                adapter.rank,
                adapter.alpha,
                {
                    name: (down - sign * STEP * gradient[name][0],
                           up - sign * STEP * gradient[name][1])
                    for name, (down, up) in adapter.weights.items()
                },
            )
        )
        for sign in (1, -1)
    ]  # fmt: skip
    for other in (1, 2):
        low, high = backend.losses(start, [sums[other]] * 2, shifted)
        change = (high - low) / (2 * STEP)
        assert change == pytest.approx(gram.sum(0)[0, other], rel=0.03, abs=0.02 * size)


def gradients(backend, adapter, sums):
    """By autograd on a plain model into whose weights the update goes: nothing of lockstep."""
    model = backend.language_model.model
    for some in sums:
        pairs = {
            name: tuple(part.clone().requires_grad_() for part in pair)
            for name, pair in adapter.weights.items()
        }
        weights = {
            f"{name}.weight": model.get_submodule(name).weight.detach() + adapter.scale * up @ down
            for name, (down, up) in pairs.items()
        }
        total = torch.zeros(())
        for example in some:
            ids = torch.tensor([example.ids])
            logits = torch.func.functional_call(model, weights, (ids,)).logits[0]
            logs = logits.log_softmax(-1)
            for place in example.targets:
                total = total - example.weight * logs[place - 1, example.ids[place]]
        parts = [part for pair in pairs.values() for part in pair]
        flat = iter(torch.autograd.grad(total, parts))
        yield {name: (next(flat), next(flat)) for name in pairs}
