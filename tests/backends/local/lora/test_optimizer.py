"""Cells of one optimizer move as torch's own AdamW and SGD move them alone."""

from __future__ import annotations

import pytest
import torch

from caveat.backends.local.lora.optimizer import StackedOptimizer

MOMENTA = (None, 0.0, 0.9, 0.5)
RATES = (3e-3, 0.5, 0.2, 0.1)
CLIPS = (1.0, 1e9, 0.7, 1e9)
STEPS = 5


def gradients(step: int) -> list[torch.Tensor]:
    """Of two parameters of shape (cells, ...)."""
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(len(RATES), *shape, generator=generator) for shape in ((3, 4), (5, 3))]


def active(step: int) -> list[bool]:
    """Some cells rest in some steps; in the second all are active."""
    return [step != 2 or cell != 1 for cell in range(len(RATES) - 1)] + [step in (1, 4)]


def torch_optimizer(cell: int, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    momentum = MOMENTA[cell]
    if momentum is None:
        return torch.optim.AdamW(parameters, lr=RATES[cell], weight_decay=0.0)
    return torch.optim.SGD(parameters, lr=RATES[cell], momentum=momentum)


@pytest.fixture(scope="module")
def moved() -> list[torch.Tensor]:
    """The stacked parameters after some steps."""
    starts = [torch.ones_like(gradient).requires_grad_() for gradient in gradients(0)]
    optimizer = StackedOptimizer(starts, MOMENTA)
    for step in range(STEPS):
        for parameter, gradient in zip(starts, gradients(step), strict=True):
            parameter.grad = gradient
        optimizer.step(torch.tensor(RATES), torch.tensor(CLIPS), torch.tensor(active(step)))
    assert optimizer.steps.tolist() == [5, 4, 5, 2]
    assert all((second[1:] == 0).all() for second in optimizer.second), "SGD has no second moments"
    return [parameter.detach() for parameter in starts]


@pytest.mark.parametrize("cell", range(len(RATES)))
def test_each_cell_moves_as_torch_moves_it(moved, cell):
    parameters = [torch.ones_like(g[cell]).requires_grad_() for g in gradients(0)]
    optimizer = torch_optimizer(cell, parameters)
    for step in range(STEPS):
        if not active(step)[cell]:
            continue
        for parameter, gradient in zip(parameters, gradients(step), strict=True):
            parameter.grad = gradient[cell].clone()
        torch.nn.utils.clip_grad_norm_(parameters, CLIPS[cell])
        optimizer.step()
    for mine, expected in zip(moved, parameters, strict=True):
        assert torch.allclose(mine[cell], expected.detach(), rtol=1e-5, atol=1e-6)
        assert not torch.allclose(mine[cell], torch.ones_like(expected))
