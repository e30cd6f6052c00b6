"""AdamW over stacked adapters: one step for all, each with its own learning rate and clipping."""

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
        """Start with zero moments.

        Args:
            parameters: Leaf tensors of shape (cells, ...).
        """
        self.parameters = list(parameters)
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = torch.zeros(len(self.parameters[0]), device=self.parameters[0].device)

    def zero_grad(self) -> None:
        """Drop the gradients."""
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
        all_active = bool(active.all())
        rows = active.nonzero().flatten()
        for parameter, first, second in zip(self.parameters, self.first, self.second, strict=True):
            if parameter.grad is None:  # no example of this pass reached the module
                continue
            shape = (-1, *[1] * (parameter.dim() - 1))
            if all_active:
                p, g, m, v = parameter, parameter.grad, first, second
            else:
                p, g, m, v = (t[rows] for t in (parameter, parameter.grad, first, second))
            g *= shrink[rows].view(shape)
            m.lerp_(g, 1 - BETAS[0])
            v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            root_of_v = v.sqrt().div_(root[rows].view(shape)).add_(EPSILON)
            p.sub_((m / root_of_v).mul_(size[rows].view(shape)))
            if not all_active:
                parameter[rows], first[rows], second[rows] = p, m, v
