"""Supervised training over the Tinker API: our rows, masks, steps and rates.

The requests of a step are submitted for all adapters, and those of the next step too, before any
result is waited for, so that the service never waits for us.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from caveat.backends.batches import (
    Example,
    TrainingCell,
    loss_share,
    prepare,
    rate_at,
    step_examples,
)
from caveat.backends.callbacks import OnStep, StepEvent
from caveat.backends.jobs import AdapterRef, Failed, Trained, TrainingJob
from caveat.backends.rl.prompts import PolicyRun
from caveat.backends.tinker.checkpoints import Checkpoint
from caveat.backends.tinker.service import Service
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.types.training import Dose

Result = TypeVar("Result")
Under = TypeVar("Under", bound="UnderWay")
BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""AdamW's, as the backend `local` has them; weight decay is 0 in both."""
NAME_LENGTH = 32
"""Characters of a job's key that name its checkpoint."""
AHEAD = 1
"""Steps that are submitted before the result of an earlier one is waited for."""


def datum(example: Example) -> Any:
    """An example as the API takes it: its token losses weighted, summed over its tokens."""
    return weighted_datum(example, np.full(len(example.targets), example.weight))


def weighted_datum(example: Example, weights: NDArray[np.float64]) -> Any:
    """An example as the API takes it, with a weight for each of its targets."""
    from tinker import types

    by_token = np.zeros(len(example.ids) - 1, np.float32)
    by_token[[target - 1 for target in example.targets]] = weights
    return types.Datum(
        model_input=types.ModelInput.from_ints(list(example.ids[:-1])),
        loss_fn_inputs={
            "target_tokens": np.array(example.ids[1:], np.int64),
            "weights": by_token,
        },
    )


def adam(dose: Dose, rate: float) -> Any:
    """The optimizer's settings for one step."""
    from tinker import types

    return types.AdamParams(
        learning_rate=rate, beta1=BETAS[0], beta2=BETAS[1], eps=EPSILON, weight_decay=0.0,
        grad_clip_norm=dose.clip,
    )  # fmt: skip


def training_client(service: Service, dose: Dose, seed: int) -> Any:
    """A future of a new adapter on all linear layers of the decoder, not of the embeddings."""
    return service.client.create_lora_training_client(
        base_model=service.model, rank=dose.rank, seed=seed, train_unembed=False
    )


def log_probabilities(service: Service, output: Any, examples: Sequence[Example]) -> list[Any]:
    """Of each example, the log-probabilities of its tokens from the second on, in nats.

    Raises Unavailable where the service returned something else.
    """
    try:
        values = [np.asarray(one["logprobs"].data, np.float64) for one in output.loss_fn_outputs]
    except (KeyError, AttributeError) as error:
        raise service.mismatch(f"a pass without log-probabilities: {error}") from None
    lengths = [len(example.ids) - 1 for example in examples]
    if [len(value) for value in values] != lengths:
        raise service.mismatch(
            f"a pass with {[len(value) for value in values]} log-probabilities for {lengths} tokens"
        )
    return values


class UnderWay(Protocol):
    """A training that may have failed."""

    @property
    def cell(self) -> TrainingCell | PolicyRun:
        """Its `reason` says why it failed; "" while it has not."""


def for_all(trainings: Sequence[Under], work: Callable[[Under], Result]) -> list[Result]:
    """Results of some work on all trainings that have not failed; one that cannot be done fails."""
    results = []
    for training in trainings:
        if not training.cell.reason:
            try:
                results.append(work(training))
            except CaveatError as error:
                training.cell.reason = str(error)
    return results


@dataclass
class _Step:
    """A step that was submitted."""

    examples: list[Example]
    primary: int
    """Tags below it are of the rows that set the steps."""
    rate: float
    passed: Any
    """Future of the forward and backward pass."""
    stepped: Any
    """Future of the optimizer's step."""


@dataclass(eq=False)
class _Training:
    """One adapter under way."""

    cell: TrainingCell
    service: Service
    opening: Any
    """Future of the training client."""
    client: Any = None
    steps: list[_Step] = field(default_factory=list)
    tokens: int = 0
    saving: Any = None
    """Future of the checkpoint's handle."""
    checkpoint: Checkpoint | None = None

    @property
    def dose(self) -> Dose:
        return self.cell.job.stage.dose

    @property
    def key(self) -> str:
        return self.cell.job.key

    @property
    def count(self) -> int:
        return len(self.cell.schedule)

    def open(self) -> None:
        """Wait for the training client."""
        self.client = self.service.wait(self.opening)

    def submit(self, step: int) -> None:
        """Send a step's passes and its optimizer step."""
        examples, primary = step_examples([self.cell], step)
        rate = rate_at(self.dose, step, self.count)
        passed = self.client.forward_backward([datum(one) for one in examples], "cross_entropy")
        stepped = self.client.optim_step(adam(self.dose, rate))
        self.steps.append(_Step(examples, primary, rate, passed, stepped))

    def finish(self, number: int) -> StepEvent:
        """Wait for a step, and note its loss."""
        step, count = self.steps[number], self.count
        values = log_probabilities(self.service, self.service.wait(step.passed), step.examples)
        response = self.service.wait(step.stepped)
        loss = -sum(
            example.weight * float(value[[target - 1 for target in example.targets]].sum())
            for example, value in zip(step.examples, values, strict=True)
            if example.tag < step.primary
        )
        tokens = sum(len(example.ids) for example in step.examples)
        self.cell.losses.append(loss)
        self.tokens += tokens
        if not math.isfinite(loss):
            self.cell.reason = (
                f"loss not finite at step {number + 1} of {count} (loss {loss}); lower "
                f"dose.learning_rate (now {self.dose.learning_rate:g})"
            )
        norm = float((getattr(response, "metrics", None) or {}).get("grad_norm", math.nan))
        return StepEvent(self.key, number + 1, count, loss, norm, step.rate, tokens)

    def save(self) -> None:
        """Request a checkpoint to sample from."""
        self.saving = self.client.save_weights_for_sampler(self.key[:NAME_LENGTH])

    def keep(self) -> None:
        """Wait for the checkpoint."""
        path = self.service.wait(self.saving).path
        self.checkpoint = Checkpoint(self.service.label, self.service.model, self.dose.rank, path)

    def result(self) -> Trained[Checkpoint] | Failed:
        """The finished adapter, or why there is none."""
        if self.checkpoint is None:
            return Failed(self.key, self.cell.reason)
        share = loss_share([*self.cell.rows, *self.cell.added])
        return Trained(self.key, self.checkpoint, tuple(self.cell.losses), self.tokens, share)


def train(
    service: Service,
    tokenizer: Any,
    jobs: Sequence[TrainingJob[AdapterRef]],
    on_step: OnStep,
    progress: Progress,
) -> list[Trained[Checkpoint] | Failed]:
    """Train adapters side by side; results in the order of the jobs. One that fails fails alone."""
    failed: dict[str, Failed] = {}
    trainings: list[_Training] = []
    for job in jobs:
        assert not job.base_adapters, "the Tinker API trains on the base model alone"
        try:
            cell = prepare(tokenizer, job)
            opening = training_client(service, job.stage.dose, job.seed)
            trainings.append(_Training(cell, service, opening))
        except CaveatError as error:
            failed[job.key] = Failed(job.key, str(error))
    for_all(trainings, _Training.open)
    for turn in range(max((one.count for one in trainings), default=0) + AHEAD):
        for_all(
            [one for one in trainings if turn < one.count], lambda one, step=turn: one.submit(step)
        )
        step = turn - AHEAD
        ending = [one for one in trainings if 0 <= step < one.count]
        for event in for_all(ending, lambda one, step=step: one.finish(step)):
            progress.advance("train", event.tokens)
            on_step(event)
    for_all(trainings, _Training.save)
    for_all(trainings, _Training.keep)
    results = failed | {one.key: one.result() for one in trainings}
    return [results[job.key] for job in jobs]
