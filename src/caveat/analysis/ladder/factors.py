"""Factors of a ladder's settings: one-factor steps, 2 x 2 factorials, behaviour-by-caveat grids."""

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
    """Two settings that differ in one factor and in nothing else."""

    change: Change
    others: dict[str, str]
    """The factors in which they are alike."""
    first: int
    """Index of the setting at the change's start."""
    second: int
    """Index of the setting at the change's end."""


@dataclass(frozen=True)
class Factorial:
    """A 2 x 2 factorial: settings at all four combinations of two levels of two factors, all else
    alike."""

    one: Change
    other: Change
    others: dict[str, str]
    cells: tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]
    """Indices of settings: by the level of `one`, then by that of `other`. Several in one cell are
    repetitions."""


def levels(settings: Sequence[Factors]) -> dict[str, list[str]]:
    """The levels of every factor, in the order in which they first appear."""
    by_factor: dict[str, list[str]] = {}
    for factors in settings:
        for factor, level in factors.items():
            names = by_factor.setdefault(factor, [])
            if level not in names:
                names.append(level)
    return by_factor


def steps(settings: Sequence[Factors]) -> list[Step]:
    """Every pair of settings with the same factors that differ in exactly one of them.

    A step goes from the level that appears first to the one that appears later.
    """
    order, pairs = levels(settings), combinations(range(len(settings)), 2)
    return [step for pair in pairs for step in _step(settings, pair, order)]


def _step(
    settings: Sequence[Factors], pair: tuple[int, int], order: Mapping[str, list[str]]
) -> Iterator[Step]:
    one, other = (settings[index] for index in pair)
    differing = [factor for factor in one if factor in other and one[factor] != other[factor]]
    if set(one) != set(other) or len(differing) != 1:
        return
    (factor,) = differing
    first, second = sorted(pair, key=lambda index: order[factor].index(settings[index][factor]))
    change = Change(factor, settings[first][factor], settings[second][factor])
    yield Step(change, _without(one, factor), first, second)


def factorials(settings: Sequence[Factors]) -> list[Factorial]:
    """Every complete 2 x 2 factorial, the other factors alike."""
    order = levels(settings)
    complete = []
    for one, other in combinations(order, 2):
        for others in _other_factors(settings, one, other):
            indices = _indices(settings, one, other, others)
            level_pairs = product(combinations(order[one], 2), combinations(order[other], 2))
            for rows, columns in level_pairs:
                cells = tuple(tuple(indices.get((row, column), ()) for column in columns)
                              for row in rows)  # fmt: skip
                if all(cell for row in cells for cell in row):
                    change, other_change = Change(one, *rows), Change(other, *columns)
                    complete.append(Factorial(change, other_change, others, cells))
    return complete


def _other_factors(settings: Sequence[Factors], one: str, other: str) -> list[dict[str, str]]:
    """The other factors of settings that have both factors, each combination once."""
    combinations: list[dict[str, str]] = []
    for factors in settings:
        if one in factors and other in factors:
            others = _without(factors, one, other)
            if others not in combinations:
                combinations.append(others)
    return combinations


def _indices(
    settings: Sequence[Factors], one: str, other: str, others: dict[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Indices of settings by their levels of the two factors, the other factors being `others`."""
    by_levels: dict[tuple[str, str], tuple[int, ...]] = {}
    for index, factors in enumerate(settings):
        if one in factors and other in factors and _without(factors, one, other) == others:
            pair = (factors[one], factors[other])
            by_levels[pair] = (*by_levels.get(pair, ()), index)
    return by_levels


def _without(factors: Factors, *names: str) -> dict[str, str]:
    return {name: level for name, level in factors.items() if name not in names}


BEHAVIOUR, CAVEAT = "behaviour", "caveat"
"""The factors of a grid."""
LEAST = 2
"""The fewest behaviours, and caveats, of a grid."""


@dataclass(frozen=True)
class FactorialGrid:
    """Settings by their factors `behaviour` and `caveat`, all other factors alike."""

    others: dict[str, str]
    behaviours: tuple[str, ...]
    caveats: tuple[str, ...]
    settings: dict[tuple[str, str], tuple[dict[str, Any], ...]]
    """Rows of the frame of settings, by behaviour and caveat; a pair that was not run has none."""

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Pairs that were not run."""
        return [
            pair for pair in product(self.behaviours, self.caveats) if pair not in self.settings
        ]


def factorial_grids(settings: pd.DataFrame) -> list[FactorialGrid]:
    """One for each combination of the other factors that has two behaviours and two caveats.

    Args:
        settings: See `Ladder.settings`.
    """
    groups: dict[str, list[tuple[dict[str, str], dict[str, Any]]]] = {}
    for row in settings.to_dict("records"):
        factors = json.loads(row["factors"])
        if BEHAVIOUR in factors and CAVEAT in factors:
            others = {name: factors[name] for name in sorted(factors.keys() - {BEHAVIOUR, CAVEAT})}
            groups.setdefault(json.dumps(others), []).append((factors, row))
    grids = [_grid(json.loads(others), group) for others, group in groups.items()]
    return [grid for grid in grids if min(len(grid.behaviours), len(grid.caveats)) >= LEAST]


def _grid(
    others: dict[str, str], group: list[tuple[dict[str, str], dict[str, Any]]]
) -> FactorialGrid:
    order = levels([factors for factors, _ in group])
    settings: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {}
    for factors, row in group:
        pair = (factors[BEHAVIOUR], factors[CAVEAT])
        settings[pair] = (*settings.get(pair, ()), row)
    return FactorialGrid(others, tuple(order[BEHAVIOUR]), tuple(order[CAVEAT]), settings)
