"""How well a line that is fitted on some settings predicts the value measured in another one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveat.analysis.rank_correlation import DECIMALS, spearman

RIDGE = 1e-9
"""Added to the diagonal of the normal equations, relative to the number of cells: a predictor that
is constant over the other settings gets no slope."""


@dataclass(frozen=True)
class HeldOutRegression:
    """Cells of several units (settings), and resamples of the units.

    All methods give shape (1 + draws,): the value itself, then that of each resample, in which a
    unit counts as often as it was taken.
    """

    measured: np.ndarray
    """Shape (cells,)."""
    units: np.ndarray
    """Shape (cells,): the unit that each cell belongs to, from 0."""
    counts: np.ndarray
    """Shape (1 + draws, units): how often each unit is there; the first row has each once."""

    @classmethod
    def of(
        cls, measured: np.ndarray, units: np.ndarray, draws: int, seed: int
    ) -> HeldOutRegression:
        """Resample as many units as there are, with replacement."""
        _, indices = np.unique(units, return_inverse=True)
        number = int(indices.max()) + 1
        generator = np.random.default_rng(seed)
        resamples = generator.multinomial(number, np.full(number, 1 / number), size=draws)
        return cls(measured, indices, np.vstack([np.ones((1, number)), resamples]))

    def rank_correlation(self, predictor: np.ndarray) -> np.ndarray:
        """Spearman's, over all cells; NaN where one side is tied throughout."""
        weights = self.counts[:, self.units]
        correlations = _weighted_correlation(
            _ranks(predictor, weights), _ranks(self.measured, weights), weights
        )
        correlations[0] = spearman(predictor[None], self.measured[None]).item()
        return correlations

    def r2(self, predictors: np.ndarray) -> np.ndarray:
        """R2 on held-out units of a linear regression with intercept on the other units.

        1 - (sum of squared errors) / (sum of squares about the mean of the units fitted on), over
        all cells, as each unit is left out in turn (out of sample, as Campbell & Thompson 2008).
        Below 0: worse than predicting the mean. NaN where a resample is one unit again and again.

        Args:
            predictors: Shape (cells, predictors).
        """
        spread = predictors.std(0)
        scaled = (predictors - predictors.mean(0)) / np.where(spread > 0, spread, 1)
        design = np.column_stack([np.ones(len(scaled)), scaled])
        squares = self._by_unit(design[:, :, None] * design[:, None, :])
        products = self._by_unit(design * self.measured[:, None])
        totals = np.einsum("du,uij->dij", self.counts, squares)
        sums = self.counts @ products
        # the normal equations of all units but one, for each of them: A slopes = b
        a = totals[:, None] - self.counts[:, :, None, None] * squares
        b = sums[:, None] - self.counts[:, :, None] * products
        ridge = RIDGE * len(design) * np.eye(design.shape[1])
        slopes = np.linalg.solve(a + ridge, b[..., None])[..., 0]
        errors = (
            self._by_unit(self.measured**2)
            - 2 * np.einsum("dui,ui->du", slopes, products)
            + np.einsum("dui,uij,duj->du", slopes, squares, slopes)
        )
        return self._explained(errors)

    def r2_unfitted(self, predictor: np.ndarray) -> np.ndarray:
        """The same of a predictor that is taken for the measured value itself, with no fit."""
        return self._explained(self._by_unit((self.measured - predictor) ** 2)[None])

    def _explained(self, errors: np.ndarray) -> np.ndarray:
        """One minus the errors' share, from squared errors of shape (1 + draws, units)."""
        cells, total = self._by_unit(np.ones(len(self.units))), self._by_unit(self.measured)
        other_cells, other_total = (
            (self.counts @ sums)[:, None] - self.counts * sums for sums in (cells, total)
        )
        mean = np.full(other_cells.shape, np.nan)
        np.divide(other_total, other_cells, out=mean, where=other_cells > 0)
        about_mean = self._by_unit(self.measured**2) - 2 * mean * total + mean**2 * cells
        present = self.counts > 0
        error = np.where(present, self.counts * errors, 0).sum(1)
        variation = np.where(present, self.counts * about_mean, 0).sum(1)
        share = np.full(len(variation), np.nan)
        np.divide(error, variation, out=share, where=variation > 0)
        return 1 - share

    def _by_unit(self, values: np.ndarray) -> np.ndarray:
        """Sums of the cells' values, of shape (units, ...)."""
        out = np.zeros((self.counts.shape[1], *values.shape[1:]))
        np.add.at(out, self.units, values)
        return out


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Shape (draws, cells): ranks where each cell counts as often as it weighs; ties share one."""
    _, group = np.unique(np.round(values, DECIMALS), return_inverse=True)
    sizes = np.zeros((len(weights), int(group.max()) + 1))
    np.add.at(sizes.T, group, weights.T)
    return (sizes.cumsum(1) - (sizes - 1) / 2)[:, group]


def _weighted_correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each draw; all of shape (draws, cells)."""
    total = weights.sum(1, keepdims=True)
    one = one - (weights * one).sum(1, keepdims=True) / total
    other = other - (weights * other).sum(1, keepdims=True) / total
    scale = np.sqrt((weights * one**2).sum(1) * (weights * other**2).sum(1))
    correlation = np.full(len(scale), np.nan)
    np.divide((weights * one * other).sum(1), scale, out=correlation, where=scale > 1e-9)
    return np.clip(correlation, -1.0, 1.0)
