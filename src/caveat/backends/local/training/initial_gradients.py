"""Losses, and inner products of gradients, of a model where a training would start, or has come to.

Gradients are those of the B matrices of new LoRA adapters at their start: A is random as in
training and B is 0, so the model is what it was, and A's own gradient is 0. The inner product of
two of them says by how much a small step down the one loss lowers the other (as in Pruthi et al.
2020, arXiv:2002.08484, and, for LoRA, Xia et al. 2024, arXiv:2402.04333).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from caveat.backends.batches import Example, LossSum
from caveat.backends.inspection import GradientProducts
from caveat.backends.jobs import InitialModel
from caveat.backends.local.diagnostics.update_geometry import layers_of
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules, stack_chains, stacked
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.frozen_layer_cache import lowest_layer
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.reader import Reader
from caveat.backends.local.training.lockstep import start_stacks
from caveat.progress import Progress

Gradient = dict[str, Tensor]
"""By module, the gradient of B, of shape (out, rank)."""


@dataclass(frozen=True)
class InitialGradients:
    """Computes losses and gradients at the start of a training."""

    language_model: LanguageModel
    start: InitialModel[Adapter]
    token_budget: int = TOKEN_BUDGET
    """Padded tokens of one pass."""
    progress: Progress = field(default_factory=Progress)

    def products(
        self, sums: Sequence[LossSum], direction: LossSum, group_size: int
    ) -> list[GradientProducts]:
        """Of each sum's gradient, its product with that of `direction`, and with itself.

        Args:
            group_size: Gradients that are in memory together.
        """
        (along,) = self.gradients([direction])
        return [
            GradientProducts(product(gradient, along), product(gradient, gradient))
            for start in range(0, len(sums), group_size)
            for gradient in self.gradients(sums[start : start + group_size])
        ]

    def gradients(self, sums: Sequence[LossSum]) -> list[Gradient]:
        """The gradient of each sum of losses; all in one pass."""
        dose, seed = self.start.dose, self.start.seed
        model, cells = self.language_model.model, len(sums)
        reader = self._reader()
        stacks = start_stacks(self.language_model, [dose] * cells, [seed] * cells)
        for stack in stacks.values():
            stack.down.requires_grad_(False)
        frozen = stack_chains([self.start.base_adapters] * cells, reader.device)
        with stacked(model, frozen, stacks) as route:
            for batch in reader.batches(_by_cell(sums), self.token_budget):
                reader.weighted_losses(batch, route)[0].sum().backward()
                self.progress.advance("train", sum(len(row.ids) for row in batch.examples))
        return [
            {name: _gradient(stack.up)[cell] for name, stack in stacks.items()}
            for cell in range(cells)
        ]

    def gram(self, adapter: Adapter, sums: Sequence[LossSum]) -> np.ndarray:
        """Inner products of the sums' gradients where a training has come to, by decoder layer.

        Float64 of shape (layers, sums, sums). Gradients are those of A and B of the adapter, which
        lies on top of the frozen ones; where B is 0, that of A is 0.
        """
        dose, cells = self.start.dose, len(sums)
        model, device = self.language_model.model, self.language_model.device
        layers = layers_of(model)
        reader = self._reader()
        stacks = start_stacks(self.language_model, [dose] * cells, [self.start.seed] * cells)
        with torch.no_grad():
            for name, (down, up) in adapter.weights.items():
                stacks[name].down[:, : len(down)] = down.to(device)
                stacks[name].up[:, :, : len(down)] = up.to(device)
        frozen = stack_chains([self.start.base_adapters] * cells, device)
        with stacked(model, frozen, stacks) as route:
            for batch in reader.batches(_by_cell(sums), self.token_budget):
                reader.weighted_losses(batch, route)[0].sum().backward()
                self.progress.advance("train", sum(len(row.ids) for row in batch.examples))
        products = np.zeros((1 + max(layers.values()), cells, cells))
        for name, stack in stacks.items():
            for parameter in (stack.down, stack.up):
                flat = _gradient(parameter).flatten(1).double()
                products[layers[name]] += (flat @ flat.T).cpu().numpy()
        return products

    @torch.inference_mode()
    def losses(
        self, sums: Sequence[LossSum], adapters: Sequence[Adapter | None] | None = None
    ) -> list[float]:
        """Each sum of losses, in nats; where adapters are given, with each one on top."""
        adapters = [None] * len(sums) if adapters is None else adapters
        reader = self._reader()
        chains = [
            (*self.start.base_adapters, *([adapter] if adapter else [])) for adapter in adapters
        ]
        totals = torch.zeros(len(sums), device=reader.device)
        with stacked(self.language_model.model, stack_chains(chains, reader.device)) as route:
            for batch in reader.batches(_by_cell(sums), self.token_budget):
                losses, rows = reader.weighted_losses(batch, route)
                cells = torch.tensor([row.cell for row in batch.examples], device=reader.device)
                totals.index_add_(0, cells[rows], losses)
                self.progress.advance("score", sum(len(row.ids) for row in batch.examples))
        return totals.tolist()

    def _reader(self) -> Reader:
        """Reads from the lowest layer that any adapter here has, so that all losses compare."""
        model = self.language_model.model
        names = {name for adapter in self.start.base_adapters for name in adapter.weights}
        names |= set(adapted_modules(model, self.start.dose.layers))
        return self.language_model.reader(lowest_layer(model, names))


def product(one: Gradient, other: Gradient) -> float:
    """The inner product over all modules."""
    return sum(float((one[name].double() * other[name].double()).sum()) for name in one)


def _by_cell(sums: Sequence[LossSum]) -> list[Example]:
    """The examples of all sums, each routed to the cell that has its sum's index."""
    return [
        Example(cell, row.ids, row.targets, row.weight, tag)
        for cell, examples in enumerate(sums)
        for tag, row in enumerate(examples)
    ]


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
