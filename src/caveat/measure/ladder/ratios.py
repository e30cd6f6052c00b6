"""Weighted sums of leakages within one behaviour, as ratios with different denominators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveat.measure.inference import ALPHA, Inference
from caveat.measure.ladder.blocks import Block


@dataclass(frozen=True)
class Ratios:
    """Sums of ratios, one a contrast. The ratios of all contrasts stand one after the other."""

    inference: Inference
    contrast: np.ndarray
    """Shape (ratios,): which contrast each belongs to."""
    contrasts: int
    above: np.ndarray
    """Shape (ratios, cells): weights of the numerators."""
    below: np.ndarray
    """The same of the denominators."""

    @property
    def count(self) -> np.ndarray:
        """Shape (contrasts,): ratios of each."""
        return np.bincount(self.contrast, minlength=self.contrasts)

    @property
    def each(self) -> np.ndarray:
        """Shape (ratios,): their values."""
        mean = self.inference.panel.mean
        return (self.above @ mean) / (self.below @ mean)

    @property
    def value(self) -> np.ndarray:
        """Shape (contrasts,)."""
        return self._summed(self.each)

    @property
    def numerators(self) -> np.ndarray:
        """Shape (contrasts, cells): of use where a contrast is one ratio."""
        return self._summed(self.above)

    @property
    def linear(self) -> np.ndarray:
        """Shape (contrasts, cells): how a contrast moves with the rates of the cells."""
        return self._summed(self._linear())

    def squared_margins(self) -> tuple[np.ndarray, np.ndarray]:
        """Below and above, each of shape (contrasts,); see `contrasts`."""
        value, low, high = self.inference.ratios(self.above, self.below)
        own = self.inference.squared_margins(self._linear(), ALPHA)
        together = self.inference.squared_margins(self.linear, ALPHA)
        found = []
        for margin in (value - low, high - value):
            several = together + np.maximum(self._summed(margin**2 - own), 0.0)
            found.append(np.where(self.count == 1, self._summed(margin**2), several))
        return found[0], found[1]

    def _linear(self) -> np.ndarray:
        size = self.below @ self.inference.panel.mean
        return (self.above - self.each[:, None] * self.below) / size[:, None]

    def _summed(self, of_ratios: np.ndarray) -> np.ndarray:
        """Sums over the ratios of each contrast."""
        found = np.zeros((self.contrasts, *of_ratios.shape[1:]))
        np.add.at(found, self.contrast, of_ratios)
        return found


def ratios(block: Block, weights: np.ndarray) -> Ratios:
    """The contrasts of a block's leakages; `weights` has the shape (contrasts, rungs of the block).

    Rungs with the same denominator make one ratio.
    """
    parts, contrast, below = [], [], []
    for rungs in _alike(block, np.flatnonzero((weights != 0).any(0))):
        used = np.flatnonzero((weights[:, rungs] != 0).any(1))
        parts.append(weights[np.ix_(used, rungs)] @ block.leaks[rungs])
        below.append(np.broadcast_to(block.installed[rungs[0]], parts[-1].shape))
        contrast.append(used)
    cells = len(block.inference.panel.cells)
    return Ratios(
        block.inference,
        np.concatenate([np.empty(0, dtype=int), *contrast]),
        len(weights),
        np.concatenate([np.empty((0, cells)), *parts]),
        np.concatenate([np.empty((0, cells)), *below]),
    )


def _alike(block: Block, rungs: np.ndarray) -> list[list[int]]:
    """The rungs by the cells of their denominators."""
    found: dict[bytes, list[int]] = {}
    for rung in rungs.tolist():
        found.setdefault(block.installed[rung].tobytes(), []).append(rung)
    return list(found.values())
