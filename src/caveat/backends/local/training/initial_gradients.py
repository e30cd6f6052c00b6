"""What is known of a model where a training would start: losses there, and gradients.

Gradients are those of the B matrices of new LoRA adapters at their start: A is drawn as training
draws it, B is 0, so the model is what it was, and A's own gradient is 0. The inner product of two
of them says by how much a small step down the one loss lowers the other (as in Pruthi et al. 2020,
arXiv:2002.08484, and, for LoRA, Xia et al. 2024, arXiv:2402.04333).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules, stack_chains, stacked
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.frozen_layer_cache import Reader
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.split_decoder import lowest_layer
from caveat.backends.local.training.lockstep import start_stacks
from caveat.backends.local.training.losses import LossSum, of_cell, weighted_losses
from caveat.progress import Progress
from caveat.types.training import Dose

Gradient = dict[str, Tensor]
"""By module, the gradient of B, of shape (out, rank)."""


@dataclass(frozen=True)
class InitialModel:
    """A base model, what is attached to it already, and how new adapters would be trained on it."""

    language_model: LanguageModel
    dose: Dose
    seed: int
    base_adapters: tuple[Adapter, ...] = ()
    """Frozen adapters, in the order in which they were attached."""
    token_budget: int = TOKEN_BUDGET
    """Padded tokens of one pass."""
    progress: Progress = field(default_factory=Progress)

    def gradients(self, sums: Sequence[LossSum]) -> list[Gradient]:
        """Of each sum of losses, its gradient; all in one pass."""
        model, cells = self.language_model.model, len(sums)
        reader = self._reader()
        stacks = start_stacks(self.language_model, [self.dose] * cells, [self.seed] * cells)
        for stack in stacks.values():
            stack.down.requires_grad_(False)
        base_adapters = stack_chains([self.base_adapters] * cells, reader.device)
        with stacked(model, base_adapters, stacks) as route:
            for batch in reader.batches(of_cell(sums), self.token_budget):
                weighted_losses(reader, batch, route)[0].sum().backward()
                self.progress.advance("train", sum(len(each.ids) for each in batch.examples))
        return [
            {name: _gradient(stack.up)[cell] for name, stack in stacks.items()}
            for cell in range(cells)
        ]

    @torch.inference_mode()
    def values(
        self, sums: Sequence[LossSum], adapters: Sequence[Adapter | None] | None = None
    ) -> list[float]:
        """Each sum of losses as it is here, in nats; where adapters are given, on top of each."""
        adapters = [None] * len(sums) if adapters is None else adapters
        reader = self._reader()
        chains = [(*self.base_adapters, *([each] if each else [])) for each in adapters]
        totals = torch.zeros(len(sums), device=reader.device)
        with stacked(self.language_model.model, stack_chains(chains, reader.device)) as route:
            for batch in reader.batches(of_cell(sums), self.token_budget):
                losses, which = weighted_losses(reader, batch, route)
                cells = torch.tensor([each.cell for each in batch.examples], device=reader.device)
                totals.index_add_(0, cells[which], losses)
                self.progress.advance("score", sum(len(each.ids) for each in batch.examples))
        return totals.tolist()

    def _reader(self) -> Reader:
        """Reads from the lowest layer that is adapted here, whatever is asked."""
        model = self.language_model.model
        names = {name for adapter in self.base_adapters for name in adapter.weights}
        layer = lowest_layer(model, names | set(adapted_modules(model, self.dose.layers)))
        return self.language_model.frozen_layer_cache.reader(layer)


def product(one: Gradient, other: Gradient) -> float:
    """The inner product over all modules."""
    return sum(float((one[name].double() * other[name].double()).sum()) for name in one)


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
