"""How many adapters are made together: as memory and the workers allow, decided with the plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from caveat.study.config.schema import Recipe
from caveat.types.training import Dose

USUAL = 8


def _usual(dose: Dose) -> int:
    return USUAL


@dataclass(frozen=True)
class Room:
    """Where groups are made."""

    free: int
    """Bytes of memory that a worker has, the one that has least."""
    kind: str
    """`cpu` or `cuda`."""
    workers: int = 1
    """That work side by side."""


@dataclass(frozen=True)
class Grouping:
    """Sizes of groups; what is made does not depend on them, but for float error."""

    most: Callable[[Dose], int] = _usual
    """Adapters of a dose that can be trained together."""
    workers: int = 1

    def size(self, dose: Dose | None, count: int) -> int:
        """Of groups of `count` things to make: no larger than gives each worker one of them.

        Args:
            dose: Of adapters to train; None of what takes no such memory.
        """
        most = USUAL if dose is None else self.most(dose)
        return max(1, min(most, math.ceil(count / self.workers)))


def grouping(recipe: Recipe, model: object, room: Callable[[], Room]) -> Grouping:
    """As a recipe says, else by what there is.

    Args:
        room: Asked only where the recipe leaves the size open.
    """
    if recipe.group_size is not None:
        size = recipe.group_size
        return Grouping(lambda dose: size)
    from caveat.backends.local.models.device_memory import adapter_weights, affordable_adapters

    there = room()
    return Grouping(
        lambda dose: affordable_adapters(adapter_weights(model, dose), there.free, there.kind),
        there.workers,
    )
