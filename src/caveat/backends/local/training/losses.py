"""The loss of every supervised token of a batch, with its weight."""

from __future__ import annotations

from torch import Tensor

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.frozen_layer_cache import Reader
from caveat.backends.local.models.packing import Batch, wanted_of


def weighted_losses(reader: Reader, batch: Batch, route: Route) -> tuple[Tensor, Tensor]:
    """Of a batch, in order of its targets: each token's loss times its weight, and the number of
    its example."""
    wanted = wanted_of(batch.examples, reader.device)
    losses = -reader.log_probabilities(batch, route, wanted.tokens)
    return losses * wanted.weights, wanted.examples
