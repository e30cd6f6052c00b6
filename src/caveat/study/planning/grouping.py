"""Sizes of the groups that are made together, fixed when the study is planned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from caveat.backends.capacity import Capacity
from caveat.study.config.schema import Recipe
from caveat.types.training import Dose

DEFAULT_SIZE = 8
PARTS_A_WORKER = 4
"""Groups of one kind that a worker gets over the whole study, where there are enough adapters. At
the end of such a kind of work a worker may wait for a group of another: a quarter of it at most."""
REQUESTS = 256
"""Most answers that one job gets and publishes together."""
LEAST_REQUESTS = 32
"""Answers below which a job is not made smaller, however many workers there are."""


def _default_size(dose: Dose) -> int:
    return DEFAULT_SIZE


@dataclass(frozen=True)
class Grouping:
    """Sizes of groups. Results do not depend on them, up to float error."""

    most: Callable[[Dose], int] = _default_size
    """Gives the number of adapters of a dose that can be trained together."""
    parts: int = 1
    """Into how many groups the artifacts of one setting are split at least, as are its answers."""

    def size(self, dose: Dose | None, count: int) -> int:
        """Size of the groups of `count` artifacts of a setting.

        Args:
            dose: Dose of the adapters to train; None for artifacts that are not trained.
        """
        most = DEFAULT_SIZE if dose is None else self.most(dose)
        return max(1, min(most, math.ceil(count / self.parts)))

    def answers(self, count: int) -> int:
        """Size of the groups of `count` answers of a setting."""
        return min(REQUESTS, max(LEAST_REQUESTS, math.ceil(count / self.parts)))


def grouping(recipe: Recipe, capacity: Callable[[], Capacity]) -> Grouping:
    """Group sizes of a recipe: its `group_size`, else by free memory and number of workers.

    Each worker of a cluster gets a group of a setting. Where there are many settings, larger groups
    do as well, since workers are at different settings, and larger groups train faster.

    Args:
        capacity: Called only where the recipe leaves the size open.
    """
    if recipe.group_size is not None:
        size = recipe.group_size
        return Grouping(lambda dose: size)
    available = capacity()
    parts = math.ceil(PARTS_A_WORKER * available.workers / len(recipe.settings))
    return Grouping(available.adapters, min(available.workers, parts))
