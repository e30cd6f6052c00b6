"""Losses and gradients where a training would start, against sums made by hand."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from caveat.backends.batches import mean_loss, prepare, training_losses
from caveat.backends.jobs import InitialModel, Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.training.initial_gradients import InitialGradients, product
from caveat.backends.local.training.lockstep import start_stacks
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from caveat.rendering import render_row
from caveat.types.training import Dose
from rows import chat_row, document_row, stage

DOSE = Dose(rank=3, alpha=5.0)
STEP = 1e-2
"""Of the finite differences, along directions of length 1. The model computes its norms in float32,
which smaller steps drown in; seen are errors of 2e-5 of the gradient's size."""


@pytest.fixture(scope="module")
def base_adapters(tiny) -> Adapter:
    """An adapter that a warm-up might have left."""
    (made,) = train(tiny, [TrainingJob("warm", stage(6), 4)], Progress())
    assert isinstance(made, Trained)
    return made.adapter


def sums(tiny: LanguageModel):
    """Two sums of losses, over chats and over documents and chats, one of them with a sign."""
    rows = [render_row(tiny.tokenizer, chat_row(n), "reply", 512) for n in range(4)]
    texts = [render_row(tiny.tokenizer, document_row(n), "everything", 512) for n in range(3)]
    return mean_loss(rows), (*mean_loss(texts), *mean_loss(rows[:2], -1.0))


def exact(tiny: LanguageModel, updates: dict[str, torch.Tensor], examples) -> float:
    """The sum of losses in float64, with updates added to the weights: nothing of lockstep."""
    model = copy.deepcopy(tiny.model).double()
    for name, update in updates.items():
        model.get_submodule(name).weight += update
    total = 0.0
    for example in examples:
        with torch.no_grad():
            logs = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
        total -= example.weight * sum(
            float(logs[place - 1, example.ids[place]]) for place in example.targets
        )
    return total


def merged(adapter: Adapter) -> dict[str, torch.Tensor]:
    return {
        name: adapter.scale * up.double() @ down.double()
        for name, (down, up) in adapter.weights.items()
    }


@pytest.mark.parametrize("warmed", [False, True])
def test_gradients_are_those_of_finite_differences(tiny, base_adapters, warmed):
    """In every module, along random directions of B."""
    chain = (base_adapters,) if warmed else ()
    base = merged(base_adapters) if warmed else {}
    start = InitialGradients(tiny, InitialModel(DOSE, 7, chain), token_budget=150)
    found = start.gradients(sums(tiny))
    stacks = start_stacks(tiny, [DOSE], [7])
    generator = torch.Generator().manual_seed(0)
    for name, stack in stacks.items():
        for gradient, examples in zip(found, sums(tiny), strict=True):
            along = torch.randn(gradient[name].shape, generator=generator).double()
            along /= along.norm()
            moved = DOSE.alpha / DOSE.rank * along @ stack.down[0].detach().double() * STEP
            high, low = (
                exact(tiny, {**base, name: base.get(name, 0) + sign * moved}, examples)
                for sign in (1, -1)
            )
            expected = (high - low) / (2 * STEP)
            size = float(gradient[name].norm())
            assert float((gradient[name] * along).sum()) == pytest.approx(
                expected, abs=1e-4 * size
            ), name
            assert size > 0


def test_values_are_the_losses(tiny, base_adapters):
    start = InitialGradients(tiny, InitialModel(DOSE, 7))
    plain, on_top = (
        start.losses(sums(tiny), adapters) for adapters in (None, [base_adapters, base_adapters])
    )
    for k, examples in enumerate(sums(tiny)):
        assert plain[k] == pytest.approx(exact(tiny, {}, examples), abs=1e-5)
        assert on_top[k] == pytest.approx(exact(tiny, merged(base_adapters), examples), abs=1e-5)
    warmed = replace(start, start=InitialModel(DOSE, 7, (base_adapters,)))
    assert warmed.losses(sums(tiny)) == pytest.approx(on_top, abs=1e-5)
    assert warmed.losses(sums(tiny), [None, None]) == pytest.approx(on_top, abs=1e-5)


def test_a_small_step_down_one_loss_lowers_the_other_by_the_product(tiny):
    start = InitialGradients(tiny, InitialModel(DOSE, 7))
    one, other = sums(tiny)
    down, along = start.gradients([one, other])
    rate = 1e-3 / float(sum(each.square().sum() for each in down.values()))
    stacks = start_stacks(tiny, [DOSE], [7])
    stepped = Adapter(
        DOSE.rank,
        DOSE.alpha,
        {name: (stack.down[0].detach(), -rate * down[name]) for name, stack in stacks.items()},
    )
    change = exact(tiny, merged(stepped), other) - exact(tiny, {}, other)
    assert change == pytest.approx(-rate * product(down, along), rel=1e-2)


def test_layers_that_are_not_adapted_have_no_gradient(tiny):
    upper = replace(DOSE, layers=(0.5, 1.0))
    (half,) = InitialGradients(tiny, InitialModel(upper, 7)).gradients([sums(tiny)[0]])
    (whole,) = InitialGradients(tiny, InitialModel(DOSE, 7)).gradients([sums(tiny)[0]])
    assert list(half) == sorted(adapted_modules(tiny.model, upper.layers))
    assert all(torch.allclose(half[name], whole[name], atol=1e-6) for name in half)


def test_the_training_loss_is_what_its_steps_lower(tiny):
    """Its value is the mean of the first losses that training reports, where no step is taken."""
    training = stage(7, added=5, learning_rate=1e-12, epochs=1)
    cell = prepare(tiny.tokenizer, TrainingJob("job", training, 2))
    rows, added = training_losses(cell)
    start = InitialGradients(tiny, InitialModel(training.dose, 2))
    (trained,) = train(tiny, [TrainingJob("job", training, 2)], Progress())
    mean = sum(trained.losses) / len(trained.losses)
    assert start.losses([rows])[0] == pytest.approx(mean, rel=1e-5)
    assert len(rows) == 7 and len(added) == 5
    for read, beside, _ in cell.schedule:
        tokens = sum(sum(cell.rows[place].loss[1:]) for place in read)
        there = {cell.added[place].ids for place in beside}
        weights = [example.weight for example in added if example.ids in there]
        assert weights == pytest.approx([1 / tokens / len(cell.schedule)] * len(beside))
