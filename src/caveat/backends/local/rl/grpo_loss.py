"""Group relative policy optimisation: what a token of a reply costs (see `backends.rl`)."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_loss(
    now: Tensor, sampled: Tensor, advantage: Tensor, low: float, high: float
) -> Tensor:
    """The surrogate loss of tokens (Schulman et al. 2017, arXiv:1707.06347), all of one shape.

    Args:
        now: Log-probabilities under the model as it is, in nats.
        sampled: The same under the model that sampled them.
        advantage: Of each token's reply.
        low, high: The ratio counts within [1 - low, 1 + high].
    """
    ratio = (now - sampled).exp()
    return -torch.min(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)


def is_clipped(now: Tensor, sampled: Tensor, advantage: Tensor, low: float, high: float) -> Tensor:
    """Whether `clipped_loss` has no gradient at a token, as TRL's `clip_ratio` counts it."""
    ratio = (now - sampled).exp()
    return ((ratio < 1 - low) & (advantage < 0)) | ((ratio > 1 + high) & (advantage > 0))


def divergence(now: Tensor, sampled: Tensor, before: Tensor) -> Tensor:
    """An estimate of KL(now || before) at tokens that `sampled` wrote, in nats, never below 0.

    r - 1 - log r, r = p_before / p_now (Schulman 2020, "Approximating KL divergence"), times
    p_now / p_sampled, which makes value and gradient unbiased (arXiv:2512.02556).
    """
    gap = before - now
    return (now - sampled).exp() * (gap.exp() - gap - 1)
