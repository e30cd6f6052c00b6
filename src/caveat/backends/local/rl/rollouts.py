"""Replies of an update, sampled from every policy as it stands."""

from __future__ import annotations

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import in_batches, sample
from caveat.backends.rl.prompts import PolicyRun
from caveat.backends.rl.rollouts import Groups, reply_key, samplings
from caveat.progress import Progress


def sampled_replies(
    language_model: LanguageModel,
    cells: list[PolicyRun],
    turn: int,
    route: Route,
    progress: Progress,
) -> dict[int, Groups]:
    """The replies of an update, by the cell of the policy that takes part in it."""
    sampled: dict[int, Groups] = {}
    for sampling, indices in samplings(cells, turn).items():
        prompts = [prompt for k in indices for prompt in _prompts(k, cells[k], turn)]
        completions = iter(
            in_batches(
                lambda some, how=sampling: sample(language_model, some, how, route, progress),
                prompts, language_model, progress,
            )
        )  # fmt: skip
        for k in indices:
            samples = range(cells[k].rl.num_generations)
            sampled[k] = [
                (prompt, [next(completions) for _ in samples])
                for prompt in cells[k].update_prompts(turn)
            ]
    return sampled


def _prompts(k: int, cell: PolicyRun, turn: int) -> list[Prompt]:
    return [
        Prompt(reply_key(cell, turn, index, sample), k, prompt.ids, ())
        for index, prompt in enumerate(cell.update_prompts(turn))
        for sample in range(cell.rl.num_generations)
    ]
