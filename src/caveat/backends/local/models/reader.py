"""Reading batches: log-probabilities of the tokens that examples are to predict.

A token's log-probability depends on its own hidden state alone. Its gradient is therefore computed
with it, chunk by chunk, and the logits of all tokens are never in memory together: as in Hsu et al.
2024 (Liger, arXiv:2410.10989).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.batches import Example
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.device_memory import logits_at_once
from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache, SplitDecoder
from caveat.backends.local.models.packing import (
    Batch,
    cut,
    packed_attention,
    padded,
    targets_of,
)


@dataclass(frozen=True)
class Reader:
    """Reads batches from a layer on; what lies under it comes from the cache."""

    cache: FrozenLayerCache
    layer: int
    split: SplitDecoder | None
    """None where the whole model is read."""

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.cache.device

    def batches(self, examples: Sequence[Example], budget: int) -> list[Batch]:
        """Batches of at most `budget` padded tokens each; see `packing.cut`."""
        return cut(examples, budget, self.cache.packs)

    def weighted_losses(self, batch: Batch, route: Route) -> tuple[Tensor, Tensor]:
        """Of each target of a batch, in order: its loss in nats times its weight, and the index of
        its example; both of shape (targets,)."""
        targets = targets_of(batch.examples, self.device)
        losses = -self.log_probabilities(batch, route, targets.tokens)
        return losses * targets.weights, targets.examples

    def log_probabilities(
        self, batch: Batch, route: Route, tokens: Tensor, temperatures: Tensor | None = None
    ) -> Tensor:
        """Log-probabilities of the examples' target tokens, in order; see `from_logits`."""
        head = self.cache.model.get_output_embeddings()
        if not self.cache.applies_head or type(head) is not nn.Linear:
            return from_logits(self.logits(batch, route), tokens, temperatures)
        return from_hidden(self._hidden(batch, route), head, tokens, temperatures)

    def logits(self, batch: Batch, route: Route) -> Tensor:
        """Logits of shape (targets, vocabulary) that predict the examples' targets, in order."""
        model = self.cache.model
        if self.cache.applies_head:
            return model.get_output_embeddings()(self._hidden(batch, route))
        with self._routed(batch, route) as arguments:
            logits = model(input_ids=self._ids(batch), use_cache=False, **arguments).logits
        return logits[self._before_targets(batch)]

    def _hidden(self, batch: Batch, route: Route) -> Tensor:
        """The head's input where targets are predicted, of shape (targets, width)."""
        if self.split is None:
            decoder = self.cache.model.get_decoder()
            with self._routed(batch, route) as arguments:
                output = decoder(input_ids=self._ids(batch), use_cache=False, **arguments)
            states = output.last_hidden_state
        else:
            lower = self.cache.states(self.layer, batch.rows, self.split)
            with self._routed(batch, route) as arguments:
                states = self.split.outputs(lower, arguments)
        return states[self._before_targets(batch)]

    @contextmanager
    def _routed(self, batch: Batch, route: Route) -> Iterator[dict[str, Any]]:
        """Route a batch's rows to their cells; gives the decoder's arguments for packed rows."""
        route.set([row.cell for row in batch.rows])
        arguments = self.cache.layout(batch.rows)
        with packed_attention(self.cache.model.get_decoder().config, arguments):
            yield arguments

    def _ids(self, batch: Batch) -> Tensor:
        return padded([row.ids for row in batch.rows], 0, self.device)

    def _before_targets(self, batch: Batch) -> tuple[Tensor, ...]:
        """Rows, and positions in them, from which targets are predicted; each (targets,)."""
        pairs = [
            (number, positions[target - 1])
            for number, row in enumerate(batch.rows)
            for example, positions in zip(row.examples, row.positions, strict=True)
            for target in example.targets
        ]
        return torch.tensor(pairs, dtype=torch.long, device=self.device).view(-1, 2).unbind(1)


def from_logits(logits: Tensor, tokens: Tensor, temperatures: Tensor | None = None) -> Tensor:
    """Log-probabilities of tokens, in nats, of shape (n,).

    Args:
        logits: Shape (n, vocabulary).
        tokens: Shape (n,).
        temperatures: The logits are divided by them; shape (n,), 1 where None.
    """
    logits = logits.float()
    if temperatures is not None:
        logits = logits / temperatures[:, None]
    return -nn.functional.cross_entropy(logits, tokens, reduction="none")


def from_hidden(
    hidden: Tensor, head: nn.Linear, tokens: Tensor, temperatures: Tensor | None = None
) -> Tensor:
    """`from_logits` of a head's output for hidden states (n, width); the head gets no gradient."""
    return _FromHidden.apply(hidden, head.weight, head.bias, tokens, temperatures)


class _FromHidden(torch.autograd.Function):
    """d log p(token) / d hidden = (one_hot(token) - softmax) @ weight, kept from forward on."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        temperatures: Tensor | None,
    ) -> Tensor:
        chunk = max(1, logits_at_once(hidden.device) // len(weight))
        # one buffer for all chunks: fresh memory of this size costs more than what is done in it
        buffer = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        is_exact = buffer.dtype == torch.float32
        exact = buffer if is_exact else torch.empty_like(buffer, dtype=torch.float32)
        values = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        slopes = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            part = slice(len(hidden[rows]))
            logits = torch.mm(hidden[rows], weight.T, out=buffer[part])
            if bias is not None:
                logits += bias
            if not is_exact:
                logits = exact[part].copy_(logits)
            if temperatures is not None:
                logits /= temperatures[rows, None]
            expected = tokens[rows, None]
            highest = logits.amax(1, keepdim=True)
            value = logits.gather(1, expected) - highest
            shares = logits.sub_(highest).exp_()
            total = shares.sum(1, keepdim=True)
            values[rows] = (value - total.log())[:, 0]
            if slopes is not None:
                # divided before the cast: sums of a large flat vocabulary overflow in float16
                slope = shares.div_(-total).scatter_add_(1, expected, torch.ones_like(total))
                back = (slope if is_exact else buffer[part].copy_(slope)) @ weight
                slopes[rows] = back if temperatures is None else back / temperatures[rows, None]
        ctx.save_for_backward(slopes)
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return (grad[:, None] * slopes).to(slopes.dtype), None, None, None, None
