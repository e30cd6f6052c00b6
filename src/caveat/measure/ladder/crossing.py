"""Crossings: leakages of behaviours by kinds of caveat."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from caveat.measure.ladder.factors import levels

BEHAVIOUR, CAVEAT = "behaviour", "caveat"
"""The factors that a crossing is of."""
LEAST = 2
"""Behaviours, and caveats, from which on it is one."""


@dataclass(frozen=True)
class Crossing:
    """Rungs by their factors `behaviour` and `caveat`, all other factors alike."""

    others: dict[str, str]
    behaviours: tuple[str, ...]
    caveats: tuple[str, ...]
    rungs: dict[tuple[str, str], tuple[dict[str, Any], ...]]
    """Rows of the frame of rungs, by behaviour and caveat; a pair that was not run has none."""

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Pairs that were not run."""
        pairs = [(row, column) for row in self.behaviours for column in self.caveats]
        return [pair for pair in pairs if pair not in self.rungs]


def crossings(rungs: pd.DataFrame) -> list[Crossing]:
    """One for each combination of the other factors that has two behaviours and two caveats."""
    groups: dict[str, list[tuple[dict[str, str], dict[str, Any]]]] = {}
    for row in rungs.to_dict("records"):
        factors = json.loads(row["factors"])
        if BEHAVIOUR in factors and CAVEAT in factors:
            others = {name: factors[name] for name in sorted(factors.keys() - {BEHAVIOUR, CAVEAT})}
            groups.setdefault(json.dumps(others), []).append((factors, row))
    found = [_crossing(json.loads(others), group) for others, group in groups.items()]
    return [each for each in found if min(len(each.behaviours), len(each.caveats)) >= LEAST]


def _crossing(
    others: dict[str, str], group: list[tuple[dict[str, str], dict[str, Any]]]
) -> Crossing:
    order = levels([factors for factors, _ in group])
    rungs: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {}
    for factors, row in group:
        pair = (factors[BEHAVIOUR], factors[CAVEAT])
        rungs[pair] = (*rungs.get(pair, ()), row)
    return Crossing(others, tuple(order[BEHAVIOUR]), tuple(order[CAVEAT]), rungs)
