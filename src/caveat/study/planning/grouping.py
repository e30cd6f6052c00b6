"""Sizes of the groups that are made together, fixed when the study is planned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from caveat.backends.base import Capacity
from caveat.study.config.schema import Recipe
from caveat.types.training import Dose

DEFAULT_SIZE = 8


def _default_size(dose: Dose) -> int:
    return DEFAULT_SIZE


@dataclass(frozen=True)
class Grouping:
    """Sizes of groups. Results do not depend on them, up to float error."""

    most: Callable[[Dose], int] = _default_size
    """Gives the number of adapters of a dose that can be trained together."""
    workers: int = 1

    def size(self, dose: Dose | None, count: int) -> int:
        """Size of the groups of `count` artifacts: small enough that each worker gets a group.

        Args:
            dose: Dose of the adapters to train; None for artifacts that are not trained.
        """
        most = DEFAULT_SIZE if dose is None else self.most(dose)
        return max(1, min(most, math.ceil(count / self.workers)))


def grouping(recipe: Recipe, capacity: Callable[[], Capacity]) -> Grouping:
    """Group sizes of a recipe: its `group_size`, else by free memory and number of workers.

    Args:
        capacity: Called only where the recipe leaves the size open.
    """
    if recipe.group_size is not None:
        size = recipe.group_size
        return Grouping(lambda dose: size)
    available = capacity()
    return Grouping(available.adapters, available.workers)
