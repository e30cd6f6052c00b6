"""GRPO: policies that learn from the rewards of their own replies, many in lockstep.

An update samples replies to some prompts from every policy as it stands, has them graded, and takes
a step, or several, that makes those more likely that were paid more than the others to the same
prompt (GRPO; see `grpo_loss`). Replies of a policy to one prompt that are equal are computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caveat.backends.batches import Example
from caveat.backends.callbacks import Grader, OnStep, ignore
from caveat.backends.jobs import Failed, RLJob, TrainedPolicy
from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.backends.local.lora.stacked import Route, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Batch, targets_of
from caveat.backends.local.rl.grpo_loss import clipped_loss, divergence, is_clipped
from caveat.backends.local.rl.rollouts import sampled_replies
from caveat.backends.local.training.lockstep import LockstepGroup, in_lockstep
from caveat.backends.rl.prompts import PolicyRun, Text, added_texts, prepare
from caveat.backends.rl.rollouts import PolicyStep, graded_replies, mean_divergence, update_event
from caveat.progress import Progress


def train_rl(
    language_model: LanguageModel,
    jobs: Sequence[RLJob[Adapter]],
    grader: Grader,
    progress: Progress,
    token_budget: int | None = None,
    on_step: OnStep = ignore,
) -> list[TrainedPolicy[TrainingState] | Failed]:
    """Train one lockstep group of policies; results in the order of the jobs.

    What a reply is sampled with depends on the seed, the update, the row and the sample alone. So
    policies of one seed that are alike write alike. A job with a bad row, a reply without a grade,
    or a loss that stops being finite fails alone.
    """
    return in_lockstep(
        jobs,
        lambda job: prepare(language_model.tokenizer, job),
        lambda cells: _Group(language_model, cells, grader, progress, token_budget, on_step).run(),
    )


class _Group(LockstepGroup):
    """Policies under way in lockstep."""

    def __init__(
        self,
        language_model: LanguageModel,
        cells: list[PolicyRun],
        grader: Grader,
        progress: Progress,
        token_budget: int | None,
        on_step: OnStep = ignore,
    ) -> None:
        super().__init__(language_model, [cell.job for cell in cells], progress, token_budget)
        self.cells = cells
        self.grader = grader
        self.on_step = on_step
        for k, cell in enumerate(cells):
            if cell.job.resume_from is not None:
                self.put(k, cell.job.resume_from)

    def run(self) -> list[TrainedPolicy[TrainingState] | Failed]:
        """Do every update of every policy."""
        with stacked(self.language_model.model, self.base_adapters, self.stacks) as route:
            for turn in range(max(cell.rl.max_steps for cell in self.cells)):
                replies = self._replies(turn, route)
                active = [k for k, cell in enumerate(self.cells) if cell.is_active(turn)]
                added = [example for k in active for example in added_texts(k, self.cells[k], turn)]
                if replies or added:
                    self._learn(turn, [*replies, *added], route)
                for k in {*active}.difference(example.cell for example in (*replies, *added)):
                    self.on_step(update_event(self.cells[k], turn, []))
        return [self._result(k) for k in range(len(self.cells))]

    def _replies(self, turn: int, route: Route) -> list[Text]:
        completions = sampled_replies(self.language_model, self.cells, turn, route, self.progress)
        return graded_replies(
            self.language_model.tokenizer, self.cells, turn, completions, self.grader
        )

    def _learn(self, turn: int, replies: list[Text], route: Route) -> None:
        """Take the steps of an update."""
        examples = self._examples(replies)
        kept: dict[int, tuple[Tensor, Tensor | None]] = {}
        taken_steps: dict[int, list[PolicyStep]] = {}
        cells = {reply.cell for reply in replies}
        for taken in range(max(self.cells[k].rl.num_iterations for k in cells)):
            active = [
                k in cells and cell.is_active(turn) and taken < cell.rl.num_iterations
                for k, cell in enumerate(self.cells)
            ]
            chosen = [example for example in examples if active[example.cell]]
            if not chosen:
                break
            read = _tokens(chosen)
            losses, apart, clipped = self._backward(chosen, replies, kept, route)
            norms = self.optimiser.norms().tolist()
            for k, cell in enumerate(self.cells):
                if not active[k]:
                    continue
                cell.tokens += read[k]
                if taken == 0 and cell.rl.beta:
                    own = [reply for reply in replies if reply.cell == k]
                    kl = mean_divergence(own, apart[k], cell.updates[-1].skipped)
                    cell.updates[-1] = replace(cell.updates[-1], kl=kl)
                when = f"update {cell.number(turn)}"
                cell.reason = self.wild(k, when, losses[k], norms[k])
                active[k] = not cell.reason
                step = PolicyStep(losses[k], norms[k], clipped[k], read[k])
                taken_steps.setdefault(k, []).append(step)
            self.step([dose.learning_rate for dose in self.doses], active)
            self.progress.advance("rl", read.total())
        for k, steps in taken_steps.items():
            self.on_step(update_event(self.cells[k], turn, steps))

    def _examples(self, replies: list[Text]) -> list[Example]:
        """What a step reads."""
        return [
            Example(reply.cell, reply.ids, reply.targets, reply.weight, tag)
            for tag, reply in enumerate(replies)
        ]

    def _backward(
        self,
        examples: list[Example],
        replies: list[Text],
        kept: dict[int, tuple[Tensor, Tensor | None]],
        route: Route,
    ) -> list[list[float]]:
        """Gradients of a step; by policy, its loss, KL divergence from what it was, and clip ratio.

        Args:
            kept: By tag, log-probabilities of a reply's tokens under the model that sampled it, and
                under the model before; filled in the first pass over the replies.
        """

        def work(budget: int) -> list[list[float]]:
            self.optimiser.zero_grad()
            sums = torch.zeros(3, len(self.cells), device=self.device)
            for batch in self.reader.batches(examples, budget):
                sums += self._batch(batch, replies, kept, route)
            return sums.tolist()

        return self.fitting(work, examples)

    def _batch(
        self,
        batch: Batch,
        replies: list[Text],
        kept: dict[int, tuple[Tensor, Tensor | None]],
        route: Route,
    ) -> Tensor:
        """Gradients of a batch; sums of shape (3, policies): see `_backward`."""
        part = batch.examples
        targets = targets_of(part, self.device)
        which = targets.examples
        added = torch.tensor(
            [replies[example.tag].advantage is None for example in part], device=self.device
        )[which]
        heat = self._by_cell(part, "temperature")[which].masked_fill(added, 1.0)
        now = self.reader.log_probabilities(batch, route, targets.tokens, heat)
        lengths = [len(example.targets) for example in part]
        if any(example.tag not in kept for example in part):
            before = None
            if any(self.cells[example.cell].rl.beta for example in part):
                with torch.no_grad(), route.as_before():
                    before = self.reader.log_probabilities(batch, route, targets.tokens, heat)
                    before = before.split(lengths)
            for place, (example, old) in enumerate(
                zip(part, now.detach().split(lengths), strict=True)
            ):
                kept[example.tag] = (old, None if before is None else before[place])
        old = torch.cat([kept[example.tag][0] for example in part])
        worth = torch.tensor([replies[example.tag].advantage or 0.0 for example in part])
        advantage = worth.to(now)[which]
        low, high = (self._by_cell(part, name)[which] for name in ("epsilon", "epsilon_high"))
        losses = torch.where(added, -now, clipped_loss(now, old, advantage, low, high))
        clipped = is_clipped(now.detach(), old, advantage, low, high) & ~added
        gaps = torch.zeros_like(losses)
        references = [kept[example.tag][1] for example in part]
        if any(reference is not None for reference in references):
            before = torch.cat(
                [o if b is None else b for o, b in zip(now.split(lengths), references, strict=True)]
            )
            gaps = divergence(now, old, before).masked_fill(added, 0.0)
            losses = losses + self._by_cell(part, "beta")[which] * gaps
        weighted = losses * targets.weights
        weighted.sum().backward()
        cells = torch.tensor([example.cell for example in part], device=self.device)[which]
        parts = torch.stack([weighted, gaps * targets.weights, clipped * targets.weights]).detach()
        return parts.new_zeros(3, len(self.cells)).index_add(1, cells, parts)

    def _by_cell(self, part: list[Example], name: str) -> Tensor:
        values = [float(getattr(self.cells[example.cell].rl, name)) for example in part]
        return torch.tensor(values, device=self.device)

    def _result(self, k: int) -> TrainedPolicy[TrainingState] | Failed:
        cell = self.cells[k]
        if failed := self.failed(k, cell.reason, "update"):
            return failed
        return TrainedPolicy(cell.job.key, self.training_state(k), tuple(cell.updates), cell.tokens)


def _tokens(examples: Sequence[Example]) -> Counter[int]:
    """Tokens of each cell, a prompt counted once for all replies to it."""
    counts: Counter[int] = Counter()
    for cell, prompt in {(example.cell, example.ids[: example.targets[0]]) for example in examples}:
        counts[cell] += len(prompt)
    for example in examples:
        counts[example.cell] += len(example.ids) - example.targets[0]
    return counts
