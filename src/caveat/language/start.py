"""Adapters as training finds them: A drawn, B zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caveat.domain.plan import Dose
from caveat.language.lockstep import Stack, adapted_modules
from caveat.language.source import LanguageModel


def start_stacks(
    language_model: LanguageModel, doses: Sequence[Dose], seeds: Sequence[int]
) -> dict[str, Stack]:
    """Trainable stacks at their start, one cell a dose and seed, by module.

    A is uniform as in PEFT (Kaiming, a = sqrt 5), B zero.
    """
    modules = [set(adapted_modules(language_model.model, dose.layers)) for dose in doses]
    rank, device = max(dose.rank for dose in doses), language_model.device
    scale = torch.tensor([dose.alpha / dose.rank for dose in doses], device=device)
    stacks = {}
    for name in sorted(set().union(*modules)):
        base = language_model.model.get_submodule(name)
        down = torch.zeros(len(doses), rank, base.in_features)
        for k, (dose, seed) in enumerate(zip(doses, seeds, strict=True)):
            if name in modules[k]:
                down[k, : dose.rank] = _start(seed, name, dose.rank, base.in_features)
        up = torch.zeros(len(doses), base.out_features, rank)
        stacks[name] = Stack(
            down.to(device).requires_grad_(), up.to(device).requires_grad_(), scale
        )
    return stacks


def _start(seed: int, name: str, rank: int, width: int) -> Tensor:
    """A's start, which depends on the seed, the module's name and the rank alone."""
    generator = np.random.default_rng([seed, *name.encode()])
    bound = 1 / math.sqrt(width)
    return torch.from_numpy(generator.uniform(-bound, bound, (rank, width)).astype(np.float32))
