"""Pairs of rankings: which are compared, and how they correlate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from caveat.measure.rank_correlation import LEAST, spearman
from caveat.measure.transfer.ranking import Ranking, averaged
from caveat.measure.transfer.reliability import ceiling

SAME, WITHIN, BETWEEN = "same setting", "within phenomenon", "between phenomena"
AVERAGED = "phenomena averaged"
SIDES = ("setting", "phenomenon", "behaviour", "readout", "scope", "dose")
"""What names a side of a pair."""


@dataclass(frozen=True)
class Pair:
    """Two rankings of the same interventions, or why they are not compared."""

    level: str
    first: Ranking
    second: Ranking
    undefined: str | None
    value: float = np.nan
    draws: np.ndarray | None = None
    """Shape (draws,)."""
    shuffled: np.ndarray | None = None
    ceiling: float = np.nan

    @property
    def behaviours(self) -> str:
        """`same` or `other`; "" where a side is a mean over behaviours."""
        one, other = self.first.names["behaviour"], self.second.names["behaviour"]
        return "" if not (one and other) else "same" if one == other else "other"


def pairs(rankings: Sequence[Ranking]) -> Iterator[Pair]:
    """The pairs among the rankings of one model, settings first, then averaged phenomena."""
    for two in combinations(rankings, 2):
        if _compared(*two):
            yield _pair(_level(*two), *two)
    for two in combinations(_phenomena(rankings), 2):
        yield _pair(AVERAGED, *two)


def _compared(first: Ranking, second: Ranking) -> bool:
    """Settings are compared by their main panels, a setting's own panels with its main one."""
    alike = first.names["setting"] == second.names["setting"]
    return (first.main or second.main) if alike else (first.main and second.main)


def _level(first: Ranking, second: Ranking) -> str:
    if first.names["setting"] == second.names["setting"]:
        return SAME
    alike = first.names["phenomenon"] == second.names["phenomenon"]
    return WITHIN if alike else BETWEEN


def _phenomena(rankings: Sequence[Ranking]) -> list[Ranking]:
    """One ranking a phenomenon: the mean over its settings, each first over its doses."""
    settings: dict[str, dict[str, list[Ranking]]] = {}
    for each in rankings:
        if each.main and not each.undefined:
            by_setting = settings.setdefault(each.names["phenomenon"], {})
            by_setting.setdefault(each.names["setting"], []).append(each)
    found = []
    for phenomenon, by_setting in settings.items():
        names = dict.fromkeys(SIDES, "") | {"phenomenon": phenomenon}
        means = [averaged(doses, doses[0].names) for doses in by_setting.values()]
        found.append(averaged(means, {**names, "setting": "mean of " + ", ".join(by_setting)}))
    return found


def _pair(level: str, first: Ranking, second: Ranking) -> Pair:
    common = [each for each in first.interventions if each in second.interventions]
    one, other = first.of(common), second.of(common)
    reason = _reason(first) or _reason(second)
    if not reason and len(common) < LEAST:
        reason = f"too few interventions are in both: {len(common)}, and {LEAST} are needed"
    if reason:
        return Pair(level, one, other, reason)
    value = spearman(one.change[None], other.change[None]).item()
    if np.isnan(value):
        return Pair(level, one, other, "every intervention changes one of the two alike")
    draws, shuffled = (
        spearman(getattr(one, name), getattr(other, name)) for name in ("draws", "shuffled")
    )
    return Pair(level, one, other, None, value, draws, shuffled, ceiling(one, other))


def _reason(ranking: Ranking) -> str | None:
    return f"{ranking.names['setting']}: {ranking.undefined}" if ranking.undefined else None
