"""Contrasts: weighted sums over rungs, of leakages or of rates above base.

**Margin.** Rungs of one behaviour are drawn together. The squared margin of a contrast of leakages
is that of its linearised form, whose weights on the cells are the derivatives of the ratios, plus
by how much the squared margins of its rungs' own leakages (Fieller), on the side in question,
differ from their linearised ones: the MOVER of Zou & Donner (2008) with the correlation that the
paired draws imply, as `Inference` has it for rates. It is not less than the linearised one. Squared
margins of several behaviours add up, as if these were independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caveat.measure.inference import ALPHA
from caveat.measure.ladder.blocks import Block
from caveat.measure.rates import interval_label

LEVELS = tuple(sorted({ALPHA, *np.exp(-np.arange(1, 41) / 2)}, reverse=True))
"""Levels at which margins are computed for p-values, from the widest down to 2e-9."""


@dataclass(frozen=True)
class Contrast:
    """Figures of several contrasts; each array has the shape (contrasts,)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    """The level at which the interval reaches 0, interpolated between `LEVELS`."""
    interval: tuple[str, ...]
    """`seeds` or `within seed`."""


class Contrasts:
    """Contrasts over the rungs of a study. Weights have the shape (contrasts, rungs), rungs in the
    order of their frame; a rung without the figure has the weight 0."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks

    def rates(self, weights: np.ndarray) -> Contrast:
        """Of R(marked, none) - R(base, none)."""
        parts = [_Rates(block, weights[:, block.rungs]) for block in self.blocks]
        found = _contrast(parts)
        reach = np.abs(weights).sum(1)
        low, high = np.maximum(found.low, -reach), np.minimum(found.high, reach)
        return Contrast(found.value, low, high, found.p, found.interval)

    def leakages(self, weights: np.ndarray) -> Contrast:
        """Of leakages; rungs whose leakage is undefined must have the weight 0."""
        return _contrast([_Leakages(block, weights[:, block.rungs]) for block in self.blocks])


@dataclass(frozen=True)
class _Rates:
    """Contrasts within one block; `weights` has the shape (contrasts, rungs of the block)."""

    block: Block
    weights: np.ndarray

    @cached_property
    def value(self) -> np.ndarray:
        return self.cells @ self.block.inference.panel.mean

    @cached_property
    def cells(self) -> np.ndarray:
        """Shape (contrasts, cells): weights of rates."""
        return self.weights @ np.nan_to_num(self.block.leaks)

    def squares(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Squared margins below and above."""
        below, above = self.block.inference.margins(self.cells, alpha)
        return below**2, above**2


@dataclass(frozen=True)
class _Leakages(_Rates):
    @cached_property
    def used(self) -> np.ndarray:
        """Rungs of the block that some contrast holds."""
        return np.flatnonzero((self.weights != 0).any(0))

    @cached_property
    def value(self) -> np.ndarray:
        return self.weights[:, self.used] @ self.leakage

    @cached_property
    def leakage(self) -> np.ndarray:
        return self.block.values(self.block.leaks[self.used]) / self.size

    @cached_property
    def size(self) -> np.ndarray:
        return self.block.values(self.block.installed[self.used])

    @cached_property
    def linear(self) -> np.ndarray:
        """Shape (used rungs, cells): how a leakage moves with the rates of its cells."""
        rest = self.block.leaks[self.used] - self.leakage[:, None] * (
            self.block.installed[self.used]
        )
        return rest / self.size[:, None]

    @cached_property
    def cells(self) -> np.ndarray:
        return self.weights[:, self.used] @ self.linear

    def squares(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        if not len(self.used):
            nothing = np.zeros(len(self.weights))
            return nothing, nothing
        inference = self.block.inference
        value, low, high = inference.ratios(
            self.block.leaks[self.used], self.block.installed[self.used], alpha
        )
        own = inference.squared_margins(self.linear, alpha)
        down, up = (value - low) ** 2 - own, (high - value) ** 2 - own
        together = inference.squared_margins(self.cells, alpha)
        weights = self.weights[:, self.used]
        below = (weights**2 * np.where(weights > 0, down, up)).sum(1)
        above = (weights**2 * np.where(weights > 0, up, down)).sum(1)
        return np.maximum(together + below, together), np.maximum(together + above, together)


def _contrast(parts: Sequence[_Rates]) -> Contrast:
    value = np.sum([part.value for part in parts], axis=0)
    below, above = _margins(parts, ALPHA)
    return Contrast(
        value, value - below, value + above, _p_values(parts, value), _intervals(parts, len(value))
    )


def _margins(parts: Sequence[_Rates], alpha: float) -> tuple[np.ndarray, np.ndarray]:
    below, above = np.sum([part.squares(alpha) for part in parts], axis=0)
    return np.sqrt(below), np.sqrt(above)


def _p_values(parts: Sequence[_Rates], value: np.ndarray) -> np.ndarray:
    towards = [np.where(value > 0, *_margins(parts, level)) for level in LEVELS]
    reach = np.maximum.accumulate(np.stack([np.zeros_like(value), *towards]))
    logs = np.log([1.0, *LEVELS])
    return np.exp([
        np.interp(abs(each), margins, logs) for each, margins in zip(value, reach.T, strict=True)
    ])  # fmt: skip


def _intervals(parts: Sequence[_Rates], count: int) -> tuple[str, ...]:
    over = np.ones(count, dtype=bool)
    for part in parts:
        used = (part.weights != 0).any(1)
        over &= ~used | part.block.inference.over_seeds(part.cells)
    return tuple(interval_label(each) for each in over.tolist())
