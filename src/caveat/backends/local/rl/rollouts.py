"""The replies of an update: sampled from every policy as it stands, graded, and weighted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import torch

from caveat.backends.base import Grader, Update
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.rl.grpo_loss import advantages
from caveat.backends.local.rl.prompts import PolicyRun, RLPrompt, Text
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import Completion, as_text, in_batches, sample
from caveat.environments.rewards import training_reward
from caveat.progress import Progress
from caveat.types.answers import Sampling
from caveat.types.rewards import Grade, Graded

Groups = list[tuple[RLPrompt, list[Completion]]]
"""A policy's replies to each of its prompts."""


def sampled_replies(
    language_model: LanguageModel,
    cells: list[PolicyRun],
    turn: int,
    route: Route,
    progress: Progress,
) -> dict[int, Groups]:
    """The replies of an update, by the cell of the policy that takes part in it."""
    sampled: dict[int, Groups] = {}
    for sampling, places in _samplings(cells, turn).items():
        prompts = [prompt for k in places for prompt in _prompts(k, cells[k], turn)]
        made = iter(
            in_batches(
                lambda some, how=sampling: sample(language_model, some, how, route, progress),
                prompts, language_model.frozen_layer_cache, progress,
            )
        )  # fmt: skip
        for k in places:
            samples = range(cells[k].rl.num_generations)
            sampled[k] = [
                (prompt, [next(made) for _ in samples]) for prompt in cells[k].update_prompts(turn)
            ]
    return sampled


def graded_replies(
    language_model: LanguageModel,
    cells: list[PolicyRun],
    turn: int,
    sampled: dict[int, Groups],
    grader: Grader,
) -> list[Text]:
    """What the policies read of their replies; those whose replies have no grade fail."""
    texts = {
        each: as_text(language_model, each)
        for groups in sampled.values()
        for _, some in groups
        for each in some
    }
    wanted = {
        (k, prompt.text, each): Graded(
            cells[k].rl.task, cells[k].rl.version, prompt.text, texts[each]
        )
        for k, groups in sampled.items()
        for prompt, some in groups
        for each in some
    }
    unique = list(dict.fromkeys(wanted.values()))
    grades = dict(zip(unique, grader(unique), strict=True))
    replies: list[Text] = []
    for k, groups in sampled.items():
        found = [[grades[wanted[k, prompt.text, each]] for each in some] for prompt, some in groups]
        bad = next((each for some in found for each in some if isinstance(each, str)), None)
        if bad is not None:
            cells[k].reason = f"update {cells[k].number(turn)}: {bad}"
            continue
        good = [[each for each in some if isinstance(each, Grade)] for some in found]
        replies += _weighed(k, cells[k], turn, groups, good, texts)
    return replies


def _samplings(cells: list[PolicyRun], turn: int) -> dict[Sampling, list[int]]:
    """The active policies, by how their replies are sampled."""
    found: dict[Sampling, list[int]] = {}
    for k, cell in enumerate(cells):
        if cell.is_active(turn):
            how = Sampling(cell.rl.max_completion_length, cell.rl.temperature)
            found.setdefault(how, []).append(k)
    return found


ROLLOUT_SEED = "practice"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other sampled completions."""


def _prompts(k: int, cell: PolicyRun, turn: int) -> list[Prompt]:
    number = cell.rl.start_step + turn
    return [
        Prompt(f"{ROLLOUT_SEED} {cell.job.seed} {number} {place} {sample}", k, prompt.ids, ())
        for place, prompt in enumerate(cell.update_prompts(turn))
        for sample in range(cell.rl.num_generations)
    ]


def _weighed(
    k: int,
    cell: PolicyRun,
    turn: int,
    groups: Groups,
    grades: list[list[Grade]],
    texts: dict[Completion, str],
) -> list[Text]:
    """A policy's replies with their advantages, equal ones together; it notes what they were.

    Skipped prompts have none. The other replies weigh as if they were there.
    """
    rl = cell.rl
    rewards = [
        [
            training_reward(rl.reward, grade, cell.job.seed, prompt.text, texts[completion])
            for completion, grade in zip(completions, prompt_grades, strict=True)
        ]
        for (prompt, completions), prompt_grades in zip(groups, grades, strict=True)
    ]
    has_zero_variance = [len(set(row)) == 1 for row in rewards]
    better = advantages(torch.tensor(rewards, dtype=torch.float64), rl.scale_rewards).tolist()
    sampled = [each for _, some in groups for each in some]
    total = sum(len(_written(each)) for each in sampled)
    replies = []
    for (prompt, some), worth, zero in zip(groups, better, has_zero_variance, strict=True):
        if zero and rl.skip_zero_variance:
            continue
        of = dict(zip(some, worth, strict=True))
        for each, count in Counter(some).items():
            written = _written(each)
            share = 1 / total if rl.loss_type == "dapo" else 1 / (len(sampled) * len(written))
            ids = (*prompt.ids, *written)
            places = tuple(range(len(prompt.ids), len(ids)))
            replies.append(Text(k, ids, places, count * share, of[each]))
    flat = [grade for some in grades for grade in some]
    hackable = [grade.hacked for grade in flat if grade.hackable]
    cell.updates.append(
        Update(
            cell.number(turn),
            _mean(grade.reward for grade in flat),
            _mean(grade.true_score for grade in flat),
            _mean(hackable) if hackable else None,
            _mean(has_zero_variance),
            sum(len(set(completions)) for _, completions in groups),
            total / len(sampled),
            _mean(each.end is None for each in sampled),
            None,
            sum(has_zero_variance) if rl.skip_zero_variance else 0,
        )
    )
    return replies


def _written(completion: Completion) -> tuple[int, ...]:
    """All that the model wrote, the token that ends it too."""
    return completion.tokens if completion.end is None else (*completion.tokens, completion.end)


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found)
