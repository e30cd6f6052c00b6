"""Spearman's rank correlation, with limits and p-values from resamples.

Ranks are not linear in the cells of a panel, so their intervals have no closed form as those of
`intervals` have; they come from resampled means.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from caveat.analysis.intervals import ALPHA
from caveat.analysis.panel import Panel

LEAST = 3
"""The fewest items that are ranked: two are always in order or in reverse."""
DECIMALS = 12
"""Values that differ by less are tied: they come from the same counts."""


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Shape (draws,), in [-1, 1], from values of shape (draws, items); ties share a rank.

    NaN where all items of one side are tied.
    """
    one, other = _centred_ranks(first), _centred_ranks(second)
    scale = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    correlation = np.full(len(scale), np.nan)
    np.divide((one * other).sum(1), scale, out=correlation, where=scale > 0)
    return np.clip(correlation, -1.0, 1.0)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    # Not by scipy.stats, which takes a second to import.
    ranks = pd.DataFrame(np.round(values, DECIMALS)).rank(axis=1).to_numpy()
    return ranks - ranks.mean(1, keepdims=True)


def resampled(panel: Panel, draws: int, seed: int, over_seeds: bool) -> np.ndarray:
    """Shape (draws, cells): the cells' means in resamples of question clusters and training seeds.

    A draw takes as many clusters, and as many seeds, as there are, with replacement, the same for
    every arm and context (Owen 2007, the pigeonhole bootstrap), so pairs are kept. Without
    `over_seeds` every draw has all seeds once. Means are linearised: a draw moves a cell by the sum
    of the influences that it takes again, so a mean may leave [0, 1] by a little. The draws are a
    function of `seed`, the panel's names and its shape.
    """
    _, seeds, clusters = panel.influence.shape
    generator = np.random.default_rng(entropy(seed, *panel.names.values()))
    cluster_counts = _resample(generator, draws, clusters)
    seed_counts = _resample(generator, draws, seeds)
    means = panel.mean + cluster_counts @ panel.influence.sum(1).T
    if not over_seeds:
        return means
    both = np.einsum("bs,ksc,bc->bk", seed_counts, panel.influence, cluster_counts, optimize=True)
    return means + seed_counts @ panel.influence.sum(2).T + both


def entropy(seed: int, *names: str) -> list[int]:
    """Seeds of a generator: other names give other draws."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return [seed % 2**64, int.from_bytes(digest[:8], "big")]


def _resample(generator: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """Shape (draws, units): how often each unit was taken, less once."""
    return generator.multinomial(units, np.full(units, 1 / units), size=draws) - 1.0


def limits_over_items(value: float, count: int) -> tuple[float, float]:
    """95% limits of a rank correlation, had other items been ranked (Bonett & Wright 2000).

    Of `count` items; with fewer than four nothing is known. At 1 and -1, where the formula has no
    width, its inner limit is that of the value half a swap of neighbours away.
    """
    from scipy.special import ndtri

    if count < LEAST + 1:
        return -1.0, 1.0
    inside = 1 - 6 / (count**3 - count)
    clipped = float(np.clip(value, -inside, inside))
    half = -ndtri(ALPHA / 2) * np.sqrt((1 + clipped**2 / 2) / (count - 3))
    low, high = np.tanh([np.arctanh(clipped) - half, np.arctanh(clipped) + half]).tolist()
    return (-1.0 if value == -1 else low), (1.0 if value == 1 else high)


def percentile_limits(draws: np.ndarray) -> tuple[float, float]:
    """95% limits by percentiles; NaN unless most draws have a value."""
    defined = draws[~np.isnan(draws)]
    if len(defined) <= len(draws) / 2:
        return np.nan, np.nan
    low, high = np.quantile(defined, [ALPHA / 2, 1 - ALPHA / 2]).tolist()
    return low, high


def p_value(value: float, shuffled: np.ndarray) -> float:
    """Two-sided: how often items in random order correlate as much (Phipson & Smyth 2010)."""
    as_much = np.abs(shuffled) >= abs(value) - 10.0**-DECIMALS
    return float((1 + as_much.sum()) / (1 + len(shuffled)))
