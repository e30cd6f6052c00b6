"""Lockstep training: many cells, one frozen base model, one pass a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caveat.errors import CaveatError
from caveat.language.adapter import Adapter
from caveat.language.batch import Example, cut_by_length, wanted_of
from caveat.language.halves import lowest_layer
from caveat.language.jobs import Failed, Trained, TrainingJob
from caveat.language.lockstep import Route, adapted_modules, stack_chains, stacked
from caveat.language.losses import weighted_losses
from caveat.language.memory import TOKEN_BUDGET, is_out_of_memory, release
from caveat.language.optimiser import StackedAdamW
from caveat.language.schedule import rate_at
from caveat.language.source import LanguageModel
from caveat.language.start import start_stacks
from caveat.language.training_cell import (
    TrainingCell,
    kept_examples,
    loss_share,
    prepare,
    step_examples,
)
from caveat.progress import Progress


def train(
    language_model: LanguageModel,
    jobs: Sequence[TrainingJob],
    progress: Progress,
    token_budget: int = TOKEN_BUDGET,
) -> list[Trained | Failed]:
    """Train one lockstep group; results in the order of the jobs.

    A job with a bad row, or whose loss stops being finite, fails alone. Where memory runs out, the
    step is done again in smaller parts.

    Args:
        token_budget: Padded tokens of one forward and backward pass; steps are cut to it.
    """
    cells: list[TrainingCell] = []
    results: dict[str, Trained | Failed] = {}
    for job in jobs:
        try:
            cells.append(prepare(language_model, job))
        except CaveatError as error:
            results[job.key] = Failed(job.key, str(error))
    if cells:
        done = _Group(language_model, cells, progress, token_budget).run()
        results |= {result.key: result for result in done}
    return [results[job.key] for job in jobs]


class _Group:
    """The state of one lockstep group: stacks, optimiser, and how much fits into memory."""

    def __init__(
        self,
        language_model: LanguageModel,
        cells: list[TrainingCell],
        progress: Progress,
        token_budget: int,
    ) -> None:
        self.language_model = language_model
        self.cells = cells
        self.progress = progress
        self.token_budget = token_budget
        self.stacks = start_stacks(
            language_model,
            [cell.job.stage.dose for cell in cells],
            [cell.job.seed for cell in cells],
        )
        self.beneath = stack_chains([cell.job.beneath for cell in cells], language_model.device)
        layer = lowest_layer(language_model.model, {*self.beneath, *self.stacks})
        self.reader = language_model.trunk.reader(layer)
        self.optimiser = StackedAdamW(
            [tensor for stack in self.stacks.values() for tensor in (stack.down, stack.up)]
        )
        clips = [cell.job.stage.dose.clip for cell in cells]
        self.clip = torch.tensor(clips, device=language_model.device)

    def run(self) -> list[Trained | Failed]:
        """Take every step of every cell."""
        with stacked(self.language_model.model, self.beneath, self.stacks) as route:
            for step in range(max(len(cell.schedule) for cell in self.cells)):
                self._step(step, route)
        return [self._result(k) for k in range(len(self.cells))]

    def _step(self, step: int, route: Route) -> None:
        examples, primary = step_examples(self.cells, step)
        if not examples:
            return
        kept = kept_examples(self.cells, step)
        losses = self._backward(examples, kept, primary, route)
        norms = self.optimiser.norms().tolist()
        active = [bool(cell.step_rows(step)[0]) for cell in self.cells]
        for k, cell in enumerate(self.cells):
            if not active[k]:
                continue
            cell.losses.append(losses[k])
            if not (math.isfinite(losses[k]) and math.isfinite(norms[k])):
                active[k] = False
                cell.reason = (
                    f"loss or gradient not finite at step {step + 1} of {len(cell.schedule)} "
                    f"(loss {losses[k]}); lower dose.learning_rate "
                    f"(now {cell.job.stage.dose.learning_rate:g})"
                )
        rates = [rate_at(c.job.stage.dose, step, len(c.schedule)) for c in self.cells]
        device = self.language_model.device
        self.optimiser.step(
            torch.tensor(rates, device=device), self.clip, torch.tensor(active, device=device)
        )
        read = (*examples, *kept)
        self.progress.advance("train", sum(len(example.ids) for example in read))

    def _backward(
        self, examples: list[Example], kept: list[Example], primary: int, route: Route
    ) -> list[float]:
        """Gradients of a step, in as many parts as memory wants; each cell's primary loss."""
        while True:
            self.optimiser.zero_grad()
            try:
                losses = torch.zeros(len(self.cells), device=self.language_model.device)
                for part in cut_by_length(examples, self.token_budget):
                    losses += self._part(part, primary, route)
                for part in cut_by_length(kept, self.token_budget):
                    self._kept_part(part, route)
                return losses.tolist()
            except Exception as error:
                longest = max(len(example.ids) for example in (*examples, *kept))
                if not is_out_of_memory(error) or self.token_budget <= longest:
                    raise
                self.token_budget = max(longest, self.token_budget // 2)
            self.language_model.trunk.give_way()
            release()
            self.progress.say(f"out of memory: going on with {self.token_budget} tokens at once")

    def _kept_part(self, part: list[Example], route: Route) -> None:
        """Gradients of the KL divergence of the model as it is from what it was before."""
        wanted = wanted_of(part, self.reader.device)
        route.set([example.cell for example in part])
        with torch.no_grad(), route.as_before():
            before = self.reader.logits_at(part, wanted.rows, wanted.positions - 1).float()
        now = self.reader.logits_at(part, wanted.rows, wanted.positions - 1).float()
        divergence = torch.nn.functional.kl_div(
            now.log_softmax(-1), before.log_softmax(-1), reduction="none", log_target=True
        ).sum(-1)
        (divergence * wanted.weights).sum().backward()

    def _part(self, part: list[Example], primary: int, route: Route) -> Tensor:
        device = self.reader.device
        losses, rows = weighted_losses(self.reader, part, route)
        cells = torch.tensor([example.cell for example in part], device=device)[rows]
        counted = torch.tensor([example.tag < primary for example in part], device=device)
        losses.sum().backward()
        sums = torch.zeros(len(self.cells), device=device)
        return sums.index_add(0, cells, losses.detach() * counted[rows])

    def _result(self, k: int) -> Trained | Failed:
        cell, dose = self.cells[k], self.cells[k].job.stage.dose
        if cell.reason:
            return Failed(cell.job.key, cell.reason)
        tensors = [t[k] for stack in self.stacks.values() for t in (stack.down, stack.up)]
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            return Failed(
                cell.job.key,
                "weights not finite after the last step; lower dose.learning_rate "
                f"(now {dose.learning_rate:g})",
            )
        mine = set(adapted_modules(self.language_model.model, dose.layers))
        weights = {
            name: (
                stack.down.detach()[k, : dose.rank].cpu().clone(),
                stack.up.detach()[k, :, : dose.rank].cpu().clone(),
            )
            for name, stack in self.stacks.items()
            if name in mine
        }
        tokens = sum(
            len(row.ids)
            for step in range(len(cell.schedule))
            for some in cell.step_rows(step)
            for row in some
        )
        return Trained(
            cell.job.key,
            Adapter(dose.rank, dose.alpha, weights),
            tuple(cell.losses),
            tokens,
            loss_share([*cell.rows, *cell.added]),
        )
