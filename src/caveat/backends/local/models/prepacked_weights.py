"""Weights in the order in which oneDNN reads them, for sampling in bfloat16 on a CPU.

torch gives oneDNN plain weights, which are then ordered anew for each product. Where a product has
few rows, as when one token of each reply is read, that takes most of its time. Here they are
ordered once, and kept beside the plain weights, which training needs. In float32 torch takes
another library, and little would be gained (docs/engineering/speed.md).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from caveat.backends.local.models.device_memory import free

SHARE_OF_FREE = 0.25
"""Of the free memory, what the second copy may take: a training that is under way has planned with
`device_memory.SHARE` of it."""
TRIED_SIZE = 64
"""Rows and columns of the matrix with which it is tried whether this build of torch can."""


class PrepackedLinear(nn.Module):
    """A frozen linear layer that multiplies with its prepacked weight."""

    def __init__(self, base: nn.Linear, prepacked: Tensor) -> None:
        super().__init__()
        self.base = base
        self.prepacked = prepacked

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (..., in) to (..., out). No gradient passes."""
        return _product(x, self.prepacked, self.base.bias)


class PrepackedWeights:
    """The prepacked weights of a frozen model, made when they are first used."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._prepacked: dict[nn.Linear, Tensor] = {}
        self._ran_out = False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While the context lasts, linear layers of the model multiply with prepacked weights.

        Nothing changes where device, dtype or the build of torch knows no such order, or where
        there is no room for a second copy.
        """
        layers = {
            name: layer for name, layer in self.model.named_modules() if type(layer) is nn.Linear
        }
        if not self._has_room(list(layers.values())):
            layers = {}
        try:
            for name, layer in layers.items():
                if layer not in self._prepacked:
                    self._prepacked[layer] = _prepack(layer.weight)
                self.model.set_submodule(name, PrepackedLinear(layer, self._prepacked[layer]))
            yield
        finally:
            for name, layer in layers.items():
                self.model.set_submodule(name, layer)

    def drop(self) -> None:
        """Free them; the next use makes them anew."""
        self._prepacked.clear()

    def shrink(self) -> None:
        """Where memory has run out: free them, and make none from now on."""
        self.drop()
        self._ran_out = True

    def _has_room(self, layers: list[nn.Linear]) -> bool:
        weights = [layer.weight for layer in layers]
        if self._ran_out or not all(can_prepack(w.device.type, w.dtype) for w in weights):
            return False
        missing = sum(layer.weight.nbytes for layer in layers if layer not in self._prepacked)
        return not missing or missing <= SHARE_OF_FREE * free(weights[0].device)


@cache
def can_prepack(device: str, dtype: torch.dtype) -> bool:
    """Whether weights of a dtype can be prepacked: tried on a small product.

    The calls are no documented part of torch, so that another release may lack or change them.
    """
    if (device, dtype) != ("cpu", torch.bfloat16) or platform.machine() not in ("x86_64", "AMD64"):
        return False
    weight = torch.linspace(-1, 1, TRIED_SIZE**2, dtype=dtype).view(TRIED_SIZE, TRIED_SIZE)
    states, bias = weight[:4].flip(1).contiguous(), weight[0].clone()
    try:
        if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        with torch.inference_mode():
            product = _product(states, _prepack(weight), bias)
        return torch.allclose(product.float(), linear(states, weight, bias).float(), rtol=0.02)
    except (AttributeError, RuntimeError):
        return False


def _prepack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)


def _product(x: Tensor, prepacked: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, prepacked, bias, "none", [], "")
