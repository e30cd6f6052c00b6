"""AdamW over stacked adapters: one step for all, each with its own rate, norm and activity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class StackedAdamW:
    """Loshchilov & Hutter 2017 (arXiv:1711.05101) without weight decay, cell by cell.

    A cell that is not active in a step keeps its parameters and moments untouched, so that what it
    learns does not depend on its neighbours.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        """Args: parameters: leaf tensors of shape (cells, ...)."""
        self.parameters = list(parameters)
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = torch.zeros(len(self.parameters[0]), device=self.parameters[0].device)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def norms(self) -> Tensor:
        """Each cell's gradient norm over all parameters, of shape (cells,)."""
        squares = [p.grad.flatten(1).square().sum(1) for p in self.parameters if p.grad is not None]
        return torch.stack(squares).sum(0).sqrt()

    @torch.no_grad()
    def step(self, rates: Tensor, clip: Tensor, active: Tensor) -> None:
        """Update the active cells.

        Args:
            rates: Learning rate of each cell, of shape (cells,).
            clip: Largest gradient norm of each cell, of shape (cells,).
            active: Whether the cell takes this step, of shape (cells,), bool.
        """
        shrink = (clip / (self.norms() + 1e-6)).clamp(max=1.0)
        self.steps += active
        count = self.steps.clamp(min=1)
        size = rates / (1 - BETAS[0] ** count)
        root = (1 - BETAS[1] ** count).sqrt()
        chosen = active.nonzero().flatten()
        for parameter, first, second in zip(
            self.parameters, self.first, self.second, strict=True
        ):
            if parameter.grad is None:
                continue
            shape = (-1, *[1] * (parameter.dim() - 1))
            grad = parameter.grad[chosen] * shrink[chosen].view(shape)
            m = first[chosen].lerp(grad, 1 - BETAS[0])
            v = second[chosen].lerp(grad.square(), 1 - BETAS[1])
            first[chosen], second[chosen] = m, v
            move = m / (v.sqrt() / root[chosen].view(shape) + EPSILON)
            parameter[chosen] -= size[chosen].view(shape) * move
