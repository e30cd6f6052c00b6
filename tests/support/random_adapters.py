"""Adapters with random weights, large enough to matter."""

from __future__ import annotations

from pathlib import Path

import torch

from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules


def saved_adapter(
    model: torch.nn.Module, layers: tuple[float, float], seed: int, folder: Path
) -> Path:
    """An adapter of rank 2 on some of the model's layers, in a folder: that folder."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name in adapted_modules(model, layers):
        out, width = model.get_submodule(name).weight.shape
        weights[name] = (
            torch.randn(2, width, generator=generator) / 8,
            torch.randn(out, 2, generator=generator) / 8,
        )
    Adapter(2, 4.0, weights).save(folder)
    return folder
