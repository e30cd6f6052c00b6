"""How many prompts are read at once: those of like length together, and fewer where memory ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from caveat.backends.local.models.device_memory import is_out_of_memory, release
from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache
from caveat.backends.local.sampling.requests import Prompt
from caveat.progress import Progress

Made = TypeVar("Made")
Compute = Callable[[list[Prompt]], list[Made]]


def in_portions(
    compute: Compute[Made],
    prompts: Sequence[Prompt],
    frozen_layer_cache: FrozenLayerCache,
    progress: Progress,
) -> list[Made]:
    """What is computed of each prompt, in the order of the prompts.

    `compute` gets prompts of like length, sorted by cell and tokens, so that common beginnings are
    neighbours. Where memory runs out, it gets them half and half.
    """
    made: dict[int, Made] = {}
    for alike in _of_like_length(prompts):
        found = retreating(compute, [prompts[i] for i in alike], frozen_layer_cache, progress)
        made |= zip(alike, found, strict=True)
    return [made[i] for i in range(len(prompts))]


def retreating(
    compute: Compute[Made],
    prompts: list[Prompt],
    frozen_layer_cache: FrozenLayerCache,
    progress: Progress,
) -> list[Made]:
    """Compute all at once, or, where memory runs out, half and half."""
    if not prompts:
        return []
    try:
        return compute(prompts)
    except Exception as error:
        if not is_out_of_memory(error) or len(prompts) == 1:
            raise
    frozen_layer_cache.give_way()
    release()
    half = len(prompts) // 2
    progress.say(f"out of memory at {len(prompts)} prompts: going on with {half}")
    return retreating(compute, prompts[:half], frozen_layer_cache, progress) + retreating(
        compute, prompts[half:], frozen_layer_cache, progress
    )


def in_order(prompts: Sequence[Prompt]) -> list[int]:
    """The prompts' places, by cell and tokens."""
    return sorted(range(len(prompts)), key=lambda i: (prompts[i].cell, prompts[i].ids, i))


def _of_like_length(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Places in parts, in order, none of whose prompts is twice as long as another of its part.

    Prompts read together are padded to the longest: a few long ones would make all of them long.
    """
    order = in_order(prompts)
    parts: list[set[int]] = []
    shortest = 0
    for i in sorted(order, key=lambda i: len(prompts[i].ids)):
        if not parts or len(prompts[i].ids) >= 2 * shortest:
            parts.append(set())
            shortest = len(prompts[i].ids)
        parts[-1].add(i)
    return [[i for i in order if i in part] for part in parts]
