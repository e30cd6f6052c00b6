"""One-factor steps, two-factor squares, behaviour x caveat crossings.

Which settings of a ladder differ in one factor, and which in two.

Crossings: leakages of behaviours by kinds of caveat.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import pandas as pd

Factors = Mapping[str, str]
"""What a setting stands for, such as {"form": "chat", "content": "trait"}."""


@dataclass(frozen=True)
class Change:
    """One factor going from one of its levels to another."""

    factor: str
    start: str
    end: str


@dataclass(frozen=True)
class Step:
    """Two rungs that differ in one factor and in nothing else."""

    change: Change
    others: dict[str, str]
    """The factors in which they are alike."""
    first: int
    """Place of the rung before the change."""
    second: int


@dataclass(frozen=True)
class Square:
    """Rungs at all four combinations of two levels of two factors, all else alike."""

    one: Change
    other: Change
    others: dict[str, str]
    corners: tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]
    """Places of rungs: by the level of `one`, then by that of `other`. Several at one corner are
    repetitions of it."""


def levels(rungs: Sequence[Factors]) -> dict[str, list[str]]:
    """The levels of every factor, in the order in which they first appear."""
    found: dict[str, list[str]] = {}
    for rung in rungs:
        for factor, level in rung.items():
            known = found.setdefault(factor, [])
            if level not in known:
                known.append(level)
    return found


def steps(rungs: Sequence[Factors]) -> list[Step]:
    """Every pair of rungs with the same factors that differ in exactly one of them.

    A step goes from the level that appears first to the one that appears later.
    """
    order, pairs = levels(rungs), combinations(range(len(rungs)), 2)
    return [step for pair in pairs for step in _step(rungs, pair, order)]


def _step(
    rungs: Sequence[Factors], pair: tuple[int, int], order: Mapping[str, list[str]]
) -> Iterator[Step]:
    one, other = (rungs[place] for place in pair)
    differing = [factor for factor in one if factor in other and one[factor] != other[factor]]
    if set(one) != set(other) or len(differing) != 1:
        return
    (factor,) = differing
    first, second = sorted(pair, key=lambda place: order[factor].index(rungs[place][factor]))
    change = Change(factor, rungs[first][factor], rungs[second][factor])
    yield Step(change, _without(one, factor), first, second)


def squares(rungs: Sequence[Factors]) -> list[Square]:
    """Every complete square of two factors, the others alike."""
    order = levels(rungs)
    found = []
    for one, other in combinations(order, 2):
        for others in _surroundings(rungs, one, other):
            placed = _placed(rungs, one, other, others)
            for rise, run in product(combinations(order[one], 2), combinations(order[other], 2)):
                corners = tuple(tuple(placed.get((up, to), ()) for to in run) for up in rise)
                if all(corner for row in corners for corner in row):
                    found.append(Square(Change(one, *rise), Change(other, *run), others, corners))
    return found


def _surroundings(rungs: Sequence[Factors], one: str, other: str) -> list[dict[str, str]]:
    """What else rungs with both factors stand for, each once."""
    found: list[dict[str, str]] = []
    for rung in rungs:
        if one in rung and other in rung and (rest := _without(rung, one, other)) not in found:
            found.append(rest)
    return found


def _placed(
    rungs: Sequence[Factors], one: str, other: str, others: dict[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    placed: dict[tuple[str, str], tuple[int, ...]] = {}
    for place, rung in enumerate(rungs):
        if one in rung and other in rung and _without(rung, one, other) == others:
            corner = (rung[one], rung[other])
            placed[corner] = (*placed.get(corner, ()), place)
    return placed


def _without(rung: Factors, *factors: str) -> dict[str, str]:
    return {name: level for name, level in rung.items() if name not in factors}


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
