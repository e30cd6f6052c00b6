"""AdamW and SGD over stacked adapters: one step for all, each with its own rule and rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
Rule = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], None]
"""Changes parameters, given these, their gradients, first and second moments, and the cells that
they are of."""


class StackedOptimizer:
    """AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101) or SGD without weight decay, cell by cell.

    A cell that is not active in a step keeps its parameters and moments untouched, so that what it
    learns does not depend on its neighbours. SGD keeps its momentum as the first moments.
    """

    def __init__(self, parameters: Sequence[Tensor], momenta: Sequence[float | None]) -> None:
        """Start with zero moments.

        Args:
            parameters: Leaf tensors of shape (cells, ...).
            momenta: Of each cell, the momentum of SGD; None for AdamW.
        """
        self.parameters = list(parameters)
        device = self.parameters[0].device
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = torch.zeros(len(momenta), device=device)
        self.uses_sgd = torch.tensor([m is not None for m in momenta], device=device)
        self.momenta = torch.tensor([m or 0.0 for m in momenta], device=device)
        self._kinds = {m is not None for m in momenta}

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
        if False in self._kinds:
            self._apply(self._adamw(rates), active & ~self.uses_sgd, shrink)
        if True in self._kinds:
            self._apply(self._sgd(rates), active & self.uses_sgd, shrink)

    def _apply(self, rule: Rule, chosen: Tensor, shrink: Tensor) -> None:
        """Change the chosen cells by a rule."""
        whole = bool(chosen.all())
        cells = chosen.nonzero().flatten()
        if not len(cells):
            return
        for parameter, first, second in zip(self.parameters, self.first, self.second, strict=True):
            if parameter.grad is None:  # no example of this pass reached the module
                continue
            if whole:
                p, g, m, v = parameter, parameter.grad, first, second
            else:
                p, g, m, v = (t[cells] for t in (parameter, parameter.grad, first, second))
            g *= _like(shrink[cells], g)
            rule(p, g, m, v, cells)
            if not whole:
                parameter[cells], first[cells], second[cells] = p, m, v

    def _adamw(self, rates: Tensor) -> Rule:
        count = self.steps.clamp(min=1)
        size = rates / (1 - BETAS[0] ** count)
        root = (1 - BETAS[1] ** count).sqrt()

        def rule(p: Tensor, g: Tensor, m: Tensor, v: Tensor, cells: Tensor) -> None:
            m.lerp_(g, 1 - BETAS[0])
            v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            root_of_v = v.sqrt().div_(_like(root[cells], v)).add_(EPSILON)
            p.sub_((m / root_of_v).mul_(_like(size[cells], m)))

        return rule

    def _sgd(self, rates: Tensor) -> Rule:
        def rule(p: Tensor, g: Tensor, m: Tensor, v: Tensor, cells: Tensor) -> None:
            m.mul_(_like(self.momenta[cells], m)).add_(g)
            p.sub_(m * _like(rates[cells], m))

        return rule


def _like(values: Tensor, tensor: Tensor) -> Tensor:
    """Values of shape (cells,), to multiply a tensor of shape (cells, ...)."""
    return values.view(-1, *[1] * (tensor.dim() - 1))
