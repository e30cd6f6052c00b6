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
from typing import Protocol

import numpy as np

from caveat.measure.inference import ALPHA, Inference
from caveat.measure.ladder.blocks import Block
from caveat.measure.rates import interval_label

LEVELS = tuple(sorted({ALPHA, *np.exp(-np.arange(1.0, 21.0))}, reverse=True))
"""Levels at which margins are computed for p-values, down to 2e-9."""


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
    """Contrasts over the rungs of a study. Weights have the shape (contrasts, rungs), in the order
    of the frame of rungs; a rung that lacks the figure has the weight 0 throughout. `levels`, among
    them `ALPHA`, are those between which p-values are interpolated."""

    def __init__(
        self, blocks: Sequence[Block], leaking: set[int], levels: tuple[float, ...] = LEVELS
    ) -> None:
        self.blocks, self.levels = blocks, levels
        self.leakage = [_Leakage.of(block, leaking, levels) for block in blocks]

    def rates(self, weights: np.ndarray) -> Contrast:
        """Of R(marked, none) - R(base, none)."""
        parts = [
            _Rates(block.inference, weights[:, block.rungs] @ np.nan_to_num(block.leaks))
            for block in self.blocks
        ]
        found = _contrast(parts, self.levels)
        reach = np.abs(weights).sum(1)
        low, high = np.maximum(found.low, -reach), np.minimum(found.high, reach)
        return Contrast(found.value, low, high, found.p, found.interval)

    def leakages(self, weights: np.ndarray) -> Contrast:
        """Of leakages, of the rungs that are `leaking`: those whose leakage is defined."""
        parts = [_Leakages(each, weights[:, each.rungs]) for each in self.leakage if each.rungs]
        return _contrast(parts, self.levels)


class _Part(Protocol):
    """What one behaviour adds to several contrasts."""

    inference: Inference
    cells: np.ndarray
    """Shape (contrasts, cells): weights of rates."""

    @property
    def value(self) -> np.ndarray: ...

    def squares(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Squared margins below and above."""
        ...


@dataclass(frozen=True)
class _Rates:
    inference: Inference
    cells: np.ndarray

    @property
    def value(self) -> np.ndarray:
        return self.cells @ self.inference.panel.mean

    def squares(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        below, above = self.inference.margins(self.cells, alpha)
        return below**2, above**2


class _Leakage:
    """Leakages of the rungs of a block, as ratios and linearised."""

    def __init__(
        self,
        inference: Inference,
        rungs: tuple[int, ...],
        above: np.ndarray,
        below: np.ndarray,
        levels: tuple[float, ...],
    ) -> None:
        self.inference, self.rungs, self.levels = inference, rungs, levels
        self.above, self.below = above, below
        size = below @ inference.panel.mean
        self.value = above @ inference.panel.mean / size
        self.linear = (above - self.value[:, None] * below) / size[:, None]
        """Shape (rungs, cells): how each moves with the rates of the cells."""

    @classmethod
    def of(cls, block: Block, leaking: set[int], levels: tuple[float, ...]) -> _Leakage:
        kept = [place for place, rung in enumerate(block.rungs) if rung in leaking]
        rungs = tuple(block.rungs[place] for place in kept)
        return cls(block.inference, rungs, block.leaks[kept], block.installed[kept], levels)

    @cached_property
    def excess(self) -> dict[float, tuple[np.ndarray, np.ndarray]]:
        """By level, by how much squared margins of the ratios, below and above, are larger than
        those of the linearised form; each of shape (rungs,). All levels at once: each alone takes
        as long."""

        def tiled(weights: np.ndarray) -> np.ndarray:
            return np.tile(weights, (len(self.levels), 1))

        levels = np.repeat(self.levels, len(self.rungs))
        value, low, high = self.inference.ratios(tiled(self.above), tiled(self.below), levels)
        own = self.inference.squared_margins(tiled(self.linear), levels)
        shape = (len(self.levels), len(self.rungs))
        down, up = (((end - value) ** 2 - own).reshape(shape) for end in (low, high))
        return {level: (down[place], up[place]) for place, level in enumerate(self.levels)}


class _Leakages:
    def __init__(self, leakage: _Leakage, weights: np.ndarray) -> None:
        self.leakage, self.weights = leakage, weights
        self.inference, self.cells = leakage.inference, weights @ leakage.linear
        self.value = weights @ leakage.value

    def squares(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        down, up = self.leakage.excess[alpha]
        linear = self.inference.squared_margins(self.cells, alpha)
        rising = self.weights > 0
        below = (self.weights**2 * np.where(rising, down, up)).sum(1)
        above = (self.weights**2 * np.where(rising, up, down)).sum(1)
        return linear + np.maximum(below, 0.0), linear + np.maximum(above, 0.0)


def _contrast(parts: Sequence[_Part], levels: Sequence[float]) -> Contrast:
    value = np.sum([part.value for part in parts], axis=0)
    below, above = _margins(parts, ALPHA)
    p = _p_values(parts, value, levels)
    return Contrast(value, value - below, value + above, p, _intervals(parts))


def _margins(parts: Sequence[_Part], alpha: float) -> tuple[np.ndarray, np.ndarray]:
    below, above = np.sum([part.squares(alpha) for part in parts], axis=0)
    return np.sqrt(below), np.sqrt(above)


def _p_values(
    parts: Sequence[_Part], value: np.ndarray, levels: Sequence[float]
) -> np.ndarray:
    towards = [np.where(value > 0, *_margins(parts, level)) for level in levels]
    reach = np.maximum.accumulate(np.stack([np.zeros_like(value), *towards]))
    logs = np.log([1.0, *levels])
    return np.exp([
        np.interp(abs(each), margins, logs) for each, margins in zip(value, reach.T, strict=True)
    ])  # fmt: skip


def _intervals(parts: Sequence[_Part]) -> tuple[str, ...]:
    """A part without cells of a contrast says nothing of it."""
    over = np.all([
        ~(part.cells != 0).any(1) | part.inference.over_seeds(part.cells) for part in parts
    ], axis=0)  # fmt: skip
    return tuple(interval_label(each) for each in over.tolist())
