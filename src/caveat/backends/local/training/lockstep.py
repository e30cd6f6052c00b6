"""Adapters that are trained together: the loop that supervised and RL training share.

It starts the adapters (A random, B zero), takes optimizer steps, splits the group where memory
runs out, and drops jobs whose loss is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from caveat.backends.batches import Example
from caveat.backends.jobs import Failed, Trained, TrainedPolicy, TrainingJob
from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.backends.local.lora.optimizer import StackedOptimizer
from caveat.backends.local.lora.stacked import Stack, adapted_modules, stack_chains
from caveat.backends.local.models.device_memory import (
    affordable_tokens,
    is_out_of_memory,
    token_bytes,
)
from caveat.backends.local.models.frozen_layer_cache import lowest_layer
from caveat.backends.local.models.loading import LanguageModel
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.types.training import Dose, Train


def start_stacks(
    language_model: LanguageModel, doses: Sequence[Dose], seeds: Sequence[int]
) -> dict[str, Stack]:
    """Trainable stacks at their start, one cell a dose and seed, by module.

    A is uniform as in PEFT (Kaiming, a = sqrt 5), B zero. What sampling keeps of the weights is
    freed: a training plans with the memory.
    """
    language_model.prepacked_weights.drop()
    modules = [set(adapted_modules(language_model.model, dose.layers)) for dose in doses]
    rank, device = max(dose.rank for dose in doses), language_model.device
    scale = torch.tensor([dose.alpha / dose.rank for dose in doses], device=device)
    stacks = {}
    for name in sorted(set().union(*modules)):
        base = language_model.model.get_submodule(name)
        down = torch.zeros(len(doses), rank, base.in_features)
        for k, (dose, seed) in enumerate(zip(doses, seeds, strict=True)):
            if name in modules[k]:
                down[k, : dose.rank] = _start(seed, name, dose.rank, base.in_features)
        up = torch.zeros(len(doses), base.out_features, rank)
        stacks[name] = Stack(
            down.to(device).requires_grad_(), up.to(device).requires_grad_(), scale
        )
    return stacks


def _start(seed: int, name: str, rank: int, width: int) -> Tensor:
    """A's start, which depends on the seed, the module's name and the rank alone."""
    generator = np.random.default_rng([seed, *name.encode()])
    bound = 1 / math.sqrt(width)
    return torch.from_numpy(generator.uniform(-bound, bound, (rank, width)).astype(np.float32))


def _momentum(stage: Train) -> float | None:
    """The momentum of SGD; None for AdamW."""
    if stage.rl is None:
        return 0.0 if stage.dose.optim == "sgd" else None
    return stage.rl.momentum if stage.rl.optim == "sgd" else None


Made = TypeVar("Made")
Job = TypeVar("Job", bound=TrainingJob[Any])
Cell = TypeVar("Cell")
Done = TypeVar("Done", Trained[Any], TrainedPolicy[Any])


def in_lockstep(
    jobs: Sequence[Job],
    prepare: Callable[[Job], Cell],
    run: Callable[[list[Cell]], list[Done | Failed]],
) -> list[Done | Failed]:
    """Run jobs as one group; results in the order of the jobs.

    A job for which `prepare` raises CaveatError fails alone.
    """
    cells: list[Cell] = []
    results: dict[str, Done | Failed] = {}
    for job in jobs:
        try:
            cells.append(prepare(job))
        except CaveatError as error:
            results[job.key] = Failed(job.key, str(error))
    if cells:
        results |= {result.key: result for result in run(cells)}
    return [results[job.key] for job in jobs]


class LockstepGroup:
    """Stacks over one frozen base model, their optimiser, and how much fits into memory."""

    def __init__(
        self,
        language_model: LanguageModel,
        jobs: Sequence[TrainingJob[Adapter]],
        progress: Progress,
        token_budget: int | None,
    ) -> None:
        """One cell a job. Without a token budget, a pass has as many tokens as memory allows."""
        self.language_model = language_model
        self.keys = [job.key for job in jobs]
        self.doses = [job.stage.dose for job in jobs]
        self.progress = progress
        self.stacks = start_stacks(language_model, self.doses, [job.seed for job in jobs])
        self.base_adapters = stack_chains(
            [job.base_adapters for job in jobs], language_model.device
        )
        model = language_model.model
        # before the model is stacked: its layers have other names then
        self._adapted = [set(adapted_modules(model, dose.layers)) for dose in self.doses]
        layer = lowest_layer(model, {*self.base_adapters, *self.stacks})
        self.reader = language_model.reader(layer)
        self.optimiser = StackedOptimizer(
            [tensor for stack in self.stacks.values() for tensor in (stack.down, stack.up)],
            [_momentum(job.stage) for job in jobs],
        )
        self.clip = torch.tensor([dose.clip for dose in self.doses], device=self.device)
        self.token_budget = token_budget or self._affordable(jobs)

    @property
    def device(self) -> torch.device:
        """Where it is trained."""
        return self.language_model.device

    def fitting(self, work: Callable[[int], Made], *examples: list[Example]) -> Made:
        """What `work` makes with at most so many padded tokens at once; fewer where memory ends.

        Args:
            examples: Lists of them, each of which `work` cuts to the tokens. Below the longest
                nothing can be cut.
        """
        longest = max(len(example.ids) for some in examples for example in some)
        while True:
            try:
                return work(self.token_budget)
            except Exception as error:
                if not is_out_of_memory(error) or self.token_budget <= longest:
                    raise
                self.token_budget = max(longest, self.token_budget // 2)
            self.language_model.shrink()
            self.progress.say(f"out of memory: going on with {self.token_budget} tokens at once")

    def _affordable(self, jobs: Sequence[TrainingJob[Adapter]]) -> int:
        """Padded tokens of a pass that the free memory allows, by count."""
        model = self.language_model.model
        # a KL divergence is between whole distributions
        whole_logits = not self.language_model.frozen_layer_cache.applies_head or any(
            job.stage.kl_rows for job in jobs
        )
        weights = sum(parameter.numel() for parameter in self.optimiser.parameters)
        a_token = token_bytes(model, self.reader.layer, whole_logits)
        return affordable_tokens(a_token, weights, self.device, model.dtype.itemsize)

    def step(self, rates: Sequence[float], active: Sequence[bool]) -> None:
        """Take a step with the gradients that are there; cells that are not active stay."""
        self.optimiser.step(
            torch.tensor(rates, device=self.device),
            self.clip,
            torch.tensor(active, device=self.device),
        )

    def wild(self, k: int, when: str, loss: float, norm: float) -> str:
        """Why a cell cannot take a step with this loss and norm of its gradient; "" where it can.

        Args:
            when: Such as `step 2 of 8`.
        """
        if math.isfinite(loss) and math.isfinite(norm):
            return ""
        return self._not_finite(k, f"loss or gradient not finite at {when} (loss {loss})")

    def failed(self, k: int, reason: str, last: str) -> Failed | None:
        """A cell that has a reason to have failed, or whose weights are not finite; else None.

        Args:
            last: What it did last, such as `step`.
        """
        if not (reason or self._is_finite(k)):
            reason = self._not_finite(k, f"weights not finite after the last {last}")
        return Failed(self.keys[k], reason) if reason else None

    def _is_finite(self, k: int) -> bool:
        return all(bool(tensor[k].isfinite().all()) for tensor in self.optimiser.parameters)

    def _not_finite(self, k: int, fault: str) -> str:
        return f"{fault}; lower dose.learning_rate (now {self.doses[k].learning_rate:g})"

    def adapter(self, k: int) -> Adapter:
        """A cell's adapter as it stands, on the CPU."""
        dose, mine = self.doses[k], self._adapted[k]
        weights = {
            name: (
                stack.down.detach()[k, : dose.rank].cpu().clone(),
                stack.up.detach()[k, :, : dose.rank].cpu().clone(),
            )
            for name, stack in self.stacks.items()
            if name in mine
        }
        return Adapter(dose.rank, dose.alpha, weights)

    def training_state(self, k: int) -> TrainingState:
        """Where a cell stands, on the CPU."""
        adapter = self.adapter(k)
        moments = {
            name: tuple(moment.cpu().clone() for moment in self._moments(k, name))
            for name in adapter.weights
        }
        return TrainingState(adapter, moments, int(self.optimiser.steps[k]))

    @torch.no_grad()
    def put(self, k: int, training_state: TrainingState) -> None:
        """Let a cell go on where a training of the same dose stood."""
        rank = self.doses[k].rank
        for name, (down, up) in training_state.adapter.weights.items():
            self.stacks[name].down[k, :rank] = down.to(self.device)
            self.stacks[name].up[k, :, :rank] = up.to(self.device)
            for mine, given in zip(
                self._moments(k, name), training_state.moments[name], strict=True
            ):
                mine.copy_(given)
        self.optimiser.steps[k] = training_state.steps

    def _moments(self, k: int, name: str) -> tuple[Tensor, ...]:
        """Views of the optimiser's state: first moments of A and B, then second ones."""
        rank, place = self.doses[k].rank, 2 * list(self.stacks).index(name)
        return tuple(
            view
            for state in (self.optimiser.first, self.optimiser.second)
            for view in (state[place][k, :rank], state[place + 1][k, :, :rank])
        )
