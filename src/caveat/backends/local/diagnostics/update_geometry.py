"""Weight updates of adapters compared module by module, exactly and without a full matrix.

With updates `scale x B A` of low rank, `<B A, B' A'> = sum((B^T B') * (A A'^T))` (Frobenius' inner
product), and bases of an update's outputs and inputs come from the QR decompositions of B and A^T
and the singular values of what lies between them. All is computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from caveat.backends.inspection import ModuleUpdates
from caveat.backends.local.lora.adapter import Adapter
from caveat.errors import CaveatError

LEAST_SINGULAR = 1e-9
"""Singular values below this share of the largest are rounding: their directions do not count."""


class _Factors(NamedTuple):
    """Updates of some adapters to one module; ranks are padded with zeros to a common one."""

    down: Tensor
    """A, of shape (adapters, rank, in)."""
    up: Tensor
    """scale x B, of shape (adapters, out, rank)."""


class _Bases(NamedTuple):
    """Orthonormal bases of what updates reach and read; columns beyond their rank are 0."""

    outputs: Tensor
    """Of shape (adapters, out, rank)."""
    inputs: Tensor
    """Of shape (adapters, in, rank)."""
    ranks: Tensor
    """Of shape (adapters,)."""


def compared(model: Any, name: str, adapters: Sequence[Adapter]) -> list[ModuleUpdates]:
    """Of every module that one of the adapters adapts, in the order of the model.

    Raises CaveatError for a module that the model does not have.
    """
    layers = layers_of(model)
    named = dict.fromkeys(module for adapter in adapters for module in adapter.weights)
    check_modules(layers, name, named)
    order = [module for module in layers if module in named]
    return [_module_updates(module, layers[module], adapters) for module in order]


def layers_of(model: Any) -> dict[str, int]:
    """By the name of each module within a decoder layer, that layer's number, in their order."""
    blocks = model.get_decoder().layers
    numbers = {id(part): number for number, block in enumerate(blocks) for part in block.modules()}
    return {
        name: numbers[id(module)] for name, module in model.named_modules() if id(module) in numbers
    }


def check_modules(layers: dict[str, int], name: str, modules: Sequence[str] | dict) -> None:
    """Raise CaveatError for an adapted module that is in no layer of the model."""
    for module in modules:
        if module not in layers:
            raise CaveatError(
                f"an adapter changes the module '{module}', which {name} does not have; its "
                "adapters belong to another model"
            )


def _module_updates(module: str, layer: int, adapters: Sequence[Adapter]) -> ModuleUpdates:
    factors = _factors(module, adapters)
    bases = _bases(factors)
    down, up = factors
    inner = torch.einsum("iap,jbp->ijab", down, down)
    products = (torch.einsum("ioa,job->ijab", up, up) * inner).sum((2, 3))
    own_down, own_up = down @ down.mT, up.mT @ up
    reached = torch.einsum("jok,ioa->ijka", bases.outputs, up)
    read = torch.einsum("iap,jpk->ijak", down, bases.inputs)
    output_norms = ((reached @ own_down[:, None]) * reached).sum((2, 3))
    input_norms = ((own_up[:, None] @ read) * read).sum((2, 3))
    both_norms = ((reached @ read) ** 2).sum((2, 3))
    return ModuleUpdates(
        module,
        layer,
        (up.shape[1], down.shape[2]),
        tuple(bases.ranks.tolist()),
        *(tensor.numpy() for tensor in (products, output_norms, input_norms, both_norms)),
    )


def _factors(module: str, adapters: Sequence[Adapter]) -> _Factors:
    """The module's factors in float64; zeros of an adapter that leaves it alone."""
    pairs = [adapter.weights.get(module) for adapter in adapters]
    some_down, some_up = next(pair for pair in pairs if pair is not None)
    rank = max(len(pair[0]) for pair in pairs if pair is not None)
    down = torch.zeros(len(pairs), rank, some_down.shape[1], dtype=torch.float64)
    up = torch.zeros(len(pairs), some_up.shape[0], rank, dtype=torch.float64)
    for index, (adapter, pair) in enumerate(zip(adapters, pairs, strict=True)):
        if pair is not None:
            own = len(pair[0])
            down[index, :own] = pair[0]
            up[index, :, :own] = pair[1].double() * adapter.scale
    return _Factors(down, up)


def _bases(factors: _Factors) -> _Bases:
    outputs, upper = torch.linalg.qr(factors.up)
    inputs, lower = torch.linalg.qr(factors.down.mT)
    left, sizes, right = torch.linalg.svd(upper @ lower.mT)
    counted = sizes > LEAST_SINGULAR * sizes[:, :1]
    kept = counted[:, None].double()
    # qr gives as many columns as the smaller side has
    return _Bases(
        outputs @ left[:, :, : sizes.shape[1]] * kept,
        inputs @ right.mT[:, :, : sizes.shape[1]] * kept,
        counted.sum(1),
    )
