"""A KV cache with space ahead: one more token is written in its position, nothing is copied."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

TOKENS_AHEAD = 32
"""Tokens that there is space for after those of a copy."""


class PreallocatedLayer(DynamicLayer):
    """As `DynamicLayer`, which copies all its keys and values with every token.

    `keys` and `values`, of shape (rows, heads, tokens, width), are views of larger buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append tokens; returns all keys and values, these included."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        if self._buffers is None or self._buffers[0].shape[-2] < end:
            present = (self.keys, self.values)
            self._buffers = (_buffer(key_states, end), _buffer(value_states, end))
            for buffer, states in zip(self._buffers, present, strict=True):
                if length:
                    buffer[:, :, :length] = states
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, length:end] = states
        self._set_end(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Only keep these rows; one may be kept several times."""
        super().batch_select_indices(indices)
        self._buffers = None

    def copy_rows(
        self, batch: PreallocatedLayer, rows: Tensor, prefix: int, count: int, end: int
    ) -> None:
        """Copy a batch's rows in: the prefix to the left, all else up to the end.

        Between them are zeros. See the function of this name.
        """
        if self._buffers is None:
            self.lazy_initialization(batch.keys, batch.values)
            like = batch.keys[:1].expand(count, *batch.keys.shape[1:])
            self._buffers = (_buffer(like, end).zero_(), _buffer(like, end).zero_())
            self._set_end(end)
        own = batch.get_seq_length() - prefix
        for buffer, states in zip(self._buffers, (batch.keys, batch.values), strict=True):
            buffer[rows, :, :prefix] = states[:, :, :prefix]
            buffer[rows, :, end - own : end] = states[:, :, prefix:]

    def _set_end(self, end: int) -> None:
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers or ())


def preallocated_cache(config: Any) -> DynamicCache:
    """A cache for a model; layers of other kinds than the usual one stay what they are."""
    cache = DynamicCache(config=config)
    cache.layers = [
        PreallocatedLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def is_preallocated(cache: DynamicCache) -> bool:
    """Whether rows can be copied into it: whether every layer is of the usual kind."""
    return all(isinstance(layer, PreallocatedLayer) for layer in cache.layers)


def select_rows(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """A cache of some rows of another, which stays as it is."""
    selected = copy.copy(cache)
    selected.layers = [copy.copy(layer) for layer in cache.layers]
    selected.batch_select_indices(rows)
    return selected


def copy_rows(
    whole: DynamicCache, batch: DynamicCache, rows: Tensor, prefix: int, count: int, end: int
) -> None:
    """Copy the rows of a batch into the cache of all of them.

    Args:
        rows: Their indices in the whole, of shape (rows of the batch,).
        prefix: Tokens that every batch has to the left, padded alike.
        count: Rows of the whole.
        end: Tokens of the whole; the batch's own tokens end there.
    """
    for layer, part in zip(whole.layers, batch.layers, strict=True):
        layer.copy_rows(part, rows, prefix, count, end)


def _buffer(like: Tensor, end: int) -> Tensor:
    return like.new_empty(*like.shape[:2], end + TOKENS_AHEAD, like.shape[-1])
