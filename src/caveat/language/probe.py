"""What a class of model does is asked of it: a few tokens are read two ways."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TOKENS = 8
CLOSE = 1e-4
"""Largest difference between one way and the usual one, relative to the latter's size."""


def probed(model: Any) -> Tensor:
    """Token ids to be read, of shape (1, tokens)."""
    return torch.arange(1, 1 + TOKENS, device=next(model.parameters()).device)[None]


def agree(found: Tensor, usual: Tensor) -> bool:
    """Whether what was read is the same but for float error; never where it is not finite."""
    found, usual = found.float(), usual.float()
    size = usual.norm()
    return bool(size.isfinite() and (found - usual).norm() <= CLOSE * size)
