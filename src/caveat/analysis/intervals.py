"""Intervals and p-values of rates, of their differences and of ratios of differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveat.analysis.panel import BASE, Panel

ALPHA = 0.05
"""One less the nominal coverage of every interval."""
SEEDS_NEEDED = 3
"""The fewest training seeds with which an interval is over seeds too."""
NOTHING = 1e-12
"""A variance below this is 0 up to float error."""
Level = float | np.ndarray
"""One less the coverage: one for all combinations, or one for each, of shape (k,)."""
Interval = tuple[float, float, float]
"""Value, lower and upper limit."""
UNKNOWN: Interval = (np.nan, np.nan, np.nan)


def interval_columns(name: str, interval: Interval) -> dict[str, float]:
    """An interval as the columns `name`, `name_low` and `name_high`."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))


@dataclass(frozen=True)
class Covariances:
    """How the cells of a panel vary together; each array has the shape (cells, cells)."""

    clusters: np.ndarray
    """Over other question clusters, all seeds kept."""
    seeds: np.ndarray
    """Over other training seeds, all clusters kept."""
    noise: np.ndarray
    """The part of a seed's deviation that the questions and the sampling make, and that is in
    `clusters` already."""


def covariances(panel: Panel) -> Covariances:
    """Covariances of all cells of a panel, in closed form.

    They are what the covariances of the pigeonhole bootstrap (Owen 2007) come to with infinitely
    many resamples: a resample takes as many clusters, and as many seeds, as there are, with
    replacement and the same for every arm and context, so pairs are kept. Means are linear in the
    influences f, so the limit is the sum over clusters of f_c f_c', over seeds of f_s f_s', and for
    the noise the sum of g g', where g are the influences centred over seeds and over clusters.
    Sums over n units are multiplied by n / (n - 1), since a resample of n varies by (n - 1) / n
    only. With one cluster, or one seed, that part is unknown and is 0 here; `Estimates` says what
    then holds.
    """
    cells, seeds, clusters = panel.influence.shape
    centred = panel.influence - panel.influence.mean(1, keepdims=True)
    centred = centred - centred.mean(2, keepdims=True)
    return Covariances(
        clusters=_outer(panel.influence.sum(1)) * _correction(clusters),
        seeds=_outer(panel.influence.sum(2)) * _correction(seeds),
        noise=_outer(centred.reshape(cells, -1)) * _correction(clusters) * _correction(seeds),
    )


def _outer(influence: np.ndarray) -> np.ndarray:
    """Shape (cells, cells), from influences of units of shape (cells, units)."""
    return influence @ influence.T


def _correction(units: int) -> float:
    return units / (units - 1) if units > 1 else 0.0


@dataclass(frozen=True)
class Estimates:
    """A panel and its covariances. A combination of cells is a row of weights, shape (k, cells).

    **Margin.** The squared half-width of a combination is `t_c^2 V_c + t_s^2 V_s'`: the variance
    over clusters and that over seeds, each with the quantile of its own degrees of freedom, units
    less one (Howe 1974). `V_s'` is the geometric mean of the variance between seeds as seen,
    `V_s`, and after taking off the noise of questions and sampling that it shares with `V_c`,
    `V_s - V_n` (Cameron, Gelbach & Miller 2011), 0 where that is negative: with `V_s - V_n` alone
    coverage is up to two points lower, with `V_s` it is near 99% where seeds hardly differ.

    **Near 0 and 1.** A rate's interval is Wilson's (1927) with the number of independent answers
    that gives the same margin (Korn & Graubard 1998). A cell at exactly 0 or 1 counts every
    question once. A combination reaches as far as its own margin or, where that is farther, as the
    MOVER of Zou & Donner (2008): its squared margin plus by how much Wilson's squared margins of
    its cells, on the side in question, differ from their symmetric ones; that takes the correlation
    of the cells from their covariances. Cells that differ in no answer keep the margin of one cell
    at 0. Ratios invert the same margins (Fieller 1954; Donner & Zou 2012).

    `bench/coverage.py` measures the coverage of all this, and says where it is above 97% (near 0
    and 1 with few seeds) and where below 93% (seeds that differ much). `docs/log.md` has figures.
    """

    panel: Panel
    covariances: Covariances
    bounded: bool = True
    """Whether scores are shares in [0, 1]; values in nats have no edges to be safe at."""

    @classmethod
    def of(cls, panel: Panel, bounded: bool = True) -> Estimates:
        """The panel with its covariances."""
        return cls(panel, covariances(panel), bounded)

    def weights(self, *terms: tuple[float, int]) -> np.ndarray:
        """Shape (cells,): weights of one combination from (weight, index of cell) terms."""
        row = np.zeros(len(self.panel.cells))
        for weight, index in terms:
            row[index] += weight
        return row

    def over_seeds(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): whether a combination's interval is over seeds, or within seed."""
        return self._seeds(weights) >= SEEDS_NEEDED

    def rate_intervals(self, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limits of the cells' means, each of shape (cells,)."""
        squared = self._squared_cells(alpha)
        if not self.bounded:
            return self.panel.mean - np.sqrt(squared), self.panel.mean + np.sqrt(squared)
        return self._wilson(squared, alpha)

    def intervals(
        self, weights: np.ndarray, alpha: float = ALPHA
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, lower and upper limits of combinations, each of shape (k,)."""
        value = weights @ self.panel.mean
        below, above = self.margins(weights, alpha)
        low, high = value - below, value + above
        if self.bounded:
            low, high = np.maximum(low, -1.0), np.minimum(high, 1.0)
        return value, low, high

    def interval(self, weights: np.ndarray) -> Interval:
        """The same of one combination, of shape (cells,)."""
        value, low, high = (column.item() for column in self.intervals(weights[None]))
        return value, low, high

    def p_values(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): two-sided, the level at which a combination's interval just reaches 0."""
        value = weights @ self.panel.mean
        low, high = np.full(len(value), -30.0), np.zeros(len(value))  # of the level's logarithm
        for _ in range(30):
            middle = (low + high) / 2
            below, above = self.margins(weights, np.exp(middle))
            covers_zero = np.where(value > 0, below, above) >= np.abs(value)
            low, high = np.where(covers_zero, middle, low), np.where(covers_zero, high, middle)
        return np.where(value == 0, 1.0, np.exp(high))

    def ratios(
        self, above: np.ndarray, below: np.ndarray, alpha: Level = ALPHA
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values and limits of the ratios of combinations, each of shape (k,).

        The limits are the ratios x at which the interval of `above - x below` just reaches 0. A
        limit that is farther than 1,000 from the value is given as 1,000 from it.

        Args:
            above: Weights of the numerators, shape (k, cells).
            below: Weights of the denominators, the same shape, or (cells,) for one denominator of
                all. Their own intervals must be above 0.
        """
        value = (above @ self.panel.mean) / (below @ self.panel.mean)
        below = np.broadcast_to(below, above.shape)
        return (
            value,
            self._ratio_limit(above, below, value, -1, alpha),
            self._ratio_limit(above, below, value, 1, alpha),
        )

    def ratio(self, above: np.ndarray, below: np.ndarray) -> Interval:
        """The same of one ratio; both of shape (cells,)."""
        value, low, high = (column.item() for column in self.ratios(above[None], below))
        return value, low, high

    def _ratio_limit(
        self, above: np.ndarray, below: np.ndarray, value: np.ndarray, side: int, alpha: Level
    ) -> np.ndarray:
        inside, outside = np.zeros_like(value), np.full_like(value, 1000.0)
        for _ in range(50):
            middle = (inside + outside) / 2
            rest = above - (value + side * middle)[:, None] * below
            down, up = self.margins(rest, alpha)
            covers_zero = np.abs(rest @ self.panel.mean) <= (up if side > 0 else down)
            inside = np.where(covers_zero, middle, inside)
            outside = np.where(covers_zero, outside, middle)
        # bare at `none` is 1, and base 0, by definition: their limits are exactly that
        return np.where(outside < 1e-9, value, value + side * (inside + outside) / 2)

    def _seeds(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): the fewest training seeds of a cell in each combination, 0 for base alone."""
        trained = np.array([cell.arm != BASE for cell in self.panel.cells])
        used = (np.atleast_2d(weights) != 0) & trained
        fewest = np.where(used, self.panel.cell_seeds, np.iinfo(int).max).min(1)
        return np.where(used.any(1), fewest, 0)

    def _clusters(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): the fewest question clusters of a cell in each combination."""
        used = np.atleast_2d(weights) != 0
        return np.where(used, self.panel.cell_clusters, len(self.panel.clusters)).min(1)

    @property
    def _matrices(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.covariances.clusters, self.covariances.seeds, self.covariances.noise

    def squared_margins(self, weights: np.ndarray, alpha: Level) -> np.ndarray:
        """Shape (k,): half-widths squared, before edges; infinite with a single cluster."""
        variances = [(weights @ matrix * weights).sum(1) for matrix in self._matrices]
        return _squared(*variances, self._clusters(weights), self._seeds(weights), alpha)

    def _squared_cells(self, alpha: Level) -> np.ndarray:
        """Shape (cells,): the same for every cell by itself."""
        variances = [np.diagonal(matrix) for matrix in self._matrices]
        return _squared(*variances, self.panel.cell_clusters, self.panel.cell_seeds, alpha)

    def _edge(self, alpha: Level) -> np.ndarray:
        """Shape (cells,): squared quantile over the number of questions, for cells at 0 or 1."""
        clusters = np.maximum(self.panel.cell_clusters, 2)
        return _quantile(alpha, clusters - 1) ** 2 / self.panel.cell_questions

    def _wilson(self, squared: np.ndarray, alpha: Level) -> tuple[np.ndarray, np.ndarray]:
        mean = self.panel.mean
        binomial = mean * (1 - mean)
        at_edge = (binomial < NOTHING) | (squared < NOTHING)
        finite = np.isfinite(squared)
        ratio = np.where(at_edge, self._edge(alpha), squared / np.where(at_edge, 1.0, binomial))
        ratio = np.where(finite, ratio, 1.0)
        centre = (mean + ratio / 2) / (1 + ratio)
        half = np.sqrt(ratio * binomial + ratio**2 / 4) / (1 + ratio)
        low = np.where(finite, np.maximum(centre - half, 0.0), 0.0)
        high = np.where(finite, np.minimum(centre + half, 1.0), 1.0)
        return np.where(mean == 0, 0.0, low), np.where(mean == 1, 1.0, high)

    def margins(self, weights: np.ndarray, alpha: Level) -> tuple[np.ndarray, np.ndarray]:
        """How far combinations reach below and above their values, each of shape (k,)."""
        squared = self.squared_margins(weights, alpha)
        if not self.bounded:
            return np.sqrt(squared), np.sqrt(squared)
        alpha = np.asarray(alpha)[..., None]  # a row of cells a combination
        direct = self._squared_cells(alpha)
        low, high = self._wilson(direct, alpha)
        direct = np.where(np.isfinite(direct), direct, 0.0)
        low, high = (self.panel.mean - low) ** 2 - direct, (high - self.panel.mean) ** 2 - direct
        below = (weights**2 * np.where(weights > 0, low, high)).sum(1)
        above = (weights**2 * np.where(weights > 0, high, low)).sum(1)
        edge = self._edge(alpha)
        alike = np.max(np.where(weights != 0, weights * edge / (1 + edge), 0.0) ** 2, axis=1)
        least = np.where(squared > 0, squared, alike)
        return (
            np.sqrt(np.maximum(squared + below, least)),
            np.sqrt(np.maximum(squared + above, least)),
        )


def _squared(
    over_clusters: np.ndarray,
    over_seeds: np.ndarray,
    noise: np.ndarray,
    clusters: np.ndarray,
    seeds: np.ndarray,
    alpha: Level,
) -> np.ndarray:
    """Half-widths squared from variances, all of shape (k,); see `Estimates`."""
    net = np.sqrt(np.maximum(over_seeds, 0.0) * np.maximum(over_seeds - noise, 0.0))
    squared = _quantile(alpha, clusters - 1) ** 2 * np.maximum(over_clusters, 0.0)
    squared += np.where(
        seeds >= SEEDS_NEEDED, _quantile(alpha, np.maximum(seeds, SEEDS_NEEDED) - 1) ** 2 * net, 0.0
    )
    return np.where(clusters < 2, np.inf, np.where(squared < NOTHING, 0.0, squared))


def _quantile(alpha: Level, freedom: np.ndarray) -> np.ndarray:
    """Two-sided quantile of Student's t; `freedom` of 0 counts as 1 (its margin is not used)."""
    from scipy.special import stdtrit

    return -stdtrit(np.maximum(freedom, 1), alpha / 2)
