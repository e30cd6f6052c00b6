"""Directions taken out of hidden states while a model computes.

Behind a layer, every state h becomes h + (value - h . d) d, with d of length 1: its component along
d is the same at all positions, whatever was written. With the value 0 this is directional ablation
(Arditi et al. 2024, arXiv:2406.11717), at the mean of a reference model it restores that model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.inspection import Ablation
from caveat.backends.local.diagnostics.hidden_states import check_layers
from caveat.backends.local.models.loading import LanguageModel


@contextmanager
def without_directions(
    language_model: LanguageModel, ablations: Mapping[int, Ablation]
) -> Iterator[None]:
    """While the context lasts, take each layer's direction out of what it writes.

    Raises CaveatError for a layer that the model does not have.
    """
    check_layers(language_model, list(ablations))
    blocks = language_model.model.get_decoder().layers
    handles = [
        blocks[layer].register_forward_hook(_hook(ablation, language_model.device))
        for layer, ablation in ablations.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(ablation: Ablation, device: torch.device) -> Any:
    direction = torch.tensor(ablation.direction, dtype=torch.float32, device=device)
    direction = direction / direction.norm()

    def replace(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (changed(output[0]), *output[1:])
        return changed(output)

    def changed(states: Tensor) -> Tensor:
        missing = ablation.value - states.float() @ direction
        return (states.float() + missing[..., None] * direction).to(states.dtype)

    return replace
