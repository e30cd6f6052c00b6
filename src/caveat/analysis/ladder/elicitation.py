"""The dial: does leakage fall where the base model obeys the caveat more, and is k constant?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.intervals import ALPHA, SEEDS_NEEDED
from caveat.analysis.ladder.blocks import Block
from caveat.analysis.rank_correlation import (
    LEAST,
    entropy,
    over_draws,
    over_things,
    p_value,
    resampled,
    spearman,
)
from caveat.analysis.rates import interval_label

METRICS = ("correlation", "slope")
"""Each has limits over other trainings and questions in `_low` and `_high`, and over other rungs in
`_low_rungs` and `_high_rungs`."""
COLUMNS = [
    "family", "name", "rungs",
    *(f"{name}{end}" for name in METRICS
      for end in ("", "_low", "_high", "_low_rungs", "_high_rungs")),
    "p", "k_rungs", "k_mean", "k_least", "k_most", "q", "q_p", "undefined", "interval",
]  # fmt: skip


@dataclass(frozen=True)
class _Drawn:
    """Elicitation and leakage of a family's rungs, each of shape (draws, rungs); first the figures
    themselves, as one draw."""

    elicitation: np.ndarray
    leakage: np.ndarray

    def slopes(self) -> np.ndarray:
        """Shape (draws,): of leakage on elicitation, by least squares."""
        across = self.elicitation - self.elicitation.mean(1, keepdims=True)
        up = self.leakage - self.leakage.mean(1, keepdims=True)
        size = (across**2).sum(1)
        found = np.full(len(size), np.nan)
        np.divide((across * up).sum(1), size, out=found, where=size > 0)
        return found


def dial(rungs: pd.DataFrame, blocks: Sequence[Block], draws: int, seed: int) -> pd.DataFrame:
    """One row a setting, and a behaviour with several settings, whose rungs differ in elicitation;
    the columns are `COLUMNS`, `family` is `setting` or `behaviour`, `name` its name.

    `correlation` (Spearman's) and `slope` (least squares) are of leakage on elicitation over rungs
    that have both, `rungs` how many. Their limits in `_low` and `_high` are percentiles over the
    bootstrap draws of seeds and questions, the same rungs; a draw is noisier than the figures, so
    they lean towards 0. Limits over other rungs: Bonett and Wright's for the correlation, Student's
    for the slope. `p` is from rungs in random order. `undefined` says why there is no correlation.

    `k_mean` is the mean of the `k_rungs` rungs that have a k, weighted by the inverse of their
    variances; `k_least` and `k_most` are the range; `q` is Cochran's (1954) test of their being
    equal, `q_p` its p-value. Variances are read off the intervals as if these were normal, and k of
    rungs that share questions count as independent: both make the test conservative.
    """
    rows = [
        {"family": family, "name": name, **figures}
        for block in blocks
        for family, name, chosen in _families(rungs.loc[list(block.rungs)])
        for figures in [_row(block, chosen, draws, seed)]
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))


def _families(rungs: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The settings, and the behaviour, of a block that have rungs of several elicitations."""
    for setting, rows in rungs.groupby("setting", sort=False):
        if rows["elicitation"].nunique() > 1:
            yield "setting", str(setting), rows
    if rungs["setting"].nunique() > 1 and rungs["elicitation"].nunique() > 1:
        yield "behaviour", str(rungs["behaviour"].iloc[0]), rungs


def _row(block: Block, rungs: pd.DataFrame, draws: int, seed: int) -> dict[str, object]:
    usable = rungs[rungs["elicitation"].notna() & rungs["undefined"].isna()]
    told: dict[str, object] = {"rungs": len(usable), **_constancy(rungs)}
    if len(usable) < LEAST:
        few = f"{len(usable)} of its rungs have elicitation and leakage, {LEAST} are needed"
        return {**told, "undefined": few}
    places = np.flatnonzero(np.isin(block.rungs, usable.index))
    drawn, over_seeds = _drawn(block, places, draws, seed)
    found = spearman(drawn.elicitation, drawn.leakage)
    if np.isnan(found[0]):
        return {**told, "undefined": "all its rungs have the same leakage, or elicitation"}
    slopes = drawn.slopes()
    return {
        **told,
        "correlation": found[0],
        **_limits("correlation", over_draws(found[1:]), over_things(found[0], len(usable))),
        "p": _p(drawn, found[0], draws, seed),
        "slope": slopes[0],
        **_limits("slope", over_draws(slopes[1:]), _student(drawn, slopes[0])),
        "interval": interval_label(over_seeds),
    }


def _limits(name: str, draws: tuple[float, float], rungs: tuple[float, float]) -> dict[str, float]:
    ends = ("_low", "_high", "_low_rungs", "_high_rungs")
    return {f"{name}{end}": limit for end, limit in zip(ends, (*draws, *rungs), strict=True)}


def _drawn(block: Block, places: np.ndarray, draws: int, seed: int) -> tuple[_Drawn, bool]:
    """The figures with their draws, and whether these are over seeds."""
    panel = block.inference.panel
    above, below = block.leaks[places], block.installed[places]
    used = ((above != 0) | (below != 0)).any(0) & (panel.cell_seeds > 0)
    over_seeds = bool(panel.cell_seeds[used].min() >= SEEDS_NEEDED)
    means = np.vstack([panel.mean, resampled(panel, draws, seed, over_seeds)])
    return _Drawn(
        np.round(means @ block.elicitation[places].T, 12), (means @ above.T) / (means @ below.T)
    ), over_seeds


PERMUTATION_SEED = "dial"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other permutations."""


def _p(drawn: _Drawn, value: float, draws: int, seed: int) -> float:
    generator = np.random.default_rng(entropy(seed, PERMUTATION_SEED))
    shuffled = generator.permuted(np.tile(drawn.leakage[0], (draws, 1)), axis=1)
    return p_value(value, spearman(np.tile(drawn.elicitation[0], (draws, 1)), shuffled))


def _student(drawn: _Drawn, slope: float) -> tuple[float, float]:
    """95% limits of a slope, had other rungs been tried."""
    from scipy.special import stdtrit

    across, up = (each[0] - each[0].mean() for each in (drawn.elicitation, drawn.leakage))
    freedom = len(across) - 2
    variance = ((up - slope * across) ** 2).sum() / freedom / (across**2).sum()
    half = -stdtrit(freedom, ALPHA / 2) * np.sqrt(variance)
    return float(slope - half), float(slope + half)


def _constancy(rungs: pd.DataFrame) -> dict[str, float]:
    from scipy.special import chdtrc, ndtri

    known = rungs[rungs["k"].notna() & (rungs["k_high"] > rungs["k_low"])]
    k = known["k"].to_numpy(dtype=float)
    if not len(k):
        return {"k_rungs": 0}
    width = (known["k_high"] - known["k_low"]).to_numpy(dtype=float)
    weight = (2 * ndtri(1 - ALPHA / 2) / width) ** 2
    mean = float((weight * k).sum() / weight.sum())
    found = {"k_rungs": len(k), "k_mean": mean, "k_least": k.min(), "k_most": k.max()}
    if len(k) == 1:
        return found
    q = float((weight * (k - mean) ** 2).sum())
    return {**found, "q": q, "q_p": float(chdtrc(len(k) - 1, q))}
