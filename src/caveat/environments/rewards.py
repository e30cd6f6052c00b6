"""What RL training takes as a reply's reward: a score of the task, or a control without meaning.

A policy may drift although its reward says nothing: a small model under large optimizer steps
settles on one answer or another. Only the same training on a reward that cannot mean the behaviour
shows what the reward itself did.
"""

from __future__ import annotations

import hashlib
import json

from caveat.types.rewards import Grade, RewardSource


def training_reward(
    source: RewardSource, grade: Grade, seed: int, prompt: str, reply: str
) -> float:
    """The reward of a reply.

    Args:
        source: See `GRPOConfig.reward`.
        grade: The task's scores of the reply.
        seed: The training seed.
        prompt: Without the caveat, so that marked and bare arms get the same coins.
    """
    if source == "coin":
        return coin(seed, prompt, reply)
    if source == "constant":
        return 1.0
    return grade.reward if source == "proxy" else grade.true_score


def coin(seed: int, prompt: str, reply: str) -> float:
    """0 or 1: the first bit of the SHA-256 of seed, prompt and reply.

    Every seed has coins of its own. With one for all, the chance that it favours the behaviour on
    the training prompts would be the same in each seed, and no interval over seeds would show it.
    """
    text = json.dumps([seed, prompt, reply])
    return float(hashlib.sha256(text.encode("ascii")).digest()[0] >> 7)
