"""How far a setting's ranking of interventions agrees with itself between training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from caveat.measure.panel import GROUP
from caveat.measure.rank_correlation import LEAST, spearman
from caveat.measure.transfer.ranking import Ranking

COLUMNS = [
    *GROUP, "dose", "main", "interventions", "seeds", "between_seeds", "reliability", "undefined",
]  # fmt: skip


def between_seeds(ranking: Ranking) -> float:
    """The mean rank correlation of the changes after one training seed with those after another.

    NaN with one seed, or fewer than three interventions asked after two.
    """
    pairs = [_pair(*two) for two in combinations(ranking.by_seed.values(), 2)]
    known = [value for value in pairs if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def _pair(one: np.ndarray, other: np.ndarray) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    return spearman(one[None, both], other[None, both]).item() if both.sum() >= LEAST else np.nan


def reliability(ranking: Ranking) -> float:
    """What rank correlation a repetition with as many other seeds would show, in [0, 1].

    Spearman and Brown's formula (1910) on `between_seeds`, 0 where that is not above 0. The seeds
    are asked the same questions, so it is rather too high than too low.
    """
    single, seeds = between_seeds(ranking), len(ranking.by_seed)
    if np.isnan(single) or single <= 0:
        return 0.0 if single <= 0 else np.nan
    return seeds * single / (1 + (seeds - 1) * single)


def ceiling(first: Ranking, second: Ranking) -> float:
    """The most that two settings' rankings can be expected to correlate (Spearman 1904)."""
    return float(np.sqrt(reliability(first) * reliability(second)))


def reliabilities(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """One row a ranking, with the columns `COLUMNS`; `undefined` says why it ranks nothing."""
    rows = [
        {
            **each.names,
            "main": each.main,
            "interventions": len(each.interventions),
            "seeds": len(each.by_seed),
            "between_seeds": between_seeds(each),
            "reliability": reliability(each),
            "undefined": each.undefined,
        }
        for each in rankings
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))
