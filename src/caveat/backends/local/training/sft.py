"""Lockstep training: many cells, one frozen base model, one pass a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from caveat.backends.batches import (
    Example,
    RenderedRows,
    TrainingCell,
    kept_examples,
    loss_share,
    prepare,
    rate_at,
    step_examples,
)
from caveat.backends.callbacks import OnStep, StepEvent, ignore
from caveat.backends.jobs import Failed, Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Batch, targets_of
from caveat.backends.local.training.lockstep import LockstepGroup, in_lockstep
from caveat.progress import Progress


def train(
    language_model: LanguageModel,
    jobs: Sequence[TrainingJob[Adapter]],
    progress: Progress,
    token_budget: int | None = None,
    on_step: OnStep = ignore,
) -> list[Trained[Adapter] | Failed]:
    """Train one lockstep group; results in the order of the jobs.

    A job with a bad row, or whose loss stops being finite, fails alone. Where memory runs out, the
    step is done again in smaller parts.

    Args:
        token_budget: Padded tokens of one forward and backward pass; steps are cut to it. None:
            as many as the memory holds, counted from the layers' shapes.
    """
    rendered: RenderedRows = {}
    return in_lockstep(
        jobs,
        lambda job: prepare(language_model.tokenizer, job, rendered),
        lambda cells: _Group(language_model, cells, progress, token_budget, on_step).run(),
    )


def checkpoints(
    language_model: LanguageModel,
    jobs: Sequence[TrainingJob[Adapter]],
    steps: Sequence[int],
    progress: Progress,
    token_budget: int | None = None,
) -> list[dict[int, Adapter] | Failed]:
    """By job and step, the adapters as `train` has them after so many of its steps.

    Training ends with the last of the steps, or of the job's own. A job that has fewer steps lacks
    those beyond.
    """
    kept: dict[str, dict[int, Adapter]] = {job.key: {} for job in jobs}

    def run(cells: list[TrainingCell]) -> list[Trained[Adapter] | Failed]:
        group = _Group(language_model, cells, progress, token_budget)
        group.keep = lambda k, step: (
            kept[group.keys[k]].update({step: group.adapter(k)}) if step in steps else None
        )
        return group.run(max(steps))

    rendered: RenderedRows = {}
    results = in_lockstep(jobs, lambda job: prepare(language_model.tokenizer, job, rendered), run)
    return [
        result if isinstance(result, Failed) else kept[job.key]
        for job, result in zip(jobs, results, strict=True)
    ]


class _Group(LockstepGroup):
    """Cells under way in lockstep."""

    def __init__(
        self,
        language_model: LanguageModel,
        cells: list[TrainingCell],
        progress: Progress,
        token_budget: int | None,
        on_step: OnStep = ignore,
    ) -> None:
        super().__init__(language_model, [cell.job for cell in cells], progress, token_budget)
        self.cells = cells
        self.on_step = on_step
        self.keep: Callable[[int, int], None] = lambda k, step: None
        """Called with each cell under way and the number of steps that it has taken, from 0."""

    def run(self, most: int | None = None) -> list[Trained[Adapter] | Failed]:
        """Take every step of every cell, or so many at most."""
        longest = max(len(cell.schedule) for cell in self.cells)
        for k in range(len(self.cells)):
            self.keep(k, 0)
        with stacked(self.language_model.model, self.base_adapters, self.stacks) as route:
            for step in range(longest if most is None else min(most, longest)):
                self._step(step, route)
        return [self._result(k) for k in range(len(self.cells))]

    def _step(self, step: int, route: Route) -> None:
        examples, primary = step_examples(self.cells, step)
        if not examples:
            return
        kept = kept_examples(self.cells, step)
        losses = self._backward(examples, kept, primary, route)
        norms = self.optimiser.norms().tolist()
        under_way = [k for k, cell in enumerate(self.cells) if cell.step_rows(step)[0]]
        for k in under_way:
            cell = self.cells[k]
            cell.losses.append(losses[k])
            when = f"step {step + 1} of {len(cell.schedule)}"
            cell.reason = self.wild(k, when, losses[k], norms[k])
        active = [k in under_way and not cell.reason for k, cell in enumerate(self.cells)]
        rates = [rate_at(c.job.stage.dose, step, len(c.schedule)) for c in self.cells]
        self.step(rates, active)
        tokens: Counter[int] = Counter()
        for example in (*examples, *kept):
            tokens[example.cell] += len(example.ids)
        self.progress.advance("train", tokens.total())
        for k in under_way:
            key, steps = self.keys[k], len(self.cells[k].schedule)
            self.on_step(StepEvent(key, step + 1, steps, losses[k], norms[k], rates[k], tokens[k]))
            self.keep(k, step + 1)

    def _backward(
        self, examples: list[Example], kept: list[Example], primary: int, route: Route
    ) -> list[float]:
        """Gradients of a step, in as many parts as memory wants; each cell's primary loss."""

        def work(budget: int) -> list[float]:
            self.optimiser.zero_grad()
            losses = torch.zeros(len(self.cells), device=self.device)
            for batch in self.reader.batches(examples, budget):
                losses += self._batch(batch, primary, route)
            for batch in self.reader.batches(kept, budget):
                self._kept_batch(batch, route)
            return losses.tolist()

        return self.fitting(work, examples, kept)

    def _kept_batch(self, batch: Batch, route: Route) -> None:
        """Gradients of the KL divergence of the model as it is from what it was before."""
        targets = targets_of(batch.examples, self.reader.device)
        with torch.no_grad(), route.as_before():
            before = self.reader.logits(batch, route).float()
        now = self.reader.logits(batch, route).float()
        divergence = torch.nn.functional.kl_div(
            now.log_softmax(-1), before.log_softmax(-1), reduction="none", log_target=True
        ).sum(-1)
        (divergence * targets.weights).sum().backward()

    def _batch(self, batch: Batch, primary: int, route: Route) -> Tensor:
        device, part = self.reader.device, batch.examples
        losses, rows = self.reader.weighted_losses(batch, route)
        cells = torch.tensor([example.cell for example in part], device=device)[rows]
        counted = torch.tensor([example.tag < primary for example in part], device=device)
        losses.sum().backward()
        sums = torch.zeros(len(self.cells), device=device)
        return sums.index_add(0, cells, losses.detach() * counted[rows])

    def _result(self, k: int) -> Trained[Adapter] | Failed:
        cell = self.cells[k]
        if failed := self.failed(k, cell.reason, "step"):
            return failed
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
