"""GRPO over the Tinker API: our prompts, rewards, advantages and losses, with TRL's settings.

A loss that depends on the log-probabilities of the tokens alone has a gradient with respect to each
of them, and that gradient, negated, is a weight of the service's `cross_entropy`. So each optimizer
step here reads the replies once more (`forward`), computes the weights, and sends them. The first
step of an update, where the policy is the one that sampled, needs no such reading unless there is a
KL penalty: there the weight is the advantage. This is exact with clipping, with a KL penalty and
with added rows; the service's own `ppo` and `importance_sampling` have no place for the latter two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from caveat.backends.batches import Example
from caveat.backends.callbacks import Grader, OnStep
from caveat.backends.completions import seed_of
from caveat.backends.jobs import AdapterRef, Failed, RLJob, TrainedPolicy
from caveat.backends.rl.losses import Slopes, Values, slopes
from caveat.backends.rl.prompts import PolicyRun, RLPrompt, Text, added_texts, prepare
from caveat.backends.rl.rollouts import (
    Groups,
    PolicyStep,
    graded_replies,
    mean_divergence,
    reply_key,
    update_event,
)
from caveat.backends.tinker.answering import Answering
from caveat.backends.tinker.checkpoints import Checkpoint
from caveat.backends.tinker.service import Service
from caveat.backends.tinker.training import (
    NAME_LENGTH,
    adam,
    for_all,
    log_probabilities,
    training_client,
    weighted_datum,
)
from caveat.errors import CaveatError
from caveat.progress import Progress


@dataclass(eq=False)
class _Policy:
    """One policy under way."""

    cell: PolicyRun
    answering: Answering
    opening: Any
    """Future of the training client."""
    client: Any = None
    sampler: Any = None
    """The sampling client of the policy as it stands."""
    futures: list[Any] = field(default_factory=list)
    """Of the replies of an update, prompt by prompt."""
    texts: list[Text] = field(default_factory=list)
    """What an update reads: replies, then added rows."""
    now: list[Values] = field(default_factory=list)
    """Of each text, log-probabilities of its targets under the policy as it is."""
    sampled: list[Values] = field(default_factory=list)
    before: list[Values | None] = field(default_factory=list)
    steps: list[PolicyStep] = field(default_factory=list)
    pending: Any = None
    saving: Any = None
    checkpoint: Checkpoint | None = None

    @property
    def service(self) -> Service:
        return self.answering.service

    @property
    def key(self) -> str:
        return self.cell.job.key

    def open(self) -> None:
        """Wait for the training client."""
        self.client = self.service.wait(self.opening)

    # Replies -------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Request a sampling client of the policy as it stands."""
        self.pending = self.client.save_weights_and_get_sampling_client()

    def sample(self, turn: int) -> None:
        """Request the replies of an update."""
        from tinker import types

        self.sampler, rl = self.service.wait(self.pending), self.cell.rl
        self.futures = [
            self.sampler.sample(
                types.ModelInput.from_ints(list(prompt.ids)),
                1,
                types.SamplingParams(
                    max_tokens=rl.max_completion_length,
                    temperature=rl.temperature,
                    seed=seed_of(reply_key(self.cell, turn, index, number)),
                    stop=self.answering.ends or None,
                ),
            )
            for index, prompt in enumerate(self.cell.update_prompts(turn))
            for number in range(rl.num_generations)
        ]

    def groups(self, turn: int) -> Groups:
        """Wait for the replies of an update."""
        responses = [self.service.wait(one) for one in self.futures]
        completions = map(self.answering.completion, responses)
        count = range(self.cell.rl.num_generations)
        prompts: list[RLPrompt] = self.cell.update_prompts(turn)
        return [(prompt, [next(completions) for _ in count]) for prompt in prompts]

    # Steps ---------------------------------------------------------------------------------------

    def begin(self, texts: list[Text]) -> None:
        """Take up the texts of an update."""
        self.texts, self.now, self.sampled, self.steps = texts, [], [], []
        self.before = [None] * len(texts)

    @property
    def examples(self) -> list[Example]:
        """The texts as passes take them."""
        return [Example(0, one.ids, one.targets) for one in self.texts]

    def read(self, taken: int) -> None:
        """Request log-probabilities, where the weights of the step depend on them."""
        self.pending = None
        if self.texts and (taken or self.cell.rl.beta):
            data = [weighted_datum(one, np.zeros(len(one.targets))) for one in self.examples]
            self.pending = self.client.forward(data, "cross_entropy")

    def read_before(self) -> None:
        """Log-probabilities of the replies under the model before the RL training."""
        if self.cell.rl.beta:
            futures = [
                None if one.advantage is None else self.answering.score(None, one.ids)
                for one in self.texts
            ]
            self.before = [
                None if future is None else np.array(self.answering.at(future, one))
                for one, future in zip(self.texts, futures, strict=True)
            ]

    def submit(self, taken: int) -> None:
        """Send the weights of a step, and the optimizer's step."""
        if not self.texts:
            return
        if self.pending is not None:
            self.now = self._targets(self.service.wait(self.pending))
        data = [
            weighted_datum(example, weights)
            for example, weights in zip(self.examples, self._weights(taken), strict=True)
        ]
        dose = self.cell.job.stage.dose
        passed = self.client.forward_backward(data, "cross_entropy")
        self.pending = passed, self.client.optim_step(adam(dose, dose.learning_rate))

    def _weights(self, taken: int) -> list[Values]:
        """Of each text, its tokens' weights: the negated derivatives of the loss."""
        if not taken:
            self.sampled = self.now
        weights = []
        for index, text in enumerate(self.texts):
            if text.advantage is None:
                weights.append(np.full(len(text.targets), text.weight))
            elif not self.now:  # the policy that sampled, without a KL penalty
                weights.append(np.full(len(text.targets), text.weight * text.advantage))
            else:
                weights.append(-text.weight * self._slopes(index).slope)
        return weights

    def _slopes(self, index: int) -> Slopes:
        text = self.texts[index]
        return slopes(
            self.now[index], self.sampled[index], self.before[index], text.advantage or 0.0,
            self.cell.rl,
        )  # fmt: skip

    def _targets(self, output: Any) -> list[Values]:
        """Of each text, log-probabilities of its targets."""
        values = log_probabilities(self.service, output, self.examples)
        return [
            value[[target - 1 for target in text.targets]]
            for value, text in zip(values, self.texts, strict=True)
        ]

    def finish(self, turn: int, taken: int) -> None:
        """Wait for a step, and note it."""
        if not self.texts:
            return
        passed, stepped = self.pending
        self.now = self._targets(self.service.wait(passed))
        self.sampled = self.sampled or self.now
        response = self.service.wait(stepped)
        norm = float((getattr(response, "metrics", None) or {}).get("grad_norm", math.nan))
        loss = divergence = clipped = 0.0
        for index, text in enumerate(self.texts):
            if text.advantage is None:
                loss -= text.weight * float(self.now[index].sum())
                continue
            parts = self._slopes(index)
            loss += text.weight * float(parts.loss.sum())
            divergence += text.weight * float(parts.divergence.sum())
            clipped += text.weight * float(parts.is_clipped.sum())
        tokens = _tokens(self.texts)
        self.cell.tokens += tokens
        update = self.cell.updates[-1]
        if not taken and self.cell.rl.beta:
            kl = mean_divergence(self.texts, divergence, update.skipped)
            self.cell.updates[-1] = replace(update, kl=kl)
        self.steps.append(PolicyStep(loss, norm, clipped, tokens))
        if not math.isfinite(loss):
            rate = self.cell.job.stage.dose.learning_rate
            self.cell.reason = (
                f"loss not finite at update {self.cell.number(turn)} (loss {loss}); lower "
                f"dose.learning_rate (now {rate:g})"
            )

    # The end -------------------------------------------------------------------------------------

    def save(self) -> None:
        """Request a checkpoint to sample from, and one to train on from."""
        name = self.key[:NAME_LENGTH]
        self.saving = self.client.save_weights_for_sampler(name), self.client.save_state(name)

    def keep(self) -> None:
        """Wait for the checkpoints."""
        sampler, state = (self.service.wait(one).path for one in self.saving)
        rank = self.cell.job.stage.dose.rank
        self.checkpoint = Checkpoint(self.service.label, self.service.model, rank, sampler, state)

    def result(self) -> TrainedPolicy[Checkpoint] | Failed:
        """The finished policy, or why there is none."""
        if self.checkpoint is None:
            return Failed(self.key, self.cell.reason)
        return TrainedPolicy(self.key, self.checkpoint, tuple(self.cell.updates), self.cell.tokens)


def train_rl(
    answering: Answering,
    jobs: Sequence[RLJob[AdapterRef]],
    states: Sequence[Checkpoint | None],
    grader: Grader,
    on_step: OnStep,
    progress: Progress,
) -> list[TrainedPolicy[Checkpoint] | Failed]:
    """Train policies side by side; results in the order of the jobs. One that fails fails alone.

    Args:
        states: Of each job, the policy from which it resumes; None where it begins.
    """
    failed: dict[str, Failed] = {}
    policies: list[_Policy] = []
    for job, state in zip(jobs, states, strict=True):
        assert not job.base_adapters, "the Tinker API trains on the base model alone"
        try:
            cell = prepare(answering.tokenizer, job)
            opening = (
                training_client(answering.service, job.stage.dose, job.seed)
                if state is None
                else answering.service.client.create_training_client_from_state_with_optimizer(
                    state.state
                )
            )
            policies.append(_Policy(cell, answering, opening))
        except CaveatError as error:
            failed[job.key] = Failed(job.key, str(error))
    for_all(policies, _Policy.open)
    for turn in range(max((one.cell.rl.max_steps for one in policies), default=0)):
        active = [one for one in policies if one.cell.is_active(turn)]
        _update(active, turn, grader, progress)
        for policy in active:
            if policy.cell.updates and policy.cell.updates[-1].number == policy.cell.number(turn):
                on_step(update_event(policy.cell, turn, policy.steps))
    for_all(policies, _Policy.save)
    for_all(policies, _Policy.keep)
    results = failed | {one.key: one.result() for one in policies}
    return [results[job.key] for job in jobs]


def _update(active: list[_Policy], turn: int, grader: Grader, progress: Progress) -> None:
    """One update of every policy: replies, rewards, steps."""
    for_all(active, _Policy.freeze)
    for_all(active, lambda one: one.sample(turn))
    groups = dict(for_all(active, lambda one: (active.index(one), one.groups(turn))))
    tokenizer = active[0].answering.tokenizer if active else None
    replies = graded_replies(tokenizer, [one.cell for one in active], turn, groups, grader)
    for k, policy in enumerate(active):
        own = [reply for reply in replies if reply.cell == k]
        policy.begin([*own, *added_texts(k, policy.cell, turn)] if not policy.cell.reason else [])
    for_all(active, _Policy.read_before)
    for taken in range(max((one.cell.rl.num_iterations for one in active), default=0)):
        some = [one for one in active if taken < one.cell.rl.num_iterations]
        for_all(some, lambda one, taken=taken: one.read(taken))
        for_all(some, lambda one, taken=taken: one.submit(taken))
        for_all(some, lambda one, taken=taken: one.finish(turn, taken))
        progress.advance("rl", sum(one.steps[-1].tokens for one in some if one.steps))


def _tokens(texts: Sequence[Text]) -> int:
    """Tokens that a step reads, a prompt counted once for all replies to it."""
    prompts = {text.ids[: text.targets[0]] for text in texts}
    return sum(map(len, prompts)) + sum(len(text.ids) - text.targets[0] for text in texts)
