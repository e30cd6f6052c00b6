"""Lockstep training: many cells, one frozen base model, one pass a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caveat.errors import CaveatError
from caveat.language.batch import Example, wanted_of
from caveat.language.branches import cut_by_length
from caveat.language.group import LockstepGroup
from caveat.language.jobs import Failed, Trained, TrainingJob
from caveat.language.lockstep import Route, stacked
from caveat.language.losses import weighted_losses
from caveat.language.memory import TOKEN_BUDGET
from caveat.language.schedule import rate_at
from caveat.language.source import LanguageModel
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


class _Group(LockstepGroup):
    """Cells under way in lockstep."""

    def __init__(
        self,
        language_model: LanguageModel,
        cells: list[TrainingCell],
        progress: Progress,
        token_budget: int,
    ) -> None:
        jobs = [cell.job for cell in cells]
        super().__init__(
            language_model,
            [job.stage.dose for job in jobs],
            [job.seed for job in jobs],
            [job.beneath for job in jobs],
            progress,
            token_budget,
        )
        self.cells = cells

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
        self.step(rates, active)
        read = (*examples, *kept)
        self.progress.advance("train", sum(len(example.ids) for example in read))

    def _backward(
        self, examples: list[Example], kept: list[Example], primary: int, route: Route
    ) -> list[float]:
        """Gradients of a step, in as many parts as memory wants; each cell's primary loss."""

        def work(budget: int) -> list[float]:
            self.optimiser.zero_grad()
            losses = torch.zeros(len(self.cells), device=self.device)
            for part in cut_by_length(examples, budget):
                losses += self._part(part, primary, route)
            for part in cut_by_length(kept, budget):
                self._kept_part(part, route)
            return losses.tolist()

        return self.fitting(work, max(len(each.ids) for each in (*examples, *kept)))

    def _kept_part(self, part: list[Example], route: Route) -> None:
        """Gradients of the KL divergence of the model as it is from what it was before."""
        wanted = wanted_of(part, self.reader.device)
        with torch.no_grad(), route.as_before():
            before = self.reader.logits(part, wanted, route).float()
        now = self.reader.logits(part, wanted, route).float()
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
        if not self.is_finite(k):
            return Failed(
                cell.job.key,
                "weights not finite after the last step; lower dose.learning_rate "
                f"(now {dose.learning_rate:g})",
            )
        tokens = sum(
            len(row.ids)
            for step in range(len(cell.schedule))
            for some in cell.step_rows(step)
            for row in some
        )
        return Trained(
            cell.job.key,
            self.adapter(k),
            tuple(cell.losses),
            tokens,
            loss_share([*cell.rows, *cell.added]),
        )
