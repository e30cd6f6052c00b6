"""Contrasts of leakages, as ratios with intervals.

Weighted sums of leakages within one behaviour, as ratios with different denominators.

Contrasts: weighted sums over rungs, of leakages or of rates above base.

**Margin.** Rungs of one behaviour are paired. Leakages whose denominators are the same
replies, as under several caveats on one bare arm, are one ratio: its numerator is their weighted
sum, and its limits are Fieller's. A contrast of several ratios has the squared margin of its
linearised form, whose weights on the cells are the derivatives of the ratios, plus by how much the
squared margins of the ratios, on the side in question, differ from their linearised ones: the MOVER
of Zou & Donner (2008) with the correlation that their covariances imply, as `Inference` has it for
rates; it is not less than the linearised one. Squared margins of several behaviours add up, as if
these were independent. `bench/coverage.py` measures the coverage of steps.

**p-value.** The level at which the interval reaches 0, of one ratio that of its numerator. The
margin at 95% is taken to grow with the level as the symmetric one does (Student's t of clusters and
of seeds): Wilson's margins end at 0 and 1, and a denominator's own interval may reach 0 at small
levels, neither of which says anything of a difference. So p is below 0.05 just where the interval
leaves out 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caveat.analysis.intervals import ALPHA, Inference
from caveat.analysis.ladder.blocks import Block
from caveat.analysis.rates import interval_label


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


SMALLEST = -30.0
"""Logarithm of the least p-value."""


@dataclass(frozen=True)
class Contrast:
    """Figures of several contrasts; each array has the shape (contrasts,)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    interval: tuple[str, ...]
    """`seeds` or `within seed`."""


@dataclass(frozen=True)
class Part:
    """What one behaviour adds to several contrasts, as rates of its panel's cells."""

    inference: Inference
    cells: np.ndarray
    """Weights, of shape (contrasts, cells)."""


def rate_contrasts(blocks: Sequence[Block], weights: np.ndarray) -> Contrast:
    """Of R(marked, none) - R(base, none). `weights` has the shape (contrasts, rungs), in the order
    of the frame of rungs; a rung that lacks one of the two has the weight 0 throughout."""
    parts = [
        Part(block.inference, weights[:, block.rungs] @ np.nan_to_num(block.leaks))
        for block in blocks
    ]
    value = _value(parts)
    below, above = _margins(parts)
    reach = np.abs(weights).sum(1)
    low, high = np.maximum(value - below, -reach), np.minimum(value + above, reach)
    return Contrast(value, low, high, _p_of_rates(parts), _intervals(parts))


def leakage_contrasts(blocks: Sequence[Block], weights: np.ndarray) -> Contrast:
    """Of leakages. `weights` is as in `rate_contrasts`; a rung whose leakage is undefined has the
    weight 0 throughout."""
    found = [ratios(block, weights[:, block.rungs]) for block in blocks]
    linear = [Part(each.inference, each.linear) for each in found]
    value = np.sum([each.value for each in found], axis=0)
    below, above = np.sqrt(np.sum([each.squared_margins() for each in found], axis=0))
    p = np.where(
        np.sum([each.count for each in found], axis=0) == 1,
        _p_of_rates([Part(each.inference, each.numerators) for each in found]),
        _p_values(linear, value, np.where(value > 0, below, above)),
    )
    return Contrast(value, value - below, value + above, p, _intervals(linear))


def _value(parts: Sequence[Part]) -> np.ndarray:
    return np.sum([part.cells @ part.inference.panel.mean for part in parts], axis=0)


def _margins(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    squared = [np.square(part.inference.margins(part.cells, ALPHA)) for part in parts]
    below, above = np.sqrt(np.sum(squared, axis=0))
    return below, above


def _p_of_rates(parts: Sequence[Part]) -> np.ndarray:
    value = _value(parts)
    return _p_values(parts, value, np.where(value > 0, *_margins(parts)))


def _p_values(parts: Sequence[Part], value: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Shape (contrasts,): the level at which the margin towards 0, given at 95%, is the value."""
    low, high = np.full(len(value), SMALLEST), np.zeros(len(value))
    for _ in range(40):
        middle = (low + high) / 2
        holds_zero = margin * _growth(parts, np.exp(middle)) >= np.abs(value)
        low, high = np.where(holds_zero, middle, low), np.where(holds_zero, high, middle)
    return np.where(value == 0, 1.0, np.exp(high))


def _growth(parts: Sequence[Part], level: np.ndarray) -> np.ndarray:
    """Shape (contrasts,): symmetric margins at a level each, over those at 95%; where there is no
    variance, as Student's t of the clusters."""
    from scipy.special import stdtrit

    freedom = min(part.inference.panel.cell_clusters.min() for part in parts) - 1
    student = stdtrit(max(freedom, 1), level / 2) / stdtrit(max(freedom, 1), ALPHA / 2)
    usual = _symmetric(parts, ALPHA)
    known = np.isfinite(usual) & (usual > 0)
    return np.where(known, _symmetric(parts, level) / np.where(known, usual, 1.0), student)


def _symmetric(parts: Sequence[Part], alpha: float | np.ndarray) -> np.ndarray:
    squared = [part.inference.squared_margins(part.cells, alpha) for part in parts]
    return np.sqrt(np.sum(squared, axis=0))


def _intervals(parts: Sequence[Part]) -> tuple[str, ...]:
    """A part without cells of a contrast says nothing of it."""
    over = [~(part.cells != 0).any(1) | part.inference.over_seeds(part.cells) for part in parts]
    return tuple(interval_label(each) for each in np.all(over, axis=0).tolist())
