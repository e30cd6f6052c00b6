"""Contrasts: weighted sums over settings, of leakages or of rates above base, with intervals.

**Margin.** Settings of one behaviour are paired. Leakages whose denominators are the same answers,
as under several caveats on one bare arm, are one ratio: its numerator is their weighted sum, and
its limits are Fieller's. A contrast of several ratios has the squared margin of its linearised
form, whose weights on the cells are the derivatives of the ratios, plus by how much the squared
margins of the ratios, on the side in question, differ from their linearised ones: the MOVER of Zou
& Donner (2008) with the correlation from the covariances, as `Estimates` has it for rates; it is
not less than the linearised one. Squared margins of several behaviours add up, as if these were
independent. `bench/coverage.py` measures the coverage of steps.

**p-value.** The level at which the interval reaches 0, of one ratio that of its numerator. The
margin at 95% is taken to grow with the level as the symmetric one does (Student's t of clusters and
of seeds): Wilson's margins end at 0 and 1, and a denominator's own interval may reach 0 at small
levels, neither of which says anything of a difference. So p is below 0.05 exactly where the
interval leaves out 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caveat.analysis.intervals import ALPHA, Estimates, student_p
from caveat.analysis.ladder.behaviour_panels import BehaviourPanel
from caveat.analysis.rates import interval_label


@dataclass(frozen=True)
class Ratios:
    """Sums of ratios, one a contrast. The ratios of all contrasts are in one array each."""

    estimates: Estimates
    contrast: np.ndarray
    """Shape (ratios,): the contrast that each belongs to."""
    contrasts: int
    above: np.ndarray
    """Shape (ratios, cells): weights of the numerators."""
    below: np.ndarray
    """Shape (ratios, cells): weights of the denominators."""

    @property
    def count(self) -> np.ndarray:
        """Shape (contrasts,): number of ratios of each."""
        return np.bincount(self.contrast, minlength=self.contrasts)

    @property
    def values(self) -> np.ndarray:
        """Shape (ratios,)."""
        mean = self.estimates.panel.mean
        return (self.above @ mean) / (self.below @ mean)

    @property
    def sums(self) -> np.ndarray:
        """Shape (contrasts,): the values of the contrasts."""
        return self._summed(self.values)

    @property
    def numerators(self) -> np.ndarray:
        """Shape (contrasts, cells): meaningful where a contrast is one ratio."""
        return self._summed(self.above)

    @property
    def derivatives(self) -> np.ndarray:
        """Shape (contrasts, cells): of the contrasts by the rates of the cells."""
        return self._summed(self._derivatives())

    def squared_margins(self) -> tuple[np.ndarray, np.ndarray]:
        """Below and above, each of shape (contrasts,); see the head of this file."""
        value, low, high = self.estimates.ratios(self.above, self.below)
        single = self.estimates.squared_margins(self._derivatives(), ALPHA)
        joint = self.estimates.squared_margins(self.derivatives, ALPHA)
        squared = []
        for margin in (value - low, high - value):
            several = joint + np.maximum(self._summed(margin**2 - single), 0.0)
            squared.append(np.where(self.count == 1, self._summed(margin**2), several))
        return squared[0], squared[1]

    def _derivatives(self) -> np.ndarray:
        size = self.below @ self.estimates.panel.mean
        return (self.above - self.values[:, None] * self.below) / size[:, None]

    def _summed(self, by_ratio: np.ndarray) -> np.ndarray:
        """Sums over the ratios of each contrast."""
        sums = np.zeros((self.contrasts, *by_ratio.shape[1:]))
        np.add.at(sums, self.contrast, by_ratio)
        return sums


def ratios(behaviour: BehaviourPanel, weights: np.ndarray) -> Ratios:
    """The contrasts of a behaviour's leakages.

    Settings with the same denominator make one ratio.

    Args:
        behaviour: The settings and their cells.
        weights: Shape (contrasts, settings of the behaviour).
    """
    above, contrast, below = [], [], []
    for settings in _by_denominator(behaviour, np.flatnonzero((weights != 0).any(0))):
        used = np.flatnonzero((weights[:, settings] != 0).any(1))
        above.append(weights[np.ix_(used, settings)] @ behaviour.leaks[settings])
        below.append(np.broadcast_to(behaviour.installed[settings[0]], above[-1].shape))
        contrast.append(used)
    cells = len(behaviour.estimates.panel.cells)
    return Ratios(
        behaviour.estimates,
        np.concatenate([np.empty(0, dtype=int), *contrast]),
        len(weights),
        np.concatenate([np.empty((0, cells)), *above]),
        np.concatenate([np.empty((0, cells)), *below]),
    )


def _by_denominator(behaviour: BehaviourPanel, settings: np.ndarray) -> list[list[int]]:
    """The settings, grouped by the cells of their denominators."""
    groups: dict[bytes, list[int]] = {}
    for setting in settings.tolist():
        groups.setdefault(behaviour.installed[setting].tobytes(), []).append(setting)
    return list(groups.values())


SMALLEST = -30.0
"""Logarithm of the least p-value."""


@dataclass(frozen=True)
class Contrasts:
    """Values of several contrasts; each array has the shape (contrasts,)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_seeds: np.ndarray
    """Of Student's t over training seeds; NaN below three seeds."""
    interval: tuple[str, ...]
    """`seeds` or `within seed`."""


@dataclass(frozen=True)
class Part:
    """What one behaviour adds to several contrasts, as rates of its panel's cells."""

    estimates: Estimates
    weights: np.ndarray
    """Shape (contrasts, cells)."""


def rate_contrasts(behaviours: Sequence[BehaviourPanel], weights: np.ndarray) -> Contrasts:
    """Contrasts of R(marked, none) - R(base, none).

    Args:
        behaviours: All settings, by behaviour.
        weights: Shape (contrasts, settings), in the order of the frame of settings; a setting that
            lacks one of the two rates has the weight 0 throughout.
    """
    parts = [
        Part(
            behaviour.estimates,
            weights[:, behaviour.settings] @ np.nan_to_num(behaviour.leaks),
        )
        for behaviour in behaviours
    ]
    value = _value(parts)
    below, above = _margins(parts)
    reach = np.abs(weights).sum(1)
    low, high = np.maximum(value - below, -reach), np.minimum(value + above, reach)
    p_seeds = _seed_p(parts, value)
    return Contrasts(value, low, high, _p_of_rates(parts), p_seeds, _intervals(parts))


def leakage_contrasts(behaviours: Sequence[BehaviourPanel], weights: np.ndarray) -> Contrasts:
    """Contrasts of leakages.

    Args:
        behaviours: All settings, by behaviour.
        weights: As in `rate_contrasts`; a setting whose leakage is undefined has the weight 0
            throughout.
    """
    sums = [ratios(behaviour, weights[:, behaviour.settings]) for behaviour in behaviours]
    linear = [Part(part.estimates, part.derivatives) for part in sums]
    value = np.sum([part.sums for part in sums], axis=0)
    below, above = np.sqrt(np.sum([part.squared_margins() for part in sums], axis=0))
    p = np.where(
        np.sum([part.count for part in sums], axis=0) == 1,
        _p_of_rates([Part(part.estimates, part.numerators) for part in sums]),
        _p_values(linear, value, np.where(value > 0, below, above)),
    )
    p_seeds = _seed_p(linear, value)
    return Contrasts(value, value - below, value + above, p, p_seeds, _intervals(linear))


def _value(parts: Sequence[Part]) -> np.ndarray:
    return np.sum([part.weights @ part.estimates.panel.mean for part in parts], axis=0)


def _margins(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    squared = [np.square(part.estimates.margins(part.weights, ALPHA)) for part in parts]
    below, above = np.sqrt(np.sum(squared, axis=0))
    return below, above


def _p_of_rates(parts: Sequence[Part]) -> np.ndarray:
    value = _value(parts)
    return _p_values(parts, value, np.where(value > 0, *_margins(parts)))


def _seed_p(parts: Sequence[Part], value: np.ndarray) -> np.ndarray:
    """Shape (contrasts,): see `Estimates.seed_p_values`. Variances of several behaviours add up,
    with the degrees of freedom of the one that has the fewest seeds."""
    shifts, variances, seeds = zip(
        *(part.estimates.seed_test(part.weights) for part in parts), strict=True
    )
    value, variance = value + np.sum(shifts, axis=0), np.sum(variances, axis=0)
    unused = np.iinfo(int).max
    fewest = np.min(
        [
            np.where((part.weights != 0).any(1), number, unused)
            for part, number in zip(parts, seeds, strict=True)
        ],
        axis=0,
    )
    return student_p(value, variance, np.where(fewest == unused, 0, fewest))


def _p_values(parts: Sequence[Part], value: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Shape (contrasts,): the level at which the margin towards 0, given at 95%, is the value."""
    low, high = np.full(len(value), SMALLEST), np.zeros(len(value))
    for _ in range(40):
        middle = (low + high) / 2
        covers_zero = margin * _growth(parts, np.exp(middle)) >= np.abs(value)
        low, high = np.where(covers_zero, middle, low), np.where(covers_zero, high, middle)
    return np.where(value == 0, 1.0, np.exp(high))


def _growth(parts: Sequence[Part], level: np.ndarray) -> np.ndarray:
    """Shape (contrasts,): symmetric margins at a level each, over those at 95%; where there is no
    variance, as Student's t of the clusters."""
    from scipy.special import stdtrit

    freedom = min(part.estimates.panel.cell_clusters.min() for part in parts) - 1
    student = stdtrit(max(freedom, 1), level / 2) / stdtrit(max(freedom, 1), ALPHA / 2)
    usual = _symmetric(parts, ALPHA)
    positive = np.isfinite(usual) & (usual > 0)
    return np.where(positive, _symmetric(parts, level) / np.where(positive, usual, 1.0), student)


def _symmetric(parts: Sequence[Part], alpha: float | np.ndarray) -> np.ndarray:
    squared = [part.estimates.squared_margins(part.weights, alpha) for part in parts]
    return np.sqrt(np.sum(squared, axis=0))


def _intervals(parts: Sequence[Part]) -> tuple[str, ...]:
    """What intervals are over; a part without cells of a contrast says nothing of it."""
    over_seeds = [
        ~(part.weights != 0).any(1) | part.estimates.over_seeds(part.weights) for part in parts
    ]
    return tuple(map(interval_label, np.all(over_seeds, axis=0).tolist()))
