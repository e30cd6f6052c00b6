"""Log-likelihoods of continuations."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from caveat.domain.reply import Answer
from caveat.language.batch import Example, cut_by_length, logits_at, padded
from caveat.language.lockstep import Route
from caveat.language.memory import TOKEN_BUDGET
from caveat.language.requests import Prompt
from caveat.language.source import LanguageModel
from caveat.progress import Progress


@torch.inference_mode()
def score(
    language_model: LanguageModel, prompts: Sequence[Prompt], route: Route, progress: Progress
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
    sums = [0.0] * len(examples)
    for part in cut_by_length(examples, 2 * TOKEN_BUDGET):
        for example, value in zip(part, _score_part(language_model, part, route), strict=True):
            sums[example.tag] = value
        progress.advance("score", sum(len(example.ids) for example in part))
    values = iter(sums)
    return [
        Answer(
            log_likelihoods=tuple(next(values) for _ in prompt.options),
            option_tokens=tuple(len(option) for option in prompt.options),
        )
        for prompt in prompts
    ]


def _score_part(
    language_model: LanguageModel, part: list[Example], route: Route
) -> list[float]:
    device = language_model.device
    ids = padded([example.ids for example in part], 0, device)
    where = [(i, p) for i, example in enumerate(part) for p in example.targets]
    rows, positions = torch.tensor(where, device=device).T
    route.set([example.cell for example in part])
    logits = logits_at(language_model.model, ids, rows, positions - 1).float()
    logs = -torch.nn.functional.cross_entropy(logits, ids[rows, positions], reduction="none")
    return torch.zeros(len(part), device=device).index_add(0, rows, logs).tolist()
