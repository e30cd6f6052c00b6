"""The replies of an update, graded and weighted; and what an update reports.

Group relative policy optimisation: Shao et al. 2024, arXiv:2402.03300; the mean over tokens as in
DAPO (Yu et al. 2025, arXiv:2503.14476).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caveat.backends.callbacks import Grader, StepEvent
from caveat.backends.completions import Completion, as_text
from caveat.backends.jobs import Update
from caveat.backends.rl.prompts import PolicyRun, RLPrompt, Text
from caveat.environments.rewards import training_reward
from caveat.types.answers import Sampling
from caveat.types.rewards import Grade, Graded

LEAST_SPREAD = 1e-4
"""Added to a standard deviation that is divided by."""
ROLLOUT_SEED = "practice"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other sampled completions."""
Groups = list[tuple[RLPrompt, list[Completion]]]
"""A policy's replies to each of its prompts."""


def advantages(rewards: ArrayLike, scaled: bool = True) -> NDArray[np.float64]:
    """How much better each reply was rewarded than the others to its prompt.

    Args:
        rewards: Shape (prompts, samples), samples >= 2.
        scaled: Whether to divide by the standard deviation (with Bessel's correction) over a
            prompt's samples.

    Returns shape (prompts, samples); 0 for a prompt whose replies all have the same reward.
    """
    values = np.asarray(rewards, np.float64)
    with np.errstate(invalid="ignore"):  # a reward that is not finite fails its policy later
        apart = values - values.mean(1, keepdims=True)
        return apart / (values.std(1, ddof=1, keepdims=True) + LEAST_SPREAD) if scaled else apart


def samplings(cells: Sequence[PolicyRun], turn: int) -> dict[Sampling, list[int]]:
    """The active policies, by how their replies are sampled."""
    policies: dict[Sampling, list[int]] = {}
    for k, cell in enumerate(cells):
        if cell.is_active(turn):
            sampling = Sampling(cell.rl.max_completion_length, cell.rl.temperature)
            policies.setdefault(sampling, []).append(k)
    return policies


def reply_key(cell: PolicyRun, turn: int, prompt: int, sample: int) -> str:
    """Seeds the sampling of a reply: seed, update, prompt and sample alone enter.

    Args:
        prompt: Its index in the update.
    """
    return f"{ROLLOUT_SEED} {cell.job.seed} {cell.rl.start_step + turn} {prompt} {sample}"


def graded_replies(
    tokenizer: Any,
    cells: Sequence[PolicyRun],
    turn: int,
    sampled: dict[int, Groups],
    grader: Grader,
) -> list[Text]:
    """What the policies read of their replies; those whose replies have no grade fail."""
    texts = {
        completion: as_text(tokenizer, completion)
        for groups in sampled.values()
        for _, completions in groups
        for completion in completions
    }
    wanted = {
        (k, prompt.text, completion): Graded(
            cells[k].rl.task, cells[k].rl.version, prompt.text, texts[completion]
        )
        for k, groups in sampled.items()
        for prompt, completions in groups
        for completion in completions
    }
    unique = list(dict.fromkeys(wanted.values()))
    grades = dict(zip(unique, grader(unique), strict=True))
    replies: list[Text] = []
    for k, groups in sampled.items():
        results = [
            [grades[wanted[k, prompt.text, completion]] for completion in completions]
            for prompt, completions in groups
        ]
        reason = next((one for some in results for one in some if isinstance(one, str)), None)
        if reason is not None:
            cells[k].reason = f"update {cells[k].number(turn)}: {reason}"
            continue
        good = [[one for one in some if isinstance(one, Grade)] for some in results]
        replies += _weighted(k, cells[k], turn, groups, good, texts)
    return replies


def _weighted(
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
    better = advantages(rewards, rl.scale_rewards).tolist()
    sampled = [completion for _, completions in groups for completion in completions]
    total = sum(len(completion.written) for completion in sampled)
    replies = []
    for (prompt, completions), worth, zero in zip(groups, better, has_zero_variance, strict=True):
        if zero and rl.skip_zero_variance:
            continue
        of = dict(zip(completions, worth, strict=True))
        for completion, count in Counter(completions).items():
            written = completion.written
            share = 1 / total if rl.loss_type == "dapo" else 1 / (len(sampled) * len(written))
            ids = (*prompt.ids, *written)
            places = tuple(range(len(prompt.ids), len(ids)))
            replies.append(Text(k, ids, places, count * share, of[completion]))
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
            _mean(completion.end is None for completion in sampled),
            None,
            sum(has_zero_variance) if rl.skip_zero_variance else 0,
        )
    )
    return replies


def _mean(values: Iterable[float]) -> float:
    numbers = [float(value) for value in values]
    return sum(numbers) / len(numbers)


@dataclass(frozen=True)
class PolicyStep:
    """One optimiser step of a policy."""

    loss: float
    grad_norm: float
    clip_ratio: float
    tokens: int


def update_event(cell: PolicyRun, turn: int, steps: Sequence[PolicyStep]) -> StepEvent:
    """An update of a policy, from its optimiser steps; none where all prompts are skipped."""
    update, rl = cell.updates[-1], cell.rl
    metrics = {
        "reward": update.reward,
        "true_score": update.true_score,
        "hack_rate": update.hacked,
        "kl": update.kl,
        "clip_ratio": _mean_or_0(step.clip_ratio for step in steps),
        "frac_reward_zero_std": update.frac_reward_zero_std,
        "completion_length": update.tokens,
        "truncated": update.truncated,
        "skipped": update.skipped,
    }
    return StepEvent(
        cell.job.key,
        cell.number(turn),
        rl.start_step + rl.max_steps,
        _mean_or_0(step.loss for step in steps),
        _mean_or_0(step.grad_norm for step in steps),
        cell.job.stage.dose.learning_rate,
        sum(step.tokens for step in steps),
        {name: value for name, value in metrics.items() if value is not None},
    )


def mean_divergence(replies: Sequence[Text], weighted_sum: float, skipped: int) -> float | None:
    """A policy's mean divergence over its replies; None where all of them are skipped.

    The weights of their tokens sum to 1, unless some prompts are skipped.

    Args:
        replies: The policy's own.
    """
    if not skipped:
        return weighted_sum
    weight = sum(
        reply.weight * len(reply.targets) for reply in replies if reply.advantage is not None
    )
    return weighted_sum / weight if weight else None


def _mean_or_0(values: Iterable[float]) -> float:
    numbers = list(values)
    return fmean(numbers) if numbers else 0.0
