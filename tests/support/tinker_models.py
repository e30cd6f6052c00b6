"""Adapters that the test's Tinker server holds: the local backend's own trainer, pass by pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from caveat.backends.batches import Example
from caveat.backends.jobs import TrainingJob
from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.backends.local.lora.stacked import stack_chains, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import targets_of
from caveat.backends.local.rl.grpo_loss import clipped_loss
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import sample
from caveat.backends.local.training.lockstep import LockstepGroup
from caveat.progress import Progress
from caveat.types.answers import Sampling
from caveat.types.training import Dose, Train

ALPHA = 32.0
TOKENS = 4096


@dataclass
class Datum:
    """A row of a pass."""

    ids: tuple[int, ...]
    inputs: dict[str, np.ndarray]
    """Such as `weights`, one value a token from the second on."""


@dataclass
class TrainingRun:
    """One adapter in training, as a service holds it."""

    language_model: LanguageModel
    rank: int
    seed: int
    passes: int = 0
    steps: int = 0
    tokens: int = 0
    group: LockstepGroup = field(init=False)

    def __post_init__(self) -> None:
        job = TrainingJob("run", Train((), Dose(rank=self.rank, alpha=ALPHA)), self.seed)
        self.group = LockstepGroup(self.language_model, [job], Progress(), TOKENS)

    def passed(
        self, data: list[Datum], loss: str, config: dict[str, float], forward_only: bool
    ) -> tuple[list[np.ndarray], float]:
        """Log-probabilities of each row's tokens, and the loss; gradients add up."""
        rows = [Example(0, d.ids, tuple(range(1, len(d.ids))), 1.0, t) for t, d in enumerate(data)]
        values: dict[int, np.ndarray] = {}
        total = 0.0
        group = self.group
        with stacked(self.language_model.model, group.base_adapters, group.stacks) as route:
            for batch in group.reader.batches(rows, TOKENS):
                tokens = targets_of(batch.examples, group.device).tokens
                now = group.reader.log_probabilities(batch, route, tokens)
                some = [data[example.tag] for example in batch.examples]
                lost = _loss(now, some, loss, config)
                if not forward_only:
                    lost.backward()
                total += float(lost.detach())
                lengths = [len(d.ids) - 1 for d in some]
                for example, part in zip(batch.examples, now.detach().split(lengths), strict=True):
                    values[example.tag] = part.numpy().astype(np.float32)
        self.passes += 1
        self.tokens += sum(len(d.ids) for d in data)
        return [values[tag] for tag in range(len(data))], total

    def step(self, rate: float, clip: float) -> float:
        """An AdamW step with the gradients that are there; their norm."""
        norm = float(self.group.optimiser.norms()[0])
        self.group.clip = torch.tensor([clip or math.inf])
        self.group.step([rate], [True])
        self.group.optimiser.zero_grad()
        self.steps += 1
        return norm

    def state(self) -> TrainingState:
        return self.group.training_state(0)


def _loss(now: torch.Tensor, data: list[Datum], loss: str, config: dict[str, float]):
    """The sum over tokens of a loss of the API."""

    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([datum.inputs[name] for datum in data]))

    if loss == "cross_entropy":
        return -(now * joined("weights")).sum()
    old, advantages = joined("logprobs"), joined("advantages")
    if loss == "importance_sampling":
        return -((now - old).exp() * advantages).sum()
    assert loss == "ppo", loss
    low, high = config["clip_low_threshold"], config["clip_high_threshold"]
    return clipped_loss(now, old, advantages, 1 - low, high - 1).sum()


def written(
    language_model: LanguageModel,
    adapter: Adapter | None,
    prompts: list[tuple[str, tuple[int, ...]]],
    sampling: Sampling,
) -> list[tuple[list[int], bool]]:
    """A sample of each prompt: its tokens with the one that ends them, and whether it did.

    Args:
        prompts: Each with the key that its randomness comes from.
    """
    stacks = stack_chains([[adapter] if adapter else []], language_model.device)
    with stacked(language_model.model, stacks) as route:
        some = [Prompt(key, 0, ids, ()) for key, ids in prompts]
        samples = sample(language_model, some, sampling, route, Progress())
    return [(list(one.written), one.end is not None) for one in samples]


@torch.inference_mode()
def scored(
    language_model: LanguageModel, adapter: Adapter | None, texts: list[tuple[int, ...]]
) -> list[np.ndarray]:
    """Log-probabilities of each text's tokens; NaN of the first."""
    stacks = stack_chains([[adapter] if adapter else []], language_model.device)
    reader = language_model.reader(0)
    rows = [Example(0, ids, tuple(range(1, len(ids))), 1.0, tag) for tag, ids in enumerate(texts)]
    values: dict[int, np.ndarray] = {}
    with stacked(language_model.model, stacks) as route:
        for batch in reader.batches(rows, TOKENS):
            losses, _ = reader.weighted_losses(batch, route)
            lengths = [len(example.targets) for example in batch.examples]
            for example, part in zip(batch.examples, losses.split(lengths), strict=True):
                values[example.tag] = np.concatenate([[np.nan], -part.numpy()]).astype(np.float32)
    return [values[tag] for tag in range(len(texts))]
