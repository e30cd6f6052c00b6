"""A lockstep group: adapters that are trained together, each with its own rate and its own end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from caveat.domain.plan import Dose
from caveat.language.adapter import Adapter
from caveat.language.halves import lowest_layer
from caveat.language.lockstep import adapted_modules, stack_chains
from caveat.language.memory import is_out_of_memory, release
from caveat.language.optimiser import StackedAdamW
from caveat.language.source import LanguageModel
from caveat.language.start import start_stacks
from caveat.progress import Progress

Made = TypeVar("Made")


class LockstepGroup:
    """Stacks over one frozen base model, their optimiser, and how much fits into memory."""

    def __init__(
        self,
        language_model: LanguageModel,
        doses: Sequence[Dose],
        seeds: Sequence[int],
        beneath: Sequence[Sequence[Adapter]],
        progress: Progress,
        token_budget: int,
    ) -> None:
        """One cell a dose, seed and chain of frozen adapters."""
        self.language_model = language_model
        self.doses = list(doses)
        self.progress = progress
        self.token_budget = token_budget
        self.stacks = start_stacks(language_model, doses, seeds)
        self.beneath = stack_chains(beneath, language_model.device)
        layer = lowest_layer(language_model.model, {*self.beneath, *self.stacks})
        self.reader = language_model.trunk.reader(layer)
        self.optimiser = StackedAdamW(
            [tensor for stack in self.stacks.values() for tensor in (stack.down, stack.up)]
        )
        self.clip = torch.tensor([dose.clip for dose in doses], device=self.device)

    @property
    def device(self) -> torch.device:
        """Where it is trained."""
        return self.language_model.device

    def fitting(self, work: Callable[[int], Made], longest: int) -> Made:
        """What `work` makes with at most so many padded tokens at once; fewer where memory ends.

        Args:
            longest: Tokens of the longest row, below which nothing can be cut.
        """
        while True:
            try:
                return work(self.token_budget)
            except Exception as error:
                if not is_out_of_memory(error) or self.token_budget <= longest:
                    raise
                self.token_budget = max(longest, self.token_budget // 2)
            self.language_model.trunk.give_way()
            release()
            self.progress.say(f"out of memory: going on with {self.token_budget} tokens at once")

    def step(self, rates: Sequence[float], active: Sequence[bool]) -> None:
        """Take a step with the gradients that are there; cells that are not active stay."""
        self.optimiser.step(
            torch.tensor(rates, device=self.device),
            self.clip,
            torch.tensor(active, device=self.device),
        )

    def is_finite(self, k: int) -> bool:
        """Whether all weights of a cell are."""
        return all(bool(tensor[k].isfinite().all()) for tensor in self.optimiser.parameters)

    def adapter(self, k: int) -> Adapter:
        """A cell's adapter as it stands, on the CPU."""
        dose = self.doses[k]
        mine = set(adapted_modules(self.language_model.model, dose.layers))
        weights = {
            name: (
                stack.down.detach()[k, : dose.rank].cpu().clone(),
                stack.up.detach()[k, :, : dose.rank].cpu().clone(),
            )
            for name, stack in self.stacks.items()
            if name in mine
        }
        return Adapter(dose.rank, dose.alpha, weights)
