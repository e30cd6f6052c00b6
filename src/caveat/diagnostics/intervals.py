"""Means over training seeds, with limits where there are enough of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from caveat.analysis.intervals import ALPHA

if TYPE_CHECKING:
    from pandas import DataFrame

LEAST_SEEDS = 3


def mean_over_seeds(frame: DataFrame, column: str) -> tuple[float, float, float]:
    """The mean of a column over the values of `seed`, and its 95% limits by Student's t.

    Rows of one seed are averaged first. The limits are NaN below three seeds.
    """
    return t_limits(frame.groupby("seed")[column].mean().to_numpy(float))


def share_limits(values: np.ndarray) -> tuple[float, float, float]:
    """`t_limits` of shares: the limits stay in [0, 1]."""
    mean, low, high = t_limits(values)
    return mean, float(np.maximum(low, 0.0)), float(np.minimum(high, 1.0))


def t_limits(values: np.ndarray) -> tuple[float, float, float]:
    """The mean of values that are independent of each other, and its 95% limits."""
    from scipy.special import stdtrit

    values = values[~np.isnan(values)]
    if not len(values):
        return (float("nan"),) * 3
    mean = float(values.mean())
    if len(values) < LEAST_SEEDS:
        return mean, float("nan"), float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, 1 - ALPHA / 2) * error)
    return mean, mean - half, mean + half
