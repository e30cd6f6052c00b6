"""Elicitation curves: does leakage fall where the base model obeys the caveat more, and is k
constant?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.intervals import ALPHA, SEEDS_NEEDED
from caveat.analysis.ladder.behaviour_panels import BehaviourPanel
from caveat.analysis.leakage import with_reasons
from caveat.analysis.rank_correlation import (
    LEAST,
    entropy,
    limits_over_items,
    p_value,
    percentile_limits,
    resampled,
    spearman,
)
from caveat.analysis.rates import interval_label

METRICS = ("correlation", "slope")
"""Each has limits over other trainings and questions in `_low` and `_high`, and over other settings
in `_low_settings` and `_high_settings`."""
COLUMNS = [
    "family", "name", "settings",
    *(f"{name}{end}" for name in METRICS
      for end in ("", "_low", "_high", "_low_settings", "_high_settings")),
    "p", "k_settings", "k_mean", "k_least", "k_most", "q", "q_p", "undefined", "interval",
]  # fmt: skip


@dataclass(frozen=True)
class _Points:
    """Elicitation and leakage of a family's settings, each of shape (1 + draws, settings): first
    the values themselves, then those of each resample."""

    elicitation: np.ndarray
    leakage: np.ndarray

    def slopes(self) -> np.ndarray:
        """Shape (1 + draws,): of leakage on elicitation, by least squares."""
        x = self.elicitation - self.elicitation.mean(1, keepdims=True)
        y = self.leakage - self.leakage.mean(1, keepdims=True)
        size = (x**2).sum(1)
        slopes = np.full(len(size), np.nan)
        np.divide((x * y).sum(1), size, out=slopes, where=size > 0)
        return slopes


def elicitation_curves(
    settings: pd.DataFrame, behaviours: Sequence[BehaviourPanel], draws: int, seed: int
) -> pd.DataFrame:
    """One row a family of settings that differ in elicitation, with the columns `COLUMNS`.

    `family` is `setting` (one setting at several doses or on several models) or `behaviour`
    (several settings of one behaviour), `name` its name.

    `correlation` (Spearman's) and `slope` (least squares) are of leakage on elicitation over the
    settings that have both, `settings` how many. Their limits in `_low` and `_high` are percentiles
    over resampled seeds and questions, the same settings; a resample is noisier than the values, so
    they lean towards 0. Limits over other settings: Bonett and Wright's for the correlation,
    Student's for the slope. `p` is from settings in random order. `undefined` says why there is no
    correlation.

    `k_mean` is the mean over the `k_settings` settings that have a k, weighted by the inverse of
    their variances; `k_least` and `k_most` are the range; `q` is Cochran's (1954) test of their
    being equal, `q_p` its p-value. Variances are computed from the intervals as if these were
    normal, and k of settings that share questions count as independent: both make the test
    conservative.

    Args:
        settings: See `Ladder.settings`.
        behaviours: The same, by behaviour.
        draws: Number of resamples.
        seed: Of the resamples.
    """
    rows = [
        {"family": family, "name": name, **_row(behaviour, members, draws, seed)}
        for behaviour in behaviours
        for family, name, members in _families(settings.loc[list(behaviour.settings)])
    ]
    return with_reasons(pd.DataFrame(rows, columns=COLUMNS))


def _families(settings: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each setting, and the behaviour, of one behaviour's settings where elicitation differs."""
    for setting, rows in settings.groupby("setting", sort=False):
        if rows["elicitation"].nunique() > 1:
            yield "setting", str(setting), rows
    if settings["setting"].nunique() > 1 and settings["elicitation"].nunique() > 1:
        yield "behaviour", str(settings["behaviour"].iloc[0]), settings


def _row(
    behaviour: BehaviourPanel, settings: pd.DataFrame, draws: int, seed: int
) -> dict[str, object]:
    usable = settings[settings["elicitation"].notna() & settings["undefined"].isna()]
    row: dict[str, object] = {"settings": len(usable), **_constancy(settings)}
    if len(usable) < LEAST:
        few = f"{len(usable)} of its settings have elicitation and leakage, {LEAST} are needed"
        return {**row, "undefined": few}
    indices = np.flatnonzero(np.isin(behaviour.settings, usable.index))
    points, over_seeds = _points(behaviour, indices, draws, seed)
    correlations = spearman(points.elicitation, points.leakage)
    value = correlations[0]
    if np.isnan(value):
        return {**row, "undefined": "all its settings have the same leakage, or elicitation"}
    slopes = points.slopes()
    over_settings = limits_over_items(value, len(usable))
    return {
        **row,
        "correlation": value,
        **_limits("correlation", percentile_limits(correlations[1:]), over_settings),
        "p": _p(points, value, draws, seed),
        "slope": slopes[0],
        **_limits("slope", percentile_limits(slopes[1:]), _student(points, slopes[0])),
        "interval": interval_label(over_seeds),
    }


def _limits(
    name: str, resampled: tuple[float, float], settings: tuple[float, float]
) -> dict[str, float]:
    ends = ("_low", "_high", "_low_settings", "_high_settings")
    return {f"{name}{end}": limit for end, limit in zip(ends, (*resampled, *settings), strict=True)}


def _points(
    behaviour: BehaviourPanel, indices: np.ndarray, draws: int, seed: int
) -> tuple[_Points, bool]:
    """The values with their resamples, and whether these are over seeds."""
    panel = behaviour.estimates.panel
    above, below = behaviour.leaks[indices], behaviour.installed[indices]
    used = ((above != 0) | (below != 0)).any(0) & (panel.cell_seeds > 0)
    over_seeds = bool(panel.cell_seeds[used].min() >= SEEDS_NEEDED)
    means = np.vstack([panel.mean, resampled(panel, draws, seed, over_seeds)])
    elicitation = np.round(means @ behaviour.elicitation[indices].T, 12)
    return _Points(elicitation, (means @ above.T) / (means @ below.T)), over_seeds


PERMUTATION_SEED = "dial"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other permutations."""


def _p(points: _Points, value: float, draws: int, seed: int) -> float:
    generator = np.random.default_rng(entropy(seed, PERMUTATION_SEED))
    shuffled = generator.permuted(np.tile(points.leakage[0], (draws, 1)), axis=1)
    return p_value(value, spearman(np.tile(points.elicitation[0], (draws, 1)), shuffled))


def _student(points: _Points, slope: float) -> tuple[float, float]:
    """95% limits of a slope, had other settings been tried."""
    from scipy.special import stdtrit

    x, y = (values[0] - values[0].mean() for values in (points.elicitation, points.leakage))
    freedom = len(x) - 2
    variance = ((y - slope * x) ** 2).sum() / freedom / (x**2).sum()
    half = -stdtrit(freedom, ALPHA / 2) * np.sqrt(variance)
    return float(slope - half), float(slope + half)


def _constancy(settings: pd.DataFrame) -> dict[str, float]:
    """The columns on k: mean, range and Cochran's test."""
    from scipy.special import chdtrc, ndtri

    usable = settings[settings["k"].notna() & (settings["k_high"] > settings["k_low"])]
    k = usable["k"].to_numpy(dtype=float)
    if not len(k):
        return {"k_settings": 0}
    width = (usable["k_high"] - usable["k_low"]).to_numpy(dtype=float)
    weight = (2 * ndtri(1 - ALPHA / 2) / width) ** 2
    mean = float((weight * k).sum() / weight.sum())
    columns = {"k_settings": len(k), "k_mean": mean, "k_least": k.min(), "k_most": k.max()}
    if len(k) == 1:
        return columns
    q = float((weight * (k - mean) ** 2).sum())
    return {**columns, "q": q, "q_p": float(chdtrc(len(k) - 1, q))}
