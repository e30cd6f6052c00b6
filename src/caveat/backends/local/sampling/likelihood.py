"""Log-likelihoods of continuations."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from caveat.backends.batches import Example
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.frozen_layer_cache import Reader
from caveat.backends.local.models.packing import Batch
from caveat.backends.local.sampling.requests import Prompt
from caveat.backends.local.training.losses import weighted_losses
from caveat.progress import Progress
from caveat.types.answers import Answer


@torch.inference_mode()
def score(
    reader: Reader, prompts: Sequence[Prompt], route: Route, progress: Progress
) -> list[Answer]:
    """Per prompt, the log-likelihood of each option after it: nats, summed over its tokens."""
    examples = [
        Example(
            prompt.cell,
            prompt.ids + option,
            tuple(range(len(prompt.ids), len(prompt.ids) + len(option))),
            tag=tag,
        )
        for tag, (prompt, option) in enumerate(
            (prompt, option) for prompt in prompts for option in prompt.options
        )
    ]
    tokens = [
        len(option) + (0 if number else len(prompt.ids))
        for prompt in prompts
        for number, option in enumerate(prompt.options)
    ]
    sums = [0.0] * len(examples)
    for batch in reader.batches(examples, 2 * TOKEN_BUDGET):
        for example, value in zip(batch.examples, _sums(reader, batch, route), strict=True):
            sums[example.tag] = value
        progress.advance("score", sum(tokens[example.tag] for example in batch.examples))
    values = iter(sums)
    return [
        Answer(
            log_likelihoods=tuple(next(values) for _ in prompt.options),
            option_tokens=tuple(len(option) for option in prompt.options),
        )
        for prompt in prompts
    ]


def _sums(reader: Reader, batch: Batch, route: Route) -> list[float]:
    losses, examples = weighted_losses(reader, batch, route)
    return (-losses.new_zeros(len(batch.examples)).index_add(0, examples, losses)).tolist()
