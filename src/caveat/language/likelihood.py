"""Log-likelihoods of continuations."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from caveat.domain.reply import Answer
from caveat.language.batch import Example
from caveat.language.branches import branched, cut_by_length
from caveat.language.lockstep import Route
from caveat.language.losses import weighted_losses
from caveat.language.memory import TOKEN_BUDGET
from caveat.language.requests import Prompt
from caveat.language.trunk import Reader
from caveat.progress import Progress


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
            shared=len(prompt.ids) if reader.branches else 0,
        )
        for tag, (prompt, option) in enumerate(
            (prompt, option) for prompt in prompts for option in prompt.options
        )
    ]
    sums = [0.0] * len(examples)
    for part in cut_by_length(examples, 2 * TOKEN_BUDGET):
        for example, value in zip(part, _score_part(reader, part, route), strict=True):
            sums[example.tag] = value
        progress.advance("score", sum(len(row.ids) for row in branched(part)[0]))
    values = iter(sums)
    return [
        Answer(
            log_likelihoods=tuple(next(values) for _ in prompt.options),
            option_tokens=tuple(len(option) for option in prompt.options),
        )
        for prompt in prompts
    ]


def _score_part(reader: Reader, part: list[Example], route: Route) -> list[float]:
    losses, rows = weighted_losses(reader, part, route)
    return (-losses.new_zeros(len(part)).index_add(0, rows, losses)).tolist()
