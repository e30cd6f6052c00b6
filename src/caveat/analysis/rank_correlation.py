"""Spearman's rank correlation, over many draws at once."""

from __future__ import annotations

import numpy as np

from caveat.analysis.intervals import ALPHA

LEAST = 3
"""The fewest things that are ranked: two are always in order or in reverse."""
DECIMALS = 12
"""Figures that differ by less are tied: they come from the same counts."""


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Shape (draws,), in [-1, 1], from figures of shape (draws, things); ties share a rank.

    NaN where all things of one side are tied.
    """
    one, other = _centred_ranks(first), _centred_ranks(second)
    scale = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    found = np.full(len(scale), np.nan)
    np.divide((one * other).sum(1), scale, out=found, where=scale > 0)
    return np.clip(found, -1.0, 1.0)


def _centred_ranks(figures: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    ranks = rankdata(np.round(figures, DECIMALS), axis=1)
    return ranks - ranks.mean(1, keepdims=True)


def over_things(value: float, count: int) -> tuple[float, float]:
    """95% limits of a rank correlation, had other things been ranked (Bonett & Wright 2000).

    Of `count` things; with fewer than four nothing is known. At 1 and -1, where the formula has no
    width, its inner limit is that of the value half a swap of neighbours away.
    """
    from scipy.special import ndtri

    if count < LEAST + 1:
        return -1.0, 1.0
    inside = 1 - 6 / (count**3 - count)
    kept = float(np.clip(value, -inside, inside))
    half = -ndtri(ALPHA / 2) * np.sqrt((1 + kept**2 / 2) / (count - 3))
    low, high = np.tanh([np.arctanh(kept) - half, np.arctanh(kept) + half]).tolist()
    return (-1.0 if value == -1 else low), (1.0 if value == 1 else high)


def over_draws(draws: np.ndarray) -> tuple[float, float]:
    """95% limits by percentiles; NaN unless most draws have a value."""
    known = draws[~np.isnan(draws)]
    if len(known) <= len(draws) / 2:
        return np.nan, np.nan
    low, high = np.quantile(known, [ALPHA / 2, 1 - ALPHA / 2]).tolist()
    return low, high


def p_value(value: float, shuffled: np.ndarray) -> float:
    """Two-sided: how often things in random order correlate as much (Phipson & Smyth 2010)."""
    as_much = np.abs(shuffled) >= abs(value) - 10.0**-DECIMALS
    return float((1 + as_much.sum()) / (1 + len(shuffled)))
