"""Intervals and p-values of rates, of their differences and of ratios of differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caveat.analysis.panel import BASE, Panel
from caveat.analysis.seed_variance import FEWEST, PRIOR_FREEDOM, moderated, prior_variances

ALPHA = 0.05
"""One less the nominal coverage of every interval."""
SEEDS_NEEDED = FEWEST
"""The fewest training seeds with which an interval is over seeds too."""
NOTHING = 1e-12
"""A variance below this is 0 up to float error."""
MANY = 200
"""Quantiles from which it is worth while to look for equal ones."""
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
    only. Of two cells, n are the units that both have answers in, and influences are centred over
    these (of the noise, over each cell's own): an arm of three seeds beside one of ten has three. A
    variance that is put together from several such pairs may come out below 0; it then counts as 0.
    With one cluster, or one seed, in common that part is unknown and is 0 here; `Estimates` says
    what then holds.
    """
    by_seed, by_cluster = panel.answered.any(2), panel.answered.any(1)
    centred = _centred(panel.influence, panel.answered, 1)
    centred = _centred(centred, panel.answered, 2).reshape(len(panel.cells), -1)
    return Covariances(
        clusters=_paired(panel.influence.sum(1), by_cluster),
        seeds=_paired(panel.influence.sum(2), by_seed),
        noise=centred @ centred.T * _correction(by_cluster) * _correction(by_seed),
    )


def _centred(influence: np.ndarray, answered: np.ndarray, axis: int) -> np.ndarray:
    """Influences less their mean over the units of an axis that have answers, 0 in all others."""
    mean = influence.sum(axis, keepdims=True) / np.maximum(answered.sum(axis, keepdims=True), 1)
    return np.where(answered, influence - mean, 0.0)


def _paired(influence: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """Shape (cells, cells), from influences of units, of shape (cells, units), and which units a
    cell has answers in."""
    common, own = _common(answered), answered.sum(1)
    sums = influence @ answered.T  # of the first cell over the units of the second
    product = influence @ influence.T
    # a cell's influences sum to 0 over its own units, not over fewer
    centred = product - sums * sums.T / np.maximum(common, 1)
    return np.where(common < np.minimum.outer(own, own), centred, product) * _correction(answered)


def _common(answered: np.ndarray) -> np.ndarray:
    """Shape (cells, cells): number of units in which both cells have answers."""
    return answered.astype(int) @ answered.T.astype(int)


def _correction(answered: np.ndarray) -> np.ndarray:
    common = _common(answered)
    return np.where(common > 1, common / np.maximum(common - 1, 1), 0.0)


@dataclass(frozen=True)
class Estimates:
    """A panel and its covariances. A combination of cells is a row of weights, shape (k, cells).

    **Margin.** The squared half-width of a combination is `t_c^2 V_c + t_s^2 V_s'`: the variance
    over clusters and that over seeds, each with the quantile of its own degrees of freedom (Howe
    1974). Clusters have their number less one. `V_s'` is the moderated variance of `seed_variance`,
    whose degrees of freedom are seeds less one and those of its prior: it does not vanish where
    the few seeds happen to agree, so that p-values far below 0.05 hold too.

    **Near 0 and 1.** A rate's interval is Wilson's (1927) with the number of independent answers
    that gives the same margin (Korn & Graubard 1998). A cell at exactly 0 or 1 counts every
    question once. A combination reaches as far as its own margin or, where that is farther, as the
    MOVER of Zou & Donner (2008): its squared margin plus by how much Wilson's squared margins of
    its cells, on the side in question, differ from their symmetric ones; that takes the correlation
    of the cells from their covariances. Cells that differ in no answer keep the margin of one cell
    at 0. Ratios invert the same margins (Fieller 1954; Donner & Zou 2012).

    `bench/coverage.py` measures the coverage of all this and how often p-values are too small;
    `docs/engineering/statistics.md` has figures.
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
        return self.fewest_seeds(weights) >= SEEDS_NEEDED

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

    def seed_p_values(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): two-sided p-values of Student's t over seeds, NaN below three seeds.

        The paired t-test of the combinations' values by seed, with seeds less one degrees of
        freedom: it takes nothing from questions, and no prior. An arm at 0 or 1 after every seed
        counts as half an answer a seed off, else three seeds alike would prove anything. Seeds that
        not every arm of a combination has are left out, of its value too.
        """
        shift, variance, seeds = self.seed_test(weights)
        return student_p(self.mean_of(weights) + shift, variance, seeds)

    def mean_of(self, weights: np.ndarray) -> np.ndarray:
        """Shape (k,): the values of combinations."""
        return weights @ self.panel.mean

    def seed_test(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `seed_p_values` takes of the seeds that all arms of a combination have: by how much
        the value moves if the others are left out, its variance over seeds, and their number; each
        of shape (k,)."""
        answered = self.panel.answered.any(2)
        trained = self.panel.cell_seeds > 0
        used = ((weights != 0) & trained).astype(int)
        common = used @ ~answered == 0  # shape (k, seeds)
        number = np.where(used.any(1), common.sum(1), 0)
        lacking = (used * (answered.sum(1) - number[:, None])).any(1)
        # by seed, shape (cells, seeds): a mean over n seeds is that of n such values
        values = answered.sum(1)[:, None] * self.panel.influence.sum(2) + self.panel.mean[:, None]
        divisor = np.maximum(common.sum(1), 1)
        by_seed = weights @ values
        mean = (by_seed * common).sum(1) / divisor
        squares = ((by_seed - mean[:, None]) ** 2 * common).sum(1)
        variance = np.where(
            lacking,
            squares / divisor / np.maximum(divisor - 1, 1),
            (weights @ self.covariances.seeds * weights).sum(1),
        )
        shift = np.where(lacking, mean - self.mean_of(weights), 0.0)
        if self.bounded:
            rates = np.round(common @ values.T / divisor[:, None], 12)
            edge = trained & np.isin(rates, (0.0, 1.0))
            rate = 0.5 / (self.panel.cell_questions + 1)
            answers = self.panel.cell_questions * divisor[:, None]
            least = (weights**2 * np.where(edge, rate * (1 - rate) / answers, 0.0)).sum(1)
            variance = np.maximum(variance, least)
        return shift, variance, number

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

    def fewest_seeds(self, weights: np.ndarray) -> np.ndarray:
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

    @cached_property
    def _priors(self) -> np.ndarray:
        """Shape (cells,): see `prior_variances`."""
        return prior_variances(self.panel, np.diagonal(self.covariances.seeds), self.bounded)

    def squared_margins(self, weights: np.ndarray, alpha: Level) -> np.ndarray:
        """Shape (k,): half-widths squared, before edges; infinite with a single cluster."""
        variances = [(weights @ matrix * weights).sum(1) for matrix in self._matrices]
        prior = weights**2 @ self._priors
        return _squared(
            *variances, prior, self._clusters(weights), self.fewest_seeds(weights), alpha
        )

    def _squared_cells(self, alpha: Level) -> np.ndarray:
        """Shape (cells,): the same for every cell by itself."""
        variances = [np.diagonal(matrix) for matrix in self._matrices]
        units = self.panel.cell_clusters, self.panel.cell_seeds
        return _squared(*variances, self._priors, *units, alpha)

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
    prior: np.ndarray,
    clusters: np.ndarray,
    seeds: np.ndarray,
    alpha: Level,
) -> np.ndarray:
    """Half-widths squared from variances, all of shape (k,); see `Estimates`."""
    squared = _quantile(alpha, clusters - 1) ** 2 * np.maximum(over_clusters, 0.0)
    number = np.maximum(seeds, SEEDS_NEEDED)
    between = moderated(over_seeds, noise, prior, number)
    of_seeds = _quantile(alpha, number - 1 + PRIOR_FREEDOM) ** 2 * between
    squared = squared + np.where(seeds >= SEEDS_NEEDED, of_seeds, 0.0)
    return np.where(clusters < 2, np.inf, np.where(squared < NOTHING, 0.0, squared))


def student_p(value: np.ndarray, variance: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Two-sided p-values over seeds, all of shape (k,).

    NaN below `SEEDS_NEEDED` seeds, and where seeds differ in nothing though the value is not 0.
    """
    from scipy.special import stdtr

    positive = variance > NOTHING
    t = np.abs(value) / np.sqrt(np.where(positive, variance, 1.0))
    p = 2 * stdtr(np.maximum(seeds - 1, 1), -t)
    p = np.where(np.abs(value) < NOTHING, 1.0, np.where(positive, p, np.nan))
    return np.where(seeds >= SEEDS_NEEDED, p, np.nan)


def _quantile(alpha: Level, freedom: np.ndarray) -> np.ndarray:
    """Two-sided quantile of Student's t; `freedom` of 0 counts as 1 (its margin is not used)."""
    from scipy.special import stdtrit

    freedom, half = np.maximum(freedom, 1), np.asarray(alpha) / 2
    if half.size * freedom.size < MANY or (half.ndim and half.shape[-1] != 1):
        return -stdtrit(freedom, half)
    # All cells have the same few degrees of freedom, and the quantile is what takes long.
    values, index = np.unique(freedom, return_inverse=True)
    return -stdtrit(values, half)[..., index]
