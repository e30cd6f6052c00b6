"""A lockstep group: adapters that are trained together, each with its own rate and its own end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from caveat.domain.plan import Dose
from caveat.language.adapter import Adapter
from caveat.language.halves import lowest_layer
from caveat.language.lockstep import adapted_modules, stack_chains
from caveat.language.memory import is_out_of_memory, release
from caveat.language.optimiser import StackedAdamW
from caveat.language.source import LanguageModel
from caveat.language.standing import Standing
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

    def standing(self, k: int) -> Standing:
        """Where a cell stands, on the CPU."""
        adapter = self.adapter(k)
        moments = {
            name: tuple(each.cpu().clone() for each in self._moments(k, name))
            for name in adapter.weights
        }
        return Standing(adapter, moments, int(self.optimiser.steps[k]))

    @torch.no_grad()
    def put(self, k: int, standing: Standing) -> None:
        """Let a cell go on where a training of the same dose stood."""
        rank = self.doses[k].rank
        for name, (down, up) in standing.adapter.weights.items():
            self.stacks[name].down[k, :rank] = down.to(self.device)
            self.stacks[name].up[k, :, :rank] = up.to(self.device)
            for mine, given in zip(self._moments(k, name), standing.moments[name], strict=True):
                mine.copy_(given)
        self.optimiser.steps[k] = standing.steps

    def _moments(self, k: int, name: str) -> tuple[Tensor, ...]:
        """Views of the optimiser's state: first moments of A and B, then second ones."""
        rank, place = self.doses[k].rank, 2 * list(self.stacks).index(name)
        return tuple(
            view
            for state in (self.optimiser.first, self.optimiser.second)
            for view in (state[place][k, :rank], state[place + 1][k, :, :rank])
        )
