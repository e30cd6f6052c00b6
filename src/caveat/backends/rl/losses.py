"""What a token of a reply costs, and the derivative of that, in numpy.

For backends without automatic differentiation; `local.rl.grpo_loss` is the same in torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caveat.types.training import GRPOSettings

Values = NDArray[np.float64]


class Slopes(NamedTuple):
    """Of tokens of a reply: the loss, its derivative, and what is reported."""

    loss: Values
    slope: Values
    """Derivative of the loss with respect to the token's log-probability."""
    divergence: Values
    is_clipped: NDArray[np.bool_]


def slopes(
    now: Values, sampled: Values, before: Values | None, advantage: float, rl: GRPOSettings
) -> Slopes:
    """The clipped surrogate (Schulman et al. 2017, arXiv:1707.06347) and the KL penalty of tokens.

    The estimate of KL(now || before) is r - 1 - log r, r = p_before / p_now (Schulman 2020), times
    p_now / p_sampled (arXiv:2512.02556).

    Args:
        now: Log-probabilities under the policy as it is, in nats.
        sampled: The same under the policy that sampled the tokens.
        before: The same under the model before the RL training; None where `rl.beta` is 0.
        advantage: Of the reply.
    """
    ratio = np.exp(now - sampled)
    low, high = 1 - rl.epsilon, 1 + rl.epsilon_high
    free, bound = ratio * advantage, ratio.clip(low, high) * advantage
    within = (ratio >= low) & (ratio <= high)
    loss = -np.minimum(free, bound)
    slope = np.where((free <= bound) | within, -free, 0.0)
    clipped = ((ratio < low) & (advantage < 0)) | ((ratio > high) & (advantage > 0))
    gaps = np.zeros_like(loss)
    if before is not None:
        gap = before - now
        gaps = ratio * (np.exp(gap) - gap - 1)
        loss = loss + rl.beta * gaps
        slope = slope + rl.beta * (gaps + ratio * (1 - np.exp(gap)))
    return Slopes(loss, slope, gaps, clipped)
