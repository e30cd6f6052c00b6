"""Weights in the order in which oneDNN reads them, for sampling in bfloat16 on a CPU.

torch gives oneDNN plain weights, which are then ordered anew for each product: for the few rows of
a decoding step that takes a third to three quarters of the product's time. Here they are ordered
once, and kept beside the plain weights, which training needs. Products are equal to the bit with
one thread; with several, a sum may be in another order. In float32 torch takes another library, and
little is gained (docs/engineering/speed.md).
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from caveat.backends.local.models.device_memory import free

SHARE_OF_FREE = 0.25
"""Of the free memory, what the copies may take: an RL training that is under way has planned with
`device_memory.SHARE` of it."""
TRIED_SIZE = 64
"""Rows and columns of the matrix with which it is tried whether this build of torch can."""


@dataclass(frozen=True)
class _Copy:
    """A weight in another order, and what it was made of."""

    prepacked: Tensor
    origin: tuple[int, int]


class PrepackedWeights:
    """Copies of a model's weights, and layers that multiply with them in inference mode.

    The modules stay as they are: a layer looks for its copy whenever it is called. So several
    threads may sample, hooks are called, and without inference mode (in training, above all) or
    without a copy it is the usual product.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._copies: dict[nn.Linear, _Copy] = {}
        self._ran_out = False

    @property
    def nbytes(self) -> int:
        """What the copies take."""
        return sum(layer.weight.nbytes for layer in list(self._copies))

    def prepare(self) -> None:
        """Make the copies that are missing.

        None are made where device, dtype or the build of torch knows no such order, where there is
        no room, or where memory ran out before.
        """
        layers = [layer for layer in self.model.modules() if type(layer) is nn.Linear]
        missing = [layer for layer in layers if self._copy(layer) is None]
        if not missing or not self._has_room(missing):
            return
        try:
            for layer in missing:
                self._copies[layer] = _Copy(_prepack(layer.weight), _origin(layer))
                layer.forward = partial(_multiply, layer, self)
        except (RuntimeError, MemoryError):  # without copies it is as right, and slower
            self.shrink()

    def drop(self) -> None:
        """Free them; `prepare` makes them anew."""
        self._copies.clear()

    def shrink(self) -> None:
        """Where memory has run out: free them, and make none from now on."""
        self._ran_out = True
        self.drop()

    def product(self, layer: nn.Linear, x: Tensor) -> Tensor | None:
        """A layer's output; None without a valid copy."""
        copy = self._copy(layer)
        return None if copy is None else _product(x, copy.prepacked, layer.bias)

    def _copy(self, layer: nn.Linear) -> _Copy | None:
        copy = self._copies.get(layer)
        return copy if copy is not None and copy.origin == _origin(layer) else None

    def _has_room(self, layers: list[nn.Linear]) -> bool:
        weights = [layer.weight for layer in layers]
        if self._ran_out or not all(can_prepack(w.device.type, w.dtype) for w in weights):
            return False
        return sum(w.nbytes for w in weights) <= SHARE_OF_FREE * free(weights[0].device)


def _multiply(layer: nn.Linear, weights: PrepackedWeights, x: Tensor) -> Tensor:
    """What `layer` does in place of its class's `forward`."""
    product = weights.product(layer, x) if torch.is_inference_mode_enabled() else None
    return linear(x, layer.weight, layer.bias) if product is None else product


def _origin(layer: nn.Linear) -> tuple[int, int]:
    """Changes when a weight is replaced or written to."""
    weight = layer.weight
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


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
