"""How much a backend takes at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from caveat.types.training import Dose

BYTES_A_WEIGHT = 24
"""Of an adapter in training: in float32 itself, its gradient and AdamW's two moments, and the
copies that a pass computes with."""


STATE_BYTES = 16
"""The same without the copies."""


@dataclass(frozen=True)
class Capacity:
    """How much a backend takes at once, and what that needs."""

    layer_weights: tuple[int, ...] = ()
    """Per decoder layer, the weights of an adapter of rank 1 that adapts it; () where unknown."""
    adapter_bytes: float | None = None
    """Memory that the adapters of one call of `train` may take; None where that is no limit."""
    most_adapters: int = 1
    """Adapters of one call of `train` beyond which no speed is gained."""
    model_bytes: int = 0
    """Memory of the base model."""
    pass_bytes: int = 0
    """Memory of the activations and logits of one pass."""
    workers: int = 1
    """Calls that are worked on side by side."""

    def weights(self, dose: Dose) -> int:
        """Weights of one adapter of a dose."""
        count = len(self.layer_weights)
        low, high = (round(share * count) for share in dose.layers)
        return dose.rank * sum(self.layer_weights[low:high])

    def adapters(self, dose: Dose) -> int:
        """Adapters of a dose that are trained together."""
        if self.adapter_bytes is None:
            return self.most_adapters
        weights = max(1, self.weights(dose) * BYTES_A_WEIGHT)
        return max(1, min(self.most_adapters, int(self.adapter_bytes / weights)))

    def training_bytes(self, doses: Sequence[Dose]) -> int:
        """Memory to train one adapter of each dose together, counted rather than measured."""
        states = STATE_BYTES * sum(map(self.weights, doses))
        return self.model_bytes + states + self.pass_bytes


def least(capacities: Sequence[Capacity]) -> Capacity:
    """What every one of several workers can do, and their number."""
    smallest = min(
        capacities, key=lambda one: math.inf if one.adapter_bytes is None else one.adapter_bytes
    )
    return replace(smallest, workers=len(capacities))
