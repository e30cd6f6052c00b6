"""A KV cache with room ahead: a token more is written where it belongs, nothing else is copied."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

AHEAD = 32
"""Tokens that there is room for behind those of a copy."""


class PreallocatedLayer(DynamicLayer):
    """As `DynamicLayer`, which copies all that it holds with every token.

    `keys` and `values`, of shape (rows, heads, tokens, width), are views of the room.
    """

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take in more tokens; all keys and values there are by then."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        end = before + key_states.shape[-2]
        if self._room is None or self._room[0].shape[-2] < end:
            held = (self.keys, self.values)
            self._room = (_room(key_states, end), _room(value_states, end))
            for room, states in zip(self._room, held, strict=True):
                if before:
                    room[:, :, :before] = states
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, before:end] = states
        self._show(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Only keep these rows; one may be kept several times."""
        super().batch_select_indices(indices)
        self._room = None

    def place(
        self, part: PreallocatedLayer, rows: Tensor, beginning: int, count: int, end: int
    ) -> None:
        """Take a part's rows in: the beginning to the left, all else up to the end.

        What is between them is zero. See `placed`.
        """
        if self._room is None:
            self.lazy_initialization(part.keys, part.values)
            like = part.keys[:1].expand(count, *part.keys.shape[1:])
            self._room = (_room(like, end).zero_(), _room(like, end).zero_())
            self._show(end)
        own = part.get_seq_length() - beginning
        for room, held in zip(self._room, (part.keys, part.values), strict=True):
            room[rows, :, :beginning] = held[:, :, :beginning]
            room[rows, :, end - own : end] = held[:, :, beginning:]

    def _show(self, end: int) -> None:
        self.keys, self.values = (room[:, :, :end] for room in self._room or ())


def preallocated_cache(config: Any) -> DynamicCache:
    """A cache for a model; layers of other kinds than the usual one stay what they are."""
    cache = DynamicCache(config=config)
    cache.layers = [
        PreallocatedLayer() if type(each) is DynamicLayer else each for each in cache.layers
    ]
    return cache


def is_preallocated(cache: DynamicCache) -> bool:
    """Whether parts can be placed in it: whether every layer is of the usual kind."""
    return all(isinstance(layer, PreallocatedLayer) for layer in cache.layers)


def selected(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """A cache of some rows of another, which stays as it is."""
    some = copy.copy(cache)
    some.layers = [copy.copy(layer) for layer in cache.layers]
    some.batch_select_indices(rows)
    return some


def placed(
    whole: DynamicCache, part: DynamicCache, rows: Tensor, beginning: int, count: int, end: int
) -> None:
    """Put a part's rows into a cache of all of them.

    Args:
        rows: Where in the whole, of shape (rows of the part,).
        beginning: Tokens that every part has to the left, padded alike.
        count: Rows of the whole.
        end: Tokens of the whole; the part's own tokens end there.
    """
    for into, layer in zip(whole.layers, part.layers, strict=True):
        into.place(layer, rows, beginning, count, end)


def _room(like: Tensor, end: int) -> Tensor:
    return like.new_empty(*like.shape[:2], end + AHEAD, like.shape[-1])
